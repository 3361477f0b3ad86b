"""What agreement is computed from: the answers of each unit's people, as sums."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from .. import frames
from ..errors import ColumnError, DataError, OptionError, listing, nearest
from ..measures import (
    AcrossTouchpoints,
    Dispersion,
    Extreme,
    Favorable,
    Mean,
    Measure,
    Scale,
    check_answers,
)
from ..moments import Moments, group_codes, histograms
from ..results import NUMBERS, Result, tidy
from ..sources import Source
from ..survey import Survey
from .arguments import Range, no_rows, one_name, read_range, several_names

__all__ = [
    "Answers",
    "Range",
    "Scores",
    "as_survey",
    "by_unit",
    "counted",
    "read_answers",
    "read_people",
    "read_scores",
    "read_whole",
    "refuse_not_of_persons",
    "rows_as_table",
    "spread",
    "title",
    "unit_keys",
    "withheld",
]

Array = npt.NDArray[np.float64]

NO_INTERVAL = ("std_error", "statistic", "df", "p_value", "conf_low", "conf_high")
"""What the mean of an index over units has not: it describes these units."""


@dataclass(frozen=True, eq=False)
class Answers:
    """The items of one measure, summed per unit (× wave) over people who answered all of them.

    ``mean`` and ``m2``, the squares about it, have shape (cells, items). ``whole`` holds, where
    items are compared over all people, their cross-products in one cell; ``table`` the rows in
    their engine, where there are any: medians need them, or ``counts`` of whole-number answers from
    the lowest option on, shape (cells, items, options), where these were asked for and can be had.
    """

    name: str
    items: tuple[str, ...]
    reverse: tuple[str, ...]
    bounds: Range | None
    keys: pd.DataFrame
    n: Array
    mean: Array
    m2: Array
    left_out: int
    table: frames.Table | None
    whole: Moments | None = None
    counts: Array | None = None

    @property
    def options(self) -> int | None:
        """How many options an item has, one apart; None where the range is not known."""
        if self.bounds is None:
            return None
        width = self.bounds[1] - self.bounds[0]
        if not float(width).is_integer():
            raise OptionError(
                f"range={self.bounds!r}: options lie one apart, so the range is a whole number.",
                code="not-accepted",
                fix="Give the lowest and the highest option, as in range=(1, 5).",
            )
        return int(width) + 1

    @property
    def variances(self) -> Array:
        """Variance of each item in each unit (divisor n - 1), NaN for one respondent."""
        n = self.n[:, None]
        return np.where(n > 1, self.m2 / np.maximum(n - 1, 1), np.nan)

    @property
    def groups(self) -> str:
        """What people are grouped by, in words."""
        return "units" if len(self.keys.columns) < 2 else "units × waves"

    def basis(self, shown: npt.NDArray[np.bool_]) -> dict[str, Any]:
        """Return what a result rests on; n is of the units shown, or the others' would follow."""
        return {
            "n": int(self.n[shown].sum()),
            **counted(self.keys),
            "items": len(self.items),
            "left_out": self.left_out,
            "withheld": int((~shown).sum()),
        }

    @property
    def names(self) -> tuple[str, ...]:
        """What ``mean`` and ``m2`` have columns of."""
        return self.items

    def settled(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the arguments came to, for the record: items, range, keys or reversed."""
        keys = dict(zip(("unit", "wave"), self.keys.columns, strict=False))
        own = {"reverse": self.reverse} if self.whole is not None else keys
        items = self.items if asked["items"] is None else asked["items"]
        return {"items": items, "columns": self.items, "range": self.bounds, **own}


def read_answers(
    source: Source,
    items: str | Sequence[str] | None,
    *,
    range: Range | None = None,
    reverse: Sequence[str] = (),
    parse: frames.Parse | None = None,
    counts: bool = False,
) -> Answers:
    """Sum items per unit (× wave): of a survey's measure, of a frame, or of Moments.

    With ``counts``, the sums are those of counted answers, where an engine can count them at once.
    """
    if source.survey is not None:
        _refuse_known(range, reverse)
        name, names, reverse, range, table = _of_survey(source.survey, items)
        most = source.survey._most_rows if counts else None
        return _summed(table, name, names, reverse, range, source.keys, most)
    keys, range, reverse = source.keys, read_range(range), _reversed(reverse)
    if source.sums is not None:
        names = _distinct(items or source.columns, reverse)
        cells = source.sums.select(names).collapse(keys)
        return _from_moments(cells, title(names), names, tuple(reverse), range, None)
    names = _distinct(items, reverse)
    table = source.numbers(names, parse)
    table.require(names, "items")
    table.require(keys, "unit or wave")
    if table.engine != "pandas":
        table = _checked(table, names, range)
    most = table.count if counts else None
    return _summed(table, title(names), names, tuple(reverse), range, keys, most)


def read_whole(
    source: Source,
    items: str | Sequence[str] | None,
    *,
    range: Range | None = None,
    reverse: Sequence[str] = (),
    parse: frames.Parse | None = None,
) -> Answers:
    """Sum items and their products over all people: what internal consistency needs."""
    if source.survey is not None:
        _refuse_known(range, reverse)
        name, names, reverse, range, table = _of_survey(source.survey, items)
        cells = Moments.from_frame(table, terms=[f"`{i}`" for i in names])
        return _from_moments(replace(cells, terms=names), name, names, reverse, range, table)
    range, reverse = read_range(range), _reversed(reverse)
    if source.sums is not None:
        names = _distinct(items or source.columns, reverse)
        cells = source.sums.select(names).collapse()
        return _from_moments(cells, title(names), names, tuple(reverse), range, None)
    names = _distinct(items, reverse)
    table = source.numbers(names, parse)
    table.require(names, "items")
    table = _checked(table, names, range)
    cells = Moments.from_frame(table, terms=[f"`{i}`" for i in names])
    return _from_moments(
        replace(cells, terms=names), title(names), names, tuple(reverse), range, table
    )


def _refuse_known(range: object, reverse: object) -> None:
    if range is not None or reverse:
        raise OptionError(
            "A Survey knows its range and reversed items.",
            code="not-accepted",
            fix="Leave them out.",
        )


def _reversed(reverse: object) -> tuple[str, ...]:
    return several_names("reverse", reverse)


def _distinct(items: object, reverse: Sequence[str]) -> tuple[str, ...]:
    names = () if items is None else several_names("items", items)
    if not names:
        raise OptionError(
            "items= names the columns of answers, such as ['e1', 'e2', 'e3'].",
            code="needs-items",
            fix="Name them.",
        )
    if stray := [r for r in reverse if r not in names]:
        raise OptionError(
            f"reverse names {listing(stray)}, which is not among the items.",
            code="unknown-column",
            fix=f"The items are {listing(names)}.",
        )
    if len(set(names)) < len(names):
        raise OptionError(
            f"items names a column twice: {listing(names)}.",
            code="named-twice",
            fix="Name each item once.",
        )
    return names


def _of_survey(
    survey: Survey, measure: str | Sequence[str] | None
) -> tuple[str, tuple[str, ...], tuple[str, ...], Range | None, frames.Table]:
    """Return a survey's measure as name, items, reversed items, range and rows."""
    if not isinstance(measure, str) or measure not in survey.measures:
        raise ColumnError(
            f"{measure!r} is not a measure of the survey; it has {listing(survey.measures)}.",
            code="unknown-measure",
            fix=_close(measure, survey.measures),
        )
    of = survey.measures[measure]
    refuse_not_of_persons(survey, measure)
    inner = of.column if isinstance(of, Favorable) and isinstance(of.column, Scale) else of
    turned = tuple(inner.reverse) if isinstance(inner, Scale) else ()
    return measure, inner.columns, turned, inner.bounds, survey._checked[0]


def _close(name: object, there: Iterable[str]) -> str:
    """Return which of several names may have been meant, as advice."""
    if isinstance(name, str):
        return nearest(name, there).strip()
    return f"Take one, as in {next(iter(there), 'engagement')!r}."


def _weighted(what: str) -> OptionError:
    return OptionError(
        "Agreement and reliability of weighted answers are not defined here.",
        code="weights",
        fix=f"Make the {what} without weight=.",
    )


def _refuse_weights(cells: Moments) -> None:
    if not np.array_equal(cells.n, cells.w):
        raise _weighted("Moments")


def refuse_not_of_persons(survey: Survey, measure: str) -> None:
    """Refuse measures that single people have no score on, and weights."""
    of = survey.measures[measure]
    if isinstance(of, Dispersion | Extreme | AcrossTouchpoints):
        raise OptionError(
            f"{measure!r}, by eecx.{type(of).__name__}, is made of a unit's people together: "
            "agreement and ICC are about single answers.",
            code="not-of-persons",
            fix="Name the measure inside it.",
        )
    if survey.weight:
        raise _weighted("Survey")


def _checked(table: frames.Table, items: tuple[str, ...], bounds: Range | None) -> frames.Table:
    of: dict[str, Measure] = {i: Mean(i, range=bounds) for i in items}
    return check_answers(table, of)[0]


def _from_moments(
    cells: Moments,
    name: str,
    items: tuple[str, ...],
    reverse: tuple[str, ...],
    bounds: Range | None,
    table: frames.Table | None,
) -> Answers:
    _refuse_weights(cells)
    squares = np.diagonal(cells.cross, axis1=1, axis2=2)
    whole = cells if not len(cells.keys.columns) else None
    return Answers(
        name,
        items,
        reverse,
        bounds,
        cells.keys,
        cells.n,
        cells.mean,
        squares,
        cells.left_out,
        table,
        whole,
    )


def _summed(
    table: frames.Table,
    name: str,
    items: tuple[str, ...],
    reverse: tuple[str, ...],
    bounds: Range | None,
    keys: Sequence[str],
    most: int | None,
) -> Answers:
    """Sum items and their squares per cell, over people who answered every item.

    ``most`` is how many rows a cell may have, where counts of the answers are asked for.
    """
    whole = all(table.kinds[i] in ("integer", "boolean") for i in items)
    if table.engine == "pandas":
        found = _in_memory(table, items, bounds, keys, whole)
        return Answers(name, items, reverse, bounds, *found, table)
    if not whole:
        cells = Moments.from_frame(table, keys=keys, terms=[f"`{i}`" for i in items])
        return _from_moments(cells, name, items, reverse, bounds, table)
    middle = 0 if bounds is None else round(sum(bounds) / 2)
    if most is not None and (possible := _few_options(bounds)):
        groups, counts = histograms(table, keys, items, possible, most)
        away = np.array(possible) - middle
        n, first, second = counts[:, 0].sum(axis=1), counts @ away, counts @ away**2
    else:
        counts = None
        rows = {f"x{j}": table.number(i) - middle for j, i in enumerate(items)}
        own = {f"q{j}": frames.column(x) * frames.column(x) for j, x in enumerate(rows)}
        totals = {"n": frames.count(), **{c: frames.total(c) for c in (*rows, *own)}}
        every = None if table.full.issuperset(items) else frames.every_present(list(rows))
        groups, sums = table.group(keys, rows, totals, then=own, complete=every)
        n = sums["n"].to_numpy(float)
        first, second = (sums[list(c)].to_numpy(float) for c in (rows, own))
    if not len(n):
        raise _nobody(items, keys)
    return Answers(
        name,
        items,
        reverse,
        bounds,
        groups,
        n,
        middle + first / n[:, None],
        second - first**2 / n[:, None],
        (table.count or 0) - int(n.sum()),
        table,
        counts=counts,
    )


def _few_options(bounds: Range | None) -> list[int]:
    """Return the whole numbers within a range, where they are few enough to be counted at once."""
    if bounds is None or bounds[1] - bounds[0] > 20:
        return []
    return list(np.arange(np.ceil(bounds[0]), np.floor(bounds[1]) + 1).astype(int).tolist())


def _nobody(items: Sequence[str], keys: Sequence[str]) -> DataError:
    return DataError(
        f"Nobody answered all of {listing(items)} and has a value of {listing(keys)}.",
        code="missing-values",
        fix="Leave out the column that is empty.",
    )


def _in_memory(
    table: frames.Table,
    items: tuple[str, ...],
    bounds: Range | None,
    keys: Sequence[str],
    whole: bool,
) -> tuple[pd.DataFrame, Array, Array, Array, int]:
    """Return keys, n, means, squares and people left out, of rows that pandas holds."""
    held, _ = table.collect(keys)
    read = table.collect([], items)[1]
    x = read.to_numpy(float)
    if not len(x):
        raise no_rows(table.subject)
    low, high = np.fmin.reduce(x, axis=None), np.fmax.reduce(x, axis=None)
    if bounds is None or low < bounds[0] or high > bounds[1] or not np.isfinite([low, high]).all():
        _checked(table, items, bounds)  # says what is wrong
    complete = ~np.isnan(x).any(axis=1) & held.notna().all(axis=1).to_numpy()
    if not complete.all():
        x, held = x[complete], held[complete].reset_index(drop=True)
    if not len(x):
        raise _nobody(items, keys)
    codes, cells = group_codes(held, keys)
    n = np.bincount(codes).astype(float)
    middle = np.round(x.mean(axis=0)) if whole else x.mean(axis=0)
    mean, m2 = np.empty((2, len(n), len(items)))
    for j, column in enumerate((x - middle).T):
        column = np.ascontiguousarray(column)
        mean[:, j] = np.bincount(codes, column) / n
        if whole:
            m2[:, j] = np.bincount(codes, column * column) - np.bincount(codes, column) ** 2 / n
        else:
            m2[:, j] = np.bincount(codes, (column - mean[codes, j]) ** 2)
    return frames.plain_keys(cells), n, middle + mean, m2, int((~complete).sum())


@dataclass(frozen=True, eq=False)
class Scores:
    """One score per person, summed per unit × wave: n, mean, squares about the mean."""

    name: str
    unit: str
    wave: str | None
    keys: pd.DataFrame
    n: Array
    mean: Array
    m2: Array
    left_out: int

    @property
    def names(self) -> tuple[str]:
        """What ``mean`` and ``m2`` are of."""
        return (self.name,)

    @property
    def block(self) -> npt.NDArray[np.intp]:
        """The number of the wave of each cell: 0 where there are no waves."""
        if self.wave is None:
            return np.zeros(len(self.keys), dtype=np.intp)
        return np.asarray(pd.factorize(self.keys[self.wave], sort=True)[0])


def read_scores(
    source: Source,
    x: str,
    *,
    parse: frames.Parse | None = None,
) -> Scores:
    """Sum one score per unit × wave: a survey's measure, a column of a frame, or a term."""
    x = one_name("x", x)
    if source.sums is not None:
        unit = source.keys[0]
        cells = source.sums.select([x]).collapse(source.keys)
        _refuse_weights(cells)
        mean, m2 = cells.mean[:, 0], cells.m2[:, 0]
        return Scores(x, unit, source.wave, cells.keys, cells.n, mean, m2, cells.left_out)
    survey = as_survey(source, x, parse=parse)
    i = list(survey.measures).index(x)
    keys, sums = survey._sums(survey._unit_wave)
    start, factor = survey.measures[x].affine
    n, first, second = (sums[f"{c}_{i}"].to_numpy(float) for c in ("n", "s", "ss"))
    some = n > 0
    n, first, second = n[some], first[some], second[some]
    origin = sums[f"o_{i}"].to_numpy(float)[some]
    m2 = np.maximum(second - first**2 / n, 0.0)
    m2[m2 < 1e-13 * np.maximum(second, 1e-300)] = 0.0
    mean = start + factor * (origin + first / n)
    left_out = (survey._checked[0].count or 0) - int(n.sum())
    keys = keys[some].reset_index(drop=True)
    return Scores(x, survey.unit, survey.wave, keys, n, mean, factor**2 * m2, left_out)


def title(names: Sequence[str]) -> str:
    """Return several names as a heading: ``q1 … q11 (11)``."""
    if len(names) <= 3:
        return ", ".join(names)
    return f"{names[0]} … {names[-1]} ({len(names)})"


def read_people(
    source: Source, x: str, *, parse: frames.Parse | None = None
) -> tuple[pd.DataFrame, Array, str | None]:
    """Return key columns and one score per person who has one, in no order, and the wave's name."""
    survey = as_survey(source, one_name("x", x), parse=parse)
    measure, table = survey.measures[x], survey._checked[0]
    table = table.as_doubles(measure.columns)
    found, counted = table.tally(survey._unit_wave, measure.row(table))
    known = counted["value"].notna().to_numpy()
    times = counted.loc[known, "cells"].to_numpy(int)
    start, factor = measure.affine
    value = start + factor * counted.loc[known, "value"].to_numpy(float)
    keys = found[known].reset_index(drop=True)
    at = np.repeat(np.arange(len(keys)), times)
    return keys.take(at).reset_index(drop=True), np.repeat(value, times), survey.wave


def as_survey(source: Source, x: str, *, parse: frames.Parse | None = None) -> Survey:
    """Return the survey, or one made of a frame whose column x is its measure."""
    survey = source.survey
    if survey is None:
        if x in source.keys:
            raise OptionError(
                f"x={x!r} is the column of the units or waves.",
                code="named-twice",
                fix="Name the column of the scores.",
            )
        unit, measures = source.keys[0], {x: Mean(x)}
        survey = Survey(source.table, unit, source.wave, measures=measures, parse=parse)
    if x not in survey.measures:
        raise ColumnError(
            f"{x!r} is not a measure of the survey.",
            code="unknown-measure",
            fix=nearest(x, survey.measures).strip(),
        )
    refuse_not_of_persons(survey, x)
    return survey


def unit_keys(keys: pd.DataFrame) -> pd.DataFrame:
    """Return key columns under the names that tables of units have: unit, then wave."""
    return keys.set_axis(["unit", "wave"][: keys.shape[1]], axis=1)


def counted(keys: pd.DataFrame) -> dict[str, int | None]:
    """Return how many units, waves and groups (units, or units × waves) keys tell apart."""
    waves = int(keys.iloc[:, 1].nunique()) if keys.shape[1] > 1 else None
    return {"units": int(keys.iloc[:, 0].nunique()), "waves": waves, "groups": len(keys)}


def by_unit(
    keys: pd.DataFrame,
    n: Array,
    values: Mapping[str, Array],
    disclosure_n: int,
    *,
    with_sums: bool = False,
) -> pd.DataFrame:
    """Return a table of units that shows no figure of fewer than ``disclosure_n`` respondents.

    Beside sums over all units (``with_sums``), what is withheld is so many respondents together:
    else a single small unit would follow from the sums less the units shown.
    """
    few = n < disclosure_n
    if with_sums and few.any():
        order = np.argsort(n, kind="stable")
        least = int(np.searchsorted(np.cumsum(n[order]), disclosure_n)) + 1
        few[order[:least]] = True
    unknown = np.isnan(np.column_stack(list(values.values()))).all(axis=1)
    status = np.select([few, unknown], ["withheld", "undefined"], "shown")
    hidden = {c: np.where(few, np.nan, v) for c, v in {"n": n, **values}.items()}
    return unit_keys(keys).assign(**hidden, status=status)


def spread(values: Array, shown: npt.NDArray[np.bool_]) -> dict[str, float]:
    """Return mean, median and range of an index over the units that may be shown."""
    kept = values[shown & ~np.isnan(values)]
    if not len(kept):
        raise DataError(
            "No unit has a value to show: each has too few respondents for disclosure_n, or one.",
            code="too-few-people",
            fix="Group people by a larger unit, or look whether unit= names the person.",
        )
    return {
        "groups": len(kept),
        "estimate": float(kept.mean()),
        "median": float(np.median(kept)),
        "sd": float(kept.std(ddof=1)) if len(kept) > 1 else np.nan,
        "minimum": float(kept.min()),
        "maximum": float(kept.max()),
    }


def withheld(result: Result) -> str:
    """Return how many units are withheld, for the caption of a figure."""
    what = "units × waves" if "wave" in result.tables["units"] else "units"
    return f"{result.stats['withheld']} {what} are withheld."


def rows_as_table(
    rows: Sequence[Mapping[str, Any]], keys: Sequence[str], more: Sequence[str] = ()
) -> pd.DataFrame:
    """Return the agreed table of rows; what a row lacks is missing."""

    def column(name: str) -> list[Any]:
        return [row.get(name, np.nan) for row in rows]

    numbers = {name: column(name) for name in NUMBERS}
    return tidy({k: column(k) for k in keys}, numbers, {m: column(m) for m in more})
