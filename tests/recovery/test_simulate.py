"""The simulated panels and surveys have the moments that their truth says."""

import math
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from eecx.errors import OptionError
from eecx.simulate import Covariate, Mediator, Segment, Simulated, panel, retail_chain

PATHS = {
    "plain": {},
    "reciprocal": {"ex_to_cx": 0.25, "cx_to_ex": -0.15, "carry_ex": 0.4, "carry_cx": 0.2},
    "same wave": {"same_wave": 0.4, "ex_to_cx": 0.1, "carry_ex": 0.5},
    "shared shocks": {"shock_sd": 0.8, "cx_to_ex": 0.2},
    "drift": {"drift_sd": 0.7, "drift_carry": 0.8, "carry_cx": 0.1},
    "everything": {
        "ex_to_cx": 0.2,
        "cx_to_ex": 0.1,
        "same_wave": 0.2,
        "shock_sd": 0.4,
        "drift_sd": 0.5,
        "stable_cor": 0.4,
        "stable_sd_ex": 0.8,
        "stable_sd_cx": 1.5,
        "error_sd_ex": 0.6,
        "error_sd_cx": 0.9,
    },
}


def wide(made: Simulated, column: str, frame: str = "latent") -> np.ndarray:
    """Units x waves of one column of a complete panel."""
    table = getattr(made, frame)
    return table[column].to_numpy().reshape(table["unit"].nunique(), -1)


def slope(x: np.ndarray, y: np.ndarray) -> float:
    covariance = np.cov(x.ravel(), y.ravel())
    return covariance[0, 1] / covariance[0, 0]


def demeaned(values: np.ndarray) -> np.ndarray:
    """Deviations from unit and wave means."""
    return values - values.mean(1, keepdims=True) - values.mean(0) + values.mean()


