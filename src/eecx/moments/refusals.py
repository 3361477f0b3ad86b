"""Rows that cannot be summed, whoever holds them."""

from __future__ import annotations

from ..errors import DataError

__all__ = ["bad_weight", "extreme", "infinite", "is_extreme", "no_rows"]


def infinite(name: str) -> DataError:
    """Return the error for a column or term that holds infinite values."""
    return DataError(
        f"Column {name!r} holds infinite values.",
        code="infinite-values",
        fix="Make them missing or remove the rows.",
    )


def is_extreme(low: float, high: float, powers: int = 2) -> bool:
    """Whether the powers of values between two ends run over what a double holds, or under."""
    largest = 10.0 ** (200 / powers)
    return bool(max(abs(low), abs(high)) > largest or 0 < high - low < 1 / largest)


def extreme(what: str, low: float, high: float) -> DataError:
    """Return the error for values whose squares a double cannot hold."""
    most = max(abs(low), abs(high))
    return DataError(
        f"{what} has values up to {most:.1g}, whose squares a computer cannot add up.",
        code="too-large",
        fix=f"{'Divide' if most > 1 else 'Multiply'} the column by a constant first.",
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
