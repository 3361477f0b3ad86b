"""Resampling as weights on per-cluster sums: no model is refitted to rows."""

from .bootstrap import bootstrap_p, generator, percentile_interval, resampled_sums
from .wild import WildTest, check_draws, wild_tests

__all__ = [
    "WildTest",
    "bootstrap_p",
    "check_draws",
    "generator",
    "percentile_interval",
    "resampled_sums",
    "wild_tests",
]
