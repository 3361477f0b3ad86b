"""Other routes to the same correlations, errors and tests."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import eecx
from eecx.association.compare_correlations import compare_correlations, shared_part
from eecx.association.correlations import correlations
from eecx.association.equivalence import equivalence
from eecx.evidence.verdict import detectable, judge

COLUMNS = ["x", "y", "v"]
NUMBERS = ["estimate", "std_error", "statistic", "df", "p_value", "conf_low", "conf_high"]
LEVELS = ["pooled", "between", "within"]


@pytest.fixture(scope="module")
def frame():
    """An unbalanced panel of 20 units in 5 regions over 6 waves, with holes and a singleton."""
    rng = np.random.default_rng(8)
    units, waves = 20, 6
    made = pd.DataFrame(
        {
            "unit": np.repeat([f"u{i:02d}" for i in range(units)], waves),
            "wave": np.tile(np.arange(2001, 2001 + waves), units),
        }
    )
    made["region"] = made["unit"].map(lambda u: "ABCDE"[int(u[1:]) % 5])
    level = np.repeat(rng.normal(size=(units, 3)), waves, axis=0)
    made[COLUMNS] = level + rng.normal(size=(len(made), 3)) @ [
        [1, 0.5, 0.2],
        [0, 1, 0.4],
        [0, 0, 1],
    ]
    made[COLUMNS] += 0.3 * (made[["wave"]].to_numpy() - 2003)
    made.loc[rng.random(len(made)) < 0.1, "y"] = np.nan
    gone = (rng.random(len(made)) < 0.1) | ((made["unit"] == "u03") & (made["wave"] != 2002))
    return made[~gone].reset_index(drop=True)


def fit(frame, **options):
    return correlations(frame, COLUMNS, **{"unit": "unit", "wave": "wave", **options})


def dense(frame, level):
    """Return what varies at a level, by dummies in place of sums; and the unit of each row."""
    own = frame.dropna(subset=COLUMNS)
    x = own[COLUMNS].to_numpy()
    if level == "between":
        means = own.groupby("unit")[COLUMNS].mean()
        return (means - means.mean()).to_numpy(), np.arange(len(means))
    design = [np.ones((len(own), 1))]
    if level == "within":
        design = [pd.get_dummies(own[k]).to_numpy(float) for k in ("unit", "wave")]
    d = np.column_stack(design)
    return x - d @ np.linalg.lstsq(d, x, rcond=None)[0], pd.factorize(own["unit"])[0]


@pytest.mark.parametrize("level", LEVELS)
def test_r_is_that_of_residuals_of_dummies(frame, level):
    x, _ = dense(frame, level)
    expected = np.corrcoef(x.T)[np.triu_indices(3, 1)]
    np.testing.assert_allclose(fit(frame, level=level).table["estimate"], expected, rtol=1e-10)


@pytest.mark.parametrize("level", ["pooled", "within"])
def test_clustered_errors_are_derivatives_over_units(frame, level):
    """The pull of a unit is the slope of r in the unit's weight."""
    x, unit = dense(frame, level)
    table = fit(frame, level=level).table
    groups = [g for g in np.unique(unit) if level == "pooled" or (unit == g).sum() > 1]
    step = 1e-6

    def r_of(weights):
        s = (x * weights[:, None]).T @ x
        return (s / np.sqrt(np.outer(np.diag(s), np.diag(s))))[np.triu_indices(3, 1)]

    one = np.ones(len(x))
    slopes = [
        (r_of(one + step * (unit == g)) - r_of(one - step * (unit == g))) / (2 * step)
        for g in groups
    ]
    count = len(groups)
    se = np.sqrt(count / (count - 1) * np.sum(np.square(slopes), axis=0))
    np.testing.assert_allclose(table["std_error"], se, rtol=1e-7)
    assert set(table["df"]) == {count - 1}
    z, error = np.arctanh(table["estimate"]), se / (1 - table["estimate"] ** 2)
    np.testing.assert_allclose(table["statistic"], z / error, rtol=1e-7)
    ends = np.tanh(z + stats.t.isf(0.025, count - 1) * error)
    np.testing.assert_allclose(table["conf_high"], ends, rtol=1e-7)


