"""Intervals cover: the expected outcome, and what a new unit shows."""

import numpy as np
import pandas as pd
import pytest

import eecx
from eecx.moments import from_rows

WAVES = 4


def world(rng, units, slopes=0.0):
    """Return sums per unit; units have a level, and perhaps a slope, of their own."""
    unit = np.repeat(np.arange(units), WAVES)
    x = rng.normal(size=units)[unit] + rng.normal(size=len(unit))
    y = 1 + (0.5 + slopes * rng.normal(size=units)[unit]) * x
    y += 1.5 * rng.normal(size=units)[unit] + rng.normal(size=len(unit))
    return from_rows(np.column_stack([y, x]), ("y", "x"), pd.DataFrame({"unit": unit}))


def covered(rng, repeats, slopes=0.0, units=20, waves=1, **model):
    """Return the share of intervals that hold the expected outcome and a new observation."""
    held = np.zeros(2)
    for _ in range(repeats):
        fit = eecx.regress(world(rng, units, slopes), "y ~ x", unit="unit", **model)
        x = rng.normal()
        seen = 1 + (0.5 + slopes * rng.normal()) * x + 1.5 * rng.normal()
        seen += rng.normal(size=waves).mean()
        for k, (interval, truth) in enumerate((("mean", 1 + 0.5 * x), ("new", seen))):
            row = fit.predict({"x": x}, interval=interval).table.iloc[0]
            held[k] += row["conf_low"] < truth < row["conf_high"]
    return held / repeats


@pytest.mark.parametrize(
    ("repeats", "options"),
    [
        pytest.param(200, {"effects": "pooled"}, marks=pytest.mark.slow),
        pytest.param(200, {"effects": "between", "waves": WAVES}, marks=pytest.mark.slow),
        pytest.param(200, {"effects": "random"}, marks=pytest.mark.slow),
        (60, {"effects": "mixed", "random": "1 + x", "slopes": 0.6}),
    ],
)
def test_95_of_100_intervals_hold(repeats, options):
    share = covered(np.random.default_rng(11), repeats, **options)
    reach = 3.5 * np.sqrt(0.95 * 0.05 / repeats)  # standard errors of a share of 0.95
    np.testing.assert_allclose(share, 0.95, atol=reach)
