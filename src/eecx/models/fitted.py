r"""Fitted values and residuals of a model, from data that are given again.

A result keeps sums and no rows. With the coefficients :math:`\hat\beta` of the fit and the
columns x of the rows given,

.. math:: \hat y_{it} = \hat\alpha + x_{it}'\hat\beta, \qquad
          \hat y_{it} = x_{it}'\hat\beta + \hat\alpha_i\,(+\,\hat\gamma_t)

where effects of units and waves, if the model takes them out, are those that
:math:`y - x'\hat\beta` of these rows has by least squares. Between units rows are units'
means, of first differences changes. Random effects are not part of the fitted value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from .. import formula as grammar
from ..errors import DataError, OptionError, listing
from ..moments import Moments, group_codes
from ..panel import Panel
from ..results import Result
from ..sources import unit_waves
from .columns import INTERCEPT, Column
from .inputs import Given, Inputs
from .two_way_random import Crossing
from .weights import Weighting, weight_column

__all__ = ["fitted_rows"]

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


def fitted_rows(
    model: grammar.Formula,
    inputs: Inputs,
    columns: Sequence[Column],
    beta: Array,
    result: Result,
    data: object,
) -> pd.DataFrame:
    """Return ``observed`` and ``fitted`` of the complete rows, on the scale of the link."""
    if isinstance(data, Moments):
        raise OptionError(
            "Fitted values are those of rows, and Moments hold sums.",
            code="needs-rows",
            fix="Give the panel or the data frame.",
        )
    spec = result.spec
    keys = {} if isinstance(data, Panel) else {k: spec.get(k) for k in ("unit", "wave")}
    effects = str(spec["effects"])
    if effects != "pooled" and keys and keys["unit"] is None:
        raise OptionError(
            "The model was fitted to a Panel, and a data frame does not say which rows belong "
            "together.",
            code="wrong-source",
            fix="Give a Panel: eecx.Panel.from_frame(frame, unit=…, …).",
        )
    panel = _panel(data, model, spec, keys)
    y = panel.design((model.response,)).x[:, 0]
    values = inputs.read(panel)
    complete = ~np.isnan(y) & values.notna().all(axis=1).to_numpy()
    w = _weights(panel, spec, result, model)
    complete &= ~np.isnan(w)
    if not complete.any():
        raise DataError(
            "No row has a value of every column of the model.",
            code="no-rows",
            fix="Give the rows that were fitted.",
        )
    values = values[complete].reset_index(drop=True)
    for name, known in inputs.levels.items():
        if strange := [v for v in pd.unique(values[name]) if v not in known]:
            raise DataError(
                f"{name!r} has {listing(map(str, strange))}, which was not among the rows that "
                "were fitted.",
                code="unknown-level",
                fix="Leave these rows out.",
            )
    rows = np.flatnonzero(complete)
    y, w = y[rows], w[rows]
    unit = group_codes(panel.frame[[panel.unit]].iloc[rows], [panel.unit])[0]
    wave = pd.factorize(panel.time[rows])[0]
    counts = w if "frequency" in (spec.get("weights") or {}) else np.ones(len(w))
    x = _design(inputs, columns, values, unit, counts)
    slopes = [i for i, c in enumerate(columns) if c.part not in ("intercept", "wave")]
    constant = float(beta[list(columns).index(INTERCEPT)]) if INTERCEPT in columns else 0.0
    fitted = x[:, slopes] @ beta[slopes]
    index = _index(panel, rows, keys)
    if effects == "between":
        means = [np.bincount(unit, counts * v) / np.bincount(unit, counts) for v in (y, fitted)]
        first = np.unique(unit, return_index=True)[1]
        units = pd.Index(panel.frame[panel.unit].iloc[rows[first]], name=panel.unit)
        return pd.DataFrame({"observed": means[0], "fitted": constant + means[1]}, units)
    if effects == "first-difference":
        return _changes(panel, rows, y, fitted, constant, index)
    left = y - fitted
    if effects == "within":
        fitted = fitted + (np.bincount(unit, w * left) / np.bincount(unit, w))[unit]
    elif effects == "two-way":
        fitted = y - Crossing.of(unit, wave, w).within(left[:, None])[0][:, 0]
    else:
        fitted = fitted + constant
    return pd.DataFrame({"observed": y, "fitted": fitted}, index)


def _panel(
    data: object, model: grammar.Formula, spec: Mapping[str, Any], keys: Mapping[str, Any]
) -> Panel:
    weights = [c for c in (spec.get("weights") or {}).values() if c]
    source = unit_waves(data, "fitted", unit=keys.get("unit"), wave=keys.get("wave"), sums=False)
    return source.as_panel([*model.columns, *weights], names=model.categories)


def _weights(
    panel: Panel, spec: Mapping[str, Any], result: Result, model: grammar.Formula
) -> Array:
    """Return what rows weighed in the fit, one where they did not."""
    given = spec.get("weights")
    if not given:
        return np.ones(len(panel.frame))
    ((kind, column),) = given.items()
    own = weight_column(panel, Weighting(kind, column), model.response.columns[0])
    return 1 / (result.stats["tau2"] + own) if kind == "variance" else own


def _design(
    inputs: Inputs,
    columns: Sequence[Column],
    values: pd.DataFrame,
    unit: npt.NDArray[np.intp],
    counts: Array,
) -> Array:
    """Return the columns of the model, parts within and between units by the units given."""
    if not inputs.split:
        return inputs.design(Given(values, values, pd.DataFrame()), columns)
    whole = inputs.evaluate(values)
    total = np.bincount(unit, counts)
    mean = np.stack([np.bincount(unit, counts * v) / total for v in whole.T], axis=1)
    out = np.zeros((len(values), len(columns)))
    for i, column in enumerate(columns):
        if column.whole in inputs.slopes:
            j = inputs.slopes.index(column.whole)
            usual = mean[unit, j]
            out[:, i] = usual if column.part == "between" else whole[:, j] - usual
    return out


def _index(panel: Panel, rows: npt.NDArray[np.intp], keys: Mapping[str, Any]) -> pd.Index[Any]:
    """Return what names rows: unit and wave, or their place in a frame without units."""
    if keys and keys.get("unit") is None:
        return pd.Index(rows, name="row")
    names = [panel.unit, *([panel.wave] if panel.wave else [])]
    index: pd.Index[Any] = pd.MultiIndex.from_frame(panel.frame[names].iloc[rows])
    return index


def _changes(
    panel: Panel,
    rows: npt.NDArray[np.intp],
    y: Array,
    fitted: Array,
    constant: float,
    index: pd.Index[Any],
) -> pd.DataFrame:
    """Return changes since the unit's last step of time."""
    place = np.full(len(panel.frame), -1)
    place[rows] = np.arange(len(rows))
    at = panel.lag_rows(1)[rows]
    before = np.where(at >= 0, place[np.maximum(at, 0)], -1)
    known = before >= 0
    return pd.DataFrame(
        {
            "observed": (y - y[before])[known],
            "fitted": constant + (fitted - fitted[before])[known],
        },
        index[known],
    )
