"""The columns of a model, read from its panel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from .. import formula as grammar
from ..errors import DataError
from ..panel import Design, Panel

__all__ = ["design", "refuse_out_of_range", "unkeyed"]

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
    for name, column in zip(names, x.T, strict=True):
        most = max(np.fmax.reduce(column), -np.fmin.reduce(column))
        if most > LARGEST or 0 < most < 1 / LARGEST:
            raise DataError(
                f"{name!r} has values up to {most:.1g}, whose squares a computer cannot add up.",
                code="too-large",
                fix="Divide the column by a constant first.",
            )


def unkeyed(data: object, panel: Panel) -> int:
    """Return how many rows of a plain frame name no unit or wave; a Panel's audit has its own."""
    lost = panel.audit.table
    return 0 if isinstance(data, Panel) or lost.empty else int((lost["stage"] == "keys").sum())
