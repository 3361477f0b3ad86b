"""Errors-in-variables slopes against R 4.2.2 and lavaan 0.6-14 (error variances fixed)."""

import json

import pandas as pd
import pytest

import eecx
from eecx.errors import DataError, OptionError

NAMES = ("attitude", "bh1996")


@pytest.fixture(params=NAMES)
def case(request, shared):
    folder = shared / "reference" / "other"
    content = json.loads((folder / f"measurement_error_{request.param}.json").read_text())
    data = content["data"]
    frame = pd.read_csv(folder / data["file"])
    known = dict(zip(data["x"], data["reliability_x"], strict=True))
    formula = f"{data['y']} ~ {' + '.join(data['x'])}"
    return frame, formula, known, {e["name"]: e for e in content["estimates"]}


def test_slopes_and_errors(case):
    frame, formula, known, stored = case
    sums = eecx.Moments.from_frame(frame, terms=[formula.split(" ~ ")[0], *known])
    rows = eecx.errors_in_variables(frame, formula, reliability=known).table
    table = rows.set_index(["term", "version"])
    normal = eecx.errors_in_variables(sums, formula, reliability=known).table
    normal = normal.set_index(["term", "version"])
    for name in known:
        ols, eiv = stored[f"multiple_ols.{name}"], stored[f"multiple_eiv.{name}"]
        assert table.loc[(name, "observed"), "estimate"] == pytest.approx(ols["est"], rel=1e-9)
        assert table.loc[(name, "corrected"), "estimate"] == pytest.approx(eiv["est"], rel=1e-9)
        assert normal.loc[(name, "observed"), "std_error"] == pytest.approx(ols["se"], rel=1e-9)
        lavaan = stored[f"lavaan_fixed_error.{name}"]
        own = normal.loc[(name, "corrected")]
        assert own["estimate"] == pytest.approx(lavaan["est"], rel=1e-5)
        assert own["std_error"] == pytest.approx(lavaan["se"], rel=1e-5)


def test_one_predictor_is_divided_by_its_reliability(case):
    frame, formula, known, stored = case
    outcome, name = formula.split(" ~ ")[0], next(iter(known))
    found = eecx.errors_in_variables(
        frame, f"{outcome} ~ {name}", reliability={name: known[name]}
    ).table
    wanted = stored[f"simple_slope_corrected.{name}"]["est"]
    assert found["estimate"].iloc[1] == pytest.approx(wanted, rel=1e-9)


def test_full_reliability_corrects_nothing(case):
    frame, formula, known, _ = case
    table = eecx.errors_in_variables(frame, formula, reliability=dict.fromkeys(known, 1.0)).table
    one, two = (
        table[table["version"] == v]["estimate"].to_numpy() for v in ("observed", "corrected")
    )
    assert one == pytest.approx(two, rel=1e-12)


def test_refuses(case):
    frame, formula, known, _ = case
    name = next(iter(known))
    for options, error, text in (
        ({"reliability": {"zz": 0.5}}, OptionError, "'zz', which is no term"),
        ({"reliability": {name: 1.2}}, OptionError, "above 0 and at most 1"),
        ({}, OptionError, "No reliability is known"),
        ({"reliability": {name: 0.01}}, DataError, "nothing but error is left"),
        ({"reliability": {name: 0.9}, "effects": "random"}, OptionError, "accepted are 'pooled'"),
    ):
        with pytest.raises(error, match=text):
            eecx.errors_in_variables(frame, formula, **options)


def test_a_panel_of_surveys_tells_the_reliabilities_of_its_level():
    chain = eecx.simulate.retail_chain()
    staff = eecx.Survey(
        chain.employees,
        unit="store",
        wave="quarter",
        measures={"engagement": eecx.Scale(["e1", "e2", "e3"], range=(1, 5))},
    )
    guests = eecx.Survey(
        chain.customers, unit="store", wave="quarter", measures={"nps": eecx.NPS("recommend")}
    )
    panel = eecx.link(staff, guests)
    # a reliability is that of the cells it is taken of: here of those that the model uses
    frame = panel.frame.assign(v=panel.variance["engagement"]).dropna()
    paired = eecx.Panel.from_frame(
        frame,
        unit="store",
        wave="quarter",
        employee="engagement",
        customer="nps",
        variance={"engagement": "v"},
    )
    told = eecx.reliability(paired, "engagement").table.set_index("level")["estimate"]
    # in unbalanced panels reliability() takes waves out in one step, the model exactly
    for effects, level, away in (
        ("between", "between units", 1e-10),
        ("two-way", "change within units over time", 0.01),
    ):
        found = eecx.errors_in_variables(panel, "nps ~ engagement", effects=effects)
        used = found.spec["reliability"]["engagement"]
        assert used == pytest.approx(told[level], rel=1e-10, abs=away)
    for effects in ("pooled", "between", "within", "two-way"):
        found = eecx.errors_in_variables(panel, "nps ~ engagement", effects=effects)
        observed, corrected = found.table["estimate"]
        used = found.spec["reliability"]["engagement"]
        assert corrected == pytest.approx(observed / used, rel=1e-9)
        found.plot()


def test_latent_slopes_of_people_lie_near_those_of_two_level_maximum_likelihood(shared):
    """lavaan 0.6-14; teams of 15 to 226 people, in which moments and likelihood are not the same.

    Manifest slopes lie elsewhere. In teams of equal size both are the same, see the identities.
    """
    folder = shared / "reference" / "mediation"
    stored = json.loads((folder / "ml111_bh1996.json").read_text())
    names = {e["name"]: e for e in stored["estimates"]}
    frame = pd.read_csv(folder / stored["data"]["file"])
    found = eecx.errors_in_variables(
        frame, "WBEING ~ COHES + LEAD", unit="GRP", effects="within-between"
    ).table.set_index(["level", "term", "version"])
    found = found.sort_index()
    for term, tail in (("COHES", "b"), ("LEAD", "c")):
        own = found.loc[("between units", term)]
        ml = names[f"lavaan_twolevel.{tail}b"]
        assert own.loc["corrected", "estimate"] == pytest.approx(ml["est"], abs=0.2 * ml["se"])
        assert own.loc["corrected", "std_error"] == pytest.approx(ml["se"], rel=0.1)
        assert abs(own.loc["observed", "estimate"] - ml["est"]) > 0.4 * ml["se"]
        inside = found.loc[("within units, among people", term, "corrected"), "estimate"]
        # likelihood takes a trace of what differences between teams tell of the slope within
        assert inside == pytest.approx(names[f"lavaan_twolevel.{tail}w"]["est"], rel=1e-3)
