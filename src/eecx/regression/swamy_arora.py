r"""Variance components of the random-effects model by Swamy and Arora, from sums per unit.

:math:`\hat\sigma_e^2` comes from the regression within units; the residuals :math:`q_b` of the
regression between units, weighted by the waves :math:`T_i`, hold both components:

.. math:: \hat\sigma_u^2 = \frac{q_b - (G - K - 1)\,\hat\sigma_e^2}
          {N - \operatorname{tr}[(\sum_i T_i z_i z_i')^{-1} \sum_i T_i^2 z_i z_i']}

with :math:`z_i = (1, \bar x_i)`. The trace makes it unbiased for units with unequal numbers of
waves (Baltagi and Chang, 1994). GLS is least squares on :math:`x_{it} - \theta_i \bar x_i` with
:math:`\theta_i = 1 - \sqrt{\sigma_e^2/(\sigma_e^2 + T_i \sigma_u^2)}`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..errors import DataError
from ..moments import Moments
from .linear import independent, least_squares

__all__ = ["Components", "components"]

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Components:
    """Variance within units over time, between units, and θ per unit."""

    within: float
    between: float
    theta: Array


def components(units: Moments, y: str, x: Sequence[str]) -> Components:
    """Return the components of ``y ~ x``; ``units`` has one cell per unit, centred at will."""
    n, g = float(units.n.sum()), len(units.n)
    away = units.cross.sum(axis=0)
    at = [units.terms.index(name) for name in x]
    spread = np.sqrt(np.diag(away)[at])
    noise = 1e-12 * np.sqrt(n) * np.abs(units.mean[:, at]).max(axis=0, initial=0.0)
    kept = independent(away[np.ix_(at, at)], np.where(spread > noise, spread, 0.0))
    moving = [name for name, is_kept in zip(x, kept, strict=True) if is_kept]
    free = n - g - len(moving)
    if free < 1:
        raise DataError(
            f"{n:.0f} rows of {g} units: too few waves per unit to tell units from waves."
        )
    level = units.within(units.keys.columns[0]).collapse()
    rss = least_squares(level, y, moving, intercept=False).rss if moving else away[-1, -1]
    if not moving:
        rss = float(away[units.terms.index(y), units.terms.index(y)])
    within = float(rss) / free
    z = np.column_stack([np.ones(g), units.mean[:, at]])
    k = z.shape[1]
    if g <= k:
        raise DataError(f"{g} units for {k} parameters between units: too few.")
    weight = units.n
    whole = (z * weight[:, None]).T @ z
    own = units.mean[:, units.terms.index(y)]
    slopes = np.linalg.lstsq(z * np.sqrt(weight)[:, None], own * np.sqrt(weight), rcond=None)[0]
    quadratic = float(weight @ (own - z @ slopes) ** 2)
    trace = float(np.trace(np.linalg.solve(whole, (z * weight[:, None] ** 2).T @ z)))
    between = max((quadratic - (g - k) * within) / (n - trace), 0.0)
    theta = 1 - np.sqrt(within / (within + weight * between))
    return Components(within, between, theta)
