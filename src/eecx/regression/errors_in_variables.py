"""Slopes corrected for measurement error in the predictors, beside the uncorrected ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from .. import formula as grammar
from .. import plotting
from ..agreement.reliability import BETWEEN, CHANGE, estimate, read_cells
from ..errors import Caution, DataError, OptionError, check_level, listing, nearest
from ..panel import Panel
from ..results import Result, versions
from .inference import covariance_of, estimates, fit_work
from .work import Effects, Work, prepare

__all__ = ["errors_in_variables"]

Array = npt.NDArray[np.float64]
ACCEPTED: tuple[Effects, ...] = ("pooled", "between", "within", "two-way")


def errors_in_variables(
    data: object,
    formula: str,
    *,
    reliability: Mapping[str, float] | None = None,
    effects: Effects = "pooled",
    unit: str | None = None,
    wave: str | None = None,
    cluster: str | None = None,
    conf_level: float = 0.95,
) -> Result:
    r"""Regress with predictors that are measured with error of known variance.

    With S the cross-products of the (transformed) predictors, s those with the outcome, and
    :math:`\Lambda = \operatorname{diag}((1 - \rho_j) S_{jj})` their part that is error:

    .. math:: \hat\beta = (S - \Lambda)^{-1} s

    Parameters
    ----------
    data, formula, unit, wave, cluster
        As in :func:`eecx.regress`; the formula has columns only, no products or categories with
        error.
    reliability : mapping, optional
        ``{"engagement": 0.8}``: of the predictors as the model sees them: between units for
        ``effects="between"``, of change within units for ``"within"`` and ``"two-way"``. Of a
        Panel whose cells have sampling variances it is estimated for those that are not named;
        other terms count as free of error.
    effects : {"pooled", "between", "within", "two-way"}
    conf_level : float

    Returns
    -------
    Result
        ``.table``: per term a row ``observed`` and a row ``corrected``: the corrected slope never
        stands alone. Errors of corrected slopes are cluster-robust (rows where there are no
        clusters), with the reliabilities taken as known: too small where these are rough.
        ``.stats``: the reliabilities used.

    Raises
    ------
    DataError
        Reliabilities so low that nothing but error is left of the predictors together.

    Notes
    -----
    Assumes that errors of measurement are unrelated to each other, to the true values and to the
    residuals. With several predictors, correcting one moves the slopes of all, also away from zero
    or across it. For one predictor this is the slope divided by its reliability.

    Examples
    --------
    >>> import eecx
    >>> table = eecx.Moments.from_correlations([[1, 0.4], [0.4, 1]], n=100, names=["cx", "ex"])
    >>> found = eecx.errors_in_variables(table, "cx ~ ex", reliability={"ex": 0.8})
    >>> found.table["estimate"].round(3).tolist()
    [0.4, 0.5]
    """
    check_level(conf_level)
    if effects not in ACCEPTED:
        raise OptionError(f"effects={effects!r}: accepted are {listing(ACCEPTED)}.")
    model = grammar.parse(formula)
    work = prepare(data, model, effects, unit=unit, wave=wave, cluster=cluster, vcov=None)
    fit = fit_work(work)
    known, cautions = _reliabilities(data, work, effects, dict(reliability or {}))
    if not known:
        raise OptionError(
            "No reliability is known: give reliability={'engagement': 0.8}, or a Panel made of "
            "surveys."
        )
    names = list(fit.names)
    cross, scores = fit.cross, fit.scores
    whole = cross.sum(axis=0)
    if isinstance(data, Panel) and (
        shared := data.shared_source(model.columns, model.response.columns[0])
    ):
        cautions.append(shared)
    error = np.zeros(len(names))
    for name, value in known.items():
        j = names.index(name)
        # what varies is counted from the mean, which the constant takes up
        error[j] = (1 - value) * float(whole[j, j])
    left = whole - np.diag(error)
    scale = np.sqrt(np.diag(whole))
    if np.linalg.eigvalsh(left / np.outer(scale, scale))[0] <= 1e-8:
        raise DataError(
            f"With reliabilities {_said(known)} nothing but error is left of the terms together: "
            "their slopes cannot be corrected."
        )
    back = np.linalg.inv(fit.move)
    observed = back @ fit.beta  # of the centred model
    corrected = np.linalg.solve(left, whole @ observed)
    # cluster g's part of the estimating equations: X_g'y_g - X_g'X_g b + its share of the error
    share = work.cells.w / work.cells.w.sum()
    pull = scores + np.einsum("gij,j->gi", cross, observed - corrected)
    pull = pull + share[:, None] * (error * corrected)
    g = len(pull)
    inverse = np.linalg.inv(left)
    cells = pull @ inverse
    v = g / max(g - 1, 1) * cells.T @ cells if g > 2 else np.full_like(left, np.nan)
    if work.vcov == "classical" or g <= 2:
        v = _normal(left, whole, error, corrected, observed, fit.rss, fit.n)
    v = fit.move @ v @ fit.move.T
    own, df = covariance_of(work, fit, work.vcov)
    shown = [i for i, n in enumerate(names) if n not in work.nuisance and n != "(intercept)"]
    after = fit.move @ corrected
    df_after = np.full(len(names), (g - 1.0) if g > 2 else fit.n - len(names))
    one = estimates(fit.beta, np.sqrt(np.diag(own)), df, conf_level)
    two = estimates(after, np.sqrt(np.diag(v)), df_after, conf_level)
    rows = [
        {"term": names[i], "version": version, **{k: float(c[i]) for k, c in columns.items()}}
        for i in shown
        for version, columns in (("observed", one), ("corrected", two))
    ]
    table = pd.DataFrame(rows)
    said = "; ".join(
        f"{names[i]}: observed {fit.beta[i]:.3g}, corrected {after[i]:.3g}" for i in shown
    )
    return Result(
        "errors_in_variables",
        table,
        {
            "formula": formula,
            "effects": effects,
            "reliability": known,
            "cluster": work.cluster,
            "conf_level": conf_level,
            "data": work.fingerprint,
            "versions": versions(),
        },
        {
            "n": int(fit.n),
            "units": work.units or None,
            "clusters": g,
            **{f"reliability of {k}": v for k, v in known.items()},
        },
        f"Slopes of {formula} were corrected for measurement error with reliabilities "
        f"{_said(known)}, taken as known: {said}.",
        warnings=tuple(cautions),
        figure=_figure,
    )


def _said(known: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.2f}" for name, value in known.items())


def _reliabilities(
    data: object, work: Work, effects: Effects, given: dict[str, float]
) -> tuple[dict[str, float], list[Caution]]:
    for name, value in given.items():
        if name not in work.terms:
            raise OptionError(
                f"reliability names {name!r}, which is no term.{nearest(name, work.terms)}"
            )
        if not 0 < value <= 1:
            raise OptionError(f"reliability of {name!r} is {value!r}: above 0 and at most 1.")
    known, cautions = dict(given), []
    if isinstance(data, Panel) and effects != "pooled":
        level = BETWEEN if effects == "between" else CHANGE
        for name in work.terms:
            if name in known or name not in data.variance.columns:
                continue
            found = estimate(read_cells(data, [name])[0], name, level)
            if found is None:
                continue
            if found[0] <= 0:
                raise DataError(
                    f"{name!r} varies no more, {level}, than sampling error would make it: "
                    "nothing is left to correct."
                )
            known[name] = min(found[0], 1.0)
            if found[0] < 0.3:
                message = (
                    f"The reliability of {name!r}, {level}, is {found[0]:.2f}: corrected slopes "
                    "rest on little and their errors are too small."
                )
                cautions.append(Caution("low-reliability", message, name))
    return {n: known[n] for n in work.terms if n in known}, cautions


def _normal(
    left: Array,
    whole: Array,
    error: Array,
    corrected: Array,
    observed: Array,
    rss: float,
    n: float,
) -> Array:
    r"""Return the covariance for normal variables, of which only the sums are at hand.

    The variance of the estimating equations is :math:`S \sigma_v^2 + \Lambda b b' \Lambda / n`,
    with :math:`\sigma_v^2` the residual variance of the outcome given the error-ridden terms.
    """
    gap = observed - corrected
    s2 = (rss + gap @ whole @ gap) / n
    off = error * corrected
    meat = whole * s2 + np.outer(off, off) / n
    inverse = np.linalg.inv(left)
    return np.asarray(inverse @ meat @ inverse)


def _figure(result: Result, ax: Any = None, **options: Any) -> Any:
    rows = result.table
    table = pd.DataFrame(
        {
            "term": rows["term"],
            "group": rows["version"],
            **{c: rows[c] for c in ("estimate", "conf_low", "conf_high")},
        }
    ).dropna()
    given = {"caption": f"Reliabilities: {_said(result.spec['reliability'])}, taken as known."}
    return plotting.coefficients(table, ax=ax, **(given | options))
