"""The agreed table: identifying columns, seven numbers, and whatever else an analysis adds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["NUMBERS", "identifying", "labels", "tidy"]

NUMBERS = (
    "estimate",
    "std_error",
    "statistic",
    "df",
    "p_value",
    "conf_low",
    "conf_high",
)
"""The agreed columns of every ``.table``, in this order; missing where an analysis has none."""


def tidy(
    keys: Mapping[str, Sequence[Any] | str],
    numbers: Mapping[str, npt.ArrayLike],
    more: Mapping[str, Sequence[Any] | npt.ArrayLike | str] | None = None,
) -> pd.DataFrame:
    """Return the agreed table: what identifies a row, the seven numbers, further columns.

    Examples
    --------
    >>> tidy({"term": ["x"]}, {"estimate": [0.5]}, {"n": [10]}).columns.tolist()[:3]
    ['term', 'estimate', 'std_error']
    """
    rows = len(np.atleast_1d(np.asarray(numbers["estimate"], dtype=float)))
    columns: dict[str, Any] = {name: _whole(values, rows) for name, values in keys.items()}
    unknown = np.full(rows, np.nan)
    columns |= {name: np.asarray(numbers.get(name, unknown), dtype=float) for name in NUMBERS}
    columns |= {name: _whole(values, rows) for name, values in (more or {}).items()}
    return pd.DataFrame(columns, index=pd.RangeIndex(rows))


def _whole(values: Any, rows: int) -> Any:
    return [values] * rows if isinstance(values, str) or np.ndim(values) == 0 else values


def identifying(table: pd.DataFrame) -> list[str]:
    """Return the columns that say what a row is: those in front of the estimate."""
    names = [str(c) for c in table.columns]
    return names[: names.index("estimate")] if "estimate" in names else names[:1]


def labels(table: pd.DataFrame) -> pd.Index[Any]:
    """Return what identifies the rows as an index, of several levels where several columns do."""
    keys = identifying(table)
    index: Any
    if len(keys) == 1:
        index = pd.Index(table[keys[0]], name=keys[0])
    else:  # as MultiIndex.from_frame, which takes five times as long
        own: list[Any] = [pd.factorize(table[key].to_numpy(), sort=True) for key in keys]
        levels, codes = [level for _, level in own], [code for code, _ in own]
        index = pd.MultiIndex(levels, codes, names=keys, verify_integrity=False)
    return cast("pd.Index[Any]", index)
