"""Waves as time: steps, and lags that look up the calendar, over generated panels."""

import math

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from eecx import Panel
from eecx.formula import parse_terms
from eecx.panel.waves import infer_step, named_like, origin_of, place, read_waves

months = st.lists(st.integers(0, 90), min_size=2, max_size=8, unique=True)
cells = st.lists(
    st.tuples(st.sampled_from("abcd"), st.integers(0, 12)), min_size=2, max_size=30, unique=True
)


def month_text(m):
    return f"{2018 + m // 12}-{m % 12 + 1:02d}"


@given(months)
def test_the_step_of_months_is_what_divides_all_gaps(at):
    times = read_waves(pd.Series([month_text(m) for m in at]), "wave")
    step = infer_step(times)
    gaps = np.diff(sorted(at))
    assert (step.length, step.grid) == (math.gcd(*gaps.tolist()), "month")
    where = place(times, step, origin_of(times, step))
    # every wave has its own step, and steps are as far apart as the months
    np.testing.assert_array_equal(np.diff(where) * step.length, np.diff(at))


@given(st.lists(st.integers(0, 400), min_size=2, max_size=8, unique=True), st.integers(1, 9))
def test_days_are_the_step_where_waves_share_a_month(at, length):
    days = sorted({*at, min(at) + 1}) if min(at) % 28 else sorted({*at, min(at) + 3})
    stamps = pd.Timestamp("2023-03-02") + pd.to_timedelta(np.array(days) * length, unit="D")
    times = read_waves(pd.Series(stamps), "wave")
    step = infer_step(times)
    where = place(times, step, origin_of(times, step))
    assert len(set(where)) == len(days)
    if step.grid == "day":
        assert step.length % length == 0
        np.testing.assert_array_equal(np.diff(where) * step.length, np.diff(days) * length)


@given(months)
def test_the_ways_of_writing_a_month_agree(at):
    stamps = pd.Series(pd.to_datetime([f"{month_text(m)}-15" for m in at]))
    ways = [
        pd.Series([month_text(m) for m in at]),
        stamps,
        stamps.dt.tz_localize("Europe/Berlin"),
        stamps.dt.to_period("M"),
        stamps.astype(str),
        stamps.dt.date.astype(object),
    ]
    read = [read_waves(way, "wave") for way in ways]
    for one in read[1:]:
        np.testing.assert_array_equal(one.month, read[0].month)
        assert infer_step(one) == infer_step(read[0])


@given(st.lists(st.integers(0, 40), min_size=1, max_size=8, unique=True), st.integers(-5, 5))
def test_waves_are_named_as_others_of_their_kind(quarters, back):
    def text(q):
        return f"{2010 + q // 4}Q{q % 4 + 1}"

    names = pd.Series([text(q) for q in [*quarters, quarters[0] + 1]])
    times = read_waves(names, "wave")
    step = infer_step(times)
    moved = named_like(times, step, back, names)
    assert moved == [text(q - back * step.length // 3) for q in [*quarters, quarters[0] + 1]]
    numbers = pd.Series(quarters)
    times = read_waves(numbers, "wave")
    assert named_like(times, infer_step(times), back, numbers) == [q - back for q in quarters]


def panel_of(made, wave):
    rng = np.random.default_rng(len(made))
    frame = pd.DataFrame(made, columns=["store", "at"])
    frame["x"] = rng.normal(size=len(frame))
    frame["y"] = rng.normal(size=len(frame))
    frame["wave"] = [wave(t) for t in frame["at"]]
    keys = {"unit": "store", "wave": "wave"}
    return frame, Panel.from_frame(frame, **keys, employee="x", customer="y", covariates="at")


@settings(max_examples=25)
@given(cells, st.integers(-3, 4))
def test_lags_look_up_the_calendar_not_the_row_before(made, lag):
    frame, panel = panel_of(made, lambda t: t)
    lookup = {(s, t): x for s, t, x in zip(frame["store"], frame["at"], frame["x"], strict=True)}
    if lag == 0:
        expected = panel.frame["x"].to_numpy()
    else:
        expected = [
            lookup.get((s, t - lag), np.nan)
            for s, t in zip(panel.frame["store"], panel.frame["at"], strict=True)
        ]
    np.testing.assert_array_equal(panel.lagged(panel.frame["x"].to_numpy(), lag), expected)
    term = "x" if lag == 0 else f"lag(x, {lag})"
    np.testing.assert_array_equal(panel.design(parse_terms(term)).x[:, 0], expected)


@settings(max_examples=25)
@given(cells, st.integers(1, 3))
def test_lags_in_months_count_steps_of_the_calendar(made, lag):
    frame, panel = panel_of(made, lambda t: month_text(2 * t))
    lookup = {(s, t): x for s, t, x in zip(frame["store"], frame["at"], frame["x"], strict=True)}
    skip = lag * panel.step.length / 2
    expected = [
        lookup.get((s, t - skip), np.nan)
        for s, t in zip(panel.frame["store"], panel.frame["at"], strict=True)
    ]
    found = panel.lagged(panel.frame["x"].to_numpy(), lag)
    if len(set(frame["at"])) > 1:
        np.testing.assert_array_equal(found, expected)
    else:
        assert np.isnan(found).all()


@settings(max_examples=25)
@given(cells)
def test_the_order_of_rows_does_not_matter(made):
    _, one = panel_of(made, lambda t: t)
    frame = one.frame.sample(frac=1, random_state=1, ignore_index=True)
    other = Panel.from_frame(
        frame, unit="store", wave="wave", employee="x", customer="y", covariates="at"
    )
    pd.testing.assert_frame_equal(one.frame, other.frame)
    assert one.fingerprint == other.fingerprint
    np.testing.assert_array_equal(one.time, other.time)
