"""What agreement and reliability refuse, warn of and never show, and that all give a Result."""

import json
import re

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import eecx
from eecx import (
    NPS,
    AcrossTouchpoints,
    ColumnError,
    DataError,
    Dispersion,
    Extreme,
    Favorable,
    Mean,
    Moments,
    OptionError,
    Scale,
    Survey,
)
from eecx.dossier import bibliography

ITEMS = ["q1", "q2", "q3"]
KEYS = {"unit": "store", "range": (1, 5)}


@pytest.fixture(scope="module")
def people():
    """Ten stores in three waves; answers share a level of the store."""
    rng = np.random.default_rng(1)
    store = np.repeat(np.arange(10), 30)
    level = 3.1 + 0.5 * rng.normal(size=10)[store] + 0.6 * rng.normal(size=300)
    made = pd.DataFrame({"store": store, "wave": np.tile([1, 2, 3], 100)})
    for item in ITEMS:
        made[item] = np.clip(np.rint(level + 0.8 * rng.normal(size=300)), 1, 5)
    return made.assign(
        score=level, recommend=rng.integers(0, 11, 300), place=np.tile(["web", "shop"], 150), w=1.0
    )


@pytest.fixture(scope="module")
def survey(people):
    measures = {"ex": Scale(ITEMS, range=(1, 5)), "score": Mean("score")}
    return Survey(people, unit="store", wave="wave", measures=measures)


@pytest.fixture(scope="module")
def panel(survey, people):
    guests = Survey(people, unit="store", wave="wave", measures={"nps": NPS("recommend")})
    return eecx.link(survey, guests)


ROOM = {
    "rwg": lambda s, p, d: eecx.rwg(s, "ex"),
    "rwg of one item": lambda s, p, d: eecx.rwg(d, "q1", **KEYS),
    "ad_index": lambda s, p, d: eecx.ad_index(s, "ex"),
    "awg": lambda s, p, d: eecx.awg(s, "ex"),
    "icc": lambda s, p, d: eecx.icc(s, "ex"),
    "alpha": lambda s, p, d: eecx.alpha(s, "ex"),
    "omega": lambda s, p, d: eecx.omega(s, "ex"),
    "split_half": lambda s, p, d: eecx.split_half(s, "ex"),
    "test_retest": lambda s, p, d: eecx.test_retest(d, ["q1", "q2"]),
    "reliability": lambda s, p, d: eecx.reliability(s),
    "reliability of a panel": lambda s, p, d: eecx.reliability(p),
    "attenuation": lambda s, p, d: eecx.attenuation(p, "ex", "nps", draws=99),
    "attenuation of rows": lambda s, p, d: eecx.attenuation(
        d, "q1", "recommend", reliability={"q1": 0.7}
    ),
    "random_groups": lambda s, p, d: eecx.random_groups(s, "ex", draws=99),
    "split_sample": lambda s, p, d: eecx.split_sample(s, "ex", "score", splits=20),
    "instability": lambda s, p, d: eecx.instability(p, "nps"),
    "perception_gap": lambda s, p, d: eecx.perception_gap(p, "ex", "nps"),
    "aggregation": lambda s, p, d: eecx.aggregation(s),
}


@pytest.mark.parametrize("name", ROOM)
def test_every_function_gives_a_result_that_prints_draws_and_travels(name, survey, panel, people):
    result = ROOM[name](survey, panel, people)
    assert isinstance(result, eecx.Result)
    assert result.analysis == name.split(" ")[0]
    content = json.loads(result.to_json())
    assert content["table"]["columns"] == list(result.table.columns)
    assert content["spec"]["versions"]["eecx"]
    for row in result.table.iloc[:, 0]:
        assert str(row) in result.summary()
    assert result.to_latex().count("\\\\\n") == len(result.table) + 1
    text = result.methods()
    assert text.endswith(".")
    assert not {"nan", "None", "inf"} & set(re.findall(r"\w+", text))
    assert len(bibliography(result.references)) == len(result.references)
    drawn = result.plot()
    assert isinstance(drawn, Axes | Figure)
    ax = Figure().add_subplot()
    result.plot(ax=ax)
    assert ax.has_data()
    plt.close("all")
    limits = [c for c in ("conf_low", "conf_high") if c in result.table]
    if limits:
        told = result.table.dropna(subset=["estimate", *limits])
        assert (told["conf_low"] <= told["estimate"]).all()
        assert (told["estimate"] <= told["conf_high"]).all()


