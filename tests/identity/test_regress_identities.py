"""Algebra of linear models on sums: other routes to the same numbers."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

import eecx
from eecx import formula
from eecx.covariance import partial_leverage
from eecx.models.inference import fit_work
from eecx.models.prepare import prepare

EFFECTS = ("pooled", "between", "within", "two-way")
VCOVS = ("classical", "HC1", "CR1", "CR2")
NUMBERS = ["estimate", "std_error", "statistic", "df", "p_value", "conf_low", "conf_high"]


@pytest.fixture(scope="module")
def frame():
    """An unbalanced panel of 15 units in 5 regions over 6 waves, with holes and singletons."""
    rng = np.random.default_rng(20)
    units, waves = 15, 6
    made = pd.DataFrame(
        {
            "unit": np.repeat([f"u{i:02d}" for i in range(units)], waves),
            "wave": np.tile(np.arange(2001, 2001 + waves), units),
        }
    )
    made["region"] = made["unit"].map(lambda u: "ABCDE"[int(u[1:]) % 5])
    level = np.repeat(rng.normal(size=units), waves)
    made["x"] = level + rng.normal(size=len(made))
    made["z"] = rng.normal(size=len(made)) + 0.2 * made["wave"] % 3
    made["y"] = 0.5 * made["x"] - 0.3 * made["z"] + level + rng.standard_t(5, size=len(made))
    gone = rng.random(len(made)) < 0.15
    gone |= (made["unit"] == "u03") & (made["wave"] != 2002)
    return made[~gone].reset_index(drop=True)


def fit(frame, text="y ~ x + z", **options):
    return eecx.regress(frame, text, **{"unit": "unit", "wave": "wave", **options})


def dummies(values):
    levels = np.unique(values)
    return (np.asarray(values)[:, None] == levels).astype(float)


def design(frame, effects, columns=("x", "z")):
    """Return the dense columns that a model with dummies has, the slopes first."""
    slopes = frame[list(columns)].to_numpy()
    if effects == "pooled":
        return np.column_stack([slopes, np.ones(len(frame))])
    parts = [slopes, dummies(frame["unit"])]
    if effects == "two-way":
        parts.append(dummies(frame["wave"])[:, 1:])
    return np.column_stack(parts)


def assert_same(one, other, columns=NUMBERS, rtol=1e-9):
    left, right = one.table[columns].to_numpy(float), other.table[columns].to_numpy(float)
    np.testing.assert_allclose(left, right, rtol=rtol, atol=1e-13)


# ---------------------------------------------------------------------- dummies, statsmodels


@pytest.mark.parametrize("effects", ["pooled", "within", "two-way"])
def test_effects_are_dummies(frame, effects):
    dense = sm.OLS(frame["y"].to_numpy(), design(frame, effects)).fit()
    ours = fit(frame, effects=effects, vcov="classical")
    at = ["x", "z"]
    rows = ours.table.set_index("term").loc[at]
    np.testing.assert_allclose(rows["estimate"], dense.params[:2], rtol=1e-10)
    np.testing.assert_allclose(ours.vcov.loc[at, at], dense.cov_params()[:2, :2], rtol=1e-9)
    np.testing.assert_allclose(rows["p_value"], dense.pvalues[:2], rtol=1e-8)
    np.testing.assert_allclose(rows[["conf_low", "conf_high"]], dense.conf_int()[:2], rtol=1e-8)
    assert ours.stats["df_residual"] == dense.df_resid


@pytest.mark.parametrize("effects", ["pooled", "within", "two-way"])
def test_hc1_is_that_of_dummies(frame, effects):
    dense = sm.OLS(frame["y"].to_numpy(), design(frame, effects)).fit(cov_type="HC1")
    ours = fit(frame, effects=effects, vcov="HC1").vcov.loc[["x", "z"], ["x", "z"]]
    np.testing.assert_allclose(ours, dense.cov_params()[:2, :2], rtol=1e-9)


@pytest.mark.parametrize("cluster", ["unit", "region", "wave"])
@pytest.mark.parametrize("effects", ["pooled", "within", "two-way"])
def test_cr1_is_that_of_dummies_with_effects_in_clusters_uncounted(frame, effects, cluster):
    x = design(frame, effects)
    groups = pd.factorize(frame[cluster])[0]
    dense = sm.OLS(frame["y"].to_numpy(), x).fit(
        cov_type="cluster", cov_kwds={"groups": groups, "use_correction": False}
    )
    n, g = len(frame), groups.max() + 1
    waves = frame["wave"].nunique() - 1
    units = frame["unit"].nunique()
    k = 2 + (units if cluster == "wave" and effects != "pooled" else 1)
    k += waves if effects == "two-way" and cluster != "wave" else 0
    factor = g / (g - 1) * (n - 1) / (n - k)
    ours = fit(frame, effects=effects, vcov="CR1", cluster=cluster)
    np.testing.assert_allclose(
        ours.vcov.loc[["x", "z"], ["x", "z"]], factor * dense.cov_params()[:2, :2], rtol=1e-9
    )
    assert set(ours.table["df"]) == {g - 1}


def test_cr1_with_clusters_that_cut_across_units(frame):
    moved = frame.assign(region=np.where(frame["wave"] > 2003, "Z", frame["region"]))
    groups = pd.factorize(moved["region"])[0]
    dense = sm.OLS(frame["y"].to_numpy(), design(frame, "within")).fit(
        cov_type="cluster", cov_kwds={"groups": groups, "use_correction": True}
    )
    ours = fit(moved, effects="within", vcov="CR1", cluster="region")
    np.testing.assert_allclose(ours.vcov, dense.cov_params()[:2, :2], rtol=1e-9)


def test_one_row_per_cluster_makes_cr1_the_same_as_hc1(frame):
    own = frame.assign(own=np.arange(len(frame)))
    clustered = fit(own, vcov="CR1", cluster="own", unit=None, wave=None)
    by_row = fit(own, vcov="HC1", unit=None, wave=None)
    np.testing.assert_allclose(clustered.vcov, by_row.vcov, rtol=1e-12)


@pytest.mark.parametrize("vcov", ["classical", "HC1"])
def test_between_is_ols_of_unit_means(frame, vcov):
    means = frame.groupby("unit")[["y", "x", "z"]].mean()
    kind = {"classical": "nonrobust", "HC1": "HC1"}[vcov]
    x = sm.add_constant(means[["x", "z"]].to_numpy())
    dense = sm.OLS(means["y"].to_numpy(), x).fit(cov_type=kind, use_t=True)
    ours = fit(frame, effects="between", vcov=vcov)
    np.testing.assert_allclose(ours.table["estimate"], dense.params, rtol=1e-10)
    np.testing.assert_allclose(ours.vcov, dense.cov_params(), rtol=1e-9)
    np.testing.assert_allclose(ours.table["p_value"], dense.pvalues, rtol=1e-8)


def test_between_with_one_cluster_per_unit_is_hc1_of_means(frame):
    np.testing.assert_allclose(
        fit(frame, effects="between", vcov="CR1").vcov,
        fit(frame, effects="between", vcov="HC1").vcov,
        rtol=1e-12,
    )


def test_between_by_region_is_clustered_ols_of_means(frame):
    means = frame.groupby("unit").agg({"y": "mean", "x": "mean", "z": "mean", "region": "first"})
    direct = eecx.regress(means, "y ~ x + z", cluster="region")
    assert_same(fit(frame, effects="between", cluster="region"), direct)


def test_two_way_with_one_wave_effect_each_is_within_of_wave_demeaned_balanced_data(frame):
    rng = np.random.default_rng(3)
    balanced = frame.groupby("unit").filter(lambda rows: len(rows) >= 4)
    balanced = (
        balanced.groupby("unit").head(4).assign(wave=np.tile(range(4), balanced["unit"].nunique()))
    )
    balanced["x"] += rng.normal(size=len(balanced))
    net = balanced.copy()
    net[["y", "x", "z"]] -= balanced.groupby("wave")[["y", "x", "z"]].transform("mean")
    estimates = [
        fit(d, effects=e).table["estimate"] for d, e in ((balanced, "two-way"), (net, "within"))
    ]
    np.testing.assert_allclose(*estimates, rtol=1e-9)


def test_two_waves_within_are_first_differences(frame):
    two = frame[frame["wave"].isin([2001, 2002])]
    two = two.groupby("unit").filter(lambda rows: len(rows) == 2)
    change = two.groupby("unit")[["y", "x", "z"]].agg(lambda v: v.iloc[1] - v.iloc[0])
    dense = sm.OLS(change["y"], sm.add_constant(change[["x", "z"]])).fit()
    ours = fit(two, effects="two-way", vcov="classical")
    np.testing.assert_allclose(ours.table["estimate"], dense.params.iloc[1:], rtol=1e-9)
    np.testing.assert_allclose(ours.table["std_error"], dense.bse.iloc[1:], rtol=1e-9)


# ---------------------------------------------------------------------- CR2 by definition


def dense_cr2(y, x, groups):
    """CR2 and Satterthwaite df of Pustejovsky and Tipton (2018), with n × n matrices."""
    x = x[:, np.linalg.norm(x, axis=0) > 0]
    bread = np.linalg.inv(x.T @ x)
    away = np.eye(len(y)) - x @ bread @ x.T
    residuals = away @ y
    meat, parts = np.zeros_like(bread), []
    for level in np.unique(groups):
        own = np.flatnonzero(groups == level)
        values, vectors = np.linalg.eigh(away[np.ix_(own, own)])
        inverse = np.where(values > 1e-8, 1 / np.sqrt(np.maximum(values, 1e-8)), 0.0)
        adjust = vectors @ np.diag(inverse) @ vectors.T
        score = x[own].T @ adjust @ residuals[own]
        meat += np.outer(score, score)
        parts.append(away[:, own] @ adjust @ x[own] @ bread)
    df = []
    for j in range(x.shape[1]):
        p = np.column_stack([part[:, j] for part in parts])
        df.append(np.trace(p.T @ p) ** 2 / ((p.T @ p) ** 2).sum())
    return bread @ meat @ bread, np.array(df)


@pytest.mark.parametrize("cluster", ["unit", "region"])
@pytest.mark.parametrize("effects", ["pooled", "within", "two-way"])
def test_cr2_is_its_definition_with_dummies(frame, effects, cluster):
    x = design(frame, effects)
    covariance, df = dense_cr2(frame["y"].to_numpy(), x, frame[cluster].to_numpy())
    ours = fit(frame, effects=effects, cluster=cluster)
    at = ["x", "z"]
    np.testing.assert_allclose(ours.vcov.loc[at, at], covariance[:2, :2], rtol=1e-9)
    np.testing.assert_allclose(ours.table.set_index("term").loc[at, "df"], df[:2], rtol=1e-9)


def test_cr2_of_the_intercept_is_its_definition(frame):
    x = design(frame, "pooled")[:, [2, 0, 1]]
    covariance, df = dense_cr2(frame["y"].to_numpy(), x, frame["unit"].to_numpy())
    ours = fit(frame)
    np.testing.assert_allclose(ours.vcov, covariance, rtol=1e-9)
    np.testing.assert_allclose(ours.table["df"], df, rtol=1e-9)


def test_cr2_by_wave_is_its_definition(frame):
    x = design(frame, "pooled")[:, [2, 0, 1]]
    covariance, df = dense_cr2(frame["y"].to_numpy(), x, frame["wave"].to_numpy())
    ours = fit(frame, cluster="wave")
    np.testing.assert_allclose(ours.vcov, covariance, rtol=1e-9)
    np.testing.assert_allclose(ours.table["df"], df, rtol=1e-9)


def test_cr2_between_units_is_its_definition(frame):
    means = frame.groupby("unit").agg({"y": "mean", "x": "mean", "z": "mean", "region": "first"})
    x = design(means, "pooled")[:, [2, 0, 1]]
    for cluster, groups in (("unit", means.index), ("region", means["region"])):
        covariance, df = dense_cr2(means["y"].to_numpy(), x, np.asarray(groups))
        ours = fit(frame, effects="between", cluster=cluster)
        np.testing.assert_allclose(ours.vcov, covariance, rtol=1e-9)
        np.testing.assert_allclose(ours.table["df"], df, rtol=1e-9)


def test_cr2_with_a_column_that_one_cluster_decides_is_its_definition(frame):
    """A generalised inverse leaves that cluster out; the other column's error is untouched."""
    marked = frame.assign(d=(frame["unit"] == "u07").astype(float))
    x = design(marked, "pooled", ("x", "d"))
    covariance, df = dense_cr2(frame["y"].to_numpy(), x, frame["unit"].to_numpy())
    ours = fit(marked, "y ~ x + d")
    at = ["x", "d"]
    np.testing.assert_allclose(ours.vcov.loc[at, at], covariance[:2, :2], rtol=1e-8)
    np.testing.assert_allclose(ours.table.set_index("term").loc[at, "df"], df[:2], rtol=1e-8)


