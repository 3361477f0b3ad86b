"""The classical covariance of least squares: independent errors of one variance."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def classical(bread: Array, rss: float, df: float) -> Array:
    r"""Return :math:`\hat\sigma^2 (X'X)^{-1}` with :math:`\hat\sigma^2 = RSS / df`.

    Parameters
    ----------
    bread : ndarray, shape (k, k)
        :math:`(X'X)^{-1}`.
    rss : float
        Residual sum of squares.
    df : float
        Residual degrees of freedom, absorbed effects counted.
    """
    return bread * (rss / df)