@pytest.mark.parametrize("name", ["attenuation", "random_groups", "split_sample"])
def test_the_same_seed_gives_the_same_json(name, survey, panel, people):
    first, second = (ROOM[name](survey, panel, people).to_json() for _ in range(2))
    assert first == second


class TestRefused:
    @pytest.mark.parametrize(
        ("change", "call", "kind", "text"),
        [
            ({"q1": 3}, lambda d: eecx.icc(d, "q1", unit="store"), DataError, "'q1' are alike"),
            ({"q1": 0.1}, lambda d: eecx.icc(d, "q1", unit="store"), DataError, "nothing varies"),
            (
                {"q1": 3},
                lambda d: eecx.random_groups(d, "q1", unit="store", draws=99),
                DataError,
                "All values of 'q1' are alike",
            ),
            (
                {"q1": 3},
                lambda d: eecx.alpha(d, ITEMS),
                DataError,
                "'q1': everybody gave the same answer. Leave the item out",
            ),
            (
                {"q2": 7},
                lambda d: eecx.rwg(d, ITEMS, **KEYS),
                DataError,
                r"300 answers in column 'q2' are not between 1 and 5: 7 \(300\)",
            ),
            (
                {"q2": 0},
                lambda d: eecx.alpha(d, ITEMS, range=(1, 5)),
                DataError,
                "column 'q2' are not between 1 and 5",
            ),
            (
                {"q2": np.nan},
                lambda d: eecx.awg(d, ITEMS, **KEYS),
                DataError,
                "Nobody answered all of 'q1', 'q2', 'q3'",
            ),
            ({"q2": np.inf}, lambda d: eecx.icc(d, "q2", unit="store"), DataError, "infinite"),
            (
                {"store": range(300)},
                lambda d: eecx.rwg(d, ITEMS, **KEYS),
                DataError,
                "No unit has a value to show: each has too few respondents",
            ),
            (
                {"store": range(300)},
                lambda d: eecx.icc(d, "q1", unit="store"),
                DataError,
                "Every unit has one respondent .* Is unit= the column of the person",
            ),
            (
                {"store": range(300)},
                lambda d: eecx.random_groups(d, "q1", unit="store"),
                DataError,
                "Fewer than two units have two people",
            ),
            ({"store": 1}, lambda d: eecx.icc(d, "q1", unit="store"), DataError, "at least two"),
            (
                {"q3": lambda d: d["q1"]},
                lambda d: eecx.omega(d, ITEMS),
                DataError,
                "follow exactly from others: no factor model",
            ),
            (
                {"q3": lambda d: d["q1"] + 1},
                lambda d: eecx.test_retest(d, ["q1", "q3"]),
                DataError,
                "'q1', 'q3' hold the same values, but for a constant",
            ),
            (
                {"q1": 2},
                lambda d: eecx.split_sample(
                    Survey(d, unit="store", measures={"x": Mean("q1"), "y": Mean("q2")}), "x", "y"
                ),
                DataError,
                "All values of 'x' are alike",
            ),
        ],
    )
    def test_answers_that_tell_nothing(self, people, change, call, kind, text):
        with pytest.raises(kind, match=text):
            call(people.assign(**change))

    @pytest.mark.parametrize(
        ("call", "kind", "text"),
        [
            (lambda d: eecx.rwg(d, "scor", **KEYS), ColumnError, "Did you mean 'score'"),
            (lambda d: eecx.rwg(d, "q1", unit="stor"), ColumnError, "Did you mean 'store'"),
            (lambda d: eecx.icc(d, "scor", unit="store"), ColumnError, "Did you mean 'score'"),
            (lambda d: eecx.rwg(d, ["q1", "q1"], **KEYS), OptionError, "names a column twice"),
            (lambda d: eecx.rwg(d, [], **KEYS), OptionError, "items= names the columns"),
            (lambda d: eecx.rwg(d, "q1", range=(1, 5)), OptionError, "unit= names the column"),
            (lambda d: eecx.icc(d, "q1"), OptionError, "unit= names the column"),
            (
                lambda d: eecx.rwg(d, "q1", null="unifrom", **KEYS),
                OptionError,
                "accepted are 'uniform', .* or a variance. Did you mean 'uniform'",
            ),
            (lambda d: eecx.rwg(d, "q1", null=-1, **KEYS), OptionError, "a variance above 0"),
            (lambda d: eecx.rwg(d, "q1", null=[2, 2.0], **KEYS), OptionError, "2' twice"),
            (lambda d: eecx.rwg(d, "q1", null=[], **KEYS), OptionError, "names no distribution"),
            (
                lambda d: eecx.rwg(d, "q1", unit="store"),
                OptionError,
                r"null='uniform' needs the number of options: give range=",
            ),
            (lambda d: eecx.rwg(d, "q1", unit="store", range=(5, 1)), OptionError, "lowest"),
            (
                lambda d: eecx.rwg(d, "q1", unit="store", range=(1, 5.5)),
                OptionError,
                "options lie one apart",
            ),
            (lambda d: eecx.awg(d, "q1", unit="store"), OptionError, "a_wg needs range="),
            (
                lambda d: eecx.ad_index(d, "q1", around="mode", **KEYS),
                OptionError,
                "accepted are 'mean' and 'median'",
            ),
            (
                lambda d: eecx.ad_index(Moments.from_frame(d, keys=["store"], terms=["q1"]), "q1"),
                OptionError,
                "Moments hold no absolute deviations",
            ),
            (lambda d: eecx.rwg(d, "q1", **KEYS, disclosure_n=0), OptionError, "at least 1"),
            (lambda d: eecx.icc(d, "q1", unit="store", conf_level=95), OptionError, "share such"),
            (lambda d: eecx.alpha(d, "q1"), OptionError, "needs at least two"),
            (lambda d: eecx.alpha(d, ITEMS, reverse=["q7"]), OptionError, "not among the items"),
            (lambda d: eecx.omega(d, ITEMS[:2]), OptionError, "at least three items"),
            (
                lambda d: eecx.split_half(d, ITEMS, halves=(["q1"], ["q2"])),
                OptionError,
                "must hold every item once",
            ),
            (lambda d: eecx.spearman_brown(0.5, 0), OptionError, "a factor above 0"),
            (lambda d: eecx.test_retest(d, "q1"), OptionError, "at least two occasions"),
            (lambda d: eecx.random_groups(d, "q1", unit="store", draws=9), OptionError, "least 99"),
            (lambda d: eecx.attenuation(d, "q1", "q2"), OptionError, "reliability= is needed"),
            (
                lambda d: eecx.attenuation(d, "q1", "q1", reliability={"q1": 0.5}),
                OptionError,
                "x= and y= both name 'q1'",
            ),
            (
                lambda d: eecx.alpha(Moments.from_frame(d, terms=ITEMS), reverse=["q7"]),
                OptionError,
                "reverse names 'q7', which is not among the items",
            ),
            (
                lambda d: eecx.attenuation(d, "q1", "q2", reliability={"q3": 0.5}),
                OptionError,
                "neither x nor y",
            ),
            (
                lambda d: eecx.attenuation(d, "q1", "q2", reliability={"q1": 1.2}),
                OptionError,
                "above 0 and at most 1",
            ),
            (lambda d: eecx.reliability(d), OptionError, "takes an eecx.Survey or an eecx.Panel"),
            (lambda d: eecx.split_sample(d, "q1", "q2"), OptionError, "takes an eecx.Survey"),
            (lambda d: eecx.instability(d, "q1"), OptionError, "takes an eecx.Panel"),
            (lambda d: eecx.perception_gap(d, "q1", "q2"), OptionError, "takes an eecx.Panel"),
            (lambda d: eecx.aggregation(d), OptionError, "takes an eecx.Survey"),
        ],
    )
    def test_arguments(self, people, call, kind, text):
        with pytest.raises(kind, match=text):
            call(people)

    @pytest.mark.parametrize(
        ("call", "text"),
        [
            (lambda s: eecx.rwg(s, "exx"), "it has 'ex', 'score'. Did you mean 'ex'"),
            (lambda s: eecx.icc(s, "scores"), "Did you mean 'score'"),
            (lambda s: eecx.rwg(s, "ex", unit="store"), "A Survey knows its unit"),
            (lambda s: eecx.icc(s, "ex", wave="wave"), "A Survey knows its unit"),
            (lambda s: eecx.alpha(s, "ex", reverse=["q1"]), "A Survey knows its range"),
            (lambda s: eecx.alpha(s, "score"), "needs at least two"),
            (lambda s: eecx.reliability(s, "exx"), "'exx' is no measure of the survey"),
            (lambda s: eecx.reliability(s, target=1), "between 0 and 1"),
            (lambda s: eecx.aggregation(s, ["ex", "nps"]), "'nps' is no measure of the survey"),
            (lambda s: eecx.split_sample(s, "ex", "ex"), "two different measures"),
            (lambda s: eecx.split_sample(s, "ex", "score", splits=2), "splits=2: .*at least 20"),
            (lambda s: eecx.reliability(s, population=3), "a mapping of unit to headcount"),
            (lambda s: eecx.reliability(s, population={1: 50}), "no headcount for"),
            (
                lambda s: eecx.reliability(s, population=dict.fromkeys(range(10), 2)),
                "more respondents than people",
            ),
            (
                lambda s: eecx.reliability(s, population=dict.fromkeys(range(10), 0)),
                "zero or less",
            ),
        ],
    )
    def test_of_a_survey(self, survey, call, text):
        with pytest.raises(eecx.EecxError, match=text):
            call(survey)

    @pytest.mark.parametrize(
        "measure", [Dispersion(Mean("q1")), Extreme(Mean("q1")), AcrossTouchpoints(Mean("q1"))]
    )
    def test_measures_that_no_single_person_has(self, people, measure):
        own = Survey(
            people, unit="store", touchpoint="place", measures={"m": measure, "q": Mean("q2")}
        )
        for call in (
            lambda: eecx.rwg(own, "m"),
            lambda: eecx.icc(own, "m"),
            lambda: eecx.random_groups(own, "m"),
            lambda: eecx.split_sample(own, "m", "q"),
        ):
            text = f"'m', by eecx.{type(measure).__name__}, is made of a unit's people together"
            with pytest.raises(OptionError, match=text):
                call()

    def test_weights(self, people):
        with pytest.raises(DataError, match=r"'w' of .* is zero or negative in 300 rows"):
            Survey(
                people.assign(w=0.0), unit="store", weight="w", measures={"q": Mean("q1")}
            ).scores()
        own = Survey(people, unit="store", weight="w", measures={"q": Mean("q1"), "r": Mean("q2")})
        sums = Moments.from_frame(people.assign(w=2.0), keys=["store"], terms=["q1"], weight="w")
        for call in (
            lambda: eecx.rwg(own, "q"),
            lambda: eecx.icc(own, "q"),
            lambda: eecx.split_sample(own, "q", "r"),
            lambda: eecx.icc(sums, "q1", unit="store"),
            lambda: eecx.awg(sums, "q1", **KEYS),
        ):
            with pytest.raises(OptionError, match="weighted answers are not defined here"):
                call()
        table = eecx.aggregation(own).table
        assert set(table["index"]) == {"reliability, between units"}
        with pytest.raises(OptionError, match="is not defined for weighted answers"):
            Survey(people, unit="store", weight="w", measures={"d": Dispersion(Mean("q1"))})

    def test_nothing_to_draw(self, people):
        own = Survey(people, unit="store", measures={"spread": Dispersion(Mean("q1"))})
        result = eecx.aggregation(own)
        with pytest.raises(DataError, match="No unit has an agreement or a reliability"):
            result.plot()

    @pytest.mark.parametrize(
        ("make", "text"),
        [
            (lambda: Scale(ITEMS, range=(1, 5), composition="consensus"), "accepted are ''"),
            (lambda: Dispersion(NPS("q1")), "needs an eecx.Scale or eecx.Mean, not a NPS"),
            (lambda: Extreme(Mean("q1"), which="least"), "'minimum' and 'maximum'"),
            (lambda: AcrossTouchpoints(Extreme(Mean("q1"))), "needs a measure, such as"),
            (lambda: AcrossTouchpoints(Mean("q1"), how="best"), "'mean', 'worst'"),
            (lambda: AcrossTouchpoints(Mean("q1"), least=1), "at least 2"),
            (lambda: AcrossTouchpoints(Mean("q1"), least="5"), "least='5': a whole number"),
            (lambda: AcrossTouchpoints(Mean("q1"), weights=[1]), "positive number"),
            (lambda: AcrossTouchpoints(Mean("q1"), weights={"a": 0}), "positive number"),
            (
                lambda: AcrossTouchpoints(Mean("q1"), how="worst", weights={"a": 1}),
                "are for how='mean'",
            ),
            (lambda: Favorable(Scale(ITEMS, range=(1, 5)), at_least=6), "at_least=6: above"),
            (
                lambda: Survey(
                    pd.DataFrame({"store": [1], "q1": [1]}),
                    unit="store",
                    measures={"m": AcrossTouchpoints(Mean("q1"))},
                ),
                r"name their column with Survey\(touchpoint=",
            ),
        ],
    )
    def test_measures(self, make, text):
        with pytest.raises(OptionError, match=text):
            make()

    def test_weights_of_touchpoints_name_them_all(self, people):
        measure = AcrossTouchpoints(Mean("q1"), weights={"web": 1})
        own = Survey(people, unit="store", touchpoint="place", measures={"m": measure})
        with pytest.raises(OptionError, match="weights= lacks the touchpoint 'shop'"):
            own.scores(by=())


