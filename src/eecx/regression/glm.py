"""Outcomes that are no amounts: shares, yes or no, counts; with average marginal effects."""

from __future__ import annotations

import warnings
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from .. import formula as grammar
from .. import plotting
from ..errors import Caution, DataError, listing
from ..models.capabilities import Family
from ..models.clusters import cluster_values, names_of
from ..models.columns import INTERCEPT, called, columns_of_design
from ..models.design import design
from ..models.inference import UNTOLD, estimates
from ..models.least_squares import independent
from ..models.levels import identified
from ..models.predictor import predictor_of_glm
from ..models.weights import Weighting, weight_column
from ..models.work import Rows
from ..panel import Panel
from ..results import Estimates, Result, interval_phrase, labels, versions
from ..sources import Source
from .marginal_effects import marginal_effects

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["glm"]

Array = npt.NDArray[np.float64]

LINK = {"binomial": "logit", "fractional": "logit", "poisson": "log"}
# fitted shares this near to 0 or 1, or linear predictors this large, are no estimates
EXTREME = 1e-7
# filters of warnings are those of the whole process: one fit at a time sets them
LOCK = Lock()


def glm(
    source: Source,
    model: grammar.Formula,
    family: Family,
    *,
    cluster: str | None,
    weights: Weighting | None,
    conf_level: float,
) -> Result:
    """Fit a generalized linear model to the rows by statsmodels, with clustered errors."""
    import statsmodels.api as sm

    keys = (source.unit, source.wave)
    if cluster is None:
        cluster = source.panel.cluster if source.panel is not None else None
    own = source.unit if cluster is None else source.key(cluster)
    used = [*model.columns, *(c for c in [own] if c is not None and c not in keys)]
    used += [weights.column] if weights and weights.column else []
    panel = source.as_panel(used, names=names_of(model, [cluster]))
    made = design(panel, (model.response, *model.terms))
    columns = columns_of_design(made, (model.response, *model.terms))
    values, names = made.x, called(columns[1:])
    groups, named = np.arange(len(values)), None
    if own is not None:
        groups, named = pd.factorize(cluster_values(panel, own))
    w = np.ones(len(values))
    if weights is not None:
        w = weight_column(panel, weights, model.response.columns[0])
    complete = ~(np.isnan(values).any(axis=1) | np.isnan(w)) & (groups >= 0)
    if not complete.any():
        needed = [*made.names, *(c for c in used if c not in (*made.names, *keys))]
        raise DataError(
            f"No unit × wave has a value for all of {listing(needed)}.",
            code="no-rows",
            fix="Leave out what is missing most.",
        )
    seen, rows = Rows(panel, complete, columns), np.flatnonzero(complete)
    if weights is not None and weights.kind == "frequency":
        rows, w = np.repeat(rows, w[rows].astype(np.intp)), np.ones(len(w))
    y, x, w = values[rows, 0], values[rows, 1:], w[rows] / w[rows].mean()
    groups = np.arange(len(rows)) if own is None else groups[rows]
    _refuse(model.response.label, y, x, names, family)
    clusters = len(np.unique(groups))
    if clusters < 2:
        raise DataError(
            f"All rows lie in one cluster ({own}); robust errors need at least two.",
            code="too-few-clusters",
            fix="Name cluster=, a column of more groups.",
        )
    centre, scale = x.mean(axis=0), np.maximum(x.std(axis=0), 1e-300)
    scaled = np.column_stack([np.ones(len(x)), (x - centre) / scale])
    kind = sm.families.Poisson() if family == "poisson" else sm.families.Binomial()
    with LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what they say is checked below
        try:
            fit = sm.GLM(y, scaled, family=kind, var_weights=w).fit(
                cov_type="cluster", cov_kwds={"groups": groups}, maxiter=100, tol=1e-12
            )
            mu = np.asarray(fit.mu, dtype=float)
        except (ValueError, ArithmeticError, np.linalg.LinAlgError) as error:
            _refuse_separation(model.response.label, y, scaled, names, family)
            raise DataError(
                f"The {family} model could not be fitted: {error}.",
                code="not-solved",
                fix="Take fewer terms.",
            ) from error
    low = mu < EXTREME * (y.mean() if family == "poisson" else 1.0)
    if (low | (mu > 1 - EXTREME) & (family != "poisson")).any():
        _refuse_separation(model.response.label, y, scaled, names, family)
    if not fit.converged:
        raise DataError(
            f"The {family} model did not converge in 100 steps.",
            code="not-converged",
            fix="Take fewer terms.",
        )
    move = np.zeros((len(names) + 1,) * 2)
    move[0, 0] = 1.0
    move[np.arange(1, len(move)), np.arange(1, len(move))] = 1 / scale
    move[0, 1:] = -centre / scale
    beta = move @ np.asarray(fit.params, dtype=float)
    v = move @ np.asarray(fit.cov_params(), dtype=float) @ move.T
    at_limit = not np.isfinite(v).all()
    untold = at_limit | (np.diag(v) <= UNTOLD * np.diag(move @ fit.normalized_cov_params @ move.T))
    v[untold, :] = v[:, untold] = np.nan
    df = np.where(untold, np.nan, clusters - 1.0)
    found = Estimates(beta, v, df, "HC1")
    if named is not None:
        kept, codes = np.unique(groups, return_inverse=True)
        moved = (scaled * (w * (y - mu))[:, None]) @ np.asarray(fit.normalized_cov_params) @ move.T
        sums = np.stack([np.bincount(codes, m, clusters) for m in moved.T], axis=1)
        factor = clusters / (clusters - 1) * (len(y) - 1) / (len(y) - len(beta))
        influence = np.asarray(sums * np.sqrt(factor), dtype=float)
        found = Estimates(beta, v, df, "CR1", own, pd.Index(named)[kept], influence)
    shown = (INTERCEPT, *columns[1:])
    terms = called(shown)
    numbers = estimates(beta, np.sqrt(np.diag(v)), df, conf_level)
    table = identified(numbers, shown, "pooled", 0)
    share = w if weights is not None and weights.kind == "sampling" else np.ones(len(y))
    predictor = predictor_of_glm(seen, model, family, beta, v, clusters - 1.0)
    effects = marginal_effects(
        predictor.inputs,
        predictor.inputs.read(panel).iloc[rows].reset_index(drop=True),
        beta,
        v,
        share=share,
        poisson=family == "poisson",
        df=clusters - 1.0,
        conf_level=conf_level,
    )
    cautions = []
    if at_limit:
        message = (
            f"Fitted values of {model.response.label!r} reach their limit to the last digit: no "
            "error can be told."
        )
        fix = "Leave out rows whose terms are extreme."
        cautions.append(Caution("at-limit", message, model.response.label, fix=fix))
    for name in (n for n, lost in zip(terms, untold, strict=True) if lost and not at_limit):
        message = f"Nothing tells the error of {name!r}: it fits each cluster ({own}) exactly."
        cautions.append(Caution("one-cluster", message, name))
    condition = float(np.linalg.cond(scaled.T @ scaled))
    if condition > 1e6:
        message = (
            f"The columns are nearly collinear (condition number {condition:.1g}): single slopes "
            "are unstable."
        )
        cautions.append(Caution("ill-conditioned", message, "formula"))
    if clusters < 40 and own is not None:
        message = f"CR1 with {clusters} clusters is too small on average; no CR2 is offered here."
        cautions.append(Caution("few-clusters", message, str(own)))
    cautions += source.shared_source(model.columns, model.response.columns[0])
    how = "" if weights is None else f", {weights.said()}"
    said = "; ".join(
        f"{r['term']} {r['estimate']:.3g} "
        f"({interval_phrase(r['conf_low'], r['conf_high'], conf_level)})"
        for r in effects.to_dict("records")
    )
    return Result(
        "regress",
        table,
        {
            "formula": model.text,
            "effects": "pooled",
            "family": family,
            "link": LINK[family],
            "cluster": own,
            "vcov": "CR1" if own else "HC1",
            "weights": None if weights is None else weights.spec,
            "conf_level": conf_level,
            "data": source.fingerprint,
            "versions": versions(),
        },
        {
            "n": len(y),
            "units": int(panel.frame[panel.unit][complete].nunique()) if own else None,
            "waves": _waves(panel, complete) if own else None,
            "clusters": clusters,
            "deviance": float(fit.deviance),
            "null_deviance": float(fit.null_deviance),
            "left_out": int((~complete).sum()) + source.unkeyed(panel),
        },
        f"We fitted {model.text} as a {family} model ({LINK[family]} link) to {len(y)} rows{how}, "
        f"with errors clustered by {own or 'row'}. Average marginal effects, in units of the "
        f"outcome: {said}.",
        tables={"marginal_effects": effects},
        vcov=pd.DataFrame(v, index=labels(table), columns=labels(table)),
        parts=tuple(c.part for c in shown),
        warnings=tuple(cautions),
        figure=_figure,
        predictor=predictor,
        estimates=found,
    )


