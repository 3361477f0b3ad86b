"""The lowest or highest score of a unit's people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..errors import OptionError
from .derived import Derived, check_inner
from .mean import Mean
from .measure import Array
from .scale import Scale

__all__ = ["Extreme"]


@dataclass(frozen=True)
class Extreme(Derived):
    """The lowest or highest score among a unit's people: the weakest link, or the star.

    It has no sampling variance here, and it depends on how many answered: of more people the
    lowest is lower, without anything being worse. Compare units of similar n only. It is the
    answer of one person, if not of a known one.

    Parameters
    ----------
    of : Scale or Mean
    which : {"minimum", "maximum"}
    """

    of: Scale | Mean
    which: Literal["minimum", "maximum"] = "minimum"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_inner(self.of, "Extreme")
        if self.which not in ("minimum", "maximum"):
            raise OptionError(
                f"which={self.which!r}: accepted are 'minimum' and 'maximum'.",
                code="not-accepted",
            )

    def value(self, n: Array, mean: Array, spread: Array, sums: Mapping[str, Array]) -> Array:
        """Return the lowest or highest u."""
        return np.asarray(sums[self.which], dtype=float)

    def precision(
        self,
        n: Array,
        mean: Array,
        spread: Array,
        pooled: float,
        level: float,
        sums: Mapping[str, Array],
    ) -> tuple[Array, Array, Array]:
        """Return NaN: the sampling error of an extreme is not known."""
        unknown = np.full(len(n), np.nan)
        return unknown, unknown, unknown
