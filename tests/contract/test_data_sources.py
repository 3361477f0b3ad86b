"""What may hold the rows: engines, files, column types; and what is said of all else."""

import datetime as dt
import decimal
import importlib.util

import numpy as np
import pandas as pd
import pytest

import eecx
from eecx import Moments, Panel, Parse, Survey
from eecx.errors import ColumnError, DataError, EecxError, EngineError, OptionError
from eecx.frames import looks_numeric, open_table, read_csv

polars = pytest.importorskip("polars")
pyarrow = pytest.importorskip("pyarrow")
duckdb = pytest.importorskip("duckdb")


OPEN = []


def in_duckdb(table):
    connection = duckdb.connect()
    OPEN.append(connection)  # a relation lives as long as its connection
    connection.register("answers", table)
    return connection.sql("SELECT * FROM answers")


def write(folder, text, name="answers.csv"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def cells_of(data, keys, term="x"):
    cells = Moments.from_frame(data, keys=keys, terms=[term])
    return cells.keys.to_dict("list"), cells.n.tolist(), cells.left_out


# ---------------------------------------------------------------------- CSV files


def test_leading_zeros_are_part_of_a_name(tmp_path):
    read = read_csv(write(tmp_path, "id,x,zip\n001,1,0123\n002,2,4567\n"))
    assert read["id"].tolist() == ["001", "002"]
    assert read["x"].tolist() == [1, 2]
    assert read["zip"].tolist() == ["0123", "4567"]


def test_zero_and_decimals_below_one_are_numbers(tmp_path):
    read = read_csv(write(tmp_path, "x,y\n0,0.5\n10,-.5\n"))
    assert read["x"].tolist() == [0, 10]
    assert read["y"].tolist() == [0.5, -0.5]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "The file 'answers.csv' is empty"),
        ("\n\n", "The file 'answers.csv' is empty"),
        ("id,x,x\na,1,2\n", "several columns named 'x'"),
        ("id,x\na,1,2\n", "Expected 2 fields in line 2, saw 3"),
        ("id,x\na,1\nb,2,3\n", "Expected 2 fields in line 3, saw 3"),
        (b"id,x\n\xff\xfe,1\n", "is not UTF-8 text. Save it as UTF-8"),
        ('id,x\n"a,1\n', "cannot be read as CSV"),
    ],
)
def test_a_file_that_is_no_table_says_so(tmp_path, text, says):
    with pytest.raises(DataError, match=says):
        read_csv(write(tmp_path, text))


def test_short_rows_and_empty_columns_of_spreadsheets_are_blank(tmp_path):
    read = read_csv(write(tmp_path, "id,x,y,,\na,1,,,\nb,2\n"))
    assert list(read) == ["id", "x", "y"]
    assert read["y"].isna().all()


def test_tabs_quotes_and_a_byte_order_mark_are_understood(tmp_path):
    read = read_csv(write(tmp_path, '\ufeffid\tx\n"a\tb"\t1\n', "answers.tsv"))
    assert read.to_dict("list") == {"id": ["a\tb"], "x": [1]}


def test_long_numbers_are_not_rounded_to_one_another(tmp_path):
    text = "id,x\n9007199254740993,1\n,2\n9007199254740992,3\n"
    keys, n, left_out = cells_of(write(tmp_path, text), ["id"])
    assert keys == {"id": [9007199254740992, 9007199254740993]}
    assert (n, left_out) == ([1.0, 1.0], 1)
    longer = "id,x\n99999999999999999999991,1\n99999999999999999999992,3\n"
    assert len(cells_of(write(tmp_path, longer), ["id"])[0]["id"]) == 2


def test_true_and_false_are_read_as_such(tmp_path):
    path = write(tmp_path, "store,left\na,True\na,false\na,\nb,TRUE\n")
    scores = Survey(path, unit="store", measures={"left": eecx.Rate("left")}).scores(disclosure_n=1)
    assert scores["value"].tolist() == [0.5, 1.0]
    assert scores["n"].tolist() == [2.0, 1.0]


def test_a_header_without_rows_is_no_survey(tmp_path):
    path = write(tmp_path, "store,x\n")
    with pytest.raises(DataError, match=r"The file 'answers\.csv' has no rows"):
        Survey(path, unit="store", measures={"x": eecx.Mean("x")}).scores()
    with pytest.raises(DataError, match="has no rows"):
        Panel.from_frame(path, unit="store", employee="x")