class TestServes:
    @pytest.fixture
    def sides(self, people):
        jobs = people.assign(job=np.tile(["cashier", "clerk"], 150))
        return (
            Survey(jobs, unit="store", touchpoint="job", measures={"ex": Mean("q1")}),
            Survey(people, unit="store", touchpoint="place", measures={"nps": NPS("recommend")}),
        )

    @pytest.mark.parametrize(
        ("serves", "kind", "text"),
        [
            ({"cashier": "till"}, DataError, "touchpoint of the customers 'till', which nobody"),
            ({"cook": "shop"}, DataError, "function of the employees 'cook', which nobody has"),
            ({}, OptionError, "serves= maps functions to touchpoints"),
            (["cashier"], OptionError, "serves= maps functions to touchpoints"),
        ],
    )
    def test_functions_and_touchpoints_that_nobody_has(self, sides, serves, kind, text):
        with pytest.raises(kind, match=text):
            eecx.link(*sides, serves=serves)

    def test_both_sides_name_their_column(self, sides, people):
        plain = Survey(people, unit="store", measures={"ex": Mean("q1")})
        with pytest.raises(OptionError, match="the employees have no touchpoint= column"):
            eecx.link(plain, sides[1], serves={"cashier": "shop"})

    def test_functions_without_a_touchpoint_are_left_out(self, sides):
        panel = eecx.link(*sides, serves={"cashier": "shop"})
        assert set(panel.frame["place"]) == {"shop"}
        assert panel.units == 10


