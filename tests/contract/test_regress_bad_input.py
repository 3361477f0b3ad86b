"""Input that no regression can use: an error that names it, or a result that says so itself.

What test_regress_contract.py and test_regress_more_contract.py ask already is not asked again.
"""

import re

import numpy as np
import pandas as pd
import pytest

import eecx
from eecx.errors import ColumnError, DataError, EecxError, FormulaError, OptionError

KEYS = {"unit": "store", "wave": "year"}
UNIT_EFFECTS = ("random", "within-between", "mixed")


def made(units=12, waves=4):
    rng = np.random.default_rng(4)
    year = np.tile(np.arange(2020, 2020 + waves), units)
    store = np.repeat(np.arange(units), waves)
    frame = pd.DataFrame({"store": [f"s{i:02d}" for i in store], "year": year})
    level = np.repeat(rng.normal(size=units), waves)
    frame["x"] = level + rng.normal(size=len(frame))
    frame["z"] = rng.normal(size=len(frame)) + 10
    frame["y"] = 20 + 3 * frame["x"] + level + rng.normal(size=len(frame))
    frame["yes"] = (rng.random(len(frame)) < 0.5).astype(float)
    frame["flag"] = frame["yes"] == 1
    frame["count"] = rng.poisson(3, len(frame)).astype(float)
    frame["one"], frame["tenth"], frame["zero"], frame["blank"] = 1.0, 0.1, 0.0, np.nan
    frame["double"] = 2 * frame["x"]
    frame["twice"] = 2 * frame["z"] - 5
    frame["near"] = frame["z"] + 1e-4 * rng.normal(size=len(frame))
    frame["nearer"] = frame["z"] + 1e-6 * rng.normal(size=len(frame))
    frame["age"], frame["price"] = store / 7, np.sqrt(year - 2018)
    frame["region"] = np.array(["north", "south", "west"])[store % 3]
    frame["moved"] = np.where(year > 2021, "east", frame["region"])
    frame["chain"] = "all"
    frame["kind"] = pd.Categorical(["a"] * len(frame))
    frame["above"] = (frame["x"] > 0).astype(float)
    frame["odd"] = (np.arange(len(frame)) % 2).astype(float)
    frame["mostly"] = np.maximum(frame["yes"], frame["odd"])
    frame["at_odd"] = frame["count"] * frame["odd"]
    frame["mixed_text"] = frame["x"].astype(object).where(frame.index != 5, "n/a?")
    return frame


@pytest.fixture(scope="module")
def frame():
    return made()


def run(frame, formula="y ~ x + z", **options):
    return eecx.regress(frame, formula, **KEYS | options)


def codes(result):
    return [caution.code for caution in result.warnings]


def refuses(error, text, call, *given, **options):
    with pytest.raises(error, match=re.escape(text)) as caught:
        call(*given, **options)
    assert isinstance(caught.value, EecxError)


# ---------------------------------------------------------------------- columns

