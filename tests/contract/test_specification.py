"""The record of an analysis names everything that made it."""

import json

import pandas as pd
import pytest

import eecx


@pytest.fixture(scope="module")
def panel():
    chain = eecx.simulate.retail_chain(stores=30, quarters=4, rng=5)
    scale = eecx.Scale(["e1", "e2"], range=(1, 5), source="employees")
    parse = eecx.Parse(missing=["No Data", 99])
    staff = eecx.Survey(
        chain.employees, unit="store", wave="quarter", measures={"engagement": scale}, parse=parse
    )
    nps = eecx.NPS("recommend")
    guests = eecx.Survey(chain.customers, unit="store", wave="quarter", measures={"nps": nps})
    return eecx.link(staff, guests, disclosure_n=6)


def test_a_linked_panel_knows_its_surveys_and_options(panel):
    engagement = panel.spec["employees"]["measures"]["engagement"]
    assert engagement["type"] == "Scale"
    assert engagement["range"] == (1, 5)
    assert panel.spec["employees"]["parse"]["missing"] == ("No Data", 99)
    assert panel.spec["disclosure_n"] == 6
    assert panel.spec["step"] == "3 months"


def test_a_panel_from_a_frame_knows_its_roles():
    frame = pd.DataFrame({"u": list("abc"), "x": [1.0, 2, 4], "y": [3.0, 2, 1], "k": [9, 9, 9]})
    panel = eecx.Panel.from_frame(
        frame, unit="u", employee="x", customer="y", n={"x": "k"}, better={"y": "lower"}
    )
    assert panel.spec["n"] == {"x": "k"}
    assert panel.spec["better"] == {"x": "higher", "y": "lower"}
    assert panel.spec["source"] == {"x": ["employees"], "y": ["customers"]}


def test_the_dossier_holds_it_with_what_the_caller_adds(panel, tmp_path, monkeypatch):
    monkeypatch.setattr("eecx.plotting.render", lambda figure, kind: b"")  # figures take their time
    evidence = eecx.examine_claim(panel, x="engagement", y="nps")
    eecx.report(evidence, tmp_path, made_by={"seed": 5})
    found = json.loads((tmp_path / "specification.json").read_text(encoding="utf-8"))
    assert found["made_by"] == {"seed": 5}
    assert found["panel"]["customers"]["measures"]["nps"]["column"] == "recommend"
    assert found["data"] == panel.fingerprint
    assert found["versions"]["eecx"] == eecx.__version__
