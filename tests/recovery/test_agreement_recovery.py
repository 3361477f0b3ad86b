"""Reliability, ICC and corrected slopes: simulated truth is found and intervals cover it."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import eecx
from eecx import AcrossTouchpoints, Dispersion, Mean, Scale, Survey
from eecx.agreement.answers import Scores
from eecx.agreement.icc import anova, variance_components
from eecx.agreement.reliability import BETWEEN, CHANGE, ONE_WAVE, Cells, estimate, level_sums
from eecx.association.attenuation import _level
from eecx.simulate import Respondents, surveys

ITEMS = {side: [f"{side}{k}" for k in (1, 2, 3)] for side in ("ex", "cx")}
WIDE = (-99, 99)  # continuous answers are not bounded


def sides(made):
    return tuple(
        Survey(
            table,
            unit="unit",
            wave="wave",
            measures={side: Scale(ITEMS[side], range=WIDE)},
        )
        for side, table in (("ex", made.employees), ("cx", made.customers))
    )


def assert_covers(covered, runs, low=0.92, high=0.98):
    """As often as they say, up to chance (p = 0.001 on either side)."""
    assert stats.binom.ppf(0.001, runs, low) <= covered <= stats.binom.isf(0.001, runs, high)


@pytest.fixture(scope="module")
def large():
    return surveys(
        units=1200,
        waves=4,
        same_wave=0.4,
        stable_cor=0.5,
        employees=Respondents(10, spread=0.5, fewest=2, icc=0.2),
        customers=Respondents(15, fewest=2, icc=0.1),
        continuous=True,
        wave_shock_sd=0.5,
        rng=1,
    )


class TestLarge:
    @pytest.mark.parametrize("side", ["ex", "cx"])
    def test_icc_is_found_behind_the_waves(self, large, side):
        survey = sides(large)[side == "cx"]
        result = eecx.icc(survey, side)
        truth = large.truth[f"icc1_{side}"]
        for term in ("ICC(1)", "ICC(1), REML", "ICC(1), ML"):
            assert result[term]["estimate"] == pytest.approx(truth, abs=0.015)
        assert eecx.alpha(survey, side)["alpha"]["estimate"] == pytest.approx(
            large.truth[f"alpha_{side}"], abs=0.02
        )

    @pytest.mark.parametrize("side", ["ex", "cx"])
    def test_reliabilities_are_found(self, large, side):
        found = eecx.reliability(sides(large)[side == "cx"]).table.set_index("level")
        for level, key in ((BETWEEN, "between"), (CHANGE, "change")):
            row, truth = found.loc[level], large.truth[f"reliability_{key}_{side}"]
            assert row["std_error"] < 0.03
            assert abs(row["estimate"] - truth) < 3 * row["std_error"]

    def test_correction_finds_the_slopes_free_of_error(self, large):
        panel = eecx.link(*sides(large), disclosure_n=1)
        found = eecx.attenuation(panel, "ex", "cx", draws=0).table
        own = found.set_index(["level", "version", "term"])
        for level, key in ((BETWEEN, "between_unit_means"), (CHANGE, "within_fixed_effects")):
            for version, end in (("observed", ""), ("corrected", "_error_free")):
                row = own.loc[(level, version, "slope")]
                assert row["std_error"] < 0.06
                assert abs(row["estimate"] - large.truth[key + end]) < 3.5 * row["std_error"]
            observed, corrected = (
                own.loc[(level, v, "slope"), "estimate"] for v in ("observed", "corrected")
            )
            assert abs(corrected) > abs(observed)

    def test_respondents_needed_reach_the_target(self, large):
        """The number that is told, asked everywhere, gives about the reliability aimed at."""
        even = {"spread": 0.0, "icc": 0.2}
        made = surveys(
            units=800, waves=1, employees=Respondents(6, fewest=6, **even), continuous=True, rng=2
        )
        row = eecx.reliability(sides(made)[0], target=0.8).table.iloc[0]
        needed = int(row["respondents_needed"])
        assert needed == pytest.approx(0.8 / 0.2 * 0.8 / 0.2, rel=0.2)
        more = surveys(
            units=800,
            waves=1,
            employees=Respondents(needed, fewest=needed, **even),
            continuous=True,
            rng=3,
        )
        assert eecx.reliability(sides(more)[0]).table["estimate"][0] == pytest.approx(0.8, abs=0.04)

    def test_a_known_headcount_gives_the_reliability_against_the_census(self):
        made = surveys(
            units=1500,
            waves=2,
            employees=Respondents(12, response=0.6, icc=0.15, fewest=3, items=1, alpha=1.0),
            customers=3,
            continuous=True,
            wave_shock_sd=0.0,
            rng=4,
        )
        survey = Survey(made.employees, unit="unit", wave="wave", measures={"ex": Mean("ex1")})
        people = made.units[["unit", "headcount"]]
        seen = made.employees.groupby(["unit", "wave"])["ex1"].mean().to_numpy()
        census = made.latent["census_ex"].to_numpy()
        first = (made.latent["wave"] == 1).to_numpy()
        r2 = np.mean([np.corrcoef(seen[w], census[w])[0, 1] ** 2 for w in (first, ~first)])
        of_census, of_process = (
            eecx.reliability(survey, population=p).table.set_index("level").loc[ONE_WAVE]
            for p in (people, None)
        )
        assert of_census["estimate"] == pytest.approx(r2, abs=0.02)
        assert of_process["estimate"] < r2 - 0.08


def small_cells(rng, units=60, waves=4, n=8, slope=0.5):
    """Values with their estimated sampling variances: x and y, true slope at both levels alike."""
    stable, change = rng.normal(size=(units, 1)), 0.7 * rng.normal(size=(units, waves))
    x = stable + change
    y = slope * x + 0.5 * rng.normal(size=(units, waves)) + 0.5 * rng.normal(size=(units, 1))
    frame = pd.DataFrame(
        {"unit": np.repeat(np.arange(units), waves), "time": np.tile(np.arange(waves), units)}
    )
    value, variance = {}, {}
    for name, true in (("x", x), ("y", y)):
        v = 4.0 / n
        value[name] = (true + np.sqrt(v) * rng.normal(size=true.shape)).ravel()
        variance[name] = v * rng.chisquare(n - 1, true.size) / (n - 1)
    size = pd.DataFrame(8.0, frame.index, ["x", "y"])
    return Cells(frame, pd.DataFrame(value), pd.DataFrame(variance), size)


class TestIntervals:
    def test_of_icc(self):
        """Small surveys of normal scores; half of them with uneven units."""
        rng, truth, runs = np.random.default_rng(1), 0.2, 400
        covered = close = 0
        reml = []
        for run in range(runs):
            n = rng.integers(4, 9, 25).astype(float) if run % 2 else np.full(25, 6.0)
            mean = rng.normal(size=25) * np.sqrt(truth + (1 - truth) / n)
            m2 = (1 - truth) * rng.chisquare(n - 1)
            scores = Scores("y", "unit", None, pd.DataFrame({"unit": n}), n, mean, m2, 0)
            found = anova(scores)
            low, high = (found.icc1(found.k0, f) for f in found.limits(0.95))
            covered += low < truth < high
            close += found.icc1(found.k0)
            tau2, sigma2 = variance_components(scores, "reml")
            reml.append(tau2 / (tau2 + sigma2))
        assert_covers(covered, runs)
        assert close / runs == pytest.approx(truth, abs=0.02)
        assert np.mean(reml) == pytest.approx(truth, abs=0.02)

    def test_of_reliability_and_corrected_slopes(self):
        runs, noise = 120, 4.0 / 8
        truth = {BETWEEN: 1 + 0.49 / 4, CHANGE: 0.49}
        inside = dict.fromkeys([*truth, f"slope {BETWEEN}", f"slope {CHANGE}"], 0)
        rng = np.random.default_rng(2)
        corrected, observed = [], []
        for _ in range(runs):
            cells = small_cells(rng)
            for level, signal in truth.items():
                error = noise / 4 if level == BETWEEN else noise
                value, se, _, units = estimate(cells, "x", level)
                reach = stats.t.isf(0.025, units - 1) * se
                inside[level] += abs(value - signal / (signal + error)) < reach
                squares, own, _ = level_sums(cells, ["x", "y"], level)
                sums = np.column_stack([squares[:, 0, 0], squares[:, 0, 1], squares[:, 1, 1], own])
                rows = pd.DataFrame(_level(sums, 0, rng, 0.95)[0])
                table = rows.set_index(["term", "version"])
                row = table.loc[("slope", "corrected")]
                inside[f"slope {level}"] += row["conf_low"] < 0.5 < row["conf_high"]
                if level == CHANGE:
                    corrected.append(row["estimate"])
                    observed.append(table.loc[("slope", "observed"), "estimate"])
        for covered in inside.values():
            assert_covers(covered, runs, low=0.91)
        error = np.std(corrected) / np.sqrt(runs)
        assert abs(np.mean(corrected) - 0.5) < 4 * error + 0.01
        assert np.mean(observed) == pytest.approx(0.5 * 0.49 / (0.49 + noise), abs=0.02)

    def test_of_alpha(self):
        """Parallel normal items: Feldt's interval is exact, and close to the normal one."""
        rng, runs = np.random.default_rng(3), 160
        truth, covered, normal = 4 * 0.4 / (1 + 3 * 0.4), 0, 0
        for _ in range(runs):
            x = np.sqrt(0.4) * rng.normal(size=(60, 1)) + np.sqrt(0.6) * rng.normal(size=(60, 4))
            table = eecx.Moments.from_correlations(np.corrcoef(x.T), n=60, sd=x.std(0, ddof=1))
            found = eecx.alpha(table).table
            inside = (found["conf_low"] < truth) & (truth < found["conf_high"])
            covered += inside[0]
            normal += inside[1]
        assert_covers(covered, runs)
        assert_covers(normal, runs, low=0.90)


