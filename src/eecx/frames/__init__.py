"""Data frames of any engine, reached through Narwhals; no other room imports it.

A :class:`Table` is a handle on rows that stay where they are (pandas, Polars, PyArrow,
DuckDB, Spark, or a file). Rows become numbers through grouped queries that run in that engine;
what comes back is small and is pandas.
"""

from __future__ import annotations

from .expressions import (
    Expr,
    answered,
    choose,
    column,
    count,
    distinct,
    every_present,
    flag,
    highest,
    holds,
    lowest,
    one_of,
    present,
    real,
    total,
    zero_if_missing,
)
from .files import read_csv
from .fingerprint import fingerprint_of_columns
from .kinds import NUMBERS, WHOLE, Kind
from .open_table import numbers_from_text, open_table
from .parse import Parse, looks_numeric, read_numbers
from .plain import doubles, plain, plain_keys, refuse_rounded, too_long, whole
from .tables import Table

__all__ = [
    "NUMBERS",
    "WHOLE",
    "Expr",
    "Kind",
    "Parse",
    "Table",
    "answered",
    "choose",
    "column",
    "count",
    "distinct",
    "doubles",
    "every_present",
    "fingerprint_of_columns",
    "flag",
    "highest",
    "holds",
    "looks_numeric",
    "lowest",
    "numbers_from_text",
    "one_of",
    "open_table",
    "plain",
    "plain_keys",
    "present",
    "read_csv",
    "read_numbers",
    "real",
    "refuse_rounded",
    "too_long",
    "total",
    "whole",
    "zero_if_missing",
]
