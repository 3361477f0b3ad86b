"""Simulated truth is found by mixed models, and intervals cover it as often as they say."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from eecx.mixed.random_effects import fit_mixed
from eecx.mixed.result import mixed_result
from eecx.moments import from_rows

DRAWS = 300
TRUTH = {"(intercept)": 1.0, "x": 0.5, "w": -0.3}
SD = {"(intercept)": 0.7, "x": 0.4, "(residual)": 1.0}


def drawn(rng, units, rows, slope):
    """Rows of units of unequal sizes; x differs between and within units, w between them."""
    unit = np.repeat(np.arange(units), rng.integers(rows // 2, 3 * rows // 2 + 1, units))
    x, w = rng.normal(size=len(unit)), rng.normal(size=units)[unit]
    b = rng.normal(size=(units, 2)) * [SD["(intercept)"], SD["x"] if slope else 0.0]
    y = 1 + (0.5 + b[unit, 1]) * x - 0.3 * w + b[unit, 0] + rng.normal(size=len(unit))
    keys = pd.DataFrame({"unit": unit})
    cells = from_rows(np.column_stack([x, w, y]), ("x", "w", "y"), keys)
    return fit_mixed(cells, "y", ["x", "w"], ["x"] if slope else [], unit="unit")


def allowed(level):
    """Counts that a true coverage of ``level`` gives in all but one of ten thousand runs."""
    return stats.binom.ppf([5e-5, 1 - 5e-5], DRAWS, level)


@pytest.mark.slow
@pytest.mark.parametrize("slope", [False, True])
def test_intervals_of_30_units_cover(slope):
    rng = np.random.default_rng(11 + slope)
    covered, found = [], []
    for _ in range(DRAWS):
        result = mixed_result(drawn(rng, 30, 8, slope), "y ~ x + w")
        table = result.table.set_index("term")
        effects = result.tables["random_effects"].query("quantity == 'sd'").set_index("term")
        ends = pd.concat([table, effects])[["conf_low", "conf_high", "estimate"]]
        truth = [*TRUTH.values(), *(SD[name] for name in effects.index)]
        covered.append((ends["conf_low"] <= truth) & (truth <= ends["conf_high"]))
        found.append(table["estimate"].to_numpy() - list(TRUTH.values()))
    low, high = allowed(0.95)
    counts = np.sum(covered, axis=0)
    assert (low <= counts).all(), counts
    assert (counts <= high).all(), counts
    away = np.mean(found, axis=0) / (np.std(found, axis=0) / np.sqrt(DRAWS))
    assert np.abs(away).max() < 4


@pytest.mark.slow
def test_ten_units_still_keep_the_level_of_a_column_between_units():
    rng = np.random.default_rng(5)
    p = []
    for _ in range(DRAWS):
        fit = drawn(rng, 10, 6, slope=False)
        t = (fit.beta[2] - TRUTH["w"]) / np.sqrt(fit.vcov[2, 2])
        p.append(2 * stats.t.sf(abs(t), fit.df[2]))
    low, high = allowed(0.05)
    assert low <= np.sum(np.array(p) < 0.05) <= high


def test_many_units_give_the_truth():
    fit = drawn(np.random.default_rng(3), 4000, 12, slope=True)
    np.testing.assert_allclose(fit.beta, list(TRUTH.values()), atol=0.05)
    np.testing.assert_allclose(np.sqrt(fit.cov.diagonal()), [0.7, 0.4], rtol=0.05)
    np.testing.assert_allclose(fit.sigma2, 1, rtol=0.02)
    assert abs(fit.cov[0, 1]) < 0.02


@pytest.mark.slow
def test_restricted_likelihood_is_not_biased_and_likelihood_is():
    """With 8 units and 3 columns between them, ML halves the variance between units."""
    rng = np.random.default_rng(7)
    found = {"reml": [], "ml": []}
    unit = np.repeat(np.arange(8), 10)
    for _ in range(DRAWS):
        w = rng.normal(size=(8, 2))[unit]
        y = 2 * rng.normal(size=8)[unit] + rng.normal(size=80)
        cells = from_rows(np.column_stack([w, y]), ("v", "w", "y"), pd.DataFrame({"unit": unit}))
        for method in found:
            fit = fit_mixed(cells, "y", ["v", "w"], unit="unit", method=method)
            found[method].append(fit.cov[0, 0])
    error = np.std(found["reml"]) / np.sqrt(DRAWS)
    assert abs(np.mean(found["reml"]) - 4) < 4 * error
    assert abs(np.mean(found["ml"]) - 4 * 5 / 8) < 4 * error


def test_blups_shrink_and_their_intervals_cover():
    rng = np.random.default_rng(9)
    unit = np.repeat(np.arange(2000), rng.integers(2, 10, 2000))
    b = 0.7 * rng.normal(size=2000)
    y = b[unit] + rng.normal(size=len(unit))
    cells = from_rows(y[:, None], ("y",), pd.DataFrame({"unit": unit}))
    fit = fit_mixed(cells, "y", [], unit="unit")
    z = (fit.blups[:, 0] + fit.beta[0] - b) / np.sqrt(fit.blup_cov[:, 0, 0])
    assert abs(np.std(z) - 1) < 4 / np.sqrt(2 * 2000)
    assert np.var(fit.blups) < np.var(cells.mean)
