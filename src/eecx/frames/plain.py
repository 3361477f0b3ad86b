"""Values in pandas' usual types, whichever engine they come from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..errors import DataError, listing
from .failures import opening

__all__ = [
    "beyond_doubles",
    "blank",
    "doubles",
    "from_texts",
    "nullable",
    "plain",
    "plain_keys",
    "plain_nullable",
    "plain_pandas",
    "plain_text",
    "refuse_rounded",
    "too_long",
    "twins",
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
            known = [v for v in values if not blank(v)]
            wide = kind == "integer" and min(known) >= 0 and max(known) >= 2**63
            whole = pd.UInt64Dtype() if wide else pd.Int64Dtype()
            dtype = pd.BooleanDtype() if kind == "boolean" else whole
            return plain_nullable(nullable(values, dtype).set_axis(values.index))
        if kind in ("date", "datetime", "datetime64"):
            return pd.to_datetime(values)
    except (ValueError, OverflowError, TypeError):  # beyond 64 bits, or time zones that differ
        return plain_text(values.map(str, na_action="ignore"))
    if kind == "decimal" and (long := _long_decimals(values)) is not None:
        return long
    if kind in ("floating", "mixed-integer-float", "decimal"):
        return values.map(lambda v: np.nan if blank(v) else float(v)).astype(float)
    return _without_blanks(values.astype(TEXT)) if kind == "string" else plain_text(values)


def _long_decimals(values: pd.Series[Any]) -> pd.Series[Any] | None:
    """Return decimals that doubles would round as whole numbers, or as text; None: none would."""
    known: list[Any] = [v for v in values if not blank(v)]
    if all(abs(v) < 2**53 for v in known if v.is_finite()):
        return None
    if all(v == v.to_integral_value() and abs(v) < 2**63 for v in known):
        return plain_nullable(
            nullable([None if blank(v) else int(v) for v in values], pd.Int64Dtype()).set_axis(
                values.index
            )
        )
    return plain_text(values.map(lambda v: None if blank(v) else f"{v.normalize():f}"))


def beyond_doubles(values: pd.Series[Any]) -> bool:
    """Whether there are doubles so large that they may be rounded whole numbers."""
    return bool((values.abs() >= 2.0**53).any())


def doubles(values: pd.Series[Any], name: str) -> npt.NDArray[np.float64]:
    """Return numbers as doubles, missing being NaN; raise where a whole number would be rounded."""
    read = values.to_numpy(float, na_value=np.nan)
    if values.dtype.kind in "iu" and len(read) and np.nanmax(np.abs(read), initial=0) >= 2.0**53:
        for own, double in zip(values, read, strict=True):
            if not blank(own) and int(own) != int(double):
                raise too_long(name, int(own))
    return read


def too_long(name: str, such_as: int | None = None) -> DataError:
    """Return the error for whole numbers of which doubles would lose the last digits."""
    said = "" if such_as is None else f", such as {such_as},"
    return DataError(
        f"Column {name!r} holds whole numbers beyond 2^53{said} and doubles would lose their last "
        "digits.",
        code="too-many-digits",
        fix="Take a constant off first, or make the column floats where those digits do not "
        "matter. Names, such as a unit or C(…), keep all digits.",
    )


def refuse_rounded(key: pd.Series[Any]) -> None:
    """Refuse keys that are whole numbers of which floats have lost the last digits."""
    if key.dtype.kind == "f" and beyond_doubles(key[np.isfinite(key)]):
        raise DataError(
            f"Column {key.name!r} names things by numbers beyond 2^53 that are floats: several may "
            "have become one.",
            code="too-many-digits",
            fix="Read it as text, or as whole numbers (in pandas dtype 'Int64').",
        )


def from_texts(frame: pd.DataFrame, decimals: Sequence[str]) -> pd.DataFrame:
    """Return a frame with columns of decimals that were handed over as text."""
    for name in decimals:
        read = [None if blank(t) else Decimal(str(t)) for t in frame[name]]
        frame[name] = pd.Series(read, frame.index, dtype=object)
    return frame


def nullable(
    values: Iterable[object], dtype: pd.Int64Dtype | pd.UInt64Dtype | pd.BooleanDtype
) -> pd.Series[Any]:
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
    cells = [None if blank(v) else _written(v) for v in values]
    return pd.Series(cells, values.index, dtype=TEXT)


def _written(value: Any) -> str:
    """Return a value as text; a whole number is the same whole number where it is a float."""
    if isinstance(value, float | np.floating) and abs(float(value)) < 2.0**53:
        whole = float(value).is_integer()
        return str(int(value)) if whole else str(value)
    return str(value)


def twins(values: pd.Series[Any]) -> tuple[object, object] | None:
    """Return the first two values that differ, as 1 and "1" do, and are the same as text."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = pd.Series(values.cat.categories)
    if values.dtype != object or not pd.api.types.infer_dtype(values, skipna=True).startswith(
        "mixed"
    ):
        return None
    first: dict[str, Any] = {}
    for value in values:
        if not blank(value):
            other = first.setdefault(_written(value), value)
            if type(other) is not type(value) and other != value:
                return other, value
    return None


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
    if values.dtype in (np.float32, np.float64):
        values = values.astype(float) + 0.0  # which makes 0 of -0
        own = values.to_numpy()
        if len(own) and (np.abs(own) < 2.0**53).all() and (own == np.round(own)).all():
            return values.astype(np.int64)
    elif values.dtype.kind in "iu" and values.dtype != np.int64:
        return plain_nullable(values)
    return values


def blank(cell: Any) -> bool:
    """Return whether a cell is missing or holds nothing but blanks."""
    if isinstance(cell, str):
        return not cell.strip()
    return bool(pd.api.types.is_scalar(cell) and pd.isna(cell))
