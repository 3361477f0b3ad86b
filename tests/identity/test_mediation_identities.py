"""Algebra of mediation: totals, dummies, refits, and what must not matter."""

import numpy as np
import pandas as pd
import pytest

import eecx
from eecx.mediation import mediate as mediate_function
from eecx.mediation import product_normal_interval
from eecx.resampling import bootstrap_p, percentile_interval, resampled_sums

EFFECTS = ("pooled", "between", "within", "two-way")
NUMBERS = ["estimate", "std_error", "p_value", "conf_low", "conf_high"]


@pytest.fixture(scope="module")
def frame():
    """An unbalanced panel of 25 units over 5 waves: x, two mediators, a covariate, y."""
    rng = np.random.default_rng(11)
    units, waves = 25, 5
    made = pd.DataFrame(
        {
            "unit": np.repeat([f"u{i:02d}" for i in range(units)], waves),
            "wave": np.tile(np.arange(waves), units),
        }
    )
    level = np.repeat(rng.normal(size=units), waves)
    made["z"] = rng.normal(size=len(made))
    made["x"] = level + rng.normal(size=len(made)) + 0.3 * made["z"]
    made["m"] = 0.5 * made["x"] + level + rng.normal(size=len(made)) + 0.4 * made["wave"]
    made["k"] = -0.3 * made["x"] + 0.4 * made["m"] + rng.normal(size=len(made))
    made["y"] = (
        0.2 * made["x"] + 0.6 * made["m"] - 0.5 * made["k"] + level + rng.normal(size=len(made))
    )
    return made[rng.random(len(made)) > 0.15].reset_index(drop=True)


def mediate(frame, m="m", **options):
    given = {"unit": "unit", "wave": "wave", "draws": 99, "rng": 3, **options}
    return eecx.mediate(frame, "x", m, "y", **given)


def estimate(found, effect):
    return found.table.loc[found.table["effect"] == effect, "estimate"].to_numpy()


def dummies(values):
    return (np.asarray(values)[:, None] == np.unique(values)).astype(float)


def slopes(frame, y, x, effects):
    """Least squares with dummies, on rows or on means of units: the slopes of ``x``."""
    if effects == "between":
        frame = frame.groupby("unit", as_index=False)[[y, *x]].mean()
    parts = [frame[list(x)].to_numpy(), np.ones((len(frame), 1))]
    if effects in ("within", "two-way"):
        parts.append(dummies(frame["unit"]))
    if effects == "two-way":
        parts.append(dummies(frame["wave"]))
    return np.linalg.lstsq(np.hstack(parts), frame[y].to_numpy(), rcond=None)[0][: len(x)]


def by_hand(frame, m, effects, covariates=()):
    """Paths a, b, direct, indirect, total by dense least squares."""
    a = [slopes(frame, name, ["x", *covariates], effects)[0] for name in m]
    direct, *b = slopes(frame, "y", ["x", *m, *covariates], effects)[: 1 + len(m)]
    total = slopes(frame, "y", ["x", *covariates], effects)[0]
    return np.array([*a, *b, direct, *np.multiply(a, b), total])


@pytest.mark.parametrize("effects", EFFECTS)
@pytest.mark.parametrize("m", ["m", ["m", "k"]], ids=["one mediator", "two mediators"])
@pytest.mark.parametrize("covariates", [[], ["z"]], ids=["no covariate", "a covariate"])
def test_total_is_direct_plus_all_indirect(frame, m, effects, covariates):
    found = mediate(frame, m, effects=effects, covariates=covariates)
    total = estimate(found, "direct") + estimate(found, "indirect").sum()
    np.testing.assert_allclose(estimate(found, "total"), total, rtol=1e-12)
    drawn = flat(found)
    through = [c for c in drawn if c.startswith("indirect")]
    np.testing.assert_allclose(
        drawn["total"], drawn["direct"] + drawn[through].sum(axis=1), rtol=1e-9, atol=1e-12
    )
    if m != "m":
        np.testing.assert_allclose(
            estimate(found, "total indirect"), estimate(found, "indirect").sum(), rtol=1e-12
        )
        first, second = estimate(found, "indirect")
        assert estimate(found, "contrast") == pytest.approx(first - second, rel=1e-12)