def test_cr2_is_hc2_with_one_row_per_cluster(frame):
    own = frame.assign(own=np.arange(len(frame)))
    dense = sm.OLS(frame["y"].to_numpy(), design(frame, "pooled")).fit(cov_type="HC2")
    ours = fit(own, unit=None, wave=None, cluster="own").vcov.loc[["x", "z"], ["x", "z"]]
    np.testing.assert_allclose(ours, dense.cov_params()[:2, :2], rtol=1e-9)


def test_cr2_of_one_mean_is_the_t_test(frame):
    """Of equal clusters, the mean has the error of the cluster means and G - 1 degrees."""
    equal = frame.groupby("unit").filter(lambda rows: len(rows) >= 4).groupby("unit").head(4)
    means = equal.groupby("unit")["y"].mean()
    row = fit(equal, "y ~ 1").table.iloc[0]
    np.testing.assert_allclose(row["estimate"], means.mean(), rtol=1e-12)
    np.testing.assert_allclose(row["std_error"], means.std() / np.sqrt(len(means)), rtol=1e-10)
    np.testing.assert_allclose(row["df"], len(means) - 1, rtol=1e-10)


@pytest.mark.parametrize("effects", ["pooled", "within", "two-way"])
def test_partial_leverage_is_the_share_of_what_other_columns_leave(frame, effects):
    x = design(frame, effects)
    left = frame["x"] - x[:, 1:] @ np.linalg.lstsq(x[:, 1:], frame["x"], rcond=None)[0]
    shares = (left**2).groupby(frame["unit"]).sum() / (left**2).sum()
    model = formula.parse("y ~ x + z")
    work = fit_work(prepare(frame, model, effects, unit="unit", wave="wave", vcov="CR2"))
    ours = partial_leverage(work.by, work.move)[:, [str(c) for c in work.columns].index("x")]
    np.testing.assert_allclose(ours, shares, rtol=1e-8, atol=1e-14)


