"""Sums per cell: the waist of the hourglass. Every estimator of eecx starts from these."""

from __future__ import annotations

from .arrays import WIDE, is_nothing, nothing, pack, picked, triangle, unpack
from .counts import Counts, histograms
from .from_engine import FAR, Pilot, about_shift, from_engine, look
from .from_memory import from_rows
from .keys import ROW, codes_of, group_codes, names_of
from .moments import Moments
from .refusals import extreme, is_extreme

__all__ = [
    "FAR",
    "ROW",
    "WIDE",
    "Counts",
    "Moments",
    "Pilot",
    "about_shift",
    "codes_of",
    "extreme",
    "from_engine",
    "from_rows",
    "group_codes",
    "histograms",
    "is_extreme",
    "is_nothing",
    "look",
    "names_of",
    "nothing",
    "pack",
    "picked",
    "triangle",
    "unpack",
]
