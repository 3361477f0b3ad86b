r"""What follows from estimates of one fit or of several: combinations, differences, joint tests.

A cluster g adds :math:`\psi_g` (its *influence*, small-sample factor included) to c estimates,
whose covariance is :math:`V = \sum_g \psi_g \psi_g'`. Estimates of several fits that rest on the
same clusters are stacked: :math:`(\psi_g^{(1)}, \psi_g^{(2)}, \dots)` gives the covariances across
fits, a cluster that a fit has not adds nothing to it. Combinations :math:`C\hat\theta` have the
influence :math:`C\psi_g`, functions :math:`f(\hat\theta)` that of their gradient (delta method).

Degrees of freedom, of CR2, need more than influences: how these vary if errors are independent and
of one variance (:class:`eecx.results.Spread`). Fits that are stacked count as one model with a
block-diagonal design and independent errors, those of each fit with the variance of its own
residuals, so that the units of measurement of outcomes do not matter.

The *approximate Hotelling test* (HTZ) of q combinations with the covariance :math:`V` approximates
:math:`\Omega^{-1/2} V \Omega^{-1/2}`, with :math:`\Omega = \sum_g P_{gg}`, by a Wishart matrix of
:math:`\eta` degrees of freedom, as many as give its elements the same total variance:

.. math:: \eta = \frac{q(q+1)}{\sum_{g,h} (\operatorname{tr} P_{gh})^2 +
          \operatorname{tr}(P_{gh} P_{gh})}, \qquad
          F = \frac{\eta - q + 1}{\eta q}\, \hat\theta' V^{-1} \hat\theta
          \sim F(q,\ \eta - q + 1)

with :math:`P_{gh}` those of the combinations after :math:`\Omega^{-1/2}`. For q = 1 it is the
square of t with Satterthwaite degrees of freedom. As q comes near the number of clusters
:math:`\eta - q + 1` falls towards 0 and the test finds little; beyond it is undefined.

References
----------
Tipton, E., & Pustejovsky, J. E. (2015). Small-sample adjustments for tests of moderators and model
fit using robust variance estimation in meta-regression. Journal of Educational and Behavioral
Statistics, 40(6), 604–634. https://doi.org/10.3102/1076998615606099
Pustejovsky, J. E., & Tipton, E. (2018). Small-sample methods for cluster-robust variance
estimation and hypothesis testing in fixed effects models. Journal of Business & Economic
Statistics, 36(4), 672–683. https://doi.org/10.1080/07350015.2016.1247004
Romano, J. P., & Wolf, M. (2005). Exact and approximate stepdown methods for multiple hypothesis
testing. Journal of the American Statistical Association, 100(469), 94–108.
https://doi.org/10.1198/016214504000000539
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from ..errors import OptionError, listing
from ..resampling import Weights, cluster_weights
from ..results import Estimates, Spread

__all__ = [
    "JointTest",
    "chi2_test",
    "combined",
    "f_test",
    "function",
    "hotelling_test",
    "is_singular",
    "of_clusters",
    "romano_wolf_p",
    "satterthwaite",
    "small_sample",
    "stacked",
]

Array = npt.NDArray[np.float64]

# a trace this small is rounding: single clusters decide the estimate
DECIDED = 1e-8
# share of its parts' errors, below which that of a combination is rounding: they cancel
CANCELLED = 1e-13
# of two draws whose largest t are equal but for rounding, neither is larger
EQUAL = 1e-10


# ---------------------------------------------------------------------- made and put together


def of_clusters(
    values: Array,
    contributions: Array,
    *,
    cluster: str | None = None,
    labels: pd.Index[Any] | None = None,
) -> Estimates:
    """Return estimates to which clusters contribute (G, c), with the factor G/(G-1) and t(G-1)."""
    influence = small_sample(contributions)
    df = np.full(len(values), len(influence) - 1.0)
    covariance = influence.T @ influence
    return Estimates(values, covariance, df, "clustered", cluster, labels, influence)


def small_sample(contributions: Array) -> Array:
    """Return what clusters contribute (G, …) times the root of G/(G-1); NaN of one cluster."""
    g = len(contributions)
    return contributions * (np.sqrt(g / (g - 1)) if g > 1 else np.nan)


def stacked(*estimates: Estimates) -> Estimates:
    """Return several estimates as one, with the covariances across them.

    Raises
    ------
    OptionError
        Errors that are no sum over one kind of clusters, unlike rules, different cluster columns.
    """
    if len(estimates) == 1:
        return estimates[0]
    _refuse_unlike(estimates)
    parts = [_part(e) for e in estimates]
    parts = [(_as_text(labels), own) for labels, own in parts]
    names = parts[0][0].append([labels for labels, _ in parts[1:]]).unique()
    places = [names.get_indexer(labels) for labels, _ in parts]
    ends = np.cumsum([0, *(len(e.values) for e in estimates)])
    influence = np.zeros((len(names), ends[-1]))
    for at, (_, own), start, end in zip(places, parts, ends, ends[1:], strict=False):
        influence[at, start:end] = own
    covariance = influence.T @ influence
    for e, start, end in zip(estimates, ends, ends[1:], strict=False):
        covariance[start:end, start:end] = e.covariance
        untold = start + np.flatnonzero(np.isnan(np.diag(e.covariance)))
        covariance[untold, :] = covariance[:, untold] = np.nan
    spreads = [e.spread for e in estimates if e.spread is not None]
    whole = len(spreads) == len(estimates)
    apart = None
    if len(names) == sum(map(len, places)):  # no cluster is in two fits
        apart = [e.covariance for e in estimates]
    return Estimates(
        np.concatenate([e.values for e in estimates]),
        covariance,
        np.concatenate([e.df for e in estimates]),
        estimates[0].rule,
        estimates[0].cluster,
        names,
        influence,
        partial(_stacked_spread, spreads, places, len(names), ends, apart) if whole else None,
    )


def _as_text(labels: pd.Index[Any]) -> pd.Index[Any]:
    """Return what clusters are called: 1, 1.0 and "1" are one, however data were read."""
    own = pd.Series(labels)
    if own.dtype.kind == "f" and (own == np.round(own)).all() and (own.abs() < 2.0**53).all():
        own = own.astype(np.int64)
    return pd.Index(own.astype(str))


def _part(e: Estimates) -> tuple[pd.Index[Any], Array]:
    """Return the clusters and what each adds; refuse errors that are no sum over them."""
    if e.labels is None or e.influence is None or e.rule == "wild":
        by = f" by {listing(e.cluster)}" if isinstance(e.cluster, tuple) else ""
        raise OptionError(
            f"{e.rule} errors{by} are no sum over one kind of clusters: what fits with them have "
            "in common cannot be told.",
            code="no-influence",
            fix="Fit each by least squares with vcov='CR2' and the same cluster=, one column.",
        )
    return e.labels, e.influence


def _refuse_unlike(estimates: Sequence[Estimates]) -> None:
    """Refuse what has no covariance across fits."""
    for e in estimates:
        _part(e)
    rules = list(dict.fromkeys(e.rule for e in estimates))
    if len(rules) > 1:
        raise OptionError(
            f"The fits have errors of different kinds: {listing(rules)}.",
            code="unlike-errors",
            fix="Fit each by least squares with vcov='CR2' and the same cluster=, one column.",
        )
    columns = list(dict.fromkeys(str(e.cluster) for e in estimates))
    if len(columns) > 1:
        raise OptionError(
            f"The fits are clustered by different columns: {listing(columns)}.",
            code="unlike-clusters",
            fix=f"Give each the same cluster=, such as cluster={columns[0]!r}.",
        )


def _stacked_spread(
    makers: Sequence[Callable[..., Spread]],
    places: Sequence[npt.NDArray[np.intp]],
    clusters: int,
    ends: npt.NDArray[np.intp],
    apart: Sequence[Array] | None,
    combine: Array | None = None,
) -> Spread:
    """Return the spread of stacked estimates: one design, block by block.

    Combinations of several fits add up over their blocks. Where fits have no cluster in common,
    the covariances ``apart`` say how large the errors of each are (the degrees of freedom of
    Welch): errors that go together in clusters count.
    """
    c = np.eye(ends[-1]) if combine is None else combine
    blocks = [c[:, i:j] for i, j in pairwise(ends)]
    parts = [make(block) for make, block in zip(makers, blocks, strict=True)]
    if apart is not None:
        parts = [_as_large(p, b @ v @ b.T) for p, b, v in zip(parts, blocks, apart, strict=True)]
    own = np.zeros((clusters, len(c), len(c)))
    reach = np.zeros((clusters, sum(p.reach.shape[1] for p in parts), len(c)))
    row = 0
    for at, part in zip(places, parts, strict=True):
        own[at] += part.own
        reach[at, row : row + part.reach.shape[1]] = part.reach
        row += part.reach.shape[1]
    return Spread(own, reach)


def _as_large(part: Spread, covariance: Array) -> Spread:
    """Return a spread of errors so large that variances are, in sum, as estimated."""
    expected = float(np.einsum("gcc->", part.own) - (part.reach**2).sum())
    found = float(np.trace(covariance))
    if not (expected > 0 and np.isfinite(found)):
        return part
    ratio = found / expected
    return Spread(part.own * ratio, part.reach * np.sqrt(ratio))


# ---------------------------------------------------------------------- combinations, functions


def combined(estimates: Estimates, combine: npt.ArrayLike) -> Estimates:
    """Return linear combinations (q, c) of estimates.

    Those of CR2 have Satterthwaite degrees of freedom of their own, others the smallest of the
    estimates that they use.
    """
    c = np.atleast_2d(np.asarray(combine, dtype=float))
    found = _moved(estimates, c @ estimates.values, c)
    own = np.sqrt(np.nan_to_num(np.diag(estimates.covariance)).clip(0.0))
    parts = np.abs(c) @ own * (CANCELLED if estimates.influence is not None else CANCELLED**0.5)
    cancelled = np.abs(np.diag(found.covariance)) <= parts**2
    covariance = found.covariance.copy()
    covariance[cancelled, :] = covariance[:, cancelled] = np.nan
    return replace(found, covariance=covariance, df=np.where(cancelled, np.nan, found.df))


def function(
    estimates: Estimates, f: Callable[[Array], Array], gradient: Callable[[Array], Array]
) -> Estimates:
    """Return functions of estimates by the delta method; ``gradient`` returns (q, c)."""
    at = estimates.values
    slopes = np.atleast_2d(np.asarray(gradient(at), dtype=float))
    return _moved(estimates, np.atleast_1d(np.asarray(f(at), dtype=float)), slopes)


def _moved(e: Estimates, values: Array, combine: Array) -> Estimates:
    """Return estimates with the influence of combinations (q, c)."""
    told = ~np.isnan(np.diag(e.covariance))
    influence = None if e.influence is None else e.influence @ combine.T
    if influence is None:
        known = combine * told
        covariance = known @ np.where(np.outer(told, told), e.covariance, 0.0) @ known.T
    else:
        covariance = influence.T @ influence
    untold = ((combine != 0) & ~told).any(axis=1)
    covariance[untold, :] = covariance[:, untold] = np.nan
    used = (combine != 0) & ~np.isnan(e.df)
    df = np.where(used, e.df, np.inf).min(axis=1)
    spread = None if e.spread is None else partial(_combined_spread, e.spread, combine)
    if e.spread is not None:
        df = satterthwaite(e.spread(combine))
    df = np.where(untold | ~np.isfinite(df), np.nan, df)
    return replace(
        e, values=values, covariance=covariance, df=df, influence=influence, spread=spread
    )


def _combined_spread(
    make: Callable[..., Spread], first: Array, combine: Array | None = None
) -> Spread:
    return make(first if combine is None else combine @ first)


def satterthwaite(spread: Spread) -> Array:
    r"""Return :math:`(\sum_g P_{gg})^2 / \sum_{g,h} P_{gh}^2` of every estimate by itself."""
    own = np.einsum("gcc->gc", spread.own)
    with np.errstate(divide="ignore", invalid="ignore"):
        size = own.sum(axis=0)
        own, reach = own / size, spread.reach / np.sqrt(size)
    diagonal = (reach**2).sum(axis=1)
    by_estimate = reach.transpose(2, 1, 0)
    between = by_estimate @ np.swapaxes(by_estimate, 1, 2)
    trace = (own - diagonal).sum(axis=0)
    square = (between**2).sum(axis=(1, 2)) + (own**2 - 2 * own * diagonal).sum(axis=0)
    told = trace > DECIDED
    return np.where(told, trace**2 / np.where(told, square, 1.0), np.nan)


# ---------------------------------------------------------------------- joint tests


@dataclass(frozen=True)
class JointTest:
    """A test that estimates are all zero; NaN where it cannot be made."""

    name: str
    statistic: float
    df: int
    df_denominator: float
    p_value: float


def is_singular(covariance: Array) -> bool:
    """Whether a covariance tells fewer directions than it has, whatever the columns' units."""
    scale = np.sqrt(np.abs(np.diag(covariance)))
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled = covariance / np.outer(scale, scale)
    return not np.isfinite(scaled).all() or bool(np.linalg.matrix_rank(scaled) < len(scaled))


