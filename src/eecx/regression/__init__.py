"""Linear models of a panel, and the correlations of linkage studies."""

from __future__ import annotations

from .compare_correlations import compare_correlations
from .correlations import correlations
from .equivalence import equivalence
from .regress import regress

__all__ = ["compare_correlations", "correlations", "equivalence", "regress"]
