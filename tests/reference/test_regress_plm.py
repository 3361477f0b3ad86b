"""regress() gives what plm, sandwich, clubSandwich and estimatr give (R 4.2.2).

Which of the stored keys is ours, where they differ in counting parameters:

- HC1 is ``hc1_kfull``: N - K counts the absorbed effects, as a regression on dummies does. With
  ``hc1_kslopes`` (plm; ``vcov="HC1-plm"``) the same model would have two errors, by how it is
  written.
- CR1 is ``cr1_unit_kplus1``: unit effects are nested in the clusters and not counted, wave effects
  are (Stata's xtreg, fixest). Without effects all countings are one.
"""

import json

import numpy as np
import pandas as pd
import pytest

import eecx

EFFECTS = {"pooling": "pooled", "within": "within", "twoways": "two-way", "between": "between"}
CASES = [(name, model) for name in ("grunfeld", "empluk", "sim_e") for model in EFFECTS]

ROBUST = {"classical": "classical", "hc1_kfull": "HC1", "cr1_unit_kplus1": "CR1"}
CLUB = {"clubSandwich_CR2": "CR2"}
LSDV = {"clubSandwich_CR2_lsdv": "CR2"}
ESTIMATR = {"estimatr_CR2": "CR2"}
OPTIONS = {
    "pooling": ROBUST | CLUB | ESTIMATR,
    "within": ROBUST | CLUB | LSDV | ESTIMATR,
    "twoways": ROBUST | LSDV | ESTIMATR,
    "between": {"classical": "classical", "hc1": "HC1"},
}
VCOVS = [(*case, key, option) for case in CASES for key, option in OPTIONS[case[1]].items()]
WITH_DF = [case for case in VCOVS if case[-1] == "CR2"]


@pytest.fixture(scope="module")
def stored(shared):
    def read(name, model):
        return json.loads((shared / f"reference/panel/plm/{name}_{model}.json").read_text())

    return read


@pytest.fixture(scope="module")
def fitted(shared, stored):
    """Fit the model of a file; columns such as log(emp) are made, as formulas evaluate nothing."""
    done = {}

    def fit(name, model, vcov, cluster=None):
        asked = name, model, vcov, cluster
        if asked not in done:
            file = stored(name, model)
            unit, wave = file["index"]
            frame = pd.read_csv(shared / "reference/panel" / file["data"])
            response, right = file["formula"].split(" ~ ")
            terms = right.split(" + ")
            for made in [c for c in (response, *terms) if c.startswith("log(")]:
                frame[made] = np.log(frame[made[4:-1]])
            formula = f"`{response}` ~ {' + '.join(f'`{term}`' for term in terms)}"
            done[asked] = eecx.regress(
                frame,
                formula,
                effects=EFFECTS[model],
                unit=unit,
                wave=wave,
                vcov=vcov,
                cluster=wave if cluster == "wave" else None,
            )
        return done[asked]

    return fit


def in_order(file, named):
    return np.array([named[term] for term in file["vcov_order"]], dtype=float)


@pytest.mark.parametrize(("name", "model"), CASES)
def test_estimates(stored, fitted, name, model):
    file, fit = stored(name, model), fitted(name, model, "classical")
    names = [row["name"].replace("(Intercept)", "(intercept)") for row in file["estimates"]]
    assert fit.table["term"].tolist() == names
    wanted = [row["est"] for row in file["estimates"]]
    np.testing.assert_allclose(fit.table["estimate"], wanted, rtol=1e-9)


@pytest.mark.parametrize(("name", "model", "key", "option"), VCOVS)
def test_covariance(stored, fitted, name, model, key, option):
    file, fit = stored(name, model), fitted(name, model, option)
    entry = file["vcovs"][key]
    np.testing.assert_allclose(fit.vcov, entry["matrix"], rtol=1e-8)
    np.testing.assert_allclose(fit.table["std_error"], in_order(file, entry["se"]), rtol=1e-9)


@pytest.mark.parametrize(("name", "model", "key", "option"), WITH_DF)
def test_satterthwaite_df(stored, fitted, name, model, key, option):
    file = stored(name, model)
    wanted = in_order(file, file["vcovs"][key]["df"])
    np.testing.assert_allclose(fitted(name, model, option).table["df"], wanted, rtol=1e-8)


@pytest.mark.parametrize(("name", "model"), [c for c in CASES if c[1] != "between"])
def test_cr1_counts_all_effects_only_where_there_are_none(stored, fitted, name, model):
    file = stored(name, model)
    all_counted = in_order(file, file["vcovs"]["cr1_unit_kfull"]["se"])
    ours = fitted(name, model, "CR1").table["std_error"]
    assert np.allclose(ours, all_counted, rtol=1e-8) == (model == "pooling")


@pytest.mark.parametrize(("name", "model"), [c for c in CASES if c[1] != "between"])
def test_cr1_by_wave_counts_unit_effects_and_not_those_of_waves(stored, fitted, name, model):
    file = stored(name, model)
    stats = file["stats"]
    n, waves, slopes = file["n"], stats["times"], len(file["estimates"])
    counted = slopes if model == "pooling" else slopes + stats["units"]
    factor = waves / (waves - 1) * (n - 1) / (n - counted)
    fit = fitted(name, model, "CR1", "wave")
    cr0 = np.array(file["vcovs"]["cr0_time"]["matrix"])
    np.testing.assert_allclose(fit.vcov, cr0 * factor, rtol=1e-8)
    assert set(fit.table["df"]) == {waves - 1}


@pytest.mark.parametrize(("name", "model"), CASES)
def test_classical_t_and_p(stored, fitted, name, model):
    rows, table = stored(name, model)["estimates"], fitted(name, model, "classical").table
    np.testing.assert_allclose(table["statistic"], [row["t"] for row in rows], rtol=1e-8)
    # a tail probability multiplies the relative error of t by about t²
    np.testing.assert_allclose(table["p_value"], [row["p"] for row in rows], rtol=1e-6, atol=1e-290)


@pytest.mark.parametrize(("name", "model"), CASES)
def test_fit_statistics(stored, fitted, name, model):
    file, found = stored(name, model)["stats"], fitted(name, model, "classical").stats
    assert found["df_residual"] == file["df_residual"]
    assert (found["units"], found["waves"]) == (file["units"], file["times"])
    assert found["n"] == (file["units"] if model == "between" else file["n"])
    np.testing.assert_allclose(found["sigma"] ** 2, file["sigma2"], rtol=1e-9)
    np.testing.assert_allclose(found["r_squared"], file["rsq"], rtol=1e-9)
