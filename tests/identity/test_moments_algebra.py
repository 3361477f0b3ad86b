"""Algebra of sums: other routes to the same cells."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from eecx import Moments, Panel
from eecx.moments import pack, unpack

TERMS = ["x", "y", "z"]
KEYS = ["store", "wave", "region"]


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(11)
    n = 240
    made = pd.DataFrame(
        {
            "store": rng.choice(list("abcdefgh"), n),
            "wave": rng.integers(1, 5, n),
            "x": rng.normal(5, 2, n),
            "w": rng.uniform(0.1, 4, n),
        }
    )
    made["region"] = made["store"].map(lambda s: "north" if s < "d" else "south")
    made["y"] = 100 - made["x"] * 3 + rng.normal(size=n)
    made["z"] = 1e5 * made["wave"] + rng.normal(size=n)
    return made


@pytest.fixture(scope="module", params=[None, "w"])
def weight(request):
    return request.param


@pytest.fixture(scope="module")
def cells(frame, weight):
    return Moments.from_frame(frame, keys=KEYS, terms=TERMS, weight=weight)


def assert_same(one, other, rtol=1e-11):
    pd.testing.assert_frame_equal(one.keys, other.keys)
    assert one.terms == other.terms
    assert one.left_out == other.left_out
    for name in ("n", "w", "w2", "mean"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=rtol)
    size = np.sqrt(np.einsum("cii->ci", np.maximum(one.cross, 0)))
    difference = np.abs(one.cross - other.cross)
    assert (difference <= rtol * size[:, :, None] * size[:, None, :] + 1e-9 * rtol).all()


@pytest.mark.parametrize("size", range(4))
def test_collapsing_equals_summing_anew(frame, weight, cells, size):
    for keys in combinations(KEYS, size):
        anew = Moments.from_frame(frame, keys=keys, terms=TERMS, weight=weight)
        assert_same(cells.collapse(list(keys)), anew)


def test_collapsing_in_stages_equals_collapsing_at_once(cells):
    staged = cells.collapse(["wave", "store"]).collapse("wave").collapse()
    assert_same(staged, cells.collapse())


def test_the_key_row_keeps_every_row_and_collapses_to_the_same(frame, weight, cells):
    rows = Moments.from_frame(frame, keys=["row", *KEYS], terms=TERMS, weight=weight)
    assert rows.keys["row"].tolist() == list(range(len(frame)))
    np.testing.assert_array_equal(rows.mean, frame[TERMS].to_numpy())
    assert not rows.m2.any()
    assert_same(rows.collapse(KEYS), cells)


def test_rows_of_an_engine_are_numbered_in_their_order(held, frame):
    holed = frame.assign(x=frame["x"].where(frame.index % 5 != 0))
    rows = Moments.from_frame(held(holed), keys=["row", "store"], terms=["x", "y"])
    assert rows.keys["row"].tolist() == [i for i in range(len(frame)) if i % 5]
    assert rows.keys["store"].tolist() == frame["store"][rows.keys["row"]].tolist()
    assert rows.left_out == len(frame) / 5


@pytest.mark.parametrize("parts", [2, 3, 7])
def test_any_split_in_any_order_adds_up_to_the_whole(frame, weight, cells, parts):
    rng = np.random.default_rng(parts)
    part = rng.integers(0, parts, len(frame))
    pieces = [
        Moments.from_frame(frame[part == i], keys=KEYS, terms=TERMS, weight=weight)
        for i in rng.permutation(parts)
    ]
    forward, backward = pieces[0], pieces[-1]
    for piece in pieces[1:]:
        forward = forward + piece
    for piece in pieces[-2::-1]:
        backward = piece + backward
    assert_same(forward, cells)
    assert_same(backward, cells)


def test_adding_rows_numbers_them_on(frame):
    first, second = (
        Moments.from_frame(part, keys=["row"], terms=["x"])
        for part in (frame.iloc[:10], frame.iloc[10:15])
    )
    assert (first + second).keys["row"].tolist() == list(range(15))


def test_rows_left_out_add_up(frame):
    holed = frame.assign(x=frame["x"].where(frame.index % 3 != 0))
    one, two = (
        Moments.from_frame(part, keys=["wave"], terms=["x"])
        for part in (holed.iloc[:100], holed.iloc[100:])
    )
    assert (one + two).left_out == holed["x"].isna().sum()


def test_within_takes_out_the_means_of_each_level(frame, weight, cells):
    w = frame[weight] if weight else pd.Series(1.0, frame.index)
    weighted = frame[TERMS].mul(w, axis=0).groupby(frame["store"]).transform("sum")
    means = weighted.div(w.groupby(frame["store"]).transform("sum"), axis=0)
    rest = (frame[TERMS] - means).to_numpy()
    within = cells.within("store").collapse()
    np.testing.assert_allclose(within.cross[0], rest.T @ (rest * w.to_numpy()[:, None]), rtol=1e-9)
    np.testing.assert_allclose(within.mean[0], 0, atol=1e-9)
    assert len(cells.within("store").keys) == len(cells.keys)


def test_within_and_between_make_the_total(cells):
    total = cells.collapse()
    within = cells.within("store").collapse().cross[0]
    stores = cells.collapse("store")
    away = stores.mean - total.mean
    between = away.T @ (away * stores.w[:, None])
    np.testing.assert_allclose(within + between, total.cross[0], rtol=1e-9)


def test_means_make_every_cell_one_observation(cells):
    stores = cells.collapse("store")
    means = stores.means()
    assert means.n.tolist() == means.w.tolist() == [1.0] * len(stores.keys)
    np.testing.assert_allclose(means.collapse().cross[0], 7 * np.cov(stores.mean.T), rtol=1e-9)


def test_about_a_point_is_the_raw_cross_product_there(frame, weight, cells):
    w = (frame[weight] if weight else pd.Series(1.0, frame.index)).to_numpy()
    for point in ([0, 0, 0], [5, 85, 2.5e5], frame[TERMS].mean()):
        away = frame[TERMS].to_numpy() - np.asarray(point)
        found = cells.about(point).sum(axis=0)
        np.testing.assert_allclose(found, away.T @ (away * w[:, None]), rtol=1e-9)


def test_select_keeps_terms_in_the_order_named(cells):
    one = cells.select(["z", "x"])
    assert one.terms == ("z", "x")
    np.testing.assert_array_equal(one.cross, cells.cross[:, [2, 0]][:, :, [2, 0]])
    np.testing.assert_array_equal(one.mean, cells.mean[:, [2, 0]])
    assert_same(one.collapse("wave"), cells.collapse("wave").select(["z", "x"]))


def test_correlations_and_sd_are_those_of_the_rows(frame):
    cells = Moments.from_frame(frame, keys=KEYS, terms=TERMS)
    np.testing.assert_allclose(cells.correlations(), frame[TERMS].corr(), rtol=1e-9)
    np.testing.assert_allclose(cells.sd(), frame[TERMS].std(), rtol=1e-10)


def test_correlations_and_sd_do_not_depend_on_the_scale_of_weights(frame):
    one = Moments.from_frame(frame, terms=TERMS, weight="w")
    other = Moments.from_frame(frame.assign(w=frame["w"] / 1e4), terms=TERMS, weight="w")
    np.testing.assert_allclose(one.sd(), other.sd(), rtol=1e-10)
    np.testing.assert_allclose(one.correlations(), other.correlations(), rtol=1e-10)


def test_units_of_measurement_come_out_as_they_go_in(frame, cells, weight):
    scaled = frame.assign(x=-0.001 * frame["x"] + 7, y=frame["y"] * 1e6)
    other = Moments.from_frame(scaled, keys=KEYS, terms=TERMS, weight=weight)
    factor = np.array([-0.001, 1e6, 1])
    np.testing.assert_allclose(
        other.collapse().cross[0], cells.collapse().cross[0] * np.outer(factor, factor), rtol=1e-9
    )


def test_packing_is_undone_by_unpacking(cells):
    np.testing.assert_array_equal(pack(unpack(cells.m2, 3)), cells.m2)
    np.testing.assert_array_equal(cells.cross, cells.cross.transpose(0, 2, 1))


def test_a_panel_sums_its_complete_rows(frame):
    table = frame.drop_duplicates(["store", "wave"]).reset_index(drop=True)
    table.loc[3, "x"] = np.nan
    panel = Panel.from_frame(table, unit="store", wave="wave", employee="x", customer=["y", "z"])
    one = panel.moments(["x", "y", "x:z"], keys=["store"])
    other = Moments.from_frame(table, keys=["store"], terms=["x", "y", "x:z"])
    assert_same(one, other)


# ---------------------------------------------------------------------- published tables


def test_a_published_table_equals_the_data_behind_it(frame):
    data = Moments.from_frame(frame, terms=TERMS)
    table = Moments.from_correlations(
        frame[TERMS].corr(), n=len(frame), sd=frame[TERMS].std(), mean=frame[TERMS].mean()
    )
    assert_same(table, data)


@pytest.mark.parametrize("half", ["lower", "upper", "lower with blanks", "upper with blanks"])
def test_half_a_published_table_is_enough(frame, half):
    full = frame[TERMS].corr().to_numpy()
    shown = np.tril(full) if half.startswith("lower") else np.triu(full)
    if half.endswith("blanks"):
        shown = np.where(shown == 0, np.nan, shown)
    one = Moments.from_correlations(shown, n=240, names=TERMS)
    np.testing.assert_allclose(one.correlations(), full, rtol=1e-12)


def test_reliabilities_on_the_diagonal_are_no_correlations():
    one = Moments.from_correlations([[0.9, 0.4], [0.4, 0.8]], n=50, names=["x", "y"])
    assert one.correlations().to_numpy().tolist() == [[1.0, 0.4], [0.4, 1.0]]


def test_a_blank_diagonal_is_one_of_ones():
    one = Moments.from_correlations([[np.nan, 0.4], [0.4, np.nan]], n=50, names=["x", "y"])
    assert one.correlations().to_numpy().tolist() == [[1.0, 0.4], [0.4, 1.0]]


def test_a_table_with_rows_in_another_order_is_read_by_name():
    shuffled = pd.DataFrame(
        [[0.3, 1, 0.5], [1, 0.3, 0.1], [0.1, 0.5, 1]], index=list("yxz"), columns=list("xyz")
    )
    one = Moments.from_correlations(shuffled, n=20).correlations()
    assert one.loc["x", "y"] == pytest.approx(0.3, rel=1e-12)
    assert one.loc["x", "z"] == pytest.approx(0.1, rel=1e-12)
    assert one.loc["y", "z"] == pytest.approx(0.5, rel=1e-12)


def test_whole_and_broken_numbers_are_one_kind_of_key():
    one = Moments.from_frame(pd.DataFrame({"k": [1, 2], "x": [1.0, 2.0]}), keys=["k"], terms=["x"])
    other = Moments.from_frame(
        pd.DataFrame({"k": [1, 2.5], "x": [3.0, 2.0]}), keys=["k"], terms=["x"]
    )
    assert (one + other).keys["k"].tolist() == [1.0, 2.0, 2.5]
    assert (one + other).n.tolist() == [2.0, 1.0, 1.0]
