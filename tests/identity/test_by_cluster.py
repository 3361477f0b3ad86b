"""Hat matrices by cluster: sums, rows, and rows net of waves against matrices written out."""

import numpy as np
import pandas as pd
import pytest

from eecx import formula
from eecx.covariance import Rows, RowsNetOfWaves, Sums, Waves, cr2, partial_leverage
from eecx.models import prepare as preparation
from eecx.models.inference import estimates_of, fit_work
from eecx.models.prepare import prepare
from eecx.models.two_way_random import Crossing


def contributions(x, e, cluster, combine, power):
    """Return u'e, u'u and u'H u of clusters, all matrices written out."""
    bread = np.linalg.pinv(x.T @ x)
    hat = x @ bread @ x.T
    groups = [np.flatnonzero(cluster == g) for g in np.unique(cluster)]
    u = np.zeros((len(x), len(combine)))
    for rows in groups:
        values, vectors = np.linalg.eigh(np.eye(len(rows)) - hat[np.ix_(rows, rows)])
        kept = values > 1e-8
        root = (vectors * np.where(kept, np.where(kept, values, 1.0) ** -power, 0.0)) @ vectors.T
        u[rows] = root @ x[rows] @ bread @ combine.T
    influence = np.array([u[r].T @ e[r] for r in groups])
    own = np.array([u[r].T @ u[r] for r in groups])
    crossed = np.array([[u[r].T @ hat[np.ix_(r, s)] @ u[s] for s in groups] for r in groups])
    return influence, own, crossed


