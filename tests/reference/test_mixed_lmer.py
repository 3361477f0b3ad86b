"""fit_mixed() and mixed_result() give what lme4 1.1-31 and lmerTest 3.1-3 give (R 4.2.2).

lme4 stops its search where the deviance hardly falls: fixed effects are then within 1e-6 of the
maximum, variance components, which move it least, within 1e-5. Log-likelihoods agree to 1e-13.
"""

import json
import re

import numpy as np
import pandas as pd
import pytest

import eecx
from eecx.mixed.random_effects import fit_mixed
from eecx.mixed.result import mixed_result
from eecx.moments import Moments

NAMES = [
    *(f"bh1996_{m}" for m in ("null", "ri", "rewb", "mundlak", "rewb_rslope", "cross_level")),
    "bhr2000_ri",
    *(f"sleepstudy_{m}" for m in ("ri", "ris", "ris_uncorrelated")),
]
CASES = [f"{name}_{method}" for name in NAMES for method in ("reml", "ml")]


@pytest.fixture(scope="module")
def stored(shared):
    def read(case):
        return json.loads((shared / f"reference/multilevel/lmer_{case}.json").read_text())

    return read


@pytest.fixture(scope="module")
def fitted(shared, stored):
    """Fit the model of a file, with the columns of means and deviations that it names."""
    done = {}

    def fit(case):
        if case not in done:
            file = stored(case)
            frame = pd.read_csv(shared / "reference/multilevel" / file["data"]["file"])
            y, right = file["data"]["formula"].split(" ~ ")
            unit = re.findall(r"\| (\w+)\)", right)[0]
            x = [t for t in re.sub(r" \+ \(.*", "", right).split(" + ") if t != "1"]
            for column in {c for t in x for c in t.split(":")} - set(frame):
                mean = frame.groupby(unit)[column[:-2]].transform("mean")
                frame[column] = mean if column.endswith("_b") else frame[column[:-2]] - mean
            random = np.atleast_1d(file["stats"]["blup_terms"]).tolist()
            done[case] = fit_mixed(
                Moments.from_frame(frame, keys=[unit], terms=[*x, y]),
                y,
                x,
                [t for t in random if t != "(Intercept)"],
                unit=unit,
                covariance="diagonal" if "uncorrelated" in case else "unstructured",
                method="reml" if file["stats"]["REML"] else "ml",
            )
        return done[case]

    return fit


def estimates(file, kind):
    return {
        e["name"].removeprefix(kind): e for e in file["estimates"] if e["name"].startswith(kind)
    }


@pytest.mark.parametrize("case", CASES)
def test_fixed_effects(stored, fitted, case):
    file, fit = stored(case), fitted(case)
    wanted = estimates(file, "fixef.")
    assert [str(c).replace("(i", "(I") for c in fit.names] == list(wanted)
    np.testing.assert_allclose(fit.beta, [e["est"] for e in wanted.values()], rtol=1e-6)
    errors = np.sqrt(np.diag(fit.vcov))
    np.testing.assert_allclose(errors, [e["se"] for e in wanted.values()], rtol=1e-6)
    # lme4's zeros are rounding errors beside errors of this size
    near = 1e-6 * np.outer(errors, errors)
    assert (np.abs(fit.vcov - file["stats"]["vcov"]) < 2 * near).all()


@pytest.mark.parametrize("case", CASES)
def test_likelihood(stored, fitted, case):
    file, fit = stored(case)["stats"], fitted(case)
    found = mixed_result(fit, "y ~ x").stats
    for ours, theirs in (
        ("loglik", "logLik"),
        ("deviance", "deviance"),
        ("aic", "AIC"),
        ("bic", "BIC"),
    ):
        np.testing.assert_allclose(found[ours], file[theirs], rtol=1e-12)
    assert found["loglik"] >= file["logLik"] - 1e-9
    assert (found["n"], found["units"]) == (file["nobs"], file["n_groups"])
    assert fit.converged
    assert fit.singular == file["convergence"]["singular"]


@pytest.mark.parametrize("case", CASES)
def test_variance_components(stored, fitted, case):
    file, fit = stored(case), fitted(case)
    wanted = {n: e["est"] for n, e in (estimates(file, "var.") | estimates(file, "cov.")).items()}
    ours = [*fit.cov.diagonal(), *fit.cov[np.tril_indices(len(fit.cov), -1)]]
    if fit.covariance == "diagonal":
        ours = ours[: len(fit.cov)]
    sigma2 = wanted.pop("residual")
    np.testing.assert_allclose(ours, list(wanted.values()), rtol=1e-5)
    np.testing.assert_allclose(fit.sigma2, sigma2, rtol=1e-6)
    np.testing.assert_allclose(fit.theta, file["stats"]["theta"], rtol=1e-5)


