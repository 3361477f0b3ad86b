"""Slopes and their errors, from sums."""

from .linear import Fit, least_squares
from .regress import regress

__all__ = ["Fit", "least_squares", "regress"]