def test_p_of_random_groups_is_even_where_units_are_nothing():
    rng = np.random.default_rng(4)
    unit = np.repeat(np.arange(8), 4)
    found = [
        eecx.random_groups(
            pd.DataFrame({"unit": unit, "y": rng.normal(size=32)}),
            "y",
            unit="unit",
            draws=99,
            rng=int(rng.integers(1 << 30)),
        ).table["p_value"][0]
        for _ in range(50)
    ]
    assert stats.kstest(found, "uniform").pvalue > 0.001
    assert min(found) >= 0.01


class TestSplitSample:
    def simulated(self, shared, halo, seed=5, units=250, people=12):
        """Two measures: what units share, and a halo that persons bring to both."""
        rng = np.random.default_rng(seed)
        own = rng.normal(size=(units, 2))
        own[:, 1] = shared * own[:, 0] + np.sqrt(1 - shared**2) * own[:, 1]
        person = 2 * rng.normal(size=(units, people, 1))
        values = own[:, None, :] + halo * person + 2 * rng.normal(size=(units, people, 2))
        frame = pd.DataFrame(values.reshape(-1, 2), columns=["x", "y"])
        return Survey(
            frame.assign(unit=np.repeat(np.arange(units), people)),
            unit="unit",
            measures={"x": Mean("x"), "y": Mean("y")},
        )

    def found(self, survey):
        result = eecx.split_sample(survey, "x", "y", splits=30)
        r = result.table[result.table["term"] == "correlation"].set_index("version")["estimate"]
        return r, result.stats["covariance_all_splits"]

    def test_a_halo_is_taken_out(self):
        r, covariance = self.found(self.simulated(shared=0.0, halo=1.0))
        assert r["same people"] > 0.15
        assert abs(r["different people"]) < 0.1
        assert abs(covariance) < 0.3
        assert r["same people, half of them"] > r["same people"]

    def test_what_units_share_is_left(self):
        r, covariance = self.found(self.simulated(shared=0.6, halo=1.0, units=600))
        assert covariance == pytest.approx(0.6, abs=0.15)
        assert 0.15 < r["different people"] < r["same people"]


