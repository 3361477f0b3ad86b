"""What regress() returns, and what it says to input that it cannot use."""

import json
import math
import re

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import eecx
from eecx import formula
from eecx.errors import ColumnError, DataError, EecxError, FormulaError, OptionError
from eecx.models.inference import covariance_of, fit_work
from eecx.models.prepare import prepare

COLUMNS = [
    "term",
    "level",
    "estimate",
    "std_error",
    "statistic",
    "df",
    "p_value",
    "conf_low",
    "conf_high",
]
EFFECTS = ("pooled", "between", "within", "two-way")
VCOVS = ("classical", "HC1", "CR1", "CR2")


def made(units=12, waves=4, seed=4):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "store": np.repeat([f"s{i:02d}" for i in range(units)], waves),
            "year": np.tile(np.arange(2020, 2020 + waves), units),
        }
    )
    frame["region"] = frame["store"].map(lambda s: ["north", "south", "west"][int(s[1:]) % 3])
    level = np.repeat(rng.normal(size=units), waves)
    frame["engagement"] = level + rng.normal(size=len(frame))
    frame["size"] = rng.normal(size=len(frame)) + 10
    frame["nps"] = 20 + 3 * frame["engagement"] + level + rng.normal(size=len(frame))
    return frame


@pytest.fixture(scope="module")
def frame():
    return made()


@pytest.fixture(scope="module")
def panel(frame):
    return eecx.Panel.from_frame(
        frame,
        unit="store",
        wave="year",
        employee=["engagement"],
        customer=["nps"],
        covariates=["size", "region"],
    )


@pytest.fixture(scope="module")
def moments(frame):
    return eecx.Moments.from_frame(frame, keys=["store"], terms=["nps", "engagement", "size"])


def fit(frame, text="nps ~ engagement + size", **options):
    return eecx.regress(frame, text, **{"unit": "store", "wave": "year", **options})


def says(text):
    return re.escape(text)


# ---------------------------------------------------------------------- the result


@pytest.mark.parametrize("vcov", VCOVS)
@pytest.mark.parametrize("effects", EFFECTS)
def test_table_and_covariance_have_one_shape(frame, effects, vcov):
    result = fit(frame, effects=effects, vcov=vcov)
    terms = ["engagement", "size"]
    if effects in ("pooled", "between"):
        terms = ["(intercept)", *terms]
    assert result.table.columns.tolist() == COLUMNS
    assert result.table["term"].tolist() == terms
    assert result.vcov.index.equals(result.vcov.columns)
    assert result.vcov.index.names == ["term", "level"]
    assert result.vcov.index.get_level_values("term").tolist() == terms
    np.testing.assert_allclose(np.sqrt(np.diag(result.vcov)), result.table["std_error"])
    np.testing.assert_allclose(result.vcov, result.vcov.T, rtol=1e-10)
    assert (result.table["conf_low"] < result.table["estimate"]).all()
    assert (result.table["conf_high"] > result.table["estimate"]).all()
    assert result.table["p_value"].between(0, 1).all()


@pytest.mark.parametrize(
    ("effects", "level"),
    [
        ("pooled", "pooled"),
        ("between", "between units"),
        ("within", "within units over time"),
        ("two-way", "within units over time"),
    ],
)
def test_level_is_named_in_words(frame, effects, level):
    assert set(fit(frame, effects=effects).table["level"]) == {level}


def test_spec_and_statistics_say_what_was_done(frame):
    result = fit(frame, effects="two-way", cluster="region", vcov="CR1", conf_level=0.9)
    assert result.analysis == "regress"
    assert result.spec["formula"] == "nps ~ engagement + size"
    assert (result.spec["effects"], result.spec["cluster"]) == ("two-way", "region")
    assert (result.spec["vcov"], result.spec["conf_level"]) == ("CR1", 0.9)
    assert result.spec["versions"]["numpy"] == np.__version__
    stats = result.stats
    assert (stats["n"], stats["units"], stats["waves"], stats["clusters"]) == (48, 12, 4, 3)
    assert stats["df_residual"] == 48 - 2 - 12 - 3
    assert stats["left_out"] == 0


