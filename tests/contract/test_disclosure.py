"""What a release shows, what it withholds, and that an attack on its files finds nothing."""

import re

import numpy as np
import pandas as pd
import pytest
from scipy import optimize

import eecx
from eecx import NPS, Mean, Rate, Scale, Survey
from eecx.disclosure import release
from eecx.errors import ColumnError, OptionError

TABLES = {
    "units": ["store", "wave"],
    "roles": ["store", "wave", "role"],
    "regions": ["region", "wave"],
    "role": ["role"],
    "touchpoints": ["touchpoint"],
    "total": [],
}
KEYS = ["store", "wave", "role", "region", "touchpoint"]


def answers(units=10, waves=3, seed=0):
    """Uneven units, one of them in two regions, some respondents without a role."""
    rng = np.random.default_rng(seed)
    size = rng.poisson(15 * rng.gamma(2, 0.5, (units, waves))) + 1
    store = np.repeat(np.arange(units), size.sum(axis=1))
    wave = np.concatenate([np.repeat(np.arange(waves), row) for row in size])
    n = len(store)
    role = rng.choice(["desk", "floor", "manager"], n, p=[0.6, 0.3, 0.1]).astype(object)
    role[rng.random(n) < 0.03] = None
    region = np.array(["north", "south"])[store % 2]
    region[(store == 3) & (rng.random(n) < 0.3)] = "north"
    frame = pd.DataFrame({"store": store, "wave": wave, "role": role, "region": region})
    frame["store"] = "s" + frame["store"].astype(str)
    frame["touchpoint"] = rng.choice(["app", "desk", "phone"], n, p=[0.7, 0.29, 0.01])
    for item in ("e1", "e2"):
        frame[item] = rng.integers(1, 6, n).astype(float)
    frame.loc[rng.random(n) < 0.05, ["e1", "e2"]] = np.nan
    frame["recommend"] = rng.integers(0, 11, n)
    frame["w"] = rng.uniform(0.5, 2, n)
    return frame


def survey_of(frame, **options):
    measures = {"mood": Scale(["e1", "e2"], range=(1, 5)), "nps": NPS("recommend")}
    segments = ["role", "region", "touchpoint"]
    return Survey(
        frame,
        **{"unit": "store", "wave": "wave", "segments": segments, "measures": measures} | options,
    )


@pytest.fixture(scope="module")
def frame():
    return answers()


@pytest.fixture(scope="module")
def released(frame):
    return release(survey_of(frame), TABLES)


# ---------------------------------------------------------------------- the attack


def system(tables, atoms, measure):
    """Write every row of the published tables as an equation on the counts of atoms."""
    rows, n, total, hidden, labels = [], [], [], [], []
    for name, table in tables.items():
        keys = [k for k in table.columns if k in atoms.columns]
        for _, row in table[table["measure"] == measure].iterrows():
            held = np.ones(len(atoms), dtype=bool)
            for key in keys:
                held &= (atoms[key].astype(str) == str(row[key])).to_numpy()
            if row["status"] == "withheld":
                hidden.append(held)
                labels.append((name, *row[keys]))
            else:
                rows.append(held)
                n.append(row["n"])
                total.append(row["n"] * row["value"] if row["n"] else 0.0)
    return np.array(rows, float), np.array(n), np.array(total), np.array(hidden, float), labels


def recovered(equations, hidden):
    """Say which withheld cells are a combination of published ones, and of which."""
    weights = np.linalg.lstsq(equations.T, hidden.T, rcond=None)[0]
    return np.abs(equations.T @ weights - hidden.T).max(axis=0) < 1e-6, weights


def highest(equations, n, hidden, target):
    found = optimize.linprog(
        -target, A_ub=-hidden, b_ub=-np.ones(len(hidden)), A_eq=equations, b_eq=n
    )
    return np.inf if found.status == 3 else -found.fun