@pytest.mark.parametrize("case", CASES)
def test_tests_with_satterthwaite_df(stored, fitted, case):
    file, table = stored(case)["stats"], mixed_result(fitted(case), "y ~ x").table
    for column, key, rtol in (
        ("df", "df_satterthwaite", 1e-5),
        ("statistic", "t", 1e-6),
        ("p_value", "p", 1e-3),  # a tail probability multiplies the relative error of t by t²
    ):
        np.testing.assert_allclose(table[column], list(file[key].values()), rtol=rtol)


@pytest.mark.parametrize("case", CASES)
def test_blups(stored, fitted, case):
    file, fit = stored(case)["stats"], fitted(case)
    known = len(file["blup_groups"])
    assert [str(u) for u in fit.units[:known]] == file["blup_groups"]
    sizes = np.sqrt(fit.cov.diagonal())
    away = (fit.blups[:known] - np.array(file["blup"])) / sizes
    assert np.abs(away).max() < 1e-5
    ours = np.diagonal(fit.blup_cov[:known], axis1=1, axis2=2)
    wanted = np.reshape(file["blup_condvar_diag"], ours.shape)
    np.testing.assert_allclose(ours, wanted, rtol=1e-5)


def test_profile_intervals_are_those_of_lme4(fitted):
    """confint(lmer(Reaction ~ Days + (Days | Subject))), as printed in lme4's documentation."""
    table = mixed_result(fitted("sleepstudy_ris_ml"), "y ~ x").tables["random_effects"]
    sd = table[table["quantity"] == "sd"].set_index("term")[["conf_low", "conf_high"]]
    wanted = {  # its ends are interpolated between points of the profile
        "(intercept)": (14.3814, 37.7160),
        "Days": (3.8012, 8.7534),
        "(residual)": (22.8983, 28.8580),
    }
    for term, ends in wanted.items():
        np.testing.assert_allclose(sd.loc[term], ends, rtol=1e-4)


def test_explained_variance_is_that_of_performance(fitted):
    """r2_nakagawa() of the same model (R package performance) prints .799 and .279."""
    found = mixed_result(fitted("sleepstudy_ris_reml"), "y ~ x").stats
    assert round(found["r2_conditional"], 3) == 0.799
    assert round(found["r2_marginal"], 3) == 0.279


@pytest.mark.parametrize("method", ["reml", "ml"])
def test_the_verb_gives_lmers_figures(shared, method):
    folder = shared / "reference" / "multilevel"
    frame = pd.read_csv(folder / "data" / "bh1996.csv")
    for name, options, labels in (
        ("ri", {"effects": "mixed"}, {n: (n, "between and within units") for n in ("HRS", "LEAD")}),
        (
            "rewb",
            {"effects": "within-between"},
            {
                "HRS_w": ("HRS", "within units, among people"),
                "HRS_b": ("HRS", "between units"),
                "LEAD_w": ("LEAD", "within units, among people"),
                "LEAD_b": ("LEAD", "between units"),
            },
        ),
    ):
        stored = json.loads((folder / f"lmer_bh1996_{name}_{method}.json").read_text())
        own = {e["name"]: e for e in stored["estimates"]}
        fit = eecx.regress(frame, "WBEING ~ HRS + LEAD", unit="GRP", method=method, **options)
        table = fit.table.set_index(["term", "level"])
        for key, at in labels.items():
            row, wanted = table.loc[at], own[f"fixef.{key}"]
            assert row["estimate"] == pytest.approx(wanted["est"], rel=1e-6)
            assert row["std_error"] == pytest.approx(wanted["se"], rel=1e-6)
            assert row["df"] == pytest.approx(stored["stats"]["df_satterthwaite"][key], rel=1e-2)
        assert fit.stats["loglik"] == pytest.approx(stored["stats"]["logLik"], rel=1e-9)
    mundlak = json.loads((folder / f"lmer_bh1996_mundlak_{method}.json").read_text())
    own = {e["name"]: e for e in mundlak["estimates"]}
    for term in ("HRS", "LEAD"):
        row = table.loc[(term, "contextual effect (between less within)")]
        assert row["estimate"] == pytest.approx(own[f"fixef.{term}_b"]["est"], rel=1e-6)
        assert row["std_error"] == pytest.approx(own[f"fixef.{term}_b"]["se"], rel=1e-6)
