"""Covariances of least-squares estimates, from per-cluster sums alone."""

from .classical import classical
from .clustered import cr0, cr1, cr2, partial_leverage

__all__ = ["classical", "cr0", "cr1", "cr2", "partial_leverage"]
