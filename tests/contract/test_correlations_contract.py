"""What correlations, their comparison and equivalence return, and what they refuse."""

import dataclasses
import json
import re

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import eecx
from eecx.association.compare_correlations import compare_correlations
from eecx.association.correlations import correlations
from eecx.association.equivalence import equivalence
from eecx.dossier import bibliography
from eecx.errors import ColumnError, DataError, EecxError, OptionError

NUMBERS = ["estimate", "std_error", "statistic", "df", "p_value", "conf_low", "conf_high"]
LEVELS = ["pooled", "between", "within"]
COLUMNS = ["engagement", "nps", "csat"]


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(5)
    made = pd.DataFrame(
        {
            "store": np.repeat([f"s{i:02d}" for i in range(35)], 4),
            "year": np.tile([2020, 2021, 2022, 2023], 35),
            "engagement": rng.normal(3.5, 0.5, 140),
            "size": np.repeat(rng.integers(10, 60, 35), 4).astype(float),
        }
    )
    made["nps"] = 10 * made["engagement"] + rng.normal(0, 9, 140)
    made["csat"] = 0.05 * made["nps"] + rng.normal(0, 1, 140)
    made["v"] = 0.04
    made["region"] = [["north", "south", "west"][int(s[1:]) % 3] for s in made["store"]]
    return made


@pytest.fixture(scope="module")
def panel(frame):
    return eecx.Panel.from_frame(
        frame,
        unit="store",
        wave="year",
        employee=["engagement"],
        customer=["nps", "csat"],
        covariates=["size", "region"],
        variance={"engagement": "v"},
    )


@pytest.fixture(scope="module")
def paper():
    r = [[1, 0.5, 0.3], [0.5, 1, 0.4], [0.3, 0.4, 1]]
    return eecx.Moments.from_correlations(
        r, n=103, names=COLUMNS, mean=[3.5, 20, 4.123], sd=[0.5, 12, 1]
    )


@pytest.fixture(scope="module", params=["correlations", "compare", "clustered", "tost", "tost r"])
def result(request, panel):
    pairs = [("engagement", "nps"), ("engagement", "csat")]
    return {
        "correlations": lambda: correlations(panel, level=LEVELS, conf_level=0.9),
        "compare": lambda: compare_correlations(panel, *pairs, level="between", conf_level=0.9),
        "clustered": lambda: compare_correlations(panel, *pairs, level="within", conf_level=0.9),
        "tost": lambda: equivalence(eecx.regress(panel, "nps ~ engagement"), bound=5),
        "tost r": lambda: equivalence(0.05, n=900, bound=0.2, reliability=0.8),
    }[request.param]()


def says(text):
    return re.escape(text)


# ---------------------------------------------------------------------- the results


def test_they_are_results(result):
    assert isinstance(result, eecx.Result)
    at = [result.table.columns.get_loc(c) for c in NUMBERS]
    assert at == list(range(at[0], at[0] + len(NUMBERS)))
    for column in NUMBERS:
        assert pd.api.types.is_float_dtype(result.table[column])
    assert result.table["p_value"].dropna().between(0, 1).all()
    assert result.spec["conf_level"] == 0.9
    assert result.spec["versions"]["numpy"] == np.__version__
    assert result.spec["data"]
    assert len(bibliography(result.references)) == len(result.references)


def test_they_print_export_and_draw(result):
    assert result.analysis in result.summary()
    assert len(result.methods()) > 60
    assert json.loads(result.to_json())["analysis"] == result.analysis
    assert result.to_latex().startswith(r"\begin{tabular}")
    assert "<table" in result._repr_html_()
    axes = result.plot()
    assert axes.get_title(loc="left")
    plt.close(axes.figure)


def test_table_of_correlations_has_the_promised_columns(panel):
    table = correlations(panel, level=LEVELS).table
    assert table.columns.tolist() == ["x", "y", "level", *NUMBERS, "n"]
    assert table["level"].unique().tolist() == [
        "pooled", "between units", "within units over time",
    ]  # fmt: skip
    assert table["n"].unique().tolist() == [140, 35]
    assert table["df"].unique().tolist() == [34.0, 33.0]
    names = [tuple(p) for p in table[["x", "y"]].to_numpy()[:3]]
    assert names == [("engagement", "nps"), ("engagement", "csat"), ("nps", "csat")]


