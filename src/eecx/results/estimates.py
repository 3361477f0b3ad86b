"""What an estimate is: values with their covariance, and what each cluster adds to them.

Data alone. What follows from them, of one fit or of several, is computed in ``models/joint.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["Estimates", "Spread"]

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Spread:
    r"""How clusters' contributions to c estimates vary together, if errors are independent.

    Let :math:`u_g` (rows × c) be the weights with which the residuals of cluster g enter the
    estimates and, with :math:`(X'X)^{-1} = L L'`, :math:`r_g = L'X_g'u_g` (k × c). Under errors
    that are independent and of one variance :math:`\sigma^2`, that of the residuals, the
    contributions :math:`u_g'e_g` and :math:`u_h'e_h` have the covariance

    .. math:: P_{gh} = \sigma^2 (1_{g=h}\, u_g'u_g - r_g'r_h)

    Attributes
    ----------
    own : ndarray, shape (G, c, c)
        :math:`\sigma^2 u_g'u_g`.
    reach : ndarray, shape (G, k, c)
        :math:`\sigma r_g`.
    """

    own: Array
    reach: Array

    def combined(self, combine: Array) -> Spread:
        """Return that of combinations (q, c) of the estimates."""
        return Spread(combine @ self.own @ combine.T, self.reach @ combine.T)


@dataclass(frozen=True, eq=False)
class Estimates:
    """Estimates of one fit, or of several together.

    Attributes
    ----------
    values : ndarray, shape (c,)
    covariance : ndarray, shape (c, c)
        NaN where nothing tells an error.
    df : ndarray, shape (c,)
        Degrees of freedom of each.
    rule : str
        How the covariance was made: ``"CR2"``, ``"CR1"``, ``"classical"``, ``"HC1"``, …
    cluster : str, tuple of str or None
        The column of the clusters, or two.
    labels : pandas.Index or None
        The clusters, in the order of ``influence``.
    influence : ndarray, shape (G, c), or None
        What each cluster adds to the estimates, times the root of the small-sample factor: its
        cross-product is the covariance. None where errors are no sum over one kind of clusters.
    spread : callable or None
        Makes the :class:`Spread` of the contributions to the estimates, or to combinations (q, c)
        of them; of CR2 alone.
    """

    values: Array
    covariance: Array
    df: Array
    rule: str
    cluster: str | tuple[str, ...] | None = None
    labels: pd.Index[Any] | None = None
    influence: Array | None = None
    spread: Callable[..., Spread] | None = None