@pytest.mark.parametrize("measure", ["mood", "nps"])
def test_an_attack_on_the_files_recovers_no_withheld_cell(frame, released, measure, tmp_path):
    paths = released.to_csv(tmp_path)
    published = {p.stem: pd.read_csv(p) for p in paths}
    column = {"mood": "e1", "nps": "recommend"}[measure]
    seen = frame[frame[column].notna()]
    atoms = seen.groupby(KEYS, dropna=False).size().reset_index(name="size")
    equations, n, _, hidden, labels = system(published, atoms[KEYS], measure)
    assert len(hidden) > 50
    # the published numbers are true, so that the attack starts from the right place
    np.testing.assert_allclose(equations @ atoms["size"], n, atol=1e-9)
    assert not recovered(equations, hidden)[0].any()
    # nor can anybody be sure of fewer than five respondents, in a withheld cell or anywhere
    small = np.flatnonzero((atoms["size"] < 5).to_numpy())
    rng = np.random.default_rng(0)
    for atom in rng.choice(small, 25, replace=False):
        assert highest(equations, n, hidden, np.eye(len(atoms))[atom]) >= 5 - 1e-6
    for cell in rng.choice(len(hidden), 25, replace=False):
        assert highest(equations, n, hidden, hidden[cell]) >= 5 - 1e-6, labels[cell]


def test_scores_of_totals_and_of_segments_fall_to_the_same_attack(frame):
    survey = survey_of(frame.dropna(subset="role"))
    tables = {"units": survey.scores(), "roles": survey.scores(by=["role"])}
    seen = frame.dropna(subset=["e1", "role"])
    atoms = seen.groupby(["store", "wave", "role"]).size().reset_index(name="size")
    equations, _, total, hidden, labels = system(tables, atoms.drop(columns="size"), "mood")
    found, weights = recovered(equations, hidden)
    assert found.sum() > 10
    scores = seen.assign(mood=seen[["e1", "e2"]].mean(axis=1))
    true = scores.groupby(["store", "wave", "role"])["mood"].sum()
    for i in np.flatnonzero(found):
        if labels[i][0] == "roles":
            assert weights[:, i] @ total == pytest.approx(true[labels[i][1:]], abs=1e-6)


def test_those_who_did_not_state_a_key_are_protected_too():
    roles = ["desk"] * 9 + ["floor"] * 7 + [None] * 2
    frame = pd.DataFrame({"store": "a", "role": roles, "left": [0, 1] * 9})
    survey = Survey(frame, unit="store", segments=["role"], measures={"left": Rate("left")})
    table = release(survey, [["store"], ["store", "role"]]).tables["store_role"]
    assert table["status"].tolist() == ["scored", "withheld"]


def test_small_cells_that_add_up_to_few_do_not_protect_one_another():
    roles = ["desk"] * 9 + ["floor"] * 7 + ["night"] * 2 + ["manager"] * 1
    frame = pd.DataFrame({"store": "a", "role": roles, "left": ([0, 1] * 10)[:19]})
    survey = Survey(frame, unit="store", segments=["role"], measures={"left": Rate("left")})
    made = release(survey, [["store"], ["store", "role"]])
    assert made.tables["store_role"]["status"].tolist() == ["scored", *["withheld"] * 3]
    assert not made.audit()["exposed"].any()


def test_what_follows_in_several_steps_is_found():
    # two people of b and y: y less (a less x), where neither holds the other
    size = {"ax": 8, "ay": 9, "by": 2, "bz": 9, "cz": 8}
    rows = [tuple(pair) for pair, n in size.items() for _ in range(n)]
    frame = pd.DataFrame(rows, columns=["store", "role"]).assign(left=([0, 1] * 18))
    survey = Survey(frame, unit="store", segments=["role"], measures={"left": Rate("left")})
    made = release(survey, [["store"], ["role"]])
    assert made.withheld["withheld"].sum() > 0
    atoms = frame.groupby(["store", "role"]).size().reset_index(name="size")
    equations, n, _, hidden, _ = system(made.tables, atoms.drop(columns="size"), "left")
    by = (atoms["store"] == "b") & (atoms["role"] == "y")
    assert highest(equations, n, hidden, by.to_numpy(float)) >= 5


