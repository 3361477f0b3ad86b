"""The simulated surveys have the ICC(1), alpha, slopes and gaps that their truth says."""

import inspect
import math

import numpy as np
import pandas as pd
import pytest

import eecx
from eecx.errors import OptionError
from eecx.evidence.gates import reliabilities
from eecx.simulate import Covariate, Mediator, Respondents, Segment, Surveys, panel, surveys
from eecx.simulate.panel import PanelOptions

KEY = ["unit", "wave"]
ROLES = Segment({"till": 0.7, "office": 0.3}, ex={"office": 1.0})
CHANNELS = Segment({"shop": 0.5, "phone": 0.3, "web": 0.2}, cx={"phone": -1.0, "web": 0.5})
WORLD = {
    "units": 10_000,
    "waves": 4,
    "same_wave": 0.4,
    "ex_to_cx": 0.2,
    "stable_cor": 0.5,
    "wave_shock_sd": 0.0,
}
EMPLOYEES = Respondents(10, spread=0.5, icc=0.2, alpha=0.8, items=4, segments={"role": ROLES})
CUSTOMERS = Respondents(
    7, fewest=3, icc=0.15, alpha=0.9, items=2, answers=(0, 10), segments={"channel": CHANNELS}
)
SIDES = ("ex", "cx")
TABLES = ("employees", "customers", "units", "latent")


@pytest.fixture(scope="module", params=[True, False], ids=["continuous", "rounded"])
def large(request):
    return surveys(
        **WORLD, employees=EMPLOYEES, customers=CUSTOMERS, continuous=request.param, rng=1
    )


def items(made: Surveys, side: str) -> np.ndarray:
    """Answers to the items of one scale, respondents x items."""
    table = made.customers if side == "cx" else made.employees
    return table.filter(regex=rf"^{side}\d").to_numpy(dtype=float, na_value=np.nan)


def cells(made: Surveys, side: str) -> pd.core.groupby.SeriesGroupBy:
    """Scale scores, grouped by unit and wave."""
    table = made.customers if side == "cx" else made.employees
    return table[KEY].assign(score=items(made, side).mean(axis=1)).groupby(KEY)["score"]


def icc1(groups: pd.core.groupby.SeriesGroupBy) -> float:
    """ICC(1) from the one-way analysis of variance of uneven groups."""
    n, mean, spread = groups.size(), groups.mean(), groups.var(ddof=0)
    grand = (n * mean).sum() / n.sum()
    between = (n * (mean - grand) ** 2).sum() / (len(n) - 1)
    within = (n * spread).sum() / (n.sum() - len(n))
    usual = (n.sum() - (n**2).sum() / n.sum()) / (len(n) - 1)
    return (between - within) / (between + (usual - 1) * within)


def slope(x: np.ndarray, y: np.ndarray) -> float:
    covariance = np.cov(x.ravel(), y.ravel())
    return covariance[0, 1] / covariance[0, 0]


def demeaned(values: np.ndarray) -> np.ndarray:
    """Deviations from unit and wave means."""
    return values - values.mean(1, keepdims=True) - values.mean(0) + values.mean()


def grid(made: Surveys, column: str) -> np.ndarray:
    """Units x waves of a latent column of complete surveys."""
    return made.latent[column].to_numpy().reshape(len(made.units), -1)


