"""predict(): what it takes, what it refuses and how, and what it returns."""

import json
import pickle
import re

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PolyCollection

import eecx
from eecx import plotting
from eecx.errors import ColumnError, DataError, OptionError

KEYS = {"unit": "unit", "wave": "wave"}
NUMBERS = ["estimate", "std_error", "statistic", "df", "p_value", "conf_low", "conf_high"]


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(3)
    units, waves = 40, 4
    unit = np.repeat(np.arange(units), waves)
    x = 3.5 + 0.3 * rng.normal(size=units)[unit] + 0.3 * rng.normal(size=len(unit))
    made = pd.DataFrame({"unit": unit, "wave": np.tile(np.arange(waves), units), "engagement": x})
    made["size"] = (10 + unit % 7).astype(float)
    made["region"] = np.array(["North", "South", "West"])[unit % 3]
    made["nps"] = 10 * x + made["size"] + 4 * rng.normal(size=len(unit))
    made["again"] = (made["nps"] > made["nps"].median()).astype(float)
    return made


@pytest.fixture(scope="module")
def panel(frame):
    return eecx.Panel.from_frame(
        frame,
        unit="unit",
        wave="wave",
        employee=["engagement"],
        customer=["nps"],
        covariates=["size", "region"],
    )


@pytest.fixture(scope="module")
def fit(panel):
    return eecx.regress(panel, "nps ~ engagement + size + C(region)")


AT = {"engagement": [3.0, 3.5, 4.0], "size": 12, "region": "South"}


# ---------------------------------------------------------------------- what it returns


def test_the_table_has_what_was_given_in_front(fit):
    result = fit.predict(AT)
    assert result.analysis == "predict"
    assert result.table.columns.tolist() == ["engagement", "size", "region", *NUMBERS]
    assert result.table["engagement"].tolist() == [3.0, 3.5, 4.0]
    assert result.table["region"].tolist() == ["South"] * 3
    assert result.spec["of"]["vcov"] == "CR2"
    assert result.spec["conf_level"] == 0.95
    assert fit.predict(AT, conf_level=0.9).spec["conf_level"] == 0.9
    assert result.stats["n"] == 160
    assert result.references == fit.references


def test_it_can_be_exported_and_kept(fit):
    result = fit.predict(AT, interval="new")
    content = json.loads(result.to_json())
    assert content["table"]["columns"][:3] == ["engagement", "size", "region"]
    assert "predictor" not in json.loads(fit.to_json())
    again = pickle.loads(pickle.dumps(fit)).predict(AT, interval="new")
    pd.testing.assert_frame_equal(again.table, result.table)
    assert result.to_latex().count(r"\\") == 4
    assert "engagement" in result.summary()


@pytest.mark.parametrize(
    ("effects", "words"),
    [
        ("pooled", "a new row of the data"),
        ("between", "the mean over waves of a new unit"),
        ("random", "one wave of a new unit"),
        ("mixed", "one wave of a new unit"),
    ],
)
def test_the_text_says_what_a_new_observation_is(panel, effects, words):
    fit = eecx.regress(panel, "nps ~ engagement + size", effects=effects)
    text = fit.predict({"engagement": 3.5, "size": [12, 13]}, interval="new").methods()
    assert f"we predicted nps for {words}, with 95% intervals" in text
    assert "(at engagement = 3.5 throughout): at size = 12, " in text
    assert "take residuals as normal" in text


def test_rows_of_units_without_waves_are_no_waves(frame):
    for effects, words in (("random", "one row of a new unit"), ("between", "the mean of a new")):
        fit = eecx.regress(frame, "nps ~ engagement", unit="unit", effects=effects)
        assert words in fit.predict({"engagement": 3.5}, interval="new").methods()


def test_the_text_of_differences_and_families(panel, frame):
    within = eecx.regress(panel, "nps ~ engagement", effects="within")
    text = within.predict({"engagement": [3.5, 4]}, reference={"engagement": 3}).methods()
    assert "differences in the expected nps from the reference values" in text
    assert "at engagement = 3.5 against 3, " in text
    family = eecx.regress(frame, "again ~ engagement", **KEYS, family="binomial")
    text = family.predict({"engagement": 3.5}).methods()
    assert "formed on the scale of the link and transformed: at engagement = 3.5, 0." in text


