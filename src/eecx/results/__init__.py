"""One kind of result: the agreed table, what was asked, how it is printed and exported."""

from __future__ import annotations

from .estimates import Estimates, Spread
from .export import escape, json_ready, safe_csv
from .numbers import coefficient, interval_phrase, number, p_phrase, p_value, printed
from .record import fingerprint, recorded, versions
from .result import SCHEMA, Predicts, Result, Tables
from .tidy import NUMBERS, identifying, labels, tidy

__all__ = [
    "NUMBERS",
    "SCHEMA",
    "Estimates",
    "Predicts",
    "Result",
    "Spread",
    "Tables",
    "coefficient",
    "escape",
    "fingerprint",
    "identifying",
    "interval_phrase",
    "json_ready",
    "labels",
    "number",
    "p_phrase",
    "p_value",
    "printed",
    "recorded",
    "safe_csv",
    "tidy",
    "versions",
]
