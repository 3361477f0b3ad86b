"""Predictions of mixed models: of the fixed part, for units at large."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from .. import formula as grammar
from ..models.inputs import inputs_of
from ..models.predictor import Predictor
from ..models.work import Work
from .random_effects import MixedFit, inverse

__all__ = ["MixedErrors", "predictor_of_mixed"]

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class MixedErrors:
    """Errors of combinations of a mixed model's fixed effects, Satterthwaite df with gradients."""

    by_likelihood: ClassVar[bool] = True

    fit: MixedFit

    def expected(self, combine: Array) -> tuple[Array, Array]:
        """Return the variance of each combination, and its df, as lmerTest's contest."""
        variance, slope, _, spread = self._with_gradient(combine)
        return variance, 2 * variance**2 / np.einsum("cj,jk,ck->c", slope, spread, slope)

    def new(self, combine: Array) -> tuple[Array, Array]:
        """Return the variance of one row of a new unit, and its Satterthwaite df."""
        fit = self.fit
        variance, slope, turns, spread = self._with_gradient(combine)
        z = combine[:, [fit.names.index(name) for name in fit.random]]
        whole = variance + np.einsum("ca,ab,cb->c", z, fit.cov, z) + fit.sigma2
        slope = slope + np.einsum("ca,jab,cb->cj", z, turns, z)
        slope[:, -1] += 2 * np.sqrt(fit.sigma2) * fit.model.sums.scale
        return whole, 2 * whole**2 / np.einsum("cj,jk,ck->c", slope, spread, slope)

    def _with_gradient(self, combine: Array) -> tuple[Array, Array, Array, Array]:
        """Return c'Vc, its gradient in the variance parameters, and what else df are made of.

        That is the gradient of the random effects' covariance, and the parameters' own covariance.
        """
        fit, model, sums = self.fit, self.fit.model, self.fit.model.sums
        point = model.at(fit.factor)
        sigma2 = model.sigma2(point, fit.factor)
        slopes, sigma = model.slopes(point, fit.factor, sigma2), np.sqrt(sigma2)
        variance = np.einsum("ij,jk,ik->i", combine, fit.vcov, combine)
        moved = combine @ sums.move @ np.linalg.inv(point.m[:-1, :-1])
        slope = -sigma2 * np.einsum("cs,kst,ct->ck", moved, slopes.m[:, :-1, :-1], moved)
        turns = [*(sigma2 * sums.lift @ slopes.turns @ sums.lift.T), 2 / sigma * fit.cov]
        cross = -2 * slopes.rss / sigma**3
        hessian = np.block([[slopes.hessian, cross[:, None]], [cross, 4 * model.free / sigma2]])
        gradient = np.column_stack([slope, 2 * variance / sigma])
        return variance, gradient, np.array(turns), 2 * inverse(hessian)


def predictor_of_mixed(model: grammar.Formula, work: Work, fit: MixedFit) -> Predictor:
    """Return the predictor of a mixed model: of its fixed part, for units at large."""
    inputs = inputs_of(work.source, model, fit.names, "mixed")
    return Predictor("mixed", model, fit.names, fit.beta, inputs, MixedErrors(fit))
