"""Public data sets, loaded from their files, give the figures that their description prints.

The figures were computed by others from the files as published; they are met to the last digit
printed. The text file of the school panel, read under rules, equals the clean one cell by cell.
"""

import numpy as np
import pandas as pd
import pytest

import eecx
from eecx import Moments, Panel, Parse
from eecx.errors import DataError

RULES = Parse(missing=["No Data", "N<15", ".", "N/A"], percent="fraction", censored="bound")
SCHOOLS = {
    "employee": ["collab_teachers_pp", "leadership_pp", "teacher_attendance", "rr_teacher"],
    "customer": ["supportive_env_pp", "family_ties_pp", "student_attendance"],
    "covariates": [
        "enrollment",
        "rigorous_instruction_pp",
        "trust_pp",
        "student_chronic_absent",
        "economic_need",
        "pct_ell",
        "pct_swd",
        "principal_years",
        "teachers_3yr_plus",
        "rr_student",
        "rr_parent",
    ],
}
COLUMNS = [name for names in SCHOOLS.values() for name in names]


def assert_figures(panel, figures):
    """Compare N, mean and SD as printed, with as many digits as were printed."""
    for name, (n, mean, sd) in figures.items():
        values = panel.frame[name].dropna()
        cell = panel.moments([name])
        assert len(values) == n == cell.n.sum(), name
        printed = f"{cell.collapse().mean[0, 0]:.4f}", f"{cell.sd()[name]:.4f}"
        assert printed == (f"{mean:.4f}", f"{sd:.4f}"), name


def correlation(panel, x, y):
    cells = panel.moments([x, y])
    return f"{cells.correlations().loc[x, y]:.3f}", cells.n.sum()


# ---------------------------------------------------------------------- hospital trusts


@pytest.fixture(scope="module")
def trusts(shared):
    return Panel.from_frame(
        shared / "data" / "nhs_trusts" / "nhs_trusts.csv",
        unit="unit",
        wave="wave",
        employee=["engagement_mean", "recommend_work_mean", "work_stress_pct"],
        customer=["recommend_care_mean", "shmi"],
        covariates=["response_rate", "region"],
        n="responses",
        better={"work_stress_pct": "lower", "shmi": "lower"},
        source={"recommend_care_mean": "employees", "shmi": "records"},
    )


def test_trusts_give_the_printed_figures(trusts):
    assert_figures(
        trusts,
        {
            "engagement_mean": (1073, 3.8983, 0.0850),
            "recommend_work_mean": (1072, 3.5752, 0.2086),
            "work_stress_pct": (1071, 0.3701, 0.0390),
            "recommend_care_mean": (1072, 3.7330, 0.2264),
            "shmi": (1084, 1.0026, 0.0961),
            "response_rate": (616, 0.4407, 0.0866),
        },
    )
    assert correlation(trusts, "engagement_mean", "shmi") == ("-0.157", 1073)


def test_trusts_and_waves_are_counted(trusts):
    assert (trusts.units, trusts.waves, len(trusts.frame)) == (146, 8, 1084)
    per_unit = trusts.frame.groupby("unit")["wave"].nunique()
    assert (per_unit == 8).sum() == 124
    without_staff_data = trusts.frame[trusts.frame["engagement_mean"].isna()]
    assert len(without_staff_data) == 11
    assert (without_staff_data["unit"] == "R1F").sum() == 8
    assert trusts.n["engagement_mean"].min() == 156
    assert trusts.n["engagement_mean"].max() == 7513


def test_trusts_without_staff_data_are_customers_only(trusts):
    coverage = trusts.audit.coverage
    assert (coverage["status"] == "customers only").sum() == 11
    assert trusts.roles["recommend_care_mean"].source == {"employees"}


# ---------------------------------------------------------------------- high schools


@pytest.fixture(scope="module")
def schools(shared):
    path = shared / "data" / "nyc_hs_panel" / "nyc_hs_panel.csv"
    return Panel.from_frame(path, unit="unit", wave="wave", **SCHOOLS)


@pytest.fixture(scope="module")
def published(shared):
    return shared / "data" / "nyc_hs_panel" / "nyc_hs_panel_as_published.csv"


@pytest.fixture(scope="module")
def read(published):
    return Panel.from_frame(published, unit="unit", wave="wave", **SCHOOLS, parse=RULES)


def test_schools_give_the_printed_figures(schools):
    assert_figures(
        schools,
        {
            "collab_teachers_pp": (4304, 0.8239, 0.0947),
            "supportive_env_pp": (4304, 0.7481, 0.0854),
            "family_ties_pp": (4343, 0.8479, 0.0664),
            "student_attendance": (4371, 0.8691, 0.0604),
            "rr_teacher": (3826, 0.8159, 0.1839),
            "rr_parent": (3871, 0.3421, 0.2265),
        },
    )
    assert correlation(schools, "collab_teachers_pp", "supportive_env_pp") == ("0.605", 4304)


def test_schools_and_waves_are_counted(schools):
    rows = schools.frame["wave"].value_counts().sort_index()
    assert rows.to_dict() == dict(
        zip(range(2015, 2024), [491, 494, 485, 489, 486, 485, 486, 490, 501], strict=True)
    )
    per_unit = schools.frame.groupby("unit")["wave"].nunique()
    assert (len(per_unit), (per_unit == 9).sum(), (per_unit == 1).sum()) == (552, 442, 22)


def test_published_text_read_under_rules_equals_the_clean_file(schools, read):
    assert read.frame["unit"].tolist() == schools.frame["unit"].tolist()
    assert read.frame["wave"].tolist() == schools.frame["wave"].tolist()
    for name in COLUMNS:
        np.testing.assert_array_equal(read.frame[name], schools.frame[name], err_msg=name)