BY_EFFECTS = [
    (effects, formula, DataError, text)
    for effects in UNIT_EFFECTS
    for formula, text in [
        ("y ~ one", "'one' is constant over the"),
        ("y ~ x + tenth", "'tenth' is constant over the"),
        ("y ~ x*one", "is co"),  # either of 'one' and 'x:one' is named
        ("one ~ x", "'one' is constant over the 48 rows that are left"),
        ("y ~ z + twice", "determines it. Leave one of them out."),
        ("y ~ z + nearer", "determines it. Leave one of them out."),
        ("double ~ x", "Within units the terms reproduce 'double' exactly: no residual variance"),
        ("age ~ x", "Within units the terms reproduce 'age' exactly: no residual variance is left"),
        ("y ~ blank", "No unit × wave has a value for all of 'y', 'blank'."),
        ("y ~ mixed_text", "Column 'mixed_text' should hold numbers, but 1 cells hold text"),
        ("y ~ kind", "'kind' holds text, not numbers. On the right-hand side C(kind) uses it"),
        ("y ~ C(kind)", "C(kind): 'kind' has a single level, so it explains nothing."),
    ]
]
BY_COLUMN = [
    ("between", "y ~ price", DataError, "'price' is constant over the 12 units that are left."),
    ("between", "y ~ z + nearer", DataError, "'nearer' is collinear: 'z' determines it."),
    ("pooled", "zero ~ x", DataError, "'zero' is constant over the 48 rows that are left. There"),
    ("pooled", "y ~ x*one", DataError, "'one' is constant over the 48 rows that are left. Leave"),
    ("pooled", "y ~ x + x:one", DataError, "'x:one' is collinear: 'x' determines it."),
    ("pooled", "y ~ x:x", FormulaError, "'x' is multiplied by itself: write I(x^2)."),
    ("pooled", "y ~ x*x", FormulaError, "'x' is multiplied by itself: write I(x^2)."),
    ("pooled", "y ~ x + y", FormulaError, "The response may come here only as its own past"),
    ("within", "y ~ x*one", DataError, "'one' does not change within units over time"),
    ("within", "y ~ z + nearer", DataError, "'nearer' is collinear: 'z' determines it."),
    ("two-way", "y ~ x + C(year)", DataError, "'C(year)[2021]' changes only from wave to wave"),
    ("two-way", "y ~ z + twice", DataError, "net of the effects of waves, 'z' determines it."),
    ("first-difference", "y ~ x + age", DataError, "'age' changes in no unit from wave to wave"),
    ("first-difference", "y ~ year", DataError, "or by the same always. Leave it out."),
    ("first-difference", "y ~ blank", DataError, "No unit × wave has a value for all of 'y', 'bl"),
]


@pytest.mark.parametrize(("effects", "formula", "error", "text"), [*BY_COLUMN, *BY_EFFECTS])
def test_columns_that_cannot_be_used(frame, effects, formula, error, text):
    refuses(error, text, run, frame, formula, effects=effects)


@pytest.mark.parametrize("effects", ["pooled", "between", "within", "random", "within-between"])
def test_an_interaction_with_a_constant_is_the_column_itself(frame, effects):
    plain, times = (run(frame, f"y ~ {t}", effects=effects) for t in ("x", "x:one"))
    for column in ("estimate", "std_error"):
        np.testing.assert_allclose(times.table[column], plain.table[column], rtol=1e-9)


@pytest.mark.parametrize("effects", ["pooled", "between", "within", "random", "mixed"])
def test_yes_or_no_may_be_a_boolean(frame, effects):
    one, two = (run(frame, f"y ~ x + {c}", effects=effects) for c in ("yes", "flag"))
    np.testing.assert_allclose(one.table["estimate"], two.table["estimate"], rtol=1e-12)
    assert run(frame, "flag ~ x", effects=effects).stats["n"] in (12, 48)


@pytest.mark.parametrize("effects", ["pooled", "between", "within", "random", "mixed"])
def test_nearly_collinear_columns_are_flagged(frame, effects):
    assert "ill-conditioned" in codes(run(frame, "y ~ z + near", effects=effects))


@pytest.mark.parametrize("effects", ["random", "within-between"])
def test_what_changes_from_wave_to_wave_alone_has_its_slope_within_units(frame, effects):
    slope = run(frame, "y ~ price", effects=effects).table.set_index("term")
    within = run(frame, "y ~ price", effects="within")["price"]
    assert slope.loc["price", "estimate"] == pytest.approx(within["estimate"], rel=1e-9)


@pytest.mark.parametrize("effects", ["pooled", "between", "within", "two-way", "first-difference"])
def test_an_outcome_computed_from_its_predictor_has_no_errors(frame, effects):
    result = run(frame, "double ~ x", effects=effects)
    assert "perfect-fit" in codes(result)
    assert result.table["std_error"].isna().all()
    assert result["x"]["estimate"] == pytest.approx(2.0)


# ---------------------------------------------------------------------- rows


def test_a_formula_without_a_value_left_names_the_cluster_too(frame):
    text = "No unit × wave has a value for all of 'y', 'x', 'z', 'blank'."
    refuses(DataError, text, run, frame, cluster="blank")


@pytest.mark.parametrize("effects", ["pooled", "within", "mixed"])
def test_infinite_outcomes_are_named(frame, effects):
    endless = frame.assign(y=frame["y"].where(frame.index != 9, -np.inf))
    refuses(DataError, "Column 'y' holds an infinite value (first in unit 's02')", run, endless)