# ---------------------------------------------------------------------- the ways in


@pytest.mark.parametrize("vcov", VCOVS)
@pytest.mark.parametrize("effects", EFFECTS)
def test_panel_and_frame_give_the_same(frame, effects, vcov):
    panel = eecx.Panel.from_frame(
        frame, unit="unit", wave="wave", employee=["x"], customer=["y"], covariates=["z"]
    )
    one = eecx.regress(panel, "y ~ x + z", effects=effects, vcov=vcov)
    assert_same(one, fit(frame, effects=effects, vcov=vcov), rtol=0)


@pytest.mark.parametrize("vcov", VCOVS)
@pytest.mark.parametrize("effects", ["pooled", "between", "within"])
def test_moments_and_frame_give_the_same(frame, effects, vcov):
    keys = ["unit", "row"] if vcov == "HC1" else ["unit"]
    moments = eecx.Moments.from_frame(frame, keys=keys, terms=["x", "y", "z"])
    one = eecx.regress(moments, "y ~ x + z", effects=effects, vcov=vcov, unit="unit")
    assert_same(one, fit(frame, effects=effects, vcov=vcov))


@pytest.mark.parametrize("vcov", ["CR1", "CR2"])
@pytest.mark.parametrize("effects", ["pooled", "between", "within"])
def test_moments_by_region_and_frame_give_the_same(frame, effects, vcov):
    moments = eecx.Moments.from_frame(frame, keys=["unit", "region"], terms=["x", "y", "z"])
    options = {"effects": effects, "vcov": vcov, "cluster": "region"}
    one = eecx.regress(moments, "y ~ x + z", unit="unit", **options)
    assert_same(one, fit(frame, **options))


