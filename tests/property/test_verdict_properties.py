"""The verdict rule, for any estimate: what it may and may not say."""

from itertools import combinations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from eecx.evidence import holm, judge

MIRRORED = {"positive": "opposite", "opposite": "positive"}
DIRECTIONS = ("positive", "opposite")

multiples = st.floats(-8, 8, allow_nan=False)  # of the standard error
errors = st.floats(1e-4, 100)
freedoms = st.floats(1, 500)
deltas = st.floats(0.01, 50)  # in standard errors
reliabilities = st.floats(0.01, 1)
shares = st.integers(1, 6)
alphas = st.floats(0.001, 0.2)


@st.composite
def cases(draw):
    """Arguments of judge(), options included or not."""
    std_error = draw(errors)
    options = {"alpha": draw(alphas), "share": draw(shares)}
    if draw(st.booleans()):
        options["delta"] = draw(deltas) * std_error
    if draw(st.booleans()):
        options["reliability"] = draw(reliabilities | st.floats(-1, 0) | st.floats(1, 2))
    if draw(st.booleans()):
        options["p_adjusted"] = draw(st.floats(0, 1))
    options["largest"] = draw(st.sampled_from(["matter", "direction"]))
    return (draw(multiples) * std_error, std_error, draw(freedoms)), options


@st.composite
def small(draw):
    """Arguments with which judge() says too small: 90% limits inside, even when corrected."""
    std_error, df, share = draw(errors), draw(freedoms), draw(shares)
    estimate, alpha = draw(multiples) * std_error, draw(alphas)
    reliability = draw(reliabilities)
    furthest = abs(estimate) + stats.t.isf(alpha / share, df) * std_error
    delta = furthest / reliability * draw(st.floats(1.001, 10))
    options = {"alpha": alpha, "share": share, "delta": delta, "reliability": reliability}
    options["largest"] = "matter"
    return (estimate, std_error, df), options


def limits(where, options, two_sided):
    estimate, std_error, df = where
    level = options["alpha"] / options["share"]
    reach = stats.t.isf(level / 2 if two_sided else level, df) * std_error
    return estimate - reach, estimate + reach


@given(cases())
def test_a_direction_needs_an_interval_off_zero(case):
    where, options = case
    found = judge(*where, **options)
    low, high = limits(where, options, two_sided=True)
    if found.kind == "positive":
        assert low > 0
    if found.kind == "opposite":
        assert high < 0
    if found.kind in DIRECTIONS:
        assert options.get("p_adjusted", 0) <= options["alpha"]
    assert found.kind in (*DIRECTIONS, "too_small", "not_resolved")


@given(cases() | small())
def test_too_small_needs_delta_and_reliability_and_both_intervals_inside(case):
    where, options = case
    found = judge(*where, **options)
    if found.kind != "too_small":
        return
    low, high = limits(where, options, two_sided=False)
    delta, reliability = options["delta"], options["reliability"]
    assert reliability > 0
    assert options["largest"] == "matter"
    for corrected in (1.0, min(reliability, 1.0)):
        assert -delta < low / corrected
        assert high / corrected < delta
    assert found.text == "too small to matter"


@given(cases())
def test_large_enough_needs_the_whole_interval_beyond_delta(case):
    where, options = case
    found = judge(*where, **options)
    if "large enough" in found.text:
        low, high = limits(where, options, two_sided=True)
        assert max(low, -high) > options["delta"]
        assert options["largest"] == "matter"
        assert found.kind in DIRECTIONS


@given(cases())
def test_without_delta_nothing_is_large_or_small_enough(case):
    where, options = case
    found = judge(*where, **{**options, "delta": None})
    assert "enough" not in found.text
    assert "small" not in found.text
    assert found.kind != "too_small"


@given(cases())
def test_the_other_sign_gives_the_mirrored_verdict(case):
    (estimate, std_error, df), options = case
    assume(estimate != 0)
    one, other = (judge(sign * estimate, std_error, df, **options) for sign in (1, -1))
    assert other.kind == MIRRORED.get(one.kind, one.kind)
    assert other.text == one.text.replace(one.kind, other.kind)
    assert other.note == one.note


