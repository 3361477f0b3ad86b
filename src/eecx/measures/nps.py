"""The Net Promoter Score."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import special

from .. import frames
from .measure import Array, Measure

__all__ = ["NPS"]


@dataclass(frozen=True)
class NPS(Measure):
    """Net Promoter Score: percent promoters (9–10) minus percent detractors (0–6), −100 to 100.

    With p promoters and d detractors as shares, the sampling variance is the trinomial
    :math:`100^2 (p + d - (p - d)^2)/n`. The interval is the adjusted-Wald one, which adds three
    respondents (3/4 promoter, 3/2 passive, 3/4 detractor); a unanimous cell takes its variance
    from there, so that ten promoters out of ten are not taken for certainty.

    Parameters
    ----------
    column : str
        "How likely are you to recommend us?", 0 to 10.

    References
    ----------
    Rocks, B. (2016). Interval estimation for the "Net Promoter Score". The American Statistician,
    365–372. https://arxiv.org/abs/1601.07235
    """

    column: str

    @property
    def columns(self) -> tuple[str, ...]:
        """The column."""
        return (self.column,)

    @property
    def bounds(self) -> tuple[float, float]:
        """0 to 10."""
        return (0, 10)

    @property
    def affine(self) -> tuple[float, float]:
        """NPS is 100 times the mean of -1, 0 and 1."""
        return 0.0, 100.0

    def row(self, table: frames.Table) -> frames.Expr:
        """Return 1 for a promoter, -1 for a detractor, 0 between."""
        promoter = table.flag(self.column, lambda answer: answer >= 9)
        return promoter - table.flag(self.column, lambda answer: answer <= 6)

    def precision(
        self,
        n: Array,
        mean: Array,
        spread: Array,
        pooled: float,
        level: float,
        sums: Mapping[str, Array],
    ) -> tuple[Array, Array, Array]:
        """Return the trinomial variance and the adjusted-Wald interval, kept inside -1 and 1."""
        either = (n * (spread + mean**2) + 1.5) / (n + 3)
        centre = n * mean / (n + 3)
        adjusted = (either - centre**2) / (n + 3)
        variance = np.where(spread > 0, spread / np.maximum(n, 1e-9), adjusted)
        reach = -special.ndtri((1 - level) / 2) * np.sqrt(adjusted)
        return variance, np.maximum(centre - reach, -1.0), np.minimum(centre + reach, 1.0)
