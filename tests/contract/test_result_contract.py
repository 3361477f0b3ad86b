"""Every public analysis returns the same kind of result, whose JSON keeps the published schema."""

import importlib.util
import inspect
import json
import math
import pickle
import re
import struct
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import FrozenInstanceError
from functools import cache
from pathlib import Path

import jsonschema
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import eecx
from eecx.dossier import bibliography
from eecx.results import NUMBERS, SCHEMA, identifying, labels, number
from eecx.results.record import HOLDS_DATA

spec = importlib.util.spec_from_file_location("registry", Path(__file__).with_name("registry.py"))
registry = importlib.util.module_from_spec(spec)
spec.loader.exec_module(registry)

MADE = registry.results()
FILE = Path(eecx.__file__).parent / "results" / "result-2.schema.json"
PUBLISHED = json.loads(FILE.read_text(encoding="utf-8"))
ROW = PUBLISHED["$defs"]["row"]["properties"]
KEYS = set(PUBLISHED["$defs"]["keys"]["properties"])
STATS = PUBLISHED["$defs"]["stats"]["properties"]
WHOLE = jsonschema.Draft202012Validator(PUBLISHED)
OF_ROW = WHOLE.evolve(schema={**PUBLISHED["$defs"]["row"], "$defs": PUBLISHED["$defs"]})
USERS_WORDS = ("store", "quarter", "engagement", "pride", "theirs", "nps", "q1", "score", "region")


def analysis_of(name: str) -> str:
    return re.split("[ ,]", name)[0]


def function_of(analysis: str):
    return eecx.Result.predict if analysis == "predict" else getattr(eecx, analysis)


def returning_results() -> Iterator[str]:
    """Yield the public functions, and methods of public classes, that say they return a Result."""
    for name in eecx.__all__:
        public = getattr(eecx, name)
        if inspect.isfunction(public):
            found = {name: public}
        elif inspect.isclass(public):
            members = inspect.getmembers(public, inspect.isfunction)
            found = {n: f for n, f in members if not n.startswith("_")}
        else:
            continue
        for own, function in found.items():
            if inspect.signature(function).return_annotation in ("Result", eecx.Result):
                yield own


ANALYSES = sorted(set(returning_results()))


@cache
def result_of(name: str) -> eecx.Result:
    return MADE[name]()


@cache
def json_of(name: str) -> str:
    return result_of(name).to_json()


@cache
def summary_of(name: str) -> str:
    return result_of(name).summary()


@cache
def sent(name: str) -> bytes:
    return pickle.dumps(result_of(name))


def kinds_of(analysis: str) -> list[eecx.Result]:
    return [result_of(name) for name in MADE if analysis_of(name) == analysis]


@pytest.fixture(params=MADE)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def result(name: str) -> eecx.Result:
    return result_of(name)


def test_every_function_that_returns_a_result_is_registered() -> None:
    assert {analysis_of(name) for name in MADE} == set(ANALYSES)


@pytest.mark.parametrize("analysis", ANALYSES)
def test_an_analysis_draws_from_seed_zero_and_explains_itself(analysis: str) -> None:
    function = function_of(analysis)
    parameters = inspect.signature(function).parameters
    assert "rng" not in parameters or parameters["rng"].default == 0
    text = inspect.getdoc(function)
    raises = ["Raises"] if analysis in ("regress", "lag_profile", "mediate") else []
    for heading in ("Parameters", "Returns", *raises, "Examples"):
        assert f"\n{heading}\n{'-' * len(heading)}\n" in text


def test_it_is_a_result_named_for_its_function_that_cannot_be_changed(name, result) -> None:
    assert isinstance(result, eecx.Result)
    assert result.analysis == analysis_of(name)
    with pytest.raises(FrozenInstanceError):
        result.table = None


# ---------------------------------------------------------------------- the table


