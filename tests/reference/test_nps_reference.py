"""Net Promoter Score: standard error and adjusted-Wald interval against R 4.2.2.

The stored figures are shares; eecx reports points, a hundred times as much. R printed 15 digits.
"""

import json

import numpy as np
import pandas as pd
import pytest

import eecx

CASES = ((60, 25, 15), (10, 5, 2), (0, 3, 9), (400, 350, 250), (12, 0, 0))


@pytest.fixture(scope="module")
def figures(shared):
    stored = json.loads((shared / "reference" / "other" / "nps.json").read_text())
    return {e["name"]: e for e in stored["estimates"]}


@pytest.fixture(scope="module", params=CASES, ids=str)
def case(request, figures):
    promoters, passives, detractors = request.param
    name = f"promoters={promoters},passives={passives},detractors={detractors}"
    stored = {k.removeprefix(f"{name}."): e for k, e in figures.items() if k.startswith(name)}
    groups = ((promoters, [9, 10]), (passives, [7, 8]), (detractors, [0, 3, 6]))
    answers = [*np.concatenate([np.resize(options, size) for size, options in groups]), 99]
    frame = pd.DataFrame({"store": "a", "recommend": answers})
    parse = eecx.Parse(missing=[99])
    measures = {"nps": eecx.NPS("recommend")}
    survey = eecx.Survey(frame, unit="store", measures=measures, parse=parse)
    return survey, stored, sum(request.param), max(request.param) == sum(request.param)


def test_score_and_number_of_respondents(case):
    survey, stored, n, _ = case
    row = survey.scores().iloc[0]
    assert row["n"] == n
    assert row["value"] == pytest.approx(100 * stored["nps"]["est"], rel=1e-9)


def test_adjusted_wald_interval_inside_the_possible_range(case):
    survey, stored, _, _ = case
    row = survey.scores().iloc[0]
    low, high = (stored[f"adjusted_wald.{end}"]["est"] for end in ("lower", "upper"))
    assert row["conf_low"] == pytest.approx(max(100 * low, -100), rel=1e-9)
    assert row["conf_high"] == pytest.approx(min(100 * high, 100), rel=1e-9)


def test_standard_error_is_the_trinomial_one_unless_all_answered_alike(case):
    survey, stored, _, unanimous = case
    row = survey.scores().iloc[0]
    expected = stored["adjusted_wald.center" if unanimous else "nps"]["se"]
    assert row["std_error"] == pytest.approx(100 * expected, rel=1e-9)
    assert row["variance"] == pytest.approx((100 * expected) ** 2, rel=1e-9)


def test_a_unanimous_cell_is_not_taken_for_certainty(figures):
    assert figures["promoters=12,passives=0,detractors=0.nps"]["se"] == 0
    frame = pd.DataFrame({"store": "a", "recommend": [10] * 12})
    row = eecx.Survey(frame, unit="store", measures={"nps": eecx.NPS("recommend")}).scores().iloc[0]
    assert row["value"] == 100
    assert row["std_error"] > 0
    assert row["conf_low"] < 100


def test_other_confidence_levels_scale_the_same_error(figures):
    frame = pd.DataFrame({"store": "a", "recommend": [9] * 60 + [7] * 25 + [0] * 15})
    survey = eecx.Survey(frame, unit="store", measures={"nps": eecx.NPS("recommend")})
    wide, narrow = (survey.scores(conf_level=level).iloc[0] for level in (0.99, 0.80))
    error = 100 * figures["promoters=60,passives=25,detractors=15.adjusted_wald.center"]["se"]
    # normal quantiles at 0.995 and 0.9, to 15 digits
    for row, z in ((wide, 2.57582930354890), (narrow, 1.28155156554460)):
        half = (row["conf_high"] - row["conf_low"]) / 2
        np.testing.assert_allclose(half, z * error, rtol=1e-9)
