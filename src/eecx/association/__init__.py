"""Correlations and their comparison, equivalence, and what measurement error does to a slope."""

from __future__ import annotations

from .attenuation import attenuation
from .compare_correlations import compare_correlations
from .correlations import correlations
from .equivalence import equivalence
from .errors_in_variables import errors_in_variables

__all__ = [
    "attenuation",
    "compare_correlations",
    "correlations",
    "equivalence",
    "errors_in_variables",
]
