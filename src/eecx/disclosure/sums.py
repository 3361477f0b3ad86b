"""Grouped queries: the sums of each table's cells and of each atom, and the scores shown."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np
import pandas as pd

from .. import frames
from ..errors import DataError
from ..measures import summarise
from ..survey import Survey
from .links import Codes, Mask

SHOWN = ("n", "value", "variance", "std_error", "conf_low", "conf_high")


def cell_sums(survey: Survey, keys: list[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the cells of a table and their sums; the grand total from those of the units."""
    if keys:
        return survey._sums(keys)
    _, units = survey._sums([survey.unit])
    first = units.iloc[0]
    total = {"rows": float(units["rows"].sum())}
    parts = ("w", "ws", "wss") if survey.weight else ("n", "s", "ss")
    for i in range(len(survey.measures)):
        size, s, ss = (units[f"{p}_{i}"].to_numpy(float) for p in parts)
        away = units[f"o_{i}"].to_numpy(float) - first[f"o_{i}"]
        moved = (size, s + size * away, ss + 2 * away * s + size * away**2)
        total |= {f"{p}_{i}": float(v.sum()) for p, v in zip(parts, moved, strict=True)}
        total |= {
            f"{p}_{i}": float(units[f"{p}_{i}"].sum()) for p in ("n", "w2") if f"{p}_{i}" in units
        }
        total[f"o_{i}"] = float(first[f"o_{i}"])
    return pd.DataFrame(index=range(1)), pd.DataFrame([total])


def atoms_of(
    survey: Survey,
    named: Mapping[str, list[str]],
    scored: Mapping[str, tuple[pd.DataFrame, pd.DataFrame]],
) -> tuple[pd.DataFrame, Codes]:
    """Return unweighted sums per atom, and per table the number of the cell it belongs to.

    Rows that lack a key are found by taking off those that do not: a query for every set of keys
    that some row states alone.
    """
    needs = {name: keys or [survey.unit] for name, keys in named.items()}
    every = [k for k in survey._keys if any(k in keys for keys in needs.values())]
    gaps = [k for k in every if int(_plain_sums(survey, [k])[1]["rows"].sum()) < survey._rows]
    patterns = [
        [k for k in every if k not in absent]
        for size in range(len(gaps) + 1)
        for absent in combinations(gaps, size)
    ]
    start = np.cumsum([0, *(len(cells) for cells, _ in scored.values())])
    found: list[tuple[pd.DataFrame, pd.DataFrame]] = []
    ids = []
    for pattern in patterns:
        if not any(set(keys) <= set(pattern) for keys in needs.values()):
            continue
        cells, sums = _plain_sums(survey, pattern)
        if not len(cells):
            continue
        for finer, more in found:
            if set(pattern) < set(finer.columns):
                at = _positions(cells, finer[pattern])
                taken = more.groupby(at).sum()
                sums.loc[taken.index] -= taken
        left = (sums["rows"] > 0).to_numpy()
        cells, sums = cells[left].reset_index(drop=True), sums[left].reset_index(drop=True)
        own = np.full((len(cells), len(named)), -1, dtype=np.intp)
        for k, (name, keys) in enumerate(needs.items()):
            if set(keys) <= set(pattern):
                table = scored[name][0]
                own[:, k] = start[k]
                if named[name]:
                    own[:, k] += _positions(table, cells[named[name]])
        found.append((cells, sums))
        ids.append(own)
    return pd.concat([s for _, s in found], ignore_index=True), np.concatenate(ids)


def changed() -> DataError:
    """Return the error for data that are not the same from one query to the next."""
    return DataError(
        "Two queries of the data counted different respondents.",
        code="data-changed",
        fix="Release from data that stay as they are: write them to a file first.",
    )


def _positions(cells: pd.DataFrame, wanted: pd.DataFrame) -> Codes:
    keys = list(cells.columns)
    index = pd.MultiIndex.from_frame(cells)
    at = np.asarray(index.get_indexer(pd.MultiIndex.from_frame(wanted[keys])), dtype=np.intp)
    if (at < 0).any():
        raise changed()
    return at


def _plain_sums(survey: Survey, keys: list[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return n, Σu and Σu² of every measure per cell, without weights."""
    table, origins = survey._checked
    rows: dict[str, frames.Expr] = {}
    squares: dict[str, frames.Expr] = {}
    totals = {"rows": frames.count()}
    for i, (name, measure) in enumerate(survey.measures.items()):
        value = measure.row(table)
        rows[f"u{i}"] = value - origins[name] if origins[name] else value
        squares[f"q{i}"] = frames.column(f"u{i}") * frames.column(f"u{i}")
        totals[f"n_{i}"] = frames.answered(f"u{i}")
        totals |= {f"s_{i}": frames.total(f"u{i}"), f"ss_{i}": frames.total(f"q{i}")}
    cells, sums = table.group(keys, rows, totals, then=squares)
    return cells, sums.astype(float).fillna(0.0)


def scored_cells(
    survey: Survey,
    keys: list[str],
    made: tuple[pd.DataFrame, pd.DataFrame],
    shown: Mapping[str, Mask],
    conf_level: float,
) -> pd.DataFrame:
    """Score the cells that may be shown, from their own sums alone."""
    cells, sums = made
    kinds = ("n", "w", "w2", "ws", "wss") if survey.weight else ("n", "s", "ss")
    parts = []
    for i, (name, measure) in enumerate(survey.measures.items()):
        seen = shown[name]
        # variances lean on the pooled one, which must not hold what is withheld
        own = {k: np.where(seen, sums[f"{k}_{i}"].to_numpy(float), 0.0) for k in kinds}
        origin = sums[f"o_{i}"].to_numpy(float)
        scores = summarise(measure, own, origin=origin, conf_level=conf_level)
        status = np.where(seen, np.where(own["n"] > 0, "scored", "no answer"), "withheld")
        part = cells.assign(measure=name, **scores, status=status)
        part["n"] = part["n"].astype(float).where(seen)
        parts.append(part)
    long = pd.concat(parts).sort_index(kind="stable").reset_index(drop=True)
    long[["measure", "status"]] = long[["measure", "status"]].astype("str")
    return long[[*keys, "measure", *SHOWN, "status"]]
