"""Where Spark differs from the other engines: names, nulls, types, clocks, overflow, order."""

import datetime as dt
import decimal
import math

import numpy as np
import pandas as pd
import pytest

from eecx import NPS, Counts, DataError, EngineError, Mean, Moments, Parse, Rate, Scale, Survey
from eecx.frames import open_table


def test_names_may_hold_dots_and_backticks(spark):
    names = ["store.name", "a`b", "x.y.z", "w w"]
    rows = [("a", 1, 2.0, 1.0), ("a", 2, 4.0, 1.0), ("b", 3, 5.0, 1.0)]
    frame = spark.createDataFrame(rows, names)
    cells = Moments.from_frame(frame, keys=[names[0]], terms=names[1:3], weight=names[3])
    assert cells.keys[names[0]].tolist() == ["a", "b"]
    assert cells.mean.tolist() == [[1.5, 3.0], [3.0, 5.0]]
    survey = Survey(frame, unit=names[0], measures={"m": Mean(names[2])}, weight=names[3])
    assert survey.scores(disclosure_n=1)["value"].tolist() == [3.0, 5.0]
    kept, numbers = open_table(frame).collect(names[:2], names[2:])
    assert sorted(kept[names[1]]) == [1, 2, 3]
    assert sorted(numbers[names[2]]) == [2.0, 4.0, 5.0]


def test_names_that_differ_in_case_alone_are_refused_as_spark_does(spark):
    frame = spark.createDataFrame([("a", 1, 2)], ["u", "x", "X"])
    with pytest.raises(DataError, match=r"cannot be read by pyspark: .*AMBIGUOUS"):
        Moments.from_frame(frame, keys=["u"], terms=["x"])


def test_null_and_nan_are_missing_in_terms_keys_and_weights(spark):
    rows = [(1.0, 1.0), (1.0, None), (1.0, math.nan), (math.nan, 2.0), (None, 3.0), (2.0, 4.0)]
    frame = spark.createDataFrame(rows, ["u", "x"])
    cells = Moments.from_frame(frame, keys=["u"], terms=["x"])
    assert (cells.keys["u"].tolist(), cells.n.tolist(), cells.left_out) == ([1, 2], [1.0, 1.0], 4)
    counts = Counts.from_frame(frame, keys=["u"], items=["x"], options=[1, 4])
    assert counts.missing[:, 0].tolist() == [2.0, 0.0]
    with pytest.raises(DataError, match="zero or negative in 0 rows and missing in 2"):
        Survey(frame.dropna(subset=["u"]), unit="u", measures={"m": Mean("u")}, weight="x").scores()


def test_types_of_spark_are_numbers(spark):
    kinds = ("tinyint", "smallint", "int", "bigint", "float", "double", "decimal(5,2)")
    columns = ", ".join(f"CAST(x AS {k}) AS `{k}`" for k in kinds)
    rows = "VALUES ('a', 120), ('a', 100), ('b', 90) t(u, x)"
    frame = spark.sql(f"SELECT u, x > 100 AS flag, {columns} FROM {rows}")
    for kind in kinds:
        cells = Moments.from_frame(frame, keys=["u"], terms=[kind])
        assert cells.mean[:, 0].tolist() == [110.0, 90.0]
        assert cells.m2[:, 0].tolist() == [200.0, 0.0]
    measures = {"share": Rate("flag"), **{k: Scale([k], range=(0, 127)) for k in kinds}}
    scores = Survey(frame, unit="u", measures=measures).scores(disclosure_n=1)
    assert scores[scores["measure"] == "share"]["value"].tolist() == [0.5, 0.0]
    scaled = scores[(scores["u"] == "a") & (scores["measure"] != "share")]
    np.testing.assert_allclose(scaled["value"], 110.0, rtol=1e-14)


def test_decimals_and_texts_as_keys(spark):
    rows = [(decimal.Decimal("1.50"), "a"), (decimal.Decimal("2.00"), " "), (None, "b")]
    frame = spark.createDataFrame(rows, "d decimal(5,2), t string").selectExpr("*", "1 AS x")
    assert Moments.from_frame(frame, keys=["d"], terms=["x"]).keys["d"].tolist() == [1.5, 2.0]
    assert Moments.from_frame(frame, keys=["t"], terms=["x"]).keys["t"].tolist() == ["a", "b"]


def test_long_whole_keys_are_told_apart(spark):
    frame = spark.createDataFrame([(2**53, 1), (2**53 + 1, 1), (None, 1)], "u bigint, x bigint")
    cells = Moments.from_frame(frame, keys=["u"], terms=["x"])
    assert cells.keys["u"].tolist() == [2**53, 2**53 + 1]
    kept, _ = open_table(frame).collect(["u"])
    assert sorted(kept["u"].dropna()) == [2**53, 2**53 + 1]


@pytest.mark.parametrize("kind", ["date", "timestamp", "timestamp_ntz"])
def test_times_keep_the_clock_of_the_session(spark, kind):
    """The session's zone has an odd offset, so a clock that moved would show."""
    sql = f"SELECT CAST(t AS {kind}) AS wave, 1 AS x FROM VALUES {{}} v(t)"
    days = "('2024-01-01'), ('2024-07-01'), ('2024-07-01'), (NULL)"
    frame = spark.sql(sql.format(days))
    cells = Moments.from_frame(frame, keys=["wave"], terms=["x"])
    expected = [pd.Timestamp(2024, 1, 1), pd.Timestamp(2024, 7, 1)]
    assert cells.keys["wave"].tolist() == expected
    kept, _ = open_table(frame).collect(["wave"])
    assert sorted(set(kept["wave"].dropna())) == expected


