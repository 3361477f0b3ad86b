"""The keys that tell cells apart, and the numbers of their combinations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..errors import DataError, OptionError, listing
from .arrays import Codes

__all__ = ["ROW", "codes_of", "group_codes", "names_of", "stacked"]

ROW = "row"
"""The key that keeps every row as a cell of its own (HC errors, casewise tests)."""


def names_of(given: Sequence[Any] | str, what: str = "keys") -> list[Any]:
    """Return names as a list, one alone too; raise where one comes twice."""
    if not isinstance(given, Iterable):
        raise OptionError(
            f"{what}={given!r:.60}: the names of columns.",
            code="wrong-type",
            fix=f"Give a list, as in {what}=['store'].",
        )
    names = [given] if isinstance(given, str) else list(given)
    if len(set(names)) < len(names):
        twice = {n for n in names if names.count(n) > 1}
        raise OptionError(
            f"{listing(sorted(twice))} is named twice.",
            code="named-twice",
            fix="Name it once.",
        )
    return names


def group_codes(keys: pd.DataFrame, by: Sequence[str]) -> tuple[Codes, pd.DataFrame]:
    """Return numbers for the combinations of ``by``, in sorted order, and the combinations."""
    if not by:
        return np.zeros(len(keys), dtype=np.intp), pd.DataFrame(index=range(1))
    if len(by) == 1:
        numbers, levels = codes_of(keys[by[0]])
        return numbers, pd.DataFrame({by[0]: levels})
    grouped = keys.groupby(list(by), sort=True, observed=True)
    codes = np.asarray(grouped.ngroup(), dtype=np.intp)
    first = np.zeros(int(codes.max()) + 1 if len(codes) else 0, dtype=np.intp)
    first[codes[::-1]] = np.arange(len(codes))[::-1]
    return codes, keys[list(by)].iloc[first].reset_index(drop=True)


def codes_of(values: pd.Series[Any]) -> tuple[Codes, pd.Index[Any]]:
    """Return numbers for the levels of one key, in sorted order (missing: -1), and the levels."""
    if (small := _small_numbers(values)) is not None:
        return small[0], pd.Index(small[1])
    numbers, levels = pd.factorize(values, sort=True)
    return numbers.astype(np.intp, copy=False), pd.Index(levels)


def _small_numbers(values: pd.Series[Any]) -> tuple[Codes, npt.NDArray[Any]] | None:
    """Return numbers and sorted levels of whole numbers from 0 that are hardly more than rows."""
    if not len(values) or not isinstance(values.dtype, np.dtype) or values.dtype.kind not in "iu":
        return None
    own = values.to_numpy()
    if own.min() < 0 or own.max() > 2 * len(own):
        return None
    seen = np.zeros(int(own.max()) + 1, dtype=bool)
    seen[own] = True
    levels = np.flatnonzero(seen).astype(own.dtype)
    if len(levels) == len(seen):
        return own.astype(np.intp, copy=False), levels
    return (np.cumsum(seen) - 1)[own].astype(np.intp, copy=False), levels


def stacked(keys: pd.DataFrame, more: pd.DataFrame, what: str) -> pd.DataFrame:
    """Put the keys of two sets of cells below each other; rows of the second are numbered on."""
    if list(keys.columns) != list(more.columns):
        raise DataError(
            f"Only {what} of the same keys add up: {listing(keys.columns) or 'none'} against "
            f"{listing(more.columns) or 'none'}.",
            code="different-keys",
            fix="Collapse both first.",
        )
    for key in keys.columns:
        kinds = [pd.api.types.infer_dtype(k[key]).split("64")[0] for k in (keys, more)]
        number = [kind in ("integer", "floating") for kind in kinds]
        if kinds[0] != kinds[1] and not all(number):
            raise DataError(
                f"The key {key!r} holds {kinds[0]} in one of the {what} and {kinds[1]} in the "
                "other.",
                code="different-types",
                fix="Make them alike first.",
            )
    if ROW in keys.columns:
        more = more.assign(**{ROW: more[ROW] + keys[ROW].max() + 1})
    return pd.concat([keys, more], ignore_index=True)
