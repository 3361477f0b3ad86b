"""Resampling as weights on per-cluster sums: no model is refitted to rows."""

from .bootstrap import bootstrap_p, percentile_interval, resampled_sums
from .wild import WildTest, wild_tests

__all__ = [
    "WildTest",
    "bootstrap_p",
    "percentile_interval",
    "resampled_sums",
    "wild_tests",
]
