"""One verb for linear models of a panel: pooled, between units, within units, two-way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from .. import formula as grammar
from ..covariance import classical, cr1, cr2, partial_leverage
from ..errors import Caution, DataError, FormulaError, OptionError, check_level, listing, nearest
from ..moments import ROW, Moments, from_rows, group_codes
from ..panel import Panel
from ..panel.panel import as_panel
from ..results import Result, fingerprint, versions
from .linear import Fit, independent, least_squares

__all__ = ["Effects", "Vcov", "Work", "covariance_of", "fit_work", "prepare", "regress"]

Array = npt.NDArray[np.float64]
Effects = Literal["pooled", "between", "within", "two-way"]
Vcov = Literal["classical", "HC1", "CR1", "CR2"]

LEVEL = {
    "pooled": "pooled",
    "between": "between units",
    "within": "within units over time",
    "two-way": "within units over time",
}
IN_WORDS = {
    "pooled": "ordinary least squares",
    "between": "ordinary least squares on the means of units over their waves",
    "within": "least squares with unit fixed effects",
    "two-way": "least squares with unit and wave fixed effects",
}


def regress(
    data: object,
    formula: str,
    *,
    effects: Effects = "pooled",
    unit: str | None = None,
    wave: str | None = None,
    cluster: str | None = None,
    vcov: Vcov | None = None,
    conf_level: float = 0.95,
) -> Result:
    r"""Regress an outcome on other columns of a panel, by least squares.

    The estimand is the linear association of outcome and predictors: over all unit-waves
    (``"pooled"``), of unit means (``"between"``), of deviations from the unit's own mean
    (``"within"``), or of those net of what each wave has in common (``"two-way"``):

    .. math:: y_{it} = \alpha_i + \gamma_t + x_{it}'\beta + \varepsilon_{it}

    A slope is not a causal effect: what differs between units, or changes in them together with
    x, is part of it.

    Parameters
    ----------
    data : Panel, data frame or Moments
        A frame needs ``unit`` (and ``wave``) unless the model is pooled without clusters. Moments
        need the cluster among their keys.
    formula : str
        ``"nps ~ engagement + size"``: names, ``a:b``, ``a*b``, ``(a + b)^2``, ``I(a^2)``, ``C(a)``,
        ``lag(a)``, ``lags(a, 0:3)``.
    effects : {"pooled", "between", "within", "two-way"}
    unit, wave : str, optional
        Key columns of a plain data frame.
    cluster : str, optional
        What errors may be correlated within: the unit (default where units are named), the wave,
        or another column, such as a region. In a Panel, ``"unit"`` and ``"wave"`` mean its keys.
    vcov : {"CR2", "CR1", "HC1", "classical"}, optional
        Default ``"CR2"``: bias-reduced cluster-robust errors with Satterthwaite degrees of
        freedom. ``"CR1"`` takes the factor G/(G-1) · (N-1)/(N-K) and t with G-1 degrees of freedom;
        effects nested in clusters are not counted in K (the convention of Stata's xtreg and of
        fixest). ``"HC1"`` and ``"classical"`` take no clusters and t with N-K, all effects counted.
    conf_level : float

    Returns
    -------
    Result
        ``.table`` has ``term, level, estimate, …``. Wave effects are estimated, not shown;
        ``r_squared`` is the share explained of what all effects leave. A standard error is NaN
        where the data cannot tell it, and a warning says why.

    Raises
    ------
    ColumnError, FormulaError, DataError, OptionError
        Unknown columns, constant or collinear columns (named), too few units or rows.

    Notes
    -----
    Assumes linearity, and independence between clusters. What is *not* checked: omitted causes,
    reverse effects, measurement error. CR2 follows Pustejovsky and Tipton (2018),
    https://doi.org/10.1080/07350015.2016.1247004.

    Examples
    --------
    >>> import eecx
    >>> sim = eecx.simulate.panel(units=60, waves=4, same_wave=0.5, rng=1)
    >>> panel = eecx.Panel.from_frame(
    ...     sim.frame, unit="unit", wave="wave", employee=["ex"], customer=["cx"]
    ... )
    >>> fit = eecx.regress(panel, "cx ~ ex", effects="two-way")
    >>> fit.table["level"].tolist()
    ['within units over time']
    """
    if effects not in get_args(Effects):
        raise OptionError(f"effects={effects!r}: accepted are {listing(get_args(Effects))}.")
    if vcov is not None and vcov not in get_args(Vcov):
        raise OptionError(
            f"vcov={vcov!r}: accepted are {listing(get_args(Vcov))}.{nearest(vcov, get_args(Vcov))}"
        )
    check_level(conf_level)
    model = grammar.parse(formula)
    work = prepare(data, model, effects, unit=unit, wave=wave, cluster=cluster, vcov=vcov)
    result = _result(work, fit_work(work), formula, conf_level)
    if isinstance(data, Panel) and len(model.response.columns) == 1:
        shared = data.shared_source(model.columns, model.response.columns[0])
        if shared:
            result = replace(result, warnings=(*result.warnings, shared))
    return result


@dataclass(frozen=True, eq=False)
class Work:
    """A model made ready: cells, columns, and what counts as a parameter."""

    cells: Moments
    y: str
    terms: tuple[str, ...]
    nuisance: tuple[str, ...]
    effects: Effects
    vcov: Vcov
    cluster: str | None
    units: int
    waves: int
    singletons: int
    left_out: int
    fingerprint: str
    absorbed: int
    size: Array
    nested: frozenset[str] = frozenset({"unit"})
    levels: pd.Index[Any] | None = None
    """Names of the clusters, where the cells' key numbers them."""
    """Which effects, of unit and wave, lie each in one cluster: CR1 does not count them."""

    @property
    def intercept(self) -> bool:
        """Whether the model has a constant: fixed effects leave none."""
        return self.effects in ("pooled", "between")

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
# a share of one cluster in what tells a coefficient, above which its error is doubtful
CONCENTRATED = 2 / 3
# a robust variance this far below the classical one is rounding error
UNTOLD = 1e-16


