"""Data frames of any engine, reached through Narwhals; no other file imports it.

A :class:`Table` is a handle on rows that stay where they are (pandas, Polars, PyArrow,
DuckDB, Spark, or a file). Rows become numbers through grouped queries that run in that engine;
what comes back is small and is pandas.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from functools import reduce
from pathlib import Path
from typing import Any, Literal

import narwhals as nw
import numpy as np
import pandas as pd

from .errors import ColumnError, DataError, EecxError, EngineError, OptionError, listing, nearest

__all__ = ["Expr", "Parse", "Table", "open_table", "read_numbers"]

Expr = nw.Expr
Kind = Literal[
    "integer",  # fits 64 bits with a sign
    "wide",  # without one
    "huge",  # 128 bits
    "decimal",
    "float",
    "parsed",  # floats read from text: number codes are already out
    "boolean",
    "text",
    "time",
    "zoned",  # time with a time zone
    "other",
]
NUMBERS: frozenset[Kind] = frozenset(
    {"integer", "wide", "huge", "decimal", "float", "parsed", "boolean"}
)

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_PERCENT = re.compile(rf"({_NUMBER.pattern})\s*%", re.ASCII)
_CENSORED = re.compile(rf"(<=|>=|<|>|≤|≥)\s*(({_NUMBER.pattern})\s*%?)", re.ASCII)
_WHOLE = re.compile(r"[+-]?\d+", re.ASCII)
_LEADING_ZERO = re.compile(r"[+-]?0\d+", re.ASCII)
_TEXT = pd.Series(["a"]).dtype  # object in pandas 2, str in pandas 3


@dataclass(frozen=True)
class Parse:
    """How text in numeric cells is to be read; what was done is kept on the record.

    Without it such text is an error that lists the offenders. Blank cells are always missing.

    Parameters
    ----------
    missing : str, number or sequence of these
        Words (``"No Data"``, ``"."``, ``"N<15"``) and number codes (``99``) that stand for
        "no answer". Words are compared after stripping blanks, without regard to case; a word
        that is a number (``"99"``) is a code too.
    percent : {"fraction", "points"}, optional
        ``"82%"`` becomes 0.82 (``"fraction"``) or 82 (``"points"``). ``"points"`` is refused in a
        column that also holds plain numbers between 0 and 1, where it would mix two scales.
    censored : {"bound", "missing"}, optional
        ``"> 95%"`` becomes its bound (0.95) or missing. Neither is the true value: the
        record counts them.

    Examples
    --------
    >>> rules = Parse(missing=["No Data"], percent="fraction", censored="bound")
    >>> values, record = read_numbers(["82%", "0.8", "No Data", "> 95%"], "share", rules)
    >>> [float(v) for v in values]
    [0.82, 0.8, nan, 0.95]
    >>> record["as"].tolist()
    ['0.82', '0.95', 'missing']
    """

    missing: Sequence[str | float] | str | float = ()
    percent: Literal["fraction", "points"] | None = None
    censored: Literal["bound", "missing"] | None = None

    def __post_init__(self) -> None:
        alone = isinstance(self.missing, str | int | float)
        missing = (self.missing,) if alone else tuple(self.missing)  # type: ignore[arg-type]
        if odd := [m for m in missing if not isinstance(m, str | int | float | np.number)]:
            raise OptionError(f"Parse(missing=): {listing(odd)} is neither a word nor a number.")
        object.__setattr__(self, "missing", missing)
        for name, accepted in (
            ("percent", ("fraction", "points")),
            ("censored", ("bound", "missing")),
        ):
            value = getattr(self, name)
            if value is not None and value not in accepted:
                raise OptionError(
                    f"Parse({name}={value!r}): accepted are {listing(accepted)} or None."
                )

    @property
    def _given(self) -> tuple[str | float, ...]:
        return self.missing  # type: ignore[return-value]

    @property
    def words(self) -> frozenset[str]:
        """The words for "no answer", without blanks and case."""
        return frozenset(m.strip().casefold() for m in self._given if isinstance(m, str))

    @property
    def codes(self) -> tuple[float, ...]:
        """The numbers that stand for "no answer"."""
        return tuple(
            float(m) for m in self._given if not isinstance(m, str) or _NUMBER.fullmatch(m.strip())
        )


_RECORD = ("column", "text", "as", "cells")


def read_numbers(
    cells: Iterable[object], column: str, parse: Parse | None = None
) -> tuple[np.ndarray, pd.DataFrame]:
    """Read text cells as numbers and return them with a record of every cell not a plain number.

    Raises
    ------
    DataError
        Where a cell cannot be read under ``parse``; lists the distinct offenders with counts.
    """
    rules = parse or Parse()
    texts = pd.Series([None if _blank(c) else str(c).strip() for c in cells], dtype=object)
    counts = texts.value_counts()
    meaning = {t: _read_text(t, rules) for t in counts.index}
    if offenders := [t for t, read in meaning.items() if read is None]:
        raise DataError(_offence(column, offenders, counts))
    read = {t: m for t, m in meaning.items() if m is not None}
    if rules.percent == "points" and any("%" in t for t in read):
        fractions = [t for t, (v, how) in read.items() if not how and 0 < v < 1]
        if fractions:
            raise DataError(
                f"Column {column!r} mixes percent cells with plain fractions "
                f"({listing(sorted(fractions)[:3])}): Parse(percent='points') would put them on "
                "two scales. Use percent='fraction'."
            )
    values = texts.map({t: v for t, (v, _) in read.items()}).to_numpy(float)
    rows = [(column, t, how, int(counts[t])) for t, (_, how) in read.items() if how]
    record = pd.DataFrame(rows, columns=list(_RECORD))
    return values, record.sort_values(["as", "text"], ignore_index=True)


def _blank(cell: Any) -> bool:
    if isinstance(cell, str):
        return not cell.strip()
    return bool(pd.api.types.is_scalar(cell) and pd.isna(cell))


def _read_text(text: str, rules: Parse) -> tuple[float, str] | None:
    """Return the value and how it was read (nothing for a plain number), None if it cannot be."""
    if text.casefold() in rules.words:
        return np.nan, "missing"
    if _NUMBER.fullmatch(text):
        return (np.nan, "missing") if float(text) in rules.codes else (float(text), "")
    if match := _PERCENT.fullmatch(text):
        return _percent(match.group(1), rules)
    if (match := _CENSORED.fullmatch(text)) and rules.censored is not None:
        if rules.censored == "missing":
            return np.nan, "missing (censored)"
        bound = match.group(2)
        return _percent(match.group(3), rules) if bound.endswith("%") else (float(bound), bound)
    return None


def _percent(number: str, rules: Parse) -> tuple[float, str] | None:
    if rules.percent is None:
        return None
    # a decimal shift keeps 82% equal to the 0.82 of another year's file
    value = float(Decimal(number).scaleb(-2) if rules.percent == "fraction" else number)
    return value, f"{value:g}"


def _offence(column: str, offenders: Sequence[str], counts: pd.Series[int]) -> str:
    ranked = sorted(offenders, key=lambda t: (-int(counts[t]), t))
    shown = ", ".join(f"{t[:30]!r} ({int(counts[t])})" for t in ranked[:10])
    more = f" and {len(ranked) - 10} more distinct texts" if len(ranked) > 10 else ""
    hints = []
    if any(_PERCENT.fullmatch(t) for t in offenders):
        hints.append("percent='fraction' reads '82%' as 0.82")
    if any(_CENSORED.fullmatch(t) for t in offenders):
        hints.append("censored='bound' or 'missing' decides on cells such as '> 95%'")
    if any(not _PERCENT.fullmatch(t) and not _CENSORED.fullmatch(t) for t in offenders):
        words = [t for t in ranked if not _PERCENT.fullmatch(t) and not _CENSORED.fullmatch(t)]
        hints.append(
            f"missing=[{', '.join(repr(w[:30]) for w in words[:4])}] reads these as no answer"
        )
    cells = sum(int(counts[t]) for t in offenders)
    return (
        f"Column {column!r} should hold numbers, but {cells} cells hold text: {shown}{more}. "
        f"Say how to read them with parse=eecx.Parse(...): {'; '.join(hints)}."
    )


@dataclass(frozen=True)
class Table:
    """Rows held by some engine, the kinds of their columns, and a record of text cells read."""

    rows: nw.LazyFrame[Any]
    kinds: Mapping[str, Kind]
    engine: str
    name: str
    parse: Parse | None = None
    record: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(_RECORD)))
    full: frozenset[str] = frozenset()
    """Numeric columns known to have an answer in every row: nothing need be guarded there."""
    count: int | None = None
    """How many rows there are, where they were counted."""

    @property
    def subject(self) -> str:
        """The name where a sentence starts with it."""
        return _opening(self.name)

    def require(self, columns: Iterable[str], role: str) -> None:
        """Raise :class:`ColumnError` for the first column that is not there."""
        for column in columns:
            if column not in self.kinds:
                raise ColumnError(
                    f"{role} names the column {column!r}, which is not in {self.name}."
                    f"{nearest(column, self.kinds)}"
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
            raise DataError(f"Column {column!r} of {self.name} holds {kind}, not numbers.")
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
        self, frame: nw.LazyFrame[Any], keys: int, totals: Mapping[str, Expr]
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        at = [f"key_{i}" for i in range(keys)]
        if keys:
            out = frame.filter(every_present(at)).group_by(*at).agg(**totals)
        else:
            out = frame.select(**totals)
        if self.engine == "duckdb":  # sums integers in 128 bits, which pandas knows as floats
            schema = out.collect_schema()
            huge = [c for c in totals if schema[c] == nw.Int128]
            out = out.with_columns(nw.col(*huge).cast(nw.Int64)) if huge else out
        result = _pandas(out)
        found = plain_keys(result[at])
        known = found.notna().all(axis=1)
        if not known.all():
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
                f"{_reason(error)}. pip install 'eecx[{extra}]'"
            ) from error
        except Exception as error:  # every engine has its own kinds
            raise DataError(_failure(self.name, self.engine, error)) from error


def _pandas(frame: nw.LazyFrame[Any]) -> pd.DataFrame:
    if frame.implementation.is_spark_like():  # its own way warns of pandas 3 and goes row by row
        return frame.collect("pyarrow").to_pandas()
    return pd.DataFrame(frame.collect("pandas").to_native())


def _doubles(values: pd.Series[Any]) -> np.ndarray:
    if isinstance(values.dtype, np.dtype) and values.dtype.kind in "iufb":
        return values.to_numpy().astype(float)
    return values.to_numpy(float, na_value=np.nan, copy=True)


def _opening(name: str) -> str:
    return name[:1].upper() + name[1:]


def _failure(name: str, engine: str, error: Exception) -> str:
    return f"{_opening(name)} cannot be read by {engine}: {_reason(error)}"


def _reason(error: Exception) -> str:
    said = (line.strip() for line in str(error).splitlines() if line.strip())
    return next(said, "no reason")[:300]


def count() -> Expr:
    """Return the number of rows, as an aggregate."""
    return nw.len()


def total(name: str) -> Expr:
    """Return the sum of a row expression by its name, as an aggregate."""
    return nw.col(name).sum()


def answered(name: str) -> Expr:
    """Return the number of non-null values of a row expression, as an aggregate."""
    return nw.col(name).count()


def column(name: str) -> Expr:
    """Return a column or named row expression as it is."""
    return nw.col(name)


def lowest(name: str) -> Expr:
    """Return the minimum of a row expression by its name, as an aggregate."""
    return nw.col(name).min()


def highest(name: str) -> Expr:
    """Return the maximum of a row expression by its name, as an aggregate."""
    return nw.col(name).max()


def every_present(names: Sequence[str]) -> Expr:
    """Return whether no named column of a row is null."""
    return reduce(lambda a, b: a & b, [~nw.col(n).is_null() for n in names])


def flag(condition: Expr, of: Expr) -> Expr:
    """Return 1 where the condition holds and 0 where not, null where ``of`` is null."""
    return nw.when(~of.is_null()).then(condition.cast(nw.Int64))


def present(values: Sequence[Expr]) -> Expr:
    """Return how many of the expressions are not null in a row."""
    return reduce(lambda a, b: a + b, [(~v.is_null()).cast(nw.Int64) for v in values])


def zero_if_missing(value: Expr) -> Expr:
    """Return the value, or 0 where it is null."""
    return nw.when(~value.is_null()).then(value).otherwise(nw.lit(0))


def choose(cases: Sequence[tuple[Expr, Expr]]) -> Expr:
    """Return the value of the first condition that holds, else null."""
    out: Expr = nw.when(cases[-1][0]).then(cases[-1][1])
    for condition, value in reversed(cases[:-1]):
        out = nw.when(condition).then(value).otherwise(out)
    return out


def real(value: Expr) -> Expr:
    """Return the value as a double."""
    return value.cast(nw.Float64)


def open_table(
    source: object,
    *,
    numeric: Sequence[str] = (),
    name: str | None = None,
    parse: Parse | None = None,
) -> Table:
    """Open a frame of any engine or a path to a CSV or Parquet file.

    Columns named in ``numeric`` that hold text are read by :func:`read_numbers`; this is the
    only case in which rows are brought into memory.

    Raises
    ------
    EngineError
        For a Parquet file where neither DuckDB, Polars nor PyArrow is installed.
    DataError
        For an empty file, a file that is not there, or text that ``parse`` does not explain.
    """
    if isinstance(source, Table):
        return source
    if isinstance(source, str | Path):
        name = name or f"the file {Path(source).name!r}"
        source = _open_path(Path(source))
    name = name or "the data frame"
    if isinstance(source, pd.DataFrame):
        source = _plain_pandas(source, name)
    try:
        opened: Any = nw.from_native(source)  # type: ignore[call-overload, unused-ignore]
    except TypeError as error:
        raise DataError(
            f"{_opening(name)} is a {type(source).__name__}; accepted are pandas, Polars, PyArrow "
            "and Spark frames, DuckDB relations, and paths to CSV or Parquet files."
        ) from error
    rows = opened.lazy()
    engine = str(rows.implementation)
    try:
        kinds = {c: _kind(d) for c, d in rows.collect_schema().items()}
    except Exception as error:  # every engine has its own kinds
        raise DataError(_failure(name, engine, error)) from error
    table = Table(rows, kinds, engine, name, parse)
    return numbers_from_text(table, [c for c in dict.fromkeys(numeric) if kinds.get(c) == "text"])


def _kind(dtype: Any) -> Kind:
    if dtype.is_integer():
        if dtype in (nw.Int128, nw.UInt128):
            return "huge"
        return "wide" if dtype == nw.UInt64 else "integer"
    if dtype.is_decimal():
        return "decimal"
    if dtype.is_float():
        return "float"
    if dtype == nw.Boolean:
        return "boolean"
    if dtype in (nw.String, nw.Categorical, nw.Enum, nw.Object):
        return "text"
    if dtype == nw.Datetime and dtype.time_zone is not None:
        return "zoned"
    if dtype in (nw.Date, nw.Datetime):
        return "time"
    return "other"


def looks_numeric(cells: Iterable[object]) -> bool:
    """Return whether any text cell is a number, a percentage or a bound such as "> 95%"."""
    texts = {str(c).strip() for c in cells if not _blank(c)}
    if any(_LEADING_ZERO.fullmatch(t) for t in texts):
        return False  # "01" and "02" are names
    return any(p.fullmatch(t) for t in texts for p in (_NUMBER, _PERCENT, _CENSORED))


def numbers_from_text(table: Table, texts: Sequence[str]) -> Table:
    """Read text columns as numbers, in memory, and keep the record."""
    if not texts:
        return table
    frame, _ = table.collect(list(table.kinds))
    records = [table.record]
    for name in texts:
        frame[name], record = read_numbers(frame[name], name, table.parse)
        records.append(record)
    kept = [r for r in records if len(r)]
    record = pd.concat(kept, ignore_index=True) if kept else table.record
    rows = nw.from_native(frame).lazy()
    kinds = {c: _kind(d) for c, d in rows.collect_schema().items()}
    return Table(
        rows, {**kinds, **dict.fromkeys(texts, "parsed")}, "pandas", table.name, table.parse, record
    )


# ---------------------------------------------------------------------- pandas, in and out


def _plain_pandas(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """Give pandas frames what Narwhals needs: text names, a plain index, columns of one type."""
    if isinstance(frame.columns, pd.MultiIndex):
        raise DataError(f"{_opening(name)} has columns of several levels. Flatten the names first.")
    names = pd.Index([str(c) for c in frame.columns], dtype=object)
    if not names.is_unique:
        twice = names[names.duplicated()].unique()
        raise DataError(
            f"{_opening(name)} has several columns named {listing(twice)}. Rename them first."
        )
    out = frame.reset_index(drop=True).set_axis(names, axis=1)
    for column_name, dtype in out.dtypes.items():
        if isinstance(dtype, pd.PeriodDtype):
            out[column_name] = _from_periods(out[column_name])
        elif dtype.kind == "O" or isinstance(dtype, pd.CategoricalDtype):
            out[column_name] = plain(out[column_name])
    return out


def plain(values: pd.Series[Any]) -> pd.Series[Any]:
    """Return values in pandas' usual types, whichever engine they come from; blank is missing."""
    dtype = values.dtype
    if isinstance(dtype, pd.StringDtype):
        return _plain_text(values)
    if pd.api.types.is_extension_array_dtype(dtype) and dtype.kind in "iufb":
        return _plain_nullable(values)
    if isinstance(dtype, pd.CategoricalDtype | pd.ArrowDtype):
        values = values.astype(object)
    if values.dtype != object:
        return values
    kind = pd.api.types.infer_dtype(values, skipna=True)
    if kind == "period":
        return _from_periods(pd.Series(pd.PeriodIndex(values), values.index))
    try:
        if kind in ("integer", "boolean"):
            dtype = pd.BooleanDtype() if kind == "boolean" else pd.Int64Dtype()
            return _plain_nullable(_nullable(values, dtype).set_axis(values.index))
        if kind in ("date", "datetime", "datetime64"):
            return pd.to_datetime(values)
    except (ValueError, OverflowError):  # beyond 64 bits, or time zones that differ
        return _plain_text(values.map(str, na_action="ignore"))
    if kind in ("floating", "mixed-integer-float", "decimal"):
        return values.map(lambda v: np.nan if _blank(v) else float(v)).astype(float)
    return _plain_text(values)


