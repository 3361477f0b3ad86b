"""Small models, as ratios to a bare regression; text keys, as ratios to whole numbers."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf

import eecx

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def hundred():
    rng = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "unit": np.repeat(np.arange(20), 5),
            "wave": np.tile(np.arange(5), 20),
            "x": rng.normal(size=100),
            "y": rng.normal(size=100),
        }
    )


@pytest.mark.parametrize(("effects", "limit"), [("pooled", 0.5), ("within", 1.2), ("two-way", 1.6)])
def test_a_hundred_rows_against_statsmodels(hundred, ratio, effects, limit):
    """Statsmodels has no unit effects: it is given the bare regression, with clustered errors."""
    keys = {} if effects == "pooled" else {"unit": "unit", "wave": "wave"}

    def peer():
        clusters = {"groups": hundred["unit"]}
        return smf.ols("y ~ x", hundred).fit(cov_type="cluster", cov_kwds=clusters).summary()

    def ours():
        return eecx.regress(hundred, "y ~ x", effects=effects, **keys)

    assert ratio(ours, peer, rounds=50, peer_rounds=20) <= limit


@pytest.fixture(scope="module")
def people():
    rng = np.random.default_rng(1)
    unit = rng.integers(0, 5000, 200_000)
    x = rng.normal(size=200_000)
    y = 0.3 * x + rng.normal(size=5000)[unit] + rng.normal(size=200_000)
    return pd.DataFrame({"unit": unit, "x": x, "y": y})


@pytest.fixture(scope="module")
def panel():
    rng = np.random.default_rng(1)
    keys = {"unit": np.repeat(np.arange(5000), 40), "wave": np.tile(np.arange(40), 5000)}
    frame = pd.DataFrame({**keys, "x": rng.normal(size=200_000), "y": rng.normal(size=200_000)})
    return frame.sample(frac=1, random_state=1).reset_index(drop=True)


def named(frame):
    return frame.assign(unit=[f"store {u}" for u in frame["unit"]])


def test_random_intercept_of_text_units_against_numbered_ones(people, ratio):
    def fit(frame):
        return eecx.regress(frame, "y ~ x", effects="mixed", random="1", unit="unit")

    texts = named(people)
    found = ratio(lambda: fit(texts), lambda: fit(people), rounds=20, peer_rounds=20)
    assert found <= 1.3


def test_unit_effects_of_text_units_against_numbered_ones(panel, ratio):
    def fit(frame):
        return eecx.regress(frame, "y ~ x", effects="within", unit="unit", wave="wave")

    texts = named(panel)
    found = ratio(lambda: fit(texts), lambda: fit(panel), rounds=20, peer_rounds=20)
    assert found <= 1.3