def _quadratic(e: Estimates) -> float:
    """Return the Wald statistic, NaN where the covariance is not known or singular."""
    if is_singular(e.covariance):
        return np.nan
    return float(e.values @ np.linalg.solve(e.covariance, e.values))


def chi2_test(estimates: Estimates) -> JointTest:
    """Return the Wald test by its large-sample distribution."""
    q, value = len(estimates.values), _quadratic(estimates)
    return JointTest("chi2", value, q, np.nan, float(special.chdtrc(q, value)))


def f_test(estimates: Estimates) -> JointTest:
    """Return F = Wald / q with the smallest degrees of freedom among the estimates."""
    q, value = len(estimates.values), _quadratic(estimates) / len(estimates.values)
    df = float(estimates.df.min())
    p = float(special.fdtrc(q, df, value)) if np.isfinite(df) else np.nan
    return JointTest("F", value, q, df, p)


def hotelling_test(estimates: Estimates) -> JointTest:
    """Return the approximate Hotelling test (HTZ), NaN where eta is not above q - 1.

    Raises
    ------
    OptionError
        Errors that are not CR2.
    """
    if estimates.spread is None:
        raise OptionError(
            f"The approximate Hotelling test rests on CR2 errors; these are {estimates.rule}.",
            code="not-used",
            fix="Fit with vcov='CR2'.",
        )
    q, value = len(estimates.values), _quadratic(estimates)
    df = _eta(estimates.spread()) - q + 1
    if not df > 0 or np.isnan(value):
        return JointTest("HTZ", np.nan, q, np.nan, np.nan)
    statistic = df / ((df + q - 1) * q) * value
    return JointTest("HTZ", statistic, q, df, float(special.fdtrc(q, df, statistic)))


