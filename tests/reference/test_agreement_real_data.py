"""Soldiers in companies and federal agencies: printed figures of public data are found again.

Figures of R's multilevel 2.8 stand at the end of ``shared/data/README.md``, with four digits;
attenuation is checked against psych 2.2.9 with 15 (``shared/reference/other``).
"""

import json

import numpy as np
import pandas as pd
import pytest

import eecx
from eecx import Scale, Survey

LEAD = [f"lead{k:02d}" for k in range(1, 12)]
TSIG = [f"tsig{k:02d}" for k in range(1, 4)]
HOSTILE = [f"hostil{k:02d}" for k in range(1, 6)]
# data, variable: ICC(1), ICC(2), mixed-model ICC(1), ICC(2)
ICC = {
    ("army_bh1996", "work_hours"): ("0.1331", "0.9197", "0.1292", "0.9171"),
    ("army_bh1996", "leadership"): ("0.1270", "0.9156", "0.1475", "0.9280"),
    ("army_bh1996", "cohesion"): ("0.0443", "0.7755", "0.0480", "0.7901"),
    ("army_bh1996", "wellbeing"): ("0.0434", "0.7717", None, None),
    ("army_lq2002", "lead"): ("0.0880", "0.8008", None, None),
    ("army_lq2002", "tsig"): ("0.0804", "0.7846", None, None),
    ("army_lq2002", "hostile"): ("0.0540", "0.7041", None, None),
}


@pytest.fixture(scope="module")
def army(shared):
    return {
        name: pd.read_csv(shared / "data" / name / f"{name}.csv")
        for name in ("army_bh1996", "army_lq2002")
    }


def printed(value):
    return f"{value:.4f}"


@pytest.mark.parametrize(("data", "variable"), ICC)
def test_icc(army, data, variable):
    found = eecx.icc(army[data], variable, unit="unit")
    terms = ("ICC(1), average size", "ICC(2)", "ICC(1), REML", "ICC(2), REML")
    for term, figure in zip(terms, ICC[data, variable], strict=True):
        assert figure is None or printed(found[term]["estimate"]) == figure
    if data == "army_bh1996":
        assert (found.stats["units"], found.stats["n"]) == (99, 7382)


def test_agreement_on_one_item(army):
    found = eecx.rwg(
        army["army_bh1996"], "leadership", unit="unit", range=(1, 5), null="uniform"
    ).table.iloc[0]
    assert found["null_variance"] == 2
    assert [printed(found[c]) for c in ("estimate", "median")] == ["0.7412", "0.7422"]


def test_agreement_on_eleven_items(army):
    options = {"unit": "unit", "range": (1, 5)}
    found = eecx.rwg(army["army_lq2002"], LEAD, null="uniform", **options).table.set_index("index")
    figures = found.loc["r_wg(j)", ["estimate", "minimum", "maximum"]]
    assert [printed(v) for v in figures] == ["0.8678", "0.7749", "0.9423"]
    assert printed(found.loc["r*_wg(j)", "estimate"]) == "0.3926"
    deviation = eecx.ad_index(army["army_lq2002"], LEAD, **options).table.set_index("around")
    assert printed(deviation.loc["mean", "estimate"]) == "0.8902"
    assert printed(eecx.alpha(army["army_lq2002"], LEAD)["alpha"]["estimate"]) == "0.9022"


def test_aggregation_of_a_whole_survey(army):
    survey = Survey(
        army["army_lq2002"],
        unit="unit",
        measures={
            "leadership": Scale(LEAD, range=(1, 5), composition="referent shift"),
            "significance": Scale(TSIG, range=(1, 5), composition="direct consensus"),
            "hostility": Scale(HOSTILE, range=(0, 4), better="lower", composition="additive"),
        },
    )
    result = eecx.aggregation(survey)
    rows = result.table[~(result.table["null"] == "slight skew")]
    own = rows.set_index(["measure", "index"])["estimate"]
    assert printed(own["leadership", "r_wg(j)"]) == "0.8678"
    assert printed(own["leadership", "AD around the mean"]) == "0.8902"
    assert printed(own["leadership", "alpha (persons)"]) == "0.9022"
    # the figures are of the file's own, rounded scores
    for name, figure in (("leadership", 0.8008), ("significance", 0.7846), ("hostility", 0.7041)):
        assert own[name, "ICC(2)"] == pytest.approx(figure, abs=1e-4)
    assert ("hostility", "r_wg(j)") not in own.index
    assert (result.stats["units"], result.stats["withheld"]) == (49, 0)
    units = result.tables["units"]
    for name, items in (("leadership", LEAD), ("significance", TSIG)):
        expected = eecx.rwg(survey, name, null="uniform").tables["units"]["uniform"]
        found = units.loc[units["measure"] == name, "rwg"]
        np.testing.assert_allclose(found, expected)
        apart = eecx.awg(army["army_lq2002"], items, unit="unit", range=(1, 5)).tables["units"]
        np.testing.assert_allclose(units.loc[units["measure"] == name, "awg"], apart["awg"])
    text = result.methods()
    assert "leadership (composition: referent shift): mean r_wg(j) 0.87 (uniform null" in text
    assert "hostility (composition: additive): ICC(1) 0.05" in text
    assert text.endswith("No unit was dropped for low agreement.")
    assert result.to_latex().count("\\\\\n") == len(result.table) + 1