def test_names_stand_before_the_seven_numbers_and_say_which_row_is_which(result) -> None:
    table, keys = result.table, identifying(result.table)
    assert keys
    assert list(table.columns[len(keys) : len(keys) + 7]) == list(NUMBERS)
    assert table.columns.is_unique
    assert isinstance(table.index, pd.RangeIndex)
    assert not table.duplicated(keys).any()
    if result.analysis != "predict":  # whose rows are named by the user's columns
        assert set(keys) <= KEYS
        for key in keys:
            kind = np.integer | int if key == "lag" else str
            assert all(isinstance(value, kind) for value in table[key])
    for i in range(len(table)):
        label = table.loc[i, keys]
        assert result.row(**label).equals(table.loc[i])
        assert result[tuple(label)].equals(table.loc[i])
    with pytest.raises(eecx.OptionError, match=r"No .* 'nothing'\. There is: "):
        result["nothing"]


def test_the_seven_are_numbers_missing_where_there_is_none(result) -> None:
    table = result.table
    for column in NUMBERS:
        assert table[column].dtype == np.float64
    assert table["p_value"].dropna().between(0, 1).all()
    assert (table["std_error"].dropna() > 0).all()
    told = table.dropna(subset=["conf_low", "conf_high"])
    assert (told["conf_low"] <= told["conf_high"]).all()
    if "interval" in told:  # those of a bootstrap may lie beside the estimate
        assert (told["p_value"] > 0).all()
        told = told[told["interval"] != "bootstrap"]
    told = told.dropna(subset=["estimate"])
    assert (told["conf_low"] <= told["estimate"]).all()
    assert (told["estimate"] <= told["conf_high"]).all()


def test_no_other_name_stands_for_an_agreed_one(result) -> None:
    others = "mean|se|sd_error|t|z|f|p|df1|df2|ci|lower|upper|low|high|value|statistic_.*|p_.*|boot"
    for column in result.table.columns.difference(NUMBERS):
        assert not re.fullmatch(rf"{others}|boot_.*|.*_p|.*conf.*|.*9[05].*", column), column


FIRST = {
    "regress": ["term", "level"],
    "lag_profile": ["lag"],
    "mediate": ["effect", "mediator", "level"],
    "compare": ["model", "term", "level"],
}


@pytest.mark.parametrize("analysis", [a for a in ANALYSES if a != "predict"])
def test_rows_of_one_analysis_are_named_by_the_same_columns(analysis: str) -> None:
    (keys,) = {tuple(identifying(kind.table)) for kind in kinds_of(analysis)}
    assert list(keys) == FIRST.get(analysis, list(keys))


@pytest.mark.parametrize("analysis", ANALYSES)
def test_unused_are_the_columns_that_no_result_fills(analysis: str) -> None:
    kinds = kinds_of(analysis)
    filled = [c for c in NUMBERS if any(kind.table[c].notna().any() for kind in kinds)]
    never = [c for c in NUMBERS if c not in filled]
    for kind in kinds:
        assert kind.table[list(kind.unused)].isna().all(axis=None)
        if analysis == "predict":  # levels have no test, differences have
            assert set(never) <= set(kind.unused)
        else:
            assert list(kind.unused) == never


def test_f_tests_say_both_degrees_of_freedom(result) -> None:
    if result.statistic.startswith("F"):
        tested = result.table["statistic"].notna()
        of_f = tested & ~result.table["term"].str.startswith("r: ")
        assert (result.table["df_denominator"].notna() == of_f).all()
        assert result.table.loc[tested, "df"].notna().all()


def test_vectors_are_named_like_the_table_and_equal_it(result) -> None:
    names = labels(result.table)
    for vector, column in ((result.params, "estimate"), (result.pvalues, "p_value")):
        assert vector.index.equals(names)
        np.testing.assert_array_equal(vector, result.table[column])
    ends = result.conf_int()
    assert ends.index.equals(names)
    np.testing.assert_array_equal(ends, result.table[["conf_low", "conf_high"]])


def test_parts_are_one_a_row(result) -> None:
    whole = result.analysis in ("regress", "compare")
    assert len(result.parts) == (len(result.table) if whole else 0)
    assert set(result.parts) <= {"whole", "within", "between", "contextual", "intercept"}


# ---------------------------------------------------------------------- beside the table