@pytest.mark.parametrize("vcov", ["classical", "HC1"])
def test_no_cluster_is_named_where_none_is_used(frame, vcov):
    result = fit(frame, vcov=vcov)
    assert result.spec["cluster"] is None
    assert "clusters" not in result.stats


def test_default_errors(frame, panel, moments):
    by_row = eecx.Moments.from_frame(frame, keys=["row"], terms=["nps", "size"])
    table = eecx.Moments.from_correlations(frame[["nps", "size"]].corr(), n=48)
    assert fit(frame).spec["vcov"] == "CR2"
    assert eecx.regress(panel, "nps ~ size").spec["vcov"] == "CR2"
    assert eecx.regress(frame, "nps ~ size").spec["vcov"] == "HC1"
    assert eecx.regress(frame, "nps ~ size", cluster="region").spec["vcov"] == "CR2"
    assert eecx.regress(moments, "nps ~ size", unit="store").spec["vcov"] == "CR2"
    assert eecx.regress(by_row, "nps ~ size").spec["vcov"] == "HC1"
    assert eecx.regress(table, "nps ~ size").spec["vcov"] == "classical"


def test_units_and_waves_are_blank_where_rows_are_all_there_is(frame):
    stats = eecx.regress(frame, "nps ~ size").stats
    assert (stats["n"], stats["units"], stats["waves"]) == (48, None, None)


def test_keys_of_a_panel_go_by_their_role_too(panel):
    named = eecx.regress(panel, "nps ~ engagement", cluster="store")
    by_role = eecx.regress(panel, "nps ~ engagement", cluster="unit")
    assert by_role.to_dict() == named.to_dict()
    by_wave = eecx.regress(panel, "nps ~ engagement", cluster="wave")
    assert by_wave.spec["cluster"] == "year"
    assert by_wave.stats["clusters"] == 4


def test_same_data_same_fingerprint(frame, moments):
    shuffled = frame.sample(frac=1, random_state=2)
    changed = frame.assign(nps=frame["nps"].where(frame.index != 5, 0.0))
    one, same, other = (fit(d).spec["data"] for d in (frame, shuffled, changed))
    assert one == same != other
    by_store = eecx.regress(moments, "nps ~ size", unit="store").spec["data"]
    in_one = eecx.regress(moments.collapse(), "nps ~ size").spec["data"]
    assert by_store != in_one


def test_dictionary_and_json_are_plain_and_finite(frame):
    # two regions: an error that cannot be told is null in JSON
    two = frame[frame["region"] != "west"].assign(
        north=lambda d: (d["region"] == "north").astype(float)
    )
    result = fit(two, "nps ~ north", cluster="region")
    content = json.loads(result.to_json())
    assert content == result.to_dict()
    assert content["schema"] == "eecx.result/2"
    assert content["analysis"] == "regress"
    assert content["table"]["columns"] == COLUMNS
    rows = {row[0]: dict(zip(COLUMNS, row, strict=True)) for row in content["table"]["rows"]}
    assert rows["north"]["std_error"] is None
    assert math.isfinite(rows["north"]["estimate"])
    assert {"code", "message", "concerns", "fix"} == set(content["warnings"][0])
    assert content["vcov"]["names"] == ["term", "level"]
    assert content["vcov"]["index"] == [["(intercept)", "pooled"], ["north", "pooled"]]
    assert content["methods"] == result.methods()


def test_numbers_are_exported_with_twelve_digits(frame):
    result = fit(frame)
    exported = result.to_dict()["table"]["rows"][1][COLUMNS.index("estimate")]
    assert exported == float(f"{result.table['estimate'].iloc[1]:.12g}")


def test_a_row_is_taken_by_its_term(frame):
    assert fit(frame)["size"]["term"] == "size"
    with pytest.raises(OptionError, match=says("No term 'sise'. There is: '(intercept)', 'eng")):
        fit(frame)["sise"]


