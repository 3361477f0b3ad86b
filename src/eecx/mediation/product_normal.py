"""The distribution of a product of two normal estimates: an interval for a·b without draws."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import special

from ..errors import OptionError
from ..numerics.roots import root

__all__ = ["product_normal_interval"]

Array = npt.NDArray[np.float64]

POINTS = np.polynomial.legendre.leggauss(12)


def product_normal_interval(
    a: float,
    se_a: float,
    b: float,
    se_b: float,
    conf_level: float = 0.95,
    *,
    correlation: float = 0.0,
) -> tuple[float, float]:
    r"""Return the central interval of AB for normal A ~ N(a, se_a²) and B ~ N(b, se_b²).

    .. math::

        P(AB \le q) = \int \varphi_a(u)\, P(uB \le q \mid A = u)\, du

    ``correlation`` is that of the two estimates; it is 0 for the paths a and b of least squares.
    NaN where an error is not known.

    Examples
    --------
    >>> low, high = product_normal_interval(0.4, 0.1, 0.5, 0.1)
    >>> round(low, 4), round(high, 4)
    (0.0872, 0.34)
    """
    if not -1 < correlation < 1:
        raise OptionError(
            f"correlation={correlation!r}: between -1 and 1.",
            code="out-of-range",
            fix="Leave it out for 0.",
        )
    if not (np.isfinite([a, b]).all() and se_a > 0 and se_b > 0):
        return np.nan, np.nan
    # in units of the errors, so that the units of x, m and y do not matter
    scale, a, b = se_a * se_b, a / se_a, b / se_b
    z, weight = _nodes(-a)
    u = a + z
    u[u == 0] = 1e-200
    weight = weight * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)

    side = np.sign(u) / np.sqrt(1 - correlation**2)
    start, slope = side * (b + correlation * z), side / u

    spread = float(np.hypot(a, 1) * np.hypot(b, 1))
    ends = a * b - 12 * spread, a * b + 12 * spread

    def quantile(p: float) -> float:
        return root(
            lambda q: float(weight @ special.ndtr(q * slope - start)) - p, *ends, within=1e-12
        )

    tail = (1 - conf_level) / 2
    return quantile(tail) * scale, quantile(1 - tail) * scale


def _nodes(jump: float) -> tuple[Array, Array]:
    """Gauss-Legendre nodes on (-12, 12), in panels that halve towards the point where u = 0."""
    x, w = POINTS
    jump = float(np.clip(jump, -12, 12))
    z, weight = [], []
    for end in (-12.0, 12.0):
        length = end - jump
        if length == 0:
            continue
        edges = jump + length * np.append(0.5 ** np.arange(36), 0.0)
        # cut the wide outer panels: the normal density turns within one unit
        edges = np.unique(np.concatenate([edges, jump + length * np.linspace(0, 1, 17)]))
        half, middle = np.diff(edges) / 2, (edges[1:] + edges[:-1]) / 2
        z.append((middle[:, None] + half[:, None] * x).ravel())
        weight.append((half[:, None] * w).ravel())
    return np.concatenate(z), np.concatenate(weight)
