"""Mixed models against statsmodels, from a frame of 200,000 rows in 5,000 units.

Elsewhere, on a machine like this one: lme4 takes 0.84 s for the random intercept (REML), the Rust
package mixedlm 1.0 s. Neither is installed here.
"""

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf

import eecx

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(1)
    unit = rng.integers(0, 5000, 200_000)
    x = rng.normal(size=200_000)
    b = rng.normal(size=(5000, 2)) * [1.0, 0.3]
    y = 0.3 * x + b[unit, 0] + b[unit, 1] * x + rng.normal(size=200_000)
    return pd.DataFrame({"unit": unit, "x": x, "y": y})


def ours(frame, random):
    return eecx.regress(frame, "y ~ x", effects="mixed", random=random, unit="unit")


def test_random_intercept_against_statsmodels(frame, ratio):
    def peer():
        return smf.mixedlm("y ~ x", frame, groups="unit").fit(reml=True)

    found, theirs = ours(frame, "1"), peer()
    np.testing.assert_allclose(found.table["estimate"], theirs.fe_params, rtol=1e-4)
    assert ratio(lambda: ours(frame, "1"), peer, rounds=15, peer_rounds=1) <= 1 / 200


def test_random_slope_against_statsmodels(frame, ratio):
    def peer():
        return smf.mixedlm("y ~ x", frame, groups="unit", re_formula="~x").fit(reml=True)

    assert ratio(lambda: ours(frame, "1 + x"), peer, rounds=15, peer_rounds=1) <= 1 / 200