def test_summary_shows_table_basis_and_warnings(frame):
    result = fit(frame, vcov="CR1")
    text = result.summary()
    assert text.startswith(
        "regress: nps ~ engagement + size, pooled, CR1 by store, 95% intervals\n"
    )
    assert "n 48; units 12; waves 4; clusters 12" in text
    assert text.endswith(
        "Warning (few-clusters): CR1 with 12 clusters (as if of 8.3 equal ones) is too small on "
        "average; CR2 is safer."
    )
    assert repr(result) == text


def test_methods_paragraph(frame):
    row = fit(frame, "nps ~ size", effects="two-way", conf_level=0.9)["size"]
    assert fit(frame, "nps ~ size", effects="two-way", conf_level=0.9).methods() == (
        "We fitted nps ~ size by least squares with unit and wave fixed effects to 48 "
        "unit-waves of 12 units, with cluster-robust standard errors by store (CR2, Satterthwaite "
        f"degrees of freedom): size b = {row['estimate']:.3g} (SE {row['std_error']:.2g}, 90% CI "
        f"{row['conf_low']:.3g} to {row['conf_high']:.3g})."
    )


def test_methods_paragraph_has_no_error_where_none_can_be_told(frame):
    computed = frame.assign(nps=2 * frame["size"])
    assert fit(computed, "nps ~ size").methods().endswith("size b = 2 (its error cannot be told).")


def test_methods_paragraph_says_what_the_rows_are(frame):
    assert " to 12 units, with" in fit(frame, effects="between").methods()
    assert " to 48 rows, with heteroskedasticity" in eecx.regress(frame, "nps ~ size").methods()


def test_methods_paragraph_leaves_the_intercept_out_unless_it_is_all(frame):
    assert "(intercept)" not in fit(frame).methods()
    assert "(intercept) b = " in fit(frame, "nps ~ 1").methods()


@pytest.mark.parametrize(
    ("name", "html", "latex"),
    [
        ("<script>", "&lt;script&gt;", r"$<$script$>$"),
        ("a_b&c", "a_b&amp;c", r"a\_b\&c"),
        ("100% $y^2~\\", "100% $y^2~\\", r"100\% \$y\textasciicircum{}2\textasciitilde{}\text"),
    ],
)
def test_names_are_escaped(frame, name, html, latex):
    result = fit(frame.rename(columns={"size": name}), f"nps ~ `{name}`")
    page, table = result._repr_html_(), result.to_latex()
    assert f"<td>{html}</td>" in page
    assert f"nps ~ `{html}`" in page
    assert "<script>" not in page
    assert latex in table
    assert name not in table
    assert name in result.summary()


def test_latex_is_a_booktabs_table(frame):
    lines = fit(frame).to_latex().splitlines()
    assert lines[0] == r"\begin{tabular}{llrrrrrrr}"
    assert [lines[1], lines[3], lines[-2]] == [r"\toprule", r"\midrule", r"\bottomrule"]
    assert all(line.count("&") == 8 and line.endswith(r" \\") for line in [lines[2], *lines[4:-2]])


def test_a_latex_row_does_not_begin_with_a_bracket(frame):
    """After the line break before it, LaTeX would read [size] as the height of the break."""
    result = fit(frame.rename(columns={"size": "[size]"}), "nps ~ `[size]`")
    assert "\n{}[size] & " in result.to_latex()


def test_html_does_not_cut_long_names(frame):
    name = "share of " + "very " * 20 + "engaged people"
    page = fit(frame.rename(columns={"size": name}), f"nps ~ `{name}`")._repr_html_()
    assert f"<td>{name}</td>" in page


def test_figure_shows_each_term(frame):
    axes = fit(frame).plot()
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert {"engagement", "size"} <= set(labels)
    plt.close(axes.figure)