def test_every_engine_and_file(held, fit):
    at = pd.DataFrame({"engagement": [3.0, 4.0], "size": [12, 12], "region": ["South", "West"]})
    found = fit.predict(held(at)).table
    wanted = fit.predict(at).table
    assert found.columns.tolist() == wanted.columns.tolist()
    np.testing.assert_array_equal(found[NUMBERS], wanted[NUMBERS])


def test_a_file_that_was_fitted(frame, tmp_path):
    frame.to_csv(tmp_path / "waves.csv", index=False)
    options = {**KEYS, "effects": "between"}
    at = {"engagement": [3.4, 3.6], "region": ["North", "West"]}
    formula = "nps ~ engagement + C(region)"
    found = eecx.regress(tmp_path / "waves.csv", formula, **options).predict(at)
    wanted = eecx.regress(frame, formula, **options).predict(at)
    np.testing.assert_allclose(found.table[NUMBERS], wanted.table[NUMBERS], rtol=1e-12)


def test_lags_are_given_under_their_label(panel, frame):
    fit = eecx.regress(panel, "nps ~ engagement + lag(engagement)", effects="two-way")
    at = {"engagement": 3.5, "lag(engagement)": [3.0, 4.0]}
    moved = fit.predict(at, reference={"lag(engagement)": 3.0}).table
    assert moved["estimate"].iloc[1] == pytest.approx(fit["lag(engagement)"]["estimate"])
    again = eecx.regress(frame, "nps ~ engagement + lag(engagement)", **KEYS, effects="two-way")
    other = again.predict(at, reference={"lag(engagement)": 3.0}).table
    np.testing.assert_allclose(moved[NUMBERS], other[NUMBERS], rtol=1e-12)


def test_moments_predict_without_ranges(frame):
    sums = eecx.Moments.from_frame(
        frame, keys=["unit"], terms=["nps", "engagement", "size", "engagement:size"]
    )
    fit = eecx.regress(sums, "nps ~ size*engagement", cluster="unit")
    wanted = eecx.regress(frame, "nps ~ size*engagement", **KEYS)
    at = {"engagement": [3.5, 9.0], "size": 12}
    found = fit.predict(at)
    np.testing.assert_allclose(found.table[NUMBERS], wanted.predict(at).table[NUMBERS], rtol=1e-7)
    assert "extrapolation" not in [w.code for w in found.warnings]


def test_an_intercept_alone_needs_no_values(frame):
    fit = eecx.regress(frame, "nps ~ 1", **KEYS)
    row = fit.predict({}).table.iloc[0]
    tested = ["statistic", "p_value"]  # a level is not tested against zero
    wanted = fit["(intercept)"][NUMBERS].astype(float).drop(tested)
    np.testing.assert_allclose(row[NUMBERS].drop(tested), wanted)
    assert row[tested].isna().all()
    assert len(fit.predict(pd.DataFrame(index=range(3))).table) == 3
    with pytest.raises(ColumnError, match="'size', which the model does not use: it has an int"):
        fit.predict({"size": 3})


def test_categories_of_numbers_are_told_by_their_label(frame):
    fit = eecx.regress(frame, "nps ~ C(wave)", **KEYS)
    means = frame.groupby("wave")["nps"].mean()
    for given in ([2, 0], [2.0, 0.0], ["2", "0"]):
        table = fit.predict({"wave": given}).table
        np.testing.assert_allclose(table["estimate"], means[[2, 0]], rtol=1e-9)
    with pytest.raises(DataError, match=r"'wave' has '7', .* Its levels there: '0', '1', '2', '3'"):
        fit.predict({"wave": 7})


def test_powers_and_products_are_computed(frame):
    fit = eecx.regress(frame, "nps ~ engagement*size + I(size^2)", **KEYS)
    b = fit.table.set_index("term")["estimate"]
    row = fit.predict({"engagement": 3.2, "size": 11}).table.iloc[0]
    wanted = b["(intercept)"] + 3.2 * b["engagement"] + 11 * b["size"]
    wanted += 3.2 * 11 * b["engagement:size"] + 121 * b["I(size^2)"]
    assert row["estimate"] == pytest.approx(wanted, rel=1e-10)


# ---------------------------------------------------------------------- what it refuses


