"""Study files: a good one runs, and each mistake is named by its key."""

import numpy as np
import pandas as pd
import pytest

import eecx
from eecx.errors import ColumnError, DataError, EecxError, FormulaError, OptionError
from eecx.study import read_study

SURVEYS = """
[study]
title = "Engagement and NPS"

[employees]
file = "staff.csv"
unit = "store"
wave = "quarter"
[employees.measures.engagement]
type = "Scale"
items = ["e1", "e2"]
range = [1, 5]

[customers]
file = "guests.csv"
unit = "store"
wave = "quarter"
[customers.measures.nps]
type = "NPS"
column = "recommend"
[customers.measures.csat]
type = "TopBox"
column = "csat"
top = 2
range = [1, 5]

[claim]
x = "engagement"
y = "nps"
"""
PANEL = """
[panel]
file = "panel.csv"
unit = "unit"
wave = "wave"
employee = ["ex"]
customer = ["cx"]

[claim]
x = "ex"
y = "cx"
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with two small surveys and a panel as CSV."""
    folder = tmp_path_factory.mktemp("study")
    rng = np.random.default_rng(1)
    n = 2000
    keys = {
        "store": rng.integers(1, 13, n),
        "quarter": rng.choice(["2024Q1", "2024Q2", "2024Q3"], n),
    }
    level = keys["store"] / 6
    answers = np.clip(np.round(rng.normal(2 + level, 1)), 1, 5).astype(int)
    pd.DataFrame({**keys, "e1": answers, "e2": rng.integers(1, 6, n)}).to_csv(
        folder / "staff.csv", index=False
    )
    recommend = np.clip(np.round(rng.normal(5 + level, 2)), 0, 10).astype(int)
    pd.DataFrame({**keys, "recommend": recommend, "csat": rng.integers(1, 6, n)}).to_csv(
        folder / "guests.csv", index=False
    )
    sim = eecx.simulate.panel(units=15, waves=3, rng=2).frame
    sim.assign(n=20, v=0.01).to_csv(folder / "panel.csv", index=False)
    stores = pd.DataFrame({"store": range(1, 13), "size": rng.normal(size=12)})
    stores.to_csv(folder / "stores.csv", index=False)
    (folder / "latin.csv").write_bytes("unit,wave,ex,cx\nMünchen,1,2,3\n".encode("latin-1"))
    (folder / "folder.csv").mkdir()
    return folder


@pytest.fixture
def write(folder, request):
    def write(text, old="", new=""):
        assert not old or old in text
        path = folder / "study.toml"
        path.write_text(text.replace(old, new, 1) if old else text, encoding="utf-8")
        return path

    return write


def examine(path):
    study = read_study(path)
    return study.examine(study.panel())


class TestGoodFiles:
    def test_two_surveys(self, write, folder):
        study = read_study(write(SURVEYS))
        assert study.title == "Engagement and NPS"
        panel = study.panel()
        staff, guests = (
            eecx.Survey(folder / f"{name}.csv", unit="store", wave="quarter", measures=measures)
            for name, measures in {
                "staff": {"engagement": eecx.Scale(["e1", "e2"], range=(1, 5))},
                "guests": {
                    "nps": eecx.NPS("recommend"),
                    "csat": eecx.TopBox("csat", top=2, range=(1, 5)),
                },
            }.items()
        )
        pd.testing.assert_frame_equal(panel.frame, eecx.link(staff, guests).frame)
        evidence = study.examine(panel)
        assert evidence.spec["x"] == "engagement"
        assert evidence.row(1)["judged"]

    def test_a_panel(self, write, folder):
        study = read_study(write(PANEL))
        assert study.title is None
        direct = eecx.Panel.from_frame(
            folder / "panel.csv", unit="unit", wave="wave", employee=["ex"], customer=["cx"]
        )
        pd.testing.assert_frame_equal(study.panel().frame, direct.frame)

    def test_every_option_of_a_claim(self, write):
        more = """
        mediators = ["csat"]
        covariates = ["lag(nps)"]
        smallest_effect = {1 = 2.5, 2 = 1}
        reliability = {engagement = [0.9, 0.6]}
        plan = "osf.io/xyz"
        alpha = 0.1
        draws = 99
        rng = 5
        """
        evidence = examine(write(SURVEYS + more))
        assert evidence.spec["smallest_effect"] == {1: 2.5, 2: 1.0}
        assert evidence.spec["reliability"] == {"engagement": (0.9, 0.6)}
        assert (evidence.spec["alpha"], evidence.spec["rng"]) == (0.1, 5)
        assert evidence.results["mediation"].spec["draws"] == 99

    def test_every_option_of_a_panel(self, write):
        more = """
        n = {ex = "n"}
        variance = {ex = "v"}
        better = {cx = "lower"}
        source = {ex = "employees", cx = ["customers", "records"]}
        step = 1
        disclosure_n = 10
        """
        panel = read_study(write(PANEL, '[claim]\nx = "ex"', f"{more}\n[claim]\nx = 'ex'")).panel()
        assert panel.roles["cx"].better == "lower"
        assert panel.roles["cx"].source == {"customers", "records"}
        assert panel.disclosure_n == 10

    def test_linking_and_covariates(self, write):
        more = '[link]\ndisclosure_n = 10\nstep = "1Q"\n[covariates]\nfile = "stores.csv"\n[claim]'
        panel = read_study(write(SURVEYS, "[claim]", more)).panel()
        assert panel.disclosure_n == 10
        assert panel.covariates == ("size",)

    def test_rules_for_text(self, write, folder):
        raw = pd.read_csv(folder / "panel.csv", dtype=str)
        raw.loc[:4, "ex"] = "No Data"
        raw.to_csv(folder / "text.csv", index=False)
        text = PANEL.replace("panel.csv", "text.csv")
        with pytest.raises(DataError, match="No Data"):
            read_study(write(text)).panel()
        parsed = write(text, "[claim]", '[parse]\nmissing = ["No Data", 99]\n[claim]')
        assert read_study(parsed).panel().frame["ex"].isna().sum() == 5

    def test_files_lie_beside_the_study_file(self, write, monkeypatch, tmp_path):
        monkeypatch.chdir(tmp_path)
        assert read_study(write(PANEL)).panel().units == 15

    def test_a_byte_order_mark_does_no_harm(self, folder):
        path = folder / "bom.toml"
        path.write_text(PANEL, encoding="utf-8-sig")
        assert read_study(path).content["claim"]["x"] == "ex"