@pytest.mark.parametrize("effects", EFFECTS)
def test_paths_are_those_of_a_regression_with_dummies(frame, effects):
    found = mediate(frame, ["m", "k"], effects=effects, covariates="z")
    shown = found.table[found.table["effect"].isin(["a", "b", "direct", "indirect", "total"])]
    np.testing.assert_allclose(
        shown["estimate"], by_hand(frame, ["m", "k"], effects, ["z"]), rtol=1e-9
    )


@pytest.mark.parametrize("effects", EFFECTS)
def test_paths_and_errors_are_those_of_regress(frame, effects):
    found = mediate(frame, effects=effects)
    for effect, formula in {"a": "m ~ x", "b": "y ~ m + x", "total": "y ~ x"}.items():
        fit = eecx.regress(frame, formula, effects=effects, unit="unit", wave="wave")
        row = found[effect]
        expected = fit["m" if effect == "b" else "x"]
        for column in [*NUMBERS, "statistic", "df"]:
            assert row[column] == pytest.approx(expected[column], rel=1e-9)


class Recorder:
    """Draws clusters like the bootstrap and keeps what was drawn."""

    def __init__(self):
        self.counts = None

    def __call__(self, sums, draws, rng):
        clusters = len(sums)
        drawn = rng.integers(clusters, size=(draws, clusters))
        self.counts = np.stack([np.bincount(d, minlength=clusters) for d in drawn])
        return self.counts @ sums


def resampled(frame, counts):
    """Repeat every unit as often as it was drawn, each time as a unit of its own."""
    parts = []
    for (name, rows), count in zip(frame.groupby("unit"), counts, strict=True):
        parts += [rows.assign(unit=f"{name} {i}") for i in range(count)]
    return pd.concat(parts, ignore_index=True)


@pytest.fixture
def recorder(monkeypatch):
    recorder = Recorder()
    monkeypatch.setitem(mediate_function.__globals__, "resampled_sums", recorder)
    return recorder


def flat(found):
    """Draws under short names: "indirect [m]", "total"."""
    names = [f"{effect} [{m}]" if m else effect for effect, m, _ in found.draws.columns]
    return found.draws.set_axis(names, axis=1)


@pytest.mark.parametrize("effects", EFFECTS)
def test_a_draw_by_weights_is_a_refit_to_the_units_drawn(frame, effects, recorder):
    found = mediate(frame, ["m", "k"], effects=effects, covariates=["z"], draws=39)
    draws = flat(found)
    columns = [
        "a [m]",
        "a [k]",
        "b [m]",
        "b [k]",
        "direct",
        "indirect [m]",
        "indirect [k]",
        "total",
    ]
    assert list(draws.columns[:7]) == columns[:7]
    for counts, drawn in zip(recorder.counts, draws[columns].to_numpy(), strict=True):
        refit = by_hand(resampled(frame, counts), ["m", "k"], effects, ["z"])
        np.testing.assert_allclose(drawn, refit, rtol=1e-8)


def test_a_wave_that_no_drawn_unit_has_is_left_out_of_the_draw(frame, recorder):
    alone = frame[frame["unit"] == "u03"].tail(1).assign(wave=9, x=2.0, m=1.0, y=-1.0)
    later = frame[frame["unit"] == "u07"].tail(1).assign(wave=10, x=-1.0, m=3.0, y=2.0)
    holed = pd.concat([frame, alone, later], ignore_index=True)
    found = mediate(holed, effects="two-way", draws=39)
    assert found.failed_draws == 0
    without = ~((recorder.counts[:, 3] > 0) & (recorder.counts[:, 7] > 0))
    assert without.sum() > 10
    columns = ["a [m]", "b [m]", "direct", "indirect [m]", "total"]
    for at in np.flatnonzero(without):
        refit = by_hand(resampled(holed, recorder.counts[at]), ["m"], "two-way")
        np.testing.assert_allclose(flat(found)[columns].to_numpy()[at], refit, rtol=1e-8)


