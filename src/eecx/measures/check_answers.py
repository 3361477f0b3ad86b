"""Answers that no measure can take: infinite ones, and those out of range."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import reduce
from operator import or_
from typing import Any

import numpy as np

from .. import frames
from ..errors import DataError
from ..moments import extreme, is_extreme
from .mean import Mean
from .measure import Measure
from .shares import Rate

__all__ = ["check_answers", "is_mean", "judge_answers", "look_at_answers", "taken_off"]


def check_answers(
    table: frames.Table, measures: Mapping[str, Measure]
) -> tuple[frames.Table, dict[str, float]]:
    """Refuse answers that are infinite or outside a measure's range.

    Returns the table, which then knows its columns without a gap, and an origin per measure: where
    an unbounded mean is to be summed around, so that no digits are lost; of whole numbers beyond
    2^53 it lies about what the table takes off first, see :func:`taken_off`.
    """
    columns = _columns(measures)
    rows = {f"c{i}": table.untouched(c) for i, c in enumerate(columns)}
    totals: dict[str, frames.Expr] = {"rows": frames.count()}
    for name in rows:
        totals |= {f"lo_{name}": frames.lowest(name), f"hi_{name}": frames.highest(name)}
        totals[f"n_{name}"] = frames.answered(name)
    found = table.group([], rows, totals)[1]
    seen = {name: found[name].iloc[0] for name in totals}  # each as it is: whole numbers stay exact
    if not seen["rows"]:
        raise DataError(
            f"{table.subject} has no rows.",
            code="no-rows",
            fix="Give data with at least one row.",
        )
    extents: dict[str, tuple[Any, Any]] = {}
    origins = {}
    for name, measure in measures.items():
        for column in measure.columns:
            at = f"c{columns.index(column)}"
            what = f"Measure {name!r}: column {column!r} of {table.name}"
            if not seen[f"n_{at}"]:
                raise DataError(
                    f"{what} has no answer at all.",
                    code="no-answers",
                    fix="Leave the measure out, or name another column.",
                )
            low, high = float(seen[f"lo_{at}"]), float(seen[f"hi_{at}"])
            if np.isinf(low) or np.isinf(high):
                raise DataError(
                    f"{what} holds infinite values.",
                    code="infinite-values",
                    fix="Make them missing or remove the rows.",
                )
            limits = measure.bounds
            binary = isinstance(measure, Rate)
            between = binary and table.kinds[column] not in ("integer", "boolean")
            if limits is not None and (low < limits[0] or high > limits[1] or between):
                _raise_if_outside(table, column, name, limits, binary)
            if is_mean(measure):
                if is_extreme(low, high, measure.powers):
                    raise extreme(what, low, high)
                ends = seen[f"lo_{at}"], seen[f"hi_{at}"]
                whole = table.kinds[column] in ("integer", "wide")
                extents[column] = (int(ends[0]), int(ends[1])) if whole else (low, high)
                origins[name] = float(round((low + high) / 2))
    full = frozenset(
        c for c, at in zip(columns, rows, strict=True) if seen[f"n_{at}"] == seen["rows"]
    )
    looked = {
        c: (float(seen[f"lo_{at}"]), float(seen[f"hi_{at}"]))
        for c, at in zip(columns, rows, strict=True)
    }
    table = replace(table, full=full, count=int(seen["rows"]), extents=looked)
    table = table.about_middles(extents)
    origins |= {name: 0.0 for name, measure in measures.items() if taken_off(measure, table)}
    return table, {name: origins.get(name, 0.0) for name in measures}


def look_at_answers(
    table: frames.Table, measures: Mapping[str, Measure]
) -> tuple[dict[str, frames.Expr], dict[str, frames.Expr]]:
    """Return what a query of sums counts besides, so that nothing need be asked before it.

    A row expression and its totals, which :func:`judge_answers` reads: whether an answer of the row
    is one that no measure can take, null where that is not so but an answer is missing.
    """
    largest = sys.float_info.max
    outside = []
    for measure in measures.values():
        for column in measure.columns:
            answer, kind = table.untouched(column), table.kinds[column]
            if isinstance(measure, Rate) and kind not in ("integer", "boolean"):
                outside.append((answer != 0) & (answer != 1))
            else:
                low, high = measure.bounds or (-largest, largest)
                outside.append((answer < low) | (answer > high))
    rows = {"refused": frames.holds(reduce(or_, outside))}
    return rows, {"refused": frames.total("refused"), "judged": frames.answered("refused")}


def judge_answers(
    table: frames.Table, measures: Mapping[str, Measure], seen: Mapping[str, float]
) -> frames.Table:
    """Refuse what :func:`check_answers` refuses, from totals that were counted on the way."""
    rows, complete = int(seen["rows"]), int(seen["judged"])
    if seen["refused"] or not complete:  # then a column may be empty
        return check_answers(table, measures)[0]
    return replace(
        table, full=frozenset(_columns(measures) if complete == rows else ()), count=rows
    )


def _columns(measures: Mapping[str, Measure]) -> list[str]:
    return list(dict.fromkeys(c for m in measures.values() for c in m.columns))


def is_mean(measure: Measure) -> bool:
    """Whether a measure is made of means of a column that need have no bounds."""
    return isinstance(getattr(measure, "of", measure), Mean)


def taken_off(measure: Measure, table: frames.Table) -> float:
    """Return what the row values of a measure are less than the answers, before any origin."""
    return float(table.middle.get(measure.columns[0], 0)) if is_mean(measure) else 0.0


def _raise_if_outside(
    table: frames.Table, column: str, name: str, limits: tuple[float, float], binary: bool
) -> None:
    _, answers = table.tally([], table.number(column))
    values, cells = answers["value"].to_numpy(float), answers["cells"].to_numpy(int)
    good = (values >= limits[0]) & (values <= limits[1])
    good = np.isin(values, (0.0, 1.0)) if binary else good
    bad = ~good & ~np.isnan(values)
    if not bad.any():
        return
    values, cells = values[bad], cells[bad]
    often = np.argsort(-cells, kind="stable")[:8]
    shown = ", ".join(f"{v:g} ({c})" for v, c in zip(values[often], cells[often], strict=True))
    allowed = "0 or 1" if binary else f"between {limits[0]:g} and {limits[1]:g}"
    raise DataError(
        f"Measure {name!r}: {cells.sum()} answers in column {column!r} are not {allowed}: {shown}.",
        code="out-of-range",
        fix=(
            "If a code stands for 'no answer', name it: "
            f"parse=eecx.Parse(missing=[{values[often[0]]:g}]); else correct the measure's range."
        ),
    )
