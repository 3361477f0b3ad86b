"""A model made ready: data and a formula become cells of sums, transformed as the effects ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from .. import formula as grammar
from ..errors import DataError, FormulaError, OptionError, listing
from ..moments import ROW, Moments, from_rows, group_codes, pack
from ..panel import Panel
from ..panel.panel import Design, as_panel
from ..results import fingerprint
from .swamy_arora import Components, components
from .two_way_random import Crossing, two_way_components
from .weights import Weighting, remaining_variance, weight_column

__all__ = [
    "BETWEEN",
    "CONSTANT",
    "ROWWISE",
    "WITHIN",
    "Effects",
    "Vcov",
    "Work",
    "cluster_values",
    "design",
    "prepare",
    "refuse_out_of_range",
    "unkeyed",
]

Array = npt.NDArray[np.float64]
Effects = Literal[
    "pooled",
    "between",
    "within",
    "two-way",
    "first-difference",
    "random",
    "random-two-way",
    "within-between",
    "mixed",
]
Vcov = Literal[
    "classical",
    "HC0",
    "HC1",
    "HC2",
    "HC3",
    "HC1-plm",
    "HC3-plm",
    "CR0",
    "CR1",
    "CR1-areg",
    "CR1-plm",
    "CR1-each",
    "CR2",
    "CR3",
    "wild",
    "driscoll-kraay",
    "newey-west",
]
ROWWISE = (
    "HC0",
    "HC1",
    "HC2",
    "HC3",
    "HC1-plm",
    "HC3-plm",
    "driscoll-kraay",
    "newey-west",
)
"""Covariances that need every row."""
CONSTANT = "(intercept)"
WITHIN, BETWEEN = " (within)", " (between)"


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows that a model rests on, for what looks at their columns again."""

    panel: Panel
    complete: npt.NDArray[np.bool_]
    spans: Mapping[str, tuple[str, ...]]
    """Labels of the columns that each term has become."""


@dataclass(frozen=True, eq=False)
class Work:
    """A model made ready: cells, columns, and what counts as a parameter."""

    cells: Moments
    y: str
    terms: tuple[str, ...]
    nuisance: tuple[str, ...]
    source: Rows | Moments
    effects: Effects
    vcov: Vcov
    cluster: str | tuple[str, str] | None
    units: int
    waves: int
    singletons: int
    left_out: int
    fingerprint: str
    absorbed: int
    size: Array
    nested: frozenset[str] = frozenset({"unit"})
    """Which effects, of unit and wave, lie each in one cluster: CR1 does not count them."""
    levels: pd.Index[Any] | None = None
    """Names of the clusters, where the cells' key numbers them."""
    intercept: bool = True
    """Whether a constant is to be put in front: fixed effects leave none."""
    centre: Array | None = None
    """What was taken off y and the terms, where the constant is a column of its own."""
    components: Components | None = None
    """Variance components, where GLS was prepared."""
    unit: str = "unit"
    """The key of the units among the cells' keys."""
    weighting: Weighting | None = None
    tau2: float | None = None
    """Variance that sampling error leaves, where weights rest on it."""
    effective: float | None = None
    """As many rows of equal weight tell as much: (sum of weights)^2 / sum of their squares."""

    @property
    def rowwise(self) -> bool:
        """Whether the cells are rows: for errors that need each, or two kinds of clusters."""
        return self.vcov in ROWWISE or isinstance(self.cluster, tuple)

    def way_out(self, name: str) -> str:
        """Return what to do about a column that does not vary."""
        return "There is nothing to explain." if name == self.y else "Leave it out."

    def cluster_name(self, cell: int) -> object:
        """Return the name of the cluster that a cell is."""
        key = self.cells.keys.iloc[:, 0].to_numpy()[cell]
        return key if self.levels is None else self.levels[int(key)]

    def with_equation(self, y: str, terms: tuple[str, ...]) -> Work:
        """Return the same cells with another equation on their terms."""
        at = [self.cells.terms.index(name) for name in (y, *terms, *self.nuisance)]
        cells = self.cells.select([y, *terms, *self.nuisance])
        return replace(self, cells=cells, y=y, terms=terms, size=self.size[at])


