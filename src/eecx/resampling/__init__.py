"""Resampling as weights on per-cluster sums: no model is refitted to rows."""

from .bootstrap import bootstrap_p, generator, percentile_interval, resampled_sums

__all__ = ["bootstrap_p", "generator", "percentile_interval", "resampled_sums"]