def test_within_is_the_standardised_slope_of_regress(frame):
    own = frame.dropna(subset=COLUMNS)
    r = fit(own, level="within").table.set_index(["x", "y"])["estimate"]["x", "y"]
    forth, back = (
        eecx.regress(own, f, effects="two-way", unit="unit", wave="wave").table["estimate"][0]
        for f in ("y ~ x", "x ~ y")
    )
    assert r == pytest.approx(np.sqrt(forth * back), rel=1e-10)


def test_between_is_that_of_unit_means_as_plain_rows(frame):
    means = frame.dropna(subset=COLUMNS).groupby("unit")[COLUMNS].mean()
    expected = correlations(means, COLUMNS).table[NUMBERS]
    np.testing.assert_allclose(fit(frame, level="between").table[NUMBERS], expected, rtol=1e-9)


def test_independent_rows_are_scipys(frame):
    own = frame.dropna(subset=COLUMNS)
    row = correlations(own, ["x", "y"]).table.iloc[0]
    found = stats.pearsonr(own["x"], own["y"])
    ends = found.confidence_interval(0.95)
    assert row["estimate"] == pytest.approx(found.statistic, rel=1e-12)
    assert row["p_value"] == pytest.approx(found.pvalue, rel=1e-9)
    assert [row["conf_low"], row["conf_high"]] == pytest.approx([ends.low, ends.high], rel=1e-10)


def test_panel_frame_and_moments_agree(frame):
    panel = eecx.Panel.from_frame(
        frame, unit="unit", wave="wave", employee=["x", "v"], customer=["y"]
    )
    cells = eecx.Moments.from_frame(frame, keys=["unit"], terms=COLUMNS)
    for level in LEVELS:
        by_frame = fit(frame, level=level).table
        by_panel = correlations(panel, COLUMNS, level=level).table
        pd.testing.assert_frame_equal(by_frame, by_panel)
        by_sums = correlations(cells, COLUMNS, unit="unit", level=level).table
        if level == "within":  # sums of units know no waves
            own = frame.dropna(subset=COLUMNS)
            x = own[COLUMNS] - own.groupby("unit")[COLUMNS].transform("mean")
            expected = np.corrcoef(x.T)[np.triu_indices(3, 1)]
            np.testing.assert_allclose(by_sums["estimate"], expected, rtol=1e-10)
        else:
            np.testing.assert_allclose(by_sums[NUMBERS], by_frame[NUMBERS], rtol=1e-9)


def test_one_row_in_each_cluster_is_no_clustering(frame):
    own = frame[frame["wave"] == 2002]
    for options in ({"unit": "unit"}, {"unit": "unit", "wave": "wave"}, {}):
        pd.testing.assert_frame_equal(
            correlations(own, COLUMNS, **options).table, correlations(own, COLUMNS).table
        )


def test_regions_may_be_clusters(frame):
    plain = correlations(frame, COLUMNS, cluster="region").table
    pd.testing.assert_frame_equal(fit(frame, cluster="region").table, plain)
    between = fit(frame, cluster="region", level="between")
    assert set(between.table["df"]) == {4.0}
    assert between.tables["levels"]["clusters"].tolist() == [5]


@pytest.mark.parametrize("level", LEVELS)
def test_order_offset_and_scale_do_not_matter(frame, level):
    before = fit(frame, level=level).table[NUMBERS]
    other = frame.sample(frac=1, random_state=1).assign(
        x=lambda f: 7 * f["x"] + 1e6, y=lambda f: f["y"] / 9 - 4e5
    )
    np.testing.assert_allclose(fit(other, level=level).table[NUMBERS], before, rtol=1e-8)
    turned = fit(frame.assign(x=-frame["x"]), level=level).table
    np.testing.assert_allclose(turned["estimate"][:2], -before["estimate"][:2], rtol=1e-10)
    np.testing.assert_allclose(turned["conf_low"][:2], -before["conf_high"][:2], rtol=1e-10)


