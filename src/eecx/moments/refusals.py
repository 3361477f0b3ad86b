"""Rows that cannot be summed, whoever holds them."""

from __future__ import annotations

from ..errors import DataError

__all__ = ["bad_weight", "infinite", "no_rows"]


def infinite(name: str) -> DataError:
    """Return the error for a column or term that holds infinite values."""
    return DataError(
        f"Column {name!r} holds infinite values.",
        code="infinite-values",
        fix="Make them missing or remove the rows.",
    )


def bad_weight(weight: str, rows: int) -> DataError:
    """Return the error for weights that are not positive."""
    return DataError(
        f"Weight {weight!r} is zero or negative in {rows} rows. Weights must be positive.",
        code="bad-weight",
        fix="Remove those rows or correct their weights.",
    )


def no_rows(rows: int) -> DataError:
    """Return the error for data in which no row is complete."""
    return DataError(
        f"None of the {rows} rows has a value for every term, key and weight.",
        code="no-rows",
        fix="Leave out what is missing most.",
    )