@given(cases() | small())
def test_a_cap_leaves_the_direction_alone(case):
    where, options = case
    full, capped = (judge(*where, **{**options, "largest": k}) for k in ("matter", "direction"))
    assert "large enough" not in capped.text
    assert capped.kind != "too_small"
    if full.kind in (*DIRECTIONS, "not_resolved"):
        assert capped.kind == full.kind


@given(small(), st.floats(1, 10))
def test_a_wider_delta_or_a_better_reliability_keeps_too_small(case, factor):
    where, options = case
    assert judge(*where, **options).kind == "too_small"
    wider = {**options, "delta": options["delta"] * factor}
    assert judge(*where, **wider).kind == "too_small"
    better = {**options, "reliability": min(1.0, options["reliability"] * factor)}
    assert judge(*where, **better).kind == "too_small"


@given(cases(), st.floats(1, 10))
def test_a_larger_error_never_resolves_anything(case, factor):
    (estimate, std_error, df), options = case
    if judge(estimate, std_error, df, **options).kind == "not_resolved":
        assert judge(estimate, std_error * factor, df, **options).kind == "not_resolved"


@given(cases(), st.floats(1, 10))
def test_a_stricter_level_never_turns_into_a_direction(case, factor):
    where, options = case
    strict = {**options, "alpha": options["alpha"] / factor}
    if judge(*where, **strict).kind in DIRECTIONS:
        lenient = judge(*where, **options)
        # at the lenient level the narrower interval may fit inside delta
        assert lenient.kind in (judge(*where, **strict).kind, "too_small")


@given(multiples, errors, freedoms, alphas)
def test_the_p_value_and_the_interval_agree(multiple, std_error, df, alpha):
    estimate = multiple * std_error
    p = 2 * stats.t.sf(abs(estimate) / std_error, df)
    assume(abs(p - alpha) > 1e-9)
    found = judge(estimate, std_error, df, alpha=alpha, p_adjusted=p)
    assert (found.kind in DIRECTIONS) == (p < alpha)


@pytest.mark.parametrize("std_error", [float("nan"), float("inf")])
def test_no_error_no_verdict(std_error):
    found = judge(5.0, std_error, 10, delta=1.0, reliability=1.0)
    assert (found.kind, found.note) == ("not_resolved", "nothing tells the error of this slope")


@pytest.mark.parametrize(
    ("options", "note"),
    [
        ({}, "the reliability of x is unknown"),
        ({"reliability": 0.0}, "the reliability of x is not above 0"),
        ({"reliability": -0.4}, "the reliability of x is not above 0"),
        ({"reliability": 0.01}, "not once corrected for unreliability"),
        ({"reliability": 0.9, "largest": "direction"}, "a limited gate allows no such verdict"),
    ],
)
def test_why_it_is_not_called_too_small(options, note):
    found = judge(0.01, 0.01, 50, delta=0.2, **options)
    assert found.kind == "not_resolved"
    assert note in found.note


def test_a_zero_difference_is_found_with_eighty_percent_power():
    df, std_error = 40, 2.0
    effect = float(judge(0.1, std_error, df).note.removeprefix("80% power only from "))
    reach = stats.t.isf(0.025, df)
    assert stats.nct.sf(reach, df, effect / std_error) == pytest.approx(0.8, abs=0.01)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=5))
def test_holm_is_the_closed_test_of_all_intersections(p):
    found = holm(p)
    everything = range(len(p))
    for i in everything:
        families = [
            set(f) for k in range(1, len(p) + 1) for f in combinations(everything, k) if i in f
        ]
        brute = max(min(1.0, len(f) * min(p[j] for j in f)) for f in families)
        assert found[i][0] == pytest.approx(brute, abs=1e-15)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holm_divides_alpha_by_what_is_left(p):
    found = holm(p)
    assert sorted(share for _, share in found) == list(range(1, len(p) + 1))
    order = sorted(range(len(p)), key=lambda i: -found[i][1])
    assert [p[i] for i in order] == sorted(p)
    adjusted = [found[i][0] for i in order]
    assert adjusted == sorted(adjusted)
    assert all(a >= p[i] for a, i in zip(adjusted, order, strict=True))


def test_holm_of_an_unknown_p_is_one():
    assert holm([float("nan"), 0.01]) == [(1.0, 1), (0.02, 2)]
