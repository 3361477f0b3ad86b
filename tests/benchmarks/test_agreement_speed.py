"""Agreement and ICC of 100,000 people, and of 20 million answers in Parquet.

R's multilevel 2.8 took 99 s for ICC1(aov(...)) and 0.16 s for rwg.j() on data of this size; R is
not run here, so the peers are what an analyst would write in Python.
"""

import os
import subprocess
import sys

import duckdb
import numpy as np
import pandas as pd
import pytest

import eecx

R_ICC, R_RWGJ = 99.0, 0.16
ITEMS = list("abcde")
ROWS, UNITS = int(os.environ.get("EECX_ROWS", 20_000_000)), 20_000


@pytest.fixture(scope="module")
def people():
    rng = np.random.default_rng(1)
    unit = rng.integers(0, 1000, 100_000)
    shared = rng.normal(size=(1000, 1))[unit] * 0.4 + rng.normal(size=(100_000, 1)) * 0.6
    answers = np.clip(np.rint(3.4 + shared + 0.7 * rng.normal(size=(100_000, 5))), 1, 5)
    frame = pd.DataFrame(answers.astype(int), columns=ITEMS)
    return frame.assign(unit=unit, score=frame.mean(axis=1))


def test_rwgj_against_pandas_variances(people, ratio, benchmark):
    def by_hand():
        share = people.groupby("unit")[ITEMS].var().mean(axis=1) / 2
        return 5 * (1 - share) / (5 * (1 - share) + share)

    found = ratio(
        lambda: eecx.rwg(people, ITEMS, unit="unit", range=(1, 5), null="uniform"), by_hand, 20, 20
    )
    assert found <= 6
    assert benchmark.stats.stats.min * 10 <= R_RWGJ


def test_icc_against_pandas_anova(people, ratio, benchmark):
    def by_hand():
        groups = people.groupby("unit")["score"]
        n, mean = groups.size(), groups.mean()
        within = float(((people["score"] - groups.transform("mean")) ** 2).sum())
        between = float((n * (mean - people["score"].mean()) ** 2).sum())
        return between / (len(n) - 1), within / (n.sum() - len(n))

    assert ratio(lambda: eecx.icc(people, "score", unit="unit"), by_hand, 20, 20) <= 8
    assert benchmark.stats.stats.min * 200 <= R_ICC


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    path = tmp_path_factory.mktemp("answers") / "answers.parquet"
    columns = ", ".join(
        f"(1 + hash(i * {k}) % 5)::tinyint as {name}"
        for name, k in zip(ITEMS, (3, 5, 7, 11, 13), strict=True)
    )
    rows = f"select (i % {UNITS})::int as unit, {columns} from range({ROWS}) t(i)"
    duckdb.sql(f"copy ({rows}) to '{path}' (format parquet)")
    return path


def test_rwgj_in_duckdb_against_the_query_of_its_sums(answers, ratio):
    sums = ", ".join(f"sum({i}) s{i}, sum({i} * {i}) q{i}" for i in ITEMS)
    as_whole = ", ".join(f"{i}::bigint {i}" for i in ITEMS)
    query = (
        f"select unit, count(*) n, {sums} from (select unit, {as_whole} from "
        f"read_parquet('{answers}') where {' and '.join(f'{i} is not null' for i in ITEMS)}) "
        "group by unit"
    )
    found = ratio(
        lambda: eecx.rwg(answers, ITEMS, unit="unit", range=(1, 5)),
        lambda: duckdb.sql(query).df(),
    )
    assert found <= 1.3


MEMORY = """
import sys, eecx
eecx.rwg(sys.argv[1], list("abcde"), unit="unit", range=(1, 5))
eecx.icc(sys.argv[1], "a", unit="unit")
lines = open("/proc/self/status").read().splitlines()
print(next(line for line in lines if line.startswith("VmHWM")).split()[1])
"""


def test_memory_stays_under_a_gigabyte(answers):
    command = [sys.executable, "-c", MEMORY, str(answers)]
    kilobytes = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert int(kilobytes.split()[-1]) < 1_000_000
