"""Joint tests beside the fit that they test, and how their time grows with clusters."""

import numpy as np
import pandas as pd
import pytest

import eecx
from eecx.models.joint import combined, hotelling_test, stacked

pytestmark = pytest.mark.filterwarnings("ignore")
TERMS = [f"x{j}" for j in range(5)]


def rows(clusters: int) -> pd.DataFrame:
    """Return clusters of 4 to 12 rows with five terms and two outcomes."""
    rng = np.random.default_rng(1)
    of = np.repeat(np.arange(clusters), rng.integers(4, 13, clusters))
    x = rng.normal(size=(clusters, 5))[of] + rng.normal(size=(len(of), 5))
    y = rng.normal(size=(clusters, 2))[of] + rng.normal(size=(len(of), 2))
    return pd.DataFrame(x, columns=TERMS).assign(y=y[:, 0], z=y[:, 1], g=of)


def fits(frame: pd.DataFrame) -> list[eecx.Result]:
    terms = " + ".join(TERMS)
    return [eecx.regress(frame, f"{y} ~ {terms}", unit="g") for y in ("y", "z")]


def test_a_joint_test_takes_less_than_the_fit(ratio):
    frame = rows(5_000)
    fit = fits(frame)[0]
    assert ratio(lambda: eecx.wald(fit), lambda: fits(frame)) <= 0.5


@pytest.mark.parametrize("what", ["wald", "stacked"])
def test_time_grows_as_clusters_do(ratio, what):
    """Ten times the clusters: at most fifteen times the time, and no memory of clusters squared."""
    few, many = (fits(rows(g)) for g in (4_000, 40_000))

    def work(own):
        if what == "wald":
            return eecx.wald(own[0])
        both = stacked(*(f.estimates for f in own))
        return hotelling_test(combined(both, np.hstack([np.eye(6), -np.eye(6)])[1:]))

    assert ratio(lambda: work(many), lambda: work(few)) <= 15
