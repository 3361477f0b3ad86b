"""Matrix products on one thread."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["multiplied"]

Array = npt.NDArray[np.float64]

# multiplications of one call up to which OpenBLAS, which NumPy comes with, takes one thread:
# of two matrices, and of a matrix and a vector
SMALL, SMALL_VECTOR = 4 * 65536, 4 * 2304


def multiplied(left: Array, right: Array) -> Array:
    """Return ``left @ right`` of a matrix with many rows and one with few columns, or one.

    It is made of parts that are small enough for one thread: for products of this size others
    would take more time to start, and to wait for where the machine is busy, than they save.
    """
    if right.ndim == 1:
        return multiplied(left, right[:, None])[:, 0]
    small = SMALL if right.shape[1] > 1 else SMALL_VECTOR
    rows = max(small // max(right.size, 1), min(8, len(left)))  # at a time
    inner = max(small // max(rows * right.shape[1], 1), 1)
    out = np.zeros((len(left), right.shape[1]))
    for i in range(0, len(left), rows):
        for k in range(0, len(right), inner):
            out[i : i + rows] += left[i : i + rows, k : k + inner] @ right[k : k + inner]
    return out
