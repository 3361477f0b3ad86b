"""Linear mixed models: random intercepts and slopes of units, from the sums of each unit."""

from __future__ import annotations

from .predict import predictor_of_mixed
from .random_effects import Covariance, Method, MixedFit, fit_mixed
from .result import mixed, mixed_result

__all__ = [
    "Covariance",
    "Method",
    "MixedFit",
    "fit_mixed",
    "mixed",
    "mixed_result",
    "predictor_of_mixed",
]
