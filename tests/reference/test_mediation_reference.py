"""mediate() against R: lm, lavaan, boot, and exact quantiles of a product of normals.

The stored values, the R script that made them and its conventions are in
``reference/mediation`` of the shared directory.
"""

import json
import math

import numpy as np
import pandas as pd
import pytest

import eecx
from eecx.mediation import product_normal_interval

SIMPLE = (
    "simple_jobs",
    "simple_tal_or_cond_pmi_reaction",
    "simple_tal_or_pmi_import_reaction_cov",
    "simple_bh1996_individual",
)
BOOTSTRAPS = ("boot_tal_or_cond_pmi_reaction", "boot_tal_or_pmi_import_reaction")
EXACT = {"rel": 1e-10, "abs": 0}
QUANTILE = {"rel": 1e-7, "abs": 1e-9}
LAVAAN_ESTIMATE = {"rel": 1e-6, "abs": 1e-7}  # optimiser error of about 1e-7
LAVAAN_ERROR = {"rel": 1e-5}


class Stored:
    """One stored reference: estimates and their errors by name."""

    def __init__(self, folder, name):
        content = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        self.est = {e["name"]: e["est"] for e in content["estimates"]}
        self.se = {e["name"]: e["se"] for e in content["estimates"]}
        self.stats, self.data = content["stats"], content["data"]

    def frame(self, folder):
        return pd.read_csv(folder / self.data["file"])


@pytest.fixture(scope="module")
def folder(shared):
    return shared / "reference" / "mediation"


@pytest.fixture(scope="module", params=SIMPLE)
def simple(request, folder):
    """Stored values beside our result for the same rows."""
    stored = Stored(folder, request.param)
    given = stored.data
    covariates = given["covariates"] or []
    covariates = [covariates] if isinstance(covariates, str) else covariates
    found = eecx.mediate(
        stored.frame(folder),
        given["x"],
        given["m"],
        given["y"],
        covariates=covariates,
        draws=39,
        rng=1,
    )
    return stored, found


@pytest.fixture(scope="module")
def parallel(folder):
    stored = Stored(folder, "parallel_tal_or")
    given = stored.data
    found = eecx.mediate(
        stored.frame(folder), given["x"], [given["m1"], given["m2"]], given["y"], draws=39, rng=1
    )
    return stored, found


def path(found, effect, mediator=""):
    rows = found.table[(found.table["effect"] == effect) & (found.table["mediator"] == mediator)]
    assert len(rows) == 1
    return rows.iloc[0]


def normal_theory(found, effect, mediator):
    table = found.tables["normal_theory"]
    return table[(table["effect"] == effect) & (table["mediator"] == mediator)].iloc[0]


