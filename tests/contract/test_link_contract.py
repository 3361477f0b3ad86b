"""Linking two surveys: what meets, what is lost and why, and what is refused."""

import numpy as np
import pandas as pd
import pytest

import eecx
from eecx import NPS, Mean, Survey, link
from eecx.errors import ColumnError, DataError, OptionError
from eecx.panel import Step


def answers(cells, column, each=6, wave="wave"):
    """Make ``each`` respondents per (unit, wave); a third entry is their number instead."""
    rows = []
    for k, (unit, when, *size) in enumerate(cells):
        n = size[0] if size else each
        rows += [(unit, when, (k + i) % 5 + 1) for i in range(n)]
    return pd.DataFrame(rows, columns=["store", wave, column])


def staff(cells, **options):
    frame = answers(cells, "eng")
    return Survey(frame, unit="store", wave="wave", measures={"eng": Mean("eng")}, **options)


def guests(cells, wave="wave", **options):
    frame = answers(cells, "rec", wave=wave)
    return Survey(frame, unit="store", wave=wave, measures={"nps": NPS("rec")}, **options)


def status(panel):
    coverage = panel.audit.coverage
    return {(u, w): s for u, w, s in coverage.itertuples(index=False, name=None)}


def unit_waves(units, waves):
    return [(u, w) for u in units for w in waves]


# ---------------------------------------------------------------------- what meets


def test_cells_of_both_surveys_meet_and_carry_their_scores():
    cells = unit_waves("ab", [1, 2, 3])
    employees, customers = staff(cells), guests(cells)
    panel = link(employees, customers)
    assert set(status(panel).values()) == {"paired"}
    for survey, measure in ((employees, "eng"), (customers, "nps")):
        scores = survey.scores()
        assert panel.frame[measure].tolist() == scores["value"].tolist()
        assert panel.n[measure].tolist() == scores["n"].tolist()
        assert panel.variance[measure].tolist() == scores["variance"].tolist()
    assert panel.roles["eng"].source == {"employees"}
    assert panel.roles["nps"].source == {"customers"}
    assert (panel.unit, panel.wave, panel.step) == ("store", "wave", Step(1, "integer"))


def test_every_engine_gives_the_same_panel(held):
    cells = unit_waves("abc", ["2023Q4", "2024Q1", "2024Q2"])
    one, other = answers(cells, "eng"), answers(cells[1:], "rec").rename(columns={"store": "shop"})
    plain = link(staff(cells), guests(cells[1:]))
    panel = link(
        Survey(held(one), unit="store", wave="wave", measures={"eng": Mean("eng")}),
        Survey(held(other), unit="shop", wave="wave", measures={"nps": NPS("rec")}),
    )
    pd.testing.assert_frame_equal(panel.frame, plain.frame)
    pd.testing.assert_frame_equal(panel.audit.coverage, plain.audit.coverage)
    assert panel.fingerprint == plain.fingerprint
    assert panel.step == Step(3, "month")


def test_surveys_without_waves_make_one_cross_section():
    cells = unit_waves("ab", [1])
    frames = answers(cells, "eng"), answers(cells, "rec")
    panel = link(
        Survey(frames[0], unit="store", measures={"eng": Mean("eng")}),
        Survey(frames[1], unit="store", measures={"nps": NPS("rec")}),
    )
    assert panel.wave is None
    assert panel.frame["store"].tolist() == ["a", "b"]
    assert panel.audit.notes == ("A single cross-section: no waves.",)


def test_the_sides_may_write_their_quarters_differently():
    quarters = ["2023Q4", "2024Q1", "2024Q2"]
    days = pd.to_datetime(["2023-12-31", "2024-02-10", "2024-06-01"])
    periods = pd.PeriodIndex(quarters, freq="Q")
    panels = [
        link(staff(unit_waves("ab", quarters)), guests(unit_waves("ab", w)), step="1Q")
        for w in (quarters, days, periods, days.tz_localize("Asia/Tokyo"), days.date)
    ]
    for panel in panels:
        assert set(status(panel)) == set(unit_waves("ab", quarters))
        assert set(status(panel).values()) == {"paired"}
        assert panel.frame["wave"].tolist() == quarters * 2


