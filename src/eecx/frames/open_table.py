"""Open a frame of any engine, or a file, as a :class:`Table`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import narwhals as nw
import pandas as pd

from ..errors import DataError
from .failures import opening, unreadable
from .files import open_path
from .kinds import kind_of
from .parse import Parse, read_numbers
from .plain import plain_pandas
from .tables import Table

__all__ = ["numbers_from_text", "open_table"]


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
        source = open_path(Path(source))
    name = name or "the data frame"
    source = nw.to_native(source, pass_through=True)
    if isinstance(source, pd.DataFrame):
        source = plain_pandas(source, name)
    try:
        opened: Any = nw.from_native(source)  # type: ignore[call-overload, unused-ignore]
    except TypeError as error:
        raise DataError(
            f"{opening(name)} is a {type(source).__name__}; accepted are pandas, Polars, PyArrow "
            "and Spark frames, DuckDB relations, and paths to CSV or Parquet files.",
            code="wrong-type",
        ) from error
    rows = opened.lazy()
    engine = str(rows.implementation)
    try:
        kinds = {c: kind_of(d) for c, d in rows.collect_schema().items()}
    except Exception as error:  # every engine has its own kinds
        raise unreadable(name, engine, error) from error
    table = Table(rows, kinds, engine, name, parse)
    return numbers_from_text(table, [c for c in dict.fromkeys(numeric) if kinds.get(c) == "text"])


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
    kinds = {c: kind_of(d) for c, d in rows.collect_schema().items()}
    return Table(
        rows, {**kinds, **dict.fromkeys(texts, "parsed")}, "pandas", table.name, table.parse, record
    )