@pytest.mark.parametrize("given", ["frame", "panel", "moments"])
def test_data_are_not_changed(frame, panel, moments, given):
    data = {"frame": frame, "panel": panel, "moments": moments}[given]
    inside = {"frame": lambda: frame, "panel": lambda: panel.frame, "moments": lambda: moments.keys}
    before = inside[given]().copy()
    keys = {} if given == "panel" else {"unit": "store"}
    keys |= {"wave": "year"} if given == "frame" else {}
    eecx.regress(data, "nps ~ engagement + size", effects="within", **keys)
    pd.testing.assert_frame_equal(inside[given](), before)


# ---------------------------------------------------------------------- warnings of a result


def codes(result):
    return [warning.code for warning in result.warnings]


def test_no_warning_where_there_is_nothing_to_doubt():
    frame = made(units=60)
    for effects in EFFECTS:
        for vcov in VCOVS:
            assert fit(frame, effects=effects, vcov=vcov).warnings == ()


def test_units_of_one_wave_are_counted():
    frame = made(units=60)
    cut = frame[(frame["store"] > "s01") | (frame["year"] == 2020)]
    (warning,) = fit(cut, effects="within").warnings
    assert warning.code == "single-wave-units"
    assert warning.message.startswith("2 of 60 units have one wave only")
    assert codes(fit(cut, effects="pooled")) == []


def test_few_effective_clusters_are_named():
    (warning,) = fit(made(units=4), "nps ~ engagement", effects="within").warnings
    assert (warning.code, warning.concerns) == ("few-clusters", "engagement")
    assert "effective clusters (Satterthwaite df): its interval is rough" in warning.message


def test_two_units_are_enough_for_an_interval_that_says_it_is_rough():
    result = fit(made(units=2), "nps ~ engagement", effects="within")
    assert "few-clusters" in codes(result)
    assert result.table["df"].iloc[0] <= 1.0 + 1e-9
    assert np.isfinite(result.table[["conf_low", "conf_high"]].to_numpy(float)).all()


@pytest.mark.parametrize("vcov", ["CR1", "CR2"])
def test_what_varies_in_one_unit_alone_has_no_error(frame, vcov):
    """Residuals of that unit are orthogonal to it, so any sandwich would say the error is 0."""
    pilot = frame.assign(pilot=frame["engagement"].where(frame["store"] == "s03", 0.0))
    result = fit(pilot, "nps ~ pilot", effects="within", vcov=vcov)
    assert result["pilot"][COLUMNS[3:]].isna().all()
    assert result.vcov.isna().all(axis=None)
    assert np.isfinite(result["pilot"]["estimate"])
    (warning,) = (w for w in result.warnings if w.code == "one-cluster")
    assert warning.message == (
        "Nothing tells the error of 'pilot': it fits each cluster (store) exactly."
    )


def test_a_control_does_not_hide_what_varies_in_one_unit_alone(frame):
    pilot = frame.assign(pilot=frame["engagement"].where(frame["store"] == "s03", 0.0))
    warnings = fit(pilot, "nps ~ pilot + size", effects="within").warnings
    concerns = [w.concerns for w in warnings if w.code == "one-cluster"]
    assert concerns == ["pilot"]


@pytest.mark.parametrize("vcov", ["CR1", "CR2"])
def test_a_treatment_of_one_unit_is_pointed_out(frame, vcov):
    flagship = frame.assign(flagship=(frame["store"] == "s03").astype(float))
    warnings = fit(flagship, "nps ~ flagship", vcov=vcov).warnings
    (warning,) = (w for w in warnings if w.code == "one-cluster")
    # one of twelve equal clusters: 1 - 1/12 of the variation of the dummy
    assert warning.message == (
        "92% of what tells 'flagship' lies in one cluster (store), 's03': its error, told by the "
        "rest, may be far too small."
    )
    assert warning.concerns == "flagship"


def test_a_cluster_that_is_a_number_is_named_plainly(frame):
    numbered = frame.assign(store=frame["store"].str[1:].astype(int), pilot=0.0)
    numbered.loc[numbered["store"] == 3, "pilot"] = 1.0
    warnings = fit(numbered, "nps ~ pilot").warnings
    assert "lies in one cluster (store), 3: its error" in warnings[-1].message