def test_statistics_say_what_it_rests_on(frame):
    holes = frame.copy()
    holes.loc[:4, "nps"] = np.nan
    result = correlations(holes, COLUMNS, unit="store", wave="year", level=["between", "within"])
    assert (result.stats["n"], result.stats["left_out"]) == (135, 5)
    assert (result.stats["units"], result.stats["waves"]) == (34, 4)
    assert result.stats["clusters"] == 34
    assert "5 rows that lack one of them" in result.methods()
    assert "within units over time" in result.methods()
    assert result.tables["levels"]["interval"].tolist() == ["Fisher", "cluster-robust"]
    assert result.references == ("cameron2015",)


def test_default_names(frame, panel, paper):
    assert correlations(panel).spec["names"] == COLUMNS
    assert correlations(paper).spec["names"] == COLUMNS
    numbers = ["engagement", "size", "nps", "csat"]
    plain = frame.drop(columns="v")
    assert correlations(plain, unit="store", wave="year").spec["names"] == numbers
    assert correlations(plain.drop(columns="year")).spec["names"] == numbers


def test_any_column_name_and_engine_will_do(frame):
    odd = frame.rename(columns={"nps": "wait (min)", "csat": "a:b"})
    names = ["engagement", "wait (min)", "a:b"]
    expected = correlations(frame, COLUMNS).table[NUMBERS]
    for options in ({}, {"unit": "store", "wave": "year", "cluster": "store"}):
        found = correlations(odd, names, **options)
        assert found.spec["names"] == names
        np.testing.assert_allclose(found.table["estimate"], expected["estimate"], rtol=1e-10)
    arrow = pytest.importorskip("pyarrow").Table.from_pandas(frame)
    np.testing.assert_allclose(correlations(arrow, COLUMNS).table[NUMBERS], expected, rtol=1e-9)


# ---------------------------------------------------------------------- the APA table


def test_apa_table(paper):
    found = correlations(paper, reliability={"nps": 0.85})
    apa = found.tables["apa"]
    assert apa.columns.tolist() == ["Variable", "M", "SD", "1", "2", "3"]
    assert apa.to_numpy().tolist() == [
        ["1. engagement", "3.50", "0.50", "–", "", ""],
        ["2. nps", "20.00", "12.00", ".50", "(.85)", ""],
        ["", "", "", "[.34, .63]", "", ""],
        ["3. csat", "4.12", "1.00", ".30", ".40", "–"],
        ["", "", "", "[.11, .47]", "[.22, .55]", ""],
    ]
    latex = dataclasses.replace(found, table=apa).to_latex()
    assert r"2. nps & 20.00 & 12.00 & .50 & (.85) &  \\" in latex
    assert latex.count("llllll") == 1


def test_apa_table_of_several_levels_names_them(panel):
    found = correlations(panel, level=["between", "within"])
    apa, variables = found.tables["apa"], found.tables["variables"]
    assert apa.columns[0] == "Level"
    assert len(apa) == 10
    assert variables["reliability_from"].tolist() == [
        "sampling variances", "not known", "not known",
    ] * 2  # fmt: skip
    expected = eecx.reliability(panel, "engagement").table.set_index("level")["estimate"]
    assert variables["reliability"][0] == pytest.approx(expected["between units"])
    change = expected["change within units over time"]
    assert variables["reliability"][3] == pytest.approx(change)
    assert apa["1"][0] == f"({variables['reliability'][0]:.2f})".replace("0.", ".")


def test_given_reliability_replaces_the_estimate(panel):
    variables = correlations(panel, reliability={"engagement": 1.0}).tables["variables"]
    assert variables["reliability"][0] == 1.0
    assert variables["reliability_from"][0] == "given"
    pooled = correlations(panel).tables["variables"]
    assert pooled["reliability"][0] == pytest.approx(1 - 0.04 / pooled["sd"][0] ** 2)


# ---------------------------------------------------------------------- what is doubted


def codes(result):
    return [w.code for w in result.warnings]


def test_a_stable_column_has_no_correlation_over_time(frame):
    names = ["engagement", "nps", "size"]
    options = {"unit": "store", "wave": "year"}
    found = correlations(frame, names, level=["between", "within"], **options)
    assert codes(found) == ["no-variation"]
    within = found.table[found.table["level"] == "within units over time"]
    assert within["estimate"].isna().tolist() == [False, True, True]
    assert "'size'" in found.warnings[0].message
    assert "–" in found.tables["apa"]["1"].tolist()
    found.plot()
    plt.close("all")
    with pytest.raises(DataError, match=r"'size' does not vary within units over time.*'between'"):
        correlations(frame, names, level="within", **options)


