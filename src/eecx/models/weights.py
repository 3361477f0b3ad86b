r"""Weights of rows: what they mean, and those of means whose sampling variance is known.

============  ============================================  =====================================
kind          a row's weight is                             errors
============  ============================================  =====================================
precision     the inverse of its variance, up to a factor   any; classical ones rest on it
sampling      how many of the population it stands for      robust ones only
frequency     how many equal rows it stands for             as if these rows were written out
variance      :math:`1/(\tau^2 + v_i)`, with :math:`v_i`    any; classical ones rest on it
              its sampling variance given
============  ============================================  =====================================

A unit's mean differs from what the model says by sampling error, of variance :math:`v_i`, and by
what the model does not know of the unit, of variance :math:`\tau^2`. Weights :math:`1/v_i` leave
the second out: they give large units nearly all weight, and errors that are too small (Lewis and
Linzer, 2005). Least squares without weights tells :math:`\tau^2` first, by the sum of squared
residuals and the hat matrix h (Hedges' estimator for regressions on published effects):

.. math:: \hat\tau^2 = \max\Big(0, \frac{\sum e_i^2 - \sum v_i (1 - h_{ii})}{N - K}\Big)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from ..errors import DataError, OptionError
from ..panel import Panel
from .capabilities import KINDS, Kind, accept

__all__ = [
    "Kind",
    "Weighting",
    "by_variance",
    "remaining_variance",
    "weight_column",
    "weighting",
]

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Weighting:
    """What a column of weights means. Without a column: the outcome's own sampling variances."""

    kind: Kind
    column: str | None

    def said(self, tau2: float | None = None) -> str:
        """Return a phrase for a paper."""
        column = self.column
        named = "" if column is None else f" ({column})"
        return {
            "precision": f"weighted by {column} (inverse variances)",
            "sampling": f"weighted by {column} (sampling weights)",
            "frequency": f"each row counted {column} times",
            "variance": "weighted by 1/(tau2 + v), with v the sampling variances of the outcome"
            f"{named} and tau2 = {tau2 or 0:.3g} estimated",
        }[self.kind]

    @property
    def spec(self) -> dict[str, str | None]:
        """The argument as it was given."""
        return {self.kind: self.column}


def weighting(given: Mapping[Kind, str] | Literal["variance"] | None) -> Weighting | None:
    """Read ``weights=``: the kind, and the column."""
    if given is None:
        return None
    if given == "variance":
        return Weighting("variance", None)
    if not isinstance(given, Mapping) or len(given) != 1:
        raise OptionError(
            f"weights={given!r}: say what the column's weights are.",
            code="weights",
            fix="Take weights={'precision': 'w'} (inverse variances), {'sampling': 'w'} (people of "
            "the population that a row stands for), {'frequency': 'w'} (equal rows) or "
            "{'variance': 'v'} (sampling variances of the outcome; of a Panel of surveys: "
            "weights='variance').",
        )
    ((kind, column),) = given.items()
    accept("kind of weights", kind, KINDS)
    if not isinstance(column, str):
        raise OptionError(
            f"weights={dict(given)!r}: the name of one column.",
            code="column-name",
            fix="Name the column that holds the weights.",
        )
    return Weighting(kind, column)


def weight_column(panel: Panel, given: Weighting, outcome: str) -> Array:
    """Return the column of weights, or of sampling variances, NaN where one is missing."""
    if given.column is None:
        values = panel.variance.get(outcome)
        if values is None or values.isna().all():
            raise DataError(
                f"weights='variance' needs sampling variances of {outcome!r}, which this "
                "panel does not have.",
                code="unknown-variance",
                fix="Link surveys, or give weights={'variance': 'v'}, a column.",
            )
        name = f"sampling variance of {outcome}"
        found = np.asarray(values, dtype=float)
    else:
        name = given.column
        panel.require(name, "weights")
        if panel.frame[name].dtype.kind not in "iufb":
            raise DataError(
                f"Weights {name!r} are not numbers.",
                code="not-numbers",
                fix="Name a numeric column.",
            )
        found = panel.frame[name].to_numpy(float)
    wrong = (found < 0) | np.isinf(found) if given.kind == "variance" else ~(found > 0)
    wrong &= ~np.isnan(found)
    if wrong.any():
        what = "negative" if given.kind == "variance" else "zero or negative"
        raise DataError(
            f"{name!r}, given as {given.kind} weights, is {what} in {wrong.sum()} rows (first "
            f"{_place(panel, int(wrong.argmax()))}).",
            code="bad-weight",
            fix="Leave these rows out, or correct them.",
        )
    if given.kind == "frequency" and (part := np.mod(found, 1) > 0).any():
        raise DataError(
            f"{name!r}, given as frequency weights, is not whole in {part.sum()} rows (first "
            f"{_place(panel, int(part.argmax()))}).",
            code="bad-weight",
            fix="Is it of kind 'sampling' or 'precision'?",
        )
    return found


def _place(panel: Panel, row: int) -> str:
    where = panel.frame.iloc[row]
    wave = f", wave {where[panel.wave]}" if panel.wave else ""
    return f"unit {where[panel.unit]}{wave}"


def remaining_variance(rows: Array, variance: Array, groups: npt.NDArray[np.intp] | None) -> float:
    r"""Return :math:`\hat\tau^2` of the rows' first column given the others.

    ``groups`` are the units, numbered without gaps, whose effects the model takes out.
    """
    groups = np.zeros(len(rows), dtype=np.intp) if groups is None else groups
    size = np.bincount(groups)
    means = np.stack([np.bincount(groups, column) for column in rows.T]).T / size[:, None]
    x, absorbed = rows - means[groups], 1 / size[groups]
    scale = np.sqrt((x**2).sum(axis=0))
    base, r = np.linalg.qr(x[:, 1:] / np.where(scale[1:] > 0, scale[1:], 1.0))
    base = base[:, np.abs(np.diag(r)) > 1e-8]
    residual = x[:, 0] - base @ (base.T @ x[:, 0])
    left = 1 - absorbed - (base**2).sum(axis=1)
    free = float(left.sum())  # the trace: rows less all parameters
    if free < 0.5:
        raise DataError(
            f"{len(rows)} rows leave no degree of freedom to tell what sampling error does not "
            "explain.",
            code="too-few-rows",
            fix="Take weights of kind 'precision', or fewer terms.",
        )
    return max((float(residual @ residual) - float(variance @ left)) / free, 0.0)


def by_variance(
    rows: Array, variance: Array, unit: npt.NDArray[np.intp], effects: str
) -> tuple[float, Array]:
    r"""Return :math:`\hat\tau^2` and weights :math:`1/(\hat\tau^2 + v)` of mean one.

    They are weights of rows; of units' means between units.
    """
    if effects == "between":
        size = np.bincount(unit)
        rows = np.stack([np.bincount(unit, column) / size for column in rows.T]).T
        variance = np.bincount(unit, variance) / size**2
    tau2 = remaining_variance(rows, variance, unit if effects in ("within", "two-way") else None)
    if tau2 == 0 and (variance == 0).any():
        raise DataError(
            "Rows without sampling variance, and no variance beyond it in the others: weights "
            "1/v are infinite.",
            code="bad-weight",
            fix="Check the column of variances.",
        )
    weight = 1 / (tau2 + variance)
    return tau2, weight / weight.mean()
