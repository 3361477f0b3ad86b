"""Simulated truth is found, and intervals cover it as often as they say."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

import eecx
from eecx import formula
from eecx.models.inference import covariance_of, fit_work
from eecx.models.prepare import prepare


def fit(made, formula, **options):
    return eecx.regress(made.frame, formula, unit="unit", wave="wave", **options)


def assert_found(row, truth):
    """Within three of its standard errors, which are small: the test would see a bias."""
    assert row["std_error"] < 0.05
    assert abs(row["estimate"] - truth) < 3 * row["std_error"]


@pytest.mark.parametrize("effects", ["within", "two-way"])
def test_slope_within_units_is_found_behind_stable_differences(effects):
    options = {"wave_shock_sd": 0.0} if effects == "within" else {"wave_shock_sd": 1.0}
    made = eecx.simulate.panel(
        units=1500, waves=6, same_wave=0.5, stable_cor=-0.8, stable_sd_cx=3.0, rng=1, **options
    )
    row = fit(made, "cx ~ ex", effects=effects)["ex"]
    assert_found(row, made.truth["within_fixed_effects"])
    pooled = fit(made, "cx ~ ex")["ex"]
    assert pooled["estimate"] < 0


def test_slope_between_units_is_that_of_unit_means():
    made = eecx.simulate.panel(units=4000, waves=5, same_wave=0.5, stable_cor=0.6, rng=2)
    row = fit(made, "cx ~ ex", effects="between")["ex"]
    assert_found(row, made.truth["between_unit_means"])


@pytest.mark.parametrize(("y", "x", "path"), [("cx", "ex", 0.4), ("ex", "cx", 0.0)])
def test_a_lag_goes_one_way_where_there_are_no_stable_differences(y, x, path):
    made = eecx.simulate.panel(
        units=1500, waves=6, ex_to_cx=0.4, stable_sd_ex=0.0, stable_sd_cx=0.0,
        wave_shock_sd=0.0, rng=3,
    )  # fmt: skip
    result = fit(made, f"{y} ~ lag({y}) + lag({x})")
    assert_found(result[f"lag({x})"], path)
    assert_found(result[f"lag({y})"], 0.3)


def test_missing_cells_and_closures_leave_the_slope_where_it_is():
    made = eecx.simulate.panel(
        units=2000, waves=6, same_wave=0.5, carry_ex=0.0, carry_cx=0.0, missing=0.15,
        closures=0.3, rng=4,
    )  # fmt: skip
    result = fit(made, "cx ~ ex", effects="two-way")
    assert_found(result["ex"], 0.5)
    assert result.stats["left_out"] == made.frame[["ex", "cx"]].isna().any(axis=1).sum()


# ---------------------------------------------------------------------- coverage

REPETITIONS, UNITS, WAVES = 1500, 20, 5


def coverage(effects, truth, vcovs=("CR2",), **options):
    """Return how often 95% intervals from 20 units cover the truth, by kind of error.

    All repetitions are simulated as one panel, summed to cells of units once, and the cells are
    taken 20 at a time: what a panel of those 20 units would give.
    """
    made = eecx.simulate.panel(
        units=REPETITIONS * UNITS, waves=WAVES, same_wave=0.5, wave_shock_sd=0.0, **options
    )
    model = formula.parse("cx ~ ex")
    whole = prepare(made.frame, model, effects, unit="unit", wave="wave", vcov="CR2")
    assert len(whole.cells.n) == REPETITIONS * UNITS
    covered = dict.fromkeys(vcovs, 0)
    for start in range(0, REPETITIONS * UNITS, UNITS):
        part = slice(start, start + UNITS)
        arrays = {k: getattr(whole.cells, k)[part] for k in ("n", "w", "w2", "mean", "m2")}
        keys = whole.cells.keys.iloc[part]
        cells = replace(whole.cells, keys=keys, mean_rest=None, **arrays)
        work = replace(whole, cells=cells, absorbed=UNITS if whole.absorbed else 0)
        fit = fit_work(work)
        at = [str(c) for c in fit.columns].index("ex")
        for vcov in vcovs:
            covariance, df = covariance_of(work, fit, vcov)
            reach = stats.t.isf(0.025, df[at]) * np.sqrt(covariance[at, at])
            covered[vcov] += abs(fit.beta[at] - made.truth[truth]) < reach
    return {vcov: times / REPETITIONS for vcov, times in covered.items()}


def assert_covers(share):
    """93 to 97%: 3.5 binomial standard errors of 1500 repetitions."""
    assert 0.93 < share < 0.97


def test_cr2_intervals_within_units_cover():
    found = coverage("within", "within_fixed_effects", carry_cx=0.6, rng=10)
    assert_covers(found["CR2"])


@pytest.mark.slow
def test_cr2_intervals_between_units_cover():
    found = coverage("between", "between_unit_means", stable_cor=0.5, rng=11)
    assert_covers(found["CR2"])


@pytest.mark.slow
def test_cr2_intervals_of_pooled_slopes_cover_where_classical_ones_do_not():
    """Stable levels of both sides make the rows of a unit alike, and classical errors too small."""
    levels = {"stable_sd_ex": 2.0, "stable_sd_cx": 2.0, "stable_cor": 0.5}
    # the slope between stable levels is then 0.5, as the slope over time
    found = coverage(
        "pooled", "same_wave", ("CR2", "classical"), carry_ex=0.0, carry_cx=0.0, rng=12, **levels
    )
    assert_covers(found["CR2"])
    assert found["classical"] < 0.8
