"""Random effects of units and waves: dense matrices, quasi-demeaning, and what must not matter."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import eecx
from eecx.errors import DataError, OptionError
from eecx.models.swamy_arora import Components
from eecx.models.two_way_random import Crossing

NUMBERS = ["estimate", "std_error", "statistic", "df", "p_value", "conf_low", "conf_high"]


def rows(units=14, waves=8, missing=0.2, seed=0, sd=(1.0, 0.8)):
    """Return rows of units and waves with random effects of both; without gaps if none miss."""
    rng = np.random.default_rng(seed)
    unit, wave = np.divmod(np.arange(units * waves), waves)
    x, z = rng.normal(size=(2, len(unit)))
    y = (
        2
        + 0.5 * x
        - z
        + sd[0] * rng.normal(size=units)[unit]
        + sd[1] * rng.normal(size=waves)[wave]
    )
    frame = pd.DataFrame({"unit": unit, "wave": wave, "x": x, "z": z})
    frame["y"] = y + rng.normal(size=len(unit))
    kept = rng.random(len(unit)) >= missing
    return frame[kept].reset_index(drop=True)


def fit(frame, text="y ~ x + z", **options):
    return eecx.regress(
        frame, text, unit="unit", wave="wave", **{"effects": "random-two-way", **options}
    )


def dense(frame):
    """Return components and GLS from the definitions, with n × n matrices."""
    zs = [pd.get_dummies(frame[c]).to_numpy(float) for c in ("unit", "wave")]
    x = np.column_stack([np.ones(len(frame)), frame[["x", "z"]]])
    y = frame["y"].to_numpy()
    whole = np.column_stack([*zs, x[:, 1:]])
    e = y - whole @ np.linalg.lstsq(whole, y, rcond=None)[0]
    within = e @ e / (len(y) - np.linalg.matrix_rank(whole))
    expected, over = [], []
    for z in zs:
        mean = z @ np.linalg.inv(z.T @ z) @ z.T
        m = mean - mean @ x @ np.linalg.inv(x.T @ mean @ x) @ x.T @ mean
        expected.append([np.trace(other.T @ m @ other) for other in zs])
        over.append(y @ m @ y - np.trace(m) * within)
    variances = np.linalg.solve(expected, over).clip(0.0)
    omega = np.eye(len(y)) * within + sum(v * z @ z.T for v, z in zip(variances, zs, strict=True))
    inverse = np.linalg.inv(omega)
    bread = np.linalg.inv(x.T @ inverse @ x)
    b = bread @ x.T @ inverse @ y
    e = y - x @ b
    rss = e @ inverse @ e
    return within, variances, b, bread * rss / (len(y) - 3), rss * within, inverse


@pytest.mark.parametrize("missing", [0.0, 0.25])
@pytest.mark.parametrize("seed", range(3))
def test_components_slopes_and_errors_are_those_of_dense_matrices(missing, seed):
    frame = rows(missing=missing, seed=seed)
    within, (units, waves), b, v, rss, inverse = dense(frame)
    result = fit(frame)
    sigma = [result.stats[f"sigma_{k}"] for k in ("within", "between", "waves")]
    np.testing.assert_allclose(sigma, np.sqrt([within, units, waves]), rtol=1e-10)
    np.testing.assert_allclose(result.table["estimate"], b, rtol=1e-10)
    np.testing.assert_allclose(result.vcov, v, rtol=1e-9, atol=1e-14)
    assert result.stats["sigma"] ** 2 * (len(frame) - 3) == pytest.approx(rss, rel=1e-10)
    one, y = np.ones(len(frame)), frame["y"].to_numpy()
    e = y - one @ inverse @ y / (one @ inverse @ one)
    assert result.stats["r_squared"] == pytest.approx(
        1 - rss / within / (e @ inverse @ e), rel=1e-9
    )


@pytest.mark.parametrize("units", [0.0, 0.7, 1e6])
@pytest.mark.parametrize("waves", [0.0, 0.4, 1e4])
def test_weights_are_a_root_of_the_inverse_with_gaps_and_without(units, waves):
    frame = rows(9, 5, missing=0.3, seed=1)
    unit, wave = frame["unit"].to_numpy(), frame["wave"].to_numpy()
    found = Components(1.0, units, waves)
    root = Crossing.of(unit, wave).weighted(np.eye(len(frame)), found)
    zs = [pd.get_dummies(c).to_numpy(float) for c in (unit, wave)]
    omega = np.eye(len(unit)) + units * zs[0] @ zs[0].T + waves * zs[1] @ zs[1].T
    size = 1 + units + waves  # rounding grows with the largest variance
    np.testing.assert_allclose(root @ omega @ root.T, np.eye(len(unit)), atol=1e-13 * size)


def test_a_balanced_panel_is_quasi_demeaned():
    frame = rows(6, 4, missing=0.0)
    ratio = Components(1.0, 0.9, 0.3)
    x = frame["x"].to_numpy().reshape(6, 4)
    unit, wave, mean = x.mean(axis=1, keepdims=True), x.mean(axis=0, keepdims=True), x.mean()
    one, two, both = 1 / np.sqrt([1 + 4 * 0.9, 1 + 6 * 0.3, 1 + 4 * 0.9 + 6 * 0.3])
    classic = x - (1 - one) * unit - (1 - two) * wave + (1 - one - two + both) * mean
    rows_ = Crossing.of(frame["unit"].to_numpy(), frame["wave"].to_numpy())
    found = rows_.weighted(frame[["x"]].to_numpy(), ratio)
    np.testing.assert_allclose(found.reshape(6, 4), classic, atol=1e-14)


@pytest.mark.parametrize("vcov", ["CR0", "CR1", "CR2", "HC1"])
def test_robust_errors_of_a_balanced_panel_are_those_of_weighted_rows(vcov):
    frame = rows(missing=0.0, seed=4)
    result = fit(frame, vcov=vcov)
    found = Components(*(result.stats[f"sigma_{k}"] ** 2 for k in ("within", "between", "waves")))
    crossing = Crossing.of(frame["unit"].to_numpy(), frame["wave"].to_numpy())
    columns = np.column_stack([frame[["y", "x", "z"]], np.ones(len(frame))])
    y, x, z, one = crossing.weighted(columns, found).T
    made = frame.assign(y=y, x=x, z=z)
    assert np.ptp(one) < 1e-12  # so that least squares with a constant is GLS
    plain = fit(made, effects="pooled", vcov=vcov, **({} if vcov == "HC1" else {"cluster": "unit"}))
    at = ["x", "z"]
    np.testing.assert_allclose(result.vcov.loc[at, at], plain.vcov.loc[at, at], rtol=1e-9)


def test_neither_order_nor_labels_nor_origin_nor_scale_matter():
    frame = rows(seed=2)
    one = fit(frame)
    shuffled = frame.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(fit(shuffled).table[NUMBERS], one.table[NUMBERS], rtol=1e-9)
    named = frame.assign(unit=[f"store {(5 * u) % 14}" for u in frame["unit"]])
    pd.testing.assert_frame_equal(fit(named).table[NUMBERS], one.table[NUMBERS], rtol=1e-9)
    moved = frame.assign(y=10 * frame["y"] + 1e6, x=frame["x"] + 1e6)
    other = fit(moved)
    slopes = NUMBERS[:2]
    np.testing.assert_allclose(other.table[slopes][1:], 10 * one.table[slopes][1:], rtol=1e-6)
    assert other.stats["r_squared"] == pytest.approx(one.stats["r_squared"], rel=1e-7)


def test_variances_and_slopes_are_found():
    draws = [fit(rows(60, 12, 0.15, seed, sd=(1.0, 0.8))) for seed in range(30)]
    slope = np.array([d["x"]["estimate"] for d in draws])
    assert abs(slope.mean() - 0.5) < 3 * slope.std() / np.sqrt(len(slope))
    inside = [d["x"]["conf_low"] <= 0.5 <= d["x"]["conf_high"] for d in draws]
    assert np.mean(inside) >= 0.85
    for name, truth in (("within", 1.0), ("between", 1.0), ("waves", 0.64)):
        variance = np.array([d.stats[f"sigma_{name}"] ** 2 for d in draws])
        assert abs(variance.mean() - truth) < 3 * variance.std() / np.sqrt(len(variance))


def test_a_variance_of_zero_is_said():
    codes = {}
    for seed in range(20):
        result = fit(rows(20, 6, 0.1, seed, sd=(1.0, 0.0)))
        if result.stats["sigma_waves"] == 0:
            codes = {w.code: w.message for w in result.warnings}
            break
    assert "variance between waves is estimated at zero" in codes["boundary"]
    assert "effects of units alone" in codes["boundary"]


def test_without_wave_effects_it_weighs_as_random_effects_do():
    crossing = Crossing.of(*(rows()[c].to_numpy() for c in ("unit", "wave")))
    x = rows()[["x"]].to_numpy()
    found = Components(1.0, 0.6, 0.0)
    mean = rows().groupby("unit")["x"].transform("mean").to_numpy()
    size = rows().groupby("unit")["x"].transform("size").to_numpy()
    np.testing.assert_allclose(
        crossing.weighted(x, found)[:, 0], x[:, 0] - found.theta(size) * mean, rtol=1e-12
    )


def test_a_trend_alike_in_all_units_has_no_slope_between_them():
    frame = rows(missing=0.0, seed=5)
    random = fit(frame.assign(trend=frame["wave"]), "y ~ x + trend", effects="random")
    within = fit(frame.assign(trend=frame["wave"]), "y ~ x + trend", effects="within")
    # orthogonal to differences between units: its slope is the one within them
    assert np.isfinite(random["trend"]["std_error"])
    apart = fit(frame.assign(trend=frame["wave"]), "y ~ trend", effects="random")
    alone = fit(frame.assign(trend=frame["wave"]), "y ~ trend", effects="within")
    assert apart["trend"]["estimate"] == pytest.approx(alone["trend"]["estimate"], rel=1e-10)
    assert random.stats["n"] == within.stats["n"]


def test_defaults_words_and_other_verbs():
    result = fit(rows())
    assert (result.spec["vcov"], result.spec["cluster"]) == ("classical", None)
    assert set(result.table["level"]) == {
        "between units and waves, and within units over time, weighted"
    }
    assert "random unit and wave effects (Swamy-Arora)" in result.methods()
    result.plot()
    assert '"sigma_waves"' in result.to_json()
    assert result.to_latex().startswith("\\begin{tabular}")
    assert eecx.wald(result)["chi2"]["df"] == 2
    assert len(eecx.compare(result, fit(rows(), effects="random")).table)


def test_a_panel_with_clusters_of_its_own_keeps_classical_errors_unless_asked():
    frame = rows(missing=0.0).assign(region=lambda f: f["unit"] % 5)
    panel = eecx.Panel.from_frame(
        frame,
        unit="unit",
        wave="wave",
        employee=["x"],
        customer=["y"],
        covariates=["z", "region"],
    )
    panel = replace(panel, cluster="region")
    plain = eecx.regress(panel, "y ~ x + z", effects="random-two-way")
    assert plain.spec["vcov"] == "classical"
    asked = eecx.regress(panel, "y ~ x + z", effects="random-two-way", cluster="region")
    assert (asked.spec["vcov"], asked.stats["clusters"]) == ("CR2", 5)
    both = eecx.regress(panel, "y ~ x + z", effects="random-two-way", cluster=("unit", "wave"))
    each = eecx.regress(
        panel, "y ~ x + z", effects="random-two-way", cluster=("unit", "wave"), vcov="CR1-each"
    )
    for result in (both, each):
        assert result.stats["clusters"] == result.stats["clusters_second"] == 8
        assert result.stats["clusters_first"] == 14
    for result in (asked, both, each):
        np.testing.assert_allclose(result.table["estimate"], plain.table["estimate"], rtol=1e-12)


@pytest.mark.parametrize("vcov", ["CR0", "CR1", "CR2", "CR3", "HC1", "wild", "driscoll-kraay"])
def test_robust_errors_need_every_unit_in_every_wave(vcov):
    with pytest.raises(OptionError, match=r"14 units have 89 of 112 unit-waves.*vcov='classical'"):
        fit(rows(), vcov=vcov)
    assert np.isfinite(fit(rows(missing=0.0), vcov=vcov).table["std_error"]).all()


def test_what_cannot_be_told_is_an_error():
    frame = rows()
    with pytest.raises(OptionError, match="effects='random-two-way' needs wave="):
        eecx.regress(frame, "y ~ x", unit="unit", effects="random-two-way")
    cells = eecx.Moments.from_frame(frame, keys=["unit"], terms=["y", "x"])
    with pytest.raises(OptionError, match="Moments have no waves to weigh by"):
        eecx.regress(cells, "y ~ x", unit="unit", effects="random-two-way")
    with pytest.raises(DataError, match="3 waves for 3 parameters between waves: too few"):
        fit(frame[frame["wave"] < 3])
    with pytest.raises(DataError, match="too few to tell units and waves"):
        fit(frame[frame["wave"] == 0])
    exact = frame.assign(y=frame["unit"] + frame["wave"] ** 2 + 0.5 * frame["x"])
    with pytest.raises(DataError, match="reproduce the outcome exactly"):
        fit(exact)
    with pytest.raises(DataError, match="'y' is constant"):
        fit(frame.assign(y=1.0))
    with pytest.raises(DataError, match="'z' is constant"):
        fit(frame.assign(z=3.0))
    with pytest.raises(OptionError, match="'CR1-each' is for two kinds of clusters"):
        fit(frame, effects="pooled", vcov="CR1-each")