def test_companies_agree_more_than_random_ones(army):
    found = eecx.random_groups(army["army_bh1996"], "work_hours", unit="unit", draws=99)
    row = found["mean variance within units"]
    assert row["statistic"] < -5
    assert row["p_value"] == 0.01


def test_a_file_is_as_good_as_its_rows(shared, army):
    path = shared / "data" / "army_lq2002" / "army_lq2002.csv"
    found, expected = (
        eecx.rwg(d, HOSTILE, unit="unit", range=(0, 4)).table for d in (path, army["army_lq2002"])
    )
    pd.testing.assert_frame_equal(found, expected, rtol=1e-12)


@pytest.mark.parametrize("name", ["attitude", "bh1996"])
def test_attenuation_with_known_reliabilities(shared, name):
    folder = shared / "reference" / "other"
    content = json.loads((folder / f"measurement_error_{name}.json").read_text())
    estimates = {e["name"]: e for e in content["estimates"]}
    frame, data = pd.read_csv(folder / content["data"]["file"]), content["data"]
    y = data["y"]
    for x, reliability in zip(data["x"], data["reliability_x"], strict=True):
        given = {x: reliability, y: data["reliability_y"]}
        table = eecx.attenuation(frame, x, y, reliability=given).table
        row = table.set_index(["term", "version"])
        for version, key in (("observed", "simple_slope"), ("corrected", "simple_slope_corrected")):
            expected = estimates[f"{key}.{x}"]
            found = row.loc[("slope", version)]
            assert found["estimate"] == pytest.approx(expected["est"], rel=1e-9)
            assert found["std_error"] == pytest.approx(expected["se"], rel=1e-9)
        observed, corrected = (row.loc[("correlation", v)] for v in ("observed", "corrected"))
        assert observed["estimate"] == pytest.approx(estimates[f"r.{x}"]["est"], rel=1e-9)
        for column, end in (("estimate", ""), ("conf_low", ".lower"), ("conf_high", ".upper")):
            expected = estimates[f"r_disattenuated.{x}{end}"]["est"]
            assert corrected[column] == pytest.approx(expected, rel=1e-9)
        pair = estimates[f"correct.cor.upper[{y},{x}]"]["est"]
        assert corrected["estimate"] == pytest.approx(pair, rel=1e-9)


class TestAgencies:
    """Employees rate both themselves and their service to customers: one source for x and y."""

    @pytest.fixture
    def panel(self, shared):
        frame = pd.read_csv(shared / "data" / "fevs_agency" / "fevs_agency.csv")
        frame = frame[frame["unit_level"].isin(["agency", "component"])]
        return eecx.Panel.from_frame(
            frame,
            unit="unit",
            wave="wave",
            employee=["ex_index", "supervisor_quality"],
            customer=["cust_needs_met"],
            source={"ex_index": {"employees"}, "cust_needs_met": {"employees"}},
        )

    def test_every_analysis_says_so(self, panel):
        x, y = "ex_index", "cust_needs_met"
        results = [
            eecx.regress(panel, f"{y} ~ {x}"),
            eecx.lag_profile(panel, x, y, lags=[0]),
            eecx.mediate(panel, x, "supervisor_quality", y, draws=99),
            eecx.attenuation(panel, x, y, reliability={x: 0.9, y: 0.9}, draws=0),
            eecx.perception_gap(panel, x, y),
        ]
        for result in results:
            (said,) = (w for w in result.warnings if w.code == "common-source")
            assert {x, y} <= set(said.concerns.split(", "))
            assert "share a source" in said.message

    def test_the_ladder_is_capped(self, panel):
        evidence = eecx.examine_claim(panel, x="ex_index", y="cust_needs_met", draws=99)
        assert evidence.verdicts()[1].startswith("same-source association only")
        assert "same-source association" in evidence.summary()

    def test_instability_holds_sampling_error_and_says_so(self, panel):
        result = eecx.instability(panel, "ex_index")
        assert [w.code for w in result.warnings] == ["unknown-reliability"]
        sd = panel.frame.assign(
            away=panel.frame["ex_index"] - panel.frame.groupby("wave")["ex_index"].transform("mean")
        )
        expected = sd.groupby("unit")["away"].agg(
            lambda v: v.std(ddof=1) if v.notna().sum() >= 3 else np.nan
        )
        found = result.tables["units"].set_index("unit")["instability"]
        np.testing.assert_allclose(found, expected)