def _waves(panel: Panel, complete: npt.NDArray[np.bool_]) -> int:
    """Return the number of waves; 1 where rows of a unit are its people."""
    return 1 if panel.wave is None else len(np.unique(panel.time[complete]))


def _refuse(name: str, y: Array, x: Array, names: list[str], family: Family) -> None:
    if len(y) <= x.shape[1] + 1:
        raise DataError(
            f"{len(y)} rows for {x.shape[1] + 1} parameters: too few to fit.",
            code="too-few-rows",
            fix="Take fewer terms, or add rows.",
        )
    wrong = {
        "binomial": ~np.isin(y, (0.0, 1.0)),
        "fractional": (y < 0) | (y > 1),
        "poisson": y < 0,
    }[family]
    if wrong.any():
        asked = {"binomial": "0 or 1", "fractional": "between 0 and 1", "poisson": "0 or more"}
        hint = "A share takes family='fractional'." if family == "binomial" else ""
        raise DataError(
            f"{name!r} must be {asked[family]} for family={family!r}; {int(wrong.sum())} rows are "
            f"not, such as {y[wrong][0]:g}.",
            code="out-of-range",
            fix=hint or "Leave these rows out, or correct them.",
        )
    if np.ptp(y) == 0:
        raise DataError(
            f"{name!r} is {y[0]:g} in all rows: nothing varies.",
            code="constant-column",
            fix="Take another outcome.",
        )
    away = x - x.mean(axis=0)
    kept = independent(away.T @ away, np.sqrt((away**2).sum(axis=0)))
    if not kept.all():
        raise DataError(
            f"{names[int(np.argmin(kept))]!r} is constant or collinear.",
            code="collinear-column",
            fix="Leave it out.",
        )