def test_few_clusters_single_waves_and_shared_sources_are_said(frame, panel):
    few = frame[(frame["store"] < "s05") | ((frame["store"] < "s10") & (frame["year"] == 2020))]
    found = correlations(few, COLUMNS, unit="store", wave="year", level="within")
    assert codes(found) == ["few-clusters", "single-wave-units"]
    assert "5 of 10 units have one wave only" in found.warnings[1].message
    assert found.table["n"].tolist() == [20, 20, 20]
    assert codes(correlations(panel)) == ["common-source"]


def test_a_perfect_correlation_is_said(frame):
    twin = frame.assign(twin=2 * frame["nps"] + 1)
    for options in ({}, {"unit": "store", "wave": "year", "level": "within"}):
        found = correlations(twin, ["nps", "twin"], **options)
        assert codes(found) == ["perfect-correlation"]
        assert found.table["estimate"][0] == pytest.approx(1)
    with pytest.raises(DataError, match="A correlation is perfect"):
        compare_correlations(twin, ("nps", "twin"), ("nps", "engagement"))


def test_weighted_rows_are_said(frame):
    cells = eecx.Moments.from_frame(frame, terms=["nps", "csat"], weight="size")
    assert codes(correlations(cells)) == ["weights"]


# ---------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"names": ["engagment", "nps"]}, ColumnError, "names names the column 'engagment'"),
        ({"names": ["engagment", "nps"]}, ColumnError, "Did you mean 'engagement'?"),
        ({"names": ["nps"]}, OptionError, "A correlation needs two columns; names has 'nps'"),
        ({"names": ["nps", "nps"]}, OptionError, "'nps' is named twice"),
        ({"names": ["nps", "region"]}, DataError, "region"),
        ({"names": ["nps", "v"]}, DataError, "'v' is constant over the 140 rows"),
        ({"level": "betwen"}, OptionError, "Did you mean 'between'?"),
        ({"level": ["within", "within"]}, OptionError, "each once"),
        ({"level": "within"}, OptionError, "level='within' needs unit="),
        ({"wave": "year"}, OptionError, "wave= needs unit="),
        ({"unit": "stor"}, ColumnError, "Did you mean 'store'?"),
        ({"unit": 3}, OptionError, "unit=3: the name of one column"),
        ({"cluster": "regon"}, ColumnError, "Did you mean 'region'?"),
        ({"reliability": {"nsp": 0.8}}, OptionError, "Did you mean 'nps'?"),
        ({"reliability": {"nps": 0}}, OptionError, "reliability of 'nps' is 0: above 0 and at"),
        ({"reliability": {"nps": 1.1}}, OptionError, "reliability of 'nps' is 1.1"),
        ({"reliability": {"nps": np.nan}}, OptionError, "reliability of 'nps' is nan"),
        ({"conf_level": 95}, OptionError, "conf_level=95"),
    ],
)
def test_bad_arguments_of_correlations(frame, options, error, message):
    with pytest.raises(error, match=says(message)):
        correlations(frame, **{"names": COLUMNS, **options})