def test_surveys_in_different_months_of_a_quarter_meet_and_the_gap_is_told():
    early = ["2024-01-15", "2024-04-15", "2024-07-15"]
    late = ["2024-03-01", "2024-06-20", "2024-09-01"]
    panel = link(staff(unit_waves("ab", early)), guests(unit_waves("ab", late)))
    assert panel.step == Step(3, "month")
    assert panel.audit.notes == (
        "Step between waves: 3 months.",
        "Customers were surveyed 46 to 66 days after the employees they are paired with.",
    )
    np.testing.assert_array_equal(panel.moment_of("nps") - panel.moment_of("eng"), [46, 66, 48] * 2)


def test_an_employee_wave_every_half_year_meets_quarterly_customers():
    panel = link(
        staff(unit_waves("ab", ["2023-04", "2023-10", "2024-04"])),
        guests(unit_waves("ab", ["2023-04", "2023-07", "2023-10", "2024-01", "2024-04"])),
    )
    assert panel.step == Step(3, "month")
    assert panel.time.tolist() == [0, 1, 2, 3, 4] * 2
    assert panel.frame["wave"].tolist()[:5] == [
        "2023-04",
        "2023-07",
        "2023-10",
        "2024-01",
        "2024-04",
    ]
    assert list(status(panel).values())[:2] == ["paired", "customers only"]


def test_waves_that_never_meet_in_inferred_steps_meet_in_a_set_one():
    employees = staff(unit_waves("ab", ["2024-01-10", "2024-04-11", "2024-08-20"]))
    customers = guests(unit_waves("ab", ["2024-02-10", "2024-05-11", "2024-07-02"]))
    with pytest.raises(DataError, match=r"Units are shared but no wave is .*set step= .*'1Q'"):
        link(employees, customers)
    panel = link(employees, customers, step="1Q")
    assert set(status(panel).values()) == {"paired"}
    assert str(panel.step) == "3 months, as set"


# ---------------------------------------------------------------------- offsets


def test_an_offset_pairs_employees_with_later_customers():
    quarters = ["2024Q1", "2024Q2", "2024Q3", "2024Q4"]
    employees, customers = staff(unit_waves("ab", quarters)), guests(unit_waves("ab", quarters))
    panel = link(employees, customers, customer_offset=1)
    found = status(panel)
    assert found["a", "2024Q1"] == "paired"
    assert found["a", "2024Q4"] == "employees only"
    assert found["a", "2023Q4"] == "customers only"
    same = link(employees, customers).frame.set_index(["store", "wave"])["nps"]
    later = panel.frame.set_index(["store", "wave"])["nps"]
    assert later["a", "2024Q1"] == same["a", "2024Q2"]
    assert later["a", "2023Q4"] == same["a", "2024Q1"]
    assert panel.audit.notes[1] == (
        "Customers were surveyed 91 to 92 days after the employees they are paired with."
    )


@pytest.mark.parametrize("offset", [-1, 0, 1, 2])
@pytest.mark.parametrize(
    "waves",
    [
        [2018, 2019, 2020, 2021],
        ["2018", "2019", "2020", "2021"],
        ["2024Q1", "2024Q2", "2024Q3", "2024Q4"],
        ["2024-01", "2024-02", "2024-03", "2024-04"],
        list(pd.to_datetime(["2024-01-01", "2024-01-08", "2024-01-15", "2024-01-22"])),
    ],
)
def test_no_unit_has_a_wave_twice_whatever_is_missing(waves, offset):
    """Customers alone are put on the employees' waves: a row is one step of one unit."""
    cells = unit_waves("abc", waves)
    employees = staff([c for i, c in enumerate(cells) if i not in (1, 6)])
    customers = guests([c for i, c in enumerate(cells) if i not in (2, 3, 11)])
    panel = link(employees, customers, customer_offset=offset)
    assert not panel.frame.duplicated(["store", "wave"]).any()
    assert not panel.frame.assign(t=panel.time).duplicated(["store", "t"]).any()
    # a wave is the same step in every unit
    assert panel.frame.assign(t=panel.time).groupby("wave")["t"].nunique().eq(1).all()
    np.testing.assert_array_equal(
        panel.frame["wave"].map({w: i for i, w in enumerate(waves)}).dropna().diff().dropna() != 0,
        True,
    )


