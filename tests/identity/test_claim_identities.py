"""Algebra of the ladder of evidence: rows are regressions, signs are those of ``better``."""

import numpy as np
import pandas as pd
import pytest

import eecx

NUMBERS = ["estimate", "std_error", "df", "p_value", "conf_low", "conf_high"]
FLIPPED = {"higher": "lower", "lower": "higher"}


@pytest.fixture(scope="module")
def frame():
    sim = eecx.simulate.panel(
        units=40,
        waves=5,
        stable_cor=0.6,
        same_wave=0.4,
        missing=0.05,
        mediator=eecx.simulate.Mediator(a=0.4, b=0.4, lag=0),
        rng=4,
    )
    made = sim.frame
    size = {u: i % 7 for i, u in enumerate(made["unit"].unique())}
    price = np.random.default_rng(1).normal(size=len(made))
    return made.assign(
        size=made["unit"].map(size).astype(float),
        region=made["unit"].map(lambda u: "north" if size[u] < 3 else "south"),
        price=price,
    )


def panel(frame, **options):
    given = {"employee": ["ex", "m"], "customer": ["cx"], "covariates": ["size", "region", "price"]}
    return eecx.Panel.from_frame(frame, unit="unit", wave="wave", **{**given, **options})


def examine(frame, better=None, **options):
    return eecx.examine_claim(panel(frame, better=better), **{"x": "ex", "y": "cx", **options})


@pytest.fixture(scope="module")
def evidence(frame):
    return examine(frame)


@pytest.fixture(scope="module")
def mediated(frame):
    return examine(frame, mediators=["m"], draws=99)


def evened(frame):
    """Take out what the waves have in common, as row 1 does where units miss some of them."""
    names = ["ex", "cx", "m", "size", "price"]
    both = frame[frame[["ex", "cx"]].notna().all(axis=1)]
    excess = both.groupby("wave")[names].mean() - both[names].mean()
    return frame.assign(**(frame[names] - excess.loc[frame["wave"]].to_numpy()))


def lagged(frame):
    """Every row beside the same unit's row one wave before."""
    before = frame[["unit", "wave", "ex", "cx"]].assign(wave=frame["wave"] + 1)
    return frame.merge(before, on=["unit", "wave"], suffixes=("", "_before"))