def test_bad_data_of_correlations(frame, panel, paper):
    options = {"unit": "store", "wave": "year"}
    with pytest.raises(DataError, match=says("3 rows have a value for all of 'nps', 'csat'")):
        correlations(frame[:3], ["nps", "csat"])
    with pytest.raises(DataError, match=says("3 units have a value for all of")):
        correlations(frame[:12], ["nps", "csat"], level="between", **options)
    with pytest.raises(DataError, match="2 clusters \\(store\\) pooled"):
        correlations(frame[:8], ["nps", "csat"], **options)
    with pytest.raises(DataError, match="No unit has more than one row"):
        correlations(frame[::4], ["nps", "csat"], level="within", **options)
    with pytest.raises(DataError, match="unit and wave means taken out 1"):
        correlations(
            frame[frame["store"] < "s02"][::2][:4], ["nps", "csat"], level="within", **options
        )
    with pytest.raises(DataError, match="every unit must lie in one cluster"):
        correlations(panel, level="between", cluster="wave")
    with pytest.raises(ColumnError, match=says("names names 'engagment'")):
        correlations(panel, ["engagment", "nps"])
    with pytest.raises(DataError, match=says("'region' holds no numbers")):
        correlations(panel, ["region", "nps"])
    with pytest.raises(OptionError, match="a Panel has its own"):
        correlations(panel, unit="store")
    with pytest.raises(ColumnError, match=says("no term 'engagment'")):
        correlations(paper, ["engagment", "nps"])
    with pytest.raises(ColumnError, match="not kept by 'store'"):
        correlations(paper, unit="store")
    with pytest.raises(OptionError, match="Moments have no order in time"):
        correlations(paper, unit="store", wave="year")
    with pytest.raises(OptionError, match="is the unit or wave"):
        correlations(frame, ["year", "nps"], **options)
    empty = frame.assign(nps=np.nan)
    for given in ({}, options):
        with pytest.raises(DataError):
            correlations(empty, ["nps", "csat"], **given)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "Nothing given. Accepted are data="),
        ({"r_jk": 0.5, "r_jh": 0.3, "n": 50}, "overlapping: r_jk, r_jh, r_kh, n"),
        ({"r1": 1.0, "n1": 50, "r2": 0.3, "n2": 50}, "r1=1.0: a correlation between -1 and 1"),
        ({"r1": 0.5, "n1": 3, "r2": 0.3, "n2": 50}, "n1=3: at least 4 cases"),
        ({"r_jk": 0.9, "r_jh": -0.9, "r_kh": 0.9, "n": 50}, "cannot come from one set of cases"),
        ({"first": ("a", "b")}, "first= needs data="),
    ],
)
def test_bad_numbers_to_compare(arguments, message):
    with pytest.raises(EecxError, match=says(message)):
        compare_correlations(**arguments)


def test_bad_data_to_compare(frame):
    one, two = ("engagement", "nps"), ("engagement", "csat")
    for options, message in (
        ({"first": "nps", "second": two}, "first='nps': two different names"),
        ({"first": one, "second": None}, "second=None: two different names"),
        ({"first": one, "second": one[::-1]}, "first and second are the same pair"),
        ({"first": one, "second": two, "n": 40}, "Give data= or n=, not both"),
        ({"first": one, "second": ("v", "csat")}, "'v' does not vary (pooled)"),
        ({"first": one, "second": ("engagement", "csta")}, "Did you mean 'csat'?"),
        ({"first": one, "second": two, "level": "two-way"}, "level='two-way': accepted are"),
    ):
        with pytest.raises(EecxError, match=says(message)):
            compare_correlations(frame, **options)


def test_clustered_comparison_has_one_row(panel):
    pairs = [("engagement", "nps"), ("engagement", "csat")]
    found = compare_correlations(panel, *pairs, level="within")
    assert found.table["test"].tolist() == ["clustered"]
    assert found.spec["cluster"] == "store"
    assert found.stats["clusters"] == 35
    assert "cluster-robust by store" in found.methods()
    between = compare_correlations(panel, *pairs, level="between")
    assert between.table["test"].tolist()[-1] == "zou2007"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"found": 0.1, "std_error": 0.1, "bound": 0}, "bound=0: a number above 0"),
        ({"found": 0.1, "std_error": 0.1, "bound": -0.2}, "bound=-0.2"),
        ({"found": 0.1, "std_error": 0.1, "bound": 0.2, "alpha": 0.5}, "alpha=0.5: at most 0.25"),
        ({"found": 0.1, "bound": 0.2}, "A number needs its error"),
        ({"found": 0.1, "bound": 0.2, "std_error": -1}, "std_error=-1"),
        ({"found": 0.1, "bound": 0.2, "std_error": 1, "df": 0}, "df=0: a number above 0"),
        ({"found": 0.1, "bound": 0.2, "n": 3}, "at least 4 rows"),
        ({"found": 1.1, "bound": 0.2, "n": 30}, "between -1 and 1"),
        ({"found": 0.1, "bound": 1.2, "n": 30}, "a correlation's bound lies between 0 and 1"),
        ({"found": 0.1, "bound": 0.2, "n": 30, "df": 20}, "n= is for a correlation"),
        ({"found": "0.1", "bound": 0.2}, "An eecx.Result or a number is tested"),
        ({"found": 0.1, "bound": 0.2, "n": 30, "level": "within"}, "level= goes with a Result"),
        ({"found": 0.1, "bound": 0.2, "n": 30, "reliability": 0}, "reliability=0"),
        ({"found": 0.1, "bound": 0.2, "n": 30, "reliability": 1.2}, "above 0 and at most 1"),
    ],
)
def test_bad_arguments_of_equivalence(arguments, message):
    with pytest.raises(OptionError, match=says(message)):
        equivalence(**arguments)


