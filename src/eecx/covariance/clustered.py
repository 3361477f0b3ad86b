r"""Cluster-robust covariances (CR0 to CR3) of least squares, from per-cluster sums.

With :math:`A_g = X_g'X_g`, scores :math:`s_g = X_g'e_g` and bread
:math:`M = (\sum_g A_g)^{-1}`, all of shape k × k or k, no row is needed:

.. math:: CR0 = M \Big(\sum_g s_g s_g'\Big) M, \qquad
          CR1 = \frac{G}{G-1} \frac{N-1}{N-K} CR0

CR2 replaces each residual vector by :math:`(I - H_{gg})^{-1/2} e_g`, with
:math:`H_{gg} = X_g M X_g'`. Because :math:`X' f(X M X') = f(X'X M) X'` for every function f,
its score is :math:`(I - A_g M)^{-1/2} s_g`: again k numbers. With :math:`M = L L'`, the
eigenvalues of :math:`L'A_g L` are those of :math:`H_{gg}`. CR3 takes :math:`(I - H_{gg})^{-1}`
instead, which is the jackknife by cluster: :math:`\hat\beta - \hat\beta_{(g)} = M (I - A_g M)^{-1}
s_g`.

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

# eigenvalues of I - H_gg below this belong to a combination of coefficients that one cluster
# alone decides: its residuals there are zero whatever the data
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


def cr2(
    bread: Array, cross: Array, scores: Array, combine: Array | None = None
) -> tuple[Array, Array]:
    r"""Return the bias-reduced covariance and Satterthwaite degrees of freedom per coefficient.

    Parameters
    ----------
    bread : ndarray, shape (k, k)
    cross : ndarray, shape (G, k, k)
        :math:`A_g`.
    scores : ndarray, shape (G, k)
        :math:`s_g`.
    combine : ndarray, shape (c, k), optional
        Combinations of the coefficients to return instead of the coefficients themselves.

    Returns
    -------
    covariance : ndarray, shape (c, c)
    df : ndarray, shape (c,)
        NaN where single clusters decide a coefficient alone, so that nothing tells its error.

    Notes
    -----
    The working model is independent errors of one variance. For coefficient j let
    :math:`u_g` be the weights with which cluster g's residuals enter its estimate; then
    :math:`df_j = (\operatorname{tr} Q)^2 / \operatorname{tr} Q^2` with
    :math:`Q_{gh} = 1_{g=h} u_g'u_g - r_g' M r_h` and :math:`r_g = X_g'u_g`.
    Absorbed unit effects change nothing as long as units are nested in clusters.
    """
    root, values, vectors = _leverage(bread, cross)
    left = 1.0 - values
    kept = left >= _DECIDED
    root_left = np.sqrt(np.where(kept, left, 1.0))
    c = root if combine is None else combine @ root
    turned = np.swapaxes(vectors, 1, 2)
    score = (turned @ (scores @ root)[:, :, None])[:, :, 0]
    adjusted = (vectors @ np.where(kept, score / root_left, 0.0)[:, :, None])[:, :, 0]
    half = adjusted @ c.T
    # per cluster and coefficient, scaled, as df have no unit: z is V'L'c, own u_g'u_g, r L'r_g
    z = turned @ (c / np.linalg.norm(c, axis=1, keepdims=True)).T
    own = np.einsum("gk,gkc->gc", np.where(kept, values / root_left**2, 0.0), z**2)
    r = vectors @ (np.where(kept, values / root_left, 0.0)[:, :, None] * z)
    diagonal = (r**2).sum(axis=1)
    by_coefficient = r.transpose(2, 1, 0)
    between = by_coefficient @ np.swapaxes(by_coefficient, 1, 2)
    trace = (own - diagonal).sum(axis=0)
    square = (between**2).sum(axis=(1, 2)) + (own**2 - 2 * own * diagonal).sum(axis=0)
    told = trace > _DECIDED
    df = np.where(told, trace**2 / np.where(told, square, 1.0), np.nan)
    return half.T @ half, df


def cr2_spread(bread: Array, cross: Array, combine: Array) -> tuple[Array, Array]:
    """Return own (G, c, c) and reach (G, k, c) of combinations (c, k), as :class:`Spread` has."""
    root, values, vectors = _leverage(bread, cross)
    left = 1.0 - values
    kept = left >= _DECIDED
    z = np.swapaxes(vectors, 1, 2) @ (combine @ root).T
    weight = np.where(kept, values / np.where(kept, left, 1.0), 0.0)
    own = np.swapaxes(z, 1, 2) @ (weight[:, :, None] * z)
    half = np.where(kept, values / np.sqrt(np.where(kept, left, 1.0)), 0.0)
    return own, vectors @ (half[:, :, None] * z)


def adjusted_influence(
    bread: Array, cross: Array, scores: Array, combine: Array, power: float
) -> Array:
    """Return what clusters add to combinations (c, k), residuals weighted (I - H)^-power."""
    root, values, vectors = _leverage(bread, cross)
    left = 1.0 - values
    kept = left >= _DECIDED
    score = (np.swapaxes(vectors, 1, 2) @ (scores @ root)[:, :, None])[:, :, 0]
    score = np.where(kept, score / np.where(kept, left, 1.0) ** power, 0.0)
    return np.asarray((vectors @ score[:, :, None])[:, :, 0] @ (combine @ root).T)


def cr3(bread: Array, cross: Array, scores: Array) -> Array:
    """Return the jackknife covariance: how far the estimates move when a cluster is left out.

    No factor (G-1)/G. A cluster that alone decides a combination of coefficients moves it by
    nothing that can be told, and is left out there.
    """
    root, values, vectors = _leverage(bread, cross)
    left = 1.0 - values
    score = (np.swapaxes(vectors, 1, 2) @ (scores @ root)[:, :, None])[:, :, 0]
    kept = left >= _DECIDED
    moved = vectors @ np.where(kept, score / np.where(kept, left, 1.0), 0.0)[:, :, None]
    half = moved[:, :, 0] @ root.T
    return np.asarray(half.T @ half)


def partial_leverage(bread: Array, cross: Array, combine: Array | None = None) -> Array:
    r"""Return the share of each cluster in what tells each coefficient, shape (G, c).

    :math:`L_{gc} = c'M A_g M c / c'M c`, which add up to 1: the part of a column's variation, net
    of the other columns, that lies in cluster g. Where it is 1, the residuals of that cluster fit
    the column exactly, and no sandwich sees an error.

    References
    ----------
    MacKinnon, J. G., Nielsen, M. Ø., & Webb, M. D. (2023). Leverage, influence, and the jackknife
    in clustered regression models. Stata Journal, 23(4), 942–982.
    https://doi.org/10.1177/1536867X231212433
    """
    c = bread if combine is None else combine @ bread
    own = ((c @ cross) * c).sum(axis=2)
    return np.asarray(own / own.sum(axis=0))


def _leverage(bread: Array, cross: Array) -> tuple[Array, Array, Array]:
    """Return L of :math:`M = L L'` and the eigenvalues and vectors of every :math:`L'A_g L`."""
    root = np.linalg.cholesky(bread)
    hat = root.T @ cross @ root
    values, vectors = np.linalg.eigh((hat + np.swapaxes(hat, 1, 2)) / 2)
    return np.asarray(root, float), np.asarray(values, float), np.asarray(vectors, float)
