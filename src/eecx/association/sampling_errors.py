"""What part of a model's cross-products is sampling error: of cells, and of means of people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from .. import formula as grammar
from ..errors import Caution
from ..models.work import Work
from ..moments import from_rows
from ..panel import Panel

__all__ = ["Rows", "error_sums_of_panel", "error_sums_of_people", "known_errors", "rows_of"]

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows that a prepared model used, and where each belongs.

    Attributes
    ----------
    at : ndarray of int
        Positions in the panel.
    x : ndarray, shape (n, 1 + k)
        The outcome and the terms.
    unit, time, cell : ndarray of int
        ``cell`` is the row's cell (cluster) among the cells of the model.
    """

    at: Codes
    x: Array
    unit: Codes
    time: Codes
    cell: Codes

    @property
    def units(self) -> int:
        """Number of units."""
        return int(self.unit.max()) + 1


def rows_of(panel: Panel, model: grammar.Formula, work: Work) -> Rows:
    """Return the complete rows of a panel with the clusters of a model prepared from it."""
    x = panel.design((model.response, *model.terms)).x
    names = work.clusters[1]
    cell = names.get_indexer(pd.Index(panel.frame[str(work.cluster)]))
    at = np.flatnonzero(~np.isnan(x).any(axis=1) & (cell >= 0))
    unit = pd.factorize(panel.frame[panel.unit].iloc[at])[0]
    time = pd.factorize(panel.time[at])[0]
    return Rows(at, x[at], unit, time, cell[at].astype(np.intp))


def known_errors(panel: Panel, names: Sequence[str], rows: Rows) -> list[str]:
    """Return which of these columns have a sampling variance in every row of the model."""
    return [
        n
        for n in names
        if n in panel.variance.columns and panel.variance[n].iloc[rows.at].notna().all()
    ]


def error_sums_of_panel(
    panel: Panel, rows: Rows, names: Sequence[str], y: str, effects: str
) -> tuple[Array, list[Caution]]:
    r"""Return the sampling error of cells in the cross-products of terms, and with the outcome.

    Taking out means or effects multiplies the data by a projection M, whose diagonal says how much
    of the error :math:`v_{r}` of row r (a covariance of two columns, or a variance) is left:

    .. math:: \operatorname{E}[e'Me] = \sum_r M_{rr} v_r

    with :math:`M_{rr} = 1 - 1/n` pooled, :math:`1 - 1/T_i` within units, that less the leverage of
    the wave effects two-way; between units the mean of a unit has :math:`\sum_t v_{it}/T_i^2`, of
    which the share :math:`1 - 1/N` is left.

    Returns
    -------
    ndarray, shape (G, k + 1, k + 1)
        Per cluster; the outcome is last, and its own variance is not in it.
    list of Caution
    """
    share = _left(effects, rows)
    columns = [*names, y]
    clusters = int(rows.cell.max()) + 1
    sums = np.zeros((clusters, len(columns), len(columns)))
    found = []
    for i, one in enumerate(names):
        own = panel.variance[one].to_numpy(float)[rows.at]
        sums[:, i, i] = np.bincount(rows.cell, share * own, clusters)
        for j in range(i + 1, len(columns)):
            both = _covariance(panel, one, columns[j], rows)
            if both is not None:
                sums[:, i, j] = sums[:, j, i] = np.bincount(rows.cell, share * both, clusters)
            elif _same_people(panel, one, columns[j]):
                found.append(_uncounted(one, columns[j]))
    return sums, found


def _left(effects: str, rows: Rows) -> Array:
    """Return the share of each row's error that is left: the diagonal of the projection."""
    n = len(rows.unit)
    waves = np.bincount(rows.unit).astype(float)[rows.unit]
    if effects == "pooled":
        return np.full(n, 1 - 1 / n)
    if effects == "between":
        return (1 - 1 / rows.units) / waves**2
    left = 1 - 1 / waves
    if effects == "two-way":
        waves_of = int(rows.time.max()) + 1
        dummy = np.eye(waves_of)[rows.time][:, 1:]
        for column in dummy.T:
            column -= (np.bincount(rows.unit, column) / np.bincount(rows.unit))[rows.unit]
        inverse = np.linalg.pinv(dummy.T @ dummy, rcond=1e-10)
        left = left - np.einsum("ri,ij,rj->r", dummy, inverse, dummy)
    return np.asarray(left)


def _covariance(panel: Panel, one: str, other: str, rows: Rows) -> Array | None:
    """Return the sampling covariance in each row, or None where the panel knows none.

    Where too few people answered both for it to be shown, the mean correlation of the errors in
    the other rows stands in.
    """
    pair = next((p for p in ((one, other), (other, one)) if p in panel.covariance.columns), None)
    if pair is None:
        return None
    own = panel.variance[[one, other]].to_numpy(float)[rows.at]
    scale = np.sqrt(own[:, 0] * own[:, 1])
    covariance = panel.covariance[pair].to_numpy(float)[rows.at]
    known = ~np.isnan(covariance) & (scale > 0)
    if not known.any():
        return None
    related = float((covariance[known] / scale[known]).mean())
    return np.nan_to_num(np.where(np.isnan(covariance), related * scale, covariance))


def _same_people(panel: Panel, one: str, other: str) -> bool:
    roles = [panel.roles[n] for n in (one, other) if n in panel.roles]
    return len(roles) == 2 and bool(roles[0].source & roles[1].source)


def _uncounted(one: str, other: str) -> Caution:
    message = (
        f"{one!r} and {other!r} share a source, so their sampling errors may be related. How much "
        "is not known, and it is counted as zero:"
    )
    fix = "error_covariance= takes it."
    return Caution("unknown-error-covariance", message, f"{one}, {other}", fix=fix)


def error_sums_of_people(rows: Rows, order: Sequence[int]) -> Array:
    r"""Return the error of unit means of people in the cross-products between units.

    People are a sample of what their unit could have answered. With W the pooled covariance of
    people within units, N units of n_j people,

    .. math:: \Lambda = \left(1 - \frac1N\right) \sum_j \frac{W}{n_j}

    A cluster's part is its share of :math:`\sum_j 1/n_j` and what its people moved W by: the parts
    sum to :math:`\Lambda`, and carry the uncertainty of W into errors.

    Parameters
    ----------
    rows : Rows
    order : sequence of int
        Columns of ``rows.x`` in the order wanted.

    Returns
    -------
    ndarray, shape (G, p, p)
    """
    names = tuple(str(i) for i in range(len(order)))
    cells = from_rows(rows.x[:, list(order)], names, pd.DataFrame({"unit": rows.unit}))
    owner = np.zeros(len(cells.n), dtype=np.intp)
    owner[rows.unit] = rows.cell
    clusters = int(rows.cell.max()) + 1
    inverse = np.bincount(owner, 1 / cells.n, clusters)
    freedom = np.bincount(owner, cells.n - 1, clusters)
    squares = np.zeros((clusters, len(order), len(order)))
    np.add.at(squares, owner, cells.cross)
    pooled = squares.sum(axis=0) / freedom.sum()
    moved = (squares - freedom[:, None, None] * pooled) / freedom.sum()
    part = inverse[:, None, None] * pooled + inverse.sum() * moved
    return np.asarray((1 - 1 / rows.units) * part)
