"""Clusters: which columns they are, their values, and what lies within them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from .. import formula as grammar
from .. import frames
from ..errors import OptionError
from ..moments import group_codes
from ..panel import Panel

__all__ = ["cluster_names", "cluster_values", "is_nested", "names_of"]


def cluster_names(given: str | Sequence[str] | None, most: int = 2) -> tuple[str, ...]:
    """Read ``cluster=``: no column, one or two; ``most`` is for the words of the error."""
    if given is None:
        return ()
    several = isinstance(given, Sequence) and not isinstance(given, str)
    names = tuple(given) if several else (given,)
    if not all(isinstance(n, str) for n in names) or len(names) > 2 or len(set(names)) < len(names):
        raise OptionError(
            f"cluster={given!r:.60}: the name of one column{', or of two' if most > 1 else ''}.",
            code="column-name",
            fix="Name what errors may be correlated within, such as the column of units.",
        )
    return tuple(str(n) for n in names)


def names_of(model: grammar.Formula, clusters: Sequence[str | None]) -> list[str]:
    """Return the columns whose values are names: of clusters, and of categories."""
    numbers = set(model.columns) - set(model.categories)
    return [n for n in (*model.categories, *clusters) if n is not None and n not in numbers]


def cluster_values(panel: Panel, name: str) -> pd.Series[Any]:
    """Return the column of the clusters: a key of the panel, or one of its columns."""
    if name not in (panel.unit, panel.wave):
        panel.require(name, "cluster")
    frames.refuse_rounded(panel.frame[name])
    return panel.frame[name]


def is_nested(keys: pd.DataFrame, inner: str, outer: str) -> bool:
    """Whether every level of one key lies in a single level of another."""
    if inner == outer:
        return True
    codes, levels = group_codes(keys, [inner])
    around = group_codes(keys, [outer])[0]
    one = np.zeros(len(levels), dtype=np.intp)
    one[codes] = around
    return bool((one[codes] == around).all())