def test_rows_of_a_plain_frame_are_resampled_one_by_one(frame, recorder):
    found = eecx.mediate(frame, "x", "m", "y", draws=39, rng=3)
    assert recorder.counts.shape == (39, len(frame))
    refit = by_hand(frame.loc[frame.index.repeat(recorder.counts[0])], ["m"], "pooled")
    columns = ["a [m]", "b [m]", "direct", "indirect [m]", "total"]
    np.testing.assert_allclose(flat(found)[columns].to_numpy()[0], refit, rtol=1e-8)


def test_errors_limits_and_p_are_those_of_the_draws(frame):
    found = mediate(frame, ["m", "k"], draws=199, conf_level=0.9)
    for r in found.table[found.table["interval"] == "bootstrap"].itertuples():
        drawn = found.draws[r.effect, r.mediator, r.level]
        assert r.std_error == pytest.approx(drawn.std(), rel=1e-12)
        low, high = drawn.sort_values().iloc[[9, 189]]  # (B + 1) 0.05 = 10th of 199
        assert (r.conf_low, r.conf_high) == pytest.approx((low, high), rel=1e-12)
        fewer = min((drawn <= 0).sum(), (drawn >= 0).sum())
        assert r.p_value == pytest.approx(min(1.0, 2 * (fewer + 1) / 200), rel=1e-12)
    np.testing.assert_allclose(found.vcov, found.draws.cov(), rtol=1e-9)


@pytest.mark.parametrize("effects", EFFECTS)
def test_order_of_rows_and_names_of_units_do_not_matter(frame, effects):
    found = mediate(frame, ["m", "k"], effects=effects)
    shuffled = frame.sample(frac=1, random_state=1)
    renamed = shuffled.assign(unit=shuffled["unit"].map(lambda u: f"store {u} & co"))
    again = mediate(renamed, ["m", "k"], effects=effects)
    np.testing.assert_allclose(again.table[NUMBERS], found.table[NUMBERS], rtol=1e-8)


@pytest.mark.parametrize("effects", EFFECTS)
def test_units_of_measurement_and_offsets_do_not_matter(frame, effects):
    found = mediate(frame, effects=effects)
    scaled = frame.assign(
        x=frame["x"] * 1e3 + 1e6, m=frame["m"] * 1e-6 - 5.0, y=frame["y"] * 1e-8 + 1.0
    )
    again = mediate(scaled, effects=effects)
    factor = {"a": 1e-9, "b": 1e-2, "direct": 1e-11, "indirect": 1e-11, "total": 1e-11}
    scale = found.table["effect"].map(factor)
    for column in ("estimate", "std_error", "conf_low", "conf_high"):
        expected = found.table[column] * scale
        # an offset of 1e6 SDs of x costs six digits, and y keeps eight of its own
        np.testing.assert_allclose(again.table[column], expected, rtol=1e-5)
    one, other = (f.tables["normal_theory"].iloc[0] for f in (found, again))
    for column in ("product_normal_low", "product_normal_high", "sobel_low"):
        assert other[column] == pytest.approx(one[column] * 1e-11, rel=1e-5)
    for column in ("sobel_z", "sobel_p", "joint_p"):
        assert other[column] == pytest.approx(one[column], rel=1e-5)
    sizes = ["completely_standardized", "proportion_mediated"]
    np.testing.assert_allclose(again.tables["size"][sizes], found.tables["size"][sizes], rtol=1e-5)


def test_mediators_may_come_in_any_order(frame):
    one, other = (mediate(frame, m, effects="within") for m in (["m", "k"], ["k", "m"]))
    for effect in ("direct", "total indirect", "total"):
        np.testing.assert_allclose(estimate(one, effect), estimate(other, effect), rtol=1e-10)
        np.testing.assert_allclose(flat(one)[effect], flat(other)[effect], rtol=1e-8)
    assert estimate(one, "contrast") == pytest.approx(-estimate(other, "contrast"), rel=1e-10)


def test_a_panel_a_frame_and_moments_give_the_same(frame):
    panel = eecx.Panel.from_frame(
        frame, unit="unit", wave="wave", employee=["x", "m"], customer=["y"]
    )
    sums = eecx.Moments.from_frame(frame, keys=["unit"], terms=["x", "m", "y"])
    options = {"effects": "within", "draws": 99, "rng": 3}
    of_panel = eecx.mediate(panel, "x", "m", "y", **options)
    of_sums = eecx.mediate(sums, "x", "m", "y", unit="unit", **options)
    of_frame = mediate(frame, effects="within")
    for found in (of_panel, of_sums):
        np.testing.assert_allclose(found.table[NUMBERS], of_frame.table[NUMBERS], rtol=1e-8)


