r"""The likelihood of a linear mixed model, its derivatives and its maximum, from units' sums.

Rows of unit i follow, with q random effects and relative covariance :math:`T`,

.. math::

    y_i = X_i \beta + Z_i b_i + \varepsilon_i, \qquad
    b_i \sim N(0, \sigma^2 T), \quad \varepsilon_i \sim N(0, \sigma^2 I)

A triangular :math:`R_i` with :math:`R_i'R_i = Z_i'Z_i` and :math:`C_i = R_i^{-T} Z_i'[X_i, y_i]`
hold all that a unit tells of T; what :math:`Z_i` leaves of :math:`[X_i, y_i]` adds up over units,
once, to W. With :math:`H_i = I + R_i T R_i'` (q × q) the deviance rests on

.. math::

    M(T) = W + \sum_i C_i' H_i^{-1} C_i, \qquad \sum_i \log |H_i|

Nothing is subtracted in M, so no digits are lost, and a step costs O(units), not O(rows). The
Cholesky factor of T is found by Newton's method with exact first and second derivatives.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ..errors import DataError
from ..models.columns import INTERCEPT, NOTHING_TO_EXPLAIN, Column
from ..models.least_squares import _refuse_dependent
from ..moments import Moments

__all__ = [
    "DEPENDENT",
    "Held",
    "Model",
    "Sums",
    "eliminate",
    "gathered",
    "minimise",
    "newton",
    "root_of",
    "sums_of",
    "told",
    "without_nothing",
]

Array = npt.NDArray[np.float64]

# share of a column's squares in a unit that the columns before it leave, below which it is theirs
DEPENDENT = 1e-10
# deviance that a random effect must be worth to be told from none
NOTHING = 1e-7
STEPS = 100
STRETCH = 10.0 ** np.array([-3.0, -2.0, -1.0, 1.0, 2.0, 3.0])


# ---------------------------------------------------------------------- sums


@dataclass(frozen=True, eq=False)
class Sums:
    """What the likelihood needs of centred, scaled columns; [X, y] has P = p + 1 of them."""

    r: Array  # (q, q, G): column, row and unit of R
    c: Array  # (P, q, G): column, row and unit of C
    rest: Array  # (P, P): W
    rank: float  # of all Z_i together
    n: float
    names: tuple[Column, ...]
    random: tuple[Column, ...]
    levels: tuple[str, ...]
    move: Array  # (p, p): from scaled coefficients to those of the columns given
    lift: Array  # (q, q): the same for random effects
    centre: float  # what was taken off y
    scale: float  # what y was divided by
    log_scales: float  # log of what the columns of X were divided by, together
    spread: Array  # (p, p): covariance of the columns of X over rows
    condition: float
    times: Array | float = 1.0  # (G,): units that each column of R and C stands for


def sums_of(
    cells: Moments,
    x: list[Column],
    random: list[Column],
    intercept: bool,
    random_intercept: bool,
    about_zero: bool,
) -> Sums:
    """Centre and scale the sums of units, and part them by what Z tells."""
    k, n, constant = len(x), float(cells.n.sum()), int(intercept)
    size = np.abs(cells.mean).max(axis=0)
    centre = np.zeros(k + 1)
    if intercept:
        cells, centre = cells.centred()
    whole = cells.about(np.zeros(k + 1)).sum(axis=0)
    scale = np.sqrt(np.diag(whole) / n)
    _refuse_dependent(whole, x, np.sqrt(n) * scale)
    if scale[k] <= 1e-14 * size[k]:
        raise DataError(
            f"{cells.terms[k]!r} is constant over the {n:.0f} rows that are left.",
            code="constant-column",
            fix=NOTHING_TO_EXPLAIN,
        )
    noise = cells.n * (1e-14 * size / scale)[:, None] ** 2
    # the constant, then x and y; units come last, so that sums run along memory
    place = np.concatenate([np.ones((1, len(cells.n))), cells.mean.T / scale[:, None]])
    m2 = np.zeros((k + 2, k + 2, len(cells.n)))
    m2[1:, 1:] = np.moveaxis(cells.cross, 0, -1) / np.outer(scale, scale)[..., None]
    # random columns, made of the constant and x; `lift` leads their effects back
    first = int(random_intercept)
    basis = np.zeros((k + 2, first + len(random)))
    lift = np.eye(first + len(random))
    basis[0, :first] = 1.0
    for j, name in enumerate(random, start=first):
        at = x.index(name)
        shift = centre[at] / scale[at]
        own = float(np.hypot(1.0, shift)) if about_zero else 1.0  # size about zero
        basis[1 + at, j] = 1 / own
        lift[j, j] = 1 / (scale[at] * own)
        if about_zero:
            basis[0, j] = shift / own
        else:
            lift[0, j] = -shift
    floor = np.einsum("aj,ag->jg", basis[1:] ** 2, noise)
    r, c, rest, rank = _parted(cells.n, place, m2, basis, 1 - constant, floor)
    move = np.diag(np.append(np.full(constant, scale[k]), scale[k] / scale[:k]))
    move[:constant, constant:] = -(centre * scale[k] / scale)[:k]
    correlation = (whole / np.outer(scale, scale))[:k, :k]
    at_mean = place[1:-1] @ cells.n / n
    spread = np.zeros((constant + k, constant + k))
    spread[constant:, constant:] = (correlation - n * np.outer(at_mean, at_mean)) / (n - 1)
    within = np.einsum("aag->a", m2)[1:-1]
    between = cells.n @ (place[1:-1].T - at_mean) ** 2
    none = 1e-20 * n + noise[:k].sum(axis=1)
    inside = np.where(between <= none, "within units", "both")
    levels = np.where(within <= none, "between units", inside)
    return Sums(
        r=r,
        c=c,
        rest=rest,
        rank=rank,
        n=n,
        names=(INTERCEPT,) * constant + tuple(x),
        random=(INTERCEPT,) * first + tuple(random),
        levels=("between units",) * constant + tuple(str(level) for level in levels),
        move=move,
        lift=lift * scale[k],
        centre=float(centre[k]),
        scale=float(scale[k]),
        log_scales=float(np.log(scale[:k]).sum()),
        spread=spread,
        condition=float(np.linalg.cond(correlation)) if k else 1.0,
    )


def _parted(
    n: Array, place: Array, m2: Array, basis: Array, start: int, floor: Array
) -> tuple[Array, Array, Array, float]:
    """Return R and C of every unit, W, and the ranks of Z summed up."""
    q, wide = basis.shape[1], len(m2) - start
    both = np.concatenate([basis.T, np.eye(len(m2))[start:]])  # rows lead to Z, then to [X, y]
    swept = int(basis[0, 0] == 1.0 and not basis[1:, 0].any())
    rows = np.empty((q + wide, q, len(n)))
    if swept:  # a random intercept: what is left of a unit is centred on its mean
        rows[:, 0] = np.sqrt(n) * (both @ place)
        s = m2
    else:
        s = m2 + n * place[:, None] * place[None]
    z = np.tensordot(basis.T, s, 1)
    rows[:, swept:] = np.tensordot(both, z.swapaxes(0, 1), 1)[:, swept:]
    square = rows[swept:q, swept:].copy()
    least = np.maximum(floor[swept:], DEPENDENT * np.einsum("jjg->jg", square))
    alive = eliminate(square, rows[:, swept:], least)
    for j in range(q):
        rows[:j, j] = 0.0
    c = rows[q:]
    told = c[:, swept:].reshape(wide, -1)
    rest = s[start:, start:].sum(axis=2) - told @ told.T
    return np.ascontiguousarray(rows[:q]), np.ascontiguousarray(c), rest, alive + swept * len(n)


def eliminate(
    square: Array, rows: Array, least: Array | None = None, times: Array | float = 1.0
) -> float:
    """Solve with the Cholesky factor of every unit's ``square``, in place.

    ``square`` (m, m, G) is overwritten; ``rows`` (K, m, G) holds K right-hand sides. Returns the
    log-determinants summed up, each so many ``times``; with ``least``, pivots below it count as
    zero, and the number of the others is returned.
    """
    total = 0.0
    for j in range(len(square)):
        pivot = square[j, j]
        if least is None:
            total += float((times * np.log(pivot)).sum())
            inverse = 1 / np.sqrt(pivot)
        else:
            alive = pivot > least[j]
            total += float(alive.sum())
            inverse = alive / np.sqrt(np.where(alive, pivot, 1.0))
        rows[:, j] *= inverse
        for i in range(j + 1, len(square)):
            weight = square[i, j] * inverse
            rows[:, i] -= weight * rows[:, j]
            square[i, j + 1 :] -= weight * (square[j, j + 1 :] * inverse)
    return total


def gathered(sums: Sums) -> Sums:
    """Put units of equal R together: what they add to M is the square of few columns.

    The likelihood of a random intercept then costs as many steps as units differ in size.
    """
    size, group = np.unique(sums.r[0, 0], return_inverse=True)
    wide = len(sums.c)
    if len(sums.r) > 1 or len(size) * wide >= len(group):
        return sums
    square = np.empty((len(size), wide, wide))
    for a, b in np.ndindex(wide, wide):
        square[:, a, b] = np.bincount(group, sums.c[a, 0] * sums.c[b, 0])
    values, axes = np.linalg.eigh(square)
    roots = axes * np.sqrt(values.clip(0))[:, None]
    return replace(
        sums,
        r=np.repeat(size, wide).reshape(1, 1, -1),
        c=np.ascontiguousarray(roots.swapaxes(0, 1).reshape(wide, 1, -1)),
        times=np.repeat(np.bincount(group) / wide, wide),
    )


# ---------------------------------------------------------------------- the deviance


@dataclass(frozen=True, eq=False)
class _Point:
    """The model at one T, in scaled columns."""

    logs: float  # log-determinants of V and, with REML, of X'V^{-1}X
    m: Array  # (P, P)
    low: Array  # (P, P): its Cholesky factor
    zr: Array  # (q, q, G): column, row and unit of H^{-1/2} R
    zc: Array  # (P, q, G): the same of H^{-1/2} C

    @property
    def rss(self) -> float:
        return float(self.low[-1, -1]) ** 2

    @property
    def residual(self) -> Array:
        """Return e with [X, y] e = y - X beta."""
        return np.append(-np.linalg.solve(self.low[:-1, :-1].T, self.low[-1, :-1]), 1.0)

    def seen(self) -> tuple[Array, Array, Array]:
        """Return R'H^{-1}R (q, q, G), C'H^{-1}R (P, q, G) and R'H^{-1}Ce (q, G)."""
        inner = np.einsum("ajg,bjg->abg", self.zr, self.zr)
        g = np.einsum("sjg,ajg->sag", self.zc, self.zr)
        return inner, g, np.tensordot(self.residual, g, 1)