def test_an_offset_in_whole_waves_is_told_in_waves():
    cells = unit_waves("ab", [1, 2, 3])
    panel = link(staff(cells), guests(cells), customer_offset=1)
    assert panel.audit.notes[1] == (
        "Customers were surveyed 1 wave after the employees they are paired with."
    )


# ---------------------------------------------------------------------- what is lost, and why


def test_each_loss_has_a_stage_and_a_reason():
    employees = staff([("a", 1), ("a", 2), ("a", 3, 4), ("b", 1), ("e", 1), (None, 1, 7)])
    customers = guests([("a", 1), ("a", 3), ("a", 4), ("b", 1, 3), ("c", 1), ("c", 2)])
    panel = link(employees, customers)
    lost = panel.audit.table.fillna({"measure": "-"})
    assert set(lost.itertuples(index=False, name=None)) == {
        ("linked", "employee", "e", 1, "-", "unit only in the employee survey"),
        ("linked", "customer", "c", 1, "-", "unit only in the customer survey"),
        ("linked", "customer", "c", 2, "-", "unit only in the customer survey"),
        ("linked", "employee", "a", 2, "-", "wave only in the employee survey"),
        ("linked", "customer", "a", 4, "-", "wave only in the customer survey"),
        ("disclosure", "employee", "a", 3, "eng", "too few respondents"),
        ("disclosure", "customer", "b", 1, "nps", "too few respondents"),
    }
    assert len(lost) == 7
    assert status(panel) == {
        ("a", 1): "paired",
        ("a", 2): "employees only",
        ("a", 3): "withheld",
        ("a", 4): "customers only",
        ("b", 1): "withheld",
    }
    stages = panel.audit.stages
    assert stages.to_numpy().tolist() == [
        ["read", "employee", 5, 0, ""],
        ["keys", "employee", 5, 0, "7 respondents named no store or no wave"],
        ["units", "employee", 4, 1, "unit not in the customer survey"],
        ["waves", "employee", 3, 1, "wave not in the customer survey"],
        ["read", "customer", 6, 0, ""],
        ["units", "customer", 4, 2, "unit not in the employee survey"],
        ["waves", "customer", 3, 1, "wave not in the employee survey"],
        ["disclosure", "employee", 2, 1, "fewer than 5 respondents"],
        ["disclosure", "customer", 1, 1, "fewer than 5 respondents"],
        ["paired", "both", 1, 0, ""],
    ]


def test_a_cell_without_answers_to_a_measure_is_missing_not_withheld():
    cells = unit_waves("ab", [1, 2])
    frame = answers(cells, "eng")
    frame.loc[(frame["store"] == "a") & (frame["wave"] == 2), "eng"] = np.nan
    employees = Survey(frame, unit="store", wave="wave", measures={"eng": Mean("eng")})
    panel = link(employees, guests(cells))
    assert status(panel)["a", 2] == "customers only"
    reasons = panel.audit.table["reason"].tolist()
    assert reasons == ["missing value"]
    assert panel.audit.stages["stage"].tolist()[-3:] == ["values", "disclosure", "paired"]
    assert panel.n["eng"].isna().sum() == 1


def test_text_that_was_read_as_numbers_is_on_the_record():
    cells = unit_waves("ab", [1, 2])
    frame = answers(cells, "rec").astype({"rec": str})
    frame.loc[:1, "rec"] = "don't know"
    customers = Survey(
        frame,
        unit="store",
        wave="wave",
        measures={"nps": NPS("rec")},
        parse=eecx.Parse(missing="Don't know"),
    )
    record = link(staff(cells), customers).audit.text_cells
    assert record.to_numpy().tolist() == [["rec", "don't know", "missing", 2]]


