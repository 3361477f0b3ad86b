"""Moments, over generated rows: order, splits, shifts and scales do not matter."""

from fractions import Fraction

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from eecx import Counts, Moments

TERMS = ["x", "y"]
few = settings(max_examples=20)
# sixteenths up to a million: exact in binary, and so are their sums
values = st.integers(-(16 * 10**6), 16 * 10**6).map(lambda v: v / 16)
rows = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from([1, 2]), values, values, st.integers(1, 9)),
    min_size=2,
    max_size=20,
)


def frame_of(given_rows):
    return pd.DataFrame(given_rows, columns=["store", "wave", "x", "y", "w"])


def sums(frame, keys=("store", "wave"), weight=None):
    return Moments.from_frame(frame, keys=keys, terms=TERMS, weight=weight)


def assert_same(one, other, scale=1.0):
    pd.testing.assert_frame_equal(one.keys, other.keys, check_dtype=False)
    np.testing.assert_array_equal(one.n, other.n)
    np.testing.assert_allclose(one.w, other.w, rtol=1e-12)
    np.testing.assert_allclose(one.w2, other.w2, rtol=1e-12)
    np.testing.assert_allclose(one.mean, other.mean, rtol=1e-12, atol=1e-9 * scale)
    np.testing.assert_allclose(one.m2, other.m2, rtol=1e-9, atol=1e-3 * scale**2)


@few
@given(rows)
def test_the_order_of_rows_does_not_matter(made):
    frame = frame_of(made)
    assert_same(sums(frame), sums(frame.iloc[::-1]))
    assert_same(sums(frame, weight="w"), sums(frame.sort_values("x"), weight="w"))


@few
@given(rows, st.data())
def test_merging_is_associative_and_commutative(made, data):
    frame = frame_of(made * 2)
    labels = st.lists(st.sampled_from([0, 1, 2]), min_size=len(frame), max_size=len(frame))
    part = np.array(data.draw(labels))
    part[:3] = [0, 1, 2]
    a, b, c = (sums(frame[part == i], weight="w") for i in range(3))
    whole = sums(frame, weight="w")
    for merged in ((a + b) + c, a + (b + c), c + (b + a), b + a + c):
        assert_same(merged, whole)


@few
@given(rows)
def test_collapsing_equals_exact_arithmetic(made):
    frame = frame_of(made)
    total = sums(frame, weight="w").collapse()
    w = [Fraction(int(v)) for v in frame["w"]]
    for k, term in enumerate(TERMS):
        x = [Fraction(v) for v in frame[term]]
        mean = sum(a * b for a, b in zip(w, x, strict=True)) / sum(w)
        m2 = sum(a * (b - mean) ** 2 for a, b in zip(w, x, strict=True))
        found = Fraction(total.mean[0, k]) + Fraction(total.mean_rest[0, k])
        assert abs(found - mean) <= Fraction(1e-15) * max(abs(v) for v in x)
        assert abs(Fraction(total.cross[0, k, k]) - m2) <= Fraction(1e-10) * m2


@few
@given(rows, st.integers(-10, 10), st.sampled_from([-4.0, 0.25, 2.0, 1024.0]))
def test_shifts_move_means_alone_and_scales_multiply(made, shift, scale):
    frame = frame_of(made)
    moved = frame.assign(x=frame["x"] * scale + shift, y=frame["y"] + shift)
    before, after = sums(frame), sums(moved)
    np.testing.assert_allclose(after.mean[:, 0], before.mean[:, 0] * scale + shift, atol=1e-6)
    np.testing.assert_allclose(after.mean[:, 1], before.mean[:, 1] + shift, atol=1e-8)
    factor = np.array([scale**2, scale, 1.0])
    np.testing.assert_allclose(after.m2, before.m2 * factor, rtol=1e-9, atol=1e-3 * scale**2)


@few
@given(rows)
def test_a_row_given_twice_counts_like_weight_two(made):
    frame = frame_of(made)
    twice = sums(pd.concat([frame, frame]))
    weighted = sums(frame.assign(w=2.0), weight="w")
    np.testing.assert_array_equal(twice.w, weighted.w)
    np.testing.assert_allclose(twice.mean, weighted.mean, rtol=1e-12)
    np.testing.assert_allclose(twice.m2, weighted.m2, rtol=1e-9, atol=1e-3)


@few
@given(rows)
def test_cross_products_are_positive_semi_definite(made):
    for cells in (sums(frame_of(made)), sums(frame_of(made), weight="w").collapse()):
        size = np.einsum("cii->c", cells.cross)
        assert (np.linalg.eigvalsh(cells.cross)[:, 0] >= -1e-9 * size - 1e-9).all()


@few
@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from([1, 2, 3, None])), min_size=1))
def test_counts_do_not_depend_on_order_or_split(made):
    frame = pd.DataFrame(made, columns=["store", "q"]).astype({"q": float})
    options = {"keys": ["store"], "items": ["q"], "options": [1, 2, 3]}
    whole = Counts.from_frame(frame, **options)
    turned = Counts.from_frame(frame.iloc[::-1], **options)
    np.testing.assert_array_equal(whole.n, turned.n)
    assert whole.n.sum() + whole.missing.sum() == len(frame)
    if len(frame) > 1:
        parts = [Counts.from_frame(p, **options) for p in (frame.iloc[:1], frame.iloc[1:])]
        np.testing.assert_array_equal((parts[1] + parts[0]).n, whole.n)
