"""The gates: what caps the wording of the ladder before any slope is looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..agreement import BETWEEN as UNITS
from ..agreement import CHANGE as OVER_TIME
from ..agreement import estimate, read_cells
from ..errors import listing
from ..panel import Panel
from ..sources import unit_waves

__all__ = [
    "Gate",
    "Reliability",
    "losses",
    "measurement",
    "plan",
    "reliabilities",
    "sources",
    "unreliable_rows",
]

State = Literal["adequate", "limited", "unchecked"]

# conventions, not laws: what share of cells may be lost, how reliable a mean and a change should be
PAIRED = 0.80
BETWEEN = 0.70
CHANGE = 0.50


@dataclass(frozen=True)
class Gate:
    """A precondition, its state, and the numbers behind it."""

    gate: str
    state: State
    detail: str


@dataclass(frozen=True)
class Reliability:
    """Share of observed variance that is not sampling error, between units and of change."""

    between: float | None
    change: float | None
    stated: bool = False


def plan(text: str | None) -> Gate:
    """Judge whether the analysis was fixed before the data were seen: only the user can say."""
    if text:
        return Gate("plan fixed beforehand", "adequate", f"stated by the user: {text}")
    return Gate("plan fixed beforehand", "unchecked", "no plan was given (plan=)")


def losses(panel: Panel, x: str, y: str) -> Gate:
    """Judge how many cells in which at least one side was seen have both x and y."""
    seen = panel.frame[[x, y]].notna()
    both = int(seen.all(axis=1).sum())
    apart = panel.audit.table
    elsewhere = apart[(apart["stage"] == "linked") & ~apart["unit"].isin(panel.frame[panel.unit])]
    total = len(panel.frame) + len(elsewhere)
    share = both / total
    per_unit = seen.all(axis=1).groupby(panel.frame[panel.unit]).any()
    detail = (
        f"{both} of {total} cells ({100 * share:.1f}%) have both measures, in "
        f"{int(per_unit.sum())} units; non-response inside the cells is not seen here"
    )
    return Gate("losses", "adequate" if share >= PAIRED else "limited", detail)


def sources(panel: Panel, x: str, y: str) -> Gate:
    """Judge whether different people, or records, stand behind x and y."""
    a, b = panel.roles[x], panel.roles[y]
    shared = a.source & b.source
    said = "; ".join(
        f"{name}: {listing(sorted(role.source)) or 'unknown'}" for name, role in ((x, a), (y, b))
    )
    if shared:
        return Gate("independence of sources", "limited", f"shared source ({said})")
    if not (a.source_declared and b.source_declared) or not a.source or not b.source:
        return Gate(
            "independence of sources", "unchecked", f"assumed, not declared with source= ({said})"
        )
    return Gate("independence of sources", "adequate", said)


def reliabilities(panel: Panel, name: str) -> Reliability:
    """Estimate reliability from the cells' sampling variances; None where they are not known.

    See :func:`eecx.reliability` for the two levels.
    """
    source = unit_waves(panel, "examine_claim", rows=False, sums=False)
    cells, _ = read_cells(source, [name])
    between, change = (estimate(cells, name, level) for level in (UNITS, OVER_TIME))
    return Reliability(between and between[0], change and change[0])


def measurement(x: str, y: str, of_x: Reliability, of_y: Reliability) -> Gate:
    """Judge the reliability of unit means and of their change, where sampling variance is known."""
    known = {
        f"{name} {what}": (value, least)
        for name, r in ((x, of_x), (y, of_y))
        for what, value, least in (
            ("between units", r.between, BETWEEN),
            ("of change", r.change, CHANGE),
        )
        if value is not None
    }
    if not known:
        return Gate("measurement", "unchecked", "the sampling variances of the cells are not known")
    detail = "reliability " + ", ".join(
        f"{k} {np.clip(v, 0, 1):.2f}" for k, (v, _) in known.items()
    )
    low = [k for k, (v, least) in known.items() if v < least]
    unknown = [n for n, r in ((x, of_x), (y, of_y)) if r.between is None and r.change is None]
    detail += f" (asked: {BETWEEN} between units, {CHANGE} of change)"
    if unknown:
        detail += f"; {listing(sorted(unknown))} unknown"
    return Gate("measurement", "limited" if low else "unchecked" if unknown else "adequate", detail)


def unreliable_rows(of_x: Reliability, of_y: Reliability) -> frozenset[int]:
    """Return the rows (1 between units, 2 of change) whose measures fall short of what is asked."""
    rows = {
        1: [(r.between, BETWEEN) for r in (of_x, of_y)],
        2: [(r.change, CHANGE) for r in (of_x, of_y)],
    }
    return frozenset(
        n for n, pairs in rows.items() if any(v is not None and v < least for v, least in pairs)
    )