def test_covariance_is_named_like_the_table_and_agrees_with_it(result) -> None:
    vcov = result.vcov
    assert (vcov is not None) == (result.analysis in ("regress", "mediate"))
    if vcov is None:
        return
    names = labels(result.table)
    assert vcov.index.equals(names)
    assert vcov.columns.equals(names)
    np.testing.assert_allclose(vcov, vcov.T, rtol=1e-9, atol=1e-15)
    rows = np.full(len(names), True)
    if result.draws is not None:  # the covariance is that of the draws
        rows = (result.table["interval"] == "bootstrap").to_numpy()
        assert result.draws.columns.equals(names)
    errors = np.sqrt(np.diag(vcov).clip(0))[rows]
    told = result.table["std_error"][rows]
    np.testing.assert_allclose(errors[told.notna()], told.dropna(), rtol=1e-9)


def test_draws_come_with_the_count_of_those_that_failed(result) -> None:
    assert type(result.failed_draws) is int
    if result.analysis == "mediate":
        assert len(result.draws) + result.failed_draws == result.spec["draws"]
    if result.draws is None:
        assert result.failed_draws == 0
    else:
        assert {"draws", "splits"} & set(result.spec)


def test_stats_are_plain_numbers_under_fixed_names(result) -> None:
    assert set(result.stats) <= set(STATS)
    for name, value in result.stats.items():
        assert value is None or type(value) in (int, float), name
        assert value is None or math.isfinite(value), name
        assert not any(word in name for word in USERS_WORDS)


def test_every_fixed_name_is_used_somewhere() -> None:
    assert {name for one in MADE for name in result_of(one).stats} == set(STATS)


def plain(value: object) -> bool:
    """Return whether a value is made of Python's own texts, numbers and collections alone."""
    if type(value) is dict:
        return all(type(k) is str and plain(v) for k, v in value.items())
    if type(value) in (list, tuple):
        return all(map(plain, value))
    return value is None or type(value) in (str, bool, int, float)


def test_spec_records_every_argument_the_data_and_the_versions(name, result) -> None:
    parameters = inspect.signature(function_of(result.analysis)).parameters
    assert set(parameters) - HOLDS_DATA <= set(result.spec)
    assert re.fullmatch("[0-9a-f]{16}", result.spec["data"])
    assert {"python", "eecx", "numpy", "scipy", "pandas"} <= set(result.spec["versions"])
    assert not {"title", "statistic"} & set(result.spec)
    assert plain(dict(result.spec))
    json.dumps(dict(result.spec), allow_nan=False)
    if "conf_level" in result.spec:
        level = 0.9 if name.endswith(", 90%") else 0.95
        assert result.spec["conf_level"] == pytest.approx(level, rel=1e-15)
        assert f"{100 * level:g}% intervals" in summary_of(name)


@pytest.mark.parametrize("analysis", ANALYSES)
def test_spec_has_defaults_as_they_are(analysis: str) -> None:
    for parameter in inspect.signature(function_of(analysis)).parameters.values():
        plain = isinstance(parameter.default, str | int | float)
        if plain and parameter.name not in HOLDS_DATA | {"draws", "splits", "level"}:
            found = [kind.spec[parameter.name] for kind in kinds_of(analysis)]
            assert parameter.default in found, parameter.name


def test_warnings_are_cautions_that_end_with_their_advice(result) -> None:
    for caution in result.warnings:
        assert isinstance(caution, eecx.Caution)
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", caution.code)
        assert caution.message.endswith(caution.fix)
        assert caution.message[-1] in ".?"


def test_tables_of_units_are_keyed_by_unit_whatever_the_users_column(result) -> None:
    if "units" not in result.tables:
        return
    units = result.tables["units"]
    assert units.columns[0] == "unit"
    assert set(units["unit"]) <= set(registry.people()["store"])
    assert not {"store", "quarter"} & set(units)
    keys = [c for c in ("unit", "wave", "measure") if c in units]
    assert keys == list(units.columns[: len(keys)])
    assert not units.duplicated(keys).any()
    if "wave" in units:
        assert set(units["wave"]) == {1, 2, 3}


