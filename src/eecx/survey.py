"""A survey: respondent rows of one side, scored per unit × wave by one grouped query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from . import formula, frames, moments, options
from .errors import ColumnError, DataError, OptionError, check_source, listing, nearest
from .measures import (
    AcrossTouchpoints,
    Dispersion,
    Extreme,
    Mean,
    Measure,
    check_answers,
    is_mean,
    judge_answers,
    look_at_answers,
    related_errors,
    row_sums,
    summarise,
    taken_off,
)

__all__ = ["Survey"]


@dataclass(frozen=True, eq=False)
class _Sums:
    """Cells and their sums: about the cells' origins, and, with products, about the measures'.

    ``same`` names the sums of two measures that are those of one.
    """

    cells: pd.DataFrame
    sums: pd.DataFrame
    products: pd.DataFrame | None
    same: Mapping[str, str]


_COLUMNS = ("measure", "n", "value", "variance", "std_error", "conf_low", "conf_high", "status")


@dataclass(frozen=True, eq=False)
class Survey:
    """Respondent rows and what to make of them.

    Parameters
    ----------
    data : frame or path
        pandas, Polars (eager or lazy), PyArrow, a DuckDB relation, or a path to a CSV or
        Parquet file; one row per respondent. The rows stay where they are.
    unit : str
        Column that names the unit (store, branch, trust).
    wave : str, optional
        Column that names the survey period: integers, dates, periods ("2024Q1").
    measures : mapping of str to Measure
        Names and measures: ``{"nps": eecx.NPS("recommend")}``.
    weight : str, optional
        Column of positive respondent weights.
    segments : sequence of str
        Further columns to score by (region, role); see :meth:`scores`.
    parse : Parse, optional
        How text in numeric cells is to be read.
    touchpoint : str, optional
        Column that names the channel or journey stage an answer is about; :meth:`scores` are then
        per unit × wave × touchpoint. For employees: the function they work in.

    Raises
    ------
    ColumnError
        A named column is not there; near matches are listed.
    DataError
        Text in numeric cells, answers out of range, infinite values, weights that are not
        positive, no rows.

    Examples
    --------
    >>> import eecx, pandas as pd
    >>> answers = pd.DataFrame({"store": list("aaaaabbbbb"), "recommend": [10, 9, 9, 8, 3] * 2})
    >>> guests = eecx.Survey(answers, unit="store", measures={"nps": eecx.NPS("recommend")})
    >>> guests.scores()[["store", "n", "value"]]
      store    n  value
    0     a  5.0   40.0
    1     b  5.0   40.0
    """

    data: object
    unit: str
    wave: str | None = None
    measures: Mapping[str, Measure] = field(default_factory=dict)
    weight: str | None = None
    segments: Sequence[str] = ()
    parse: frames.Parse | None = None
    name: str = "the survey"
    touchpoint: str | None = None

    def __post_init__(self) -> None:
        check_source("Survey", self.data, frames=True)
        segments = (self.segments,) if isinstance(self.segments, str) else tuple(self.segments)
        object.__setattr__(self, "segments", segments)
        if not isinstance(self.measures, Mapping):
            raise OptionError(
                f"measures is a {type(self.measures).__name__}, which names no measures.",
                code="wrong-type",
                fix="Name each: measures={'nps': eecx.NPS('recommend')}.",
            )
        if not self.measures:
            raise OptionError(
                "A survey needs measures, such as measures={'nps': eecx.NPS('recommend')}.",
                code="needs-measures",
                fix="Name at least one.",
            )
        for name, measure in self.measures.items():
            if not isinstance(measure, Measure):
                raise OptionError(
                    f"Measure {name!r} is a {type(measure).__name__}; accepted are eecx.Scale, "
                    "Mean, TopBox, Favorable, NPS, Rate, Dispersion, Extreme and "
                    "AcrossTouchpoints.",
                    code="wrong-type",
                )
            if isinstance(measure, AcrossTouchpoints) and self.touchpoint is None:
                raise OptionError(
                    f"Measure {name!r} is made over touchpoints:",
                    code="needs-touchpoint",
                    fix="name their column with Survey(touchpoint=…).",
                )
            if self.weight and (measure.powers > 2 or isinstance(measure, Extreme)):
                raise OptionError(
                    f"Measure {name!r} ({type(measure).__name__}) is not defined for weighted "
                    "answers.",
                    code="unweighted-only",
                    fix="Leave out the weight or the measure.",
                )
            if name in self._keys:
                raise OptionError(
                    f"Measure {name!r} has the name of a key column.",
                    code="name-taken",
                    fix="Name it otherwise.",
                )
        if twice := {k for k in self._keys if self._keys.count(k) > 1}:
            raise OptionError(
                f"{listing(sorted(twice))} is named twice among unit, wave, segments, touchpoint.",
                code="named-twice",
                fix="Name each column once.",
            )
        if taken := [k for k in self._keys if k in _COLUMNS]:
            raise OptionError(
                f"The key column {listing(taken)} has the name of a column of scores() "
                f"({listing(_COLUMNS)}).",
                code="name-taken",
                fix="Rename it.",
            )
        self.table.require(self._keys, "The survey's unit, wave or segments")

    @cached_property
    def table(self) -> frames.Table:
        """The rows, opened in their engine."""
        numeric = [c for m in self.measures.values() for c in m.columns]
        numeric += [self.weight] if self.weight else []
        name = None if self.name == "the survey" else self.name
        table = frames.open_table(self.data, numeric=numeric, name=name, parse=self.parse)
        for name, measure in self.measures.items():
            table.require(measure.columns, f"Measure {name!r}")
        table.require([self.weight] if self.weight else [], "weight")
        return table

    @property
    def spec(self) -> dict[str, object]:
        """Every argument but the data, as plain values for the record of an analysis."""
        return {
            "unit": self.unit,
            "wave": self.wave,
            "weight": self.weight,
            "segments": list(self.segments),
            "touchpoint": self.touchpoint,
            "measures": {name: _said(measure) for name, measure in self.measures.items()},
            "parse": None if self.parse is None else vars(self.parse),
        }

    @property
    def _unit_wave(self) -> list[str]:
        return [self.unit, *([self.wave] if self.wave else [])]

    @property
    def _keys(self) -> list[str]:
        own = [self.touchpoint] if self.touchpoint else []
        return [*self._unit_wave, *self.segments, *own]

    @property
    def _rows(self) -> int:
        return int(self._checked[0].count or 0)

    @property
    def rows_without_key(self) -> int:
        """Rows that name no unit or no wave and so belong to no cell."""
        named = int(self._sums(self._unit_wave)[1]["rows"].sum())
        return self._rows - named

    @cached_property
    def _checked(self) -> tuple[frames.Table, dict[str, float]]:
        return check_answers(self.table, self.measures)

    @cached_property
    def _held(self) -> dict[tuple[str, ...], _Sums]:
        """What was summed already, by keys."""
        return {}

    def _sums(self, keys: list[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Cells, and n, Σu, Σu² of every measure (and weighted ones), from one grouped query."""
        held = self._asked(keys)
        return held.cells, held.sums

    def _asked(self, keys: list[str], *, products: bool = False) -> _Sums:
        """Sum the rows by these keys, with products of measures where asked for; once."""
        held = self._held.get(tuple(keys))
        if held is None or (products and held.products is None):
            held = self._held[tuple(keys)] = self._ask(keys, products)
        return held

    def _ask(self, keys: list[str], products: bool) -> _Sums:
        table, origins = self.table, dict.fromkeys(self.measures, 0.0)
        if not (on_the_way := self._checks_on_the_way):
            table, origins = self._checked
        weight = self._weight if self.weight else None
        pairs = combinations(self._means, 2) if products else ()
        asked = row_sums(table, self.measures, origins, weight, pairs)
        if on_the_way:
            rows, totals = look_at_answers(table, self.measures)
            cells, sums, seen = table.group_all(
                keys, asked.rows | rows, asked.totals | totals, then=asked.then
            )
            self.__dict__["_checked"] = judge_answers(table, self.measures, dict(seen)), origins
            sums = sums.drop(columns=list(totals))
        else:
            cells, sums = table.group(keys, asked.rows, asked.totals, then=asked.then)
        if not len(cells):
            raise DataError(
                f"No row of {table.name} names all of {listing(keys)}.",
                code="no-rows",
                fix="Leave out a key that is missing throughout.",
            )
        own = {name: sums[of] for name, of in asked.same.items()}
        for i, (name, measure) in enumerate(self.measures.items()):
            own[f"o_{i}"] = pd.Series(origins[name] + taken_off(measure, table), sums.index)
        raw = pd.concat([sums, pd.DataFrame(own)], axis=1)
        sums = raw.copy()
        for i, measure in enumerate(self.measures.values()):
            if isinstance(measure, Mean):
                self._recentre(measure, keys, cells, sums, i)
        return _Sums(cells, sums, raw if products else None, asked.same_of_both)

    @property
    def _most_rows(self) -> int:
        """How many rows a unit × wave may have: as many as there are, or as were counted."""
        held = self._held.get(tuple(self._unit_wave))
        return self._rows if held is None else int(held.sums["rows"].max())

    @property
    def _means(self) -> dict[int, str]:
        """Names of the measures that are means of people: their sampling errors are related."""
        other = AcrossTouchpoints | Dispersion | Extreme
        measures = enumerate(self.measures.items())
        return {i: name for i, (name, measure) in measures if not isinstance(measure, other)}

    @property
    def _checks_on_the_way(self) -> bool:
        """Whether answers are checked by the query that sums them, where each is a job of its own.

        Not where the sums rest on a look at the answers: where means have their origins.
        """
        seen = "_checked" in self.__dict__
        means = any(map(is_mean, self.measures.values()))
        return self.table.costly and not (seen or self.weight or means)

    def _recentre(
        self, measure: Mean, keys: list[str], cells: pd.DataFrame, sums: pd.DataFrame, i: int
    ) -> None:
        """Where cells lie far from the origin, sum amounts around each cell's own mean instead."""
        own = ("w", "ws", "wss") if self.weight else ("n", "s", "ss")
        size, first, second = (sums[f"{c}_{i}"].to_numpy(float) for c in own)
        square = first**2 / np.where(size > 0, size, 1.0)
        spread = second - square
        # equal whole numbers have exact sums, as far as doubles hold them: no spread is none
        mean = first / np.where(size > 0, size, 1.0)
        told = (spread == 0) & (mean % 1 == 0) & (second < 2.0**53)
        if not ((square > moments.FAR * spread) & ~told & (sums[f"n_{i}"] > 1)).any():
            return
        term = formula.Term((formula.Name(measure.column),))
        around = moments.from_engine(self.table, keys, [term], self.weight)
        row = pd.MultiIndex.from_frame(around.keys).get_indexer(pd.MultiIndex.from_frame(cells))
        known, row = row >= 0, row[row >= 0]
        mean, rest = (m[row, 0] for m in around.centres)
        sums.loc[known, f"o_{i}"] = mean
        sums.loc[known, f"{own[1]}_{i}"] = around.w[row] * rest
        sums.loc[known, f"{own[2]}_{i}"] = around.m2[row, 0] + around.w[row] * rest**2

    @cached_property
    def _weight(self) -> frames.Expr:
        """The respondents' weights, checked; what they are all multiplied by makes no difference.

        Those whose squares no double holds are divided by the greatest.
        """
        expression = self.table.real(str(self.weight))
        w = frames.column("w")
        totals = {
            "answered": frames.answered("w"),
            "low": frames.flag(w <= 0, w).sum(),
            "lowest": frames.lowest("w"),
            "highest": frames.highest("w"),
        }
        seen = self.table.group([], {"w": expression}, totals)[1].iloc[0].fillna(0)
        low, missing = int(seen["low"]), self._rows - int(seen["answered"])
        if low or missing:
            raise DataError(
                f"Weight {self.weight!r} of {self.table.name} is zero or negative in {low} rows "
                f"and missing in {missing}. Every respondent needs a positive weight.",
                code="bad-weight",
                fix="Remove those rows or correct their weights.",
            )
        lowest, highest = float(seen["lowest"]), float(seen["highest"])
        if np.isinf(highest):
            raise DataError(
                f"Weight {self.weight!r} of {self.table.name} holds infinite values.",
                code="infinite-values",
                fix="Correct those weights.",
            )
        if not (moments.is_extreme(0.0, lowest) or moments.is_extreme(0.0, highest)):
            return expression
        if moments.is_extreme(0.0, lowest / highest):
            raise moments.extreme(f"Weight {self.weight!r} of {self.table.name}", lowest, highest)
        return expression / highest

    def scores(
        self,
        *,
        by: Sequence[str] | None = None,
        disclosure_n: int = 5,
        conf_level: float = 0.95,
    ) -> pd.DataFrame:
        """Score every measure per unit × wave, and per touchpoint where the survey has them.

        Parameters
        ----------
        by : sequence of str, optional
            Segments to score separately; by default the touchpoint, if there is one. ``()`` takes
            all of a unit's respondents together.
        disclosure_n : int
            Cells with fewer respondents are listed as withheld, without n or value. A withheld
            segment may still follow from its unit's total: to publish several tables of one
            survey use :func:`eecx.release`.
        conf_level : float
            Level of the interval.

        Returns
        -------
        pandas.DataFrame
            One row per unit × wave (× segment) × measure: ``measure, n, value, variance,
            std_error, conf_low, conf_high, status``, where ``variance`` is the sampling variance
            of the value and ``status`` is ``"scored"``, ``"withheld"``, ``"no answer"`` or
            ``"undefined"`` (answers that give no value, such as the dispersion of one person).
        """
        disclosure_n = options.disclosure_n(disclosure_n)
        self._refuse_small_touchpoints(disclosure_n)
        if by is None:
            by = [self.touchpoint] if self.touchpoint else []
        long = self._cells(by=by, conf_level=conf_level, least=disclosure_n)
        few = (long["n"] < disclosure_n) & (long["n"] > 0)
        kinds = pd.Index(["scored", "withheld", "no answer", "undefined"], dtype="str")
        which = [few, long["n"] == 0, long["value"].isna()]
        long["status"] = kinds.take(np.select(which, [1, 2, 3], 0))
        long["n"] = long["n"].astype(float)
        hidden = ["n", "value", "variance", "std_error", "conf_low", "conf_high"]
        long.loc[few, hidden] = np.nan
        return long

    def _refuse_small_touchpoints(self, disclosure_n: int) -> None:
        """Refuse composites that rest on touchpoints too small to be shown themselves."""
        for name, measure in self.measures.items():
            if isinstance(measure, AcrossTouchpoints) and measure.least < disclosure_n:
                raise OptionError(
                    f"Measure {name!r} takes touchpoints of {measure.least} respondents, fewer "
                    f"than disclosure_n={disclosure_n}: one of them may be all it shows.",
                    code="below-minimum",
                    fix="Raise least=.",
                )

    def _cells(
        self,
        *,
        by: Sequence[str] = (),
        conf_level: float = 0.95,
        relabel: Mapping[str, Mapping[Any, Any]] | None = None,
        least: int = 1,
    ) -> pd.DataFrame:
        """Score without withholding anything: for the steps that decide what may be shown.

        ``relabel`` renames values of a key, and cells that then have the same keys become one.
        Cells below ``least`` respondents have no part in what stands in for other cells.
        """
        options.conf_level(conf_level)
        by = [by] if isinstance(by, str) else list(dict.fromkeys(by))
        for segment in by:
            if segment not in (*self.segments, self.touchpoint):
                raise ColumnError(
                    f"{segment!r} is not among the segments.",
                    code="unknown-segment",
                    fix=nearest(segment, self.segments),
                )
        keys = [*self._unit_wave, *by]
        # a query each: respondents without a segment count where none is asked for
        cells, sums = self._sums(keys)
        if relabel:
            cells, sums = self._merged(cells, sums, relabel)
        scored = [
            self._scored(i, measure, cells, sums, by, conf_level, least)
            for i, measure in enumerate(self.measures.values())
        ]
        # a cell's measures follow one another
        several = len(scored)
        long = cells.take(np.repeat(np.arange(len(cells)), several)).reset_index(drop=True)
        names = pd.Index(list(self.measures), dtype="str")
        long["measure"] = names.take(np.tile(np.arange(several), len(cells)))
        columns = {c: np.column_stack([s[c] for s in scored]).ravel() for c in scored[0]}
        return long.assign(**columns)

    def _related(
        self,
        cells: pd.DataFrame,
        *,
        relabel: Mapping[str, Mapping[Any, Any]] | None = None,
        least: int = 1,
    ) -> pd.DataFrame:
        """Return how the sampling errors of measures correlate in these cells, by pair of names.

        The same people answer several measures of one survey, so that their errors are related.
        Of measures that are means of people only; NaN where fewer than ``least``, if any, answered
        both.
        """
        pairs = list(combinations(self._means, 2))
        if not pairs:
            return pd.DataFrame(index=cells.index)
        held = self._asked(list(cells.columns), products=True)
        keys, sums, same = held.cells, held.products, held.same
        assert sums is not None
        if relabel:
            named = keys.copy()
            for c, to in relabel.items():
                named[c] = keys[c].map(dict(to))
            known = named.notna().all(axis=1).to_numpy()
            codes, keys = moments.group_codes(
                named[known].reset_index(drop=True), list(cells.columns)
            )
            sums = sums[known].groupby(codes).sum().reset_index(drop=True)
        at = np.arange(len(cells))
        if not keys.equals(cells):
            at = pd.MultiIndex.from_frame(keys).get_indexer(pd.MultiIndex.from_frame(cells))

        def own(name: str) -> np.ndarray:
            return sums[same.get(name, name)].to_numpy(float)[at]

        found = {}
        for i, j in pairs:
            both = {k: own(f"{k}_{i}_{j}") for k in ("n", "u", "uu", "v", "vv", "uv")}
            size = "w2" if self.weight else "n"  # without weights, each is 1
            both["w"] = own(f"w_{i}_{j}") if self.weight else both["n"]
            both["w2"] = own(f"{size}_{i}_{j}")
            related = related_errors(both, (own(f"{size}_{i}"), own(f"{size}_{j}")))
            few = (both["n"] > 0) & (both["n"] < least)
            found[(self._means[i], self._means[j])] = np.where(few, np.nan, related)
        names = pd.MultiIndex.from_tuples(list(found), names=["measure", "with_measure"])
        return pd.DataFrame(dict(enumerate(found.values())), cells.index).set_axis(names, axis=1)

    def _scored(
        self,
        i: int,
        measure: Measure,
        cells: pd.DataFrame,
        sums: pd.DataFrame,
        by: Sequence[str],
        conf_level: float,
        least: int,
    ) -> dict[str, Any]:
        own = ("n", "w", "w2", "ws", "wss") if self.weight else ("n", "s", "ss")
        kinds = {k: f"{k}_{i}" for k in own}
        if isinstance(measure, Extreme):
            kinds |= {"minimum": f"lo_{i}", "maximum": f"hi_{i}"}
        if measure.powers > 2:
            kinds |= {"s3": f"s3_{i}", "s4": f"s4_{i}"}
        if not isinstance(measure, AcrossTouchpoints) or self.touchpoint in by:
            return summarise(
                measure.of if isinstance(measure, AcrossTouchpoints) else measure,
                {kind: sums[column].to_numpy(float) for kind, column in kinds.items()},
                origin=sums[f"o_{i}"].to_numpy(float),
                conf_level=conf_level,
                least=least,
            )
        return self._across(i, measure, cells, sums, conf_level)

    def _across(
        self,
        i: int,
        measure: AcrossTouchpoints,
        cells: pd.DataFrame,
        sums: pd.DataFrame,
        conf_level: float,
    ) -> dict[str, Any]:
        """Score the touchpoints of every cell and combine them."""
        name = list(self.measures)[i]
        inner = replace(self, measures={name: measure.of})
        inner.__dict__["table"] = self.table
        keys = list(cells.columns)
        own = [*keys, str(self.touchpoint)]
        by = [k for k in own if k not in self._unit_wave]
        parts = inner._cells(by=by, least=measure.least)
        parts = parts[(parts["n"] >= measure.least) & parts["value"].notna()]
        at = pd.MultiIndex.from_frame(cells).get_indexer(pd.MultiIndex.from_frame(parts[keys]))
        known = at >= 0
        parts, at = parts[known], at[known].astype(np.intp)
        value, variance = measure.combine(
            at,
            len(cells),
            parts[self.touchpoint].tolist(),
            parts["value"].to_numpy(float),
            parts["variance"].to_numpy(float),
        )
        error = np.sqrt(variance)
        least = 0.0 if measure.how == "dispersion" else -np.inf
        reach = -special.ndtri((1 - conf_level) / 2) * error
        return {
            "n": sums[f"n_{i}"].to_numpy(np.int64),
            "value": value,
            "variance": variance,
            "std_error": error,
            "conf_low": np.maximum(value - reach, least),
            "conf_high": value + reach,
        }

    def _merged(
        self, cells: pd.DataFrame, sums: pd.DataFrame, relabel: Mapping[str, Mapping[Any, Any]]
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Rename values of keys and add up the cells that then are the same; unnamed ones go."""
        named = cells.copy()
        for c, to in relabel.items():
            named[c] = cells[c].map(dict(to))
        known = named.notna().all(axis=1).to_numpy()
        named, sums = named[known].reset_index(drop=True), sums[known].reset_index(drop=True)
        codes, kept = moments.group_codes(named, list(named.columns))
        moved = sums.copy()
        for i in range(len(self.measures)):
            o = sums[f"o_{i}"].to_numpy(float)
            gap = o - o.mean() if np.ptp(o) else np.zeros(len(o))
            kinds = ("w", "ws", "wss") if self.weight else ("n", "s", "ss")
            (w, first), second = (sums[f"{k}_{i}"] for k in kinds[:2]), sums[f"{kinds[2]}_{i}"]
            about = {
                f"{kinds[1]}_{i}": first + gap * w,
                f"{kinds[2]}_{i}": second + 2 * gap * first + gap**2 * w,
                f"o_{i}": o - gap,
            }
            moved = moved.assign(**about)
        how = {
            c: "min" if c.startswith("lo_") else "max" if c.startswith(("hi_", "o_")) else "sum"
            for c in moved.columns
        }
        return kept, moved.groupby(codes).agg(how).reset_index(drop=True)

    def __repr__(self) -> str:
        return (
            f"<Survey: {', '.join(self.measures)} per {self.unit}"
            f"{f' × {self.wave}' if self.wave else ''}, held by {self.table.engine}>"
        )


def _said(measure: Measure) -> dict[str, object]:
    """Return a measure as plain values."""
    inner = {k: _said(v) if isinstance(v, Measure) else v for k, v in vars(measure).items()}
    return {"type": type(measure).__name__, **inner}
