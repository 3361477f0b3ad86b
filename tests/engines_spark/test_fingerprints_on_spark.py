"""The fingerprint of a Spark frame is that of the same rows in other engines that make them."""

import datetime as dt

import pandas as pd
import pytest

import eecx
from eecx.frames import open_table

polars = pytest.importorskip("polars")


def rows():
    days = [dt.date(2024, 1, 1) + dt.timedelta(days=i % 9) for i in range(60)]
    return pd.DataFrame(
        {
            "store": [f"s{i % 12}" for i in range(60)],
            "y": [i * 37 % 11 / 4 for i in range(60)],
            "x": [float(i * 17 % 13) for i in range(60)],
            "k": range(60),
            "yes": [i % 3 == 0 for i in range(60)],
            "day": days,
        }
    )


def test_spark_polars_and_partitions_agree(spark):
    frame = rows()
    held = spark.createDataFrame(frame)
    one = open_table(held).fingerprint
    assert open_table(held.repartition(5)).fingerprint == one
    assert open_table(polars.from_pandas(frame).lazy()).fingerprint == one
    moved = frame.assign(x=frame["x"].to_numpy()[::-1])
    assert open_table(spark.createDataFrame(moved)).fingerprint != one
    fits = [eecx.regress(held, "y ~ x"), eecx.correlations(held, ["y", "x"])]
    assert {f.spec["data"] for f in fits} == {one}