# the largest value of a column, and the inverse of the smallest, that is squared
LARGEST = 1e100


# ---------------------------------------------------------------------- making the cells


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
    rows: npt.NDArray[np.bool_] | None = None,
    gls: bool = False,
    drift: bool = True,
    weights: Weighting | None = None,
) -> Work:
    """Turn data and a formula into cells of sums.

    ``wave_effects`` adds wave dummies to any model; ``rows`` keeps a part of the panel's rows,
    after lags were looked up in all of them; ``gls`` weights within-between models by their
    variance components; ``drift`` gives first differences a constant.
    """
    clusters = _clusters(cluster)
    _refuse_arguments(model, effects, vcov, {"unit": unit, "wave": wave}, clusters)
    if effects == "random-two-way" and not clusters:
        vcov = vcov or "classical"  # its weights relate units: no clusters unless asked for
    if isinstance(data, Moments):
        if weights is not None:
            raise OptionError("Moments hold their weights: make them with weight=, not weights=.")
        if wave is not None:
            raise OptionError(f"wave={wave!r}: Moments have no order in time. Leave wave= out.")
        if len(clusters) > 1:
            raise OptionError("Two kinds of clusters need the rows; Moments hold sums.")
        return _from_moments(data, model, effects, unit, next(iter(clusters), None), vcov, gls)
    if isinstance(data, Panel):
        own_keys = {"unit": data.unit, "wave": data.wave}
        clusters = tuple(c if c in data.roles else own_keys.get(c) or c for c in clusters)
        if not clusters and data.cluster and vcov not in (*ROWWISE, "classical"):
            clusters = (data.cluster,)
    columns = [*model.columns, *(c for c in clusters if c not in (unit, wave))]
    columns += [weights.column] if weights and weights.column else []
    panel = as_panel(data, columns, unit=unit, wave=wave)
    own_units = isinstance(data, Panel) or unit is not None
    if not own_units and effects != "pooled":
        raise OptionError(f"effects={effects!r} needs unit= to say which rows belong together.")
    if panel.wave is None and (needs := _needs_waves(effects, vcov)):
        raise OptionError(f"{needs} needs wave=.")
    made = design(panel, (model.response, *model.terms))
    x, names = made.x, made.names
    clusters = clusters or ((panel.unit,) if own_units else ())
    # numbers tell units apart faster than names
    codes, levels = np.arange(len(x)), pd.Index([])
    if own_units:
        codes, named = group_codes(panel.frame, [panel.unit])
        levels = pd.Index(named[panel.unit])
    keys = pd.DataFrame({"unit": codes}, copy=False)
    by = ["unit"]
    for i, name in enumerate(clusters):
        if name != panel.unit:
            own = f"cluster{i or ''}"
            keys[own], found = pd.factorize(cluster_values(panel, name), sort=True)
            levels, by = (found if i == 0 else levels), [*by[:i], own]
        else:
            by = [*by[:i], "unit"]
    missing = [np.isnan(column) for column in x.T]
    missing += [keys[k].to_numpy() < 0 for k in keys]
    own_weight: Array | None = None
    if weights is not None:
        own_weight = weight_column(panel, weights, model.response.columns)
        missing.append(np.isnan(own_weight))
    complete = ~np.logical_or.reduce(missing)
    if effects == "first-difference":
        x, complete = _differences(panel, x, complete)
    if rows is not None:
        complete &= rows
    if not complete.any():
        needed = [*names, *(c for c in columns if c not in (panel.unit, panel.wave, *names))]
        raise DataError(f"No unit × wave has a value for all of {listing(needed)}.")
    time = panel.time
    if not complete.all():
        keys, x, time = keys[complete].reset_index(drop=True), x.T[:, complete].T, time[complete]
        own_weight = None if own_weight is None else own_weight[complete]
    vcov = vcov or ("CR1" if len(clusters) > 1 else "CR2" if clusters else "HC1")
    robust = vcov not in (*ROWWISE, "classical")
    if (robust or vcov == "newey-west") and not clusters:
        raise OptionError(f"vcov={vcov!r} needs cluster= or unit=.")
    if len(clusters) > 1 and vcov not in ("CR0", "CR1", "CR1-each"):
        raise OptionError(
            f"Two kinds of clusters take vcov='CR1', 'CR1-each' or 'CR0', not {vcov!r}."
        )
    nuisance: tuple[str, ...] = ()
    if effects == "two-way" or wave_effects:
        waves = np.unique(time)[1:]
        nuisance = tuple(f"(wave {w})" for w in waves)
        x = np.stack([*x.T, *[(time == w).astype(float) for w in waves]]).T
    labels = (*names, *nuisance)
    rowwise = vcov in ROWWISE or len(clusters) > 1 or effects == "random-two-way"
    frequencies = own_weight if weights and weights.kind == "frequency" else None
    if frequencies is not None and rowwise and effects != "between":
        each = np.repeat(np.arange(len(x)), frequencies.astype(np.intp))
        keys, x, time = keys.iloc[each].reset_index(drop=True), x.T[:, each].T, time[each]
        frequencies = own_weight = None  # written out
    sizes = np.bincount(keys["unit"].to_numpy(), weights=frequencies)
    sizes = sizes[sizes > 0]
    tau2, of_units = None, None
    if weights and weights.kind == "variance" and own_weight is not None:
        tau2, own_weight, of_units = _by_variance(x, own_weight, keys["unit"], effects)
    nested = frozenset({"unit"})
    waves_of = 1 if panel.wave is None else int(np.count_nonzero(np.bincount(time)))
    counts = vcov.startswith("CR1") or vcov == "wild"
    if rowwise or (counts and waves_of > 1):
        keys["wave"] = time
    if counts and waves_of > 1:
        held = [by] if len(clusters) < 2 else [[b] for b in by]
        nested = frozenset(
            k for k in ("unit", "wave") if any(_is_nested(keys, k, b[0]) for b in held)
        )
    elif counts:
        nested = frozenset({"wave"} | ({"unit"} if _is_nested(keys, "unit", by[0]) else set()))
    if rowwise and effects != "between":
        keys[ROW] = np.arange(len(keys))
    elif "wave" in keys:
        keys = keys.drop(columns="wave")
    if robust and not rowwise and effects in ("pooled", "first-difference"):
        keys = keys[by]  # units are not taken out: sums per cluster will do
    if own_weight is not None and frequencies is None:
        own_weight = own_weight / own_weight.mean()
    cells = from_rows(x, labels, keys, own_weight)
    if frequencies is not None:
        cells = replace(cells, n=cells.w, w2=cells.w)
    used = of_units if of_units is not None else own_weight
    work = Work(
        cells,
        names[0],
        names[1:],
        nuisance,
        Rows(panel, complete, made.spans),
        effects,
        vcov,
        (clusters[0], clusters[1]) if len(clusters) > 1 else clusters[0] if clusters else None,
        units=len(sizes) if own_units else 0,
        waves=waves_of if own_units else 0,
        singletons=int((sizes == 1).sum()),
        left_out=int((~complete).sum()) + unkeyed(data, panel),
        fingerprint=fingerprint(*_marks(cells)),
        absorbed=len(sizes) if effects in ("within", "two-way") else 0,
        size=np.abs(cells.mean).max(axis=0),
        nested=nested,
        levels=levels,
        intercept=effects in ("pooled", "between")
        or (effects == "first-difference" and drift)
        or (effects == "within-between" and not gls),
        weighting=weights,
        tau2=tau2,
        effective=None if used is None else float(used.sum() ** 2 / (used**2).sum()),
    )
    return _transformed(work, "unit", by[0], gls, of_units)