# ---------------------------------------------------------------------- making the cells


def prepare(
    data: object,
    model: grammar.Formula,
    effects: Effects,
    *,
    unit: str | None = None,
    wave: str | None = None,
    cluster: str | None = None,
    vcov: Vcov | None = None,
    wave_effects: bool = False,
    rows: npt.NDArray[np.bool_] | None = None,
) -> Work:
    """Turn data and a formula into cells of sums.

    ``wave_effects`` adds wave dummies to any model; ``rows`` keeps a part of the panel's rows,
    after lags were looked up in all of them.
    """
    _refuse_arguments(model, effects, vcov, {"unit": unit, "wave": wave, "cluster": cluster})
    if isinstance(data, Moments):
        if wave is not None:
            raise OptionError(f"wave={wave!r}: Moments have no order in time. Leave wave= out.")
        return _from_moments(data, model, effects, unit, cluster, vcov)
    if isinstance(data, Panel) and cluster is not None and cluster not in data.roles:
        cluster = {"unit": data.unit, "wave": data.wave}.get(cluster) or cluster
    if isinstance(data, Panel) and cluster is None and vcov not in ("HC1", "classical"):
        cluster = data.cluster
    columns = [*model.columns, *([cluster] if cluster and cluster not in (unit, wave) else [])]
    panel = as_panel(data, columns, unit=unit, wave=wave)
    own_units = isinstance(data, Panel) or unit is not None
    if not own_units and effects != "pooled":
        raise OptionError(f"effects={effects!r} needs unit= to say which rows belong together.")
    if effects == "two-way" and panel.wave is None:
        raise OptionError("effects='two-way' needs wave=.")
    x, names = _design(panel, (model.response, *model.terms))
    cluster_name = cluster or (panel.unit if own_units else None)
    by = "unit" if cluster_name in (None, panel.unit) else "cluster"
    # numbers tell units apart faster than names
    codes, levels = pd.factorize(panel.frame[panel.unit], sort=True)
    keys = pd.DataFrame({"unit": codes})
    if by == "cluster":
        keys[by], levels = pd.factorize(_cluster_values(panel, cluster_name), sort=True)
    complete = np.asarray(~np.isnan(x).any(axis=1) & (keys.to_numpy() >= 0).all(axis=1))
    if rows is not None:
        complete &= rows
    if not complete.any():
        raise DataError(f"No unit × wave has a value for all of {listing(names)}.")
    keys, x, time = keys[complete].reset_index(drop=True), x[complete], panel.time[complete]
    sizes = np.bincount(keys["unit"])
    sizes = sizes[sizes > 0]
    vcov = vcov or ("CR2" if cluster_name else "HC1")
    if vcov in ("CR1", "CR2") and cluster_name is None:
        raise OptionError(f"vcov={vcov!r} needs cluster= or unit=.")
    nuisance: tuple[str, ...] = ()
    if effects == "two-way" or wave_effects:
        waves = np.unique(time)[1:]
        nuisance = tuple(f"(wave {w})" for w in waves)
        x = np.column_stack([x, *[(time == w).astype(float) for w in waves]])
    labels = (*names, *nuisance)
    if vcov == "HC1" and effects != "between":
        keys[ROW] = np.arange(len(keys))
    cells = from_rows(x, labels, keys)
    size = np.abs(cells.mean).max(axis=0)
    nested = frozenset({"unit"})
    if vcov == "CR1":
        keys["wave"] = time
        nested = frozenset(k for k in ("unit", "wave") if _is_nested(keys, k, by))
    cells = _transformed(cells, effects, vcov, "unit", by)
    return Work(
        cells,
        names[0],
        names[1:],
        nuisance,
        effects,
        vcov,
        cluster_name,
        units=len(sizes) if own_units else 0,
        waves=len(np.unique(time)) if own_units else 0,
        singletons=int((sizes == 1).sum()),
        left_out=int((~complete).sum()),
        fingerprint=fingerprint(panel.fingerprint, x),
        absorbed=len(sizes) if effects in ("within", "two-way") else 0,
        size=size,
        nested=nested,
        levels=levels,
    )


