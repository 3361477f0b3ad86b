"""Fitted values of data given again: their residuals are those that the fit has summed."""

import pickle

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

import eecx

KEYS = {"unit": "unit", "wave": "wave"}


@pytest.fixture(scope="module")
def frame():
    sim = eecx.simulate.panel(units=40, waves=5, same_wave=0.5, rng=1, missing=0.1)
    rng = np.random.default_rng(0)
    n = len(sim.frame)
    made = sim.frame.assign(
        k=rng.normal(size=n),
        r=np.array(list("abc"))[np.arange(n) % 3],
        w=rng.uniform(0.5, 2, n),
        f=rng.integers(1, 4, n),
    )
    return made.assign(yes=(made["cx"] > 0).astype(float))


def squares(fit):
    """What the fit itself summed: sigma squared times its degrees of freedom."""
    return fit.stats["sigma"] ** 2 * fit.stats["df_residual"]


@pytest.mark.parametrize(
    "effects", ["pooled", "within", "two-way", "first-difference", "between", "within-between"]
)
def test_residuals_add_up_to_what_was_fitted(frame, effects):
    method = {"method": "ols"} if effects == "within-between" else {}
    fit = eecx.regress(frame, "cx ~ ex + k + I(k^2) + lag(ex)", effects=effects, **KEYS, **method)
    left = fit.resid(frame)
    assert len(left) == fit.stats["n"]
    assert float((left**2).sum()) == pytest.approx(squares(fit), rel=1e-10)
    both = left + fit.fitted(frame)
    assert not both.isna().any()
    if effects in ("pooled", "within", "two-way"):
        wanted = frame.set_index(["unit", "wave"]).loc[both.index, "cx"]
        np.testing.assert_allclose(both, wanted, rtol=1e-12)


@pytest.mark.parametrize("weights", [{"precision": "w"}, {"sampling": "w"}, {"variance": "w"}])
@pytest.mark.parametrize("effects", ["pooled", "within", "two-way"])
def test_effects_of_weighted_rows_are_weighted(frame, effects, weights):
    fit = eecx.regress(frame, "cx ~ ex + C(r)", effects=effects, weights=weights, **KEYS)
    left = fit.resid(frame)
    w = frame.set_index(["unit", "wave"]).loc[left.index, "w"]
    w = 1 / (fit.stats["tau2"] + w) if "variance" in weights else w
    w = w / w.mean()
    assert float((w * left**2).sum()) == pytest.approx(squares(fit), rel=1e-9)


def test_fixed_parts_of_random_effects_models(frame):
    for effects in ("random", "mixed"):
        fit = eecx.regress(frame, "cx ~ ex + k", effects=effects, **KEYS)
        b = fit.params.droplevel("level")
        kept = frame.dropna(subset=["cx", "ex"])
        wanted = b["(intercept)"] + b["ex"] * kept["ex"] + b["k"] * kept["k"]
        np.testing.assert_allclose(fit.fitted(frame), wanted, rtol=1e-12)
    apart = eecx.regress(frame, "cx ~ ex", effects="within-between", **KEYS)
    kept = frame.dropna(subset=["cx", "ex"])
    usual = kept.groupby("unit")["ex"].transform("mean")
    b = apart.params
    within, between = b["ex", "within units over time"], b["ex", "between units"]
    wanted = b.iloc[0] + within * (kept["ex"] - usual) + between * usual
    np.testing.assert_allclose(apart.fitted(frame), wanted, rtol=1e-10)


def test_families_are_fitted_on_the_scale_of_the_outcome(frame):
    fit = eecx.regress(frame, "yes ~ ex + k", family="binomial", **KEYS)
    kept = frame.dropna(subset=["yes", "ex", "k"])
    peer = sm.GLM(kept["yes"], sm.add_constant(kept[["ex", "k"]]), family=sm.families.Binomial())
    np.testing.assert_allclose(fit.fitted(frame), peer.fit(tol=1e-12).fittedvalues, rtol=1e-8)
    np.testing.assert_allclose(fit.resid(frame), peer.fit(tol=1e-12).resid_response, atol=1e-8)


def test_rows_are_named_by_unit_and_wave_or_by_their_place(frame):
    fit = eecx.regress(frame, "cx ~ ex", **KEYS)
    assert fit.fitted(frame).index.names == ["unit", "wave"]
    plain = eecx.regress(frame, "cx ~ ex")
    holes = frame.assign(ex=frame["ex"].where(np.arange(len(frame)) != 3))
    assert 3 not in plain.fitted(holes).index
    part = plain.fitted(frame.head(10))  # other rows than were fitted
    np.testing.assert_allclose(part, plain.fitted(frame).head(len(part)), rtol=1e-12)


def test_a_result_holds_no_rows_and_can_be_kept(frame):
    fit = eecx.regress(frame, "cx ~ ex + C(r)", effects="within", **KEYS)
    again = pickle.loads(pickle.dumps(fit))
    assert again.to_json() == fit.to_json()
    pd.testing.assert_series_equal(again.resid(frame), fit.resid(frame))
    with pytest.raises(eecx.OptionError, match="Moments hold sums") as caught:
        fit.fitted(eecx.Moments.from_frame(frame, keys=["unit"], terms=["cx", "ex"]))
    assert caught.value.code == "needs-rows"


def test_rows_that_count_several_times(frame):
    kept = frame.dropna(subset=["cx", "ex"])
    for effects in ("between", "within-between"):
        method = {"method": "ols"} if effects == "within-between" else {}
        counted = eecx.regress(
            kept, "cx ~ ex", effects=effects, weights={"frequency": "f"}, **KEYS, **method
        )
        left = counted.resid(kept)
        w = kept.set_index(["unit", "wave"])["f"] if effects != "between" else 1.0
        assert float((w * left**2).sum()) == pytest.approx(squares(counted), rel=1e-9)


def test_data_that_say_too_little_or_something_new(frame):
    panel = eecx.Panel.from_frame(
        frame, unit="unit", wave="wave", employee=["ex"], customer=["cx"], covariates=["r"]
    )
    fit = eecx.regress(panel, "cx ~ ex + C(r)", effects="within")
    assert len(fit.resid(panel)) == fit.stats["n"]
    with pytest.raises(eecx.OptionError, match="fitted to a Panel"):
        fit.resid(frame)
    own = eecx.regress(frame, "cx ~ ex + C(r)", **KEYS)
    with pytest.raises(eecx.DataError, match="has 'AAA', which was not among the rows"):
        own.fitted(frame.assign(r=frame["r"].where(frame.index > 5, "AAA")))


def test_units_of_measurement_do_not_make_a_test_singular(frame):
    fit = eecx.regress(frame, "cx ~ ex + k", **KEYS)
    large = eecx.regress(frame.assign(k=frame["k"] * 1e9), "cx ~ ex + k", **KEYS)
    one, other = (eecx.wald(f).table["statistic"] for f in (fit, large))
    np.testing.assert_allclose(one, other, rtol=1e-8)
