"""A survey: respondent rows of one side, scored per unit × wave by one grouped query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from . import frames
from .errors import ColumnError, DataError, OptionError, listing, nearest
from .measures import Measure, check_answers, summarise
from .moments import group_codes

__all__ = ["Survey"]


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

    def __post_init__(self) -> None:
        segments = (self.segments,) if isinstance(self.segments, str) else tuple(self.segments)
        object.__setattr__(self, "segments", segments)
        if not self.measures:
            raise OptionError(
                "A survey needs measures, such as measures={'nps': eecx.NPS('recommend')}."
            )
        for name, measure in self.measures.items():
            if not isinstance(measure, Measure):
                raise OptionError(
                    f"Measure {name!r} is a {type(measure).__name__}; accepted are eecx.Scale, Mean, "
                    "TopBox, Favorable, NPS and Rate."
                )
            if name in (self.unit, self.wave, *segments, "measure"):
                raise OptionError(
                    f"Measure {name!r} has the name of a key column. Name it otherwise."
                )
        self.table.require(self._keys, "The survey's unit, wave or segments")

    @cached_property
    def table(self) -> frames.Table:
        """The rows, opened in their engine."""
        numeric = [c for m in self.measures.values() for c in m.columns]
        numeric += [self.weight] if self.weight else []
        table = frames.open_table(
            self.data, numeric=list(dict.fromkeys(numeric)), name=self._described, parse=self.parse
        )
        for name, measure in self.measures.items():
            table.require(measure.columns, f"Measure {name!r}")
        table.require([self.weight] if self.weight else [], "weight")
        return table

    @property
    def _described(self) -> str | None:
        return None if self.name == "the survey" else self.name

    @property
    def _keys(self) -> list[str]:
        return [self.unit, *([self.wave] if self.wave else []), *self.segments]

    @cached_property
    def rows_without_key(self) -> int:
        """Rows that name no unit, wave or segment and so belong to no cell."""
        keys = {f"k{i}": frames.column(k) for i, k in enumerate(self._keys)}
        totals = {"rows": frames.count(), "keyed": frames.every_present(list(keys)).sum()}
        seen = self.table.group([], keys, totals)[1].iloc[0]
        if not seen["rows"]:
            raise DataError(f"{self.table.name} has no rows.")
        if not seen["keyed"]:
            raise DataError(f"No row of {self.table.name} names all of {listing(self._keys)}.")
        return int(seen["rows"] - seen["keyed"])

    @cached_property
    def _origins(self) -> dict[str, float]:
        return check_answers(self.table, self.measures)

    @cached_property
    def _sums(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Cells, and n, Σu, Σu² of every measure (and weighted ones), from one grouped query."""
        table = self.table
        rows, squares, totals = {}, {}, {}
        if self.weight:
            rows["w"] = frames.real(table.number(self.weight))
            self._check_weights()
        for i, (name, measure) in enumerate(self.measures.items()):
            value = measure.row(table)
            u, origin = f"u{i}", self._origins[name]
            rows[u] = value - origin if origin else value
            own = frames.column(u)
            squares[f"q{i}"] = own * own
            totals[f"n{i}"] = frames.answered(u)
            if self.weight is None:
                totals |= {f"s{i}": frames.total(u), f"ss{i}": frames.total(f"q{i}")}
                continue
            w = frames.column("w")
            seen = frames.present([own]) * w
            squares |= {f"w{i}": seen, f"v{i}": seen * w, f"a{i}": own * w, f"b{i}": own * own * w}
            pairs = (("w", "w"), ("w2", "v"), ("ws", "a"), ("wss", "b"))
            totals |= {f"{out}{i}": frames.total(f"{col}{i}") for out, col in pairs}
        if self.weight is None:
            squares = {k: v for k, v in squares.items() if k.startswith("q")}
        return table.group(self._keys, rows, totals, then=squares)

    def _check_weights(self) -> None:
        weight = self.table.number(str(self.weight))
        rows = {"w": frames.real(weight)}
        totals = {
            "missing": frames.column("w").is_null().sum(),
            "low": frames.flag(frames.column("w") <= 0, frames.column("w")).sum(),
        }
        seen = self.table.group([], rows, totals)[1].iloc[0]
        if seen["low"] > 0 or seen["missing"] > 0:
            raise DataError(
                f"Weight {self.weight!r} of {self.table.name} is zero or negative in {int(seen['low'])} rows "
                f"and missing in {int(seen['missing'])}. Every respondent needs a positive weight."
            )

    def scores(
        self, *, by: Sequence[str] = (), disclosure_n: int = 5, conf_level: float = 0.95
    ) -> pd.DataFrame:
        """Score every measure per unit × wave.

        Parameters
        ----------
        by : sequence of str
            Segments to score separately.
        disclosure_n : int
            Cells with fewer respondents are listed as withheld, without n or value.
        conf_level : float
            Level of the interval.

        Returns
        -------
        pandas.DataFrame
            One row per unit × wave (× segment) × measure: ``measure, n, value, variance,
            std_error, conf_low, conf_high, status``, where ``variance`` is the sampling variance
            of the value and ``status`` is ``"scored"``, ``"withheld"`` or ``"no answer"``.
        """
        long = self.cells(by=by, conf_level=conf_level)
        few = (long["n"] < disclosure_n) & (long["n"] > 0)
        long["status"] = np.select([few, long["n"] == 0], ["withheld", "no answer"], "scored")
        long["n"] = long["n"].astype(float)
        hidden = ["n", "value", "variance", "std_error", "conf_low", "conf_high"]
        long.loc[few, hidden] = np.nan
        return long

    def cells(self, *, by: Sequence[str] = (), conf_level: float = 0.95) -> pd.DataFrame:
        """Score without withholding anything: for the steps that decide what may be shown.

        Not for publication: cells may rest on a single respondent.
        """
        by = [by] if isinstance(by, str) else list(by)
        for segment in by:
            if segment not in self.segments:
                raise ColumnError(
                    f"{segment!r} is not among the segments.{nearest(segment, self.segments)}"
                )
        keys = [self.unit, *([self.wave] if self.wave else []), *by]
        cells, sums = self._sums
        if len(keys) < len(self._keys):
            codes, merged = group_codes(cells, keys)
            cells, sums = merged, sums.groupby(codes, sort=True).sum()
        parts = []
        for i, (name, measure) in enumerate(self.measures.items()):
            own = {
                c: sums[f"{c}{i}"].to_numpy(float)
                for c in ("n", "s", "ss", "w", "w2", "ws", "wss")
                if f"{c}{i}" in sums.columns
            }
            scored = summarise(measure, own, origin=self._origins[name], conf_level=conf_level)
            parts.append(pd.concat([cells, scored.assign(measure=name)], axis=1))
        long = pd.concat(parts, keys=range(len(parts)), names=["_measure", "_cell"])
        long = long.sort_index(level=["_cell", "_measure"]).reset_index(drop=True)
        return long[[*keys, "measure", *scored.columns]]

    def __repr__(self) -> str:
        return (
            f"<Survey: {', '.join(self.measures)} per {self.unit}"
            f"{f' × {self.wave}' if self.wave else ''}, held by {self.table.engine}>"
        )
