r"""Sums of rows in memory, in two passes.

The mean of a cell comes first; products are those of distances from it. What rounding missed of
the mean, :math:`r = \sum w_i (x_i - \bar x) / w`, is taken off: :math:`M2 = \sum w_i (x_i - \bar x)
(x_i - \bar x)' - w\, r r'`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from .. import formula, frames
from .arrays import WIDE, Array, Codes, nothing, products, summed, triangle, two_sum
from .from_engine import from_engine
from .keys import ROW, group_codes
from .moments import Moments
from .refusals import bad_weight, extreme, infinite, is_extreme, no_rows
from .terms import columns_of, term_values

__all__ = ["from_memory", "from_rows"]


def from_memory(
    table: frames.Table, keys: list[str], parsed: Sequence[formula.Term], weight: str | None
) -> Moments:
    """Sum rows per combination of columns, the row itself being one."""
    used = columns_of(parsed, weight)
    held, numbers = table.collect([k for k in keys if k != ROW], used, whole=ROW not in keys)
    if any(numbers[c].dtype != np.float64 for c in used):  # doubles would round them
        return from_engine(table, keys, parsed, weight)
    columns = {c: numbers[c].to_numpy(float) for c in used}
    labels = tuple(t.label for t in parsed)
    for column, values in columns.items():
        if np.isinf(values).any():
            raise infinite(column)
    with np.errstate(over="ignore"):  # found below
        x = np.column_stack([term_values(t, columns) for t in parsed])
    if np.isinf(x).any():
        raise infinite(labels[int(np.argwhere(np.isinf(x))[0, 1])])
    for label, values in zip(labels, x.T, strict=True):
        low, high = np.fmin.reduce(values, initial=np.inf), np.fmax.reduce(values, initial=-np.inf)
        if low <= high and is_extreme(low, high):
            raise extreme(repr(label), low, high)
    w = columns[weight] if weight else np.ones(len(x))
    if weight and np.any(w <= 0):
        raise bad_weight(weight, int(np.sum(w <= 0)))
    lightest, heaviest = np.fmin.reduce(w, initial=1.0), np.fmax.reduce(w, initial=1.0)
    if is_extreme(0.0, lightest) or is_extreme(0.0, heaviest):
        raise extreme(f"Weight {weight!r}", lightest, heaviest)
    complete = ~np.isnan(x).any(axis=1) & ~np.isnan(w) & held.notna().all(axis=1).to_numpy()
    if not complete.any():
        raise no_rows(len(x))
    kept = held.loc[complete].reset_index(drop=True)
    if ROW in keys:
        kept[ROW] = np.flatnonzero(complete)
    made = from_rows(x[complete], labels, kept[keys], w[complete], left_out=int((~complete).sum()))
    made = replace(made, keys=frames.plain_keys(made.keys))
    for key in keys:
        frames.refuse_rounded(made.keys[key])
    return made


def from_rows(
    x: Array,
    terms: tuple[Any, ...],
    keys: pd.DataFrame,
    w: Array | None = None,
    *,
    left_out: int = 0,
) -> Moments:
    """Sum complete rows ``x`` (rows, p) per combination of ``keys``."""
    p = x.shape[1]
    if ROW in keys.columns:
        one, blank = np.ones(len(x)), nothing(len(x), p * (p + 1) // 2)
        w, w2 = (one, one) if w is None else (w, w * w)
        return Moments(terms, keys.reset_index(drop=True), one, w, w2, x, blank, left_out)
    codes, cells = group_codes(keys, list(keys.columns))
    n, total_w, w2, (mean, rest), m2 = _sum_rows(x, codes, len(cells), w)
    return Moments(terms, cells, n, total_w, w2, mean, m2, left_out, rest)


def _sum_rows(
    x: Array, codes: Codes, cells: int, w: Array | None
) -> tuple[Array, Array, Array, tuple[Array, Array], Array]:
    """Sum rows about the rounded mean of their cell, and take off what rounding missed."""
    columns = np.ascontiguousarray(x.T)
    count = np.bincount(codes, minlength=cells)
    n = count.astype(float)
    start = np.cumsum(count) - count
    in_order = bool(count.all() and (codes[1:] >= codes[:-1]).all())

    def per_cell(values: Array) -> Array:
        return np.add.reduceat(values, start) if in_order else summed(values, codes, cells)

    def each_row(values: Array) -> Array:
        return np.repeat(values, count) if in_order else values[codes]

    def total(values: Array, times: Array | None = None) -> Array:
        for factor in (times, w):
            values = values if factor is None else np.multiply(values, factor, out=product)
        return per_cell(values)

    total_w, w2 = (n, n) if w is None else (per_cell(w), per_cell(w * w))
    away, product = np.empty_like(columns), np.empty(len(x))
    mean, rest, square = np.empty((3, len(columns), cells))
    for k, column in enumerate(columns):
        mean[k] = total(column) / total_w
        np.subtract(column, each_row(mean[k]), out=away[k])
        rest[k] = total(away[k]) / total_w
        square[k] = total(away[k], away[k])
        noise = n * np.finfo(float).eps * np.abs(mean[k])
        constant = square[k] <= total_w * noise**2
        if constant.any():
            # the error of a first mean is all that is left of a constant: a second mean has none
            better = np.where(constant, mean[k] + rest[k], mean[k])
            away[k] += each_row(mean[k] - better)
            mean[k], rest[k] = better, total(away[k]) / total_w
            square[k] = total(away[k], away[k])
    i, j = triangle(len(columns))
    if len(columns) < WIDE:
        pairs = zip(i, j, strict=True)
        m2 = np.stack([square[a] if a == b else total(away[a], away[b]) for a, b in pairs], axis=1)
    else:
        m2 = products(away.T, np.ones(len(x)) if w is None else w, codes, cells)
    m2 -= (total_w * rest[i] * rest[j]).T
    return n, total_w, w2, two_sum(mean.T, rest.T), m2
