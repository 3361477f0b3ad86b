"""Values in pandas' usual types, whichever engine they come from."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import numpy as np
import pandas as pd

from ..errors import DataError, listing
from .failures import opening

__all__ = [
    "blank",
    "nullable",
    "plain",
    "plain_keys",
    "plain_nullable",
    "plain_pandas",
    "plain_text",
    "whole",
]

TEXT = pd.Series(["a"]).dtype  # object in pandas 2, str in pandas 3


def plain_pandas(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """Give pandas frames what Narwhals needs: text names, a plain index, columns of one type."""
    if isinstance(frame.columns, pd.MultiIndex):
        raise DataError(
            f"{opening(name)} has columns of several levels.",
            code="column-levels",
            fix="Flatten the names first.",
        )
    names = pd.Index([str(c) for c in frame.columns], dtype=object)
    if not names.is_unique:
        twice = names[names.duplicated()].unique()
        raise DataError(
            f"{opening(name)} has several columns named {listing(twice)}.",
            code="named-twice",
            fix="Rename them first.",
        )
    numbered = frame.index.equals(pd.RangeIndex(len(frame)))
    out = (frame if numbered else frame.reset_index(drop=True)).set_axis(names, axis=1)
    for column_name, dtype in out.dtypes.items():
        if isinstance(dtype, pd.PeriodDtype):
            out[column_name] = _from_periods(out[column_name])
        elif dtype.kind in "OU" or isinstance(dtype, pd.CategoricalDtype):
            out[column_name] = plain(out[column_name])
    return out


def plain(values: pd.Series[Any]) -> pd.Series[Any]:
    """Return values in pandas' usual types, whichever engine they come from; blank is missing."""
    dtype = values.dtype
    if isinstance(dtype, pd.StringDtype):
        return plain_text(values)
    if isinstance(dtype, pd.CategoricalDtype) and _all_text(dtype.categories):
        return _of_categories(values)
    if pd.api.types.is_extension_array_dtype(dtype) and dtype.kind in "iufb":
        return plain_nullable(values)
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
            return plain_nullable(nullable(values, dtype).set_axis(values.index))
        if kind in ("date", "datetime", "datetime64"):
            return pd.to_datetime(values)
    except (ValueError, OverflowError):  # beyond 64 bits, or time zones that differ
        return plain_text(values.map(str, na_action="ignore"))
    if kind in ("floating", "mixed-integer-float", "decimal"):
        return values.map(lambda v: np.nan if blank(v) else float(v)).astype(float)
    return _without_blanks(values.astype(TEXT)) if kind == "string" else plain_text(values)


def nullable(values: Iterable[object], dtype: pd.Int64Dtype | pd.BooleanDtype) -> pd.Series[Any]:
    """Return values in a type of pandas that knows missing ones; blank is missing."""
    return pd.Series([pd.NA if blank(v) else v for v in values], dtype=dtype)


def plain_nullable(values: pd.Series[Any]) -> pd.Series[Any]:
    """Return numbers in NumPy's types, but whole numbers and booleans that have gaps."""
    kind: str = values.dtype.kind
    if kind == "f":
        return pd.Series(values.to_numpy(float, na_value=np.nan), values.index)
    if values.isna().any():
        return values
    dtype = np.dtype({"b": bool, "u": np.uint64}.get(kind, np.int64))
    return pd.Series(values.to_numpy(dtype), values.index)


def plain_text(values: pd.Series[Any]) -> pd.Series[Any]:
    """Return values of any kind as text; blank is missing."""
    if isinstance(values.dtype, pd.StringDtype) or _all_text(values):
        return _without_blanks(values.astype(TEXT))
    cells = [None if blank(v) else str(v) for v in values]
    return pd.Series(cells, values.index, dtype=TEXT)


def _all_text(values: pd.Series[Any] | pd.Index[Any]) -> bool:
    return pd.api.types.infer_dtype(values, skipna=True) == "string"


def _without_blanks(values: pd.Series[Any]) -> pd.Series[Any]:
    """Return text in pandas' usual type with its blank cells missing."""
    if values.dtype == object:
        with suppress(TypeError):  # of what is missing
            if all(map(str.strip, values)):
                return values
        blanks = np.array([isinstance(v, str) and not v.strip() for v in values], dtype=bool)
    else:
        blanks = (values.str.isspace() | (values == "")).to_numpy(bool, na_value=False)
    return values.mask(blanks, None) if blanks.any() else values


def _of_categories(values: pd.Series[Any]) -> pd.Series[Any]:
    """Return text held as categories, looked at once a category."""
    texts = [str(v) if v.strip() else None for v in values.cat.categories]
    array = pd.Series([*texts, None], dtype=TEXT).array  # the last is that of -1, missing
    return pd.Series(array.take(values.cat.codes.to_numpy()), values.index, name=values.name)


def _from_periods(values: pd.Series[Any]) -> pd.Series[Any]:
    """Name years, quarters and months; let the start stand for weeks, fiscal quarters and so on."""
    if str(values.dtype) not in ("period[M]", "period[Q-DEC]", "period[Y-DEC]"):
        return pd.Series(values.dt.start_time)
    return plain_text(values.astype(object))


def plain_keys(keys: pd.DataFrame) -> pd.DataFrame:
    """Return keys in pandas' usual types; whole numbers kept as floats become whole again."""
    return pd.DataFrame({k: whole(plain(keys[k])) for k in keys.columns}, keys.index, copy=False)


def whole(values: pd.Series[Any]) -> pd.Series[Any]:
    """Return whole numbers, kept as floats or in a nullable type without gaps, as integers."""
    dtype = values.dtype
    if pd.api.types.is_extension_array_dtype(dtype) and dtype.kind in "iufb":
        values = plain_nullable(values)
    if values.dtype == np.float64 and len(values):
        own = values.to_numpy()
        if (np.abs(own) < 2.0**53).all() and (own == np.round(own)).all():
            return values.astype(np.int64)
    elif values.dtype.kind in "iu" and values.dtype != np.int64:
        return plain_nullable(values)
    return values


def blank(cell: Any) -> bool:
    """Return whether a cell is missing or holds nothing but blanks."""
    if isinstance(cell, str):
        return not cell.strip()
    return bool(pd.api.types.is_scalar(cell) and pd.isna(cell))
