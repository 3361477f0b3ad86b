"""May these people be averaged into a unit, and how well."""

from __future__ import annotations

from .ad import ad_index
from .aggregation import aggregation
from .alpha import alpha, spearman_brown
from .awg import awg
from .halves import split_half, test_retest
from .icc import icc
from .instability import instability
from .omega import omega
from .perception_gap import perception_gap
from .random_groups import random_groups
from .reliability import BETWEEN, CHANGE, estimate, level_sums, read_cells, reliability
from .rwg import rwg
from .split_sample import split_sample

__all__ = [
    "BETWEEN",
    "CHANGE",
    "ad_index",
    "aggregation",
    "alpha",
    "awg",
    "estimate",
    "icc",
    "instability",
    "level_sums",
    "omega",
    "perception_gap",
    "random_groups",
    "read_cells",
    "reliability",
    "rwg",
    "spearman_brown",
    "split_half",
    "split_sample",
    "test_retest",
]