def test_references_are_in_the_bibliography(result) -> None:
    assert len(bibliography(result.references)) == len(result.references)


# ---------------------------------------------------------------------- printed and exported


def plain_text(text: str) -> bool:
    """Return whether text has no p of 0, no "nan", and no number as NumPy writes it."""
    return not re.search(r"\bp (=|<) 0(\.0*)?(?![\d.])|_p 0\b|\bnan\b|np\.\w+\(|\binf\b", text)


def test_methods_are_a_paragraph_with_the_numbers(name, result) -> None:
    text = result.methods()
    assert text.endswith(".")
    assert "\n" not in text
    assert plain_text(text)
    if result.analysis in ("regress", "mediate", "lag_profile"):
        family = "link" in result.spec  # whose slopes are said in units of the outcome
        table = result.tables["marginal_effects"] if family else result.table
        assert f"{table['estimate'].iloc[-1]:.3g}" in text
    told = result.table[["conf_low", "conf_high"]].notna().any(axis=None)
    if told and "conf_level" in inspect.signature(function_of(result.analysis)).parameters:
        assert re.search(rf"\b{100 * result.spec['conf_level']:g}% (CI|intervals)", text)


def test_summary_shows_the_used_columns_and_the_title(name, result) -> None:
    text = summary_of(name)
    assert repr(result) == text
    assert text.startswith(f"{result.analysis}: {result.title}")
    assert result.title
    assert plain_text(text)
    if result.side_by_side is None:
        head = text.splitlines()[1].split()
        for column, heading in (("p_value", "p"), ("std_error", "SE"), ("conf_low", "conf_low")):
            assert (heading in head) == (column not in result.unused)
        for label in result.table.iloc[:, 0]:
            assert (label if isinstance(label, str) else number(label)) in text
    assert all(len(line) < 200 for line in text.splitlines()[: rows_printed(result) + 2])


def rows_printed(result: eecx.Result) -> int:
    return len(result.table if result.side_by_side is None else result.side_by_side)


def test_latex_has_a_row_for_every_printed_row(result) -> None:
    text = result.to_latex()
    assert text.startswith("\\begin{tabular}{")
    assert text.count("\\\\\n") == rows_printed(result) + 1
    assert [text.count(rule) for rule in ("toprule", "midrule", "bottomrule")] == [1, 1, 1]


def test_html_has_one_table(result) -> None:
    page = result._repr_html_()
    assert page.count("<table") == page.count("</table>") == 1
    assert page.count("<tr") == rows_printed(result) + 1
    assert plain_text(page)


def test_json_is_strict_and_keeps_the_schema(name, result) -> None:
    content = json.loads(json_of(name))
    assert content == result.to_dict()
    WHOLE.validate(content)
    assert content["schema"] == SCHEMA == PUBLISHED["properties"]["schema"]["const"]
    assert content["methods"] == result.methods()
    table = content["table"]
    assert table["columns"] == list(result.table.columns)
    assert len(table["rows"]) == len(result.table)
    for row in table["rows"]:
        OF_ROW.validate(dict(zip(table["columns"], row, strict=True)))


# ---------------------------------------------------------------------- the schema


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(PUBLISHED)
    assert [c for c in ROW if c in NUMBERS] == list(NUMBERS)
    assert {"label", "unit_of_measure"} < set(ROW)


