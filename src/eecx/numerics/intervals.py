"""Intervals of single numbers."""

from __future__ import annotations

import numpy as np
from scipy import special

__all__ = ["fisher"]


def fisher(r: float, n: float, conf_level: float) -> tuple[float, float]:
    """Return the interval of a correlation by Fisher's z."""
    if n <= 3:
        return float("nan"), float("nan")
    reach = -float(special.ndtri((1 - conf_level) / 2)) / np.sqrt(n - 3)
    with np.errstate(divide="ignore"):
        z = np.arctanh(np.clip(r, -1.0, 1.0))
    return float(np.tanh(z - reach)), float(np.tanh(z + reach))
