"""Data of a kind that a function does not take: it says which it takes, and how to make it."""

import re

import numpy as np
import pandas as pd
import pytest

import eecx
from eecx.errors import OptionError, check_source, wrong_source

polars = pytest.importorskip("polars")
pyarrow = pytest.importorskip("pyarrow")


@pytest.fixture(scope="module")
def made():
    """Return something of each kind that eecx makes, and a frame."""
    chain = eecx.simulate.retail_chain(rng=1)
    staff = eecx.Survey(
        chain.employees,
        unit="store",
        wave="quarter",
        measures={"engagement": eecx.Scale(["e1", "e2", "e3"], range=(1, 5))},
    )
    guests = eecx.Survey(
        chain.customers, unit="store", wave="quarter", measures={"nps": eecx.NPS("recommend")}
    )
    panel = eecx.link(staff, guests)
    return {
        "Survey": staff,
        "Panel": panel,
        "Moments": eecx.Moments.from_correlations([[1, 0.4], [0.4, 1]], n=90, names=["a", "b"]),
        "Counts": eecx.Counts.from_frame(
            chain.employees, keys=["store"], items=["e1"], options=[1, 2, 3, 4, 5]
        ),
        "Result": eecx.regress(panel, "nps ~ engagement"),
        "DataFrame": pd.DataFrame({"a": [1.0, 2.0]}),
    }


FRAMES = {"DataFrame"}
ROWS = {
    "regress": lambda d: eecx.regress(d, "nps ~ engagement"),
    "hausman": lambda d: eecx.hausman(d, "nps ~ engagement"),
    "correlations": lambda d: eecx.correlations(d),
    "compare_correlations": lambda d: eecx.compare_correlations(d, [*"ab"], [*"ac"]),
    "attenuation": lambda d: eecx.attenuation(d, "a", "b", reliability={"a": 0.8}),
    "errors_in_variables": lambda d: eecx.errors_in_variables(d, "a ~ b"),
    "mediate": lambda d: eecx.mediate(d, "a", "m", "b"),
}
PEOPLE = {
    "rwg": lambda d: eecx.rwg(d, "engagement"),
    "awg": lambda d: eecx.awg(d, "engagement"),
    "icc": lambda d: eecx.icc(d, "engagement"),
    "alpha": lambda d: eecx.alpha(d, "engagement"),
    "omega": lambda d: eecx.omega(d, "engagement"),
    "split_half": lambda d: eecx.split_half(d, "engagement"),
}
CALLS = {
    **{name: (call, {"Panel", "Moments"} | FRAMES) for name, call in ROWS.items()},
    **{name: (call, {"Survey", "Moments"} | FRAMES) for name, call in PEOPLE.items()},
    "ad_index": (lambda d: eecx.ad_index(d, "engagement"), {"Survey", "Moments"} | FRAMES),
    "random_groups": (lambda d: eecx.random_groups(d, "engagement"), {"Survey"} | FRAMES),
    "test_retest": (lambda d: eecx.test_retest(d, ["a", "b"]), {"Moments"} | FRAMES),
    "aggregation": (eecx.aggregation, {"Survey"}),
    "split_sample": (lambda d: eecx.split_sample(d, "a", "b"), {"Survey"}),
    "release": (lambda d: eecx.release(d, [["store"]]), {"Survey"}),
    "reliability": (eecx.reliability, {"Survey", "Panel"}),
    "instability": (lambda d: eecx.instability(d, "nps"), {"Panel"}),
    "perception_gap": (lambda d: eecx.perception_gap(d, "a", "b"), {"Panel"}),
    "lag_profile": (lambda d: eecx.lag_profile(d, "a", "b"), {"Panel"}),
    "examine_claim": (lambda d: eecx.examine_claim(d, x="a", y="b"), {"Panel"}),
    "report": (lambda d: eecx.report(d, "nowhere"), set()),
    "Survey": (
        lambda d: eecx.Survey(d, unit="store", measures={"nps": eecx.NPS("recommend")}),
        FRAMES,
    ),
    "Panel.from_frame": (lambda d: eecx.Panel.from_frame(d, unit="store"), FRAMES),
}


@pytest.mark.parametrize("name", CALLS)
def test_every_function_says_what_it_takes(made, name):
    call, takes = CALLS[name]
    for kind, given in made.items():
        if kind in takes:
            continue
        with pytest.raises(OptionError) as caught:
            call(given)
        text, error = str(caught.value), caught.value
        assert error.code == "wrong-source"
        assert text.startswith(f"{name} takes ")
        assert f", not a {kind}" in text
        assert error.fix.endswith(".")
        for one in takes - FRAMES - {"Moments"}:
            assert f"an eecx.{one}" in text
        assert ("a data frame" in text) == (takes >= FRAMES)