def _by_variance(
    x: Array, variance: Array, units: pd.Series[Any], effects: Effects
) -> tuple[float, Array | None, Array | None]:
    """Return the variance that sampling leaves, and weights of rows, or of units' means."""
    codes = group_codes(pd.DataFrame({"unit": units}), ["unit"])[0]
    if effects == "between":
        size = np.bincount(codes)
        x = np.stack([np.bincount(codes, column) / size for column in x.T]).T
        variance = np.bincount(codes, variance) / size**2
    absorbed = codes if effects in ("within", "two-way") else None
    tau2 = remaining_variance(x, variance, absorbed)
    if tau2 == 0 and (variance == 0).any():
        raise DataError(
            "Rows without sampling variance, and no variance beyond it in the others: weights "
            "1/v are infinite. Check the column of variances."
        )
    weight = 1 / (tau2 + variance)
    weight = weight / weight.mean()
    return (tau2, None, weight) if effects == "between" else (tau2, weight, None)


def _marks(cells: Moments) -> tuple[str | Array, ...]:
    """Return all that an analysis knows of its data."""
    return ("|".join(cells.terms), cells.n, cells.w, cells.mean, cells.m2)


def _clusters(given: str | Sequence[str] | None) -> tuple[str, ...]:
    if given is None:
        return ()
    several = isinstance(given, Sequence) and not isinstance(given, str)
    names = tuple(given) if several else (given,)
    if not all(isinstance(n, str) for n in names) or len(names) > 2 or len(set(names)) < len(names):
        raise OptionError(f"cluster={given!r:.60}: the name of one column, or of two.")
    return tuple(str(n) for n in names)


