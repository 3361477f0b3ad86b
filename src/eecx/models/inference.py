"""Least squares of a prepared model, and the covariance and degrees of freedom of its slopes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from ..covariance import (
    ByCluster,
    Rows,
    RowsNetOfWaves,
    classical,
    cr0,
    cr1,
    cr2,
    cr3,
    driscoll_kraay,
    hc,
    leverage,
    newey_west,
)
from ..errors import DataError, OptionError
from ..moments import group_codes
from ..results import Estimates, Spread
from .capabilities import HETEROSKEDASTIC, UNCOUNTED
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
    k = len(x) + work.intercept + work.taken_out
    if n <= k:
        what = "units" if work.effects == "between" else "rows"
        raise DataError(
            f"{n:.0f} {what} for {k} parameters: too few to fit.",
            code="too-few-rows",
            fix=f"Take fewer terms, or add {what}.",
        )
    cluster = work.clusters[0] if work.cells.of_rows else None
    net_of = "the effects of waves" if work.waves_out else ""
    fit = least_squares(
        work.cells, work.y, x, intercept=work.intercept, cluster=cluster, net_of=net_of
    )
    if work.net_of is not None and isinstance(fit.by, Rows):
        fit = replace(fit, by=RowsNetOfWaves(fit.by, work.net_of))
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
    """Return the wave dummies that are independent; refuse a column that waves determine."""
    for name in (*work.terms, work.y):
        if name in work.common:
            raise _refused_common(work, name)
    if not work.nuisance:
        return []
    names = [*work.nuisance, *work.terms, work.y]
    total = work.cells.select(names).collapse()
    whole = total.cross[0]
    scale = np.sqrt(np.diag(whole))
    d = len(work.nuisance)
    least = 1e-10 * np.sqrt(total.n[0])  # between units, balanced dummies are constant
    kept = np.flatnonzero(independent(whole[:d, :d], np.where(scale > least, scale, 0.0)[:d]))
    for j in range(d, len(names)):
        together = [*kept, j]
        if not independent(whole[np.ix_(together, together)], scale[together])[-1]:
            raise _refused_common(work, names[j])
    return [names[i] for i in kept]


def _refused_common(work: Work, name: Column) -> DataError:
    """Return the error of a column that waves determine."""
    return DataError(
        f"{name!r} changes only from wave to wave, alike in all units: the wave effects take it "
        "up.",
        code="absorbed-column",
        fix="Use effects='within'." if work.absorbed else "Leave it out.",
    )


def _refuse_constant(work: Work) -> None:
    """Name a column whose variation, after effects are taken out, is rounding error only."""
    own = work.cells.select([work.y, *work.terms])
    rows = f"{own.n.sum():.0f} {'units' if work.effects == 'between' else 'rows'}"
    spread = own.squares()
    noise = float(own.n.sum()) * (1e-14 * work.size[: len(own.terms)]) ** 2
    for name, found, least in zip(own.terms, spread, noise, strict=True):
        if found > least or name == INTERCEPT or name in work.common:
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
    found = estimates_of(work, fit, vcov, combine)
    return found.covariance, found.df


def estimates_of(work: Work, fit: Fit, vcov: Vcov, combine: Array | None = None) -> Estimates:
    """Return coefficients, or combinations (c, k) of them, with all that tells their errors.

    The covariance is NaN where nothing tells an error (see :func:`covariance_of`).
    """
    k, clusters = len(fit.beta), len(fit.scores)
    residual_df = fit.n - k - work.taken_out
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
    values = fit.beta if combine is None else combine @ fit.beta
    df = np.full(len(move), residual_df)
    influence = None
    if vcov == "classical":
        own = classical(fit.bread, fit.rss, residual_df)
    elif isinstance(work.cluster, tuple):
        own, few = _two_way(work, fit, vcov)
        df = np.full(len(move), few - 1.0)
    elif vcov in HETEROSKEDASTIC:
        parameters = counted(work, k, vcov) if vcov in UNCOUNTED else k + work.taken_out
        kind = HETEROSKEDASTIC[vcov]
        h = _leverage(work, fit, vcov) if kind in ("HC2", "HC3") else None
        own = hc(kind, fit.bread, fit.scores, h, parameters)
    elif vcov == "driscoll-kraay":
        time = work.cells.keys["wave"].to_numpy(np.int64)
        own = driscoll_kraay(fit.bread, fit.scores, time)
        df = np.full(len(move), len(np.unique(time)) - 1.0)
    elif vcov == "newey-west":
        keys = work.cells.keys
        time, unit = keys["wave"].to_numpy(np.int64), keys["unit"].to_numpy(np.intp)
        own = newey_west(fit.bread, fit.scores, unit, time)
    elif vcov == "CR2":
        influence, df = cr2(fit.by, move)
    elif vcov == "CR3":
        influence, df = cr3(fit.by, move), np.full(len(move), clusters - 1.0)
    else:
        factor = 1.0 if vcov == "CR0" else cr1_factor(fit, work, vcov)
        influence = np.sqrt(factor) * (fit.scores @ (move @ fit.bread).T)
        df = np.full(len(move), clusters - 1.0)
    covariance = move @ own @ move.T if influence is None else influence.T @ influence
    bread = move @ fit.bread @ move.T
    # two kinds of clusters can give a variance that is negative and no rounding error
    spread = np.diag(covariance)
    spread = np.abs(spread) if isinstance(work.cluster, tuple) else spread
    untold = spread <= UNTOLD * np.diag(bread) * fit.rss / fit.n
    untold |= is_perfect(fit)
    covariance[untold, :] = covariance[:, untold] = np.nan
    return Estimates(
        values,
        covariance,
        np.where(untold, np.nan, df),
        vcov,
        work.cluster if influence is not None or isinstance(work.cluster, tuple) else None,
        None if influence is None else work.clusters[1],
        influence,
        partial(_spread, fit.by, move, np.sqrt(fit.rss / residual_df)) if vcov == "CR2" else None,
    )


def _spread(by: ByCluster, move: Array, sigma: float, combine: Array | None = None) -> Spread:
    made = by.adjusted(move if combine is None else combine @ move, 0.5)
    return Spread(sigma**2 * made.own, sigma * made.reach)


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
    return np.stack([np.bincount(codes, s) for s in scores.T], axis=1)


def _leverage(work: Work, fit: Fit, vcov: Vcov) -> Array:
    """Return rows' leverages: those of the unit's effect, one over its waves, and of the wave's.

    Of ``HC3-plm`` that of the effects is left out.
    """
    own = fit.by.rows if isinstance(fit.by, RowsNetOfWaves) else fit.by
    if not isinstance(own, Rows):
        raise TypeError("Leverages are those of rows.")
    h = leverage(fit.bread, own.rows)
    if vcov not in ("HC2", "HC3"):
        return h
    if work.net_of is not None:
        h += work.net_of.leverage
    if work.absorbed:
        unit, w = group_codes(work.cells.keys, [work.unit])[0], work.cells.w
        h += w / np.bincount(unit, w)[unit]
    return h


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


def cr1_factor(fit: Fit, work: Work, vcov: Vcov = "CR1") -> float:
    """Return what CR1 multiplies CR0 by."""
    g, n = len(fit.scores), fit.n
    return g / (g - 1) * (n - 1) / (n - counted(work, len(fit.beta), vcov))


def counted(work: Work, k: int, vcov: Vcov) -> int:
    """Return K of CR1: of a kind of effects that is nested in clusters only one is counted.

    ``CR1-areg`` counts all effects, ``-plm`` the slopes (and an intercept that is estimated),
    ``CR1-each`` wave effects even where each lies in a cluster.
    """
    if vcov == "CR1-areg":
        return k + work.taken_out
    shown = len(work.terms) + work.intercept
    if vcov in UNCOUNTED:
        return shown
    units = min(work.absorbed, 1) if "unit" in work.nested else work.absorbed
    waves = k - shown + work.waves_out
    if "wave" in work.nested and vcov != "CR1-each":
        waves = 0
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
