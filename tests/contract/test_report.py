"""The dossier: complete, self-contained, the same bytes twice, and harmless whatever names say."""

import csv
import io
import json
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

import eecx
from eecx.dossier import bibliography
from eecx.errors import DataError, OptionError

HOSTILE = (
    "<script>alert(1)</script>",
    "=cmd()",
    "$x^2$",
    "\"quoted\" 'twice' & `ticked`",
    "+49 Ünïcode Жук Ω",
    "-2+3",
    "@import url(http://evil.example/x.css)",
    '"><img src=x onerror=alert(1)>',
    "</style><b>",
)
TAGS = {
    *("html", "head", "meta", "title", "style", "body", "h1", "h2", "h3", "p", "b", "ul", "li"),
    *("span", "div", "figure", "img", "pre", "table", "thead", "tbody", "tr", "th", "td"),
}
ATTRIBUTES = {"lang", "charset", "name", "content", "class", "alt", "src", "border", "style"}
STARTS = ("=", "+", "-", "@", "\t", "\r")


class Page(HTMLParser):
    """The tags, attributes and text of a page."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.tags, self.attributes, self.text = [], [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.text.append(data)


def examined(frame, names, units=None, waves=("wave",), **options):
    """Evidence from columns and units that were renamed."""
    ex, m, cx = names
    frame = frame.rename(columns={"ex": ex, "m": m, "cx": cx})
    if units:
        frame = frame.assign(unit=frame["unit"].map(units))
    data = eecx.Panel.from_frame(
        frame, unit="unit", wave="wave", employee=[ex, m], customer=[cx], variance={ex: "v"}
    )
    return eecx.examine_claim(
        data, x=ex, y=cx, mediators=[m], smallest_effect=0.2, draws=99, **options
    )


@pytest.fixture(scope="module")
def frame():
    sim = eecx.simulate.panel(
        units=24,
        waves=4,
        missing=0.08,
        mediator=eecx.simulate.Mediator(a=0.4, b=0.4, lag=0),
        rng=3,
    )
    return sim.frame.assign(v=0.05)


@pytest.fixture(scope="module")
def evidence(frame):
    return examined(frame, ("ex", "m", "cx"))


@pytest.fixture(scope="module")
def dossier(evidence, tmp_path_factory):
    folder = tmp_path_factory.mktemp("plain") / "new" / "dossier"
    return eecx.report(evidence, folder, title="Plain").parent


@pytest.fixture(scope="module")
def hostile(frame, tmp_path_factory):
    units = {u: f"{HOSTILE[i % len(HOSTILE)]} {i}" for i, u in enumerate(frame["unit"].unique())}
    units["U002"] = units["U001"].upper()  # a look-alike key
    names = HOSTILE[0], HOSTILE[1], HOSTILE[2]
    evidence = examined(frame, names, units, plan=HOSTILE[3], covariates=[])
    folder = tmp_path_factory.mktemp("hostile")
    eecx.report(evidence, folder, title=HOSTILE[7])
    return folder


def files(folder):
    return {
        str(path.relative_to(folder)).replace("\\", "/"): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


class TestContents:
    def test_files(self, dossier):
        found = set(files(dossier))
        figures = ("ladder", "linkage", "coverage", "losses", "lag_profile", "mediation")
        tables = (
            *("ladder", "gates", "stages", "losses", "between_units", "within_units_over_time"),
            *("lag_profile", "mediation", "mediation_normal_theory", "mediation_size"),
        )
        expected = {"index.html", "results.json", "specification.json"}
        expected |= {f"figures/{name}.{kind}" for name in figures for kind in ("png", "svg")}
        expected |= {f"tables/{name}.csv" for name in tables}
        assert found == expected

    def test_figures_are_pictures(self, dossier):
        for name, content in files(dossier).items():
            if name.endswith(".png"):
                assert content.startswith(b"\x89PNG")
            if name.endswith(".svg"):
                assert ET.fromstring(content).tag.endswith("svg")

    def test_results_json_is_the_evidence(self, dossier, evidence):
        assert json.loads((dossier / "results.json").read_text()) == evidence.to_dict()

    def test_specification_has_arguments_seed_versions_and_fingerprint(self, dossier, evidence):
        spec = json.loads((dossier / "specification.json").read_text())
        assert {"x", "y", "smallest_effect", "rng", "draws", "versions", "data"} <= set(spec)
        assert spec["data"] == evidence.spec["data"]

    def test_tables_are_those_of_the_evidence(self, dossier, evidence):
        for name, table in {
            "ladder": evidence.ladder,
            "gates": evidence.gates,
            "mediation": evidence.results["mediation"].table,
        }.items():
            read = pd.read_csv(dossier / "tables" / f"{name}.csv")
            assert read.columns.tolist() == table.columns.tolist()
            assert len(read) == len(table)
        read = pd.read_csv(dossier / "tables" / "ladder.csv")
        np.testing.assert_allclose(read["estimate"], evidence.ladder["estimate"], rtol=1e-11)

    def test_page_has_every_section_verdict_and_reference(self, dossier, evidence):
        page = Page((dossier / "index.html").read_text(encoding="utf-8"))
        text = " ".join(" ".join(page.text).split())
        for heading in ("What was found", "Gates", "Methods, for a paper", "Specification"):
            assert heading in text
        for row in evidence.ladder.to_dict("records"):
            assert " ".join(row["question"].split()) in text
            assert row["verdict"] in text
        for entry in bibliography(evidence.references):
            assert entry in text
        assert "Plain" in page.text

    def test_page_is_well_nested_and_has_known_tags_only(self, dossier):
        page = Page((dossier / "index.html").read_text(encoding="utf-8"))
        assert set(page.tags) <= TAGS
        assert {name for name, _ in page.attributes} <= ATTRIBUTES
        assert page.tags.count("img") == 6


def external(text):
    """What a page would fetch from elsewhere."""
    found = re.findall(r"(?:src|href|srcset|data|action)\s*=\s*[\"']?([^\"'\s>]*)", text)
    found += re.findall(r"url\(\s*[\"']?([^)\"']*)", text)
    found += re.findall(r"@import\s+([^;]*)", text)
    return [f for f in found if not f.startswith(("data:image/png;base64,", "#"))]


class TestSelfContained:
    def test_page_loads_nothing(self, dossier):
        html = (dossier / "index.html").read_text(encoding="utf-8")
        assert external(html) == []
        assert not re.search(r"<(script|link|iframe|object|embed|base|form)\b", html, re.IGNORECASE)

    def test_addresses_in_the_text_are_dois(self, dossier):
        html = (dossier / "index.html").read_text(encoding="utf-8")
        assert re.findall(r"https?://(?!doi\.org/)[^\s<]*", html) == []

    def test_svgs_load_nothing(self, dossier):
        for path in (dossier / "figures").glob("*.svg"):
            text = path.read_text(encoding="utf-8")
            assert all(f.startswith("#") for f in re.findall(r"href=\"([^\"]*)\"", text))
            assert "<script" not in text

    def test_nothing_names_the_machine_or_the_day(self, dossier):
        for name, content in files(dossier).items():
            if not name.endswith(".png"):
                text = content.decode("utf-8")
                assert str(dossier) not in text
                assert "<dc:date>" not in text


class TestReproducible:
    @pytest.mark.slow
    def test_the_same_evidence_gives_the_same_bytes(self, dossier, evidence, tmp_path):
        eecx.report(evidence, tmp_path, title="Plain")
        assert files(tmp_path) == files(dossier)

    def test_the_same_examination_gives_the_same_bytes(self, dossier, frame, tmp_path):
        eecx.report(examined(frame, ("ex", "m", "cx")), tmp_path, title="Plain")
        assert files(tmp_path) == files(dossier)


class TestHostileNames:
    def test_page(self, hostile):
        html = (hostile / "index.html").read_text(encoding="utf-8")
        page = Page(html)
        assert set(page.tags) <= TAGS
        assert {name for name, _ in page.attributes} <= ATTRIBUTES
        sources = [value for name, value in page.attributes if name == "src"]
        assert len(sources) == 6
        assert all(s.startswith("data:image/png;base64,") for s in sources)
        assert "<script" not in html.lower()

    def test_names_are_shown_as_they_are(self, hostile):
        page = Page((hostile / "index.html").read_text(encoding="utf-8"))
        text = "".join(page.text)
        for name in (*HOSTILE[:3], HOSTILE[7]):
            assert name in text
        assert "Keys that look alike" in text

    def test_svgs(self, hostile):
        for path in (hostile / "figures").glob("*.svg"):
            root = ET.fromstring(path.read_bytes())
            for element in root.iter():
                tag = str(element.tag).rsplit("}", 1)[-1].lower()
                assert tag not in ("script", "foreignobject", "iframe", "image", "a")
                assert not any(key.lower().startswith("on") for key in element.attrib)

    def test_csvs(self, hostile):
        seen = 0
        for path in (hostile / "tables").glob("*.csv"):
            text = path.read_text(encoding="utf-8")
            for row in csv.reader(io.StringIO(text, newline="")):
                for cell in row:
                    if cell.startswith(STARTS):
                        float(cell)  # a negative number
                    seen += cell.startswith(tuple(f"'{s}" for s in STARTS))
        assert seen > 0

    def test_json(self, hostile):
        content = json.loads((hostile / "results.json").read_text(encoding="utf-8"))
        assert content["spec"]["x"] == HOSTILE[0]


MINIMUM = 6
SMALL = {"s03": 5, "s07": 3, "s11": 1}


@pytest.fixture(scope="module")
def answers():
    """Answers of 12 people per store and wave, but of few in wave 2 of three stores."""
    rng = np.random.default_rng(5)
    rows = []
    for unit in range(20):
        for wave in (1, 2, 3):
            name = f"s{unit:02d}"
            few = wave == 2 and name in SMALL
            for i in range(SMALL[name] if few else 12):
                # values that nothing else in the dossier can have
                odd = 2.718281828 + 0.001 * i + 0.1 * unit
                rows.append((name, wave, odd if few else round(rng.normal(50 + unit, 5), 1)))
    return pd.DataFrame(rows, columns=["store", "wave", "value"])


@pytest.fixture(scope="module")
def linked(answers):
    staff, guests = (
        eecx.Survey(answers, unit="store", wave="wave", measures={name: eecx.Mean("value")})
        for name in ("engagement", "nps")
    )
    return eecx.link(staff, guests, disclosure_n=MINIMUM)


@pytest.fixture(scope="module")
def withholding(linked, tmp_path_factory):
    folder = tmp_path_factory.mktemp("withholding")
    return eecx.report(eecx.examine_claim(linked, x="engagement", y="nps"), folder).parent


class TestDisclosure:
    """Cells of few respondents leave no trace of their value or number."""

    def test_no_value_of_a_withheld_cell_is_in_the_dossier(self, answers, withholding):
        cells = answers.groupby(["store", "wave"])["value"].agg(["size", "mean", "var", "max"])
        withheld = cells[cells["size"] < MINIMUM]
        assert len(withheld) == len(SMALL)
        error = np.sqrt(withheld["var"] / withheld["size"])
        numbers = np.concatenate([withheld[["mean", "var", "max"]].to_numpy().ravel(), error])
        marks = {f"{v:.{digits}g}" for v in numbers if v > 0 for digits in (6, 12)}
        assert len(marks) > 6
        for name, content in files(withholding).items():
            if not name.endswith(".png"):
                text = content.decode("utf-8")
                assert not [m for m in marks if m in text]

    def test_losses_name_the_withheld_cells_and_no_number(self, withholding):
        losses = pd.read_csv(withholding / "tables" / "losses.csv")
        assert set(losses["unit"]) == set(SMALL)
        assert set(losses["reason"]) == {"too few respondents"}
        assert losses.select_dtypes("number").columns.tolist() in ([], ["wave"])

    def test_no_table_of_units_holds_a_count(self, linked, withholding):
        assert (linked.n.min() >= MINIMUM).all()
        for path in (withholding / "tables").glob("*.csv"):
            if path.stem not in ("losses", "near_misses"):
                assert not {"unit", "store"} & set(pd.read_csv(path).columns)
        text = (withholding / "results.json").read_text()
        assert not any(f'"{unit}"' in text for unit in SMALL)


class TestRefuses:
    def test_what_is_no_evidence(self, tmp_path):
        with pytest.raises(OptionError, match=r"report takes an eecx\.Evidence, not a DataFrame"):
            eecx.report(pd.DataFrame(), tmp_path)

    def test_a_file_for_a_folder(self, evidence, tmp_path):
        path = tmp_path / "file"
        path.write_text("")
        with pytest.raises(DataError, match="is a file; name a folder"):
            eecx.report(evidence, path)
        with pytest.raises(DataError, match="cannot be made: Not a directory"):
            eecx.report(evidence, path / "below")

    def test_a_reference_that_is_not_there(self):
        with pytest.raises(OptionError, match="No reference 'nobody1900'"):
            bibliography(("nobody1900",))


def test_the_room_is_callable_and_holds_the_function():
    from eecx.dossier import report

    assert callable(eecx.report)
    assert eecx.report is report


def test_the_whole_bibliography_reads_as_sentences():
    from eecx.dossier.references import _entries

    for entry in bibliography(tuple(_entries())):
        assert re.fullmatch(r"[^{}\\]+ \(\d{4}\)\. [^{}\\]+", entry)
        assert "&amp;" not in entry
