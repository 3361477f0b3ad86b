"""The columns of a model about their means, and their parts within units and between them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ..errors import DataError
from ..moments import Moments, group_codes, is_nothing, pack, picked
from .columns import Column
from .work import Work

__all__ = ["Columns", "columns_of", "refuse_flat", "split", "split_columns"]

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Columns:
    """The columns of g cells, outcome first, counted from ``centre`` (p,).

    ``mean`` (g, p) and ``cross`` (g, p, p) are those of the cells, ``unit_mean`` (units, p) those
    of the units; ``unit`` (g,) is the number of each cell's unit.
    """

    terms: tuple[Column, ...]
    mean: Array
    cross: Array
    unit_mean: Array
    unit: Codes
    centre: Array


def columns_of(work: Work, whole: Moments) -> Columns:
    """Count the columns of a model from their means, those of all cells in one."""
    centre = whole.mean[0]
    cells = replace(work.cells, mean=work.cells.away_from(centre), mean_rest=None)
    unit = group_codes(cells.keys, [work.unit])[0]
    unit_mean = cells.collapse([work.unit]).mean
    return Columns(cells.terms, cells.mean, cells.cross, unit_mean, unit, centre)


def split(work: Work) -> Work:
    """Split every term into its parts within and between units."""
    whole = work.cells.collapse()
    refuse_flat(work, whole)
    made = split_columns(work, columns_of(work, whole))
    mean = made.mean + made.centre
    cells = replace(work.cells, terms=made.terms, mean=mean, m2=pack(made.cross), mean_rest=None)
    return replace(work, cells=cells, terms=made.terms[1:], size=np.abs(mean).max(axis=0))


def refuse_flat(work: Work, whole: Moments) -> None:
    """Name a column that varies neither within units nor between them."""
    spread, n = np.diag(whole.cross[0]), float(whole.n[0])
    for name, found, size in zip(whole.terms, spread, work.size, strict=True):
        if found <= n * (1e-14 * size) ** 2:
            raise DataError(
                f"{name!r} is constant over the {n:.0f} rows that are left.",
                code="constant-column",
                fix=work.way_out(name),
            )


def split_columns(work: Work, of: Columns) -> Columns:
    """Return y, and of every term what varies within units and what between them, if it does."""
    of_unit = of.unit_mean[of.unit]
    away = of.mean - of_unit
    varies, differs = _varies(work.cells, of, away)
    at = {column: of.terms.index(column) for column in (work.y, *work.terms)}
    made = [(work.y, at[work.y])]
    made += [(c.of("within"), at[c]) for c in work.terms if varies[at[c]]]
    made += [(c.of("between"), at[c]) for c in work.terms if differs[at[c]]]
    source = np.array([j for _, j in made])
    within, between = (
        np.array([c.part == part for c, _ in made]) for part in ("within", "between")
    )
    own = np.where(within, away[:, source], of.mean[:, source])
    mean = np.where(between, of_unit[:, source], own)
    cross = picked(of.cross, source)
    if not is_nothing(cross):
        cross[:, between] = 0.0
        cross[:, :, between] = 0.0
    w = work.cells.w
    sums = np.column_stack([np.bincount(of.unit, w * m) for m in mean.T])
    unit_mean = sums / np.bincount(of.unit, w)[:, None]
    centre = np.where(within, 0.0, of.centre[source])
    return Columns(tuple(c for c, _ in made), mean, cross, unit_mean, of.unit, centre)


def _varies(
    cells: Moments, of: Columns, away: Array
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Return which columns vary within units, and which between them, by more than rounding."""
    spread = np.einsum("gii->i", of.cross) + cells.w @ away**2
    across = np.ptp(of.unit_mean, axis=0)
    size = np.abs(of.mean).max(axis=0) + np.abs(of.centre)
    return spread > float(cells.n.sum()) * (1e-14 * size) ** 2, across > 1e-12 * size
