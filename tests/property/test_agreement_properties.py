"""Agreement and consistency of answers made at random: bounds and orders that always hold."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, reject, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import eecx
from eecx.agreement.nulls import NULLS, read_nulls

FEW = settings(max_examples=20)
FEWER = settings(max_examples=8)  # fits of factor models
SKEWS = ("uniform", "slight skew", "moderate skew", "heavy skew")


@st.composite
def surveys(draw, most_items=3):
    """Answers of 3 to 30 people in up to 4 units to items of 2 to 9 options."""
    options, items = draw(st.integers(2, 9)), draw(st.integers(1, most_items))
    people = draw(st.integers(3, 30))
    low = draw(st.integers(-3, 3))
    answers = draw(arrays(np.int64, (people, items), elements=st.integers(low, low + options - 1)))
    unit = draw(arrays(np.int64, people, elements=st.integers(0, 3)))
    columns = [f"q{i}" for i in range(items)]
    frame = pd.DataFrame(answers, columns=columns).assign(unit=unit)
    assume((frame["unit"].value_counts() > 1).any())
    return frame, columns, (low, low + options - 1)


def units(result):
    return result.tables["units"]


@FEW
@given(surveys())
def test_agreement_stays_within_its_bounds(made):
    frame, items, ends = made
    options = {"unit": "unit", "range": ends, "disclosure_n": 1}
    found = eecx.rwg(frame, items, null=NULLS, **options)
    for null in NULLS:
        assert units(found)[null].dropna().between(0, 1).all()
    assert (found.table["estimate"] <= 1).all()
    assert found.tables["bands"]["groups"].sum() == found.table["groups"].iloc[0]
    deviation = units(eecx.ad_index(frame, items, **options))
    several = deviation["n"] > 1
    assert deviation["mean"].notna().tolist() == several.tolist()
    half = (ends[1] - ends[0]) / 2
    for around in ("mean", "median"):
        assert deviation.loc[several, around].between(0, half + 1e-12).all()
    assert (deviation["median"] <= deviation["mean"] + 1e-12)[several].all()


@FEW
@given(surveys())
def test_awg_is_between_minus_one_and_one_where_it_is_defined(made):
    frame, items, ends = made
    try:
        result = eecx.awg(frame, items, unit="unit", range=ends, disclosure_n=1)
    except eecx.DataError:  # every unit's mean is at an end
        reject()
    values = units(result)["awg"].dropna()
    assert values.between(-1 - 1e-9, 1 + 1e-9).all()
    assert (units(result)["awg"].notna() <= (units(result)["n"] > 1)).all()


@FEW
@given(surveys(), st.data())
def test_more_agreement_by_the_null_that_expects_more_variance(made, data):
    frame, items, ends = made
    small = data.draw(st.integers(1, 40)) / 8
    large = small * data.draw(st.integers(2, 5))
    options = {"unit": "unit", "range": ends, "disclosure_n": 1}
    table = units(eecx.rwg(frame, items, null=[small, large], **options)).dropna()
    less, more = table.iloc[:, 2], table.iloc[:, 3]
    assert (more >= less - 1e-12).all()


@st.composite
def scores(draw):
    """Normal scores of people in 2 to 6 units of 1 to 8, with a shared part."""
    rng = np.random.default_rng(draw(st.integers(0, 100_000)))
    size = draw(st.lists(st.integers(1, 8), min_size=2, max_size=6))
    assume(max(size) > 1)
    unit = np.repeat(np.arange(len(size)), size)
    shared = draw(st.floats(0, 3))
    y = rng.normal(size=len(unit)) + shared * rng.normal(size=len(size))[unit]
    return pd.DataFrame({"unit": unit, "y": y})


@FEW
@given(scores())
def test_icc_of_means_is_above_that_of_persons(frame):
    result = eecx.icc(frame, "y", unit="unit", disclosure_n=1)
    one, two = (result[t]["estimate"] for t in ("ICC(1)", "ICC(2)"))
    k = result.stats["k_mean"]
    assert 1 <= result.stats["k0"] <= k + 1e-9
    assert one <= 1
    assert two <= 1
    assert (one > 0) == (two > 0)
    if one > 0:
        assert one <= two + 1e-12
    for term in ("ICC(1)", "ICC(2)", "ICC(1), average size"):
        row = result[term]
        assert row["conf_low"] <= row["estimate"] <= row["conf_high"]
    for term in ("ICC(1), REML", "ICC(1), ML", "ICC(2), REML", "eta squared"):
        assert -1e-12 <= result[term]["estimate"] <= 1
    assert units(result)["reliability"].between(0, 1).all()
    assert result["ICC(1), ML"]["estimate"] <= result["ICC(1), REML"]["estimate"] + 1e-9
    json.loads(result.to_json())


@FEW
@given(st.integers(0, 10_000), st.integers(2, 6), st.floats(-0.3, 3))
def test_alpha_is_the_lower_bound_of_lambda_2(seed, items, shared):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(12, items)) + shared * rng.normal(size=(12, 1))
    x *= rng.uniform(0.2, 3, items)
    frame = pd.DataFrame(x, columns=[f"q{i}" for i in range(items)])
    result = eecx.alpha(frame, list(frame))
    value, second = result["alpha"]["estimate"], result["lambda 2"]["estimate"]
    assert value <= 1
    assert value <= second + 1e-12
    assert second <= 1 + 1e-12
    assert result["alpha"]["conf_low"] <= value <= result["alpha"]["conf_high"] <= 1
    one = eecx.split_half(frame, list(frame))
    assert one["Guttman's lambda 4"]["estimate"] <= 1
    negative = {w.concerns for w in result.warnings if w.code == "negative-item"}
    table = result.tables["items"]
    assert negative == set(table.loc[table["item_rest_r"] < 0, "item"])


@FEWER
@given(st.lists(st.floats(0.3, 0.95), min_size=3, max_size=6), st.integers(30, 2000))
def test_omega_of_one_factor_is_its_share_of_variance(loadings, n):
    """A positive manifold made of one factor: omega is found, and alpha is at most omega."""
    loading = np.array(loadings)
    r = np.outer(loading, loading)
    np.fill_diagonal(r, 1.0)
    table = eecx.Moments.from_correlations(r, n=n)
    result = eecx.omega(table)
    true = loading.sum() ** 2 / r.sum()
    for term in ("omega total", "omega, observed variance", "omega, minres"):
        assert result[term]["estimate"] == pytest.approx(true, abs=1e-4)
        assert 0 <= result[term]["estimate"] <= 1
    assert eecx.alpha(table)["alpha"]["estimate"] <= true + 1e-12
    assert result["omega total"]["conf_high"] <= 1


@FEWER
@given(st.integers(0, 10_000), st.integers(3, 5))
def test_omega_of_rows_is_a_share(seed, items):
    rng = np.random.default_rng(seed)
    x = np.abs(rng.normal(1, 0.5, items)) * rng.normal(size=(25, 1)) + rng.normal(size=(25, items))
    assume((np.corrcoef(x.T) > 0).all())
    frame = pd.DataFrame(x, columns=[f"q{i}" for i in range(items)])
    result = eecx.omega(frame, list(frame))
    assert 0 <= result["omega total"]["estimate"] <= 1
    assert 0 <= result["omega, minres"]["estimate"] <= 1 + 1e-9
    assert result.stats["chi2"] >= -1e-8


@given(st.floats(-0.9, 1), st.floats(0.1, 20), st.floats(0.1, 20))
def test_spearman_brown_steps_add_up(start, first, second):
    assume(1 + (first - 1) * start > 0.05)
    assume(1 + (first * second - 1) * start > 0.05)
    twice = eecx.spearman_brown(eecx.spearman_brown(start, first), second)
    assert twice == pytest.approx(eecx.spearman_brown(start, first * second), rel=1e-6, abs=1e-9)


class TestNulls:
    @pytest.mark.parametrize("options", range(2, 21))
    def test_variances_are_positive_and_below_the_most_that_is_possible(self, options):
        for null in read_nulls(NULLS, options):
            assert 0 < null.variance <= (options - 1) ** 2 / 4

    @pytest.mark.parametrize("options", range(5, 21))
    def test_a_heavier_skew_expects_less_variance(self, options):
        variance = [null.variance for null in read_nulls(SKEWS, options)]
        assert variance == sorted(variance, reverse=True)
        assert len(set(variance)) == len(SKEWS)

    @pytest.mark.parametrize(
        ("options", "variances"),
        [
            (5, (2.00, 1.34, 0.90, 0.44, 1.32, 1.04)),
            (7, (4.00, 2.90, 2.14, 1.39, 2.10, 1.40)),
        ],
    )
    def test_those_of_lebreton_and_senter(self, options, variances):
        assert tuple(null.variance for null in read_nulls(NULLS, options)) == variances

    @pytest.mark.parametrize("options", range(2, 21))
    def test_uniform_is_by_formula(self, options):
        (null,) = read_nulls("uniform", options)
        assert null.variance == pytest.approx(np.var(np.arange(options)))
        assert null.origin == "(A² - 1)/12"

    def test_where_no_table_reaches_the_origin_says_so(self):
        assert read_nulls("heavy skew", 4)[0].origin == "shape of five options, stretched"
        assert read_nulls("heavy skew", 11)[0].origin == "LeBreton and Senter (2008)"
        assert read_nulls(1.5, None)[0] == ("variance 1.5", 1.5, "given")
