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
    assert fit.spec["all_draws"]
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


def quasi_demeaned(frame, result, columns):
    """Take theta times the unit's mean off columns and off a constant, which comes first."""
    size = frame.groupby("g")["y"].transform("size")
    ratio = (result.stats["sigma_between"] / result.stats["sigma_within"]) ** 2
    theta = 1 - 1 / np.sqrt(1 + size * ratio)
    made = frame[columns].sub(frame.groupby("g")[columns].transform("mean").mul(theta, axis=0))
    return np.column_stack([1 - theta, made])


def wild(frame, text, **options):
    own = {"unit": "g", "wave": "t", "vcov": "wild", "wild": "rademacher"}
    return eecx.regress(frame, text, **own, **options)


@pytest.mark.parametrize("drift", [True, False])
def test_first_differences_are_taken_before_signs_are_drawn(drift):
    frame = rows(7, 4)
    frame = frame[(frame["t"] % 5 > 0) | (frame["g"] > 2)]  # with holes, which are not bridged
    fit = wild(frame, "y ~ x + z", effects="first-difference", drift=drift)
    moved = frame.groupby("g")[["t", "y", "x", "z"]].diff()
    step = moved["t"] == 1
    x = moved.loc[step, ["x", "z"]].to_numpy()
    x = np.column_stack([np.ones(len(x)), x]) if drift else x
    y, groups = moved.loc[step, "y"].to_numpy(), frame.loc[step, "g"].to_numpy()
    wanted = [refitted_p(x, y, groups, j) for j in range(x.shape[1])]
    assert fit.spec["all_draws"]
    np.testing.assert_allclose(fit.table["p_value"], wanted, atol=1e-12)


@pytest.mark.parametrize("cluster", ["g", "region"])
def test_between_units_signs_are_drawn_for_units_or_what_holds_them(cluster):
    units = 9 if cluster == "g" else 24
    frame = rows(units, 6).assign(region=lambda f: f["g"] % 8)
    fit = wild(frame, "y ~ x + z", effects="between", cluster=cluster)
    means = frame.groupby("g")[["y", "x", "z", "region"]].mean()
    x = np.column_stack([np.ones(units), means[["x", "z"]]])
    groups = means.index if cluster == "g" else means["region"]
    wanted = [refitted_p(x, means["y"].to_numpy(), groups.to_numpy(int), j) for j in range(3)]
    np.testing.assert_allclose(fit.table["p_value"], wanted, atol=1e-12)
    assert fit.stats["draws"] == 2 ** (9 if cluster == "g" else 8)


def test_random_effects_keep_their_weights_in_every_draw():
    frame = rows(8, 7)
    fit = wild(frame, "y ~ x + z", effects="random")
    one, y, x, z = quasi_demeaned(frame, fit, ["y", "x", "z"]).T
    assert np.ptp(one) > 0.01  # units have unequal numbers of waves
    design, groups = np.column_stack([one, x, z]), frame["g"].to_numpy()
    wanted = [refitted_p(design, y, groups, j) for j in range(3)]
    np.testing.assert_allclose(fit.table["p_value"], wanted, atol=1e-12)
    end = fit["x"]["conf_high"]
    assert refitted_p(design, y, groups, 1, end + 1e-6) < 0.05
    assert refitted_p(design, y, groups, 1, end - 1e-6) >= 0.05 - 1e-12


@pytest.mark.parametrize("method", ["ols", "gls"])
def test_slopes_within_and_between_units_and_their_difference(method):
    frame = rows(8, 8)
    fit = wild(frame, "y ~ x", effects="within-between", method=method)
    mean = frame.groupby("g")["x"].transform("mean")
    frame = frame.assign(mean=mean, within=frame["x"] - mean)
    columns = ["y", "x", "mean", "within"]
    if method == "gls":
        one, y, x, mean, within = quasi_demeaned(frame, fit, columns).T
    else:
        one, (y, x, mean, within) = np.ones(len(frame)), frame[columns].to_numpy().T
    groups = frame["g"].to_numpy()
    apart, mundlak = np.column_stack([one, within, mean]), np.column_stack([one, x, mean])
    # the contextual effect is the slope of the mean where x stands beside it
    wanted = [refitted_p(apart, y, groups, j) for j in range(3)]
    wanted.append(refitted_p(mundlak, y, groups, 2))
    levels = fit.table["level"].str.split(" ").str[0].tolist()
    assert levels == ["between", "within", "between", "contextual"]
    np.testing.assert_allclose(fit.table["p_value"], wanted, atol=1e-12)


def test_random_effects_of_units_and_waves_on_a_balanced_panel():
    rng = np.random.default_rng(9)
    units, waves = 7, 9
    g, t = np.divmod(np.arange(units * waves), waves)
    x = rng.normal(size=len(g)) + rng.normal(size=units)[g]
    y = 0.4 * x + rng.normal(size=units)[g] + rng.normal(size=waves)[t] + rng.normal(size=len(g))
    fit = wild(pd.DataFrame({"g": g, "t": t, "x": x, "y": y}), "y ~ x", effects="random-two-way")
    ratio = [
        (fit.stats[f"sigma_{k}"] / fit.stats["sigma_within"]) ** 2 for k in ("between", "waves")
    ]
    zs = np.eye(units)[g], np.eye(waves)[t]
    omega = np.eye(len(g)) + sum(r * z @ z.T for r, z in zip(ratio, zs, strict=True))
    values, vectors = np.linalg.eigh(omega)
    root = (vectors / np.sqrt(values)) @ vectors.T
    design = root @ np.column_stack([np.ones(len(g)), x])
    wanted = [refitted_p(design, root @ y, g, j) for j in range(2)]
    assert min(ratio) > 0
    np.testing.assert_allclose(fit.table["p_value"], wanted, atol=1e-12)


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


@pytest.mark.slow
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


def test_where_no_null_can_be_rejected_the_interval_has_no_ends():
    """Five clusters have 32 draws, two of which are the data's own: p is never below 1/16."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(200, 3)), columns=["x", "z", "y"])
    frame["y"] += frame["x"] + 0.1 * frame["z"]
    frame["g"] = rng.integers(5, size=200)
    fit = eecx.regress(frame, "y ~ x + z", cluster="g", vcov="wild", wild="rademacher")
    assert (fit.table["p_value"] >= 2 / 32).all()
    assert np.isinf(fit.table[["conf_low", "conf_high"]].to_numpy()).all()
    assert {"few-clusters", "few-draws"} <= {w.code for w in fit.warnings}
