"""CSV files, read the same way on every machine, and Parquet files, left to an engine."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..errors import DataError, EecxError, EngineError, listing
from .failures import unopened, unreadable
from .parse import LEADING_ZERO, NUMBER, WHOLE, same_as_written
from .plain import plain_nullable, plain_text

__all__ = ["open_path", "read_csv"]

WRITTEN = "as written: "
"""Begins the name of a column that holds the texts of another, whose numbers tell fewer apart."""


def open_path(path: Path) -> object:
    """Open a CSV or Parquet file, by its suffix."""
    try:
        there = path.exists()
    except (OSError, ValueError):  # too long for a path, or with signs that none has
        there = False
    if not there:
        raise DataError(
            f"There is no file {str(path)!r:.200}.",
            code="no-file",
            fix="Give its full path.",
        )
    if path.suffix.lower() in (".parquet", ".pq"):
        return _open_parquet(path)
    if path.is_dir():
        raise DataError(
            f"{str(path)!r} is a folder.",
            code="no-file",
            fix="Give the path of a file in it.",
        )
    if path.suffix.lower() in (".csv", ".txt", ".tsv"):
        return _read_csv(path, written=True)
    raise DataError(
        f"{path.name!r} is neither .csv nor .parquet.",
        code="bad-file",
        fix="Convert it, or pass a data frame.",
    )


def _open_parquet(path: Path) -> object:
    try:
        if importlib.util.find_spec("duckdb"):
            import duckdb

            rows = duckdb.read_parquet(str(path))
            if not any("TIME ZONE" in str(kind) for kind in rows.types):
                return rows
            # DuckDB does not keep the zone: its clock would be that of the machine
            if not any(map(importlib.util.find_spec, ("polars", "pyarrow"))):
                return rows
        if importlib.util.find_spec("polars"):
            import polars

            return polars.scan_parquet(path)
        if importlib.util.find_spec("pyarrow"):
            return pd.read_parquet(path)
    except EecxError:
        raise
    except Exception as error:
        raise unreadable(f"the file {path.name!r}", "its engine", error) from error
    raise EngineError(
        f"{path.name!r} is a Parquet file, which needs DuckDB, Polars or PyArrow:",
        code="needs-extra",
        fix="pip install 'eecx[engines]'",
    )


def read_csv(path: Path) -> pd.DataFrame:
    """Read a CSV file the same way on every machine.

    Cells are read as text; a column becomes numeric when every cell is blank or a plain number
    and none is an integer with a leading zero ("001" is a name, not the number 1), and boolean
    when every cell is blank, true or false.
    """
    return _read_csv(path)


def _read_csv(path: Path, *, written: bool = False) -> pd.DataFrame:
    """Read a CSV file; ``written`` adds the texts of columns that numbers would change."""
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
        raise DataError(
            f"The file {path.name!r} is empty.",
            code="no-rows",
            fix="Give a file with a line of column names and a line per row.",
        ) from error
    except UnicodeDecodeError as error:
        raise DataError(
            f"The file {path.name!r} is not UTF-8 text.",
            code="bad-file",
            fix="Save it as UTF-8.",
        ) from error
    except OSError as error:
        raise unopened(path.name, error) from error
    except pd.errors.ParserError as error:
        raise DataError(
            f"The file {path.name!r} cannot be read as CSV: {str(error).strip()}.",
            code="bad-file",
            fix="Correct the file, or pass a data frame.",
        ) from error
    header, body = cells.iloc[0], cells.iloc[1:].reset_index(drop=True)
    header = header[(header != "") | (body.fillna("") != "").any()]  # spreadsheets leave blanks
    if twice := sorted(set(header[header.duplicated()])):
        raise DataError(
            f"The file {path.name!r} has several columns named {listing(twice)}.",
            code="named-twice",
            fix="Rename them in its first line.",
        )
    columns = {str(name): _typed(body[i]) for i, name in header.items()}
    for i, name in header.items() if written else ():
        if columns[str(name)].dtype.kind in "iufb" and not same_as_written(pd.unique(body[i])):
            columns[f"{WRITTEN}{name}"] = plain_text(body[i])
    return pd.DataFrame(columns)


def _typed(cells: pd.Series[Any]) -> pd.Series[Any]:
    """Type a column of text cells; one that is short of a cell has a blank there."""
    texts = cells.str.strip()
    codes, levels = pd.factorize(texts.where(texts != "", None))
    distinct, blank = list(levels), codes < 0
    if distinct and all(t.casefold() in ("true", "false") for t in distinct):
        true = np.array([t.casefold() == "true" for t in distinct])
        return plain_nullable(pd.Series(pd.arrays.BooleanArray(true[codes], blank), cells.index))
    named = any(LEADING_ZERO.fullmatch(t) for t in distinct)
    if named or not distinct or not all(NUMBER.fullmatch(t) for t in distinct):
        return plain_text(cells)
    if not all(WHOLE.fullmatch(t) for t in distinct):
        return pd.Series(np.array([*map(float, distinct), np.nan])[codes], cells.index)
    if any(abs(int(t)) >= 2**63 for t in distinct):
        return plain_text(cells)
    whole = np.array([int(t) for t in distinct], dtype=np.int64)
    return plain_nullable(pd.Series(pd.arrays.IntegerArray(whole[codes], blank), cells.index))
