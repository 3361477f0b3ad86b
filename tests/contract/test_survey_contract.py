"""What a survey refuses, and what it withholds."""

import numpy as np
import pandas as pd
import pytest

from eecx import NPS, Favorable, Mean, Parse, Rate, Scale, Survey, TopBox
from eecx.errors import ColumnError, DataError, OptionError
from eecx.measures import Measure

KEYS = {"unit": "store", "wave": "wave"}


@pytest.fixture
def frame():
    rng = np.random.default_rng(1)
    made = pd.DataFrame(
        {"store": list("abcd") * 5, "wave": [1, 2] * 10, "role": ["x", "y", "y", "x", "x"] * 4}
    )
    for item in ("e1", "e2", "e3"):
        made[item] = rng.integers(1, 6, 20)
    made["recommend"] = rng.integers(0, 11, 20)
    made["left"] = rng.integers(0, 2, 20)
    made["w"] = 1.5
    return made


# ---------------------------------------------------------------------- the definition


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"unit": "stroe"}, ColumnError, "unit, wave or segments names .*Did you mean 'store'"),
        ({"wave": "waves"}, ColumnError, "Did you mean 'wave'"),
        ({"segments": ["rol"]}, ColumnError, "Did you mean 'role'"),
        ({"weight": "W"}, ColumnError, "weight names the column 'W'.*Did you mean 'w'"),
        (
            {"measures": {"nps": NPS("recomend")}},
            ColumnError,
            "Measure 'nps' names the column 'recomend'.*Did you mean 'recommend'",
        ),
        ({"measures": {}}, OptionError, "A survey needs measures, such as"),
        ({"measures": [Mean("e1")]}, OptionError, "measures is a list, .* Name each: measures={'"),
        ({"measures": {"x": "e1"}}, OptionError, "Measure 'x' is a str; accepted are eecx.Scale"),
        ({"measures": {"store": Mean("e1")}}, OptionError, "'store' has the name of a key column"),
        ({"segments": ["role", "store"]}, OptionError, "'store' is named twice among unit, wave"),
        ({"unit": "n"}, OptionError, "key column 'n' has the name of a column of scores"),
        ({"segments": "status"}, OptionError, "key column 'status' has the name of a column"),
    ],
)
def test_a_definition_that_cannot_be_met_is_refused(frame, options, error, says):
    made = frame.assign(n=frame["store"], status=1)
    asked = {**KEYS, "measures": {"e": Mean("e1")}, **options}
    with pytest.raises(error, match=says):
        Survey(made, **asked)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Scale([], range=(1, 5)), "Scale needs distinct items"),
        (
            lambda: Scale(["a", "a"], range=(1, 5)),
            "Scale needs distinct items; given were 'a', 'a'",
        ),
        (lambda: Scale(["a"], range=(5, 1)), r"range=\(5, 1\): give the lowest and the highest"),
        (lambda: Scale(["a"], range=(1, 1)), "give the lowest and the highest"),
        (lambda: Scale(["a"], range=(1, np.inf)), "give the lowest and the highest"),
        (lambda: Scale(["a"], range=(1, 2, 3)), "give the lowest and the highest"),
        (lambda: Scale(["a"], range=5), "range=5: give the lowest and the highest"),
        (lambda: Scale(["a"], range=("a", "b")), r"range=\('a', 'b'\): give the lowest"),
        (lambda: Scale(["a"], range=(1,)), r"range=\(1,\): give the lowest"),
        (lambda: Scale(["a"], range=(1, 5), min_items="1"), "min_items='1': a whole number"),
        (lambda: Scale(["a"], range=(1, 5), reverse=["b"]), "reverse names 'b', which is not"),
        (lambda: Scale(["a", "b"], range=(1, 5), min_items=3), "min_items=3: between 1 and 2"),
        (lambda: Scale(["a", "b"], range=(1, 5), min_items=-1), "min_items=-1: between 1 and 2"),
        (lambda: Mean("a", range=(3, 2)), "give the lowest and the highest"),
        (lambda: TopBox("a", top=0), r"top=0: at least 1 and fewer than the options"),
        (lambda: TopBox("a", top=5, range=(1, 5)), r"top=5: at least 1 and fewer"),
        (lambda: TopBox("a", top="2"), "top='2': a whole number. Give one, such as top=2"),
        (lambda: TopBox("a", top=1.5), "top=1.5: a whole number"),
        (lambda: Favorable("a", at_least="4"), "at_least='4': a number"),
        (lambda: Favorable("a", at_least=6, range=(1, 5)), r"at_least=6: above the lowest answer"),
        (lambda: Favorable("a", at_least=1, range=(1, 5)), r"at_least=1: above the lowest answer"),
        (lambda: NPS("a", better="up"), "better='up': accepted are 'higher' and 'lower'"),
        (lambda: Mean("a", source=""), "source='': name who answered"),
        (lambda: Mean("a", source=["employees", 3]), "name who answered"),
        (lambda: Mean("a", source=3), "source=3: name who answered"),
        (lambda: Parse(missing=None), r"Parse\(missing=\): None is neither a word nor a number"),
        (lambda: Parse(missing=True), r"Parse\(missing=\): True is neither"),
        (lambda: Parse(missing=[99, True]), r"Parse\(missing=\): True is neither"),
        (lambda: Measure().columns, "Measure is a base: use Scale"),
    ],
)
def test_a_measure_that_makes_no_sense_is_refused(make, says):
    with pytest.raises(OptionError, match=says):
        make()


