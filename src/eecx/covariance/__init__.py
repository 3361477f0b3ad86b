"""Covariances of least-squares estimates, from sums per cluster, wave or row."""

from .classical import classical
from .clustered import adjusted_influence, cr0, cr1, cr2, cr2_spread, cr3, partial_leverage
from .hetero import hc, leverage
from .serial import bandwidth, driscoll_kraay, newey_west

__all__ = [
    "adjusted_influence",
    "bandwidth",
    "classical",
    "cr0",
    "cr1",
    "cr2",
    "cr2_spread",
    "cr3",
    "driscoll_kraay",
    "hc",
    "leverage",
    "newey_west",
    "partial_leverage",
]
