"""Every public analysis returns the same kind of result."""

import inspect
import json
import re
from dataclasses import FrozenInstanceError

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import eecx
from eecx.dossier import bibliography
from eecx.results import SCHEMA, identifying

NUMBERS = ["estimate", "std_error", "statistic", "df", "p_value", "conf_low", "conf_high"]
KEYS = {"regress": "term", "lag_profile": "lag", "mediate": "effect"}
CHOICES = {"rng", "ax", "panel", "data"}  # arguments that are kept in another form


@pytest.fixture(scope="module")
def panel():
    sim = eecx.simulate.panel(
        units=30,
        waves=4,
        missing=0.1,
        mediator=eecx.simulate.Mediator(a=0.4, b=0.4, lag=0),
        rng=2,
    )
    frame = sim.frame.assign(k=np.random.default_rng(1).normal(size=len(sim.frame)))
    return eecx.Panel.from_frame(
        frame, unit="unit", wave="wave", employee=["ex", "m"], customer=["cx"], covariates=["k"]
    )


@pytest.fixture(
    scope="module",
    params=[
        "regress",
        "regress between",
        "regress two-way",
        "lag_profile",
        "mediate",
        "mediate two mediators",
        "mediate classical",
    ],
)
def made(request, panel):
    """The analysis and its result, at 90% confidence."""
    level = {"conf_level": 0.9}
    few = {**level, "draws": 99, "rng": 1}
    analysis, result = {
        "regress": lambda: (eecx.regress, eecx.regress(panel, "cx ~ ex + k", **level)),
        "regress between": lambda: (
            eecx.regress,
            eecx.regress(panel, "cx ~ ex", effects="between", **level),
        ),
        "regress two-way": lambda: (
            eecx.regress,
            eecx.regress(panel, "cx ~ ex", effects="two-way", vcov="CR1", **level),
        ),
        "lag_profile": lambda: (eecx.lag_profile, eecx.lag_profile(panel, "ex", "cx", **level)),
        "mediate": lambda: (eecx.mediate, eecx.mediate(panel, "ex", "m", "cx", **few)),
        "mediate two mediators": lambda: (
            eecx.mediate,
            eecx.mediate(panel, "ex", ["m", "k"], "cx", effects="within", **few),
        ),
        "mediate classical": lambda: (
            eecx.mediate,
            eecx.mediate(panel, "ex", "m", "cx", vcov="classical", covariates="k", **few),
        ),
    }[request.param]()
    return analysis, result


@pytest.fixture(scope="module")
def result(made):
    return made[1]


def test_it_is_a_result_that_cannot_be_changed(result):
    assert isinstance(result, eecx.Result)
    with pytest.raises(FrozenInstanceError):
        result.table = None


def test_it_is_named_for_the_function(made):
    analysis, result = made
    assert result.analysis == analysis.__name__


def test_table_has_its_key_first_and_the_usual_numbers(result):
    table = result.table
    assert table.columns[0] == KEYS[result.analysis]
    at = [table.columns.get_loc(c) for c in NUMBERS]
    assert at == list(range(at[0], at[0] + len(NUMBERS)))
    for column in NUMBERS:
        assert pd.api.types.is_float_dtype(table[column])
    assert isinstance(table.index, pd.RangeIndex)
    assert not any("90" in c or "0.9" in c for c in table.columns)


def test_intervals_hold_their_estimates_and_p_is_a_share(result):
    table = result.table
    assert (table["conf_low"] < table["conf_high"]).all()
    of_t = table[table["interval"] == "t"] if "interval" in table else table
    assert ((of_t["conf_low"] < of_t["estimate"]) & (of_t["estimate"] < of_t["conf_high"])).all()
    assert table["p_value"].between(0, 1, inclusive="right").all()
    assert (table["std_error"] > 0).all()


def test_spec_has_every_argument_the_data_and_the_versions(made):
    analysis, result = made
    kept = {"formula": "formula", **result.spec}
    for name in inspect.signature(analysis).parameters:
        if name not in CHOICES and name not in ("unit", "wave"):
            assert name in kept
    assert result.spec["conf_level"] == 0.9
    assert re.fullmatch(r"[0-9a-f]{16}", result.spec["data"])
    assert {"python", "eecx", "numpy", "pandas"} <= set(result.spec["versions"])


def test_stats_say_what_it_rests_on(result):
    assert {"units", "waves"} <= set(result.stats)
    assert result.stats["units"] == 30
    assert "n" in result.stats or "n" in result.table.columns


