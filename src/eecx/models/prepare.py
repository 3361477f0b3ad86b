"""From data and a formula to a model made ready: rows are read, weighed and summed per cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import formula as grammar
from ..moments import ROW, WIDE, Moments, from_rows, group_codes
from ..sources import unit_waves
from .capabilities import NESTED, Asked, judge, judge_data
from .clusters import cluster_names, is_nested
from .columns import Column, columns_of_design
from .design import design
from .from_engine import from_sums_of, summable
from .from_moments import from_moments
from .plan import Plan, plan_of, refuse_arguments
from .rows import Table, complete_rows, read, with_wave_dummies
from .transform import transformed
from .weights import Weighting, by_variance
from .work import Effects, Rows, Vcov, Work, clustered, has_intercept

__all__ = ["prepare"]

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


def prepare(
    data: object,
    model: grammar.Formula,
    effects: Effects,
    *,
    unit: str | None = None,
    wave: str | None = None,
    cluster: str | Sequence[str] | None = None,
    vcov: Vcov | None = None,
    wave_effects: bool = False,
    gls: bool = False,
    drift: bool = True,
    weights: Weighting | None = None,
    sums: bool = False,
) -> Work:
    """Turn data and a formula into cells of sums, or rows where these are less or needed.

    ``wave_effects`` takes the waves out of a pooled model; ``gls`` weights within-between models
    by their variance components; ``drift`` gives first differences a constant. With ``sums`` cells
    are sums by cluster, and waves columns of theirs, for what leaves clusters out or draws them.
    """
    clusters = cluster_names(cluster)
    source = unit_waves(data, "regress", unit=unit, wave=wave)
    refuse_arguments(model, effects)
    asked = Asked(
        effects,
        vcov,
        clusters,
        weights=None if weights is None else weights.kind,
        method=("gls" if gls else "ols") if effects == "within-between" else None,
        drift=drift,
        unit=source.unit,
        wave=source.wave,
        source=source.kind,
    )
    judge(asked)
    judge_data(asked, source.known)
    if source.sums is not None:
        return from_moments(source, model, effects, vcov, clusters, gls=gls)
    needs_rows = sums or wave_effects
    if not needs_rows and summable(source, model, effects, vcov, clusters, weights):
        made_there = from_sums_of(source, model, effects, vcov, clusters, weights, gls=gls)
        if made_there is not None:
            return made_there
    plan = plan_of(source, model, effects, vcov, clusters, weights)
    made = design(plan.panel, (model.response, *model.terms))
    table, complete = complete_rows(plan, read(plan, made.x, model), made.names)
    if plan.frequency and plan.by_row:
        table = table.written_out()
    columns = columns_of_design(made, (model.response, *model.terms))
    nuisance: tuple[Column, ...] = ()
    of_waves = effects == "two-way" or wave_effects
    if of_waves and sums:
        table, nuisance = with_wave_dummies(table)
    weighed = _weighed(plan, table, of_waves and not sums)
    wide = not sums and _is_wide(plan, table)
    by_row = plan.by_row or wide or (of_waves and not sums)
    cells = _cells(plan, table, (*columns, *nuisance), weighed.rows, by_row)
    sizes = _unit_sizes(plan, table)
    waves = 1 if plan.panel.wave is None else int(np.count_nonzero(np.bincount(table.keys["wave"])))
    work = Work(
        cells,
        columns[0],
        columns[1:],
        nuisance,
        Rows(plan.panel, complete, columns),
        effects,
        plan.vcov,
        plan.cluster,
        units=len(sizes) if plan.own_units else 0,
        waves=waves if plan.own_units else 0,
        singletons=int((sizes == 1).sum()),
        left_out=int((~complete).sum()) + source.unkeyed(plan.panel),
        fingerprint=source.fingerprint,
        absorbed=len(sizes) if effects in ("within", "two-way") else 0,
        size=np.abs(cells.mean).max(axis=0),
        nested=_nested(plan, table, waves),
        levels=table.levels,
        intercept=has_intercept(effects, gls, drift) and not wave_effects,
        weighting=weights,
        tau2=weighed.tau2,
        effective=None if plan.frequency else weighed.effective,
        by=tuple(plan.cluster_keys),
    )
    return transformed(
        work,
        plan.cluster_keys[0],
        gls,
        weighed.units,
        of_waves=of_waves and not sums,
        keep_rows=wide,
    )


@dataclass(frozen=True, eq=False)
class _Weighed:
    """Weights of rows or of units' means, and the variance that sampling error leaves."""

    rows: Array | None = None
    units: Array | None = None
    tau2: float | None = None

    @property
    def effective(self) -> float | None:
        """As many rows of equal weight tell as much."""
        used = self.rows if self.units is None else self.units
        return None if used is None else float(used.sum() ** 2 / (used**2).sum())


