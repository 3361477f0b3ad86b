"""Intervals of correlations cover simulated truth, and equivalence errs no more than it says."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from eecx.association.compare_correlations import compare_correlations
from eecx.association.correlations import correlations, pulls
from eecx.association.equivalence import tost

UNITS, WAVES, CARRY = 40, 6, 0.6


def simulated(panels, r, rng):
    """Return deviations of units over time (panels, units, waves, p) that carry over.

    All columns carry over alike, so that their correlation is r at any lag of none, and after
    unit and wave means are taken out as before.
    """
    root = np.linalg.cholesky(r)
    u = np.empty((panels, UNITS, WAVES, len(r)))
    u[:, :, 0] = rng.standard_normal((panels, UNITS, len(r))) @ root.T / np.sqrt(1 - CARRY**2)
    for t in range(1, WAVES):
        u[:, :, t] = CARRY * u[:, :, t - 1] + rng.standard_normal((panels, UNITS, len(r))) @ root.T
    return u


def frame_of(u, names, rng):
    """Return one panel as rows, with stable levels of units and common effects of waves added."""
    levels = 2 * rng.standard_normal((UNITS, 1, u.shape[-1]))
    shocks = rng.standard_normal((1, WAVES, u.shape[-1]))
    frame = pd.DataFrame((u + levels + shocks).reshape(-1, u.shape[-1]), columns=names)
    frame["unit"] = np.repeat(np.arange(UNITS), WAVES)
    frame["wave"] = np.tile(np.arange(WAVES), UNITS)
    return frame


def test_clustered_intervals_within_units_cover():
    """1500 panels: a binomial error of 0.6 points; the docstring says 94%."""
    rng = np.random.default_rng(11)
    truth = 0.4
    u = simulated(1500, np.array([[1, truth], [truth, 1]]), rng)
    away = u - u.mean(axis=2, keepdims=True)
    away -= away.mean(axis=1, keepdims=True)
    reach_t = stats.t.isf(0.025, UNITS - 1)
    covered = as_rows = 0
    for groups in np.einsum("rgti,rgtj->rgij", away, away):
        r, psi = pulls(groups.sum(axis=0), groups)
        z = np.arctanh(r[0, 1])
        se = np.sqrt(UNITS / (UNITS - 1) * np.sum(psi[:, 0, 1] ** 2)) / (1 - r[0, 1] ** 2)
        covered += abs(z - np.arctanh(truth)) < reach_t * se
        as_rows += abs(z - np.arctanh(truth)) < 1.96 / np.sqrt(UNITS * WAVES - 3)
    assert 0.92 < covered / 1500 < 0.965
    assert as_rows / 1500 < 0.90  # rows taken as independent promise too much


@pytest.mark.slow
def test_the_public_interval_is_the_one_that_covers():
    rng = np.random.default_rng(12)
    u = simulated(100, np.array([[1, 0.4], [0.4, 1]]), rng)
    covered = 0
    for one in u:
        frame = frame_of(one, ["x", "y"], rng)
        row = correlations(frame, ["x", "y"], unit="unit", wave="wave", level="within").table
        covered += (row["conf_low"] < 0.4).all() and (row["conf_high"] > 0.4).all()
    assert 87 <= covered <= 99  # three binomial errors around 94


def test_the_clustered_difference_covers():
    rng = np.random.default_rng(13)
    r = np.array([[1, 0.5, 0.2], [0.5, 1, 0.3], [0.2, 0.3, 1]])
    covered = 0
    for one in simulated(100, r, rng):
        found = compare_correlations(
            frame_of(one, ["x", "y", "v"], rng), ("x", "y"), ("x", "v"),
            unit="unit", wave="wave", level="within",
        ).table.iloc[0]  # fmt: skip
        covered += found["conf_low"] < 0.3 < found["conf_high"]
    assert 86 <= covered <= 99


@pytest.mark.slow
def test_fishers_interval_and_zous_cover():
    rng = np.random.default_rng(14)
    root = np.linalg.cholesky([[1, 0.5, 0.3], [0.5, 1, 0.4], [0.3, 0.4, 1]])
    single = difference = 0
    for _ in range(400):
        x = pd.DataFrame(rng.standard_normal((30, 3)) @ root.T, columns=["j", "k", "h"])
        found = compare_correlations(x, ("j", "k"), ("j", "h"))
        pair, zou = found.tables["correlations"].iloc[0], found["zou2007"]
        single += pair["conf_low"] < 0.5 < pair["conf_high"]
        difference += zou["conf_low"] < 0.2 < zou["conf_high"]
    assert 0.92 < single / 400 < 0.98
    assert 0.92 < difference / 400 < 0.98


def test_equivalence_of_a_slope_has_its_size_at_the_bound():
    rng = np.random.default_rng(15)
    draws, df, se = 40_000, 30, 0.05
    scale = se * np.sqrt(rng.chisquare(df, draws) / df)
    for truth in (0.2, -0.2, 0.25):
        b = truth + se * rng.standard_normal(draws)
        _, lower, _, upper = tost(b, scale, df, 0.2)
        size = np.mean(np.maximum(lower, upper) < 0.05)
        assert abs(size - 0.05) < 0.005 if abs(truth) == 0.2 else size < 0.05
    _, lower, _, upper = tost(se * rng.standard_normal(draws), scale, df, 0.2)
    assert np.mean(np.maximum(lower, upper) < 0.05) > 0.9


def test_equivalence_of_a_correlation_has_its_size_at_the_bound():
    rng = np.random.default_rng(16)
    n, bound, samples = 250, 0.24, 10_000  # both tests must refute: with few rows far fewer do
    x = rng.standard_normal((samples, n))
    y = bound * x + np.sqrt(1 - bound**2) * rng.standard_normal((samples, n))
    x, y = x - x.mean(axis=1, keepdims=True), y - y.mean(axis=1, keepdims=True)
    r = (x * y).sum(axis=1) / np.sqrt((x**2).sum(axis=1) * (y**2).sum(axis=1))
    _, lower, _, upper = tost(np.arctanh(r), 1 / np.sqrt(n - 3), np.inf, np.arctanh(bound))
    assert abs(np.mean(np.maximum(lower, upper) < 0.05) - 0.05) < 0.0075