@pytest.mark.parametrize(
    ("at", "error", "text"),
    [
        ({"engagement": 3, "size": 12}, ColumnError, "at= lacks the column 'region'"),
        (
            {"engagment": 3, "size": 12, "region": "West"},
            ColumnError,
            "lacks the column 'engagement', .* Did you mean 'engagment'",
        ),
        (
            {**AT, "nps": 3},
            ColumnError,
            "at= has 'nps', which the model does not use: it needs 'engagement', 'size', 'region'",
        ),
        ({**AT, "engagement": [3.0, np.nan, 4.0]}, DataError, "'engagement' is missing in row 2"),
        ({**AT, "engagement": [None, np.nan, 4.0]}, DataError, "missing in row 1 and in 1 more"),
        ({**AT, "engagement": "high"}, DataError, "'engagement' holds text; numbers are needed"),
        ({**AT, "engagement": np.inf}, DataError, "'engagement' holds an infinite value"),
        ({**AT, "region": "Mars"}, DataError, "'region' has 'Mars', .* 'North', 'South', 'West'"),
        ({**AT, "size": [1, 2]}, OptionError, r"different lengths \('engagement': 3, 'size': 2"),
        ({"engagement": [], "size": [], "region": []}, DataError, "at= has no rows"),
        (3.5, DataError, "At= is a float; accepted are"),
    ],
)
def test_values_that_cannot_be_used(fit, at, error, text):
    with pytest.raises(error, match=text):
        fit.predict(at)


def test_options_that_cannot_be_used(fit, panel, frame):
    with pytest.raises(OptionError, match="interval='both': accepted are 'mean', 'new'"):
        fit.predict(AT, interval="both")
    with pytest.raises(OptionError, match="conf_level=95"):
        fit.predict(AT, conf_level=95)
    with pytest.raises(OptionError, match="interval='new' is for one new observation"):
        fit.predict(AT, reference={"size": 3}, interval="new")
    with pytest.raises(OptionError, match="reference= has 2 rows and at= has 3"):
        fit.predict(AT, reference={"size": [3, 4]})
    with pytest.raises(OptionError, match="reference= has no column of the model"):
        fit.predict(AT, reference={})
    with pytest.raises(ColumnError, match="reference= has 'nps', which the model does not use"):
        fit.predict(AT, reference={"nps": 3})
    with pytest.raises(OptionError, match=r"lag_profile gives no predictions\. eecx\.regress does"):
        eecx.lag_profile(panel, "engagement", "nps").predict(AT)
    family = eecx.regress(frame, "again ~ engagement", **KEYS, family="binomial")
    with pytest.raises(OptionError, match="interval='new' is not for family='binomial'"):
        family.predict({"engagement": 3.5}, interval="new")
    named = eecx.regress(frame.rename(columns={"size": "df"}), "nps ~ df", **KEYS)
    assert named.predict({"df": 12}).table.columns[0] == "df (given)"
    weighted = eecx.Moments.from_frame(frame, keys=["unit"], terms=["nps", "size"], weight="size")
    made = eecx.regress(weighted, "nps ~ size", cluster="unit")
    made.predict({"size": 12})
    with pytest.raises(OptionError, match="interval='new' is not for weighted models"):
        made.predict({"size": 12}, interval="new")


def test_a_new_observation_is_refused_by_the_kind_of_weights_not_by_their_name(frame):
    named = frame.assign(frequency=frame["size"], precision=1.0 + np.arange(len(frame)) % 3)
    for kind in ("precision", "sampling"):
        fit = eecx.regress(named, "nps ~ engagement", **KEYS, weights={kind: "frequency"})
        with pytest.raises(OptionError, match="interval='new' is not for weighted models") as error:
            fit.predict({"engagement": 3.5}, interval="new")
        assert (error.value.code, error.value.fix) == ("new-weighted", "Take interval='mean'.")
    counted = eecx.regress(named, "nps ~ engagement", **KEYS, weights={"frequency": "precision"})
    assert len(counted.predict({"engagement": 3.5}, interval="new").table) == 1


@pytest.mark.parametrize("effects", ["within", "two-way", "first-difference"])
def test_models_without_a_level_need_a_reference(panel, effects):
    fit = eecx.regress(panel, "nps ~ engagement", effects=effects)
    with pytest.raises(OptionError, match=rf"effects='{effects}' does not tell the level of 'nps'"):
        fit.predict({"engagement": 3.5})
    with pytest.raises(OptionError, match="interval='new' is for one new observation"):
        fit.predict({"engagement": 3.5}, interval="new")


