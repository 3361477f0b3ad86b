"""A model made ready: data and a formula become cells of sums, transformed as the effects ask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from .. import formula as grammar
from ..errors import DataError, FormulaError, OptionError, listing
from ..moments import ROW, Moments, from_rows, group_codes, pack
from ..panel import Panel
from ..panel.panel import as_panel
from ..results import fingerprint
from .swamy_arora import Components, components

__all__ = ["BETWEEN", "CONSTANT", "ROWWISE", "WITHIN", "Effects", "Vcov", "Work", "prepare"]

Array = npt.NDArray[np.float64]
Effects = Literal[
    "pooled",
    "between",
    "within",
    "two-way",
    "first-difference",
    "random",
    "within-between",
    "mixed",
]
Vcov = Literal[
    "classical",
    "HC0",
    "HC1",
    "HC2",
    "HC3",
    "CR0",
    "CR1",
    "CR1-areg",
    "CR1-plm",
    "CR2",
    "CR3",
    "wild",
    "driscoll-kraay",
    "newey-west",
]
ROWWISE = ("HC0", "HC1", "HC2", "HC3", "driscoll-kraay", "newey-west")
"""Covariances that need every row."""
CONSTANT = "(intercept)"
WITHIN, BETWEEN = " (within)", " (between)"


@dataclass(frozen=True, eq=False)
class Work:
    """A model made ready: cells, columns, and what counts as a parameter."""

    cells: Moments
    y: str
    terms: tuple[str, ...]
    nuisance: tuple[str, ...]
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

    @property
    def rowwise(self) -> bool:
        """Whether the cells are rows: for errors that need each, or two kinds of clusters."""
        return self.vcov in ROWWISE or isinstance(self.cluster, tuple)

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
) -> Work:
    """Turn data and a formula into cells of sums.

    ``wave_effects`` adds wave dummies to any model; ``rows`` keeps a part of the panel's rows,
    after lags were looked up in all of them; ``gls`` weights within-between models by their
    variance components; ``drift`` gives first differences a constant.
    """
    clusters = _clusters(cluster)
    _refuse_arguments(model, effects, vcov, {"unit": unit, "wave": wave}, clusters)
    if isinstance(data, Moments):
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
    panel = as_panel(data, columns, unit=unit, wave=wave)
    own_units = isinstance(data, Panel) or unit is not None
    if not own_units and effects != "pooled":
        raise OptionError(f"effects={effects!r} needs unit= to say which rows belong together.")
    if panel.wave is None and (needs := _needs_waves(effects, vcov)):
        raise OptionError(f"{needs} needs wave=.")
    x, names = _design(panel, (model.response, *model.terms))
    clusters = clusters or ((panel.unit,) if own_units else ())
    # numbers tell units apart faster than names
    codes, levels = np.arange(len(x)), pd.Index([])
    if own_units:
        codes, levels = pd.factorize(panel.frame[panel.unit], sort=True)
    keys = pd.DataFrame({"unit": codes})
    by = ["unit"]
    for i, name in enumerate(clusters):
        if name != panel.unit:
            own = f"cluster{i or ''}"
            keys[own], found = pd.factorize(_cluster_values(panel, name), sort=True)
            levels, by = (found if i == 0 else levels), [*by[:i], own]
        else:
            by = [*by[:i], "unit"]
    complete = np.asarray(~np.isnan(x).any(axis=1) & (keys.to_numpy() >= 0).all(axis=1))
    if effects == "first-difference":
        x, complete = _differences(panel, x, complete)
    if rows is not None:
        complete &= rows
    if not complete.any():
        raise DataError(f"No unit × wave has a value for all of {listing(names)}.")
    keys, x, time = keys[complete].reset_index(drop=True), x[complete], panel.time[complete]
    sizes = np.bincount(keys["unit"])
    sizes = sizes[sizes > 0]
    vcov = vcov or ("CR1" if len(clusters) > 1 else "CR2" if clusters else "HC1")
    robust = vcov not in (*ROWWISE, "classical")
    if (robust or vcov == "newey-west") and not clusters:
        raise OptionError(f"vcov={vcov!r} needs cluster= or unit=.")
    if len(clusters) > 1 and vcov not in ("CR0", "CR1"):
        raise OptionError(f"Two kinds of clusters take vcov='CR1' or 'CR0', not {vcov!r}.")
    nuisance: tuple[str, ...] = ()
    if effects == "two-way" or wave_effects:
        waves = np.unique(time)[1:]
        nuisance = tuple(f"(wave {w})" for w in waves)
        x = np.column_stack([x, *[(time == w).astype(float) for w in waves]])
    labels = (*names, *nuisance)
    rowwise = vcov in ROWWISE or len(clusters) > 1
    nested = frozenset({"unit"})
    waves_of = 1 if panel.wave is None else len(np.unique(time))
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
    cells = from_rows(x, labels, keys)
    work = Work(
        cells,
        names[0],
        names[1:],
        nuisance,
        effects,
        vcov,
        (clusters[0], clusters[1]) if len(clusters) > 1 else clusters[0] if clusters else None,
        units=len(sizes) if own_units else 0,
        waves=waves_of if own_units else 0,
        singletons=int((sizes == 1).sum()),
        left_out=int((~complete).sum()),
        fingerprint=fingerprint(_mark(panel, codes), x),
        absorbed=len(sizes) if effects in ("within", "two-way") else 0,
        size=np.abs(cells.mean).max(axis=0),
        nested=nested,
        levels=levels,
        intercept=effects in ("pooled", "between")
        or (effects == "first-difference" and drift)
        or (effects == "within-between" and not gls),
    )
    return _transformed(work, "unit", by[0], gls)


def _mark(panel: Panel, codes: npt.NDArray[np.intp]) -> str:
    """Return what tells this panel from others; of rows without waves, their units and names."""
    if panel.wave is not None or len(panel.audit.coverage):
        return panel.fingerprint
    return fingerprint("|".join(map(str, panel.frame.columns)), codes)


def _clusters(given: str | Sequence[str] | None) -> tuple[str, ...]:
    names = (given,) if isinstance(given, str) else tuple(given or ())
    if len(names) > 2 or len(set(names)) < len(names) or not all(isinstance(n, str) for n in names):
        raise OptionError(f"cluster={given!r}: the name of one column, or of two.")
    return names


def _needs_waves(effects: Effects, vcov: Vcov | None) -> str:
    if effects in ("two-way", "first-difference"):
        return f"effects={effects!r}"
    return f"vcov={vcov!r}" if vcov in ("driscoll-kraay", "newey-west") else ""


def _differences(
    panel: Panel, x: Array, complete: npt.NDArray[np.bool_]
) -> tuple[Array, npt.NDArray[np.bool_]]:
    """Return changes since the unit's last step of time, and where both ends are known."""
    at = panel.lag_rows(1)
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
    if clusters and vcov in (*ROWWISE, "classical"):
        raise OptionError(
            f"vcov={vcov!r} knows no clusters. Leave cluster= out, or take vcov='CR2'."
        )
    if not model.terms and effects in ("within", "two-way", "within-between"):
        raise FormulaError(
            f"{model.text!r} has the intercept alone, which unit effects take up. Add a term."
        )


