"""Results of agreement, reliability and comparison keep the one contract of results."""

import ast
import importlib.util
import inspect
import json
import math
import pickle
import re
import struct
from functools import cache
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import eecx
from eecx.results import NUMBERS, SCHEMA, identifying
from eecx.results.record import HOLDS_DATA

spec = importlib.util.spec_from_file_location("registry", Path(__file__).with_name("registry.py"))
registry = importlib.util.module_from_spec(spec)
spec.loader.exec_module(registry)

MADE = registry.agreement_results()
ANALYSES = sorted({name.split(" ")[0] for name in MADE})
USERS_WORDS = ("store", "quarter", "engagement", "pride", "theirs", "nps", "q1", "score")
STATS = {
    "n", "n1", "n2", "units", "waves", "groups", "clusters", "items", "occasions", "left_out",
    "withheld", "without_variance", "k0", "k_mean", "msb", "msw", "tau2", "sigma2", "chi2",
    "chi2_df", "chi2_p", "normal_p", "gap_sd", "gap_sd_net", "covariance_all_splits", "detectable",
}  # fmt: skip
SETTLED = {"unit", "wave", "items", "columns", "range", "reverse", "halves", "measures", "norm"}
SETTLED |= {"reliability", "term", "level", "cluster"}
"""Arguments whose default depends on others: the record says what they came to."""


@cache
def result_of(name):
    return MADE[name]()


@pytest.fixture(params=MADE)
def result(request):
    return result_of(request.param)


@pytest.mark.parametrize("name", MADE)
def test_it_is_a_result_named_for_its_function(name):
    found = result_of(name)
    assert isinstance(found, eecx.Result)
    assert found.analysis == name.split(" ")[0]
    assert found.to_dict()["schema"] == SCHEMA == "eecx.result/2"


# ---------------------------------------------------------------------- the table


def test_names_stand_before_the_seven_numbers_and_say_which_row_is_which(result):
    table, keys = result.table, identifying(result.table)
    assert keys
    assert list(table.columns[len(keys) : len(keys) + 7]) == list(NUMBERS)
    assert table.columns.is_unique
    assert isinstance(table.index, pd.RangeIndex)
    for key in keys:
        assert all(isinstance(value, str) for value in table[key])
    assert not table.duplicated(keys).any()
    for i in range(len(table)):
        labels = table.loc[i, keys]
        assert result.row(**labels).equals(table.loc[i])
        assert result[tuple(labels)].equals(table.loc[i])


def test_the_seven_are_numbers_missing_where_there_is_none(result):
    for column in NUMBERS:
        assert result.table[column].dtype == np.float64
    assert result.table["p_value"].dropna().between(0, 1).all()
    told = result.table.dropna(subset=["conf_low", "estimate", "conf_high"])
    assert (told["conf_low"] <= told["estimate"]).all()
    assert (told["estimate"] <= told["conf_high"]).all()


def test_no_other_name_stands_for_an_agreed_one(result):
    others = "mean|se|sd_error|t|z|f|p|df1|df2|ci|lower|upper|low|high|value|statistic_.*|p_.*|boot"
    for column in result.table.columns.difference(NUMBERS):
        assert not re.fullmatch(f"{others}|boot_.*|.*_p|.*conf.*", column), column


@pytest.mark.parametrize("analysis", ANALYSES)
def test_unused_are_the_columns_that_no_result_fills(analysis):
    kinds = [result_of(name) for name in MADE if name.split(" ")[0] == analysis]
    filled = [c for c in NUMBERS if any(kind.table[c].notna().any() for kind in kinds)]
    for kind in kinds:
        assert list(kind.unused) == [c for c in NUMBERS if c not in filled]


def test_f_tests_say_both_degrees_of_freedom(result):
    if result.statistic.startswith("F"):
        tested = result.table["statistic"].notna()
        of_f = tested & ~result.table["term"].str.startswith("r: ")
        assert (result.table["df_denominator"].notna() == of_f).all()
        assert result.table.loc[tested, "df"].notna().all()


def test_tables_of_units_are_keyed_by_unit_whatever_the_users_column(result):
    if "units" not in result.tables:
        return
    units = result.tables["units"]
    assert units.columns[0] == "unit"
    assert set(units["unit"]) <= set(registry.people()["store"])
    assert "store" not in units
    assert "quarter" not in units
    keys = [c for c in ("unit", "wave", "measure") if c in units]
    assert keys == list(units.columns[: len(keys)])
    assert not units.duplicated(keys).any()
    if "wave" in units:
        assert set(units["wave"]) == {1, 2, 3}


