"""Row expressions and aggregates, to be run by the engine that holds the rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import reduce

import narwhals as nw

__all__ = [
    "Expr",
    "answered",
    "choose",
    "column",
    "count",
    "distinct",
    "every_present",
    "flag",
    "highest",
    "holds",
    "known",
    "lowest",
    "one_of",
    "present",
    "real",
    "total",
    "zero_if_missing",
]

Expr = nw.Expr


def column(name: str) -> Expr:
    """Return a column or named row expression as it is."""
    return nw.col(name)


def count() -> Expr:
    """Return the number of rows, as an aggregate."""
    return nw.len()


def total(name: str) -> Expr:
    """Return the sum of a row expression by its name, as an aggregate."""
    return nw.col(name).sum()


def answered(name: str) -> Expr:
    """Return the number of non-null values of a row expression, as an aggregate."""
    return nw.col(name).count()


def lowest(name: str) -> Expr:
    """Return the minimum of a row expression by its name, as an aggregate."""
    return nw.col(name).min()


def highest(name: str) -> Expr:
    """Return the maximum of a row expression by its name, as an aggregate."""
    return nw.col(name).max()


def real(value: Expr) -> Expr:
    """Return the value as a double."""
    return value.cast(nw.Float64)


def known(value: Expr) -> Expr:
    """Return a double, or null where it is NaN; infinite values stay, to be refused.

    Whether a value is NaN is not asked as such: DuckDB answers that from the statistics of a file,
    in which NaN may not count.
    """
    infinite = (value == math.inf) | (value == -math.inf)
    return nw.when(value.is_finite() | infinite).then(value)


def flag(condition: Expr, of: Expr) -> Expr:
    """Return 1 where the condition holds and 0 where not, null where ``of`` is null."""
    return nw.when(~of.is_null()).then(condition.cast(nw.Int64))


def holds(condition: Expr) -> Expr:
    """Return 1 where the condition holds and 0 where not, null where that is not known."""
    return condition.cast(nw.Int64)


def one_of(name: str, values: Mapping[int, int]) -> Expr:
    """Return a whole number for each of some values of a row expression, 0 for others."""
    out: Expr = nw.lit(0, nw.Int64)
    for value, number in reversed(list(values.items())):
        out = nw.when(nw.col(name) == value).then(nw.lit(number, nw.Int64)).otherwise(out)
    return out


def present(values: Sequence[Expr]) -> Expr:
    """Return how many of the expressions are not null in a row."""
    return reduce(lambda a, b: a + b, [(~v.is_null()).cast(nw.Int64) for v in values])


def every_present(names: Sequence[str]) -> Expr:
    """Return whether no named column of a row is null."""
    return reduce(lambda a, b: a & b, [~nw.col(n).is_null() for n in names])


def zero_if_missing(value: Expr) -> Expr:
    """Return the value, or 0 where it is null."""
    return nw.when(~value.is_null()).then(value).otherwise(nw.lit(0))


def distinct(name: str) -> Expr:
    """Return the number of different values of a row expression by its name, as an aggregate."""
    return nw.col(name).n_unique()


def choose(cases: Sequence[tuple[Expr, Expr]]) -> Expr:
    """Return the value of the first condition that holds, else null."""
    out: Expr = nw.when(cases[-1][0]).then(cases[-1][1])
    for condition, value in reversed(cases[:-1]):
        out = nw.when(condition).then(value).otherwise(out)
    return out
