"""Least squares of a prepared model, and the covariance and degrees of freedom of its slopes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from ..covariance import (
    adjusted_influence,
    classical,
    cr0,
    cr1,
    cr2,
    cr2_spread,
    cr3,
    driscoll_kraay,
    hc,
    leverage,
    newey_west,
)
from ..errors import DataError, OptionError
from ..moments import group_codes
from ..results import Estimates, Spread
from .capabilities import HETEROSKEDASTIC, UNCOUNTED, clustered
from .columns import INTERCEPT, Column
from .least_squares import Fit, independent, least_squares
from .work import ROWWISE, Vcov, Work

__all__ = [
    "counted",
    "covariance_of",
    "cr1_factor",
    "estimates",
    "estimates_of",
    "estimates_table",
    "fit_work",
    "is_perfect",
    "r_squared",
    "two_keys",
]

Array = npt.NDArray[np.float64]

# a robust variance this far below the classical one is rounding error
UNTOLD = 1e-16


def fit_work(work: Work) -> Fit:
    """Fit by least squares; wave dummies that add nothing are left out first."""
    _refuse_constant(work)
    waves = _wave_dummies(work)
    x = [*waves, *work.terms]
    n = float(work.cells.n.sum())
    k = len(x) + work.intercept + work.absorbed
    if n <= k:
        what = "units" if work.effects == "between" else "rows"
        raise DataError(
            f"{n:.0f} {what} for {k} parameters: too few to fit.",
            code="too-few-rows",
            fix=f"Take fewer terms, or add {what}.",
        )
    fit = least_squares(work.cells, work.y, x, intercept=work.intercept)
    if work.centre is not None:
        fit = _uncentred(work, fit)
    if not waves:
        return fit
    # what the wave effects explain is no merit of the terms
    total = work.cells.collapse()
    return replace(fit, tss=least_squares(total, work.y, waves, intercept=work.intercept).rss)


def _uncentred(work: Work, fit: Fit) -> Fit:
    """Move the constant of a GLS fit back to where y and the terms were counted from."""
    centre = np.zeros(0) if work.centre is None else work.centre
    at = fit.columns.index(INTERCEPT)
    shift = np.array([centre[1 + work.terms.index(c)] for c in fit.columns])
    beta = fit.beta.copy()
    beta[at] += centre[0] - shift @ fit.beta
    move = np.eye(len(beta))
    move[at] -= shift
    total = work.cells.collapse()
    return replace(fit, beta=beta, move=move, tss=float(total.cross[0][0, 0]))


def _wave_dummies(work: Work) -> list[Column]:
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
                "effects take it up.",
                code="absorbed-column",
                fix=advice,
            )
    return [names[i] for i in kept]


def _refuse_constant(work: Work) -> None:
    """Name a column whose variation, after effects are taken out, is rounding error only."""
    own = work.cells.select([work.y, *work.terms])
    rows = f"{own.n.sum():.0f} {'units' if work.effects == 'between' else 'rows'}"
    spread = np.diag(own.collapse().cross[0])
    noise = float(own.n.sum()) * (1e-14 * work.size[: len(own.terms)]) ** 2
    for name, found, least in zip(own.terms, spread, noise, strict=True):
        if found > least or name == INTERCEPT:
            continue
        if work.effects == "first-difference":
            raise DataError(
                f"{name!r} changes in no unit from wave to wave, or by the same always.",
                code="absorbed-column",
                fix=work.way_out(name),
            )
        if work.absorbed and work.singletons == work.units:
            raise DataError(
                f"No unit has more than one row with all values, so nothing, {name!r} among it, "
                "changes within units over time.",
                code="single-wave-units",
                fix="Use effects='between' or 'pooled'.",
            )
        if work.absorbed:
            raise DataError(
                f"{name!r} does not change within units over time, so unit effects take it up.",
                code="absorbed-column",
                fix="Use effects='between' or 'pooled' for it.",
            )
        raise DataError(
            f"{name!r} is constant over the {rows} that are left.",
            code="constant-column",
            fix=work.way_out(name),
        )


def covariance_of(
    work: Work, fit: Fit, vcov: Vcov, combine: Array | None = None
) -> tuple[Array, Array]:
    """Return the covariance of a fit's coefficients and their degrees of freedom.

    ``combine`` (c, k) asks for combinations of the coefficients instead. NaN where nothing tells
    an error: the fit is perfect, or all that moves a column lies in one cluster (or row), whose
    residuals are then zero.
    """
    k, clusters = len(fit.beta), len(fit.scores)
    residual_df = fit.n - k - work.absorbed
    if vcov != "classical" and clusters < 2:
        raise DataError(
            "All rows lie in one cluster; robust errors need at least two.",
            code="too-few-clusters",
            fix="Name cluster=, a column of more groups.",
        )
    if vcov in ROWWISE and clusters < fit.n:
        raise OptionError(
            f"vcov={vcov!r} needs every row, and these are summed by cluster.",
            code="needs-rows",
            fix="Give the panel or the rows.",
        )
    move = fit.move if combine is None else combine @ fit.move
    df = np.full(len(move), residual_df)
    if vcov == "classical":
        own = classical(fit.bread, fit.rss, residual_df)
    elif isinstance(work.cluster, tuple):
        own, few = _two_way(work, fit, vcov)
        df = np.full(len(move), few - 1.0)
    elif vcov in HETEROSKEDASTIC:
        parameters = counted(work, k, vcov) if vcov in UNCOUNTED else k + work.absorbed
        own = hc(
            HETEROSKEDASTIC[vcov], fit.bread, fit.scores, _leverage(work, fit, vcov), parameters
        )
    elif vcov == "driscoll-kraay":
        time = work.cells.keys["wave"].to_numpy(np.int64)
        own = driscoll_kraay(fit.bread, fit.scores, time)
        df = np.full(len(move), len(np.unique(time)) - 1.0)
    elif vcov == "newey-west":
        keys = work.cells.keys
        time, unit = keys["wave"].to_numpy(np.int64), keys["unit"].to_numpy(np.intp)
        own = newey_west(fit.bread, fit.scores, unit, time)
    elif vcov == "CR2":
        covariance, df = cr2(fit.bread, fit.cross, fit.scores, move)
    else:
        df = np.full(len(move), clusters - 1.0)
        if vcov == "CR0":
            own = cr0(fit.bread, fit.scores)
        elif vcov == "CR3":
            own = cr3(fit.bread, fit.cross, fit.scores)
        else:
            own = cr1(fit.bread, fit.scores, fit.n, counted(work, k, vcov))
    if vcov != "CR2":
        covariance = move @ own @ move.T
    bread = move @ fit.bread @ move.T
    # two kinds of clusters can give a variance that is negative and no rounding error
    spread = np.diag(covariance)
    spread = np.abs(spread) if isinstance(work.cluster, tuple) else spread
    untold = spread <= UNTOLD * np.diag(bread) * fit.rss / fit.n
    untold |= is_perfect(fit)
    covariance[untold, :] = covariance[:, untold] = np.nan
    return covariance, np.where(untold, np.nan, df)


def estimates_of(work: Work, fit: Fit, vcov: Vcov, combine: Array | None = None) -> Estimates:
    """Return the coefficients, or combinations (c, k) of them, with what each cluster adds."""
    covariance, df = covariance_of(work, fit, vcov, combine)
    values = fit.beta if combine is None else combine @ fit.beta
    if not clustered(vcov):
        return Estimates(values, covariance, df, vcov)
    if isinstance(work.cluster, tuple):
        return Estimates(values, covariance, df, vcov, work.cluster)
    move = fit.move if combine is None else combine @ fit.move
    spread = None
    if vcov == "CR2":
        influence = adjusted_influence(fit.bread, fit.cross, fit.scores, move, 0.5)
        spread = partial(_spread, fit.bread, fit.cross, move)
    elif vcov == "CR3":
        influence = adjusted_influence(fit.bread, fit.cross, fit.scores, move, 1.0)
    else:
        influence = fit.scores @ fit.bread @ move.T
        if vcov != "CR0":
            g, n = len(fit.scores), fit.n
            parameters = counted(work, len(fit.beta), vcov)
            influence *= np.sqrt(g / (g - 1) * (n - 1) / (n - parameters))
    labels = cluster_labels(work)
    return Estimates(values, covariance, df, vcov, work.cluster, labels, influence, spread)


def cluster_labels(work: Work) -> pd.Index[Any]:
    """Return the names of the clusters that the cells are."""
    key = pd.Index(work.cells.keys.iloc[:, 0])
    return key if work.levels is None else work.levels[key.to_numpy(np.intp)]


def _spread(bread: Array, cross: Array, move: Array) -> Spread:
    return Spread(*cr2_spread(bread, cross, move))


def _two_way(work: Work, fit: Fit, vcov: Vcov) -> tuple[Array, int]:
    """Return :math:`V_a + V_b - V_{ab}` and the smaller number of clusters.

    Cameron, Gelbach and Miller; CR1 with one factor, of the smaller number (as fixest),
    ``CR1-each`` with that of its own clusters for each term.
    """
    keys = work.cells.keys
    first, second = two_keys(work)
    codes = [group_codes(keys, [c])[0] for c in (first, second)]
    both = group_codes(keys, [first, second])[0]
    totals = [_summed(fit.scores, c) for c in (*codes, both)]
    few = min(len(t) for t in totals[:2])
    if few < 2:
        raise DataError(
            "All rows lie in one cluster; robust errors need at least two.",
            code="too-few-clusters",
            fix="Name cluster=, a column of more groups.",
        )
    parameters = counted(work, len(fit.beta), vcov)
    if vcov == "CR1-each":
        a, b, ab = (cr1(fit.bread, t, fit.n, parameters) for t in totals)
        return a + b - ab, few
    own = cr0(fit.bread, totals[0]) + cr0(fit.bread, totals[1]) - cr0(fit.bread, totals[2])
    if vcov == "CR1":
        own = own * (few / (few - 1) * (fit.n - 1) / (fit.n - parameters))
    return own, few


def two_keys(work: Work) -> tuple[str, str]:
    """Return the key columns of two kinds of clusters."""
    first, second = work.by
    return first, second


def _summed(scores: Array, codes: npt.NDArray[np.intp]) -> Array:
    out = np.zeros((int(codes.max()) + 1, scores.shape[1]))
    np.add.at(out, codes, scores)
    return out


def _leverage(work: Work, fit: Fit, vcov: Vcov) -> Array:
    """Return rows' leverages: that of the unit's effect, one over its waves, is added.

    Of ``HC3-plm`` that of the effects is left out instead: the leverage of the transformed terms.
    """
    h = leverage(fit.bread, fit.cross)
    waves = [i for i, column in enumerate(fit.columns) if column.part == "wave"]
    if vcov == "HC3-plm" and waves:
        cross = fit.cross[:, waves][:, :, waves]
        h -= leverage(np.linalg.inv(cross.sum(axis=0)), cross)
    if not work.absorbed or vcov not in ("HC2", "HC3"):
        return h
    unit, w = group_codes(work.cells.keys, [work.unit])[0], work.cells.w
    return np.asarray(h + w / np.bincount(unit, w)[unit])


def is_perfect(fit: Fit) -> bool:
    """Whether the residuals are rounding errors."""
    return fit.rss <= 1e-13 * fit.tss


def r_squared(work: Work, fit: Fit) -> float:
    """Return the share explained; with random effects, of what a constant weighted alike leaves.

    That is Buse's (1973, The American Statistician, 27(3), 106-108). A correlation of weighted
    outcome and fit, as R's plm gives, would change with the outcome's origin where units have
    unequal numbers of waves.
    """
    total = fit.tss
    if work.centre is not None:
        whole = work.cells.select([work.y, INTERCEPT]).about(np.zeros(2)).sum(axis=0)
        total = float(whole[0, 0] - whole[0, 1] ** 2 / whole[1, 1])
    return 1 - fit.rss / total if total > 0 else np.nan


def cr1_factor(fit: Fit, work: Work) -> float:
    """Return what CR1 multiplies CR0 by."""
    g, n = len(fit.scores), fit.n
    return g / (g - 1) * (n - 1) / (n - counted(work, len(fit.beta), "CR1"))


def counted(work: Work, k: int, vcov: Vcov) -> int:
    """Return K of CR1: of a kind of effects that is nested in clusters only one is counted.

    ``CR1-areg`` counts all effects, ``-plm`` the slopes (and an intercept that is estimated),
    ``CR1-each`` wave effects even where each lies in a cluster.
    """
    if vcov == "CR1-areg":
        return k + work.absorbed
    shown = len(work.terms) + work.intercept
    if vcov in UNCOUNTED:
        return shown
    units = min(work.absorbed, 1) if "unit" in work.nested else work.absorbed
    waves = 0 if "wave" in work.nested and vcov != "CR1-each" else k - shown
    return shown + units + waves


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
