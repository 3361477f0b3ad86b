"""What effects make of the cells: units taken out, their means, parts of both, or weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ..moments import Moments
from .capabilities import Asked, clustered, judge_data, needed
from .clusters import is_nested
from .quasi_demean import quasi_demeaned, quasi_demeaned_two_way
from .waves import net_of_waves
from .within_between import split
from .work import Work

__all__ = ["transformed"]

Array = npt.NDArray[np.float64]


def transformed(
    work: Work,
    cluster: str,
    gls: bool,
    of_units: Array | None = None,
    *,
    of_waves: bool = False,
    keep_rows: bool = False,
) -> Work:
    """Take out units, go to their means or weight them; keep what the covariance is summed over.

    ``cluster`` is the key that errors are summed by, ``of_units`` the weights of units' means,
    ``of_waves`` says whether waves are taken out too, ``keep_rows`` that rows are less than sums.
    """
    _refuse_cut_units(work, cluster, gls)
    if work.effects == "between":
        work = replace(work, cells=_unit_means(work, cluster, of_units))
    elif of_waves:
        work = net_of_waves(work)
        keep_rows = keep_rows or work.net_of is not None
    elif work.effects in ("within", "two-way"):
        work = replace(work, cells=work.cells.within(work.unit))
    elif work.effects == "random-two-way":
        work = quasi_demeaned_two_way(work)
    elif work.effects == "random" or (work.effects == "within-between" and gls):
        work = quasi_demeaned(work)
    elif work.effects == "within-between":
        work = split(work)
    if work.rowwise or keep_rows:
        return work
    return replace(work, cells=work.cells.collapse(cluster if clustered(work.vcov) else ()))


def _refuse_cut_units(work: Work, cluster: str, gls: bool) -> None:
    """Refuse units in several clusters where effects and errors need each in one."""
    named = work.cluster or ()
    asked = Asked(
        work.effects,
        work.vcov,
        (named,) if isinstance(named, str) else named,
        method="gls" if gls else "ols",
    )
    if "nesting" in needed(asked):
        judge_data(asked, {"nesting": is_nested(work.cells.keys, work.unit, cluster)})


def _unit_means(work: Work, cluster: str, weights: Array | None) -> Moments:
    """Return every unit's mean as one observation."""
    by = [work.unit]
    if clustered(work.vcov):
        by = list(dict.fromkeys([work.unit, cluster]))
    cells = work.cells.collapse(by).means()
    return cells if weights is None else replace(cells, w=weights, w2=weights**2)