def test_a_change_in_one_unit_is_pointed_out_with_wave_effects_too(frame):
    switched = frame.assign(pilot=((frame["store"] == "s03") & (frame["year"] > 2021)) * 1.0)
    warnings = fit(switched, "nps ~ pilot", effects="two-way").warnings
    assert [w.concerns for w in warnings if w.code == "one-cluster"] == ["pilot"]


def test_a_dummy_of_one_row_is_pointed_out(frame):
    strike = frame.assign(strike=(frame.index == 7).astype(float))
    (warning,) = fit(strike, "nps ~ strike", vcov="HC1").warnings
    assert warning.message.startswith("98% of what tells 'strike' lies in one row: its error")


def test_a_column_of_whole_clusters_has_no_error_with_two_of_them(frame):
    two = frame[frame["region"] != "west"]
    result = fit(two, "nps ~ C(region)", cluster="region")
    assert np.isnan(result["C(region)[south]"]["std_error"])
    assert "one-cluster" in codes(result)
    assert "–" in result.summary()


@pytest.mark.parametrize("vcov", VCOVS)
def test_a_perfect_fit_has_no_errors(frame, vcov):
    computed = frame.assign(nps=2 * frame["engagement"] - frame["size"])
    result = fit(computed, vcov=vcov)
    assert result.table[COLUMNS[3:]].isna().all(axis=None)
    np.testing.assert_allclose(result.table["estimate"], [0, 2, -1], atol=1e-12)
    (warning,) = result.warnings if vcov != "CR1" else result.warnings[1:]
    assert warning.code == "perfect-fit"
    assert "reproduce 'nps' exactly: is it computed from them?" in warning.message


def test_near_collinear_columns_are_pointed_out(frame):
    noise = np.random.default_rng(0).normal(size=len(frame))
    near = frame.assign(twin=frame["size"] + 1e-4 * noise)
    result = fit(near, "nps ~ size + twin")
    assert "ill-conditioned" in codes(result)
    assert result.stats["condition"] > 1e6


def test_rows_with_a_missing_value_or_cluster_are_counted(frame):
    holes = frame.copy()
    holes.loc[[0, 1], "engagement"] = np.nan
    holes.loc[[1, 2, 3], "region"] = None
    assert fit(holes).stats["left_out"] == 2
    result = fit(holes, cluster="region")
    assert (result.stats["left_out"], result.stats["n"]) == (4, 44)


# ---------------------------------------------------------------------- columns that are not usable

BY_COLUMN = [
    ("nps ~ engagment", ColumnError, "Did you mean 'engagement'?"),
    ("npss ~ engagement", ColumnError, "Did you mean 'nps'?"),
    (
        "nps ~ region",
        DataError,
        "'region' holds text, not numbers. On the right-hand side C(region) uses it as a category.",
    ),
    ("nps ~ one", DataError, "'one' is constant over the 48 rows that are left. Leave it out."),
    ("one ~ nps", DataError, "'one' is constant over the 48 rows that are left."),
    ("nps ~ C(one)", DataError, "'one' has a single level, so it explains nothing"),
    ("nps ~ size + twice", DataError, "'twice' is collinear: 'size' determines it."),
    (
        "nps ~ engagement + size + sum",
        DataError,
        "'sum' is collinear: 'engagement', 'size' determine it. Leave one of them out.",
    ),
    ("nps ~ blank", DataError, "No unit × wave has a value for all of 'nps', 'blank'."),
    ("nps ~ log(size)", FormulaError, "'log' is not a function here"),
]


@pytest.mark.parametrize(("formula", "error", "text"), BY_COLUMN)
@pytest.mark.parametrize("given", ["frame", "panel"])
def test_unusable_columns_are_named(frame, given, formula, error, text):
    wide = frame.assign(
        one=1.0,
        twice=2 * frame["size"] - 5,
        sum=frame["size"] + frame["engagement"],
        blank=np.nan,
    )
    options = {"unit": "store", "wave": "year"}
    if given == "panel":
        columns = [c for c in wide if c not in ("store", "year")]
        wide = eecx.Panel.from_frame(wide, covariates=columns, **options)
        options = {}
    with pytest.raises(error, match=says(text)) as caught:
        eecx.regress(wide, formula, **options)
    assert isinstance(caught.value, EecxError)


