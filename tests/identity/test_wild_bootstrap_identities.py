"""The restricted wild cluster bootstrap from sums is the one that refits rows."""

import itertools

import numpy as np
import pandas as pd
import pytest

import eecx
from eecx.errors import OptionError


def rows(clusters, seed=0, slope=0.2):
    rng = np.random.default_rng(seed)
    parts = []
    for g in range(clusters):
        n = int(rng.integers(8, 30))
        x = rng.normal(size=n) + rng.normal()
        y = slope * x + rng.normal() + rng.normal(size=n)
        parts.append(
            pd.DataFrame({"g": g, "t": np.arange(n), "x": x, "z": rng.normal(size=n), "y": y})
        )
    return pd.concat(parts, ignore_index=True)


def t_of(x, y, groups, j, null=0.0):
    bread = np.linalg.inv(x.T @ x)
    b = bread @ x.T @ y
    e = y - x @ b
    s = np.array([x[groups == g].T @ e[groups == g] for g in np.unique(groups)])
    v = bread @ (s.T @ s) @ bread
    return (b[j] - null) / np.sqrt(v[j, j])


def refitted_p(x, y, groups, j, null=0.0):
    """Enumerate all signs, refitting rows every time."""
    rest = np.delete(x, j, axis=1)
    under = y - null * x[:, j]
    b = np.linalg.lstsq(rest, under, rcond=None)[0]
    fitted, e = rest @ b + null * x[:, j], under - rest @ b
    own = abs(t_of(x, y, groups, j, null))
    signs = itertools.product([-1.0, 1.0], repeat=int(groups.max()) + 1)
    drawn = [abs(t_of(x, fitted + e * np.array(v)[groups], groups, j, null)) for v in signs]
    return float(np.mean(np.array(drawn) >= own * (1 - 1e-10)))


@pytest.mark.parametrize("seed", [0, 1])
def test_all_signs_give_the_p_of_refits(seed):
    frame = rows(7, seed)
    fit = eecx.regress(frame, "y ~ x + z", unit="g", wave="t", vcov="wild", wild="rademacher")
    x = np.column_stack([np.ones(len(frame)), frame[["x", "z"]]])
    y, groups = frame["y"].to_numpy(), frame["g"].to_numpy()
    wanted = [refitted_p(x, y, groups, j) for j in range(3)]
    np.testing.assert_allclose(fit.table["p_value"], wanted, atol=1e-12)
    assert fit.stats["all_draws"] == "yes"
    assert fit.stats["draws"] == 2**7


def test_within_effects_are_taken_out_of_rows_first():
    frame = rows(6, 3)
    fit = eecx.regress(
        frame, "y ~ x", unit="g", wave="t", effects="within", vcov="wild", wild="rademacher"
    )
    away = frame[["x", "y"]] - frame.groupby("g")[["x", "y"]].transform("mean")
    groups = frame["g"].to_numpy()
    wanted = refitted_p(away[["x"]].to_numpy(), away["y"].to_numpy(), groups, 0)
    assert fit["x"]["p_value"] == pytest.approx(wanted, abs=1e-12)


def test_an_end_of_the_interval_is_where_the_null_begins_to_be_rejected():
    frame = rows(9, 5)
    fit = eecx.regress(
        frame, "y ~ x", unit="g", wave="t", vcov="wild", wild="rademacher", conf_level=0.9
    )
    x = np.column_stack([np.ones(len(frame)), frame["x"]])
    y, groups = frame["y"].to_numpy(), frame["g"].to_numpy()
    for end, outward in ((fit["x"]["conf_low"], -1), (fit["x"]["conf_high"], 1)):
        assert refitted_p(x, y, groups, 1, end + outward * 1e-6) < 0.1
        assert refitted_p(x, y, groups, 1, end - outward * 1e-6) >= 0.1 - 1e-12


def test_draws_are_those_of_the_seed_and_errors_are_cr1():
    frame = rows(40, 2)
    one, two, other = (
        eecx.regress(frame, "y ~ x", unit="g", wave="t", vcov="wild", draws=999, rng=r)
        for r in (1, 1, 2)
    )
    pd.testing.assert_frame_equal(one.table, two.table)
    assert one["x"]["conf_low"] != other["x"]["conf_low"]
    cr1 = eecx.regress(frame, "y ~ x", unit="g", wave="t", vcov="CR1")
    np.testing.assert_allclose(one.table["std_error"], cr1.table["std_error"], rtol=1e-12)


def test_few_clusters_take_webbs_weights_and_two_signs_draw_a_warning():
    frame = rows(5)
    assert eecx.regress(frame, "y ~ x", unit="g", wave="t", vcov="wild").spec["wild"] == "webb"
    fit = eecx.regress(frame, "y ~ x", unit="g", wave="t", vcov="wild", wild="rademacher")
    assert "few-draws" in [w.code for w in fit.warnings]


def test_options():
    frame = rows(6)
    for options, text in (
        ({"draws": 10}, "draws=10: a whole number, at least 99"),
        ({"wild": "mammen"}, "wild='mammen': accepted are 'rademacher', 'webb'"),
    ):
        with pytest.raises(OptionError, match=text):
            eecx.regress(frame, "y ~ x", unit="g", wave="t", vcov="wild", **options)


def test_intervals_cover_with_ten_clusters_where_cr1_fails():
    rng = np.random.default_rng(11)
    hits = {"wild": 0, "CR1": 0, "CR2": 0}
    runs = 80
    for _ in range(runs):
        g = np.repeat(np.arange(10), 12)
        x = rng.normal(size=10)[g] + 0.5 * rng.normal(size=120)
        y = rng.normal(size=10)[g] + rng.normal(size=120)
        frame = pd.DataFrame({"g": g, "t": np.tile(np.arange(12), 10), "x": x, "y": y})
        for vcov in hits:
            fit = eecx.regress(frame, "y ~ x", unit="g", wave="t", vcov=vcov, draws=199)
            hits[vcov] += fit["x"]["conf_low"] <= 0 <= fit["x"]["conf_high"]
    share = {k: v / runs for k, v in hits.items()}
    assert share["CR1"] < share["CR2"]
    assert share["CR1"] < share["wild"]
    assert 0.89 <= share["wild"] <= 0.99
    assert 0.89 <= share["CR2"] <= 1.0
