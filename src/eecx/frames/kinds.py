"""What kinds of values a column may hold, whichever engine it comes from."""

from __future__ import annotations

from typing import Any, Literal

import narwhals as nw

__all__ = ["NUMBERS", "WHOLE", "Kind", "kind_of"]

Kind = Literal[
    "integer",  # fits 64 bits with a sign
    "wide",  # without one
    "huge",  # 128 bits
    "decimal",
    "float",
    "parsed",  # floats read from text: number codes are already out
    "boolean",
    "text",
    "name",  # text that names things, though it may look like a number
    "complex",
    "time",
    "zoned",  # time with a time zone
    "other",
]
NUMBERS: frozenset[Kind] = frozenset(
    {"integer", "wide", "huge", "decimal", "float", "parsed", "boolean"}
)

WHOLE: frozenset[Kind] = frozenset({"integer", "wide", "huge"})


def kind_of(dtype: Any) -> Kind:
    """Return the kind of a Narwhals type."""
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