@pytest.mark.parametrize("effects", ["within", "two-way"])
@pytest.mark.parametrize("formula", ["nps ~ age", "nps ~ engagement + age", "age ~ nps"])
def test_what_is_constant_within_units_is_named(frame, effects, formula):
    aged = frame.assign(age=frame["store"].str[1:].astype(float) / 7)
    with pytest.raises(DataError, match="'age' does not change within units over time, so unit"):
        fit(aged, formula, effects=effects)
    assert fit(aged, formula, effects="between").stats["units"] == 12


def test_constant_within_units_is_seen_behind_rounding(frame):
    aged = frame.assign(age=1e6 * frame["store"].str[1:].astype(float))
    aged["age"] += np.tile([0.0, 1e-9, -1e-9, 2e-10], 12)
    with pytest.raises(DataError, match="'age' does not change within units over time"):
        fit(aged, "nps ~ age", effects="within")


@pytest.mark.parametrize("formula", ["nps ~ price", "nps ~ engagement + price", "price ~ nps"])
def test_what_changes_from_wave_to_wave_alone_is_named(frame, formula):
    priced = frame.assign(price=np.sqrt(frame["year"] - 2018))
    with pytest.raises(DataError, match="'price' changes only from wave to wave, alike in all"):
        fit(priced, formula, effects="two-way")
    assert fit(priced, formula, effects="within").stats["n"] == 48


def test_what_waves_and_a_column_determine_is_not_blamed_on_waves_alone(frame):
    priced = frame.assign(price=frame["year"] - 2020 + frame["engagement"])
    with pytest.raises(DataError, match="net of the effects of waves, 'engagement' determines it"):
        fit(priced, "nps ~ engagement + price", effects="two-way")


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_infinite_values_are_named(frame, value):
    endless = frame.assign(size=frame["size"].where(frame.index != 9, value))
    with pytest.raises(DataError, match="'size' holds an infinite value"):
        fit(endless)


@pytest.mark.parametrize("formula", ["nps ~ size:engagement", "nps ~ I(size^9)"])
def test_products_beyond_the_largest_number_are_refused(frame, formula):
    huge = frame.assign(size=frame["size"] * 1e99, engagement=frame["engagement"] * 1e250)
    with pytest.raises(DataError, match="A product or power in the formula goes beyond the larg"):
        fit(huge, formula)


@pytest.mark.parametrize("factor", [1e120, 1e-120])
def test_values_whose_squares_are_out_of_range_are_named(frame, factor):
    extreme = frame.assign(size=frame["size"] * factor)
    with pytest.raises(DataError, match=r"'size' has values up to .*, whose squares a computer"):
        fit(extreme)


def test_a_lag_needs_waves(frame):
    single = frame[frame["year"] == 2020]
    with pytest.raises(DataError, match="A lag needs waves; this panel is a single cross-section"):
        eecx.regress(single, "nps ~ lag(engagement)", unit="store")


def test_a_lag_longer_than_the_panel_leaves_no_row(frame):
    with pytest.raises(DataError, match=says("No unit × wave has a value for all of 'nps', 'lag(")):
        fit(frame, "nps ~ lag(engagement, 9)")


def test_a_unit_and_wave_twice_is_an_error(frame):
    twice = pd.concat([frame, frame.iloc[[0]]])
    with pytest.raises(DataError, match="store × year more than once: s00 × 2020"):
        fit(twice)


def test_rows_of_a_unit_without_waves_are_its_people(frame):
    result = eecx.regress(frame, "nps ~ size", unit="store", effects="within")
    assert result["size"]["level"] == "within units, among people"
    assert result.spec["rows"] == "people"
    assert "unit-waves" not in result.methods()
    waves = eecx.regress(frame, "nps ~ size", unit="store", wave="year", effects="within")
    assert result["size"]["estimate"] == pytest.approx(waves["size"]["estimate"])