@pytest.mark.parametrize("effects", ["between", "within", "first-difference", *UNIT_EFFECTS])
def test_a_unit_and_wave_twice_is_named(frame, effects):
    twice = pd.concat([frame, frame.iloc[[3]]])
    text = "store × year more than once: s00 × 2023"
    refuses(DataError, text, run, twice, effects=effects)


@pytest.mark.parametrize(
    ("key", "options"),
    [
        ("year", {}),
        ("store", {}),
        ("store", {"wave": None}),
        ("year", {"family": "binomial", "formula": "yes ~ x"}),
    ],
)
def test_rows_without_unit_or_wave_are_counted_as_left_out(frame, key, options):
    holes = frame.assign(**{key: frame[key].where(frame.index != 5)})
    result = run(holes, **options)
    assert (result.stats["n"], result.stats["left_out"]) == (47, 1)


def test_correlations_count_rows_without_a_wave_too(frame):
    holes = frame.assign(year=frame["year"].where(frame.index != 5))
    assert eecx.correlations(holes, ["x", "y"], **KEYS).stats["left_out"] == 1


def test_no_row_with_unit_and_wave(frame):
    text = "No row names all of 'store', 'year'."
    refuses(DataError, text, run, frame.assign(year=np.nan))
    refuses(DataError, "The data frame has no rows.", run, frame.head(0))


@pytest.mark.parametrize(
    ("effects", "keys"), [("within", KEYS), ("two-way", KEYS), ("within", {"unit": "store"})]
)
def test_units_of_one_wave_have_nothing_within(frame, effects, keys):
    single = frame[frame["year"] == 2020]
    text = "No unit has more than one row with all values, so nothing, 'y' among it, changes"
    refuses(DataError, text, eecx.regress, single, "y ~ x", effects=effects, **keys)


@pytest.mark.parametrize(
    ("effects", "units", "waves", "formula", "text"),
    [
        ("between", 3, 4, "y ~ x + z", "3 units for 3 parameters: too few to fit."),
        ("within", 2, 2, "y ~ x + z", "4 rows for 4 parameters: too few to fit."),
        ("first-difference", 2, 2, "y ~ x", "2 rows for 2 parameters: too few to fit."),
        ("first-difference", 4, 1, "y ~ x", "No unit has two waves one step apart"),
        ("random", 3, 4, "y ~ x + z", "3 units for 3 parameters between units: too few."),
        ("random", 6, 1, "y ~ x", "6 rows of 6 units: too few waves per unit to tell units from"),
        ("within-between", 3, 4, "y ~ x + z", "3 units for 3 parameters between units: too few."),
        ("mixed", 1, 9, "y ~ x", "too few"),
        ("mixed", 3, 4, "y ~ x + C(store)", "3 units are too few for 1 (co)variance"),
    ],
)
def test_fewer_units_than_parameters(effects, units, waves, formula, text):
    refuses(DataError, text, run, made(units, waves), formula, effects=effects)


# ---------------------------------------------------------------------- clusters


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"effects": "between", "cluster": "moved"}, DataError, "in several of 'moved'. Name a co"),
        ({"effects": "within", "cluster": "moved"}, DataError, "several of 'moved'. Use CR1."),
        ({"effects": "two-way", "cluster": "year", "vcov": "CR3"}, DataError, "of 'year'. Use CR1"),
        (
            {"effects": "mixed", "cluster": "moved"},
            OptionError,
            "Mixed models have errors of their",
        ),
        (
            {"effects": "between", "cluster": ("store", "region")},
            OptionError,
            "effects='between' takes one kind of clusters, of whole units. Name one column.",
        ),
        (
            {"effects": "between", "vcov": "newey-west"},
            OptionError,
            "vcov='newey-west' is for rows over time, and effects='between' has one row per unit.",
        ),
        (
            {"effects": "between", "vcov": "driscoll-kraay"},
            OptionError,
            "vcov='driscoll-kraay' is for rows over time, and effects='between' has one row per un",
        ),
        ({"cluster": "chain"}, DataError, "All rows lie in one cluster; robust errors need at lea"),
        ({"cluster": ("chain", "store")}, DataError, "All rows lie in one cluster"),
        ({"cluster": 3}, OptionError, "cluster=3: the name of one column, or of two."),
        ({"cluster": True}, OptionError, "cluster=True: the name of one column, or of two."),
        ({"cluster": ("store", 3)}, OptionError, "the name of one column, or of two."),
        ({"cluster": {"a": 1}}, OptionError, "the name of one column, or of two."),
        ({"cluster": pd.Series(["a", "b"])}, OptionError, "the name of one column, or of two."),
        ({"cluster": np.array(["a"])}, OptionError, "the name of one column, or of two."),
        ({"cluster": ""}, ColumnError, "names the column '', which is not in the data frame"),
    ],
)
def test_clusters_that_cannot_be_used(frame, options, error, text):
    refuses(error, text, run, frame, **options)