def _design(panel: Panel, terms: Sequence[grammar.Term]) -> tuple[Array, tuple[str, ...]]:
    """Return the columns of the terms; refuse those whose sums of squares a double cannot hold."""
    try:
        with np.errstate(over="raise"):
            design = panel.design(terms)
    except FloatingPointError as error:
        raise DataError(
            "A product or power in the formula goes beyond the largest number. "
            "Divide its columns by a constant first."
        ) from error
    size = np.nan_to_num(np.abs(design.x)).max(axis=0)
    for name, most in zip(design.names, size, strict=True):
        if most > LARGEST or 0 < most < 1 / LARGEST:
            raise DataError(
                f"{name!r} has values up to {most:.1g}, whose squares a computer cannot add up. "
                "Divide the column by a constant first."
            )
    return design.x, design.names


def _is_nested(keys: pd.DataFrame, inner: str, outer: str) -> bool:
    """Whether every level of one key lies in a single level of another."""
    if inner == outer:
        return True
    return len(group_codes(keys, [inner, outer])[1]) == len(group_codes(keys, [inner])[1])


def _cluster_values(panel: Panel, name: str | None) -> pd.Series[Any]:
    if name is None or name == panel.unit:
        return panel.frame[panel.unit]
    if name == panel.wave:
        return panel.frame[panel.wave]
    panel.require(name, "cluster")
    return panel.frame[name]


def _transformed(work: Work, unit: str, cluster: str, gls: bool) -> Work:
    """Take out units, go to their means or weight them; keep what the covariance is summed over."""
    cells, effects = work.cells, work.effects
    robust = work.vcov not in (*ROWWISE, "classical")
    if effects == "between":
        if robust and not _is_nested(cells.keys, unit, cluster):
            raise DataError(
                "Between units, every unit must lie in one cluster; some lie in several."
            )
        by = [unit, cluster] if robust and cluster != unit else [unit]
        cells = cells.collapse(by).means()
    elif effects in ("within", "two-way"):
        if work.vcov in ("CR2", "CR3") and not _is_nested(cells.keys, unit, cluster):
            raise DataError(
                f"{work.vcov} with unit effects needs units nested in clusters; some lie in "
                "several. Use CR1."
            )
        cells = cells.within(unit)
    elif effects in ("random", "within-between"):
        work = _weighted(work, unit, gls or effects == "random")
        cells = work.cells
    if not work.rowwise:
        cells = cells.collapse(cluster if robust else ())
    return replace(work, cells=cells)


def _weighted(work: Work, unit: str, gls: bool) -> Work:
    """Split terms into parts within and between units where asked, and quasi-demean for GLS.

    The constant becomes a column of its own, and all others are counted from their means.
    """
    cells, y, x = work.cells, work.y, list(work.terms)
    found = components(cells.collapse([unit]), y, x) if gls else None
    centre = cells.collapse().mean[0]
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
    theta = found.theta[codes]
    mean = np.column_stack([mean - theta[:, None] * means[codes], 1 - theta])
    wide = np.zeros((len(mean), len(terms) + 1, len(terms) + 1))
    wide[:, :-1, :-1] = cross
    made = Moments(
        (*terms, CONSTANT), cells.keys, cells.n, cells.w, cells.w2, mean, pack(wide), cells.left_out
    )
    shift = np.append(centre, 0.0)
    order = [y, CONSTANT, *[t for t in terms if t != y]]
    at = [made.terms.index(t) for t in order]
    return replace(
        work,
        cells=made.select(order),
        terms=tuple(order[1:]),
        size=np.abs(made.mean).max(axis=0)[at],
        intercept=False,
        centre=shift[at],
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
    mark = fingerprint("|".join(labels), cells.n, cells.w, cells.mean, cells.m2)
    nested = unit is None or _is_nested(cells.keys, unit, cluster or unit)
    work = Work(
        cells,
        labels[0],
        tuple(labels[1:]),
        (),
        effects,
        vcov,
        cluster,
        units=len(sizes),
        waves=0,
        singletons=int((sizes == 1).sum()),
        left_out=data.left_out,
        fingerprint=mark,
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
