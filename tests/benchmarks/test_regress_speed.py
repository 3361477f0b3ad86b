"""Fixed effects against pyfixest, the wild bootstrap against wildboottest, fits from Moments."""

import numpy as np
import pandas as pd
import pytest

import eecx
from eecx.moments import Moments

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def million():
    rng = np.random.default_rng(1)
    unit = np.repeat(np.arange(20_000), 50)
    n = len(unit)
    x = rng.normal(size=n) + rng.normal(size=20_000)[unit]
    y = 0.3 * x + rng.normal(size=20_000)[unit] + rng.normal(size=n)
    return pd.DataFrame({"unit": unit, "wave": np.tile(np.arange(50), 20_000), "x": x, "y": y})


def fixed_effects(frame, wave=None):
    return eecx.regress(frame, "y ~ x", effects="within", unit="unit", wave=wave, vcov="CR1")


@pytest.mark.parametrize(("wave", "limit"), [(None, 1 / 8), ("wave", 1 / 2)])
def test_fixed_effects_of_a_million_rows_against_pyfixest(million, ratio, wave, limit):
    """With waves named, duplicates, order and gaps are checked too."""
    pyfixest = pytest.importorskip("pyfixest")

    def peer():
        return pyfixest.feols("y ~ x | unit", million, vcov={"CRV1": "unit"})

    ours, theirs = fixed_effects(million, wave), peer()
    np.testing.assert_allclose(ours["x"]["estimate"], theirs.coef().iloc[0], rtol=1e-6)
    np.testing.assert_allclose(ours["x"]["std_error"], theirs.se().iloc[0], rtol=1e-6)
    assert ratio(lambda: fixed_effects(million, wave), peer, rounds=7) <= limit


def test_a_wild_bootstrap_against_wildboottest(ratio):
    """9,999 draws, 50 clusters, 100,000 rows; ours tests three coefficients and inverts each."""
    peer_test = pytest.importorskip("wildboottest.wildboottest").wildboottest
    import statsmodels.formula.api as smf

    rng = np.random.default_rng(1)
    group = rng.integers(0, 50, 100_000)
    x = rng.normal(size=100_000) + rng.normal(size=50)[group]
    frame = pd.DataFrame({"group": group, "x": x, "z": rng.normal(size=100_000)})
    frame["y"] = 0.05 * x + rng.normal(size=50)[group] + rng.normal(size=100_000)

    def ours():
        return eecx.regress(frame, "y ~ x + z", cluster="group", vcov="wild", draws=9999)

    def peer():
        model = smf.ols("y ~ x + z", frame)
        return peer_test(model, param="x", cluster=frame["group"], B=9999)

    theirs = float(np.ravel(peer()["p-value"])[0])
    assert ours()["x"]["p_value"] == pytest.approx(theirs, abs=0.02)
    assert ratio(ours, peer, rounds=15) <= 1 / 20


def test_from_moments_a_fit_takes_milliseconds(million, benchmark):
    cells = Moments.from_frame(million, keys=["unit"], terms=["y", "x"])

    def both():
        eecx.regress(cells, "y ~ x", unit="unit", effects="within", vcov="CR1")
        return eecx.regress(cells, "y ~ x", unit="unit", effects="mixed")

    both()
    benchmark.pedantic(both, rounds=10, iterations=1)
    assert benchmark.stats.stats.min < 0.1