def test_covariance_is_labelled_like_the_table_and_agrees_with_it(result):
    if result.analysis == "lag_profile":  # each lag is a fit of its own
        assert result.vcov is None
        return
    vcov = result.vcov
    assert list(vcov.index) == list(vcov.columns)
    assert len(vcov) == len(result.table)
    np.testing.assert_allclose(vcov, vcov.T)
    bootstrapped = result.table.get("interval", pd.Series("t", result.table.index)) == "bootstrap"
    errors = np.sqrt(np.diag(vcov))
    rows = bootstrapped if result.draws is not None else ~bootstrapped
    np.testing.assert_allclose(errors[rows], result.table.loc[rows, "std_error"], rtol=1e-9)


def test_draws_come_with_the_count_of_those_that_failed(result):
    if result.analysis != "mediate":
        assert result.draws is None
        assert result.failed_draws == 0
        return
    assert len(result.draws) + result.failed_draws == result.spec["draws"]
    assert list(result.draws.columns) == list(result.vcov.columns)


def test_warnings_are_cautions_with_a_code_and_a_sentence(result):
    for caution in result.warnings:
        assert isinstance(caution, eecx.Caution)
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", caution.code)
        assert caution.message.endswith(".")


def test_json_is_strict_and_has_the_schema(result):
    content = json.loads(result.to_json())
    assert content == result.to_dict()
    assert content["schema"] == SCHEMA == "eecx.result/2"
    assert content["analysis"] == result.analysis
    assert content["table"]["columns"] == list(result.table.columns)
    assert len(content["table"]["rows"]) == len(result.table)
    assert content["methods"] == result.methods()
    assert set(content) == {
        "schema",
        "analysis",
        "title",
        "table",
        "tables",
        "vcov",
        "stats",
        "spec",
        "warnings",
        "failed_draws",
        "methods",
        "references",
    }


def test_latex_has_a_row_for_every_row(result):
    text = result.to_latex()
    assert text.startswith("\\begin{tabular}{")
    assert text.count("\\\\\n") == len(result.table) + 1
    assert [text.count(rule) for rule in ("toprule", "midrule", "bottomrule")] == [1, 1, 1]


def test_html_summary_and_repr_show_the_table(result):
    page = result._repr_html_()
    assert page.count("<table") == page.count("</table>") == 1
    assert page.count("<tr") == len(result.table) + 1
    assert repr(result) == result.summary()
    assert "90% intervals" in result.summary()
    for label in result.table.iloc[:, 0]:
        assert str(label) in result.summary()


def test_methods_are_a_paragraph_with_the_numbers(result):
    text = result.methods()
    assert text.endswith(".")
    assert "\n" not in text
    assert f"{result.table['estimate'].iloc[-1]:.3g}" in text
    assert "90% CI" in text or "90% intervals" in text


def test_references_are_in_the_bibliography(result):
    assert len(bibliography(result.references)) == len(result.references)


def test_plot_draws_on_given_axes_or_its_own(result):
    drawn = result.plot()
    assert isinstance(drawn, Axes | Figure)
    figure = Figure()
    ax = figure.add_subplot()
    assert result.plot(ax=ax).figure is figure


def test_rows_are_found_by_their_label_and_others_refused(result):
    keys = identifying(result.table)
    label = result.table.loc[0, keys].to_dict()
    assert result.row(**label)["estimate"] == result.table["estimate"].iloc[0]
    assert result[tuple(label.values())]["estimate"] == result.table["estimate"].iloc[0]
    with pytest.raises(eecx.OptionError, match=r"No .* 'nothing'\. There is: "):
        result["nothing"]


def test_the_same_call_gives_the_same_json(panel):
    calls = [
        lambda: eecx.regress(panel, "cx ~ ex"),
        lambda: eecx.lag_profile(panel, "ex", "cx"),
        lambda: eecx.mediate(panel, "ex", "m", "cx", draws=99, rng=1),
    ]
    for call in calls:
        assert call().to_json() == call().to_json()


@pytest.mark.parametrize("name", ["regress", "lag_profile", "mediate"])
def test_a_docstring_says_what_it_takes_returns_and_raises(name):
    text = inspect.getdoc(getattr(eecx, name))
    for heading in ("Parameters", "Returns", "Raises", "Examples"):
        assert f"\n{heading}\n{'-' * len(heading)}\n" in text