def test_moments_with_clusters_across_units_count_all_unit_effects(frame):
    moments = eecx.Moments.from_frame(frame, keys=["unit", "wave"], terms=["x", "y", "z"])
    options = {"effects": "within", "vcov": "CR1", "cluster": "wave"}
    one = eecx.regress(moments, "y ~ x + z", unit="unit", **options)
    assert_same(one, fit(frame, **options))


def test_wave_dummies_among_the_terms_of_moments_are_two_way(frame):
    waves = {f"w{w}": (frame["wave"] == w).astype(float) for w in range(2002, 2007)}
    terms = ["y", "x", "z", *waves]
    moments = eecx.Moments.from_frame(frame.assign(**waves), keys=["unit"], terms=terms)
    one = eecx.regress(moments, "y ~ x + z + " + " + ".join(waves), effects="within", unit="unit")
    two_way = fit(frame, effects="two-way")
    columns = ["estimate", "std_error", "df"]
    np.testing.assert_allclose(
        one.table[columns].iloc[:2].to_numpy(float), two_way.table[columns].to_numpy(float),
        rtol=1e-9,
    )  # fmt: skip


def test_a_published_table_gives_what_its_rows_give(frame):
    columns = ["y", "x", "z"]
    table = eecx.Moments.from_correlations(
        frame[columns].corr(), n=len(frame), sd=frame[columns].std(), mean=frame[columns].mean()
    )
    one = eecx.regress(table, "y ~ x + z")
    other = fit(frame, unit=None, wave=None, vcov="classical")
    assert_same(one, other)
    assert one.spec["vcov"] == "classical"