def test_what_varies_adds_up_in_a_balanced_panel():
    sim = eecx.simulate.panel(units=30, waves=4, same_wave=0.5, wave_shock_sd=0.0, rng=3)
    cells = eecx.Moments.from_frame(sim.frame, keys=["unit"], terms=["ex", "cx"])
    sd = {
        level: correlations(cells, unit="unit", level=level).tables["variables"]["sd"].to_numpy()
        for level in LEVELS
    }
    total = 4 * 29 * sd["between"] ** 2 + 90 * sd["within"] ** 2
    np.testing.assert_allclose(total, 119 * sd["pooled"] ** 2, rtol=1e-12)


# ---------------------------------------------------------------------- comparing


def test_overlapping_is_non_overlapping_with_a_shared_measure():
    a, b, c = 0.5, 0.3, 0.4
    own = c * (1 - a**2 - b**2) - a * b * (1 - a**2 - b**2 - c**2) / 2
    assert shared_part(a, b, b, 1.0, c, a) == pytest.approx(own, rel=1e-12)


def test_unrelated_pairs_are_as_good_as_two_samples():
    dependent = compare_correlations(r_jk=0.4, r_hm=0.1, r_jh=0, r_jm=0, r_kh=0, r_km=0, n=103)
    apart = compare_correlations(r1=0.4, n1=103, r2=0.1, n2=103)
    for one, other in (("dunn1969", "fisher1925"), ("zou2007", "zou2007")):
        found, expected = dependent[one][NUMBERS], apart[other][NUMBERS]
        both = expected.notna() & found.notna()
        np.testing.assert_allclose(found[both].astype(float), expected[both].astype(float))


def test_data_give_what_their_correlations_give(frame):
    own = frame.dropna(subset=COLUMNS)
    r = own[COLUMNS].corr()
    n = len(own)
    by_data = compare_correlations(own, ("x", "y"), ("v", "x")).table
    by_hand = compare_correlations(
        r_jk=r.loc["x", "y"], r_jh=r.loc["x", "v"], r_kh=r.loc["y", "v"], n=n
    ).table
    pd.testing.assert_frame_equal(by_data, by_hand, rtol=1e-9)
    moments = eecx.Moments.from_frame(own, terms=COLUMNS)
    pd.testing.assert_frame_equal(
        compare_correlations(moments, ("x", "y"), ("x", "v")).table, by_data, rtol=1e-9
    )
    four = own.assign(u=np.random.default_rng(1).normal(size=n) + own["y"])
    s = four[[*COLUMNS, "u"]].corr()
    apart = compare_correlations(four, ("x", "y"), ("v", "u")).table
    by_hand = compare_correlations(
        r_jk=s.loc["x", "y"], r_hm=s.loc["v", "u"], r_jh=s.loc["x", "v"], r_jm=s.loc["x", "u"],
        r_kh=s.loc["y", "v"], r_km=s.loc["y", "u"], n=n,
    ).table  # fmt: skip
    pd.testing.assert_frame_equal(apart, by_hand, rtol=1e-9)


def test_two_samples(frame):
    a, b = frame[frame["region"] < "C"], frame[frame["region"] >= "C"]
    r = [f[["x", "y"]].corr().iloc[0, 1] for f in (a, b)]
    n = [len(f.dropna(subset=["x", "y"])) for f in (a, b)]
    by_hand = compare_correlations(r1=r[0], n1=n[0], r2=r[1], n2=n[1]).table
    by_data = compare_correlations(a, ("x", "y"), other=b).table
    pd.testing.assert_frame_equal(by_data, by_hand, rtol=1e-9)
    robust = compare_correlations(a, ("x", "y"), other=b, unit="unit", wave="wave", level="within")
    own = [correlations(f, ["x", "y"], unit="unit", wave="wave", level="within") for f in (a, b)]
    se = [f.table["std_error"][0] for f in own]
    assert robust.table["std_error"][0] == pytest.approx(np.hypot(*se), rel=1e-12)
    ends = robust.tables["correlations"]["conf_low"]
    assert ends.tolist() == pytest.approx([f.table["conf_low"][0] for f in own], rel=1e-10)


