"""predict() agrees with statsmodels, with brute force, and with the model refitted about x.

The last holds for every model and every error: with the predictors counted from x, the intercept
is the expected outcome at x, and its error and degrees of freedom are those of the prediction.
"""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from scipy import stats

import eecx

KEYS = {"unit": "unit", "wave": "wave"}
NUMBERS = ["estimate", "std_error", "df", "conf_low", "conf_high"]
X, Z = 3.4, 21.0


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(4)
    units, waves = 24, 5
    unit = np.repeat(np.arange(units), waves)
    own = rng.normal(size=units)[unit]
    x = 3.5 + 0.4 * own + 0.4 * rng.normal(size=len(unit))
    z = 20 + 4 * rng.normal(size=len(unit))
    y = 2 + 5 * x + 0.3 * z + 2 * own + rng.normal(size=len(unit)) * (1 + 0.3 * x)
    region = np.array(["North", "South", "West"])[unit % 3]
    made = pd.DataFrame(
        {"unit": unit, "wave": np.tile(np.arange(waves), units), "x": x, "z": z, "y": y}
    )
    made["region"] = region
    return made.drop(index=[3, 17, 55, 90]).reset_index(drop=True)


AT = pd.DataFrame(
    {"x": [3.0, 3.4, 4.1], "z": [18.0, 21.0, 25.0], "region": ["North", "West", "South"]}
)
FORMULA = "y ~ x + z + I(x^2) + x:z + C(region)"
PEER = "y ~ x + z + I(x**2) + x:z + C(region)"


# ---------------------------------------------------------------------- statsmodels


@pytest.mark.parametrize("vcov", ["classical", "HC0", "HC1", "HC2", "HC3"])
def test_pooled_is_statsmodels_get_prediction(frame, vcov):
    kind = "nonrobust" if vcov == "classical" else vcov
    peer = smf.ols(PEER, frame).fit(cov_type=kind, use_t=True).get_prediction(AT)
    wanted = peer.summary_frame(alpha=0.1)
    fit = eecx.regress(frame, FORMULA, vcov=vcov)
    mean = fit.predict(AT, conf_level=0.9).table
    for ours, theirs in (
        ("estimate", "mean"),
        ("std_error", "mean_se"),
        ("conf_low", "mean_ci_lower"),
        ("conf_high", "mean_ci_upper"),
    ):
        np.testing.assert_allclose(mean[ours], wanted[theirs], rtol=1e-9)
    new = fit.predict(AT, interval="new", conf_level=0.9).table
    np.testing.assert_allclose(new["std_error"], peer.se_obs, rtol=1e-9)
    np.testing.assert_allclose(new["conf_low"], wanted["obs_ci_lower"], rtol=1e-9)
    np.testing.assert_allclose(new["conf_high"], wanted["obs_ci_upper"], rtol=1e-9)


def test_pooled_with_clusters_is_statsmodels(frame):
    groups = {"groups": frame["unit"]}
    peer = smf.ols(PEER, frame).fit(cov_type="cluster", cov_kwds=groups, use_t=True)
    wanted = peer.get_prediction(AT)
    table = eecx.regress(frame, FORMULA, **KEYS, vcov="CR1").predict(AT).table
    np.testing.assert_allclose(table["estimate"], wanted.predicted_mean, rtol=1e-9)
    np.testing.assert_allclose(table["std_error"], wanted.se_mean, rtol=1e-9)
    assert (table["df"] == 23).all()
    reach = stats.t.ppf(0.975, 23) * wanted.se_mean
    np.testing.assert_allclose(table["conf_high"], wanted.predicted_mean + reach, rtol=1e-9)


def test_between_is_statsmodels_on_unit_means(frame):
    means = frame.groupby("unit").agg({"y": "mean", "x": "mean", "z": "mean", "region": "first"})
    wanted = smf.ols("y ~ x + z + C(region)", means).fit().get_prediction(AT).summary_frame()
    fit = eecx.regress(frame, "y ~ x + z + C(region)", **KEYS, effects="between", vcov="classical")
    mean, new = fit.predict(AT).table, fit.predict(AT, interval="new").table
    np.testing.assert_allclose(mean["conf_low"], wanted["mean_ci_lower"], rtol=1e-9)
    np.testing.assert_allclose(mean["std_error"], wanted["mean_se"], rtol=1e-9)
    np.testing.assert_allclose(new["conf_low"], wanted["obs_ci_lower"], rtol=1e-9)
    np.testing.assert_allclose(new["conf_high"], wanted["obs_ci_upper"], rtol=1e-9)


