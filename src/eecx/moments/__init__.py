"""Sums per cell: the waist of the hourglass. Every estimator of eecx starts from these."""

from __future__ import annotations

from .arrays import pack, triangle, unpack
from .counts import Counts, histograms
from .from_engine import FAR, from_engine
from .from_memory import from_rows
from .keys import ROW, group_codes, names_of
from .moments import Moments

__all__ = [
    "FAR",
    "ROW",
    "Counts",
    "Moments",
    "from_engine",
    "from_rows",
    "group_codes",
    "histograms",
    "names_of",
    "pack",
    "triangle",
    "unpack",
]
