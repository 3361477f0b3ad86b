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
    related_errors,
    summarise,
    taken_off,
)

__all__ = ["Survey"]

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

    @cached_property
    def _rows(self) -> int:
        rows = {"unit": self.table.key(self.unit)}
        counted = self.table.group([], rows, {"rows": frames.count()})[1]
        if not (found := int(counted["rows"].iloc[0])):
            raise DataError(
                f"{self.table.subject} has no rows.",
                code="no-rows",
                fix="Give data with at least one row.",
            )
        return found

    @cached_property
    def rows_without_key(self) -> int:
        """Rows that name no unit or no wave and so belong to no cell."""
        return self._rows - int(self._unit_wave_sums[1]["rows"].sum())

    @cached_property
    def _checked(self) -> tuple[frames.Table, dict[str, float]]:
        return check_answers(self.table, self.measures)

    @cached_property
    def _unit_wave_sums(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        return self._sums(self._unit_wave)

    def _sums(self, keys: list[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Cells, and n, Σu, Σu² of every measure (and weighted ones), from one grouped query."""
        table, origins = self._checked
        rows: dict[str, frames.Expr] = {}
        squares: dict[str, frames.Expr] = {}
        totals = {"rows": frames.count()}
        if self.weight:
            rows["w"] = self._weight
        for i, (name, measure) in enumerate(self.measures.items()):
            value = measure.row(table)
            u, origin = f"u{i}", origins[name]
            rows[u] = value - origin if origin else value
            own = frames.column(u)
            totals[f"n{i}"] = frames.answered(u)
            if isinstance(measure, Extreme):
                totals |= {f"lo{i}": frames.lowest(u), f"hi{i}": frames.highest(u)}
            if measure.powers > 2:
                squares |= {f"c{i}": own * own * own, f"d{i}": own * own * own * own}
                totals |= {f"s3_{i}": frames.total(f"c{i}"), f"s4_{i}": frames.total(f"d{i}")}
            if self.weight is None:
                squares[f"q{i}"] = own * own
                totals |= {f"s{i}": frames.total(u), f"ss{i}": frames.total(f"q{i}")}
                continue
            w = frames.column("w")
            seen = frames.present([own]) * w
            squares |= {f"w{i}": seen, f"v{i}": seen * w, f"a{i}": own * w, f"b{i}": own * own * w}
            pairs = (("w", "w"), ("w2", "v"), ("ws", "a"), ("wss", "b"))
            totals |= {f"{out}{i}": frames.total(f"{col}{i}") for out, col in pairs}
        cells, sums = table.group(keys, rows, totals, then=squares)
        if not len(cells):
            raise DataError(
                f"No row of {table.name} names all of {listing(keys)}.",
                code="no-rows",
                fix="Leave out a key that is missing throughout.",
            )
        for i, (name, measure) in enumerate(self.measures.items()):
            sums[f"o{i}"] = origins[name] + taken_off(measure, table)
            if isinstance(measure, Mean):
                self._recentre(measure, keys, cells, sums, i)
        return cells, sums

    def _recentre(
        self, measure: Mean, keys: list[str], cells: pd.DataFrame, sums: pd.DataFrame, i: int
    ) -> None:
        """Where cells lie far from the origin, sum amounts around each cell's own mean instead."""
        own = ("w", "ws", "wss") if self.weight else ("n", "s", "ss")
        size, first, second = (sums[f"{c}{i}"].to_numpy(float) for c in own)
        square = first**2 / np.where(size > 0, size, 1.0)
        spread = second - square
        # equal whole numbers have exact sums, as far as doubles hold them: no spread is none
        mean = first / np.where(size > 0, size, 1.0)
        told = (spread == 0) & (mean % 1 == 0) & (second < 2.0**53)
        if not ((square > moments.FAR * spread) & ~told & (sums[f"n{i}"] > 1)).any():
            return
        term = formula.Term((formula.Name(measure.column),))
        around = moments.from_engine(self.table, keys, [term], self.weight)
        row = pd.MultiIndex.from_frame(around.keys).get_indexer(pd.MultiIndex.from_frame(cells))
        known, row = row >= 0, row[row >= 0]
        mean, rest = (m[row, 0] for m in around.centres)
        sums.loc[known, f"o{i}"] = mean
        sums.loc[known, f"{own[1]}{i}"] = around.w[row] * rest
        sums.loc[known, f"{own[2]}{i}"] = around.m2[row, 0] + around.w[row] * rest**2

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
        cells, sums = self._sums(keys) if by else self._unit_wave_sums
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
        means = {
            i: (name, measure)
            for i, (name, measure) in enumerate(self.measures.items())
            if not isinstance(measure, AcrossTouchpoints | Dispersion | Extreme)
        }
        pairs = list(combinations(means, 2))
        names = pd.MultiIndex.from_tuples(
            [(means[i][0], means[j][0]) for i, j in pairs], names=["measure", "with_measure"]
        )
        if not pairs:
            return pd.DataFrame(index=cells.index)
        keys, sums = self._pair_sums(list(cells.columns), means, pairs)
        if relabel:
            named = keys.copy()
            for c, to in relabel.items():
                named[c] = keys[c].map(dict(to))
            known = named.notna().all(axis=1).to_numpy()
            codes, keys = moments.group_codes(
                named[known].reset_index(drop=True), list(cells.columns)
            )
            sums = sums[known].groupby(codes).sum().reset_index(drop=True)
        at = pd.MultiIndex.from_frame(keys).get_indexer(pd.MultiIndex.from_frame(cells))
        own = {c: sums[c].to_numpy(float)[at] for c in sums.columns}
        found = {}
        for (i, j), name in zip(pairs, names, strict=True):
            pair = f"{i}_{j}"
            if f"n_{pair}" in own:
                both = {k: own[f"{k}_{pair}"] for k in ("n", "w", "w2", "u", "uu", "v", "vv")}
            else:
                both = {k: own[f"{k}_{i}"] for k in ("n", "w", "w2", "u", "uu")}
                both |= {"v": own[f"u_{j}"], "vv": own[f"uu_{j}"]}
            both["uv"] = own[f"uv_{pair}"]
            related = related_errors(both, (own[f"w2_{i}"], own[f"w2_{j}"]))
            few = (both["n"] > 0) & (both["n"] < least)
            found[name] = np.where(few, np.nan, related)
        return pd.DataFrame(found, cells.index).set_axis(names, axis=1)

    def _pair_sums(
        self,
        keys: list[str],
        means: Mapping[int, tuple[str, Measure]],
        pairs: Sequence[tuple[int, int]],
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Sum, over those who answered both measures of a pair, weights, values and products."""
        table, origins = self._checked
        rows: dict[str, frames.Expr] = {}
        if self.weight:
            rows["w"] = self._weight
        for i, (name, measure) in means.items():
            value = measure.row(table)
            rows[f"u{i}"] = value - origins[name] if origins[name] else value

        def weighted(seen: frames.Expr) -> frames.Expr:
            return seen * frames.column("w") if self.weight else seen

        named: dict[str, frames.Expr] = {}
        for i in means:
            u = frames.column(f"u{i}")
            seen = frames.present([u])
            w = weighted(seen)
            own = {"n": seen, "w": w, "w2": weighted(w), "u": w * u, "uu": w * u * u}
            named |= {f"{k}_{i}": amount for k, amount in own.items()}
        for i, j in pairs:
            u, v = frames.column(f"u{i}"), frames.column(f"u{j}")
            # the product is missing where either answer is
            seen = frames.present([u * v])
            w = weighted(seen)
            named[f"uv_{i}_{j}"] = w * u * v
            if table.full.issuperset([*means[i][1].columns, *means[j][1].columns]):
                continue  # all answered both: the sums of each will do
            own = {"n": seen, "w": w, "w2": weighted(w), "u": w * u, "v": w * v}
            own |= {"uu": w * u * u, "vv": w * v * v}
            named |= {f"{k}_{i}_{j}": amount for k, amount in own.items()}
        totals = {name: frames.total(name) for name in named}
        return table.group(keys, rows, totals, then=named)

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
        kinds = {k: f"{k}{i}" for k in ("n", "w", "w2", "ws", "wss")}
        if self.weight is None:
            kinds = {k: f"{k}{i}" for k in ("n", "s", "ss")}
        if isinstance(measure, Extreme):
            kinds |= {"minimum": f"lo{i}", "maximum": f"hi{i}"}
        if measure.powers > 2:
            kinds |= {"s3": f"s3_{i}", "s4": f"s4_{i}"}
        if not isinstance(measure, AcrossTouchpoints) or self.touchpoint in by:
            return summarise(
                measure.of if isinstance(measure, AcrossTouchpoints) else measure,
                {kind: sums[column].to_numpy(float) for kind, column in kinds.items()},
                origin=sums[f"o{i}"].to_numpy(float),
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
            "n": sums[f"n{i}"].to_numpy(np.int64),
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
            o = sums[f"o{i}"].to_numpy(float)
            gap = o - o.mean() if np.ptp(o) else np.zeros(len(o))
            w, s, ss = ("w", "ws", "wss") if self.weight else ("n", "s", "ss")
            first = sums[f"{s}{i}"] + gap * sums[f"{w}{i}"]
            second = sums[f"{ss}{i}"] + 2 * gap * sums[f"{s}{i}"] + gap**2 * sums[f"{w}{i}"]
            moved = moved.assign(**{f"{s}{i}": first, f"{ss}{i}": second, f"o{i}": o - gap})
        how = {
            c: "min" if c.startswith("lo") else "max" if c.startswith(("hi", "o")) else "sum"
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