@pytest.mark.parametrize("effects", ["within", "two-way"])
def test_differences_are_contrasts_of_the_regression_with_dummies(frame, effects):
    dummies = " + C(unit)" + (" + C(wave)" if effects == "two-way" else "")
    peer = smf.ols(f"y ~ x + z + x:z{dummies}", frame).fit(cov_type="HC1", use_t=True)
    x1, z1, x0, z0 = np.array([3.0, 4.0]), np.array([18.0, 25.0]), 3.5, 20.0
    contrast = np.zeros((2, len(peer.params)))
    for name, move in (("x", x1 - x0), ("z", z1 - z0), ("x:z", x1 * z1 - x0 * z0)):
        contrast[:, list(peer.params.index).index(name)] = move
    wanted = peer.t_test(contrast)
    fit = eecx.regress(frame, "y ~ x + z + x:z", **KEYS, effects=effects, vcov="HC1")
    found = fit.predict({"x": x1, "z": z1}, reference={"x": x0, "z": z0})
    np.testing.assert_allclose(found.table["estimate"], wanted.effect, rtol=1e-8)
    np.testing.assert_allclose(found.table["std_error"], wanted.sd, rtol=1e-8)
    ends = wanted.conf_int()
    np.testing.assert_allclose(found.table["conf_low"], ends[:, 0], rtol=1e-8)
    assert found.tables["reference"]["z"].tolist() == [20.0, 20.0]


FAMILIES = {"binomial": "yes", "fractional": "share", "poisson": "count"}