def _refuse_arguments(
    model: grammar.Formula, effects: Effects, vcov: Vcov | None, columns: dict[str, Any]
) -> None:
    for name, given in columns.items():
        if given is not None and not isinstance(given, str):
            raise OptionError(f"{name}={given!r}: the name of one column.")
    if columns["cluster"] is not None and vcov in ("HC1", "classical"):
        raise OptionError(
            f"vcov={vcov!r} knows no clusters. Leave cluster= out, or take vcov='CR2'."
        )
    if not model.terms and effects in ("within", "two-way"):
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


def _transformed(cells: Moments, effects: Effects, vcov: Vcov, unit: str, cluster: str) -> Moments:
    """Take out units or go to their means, then keep what the covariance is summed over."""
    robust = vcov in ("CR1", "CR2")
    if effects == "between":
        if robust and not _is_nested(cells.keys, unit, cluster):
            raise DataError(
                "Between units, every unit must lie in one cluster; some lie in several."
            )
        by = [unit, cluster] if robust and cluster != unit else [unit]
        cells = cells.collapse(by).means()
    elif effects in ("within", "two-way"):
        if vcov == "CR2" and not _is_nested(cells.keys, unit, cluster):
            raise DataError(
                "CR2 with unit effects needs units nested in clusters; some lie in several. "
                "Use CR1."
            )
        cells = cells.within(unit)
    if vcov == "HC1":
        return cells
    return cells.collapse(cluster if robust else ())