def test_the_schema_says_what_everything_means() -> None:
    def described(of: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
        for own in of.get("properties", {}).values():
            bare = "$ref" in own and "description" not in own
            yield PUBLISHED["$defs"][own["$ref"].split("/")[-1]] if bare else own
            yield from described(own)

    for definition in (PUBLISHED, *PUBLISHED["$defs"].values()):
        assert definition["description"]
    for name in ("row", "keys", "stats", "spec", "caution"):
        assert all(own["description"] for own in described(PUBLISHED["$defs"][name])), name
    assert all(own["description"] for own in described(PUBLISHED))


@pytest.mark.parametrize(
    "broken",
    [
        {"schema": "eecx.result/1"},
        {"stats": {"n": "many"}},
        {"stats": {"store": 3}},
        {"stats": {"units": 2.5}},
        {"table": {"columns": ["term", "estimate"], "rows": []}},
        {"table": {"columns": ["term", *NUMBERS], "rows": [[[1]]]}},
        {"tables": {"units": {"columns": ["store", "n"], "rows": []}}},
        {"vcov": {"columns": ["x"], "rows": [[1.0]]}},
        {"spec": {"versions": {}}},
        {"warnings": [{"code": "Few Units", "message": "x", "concerns": "", "fix": ""}]},
        {"warnings": [{"code": "few-units", "message": "x"}]},
        {"methods": "No end"},
        {"failed_draws": None},
        {"draws": []},
    ],
)
def test_the_schema_refuses_what_is_no_result(broken) -> None:
    content = json.loads(json_of("regress pooled"))
    WHOLE.validate(content)
    with pytest.raises(jsonschema.ValidationError):
        WHOLE.validate({**content, **broken})


def test_measures_may_have_a_label_and_a_unit() -> None:
    row = dict.fromkeys(NUMBERS, 1.0) | {"label": "Engagement", "unit_of_measure": "points"}
    OF_ROW.validate(row)
    with pytest.raises(jsonschema.ValidationError):
        OF_ROW.validate(row | {"unit_of_measure": 5})


# ---------------------------------------------------------------------- sent, repeated, and silent


def test_they_are_the_same_after_pickling_and_draw(name, result) -> None:
    again = pickle.loads(sent(name))
    assert again.to_json() == json_of(name)
    assert again.summary() == summary_of(name)
    pd.testing.assert_frame_equal(again.table, result.table)
    assert isinstance(again.plot(), Axes | Figure)
    figure = Figure()
    assert result.plot(ax=figure.add_subplot()).figure is figure
    plt.close("all")


def test_equal_calls_at_once_give_equal_results(name) -> None:
    json_of(name)  # what is cached is made
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: MADE[name](), range(4)))
    for one in found:
        assert one.to_json() == json_of(name)
        assert pickle.loads(pickle.dumps(one)).analysis == one.analysis


def test_they_hold_no_data(name) -> None:
    content = sent(name)
    for module in (b"eecx.survey", b"eecx.panel", b"eecx.frames", b"eecx.moments"):
        assert module not in content
    written = f"{registry.SECRET:.12g}"
    assert written.encode() not in content
    assert written not in json_of(name)
    for order in "<>":
        assert struct.pack(f"{order}d", registry.SECRET) not in content


@pytest.mark.parametrize("name", registry.of_people())
def test_they_do_not_grow_with_people(name: str) -> None:
    more = pickle.dumps(registry.of_people(times=10)[name]())
    assert len(more) < 1.1 * len(sent(name)) + 100


# ---------------------------------------------------------------------- one by one


def test_models_say_what_they_rest_on() -> None:
    for analysis in ("regress", "lag_profile", "mediate"):
        for kind in kinds_of(analysis):
            assert {"units", "waves"} <= set(kind.stats)
            assert "n" in kind.stats or "n" in kind.table.columns
    assert result_of("regress pooled").stats["units"] == 24


def test_one_sided_tests_are_rows() -> None:
    sides = result_of("equivalence of a slope, 90%").tables["one_sided"]
    assert list(sides.columns) == [
        "term", "version", "side", "bound", "statistic", "df", "p_value",
    ]  # fmt: skip
    assert sides["side"].tolist() == ["lower", "upper"] * 2
    rows = result_of("equivalence of a slope, 90%").table
    larger = sides.groupby("version", sort=False)["p_value"].max()
    assert larger.tolist() == rows["p_value"].tolist()
    assert rows["verdict"].nunique() == 1


def test_bootstrap_intervals_stand_beside_those_of_the_table() -> None:
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


