"""The distribution of a product of two normal estimates: an interval for a·b without draws."""

from __future__ import annotations

import numpy as np
from scipy import integrate, optimize, stats

__all__ = ["product_normal_interval"]


def product_normal_interval(
    a: float, se_a: float, b: float, se_b: float, conf_level: float = 0.95
) -> tuple[float, float]:
    """Return the central interval of AB for independent A ~ N(a, se_a²) and B ~ N(b, se_b²).

    .. math::

        P(AB \\le q) = \\int \\varphi_a(u)\\, P(uB \\le q)\\, du

    Examples
    --------
    >>> low, high = product_normal_interval(0.4, 0.1, 0.5, 0.1)
    >>> round(low, 4), round(high, 4)
    (0.0838, 0.3393)
    """

    def share(q: float) -> float:
        def weight(z: float) -> float:
            u = a + se_a * z
            if u == 0:
                return float(stats.norm.pdf(z) * (q >= 0))
            at = (q / u - b) / se_b
            tail = stats.norm.cdf(at) if u > 0 else stats.norm.sf(at)
            return float(stats.norm.pdf(z) * tail)

        # where u changes sign the integrand jumps
        jump = float(np.clip(-a / se_a, -12, 12))
        parts = [integrate.quad(weight, *ends, epsabs=1e-13, epsrel=1e-12, limit=400)[0]
                 for ends in ((-12.0, jump), (jump, 12.0)) if ends[0] < ends[1]]
        return float(sum(parts))

    spread = np.sqrt(a**2 * se_b**2 + b**2 * se_a**2 + se_a**2 * se_b**2)
    ends = a * b - 20 * spread, a * b + 20 * spread
    tail = (1 - conf_level) / 2
    low, high = (
        optimize.brentq(lambda q: share(q) - p, *ends, xtol=1e-13 * max(1.0, spread), rtol=1e-13)
        for p in (tail, 1 - tail)
    )
    return float(low), float(high)
