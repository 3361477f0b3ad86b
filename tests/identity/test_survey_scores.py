"""Scores equal a plain pandas computation, respondent by respondent, on every engine."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import eecx
from eecx import NPS, Favorable, Mean, Parse, Rate, Scale, Survey, TopBox

ITEMS = ["e1", "e2", "e3", "e4", "e5"]
MEASURES = {
    "engagement": Scale(ITEMS, range=(1, 5), reverse=["e2", "e5"]),
    "strict": Scale(ITEMS, range=(1, 5), reverse=["e2", "e5"], min_items=5),
    "lenient": Scale(ITEMS[:3], range=(1, 5), min_items=1),
    "half": Scale(["h1", "h2"], range=(0.5, 4.5), reverse="h2"),
    "nps": NPS("recommend"),
    "csat": TopBox("e1", top=2, range=(1, 5)),
    "favorable": Favorable("recommend", at_least=7),
    "left": Rate("left"),
    "spend": Mean("spend"),
    "age": Mean("age", range=(16, 99)),
}
NUMBERS = ["n", "value", "variance", "std_error", "conf_low", "conf_high"]


@pytest.fixture(scope="module")
def answers():
    rng = np.random.default_rng(2)
    n = 700
    frame = pd.DataFrame(
        {
            "store": rng.choice(["a", "b", "c", "d"], n, p=[0.4, 0.3, 0.2, 0.1]),
            "wave": rng.integers(1, 4, n),
            "role": rng.choice(["sales", "till", None], n),
        }
    )
    for item in ITEMS:
        frame[item] = rng.choice([1, 2, 3, 4, 5, np.nan], n)
    for item in ("h1", "h2"):
        frame[item] = rng.choice([0.5, 1.0, 2.5, 4.5, np.nan], n)
    frame["recommend"] = rng.integers(0, 11, n)
    frame["left"] = rng.random(n) < 0.2
    frame["spend"] = np.round(1e9 + rng.gamma(2, 100, n), 2)
    frame["age"] = rng.choice([17.0, 25, 33, 64, np.nan], n)
    frame["w"] = rng.uniform(0.2, 5, n)
    frame["shift"] = rng.choice(["early", "late"], n)
    lone = frame.iloc[:1].assign(store="e", e1=4.0)  # a cell of one, and one of a single answer
    same = frame.iloc[:6].assign(store="f", recommend=10, left=True, e1=5.0, spend=3.0)
    return pd.concat([frame, lone, same], ignore_index=True)


def respondent_values(frame):
    """Compute each measure for each respondent, as a survey analyst would by hand."""

    def scale(items, reverse, low, high, minimum):
        mirrored = frame[items].copy()
        for item in reverse:
            mirrored[item] = low + high - mirrored[item]
        enough = mirrored.notna().sum(axis=1) >= minimum
        return mirrored.mean(axis=1).where(enough)

    recommend = frame["recommend"]
    return {
        "engagement": scale(ITEMS, ["e2", "e5"], 1, 5, 3),
        "strict": scale(ITEMS, ["e2", "e5"], 1, 5, 5),
        "lenient": scale(ITEMS[:3], [], 1, 5, 1),
        "half": scale(["h1", "h2"], ["h2"], 0.5, 4.5, 1),
        "nps": 100.0 * (recommend >= 9) - 100.0 * (recommend <= 6),
        "csat": (frame["e1"] >= 4).astype(float).where(frame["e1"].notna()),
        "favorable": (recommend >= 7).astype(float),
        "left": frame["left"].astype(float),
        "spend": frame["spend"],
        "age": frame["age"],
    }


def cell_figures(name, u, w, pooled):
    """Compute a cell's figures from its respondents' values, weighted or not."""
    weighted = not (w == 1).all()
    n = len(u)
    if not n:
        return [0, *[np.nan] * 5]
    mean = np.average(u, weights=w)
    size = w.sum() ** 2 / (w**2).sum() if weighted else n
    spread = np.average((u - mean) ** 2, weights=w)
    z = stats.norm.ppf(0.975)
    if name in ("csat", "favorable", "left"):
        more = (size * mean + 2) / (size + 4)
        same = spread < 1e-12
        variance = more * (1 - more) / (size + 4) if same else mean * (1 - mean) / size
        centre = (mean + z**2 / (2 * size)) / (1 + z**2 / size)
        reach = z / (1 + z**2 / size)
        reach *= np.sqrt(mean * (1 - mean) / size + z**2 / (4 * size**2))
        low, high = max(centre - reach, 0), min(centre + reach, 1)
    elif name == "nps":
        either = (size * (spread + mean**2) / 1e4 + 1.5) / (size + 3)
        centre = size * mean / 100 / (size + 3)
        adjusted = (either - centre**2) / (size + 3)
        variance = 1e4 * (adjusted if spread < 1e-9 else spread / 1e4 / size)
        low = max(100 * (centre - z * np.sqrt(adjusted)), -100)
        high = min(100 * (centre + z * np.sqrt(adjusted)), 100)
    else:
        s2 = pooled if spread < 1e-12 else spread * size / (size - 1)
        variance = s2 / size
        reach = stats.t.ppf(0.975, max(size - 1, 1)) * np.sqrt(variance)
        low, high = mean - reach, mean + reach
    return [n, mean, variance, np.sqrt(variance), low, high]


def by_hand(frame, keys, weight=None):
    w = frame[weight] if weight else pd.Series(1.0, frame.index)
    kept = frame[keys].notna().all(axis=1)
    rows = []
    for name, values in respondent_values(frame).items():
        groups = []
        for key, own in frame[kept].groupby(keys):
            known = own.index[values[own.index].notna()]
            groups.append((key, values[known].to_numpy(float), w[known].to_numpy()))
        effective = [v.sum() ** 2 / (v**2).sum() if len(v) else 0 for _, _, v in groups]
        within = [
            np.average((u - np.average(u, weights=v)) ** 2, weights=v) if len(u) else 0
            for _, u, v in groups
        ]
        freedom = sum(max(e - 1, 0) for e in effective)
        pooled = sum(e * s for e, s in zip(effective, within, strict=True)) / freedom
        for key, u, v in groups:
            rows.append([*key, name, *cell_figures(name, u, v, pooled)])
    order = {name: i for i, name in enumerate(MEASURES)}
    made = pd.DataFrame(rows, columns=[*keys, "measure", *NUMBERS])
    return made.sort_values(
        [*keys, "measure"],
        key=lambda c: c.map(order) if c.name == "measure" else c,
        ignore_index=True,
    )


@pytest.fixture(scope="module")
def expected(answers):
    """Each table by hand, once for all engines."""
    made = {}

    def table(keys, weight=None):
        if (*keys, weight) not in made:
            made[(*keys, weight)] = by_hand(answers.assign(one=1), keys, weight)
        return made[(*keys, weight)]

    return table


def assert_scores(survey, expected, keys, by=()):
    scores = survey.scores(by=by, disclosure_n=1)
    assert (
        scores[[*keys, "measure"]].to_numpy().tolist()
        == expected[[*keys, "measure"]].to_numpy().tolist()
    )
    for name in MEASURES:
        one, other = (t[t["measure"] == name] for t in (scores, expected))
        np.testing.assert_allclose(
            one[NUMBERS].to_numpy(float),
            other[NUMBERS].to_numpy(float),
            rtol=1e-9,
            atol=1e-12,
            err_msg=name,
        )


def test_unweighted_scores(held, answers, expected):
    survey = Survey(held(answers), unit="store", wave="wave", measures=MEASURES)
    assert_scores(survey, expected(["store", "wave"]), ["store", "wave"])


def test_weighted_scores(held, answers, expected):
    survey = Survey(held(answers), unit="store", wave="wave", measures=MEASURES, weight="w")
    assert_scores(survey, expected(["store", "wave"], "w"), ["store", "wave"])


def test_scores_by_segment(held, answers, expected):
    survey = Survey(
        held(answers), unit="store", wave="wave", measures=MEASURES, segments=["role", "shift"]
    )
    keys = ["store", "wave", "role"]
    assert_scores(survey, expected(keys), keys, by=["role"])


def test_respondents_without_a_segment_count_where_none_is_asked_for(answers):
    plain = Survey(answers, unit="store", wave="wave", measures=MEASURES)
    cut = Survey(answers, unit="store", wave="wave", measures=MEASURES, segments=["role"])
    pd.testing.assert_frame_equal(cut.scores(), plain.scores())
    assert cut.scores(by="role")["n"].sum() < plain.scores()["n"].sum()


def test_without_waves_each_unit_is_one_cell(answers, expected):
    survey = Survey(answers, unit="store", measures=MEASURES)
    assert_scores(survey, expected(["store", "one"]).drop(columns="one"), ["store"])


def test_whole_answers_give_the_same_bits_on_every_engine(held, answers):
    """Sums of whole numbers have no rounding, so nothing depends on the order of rows."""
    whole = {k: m for k, m in MEASURES.items() if k not in ("half", "spend")}
    one = Survey(held(answers), unit="store", wave="wave", measures=whole).scores(disclosure_n=1)
    shuffled = answers.sample(frac=1, random_state=4, ignore_index=True)
    other = Survey(shuffled, unit="store", wave="wave", measures=whole).scores(disclosure_n=1)
    pd.testing.assert_frame_equal(one, other, check_exact=True, check_dtype=False)


def test_weights_of_one_change_nothing(answers):
    plain = Survey(answers, unit="store", wave="wave", measures=MEASURES).scores(disclosure_n=1)
    ones = Survey(
        answers.assign(w=1.0), unit="store", wave="wave", measures=MEASURES, weight="w"
    ).scores(disclosure_n=1)
    pd.testing.assert_frame_equal(plain, ones, rtol=1e-9)


def test_the_scale_of_weights_changes_nothing(answers):
    one, other = (
        Survey(
            answers.assign(w=answers["w"] * factor),
            unit="store",
            wave="wave",
            measures=MEASURES,
            weight="w",
        ).scores(disclosure_n=1)
        for factor in (1, 1e6)
    )
    pd.testing.assert_frame_equal(one, other, rtol=1e-9)


def test_a_score_is_the_sum_of_parts_of_a_survey(answers):
    """Whatever the grouping, respondents are summed once: n adds up to those who answered."""
    scores = Survey(answers, unit="store", wave="wave", measures=MEASURES).scores(disclosure_n=1)
    n = scores.groupby("measure")["n"].sum()
    for name, values in respondent_values(answers).items():
        assert n[name] == values.notna().sum()


def test_confidence_levels_nest(answers):
    survey = Survey(answers, unit="store", wave="wave", measures=MEASURES)
    narrow, wide = (survey.scores(conf_level=level) for level in (0.8, 0.99))
    known = narrow["value"].notna()
    assert (wide["conf_low"] <= narrow["conf_low"])[known].all()
    assert (wide["conf_high"] >= narrow["conf_high"])[known].all()
    pd.testing.assert_series_equal(narrow["variance"], wide["variance"])


def test_reversing_every_item_mirrors_the_scale(answers):
    plain, mirrored = (
        Survey(
            answers, unit="store", measures={"m": Scale(ITEMS, range=(1, 5), reverse=reverse)}
        ).scores(disclosure_n=1)
        for reverse in ([], ITEMS)
    )
    np.testing.assert_allclose(plain["value"] + mirrored["value"], 6, rtol=1e-12)
    np.testing.assert_allclose(plain["variance"], mirrored["variance"], rtol=1e-10)
    np.testing.assert_allclose(plain["conf_low"] + mirrored["conf_high"], 6, rtol=1e-12)


def test_codes_and_words_for_no_answer_are_missing(held):
    """A column with codes scores as one where they are blank; text columns too."""
    coded = pd.DataFrame({"store": ["a"] * 6, "q": [1, 2, 5, 99, 4, 99]})
    blank = coded.assign(q=coded["q"].where(coded["q"] != 99))
    worded = coded.assign(q=["1", "2", " 5 ", "N/A", "4", "n/a "])
    measures = {"q": Mean("q", range=(1, 5)), "top": TopBox("q")}
    rules = Parse(missing=[99, "N/A"])
    tables = [
        Survey(held(frame), unit="store", measures=measures, parse=rules).scores(disclosure_n=1)
        for frame in (coded, blank, worded)
    ]
    pd.testing.assert_frame_equal(tables[0], tables[1])
    pd.testing.assert_frame_equal(tables[0], tables[2])


def test_the_type_of_a_column_of_answers_does_not_matter(held):
    answers = pd.Series([120, 100, 90, 120, 1, 2])
    types = ("int8", "uint8", "int64", "float32", "Int64", "Float64", "str")
    frame = pd.DataFrame({f"q{i}": answers.astype(dtype) for i, dtype in enumerate(types)})
    measures = {f"mean {q}": Mean(q) for q in frame}
    measures |= {f"scale {q}": Scale([q], range=(0, 127)) for q in frame}
    frame["store"] = list("aaabbb")
    scores = Survey(held(frame), unit="store", measures=measures).scores(disclosure_n=1)
    for store, value in (("a", 310 / 3), ("b", 41.0)):
        own = scores[scores["store"] == store]
        np.testing.assert_allclose(own["value"], value, rtol=1e-14)
        np.testing.assert_allclose(own["variance"], own["variance"].iloc[0], rtol=1e-12)


def test_large_whole_amounts_do_not_overflow(held):
    """Squares of amounts beyond 3e9 do not fit 64 bits."""
    frame = pd.DataFrame({"store": list("aab"), "profit": [-5 * 10**9, 5 * 10**9, 4 * 10**9]})
    scores = Survey(held(frame), unit="store", measures={"m": Mean("profit")}).scores(
        disclosure_n=1
    )
    assert scores["value"].tolist() == [0.0, 4e9]
    assert scores["variance"].iloc[0] == pytest.approx(2.5e19, rel=1e-12)


def test_two_measures_of_one_column_are_scored_each_in_its_way():
    frame = pd.DataFrame({"store": ["a"] * 5, "q": [0, 7, 9, 10, 10]})
    scores = Survey(
        frame,
        unit="store",
        measures={"nps": NPS("q"), "mean": Mean("q"), "top": TopBox("q", range=(0, 10))},
    ).scores()
    assert scores["value"].tolist() == [40.0, 7.2, pytest.approx(0.6)]


def test_the_public_names_are_the_measures():
    assert eecx.Scale is Scale
    assert eecx.NPS is NPS
