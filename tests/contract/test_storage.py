"""Sums and scores in files: what is written, what is withheld, what a file must be."""

import json

import numpy as np
import pandas as pd
import pytest

from eecx import Counts, Mean, Moments, Survey
from eecx.errors import DataError, OptionError
from eecx.storage import load, save

ARRAYS = ("n", "w", "w2", "mean", "mean_rest", "m2")


@pytest.fixture
def frame():
    rng = np.random.default_rng(3)
    made = pd.DataFrame({"store": np.repeat(list("abcd"), [40, 30, 12, 3]), "wave": 1})
    made.loc[::2, "wave"] = 2
    made["x"] = rng.normal(1e6, 0.1, len(made))
    made["z"] = rng.integers(1, 6, len(made))
    made["w"] = rng.uniform(0.5, 2, len(made))
    made.loc[5, "x"] = np.nan
    return made


def assert_same(one, other):
    assert one.terms == other.terms
    assert one.left_out == other.left_out
    pd.testing.assert_frame_equal(one.keys.reset_index(drop=True), other.keys)
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


# ---------------------------------------------------------------------- there and back


def test_moments_come_back_bit_by_bit_and_still_add_up(frame, tmp_path):
    sums = Moments.from_frame(frame, keys=["store"], terms=["x", "z"], weight="w")
    done = save(sums, tmp_path / "a.json")
    again = load(tmp_path / "a.json")
    assert (done.cells, done.least) == (3, 10)
    large = Moments.from_frame(
        frame[frame["store"] != "d"], keys=["store"], terms=["x", "z"], weight="w"
    )
    assert_same(large, again)
    assert again.mean_rest.any()
    assert again.left_out == 1
    more = sums + again
    np.testing.assert_array_equal(more.n, [78, 60, 24, 3])


def test_one_cell_without_keys_comes_back(frame, tmp_path):
    sums = Moments.from_frame(frame, terms=["x"])
    save(sums, tmp_path / "a.json")
    assert_same(sums, load(tmp_path / "a.json"))


@pytest.mark.parametrize(
    "keys",
    [
        pd.Series(["n", "s"]),
        pd.Series(["ä,\"b'", "=1+1\n"], dtype=object),
        pd.Series([2**62 + 1, -3]),
        pd.Series([1, 2], dtype="uint64"),
        pd.Series([0.1, 1 / 3]),
        pd.Series([True, False]),
        pd.Series(pd.to_datetime(["2024-01-01 00:00:00", "2024-04-01 12:30:15"])),
        pd.Series(pd.PeriodIndex(["2024Q1", "2024Q2"], freq="Q")),
        pd.Series(pd.PeriodIndex(["2024-01", "2024-02"], freq="M")),
    ],
    ids=lambda s: str(s.dtype),
)
def test_keys_keep_their_type(keys, tmp_path):
    sums = Moments.from_frame(
        pd.DataFrame({"k": ["a", "b"] * 9, "x": range(18)}), keys=["k"], terms=["x"]
    )
    made = Moments(
        ("x",), pd.DataFrame({"k": keys}), *(getattr(sums, a) for a in ARRAYS[:4]), sums.m2
    )
    save(made, tmp_path / "a.json")
    again = load(tmp_path / "a.json").keys["k"]
    assert list(again) == list(keys)
    if keys.dtype != object:
        assert again.dtype == keys.dtype


def test_counts_come_back(frame, tmp_path):
    counts = Counts.from_frame(frame, keys=["store"], items=["z"], options=range(1, 6))
    done = save(counts, tmp_path / "c.json")
    again = load(tmp_path / "c.json")
    assert done.withheld["store"].tolist() == ["d"]
    assert (again.items, again.options) == (("z",), (1, 2, 3, 4, 5))
    np.testing.assert_array_equal(again.n, counts.n[:3])
    np.testing.assert_array_equal(again.missing, counts.missing[:3])
    assert again.keys["store"].tolist() == ["a", "b", "c"]


def test_scores_come_back_without_the_small_ones(frame, tmp_path):
    survey = Survey(frame, unit="store", wave="wave", measures={"z": Mean("z")})
    scores = survey.scores(disclosure_n=1)
    done = save(scores, tmp_path / "s.json")
    again = load(tmp_path / "s.json")
    pd.testing.assert_frame_equal(again, survey.scores())
    assert done.withheld.columns.tolist() == ["store", "wave", "measure"]
    assert done.withheld["store"].tolist() == ["d", "d"]
    save(again, tmp_path / "again.json")
    pd.testing.assert_frame_equal(load(tmp_path / "again.json"), again)


