"""Data of a kind that a function does not take: it says which it takes, and how to make it."""

import re

import pandas as pd
import pytest

import eecx
from eecx.errors import OptionError, check_source, wrong_source


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
    check_source("f", [1, 2], frames=True)  # whether it is a frame is for those who open it


def test_a_class_of_ones_own_is_not_taken_for_one_of_eecx():
    class Survey(pd.DataFrame):
        pass

    check_source("f", Survey({"a": [1.0]}), frames=True)
