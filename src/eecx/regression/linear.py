"""Least squares on sums: centred, scaled, and never with a row in sight."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..errors import DataError, listing
from ..moments import Moments

__all__ = ["Fit", "independent", "least_squares"]

Array = npt.NDArray[np.float64]

# share of a column's variation that others leave unexplained, below which it counts as theirs
COLLINEAR = 1e-10


@dataclass(frozen=True, eq=False)
class Fit:
    """Least-squares estimates with what every covariance needs.

    Attributes
    ----------
    names : tuple of str
        Coefficients, ``"(intercept)"`` first where there is one.
    beta : ndarray, shape (k,)
    bread : ndarray, shape (k, k)
        :math:`(X'X)^{-1}`.
    cross : ndarray, shape (G, k, k)
        :math:`X_g'X_g` per cell.
    scores : ndarray, shape (G, k)
        :math:`X_g'e_g` per cell.
    rss, tss : float
        Residual and total (centred) sums of squares.
    n : float
        Rows.
    condition : float
        Condition number of the scaled, centred design.
    """

    names: tuple[str, ...]
    beta: Array
    bread: Array
    cross: Array
    scores: Array
    rss: float
    tss: float
    n: float
    condition: float

    @property
    def influence(self) -> Array:
        """Contribution of every cell to the estimates, shape (G, k)."""
        return self.scores @ self.bread


def least_squares(cells: Moments, y: str, x: Sequence[str], *, intercept: bool) -> Fit:
    """Regress term ``y`` on terms ``x`` over all cells.

    .. math:: \\hat\\beta = (X'X)^{-1} X'y

    The sums are taken about the grand mean and every column is divided by its root sum of
    squares before solving, so that neither offset nor unit of measurement costs digits.
    Without an intercept the columns are taken as centred already (fixed effects taken out).

    Raises
    ------
    DataError
        For a constant column or one that the columns before it determine; both are named.
    """
    cells = cells.select([*x, y])
    total = cells.collapse()
    point = total.mean[0] + total.mean_rest[0] if intercept else np.zeros(len(x) + 1)  # type: ignore[index]
    about = cells.about(point)
    whole = about.sum(axis=0)
    scale = np.sqrt(np.diag(whole))
    _refuse_dependent(whole, list(x), scale)
    k = len(x)
    s = scale[:k]
    r = whole[:k, :k] / np.outer(s, s)
    inverse = np.linalg.inv(r) if k else r
    slopes = np.linalg.solve(r, whole[:k, k] / s) / s if k else np.zeros(0)
    residual = np.append(-slopes, 1.0)
    rss = float(residual @ whole @ residual)
    bread = inverse / np.outer(s, s)
    cross = about[:, :k, :k]
    scores = about[:, :k, :] @ residual
    names = tuple(x)
    n = float(total.n[0])
    if intercept:
        slopes, bread, cross, scores = _with_intercept(cells, point, slopes, bread, cross, scores)
        names = ("(intercept)", *names)
    condition = float(np.linalg.cond(r)) if k else 1.0
    return Fit(names, slopes, bread, cross, scores, max(rss, 0.0), float(whole[k, k]), n, condition)


def _with_intercept(
    cells: Moments, point: Array, slopes: Array, bread: Array, cross: Array, scores: Array
) -> tuple[Array, Array, Array, Array]:
    """Add the constant to a centred fit and move it back to where x = 0."""
    k = len(slopes)
    w = cells.w
    away = cells._away(point)
    full_cross = np.empty((len(w), k + 1, k + 1))
    full_cross[:, 0, 0] = w
    full_cross[:, 0, 1:] = full_cross[:, 1:, 0] = w[:, None] * away[:, :k]
    full_cross[:, 1:, 1:] = cross
    residual = np.append(-slopes, 1.0)
    full_scores = np.column_stack([w * (away @ residual), scores])
    full_bread = np.zeros((k + 1, k + 1))
    full_bread[0, 0] = 1 / w.sum()
    full_bread[1:, 1:] = bread
    # b0 at the origin is b0 at the centre less the centre times the slopes
    move = np.eye(k + 1)
    move[0, 1:] = -point[:k]
    beta = move @ np.append(point[k], slopes)
    back = np.linalg.inv(move)
    return beta, move @ full_bread @ move.T, back.T @ full_cross @ back, full_scores @ back


def independent(whole: Array, scale: Array) -> npt.NDArray[np.bool_]:
    """Return which columns are neither zero nor determined by the columns before them."""
    k = len(scale)
    kept = np.zeros(k, dtype=bool)
    left = whole / np.outer(np.where(scale > 0, scale, 1.0), np.where(scale > 0, scale, 1.0))
    for j in range(k):
        if scale[j] <= 0 or left[j, j] < COLLINEAR:
            continue
        kept[j] = True
        left = left - np.outer(left[:, j], left[j]) / left[j, j]
    return kept


def _refuse_dependent(whole: Array, x: list[str], scale: Array) -> None:
    k = len(x)
    kept = independent(whole[:k, :k], scale[:k])
    if kept.all():
        return
    j = int(np.argmin(kept))
    if scale[j] <= 0:
        raise DataError(
            f"{x[j]!r} is constant over the rows that are left, so it has no slope. Leave it out."
        )
    before = [i for i in range(j) if kept[i]]
    r = whole / np.outer(scale, scale).clip(1e-300)
    weights = np.linalg.solve(r[np.ix_(before, before)], r[before, j])
    partners = [x[i] for i, w in zip(before, weights, strict=True) if abs(w) > 1e-6]
    raise DataError(
        f"{x[j]!r} is collinear: {listing(partners)} determine{'s' if len(partners) == 1 else ''} it. "
        "Leave one of them out."
    )
