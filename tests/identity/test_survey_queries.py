"""What a survey asks its engine: each sum once, and the same numbers whichever way they come."""

import duckdb
import numpy as np
import pandas as pd
import pytest

import eecx
from eecx.agreement.ad import ad_values
from eecx.agreement.answers import read_answers
from eecx.frames import tables
from eecx.frames.tables import Table
from eecx.panel.audit import near_misses
from eecx.sources import people as people_of

SCALE = {"engagement": eecx.Scale(["e1", "e2", "e3"], range=(1, 5))}
SHARES = {"nps": eecx.NPS("r"), "csat": eecx.TopBox("c", range=(1, 5))}


@pytest.fixture
def people():
    rng = np.random.default_rng(3)
    n = 900
    frame = pd.DataFrame({i: rng.integers(1, 6, n) for i in ("e1", "e2", "e3", "c")})
    frame = frame.assign(r=rng.integers(0, 11, n), unit=rng.integers(0, 20, n))
    return frame.assign(wave=rng.integers(1, 4, n))


@pytest.fixture
def gaps(people):
    rng = np.random.default_rng(4)
    holed = {c: people[c].astype("Int64").mask(rng.random(len(people)) < 0.1) for c in people}
    return pd.DataFrame(holed)


@pytest.fixture
def asked(monkeypatch):
    """List how many columns each query brings back."""
    sent = []
    collect = tables._pandas

    def listed(frame):
        found = collect(frame)
        sent.append((len(found), list(found.columns)))
        return found

    monkeypatch.setattr(tables, "_pandas", listed)
    return sent


def survey(data, measures, **more):
    return eecx.Survey(data, unit="unit", wave="wave", measures=measures, **more)


def relation(frame):
    return duckdb.from_df(frame)


def same(one, other):
    for part in ("frame", "n", "variance", "covariance"):
        pd.testing.assert_frame_equal(getattr(one, part), getattr(other, part), rtol=1e-10)


def test_link_sums_the_rows_of_one_file_once(people, tmp_path, asked):
    path = tmp_path / "answers.parquet"
    people.to_parquet(path)
    panel = eecx.link(survey(str(path), SCALE), survey(path, SHARES))
    assert [rows for rows, _ in asked] == [1, 60]
    assert ("engagement", "nps") in panel.covariance
    same(panel, eecx.link(survey(people, SCALE), survey(people, SHARES)))


def test_link_sums_either_of_two_tables_once(gaps, asked):
    half = gaps.iloc[::2].reset_index(drop=True)
    panel = eecx.link(survey(relation(gaps), SCALE), survey(relation(half), SHARES))
    assert len(asked) == 4
    same(panel, eecx.link(survey(gaps, SCALE), survey(half, SHARES)))


def test_aggregation_counts_answers_by_one_query(people, asked):
    eecx.aggregation(survey(relation(people), SCALE | SHARES))
    # a look, the scores, the counted answers, the products of items over all
    assert [rows for rows, _ in asked] == [1, 60, 60, 1]


@pytest.mark.parametrize("most", [45, 10_000, 2**28, 2**40])
def test_counted_answers_are_those_of_one_query_an_item(gaps, monkeypatch, most):
    held = survey(relation(gaps), SCALE)
    source = people_of(held, "rwg")
    one_by_one = read_answers(source, "engagement")
    monkeypatch.setattr(eecx.Survey, "_most_rows", most)
    at_once = read_answers(source, "engagement", counts=True)
    assert at_once.counts.shape == (60, 3, 5)
    for part in ("n", "mean", "m2"):
        assert (getattr(at_once, part) == getattr(one_by_one, part)).all()
    found, expected = ad_values(at_once), ad_values(one_by_one)
    for around in found:
        np.testing.assert_allclose(found[around], expected[around], rtol=1e-13)