def test_half_of_the_items_make_a_score_unless_said():
    counts = [Scale([f"e{i}" for i in range(n)], range=(1, 5)).min_items for n in range(1, 6)]
    assert counts == [1, 1, 2, 2, 3]
    assert Scale("e1", range=(1, 5)).items == ("e1",)
    assert Mean("x", source="records").source == {"records"}
    assert Mean("x", source={"employees", "customers"}).source == {"employees", "customers"}


# ---------------------------------------------------------------------- the answers


@pytest.mark.parametrize(
    ("measure", "answers", "says"),
    [
        (Scale(["q", "e1"], range=(1, 5)), [0, 6, 6], r"3 answers .* between 1 and 5: 6 \(2\), 0"),
        (Mean("q", range=(1, 5)), [99, 99], r"'q' are not between 1 and 5: 99 \(2\).*missing=\[99"),
        (TopBox("q"), [9], "1 answers in column 'q' are not between 1 and 5"),
        (NPS("q"), [11, -1], r"not between 0 and 10: -1 \(1\), 11 \(1\)"),
        (Rate("q"), [2, 2], r"2 answers in column 'q' are not 0 or 1: 2 \(2\)"),
        (Rate("q"), [0.5], r"are not 0 or 1: 0.5 \(1\)"),
        (Favorable("q", at_least=4, range=(1, 5)), [7], "not between 1 and 5"),
        (Mean("q"), [np.inf], "Measure 'm': column 'q' of .* holds infinite values"),
        (Scale(["q"], range=(1, 5)), [-np.inf], "holds infinite values"),
        (Mean("q"), [np.nan] * 20, "column 'q' of .* has no answer at all"),
    ],
)
def test_answers_that_are_not_possible_are_listed(held, frame, measure, answers, says):
    q = [1.0 if isinstance(measure, Rate) else 3.0] * 20
    q[: len(answers)] = answers
    with pytest.raises(DataError, match=says):
        Survey(held(frame.assign(q=q)), **KEYS, measures={"m": measure}).scores()


def test_a_column_named_like_the_count_of_offenders(held, frame):
    data = held(frame.assign(cells=99, value=1))
    with pytest.raises(DataError, match=r"column 'cells' are not between 1 and 5: 99 \(20\)"):
        Survey(data, **KEYS, measures={"m": Mean("cells", range=(1, 5))}).scores()


def test_each_measure_of_a_column_keeps_its_own_range(frame):
    """A wider range of a second measure does not excuse the first."""
    data = frame.assign(q=[6.0] + [3.0] * 19)
    measures = {"narrow": TopBox("q", range=(1, 5)), "wide": Mean("q", range=(1, 7))}
    for order in (measures, dict(reversed(measures.items()))):
        with pytest.raises(DataError, match="Measure 'narrow': 1 answers in column 'q'"):
            Survey(data, **KEYS, measures=order).scores()


@pytest.mark.parametrize(
    ("weights", "says"),
    [
        ([0.0, -1.0], "'w' of .* is zero or negative in 2 rows and missing in 0"),
        ([np.nan], "is zero or negative in 0 rows and missing in 1. Every respondent needs"),
        ([np.inf], "Weight 'w' of .* holds infinite values"),
        ([np.nan] * 20, "missing in 20"),
    ],
)
def test_weights_are_positive_numbers(held, frame, weights, says):
    frame["w"] = [*weights, *[1.0] * (20 - len(weights))]
    with pytest.raises(DataError, match=says):
        Survey(held(frame), **KEYS, weight="w", measures={"m": Mean("e1")}).scores()


def test_text_where_numbers_should_be_is_listed_at_once(held, frame):
    data = held(frame.assign(e1=["often", "n/a", *"3" * 18]))
    with pytest.raises(DataError, match=r"'e1' should hold numbers, but 2 cells .*'n/a' \(1\)"):
        Survey(data, **KEYS, measures={"m": Mean("e1")})


def test_codes_named_in_parse_are_no_answers_and_no_offence(held, frame):
    data = held(frame.assign(q=[99, 98, *[4] * 18]))
    survey = Survey(data, **KEYS, measures={"m": TopBox("q")}, parse=Parse(missing=[98, 99]))
    assert survey.scores(disclosure_n=1)["n"].sum() == 18


def test_a_folder_is_no_file(frame, tmp_path):
    folder = tmp_path / "answers.csv"
    folder.mkdir()
    for path in (folder, tmp_path):
        with pytest.raises(DataError, match=r"is a folder\. Give the path of a file in it"):
            Survey(path, **KEYS, measures={"m": Mean("e1")})