@dataclass(frozen=True, eq=False)
class _Slopes:
    """Derivatives in the m elements of the factor F of T = FF', sigma held."""

    turns: Array  # (m, q, q): of T
    bends: Array  # (m, m, q, q): of T, second
    m: Array  # (m, P, P): of M
    rss: Array  # (m,): of the residual sum of squares
    gamma: Array  # (q, q): of the deviance in T itself
    gradient: Array  # (m,): of the deviance
    hessian: Array  # (m, m): of the deviance, second


@dataclass(frozen=True, eq=False)
class Held:
    """A variance held at a value: ``w'Tw`` times sigma², or sigma² itself where w is None."""

    w: Array | None
    value: float


@dataclass(frozen=True, eq=False)
class Model:
    """The sums with what is asked of them: N, REML or ML, correlated random effects or not."""

    sums: Sums
    free: float  # N
    reml: bool
    diagonal: bool

    def at(self, factor: Array) -> _Point:
        """Evaluate M and the determinants at T = factor · factor'."""
        sums = self.sums
        q, p = len(sums.r), len(sums.names)
        spanned = np.tensordot(factor.T, sums.r, 1)
        h = np.einsum("kig,kjg->ijg", spanned, spanned)
        for j in range(q):
            h[j, j] += 1.0
        rows = np.concatenate([sums.r, sums.c])
        logs = eliminate(h, rows, times=sums.times)
        flat = rows[q:].reshape(p + 1, -1)
        m = sums.rest + flat @ flat.T
        low = np.linalg.cholesky(m)
        if self.reml:
            logs += 2 * float(np.log(np.diag(low)[:-1]).sum())
        return _Point(logs, m, low, rows[:q], rows[q:])

    def sigma2(self, point: _Point, factor: Array, held: Held | None = None) -> float:
        """Return the residual variance: the best, or what a held variance leaves it."""
        if held is None:
            return point.rss / self.free
        return held.value if held.w is None else held.value / float(np.sum((held.w @ factor) ** 2))

    def deviance(self, point: _Point, sigma2: float) -> float:
        """Return minus twice the log-likelihood."""
        return point.logs + self.free * float(np.log(2 * np.pi * sigma2)) + point.rss / sigma2

    def best(self, factor: Array) -> float:
        """Return the deviance at T with the best sigma."""
        point = self.at(factor)
        return self.deviance(point, self.sigma2(point, factor))

    def slopes(self, point: _Point, factor: Array, sigma2: float) -> _Slopes:
        """Return first and second derivatives, exactly."""
        q, p = len(self.sums.r), len(self.sums.names)
        turns, bends = _turns(factor, self.diagonal)
        inner, g, u = point.seen()
        weight = u[:, None] * u[None] / sigma2
        low = np.linalg.inv(point.low[:p, :p])
        if self.reml:
            fixed = (low @ g[:p].reshape(p, -1)).reshape(p, q, -1)
            weight += np.einsum("sag,sbg->abg", fixed, fixed)
        counted = self.sums.times * inner
        gamma = (counted - weight).sum(axis=2)
        # the sum over units of tr(dT P dT' (2 weight - P)), with P = R'H^{-1}R
        pairs = inner.reshape(q * q, -1) @ (2 * weight - counted).reshape(q * q, -1).T
        turned = pairs.reshape(q, q, q, q).transpose(3, 0, 1, 2).reshape(q * q, q * q)
        flat = turns.reshape(-1, q * q)
        hessian = flat @ turned @ flat.T + np.tensordot(bends, gamma, 2)
        wide = g.reshape((p + 1) * q, -1)
        m = -np.tensordot(turns, (wide @ wide.T).reshape(p + 1, q, p + 1, q), ((1, 2), (1, 3)))
        moved = m @ point.residual
        half = moved[:, :p] @ low.T
        hessian -= 2 / sigma2 * half @ half.T
        if self.reml:
            own = low.T @ low @ m[:, :p, :p]
            hessian -= np.tensordot(own, own, ((1, 2), (2, 1)))
        gradient = np.tensordot(turns, gamma, 2)
        return _Slopes(
            turns, bends, m, moved @ point.residual, gamma, gradient, (hessian + hessian.T) / 2
        )

    def profiled(self, point: _Point, factor: Array, held: Held | None) -> tuple[Array, Array]:
        """Return gradient and Hessian where sigma follows T, as :meth:`sigma2` says."""
        sigma2 = self.sigma2(point, factor, held)
        slopes = self.slopes(point, factor, sigma2)
        first, second = np.zeros_like(slopes.gradient), np.zeros_like(slopes.hessian)
        if held is None:  # of log sigma²; its own derivative is zero, so that a second is not asked
            first = slopes.rss / point.rss
        elif held.w is not None:
            size = float(np.sum((held.w @ factor) ** 2))
            first = -(slopes.turns @ held.w @ held.w) / size
            second = first[:, None] * first - slopes.bends @ held.w @ held.w / size
        pull = self.free - point.rss / sigma2
        cross = slopes.rss[:, None] * first / sigma2
        whole = slopes.hessian - cross - cross.T + pull * second
        whole += point.rss / sigma2 * first[:, None] * first
        return slopes.gradient + pull * first, whole


