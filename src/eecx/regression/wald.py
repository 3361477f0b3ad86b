"""Wald and Hausman tests: several coefficients at once, and fixed against random effects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from .. import formula as grammar
from .. import plotting
from ..errors import Caution, DataError, OptionError, check_source, listing, nearest
from ..models.capabilities import Uses
from ..models.inference import covariance_of, fit_work
from ..models.prepare import prepare
from ..models.work import BETWEEN, CONSTANT, WITHIN
from ..moments import Moments
from ..panel import Panel
from ..results import Result, versions
from .regress import regress

__all__ = ["hausman", "wald"]

Array = npt.NDArray[np.float64]
HAUSMAN_USES = Uses(
    "hausman",
    effects=("within", "random", "within-between"),
    vcov=("classical", "CR0", "CR2"),
    called=None,
)


def wald(
    result: Result,
    terms: Sequence[str] | str | None = None,
    *,
    equal: bool = False,
    values: Mapping[str, float] | None = None,
) -> Result:
    r"""Test several coefficients of one result at once.

    With the q coefficients b (less the values of the null) and their covariance V:

    .. math:: F = b' V^{-1} b / q

    Parameters
    ----------
    result : Result
        Of :func:`eecx.regress`.
    terms : sequence of str, optional
        Labels of the covariance (``result.vcov.index``); all but the intercept by default.
    equal : bool
        Test that they are equal to each other, not that they are zero.
    values : mapping, optional
        Values under the null other than zero.

    Returns
    -------
    Result
        One row: ``F`` with q and the smallest degrees of freedom among the coefficients, and
        ``chi2``, its large-sample form.

    Notes
    -----
    With few clusters F with the smallest Satterthwaite df is an approximation on the safe side of
    the chi-square test. Coefficients of two different fits cannot be tested here.

    Examples
    --------
    >>> import eecx
    >>> sim = eecx.simulate.panel(units=60, waves=4, same_wave=0.5, rng=1)
    >>> fit = eecx.regress(sim.frame, "cx ~ lag(ex) + ex", unit="unit", wave="wave")
    >>> eecx.wald(fit).table["term"].tolist()
    ['F', 'chi2']
    """
    if not isinstance(result, Result) or result.vcov is None or "df" not in result.table:
        raise OptionError(
            "wald takes a Result of eecx.regress.",
            code="wrong-source",
            fix="Fit a model and test what eecx.regress() returns.",
        )
    labels = [str(v) for v in result.vcov.index]
    if terms is None:
        terms = [n for n in labels if n.split(" [")[0] != CONSTANT and "contextual" not in n]
    if isinstance(terms, str) or not isinstance(terms, Sequence):
        terms = [terms]
    names = list(dict.fromkeys(terms))
    if not names:
        raise OptionError(
            "wald needs a term to test.", code="no-term", fix=nearest("", labels).strip()
        )
    for name in (*names, *_checked(values)):
        if name not in labels:
            raise OptionError(
                f"The result has no term {name!r}.",
                code="unknown-term",
                fix=nearest(name, labels).strip(),
            )
    if unasked := [n for n in values or {} if n not in names]:
        raise OptionError(
            f"values= names {listing(unasked)}; tested are {listing(names)}.",
            code="unknown-term",
            fix="Name it among the terms, too.",
        )
    at = [labels.index(n) for n in names]
    null = np.array([(values or {}).get(n, 0.0) for n in names])
    b = result.table["estimate"].to_numpy(float)[at] - null
    v = result.vcov.to_numpy(float)[np.ix_(at, at)]
    if equal:
        if len(names) < 2:
            raise OptionError(
                "equal=True compares at least two terms.", code="two-terms", fix="Name two terms."
            )
        step = np.eye(len(names))[:-1] - np.eye(len(names))[1:]
        b, v = step @ b, step @ v @ step.T
    if np.isnan(v).any() or np.linalg.matrix_rank(v) < len(v):
        raise DataError(
            f"The covariance of {listing(names)} is not known or singular: as many clusters as "
            "coefficients are needed, and more to be trusted."
        )
    q = len(b)
    chi2 = float(b @ np.linalg.solve(v, b))
    free = result.table["df"].to_numpy(float)[at]
    if result.spec.get("vcov") == "wild":  # whose covariance is that of CR1
        free = np.full(len(at), result.stats["clusters"] - 1.0)
    df2 = float(free.min())
    p_f = float(special.fdtrc(q, df2, chi2 / q)) if np.isfinite(df2) else np.nan
    p_chi2 = float(special.chdtrc(q, chi2))
    table = pd.DataFrame(
        {
            "term": ["F", "chi2"],
            "statistic": [chi2 / q, chi2],
            "df": [float(q), float(q)],
            "df2": [df2, np.nan],
            "p_value": [p_f, p_chi2],
        }
    )
    what = " = ".join([*names, *([] if equal else ["0"] if values is None else ["their values"])])
    message = "A wild bootstrap has no covariance: the Wald test rests on CR1 errors."
    wild = [Caution("wild-errors", message, what)] if result.spec.get("vcov") == "wild" else []
    return Result(
        "wald",
        table,
        {
            "title": what,
            "statistic": "statistic",
            "terms": names,
            "equal": equal,
            "values": dict(values or {}),
            "of": dict(result.spec),
            "versions": versions(),
        },
        dict(result.stats),
        f"A Wald test of {what} gave F({q}, {df2:.1f}) = {chi2 / q:.2f}, p = {p_f:.3g}.",
        tables={"slopes": result.table.iloc[at].reset_index(drop=True)},
        warnings=(*result.warnings, *wild),
        figure=_figure,
    )


def _checked(values: Mapping[str, float] | None) -> Mapping[str, float]:
    """Return the values of the null, if they are finite numbers by term."""
    given = {} if values is None else values
    good = isinstance(given, Mapping) and all(
        isinstance(v, Real) and np.isfinite(v) for v in given.values()
    )
    if not good:
        raise OptionError(
            f"values={values!r:.60}: a number for each term, such as {{'x': 0.5}}.",
            code="values",
            fix="Give the value under the null, by term.",
        )
    return given


def hausman(
    data: object,
    formula: str,
    *,
    unit: str | None = None,
    wave: str | None = None,
) -> Result:
    r"""Test whether slopes between units equal slopes within units over time.

    If they do, the random-effects slope is a fair summary of both; if not, it is a mixture.

    Parameters
    ----------
    data, formula, unit, wave
        As in :func:`eecx.regress`.

    Returns
    -------
    Result
        ``classic``: :math:`(b_W - b_R)'(V_W - V_R)^{-1}(b_W - b_R)` with classical covariances,
        each model with its own variance; ``auxiliary``: the Wald test of the contextual effects in
        the within-between model by GLS, with the components of the random-effects model;
        ``auxiliary, cluster-robust``: the same with CR0; ``auxiliary, CR2``: with CR2, which is
        the one to trust with few units. All are chi-square, with as many degrees of freedom as
        terms that vary within units. ``.tables["slopes"]``: the slopes that are compared.

    Notes
    -----
    The classic form can be negative, and is then no test. Not rejecting is no proof that the
    slopes are equal: look at the contextual effects with their intervals,
    ``regress(…, effects="within-between")``. Mundlak (1978), https://doi.org/10.2307/1913646.

    Examples
    --------
    >>> import eecx
    >>> sim = eecx.simulate.panel(units=80, waves=6, stable_cor=0.6, rng=7)
    >>> found = eecx.hausman(sim.frame, "cx ~ ex", unit="unit", wave="wave")
    >>> bool(found["auxiliary, CR2"]["p_value"] < 0.05)
    True
    """
    check_source("hausman", data, Panel, Moments, frames=True)
    model = grammar.parse(formula)
    within, random, both = (
        prepare(data, model, e, unit=unit, wave=wave, vcov="classical", gls=e == "within-between")
        for e in HAUSMAN_USES.effects
    )
    first, second = fit_work(within), fit_work(random)
    names = [n for n in within.terms if f"{n}{BETWEEN}" in both.terms]
    if not names:
        raise DataError(
            f"No unit differs from others in the mean of {listing(within.terms)}: there are no "
            "slopes between units to compare with those within."
        )
    v1 = covariance_of(within, first, "classical")[0]
    v2 = covariance_of(random, second, "classical")[0]
    at = [second.names.index(n) for n in names]
    gap = first.beta[[first.names.index(n) for n in names]] - second.beta[at]
    own = [first.names.index(n) for n in names]
    spread = v1[np.ix_(own, own)] - v2[np.ix_(at, at)]
    cautions = []
    if np.linalg.eigvalsh(spread)[0] > 0:
        rows = [("classic", float(gap @ np.linalg.solve(spread, gap)), len(names))]
    else:
        message = (
            "The classic statistic rests on a difference of covariances that is no covariance."
        )
        cautions.append(Caution("not-definite", message, "classic"))
        rows = [("classic", np.nan, len(names))]
    labels = ("auxiliary", "auxiliary, cluster-robust", "auxiliary, CR2")
    for label, vcov in zip(labels, HAUSMAN_USES.vcov, strict=True):
        work = prepare(data, model, "within-between", unit=unit, wave=wave, vcov=vcov, gls=True)
        fit = fit_work(work)
        index = {n: i for i, n in enumerate(fit.names)}
        pairs = [
            (index[f"{n}{BETWEEN}"], index[f"{n}{WITHIN}"])
            for n in model_names(fit.names)
            if f"{n}{BETWEEN}" in index
        ]
        combine = np.zeros((len(pairs), len(fit.beta)))
        for i, (between, moving) in enumerate(pairs):
            combine[i, between], combine[i, moving] = 1.0, -1.0
        v = covariance_of(work, fit, vcov, combine)[0]
        context = combine @ fit.beta
        if np.isnan(v).any() or np.linalg.matrix_rank(v) < len(v):
            message = f"Too few units for {len(v)} contextual effects at once: no {vcov} errors."
            cautions.append(Caution("too-few-units", message, label))
            v = np.full_like(v, np.nan)
        rows.append((label, float(context @ np.linalg.solve(v, context)), len(context)))
    statistic = np.array([r[1] for r in rows])
    df = np.array([r[2] for r in rows], dtype=float)
    with np.errstate(invalid="ignore"):
        p = special.chdtrc(df, statistic)
    table = pd.DataFrame(
        {"term": [r[0] for r in rows], "statistic": statistic, "df": df, "p_value": p}
    )
    if isinstance(data, Panel) and (
        shared := data.shared_source(model.columns, model.response.columns[0])
    ):
        cautions.append(shared)
    slopes = regress(data, formula, effects="within-between", unit=unit, wave=wave).table
    robust = table.iloc[3]
    return Result(
        "hausman",
        table,
        {
            "formula": formula,
            "statistic": "chi2",
            "data": within.fingerprint,
            "versions": versions(),
        },
        {"n": int(first.n), "units": within.units, "waves": within.waves},
        f"A Hausman test of {formula} (contextual effects, CR2) gave chi2({robust['df']:.0f}) = "
        f"{robust['statistic']:.2f}, p = {robust['p_value']:.3g}: slopes between units and within "
        f"units over time {'differ' if robust['p_value'] < 0.05 else 'were not shown to differ'}.",
        tables={"slopes": slopes[slopes["term"] != CONSTANT].reset_index(drop=True)},
        warnings=tuple(cautions),
        references=("mundlak1978",),
        figure=_figure,
    )


def model_names(names: Sequence[str]) -> list[str]:
    """Return the terms that have a slope within units."""
    return [n.removesuffix(WITHIN) for n in names if n.endswith(WITHIN)]


def _figure(result: Result, ax: Any = None, **options: Any) -> Any:
    slopes = result.tables["slopes"].rename(columns={"level": "group"})
    given = {"title": f"What was tested: {result.spec.get('title') or result.spec['formula']}"}
    return plotting.coefficients(slopes, ax=ax, **(given | options))
