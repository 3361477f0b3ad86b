"""Shares of respondents: top box, percent favorable, a rate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import special

from .. import frames
from ..errors import OptionError
from .measure import Array, Measure, check_number, check_range
from .scale import Scale

__all__ = ["Favorable", "Rate", "TopBox"]


@dataclass(frozen=True)
class Share(Measure):
    """A share of respondents: u is 1 or 0."""

    @property
    def powers(self) -> int:
        """The first alone: u is its own square."""
        return 1

    def precision(
        self,
        n: Array,
        mean: Array,
        spread: Array,
        pooled: float,
        level: float,
        sums: Mapping[str, Array],
    ) -> tuple[Array, Array, Array]:
        """Return p(1-p)/n and the Wilson interval; a unanimous cell counts four answers more."""
        z = -special.ndtri((1 - level) / 2)
        size = np.maximum(n, 1e-9)
        mean = np.clip(mean, 0.0, 1.0)  # weighted sums are rounded
        more = (n * mean + 2) / (n + 4)
        variance = np.where(spread > 0, mean * (1 - mean) / size, more * (1 - more) / (n + 4))
        centre = (mean + z**2 / (2 * size)) / (1 + z**2 / size)
        reach = z * np.sqrt(mean * (1 - mean) / size + z**2 / (4 * size**2)) / (1 + z**2 / size)
        return variance, np.maximum(centre - reach, 0.0), np.minimum(centre + reach, 1.0)


@dataclass(frozen=True)
class TopBox(Share):
    """Share of respondents who chose one of the highest ``top`` options (CSAT "top two box").

    Parameters
    ----------
    column : str
    top : int
        How many options count as satisfied.
    range : (low, high)
        The lowest and highest option, one apart from each other.
    """

    column: str
    top: int = 2
    range: tuple[float, float] = (1, 5)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "range", check_range(self.range))
        check_number("top", self.top, whole=True)
        if not 1 <= self.top <= self.range[1] - self.range[0]:
            raise OptionError(
                f"top={self.top}: at least 1 and fewer than the options of {self.range}.",
                code="out-of-range",
            )

    @property
    def columns(self) -> tuple[str, ...]:
        """The column."""
        return (self.column,)

    @property
    def bounds(self) -> tuple[float, float]:
        """The options' range."""
        return self.range

    def row(self, table: frames.Table) -> frames.Expr:
        """Return 1 for a top option."""
        return table.flag(self.column, lambda answer: answer > self.range[1] - self.top)


@dataclass(frozen=True)
class Favorable(Share):
    """Share of respondents who answered ``at_least`` this or higher ("percent favorable").

    Parameters
    ----------
    column : str or Scale
        A column, or a scale: then the share of people whose score reaches it.
    at_least : float
        The lowest answer that counts as favorable.
    range : (low, high), optional
        Answers outside are an error where it is given.
    """

    column: str | Scale
    at_least: float
    range: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("at_least", self.at_least)
        if isinstance(self.column, Scale):
            object.__setattr__(self, "range", self.range or self.column.range)
        if self.range is not None:
            object.__setattr__(self, "range", check_range(self.range))
            if not self.range[0] < self.at_least <= self.range[1]:
                raise OptionError(
                    f"at_least={self.at_least}: above the lowest answer of {self.range}, and not "
                    "above the highest.",
                    code="out-of-range",
                )

    @property
    def columns(self) -> tuple[str, ...]:
        """The column, or the items of the scale."""
        return self.column.columns if isinstance(self.column, Scale) else (self.column,)

    @property
    def bounds(self) -> tuple[float, float] | None:
        """The range, where it was given."""
        return self.range

    def row(self, table: frames.Table) -> frames.Expr:
        """Return 1 for a favorable answer."""
        if isinstance(self.column, Scale):
            start, factor = self.column.affine
            score = self.column.row(table)
            # half a step of the scaled score keeps 1/3 + 2/3 from falling short of 1
            least = (self.at_least - start) / factor
            slack = 0.5 if self.column._whole else 1e-9 * max(1.0, abs(least))
            whole = abs(least - round(least)) < 1e-6
            return frames.flag(score >= (round(least) - slack if whole else least), score)
        return table.flag(self.column, lambda answer: answer >= self.at_least)


@dataclass(frozen=True)
class Rate(Share):
    """Share of rows in which a 0/1 column is 1 (turnover, complaint, repurchase).

    Parameters
    ----------
    column : str
        0/1 or boolean.
    """

    column: str

    @property
    def columns(self) -> tuple[str, ...]:
        """The column."""
        return (self.column,)

    @property
    def bounds(self) -> tuple[float, float]:
        """0 and 1; anything between is an error too."""
        return (0, 1)

    def row(self, table: frames.Table) -> frames.Expr:
        """Return the 0/1 value itself."""
        return table.number(self.column)