def test_standardised_slopes_need_correlations_alone(frame):
    columns = ["y", "x", "z"]
    z = (frame[columns] - frame[columns].mean()) / frame[columns].std()
    one = eecx.regress(
        eecx.Moments.from_correlations(frame[columns].corr(), n=len(frame)), "y ~ x + z"
    )
    other = eecx.regress(z, "y ~ x + z", vcov="classical")
    np.testing.assert_allclose(
        one.table[["estimate", "std_error"]], other.table[["estimate", "std_error"]],
        rtol=1e-9, atol=1e-14,
    )  # fmt: skip


def test_two_halves_of_the_data_add_up(frame):
    whole, *halves = (
        eecx.Moments.from_frame(rows, keys=["unit"], terms=["y", "x"])
        for rows in (frame, frame.iloc[:30], frame.iloc[30:])
    )
    fits = [
        eecx.regress(moments, "y ~ x", effects="within", unit="unit")
        for moments in (whole, halves[0] + halves[1])
    ]
    assert_same(*fits)


@pytest.mark.parametrize("engine", ["polars", "pyarrow"])
def test_other_frames_give_the_same(frame, engine):
    pytest.importorskip(engine)
    if engine == "polars":
        import polars as pl

        other = pl.DataFrame(frame.to_dict(orient="list"))
    else:
        import pyarrow as pa

        other = pa.table(frame.to_dict(orient="list"))
    assert_same(fit(other, effects="two-way"), fit(frame, effects="two-way"), rtol=1e-12)