def _needs_waves(effects: Effects, vcov: Vcov | None) -> str:
    if effects in ("two-way", "random-two-way", "first-difference"):
        return f"effects={effects!r}"
    return f"vcov={vcov!r}" if vcov in ("driscoll-kraay", "newey-west") else ""


def _differences(
    panel: Panel, x: Array, complete: npt.NDArray[np.bool_]
) -> tuple[Array, npt.NDArray[np.bool_]]:
    """Return changes since the unit's last step of time, and where both ends are known."""
    at = panel.lag_rows(1)
    if not complete.any():  # not for want of steps
        return x, complete
    known = complete & (at >= 0)
    known[known] &= complete[at[known]]
    if not known.any():
        raise DataError(
            f"No unit has two waves one step apart (step {panel.step}): there is no first "
            "difference. Set step= of the panel."
        )
    return np.where(known[:, None], x - x[np.maximum(at, 0)], np.nan), known


def _refuse_arguments(
    model: grammar.Formula,
    effects: Effects,
    vcov: Vcov | None,
    columns: dict[str, Any],
    clusters: tuple[str, ...],
) -> None:
    for name, given in columns.items():
        if given is not None and not isinstance(given, str):
            raise OptionError(f"{name}={given!r}: the name of one column.")
    if effects == "between" and vcov in ("driscoll-kraay", "newey-west"):
        raise OptionError(
            f"vcov={vcov!r} is for rows over time, and effects='between' has one row per unit. "
            "Take vcov='CR2' or 'HC3'."
        )
    if effects == "between" and len(clusters) > 1:
        raise OptionError(
            f"cluster={clusters!r}: effects='between' takes one kind of clusters, of whole units. "
            "Name one column."
        )
    if clusters and vcov in (*ROWWISE, "classical"):
        raise OptionError(
            f"vcov={vcov!r} knows no clusters. Leave cluster= out, or take vcov='CR2'."
        )
    if vcov == "CR1-each" and len(clusters) < 2:
        raise OptionError(
            "vcov='CR1-each' is for two kinds of clusters, such as cluster=('unit', 'wave'). "
            "Take vcov='CR1'."
        )
    if not model.terms and effects in ("within", "two-way", "within-between"):
        raise FormulaError(
            f"{model.text!r} has the intercept alone, which unit effects take up. Add a term."
        )


def design(panel: Panel, terms: Sequence[grammar.Term]) -> Design:
    """Return the columns of the terms; refuse those whose sums of squares a double cannot hold."""
    try:
        with np.errstate(over="raise"):
            made = panel.design(terms)
    except FloatingPointError as error:
        raise DataError(
            "A product or power in the formula goes beyond the largest number. "
            "Divide its columns by a constant first."
        ) from error
    refuse_out_of_range(made.names, made.x)
    return made


