"""Agreement, ICC, alpha and reliability: the algebra that must hold, on every engine."""

from itertools import combinations, product

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import eecx
from eecx import Mean, Moments, Scale, Survey

ITEMS = ["q1", "q2", "q3", "q4"]
KEYS = {"unit": "store", "wave": "wave"}
OPEN = {"disclosure_n": 1}
RANGE = (1, 5)


def answers(seed=1, units=8, waves=2):
    """Whole answers 1 to 5 of 2 to 9 people a cell, who share something; a few gaps."""
    rng = np.random.default_rng(seed)
    size = rng.integers(2, 10, units * waves)
    cell = np.repeat(np.arange(units * waves), size)
    level = 3.2 + 0.5 * rng.normal(size=units * waves)[cell] + 0.6 * rng.normal(size=len(cell))
    made = {"store": cell // waves + 100, "wave": cell % waves + 2020}
    for item in ITEMS:
        made[item] = np.clip(np.rint(level + 0.8 * rng.normal(size=len(cell))), 1, 5).astype(int)
    frame = pd.DataFrame(made).assign(score=np.round(level, 2))
    return frame.assign(store="s" + frame["store"].astype(str))


def with_gaps(frame, seed=2):
    rng = np.random.default_rng(seed)
    holes = rng.random((len(frame), len(ITEMS))) < 0.05
    out = frame.assign(**frame[ITEMS].astype("Int64").mask(holes))
    out.loc[rng.random(len(frame)) < 0.03, "store"] = None
    return out


@pytest.fixture(scope="module")
def frame():
    return answers()


@pytest.fixture(scope="module")
def gaps():
    return with_gaps(answers(11, units=7, waves=2))


def by_unit(result, column):
    table = result.tables["units"].rename(columns={"unit": "store"})
    return table.set_index(["store", *(["wave"] if "wave" in table else [])])[column].sort_index()


INDICES = {
    "rwg": (lambda d, r, **k: eecx.rwg(d, ITEMS, range=r, **k, **OPEN), "uniform"),
    "rwg of one": (lambda d, r, **k: eecx.rwg(d, "q1", range=r, **k, **OPEN), "slight skew"),
    "AD mean": (lambda d, r, **k: eecx.ad_index(d, ITEMS, range=r, **k, **OPEN), "mean"),
    "AD median": (lambda d, r, **k: eecx.ad_index(d, "q2", range=r, **k, **OPEN), "median"),
    "awg": (lambda d, r, **k: eecx.awg(d, ITEMS, range=r, **k, **OPEN), "awg"),
}


class TestInvariance:
    @pytest.mark.parametrize("name", INDICES)
    def test_agreement_does_not_see_a_shift_of_answers_and_range(self, frame, name):
        index, column = INDICES[name]
        shift = 17
        moved = index(frame.assign(**frame[ITEMS] + shift), (1 + shift, 5 + shift), **KEYS)
        expected = by_unit(index(frame, RANGE, **KEYS), column)
        pd.testing.assert_series_equal(by_unit(moved, column), expected, rtol=1e-12, atol=1e-12)

    @pytest.mark.parametrize("name", INDICES)
    def test_agreement_does_not_see_a_mirrored_scale(self, frame, name):
        index, column = INDICES[name]
        mirrored = by_unit(index(frame.assign(**6 - frame[ITEMS]), RANGE, **KEYS), column)
        expected = by_unit(index(frame, RANGE, **KEYS), column)
        pd.testing.assert_series_equal(mirrored, expected, rtol=1e-12, atol=1e-12)

    @pytest.mark.parametrize("name", INDICES)
    def test_order_of_rows_and_labels_of_units_do_not_matter(self, frame, name):
        index, column = INDICES[name]
        expected = by_unit(index(frame, RANGE, **KEYS), column)
        shuffled = frame.sample(frac=1, random_state=3).reset_index(drop=True)
        pd.testing.assert_series_equal(by_unit(index(shuffled, RANGE, **KEYS), column), expected)
        order = sorted(frame["store"].unique())
        renamed = frame.assign(store=frame["store"].map({s: -i for i, s in enumerate(order)}))
        found = by_unit(index(renamed, RANGE, **KEYS), column)
        assert found.sort_index(level="store", ascending=False, sort_remaining=False).tolist() == (
            pytest.approx(expected.tolist(), nan_ok=True)
        )

    @pytest.mark.parametrize("shift", [100.0, -3.0])
    def test_icc_and_alpha_do_not_see_where_the_scale_begins_or_its_unit(self, frame, shift):
        moved = frame.assign(score=frame["score"] * 7 + shift)
        found, expected = (eecx.icc(f, "score", **KEYS).table for f in (moved, frame))
        pd.testing.assert_frame_equal(found, expected, rtol=1e-9)
        moved = frame.assign(**frame[ITEMS] * 7 + shift)
        found, expected = (eecx.alpha(f, ITEMS).table for f in (moved, frame))
        pd.testing.assert_frame_equal(found, expected, rtol=1e-10)

    def test_icc_does_not_see_order_or_labels(self, frame):
        codes = frame["store"].rank(method="dense", ascending=False)
        other = frame.assign(store=codes.astype(int)).sample(frac=1, random_state=1)
        found, expected = (eecx.icc(f, "score", **KEYS).table for f in (other, frame))
        pd.testing.assert_frame_equal(found, expected, rtol=1e-9)

    def test_with_waves_icc_does_not_see_what_a_wave_adds_to_everybody(self, frame):
        drift = frame.assign(score=frame["score"] + 10 * frame["wave"])
        found, expected = (eecx.icc(f, "score", **KEYS).table for f in (drift, frame))
        pd.testing.assert_frame_equal(found, expected, rtol=1e-8)


class TestFullAgreement:
    @pytest.mark.parametrize("answer", [1, 3, 5])
    @pytest.mark.parametrize("items", [["q1"], ITEMS])
    def test_it_is_1_or_0_points_whatever_the_answer(self, answer, items):
        alike = pd.DataFrame({"store": ["a"] * 5 + ["b"] * 7, **dict.fromkeys(ITEMS, answer)})
        options = {"unit": "store", "range": RANGE}
        every = ["uniform", "slight skew", "moderate skew", "heavy skew", "triangular", "normal"]
        agreed = eecx.rwg(alike, items, null=every, **options).tables["units"][every]
        assert (agreed == 1).all(axis=None)
        deviation = eecx.ad_index(alike, items, **options).tables["units"]
        assert (deviation[["mean", "median"]] == 0).all(axis=None)
        assert (eecx.awg(alike, items, **options).tables["units"]["awg"] == 1).all()

    def test_answers_spread_evenly_have_none(self):
        even = pd.DataFrame({"store": "a", "q": np.tile([1, 2, 3, 4, 5], 4000)})
        found = eecx.rwg(even, "q", unit="store", range=RANGE, null="uniform")
        assert found.table["estimate"].iloc[0] == pytest.approx(0, abs=1e-4)
        assert eecx.awg(even, "q", unit="store", range=RANGE).table["estimate"].iloc[0] == (
            pytest.approx(0, abs=1e-4)
        )

    def test_two_camps_at_the_ends_have_the_most_disagreement(self):
        camps = pd.DataFrame({"store": "a", "q": [1, 5] * 5})
        assert eecx.awg(camps, "q", unit="store", range=RANGE).table["estimate"].iloc[0] == (
            pytest.approx(-1)
        )
        assert eecx.ad_index(camps, "q", unit="store").table["estimate"].tolist() == [2, 2]


class TestByHand:
    def test_agreement_is_the_formula_on_people_who_answered_every_item(self, frame):
        gaps = with_gaps(frame)
        complete = gaps.dropna().astype(dict.fromkeys(ITEMS, float))
        cells = complete.groupby(["store", "wave"])[ITEMS]
        n, mean, s2 = cells.size(), cells.mean(), cells.var(ddof=1)
        ratio = np.minimum(s2.mean(axis=1) / 2.0, 1)
        result = eecx.rwg(gaps, ITEMS, range=RANGE, null="uniform", **KEYS, **OPEN)
        expected = (4 * (1 - ratio) / (4 * (1 - ratio) + ratio)).rename("uniform")
        pd.testing.assert_series_equal(by_unit(result, "uniform"), expected, rtol=1e-12)
        assert by_unit(result, "n").tolist() == n.tolist()
        assert result.stats["left_out"] == len(gaps) - len(complete)

        result = eecx.ad_index(gaps, ITEMS, range=RANGE, **KEYS, **OPEN)
        for around in ("mean", "median"):
            away = (complete[ITEMS] - cells.transform(around)).abs()
            keys = [complete["store"], complete["wave"]]
            expected = away.groupby(keys).mean().mean(axis=1).where(n > 1)
            found = by_unit(result, around)
            pd.testing.assert_series_equal(found, expected.rename(around), rtol=1e-12, atol=1e-14)

        most = (6 * mean - mean**2 - 5).mul(n / (n - 1), axis=0)
        defined = mean.ge((n - 1 + 5) / n, axis=0) & mean.le((5 * (n - 1) + 1) / n, axis=0)
        awg = (1 - 2 * s2 / most).where(defined).where((mean != 1) & (mean != 5), 1.0)
        expected = awg.where(n > 1).mean(axis=1).rename("awg")
        found = by_unit(eecx.awg(gaps, ITEMS, range=RANGE, **KEYS, **OPEN), "awg")
        pd.testing.assert_series_equal(found, expected, rtol=1e-10, atol=1e-12)

    def test_icc_with_waves_is_the_analysis_of_variance_around_wave_means(self, frame):
        """F of unit x wave dummies against wave dummies alone, by least squares."""
        y = frame["score"].to_numpy()

        def residual(columns):
            dummies = pd.get_dummies(pd.MultiIndex.from_frame(frame[columns]).to_flat_index())
            x = dummies.to_numpy(float)
            return x.shape[1], ((y - x @ np.linalg.lstsq(x, y)[0]) ** 2).sum()

        (waves, coarse), (groups, fine) = residual(["wave"]), residual(["store", "wave"])
        f = (coarse - fine) / (groups - waves) / (fine / (len(y) - groups))
        result = eecx.icc(frame, "score", **KEYS)
        row = result["ICC(1)"]
        assert row["statistic"] == pytest.approx(f, rel=1e-10)
        assert row["p_value"] == pytest.approx(stats.f.sf(f, groups - waves, len(y) - groups))
        assert result["ICC(2)"]["estimate"] == pytest.approx(1 - 1 / f, rel=1e-10)
        n = frame.groupby(["wave", "store"]).size()
        per_wave = n.groupby("wave").agg(lambda m: m.sum() - (m**2).sum() / m.sum())
        k0 = per_wave.sum() / (groups - waves)
        assert row["estimate"] == pytest.approx((f - 1) / (f + k0 - 1), rel=1e-10)
        eta = (coarse - fine) / coarse
        assert result["eta squared"]["estimate"] == pytest.approx(eta, rel=1e-10)

    def test_equal_groups_have_one_icc_by_anova_and_reml(self):
        rng = np.random.default_rng(5)
        store = np.repeat(np.arange(12), 6)
        made = pd.DataFrame({"store": store, "y": rng.normal(size=72) + rng.normal(size=12)[store]})
        found = eecx.icc(made, "y", unit="store")
        first = found["ICC(1)"]["estimate"]
        assert found["ICC(1), average size"]["estimate"] == pytest.approx(first, rel=1e-12)
        assert found["ICC(1), REML"]["estimate"] == pytest.approx(first, rel=1e-7)
        stepped = eecx.spearman_brown(first, 6)
        assert found["ICC(2)"]["estimate"] == pytest.approx(stepped, rel=1e-12)
        limits = [eecx.spearman_brown(found["ICC(1)"][c], 6) for c in ("conf_low", "conf_high")]
        assert found["ICC(2)"][["conf_low", "conf_high"]].tolist() == pytest.approx(limits)
        own = found.tables["units"]["reliability"]
        assert own.tolist() == pytest.approx([found["ICC(2)"]["estimate"]] * 12, rel=1e-7)

    @pytest.mark.parametrize("length", [0.25, 1, 2, 7.5])
    def test_spearman_brown_goes_back_as_it_came(self, length):
        for start in (-0.1, 0.0, 0.3, 0.99):
            there = eecx.spearman_brown(start, length)
            assert eecx.spearman_brown(there, 1 / length) == pytest.approx(start, abs=1e-15)

    def test_alpha_is_the_stepped_up_correlation_of_standard_items(self, frame):
        found = eecx.alpha(frame, ITEMS)
        average = found["average correlation"]["estimate"]
        r = frame[ITEMS].corr().to_numpy()
        assert average == pytest.approx(r[np.triu_indices(4, 1)].mean(), rel=1e-12)
        stepped = eecx.spearman_brown(average, 4)
        assert found["alpha, standardized"]["estimate"] == pytest.approx(stepped, rel=1e-12)
        total = frame[ITEMS].sum(axis=1).var()
        expected = 4 / 3 * (1 - frame[ITEMS].var().sum() / total)
        assert found["alpha"]["estimate"] == pytest.approx(expected, rel=1e-12)

    def test_alpha_is_the_mean_of_all_split_halves_by_guttman(self, frame):
        halves = [h for h in combinations(ITEMS, 2) if "q1" in h]
        found = [
            eecx.split_half(frame, ITEMS, halves=(h, [i for i in ITEMS if i not in h]))
            for h in halves
        ]
        average = np.mean([f["Guttman's lambda 4"]["estimate"] for f in found])
        assert average == pytest.approx(eecx.alpha(frame, ITEMS)["alpha"]["estimate"], rel=1e-12)

    def test_parallel_items_have_one_alpha_lambda_and_omega(self):
        r = np.full((5, 5), 0.4) + 0.6 * np.eye(5)
        table = Moments.from_correlations(r, n=300, sd=[2.0] * 5)
        value = eecx.spearman_brown(0.4, 5)
        found = eecx.alpha(table)
        for term in ("alpha", "alpha, standardized", "lambda 2"):
            assert found[term]["estimate"] == pytest.approx(value, rel=1e-12)
        whole = eecx.omega(table)
        for term in ("omega total", "omega, observed variance", "omega, minres"):
            assert whole[term]["estimate"] == pytest.approx(value, rel=1e-6)
        assert whole.stats["chi2"] == pytest.approx(0, abs=1e-6)

    def test_reliability_at_every_level(self):
        full = answers(7, units=9, waves=3)
        survey = Survey(full, **KEYS, measures={"ex": Scale(ITEMS, range=RANGE)})
        person = full.assign(u=full[ITEMS].mean(axis=1)).groupby(["store", "wave"])["u"]
        n, value = person.size().unstack(), person.mean().unstack()
        v = (person.var(ddof=1).unstack() / n).to_numpy()
        value = value.to_numpy()
        assert np.isfinite(v).all()
        assert (v > 0).all()
        waves = value.shape[1]
        means = value.mean(axis=1)
        level = {
            "between units in one wave": 1 - v.mean() / value.var(axis=0, ddof=1).mean(),
            "between units": 1 - v.mean() / waves / means.var(ddof=1),
        }
        away = value - value.mean(axis=0) - means[:, None] + value.mean()
        expected_noise = v.sum() * (1 - 1 / waves)
        level["change within units over time"] = 1 - expected_noise / (away**2).sum()
        found = eecx.reliability(survey)
        assert dict(zip(found.table["level"], found.table["estimate"], strict=True)) == (
            pytest.approx(level, rel=1e-10)
        )
        true = means.var(ddof=1) - v.mean() / waves
        own = true / (true + v.mean(axis=1) / waves)
        every = eecx.reliability(survey).tables["units"]
        shown = (every["status"] == "shown").to_numpy()
        assert every["reliability"][shown].tolist() == pytest.approx(own[shown].tolist())
        assert shown.tolist() == (n.min(axis=1) >= 5).tolist()

    def test_reliability_with_a_census_is_1(self):
        full = answers(7, units=9, waves=3)
        survey = Survey(full, **KEYS, measures={"ex": Scale(ITEMS, range=RANGE)})
        people = full.groupby(["store", "wave"]).size().reset_index()
        assert (eecx.reliability(survey, population=people).table["estimate"] == 1).all()
        endless = dict.fromkeys(full["store"].unique(), 1e15)
        found, plain = (eecx.reliability(survey, population=p).table for p in (endless, None))
        pd.testing.assert_frame_equal(found, plain, rtol=1e-9)

    def test_random_groups_of_survey_and_frame_are_the_same(self, frame):
        survey = Survey(frame, **KEYS, measures={"score": Mean("score")})
        of_frame = eecx.random_groups(frame, "score", **KEYS, draws=99)
        pd.testing.assert_frame_equal(
            of_frame.table, eecx.random_groups(survey, "score", draws=99).table
        )
        within = frame.groupby(["store", "wave"])["score"].var(ddof=1).mean()
        assert of_frame["mean variance within units"]["estimate"] == pytest.approx(within)

    def test_random_groups_stay_in_their_wave(self, frame):
        drift = frame.assign(score=frame["score"] + 100 * frame["wave"])
        found = [eecx.random_groups(f, "score", **KEYS, draws=99) for f in (frame, drift)]
        np.testing.assert_allclose(found[1].draws, found[0].draws, rtol=1e-9)


class TestSplits:
    def test_all_splits_formula_is_the_mean_over_all_splits(self):
        rng = np.random.default_rng(4)
        sizes = (4, 5, 4)
        made = pd.DataFrame({"store": np.repeat(list("abc"), sizes)})
        made[["x", "y"]] = (
            rng.normal(size=(13, 2)) + rng.normal(size=3)[np.repeat(np.arange(3), sizes)][:, None]
        )
        parts = [made.loc[made["store"] == s, ["x", "y"]].to_numpy() for s in "abc"]

        def halves(part):
            for one in combinations(range(len(part)), len(part) // 2):
                other = [i for i in range(len(part)) if i not in one]
                yield part[list(one), 0].mean(), part[other, 1].mean()

        every = [np.cov(np.transpose(split))[0, 1] for split in product(*map(halves, parts))]
        survey = Survey(made, unit="store", measures={"x": Mean("x"), "y": Mean("y")})
        found = eecx.split_sample(survey, "x", "y", splits=20)
        expected = pytest.approx(np.mean(every), rel=1e-10)
        assert found.stats["covariance_all_splits"] == expected

    def test_same_people_is_the_correlation_of_unit_means(self, frame):
        big = answers(3, units=12, waves=2)
        size = big.groupby(["store", "wave"])["q1"].transform("size")
        survey = Survey(big, **KEYS, measures={"x": Mean("q1"), "y": Scale(ITEMS[1:], range=RANGE)})
        found = eecx.split_sample(survey, "x", "y", splits=20).table.set_index(["term", "version"])
        kept = big[size >= 4]
        means = (
            kept.assign(y=kept[ITEMS[1:]].mean(axis=1)).groupby(["store", "wave"])[["q1", "y"]]
        ).mean()
        net = means - means.groupby("wave").transform("mean")
        r = net.corr().iloc[0, 1]
        assert found.loc[("correlation", "same people"), "estimate"] == pytest.approx(r)
        slope = (net["q1"] * net["y"]).sum() / (net["q1"] ** 2).sum()
        assert found.loc[("slope", "same people"), "estimate"] == pytest.approx(slope)


class TestSameFromElsewhere:
    def test_icc_from_sums_rows_and_survey(self, frame):
        measure = {"score": Mean("score")}
        ways = {
            "rows": eecx.icc(frame, "score", **KEYS, **OPEN),
            "survey": eecx.icc(Survey(frame, **KEYS, measures=measure), "score", **OPEN),
            "sums": eecx.icc(
                Moments.from_frame(frame, keys=["store", "wave"], terms=["q1", "score"]),
                "score",
                **KEYS,
                **OPEN,
            ),
            "months added up": eecx.icc(
                Moments.from_frame(frame[::2], keys=["store", "wave"], terms=["score"])
                + Moments.from_frame(frame[1::2], keys=["store", "wave"], terms=["score"]),
                "score",
                **KEYS,
                **OPEN,
            ),
            "sums by row": eecx.icc(
                Moments.from_frame(frame, keys=["store", "wave", "row"], terms=["score"]),
                "score",
                **KEYS,
                **OPEN,
            ),
        }
        expected = ways.pop("rows")
        for result in ways.values():
            pd.testing.assert_frame_equal(result.table, expected.table, rtol=1e-9)
            found, units = (r.tables["units"] for r in (result, expected))
            pd.testing.assert_frame_equal(found, units, rtol=1e-9, check_dtype=False)

    def test_icc_of_a_scale_is_that_of_the_persons_mean(self, frame):
        gaps = with_gaps(frame)
        survey = Survey(gaps, **KEYS, measures={"ex": Scale(ITEMS, range=RANGE, reverse=["q2"])})
        turned = gaps.assign(q2=6 - gaps["q2"])[ITEMS].astype(float)
        person = turned.mean(axis=1).where(turned.notna().sum(axis=1) >= 2)
        found = eecx.icc(survey, "ex").table
        expected = eecx.icc(gaps.assign(ex=person), "ex", **KEYS).table
        pd.testing.assert_frame_equal(found, expected, rtol=1e-9)

    def test_agreement_from_sums(self, frame):
        sums = Moments.from_frame(frame, keys=["store", "wave"], terms=ITEMS)
        for analysis, column in ((eecx.rwg, "uniform"), (eecx.awg, "awg")):
            found, expected = (
                analysis(d, ITEMS, range=RANGE, **KEYS, **OPEN) for d in (sums, frame)
            )
            pd.testing.assert_series_equal(
                by_unit(found, column), by_unit(expected, column), rtol=1e-10, atol=1e-12
            )

    def test_reversed_items_agree_as_before_and_hang_together_as_mirrored_ones(self, frame):
        plain, turned = (
            Survey(frame, **KEYS, measures={"ex": Scale(ITEMS, range=RANGE, reverse=r)})
            for r in ((), ("q2", "q4"))
        )
        for analysis in (eecx.rwg, eecx.ad_index, eecx.awg):
            found, expected = (analysis(s, "ex", **OPEN).table for s in (turned, plain))
            pd.testing.assert_frame_equal(found, expected, rtol=1e-12)
        mirrored = frame.assign(q2=6 - frame["q2"], q4=6 - frame["q4"])
        for analysis in (eecx.alpha, eecx.split_half, eecx.omega):
            expected = analysis(frame, ITEMS).table
            found = analysis(mirrored, ITEMS, reverse=["q2", "q4"]).table
            pd.testing.assert_frame_equal(found, expected, rtol=1e-6)

    def test_alpha_of_a_printed_table_is_that_of_rows_with_these_correlations(self, frame):
        x = frame[ITEMS]
        printed = Moments.from_correlations(x.corr(), sd=x.std(), mean=x.mean(), n=len(x))
        for analysis in (eecx.alpha, eecx.omega, eecx.split_half):
            found, expected = analysis(printed).table, analysis(frame, ITEMS).table
            pd.testing.assert_frame_equal(found, expected, rtol=1e-6)
        pd.testing.assert_frame_equal(
            eecx.alpha(printed).tables["items"],
            eecx.alpha(frame, ITEMS).tables["items"],
            rtol=1e-10,
        )

    def test_test_retest_icc_is_that_of_persons_as_units(self):
        rng = np.random.default_rng(8)
        wide = pd.DataFrame(
            rng.normal(size=(30, 3)) + rng.normal(size=(30, 1)), columns=list("abc")
        )
        long = wide.melt(ignore_index=False, value_name="y").rename_axis("person").reset_index()
        found = eecx.test_retest(wide, list("abc"))
        expected = eecx.icc(long, "y", unit="person")
        columns = ["estimate", "conf_low", "conf_high"]
        for own, other in (("ICC(1,1)", "ICC(1)"), ("ICC(1,k)", "ICC(2)")):
            assert found[own][columns].tolist() == pytest.approx(expected[other][columns].tolist())

    def test_attenuation_with_reliabilities_of_1_changes_nothing(self, frame):
        found = eecx.attenuation(frame, "q1", "q2", reliability={"q1": 1.0, "q2": 1.0}).table
        own = found.set_index(["term", "version"])["estimate"]
        assert own["correlation", "largest observable"] == 1
        for term in ("correlation", "slope"):
            assert own[term, "corrected"] == own[term, "observed"]
        assert own["correlation", "observed"] == pytest.approx(frame["q1"].corr(frame["q2"]))


def examined(data):
    """Every analysis of the rows, from one engine."""
    survey = Survey(
        data,
        **KEYS,
        measures={
            "ex": Scale(ITEMS, range=RANGE, reverse=["q2"], composition="referent shift"),
            "score": Mean("score"),
            "spread": eecx.Dispersion(Scale(ITEMS, range=RANGE)),
        },
    )
    return {
        "rwg": eecx.rwg(data, ITEMS, range=RANGE, **KEYS),
        "ad": eecx.ad_index(data, ITEMS, range=RANGE, **KEYS),
        "awg": eecx.awg(data, ITEMS, range=RANGE, **KEYS),
        "icc": eecx.icc(data, "score", **KEYS, disclosure_n=3),
        "icc of whole numbers": eecx.icc(data, "q3", **KEYS, disclosure_n=3),
        "alpha": eecx.alpha(data, ITEMS, range=RANGE),
        "aggregation": eecx.aggregation(survey, ["ex", "spread"], null="uniform", disclosure_n=4),
        "split": eecx.split_sample(survey, "ex", "score", splits=20),
        "random": eecx.random_groups(survey, "ex", draws=99),
    }


@pytest.fixture(scope="module")
def in_pandas(gaps):
    return examined(gaps)


def test_every_engine_finds_the_same(held, gaps, in_pandas):
    for name, result in examined(held(gaps)).items():
        expected = in_pandas[name]
        if name == "split":  # random halves follow the order of rows
            found, right = (r.stats["covariance_all_splits"] for r in (result, expected))
            assert found == pytest.approx(right, rel=1e-10)
            continue
        if name == "random":
            assert result.table["estimate"][0] == pytest.approx(expected.table["estimate"][0])
            continue
        for found, right in [
            (result.table, expected.table),
            *((result.tables[t], expected.tables[t]) for t in expected.tables),
        ]:
            assert list(found.columns) == list(right.columns)
            for column in right.columns:
                own, other = found[column], right[column]
                if pd.api.types.is_numeric_dtype(other):
                    given = {"rtol": 1e-12, "atol": 1e-12, "err_msg": f"{name}: {column}"}
                    np.testing.assert_allclose(own.astype(float), other.astype(float), **given)
                else:
                    assert own.tolist() == other.tolist()
        whole = [
            {k: v for k, v in r.stats.items() if isinstance(v, int)} for r in (result, expected)
        ]
        assert whole[0] == whole[1]
        assert result.warnings == expected.warnings
