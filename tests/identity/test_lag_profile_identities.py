"""Algebra of the lag profile: each lag is a two-way regression, and time is the calendar's."""

import numpy as np
import pandas as pd
import pytest

import eecx

NUMBERS = ["estimate", "std_error", "statistic", "df", "p_value", "conf_low", "conf_high"]


def made(waves, units=20, seed=2):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {"unit": np.repeat([f"u{i:02d}" for i in range(units)], len(waves)), "wave": waves * units}
    )
    level = np.repeat(rng.normal(size=units), len(waves))
    frame["x"] = level + rng.normal(size=len(frame))
    frame["y"] = level + rng.normal(size=len(frame))
    frame.loc[rng.random(len(frame)) < 0.1, "x"] = np.nan
    return frame


def panel(frame, **options):
    return eecx.Panel.from_frame(
        frame, unit="unit", wave="wave", employee=["x"], customer=["y"], **options
    )


def assert_same(row, expected):
    np.testing.assert_allclose(
        row[NUMBERS].to_numpy(float), expected[NUMBERS].to_numpy(float), rtol=1e-10
    )


@pytest.mark.parametrize("lag", [-2, -1, 0, 1, 2])
def test_each_lag_is_a_two_way_regression(lag):
    data = panel(made(list(range(1, 7))))
    term = f"lag(x, {lag})" if lag else "x"
    fit = eecx.regress(data, f"y ~ {term}", effects="two-way")
    row = eecx.lag_profile(data, "x", "y", lags=[lag]).table.iloc[0]
    assert_same(row, fit.table.iloc[0])
    assert (row["n"], row["units"]) == (fit.stats["n"], fit.stats["units"])


def test_lags_alone_or_together_are_the_same():
    data = panel(made(list(range(1, 7))))
    together = eecx.lag_profile(data, "x", "y", lags=[2, 0, 2, -1])
    assert together.table["lag"].tolist() == [-1, 0, 2]
    for lag in (-1, 0, 2):
        alone = eecx.lag_profile(data, "x", "y", lags=[lag]).table.iloc[0]
        assert_same(together.table.set_index("lag").loc[lag], alone)


@pytest.mark.parametrize("waves", [[1, 2, 3, 5, 6, 8], [10, 20, 30, 50, 60, 80]])
def test_lags_are_steps_of_the_calendar_not_rows(waves):
    frame = made(waves)
    step = waves[1] - waves[0]
    data = panel(frame, step=step)
    earlier = frame[["unit", "wave", "x"]].assign(wave=frame["wave"] + step)
    merged = frame.drop(columns="x").merge(earlier, on=["unit", "wave"]).dropna()
    fit = eecx.regress(merged, "y ~ x", effects="two-way", unit="unit", wave="wave")
    row = eecx.lag_profile(data, "x", "y", lags=[1]).table.iloc[0]
    assert_same(row, fit.table.iloc[0])
    assert row["n"] == len(merged)
    assert (row["gap_low"], row["gap_high"]) == (step, step)


def test_dates_count_as_time_and_gaps_are_days():
    quarters = ["2020Q1", "2020Q2", "2020Q4", "2021Q1", "2021Q2"]
    numbers = {q: (int(q[:4]) - 2020) * 4 + int(q[-1]) for q in quarters}
    frame = made(quarters)
    dated = eecx.lag_profile(panel(frame), "x", "y", lags=[0, 1, 2])
    counted = eecx.lag_profile(
        panel(frame.assign(wave=frame["wave"].map(numbers))), "x", "y", lags=[0, 1, 2]
    )
    np.testing.assert_allclose(dated.table[NUMBERS], counted.table[NUMBERS], rtol=1e-10)
    one = dated.table.set_index("lag").loc[1]
    assert (one["gap_low"], one["gap_high"]) == (90, 92)
    assert dated.spec["gap_unit"] == "days"


def test_a_lead_of_x_is_a_lag_of_y():
    data = panel(made(list(range(1, 7))))
    forward = eecx.lag_profile(data, "x", "y").table.set_index("lag")
    backward = eecx.lag_profile(data, "y", "x").table.set_index("lag")
    for lag in (-3, -1, 2):
        assert forward.loc[lag, "n"] == backward.loc[-lag, "n"]


def test_order_of_rows_and_labels_do_not_matter():
    frame = made(list(range(1, 7)))
    other = frame.sample(frac=1, random_state=3).assign(unit=lambda f: "no. " + f["unit"])
    one, two = (eecx.lag_profile(panel(f), "x", "y").table for f in (frame, other))
    np.testing.assert_allclose(one[NUMBERS], two[NUMBERS], rtol=1e-9)


def test_units_of_measurement_do_not_matter():
    frame = made(list(range(1, 7)))
    scaled = frame.assign(x=frame["x"] * 1e-6, y=frame["y"] * 1e6 + 1e9)
    one, two = (eecx.lag_profile(panel(f), "x", "y").table for f in (frame, scaled))
    np.testing.assert_allclose(one[NUMBERS[0]] * 1e12, two[NUMBERS[0]], rtol=1e-6)
    np.testing.assert_allclose(one["p_value"], two["p_value"], rtol=1e-6)


def test_a_lag_that_cannot_be_estimated_is_a_warning():
    found = eecx.lag_profile(panel(made([1, 2, 3])), "x", "y", lags=[0, 5])
    assert found.table["lag"].tolist() == [0]
    assert [w.concerns for w in found.warnings if w.code == "lag-not-estimable"] == ["lag 5"]
