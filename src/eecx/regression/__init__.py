"""Linear models of a panel, and the correlations of linkage studies."""

from __future__ import annotations

from .compare import compare
from .compare_correlations import compare_correlations
from .correlations import correlations
from .equivalence import equivalence
from .errors_in_variables import errors_in_variables
from .regress import regress
from .wald import hausman, wald

__all__ = [
    "compare",
    "compare_correlations",
    "correlations",
    "equivalence",
    "errors_in_variables",
    "hausman",
    "regress",
    "wald",
]
