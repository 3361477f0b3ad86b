"""Counts equal counting, on every engine, and carry means and sums of squares."""

import numpy as np
import pandas as pd
import pytest

from eecx import Counts, Moments, Parse

ITEMS, OPTIONS = ["q1", "q 2"], [1, 2, 3, 4, 5]


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(6)
    n = 200
    made = pd.DataFrame({"store": rng.choice(list("abc"), n), "wave": rng.integers(1, 4, n)})
    for item in ITEMS:
        made[item] = rng.choice([1, 2, 3, 4, 5, np.nan], n, p=[0.1, 0.2, 0.3, 0.2, 0.1, 0.1])
    made.loc[7, "store"] = None
    return made


def counted(frame, keys, item, option):
    return frame.dropna(subset=keys).groupby(keys)[item].apply(lambda v: float((v == option).sum()))


@pytest.fixture(scope="module")
def counts(frame):
    return Counts.from_frame(frame, keys=["store", "wave"], items=ITEMS, options=OPTIONS)


def assert_same(one, other):
    pd.testing.assert_frame_equal(one.keys, other.keys)
    assert (one.items, one.options) == (other.items, other.options)
    np.testing.assert_array_equal(one.n, other.n)
    np.testing.assert_array_equal(one.missing, other.missing)


@pytest.mark.parametrize("keys", [["store"], ["wave", "store"]])
def test_every_answer_is_counted(held, frame, keys):
    counts = Counts.from_frame(held(frame), keys=keys, items=ITEMS, options=OPTIONS)
    for i, item in enumerate(ITEMS):
        for k, option in enumerate(OPTIONS):
            expected = counted(frame, keys, item, option)
            np.testing.assert_array_equal(counts.n[:, i, k], expected)
        blank = frame.dropna(subset=keys).groupby(keys)[item].apply(lambda v: v.isna().sum())
        np.testing.assert_array_equal(counts.missing[:, i], blank)
    rows = frame.dropna(subset=keys).groupby(keys).size()
    np.testing.assert_array_equal((counts.n.sum(2) + counts.missing).T, [rows, rows])


def test_without_keys_there_is_one_cell(held, frame):
    counts = Counts.from_frame(held(frame), items=ITEMS, options=OPTIONS)
    assert counts.n.shape == (1, 2, 5)
    assert counts.n.sum() + counts.missing.sum() == 2 * len(frame)


def test_collapsing_equals_counting_anew(frame, counts):
    known = frame.dropna(subset=["store"])
    for keys in (["wave"], ["store"], []):
        anew = Counts.from_frame(known, keys=keys, items=ITEMS, options=OPTIONS)
        assert_same(counts.collapse(keys), anew)


def test_any_split_adds_up_to_the_whole(frame, counts):
    part = np.random.default_rng(1).integers(0, 3, len(frame))
    first, second, third = (
        Counts.from_frame(frame[part == i], keys=["store", "wave"], items=ITEMS, options=OPTIONS)
        for i in range(3)
    )
    assert_same(first + second + third, counts)
    assert_same(third + (first + second), counts)


def test_select_keeps_items_in_the_order_named(counts):
    one = counts.select(["q 2", "q1"])
    np.testing.assert_array_equal(one.n, counts.n[:, ::-1])
    np.testing.assert_array_equal(one.missing, counts.missing[:, ::-1])


def test_means_and_sums_of_squares_equal_those_of_moments(frame, counts):
    n, mean, m2 = counts.collapse("store").moments()
    for i, item in enumerate(ITEMS):
        cells = Moments.from_frame(frame, keys=["store"], terms=[item])
        np.testing.assert_array_equal(n[:, i], cells.n)
        np.testing.assert_allclose(mean[:, i], cells.mean[:, 0], rtol=1e-13)
        np.testing.assert_allclose(m2[:, i], cells.m2[:, 0], rtol=1e-12)


def test_a_cell_without_answers_has_no_mean():
    frame = pd.DataFrame({"store": ["a", "a", "b"], "q": [1, 2, np.nan]})
    n, mean, m2 = Counts.from_frame(frame, keys="store", items="q", options=[1, 2]).moments()
    assert n.tolist() == [[2.0], [0.0]]
    assert mean[0, 0] == 1.5
    assert np.isnan(mean[1, 0])
    assert m2.tolist() == [[0.5], [0.0]]


def test_codes_for_no_answer_count_as_missing(held):
    frame = pd.DataFrame({"store": ["a", "a", "b"], "q": [1, 99, 2]})
    parse = Parse(missing=[99])
    counts = Counts.from_frame(
        held(frame), keys=["store"], items=["q"], options=[1, 2], parse=parse
    )
    assert counts.missing[:, 0].tolist() == [1.0, 0.0]