def test_a_table_that_links_everything_gives_nothing_away():
    frame = answers(units=60)
    tables = {name: TABLES[name] for name in ("units", "roles", "role", "total")}
    made = release(survey_of(frame, measures={"nps": NPS("recommend")}), tables)
    atoms = frame.groupby(["store", "wave", "role"], dropna=False).size().reset_index(name="size")
    equations, n, _, hidden, _ = system(made.tables, atoms.drop(columns="size"), "nps")
    assert not recovered(equations, hidden)[0].any()
    small = np.flatnonzero((atoms["size"] < 5).to_numpy())
    for atom in np.random.default_rng(1).choice(small, 10, replace=False):
        assert highest(equations, n, hidden, np.eye(len(atoms))[atom]) >= 5 - 1e-6


def test_a_table_on_its_own_withholds_small_cells_only(frame):
    survey = survey_of(frame)
    made = release(survey, {"units": ["store", "wave"]}).tables["units"]
    scores = survey.scores()
    pd.testing.assert_frame_equal(
        made[["store", "wave", "measure", "n", "value", "status"]],
        scores[["store", "wave", "measure", "n", "value", "status"]],
    )


def test_variances_of_shown_cells_do_not_hold_withheld_ones():
    # two unanimous cells take the pooled variance: of the shown ones alone
    store = ["a"] * 8 + ["b"] * 8 + ["c"] * 2
    frame = pd.DataFrame({"store": store, "x": [3] * 8 + [1, 5] * 4 + [1, 2]})
    survey = Survey(frame, unit="store", measures={"x": Mean("x", range=(1, 5))})
    other = Survey(frame.assign(x=[*frame["x"][:-1], 5]), unit="store", measures=survey.measures)
    one, two = (release(s, [["store"]]).tables["store"] for s in (survey, other))
    pd.testing.assert_frame_equal(one, two)
    assert one["status"].tolist() == ["scored", "scored", "withheld"]


# ---------------------------------------------------------------------- unanimous cells


def unanimous_frame():
    roles = ["desk"] * 12 + ["floor"] * 8 + ["night"] * 7
    left = [0, 1] * 6 + [0] * 8 + [0, 1, 0, 1, 0, 0, 1]
    return pd.DataFrame({"store": "a", "role": roles, "left": left})


def test_unanimous_cells_are_protected_on_demand():
    survey = Survey(
        unanimous_frame(), unit="store", segments=["role"], measures={"left": Rate("left")}
    )
    shown = release(survey, [["store"], ["store", "role"]]).tables["store_role"]
    assert shown["status"].tolist() == ["scored"] * 3
    made = release(survey, [["store"], ["store", "role"]], protect_unanimous=True)
    assert made.tables["store_role"]["status"].tolist() == ["scored", "withheld", "withheld"]
    assert not made.audit()["exposed"].any()


def test_a_union_of_withheld_cells_that_is_unanimous_is_protected():
    frame = unanimous_frame().assign(left=[0, 1] * 6 + [0] * 15)
    survey = Survey(frame, unit="store", segments=["role"], measures={"left": Rate("left")})
    made = release(survey, [["store"], ["store", "role"]], protect_unanimous=True)
    assert (made.tables["store_role"]["status"] == "withheld").all()


def test_the_audit_says_where_a_unanimous_total_gives_a_part_away():
    roles = ["desk"] * 9 + ["floor"] * 3 + ["night"] * 3
    frame = pd.DataFrame({"store": "a", "role": roles, "left": 0})
    survey = Survey(frame, unit="store", segments=["role"], measures={"left": Rate("left")})
    audit = release(survey, [["store"], ["store", "role"]]).audit()
    assert (audit["highest_value"] == 0).all()
    assert audit["exposed"].all()


# ---------------------------------------------------------------------- what is returned


