"""The columns of a model, read from its panel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from .. import formula as grammar
from ..errors import DataError
from ..panel import Design, Panel

__all__ = ["design", "refuse_largest", "refuse_out_of_range"]

Array = npt.NDArray[np.float64]

# the largest value of a column, and the inverse of the smallest, that is squared
LARGEST = 1e100


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
    most = [max(np.fmax.reduce(column), -np.fmin.reduce(column)) for column in x.T]
    refuse_largest(names, most)


def refuse_largest(names: Sequence[str], largest: Sequence[float]) -> None:
    """Name a column, by its largest value, whose squares a double cannot hold."""
    for name, most in zip(names, largest, strict=True):
        if most > LARGEST or 0 < most < 1 / LARGEST:
            raise DataError(
                f"{name!r} has values up to {most:.1g}, whose squares a computer cannot add up.",
                code="too-large",
                fix="Divide the column by a constant first.",
            )