def code_of(call, given):
    """Return the code of a refusal, nothing where there is none."""
    try:
        call(given)
    except eecx.EecxError as error:
        return error.code
    return ""


@pytest.mark.parametrize("name", [*ROWS, *PEOPLE])
def test_what_is_taken_is_not_refused_for_its_kind(made, name):
    """Whatever else these data lack."""
    call, takes = CALLS[name]
    for kind in takes:
        assert code_of(call, made[kind]) != "wrong-source"


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (
            lambda m: eecx.link(m["DataFrame"], m["Survey"]),
            "employees is a DataFrame; link() pairs",
        ),
        (lambda m: eecx.link(m["Survey"], m["Panel"]), "customers is a Panel; link() pairs two"),
        (lambda m: eecx.wald(m["Panel"]), "wald takes a Result of eecx.regress."),
        (lambda m: eecx.compare(m["Panel"], m["Panel"]), "compare takes two or more Results"),
        (lambda m: eecx.equivalence(m["Survey"], bound=1), "An eecx.Result or a number is tested"),
        (lambda m: eecx.save(m["Panel"], "x.json"), "save() writes Moments, Counts and tables of"),
        (lambda m: eecx.ad_index(m["Moments"], "a", unit="u"), "Moments hold no absolute deviatio"),
    ],
)
def test_what_takes_two_of_a_kind_or_results(made, call, text):
    with pytest.raises(OptionError, match=re.escape(text)) as caught:
        call(made)
    assert caught.value.code == "wrong-source"
    assert "eecx." in caught.value.fix or "Survey" in caught.value.fix


def test_words_for_one_two_and_three_kinds(made):
    class Panel:
        pass

    class Moments:
        pass

    words = {
        (Panel,): "f takes an eecx.Panel, not a Survey (answers of people).",
        (
            Panel,
            Moments,
        ): "f takes an eecx.Panel or eecx.Moments, not a Survey (answers of people).",
    }
    for takes, text in words.items():
        assert str(wrong_source("f", made["Survey"], *takes)).startswith(text)
    error = wrong_source("f", made["Survey"], Panel, Moments, frames=True)
    assert "an eecx.Panel, eecx.Moments or a data frame, not" in str(error)
    assert "an int" in str(wrong_source("f", 3, Panel))
    check_source("f", Panel(), Panel)
    with pytest.raises(OptionError, match="f takes a data frame, not a list"):
        check_source("f", [1, 2], frames=True)


def test_a_class_of_ones_own_is_not_taken_for_one_of_eecx():
    class Survey(pd.DataFrame):
        pass

    check_source("f", Survey({"a": [1.0]}), frames=True)


# ---------------------------------------------------------------------- nothing that holds data


class Geo(pd.DataFrame):
    """A frame of a class of its own, as that of GeoPandas."""

    @property
    def _constructor(self):
        return Geo


ROWS_OF = pd.DataFrame(
    {
        "store": list("aabbcc") * 3,
        **{name: np.arange(18.0) % k for name, k in (("a", 18), ("b", 7), ("m", 5), ("nps", 4))},
        "engagement": np.arange(18.0) % 3 + 1,
        "recommend": np.arange(18) % 11,
    }
)
NO_DATA = {
    "None": lambda: None,
    "int": lambda: 3,
    "list": lambda: [1, 2],
    "empty list": list,
    "dict": lambda: {"a": [1.0]},
    "set": lambda: {1, 2},
    "generator": lambda: (i for i in range(3)),
    "array": lambda: np.ones((3, 2)),
    "records": lambda: np.rec.array([(1, 2.0)], dtype=[("a", int), ("b", float)]),
    "Series": lambda: ROWS_OF["a"],
    "Series of Polars": lambda: polars.Series("a", [1.0]),
    "Index": lambda: ROWS_OF.columns,
    "groups": lambda: ROWS_OF.groupby("store"),
    "lazy groups": lambda: polars.from_pandas(ROWS_OF).lazy().group_by("store"),
    "bytes": lambda: b"a,b",
    "a class": lambda: pd.DataFrame,
    "a function": lambda: len,
}
NO_FILE = {"no file": "nowhere.csv", "text": "a,b\n1,2\n" * 3000, "nothing": "", "nul": "a\0b"}
NO_ROWS = {
    "empty": pd.DataFrame,
    "without rows": lambda: ROWS_OF.iloc[:0],
    "empty of Polars": polars.DataFrame,
    "without rows, of Polars": lambda: polars.from_pandas(ROWS_OF.iloc[:0]),
    "without rows, of PyArrow": lambda: pyarrow.Table.from_pandas(ROWS_OF.iloc[:0]),
    "batch": lambda: pyarrow.RecordBatch.from_pandas(ROWS_OF),
    "levels of columns": lambda: pd.concat({"x": ROWS_OF}, axis=1),
    "columns twice": lambda: pd.concat([ROWS_OF, ROWS_OF], axis=1),
    "all missing": lambda: ROWS_OF.assign(**dict.fromkeys(["a", "b", "m"], np.nan)).iloc[:, :4],
}
OPEN = {
    **{name: call for name, (call, takes) in CALLS.items() if takes >= FRAMES},
    "rwg of units": lambda d: eecx.rwg(d, "engagement", unit="store"),
    "awg of units": lambda d: eecx.awg(d, "engagement", unit="store", range=(1, 3)),
    "icc of units": lambda d: eecx.icc(d, "engagement", unit="store"),
    "ad_index of units": lambda d: eecx.ad_index(d, "engagement", unit="store"),
    "random_groups of units": lambda d: eecx.random_groups(d, "engagement", unit="store"),
    "Survey": lambda d: eecx.Survey(d, unit="store", measures={"a": eecx.Mean("a")}).scores(),
    "Moments.from_frame": lambda d: eecx.Moments.from_frame(d, terms=["a"]),
    "Counts.from_frame": lambda d: eecx.Counts.from_frame(d, items=["a"], options=[0, 1]),
}


