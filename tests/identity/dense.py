"""Estimators and their errors written out with n x n matrices, to hold the library against.

Nothing of eecx is in here. Every model becomes least squares of some rows on some columns, effects
written out as dummies: an `Equation`. A slope is then a fixed sum of the outcomes, :math:`a'y`,
and what rows pull it by is :math:`a_i e_i`; nearly every covariance is :math:`(a e)' K (a e)` with
an n x n matrix K that says which rows may be related. It is slow, and meant to be read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product

import numpy as np
import numpy.typing as npt
from scipy import optimize, stats

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.intp]

# eigenvalues and leverages this near to their limit are at it
LIMIT = 1e-9


def dummies(codes: Codes) -> Array:
    """Return a column of 0 and 1 per group."""
    return (codes[:, None] == np.unique(codes)).astype(float)


def projection(x: Array) -> Array:
    """Return X (X'X)^- X', which fits any column by those of X."""
    return x @ np.linalg.pinv(x)


def same(codes: Codes) -> Array:
    """Return the n x n matrix that is 1 where two rows are of one group."""
    return (codes[:, None] == codes).astype(float)


def rank(x: Array) -> int:
    return int(np.linalg.matrix_rank(x)) if x.size else 0


def nested(inner: Codes, outer: Codes) -> bool:
    """Whether every group of one kind lies in one group of another."""
    return bool((same(inner) <= same(outer)).all())


# ---------------------------------------------------------------------- equations


@dataclass(frozen=True, eq=False)
class Equation:
    """Least squares of y (n,) on the columns of x (n, k) and on dummies; weights are multiplied in.

    ``shown`` (c, k) are what is reported, as combinations of the coefficients of x. ``rows`` are
    those of the data that the rows of the equation stand for.
    """

    y: Array
    x: Array
    names: tuple[str, ...]
    shown: Array
    unit: Codes
    wave: Codes
    rows: Codes
    of_units: Array
    of_waves: Array

    @cached_property
    def columns(self) -> Array:
        """x and all dummies."""
        return np.column_stack([self.x, self.of_units, self.of_waves])

    @cached_property
    def weights(self) -> Array:
        """What every outcome counts in each estimate, (c, n)."""
        return self.shown @ np.linalg.pinv(self.columns)[: self.x.shape[1]]

    @cached_property
    def away(self) -> Array:
        """I - H: what is left of an outcome."""
        return np.eye(len(self.y)) - projection(self.columns)

    @cached_property
    def freed(self) -> Array:
        """What constant and dummies leave."""
        constant = self.x[:, [n == "(intercept)" for n in self.names[: self.x.shape[1]]]]
        fixed = np.column_stack([constant, self.of_units, self.of_waves])
        return np.eye(len(self.y)) - projection(fixed)

    @cached_property
    def parameters(self) -> int:
        return rank(self.columns)


def equation(
    effects: str,
    y: Array,
    x: Array,
    names: Sequence[str],
    unit: Codes,
    wave: Codes,
    *,
    method: str = "gls",
    drift: bool = True,
) -> Equation:
    """Return the rows that least squares is done on; x has no constant.

    ``method`` is of within-between models, ``drift`` of first differences.
    """
    n, names, constant = len(y), tuple(names), ("(intercept)",)
    one, rows, shown = np.ones((n, 1)), np.arange(n), None
    means = projection(dummies(unit))
    whole, both = np.column_stack([one, x]), constant + names
    if effects == "pooled":
        x, names = whole, both
    elif effects == "between":
        mean = np.linalg.pinv(dummies(unit))
        rows = np.unique(unit, return_index=True)[1]
        y, x, names = mean @ y, mean @ whole, both
    elif effects == "first-difference":
        step = (same(unit) > 0) & (wave[:, None] - wave == 1)
        rows = np.flatnonzero(step.any(axis=1))
        change = (np.eye(n) - step)[rows]
        y, x = change @ y, change @ x
        if drift:
            x, names = np.column_stack([one[rows], x]), both
    elif effects in ("random", "random-two-way"):
        groups = [dummies(unit), dummies(wave)] if effects == "random-two-way" else [dummies(unit)]
        root = root_of_inverse(y, whole, groups)
        y, x, names = root @ y, root @ whole, both
    elif effects == "within-between":
        root = root_of_inverse(y, whole, [dummies(unit)]) if method == "gls" else np.eye(n)
        x, names, shown = split(x, names, means)
        y, x = root @ y, root @ x
    none = np.zeros((len(rows), 0))
    return Equation(
        y,
        x,
        names,
        np.eye(x.shape[1]) if shown is None else shown,
        unit[rows],
        wave[rows],
        rows,
        dummies(unit) if effects in ("within", "two-way") else none,
        dummies(wave) if effects == "two-way" else none,
    )


def split(x: Array, names: Sequence[str], means: Array) -> tuple[Array, tuple[str, ...], Array]:
    """Return a constant, parts within and between units where there are any, and what is shown."""
    inside, across = x - means @ x, means @ x
    varies = np.abs(inside).max(axis=0) > 1e-10
    differs = np.ptp(across, axis=0) > 1e-10
    columns = np.column_stack([np.ones(len(x)), inside[:, varies], across[:, differs]])
    of_within, of_between = np.flatnonzero(varies), np.flatnonzero(differs)
    found = ["(intercept)", *(names[j] for j in of_within), *(names[j] for j in of_between)]
    shown = [*np.eye(columns.shape[1])]
    for i, j in enumerate(of_within):
        if differs[j]:
            row = np.zeros(columns.shape[1])
            row[1 + len(of_within) + list(of_between).index(j)], row[1 + i] = 1.0, -1.0
            shown.append(row)
            found.append(names[j])
    return columns, tuple(found), np.array(shown)


def weighted(made: Equation, weight: Array) -> Equation:
    """Multiply rows (between units: units) by the root of their weight, one on average."""
    root = np.sqrt(weight / weight.mean())[:, None]
    return replace(
        made,
        y=made.y * root[:, 0],
        x=made.x * root,
        of_units=made.of_units * root,
        of_waves=made.of_waves * root,
    )


def components(y: Array, z: Array, groups: Sequence[Array]) -> tuple[float, Array]:
    r"""Return the variance of rows and those of the effects of groups (Swamy and Arora).

    The first is told by what groups and z leave. With P the means of a group and
    :math:`M = P - P z (z'P z)^- z'P`, :math:`E\,y'My = tr(M) \sigma^2 + \sum_b tr(D_b'MD_b)
    \sigma_b^2`: one equation per kind of groups, solved. Negative variances are 0.
    """
    every = np.column_stack([*groups, z])
    rest = np.eye(len(y)) - projection(every)
    own = float(y @ rest @ y) / (len(y) - rank(every))
    left, right = [], []
    for d in groups:
        p = projection(d)
        m = p - projection(p @ z)
        left.append([np.trace(b.T @ m @ b) for b in groups])
        right.append(float(y @ m @ y) - np.trace(m) * own)
    return own, np.linalg.solve(np.array(left), np.array(right)).clip(0.0)


def root_of_inverse(y: Array, z: Array, groups: Sequence[Array]) -> Array:
    """Return the symmetric root of the inverse of Omega / sigma^2."""
    own, of_groups = components(y, z, groups)
    omega = np.eye(len(y))
    for v, d in zip(of_groups, groups, strict=True):
        omega += v / own * d @ d.T
    values, vectors = np.linalg.eigh(omega)
    return vectors / np.sqrt(values) @ vectors.T


def variance_of_means(unit: Codes, variance: Array) -> Array:
    """Return the sampling variance of each unit's mean from those of its rows."""
    return np.linalg.pinv(dummies(unit)) ** 2 @ variance


def by_variance(plain: Equation, variance: Array) -> Array:
    r"""Return weights 1/(tau2 + v), tau2 by Hedges' moments from the unweighted equation.

    With M what it leaves, :math:`E\,y'My = tr(M) \tau^2 + tr(M diag(v))`.
    """
    m = plain.away
    tau2 = (float(plain.y @ m @ plain.y) - float(np.diag(m) @ variance)) / np.trace(m)
    return 1 / (max(tau2, 0.0) + variance)


# ---------------------------------------------------------------------- covariances


def factor(eq: Equation, vcov: str, clusters: Sequence[Codes]) -> float:
    """Return (N-1)/(N-K) of CR1; of effects nested in clusters one constant is counted in K."""
    n, own, units = len(eq.y), eq.x.shape[1], rank(eq.of_units)
    waves = eq.parameters - own - units
    if vcov == "CR1-areg":
        k = eq.parameters
    elif vcov == "CR1-plm":
        k = own
    else:
        of_units = any(nested(eq.unit, c) for c in clusters)
        of_waves = any(nested(eq.wave, c) for c in clusters) and vcov != "CR1-each"
        k = own + (min(units, 1) if of_units else units) + (0 if of_waves else waves)
    return (n - 1) / (n - k)


def over_time(eq: Equation) -> Array:
    """Return Bartlett weights of the distance in time of two rows, up to T^(1/4) steps."""
    lags = int(np.floor(len(np.unique(eq.wave)) ** 0.25 + 1e-12))
    return (1 - np.abs(eq.wave[:, None] - eq.wave) / (lags + 1)).clip(0.0)


def covariance(eq: Equation, vcov: str, clusters: Sequence[Codes] = ()) -> tuple[Array, Array]:
    """Return covariance and degrees of freedom of what is shown.

    ``clusters`` are one or two kinds of groups of the rows of the data.
    """
    n, k, a, away = len(eq.y), eq.parameters, eq.weights, eq.away
    e = away @ eq.y
    clusters = [c[eq.rows] for c in clusters]
    free = np.full(len(a), float(n - k))
    if vcov == "classical":
        return a @ a.T * (e @ e) / (n - k), free
    if vcov.startswith("HC"):
        return robust(eq, vcov, a, e), free
    if vcov == "newey-west":
        return (a * e) @ (same(eq.unit) * over_time(eq)) @ (a * e).T, free
    if vcov == "driscoll-kraay":
        waves = len(np.unique(eq.wave))
        return (a * e) @ over_time(eq) @ (a * e).T, np.full(len(a), waves - 1.0)
    if vcov == "CR2":
        return satterthwaite(a, away, e, clusters[0])
    sizes = [len(np.unique(c)) for c in clusters]
    few = np.full(len(a), min(sizes) - 1.0)
    if vcov == "CR3":
        return jackknife(eq, clusters[0]), few
    kinds = [same(c) for c in clusters]
    times = np.array([g / (g - 1) for g in sizes])
    if len(clusters) == 2:
        both = kinds[0] * kinds[1]
        pairs = rank(both)
        kinds, times = [*kinds, -both], np.array([*times, pairs / (pairs - 1)])
    if vcov != "CR1-each":
        times[:] = min(sizes) / (min(sizes) - 1)
    times *= factor(eq, vcov, clusters)
    if vcov == "CR0":
        times[:] = 1.0
    related = sum(c * m for c, m in zip(times, kinds, strict=True))
    return (a * e) @ related @ (a * e).T, few


def robust(eq: Equation, vcov: str, a: Array, e: Array) -> Array:
    """Return HC0 to HC3; a row that is fitted whatever its outcome has no residual."""
    n = len(e)
    dummies_alone = np.column_stack([eq.of_units, eq.of_waves])
    h = np.diag(projection(eq.columns))
    if vcov == "HC3-plm" and dummies_alone.size:
        h = h - np.diag(projection(dummies_alone))
    power = {"HC2": 0.5, "HC3": 1.0, "HC3-plm": 1.0}.get(vcov, 0.0)
    told = 1 - h > LIMIT
    scaled = np.where(told, e / np.where(told, 1 - h, 1.0) ** power, 0.0)
    k = eq.x.shape[1] if vcov == "HC1-plm" else eq.parameters
    times = n / (n - k) if vcov.startswith("HC1") else 1.0
    return times * (a * scaled) @ (a * scaled).T


def satterthwaite(a: Array, away: Array, e: Array, cluster: Codes) -> tuple[Array, Array]:
    r"""Return CR2 and its degrees of freedom (Pustejovsky and Tipton, 2018), identity as model.

    With :math:`A_g = (I - H)_{gg}^{-1/2}` (Moore-Penrose) an estimate's variance is
    :math:`\sum_g (a_g' A_g e_g)^2 = \sum_g (p_g'y)^2` with :math:`p_g = (I - H)_{\cdot g} A_g a_g`,
    and :math:`df = (tr P)^2 / tr P^2` with :math:`P_{gh} = p_g'p_h`.
    """
    groups = [np.flatnonzero(cluster == g) for g in np.unique(cluster)]
    pulls = np.empty((len(a), len(groups)))
    p = np.empty((len(a), len(groups), len(e)))
    for i, g in enumerate(groups):
        values, vectors = np.linalg.eigh(away[np.ix_(g, g)])
        kept = values > LIMIT
        adjusted = vectors[:, kept] / np.sqrt(values[kept]) @ vectors[:, kept].T
        pulls[:, i] = a[:, g] @ adjusted @ e[g]
        p[:, i] = a[:, g] @ adjusted @ away[g]
    crossed = p @ p.transpose(0, 2, 1)
    df = np.trace(crossed, axis1=1, axis2=2) ** 2 / (crossed**2).sum(axis=(1, 2))
    return pulls @ pulls.T, df


def jackknife(eq: Equation, cluster: Codes) -> Array:
    """Return CR3: the estimates without each cluster, about those with all."""
    whole = eq.weights @ eq.y
    moved = []
    for g in np.unique(cluster):
        kept = cluster != g
        beta = np.linalg.pinv(eq.columns[kept]) @ eq.y[kept]
        moved.append(eq.shown @ beta[: eq.x.shape[1]] - whole)
    return np.array(moved).T @ np.array(moved)


def t_table(estimate: Array, cov: Array, df: Array, level: float = 0.95) -> dict[str, Array]:
    """Return estimates with t tests and intervals; a negative variance has no root."""
    variance = np.diag(cov)
    se = np.sqrt(np.where(variance >= 0, variance, np.nan))
    t, reach = estimate / se, stats.t.ppf((1 + level) / 2, df) * se
    return {
        "estimate": estimate,
        "std_error": se,
        "df": df,
        "p_value": 2 * stats.t.sf(np.abs(t), df),
        "conf_low": estimate - reach,
        "conf_high": estimate + reach,
    }


# ---------------------------------------------------------------------- the wild bootstrap


def wild_p(
    eq: Equation, cluster: Codes, which: int, values: Sequence[float]
) -> Callable[[float], float]:
    """Return the p value of any null of one estimate, all draws of the clusters' values taken.

    Outcomes are drawn under the null: the restricted fit, and restricted residuals times the value
    of their cluster; each draw is fitted anew and tested by its own clustered error.
    """
    a, away, x = eq.weights[which], eq.away, eq.columns
    groups = dummies(cluster[eq.rows])
    draws = np.array(list(product(values, repeat=groups.shape[1]))).T
    r = np.concatenate([eq.shown[which], np.zeros(x.shape[1] - eq.x.shape[1])])
    bread = np.linalg.pinv(x.T @ x)
    pull = bread @ r / (r @ bread @ r)
    beta, estimate = np.linalg.pinv(x) @ eq.y, float(a @ eq.y)
    own = np.sum((groups.T @ (a * (away @ eq.y))) ** 2)

    def p(null: float) -> float:
        # a draw is linear in its values: of one cluster at a time, refitted, then added up
        e = eq.y - x @ (beta - pull * (estimate - null))
        drawn = groups * e[:, None]
        d = a @ drawn @ draws
        error = np.sum((groups.T @ (a[:, None] * (away @ drawn)) @ draws) ** 2, axis=0)
        return float(np.mean(d**2 * own >= (estimate - null) ** 2 * error * (1 - 1e-9)))

    return p


# ---------------------------------------------------------------------- mixed models


def mixed(
    y: Array, x: Array, shown: Array, unit: Codes, z: Array, *, reml: bool, diagonal: bool
) -> dict[str, Array]:
    r"""Return the table of a mixed model by the dense likelihood.

    :math:`V = \sum_j \theta_j K_j`, linear in variances and covariances of random effects and in
    the residual variance. With :math:`P = V^{-1} - V^{-1}X(X'V^{-1}X)^{-1}X'V^{-1}` the log
    likelihood has the slope :math:`(y'PK_jPy - tr(QK_j))/2` and the observed information
    :math:`y'PK_jPK_kPy - tr(QK_jQK_k)/2`, with Q = P (restricted) or :math:`V^{-1}`. Satterthwaite:
    :math:`2 v^2 / g'I^{-1}g`, g the gradient of a variance v. A variance of zero is held there.
    """
    kinds = [np.eye(len(y))]
    related = same(unit)
    q = z.shape[1]
    for j in range(q):
        for k in range(j + 1):
            if j == k or not diagonal:
                one = np.outer(z[:, j], z[:, k])
                kinds.append(related * (one if j == k else one + one.T))
    stacked = np.array(kinds)

    def at(theta: Array) -> tuple[Array, Array, Array, float]:
        v = np.tensordot(theta, stacked, 1)
        inverse = np.linalg.inv(v)
        inner = x.T @ inverse @ x
        p = inverse - inverse @ x @ np.linalg.solve(inner, x.T @ inverse)
        logs = np.linalg.slogdet(v)[1] + (np.linalg.slogdet(inner)[1] if reml else 0.0)
        return p, inverse, inner, float(logs + y @ p @ y)

    def of_roots(roots: Array) -> Array:
        lower = np.zeros((q, q))
        lower[np.diag_indices(q) if diagonal else np.tril_indices(q)] = roots[1:]
        whole = lower @ lower.T
        parts = np.diag(whole) if diagonal else whole[np.tril_indices(q)]
        return np.concatenate([[np.exp(roots[0])], parts])

    def score(theta: Array, free: Array) -> Array:
        p, inverse, _, _ = at(theta)
        of = p if reml else inverse
        return np.array([(p @ y) @ k @ (p @ y) - np.trace(of @ k) for k in stacked[free]]) / 2

    def information(theta: Array, free: Array) -> Array:
        p, inverse, _, _ = at(theta)
        of = p if reml else inverse
        pulled = np.array([k @ p @ y for k in stacked[free]])
        turned = [of @ k for k in stacked[free]]
        traces = np.array([[np.sum(i * j.T) for j in turned] for i in turned])
        return pulled @ p @ pulled.T - traces / 2

    # the search is over log sigma^2 and a root of the covariance of random effects
    place = 1 + (np.arange(q) if diagonal else np.cumsum(np.arange(1, q + 1)) - 1)
    start = np.zeros(len(kinds))
    start[0], start[place] = np.log(np.var(y)), 0.5 * np.std(y)
    theta = of_roots(optimize.minimize(lambda r: at(of_roots(r))[3], start, method="BFGS").x)
    free = np.ones(len(theta), dtype=bool)
    free[place] = theta[place] >= 1e-6 * np.var(y)

    def whole(part: Array) -> Array:
        full = np.zeros(len(theta))
        full[free] = part
        return full

    solved = optimize.root(
        lambda part: score(whole(part), free),
        theta[free],
        jac=lambda part: -information(whole(part), free),
        tol=1e-13,
    )
    theta = whole(solved.x)
    _, inverse, inner, _ = at(theta)
    bread = np.linalg.inv(inner)
    beta = bread @ x.T @ inverse @ y
    cov = shown @ bread @ shown.T
    a = shown @ bread @ x.T @ inverse
    gradient = np.array([np.einsum("ci,ij,cj->c", a, k, a) for k in stacked[free]])
    spread = np.linalg.inv(information(theta, free))
    df = 2 * np.diag(cov) ** 2 / np.einsum("jc,jk,kc->c", gradient, spread, gradient)
    return t_table(shown @ beta, cov, df)


# ---------------------------------------------------------------------- families


def expected(eta: Array, family: str) -> Array:
    """Return the expected outcome of a linear predictor, which may be complex."""
    return np.exp(eta) if family == "poisson" else 1 / (1 + np.exp(-eta))


def family_fit(
    family: str, y: Array, x: Array, weight: Array, cluster: Codes
) -> tuple[Array, Array, float]:
    """Return coefficients by maximum likelihood (canonical link), CR1 covariance and df."""
    w = weight / weight.mean()
    beta = np.zeros(x.shape[1])
    beta[0] = np.log(y.mean()) if family == "poisson" else np.log(y.mean() / (1 - y.mean()))
    for _ in range(60):
        mu = expected(x @ beta, family)
        slope = mu if family == "poisson" else mu * (1 - mu)
        bread = np.linalg.inv(x.T @ ((w * slope)[:, None] * x))
        beta = beta + bread @ x.T @ (w * (y - mu))
    pulled = bread @ (x * (w * (y - expected(x @ beta, family)))[:, None]).T
    n, k, g = len(y), x.shape[1], len(np.unique(cluster))
    times = g / (g - 1) * (n - 1) / (n - k)
    return beta, times * pulled @ same(cluster) @ pulled.T, g - 1.0


def delta(of: Callable[[Array], Array], beta: Array, cov: Array, df: float) -> dict[str, Array]:
    """Return the table of functions of coefficients, derivatives by complex steps."""
    step = 1e-30
    turned = [of(beta + 1j * step * row).imag / step for row in np.eye(len(beta))]
    jacobian = np.array(turned).T
    value = of(beta.astype(complex)).real
    return t_table(value, jacobian @ cov @ jacobian.T, np.full(len(value), df))


# ---------------------------------------------------------------------- correlations and errors


def correlation(x: Array, y: Array, cluster: Codes | None, n: int) -> dict[str, float]:
    """Return r of two columns that are centred at their level, by Fisher's z or clustered."""
    sxx, syy = x @ x, y @ y
    r = float(x @ y / np.sqrt(sxx * syy))
    if cluster is None:
        df, se = n - 2.0, np.sqrt((1 - r**2) / (n - 2))
        t, reach = r / se, stats.norm.ppf(0.975) / np.sqrt(n - 3)
    else:
        pull = x * y / np.sqrt(sxx * syy) - r / 2 * (x**2 / sxx + y**2 / syy)
        g = len(np.unique(cluster))
        df, se = g - 1.0, float(np.sqrt(g / (g - 1) * pull @ same(cluster) @ pull))
        t = np.arctanh(r) * (1 - r**2) / se
        reach = stats.t.ppf(0.975, df) * se / (1 - r**2)
    return {
        "estimate": r,
        "std_error": float(se),
        "df": df,
        "p_value": float(2 * stats.t.sf(abs(t), df)),
        "conf_low": float(np.tanh(np.arctanh(r) - reach)),
        "conf_high": float(np.tanh(np.arctanh(r) + reach)),
    }


def without_error(eq: Equation, parts: Array, cluster: Codes) -> tuple[dict[str, Array], Array]:
    r"""Return the table of slopes corrected for errors of the columns of x, and their moves.

    ``parts`` (n, k) is what each row adds to the error in the columns' sums of squares:
    :math:`\hat\beta = (X'X - \Lambda)^{-1} X'y`. Errors are those of the jackknife: a cluster
    takes its rows and its part of :math:`\Lambda` with it. One that moves nothing is not counted.
    """
    x, k = eq.columns, eq.x.shape[1]
    cluster = cluster[eq.rows]

    def slopes(kept: npt.NDArray[np.bool_]) -> Array:
        left = x[kept].T @ x[kept]
        left[range(k), range(k)] -= parts[kept].sum(axis=0)
        return (np.linalg.pinv(left, hermitian=True) @ x[kept].T @ eq.y[kept])[:k]

    whole = slopes(np.ones(len(x), dtype=bool))
    moved = np.array([slopes(cluster != g) - whole for g in np.unique(cluster)])
    some = (np.abs(moved).max(axis=1) > LIMIT * np.abs(whole).max()).sum()
    return t_table(whole, moved.T @ moved, np.full(k, some - 1.0)), moved


def error_of_rows(eq: Equation, variance: Array) -> Array:
    """Return what is left of rows' error variances when constant and effects are taken out."""
    return np.diag(eq.freed) * variance


def error_of_share(eq: Equation, column: int, share: float) -> Array:
    """Return a share of a column's squares, net of constant and effects, as parts of rows.

    It is spread as degrees of freedom are that the means of units leave, or all rows alike.
    """
    net = eq.freed @ eq.x[:, column]
    each = np.ones(len(eq.y))
    if eq.of_units.size:
        each -= np.diag(projection(eq.of_units))
    return share * (net @ net) * each / each.sum()
