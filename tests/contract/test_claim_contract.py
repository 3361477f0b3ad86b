"""What examine_claim() returns, what it says of doubtful panels, and what it refuses."""

import json
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import eecx
from eecx.dossier import bibliography
from eecx.errors import ColumnError, DataError, FormulaError, OptionError

COLUMNS = [
    "row",
    "question",
    "level",
    "estimate",
    "std_error",
    "df",
    "p_value",
    "conf_low",
    "conf_high",
    "std_estimate",
    "std_low",
    "std_high",
    "corrected",
    "p_adjusted",
    "delta",
    "judged",
    "kind",
    "verdict",
    "wording",
    "note",
    "n",
]
KINDS = {"positive", "opposite", "too_small", "not_resolved", "not_judged", "not_testable"}


def made(units=25, waves=4, **options):
    sim = eecx.simulate.panel(
        units=units,
        waves=waves,
        stable_cor=0.5,
        mediator=eecx.simulate.Mediator(a=0.4, b=0.4, lag=0),
        rng=3,
        **options,
    )
    return sim.frame


@pytest.fixture(scope="module")
def frame():
    return made().assign(
        region=lambda f: np.where(f["unit"] < "U012", "north", "south"),
        noise=np.random.default_rng(2).uniform(0.01, 0.05, 100),
    )


def panel(frame, **options):
    given = {"employee": ["ex", "m"], "customer": ["cx"], "wave": "wave", **options}
    return eecx.Panel.from_frame(frame, unit="unit", **given)


def examine(frame, x="ex", y="cx", roles=None, **options):
    return eecx.examine_claim(panel(frame, **(roles or {})), x=x, y=y, **options)


@pytest.fixture(scope="module")
def evidence(frame):
    return examine(frame, mediators="m", smallest_effect=0.3, draws=99, plan="osf.io/xyz")


class TestEvidence:
    def test_ladder_has_nine_rows_and_the_columns_it_names(self, evidence):
        assert evidence.ladder["row"].tolist() == list(range(1, 10))
        assert set(COLUMNS) <= set(evidence.ladder.columns)
        assert set(evidence.ladder["kind"]) <= KINDS
        assert evidence.ladder["judged"].tolist() == [True, True] + [False] * 7

    def test_every_row_without_a_verdict_says_why(self, evidence):
        for row in evidence.ladder[~evidence.ladder["judged"]].to_dict("records"):
            assert row["note"] or "because" in row["verdict"]

    def test_rows_and_verdicts_by_number(self, evidence):
        assert evidence.row(2)["question"].startswith("Within units over time")
        assert list(evidence.verdicts()) == list(range(1, 10))
        with pytest.raises(OptionError, match=r"No row 10\. There is: 1, 2, 3"):
            evidence.row(10)

    def test_gates_are_named_with_state_and_detail(self, evidence):
        assert evidence.gates.columns.tolist() == ["gate", "state", "detail"]
        assert set(evidence.gates["state"]) <= {"adequate", "limited", "unchecked"}
        states = evidence.gates.set_index("gate")["state"]
        assert states["plan fixed beforehand"] == "adequate"
        assert states["independence of sources"] == "unchecked"

    def test_results_under_the_rows(self, evidence):
        names = {"between_units", "within_units_over_time", "lag_profile", "mediation"}
        assert set(evidence.results) == names
        assert all(isinstance(r, eecx.Result) for r in evidence.results.values())

    def test_json_is_strict_and_has_the_schema(self, evidence):
        content = json.loads(evidence.to_json())
        assert content == evidence.to_dict()
        assert content["schema"] == "eecx.evidence/1"
        assert content["spec"]["smallest_effect"] == {"1": 0.3, "2": 0.3}
        assert len(content["ladder"]["rows"]) == 9

    def test_spec_has_every_argument(self, evidence):
        for name in ("x", "y", "mediators", "covariates", "smallest_effect", "reliability"):
            assert name in evidence.spec
        for name in ("plan", "alpha", "draws", "rng", "data", "versions"):
            assert name in evidence.spec

    def test_summary_html_and_methods_have_the_verdicts(self, evidence):
        text = evidence.summary()
        assert repr(evidence) == text
        for number in (1, 2):
            words = " ".join(text.split())
            assert evidence.verdicts()[number].upper() in words
            assert evidence.verdicts()[number] in evidence.methods()
        assert evidence._repr_html_().count("<table") == 2
        assert "None of this is causal." in evidence.methods()

    def test_references_are_in_the_bibliography(self, evidence):
        assert len(bibliography(evidence.references)) == 3

    def test_figures(self, evidence):
        assert isinstance(evidence.plot(), Figure)
        assert isinstance(evidence.plot_linkage(), Figure)

    def test_wording_is_never_causal(self, evidence):
        for text in evidence.ladder["wording"]:
            assert not any(word in text for word in ("leads to", "drives", "effect of", "causes"))
        for number in (1, 2):
            assert "could explain this" in evidence.row(number)["wording"]

    def test_the_same_call_gives_the_same_json(self, frame):
        one, other = (examine(frame, mediators="m", draws=99).to_json() for _ in range(2))
        assert one == other


