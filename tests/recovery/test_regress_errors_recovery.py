"""Where intervals of each kind of standard error cover, and where they fail, as errors.md says."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

import eecx

spec = importlib.util.spec_from_file_location(
    "error_simulation", Path(__file__).parents[2] / "docs" / "error_simulation.py"
)
simulation = importlib.util.module_from_spec(spec)
spec.loader.exec_module(simulation)


def covered(situation, units, effects, errors, panels=300, **options):
    found = simulation.coverage(situation, units, effects, errors, panels, **options)
    assert (found["untold"] == 0).all()
    return found["coverage"]


def chance(panels):
    """Standard error of a coverage of 95% that so many panels tell."""
    return np.sqrt(0.95 * 0.05 / panels)


def assert_cover(found, panels):
    """93 to 97%, give or take one standard error of the simulation."""
    assert found.between(0.93 - chance(panels), 0.97 + chance(panels)).all(), found


# ---------------------------------------------------------------------- units alike


@pytest.mark.slow
@pytest.mark.parametrize("units", [10, 30, 100])
@pytest.mark.parametrize("effects", ["pooled", "two-way"])
def test_cr2_and_wild_intervals_cover_and_cr1_does_not_with_ten_units(effects, units):
    """1500 panels: a standard error of 0.56 points."""
    found = covered(simulation.equal, units, effects, ("CR1", "CR2", "wild"), 1500)
    assert_cover(found[["CR2", "wild"]], 1500)
    assert found["CR1"] < found["CR2"]
    if units == 10:
        assert found["CR1"] < 0.93


def test_intervals_within_units_cover_with_ten_units():
    found = covered(simulation.equal, 10, "within", ("CR1", "CR2", "wild"), 1500)
    assert_cover(found[["CR2", "wild"]], 1500)
    assert found["CR1"] < found["CR2"]


@pytest.mark.parametrize("effects", ["pooled", "within"])
def test_errors_that_take_waves_of_a_unit_for_independent_fail_with_a_hundred_units(effects):
    found = covered(simulation.equal, 100, effects, ("classical", "HC1"), 300)
    assert (found < (0.93 if effects == "within" else 0.75)).all()


def test_with_five_units_rademacher_weights_reject_nothing_and_those_of_webb_do():
    """Of 32 draws, two are the data themselves: p is at least 1/16."""
    found = covered(simulation.equal, 5, "within", ("wild rademacher", "wild webb"))
    assert found["wild rademacher"] == 1
    assert 0.9 < found["wild webb"] < 0.99


# ---------------------------------------------------------------------- where each fails


def test_one_cluster_with_half_the_rows_spoils_cr1_and_then_the_others():
    errors = ("CR1", "CR2", "CR3", "wild")
    few = covered(simulation.one_large, 10, "within", errors)
    assert few["CR1"] < 0.88
    assert few["CR2"] > 0.93 - 2 * chance(300)
    many = covered(simulation.one_large, 100, "two-way", errors, 200)
    assert many["CR1"] < 0.75
    assert many[["CR2", "wild"]].max() < 0.93
    assert many["wild"] < many["CR2"] < many["CR3"]


def test_a_programme_in_three_of_thirty_units():
    errors = ("CR1", "CR2", "CR3", "wild")
    found = covered(simulation.programme(3), 30, "two-way", errors, 400)
    assert found["CR1"] < 0.88
    assert found["CR3"] < 0.93
    assert found["CR2"] > 0.93
    assert found["wild"] > 0.97


def test_a_programme_in_one_unit_has_no_error_and_a_warning_says_so():
    errors = ("CR1", "CR2", "CR3", "wild")
    found = covered(simulation.programme(1), 30, "two-way", errors)
    assert found[["CR1", "CR2", "CR3"]].max() < 0.5
    assert found["wild"] == 1
    _, table = next(simulation.tables(simulation.programme(1), 30, 1, np.random.default_rng(1)))
    fit = eecx.regress(table, "y ~ x", effects="two-way", unit="unit", wave="wave")
    assert "one-cluster" in [caution.code for caution in fit.warnings]


def test_units_that_swing_more_on_both_sides_spoil_cr1_and_cr3():
    found = covered(simulation.small_swing_more, 10, "within", ("CR1", "CR2", "CR3", "wild"), 500)
    assert found["CR1"] < 0.85
    assert found["CR3"] < 0.93
    assert found[["CR2", "wild"]].min() > 0.91


def test_skewed_errors_alone_leave_intervals_long_enough():
    found = covered(simulation.skewed, 30, "pooled", ("CR2", "CR3", "wild"))
    assert found.min() > 0.93


@pytest.mark.slow
def test_shocks_shared_by_waves_spoil_errors_by_unit_until_wave_effects_take_them_out():
    few = covered(simulation.seasons(4), 30, "within", ("CR2", "driscoll-kraay"))
    assert few["CR2"] < 0.6
    assert few["driscoll-kraay"] < 0.85
    more = covered(simulation.seasons(24), 30, "within", ("CR1 two-way", "driscoll-kraay"), 200)
    assert more["CR1 two-way"] > 0.88
    assert more["driscoll-kraay"] > few["driscoll-kraay"]
    out = covered(simulation.seasons(4), 30, "two-way", ("CR2",))
    assert out["CR2"] > 0.93
    unequal = covered(simulation.seasons(4, 1.0), 30, "two-way", ("CR2",))
    assert unequal["CR2"] < 0.7


# ---------------------------------------------------------------------- within-between models


@pytest.mark.slow
@pytest.mark.parametrize(("units", "panels"), [(10, 1000), (30, 200), (100, 200)])
def test_within_between_intervals_cover_under_random_intercepts(units, panels):
    """By REML with Satterthwaite degrees of freedom, and by GLS with CR2, on both levels."""
    assert_cover(simulation.mixed_coverage(0.0, 0.0, units, panels)["coverage"], panels)


@pytest.mark.slow
def test_random_intercepts_do_not_cover_slopes_that_vary_and_gls_with_cr2_does():
    found = simulation.mixed_coverage(0.0, 0.5, 30, 100)["coverage"]
    assert found["REML: within"] < 0.93 - chance(100)
    assert found["GLS, CR2: within"] > 0.93 - 2 * chance(100)
