"""How much the people of a unit differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import special

from .. import frames
from .derived import Derived, check_inner
from .mean import Mean
from .measure import Array
from .scale import Scale

__all__ = ["Dispersion"]


@dataclass(frozen=True)
class Dispersion(Derived):
    r"""How much the people of a unit × wave differ: the SD of their scores (divisor n - 1).

    Chan's dispersion composition: the disagreement itself is the measure ("consistency"). It is
    not instability over waves; see :func:`eecx.instability` for that. With the fourth k-statistic
    :math:`k_4`, the sampling variance is

    .. math:: \operatorname{var}(s) = \frac{1}{4 s^2}\left[\frac{2 s^4}{n + 1}
              + \frac{(n - 1)\, k_4}{n (n + 1)}\right]

    unbiased for :math:`s^2`, and rough for s of fewer than ten people or so. A unit of one has
    none; where all answered alike the pooled SD stands in for the precision.

    Parameters
    ----------
    of : Scale or Mean

    Examples
    --------
    >>> import eecx, pandas as pd
    >>> frame = pd.DataFrame({"store": ["a"] * 5, "q": [1, 2, 3, 4, 5]})
    >>> spread = {"spread": eecx.Dispersion(eecx.Mean("q"))}
    >>> round(float(eecx.Survey(frame, unit="store", measures=spread).scores()["value"][0]), 4)
    1.5811
    """

    of: Scale | Mean

    def __post_init__(self) -> None:
        super().__post_init__()
        check_inner(self.of, "Dispersion")

    @property
    def affine(self) -> tuple[float, float]:
        """A spread moves with no constant."""
        return 0.0, self.of.affine[1]

    @property
    def powers(self) -> int:
        """Fourth powers: the sampling error of an SD needs them."""
        return 4

    def row(self, table: frames.Table) -> frames.Expr:
        """Return the person's score about the middle of the scale."""
        if self.of.bounds is None:
            return frames.real(self.of.row(table))
        start, factor = self.of.affine
        middle = (sum(self.of.bounds) / 2 - start) / factor
        return frames.real(self.of.row(table)) - middle

    def value(self, n: Array, mean: Array, spread: Array, sums: Mapping[str, Array]) -> Array:
        """Return the SD; NaN for one respondent."""
        return np.where(n > 1, np.sqrt(spread * n / np.maximum(n - 1, 1)), np.nan)

    def precision(
        self,
        n: Array,
        mean: Array,
        spread: Array,
        pooled: float,
        level: float,
        sums: Mapping[str, Array],
    ) -> tuple[Array, Array, Array]:
        """Return the variance of an SD and limits on the scale of its logarithm."""
        size = np.maximum(n, 2)
        s2 = spread * size / (size - 1)
        raw = [np.asarray(sums[k], dtype=float) / np.maximum(n, 1) for k in ("ss", "s3", "s4")]
        m4 = raw[2] - 4 * mean * raw[1] + 6 * mean**2 * raw[0] - 3 * mean**4
        # the fourth k-statistic; of fewer than four people that of a normal sample, zero
        many = np.maximum(size, 4)
        k4 = many**2 * ((many + 1) * m4 - 3 * (many - 1) * spread**2)
        k4 = np.where(size >= 4, k4 / ((many - 1) * (many - 2) * (many - 3)), 0.0)
        normal = 2 * s2**2 / (size + 1)
        of_s2 = np.maximum(normal + (size - 1) * k4 / (size * (size + 1)), 0.1 * normal)
        told = spread > 0
        variance = np.where(told, of_s2 / (4 * np.where(told, s2, 1.0)), pooled / (2 * (size - 1)))
        s = np.sqrt(s2)
        reach = -special.stdtrit(size - 1, (1 - level) / 2) * np.sqrt(variance)
        with np.errstate(over="ignore"):
            factor = np.exp(reach / np.where(told, s, 1.0))
        low, high = np.where(told, s / factor, 0.0), np.where(told, s * factor, reach)
        known = n > 1
        variance, low, high = (np.where(known, v, np.nan) for v in (variance, low, high))
        return variance, low, high