# ---------------------------------------------------------------------- what is refused


def test_only_surveys_are_linked():
    cells = unit_waves("ab", [1])
    with pytest.raises(
        OptionError, match=r"employees is a DataFrame; link\(\) pairs two eecx.Survey"
    ):
        link(pd.DataFrame(), guests(cells))
    with pytest.raises(OptionError, match=r"For data that come by unit already use eecx\.Panel"):
        link(staff(cells), pd.DataFrame())


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"disclosure_n": 0}, "disclosure_n=0: at least 1. Leave it out for 5"),
        ({"disclosure_n": True}, "disclosure_n=True: a whole number"),
        ({"disclosure_n": float("nan")}, "disclosure_n=nan: a whole number"),
        ({"disclosure_n": "5"}, "disclosure_n='5': a whole number"),
        ({"step": "1Q"}, "step='1Q': these waves are whole numbers"),
    ],
)
def test_options_are_checked(options, says):
    cells = unit_waves("ab", [1, 2])
    with pytest.raises(OptionError, match=says):
        link(staff(cells), guests(cells), **options)


def test_waves_are_named_on_both_sides_or_on_neither():
    cells = unit_waves("ab", [1])
    bare = Survey(answers(cells, "rec"), unit="store", measures={"nps": NPS("rec")})
    with pytest.raises(OptionError, match="employees have waves and the customers have none"):
        link(staff(cells), bare)
    bare = Survey(answers(cells, "eng"), unit="store", measures={"eng": Mean("eng")})
    with pytest.raises(OptionError, match="customers have waves and the employees have none"):
        link(bare, guests(cells))
    both = Survey(answers(cells, "rec"), unit="store", measures={"nps": NPS("rec")})
    with pytest.raises(OptionError, match="customer_offset= needs waves on both sides"):
        link(bare, both, customer_offset=1)
    with pytest.raises(OptionError, match="step= needs waves"):
        link(bare, both, step=1)


def test_whole_numbers_and_dates_are_two_kinds_of_waves():
    with pytest.raises(DataError, match="whole numbers on one side and dates on the other"):
        link(staff(unit_waves("ab", [2023])), guests(unit_waves("ab", ["2023-01"])))


def test_units_that_are_numbers_and_text_are_not_joined():
    employees, customers = staff(unit_waves([1, 2], [1])), guests(unit_waves(["001", "002"], [1]))
    with pytest.raises(DataError, match=r"a number for the employees \(1, 2\) and text for the cu"):
        link(employees, customers)
    with pytest.raises(
        DataError, match=r"text for the employees .* and a number for the customers"
    ):
        link(staff(unit_waves(["1"], [1])), guests(unit_waves([1], [1])))


def test_whole_numbers_with_gaps_are_still_whole_numbers():
    """A row without a unit makes pandas keep the others as 1.0, 2.0: they meet 1 and 2."""
    employees = staff([*unit_waves([1, 2], [1]), (None, 1)])
    panel = link(employees, guests(unit_waves([1, 2], [1])))
    assert panel.frame["store"].tolist() == [1, 2]
    assert panel.frame["store"].dtype == "int64"


def test_no_unit_in_common_shows_both_sides_and_what_looks_alike():
    with pytest.raises(DataError, match="no unit × wave in common") as caught:
        link(staff(unit_waves(["A1", "B2"], [1])), guests(unit_waves(["a-01", "c3"], [1])))
    message = str(caught.value)
    assert "Employees have 'A1 × 1', 'B2 × 1'; customers have 'a-01 × 1', 'c3 × 1'." in message
    assert "Some keys look alike: 'A1' and 'a-01'; make them equal first." in message


def test_look_alikes_beside_matches_are_listed_never_joined():
    panel = link(
        staff(unit_waves(["a1", "b2"], [1])), guests(unit_waves(["a1", "B2", "b 02"], [1]))
    )
    assert panel.frame["store"].tolist() == ["a1"]
    pairs = panel.audit.near_misses[["key", "looks_like"]].to_numpy().tolist()
    assert sorted(pairs) == [["b2", "B2"], ["b2", "b 02"]]


