"""A published table of correlations, SDs, means and N as cross-products."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..errors import DataError, OptionError, listing
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
    values, labels = _read(corr, names)
    if values.ndim != 2 or values.shape[0] != values.shape[1] or len(labels) != len(values):
        raise DataError(
            f"A correlation table is square and named; this has shape {values.shape}.",
            code="not-square",
            fix="Give as many rows as columns, and a name for each.",
        )
    own = np.diag(values)
    # tables have reliabilities there; what lies beyond 1 is a variance
    if (wrong := (own > 1 + 1e-8) | (own <= 0)).any():
        at = int(np.argmax(wrong))
        raise DataError(
            f"The diagonal has {own[at]:g} for {labels[at]!r}, which is neither 1 nor a "
            "reliability.",
            code="bad-diagonal",
            fix="Leave the diagonal blank; of covariances divide each by the SDs of its row and "
            "column, and give these as sd=.",
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
    if isinstance(n, bool) or not isinstance(n, Real) or not n < np.inf:
        raise OptionError(
            f"n={n!r:.60}: the number of cases, a number.",
            code="wrong-type",
            fix="Give it, such as n=100.",
        )
    if n < 2:
        raise DataError(
            f"n={n}: a correlation needs at least two cases.",
            code="too-few-rows",
            fix="Give the number of cases that the table rests on.",
        )
    s = _by_name(sd, labels, "sd", 1.0)
    if not np.all((s > 0) & (s < np.inf)):
        at = int(np.argmin((s > 0) & (s < np.inf)))
        raise DataError(
            f"sd of {labels[at]!r} is {s[at]:g}; it must be positive.",
            code="out-of-range",
            fix="Correct it, or leave the column out.",
        )
    m2 = (n - 1) * r * np.outer(s, s)
    centre = _by_name(mean, labels, "mean", 0.0)
    if not np.isfinite(centre).all():
        raise DataError(
            f"mean of {labels[int(np.argmin(np.isfinite(centre)))]!r} is missing.",
            code="missing-values",
            fix="Give every mean, or leave mean= out.",
        )
    return labels, centre, pack(m2)


def _read(corr: object, names: object) -> tuple[Array, tuple[str, ...]]:
    """Return a table's numbers, rows in the order of columns, and the names of its columns."""
    if not isinstance(corr, pd.DataFrame):
        values = np.atleast_1d(_numbers(corr, "corr"))
        named = isinstance(names, Iterable) and not isinstance(names, str)
        if names is not None and not named:
            raise OptionError(
                f"names={names!r:.60}: a list of texts.",
                code="wrong-type",
                fix="Give a name for each column, or leave names= out.",
            )
        given = list(names) if named else []  # type: ignore[call-overload]
        return values, tuple(map(str, given)) or tuple(f"v{i + 1}" for i in range(len(values)))
    labels, rows = [str(c) for c in corr.columns], [str(c) for c in corr.index]
    unnamed = isinstance(corr.index, pd.RangeIndex)
    if sorted(rows) == sorted(labels) and len(set(labels)) == len(labels):
        corr = corr.set_axis(rows, axis=0).set_axis(labels, axis=1).loc[labels]
    elif not unnamed and rows != labels:
        raise DataError(
            f"The rows are named {listing(rows)} and the columns {listing(labels)}.",
            code="different-names",
            fix="Name rows and columns alike, or give the numbers alone and names=.",
        )
    return _numbers(corr.to_numpy(object, na_value=np.nan), "corr"), tuple(labels)


def _numbers(given: object, what: str) -> Array:
    """Return an array of numbers, or refuse what is none."""
    try:
        return np.array(given, dtype=float)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"{what} holds what is no number: {str(error).rstrip('.')}.",
            code="not-numbers",
            fix="Give numbers only.",
        ) from error


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
        given = [given[label] for label in labels]
    values = _numbers(given, what)
    if values.shape != (len(labels),):
        raise DataError(
            f"{what} has {values.size} values for {len(labels)} columns.",
            code="wrong-length",
            fix="Give one value per column, or a mapping from names to values.",
        )
    return values
