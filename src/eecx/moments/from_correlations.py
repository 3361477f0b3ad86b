"""A published table of correlations, SDs, means and N as cross-products."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..errors import DataError, listing
from .arrays import Array, pack

__all__ = ["read_correlations"]


def read_correlations(
    corr: pd.DataFrame | npt.ArrayLike,
    *,
    n: int,
    sd: Mapping[str, float] | npt.ArrayLike | None,
    mean: Mapping[str, float] | npt.ArrayLike | None,
    names: Sequence[str] | None,
) -> tuple[tuple[str, ...], Array, Array]:
    """Return names, means and packed cross-products: see :meth:`Moments.from_correlations`."""
    if isinstance(corr, pd.DataFrame):
        labels = tuple(str(c) for c in corr.columns)
        rows = [str(c) for c in corr.index]
        if sorted(rows) == sorted(labels):
            corr = corr.set_axis(rows, axis=0).reindex(list(labels))
        values = corr.to_numpy(float)
    else:
        values = np.array(corr, dtype=float)
        labels = tuple(names or (f"v{i + 1}" for i in range(len(values))))
    if values.ndim != 2 or values.shape[0] != values.shape[1] or len(labels) != len(values):
        raise DataError(
            f"A correlation table is square and named; this has shape {values.shape}.",
            code="not-square",
            fix="Give as many rows as columns, and a name for each.",
        )
    blank = np.isnan(values) & np.isnan(values.T) & ~np.eye(len(values), dtype=bool)
    if blank.any():
        i, j = np.argwhere(blank)[0]
        raise DataError(
            f"The correlation of {labels[i]!r} and {labels[j]!r} is missing.",
            code="missing-values",
            fix="Fill it in, or leave one of the two out.",
        )
    lower, upper = (np.nan_to_num(half) for half in (np.tril(values, -1), np.triu(values, 1).T))
    both = (lower != 0) & (upper != 0)
    if np.any(np.abs(lower - upper)[both] > 1e-8):
        i, j = np.argwhere(both & (np.abs(lower - upper) > 1e-8))[0]
        raise DataError(
            f"The correlation of {labels[i]!r} and {labels[j]!r} is {lower[i, j]:g} below the "
            f"diagonal and {upper[i, j]:g} above it.",
            code="asymmetric",
            fix="Correct one of the two, or leave one half blank.",
        )
    half = np.where(lower != 0, lower, upper)
    r = half + half.T + np.eye(len(values))
    if np.any(np.abs(r) > 1):
        i, j = np.argwhere(np.abs(r) > 1)[0]
        raise DataError(
            f"The correlation of {labels[i]!r} and {labels[j]!r} is {r[i, j]:g}, beyond 1.",
            code="out-of-range",
            fix="Correct it; give covariances as correlations and sd=.",
        )
    smallest = float(np.linalg.eigvalsh(r)[0])
    if smallest < -1e-8:
        raise DataError(
            "These correlations cannot come from one set of cases (smallest eigenvalue "
            f"{smallest:.3g}).",
            code="impossible-table",
            fix="Look for a typing error, or for pairwise deletion in the source.",
        )
    if n < 2:
        raise DataError(
            f"n={n}: a correlation needs at least two cases.",
            code="too-few-rows",
            fix="Give the number of cases that the table rests on.",
        )
    s = _by_name(sd, labels, "sd", 1.0)
    if not np.all(s > 0):
        at = int(np.argmin(s > 0))
        raise DataError(
            f"sd of {labels[at]!r} is {s[at]:g}; it must be positive.",
            code="out-of-range",
            fix="Correct it, or leave the column out.",
        )
    m2 = (n - 1) * r * np.outer(s, s)
    centre = _by_name(mean, labels, "mean", 0.0)
    if np.isnan(centre).any():
        raise DataError(
            f"mean of {labels[int(np.argmax(np.isnan(centre)))]!r} is missing.",
            code="missing-values",
            fix="Give every mean, or leave mean= out.",
        )
    return labels, centre, pack(m2)


def _by_name(given: Any, labels: Sequence[str], what: str, default: float) -> Array:
    if given is None:
        return np.full(len(labels), default)
    if isinstance(given, Mapping | pd.Series):
        missing = [label for label in labels if label not in given]
        if missing:
            raise DataError(
                f"{what} lacks {listing(missing)}.",
                code="incomplete-mapping",
                fix="Give one for every column.",
            )
        return np.array([float(given[label]) for label in labels])
    values = np.asarray(given, dtype=float)
    if values.shape != (len(labels),):
        raise DataError(
            f"{what} has {values.size} values for {len(labels)} columns.",
            code="wrong-length",
            fix="Give one value per column, or a mapping from names to values.",
        )
    return values