class TestTruthIsFound:
    @pytest.mark.parametrize("side", ["ex", "cx"])
    def test_icc1_and_alpha(self, large, side):
        answered = items(large, side)
        k = answered.shape[1]
        alpha = k / (k - 1) * (1 - answered.var(axis=0).sum() / answered.sum(axis=1).var())
        assert alpha == pytest.approx(large.truth[f"alpha_{side}"], abs=0.004)
        assert icc1(cells(large, side)) == pytest.approx(large.truth[f"icc1_{side}"], abs=0.01)

    def test_before_rounding_they_are_as_given(self):
        exact = surveys(employees=EMPLOYEES, customers=CUSTOMERS, continuous=True, rng=1).truth
        assert (exact["icc1_ex"], exact["alpha_ex"]) == (0.2, 0.8)
        assert (exact["icc1_cx"], exact["alpha_cx"]) == (0.15, 0.9)
        assert exact["ex_per_latent"] == exact["cx_per_latent"] == 1.0
        assert exact["icc2_ex"] == pytest.approx(10 * 0.2 / (1 + 9 * 0.2))
        rounding = surveys(employees=EMPLOYEES, customers=CUSTOMERS, rng=1).truth
        assert rounding["icc1_ex"] < 0.2
        assert rounding["alpha_ex"] < 0.8

    @pytest.mark.parametrize("side", ["ex", "cx"])
    def test_reliability_and_points_per_latent(self, large, side):
        """On latent values the slope is the points, r squared the reliability."""
        observed = cells(large, side).mean().to_numpy().reshape(len(large.units), -1)
        true = grid(large, side)
        truth = large.truth
        assert slope(true, observed) == pytest.approx(truth[f"{side}_per_latent"], rel=0.02)
        between = np.corrcoef(true.mean(1), observed.mean(1))[0, 1] ** 2
        change = np.corrcoef(demeaned(true).ravel(), demeaned(observed).ravel())[0, 1] ** 2
        assert between == pytest.approx(truth[f"reliability_between_{side}"], abs=0.015)
        assert change == pytest.approx(truth[f"reliability_change_{side}"], abs=0.02)

    def test_slopes_and_their_attenuation(self, large):
        ex, cx = (cells(large, s).mean().to_numpy().reshape(len(large.units), -1) for s in SIDES)
        true_ex, truth = grid(large, "ex"), large.truth
        scale = truth["cx_per_latent"] / truth["ex_per_latent"]
        between = slope(ex.mean(1), cx.mean(1))
        within = slope(demeaned(ex), demeaned(cx))
        assert between == pytest.approx(truth["between_unit_means"], abs=0.03 * scale)
        assert within == pytest.approx(truth["within_fixed_effects"], abs=0.03 * scale)
        free = slope(true_ex.mean(1), cx.mean(1)) / truth["ex_per_latent"]
        assert free == pytest.approx(truth["between_unit_means_error_free"], abs=0.04 * scale)
        free = slope(demeaned(true_ex), demeaned(cx)) / truth["ex_per_latent"]
        assert free == pytest.approx(truth["within_fixed_effects_error_free"], abs=0.04 * scale)

    @pytest.mark.parametrize(
        ("slope", "level"), [("between_unit_means", "between"), ("within_fixed_effects", "change")]
    )
    def test_sampling_error_shrinks_by_the_reliability_of_ex(self, large, slope, level):
        shrunk = large.truth[f"{slope}_error_free"] * large.truth[f"reliability_{level}_ex"]
        assert large.truth[slope] == pytest.approx(shrunk)

    def test_paths_are_those_of_the_panel(self, large):
        of_panel = panel(**WORLD, rng=1).truth
        changed = {"between_unit_means", "within_fixed_effects"}
        assert {name: large.truth[name] for name in of_panel if name not in changed} == {
            name: value for name, value in of_panel.items() if name not in changed
        }
        x, y = grid(large, "within_ex"), grid(large, "within_cx")
        past = np.column_stack([x[:, :-1].ravel(), y[:, :-1].ravel()])
        later = np.linalg.lstsq(past, y[:, 1:].ravel())[0][0]
        assert later == pytest.approx(large.truth["ex_to_later_cx"], abs=0.03)

    def test_respondents_of_one_kind_differ_as_their_segments_say(self, large):
        by_role = pd.Series(items(large, "ex").mean(1)).groupby(large.employees["role"]).mean()
        apart = by_role["office"] - by_role["till"]
        assert apart == pytest.approx(1.0 * large.truth["ex_per_latent"], rel=0.05)
        shares = large.customers["channel"].value_counts(normalize=True)
        assert shares.to_dict() == pytest.approx(dict(CHANNELS.shares), abs=0.01)

    def test_segments_leave_the_level_of_the_unit(self):
        made = surveys(**WORLD, customers=CUSTOMERS, continuous=True, rng=2)
        true = np.average(made.latent["cx"], weights=made.latent["n_cx"])
        assert items(made, "cx").mean() == pytest.approx(true, abs=0.03)

    def test_eecx_estimates_the_same_reliability(self):
        made = surveys(units=400, waves=6, employees=20, customers=20, rng=3)
        found = reliabilities(eecx.link(*as_surveys(made), disclosure_n=1), "ex")
        assert found.between == pytest.approx(made.truth["reliability_between_ex"], abs=0.05)
        assert found.change == pytest.approx(made.truth["reliability_change_ex"], abs=0.05)