def _from_moments(
    data: Moments,
    model: grammar.Formula,
    effects: Effects,
    unit: str | None,
    cluster: str | None,
    vcov: Vcov | None,
) -> Work:
    labels = _labels_in(data, (model.response, *model.terms))
    if effects == "two-way":
        raise OptionError(
            "Moments have no waves to take out: put wave dummies among the terms and use 'within'."
        )
    if effects != "pooled" and unit is None:
        raise OptionError(f"effects={effects!r} from Moments needs unit=, the key of the units.")
    cells = data.select(labels)
    cluster = cluster or unit
    vcov = vcov or ("CR2" if cluster else "HC1" if ROW in data.keys.columns else "classical")
    keys = (unit, cluster if vcov in ("CR1", "CR2") else None)
    wanted = [k for k in dict.fromkeys(keys) if k]
    cells._require_keys(wanted)
    if vcov == "HC1" and effects != "between":
        cells._require_keys([ROW])
    if vcov in ("CR1", "CR2") and not cluster:
        raise OptionError(f"vcov={vcov!r} from Moments needs cluster=, one of their keys.")
    sizes = cells.collapse([unit]).n if unit else np.array([])
    size = np.abs(cells.mean).max(axis=0)
    mark = fingerprint("|".join(labels), cells.n, cells.w, cells.mean, cells.m2)
    nested = unit is None or _is_nested(cells.keys, unit, cluster or unit)
    cells = _transformed(cells, effects, vcov, unit or "", cluster or "")
    return Work(
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
        size=size,
        nested=frozenset({"unit"} if nested else ()),
    )


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


# ---------------------------------------------------------------------- fitting


def fit_work(work: Work) -> Fit:
    """Fit by least squares; wave dummies that add nothing are left out first."""
    _refuse_constant(work)
    waves = _wave_dummies(work)
    x = [*waves, *work.terms]
    n = float(work.cells.n.sum())
    k = len(x) + work.intercept + work.absorbed
    if n <= k:
        what = "units" if work.effects == "between" else "rows"
        raise DataError(f"{n:.0f} {what} for {k} parameters: too few to fit.")
    fit = least_squares(work.cells, work.y, x, intercept=work.intercept)
    if not waves:
        return fit
    # what the wave effects explain is no merit of the terms
    total = work.cells.collapse()
    return replace(fit, tss=least_squares(total, work.y, waves, intercept=work.intercept).rss)


def _wave_dummies(work: Work) -> list[str]:
    """Return the wave dummies that are independent; refuse a column that they determine."""
    if not work.nuisance:
        return []
    names = [*work.nuisance, *work.terms, work.y]
    total = work.cells.select(names).collapse()
    whole = total.cross[0]
    scale = np.sqrt(np.diag(whole))
    d = len(work.nuisance)
    least = 1e-10 * np.sqrt(total.n[0])  # between units, balanced dummies are constant
    advice = "Use effects='within'." if work.absorbed else "Leave it out."
    kept = np.flatnonzero(independent(whole[:d, :d], np.where(scale > least, scale, 0.0)[:d]))
    for j in range(d, len(names)):
        together = [*kept, j]
        if not independent(whole[np.ix_(together, together)], scale[together])[-1]:
            raise DataError(
                f"{names[j]!r} changes only from wave to wave, alike in all units: the wave "
                f"effects take it up. {advice}"
            )
    return [names[i] for i in kept]


def _refuse_constant(work: Work) -> None:
    """Name a column whose variation, after effects are taken out, is rounding error only."""
    own = work.cells.select([work.y, *work.terms])
    spread = np.diag(own.collapse().cross[0])
    noise = float(own.n.sum()) * (1e-14 * work.size[: len(own.terms)]) ** 2
    for name, found, least in zip(own.terms, spread, noise, strict=True):
        if found > least:
            continue
        if work.absorbed:
            raise DataError(
                f"{name!r} does not change within units over time, so unit effects take it up. "
                "Use effects='between' or 'pooled' for it."
            )
        raise DataError(
            f"{name!r} is constant over the {own.n.sum():.0f} rows that are left. Leave it out."
        )