def test_two_waves_in_one_step_are_refused_by_side():
    months = unit_waves("ab", ["2024-01", "2024-02", "2024-04"])
    with pytest.raises(
        DataError, match=r"the employee survey has two waves of unit 'a' in one step"
    ):
        link(staff(months), guests(unit_waves("ab", ["2024-01", "2024-04"])), step="1Q")


def test_names_that_would_overwrite_one_another_are_refused():
    cells = unit_waves("ab", [1])
    frame = answers(cells, "eng", wave="when")
    twin = Survey(frame, unit="store", wave="when", measures={"nps": Mean("eng")})
    with pytest.raises(OptionError, match="Both surveys have a measure named 'nps'"):
        link(twin, guests(cells))
    employees = Survey(frame, unit="store", wave="when", measures={"eng": Mean("eng")})
    renamed = answers(cells, "rec").rename(columns={"store": "shop"})
    customers = Survey(renamed, unit="shop", wave="wave", measures={"store": NPS("rec")})
    with pytest.raises(OptionError, match="measure 'store' has the name of the employees' unit"):
        link(employees, customers)


# ---------------------------------------------------------------------- covariates


@pytest.fixture
def pair():
    cells = unit_waves("abc", ["2024Q1", "2024Q2"])
    return staff(cells), guests(cells)


def test_covariates_of_units_and_of_unit_waves_are_joined(held, pair):
    by_unit = pd.DataFrame({"store": ["c", "a", "z"], "size": [3, 1, 9], "region": ["s", "n", "n"]})
    panel = link(*pair, covariates=held(by_unit))
    np.testing.assert_array_equal(panel.frame["size"], [1, 1, np.nan, np.nan, 3, 3])
    assert panel.frame["region"].tolist()[::4] == ["n", "s"]
    assert panel.covariates == ("size", "region")
    by_wave = pd.DataFrame({"store": ["a", "a"], "wave": ["2024Q2", "2024Q1"], "staff": [20, 10]})
    panel = link(*pair, covariates=held(by_wave))
    np.testing.assert_array_equal(panel.frame["staff"], [10, 20, *[np.nan] * 4])


def test_covariates_meet_by_step_of_time_like_the_surveys(pair):
    dated = pd.DataFrame({"store": ["a"], "wave": pd.to_datetime(["2024-05-31"]), "staff": [20]})
    panel = link(*pair, covariates=dated)
    np.testing.assert_array_equal(panel.frame["staff"], [np.nan, 20, *[np.nan] * 4])


@pytest.mark.parametrize(
    ("covariates", "error", "says"),
    [
        ({"shop": ["a"], "size": [1]}, ColumnError, "names the column 'store', which is not in"),
        ({"store": ["a", "a"], "size": [1, 2]}, DataError, "store more than once: a"),
        (
            {"store": ["a"], "eng": [1]},
            OptionError,
            "Covariates and measures share the names 'eng'",
        ),
        ({"store": [1], "size": [1]}, DataError, "text for the employees .* number for the cov"),
        ({"store": ["a"], "size": [np.inf]}, DataError, "'size' holds an infinite value"),
        ({"store": ["a", "b"], "size": ["12", "many"]}, DataError, "'size' should hold numbers"),
        ({"store": [None], "size": [1.0]}, DataError, "No row names all of 'store'"),
        (
            {"store": ["a"], "wave": [2024], "size": [1]},
            DataError,
            "waves of the covariates are whole numbers where those of the surveys are dates",
        ),
        (
            {"store": ["a", "a"], "wave": ["2024-01", "2024-03"], "size": [1, 2]},
            DataError,
            "the covariates survey has two waves of unit 'a' in one step",
        ),
    ],
)
def test_covariates_that_do_not_fit_are_refused(pair, covariates, error, says):
    with pytest.raises(error, match=says):
        link(*pair, covariates=pd.DataFrame(covariates))