class TestSimple:
    def test_the_rows_are_the_same(self, simple):
        stored, found = simple
        assert (found.stats["n"], found.stats["left_out"]) == (stored.stats["n"], 0)

    def test_paths_and_their_errors(self, simple):
        stored, found = simple
        m = stored.data["m"]
        for name, row in {
            "a": path(found, "a", m),
            "b": path(found, "b", m),
            "cprime": path(found, "direct"),
            "c_total": path(found, "total"),
        }.items():
            assert row["estimate"] == pytest.approx(stored.est[f"ols.{name}"], **EXACT)
            assert row["std_error"] == pytest.approx(stored.se[f"ols.{name}"], **EXACT)

    def test_indirect_effect_with_delta_errors(self, simple):
        stored, found = simple
        m = stored.data["m"]
        row = normal_theory(found, "indirect", m)
        assert row["estimate"] == pytest.approx(stored.est["ols.ab"], **EXACT)
        assert path(found, "indirect", m)["estimate"] == pytest.approx(row["estimate"], **EXACT)
        assert row["sobel_se"] == pytest.approx(stored.se["ols.ab"], **EXACT)
        assert row["aroian_se"] == pytest.approx(stored.se["ols.ab.aroian_se"], **EXACT)
        # a difference of nearly equal numbers: digits cancel
        assert row["goodman_se"] == pytest.approx(stored.se["ols.ab.goodman_se"], rel=1e-9)

    def test_sobel_test_and_limits(self, simple):
        stored, found = simple
        row = normal_theory(found, "indirect", stored.data["m"])
        for ours, theirs in {
            "sobel_z": "ols.sobel_z",
            "sobel_p": "ols.sobel_p",
            "sobel_low": "ols.ab.sobel.lower",
            "sobel_high": "ols.ab.sobel.upper",
        }.items():
            assert row[ours] == pytest.approx(stored.est[theirs], rel=1e-9)

    def test_limits_of_the_product_of_normals(self, simple):
        stored, found = simple
        row = normal_theory(found, "indirect", stored.data["m"])
        for end, ours in {"lower": "product_normal_low", "upper": "product_normal_high"}.items():
            theirs = stored.est[f"ols.ab.product_normal.{end}"]
            assert row[ours] == pytest.approx(theirs, **QUANTILE)

    def test_joint_significance(self, simple):
        stored, found = simple
        m = stored.data["m"]
        for effect in "ab":
            ours = path(found, effect, m)["p_value"]
            assert ours == pytest.approx(stored.est[f"ols.joint.p_{effect}"], rel=1e-8)
        ours = normal_theory(found, "indirect", m)["joint_p"]
        assert ours == pytest.approx(stored.est["ols.joint.p_max"], rel=1e-8)

    def test_effect_sizes(self, simple):
        stored, found = simple
        row = found.tables["size"].iloc[0]
        for ours, theirs in {
            "partially_standardized": "ols.ab.partially_standardized",
            "completely_standardized": "ols.ab.completely_standardized",
            "proportion_mediated": "ols.proportion_mediated",
        }.items():
            assert row[ours] == pytest.approx(stored.est[theirs], **EXACT)

    def test_lavaan_estimates(self, simple):
        stored, found = simple
        m = stored.data["m"]
        for name, ours in {
            "a": path(found, "a", m)["estimate"],
            "b": path(found, "b", m)["estimate"],
            "cp": path(found, "direct")["estimate"],
            "ab": path(found, "indirect", m)["estimate"],
            "total": path(found, "total")["estimate"],
            "prop": found.tables["size"]["proportion_mediated"].iloc[0],
        }.items():
            assert ours == pytest.approx(stored.est[f"lavaan.{name}"], **LAVAAN_ESTIMATE)

    def test_lavaan_errors_are_those_of_least_squares_with_divisor_n(self, simple):
        stored, found = simple
        n, m = stored.stats["n"], stored.data["m"]
        of_m, of_y = (math.sqrt(stored.stats[k] / n) for k in ("df_m", "df_y"))
        a, b = path(found, "a", m), path(found, "b", m)
        se_a, se_b = a["std_error"] * of_m, b["std_error"] * of_y
        for name, ours in {
            "a": se_a,
            "b": se_b,
            "cp": path(found, "direct")["std_error"] * of_y,
            "ab": math.hypot(a["estimate"] * se_b, b["estimate"] * se_a),
            "total": path(found, "total")["std_error"] * of_m,  # as many terms as the equation of m
        }.items():
            assert ours == pytest.approx(stored.se[f"lavaan.{name}"], **LAVAAN_ERROR)


