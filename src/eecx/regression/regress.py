"""One verb for linear models of a panel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from .. import formula as grammar
from .. import plotting
from ..covariance import partial_leverage
from ..errors import Caution, OptionError, check_level, listing, nearest
from ..panel import Panel
from ..resampling import generator, wild_tests
from ..resampling.wild import Weights
from ..results import Result, versions
from .glm import Family, glm, same_kind
from .inference import (
    covariance_of,
    cr1_factor,
    estimates,
    estimates_table,
    fit_work,
    is_perfect,
    two_keys,
)
from .linear import Fit
from .mixed import Covariance, fit_mixed
from .mixed_result import mixed_result
from .work import BETWEEN, CONSTANT, ROWWISE, WITHIN, Effects, Vcov, Work, prepare

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "Effects",
    "Vcov",
    "Work",
    "covariance_of",
    "estimates",
    "estimates_table",
    "fit_work",
    "prepare",
    "regress",
]

Array = npt.NDArray[np.float64]
Method = Literal["ols", "gls", "reml", "ml"]

LEVEL = {
    "pooled": "pooled",
    "between": "between units",
    "within": "within units over time",
    "two-way": "within units over time",
    "first-difference": "changes from wave to wave",
    "random": "between units and within units over time, weighted",
    "within-between": "",
    "mixed": "",
}
AMONG = "within units, among people"
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
    family: Family = "gaussian",
    random: str = "1",
    covariance: Covariance = "unstructured",
    method: Method | None = None,
    drift: bool = True,
    draws: int = 9999,
    wild: Weights | None = None,
    rng: int | np.random.Generator | None = 0,
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
        ``"random"``, ``"within-between"`` or ``"mixed"``. First differences are taken over one step
        of time: a wave that is missing is not bridged. ``"within-between"`` (Mundlak; REWB) gives
        each term its slope within units over time, its slope between units and their difference,
        the contextual effect. ``"mixed"``: random intercepts, and random slopes, of units, by
        (restricted) maximum likelihood.
    unit, wave : str, optional
        Key columns of a plain data frame. Without waves a unit may have several rows: its people.
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
        ``"wild"``: CR1 errors, with p values and intervals of the restricted wild cluster
        bootstrap. ``"driscoll-kraay"`` and ``"newey-west"``: errors related over time (see the
        docs).
    family : {"gaussian", "binomial", "fractional", "poisson"}
        For outcomes of yes or no (0 and 1), shares, and counts: a generalized linear model of all
        rows (``effects="pooled"``) with CR1 errors; ``.tables["marginal_effects"]`` holds slopes in
        units of the outcome, averaged over rows.
    random : str
        Of mixed models: ``"1"``, a random intercept; ``"1 + engagement"``, also a random slope of a
        term of the formula (of a within-between model: of its part within units over time).
    covariance : {"unstructured", "diagonal"}
        Whether random effects may correlate.
    method : {"reml", "ml", "gls", "ols"}, optional
        ``"reml"`` (default) or ``"ml"`` of mixed models; ``"within-between"`` also takes ``"gls"``
        (its default: weighted by the Swamy-Arora components of the random-effects model) and
        ``"ols"``. Mixed models have model-based errors and Satterthwaite degrees of freedom.
    drift : bool
        Of ``"first-difference"``: whether a constant change from wave to wave is estimated too.
    draws, wild, rng :
        Of ``vcov="wild"``: how many draws (all there are, where those are fewer), of weights
        ``"rademacher"`` or ``"webb"`` (the default below 12 clusters), and their seed.
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
    method = _method(effects, method)
    mixed = method in ("reml", "ml")
    if not mixed and (random != "1" or covariance != "unstructured"):
        raise OptionError(
            "random= and covariance= are for mixed models: effects='mixed', or 'within-between' "
            "with method='reml'."
        )
    if not drift and effects != "first-difference":
        raise OptionError("drift=False is for effects='first-difference'.")
    model = grammar.parse(formula)
    if family != "gaussian":
        same_kind({"effects": effects != "pooled", "vcov": vcov not in (None, "CR1")})
        if cluster is not None and not isinstance(cluster, str):
            raise OptionError("A family takes one kind of clusters.")
        own = {"unit": unit, "wave": wave, "cluster": cluster}
        return glm(data, model, family, **own, conf_level=conf_level)
    options: dict[str, Any] = {
        "family": family,
        "method": method,
        "drift": drift,
        "draws": draws,
        "wild": wild,
    }
    options |= {"random": random, "covariance": covariance}
    options["rng"] = rng if rng is None or isinstance(rng, int) else str(rng)
    if mixed:
        if cluster is not None or vcov is not None:
            raise OptionError(
                "Mixed models have errors of their own; leave cluster= and vcov= out, or take "
                "effects='within-between' with method='gls' for cluster-robust ones."
            )
        result = _mixed(data, model, effects, unit, wave, random, covariance, method, conf_level)
        result = replace(result, spec={**options, **result.spec, "formula": formula})
    else:
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
        fit = fit_work(work)
        result = _result(work, fit, formula, conf_level)
        result = replace(result, spec={**result.spec, **options})
        if work.vcov == "wild":
            result = _bootstrapped(result, work, fit, draws, wild, rng, conf_level)
    if isinstance(data, Panel) and len(model.response.columns) == 1:
        shared = data.shared_source(model.columns, model.response.columns[0])
        if shared:
            result = replace(result, warnings=(*result.warnings, shared))
    return result


def _method(effects: Effects, given: Method | None) -> Method:
    accepted: dict[str, tuple[Method, ...]] = {
        "mixed": ("reml", "ml"),
        "within-between": ("gls", "ols", "reml", "ml"),
    }
    known = accepted.get(effects, ("ols",))
    if given is not None and given not in known:
        raise OptionError(
            f"method={given!r} of effects={effects!r}: accepted are {listing(known)}."
        )
    return given or known[0]


def _mixed(
    data: object,
    model: grammar.Formula,
    effects: Effects,
    unit: str | None,
    wave: str | None,
    random: str,
    covariance: Covariance,
    method: Method,
    conf_level: float,
) -> Result:
    """Fit a mixed model to the sums per unit."""
    if unit is None and not isinstance(data, Panel):
        raise OptionError("Mixed models need unit=, whose effects are random.")
    kind: Effects = "pooled" if effects == "mixed" else effects
    own = "unit" if isinstance(data, Panel) else unit
    work = prepare(data, model, kind, unit=unit, wave=wave, cluster=own, vcov="CR0")
    slopes = [t.label for t in grammar.parse_terms(random)]
    within = [n.removesuffix(WITHIN) for n in work.terms if n.endswith(WITHIN)]
    for name in slopes:
        known = within if kind == "within-between" else list(work.terms)
        if name not in known:
            raise OptionError(
                f"random={random!r}: {name!r} is not among the terms with a slope within units, "
                f"{listing(known)}.{nearest(name, known)}"
            )
    labels = [f"{n}{WITHIN}" if kind == "within-between" else n for n in slopes]
    fit = fit_mixed(
        work.cells,
        work.y,
        work.terms,
        labels,
        unit=work.unit,
        covariance=covariance,
        method="ml" if method == "ml" else "reml",
    )
    if work.levels is not None:
        fit = replace(fit, units=work.levels[fit.units.to_numpy(np.intp)])
    name = unit or (data.unit if isinstance(data, Panel) else work.unit)
    words = {
        n: {"within units": _level("within", work.waves), "both": "between and within units"}.get(
            v, v
        )
        for n, v in zip(fit.names, fit.levels, strict=True)
    }
    spec = {"effects": effects, "unit": name, "data": work.fingerprint, "random": random}
    result = mixed_result(
        replace(fit, unit=name), model.text, conf_level=conf_level, levels=words, spec=spec
    )
    extra = {"waves": work.waves or None, "left_out": work.left_out}
    result = replace(result, stats={**result.stats, **extra})
    return _side_by_side(result, conf_level) if kind == "within-between" else result


def _side_by_side(result: Result, conf_level: float) -> Result:
    """Name the slopes within and between units by their terms, and add contextual effects."""
    table, vcov = result.table.copy(), result.vcov
    names = table["term"].tolist()
    at = {name: i for i, name in enumerate(names)}
    levels, terms = table["level"].tolist(), list(names)
    for i, name in enumerate(names):
        if name.endswith(WITHIN):
            terms[i] = name.removesuffix(WITHIN)
            levels[i] = _level("within", result.stats["waves"] or 0)
        elif name.endswith(BETWEEN):
            terms[i], levels[i] = name.removesuffix(BETWEEN), LEVEL["between"]
    table["term"], table["level"] = terms, levels
    combine = [np.eye(len(names))]
    rows = []
    for name in names:
        term = name.removesuffix(WITHIN)
        if name.endswith(WITHIN) and f"{term}{BETWEEN}" in at and vcov is not None:
            row = np.zeros(len(names))
            row[at[f"{term}{BETWEEN}"]], row[at[name]] = 1.0, -1.0
            combine.append(row[None])
            se = float(np.sqrt(row @ vcov.to_numpy() @ row))
            value = float(row @ table["estimate"].to_numpy())
            df = float(table["df"].iloc[at[f"{term}{BETWEEN}"]])
            one = (np.array([value]), np.array([se]), np.array([df]))
            own = estimates_table([term], *one, conf_level)
            own.insert(1, "level", CONTEXT)
            rows.append(own)
    whole = pd.concat([table, *rows], ignore_index=True)
    c = np.vstack(combine)
    keys = [f"{t} [{v}]" for t, v in zip(whole["term"], whole["level"], strict=True)]
    matrix = c @ vcov.to_numpy() @ c.T if vcov is not None else np.empty((0, 0))
    context = _contextual(whole["estimate"].to_numpy(), matrix, whole["level"].tolist())
    return replace(
        result,
        table=whole,
        vcov=pd.DataFrame(matrix, index=keys, columns=keys),
        stats={**result.stats, **context},
        references=(*result.references, "mundlak1978"),
        figure=_figure,
    )


# a share of one cluster in what tells a coefficient, above which its error is doubtful
CONCENTRATED = 2 / 3


def _bootstrapped(
    result: Result,
    work: Work,
    fit: Fit,
    draws: int,
    wild: Weights | None,
    rng: int | np.random.Generator | None,
    conf_level: float,
) -> Result:
    """Replace p values and intervals by those of the restricted wild cluster bootstrap."""
    kind: Weights = wild or ("webb" if len(fit.scores) < 12 else "rademacher")
    combine = _shown(work, fit)[0]
    factor = cr1_factor(fit, work)
    table = result.table.copy()
    tests = wild_tests(
        fit.bread,
        fit.cross,
        fit.scores,
        combine @ fit.move,
        combine @ fit.beta,
        factor,
        draws=draws,
        kind=kind,
        rng=generator(rng),
    )
    told = table["std_error"].notna().to_numpy()
    nan = (np.nan, np.nan)
    table["df"] = np.nan
    table["p_value"] = [t.p() if k else np.nan for t, k in zip(tests, told, strict=True)]
    ends = [t.interval(conf_level) if k else nan for t, k in zip(tests, told, strict=True)]
    table["conf_low"], table["conf_high"] = zip(*ends, strict=True)
    used = tests[0].top.shape[1]
    cautions = list(result.warnings)
    if tests[0].complete and used < 1 / (1 - conf_level) * 2:
        message = f"{len(fit.scores)} clusters give only {used} different draws: take wild='webb'."
        cautions.append(Caution("few-draws", message, str(work.cluster)))
    return replace(
        result,
        table=table,
        spec={**result.spec, "wild": kind},
        stats={**result.stats, "draws": used, "all_draws": "yes" if tests[0].complete else "no"},
        text=_methods(work, table, str(result.spec["formula"]), conf_level),
        warnings=tuple(cautions),
    )


def _result(work: Work, fit: Fit, formula: str, conf_level: float) -> Result:
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
    if work.waves == 1 and work.units < fit.n:
        statistics["rows"] = "people of units (no wave= was named)"
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
        warnings=_cautions(work, fit, table, combine, conf_level),
        references=references,
        figure=_figure,
    )


def _cluster_count(work: Work, cells: int) -> int | str:
    if not isinstance(work.cluster, tuple):
        return cells
    counts = [work.cells.keys[c].nunique() for c in two_keys(work)]
    return f"{counts[0]} and {counts[1]}"


def _level(effects: str, waves: int) -> str:
    """Return what is compared, in words: rows of a unit are people where there are no waves."""
    words = LEVEL[effects]
    return AMONG if waves == 1 and words == LEVEL["within"] else words


def _shown(work: Work, fit: Fit) -> tuple[Array, list[str], list[str]]:
    """Return what is reported as combinations of the coefficients, with terms and levels."""
    rows, names, levels = [], [], []
    each = np.eye(len(fit.beta))
    for i, name in enumerate(fit.names):
        if name in work.nuisance:
            continue
        level, term = _level(work.effects, work.waves), name
        if work.effects == "within-between":
            level = _level("within" if name.endswith(WITHIN) else "between", work.waves)
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


def _cautions(
    work: Work, fit: Fit, table: pd.DataFrame, combine: Array, conf_level: float
) -> tuple[Caution, ...]:
    found = []
    df = table.set_index("term")["df"]
    fewest = _fewest(work, fit)
    if work.vcov.startswith(("CR0", "CR1")) and fewest < 40:
        found.append(
            Caution(
                "few-clusters",
                f"{work.vcov} with {fewest} clusters{_effective(work, fit, combine)} is too small "
                "on average; CR2 is safer.",
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
    if work.vcov == "CR2":
        found += _doubted(work, fit, table, combine, conf_level)
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


def _doubted(
    work: Work, fit: Fit, table: pd.DataFrame, combine: Array, conf_level: float
) -> list[Caution]:
    """Caution where CR2 says that a slope is not zero and the jackknife does not, or vice versa."""
    covariance, df = covariance_of(work, fit, "CR3", combine)
    se = np.sqrt(np.diag(covariance))
    other = estimates(combine @ fit.beta, se, df, conf_level)["p_value"]
    found = []
    for name, own, their in zip(table["term"], table["p_value"], other, strict=True):
        if name != CONSTANT and (own < 1 - conf_level) != (their < 1 - conf_level):
            message = (
                f"For {name!r}, CR2 (p = {own:.3f}) and the jackknife CR3 (p = {their:.3f}) "
                "disagree: few clusters decide. See vcov='wild'."
            )
            found.append(Caution("errors-disagree", message, str(name)))
    return found


def _fewest(work: Work, fit: Fit) -> int:
    if isinstance(work.cluster, tuple):
        return min(int(work.cells.keys[c].nunique()) for c in two_keys(work))
    return len(fit.scores)


def _effective(work: Work, fit: Fit, combine: Array) -> str:
    """Return how many equal clusters the slopes rest on: one over the sum of squared shares."""
    if isinstance(work.cluster, tuple):
        return ""
    share = partial_leverage(fit.bread, fit.cross, combine @ fit.move)
    return f" (as if of {float(1 / (share**2).sum(axis=0).max()):.1f} equal ones)"


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
    if work.vcov == "wild":
        errors = f"intervals of the restricted wild bootstrap of clusters ({by}; CR1 errors)"
    elif work.vcov == "CR2":
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


def _figure(result: Result, ax: Axes | None = None, **options: Any) -> Axes:
    table = result.table
    if result.spec["effects"] == "within-between":
        table = table[table["term"] != CONSTANT].rename(columns={"level": "group"})
    given = {"title": f"Slopes: {result.spec['formula']}"}
    return plotting.coefficients(table, ax=ax, **(given | options))