class TestPanel:
    def test_the_same_seed_gives_the_same_data(self):
        first, second = (
            panel(rng=7, missing=0.1, closures=0.1),
            panel(rng=7, missing=0.1, closures=0.1),
        )
        pd.testing.assert_frame_equal(first.frame, second.frame)
        assert not first.frame.equals(panel(rng=8, missing=0.1, closures=0.1).frame)

    @pytest.mark.parametrize("bits", [np.random.PCG64, np.random.MT19937, np.random.Philox])
    def test_any_generator_is_accepted(self, bits):
        first = panel(rng=np.random.Generator(bits(3)))
        second = panel(rng=np.random.Generator(bits(3)))
        pd.testing.assert_frame_equal(first.frame, second.frame)

    def test_a_generator_moves_on_and_a_seed_is_its_default_generator(self):
        rng = np.random.default_rng(5)
        first, second = panel(rng=rng), panel(rng=rng)
        assert not first.frame.equals(second.frame)
        pd.testing.assert_frame_equal(first.frame, panel(rng=5).frame)

    def test_shape_and_columns(self):
        made = panel(units=30, waves=4, rng=1)
        assert list(made.frame.columns) == ["unit", "wave", "ex", "cx"]
        assert made.frame.shape == (120, 4)
        assert made.frame["unit"].iloc[[0, 119]].tolist() == ["U001", "U030"]
        assert sorted(made.frame["wave"].unique()) == [1, 2, 3, 4]
        assert made.latent[["unit", "wave"]].equals(made.frame[["unit", "wave"]])
        assert "m" in panel(mediator=Mediator(a=0.1, b=0.1), rng=1).frame

    def test_observed_is_the_sum_of_its_parts(self):
        made = panel(wave_shock_sd=0.0, rng=2)
        for side in ("ex", "cx"):
            parts = made.latent[f"stable_{side}"] + made.latent[f"within_{side}"]
            np.testing.assert_allclose(made.frame[side], parts, atol=1e-12)

    def test_wave_effects_are_common_to_all_units(self):
        made = panel(rng=2, wave_shock_sd=2.0)
        rest = made.frame["ex"] - made.latent["stable_ex"] - made.latent["within_ex"]
        by_wave = rest.groupby(made.frame["wave"])
        assert by_wave.std().max() < 1e-12
        assert by_wave.mean().std() > 0.5

    def test_the_equations_hold_without_chance_in_the_receiving_side(self):
        """With all chance in the drift, both sides follow exactly from the past."""
        made = panel(
            ex_to_cx=0.2, cx_to_ex=-0.3, same_wave=0.5, carry_ex=0.4, carry_cx=0.1,
            wave_sd=0.0, drift_sd=1.0, drift_carry=0.6, rng=4,
        )  # fmt: skip
        x, y, d = (wide(made, name) for name in ("within_ex", "within_cx", "drift"))
        expected_x = 0.4 * x[:, :-1] - 0.3 * y[:, :-1] + d[:, 1:]
        expected_y = 0.1 * y[:, :-1] + 0.2 * x[:, :-1] + 0.5 * x[:, 1:] + d[:, 1:]
        np.testing.assert_allclose(x[:, 1:], expected_x, atol=1e-12)
        np.testing.assert_allclose(y[:, 1:], expected_y, atol=1e-12)

    @pytest.mark.parametrize("paths", PATHS.values(), ids=PATHS)
    def test_truth_is_found_in_many_units(self, paths):
        made = panel(units=20_000, waves=4, rng=11, **paths)
        truth = made.truth
        x, y = wide(made, "within_ex"), wide(made, "within_cx")
        assert x.std() == pytest.approx(truth["within_sd_ex"], rel=0.01)
        assert y.std() == pytest.approx(truth["within_sd_cx"], rel=0.01)
        assert slope(x, y) == pytest.approx(truth["within_same_wave"], abs=0.015)
        assert np.corrcoef(x.ravel(), y.ravel())[0, 1] == pytest.approx(
            truth["within_cor"], abs=0.015
        )
        stable = wide(made, "stable_ex")[:, 0], wide(made, "stable_cx")[:, 0]
        assert slope(*stable) == pytest.approx(truth["between"], abs=0.03)

        past = np.column_stack([x[:, :-1].ravel(), y[:, :-1].ravel()])
        on_past = np.linalg.lstsq(past, np.column_stack([x[:, 1:].ravel(), y[:, 1:].ravel()]))[0]
        assert on_past[0, 1] == pytest.approx(truth["ex_to_later_cx_given_past"], abs=0.015)
        assert on_past[1, 0] == pytest.approx(truth["cx_to_later_ex_given_past"], abs=0.015)

        ex, cx = wide(made, "ex", "frame"), wide(made, "cx", "frame")
        means = slope(ex.mean(1), cx.mean(1))
        assert means == pytest.approx(truth["between_unit_means"], abs=0.03)
        fixed = slope(demeaned(ex), demeaned(cx))
        assert fixed == pytest.approx(truth["within_fixed_effects"], abs=0.015)

    def test_the_first_wave_is_as_varied_as_the_last(self):
        made = panel(units=40_000, waves=8, carry_ex=0.9, rng=3)
        spread = wide(made, "within_ex").std(0)
        assert spread[0] == pytest.approx(spread[-1], rel=0.02)

    def test_without_drift_the_slope_given_the_past_is_the_effect(self):
        truth = panel(ex_to_cx=0.2, cx_to_ex=0.1, same_wave=0.3, shock_sd=0.5, rng=1).truth
        assert truth["ex_to_later_cx"] == pytest.approx(0.2 + 0.3 * 0.3)
        assert truth["ex_to_later_cx_direct"] == 0.2
        assert truth["ex_to_later_cx_given_past"] == pytest.approx(truth["ex_to_later_cx"])
        assert truth["cx_to_later_ex_given_past"] == pytest.approx(0.1)

    def test_drift_looks_like_an_effect_that_is_not_there(self):
        truth = panel(drift_sd=1.0, rng=1).truth
        assert truth["ex_to_later_cx"] == truth["cx_to_later_ex"] == 0.0
        assert truth["ex_to_later_cx_given_past"] > 0.1
        assert truth["cx_to_later_ex_given_past"] > 0.1

    def test_closed_forms(self):
        truth = panel(carry_ex=0.6, stable_cor=0.5, stable_sd_cx=3.0, wave_sd=2.0, rng=1).truth
        assert truth["within_sd_ex"] == pytest.approx(2 / math.sqrt(1 - 0.36))
        assert truth["between"] == pytest.approx(1.5)
        assert truth["within_same_wave"] == pytest.approx(0.0, abs=1e-12)
        only_shocks = panel(wave_sd=0.0, shock_sd=1.0, rng=1).truth
        assert only_shocks["within_same_wave"] == pytest.approx(1.0)
        assert math.isnan(only_shocks["ex_to_later_cx_given_past"])

    def test_fixed_effects_come_nearer_to_the_truth_with_more_waves(self):
        gaps = []
        for waves in (3, 6, 12, 48):
            truth = panel(units=2, waves=waves, ex_to_cx=0.3, carry_ex=0.7, rng=1).truth
            gaps.append(abs(truth["within_fixed_effects"] - truth["within_same_wave"]))
        assert all(more > less for more, less in pairwise(gaps))

    def test_what_does_not_vary_has_no_slope(self):
        assert math.isnan(panel(stable_sd_ex=0.0, rng=1).truth["between"])
        assert math.isnan(panel(waves=1, rng=1).truth["within_fixed_effects"])
        still = panel(wave_sd=0.0, wave_shock_sd=0.0, rng=1)
        assert math.isnan(still.truth["within_same_wave"])
        assert still.frame.groupby("unit")["ex"].nunique().eq(1).all()

    @pytest.mark.parametrize("lag", [0, 1])
    def test_a_mediator_carries_the_effect(self, lag):
        made = panel(
            units=40_000, waves=4, mediator=Mediator(a=0.5, b=0.4, lag=lag, stable_sd=2.0), rng=6
        )
        x, m, y = (wide(made, f"within_{name}") for name in ("ex", "m", "cx"))
        cause, later = (slice(0, 3), slice(1, 4)) if lag else (slice(1, 4), slice(1, 4))
        past = slice(0, 3)
        leg_a = np.column_stack([x[:, cause].ravel(), m[:, past].ravel()])
        leg_b = np.column_stack([m[:, cause].ravel(), y[:, past].ravel(), x[:, cause].ravel()])
        a = np.linalg.lstsq(leg_a, m[:, later].ravel())[0][0]
        b = np.linalg.lstsq(leg_b, y[:, later].ravel())[0][0]
        assert a == pytest.approx(made.truth["ex_to_m"], abs=0.015)
        assert b == pytest.approx(made.truth["m_to_cx"], abs=0.015)
        assert made.truth["indirect"] == pytest.approx(0.2)
        assert made.truth["ex_to_later_cx"] == pytest.approx(0.0 if lag else 0.2 * 0.3)
        assert slope(x, y) == pytest.approx(made.truth["within_same_wave"], abs=0.015)
        assert made.latent["stable_m"].std() == pytest.approx(2.0, rel=0.03)

    def test_missing_cells_are_missing_on_each_side_alone(self):
        made = panel(units=2_000, waves=5, missing=0.2, rng=5)
        lost = made.frame[["ex", "cx"]].isna()
        assert len(made.frame) == 10_000
        assert lost.mean().tolist() == pytest.approx([0.2, 0.2], abs=0.02)
        assert lost.all(axis=1).mean() == pytest.approx(0.04, abs=0.01)
        assert not made.latent.isna().to_numpy().any()
        whole = panel(units=2_000, waves=5, rng=5).frame
        kept = ~lost["ex"]
        np.testing.assert_array_equal(made.frame["ex"][kept], whole["ex"][kept])

    def test_missing_waves_are_missing_for_all_units(self):
        made = panel(
            units=40,
            waves=5,
            mediator=Mediator(a=0.3, b=0.3),
            missing_waves_ex=[2, 5],
            missing_waves_cx=(1,),
            rng=5,
        )
        gaps = made.frame[["ex", "cx", "m"]].isna().groupby(made.frame["wave"]).mean()
        assert gaps["ex"].tolist() == gaps["m"].tolist() == [0, 1, 0, 0, 1]
        assert gaps["cx"].tolist() == [1, 0, 0, 0, 0]

    def test_the_latent_values_are_the_error_free_ones(self):
        made = panel(
            units=30, missing=0.2, closures=0.2, covariates={"size": Covariate(ex=1)}, rng=1
        )
        there = made.frame["ex"].notna()
        np.testing.assert_array_equal(made.latent["ex"][there], made.frame["ex"][there])
        assert not made.latent.isna().to_numpy().any()

    def test_covariates_and_segments_shift_the_levels(self):
        made = panel(
            units=40_000,
            waves=2,
            stable_cor=0.3,
            covariates={"size": Covariate(ex=0.5, cx=-0.2, mean=30.0, sd=2.0)},
            segments={"region": Segment({"n": 0.25, "s": 0.75}, ex={"n": 1.0}, cx={"n": 2.0})},
            rng=3,
        )
        frame = made.frame[made.frame["wave"] == 1]
        levels = made.latent[made.frame["wave"] == 1]
        assert list(made.frame.columns) == ["unit", "wave", "ex", "cx", "size", "region"]
        assert frame["size"].agg(["mean", "std"]).tolist() == pytest.approx([30, 2], rel=0.02)
        north = (frame["region"] == "n").to_numpy(float)
        assert north.mean() == pytest.approx(0.25, abs=0.01)
        ex, cx = levels["stable_ex"].to_numpy(), levels["stable_cx"].to_numpy()
        traits = np.column_stack([np.ones(40_000), frame["size"], north])
        on_ex, on_cx = np.linalg.lstsq(traits, np.column_stack([ex, cx]))[0].T
        assert on_ex[1:].tolist() == pytest.approx([0.5, 1.0], abs=0.04)
        assert on_cx[1:].tolist() == pytest.approx([-0.2, 2.0], abs=0.04)
        given = np.linalg.lstsq(np.column_stack([traits, ex]), cx)[0][-1]
        assert given == pytest.approx(made.truth["between_given_covariates"], abs=0.02)
        assert made.truth["between_given_covariates"] == pytest.approx(0.3)
        assert slope(ex, cx) == pytest.approx(made.truth["between"], abs=0.02)
        # 0.3 + (0.5 * -0.2 * 4 + 0.25 * 0.75 * 2) over 1 + 0.25 * 4 + 0.25 * 0.75
        assert made.truth["between"] == pytest.approx(0.275 / 2.1875)
        assert ex.mean() == pytest.approx(0.0, abs=0.03)

    def test_traits_leave_everything_else_as_it_was(self):
        plain = panel(units=50, missing=0.1, closures=0.2, rng=4)
        more = panel(units=50, missing=0.1, closures=0.2, covariates={"size": Covariate()}, rng=4)
        pd.testing.assert_frame_equal(more.frame[plain.frame.columns], plain.frame)
        assert "between_given_covariates" not in plain.truth

    def test_closures_end_units_early(self):
        made = panel(units=200, waves=6, closures=0.25, rng=5)
        by_unit = made.frame.groupby("unit")["wave"]
        assert by_unit.ngroups == 200
        assert (by_unit.max() < 6).sum() == 50
        assert (by_unit.max() == by_unit.size()).all()
        assert by_unit.max().min() == 1

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"units": 1}, r"units=1 is not accepted\. Give a whole number, 2 or more"),
            ({"units": 10.0}, r"units=10\.0 is not accepted\. Give a whole number"),
            ({"waves": True}, r"waves=True is not accepted"),
            ({"burn_in": -1}, r"burn_in=-1 is not accepted"),
            ({"ex_to_cx": math.nan}, r"ex_to_cx=nan is not accepted\. Give a finite number"),
            ({"carry_ex": "0.3"}, r"carry_ex='0\.3' is not accepted"),
            ({"wave_sd": -1.0}, r"wave_sd=-1\.0 is not accepted\. Give a number at least 0"),
            ({"stable_cor": 1.1}, r"stable_cor=1\.1 .* at least -1 and at most 1"),
            ({"missing": 1.0}, r"missing=1\.0 .* at least 0 and below 1"),
            ({"closures": 2}, r"closures=2 .* at least 0 and at most 1"),
            ({"closures": 0.5, "waves": 1}, r"closures=0\.5 needs at least 2 waves"),
            ({"drift_carry": 1.0}, r"drift_carry=1\.0 .* above -1 and below 1"),
            ({"carry_ex": 1.0}, r"not stationary: its largest eigenvalue is 1\.000"),
            ({"ex_to_cx": 0.8, "cx_to_ex": 0.8}, r"eigenvalue is 1\.100 .* Lower carry_ex"),
            ({"carry_cx": 0.99}, r"burn_in=50 is too short .* burn_in=400 is enough"),
            ({"mediator": (0.5, 0.4)}, r"mediator=\(0\.5, 0\.4\) .* simulate\.Mediator\(a="),
            ({"missing_waves_ex": [7]}, r"missing_waves_ex=\(7,\) .* waves from 1 to 6"),
            ({"missing_waves_cx": range(1, 7)}, r"missing_waves_cx=.* and leave one"),
            ({"missing_waves_cx": ["1"]}, r"missing_waves_cx='1' is not accepted"),
            ({"covariates": ["size"]}, r"covariates=\['size'\] .* Give a mapping of names"),
            ({"covariates": {"size": 1.0}}, r"covariates\['size'\]=1\.0 .* simulate\.Covariate"),
            ({"covariates": {"ex": Covariate()}}, r"covariates names 'ex'\. Give text other than"),
            (
                {
                    "covariates": {"size": Covariate()},
                    "segments": {"size": Segment({"a": 0.5, "b": 0.5})},
                },
                r"segments names 'size'\.",
            ),
            (
                {"rng": "seed"},
                r"rng='seed': a whole number of 0 or more as seed, .* such as rng=1",
            ),
            ({"rng": -1}, r"rng=-1: a whole number of 0 or more"),
        ],
    )
    def test_errors_say_what_is_accepted(self, arguments, message):
        with pytest.raises(OptionError, match=message):
            panel(**arguments)

    def test_the_burn_in_that_the_error_names_is_enough(self):
        assert panel(carry_cx=0.99, burn_in=400, rng=1).truth["carry_cx"] == 0.99

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"lag": 2}, r"Mediator lag=2 is not accepted\. Give 1"),
            ({"wave_sd": -0.1}, r"Mediator wave_sd=-0\.1 is not accepted"),
            ({"carry": math.inf}, r"Mediator carry=inf is not accepted"),
        ],
    )
    def test_a_mediator_is_checked(self, arguments, message):
        with pytest.raises(OptionError, match=message):
            Mediator(a=0.5, b=0.4, **arguments)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"shares": {"a": 1.0}}, r"Segment shares=.* Give two groups or more"),
            ({"shares": ["a", "b"]}, r"Segment shares=\['a', 'b'\] is not accepted"),
            ({"shares": {"a": 0.6, "b": 0.5}}, r"shares of a Segment sum to 1\.1"),
            ({"shares": {"a": 1.0, "b": 0.0}}, r"Segment share of 'b'=0\.0 .* above 0"),
            ({"shares": {"a": 0.5, "b": 0.5}, "ex": {"c": 1}}, r"Segment ex names 'c', which has"),
            ({"shares": {"a": 0.5, "b": 0.5}, "cx": {"a": None}}, r"Segment cx of 'a'=None"),
        ],
    )
    def test_a_segment_is_checked(self, arguments, message):
        with pytest.raises(OptionError, match=message):
            Segment(**arguments)

    def test_a_covariate_is_checked(self):
        with pytest.raises(OptionError, match=r"Covariate sd=-1 is not accepted"):
            Covariate(sd=-1)


