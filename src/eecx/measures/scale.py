"""The mean of several items of a respondent."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .. import frames
from ..errors import OptionError, listing
from .measure import Measure, check_number, check_range

__all__ = ["Scale"]


@dataclass(frozen=True)
class Scale(Measure):
    """Mean of several items per respondent, then of respondents per unit × wave.

    A respondent's score is the mean of the items answered, if at least ``min_items`` of them
    were (default: half, rounded up); otherwise the respondent has no score and is counted as
    missing. Items in ``reverse`` are mirrored within the range first.

    Parameters
    ----------
    items : sequence of str
        Columns of answers on one common range.
    range : (low, high)
        The lowest and highest possible answer; answers outside are an error.
    reverse : sequence of str
        Items worded the other way.
    min_items : int, optional
        How many items a respondent must have answered.

    Examples
    --------
    >>> Scale(["e1", "e2", "e3"], range=(1, 5)).min_items
    2
    """

    items: Sequence[str]
    range: tuple[float, float]
    reverse: Sequence[str] = ()
    min_items: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("items", "reverse"):
            value = getattr(self, name)
            object.__setattr__(self, name, (value,) if isinstance(value, str) else tuple(value))
        object.__setattr__(self, "range", check_range(self.range))
        if not self.items or len(set(self.items)) < len(self.items):
            raise OptionError(
                f"Scale needs distinct items; given were {listing(self.items)}.",
                code="needs-items",
                fix="Name each item once.",
            )
        if stray := set(self.reverse) - set(self.items):
            raise OptionError(
                f"reverse names {listing(sorted(stray))}, which is not among the items.",
                code="unknown-item",
                fix="Name only items there.",
            )
        check_number("min_items", self.min_items, whole=True)
        if not self.min_items:
            object.__setattr__(self, "min_items", math.ceil(len(self.items) / 2))
        if not 1 <= self.min_items <= len(self.items):
            raise OptionError(
                f"min_items={self.min_items}: between 1 and {len(self.items)} items.",
                code="out-of-range",
            )

    @property
    def columns(self) -> tuple[str, ...]:
        """The items."""
        return tuple(self.items)

    @property
    def bounds(self) -> tuple[float, float]:
        """The range of the items."""
        return self.range

    @property
    def _common(self) -> int:
        """Least common multiple of the possible item counts: keeps u whole, so sums are exact."""
        return math.lcm(*range_(self.min_items, len(self.items)))

    @property
    def _whole(self) -> bool:
        low, high = self.range
        exact = float(low).is_integer() and float(high).is_integer()
        return exact and self._common * (high - low) < 2**20

    @property
    def affine(self) -> tuple[float, float]:
        """The range's low end, and one over the common multiple that keeps u whole."""
        return self.range[0], 1 / self._common if self._whole else 1.0

    def row(self, table: frames.Table) -> frames.Expr:
        """Return the sum of items above the low end, scaled by how many were answered."""
        low, high = (int(b) if self._whole else b for b in self.range)
        above = []
        for item in self.items:
            answer = table.number(item)
            above.append(high - answer if item in self.reverse else answer - low)
        scale = self._common if self._whole else 1.0
        every = len(self.items)
        complete: frames.Expr = sum(above[1:], above[0])
        if self.min_items == every or table.full.issuperset(self.items):
            return complete * (scale // every if self._whole else scale / every)
        known = frames.present(above)
        partial: frames.Expr = sum(
            (frames.zero_if_missing(a) for a in above[1:]), frames.zero_if_missing(above[0])
        )
        return frames.choose(
            [
                (known == k, partial * (scale // k if self._whole else scale / k))
                for k in range_(every, self.min_items, -1)
            ]
        )


def range_(first: int, last: int, step: int = 1) -> list[int]:
    """Return whole numbers from first to last, both included."""
    return list(range(first, last + (1 if step > 0 else -1), step))