def as_surveys(made: Surveys) -> tuple[eecx.Survey, eecx.Survey]:
    return tuple(
        eecx.Survey(
            table,
            unit="unit",
            wave="wave",
            measures={side: eecx.Scale([f"{side}{k}" for k in (1, 2, 3)], range=(1, 5))},
        )
        for side, table in (("ex", made.employees), ("cx", made.customers))
    )


class TestRespondents:
    @pytest.mark.parametrize(
        "who",
        [
            Respondents(10, spread=0.7),
            Respondents(4, spread=0.0),
            Respondents(30, spread=1.5, fewest=5),
            Respondents(10, spread=0.7, response=0.4),
        ],
    )
    def test_numbers_are_uneven_as_described(self, who):
        made = surveys(units=20_000, waves=1, employees=who, customers=1, rng=4)
        n = made.latent["n_ex"].to_numpy()
        assert n.mean() == pytest.approx(who.mean, rel=0.03)
        assert n.min() >= who.fewest
        assert (1 / n).mean() == pytest.approx(who.inverse, rel=0.02)
        more = who.mean - who.fewest
        assert n.var() == pytest.approx(more + (who.spread * more) ** 2, rel=0.1)
        assert made.employees.groupby(KEY).size().to_numpy().tolist() == n.tolist()

    def test_exactly_so_many(self):
        made = surveys(units=20, waves=3, employees=Respondents(6, fewest=6), rng=1)
        assert (made.latent["n_ex"] == 6).all()
        assert Respondents(6, fewest=6).inverse == 1 / 6

    def test_large_units_stay_large(self):
        made = surveys(units=500, waves=2, employees=Respondents(30, spread=0.8), rng=1)
        assert np.corrcoef(grid(made, "n_ex").T)[0, 1] > 0.8

    def test_headcount_bounds_the_respondents(self):
        who = Respondents(12, response=0.6, icc=0.3)
        made = surveys(units=2_000, waves=3, employees=who, customers=3, rng=2, continuous=True)
        people = np.repeat(made.units["headcount"].to_numpy(), 3)
        assert (made.latent["n_ex"] <= people).all()
        assert people.mean() == pytest.approx(20, rel=0.03)
        assert "customer_base" not in made.units

    def test_finite_population_correction(self):
        """A cell's mean lies nearer to the mean of all its people, by 1 - n/N."""
        who = Respondents(
            12, response=0.6, icc=0.3, alpha=1.0, items=1, segments={"role": ROLES}, spread=0.2
        )
        made = surveys(units=6_000, waves=1, employees=who, customers=1, rng=2, continuous=True)
        table = made.latent.assign(
            people=made.units["headcount"].to_numpy(), seen=cells(made, "ex").mean().to_numpy()
        )
        spread = table["ex"].var() * (1 / who.icc - 1)
        expected = (spread * (1 - table["n_ex"] / table["people"]) / table["n_ex"]).mean()
        away = table["seen"] - table["census_ex"]
        assert (away**2).mean() == pytest.approx(expected, rel=0.05)
        assert ((table["seen"] - table["ex"]) ** 2).mean() > 1.5 * expected

    def test_share_of_missing_items(self):
        who = Respondents(10, missing_items=0.15)
        made = surveys(employees=who, customers=Respondents(10), rng=1)
        lost = made.employees[["ex1", "ex2", "ex3"]].isna()
        assert lost.mean().tolist() == pytest.approx([0.15] * 3, abs=0.015)
        assert lost.all(axis=1).mean() == pytest.approx(0.15**3, abs=0.003)
        assert not made.customers.isna().to_numpy().any()

    def test_answers_lie_on_their_scale_with_the_stated_middle(self):
        who = Respondents(20, answers=(1, 7), centre=4.0, answer_sd=1.0)
        made = surveys(units=400, employees=who, wave_shock_sd=0.0, rng=1)
        answers = made.employees[["ex1", "ex2", "ex3"]].astype(float)
        assert made.employees["ex1"].dtype == "Int64"
        assert set(np.unique(answers)) == set(range(1, 8))
        assert answers.mean().tolist() == pytest.approx([4.0] * 3, abs=0.06)
        assert answers.std().tolist() == pytest.approx([math.sqrt(1 + 1 / 12)] * 3, abs=0.03)
        wide = Respondents(1).middle()
        assert wide == (pytest.approx(3.6), 1.0)


