"""A model made ready: cells of sums, the columns of its equation, and what it was made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..covariance import Waves
from ..moments import Moments, group_codes
from ..panel import Panel
from .capabilities import ROWWISE, Effects, Vcov, clustered
from .columns import NOTHING_TO_EXPLAIN, Column
from .swamy_arora import Components
from .weights import Weighting

__all__ = [
    "ROWWISE",
    "Effects",
    "Rows",
    "Seen",
    "Vcov",
    "Work",
    "clustered",
    "has_intercept",
]

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows that a model rests on, for what looks at their columns again."""

    panel: Panel
    complete: npt.NDArray[np.bool_]
    columns: tuple[Column, ...]
    """The columns that the terms have become, the outcome first."""


@dataclass(frozen=True, eq=False)
class Seen:
    """What the sums that an engine made have seen of the columns, for what asks values of these."""

    columns: tuple[Column, ...]
    """The columns that the terms have become, the outcome first."""
    ranges: Mapping[str, tuple[float, float]]
    levels: Mapping[str, tuple[Any, ...]]
    means: Mapping[str, tuple[float, float]]
    """Of units' means."""
    told: bool
    """Whether ranges may be shown: an end of people's answers is the answer of one."""


@dataclass(frozen=True, eq=False)
class Work:
    """A model made ready: cells, columns, and what counts as a parameter."""

    cells: Moments
    """Sums by cluster, or rows: where errors need each, and where they are less than sums."""
    y: Column
    terms: tuple[Column, ...]
    nuisance: tuple[Column, ...]
    """Wave dummies that stand among the columns."""
    source: Rows | Moments | Seen
    effects: Effects
    vcov: Vcov
    cluster: str | tuple[str, str] | None
    units: int
    waves: int
    singletons: int
    left_out: int
    fingerprint: str
    absorbed: int
    """Effects of units that were taken out."""
    size: Array
    nested: frozenset[str] = frozenset({"unit"})
    """Which effects, of unit and wave, lie each in one cluster: CR1 does not count them."""
    levels: pd.Index[Any] | None = None
    """Names of the clusters, where the cells' key numbers them."""
    intercept: bool = True
    """Whether a constant is to be put in front: fixed effects leave none."""
    centre: Array | None = None
    """What was taken off y and the terms, where the constant is a column of its own."""
    components: Components | None = None
    """Variance components, where GLS was prepared."""
    unit: str = "unit"
    """The key of the units among the cells' keys."""
    by: tuple[str, ...] = ("unit",)
    """The keys that errors are clustered by among the cells' keys."""
    weighting: Weighting | None = None
    tau2: float | None = None
    """Variance that sampling error leaves, where weights rest on it."""
    effective: float | None = None
    """As many rows of equal weight tell as much: (sum of weights)^2 / sum of their squares."""
    rows_read: bool = True
    """Whether rows were read, or stayed with an engine (or were summed long ago)."""
    waves_out: int = 0
    """Effects of waves that were taken out."""
    net_of: Waves | None = None
    """These, where the hat matrix of the errors needs them."""
    common: frozenset[Column] = frozenset()
    """Columns that change only from wave to wave, alike in all units."""

    @property
    def taken_out(self) -> int:
        """Effects of units and waves that were taken out."""
        return self.absorbed + self.waves_out

    @property
    def rowwise(self) -> bool:
        """Whether the errors need each row: those of rows, and of two kinds of clusters."""
        return self.vcov in ROWWISE or isinstance(self.cluster, tuple)

    @cached_property
    def clusters(self) -> tuple[Codes | None, pd.Index[Any]]:
        """The cluster of each row, where cells are rows of clusters, and what clusters are called.

        Of errors of rows, each row is one.
        """
        keys = self.cells.keys
        if self.rowwise or not keys.shape[1]:
            return None, pd.RangeIndex(len(keys))
        if self.cells.of_rows and self.by[0] in keys:
            codes, levels = group_codes(keys, [self.by[0]])
            found = levels[self.by[0]].to_numpy()
        else:
            codes, found = None, keys.iloc[:, 0].to_numpy()
        if self.levels is None or not len(self.levels):
            return codes, pd.Index(found)
        return codes, self.levels[found.astype(np.intp)]

    def way_out(self, column: Column) -> str:
        """Return what to do about a column that does not vary."""
        return NOTHING_TO_EXPLAIN if column == self.y else "Leave it out."

    def with_equation(self, y: Column, terms: tuple[Column, ...]) -> Work:
        """Return the same cells with another equation on their terms."""
        at = [self.cells.terms.index(name) for name in (y, *terms, *self.nuisance)]
        cells = self.cells.select([y, *terms, *self.nuisance])
        return replace(self, cells=cells, y=y, terms=terms, size=self.size[at])


def has_intercept(effects: Effects, gls: bool, drift: bool = True) -> bool:
    """Whether a constant is put in front: fixed effects leave none, GLS has one of its own."""
    if effects == "first-difference":
        return drift
    return effects in ("pooled", "between") or (effects == "within-between" and not gls)