@pytest.mark.parametrize(
    ("name", "says"),
    [("gone.csv", "There is no file '.*gone.csv'"), ("answers.xlsx", "neither .csv nor .parquet")],
)
def test_other_files_are_refused(tmp_path, name, says):
    write(tmp_path, "id\n", "answers.xlsx")
    with pytest.raises(DataError, match=says):
        open_table(tmp_path / name)


# ---------------------------------------------------------------------- Parquet files


def test_parquet_without_an_engine_names_the_extra(tmp_path, monkeypatch):
    path = write(tmp_path, "", "answers.parquet")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(EngineError, match=r"pip install 'eecx\[engines\]'"):
        open_table(path)


@pytest.mark.parametrize("only", ["duckdb", "polars", "pyarrow"])
def test_any_one_engine_reads_parquet(tmp_path, monkeypatch, only):
    path = tmp_path / "answers.parquet"
    pd.DataFrame({"store": ["a", "a", None], "x": [1.0, 2, 3]}).to_parquet(path)
    found = importlib.util.find_spec
    engines = {"duckdb", "polars", "pyarrow"} - {only}
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name in engines else found(name)
    )
    assert cells_of(path, ["store"]) == ({"store": ["a"]}, [2.0], 1)


def test_a_file_that_is_no_parquet_is_named(tmp_path):
    with pytest.raises(DataError, match=r"The file 'answers\.parquet' cannot be read by"):
        open_table(write(tmp_path, "no parquet", "answers.parquet"))


# ---------------------------------------------------------------------- other sources


@pytest.mark.parametrize("source", [None, 3, [1, 2], {"x": [1]}, np.ones((2, 2))])
def test_what_is_no_frame_is_named(source):
    with pytest.raises(DataError, match=f"is a {type(source).__name__}; accepted are pandas"):
        open_table(source)


@pytest.mark.parametrize("series", [pd.Series([1.0]), polars.Series([1.0])])
def test_a_series_is_no_frame(series):
    with pytest.raises(DataError, match="is a Series; accepted are"):
        open_table(series)


def test_a_relation_that_fails_when_read_names_engine_and_reason():
    connection = duckdb.connect()
    sql = "SELECT 'a' AS store, CAST('x' || i AS INT) AS x FROM range(3) t(i)"
    with pytest.raises(DataError, match="The data frame cannot be read by duckdb: Conversion"):
        cells_of(connection.sql(sql), ["store"])
    frame = polars.LazyFrame({"store": ["a"], "x": ["1x"]}).with_columns(
        polars.col("x").cast(polars.Int64)
    )
    with pytest.raises(DataError, match="cannot be read by polars: conversion from"):
        cells_of(frame, ["store"])
    with pytest.raises(DataError, match=r"cannot be read by polars: .*y"):
        cells_of(polars.LazyFrame({"x": [1]}).select("y"), [])


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        (pd.DataFrame([[1, 2]], columns=["x", "x"]), "several columns named 'x'"),
        (pd.DataFrame([[1, 2]], columns=["1", 1]), "several columns named '1'"),
        (pd.DataFrame({("a", "x"): [1]}), "columns of several levels"),
    ],
)
def test_pandas_columns_need_one_plain_name_each(frame, says):
    with pytest.raises(DataError, match=says):
        open_table(frame)


def test_an_index_and_names_that_are_numbers_do_no_harm():
    frame = pd.DataFrame({0: ["a", "b"], 1: [1.0, 2.0]}, index=[7, 7])
    cells = Moments.from_frame(frame, keys=["0"], terms=["1"])
    assert cells.keys["0"].tolist() == ["a", "b"]


# ---------------------------------------------------------------------- keys


NULLS = pyarrow.table(
    {
        "text": pyarrow.array(["a", None, "", " ", "a", "b"]),
        "float": pyarrow.array([1.0, None, float("nan"), 2.0, 1.0, 2.0], from_pandas=False),
        "int": pyarrow.array([2**53 + 1, None, 2**53, 2**53, 2**53 + 1, 3]),
        "unsigned": pyarrow.array([2**63 + 1, None, 2**63, 2**63, 2**63 + 1, 3], pyarrow.uint64()),
        "bool": pyarrow.array([True, None, False, False, True, True]),
        "date": pyarrow.array([dt.date(2024, 1, d) for d in (1, 2, 1)] * 2).cast(pyarrow.date32()),
        "x": [1.0, 2, 3, 4, 5, 6],
    }
)
WAYS = {
    "pandas": lambda: NULLS.to_pandas(),
    "pandas with arrow types": lambda: NULLS.to_pandas(types_mapper=pd.ArrowDtype),
    "pandas with nullable types": lambda: NULLS.to_pandas(
        types_mapper={pyarrow.int64(): pd.Int64Dtype(), pyarrow.uint64(): pd.UInt64Dtype()}.get
    ),
    "polars": lambda: polars.from_arrow(NULLS),
    "pyarrow": lambda: NULLS,
    "duckdb": lambda: in_duckdb(NULLS),
}


