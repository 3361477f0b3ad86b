r"""Random effects of units and of waves: variance components and GLS weights, without gaps or with.

The model is :math:`y_{it} = \alpha + x_{it}'\beta + u_i + v_t + \varepsilon_{it}`, so that

.. math:: \Omega = \sigma_e^2 I + \sigma_u^2 Z_u Z_u' + \sigma_v^2 Z_v Z_v' .

:math:`\hat\sigma_e^2` comes from the regression within units and waves. The residual sums of
squares of the regressions between units and between waves, weighted by their rows, are expected to
be (with :math:`G` units, :math:`M_u = P_u - P_u Z (Z'P_u Z)^{-1} Z'P_u` and :math:`Z = (1, X)`)

.. math:: E\, y'M_u y = (G - K - 1)\,\sigma_e^2 + \operatorname{tr}(Z_u'M_u Z_u)\,\sigma_u^2
          + \operatorname{tr}(Z_v'M_u Z_v)\,\sigma_v^2

and likewise for waves: two equations in two variances. On a balanced panel each holds one of them,
which is the method of Swamy and Arora (1972).

GLS is least squares on rows weighted by a root of :math:`\Omega^{-1}`. With
:math:`A = I + (\sigma_u^2/\sigma_e^2) Z_u Z_u'`, the covariance of unit effects alone,
:math:`W = A^{-1/2} Z_v` and :math:`r = \sigma_v^2/\sigma_e^2` it is

.. math:: (I + r W W')^{-1/2} A^{-1/2}
          = \Big(I - W V \operatorname{diag}\Big[\frac{r}{s_j (s_j + 1)}\Big] V' W'\Big) A^{-1/2},
          \qquad s_j = \sqrt{1 + r \lambda_j},

with the eigenvalues :math:`\lambda` and eigenvectors V of :math:`W'W`, waves × waves:
:math:`A^{-1/2}` takes :math:`\theta_i \bar x_i` off, and W is sums per wave. On a balanced panel
this is :math:`x_{it} - \theta_1 \bar x_i - \theta_2 \bar x_t + \theta_3 \bar x`. No matrix is
larger than units × waves. Slopes, their classical errors and the weighted sums of squares are the
same for every root.

References
----------
Swamy, P. A. V. B., & Arora, S. S. (1972). The exact finite sample properties of the estimators of
coefficients in the error components regression models. Econometrica, 40(2), 261–275.
https://doi.org/10.2307/1909405
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ..errors import DataError
from .swamy_arora import Components, between, moving

__all__ = ["Crossing", "two_way_components"]

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Crossing:
    """Which unit and wave each row is, and what each unit weighs in each wave (units × waves).

    ``weight`` is what rows weigh, one where it is None.
    """

    unit: Codes
    wave: Codes
    seen: Array
    weight: Array | None = None

    @classmethod
    def of(cls, unit: Codes, wave: Codes, weight: Array | None = None) -> Crossing:
        """Take units and waves numbered from 0, every number in use."""
        shape = int(unit.max()) + 1, int(wave.max()) + 1
        seen = np.bincount(unit * shape[1] + wave, weight, shape[0] * shape[1])
        return cls(unit, wave, seen.reshape(shape).astype(float), weight)

    @property
    def balanced(self) -> bool:
        """Whether every unit has every wave."""
        return len(self.unit) == self.seen.size

    def sums(self, x: Array) -> tuple[Array, Array]:
        """Return the weighted sums of columns per unit and per wave."""
        x = x if self.weight is None else x * self.weight[:, None]
        return _sums(x, self.unit), _sums(x, self.wave)

    @cached_property
    def root(self) -> Array:
        """A root (waves, r) of the inverse of the waves' sums of squares, units eliminated.

        The effects of waves are told up to a constant, in every set of units that share waves: r
        of them.
        """
        size = self.seen.sum(axis=1)[:, None]
        values, vectors = np.linalg.eigh(
            np.diag(self.seen.sum(axis=0)) - self.seen.T @ (self.seen / size)
        )
        told = values > 1e-10 * values.max()
        return np.asarray(vectors[:, told] / np.sqrt(values[told]), dtype=float)

    def within(self, x: Array, sums: tuple[Array, Array] | None = None) -> tuple[Array, int]:
        """Take what units and waves have in common out of columns; return how many effects it was.

        The effects solve the normal equations of dummies, those of the units eliminated first.
        ``sums`` are those of the columns, if known.
        """
        size = self.seen.sum(axis=1)[:, None]
        units, waves = self.sums(x) if sums is None else sums
        of_waves = self.root @ (self.root.T @ (waves - self.seen.T @ (units / size)))
        of_units = (units - self.seen @ of_waves) / size
        left = np.empty(x.shape[::-1]).T  # column after column
        for j, column in enumerate(x.T):
            left[:, j] = column - of_units[:, j][self.unit]
            left[:, j] -= of_waves[:, j][self.wave]
        return left, len(size) + self.root.shape[1]

    def weighted(self, x: Array, found: Components) -> Array:
        r"""Return columns times the root of :math:`(\Omega/\sigma_e^2)^{-1}` (see above)."""
        size = self.seen.sum(axis=1)
        share = (found.theta(size) / size)[:, None]
        away = x - (share * _sums(x, self.unit))[self.unit]
        if not found.waves:
            return np.asarray(away)
        # W'W, and W'x: unit effects are weighted down once more
        inner = np.diag(self.seen.sum(axis=0)) - self.seen.T @ (
            (2 - share * size[:, None]) * share * self.seen
        )
        units, waves = self.sums(away)
        pulled = waves - self.seen.T @ (share * units)
        values, vectors = np.linalg.eigh(inner)
        ratio = found.waves / found.within
        root = np.sqrt(1 + ratio * values.clip(0.0))[:, None]
        taken = vectors @ (ratio / (root * (root + 1)) * (vectors.T @ pulled))
        return np.asarray(away - taken[self.wave] + (share * (self.seen @ taken))[self.unit])


def _sums(x: Array, codes: Codes) -> Array:
    return np.stack([np.bincount(codes, column) for column in x.T], axis=1).astype(float)


def two_way_components(rows: Crossing, y: Array, x: Array, largest: Array) -> Components:
    """Return the components of y (n,) on x (n, k), both counted from their means.

    A variance that comes out negative is 0. ``largest`` are the columns' largest values before
    their means were taken off, which tell what is rounding error.
    """
    n = len(y)
    away, told = rows.within(np.column_stack([x, y]))
    kept = moving(away[:, :-1].T @ away[:, :-1], n, largest)
    columns, left = away[:, :-1][:, kept], away[:, -1]
    columns = columns / np.linalg.norm(columns, axis=0)
    left = left - columns @ np.linalg.lstsq(columns, left, rcond=None)[0]
    free = n - told - int(kept.sum())
    units, waves = rows.seen.shape
    if free < 1:
        raise DataError(
            f"{n} rows of {units} units and {waves} waves: too few to tell units and waves from "
            "the rest.",
            code="too-few-rows",
            fix="Use effects='random' or 'pooled'.",
        )
    within = float(left @ left) / free
    if within <= 1e-13 * float(y @ y) / n:
        raise DataError(
            "Terms, units and waves reproduce the outcome exactly: no error is left to weigh them "
            "by.",
            code="perfect-fit",
            fix="Use effects='two-way'.",
        )
    found, other = [], []
    for sums, seen, what in zip(
        rows.sums(np.column_stack([x, y])),
        (rows.seen, rows.seen.T),
        ("units", "waves"),
        strict=True,
    ):
        size = seen.sum(axis=1)
        means = sums / size[:, None]
        own = between(means[:, -1], means[:, :-1], size, largest)
        if own.free < 1:
            raise DataError(
                f"{len(size)} {what} for {own.basis.shape[1]} parameters between {what}: too few "
                "to tell their variance.",
                code="too-few-units",
                fix="Use effects='random' or 'two-way'.",
            )
        found.append(own)
        spanned = seen.T @ (own.basis / np.sqrt(size)[:, None])
        other.append(len(size) - float((spanned**2).sum()))
    expected = np.array([[found[0].own, other[0]], [other[1], found[1].own]])
    over = np.array([f.rss - f.free * within for f in found])
    between_units, between_waves = np.linalg.solve(expected, over).clip(0.0)
    return Components(within, float(between_units), float(between_waves))
