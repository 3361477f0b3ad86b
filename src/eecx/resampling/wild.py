r"""The restricted wild cluster bootstrap of a linear combination of slopes, from cluster sums.

Under the null :math:`r'\beta = b` the restricted estimate is
:math:`\tilde\beta = \hat\beta - M r\,(r'\hat\beta - b)/r'Mr`. A draw multiplies the restricted
residuals of every cluster by a random sign (or one of Webb's six values) :math:`v_g`. All that a
refit needs are the restricted scores :math:`\tilde s_g = s_g + A_g M r\, d/r'Mr`, with
:math:`d = r'\hat\beta - b`: linear in d. So the t statistic of a draw is the root of ratios of
polynomials in d, whose coefficients are computed once, and the p value of any other null costs
nothing: the interval is the set of nulls that are not rejected.

References
----------
Cameron, A. C., Gelbach, J. B., & Miller, D. L. (2008). Bootstrap-based improvements for inference
with clustered errors. Review of Economics and Statistics, 90(3), 414–427.
MacKinnon, J. G., Nielsen, M. Ø., & Webb, M. D. (2023). Fast and reliable jackknife and bootstrap
methods for cluster-robust inference. Journal of Applied Econometrics, 38(5), 671–694.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from .. import options
from ..errors import OptionError, listing
from ..numerics.products import multiplied

__all__ = ["Weights", "WildTest", "cluster_weights", "wild_tests"]

Array = npt.NDArray[np.float64]
Weights = Literal["rademacher", "webb"]

# weights of one batch: few enough to stay in the processor's cache
BATCH = 200_000
# share of the largest quadratic part of a draw's variance, below which it is a rounding error
FLAT = 1e-12
WEBB = np.sqrt(np.array([1.5, 1.0, 0.5, 0.5, 1.0, 1.5])) * np.array([-1, -1, -1, 1, 1, 1])


def cluster_weights(
    clusters: int, draws: int, kind: Weights, rng: np.random.Generator
) -> tuple[Iterator[Array], bool]:
    """Return the weights of draws and clusters, batch by batch, and whether they are all."""
    if kind not in get_args(Weights):
        raise OptionError(
            f"wild={kind!r}: accepted are {listing(get_args(Weights))}.",
            code="not-accepted",
        )
    values = np.array([-1.0, 1.0]) if kind == "rademacher" else WEBB
    if len(values) ** clusters <= draws:
        return iter([np.array(list(product(values, repeat=clusters)))]), True
    size = max(1, BATCH // clusters)
    batches = (
        values[rng.integers(len(values), size=(min(size, draws - start), clusters))]
        for start in range(0, draws, size)
    )
    return batches, False


@dataclass(frozen=True, eq=False)
class WildTest:
    r"""The bootstrap of one combination: p values of any null, and the interval.

    The t of a draw is :math:`(n_0 + n_1 d)/\sqrt{q_0 + q_1 d + q_2 d^2}`, that of the data
    :math:`d/se`, with d the estimate less the null.
    """

    estimate: float
    std_error: float
    top: Array
    below: Array
    complete: bool

    @property
    def drawn(self) -> int:
        """How many draws there are."""
        return int(self.top.shape[1])

    def p(self, null: float = 0.0) -> float:
        """Return the symmetric p value of ``combination = null``."""
        d = self.estimate - null
        square = self.below[0] + d * (self.below[1] + d * self.below[2])
        own = (d / self.std_error) ** 2 * (1 - 1e-10)
        as_large = float(np.count_nonzero((self.top[0] + self.top[1] * d) ** 2 >= own * square))
        if self.complete:
            return as_large / self.drawn
        return min((as_large + 1) / (self.drawn + 1), 1.0)

    def interval(self, conf_level: float) -> tuple[float, float]:
        """Return the nulls that are not rejected; infinite where no null ever is."""
        from scipy import optimize  # slow to load, and seldom needed

        # p is a share of draws: one that equals alpha does not reject
        alpha = 1 - conf_level - 1e-9

        def kept(reach: float, side: float) -> float:
            return 1.0 if self.p(self.estimate + side * reach) >= alpha else -1.0

        ends = []
        for side in (-1.0, 1.0):
            reach = self.std_error
            for _ in range(60):
                if kept(reach, side) < 0:
                    break
                reach *= 1.6
            else:
                ends.append(side * np.inf)
                continue
            found = optimize.bisect(kept, 0.0, reach, (side,), xtol=1e-8 * reach, rtol=1e-8)
            ends.append(self.estimate + side * found)
        return ends[0], ends[1]


def wild_tests(
    bread: Array,
    pulls: Array,
    scores: Array,
    combine: Array,
    estimates: Array,
    factor: float,
    *,
    draws: int,
    kind: Weights,
    rng: np.random.Generator,
) -> list[WildTest]:
    """Bootstrap combinations of the coefficients, all with the same draws.

    Parameters
    ----------
    bread : ndarray, shape (k, k)
    pulls : ndarray, shape (G, k, c)
        :math:`A_g M r` of every combination.
    scores : ndarray, shape (G, k)
        Unrestricted.
    combine : ndarray, shape (c, k)
        The combinations r.
    estimates : ndarray, shape (c,)
        Their estimates.
    factor : float
        That of CR1; it cancels from p values and stays in the standard error.
    draws, kind, rng :
        How many draws, of which weights; where fewer different ones exist, each is taken once.
    """
    options.draws(draws, usual=9999)
    sides = combine @ bread
    moved = [pulls[:, :, j] / (combine[j] @ m) for j, m in enumerate(sides)]
    reach = [pulls[:, :, j] @ bread for j in range(len(sides))]
    batches, complete = cluster_weights(len(scores), int(draws), kind, rng)
    top: list[list[Array]] = [[] for _ in sides]
    below: list[list[Array]] = [[] for _ in sides]
    # the pull of cluster g in a draw is v o - t'q, with o = o0 + o1 d and t = t0 + t1 d: squares of
    # it add up by three products of the weights with what clusters have
    owns = [(scores @ m, w @ m) for m, w in zip(sides, moved, strict=True)]
    for v in batches:
        plain, v2 = multiplied(v, scores), None if kind == "rademacher" else v * v
        for j, m in enumerate(sides):
            t = (plain, multiplied(v, moved[j]))
            top[j].append(np.stack([multiplied(each, m) for each in t]))
            below[j].append(factor * _squares(v, v2, t, owns[j], reach[j]))
    found = []
    for j, m in enumerate(sides):
        under = np.concatenate(below[j], axis=1)
        # draws that turn no cluster against another have errors that no null moves: the linear and
        # quadratic part are rounding errors, which a distant null would blow up
        under[1:, under[2] <= FLAT * under[2].max()] = 0.0
        error = float(np.sqrt(factor * np.sum((scores @ m) ** 2)))
        numbers = float(estimates[j]), error, np.concatenate(top[j], axis=1), under
        found.append(WildTest(*numbers, complete))
    return found


def _squares(
    v: Array, v2: Array | None, t: tuple[Array, Array], own: tuple[Array, Array], q: Array
) -> Array:
    """Return the constant, linear and quadratic part of the sum of squared pulls, per draw.

    ``v2`` are squared weights; None where they are signs, whose squares are one.
    """
    inner = q.T @ q
    weighted = [multiplied(v, o[:, None] * q) for o in own]
    out = []
    for a, b, times in ((0, 0, 1), (0, 1, 2), (1, 1, 1)):
        crossed = ((t[a] * weighted[b]) + (t[b] * weighted[a])).sum(axis=1)
        squares = own[a] * own[b]
        own_part = squares.sum() if v2 is None else multiplied(v2, squares)
        out.append(times * (own_part - crossed + (multiplied(t[a], inner) * t[b]).sum(axis=1)))
    return np.stack(out)