@pytest.fixture(params=WAYS)
def nulls(request):
    return WAYS[request.param]()


def test_rows_without_a_key_are_in_no_cell_whatever_marks_them(nulls):
    """Null, NaN, and blank text are no key."""
    assert cells_of(nulls, ["text"]) == ({"text": ["a", "b"]}, [2.0, 1.0], 3)
    assert cells_of(nulls, ["float"]) == ({"float": [1, 2]}, [2.0, 2.0], 2)
    assert cells_of(nulls, ["bool"]) == ({"bool": [False, True]}, [2.0, 3.0], 1)
    both = cells_of(nulls, ["float", "text"])
    assert both == ({"float": [1, 2], "text": ["a", "b"]}, [2.0, 1.0], 3)


@pytest.mark.parametrize("way", [w for w in WAYS if w != "pandas"])
def test_long_whole_keys_are_told_apart(way):
    """Beyond 2^53 two whole numbers would be one double; plain pandas has made them so."""
    nulls = WAYS[way]()
    keys, n, _ = cells_of(nulls, ["int"])
    assert (keys["int"], n) == ([3, 2**53, 2**53 + 1], [1.0, 2.0, 2.0])
    keys, n, _ = cells_of(nulls, ["unsigned"])
    assert (keys["unsigned"], n) == ([3, 2**63, 2**63 + 1], [1.0, 2.0, 2.0])
    unique = Panel.from_frame(nulls, unit="int", wave="x", employee="float")
    assert unique.frame["int"].tolist() == [3, 2**53, 2**53, 2**53 + 1, 2**53 + 1]
    assert unique.audit.table["reason"].tolist()[0] == "no unit or wave"


def test_keys_of_128_bits_are_kept_or_refused():
    connection = duckdb.connect()
    OPEN.append(connection)
    sql = "SELECT (9007199254740992 + i)::HUGEINT * {} AS u, 1 AS x FROM range(3) t(i)"
    keys, n, _ = cells_of(connection.sql(sql.format(1)), ["u"])
    assert (keys["u"], n) == ([2**53, 2**53 + 1, 2**53 + 2], [1.0] * 3)
    panel = Panel.from_frame(connection.sql(sql.format(1)), unit="u", employee="x")
    assert panel.frame["u"].tolist() == keys["u"]
    with pytest.raises(DataError, match=r"The data frame cannot be read by duckdb: .*INT128"):
        cells_of(connection.sql(sql.format(10**6)), ["u"])


def test_dates_are_keys_in_every_engine(nulls):
    cells = Moments.from_frame(nulls, keys=["date"], terms=["x"])
    assert [str(d)[:10] for d in cells.keys["date"]] == ["2024-01-01", "2024-01-02"]
    assert cells.n.tolist() == [4.0, 2.0]


def test_the_key_row_and_a_panel_drop_the_same_rows(nulls):
    rows = Moments.from_frame(nulls, keys=["row", "text"], terms=["x"])
    assert rows.keys.to_dict("list") == {"row": [0, 4, 5], "text": ["a", "a", "b"]}
    panel = Panel.from_frame(nulls, unit="text", wave="x", employee="float")
    assert panel.frame["text"].tolist() == ["a", "a", "b"]
    assert panel.audit.stages.query("stage == 'keys'")["lost"].tolist() == [3]


def test_categories_are_keys_like_their_texts():
    frame = pd.DataFrame({"u": pd.Categorical(["b", "a", "b"], ["b", "a", "z"]), "x": [1.0, 2, 3]})
    enum = polars.from_pandas(frame).with_columns(polars.col("u").cast(polars.Enum(["b", "a"])))
    plain = frame.astype({"u": str})
    for data in (frame, polars.from_pandas(frame), enum, pyarrow.Table.from_pandas(frame), plain):
        assert cells_of(data, ["u"]) == ({"u": ["a", "b"]}, [1.0, 2.0], 0)
    whole = cells_of(frame.assign(u=pd.Categorical([7, 5, 7])), ["u"])
    assert whole == ({"u": [5, 7]}, [1.0, 2.0], 0)


def test_keys_of_several_types_in_one_column_become_text():
    frame = pd.DataFrame({"u": [1, "a", 1, None, np.nan, pd.NA], "x": 1.0})
    assert cells_of(frame, ["u"]) == ({"u": ["1", "a"]}, [2.0, 1.0], 3)


