"""A model made ready from sums that an engine makes: none of its rows is read.

One query looks at all rows (how many, where columns lie, from where to where), one sums them per
unit and cluster. Levels of categories, waves and duplicates are queries of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import formula as grammar
from .. import frames
from ..moments import Moments, Pilot, about_shift, from_engine, look
from ..panel import level_label, places_of
from ..sources import Source
from .capabilities import Effects, Vcov, clustered
from .clusters import is_nested
from .columns import Column
from .transform import transformed
from .two_way_random import Crossing
from .weights import Weighting
from .work import Seen, Work, has_intercept

__all__ = ["from_sums_of", "summable"]

Array = npt.NDArray[np.float64]

SUMMED: tuple[Effects, ...] = ("pooled", "between", "within", "within-between", "random")
# errors of two-way models that need no hat matrix, and waves up to which an engine counts them
PLAIN: tuple[Vcov, ...] = ("classical", "CR0", "CR1", "CR1-areg", "CR1-plm")
MOST_WAVES = 60
ERRORS: tuple[Vcov, ...] = ("classical", "CR0", "CR1", "CR1-areg", "CR1-plm", "CR2", "CR3", "wild")
# columns from which an engine has more products to sum than rows cost to read
MOST = 40


def summable(
    source: Source,
    model: grammar.Formula,
    effects: Effects,
    vcov: Vcov | None,
    clusters: Sequence[str],
    weights: Weighting | None,
) -> bool:
    """Whether sums that an engine makes will do: no row is needed, and none is at hand."""
    if source.panel is not None or source.sums is not None or source.table.is_read:
        return False
    known = clusters or source.unit
    vcov = vcov or ("CR2" if known else "HC1")
    factors = [f for t in (model.response, *model.terms) for f in t.factors]
    kinds = source.table.kinds
    return (
        (effects in SUMMED or (effects == "two-way" and vcov in PLAIN and weights is None))
        and vcov in ERRORS
        and len(clusters) < 2
        and (weights is None or weights.kind in ("precision", "sampling"))
        and all(
            kinds.get(f.column)
            in (("text", *frames.NUMBERS) if _is_category(f) else frames.NUMBERS)
            for f in factors
            if not isinstance(f, grammar.Lag)
        )
        and not any(isinstance(f, grammar.Lag) for f in factors)
        and (source.wave is None or source.unit is not None)
    )


def _is_category(factor: grammar.Factor) -> bool:
    return isinstance(factor, grammar.Category)


@dataclass(frozen=True, eq=False)
class _Terms:
    """What is summed, the columns of the model that it is, and the levels of categories."""

    summed: tuple[grammar.Term, ...]
    columns: tuple[Column, ...]
    levels: Mapping[str, tuple[Any, ...]]


def from_sums_of(
    source: Source,
    model: grammar.Formula,
    effects: Effects,
    vcov: Vcov | None,
    clusters: Sequence[str],
    weights: Weighting | None,
    *,
    gls: bool,
) -> Work | None:
    """Have the engine sum the rows of a model; None where it needs a look at them after all."""
    table, unit = source.table, source.unit
    cluster = clusters[0] if clusters else unit
    vcov = vcov or ("CR2" if cluster else "classical")
    keys = [k for k in dict.fromkeys([unit, cluster if clustered(vcov) else None]) if k]
    weight = None if weights is None else weights.column
    named = list(dict.fromkeys([*keys, *source.keys]))
    terms = _terms(table, model, named)
    if terms is None or (effects == "between" and not _every_column_alone(model)):
        return None  # of what is in products alone, units' means are not summed: their ends
    waves = _waves(source, terms, [*keys, *([weight] if weight else [])]) if source.wave else 1
    if waves is None:
        return None
    pilot = look(table, terms.summed, weight)
    if any(max(map(abs, ends)) >= 2.0**53 for ends in pilot.ends.values()):
        return None  # whole numbers that doubles would round, or nearly: rows tell which
    out = None
    if effects == "two-way":
        out = _net_of_waves(source, terms, pilot, named, cluster)
        if out is None:
            return None
    less = () if out is None else out.less
    cells = from_engine(table, keys, terms.summed, weight, pilot, less)
    cells = replace(cells, terms=terms.columns)
    if out is not None and (cells.within(str(unit)).squares() <= 1e-8 * out.across).any():
        return None  # a column that waves take up, which is refused where rows are read
    effective = None
    if weight is not None:
        effective = float(cells.w.sum() ** 2 / cells.w2.sum())
        mean = float(cells.w.sum() / cells.n.sum())
        cells = replace(cells, w=cells.w / mean, w2=cells.w2 / mean**2, m2=cells.m2 / mean)
    sizes = cells.collapse([unit]).n if unit else np.array([])
    nested = unit is None or not clustered(vcov) or is_nested(cells.keys, unit, cluster or unit)
    people = source.wave is None and effects != "between"
    work = Work(
        cells,
        terms.columns[0],
        terms.columns[1:],
        (),
        _seen(table, terms, pilot, cells, unit, named, told=not people),
        effects,
        vcov,
        cluster,
        units=len(sizes),
        waves=waves if unit else 0,
        singletons=int((sizes == 1).sum()),
        left_out=cells.left_out,
        fingerprint=source.fingerprint,
        absorbed=len(sizes) if effects in ("within", "two-way") else 0,
        size=np.abs(cells.mean).max(axis=0),
        nested=frozenset(({"unit"} if nested else set()) | (out.nested if out else set())),
        waves_out=0 if out is None else out.effects,
        intercept=has_intercept(effects, gls),
        weighting=weights,
        effective=effective,
        unit=unit or "",
        by=(cluster or "",),
        rows_read=False,
    )
    return transformed(work, cluster or "", gls)


def _every_column_alone(model: grammar.Formula) -> bool:
    """Whether every column of products and powers is a term by itself as well."""
    own = (grammar.Name, grammar.Category)
    alone = {
        t.factors[0].column
        for t in model.terms
        if len(t.factors) == 1 and isinstance(t.factors[0], own)
    }
    return all(f.column in alone for t in model.terms for f in t.factors)


def _terms(table: frames.Table, model: grammar.Formula, named: Sequence[str]) -> _Terms | None:
    """Return terms with categories as their levels, which are those of rows without gaps.

    ``named`` are the columns of units, waves and clusters. None where rows must tell.
    """
    own = (model.response, *model.terms)
    factors = [f for t in own for f in t.factors]
    categories = list(dict.fromkeys(f.column for f in factors if _is_category(f)))
    numbers = list(dict.fromkeys(f.column for f in factors if not _is_category(f)))
    levels: dict[str, tuple[Any, ...]] = {}
    if categories:
        rows = {f"c{i}": frames.real(table.number(c)) for i, c in enumerate(numbers)}
        rows |= {f"k{i}": table.named(c) for i, c in enumerate(named)}
        complete = frames.every_present(list(rows)) if rows else None
        found, _ = table.group(categories, rows, {"n": frames.count()}, complete=complete)
        for name in categories:
            values = list(dict.fromkeys(found[name]))
            if table.kinds[name] in frames.NUMBERS:
                values = [float(v) for v in values]
                if any(abs(v) >= 2.0**53 for v in values):
                    return None
            if len(values) < 2:
                return None  # which is refused where rows are read
            levels[name] = tuple(sorted(values, key=lambda v: (str(type(v)), v)))
    summed: list[grammar.Term] = []
    columns: list[Column] = []
    for term in own:
        made: list[tuple[str, tuple[grammar.Factor, ...]]] = [("", ())]
        for factor in term.factors:
            parts: list[tuple[str, grammar.Factor]] = [(_name(factor), factor)]
            if isinstance(factor, grammar.Category):
                known = levels[factor.column]
                parts = [
                    (f"{factor.label}[{level_label(v)}]", grammar.Level(factor.column, v, known))
                    for v in known[1:]
                ]
            made = [(f"{a}:{b}" if a else b, (*fs, f)) for a, fs in made for b, f in parts]
        summed += [grammar.Term(fs) for _, fs in made]
        columns += [Column(name, "whole", term) for name, _ in made]
    if len(summed) > MOST:
        return None
    return _Terms(tuple(summed), tuple(columns), levels)


def _name(factor: grammar.Factor) -> str:
    return factor.column if isinstance(factor, grammar.Name) else factor.label


def _waves(source: Source, terms: _Terms, others: Sequence[str]) -> int | None:
    """Return how many waves complete rows have; None where rows must tell.

    That is where units have several rows in one step, and where a row has no wave.
    """
    if source.wave is None or source.unit is None:
        return None
    table, unit, wave = source.table, source.unit, source.wave
    numbers = dict.fromkeys(c for t in terms.summed for c in t.columns)
    needed = {f"c{i}": table.key(c) for i, c in enumerate([*numbers, *others])}
    for i, c in enumerate([*numbers, *others]):
        if table.kinds[c] in frames.NUMBERS:
            needed[f"c{i}"] = frames.real(table.number(c))
    whole = {"ok": frames.present(list(needed.values()))}
    asked = {"most": frames.highest("ok"), "n": frames.count()}
    found, totals = table.group([wave], whole, asked)
    if not len(found) or totals["n"].sum() < table.length():
        return None
    steps = places_of(found[wave], wave)
    if len(np.unique(steps)) < len(steps):
        return None
    rows = {"wave": table.key(wave)}
    counted = {"n": frames.count(), "waves": frames.distinct("wave")}
    _, sizes = table.group([unit], rows, counted, complete=frames.every_present(["wave"]))
    if (sizes["n"] > sizes["waves"]).any():
        return None
    return int((totals["most"] == len(needed)).sum())


@dataclass(frozen=True, eq=False)
class _Waves:
    """What waves have in common, net of units: to be taken off each term, and how many effects."""

    less: tuple[frames.Expr, ...]
    effects: int
    nested: set[str]
    across: Array
    """How much each term varies between waves."""


def _net_of_waves(
    source: Source, terms: _Terms, pilot: Pilot, named: Sequence[str], cluster: str | None
) -> _Waves | None:
    """Find the effects of waves by two queries: sums by wave, and by unit with counts of waves."""
    table, unit, wave = pilot.table, str(source.unit), str(source.wave)
    if table.kinds[wave] not in (*frames.NUMBERS, "text") or cluster == wave:
        return None
    rows = about_shift(pilot, terms.summed)
    needed = rows | {f"k{i}": table.named(c) for i, c in enumerate(named)}
    complete = frames.every_present(list(needed))
    sums = {"n": frames.count(), **{name: frames.total(name) for name in rows}}
    by = {"clusters": frames.distinct(f"k{named.index(cluster)}")} if cluster else {}
    found, of_wave = table.group([wave], needed, sums | by, complete=complete)
    number = table.kinds[wave] in frames.NUMBERS
    waves = [float(v) if number else v for v in found[wave]]
    if len(waves) > MOST_WAVES:
        return None
    counts = {f"w{j}": table.level(wave, v, waves) for j, v in enumerate(waves)}
    counted = sums | {name: frames.total(name) for name in counts}
    of_unit = table.group([unit], needed | counts, counted, complete=complete)[1]
    seen = of_unit[list(counts)].to_numpy(float)
    none = np.zeros(0, dtype=np.intp)
    root = Crossing(none, none, seen).root
    own = of_unit[list(rows)].to_numpy(float) / of_unit[["n"]].to_numpy(float)
    effects = root @ (root.T @ (of_wave[list(rows)].to_numpy(float) - seen.T @ own))
    less = tuple(table.of_level(wave, dict(zip(waves, e, strict=True))) for e in effects.T)
    alone = cluster is not None and bool((of_wave["clusters"] == 1).all())
    size = of_wave[["n"]].to_numpy(float)
    means = of_wave[list(rows)].to_numpy(float) / size
    across = (size * (means - (size * means).sum(axis=0) / size.sum()) ** 2).sum(axis=0)
    return _Waves(less, root.shape[1], {"wave"} if alone else set(), across)


def _seen(
    table: frames.Table,
    terms: _Terms,
    pilot: Pilot,
    cells: Moments,
    unit: str | None,
    named: Sequence[str],
    *,
    told: bool,
) -> Seen:
    """Return ranges of columns, of the rows that were summed, and of units' means."""
    ranges = dict(pilot.ends)
    if cells.left_out:
        columns = list(ranges)
        rows = {f"c{i}": frames.real(table.number(c)) for i, c in enumerate(columns)}
        summed = {f"t{i}": v for i, v in enumerate(_presence(table, terms))}
        summed |= {f"k{i}": table.named(c) for i, c in enumerate(named)}
        totals: dict[str, frames.Expr] = {}
        for i in range(len(columns)):
            totals |= {f"lo{i}": frames.lowest(f"c{i}"), f"hi{i}": frames.highest(f"c{i}")}
        complete = frames.every_present([*rows, *summed])
        ends = table.group([], rows | summed, totals, complete=complete)[1].iloc[0]
        ranges = {c: (float(ends[f"lo{i}"]), float(ends[f"hi{i}"])) for i, c in enumerate(columns)}
    outcome = {c for c in terms.summed[0].columns}
    asked = {f.column for t in terms.summed[1:] for f in t.factors}
    ranges = {c: e for c, e in ranges.items() if c in asked or c not in outcome}
    means: dict[str, tuple[float, float]] = {}
    if unit:
        of_units = cells.collapse([unit])
        values = of_units.mean + of_units.rest
        means = {
            c.name: (float(v.min()), float(v.max()))
            for c, v in zip(terms.columns, values.T, strict=True)
        }
    return Seen(terms.columns, ranges, terms.levels, means, told)


def _presence(table: frames.Table, terms: _Terms) -> list[frames.Expr]:
    """Return what is missing where a row lacks a level of a category."""
    return [table.level(name, known[0], known) for name, known in terms.levels.items()]
