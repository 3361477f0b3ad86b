"""What models cost, as ratios to peers in the same run, and how it grows.

Two-way effects and errors of rows against pyfixest, wide models, memory, the ladder of many waves,
and sums made by an engine against the query of the same sums.
"""

import os
import subprocess
import sys
import time

import duckdb
import numpy as np
import pandas as pd
import pytest

import eecx

pytestmark = pytest.mark.filterwarnings("ignore")
ROWS = int(os.environ.get("EECX_ROWS", 20_000_000))


def panel_of(units, waves, kept=1.0):
    rng = np.random.default_rng(1)
    unit, wave = np.repeat(np.arange(units), waves), np.tile(np.arange(waves), units)
    x = rng.normal(size=len(unit)) + rng.normal(size=units)[unit]
    y = 0.3 * x + rng.normal(size=units)[unit] + rng.normal(size=waves)[wave]
    y += rng.normal(size=len(unit))
    frame = pd.DataFrame({"unit": unit, "wave": wave, "x": x, "y": y})
    return frame[rng.random(len(frame)) < kept].reset_index(drop=True)


def two_way(frame, vcov="CR1"):
    return eecx.regress(frame, "y ~ x", effects="two-way", unit="unit", wave="wave", vcov=vcov)


@pytest.mark.parametrize(
    ("units", "waves", "kept"), [(50_000, 20, 1.0), (62_500, 20, 0.8), (5_000, 200, 1.0)]
)
def test_two_way_effects_of_a_million_rows_against_pyfixest(units, waves, kept, ratio):
    pyfixest = pytest.importorskip("pyfixest")
    frame = panel_of(units, waves, kept)

    def peer():
        return pyfixest.feols("y ~ x | unit + wave", frame, vcov={"CRV1": "unit"})

    ours, theirs = two_way(frame), peer()
    np.testing.assert_allclose(ours["x"]["estimate"], theirs.coef().iloc[0], rtol=1e-9)
    np.testing.assert_allclose(ours["x"]["std_error"], theirs.se().iloc[0], rtol=1e-9)
    assert ratio(lambda: two_way(frame), peer, rounds=5) <= 1 / 2


def seconds(call, rounds=3):
    call()
    found = []
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        found.append(time.perf_counter() - start)
    return min(found)


def exponent(costs, sizes):
    return float(np.polyfit(np.log(sizes), np.log(costs), 1)[0])


@pytest.mark.parametrize("vcov", ["CR1", "CR2"])
def test_two_way_effects_grow_with_rows(vcov):
    sizes = (5_000, 20_000, 80_000)

    def cost(units, waves):
        frame = panel_of(units, waves)
        return seconds(lambda: two_way(frame, vcov))

    by_units = [cost(n // 10, 10) for n in sizes]
    by_waves = [cost(500, n // 500) for n in sizes]
    print(exponent(by_units, sizes), exponent(by_waves, sizes))
    assert exponent(by_units, sizes) <= 1.1
    assert exponent(by_waves, sizes) <= (1.2 if vcov == "CR1" else 1.8)


@pytest.fixture(scope="module")
def wide():
    rng = np.random.default_rng(2)
    n = 20_000
    columns = {"x": rng.normal(size=n), "y": rng.normal(size=n), "u": rng.integers(0, 200, n)}
    levels = {f"g{k}": rng.integers(0, k, n) for k in (32, 64, 128, 256, 500)}
    return pd.DataFrame(columns | levels)


def test_hc1_of_many_levels_against_pyfixest(wide, ratio):
    pyfixest = pytest.importorskip("pyfixest")
    found = ratio(
        lambda: eecx.regress(wide, "y ~ x + C(g128)", vcov="HC1"),
        lambda: pyfixest.feols("y ~ x + C(g128)", wide, vcov="HC1"),
    )
    assert found <= 2


@pytest.mark.parametrize(("vcov", "levels", "limit"), [("CR1", 500, 2.0), ("CR2", 256, 5.0)])
def test_clustered_errors_of_many_levels(wide, vcov, levels, limit):
    def cost(k):
        return seconds(
            lambda: eecx.regress(wide, f"y ~ x + C(g{k})", vcov=vcov, cluster="u"), rounds=2
        )

    known = [k for k in (64, 128, 256, 500) if k <= levels]
    costs = [cost(k) for k in known]
    print(costs, exponent(costs, known))
    assert costs[-1] <= limit


MEMORY = """
import numpy as np, pandas as pd, eecx
rng = np.random.default_rng(1)
frame = pd.DataFrame({c: rng.normal(size=5_000_000) for c in ("y", "a", "b")})
eecx.regress(frame, "y ~ a + b", vcov="HC1")
lines = open("/proc/self/status").read().splitlines()
print(next(line for line in lines if line.startswith("VmHWM")).split()[1])
"""


def test_memory_of_errors_of_rows():
    kilobytes = subprocess.run(
        [sys.executable, "-c", MEMORY], capture_output=True, text=True, check=True
    ).stdout
    assert int(kilobytes) < 1_500_000


def test_the_ladder_of_many_waves():
    def claim(units, waves):
        sim = eecx.simulate.panel(units=units, waves=waves, same_wave=0.3, rng=1)
        panel = eecx.Panel.from_frame(
            sim.frame, unit="unit", wave="wave", employee=["ex"], customer=["cx"]
        )
        return seconds(lambda: eecx.examine_claim(panel, x="ex", y="cx"))

    assert claim(300, 48) <= 1.0
    units = (300, 600, 1200)
    growth = exponent([claim(n, 12) for n in units], units)
    print(growth)
    assert growth <= 1.1


def test_sums_that_an_engine_makes_against_their_query(tmp_path_factory, ratio):
    path = tmp_path_factory.mktemp("rows") / "rows.parquet"
    rows = f"""select (i % 20000)::int as unit, (hash(i * 3) % 1000) / 250.0 as x,
                      (hash(i * 7) % 1000) / 100.0 + (i % 20000) / 5000.0 as y
               from range({ROWS}) t(i)"""
    duckdb.sql(f"copy ({rows}) to '{path}' (format parquet)")
    query = f"""select unit, count(*) n, sum(x - 2) sx, sum(y - 7) sy, sum((x - 2) * (x - 2)) xx,
                       sum((x - 2) * (y - 7)) xy, sum((y - 7) * (y - 7)) yy
                from read_parquet('{path}') where x is not null and y is not null group by unit"""

    def ours():
        found = eecx.regress(path, "y ~ x", effects="within", unit="unit")
        assert not found.spec["rows_read"]

    # two looks at the rows, of which the extent is one; 1.5 is aimed at
    assert ratio(ours, lambda: duckdb.sql(query).df()) <= 2.5