def test_withheld_cells_show_their_keys_alone(released, tmp_path):
    shown = ["n", "value", "variance", "std_error", "conf_low", "conf_high"]
    for name, table in released.tables.items():
        assert list(table.columns) == [*TABLES[name], "measure", *shown, "status"]
        hidden = table[table["status"] == "withheld"]
        assert hidden[shown].isna().all(axis=None)
        assert (table.loc[table["status"] == "scored", "n"] >= 5).all()
        counted = released.withheld.query("table == @name")["withheld"].sum()
        assert counted == len(hidden)
    assert set(released.withheld.columns) == {"table", "measure", "cells", "withheld"}
    text = (tmp_path / "x").with_name("units.csv")
    released.to_csv(tmp_path)
    assert "withheld" in text.read_text(encoding="utf-8")
    assert re.search(r"<Release: at least 5 respondents per cell\n  units: \d+ of ", repr(released))


def test_a_release_holds_no_count_of_a_withheld_cell(released):
    for links in released._links.values():
        assert links.ids.max() < links.cells  # numbers of cells, not of respondents
        assert len(np.unique(links.ids, axis=0)) == len(links.ids)


def test_what_is_shown_is_what_scores_says(frame, released):
    scores = survey_of(frame).scores(by=["role"], disclosure_n=1)
    table = released.tables["roles"]
    both = table.merge(scores, on=["store", "wave", "role", "measure"], suffixes=("", "_all"))
    seen = both[both["status"] == "scored"]
    assert len(both) == len(table)
    for column in ("n", "value"):
        np.testing.assert_allclose(seen[column], seen[f"{column}_all"], rtol=1e-12)
    total = released.tables["total"].set_index("measure")
    assert total.loc["nps", "n"] == len(frame)
    nps = 100 * ((frame["recommend"] >= 9).mean() - (frame["recommend"] <= 6).mean())
    assert total.loc["nps", "value"] == pytest.approx(nps)


@pytest.mark.slow
def test_the_audit_bounds_every_withheld_cell(frame, released):
    audit = released.audit()
    assert len(audit) == released.withheld["withheld"].sum()
    fast = released.audit(values=False)
    np.testing.assert_allclose(fast["highest_n"], audit["highest_n"], atol=1e-6)
    assert fast["highest_value"].isna().all()
    assert not audit["exposed"].any()
    assert (audit["highest_n"] >= 5 - 1e-6).all()
    assert (audit["lowest_n"] >= 1 - 1e-6).all()
    survey = survey_of(frame)
    for name, by in (("units", []), ("roles", ["role"])):
        scores = survey.scores(by=by, disclosure_n=1)
        both = audit[audit["table"] == name].merge(scores, on=[*TABLES[name], "measure"])
        assert len(both)
        assert (
            (both["lowest_n"] <= both["n"] + 1e-6) & (both["n"] <= both["highest_n"] + 1e-6)
        ).all()
        low, high = both["lowest_value"] - 1e-6, both["highest_value"] + 1e-6
        assert ((low <= both["value"]) & (both["value"] <= high)).all()


def test_bounds_of_a_table_small_enough_to_work_out_by_hand():
    roles = ["desk"] * 9 + ["floor"] * 6 + ["manager"] * 2
    frame = pd.DataFrame({"store": "a", "role": roles, "x": [3] * 9 + [5] * 5 + [4] + [5] * 2})
    survey = Survey(frame, unit="store", segments=["role"], measures={"x": Mean("x", range=(1, 5))})
    audit = release(survey, [["store"], ["store", "role"]]).audit()
    # eight people hold 39 points: one of them has at least 39 - 7 * 5 = 4
    assert audit["lowest_n"].tolist() == [1, 1]
    assert audit["highest_n"].tolist() == [7, 7]
    np.testing.assert_allclose(audit["lowest_value"], [4, 4])
    np.testing.assert_allclose(audit["highest_value"], [5, 5])


def test_values_are_not_bounded_where_no_range_is_known(frame):
    survey = survey_of(frame, measures={"x": Mean("e1")})
    audit = release(survey, {"a": ["store", "wave"], "b": ["store", "wave", "role"]}).audit()
    assert audit[["lowest_value", "highest_value"]].isna().all(axis=None)
    assert not audit["exposed"].any()
    weighted = release(survey_of(frame, weight="w"), {"a": ["wave"], "b": ["wave", "touchpoint"]})
    assert weighted.audit()["highest_value"].isna().all()
    assert set(weighted.tables["a"]["status"]) == {"scored"}