class TestParallel:
    def test_paths_and_their_errors(self, parallel):
        stored, found = parallel
        m1, m2 = stored.data["m1"], stored.data["m2"]
        for name, row in {
            "a1": path(found, "a", m1),
            "a2": path(found, "a", m2),
            "b1": path(found, "b", m1),
            "b2": path(found, "b", m2),
            "cprime": path(found, "direct"),
        }.items():
            assert row["estimate"] == pytest.approx(stored.est[f"ols.{name}"], **EXACT)
            assert row["std_error"] == pytest.approx(stored.se[f"ols.{name}"], **EXACT)

    def test_indirect_effects_with_delta_errors(self, parallel):
        stored, found = parallel
        m1, m2 = stored.data["m1"], stored.data["m2"]
        for name, (effect, mediator) in {
            "ind1": ("indirect", m1),
            "ind2": ("indirect", m2),
            "ind_total": ("total indirect", ""),
            "contrast": ("contrast", f"{m1} - {m2}"),
        }.items():
            row = normal_theory(found, effect, mediator)
            assert row["estimate"] == pytest.approx(stored.est[f"ols.{name}"], **EXACT)
            assert row["sobel_se"] == pytest.approx(stored.se[f"ols.{name}"], **EXACT)
            bootstrapped = path(found, effect, mediator)["estimate"]
            assert bootstrapped == pytest.approx(row["estimate"], **EXACT)

    def test_lavaan_estimates(self, parallel):
        stored, found = parallel
        m1, m2 = stored.data["m1"], stored.data["m2"]
        for name, row in {
            "a1": path(found, "a", m1),
            "a2": path(found, "a", m2),
            "b1": path(found, "b", m1),
            "b2": path(found, "b", m2),
            "cp": path(found, "direct"),
            "ind1": path(found, "indirect", m1),
            "ind2": path(found, "indirect", m2),
            "ind_total": path(found, "total indirect"),
            "contrast": path(found, "contrast", f"{m1} - {m2}"),
            "total": path(found, "total"),
        }.items():
            theirs = stored.est[f"lavaan.{name}"]
            # differences and small effects carry the optimiser's error in absolute terms
            assert row["estimate"] == pytest.approx(theirs, rel=1e-6, abs=2e-7)

    def test_lavaan_errors_are_those_of_least_squares_with_divisor_n(self, parallel):
        stored, found = parallel
        n, m1, m2 = stored.stats["n"], stored.data["m1"], stored.data["m2"]
        of_m, of_y = math.sqrt((n - 2) / n), math.sqrt((n - 4) / n)
        for name, ours in {
            "a1": path(found, "a", m1)["std_error"] * of_m,
            "a2": path(found, "a", m2)["std_error"] * of_m,
            "b1": path(found, "b", m1)["std_error"] * of_y,
            "b2": path(found, "b", m2)["std_error"] * of_y,
            "cp": path(found, "direct")["std_error"] * of_y,
            "total": path(found, "total")["std_error"] * of_m,
        }.items():
            assert ours == pytest.approx(stored.se[f"lavaan.{name}"], **LAVAAN_ERROR)


@pytest.mark.parametrize("case", ["small", "near_zero", "strong", "correlated", "negative"])
@pytest.mark.parametrize(
    ("conf_level", "tail"),
    [(0.95, ("q025", "q975")), (0.9, ("q050", "q950")), (0.99, ("q005", "q995"))],
)
def test_quantiles_of_a_product_of_normals(folder, case, conf_level, tail):
    stored = Stored(folder, "montecarlo_product_normal")
    given = stored.stats[case]
    found = product_normal_interval(
        given["a"],
        given["se_a"],
        given["b"],
        given["se_b"],
        conf_level,
        correlation=given["cor_ab"],
    )
    for ours, name in zip(found, tail, strict=True):
        assert ours == pytest.approx(stored.est[f"{case}.exact.{name}"], **QUANTILE)


@pytest.mark.parametrize("name", BOOTSTRAPS)
def test_bootstrap_limits_are_those_of_resampled_cases(folder, name):
    stored = Stored(folder, name)
    given = stored.data
    found = eecx.mediate(
        stored.frame(folder), given["x"], given["m"], given["y"], draws=20_000, rng=1
    )
    row = path(found, "indirect", given["m"])
    allowed = 4 * np.array(stored.stats["mc_sd_of_percentile_endpoints_at_R20000"])
    assert row["estimate"] == pytest.approx(stored.est["ab"], **EXACT)
    assert abs(row["conf_low"] - stored.est["big.percentile.lower"]) < allowed[0]
    assert abs(row["conf_high"] - stored.est["big.percentile.upper"]) < allowed[1]
    # the error of an SD from 20,000 draws is 0.5%, more where the tails are heavy
    assert row["std_error"] == pytest.approx(stored.se["ab"], rel=0.03)
    assert found.failed_draws == 0
