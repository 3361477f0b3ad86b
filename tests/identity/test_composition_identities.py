"""Composition models: dispersion, extremes and shares are those of the people's scores."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import eecx
from eecx import Dispersion, Extreme, Favorable, Mean, Scale, Survey

ITEMS = ["q1", "q2", "q3"]
EX = Scale(ITEMS, range=(1, 5), reverse=["q2"], min_items=2)
MEASURES = {
    "spread": Dispersion(EX),
    "spread of one": Dispersion(Mean("spend")),
    "weakest": Extreme(EX),
    "star": Extreme(EX, which="maximum"),
    "least spent": Extreme(Mean("spend")),
    "most spent": Extreme(Mean("spend"), which="maximum"),
    "content": Favorable(EX, at_least=4),
    "over a third": Favorable(EX, at_least=10 / 3),
}


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(1)
    n = 300
    made = pd.DataFrame({"store": rng.integers(0, 12, n), "wave": rng.integers(1, 4, n)})
    for item in ITEMS:
        made[item] = rng.choice([1, 2, 3, 4, 5, np.nan], n)
    made["spend"] = np.round(1e6 + rng.gamma(2, 50, n), 2)
    lone = pd.DataFrame({"store": 99, "wave": [1], "q1": 3, "q2": 3, "q3": 4, "spend": 1e6})
    return pd.concat([made, lone.assign(q1=3.0)], ignore_index=True)


@pytest.fixture(scope="module")
def persons(frame):
    """Score and spend of each person, in their cells."""
    turned = frame.assign(q2=6 - frame["q2"])[ITEMS]
    score = turned.mean(axis=1).where(turned.notna().sum(axis=1) >= 2)
    return frame.assign(score=score).groupby(["store", "wave"])


def scores(data, **options):
    survey = Survey(data, unit="store", wave="wave", measures=MEASURES)
    long = survey.scores(disclosure_n=1, **options)
    wide = long.pivot(index=["store", "wave"], columns="measure", values="value").astype(float)
    return long, wide


def test_values_are_those_of_pandas_on_every_engine(held, frame, persons):
    _, found = scores(held(frame))
    expected = {
        "spread": persons["score"].std(ddof=1),
        "spread of one": persons["spend"].std(ddof=1),
        "weakest": persons["score"].min(),
        "star": persons["score"].max(),
        "least spent": persons["spend"].min(),
        "most spent": persons["spend"].max(),
        "content": persons["score"].agg(lambda s: (s.dropna() >= 4).mean()),
        "over a third": persons["score"].agg(lambda s: (s.dropna() > 10 / 3 - 1e-9).mean()),
    }
    for name, values in expected.items():
        np.testing.assert_allclose(
            found[name],
            values,
            rtol=1e-9 if "spen" in name or "of one" in name else 1e-12,
            atol=1e-12,
            err_msg=name,
        )


def test_a_lone_person_has_no_dispersion_but_is_the_weakest(frame):
    long, _ = scores(frame)
    own = long[long["store"] == 99].set_index("measure")
    assert own["status"].to_dict() == {
        name: "undefined" if name.startswith("spread") else "scored" for name in MEASURES
    }
    assert own.loc["weakest", "value"] == own.loc["star", "value"] == pytest.approx(10 / 3)


def test_dispersion_does_not_see_a_shift_and_follows_the_unit(frame):
    moved = frame.assign(**frame[ITEMS] * 2 + 10)
    base, other = (
        Survey(f, unit="store", measures={"d": Dispersion(Scale(ITEMS, range=r))}).scores()
        for f, r in ((frame, (1, 5)), (moved, (12, 20)))
    )
    for column in ("value", "std_error", "conf_low", "conf_high"):
        np.testing.assert_allclose(other[column], 2 * base[column], rtol=1e-10)


def test_dispersion_variance_is_that_of_the_k_statistics(persons, frame):
    """var(s²) = k4/n + 2 k2²/(n - 1) in its unbiased form, by scipy's k-statistics."""
    long, _ = scores(frame)
    found = long[long["measure"] == "spread"].set_index(["store", "wave"])["variance"]
    for cell, group in persons:
        x = group["score"].dropna().to_numpy()
        if len(x) < 5:
            continue
        of_s2 = stats.kstatvar(x, n=2)
        normal = 2 * x.var(ddof=1) ** 2 / (len(x) + 1)
        expected = max(of_s2, 0.1 * normal) / (4 * x.var(ddof=1))
        assert found[cell] == pytest.approx(expected, rel=1e-9)


def test_a_share_above_a_threshold_is_that_of_a_column_of_scores(frame):
    turned = frame.assign(q2=6 - frame["q2"])[ITEMS]
    score = turned.mean(axis=1).where(turned.notna().sum(axis=1) >= 2)
    ready = frame.assign(own=(score >= 4).astype(float).where(score.notna()))
    measures = {"of scale": Favorable(EX, at_least=4), "ready": eecx.Rate("own")}
    long = Survey(ready, unit="store", measures=measures).scores()
    first, second = (long[long["measure"] == m].reset_index(drop=True) for m in measures)
    pd.testing.assert_frame_equal(first.drop(columns="measure"), second.drop(columns="measure"))


def test_what_is_asked_for_follows_from_the_composition(frame):
    rng = np.random.default_rng(2)
    data = frame.assign(**{i: rng.integers(1, 6, len(frame)) for i in ITEMS})
    measures = {
        "climate": Scale(ITEMS, range=(1, 5), composition="referent shift"),
        "mood": Scale(ITEMS, range=(1, 5), composition="direct consensus"),
        "assumed": Scale(ITEMS, range=(1, 5)),
        "sum": Scale(ITEMS, range=(1, 5), composition="additive"),
        "guests": Scale(ITEMS, range=(1, 5), source="customers"),
        **{k: MEASURES[k] for k in ("spread", "weakest", "content")},
    }
    table = eecx.aggregation(Survey(data, unit="store", wave="wave", measures=measures)).table
    said = table.drop_duplicates("measure").set_index("measure")["composition"].to_dict()
    assert said == {
        "climate": "referent shift",
        "mood": "direct consensus",
        "assumed": "direct consensus (assumed)",
        "sum": "additive",
        "guests": "additive",
        "spread": "dispersion",
        "content": "share above a threshold",
    }  # an extreme has no sampling error, and so no reliability
    asked = table.groupby("measure")["index"].agg(set)
    agreement = {"r_wg(j)", "AD around the median", "AD around the mean", "a_wg"}
    between = {"ICC(1)", "ICC(2)"}
    for name in ("climate", "mood", "assumed"):
        assert agreement | between <= asked[name]
    for name in ("sum", "guests", "content"):
        assert between <= asked[name]
        assert not agreement & asked[name]
    assert not (agreement | between) & asked["spread"]
    without = eecx.aggregation(Survey(data, unit="store", measures={"d": MEASURES["spread"]}))
    assert without.table["index"].tolist() == ["reliability, between units"]
