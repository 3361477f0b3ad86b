"""Resampling as weights on per-cluster sums: no model is refitted to rows."""

from .bootstrap import bootstrap_p, percentile_interval, resampled_sums
from .wild import Weights, WildTest, cluster_weights, wild_tests

__all__ = [
    "Weights",
    "WildTest",
    "bootstrap_p",
    "cluster_weights",
    "percentile_interval",
    "resampled_sums",
    "wild_tests",
]