def test_clustered_difference_is_a_derivative_over_units(frame):
    x, unit = dense(frame, "within")
    row = compare_correlations(
        frame, ("x", "y"), ("x", "v"), unit="unit", wave="wave", level="within"
    ).table.iloc[0]

    def difference(weights):
        s = (x * weights[:, None]).T @ x
        r = s / np.sqrt(np.outer(np.diag(s), np.diag(s)))
        return r[0, 1] - r[0, 2]

    one, step = np.ones(len(x)), 1e-6
    groups = [g for g in np.unique(unit) if (unit == g).sum() > 1]
    slopes = [
        (difference(one + step * (unit == g)) - difference(one - step * (unit == g))) / (2 * step)
        for g in groups
    ]
    count = len(groups)
    assert row["estimate"] == pytest.approx(difference(one), rel=1e-10)
    expected = np.sqrt(count / (count - 1) * np.sum(np.square(slopes)))
    assert row["std_error"] == pytest.approx(expected, rel=1e-6)


# ---------------------------------------------------------------------- equivalence


def test_verdicts_are_those_of_the_ladder():
    rng = np.random.default_rng(3)
    seen = set()
    for b, se in zip(rng.normal(0, 0.3, 300), rng.uniform(0.01, 0.2, 300), strict=True):
        own = equivalence(b, std_error=se, df=30, bound=0.2, reliability=0.8)
        ladder = judge(b, se, 30, delta=0.2, reliability=0.8)
        assert own.table["verdict"].tolist() == [ladder.text.replace("opposite", "negative")] * 2
        assert own.stats["detectable"] == pytest.approx(detectable(se, 30), rel=1e-10)
        seen.add(ladder.text)
    assert len(seen) == 6


def test_the_larger_p_and_the_interval_say_the_same():
    for b in np.linspace(-0.3, 0.3, 61):
        for result in (
            equivalence(b, std_error=0.08, df=25, bound=0.2),
            equivalence(b, n=80, bound=0.2),
        ):
            row = result.table.iloc[0]
            inside = row["conf_low"] > -0.2 and row["conf_high"] < 0.2
            assert inside == (row["p_value"] < 0.05)


def test_a_result_gives_what_its_numbers_give(frame):
    fitted = eecx.regress(frame, "y ~ x + v", effects="two-way", unit="unit", wave="wave")
    row = fitted["x"]
    by_hand = equivalence(row["estimate"], std_error=row["std_error"], df=row["df"], bound=0.3)
    numbers = by_hand.table.columns[2:]
    own = equivalence(fitted, "x", bound=0.3)
    pd.testing.assert_frame_equal(own.table[numbers], by_hand.table[numbers])
    means = fit(frame, level=["between", "within"])
    r = means.table[(means.table["level"] == "between units") & (means.table["y"] == "y")].iloc[0]
    by_hand = equivalence(r["estimate"], n=r["n"], bound=0.3).table[numbers]
    for pair in (("x", "y"), ("y", "x"), "x, y"):
        by_result = equivalence(means, pair, level="between", bound=0.3)
        pd.testing.assert_frame_equal(by_result.table[numbers], by_hand)
    clustered = equivalence(means, ("x", "y"), level="within", bound=0.3, alpha=0.025)
    within = means.table.iloc[3]
    ends = clustered.table[["conf_low", "conf_high"]].iloc[0]
    assert ends.tolist() == pytest.approx([within["conf_low"], within["conf_high"]], rel=1e-10)


def test_correction_divides_and_tests_the_bound_times_reliability():
    result = equivalence(0.08, std_error=0.05, df=40, bound=0.2, reliability=0.7)
    observed, corrected = (result.table.iloc[i] for i in (0, 1))
    by_hand = equivalence(0.08, std_error=0.05, df=40, bound=0.14)
    shrunk = by_hand.table.iloc[0]
    for column in ("statistic", "p_value"):
        assert corrected[column] == pytest.approx(shrunk[column], rel=1e-12)
    sides, own = (r.tables["one_sided"][["statistic", "p_value"]] for r in (by_hand, result))
    np.testing.assert_allclose(own[2:], sides, rtol=1e-12)
    for column in ("estimate", "std_error", "conf_low", "conf_high"):
        assert corrected[column] == pytest.approx(observed[column] / 0.7, rel=1e-12)
