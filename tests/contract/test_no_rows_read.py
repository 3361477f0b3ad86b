"""Models that sums are enough for: the engine that holds the rows sums them, and none is read."""

import itertools

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest

import eecx
from eecx.frames import Table

KEYS = ("unit", "cluster")
SUMMED = ("pooled", "between", "within", "within-between", "random")
ERRORS = ("classical", "CR0", "CR1", "CR2", "CR3")
HOLDERS = {
    "file": lambda frame, path: path,
    "duckdb": lambda frame, path: duckdb.read_parquet(str(path)),
    "polars": lambda frame, path: pl.scan_parquet(path),
}


@pytest.fixture(scope="module")
def people():
    rng = np.random.default_rng(1)
    n = 900
    unit = rng.integers(0, 40, n)
    frame = pd.DataFrame(
        {
            "store": [f"s{u:02d}" for u in unit],
            "region": unit % 7,
            "x": rng.normal(size=n) + 100,
            "z.z": rng.integers(1, 6, n),
            "g": rng.choice(["a", "b", "c"], n),
            "w": rng.uniform(0.5, 2, n),
        }
    )
    frame["y"] = 0.4 * frame["x"] + rng.normal(size=40)[unit] + rng.normal(size=n)
    frame.loc[rng.random(n) < 0.1, "x"] = np.nan
    frame.loc[rng.random(n) < 0.05, "g"] = None
    frame.loc[rng.random(n) < 0.05, "store"] = None
    return frame


@pytest.fixture(scope="module")
def panel(people):
    frame = people.dropna(subset=["store"]).copy()
    frame["wave"] = frame.groupby("store").cumcount() * 2
    return frame


@pytest.fixture
def unread(monkeypatch):
    """Whoever reads rows fails."""

    def refuse(*_, **__):
        raise AssertionError("rows were read")

    for name in ("collect", "in_memory", "rows_of"):
        monkeypatch.setattr(Table, name, refuse)


def the_same(found, wanted):
    assert wanted.spec["rows_read"]
    assert not found.spec["rows_read"]
    assert found.table["term"].tolist() == wanted.table["term"].tolist()
    numbers = ["estimate", "std_error", "df", "p_value", "conf_low", "conf_high"]
    np.testing.assert_allclose(found.table[numbers], wanted.table[numbers], rtol=1e-8)
    for name, value in wanted.stats.items():
        rtol = 1e-5 if name.startswith("contextual") else 1e-8
        np.testing.assert_allclose(found.stats[name], value, rtol=rtol, err_msg=name)
    assert [w.code for w in found.warnings] == [w.code for w in wanted.warnings]


def compared(people, path, effects, holder, options, request):
    people.to_parquet(path)
    formula = "y ~ x + `z.z` + C(g) + x:`z.z`"
    given = [{"effects": effects, "unit": "store", **one} for one in options]
    wanted = [eecx.regress(people, formula, **one) for one in given]
    request.getfixturevalue("unread")
    for one, by_rows in zip(given, wanted, strict=True):
        the_same(eecx.regress(HOLDERS[holder](people, path), formula, **one), by_rows)


@pytest.mark.parametrize("holder", HOLDERS)
@pytest.mark.parametrize("effects", SUMMED)
def test_sums_of_an_engine_are_the_fit_of_its_rows(people, tmp_path, effects, holder, request):
    options = [{"vcov": "CR2", "cluster": "region"}]
    compared(people, tmp_path / "people.parquet", effects, holder, options, request)


@pytest.mark.slow
@pytest.mark.parametrize("weights", [None, {"precision": "w"}, {"sampling": "w"}])
@pytest.mark.parametrize("effects", SUMMED)
def test_whatever_the_errors_and_weights(people, tmp_path, effects, weights, request):
    if weights and effects not in ("pooled", "within"):
        pytest.skip("these effects take no such weights")
    options = [
        {"vcov": vcov, "cluster": cluster, "weights": weights}
        for vcov, cluster in itertools.product(ERRORS, (None, "region"))
        if vcov != "classical" or not (cluster or "sampling" in (weights or {}))
    ]
    compared(people, tmp_path / "people.parquet", effects, "file", options, request)


def test_waves_are_counted_and_looked_at_by_queries(panel, tmp_path, request):
    path = tmp_path / "panel.parquet"
    panel.to_parquet(path)
    given = {"unit": "store", "wave": "wave"}
    within = eecx.regress(panel, "y ~ x", effects="within", **given)
    pooled = eecx.regress(panel, "y ~ x", **given).predict({"x": [100.0, 120.0]})
    request.getfixturevalue("unread")
    the_same(eecx.regress(path, "y ~ x", effects="within", **given), within)
    found = eecx.regress(path, "y ~ x", **given)
    request.getfixturevalue("monkeypatch").undo()  # what is predicted at is read
    ours = found.predict({"x": [100.0, 120.0]})
    np.testing.assert_allclose(ours.table["estimate"], pooled.table["estimate"], rtol=1e-9)
    assert [w.message for w in ours.warnings] == [w.message for w in pooled.warnings]


def test_a_unit_twice_in_a_wave_is_refused_as_elsewhere(panel, tmp_path):
    twice = pd.concat([panel, panel.iloc[[3]]])
    twice.to_parquet(tmp_path / "twice.parquet")
    for held in (twice, tmp_path / "twice.parquet"):
        with pytest.raises(eecx.EecxError, match="more than once") as caught:
            eecx.regress(held, "y ~ x", effects="within", unit="store", wave="wave")
        assert caught.value.code == "duplicate-rows"


@pytest.mark.parametrize(
    "given",
    [
        {"vcov": "HC1"},
        {"unit": "store", "wave": "wave", "effects": "two-way"},
        {"unit": "store", "wave": "wave", "effects": "within", "vcov": "driscoll-kraay"},
        {"unit": "store", "cluster": ["store", "region"]},
    ],
)
def test_what_needs_rows_reads_them_and_says_so(panel, tmp_path, given):
    path = tmp_path / "panel.parquet"
    panel.to_parquet(path)
    found = eecx.regress(path, "y ~ x", **given)
    assert found.spec["rows_read"]
    wanted = eecx.regress(panel, "y ~ x", **given)
    np.testing.assert_allclose(found.table["std_error"], wanted.table["std_error"], rtol=1e-9)


def test_more_values_than_memory_holds_are_not_read(panel, tmp_path, monkeypatch):
    monkeypatch.setattr("eecx.sources.READABLE", 1000)
    path = tmp_path / "panel.parquet"
    panel.to_parquet(path)
    with pytest.raises(eecx.EecxError, match="more than the 1,000 values") as caught:
        eecx.regress(path, "y ~ x", vcov="HC1")
    assert caught.value.code == "too-many-rows"
    assert not eecx.regress(path, "y ~ x", unit="store").spec["rows_read"]


def test_moments_were_summed_long_ago(panel):
    cells = eecx.Moments.from_frame(panel, keys=["store"], terms=["y", "x"])
    assert not eecx.regress(cells, "y ~ x", unit="store").spec["rows_read"]
