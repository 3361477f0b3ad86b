"""Least squares on sums: centred, scaled, and never with a row in sight."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..covariance import ByCluster, Rows, Sums
from ..errors import DataError, listing
from ..moments import Moments
from .columns import INTERCEPT, Column

__all__ = ["Fit", "independent", "least_squares"]

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.intp]

# share of a column's variation that others leave unexplained, below which it counts as theirs
COLLINEAR = 1e-10


@dataclass(frozen=True, eq=False)
class Fit:
    """Least-squares estimates with what every covariance needs.

    The sums behind the covariances are those of the *centred* model, whose intercept is the
    mean of y: an offset of 1e9 would otherwise leave them no digit. ``move`` leads from its
    parameters to ``beta``: a covariance V of the centred model is ``move @ V @ move.T``.

    Attributes
    ----------
    columns : tuple of Column
        What the coefficients belong to, the intercept first where there is one.
    beta : ndarray, shape (k,)
    move : ndarray, shape (k, k)
        The identity, but for the intercept's row.
    bread : ndarray, shape (k, k)
        :math:`(X'X)^{-1}`.
    scores : ndarray, shape (G, k)
        :math:`X_g'e_g` per cluster, or row.
    by : ByCluster
        The columns by cluster: their sums of squares, or their rows where these are less.
    rss, tss : float
        Residual and total (centred) sums of squares.
    n : float
        Rows.
    condition : float
        Condition number of the scaled, centred design.
    """

    columns: tuple[Column, ...]
    beta: Array
    move: Array
    bread: Array
    scores: Array
    by: ByCluster
    rss: float
    tss: float
    n: float
    condition: float

    @property
    def cross(self) -> Array:
        """:math:`X_g'X_g` per cluster, shape (G, k, k)."""
        return self.by.times(np.eye(len(self.bread)))


def least_squares(
    cells: Moments,
    y: Column,
    x: Sequence[Column],
    *,
    intercept: bool,
    cluster: Codes | None = None,
    net_of: str = "",
) -> Fit:
    r"""Regress term ``y`` on terms ``x`` over all cells.

    .. math:: \hat\beta = (X'X)^{-1} X'y

    The sums are taken about the grand mean and every column is divided by its root sum of
    squares before solving, so that neither offset nor unit of measurement costs digits.
    Without an intercept the columns are taken as centred already (fixed effects taken out).
    ``cluster`` numbers the clusters of cells that are rows; without it each row is one. ``net_of``
    says what was taken out of the columns, for the words of an error.

    Raises
    ------
    DataError
        For a constant column or one that the columns before it determine; both are named.
    """
    cells = cells.select([*x, y])
    k = len(x)
    centre = np.zeros(k + 1)
    if intercept:
        cells, centre = cells.centred()
    about, rows = np.zeros((0, k + 1, k + 1)), np.zeros((0, k + 1))
    if cells.of_rows:
        rows = np.sqrt(cells.w)[:, None] * cells.away_from(np.zeros(k + 1))
        whole = rows.T @ rows
    else:
        about = cells.about(np.zeros(k + 1))
        whole = about.sum(axis=0)
    scale = np.sqrt(np.diag(whole))
    _refuse_dependent(whole, list(x), scale, net_of)
    s = scale[:k]
    r = whole[:k, :k] / np.outer(s, s)
    slopes = np.linalg.solve(r, whole[:k, k] / s) / s
    residual = np.append(-slopes, 1.0)
    rss, tss = float(residual @ whole @ residual), float(whole[k, k])
    columns, beta, move = tuple(x), slopes, np.eye(k)
    bread = np.linalg.inv(r) / np.outer(s, s)
    if intercept:
        columns = (INTERCEPT, *columns)
        beta = np.append(centre[k] - centre[:k] @ slopes, slopes)
        move = np.eye(k + 1)
        move[0, 1:] = -centre[:k]
        # in a centred model the constant is orthogonal to all columns
        slopes_bread, bread = bread, np.zeros((k + 1, k + 1))
        bread[0, 0], bread[1:, 1:] = 1 / cells.w.sum(), slopes_bread
    by: ByCluster
    if cells.of_rows:
        own = np.column_stack([np.sqrt(cells.w), rows[:, :k]]) if intercept else rows[:, :k]
        by = Rows(bread, own, rows @ residual, cluster)
    else:
        cross, scores = about[:, :k, :k], about[:, :k, :] @ residual
        if intercept:
            cross, scores = _with_intercept(cells, residual, cross, scores)
        by = Sums(bread, cross, scores)
    condition = float(np.linalg.cond(r)) if k else 1.0
    n = float(cells.n.sum())
    return Fit(columns, beta, move, bread, by.scores, by, max(rss, 0.0), tss, n, condition)


def _with_intercept(
    cells: Moments, residual: Array, cross: Array, scores: Array
) -> tuple[Array, Array]:
    """Put the constant in front of sums of squares and scores."""
    k = cross.shape[1]
    first = cells.w[:, None] * cells.mean
    whole = np.empty((len(cells.w), k + 1, k + 1))
    whole[:, 0, 0] = cells.w
    whole[:, 0, 1:] = whole[:, 1:, 0] = first[:, :k]
    whole[:, 1:, 1:] = cross
    return whole, np.column_stack([first @ residual, scores])


def independent(whole: Array, scale: Array) -> npt.NDArray[np.bool_]:
    """Return which columns are neither zero nor determined by the columns before them."""
    safe = np.where(scale > 0, scale, 1.0)
    left = whole / np.outer(safe, safe)
    kept = np.zeros(len(scale), dtype=bool)
    for j in range(len(scale)):
        if scale[j] <= 0 or left[j, j] < COLLINEAR:
            continue
        kept[j] = True
        left = left - np.outer(left[:, j], left[j]) / left[j, j]
    return kept


def _refuse_dependent(whole: Array, x: list[Column], scale: Array, net_of: str = "") -> None:
    k = len(x)
    kept = independent(whole[:k, :k], scale[:k])
    if kept.all():
        return
    j = int(np.argmin(kept))
    if scale[j] <= 0:
        raise DataError(
            f"{x[j]!r} is constant over the rows that are left, so it has no slope.",
            code="constant-column",
            fix="Leave it out.",
        )
    before = [i for i in range(j) if kept[i]]
    r = whole / np.outer(scale, scale).clip(1e-300)
    weights = np.linalg.solve(r[np.ix_(before, before)], r[before, j])
    partners = [str(x[i]) for i, w in zip(before, weights, strict=True) if abs(w) > 1e-6]
    verb = "determines" if len(partners) == 1 else "determine"
    raise DataError(
        f"{x[j]!r} is collinear: {f'net of {net_of}, ' if net_of else ''}{listing(partners)} "
        f"{verb} it.",
        code="collinear-column",
        fix="Leave one of them out.",
    )
