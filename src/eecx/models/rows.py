"""The rows of a model as numbers: its columns, keys and weights, where nothing is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from .. import formula as grammar
from ..errors import DataError, listing
from ..panel import Panel
from .clusters import cluster_values
from .columns import Column
from .plan import Plan
from .weights import weight_column

__all__ = ["Table", "complete_rows", "read", "with_wave_dummies"]

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Table:
    """The rows of a model as numbers: outcome and terms ``x``, keys, and what a row weighs.

    ``keys`` number the units, the clusters where these are others, and the steps of time;
    ``levels`` names the (first) clusters.
    """

    x: Array
    keys: Mapping[str, Codes]
    levels: pd.Index[Any]
    weight: Array | None

    def keys_frame(self, names: Sequence[str]) -> pd.DataFrame:
        """Return keys as a frame, not copied."""
        return pd.DataFrame({k: self.keys[k] for k in names}, copy=False)

    def take(self, rows: Codes) -> Table:
        """Return these rows, in this order."""
        keys = {name: key[rows] for name, key in self.keys.items()}
        weight = None if self.weight is None else self.weight[rows]
        return replace(self, x=self.x.T[:, rows].T, keys=keys, weight=weight)

    def written_out(self) -> Table:
        """Return each row as often as its frequency says."""
        if self.weight is None:
            return self
        each = np.repeat(np.arange(len(self.x)), self.weight.astype(np.intp))
        return replace(self, weight=None).take(each)


def read(plan: Plan, x: Array, model: grammar.Formula) -> Table:
    """Read keys and weights beside the columns; numbers tell units apart faster than names."""
    panel = plan.panel
    codes, levels = np.arange(len(x)), pd.Index([])
    if plan.own_units:
        codes, levels = panel.unit_codes
    keys = {"unit": codes}
    for i, (name, key) in enumerate(zip(plan.clusters, plan.cluster_keys, strict=False)):
        if key != "unit":
            keys[key], found = pd.factorize(cluster_values(panel, name), sort=True)
            levels = found if i == 0 else levels
    keys["wave"] = panel.time
    weight = None
    if plan.weights is not None:
        weight = weight_column(panel, plan.weights, model.response.columns[0])
    return Table(x, keys, levels, weight)


def complete_rows(plan: Plan, table: Table, names: Sequence[str]) -> tuple[Table, Mask]:
    """Keep the rows that lack nothing; return which of the panel's they are."""
    missing = [np.isnan(column) for column in table.x.T]
    missing += [key < 0 for name, key in table.keys.items() if name != "wave"]
    if table.weight is not None:
        missing.append(np.isnan(table.weight))
    complete = ~np.logical_or.reduce(missing)
    if plan.effects == "first-difference":
        x, complete = _differences(plan.panel, table.x, complete)
        table = replace(table, x=x)
    if not complete.any():
        known = (plan.panel.unit, plan.panel.wave, *names)
        needed = [*names, *(c for c in plan.columns if c not in known)]
        raise DataError(
            f"No unit × wave has a value for all of {listing(needed)}.",
            code="no-rows",
            fix="Leave out what is missing most.",
        )
    return table if complete.all() else table.take(np.flatnonzero(complete)), complete


def _differences(panel: Panel, x: Array, complete: Mask) -> tuple[Array, Mask]:
    """Return changes since the unit's last step of time, and where both ends are known."""
    at = panel.lag_rows(1)
    if not complete.any():  # not for want of steps
        return x, complete
    known = complete & (at >= 0)
    known[known] &= complete[at[known]]
    if not known.any():
        raise DataError(
            f"No unit has two waves one step apart (step {panel.step}): there is no first "
            "difference.",
            code="no-neighbours",
            fix="Set step= of the panel.",
        )
    return np.where(known[:, None], x - x[np.maximum(at, 0)], np.nan), known


def with_wave_dummies(table: Table) -> tuple[Table, tuple[Column, ...]]:
    """Put a dummy of every wave but the first beside the terms; return what they are."""
    time = table.keys["wave"]
    waves = np.unique(time)[1:]
    x = np.stack([*table.x.T, *[(time == w).astype(float) for w in waves]]).T
    return replace(table, x=x), tuple(Column(f"wave {w}", "wave") for w in waves)
