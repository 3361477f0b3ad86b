r"""Cluster-robust covariances (CR0 to CR3) of least squares, from per-cluster sums.

With :math:`A_g = X_g'X_g`, scores :math:`s_g = X_g'e_g` and bread :math:`M = (\sum_g A_g)^{-1}`:

.. math:: CR0 = M \Big(\sum_g s_g s_g'\Big) M, \qquad
          CR1 = \frac{G}{G-1} \frac{N-1}{N-K} CR0

CR2 replaces each residual vector by :math:`(I - H_{gg})^{-1/2} e_g`, with
:math:`H_{gg} = X_g M X_g'` (see ``by_cluster``). CR3 takes :math:`(I - H_{gg})^{-1}` instead,
which is the jackknife by cluster: :math:`\hat\beta - \hat\beta_{(g)} = M (I - A_g M)^{-1} s_g`,
without a factor (G-1)/G. A cluster that alone decides a combination of coefficients moves it by
nothing that can be told, and is left out there.

References
----------
Bell, R. M., & McCaffrey, D. F. (2002). Bias reduction in standard errors for linear regression
with multi-stage samples. Survey Methodology, 28(2), 169–181.
Pustejovsky, J. E., & Tipton, E. (2018). Small-sample methods for cluster-robust variance
estimation and hypothesis testing in fixed effects models. Journal of Business & Economic
Statistics, 36(4), 672–683. https://doi.org/10.1080/07350015.2016.1247004
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .by_cluster import ByCluster

Array = npt.NDArray[np.float64]

# combinations looked at together: columns × clusters are kept of each
CHUNK = 32
# expected variance, in units of that of the estimate, below which nothing tells it
UNTOLD = 1e-8


def cr0(bread: Array, scores: Array) -> Array:
    """Return the plain sandwich; ``scores`` has shape (G, k)."""
    half = scores @ bread
    return half.T @ half


def cr1(bread: Array, scores: Array, n: float, parameters: int) -> Array:
    """Return CR0 times G/(G-1) · (N-1)/(N-K), the factor of Stata and fixest.

    Fixed effects nested in clusters are not counted in ``parameters``. With one row per cluster
    the factor is N/(N-K): HC1.
    """
    g = len(scores)
    return cr0(bread, scores) * (g / (g - 1) * (n - 1) / (n - parameters))


def cr2(by: ByCluster, combine: Array) -> tuple[Array, Array]:
    r"""Return clusters' contributions to bias-reduced errors, and Satterthwaite df.

    Parameters
    ----------
    by : ByCluster
    combine : ndarray, shape (c, k)
        Combinations of the coefficients.

    Returns
    -------
    influence : ndarray, shape (G, c)
        Their products add up to the covariance.
    df : ndarray, shape (c,)
        NaN where single clusters decide a coefficient alone, so that nothing tells its error.

    Notes
    -----
    The working model is independent errors of one variance. With the weights :math:`u_g` of a
    cluster's residuals in one estimate,
    :math:`df = (\operatorname{tr} Q)^2 / \operatorname{tr} Q^2` with
    :math:`Q_{gh} = 1_{g=h} u_g'u_g - r_g' r_h` and :math:`r_g = L'X_g'u_g`.
    Absorbed unit effects change nothing as long as units are nested in clusters.
    """
    parts = [_cr2(by, combine[i : i + CHUNK]) for i in range(0, len(combine), CHUNK)]
    return np.concatenate([p[0] for p in parts], axis=1), np.concatenate([p[1] for p in parts])


def _cr2(by: ByCluster, combine: Array) -> tuple[Array, Array]:
    made = by.adjusted(combine, 0.5)
    # scaled, as df have no unit
    scale = ((combine @ by.bread) * combine).sum(axis=1)
    own = np.einsum("gcc->gc", made.own) / scale
    r = made.reach / np.sqrt(scale)
    diagonal = (r**2).sum(axis=1)
    wide = r.shape[1] > r.shape[0]
    between = np.array([((x @ x.T if wide else x.T @ x) ** 2).sum() for x in r.transpose(2, 0, 1)])
    trace = (own - diagonal).sum(axis=0)
    square = between + (own**2 - 2 * own * diagonal).sum(axis=0)
    told = trace > UNTOLD
    return made.influence, np.where(told, trace**2 / np.where(told, square, 1.0), np.nan)


def cr3(by: ByCluster, combine: Array) -> Array:
    """Return how far combinations (c, k) move when each cluster is left out, shape (G, c)."""
    parts = [by.adjusted(combine[i : i + CHUNK], 1.0) for i in range(0, len(combine), CHUNK)]
    return np.concatenate([p.influence for p in parts], axis=1)


def partial_leverage(by: ByCluster, combine: Array) -> Array:
    r"""Return the share of each cluster in what tells each estimate, shape (G, c).

    :math:`L_{gc} = c'M A_g M c / c'M c`, which add up to 1: the part of a column's variation, net
    of the other columns, that lies in cluster g. Where it is 1, the residuals of that cluster fit
    the column exactly, and no sandwich sees an error.

    References
    ----------
    MacKinnon, J. G., Nielsen, M. Ø., & Webb, M. D. (2023). Leverage, influence, and the jackknife
    in clustered regression models. Stata Journal, 23(4), 942–982.
    https://doi.org/10.1177/1536867X231212433
    """
    own = by.shares(combine)
    return np.asarray(own / own.sum(axis=0))
