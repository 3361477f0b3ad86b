"""Checks of arguments that functions of several rooms take."""

from __future__ import annotations

import math
from numbers import Real

import numpy as np

from .errors import OptionError

__all__ = ["conf_level", "disclosure_n", "draws", "rng"]


def conf_level(value: object) -> float:
    """Return the level of an interval, a share of 0.5 or more.

    Raises
    ------
    OptionError
        For what is no such share: 95 is no level, 0.95 is.

    Examples
    --------
    >>> conf_level(0.9)
    0.9
    """
    real = isinstance(value, Real) and not isinstance(value, bool)
    if not real or not 0.5 <= value < 1:  # type: ignore[operator]
        raise OptionError(
            f"conf_level={value!r:.60}: a share such as 0.95.",
            code="out-of-range",
            fix="Give one of at least 0.5 and below 1.",
        )
    return float(value)  # type: ignore[arg-type]


def disclosure_n(value: object) -> int:
    """Return the least number of respondents of a figure that is shown.

    Raises
    ------
    OptionError
        For what is no whole number of 1 or more. A missing one would withhold nothing.

    Examples
    --------
    >>> disclosure_n(5), disclosure_n(10.0)
    (5, 10)
    """
    whole = isinstance(value, Real) and not isinstance(value, bool) and float(value).is_integer()
    if not whole:
        raise OptionError(
            f"disclosure_n={value!r:.60}: a whole number of at least 1.",
            code="wrong-type",
            fix="Leave it out for 5, which is usual.",
        )
    least = int(value)  # type: ignore[call-overload]
    if least < 1:
        raise OptionError(
            f"disclosure_n={value!r:.60}: at least 1.",
            code="out-of-range",
            fix="Leave it out for 5, which is usual.",
        )
    return int(least)


def draws(
    value: object,
    *,
    usual: int,
    least: int = 99,
    conf_level: float | None = None,
    none: bool = False,
    name: str = "draws",
) -> int:
    """Return how many times chance is to draw.

    With ``conf_level`` they are so many that no percentile limit lies beyond them, (B + 1) α/2 ≥ 1,
    instead of ``least``. With ``none`` 0 is accepted, which draws nothing.

    Raises
    ------
    OptionError
        For what is no whole number, or fewer.

    Examples
    --------
    >>> draws(200, usual=5000), draws(39, usual=5000, conf_level=0.95), draws(0, usual=9, none=True)
    (200, 39, 0)
    """
    ways = ""
    if conf_level is not None:
        least = math.ceil(2 / (1 - conf_level) - 1e-9) - 1
        ways = f" for {100 * conf_level:g}% limits"
    ways += ", or 0 for none" if none else ""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or not (value >= least or (none and value == 0)):  # type: ignore[operator]
        raise OptionError(
            f"{name}={value!r:.60}: a whole number, at least {least}{ways}; {usual} are usual.",
            code="out-of-range",
            fix=f"Leave it out for {usual}.",
        )
    return int(value)  # type: ignore[call-overload, no-any-return]


def rng(value: object) -> np.random.Generator:
    """Return a generator from a seed or a generator (SPEC 7); None draws fresh chance.

    Raises
    ------
    OptionError
        For what makes no generator.

    Examples
    --------
    >>> int(rng(1).integers(100)) == int(rng(1).integers(100))
    True
    """
    try:
        return np.random.default_rng(value)  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        raise OptionError(
            f"rng={value!r:.60}: a whole number of 0 or more as seed, a numpy.random.Generator, "
            "or None.",
            code="not-accepted",
            fix="Give one of these, such as rng=1.",
        ) from error
