"""Checks of arguments that functions of several rooms take."""

from __future__ import annotations

from numbers import Real

from .errors import OptionError

__all__ = ["disclosure_n"]


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
