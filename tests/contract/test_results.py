"""How results print, export and refuse, whatever the analysis."""

import io
import json

import numpy as np
import pandas as pd
import pytest

from eecx.errors import Caution, OptionError
from eecx.results import Result, fingerprint, json_ready, printed, safe_csv, versions


def made(**parts):
    table = pd.DataFrame(
        {
            "effect": ["a", "indirect"],
            "estimate": [1.23456789, -0.00001234],
            "std_error": [0.5, np.nan],
            "p_value": [0.0004, 0.25],
            "interval": ["t", "bootstrap"],
        }
    )
    given = {"table": table, "spec": {"conf_level": 0.9}, "stats": {"n": 40}, "text": "We did."}
    return Result("mediate", **{**given, **parts})


def test_numbers_are_printed_short_and_missing_ones_as_a_dash():
    shown = printed(made().table)
    assert shown.columns.tolist() == ["effect", "estimate", "SE", "p", "interval"]
    assert shown["estimate"].tolist() == ["1.235", "-1.23e-05"]
    assert shown["SE"].tolist() == ["0.5", "–"]
    assert shown["p"].tolist() == ["< .001", ".250"]


@pytest.mark.parametrize(
    ("p", "shown"),
    [
        (0.0, "< .001"),
        (0.00099, "< .001"),
        (0.001, ".001"),
        (0.0496, ".050"),
        (0.9999, "1.000"),
        (1.0, "1.000"),
        (np.nan, "–"),
    ],
)
def test_p_values_are_printed_as_journals_do(p, shown):
    assert printed(pd.DataFrame({"p_value": [p, 0.5]}))["p"].tolist() == [shown, ".500"]


def test_summary_names_failed_draws_and_warnings():
    result = made(failed_draws=3, warnings=(Caution("few", "Only four clusters."),))
    lines = result.summary().splitlines()
    assert lines[0] == "mediate, 90% intervals"
    assert lines[-3:] == [
        "n 40",
        "3 bootstrap draws failed and are in no interval.",
        "Warning (few): Only four clusters.",
    ]


def test_counts_are_printed_in_full():
    assert (
        "n 2000000001; share 0.3333" in made(stats={"n": 2_000_000_001, "share": 1 / 3}).summary()
    )


def test_latex_aligns_numbers_to_the_right_wherever_they_stand():
    assert made().to_latex().startswith("\\begin{tabular}{lrrrl}\n")
    assert r"indirect & -1.23e-05 & -- & .250 & bootstrap \\" in made().to_latex()


def test_warnings_are_escaped_in_html():
    page = made(warnings=(Caution("x", "'<b>' & more"),))._repr_html_()
    assert "<li>&#x27;&lt;b&gt;&#x27; &amp; more</li>" in page


def test_a_row_that_is_not_there_is_named():
    with pytest.raises(OptionError, match=r"No effect 'b'\. There is: 'a', 'indirect'\."):
        made()["b"]


def test_draws_are_not_exported():
    content = made(draws=pd.DataFrame({"a": [1.0, 2.0]})).to_dict()
    assert "draws" not in content
    assert content["failed_draws"] == 0


def test_json_is_strict_and_read_again_equal():
    result = made(
        tables={"size": pd.DataFrame({"x": [np.inf, 1 / 3]}, index=["a", "b"])},
        stats={"n": np.int64(4), "best": np.float64("nan"), "flag": np.bool_(True), "none": None},
        spec={"when": pd.Timestamp("2024-03-31"), "lags": range(2), "who": frozenset({"b", "a"})},
    )
    content = json.loads(result.to_json())
    assert content == result.to_dict()
    assert content["tables"]["size"] == {
        "names": [""],
        "index": [["a"], ["b"]],
        "columns": ["x"],
        "rows": [[None], [0.333333333333]],
    }
    assert content["stats"] == {"n": 4, "best": None, "flag": True, "none": None}
    assert content["spec"]["who"] == ["a", "b"]


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (np.array([1.0, np.nan]), [1.0, None]),
        (np.array(2.0), 2.0),
        (np.array([[1, 2]]), [[1, 2]]),
        (pd.Series([1, 2]), [1, 2]),
        (pd.Index(["a"]), ["a"]),
        ({1: (True, pd.NA)}, {"1": [True, None]}),
        ({"b", 1}, [1, "b"]),
        (1 / 3, 0.333333333333),
    ],
)
def test_values_become_plain(value, plain):
    assert json_ready(value) == plain


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1"])
def test_csv_cells_cannot_start_a_formula(text):
    table = pd.DataFrame({text: [text], "number": [-1.5]})
    lines = pd.read_csv(io.StringIO(safe_csv(table)), keep_default_na=False)
    assert lines.columns[0].startswith("'")
    assert lines.iloc[0, 0].startswith("'")
    assert lines["number"].tolist() == [-1.5]


def test_csv_quotes_every_break_inside_a_cell():
    table = pd.DataFrame({"name": ["a\r=1", "b\r\n=2", "c\n=3"]})
    assert "\r" not in safe_csv(table)
    lines = pd.read_csv(io.StringIO(safe_csv(table)))
    assert lines["name"].tolist() == ["a\n=1", "b\n=2", "c\n=3"]


def test_csv_takes_a_column_name_twice_and_writes_missing_as_blank():
    table = pd.DataFrame([[1.5, "a"], [np.nan, None]], columns=["x", "x"])
    assert safe_csv(table) == "x,x\n1.5,a\n,\n"


def test_fingerprint_depends_on_content_order_and_shape():
    a = np.arange(4.0)
    assert fingerprint(a, "x") == fingerprint(a.copy(), "x")
    assert len({fingerprint(*parts) for parts in (
        (a,), (a[::-1],), (a.reshape(2, 2),), (a[:2], a[2:]), ("ab", "c"), ("a", "bc"), ("abc",),
    )}) == 7  # fmt: skip


def test_versions_name_what_is_computed_with():
    assert {"python", "eecx", "numpy", "scipy", "pandas"} <= set(versions())
