"""Missing, infinite and extreme values mean on Spark what they mean elsewhere."""

import decimal
import math
from fractions import Fraction

import numpy as np
import pytest

import eecx
from eecx import NPS, Counts, DataError, Mean, Moments, Survey

NAN, INF = math.nan, math.inf
ANSWERS = [("a", v) for v in (9.0, 0.0, NAN, 0.0, 7.0, None, 8.0)] + [("b", NAN), ("b", None)]


def test_nan_and_null_are_no_answers(spark):
    frame = spark.createDataFrame(ANSWERS, "store string, q double")
    for data in (frame, frame.selectExpr("store", "CAST(q AS float) AS q")):
        scores = Survey(data, unit="store", measures={"n": NPS("q"), "m": Mean("q")}).scores()
        assert scores["n"].tolist() == [5.0, 5.0, 0.0, 0.0]
        assert scores["status"].tolist() == ["scored"] * 2 + ["no answer"] * 2
        np.testing.assert_allclose(scores["value"][:2], [-20.0, 4.8], rtol=1e-12)
        np.testing.assert_allclose(scores["std_error"][1], math.sqrt(78.8 / 4 / 5), rtol=1e-9)
        cells = Moments.from_frame(data, keys=["store"], terms=["q"])
        assert (cells.n.tolist(), cells.left_out) == ([5.0], 4)
        counts = Counts.from_frame(data, keys=["store"], items=["q"], options=[0, 7, 8, 9])
        assert counts.n[:, 0].tolist() == [[2, 1, 1, 1], [0, 0, 0, 0]]
        assert counts.missing[:, 0].tolist() == [2, 2]


@pytest.mark.parametrize("value", [INF, -INF])
def test_what_is_infinite_is_an_error(spark, value):
    frame = spark.createDataFrame([("a", 1.0), ("a", value), ("a", NAN)], "u string, q double")
    for ask in (
        lambda: Survey(frame, unit="u", measures={"m": Mean("q")}).scores(),
        lambda: Moments.from_frame(frame, terms=["q"]),
        lambda: Counts.from_frame(frame, keys=["u"], items=["q"], options=[1]),
        lambda: eecx.regress(frame.selectExpr("q", "q + 1 AS y"), "y ~ q"),
    ):
        with pytest.raises(DataError, match="infinite value") as raised:
            ask()
        assert raised.value.code == "infinite-values"


def test_values_whose_squares_no_double_holds_are_an_error(spark):
    frame = spark.createDataFrame([("a", 1e307), ("a", 2e307)], "u string, q double")
    with pytest.raises(DataError, match="whose squares a computer cannot add up"):
        Survey(frame, unit="u", measures={"m": Mean("q")}).scores()
    with pytest.raises(DataError, match="whose squares a computer cannot add up"):
        Moments.from_frame(frame, terms=["q"])


def test_long_whole_numbers_keep_their_digits_or_are_refused(spark):
    answers = [2**62 + v for v in (0, 2, 2, 0, 2, 2)]
    frame = spark.createDataFrame([("a", v) for v in answers], "u string, q bigint")
    scores = Survey(frame, unit="u", measures={"m": Mean("q")}).scores()
    np.testing.assert_allclose(scores["variance"], 16 / 3 / 5 / 6, rtol=1e-12)
    cells = Moments.from_frame(frame, terms=["q"])
    mean = Fraction(cells.mean[0, 0]) + Fraction(cells.mean_rest[0, 0]) - 2**62
    np.testing.assert_allclose([float(mean), cells.m2[0, 0]], [4 / 3, 16 / 3], rtol=1e-12)
    far = spark.createDataFrame([("a", 2**62 + 1), ("b", -(2**62))], "u string, q bigint")
    with pytest.raises(DataError, match="beyond 2\\^53") as raised:
        Survey(far, unit="u", measures={"m": Mean("q")}).scores()
    assert raised.value.code == "too-many-digits"


def test_names_that_differ_stay_apart(spark):
    rows = [
        (2**53 + i % 2, decimal.Decimal(2**60 + i % 2), 0.0 * (-1) ** i, float(i), float(i * i % 7))
        for i in range(8)
    ]
    frame = spark.createDataFrame(rows, "l bigint, d decimal(30,0), z double, q double, x double")
    for key in ("l", "d"):
        cells = Moments.from_frame(frame, keys=[key], terms=["q"])
        assert cells.n.tolist() == [4.0, 4.0]
        assert len(set(cells.keys[key])) == 2
        assert eecx.regress(frame, "x ~ q", cluster=key).stats["clusters"] == 2
    assert Moments.from_frame(frame, keys=["z"], terms=["q"]).n.tolist() == [8.0]
