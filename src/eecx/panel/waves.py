"""Waves as points in time: integers, dates or periods, placed on a grid of steps.

Lags and offsets count steps of time, never rows, so holes and irregular waves do no harm.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..errors import DataError, OptionError, listing

__all__ = ["Step", "Times", "infer_step", "place", "read_waves"]

Ints = npt.NDArray[np.int64]
Grid = Literal["integer", "month", "day"]

_QUARTER = re.compile(r"(\d{4})[\s\-_]?[Qq]([1-4])")
_MONTH = re.compile(r"(\d{4})[-/](\d{1,2})")
_STEP = re.compile(r"(\d*)\s*([DWMQY])[A-Z]*", re.IGNORECASE)


@dataclass(frozen=True)
class Step:
    """Distance between neighbouring waves.

    Parameters
    ----------
    length : int
    grid : {"integer", "month", "day"}
    inferred : bool
        False where the user set it.
    """

    length: int
    grid: Grid
    inferred: bool = True

    def __str__(self) -> str:
        if self.grid == "integer":
            text = f"{self.length} (integer waves)"
        else:
            text = f"{self.length} {self.grid}{'s' if self.length > 1 else ''}"
        return text if self.inferred else f"{text}, as set"


@dataclass(frozen=True, eq=False)
class Times:
    """Waves read as time: integers, or month and day numbers."""

    integer: bool
    value: Ints
    month: Ints

    @property
    def unit_name(self) -> str:
        return "waves" if self.integer else "days"


def read_waves(values: pd.Series[Any], column: str) -> Times:
    """Read a wave column.

    Raises
    ------
    DataError
        For text that names no date, month, quarter or whole number, and for fractions.
    """
    if isinstance(values.dtype, pd.PeriodDtype):
        values = values.dt.start_time
    if pd.api.types.is_bool_dtype(values):
        raise DataError(f"Wave column {column!r} holds true/false, which is no order in time.")
    if pd.api.types.is_numeric_dtype(values):
        return _whole(values.to_numpy(float), column)
    if pd.api.types.is_datetime64_any_dtype(values):
        return _dates(pd.DatetimeIndex(values))
    texts = [str(v).strip() for v in values]
    if all(re.fullmatch(r"[+-]?\d+", t) for t in texts):
        return _whole(np.array([float(t) for t in texts]), column)
    stamps = {t: _stamp(t) for t in set(texts)}
    unread = sorted(t for t, s in stamps.items() if s is None)
    if unread:
        raise DataError(
            f"Wave column {column!r} holds {listing(unread, most=4)}, which names no point in time. "
            "Accepted: whole numbers, dates (2024-03-31), months (2024-03), quarters (2024Q1)."
        )
    return _dates(pd.DatetimeIndex([stamps[t] for t in texts]))


def _whole(values: npt.NDArray[np.float64], column: str) -> Times:
    if np.any(values != np.round(values)):
        bad = values[values != np.round(values)][0]
        raise DataError(
            f"Wave column {column!r} holds {bad:g}; numbered waves must be whole numbers."
        )
    whole = values.astype(np.int64)
    return Times(True, whole, whole)


def _dates(stamps: pd.DatetimeIndex) -> Times:
    month = (stamps.year * 12 + stamps.month - 1).to_numpy(np.int64)
    day = (stamps.normalize().tz_localize(None) - pd.Timestamp(0)).days.to_numpy(np.int64)
    return Times(False, day, month)


def _stamp(text: str) -> pd.Timestamp | None:
    if match := _QUARTER.fullmatch(text):
        return pd.Timestamp(int(match[1]), 3 * int(match[2]) - 2, 1)
    if (match := _MONTH.fullmatch(text)) and 1 <= int(match[2]) <= 12:
        return pd.Timestamp(int(match[1]), int(match[2]), 1)
    try:
        return pd.Timestamp(text) if re.match(r"\d{4}-\d{1,2}-\d{1,2}", text) else None
    except ValueError:
        return None


def infer_step(times: Times) -> Step:
    """Infer the step: 1 for integers; else the greatest common divisor of the gaps.

    Dates are counted in months where no two waves share a month, else in days.
    """
    if times.integer:
        return Step(1, "integer")
    days = np.unique(times.value)
    months = np.unique(times.month)
    grid: Grid = "month" if len(months) == len(days) else "day"
    at = months if grid == "month" else days
    return Step(math.gcd(*np.diff(at).tolist()) if len(at) > 1 else 1, grid)


def parse_step(step: int | str, times: Times) -> Step:
    """Read a step given by the user: a whole number for integer waves, else "3M", "1Q", "7D"."""
    if times.integer:
        if isinstance(step, int) and not isinstance(step, bool) and step > 0:
            return Step(step, "integer", inferred=False)
        raise OptionError(f"step={step!r}: these waves are whole numbers, so is their step.")
    match = _STEP.fullmatch(step.strip()) if isinstance(step, str) else None
    if match is None or match[1] == "0":
        raise OptionError(f"step={step!r}: for dates give '7D', '2W', '1M', '3M', '1Q' or '1Y'.")
    count, letter = int(match[1] or 1), match[2].upper()
    if letter in "DW":
        return Step(count * (7 if letter == "W" else 1), "day", inferred=False)
    return Step(count * {"M": 1, "Q": 3, "Y": 12}[letter], "month", inferred=False)


def place(times: Times, step: Step, origin: int) -> Ints:
    """Place waves on the grid: the number of whole steps since the origin.

    Months are counted in calendar blocks where the step divides a year, so that a survey in
    February and one in March of the same quarter meet.
    """
    if step.grid == "month":
        origin = 0 if 12 % step.length == 0 else origin
        return np.floor_divide(times.month - origin, step.length)
    return np.floor_divide(times.value - origin, step.length)


def origin_of(times: Times, step: Step) -> int:
    """Return the earliest wave, in units of the grid."""
    at = times.month if step.grid == "month" else times.value
    return int(at.min())