def agree(made, expected):
    influence, own, crossed = expected
    np.testing.assert_allclose(made.influence, influence, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(made.own, own, rtol=1e-9, atol=1e-12)
    ours = np.einsum("grc,hrd->ghcd", made.reach, made.reach)
    np.testing.assert_allclose(ours, crossed, rtol=1e-9, atol=1e-12)


@pytest.fixture(params=[3, 12], ids=["few columns", "many columns"])
def design(request):
    rng = np.random.default_rng(request.param)
    cluster = np.sort(rng.integers(0, 8, 60))
    x = rng.normal(size=(60, request.param))
    return x, rng.normal(size=60), np.unique(cluster, return_inverse=True)[1]


@pytest.mark.parametrize("power", [0.5, 1.0])
def test_sums_and_rows_are_the_hat_matrix_written_out(design, power):
    x, y, cluster = design
    bread = np.linalg.inv(x.T @ x)
    e = y - x @ bread @ x.T @ y
    combine = np.eye(x.shape[1])[:2]
    expected = contributions(x, e, cluster, combine, power)
    groups = [cluster == g for g in np.unique(cluster)]
    sums = np.array([x[g].T @ x[g] for g in groups])
    scores = np.array([x[g].T @ e[g] for g in groups])
    agree(Sums(bread, sums, scores).adjusted(combine, power), expected)
    agree(Rows(bread, x, e, cluster).adjusted(combine, power), expected)


@pytest.mark.parametrize("power", [0.5, 1.0])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("units", [4, 12], ids=["few units", "units"])
def test_rows_net_of_waves_have_the_hat_matrix_of_all_dummies(power, weighted, units):
    """Few units have hat matrices near one: these are decomposed, the others a series."""
    rng = np.random.default_rng(units)
    unit, wave = np.divmod(np.flatnonzero(rng.random(units * 6) > 0.2), 6)
    unit, wave = (np.unique(c, return_inverse=True)[1] for c in (unit, wave))
    n = len(unit)
    weight = rng.uniform(0.5, 2, n) if weighted else np.ones(n)
    x, y = rng.normal(size=(n, 2)), rng.normal(size=n)
    dummies = np.column_stack([np.eye(unit.max() + 1)[unit], np.eye(wave.max() + 1)[wave]])
    root = np.sqrt(weight)[:, None]

    def net_of(columns, of):
        return columns - of @ np.linalg.lstsq(of, columns, rcond=None)[0]

    whole = root * np.column_stack([dummies, x])
    e = net_of(root * y[:, None], whole)[:, 0]
    left = net_of(root * x, root * dummies)
    crossing = Crossing.of(unit, wave, weight)
    ours = root * crossing.within(x)[0]
    np.testing.assert_allclose(ours, left, atol=1e-12)
    bread = np.linalg.inv(left.T @ left)
    rows = RowsNetOfWaves(Rows(bread, ours, e, unit), Waves(wave, unit, weight, crossing.root))
    # units lie in one cluster each: their own dummies change nothing, and are left out
    of_unit = np.eye(unit.max() + 1)[unit]
    net = net_of(root * np.column_stack([np.eye(wave.max() + 1)[wave], x]), root * of_unit)
    combine = np.eye(net.shape[1])[-2:]
    agree(rows.adjusted(np.eye(2), power), contributions(net, e, unit, combine, power))
    leverage = np.einsum("ij,ij->i", net, net @ np.linalg.pinv(net.T @ net))
    np.testing.assert_allclose(
        rows.waves.leverage + np.einsum("ij,jk,ik->i", ours, bread, ours), leverage, atol=1e-12
    )
    full, scores = rows.whole
    pulled = rows.times(bread)
    net[:, -2:] = ours
    for g in np.unique(unit):
        own = unit == g
        np.testing.assert_allclose(scores[g], net[own].T @ e[own], atol=1e-11)
        np.testing.assert_allclose(pulled[g], net[own].T @ (ours[own] @ bread), atol=1e-11)
    np.testing.assert_allclose(full[-2:, -2:], bread)


@pytest.fixture(scope="module")
def wide():
    rng = np.random.default_rng(5)
    n = 400
    frame = pd.DataFrame(
        {
            "u": rng.integers(0, 40, n),
            "g": rng.integers(0, 24, n),
            "x": rng.normal(size=n),
            "w": rng.uniform(1, 3, n),
        }
    )
    frame["y"] = 0.4 * frame["x"] + rng.normal(size=40)[frame["u"]] + rng.normal(size=n)
    return frame


@pytest.mark.parametrize("vcov", ["classical", "CR0", "CR1", "CR2", "CR3"])
@pytest.mark.parametrize("effects", ["pooled", "within"])
def test_wide_models_are_the_same_from_rows_and_from_sums(wide, vcov, effects, monkeypatch):
    model = formula.parse("y ~ x + C(g)")
    found = []
    for is_wide in (True, False):
        monkeypatch.setattr(preparation, "_is_wide", lambda *_, is_wide=is_wide: is_wide)
        work = prepare(wide, model, effects, unit="u", vcov=vcov)
        assert work.cells.of_rows == is_wide
        fit = fit_work(work)
        found.append((fit, estimates_of(work, fit, vcov)))
    (one, own), (two, other) = found
    np.testing.assert_allclose(one.beta, two.beta, rtol=1e-9)
    np.testing.assert_allclose(own.covariance, other.covariance, rtol=1e-8, atol=1e-13)
    np.testing.assert_allclose(own.df, other.df, rtol=1e-8)
    if vcov != "classical":
        np.testing.assert_allclose(own.influence, other.influence, rtol=1e-8, atol=1e-12)
        assert own.labels.tolist() == other.labels.tolist()
        shares = [partial_leverage(f.by, f.move) for f in (one, two)]
        np.testing.assert_allclose(*shares, rtol=1e-8, atol=1e-12)


def test_many_combinations_are_looked_at_in_chunks(wide):
    work = prepare(wide, formula.parse("y ~ x + C(g)"), "pooled", unit="u", vcov="CR2")
    fit = fit_work(work)
    combine = np.random.default_rng(1).normal(size=(70, len(fit.beta)))
    influence, df = cr2(fit.by, combine)
    each = [cr2(fit.by, row[None]) for row in combine]
    np.testing.assert_allclose(influence, np.column_stack([i for i, _ in each]), rtol=1e-9)
    np.testing.assert_allclose(df, np.concatenate([d for _, d in each]), rtol=1e-9)