class TestRefuses:
    @pytest.mark.parametrize(
        ("options", "error", "message"),
        [
            ({"x": "exx"}, ColumnError, r"x names 'exx', .*Did you mean 'ex'\?"),
            ({"y": "nps"}, ColumnError, "y names 'nps', which is not in the panel"),
            ({"x": ["ex"]}, OptionError, r"x=\['ex'\]: the name of one measure"),
            ({"x": "region"}, DataError, "x names 'region', which holds text"),
            ({"y": "ex"}, OptionError, "x, y and mediators must be distinct"),
            ({"mediators": ["m", "m"]}, OptionError, "must be distinct"),
            ({"mediators": "cx"}, OptionError, "must be distinct"),
            ({"mediators": "mm"}, ColumnError, "mediators names 'mm'"),
            ({"covariates": "sise"}, ColumnError, "covariates names 'sise'"),
            ({"covariates": "C(regio)"}, ColumnError, r"Did you mean 'region'\?"),
            ({"covariates": "region"}, DataError, "'region' holds text"),
            ({"covariates": "ex"}, OptionError, r"only as its past, such as lag\(ex\)"),
            ({"covariates": "cx"}, OptionError, "covariates has 'cx': 'cx' is x, y or a mediator"),
            ({"covariates": "ex:noise"}, OptionError, "covariates has 'ex:noise'"),
            ({"covariates": "lag(ex, -1)"}, OptionError, "only as its past"),
            ({"covariates": "noise +"}, FormulaError, "ends where a term is expected"),
            ({"smallest_effect": 0}, OptionError, "smallest_effect=0 for row 1: a positive"),
            ({"smallest_effect": -1.5}, OptionError, "smallest_effect=-1.5 for row 1"),
            ({"smallest_effect": float("nan")}, OptionError, "smallest_effect=nan for row 1"),
            ({"smallest_effect": float("inf")}, OptionError, "smallest_effect=inf for row 1"),
            ({"smallest_effect": "5"}, OptionError, "smallest_effect='5' for row 1"),
            ({"smallest_effect": True}, OptionError, "smallest_effect=True for row 1"),
            ({"smallest_effect": {2: -1}}, OptionError, "smallest_effect=-1 for row 2"),
            ({"smallest_effect": {3: 1}}, OptionError, "names row 3; rows 1, 2 are judged"),
            ({"smallest_effect": {"1": 1}}, OptionError, "names row '1'; rows 1, 2 are judged"),
            ({"reliability": 0.8}, OptionError, r"reliability=0.8: a mapping such as \{'ex'"),
            ({"reliability": {"exx": 0.8}}, OptionError, r"'exx', .*Did you mean 'ex'\?"),
            ({"reliability": {"ex": 0}}, OptionError, "reliability of 'ex' is 0: a share above 0"),
            ({"reliability": {"ex": -0.2}}, OptionError, "reliability of 'ex' is -0.2"),
            ({"reliability": {"ex": 1.01}}, OptionError, "reliability of 'ex' is 1.01"),
            ({"reliability": {"ex": float("nan")}}, OptionError, "reliability of 'ex' is nan"),
            ({"reliability": {"ex": "high"}}, OptionError, "reliability of 'ex' is 'high'"),
            ({"reliability": {"ex": (0.8,)}}, OptionError, "or two of them"),
            ({"reliability": {"ex": (0.8, None)}}, OptionError, "or two of them"),
            ({"alpha": 0}, OptionError, "alpha=0: a level such as 0.05"),
            ({"alpha": 0.5}, OptionError, "alpha=0.5: a level"),
            ({"alpha": "5%"}, OptionError, "alpha='5%': a level"),
            ({"mediators": "m", "draws": 1}, OptionError, "draws=1: a whole number, at least 39"),
            ({"mediators": "m", "rng": -1}, OptionError, "rng=-1"),
        ],
    )
    def test_options(self, frame, options, error, message):
        roles = {"covariates": ["region", "noise"]}
        with pytest.raises(error, match=message):
            examine(frame, roles=roles, **options)

    def test_a_frame(self, frame):
        with pytest.raises(OptionError, match=r"examine_claim takes an eecx\.Panel, not a Data"):
            eecx.examine_claim(frame, x="ex", y="cx")