@pytest.mark.parametrize("kind", NO_DATA)
@pytest.mark.parametrize("name", [*CALLS, "Moments.from_frame", "Counts.from_frame"])
def test_what_holds_no_data_is_refused_in_one_wording(name, kind):
    if (name, kind) == ("compare_correlations", "None"):
        pytest.skip("it may do without data")
    call = OPEN[name] if name in OPEN else CALLS[name][0]
    with pytest.raises(OptionError) as caught:
        call(NO_DATA[kind]())
    error = caught.value
    assert error.code == "wrong-source"
    assert str(error).startswith(f"{name} takes ")
    assert error.fix.endswith(".")


@pytest.mark.parametrize("kind", [*NO_FILE, *NO_ROWS])
@pytest.mark.parametrize("name", OPEN)
def test_a_path_to_nothing_and_a_frame_of_nothing_are_named(name, kind):
    if (name, kind) == ("Counts.from_frame", "all missing"):
        pytest.skip("it counts missing answers")
    given = NO_FILE[kind] if kind in NO_FILE else NO_ROWS[kind]()
    with pytest.raises(eecx.EecxError) as caught:
        OPEN[name](given)
    assert caught.value.fix


WAYS_OUT = {
    "list": lambda: [(1.0, 2.0), (2.0, 1.0), (3.0, 5.0), (4.0, 4.0), (6.0, 3.0)],
    "array": lambda: np.random.default_rng(1).normal(size=(9, 2)),
    "dict": lambda: {"y": [1.0, 2, 4, 3, 6], "x": [1.0, 3, 2, 5, 4]},
    "generator": lambda: ((float(i), float(i * i % 7)) for i in range(9)),
}


@pytest.mark.parametrize("kind", WAYS_OUT)
def test_the_way_out_leads_out(kind):
    with pytest.raises(OptionError, match=r"pandas\.DataFrame\(…\)"):
        eecx.regress(WAYS_OUT[kind](), "y ~ x")
    frame = pd.DataFrame(WAYS_OUT[kind](), columns=["y", "x"])
    assert eecx.regress(frame, "y ~ x").stats["n"] == len(frame)


def test_a_series_becomes_a_frame():
    series = ROWS_OF["engagement"]
    with pytest.raises(OptionError, match=r"with its to_frame\(\)"):
        eecx.Moments.from_frame(series, terms=["engagement"])
    assert eecx.Moments.from_frame(series.to_frame(), terms=["engagement"]).n.tolist() == [18]


def test_frames_of_a_class_of_their_own_are_frames():
    own = {"unit": "store", "range": (1, 3)}
    assert eecx.rwg(Geo(ROWS_OF), "engagement", **own).to_dict() == (
        eecx.rwg(ROWS_OF, "engagement", **own).to_dict()
    )
    fits = [eecx.regress(d, "b ~ a", unit="store") for d in (Geo(ROWS_OF), ROWS_OF)]
    assert fits[0].to_dict() == fits[1].to_dict()


# ---------------------------------------------------------------------- names that make no sense