def test_answers_are_checked_by_the_query_of_their_sums_where_queries_are_costly(
    gaps, monkeypatch, asked
):
    expected = survey(gaps, SCALE | SHARES).scores()
    monkeypatch.setattr(Table, "costly", True)
    asked.clear()
    held = survey(relation(gaps), SCALE | SHARES)
    pd.testing.assert_frame_equal(held.scores(), expected, rtol=1e-12)
    assert held.rows_without_key == int(gaps[["unit", "wave"]].isna().any(axis=1).sum())
    assert len(asked) == 1


def test_such_a_query_keeps_all_digits_of_keys_beside_missing_ones(gaps, monkeypatch):
    gaps["unit"] += 2**62
    expected = survey(gaps, SCALE | SHARES).scores()
    monkeypatch.setattr(Table, "costly", True)
    found = survey(relation(gaps), SCALE | SHARES).scores()
    assert expected["unit"].nunique() == 20
    pd.testing.assert_frame_equal(found, expected, rtol=1e-12)


def test_such_a_query_refuses_keys_that_floats_have_rounded(people, monkeypatch):
    rounded = people.assign(unit=people["unit"] + 2.0**60)
    for costly in (False, True):
        monkeypatch.setattr(Table, "costly", costly)
        with pytest.raises(eecx.DataError) as found:
            survey(relation(rounded), SHARES).scores()
        assert found.value.code == "too-many-digits"


@pytest.mark.parametrize("factor", [1e-300, 1e300])
def test_weights_times_a_constant_leave_scores_and_related_errors(people, factor):
    people["w"] = np.random.default_rng(5).uniform(0.5, 2, len(people))
    times = people.assign(w=people["w"] * factor)
    one, other = (
        eecx.link(survey(d, SCALE, weight="w"), survey(d, SHARES, weight="w"))
        for d in (people, times)
    )
    assert np.isfinite(one.covariance.to_numpy()).all()
    same(one, other)


def test_sums_of_whole_numbers_near_2_to_the_62_are_exact_where_surveys_are_linked(people):
    means = {"x": eecx.Mean("x"), "y": eecx.Mean("y")}
    people = people.assign(x=people["e1"] + people["e2"], y=people["e1"] - people["e3"])
    far = people.assign(x=people["x"] + 2**62, y=people["y"] + 2**62)
    near = eecx.link(survey(people, means), survey(people, SHARES))
    for data in (far, relation(far)):
        found = eecx.link(survey(data, means), survey(data, SHARES))
        for part in ("variance", "covariance"):
            pd.testing.assert_frame_equal(getattr(found, part), getattr(near, part), rtol=1e-10)


@pytest.mark.parametrize(
    ("column", "value", "code"),
    [("e2", 9, "out-of-range"), ("r", -1, "out-of-range"), ("c", None, "no-answers")],
)
def test_such_a_query_refuses_what_a_look_before_refuses(people, monkeypatch, column, value, code):
    people["unit"] = people["unit"].astype("Int64")
    people.loc[3, "unit"] = None  # even of a row that belongs to no unit
    people[column] = people[column].astype("Int64")
    people.loc[[3] if value else slice(None), column] = value
    said = []
    for costly in (False, True):
        monkeypatch.setattr(Table, "costly", costly)
        with pytest.raises(eecx.DataError) as found:
            survey(relation(people), SCALE | SHARES).scores()
        assert found.value.code == code
        said.append(str(found.value))
    assert said[0] == said[1]


def test_many_weighted_measures_do_not_share_a_sum(people):
    people["w"] = np.random.default_rng(5).uniform(0.5, 2, len(people))
    many = {f"m{i}": eecx.TopBox(("e1", "e2", "e3")[i % 3], range=(1, 5)) for i in range(30)}
    scores = survey(people, many, weight="w").scores()
    for i in range(3, 30):
        own, first = (
            scores[scores["measure"] == f"m{k}"].drop(columns="measure").reset_index(drop=True)
            for k in (i, i % 3)
        )
        pd.testing.assert_frame_equal(own, first)


def test_whole_numbers_have_no_look_alikes():
    assert near_misses([("employee", [1, 10, 100]), ("customer", [1, 2, 10])]).empty
    assert len(near_misses([("employee", [-5, 7]), ("customer", [5, 7])])) == 1
