"""Families agree with statsmodels' own fits, and marginal effects with finite differences."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

import eecx
from eecx.errors import DataError, OptionError


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(2)
    n, units = 1200, 60
    unit = rng.integers(0, units, n)
    x = rng.normal(size=n) + 0.3 * rng.normal(size=units)[unit]
    z = 100 + 5 * rng.normal(size=n)
    eta = -0.3 + 0.6 * x + 0.05 * (z - 100) + 0.4 * rng.normal(size=units)[unit]
    p = 1 / (1 + np.exp(-eta))
    return pd.DataFrame(
        {
            "unit": unit,
            "x": x,
            "z": z,
            "yes": (rng.random(n) < p).astype(float),
            "share": np.clip(p + 0.05 * rng.normal(size=n), 0, 1),
            "count": rng.poisson(np.exp(eta - 0.5)).astype(float),
        }
    )


CASES = {"binomial": "yes", "fractional": "share", "poisson": "count"}


@pytest.mark.parametrize("family", CASES)
def test_statsmodels_with_clustered_errors(frame, family):
    y = CASES[family]
    fit = eecx.regress(frame, f"{y} ~ x + z", unit="unit", family=family)
    kind = sm.families.Poisson() if family == "poisson" else sm.families.Binomial()
    x = sm.add_constant(frame[["x", "z"]].assign(z=frame["z"] - 100))
    peer = sm.GLM(frame[y], x, family=kind).fit(
        cov_type="cluster", cov_kwds={"groups": frame["unit"]}, tol=1e-12
    )
    at = ["x", "z"]
    table = fit.table.set_index("term").loc[at]
    np.testing.assert_allclose(table["estimate"], peer.params[at], rtol=1e-8)
    np.testing.assert_allclose(table["std_error"], peer.bse[at], rtol=1e-6)


@pytest.mark.parametrize("family", CASES)
def test_marginal_effects_are_mean_differences(frame, family):
    y = CASES[family]
    fit = eecx.regress(frame, f"{y} ~ x + z", unit="unit", family=family)
    beta = fit.table["estimate"].to_numpy()

    def mean(shift):
        eta = beta[0] + beta[1] * (frame["x"] + shift) + beta[2] * frame["z"]
        return float(np.mean(np.exp(eta) if family == "poisson" else 1 / (1 + np.exp(-eta))))

    step = 1e-5
    wanted = (mean(step) - mean(-step)) / (2 * step)
    effects = fit.tables["marginal_effects"].set_index("term")
    assert effects.loc["x", "estimate"] == pytest.approx(wanted, rel=1e-7)
    assert effects.loc["x", "conf_low"] < wanted < effects.loc["x", "conf_high"]
    assert "Average marginal effects" in fit.methods()
    fit.plot()
    fit.to_json()


def test_refuses(frame):
    for formula, family, error, text in (
        ("share ~ x", "binomial", DataError, r"'share' must be 0 or 1 .* family='fractional'"),
        ("z ~ x", "fractional", DataError, "'z' must be between 0 and 1"),
        ("x ~ z", "poisson", DataError, "'x' must be 0 or more"),
        ("yes ~ x", "probit", OptionError, "family='probit': accepted are"),
    ):
        with pytest.raises(error, match=text):
            eecx.regress(frame, formula, unit="unit", family=family)
    with pytest.raises(OptionError, match="'effects' is for linear models"):
        eecx.regress(frame, "yes ~ x", unit="unit", family="binomial", effects="within")


def test_separation_is_named(frame):
    rows = frame.assign(tell=frame["yes"] * 2 + 0.1 * frame["x"].clip(-3, 3))
    with pytest.raises(DataError, match=r"'tell' .*separates the rows with 'yes'"):
        eecx.regress(rows, "yes ~ tell", unit="unit", family="binomial")
    with pytest.raises(DataError, match="'copy' is constant or collinear"):
        eecx.regress(
            frame.assign(copy=2 * frame["x"]), "yes ~ x + copy", unit="unit", family="binomial"
        )