# ---------------------------------------------------------------------- numbers


def test_decimals_nullables_and_booleans_are_numbers():
    columns = {
        "decimal": pyarrow.array([decimal.Decimal("1.25"), decimal.Decimal("2.50"), None]),
        "flag": pyarrow.array([True, False, None]),
        "small": pyarrow.array([100, 100, None], pyarrow.int8()),
        "long": pyarrow.array([2**62, 2**62, None], pyarrow.uint64()),
    }
    table = pyarrow.table({"u": ["a", "a", "b"], **columns})
    expected = {"decimal": 1.875, "flag": 0.5, "small": 100.0}
    ways = [table, polars.from_arrow(table), in_duckdb(table), table.to_pandas()]
    ways += [table.to_pandas(types_mapper=pd.ArrowDtype), table.to_pandas().convert_dtypes()]
    for data in ways:
        for name, mean in expected.items():
            cells = Moments.from_frame(data, keys=["u"], terms=[name])
            assert (cells.mean.tolist(), cells.left_out) == ([[mean]], 1)


def test_sums_that_an_engine_made_in_128_bits_are_numbers():
    connection = duckdb.connect()
    relation = connection.sql("SELECT i % 2 AS u, SUM(i) AS x FROM range(6) t(i) GROUP BY i")
    cells = Moments.from_frame(relation, keys=["u"], terms=["x"])
    assert cells.mean[:, 0].tolist() == [2.0, 3.0]


def test_whole_numbers_that_no_double_holds_are_summed_as_they_are():
    table = pyarrow.table({"x": [2**60 + 1, 2**60 + 3]})
    for data in (table, polars.from_arrow(table), in_duckdb(table), table.to_pandas()):
        cells = Moments.from_frame(data, terms=["x"])
        assert (cells.mean[0, 0], cells.mean_rest[0, 0], cells.m2[0, 0]) == (2.0**60, 2.0, 2.0)


def test_missing_is_null_or_nan():
    frame = polars.DataFrame({"u": ["a"] * 4, "x": [1.0, float("nan"), None, 3.0]})
    for data in (frame, frame.lazy(), frame.to_arrow(), in_duckdb(frame.to_arrow())):
        cells = Moments.from_frame(data, keys=["u"], terms=["x"])
        assert (cells.n.tolist(), cells.mean[0, 0], cells.left_out) == ([2.0], 2.0, 2)


def test_columns_of_lists_do_no_harm():
    frame = pd.DataFrame({"u": ["a", "a"], "x": ["1", "3"], "list": [[1], {"b": np.ones(2)}]})
    assert Moments.from_frame(frame, keys=["u"], terms=["x"]).mean.tolist() == [[2.0]]


def test_columns_that_are_no_numbers_say_what_they_are():
    table = pyarrow.table(
        {"u": ["a"], "when": [dt.date(2024, 1, 1)], "list": [[1, 2]], "text": ["many"]}
    )
    for data in (table, polars.from_arrow(table), in_duckdb(table)):
        with pytest.raises(DataError, match="'when' of the data frame holds time, not numbers"):
            Moments.from_frame(data, terms=["when"])
        with pytest.raises(DataError, match="'list' of the data frame holds other, not numbers"):
            Moments.from_frame(data, terms=["list"])
        with pytest.raises(DataError, match="'text' should hold numbers, but 1 cells hold text"):
            Moments.from_frame(data, terms=["text"])


# ---------------------------------------------------------------------- Parse


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"percent": "share"}, r"Parse\(percent='share'\): accepted are 'fraction', 'points'"),
        ({"censored": "drop"}, r"Parse\(censored='drop'\): accepted are 'bound', 'missing'"),
        ({"missing": [None]}, r"Parse\(missing=\): None is neither a word nor a number"),
    ],
)
def test_unknown_rules_list_what_is_accepted(options, says):
    with pytest.raises(OptionError, match=says):
        Parse(**options)


OFFENDERS = ["0.8", "82%", "82 %", "> 95%", "N<15", "N<15", "No Data", "", "1,5"]


def read(cells, **rules):
    frame = pd.DataFrame({"u": range(len(cells)), "x": cells})
    panel = Panel.from_frame(frame, unit="u", employee="x", parse=Parse(**rules))
    return panel.frame["x"].tolist(), panel.audit.text_cells