# ---------------------------------------------------------------------- options


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"effects": ["within"]}, OptionError, "effects=['within']: accepted are"),
        ({"vcov": ["CR2"]}, OptionError, "vcov=['CR2']: accepted are"),
        ({"family": "gamma"}, OptionError, "family='gamma': accepted are 'gaussian', 'binomial'"),
        ({"family": None}, OptionError, "family=None: accepted are"),
        ({"family": ["poisson"]}, OptionError, "family=['poisson']: accepted are"),
        ({"method": "lasso"}, OptionError, "method='lasso' of effects='pooled': accepted are"),
        ({"effects": "mixed", "method": ["ml"]}, OptionError, "method=['ml'] of effects='mixed'"),
        ({"effects": "mixed", "covariance": "full"}, OptionError, "covariance='full': accepted ar"),
        ({"effects": "mixed", "covariance": None}, OptionError, "covariance=None: accepted are"),
        ({"covariance": "diagonal"}, OptionError, "random= and covariance= are for mixed models"),
        ({"effects": "mixed", "random": ""}, FormulaError, "There are no terms; write 1"),
        ({"effects": "mixed", "random": "1 +"}, FormulaError, "ends where a term is expected"),
        ({"effects": "mixed", "random": "0 + x"}, FormulaError, "the intercept is always kept"),
        ({"effects": "mixed", "random": "x | store"}, FormulaError, "'|' is not accepted"),
        ({"effects": "mixed", "random": None}, FormulaError, "A formula is text, not NoneType"),
        ({"effects": "mixed", "random": "1 + y"}, OptionError, "'y' is not among the terms"),
        ({"drift": "no"}, OptionError, "drift='no': True or False."),
        ({"effects": "first-difference", "drift": "no"}, OptionError, "drift='no': True or False."),
        ({"wild": "webb"}, OptionError, "wild='webb' is for vcov='wild'. Leave wild= out, or"),
        ({"vcov": "wild", "wild": "normal"}, OptionError, "wild='normal': accepted are"),
        ({"vcov": "wild", "draws": 0}, OptionError, "draws=0: a whole number, at least 99"),
        ({"vcov": "wild", "draws": 200.5}, OptionError, "draws=200.5: a whole number, at least 99"),
        ({"draws": 0}, OptionError, "draws=0: a whole number, at least 99"),
        ({"draws": "many"}, OptionError, "draws='many': a whole number, at least 99"),
        ({"rng": "a"}, OptionError, "rng='a': a whole number of 0 or more as seed"),
        ({"rng": 1.5}, OptionError, "rng=1.5: a whole number of 0 or more as seed"),
        ({"vcov": "wild", "rng": -1}, OptionError, "rng=-1: a whole number of 0 or more as seed"),
        ({"effects": "mixed", "conf_level": 0}, OptionError, "conf_level=0: a share such as 0.95"),
        ({"conf_level": -0.1}, OptionError, "conf_level=-0.1: a share such as 0.95"),
        ({"conf_level": [0.9]}, OptionError, "conf_level=[0.9]: a share such as 0.95"),
        ({"unit": 3}, OptionError, "unit=3: the name of one column."),
        ({"wave": ["year"]}, OptionError, "wave=['year']: the name of one column."),
        ({"wave": "store"}, OptionError, "unit and wave both name 'store'"),
        ({"unit": "stroe"}, ColumnError, "Did you mean 'store'"),
    ],
    ids=str,
)
def test_options_that_are_not_accepted(frame, options, error, text):
    refuses(error, text, run, frame, **options)


