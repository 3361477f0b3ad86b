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
        {"unit": "store", "wave": "wave", "effects": "two-way"},  # CR2
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


def test_rows_without_a_wave_count_nowhere(panel, tmp_path):
    path, some = tmp_path / "some.parquet", panel.copy()
    some["wave"] = some["wave"].astype("Int64")
    some.loc[some.index[::4], "wave"] = pd.NA
    some.to_parquet(path)
    given = {"effects": "within", "unit": "store", "wave": "wave"}
    one, two = (eecx.regress(held, "y ~ x", **given) for held in (some, path))
    np.testing.assert_allclose(one.table["estimate"], two.table["estimate"], rtol=1e-9)
    assert one.stats["n"] == two.stats["n"]


def test_ends_of_peoples_answers_are_not_told(people, tmp_path):
    people.to_parquet(tmp_path / "people.parquet")
    for held in (people, tmp_path / "people.parquet"):
        fit = eecx.regress(held, "y ~ x", cluster="region", vcov="CR1")
        (caution,) = (w for w in fit.predict({"x": [500.0]}).warnings if w.code == "extrapolation")
        assert f"{people['x'].max():.4g}" not in caution.message


def test_ranges_are_of_the_rows_that_were_fitted(people, tmp_path):
    far = people.copy()
    far.loc[0, ["x", "y", "store"]] = [900.0, 40.0, None]
    far.to_parquet(tmp_path / "far.parquet")
    for held in (far, tmp_path / "far.parquet"):
        fit = eecx.regress(held, "y ~ x", unit="store")
        assert "extrapolation" in [w.code for w in fit.predict({"x": [500.0]}).warnings]


@pytest.mark.parametrize("holder", HOLDERS)
def test_levels_of_whole_numbers_and_of_rows_without_a_unit(people, tmp_path, holder):
    own = people.assign(k=people["z.z"] % 3, b=people["z.z"] > 2)
    own.loc[own["store"].isna(), "g"] = "zlast"
    own.to_parquet(tmp_path / "own.parquet")
    formula = "y ~ x + C(g) + C(k) + C(b)"
    wanted = eecx.regress(own, formula, unit="store")
    held = HOLDERS[holder](own, tmp_path / "own.parquet")
    the_same(eecx.regress(held, formula, unit="store"), wanted)


def test_clusters_are_matched_however_rows_were_taken(panel, tmp_path):
    c = panel["store"].str[1:].astype(int).mod(9).astype(str)
    own = panel.assign(c=c, wave=panel["wave"] // 2)
    own.to_parquet(tmp_path / "own.parquet")
    given = {"unit": "store", "wave": "wave", "cluster": "c"}
    found = []
    for held in (own, tmp_path / "own.parquet"):
        fits = [eecx.regress(held, f, **given) for f in ("y ~ x", "y ~ x + lag(x)")]
        found.append(eecx.compare(*fits).tables["equality"]["p_value"].to_numpy(float))
        assert eecx.romano_wolf(*fits, draws=99).stats["clusters"] == 9
    np.testing.assert_allclose(found[0], found[1], rtol=1e-8)


def test_a_file_without_rows_or_waves_is_refused_as_elsewhere(panel, tmp_path):
    none = panel.iloc[:0]
    none.to_parquet(tmp_path / "none.parquet")
    for held in (none, tmp_path / "none.parquet"):
        with pytest.raises(eecx.EecxError) as caught:
            eecx.regress(held, "y ~ x", unit="store", wave="wave")
        assert caught.value.code == "no-rows"


@pytest.mark.parametrize("holder", HOLDERS)
def test_two_way_effects_are_found_from_sums_by_wave_and_by_unit(panel, tmp_path, holder, request):
    own = panel.assign(
        wave=panel["wave"] // 8, era=panel["wave"] // 16, trend=2.5 * (panel["wave"] // 8)
    ).drop_duplicates(["store", "wave"])
    own["y"] += 0.5 * own["wave"]
    path = tmp_path / "own.parquet"
    own.to_parquet(path)
    given = {"effects": "two-way", "unit": "store", "wave": "wave"}
    errors = [{"vcov": "classical"}, {"vcov": "CR0"}, {"vcov": "CR1"}]
    errors += [{"vcov": v, "cluster": c} for v in ("CR1", "CR1-areg") for c in ("region", "era")]
    formula = "y ~ x * `z.z` + C(g)"
    wanted = [eecx.regress(own, formula, **given, **e) for e in errors]
    with pytest.raises(eecx.EecxError, match="'trend' changes only from wave to wave"):
        eecx.regress(HOLDERS[holder](own, path), "y ~ x + trend", **given, vcov="CR1")
    request.getfixturevalue("unread")
    for e, by_rows in zip(errors, wanted, strict=True):
        found = eecx.regress(HOLDERS[holder](own, path), formula, **given, **e)
        the_same(found, by_rows)
