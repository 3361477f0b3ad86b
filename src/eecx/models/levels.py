"""What a coefficient compares, in words: the levels of a panel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy import special

from .. import plotting
from ..results import Result
from .least_squares import Fit
from .work import BETWEEN, CONSTANT, WITHIN, Work

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["CONTEXT", "LEVEL", "contextual", "figure", "level_of", "shown"]

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
AMONG = "within units, among people"
CONTEXT = "contextual effect (between less within)"


def level_of(effects: str, waves: int) -> str:
    """Return what is compared, in words: rows of a unit are people where there are no waves."""
    words = LEVEL[effects]
    return AMONG if waves == 1 and words == LEVEL["within"] else words


def shown(work: Work, fit: Fit) -> tuple[Array, list[str], list[str]]:
    """Return what is reported as combinations of the coefficients, with terms and levels."""
    rows, names, levels = [], [], []
    each = np.eye(len(fit.beta))
    for i, name in enumerate(fit.names):
        if name in work.nuisance:
            continue
        level, term = level_of(work.effects, work.waves), name
        if work.effects == "within-between":
            level = level_of("within" if name.endswith(WITHIN) else "between", work.waves)
            term = name.removesuffix(WITHIN).removesuffix(BETWEEN)
        rows.append(each[i])
        names.append(term)
        levels.append(level)
    if work.effects == "within-between":
        at = {name: i for i, name in enumerate(fit.names)}
        for name in fit.names:
            term = name.removesuffix(WITHIN)
            if name.endswith(WITHIN) and f"{term}{BETWEEN}" in at:
                rows.append(each[at[f"{term}{BETWEEN}"]] - each[at[name]])
                names.append(term)
                levels.append(CONTEXT)
    return np.array(rows), names, levels


def contextual(beta: Array, covariance: Array, levels: Sequence[str]) -> dict[str, float]:
    """Test whether all contextual effects are zero: the cluster-robust Hausman test."""
    at = [i for i, level in enumerate(levels) if level == CONTEXT]
    if not at or np.isnan(covariance[np.ix_(at, at)]).any():
        return {}
    chi2 = float(beta[at] @ np.linalg.solve(covariance[np.ix_(at, at)], beta[at]))
    p = float(special.chdtrc(len(at), chi2))
    return {"contextual_chi2": chi2, "contextual_df": len(at), "contextual_p": p}


def figure(result: Result, ax: Axes | None = None, **options: Any) -> Axes:
    """Draw the slopes, those within and between units in colours of their own."""
    table = result.table
    if result.spec["effects"] == "within-between":
        table = table[table["term"] != CONSTANT].rename(columns={"level": "group"})
    given = {"title": f"Slopes: {result.spec['formula']}"}
    return plotting.coefficients(table, ax=ax, **(given | options))
