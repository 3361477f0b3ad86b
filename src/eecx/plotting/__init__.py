"""One figure per question, drawn from tidy tables alone: Matplotlib axes in and out.

This room knows no estimator. Each function states the columns of the tables it draws,
checks them, and returns Matplotlib axes or, where there are several panels, the figure.
"""

from __future__ import annotations

from eecx.plotting.audit_flow import audit_flow
from eecx.plotting.coefficients import coefficients
from eecx.plotting.coverage import coverage
from eecx.plotting.distribution import distribution
from eecx.plotting.ladder import ladder
from eecx.plotting.lag_profile import lag_profile
from eecx.plotting.linkage import linkage
from eecx.plotting.mediation_path import mediation_path
from eecx.plotting.prediction import prediction
from eecx.plotting.style import PALETTE, figure_context, render, save

__all__ = [
    "PALETTE",
    "audit_flow",
    "coefficients",
    "coverage",
    "distribution",
    "figure_context",
    "ladder",
    "lag_profile",
    "linkage",
    "mediation_path",
    "prediction",
    "render",
    "save",
]