def test_the_same_sums_make_the_same_file(frame, tmp_path):
    for name in ("a", "b"):
        save(Moments.from_frame(frame, keys=["store"], terms=["x"]), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


# ---------------------------------------------------------------------- what is withheld


@pytest.mark.parametrize(
    ("terms", "disclosure_n", "kept"),
    [
        (["x"], 5, "abc"),  # 4 numbers would do with 4; five are asked for
        (["x"], 3, "abc"),  # two each for n's worth of 1 mean and 1 square: 4
        (["x", "z"], 5, "abc"),  # 10
        (["x", "z", "I(z^2)"], 5, "ab"),  # 18
        (["x", "z", "I(z^2)", "x:z"], 5, "ab"),  # 28
        (["x"], 31, "a"),
    ],
)
def test_cells_of_moments_need_two_respondents_for_each_number(
    frame, terms, disclosure_n, kept, tmp_path
):
    sums = Moments.from_frame(frame.fillna(1e6), keys=["store"], terms=terms)
    done = save(sums, tmp_path / "a.json", disclosure_n=disclosure_n)
    assert load(done.path).keys["store"].tolist() == list(kept)
    assert done.withheld["store"].tolist() == [s for s in "abcd" if s not in kept]


def test_a_file_names_what_is_withheld_and_not_its_n(frame, tmp_path):
    sums = Moments.from_frame(frame, keys=["store", "wave"], terms=["x"])
    save(sums, tmp_path / "a.json")
    withheld = json.loads((tmp_path / "a.json").read_text())["content"]["withheld"]
    assert withheld == {
        "cells": 2,
        "keys": [
            {"name": "store", "type": "text", "values": ["d", "d"]},
            {"name": "wave", "type": "int64", "values": [1, 2]},
        ],
    }
    assert repr(save(sums, tmp_path / "a.json")) == (
        "<Saved: 6 cells in 'a.json', 2 withheld (at least 5 respondents per cell)>"
    )


def test_coarser_keys_are_merged_before_they_are_checked(frame, tmp_path):
    sums = Moments.from_frame(frame, keys=["store", "wave", "row"], terms=["x"])
    save(sums, tmp_path / "a.json", keys=["wave"])
    again = load(tmp_path / "a.json")
    assert again.keys["wave"].tolist() == [1, 2]
    np.testing.assert_allclose(again.n.sum(), 84)
    save(sums, tmp_path / "b.json", keys=[])
    np.testing.assert_allclose(load(tmp_path / "b.json").n, [84])


def test_counts_need_enough_answers_to_every_item_answered(tmp_path):
    frame = pd.DataFrame({"store": ["a"] * 6 + ["b"] * 6 + ["c"] * 6, "q": [1, 2] * 9})
    frame["r"] = [1, 2, 1, 2, 1, 1] + [1, 2, 1, 1] + [np.nan] * 8
    counts = Counts.from_frame(frame, keys=["store"], items=["q", "r"], options=[1, 2])
    done = save(counts, tmp_path / "c.json")
    assert done.withheld["store"].tolist() == ["b"]


def test_unanimous_cells_are_withheld_on_demand(tmp_path):
    frame = pd.DataFrame({"store": ["a"] * 9 + ["b"] * 9, "q": [2] * 9 + [1, 2, 1] * 3})
    counts = Counts.from_frame(frame, keys=["store"], items=["q"], options=[1, 2])
    sums = Moments.from_frame(frame, keys=["store"], terms=["q"])
    for obj in (counts, sums):
        assert save(obj, tmp_path / "a.json").withheld.empty
        done = save(obj, tmp_path / "a.json", protect_unanimous=True)
        assert done.withheld["store"].tolist() == ["a"]


# ---------------------------------------------------------------------- refused


def test_sums_by_respondent_are_refused(frame, tmp_path):
    sums = Moments.from_frame(frame, keys=["store", "row"], terms=["x"])
    with pytest.raises(OptionError, match=r"kept by 'row'.*with keys=\['store'\] or coarser"):
        save(sums, tmp_path / "a.json")
    assert not (tmp_path / "a.json").exists()


def test_where_nothing_is_left_coarser_keys_are_named(frame, tmp_path):
    sums = Moments.from_frame(frame, keys=["store", "wave"], terms=["x"])
    says = (
        r"No cell by 'store', 'wave' has the 35 respondents that it needs. Coarser keys would do: "
        r"keys=\['store'\] \(1 of 4 cells\); keys=\['wave'\] \(2 of 2 cells\)"
    )
    with pytest.raises(DataError, match=says):
        save(sums, tmp_path / "a.json", disclosure_n=35)
    with pytest.raises(DataError, match=r"no coarser keys would do. Fewer terms need fewer"):
        save(sums, tmp_path / "a.json", disclosure_n=100)
    with pytest.raises(DataError, match="The one cell has fewer than the 100 respondents"):
        save(sums, tmp_path / "a.json", disclosure_n=100, keys=[])
    scores = Survey(frame, unit="store", measures={"z": Mean("z")}).scores()
    with pytest.raises(DataError, match="No score has the 50 respondents that it needs"):
        save(scores, tmp_path / "a.json", disclosure_n=50)


@pytest.mark.parametrize(
    ("obj", "options", "error", "says"),
    [
        ([1], {}, OptionError, "writes Moments, Counts and tables of scores, not list"),
        (pd.DataFrame({"n": [9]}), {}, DataError, "'measure', 'value', 'status' is not there"),
        (pd.DataFrame(), {"keys": ["a"]}, OptionError, "Scores cannot be merged: score the survey"),
        (pd.DataFrame(), {"protect_unanimous": True}, OptionError, "Scores do not tell whether"),
        (None, {"disclosure_n": 0}, OptionError, "disclosure_n=0: at least 1"),
        (None, {"disclosure_n": True}, OptionError, "disclosure_n=True: a whole number"),
        (None, {"disclosure_n": np.nan}, OptionError, "disclosure_n=nan: a whole number"),
        (None, {"disclosure_n": "5"}, OptionError, "disclosure_n='5': a whole number"),
        (None, {"keys": ["stoer"]}, DataError, "not kept by 'stoer'"),
    ],
)
def test_what_cannot_be_saved_is_refused(frame, obj, options, error, says, tmp_path):
    obj = Moments.from_frame(frame, keys=["store"], terms=["x"]) if obj is None else obj
    with pytest.raises(error, match=says):
        save(obj, tmp_path / "a.json", **options)


def test_a_folder_is_no_file_to_write_to(frame, tmp_path):
    sums = Moments.from_frame(frame, keys=["store"], terms=["x"])
    with pytest.raises(DataError, match=r"is a folder. Name a file in it, such as '.*sums.json'"):
        save(sums, tmp_path)


def test_keys_and_numbers_that_no_file_keeps_are_refused(frame, tmp_path):
    sums = Moments.from_frame(frame, keys=["store"], terms=["x"])
    odd = sums.keys.assign(store=[(1,), (2,), (3,), (4,)])
    made = Moments(sums.terms, odd, sums.n, sums.w, sums.w2, sums.mean, sums.m2)
    with pytest.raises(DataError, match=r"Column 'store' holds mixed. A file keeps text, numbers"):
        save(made, tmp_path / "a.json")
    made = Moments(sums.terms, sums.keys, sums.n, sums.w, sums.w2, sums.mean * np.inf, sums.m2)
    with pytest.raises(DataError, match=r"Moments.mean holds values that are not finite"):
        save(made, tmp_path / "a.json")
    with pytest.raises(DataError, match=r"There is no folder .* to write 'a.json' to"):
        save(sums, tmp_path / "nowhere" / "a.json")


# ---------------------------------------------------------------------- files that are not whole


@pytest.fixture
def stored(frame, tmp_path):
    path = tmp_path / "a.json"
    save(Moments.from_frame(frame, keys=["store"], terms=["x"]), path)
    return path


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda t: t[: len(t) // 2], "'a.json' cannot be read: .* or is cut off"),
        (lambda t: "store,n\na,9\n", "was not written by eecx.storage.save, or is cut off"),
        (lambda t: "[1, 2]", "was not written by eecx.storage.save"),
        (lambda t: "[" * 200_000 + "]" * 200_000, "'a.json' cannot be read"),
        (lambda t: '{"schema": "other/1"}', "was not written by eecx.storage.save"),
        (lambda t: t.replace("39.0", "41.0", 1), "changed or damaged .* checksum does not fit"),
        (lambda t: t.replace('"a"', '"b"', 1), "changed or damaged .* checksum does not fit"),
        (
            lambda t: t.replace("eecx.moments/1", "eecx.moments/2").replace("eecx 0", "eecx 9", 1),
            r"'eecx.moments/2', .* by eecx 9.*which reads 'eecx.moments/1'.*: install eecx 9",
        ),
        (lambda t: t.replace("eecx.moments/1", "eecx.counts/1"), "but not its fields"),
        (lambda t: "\ud83d".encode("utf-16", "surrogatepass").decode("latin-1"), "cannot be read"),
    ],
)
def test_a_file_that_is_not_whole_is_refused(stored, damage, says):
    text = stored.read_text(encoding="utf-8")
    assert damage(text) != text
    stored.write_text(damage(text), encoding="utf-8")
    with pytest.raises(DataError, match=says):
        load(stored)


def test_a_file_that_is_not_there_or_not_text_is_refused(stored, tmp_path):
    with pytest.raises(DataError, match=r"There is no file '.*b.json'"):
        load(tmp_path / "b.json")
    stored.write_bytes(b"\x80\x04\x95pickle")
    with pytest.raises(DataError, match="cannot be read"):
        load(stored)