class TestUnitsAndGaps:
    def test_the_same_seed_gives_the_same_data(self):
        options = {"units": 10, "waves": 3, "missing": 0.1, "closures": 0.2}
        first, second = surveys(**options, rng=7), surveys(**options, rng=7)
        for name in TABLES:
            pd.testing.assert_frame_equal(getattr(first, name), getattr(second, name))
        assert first.truth == second.truth
        other = surveys(**options, rng=8)
        assert not first.employees.equals(other.employees)
        moved = np.random.default_rng(7)
        pd.testing.assert_frame_equal(surveys(**options, rng=moved).customers, first.customers)
        assert not surveys(**options, rng=moved).customers.equals(first.customers)

    def test_missing_cells_and_waves_have_no_respondents(self):
        made = surveys(
            units=300, waves=6, missing=0.1, missing_waves_ex=[2, 4], missing_waves_cx=[6], rng=1
        )
        assert sorted(made.employees["wave"].unique()) == [1, 3, 5, 6]
        assert sorted(made.customers["wave"].unique()) == [1, 2, 3, 4, 5]
        assert len(made.latent) == 1_800
        asked = made.latent[~made.latent["wave"].isin([2, 4])]
        assert (asked["n_ex"] == 0).mean() == pytest.approx(0.1, abs=0.03)
        assert not made.latent[["ex", "cx"]].isna().to_numpy().any()

    def test_closures(self):
        made = surveys(units=40, waves=5, closures=0.25, rng=1)
        assert (made.units["last_wave"] < 5).sum() == 10
        last = made.employees.groupby("unit")["wave"].max()
        assert last.tolist() == made.units["last_wave"].tolist()

    def test_covariates_and_segments_of_units(self):
        made = surveys(
            units=50,
            covariates={"size": Covariate(cx=-0.3)},
            segments={"region": Segment({"n": 0.5, "s": 0.5}, cx={"n": 1.0})},
            employees=Respondents(3, response=0.5),
            rng=1,
        )
        assert list(made.units.columns) == ["unit", "size", "region", "last_wave", "headcount"]
        linked = eecx.link(
            *as_surveys(made), covariates=made.units[["unit", "size"]], disclosure_n=1
        )
        assert "size" in linked.frame

    def test_a_mediator_is_a_second_scale_of_the_employees(self):
        made = surveys(
            units=2_000,
            waves=2,
            mediator=Mediator(a=0.5, b=0.4, lag=0),
            employees=Respondents(8, icc=0.3, alpha=0.8),
            customers=1,
            halo=0.6,
            wave_shock_sd=0.0,
            continuous=True,
            rng=1,
        )
        assert list(made.employees.columns) == [*KEY, "ex1", "ex2", "ex3", "m1", "m2", "m3"]
        assert icc1(cells(made, "m")) == pytest.approx(made.truth["icc1_m"], abs=0.015)
        scores = {name: items(made, name).mean(1) for name in ("ex", "m")}
        group = [made.employees[key] for key in KEY]
        own = [(v := pd.Series(s)) - v.groupby(group).transform("mean") for s in scores.values()]
        # of the variance within a cell, 1 - icc, persons have alpha - icc
        assert np.corrcoef(own)[0, 1] == pytest.approx(0.6 * (0.8 - 0.3) / (1 - 0.3), abs=0.02)
        assert made.truth["indirect"] == 0.2

    def test_a_single_item_has_no_alpha(self):
        truth = surveys(customers=Respondents(30, items=1, answers=(0, 10)), rng=1).truth
        assert math.isnan(truth["alpha_cx"])
        assert 0 < truth["icc1_cx"] < 0.12

    def test_the_options_are_those_of_the_panel(self):
        of_panel = set(inspect.signature(panel).parameters)
        assert of_panel - {"error_sd_ex", "error_sd_cx", "rng"} == set(PanelOptions.__annotations__)