@pytest.fixture(scope="module")
def outcomes(frame):
    rng = np.random.default_rng(9)
    eta = 0.8 * (frame["x"] - 3.5) + 0.05 * (frame["z"] - 20)
    share = 1 / (1 + np.exp(-eta))
    return frame.assign(
        yes=(rng.random(len(frame)) < share).astype(float),
        share=(share + 0.1 * rng.normal(size=len(frame))).clip(0, 1),
        count=rng.poisson(np.exp(eta)).astype(float),
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_families_are_statsmodels_get_prediction(outcomes, family):
    y = FAMILIES[family]
    kind = sm.families.Poisson() if family == "poisson" else sm.families.Binomial()
    peer = smf.glm(f"{y} ~ x + z", outcomes, family=kind).fit(
        cov_type="cluster", cov_kwds={"groups": outcomes["unit"]}, tol=1e-12
    )
    fit = eecx.regress(outcomes, f"{y} ~ x + z", **KEYS, family=family)
    at = AT[["x", "z"]]
    table = fit.predict(at).table
    wanted = peer.get_prediction(at)
    frame = wanted.summary_frame()
    np.testing.assert_allclose(table["estimate"], frame["mean"], rtol=1e-8)
    np.testing.assert_allclose(table["std_error"], frame["mean_se"], rtol=1e-6)
    # statsmodels takes normal quantiles: ours are t with clusters - 1
    line = peer.get_prediction(at, which="linear")
    for sign, column in ((-1, "conf_low"), (1, "conf_high")):
        ends = line.predicted + sign * stats.t.ppf(0.975, 23) * line.se
        back = np.exp(ends) if family == "poisson" else 1 / (1 + np.exp(-ends))
        np.testing.assert_allclose(table[column], back, rtol=1e-7)
        normal = line.predicted + sign * stats.norm.ppf(0.975) * line.se
        back = np.exp(normal) if family == "poisson" else 1 / (1 + np.exp(-normal))
        name = "mean_ci_lower" if sign < 0 else "mean_ci_upper"
        np.testing.assert_allclose(frame[name], back, rtol=1e-7)


@pytest.mark.parametrize("family", FAMILIES)
def test_differences_of_families_are_the_delta_method(outcomes, family):
    fit = eecx.regress(outcomes, f"{FAMILIES[family]} ~ x + z", **KEYS, family=family)
    beta, v = fit.table["estimate"].to_numpy(), fit.vcov.to_numpy()
    one, other = np.array([1, 4.0, 25.0]), np.array([1, 3.0, 18.0])

    def gap(b):
        mean = np.exp if family == "poisson" else lambda eta: 1 / (1 + np.exp(-eta))
        return mean(one @ b) - mean(other @ b)

    step = 1e-5 * np.sqrt(np.diag(v))
    slope = [
        (gap(beta + e) - gap(beta - e)) / (2 * s) for e, s in zip(np.diag(step), step, strict=True)
    ]
    row = fit.predict({"x": 4.0, "z": 25.0}, reference={"x": 3.0, "z": 18.0}).table.iloc[0]
    assert row["estimate"] == pytest.approx(gap(beta), rel=1e-12)
    assert row["std_error"] == pytest.approx(np.sqrt(slope @ v @ slope), rel=1e-7)


# ---------------------------------------------------------------------- refitted about x


LEVELS = [
    ("pooled", {}),
    ("pooled", {"vcov": "CR3"}),
    ("pooled", {"vcov": "CR0"}),
    ("pooled", {"vcov": "newey-west"}),
    ("pooled", {"vcov": "driscoll-kraay"}),
    ("pooled", {"cluster": ("unit", "wave")}),
    ("between", {}),
    ("random", {}),
    ("random", {"vcov": "classical"}),
    ("mixed", {}),
    ("mixed", {"method": "ml"}),
    ("mixed", {"random": "1 + x"}),
]


@pytest.mark.parametrize(("effects", "options"), LEVELS)
def test_it_is_the_intercept_of_the_model_counted_from_x(frame, effects, options):
    fit = eecx.regress(frame, "y ~ x + z", **KEYS, effects=effects, **options)
    again = eecx.regress(
        frame.assign(x=frame["x"] - X, z=frame["z"] - Z),
        "y ~ x + z",
        **KEYS,
        effects=effects,
        **options,
    )
    row = fit.predict({"x": X, "z": Z}).table.iloc[0]
    wanted = again["(intercept)"]
    rtol = 2e-6 if effects == "mixed" else 1e-8  # the likelihood's search ends within that
    np.testing.assert_allclose(
        row[NUMBERS].to_numpy(float), wanted[NUMBERS].to_numpy(float), rtol=rtol
    )


@pytest.mark.parametrize("method", ["gls", "ols", "reml"])
def test_within_between_is_counted_from_the_usual_and_the_distance(frame, method):
    options = {**KEYS, "effects": "within-between", "method": method}
    fit = eecx.regress(frame, "y ~ x + C(region)", **options)
    again = eecx.regress(frame.assign(x=frame["x"] - X), "y ~ x + C(region)", **options)
    usual = {"x (between)": X, "x (within)": 0.0, "region": "North"}
    row = fit.predict(usual).table.iloc[0]
    np.testing.assert_allclose(
        row[NUMBERS].to_numpy(float), again["(intercept)"][NUMBERS].to_numpy(float), rtol=1e-6
    )
    moved = fit.predict({"x (within)": 0.5}, reference={"x (within)": 0.0}).table.iloc[0]
    slope = fit.table[
        (fit.table["term"] == "x") & (fit.table["level"] == "within units over time")
    ].iloc[0]
    assert moved["estimate"] == pytest.approx(0.5 * slope["estimate"], rel=1e-12)
    assert moved["std_error"] == pytest.approx(0.5 * slope["std_error"], rel=1e-9)
    assert moved["df"] == pytest.approx(slope["df"], rel=1e-9)


def test_a_product_with_what_is_fixed_in_units_follows_from_the_parts(frame):
    north = (frame["region"] == "North").astype(float)
    data = frame.assign(north=north)
    fit = eecx.regress(data, "y ~ x*north", **KEYS, effects="within-between", method="ols")
    mean = data.groupby("unit")["x"].transform("mean")
    columns = {"xw": data["x"] - mean, "xb": mean, "north": north}
    columns |= {"nxw": north * columns["xw"], "nxb": north * columns["xb"]}
    peer = sm.OLS(data["y"], sm.add_constant(pd.DataFrame(columns))).fit()
    found = fit.predict({"x (within)": 0.3, "x (between)": 3.4, "north": [1, 0]}).table
    wanted = [peer.predict([[1, 0.3, 3.4, n, n * 0.3, n * 3.4]])[0] for n in (1, 0)]
    np.testing.assert_allclose(found["estimate"], wanted, rtol=1e-9)


@pytest.mark.parametrize("effects", ["within", "two-way", "first-difference", "pooled", "random"])
def test_a_step_of_one_is_the_slope_with_its_degrees_of_freedom(frame, effects):
    fit = eecx.regress(frame, "y ~ x + z", **KEYS, effects=effects)
    row = fit.predict({"x": 4.0}, reference={"x": 3.0}).table.iloc[0]
    np.testing.assert_allclose(
        row[NUMBERS].to_numpy(float), fit["x"][NUMBERS].to_numpy(float), rtol=1e-9
    )


def test_levels_differ_by_the_difference(frame):
    fit = eecx.regress(frame, FORMULA, **KEYS)
    base = {"x": 3.5, "z": 20.0, "region": "South"}
    levels = fit.predict(AT).table["estimate"] - fit.predict(base).table["estimate"].iloc[0]
    both = fit.predict(AT, reference=base).table["estimate"]
    np.testing.assert_allclose(both, levels, rtol=1e-9, atol=1e-12)
    alone = fit.predict(AT, reference=AT).table
    assert (alone[["estimate", "std_error", "conf_low", "conf_high"]] == 0).all(axis=None)


def test_neither_order_nor_blocks_of_rows_matter(frame):
    fit = eecx.regress(frame, "y ~ x + z", **KEYS)
    at = pd.DataFrame({"x": np.linspace(3, 4, 600), "z": np.linspace(15, 25, 600)})
    whole = fit.predict(at).table[NUMBERS]
    turned = fit.predict(at.iloc[::-1]).table[NUMBERS].iloc[::-1].reset_index(drop=True)
    np.testing.assert_allclose(whole, turned, rtol=1e-10)


# ---------------------------------------------------------------------- a new observation


def test_a_new_unit_adds_both_variances(frame):
    at = {"x": X, "z": Z}
    fit = eecx.regress(frame, "y ~ x + z", **KEYS, effects="random")
    mean, new = (fit.predict(at, interval=i).table.iloc[0] for i in ("mean", "new"))
    added = fit.stats["sigma_within"] ** 2 + fit.stats["sigma_between"] ** 2
    assert new["std_error"] ** 2 - mean["std_error"] ** 2 == pytest.approx(added, rel=1e-9)

    mixed = eecx.regress(frame, "y ~ x + z", **KEYS, effects="mixed", random="1 + x")
    parts = mixed.tables["random_effects"].set_index(["term", "with_term", "quantity"])["estimate"]
    a, b = parts["(intercept)", "", "variance"], parts["x", "", "variance"]
    r = parts["x", "(intercept)", "correlation"]
    of_unit = a + b * X**2 + 2 * X * r * np.sqrt(a * b)
    mean, new = (mixed.predict(at, interval=i).table.iloc[0] for i in ("mean", "new"))
    added = new["std_error"] ** 2 - mean["std_error"] ** 2
    assert added == pytest.approx(of_unit + parts["(residual)", "", "variance"], rel=1e-7)


def test_new_of_a_balanced_mixed_model_has_the_df_of_its_mean_squares():
    """y ~ 1: the variance of a new row is a sum of two mean squares, whose df are known."""
    rng = np.random.default_rng(5)
    units, waves = 15, 6
    y = np.repeat(2 * rng.normal(size=units), waves) + rng.normal(size=units * waves)
    data = pd.DataFrame({"unit": np.repeat(np.arange(units), waves), "y": y})
    data["wave"] = np.tile(np.arange(waves), units)
    table = y.reshape(units, waves)
    across = waves * table.mean(axis=1).var(ddof=1)
    inside = ((table - table.mean(axis=1, keepdims=True)) ** 2).sum() / (units * (waves - 1))
    # of the mean: across / (units waves); of a row: (across + (waves - 1) inside) / waves
    top = across / (units * waves) + across / waves
    rest = (waves - 1) / waves * inside
    wanted = (top + rest) ** 2 / (top**2 / (units - 1) + rest**2 / (units * (waves - 1)))
    fit = eecx.regress(data, "y ~ 1", **KEYS, effects="mixed")
    new = fit.predict({}, interval="new").table.iloc[0]
    assert new["estimate"] == pytest.approx(y.mean(), rel=1e-9)
    assert new["std_error"] ** 2 == pytest.approx(top + rest, rel=1e-6)
    assert new["df"] == pytest.approx(wanted, rel=1e-5)
    mean = fit.predict({}).table.iloc[0]
    assert mean["df"] == pytest.approx(units - 1, rel=1e-5)