def _turns(factor: Array, diagonal: bool) -> tuple[Array, Array]:
    """Return first and second derivatives of FF' in the elements of F that may move."""
    q, r = factor.shape
    places = [(a, a) for a in range(q)] if diagonal else list(np.ndindex(q, r))
    units = np.zeros((len(places), q, r))
    for k, place in enumerate(places):
        units[k][place] = 1.0
    turns = units @ factor.T
    bends = np.einsum("kab,lcb->klac", units, units)
    return turns + turns.swapaxes(1, 2), bends + bends.swapaxes(2, 3)


# ---------------------------------------------------------------------- the estimates


def minimise(model: Model) -> tuple[Array, bool]:
    """Return the factor of T at the least deviance, and whether its derivative is zero.

    The search starts from the best of some diagonal factors. Where the deviance falls in a
    direction in which T is zero, which the elements of F do not tell, F is pushed there.
    """
    q = len(model.sums.r)
    scale = np.diag(1 / _information(model.sums))
    grid = 10.0 ** np.arange(-1.0, 4.0)
    factor = min((c * scale for c in grid), key=model.best)
    for j in range(q if q > 1 else 0):
        tried = [factor @ np.diag(np.where(np.arange(q) == j, c, 1.0)) for c in STRETCH]
        factor = min([factor, *tried], key=model.best)
    for _ in range(3):
        factor, converged = newton(model, factor)
        point = model.at(factor)
        gamma = model.slopes(point, factor, model.sigma2(point, factor)).gamma
        gamma = scale @ gamma @ scale
        sizes, axes = np.diag(gamma), np.eye(q)
        if not model.diagonal:
            sizes, axes = np.linalg.eigh(gamma)
        k = int(sizes.argmin())
        if sizes[k] >= -1e-6 * np.abs(sizes).sum() - 1e-6:
            break
        push = np.outer(scale @ axes[:, k], scale @ axes[:, k])
        tried = [root_of(factor @ factor.T + c**2 * push, model.diagonal) for c in grid / 100]
        found = min(tried, key=model.best)
        if model.best(found) >= model.best(factor) - NOTHING:
            break
        factor = found
    return factor, converged


