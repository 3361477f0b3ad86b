"""What cannot be tested together is refused, or said, with a way out that works."""

import numpy as np
import pandas as pd
import pytest

import eecx
from eecx.errors import DataError, OptionError
from eecx.models.joint import chi2_test, hotelling_test, stacked

KEYS = {"unit": "unit", "wave": "wave"}


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    made = eecx.simulate.panel(units=16, waves=5, same_wave=0.5, missing=0.05, rng=2).frame
    rng = np.random.default_rng(0)
    made[["a", "b", "c", "d"]] = rng.normal(size=(len(made), 4))
    return made.assign(region=made["unit"].str[-1])


def fit(frame, formula="cx ~ ex", **options):
    return eecx.regress(frame, formula, **{**KEYS, **options})


OTHERS = {
    "unlike-errors": ({"vcov": "CR1"}, "The fits have errors of different kinds: 'CR2', 'CR1'."),
    "unlike-clusters": (
        {"cluster": "region"},
        "The fits are clustered by different columns: 'unit', 'region'.",
    ),
    "two-way": (
        {"cluster": ("unit", "wave"), "vcov": "CR1"},
        "CR1 errors by 'unit', 'wave' are no sum over one kind of clusters",
    ),
    "HC1": ({"vcov": "HC1"}, "HC1 errors are no sum over one kind of clusters"),
    "classical": ({"vcov": "classical"}, "classical errors are no sum over one kind"),
    "driscoll-kraay": ({"vcov": "driscoll-kraay"}, "driscoll-kraay errors are no sum over"),
    "wild": ({"vcov": "wild", "draws": 99}, "wild errors are no sum over one kind of clusters"),
    "mixed": ({"effects": "mixed"}, "model-based errors are no sum over one kind of clusters"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_fits_that_cannot_be_tested_together(frame, name):
    options, text = OTHERS[name]
    one, other = fit(frame), fit(frame, **options)
    code = name if name.startswith("unlike") else "no-influence"
    for call in (
        lambda: stacked(one.estimates, other.estimates),
        lambda: eecx.romano_wolf(one, other),
    ):
        with pytest.raises(OptionError, match=text) as raised:
            call()
        assert raised.value.code == code
    # the way out works
    again = [fit(frame, f, vcov="CR2", cluster="unit") for f in ("cx ~ ex", "cx ~ ex + a")]
    assert np.isfinite(eecx.compare(*again).tables["equality"]["p_value"]).all()


@pytest.mark.parametrize("name", [n for n in OTHERS if n != "mixed"])
def test_compare_says_why_there_is_no_test(frame, name):
    options, text = OTHERS[name]
    found = eecx.compare(fit(frame), fit(frame, **options))
    (said,) = [w for w in found.warnings if w.code == "no-joint-test"]
    assert text in said.message
    assert found.tables["equality"].empty
    assert found.tables["equality"].columns[:3].tolist() == ["term", "level", "models"]


def test_compare_tests_what_is_alike(frame):
    shares = frame.assign(yes=(frame["cx"] > 0).astype(float).where(frame["cx"].notna()))
    one, logit = fit(frame, vcov="CR1"), fit(shares, "yes ~ ex", family="binomial")
    table = eecx.compare(one, logit, fit(shares, "yes ~ ex + a", family="binomial")).tables
    assert table["equality"]["models"].tolist() == ["(2), (3)"]  # slopes of one link
    assert (table["equality"]["test"] == "F").all()
    other = eecx.compare(fit(frame, effects="between"), fit(frame, effects="within"))
    assert other.tables["equality"].empty  # slopes of two levels are not the same slope
    assert "no-joint-test" not in [w.code for w in other.warnings]


def test_the_hotelling_test_is_of_cr2(frame):
    with pytest.raises(OptionError, match=r"rests on CR2 errors; these are CR1\."):
        hotelling_test(fit(frame, vcov="CR1").estimates)


def test_wald_says_when_clusters_are_few(frame):
    few = frame[frame["unit"].isin(sorted(frame["unit"].unique())[:7])]
    found = eecx.wald(fit(few, "cx ~ ex + a + b + c"))
    row = found["HTZ"]
    assert row["df_denominator"] < 5
    said = [w.message for w in found.warnings if "approximate Hotelling" in w.message]
    assert "restrictions with 7 clusters has" in said[0]
    assert "it is conservative, and finds little." in said[0]


def test_wald_beyond_what_clusters_tell_is_missing_and_says_so(frame):
    few = frame[frame["unit"].isin(sorted(frame["unit"].unique())[:6])]
    found = eecx.wald(fit(few, "cx ~ ex + a + b + c + d"))
    row = found["HTZ"]
    assert np.isnan([row["statistic"], row["p_value"], row["df_denominator"]]).all()
    assert np.isfinite(found["chi2"]["p_value"])
    (said,) = [w for w in found.warnings if w.code == "too-few-clusters"]
    assert "cannot be made with 6 clusters" in said.message
    assert found.text.endswith("cannot be made with so few clusters.")


def test_singular_covariances_have_no_test(frame):
    few = frame[frame["unit"].isin(sorted(frame["unit"].unique())[:4])]
    own = fit(few, "cx ~ ex + a + b + c + d").estimates
    assert np.isnan(chi2_test(own).p_value)
    assert np.isnan(hotelling_test(own).p_value)
    with pytest.raises(DataError, match="as many clusters as coefficients are needed"):
        eecx.wald(fit(few, "cx ~ ex + a + b + c + d"))


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda f: eecx.romano_wolf(), "romano_wolf takes Results of eecx.regress."),
        (lambda f: eecx.romano_wolf("fit"), "romano_wolf takes Results of eecx.regress."),
        (lambda f: eecx.romano_wolf(f, terms="exx"), "No fit has a term 'exx'. Did you mean 'ex'?"),
        (lambda f: eecx.romano_wolf(f, terms="(intercept)"), "The fits have no slope to test."),
        (lambda f: eecx.romano_wolf(f, names="one"), "names= needs 1 different headings"),
        (lambda f: eecx.romano_wolf(f, draws=5), "draws=5: a whole number, at least 99"),
        (lambda f: eecx.romano_wolf(f, rng="x"), "rng='x'"),
        (lambda f: eecx.wald(eecx.compare(f, f)), "wald takes a Result of eecx.regress."),
    ],
)
def test_wrong_calls(frame, call, text):
    with pytest.raises(OptionError) as raised:
        call(fit(frame))
    assert text in str(raised.value)


def test_nothing_told_is_an_error(frame):
    exact = frame.assign(twice=2 * frame["ex"])
    with pytest.raises(DataError, match="Nothing tells the error of 'ex'"):
        eecx.romano_wolf(fit(exact, "twice ~ ex"))


def test_romano_wolf_picks_terms_and_says_what_it_did(frame):
    fits = [fit(frame, f) for f in ("cx ~ ex + a", "cx ~ ex + b", "a ~ b")]
    found = eecx.romano_wolf(*fits, terms=["ex", "b"], draws=199)
    assert found.table["term"].tolist() == ["ex", "ex", "b", "b"]
    assert found.table["model"].tolist() == ["(1)", "(2)", "(2)", "(3)"]
    assert found.stats == {"fits": 3, "clusters": 16, "draws": 199}
    assert "199 draws of the signs of 16 clusters" in found.text
    assert found.spec["weights"] == "rademacher"
    few = frame[frame["unit"].isin(sorted(frame["unit"].unique())[:9])]
    small = eecx.romano_wolf(fit(few))
    assert small.spec["weights"] == "webb"
    assert "few-clusters" in [w.code for w in small.warnings]
