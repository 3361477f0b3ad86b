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

__all__ = ["Step", "Times", "infer_step", "named_like", "place", "places_of", "read_waves"]

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
        """What ``value`` counts."""
        return "waves" if self.integer else "days"

    def take(self, rows: npt.NDArray[np.intp]) -> Times:
        """Return the times of these rows."""
        return Times(self.integer, self.value[rows], self.month[rows])


def read_waves(values: pd.Series[Any], column: str) -> Times:
    """Read a wave column that has no missing cell.

    Raises
    ------
    DataError
        For text that names no date, month, quarter or whole number, and for fractions.

    Examples
    --------
    >>> read_waves(pd.Series(["2023Q4", "2024Q1"]), "quarter").month - 12 * 2024
    array([-3,  0])
    """
    if isinstance(values.dtype, pd.PeriodDtype):
        values = values.dt.start_time
    if pd.api.types.is_bool_dtype(values):
        raise DataError(
            f"Wave column {column!r} holds true/false, which is no order in time.",
            code="bad-wave",
            fix="Number the waves, or name them by date.",
        )
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
            f"Wave column {column!r} holds {listing(unread, most=4)}, which names no point in "
            "time.",
            code="bad-wave",
            fix=(
                "Accepted: whole numbers, dates (2024-03-31), months (2024-03), quarters (2024Q1)."
            ),
        )
    at = {text: stamp.to_datetime64() for text, stamp in stamps.items() if stamp is not None}
    return _dates(pd.DatetimeIndex(np.array([at[t] for t in texts], dtype="datetime64[s]")))


def _whole(values: npt.NDArray[np.float64], column: str) -> Times:
    bad = ~(np.abs(values) < 2.0**53) | (values != np.round(values))
    if bad.any():
        raise DataError(
            f"Wave column {column!r} holds {values[bad][0]:g}; numbered waves must be whole "
            "numbers.",
            code="bad-wave",
            fix="Number them anew, or name them by date.",
        )
    whole = values.astype(np.int64)
    return Times(True, whole, whole)


def _dates(stamps: pd.DatetimeIndex) -> Times:
    month = (stamps.year * 12 + stamps.month - 1).to_numpy(np.int64)
    day = stamps.tz_localize(None).to_numpy().astype("datetime64[D]").astype(np.int64)
    return Times(False, day, month)


def _stamp(text: str) -> pd.Timestamp | None:
    if text.startswith("0000"):  # there is no year 0
        return None
    if match := _QUARTER.fullmatch(text):
        return pd.Timestamp(int(match[1]), 3 * int(match[2]) - 2, 1)
    if (match := _MONTH.fullmatch(text)) and 1 <= int(match[2]) <= 12:
        return pd.Timestamp(int(match[1]), int(match[2]), 1)
    try:
        stamp = pd.Timestamp(text) if re.match(r"\d{4}-\d{1,2}-\d{1,2}", text) else None
    except ValueError:
        return None
    return stamp.tz_localize(None) if stamp is not None else None


def named_like(times: Times, step: Step, back: int, names: pd.Series[Any]) -> list[Any]:
    """Return names, in the manner of ``names``, for the times ``back`` steps earlier.

    Examples
    --------
    >>> quarters = pd.Series(["2024Q1", "2024Q2"])
    >>> named_like(read_waves(quarters, "quarter"), Step(3, "month"), 1, quarters)
    ['2023Q4', '2024Q1']
    """
    text = not pd.api.types.is_numeric_dtype(names) and isinstance(names.iloc[0], str)
    moved = earlier(times, step, back)
    if times.integer:
        return [str(v) if text else int(v) for v in moved.value]
    stamps = _days(moved.value)
    if not text:
        return list(stamps)
    first = names.iloc[0].strip()
    if _QUARTER.fullmatch(first):
        return [f"{t.year}Q{t.quarter}" for t in stamps]
    return list(stamps.strftime("%Y-%m" if _MONTH.fullmatch(first) else "%Y-%m-%d"))


def earlier(times: Times, step: Step, back: int) -> Times:
    """Return the times ``back`` steps earlier."""
    if step.grid != "month":
        value = times.value - back * step.length
        return Times(True, value, value) if times.integer else _dates(_days(value))
    return _dates(_days(times.value) - pd.DateOffset(months=back * step.length))


def _days(value: Ints) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(value.astype("datetime64[D]").astype("datetime64[s]"))


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
        raise OptionError(
            f"step={step!r}: these waves are whole numbers, so is their step.",
            code="not-accepted",
        )
    match = _STEP.fullmatch(step.strip()) if isinstance(step, str) else None
    if match is None or match[1] == "0":
        raise OptionError(
            f"step={step!r}: for dates give '7D', '2W', '1M', '3M', '1Q' or '1Y'.",
            code="not-accepted",
        )
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


def places_of(values: pd.Series[Any], column: str) -> Ints:
    """Return the steps of waves, of which none is missing, from the first on."""
    times = read_waves(values, column)
    step = infer_step(times)
    return place(times, step, origin_of(times, step))


def origin_of(times: Times, step: Step) -> int:
    """Return the earliest wave, in units of the grid."""
    at = times.month if step.grid == "month" else times.value
    return int(at.min())
