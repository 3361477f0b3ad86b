"""What agreement is computed from: the answers of each unit's people, as sums."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from .. import frames
from ..errors import ColumnError, DataError, OptionError, listing, nearest
from ..measures import Mean, Measure, Scale, check_answers
from ..moments import ROW, Moments
from ..results import fingerprint
from ..survey import Survey

__all__ = [
    "Answers",
    "Scores",
    "as_survey",
    "by_unit",
    "read_answers",
    "read_people",
    "read_scores",
    "spread",
    "title",
]

Array = npt.NDArray[np.float64]
Range = tuple[float, float]

UNIT_COLUMNS = ("n", "status")


@dataclass(frozen=True, eq=False)
class Answers:
    """The items of one measure, summed per unit (× wave) over people who answered all of them.

    ``table`` holds the rows in their engine, where there are any: medians need them.
    """

    name: str
    items: tuple[str, ...]
    reverse: tuple[str, ...]
    bounds: Range | None
    cells: Moments
    table: frames.Table | None

    @property
    def options(self) -> int | None:
        """How many options an item has, one apart; None where the range is not known."""
        if self.bounds is None:
            return None
        width = self.bounds[1] - self.bounds[0]
        if not float(width).is_integer():
            raise OptionError(
                f"range={self.bounds!r}: options lie one apart, so the range is a whole number."
            )
        return int(width) + 1

    @property
    def variances(self) -> Array:
        """Variance of each item in each unit (divisor n - 1), NaN for one respondent."""
        squares = np.diagonal(self.cells.cross, axis1=1, axis2=2)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(
                self.cells.n[:, None] > 1, squares / (self.cells.n[:, None] - 1), np.nan
            )

    @property
    def basis(self) -> dict[str, Any]:
        """What a result rests on."""
        return {
            "n": int(self.cells.n.sum()),
            "units": len(self.cells.keys),
            "items": len(self.items),
            "left_out": self.cells.left_out,
        }

    @property
    def mark(self) -> str:
        """Fingerprint of the sums."""
        return fingerprint("|".join(self.items), self.cells.n, self.cells.mean, self.cells.m2)


def read_answers(
    data: object,
    items: str | Sequence[str] | None,
    *,
    unit: str | None,
    wave: str | None = None,
    range: Range | None = None,
    reverse: Sequence[str] = (),
    parse: frames.Parse | None = None,
) -> Answers:
    """Sum items per unit (× wave): of a survey's measure, of a frame, or take Moments as they are.

    Without ``unit`` all people are one cell (internal consistency).
    """
    if isinstance(data, Survey):
        return _of_survey(data, items, unit, wave, range, reverse, parse)
    names = (items,) if isinstance(items, str) else tuple(items or ())
    if isinstance(data, Moments):
        names = names or data.terms
        keys = [k for k in (unit, wave) if k]
        if ROW in data.keys.columns and not keys and unit is None:
            data = data.collapse()
        cells = data.select(names).collapse(keys)
        return Answers(title(names), names, tuple(reverse), range, cells, None)
    if not names:
        raise OptionError("items= names the columns of answers, such as ['e1', 'e2', 'e3'].")
    table = frames.open_table(data, numeric=names, parse=parse)
    table.require(names, "items")
    return _summed(table, title(names), names, tuple(reverse), range, [unit, wave])


def _of_survey(
    survey: Survey,
    measure: str | Sequence[str] | None,
    unit: str | None,
    wave: str | None,
    range: Range | None,
    reverse: Sequence[str],
    parse: frames.Parse | None,
) -> Answers:
    if any((unit, wave, range, reverse, parse)):
        raise OptionError(
            "A Survey knows its unit, wave, range, reversed items and parse=; leave them out."
        )
    if not isinstance(measure, str) or measure not in survey.measures:
        raise ColumnError(
            f"{measure!r} is not a measure of the survey; it has {listing(survey.measures)}."
        )
    of = survey.measures[measure]
    if len(of.columns) > 1 and not isinstance(of, Scale):
        raise OptionError(f"{measure!r} is a {type(of).__name__}; agreement needs single answers.")
    turned = tuple(of.reverse) if isinstance(of, Scale) else ()
    found = survey._checked[0]
    keys = [survey.unit, survey.wave]
    return _summed(found, measure, of.columns, turned, of.bounds, keys, check=False)


def _summed(
    table: frames.Table,
    name: str,
    items: tuple[str, ...],
    reverse: tuple[str, ...],
    bounds: Range | None,
    keys: Sequence[str | None],
    check: bool = True,
) -> Answers:
    if stray := [r for r in reverse if r not in items]:
        raise OptionError(f"reverse names {listing(stray)}, which is not among the items.")
    if len(set(items)) < len(items):
        raise OptionError(f"items names a column twice: {listing(items)}.")
    if check:
        of: Measure = Scale(items, range=bounds) if bounds else Mean(items[0])
        every = {name: of} if bounds else {item: Mean(item) for item in items}
        table = check_answers(table, every)[0]
    by = [k for k in keys if k]
    table.require(by, "unit or wave")
    cells = Moments.from_frame(table, keys=by, terms=[f"`{i}`" for i in items])
    return Answers(name, items, reverse, bounds, replace(cells, terms=items), table)


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
    def block(self) -> npt.NDArray[np.intp]:
        """The number of the wave of each cell: 0 where there are no waves."""
        if self.wave is None:
            return np.zeros(len(self.keys), dtype=np.intp)
        return np.asarray(pd.factorize(self.keys[self.wave], sort=True)[0])


def read_scores(
    data: object,
    x: str,
    *,
    unit: str | None,
    wave: str | None = None,
    parse: frames.Parse | None = None,
) -> Scores:
    """Sum one score per unit × wave: a survey's measure, a column of a frame, or a term."""
    if isinstance(data, Moments):
        if unit is None:
            raise OptionError("Moments need unit=, the key of the units.")
        cells = data.select([x]).collapse([unit, *([wave] if wave else [])])
        m2 = cells.m2[:, 0]
        return Scores(x, unit, wave, cells.keys, cells.n, cells.mean[:, 0], m2, data.left_out)
    survey = as_survey(data, x, unit=unit, wave=wave, parse=parse)
    i = list(survey.measures).index(x)
    keys, sums = survey._unit_wave_sums
    start, factor = survey.measures[x].affine
    n, first, second = (sums[f"{c}{i}"].to_numpy(float) for c in ("n", "s", "ss"))
    some = n > 0
    n, first, second = n[some], first[some], second[some]
    origin = sums[f"o{i}"].to_numpy(float)[some]
    m2 = np.maximum(second - first**2 / n, 0.0)
    m2[m2 < 1e-13 * np.maximum(second, 1e-300)] = 0.0
    mean = start + factor * (origin + first / n)
    left_out = survey._rows - int(n.sum())
    keys = keys[some].reset_index(drop=True)
    return Scores(x, survey.unit, survey.wave, keys, n, mean, factor**2 * m2, left_out)


