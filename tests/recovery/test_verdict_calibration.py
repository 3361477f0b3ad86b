"""How often the verdicts are false, by simulated panels whose truth is known.

A verdict takes two slopes and their CR2 errors. To judge hundreds of panels in seconds they are
computed here from arrays, with the covariance, Holm's method and the rule of the library; the
first test shows that this is what examine_claim() does.
"""

import numpy as np
import pytest
from scipy import stats

import eecx
from eecx.covariance import Sums, cr2
from eecx.evidence import holm, judge

PANELS = 400
SCENARIOS = {
    "nothing goes on": {},
    "stable differences between units": {"stable_sd_ex": 3.0, "stable_sd_cx": 3.0},
    "sampling error": {"error_sd_ex": 1.5, "error_sd_cx": 1.5},
    "wave shocks, missing cells and closures": {
        "wave_shock_sd": 2.0,
        "missing": 0.15,
        "closures": 0.2,
    },
    "deviations that carry over": {"carry_ex": 0.6, "carry_cx": 0.6},
}
SIZES = {"few units": (15, 4), "many units": (80, 5)}


def at_most(share, trials):
    """Most false verdicts in so many trials if each is false with this chance (p = 0.001)."""
    return stats.binom.isf(0.001, trials, share)


def at_least(share, trials):
    return stats.binom.ppf(0.001, trials, share)


def grid(frame, name):
    """Units x waves; a simulated frame is in order, and every unit has wave 1."""
    wave = frame["wave"].to_numpy()
    unit = np.cumsum(wave == 1) - 1
    values = np.full((unit[-1] + 1, wave.max()), np.nan)
    values[unit, wave - 1] = frame[name].to_numpy()
    return values


def clustered_slope(y, x, rows):
    """Slope of y on the first column of x, its CR2 error and df; ``rows`` groups rows by unit."""
    bread = np.linalg.inv(x.T @ x)
    residual = y - x @ (bread @ (x.T @ y))
    member = np.zeros((len(rows), len(x)))
    for g, r in enumerate(rows):
        member[g, r] = 1.0
    scores = member @ (x * residual[:, None])
    cross = (member @ (x[:, :, None] * x[:, None, :]).reshape(len(x), -1)).reshape(
        len(rows), x.shape[1], x.shape[1]
    )
    influence, df = cr2(Sums(bread, cross, scores), np.eye(len(bread))[:1])
    return float((bread @ (x.T @ y))[0]), float(np.sqrt((influence**2).sum())), float(df[0])


def between(x, y):
    """Slope of unit means, net of wave means."""
    both = ~np.isnan(x + y)
    x, y = (v - np.nanmean(np.where(both, v, np.nan), axis=0) for v in (x, y))
    kept = both.any(axis=1)
    count = both.sum(axis=1)[kept]
    means = [np.where(both, v, 0.0).sum(axis=1)[kept] / count for v in (x, y)]
    design = np.column_stack([means[0], np.ones(len(count))])
    return clustered_slope(means[1], design, [[i] for i in range(len(count))])


def within(x, y):
    """Slope with unit and wave effects."""
    both = ~np.isnan(x + y)
    unit, wave = np.nonzero(both)
    columns = np.column_stack([x[both], (wave[:, None] == np.unique(wave)[1:]), y[both]])
    rows = [np.flatnonzero(unit == u) for u in np.unique(unit)]
    for r in rows:
        columns[r] -= columns[r].mean(axis=0)
    return clustered_slope(columns[:, -1], columns[:, :-1], rows)


def verdicts(frame, delta=None, reliability=None, alpha=0.05):
    """Kinds of rows 1 and 2."""
    x, y = grid(frame, "ex"), grid(frame, "cx")
    slopes = [between(x, y), within(x, y)]
    p = [2 * stats.t.sf(abs(b) / se, df) for b, se, df in slopes]
    return [
        judge(
            *slope,
            delta=delta,
            reliability=reliability,
            alpha=alpha,
            p_adjusted=adjusted,
            share=share,
        ).kind
        for slope, (adjusted, share) in zip(slopes, holm(p), strict=True)
    ]


def simulated(panels, units, waves, **options):
    for seed in range(panels):
        # deviations that carry over by 0.6 at most have settled after 12 waves
        yield eecx.simulate.panel(units=units, waves=waves, burn_in=12, rng=seed, **options)


def panel(frame):
    return eecx.Panel.from_frame(frame, unit="unit", wave="wave", employee=["ex"], customer=["cx"])


@pytest.mark.parametrize("options", [{}, {"missing": 0.15, "closures": 0.3, "same_wave": 0.8}])
def test_the_arrays_here_give_the_rows_of_examine_claim(options):
    sim = eecx.simulate.panel(units=20, waves=4, rng=5, **options)
    evidence = eecx.examine_claim(
        panel(sim.frame), x="ex", y="cx", smallest_effect=0.5, reliability={"ex": 0.9}
    )
    x, y = grid(sim.frame, "ex"), grid(sim.frame, "cx")
    for number, found in ((1, between(x, y)), (2, within(x, y))):
        row = evidence.row(number)
        expected = row[["estimate", "std_error", "df"]].to_numpy(float)
        np.testing.assert_allclose(found, expected, rtol=1e-9)
    kinds = [evidence.row(n)["kind"] for n in (1, 2)]
    assert verdicts(sim.frame, delta=0.5, reliability=0.9) == kinds


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("size", ["few units", pytest.param("many units", marks=pytest.mark.slow)])
def test_no_association_is_rarely_called_one(scenario, size):
    units, waves = SIZES[size]
    panels = PANELS if size == "few units" else PANELS // 2
    found = np.array(
        [
            verdicts(sim.frame, delta=0.2, reliability=0.8)
            for sim in simulated(panels, units, waves, **SCENARIOS[scenario])
        ]
    )
    false = np.isin(found, ["positive", "opposite"])
    allowed = at_most(0.05, panels)
    assert false[:, 0].sum() <= allowed
    assert false[:, 1].sum() <= allowed
    assert false.any(axis=1).sum() <= allowed  # of the family, too


