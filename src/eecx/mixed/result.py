"""The labelled result of a mixed model: tests, variance components with intervals, BLUPs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from .. import formula as grammar
from .. import options
from ..errors import Caution, OptionError, listing, nearest
from ..models.columns import INTERCEPT, Column, Part, called
from ..models.inference import estimates
from ..models.levels import (
    SPLIT,
    both_parts,
    contextual,
    contextual_rows,
    figure,
    identified,
    level_of,
)
from ..models.prepare import prepare
from ..models.weights import Weighting
from ..models.work import Effects
from ..results import Estimates, Result, Tables, labels, versions
from ..sources import Source
from .likelihood import Held, newton, root_of, told
from .predict import MixedErrors, predictor_of_mixed
from .random_effects import Covariance, MixedFit, fit_mixed

__all__ = ["mixed", "mixed_result"]

Array = npt.NDArray[np.float64]

# log of the share of an estimated variance, beyond which an interval's lower end is zero
LOWEST = 16.0
# units below which variances between them are rough
FEW = 20


def mixed_result(
    fit: MixedFit,
    formula: str,
    *,
    conf_level: float = 0.95,
    effects: str = "mixed",
    waves: int = 0,
    spec: Mapping[str, Any] | None = None,
) -> Result:
    r"""Turn a fitted mixed model into a labelled result.

    Parameters
    ----------
    fit : MixedFit
    formula : str
        The model, as the user wrote it.
    conf_level : float
    effects : str
        ``"mixed"`` or ``"within-between"``, whose terms have parts.
    waves : int
        How many there were; with one, rows of a unit are its people.
    spec : mapping, optional
        Further arguments and the fingerprint of the data.

    Returns
    -------
    Result
        ``.table``: t tests and intervals with Satterthwaite degrees of freedom.
        ``.tables["random_effects"]``: variances and SDs with intervals by profile (restricted)
        likelihood; correlations with intervals by Fisher's z and their asymptotic error, none where
        the estimate is on its boundary.
        ``.tables["blups"]``: predicted effects of each unit with their conditional SD.
        ``.stats``: ``r2_marginal`` is the share of variance of the fixed part, ``r2_conditional``
        of fixed and random part; ``icc`` is the random part's share of what the fixed part leaves.
        With random slopes the random part's variance is its mean over rows.

    Notes
    -----
    Nakagawa and Schielzeth (2013),
    https://doi.org/10.1111/j.2041-210x.2012.00261.x; Johnson (2014) for random slopes,
    https://doi.org/10.1111/2041-210X.12225.
    """
    options.conf_level(conf_level)
    combine, columns = fit_rows(fit)
    beta = combine @ fit.beta
    covariance = combine @ fit.vcov @ combine.T
    df = fit.df
    if len(columns) > len(df):  # of a contrast, not of one of its slopes
        df = np.append(df, MixedErrors(fit).expected(combine[len(df) :])[1])
    found = Estimates(beta, covariance, df, "model-based")
    numbers = estimates(beta, np.sqrt(np.diag(covariance)), df, conf_level)
    table = identified(numbers, columns, effects, waves)
    if effects == "mixed":
        table["level"] = [_level(varies, waves) for varies in fit.levels]
    keys = labels(table)
    loglik, parts = float(fit.loglik), fit.random_variance + fit.sigma2
    deviance = -2 * loglik
    stats = {
        "n": fit.n,
        "units": len(fit.units),
        "loglik": loglik,
        "deviance": deviance,
        "aic": deviance + 2 * fit.parameters,
        "bic": deviance + math.log(fit.n) * fit.parameters,
        "sigma": float(np.sqrt(fit.sigma2)),
        "icc": fit.random_variance / parts,
        "r2_marginal": fit.fixed_variance / (fit.fixed_variance + parts),
        "r2_conditional": 1 - fit.sigma2 / (fit.fixed_variance + parts),
        "left_out": fit.left_out,
        "condition": fit.condition,
        **contextual(found, columns),
    }
    arguments = {
        "formula": formula,
        "effects": effects,
        "random": called(fit.random),
        "unit": fit.unit,
        "covariance": fit.covariance,
        "method": fit.method,
        "conf_level": conf_level,
        "random_effects_intervals": "profile likelihood; Fisher z for correlations",
    }
    return Result(
        "regress",
        table,
        arguments | dict(spec or {}) | {"versions": versions()},
        stats,
        _methods(fit, columns, table, formula, conf_level),
        tables=Tables(
            random_effects=partial(_random_effects, fit, conf_level), blups=partial(_blups, fit)
        ),
        vcov=pd.DataFrame(covariance, index=keys, columns=keys),
        warnings=_cautions(fit),
        references=(
            "bates2015",
            "kuznetsova2017",
            *(("mundlak1978",) if effects in SPLIT else ()),
        ),
        figure=figure,
        parts=tuple(c.part for c in columns),
        estimates=found,
    )


def fit_rows(fit: MixedFit) -> tuple[Array, tuple[Column, ...]]:
    """Return what is reported as combinations of fixed effects, contextual effects last."""
    combine = np.vstack([np.eye(len(fit.names)), contextual_rows(fit.names)])
    return combine, (*fit.names, *(c.of("contextual") for c in both_parts(fit.names)))


def _level(varies: str, waves: int) -> str:
    """Return what a column of a mixed model compares, from where it varies."""
    if varies == "within units":
        return level_of("within", waves)
    return "between and within units" if varies == "both" else varies


def _random_effects(fit: MixedFit, conf_level: float) -> pd.DataFrame:
    """Return the table of variances, SDs and correlations with intervals."""
    rows: list[tuple[Any, ...]] = []
    tails = np.array([1 - conf_level, 1 + conf_level]) / 2
    parts = list(zip(*np.tril_indices(len(fit.cov)), strict=True))
    variances = [*np.diag(fit.cov), fit.sigma2]
    names = called(fit.random)
    for j, name in enumerate([*names, "(residual)"]):
        value = variances[j]
        ends = _limits(fit, j if j < len(fit.random) else None, conf_level)
        rows.append((name, "", "variance", value, *ends))
        rows.append((name, "", "sd", np.sqrt(value), *np.sqrt(ends)))
    for k, (a, b) in enumerate(parts):
        if a == b or fit.covariance == "diagonal":
            continue
        if fit.random[a] in fit.zero or fit.random[b] in fit.zero:
            rows.append((names[a], names[b], "correlation", *[np.nan] * 3))
            continue
        one, two, both = fit.cov[a, a], fit.cov[b, b], fit.cov[a, b]
        r = float(np.clip(both / np.sqrt(one * two), -1, 1))
        slope = np.zeros(len(fit.components_vcov))
        slope[k] = 1 / np.sqrt(one * two)
        slope[parts.index((a, a))] = -r / (2 * one)
        slope[parts.index((b, b))] = -r / (2 * two)
        ends = np.full(2, np.nan)
        variance = float(slope @ fit.components_vcov @ slope)
        if not fit.singular and variance > 0 and abs(r) < 1:
            z = special.ndtri(tails) * np.sqrt(variance) / (1 - r**2)
            ends = np.tanh(np.arctanh(r) + z)
        rows.append((names[a], names[b], "correlation", r, *ends))
    columns = ["term", "with_term", "quantity", "estimate", "conf_low", "conf_high"]
    return pd.DataFrame(rows, columns=columns)


def _blups(fit: MixedFit) -> pd.DataFrame:
    """Return one row per unit and random effect."""
    q = len(fit.random)
    return pd.DataFrame(
        {
            "unit": fit.units.repeat(q),
            "term": np.tile(np.array(called(fit.random), dtype=object), len(fit.units)),
            "estimate": fit.blups.ravel(),
            "conditional_sd": np.sqrt(np.diagonal(fit.blup_cov, axis1=1, axis2=2).clip(0)).ravel(),
        }
    )


def _cautions(fit: MixedFit) -> tuple[Caution, ...]:
    found = []
    for name in fit.zero:
        what = "intercept" if name == INTERCEPT else f"slope of {name!r}"
        found.append(
            Caution(
                "zero-variance",
                f"The variance of the {what} between units is estimated at zero: the data show no "
                "such differences, which does not prove that there are none.",
                str(name),
            )
        )
    if fit.singular and len(fit.random) - len(fit.zero) > 1:
        found.append(
            Caution(
                "singular",
                "The random effects are estimated as determined by one another (correlation at its "
                "limit): there are more of them than the data tell apart.",
                listing(called(fit.random)),
                fix="Take covariance='diagonal', or take out random terms.",
            )
        )
    if not fit.converged:
        found.append(
            Caution(
                "not-converged",
                "The likelihood's maximum was not reached; the estimates are where the search "
                "stopped.",
                "random",
                fix="Take out random terms.",
            )
        )
    if len(fit.units) < FEW:
        found.append(
            Caution(
                "few-units",
                f"{len(fit.units)} units tell little of the variance between units: the components "
                "and what rests on them are rough.",
                "units",
            )
        )
    if fit.condition > 1e6:
        found.append(
            Caution(
                "ill-conditioned",
                f"The columns are nearly collinear (condition number {fit.condition:.1g}): single "
                "slopes are unstable.",
                "formula",
            )
        )
    return tuple(found)


def _methods(
    fit: MixedFit, columns: Sequence[Column], table: pd.DataFrame, formula: str, conf_level: float
) -> str:
    found = []
    values = table[["estimate", "std_error", "df", "conf_low", "conf_high"]].to_numpy(float)
    split = any(c.part == "contextual" for c in columns)
    names = [
        f"{t}, {v}," if split else t for t, v in zip(table["term"], table["level"], strict=True)
    ]
    for column, term, (b, se, df, low, high) in zip(columns, names, values, strict=True):
        if column != INTERCEPT or len(table) == 1:
            interval = f"SE {se:.2g}, df {df:.3g}, {100 * conf_level:g}% CI {low:.3g} to {high:.3g}"
            found.append(f"{term} b = {b:.3g} ({interval})")
    how = {"reml": "restricted maximum likelihood", "ml": "maximum likelihood"}[fit.method]
    effects = ["intercept" if c == INTERCEPT else str(c.whole) for c in fit.random]
    kind = ", uncorrelated" if fit.covariance == "diagonal" and len(effects) > 1 else ""
    return (
        f"We fitted {formula} as a linear mixed model by {how} to {fit.n} rows of "
        f"{len(fit.units)} units, with random effects between units "
        f"({', '.join(effects)}{kind}) and Satterthwaite degrees of "
        f"freedom: {'; '.join(found)}. The residual SD was "
        f"{np.sqrt(fit.sigma2):.3g}."
    )


def _limits(fit: MixedFit, j: int | None, conf_level: float) -> Array:
    """Return the ends of the profile-likelihood interval of a variance; of sigma² for j = None.

    With the variance held at v and everything else at its best, the deviance D(v) has the
    derivative N - r²/sigma² in log v, so that the ends are found by Newton's method.
    """
    model, factor = fit.model, fit.factor
    sums = model.sums
    least, reach = model.best(factor), float(special.ndtri((1 + conf_level) / 2))
    sigma2 = fit.sigma2 / sums.scale**2
    w = None if j is None else sums.lift[j] / sums.scale
    k = -1 if j is None else j * (j + 3) // 2
    value = fit.sigma2 if j is None else float(fit.cov[j, j])
    now = sigma2 if w is None else sigma2 * float(np.sum((w @ factor) ** 2))
    zero = j is not None and fit.random[j] in fit.zero
    if zero and w is not None:  # about what one unit's data leave open
        now = sigma2 * float(w**2 @ (1 / np.diag(told(sums)))) * len(fit.units)
    last = 0.0, factor

    def at(log: float) -> tuple[float, float]:
        """Return the signed root of D - min D, and the derivative of D."""
        nonlocal last
        held, (before, start) = Held(w, now * np.exp(log)), last
        if w is not None:  # what was best at the last value, with the variance brought to this one
            v, t = w / (w @ w), start @ start.T
            first = zero and start is factor
            stretch = 0.0 if first else np.exp((log - before) / 2)
            turn = np.eye(len(t)) + (stretch - 1) * np.outer(v, w)
            moved = turn @ t @ turn.T + first * held.value / sigma2 * np.outer(v, v)
            start = root_of(moved, model.diagonal)
        found = newton(model, start, held)[0]
        last = log, found
        point = model.at(found)
        own = model.sigma2(point, found, held)
        fall = max(model.deviance(point, own) - least, 0.0)
        return float(np.sqrt(fall)), model.free - point.rss / own

    def end(sign: int, log: float) -> float:
        nonlocal last
        last = 0.0, factor
        near, far = -LOWEST if sign > 0 and zero else 0.0, sign * np.inf
        for _ in range(50):
            if log < -LOWEST:
                return 0.0
            root, slope = at(log)
            near, far = (log, far) if root < reach else (near, log)
            step = 2 * root * (reach - root) / slope if slope * sign > 0 else sign * np.inf
            if abs(step) < 1e-6:
                return float(np.exp(log + step))
            log += float(np.clip(step, -4.0, 4.0))
            if not min(near, far) < log < max(near, far):
                log = (near + far) / 2
        return float(np.exp(log))

    wide = 0.5 if zero else reach * np.sqrt(fit.components_vcov[k, k]) / value
    down = 0.0 if zero else end(-1, -float(min(wide, 2.0)))
    up = end(1, float(min(wide, 2.0)))
    return np.array([down, up]) * now * sums.scale**2


def mixed(
    source: Source,
    model: grammar.Formula,
    effects: Effects,
    random: str,
    covariance: Covariance,
    method: str,
    weights: Weighting | None,
    conf_level: float,
) -> Result:
    """Fit a mixed model to the sums per unit."""
    kind: Effects = "pooled" if effects == "mixed" else effects
    work = prepare(source, model, kind, cluster=source.unit, vcov="CR0", weights=weights)
    part: Part = "within" if kind in SPLIT else "whole"
    known = [c for c in work.terms if c.part == part]
    slopes = [
        column
        for term in grammar.parse_terms(random)
        for column in _random_columns(term, known, random)
    ]
    fit = fit_mixed(
        work.cells,
        work.y,
        work.terms,
        slopes,
        unit=work.unit,
        covariance=covariance,
        method="ml" if method == "ml" else "reml",
    )
    if work.levels is not None:
        fit = replace(fit, units=work.levels[fit.units.to_numpy(np.intp)])
    name = source.unit or work.unit
    result = mixed_result(
        replace(fit, unit=name),
        model.text,
        conf_level=conf_level,
        effects=effects,
        waves=work.waves,
        spec={"unit": name, "data": work.fingerprint, "random": random},
    )
    extra = {"waves": work.waves or None, "left_out": work.left_out}
    return replace(
        result,
        stats={**result.stats, **extra},
        text=result.text + ("" if weights is None else f" Weights: {weights.said()}."),
        predictor=predictor_of_mixed(model, work, fit),
    )


def _random_columns(term: grammar.Term, known: Sequence[Column], random: str) -> list[Column]:
    """Return the columns of a random term; all levels of a category."""
    found = [c for c in known if c.term == term]
    if not found:
        names = [c.name for c in known]
        raise OptionError(
            f"random={random!r}: {term.label!r} is not among the terms with a slope within units, "
            f"{listing(names)}.",
            code="no-such-term",
            fix=nearest(term.label, names),
        )
    return found