def test_case_weights_of_moments_are_weighted_least_squares(frame):
    weighted = frame.assign(w=np.linspace(0.5, 3, len(frame)))
    moments = eecx.Moments.from_frame(weighted, keys=["row"], terms=["y", "x", "z"], weight="w")
    x = sm.add_constant(frame[["x", "z"]].to_numpy())
    dense = sm.WLS(frame["y"].to_numpy(), x, weights=weighted["w"].to_numpy())
    for vcov, kind in (("classical", "nonrobust"), ("HC1", "HC1")):
        ours = eecx.regress(moments, "y ~ x + z", vcov=vcov)
        theirs = dense.fit(cov_type=kind)
        np.testing.assert_allclose(ours.table["estimate"], theirs.params, rtol=1e-10)
        np.testing.assert_allclose(ours.vcov, theirs.cov_params(), rtol=1e-9)


# ---------------------------------------------------------------------- what must not matter


@pytest.mark.parametrize("vcov", VCOVS)
@pytest.mark.parametrize("effects", EFFECTS)
def test_order_of_rows_does_not_matter(frame, effects, vcov):
    shuffled = frame.sample(frac=1, random_state=1)
    one, other = (fit(d, effects=effects, vcov=vcov) for d in (frame, shuffled))
    assert one.to_dict() == other.to_dict()


@pytest.mark.parametrize("effects", EFFECTS)
def test_names_of_units_and_clusters_do_not_matter(frame, effects):
    renamed = frame.assign(
        unit=frame["unit"].map(lambda u: f"zz {99 - int(u[1:])}"),
        region=frame["region"].map({"A": 5, "B": 1, "C": 4, "D": 2, "E": 3}),
    )
    assert_same(*(fit(d, effects=effects, cluster="region") for d in (frame, renamed)))


@pytest.mark.parametrize("effects", EFFECTS)
def test_names_of_columns_do_not_matter(frame, effects):
    names = {"x": "employee & <exp>", "z": "z:`odd`", "y": "net promoter", "unit": "store no."}
    one = eecx.regress(
        frame.rename(columns=names), "`net promoter` ~ `employee & <exp>` + `z:``odd```",
        effects=effects, unit="store no.", wave="wave",
    )  # fmt: skip
    assert_same(one, fit(frame, effects=effects), rtol=0)
    assert one.table["term"].tolist()[-2:] == ["employee & <exp>", "z:`odd`"]


@pytest.mark.parametrize("effects", EFFECTS)
def test_order_of_terms_does_not_matter(frame, effects):
    one, other = (fit(frame, f, effects=effects) for f in ("y ~ x + z", "y ~ z + x"))
    np.testing.assert_allclose(
        one.table.set_index("term")[NUMBERS].sort_index(),
        other.table.set_index("term")[NUMBERS].sort_index(),
        rtol=1e-9,
    )


@pytest.mark.parametrize("effects", ["within", "two-way"])
def test_levels_of_units_do_not_matter_to_changes_over_time(frame, effects):
    codes = pd.factorize(frame["unit"])[0].astype(float)
    shifted = frame.assign(y=frame["y"] + 7 * codes, x=frame["x"] - codes**2)
    one, other = (fit(d, effects=effects) for d in (frame, shifted))
    assert_same(one, other, rtol=1e-8)


def test_what_a_wave_has_in_common_does_not_matter_to_two_way(frame):
    shifted = frame.assign(
        y=frame["y"] + (frame["wave"] - 2000) ** 2, x=frame["x"] + np.sin(frame["wave"])
    )
    one, other = (fit(d, effects="two-way") for d in (frame, shifted))
    assert_same(one, other, rtol=1e-8)
    assert one.stats["r_squared"] == pytest.approx(other.stats["r_squared"], rel=1e-9)


