"""Symmetric matrices kept as their upper elements; sums per group; sums that lose nothing."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt

__all__ = [
    "WIDE",
    "Array",
    "Codes",
    "is_nothing",
    "nothing",
    "pack",
    "picked",
    "products",
    "summed",
    "triangle",
    "two_sum",
    "unpack",
]

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.intp]

# columns from which matrix products of a group's rows cost less than a pass per pair of columns
WIDE = 16


@cache
def triangle(p: int) -> tuple[Codes, Codes]:
    """Return rows and columns of the upper elements of a p × p matrix, in packed order."""
    i, j = np.triu_indices(p)
    for index in (i, j):
        index.flags.writeable = False
    return i, j


def nothing(*shape: int) -> Array:
    """Return zeros that take no memory: the cross-products of single rows about themselves."""
    return np.broadcast_to(np.zeros(()), shape)


def is_nothing(values: Array) -> bool:
    """Whether these are zeros that take no memory."""
    return values.size > 0 and not any(values.strides) and not values.flat[0]


def pack(full: Array) -> Array:
    """Pack symmetric matrices (…, p, p) to their upper elements (…, p(p+1)/2)."""
    p = full.shape[-1]
    if is_nothing(full):
        return nothing(*full.shape[:-2], p * (p + 1) // 2)
    i, j = triangle(p)
    return np.ascontiguousarray(full[..., i, j])


def unpack(packed: Array, p: int) -> Array:
    """Unpack upper elements (…, p(p+1)/2) to symmetric matrices (…, p, p)."""
    if is_nothing(packed):
        return nothing(*packed.shape[:-1], p, p)
    i, j = triangle(p)
    full = np.empty((*packed.shape[:-1], p, p))
    full[..., i, j] = packed
    full[..., j, i] = packed
    return full


def picked(full: Array, at: Sequence[int] | Codes) -> Array:
    """Return these rows and columns of symmetric matrices (…, p, p)."""
    if is_nothing(full):
        return nothing(*full.shape[:-2], len(at), len(at))
    return full[..., at, :][..., at]


def products(x: Array, w: Array, codes: Codes, groups: int) -> Array:
    """Return the packed sums of :math:`w x x'` of rows (n, p) per group."""
    n, p = x.shape
    weighted = x if (w == 1).all() else x * w[:, None]
    if groups == 1:
        return pack(weighted.T @ x)[None]
    i, j = triangle(p)
    out = np.empty((groups, len(i)))
    if p < WIDE or groups > n / p:
        for k, (a, b) in enumerate(zip(i, j, strict=True)):
            out[:, k] = summed(weighted[:, a] * x[:, b], codes, groups)
        return out
    order = np.argsort(codes, kind="stable")
    ends = np.cumsum(np.bincount(codes, minlength=groups))
    for g, rows in enumerate(np.split(order, ends[:-1])):
        out[g] = pack(weighted[rows].T @ x[rows])
    return out


def summed(values: Array, codes: Codes, groups: int) -> Array:
    """Return the sum of values per group."""
    return np.asarray(np.bincount(codes, weights=values, minlength=groups), dtype=float)


def two_sum(a: Array, b: Array) -> tuple[Array, Array]:
    """Return the rounded sum and, exactly, what rounding took off (Knuth's two-sum)."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)
