"""Roots of functions of one number."""

from __future__ import annotations

from collections.abc import Callable
from math import copysign, sqrt

__all__ = ["root"]


def root(f: Callable[[float], float], low: float, high: float, *, within: float) -> float:
    """Return where ``f``, of opposite signs at the two ends, is 0, by Ridders' method.

    It stops where two steps lie ``within`` of each other, relative to the root where that is larger
    than 1. Written here because ``scipy.optimize`` takes a third of the time
    that pandas takes to load.
    """
    f_low, f_high = f(low), f(high)
    if f_low == 0 or f_high == 0:
        return low if f_low == 0 else high
    last = float("inf")
    for _ in range(200):  # the ends come together by half or more in each
        middle = (low + high) / 2
        f_middle = f(middle)
        if f_middle == 0:
            return middle
        step = f_middle / sqrt(f_middle**2 - f_low * f_high)
        new = middle + (middle - low) * copysign(1.0, f_low) * step
        f_new = f(new)
        if f_new == 0 or abs(new - last) <= within * max(1.0, abs(new)):
            return new
        last = new
        if (f_middle < 0) != (f_new < 0):
            low, f_low, high, f_high = middle, f_middle, new, f_new
        elif (f_low < 0) != (f_new < 0):
            high, f_high = new, f_new
        else:
            low, f_low = new, f_new
    return last