def test_within_between_asks_for_its_parts(panel):
    fit = eecx.regress(panel, "nps ~ engagement + size", effects="within-between")
    wanted = "slopes of 'engagement' within and between units are apart. Give unit_means={'engag"
    with pytest.raises(ColumnError, match=re.escape(wanted)):
        fit.predict({"engagement": 3.5, "size": 12})
    square = eecx.regress(panel, "nps ~ I(engagement^2)", effects="within-between")
    with pytest.raises(ColumnError, match=re.escape("Give unit_means={'I(engagement^2)': …} too")):
        square.predict({"engagement": 3.5})
    parts = {"engagement (between)": 3, "engagement (within)": 0.5, "size": 12}
    with pytest.raises(OptionError, match="say the same"):
        fit.predict(parts, unit_means={"engagement": 3})
    with pytest.raises(OptionError, match="unit_means= has 2 rows and at= has 1"):
        fit.predict({"engagement": 3.5, "size": 12}, unit_means={"engagement": [3, 4]})
    with pytest.raises(ColumnError, match="unit_means= has 'size', which the model does not use"):
        fit.predict({"engagement": 3.5, "size": 12}, unit_means={"engagement": 3, "size": 1})
    pooled = eecx.regress(panel, "nps ~ engagement")
    with pytest.raises(OptionError, match="unit_means= is for models with slopes within and b"):
        pooled.predict({"engagement": 3.5}, unit_means={"engagement": 3})


def test_units_usual_values_and_two_parts_say_the_same(panel):
    text = "nps ~ engagement*size + I(engagement^2)"
    fit = eecx.regress(panel, text, effects="within-between")
    at = {"engagement": [3.5, 4.0], "size": 12}
    usual = {"engagement": 3.2, "I(engagement^2)": 10.5}
    found = fit.predict(at, unit_means=usual)
    parts = {
        "engagement (between)": 3.2,
        "engagement (within)": [0.3, 0.8],
        "I(engagement^2) (between)": 10.5,
        "I(engagement^2) (within)": [3.5**2 - 10.5, 4.0**2 - 10.5],
        "size": 12,
    }
    old = fit.predict(parts)
    np.testing.assert_allclose(found.table[NUMBERS], old.table[NUMBERS], rtol=1e-12)
    names = ["engagement", "size", "engagement (unit mean)", "I(engagement^2) (unit mean)"]
    assert found.table.columns[:4].tolist() == names
    # what is usual in the unit cancels out of a change within it, but not out of a product
    plain = eecx.regress(panel, "nps ~ engagement + size", effects="within-between")
    change = plain.predict({"engagement": 3.5}, reference={"engagement": 3.0}).table.iloc[0]
    slope = plain.row(term="engagement", level="within units over time")
    assert change["estimate"] == pytest.approx(0.5 * slope["estimate"])
    assert change["p_value"] == pytest.approx(slope["p_value"])
    with pytest.raises(ColumnError, match="Give unit_means="):
        fit.predict({"engagement": 3.5, "size": 12}, reference={"engagement": 3.5, "size": 10})


# ---------------------------------------------------------------------- what it doubts


def codes(result):
    return [w.code for w in result.warnings]


def test_values_beyond_those_observed(fit, panel):
    found = fit.predict({**AT, "engagement": [3.0, 5.5, 9.0]})
    caution = next(w for w in found.warnings if w.code == "extrapolation")
    assert caution.concerns == "engagement"
    assert "in 2 of 3 rows (such as 9)" in caution.message
    assert "extrapolation" not in codes(fit.predict(AT))
    # a reference counts too; and between units it is unit means that were observed
    assert "extrapolation" in codes(fit.predict(AT, reference={"size": 100}))
    between = eecx.regress(panel, "nps ~ engagement", effects="between")
    most = float(panel.frame["engagement"].max())
    assert "extrapolation" in codes(between.predict({"engagement": most}))
    apart = eecx.regress(panel, "nps ~ engagement", effects="within-between")
    usual = {"engagement (between)": 3.5, "engagement (within)": [0.1, 3.0]}
    assert codes(apart.predict(usual)) == ["extrapolation"]
    # a change within the unit says nothing of what is usual there
    assert codes(apart.predict({"engagement": 3.6}, reference={"engagement": 3.5})) == []
    far = apart.predict({"engagement": 9.0}, reference={"engagement": 3.5})
    assert codes(far) == ["extrapolation"]


