"""Data frames of any engine, reached through Narwhals; no other file imports it.

A :class:`Table` is a handle on rows that stay where they are (pandas, Polars, PyArrow,
DuckDB, or a file). Rows become numbers through grouped queries that run in that engine;
what comes back is small and is pandas.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path
from typing import Any, Literal

import narwhals as nw
import numpy as np
import pandas as pd

from .errors import ColumnError, DataError, EngineError, OptionError, listing, nearest

__all__ = ["Expr", "Parse", "Table", "open_table", "read_numbers"]

Expr = nw.Expr
Kind = Literal["integer", "float", "boolean", "text", "time", "other"]

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_PERCENT = re.compile(rf"({_NUMBER.pattern})\s*%")
_CENSORED = re.compile(rf"(<=|>=|<|>|≤|≥)\s*(({_NUMBER.pattern})\s*%?)")
_LEADING_ZERO = re.compile(r"[+-]?0\d+")


@dataclass(frozen=True)
class Parse:
    """How text in numeric cells is to be read; what was done is kept on the record.

    Without it such text is an error that lists the offenders. Blank cells are always missing.

    Parameters
    ----------
    missing : sequence of str or number
        Words (``"No Data"``, ``"."``, ``"N<15"``) and number codes (``99``) that stand for
        "no answer". Words are compared after stripping blanks, without regard to case.
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
    ['0.95', '0.82', 'missing']
    """

    missing: Sequence[str | float] = ()
    percent: Literal["fraction", "points"] | None = None
    censored: Literal["bound", "missing"] | None = None

    def __post_init__(self) -> None:
        if isinstance(self.missing, str):
            object.__setattr__(self, "missing", (self.missing,))
        object.__setattr__(self, "missing", tuple(self.missing))
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
    def words(self) -> frozenset[str]:
        return frozenset(m.strip().casefold() for m in self.missing if isinstance(m, str))

    @property
    def codes(self) -> tuple[float, ...]:
        return tuple(float(m) for m in self.missing if not isinstance(m, str))


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
    texts = pd.Series(list(cells), dtype=object)
    counts = texts.map(lambda c: None if _blank(c) else str(c).strip()).value_counts(dropna=True)
    plain = {t: float(t) for t in counts.index if _NUMBER.fullmatch(t)}
    meaning: dict[str, tuple[float, str]] = {}
    offenders: list[str] = []
    for text in counts.index.difference(list(plain)):
        read = _read_odd(text, rules)
        if read is None:
            offenders.append(text)
        else:
            meaning[text] = read
    if offenders:
        raise DataError(_offence(column, offenders, counts))
    if rules.percent == "points" and any("%" in t for t in meaning):
        fractions = [t for t, v in plain.items() if 0 < v < 1]
        if fractions:
            raise DataError(
                f"Column {column!r} mixes percent cells with plain fractions "
                f"({listing(sorted(fractions)[:3])}): Parse(percent='points') would put them on "
                "two scales. Use percent='fraction'."
            )
    value = {**plain, **{t: v for t, (v, _) in meaning.items()}}
    out = texts.map(lambda c: np.nan if _blank(c) else value[str(c).strip()]).to_numpy(float)
    for code in rules.codes:
        hit = out == code
        if hit.any():
            meaning[f"{code:g}"] = (np.nan, "missing")
            counts[f"{code:g}"] = int(hit.sum())
            out[hit] = np.nan
    rows = [(column, t, how, int(counts[t])) for t, (_, how) in meaning.items()]
    record = pd.DataFrame(rows, columns=list(_RECORD)).sort_values("as", ignore_index=True)
    return out, record


def _blank(cell: object) -> bool:
    return (
        cell is None
        or cell is pd.NA
        or cell != cell
        or (isinstance(cell, str) and not cell.strip())
    )


def _read_odd(text: str, rules: Parse) -> tuple[float, str] | None:
    if text.casefold() in rules.words:
        return np.nan, "missing"
    if match := _PERCENT.fullmatch(text):
        return _percent(match.group(1), rules)
    if (match := _CENSORED.fullmatch(text)) and rules.censored is not None:
        if rules.censored == "missing":
            return np.nan, "missing (censored)"
        bound = match.group(2)
        read = _percent(match.group(3), rules) if bound.endswith("%") else (float(bound), bound)
        return read
    return None


def _percent(number: str, rules: Parse) -> tuple[float, str] | None:
    if rules.percent is None:
        return None
    # decimal shift by text keeps 82% equal to the 0.82 of another year's file
    value = (
        float(f"{number}e-2") if rules.percent == "fraction" and "e" not in number.lower() else None
    )
    if value is None:
        value = float(number) / (100 if rules.percent == "fraction" else 1)
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

    def require(self, columns: Iterable[str], role: str) -> None:
        """Raise :class:`ColumnError` for the first column that is not there."""
        for column in columns:
            if column not in self.kinds:
                raise ColumnError(
                    f"{role} names the column {column!r}, which is not in {self.name}."
                    f"{nearest(column, self.kinds)}"
                )

    def number(self, column: str) -> Expr:
        """Return the column as a number per row: null where missing, NaN or a missing code."""
        kind = self.kinds[column]
        if kind not in ("integer", "float", "boolean"):
            raise DataError(f"Column {column!r} of {self.name} holds {kind}, not numbers.")
        value = nw.col(column)
        if kind == "boolean":
            return value.cast(nw.Int64)
        if kind == "float":
            value = nw.when(~value.is_nan()).then(value)
        for code in self.parse.codes if self.parse else ():
            value = nw.when(value != code).then(value)
        return value.cast(nw.Int64) if kind == "integer" else value.cast(nw.Float64)

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
        ``complete``; ``totals`` aggregate both. Keys that are null form no group.
        """
        frame = self._rows_only(keys, rows)
        frame = frame if complete is None else frame.filter(complete)
        frame = frame.with_columns(**then) if then else frame
        return _aggregate(frame, keys, totals)

    def group_with_nulls(
        self, keys: Sequence[str], rows: Mapping[str, Expr], answer: str
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Count rows per keys and value of ``answer`` (null too): keys, and ``value, cells``."""
        frame = self._rows_only(keys, rows).with_columns(is_null=nw.col(answer).is_null())
        frame = frame.with_columns(**{answer: zero_if_missing(nw.col(answer))})
        names = [*(f"key_{i}" for i in range(len(keys))), answer, "is_null"]
        ranked = frame.rename({n: f"key_{i}" for i, n in enumerate(names)})
        found, counted = _aggregate(ranked, names, {"cells": nw.len()})
        value = found[answer].astype(float).mask(found["is_null"].astype(bool))
        kept = found.iloc[:, : len(keys)].set_axis(list(keys), axis=1)
        return kept, counted.assign(value=value)

    def less_cell_means(
        self, keys: Sequence[str], rows: Mapping[str, Expr], weight: Expr | None
    ) -> Table:
        """Return a table of ``rows`` (complete cases) with each cell's mean taken off, in the engine."""
        columns = {**rows, **({"w": weight} if weight is not None else {})}
        at = [f"key_{i}" for i in range(len(keys))]
        frame = self._rows_only(keys, columns).filter(every_present([*columns, *at]))
        means = {f"mean_{n}": nw.col(n).mean() for n in rows}
        if keys:
            centred = frame.join(frame.group_by(*at).agg(**means), on=at, how="inner")
        else:
            centre = frame.select(**means).collect("pandas").to_native().iloc[0]
            centred = frame.with_columns(**{m: nw.lit(float(centre[m])) for m in means})
        moved = centred.with_columns(**{n: nw.col(n) - nw.col(f"mean_{n}") for n in rows})
        kept = moved.select([*at, *columns])
        kinds: dict[str, Kind] = dict.fromkeys([*at, *columns], "float")
        return Table(kept, kinds, self.engine, self.name)

    def _rows_only(self, keys: Sequence[str], rows: Mapping[str, Expr]) -> nw.LazyFrame[Any]:
        """Return keys and ``rows`` alone, keys renamed so that no name of the data collides."""
        at = {f"key_{i}": nw.col(k) for i, k in enumerate(keys)}
        return self.rows.with_columns(**at, **rows).select([*at, *rows])

    def counts_of(self, column: str, where: Expr | None = None) -> pd.DataFrame:
        """Return the distinct values of a column and how many rows hold each."""
        frame = self.rows.select(nw.col(column)) if where is None else self.rows.filter(where)
        out = frame.group_by(column).agg(cells=nw.len()).collect("pandas").to_native()
        return pd.DataFrame(out).sort_values("cells", ascending=False, ignore_index=True)

    def collect(self, columns: Sequence[str]) -> pd.DataFrame:
        """Bring whole columns into memory as pandas."""
        return pd.DataFrame(self.rows.select(*columns).collect("pandas").to_native())


def _aggregate(
    frame: nw.LazyFrame[Any], keys: Sequence[str], totals: Mapping[str, Expr]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    at = [f"key_{i}" for i in range(len(keys))]
    if keys:
        out = frame.filter(every_present(at)).group_by(*at).agg(**totals)
    else:
        out = frame.select(**totals)
    result = pd.DataFrame(out.collect("pandas").to_native())
    if keys:
        result = result.sort_values(at, ignore_index=True)
    # DuckDB sums integers as HUGEINT, which reaches pandas as object or float
    sums = result[list(totals)].apply(pd.to_numeric)
    return result[at].set_axis(list(keys), axis=1), sums


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
    return nw.when(value.is_null()).then(nw.lit(0)).otherwise(value)


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
        # to_native is untyped in effect: what comes in is any engine's frame
        opened: Any = nw.from_native(source)  # type: ignore[call-overload]
    except TypeError as error:
        raise DataError(
            f"{name} is a {type(source).__name__}; accepted are pandas, Polars and PyArrow frames, "
            "DuckDB relations, and paths to CSV or Parquet files."
        ) from error
    if isinstance(opened, nw.Series):
        raise DataError(f"{name} is a single series; a frame with named columns is needed.")
    rows = opened.lazy()
    kinds = {c: _kind(d) for c, d in rows.collect_schema().items()}
    table = Table(rows, kinds, str(rows.implementation), name, parse)
    texts = [c for c in numeric if kinds.get(c) == "text"]
    return numbers_from_text(table, texts) if texts else table


def _kind(dtype: Any) -> Kind:
    if dtype.is_integer():
        return "integer"
    if dtype.is_float() or dtype.is_decimal():
        return "float"
    if dtype == nw.Boolean:
        return "boolean"
    if dtype in (nw.String, nw.Categorical, nw.Enum) or dtype == nw.Object:
        return "text"
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
    frame = table.collect(list(table.kinds)).copy()
    records = [table.record]
    for column_name in texts:
        frame[column_name], record = read_numbers(frame[column_name], column_name, table.parse)
        records.append(record)
    rows = nw.from_native(frame).lazy()
    kinds: dict[str, Kind] = {**table.kinds, **dict.fromkeys(texts, "float")}
    kept = [r for r in records if len(r)]
    record = pd.concat(kept, ignore_index=True) if kept else table.record
    return Table(rows, kinds, table.engine, table.name, table.parse, record)


def _plain_pandas(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """Give pandas frames what Narwhals needs: text names, a plain index, no periods."""
    if not frame.columns.is_unique:
        twice = frame.columns[frame.columns.duplicated()].unique()
        raise DataError(f"{name} has several columns named {listing(twice)}. Rename them first.")
    if isinstance(frame.columns, pd.MultiIndex):
        raise DataError(f"{name} has columns of several levels. Flatten the names first.")
    out = frame.reset_index(drop=True)
    out.columns = pd.Index([str(c) for c in out.columns])
    for column_name in out.columns:
        if isinstance(out[column_name].dtype, pd.PeriodDtype):
            out[column_name] = out[column_name].astype(str).where(out[column_name].notna(), None)
        elif out[column_name].dtype == object:
            out[column_name] = _settle_objects(out[column_name])
    return out


def _settle_objects(values: pd.Series[Any]) -> pd.Series[Any]:
    kind = pd.api.types.infer_dtype(values, skipna=True)
    if kind in ("integer", "floating", "mixed-integer-float", "decimal", "boolean"):
        return pd.to_numeric(values.map(lambda v: np.nan if _blank(v) else float(v)))
    if kind in ("date", "datetime", "datetime64"):
        return pd.to_datetime(values)
    return values.map(lambda v: None if _blank(v) else str(v)).astype("str")


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
    if importlib.util.find_spec("duckdb"):
        import duckdb

        return duckdb.read_parquet(str(path))
    if importlib.util.find_spec("polars"):
        import polars

        return polars.scan_parquet(path)
    if importlib.util.find_spec("pyarrow"):
        return pd.read_parquet(path)
    raise EngineError(
        f"{path.name!r} is a Parquet file, which needs DuckDB, Polars or PyArrow: "
        "pip install 'eecx[engines]'"
    )


def read_csv(path: Path) -> pd.DataFrame:
    """Read a CSV file the same way on every machine.

    Cells are read as text; a column becomes numeric when every cell is blank or a plain number
    and none is an integer with a leading zero ("001" is a name, not the number 1).
    """
    separator = "\t" if path.suffix.lower() == ".tsv" else ","
    try:
        frame = pd.read_csv(
            path, sep=separator, dtype=str, keep_default_na=False, encoding="utf-8-sig"
        )
    except pd.errors.EmptyDataError as error:
        raise DataError(f"The file {path.name!r} is empty.") from error
    except UnicodeDecodeError as error:
        raise DataError(f"The file {path.name!r} is not UTF-8 text. Save it as UTF-8.") from error
    except pd.errors.ParserError as error:
        raise DataError(f"The file {path.name!r} cannot be read as CSV: {error}.") from error
    return frame.apply(_typed)


def _typed(cells: pd.Series[Any]) -> pd.Series[Any]:
    texts = cells.str.strip()
    filled = texts[texts != ""]
    distinct = pd.unique(filled)
    if not len(distinct) or not all(_NUMBER.fullmatch(t) for t in distinct):
        return cells.where(texts != "", None)
    if any(_LEADING_ZERO.fullmatch(t) for t in distinct):
        return cells.where(texts != "", None)
    numbers = pd.to_numeric(filled)
    return numbers.reindex(cells.index) if len(filled) < len(cells) else numbers