class TestComposition:
    @pytest.mark.parametrize(
        ("draw", "sd", "n", "rel"),
        [
            ("standard_normal", 1, 20, 0.1),
            ("random", 12**-0.5, 20, 0.1),
            ("standard_exponential", 1, 60, 0.25),  # its tails are too rare for 60 people to tell
        ],
    )
    def test_sampling_variance_of_a_dispersion(self, draw, sd, n, rel):
        rng = np.random.default_rng(6)
        values = getattr(rng, draw)(size=(4000, n)) + 100
        frame = pd.DataFrame({"unit": np.repeat(np.arange(4000), n), "y": values.ravel()})
        long = Survey(frame, unit="unit", measures={"d": Dispersion(Mean("y"))}).scores()
        assert long["variance"].mean() == pytest.approx(long["value"].var(ddof=1), rel=rel)
        covered = ((long["conf_low"] < sd) & (long["conf_high"] > sd)).mean()
        assert (0.83 if draw == "standard_exponential" else 0.91) < covered < 0.98

    def test_spread_of_units_beyond_chance_is_found(self):
        """Reliability of a dispersion: the share of its variance that is not sampling error."""
        rng = np.random.default_rng(7)
        sd = np.exp(0.3 * rng.normal(size=(2000, 1)))
        values = sd * rng.normal(size=(2000, 25))
        frame = pd.DataFrame({"unit": np.repeat(np.arange(2000), 25), "y": values.ravel()})
        survey = Survey(frame, unit="unit", measures={"d": Dispersion(Mean("y"))})
        truth = np.corrcoef(values.std(axis=1, ddof=1), sd.ravel())[0, 1] ** 2
        found = eecx.reliability(survey).table["estimate"][0]
        assert found == pytest.approx(truth, abs=0.03)

    @pytest.mark.parametrize(
        ("distance", "left"), [((0, 0, 0), 0.65), ((0, 0.5, 1), 0.4), ((0, 0.2, 3), 0.55)]
    )
    @pytest.mark.parametrize("better", ["higher", "lower"])
    def test_worst_touchpoint_is_less_biased_than_the_plain_minimum(self, distance, left, better):
        """True touchpoints lie so many standard errors apart; how much of the bias is left."""
        rng, units, n = np.random.default_rng(8), 1500, 15
        sign = 1 if better == "higher" else -1
        true = sign * np.array(distance) / np.sqrt(n)
        y = true[None, :, None] + rng.normal(size=(units, 3, n))
        frame = pd.DataFrame(
            {
                "unit": np.repeat(np.arange(units), 3 * n),
                "place": np.tile(np.repeat(list("abc"), n), units),
                "y": y.ravel(),
            }
        )
        measure = AcrossTouchpoints(Mean("y", better=better), how="worst", better=better)
        survey = Survey(frame, unit="unit", touchpoint="place", measures={"w": measure})
        found = survey.scores(by=())
        plain = sign * (sign * y.mean(axis=2)).min(axis=1)
        bias, before = (sign * (v - true[0]).mean() for v in (found["value"], plain))
        assert before < -0.1
        assert abs(bias) < left * abs(before)
        covered = ((found["conf_low"] < true[0]) & (true[0] < found["conf_high"])).mean()
        assert 0.86 < covered < 0.97  # the noise of the correction itself is not in the interval

    def test_dispersion_over_touchpoints_is_net_of_chance(self):
        rng, units, n = np.random.default_rng(9), 400, 30
        true = rng.normal(0, 0.5, (units, 6))
        y = true[:, :, None] + rng.normal(size=(units, 6, n))
        frame = pd.DataFrame(
            {
                "unit": np.repeat(np.arange(units), 6 * n),
                "place": np.tile(np.repeat(list("abcdef"), n), units),
                "y": y.ravel(),
            }
        )
        measure = AcrossTouchpoints(Mean("y"), how="dispersion")
        survey = Survey(frame, unit="unit", touchpoint="place", measures={"d": measure})
        found = survey.scores(by=())["value"]
        real = true.std(axis=1, ddof=1)
        assert (found**2 - real**2).mean() == pytest.approx(0, abs=0.015)
        assert np.corrcoef(found, real)[0, 1] > 0.8