def test_one_sided_tests_are_rows():
    sides = result_of("equivalence").tables["one_sided"]
    assert list(sides.columns) == [
        "term", "version", "side", "bound", "statistic", "df", "p_value",
    ]  # fmt: skip
    assert sides["side"].tolist() == ["lower", "upper"] * 2
    rows = result_of("equivalence").table
    larger = sides.groupby("version", sort=False)["p_value"].max()
    assert larger.tolist() == rows["p_value"].tolist()
    assert rows["verdict"].nunique() == 1


def test_bootstrap_intervals_stand_beside_those_of_the_table():
    found = result_of("attenuation")
    keys = identifying(found.table)
    of = dict(tuple(found.tables["intervals"].groupby("interval")))
    assert set(of) == {"delta method", "bootstrap"}
    ends = ["conf_low", "conf_high"]
    pd.testing.assert_frame_equal(
        of["delta method"][[*keys, *ends]].reset_index(drop=True), found.table[[*keys, *ends]]
    )
    assert len(of["bootstrap"]) == len(found.table)
    assert of["bootstrap"]["failed_draws"].max() == found.failed_draws


# ---------------------------------------------------------------------- what stands beside it


def test_stats_are_numbers_under_fixed_names(result):
    assert set(result.stats) <= STATS
    for name, value in result.stats.items():
        assert value is None or type(value) in (int, float), name
        assert value is None or math.isfinite(value)
        assert not any(word in name for word in USERS_WORDS)


def test_groups_are_units_in_their_waves():
    stats = result_of("icc").stats
    assert (stats["units"], stats["waves"], stats["groups"]) == (10, 3, 30)
    assert (stats["n"], stats["withheld"]) == (286, 2)
    alone = result_of("icc of a column").stats
    assert (alone["units"], alone["waves"], alone["groups"]) == (10, None, 10)
    agreed = result_of("rwg")
    assert agreed.table["groups"].tolist() == [28] * 4
    assert {k: agreed.stats[k] for k in ("units", "waves", "groups", "withheld", "n")} == {
        "units": 10, "waves": 3, "groups": 30, "withheld": 2, "n": 280,
    }  # fmt: skip
    assert result_of("aggregation").stats == {
        "units": 10, "waves": 3, "groups": 30, "withheld": 2,
    }  # fmt: skip


def test_spec_records_every_argument_the_data_and_the_versions(result):
    arguments = inspect.signature(getattr(eecx, result.analysis)).parameters
    assert set(arguments) - HOLDS_DATA <= set(result.spec)
    assert re.fullmatch("[0-9a-f]{16}", result.spec["data"])
    assert {"python", "eecx", "numpy", "pandas"} <= set(result.spec["versions"])
    assert not {"title", "statistic"} & set(result.spec)
    json.dumps(dict(result.spec), allow_nan=False)  # plain values only


def test_spec_has_defaults_as_they_are_and_what_they_came_to():
    found = result_of("icc").spec
    defaults = inspect.signature(eecx.icc).parameters
    assert found["conf_level"] == defaults["conf_level"].default
    assert (found["unit"], found["wave"]) == ("store", "quarter")
    assert result_of("icc of a column").spec["conf_level"] == 0.9
    sums = result_of("rwg of sums").spec
    assert list(sums["items"]) == list(sums["columns"]) == registry.ITEMS
    scale = result_of("alpha").spec
    assert (scale["items"], scale["columns"]) == ("engagement", registry.ITEMS)
    assert list(scale["range"]) == [1, 5]
    assert result_of("reliability").spec["population"] is None
    assert re.fullmatch("[0-9a-f]{16}", result_of("reliability of a panel").spec["population"])
    assert result_of("equivalence of a number").spec["found"] == 0.02
    assert result_of("equivalence").spec["of"]["formula"] == "nps ~ engagement"
    assert result_of("aggregation").spec["of"]["unit"] == "store"


@pytest.mark.parametrize("analysis", ANALYSES)
def test_chance_starts_from_zero(analysis):
    parameters = inspect.signature(getattr(eecx, analysis)).parameters
    assert "rng" not in parameters or parameters["rng"].default == 0


def test_they_are_the_same_after_pickling_and_draw(result):
    again = pickle.loads(pickle.dumps(result))
    assert again.to_json() == result.to_json()
    assert again.summary() == result.summary()
    pd.testing.assert_frame_equal(again.table, result.table)
    again.plot()
    plt.close("all")


def test_cautions_end_with_their_advice(result):
    for caution in result.warnings:
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", caution.code)
        assert caution.message.endswith(caution.fix)
        assert caution.message[-1] in ".?"


