"""mediate() and lag_profile() find simulated truth, and their intervals cover it."""

import numpy as np
import pytest
from scipy import stats

import eecx
from eecx.resampling import resampled_sums

A, B, LATER = 0.5, 0.4, 0.5


def panel(sim, employee=("ex",)):
    return eecx.Panel.from_frame(
        sim.frame, unit="unit", wave="wave", employee=list(employee), customer=["cx"]
    )


def mediated(seed, **options):
    given = {"units": 60, "waves": 4, "same_wave": 0.3, **options}
    m = eecx.simulate.Mediator(a=A, b=B, carry=0.0, lag=0, stable_sd=0.0)
    return eecx.simulate.panel(**given, carry_ex=0.0, carry_cx=0.0, mediator=m, burn_in=5, rng=seed)


@pytest.mark.slow
def test_bootstrap_intervals_cover_the_indirect_effect():
    panels, covered = 160, 0
    for seed in range(panels):
        sim = mediated(seed)
        assert sim.truth["indirect"] == A * B
        found = eecx.mediate(
            panel(sim, ["ex", "m"]), "ex", "m", "cx", effects="two-way", draws=199, rng=seed
        )
        row = found["indirect"]
        covered += row["conf_low"] < A * B < row["conf_high"]
    # between 93% and 97% up to chance (p = 0.001 on either side)
    assert stats.binom.ppf(0.001, panels, 0.93) <= covered <= stats.binom.isf(0.001, panels, 0.97)


@pytest.mark.parametrize("effects", ["within", "two-way"])
def test_every_part_of_the_effect_is_found(effects):
    found = eecx.mediate(
        panel(mediated(1, units=1500, waves=6, wave_shock_sd=0.0), ["ex", "m"]),
        "ex",
        "m",
        "cx",
        effects=effects,
        draws=199,
        rng=1,
    ).table.set_index("effect")
    truth = {"a": A, "b": B, "direct": 0.3, "indirect": A * B, "total": 0.3 + A * B}
    for effect, value in truth.items():
        row = found.loc[effect]
        assert abs(row["estimate"] - value) < 4 * row["std_error"]
        assert row["std_error"] < 0.02


def test_two_mediators_are_told_apart():
    sim = mediated(2, units=1500)
    frame = sim.frame.assign(other=np.random.default_rng(1).normal(size=len(sim.frame)))
    found = eecx.mediate(
        frame,
        "ex",
        ["m", "other"],
        "cx",
        unit="unit",
        wave="wave",
        effects="two-way",
        draws=199,
        rng=2,
    )
    through = found.table[found.table["effect"] == "indirect"].set_index("mediator")
    assert through.loc["m", "conf_low"] > 0.1
    assert through.loc["other", "conf_low"] < 0 < through.loc["other", "conf_high"]
    contrast = found["contrast"]
    assert abs(contrast["estimate"] - A * B) < 4 * contrast["std_error"]


@pytest.mark.slow
def test_no_mediation_is_rarely_found():
    panels, false = 60, 0
    m = eecx.simulate.Mediator(a=0.0, b=0.5, lag=0)
    for seed in range(panels):
        sim = eecx.simulate.panel(units=40, waves=4, mediator=m, rng=seed)
        found = eecx.mediate(
            panel(sim, ["ex", "m"]), "ex", "m", "cx", effects="two-way", draws=99, rng=seed
        )
        false += found["indirect"]["p_value"] <= 0.05
    assert false <= stats.binom.isf(0.001, panels, 0.05)


@pytest.mark.parametrize(("path", "lag"), [("ex_to_cx", 1), ("cx_to_ex", -1)])
def test_the_lag_profile_stands_out_where_one_side_acts_on_the_other(path, lag):
    # nothing carries over and nothing feeds back: the slopes at all other lags are zero
    sim = eecx.simulate.panel(
        units=150, waves=20, carry_ex=0.0, carry_cx=0.0, stable_cor=0.5, rng=7, **{path: LATER}
    )
    table = eecx.lag_profile(panel(sim), "ex", "cx").table.set_index("lag")
    # slope of y on the later x it acts on: LATER var(y) / var(x)
    truth = LATER if lag == 1 else LATER / (1 + LATER**2)
    for k, row in table.iterrows():
        # with unit effects, slopes are off by about (true slope) / waves
        allowed = 4 * row["std_error"] + LATER / 20
        assert abs(row["estimate"] - (truth if k == lag else 0.0)) < allowed
    assert table["estimate"].abs().idxmax() == lag


def test_the_lag_profile_leans_without_any_effect_where_shocks_carry_over():
    sim = eecx.simulate.panel(units=200, waves=8, drift_sd=1.5, drift_carry=0.9, rng=8)
    assert sim.truth["ex_to_later_cx"] == 0
    found = eecx.lag_profile(panel(sim), "ex", "cx", lags=[0, 1])
    assert (found.table["conf_low"] > 0).all()
    assert "descriptive" in [w.code for w in found.warnings]
    assert "verdict" not in found.table.columns


@pytest.mark.parametrize("clusters", [3, 7, 50, 1000])
def test_bootstrap_counts_are_multinomial(clusters):
    draws = 200_000 // clusters
    counts = resampled_sums(np.eye(clusters), draws, np.random.default_rng(3))
    assert (counts.sum(axis=1) == clusters).all()
    share = 1 / clusters
    found = np.cov(counts[:, :3].T)
    expected = clusters * (np.diag([share] * 3) - share**2)
    assert np.abs(counts.mean(axis=0) - 1).max() < 5 * np.sqrt(1 / draws)
    assert np.abs(found - expected).max() < 5 * np.sqrt(3 / draws)
