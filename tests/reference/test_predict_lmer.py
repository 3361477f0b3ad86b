"""Predictions of mixed models follow from what lme4 1.1-31 and lmerTest 3.1-3 give (R 4.2.2)."""

import json

import numpy as np
import pandas as pd
import pytest

import eecx


def test_mixed_predictions_follow_from_what_lme4_found(shared):
    """Fixed effects, their covariance and the components of lme4 1.1-31 (sleepstudy)."""
    folder = shared / "reference/multilevel"
    file = json.loads((folder / "lmer_sleepstudy_ris_reml.json").read_text())
    data = pd.read_csv(folder / file["data"]["file"])
    fit = eecx.regress(data, "Reaction ~ Days", unit="Subject", effects="mixed", random="1 + Days")
    found = {e["name"]: e for e in file["estimates"]}
    beta = [found["fixef.(Intercept)"]["est"], found["fixef.Days"]["est"]]
    v = np.array(file["stats"]["vcov"])
    x = np.array([[1, d] for d in (0.0, 4.5, 9.0)])
    mean = fit.predict({"Days": [0, 4.5, 9]}).table
    variance = np.einsum("ij,jk,ik->i", x, v, x)
    np.testing.assert_allclose(mean["estimate"], x @ beta, rtol=1e-6)
    np.testing.assert_allclose(mean["std_error"], np.sqrt(variance), rtol=2e-6)
    df = file["stats"]["df_satterthwaite"]["(Intercept)"]
    assert mean["df"].iloc[0] == pytest.approx(df, rel=1e-4)  # lmerTest differentiates numerically
    # components are within 1e-5 of lme4's, which stops its search early
    cov = np.array([[found[f"var.{a}"]["est"] for a in ("(Intercept)", "Days")]])[0]
    both = found["cov.(Intercept).Days"]["est"]
    of_unit = cov[0] + 2 * both * x[:, 1] + cov[1] * x[:, 1] ** 2
    wanted = np.sqrt(variance + of_unit + found["var.residual"]["est"])
    new = fit.predict({"Days": [0, 4.5, 9]}, interval="new").table
    np.testing.assert_allclose(new["std_error"], wanted, rtol=1e-5)
