"""What effects make of the cells: units taken out, their means, parts of both, or weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ..errors import DataError
from ..moments import Moments
from .clusters import is_nested
from .quasi_demean import quasi_demeaned, quasi_demeaned_two_way
from .within_between import split
from .work import Work, clustered

__all__ = ["transformed"]

Array = npt.NDArray[np.float64]


def transformed(work: Work, cluster: str, gls: bool, of_units: Array | None = None) -> Work:
    """Take out units, go to their means or weight them; keep what the covariance is summed over.

    ``cluster`` is the key that errors are summed by, ``of_units`` the weights of units' means.
    """
    if work.effects == "between":
        work = replace(work, cells=_unit_means(work, cluster, of_units))
    elif work.effects in ("within", "two-way"):
        work = replace(work, cells=_within_units(work, cluster))
    elif work.effects == "random-two-way":
        work = quasi_demeaned_two_way(work)
    elif work.effects == "random" or (work.effects == "within-between" and gls):
        if clustered(work.vcov) and not work.rowwise:
            _refuse_cut_units(work, cluster)
        work = quasi_demeaned(work)
    elif work.effects == "within-between":
        work = split(work)
    if work.rowwise:
        return work
    return replace(work, cells=work.cells.collapse(cluster if clustered(work.vcov) else ()))


def _refuse_cut_units(work: Work, cluster: str) -> None:
    if not is_nested(work.cells.keys, work.unit, cluster):
        raise DataError(
            "Random effects relate all rows of a unit, so every unit must lie in one cluster; some "
            f"lie in several of {work.cluster!r}. Name a column that is the same in all rows of a "
            "unit, or take effects='within' with vcov='CR1'."
        )


def _unit_means(work: Work, cluster: str, weights: Array | None) -> Moments:
    """Return every unit's mean as one observation."""
    by = [work.unit]
    if clustered(work.vcov):
        if not is_nested(work.cells.keys, work.unit, cluster):
            raise DataError(
                "Between units, every unit must lie in one cluster; some lie in several of "
                f"{work.cluster!r}. Name a column that is the same in all rows of a unit."
            )
        by = list(dict.fromkeys([work.unit, cluster]))
    cells = work.cells.collapse(by).means()
    return cells if weights is None else replace(cells, w=weights, w2=weights**2)


def _within_units(work: Work, cluster: str) -> Moments:
    """Take out the units' means."""
    if work.vcov in ("CR2", "CR3") and not is_nested(work.cells.keys, work.unit, cluster):
        raise DataError(
            f"{work.vcov} with unit effects needs units nested in clusters; some lie in "
            f"several of {work.cluster!r}. Use CR1."
        )
    return work.cells.within(work.unit)