@pytest.fixture(params=["no dossier", pytest.param("dossier", marks=pytest.mark.slow)])
def folder(request, tmp_path):
    """Where a dossier is written, if one is: figures take their time."""
    return tmp_path if request.param == "dossier" else None


class TestPoorPanels:
    def check(self, evidence, folder=None):
        assert evidence.ladder["row"].tolist() == list(range(1, 10))
        text = evidence.summary() + evidence.methods()
        assert "nan" not in text.split()
        if folder is not None:
            assert eecx.report(evidence, folder).exists()

    def test_one_wave(self, frame):
        evidence = examine(frame[frame["wave"] == 1])
        assert evidence.row(1)["judged"]
        for number in range(2, 8):
            assert evidence.verdicts()[number] == "not testable, because there is one wave only"
        self.check(evidence)

    def test_no_wave_column(self, frame, folder):
        flat = frame[frame["wave"] == 1].drop(columns="wave")
        evidence = examine(flat, roles={"wave": None})
        assert evidence.row(2)["kind"] == "not_testable"
        self.check(evidence, folder)

    def test_two_waves(self):
        evidence = examine(made(waves=2), mediators="m", draws=99)
        assert evidence.row(2)["judged"]
        assert "leaving one of two waves out leaves none" in evidence.verdicts()[7]
        assert evidence.results["lag_profile"].table["lag"].tolist() == [0]
        self.check(evidence)

    def test_two_units(self, folder):
        evidence = examine(made(units=2, waves=8))
        assert "too few to fit" in evidence.verdicts()[1]
        assert "few-units" in [w.code for w in evidence.warnings]
        self.check(evidence, folder)

    def test_three_units_with_a_mediator(self):
        evidence = examine(made(units=3, waves=8), mediators="m", draws=99)
        self.check(evidence)

    @pytest.mark.parametrize("name", ["ex", "cx"])
    def test_a_constant_measure(self, frame, name, folder):
        evidence = examine(frame.assign(**{name: 3.0}))
        for number in (1, 2, 3, 4, 5, 7):
            assert evidence.row(number)["kind"] == "not_testable"
        assert f"{name!r} is constant" in evidence.verdicts()[1]
        assert "constant-measure" in [w.code for w in evidence.warnings]
        self.check(evidence, folder)

    def test_a_measure_that_never_changes(self, frame):
        still = frame.assign(ex=frame.groupby("unit")["ex"].transform("mean"))
        evidence = examine(still)
        assert evidence.row(1)["judged"]
        assert "'ex' does not change within units over time" in evidence.verdicts()[2]
        self.check(evidence)

    def test_an_outcome_computed_from_x(self, frame, folder):
        evidence = examine(frame.assign(cx=2 * frame["ex"] + 1), smallest_effect=1.0)
        for number in (1, 2):
            row = evidence.row(number)
            assert (row["kind"], row["wording"]) == ("not_resolved", "")
            assert "nothing tells the error of this slope" in row["note"]
        self.check(evidence, folder)

    def test_a_mediator_that_is_x(self, frame):
        evidence = examine(frame.assign(m=frame["ex"]), mediators="m", draws=99)
        assert "'m' is collinear" in evidence.verdicts()[6]

    def test_a_mediator_that_is_y(self, frame):
        evidence = examine(frame.assign(m=frame["cx"]), mediators="m", draws=99)
        assert evidence.row(6)["kind"] == "not_judged"
        self.check(evidence)

    def test_hardly_any_pair(self, frame):
        holed = frame.assign(ex=frame["ex"].where(frame["unit"] < "U003"))
        evidence = examine(holed)
        assert evidence.gates.set_index("gate").loc["losses", "state"] == "limited"
        self.check(evidence)

    def test_no_pair(self, frame, tmp_path):
        apart = frame.assign(
            ex=frame["ex"].where(frame["wave"] < 3), cx=frame["cx"].where(frame["wave"] > 2)
        )
        evidence = examine(apart)
        assert evidence.row(1)["kind"] == evidence.row(2)["kind"] == "not_testable"
        self.check(evidence, tmp_path)

    def test_a_measure_that_is_withheld(self, frame):
        """No reliability of nothing: not a warning of NumPy, which is an error here."""
        roles = {"n": {"ex": "few"}, "variance": {"ex": "few", "cx": "few"}}
        evidence = examine(frame.assign(few=2.0), roles=roles)
        assert evidence.row(1)["kind"] == evidence.row(2)["kind"] == "not_testable"
        self.check(evidence)

    def test_no_row(self, frame):
        whole = panel(frame)
        none = {k: getattr(whole, k)[:0] for k in ("frame", "time", "n", "variance")}
        with pytest.raises(DataError, match="The panel has no rows"):
            eecx.examine_claim(replace(whole, **none), x="ex", y="cx")

    def test_waves_with_dates_and_holes(self, frame):
        dates = {1: "2020-01-31", 2: "2020-04-30", 3: "2020-10-31", 4: "2021-01-31"}
        evidence = examine(frame.assign(wave=frame["wave"].map(dates)))
        assert "without 2020-" in evidence.row(7)["note"]
        self.check(evidence)