@pytest.mark.parametrize(
    ("formula", "text"),
    [
        ("", "A formula has one '~', between response and terms; here is none."),
        ("~ x", "The response is missing before '~'."),
        ("y ~", "There are no terms; write 1 for the intercept alone."),
        ("y ~ x +", "The formula ends where a term is expected."),
        ("y ~ + x", "'+' stands where a term is expected."),
        ("y ~ x:", "The formula ends where a term is expected."),
        ("y ~ ()", "')' stands where a term is expected."),
        ("y ~ ``", "This backtick is not closed, or nothing stands between two."),
        ("y ~ I()", "I() holds one column and a whole power from 2 to 9"),
        ("y ~ lag()", "lag() is written lag(x), lag(x, 2) or lag(x, -1)"),
    ],
)
def test_empty_parts_of_a_formula(frame, formula, text):
    refuses(FormulaError, text, run, frame, formula)


@pytest.mark.parametrize("data", [None, 3, [1, 2], {"y": [1]}, np.zeros((3, 3))], ids=str)
def test_data_that_are_no_frame(data):
    said = "regress takes an eecx.Panel, eecx.Moments or a data frame, not "
    refuses(OptionError, said, eecx.regress, data, "y ~ x")


# ---------------------------------------------------------------------- mixed models


def test_a_slope_that_does_not_vary_between_units_is_flagged():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"store": np.repeat(np.arange(30), 6), "x": rng.normal(size=180)})
    # residuals of opposite signs at opposite x: the slopes of units are equal
    frame["y"] = frame["x"] + np.repeat(rng.normal(size=30), 6)
    noise = rng.normal(size=(30, 6))
    for g, rows in enumerate(frame["x"].to_numpy().reshape(30, 6)):
        basis = np.column_stack([np.ones(6), rows])
        noise[g] -= basis @ np.linalg.lstsq(basis, noise[g], rcond=None)[0]
    frame["y"] += noise.ravel()
    options = {"unit": "store", "effects": "mixed", "random": "1 + x"}
    found = eecx.regress(frame, "y ~ x", covariance="diagonal", **options)
    (caution,) = (w for w in found.warnings if w.code == "zero-variance")
    assert caution.concerns == "x"
    assert np.isfinite(found.table[["estimate", "std_error"]]).all(axis=None)
    assert {"zero-variance", "singular"} & set(codes(eecx.regress(frame, "y ~ x", **options)))


def test_a_random_slope_of_what_is_constant_in_units_is_refused(frame):
    text = "The random slope of 'age' is not identified: the column is constant in every unit."
    refuses(DataError, text, run, frame, "y ~ x + age", effects="mixed", random="1 + age")


# ---------------------------------------------------------------------- families


@pytest.mark.parametrize(
    ("family", "formula", "text"),
    [
        ("binomial", "above ~ x + z", "'x' separates the rows with 'above' from those without"),
        ("fractional", "above ~ x", "'x' separates the rows with 'above' from those without"),
        ("binomial", "mostly ~ odd + x", "'odd' separates the rows with 'mostly' from those"),
        ("binomial", "mostly ~ C(odd)", "'C(odd)[1]' separates the rows with 'mostly'"),
        ("poisson", "at_odd ~ odd + x", "'odd' separates the rows with 'at_odd' from those"),
        ("binomial", "zero ~ x", "'zero' is 0 in all rows: nothing varies."),
        ("poisson", "zero ~ x", "'zero' is 0 in all rows: nothing varies."),
        ("fractional", "one ~ x", "'one' is 1 in all rows: nothing varies."),
        ("binomial", "yes ~ x*one", "'one' is constant or collinear. Leave it out."),
        ("binomial", "yes ~ z + twice", "'twice' is constant or collinear. Leave it out."),
        ("binomial", "yes ~ blank", "No unit × wave has a value for all of 'yes', 'blank'."),
        ("poisson", "count ~ chain", "'chain' holds text, not numbers."),
        ("binomial", "yes ~ C(kind)", "C(kind): 'kind' has a single level, so it explains nothing"),
        ("binomial", "count ~ x", "'count' must be 0 or 1 for family='binomial'"),
    ],
)
def test_families_refuse(frame, family, formula, text):
    refuses(DataError, text, run, frame, formula, family=family)


def test_columns_that_separate_together_are_named(frame):
    both = frame.assign(hidden=(frame["x"] + frame["z"] > 10).astype(float))
    text = "'x', 'z' separate the rows with 'hidden' from those without: their slopes are infinite"
    refuses(DataError, text, run, both, "hidden ~ x + z", family="binomial")


