"""Joint tests keep their level with few clusters of unequal size and related errors."""

import numpy as np
import pandas as pd
import pytest

import eecx
from eecx import formula as grammar
from eecx.models.inference import estimates_of, fit_work
from eecx.models.joint import chi2_test, combined, f_test, hotelling_test, romano_wolf_p
from eecx.models.prepare import prepare


def sample(clusters: int, slopes: int, rng: np.random.Generator) -> pd.DataFrame:
    """Return rows of clusters of 2 to 10, in which terms and errors are related; no slope."""
    of = np.repeat(np.arange(clusters), rng.integers(2, 11, clusters))
    x = rng.normal(size=(clusters, slopes))[of] + rng.normal(size=(len(of), slopes))
    y = rng.normal(size=clusters)[of] + rng.normal(size=len(of))
    frame = pd.DataFrame(x, columns=[f"x{j}" for j in range(slopes)])
    return frame.assign(y=y, g=of)


def p_values(frame: pd.DataFrame, draws: int = 0, rng: object = 0) -> list[float]:
    """Return p of HTZ, F and chi-square of all slopes, and the smallest adjusted one of them."""
    terms = [c for c in frame if c.startswith("x")]
    model = grammar.parse(f"y ~ {' + '.join(terms)}")
    work = prepare(frame, model, "pooled", unit="g", vcov="CR2")
    own = estimates_of(work, fit_work(work), "CR2")
    slopes = combined(own, np.eye(len(terms) + 1)[1:])
    found = [t(slopes).p_value for t in (hotelling_test, f_test, chi2_test)]
    if draws:
        kind = "webb" if frame["g"].nunique() < 12 else "rademacher"
        found.append(float(np.nanmin(romano_wolf_p(slopes, draws, kind, rng)[0])))
    return found


def at_most(share: float, rejected: np.ndarray) -> bool:
    """Whether a share of rejections is at most that, less two Monte-Carlo errors."""
    rate = rejected.mean()
    return rate - 2 * np.sqrt(rate * (1 - rate) / len(rejected)) <= share


@pytest.mark.parametrize(("clusters", "slopes"), [(10, 2), (10, 5), (20, 5), (30, 2)])
def test_the_hotelling_test_keeps_its_level(clusters, slopes):
    rng = np.random.default_rng(clusters + slopes)
    p = np.array([p_values(sample(clusters, slopes, rng)) for _ in range(300)])
    assert np.isfinite(p).all()
    assert at_most(0.07, p[:, 0] < 0.05)
    if slopes == 5 and clusters == 10:
        # what it is for: the others reject a true null far too often
        assert (p[:, 1] < 0.05).mean() > 0.12
        assert (p[:, 2] < 0.05).mean() > 0.35


@pytest.mark.slow
@pytest.mark.parametrize(("clusters", "slopes"), [(10, 5), (15, 2), (15, 5), (30, 5)])
def test_the_hotelling_test_keeps_its_level_in_many_samples(clusters, slopes):
    rng = np.random.default_rng(100 + clusters + slopes)
    p = np.array([p_values(sample(clusters, slopes, rng), 299, rng) for _ in range(1000)])
    assert at_most(0.07, p[:, 0] < 0.05)
    assert at_most(0.10, p[:, 3] < 0.05)  # any false alarm among the slopes


def test_the_hotelling_test_finds_what_there_is():
    rng = np.random.default_rng(7)
    p = []
    for _ in range(60):
        frame = sample(30, 2, rng)
        p.append(p_values(frame.assign(y=frame["y"] + 0.5 * frame["x0"] - 0.5 * frame["x1"]))[0])
    assert (np.array(p) < 0.05).mean() > 0.9


@pytest.mark.slow
def test_hausman_keeps_its_level_with_twelve_units():
    rng = np.random.default_rng(5)
    p = []
    for _ in range(300):
        frame = sample(12, 3, rng).assign(w=lambda d: d.groupby("g").cumcount())
        found = eecx.hausman(frame, "y ~ x0 + x1 + x2", unit="g", wave="w")
        p.append([found[t]["p_value"] for t in ("HTZ", "auxiliary, CR2")])
    p = np.array(p)
    assert at_most(0.07, p[:, 0] < 0.05)
    assert (p[:, 1] < 0.05).mean() > 0.10  # chi-square does not