def test_stable_differences_that_go_together_are_seen_between_units_only():
    panels = PANELS // 2
    found = np.array(
        [
            verdicts(sim.frame)
            for sim in simulated(panels, 60, 4, stable_cor=0.8, stable_sd_ex=2.0, stable_sd_cx=2.0)
        ]
    )
    assert (found[:, 0] == "positive").sum() >= at_least(0.99, panels)
    assert np.isin(found[:, 1], ["positive", "opposite"]).sum() <= at_most(0.05, panels)


def test_a_strong_association_is_found_at_both_levels_and_in_its_direction():
    panels = PANELS // 4
    for sign, kind in ((1, "positive"), (-1, "opposite")):
        found = np.array(
            [
                verdicts(sim.frame)
                for sim in simulated(panels, 40, 5, stable_cor=0.7 * sign, same_wave=0.7 * sign)
            ]
        )
        assert (found == kind).sum(axis=0).min() >= at_least(0.95, panels)
        assert "not_resolved" not in found[:, 1]


@pytest.mark.slow
@pytest.mark.parametrize("sign", [1, -1])
def test_a_slope_of_exactly_delta_is_rarely_called_too_small_or_large_enough(sign):
    panels = PANELS
    options = {"same_wave": 0.4 * sign, "carry_ex": 0.0, "carry_cx": 0.0, "stable_sd_cx": 0.0}
    units, waves = 100, 4
    truth = eecx.simulate.panel(units=2, waves=waves, rng=0, **options).truth
    assert truth["within_fixed_effects"] == pytest.approx(0.4 * sign)
    kinds, large = [], 0
    for sim in simulated(panels, units, waves, **options):
        slope = within(grid(sim.frame, "ex"), grid(sim.frame, "cx"))
        found = judge(*slope, delta=0.4, reliability=1.0)
        kinds.append(found.kind)
        large += "large enough" in found.text
    too_small = kinds.count("too_small")
    assert too_small <= at_most(0.05, panels)
    assert large <= at_most(0.025, panels)
    # it is a level, not a bound that is never reached
    assert too_small >= at_least(0.05, panels)


@pytest.mark.slow
def test_a_zero_slope_is_called_too_small_where_the_panel_is_large():
    panels = PANELS // 4
    found = [verdicts(s.frame, delta=0.25, reliability=1.0) for s in simulated(panels, 150, 6)]
    assert sum(kind == "too_small" for _, kind in found) >= at_least(0.95, panels)


@pytest.mark.slow
def test_unreliable_change_is_not_called_too_small():
    # the observed slope is a quarter of the true one, which matters
    panels = PANELS // 4
    options = {"same_wave": 0.4, "carry_ex": 0.0, "carry_cx": 0.0, "error_sd_ex": 3**0.5}
    made = simulated(panels, 150, 6, **options)
    observed, corrected = [], []
    for sim in made:
        observed.append(verdicts(sim.frame, delta=0.25, reliability=1.0)[1])
        corrected.append(verdicts(sim.frame, delta=0.25, reliability=0.25)[1])
    assert observed.count("too_small") > panels / 2
    assert corrected.count("too_small") <= at_most(0.05, panels)


def test_row_3_would_be_a_false_alarm_under_stable_differences_so_it_gets_no_verdict():
    panels = 8
    alarms = 0
    for sim in simulated(panels, 120, 6, stable_cor=0.8, stable_sd_ex=2.0, stable_sd_cx=2.0):
        assert sim.truth["ex_to_later_cx"] == sim.truth["cx_to_later_ex"] == 0
        evidence = eecx.examine_claim(panel(sim.frame), x="ex", y="cx")
        for number in (3, 4):
            row = evidence.row(number)
            alarms += row["conf_low"] > 0
            assert (row["kind"], row["judged"]) == ("not_judged", False)
            assert "stable differences between units" in row["note"]
    assert alarms >= 0.9 * 2 * panels


@pytest.mark.parametrize(
    "options", [{}, {"ex_to_cx": 0.6}, {"cx_to_ex": 0.6}, {"drift_sd": 2.0}, {"waves": 2}]
)
def test_lagged_rows_never_get_a_verdict(options):
    sim = eecx.simulate.panel(**{"units": 60, "waves": 5, "rng": 3, **options})
    ladder = eecx.examine_claim(panel(sim.frame), x="ex", y="cx", smallest_effect=0.01).ladder
    rest = ladder[ladder["row"] > 2]
    assert not rest["judged"].any()
    assert set(rest["kind"]) <= {"not_judged", "not_testable"}
    assert rest["p_adjusted"].isna().all()
