r"""How latent values become answers, and what their rounding does to a scale.

An item's answer is ``centre + points x (level + person + item noise)``, rounded to whole answers
and cut at the ends of the range. With z the standardized sum, the answer is a step function of
z with thresholds tau_k, and the covariance of two answers whose z correlate by rho is

    sum over j of c[j]^2 rho^j,    c[j] = sum over k of phi(tau_k) h[j-1](tau_k) / sqrt(j)

with h the normalized Hermite polynomials (Mehler's formula). So what rounding leaves of ICC(1)
and alpha is known, not simulated. c[1] is the change of the mean answer per standard deviation
of z (Stein's lemma).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]

TERMS = 60  # of Mehler's series; correlations of answers stay below 1


@dataclass(frozen=True)
class Instrument:
    """What a scale of parallel items is worth as an instrument: population values.

    Attributes
    ----------
    person_sd, item_sd : float
        Latent standard deviations of a person's own deviation (segments apart) and of the noise
        of one item.
    points : float
        Points of the answer range per unit of the latent, before rounding.
    per_latent : float
        Change of the mean answer per unit of the latent.
    within : float
        Variance of the scale scores of the respondents of one cell, in points.
    icc1, alpha : float
        ICC(1) of the scale score and Cronbach's alpha, as answered; alpha is NaN for one item.
    """

    person_sd: float
    item_sd: float
    points: float
    per_latent: float
    within: float
    icc1: float
    alpha: float


def instrument(
    *,
    between: float,
    segment: float,
    icc: float,
    alpha: float,
    items: int,
    thresholds: Array | None,
    answer_sd: float,
) -> Instrument:
    """Work out person and item variances from ICC(1) and alpha, then what rounding leaves.

    Parameters
    ----------
    between, segment : float
        Latent variance between units in one wave, and of the respondents' segments.
    icc, alpha : float
        ICC(1) and alpha of the scale score before rounding.
    items : int
        Number of parallel items.
    thresholds : ndarray or None
        Borders between neighbouring answers, in points from the centre; None leaves the latent
        values as they are.
    answer_sd : float
        Standard deviation of an item in points, before rounding.

    Examples
    --------
    A variance of 1 between units and an ICC(1) of 0.1 make a total variance of 10; with an
    alpha of 0.8, 8 of it are true and 2 are noise of the mean of 3 items:

    >>> made = instrument(
    ...     between=1.0, segment=0.0, icc=0.1, alpha=0.8, items=3, thresholds=None, answer_sd=1.0
    ... )
    >>> round(made.person_sd**2, 6), round(made.item_sd**2, 6), round(made.within, 6)
    (7.0, 6.0, 9.0)
    """
    total = between / icc
    true = alpha * total
    noise = items * (1 - alpha) * total
    person_sd = math.sqrt(max(true - between - segment, 0.0))
    if thresholds is None:
        kept = alpha if items > 1 else math.nan
        return Instrument(person_sd, math.sqrt(noise), 1.0, 1.0, total - between, icc, kept)
    sd = math.sqrt(true + noise)
    scaled = thresholds / answer_sd
    coefficients = _coefficients(scaled)
    powers = np.arange(1, TERMS + 1)
    above = np.array([math.erfc(t / math.sqrt(2)) / 2 for t in scaled])
    item = float((np.minimum.outer(above, above) - np.outer(above, above)).sum())
    shared = float(coefficients**2 @ (true / sd**2) ** powers) if noise > 0 else item
    cells = float(coefficients**2 @ (between / sd**2) ** powers)
    score = item / items + (1 - 1 / items) * shared
    return Instrument(
        person_sd=person_sd,
        item_sd=math.sqrt(noise),
        points=answer_sd / sd,
        per_latent=float(coefficients[0]) / sd,
        within=score - cells,
        icc1=cells / score,
        alpha=items / (items - 1) * (1 - item / (items * score)) if items > 1 else math.nan,
    )


def _coefficients(thresholds: Array) -> Array:
    """Hermite coefficients c[1], c[2], ... of the step function with these thresholds."""
    density = np.exp(-(thresholds**2) / 2) / math.sqrt(2 * math.pi)
    before, current = np.zeros_like(thresholds), np.ones_like(thresholds)
    found = np.empty(TERMS)
    for j in range(1, TERMS + 1):
        found[j - 1] = (density @ current) / math.sqrt(j)
        before, current = (
            current,
            (thresholds * current - math.sqrt(j - 1) * before) / math.sqrt(j),
        )
    return found


def rounded(values: Array, low: int, high: int) -> Whole:
    """Round to whole answers and cut at the ends of the scale."""
    return np.clip(np.rint(values), low, high).astype(np.int64)


def shift(thresholds: list[float], *, centre: float, points: float, sd: float) -> float:
    """Average change of the summed shares above ``thresholds`` per unit of the latent.

    Examples
    --------
    >>> round(shift([0.0], centre=0.0, points=1.0, sd=1.0), 4)
    0.3989
    """
    scaled = (np.asarray(thresholds) - centre) / sd
    return float(np.exp(-(scaled**2) / 2).sum() / math.sqrt(2 * math.pi) / sd * points)
