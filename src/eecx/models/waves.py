"""Waves taken out of the rows of a model, beside its units, without a dummy in sight.

By the theorem of Frisch, Waugh and Lovell the slopes, residuals and scores of a regression on
dummies of waves are those of the columns net of these. What waves (and units) have in common is
found from sums per unit and per wave and a system as large as there are waves.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ..covariance import Waves
from ..errors import DataError
from ..moments import Moments, group_codes, nothing
from .capabilities import HAT
from .two_way_random import Crossing
from .work import Work

__all__ = ["net_of_waves", "two_way_of"]

Array = npt.NDArray[np.float64]

# share of a column's variation within units that waves leave, below which it is theirs
THEIRS = 1e-10


def net_of_waves(work: Work) -> Work:
    """Take the waves, and with two-way effects the units, out of cells that are rows."""
    cells = work.cells
    weight = None if (cells.w == 1).all() else cells.w
    wave = group_codes(cells.keys, ["wave"])[0]
    size = np.bincount(wave, weight)
    x = cells.away_from(_centre(cells))
    whole = _squares(x, weight)
    if work.effects == "two-way":
        unit = group_codes(cells.keys, [work.unit])[0]
        crossing = Crossing.of(unit, wave, weight)
        sums = crossing.sums(x)
        whole -= ((sums[0] ** 2) / crossing.seen.sum(axis=1)[:, None]).sum(axis=0)
        left = crossing.within(x, sums)[0]
        root = crossing.root
    else:
        unit, root = None, np.diag(1 / np.sqrt(size))
        left = cells.within("wave").mean
    left_over = _squares(left, weight)
    for j in np.flatnonzero(left_over <= THEIRS * np.abs(whole)) if unit is not None else ():
        # what units leave, exactly: a difference of large sums is all rounding error
        own = x[:, j] - (sums[0][:, j] / crossing.seen.sum(axis=1))[unit]
        whole[j] = _squares(own[:, None], weight)[0]
    varies = whole > float(cells.n.sum()) * (1e-14 * work.size) ** 2
    theirs = varies & (left_over <= THEIRS * whole)
    work = replace(
        work,
        cells=replace(cells, mean=left, mean_rest=None),
        waves_out=root.shape[1],
        common=frozenset(c for c, t in zip(cells.terms, theirs, strict=True) if t),
    )
    if work.vcov in HAT:
        return replace(work, net_of=Waves(wave, unit, cells.w, root))
    return work


def two_way_of(work: Work, kept: npt.NDArray[np.bool_]) -> Work:
    """Return the two-way model of some rows of a pooled model whose cells are rows."""
    cells = work.cells
    cells = replace(
        cells,
        keys=cells.keys[kept].reset_index(drop=True),
        n=cells.n[kept],
        w=cells.w[kept],
        w2=cells.w2[kept],
        mean=cells.mean.T[:, kept].T,
        m2=nothing(int(kept.sum()), cells.m2.shape[1]),
        mean_rest=None,
    )
    if not len(cells.n):
        raise DataError("No row is left.", code="no-rows", fix="Keep some.")
    units = int(cells.keys[work.unit].nunique())
    left = replace(
        work,
        cells=cells,
        effects="two-way",
        vcov="HC1",
        units=units,
        absorbed=units,
        intercept=False,
    )
    return net_of_waves(left)


def _centre(cells: Moments) -> Array:
    """Return the mean of the rows: an offset would cost digits."""
    return np.array([np.average(column, weights=cells.w) for column in cells.mean.T])


def _squares(x: Array, weight: Array | None) -> Array:
    return np.array([(c * c if weight is None else c * c * weight).sum() for c in x.T])