class TestWarned:
    def test_an_item_reversed_by_mistake(self, people):
        own = Survey(
            people, unit="store", measures={"ex": Scale(ITEMS, range=(1, 5), reverse=["q3"])}
        )
        for call in (eecx.alpha, eecx.omega):
            found = [w for w in call(own, "ex").warnings if w.code == "negative-item"]
            assert "q3" in {w.concerns for w in found}
            assert "reversed, or not?" in found[0].message
        assert "negative-item" in {w.code for w in eecx.aggregation(own).warnings}
        assert eecx.alpha(people, ITEMS).warnings == ()

    def test_more_disagreement_than_chance(self):
        camps = pd.DataFrame({"store": np.repeat(list("ab"), 6), "q": [1, 5] * 6})
        result = eecx.rwg(camps, "q", **KEYS)
        assert result.table["clipped"].tolist() == [2, 2]
        assert {w.code for w in result.warnings} == {"agreement-below-null"}
        assert (result.tables["units"]["uniform"] == 0).all()

    def test_means_at_an_end_have_no_awg(self):
        ends = pd.DataFrame({"store": np.repeat(list("ab"), 6), "q": [1] * 5 + [2] + [2, 3] * 3})
        result = eecx.awg(ends, "q", **KEYS)
        assert result.tables["units"]["status"].tolist() == ["undefined", "shown"]
        assert [w.code for w in result.warnings] == ["undefined"]

    def test_units_that_differ_less_than_chance(self):
        mixed = pd.DataFrame({"store": np.repeat(list("abc"), 4), "y": [1.0, 2, 3, 4] * 3})
        result = eecx.icc(mixed, "y", unit="store")
        assert {w.code for w in result.warnings} == {"negative-icc", "few-units"}
        assert result["ICC(2)"]["estimate"] == -np.inf
        assert json.loads(result.to_json())["table"]["rows"][1][1] is None
        survey = Survey(mixed, unit="store", measures={"y": Mean("y")})
        table = eecx.aggregation(survey).table.set_index("index")
        assert table.loc["ICC(2)", "estimate"] == -np.inf

    def test_a_mean_without_range_has_no_rwg(self, survey):
        result = eecx.aggregation(survey, "score")
        assert "no-range" in {w.code for w in result.warnings}
        assert not {"r_wg", "a_wg"} & set(result.table["index"])

    def test_common_source(self, survey, panel):
        both = eecx.attenuation(panel, "ex", "score", draws=0)
        assert "common-source" in {w.code for w in both.warnings}
        across = eecx.attenuation(panel, "ex", "nps", draws=0)
        assert "common-source" not in {w.code for w in across.warnings}

    def test_a_reliability_that_is_not_known(self, people):
        means = people.groupby(["store", "wave"])[["q1", "q2"]].agg("mean").reset_index()
        own = eecx.Panel.from_frame(
            means.assign(v=0.01),
            unit="store",
            wave="wave",
            employee=["q1"],
            customer=["q2"],
            variance={"q1": "v"},
        )
        result = eecx.attenuation(own, "q1", "q2", draws=0)
        assert "unknown-reliability" in {w.code for w in result.warnings}
        result = eecx.reliability(own, ["q1", "q2"])
        assert set(result.table["measure"]) == {"q1"}
        assert ("unknown-reliability", "q2") in {(w.code, w.concerns) for w in result.warnings}
        with pytest.raises(DataError, match="are not known: give reliability="):
            eecx.attenuation(
                eecx.Panel.from_frame(
                    means, unit="store", wave="wave", employee=["q1"], customer=["q2"]
                ),
                "q1",
                "q2",
            )