def test_they_hold_no_data(result):
    content = pickle.dumps(result)
    for module in (b"eecx.survey", b"eecx.panel", b"eecx.frames", b"eecx.moments"):
        assert module not in content
    assert struct.pack("<d", registry.SECRET) not in content


# ---------------------------------------------------------------------- what is printed


def test_summary_shows_the_used_columns_and_the_title(result):
    text = result.summary()
    assert text.startswith(f"{result.analysis}: {result.title}")
    head = text.splitlines()[1].split()
    for column, heading in (("p_value", "p"), ("std_error", "SE"), ("conf_low", "conf_low")):
        assert (heading in head) == (column not in result.unused)
    assert "nan" not in text
    assert all(len(line) < 200 for line in text.splitlines()[:-1] if "Warning" not in line)


def test_no_p_of_zero_is_printed(result):
    text = " ".join((result.summary(), result.methods()))
    assert not re.search(r"\bp (=|<) 0(\.0*)?\b|_p 0\b", text)
    if "far apart" in result.title or result.title == "apart":
        assert "< .001" in text or "p = .010" in text


def test_p_values_that_underflow_are_said_to_be_small():
    assert result_of("icc far apart").table["p_value"][0] < 1e-300
    assert "p < .001" in result_of("icc far apart").methods()
    assert result_of("equivalence beyond doubt").table["p_value"][0] == 0
    assert "larger p < .001" in result_of("equivalence beyond doubt").methods()


# ---------------------------------------------------------------------- errors

SRC = Path(eecx.__file__).parent
FILES = [
    SRC / "options.py",
    *sorted((SRC / "agreement").glob("*.py")),
    *(
        SRC / "association" / f"{n}.py"
        for n in ANALYSES
        if (SRC / "association" / f"{n}.py").exists()
    ),
]


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_every_error_has_a_code_and_says_what_to_do(path):
    errors = {"DataError", "OptionError", "ColumnError"}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in errors:
            given = {k.arg: k.value for k in node.keywords}
            assert {"code", "fix"} <= set(given), f"{path.name}:{node.lineno}"
            codes = [n.value for n in ast.walk(given["code"]) if isinstance(n, ast.Constant)]
            for code in [c for c in codes if isinstance(c, str)]:
                assert re.fullmatch(r"[a-z]+(-[a-z]+)*", code)


TAKES_MINIMUM = {
    "rwg": lambda n: eecx.rwg(registry.survey(), "engagement", disclosure_n=n),
    "ad_index": lambda n: eecx.ad_index(registry.survey(), "engagement", disclosure_n=n),
    "awg": lambda n: eecx.awg(registry.survey(), "engagement", disclosure_n=n),
    "icc": lambda n: eecx.icc(registry.survey(), "engagement", disclosure_n=n),
    "aggregation": lambda n: eecx.aggregation(registry.survey(), disclosure_n=n),
}


@pytest.mark.parametrize("name", TAKES_MINIMUM)
@pytest.mark.parametrize("least", [True, float("nan"), "5", None, 2.5, math.inf, 0, -1, [5]])
def test_a_minimum_of_respondents_that_would_hide_nothing_is_refused(name, least):
    with pytest.raises(eecx.OptionError, match=r"disclosure_n=.*at least 1") as caught:
        TAKES_MINIMUM[name](least)
    assert caught.value.code in ("wrong-type", "out-of-range")
    assert caught.value.fix == "Leave it out for 5, which is usual."


@pytest.mark.parametrize("least", [6.0, np.int64(6)])
def test_whole_numbers_of_other_types_are_taken(least):
    expected = TAKES_MINIMUM["icc"](6).tables["units"]
    pd.testing.assert_frame_equal(TAKES_MINIMUM["icc"](least).tables["units"], expected)


def test_takes_minimum_names_all_that_do():
    takers = {
        a for a in ANALYSES if "disclosure_n" in inspect.signature(getattr(eecx, a)).parameters
    }
    assert takers == set(TAKES_MINIMUM)


