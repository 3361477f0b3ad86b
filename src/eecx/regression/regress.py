"""One verb for linear models of a panel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from .. import formula as grammar
from ..errors import Caution, OptionError
from ..mixed import Covariance, mixed
from ..models.capabilities import (
    EFFECTS,
    FAMILIES,
    HETEROSKEDASTIC,
    KINDS,
    VCOVS,
    Asked,
    Effects,
    Family,
    Kind,
    Method,
    Uses,
    Vcov,
    clustered,
)
from ..models.clusters import cluster_names
from ..models.columns import INTERCEPT, Column
from ..models.inference import (
    cr1_factor,
    estimates,
    estimates_of,
    fit_work,
    r_squared,
    two_keys,
)
from ..models.least_squares import Fit
from ..models.levels import SPLIT, contextual, figure, identified, in_words, shown
from ..models.predictor import predictor_of_least_squares
from ..models.prepare import prepare
from ..models.weights import weighting
from ..models.work import Work
from ..options import conf_level as check_level
from ..options import draws as check_draws
from ..options import rng as generator
from ..resampling import wild_tests
from ..resampling.wild import Weights
from ..results import Estimates, Result, labels, recorded, versions
from ..sources import unit_waves
from .cautions import cautions
from .glm import glm

__all__ = ["regress"]

Array = npt.NDArray[np.float64]
USES = Uses(
    "regress",
    effects=EFFECTS,
    vcov=VCOVS,
    clusters=2,
    weights=KINDS,
    families=FAMILIES,
)

IN_WORDS = {
    "pooled": "ordinary least squares",
    "between": "ordinary least squares on the means of units over their waves",
    "within": "least squares with unit fixed effects",
    "two-way": "least squares with unit and wave fixed effects",
    "first-difference": "least squares on first differences",
    "random": "generalized least squares with random unit effects (Swamy-Arora)",
    "random-two-way": "generalized least squares with random unit and wave effects (Swamy-Arora)",
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
    weights: Mapping[Kind, str] | Literal["variance"] | None = None,
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
    within slope (``"random"``; ``"random-two-way"``: and of the slope between waves), or both
    slopes beside each other (``"within-between"``):

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
        ``"random"``, ``"random-two-way"``, ``"within-between"`` or ``"mixed"``. First differences
        are taken over one step of time: a wave that is missing is not bridged.
        ``"random-two-way"`` weights by random effects of units and of waves (Swamy-Arora); its
        weights relate different units, so its errors are classical by default, and others need
        every unit in every wave. ``"within-between"`` (Mundlak; REWB) gives
        each term its slope within units over time, its slope between units and their difference,
        the contextual effect. ``"mixed"``: random intercepts, and random slopes, of units, by
        (restricted) maximum likelihood.
    unit, wave : str, optional
        Key columns of a plain data frame. Without waves a unit may have several rows: its people.
    cluster : str or two of them, optional
        What errors may be correlated within: the unit (default where units are named), the wave,
        or another column, such as a region. In a Panel, ``"unit"`` and ``"wave"`` mean its keys.
        Two columns, ``("unit", "wave")``: errors related within either (CR1, CR1-each or CR0).
    vcov : str, optional
        Default ``"CR2"``: bias-reduced cluster-robust errors with Satterthwaite degrees of
        freedom. ``"CR3"``: the jackknife by cluster, t with G-1. ``"CR1"`` takes the factor
        G/(G-1) · (N-1)/(N-K) and t with G-1 degrees of freedom; effects nested in clusters are not
        counted in K (the convention of Stata's xtreg and of fixest); ``"CR1-areg"`` counts them
        all, ``"CR1-plm"`` none; ``"CR0"`` takes no factor. Of two kinds of clusters CR1 takes G of
        the fewer, ``"CR1-each"`` each term's own, wave effects counted in K. ``"HC0"`` to
        ``"HC3"`` and ``"classical"`` take no clusters and t with N-K, all effects counted;
        ``"HC1-plm"`` counts none in its factor, ``"HC3-plm"`` leaves their leverage out.
        ``"wild"``: CR1 errors, with p values and intervals of the restricted wild cluster
        bootstrap. ``"driscoll-kraay"`` and ``"newey-west"``: errors related over time (see the
        docs).
    family : {"gaussian", "binomial", "fractional", "poisson"}
        For outcomes of yes or no (0 and 1), shares, and counts: a generalized linear model of all
        rows (``effects="pooled"``) with CR1 errors; ``.tables["marginal_effects"]`` holds slopes in
        units of the outcome, averaged over rows.
    weights : mapping or "variance", optional
        What a row weighs, and what that means: ``{"precision": "w"}``, inverse variances;
        ``{"sampling": "w"}``, how many of the population a row stands for; ``{"frequency": "w"}``,
        how many equal rows it stands for; ``{"variance": "v"}``, sampling variances of the outcome
        (``"variance"`` alone: those a Panel of surveys knows), with weights
        :math:`1/(\tau^2 + v_i)` and :math:`\tau^2`, what sampling does not explain, estimated.
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
        ``r_squared`` is the share explained of what all effects leave; with random effects, of
        what a constant leaves that is weighted alike (Buse, 1973). A standard error is NaN where
        the data cannot tell it, and a warning says why. ``.predict(…)`` predicts
        (:meth:`eecx.Result.predict`).

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
    arguments = dict(locals())
    source = unit_waves(data, "regress", unit=unit, wave=wave)
    check_level(conf_level)
    check_draws(draws, usual=9999)
    generator(rng)
    if not isinstance(drift, bool):
        raise OptionError(
            f"drift={drift!r}: True or False.", code="drift", fix="Leave drift= out, or take False."
        )
    weighted = weighting(weights)
    clusters = cluster_names(cluster)
    asked = Asked(
        effects,
        vcov,
        clusters,
        family,
        weights=None if weighted is None else weighted.kind,
        method=method,
        random=random,
        covariance=covariance,
        drift=drift,
        wild=wild,
        unit=source.unit,
        wave=source.wave,
        source=source.kind,
    )
    USES.judge(asked)
    USES.judge_data(asked, source.known)
    model = grammar.parse(formula)
    if family != "gaussian":
        own = next(iter(clusters), None)
        result = glm(source, model, family, cluster=own, weights=weighted, conf_level=conf_level)
        return _recorded(result, arguments)
    estimated_by = asked.estimated_by
    options: dict[str, Any] = {
        "family": family,
        "method": estimated_by,
        "drift": drift,
        "draws": draws,
        "wild": wild,
    }
    options |= {"random": random, "covariance": covariance}
    options["weights"] = None if weighted is None else weighted.spec
    options["rng"] = rng if rng is None or isinstance(rng, int) else str(rng)
    if asked.by_likelihood:
        result = mixed(
            source, model, effects, random, covariance, estimated_by, weighted, conf_level
        )
        result = replace(result, spec={**options, **result.spec, "formula": formula})
    else:
        work = prepare(
            source,
            model,
            effects,
            cluster=cluster,
            vcov=vcov,
            gls=estimated_by == "gls",
            drift=drift,
            weights=weighted,
        )
        fit = fit_work(work)
        combine, columns = shown(work, fit)
        found = estimates_of(work, fit, work.vcov, combine)
        result = _result(work, fit, found, columns, combine, formula, conf_level)
        result = replace(
            result,
            spec={**result.spec, **options},
            predictor=predictor_of_least_squares(model, work, fit, found),
        )
        if work.vcov == "wild":
            result = _bootstrapped(result, work, fit, draws, wild, rng, conf_level)
    result = _recorded(result, arguments)
    if len(model.response.columns) == 1:
        shared = source.shared_source(model.columns, model.response.columns[0])
        result = replace(result, warnings=(*result.warnings, *shared))
    return result


def _recorded(result: Result, arguments: Mapping[str, Any]) -> Result:
    """Record every argument, with what defaults came to, and say which model it is in headings."""
    settled = {k: v for k, v in result.spec.items() if k not in ("data", "versions")}
    spec = recorded(regress, arguments, data=result.spec["data"], **settled)
    return replace(result, spec=spec, title=str(spec["formula"]), kind=kind_of(spec))


def kind_of(spec: Mapping[str, Any]) -> tuple[str, ...]:
    """Return which model, errors and weights a regression has, in few words."""
    link, cluster = spec.get("link"), spec.get("cluster")
    by = cluster if isinstance(cluster, str) else " and ".join(cluster or ())
    errors = spec.get("vcov")
    model = f"{spec['family']} ({link} link)" if link else str(spec["effects"])
    of = [f"{errors} by {by}" if by else str(errors)] if errors else []
    return (model, *of, *(f"{kind} weights" for kind in spec.get("weights") or {}))


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
    combine, columns = shown(work, fit)
    factor = cr1_factor(fit, work)
    table = result.table.copy()
    bread, scores = fit.by.whole
    waves = len(bread) - len(fit.bread)
    tests = wild_tests(
        bread,
        fit.by.times(fit.bread @ (combine @ fit.move).T),
        scores,
        np.pad(combine @ fit.move, ((0, 0), (waves, 0))),
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
    found = list(result.warnings)
    if tests[0].complete and used < 1 / (1 - conf_level) * 2:
        message = f"{len(fit.scores)} clusters give only {used} different draws:"
        found.append(Caution("few-draws", message, str(work.cluster), fix="take wild='webb'."))
    return replace(
        result,
        table=table,
        spec={**result.spec, "wild": kind, "all_draws": tests[0].complete},
        stats={**result.stats, "draws": used},
        text=_methods(work, columns, table, str(result.spec["formula"]), conf_level),
        warnings=tuple(found),
    )


def _result(
    work: Work,
    fit: Fit,
    found: Estimates,
    columns: Sequence[Column],
    combine: Array,
    formula: str,
    conf_level: float,
) -> Result:
    clusters = len(fit.scores)
    residual_df = fit.n - len(fit.beta) - work.taken_out
    covariance = found.covariance
    se = np.sqrt(np.diag(covariance).clip(0.0))
    se[np.diag(covariance) < 0] = np.nan
    numbers = estimates(found.values, se, found.df, conf_level)
    table = identified(numbers, columns, work.effects, work.waves)
    keys = labels(table)
    by_cluster = clustered(work.vcov)
    statistics = {
        "n": int(fit.n),
        "units": work.units or None,
        "waves": work.waves or None,
        **(_cluster_counts(work, clusters) if by_cluster else {}),
        "r_squared": r_squared(work, fit),
        "sigma": float(np.sqrt(fit.rss / residual_df)),
        "df_residual": residual_df,
        "left_out": work.left_out,
        "condition": fit.condition,
    }
    if work.components is not None:
        statistics["sigma_within"] = float(np.sqrt(work.components.within))
        statistics["sigma_between"] = float(np.sqrt(work.components.between))
        if work.components.waves is not None:
            statistics["sigma_waves"] = float(np.sqrt(work.components.waves))
    if work.effective is not None:
        statistics["n_effective"] = work.effective
    if work.tau2 is not None:
        statistics["tau2"] = work.tau2
    statistics |= contextual(found, columns)
    doubts = cautions(work, fit, columns, table, combine, conf_level)
    if statistics.get("contextual_f", 0.0) is None:
        effects = sum(c.part == "contextual" for c in columns)
        message = f"{clusters} clusters are too few to test {effects} contextual effects at once."
        doubts += (Caution("few-clusters", message, "contextual effects"),)
    spec = {
        "formula": formula,
        "effects": work.effects,
        "cluster": work.cluster if by_cluster else None,
        "vcov": work.vcov,
        "conf_level": conf_level,
        "rows": rows_are(work, fit.n),
        "rows_read": work.rows_read,
        "data": work.fingerprint,
        "versions": versions(),
    }
    references: tuple[str, ...] = ("pustejovsky2018",) if work.vcov == "CR2" else ()
    references += ("tipton2015",) if "contextual_f" in statistics else ()
    references += ("lewis2005",) if work.tau2 is not None else ()
    if work.effects == "within-between":
        references += ("mundlak1978",)
    return Result(
        "regress",
        table,
        spec,
        statistics,
        _methods(work, columns, table, formula, conf_level),
        vcov=pd.DataFrame(covariance, index=keys, columns=keys),
        warnings=doubts,
        parts=tuple(c.part for c in columns),
        estimates=found,
        references=references,
        figure=figure,
    )


def _cluster_counts(work: Work, cells: int) -> dict[str, int]:
    """Return the number of clusters; of two kinds the smaller one, then both."""
    if not isinstance(work.cluster, tuple):
        return {"clusters": cells}
    first, second = (int(work.cells.keys[c].nunique()) for c in two_keys(work))
    return {"clusters": min(first, second), "clusters_first": first, "clusters_second": second}


def rows_are(work: Work, n: float) -> str:
    """Return what a row of the data is: without waves several rows of a unit are its people."""
    if not work.units:
        return "rows"
    return "people" if work.waves == 1 and work.units < n else "unit-waves"


def _methods(
    work: Work, columns: Sequence[Column], table: pd.DataFrame, formula: str, conf_level: float
) -> str:
    by = " and ".join(work.cluster) if isinstance(work.cluster, tuple) else work.cluster
    if work.vcov == "wild":
        errors = f"intervals of the restricted wild bootstrap of clusters ({by}; CR1 errors)"
    elif work.vcov == "CR2":
        errors = f"cluster-robust standard errors by {by} (CR2, Satterthwaite degrees of freedom)"
    elif clustered(work.vcov):
        errors = f"cluster-robust standard errors by {by} ({work.vcov})"
    elif work.vcov in HETEROSKEDASTIC:
        errors = f"heteroskedasticity-robust standard errors ({work.vcov})"
    elif work.vcov == "classical":
        errors = "classical standard errors"
    else:
        errors = f"{work.vcov.title()} standard errors"
    found = []
    numbers = [table[c].to_numpy(float) for c in ("estimate", "std_error", "conf_low", "conf_high")]
    names = in_words(columns, work.effects, work.waves)
    for column, term, b, se, low, high in zip(columns, names, *numbers, strict=True):
        if column == INTERCEPT and len(table) > 1:
            continue
        term = f"{term}," if work.effects in SPLIT else term
        interval = f"SE {se:.2g}, {100 * conf_level:g}% CI {low:.3g} to {high:.3g}"
        if np.isinf([low, high]).any():
            interval = f"SE {se:.2g}, {100 * conf_level:g}% CI without an end: no null is rejected"
        untold = "its error cannot be told"
        found.append(f"{term} b = {b:.3g} ({interval if np.isfinite(se) else untold})")
    what = "units" if work.effects == "between" else rows_are(work, work.cells.n.sum())
    what = "changes" if work.effects == "first-difference" else what
    rows = f"{int(work.cells.n.sum())} {what}"
    units = f" of {work.units} units" if work.units and work.effects != "between" else ""
    units += f", {work.weighting.said(work.tau2)}" if work.weighting else ""
    return (
        f"We fitted {formula} by {IN_WORDS[work.effects]} to {rows}{units}, with {errors}: "
        f"{'; '.join(found)}."
    )
