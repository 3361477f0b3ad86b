"""Algebra that mixed models obey, and the input they refuse."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import linalg

import eecx
from eecx.agreement.answers import read_scores
from eecx.agreement.icc import variance_components
from eecx.mixed.likelihood import Held, newton
from eecx.mixed.random_effects import fit_mixed
from eecx.mixed.result import mixed_result
from eecx.moments import Moments
from eecx.sources import people

METHODS = ("reml", "ml")


def simulated(seed=1, units=25, rows=8, tau=0.6, slope=0.4):
    """Rows of units of unequal sizes; w differs between units alone."""
    rng = np.random.default_rng(seed)
    unit = np.repeat(np.arange(units), rng.integers(1, 2 * rows, units))
    n = len(unit)
    x, w = rng.normal(size=n) + rng.normal(size=units)[unit], rng.normal(size=units)[unit]
    b = rng.normal(size=(units, 2)) @ np.array([[tau, 0.2 * slope], [0, slope]])
    y = 1 + 0.5 * x - 0.3 * w + b[unit, 0] + b[unit, 1] * x + rng.normal(size=n)
    return pd.DataFrame({"unit": unit, "x": x, "w": w, "y": y})


def fit(frame, x=("x", "w"), random=(), y="y", **options):
    cells = Moments.from_frame(frame, keys=["unit"], terms=[*x, y])
    return fit_mixed(cells, y, x, random, unit="unit", **options)


def dense(frame, found, x):
    """Log-likelihood, beta and its covariance from the full n × n covariance of the rows."""
    ones = np.ones(len(frame))
    column = {"(intercept)": ones} | {name: frame[name].to_numpy() for name in x}
    z = np.column_stack([column[str(name)] for name in found.random])
    same = frame["unit"].to_numpy()[:, None] == frame["unit"].to_numpy()
    v = same * (z @ found.cov @ z.T) + found.sigma2 * np.eye(len(frame))
    design = np.column_stack([column[str(name)] for name in found.names])
    inverse = np.linalg.inv(v)
    bread = np.linalg.inv(design.T @ inverse @ design)
    beta = bread @ design.T @ inverse @ frame["y"].to_numpy()
    e = frame["y"].to_numpy() - design @ beta
    loglik = np.linalg.slogdet(v)[1] + e @ inverse @ e
    n = len(e)
    if found.method == "reml":
        loglik -= np.linalg.slogdet(bread)[1]
        n -= len(beta)
    weighed, unit = inverse @ e, frame["unit"].to_numpy()
    groups = [weighed * (unit == u) for u in found.units]
    blups = np.array([found.cov @ z.T @ g for g in groups])
    return -(loglik + n * np.log(2 * np.pi)) / 2, beta, bread, blups


SHAPES = {
    "intercept": {},
    "slope": {"random": ["x"]},
    "uncorrelated": {"random": ["x"], "covariance": "diagonal"},
    "slope alone": {"random": ["x"], "random_intercept": False},
    "no fixed intercept": {"random": ["x"], "intercept": False},
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", SHAPES)
def test_sums_give_what_the_full_covariance_of_rows_gives(shape, method):
    frame = simulated(3)
    found = fit(frame, method=method, **SHAPES[shape])
    loglik, beta, vcov, blups = dense(frame, found, ["x", "w"])
    np.testing.assert_allclose(found.loglik, loglik, rtol=1e-11)
    np.testing.assert_allclose(found.beta, beta, rtol=1e-9)
    np.testing.assert_allclose(found.vcov, vcov, rtol=1e-8, atol=1e-14)
    np.testing.assert_allclose(found.blups, blups, rtol=1e-8, atol=1e-12)
    # and no neighbour is likelier
    root = linalg.cholesky(found.cov, lower=True)
    for at in zip(*np.tril_indices(len(root)), strict=True):
        for change in (-0.02, 0.02):
            moved = root.copy()
            moved[at] += change
            if found.covariance == "diagonal" and at[0] != at[1]:
                continue
            other = replace(found, cov=moved @ moved.T)
            assert dense(frame, other, ["x", "w"])[0] < found.loglik


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("diagonal", [True, False])
@pytest.mark.parametrize("hold", ["nothing", "sigma", "variance"])
def test_derivatives_are_those_of_the_deviance(reml, diagonal, hold):
    found = fit(simulated(), random=["x"], covariance="diagonal" if diagonal else "unstructured")
    model = replace(found.model, reml=reml)
    held = {
        "nothing": None,
        "sigma": Held(None, 0.7),
        "variance": Held(np.array([0.4, -0.0 if diagonal else 1.0]), 0.3),
    }[hold]
    factor = np.diag([0.5, 0.8]) if diagonal else np.array([[0.5, 0.1], [-0.3, 0.8]])
    free = [(0, 0), (1, 1)] if diagonal else list(np.ndindex(2, 2))

    def value(f):
        point = model.at(f)
        return model.deviance(point, model.sigma2(point, f, held))

    def gradient(f):
        return model.profiled(model.at(f), f, held)[0]

    first, second = model.profiled(model.at(factor), factor, held)
    for k, place in enumerate(free):
        step = np.zeros((2, 2))
        step[place] = 1e-5
        slope = (value(factor + step) - value(factor - step)) / 2e-5
        np.testing.assert_allclose(first[k], slope, rtol=1e-6, atol=1e-6)
        bend = (gradient(factor + step) - gradient(factor - step)) / 2e-5
        np.testing.assert_allclose(second[k], bend, rtol=1e-6, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("covariance", ["unstructured", "diagonal"])
def test_every_start_leads_to_the_same_maximum(covariance):
    rng = np.random.default_rng(1)
    for seed in range(30):  # small units: many of these maxima lie on the boundary
        frame = simulated(seed, units=15, rows=3, tau=0.3, slope=0.2)
        found = fit(frame, random=["x"], covariance=covariance)
        model, least = found.model, found.model.best(found.factor)
        for _ in range(8):
            start = np.exp(rng.normal(size=(2, 2)))
            start = np.diag(np.diag(start)) if covariance == "diagonal" else start
            assert model.best(newton(model, start)[0]) > least - 1e-6


@pytest.mark.parametrize("method", METHODS)
def test_one_way_equals_variance_components_of_icc(method):
    frame = simulated(2)
    found = fit(frame, x=[], method=method)
    wanted = variance_components(read_scores(people(frame, "icc", unit="unit"), "y"), method)
    np.testing.assert_allclose([found.cov[0, 0], found.sigma2], wanted, rtol=1e-9)


def test_balanced_one_way_is_the_analysis_of_variance():
    rng = np.random.default_rng(1)
    values = rng.normal(size=(12, 6)) + rng.normal(size=(12, 1))
    frame = pd.DataFrame({"unit": np.repeat(np.arange(12), 6), "y": values.ravel()})
    found = fit(frame, x=[])
    msb, msw = 6 * values.mean(axis=1).var(ddof=1), values.var(axis=1, ddof=1).mean()
    np.testing.assert_allclose(found.sigma2, msw, rtol=1e-9)
    np.testing.assert_allclose(found.cov, (msb - msw) / 6, rtol=1e-8)
    np.testing.assert_allclose(found.df, 11, rtol=1e-8)
    np.testing.assert_allclose(found.vcov, msb / 72, rtol=1e-9)


def test_zero_variance_is_least_squares_and_says_so():
    rng = np.random.default_rng(1)
    frame = simulated(1, tau=0, slope=0)
    y = (
        frame["y"]
        - frame.groupby("unit")["y"].transform("mean")
        + 0.01 * rng.normal(size=len(frame))
    )
    frame["y"] = y
    found = fit(frame)
    wanted = eecx.regress(frame, "y ~ x + w", vcov="classical")
    assert [str(c) for c in found.zero] == ["(intercept)"]
    np.testing.assert_array_equal(found.cov, 0)
    np.testing.assert_allclose(found.beta, wanted.table["estimate"], rtol=1e-9)
    np.testing.assert_allclose(found.vcov, wanted.vcov, rtol=1e-9)
    np.testing.assert_allclose(found.df, wanted.table["df"], rtol=1e-9)
    result = mixed_result(found, "y ~ x + w")
    assert [w.code for w in result.warnings] == ["zero-variance"]
    assert "estimated at zero" in result.warnings[0].message
    first = result.tables["random_effects"].iloc[0]
    assert first["estimate"] == first["conf_low"] == 0 < first["conf_high"]
    assert (result.tables["blups"]["estimate"] == 0).all()


def test_random_effects_at_the_limit_of_their_correlation_are_said_aloud():
    fits = [fit(simulated(s, units=15, rows=3, slope=0.1), random=["x"]) for s in range(20)]
    seen = 0
    for found in fits:
        result = mixed_result(found, "y ~ x")
        rank = np.linalg.matrix_rank(found.cov, tol=1e-9)
        codes = {w.code for w in result.warnings}
        assert ("singular" in codes or "zero-variance" in codes) == (rank < 2) == found.singular
        assert "few-units" in codes
        assert np.isfinite(result.table["df"]).all()
        seen += "singular" in codes
    assert seen > 3


@pytest.mark.parametrize("random", [[], ["x"]])
def test_order_and_labels_do_not_matter(random):
    frame = simulated()
    found = fit(frame, random=random)
    mixed_up = frame.sample(frac=1, random_state=1)
    mixed_up["unit"] = "u" + (97 - mixed_up["unit"]).astype(str).str.zfill(3)
    other = fit(mixed_up, random=random)
    np.testing.assert_allclose(other.beta, found.beta, rtol=1e-9)
    np.testing.assert_allclose(other.cov, found.cov, rtol=1e-7)
    np.testing.assert_allclose(other.df, found.df, rtol=1e-7)
    np.testing.assert_allclose(other.blups[::-1], found.blups, rtol=1e-6, atol=1e-9)
    cells = Moments.from_frame(frame, keys=["unit", "row"], terms=["x", "w", "y"])
    rows = fit_mixed(cells, "y", ["x", "w"], random, unit="unit")
    np.testing.assert_allclose(rows.beta, found.beta, rtol=1e-9)
    np.testing.assert_allclose(rows.cov, found.cov, rtol=1e-7)


@pytest.mark.parametrize("random", [[], ["x"]])
def test_units_of_measurement_do_not_matter(random):
    frame = simulated()
    found = fit(frame, random=random)
    other = fit(
        frame.assign(x=frame["x"] * 1e4 + 3e8, w=frame["w"] / 1e3 + 7, y=frame["y"] * 1e3 - 1e6),
        random=random,
    )
    np.testing.assert_allclose(other.beta[1:], found.beta[1:] * [0.1, 1e6], rtol=1e-7)
    np.testing.assert_allclose(other.df[1:], found.df[1:], rtol=1e-6)
    np.testing.assert_allclose(other.sigma2, found.sigma2 * 1e6, rtol=1e-8)
    size = -1 if random else 0
    factor = 1e-2 if random else 1e6
    np.testing.assert_allclose(other.cov[size, size], found.cov[size, size] * factor, rtol=1e-6)
    shift = 3 * np.log(1e3) - np.log(1e4 / 1e3)  # REML: three columns less than rows
    wanted = found.loglik - len(frame) * np.log(1e3) + shift
    np.testing.assert_allclose(other.loglik, wanted, rtol=1e-9)


def test_within_between_and_contextual_models_are_one():
    frame = simulated()
    frame["b"] = frame.groupby("unit")["x"].transform("mean")
    frame["d"] = frame["x"] - frame["b"]
    split, context = fit(frame, ["d", "b"]), fit(frame, ["x", "b"])
    np.testing.assert_allclose(split.loglik, context.loglik, rtol=1e-12)
    np.testing.assert_allclose(split.beta[2] - split.beta[1], context.beta[2], rtol=1e-8)
    cells = Moments.from_frame(frame, keys=["unit"], terms=["x", "y"])
    within = eecx.regress(cells, "y ~ x", effects="within", unit="unit")["x"]["estimate"]
    np.testing.assert_allclose(split.beta[1], within, rtol=1e-8)
    assert split.levels == ("between units", "within units", "between units")
    assert context.levels[1] == "both"


def test_interval_ends_lie_where_the_deviance_is_a_chi_squared_quantile_higher():
    found = fit(simulated(), random=["x"])
    table = mixed_result(found, "y ~ x + w", conf_level=0.9).tables["random_effects"]
    row = table[(table["term"] == "x") & (table["quantity"] == "variance")].iloc[0]
    model = found.model
    w = model.sums.lift[1] / model.sums.scale
    for end in (row["conf_low"], row["conf_high"]):
        held = Held(w, end / model.sums.scale**2)
        factor = newton(model, np.eye(2), held)[0]
        point = model.at(factor)
        higher = model.deviance(point, model.sigma2(point, factor, held))
        np.testing.assert_allclose(higher - model.best(found.factor), 2.705543454, rtol=1e-6)


def test_result_is_complete():
    found = fit(simulated(), random=["x"])
    result = mixed_result(found, "y ~ x + w", spec={"data": "abc"})
    assert result.table["level"].tolist() == [
        "between units",
        "between and within units",
        "between units",
    ]
    np.testing.assert_array_equal(result.vcov, found.vcov)
    assert len(result.tables["blups"]) == 2 * len(found.units)
    effects = result.tables["random_effects"]
    assert effects["quantity"].tolist() == ["variance", "sd"] * 3 + ["correlation"]
    assert (effects["conf_low"] <= effects["estimate"]).all()
    assert (effects["estimate"] <= effects["conf_high"]).all()
    assert result.spec["data"] == "abc"
    assert 0 < result.stats["r2_marginal"] < result.stats["r2_conditional"] < 1
    assert "restricted maximum likelihood" in result.methods()
    assert result.to_json()


REFUSED = {
    "one row per unit": (lambda f: fit(f.drop_duplicates("unit")), "Every unit has one row"),
    "constant": (lambda f: fit(f.assign(x=1.0)), "'x' is constant over the"),
    "constant y": (lambda f: fit(f.assign(y=1.0)), "'y' is constant"),
    "collinear": (
        lambda f: fit(f.assign(v=f["x"] + f["w"]), ["x", "w", "v"]),
        "'v' is collinear: 'x', 'w' determine it",
    ),
    "too few units": (
        lambda f: fit(f[f["unit"] < 2], ["x"], ["x"]),
        "2 units are too few for 3 .co.variances",
    ),
    "as many columns as units": (
        lambda f: fit(f[f["unit"].isin([2, 4])], ["x", "w"]),
        "2 units are too few for 1 .co.variance of",
    ),
    "random term between units": (
        lambda f: fit(f, random=["w"]),
        "random slope of 'w' is not identified: the column is constant in every unit",
    ),
    "random term in others": (
        lambda f: fit(f.assign(v=f["x"] + f["w"]), ["x", "v"], ["x", "v"]),
        "random slope of 'v' is not identified: the column is a combination of 'x'",
    ),
    "no residual": (lambda f: fit(f.assign(y=f["w"] + 2 * f["x"])), "reproduce 'y' exactly"),
    "saturated": (
        lambda f: fit(f.groupby("unit").head(2), random=["x"]),
        "leave no degree of freedom",
    ),
    "strange random term": (lambda f: fit(f, ["x"], ["w"]), "'w' has no fixed slope"),
    "no random effect": (lambda f: fit(f, random_intercept=False), "No random effect"),
    "no fixed effect": (lambda f: fit(f, [], intercept=False), "no fixed effect"),
    "covariance": (lambda f: fit(f, covariance="full"), "covariance='full': accepted are"),
    "method": (lambda f: fit(f, method="REML"), "method='REML': accepted are 'reml', 'ml'"),
    "weights": (
        lambda f: fit_mixed(
            Moments.from_frame(f.assign(v=2.0), keys=["unit"], terms=["x", "y"], weight="v"),
            "y", ["x"], unit="unit",
        ),
        "take no weights",
    ),
    "no unit": (
        lambda f: fit_mixed(Moments.from_frame(f, terms=["x", "y"]), "y", ["x"], unit="unit"),
        "not kept by 'unit'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_is_refused_by_name(case):
    call, message = REFUSED[case]
    with pytest.raises(eecx.EecxError, match=message):
        call(simulated())
