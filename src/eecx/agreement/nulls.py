"""Null distributions of agreement: how much answers would vary if people did not agree at all.

r_wg compares the variance of a unit's answers with the variance expected under no agreement. The
uniform null supposes that every option is equally likely; the others allow for biases that make
answers alike without agreement: leniency (skews) or caution (triangular, normal).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from numbers import Real
from typing import Any, NamedTuple, cast

import numpy as np
from scipy import special

from ..errors import OptionError, listing, nearest

__all__ = ["NULLS", "Null", "read_nulls"]

NULLS = ("uniform", "slight skew", "moderate skew", "heavy skew", "triangular", "normal")

# LeBreton and Senter (2008), Table 2, for 5 to 11 options, in the order of NULLS
PUBLISHED = {
    5: (2.00, 1.34, 0.90, 0.44, 1.32, 1.04),
    6: (2.92, 1.85, 1.26, 0.69, 1.45, 1.25),
    7: (4.00, 2.90, 2.14, 1.39, 2.10, 1.40),
    8: (5.25, 3.47, 2.79, 2.35, 2.81, 1.73),
    9: (6.67, 5.66, 4.73, 3.16, 3.00, 1.58),
    10: (8.25, 6.30, 5.09, 3.46, 2.89, 1.45),
    11: (10.00, 7.31, 6.32, 4.02, 3.32, 1.40),
}
# shares of the options of a five-point item under the skews
FIVE = {
    "slight skew": (0.05, 0.15, 0.20, 0.35, 0.25),
    "moderate skew": (0.00, 0.10, 0.15, 0.40, 0.35),
    "heavy skew": (0.00, 0.00, 0.10, 0.40, 0.50),
}


class Null(NamedTuple):
    """A null distribution: its name, the variance it expects, and where that figure is from."""

    name: str
    variance: float
    origin: str


def read_nulls(
    null: str | float | Sequence[str | float], options: int | None, step: float = 1.0
) -> list[Null]:
    """Return the nulls that are asked for, for items of so many options, ``step`` apart.

    Raises
    ------
    OptionError
        For a name that is not known, a variance that is not positive, or a name where the number
        of options is not known.
    """
    several = isinstance(null, Iterable) and not isinstance(null, str)
    asked: list[Any] = list(cast("Iterable[Any]", null)) if several else [null]
    if not asked:
        raise OptionError(
            f"null= names no distribution; there are {listing(NULLS)}.",
            code="not-accepted",
            fix="Name one, or leave null= out.",
        )
    found = [_read(one, options, step) for one in asked]
    names = [one.name for one in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise OptionError(
            f"null= names {listing(twice)} twice.",
            code="named-twice",
            fix="Name each once.",
        )
    return found


def _read(null: str | float, options: int | None, step: float) -> Null:
    if not isinstance(null, str):
        number = isinstance(null, Real) and not isinstance(null, bool)
        if not number or not (np.isfinite(null) and null > 0):
            raise OptionError(
                f"null={null!r:.60}: a variance above 0.",
                code="out-of-range" if number else "wrong-type",
                fix=f"Give one, or a name: {listing(NULLS)}.",
            )
        return Null(f"variance {null:.4g}", float(null), "given")
    if null not in NULLS:
        raise OptionError(
            f"null={null!r}: accepted are {listing(NULLS)}, or a variance.",
            code="not-accepted",
            fix=nearest(null, NULLS).strip(),
        )
    if options is None:
        raise OptionError(
            f"null={null!r} needs the number of options:",
            code="needs-range",
            fix="give range=(lowest, highest), or the expected variance itself as null=.",
        )
    if null == "uniform":
        return Null(null, step**2 * (options**2 - 1) / 12, "(A² - 1)/12")
    if options in PUBLISHED:
        value = PUBLISHED[options][NULLS.index(null)]
        return Null(null, step**2 * value, "LeBreton and Senter (2008)")
    return Null(null, step**2 * _by_rule(null, options), "shape of five options, stretched")


def _by_rule(null: str, options: int) -> float:
    """Return the variance of a null for numbers of options that no published table has.

    Triangular: weights 1, 2, …, 2, 1. Normal: equal slices of the normal curve whose five slices
    give the published five-option shares. Skews: the five published shares spread evenly over
    their fifth of the scale and cut into equal slices.
    """
    places = np.arange(1.0, options + 1)
    if null == "triangular":
        share = np.minimum(places, places[::-1])
    elif null == "normal":
        edges = np.linspace(-2.5, 2.5, options + 1)
        edges[[0, -1]] = -np.inf, np.inf
        share = np.diff(special.ndtr(edges))
    else:
        sums = np.concatenate([[0.0], np.cumsum(FIVE[null])])
        share = np.diff(np.interp(np.linspace(0, 5, options + 1), np.arange(6), sums))
    share = share / share.sum()
    mean = float(share @ places)
    return float(share @ (places - mean) ** 2)
