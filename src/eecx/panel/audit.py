"""What was lost on the way from two surveys to a panel, and why."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .. import plotting

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Audit", "near_misses"]

LOST = ["stage", "side", "unit", "wave", "measure", "reason"]
STAGES = ["stage", "side", "cells", "lost", "reason"]


@dataclass(frozen=True, eq=False)
class Audit:
    """Stage by stage: how many cells (unit × wave) were kept and lost, which ones, and why.

    Attributes
    ----------
    stages : pandas.DataFrame
        ``stage, side, cells, lost, reason``: cells left after each stage and those lost in it.
    table : pandas.DataFrame
        Every loss: ``stage, side, unit, wave, measure, reason``.
    coverage : pandas.DataFrame
        ``unit, wave, status`` of every cell: paired, employees only, customers only, withheld,
        missing value.
    near_misses : pandas.DataFrame
        Unit keys that look alike but are not equal: pointed out, never joined by guess.
    text_cells : pandas.DataFrame
        Text read as numbers under ``parse``: ``column, text, as, cells``.
    notes : tuple of str
        Facts on the reading and the matching of waves.
    """

    stages: pd.DataFrame
    table: pd.DataFrame
    coverage: pd.DataFrame
    near_misses: pd.DataFrame
    text_cells: pd.DataFrame
    notes: tuple[str, ...] = field(default=())

    def summary(self) -> str:
        """Return the audit as text."""
        lines = [self.stages.to_string(index=False)]
        if len(self.near_misses):
            pairs = [f"{r.key!r} / {r.looks_like!r}" for r in self.near_misses.head(5).itertuples()]
            lines.append(
                f"Look-alike keys, not joined ({len(self.near_misses)}): {', '.join(pairs)}"
            )
        if len(self.text_cells):
            lines.append(f"Text cells read under parse=:\n{self.text_cells.to_string(index=False)}")
        lines.extend(self.notes)
        return "\n".join(lines)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw what was kept and lost, stage by stage."""
        return plotting.audit_flow(self.stages, ax=ax)

    def plot_coverage(self, ax: Axes | None = None) -> Axes:
        """Draw the map of units × waves."""
        return plotting.coverage(self.coverage, ax=ax)

    def _repr_html_(self) -> str:
        notes = "".join(f"<p>{_escape(n)}</p>" for n in self.notes)
        return f"{self.stages.to_html(index=False, escape=True)}{notes}"

    def __repr__(self) -> str:
        return self.summary()


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def near_misses(sides: Sequence[tuple[str, Sequence[Any]]]) -> pd.DataFrame:
    """Find unit keys that become equal once case, blanks and leading zeros are ignored.

    Examples
    --------
    >>> near_misses([("employee", ["Store 7"]), ("customer", ["store 007", "8"])])
           side      key other_side looks_like
    0  employee  Store 7   customer  store 007
    """
    if all(isinstance(u, int | np.integer) and u >= 0 for _, units in sides for u in units):
        sides = ()  # of whole numbers no two are written alike
    seen: dict[str, list[tuple[str, Any]]] = {}
    for side, units in sides:
        for unit in units:
            found = seen.setdefault(_normal(unit), [])
            if all(unit != other for _, other in found):
                found.append((side, unit))
    rows = [
        (first_side, str(first), side, str(other))
        for (first_side, first), *others in seen.values()
        for side, other in others
    ]
    return pd.DataFrame(rows, columns=["side", "key", "other_side", "looks_like"])


def _normal(unit: Any) -> str:
    plain = unicodedata.normalize("NFKC", str(unit)).casefold().strip()
    text = re.sub(r"[\s_\-./]+", "", plain.removesuffix(".0"))
    return re.sub(r"(?<![0-9])0+(?=[0-9])", "", text)
