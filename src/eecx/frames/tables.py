"""A handle on rows that stay where they are, and the grouped queries that sum them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from ..errors import ColumnError, DataError, EecxError, EngineError, nearest
from .expressions import Expr, every_present, flag, real, zero_if_missing
from .failures import opening, reason, unreadable
from .kinds import NUMBERS, Kind
from .parse import RECORD, Parse
from .plain import plain, plain_keys

__all__ = ["Table"]


@dataclass(frozen=True)
class Table:
    """Rows held by some engine, the kinds of their columns, and a record of text cells read."""

    rows: nw.LazyFrame[Any]
    kinds: Mapping[str, Kind]
    engine: str
    name: str
    parse: Parse | None = None
    record: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(RECORD)))
    full: frozenset[str] = frozenset()
    """Numeric columns known to have an answer in every row: nothing need be guarded there."""
    count: int | None = None
    """How many rows there are, where they were counted."""
    extents: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Lowest and highest answer of the columns that were looked at."""

    @property
    def subject(self) -> str:
        """The name where a sentence starts with it."""
        return opening(self.name)

    @property
    def costly(self) -> bool:
        """Whether a query that only looks at the answers costs about as much as one that sums."""
        return bool(self.rows.implementation.is_spark_like())

    def require(self, columns: Iterable[str], role: str) -> None:
        """Raise :class:`ColumnError` for the first column that is not there."""
        for column in columns:
            if column not in self.kinds:
                raise ColumnError(
                    f"{role} names the column {column!r}, which is not in {self.name}.",
                    code="unknown-column",
                    fix=nearest(column, self.kinds),
                )

    def _column(self, column: str) -> Expr:
        """Return the column as it is held."""
        if self.rows.implementation.is_spark_like():  # reads a dot in a name as a part of it
            column = "`{}`".format(column.replace("`", "``"))
        return nw.col(column)

    def number(self, column: str) -> Expr:
        """Return the column as a number per row: null where missing, NaN or a missing code."""
        kind = self.kinds[column]
        if kind not in NUMBERS:
            raise DataError(
                f"Column {column!r} of {self.name} holds {kind}, not numbers.",
                code="not-numbers",
                fix="Make it numbers, or name another column.",
            )
        whole = kind in ("integer", "boolean")
        value = self._column(column).cast(nw.Int64 if whole else nw.Float64)
        if column in self.full:
            return value
        if kind in ("float", "parsed"):
            value = nw.when(~value.is_nan()).then(value)
        for code in self.parse.codes if self.parse and kind != "parsed" else ():
            value = nw.when(value != code).then(value)
        return value

    def untouched(self, column: str) -> Expr:
        """Return the column for its extent: as :meth:`number`, whole numbers not widened."""
        plain = self.kinds[column] == "integer" and not (self.parse and self.parse.codes)
        return self._column(column) if plain else self.number(column)

    def flag(self, column: str, holds: Callable[[Expr], Expr]) -> Expr:
        """Return 1 where a condition on the column holds and 0 where not, null where missing."""
        value = self.number(column)
        return holds(value).cast(nw.Int64) if column in self.full else flag(holds(value), value)

    def key(self, column: str) -> Expr:
        """Return the column as it tells cells apart; times lose their zone, not their clock."""
        value, kind = self._column(column), self.kinds[column]
        if kind == "huge":  # pandas would round it
            return value.cast(nw.Int64)
        return value.dt.replace_time_zone(None) if kind == "zoned" else value

    def group(
        self,
        keys: Sequence[str],
        rows: Mapping[str, Expr],
        totals: Mapping[str, Expr],
        *,
        then: Mapping[str, Expr] | None = None,
        complete: Expr | None = None,
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Run one grouped query; return the cells' keys, sorted, and their totals, row by row.

        ``rows`` are made from the columns of the data, ``then`` from those in the rows that are
        ``complete``; ``totals`` aggregate both. Keys that are missing or blank form no group.
        """
        with self._asking():
            frame = self._rows_only(keys, rows)
            frame = frame if complete is None else frame.filter(complete)
            frame = frame.with_columns(**then) if then else frame
            found, sums = self._aggregate(frame, len(keys), totals)
        return found.set_axis(list(keys), axis=1), sums

    def group_all(
        self,
        keys: Sequence[str],
        rows: Mapping[str, Expr],
        totals: Mapping[str, Expr],
        *,
        then: Mapping[str, Expr] | None = None,
    ) -> tuple[pd.DataFrame, pd.DataFrame, pd.Series[Any]]:
        """As :meth:`group`, and the sums of the totals over all rows, with and without keys."""
        with self._asking():
            frame = self._rows_only(keys, rows)
            frame = frame.with_columns(**then) if then else frame
            found, sums = self._aggregate(frame, len(keys), totals, every=True)
        named = found.notna().all(axis=1)
        cells = plain_keys(found[named]).reset_index(drop=True).set_axis(list(keys), axis=1)
        return cells, sums[named].reset_index(drop=True), sums.sum()

    def tally(self, keys: Sequence[str], answer: Expr) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Count rows per keys and value of ``answer`` (null too): keys, and ``value, cells``."""
        last = len(keys)
        answers = {
            f"key_{last}": zero_if_missing(real(answer)),
            f"key_{last + 1}": answer.is_null(),
        }
        with self._asking():
            frame = self._rows_only(keys, answers)
            found, counted = self._aggregate(frame, last + 2, {"cells": nw.len()})
        value = found[f"key_{last}"].astype(float).mask(found[f"key_{last + 1}"].astype(bool))
        return found.iloc[:, :last].set_axis(list(keys), axis=1), counted.assign(value=value)

    def rows_of(
        self, keys: Sequence[str], rows: Mapping[str, Expr]
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Bring keys and row expressions into memory, a row a respondent; missing is NaN."""
        with self._asking():
            raw = _pandas(self._rows_only(keys, {c: real(e) for c, e in rows.items()}))
        held = plain_keys(raw[[f"key_{i}" for i in range(len(keys))]]).set_axis(list(keys), axis=1)
        read = {c: raw[c].to_numpy(float, na_value=np.nan) for c in rows}
        return held.reset_index(drop=True), pd.DataFrame(read)

    def less_cell_means(
        self, keys: Sequence[str], rows: Mapping[str, Expr], weight: Expr | None
    ) -> Table:
        """Return complete ``rows`` with each cell's mean, in ``mean_*``, taken off in the engine.

        The keys are renamed ``key_0``, ``key_1``, …, the weight is ``w``.
        """
        columns = {**rows, **({"w": weight} if weight is not None else {})}
        at = [f"key_{i}" for i in range(len(keys))]
        share = nw.lit(1.0) if weight is None else nw.col("w")
        products = {f"mean_{n}": nw.col(n) * share for n in rows}
        totals = {m: nw.col(m).sum() for m in ("share", *products)}
        means = {m: nw.col(m) / nw.col("share") for m in products}
        with self._asking():
            frame = self._rows_only(keys, columns).filter(every_present([*columns, *at]))
            shared = frame.with_columns(share=share, **products)
            if keys:
                centres = shared.group_by(*at).agg(**totals).with_columns(**means).drop("share")
                centred = frame.join(centres, on=at, how="inner")
            else:
                centre = _pandas(shared.select(**totals).select(**means)).iloc[0]
                centred = frame.with_columns(**{m: nw.lit(float(centre[m])) for m in means})
            moved = centred.with_columns(**{n: nw.col(n) - nw.col(f"mean_{n}") for n in rows})
        kinds: dict[str, Kind] = dict.fromkeys(at, "other")
        kinds |= dict.fromkeys([*columns, *means], "float")
        return Table(moved, kinds, self.engine, self.name)

    def _rows_only(self, keys: Sequence[str], rows: Mapping[str, Expr]) -> nw.LazyFrame[Any]:
        """Return keys and ``rows`` alone, keys renamed so that no name of the data collides."""
        return self.rows.select(**{f"key_{i}": self.key(k) for i, k in enumerate(keys)}, **rows)

    def _aggregate(
        self,
        frame: nw.LazyFrame[Any],
        keys: int,
        totals: Mapping[str, Expr],
        *,
        every: bool = False,
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Aggregate by the keys; rows that lack one are left out unless ``every`` row counts."""
        at = [f"key_{i}" for i in range(keys)]
        if keys:
            kept = frame if every else frame.filter(every_present(at))
            out = kept.group_by(*at).agg(**totals)
        else:
            out = frame.select(**totals)
        if self.engine == "duckdb":  # sums integers in 128 bits, which pandas knows as floats
            schema = out.collect_schema()
            huge = [c for c in totals if schema[c] == nw.Int128]
            out = out.with_columns(nw.col(*huge).cast(nw.Int64)) if huge else out
        result = _pandas(out)
        found = plain_keys(result[at])
        known = found.notna().all(axis=1)
        if not (every or known.all()):
            result, found = result[known], plain_keys(found[known])
        order = found.sort_values(at).index if keys else found.index
        sums = result.loc[order, list(totals)].apply(pd.to_numeric)
        return found.loc[order].reset_index(drop=True), sums.reset_index(drop=True)

    def collect(
        self, columns: Sequence[str], numbers: Sequence[str] = ()
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Bring columns into memory: some as they are, some as numbers, missing being NaN."""
        if self.engine == "pandas" and self._held_as_they_are(columns, numbers):
            rows = _pandas(self.rows)
            kept = pd.DataFrame({c: plain(rows[c]) for c in columns}, rows.index, copy=False)
            return kept, self._numbers_held(rows, numbers)
        # pandas has no missing whole number but in its nullable types
        held = self.engine != "pandas"
        kinds = ("integer", "wide", "huge")
        whole = [i for i, c in enumerate(columns) if held and self.kinds[c] in kinds]
        chosen = {f"c{i}": self.key(c) for i, c in enumerate(columns)}
        chosen |= {f"null{i}": self._column(columns[i]).is_null() for i in whole}
        chosen |= {f"c{i}": zero_if_missing(self.key(columns[i])) for i in whole}
        chosen |= {f"x{i}": real(self.number(c)) for i, c in enumerate(numbers)}
        with self._asking():
            raw = _pandas(self.rows.select(**chosen))
        for i in whole:
            null = raw[f"null{i}"].astype(bool)
            if null.any():
                signed = raw[f"c{i}"].dtype.kind != "u"
                dtype = pd.Int64Dtype() if signed else pd.UInt64Dtype()
                raw[f"c{i}"] = raw[f"c{i}"].astype(dtype).mask(null)
        kept = pd.DataFrame({c: plain(raw[f"c{i}"]) for i, c in enumerate(columns)}, raw.index)
        read = {c: raw[f"x{i}"].to_numpy(float, na_value=np.nan) for i, c in enumerate(numbers)}
        return kept, pd.DataFrame(read, raw.index)

    def _held_as_they_are(self, columns: Sequence[str], numbers: Sequence[str]) -> bool:
        own = {self.kinds[c] for c in columns}
        return not own & {"huge", "zoned", "parsed"} and {self.kinds[c] for c in numbers} <= NUMBERS

    def _numbers_held(self, rows: pd.DataFrame, numbers: Sequence[str]) -> pd.DataFrame:
        """Take numbers that are in memory already, without asking an engine."""
        codes = self.parse.codes if self.parse else ()
        read = {}
        for c in numbers:
            read[c] = rows[c]
            if rows[c].dtype != np.float64 or codes:  # doubles are taken as they are, not copied
                values = _doubles(rows[c])
                if codes and self.kinds[c] != "parsed":
                    values[np.isin(values, codes)] = np.nan
                read[c] = pd.Series(values, rows.index)
        return pd.DataFrame(read, rows.index, copy=False)

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """Turn what fails in the engine into an error that names the data."""
        try:
            yield
        except EecxError:
            raise
        except ImportError as error:
            extra = "spark" if self.rows.implementation.is_spark_like() else "engines"
            raise EngineError(
                f"{self.subject} is held by {self.engine}, which cannot hand over results: "
                f"{reason(error)}.",
                code="needs-extra",
                fix=f"pip install 'eecx[{extra}]'",
            ) from error
        except Exception as error:  # every engine has its own kinds
            raise unreadable(self.name, self.engine, error) from error


def _pandas(frame: nw.LazyFrame[Any]) -> pd.DataFrame:
    if frame.implementation.is_spark_like():  # its own way warns of pandas 3 and goes row by row
        # a missing whole number would make the others floats, and round large ones
        rows: Any = frame.collect("pyarrow").to_native()
        return pd.DataFrame(rows.to_pandas(integer_object_nulls=True))
    return pd.DataFrame(frame.collect("pandas").to_native())


def _doubles(values: pd.Series[Any]) -> np.ndarray:
    if isinstance(values.dtype, np.dtype) and values.dtype.kind in "iufb":
        return values.to_numpy().astype(float)
    return values.to_numpy(float, na_value=np.nan, copy=True)