def test_offending_cells_are_counted_and_each_kind_has_its_hint():
    with pytest.raises(DataError, match="'x' should hold numbers, but 7 cells") as caught:
        read(OFFENDERS)
    message = str(caught.value)
    assert "'N<15' (2), '1,5' (1), '82 %' (1)" in message
    assert "percent='fraction' reads '82%' as 0.82" in message
    assert "censored='bound' or 'missing' decides on cells such as '> 95%'" in message
    assert "missing=['N<15', '1,5', 'No Data'] reads these as no answer" in message


def test_rules_say_what_becomes_of_percent_signs_bounds_and_words():
    rules = {"missing": ["n<15", "NO DATA ", "1,5"], "percent": "fraction"}
    values, record = read(OFFENDERS, **rules, censored="bound")
    np.testing.assert_array_equal(values, [0.8, 0.82, 0.82, 0.95, *[np.nan] * 5])
    assert record.set_index("text")["as"].to_dict() == {
        "82%": "0.82",
        "82 %": "0.82",
        "> 95%": "0.95",
        "1,5": "missing",
        "N<15": "missing",
        "No Data": "missing",
    }
    values, record = read(OFFENDERS, **rules, censored="missing")
    assert np.isnan(values[3])
    assert record.set_index("text").loc["> 95%", "as"] == "missing (censored)"


def test_points_keep_the_hundred_and_are_refused_beside_fractions():
    values, _ = read(["82%", "7", "> 95%", "0", "1"], percent="points", censored="bound")
    assert values == [82.0, 7.0, 95.0, 0.0, 1.0]
    with pytest.raises(DataError, match=r"mixes percent cells with plain fractions \('0.8'\)"):
        read(["82%", "0.8"], percent="points")


def test_a_code_is_compared_with_plain_numbers_not_with_percentages():
    values, record = read(["99%", "99", "5"], missing=[99], percent="points")
    np.testing.assert_array_equal(values, [99.0, np.nan, 5.0])
    assert record["text"].tolist() == ["99%", "99"]


def test_a_number_given_as_a_word_is_a_code_in_columns_of_numbers_too():
    for cells in (["99", "5"], [99, 5]):
        values, _ = read(cells, missing="99")
        np.testing.assert_array_equal(values, [np.nan, 5.0])


def test_numbers_in_covariates_are_read_and_names_are_left():
    assert looks_numeric(["12", "x"])
    assert looks_numeric(["12%"])
    assert not looks_numeric(["01", "02", "12"])
    assert not looks_numeric(["north", None, ""])
    frame = pd.DataFrame({"u": ["a", "b"], "x": [1, 2], "size": ["10", ""], "zip": ["01", "12"]})
    panel = Panel.from_frame(frame, unit="u", employee="x", covariates=["size", "zip"])
    np.testing.assert_array_equal(panel.frame["size"], [10.0, np.nan])
    assert panel.frame["zip"].tolist() == ["01", "12"]


def test_errors_have_one_root_and_are_values_or_keys_too():
    assert issubclass(DataError, EecxError)
    assert issubclass(DataError, ValueError)
    assert issubclass(ColumnError, KeyError)
    assert issubclass(EngineError, ImportError)
    with pytest.raises(ColumnError, match=r"^A term names the column 'X', which"):
        Moments.from_frame(pd.DataFrame({"x": [1]}), terms=["X"])


TEXTS = [object, "string", "category", pd.ArrowDtype(pyarrow.string())]


@pytest.mark.parametrize("dtype", TEXTS, ids=str)
def test_blank_text_is_missing_whatever_holds_it(dtype):
    units = pd.Series(["a", " ", None, "", "\u3000", "b "], index=range(3, 9), dtype=dtype)
    frame = pd.DataFrame({"unit": units, "x": 1.0})
    given = frame.copy()
    cells = Moments.from_frame(frame, keys=["unit"], terms=["x"])
    assert cells.keys["unit"].tolist() == ["a", "b "]
    assert cells.left_out == 4
    pd.testing.assert_frame_equal(frame, given)


@pytest.mark.parametrize("wave", [None, "wave"])
@pytest.mark.parametrize("dtype", TEXTS, ids=str)
def test_names_of_units_give_what_numbers_give(dtype, wave):
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"unit": np.arange(60) % 12, "wave": np.arange(60) // 12})
    frame = frame.assign(x=rng.normal(size=60), y=rng.normal(size=60))
    names = pd.Series([f"store {u:02}" for u in frame["unit"]], dtype=dtype)
    found, expected = (
        eecx.regress(data, "y ~ x", effects="within", unit="unit", wave=wave)
        for data in (frame.assign(unit=names), frame)
    )
    pd.testing.assert_frame_equal(found.table, expected.table, rtol=1e-12)