def test_no_rows_and_no_keys_are_errors(held, frame):
    with pytest.raises(DataError, match="has no rows"):
        Survey(frame.iloc[:0], **KEYS, measures={"m": Mean("e1")}).scores()
    nobody = frame.assign(store=pd.Series([None] * 20, dtype=object))
    nobody["store"] = nobody["store"].astype("string")
    with pytest.raises(DataError, match=r"No row of .* names all of 'store', 'wave'"):
        Survey(held(nobody), **KEYS, measures={"m": Mean("e1")}).scores()


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"conf_level": 95}, OptionError, "conf_level=95: a share such as 0.95"),
        ({"conf_level": 1.0}, OptionError, "conf_level=1.0: a share"),
        ({"disclosure_n": 0}, OptionError, "disclosure_n=0: at least 1"),
        ({"disclosure_n": True}, OptionError, "disclosure_n=True: a whole number"),
        ({"disclosure_n": np.nan}, OptionError, "disclosure_n=nan: a whole number"),
        ({"disclosure_n": "5"}, OptionError, "disclosure_n='5': a whole number"),
        ({"disclosure_n": None}, OptionError, "disclosure_n=None: a whole number"),
        ({"by": "rol"}, ColumnError, "'rol' is not among the segments. Did you mean 'role'"),
        ({"by": ["left"]}, ColumnError, "'left' is not among the segments"),
    ],
)
def test_options_of_scores_are_checked(frame, options, error, says):
    survey = Survey(frame, **KEYS, measures={"m": Mean("e1")}, segments="role")
    with pytest.raises(error, match=says):
        survey.scores(**options)


# ---------------------------------------------------------------------- disclosure


SHOWN = ["n", "value", "variance", "std_error", "conf_low", "conf_high"]


@pytest.mark.parametrize("weight", [None, "w"])
@pytest.mark.parametrize("by", [[], ["role"]])
def test_no_cell_below_the_minimum_shows_anything(frame, weight, by):
    frame["e1"] = frame["e1"].where(frame.index != 3)
    measures = {"e": Mean("e1"), "s": Scale(["e1", "e2"], range=(1, 5)), "n": NPS("recommend")}
    survey = Survey(frame, **KEYS, measures=measures, segments=["role"], weight=weight)
    for minimum in (1, 2, 3, 5, 6):
        scores = survey.scores(by=by, disclosure_n=minimum)
        keys = ["store", "wave", *by]
        truth = frame.groupby(keys)[["e1", "recommend"]].count()
        few = scores["status"] == "withheld"
        assert scores.loc[few, SHOWN].isna().all(axis=None)
        assert scores.loc[scores["status"] == "scored", SHOWN].notna().all(axis=None) or minimum < 3
        for measure, column in (("e", "e1"), ("n", "recommend")):
            own = scores[scores["measure"] == measure].set_index(keys)
            counts = truth.loc[own.index, column]
            expected = np.select(
                [counts == 0, counts < minimum], ["no answer", "withheld"], "scored"
            )
            assert own["status"].tolist() == expected.tolist()
            assert not (own["n"] < max(minimum, 1))[own["n"] > 0].any()


def test_a_cell_of_one_takes_the_spread_of_the_others():
    frame = pd.DataFrame({"store": list("aaab"), "q": [1.0, 2.0, 3.0, 9.0]})
    scores = Survey(frame, unit="store", measures={"q": Mean("q")}).scores(disclosure_n=1)
    assert scores["variance"].tolist() == [pytest.approx(1 / 3), 1.0]


def test_cells_of_one_alone_have_no_variance_and_no_interval():
    frame = pd.DataFrame({"store": list("ab"), "q": [1.0, 2.0]})
    scores = Survey(frame, unit="store", measures={"q": Mean("q")}).scores(disclosure_n=1)
    assert scores["value"].tolist() == [1.0, 2.0]
    assert scores[["variance", "std_error", "conf_low", "conf_high"]].isna().all(axis=None)


def test_the_printed_survey_shows_no_answers(frame):
    survey = Survey(frame, **KEYS, measures={"m": Mean("e1")})
    assert repr(survey) == "<Survey: m per store × wave, held by pandas>"


def test_the_error_of_a_unanimous_cell_tells_nothing_of_withheld_ones():
    """Its pooled variance is of the cells that are shown."""
    rows = [("a", 3)] * 6 + [("b", v) for v in (1, 2, 3, 4, 5)]
    shown = pd.DataFrame(rows, columns=["store", "q"])
    measures = {"q": Mean("q")}
    scores = {}
    for small in ((), (1, 1, 1), (1, 5, 5)):
        frame = pd.concat([shown, pd.DataFrame({"store": "c", "q": small})], ignore_index=True)
        frame["q"] = frame["q"].astype(int)
        found = Survey(frame, unit="store", measures=measures).scores()
        scores[small] = found.set_index("store").loc["a", "std_error"]
    assert len(set(scores.values())) == 1
