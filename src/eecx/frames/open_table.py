"""Open a frame of any engine, or a file, as a :class:`Table`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import narwhals as nw
import pandas as pd

from ..errors import DataError, OptionError, into_a_frame
from .failures import opening, unreadable
from .files import WRITTEN, open_path
from .kinds import Kind, kind_of
from .parse import Parse, read_numbers
from .plain import plain_pandas, twins
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
    if not isinstance(parse, Parse | None):
        raise OptionError(
            f"parse={parse!r:.60}: rules for text in numeric cells.",
            code="wrong-type",
            fix="Leave it out, or give eecx.Parse(missing=['No Data']).",
        )
    if isinstance(source, Table):
        opened_before = source if parse is None else replace(source, parse=parse)
        return numbers_from_text(opened_before, opened_before.texts(numeric))
    path = Path(source) if isinstance(source, str | Path) else None
    written: dict[str, str] = {}
    if path is not None:
        name = name or f"the file {path.name!r}"
        source = open_path(path)
        if isinstance(source, pd.DataFrame):
            texts = [c for c in source.columns if c.startswith(WRITTEN)]
            written = {c.removeprefix(WRITTEN): c for c in texts}
    name = name or "the data frame"
    alike = {}
    source = nw.to_native(source, pass_through=True)
    if isinstance(source, pd.DataFrame):
        given, source = source, plain_pandas(source, name)
        found = {str(c): twins(values) for c, values in given.items()}
        alike = {c: pair for c, pair in found.items() if pair is not None}
    try:
        opened: Any = nw.from_native(source)  # type: ignore[call-overload, unused-ignore]
    except TypeError as error:
        raise DataError(
            f"{opening(name)} is a {type(source).__name__}; accepted are pandas, Polars, PyArrow "
            "and Spark frames, DuckDB relations, and paths to CSV or Parquet files.",
            code="wrong-type",
            fix=into_a_frame(source),
        ) from error
    rows = opened.lazy()
    engine = str(rows.implementation)
    try:
        kinds = {c: kind_of(d) for c, d in rows.collect_schema().items()}
    except Exception as error:  # every engine has its own kinds
        raise unreadable(name, engine, error) from error
    if isinstance(source, pd.DataFrame):
        kinds |= {c: "complex" for c, d in source.dtypes.items() if d.kind == "c"}
    kinds = {c: kind for c, kind in kinds.items() if c not in written.values()}
    held = path is None and isinstance(opened, nw.DataFrame)
    table = Table(
        rows, kinds, engine, name, parse, path=path, held=held, written=written, alike=alike
    )
    return numbers_from_text(table, table.texts(numeric))


def numbers_from_text(table: Table, texts: Sequence[str]) -> Table:
    """Read text columns as numbers, in memory, and keep the record."""
    if not texts:
        return table
    frame = table.in_memory(list(table.kinds))
    records = [table.record]
    for name in texts:
        frame[name], record = read_numbers(frame[name], name, table.parse)
        records.append(record)
    kept = [r for r in records if len(r)]
    record = pd.concat(kept, ignore_index=True) if kept else table.record
    rows = nw.from_native(frame).lazy()
    kinds = {c: kind_of(d) for c, d in rows.select(*table.kinds).collect_schema().items()}
    own = {c: k for c, k in table.kinds.items() if k in ("name", "parsed", "complex")}
    read: dict[str, Kind] = {**kinds, **own, **dict.fromkeys(texts, "parsed")}
    return replace(
        table,
        rows=rows,
        kinds=read,
        engine="pandas",
        record=record,
        alike={c: pair for c, pair in table.alike.items() if c not in texts},
    )
