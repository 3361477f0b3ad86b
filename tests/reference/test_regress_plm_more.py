"""First differences, random effects, within-between models and further covariances against R.

plm 2.6-2, sandwich 3.0-2, clubSandwich 0.5.8 (R 4.2.2); the stored files state every definition.
Every covariance and statistic of the files is compared here or in test_regress_plm.py, or is
listed here with the reason why it is not.

plm's ``fd_rows`` differences successive rows, also across a missing wave. Differences here are
taken over one step of time (``fd_time``); numbering each unit's rows gives plm's.
"""

import json
from functools import cache

import numpy as np
import pandas as pd
import pytest

import eecx
from eecx.errors import OptionError

NAMES = ("grunfeld", "empluk", "sim_e")
MODELS = {
    "pooling": {"effects": "pooled"},
    "within": {"effects": "within"},
    "twoways": {"effects": "two-way"},
    "between": {"effects": "between"},
    "fd_time": {"effects": "first-difference"},
    "fd_time_noint": {"effects": "first-difference", "drift": False},
    "fd_rows": {"effects": "first-difference"},
    "random_swar": {"effects": "random"},
    "random_twoways_swar": {"effects": "random-two-way"},
    "within_between_ols": {"effects": "within-between", "method": "ols"},
    "within_between_random": {"effects": "within-between", "method": "gls"},
    "mundlak_ols": {"effects": "within-between", "method": "ols"},
    "mundlak_random": {"effects": "within-between", "method": "gls"},
}
TWO = {"cluster": ("unit", "wave")}
VCOVS = {
    "classical": {"vcov": "classical"},
    "hc0": {"vcov": "HC0"},
    "hc1": {"vcov": "HC1"},
    "hc1_kfull": {"vcov": "HC1"},
    "hc1_kslopes": {"vcov": "HC1-plm"},
    "hc2": {"vcov": "HC2"},
    "hc3": {"vcov": "HC3"},
    "hc3_lsdv": {"vcov": "HC3"},
    "plm_white1_HC1": {"vcov": "HC1-plm"},
    "plm_white1_HC3": {"vcov": "HC3-plm"},
    "cr0_unit": {"vcov": "CR0"},
    "cr1_unit_kplus1": {"vcov": "CR1"},
    "cr1_unit_kslopes": {"vcov": "CR1-plm"},
    "cr1_unit_kfull": {"vcov": "CR1-areg"},
    "plm_arellano_HC0": {"vcov": "CR0"},
    "plm_arellano_sss": {"vcov": "CR1-plm"},
    "estimatr_stata": {"vcov": "CR1-areg"},
    "estimatr_CR2": {"vcov": "CR2"},
    "clubSandwich_CR1": {"vcov": "CR0"},  # times G/(G-1), see factor()
    "clubSandwich_CR1S": {"vcov": "CR1-plm"},
    "clubSandwich_CR2": {"vcov": "CR2"},
    "clubSandwich_CR2_lsdv": {"vcov": "CR2"},
    "clubSandwich_CR3": {"vcov": "CR3"},
    "cr0_time": {"vcov": "CR0", "cluster": "wave"},
    "twoway_cr0": {"vcov": "CR0", **TWO},
    "plm_vcovDC_HC0": {"vcov": "CR0", **TWO},
    "twoway_cr1_each": {"vcov": "CR1-each", **TWO},
    "twoway_cr1_min": {"vcov": "CR1", **TWO},  # waves counted in a two-way model, see factor()
    "twoway_cr1_min_kslopes1": {"vcov": "CR1", **TWO},
    "driscoll_kraay": {"vcov": "driscoll-kraay"},
    "plm_vcovSCC_HC0": {"vcov": "driscoll-kraay"},
    "newey_west": {"vcov": "newey-west"},
    "plm_vcovNW_HC0": {"vcov": "newey-west"},
}
NOT_OURS = {
    ("random_swar", "clubSandwich_CR2"): (
        "clubSandwich adjusts GLS residuals by a Cholesky root, which depends on the order of rows "
        "within units; ours, by the symmetric root, does not. CR3 has no such choice."
    ),
}
STATISTICS = {
    **dict.fromkeys(("n", "units", "times", "n_diff", "df_residual", "rss"), "test_statistics"),
    **dict.fromkeys(("sigma2", "rsq", "r2", "k_full", "F_effects"), "test_statistics"),
    **dict.fromkeys(("f_or_chisq", "f_df", "f_p"), "test_wald_of_all_slopes"),
    **dict.fromkeys(("sigma2_components", "theta"), "test_variance_components"),
    "mundlak_wald_cr1": "test_mundlak",
    **dict.fromkeys(("hausman_chisq", "hausman_aux", "hausman_aux_cluster"), "test_hausman"),
    "k_plus1": "how CR1 counts: test_all_covariances",
    **dict.fromkeys(("balanced", "consecutive", "theta_formula"), "describes the file"),
    "adjrsq": "follows from rsq; not reported",
    **dict.fromkeys(("r2_overall_lsdv", "fixef_mean", "overall_intercept"), "not reported"),
    **dict.fromkeys(
        ("hausman_aux_plm", "hausman_aux_cluster_plm"),
        "plm leaves a plain constant where the weighted one, 1 - theta, belongs",
    ),
    "lm_effects": "Lagrange multiplier tests of effects: not part of eecx",
    "wooldridge_ar_within": "a test of serial correlation: not part of eecx",
}