@pytest.mark.parametrize(("reach", "flag"), [(5, []), (40, ["at-limit"])])
def test_steep_is_not_separated(reach, flag):
    """Fitted shares beyond any doubt, but rows on the wrong side too: the slope is finite."""
    far = np.linspace(0.5, reach, 60)
    frame = pd.DataFrame({"x": np.r_[-far, -0.2, 0.2, 0.1, -0.1, far]})
    frame["y"] = np.r_[np.zeros(60), 1, 0, 0, 1, np.ones(60)]
    result = eecx.regress(frame, "y ~ x", family="binomial")
    assert codes(result) == flag
    assert np.isfinite(result.table["estimate"]).all()
    assert np.isfinite(result.table["std_error"]).all() == (not flag)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"cluster": "chain"}, DataError, "All rows lie in one cluster (chain)"),
        ({"cluster": "blank"}, DataError, "has a value for all of 'yes', 'x', 'blank'."),
        ({"cluster": ("store", "year")}, OptionError, "A family takes one kind of clusters."),
        ({"cluster": 3}, OptionError, "cluster=3: the name of one column, or of two."),
        ({"cluster": "", "unit": "store"}, ColumnError, "names the column ''"),
        ({"effects": "within"}, OptionError, "'effects' is for linear models"),
        ({"vcov": "CR2"}, OptionError, "'vcov' is for linear models"),
        ({"method": "ml"}, OptionError, "method='ml' of effects='pooled': accepted are"),
    ],
)
def test_options_beside_a_family(frame, options, error, text):
    refuses(error, text, run, frame, "yes ~ x", family="binomial", **options)


@pytest.mark.parametrize("factor", [1e200, 1e-200])
def test_families_name_what_a_computer_cannot_square(frame, factor):
    extreme = frame.assign(x=frame["x"] * factor)
    refuses(DataError, "'x' has values up to", run, extreme, "yes ~ x", family="binomial")
    refuses(DataError, "'x' has values up to", eecx.correlations, extreme, ["x", "y"], **KEYS)


def test_families_take_no_moments(frame):
    sums = eecx.Moments.from_frame(frame, keys=["store"], terms=["yes", "x"])
    text = "family='binomial' needs the rows; Moments hold sums."
    refuses(OptionError, text, eecx.regress, sums, "yes ~ x", family="binomial", unit="store")


def test_families_flag_collinear_columns_and_errors_that_nothing_tells(frame):
    assert "ill-conditioned" in codes(run(frame, "yes ~ z + near", family="binomial"))
    result = run(frame, "yes ~ C(region)", family="binomial", cluster="region")
    assert codes(result).count("one-cluster") == 3
    assert result.table[["std_error", "df", "p_value"]].isna().all(axis=None)


def test_families_keep_the_cluster_they_are_given(frame):
    panel = eecx.Panel.from_frame(frame, **KEYS, covariates=["yes", "x", "region"])
    result = eecx.regress(panel, "yes ~ x", family="binomial", cluster="region")
    assert (result.spec["cluster"], result.stats["clusters"]) == ("region", 3)
    assert eecx.regress(panel, "yes ~ x", family="binomial").spec["cluster"] == "store"
    text = "cluster names 'regoin', which is not in the panel"
    refuses(ColumnError, text, eecx.regress, panel, "yes ~ x", family="binomial", cluster="regoin")


# ---------------------------------------------------------------------- tests of fits


@pytest.mark.parametrize(
    ("formula", "error", "text"),
    [
        ("y ~ price", DataError, "No unit differs from others in the mean of 'price'"),
        ("y ~ x + one", DataError, "'one' is constant over the 48 rows that are left."),
        ("y ~ x + age", DataError, "'age' does not change within units over time"),
        ("y ~ z + twice", DataError, "'twice' is collinear: 'z' determines it."),
        ("zero ~ x", DataError, "'zero' is constant over the 48 rows that are left. There is not"),
        ("double ~ x", DataError, "Within units the terms reproduce 'double' exactly"),
        ("y ~ 1", FormulaError, "has the intercept alone, which unit effects take up"),
        ("y ~ nope", ColumnError, "names the column 'nope', which is not in the data frame"),
    ],
)
def test_hausman_refuses(frame, formula, error, text):
    refuses(error, text, eecx.hausman, frame, formula, **KEYS)


