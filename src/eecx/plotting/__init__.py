"""One figure per question, drawn from tidy tables alone: Matplotlib axes in and out.

This room knows no estimator. Each function states the columns of the tables it draws,
checks them, and returns Matplotlib axes or, where there are several panels, the figure.
"""

from __future__ import annotations

from .audit_flow import audit_flow
from .coefficients import coefficients
from .coverage import coverage
from .distribution import distribution
from .ladder import ladder
from .lag_profile import lag_profile
from .linkage import linkage
from .mediation_path import mediation_path
from .prediction import prediction
from .style import PALETTE, figure_context, figure_of, render, save

__all__ = [
    "PALETTE",
    "audit_flow",
    "coefficients",
    "coverage",
    "distribution",
    "figure_context",
    "figure_of",
    "ladder",
    "lag_profile",
    "linkage",
    "mediation_path",
    "prediction",
    "render",
    "save",
]