def test_groups_are_units_in_their_waves() -> None:
    stats = result_of("icc").stats
    assert (stats["units"], stats["waves"], stats["groups"]) == (10, 3, 30)
    assert (stats["n"], stats["withheld"]) == (286, 2)
    alone = result_of("icc of a column, 90%").stats
    assert (alone["units"], alone["waves"], alone["groups"]) == (10, None, 10)
    agreed = result_of("rwg")
    assert agreed.table["groups"].tolist() == [28] * 4
    assert {k: agreed.stats[k] for k in ("units", "waves", "groups", "withheld", "n")} == {
        "units": 10, "waves": 3, "groups": 30, "withheld": 2, "n": 280,
    }  # fmt: skip
    assert result_of("aggregation").stats == {
        "units": 10, "waves": 3, "groups": 30, "withheld": 2,
    }  # fmt: skip


def test_spec_says_what_defaults_came_to() -> None:
    found = result_of("icc").spec
    assert (found["unit"], found["wave"]) == ("store", "quarter")
    sums = result_of("rwg of sums").spec
    assert list(sums["items"]) == list(sums["columns"]) == registry.ITEMS
    scale = result_of("alpha").spec
    assert (scale["items"], list(scale["columns"])) == ("engagement", registry.ITEMS)
    assert list(scale["range"]) == [1, 5]
    assert result_of("reliability").spec["population"] is None
    known = result_of("reliability of a panel, 90%").spec["population"]
    assert re.fullmatch("[0-9a-f]{16}", known)
    assert result_of("equivalence of a number, 90%").spec["found"] == 0.02
    assert result_of("equivalence of a slope, 90%").spec["of"]["formula"] == "nps ~ engagement"
    assert result_of("aggregation").spec["of"]["unit"] == "store"


ASKED = {
    "regress two-way": {"formula": "cx ~ lag(ex) + ex", "effects": "two-way", "vcov": "CR1"},
    "regress wild": {"vcov": "wild", "cluster": "region", "draws": 99, "rng": 0},
    "regress sampling": {"weights": {"sampling": "w"}, "effects": "within", "vcov": "CR2"},
    "regress poisson": {"family": "poisson", "cluster": "region", "vcov": "CR1"},
    "regress mixed, 90%": {"effects": "mixed", "random": "1 + ex", "method": "reml"},
    "mediate by two, 90%": {"x": "ex", "m": ["m", "size"], "y": "cx", "rng": 1, "draws": 99},
    "lag_profile": {"lags": [-1, 0, 1], "cluster": "store"},
    "wald of levels": {"equal": True, "values": None},
    "compare of many kinds": {"names": ["a", "b", "c", "d"], "digits": 2},
    "predict a new one": {"interval": "new", "at": ["ex", "m"], "unit_means": None},
    "correlations of sums": {"reliability": {"q1": 0.8}, "level": ["pooled"]},
    "random_groups": {"draws": 99, "rng": 0},
    "rwg of one item": {"null": ["normal", 1.5], "range": [1, 5]},
}


@pytest.mark.parametrize("name", ASKED)
def test_spec_says_what_was_asked_as_it_was(name: str) -> None:
    content = json.loads(json_of(name))["spec"]
    assert {argument: content[argument] for argument in ASKED[name]} == ASKED[name]


def test_spec_says_which_fits_were_given() -> None:
    fit, other = result_of("regress pooled").spec, result_of("regress sampling").spec
    assert result_of("wald").spec["of"] == fit
    assert result_of("predict").spec["of"] == fit
    assert result_of("wald").spec["data"] == result_of("predict").spec["data"] == fit["data"]
    assert result_of("compare of many kinds").spec["of"][1] == other
    asked = result_of("predict with unit means").spec
    assert asked["at"] == asked["unit_means"] == ["ex", "m"]
    assert asked["reference"] is None
    assert result_of("predict a difference").spec["reference"] == ["ex"]


def test_p_values_that_underflow_are_said_to_be_small() -> None:
    assert result_of("icc far apart").table["p_value"][0] < 1e-300
    assert "p < .001" in result_of("icc far apart").methods()
    assert "< .001" in result_of("random_groups far apart").summary()
    assert "p = .010" in result_of("random_groups far apart").methods()
    assert result_of("equivalence beyond doubt, 90%").table["p_value"][0] == 0
    assert "larger p < .001" in result_of("equivalence beyond doubt, 90%").methods()
