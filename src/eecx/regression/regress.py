"""One verb for linear models of a panel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from .. import formula as grammar
from ..covariance import partial_leverage
from ..errors import Caution, OptionError, check_level, listing, nearest
from ..panel import Panel
from ..results import Result, versions
from .inference import by_names, covariance_of, fit_work, is_perfect
from .linear import Fit
from .work import BETWEEN, CONSTANT, ROWWISE, WITHIN, Effects, Vcov, Work, prepare

__all__ = ["Effects", "Vcov", "Work", "covariance_of", "fit_work", "prepare", "regress"]

Array = npt.NDArray[np.float64]
Method = Literal["ols", "gls"]

LEVEL = {
    "pooled": "pooled",
    "between": "between units",
    "within": "within units over time",
    "two-way": "within units over time",
    "first-difference": "changes from wave to wave",
    "random": "between units and within units over time, weighted",
    "within-between": "",
}
CONTEXT = "contextual effect (between less within)"
IN_WORDS = {
    "pooled": "ordinary least squares",
    "between": "ordinary least squares on the means of units over their waves",
    "within": "least squares with unit fixed effects",
    "two-way": "least squares with unit and wave fixed effects",
    "first-difference": "least squares on first differences",
    "random": "generalized least squares with random unit effects (Swamy-Arora)",
    "within-between": "a within-between (Mundlak) model",
}


def regress(
    data: object,
    formula: str,
    *,
    effects: Effects = "pooled",
    unit: str | None = None,
    wave: str | None = None,
    cluster: str | Sequence[str] | None = None,
    vcov: Vcov | None = None,
    method: Method = "gls",
    drift: bool = True,
    conf_level: float = 0.95,
) -> Result:
    r"""Regress an outcome on other columns of a panel, by least squares.

    The estimand is the linear association of outcome and predictors: over all unit-waves
    (``"pooled"``), of unit means (``"between"``), of deviations from the unit's own mean
    (``"within"``), of those net of what each wave has in common (``"two-way"``), of changes since
    the unit's last step of time (``"first-difference"``), a weighted mean of the between and
    within slope (``"random"``), or both slopes beside each other (``"within-between"``):

    .. math:: y_{it} = \alpha_i + \gamma_t + x_{it}'\beta + \varepsilon_{it}, \qquad
              y_{it} = \mu + (x_{it} - \bar x_i)'\beta_W + \bar x_i'\beta_B + u_i + \varepsilon_{it}

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
    effects : str
        ``"pooled"``, ``"between"``, ``"within"``, ``"two-way"``, ``"first-difference"``,
        ``"random"`` or ``"within-between"``. First differences are taken over one step of time: a
        wave that is missing is not bridged. ``"within-between"`` (Mundlak; REWB) gives each term
        its slope within units over time, its slope between units and their difference, the
        contextual effect.
    unit, wave : str, optional
        Key columns of a plain data frame.
    cluster : str or two of them, optional
        What errors may be correlated within: the unit (default where units are named), the wave,
        or another column, such as a region. In a Panel, ``"unit"`` and ``"wave"`` mean its keys.
        Two columns, ``("unit", "wave")``: errors related within either (CR1, or CR0).
    vcov : str, optional
        Default ``"CR2"``: bias-reduced cluster-robust errors with Satterthwaite degrees of
        freedom. ``"CR3"``: the jackknife by cluster, t with G-1. ``"CR1"`` takes the factor
        G/(G-1) · (N-1)/(N-K) and t with G-1 degrees of freedom; effects nested in clusters are not
        counted in K (the convention of Stata's xtreg and of fixest); ``"CR1-areg"`` counts them
        all, ``"CR1-plm"`` none; ``"CR0"`` takes no factor. ``"HC0"`` to ``"HC3"`` and
        ``"classical"`` take no clusters and t with N-K, all effects counted.
        ``"driscoll-kraay"`` and ``"newey-west"``: errors related over time, see the docs.
    method : {"gls", "ols"}
        Of ``"within-between"``: weighted by the Swamy-Arora components of the random-effects
        model, or unweighted.
    drift : bool
        Of ``"first-difference"``: whether a constant change from wave to wave is estimated too.
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
    if method not in get_args(Method):
        raise OptionError(f"method={method!r}: accepted are {listing(get_args(Method))}.")
    if not drift and effects != "first-difference":
        raise OptionError("drift=False is for effects='first-difference'.")
    model = grammar.parse(formula)
    work = prepare(
        data,
        model,
        effects,
        unit=unit,
        wave=wave,
        cluster=cluster,
        vcov=vcov,
        gls=method == "gls",
        drift=drift,
    )
    result = _result(work, fit_work(work), formula, conf_level, method, drift)
    if isinstance(data, Panel) and len(model.response.columns) == 1:
        shared = data.shared_source(model.columns, model.response.columns[0])
        if shared:
            result = replace(result, warnings=(*result.warnings, shared))
    return result


# a share of one cluster in what tells a coefficient, above which its error is doubtful
CONCENTRATED = 2 / 3


def _result(
    work: Work, fit: Fit, formula: str, conf_level: float, method: Method, drift: bool
) -> Result:
    clusters = len(fit.scores)
    residual_df = fit.n - len(fit.beta) - work.absorbed
    combine, names, levels = _shown(work, fit)
    covariance, df = covariance_of(work, fit, work.vcov, combine)
    beta, se = combine @ fit.beta, np.sqrt(np.diag(covariance).clip(0.0))
    se[np.diag(covariance) < 0] = np.nan
    table = estimates_table(names, beta, se, df, conf_level)
    table.insert(1, "level", levels)
    keys = [
        f"{n} [{v}]" if work.effects == "within-between" else n
        for n, v in zip(names, levels, strict=True)
    ]
    vcov = pd.DataFrame(covariance, index=keys, columns=keys)
    clustered = work.vcov not in (*ROWWISE, "classical")
    statistics = {
        "n": int(fit.n),
        "units": work.units or None,
        "waves": work.waves or None,
        **({"clusters": _cluster_count(work, clusters)} if clustered else {}),
        "r_squared": 1 - fit.rss / fit.tss if fit.tss > 0 else np.nan,
        "sigma": float(np.sqrt(fit.rss / residual_df)),
        "df_residual": residual_df,
        "left_out": work.left_out,
        "condition": fit.condition,
    }
    if work.components is not None:
        statistics["sigma_within"] = float(np.sqrt(work.components.within))
        statistics["sigma_between"] = float(np.sqrt(work.components.between))
    if work.effects == "within-between":
        statistics |= _contextual(beta, covariance, levels)
    spec = {
        "formula": formula,
        "effects": work.effects,
        "cluster": work.cluster if clustered else None,
        "vcov": work.vcov,
        "method": method,
        "drift": drift,
        "conf_level": conf_level,
        "data": work.fingerprint,
        "versions": versions(),
    }
    references: tuple[str, ...] = ("pustejovsky2018",) if work.vcov == "CR2" else ()
    if work.effects == "within-between":
        references += ("mundlak1978",)
    return Result(
        "regress",
        table,
        spec,
        statistics,
        _methods(work, table, formula, conf_level),
        vcov=vcov,
        warnings=_cautions(work, fit, table, combine),
        references=references,
    )


def _cluster_count(work: Work, cells: int) -> int | str:
    if not isinstance(work.cluster, tuple):
        return cells
    counts = [work.cells.keys[c].nunique() for c in by_names(work)]
    return f"{counts[0]} and {counts[1]}"


def _shown(work: Work, fit: Fit) -> tuple[Array, list[str], list[str]]:
    """Return what is reported as combinations of the coefficients, with terms and levels."""
    rows, names, levels = [], [], []
    each = np.eye(len(fit.beta))
    for i, name in enumerate(fit.names):
        if name in work.nuisance:
            continue
        level, term = LEVEL[work.effects], name
        if work.effects == "within-between":
            level = LEVEL["within"] if name.endswith(WITHIN) else LEVEL["between"]
            term = name.removesuffix(WITHIN).removesuffix(BETWEEN)
        rows.append(each[i])
        names.append(term)
        levels.append(level)
    if work.effects == "within-between":
        at = {name: i for i, name in enumerate(fit.names)}
        for name in fit.names:
            term = name.removesuffix(WITHIN)
            if name.endswith(WITHIN) and f"{term}{BETWEEN}" in at:
                rows.append(each[at[f"{term}{BETWEEN}"]] - each[at[name]])
                names.append(term)
                levels.append(CONTEXT)
    return np.array(rows), names, levels


def _contextual(beta: Array, covariance: Array, levels: Sequence[str]) -> dict[str, float]:
    """Test whether all contextual effects are zero: the cluster-robust Hausman test."""
    at = [i for i, level in enumerate(levels) if level == CONTEXT]
    if not at or np.isnan(covariance[np.ix_(at, at)]).any():
        return {}
    chi2 = float(beta[at] @ np.linalg.solve(covariance[np.ix_(at, at)], beta[at]))
    p = float(special.chdtrc(len(at), chi2))
    return {"contextual_chi2": chi2, "contextual_df": len(at), "contextual_p": p}


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


def _cautions(work: Work, fit: Fit, table: pd.DataFrame, combine: Array) -> tuple[Caution, ...]:
    found = []
    df = table.set_index("term")["df"]
    fewest = _fewest(work, fit)
    if work.vcov.startswith(("CR0", "CR1")) and fewest < 40:
        found.append(
            Caution(
                "few-clusters",
                f"{work.vcov} with {fewest} clusters is too small on average; CR2 is safer.",
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
    if work.vcov in ("driscoll-kraay", "newey-west") and work.waves < 20:
        found.append(
            Caution(
                "few-waves",
                f"{work.vcov} errors rest on many waves; {work.waves} are few, and they are too "
                "small then.",
                "vcov",
            )
        )
    if isinstance(work.cluster, tuple) and table["std_error"].isna().any():
        found.append(
            Caution(
                "negative-variance",
                "Two-way clustering gives a negative variance here, as it can with few clusters: "
                "that error cannot be told this way.",
                listing(work.cluster),
            )
        )
    if work.components is not None and work.components.between == 0:
        found.append(
            Caution(
                "boundary",
                "The variance between units is estimated at zero: this is pooled least squares.",
                "units",
            )
        )
    if is_perfect(fit):
        found.append(
            Caution(
                "perfect-fit",
                f"The terms reproduce {work.y!r} exactly: is it computed from them? "
                "No error can be told.",
                work.y,
            )
        )
    else:
        found += _concentrated(work, fit, table, combine)
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


def _fewest(work: Work, fit: Fit) -> int:
    if isinstance(work.cluster, tuple):
        return min(int(work.cells.keys[c].nunique()) for c in by_names(work))
    return len(fit.scores)


def _concentrated(work: Work, fit: Fit, table: pd.DataFrame, combine: Array) -> list[Caution]:
    """Caution against errors of what varies in one cluster (or row) alone, or mostly there."""
    if work.vcov == "classical" or isinstance(work.cluster, tuple):
        return []
    share = partial_leverage(fit.bread, fit.cross, combine @ fit.move)
    kind = "row" if work.vcov in ROWWISE else f"cluster ({work.cluster})"
    found = []
    for name, df, own in zip(table["term"], table["df"], share.T, strict=True):
        at = int(own.argmax())
        if np.isnan(df):
            message = f"Nothing tells the error of {name!r}: it fits each {kind} exactly."
        elif own[at] > CONCENTRATED:
            which = "" if work.vcov in ROWWISE else f", {listing([work.cluster_name(at)])}"
            message = (
                f"{100 * own[at]:.0f}% of what tells {name!r} lies in one {kind}{which}: its "
                "error, told by the rest, may be far too small."
            )
        else:
            continue
        found.append(Caution("one-cluster", message, str(name)))
    return found


def _methods(work: Work, table: pd.DataFrame, formula: str, conf_level: float) -> str:
    by = listing(work.cluster) if isinstance(work.cluster, tuple) else work.cluster
    if work.vcov == "CR2":
        errors = f"cluster-robust standard errors by {by} (CR2, Satterthwaite degrees of freedom)"
    elif work.vcov.startswith("CR"):
        errors = f"cluster-robust standard errors by {by} ({work.vcov})"
    elif work.vcov.startswith("HC"):
        errors = f"heteroskedasticity-robust standard errors ({work.vcov})"
    elif work.vcov == "classical":
        errors = "classical standard errors"
    else:
        errors = f"{work.vcov.title()} standard errors"
    found = []
    columns = ["estimate", "std_error", "conf_low", "conf_high"]
    for term, level, (b, se, low, high) in zip(
        table["term"], table["level"], table[columns].to_numpy(float), strict=True
    ):
        if term == CONSTANT and len(table) > 1:
            continue
        term = f"{term}, {level}," if work.effects == "within-between" else term
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
