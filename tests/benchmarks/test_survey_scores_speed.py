"""Scoring 20 million rows of Parquet against the hand-written query of the same sums."""

import os
import subprocess
import sys

import duckdb
import polars as pl
import pytest

import eecx

ROWS, UNITS = int(os.environ.get("EECX_ROWS", 20_000_000)), 20_000
SUMS = """
    select unit, wave, count(e) n0, sum(e) s0, sum(e * e) q0, count(r) n1, sum(r) s1, sum(r * r) q1,
           count(c) n2, sum(c) s2, sum(c * c) q2
    from (select unit, wave, (e1 + e2 + e3)::bigint e, (c >= 4)::bigint c,
                 ((r >= 9)::int - (r <= 6)::int)::bigint r from read_parquet('{path}'))
    group by unit, wave
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    path = tmp_path_factory.mktemp("answers") / "answers.parquet"
    items = {"e1": 3, "e2": 5, "e3": 7, "c": 11}
    columns = ", ".join(f"(1 + hash(i * {k}) % 5)::tinyint as {name}" for name, k in items.items())
    rows = f"""select (i % {UNITS})::int as unit, (i // {UNITS} % 8)::int as wave, {columns},
                      (hash(i * 13) % 11)::tinyint as r from range({ROWS}) t(i)"""
    duckdb.sql(f"copy ({rows}) to '{path}' (format parquet)")
    return path


def survey(source):
    scale = eecx.Scale(["e1", "e2", "e3"], range=(1, 5))
    measures = {"engagement": scale, "nps": eecx.NPS("r"), "csat": eecx.TopBox("c", range=(1, 5))}
    return eecx.Survey(source, unit="unit", wave="wave", measures=measures)


def test_duckdb(answers, ratio):
    by_hand = SUMS.format(path=answers)
    found = ratio(lambda: survey(answers).scores(), lambda: duckdb.sql(by_hand).df())
    assert found <= 1.3


def test_polars(answers, ratio):
    rows = pl.scan_parquet(answers)

    def by_hand():
        c = pl.col
        engagement = c("e1").cast(pl.Int64) + c("e2").cast(pl.Int64) + c("e3").cast(pl.Int64)
        nps = (c("r") >= 9).cast(pl.Int64) - (c("r") <= 6).cast(pl.Int64)
        one = rows.select("unit", "wave", e=engagement, r=nps, c=(c("c") >= 4).cast(pl.Int64))
        two = one.with_columns(ee=c("e") * c("e"), rr=c("r") * c("r"), cc=c("c") * c("c"))
        counts = [c(n).count().alias(f"n_{n}") for n in ("e", "r", "c")]
        sums = [c(n).sum() for n in ("e", "r", "c", "ee", "rr", "cc")]
        return two.group_by("unit", "wave").agg(*counts, *sums).collect()

    assert ratio(lambda: survey(rows).scores(), by_hand) <= 1.2


MEMORY = """
import sys, eecx
measures = {"nps": eecx.NPS("r"), "csat": eecx.TopBox("c", range=(1, 5)),
            "engagement": eecx.Scale(["e1", "e2", "e3"], range=(1, 5))}
eecx.Survey(sys.argv[1], unit="unit", wave="wave", measures=measures).scores()
lines = open("/proc/self/status").read().splitlines()  # of this process alone, unlike getrusage
print(next(line for line in lines if line.startswith("VmHWM")).split()[1])
"""


def test_memory_stays_under_a_gigabyte(answers):
    command = [sys.executable, "-c", MEMORY, str(answers)]
    kilobytes = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert int(kilobytes) < 1_000_000