@pytest.fixture(scope="module")
def chain():
    return retail_chain()


@pytest.fixture(scope="module")
def large():
    """A chain so large that sampling error of stores hardly matters."""
    return retail_chain(stores=8_000, quarters=4, rng=1)


def cell_means(made) -> pd.DataFrame:
    """Latent values, engagement, NPS and top-two csat of the cells of a chain."""
    key = ["store", "quarter"]
    staff = made.employees[key].assign(
        items=made.employees[["e1", "e2", "e3"]].astype("Float64").mean(axis=1).astype(float)
    )
    guests = made.customers[key].assign(
        nps=100.0 * (made.customers["recommend"] >= 9) - 100.0 * (made.customers["recommend"] <= 6),
        top2=(made.customers["csat"] >= 4).astype(float),
    )
    cells = made.latent.set_index(key)
    return cells.join(staff.groupby(key).mean()).join(guests.groupby(key).mean())


@pytest.fixture(scope="module")
def large_cells(large):
    return cell_means(large)


class TestRetailChain:
    def test_the_same_seed_gives_the_same_data(self, chain):
        again = retail_chain()
        for name in ("employees", "customers", "stores", "latent"):
            pd.testing.assert_frame_equal(getattr(chain, name), getattr(again, name))
        assert chain.truth == again.truth
        other = retail_chain(rng=np.random.default_rng(2))
        assert not chain.customers["recommend"].equals(other.customers["recommend"])

    def test_size_and_columns(self, chain):
        assert list(chain.employees.columns) == [
            "store", "quarter", "region", "e1", "e2", "e3", "e4_reversed", "leader1", "leader2",
        ]  # fmt: skip
        assert list(chain.customers.columns) == [
            "store", "quarter", "recommend", "csat", "wait_minutes",
        ]  # fmt: skip
        assert list(chain.stores.columns) == [
            "store", "region", "size", "headcount", "opened", "closed",
        ]  # fmt: skip
        assert 12_000 <= len(chain.employees) <= 15_000
        assert 45_000 <= len(chain.customers) <= 55_000
        assert chain.stores["store"].is_unique
        assert chain.stores["store"].iloc[0] == "S001"

    def test_answers_lie_on_their_scales(self, chain):
        items = chain.employees.drop(columns=["store", "quarter", "region"])
        assert (items.dtypes == "Int64").all()
        assert items.min().eq(1).all()
        assert items.max().eq(5).all()
        assert items.isna().mean().between(0.01, 0.03).all()
        assert set(chain.customers["recommend"]) == set(range(11))
        assert set(chain.customers["csat"]) == {1, 2, 3, 4, 5}
        assert chain.customers["wait_minutes"].min() > 0

    def test_quarters_are_dates(self, chain):
        assert chain.employees["quarter"].dtype.kind == "M"
        found = chain.employees["quarter"].drop_duplicates().sort_values().dt.strftime("%F")
        assert found.tolist()[:5] == [
            "2023-01-01", "2023-04-01", "2023-07-01", "2023-10-01", "2024-01-01",
        ]  # fmt: skip
        assert len(found) == 8

    def test_items_hang_together_and_the_reversed_one_runs_against(self, chain):
        related = chain.employees[["e1", "e2", "e3", "e4_reversed", "leader1"]].corr()
        assert related.loc["e1", ["e2", "e3"]].min() > 0.3
        assert related.loc["e1", "e4_reversed"] < -0.3
        assert 0.1 < related.loc["e1", "leader1"] < related.loc["e1", "e2"]
        assert chain.customers[["recommend", "wait_minutes"]].corr().iloc[0, 1] < -0.1

    def test_closures_and_late_openings(self, chain):
        held = chain.latent.groupby("store")["quarter"].agg(["min", "max"])
        dated = chain.stores.set_index("store")
        closed = held.index[held["max"] < held["max"].max()]
        late = held.index[held["min"] > held["min"].min()]
        assert len(closed) == 6
        assert len(late) == 4
        assert set(closed) == set(dated.index[dated["closed"].notna()])
        assert (dated.loc[closed, "closed"] > held.loc[closed, "max"]).all()
        assert (dated.loc[late, "opened"] == held.loc[late, "min"]).all()
        assert (dated.drop(index=late)["opened"] < "2023-01-01").all()
        assert (held.loc[closed, "max"] >= "2023-10-01").all()

    def test_cells_are_uneven_and_some_have_one_side_only(self, chain):
        key = ["store", "quarter"]
        staff = chain.employees.groupby(key).size()
        guests = chain.customers.groupby(key).size()
        assert (staff.min(), staff.max()) == (3, 40)
        assert guests.min() >= 10
        assert guests.max() <= 150
        assert 20 <= (staff < 5).sum() <= 100
        assert len(staff.index.difference(guests.index)) >= 10
        assert len(guests.index.difference(staff.index)) >= 10
        assert set(staff.index.union(guests.index)) == set(map(tuple, chain.latent[key].to_numpy()))

    def test_regions_agree(self, chain):
        merged = chain.employees.merge(chain.stores, on="store")
        assert (merged["region_x"] == merged["region_y"]).all()

    def test_a_shift_of_the_latent_moves_the_measures_as_the_truth_says(self, large, large_cells):
        for latent, measure, name in (
            ("engagement", "items", "engagement_per_latent"),
            ("experience", "nps", "nps_per_latent"),
            ("experience", "top2", "csat_top2_per_latent"),
        ):
            both = large_cells[[latent, measure]].dropna().to_numpy()
            assert slope(both[:, 0], both[:, 1]) == pytest.approx(large.truth[name], rel=0.02)

    def test_latent_slopes_are_those_of_the_truth(self, large):
        full = large.latent.groupby("store").filter(lambda rows: len(rows) == 4)
        lead, ex, cx = (
            full.sort_values(["store", "quarter"])[name].to_numpy().reshape(-1, 4)
            for name in ("leadership", "engagement", "experience")
        )
        truth = large.truth
        assert slope(demeaned(ex), demeaned(cx)) == pytest.approx(
            truth["within_fixed_effects"], abs=0.02
        )
        assert slope(demeaned(lead), demeaned(ex)) == pytest.approx(
            truth["leadership_to_ex_same_wave"], abs=0.05
        )
        assert slope(ex.mean(1), cx.mean(1)) == pytest.approx(truth["between"], abs=0.03)
        assert slope(lead.mean(1), ex.mean(1)) == pytest.approx(
            truth["leadership_to_ex_between"], abs=0.03
        )

    def test_error_free_slope_of_nps_on_engagement(self, large, large_cells):
        """The latent, free of sampling error, serves as instrument for the observed measure."""
        cells = large_cells.dropna()
        means = cells.groupby("store")[["engagement", "items", "nps"]].mean()
        related = means.cov()
        error_free = related.loc["engagement", "nps"] / related.loc["engagement", "items"]
        assert error_free == pytest.approx(large.truth["nps_per_engagement_between"], rel=0.08)
        within = cells[["engagement", "items", "nps"]]
        within = within - within.groupby("store").transform("mean")
        related = (within - within.groupby("quarter").transform("mean")).cov()
        error_free = related.loc["engagement", "nps"] / related.loc["engagement", "items"]
        attenuated = related.loc["items", "nps"] / related.loc["items", "items"]
        truth = large.truth["nps_per_engagement_fixed_effects"]
        assert error_free == pytest.approx(truth, abs=2.0)
        assert 0 < attenuated < 0.6 * truth

    def test_employees_and_customers_agree_between_stores_in_the_default_chain(self, chain):
        means = cell_means(chain).groupby("store")[["items", "nps"]].mean()
        assert 0.2 < means.corr().iloc[0, 1] < 0.7

    @pytest.mark.parametrize("size", [(2, 2), (3, 3), (40, 12)])
    def test_other_sizes(self, size):
        made = retail_chain(stores=size[0], quarters=size[1], rng=1)
        assert len(made.stores) == size[0]
        assert made.latent["quarter"].nunique() == size[1]

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"stores": 1}, r"stores=1 is not accepted\. Give a whole number, 2 or more"),
            ({"quarters": 1.5}, r"quarters=1\.5 is not accepted"),
            ({"rng": "x"}, r"rng='x': a whole number"),
        ],
    )
    def test_errors_say_what_is_accepted(self, arguments, message):
        with pytest.raises(OptionError, match=message):
            retail_chain(**arguments)
