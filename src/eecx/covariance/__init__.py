"""Covariances of least-squares estimates, from sums per cluster, wave or row."""

from .by_cluster import Adjusted, ByCluster, Rows, RowsNetOfWaves, Sums, Waves
from .classical import classical
from .clustered import cr0, cr1, cr2, cr3, partial_leverage
from .hetero import hc, leverage
from .serial import bandwidth, driscoll_kraay, newey_west

__all__ = [
    "Adjusted",
    "ByCluster",
    "Rows",
    "RowsNetOfWaves",
    "Sums",
    "Waves",
    "bandwidth",
    "classical",
    "cr0",
    "cr1",
    "cr2",
    "cr3",
    "driscoll_kraay",
    "hc",
    "leverage",
    "newey_west",
    "partial_leverage",
]