def _refuse_separation(name: str, y: Array, x: Array, names: list[str], family: Family) -> None:
    """Name the columns whose slopes are infinite, if there are any: the first of x is constant."""
    if not _infinite(y, x, family).any():
        return
    alone = [n for j, n in enumerate(names, 1) if _infinite(y, x[:, [0, j]], family).any()]
    slopes = np.abs(_infinite(y, x, family)[1:])
    found = alone or [n for n, s in zip(names, slopes, strict=True) if s > 1e-6 * slopes.max()]
    one = len(found) == 1
    raise DataError(
        f"{listing(found)} {'separates' if one else 'separate'} the rows with {name!r} from those "
        f"without: {'its slope is' if one else 'their slopes are'} infinite.",
        code="separation",
        fix=f"Leave {'it' if one else 'them'} out.",
    )


def _infinite(y: Array, x: Array, family: Family) -> Array:
    r"""Return slopes that raise the likelihood without end, or zeros.

    That is any :math:`\gamma \ne 0` with :math:`x_i'\gamma` not above 0 where y has its lowest
    possible value, not below 0 where it has its highest, and 0 where it lies between: complete or
    quasi-complete separation, told by a linear program.
    """
    from scipy import optimize  # slow to load, and seldom needed

    side = np.where(y == 0, -1.0, np.where((y == 1) & (family != "poisson"), 1.0, 0.0))
    at = side != 0
    pushed = side[at, None] * x[at]
    found = optimize.linprog(
        -pushed.sum(axis=0),
        A_ub=np.vstack([-pushed, pushed]),
        b_ub=np.repeat([0.0, 1.0], len(pushed)),
        A_eq=None if at.all() else x[~at],
        b_eq=None if at.all() else np.zeros(int((~at).sum())),
        bounds=(None, None),
        method="highs",
    )
    if found.status != 0:
        return np.zeros(x.shape[1])
    slopes = np.asarray(found.x, dtype=float)
    return slopes if (pushed @ slopes).sum() > 1e-6 else np.zeros(x.shape[1])


def _figure(result: Result, ax: Axes | None = None, **options: Any) -> Axes:
    """Draw the average marginal effects: in units of the outcome, not of the link."""
    given = {
        "title": f"Average marginal effects: {result.spec['formula']}",
        "label": "slope, or change, of the expected outcome (0: none)",
    }
    return plotting.coefficients(result.tables["marginal_effects"], ax=ax, **(given | options))
