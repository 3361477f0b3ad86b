"""Checks of the arguments that the functions of this room share: names, keys and ranges."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Real

import numpy as np

from ..errors import DataError, OptionError, listing

__all__ = [
    "Range",
    "distinct_names",
    "no_rows",
    "one_name",
    "read_range",
    "several_names",
]

Range = tuple[float, float]


def one_name(role: str, value: object) -> str:
    """Return the name of a column or measure, refusing several."""
    if not isinstance(value, str):
        raise OptionError(
            f"{role}={value!r:.60}: the name of one column or measure.",
            code="wrong-type",
            fix=f"Give one name, as in {role}='engagement', and call once for each.",
        )
    return value


def several_names(role: str, value: object) -> tuple[str, ...]:
    """Return one name or several as a tuple."""
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, Iterable):
        raise OptionError(
            f"{role}={value!r:.60}: a name, or a list of names.",
            code="wrong-type",
            fix=f"Give names, as in {role}=['e1', 'e2'].",
        )
    return tuple(value)


def distinct_names(role: str, value: object) -> list[str]:
    """Return one name or several, none of them twice."""
    names = list(several_names(role, value))
    if twice := [n for n in dict.fromkeys(names) if names.count(n) > 1]:
        raise OptionError(
            f"{role}= names {listing(twice)} twice.",
            code="named-twice",
            fix="Name each once.",
        )
    return names


def read_range(given: object) -> Range | None:
    """Return the lowest and the highest answer, where they are given."""
    if given is None:
        return None
    ends = tuple(given) if isinstance(given, Iterable) else ()
    good = len(ends) == 2 and all(isinstance(e, Real) and np.isfinite(float(e)) for e in ends)
    if not good or ends[0] >= ends[1]:
        raise OptionError(
            f"range={given!r:.60} is no range of answers.",
            code="not-accepted",
            fix="Give the lowest and the highest answer, as in range=(1, 5).",
        )
    return ends[0], ends[1]


def no_rows(subject: str) -> DataError:
    """Return the error of a frame without rows."""
    return DataError(
        f"{subject} has no rows.",
        code="no-rows",
        fix="Look at what filtered them before.",
    )
