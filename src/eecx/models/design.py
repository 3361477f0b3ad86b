"""The columns of a model, read from its panel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from .. import formula as grammar
from ..errors import DataError
from ..moments import extreme, is_extreme
from ..panel import Design, Panel

__all__ = ["design", "refuse_out_of_range"]

Array = npt.NDArray[np.float64]


def design(panel: Panel, terms: Sequence[grammar.Term]) -> Design:
    """Return the columns of the terms; refuse those whose sums of squares a double cannot hold."""
    try:
        with np.errstate(over="raise"):
            made = panel.design(terms)
    except FloatingPointError as error:
        raise DataError(
            "A product or power in the formula goes beyond the largest number.",
            code="too-large",
            fix="Divide its columns by a constant first.",
        ) from error
    refuse_out_of_range(made.names, made.x)
    return made


def refuse_out_of_range(names: Sequence[str], x: Array) -> None:
    """Name a column whose squares a double cannot hold."""
    most = [(float(np.fmin.reduce(column)), float(np.fmax.reduce(column))) for column in x.T]
    for name, (low, high) in zip(names, most, strict=True):
        if is_extreme(low, high):
            raise extreme(repr(name), low, high)
