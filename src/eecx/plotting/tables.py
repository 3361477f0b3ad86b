"""What a figure asks of its table: the columns are there, once, and hold what they say."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from eecx.errors import ColumnError, DataError, OptionError, listing, nearest

__all__ = ["FloatArray", "choices", "flags", "floats", "require"]

FloatArray = npt.NDArray[np.float64]


def require(table: pd.DataFrame, columns: Sequence[str], *, name: str) -> pd.DataFrame:
    """Return the table with a fresh index, after checking that it has ``columns``.

    Raises
    ------
    OptionError
        If ``table`` is not a pandas DataFrame.
    ColumnError
        If a column is missing or occurs twice.
    """
    if not isinstance(table, pd.DataFrame):
        raise OptionError(
            f"{name} must be a pandas DataFrame with the columns {listing(columns, most=20)}; got "
            f"{type(table).__name__}.",
            code="wrong-type",
        )
    for column in columns:
        found = int((table.columns == column).sum())
        if found == 0:
            raise ColumnError(
                f"{name} lacks the column {column!r}.",
                code="unknown-column",
                fix=f"{nearest(column, table.columns)} It needs {listing(columns, most=20)}.",
            )
        if found > 1:
            raise ColumnError(
                f"{name} has the column {column!r} {found} times;",
                code="named-twice",
                fix="keep one of them.",
            )
    return table.reset_index(drop=True)


def floats(table: pd.DataFrame, column: str, *, name: str) -> FloatArray:
    """Return a column as floats; missing and infinite values are NaN.

    Raises
    ------
    DataError
        If a value is not a number.
    """
    given = table[column]
    if given.dtype.kind in "mM":  # dates would turn into nanoseconds
        given = given.astype(object).astype(str)
    values = pd.to_numeric(given, errors="coerce").astype("Float64")
    bad = values.isna() & table[column].notna()
    if bad.any():
        first = table[column][bad].iloc[0]
        raise DataError(
            f"{name}: the column {column!r} must hold numbers; it has {first!r} ({int(bad.sum())} "
            "such value(s)).",
            code="not-numbers",
            fix="Convert it, or leave the value missing.",
        )
    result: FloatArray = np.asarray(values.to_numpy(dtype=float, na_value=np.nan))
    return np.where(np.isfinite(result), result, np.nan)


def flags(table: pd.DataFrame, column: str, *, name: str) -> list[bool]:
    """Return a column of true and false.

    Raises
    ------
    DataError
        If a value is neither.
    """
    values = table[column].tolist()
    for value in values:
        if not isinstance(value, (bool, np.bool_)):
            raise DataError(
                f"{name}: the column {column!r} must hold True or False; it has {value!r}.",
                code="wrong-type",
            )
    return [bool(value) for value in values]


def choices(table: pd.DataFrame, column: str, accepted: Sequence[str], *, name: str) -> list[str]:
    """Return a column of words, each one of ``accepted``.

    Raises
    ------
    DataError
        If a value is not among them.
    """
    values = table[column].tolist()
    for value in values:
        if not isinstance(value, str) or value not in accepted:
            raise DataError(
                f"{name}: the column {column!r} has {value!r}; accepted are "
                f"{listing(accepted, most=20)}.",
                code="not-accepted",
            )
    return [str(value) for value in values]