def test_hausman_compares_what_has_both_slopes(frame):
    """Of a balanced panel, what is alike in all units has no slope between them."""
    found = eecx.hausman(frame, "y ~ x + price", **KEYS).table
    assert found["df"].tolist() == [1.0] * 5
    assert found["p_value"].between(0, 1).all()


@pytest.mark.parametrize(
    ("terms", "options", "text"),
    [
        ([], {}, "wald needs a term to test."),
        (3, {}, "The result has no term 3."),
        (["x", "x"], {"equal": True}, "equal=True compares at least two terms."),
        ("x", {"values": {"w": 1}}, "The result has no term 'w'."),
        ("x", {"values": {"z": 1}}, "values= names 'z'; tested are 'x'."),
        ("x", {"values": {"x": "a"}}, "a number for each term, such as {'x': 0.5}."),
        ("x", {"values": {"x": np.nan}}, "a number for each term, such as {'x': 0.5}."),
        ("x", {"values": 3}, "values=3: a number for each term"),
    ],
)
def test_wald_refuses(frame, terms, options, text):
    refuses(OptionError, text, eecx.wald, run(frame), terms, **options)


def test_wald_of_what_it_cannot_test(frame):
    perfect = run(frame, "double ~ x")
    refuses(DataError, "The covariance of 'x' is not known or singular", eecx.wald, perfect)
    alone = run(frame, "y ~ 1")
    refuses(OptionError, "wald needs a term to test.", eecx.wald, alone)


def test_wald_of_a_bootstrapped_fit_is_that_of_its_covariance(frame):
    wild = eecx.wald(run(frame, vcov="wild", draws=99)).table
    pd.testing.assert_frame_equal(wild, eecx.wald(run(frame, vcov="CR1")).table)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"names": 3}, "names= needs 2 different headings, as texts; given: 3."),
        ({"names": "ab"}, "names= needs 2 different headings, as texts"),
        ({"names": ["a", None]}, "names= needs 2 different headings, as texts"),
        ({"digits": -1}, "digits=-1: a whole number from 0 to 15."),
        ({"digits": "a"}, "digits='a': a whole number from 0 to 15."),
    ],
)
def test_compare_refuses(frame, options, text):
    one = run(frame)
    refuses(OptionError, text, eecx.compare, one, one, **options)


def test_compare_takes_no_correlations(frame):
    found = eecx.correlations(frame, ["x", "y"], **KEYS)
    refuses(OptionError, "compare takes two or more Results", eecx.compare, run(frame), found)


@pytest.mark.parametrize(
    ("given", "options", "text"),
    [
        (("fit", 3), {"bound": 0.1}, "term=3: a name, or the two of a correlation."),
        ((0.1,), {"bound": 0.1, "std_error": "a"}, "std_error='a': a number above 0."),
    ],
)
def test_equivalence_refuses(frame, given, options, text):
    given = [run(frame) if g == "fit" else g for g in given]
    refuses(OptionError, text, eecx.equivalence, *given, **options)


@pytest.mark.parametrize(
    ("names", "options", "text"),
    [
        (3, {}, "names=3: the names of two columns or more."),
        (["x", "y"], {"level": 3}, "level=3: accepted are"),
        (["x", "y"], {"reliability": 0.8}, "reliability=0.8: by name"),
        (["x", "y"], {"reliability": {"x": "a"}}, "reliability of 'x' is 'a': above 0 and at mos"),
    ],
)
def test_correlations_refuse(frame, names, options, text):
    refuses(OptionError, text, eecx.correlations, frame, names, **KEYS | options)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"x": "a"}, "reliability of 'x' is 'a': above 0 and at most 1."),
        ({"x": None}, "reliability of 'x' is None: above 0 and at most 1."),
        (0.8, "reliability=0.8: by name"),
        ([("x", 0.8)], "reliability=[('x', 0.8)]: by name"),
    ],
)
def test_errors_in_variables_refuse(frame, given, text):
    refuses(
        OptionError,
        text,
        eecx.errors_in_variables,
        frame,
        "y ~ x + z",
        **KEYS,
        reliability=given,
    )