def stored(shared, name, model):
    return json.loads((shared / f"reference/panel/plm/{name}_{model}.json").read_text())


def data_of(shared, file):
    unit, wave = file["index"]
    frame = pd.read_csv(shared / "reference/panel" / file["data"])
    response, right = file["formula"].split(" ~ ")
    for made in [c for c in (response, *right.split(" + ")) if c.startswith("log(")]:
        frame[made] = np.log(frame[made[4:-1]])
    formula = f"`{response}` ~ {' + '.join(f'`{term}`' for term in right.split(' + '))}"
    return frame, formula, unit, wave


def fit(shared, file, **options):
    frame, formula, unit, wave = data_of(shared, file)
    if file["id"].endswith("fd_rows"):
        frame = frame.sort_values([unit, wave])
        frame[wave] = frame.groupby(unit).cumcount() + 1
    if "cluster" in options:
        own = {"unit": unit, "wave": wave}
        given = options["cluster"]
        options["cluster"] = own[given] if isinstance(given, str) else [own[g] for g in given]
    return eecx.regress(frame, formula, unit=unit, wave=wave, **options)


def labels(result, model=""):
    """Name rows as the stored files do; the mean's slope in Mundlak's form is the difference."""
    within, between, context = (
        ("{}", "", "mean({})")
        if model.startswith("mundlak")
        else ("within({})", "mean({})", "context({})")
    )
    out = []
    for term, level in zip(result.table["term"], result.table["level"], strict=True):
        if term == "(intercept)":
            out.append("(Intercept)")
        elif result.spec["effects"] != "within-between":
            out.append(term)
        elif level.startswith("contextual"):
            out.append(context.format(term))
        else:
            out.append((within if level.startswith("within") else between).format(term))
    return out


def factor(file, model, key):
    """Return what ours is to be multiplied by, where a file counts as we never do."""
    if key == "clubSandwich_CR1":  # G/(G-1) and nothing else
        units = file["stats"]["units"]
        if model.startswith("fd_time"):
            units = file["clusters"]
        return units / (units - 1)
    if key == "twoway_cr1_min" and model == "twoways":  # counts waves though clusters hold them
        n = file["n"]
        return (n - 1 - len(file["estimates"])) / (n - file["stats"]["k_plus1"])
    return 1.0


@pytest.mark.parametrize("model", list(MODELS))
@pytest.mark.parametrize("name", NAMES)
def test_all_covariances(shared, name, model):
    file = stored(shared, name, model)
    wanted = {row["name"]: row["est"] for row in file["estimates"]}

    @cache
    def fitted(options):
        return fit(shared, file, **MODELS[model], **dict(options))

    checked = 0
    for key, entry in file["vcovs"].items():
        options = tuple(VCOVS[key].items())
        if (model, key) in NOT_OURS:
            continue
        if entry["matrix"] is None:  # no agreed value
            with pytest.raises(OptionError, match="needs every unit in every wave"):
                fitted(options)
            continue
        result = fitted(options)
        at = labels(result, model)
        table = result.table.set_index(pd.Index(at))
        for term, value in wanted.items():
            assert table.loc[term, "estimate"] == pytest.approx(value, rel=1e-8), term
        order = [at.index(term) for term in file["vcov_order"]]
        found = result.vcov.to_numpy()[np.ix_(order, order)]
        file["clusters"] = result.stats.get("clusters")
        found = found * factor(file, model, key)
        matrix = np.array(entry["matrix"])
        size = np.sqrt(np.abs(np.outer(np.diag(matrix), np.diag(matrix))))
        np.testing.assert_allclose(found / size, matrix / size, rtol=2e-7, atol=1e-10, err_msg=key)
        if "df" in entry and result.spec["vcov"] == "CR2":
            df = [entry["df"][term] for term in file["vcov_order"]]
            np.testing.assert_allclose(table["df"].iloc[order], df, rtol=1e-6, err_msg=key)
        checked += 1
    assert checked >= (1 if model == "random_twoways_swar" else 3)


