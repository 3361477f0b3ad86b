"""Regressions of panels made at random: what must hold for all of them, and that none breaks."""

import json

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

import eecx
from eecx import formula
from eecx.errors import EecxError
from eecx.models.inference import fit_work
from eecx.models.prepare import prepare

EFFECTS = st.sampled_from(["pooled", "between", "within", "two-way"])
VCOVS = st.sampled_from(["classical", "HC1", "CR1", "CR2"])
SCALES = st.floats(-6, 6).map(lambda e: 10.0**e)
FREE = ["df", "p_value"]  # of units of measurement
MERGED = ["estimate", "std_error", "df"]
FEW = settings(max_examples=25)  # two or three fits each


@st.composite
def panels(draw, least_units=5):
    """A panel of 5 to 9 units with holes; normal values, so that no column is collinear."""
    units, waves = draw(st.integers(least_units, 9)), draw(st.integers(3, 6))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    rows = units * waves
    frame = pd.DataFrame(
        {
            "unit": np.repeat(np.arange(units), waves),
            "wave": np.tile(np.arange(waves), units),
            "x": rng.normal(size=rows),
            "z": rng.normal(size=rows),
        }
    )
    frame["y"] = 0.5 * frame["x"] + rng.normal(size=rows)
    holes = draw(st.sets(st.integers(0, rows - 1), max_size=rows // 6))
    return frame.drop(index=sorted(holes)).reset_index(drop=True)


def fit(frame, **options):
    return eecx.regress(frame, "y ~ x + z", unit="unit", wave="wave", **options)


def slopes(result):
    return result.table.set_index("term").loc[["x", "z"]]


@FEW
@given(panels(), EFFECTS, VCOVS, SCALES, SCALES, st.booleans(), st.floats(-1e3, 1e3))
def test_units_of_measurement_scale_slopes_and_nothing_else(
    frame, effects, vcov, by_y, by_x, turned, shift
):
    by_x = -by_x if turned else by_x
    moved = frame.assign(y=by_y * (frame["y"] + shift), x=by_x * (frame["x"] - shift))
    one, other = (slopes(fit(d, effects=effects, vcov=vcov)) for d in (frame, moved))
    ratio = np.array([by_y / by_x, by_y])
    np.testing.assert_allclose(
        other["estimate"], one["estimate"] * ratio, rtol=1e-7, atol=1e-9 * abs(ratio).max()
    )
    np.testing.assert_allclose(other["std_error"], one["std_error"] * abs(ratio), rtol=1e-7)
    np.testing.assert_allclose(other[FREE], one[FREE], rtol=1e-6)


@FEW
@given(panels(), EFFECTS, VCOVS, st.randoms(use_true_random=False))
def test_order_and_names_do_not_matter(frame, effects, vcov, random):
    names = list(range(9))
    random.shuffle(names)
    order = list(range(len(frame)))
    random.shuffle(order)
    other = frame.assign(unit=[f"unit {names[u]}" for u in frame["unit"]]).iloc[order]
    one, two = (slopes(fit(d, effects=effects, vcov=vcov)) for d in (frame, other))
    np.testing.assert_allclose(
        one.drop(columns="level").astype(float), two.drop(columns="level").astype(float), rtol=1e-9
    )


@given(panels(), EFFECTS, VCOVS)
def test_covariances_are_symmetric_and_not_negative(frame, effects, vcov):
    result = fit(frame, effects=effects, vcov=vcov)
    covariance = result.vcov.to_numpy()
    np.testing.assert_allclose(covariance, covariance.T, rtol=1e-10, atol=1e-15)
    assert np.linalg.eigvalsh(covariance)[0] >= -1e-12 * np.trace(covariance)
    assert 0 <= result.stats["r_squared"] <= 1


@given(panels(), EFFECTS)
def test_satterthwaite_df_lie_between_0_and_the_number_of_clusters(frame, effects):
    result = fit(frame, effects=effects, vcov="CR2")
    assert (result.table["df"] > 0).all()
    assert (result.table["df"] <= result.stats["clusters"] + 1e-9).all()


@given(panels(), EFFECTS, VCOVS)
def test_residuals_are_orthogonal_to_the_columns(frame, effects, vcov):
    model = formula.parse("y ~ x + z")
    fitted = fit_work(prepare(frame, model, effects, unit="unit", wave="wave", vcov=vcov))
    size = np.abs(fitted.scores).sum(axis=0)
    np.testing.assert_allclose(fitted.scores.sum(axis=0), 0, atol=1e-10 * (1 + size.max()))
    moved = fitted.scores @ fitted.bread @ fitted.move.T
    np.testing.assert_allclose(moved.sum(axis=0), 0, atol=1e-10)


@FEW
@given(panels(), EFFECTS)
def test_every_unit_twice_halves_the_robust_variance_before_its_factor(frame, effects):
    again = pd.concat([frame, frame.assign(unit=frame["unit"] + 100)])
    one, two = (fit(d, effects=effects, vcov="CR1") for d in (frame, again))
    np.testing.assert_allclose(slopes(one)["estimate"], slopes(two)["estimate"], rtol=1e-8)
    n, k = one.stats["n"], one.stats["n"] - one.stats["df_residual"]
    k = k - one.stats["units"] + 1 if effects in ("within", "two-way") else k
    g = one.stats["clusters"]
    factor = [c * g / (c * g - 1) * (c * n - 1) / (c * n - k) / c for c in (1, 2)]
    ratio = two.vcov.to_numpy() / one.vcov.to_numpy()
    np.testing.assert_allclose(ratio, factor[1] / factor[0], rtol=1e-6)


@FEW
@given(panels(), st.sampled_from(["pooled", "between", "within"]), VCOVS, st.integers(1, 9))
def test_merged_moments_give_what_whole_ones_give(frame, effects, vcov, at):
    keys = ["unit", "row"] if vcov == "HC1" else ["unit"]
    parts = [
        eecx.Moments.from_frame(rows, keys=keys, terms=["x", "y", "z"])
        for rows in (frame.iloc[at:], frame.iloc[:at])
    ]
    merged = eecx.regress(parts[0] + parts[1], "y ~ x + z", effects=effects, vcov=vcov, unit="unit")
    whole = fit(frame, effects=effects, vcov=vcov)
    one, two = (slopes(result)[MERGED].astype(float) for result in (merged, whole))
    np.testing.assert_allclose(one, two, rtol=1e-8)


@FEW
@given(panels(), EFFECTS, VCOVS, st.floats(-3, 3))
def test_adding_a_multiple_of_x_to_y_adds_it_to_the_slope(frame, effects, vcov, slope):
    more = frame.assign(y=frame["y"] + slope * frame["x"])
    one, two = (slopes(fit(d, effects=effects, vcov=vcov)) for d in (frame, more))
    np.testing.assert_allclose(two["estimate"] - one["estimate"], [slope, 0], rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(two["std_error"], one["std_error"], rtol=1e-7)


@FEW
@given(panels(), EFFECTS)
def test_classical_t_squared_is_the_f_of_leaving_the_column_out(frame, effects):
    options = {"unit": "unit", "wave": "wave", "effects": effects, "vcov": "classical"}
    large, small = (eecx.regress(frame, f, **options) for f in ("y ~ x + z", "y ~ x"))
    rss = [r.stats["sigma"] ** 2 * r.stats["df_residual"] for r in (small, large)]
    f = (rss[0] - rss[1]) / large.stats["sigma"] ** 2
    np.testing.assert_allclose(large["z"]["statistic"] ** 2, f, rtol=1e-6, atol=1e-9)


AWKWARD = st.sampled_from([0.0, 0.0, 1.0, 1.0, -1.0, 2.0, 0.1, 1 / 3, np.nan, 1e9, 1e9 + 1, -1e-9])


@settings(max_examples=100)
@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 3), AWKWARD, AWKWARD, AWKWARD),
        min_size=5,
        max_size=16,
        unique_by=lambda row: row[:2],
    ),
    EFFECTS,
    VCOVS,
    st.sampled_from(
        ["y ~ x", "y ~ x + z", "y ~ x:z", "y ~ lag(x)", "y ~ C(x)", "y ~ I(x^2)", "y ~ 1"]
    ),
)
def test_awkward_data_are_an_error_of_ours_or_a_result(rows, effects, vcov, text):
    frame = pd.DataFrame(rows, columns=["unit", "wave", "x", "y", "z"])
    try:
        result = eecx.regress(frame, text, effects=effects, vcov=vcov, unit="unit", wave="wave")
    except EecxError:
        return
    content = json.loads(result.to_json())
    assert np.isfinite(result.table["estimate"]).all()
    assert not (result.table["std_error"] == 0).any()
    told = result.table["df"].notna()
    assert result.table.loc[told, ["std_error", "p_value"]].notna().all(axis=None)
    assert told.all() or content["warnings"]
