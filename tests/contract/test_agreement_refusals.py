"""Analyses of agreement, and what compares and corrects correlations, refuse with advice."""

import ast
import importlib.util
import inspect
import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import eecx

spec = importlib.util.spec_from_file_location("registry", Path(__file__).with_name("registry.py"))
registry = importlib.util.module_from_spec(spec)
spec.loader.exec_module(registry)

SRC = Path(eecx.__file__).parent
FILES = [
    SRC / "options.py",
    *sorted((SRC / "agreement").glob("*.py")),
    *(
        SRC / "association" / f"{name}.py"
        for name in ("attenuation", "compare_correlations", "equivalence")
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
    analyses = {name.split(" ")[0].strip(",") for name in registry.results()} - {"predict"}
    takers = {
        a for a in analyses if "disclosure_n" in inspect.signature(getattr(eecx, a)).parameters
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
