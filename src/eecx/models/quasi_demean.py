r"""GLS of random effects: a part of each unit's mean is taken off its rows.

The part :math:`\theta_i` follows from the variance components. The constant becomes a column of its
own, :math:`1 - \theta_i`, and all others are counted from their means.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ..errors import DataError
from ..moments import Moments, group_codes, is_nothing, nothing, pack
from .capabilities import Asked, judge_data
from .columns import INTERCEPT, Column
from .swamy_arora import Components, components
from .two_way_random import Crossing, two_way_components
from .within_between import columns_of, refuse_flat, split_columns
from .work import Work

__all__ = ["quasi_demeaned", "quasi_demeaned_two_way"]

Array = npt.NDArray[np.float64]


def quasi_demeaned(work: Work) -> Work:
    """Weight for random effects of units, within-between models after their terms are split."""
    units, whole = work.cells.collapse([work.unit]), work.cells.collapse()
    refuse_flat(work, whole)
    found = components(units, work.y, work.terms)
    _refuse_exact(work.y, found, whole)
    columns = columns_of(work, whole)
    if work.effects == "within-between":
        columns = split_columns(work, columns)
    theta, of_unit = found.theta(units.n)[columns.unit], columns.unit_mean[columns.unit]
    mean = np.column_stack([columns.mean - theta[:, None] * of_unit, 1 - theta])
    cross = nothing(len(mean), mean.shape[1], mean.shape[1])
    if not is_nothing(columns.cross):
        cross = np.zeros(cross.shape)
        cross[:, :-1, :-1] = columns.cross
    return _with_constant(work, columns.terms, mean, pack(cross), columns.centre, found)


def _refuse_exact(y: Column, found: Components, whole: Moments) -> None:
    """Refuse weights by components of which the one within units is rounding error."""
    spread = whole.cross[0][whole.terms.index(y), whole.terms.index(y)] / whole.n[0]
    if found.within <= 1e-13 * spread:
        raise DataError(
            f"Within units the terms reproduce {y!r} exactly: no residual variance is left to "
            "weight units by.",
            code="perfect-fit",
            fix="Is it computed from them, or constant in each unit? See effects='between' and "
            "'within'.",
        )


def quasi_demeaned_two_way(work: Work) -> Work:
    """Weight rows by the inverse root of the covariance of random unit and wave effects."""
    cells = work.cells
    unit, wave = (group_codes(cells.keys, [k])[0] for k in ("unit", "wave"))
    rows = Crossing.of(unit, wave)
    units, waves = rows.seen.shape
    judge_data(
        Asked(work.effects, work.vcov),
        {"balance": rows.balanced},
        units=units,
        rows=len(unit),
        cells=units * waves,
    )
    whole = cells.collapse()
    refuse_flat(work, whole)
    centre = whole.mean[0]
    away = cells.away_from(centre)
    at = [cells.terms.index(name) for name in work.terms]
    largest = np.abs(cells.mean[:, at]).max(axis=0, initial=0.0)
    y = away[:, cells.terms.index(work.y)]
    found = two_way_components(rows, y, away[:, at], largest)
    mean = rows.weighted(np.column_stack([away, np.ones(len(away))]), found)
    p = mean.shape[1]
    blank = nothing(len(mean), p * (p + 1) // 2)
    return _with_constant(work, cells.terms, mean, blank, centre, found)


def _with_constant(
    work: Work, terms: tuple[Column, ...], mean: Array, m2: Array, centre: Array, found: Components
) -> Work:
    """Return weighted cells; their last column, the constant, comes in front of the terms."""
    terms = (*terms, INTERCEPT)
    made = replace(work.cells, terms=terms, mean=mean, m2=m2, mean_rest=None)
    order = [work.y, INTERCEPT, *[t for t in terms if t not in (work.y, INTERCEPT)]]
    at = [terms.index(t) for t in order]
    return replace(
        work,
        cells=made.select(order),
        terms=tuple(order[1:]),
        size=np.abs(mean).max(axis=0)[at],
        intercept=False,
        centre=np.append(centre, 0.0)[at],
        components=found,
    )