def _nullable(values: Iterable[object], dtype: pd.Int64Dtype | pd.BooleanDtype) -> pd.Series[Any]:
    return pd.Series([pd.NA if _blank(v) else v for v in values], dtype=dtype)


def _plain_nullable(values: pd.Series[Any]) -> pd.Series[Any]:
    kind: str = values.dtype.kind
    if kind == "f":
        return pd.Series(values.to_numpy(float, na_value=np.nan), values.index)
    if values.isna().any():
        return values
    dtype = np.dtype({"b": bool, "u": np.uint64}.get(kind, np.int64))
    return pd.Series(values.to_numpy(dtype), values.index)


def _plain_text(values: pd.Series[Any]) -> pd.Series[Any]:
    known = values.dropna()
    distinct = known if known.dtype == object else pd.unique(known)  # lists cannot be compared
    if values.dtype == _TEXT and all(isinstance(v, str) and v.strip() for v in distinct):
        return values
    cells = [None if _blank(v) else str(v) for v in values]
    return pd.Series(cells, values.index, dtype=_TEXT)


def _from_periods(values: pd.Series[Any]) -> pd.Series[Any]:
    """Name years, quarters and months; let the start stand for weeks, fiscal quarters and so on."""
    if str(values.dtype) not in ("period[M]", "period[Q-DEC]", "period[Y-DEC]"):
        return pd.Series(values.dt.start_time)
    return _plain_text(values.astype(object))


