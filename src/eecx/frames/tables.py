"""A handle on rows that stay where they are, and the grouped queries that sum them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from ..errors import ColumnError, DataError, EecxError, EngineError, nearest
from .expressions import Expr, choose, every_present, flag, known, real, zero_if_missing
from .failures import opening, reason, unreadable
from .fingerprint import fingerprint_of_table
from .kinds import NUMBERS, WHOLE, Kind
from .parse import RECORD, Parse, looks_numeric, same_as_written
from .plain import beyond_doubles, doubles, from_texts, plain, plain_keys, refuse_rounded, too_long

__all__ = ["Table"]

NO_RECORD = pd.DataFrame(columns=list(RECORD))


@dataclass(frozen=True)
class Table:
    """Rows held by some engine, the kinds of their columns, and a record of text cells read."""

    rows: nw.LazyFrame[Any]
    kinds: Mapping[str, Kind]
    engine: str
    name: str
    parse: Parse | None = None
    record: pd.DataFrame = field(default_factory=lambda: NO_RECORD)
    full: frozenset[str] = frozenset()
    """Numeric columns known to have an answer in every row: nothing need be guarded there."""
    count: int | None = None
    """How many rows there are, where they were counted."""
    extents: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Lowest and highest answer of the columns that were looked at."""
    path: Path | None = None
    """The file or folder that holds the rows, where there is one."""
    held: bool = True
    """Whether the rows are in memory, not yet to be made by an engine."""
    middle: Mapping[str, int] = field(default_factory=dict)
    """What :meth:`real` takes off whole numbers that go beyond 2^53, before they are doubles."""
    written: Mapping[str, str] = field(default_factory=dict)
    """Columns of numbers that tell fewer apart than their texts in a file, and where those are."""
    alike: Mapping[str, tuple[object, object]] = field(default_factory=dict)
    """Columns that hold a number and the same number as text: names of one thing, or of two."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(self.kinds)

    @cached_property
    def fingerprint(self) -> str:
        """What tells these data from others, whichever columns of them an analysis takes."""
        return fingerprint_of_table(self)

    @property
    def is_read(self) -> bool:
        """Whether the rows are in memory."""
        return self.held or self.engine == "pandas"

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

    def texts(self, columns: Iterable[str]) -> list[str]:
        """Return those of these columns that hold text."""
        return [c for c in dict.fromkeys(columns) if self.kinds.get(c) == "text"]

    def _refuse_complex(self, column: str) -> None:
        if self.kinds[column] == "complex":
            raise DataError(
                f"Column {column!r} of {self.name} holds complex numbers.",
                code="not-numbers",
                fix=f"Take one part of them, as in frame[{column!r}] = frame[{column!r}].map("
                "lambda z: z.real).",
            )

    def in_memory(self, columns: Sequence[str]) -> pd.DataFrame:
        """Bring columns into memory as they are; of what pandas holds, all that belongs to them."""
        if self.engine == "pandas":
            return _pandas(self.rows).copy(deep=False)
        return self.collect(columns)[0]

    def _column(self, column: str) -> Expr:
        """Return the column as it is held."""
        if self.rows.implementation.is_spark_like():  # reads a dot in a name as a part of it
            column = "`{}`".format(column.replace("`", "``"))
        return nw.col(column)

    def number(self, column: str) -> Expr:
        """Return the column as a number per row: null where missing, NaN or a missing code."""
        self._refuse_complex(column)
        kind = self.kinds[column]
        if kind not in NUMBERS:
            raise DataError(
                f"Column {column!r} of {self.name} holds {kind}, not numbers.",
                code="not-numbers",
                fix="Make it numbers, or name another column.",
            )
        whole = kind in ("integer", "boolean") or (kind == "wide" and bool(self.middle.get(column)))
        value = self._column(column).cast(nw.Int64 if whole else nw.Float64)
        if column in self.full:
            return value
        if kind in ("float", "parsed"):
            value = known(value)
        for code in self.parse.codes if self.parse and kind != "parsed" else ():
            value = nw.when(value != code).then(value)
        return value

    def real(self, column: str) -> Expr:
        """Return the column as doubles, less its ``middle``, if it has one."""
        if column not in self.middle:
            return real(self.number(column))
        value = self._column(column)
        if middle := self.middle[column]:
            return real(
                (value if self.parse is None else self.number(column)).cast(nw.Int64) - middle
            )
        # Arrow takes such numbers to doubles by way of text alone
        arrow = self.engine in ("pandas", "pyarrow")
        return real(value.cast(nw.String)) if arrow else real(value)

    def about_middles(self, extents: Mapping[str, tuple[Any, Any]]) -> Table:
        """Return the table with the ``middle`` of whole numbers beyond 2^53, of known extents.

        Raises
        ------
        DataError
            Where they lie so far apart that a double would lose their last digits all the same.
        """
        found = {}
        for column, (low, high) in extents.items():
            most, kind = max(abs(low), abs(high)), self.kinds[column]
            if most < 2**53 or kind not in ("integer", "wide", "huge", "decimal"):
                continue
            codes = self.parse is not None and bool(self.parse.codes)
            if kind in ("huge", "decimal") or most >= 2**63 or (codes and kind == "wide"):
                if np.spacing(float(most)) > 1e-10 * float(high - low):
                    raise too_long(column)
                if kind != "wide":
                    continue
            found[column] = 0
            if high - low < 2**52 and most < 2**63:
                middle = low + (high - low) // 2
                found[column] = middle - middle % 2**11  # a double
            elif most < 2**63 and self._rounds(column):
                raise too_long(column)
        return replace(self, middle=found)

    def as_doubles(self, columns: Iterable[str]) -> Table:
        """Return the table with no middle taken off; raise where digits would be lost."""
        for column in columns:
            if self.middle.get(column) and self._rounds(column):
                raise too_long(column)
        return replace(self, middle={c: 0 for c in self.middle})

    def _rounds(self, column: str) -> bool:
        """Whether doubles would round whole numbers of a column, all of which fit 64 bits."""
        if self.engine == "pandas":
            own = self._collect([column], [])[0][column].dropna()
            return any(int(v) != int(float(v)) for v in pd.unique(own))
        value, rows = self._column(column).cast(nw.Int64), {}
        for power in range(53, 63):
            start, step = 2**power, 2 ** (power - 52)
            size = (value >= start) | (value <= -start)
            rows[f"p{power}"] = flag(size & (value % step != 0), value)
        seen = self.group([], rows, {k: nw.col(k).max() for k in rows})[1]
        return bool((seen.fillna(0) > 0).any(axis=None))

    def untouched(self, column: str) -> Expr:
        """Return the column for its extent: as :meth:`number`, whole numbers not widened."""
        whole = self.kinds[column] in ("integer", "wide")
        plain = whole and not (self.parse and self.parse.codes)
        return self._column(column) if plain else self.number(column)

    def flag(self, column: str, holds: Callable[[Expr], Expr]) -> Expr:
        """Return 1 where a condition on the column holds and 0 where not, null where missing."""
        value = self.number(column)
        return holds(value).cast(nw.Int64) if column in self.full else flag(holds(value), value)

    def level(self, column: str, value: Any, known: Sequence[Any]) -> Expr:
        """Return 1 in rows of a level and 0 in those of others, null where there is none."""
        number = self.kinds[column] in NUMBERS
        own = real(self.number(column)) if number else self._column(column)
        return nw.when(own.is_in(list(known))).then((own == value).cast(nw.Int64))

    def of_level(self, column: str, numbers: Mapping[Any, float]) -> Expr:
        """Return the number of the row's level, null where it has none of these."""
        own = real(self.number(column)) if self.kinds[column] in NUMBERS else self._column(column)
        return choose([(own == level, nw.lit(float(n))) for level, n in numbers.items()])

    def named(self, column: str) -> Expr:
        """Return the column as a key, null where there is none: blank text names nothing."""
        value = self.key(column)
        if self.kinds[column] not in ("text", "name"):
            return value
        return nw.when(value.cast(nw.String).str.strip_chars() != "").then(value)

    def naming(self, columns: Iterable[str]) -> Table:
        """Return the table with these columns as names, as they are written, not as numbers."""
        columns = [c for c in columns if c in self.kinds]
        for column in columns:
            self._refuse_alike(column)
        texts = [c for c in columns if self.kinds[c] == "text"]
        held = self.in_memory(texts) if texts else pd.DataFrame()
        seen = {c: pd.unique(held[c]) for c in texts}
        names = [c for c, own in seen.items() if looks_numeric(own) and not same_as_written(own)]
        moved = {c: self._column(self.written[c]) for c in columns if c in self.written}
        named: dict[str, Kind] = dict.fromkeys([*names, *moved], "name")
        rows = self.rows.with_columns(**moved) if moved else self.rows
        return replace(self, rows=rows, kinds={**self.kinds, **named})

    def _refuse_alike(self, column: str) -> None:
        """Refuse names of which it cannot be told whether they are one."""
        if (pair := self.alike.get(column)) is None:
            return
        one, other = pair
        kinds = f"the {type(one).__name__} {one!r} and the {type(other).__name__} {other!r}"
        frame = f"frame[{column!r}]"
        raise DataError(
            f"Column {column!r} of {self.name} holds {kinds}, which may name one thing or two.",
            code="mixed-types",
            fix=f"If one: {frame} = {frame}.astype(str). If two: {frame} = {frame}.map(repr).",
        )

    def key(self, column: str) -> Expr:
        """Return the column as it tells cells apart; times lose their zone, not their clock."""
        self._refuse_alike(column)
        self._refuse_complex(column)
        if column in self.written:
            return self._column(self.written[column])
        value, kind = self._column(column), self.kinds[column]
        if kind == "huge":  # pandas would round it
            return value.cast(nw.Int64)
        if kind in ("float", "parsed"):  # PyArrow tells 0 from -0
            return value + 0.0
        if kind == "decimal" and self.engine == "duckdb":  # which hands over doubles
            return value.cast(nw.String)
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
            found, sums = self._aggregate(frame, len(keys), totals, self._decimals(keys, "key_"))
        found = found.set_axis(list(keys), axis=1)
        for key in keys:
            refuse_rounded(found[key])
        return found, sums

    def length(self) -> int:
        """Return how many rows there are."""
        with self._asking():
            return int(_pandas(self.rows.select(n=nw.len()))["n"].iloc[0])

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
            decimals = self._decimals(keys, "key_")
            found, sums = self._aggregate(frame, len(keys), totals, decimals, every=True)
        named = found.notna().all(axis=1)
        cells = plain_keys(found[named]).reset_index(drop=True).set_axis(list(keys), axis=1)
        for key in keys:
            refuse_rounded(cells[key])
        return cells, sums[named].reset_index(drop=True), sums.sum()

    def tally(self, keys: Sequence[str], answer: Expr) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Count rows per keys and value of ``answer`` (null too): keys, and ``value, cells``."""
        last = len(keys)
        answers = {
            f"key_{last}": zero_if_missing(answer),
            f"key_{last + 1}": answer.is_null(),
        }
        with self._asking():
            frame = self._rows_only(keys, answers)
            decimals = self._decimals(keys, "key_")
            found, counted = self._aggregate(frame, last + 2, {"cells": nw.len()}, decimals)
        value = found[f"key_{last}"].astype(float).mask(found[f"key_{last + 1}"].astype(bool))
        return found.iloc[:, :last].set_axis(list(keys), axis=1), counted.assign(value=value)

    def rows_of(
        self, keys: Sequence[str], rows: Mapping[str, Expr]
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Bring keys and row expressions into memory, a row a respondent; missing is NaN."""
        with self._asking():
            raw = _pandas(self._rows_only(keys, {c: real(e) for c, e in rows.items()}))
        raw = from_texts(raw, self._decimals(keys, "key_"))
        held = plain_keys(raw[[f"key_{i}" for i in range(len(keys))]]).set_axis(list(keys), axis=1)
        read = {c: raw[c].to_numpy(float, na_value=np.nan) for c in rows}
        return held.reset_index(drop=True), pd.DataFrame(read)

    def in_arrow(self, columns: Sequence[str]) -> Any:
        """Bring columns into memory as a table of PyArrow."""
        with self._asking():
            return self.rows.select(*columns).collect("pyarrow").to_native()

    def asked(
        self, rows: Mapping[str, Expr], then: Mapping[str, Expr], totals: Mapping[str, Expr]
    ) -> dict[str, Any]:
        """Run one query over all rows; return its totals, whatever their type."""
        with self._asking():
            frame = self._rows_only([], rows).with_columns(**then)
            found = _pandas(frame.select(**totals))
        return {name: found[name].iloc[0] for name in totals}

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

    def _zero_if_missing(self, column: str) -> Expr:
        value = self.key(column)
        zero = nw.lit(0, nw.UInt64) if self.kinds[column] == "wide" else nw.lit(0)
        return nw.when(~value.is_null()).then(value).otherwise(zero)

    def _decimals(self, columns: Sequence[str], start: str) -> list[str]:
        """Return the keys, numbered after ``start``, that are decimals handed over as text."""
        if self.engine != "duckdb":
            return []
        return [f"{start}{i}" for i, c in enumerate(columns) if self.kinds[c] == "decimal"]

    def _aggregate(
        self,
        frame: nw.LazyFrame[Any],
        keys: int,
        totals: Mapping[str, Expr],
        decimals: Sequence[str] = (),
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
        result = from_texts(_pandas(out), decimals)
        found = plain_keys(result[at])
        known = found.notna().all(axis=1)
        if not (every or known.all()):
            result, found = result[known], plain_keys(found[known])
        order = found.sort_values(at).index if keys else found.index
        sums = result.loc[order, list(totals)].apply(pd.to_numeric)
        return found.loc[order].reset_index(drop=True), sums.reset_index(drop=True)

    def collect(
        self, columns: Sequence[str], numbers: Sequence[str] = (), *, whole: bool = False
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Bring columns into memory: some as they are, some as doubles, missing being NaN.

        Whole numbers that a double would round stay as they are where ``whole``, or are refused.
        """
        kept, read = self._collect(columns, numbers)
        kinds = {*WHOLE, "decimal"} if whole else WHOLE
        long = [c for c in numbers if self.kinds[c] in kinds and beyond_doubles(read[c])]
        if not long:
            return kept, read
        # all in one query: another one may hand the rows over in another order
        kept, read = self._collect(list(dict.fromkeys([*columns, *long])), numbers)
        for c in long:
            exact = kept[c].mask(read[c].isna()) if read[c].isna().any() else kept[c]
            if self.kinds[c] == "decimal" and exact.nunique() == read[c].nunique():
                continue
            if whole:
                read[c] = exact
            else:
                doubles(exact, c)
        return kept[list(columns)], read

    def _collect(
        self, columns: Sequence[str], numbers: Sequence[str]
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        if self.engine == "pandas" and self._held_as_they_are(columns, numbers):
            rows = self.rows.to_native()
            for c in columns:
                self.key(c)  # refuses what names nothing
            # text was made plain when the frame was opened
            own = {
                c: rows[c]
                if self.kinds[c] == "text" and c not in self.written
                else plain(rows[self.written.get(c, c)])
                for c in columns
            }
            kept = pd.DataFrame(own, rows.index, copy=False)
            return kept, self._numbers_held(rows, numbers)
        # pandas has no missing whole number but in its nullable types
        held = self.engine != "pandas"
        whole = [i for i, c in enumerate(columns) if held and self.kinds[c] in WHOLE]
        chosen = {f"c{i}": self.key(c) for i, c in enumerate(columns)}
        chosen |= {f"null{i}": self._column(columns[i]).is_null() for i in whole}
        chosen |= {f"c{i}": self._zero_if_missing(columns[i]) for i in whole}
        for i, c in enumerate(numbers):
            # PyArrow takes no long whole number to doubles, pandas does
            plainly = self.engine == "pyarrow" and self.kinds[c] in WHOLE
            chosen[f"x{i}"] = self.untouched(c) if plainly else real(self.number(c))
        with self._asking():
            raw = from_texts(_pandas(self.rows.select(**chosen)), self._decimals(columns, "c"))
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