def test_the_wild_bootstrap_has_no_covariance_of_combinations(panel):
    fit = eecx.regress(panel, "nps ~ engagement", vcov="wild", draws=99)
    found = fit.predict({"engagement": [3.5]})
    assert "wild-errors" in codes(found)
    wanted = eecx.regress(panel, "nps ~ engagement", vcov="CR1").predict({"engagement": [3.5]})
    np.testing.assert_allclose(found.table[NUMBERS], wanted.table[NUMBERS], rtol=1e-12)


def test_doubts_about_the_fit_stay_with_its_predictions(frame):
    exact = frame.assign(nps=2 * frame["engagement"] + 1)
    fit = eecx.regress(exact, "nps ~ engagement", **KEYS)
    found = fit.predict({"engagement": 3.5})
    assert {"perfect-fit", "untold"} <= set(codes(found))
    assert np.isnan(found.table["std_error"].iloc[0])
    assert found.table["estimate"].iloc[0] == pytest.approx(8.0)
    assert "its error cannot be told" in found.methods()
    found.to_json()
    few = eecx.regress(frame, "nps ~ engagement", **KEYS, cluster="region")
    assert "few-clusters" in codes(few.predict({"engagement": 3.5}))


# ---------------------------------------------------------------------- the figure


def test_a_line_with_its_band_for_each_group(fit):
    at = pd.concat(
        pd.DataFrame({"engagement": np.linspace(3, 9, 20), "size": 12, "region": r})
        for r in ("North", "West")
    )
    result = fit.predict(at)
    ax = result.plot()
    assert [len(line.get_xdata()) for line in ax.lines] == [20, 20]
    np.testing.assert_allclose(ax.lines[1].get_ydata(), result.table["estimate"][20:])
    bands = [c for c in ax.collections if isinstance(c, PolyCollection)]
    assert len(bands) == 2
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["North", "West"]
    assert ax.get_xlabel() == "engagement"
    assert ax.get_ylabel() == "expected nps"
    assert len(ax.patches) == 1  # what lies beyond the observed values is shaded
    plotting.render(ax.figure, "png")


def test_points_where_no_number_varies(fit):
    ax = fit.predict({**AT, "engagement": 3.5, "region": ["West", "North"]}).plot()
    assert [t.get_text() for t in ax.get_xticklabels()] == ["West", "North"]
    one = fit.predict({"engagement": 3.5, "size": 12, "region": "West"}, interval="new").plot()
    assert one.get_ylabel() == "nps"
    within = fit.predict(AT, reference={"engagement": 3.0}).plot()
    assert within.get_ylabel() == "difference in nps"


def test_labels_are_shown_as_they_are(frame):
    hostile = "$x^2$ <b>"
    fit = eecx.regress(frame.rename(columns={"size": hostile}), f"nps ~ `{hostile}`", **KEYS)
    ax = fit.predict({hostile: [10, 12]}).plot()
    assert ax.get_xlabel() == hostile
    plotting.render(ax.figure, "svg")


def test_the_range_of_peoples_answers_is_neither_said_nor_drawn():
    """The largest answer is one person's; that something lies beyond it is said without it."""
    rng = np.random.default_rng(4)
    people = pd.DataFrame({"team": np.repeat(np.arange(20), 8), "tenure": rng.uniform(0, 9, 160)})
    people["mood"] = 0.1 * people["tenure"] + rng.normal(size=160)
    people.loc[77, "tenure"] = 41.25
    for options in ({"unit": "team"}, {}):
        found = eecx.regress(people, "mood ~ tenure", **options).predict({"tenure": [3.0, 60.0]})
        (warning,) = [w for w in found.warnings if w.code == "extrapolation"]
        assert "41" not in warning.message
        assert "41.2" not in found.to_json()
        ax = found.plot()
        assert not any("beyond" in t.get_text() for t in ax.figure.texts)


@pytest.mark.parametrize("method", ["gls", "ols", "reml"])
def test_a_level_that_only_incomplete_rows_have_is_no_level(method):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"u": np.repeat(np.arange(12), 4), "t": np.tile(np.arange(4), 12)})
    frame["x"], frame["y"] = rng.normal(size=(2, 48))
    frame["g"] = rng.choice(list("abc"), 48)
    frame.loc[0, "g"], frame.loc[0, "y"] = "zz", np.nan
    given = {"effects": "within-between", "unit": "u", "wave": "t", "method": method}
    fit = eecx.regress(frame, "y ~ x + C(g)", **given)
    assert not any("zz" in term for term in fit.table["term"])
