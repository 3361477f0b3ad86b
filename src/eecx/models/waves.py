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
from ..moments import Moments, group_codes
from .capabilities import HAT
from .two_way_random import Crossing
from .work import Work

__all__ = ["net_of_waves"]

Array = npt.NDArray[np.float64]

# share of a column's variation within units that waves leave, below which it is theirs
THEIRS = 1e-10


def net_of_waves(work: Work) -> Work:
    """Take the waves, and with two-way effects the units, out of cells that are rows."""
    cells = work.cells
    wave = group_codes(cells.keys, ["wave"])[0]
    away = cells.away_from(cells.mean[0])
    if work.effects == "two-way":
        unit = group_codes(cells.keys, [work.unit])[0]
        crossing = Crossing.of(unit, wave, None if (cells.w == 1).all() else cells.w)
        left = crossing.within(away)[0]
        waves, before = Waves(wave, unit, cells.w, crossing.root), cells.within(work.unit)
    else:
        size = np.bincount(wave, cells.w)
        waves = Waves(wave, None, cells.w, np.diag(1 / np.sqrt(size)))
        left, before = cells.within("wave").mean, cells
    spread, whole = (cells.w @ x**2 for x in (left, before.away_from(_centre(before))))
    theirs = spread <= THEIRS * whole
    return replace(
        work,
        cells=replace(cells, mean=left, mean_rest=None),
        waves_out=waves.root.shape[1],
        net_of=waves if work.vcov in HAT else None,
        common=frozenset(c for c, t in zip(cells.terms, theirs, strict=True) if t),
    )


def _centre(cells: Moments) -> Array:
    return np.asarray(cells.collapse().mean[0])