def test_every_text_cell_read_is_on_the_record(read, published):
    record = read.audit.text_cells
    raw = pd.read_csv(published, dtype=str, keep_default_na=False)
    for name in COLUMNS:
        odd = raw[name].str.strip()
        odd = odd[(odd != "") & ~odd.str.fullmatch(r"\d*\.?\d+")]
        kept = record[record["column"] == name]
        assert kept.set_index("text")["cells"].to_dict() == odd.value_counts().to_dict(), name
    bounds = record[record["text"].str.startswith(">")]
    assert bounds["as"].unique().tolist() == ["0.95"]


def test_published_text_without_rules_lists_the_offenders_with_counts(published):
    raw = pd.read_csv(published, dtype=str, keep_default_na=False)["rr_teacher"].str.strip()
    odd = raw[(raw != "") & ~raw.str.fullmatch(r"\d*\.?\d+")].value_counts()
    with pytest.raises(DataError, match=f"'rr_teacher' should hold numbers, but {odd.sum()}") as e:
        Panel.from_frame(published, unit="unit", wave="wave", employee="rr_teacher")
    message = str(e.value)
    often = odd.index[0]
    assert f"{often!r} ({odd[often]})" in message
    assert "percent='fraction' reads '82%' as 0.82" in message
    assert "parse=eecx.Parse(...)" in message


def test_published_percentages_as_points_are_refused_beside_fractions(published):
    points = Parse(missing=RULES.missing, percent="points", censored="bound")
    with pytest.raises(DataError, match="mixes percent cells with plain fractions"):
        Panel.from_frame(published, unit="unit", wave="wave", employee="rr_teacher", parse=points)


def test_published_census_figures_need_a_decision_on_bounds(published):
    undecided = Parse(missing=RULES.missing, percent="fraction")
    with pytest.raises(DataError, match="censored='bound' or 'missing' decides on cells such as"):
        Panel.from_frame(
            published, unit="unit", wave="wave", employee="economic_need", parse=undecided
        )


# ---------------------------------------------------------------------- schools by source


@pytest.fixture(scope="module")
def by_source(shared):
    return Panel.from_frame(
        shared / "data" / "nyc_hs_2015_by_source" / "nyc_hs_2015_by_source.csv",
        unit="unit",
        employee=["t_school_commitment"],
        customer=["s_safety", "s_teacher_trust", "p_teacher_trust"],
        source={
            "t_school_commitment": "teachers",
            "s_safety": "students",
            "s_teacher_trust": "students",
            "p_teacher_trust": "parents",
        },
    )


def test_schools_by_source_give_the_printed_figures(by_source):
    assert_figures(
        by_source,
        {
            "t_school_commitment": (490, 0.8308, 0.1382),
            "s_safety": (489, 0.8317, 0.0738),
            "s_teacher_trust": (489, 0.8086, 0.0625),
            "p_teacher_trust": (488, 0.9321, 0.0391),
        },
    )
    assert correlation(by_source, "t_school_commitment", "s_safety") == ("0.402", 488)
    assert correlation(by_source, "t_school_commitment", "p_teacher_trust") == ("0.231", 487)


def test_schools_by_source_are_one_cross_section(by_source):
    assert (by_source.units, by_source.waves, by_source.wave) == (491, 1, None)
    assert by_source.audit.notes == ("A single cross-section: no waves.",)


# ---------------------------------------------------------------------- federal agencies


@pytest.fixture(scope="module")
def agencies(shared):
    return Panel.from_frame(
        shared / "data" / "fevs_agency" / "fevs_agency.csv",
        unit="unit",
        wave="wave",
        employee=["ex_index", "recommend_place_to_work"],
        customer=["cust_needs_met"],
        covariates=["unit_level"],
        n={"ex_index": "n_respondents", "cust_needs_met": "n_respondents"},
        source={"cust_needs_met": "employees"},
    )


def test_agencies_give_the_printed_figures(agencies):
    assert_figures(
        agencies,
        {
            "ex_index": (211, 0.7000, 0.0760),
            "recommend_place_to_work": (211, 0.7114, 0.0863),
            "cust_needs_met": (168, 0.8995, 0.0368),
        },
    )


def test_agencies_without_totals_give_the_printed_correlation(agencies):
    parts = agencies.frame["unit_level"].isin(["agency", "component"])
    cells = Moments.from_frame(agencies.frame[parts], terms=["ex_index", "cust_needs_met"])
    assert cells.n.sum() == 156
    assert f"{cells.correlations().iloc[0, 1]:.3f}" == "0.811"
    rows = agencies.frame[parts].groupby("wave").size()
    assert rows.to_dict() == {2020: 40, 2021: 39, 2022: 39, 2023: 39, 2024: 39}


def test_item_percentages_become_the_share_positive(shared, agencies):
    """The index's items, from their distributions: top two of the five answers."""
    path = shared / "data" / "fevs_agency" / "fevs_agency_items.csv"
    items = eecx.Moments.from_frame(path, keys=["unit", "wave", "item"], terms=["p4", "p5"])
    share = items.keys.assign(share=items.mean.sum(axis=1) / 100)
    wanted = share[share["item"] == "recommend_place_to_work"]
    both = agencies.frame.merge(wanted, on=["unit", "wave"])
    assert len(both) == 211
    difference = both["share"] / both["recommend_place_to_work"] - 1
    # published to 0.1 points and divided by the sum of the five, which is 99.8 to 100.2
    assert difference.abs().max() < 0.0025
