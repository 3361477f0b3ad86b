"""Whatever the clusters: joint tests are tests, and do not mind how estimates are written."""

import numpy as np
import pandas as pd
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from eecx.models.joint import combined, hotelling_test, is_singular, romano_wolf_p, stacked
from eecx.results import Estimates, Spread


def made(seed: int, clusters: int, c: int, first: int = 0) -> Estimates:
    """Return estimates of c slopes with the spread of some design of their clusters."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(clusters, 4, c)) * np.exp(rng.normal(size=(clusters, 1, 1)))
    root = np.linalg.cholesky(np.linalg.inv(np.einsum("gri,grj->ij", x, x)))
    weight = x @ (root @ root.T)
    influence = np.einsum("grc,gr->gc", weight, rng.normal(size=(clusters, 4)))

    def spread(combine: np.ndarray | None = None) -> Spread:
        u = weight if combine is None else weight @ combine.T
        turned = np.swapaxes(u, 1, 2)
        return Spread(turned @ u, np.swapaxes(x @ root, 1, 2) @ u)

    labels = pd.RangeIndex(first, first + clusters)
    values, df = rng.normal(size=c), np.full(c, clusters - 1.0)
    covariance = influence.T @ influence
    return Estimates(values, covariance, df, "CR2", "g", labels, influence, spread)


SIZES = {
    "seed": st.integers(0, 10_000),
    "clusters": st.integers(3, 25),
    "c": st.integers(1, 5),
}


@given(**SIZES)
def test_p_values_are_shares_or_missing(seed, clusters, c):
    assume(clusters > c + 1)
    test = hotelling_test(made(seed, clusters, c))
    missing = np.isnan([test.statistic, test.p_value, test.df_denominator])
    assert missing.all() or not missing.any()
    assert missing.all() or (0 <= test.p_value <= 1 and test.statistic >= 0)


@given(**SIZES, scale=st.floats(-6, 6))
def test_how_estimates_are_written_does_not_matter(seed, clusters, c, scale):
    assume(clusters > c + 2)
    own = made(seed, clusters, c)
    move = np.random.default_rng(seed + 1).normal(size=(c, c)) * 10.0**scale
    assume(np.linalg.cond(move) < 1e3)
    assume(not is_singular(own.covariance))
    one, two = hotelling_test(own), hotelling_test(combined(own, move))
    wanted = [one.statistic, one.df_denominator, one.p_value]
    found = [two.statistic, two.df_denominator, two.p_value]
    np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-12)


@given(**SIZES, shift=st.integers(0, 30))
def test_stacked_estimates_keep_their_own_and_their_order_does_not_matter(seed, clusters, c, shift):
    one, two = made(seed, clusters, c), made(seed + 7, clusters + 2, c, first=shift)
    both, turned = stacked(one, two), stacked(two, one)
    np.testing.assert_array_equal(both.covariance[:c, :c], one.covariance)
    np.testing.assert_array_equal(both.covariance[c:, c:], two.covariance)
    np.testing.assert_allclose(
        both.covariance[:c, c:], turned.covariance[c:, :c], rtol=1e-12, atol=1e-14
    )
    apart = shift >= clusters
    assert len(both.labels) == (2 * clusters + 2 if apart else max(clusters, shift + clusters + 2))
    assert not apart or (both.covariance[:c, c:] == 0).all()
    less = np.hstack([np.eye(c), -np.eye(c)])
    gap, back = combined(both, less), combined(turned, -less)
    np.testing.assert_allclose(gap.values, back.values, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(gap.df, back.df, rtol=1e-9)


@settings(max_examples=25)
@given(**SIZES)
def test_adjusted_p_values_are_ordered_shares(seed, clusters, c):
    own = made(seed, clusters, c)
    p, drawn = romano_wolf_p(own, 199, "webb", np.random.default_rng(seed))
    t = np.abs(own.values / np.sqrt(np.diag(own.covariance)))
    assert ((p >= 1 / (1 + drawn)) & (p <= 1)).all()
    assert (np.diff(p[np.argsort(-t)]) >= 0).all()