class TestErrors:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"employees": 0}, r"employees=0 is not accepted\. Give a number at least 1"),
            ({"employees": "many"}, r"employees='many' is not accepted"),
            ({"halo": 1.5}, r"halo=1\.5 .* at least -1 and at most 1"),
            ({"error_sd_ex": 0.5}, r"error_sd_ex is no argument .* comes from the respondents"),
            ({"same_wav": 0.5}, r"no argument 'same_wav'\. Did you mean 'same_wave'"),
            ({"units": 1}, r"units=1 is not accepted"),
            ({"rng": -1}, r"rng=-1: a whole number of 0 or more"),
            ({"mediator": Mediator(a=1, b=1, error_sd=1.0)}, r"error_sd=1\.0 .* Leave it at 0"),
            ({"stable_sd_ex": 0.0, "wave_sd": 0.0}, r"ex does not vary .* Give a stable or wave"),
            (
                {"employees": Respondents(5, segments={"role": CHANNELS})},
                r"Segment 'role' of employees has cx=.* Give ex=",
            ),
            (
                {"customers": Respondents(5, segments={"cx1": CHANNELS})},
                r"The segments of customers names 'cx1'\. Give text other than 'unit', 'wave'",
            ),
            (
                {"employees": Respondents(5, icc=0.8, segments={"role": ROLES})},
                r"The segments alone vary by 0\.21 .* Lower the shifts or icc",
            ),
        ],
    )
    def test_surveys(self, arguments, message):
        with pytest.raises(OptionError, match=message):
            surveys(**arguments)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"fewest": 0}, r"Respondents fewest=0 is not accepted\. Give a whole number, 1"),
            ({"fewest": 11}, r"Respondents mean=10 .* at least 11"),
            ({"spread": -0.1}, r"Respondents spread=-0\.1"),
            ({"response": 0.0}, r"Respondents response=0\.0 .* above 0 and at most 1"),
            ({"icc": 0.0}, r"Respondents icc=0\.0 .* above 0 and below 1"),
            ({"icc": 0.5, "alpha": 0.4}, r"Respondents alpha=0\.4 .* above 0\.5 and at most 1"),
            ({"items": 0}, r"Respondents items=0"),
            ({"answers": (5, 1)}, r"answers=\(5, 1\) .* whole numbers, such as \(1, 5\)"),
            ({"answers": 5}, r"answers=5 is not accepted"),
            ({"answers": (1.0, 5.0)}, r"as whole numbers"),
            ({"answer_sd": 0}, r"Respondents answer_sd=0 .* above 0"),
            ({"centre": math.nan}, r"Respondents centre=nan"),
            ({"missing_items": 1.0}, r"Respondents missing_items=1\.0 .* below 1"),
        ],
    )
    def test_respondents(self, arguments, message):
        with pytest.raises(OptionError, match=message):
            Respondents(10, **arguments)