@pytest.mark.parametrize("effects", ["within", "two-way"])
def test_units_of_one_wave_add_nothing_to_slopes_and_cr2(frame, effects):
    assert (frame["unit"] == "u03").sum() == 1
    without = frame[frame["unit"] != "u03"]
    assert_same(*(fit(d, effects=effects) for d in (frame, without)), rtol=1e-8)


@pytest.mark.parametrize("vcov", VCOVS)
@pytest.mark.parametrize("effects", EFFECTS)
def test_an_offset_of_a_thousand_million_costs_no_digits(frame, effects, vcov):
    """On a grid that doubles hold exactly, so that only the arithmetic can lose digits."""
    offset, grid = 2.0**30, 2.0**-20
    near = frame.assign(**{c: np.round(frame[c] / grid) * grid for c in ("y", "x", "z")})
    far = near.assign(y=near["y"] + offset, x=near["x"] - offset, z=near["z"] + offset)
    one, other = (fit(d, effects=effects, vcov=vcov).table.set_index("term") for d in (near, far))
    np.testing.assert_allclose(
        other.loc[["x", "z"], NUMBERS].astype(float), one.loc[["x", "z"], NUMBERS].astype(float),
        rtol=1e-8,
    )  # fmt: skip
    if effects in ("pooled", "between"):
        moved = offset + one.loc["(intercept)", "estimate"]
        moved += offset * (one.loc["x", "estimate"] - one.loc["z", "estimate"])
        np.testing.assert_allclose(other.loc["(intercept)", "estimate"], moved, rtol=1e-11)


def test_lags_are_those_made_by_hand(frame):
    earlier = frame[["unit", "wave", "x"]].assign(wave=frame["wave"] + 1)
    made = frame.merge(earlier.rename(columns={"x": "past"}), on=["unit", "wave"])
    assert_same(fit(frame, "y ~ lag(x)"), fit(made, "y ~ past"), rtol=1e-12)


def test_products_and_powers_are_columns_made_by_hand(frame):
    made = frame.assign(xz=frame["x"] * frame["z"], xx=frame["x"] ** 2)
    one = fit(frame, "y ~ x*z + I(x^2)", effects="within")
    assert one.table["term"].tolist() == ["x", "z", "x:z", "I(x^2)"]
    assert_same(one, fit(made, "y ~ x + z + xz + xx", effects="within"), rtol=1e-12)


def test_categories_are_dummies_of_all_levels_but_the_first(frame):
    names = "BCDE"
    made = frame.assign(**{r: (frame["region"] == r).astype(float) for r in names})
    one = fit(frame, "y ~ x + C(region)", cluster="wave")
    assert one.table["term"].tolist()[2:] == [f"C(region)[{r}]" for r in names]
    assert_same(one, fit(made, "y ~ x + B + C + D + E", cluster="wave"), rtol=1e-12)


def test_intervals_widen_with_confidence_and_hold_the_estimate(frame):
    tables = [fit(frame, conf_level=c).table for c in (0.5, 0.8, 0.95, 0.999)]
    for narrow, wide in pairwise(tables):
        assert (wide["conf_low"] < narrow["conf_low"]).all()
        assert (wide["conf_high"] > narrow["conf_high"]).all()
        np.testing.assert_array_equal(wide["std_error"], narrow["std_error"])


def test_the_order_of_two_kinds_of_clusters_does_not_matter_among_people():
    rng = np.random.default_rng(8)
    people = pd.DataFrame(rng.normal(size=(240, 2)), columns=["x", "y"])
    people["team"] = np.repeat(np.arange(30), 8)
    people["site"] = rng.integers(0, 12, 240)
    given = {"unit": "team", "effects": "within"}
    one, other = (
        eecx.regress(people, "y ~ x", cluster=pair, **given)
        for pair in (("team", "site"), ("site", "team"))
    )
    assert one["x"]["std_error"] == pytest.approx(other["x"]["std_error"], rel=1e-12)