class TestRowsAreRegressions:
    @pytest.mark.parametrize("covariates", [[], ["price"], ["price", "lag(cx)"]])
    def test_rows_1_and_2(self, frame, covariates):
        evidence = examine(frame, covariates=covariates)
        formula = " + ".join(["cx ~ ex", *covariates])
        for number, effects, data in ((1, "between", evened(frame)), (2, "two-way", frame)):
            fit = eecx.regress(panel(data), formula, effects=effects)
            row, expected = evidence.row(number), fit["ex"]
            for column in NUMBERS:
                assert row[column] == pytest.approx(expected[column], rel=1e-9)
            assert row["n"] == fit.stats["n"]

    def test_row_1_is_the_plain_regression_if_all_units_were_seen_in_the_same_waves(self):
        made = eecx.simulate.panel(units=30, waves=4, stable_cor=0.5, rng=1).frame
        data = panel(made, employee=["ex"], covariates=[])
        evidence = eecx.examine_claim(data, x="ex", y="cx")
        fit = eecx.regress(data, "cx ~ ex", effects="between")
        pd.testing.assert_frame_equal(evidence.results["between_units"].table, fit.table)
        assert "waves" not in evidence.row(1)["note"]

    def test_categories_stay_what_they_are(self, frame):
        coded = frame.assign(size=frame["size"] % 3)
        found = examine(coded, covariates=["C(size)", "I(price^2)"])
        data = panel(evened(coded).assign(size=coded["size"], price=coded["price"]))
        fit = eecx.regress(data, "cx ~ ex + C(size) + I(price^2)", effects="between")
        assert found.row(1)["estimate"] == pytest.approx(fit["ex"]["estimate"], rel=1e-9)

    def test_row_1_is_not_moved_by_what_a_wave_has_in_common(self, frame, evidence):
        shifted = frame.assign(
            ex=frame["ex"] + 5.0 * (frame["wave"] == 2), cx=frame["cx"] - 3.0 * frame["wave"] ** 2
        )
        plain, other = evidence, examine(shifted)
        for number in (1, 2):
            for column in NUMBERS:
                expected = pytest.approx(plain.row(number)[column], rel=1e-9)
                assert other.row(number)[column] == expected
        assert "units were not all seen in the same waves" in plain.row(1)["note"]
        assert "units were not all seen in the same waves" in plain.methods()

    def test_results_under_the_rows_are_those_regressions(self, frame, evidence):
        results = evidence.results
        for name, effects, data in (
            ("between_units", "between", evened(frame)),
            ("within_units_over_time", "two-way", frame),
        ):
            fit = eecx.regress(panel(data), "cx ~ ex", effects=effects)
            np.testing.assert_allclose(
                results[name].table.set_index("term").loc["ex", NUMBERS].to_numpy(float),
                fit.table.set_index("term").loc["ex", NUMBERS].to_numpy(float),
                rtol=1e-9,
            )

    def test_covariates_that_never_change_leave_row_2_as_it_is(self, frame):
        adjusted = examine(frame, covariates=["size", "C(region)", "price"])
        plain = examine(frame, covariates=["price"])
        assert adjusted.row(2)["estimate"] == pytest.approx(plain.row(2)["estimate"], rel=1e-10)
        assert "'size', 'C(region)'" in adjusted.row(2)["note"]
        assert adjusted.row(7)["note"] == plain.row(7)["note"]
        data = panel(evened(frame))
        fit = eecx.regress(data, "cx ~ ex + size + C(region) + price", effects="between")
        assert adjusted.row(1)["estimate"] == pytest.approx(fit["ex"]["estimate"], rel=1e-10)

    def test_rows_3_and_4_by_dense_least_squares(self, frame, evidence):
        rows = lagged(frame)
        waves = pd.get_dummies(rows["wave"], dtype=float)
        both = frame[["ex", "cx"]].dropna().std()
        for number, cause, effect in ((3, "ex", "cx"), (4, "cx", "ex")):
            x = pd.concat([rows[["ex_before", "cx_before"]], waves], axis=1)
            whole = pd.concat([x, rows[effect]], axis=1).dropna()
            slopes = np.linalg.lstsq(whole.to_numpy()[:, :-1], whole[effect], rcond=None)[0]
            expected = slopes[0 if cause == "ex" else 1]
            row = evidence.row(number)
            assert row["estimate"] == pytest.approx(expected, rel=1e-9)
            standard = expected * both[cause] / both[effect]
            assert row["std_estimate"] == pytest.approx(standard, rel=1e-9)
            assert row["n"] == len(whole)

    def test_row_5_is_the_difference_of_rows_3_and_4_in_sds(self, evidence):
        three, four, five = (evidence.row(n)["std_estimate"] for n in (3, 4, 5))
        assert five == pytest.approx(three - four, rel=1e-10)

    def test_row_6_is_the_mediation_within_units(self, frame, mediated):
        found = eecx.mediate(panel(frame), "ex", "m", "cx", effects="two-way", draws=99, rng=0)
        for column in ("estimate", "conf_low", "conf_high"):
            assert mediated.row(6)[column] == pytest.approx(found["indirect"][column], rel=1e-12)

    def test_row_7_is_row_2_without_each_wave(self, frame, evidence):
        slopes = {
            wave: eecx.regress(panel(frame[frame["wave"] != wave]), "cx ~ ex", effects="two-way")[
                "ex"
            ]
            for wave in range(1, 6)
        }
        low, high = (f(slopes, key=lambda w: slopes[w]["estimate"]) for f in (min, max))
        expected = (
            f"runs from {slopes[low]['estimate']:.3g} (without {low}) to "
            f"{slopes[high]['estimate']:.3g} (without {high})"
        )
        assert expected in evidence.row(7)["note"]


class TestDirection:
    @pytest.mark.parametrize(
        "better", [("higher", "lower"), ("lower", "higher"), ("lower", "lower")]
    )
    def test_flipping_one_side_negates_and_flipping_both_does_nothing(self, frame, better):
        options = {
            "smallest_effect": 0.2,
            "mediators": ["m"],
            "draws": 99,
            "reliability": {"ex": 0.9},
        }
        plain = examine(frame, **options).ladder
        turned = examine(frame, dict(zip(("ex", "cx"), better, strict=True)), **options).ladder
        sign = 1 if better[0] == better[1] else -1
        pairs = {"estimate": "estimate", "std_estimate": "std_estimate", "corrected": "corrected"}
        ends = {"conf_low": "conf_high", "std_low": "std_high"}
        pairs |= {
            k: k if sign == 1 else v for k, v in (ends | {v: k for k, v in ends.items()}).items()
        }
        for ours, theirs in pairs.items():
            np.testing.assert_allclose(turned[ours], sign * plain[theirs], rtol=1e-10)
        np.testing.assert_allclose(turned["p_value"], plain["p_value"], rtol=1e-10)
        mirrored = {"positive": "opposite", "opposite": "positive"} if sign == -1 else {}
        assert turned["kind"].tolist() == [mirrored.get(k, k) for k in plain["kind"]]

    def test_turning_a_measure_and_its_better_around_does_nothing(self, frame, evidence):
        plain, turned = evidence, examine(frame.assign(cx=-frame["cx"]), {"cx": "lower"})
        np.testing.assert_allclose(plain.ladder["estimate"], turned.ladder["estimate"], rtol=1e-9)
        assert plain.verdicts()[1] == turned.verdicts()[1]

    def test_the_sentence_speaks_of_the_data_as_they_are(self, frame):
        wording = examine(frame.assign(cx=-frame["cx"]), {"cx": "lower"}).row(1)["wording"]
        assert "cx was" in wording
        assert " lower (95% CI" in wording