def _weighed(plan: Plan, table: Table, of_waves: bool) -> _Weighed:
    """Return what rows weigh, one on average where they are not counts.

    ``of_waves`` says whether effects of waves, no columns of the rows, belong to the model.
    """
    if plan.weights is None or table.weight is None:
        return _Weighed()
    if plan.frequency:
        return _Weighed(table.weight)
    if plan.weights.kind != "variance":
        return _Weighed(table.weight / table.weight.mean())
    unit = group_codes(table.keys_frame(["unit"]), ["unit"])[0]
    x = with_wave_dummies(table)[0].x if of_waves else table.x
    tau2, weight = by_variance(x, table.weight, unit, plan.effects)
    if plan.effects == "between":
        return _Weighed(units=weight, tau2=tau2)
    return _Weighed(weight, tau2=tau2)


def _is_wide(plan: Plan, table: Table) -> bool:
    """Whether clusters have fewer rows than a symmetric matrix of the columns has rows' worth."""
    if plan.effects in ("random", "within-between", "between"):
        return False
    n, p = table.x.shape
    key = table.keys[plan.cluster_keys[0]] if clustered(plan.vcov) else table.keys["unit"]
    return bool(p >= WIDE and n < np.count_nonzero(np.bincount(key)) * (p + 1) / 2)


def _cells(
    plan: Plan, table: Table, columns: tuple[Column, ...], weight: Array | None, by_row: bool
) -> Moments:
    """Sum the rows per unit and cluster, per cluster alone if that will do, or keep every row."""
    if by_row:
        keys = table.keys_frame([*table.keys])
        keys[ROW] = np.arange(len(keys))
    elif clustered(plan.vcov) and plan.effects in ("pooled", "first-difference"):
        keys = table.keys_frame(plan.cluster_keys)  # units are not taken out
    else:
        keys = table.keys_frame([name for name in table.keys if name != "wave"])
    cells = from_rows(table.x, columns, keys, weight)
    if plan.frequency and weight is not None:
        cells = replace(cells, n=cells.w, w2=cells.w)
    return cells


def _unit_sizes(plan: Plan, table: Table) -> npt.NDArray[Any]:
    """Return how many rows each unit has."""
    counts = table.weight if plan.frequency else None
    sizes = np.bincount(table.keys["unit"], weights=counts)
    return sizes[sizes > 0]


def _nested(plan: Plan, table: Table, waves: int) -> frozenset[str]:
    """Return which effects, of unit and wave, lie each in one cluster, for errors that ask."""
    if plan.vcov not in NESTED:
        return frozenset({"unit"})
    keys, own = table.keys_frame([*table.keys]), plan.cluster_keys
    if waves > 1:
        return frozenset(k for k in ("unit", "wave") if any(is_nested(keys, k, by) for by in own))
    unit = any(is_nested(keys, "unit", by) for by in own)
    return frozenset({"unit", "wave"} if unit else {"wave"})
