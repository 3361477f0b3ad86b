"""Outcomes that are no amounts: shares, yes or no, counts; with average marginal effects."""

from __future__ import annotations

import warnings
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from .. import formula as grammar
from ..errors import Caution, DataError, OptionError, listing
from ..panel import Panel
from ..panel.panel import as_panel
from ..results import Result, fingerprint, versions
from .inference import estimates_table
from .linear import independent

__all__ = ["Family", "glm"]

Array = npt.NDArray[np.float64]
Family = Literal["gaussian", "binomial", "fractional", "poisson"]

LINK = {"binomial": "logit", "fractional": "logit", "poisson": "log"}
# fitted shares this near to 0 or 1, or linear predictors this large, are no estimates
EXTREME = 1e-7


def glm(
    data: object,
    model: grammar.Formula,
    family: Family,
    *,
    unit: str | None,
    wave: str | None,
    cluster: str | None,
    conf_level: float,
) -> Result:
    """Fit a generalized linear model to the rows by statsmodels, with clustered errors."""
    import statsmodels.api as sm

    if family not in LINK:
        raise OptionError(f"family={family!r}: accepted are {listing(get_args(Family))}.")
    if isinstance(data, Panel):
        cluster = {"unit": data.unit, "wave": data.wave}.get(cluster or "unit", cluster)
        cluster = data.cluster or cluster
    columns = [*model.columns, *([cluster] if cluster and cluster not in (unit, wave) else [])]
    panel = as_panel(data, columns, unit=unit, wave=wave)
    design = panel.design((model.response, *model.terms))
    names = [*design.names[1:]]
    own = cluster or (panel.unit if unit is not None or isinstance(data, Panel) else None)
    groups = np.arange(len(design.x)) if own is None else pd.factorize(panel.frame[own])[0]
    complete = ~np.isnan(design.x).any(axis=1) & (groups >= 0)
    y, x, groups = design.x[complete, 0], design.x[complete, 1:], groups[complete]
    _refuse(model.response.label, y, x, names, family)
    clusters = len(np.unique(groups))
    whole = np.column_stack([np.ones(len(x)), x])
    centre, scale = x.mean(axis=0), np.maximum(x.std(axis=0), 1e-300)
    scaled = np.column_stack([np.ones(len(x)), (x - centre) / scale])
    kind = sm.families.Poisson() if family == "poisson" else sm.families.Binomial()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what they say is checked below
        try:
            fit = sm.GLM(y, scaled, family=kind).fit(
                cov_type="cluster", cov_kwds={"groups": groups}, maxiter=100, tol=1e-12
            )
        except (ValueError, ArithmeticError, np.linalg.LinAlgError) as error:
            raise DataError(f"The {family} model could not be fitted: {error}") from error
    mu = np.asarray(fit.mu, dtype=float)
    bounded = family != "poisson"
    if bounded and ((mu < EXTREME) | (mu > 1 - EXTREME)).any():
        at = int(np.argmax(np.abs(np.asarray(fit.params)[1:])))
        raise DataError(
            f"{names[at]!r} (perhaps with others) separates the rows with {model.response.label!r} "
            "from those without: its slope is infinite. Leave it out."
        )
    if not fit.converged:
        raise DataError(f"The {family} model did not converge in 100 steps.")
    move = np.zeros((len(names) + 1,) * 2)
    move[0, 0] = 1.0
    move[np.arange(1, len(move)), np.arange(1, len(move))] = 1 / scale
    move[0, 1:] = -centre / scale
    beta = move @ np.asarray(fit.params, dtype=float)
    v = move @ np.asarray(fit.cov_params(), dtype=float) @ move.T
    df = np.full(len(beta), clusters - 1.0)
    terms = ["(intercept)", *names]
    table = estimates_table(terms, beta, np.sqrt(np.diag(v)), df, conf_level)
    table.insert(1, "level", "pooled")
    effects = _marginal(whole, mu, beta, v, names, family, df, conf_level)
    cautions = []
    if clusters < 40 and own is not None:
        message = f"CR1 with {clusters} clusters is too small on average; no CR2 is offered here."
        cautions.append(Caution("few-clusters", message, str(own)))
    if isinstance(data, Panel) and (
        shared := data.shared_source(model.columns, model.response.columns[0])
    ):
        cautions.append(shared)
    said = "; ".join(
        f"{r.term} {r.estimate:.3g} ({r.conf_low:.3g} to {r.conf_high:.3g})"
        for r in effects.itertuples()
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
            "conf_level": conf_level,
            "data": fingerprint(panel.fingerprint, y, x),
            "versions": versions(),
        },
        {
            "n": len(y),
            "units": int(panel.frame[panel.unit][complete].nunique()) if own else None,
            "clusters": clusters,
            "deviance": float(fit.deviance),
            "null_deviance": float(fit.null_deviance),
            "left_out": int((~complete).sum()),
        },
        f"We fitted {model.text} as a {family} model ({LINK[family]} link) to {len(y)} rows, with "
        f"errors clustered by {own or 'row'}. Average marginal effects, in units of the outcome: "
        f"{said}.",
        tables={"marginal_effects": effects},
        vcov=pd.DataFrame(v, index=terms, columns=terms),
        warnings=tuple(cautions),
    )


def _refuse(name: str, y: Array, x: Array, names: list[str], family: Family) -> None:
    if len(y) <= x.shape[1] + 1:
        raise DataError(f"{len(y)} rows for {x.shape[1] + 1} parameters: too few to fit.")
    wrong = {
        "binomial": ~np.isin(y, (0.0, 1.0)),
        "fractional": (y < 0) | (y > 1),
        "poisson": y < 0,
    }[family]
    if wrong.any():
        asked = {"binomial": "0 or 1", "fractional": "between 0 and 1", "poisson": "0 or more"}
        hint = " A share takes family='fractional'." if family == "binomial" else ""
        raise DataError(
            f"{name!r} must be {asked[family]} for family={family!r}; {int(wrong.sum())} rows are "
            f"not, such as {y[wrong][0]:g}.{hint}"
        )
    if np.ptp(y) == 0:
        raise DataError(f"{name!r} is {y[0]:g} in all rows: nothing varies.")
    away = x - x.mean(axis=0)
    kept = independent(away.T @ away, np.sqrt((away**2).sum(axis=0)))
    if not kept.all():
        raise DataError(f"{names[int(np.argmin(kept))]!r} is constant or collinear. Leave it out.")


def _marginal(
    x: Array,
    mu: Array,
    beta: Array,
    v: Array,
    names: list[str],
    family: Family,
    df: Array,
    conf_level: float,
) -> pd.DataFrame:
    """Return mean derivatives of the expected outcome, with delta-method errors.

    For products and powers it is the derivative along that column alone.
    """
    first = mu if family == "poisson" else mu * (1 - mu)
    second = mu if family == "poisson" else mu * (1 - mu) * (1 - 2 * mu)
    slope = float(first.mean())
    along = (second[:, None] * x).mean(axis=0)
    jacobian = beta[1:, None] * along[None, :]
    jacobian[:, 1:] += slope * np.eye(len(names))
    se = np.sqrt(np.diag(jacobian @ v @ jacobian.T))
    return estimates_table(names, slope * beta[1:], se, df[1:], conf_level)


def same_kind(options: dict[str, Any]) -> None:
    """Refuse options of linear models beside a family."""
    if named := [k for k, v in options.items() if v]:
        raise OptionError(
            f"{listing(named)} is for linear models; a family takes effects='pooled' and clustered "
            "errors. Unit means among the terms keep differences between units apart."
        )