def plain_keys(keys: pd.DataFrame) -> pd.DataFrame:
    """Return keys in pandas' usual types; whole numbers kept as floats become whole again."""
    out = {}
    for name in keys.columns:
        values = plain(keys[name])
        if values.dtype == np.float64 and len(values) and (abs(values) < 2.0**53).all():
            whole = values.astype(np.int64)
            values = whole if (whole == values).all() else values
        elif pd.api.types.is_integer_dtype(values.dtype) and values.dtype != np.int64:
            values = _plain_nullable(values)
        out[name] = values
    return pd.DataFrame(out, keys.index, copy=False)


# ---------------------------------------------------------------------- files


def _open_path(path: Path) -> object:
    if not path.exists():
        raise DataError(f"There is no file {str(path)!r}.")
    if path.suffix.lower() in (".parquet", ".pq"):
        return _open_parquet(path)
    if path.suffix.lower() in (".csv", ".txt", ".tsv"):
        return read_csv(path)
    raise DataError(
        f"{path.name!r} is neither .csv nor .parquet. Convert it, or pass a data frame."
    )


def _open_parquet(path: Path) -> object:
    try:
        if importlib.util.find_spec("duckdb"):
            import duckdb

            return duckdb.read_parquet(str(path))
        if importlib.util.find_spec("polars"):
            import polars

            return polars.scan_parquet(path)
        if importlib.util.find_spec("pyarrow"):
            return pd.read_parquet(path)
    except EecxError:
        raise
    except Exception as error:
        raise DataError(_failure(f"the file {path.name!r}", "its engine", error)) from error
    raise EngineError(
        f"{path.name!r} is a Parquet file, which needs DuckDB, Polars or PyArrow: "
        "pip install 'eecx[engines]'"
    )