def refuse_out_of_range(names: Sequence[str], x: Array) -> None:
    """Name a column whose squares a double cannot hold."""
    for name, column in zip(names, x.T, strict=True):
        most = max(np.fmax.reduce(column), -np.fmin.reduce(column))
        if most > LARGEST or 0 < most < 1 / LARGEST:
            raise DataError(
                f"{name!r} has values up to {most:.1g}, whose squares a computer cannot add up. "
                "Divide the column by a constant first."
            )


def unkeyed(data: object, panel: Panel) -> int:
    """Return how many rows of a plain frame name no unit or wave; a Panel's audit has its own."""
    return 0 if isinstance(data, Panel) else int((panel.audit.table["stage"] == "keys").sum())


def _is_nested(keys: pd.DataFrame, inner: str, outer: str) -> bool:
    """Whether every level of one key lies in a single level of another."""
    if inner == outer:
        return True
    codes, levels = group_codes(keys, [inner])
    around = group_codes(keys, [outer])[0]
    one = np.zeros(len(levels), dtype=np.intp)
    one[codes] = around
    return bool((one[codes] == around).all())


def cluster_values(panel: Panel, name: str | None) -> pd.Series[Any]:
    """Return the column of the clusters: a key of the panel, or one of its columns."""
    if name is None or name == panel.unit:
        return panel.frame[panel.unit]
    if name == panel.wave:
        return panel.frame[panel.wave]
    panel.require(name, "cluster")
    return panel.frame[name]


def _transformed(
    work: Work, unit: str, cluster: str, gls: bool, of_units: Array | None = None
) -> Work:
    """Take out units, go to their means or weight them; keep what the covariance is summed over."""
    cells, effects = work.cells, work.effects
    robust = work.vcov not in (*ROWWISE, "classical")
    if effects == "between":
        if robust and not _is_nested(cells.keys, unit, cluster):
            raise DataError(
                "Between units, every unit must lie in one cluster; some lie in several of "
                f"{work.cluster!r}. Name a column that is the same in all rows of a unit."
            )
        by = [unit, cluster] if robust and cluster != unit else [unit]
        cells = cells.collapse(by).means()
        if of_units is not None:
            cells = replace(cells, w=of_units, w2=of_units**2)
    elif effects in ("within", "two-way"):
        if work.vcov in ("CR2", "CR3") and not _is_nested(cells.keys, unit, cluster):
            raise DataError(
                f"{work.vcov} with unit effects needs units nested in clusters; some lie in "
                f"several of {work.cluster!r}. Use CR1."
            )
        cells = cells.within(unit)
    elif effects in ("random", "within-between"):
        work = _weighted(work, unit, gls or effects == "random")
        cells = work.cells
    elif effects == "random-two-way":
        work = _weighted_two_way(work)
        cells = work.cells
    if not work.rowwise:
        cells = cells.collapse(cluster if robust else ())
    return replace(work, cells=cells)


def _weighted(work: Work, unit: str, gls: bool) -> Work:
    """Split terms into parts within and between units where asked, and quasi-demean for GLS.

    The constant becomes a column of its own, and all others are counted from their means.
    """
    cells, y, x = work.cells, work.y, list(work.terms)
    units, whole = cells.collapse([unit]), cells.collapse()
    _refuse_flat(work, whole)
    found = components(units, y, x) if gls else None
    if found is not None:
        _refuse_exact(y, found, whole)
    centre = whole.mean[0]
    cells = replace(cells, mean=cells._away(centre), mean_rest=None)
    codes, levels = group_codes(cells.keys, [unit])
    means = cells.collapse([unit]).mean
    terms, mean, cross = list(cells.terms), cells.mean, cells.cross
    if work.effects == "within-between":
        terms, mean, cross, centre = _split(cells, means[codes], codes, len(levels), y, x, centre)
        means = np.column_stack([np.bincount(codes, cells.w * m) for m in mean.T])
        means /= np.bincount(codes, cells.w)[:, None]
    if found is None:
        made = Moments(
            tuple(terms), cells.keys, cells.n, cells.w, cells.w2, mean + centre, pack(cross)
        )
        size = np.abs(made.mean).max(axis=0)
        return replace(work, cells=made, terms=tuple(terms[1:]), size=size)
    theta = found.theta(units.n)[codes]
    mean = np.column_stack([mean - theta[:, None] * means[codes], 1 - theta])
    wide = np.zeros((len(mean), len(terms) + 1, len(terms) + 1))
    wide[:, :-1, :-1] = cross
    made = Moments(
        (*terms, CONSTANT), cells.keys, cells.n, cells.w, cells.w2, mean, pack(wide), cells.left_out
    )
    return _with_constant(work, made, np.append(centre, 0.0), found)


