"""Algebra of estimates taken together: combinations, stacked fits, joint tests, Romano-Wolf."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy import linalg

import eecx
from eecx import formula as grammar
from eecx.models.inference import estimates_of, fit_work
from eecx.models.joint import (
    chi2_test,
    combined,
    f_test,
    function,
    hotelling_test,
    romano_wolf_p,
    satterthwaite,
    stacked,
)
from eecx.models.prepare import prepare

KEYS = {"unit": "store", "wave": "quarter"}
CLUSTERED = ("CR0", "CR1", "CR1-areg", "CR1-plm", "CR2", "CR3")


def made(stores: int = 14, seed: int = 3) -> pd.DataFrame:
    """Return stores of unequal size, two outcomes that are related, and a region of stores."""
    rng = np.random.default_rng(seed)
    store = np.repeat(np.arange(stores), rng.integers(2, 8, stores))
    quarter = pd.Series(store).groupby(store).cumcount()
    x = rng.normal(size=stores)[store, None] + rng.normal(size=(len(store), 3))
    shared = rng.normal(size=stores)[store] + rng.normal(size=len(store))
    frame = pd.DataFrame(x, columns=["a", "b", "c"])
    frame["y"] = 0.4 * frame["a"] + shared + rng.normal(size=len(store))
    frame["z"] = 100 + 20 * (0.2 * frame["b"] + shared + rng.normal(size=len(store)))
    return frame.assign(store=[f"s{i}" for i in store], quarter=quarter)


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return made()


def fit(frame, formula="y ~ a + b + c", **options):
    return eecx.regress(frame, formula, **{**KEYS, **options})


def rows(result, *terms):
    """Return the rows of an identity matrix that pick terms."""
    at = [result.table["term"].tolist().index(t) for t in terms]
    return np.eye(len(result.table))[at]


# ---------------------------------------------------------------------- one fit


@pytest.mark.parametrize("vcov", CLUSTERED)
@pytest.mark.parametrize("effects", ["pooled", "within", "two-way", "within-between", "random"])
def test_the_cross_product_of_influences_is_the_covariance(frame, vcov, effects):
    found = fit(frame, effects=effects, vcov=vcov)
    own = found.estimates
    np.testing.assert_allclose(own.influence.T @ own.influence, found.vcov, rtol=1e-9, atol=1e-14)
    np.testing.assert_array_equal(own.values, found.table["estimate"])
    assert sorted(own.labels) == sorted(frame["store"].unique())
    assert (own.rule, own.cluster) == (vcov, "store")
    assert (own.spread is not None) == (vcov == "CR2")


@pytest.mark.parametrize("family", ["binomial", "poisson"])
def test_influences_of_families_make_their_covariance(frame, family):
    y = np.rint(np.exp(frame["y"] / 3)) if family == "poisson" else (frame["y"] > 0).astype(float)
    counts = frame.assign(y=y)
    found = fit(counts, family=family)
    psi = found.estimates.influence
    np.testing.assert_allclose(psi.T @ psi, found.vcov, rtol=1e-9)


@pytest.mark.parametrize(
    "options",
    [
        {"vcov": "classical"},
        {"vcov": "HC1"},
        {"vcov": "CR1", "cluster": ("store", "quarter")},
        {"effects": "mixed"},
    ],
)
def test_other_errors_have_no_influence_and_keep_their_covariance(frame, options):
    found = fit(frame, **options)
    own = found.estimates
    assert own.influence is None
    np.testing.assert_array_equal(own.covariance, found.vcov)
    assert stacked(own) is own


def test_degrees_of_freedom_of_combinations_are_those_of_the_spread(frame):
    found = fit(frame).estimates
    np.testing.assert_allclose(satterthwaite(found.spread()), found.df, rtol=1e-9)
    c = np.array([[0.0, 1.0, -1.0, 0.0], [0.0, 0.5, 0.5, 2.0]])
    one, two = found.spread(c), found.spread().combined(c)
    np.testing.assert_allclose(one.own, two.own, rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(satterthwaite(two), combined(found, c).df, rtol=1e-9)


def test_results_with_estimates_can_be_pickled(frame):
    one, other = fit(frame), pickle.loads(pickle.dumps(fit(frame)))
    pd.testing.assert_frame_equal(eecx.wald(one).table, eecx.wald(other).table)


@pytest.mark.parametrize("effects", ["pooled", "within", "two-way", "within-between"])
def test_of_one_slope_the_hotelling_test_is_the_t_test_squared(frame, effects):
    found = fit(frame, effects=effects)
    for row in found.table[[p != "intercept" for p in found.parts]].itertuples():
        test = eecx.wald(found, [(row.term, row.level)])["HTZ"]
        assert test["statistic"] == pytest.approx(row.statistic**2, rel=1e-9)
        assert test["df_denominator"] == pytest.approx(row.df, rel=1e-9)
        assert test["p_value"] == pytest.approx(row.p_value, rel=1e-8)


def test_of_one_contextual_effect_the_test_is_that_of_its_row(frame):
    found = fit(frame, "y ~ a", effects="within-between")
    row = found.row(term="a", level="contextual")
    assert found.stats["contextual_p"] == pytest.approx(row["p_value"], rel=1e-9)
    assert found.stats["contextual_f"] == pytest.approx(row["statistic"] ** 2, rel=1e-9)
    assert found.stats["contextual_df2"] == pytest.approx(row["df"], rel=1e-9)
    hausman = eecx.hausman(frame, "y ~ a", **KEYS)["HTZ"]
    assert hausman["p_value"] == pytest.approx(row["p_value"], rel=1e-9)


@pytest.mark.parametrize("effects", ["pooled", "within"])
def test_the_tests_do_not_depend_on_how_terms_are_written(frame, effects):
    """Other combinations of the same terms, in other units of measurement, test the same."""
    move = np.array([[1.0, 1.0, 0.0], [1.0, -2.0, 0.5], [0.0, 0.3, 1.0]]) * [1e-5, 1.0, 1e4]
    other = frame.assign(y=1e-3 * frame["y"] + 7)
    other[["a", "b", "c"]] = frame[["a", "b", "c"]].to_numpy() @ move
    one, two = (eecx.wald(fit(f, effects=effects)).table for f in (frame, other))
    columns = ["statistic", "df", "df_denominator", "p_value"]
    exact = one["term"].isin(["HTZ", "chi2"])
    np.testing.assert_allclose(one.loc[exact, columns], two.loc[exact, columns], rtol=1e-7)


def test_equal_slopes_are_tested_as_the_slope_of_their_difference(frame):
    """With a + b in place of a, equal slopes of a and b mean that b has none."""
    both = frame.assign(s=frame["a"] + frame["b"])
    equal = eecx.wald(fit(frame), ["a", "b"], equal=True)
    assert equal.title == "a = b"
    one = eecx.wald(fit(both, "y ~ s + b + c"), "b")
    for name in ("HTZ", "chi2"):
        assert equal[name]["p_value"] == pytest.approx(one[name]["p_value"], rel=1e-8)


def test_values_and_equal_say_what_is_tested(frame):
    found = fit(frame)
    assert eecx.wald(found, ["a", "b"], values={"a": 0.5}).title == "a = 0.5, b = 0"
    assert eecx.wald(found, ["a", "b"], values={"a": 0.5, "b": 0.5}).title == "a = b = 0.5"
    moved = eecx.wald(found, ["a", "b"], equal=True, values={"a": 0.5})
    assert moved.title == "a - 0.5 = b"
    lifted = frame.assign(y=frame["y"] - 0.5 * frame["a"])
    plain = eecx.wald(fit(lifted), ["a", "b"], equal=True)
    np.testing.assert_allclose(moved.table["p_value"], plain.table["p_value"], rtol=1e-8)
    assert moved.text.startswith("An approximate Hotelling test of a - 0.5 = b gave F(1, ")


def test_errors_that_are_not_cr2_have_f_and_chi2(frame):
    for options in ({"vcov": "CR1"}, {"vcov": "classical"}, {"effects": "mixed"}):
        found = eecx.wald(fit(frame, **options))
        assert found.table["term"].tolist() == ["F", "chi2"]
        assert found.text.startswith("A Wald test of a = b = c = 0 gave F(3, ")
        assert "tipton2015" not in found.references


# ---------------------------------------------------------------------- combinations, functions


def test_functions_are_combinations_of_their_gradient(frame):
    own = fit(frame).estimates
    c = np.array([[0.0, 1.0, -1.0, 0.0], [0.0, 0.5, 0.5, 2.0]])
    one, two = combined(own, c), function(own, lambda v: c @ v, lambda v: c)
    for name in ("values", "covariance", "df", "influence"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    np.testing.assert_allclose(one.covariance, c @ own.covariance @ c.T, rtol=1e-9)
    ratio = function(
        own, lambda v: v[1] / v[2], lambda v: np.array([0, 1 / v[2], -v[1] / v[2] ** 2, 0])
    )
    slope = np.array([0, 1 / own.values[2], -own.values[1] / own.values[2] ** 2, 0])
    assert ratio.covariance[0, 0] == pytest.approx(slope @ own.covariance @ slope, rel=1e-9)


def test_what_has_no_error_has_none_in_combinations(frame):
    """What varies in one store alone has residuals of zero there: nothing tells its error."""
    alone = frame.assign(d=frame["quarter"] * (frame["store"] == "s3"))
    one, two = (fit(alone, f, effects="within").estimates for f in ("y ~ d", "y ~ a"))
    both = stacked(one, two)
    assert np.isnan(both.covariance[0]).all()
    found = combined(both, [[1.0, 0.0], [0.0, 1.0], [1.0, -1.0]])
    np.testing.assert_array_equal(np.isnan(np.diag(found.covariance)), [True, False, True])
    np.testing.assert_array_equal(np.isnan(found.df), [True, False, True])
    assert found.df[1] == pytest.approx(two.df[0], rel=1e-9)
    assert np.isnan(chi2_test(found).p_value)
    p, _ = romano_wolf_p(both, 99, "rademacher", np.random.default_rng(0))
    np.testing.assert_array_equal(np.isnan(p), [True, False])


# ---------------------------------------------------------------------- several fits


def dense(frame, formulas, weights):
    """Return difference, covariance and eta of stacked CR2 fits, all matrices written out."""
    blocks, residuals, sigmas, groups, slopes = [], [], [], [], []
    for response, terms, kept in formulas:
        own = frame[kept]
        x = np.column_stack([np.ones(len(own)), own[terms]])
        y = own[response].to_numpy()
        b = np.linalg.lstsq(x, y, rcond=None)[0]
        e = y - x @ b
        blocks.append(x)
        residuals.append(e)
        slopes.append(b)
        sigmas.append(np.full(len(y), np.sqrt(e @ e / (len(y) - x.shape[1]))))
        groups.append(own["store"].to_numpy())
    x = linalg.block_diag(*blocks)
    e, sigma, g, b = (np.concatenate(v) for v in (residuals, sigmas, groups, slopes))
    bread = np.linalg.inv(x.T @ x)
    hat = x @ bread @ x.T
    spread = np.diag(sigma**2) @ (np.eye(len(x)) - hat)
    names = np.unique(g)
    weight = []
    for name in names:
        at = g == name
        values, vectors = np.linalg.eigh(np.eye(at.sum()) - hat[np.ix_(at, at)])
        half = vectors / np.sqrt(values) @ vectors.T
        weight.append(half @ x[at] @ bread @ weights.T)
    influence = np.stack([u.T @ e[g == name] for u, name in zip(weight, names, strict=True)])
    p = np.array(
        [
            [u.T @ spread[np.ix_(g == m, g == n)] @ w for w, n in zip(weight, names, strict=True)]
            for u, m in zip(weight, names, strict=True)
        ]
    )
    omega = sum(p[i, i] for i in range(len(names)))
    half = linalg.inv(linalg.sqrtm(omega).real)
    total, q = 0.0, len(weights)
    for i in range(len(names)):
        for j in range(len(names)):
            own = half @ p[i, j] @ half
            total += np.trace(own) ** 2 + np.trace(own @ own)
    return weights @ b, influence.T @ influence, q * (q + 1) / total


def test_stacked_fits_are_one_model_written_out(frame):
    """Two outcomes in other units and on other rows, one of which lacks two stores."""
    some = ~frame["store"].isin(["s2", "s9"])
    one, two = fit(frame, "y ~ a + b"), fit(frame[some], "z ~ a + b + c")
    weights = np.zeros((2, 7))
    weights[0, [1, 4]], weights[1, [2, 5]] = (20.0, -1.0), (20.0, -1.0)
    formulas = [("y", ["a", "b"], some | True), ("z", ["a", "b", "c"], some)]
    values, covariance, eta = dense(frame, formulas, weights)
    found = combined(stacked(one.estimates, two.estimates), weights)
    np.testing.assert_allclose(found.values, values, rtol=1e-9)
    np.testing.assert_allclose(found.covariance, covariance, rtol=1e-9)
    test = hotelling_test(found)
    assert test.df_denominator == pytest.approx(eta - 1, rel=1e-9)
    statistic = (eta - 1) / (2 * eta) * values @ np.linalg.solve(covariance, values)
    assert test.statistic == pytest.approx(statistic, rel=1e-9)


def test_stacked_fits_of_two_halves_are_one_fit_of_both(frame):
    """CR0 of a difference between two sets of rows is that of the interaction in one fit."""
    half = frame.assign(d=(frame["quarter"] % 2).astype(float))
    parts = [half[half["d"] == k] for k in (0, 1)]
    first, second = (eecx.regress(p, "y ~ a", unit="store", vcov="CR0") for p in parts)
    whole = eecx.regress(half, "y ~ a * d", **KEYS, vcov="CR0")
    row = eecx.compare(second, first).tables["equality"].iloc[0]
    assert row["estimate"] == pytest.approx(whole["a:d"]["estimate"], rel=1e-9)
    assert row["std_error"] == pytest.approx(whole["a:d"]["std_error"], rel=1e-9)
    assert row["test"] == "F"


def test_a_fit_does_not_differ_from_itself(frame):
    one = fit(frame).estimates
    k = len(one.values)
    both = stacked(one, one)
    np.testing.assert_allclose(both.covariance[:k, k:], one.covariance, rtol=1e-9)
    gap = combined(both, np.hstack([np.eye(k), -np.eye(k)]))
    np.testing.assert_array_equal(gap.values, 0)
    assert np.isnan(np.diag(gap.covariance)).all()
    assert np.isnan(f_test(gap).p_value)
    assert np.isnan(hotelling_test(gap).p_value)
    found = eecx.compare(fit(frame), fit(frame))
    assert (found.tables["equality"]["estimate"] == 0).all()
    assert found.tables["equality"]["p_value"].isna().all()
    assert "too-few-clusters" in [w.code for w in found.warnings]


def test_units_of_measurement_and_order_do_not_matter_to_stacked_fits(frame):
    other = frame.assign(z=1e4 * frame["z"], a=1e3 * frame["a"]).sample(frac=1, random_state=1)
    tests = []
    for data, unit in ((frame, 1.0), (other, 1e4)):
        one, two = fit(data, "y ~ a + b"), fit(data, "z ~ a + b")
        both = stacked(one.estimates, two.estimates)
        c = np.zeros((2, 6))
        c[[0, 1], [1, 2]], c[[0, 1], [4, 5]] = 20.0, -1 / unit
        tests.append(hotelling_test(combined(both, c)))
    assert tests[0].statistic == pytest.approx(tests[1].statistic, rel=1e-8)
    assert tests[0].df_denominator == pytest.approx(tests[1].df_denominator, rel=1e-8)


def test_equality_of_three_fits_is_one_joint_test(frame):
    fits = [fit(frame, f) for f in ("y ~ a", "y ~ a + b", "y ~ a + b + c")]
    table = eecx.compare(*fits, names=["one", "two", "three"]).tables["equality"]
    assert table["term"].tolist() == ["a", "b"]
    assert table["models"].tolist() == ["one, two, three", "two, three"]
    assert table["df"].tolist() == [2, 1]
    assert table["estimate"].isna().tolist() == [True, False]
    assert (table["test"] == "HTZ").all()
    pair = eecx.compare(*fits[1:]).tables["equality"]
    np.testing.assert_allclose(
        table.iloc[1]["statistic":"df_denominator"].astype(float),
        pair.iloc[1]["statistic":"df_denominator"].astype(float),
    )


def test_row_five_compares_rows_three_and_four(frame):
    sim = eecx.simulate.panel(units=25, waves=5, missing=0.1, same_wave=0.3, rng=4)
    keys = {"unit": "unit", "wave": "wave"}
    panel = eecx.Panel.from_frame(sim.frame, **keys, employee=["ex"], customer=["cx"])
    ladder = eecx.examine_claim(panel, x="ex", y="cx").ladder.set_index("row")
    both = sim.frame.dropna(subset=["ex", "cx"])
    ratio = both["ex"].std() / both["cx"].std()
    forward = eecx.regress(panel, "cx ~ lag(ex) + lag(cx) + C(wave)")
    back = eecx.regress(panel, "ex ~ lag(cx) + lag(ex) + C(wave)")
    c = np.hstack([ratio * rows(forward, "lag(ex)"), -rows(back, "lag(cx)") / ratio])
    gap = combined(stacked(forward.estimates, back.estimates), c)
    assert ladder.loc[5, "estimate"] == pytest.approx(gap.values[0], rel=1e-9)
    assert ladder.loc[5, "std_error"] == pytest.approx(np.sqrt(gap.covariance[0, 0]), rel=1e-9)
    assert ladder.loc[5, "df"] == pytest.approx(gap.df[0], rel=1e-8)


# ---------------------------------------------------------------------- Romano and Wolf


def by_hand(t, single, psi, signs):
    """Return step-down p values, one estimate and one draw after another."""
    g = len(psi)
    drawn = np.zeros((len(signs), len(t)))
    for b, v in enumerate(signs):
        for j in range(len(t)):
            each = v * psi[:, j]
            drawn[b, j] = abs(each.mean()) / (each.std(ddof=1) / np.sqrt(g))
    p, left, before = np.zeros(len(t)), list(range(len(t))), 0.0
    while left:
        j = max(left, key=lambda i: t[i])
        hits = sum(drawn[b, left].max() >= t[j] * (1 - 1e-10) for b in range(len(signs)))
        before = p[j] = max((1 + hits) / (1 + len(signs)), single[j], before)
        left.remove(j)
    return p


@pytest.mark.parametrize(("stores", "kind"), [(9, "webb"), (14, "rademacher")])
def test_step_down_p_values_are_those_found_by_hand(stores, kind):
    data = made(stores, seed=8)
    fits = [fit(data, f, vcov="CR1") for f in ("y ~ a + b", "z ~ a + b + c")]
    own = combined(stacked(*(f.estimates for f in fits)), np.delete(np.eye(7), [0, 3], axis=0))
    found, drawn = romano_wolf_p(own, 399, kind, np.random.default_rng(5))
    assert drawn == 399
    values = np.sqrt([1.5, 1.0, 0.5, 0.5, 1.0, 1.5]) * [-1, -1, -1, 1, 1, 1]
    values = values if kind == "webb" else np.array([-1.0, 1.0])
    signs = values[np.random.default_rng(5).integers(len(values), size=(399, stores))]
    t = np.abs(own.values / np.sqrt(np.diag(own.covariance)))
    single = np.concatenate([f.table["p_value"].to_numpy()[1:] for f in fits])
    np.testing.assert_allclose(found, by_hand(t, single, own.influence, signs), rtol=1e-12)
    table = eecx.romano_wolf(*fits, draws=399, rng=np.random.default_rng(5)).table
    np.testing.assert_allclose(table["adjusted_p_value"], found, rtol=1e-12)


def test_adjusted_p_values_are_ordered_and_above_the_plain_ones(frame):
    fits = [fit(frame, f) for f in ("y ~ a + b + c", "z ~ a + b + c")]
    table = eecx.romano_wolf(*fits, names=["y", "z"]).table
    assert table["model"].tolist() == ["y"] * 3 + ["z"] * 3
    assert (table["adjusted_p_value"] >= table["p_value"]).all()
    assert (table["adjusted_p_value"] <= 1).all()
    ordered = table.sort_values("p_value")["adjusted_p_value"]
    assert ordered.is_monotonic_increasing
    again = eecx.romano_wolf(*fits, names=["y", "z"]).table
    pd.testing.assert_frame_equal(table, again)
    holm = np.sort(table["p_value"]) * [6, 5, 4, 3, 2, 1]
    assert ordered.iloc[0] <= 1.2 * holm[0]


def test_twice_the_same_slope_costs_nothing(frame):
    one, two = fit(frame, "y ~ a"), fit(frame.assign(y=5 * frame["y"]), "y ~ a")
    alone = eecx.romano_wolf(one).table["adjusted_p_value"]
    both = eecx.romano_wolf(one, two).table["adjusted_p_value"]
    np.testing.assert_allclose(both, alone.iloc[0], rtol=1e-12)


# ---------------------------------------------------------------------- the numerics


def test_prepared_models_and_results_have_the_same_estimates(frame):
    model = grammar.parse("y ~ a + b + c")
    work = prepare(frame, model, "pooled", unit="store", wave="quarter", vcov="CR2")
    own, result = estimates_of(work, fit_work(work), "CR2"), fit(frame).estimates
    np.testing.assert_array_equal(own.values, result.values)
    np.testing.assert_allclose(own.influence, result.influence, rtol=1e-12)


def test_a_slope_whose_p_is_too_small_for_a_double_is_beyond_all_draws():
    rng = np.random.default_rng(3)
    n = 3000
    frame = pd.DataFrame({"unit": np.repeat(np.arange(600), 5), "x": rng.normal(size=n)})
    frame["sure"] = 50 * frame["x"] + rng.normal(size=n)
    frame["none"] = rng.normal(size=n)
    fits = [eecx.regress(frame, f"{y} ~ x", unit="unit") for y in ("sure", "none")]
    found = eecx.romano_wolf(*fits, terms=["x"], draws=499)
    assert fits[0]["x"]["p_value"] == 0
    adjusted = found.table["adjusted_p_value"].to_numpy()
    assert adjusted[0] == pytest.approx(1 / 500)
    alone = eecx.romano_wolf(fits[1], terms=["x"], draws=499).table["adjusted_p_value"].iloc[0]
    assert adjusted[1] == pytest.approx(alone, abs=0.03)


def test_slopes_of_samples_apart_differ_with_the_degrees_of_freedom_of_welch():
    rng = np.random.default_rng(5)
    fits = []
    for g, size, tau in ((6, 30, 2.0), (40, 3, 0.0)):
        unit = np.repeat(np.arange(g), size)
        x = rng.normal(size=g)[unit] + 0.3 * rng.normal(size=g * size)
        y = tau * rng.normal(size=g)[unit] + rng.normal(size=g * size)
        frame = pd.DataFrame({"unit": [f"{size}-{u}" for u in unit], "x": x, "y": y})
        fits.append(eecx.regress(frame, "y ~ x", unit="unit"))
    (v1, v2), (df1, df2) = np.transpose([(f["x"]["std_error"] ** 2, f["x"]["df"]) for f in fits])
    found = eecx.compare(*fits).tables["equality"]
    row = found[found["term"] == "x"].iloc[0]
    welch = (v1 + v2) ** 2 / (v1**2 / df1 + v2**2 / df2)
    np.testing.assert_allclose(row["std_error"] ** 2, v1 + v2, rtol=1e-9)
    np.testing.assert_allclose(
        row["df_denominator" if "df_denominator" in row else "df"], welch, rtol=1e-6
    )
