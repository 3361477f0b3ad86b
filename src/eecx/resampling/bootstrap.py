r"""The cluster bootstrap: draw clusters with replacement, add up their sums.

A draw is a vector of counts :math:`w_g` (how often cluster g was drawn); every statistic that is a
function of sums needs only :math:`\sum_g w_g S_g`, so B draws are one matrix product.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .. import options
from ..numerics.products import multiplied

__all__ = ["bootstrap_p", "percentile_interval", "resampled_sums"]

Array = npt.NDArray[np.float64]

# counts of one batch of draws: few enough to stay in the processor's cache
BATCH = 100_000


def resampled_sums(sums: Array, draws: int, rng: np.random.Generator) -> Array:
    """Return the sums of ``draws`` bootstrap samples of clusters, shape (draws, q).

    Parameters
    ----------
    sums : ndarray, shape (G, q)
        What is to be added up, one row per cluster.
    draws : int
    rng : numpy.random.Generator
    """
    options.draws(draws, least=1, usual=5000)
    clusters = len(sums)
    out = np.empty((draws, sums.shape[1]))
    size = max(1, min(draws, BATCH // clusters))
    first = np.arange(0, size * clusters, clusters)[:, None]
    place = np.empty((size, clusters), dtype=np.intp)
    counts = np.empty((size, clusters))
    for start in range(0, draws, size):
        b = min(size, draws - start)
        np.add(_drawn(clusters, b, rng), first[:b], out=place[:b])
        counts[:b] = np.bincount(place[:b].ravel(), minlength=b * clusters).reshape(b, clusters)
        out[start : start + b] = multiplied(counts[:b], sums)
    return out


def _drawn(clusters: int, draws: int, rng: np.random.Generator) -> npt.NDArray[np.uint32]:
    """Draw cluster numbers, shape (draws, clusters): the digits to base G of random numbers."""
    digits = 1
    # numbers far below 2^32 are seldom drawn in vain
    while clusters ** (digits + 1) <= 2**24 and digits < 4:
        digits += 1
    base = np.uint32(clusters)
    rest = rng.integers(clusters**digits, size=-(-draws * clusters // digits), dtype=np.uint32)
    found = np.empty((digits, len(rest)), dtype=np.uint32)
    for digit in found[:-1]:
        higher = rest // base
        np.subtract(rest, higher * base, out=digit)
        rest = higher
    found[-1] = rest
    return found.ravel()[: draws * clusters].reshape(draws, clusters)


def percentile_interval(draws: Array, conf_level: float) -> tuple[Array, Array]:
    """Return percentile limits of each column (quantiles of type 6: (B + 1) p)."""
    tail = (1 - conf_level) / 2
    low, high = np.quantile(draws, [tail, 1 - tail], axis=0, method="weibull")
    return low, high


def bootstrap_p(draws: Array) -> Array:
    """Return the two-sided p of "zero", :math:`2 (b + 1) / (B + 1)`, never 0 and at most 1."""
    below = (draws <= 0).sum(axis=0)
    above = (draws >= 0).sum(axis=0)
    p = 2 * (np.minimum(below, above) + 1) / (len(draws) + 1)
    return np.asarray(np.minimum(p, 1.0), dtype=float)