# ---------------------------------------------------------------------- too little data


@pytest.mark.parametrize(
    ("rows", "options", "text"),
    [
        (3, {"unit": None, "wave": None}, "3 rows for 3 parameters: too few to fit."),
        (8, {"effects": "between"}, "2 units for 3 parameters: too few to fit."),
        (6, {"effects": "two-way"}, "6 rows for 7 parameters: too few to fit."),
        (1, {"unit": None, "wave": None}, "is constant over the 1 rows that are left"),
    ],
)
def test_too_few_rows_or_units(frame, rows, options, text):
    with pytest.raises(DataError, match=text):
        fit(frame.head(rows), **options)


@pytest.mark.parametrize("vcov", ["CR1", "CR2"])
@pytest.mark.parametrize("effects", ["pooled", "within"])
def test_one_cluster_is_none(effects, vcov):
    single = made(units=1, waves=9)
    with pytest.raises(DataError, match="All rows lie in one cluster; robust errors need at le"):
        fit(single, "nps ~ engagement", effects=effects, vcov=vcov)


# ---------------------------------------------------------------------- clusters


def test_cr2_refuses_clusters_that_cut_across_units(frame):
    moved = frame.assign(region=np.where(frame["year"] > 2021, "east", frame["region"]))
    with pytest.raises(DataError, match="CR2 with unit effects needs units nested in clusters"):
        fit(moved, effects="within", cluster="region")
    assert fit(moved, effects="within", cluster="region", vcov="CR1").stats["clusters"] == 4


def test_between_refuses_clusters_that_cut_across_units(frame):
    moved = frame.assign(region=np.where(frame["year"] > 2021, "east", frame["region"]))
    with pytest.raises(DataError, match="every unit must lie in one cluster; some lie in several"):
        fit(moved, effects="between", cluster="region")


@pytest.mark.parametrize("vcov", ["classical", "HC1"])
def test_errors_without_clusters_refuse_a_cluster(frame, vcov):
    with pytest.raises(OptionError, match=f"vcov='{vcov}' knows no clusters. Leave cluster= out"):
        fit(frame, cluster="region", vcov=vcov)


def test_unknown_clusters_are_named(frame, panel):
    with pytest.raises(ColumnError, match=r"'regoin'.*Did you mean 'region'\?"):
        fit(frame, cluster="regoin")
    with pytest.raises(ColumnError, match="cluster names 'regoin', which is not in the panel"):
        eecx.regress(panel, "nps ~ engagement", cluster="regoin")


@pytest.mark.parametrize("vcov", ["CR1", "CR2"])
def test_clustered_errors_need_a_cluster(frame, vcov):
    with pytest.raises(OptionError, match=f"vcov='{vcov}' needs cluster= or unit="):
        eecx.regress(frame, "nps ~ size", vcov=vcov)


def test_rows_that_are_summed_have_no_hc1(frame):
    model = formula.parse("nps ~ size")
    work = prepare(frame, model, "pooled", unit="store", wave="year", vcov="CR1")
    with pytest.raises(OptionError, match="'HC1' needs every row, and these are summed by clus"):
        covariance_of(work, fit_work(work), "HC1")


