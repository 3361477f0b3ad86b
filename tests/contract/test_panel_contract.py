"""Panels of data that come by unit: what is refused, what is kept on the record."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest

import eecx
from eecx import Panel
from eecx.errors import ColumnError, DataError, FormulaError, OptionError
from eecx.formula import parse_terms
from eecx.panel import Step

ROLES = {"unit": "store", "wave": "wave", "employee": "eng", "customer": "nps"}


@pytest.fixture
def frame():
    return pd.DataFrame(
        {
            "store": ["b", "a", "b", "a", "c"],
            "wave": [2021, 2020, 2020, 2021, 2021],
            "eng": [3.5, 3.0, 3.25, 4.0, 2.0],
            "nps": [10, 20, -5, 40, 0],
            "n": [12, 30, 4, 8, 20],
            "var": [0.1, 0.2, 0.3, 0.4, 0.5],
            "region": ["s", "n", "s", "n", None],
            "size": [5, 7, 5, 8, 2],
        }
    )


# ---------------------------------------------------------------------- what is kept


def test_rows_come_in_order_of_unit_and_time_from_every_engine(held, frame):
    panel = Panel.from_frame(held(frame), **ROLES, covariates=["region", "size"])
    assert panel.frame["store"].tolist() == ["a", "a", "b", "b", "c"]
    assert panel.frame["wave"].tolist() == [2020, 2021, 2020, 2021, 2021]
    assert panel.frame["eng"].tolist() == [3.0, 4.0, 3.25, 3.5, 2.0]
    assert panel.frame["region"].tolist()[:4] == ["n", "n", "s", "s"]
    assert panel.frame["region"].isna().tolist()[4]
    assert panel.time.tolist() == [0, 1, 0, 1, 1]
    assert (panel.units, panel.waves) == (3, 2)
    plain = Panel.from_frame(frame, **ROLES, covariates=["region", "size"])
    pd.testing.assert_frame_equal(panel.frame, plain.frame)
    assert panel.fingerprint == plain.fingerprint


def test_roles_say_side_direction_source_and_whether_it_was_declared(frame):
    panel = Panel.from_frame(
        frame, **ROLES, covariates="size", better={"nps": "lower"}, source={"eng": "records"}
    )
    assert (panel.employee, panel.customer, panel.covariates) == (("eng",), ("nps",), ("size",))
    assert panel.roles["eng"].source == {"records"}
    assert panel.roles["eng"].source_declared
    assert panel.roles["nps"].source == {"customers"}
    assert not panel.roles["nps"].source_declared
    assert panel.roles["nps"].better == "lower"


def test_a_printed_panel_counts_and_names(frame):
    panel = Panel.from_frame(frame, **ROLES)
    assert repr(panel) == (
        "<Panel: 3 units × 2 waves, 5 cells, 5 paired; step 1 (integer waves); eng | nps>"
    )


# ---------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"unit": "stroe"}, ColumnError, "unit or wave names the column 'stroe'.*mean 'store'"),
        ({"wave": "Wave"}, ColumnError, "Did you mean 'wave'"),
        ({"employee": "engage"}, ColumnError, "covariates names the column 'engage'.*'eng'"),
        ({"covariates": ["sizes"]}, ColumnError, "'sizes'.*Did you mean 'size'"),
        ({"n": {"eng": "N"}}, ColumnError, "n or variance names the column 'N'.*mean 'n'"),
        ({"n": {"engage": "n"}}, OptionError, "n names 'engage', which is no measure.*'eng'"),
        ({"variance": {"x": "var"}}, OptionError, "variance names 'x', which is no measure"),
        ({"better": {"npss": "lower"}}, OptionError, "better names 'npss'.*Did you mean 'nps'"),
        ({"better": {"nps": "down"}}, OptionError, "accepted are 'higher' and 'lower'"),
        ({"source": {"x": "records"}}, OptionError, "source names 'x', which is no measure"),
        ({"source": {"nps": ""}}, OptionError, "source='': name who answered"),
        ({"covariates": ["eng"]}, OptionError, "'eng' is named in more than one role"),
        ({"covariates": ["store"]}, OptionError, "'store' is a key and cannot be a measure too"),
        ({"n": {"eng": "wave"}}, OptionError, "'wave' is a key and cannot be a measure too"),
        ({"wave": "store"}, OptionError, "unit and wave both name 'store'"),
        ({"disclosure_n": 0}, OptionError, "disclosure_n=0: at least 1"),
        ({"disclosure_n": True}, OptionError, "disclosure_n=True: a whole number"),
        ({"disclosure_n": np.nan}, OptionError, "disclosure_n=nan: a whole number"),
        ({"disclosure_n": None}, OptionError, "disclosure_n=None: a whole number"),
        ({"employee": "region"}, DataError, "'region' should hold numbers, but 4 cells hold text"),
        ({"wave": "name"}, DataError, "Wave column 'name' holds 'u', 'v', 'w', 'x' and 1 more, wh"),
        ({"wave": "var"}, DataError, "Wave column 'var' holds 0.1; numbered waves must be whole"),
        ({"wave": None}, DataError, "store more than once: b; a. If these are several waves"),
        ({"wave": None, "unit": "name", "step": 1}, OptionError, "step= needs a wave column"),
        ({"step": "1Q"}, OptionError, "step='1Q': these waves are whole numbers"),
        ({"step": 0}, OptionError, "step=0: these waves are whole numbers"),
        ({"step": True}, OptionError, "step=True"),
        ({"step": 2}, DataError, "unit 'a' has two waves in one step .* Set a smaller step="),
    ],
)
def test_definitions_that_cannot_be_met_are_refused(frame, options, error, says):
    with pytest.raises(error, match=says):
        Panel.from_frame(frame.assign(name=list("uvwxy")), **{**ROLES, **options})


def test_a_unit_and_wave_that_come_twice_are_named(held, frame):
    twice = pd.concat([frame, frame.iloc[[0, 1]]], ignore_index=True)
    with pytest.raises(DataError, match=r"store × wave more than once: b × 2021; a × 2020[.] Keep"):
        Panel.from_frame(held(twice), **ROLES)


@pytest.mark.parametrize(
    ("column", "values", "says"),
    [
        ("eng", [np.nan] * 5, "Measure 'eng' has no value in any row"),
        ("eng", [np.inf, 1, 1, 1, 1], "'eng' holds an infinite value .first in unit 'b'"),
        ("size", [1, 1, -np.inf, 1, 1], "'size' holds an infinite value"),
        ("n", [-1, 9, 9, 9, 9], r"'n' \(n or variance\) holds negative numbers"),
        ("var", [0.1, -0.1, 0, 0, 0], r"'var' \(n or variance\) holds negative numbers"),
        ("wave", [True, False] * 2 + [True], "'wave' holds true/false, which is no order in time"),
        ("wave", [2.5, 1, 2, 3, 4], "'wave' holds 2.5; numbered waves must be whole"),
        ("wave", [np.inf, 1, 2, 3, 4], "'wave' holds inf"),
        ("wave", ["spring", *"1234"], "holds '1', '2', '3', '4' and 1 more, which names no point"),
        ("wave", ["2024Q5", *["2024Q1"] * 4], "'2024Q5', which names no point in time"),
        ("wave", ["2024-13", *["2024-01"] * 4], "'2024-13', which names no point in time"),
        ("wave", ["2024-02-30", *["2024-01"] * 4], "'2024-02-30', which names no point"),
        ("wave", ["0000Q1", *["2024Q1"] * 4], "'0000Q1', which names no point in time"),
        ("wave", ["0000-01-01", *["2024-01"] * 4], "'0000-01-01', which names no point in time"),
        ("store", [None] * 5, "No row names all of 'store', 'wave'"),
    ],
)
def test_values_that_make_no_panel_are_named(frame, column, values, says):
    if column == "wave":
        frame["store"] = list("abcde")
    made = frame.assign(**{column: pd.Series(values, dtype=object)})
    with pytest.raises(DataError, match=says):
        Panel.from_frame(made, **ROLES, covariates="size", n="n", variance={"eng": "var"})


def test_a_table_without_rows_is_refused(held, frame):
    with pytest.raises(DataError, match="has no rows"):
        Panel.from_frame(frame.iloc[:0], **ROLES)


def test_a_measure_that_never_varies_is_a_caution_not_an_error(frame):
    panel = Panel.from_frame(frame.assign(nps=7), **ROLES)
    (caution,) = panel.warnings
    assert (caution.code, caution.concerns) == ("constant-measure", "nps")
    assert caution.message == "'nps' has the same value in every cell."
    assert Panel.from_frame(frame, **ROLES).warnings == ()


# ---------------------------------------------------------------------- disclosure and audit


def test_cells_of_few_respondents_show_nothing_anywhere(held, frame):
    panel = Panel.from_frame(
        held(frame), **ROLES, covariates="n", n={"eng": "n", "nps": "n"}, variance={"eng": "var"}
    )
    hidden = (panel.frame["store"] == "b") & (panel.frame["wave"] == 2020)
    for table in (panel.frame[["eng", "nps", "n"]], panel.n, panel.variance):
        assert table[hidden].isna().all(axis=None)
        assert table[~hidden].notna().all(axis=None)
    assert panel.n["eng"].min() >= 5
    lost = panel.audit.table
    assert lost[["stage", "unit", "wave", "measure", "reason"]].to_numpy().tolist() == [
        ["disclosure", "b", 2020, name, "too few respondents"] for name in ("eng", "nps")
    ]
    status = panel.audit.coverage.set_index(["unit", "wave"])["status"]
    assert status["b", 2020] == "withheld"
    assert (status.drop(("b", 2020)) == "paired").all()


def test_one_name_of_counts_stands_for_all_employee_measures(frame):
    panel = Panel.from_frame(frame, **ROLES, n="n", disclosure_n=10)
    assert panel.frame["eng"].isna().sum() == 2
    assert panel.frame["nps"].isna().sum() == 0
    assert list(panel.n.columns) == ["eng"]
    status = panel.audit.coverage["status"].tolist()
    assert status == ["paired", "withheld", "withheld", "paired", "paired"]


def test_every_cell_is_accounted_for(frame):
    holed = pd.concat(
        [frame, pd.DataFrame({"store": [None, "d"], "wave": [2020, None], "eng": 1.0, "n": 9})],
        ignore_index=True,
    )
    holed.loc[0, "nps"] = np.nan
    holed.loc[3, "eng"] = np.nan
    panel = Panel.from_frame(holed, **ROLES, n={"eng": "n"})
    stages = panel.audit.stages
    assert stages[["stage", "cells", "lost"]].to_numpy().tolist() == [
        ["read", 7, 0],
        ["keys", 5, 2],
        ["disclosure", 4, 1],
        ["values", 3, 1],
        ["disclosure", 3, 0],
        ["values", 2, 1],
        ["paired", 2, 0],
    ]
    left = stages["cells"].to_numpy()
    np.testing.assert_array_equal(left[1:] + stages["lost"].to_numpy()[1:], left[:-1])
    coverage = panel.audit.coverage
    assert coverage["status"].value_counts().to_dict() == {
        "paired": 2,
        "withheld": 1,
        "employees only": 1,
        "customers only": 1,
    }
    keys = panel.audit.table.query("stage == 'keys'")
    assert keys["reason"].tolist() == ["no unit or wave"] * 2
    assert len(keys) + len(coverage) == len(holed)


def test_look_alike_units_are_pointed_out(frame):
    panel = Panel.from_frame(frame.assign(store=["B", "a", "b", "a", "c"]), **ROLES)
    (pair,) = panel.audit.near_misses.itertuples(index=False)
    assert {pair.key, pair.looks_like} == {"B", "b"}
    assert "Look-alike keys, not joined (1): " in panel.audit.summary()


def test_an_audit_prints_draws_and_escapes(frame):
    panel = Panel.from_frame(frame, **ROLES, n={"eng": "n"})
    assert "fewer than 5 respondents" in repr(panel.audit)
    assert "<table" in panel.audit._repr_html_()
    assert len(panel.audit.plot().get_yticklabels()) == len(panel.audit.stages)
    assert panel.audit.plot_coverage() is not None


# ---------------------------------------------------------------------- waves


def panel_of(waves, **options):
    frame = pd.DataFrame({"u": ["a"] * len(waves), "w": waves, "x": np.arange(len(waves)) + 1.0})
    return Panel.from_frame(frame, unit="u", wave="w", employee="x", **options)


@pytest.mark.parametrize(
    ("waves", "step", "time"),
    [
        ([3, 1, 2], Step(1, "integer"), [0, 1, 2]),
        ([2019, 2021, 2025], Step(1, "integer"), [0, 2, 6]),
        (["2019", "2021"], Step(1, "integer"), [0, 2]),
        (["2023Q4", "2024Q1", "2024Q3"], Step(3, "month"), [0, 1, 3]),
        (["2023 q4", "2024-Q1"], Step(3, "month"), [0, 1]),
        (["2023-11", "2024-01", "2024-05"], Step(2, "month"), [0, 1, 3]),
        (["2024/1", "2024/7"], Step(6, "month"), [0, 1]),
        (["2024-01-31", "2024-02-29", "2024-03-01"], Step(1, "month"), [0, 1, 2]),
        (["2024-01-01", "2024-01-08", "2024-01-29"], Step(7, "day"), [0, 1, 4]),
        (["2022-06-30", "2023-06-30", "2025-06-30"], Step(12, "month"), [0, 1, 3]),
        (pd.to_datetime(["2024-01-01", "2024-04-01"]), Step(3, "month"), [0, 1]),
        (pd.PeriodIndex(["2023Q4", "2024Q2"], freq="Q"), Step(6, "month"), [0, 1]),
        (pd.PeriodIndex(["2023-12", "2024-02"], freq="M"), Step(2, "month"), [0, 1]),
        (pd.PeriodIndex(["2020", "2022"], freq="Y"), Step(1, "integer"), [0, 2]),
        (pd.period_range("2024-01-01", periods=3, freq="W"), Step(7, "day"), [0, 1, 2]),
        (["2024-05"], Step(1, "month"), [0]),
    ],
)
def test_waves_are_read_as_time(waves, step, time):
    panel = panel_of(waves)
    assert panel.step == step
    assert panel.time.tolist() == time


def test_quarters_of_a_fiscal_year_are_placed_by_their_start():
    fiscal = panel_of(pd.PeriodIndex(["2024Q1", "2024Q2"], freq="Q-MAR"))
    assert fiscal.frame["w"].tolist() == [pd.Timestamp("2023-04-01"), pd.Timestamp("2023-07-01")]


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Pacific/Auckland", "America/Los_Angeles"])
def test_a_time_zone_keeps_its_own_date(zone):
    """Half past midnight on the first of a month is that month, whatever it is in Greenwich."""
    stamps = pd.to_datetime(["2024-01-01 00:30", "2024-02-01 00:30"]).tz_localize(zone)
    panel = panel_of(stamps)
    assert panel.frame["w"].dt.month.tolist() == [1, 2]
    assert panel.step == Step(1, "month")
    polars = pytest.importorskip("polars")
    frame = polars.from_pandas(pd.DataFrame({"u": ["a", "a"], "w": stamps, "x": [1.0, 2.0]}))
    for data in (frame, frame.to_arrow()):
        other = Panel.from_frame(data, unit="u", wave="w", employee="x")
        assert other.frame["w"].dt.month.tolist() == [1, 2]


def test_zones_written_in_text_keep_their_own_date():
    panel = panel_of(["2024-01-01T00:30+13:00", "2024-02-01T00:30-08:00"])
    assert panel.step == Step(1, "month")


def test_a_step_that_is_set_places_irregular_waves():
    waves = ["2024-02-10", "2024-05-20", "2024-11-01"]
    assert panel_of(waves).time.tolist() == [0, 1, 3]
    assert panel_of(waves, step="1Q").time.tolist() == [0, 1, 3]
    assert panel_of(waves[1:], step="6M").time.tolist() == [0, 1]
    yearly = panel_of(["2021-11-01", "2023-02-01"], step="1Y")
    assert (yearly.time.tolist(), yearly.step) == ([0, 2], Step(12, "month", inferred=False))
    assert str(yearly.step) == "12 months, as set"
    assert panel_of([1, 4, 7], step=3).time.tolist() == [0, 1, 2]
    weekly = panel_of(["2024-01-01", "2024-01-09", "2024-01-28"], step="1W")
    assert (weekly.time.tolist(), weekly.step) == ([0, 1, 3], Step(7, "day", inferred=False))


@pytest.mark.parametrize("step", ["", "3", "0M", "1X", 3])
def test_steps_of_dates_are_written_in_days_to_years(step):
    with pytest.raises(OptionError, match=r"for dates give '7D', '2W', '1M', '3M', '1Q' or '1Y'"):
        panel_of(["2024-01", "2024-04"], step=step)


def test_two_waves_in_one_step_are_refused():
    with pytest.raises(DataError, match="With a step of 6 months, as set, unit 'a' has two waves"):
        panel_of(["2024-01", "2024-04", "2024-08"], step="6M")
    with pytest.raises(
        DataError, match=r"unit 'a' has two waves in one step .one of them 2024-01-01 08"
    ):
        panel_of(pd.to_datetime(["2024-01-01 08:00", "2024-01-01 20:00"]))


# ---------------------------------------------------------------------- reading it


def test_lags_over_a_vast_span_of_waves_find_their_rows():
    waves = [0, 1, 2**52 - 1, 2**52]
    frame = pd.DataFrame({"u": np.repeat(np.arange(5000), 4), "w": waves * 5000})
    frame["x"] = np.arange(len(frame), dtype=float)
    panel = Panel.from_frame(frame, unit="u", wave="w", employee="x")
    x = panel.frame["x"].to_numpy()
    expected = np.where(np.arange(len(frame)) % 2 == 1, x - 1, np.nan)
    np.testing.assert_array_equal(panel.lagged(x, 1), expected)
    np.testing.assert_array_equal(panel.lagged(x, 3), np.full(len(x), np.nan))


def test_dates_far_ahead_are_dates():
    far = panel_of([dt.date(2024, 1, 1), dt.date(9999, 12, 31)])
    assert far.time.tolist() == [0, 1]


def test_lags_need_waves(frame):
    panel = Panel.from_frame(frame.drop_duplicates("store"), unit="store", employee="eng")
    with pytest.raises(DataError, match="A lag needs waves"):
        panel.design(parse_terms("lag(eng)"))


@pytest.mark.parametrize(
    ("terms", "keys", "error", "says"),
    [
        (["engg"], [], ColumnError, "formula names 'engg', which is not in the panel.*'eng'"),
        (["region"], [], DataError, r"'region' holds text, not numbers"),
        (["eng"], ["stores"], ColumnError, "A key names 'stores'"),
        (["eng"], ["store", "store"], OptionError, "'store' is named twice"),
        (["lag(eng, 5)"], [], DataError, r"has a value for all of 'lag\(eng, 5\)'"),
        (["eng +"], [], FormulaError, "Accepted: column names"),
        (["C(one)"], [], DataError, r"C\(one\): 'one' has a single level"),
    ],
)
def test_sums_of_what_is_not_there_are_refused(frame, terms, keys, error, says):
    panel = Panel.from_frame(frame.assign(one="x"), **ROLES, covariates=["region", "one"])
    with pytest.raises(error, match=says):
        panel.moments(terms, keys=keys)


def test_keys_of_sums_may_be_unit_wave_a_covariate_or_the_row(frame):
    panel = Panel.from_frame(frame, **ROLES, covariates=["region"])
    assert panel.moments(["eng"], "region").keys["region"].tolist() == ["n", "s"]
    assert panel.moments(["eng"], "region").left_out == 1
    rows = panel.moments("eng", ["wave", "row"])
    assert list(rows.keys.columns) == ["wave", "row"]
    assert rows.keys["row"].tolist() == [0, 1, 2, 3, 4]


def test_a_plain_frame_serves_an_analysis_whatever_its_columns_are_called():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"row": rng.normal(size=30), "row_": rng.normal(size=30)})
    frame["y"] = frame["row"] * 2 + rng.normal(size=30)
    fit = eecx.regress(frame, "y ~ row + row_")
    assert fit.table["term"].tolist()[-2:] == ["row", "row_"]