def covariance_of(work: Work, fit: Fit, vcov: Vcov) -> tuple[Array, Array]:
    """Return the covariance of a fit's coefficients and their degrees of freedom.

    NaN where nothing tells an error: the fit is perfect, or all that moves a column lies in one
    cluster (or row), whose residuals are then zero.
    """
    k, clusters = len(fit.beta), len(fit.scores)
    residual_df = fit.n - k - work.absorbed
    if vcov != "classical" and clusters < 2:
        raise DataError("All rows lie in one cluster; robust errors need at least two.")
    if vcov == "HC1" and clusters < fit.n:
        raise OptionError("vcov='HC1' needs every row, and these are summed by cluster.")
    df = np.full(k, residual_df)
    if vcov == "classical":
        covariance = classical(fit.bread, fit.rss, residual_df)
    elif vcov == "HC1":
        covariance = cr1(fit.bread, fit.scores, fit.n, k + work.absorbed)
    elif vcov == "CR1":
        covariance = cr1(fit.bread, fit.scores, fit.n, _counted(work, k))
        df = np.full(k, clusters - 1.0)
    if vcov == "CR2":
        covariance, df = cr2(fit.bread, fit.cross, fit.scores, fit.move)
    else:
        covariance = fit.move @ covariance @ fit.move.T
    bread = fit.move @ fit.bread @ fit.move.T
    untold = np.diag(covariance) <= UNTOLD * np.diag(bread) * fit.rss / fit.n
    untold |= _is_perfect(fit)
    covariance[untold, :] = covariance[:, untold] = np.nan
    return covariance, np.where(untold, np.nan, df)


def _is_perfect(fit: Fit) -> bool:
    """Whether the residuals are rounding errors."""
    return fit.rss <= 1e-13 * fit.tss


def _counted(work: Work, k: int) -> int:
    """Return K of CR1: of a kind of effects that is nested in clusters only one is counted."""
    slopes = len(work.terms) + work.intercept
    units = min(work.absorbed, 1) if "unit" in work.nested else work.absorbed
    return slopes + units + (0 if "wave" in work.nested else k - slopes)


def _result(work: Work, fit: Fit, formula: str, conf_level: float) -> Result:
    clusters = len(fit.scores)
    residual_df = fit.n - len(fit.beta) - work.absorbed
    covariance, df = covariance_of(work, fit, work.vcov)
    shown = [i for i, name in enumerate(fit.names) if name not in work.nuisance]
    names = [fit.names[i] for i in shown]
    table = estimates_table(
        names, fit.beta[shown], np.sqrt(np.diag(covariance))[shown], df[shown], conf_level
    )
    table.insert(1, "level", LEVEL[work.effects])
    vcov = pd.DataFrame(covariance[np.ix_(shown, shown)], index=names, columns=names)
    statistics = {
        "n": int(fit.n),
        "units": work.units or None,
        "waves": work.waves or None,
        **({"clusters": clusters} if work.vcov in ("CR1", "CR2") else {}),
        "r_squared": 1 - fit.rss / fit.tss if fit.tss > 0 else np.nan,
        "sigma": float(np.sqrt(fit.rss / residual_df)),
        "df_residual": residual_df,
        "left_out": work.left_out,
        "condition": fit.condition,
    }
    spec = {
        "formula": formula,
        "effects": work.effects,
        "cluster": work.cluster if work.vcov in ("CR1", "CR2") else None,
        "vcov": work.vcov,
        "conf_level": conf_level,
        "data": work.fingerprint,
        "versions": versions(),
    }
    references = ("pustejovsky2018",) if work.vcov == "CR2" else ()
    return Result(
        "regress",
        table,
        spec,
        statistics,
        _methods(work, table, formula, conf_level),
        vcov=vcov,
        warnings=_cautions(work, fit, table, shown),
        references=references,
    )


def estimates(beta: Array, se: Array, df: Array, conf_level: float) -> dict[str, Array]:
    """Return the columns of a table of estimates, with t tests and intervals."""
    with np.errstate(divide="ignore", invalid="ignore"):
        t = beta / se
    reach = -special.stdtrit(df, (1 - conf_level) / 2) * se
    return {
        "estimate": beta,
        "std_error": se,
        "statistic": t,
        "df": df,
        "p_value": 2 * special.stdtr(df, -np.abs(t)),
        "conf_low": beta - reach,
        "conf_high": beta + reach,
    }


