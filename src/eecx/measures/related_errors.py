"""How the sampling errors of two measures go together where the same people answered both."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .measure import Array

__all__ = ["related_errors"]


def related_errors(sums: Mapping[str, Array], alone: tuple[Array, Array]) -> Array:
    r"""Return the correlation of the sampling errors of two measures, cell by cell.

    With :math:`r` the correlation of u and v among the cell's people who answered both, whose
    weights are :math:`w` (1 without weights),

    .. math:: r_{\bar u \bar v} = r \sum_{both} w^2 \Big/ \sqrt{\sum_u w^2 \sum_v w^2}

    which is r where all answered both, and 0 where nobody did or where either did not vary.
    ``sums`` holds ``w, w2, u, v, uu, vv, uv`` over those who answered both (:math:`\sum w, \sum
    w^2, \sum wu, \ldots`), ``alone`` :math:`\sum w^2` over those who answered each.
    """
    size = np.where(sums["w"] > 0, sums["w"], 1.0)
    u, v = sums["u"] / size, sums["v"] / size
    raw = [sums["uu"] / size, sums["vv"] / size]
    spread = [np.maximum(r - m * m, 0.0) for r, m in zip(raw, (u, v), strict=True)]
    varies = (spread[0] > 1e-14 * raw[0]) & (spread[1] > 1e-14 * raw[1])
    scale = np.where(varies, np.sqrt(spread[0] * spread[1]), 1.0)
    r = np.where(varies, np.clip((sums["uv"] / size - u * v) / scale, -1.0, 1.0), 0.0)
    most = np.sqrt(alone[0] * alone[1])
    return np.asarray(r * sums["w2"] / np.where(most > 0, most, 1.0))