@pytest.fixture(scope="module")
def strong():
    """Units whose two sides go together between them, and not over time."""
    sim = eecx.simulate.panel(units=60, waves=4, stable_cor=0.8, rng=6)
    noise = np.random.default_rng(2).uniform(0.01, 0.05, len(sim.frame))
    return sim.frame.assign(m=noise, noise=noise)


class TestGatesCap:
    OPTIONS = MappingProxyType({"smallest_effect": {1: 0.01, 2: 5.0}})

    def test_what_is_said_without_a_limit(self, strong):
        roles = {"variance": {"ex": "noise", "cx": "noise"}}
        verdicts = examine(strong, roles=roles, **self.OPTIONS).verdicts()
        assert verdicts[1] == "positive, large enough to matter"
        assert verdicts[2] == "too small to matter"

    def test_losses_cap_at_the_direction(self, strong):
        gone = strong.assign(ex=strong["ex"].mask(strong["wave"] == 1))
        evidence = examine(gone, reliability={"ex": 0.9}, **self.OPTIONS)
        assert evidence.verdicts()[1] == "positive, size unresolved"
        assert evidence.verdicts()[2] == "not resolved"
        assert "a limited gate" in evidence.row(1)["note"]

    def test_unreliable_measures_cap_the_rows_of_their_level(self, strong):
        options = {"reliability": {"ex": (0.9, 0.4)}, **self.OPTIONS}
        evidence = examine(strong, **options)
        assert evidence.verdicts()[1] == "positive, large enough to matter"
        assert evidence.verdicts()[2] == "not resolved"
        assert evidence.gates.set_index("gate").loc["measurement", "state"] == "limited"

    def test_a_reliability_estimated_below_zero_caps_and_corrects_nothing(self, strong):
        roles = {"variance": {"ex": "much"}}
        evidence = examine(strong.assign(much=50.0), roles=roles, **self.OPTIONS)
        row = evidence.row(2)
        assert row["kind"] != "too_small"
        assert np.isnan(row["corrected"])
        assert "the reliability of x is not above 0" in row["note"]
        assert "reliability ex between units 0.00" in evidence.gates["detail"].iloc[2]

    def test_a_shared_source_is_said_in_every_verdict(self, strong):
        roles = {"source": {"cx": "employees"}}
        evidence = examine(strong, roles=roles, **self.OPTIONS)
        for number in (1, 2):
            assert evidence.verdicts()[number].startswith("same-source association only (")
        assert "common-source" in [w.code for w in evidence.warnings]

    @pytest.mark.parametrize("name", ["rate of change", "gap between units", "x between"])
    def test_names_do_not_confuse_the_gate(self, strong, name):
        renamed = strong.rename(columns={"ex": name})
        roles = {"employee": [name, "m"], "variance": {name: "noise", "cx": "noise"}}
        evidence = examine(renamed, x=name, roles=roles)
        assert evidence.gates.set_index("gate").loc["measurement", "state"] == "adequate"

    def test_declared_sources_that_differ_are_adequate(self, strong):
        roles = {"source": {"ex": "employees", "cx": ["customers", "records"]}}
        evidence = examine(strong, roles=roles)
        assert (
            evidence.gates.set_index("gate").loc["independence of sources", "state"] == "adequate"
        )