def test_no_figure_of_the_files_is_left_aside(shared):
    files = sorted((shared / "reference/panel/plm").glob("*.json"))
    models = {
        path.stem.split("_", 1 if not path.stem.startswith("sim_e") else 2)[-1] for path in files
    }
    assert models == {*MODELS, "tests"}
    for path in files:
        file = json.loads(path.read_text())
        assert set(file.get("vcovs", {})) <= set(VCOVS), path.name
        assert set(file["stats"]) <= set(STATISTICS), path.name


def as_in_plm(result, file, frame, formula):
    """Return the squared correlation of outcome and fit under the symmetric root of Omega^-1."""
    frame = frame.sort_values(file["index"]).reset_index(drop=True)
    response, right = formula.split(" ~ ")
    y = frame[response.strip("`")].to_numpy()
    x = frame[[t.strip("`") for t in right.split(" + ")]].to_numpy()
    effects = []
    for column, key in zip(file["index"], ("sigma_between", "sigma_waves"), strict=True):
        ratio = result.stats.get(key, 0.0) / result.stats["sigma_within"]
        effects.append(ratio * pd.get_dummies(frame[column]).to_numpy(float))
    # Omega is I + ZZ': its root takes a part of what Z spans away
    u, values, _ = np.linalg.svd(np.column_stack(effects), full_matrices=False)
    taken = u * (1 - 1 / np.sqrt(1 + values**2))
    b = result.table["estimate"].to_numpy()
    both = np.column_stack([y, b[0] + x @ b[1:]])
    return np.corrcoef((both - taken @ (u.T @ both)).T)[0, 1] ** 2


@pytest.mark.parametrize("model", list(MODELS))
@pytest.mark.parametrize("name", NAMES)
def test_statistics(shared, name, model):
    file = stored(shared, name, model)
    wanted = file["stats"]
    result = fit(shared, file, **MODELS[model], vcov="classical")
    found = result.stats
    n = wanted["units"] if model == "between" else wanted.get("n_diff", wanted["n"])
    assert (found["n"], found["df_residual"]) == (n, wanted["df_residual"])
    if not model.startswith("fd"):
        assert (found["units"], found["waves"]) == (wanted["units"], wanted["times"])
    rss = found["sigma"] ** 2 * found["df_residual"]
    assert rss == pytest.approx(wanted["rss"], rel=1e-8)
    if "sigma2" in wanted:
        assert found["sigma"] ** 2 == pytest.approx(wanted["sigma2"], rel=1e-8)
    if "k_full" in wanted:
        assert n - found["df_residual"] == wanted["k_full"]
    share = found["r_squared"]
    if "rsq" in wanted and model.startswith("random"):
        share = as_in_plm(result, file, *data_of(shared, file)[:2])
        # ours does not depend on the outcome's origin; on balanced panels the two are one
        same = share == pytest.approx(found["r_squared"], rel=1e-8)
        assert same == wanted["balanced"]
    if "rsq" in wanted or "r2" in wanted:
        assert share == pytest.approx(wanted.get("rsq", wanted.get("r2")), rel=1e-8)
    if "F_effects" in wanted:
        pooled = fit(shared, file, effects="pooled", vcov="classical").stats
        more = pooled["df_residual"] - found["df_residual"]
        f = (pooled["sigma"] ** 2 * pooled["df_residual"] - rss) / more / found["sigma"] ** 2
        assert [more, found["df_residual"]] == wanted["F_effects"]["df"]
        assert f == pytest.approx(wanted["F_effects"]["statistic"], rel=1e-8)


@pytest.mark.parametrize(
    "model", [*list(MODELS)[:4], "fd_rows", "random_swar", "random_twoways_swar"]
)
@pytest.mark.parametrize("name", NAMES)
def test_wald_of_all_slopes(shared, name, model):
    file = stored(shared, name, model)
    wanted = file["stats"]
    tests = eecx.wald(fit(shared, file, **MODELS[model], vcov="classical"))
    own = tests["chi2" if model.startswith("random") else "F"]
    assert [own["df"], own["df_denominator"]][: len(wanted["f_df"])] == wanted["f_df"]
    assert own["statistic"] == pytest.approx(wanted["f_or_chisq"], rel=1e-7)
    # a tail probability multiplies the relative error of the statistic
    assert own["p_value"] == pytest.approx(wanted["f_p"], rel=1e-5, abs=1e-300)