class TestFile:
    def test_not_there(self, tmp_path):
        with pytest.raises(DataError, match=r"There is no study file '.*nothing.toml'"):
            read_study(tmp_path / "nothing.toml")

    def test_a_folder(self, tmp_path):
        with pytest.raises(DataError, match="There is no study file"):
            read_study(tmp_path)

    @pytest.mark.parametrize(
        "content",
        [
            b"x = = 3",
            b"\xff\xfe\x00",
            "title = 'é'".encode("latin-1"),
            b"x = " + b"[" * 9_999 + b"]" * 9_999,
        ],
        ids=["not a key", "not text", "not UTF-8", "too deep"],
    )
    def test_not_toml(self, tmp_path, content):
        path = tmp_path / "study.toml"
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"'study\.toml' is not a TOML file"):
            read_study(path)

    def test_empty(self, tmp_path):
        path = tmp_path / "study.toml"
        path.write_text("")
        with pytest.raises(OptionError, match=r"has no section \[claim\] with x and y"):
            read_study(path)


SECTIONS = [
    ("[claim]", "[claims]", r"has a section \[claims\]\. Did you mean 'claim'\?"),
    ("[claim]", "[[claim]]", r"claim in 'study.toml' is .*; it should be a section, \[claim\]"),
    ("[panel]", "[panel.x]\n[claim.panel]", "unknown"),
    (
        "[claim]",
        "[study]\ntitle = 3\n[claim]",
        "study.title in 'study.toml' is 3; it should be text",
    ),
    ("[claim]", "[study]\ntitel = 'x'\n[claim]", r"study.titel .* unknown. Did you mean 'title'\?"),
    (
        "[claim]",
        "[link]\ndisclosure_n = 9\n[claim]",
        r"\[link\] in 'study.toml' is for two surveys",
    ),
    ("[claim]", "[covariates]\nfile = 'a.csv'\n[claim]", r"\[covariates\] .* is for two surveys"),
    ("[claim]", "[employees]\n[claim]", r"employees\.file is missing"),
    ('unit = "unit"', "", "panel.unit is missing in 'study.toml'"),
    ('file = "panel.csv"', "", "panel.file is missing"),
    ('unit = "unit"', "unit = 3", "panel.unit in 'study.toml' is 3; it should be text"),
    ('unit = "unit"', 'unt = "unit"', r"panel.unt .* unknown. Did you mean 'unit'\?"),
    ('employee = ["ex"]', 'employee = "ex"', "panel.employee .* should be a list of texts"),
    ('employee = ["ex"]', "employee = [1]", r"panel.employee .* is \[1\]"),
    ("[claim]", 'n = ["n"]\n[claim]', "panel.n .* should be text or a table of texts"),
    ("[claim]", "n = {ex = 3}\n[claim]", "panel.n .* should be text or a table of texts"),
    ("[claim]", "variance = {ex = 3}\n[claim]", "panel.variance .* should be a table of texts"),
    ("[claim]", "better = {ex = 3}\n[claim]", "panel.better .* should be a table of texts"),
    ("[claim]", "source = {ex = 3}\n[claim]", "panel.source .* should be a table of sources"),
    ("[claim]", "step = true\n[claim]", "panel.step .* should be text or a whole number"),
    ("[claim]", "disclosure_n = 5.5\n[claim]", "panel.disclosure_n .* should be a whole number"),
    ("[claim]", "[parse]\nmissing = [{a = 1}]\n[claim]", "parse.missing .* texts and numbers"),
    ("[claim]", "[parse]\npercents = 'x'\n[claim]", r"parse.percents .* Did you mean 'percent'\?"),
    ('y = "cx"', "", "claim.y is missing"),
    ('x = "ex"', "x = 1", "claim.x .* is 1; it should be text"),
    ('y = "cx"', 'y = "cx"\nz = 1', "claim.z in 'study.toml' is unknown"),
    ('y = "cx"', 'y = "cx"\nmediator = []', r"Did you mean 'mediators'"),
    ('y = "cx"', 'y = "cx"\nalpha = "5%"', "claim.alpha .* is '5%'; it should be a number"),
    ('y = "cx"', 'y = "cx"\ndraws = 10.5', "claim.draws .* should be a whole number"),
    ('y = "cx"', 'y = "cx"\nrng = true', "claim.rng .* should be a whole number"),
    ('y = "cx"', 'y = "cx"\nreliability = 0.8', "claim.reliability .* should be a table"),
    ('y = "cx"', 'y = "cx"\nsmallest_effect = "x"', "claim.smallest_effect .* a number or a table"),
]
MEASURES = [
    ('type = "Scale"', 'type = "Scal"', r"engagement.type is 'Scal'. Did you mean 'Scale'\?"),
    ('type = "Scale"', "type = 3", "engagement.type is 3. There is: 'Scale', 'Mean'"),
    ('type = "Scale"', 'type = ["Scale"]', r"engagement.type is \['Scale'\]"),
    ('type = "Scale"\n', "", "employees.measures.engagement.type is missing: one of 'Scale'"),
    ('items = ["e1", "e2"]\n', "", "employees.measures.engagement.items is missing: Scale needs"),
    ("range = [1, 5]\n", "", "employees.measures.engagement.range is missing"),
    ('column = "recommend"', "", "customers.measures.nps.column is missing: NPS needs it"),
    (
        'items = ["e1"',
        'itms = ["e1"',
        r"engagement.itms is unknown for Scale. Did you mean 'items'",
    ),
    ('items = ["e1", "e2"]', "items = []", "employees.measures.engagement: Scale needs distinct"),
    ('items = ["e1", "e2"]', "items = [1]", r"engagement.items is \[1\]; it should be text or"),
    ("range = [1, 5]", "range = 5", "engagement.range is 5; it should be a list of two numbers"),
    ("range = [1, 5]", "range = [1, 2, 3]", "should be a list of two numbers"),
    ("range = [1, 5]", 'range = ["a", "b"]', "should be a list of two numbers"),
    ("range = [1, 5]", "range = [5, 1]", "employees.measures.engagement: range=.*give the lowest"),
    ("range = [1, 5]", 'range = [1, 5]\nbetter = "up"', "measures.engagement: better='up'"),
    ("range = [1, 5]", "range = [1, 5]\nbetter = 1", "engagement.better is 1; it should be text"),
    ("range = [1, 5]", "range = [1, 5]\nsource = [3]", "engagement.source .* text or a list"),
    ("range = [1, 5]", 'range = [1, 5]\nreverse = ["e9"]', "engagement: reverse names 'e9'"),
    ("range = [1, 5]", "range = [1, 5]\ntop = 2", "engagement.top is unknown for Scale"),
    ('column = "recommend"', 'column = ["recommend"]', r"nps.column is \['recommend'\]"),
    ("top = 2", "top = 2.5", "customers.measures.csat.top is 2.5; it should be a whole number"),
    (
        "[employees.measures.engagement]",
        "[employees.measures]\nx = 3\n[employees.weight]",
        "weight",
    ),
    ('[customers.measures.nps]\ntype = "NPS"', '[customers.measures]\nnps = "NPS"\n[a]', r"\[a\]"),
]
LATER = [
    (PANEL, 'x = "ex"', 'x = "exx"', ColumnError, r"x names 'exx', .* Did you mean 'ex'\?"),
    (PANEL, "panel.csv", "panels.csv", DataError, "panel.file in 'study.toml': there is no file"),
    (PANEL, "panel.csv", "folder.csv", DataError, "panel.file in 'study.toml': there is no file"),
    (PANEL, '"panel.csv"', '""', DataError, "panel.file in 'study.toml': there is no file"),
    (PANEL, "panel.csv", "latin.csv", DataError, "'latin.csv' is not UTF-8 text"),
    (PANEL, 'unit = "unit"', 'unit = "shop"', ColumnError, "'shop', which is not in"),
    (PANEL, "[claim]", 'better = {ex = "up"}\n[claim]', OptionError, "accepted are 'higher'"),
    (PANEL, "[claim]", 'step = "3M"\n[claim]', OptionError, "these waves are whole numbers"),
    (PANEL, "[claim]", "[parse]\npercent = 'x'\n[claim]", OptionError, r"Parse\(percent='x'\)"),
    (PANEL, 'y = "cx"', 'y = "cx"\nsmallest_effect = nan', OptionError, "smallest_effect=nan"),
    (
        PANEL,
        'y = "cx"',
        'y = "cx"\nsmallest_effect = {1 = "a"}',
        OptionError,
        "smallest_effect='a'",
    ),
    (
        PANEL,
        'y = "cx"',
        'y = "cx"\nsmallest_effect = {a = 1}',
        OptionError,
        "smallest_effect.a: rows",
    ),
    (PANEL, 'y = "cx"', 'y = "cx"\nsmallest_effect = {"²" = 1}', OptionError, "rows are named by"),
    (PANEL, 'y = "cx"', 'y = "cx"\nsmallest_effect = {7 = 1}', OptionError, "names row 7"),
    (PANEL, 'y = "cx"', 'y = "cx"\nreliability = {exx = 0.8}', OptionError, "Did you mean 'ex'"),
    (PANEL, 'y = "cx"', 'y = "cx"\nreliability = {ex = [1]}', OptionError, "or two of them"),
    (PANEL, 'y = "cx"', 'y = "cx"\nalpha = 2', OptionError, "alpha=2: a level"),
    (PANEL, 'y = "cx"', 'y = "cx"\ncovariates = ["ex +"]', FormulaError, "a term is expected"),
    (SURVEYS, "staff.csv", "stuff.csv", DataError, "employees.file in 'study.toml': there is no"),
    (SURVEYS, '"e2"', '"e9"', ColumnError, "'e9', which is not in 'staff.csv'"),
    (SURVEYS, "[1, 5]", "[1, 3]", DataError, "not between 1 and 3"),
    (
        SURVEYS,
        'unit = "store"',
        'unit = "shop"',
        ColumnError,
        "'shop', which is not in 'staff.csv'",
    ),
    (SURVEYS, 'wave = "quarter"\n', "", OptionError, "have waves and the employees have none"),
    (SURVEYS, "[claim]", '[link]\nstep = "1X"\n[claim]', OptionError, "step='1X'"),
    (
        SURVEYS,
        "[claim]",
        "[link]\ncustomer_offset = 9\n[claim]",
        DataError,
        "no unit × wave in common",
    ),
]