def test_rows_of_results_that_equivalence_refuses(panel):
    fit = eecx.regress(panel, "nps ~ engagement + size")
    r = correlations(panel, level=["between", "within"])
    for found, options, message in (
        (fit, {}, "term=: one of 'engagement', 'size'"),
        (fit, {"term": "engagment"}, "Did you mean 'engagement'?"),
        (fit, {"term": "size", "df": 3}, "go with a number; a Result has its own"),
        (fit, {"term": "size", "level": "between"}, "level='between': there is 'pooled'"),
        (r, {"term": ("nps", "csat")}, "level= is one of 'between units', 'within units"),
        (r, {"term": ("nps", "csta"), "level": "within"}, "Did you mean"),
        (eecx.reliability(panel, "engagement"), {}, "level= is one of 'between units in one wave'"),
        (eecx.alpha(panel.frame, COLUMNS), {"term": "alpha"}, "has no 'df'"),
        (
            eecx.attenuation(panel, "engagement", "nps", draws=0),
            {"term": "slope", "level": "between"},
            "2 rows of attenuation fit. Give the estimate of one with std_error= and df=.",
        ),
    ):
        with pytest.raises(OptionError, match=says(message)):
            equivalence(found, bound=0.1, **options)


def test_too_small_as_observed_is_said_to_be_so():
    alone = equivalence(0.01, n=900, bound=0.2)
    assert codes(alone) == ["as-observed"]
    both = equivalence(0.01, n=900, bound=0.2, reliability=0.8)
    assert both.table["version"].tolist() == ["observed", "corrected"]
    assert codes(both) == []
    poor = equivalence(0.01, n=900, bound=0.2, reliability=0.2)
    assert poor.table["verdict"].tolist() == ["not resolved"] * 2


def test_an_untold_error_resolves_nothing(frame):
    twin = frame.assign(twin=2 * frame["nps"])
    fit = eecx.regress(twin, "twin ~ nps", unit="store", wave="year")
    found = equivalence(fit, "nps", bound=0.5)
    assert found.table["verdict"].tolist() == ["not resolved"]
    assert codes(found) == ["perfect-fit", "no-error"]


# ---------------------------------------------------------------------- people


def test_people_without_waves_are_called_people_of_units(frame):
    """In all tables, texts and cautions; the levels between are as they are."""
    lone = pd.concat([frame, frame.iloc[[0]].assign(store="alone")])
    found = correlations(lone, COLUMNS, unit="store", level=LEVELS)
    words = {"pooled", "between units", "within units, among people"}
    assert set(found.table["level"]) == words
    for name in ("variables", "levels"):
        assert set(found.tables[name]["level"]) == words
    apa = found.tables["apa"]
    assert set(apa["Level"]) == words
    assert (apa.groupby("Level")["Variable"].nunique() == 4).all()
    text = found.methods()
    assert "within units, among people (140 people of 35 units, unit means taken out;" in text
    assert "over time" not in text
    (caution,) = (w for w in found.warnings if w.code == "single-wave-units")
    assert caution.message == (
        "1 of 36 units have one row only; they say nothing within units, among people."
    )
    assert (
        "over time"
        in correlations(frame, COLUMNS, unit="store", wave="year", level="within").methods()
    )


def test_levels_of_people_are_found_by_their_short_name(frame):
    found = correlations(frame, COLUMNS, unit="store", level=LEVELS)
    pair = ("engagement", "nps")
    for level in ("within", "within units, among people"):
        tested = equivalence(found, bound=0.9, term=pair, level=level)
        assert "within units, among people" in str(tested.to_dict())
    with pytest.raises(OptionError, match="there is 'pooled', 'between units', 'within units, am"):
        equivalence(found, bound=0.9, term=pair, level="within units over time")


def test_what_does_not_vary_among_people_is_said_so(frame):
    with pytest.raises(DataError, match="'size' does not vary within units, among people"):
        correlations(frame, ["size", "nps"], unit="store", level="within")
    with pytest.raises(DataError, match=r"'size' does not vary \(within units, among people\)"):
        compare_correlations(frame, ["size", "nps"], ["size", "csat"], unit="store", level="within")