def _eta(spread: Spread) -> float:
    """Return the degrees of freedom of the Wishart matrix; NaN where clusters decide alone."""
    flat = spread.reach.reshape(-1, spread.reach.shape[2])
    omega = spread.own.sum(axis=0)
    size = np.diag(omega).copy()
    omega -= flat.T @ flat
    if not (np.diag(omega) > DECIDED * size).all() or is_singular(omega):
        return np.nan
    root = np.linalg.inv(np.linalg.cholesky(omega))  # any root of it gives the same
    spread = spread.combined(root)
    own, reach = spread.own, spread.reach
    q = len(size)
    trace, reached = np.einsum("gcc->g", own), np.einsum("gkc,gkc->g", reach, reach)
    total = (trace**2 - 2 * trace * reached).sum()
    total += (own * own).sum() - 2 * ((reach @ own) * reach).sum()
    # sums over pairs of clusters of <r_g, r_h>^2 and tr(r_g'r_h r_g'r_h): clusters are added up
    # first, W_ij = sum_g r_gi r_gj' (k × k), so that nothing is as large as pairs of clusters
    by_estimate = np.ascontiguousarray(reach.transpose(2, 0, 1))
    g, k = by_estimate.shape[1:]
    flat = np.ascontiguousarray(reach.transpose(0, 2, 1)).reshape(g, q * k)
    for i in range(q):
        w = (by_estimate[i].T @ flat[:, : (i + 1) * k]).reshape(k, i + 1, k)
        each = np.einsum("ajb,ajb->j", w, w) + np.einsum("ajb,bja->j", w, w)
        total += 2 * each.sum() - each[i]
    return float(q * (q + 1) / total)