# ---------------------------------------------------------------------- options


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"effects": "fixed"}, "effects='fixed': accepted are 'pooled', 'between', 'within', 'two"),
        ({"effects": None}, "effects=None: accepted are"),
        ({"vcov": "CR4"}, "vcov='CR4': accepted are 'classical', 'HC0', 'HC1'"),
        ({"vcov": "cr2"}, "Did you mean 'CR2'"),
        ({"conf_level": 95}, "conf_level=95: a share such as 0.95"),
        ({"conf_level": 1.0}, "conf_level=1.0: a share"),
        ({"conf_level": 0.05}, "conf_level=0.05: a share"),
        ({"conf_level": float("nan")}, "conf_level=nan: a share"),
        ({"conf_level": "95%"}, "conf_level='95%': a share"),
        ({"conf_level": True}, "conf_level=True: a share"),
        ({"conf_level": None}, "conf_level=None: a share"),
        ({"cluster": ["store", "year", "region"]}, "the name of one column, or of two"),
        ({"cluster": ["store", "year"], "vcov": "CR2"}, "Two kinds of clusters take vcov='CR1'"),
        ({"drift": False}, "drift=False is for effects='first-difference'"),
        ({"method": "reml"}, "method='reml' of effects='pooled': accepted are 'ols'"),
        ({"unit": None}, "wave= needs unit= too"),
        ({"unit": None, "wave": None, "effects": "within"}, "effects='within' needs unit="),
        ({"unit": None, "wave": None, "effects": "between"}, "effects='between' needs unit="),
    ],
)
def test_options_that_are_not_accepted(frame, options, text):
    with pytest.raises(OptionError, match=says(text)):
        fit(frame, **options)


def test_two_way_needs_waves(frame):
    with pytest.raises(OptionError, match="effects='two-way' needs wave="):
        eecx.regress(frame[frame["year"] == 2020], "nps ~ size", unit="store", effects="two-way")


@pytest.mark.parametrize("effects", ["within", "two-way"])
def test_fixed_effects_need_a_term(frame, effects):
    with pytest.raises(FormulaError, match="'nps ~ 1' has the intercept alone, which unit effects"):
        fit(frame, "nps ~ 1", effects=effects)


@pytest.mark.parametrize("formula", [None, 3, ["nps ~ size"]])
def test_a_formula_is_text(frame, formula):
    with pytest.raises(FormulaError, match="A formula is text"):
        fit(frame, formula)


def test_keys_are_not_given_twice(panel):
    with pytest.raises(OptionError, match="unit= and wave= are for plain data frames"):
        eecx.regress(panel, "nps ~ engagement", unit="store")


# ---------------------------------------------------------------------- moments


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"vcov": "HC1"}, ColumnError, "not kept by 'row' (their keys: 'store')"),
        ({"cluster": "region"}, ColumnError, "not kept by 'region' (their keys: 'store')"),
        ({"unit": "region"}, ColumnError, "not kept by 'region'"),
        ({"vcov": "CR1"}, OptionError, "vcov='CR1' from Moments needs cluster="),
        ({"effects": "within"}, OptionError, "effects='within' from Moments needs unit="),
        ({"effects": "two-way"}, OptionError, "and take effects='within'"),
        ({"wave": "year"}, OptionError, "wave='year': Moments have no order in time"),
    ],
)
def test_moments_without_what_is_asked_for(moments, options, error, text):
    with pytest.raises(error, match=says(text)):
        eecx.regress(moments, "nps ~ engagement", **options)


def test_terms_that_moments_lack_are_named(moments):
    with pytest.raises(ColumnError, match=says("have no term 'engagment'. Did you mean 'engag")):
        eecx.regress(moments, "nps ~ engagment")


@pytest.mark.parametrize("options", [{"vcov": "HC1"}, {"vcov": "CR2", "cluster": "store"}])
def test_a_published_table_has_no_robust_errors(frame, options):
    table = eecx.Moments.from_correlations(frame[["nps", "size"]].corr(), n=48)
    with pytest.raises(ColumnError, match="a published table has no units to tell apart"):
        eecx.regress(table, "nps ~ size", **options)


def test_terms_of_moments_go_by_any_spelling(frame):
    odd = frame.rename(columns={"size": "floor space"})
    moments = eecx.Moments.from_frame(
        odd, terms=["nps", "engagement", "floor space", "engagement:`floor space`"]
    )
    fits = [
        eecx.regress(moments, f"nps ~ {term}").table["estimate"].tolist()
        for term in ("engagement:`floor space`", "`floor space`:engagement")
    ]
    assert fits[0] == fits[1]
    table = eecx.Moments.from_correlations(odd[["nps", "floor space"]].corr(), n=48)
    assert eecx.regress(table, "nps ~ `floor space`").table["term"].tolist()[1] == "floor space"
