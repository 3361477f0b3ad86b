r"""Covariances for errors related over time: Driscoll–Kraay and Newey–West, Bartlett weights.

With :math:`h_t = \sum_i x_{it} e_{it}` and lags up to :math:`L = \lfloor T^{1/4} \rfloor`:

.. math:: V = M \Big[\Gamma_0 + \sum_{l=1}^{L} \Big(1 - \frac{l}{L+1}\Big)
              (\Gamma_l + \Gamma_l')\Big] M

Driscoll–Kraay takes :math:`\Gamma_l = \sum_t h_t h_{t-l}'` (units may be related in any way),
Newey–West :math:`\Gamma_l = \sum_{it} x_{it} e_{it} e_{i,t-l} x_{i,t-l}'` (units are independent).
Lags count steps of time, not rows. No small-sample factor; both need many waves.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.intp]


def bandwidth(waves: int) -> int:
    """Return the usual number of lags for so many waves."""
    return int(np.floor(waves**0.25 + 1e-12))


def driscoll_kraay(bread: Array, scores: Array, time: npt.NDArray[np.int64]) -> Array:
    """Return the covariance from rows' scores and the steps at which they were taken."""
    steps = np.arange(int(time.min()), int(time.max()) + 1)
    total = np.zeros((len(steps), scores.shape[1]))
    np.add.at(total, time - steps[0], scores)
    lags = bandwidth(len(np.unique(time)))
    meat = total.T @ total
    for lag in range(1, lags + 1):
        gamma = total[lag:].T @ total[:-lag]
        meat += (1 - lag / (lags + 1)) * (gamma + gamma.T)
    return bread @ meat @ bread


def newey_west(bread: Array, scores: Array, unit: Codes, time: npt.NDArray[np.int64]) -> Array:
    """Return the covariance from rows' scores, their units and their steps."""
    lags = bandwidth(len(np.unique(time)))
    width = int(time.max() - time.min()) + 1 + lags
    place = unit.astype(np.int64) * width + (time - time.min())
    order = np.argsort(place)
    meat = scores.T @ scores
    for lag in range(1, lags + 1):
        at = np.searchsorted(place[order], place - lag).clip(0, len(place) - 1)
        found = place[order][at] == place - lag
        # places of a unit are followed by more free ones than there are lags
        gamma = scores[found].T @ scores[order[at[found]]]
        meat += (1 - lag / (lags + 1)) * (gamma + gamma.T)
    return bread @ meat @ bread