def _refuse_flat(work: Work, whole: Moments) -> None:
    """Name a column that varies neither within units nor between them."""
    spread, n = np.diag(whole.cross[0]), float(whole.n[0])
    for name, found, size in zip(whole.terms, spread, work.size, strict=True):
        if found <= n * (1e-14 * size) ** 2:
            raise DataError(
                f"{name!r} is constant over the {n:.0f} rows that are left. {work.way_out(name)}"
            )


def _refuse_exact(y: str, found: Components, whole: Moments) -> None:
    """Refuse weights by components of which the one within units is rounding error."""
    spread = whole.cross[0][whole.terms.index(y), whole.terms.index(y)] / whole.n[0]
    if found.within <= 1e-13 * spread:
        raise DataError(
            f"Within units the terms reproduce {y!r} exactly: no residual variance is left to "
            "weight units by. Is it computed from them, or constant in each unit? See "
            "effects='between' and 'within'."
        )


def _weighted_two_way(work: Work) -> Work:
    """Weight rows by the inverse root of the covariance of random unit and wave effects."""
    cells = work.cells
    unit, wave = (group_codes(cells.keys, [k])[0] for k in ("unit", "wave"))
    rows = Crossing.of(unit, wave)
    if work.vcov != "classical" and not rows.balanced:
        units, waves = rows.seen.shape
        raise OptionError(
            f"vcov={work.vcov!r} of effects='random-two-way' needs every unit in every wave: here "
            f"{units} units have {len(unit)} of {units * waves} unit-waves, and the weights relate "
            "different units. Take vcov='classical', or effects='two-way'."
        )
    whole = cells.collapse()
    _refuse_flat(work, whole)
    centre = whole.mean[0]
    away = cells._away(centre)
    at = [cells.terms.index(name) for name in work.terms]
    largest = np.abs(cells.mean[:, at]).max(axis=0, initial=0.0)
    y = away[:, cells.terms.index(work.y)]
    found = two_way_components(rows, y, away[:, at], largest)
    mean = rows.weighted(np.column_stack([away, np.ones(len(away))]), found)
    terms = (*cells.terms, CONSTANT)
    blank = np.zeros((len(mean), len(terms) * (len(terms) + 1) // 2))
    made = Moments(terms, cells.keys, cells.n, cells.w, cells.w2, mean, blank, cells.left_out)
    return _with_constant(work, made, np.append(centre, 0.0), found)


def _with_constant(work: Work, made: Moments, centre: Array, found: Components) -> Work:
    """Return weighted cells with the constant, a column by now, in front of the terms."""
    order = [work.y, CONSTANT, *[t for t in made.terms if t not in (work.y, CONSTANT)]]
    at = [made.terms.index(t) for t in order]
    return replace(
        work,
        cells=made.select(order),
        terms=tuple(order[1:]),
        size=np.abs(made.mean).max(axis=0)[at],
        intercept=False,
        centre=centre[at],
        components=found,
    )


def _split(
    cells: Moments,
    unit_mean: Array,
    codes: npt.NDArray[np.intp],
    units: int,
    y: str,
    x: Sequence[str],
    centre: Array,
) -> tuple[list[str], Array, Array, Array]:
    """Return y, and of every x what varies within units and what between them, if it does."""
    full = cells.cross
    at = {name: cells.terms.index(name) for name in (y, *x)}
    away = cells.mean - unit_mean
    spread = np.einsum("gii->i", full) + cells.w @ away**2
    across = np.array(
        [
            np.ptp(np.bincount(codes, m, units) / np.bincount(codes, minlength=units))
            for m in unit_mean.T
        ]
    )
    size = np.abs(cells.mean).max(axis=0) + np.abs(centre)
    noise = float(cells.n.sum()) * (1e-14 * size) ** 2
    parts: list[tuple[str, str, int]] = [(y, "", at[y])]
    parts += [(f"{n}{WITHIN}", WITHIN, at[n]) for n in x if spread[at[n]] > noise[at[n]]]
    parts += [(f"{n}{BETWEEN}", BETWEEN, at[n]) for n in x if across[at[n]] > 1e-12 * size[at[n]]]
    from_ = np.array([j for _, _, j in parts])
    between = np.array([kind == BETWEEN for _, kind, _ in parts])
    within = np.array([kind == WITHIN for _, kind, _ in parts])
    mean = np.where(
        between, unit_mean[:, from_], np.where(within, away[:, from_], cells.mean[:, from_])
    )
    cross = full[:, from_][:, :, from_]
    cross[:, between] = 0.0
    cross[:, :, between] = 0.0
    return [name for name, _, _ in parts], mean, cross, np.where(within, 0.0, centre[from_])


def _from_moments(
    data: Moments,
    model: grammar.Formula,
    effects: Effects,
    unit: str | None,
    cluster: str | None,
    vcov: Vcov | None,
    gls: bool,
) -> Work:
    labels = _labels_in(data, (model.response, *model.terms))
    if effects == "two-way":
        raise OptionError(
            "Moments have no waves to take out: put wave dummies among the terms and use 'within'."
        )
    if effects == "random-two-way":
        raise OptionError(
            "Moments have no waves to weigh by: give the panel or the rows, or put wave dummies "
            "among the terms and use 'random'."
        )
    if effects == "first-difference" or vcov in ("driscoll-kraay", "newey-west"):
        raise OptionError("Moments have no order in time: give the panel or the rows.")
    if effects != "pooled" and unit is None:
        raise OptionError(f"effects={effects!r} from Moments needs unit=, the key of the units.")
    cells = data.select(labels)
    cluster = cluster or unit
    vcov = vcov or ("CR2" if cluster else "HC1" if ROW in data.keys.columns else "classical")
    robust = vcov not in (*ROWWISE, "classical")
    keys = (unit, cluster if robust else None)
    wanted = [k for k in dict.fromkeys(keys) if k]
    cells._require_keys(wanted)
    if vcov in ROWWISE and effects != "between":
        cells._require_keys([ROW])
    if robust and not cluster:
        raise OptionError(f"vcov={vcov!r} from Moments needs cluster=, one of their keys.")
    sizes = cells.collapse([unit]).n if unit else np.array([])
    nested = unit is None or _is_nested(cells.keys, unit, cluster or unit)
    work = Work(
        cells,
        labels[0],
        tuple(labels[1:]),
        (),
        data,
        effects,
        vcov,
        cluster,
        units=len(sizes),
        waves=0,
        singletons=int((sizes == 1).sum()),
        left_out=data.left_out,
        fingerprint=fingerprint(*_marks(cells)),
        absorbed=len(sizes) if effects == "within" else 0,
        size=np.abs(cells.mean).max(axis=0),
        nested=frozenset({"unit"} if nested else ()),
        intercept=effects in ("pooled", "between") or (effects == "within-between" and not gls),
        unit=unit or "",
    )
    return _transformed(work, unit or "", cluster or "", gls)


def _labels_in(data: Moments, terms: Sequence[grammar.Term]) -> list[str]:
    """Return the terms as these Moments spell them: ``z:x`` is ``x:z``, backticks may lack."""
    known = {}
    for label in data.terms:
        try:
            found = grammar.parse_terms(label)
        except FormulaError:
            found = ()
        plain = grammar.Term((grammar.Name(label),))
        known[found[0] if len(found) == 1 else plain] = label
    return [known.get(term, term.label) for term in terms]
