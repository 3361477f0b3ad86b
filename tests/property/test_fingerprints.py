"""One source, one fingerprint: whatever is asked of it, whichever engine holds it."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import eecx
from eecx.frames import fingerprint_of_columns, open_table

polars = pytest.importorskip("polars")
pyarrow = pytest.importorskip("pyarrow")
duckdb = pytest.importorskip("duckdb")

KEYS = {"unit": "store", "wave": "quarter"}
some = settings(max_examples=40, deadline=None)
OPEN = []


def mark(result):
    return result.spec["data"]


def marks(results):
    return {mark(r) for r in results}


def in_duckdb(frame):
    connection = duckdb.connect()
    OPEN.append(connection)  # a relation lives as long as its connection
    connection.register("held", pyarrow.Table.from_pandas(frame, preserve_index=False))
    return connection.sql("SELECT * FROM held")


# ---------------------------------------------------------------------- columns in memory

columns = st.integers(1, 12).flatmap(
    lambda n: st.fixed_dictionaries(
        {
            "x": st.lists(st.floats(-1e6, 1e6) | st.none(), min_size=n, max_size=n),
            "k": st.lists(st.integers(-3, 3) | st.none(), min_size=n, max_size=n),
            "long": st.lists(st.integers(2**60, 2**60 + 3) | st.none(), min_size=n, max_size=n),
            "yes": st.lists(st.booleans() | st.none(), min_size=n, max_size=n),
            "t": st.lists(
                st.sampled_from(["a", "b", "store 1"]) | st.none(), min_size=n, max_size=n
            ),
            "d": st.lists(
                st.dates(pd.Timestamp("1999-01-01").date(), pd.Timestamp("2030-01-01").date())
                | st.none(),
                min_size=n,
                max_size=n,
            ),
        }
    )
)
TYPES = {
    "x": polars.Float64,
    "k": polars.Int64,
    "long": polars.Int64,
    "yes": polars.Boolean,
    "t": polars.String,
    "d": polars.Date,
}


def same_values(made):
    """Return one table as frames of several engines and types."""
    of_polars = polars.DataFrame(made, schema=TYPES)
    of_pyarrow = of_polars.to_arrow()
    of_pandas = of_pyarrow.to_pandas(types_mapper=pd.ArrowDtype)
    exact = pd.DataFrame(
        {
            "x": np.array([np.nan if v is None else v for v in made["x"]], dtype=float),
            "k": pd.array(made["k"], dtype="Int64"),
            "long": pd.array(made["long"], dtype="Int64"),
            "yes": pd.array(made["yes"], dtype="boolean"),
            "t": pd.Series(made["t"], dtype=object),
            "d": pd.to_datetime(pd.Series(made["d"], dtype=object)),
        }
    )
    floats = exact.assign(k=exact["k"].astype("Float64").to_numpy(float, na_value=np.nan))
    categories = exact.assign(t=exact["t"].astype("category"))
    return [of_polars, of_pyarrow, of_pandas, exact, floats, categories]


@pytest.mark.slow
@some
@given(columns)
def test_frames_of_the_same_values_are_the_same_data(made):
    assert len({open_table(d).fingerprint for d in same_values(made)}) == 1


@some
@given(columns, st.randoms(use_true_random=False))
def test_order_of_rows_and_columns_does_not_matter_but_what_stands_together_does(made, chance):
    exact = same_values(made)[3]
    rows, names = list(range(len(exact))), list(exact)
    chance.shuffle(rows)
    chance.shuffle(names)
    turned = exact.iloc[rows][names].set_axis(range(5, 5 + len(rows)))
    one = open_table(exact).fingerprint
    assert open_table(turned).fingerprint == one
    alone = exact.assign(x=exact["x"].to_numpy()[rows])
    moved = pd.DataFrame({c: exact[c] for c in exact})
    same = pd.Series(list(zip(*(map(str, alone[c]) for c in alone), strict=True))).sort_values()
    was = pd.Series(list(zip(*(map(str, moved[c]) for c in moved), strict=True))).sort_values()
    assert (open_table(alone).fingerprint == one) == (same.tolist() == was.tolist())


@pytest.mark.slow
@some
@given(columns, st.sampled_from(sorted(TYPES)), st.data())
def test_another_value_is_other_data(made, name, data):
    at = data.draw(st.integers(0, len(made[name]) - 1))
    others = {
        "x": [0.5, 1e-300],
        "k": [7],
        "long": [2**60 + 9, 5],
        "yes": [True, False],
        "t": ["c", "A"],
        "d": [pd.Timestamp("2031-01-01").date()],
    }
    value = data.draw(st.sampled_from([*others[name], None]))
    changed = {**made, name: [value if i == at else v for i, v in enumerate(made[name])]}
    one, two = (open_table(same_values(m)[0]).fingerprint for m in (made, changed))
    assert (one == two) == (made[name][at] == value)


def test_zero_has_no_sign_missing_has_one_form_and_names_count():
    x = np.array([0.0, np.nan, 1.0])
    strange = x.copy()
    strange[0] = -0.0
    strange.view(np.uint64)[1] = 0xFFF8000000000007  # another NaN
    one = fingerprint_of_columns({"x": x})
    assert fingerprint_of_columns({"x": strange}) == one
    assert fingerprint_of_columns({"y": x}) != one
    assert fingerprint_of_columns({"x": x, "y": x}) != one
    assert fingerprint_of_columns({"x": x[:2]}) != one
    assert fingerprint_of_columns({"x": np.array(["0.0", None, "1.0"])}) != one
    assert fingerprint_of_columns({"x": x[[0, 0, 1, 2]]}) != one


def test_small_whole_numbers_do_not_collide():
    """Doubles of small numbers differ in few bits."""
    rng = np.random.default_rng(0)
    seen = set()
    for _ in range(2000):
        answers = rng.integers(1, 6, (6, 3)).astype(float)
        rows = tuple(sorted(map(tuple, answers)))
        seen.add((rows, fingerprint_of_columns(dict(zip("abc", answers.T, strict=True)))))
    assert len(seen) == len({rows for rows, _ in seen}) == len({m for _, m in seen})


def test_times_are_the_same_in_any_unit():
    days = pd.date_range("2024-01-01", periods=5)
    made = {
        fingerprint_of_columns({"d": pd.Series(days.as_unit(u))}) for u in ("s", "ms", "us", "ns")
    }
    assert len(made) == 1
    finer = pd.Series(days.as_unit("ns") + pd.Timedelta(1, "ns"))
    assert fingerprint_of_columns({"d": finer}) not in made


# ---------------------------------------------------------------------- rows of an engine, files


def chain():
    rng = np.random.default_rng(3)
    n = 240
    return pd.DataFrame(
        {
            "store": np.repeat([f"s{i}" for i in range(40)], 6),
            "quarter": np.tile(np.arange(6), 40),
            "y": rng.normal(size=n),
            "x": rng.normal(size=n),
            "m": rng.normal(size=n),
            "place": np.array(["city", "land", "sea"])[np.repeat(np.arange(40), 6) % 3],
            "day": pd.to_datetime("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, n), "D"),
        }
    )


def test_engines_agree_and_the_order_of_rows_does_not_matter():
    frame = chain()
    turned = frame.sample(frac=1, random_state=1)[list(frame)[::-1]]
    lazy = [polars.from_pandas(f).lazy() for f in (frame, turned)]
    found = {open_table(d).fingerprint for d in (*lazy, in_duckdb(frame), in_duckdb(turned))}
    assert len(found) == 1
    assert open_table(frame).fingerprint not in found  # a weaker one, said to be so


@pytest.mark.parametrize("name", ["store", "quarter", "y", "x", "m", "place", "day"])
def test_rows_of_an_engine_that_are_paired_anew_are_noticed(name):
    frame = chain()
    moved = frame.assign(**{name: frame[name].sample(frac=1, random_state=2).to_numpy()})
    one, two = (open_table(in_duckdb(f)).fingerprint for f in (frame, moved))
    assert one != two
    changed = frame.assign(**{name: frame[name].where(frame.index != 7, frame[name].iloc[8])})
    differs = frame[name].iloc[7] != frame[name].iloc[8]
    assert (open_table(in_duckdb(changed)).fingerprint != one) == differs


def test_empty_and_missing_columns_of_an_engine_have_a_fingerprint():
    frame = chain().assign(nothing=np.nan, blank=None).astype({"blank": object})
    lazy = polars.from_pandas(frame.assign(blank=pd.Series([None] * 240, dtype="str"))).lazy()
    assert open_table(lazy).fingerprint != open_table(lazy.drop("nothing")).fingerprint
    assert open_table(lazy.filter(polars.col("y") > 99)).fingerprint


def test_a_file_is_its_bytes_and_a_folder_its_files_by_name(tmp_path):
    frame = chain()
    paths = [tmp_path / f"{n}.csv" for n in ("one", "two", "other")]
    for path in paths[:2]:
        frame.to_csv(path, index=False)
    frame.iloc[::-1].to_csv(paths[2], index=False)
    one, two, other = (open_table(p).fingerprint for p in paths)
    assert one == two != other  # the order of rows counts here
    folders = [tmp_path / n for n in ("a.parquet", "b.parquet")]
    for folder, order in zip(folders, ((0, 1), (1, 0)), strict=True):
        folder.mkdir()
        for i in order:
            frame.iloc[i::2].to_parquet(folder / f"{i}.parquet")
    found = [open_table(str(f)) for f in folders]
    assert found[0].fingerprint == found[1].fingerprint != one


# ---------------------------------------------------------------------- analyses of one source


def asked_of_rows(data, **keys):
    """Return many results of one source of rows."""
    own = {k: v for k, v in keys.items() if k == "unit"}
    return [
        *(
            eecx.regress(data, formula, effects=effects, vcov=vcov, **keys)
            for formula, effects, vcov in (
                ("y ~ x", "pooled", "CR1"),
                ("y ~ x + m", "within", None),
                ("m ~ y", "two-way", "CR1"),
                ("y ~ x", "between", None),
                ("y ~ x + I(x^2)", "pooled", "HC1"),
                ("y ~ x", "random", None),
                ("y ~ x", "first-difference", None),
                ("y ~ x + C(place)", "mixed", None),
            )
        ),
        eecx.regress(data, "place_1 ~ x", family="binomial", **keys),
        eecx.hausman(data, "y ~ x", **keys),
        eecx.correlations(data, ["x", "y"], level=["pooled", "within"], **keys),
        eecx.compare_correlations(
            data, ("x", "y"), ("x", "m"), **own, **{k: v for k, v in keys.items() if k != "unit"}
        ),
        eecx.errors_in_variables(data, "y ~ x", reliability={"x": 0.8}, **keys),
        eecx.mediate(data, "x", "m", "y", draws=99, **keys),
    ]


def with_a_yes(frame):
    return frame.assign(place_1=(frame["m"] > 0).astype(float))


@pytest.mark.parametrize(
    "kind",
    [
        "pandas",
        "polars",
        "csv",
        *(
            pytest.param(k, marks=pytest.mark.slow)
            for k in ("pyarrow", "lazy", "duckdb", "parquet")
        ),
    ],
)
def test_every_analysis_of_a_frame_records_the_same(kind, tmp_path):
    frame = with_a_yes(chain())
    frame.to_csv(tmp_path / "rows.csv", index=False)
    frame.to_parquet(tmp_path / "rows.parquet")
    data = {
        "pandas": frame,
        "polars": polars.from_pandas(frame),
        "pyarrow": pyarrow.Table.from_pandas(frame),
        "lazy": polars.from_pandas(frame).lazy(),
        "duckdb": in_duckdb(frame),
        "csv": str(tmp_path / "rows.csv"),
        "parquet": tmp_path / "rows.parquet",
    }[kind]
    own = marks(asked_of_rows(data, **KEYS))
    alone = [
        eecx.regress(data, "y ~ x"),
        eecx.correlations(data, ["x", "y"]),
        eecx.attenuation(data, "x", "y", reliability={"x": 0.8}),
        eecx.alpha(data, ["x", "m"]),
        eecx.omega(data, ["x", "m", "y"]),
        eecx.split_half(data, ["x", "m"]),
        eecx.test_retest(data, ["x", "m"]),
        eecx.mediate(data, "x", "m", "y", draws=99),
    ]
    assert own == marks(alone) == {open_table(data).fingerprint}


def test_every_analysis_of_a_panel_records_its_fingerprint():
    frame = with_a_yes(chain())
    rng = np.random.default_rng(1)
    frame = frame.assign(n=9.0, v=rng.uniform(0.1, 0.2, len(frame)))
    panel = eecx.Panel.from_frame(
        frame,
        unit="store",
        wave="quarter",
        employee=["x", "m"],
        customer=["y"],
        covariates=["place", "place_1"],
        variance={"x": "v", "y": "v"},
    )
    claim = eecx.examine_claim(panel, x="x", y="y", mediators=["m"], draws=99)
    fit = eecx.regress(panel, "y ~ x + m")
    found = [
        *asked_of_rows(panel),
        eecx.lag_profile(panel, "x", "y"),
        eecx.attenuation(panel, "x", "y", draws=99),
        eecx.reliability(panel),
        eecx.instability(panel, "x"),
        eecx.perception_gap(panel, "x", "y"),
        eecx.wald(fit),
        eecx.compare(fit, eecx.regress(panel, "y ~ x", effects="within")),
        eecx.equivalence(fit, "x", bound=1),
        fit.predict({"x": [0.0, 1.0], "m": 0.0}),
        *claim.results.values(),
    ]
    assert marks(found) == {panel.fingerprint} == {claim.spec["data"]}
    turned = eecx.Panel.from_frame(
        frame.sample(frac=1, random_state=1)[list(frame)[::-1]],
        unit="store",
        wave="quarter",
        employee=["m", "x"],
        customer=["y"],
        covariates=["place_1", "place"],
        variance={"x": "v", "y": "v"},
    )
    assert turned.fingerprint == panel.fingerprint
    other = frame.assign(v=frame["v"] * 2)
    doubled = eecx.Panel.from_frame(
        other,
        unit="store",
        wave="quarter",
        employee=["x", "m"],
        customer=["y"],
        covariates=["place", "place_1"],
        variance={"x": "v", "y": "v"},
    )
    assert doubled.fingerprint != panel.fingerprint


def test_sums_are_their_cells_however_they_were_made():
    frame = chain()
    terms = {"terms": ["y", "x", "m"]}
    cells = eecx.Moments.from_frame(frame, keys=["store"], **terms)
    found = [
        eecx.regress(cells, "y ~ x", unit="store"),
        eecx.regress(cells, "m ~ x", unit="store", effects="within"),
        eecx.correlations(cells),
        eecx.attenuation(cells, "x", "y", reliability={"x": 0.8}),
        eecx.errors_in_variables(cells, "y ~ x", reliability={"x": 0.8}),
        eecx.alpha(cells),
        eecx.split_half(cells, ["x", "m"]),
        eecx.test_retest(cells, ["x", "m"]),
        eecx.mediate(cells, "x", "m", "y", unit="store", draws=99),
    ]
    assert marks(found) == {cells.fingerprint}
    turned = eecx.Moments.from_frame(frame, keys=["store"], terms=["m", "y", "x"])
    assert turned.fingerprint == cells.fingerprint
    coarser = cells.collapse()
    assert coarser.fingerprint != cells.fingerprint
    renamed = frame.assign(store=frame["store"].replace("s1", "s99"))
    other = eecx.Moments.from_frame(renamed, keys=["store"], **terms)
    assert other.fingerprint != cells.fingerprint


def test_two_samples_have_a_fingerprint_of_both():
    frame = chain()
    halves = frame[:120], frame[120:]
    names = ("x", "y")
    both = eecx.compare_correlations(halves[0], names, other=halves[1])
    turned = eecx.compare_correlations(halves[1], names, other=halves[0])
    alone = eecx.correlations(halves[0], names)
    assert len({mark(both), mark(turned), mark(alone)}) == 3


# ---------------------------------------------------------------------- answers of people


def people(seed=0):
    """Stores of 12 people; in two of them few answered, in one few answered one item."""
    rng = np.random.default_rng(seed)
    sizes = {"a": 12, "b": 12, "c": 12, "d": 4, "e": 3, "f": 12}
    store = np.repeat(list(sizes), list(sizes.values()))
    frame = pd.DataFrame({"store": store, "quarter": np.arange(len(store)) % 2})
    for item in ("q1", "q2", "q3"):
        frame[item] = rng.integers(1, 6, len(frame)).astype(float)
    few = np.flatnonzero(store == "f")[4:]
    frame.loc[few, "q2"] = np.nan
    return frame


def withheld(frame):
    """Return which stores are withheld where q1 to q3 are asked: with fewer than five answers."""
    return frame["store"].isin(["d", "e", "f"])


def survey_of(frame, wave=None):
    measures = {"mood": eecx.Scale(["q1", "q2", "q3"], range=(1, 5)), "first": eecx.Mean("q1")}
    return eecx.Survey(frame, unit="store", wave=wave, measures=measures)


def asked_of_survey(survey, **least):
    return [
        eecx.aggregation(survey, **least),
        eecx.rwg(survey, "mood", **least),
        eecx.ad_index(survey, "mood", **least),
        eecx.awg(survey, "mood", **least),
        eecx.icc(survey, "first", **least),
        eecx.icc(survey, "mood", **least),
    ]


def without_a_minimum(survey):
    return [
        eecx.alpha(survey, "mood"),
        eecx.omega(survey, "mood"),
        eecx.split_half(survey, "mood"),
        eecx.random_groups(survey, "first", draws=99),
        eecx.reliability(survey),
        eecx.split_sample(survey, "mood", "first", splits=20),
    ]


@pytest.mark.slow
def test_every_analysis_of_a_survey_records_the_same():
    survey = survey_of(people())
    assert len(marks([*asked_of_survey(survey), *without_a_minimum(survey)])) == 1
    turned = survey_of(people().sample(frac=1, random_state=1))
    in_engine = survey_of(in_duckdb(people()))
    for other in (turned, in_engine):
        assert marks(asked_of_survey(other)) == marks(asked_of_survey(survey))
    changed = people().assign(q1=lambda f: f["q1"].where(f.index != 3, 6 - f["q1"]))
    assert changed["q1"].iloc[3] != people()["q1"].iloc[3]
    assert not marks(asked_of_survey(survey_of(changed))) & marks(asked_of_survey(survey))


some_answers = st.integers(0, 2**32 - 1)


def replaced(frame, seed, where):
    """Return other valid answers where people are withheld; what is missing stays so."""
    rng = np.random.default_rng(seed)
    out = frame.copy()
    for item in ("q1", "q2", "q3"):
        other = rng.integers(1, 6, len(frame)).astype(float)
        out[item] = frame[item].mask(where & frame[item].notna(), other)
    return out


@settings(max_examples=5, deadline=None)
@given(some_answers)
def test_answers_that_a_survey_withholds_do_not_enter(seed):
    frame = people()
    few = frame["store"].isin(["d", "e"])
    one, two = (survey_of(f) for f in (frame, replaced(frame, seed, few)))
    every = [*asked_of_survey(one), *without_a_minimum(one)]
    other = [*asked_of_survey(two), *without_a_minimum(two)]
    assert marks(every) == marks(other)


@pytest.mark.slow
@settings(max_examples=5, deadline=None)
@given(some_answers, st.sampled_from([5, 8, 13]))
def test_a_higher_minimum_withholds_more(seed, least):
    frame = people()
    frame = frame[(frame["store"] != "f")]
    sizes = frame.groupby("store")["q1"].transform("size")
    if least == 13:
        frame = pd.concat([frame, frame[frame["store"] == "a"]])
        sizes = frame.groupby("store")["q1"].transform("size")
    few = sizes < least
    one, two = (survey_of(f) for f in (frame, replaced(frame, seed, few)))
    own = {"disclosure_n": least}
    assert marks(asked_of_survey(one, **own)) == marks(asked_of_survey(two, **own))


def asked_of_people(data, least=5, **keys):
    items = {"items": ["q1", "q2", "q3"], "disclosure_n": least} | keys
    return [
        eecx.rwg(data, **items, range=(1, 5)),
        eecx.awg(data, **items, range=(1, 5)),
        eecx.ad_index(data, **items),
    ]


@pytest.mark.slow
@settings(max_examples=5, deadline=None)
@given(some_answers)
def test_answers_withheld_of_people_in_a_frame_do_not_enter(seed):
    """Store f has twelve people of whom four answered all items."""
    frame = people()
    other = replaced(frame, seed, withheld(frame))
    for data, changed in ((frame, other), (in_duckdb(frame), in_duckdb(other))):
        one = marks(asked_of_people(data, unit="store"))
        assert len(one) == 1
        assert one == marks(asked_of_people(changed, unit="store"))
    first = frame["store"].isin(["d", "e"])
    one, two = (
        [
            eecx.icc(f, "q1", unit="store"),
            eecx.rwg(f, "q1", unit="store", range=(1, 5)),
            eecx.random_groups(f, "q1", unit="store", draws=99),
        ]
        for f in (frame, replaced(frame, seed, first))
    )
    assert marks(one) == marks(two)
    assert len(marks(one)) == 1
    cells = [
        eecx.Moments.from_frame(f, keys=["store"], terms=["q1", "q2", "q3"]) for f in (frame, other)
    ]
    sums = [eecx.rwg(m, unit="store", range=(1, 5)) for m in cells]
    assert len(marks(sums)) == 1


def test_shown_answers_enter_with_their_units():
    frame = people()
    shown = frame.index[frame["store"] == "a"][0]
    other = frame.assign(q1=frame["q1"].where(frame.index != shown, 6 - frame["q1"]))
    other.loc[shown, "q1"] = 5.0 if frame.loc[shown, "q1"] < 5 else 1.0
    renamed = frame.assign(store=frame["store"].replace("a", "z"))
    found = [marks(asked_of_people(f, unit="store")).pop() for f in (frame, other, renamed)]
    assert len(set(found)) == 3
    by_wave = marks(asked_of_people(frame, unit="store", wave="quarter"))
    assert by_wave.isdisjoint(found)


@pytest.mark.parametrize("offset", [0.0, 1e3, 1e9])
def test_the_last_digits_of_what_is_shown_do_not_tell_of_withheld_answers(offset):
    """Sums are taken about a point that lies among all answers."""
    rng = np.random.default_rng(4)
    store = np.repeat([f"s{i}" for i in range(12)], [9] * 10 + [3, 4])
    few = np.isin(store, ["s10", "s11"])
    x = offset + rng.normal(size=len(store))
    found = set(), set()
    for scale in (0.1, 1.0, 1.0, 30.0, 100.0, 100.0):
        x[few] = offset + scale * rng.normal(size=few.sum())
        frame = pd.DataFrame({"store": store, "x": x.copy()})
        mean = eecx.Mean("x")
        measures = {"x": mean, "spread": eecx.Dispersion(mean)}
        survey = eecx.Survey(frame, unit="store", measures=measures)
        found[0].add(mark(eecx.icc(survey, "x")))
        found[1].add(mark(eecx.icc(frame, "x", unit="store")))
    assert [len(f) for f in found] == [1, 1]
