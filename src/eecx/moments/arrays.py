"""Symmetric matrices kept as their upper elements; sums per group; sums that lose nothing."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

__all__ = ["Array", "Codes", "pack", "summed", "triangle", "two_sum", "unpack"]

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.intp]


@cache
def triangle(p: int) -> tuple[Codes, Codes]:
    """Return rows and columns of the upper elements of a p × p matrix, in packed order."""
    i, j = np.triu_indices(p)
    for index in (i, j):
        index.flags.writeable = False
    return i, j


def pack(full: Array) -> Array:
    """Pack symmetric matrices (…, p, p) to their upper elements (…, p(p+1)/2)."""
    i, j = triangle(full.shape[-1])
    return np.ascontiguousarray(full[..., i, j])


def unpack(packed: Array, p: int) -> Array:
    """Unpack upper elements (…, p(p+1)/2) to symmetric matrices (…, p, p)."""
    i, j = triangle(p)
    full = np.empty((*packed.shape[:-1], p, p))
    full[..., i, j] = packed
    full[..., j, i] = packed
    return full


def summed(values: Array, codes: Codes, groups: int) -> Array:
    """Return the sum of values per group."""
    return np.asarray(np.bincount(codes, weights=values, minlength=groups), dtype=float)


def two_sum(a: Array, b: Array) -> tuple[Array, Array]:
    """Return the rounded sum and, exactly, what rounding took off (Knuth's two-sum)."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)
