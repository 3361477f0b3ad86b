r"""Heteroskedasticity-robust covariances HC0 to HC3, from the scores of every row.

With rows' scores :math:`x_i e_i`, bread M and leverages :math:`h_i`:

.. math:: HC0 = M \Big(\sum_i x_i x_i' e_i^2\Big) M, \quad HC1 = \frac{N}{N-K} HC0,

and HC2, HC3 divide :math:`e_i^2` by :math:`1 - h_i` and by its square. Where effects are taken
out, :math:`h_i` is the leverage in the regression on dummies, :math:`1/T_i` of the unit included.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .clustered import cr0

Array = npt.NDArray[np.float64]

# a row this near to leverage 1 is fitted exactly whatever the data: its residual is zero
_DECIDED = 1e-10


def leverage(bread: Array, rows: Array) -> Array:
    """Return :math:`x_i' M x_i` of rows (n, k)."""
    return np.asarray(((rows @ bread) * rows).sum(axis=1))


def hc(kind: str, bread: Array, scores: Array, h: Array | None, parameters: int) -> Array:
    """Return HC0, HC1, HC2 or HC3 (these need h); ``parameters`` counts absorbed effects too."""
    n = len(scores)
    if kind == "HC0":
        return cr0(bread, scores)
    if kind == "HC1":
        return cr0(bread, scores) * (n / (n - parameters))
    if h is None:
        raise TypeError(f"{kind} needs leverages.")
    left = np.where(1 - h > _DECIDED, 1 - h, np.inf)
    power = 0.5 if kind == "HC2" else 1.0
    return cr0(bread, scores / left[:, None] ** power)
