r"""Variance components of the random-effects model by Swamy and Arora, from sums per unit.

:math:`\hat\sigma_e^2` comes from the regression within units; the residuals :math:`q_b` of the
regression between units, weighted by the waves :math:`T_i`, hold both components:

.. math:: \hat\sigma_u^2 = \frac{q_b - (G - K - 1)\,\hat\sigma_e^2}
          {N - \operatorname{tr}[(\sum_i T_i z_i z_i')^{-1} \sum_i T_i^2 z_i z_i']}

with :math:`z_i = (1, \bar x_i)`. The trace makes it unbiased for units with unequal numbers of
waves (Baltagi and Chang, 1994). GLS is least squares on :math:`x_{it} - \theta_i \bar x_i` with
:math:`\theta_i = 1 - \sqrt{\sigma_e^2/(\sigma_e^2 + T_i \sigma_u^2)}`.

References
----------
Swamy, P. A. V. B., & Arora, S. S. (1972). The exact finite sample properties of the estimators of
coefficients in the error components regression models. Econometrica, 40(2), 261–275.
https://doi.org/10.2307/1909405
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..errors import DataError
from ..moments import Moments
from .columns import Column
from .least_squares import independent, least_squares

__all__ = ["Between", "Components", "between", "components", "moving"]

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Components:
    """Variance within units over time, between units, and between waves if that is modelled."""

    within: float
    between: float
    waves: float | None = None

    def theta(self, size: Array) -> Array:
        """Return the part of its mean that is taken off a unit of so many waves."""
        return np.asarray(1 - np.sqrt(self.within / (self.within + size * self.between)))


@dataclass(frozen=True)
class Between:
    """The regression between groups, weighted by their rows.

    Its residual sum of squares is expected to be ``free`` times the variance within plus ``own``
    times that of the groups' own effects. ``basis`` spans its weighted columns.
    """

    rss: float
    free: int
    own: float
    basis: Array


def between(y: Array, x: Array, size: Array, largest: Array) -> Between:
    """Regress means of groups (g,) on means (g, k); ``largest`` value of a column tells its noise.

    Columns that the constant or the columns before them determine count for nothing.
    """
    n, root = float(size.sum()), np.sqrt(size)
    away = root[:, None] * (x - size @ x / n)
    kept = moving(away.T @ away, n, largest)
    scaled = away[:, kept] / np.linalg.norm(away[:, kept], axis=0)
    basis = np.column_stack([root / np.sqrt(n), np.linalg.qr(scaled)[0]])
    left = root * (y - size @ y / n)
    left -= basis @ (basis.T @ left)
    own = n - float(size @ (basis**2).sum(axis=1))
    return Between(float(left @ left), len(size) - basis.shape[1], own, basis)


def moving(cross: Array, n: float, largest: Array) -> npt.NDArray[np.bool_]:
    """Return which columns vary, by more than rounding, and not with the columns before them."""
    spread = np.sqrt(np.diag(cross))
    return independent(cross, np.where(spread > 1e-12 * np.sqrt(n) * largest, spread, 0.0))


def components(units: Moments, y: Column, x: Sequence[Column]) -> Components:
    """Return the components of ``y ~ x``; ``units`` has one cell per unit, centred at will."""
    n, g = float(units.n.sum()), len(units.n)
    away = units.cross.sum(axis=0)
    at, own = [units.terms.index(name) for name in x], units.terms.index(y)
    largest = np.abs(units.mean[:, at]).max(axis=0, initial=0.0)
    kept = moving(away[np.ix_(at, at)], n, largest)
    names = [name for name, is_kept in zip(x, kept, strict=True) if is_kept]
    free = n - g - len(names)
    if free < 1:
        raise DataError(
            f"{n:.0f} rows of {g} units: too few waves per unit to tell units from waves.",
            code="too-few-waves",
            fix="Take effects='between' or 'pooled'.",
        )
    rss = float(away[own, own])
    if names:
        level = units.within(units.keys.columns[0]).collapse()
        rss = least_squares(level, y, names, intercept=False).rss
    within = rss / free
    means = units.away_from(units.collapse().mean[0])
    found = between(means[:, own], means[:, at], units.n, largest)
    if found.free < 1:
        raise DataError(
            f"{g} units for {found.basis.shape[1]} parameters between units: too few.",
            code="too-few-units",
            fix="Take fewer terms, or effects='within' or 'pooled'.",
        )
    return Components(within, max((found.rss - found.free * within) / found.own, 0.0))
