"""What each kind of weights must equal: rows written out, statsmodels' WLS, dummies, itself."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

import eecx

NUMBERS = ["estimate", "std_error", "df", "p_value", "conf_low", "conf_high"]


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(0)
    unit = np.repeat(np.arange(30), rng.integers(2, 7, 30))
    n = len(unit)
    made = pd.DataFrame({"unit": unit, "x": rng.normal(size=n) + 0.02 * unit})
    made["wave"] = made.groupby("unit").cumcount()
    made["w"] = rng.integers(1, 6, n).astype(float)
    made["v"] = rng.uniform(0.05, 1.0, n)
    made["y"] = 0.4 * made["x"] + rng.normal(size=30)[unit] + rng.normal(size=n)
    made["yes"] = (made["y"] > 0).astype(float)
    return made


def same(one, other, columns=NUMBERS, rtol=1e-9):
    np.testing.assert_allclose(
        one.table[columns].to_numpy(float), other.table[columns].to_numpy(float), rtol=rtol
    )


# ---------------------------------------------------------------------- frequencies


@pytest.mark.parametrize(
    ("effects", "options"),
    [
        ("pooled", {}),
        ("pooled", {"vcov": "HC3"}),
        ("pooled", {"vcov": "CR3"}),
        ("pooled", {"vcov": "wild", "draws": 199}),
        ("between", {}),
        ("within", {}),
        ("within", {"vcov": "HC2"}),
        ("random", {}),
        ("within-between", {}),
        ("mixed", {}),
        ("mixed", {"random": "1 + x"}),
    ],
)
def test_frequencies_are_rows_written_out(frame, effects, options):
    out = frame.loc[frame.index.repeat(frame["w"].astype(int))].reset_index(drop=True)
    one = eecx.regress(
        frame, "y ~ x", unit="unit", effects=effects, weights={"frequency": "w"}, **options
    )
    other = eecx.regress(out, "y ~ x", unit="unit", effects=effects, **options)
    columns = [c for c in NUMBERS if c != "df"] if options.get("vcov") == "wild" else NUMBERS
    same(one, other, columns, 1e-7 if effects == "mixed" else 1e-9)
    assert one.stats["n"] == other.stats["n"]


@pytest.mark.parametrize("unit", ["unit", None])
def test_frequencies_of_a_family_are_rows_written_out(frame, unit):
    out = frame.loc[frame.index.repeat(frame["w"].astype(int))].reset_index(drop=True)
    given = {"family": "binomial", "unit": unit}
    one = eecx.regress(frame, "yes ~ x", weights={"frequency": "w"}, **given)
    other = eecx.regress(out, "yes ~ x", **given)
    same(one, other)
    np.testing.assert_allclose(
        one.tables["marginal_effects"][NUMBERS], other.tables["marginal_effects"][NUMBERS]
    )


# ---------------------------------------------------------------------- weighted least squares


@pytest.mark.parametrize(
    ("kind", "vcov"),
    [
        ("precision", "classical"),
        *[(kind, f"HC{i}") for kind in ("precision", "sampling") for i in range(4)],
    ],
)
def test_weighted_rows_are_statsmodels_wls(frame, kind, vcov):
    fit = eecx.regress(frame, "y ~ x", weights={kind: "w"}, vcov=vcov)
    model = sm.WLS(frame["y"], sm.add_constant(frame["x"]), weights=frame["w"])
    other = model.fit(cov_type="nonrobust" if vcov == "classical" else vcov)
    np.testing.assert_allclose(fit.table["estimate"], other.params, rtol=1e-10)
    np.testing.assert_allclose(fit.table["std_error"], other.bse, rtol=1e-10)


def test_clustered_errors_of_weighted_rows_are_statsmodels(frame):
    fit = eecx.regress(frame, "y ~ x", unit="unit", weights={"sampling": "w"}, vcov="CR1")
    model = sm.WLS(frame["y"], sm.add_constant(frame["x"]), weights=frame["w"])
    other = model.fit(cov_type="cluster", cov_kwds={"groups": frame["unit"]})
    np.testing.assert_allclose(fit.table["std_error"], other.bse, rtol=1e-10)


@pytest.mark.parametrize("vcov", ["classical", "HC1", "HC3", "CR1-areg"])
def test_weighted_unit_effects_are_weighted_dummies(frame, vcov):
    dummies = pd.get_dummies(frame["unit"], dtype=float)
    dummies.insert(0, "x", frame["x"])
    model = sm.WLS(frame["y"], dummies, weights=frame["w"])
    how = {
        "classical": {"cov_type": "nonrobust"},
        "CR1-areg": {"cov_type": "cluster", "cov_kwds": {"groups": frame["unit"]}},
    }.get(vcov, {"cov_type": vcov})
    fit = eecx.regress(
        frame, "y ~ x", unit="unit", effects="within", weights={"precision": "w"}, vcov=vcov
    )
    assert fit["x"]["std_error"] == pytest.approx(model.fit(**how).bse["x"], rel=1e-9)


@pytest.mark.parametrize("effects", ["pooled", "within", "two-way"])
@pytest.mark.parametrize("kind", ["precision", "sampling"])
def test_the_size_of_weights_does_not_matter(frame, effects, kind):
    large = frame.assign(w=frame["w"] * 1e6)
    given = {"unit": "unit", "wave": "wave", "effects": effects, "weights": {kind: "w"}}
    one, other = (eecx.regress(f, "y ~ x", **given) for f in (frame, large))
    same(one, other)
    assert one.stats["sigma"] == pytest.approx(other.stats["sigma"], rel=1e-9)
    equal = eecx.regress(frame.assign(w=7.0), "y ~ x", **given)
    same(equal, eecx.regress(frame, "y ~ x", **{**given, "weights": None}))
    assert equal.stats["n_effective"] == pytest.approx(len(frame))


# ---------------------------------------------------------------------- sampling variances


def by_dummies(frame, columns):
    """Tau2 by the hat matrix of the whole design, written out."""
    x = np.column_stack(columns)
    hat = x @ np.linalg.pinv(x)
    e = frame["y"] - hat @ frame["y"]
    free = len(frame) - np.linalg.matrix_rank(x)
    return float((e @ e - frame["v"] @ (1 - np.diag(hat))) / free)


@pytest.mark.parametrize("effects", ["pooled", "within", "two-way"])
def test_tau2_is_told_by_the_hat_matrix_of_all_effects(frame, effects):
    columns = [np.ones(len(frame)), frame["x"]]
    if effects != "pooled":
        columns += list(pd.get_dummies(frame["unit"], dtype=float).to_numpy().T)
    if effects == "two-way":
        columns += list(pd.get_dummies(frame["wave"], dtype=float).to_numpy().T)
    given = {"unit": "unit", "wave": "wave", "effects": effects}
    fit = eecx.regress(frame, "y ~ x", weights={"variance": "v"}, **given)
    tau2 = by_dummies(frame, columns)
    assert fit.stats["tau2"] == pytest.approx(tau2, rel=1e-9)
    inverse = frame.assign(w=1 / (tau2 + frame["v"]))
    same(fit, eecx.regress(inverse, "y ~ x", weights={"precision": "w"}, **given))


def test_between_units_it_is_that_of_their_means(frame):
    means = frame.groupby("unit")[["x", "y"]].mean()
    means["v"] = frame.groupby("unit")["v"].sum() / frame.groupby("unit")["v"].size() ** 2
    one = eecx.regress(
        frame, "y ~ x", unit="unit", wave="wave", effects="between", weights={"variance": "v"}
    )
    other = eecx.regress(means.reset_index(), "y ~ x", unit="unit", weights={"variance": "v"})
    assert one.stats["tau2"] == pytest.approx(other.stats["tau2"], rel=1e-9)
    same(one, other)


def test_equal_variances_are_no_weights(frame):
    fit = eecx.regress(frame.assign(v=0.3), "y ~ x", unit="unit", weights={"variance": "v"})
    same(fit, eecx.regress(frame, "y ~ x", unit="unit"))


def test_a_panel_of_surveys_knows_its_variances():
    sim = eecx.simulate.surveys(units=25, waves=3, rng=1)
    staff = eecx.Survey(
        sim.employees,
        unit="unit",
        wave="wave",
        measures={"ex": eecx.Scale(["ex1", "ex2", "ex3"], range=(1, 5))},
    )
    guests = eecx.Survey(
        sim.customers,
        unit="unit",
        wave="wave",
        measures={"cx": eecx.Scale(["cx1", "cx2", "cx3"], range=(1, 5))},
    )
    panel = eecx.link(staff, guests)
    fit = eecx.regress(panel, "cx ~ ex", weights="variance")
    plain = panel.frame.assign(v=panel.variance["cx"])
    other = eecx.regress(
        plain, "cx ~ ex", unit=panel.unit, wave=panel.wave, weights={"variance": "v"}
    )
    same(fit, other)
    assert fit.spec["weights"] == {"variance": None}
    assert "the sampling variances of the outcome and tau2" in fit.methods()