def test_numbers_held_as_text_are_errors_or_read_as_told(spark):
    frame = spark.createDataFrame([("a", "1"), ("a", "N/A"), ("b", "3")], ["u", "x"])
    with pytest.raises(DataError, match=r"'x' should hold numbers, but 1 cells hold text: 'N/A'"):
        Moments.from_frame(frame, keys=["u"], terms=["x"])
    rules = Parse(missing="N/A")
    assert Moments.from_frame(frame, keys=["u"], terms=["x"], parse=rules).n.tolist() == [1.0, 1.0]
    survey = Survey(frame, unit="u", measures={"m": Mean("x")}, parse=rules)
    assert survey.table.engine == "pandas"
    assert survey.table.record["text"].tolist() == ["N/A"]


def test_whole_numbers_near_the_end_of_64_bits_do_not_overflow(spark):
    """Spark raises where an integer runs over; the sums of such columns are of doubles."""
    rows = [("a", 2**62), ("a", 2**62 + 2**20), ("b", -(2**62))]
    frame = spark.createDataFrame(rows, "u string, x bigint")
    cells = Moments.from_frame(frame, keys=["u"], terms=["x", "I(x^2)"])
    np.testing.assert_allclose(cells.mean[:, 0], [2.0**62 + 2**19, -(2.0**62)], rtol=1e-15)
    scores = Survey(frame, unit="u", measures={"m": Mean("x")}).scores(disclosure_n=1)
    np.testing.assert_allclose(scores["value"], cells.mean[:, 0], rtol=1e-15)


def test_neither_partitions_nor_their_order_matter(spark):
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"u": rng.integers(0, 3, 200), "x": rng.integers(1, 6, 200)})
    frame["y"] = 1e9 + 1e6 * frame["u"] + rng.normal(size=200)
    rows = spark.createDataFrame(frame.to_dict("records"), "u bigint, x bigint, y double")
    spread = rows.repartition(7).sortWithinPartitions("y", ascending=False)
    joined = rows.where("x > 2").union(rows.where("x <= 2"))
    whole = [
        Moments.from_frame(data, keys=["u"], terms=["x", "I(x^2)"]).m2.tolist()
        for data in (frame, rows, spread, joined)
    ]
    assert whole[1] == whole[2] == whole[3]
    np.testing.assert_allclose(whole[1], whole[0], rtol=1e-13)
    real = [Moments.from_frame(d, keys=["u"], terms=["y"]) for d in (frame, spread)]
    sd = real[0].sd().to_numpy()
    away = (real[0].mean - real[1].mean) + (real[0].mean_rest - real[1].mean_rest)
    assert (abs(away) < 1e-12 * sd).all()


def test_the_key_row_keeps_every_row(spark):
    frame = spark.createDataFrame([("a", 1.0), ("a", 2.0), ("b", None)], "u string, x double")
    cells = Moments.from_frame(frame, keys=["row", "u"], terms=["x"])
    assert sorted(cells.mean[:, 0]) == [1.0, 2.0]
    assert cells.left_out == 1


def test_a_view_of_a_query_is_data_like_any_other(spark):
    spark.sql("SELECT 'a' AS store, id % 11 AS r FROM range(110)").createOrReplaceTempView("asked")
    survey = Survey(spark.table("asked"), unit="store", measures={"nps": NPS("r")})
    assert survey.scores()["value"].tolist() == [pytest.approx(100 * (2 - 7) / 11)]
    assert repr(survey) == "<Survey: nps per store, held by pyspark>"
    spark.catalog.dropTempView("asked")


def test_a_query_that_fails_names_engine_and_reason(spark):
    frame = spark.sql("SELECT 'a' AS u, CAST(concat('x', id) AS int) AS x FROM range(3)")
    with pytest.raises(DataError, match=r"data frame cannot be read by pyspark: .*CAST_INVALID"):
        Moments.from_frame(frame, keys=["u"], terms=["x"])


def test_columns_that_are_no_numbers_say_what_they_are(spark):
    frame = spark.createDataFrame([("a", dt.date(2024, 1, 1), [1])], ["u", "when", "list"])
    for name, kind in (("when", "time"), ("list", "other")):
        with pytest.raises(DataError, match=f"'{name}' of the data frame holds {kind}"):
            Moments.from_frame(frame, keys=["u"], terms=[name])


def test_without_pyarrow_the_error_names_the_extra(spark, monkeypatch):
    def absent():
        from pyspark.errors import PySparkImportError

        raise PySparkImportError("[PACKAGE_NOT_INSTALLED] PyArrow >= 18.0.0 must be installed")

    monkeypatch.setattr("pyspark.sql.pandas.utils.require_minimum_pyarrow_version", absent)
    frame = spark.createDataFrame([("a", 1)], ["u", "x"])
    with pytest.raises(EngineError, match=r"PyArrow >= 18.*pip install 'eecx\[spark\]'"):
        Moments.from_frame(frame, keys=["u"], terms=["x"])