def test_numbers_in_sentences_are_readable(frame):
    evidence = examine(frame.assign(cx=frame["cx"] * 1e5 + 1e6, ex=frame["ex"] * 1e4))
    wording = evidence.row(1)["wording"]
    assert "e+" not in wording
    assert "higher, cx was" in wording


def test_a_lag_that_is_no_time_is_not_shown_as_order():
    rng = np.random.default_rng(8)
    rows = pd.MultiIndex.from_product([range(12), range(1, 6), range(8)])
    keys = pd.DataFrame(list(rows), columns=["store", "wave", "person"])
    staff, guests = (
        eecx.Survey(
            keys.assign(value=rng.normal(size=len(keys)) + keys["store"] / 4),
            unit="store",
            wave="wave",
            measures={name: eecx.Mean("value")},
        )
        for name in ("ex", "cx")
    )
    paired_later = eecx.link(staff, guests, customer_offset=1)
    evidence = eecx.examine_claim(paired_later, x="ex", y="cx")
    assert evidence.row(3)["kind"] == "not_judged"
    assert "'cx' of the last wave is no earlier than 'ex'" in evidence.verdicts()[4]
    assert evidence.verdicts()[5] == "not testable, because row 3 or 4 is not"
    same = eecx.examine_claim(eecx.link(staff, guests), x="ex", y="cx")
    assert same.row(4)["kind"] == "not_judged"


@pytest.mark.parametrize("nothing", [None, (), []])
def test_no_mediators_and_no_covariates(frame, nothing):
    evidence = examine(frame, mediators=nothing, covariates=nothing)
    assert evidence.verdicts()[6] == "not tested, because no mediator was named"
    assert evidence.spec["covariates"] == []


class TestRealPanels:
    def test_hospital_trusts(self, shared):
        frame = pd.read_csv(shared / "data" / "nhs_trusts" / "nhs_trusts.csv")
        evidence = eecx.examine_claim(
            panel(
                frame,
                employee=["engagement_mean"],
                customer=["shmi"],
                n="responses",
                better={"shmi": "lower"},
                source={"engagement_mean": "employees", "shmi": "records"},
            ),
            x="engagement_mean",
            y="shmi",
        )
        assert [evidence.row(n)["kind"] for n in (1, 2)] == ["positive", "not_resolved"]
        assert evidence.row(2)["n"] == 1073

    def test_hospital_trusts_rated_by_their_own_staff(self, shared):
        frame = pd.read_csv(shared / "data" / "nhs_trusts" / "nhs_trusts.csv")
        evidence = eecx.examine_claim(
            panel(
                frame,
                employee=["engagement_mean"],
                customer=["recommend_care_mean"],
                source={"recommend_care_mean": "employees"},
            ),
            x="engagement_mean",
            y="recommend_care_mean",
        )
        for number in (1, 2):
            assert evidence.verdicts()[number].startswith("same-source association only (positive")

    def test_federal_agencies(self, shared):
        frame = pd.read_csv(shared / "data" / "fevs_agency" / "fevs_agency.csv")
        frame = frame[frame["unit_level"].isin(["agency", "component"])]
        evidence = eecx.examine_claim(
            panel(
                frame,
                employee=["ex_index"],
                customer=["cust_needs_met"],
                source={"ex_index": "employees", "cust_needs_met": "employees"},
            ),
            x="ex_index",
            y="cust_needs_met",
        )
        assert evidence.verdicts()[1].startswith("same-source association only (positive")
        assert evidence.gates["state"].iloc[3] == "limited"

    def test_high_schools(self, shared):
        frame = pd.read_csv(shared / "data" / "nyc_hs_panel" / "nyc_hs_panel.csv")
        evidence = eecx.examine_claim(
            panel(
                frame,
                employee=["collab_teachers_pp"],
                customer=["supportive_env_pp"],
                source={
                    "collab_teachers_pp": ["teachers", "parents", "students"],
                    "supportive_env_pp": ["students", "teachers"],
                },
            ),
            x="collab_teachers_pp",
            y="supportive_env_pp",
        )
        for number in (1, 2):
            assert evidence.verdicts()[number].startswith("same-source association only (positive")
