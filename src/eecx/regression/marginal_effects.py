r"""Average marginal effects: what a predictor does to the expected outcome, averaged over rows.

Of a number it is the slope of the expected outcome in that column, through every term that the
column is in (products and powers too); of a category, the change of the expected outcome if all
rows had a level rather than the first. With :math:`\mu = g^{-1}(x'\beta)` and rows' shares w,

.. math:: \sum_i w_i \frac{\partial \mu_i}{\partial z_i}, \qquad
          \sum_i w_i \,\big(\mu_i(\text{level}) - \mu_i(\text{first level})\big)

Errors are those of the delta method: the gradient in :math:`\beta` on both sides of the covariance.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from .. import formula as grammar
from ..models.inference import estimates_table
from ..models.inputs import Inputs, given_term, with_columns
from ..panel import level_label

__all__ = ["marginal_effects"]

Array = npt.NDArray[np.float64]


def marginal_effects(
    inputs: Inputs,
    values: pd.DataFrame,
    beta: Array,
    vcov: Array,
    *,
    share: Array,
    poisson: bool,
    df: float,
    conf_level: float,
) -> pd.DataFrame:
    """Return a row per column of numbers and per level of a category.

    ``values`` holds the columns of the rows; ``beta`` and ``vcov`` are the slopes' and, first, the
    constant's.
    """
    w = share / share.sum()

    def whole(rows: pd.DataFrame) -> Array:
        return np.column_stack([np.ones(len(rows)), inputs.evaluate(rows)])

    own = whole(values)
    labels, effects, gradients = [], [], []
    for column in inputs.columns:
        if column in inputs.levels:
            first, *others = (
                whole(with_columns(values, {column: k})) for k in inputs.levels[column]
            )
            for level, moved in zip(inputs.levels[column][1:], others, strict=True):
                (mu, slope, _), (mu0, slope0, _) = (
                    _expected(x @ beta, poisson) for x in (moved, first)
                )
                labels.append(f"{grammar.Category(column).label}[{level_label(level)}]")
                effects.append(w @ (mu - mu0))
                gradients.append((w * slope) @ moved - (w * slope0) @ first)
        else:
            _, slope, bend = _expected(own @ beta, poisson)
            along = np.column_stack([np.zeros(len(own)), _derivative(inputs, values, column)])
            labels.append(column)
            effects.append((w * slope) @ (along @ beta))
            gradients.append((w * bend * (along @ beta)) @ own + (w * slope) @ along)
    jacobian = np.array(gradients)
    se = np.sqrt(np.einsum("ij,jk,ik->i", jacobian, vcov, jacobian))
    freedom = np.where(np.isnan(se), np.nan, df)
    return estimates_table(labels, np.array(effects), se, freedom, conf_level)


def _expected(eta: Array, poisson: bool) -> tuple[Array, Array, Array]:
    """Return the expected outcome and its first and second derivative in the linear predictor."""
    if poisson:
        mu = np.exp(eta)
        return mu, mu, mu
    mu = 1 / (1 + np.exp(-eta))
    return mu, mu * (1 - mu), mu * (1 - mu) * (1 - 2 * mu)


def _derivative(inputs: Inputs, values: pd.DataFrame, name: str) -> Array:
    """Return the derivative of every column of the design in one column of the data."""
    out = np.zeros((len(values), len(inputs.slopes)))
    for term in inputs.terms:
        at = [i for i, column in enumerate(inputs.slopes) if given_term(column.term) == term]
        for i, factor in enumerate(term.factors):
            if factor.column != name:
                continue
            power = factor.exponent if isinstance(factor, grammar.Power) else 1
            rest = [f for j, f in enumerate(term.factors) if j != i]
            if power > 1:
                rest.append(grammar.Power(name, power - 1) if power > 2 else grammar.Name(name))
            if rest:
                left = grammar.Term(tuple(rest))
                slopes = tuple(replace(inputs.slopes[j], term=left) for j in at)
                out[:, at] += power * replace(inputs, slopes=slopes).evaluate(values)
            else:
                out[:, at] += 1.0
    return out