def title(names: Sequence[str]) -> str:
    """Return several names as a heading: ``q1 … q11 (11)``."""
    if len(names) <= 3:
        return ", ".join(names)
    return f"{names[0]} … {names[-1]} ({len(names)})"


def read_people(
    data: object,
    x: str,
    *,
    unit: str | None,
    wave: str | None = None,
    parse: frames.Parse | None = None,
) -> tuple[pd.DataFrame, Array, str | None]:
    """Return key columns and one score per person who has one, in no order, and the wave's name."""
    survey = as_survey(data, x, unit=unit, wave=wave, parse=parse)
    measure, table = survey.measures[x], survey._checked[0]
    found, counted = table.tally(survey._unit_wave, measure.row(table))
    known = counted["value"].notna().to_numpy()
    times = counted.loc[known, "cells"].to_numpy(int)
    start, factor = measure.affine
    value = start + factor * counted.loc[known, "value"].to_numpy(float)
    keys = found[known].reset_index(drop=True)
    at = np.repeat(np.arange(len(keys)), times)
    return keys.take(at).reset_index(drop=True), np.repeat(value, times), survey.wave


def as_survey(
    data: object,
    x: str,
    *,
    unit: str | None,
    wave: str | None,
    parse: frames.Parse | None = None,
) -> Survey:
    """Return the survey, or one made of a frame whose column x is its measure."""
    if isinstance(data, Survey):
        if any((unit, wave, parse)):
            raise OptionError("A Survey knows its unit, wave and parse=; leave them out.")
        survey = data
    else:
        if unit is None:
            raise OptionError("unit= names the column that tells which people belong together.")
        survey = Survey(data, unit=unit, wave=wave, measures={x: Mean(x)}, parse=parse)
    if x not in survey.measures:
        raise ColumnError(f"{x!r} is not a measure of the survey.{nearest(x, survey.measures)}")
    if survey.weight:
        raise OptionError(
            "Agreement and reliability of weighted answers are not defined here: make the Survey "
            "without weight=."
        )
    return survey


def by_unit(
    keys: pd.DataFrame, n: Array, values: Mapping[str, Array], disclosure_n: int
) -> pd.DataFrame:
    """Return a table of units that shows no figure of fewer than ``disclosure_n`` respondents."""
    if disclosure_n < 1:
        raise OptionError(f"disclosure_n={disclosure_n}: at least 1; 5 is usual.")
    if taken := [c for c in (*UNIT_COLUMNS, *values) if c in keys.columns]:
        raise OptionError(
            f"The key column {listing(taken)} has the name of a column of the result. Rename it."
        )
    few = n < disclosure_n
    unknown = np.isnan(np.column_stack(list(values.values()))).all(axis=1)
    status = np.select([few, unknown], ["withheld", "undefined"], "shown")
    hidden = {c: np.where(few, np.nan, v) for c, v in {"n": n, **values}.items()}
    return keys.assign(**hidden, status=status)


def spread(values: Array, shown: npt.NDArray[np.bool_]) -> dict[str, float]:
    """Return how an index is distributed over the units that may be shown."""
    kept = values[shown & ~np.isnan(values)]
    if not len(kept):
        raise DataError(
            "No unit has a value to show: each has too few respondents for disclosure_n, or one."
        )
    return {
        "units": len(kept),
        "mean": float(kept.mean()),
        "median": float(np.median(kept)),
        "sd": float(kept.std(ddof=1)) if len(kept) > 1 else np.nan,
        "minimum": float(kept.min()),
        "maximum": float(kept.max()),
    }