MODELS = {
    "regress": lambda d, **k: eecx.regress(d, "nps ~ engagement", **k),
    "hausman": lambda d, **k: eecx.hausman(d, "nps ~ engagement", **k),
    "correlations": lambda d, **k: eecx.correlations(d, ["nps", "engagement"], **k),
    "compare_correlations": lambda d, **k: eecx.compare_correlations(d, [*"ab"], [*"am"], **k),
    "errors_in_variables": lambda d, **k: eecx.errors_in_variables(
        d, "nps ~ engagement", reliability={"engagement": 0.8}, **k
    ),
    "mediate": lambda d, **k: eecx.mediate(d, "a", "m", "b", draws=99, **k),
}
GROUPED = {
    "rwg": lambda d, **k: eecx.rwg(d, "engagement", **k),
    "awg": lambda d, **k: eecx.awg(d, "engagement", **k),
    "icc": lambda d, **k: eecx.icc(d, "engagement", **k),
    "ad_index": lambda d, **k: eecx.ad_index(d, "engagement", **k),
    "random_groups": lambda d, **k: eecx.random_groups(d, "engagement", **k),
}


@pytest.mark.parametrize("keys", [{"unit": "store"}, {"wave": "quarter"}])
@pytest.mark.parametrize("name", MODELS)
def test_a_panel_has_its_own_units_and_waves(made, name, keys):
    with pytest.raises(OptionError, match="a Panel has its own") as caught:
        MODELS[name](made["Panel"], **keys)
    assert (caught.value.code, caught.value.fix) == ("does-not-apply", "Leave them out.")


@pytest.mark.parametrize(
    "keys", [{"unit": "store"}, {"wave": "quarter"}, {"parse": eecx.Parse(missing=[9])}]
)
@pytest.mark.parametrize("name", GROUPED)
def test_a_survey_has_its_own_units_and_waves(made, name, keys):
    with pytest.raises(OptionError, match="A Survey knows its unit, wave and parse="):
        GROUPED[name](made["Survey"], **keys)


def test_sums_have_no_order_in_time_and_no_text(made):
    for name, call in MODELS.items():
        with pytest.raises(eecx.EecxError) as caught:
            call(made["Moments"], wave="quarter")
        assert caught.value.fix, name
    with pytest.raises(OptionError, match="parse= is for answers; Moments hold sums"):
        eecx.alpha(made["Moments"], parse=eecx.Parse(missing=[9]))
    with pytest.raises(OptionError, match="parse= is for answers; Moments hold sums"):
        eecx.test_retest(made["Moments"], ["a", "b"], parse=eecx.Parse(missing=[9]))


STRANGE = [
    {"unit": 3},
    {"unit": ["store"]},
    {"unit": "nowhere"},
    {"wave": "m"},
    {"unit": "store", "wave": "store"},
    {"unit": "store", "wave": 3},
    {"unit": "store", "wave": "nowhere"},
]


@pytest.mark.parametrize("keys", STRANGE, ids=str)
@pytest.mark.parametrize("name", [*MODELS, *GROUPED])
def test_names_of_units_and_waves_that_make_no_sense(name, keys):
    call = (MODELS | GROUPED)[name]
    with pytest.raises(eecx.EecxError) as caught:
        call(ROWS_OF, **keys)
    assert caught.value.fix


@pytest.mark.parametrize("name", ["rwg", "icc", "random_groups"])
def test_rules_for_text_are_rules(name):
    with pytest.raises(OptionError, match=r"parse='x': rules for text") as caught:
        GROUPED[name](ROWS_OF, unit="store", parse="x")
    assert "eecx.Parse" in caught.value.fix


# ---------------------------------------------------------------------- files


@pytest.mark.parametrize("name", [*MODELS, *GROUPED, "alpha", "test_retest", "attenuation"])
def test_a_file_is_opened_once(name, tmp_path, monkeypatch):
    from eecx.frames import files, open_table

    rng = np.random.default_rng(2)
    frame = ROWS_OF.assign(**{c: rng.normal(size=18) for c in ("a", "b", "m", "nps")})
    frame.to_csv(tmp_path / "rows.csv", index=False)
    opened = []

    def count(path):
        opened.append(path)
        return files.read_csv(path)

    monkeypatch.setitem(open_table.__globals__, "open_path", count)
    path, keys = tmp_path / "rows.csv", {"unit": "store"}
    keys |= {"range": (1, 3)} if name in ("rwg", "awg") else {}
    keys |= {"draws": 99} if name == "random_groups" else {}
    others = {
        "alpha": lambda d: eecx.alpha(d, ["a", "b"]),
        "test_retest": lambda d: eecx.test_retest(d, ["a", "b"]),
        "attenuation": lambda d: eecx.attenuation(d, "a", "b", reliability={"a": 0.8}),
    }
    if name in others:
        others[name](path)
    else:
        (MODELS | GROUPED)[name](path, **keys)
    assert opened == [path]