PEOPLE = registry.people()
NONE = PEOPLE.iloc[:0]
KEYS = {"unit": "store", "range": (1, 5)}
ONE_ARGUMENT = [
    (lambda: eecx.icc(PEOPLE, ["q1", "q2"], unit="store"), "wrong-type", "call once for each"),
    (lambda: eecx.icc(PEOPLE, "q1", unit=["store", "quarter"]), "wrong-type", "make one of them"),
    (lambda: eecx.icc(PEOPLE, "q1", unit="store", wave="store"), "named-twice", "Leave wave= out"),
    (lambda: eecx.icc(PEOPLE, "store", unit="store"), "named-twice", "column of the scores"),
    (lambda: eecx.random_groups(PEOPLE, ["q1"], unit="store"), "wrong-type", "Give one name"),
    (lambda: eecx.rwg(NONE, "q1", **KEYS), "no-rows", "The data frame has no rows"),
    (lambda: eecx.awg(NONE, "q1", **KEYS), "no-rows", "The data frame has no rows"),
    (lambda: eecx.ad_index(NONE, "q1", **KEYS), "no-rows", "The data frame has no rows"),
    (lambda: eecx.rwg(PEOPLE, 3, **KEYS), "wrong-type", "Give names, as in items="),
    (lambda: eecx.rwg(PEOPLE, "q1", **KEYS, null=None), "wrong-type", "a variance above 0"),
    (lambda: eecx.rwg(PEOPLE, "q1", **KEYS, null=True), "wrong-type", "a variance above 0"),
    (lambda: eecx.ad_index(PEOPLE, "q1", **KEYS, around=[]), "not-accepted", "each once"),
    (lambda: eecx.ad_index(PEOPLE, "q1", **KEYS, around=None), "wrong-type", "Give names"),
    (lambda: eecx.reliability(registry.survey(), 3), "wrong-type", "Give names, as in measures"),
    (lambda: eecx.reliability(registry.survey(), target="a"), "out-of-range", "out for 0.7"),
    (lambda: eecx.aggregation(registry.survey(), 3), "wrong-type", "Give names, as in measures"),
    (lambda: eecx.split_sample(registry.survey(), ["pride"], "pride"), "wrong-type", "one name"),
    (lambda: eecx.split_half(PEOPLE, ["q1", "q2"], halves=3), "wrong-type", "halves="),
    (
        lambda: eecx.split_half(PEOPLE, ["q1", "q2"], halves=(["q1", "q2"], [])),
        "not-accepted",
        r"Leave it out for \['q1'\] and \['q2'\]",
    ),
    (lambda: eecx.test_retest(PEOPLE, 3), "wrong-type", "Give names, as in columns"),
    (lambda: eecx.test_retest(PEOPLE, ["q1", "q1"]), "named-twice", "Name each once"),
    (
        lambda: eecx.reliability(registry.survey(), ["pride", "pride"]),
        "named-twice",
        "measures= names 'pride' twice",
    ),
    (
        lambda: eecx.aggregation(registry.survey(), ["pride", "pride"]),
        "named-twice",
        "measures= names 'pride' twice",
    ),
    (lambda: eecx.instability(registry.panel(), "nps", norm="a"), "wrong-type", "Leave it out"),
    (lambda: eecx.spearman_brown("a", 2), "wrong-type", "reliability=0.7"),
    (lambda: eecx.spearman_brown(0.5, math.nan), "out-of-range", "a factor above 0"),
    (lambda: eecx.spearman_brown(-1.0, 2), "out-of-range", "no counterpart"),
    (
        lambda: eecx.attenuation(registry.panel(), "engagement", "nps", draws=1.5),
        "out-of-range",
        "Leave it out for 2000",
    ),
    (lambda: eecx.attenuation(PEOPLE, "q1", "q2", reliability=3), "wrong-type", "'q1': 0.8"),
    (
        lambda: eecx.attenuation(PEOPLE, "q1", "q2", reliability={"q1": "a"}),
        "out-of-range",
        "above 0 and at most 1",
    ),
    (lambda: eecx.compare_correlations(PEOPLE, ("q1", "q2"), 3), "wrong-type", "Name two"),
    (
        lambda: eecx.compare_correlations(r1="a", n1=50, r2=0.1, n2=30),
        "wrong-type",
        "such as r1=0.3",
    ),
]


@pytest.mark.parametrize(("call", "code", "text"), ONE_ARGUMENT)
def test_what_can_be_no_argument_is_refused_with_advice(call, code, text):
    with pytest.raises(eecx.EecxError, match=text) as caught:
        call()
    assert caught.value.code == code
    assert caught.value.fix
    assert str(caught.value).endswith(caught.value.fix)


@pytest.mark.parametrize("ends", [(1,), (1, 2, 3), 5, "15", (1, None), ("a", "b"), (1, math.nan)])
@pytest.mark.parametrize(
    "call",
    [
        lambda r: eecx.rwg(PEOPLE, "q1", unit="store", range=r),
        lambda r: eecx.awg(registry.sums("store"), "q1", unit="store", range=r),
        lambda r: eecx.alpha(PEOPLE, registry.ITEMS, range=r),
    ],
)
def test_a_range_is_two_numbers(call, ends):
    with pytest.raises(eecx.OptionError, match="is no range of answers") as caught:
        call(ends)
    assert caught.value.fix == "Give the lowest and the highest answer, as in range=(1, 5)."