class TestMissing:
    def test_people_who_lack_an_item_are_counted(self, people):
        gaps = people.copy()
        gaps.loc[gaps.index[::10], "q2"] = np.nan
        for call in (eecx.rwg, eecx.ad_index, eecx.awg):
            assert call(gaps, ITEMS, **KEYS).stats["left_out"] == 30
        assert eecx.alpha(gaps, ITEMS).stats["left_out"] == 30
        assert eecx.alpha(gaps, ITEMS).stats["n"] == 270
        assert eecx.icc(gaps, "q2", unit="store").stats["left_out"] == 30

    def test_a_unit_in_two_regions_is_one_unit(self, people):
        regions = people.assign(region=np.where(people.index % 2, "n", "s"))
        own, plain = (
            Survey(d, unit="store", measures={"ex": Scale(ITEMS, range=(1, 5))}, **more)
            for d, more in ((regions, {"segments": ["region"]}), (people, {}))
        )
        found, expected = (eecx.aggregation(s) for s in (own, plain))
        pd.testing.assert_frame_equal(found.table, expected.table)
        assert len(own.scores(by=["region"])) == 2 * len(own.scores())


FEW = {"unit": "store", "range": (1, 9)}


class TestDisclosure:
    """Two small stores, whose answers no one else gave: nothing of them may be seen."""

    @pytest.fixture
    def data(self):
        rng = np.random.default_rng(3)
        large = pd.DataFrame({"store": np.repeat([f"s{i}" for i in range(8)], 12)})
        for item in ITEMS:
            large[item] = rng.integers(3, 7, len(large))
        tiny = pd.DataFrame({"store": ["hidden"] * 4 + ["lone"] * 1})
        tiny[ITEMS] = [[1, 9, 1], [9, 1, 9], [9, 9, 1], [1, 1, 9], [9, 9, 9]]
        return pd.concat([large, tiny], ignore_index=True)

    def figures(self, data, result):
        """Every number in the tables of units of the two stores."""
        units = result.tables["units"]
        return units[units["unit"].isin(["hidden", "lone"])]

    def calls(self, data):
        own = Survey(data, unit="store", measures={"ex": Scale(ITEMS, range=(1, 9))})
        return [
            eecx.rwg(data, ITEMS, **FEW),
            eecx.ad_index(data, ITEMS, **FEW),
            eecx.awg(data, ITEMS, **FEW),
            eecx.icc(data, "q1", unit="store"),
            eecx.aggregation(own),
            eecx.reliability(own),
        ]

    def test_units_tables_show_nothing_of_small_units(self, data):
        for result in self.calls(data):
            rows = self.figures(data, result)
            assert (rows["status"] == "withheld").all()
            numbers = rows.select_dtypes("number").drop(columns="waves", errors="ignore")
            assert numbers.isna().all(axis=None)
            content = json.loads(result.to_json())["tables"]["units"]
            at = [i for i, c in enumerate(content["columns"]) if c in numbers]
            hidden = [r for r in content["rows"] if {"hidden", "lone"} & set(map(str, r))]
            assert all(row[i] is None for row in hidden for i in at)

    def test_distributions_describe_the_others_only(self, data):
        others = data[data["store"].str.startswith("s")]
        for whole, part in zip(self.calls(data)[:3], self.calls(others)[:3], strict=True):
            pd.testing.assert_frame_equal(whole.table, part.table)
            assert whole.to_latex() == part.to_latex()
            expected = part.summary().replace("units 8; groups 8", "units 10; groups 10")
            assert whole.summary() == expected.replace("withheld 0", "withheld 2")
            assert whole.spec == part.spec
            assert whole.stats["withheld"] == 2
            assert whole.stats["n"] == part.stats["n"]
            if "bands" in whole.tables:
                pd.testing.assert_frame_equal(whole.tables["bands"], part.tables["bands"])
            drawn, plain = whole.plot(), part.plot()
            for dots, own in zip(drawn.collections, plain.collections, strict=True):
                np.testing.assert_allclose(dots.get_offsets(), own.get_offsets(), atol=1e-9)
            plt.close("all")
        found, expected = (eecx.rwg(d, ITEMS, **FEW).methods() for d in (data, others))
        assert found == expected.replace(
            " No unit was", " 2 more units, with too few respondents, are withheld. No unit was"
        )

    def test_one_small_unit_does_not_follow_from_the_sums_over_all(self, data):
        """ICC is of everybody: with it and all other units' figures the last one would follow."""
        one = data[data["store"] != "lone"]
        result = eecx.icc(one, "q1", unit="store")
        units = result.tables["units"]
        withheld = units["status"] == "withheld"
        assert withheld.sum() == result.stats["withheld"] == 2
        assert result.stats["n"] - units["n"].sum() >= 5
        level = eecx.icc(one, "q1", unit="store", disclosure_n=4)
        assert (level.tables["units"]["status"] == "shown").all()

    def test_aggregation_describes_the_others(self, data):
        own, others = (
            Survey(d, unit="store", measures={"ex": Scale(ITEMS, range=(1, 9))})
            for d in (data, data[data["store"].str.startswith("s")])
        )
        found, expected = (eecx.aggregation(s).table for s in (own, others))
        agreement = ~found["index"].str.contains("ICC|alpha")
        pd.testing.assert_frame_equal(found[agreement], expected[agreement])

    def test_a_survey_of_small_units_only_is_refused(self, data):
        tiny = data[~data["store"].str.startswith("s")]
        for call in (eecx.rwg, eecx.ad_index, eecx.awg):
            with pytest.raises(DataError, match="too few respondents for disclosure_n"):
                call(tiny, ITEMS, **FEW)
