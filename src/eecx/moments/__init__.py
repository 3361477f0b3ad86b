"""Sums per cell: the waist of the hourglass. Every estimator of eecx starts from these."""

from __future__ import annotations

from .arrays import WIDE, is_nothing, nothing, pack, picked, triangle, unpack
from .counts import Counts
from .from_engine import FAR, from_engine
from .from_memory import from_rows
from .keys import ROW, group_codes, names_of
from .moments import Moments
from .refusals import extreme, is_extreme

__all__ = [
    "FAR",
    "ROW",
    "WIDE",
    "Counts",
    "Moments",
    "extreme",
    "from_engine",
    "from_rows",
    "group_codes",
    "is_extreme",
    "is_nothing",
    "names_of",
    "nothing",
    "pack",
    "picked",
    "triangle",
    "unpack",
]