@pytest.mark.parametrize("name", ["net promoter", "a`b", "1", "C(x)", "x:y", "lag(x)"])
def test_the_name_of_a_column_does_not_matter(frame, name):
    renamed = frame.rename(columns={"x": name})
    quoted = "`" + name.replace("`", "``") + "`"
    found = eecx.mediate(renamed, quoted, "m", "y", unit="unit", wave="wave", draws=99, rng=3)
    np.testing.assert_allclose(found.table[NUMBERS], mediate(frame).table[NUMBERS], rtol=1e-10)
    assert found.spec["x"] == name


def test_a_name_with_blanks_needs_no_backticks(frame):
    renamed = frame.rename(columns={"m": "net promoter"})
    found = mediate(renamed, "net promoter")
    assert found.spec["m"] == ["net promoter"]


def test_the_same_seed_gives_the_same_draws(frame):
    one, other = (mediate(frame, rng=r).draws for r in (5, np.random.default_rng(5)))
    pd.testing.assert_frame_equal(one, other)
    assert not mediate(frame, rng=6).draws.equals(one)


class TestResampling:
    def test_every_draw_has_as_many_clusters_as_there_are(self):
        counts = resampled_sums(np.eye(40), 3000, np.random.default_rng(1))
        assert counts.shape == (3000, 40)
        assert (counts.sum(axis=1) == 40).all()
        assert np.isin(counts, np.arange(41)).all()

    def test_counts_are_multinomial(self):
        counts = resampled_sums(np.eye(10), 50_000, np.random.default_rng(2))
        # 6 standard errors of a mean of variance 0.9, and of a covariance of -0.1
        np.testing.assert_allclose(counts.mean(axis=0), 1.0, atol=6 * np.sqrt(0.9 / 50_000))
        expected = np.eye(10) - 0.1
        np.testing.assert_allclose(np.cov(counts.T), expected, atol=0.04)

    def test_many_clusters_come_in_batches(self):
        clusters = 70_000
        column = np.arange(clusters, dtype=float)[:, None]
        drawn = resampled_sums(
            np.hstack([np.ones_like(column), column]), 7, np.random.default_rng(3)
        )
        assert (drawn[:, 0] == clusters).all()
        error = np.sqrt(clusters) * column.std()
        assert (abs(drawn[:, 1] - column.sum()) < 6 * error).all()

    def test_limits_are_order_statistics(self):
        low, high = percentile_interval(np.arange(1.0, 40.0)[:, None], 0.95)
        assert (low[0], high[0]) == pytest.approx((1.0, 39.0))

    def test_p_is_never_zero(self):
        assert bootstrap_p(np.ones((39, 1)))[0] == 2 / 40
        assert bootstrap_p(np.array([[-1.0], [1.0], [2.0]]))[0] == 1.0


@pytest.mark.parametrize("scale", [1e-12, 1e-6, 1.0, 1e9])
@pytest.mark.parametrize(("a", "b"), [(0.4, 0.5), (0.0, 0.0), (-3.0, 0.01), (40.0, -1.0)])
def test_limits_of_a_product_scale_with_its_factors(a, b, scale):
    plain = product_normal_interval(a, 0.1, b, 0.2)
    scaled = product_normal_interval(a * scale, 0.1 * scale, b / 1e3, 0.2 / 1e3)
    assert scaled == pytest.approx([v * scale / 1e3 for v in plain], rel=1e-9)


def test_limits_of_a_product_mirror_and_commute():
    low, high = product_normal_interval(0.3, 0.1, 0.2, 0.08)
    assert product_normal_interval(0.2, 0.08, 0.3, 0.1) == pytest.approx((low, high), rel=1e-9)
    assert product_normal_interval(-0.3, 0.1, 0.2, 0.08) == pytest.approx((-high, -low), rel=1e-9)
