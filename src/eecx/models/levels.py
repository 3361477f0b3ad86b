"""What a coefficient compares, in words: the levels of a panel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from .. import plotting
from ..results import Estimates, Result
from .columns import Column, Part, called
from .joint import chi2_test, combined, hotelling_test
from .least_squares import Fit
from .work import Work

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "CONTEXT",
    "LEVEL",
    "SPLIT",
    "both_parts",
    "contextual",
    "contextual_rows",
    "figure",
    "identified",
    "in_words",
    "level_of",
    "shown",
    "slopes_of",
]

Array = npt.NDArray[np.float64]

LEVEL = {
    "pooled": "pooled",
    "between": "between units",
    "within": "within units over time",
    "two-way": "within units over time",
    "first-difference": "changes from wave to wave",
    "random": "between units and within units over time, weighted",
    "random-two-way": "between units and waves, and within units over time, weighted",
    "within-between": "",
    "mixed": "",
}
SPLIT = ("within-between",)
"""Effects under which terms have slopes within and between units."""
AMONG = "within units, among people"
CONTEXT = "contextual effect (between less within)"


def level_of(effects: str, waves: int, part: Part = "whole") -> str:
    """Return what is compared, in words: rows of a unit are people where there are no waves."""
    if part == "contextual":
        return CONTEXT
    words = LEVEL[effects]
    if effects in SPLIT:
        words = LEVEL["within"] if part == "within" else LEVEL["between"]
    return AMONG if waves == 1 and words == LEVEL["within"] else words


def shown(work: Work, fit: Fit) -> tuple[Array, tuple[Column, ...]]:
    """Return what is reported as combinations of the coefficients, and what each belongs to.

    Contextual effects, slopes between units less slopes within them, come last.
    """
    kept = [i for i, column in enumerate(fit.columns) if column.part != "wave"]
    columns = [fit.columns[i] for i in kept]
    combine = [np.eye(len(fit.beta))[kept], contextual_rows(fit.columns)]
    columns += [c.of("contextual") for c in both_parts(fit.columns)]
    return np.vstack(combine), tuple(columns)


def both_parts(columns: Sequence[Column]) -> list[Column]:
    """Return the parts within units of the columns that have a part between them too."""
    return [c for c in columns if c.part == "within" and c.of("between") in columns]


def contextual_rows(columns: Sequence[Column]) -> Array:
    """Return the contextual effects as combinations of the coefficients."""
    pairs = both_parts(columns)
    rows = np.zeros((len(pairs), len(columns)))
    for row, column in zip(rows, pairs, strict=True):
        row[columns.index(column.of("between"))], row[columns.index(column)] = 1.0, -1.0
    return rows


def contextual(estimates: Estimates, columns: Sequence[Column]) -> dict[str, float | None]:
    """Test whether all contextual effects are zero: the cluster-robust Hausman test.

    With CR2 errors by the approximate Hotelling test, the Wald statistic beside it; None where
    clusters are too few for it.
    """
    at = [i for i, column in enumerate(columns) if column.part == "contextual"]
    if not at:
        return {}
    own = combined(estimates, np.eye(len(columns))[at])
    wald = chi2_test(own)
    if np.isnan(wald.statistic):
        return {}
    found: dict[str, float | None] = {"contextual_chi2": wald.statistic, "contextual_df": wald.df}
    if own.spread is None:
        return {**found, "contextual_p": wald.p_value}
    test = hotelling_test(own)
    three = {
        "contextual_f": test.statistic,
        "contextual_df2": test.df_denominator,
        "contextual_p": test.p_value,
    }
    return {**found, **{k: v if np.isfinite(v) else None for k, v in three.items()}}


def identified(
    numbers: Mapping[str, Array], columns: Sequence[Column], effects: str, waves: int
) -> pd.DataFrame:
    """Return the table of numbers, in front of them what they belong to: ``term``, ``level``."""
    levels = [level_of(effects, waves, column.part) for column in columns]
    return pd.DataFrame({"term": called(columns), "level": levels, **numbers})


def in_words(columns: Sequence[Column], effects: str, waves: int) -> list[str]:
    """Return what columns are called in a sentence: with their level where a term has several."""
    names = called(columns)
    if effects not in SPLIT:
        return names
    levels = [level_of(effects, waves, column.part) for column in columns]
    return [f"{name}, {level}" for name, level in zip(names, levels, strict=True)]


def figure(result: Result, ax: Axes | None = None, **options: Any) -> Axes:
    """Draw the slopes, those within and between units in colours of their own."""
    table = slopes_of(result)
    if result.spec["effects"] in SPLIT:
        table = table.rename(columns={"level": "group"})
    given = {"title": f"Slopes: {result.spec['formula']}"}
    return plotting.coefficients(table, ax=ax, **(given | options))


def slopes_of(result: Result) -> pd.DataFrame:
    """Return the rows of a model's table without the intercept, if there are others."""
    slopes = [part != "intercept" for part in result.parts]
    return result.table[slopes] if any(slopes) else result.table
