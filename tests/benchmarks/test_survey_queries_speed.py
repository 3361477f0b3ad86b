"""Linking, aggregating and scoring millions of answers against the bare queries of their sums."""

import os
import subprocess
import sys
import time

import duckdb
import numpy as np
import pytest

import eecx

ROWS, UNITS = int(os.environ.get("EECX_ROWS", 20_000_000)), 20_000
SPARK_ROWS = int(os.environ.get("EECX_SPARK_ROWS", 5_000_000))
ITEMS = ("e1", "e2", "e3")
VALUES = {
    "e": "e1::bigint + e2 + e3",
    "r": "(r >= 9)::bigint - (r <= 6)::bigint",
    "c": "(c >= 4)::bigint",
}


def write(path, rows, units):
    items = {"e1": 3, "e2": 5, "e3": 7, "c": 11}
    columns = ", ".join(f"(1 + hash(i * {k}) % 5)::tinyint as {name}" for name, k in items.items())
    made = f"""select (i % {units})::int as unit, (i // {units} % 8)::int as wave, {columns},
                      (hash(i * 13) % 11)::tinyint as r from range({rows}) t(i)"""
    duckdb.sql(f"copy ({made}) to '{path}' (format parquet)")
    return str(path)


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    return write(tmp_path_factory.mktemp("answers") / "answers.parquet", ROWS, UNITS)


def scale():
    return {"engagement": eecx.Scale(ITEMS, range=(1, 5))}


def shares():
    return {"nps": eecx.NPS("r"), "csat": eecx.TopBox("c", range=(1, 5))}


def survey(source, measures):
    return eecx.Survey(source, unit="unit", wave="wave", measures=measures)


def linked(path):
    return eecx.link(survey(path, scale()), survey(path, shares()))


def aggregated(path):
    return eecx.aggregation(survey(path, {**scale(), **shares()}))


def sums_of(path, names):
    sums = ", ".join(f"count({n}), sum({n}), sum({n} * {n})" for n in names)
    values = ", ".join(f"{VALUES[n]} as {n}" for n in names)
    query = f"select unit, wave, {sums} from (select unit, wave, {values} from read_parquet"
    return duckdb.sql(f"{query}('{path}')) group by unit, wave").df()


def histogram_of(path):
    counts = ", ".join(f"count(*) filter ({i} = {v})" for i in ITEMS for v in range(1, 6))
    query = f"select unit, wave, {counts} from read_parquet('{path}') group by unit, wave"
    return duckdb.sql(query).df()


def best_of(rounds, *work):
    """Return the best time of each, taken in turns, so that all meet the same machine."""
    best = [float("inf")] * len(work)
    for _ in range(rounds):
        for i, one in enumerate(work):
            start = time.perf_counter()
            one()
            best[i] = min(best[i], time.perf_counter() - start)
    return best


def told(benchmark, name, ours, peer):
    benchmark.extra_info[name] = ours / peer
    print(f"\n{name}: ours {ours:.3f} s, bare {peer:.3f} s, ours / bare {ours / peer:.3f}")
    return ours / peer


def test_link_of_two_surveys_of_one_file(answers, benchmark):
    def bare():
        return sums_of(answers, "e"), sums_of(answers, "rc")

    linked(answers)
    ours, peer = best_of(5, lambda: linked(answers), bare)
    benchmark.pedantic(lambda: linked(answers), rounds=1)
    assert told(benchmark, "link", ours, peer) <= 1.5


def test_aggregation(answers, benchmark):
    aggregated(answers)
    ours, peer = best_of(5, lambda: aggregated(answers), lambda: histogram_of(answers))
    benchmark.pedantic(lambda: aggregated(answers), rounds=1)
    assert told(benchmark, "aggregation", ours, peer) <= 2


@pytest.mark.parametrize("work", [linked, aggregated])
def test_time_grows_no_faster_than_rows_and_units(work, tmp_path, benchmark):
    few, more = (write(tmp_path / f"{k}.parquet", ROWS // k, UNITS // 4) for k in (16, 4))
    split = write(tmp_path / "units.parquet", ROWS // 4, UNITS)
    work(few)
    times = best_of(5, *(lambda p=p: work(p) for p in (few, more, split)))
    benchmark.pedantic(lambda: work(few), rounds=1)
    rows, units = np.diff(np.log(times)) / np.log(4)
    benchmark.extra_info |= {"rows": rows, "units": units}
    print(f"\n{work.__name__}: exponent {rows:.2f} in rows, {units:.2f} in units")
    assert rows <= 1.15
    assert units <= 1.15


def test_scores_on_spark(tmp_path, benchmark):
    sql = pytest.importorskip("pyspark.sql")
    builder = sql.SparkSession.builder.master("local[2]")
    for name, value in {"ui.enabled": "false", "sql.shuffle.partitions": "2"}.items():
        builder = builder.config(f"spark.{name}", value)
    spark = builder.getOrCreate()
    try:
        path = write(tmp_path / "answers.parquet", SPARK_ROWS, UNITS)
        rows = spark.read.parquet(path)
        rows.createOrReplaceTempView("answers")
        query = """
            select unit, wave, count(e), sum(e), sum(e * e), count(r), sum(r), sum(r * r),
                   count(k), sum(k), sum(k * k)
            from (select unit, wave, bigint(e1) + e2 + e3 e, bigint(c >= 4) k,
                         bigint(r >= 9) - bigint(r <= 6) r from answers) group by unit, wave"""

        def scores():
            return survey(rows, {**scale(), **shares()}).scores()

        scores()
        ours, peer = best_of(7, scores, lambda: spark.sql(query).toArrow().to_pandas())
        benchmark.pedantic(scores, rounds=1)
        assert told(benchmark, "Spark scores", ours, peer) <= 1.4
    finally:
        spark.stop()


MEMORY = """
import sys, eecx
scale = {"engagement": eecx.Scale(["e1", "e2", "e3"], range=(1, 5))}
shares = {"nps": eecx.NPS("r"), "csat": eecx.TopBox("c", range=(1, 5))}
def survey(measures): return eecx.Survey(sys.argv[1], unit="unit", wave="wave", measures=measures)
eecx.link(survey(scale), survey(shares))
eecx.aggregation(survey(scale | shares))
lines = open("/proc/self/status").read().splitlines()
print(next(line for line in lines if line.startswith("VmHWM")).split()[1])
"""


def test_memory_stays_under_a_gigabyte(answers):
    command = [sys.executable, "-c", MEMORY, answers]
    kilobytes = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    print(f"\n{int(kilobytes.split()[-1]) / 1e3:.0f} MB")
    assert int(kilobytes.split()[-1]) < 1_000_000
