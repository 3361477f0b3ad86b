"""Weights 1/(tau2 + v) against R's metafor: Hedges' estimator, Knapp and Hartung's error."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import eecx


@pytest.mark.parametrize("name", ["bcg_logrr", "molloy2014_zcor", "molloy2014_cor"])
def test_without_terms_it_is_hedges_estimator_with_knapp_and_hartungs_error(shared, name):
    folder = shared / "reference" / "meta"
    stored = json.loads((folder / f"meta_{name}.json").read_text())["estimates"]
    figures = {e["name"]: e["est"] for e in stored}
    effects = pd.read_csv(folder / "data" / f"{name}.csv")
    fit = eecx.regress(effects, "yi ~ 1", weights={"variance": "vi"}, vcov="classical")
    row = fit["(intercept)"]
    assert fit.stats["tau2"] == pytest.approx(figures["HE.tau2"], rel=1e-9)
    ours = [row[c] for c in ("estimate", "conf_low", "conf_high", "statistic", "p_value")]
    theirs = [f"HE.knha.{k}" for k in ("mean", "ci.lower", "ci.upper", "stat", "p")]
    np.testing.assert_allclose(ours, [figures[k] for k in theirs], rtol=1e-9)