def _information(sums: Sums) -> Array:
    """Return the root of what a unit tells of each random effect, on average."""
    units = float(np.sum(np.broadcast_to(sums.times, sums.r.shape[2])))
    return np.asarray(np.sqrt(np.diag(told(sums)) / units))


def newton(model: Model, factor: Array, held: Held | None = None) -> tuple[Array, bool]:
    """Minimise the deviance by Newton's method, downhill in every direction."""
    point = model.at(factor)
    value = model.deviance(point, model.sigma2(point, factor, held))
    least = (0.01 / _information(model.sums)) ** 2
    for _ in range(STEPS):
        gradient, hessian = model.profiled(point, factor, held)
        # every row of F in its own size, so that no unit of measurement hides another
        scale = np.sqrt(np.sum(factor**2, axis=1) + least)
        scale = scale if model.diagonal else np.repeat(scale, factor.shape[1])
        size, axes = np.linalg.eigh(hessian * np.outer(scale, scale))
        # elements of F that only turn it have neither slope nor curvature
        size = np.maximum(np.abs(size), 1e-10 * np.abs(size).max() + 1e-300)
        step = -axes @ (axes.T @ (scale * gradient) / size)
        fall = -float(scale * gradient @ step)
        final = fall < 1e-9 + 1e-13 * abs(value)  # a further step would be lost in rounding
        step *= scale * (1.0 if final else min(1.0, 1.0 / float(np.linalg.norm(step))))
        move = np.diag(step) if model.diagonal else step.reshape(factor.shape)
        if final:
            return factor + move, True
        for _ in range(40):
            new = model.at(factor + move)
            reached = model.deviance(new, model.sigma2(new, factor + move, held))
            if reached < value:
                break
            move = move / 2
        else:
            return factor, fall < 1e-6
        factor, point, value = factor + move, new, reached
    return factor, False


def root_of(t: Array, diagonal: bool) -> Array:
    """Return F with FF' = T."""
    if diagonal:
        return np.diag(np.sqrt(np.diag(t).clip(0)))
    size, axes = np.linalg.eigh(t)
    return np.asarray(axes * np.sqrt(size.clip(0)))


def without_nothing(model: Model, factor: Array) -> tuple[Array, bool]:
    """Set to zero what the deviance does not tell from zero; return whether T is singular."""
    scale = _information(model.sums)
    size, axes = np.linalg.eigh((factor @ factor.T) * np.outer(scale, scale))
    if model.diagonal:
        size, axes = np.diag(factor) ** 2 * scale**2, np.eye(len(factor))
    best, singular = model.best(factor), False
    limit = best + NOTHING + 1e-13 * abs(best)
    for k in np.argsort(size):
        kept = np.where(size <= size[k], 0.0, size.clip(0))
        tried = axes * np.sqrt(kept) / scale[:, None]
        if size[k] > 1e-2 or model.best(tried) > limit:
            break
        factor, singular = tried, True
    return factor, singular


def told(sums: Sums) -> Array:
    """Return Z'Z over all units."""
    return np.asarray(np.tensordot(sums.r * sums.times, sums.r, ((1, 2), (1, 2))))
