r"""Linear mixed models with random effects of units, from the sums of each unit.

Rows of unit i follow, with q random effects and relative covariance :math:`T`,

.. math::

    y_i = X_i \beta + Z_i b_i + \varepsilon_i, \qquad
    b_i \sim N(0, \sigma^2 T), \quad \varepsilon_i \sim N(0, \sigma^2 I)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..errors import DataError, OptionError, listing, meant
from ..models.columns import INTERCEPT, Column, column_of
from ..models.least_squares import independent
from ..moments import Moments, names_of
from .likelihood import (
    DEPENDENT,
    Model,
    Sums,
    eliminate,
    gathered,
    minimise,
    sums_of,
    told,
    without_nothing,
)

__all__ = ["Covariance", "Method", "MixedFit", "fit_mixed", "inverse"]

Array = npt.NDArray[np.float64]
Covariance = Literal["unstructured", "diagonal"]
Method = Literal["reml", "ml"]


@dataclass(frozen=True, eq=False)
class MixedFit:
    """A fitted mixed model.

    Attributes
    ----------
    names, random : tuple of Column
        Fixed and random coefficients, the intercept first where there is one.
    beta, df : ndarray, shape (p,)
        Fixed effects and their Satterthwaite degrees of freedom.
    vcov : ndarray, shape (p, p)
        Covariance of ``beta``, model-based.
    theta : ndarray
        Lower Cholesky factor of ``cov / sigma2`` by columns (its diagonal, if ``"diagonal"``).
    cov : ndarray, shape (q, q)
        Covariance of the random effects.
    components_vcov : ndarray, shape (m, m)
        Asymptotic covariance of the lower triangle of ``cov``, by rows, then ``sigma2``.
    sigma2, loglik : float
        Residual variance; log-likelihood, restricted with REML.
    n : int
    units : pandas.Index
    blups : ndarray, shape (units, q)
        Predicted random effects.
    blup_cov : ndarray, shape (units, q, q)
        Their covariance given the data and the estimated parameters.
    fixed_variance, random_variance : float
        Variance over rows of the fixed part; mean over rows of that of the random part.
    levels : tuple of str
        Whether each fixed column varies between units, within units, or both.
    zero : tuple of Column
        Random effects whose variance is estimated at zero.
    singular, converged : bool
        Whether ``cov`` is on its boundary; whether the derivative was followed to zero.
    condition : float
        Condition number of the scaled, centred design.
    """

    names: tuple[Column, ...]
    random: tuple[Column, ...]
    beta: Array
    vcov: Array
    df: Array
    theta: Array
    cov: Array
    components_vcov: Array
    sigma2: float
    loglik: float
    n: int
    units: pd.Index[Any]
    blups: Array
    blup_cov: Array
    fixed_variance: float
    random_variance: float
    levels: tuple[str, ...]
    zero: tuple[Column, ...]
    singular: bool
    converged: bool
    condition: float
    method: Method
    covariance: Covariance
    y: Column
    unit: str
    left_out: int
    model: Model = field(repr=False)
    factor: Array = field(repr=False)

    @property
    def parameters(self) -> int:
        """Number of parameters: fixed effects, (co)variances, residual variance."""
        return len(self.beta) + len(self.theta) + 1


def fit_mixed(
    cells: Moments,
    y: Column | str,
    x: Sequence[Column | str],
    random: Sequence[Column | str] = (),
    *,
    unit: str,
    intercept: bool = True,
    random_intercept: bool = True,
    covariance: Covariance = "unstructured",
    method: Method = "reml",
) -> MixedFit:
    r"""Fit a linear mixed model with random effects of units by (restricted) maximum likelihood.

    With :math:`V = I + Z T Z'` over all rows, N = n (ML) or n - p (REML) and
    :math:`r^2 = (y - X\hat\beta)'V^{-1}(y - X\hat\beta)`, T minimises

    .. math:: \log|V| + N (1 + \log(2\pi r^2 / N)) \;[\, + \log|X'V^{-1}X| \text{ with REML}\,]

    Parameters
    ----------
    cells : Moments
        Sums of ``x`` and ``y`` by unit, without weights.
    y : Column or str
    x : sequence of Column or str
        Columns with a fixed slope; may be none.
    random : sequence of Column or str
        Those of ``x`` whose slope also varies between units.
    unit : str
        The key of the units.
    intercept, random_intercept : bool
    covariance : {"unstructured", "diagonal"}
        Whether random effects may correlate. Without correlation, where a random slope's column
        has its zero is part of the model.
    method : {"reml", "ml"}

    Returns
    -------
    MixedFit

    Raises
    ------
    DataError
        Constant or collinear columns, random effects that the data do not identify (all named), an
        outcome reproduced exactly.
    OptionError
        No random effect, a random term that is not in ``x``, unknown options, weights.

    Notes
    -----
    Assumes normal random effects, independent of X, and residuals that are normal, independent and
    of one variance. Not checked: all of these; a column that differs both between and within units
    mixes two slopes. Degrees of freedom are :math:`2 v^2 / (g'Ag)` for a coefficient of variance v,
    with g its gradient in the variance parameters and A their asymptotic covariance; directions
    in which T is on its boundary are left out. Bates, Mächler, Bolker and Walker (2015),
    https://doi.org/10.18637/jss.v067.i01; Kuznetsova, Brockhoff and Christensen (2017),
    https://doi.org/10.18637/jss.v082.i13. Checked against lme4 1.1-31 and lmerTest 3.1-3.

    Examples
    --------
    >>> import pandas as pd
    >>> from eecx.moments import Moments
    >>> frame = pd.DataFrame({"store": list("aaabbbccc"), "y": [1.0, 2, 3, 3, 5, 4, 7, 8, 9]})
    >>> fit = fit_mixed(
    ...     Moments.from_frame(frame, keys=["store"], terms=["y"]), "y", [], unit="store"
    ... )
    >>> round(float(fit.beta[0]), 3), round(float(fit.cov[0, 0]), 3), round(fit.sigma2, 3)
    (4.667, 9.0, 1.0)
    """
    x, random = ([column_of(c) for c in names_of(given)] for given in (x, random))
    y, cells = column_of(y), replace(cells, terms=tuple(column_of(c) for c in cells.terms))
    _refuse_options(x, random, intercept, random_intercept, covariance, method)
    cells.require_keys([unit])
    cells = cells.select([*x, y])
    if list(cells.keys.columns) != [unit] or not cells.keys[unit].is_unique:
        cells = cells.collapse([unit])
    if not np.array_equal(cells.w, cells.n):
        raise OptionError(
            "Mixed models take no weights.",
            code="weights-effects",
            fix="Make the Moments without weight=.",
        )
    about_zero = covariance == "diagonal" or not random_intercept
    sums = sums_of(cells, x, random, intercept, random_intercept, about_zero)
    _refuse_unidentified(sums, y, unit, covariance)
    free = sums.n - (len(sums.names) if method == "reml" else 0)
    whole = Model(sums, free, method == "reml", covariance == "diagonal")
    model = replace(whole, sums=gathered(sums))
    factor, converged = minimise(model)
    factor, singular = without_nothing(model, factor)
    found = _described(whole, factor)
    return MixedFit(
        **found,
        names=sums.names,
        random=sums.random,
        n=int(sums.n),
        units=pd.Index(cells.keys[unit]),
        levels=sums.levels,
        singular=singular,
        converged=converged,
        condition=sums.condition,
        method=method,
        covariance=covariance,
        y=y,
        unit=unit,
        left_out=cells.left_out,
        model=model,
        factor=factor,
    )


def _refuse_options(
    x: list[Column],
    random: list[Column],
    intercept: bool,
    random_intercept: bool,
    covariance: object,
    method: object,
) -> None:
    for name, given, accepted in (
        ("covariance", covariance, get_args(Covariance)),
        ("method", method, get_args(Method)),
    ):
        if given not in accepted:
            raise OptionError(
                f"{name}={given!r}: accepted are {listing(accepted)}.",
                code="not-accepted",
                fix=meant(given, accepted) or f"Take {name}={accepted[0]!r}.",
            )
    if not x and not intercept:
        raise OptionError(
            "The model has no fixed effect:",
            code="no-terms",
            fix="keep the intercept or add a term.",
        )
    if not random and not random_intercept:
        raise OptionError(
            "No random effect:",
            code="no-terms",
            fix="name a random term, or keep the random intercept.",
        )
    if strange := [str(c) for c in random if c not in x]:
        raise OptionError(
            f"The random term {listing(strange)} has no fixed slope.",
            code="no-such-term",
            fix="Put it among the terms of the model: random slopes vary about it.",
        )


def _refuse_unidentified(sums: Sums, y: Column, unit: str, covariance: Covariance) -> None:
    p, q, groups = len(sums.names), len(sums.random), sums.r.shape[2]
    if sums.n == groups:
        raise DataError(
            f"Every {unit} has one row: what differs between units cannot be told from what "
            "differs within them.",
            code="single-wave-units",
            fix="Is unit= the column of the row?",
        )
    for j, name in enumerate(sums.random):
        if not sums.r[j, j].any():
            before = listing(str(t) for t in sums.random[:j] if t != INTERCEPT)
            why = f"a combination of {before} in every unit" if before else "constant in every unit"
            one = sums.levels[sums.names.index(name)] == "between units"
            raise DataError(
                f"The random slope of {name!r} is not identified: the column is "
                f"{'constant in every unit' if one else why}.",
                code="not-identified",
                fix="Take it out of the random terms.",
            )
    kept = independent(sums.rest[:-1, :-1], np.full(p, np.sqrt(sums.n)))
    inside, across = sums.rest[:-1, :-1][np.ix_(kept, kept)], sums.rest[:-1, -1][kept]
    left = sums.n - sums.rank - kept.sum()
    rest = float(sums.rest[-1, -1] - across @ np.linalg.solve(inside, across))
    if left <= 0:
        raise DataError(
            f"The random effects take up all that varies within units: {sums.n:.0f} rows of "
            f"{groups} units leave no degree of freedom.",
            code="too-few-rows",
            fix="Take out random terms.",
        )
    if rest <= 1e-13 * sums.n:
        raise DataError(
            f"Within units the terms reproduce {y!r} exactly: no residual variance is left.",
            code="perfect-fit",
            fix="Is it computed from them, or constant in each unit?",
        )
    needed = q if covariance == "diagonal" else q * (q + 1) // 2
    if groups < max(2, needed) or sums.rank + kept.sum() <= p:
        raise DataError(
            f"{groups} units are too few for {needed} (co)variance{'s' * (needed > 1)} of random "
            f"effects beside {p} fixed coefficients.",
            code="too-few-units",
            fix="Take out terms.",
        )


def _described(model: Model, factor: Array) -> dict[str, Any]:
    """Return the estimates in the units of the columns given."""
    sums, point = model.sums, model.at(factor)
    sigma2 = model.sigma2(point, factor)
    slopes, e = model.slopes(point, factor, sigma2), point.residual
    t, sigma, given = factor @ factor.T, np.sqrt(sigma2), sigma2 * sums.scale**2
    bread = np.linalg.inv(point.m[:-1, :-1])
    vcov = sigma2 * sums.move @ bread @ sums.move.T
    # asymptotic covariance of the elements of F and sigma; then gradients in them
    cross = -2 * slopes.rss / sigma**3
    hessian = np.block([[slopes.hessian, cross[:, None]], [cross, 4 * model.free / sigma2]])
    spread = 2 * inverse(hessian)
    moved = sums.move @ bread
    change = -sigma2 * np.einsum("js,kst,jt->jk", moved, slopes.m[:, :-1, :-1], moved)
    change = np.column_stack([change, 2 * np.diag(vcov) / sigma])
    cov = sigma2 * sums.lift @ t @ sums.lift.T
    parts = [*(sigma2 * sums.lift @ slopes.turns @ sums.lift.T), 2 / sigma * cov]
    jacobian = np.array([[*part[np.tril_indices(len(t))], 0.0] for part in parts])
    jacobian[-1, -1] = 2 * sigma * sums.scale**2
    beta = sums.move @ -e[:-1]
    beta[: INTERCEPT in sums.names] += sums.centre
    inner, _, u = point.seen()
    kept = t[..., None] - np.einsum("ab,bcg,cd->adg", t, inner, t, optimize=True)
    known = told(sums)
    unit_error = sums.lift**2 @ (sigma2 / np.diag(known)) * sums.r.shape[2]
    zero = np.diag(cov) <= 1e-6 * unit_error
    deviance = model.deviance(point, sigma2) + 2 * model.free * np.log(sums.scale)
    return {
        "beta": beta,
        "vcov": vcov,
        "df": 2 * np.diag(vcov) ** 2 / np.einsum("jk,kl,jl->j", change, spread, change),
        "theta": np.sqrt(np.diag(cov) / given) if model.diagonal else _lower(cov / given),
        "cov": cov,
        "components_vcov": jacobian.T @ spread @ jacobian,
        "sigma2": given,
        "loglik": -deviance / 2 - model.reml * sums.log_scales,
        "blups": (sums.lift @ (t @ u)).T,
        "blup_cov": sigma2 * np.einsum("ab,bcg,dc->gad", sums.lift, kept, sums.lift, optimize=True),
        "fixed_variance": float(e[:-1] @ sums.spread @ e[:-1]) * sums.scale**2,
        "random_variance": given * float(np.sum(known * t)) / sums.n,
        "zero": tuple(name for name, none in zip(sums.random, zero, strict=True) if none),
    }


def inverse(hessian: Array) -> Array:
    """Return a generalised inverse of a Hessian; turns of F have no curvature and are left out."""
    scale = np.sqrt(np.abs(np.diag(hessian)).clip(1e-300))
    size, axes = np.linalg.eigh(hessian / np.outer(scale, scale))
    kept = size > 1e-9 * size.max()
    axes = axes[:, kept] / scale[:, None]
    return np.asarray(axes / size[kept] @ axes.T)


def _lower(t: Array) -> Array:
    """Return the lower Cholesky factor of a matrix that may be singular, by columns."""
    rows = t[..., None].copy()
    eliminate(rows.copy(), rows, DEPENDENT * np.diag(t)[:, None])
    return np.concatenate([rows[j:, j, 0] for j in range(len(t))])
