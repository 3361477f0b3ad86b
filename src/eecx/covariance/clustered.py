"""Cluster-robust covariances (CR0, CR1, CR2) of least squares, from per-cluster sums.

With :math:`A_g = X_g'X_g`, scores :math:`s_g = X_g'e_g` and bread
:math:`M = (\\sum_g A_g)^{-1}`, all of shape k × k or k, no row is needed:

.. math:: CR0 = M \\Big(\\sum_g s_g s_g'\\Big) M, \\qquad
          CR1 = \\frac{G}{G-1} \\frac{N-1}{N-K} CR0

CR2 replaces each residual vector by :math:`(I - H_{gg})^{-1/2} e_g`, with
:math:`H_{gg} = X_g M X_g'`. Because :math:`X' f(X M X') = f(X'X M) X'` for every function f,
its score is :math:`(I - A_g M)^{-1/2} s_g`: again k numbers.

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

Array = npt.NDArray[np.float64]

# eigenvalues of I - H_gg below this belong to a coefficient that one cluster alone decides
_DECIDED = 1e-8


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


def cr2(bread: Array, cross: Array, scores: Array) -> tuple[Array, Array]:
    """Return the bias-reduced covariance and Satterthwaite degrees of freedom per coefficient.

    Parameters
    ----------
    bread : ndarray, shape (k, k)
    cross : ndarray, shape (G, k, k)
        :math:`A_g`.
    scores : ndarray, shape (G, k)
        :math:`s_g`.

    Notes
    -----
    The working model is independent errors of one variance. For coefficient j let
    :math:`u_g` be the weights with which cluster g's residuals enter its estimate; then
    :math:`df_j = (\\operatorname{tr} Q)^2 / \\operatorname{tr} Q^2` with
    :math:`Q_{gh} = 1_{g=h} u_g'u_g - r_g' M r_h` and :math:`r_g = X_g'u_g`.
    Absorbed unit effects change nothing as long as units are nested in clusters.
    """
    root = np.linalg.cholesky(bread)
    hat = np.swapaxes(root, 0, 1) @ cross @ root
    values, vectors = np.linalg.eigh((hat + np.swapaxes(hat, 1, 2)) / 2)
    left = 1.0 - values
    decided = left < _DECIDED
    safe = np.where(decided, 1.0, left)
    power = {p: np.where(decided, 0.0, safe**p) for p in (-0.5, -1.0)}
    inverse = np.linalg.inv(root).T

    def transformed(which: float, extra: Array) -> Array:
        """Compute L'^{-1} V diag(f) V' L' for every cluster, for f = (1 - λ)^p · extra."""
        middle = (vectors * (power[which] * extra)[:, None, :]) @ np.swapaxes(vectors, 1, 2)
        return inverse @ middle @ root.T

    one = np.ones_like(values)
    adjusted = np.einsum("gij,gj->gi", transformed(-0.5, one), scores)
    covariance = cr0(bread, adjusted)
    # columns of these are coefficients: r_g = (I - A M)^{-1/2} A M c, u'u = c'M (I - A M)^{-1} A M c
    r = transformed(-0.5, values) @ np.eye(len(bread))
    u_u = np.einsum("ij,gjk->gik", bread, transformed(-1.0, values))
    own = np.einsum("gjj->gj", u_u)
    r_m = np.einsum("ij,gjc->gic", root.T, r)
    diagonal = np.einsum("gic,gic->gc", r_m, r_m)
    between = np.einsum("gic,gjc->cij", r_m, r_m)
    trace = (own - diagonal).sum(axis=0)
    square = np.einsum("cij,cij->c", between, between) - 2 * (own * diagonal).sum(axis=0)
    square += (own**2).sum(axis=0)
    return covariance, trace**2 / square