@pytest.mark.parametrize("model", ["random_swar", "random_twoways_swar"])
@pytest.mark.parametrize("name", NAMES)
def test_variance_components(shared, name, model):
    file = stored(shared, name, model)
    result = fit(shared, file, **MODELS[model], vcov="classical")
    parts = file["stats"]["sigma2_components"]
    for key, own in (("idios", "within"), ("id", "between"), ("time", "waves")):
        if key in parts:
            assert result.stats[f"sigma_{own}"] ** 2 == pytest.approx(parts[key], rel=1e-8, abs=0)
    assert ("boundary" in [w.code for w in result.warnings]) == (parts.get("time") == 0)
    frame, _, unit, _ = data_of(shared, file)
    ratio = (result.stats["sigma_between"] / result.stats["sigma_within"]) ** 2
    theta = 1 - 1 / np.sqrt(1 + frame.groupby(unit).size() * ratio)
    wanted = file["stats"]["theta"]
    wanted = wanted["id"] if model == "random_twoways_swar" else wanted
    ends = wanted if isinstance(wanted, dict) else {"min": wanted, "max": wanted}
    assert [theta.min(), theta.max()] == pytest.approx([ends["min"], ends["max"]], rel=1e-8)


@pytest.mark.parametrize("name", NAMES)
def test_mundlak(shared, name):
    """The contextual effect is the mean's slope in Mundlak's form of the same model."""
    for method, model in (("ols", "mundlak_ols"), ("gls", "mundlak_random")):
        file = stored(shared, name, model)
        key = "cr1_unit_kslopes"
        result = fit(shared, file, effects="within-between", method=method, vcov="CR1-plm")
        table = result.table.set_index(pd.Index(labels(result)))
        for row in file["estimates"]:
            term = row["name"]
            own = term if term == "(Intercept)" else f"within({term})"
            own = f"context({term[5:-1]})" if term.startswith("mean(") else own
            assert table.loc[own, "estimate"] == pytest.approx(row["est"], rel=1e-7)
            wanted = file["vcovs"][key]["se"][term]
            assert table.loc[own, "std_error"] == pytest.approx(wanted, rel=1e-7)
        if method == "ols":
            chi2 = file["stats"]["mundlak_wald_cr1"]
            assert result.stats["contextual_chi2"] == pytest.approx(chi2["chisq"], rel=1e-7)
            assert result.stats["contextual_p"] == pytest.approx(chi2["p"], rel=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_hausman(shared, name):
    file = stored(shared, name, "tests")
    frame, formula, unit, wave = data_of(shared, file)
    found = eecx.hausman(frame, formula, unit=unit, wave=wave).table.set_index("term")
    for key, term in (
        ("hausman_chisq", "classic"),
        ("hausman_aux", "auxiliary"),
        ("hausman_aux_cluster", "auxiliary, cluster-robust"),
    ):
        wanted = file["stats"][key]
        assert found.loc[term, "df"] == wanted["df"]
        if np.isfinite(found.loc[term, "statistic"]):
            assert found.loc[term, "statistic"] == pytest.approx(wanted["statistic"], rel=1e-6)
            assert found.loc[term, "p_value"] == pytest.approx(wanted["p"], rel=2e-5, abs=1e-300)
        else:  # the difference of covariances has a negative eigenvalue there
            assert key == "hausman_chisq"


@pytest.mark.parametrize("name", NAMES)
def test_wald_of_mundlak_means(shared, name):
    file = stored(shared, name, "mundlak_ols")
    frame, formula, unit, wave = data_of(shared, file)
    fit = eecx.regress(
        frame,
        formula,
        unit=unit,
        wave=wave,
        effects="within-between",
        method="ols",
        vcov="CR1-plm",
    )
    terms = [(term, "contextual") for term in fit.vcov.index.unique("term")[1:]]
    chi2 = eecx.wald(fit, terms)["chi2"]
    assert chi2["statistic"] == pytest.approx(file["stats"]["mundlak_wald_cr1"]["chisq"], rel=1e-7)
    assert chi2["df"] == file["stats"]["mundlak_wald_cr1"]["df"]