def read_csv(path: Path) -> pd.DataFrame:
    """Read a CSV file the same way on every machine.

    Cells are read as text; a column becomes numeric when every cell is blank or a plain number
    and none is an integer with a leading zero ("001" is a name, not the number 1), and boolean
    when every cell is blank, true or false.
    """
    separator = "\t" if path.suffix.lower() == ".tsv" else ","
    try:
        cells = pd.read_csv(
            path,
            sep=separator,
            header=None,
            index_col=False,
            dtype=str,
            keep_default_na=False,
            encoding="utf-8-sig",
        )
    except pd.errors.EmptyDataError as error:
        raise DataError(f"The file {path.name!r} is empty.") from error
    except UnicodeDecodeError as error:
        raise DataError(f"The file {path.name!r} is not UTF-8 text. Save it as UTF-8.") from error
    except pd.errors.ParserError as error:
        raise DataError(
            f"The file {path.name!r} cannot be read as CSV: {str(error).strip()}."
        ) from error
    header, body = cells.iloc[0], cells.iloc[1:].reset_index(drop=True)
    header = header[(header != "") | (body.fillna("") != "").any()]  # spreadsheets leave blanks
    if twice := sorted(set(header[header.duplicated()])):
        raise DataError(f"The file {path.name!r} has several columns named {listing(twice)}.")
    return pd.DataFrame({str(name): _typed(body[i]) for i, name in header.items()})


def _typed(cells: pd.Series[Any]) -> pd.Series[Any]:
    """Type a column of text cells; one that is short of a cell has a blank there."""
    texts = cells.str.strip()
    texts = texts.where(texts != "", None)
    distinct = list(pd.unique(texts.dropna()))
    if distinct and all(t.casefold() in ("true", "false") for t in distinct):
        true = {t: t.casefold() == "true" for t in distinct}
        return _plain_nullable(_nullable([true.get(t) for t in texts], pd.BooleanDtype()))
    named = any(_LEADING_ZERO.fullmatch(t) for t in distinct)
    if named or not distinct or not all(_NUMBER.fullmatch(t) for t in distinct):
        return _plain_text(cells)
    if not all(_WHOLE.fullmatch(t) for t in distinct):
        return texts.map({t: float(t) for t in distinct}).astype(float)
    if any(abs(int(t)) >= 2**63 for t in distinct):
        return _plain_text(cells)
    whole = {t: int(t) for t in distinct}
    return _plain_nullable(_nullable([whole.get(t) for t in texts], pd.Int64Dtype()))