class TestMistakes:
    @pytest.mark.parametrize(("old", "new", "message"), SECTIONS)
    def test_sections_and_keys(self, write, old, new, message):
        with pytest.raises(OptionError, match=message):
            read_study(write(PANEL, old, new))

    @pytest.mark.parametrize(("old", "new", "message"), MEASURES)
    def test_measures(self, write, old, new, message):
        with pytest.raises(OptionError, match=message):
            read_study(write(SURVEYS, old, new))

    @pytest.mark.parametrize(("text", "old", "new", "error", "message"), LATER)
    def test_what_only_the_data_can_tell(self, write, text, old, new, error, message):
        with pytest.raises(error, match=message) as caught:
            examine(write(text, old, new))
        assert isinstance(caught.value, EecxError)

    def test_one_side_only(self, write):
        one = SURVEYS[: SURVEYS.index("[customers]")] + SURVEYS[SURVEYS.index("[claim]") :]
        with pytest.raises(
            OptionError, match=r"either \[employees\] and \[customers\], or \[panel\]"
        ):
            read_study(write(one))

    def test_surveys_and_a_panel(self, write):
        both = SURVEYS + PANEL[: PANEL.index("[claim]")]
        with pytest.raises(
            OptionError, match=r"either \[employees\] and \[customers\], or \[panel\]"
        ):
            read_study(write(both))

    def test_no_measures(self, write):
        bare = SURVEYS.replace('[employees.measures.engagement]\ntype = "Scale"', "measures = {}")
        bare = bare.replace('items = ["e1", "e2"]\nrange = [1, 5]\n', "", 1)
        with pytest.raises(OptionError, match="A survey needs measures"):
            examine(write(bare))