def estimates_table(
    names: Sequence[str], beta: Array, se: Array, df: Array, conf_level: float
) -> pd.DataFrame:
    """Return the tidy table of named estimates."""
    return pd.DataFrame({"term": list(names), **estimates(beta, se, df, conf_level)})


def _cautions(
    work: Work, fit: Fit, table: pd.DataFrame, shown: Sequence[int]
) -> tuple[Caution, ...]:
    found = []
    df = table.set_index("term")["df"]
    if work.vcov == "CR1" and len(fit.scores) < 40:
        found.append(
            Caution(
                "few-clusters",
                f"CR1 with {len(fit.scores)} clusters is too small on average; CR2 is safer.",
                str(work.cluster),
            )
        )
    if work.vcov == "CR2" and df.min() < 5:
        at = str(df.idxmin())
        found.append(
            Caution(
                "few-clusters",
                f"{at!r} rests on {df.min():.1f} effective clusters "
                "(Satterthwaite df): its interval is rough.",
                at,
            )
        )
    if _is_perfect(fit):
        found.append(
            Caution(
                "perfect-fit",
                f"The terms reproduce {work.y!r} exactly: is it computed from them? "
                "No error can be told.",
                work.y,
            )
        )
    else:
        found += _concentrated(work, fit, table, shown)
    if work.absorbed and work.singletons:
        found.append(
            Caution(
                "single-wave-units",
                f"{work.singletons} of {work.units} units have one wave only; "
                "with unit effects they contribute nothing.",
                "units",
            )
        )
    if fit.condition > 1e6:
        found.append(
            Caution(
                "ill-conditioned",
                f"The columns are nearly collinear (condition number "
                f"{fit.condition:.1g}): single slopes are unstable.",
                "formula",
            )
        )
    return tuple(found)


def _concentrated(work: Work, fit: Fit, table: pd.DataFrame, shown: Sequence[int]) -> list[Caution]:
    """Caution against errors of what varies in one cluster (or row) alone, or mostly there."""
    if work.vcov == "classical":
        return []
    share = partial_leverage(fit.bread, fit.cross, fit.move)[:, shown]
    kind = "row" if work.vcov == "HC1" else f"cluster ({work.cluster})"
    found = []
    for name, df, own in zip(table["term"], table["df"], share.T, strict=True):
        at = int(own.argmax())
        if np.isnan(df):
            message = f"Nothing tells the error of {name!r}: it fits each {kind} exactly."
        elif own[at] > CONCENTRATED:
            which = "" if work.vcov == "HC1" else f", {listing([work.cluster_name(at)])}"
            message = (
                f"{100 * own[at]:.0f}% of what tells {name!r} lies in one {kind}{which}: its "
                "error, told by the rest, may be far too small."
            )
        else:
            continue
        found.append(Caution("one-cluster", message, str(name)))
    return found


def _methods(work: Work, table: pd.DataFrame, formula: str, conf_level: float) -> str:
    errors = {
        "CR2": f"cluster-robust standard errors by {work.cluster} (CR2, Satterthwaite degrees of "
        "freedom)",
        "CR1": f"cluster-robust standard errors by {work.cluster} (CR1)",
        "HC1": "heteroskedasticity-robust standard errors (HC1)",
        "classical": "classical standard errors",
    }[work.vcov]
    found = []
    columns = ["estimate", "std_error", "conf_low", "conf_high"]
    for term, (b, se, low, high) in zip(table["term"], table[columns].to_numpy(float), strict=True):
        if term == "(intercept)" and len(table) > 1:
            continue
        interval = f"SE {se:.2g}, {100 * conf_level:g}% CI {low:.3g} to {high:.3g}"
        untold = "its error cannot be told"
        found.append(f"{term} b = {b:.3g} ({interval if np.isfinite(se) else untold})")
    what = "units" if work.effects == "between" else "unit-waves" if work.units else "rows"
    rows = f"{int(work.cells.n.sum())} {what}"
    units = f" of {work.units} units" if work.units and work.effects != "between" else ""
    return (
        f"We fitted {formula} by {IN_WORDS[work.effects]} to {rows}{units}, with {errors}: "
        f"{'; '.join(found)}."
    )
