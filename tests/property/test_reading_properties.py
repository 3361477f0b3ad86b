"""Reading text cells and unit keys, over generated ones."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eecx import Parse
from eecx.errors import DataError
from eecx.frames import open_table, read_csv, read_numbers
from eecx.panel.audit import near_misses

numbers = st.floats(allow_nan=False, allow_infinity=False)
blanks = st.sampled_from(["", " ", "\t", None, math.nan, pd.NA])
words = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1).filter(
    lambda t: not any(c.isdigit() for c in t) and t.strip()
)


@given(st.lists(st.one_of(numbers, blanks), min_size=1))
def test_numbers_written_as_text_are_read_to_the_last_bit(cells):
    """Python writes the shortest text that is read as the same double."""
    texts = [repr(c) if isinstance(c, float) and c == c else c for c in cells]
    values, record = read_numbers([f" {t} " if isinstance(t, str) else t for t in texts], "x")
    expected = [c if isinstance(c, float) else math.nan for c in cells]
    np.testing.assert_array_equal(values, expected)
    assert record.empty


@given(st.integers(0, 100), st.integers(0, 3))
def test_a_percentage_is_the_fraction_that_another_file_prints(points, digits):
    text = f"{points}.{'7' * digits}" if digits else str(points)
    rules = Parse(percent="fraction", censored="bound")
    fraction = float(f"{text}e-2")
    values, _ = read_numbers([f"{text}%", f"> {text} %", f"≥{text}%"], "x", rules)
    assert values.tolist() == [fraction] * 3


@given(st.lists(numbers, min_size=1), words)
def test_a_word_is_an_offender_until_it_is_named(cells, word):
    texts = [*map(repr, cells), word, f" {word} "]
    with pytest.raises(DataError, match="Column 'x' should hold numbers, but 2 cells hold text"):
        read_numbers(texts, "x")
    values, record = read_numbers(texts, "x", Parse(missing=[word]))
    assert np.isnan(values[-2:]).all()
    assert values[:-2].tolist() == cells
    assert record["cells"].tolist() == [2]
    assert record["as"].tolist() == ["missing"]


@given(st.lists(st.integers(0, 9), min_size=1), st.integers(0, 9))
def test_a_code_is_missing_in_text_and_in_numbers(cells, code):
    rules = Parse(missing=code)
    as_text, record = read_numbers([str(c) for c in cells], "x", rules)
    expected = [math.nan if c == code else c for c in cells]
    np.testing.assert_array_equal(as_text, expected)
    assert record["cells"].sum() == cells.count(code)
    table = open_table(pd.DataFrame({"x": cells}), parse=rules)
    _, read = table.collect([], ["x"])
    np.testing.assert_array_equal(read["x"], expected)


@given(st.lists(st.one_of(st.integers(-(2**62), 2**62), st.none()), min_size=1))
def test_whole_numbers_in_a_file_stay_whole(tmp_path_factory, cells):
    path = tmp_path_factory.mktemp("csv") / "x.csv"
    path.write_text("id,x\n" + "\n".join(f"a,{'' if c is None else c}" for c in cells))
    read = read_csv(path)["x"]
    assert [None if pd.isna(v) else int(v) for v in read] == cells


@given(st.lists(st.text("abxyz019 _-.", min_size=1), max_size=6, unique=True), st.data())
def test_near_misses_are_alike_but_not_equal(units, data):
    others = data.draw(st.lists(st.text("ABXYZ019 _-.", min_size=1), max_size=6, unique=True))
    found = near_misses([("employee", units), ("customer", others)])
    for row in found.itertuples():
        assert row.key != row.looks_like
        assert {row.key, row.looks_like} <= {*units, *others}


@given(st.from_regex(r"[a-z]{1,4}[1-9][0-9]{0,2}", fullmatch=True))
def test_case_blanks_and_leading_zeros_make_near_misses(unit):
    letters, digits = unit.rstrip("0123456789"), unit.lstrip("abcdefghijklmnopqrstuvwxyz")
    for other in (
        unit.upper(),
        f" {unit}",
        f"{letters} {digits}",
        f"{letters}-0{digits}",
        f"{letters}_{digits}",
        f"{letters}\N{NO-BREAK SPACE}{digits}",
    ):
        found = near_misses([("employee", [unit]), ("customer", [other])])
        assert found[["key", "looks_like"]].to_numpy().tolist() == [[unit, other]]


@given(st.integers(1, 10**6))
def test_numbers_and_their_texts_are_near_misses(unit):
    for other in (str(unit), f"00{unit}", float(unit) + 0.0 if unit % 2 else f"{unit}.0"):
        found = near_misses([("employee", [unit]), ("customer", [other])])
        assert len(found) == (other != unit)


@given(st.lists(st.integers(0, 50), unique=True, max_size=10))
def test_different_numbers_are_no_near_misses(units):
    assert near_misses([("employee", units), ("customer", units)]).empty