class TestWhatDoesNotMatter:
    def test_z_scores_give_the_same_verdicts_and_standardised_rows(self, frame, evidence):
        scored = frame.copy()
        for name in ("ex", "cx"):
            scored[name] = (frame[name] - frame[name].mean()) / frame[name].std()
        plain, other = evidence, examine(scored)
        assert plain.verdicts()[1] == other.verdicts()[1]
        assert plain.ladder["kind"].tolist() == other.ladder["kind"].tolist()
        np.testing.assert_allclose(
            plain.ladder["std_estimate"], other.ladder["std_estimate"], rtol=1e-9
        )
        np.testing.assert_allclose(plain.ladder["p_value"], other.ladder["p_value"], rtol=1e-8)

    def test_delta_in_the_units_of_the_data(self, frame):
        scaled = frame.assign(ex=frame["ex"] * 10, cx=frame["cx"] * 50)
        options = {"reliability": {"ex": (0.9, 0.6)}}
        for delta in (0.05, 1.0, 3.0):
            one = examine(frame, smallest_effect=delta, **options)
            other = examine(scaled, smallest_effect=delta * 5, **options)
            assert one.ladder["kind"].tolist() == other.ladder["kind"].tolist()

    def test_order_of_rows_and_names_of_units(self, frame, evidence):
        other = frame.sample(frac=1, random_state=5).assign(unit=lambda f: "branch " + f["unit"])
        one, two = evidence.ladder, examine(other).ladder
        np.testing.assert_allclose(one["estimate"], two["estimate"], rtol=1e-9)
        assert one["verdict"].tolist() == two["verdict"].tolist()

    @pytest.mark.parametrize("name", ["time", "net promoter", "v_x", "a`b", "x:y"])
    def test_the_name_of_a_measure(self, frame, mediated, name):
        renamed = frame.rename(columns={"cx": name})
        data = panel(renamed, customer=[name])
        evidence = eecx.examine_claim(data, x="ex", y=name, mediators=["m"], draws=99)
        np.testing.assert_allclose(
            mediated.ladder["estimate"], evidence.ladder["estimate"], rtol=1e-10
        )
        pd.testing.assert_frame_equal(mediated.points, evidence.points)


@pytest.fixture(scope="module")
def trusts(shared):
    frame = pd.read_csv(shared / "data" / "nhs_trusts" / "nhs_trusts.csv")
    for name in ("engagement_mean", "shmi"):
        frame[name] = (frame[name] - frame[name].mean()) / frame[name].std()
    data = eecx.Panel.from_frame(
        frame,
        unit="unit",
        wave="wave",
        employee=["engagement_mean"],
        customer=["shmi"],
        better={"shmi": "lower"},
    )
    return eecx.examine_claim(data, x="engagement_mean", y="shmi")


class TestHospitalTrusts:
    """Slopes of a public panel that are known beforehand: z-scores over all rows, wave dummies."""

    @pytest.mark.parametrize(("number", "raw"), [(2, "-0.0127"), (3, "-0.0281"), (4, "-0.0519")])
    def test_mortality_is_better_when_lower_so_slopes_turn_their_sign(self, trusts, number, raw):
        assert f"{-trusts.row(number)['estimate']:.4f}" == raw

    def test_in_sds_of_the_cells_with_both_they_are_nearly_the_same(self, trusts):
        for number in (3, 4):
            row = trusts.row(number)
            assert row["std_estimate"] == pytest.approx(row["estimate"], rel=0.005)


def test_leaving_a_wave_out_is_of_the_slope_of_x_whatever_else_is_in_the_model(frame):
    found = examine(frame, covariates=["price"])
    slopes = []
    for wave in sorted(frame["wave"].unique()):
        kept = panel(frame[frame["wave"] != wave])
        fit = eecx.regress(kept, "cx ~ ex + price", effects="two-way", vcov="CR1")
        slopes.append(fit["ex"]["estimate"])
    text = str(found.ladder.set_index("row").loc[7].to_dict())
    assert f"runs from {min(slopes):.3g} " in text
    assert f"to {max(slopes):.3g} " in text