# ---------------------------------------------------------------------- many tests at once


def romano_wolf_p(
    estimates: Estimates, draws: int, kind: Weights, rng: np.random.Generator
) -> tuple[Array, int]:
    r"""Return p values adjusted for all estimates being tested, and how many draws there were.

    A draw multiplies the influence of every cluster by a random sign (or one of Webb's six
    values) :math:`v_g`, and takes the t of the mean of :math:`v_g \psi_{gj}` over clusters, with
    G - 1 degrees of freedom, for every estimate j. The t of the data, whose degrees of freedom may
    be fewer, are taken to those of equal p. The largest is compared with the largest of each draw,
    the second with the largest among those that are left, and so on; no adjusted p value is below
    that of a larger t, or below the p value itself.
    """
    _, influence = _part(estimates)
    g = len(influence)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.abs(estimates.values / np.sqrt(np.diag(estimates.covariance)))
    single = 2 * special.stdtr(estimates.df, -t)
    # p values too small for a double are beyond all draws
    alike = np.where(single > 0, -special.stdtrit(g - 1.0, single / 2), np.inf)
    t = np.where((estimates.df == g - 1) | np.isnan(t), t, alike)
    told = np.flatnonzero(~np.isnan(t))
    order = told[np.argsort(-t[told], kind="stable")]
    psi = influence[:, order]
    hits, drawn = np.zeros(len(order)), 0
    batches, _ = cluster_weights(g, draws, kind, rng)
    for v in batches:
        mean = v @ psi / g
        spread = np.maximum((v**2) @ (psi**2) / g - mean**2, 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            own = np.abs(mean) * np.sqrt((g - 1) / spread)
        own[np.isnan(own)] = 0.0  # a cluster of which nothing is told moves nothing
        largest = np.maximum.accumulate(own[:, ::-1], axis=1)[:, ::-1]
        hits += (largest >= t[order] * (1 - EQUAL)).sum(axis=0)
        drawn += len(v)
    p = np.full(len(t), np.nan)
    p[order] = np.maximum.accumulate(np.maximum((1 + hits) / (1 + drawn), single[order]))
    return p, drawn
