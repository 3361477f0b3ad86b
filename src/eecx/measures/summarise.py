"""From the sums of row values to n, value, sampling variance and an interval per cell."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .measure import Array, Measure

__all__ = ["summarise"]


def summarise(
    measure: Measure,
    sums: Mapping[str, Array],
    *,
    origin: float | Array = 0.0,
    conf_level: float = 0.95,
    least: int = 1,
) -> dict[str, Array]:
    r"""Turn the sums of u into n, value, variance, std_error and an interval per cell.

    ``sums`` holds ``n, s, ss`` (:math:`n, \sum u, \sum u^2`) or, with weights, also
    ``w, w2, ws, wss`` (:math:`\sum w, \sum w^2, \sum wu, \sum wu^2`). Weighted cells use
    Kish's effective number of respondents, :math:`(\sum w)^2/\sum w^2`, in place of n.
    ``origin`` is what was taken off every u before summing, everywhere or cell by cell. Cells with
    fewer than ``least`` respondents have no part in the variance that stands in for unanimous ones:
    it would tell of them.
    """
    weighted = "w" in sums
    n = np.asarray(sums["n"], dtype=float)
    size = np.asarray(sums["w"] if weighted else n, dtype=float)
    first = np.asarray(sums["ws"] if weighted else sums["s"], dtype=float)
    second = np.asarray(sums["wss"] if weighted else sums["ss"], dtype=float)
    some = n > 0
    safe = np.where(some, size, 1.0)
    mean = first / safe
    spread = np.maximum(second - safe * mean**2, 0.0) / safe
    spread[spread < 1e-14 * np.maximum(second / safe, 1e-300)] = 0.0
    effective = np.where(some, safe**2 / np.where(some, sums["w2"], 1.0), 0.0) if weighted else n
    freedom = np.where(n >= least, np.maximum(effective - 1, 0.0), 0.0)
    own = float(np.sum((spread * effective)[n >= least]))
    pooled = own / float(freedom.sum()) if freedom.sum() > 0 else np.nan
    value = measure.value(effective, mean, spread, sums)
    variance, low, high = measure.precision(effective, mean, spread, pooled, conf_level, sums)
    start, factor = measure.affine
    shift = start + factor * np.asarray(origin) * (measure.powers <= 2)
    out: dict[str, Array] = {
        "value": shift + factor * value,
        "variance": factor**2 * variance,
        "std_error": factor * np.sqrt(variance),
        "conf_low": shift + factor * low,
        "conf_high": shift + factor * high,
    }
    for values in out.values():
        values[~some] = np.nan
    return {"n": n.astype(np.int64), **out}
