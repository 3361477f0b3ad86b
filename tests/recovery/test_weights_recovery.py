"""Weights 1/(tau2 + v) recover tau2 and cover the truth; weights 1/v alone do not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import eecx

TRIALS, UNITS, TAU, SLOPE = 600, 60, 0.4, 0.3


def one_trial(rng, units=UNITS):
    """Means of units of very unequal size: some have 8 respondents, some a thousand."""
    v = 1 / np.exp(rng.uniform(np.log(8), np.log(1000), units))
    x = rng.normal(size=units)
    y = SLOPE * x + TAU * rng.normal(size=units) + np.sqrt(v) * rng.normal(size=units)
    return pd.DataFrame({"x": x, "y": y, "v": v, "w": 1 / v})


def test_many_units_tell_the_rest_and_the_slope():
    frame = one_trial(np.random.default_rng(3), 20_000)
    fit = eecx.regress(frame, "y ~ x", weights={"variance": "v"}, vcov="classical")
    # a variance of normal residuals, of at most TAU**2 + 1/8, is known to sqrt(2 / n) of itself
    assert abs(fit.stats["tau2"] - TAU**2) < 4 * (TAU**2 + 1 / 8) * np.sqrt(2 / 20_000)
    assert abs(fit["x"]["estimate"] - SLOPE) < 4 * fit["x"]["std_error"]
    assert fit["x"]["std_error"] < 0.004


@pytest.mark.slow
def test_intervals_cover_where_the_rest_is_estimated_and_not_where_it_is_ignored():
    rng = np.random.default_rng(11)
    covered = {"variance": 0, "precision": 0}
    tau2, error = [], {"variance": [], "precision": []}
    for _ in range(TRIALS):
        frame = one_trial(rng)
        for kind, column in (("variance", "v"), ("precision", "w")):
            fit = eecx.regress(frame, "y ~ x", weights={kind: column}, vcov="classical")
            row = fit["x"]
            covered[kind] += row["conf_low"] <= SLOPE <= row["conf_high"]
            error[kind].append(row["estimate"] - SLOPE)
            if kind == "variance":
                tau2.append(fit.stats["tau2"])
    share = {kind: n / TRIALS for kind, n in covered.items()}
    # two Monte Carlo errors beyond 93 and 97 percent: 600 trials tell a share to 0.9 points
    assert 0.912 < share["variance"] < 0.968
    assert share["precision"] < 0.90
    assert abs(np.mean(tau2) - TAU**2) < 3 * np.std(tau2) / np.sqrt(TRIALS)
    assert np.std(error["variance"]) < 0.85 * np.std(error["precision"])
