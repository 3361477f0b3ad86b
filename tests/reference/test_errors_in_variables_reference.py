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
    levels = ("between units", "change within units over time")
    told = eecx.reliability(panel, "engagement").table.set_index("level")["estimate"]
    for effects, level in zip(("between", "within"), levels, strict=True):
        found = eecx.errors_in_variables(panel, "nps ~ engagement", effects=effects)
        used = found.spec["reliability"]["engagement"]
        assert used == pytest.approx(told[level], rel=1e-10)
        observed, corrected = found.table["estimate"]
        assert corrected == pytest.approx(observed / used, rel=1e-9)
        found.plot()