@pytest.fixture(scope="module")
def small(frame):
    """Three stores, and what is released of them from pandas."""
    rows = frame[frame["store"].isin(["s1", "s2", "s3"])]
    return rows, release(survey_of(rows), TABLES)


def test_every_engine_makes_the_same_release(held, small):
    rows, expected = small
    made = release(survey_of(held(rows)), TABLES)
    for name, table in expected.tables.items():
        pd.testing.assert_frame_equal(table, made.tables[name], check_dtype=False)


def test_nothing_is_withheld_where_one_respondent_is_enough(frame):
    made = release(survey_of(frame), TABLES, disclosure_n=1)
    assert made.withheld["withheld"].sum() == 0
    assert made.audit().empty


def test_cells_without_an_answer_are_said_to_have_none():
    frame = pd.DataFrame({"store": ["a"] * 6 + ["b"] * 6, "x": [1, 2, 3, 4, 5, 1] + [np.nan] * 6})
    survey = Survey(frame, unit="store", measures={"x": Mean("x", range=(1, 5))})
    table = release(survey, [["store"], []]).tables["store"]
    assert table["status"].tolist() == ["scored", "no answer"]
    assert table["n"].tolist() == [6, 0]


# ---------------------------------------------------------------------- refused


@pytest.mark.parametrize(
    ("tables", "options", "error", "says"),
    [
        ([["stoer"]], {}, ColumnError, "names the key 'stoer', which is neither.*Did you mean 'st"),
        ([], {}, OptionError, "A release needs tables, each a list of keys"),
        ("store", {}, OptionError, "A release needs tables, each a list of keys"),
        (
            [["store", "wave"], ["wave", "store"]],
            {},
            OptionError,
            "Two tables have the keys 'wave'",
        ),
        ({"a/b": ["store"]}, {}, OptionError, "name 'a/b' cannot be the name of a file"),
        ([["store"]], {"disclosure_n": 0}, OptionError, "disclosure_n=0: at least 1"),
        ([["store"]], {"disclosure_n": np.nan}, OptionError, "disclosure_n=nan: a whole number"),
        ([["store"]], {"disclosure_n": "5"}, OptionError, "disclosure_n='5': a whole number"),
        ([["store"]], {"disclosure_n": True}, OptionError, "disclosure_n=True: a whole number"),
        ([["store"]], {"disclosure_n": 5.5}, OptionError, "disclosure_n=5.5: a whole number"),
        ([["store"]], {"conf_level": 95}, OptionError, "conf_level=95: a share such as 0.95"),
    ],
)
def test_what_cannot_be_released_is_refused(frame, tables, options, error, says):
    with pytest.raises(error, match=says):
        release(survey_of(frame), tables, **options)


@pytest.mark.parametrize(
    "measure",
    [
        eecx.Dispersion(eecx.Mean("left")),
        eecx.Extreme(eecx.Mean("left")),
        eecx.AcrossTouchpoints(eecx.Mean("left")),
    ],
    ids=lambda m: type(m).__name__,
)
def test_measures_that_do_not_add_up_are_refused(measure):
    frame = pd.DataFrame({"store": ["a"] * 6, "role": ["x"] * 6, "left": [0, 1, 0, 1, 1, 0]})
    survey = eecx.Survey(frame, unit="store", touchpoint="role", measures={"m": measure})
    with pytest.raises(eecx.OptionError, match=r"'m' .* does not add up over cells"):
        eecx.release(survey, [["store"]])


def test_composites_of_touchpoints_too_small_to_show_are_refused():
    frame = pd.DataFrame({"store": ["a"] * 6, "role": ["x"] * 6, "left": [0, 1, 0, 1, 1, 0]})
    measures = {"worst": eecx.AcrossTouchpoints(eecx.Mean("left"), how="worst", least=2)}
    survey = eecx.Survey(frame, unit="store", touchpoint="role", measures=measures)
    with pytest.raises(eecx.OptionError, match="touchpoints of 2 respondents, fewer than disclos"):
        survey.scores(by=())
