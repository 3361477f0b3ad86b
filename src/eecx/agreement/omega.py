"""McDonald's omega: the share of a scale's variance that one common factor explains."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from .. import frames, options
from ..errors import Caution, DataError, OptionError, listing
from ..results import Result, recorded
from ..sources import people
from .alpha import UNTESTED, Coefficient, coefficients_table, consistency_figure, covariance
from .answers import Range, read_whole

__all__ = ["omega", "one_factor"]

Array = npt.NDArray[np.float64]


def omega(
    data: object,
    items: str | Sequence[str] | None = None,
    *,
    range: Range | None = None,
    reverse: Sequence[str] = (),
    conf_level: float = 0.95,
    parse: frames.Parse | None = None,
) -> Result:
    r"""Omega total of a scale under a one-factor model, which need not load equally on all items.

    With loadings :math:`\lambda_j` and residual variances :math:`\theta_j` of the model
    :math:`\Sigma = \lambda\lambda' + \mathrm{diag}(\theta)`, fitted by maximum likelihood to the
    covariances:

    .. math:: \omega = \frac{(\sum \lambda_j)^2}{(\sum \lambda_j)^2 + \sum \theta_j}

    Parameters
    ----------
    data, items, range, reverse, conf_level, parse
        As in :func:`eecx.alpha`; at least three items.

    Returns
    -------
    Result
        ``.table``: ``omega total`` with a delta-method standard error and normal interval;
        ``omega, observed variance`` (the scale's own variance below the line); ``omega, minres``
        (least squares on the correlations, for standardized items). ``.tables["loadings"]``:
        loading and residual variance per item (covariance metric, divisor n).
        ``.stats``: n (people), items, left_out; chi2, chi2_df and chi2_p of the one-factor model
        (no p with three items, which have nothing to test).

    Notes
    -----
    Omega presumes one factor and unrelated errors; a large chi-square says that it is not so. A
    residual variance at zero draws a warning. McDonald (1999), Test theory: A unified treatment.

    Examples
    --------
    >>> import eecx, numpy as np
    >>> r = np.full((3, 3), 0.5) + 0.5 * np.eye(3)
    >>> table = eecx.Moments.from_correlations(r, n=200, names=["q1", "q2", "q3"])
    >>> round(float(eecx.omega(table)["omega total"]["estimate"]), 4)
    0.75
    """
    asked = dict(locals())
    source = people(data, "omega", parse=parse, grouped=False)
    options.conf_level(conf_level)
    answers = read_whole(source, items, range=range, reverse=reverse, parse=parse)
    s, n = covariance(answers)
    if len(s) < 3:
        raise OptionError(
            f"omega needs at least three items; {answers.name} has {len(s)}.",
            code="too-few-items",
            fix="Take eecx.alpha, or name more items.",
        )
    spread = np.sqrt(np.diag(s))
    values = np.linalg.eigvalsh(s / np.outer(spread, spread))
    if values[0] < 1e-10 * values[-1]:
        raise DataError(
            f"Some items of {answers.name} follow exactly from others: no factor model can be "
            "fitted.",
            code="collinear-items",
            fix="Leave the copies out.",
        )
    s = s * (n - 1) / n
    loading, residual, chi2 = one_factor(s, n)
    value, se = _omega_and_error(loading, residual, n)
    z = -float(special.ndtri((1 - conf_level) / 2))
    spread = np.sqrt(np.diag(s))
    standard = _minres(s / np.outer(spread, spread))
    none = (np.nan, np.nan, np.nan)
    rows: list[Coefficient] = [
        ("omega total", value, se, value - z * se, min(value + z * se, 1.0)),
        ("omega, observed variance", loading.sum() ** 2 / s.sum(), *none),
        (
            "omega, minres",
            standard.sum() ** 2 / (standard.sum() ** 2 + (1 - standard**2).sum()),
            *none,
        ),
    ]
    df = len(s) * (len(s) - 3) // 2
    edge = [i for i, t, v in zip(answers.items, residual, np.diag(s), strict=True) if t < 1e-4 * v]
    cautions = []
    if edge:
        message = f"The residual variance of {listing(edge)} is at zero: an improper solution."
        cautions.append(Caution("improper-solution", message, ", ".join(edge)))
    if (loading < 0).any():
        against = [i for i, v in zip(answers.items, loading, strict=True) if v < 0]
        message, fix = f"{listing(against)} load negatively:", "should they be reversed, or not?"
        cautions.append(Caution("negative-item", message, ", ".join(against), fix=fix))
    return Result(
        "omega",
        coefficients_table(rows),
        recorded(omega, asked, data=source.fingerprint, **answers.settled(asked)),
        {
            "n": int(n),
            "items": len(s),
            "left_out": answers.left_out,
            "chi2": chi2,
            "chi2_df": df,
            "chi2_p": float(special.chdtrc(df, chi2)) if df else None,
        },
        f"Omega total of {answers.name} ({len(s)} items, {int(n)} people; one factor, maximum "
        f"likelihood) was {value:.3f} ({100 * conf_level:g}% CI {rows[0][3]:.3f} to "
        f"{rows[0][4]:.3f}).",
        tables={
            "loadings": pd.DataFrame(
                {"item": list(answers.items), "loading": loading, "residual_variance": residual}
            )
        },
        warnings=tuple(cautions),
        figure=consistency_figure,
        title=answers.name,
        unused=UNTESTED,
    )


def one_factor(s: Array, n: float) -> tuple[Array, Array, float]:
    r"""Fit :math:`\lambda\lambda' + \mathrm{diag}(\theta)` by maximum likelihood.

    Given :math:`\theta`, the best loadings follow from the first eigenvector of
    :math:`\theta^{-1/2} S \theta^{-1/2}` (Jöreskog, 1967), so that only the k logs of
    :math:`\theta` are searched. Returns loadings, residual variances and chi-square (n times the
    discrepancy).
    """
    from scipy import optimize  # slow to load, and seldom needed

    own = np.diag(s)

    def loadings(theta: Array) -> tuple[Array, Array]:
        root = np.sqrt(theta)
        values, vectors = np.linalg.eigh(s / np.outer(root, root))
        return root * vectors[:, -1] * np.sqrt(max(values[-1] - 1, 0.0)), values

    def discrepancy(log_theta: Array) -> tuple[float, Array]:
        theta = own * np.exp(log_theta)
        found, values = loadings(theta)
        rest = values[:-1] if values[-1] > 1 else values
        f = float(np.sum(rest - np.log(np.maximum(rest, 1e-300)) - 1))
        sigma = np.outer(found, found) + np.diag(theta)
        inverse = np.linalg.inv(sigma)
        slope = np.diag(inverse @ (sigma - s) @ inverse)
        return f, slope * theta

    start = np.log(np.clip(1 / np.diag(np.linalg.pinv(s)) / own, 0.05, 0.95))
    limits = [(np.log(1e-6), np.log(2.0))] * len(s)
    best = optimize.minimize(
        discrepancy,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=limits,
        options={"maxiter": 2000, "ftol": 1e-15, "gtol": 1e-10, "maxcor": 30},
    )
    theta = own * np.exp(best.x)
    found, _ = loadings(theta)
    found = found * (np.sign(found.sum()) or 1.0)
    return found, theta, n * float(best.fun)


def _omega_and_error(loading: Array, residual: Array, n: float) -> tuple[float, float]:
    """Return omega and its delta-method error from the expected information."""
    k = len(loading)
    top, below = loading.sum() ** 2, loading.sum() ** 2 + residual.sum()
    inverse = np.linalg.inv(np.outer(loading, loading) + np.diag(residual))
    change = np.zeros((2 * k, k, k))
    for i in np.arange(k):
        change[i, i] += loading
        change[i, :, i] += loading
        change[k + i, i, i] = 1.0
    scaled = inverse @ change
    information = n / 2 * np.einsum("aij,bji->ab", scaled, scaled)
    slope = np.concatenate(
        [
            np.full(k, 2 * loading.sum() * residual.sum() / below**2),
            np.full(k, -top / below**2),
        ]
    )
    variance = float(slope @ np.linalg.pinv(information) @ slope)
    return float(top / below), float(np.sqrt(max(variance, 0.0)))


def _minres(r: Array) -> Array:
    """Return loadings of one factor by least squares on the correlations off the diagonal."""
    from scipy import optimize  # slow to load, and seldom needed

    k = len(r)

    def misfit(loading: Array) -> tuple[float, Array]:
        gap = np.outer(loading, loading) - r
        np.fill_diagonal(gap, 0.0)
        return float((gap**2).sum() / 2), 2 * gap @ loading

    start = np.full(k, np.sqrt(max((r.sum() - k) / (k * (k - 1)), 0.01)))
    best = optimize.minimize(
        misfit,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=[(-1.0, 1.0)] * k,
        options={"maxiter": 2000, "ftol": 1e-16, "gtol": 1e-11},
    )
    return np.asarray(best.x * (np.sign(best.x.sum()) or 1.0), dtype=float)
