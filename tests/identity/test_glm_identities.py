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


@pytest.mark.parametrize("family", CASES)
def test_marginal_effects_of_columns_are_those_of_statsmodels(frame, family):
    y = CASES[family]
    fit = eecx.regress(frame, f"{y} ~ x + z", unit="unit", family=family)
    kind = sm.families.Poisson() if family == "poisson" else sm.families.Binomial()
    design = sm.add_constant(frame[["x", "z"]])
    peer = sm.GLM(frame[y], design, family=kind).fit(
        cov_type="cluster", cov_kwds={"groups": frame["unit"]}, tol=1e-12
    )
    theirs = peer.get_margeff(at="overall")
    effects = fit.tables["marginal_effects"]
    np.testing.assert_allclose(effects["estimate"], theirs.margeff, rtol=1e-6)
    np.testing.assert_allclose(effects["std_error"], theirs.margeff_se, rtol=1e-5)


def test_the_effect_of_a_category_of_two_levels_is_statsmodels_discrete_change(frame):
    sides = frame.assign(side=np.where(np.arange(len(frame)) % 3 > 0, "east", "west"))
    fit = eecx.regress(sides, "yes ~ x + C(side)", unit="unit", family="binomial")
    design = sm.add_constant(sides[["x"]].assign(west=(sides["side"] == "west").astype(float)))
    peer = sm.GLM(sides["yes"], design, family=sm.families.Binomial()).fit(
        cov_type="cluster", cov_kwds={"groups": sides["unit"]}, tol=1e-12
    )
    theirs = peer.get_margeff(at="overall", dummy=True)
    effects = fit.tables["marginal_effects"]
    assert effects["term"].tolist() == ["x", "C(side)[west]"]
    np.testing.assert_allclose(effects["estimate"], theirs.margeff, rtol=1e-6)
    np.testing.assert_allclose(effects["std_error"], theirs.margeff_se, rtol=1e-5)


@pytest.mark.parametrize("family", ["binomial", "poisson"])
@pytest.mark.parametrize("weights", [None, {"sampling": "w"}])
def test_marginal_effects_run_through_every_term_of_a_column(frame, family, weights):
    """Differences of mean predictions, and the delta method by differences, with nothing shared."""
    rng = np.random.default_rng(5)
    data = frame.assign(
        k=np.array(list("abc"))[rng.integers(0, 3, len(frame))],
        z=frame["z"] - 100,
        w=rng.uniform(0.5, 2, len(frame)),
    )
    y = CASES[family]
    formula = f"{y} ~ x*C(k) + I(x^3) + x:z"
    fit = eecx.regress(data, formula, unit="unit", family=family, weights=weights)
    beta, names = fit.table["estimate"].to_numpy(), fit.table["term"].tolist()
    w = data["w"] if weights else np.ones(len(data))

    def mean(b, x, z, k):
        columns = {
            "(intercept)": 1.0,
            "x": x,
            "C(k)[b]": k == "b",
            "C(k)[c]": k == "c",
            "x:C(k)[b]": x * (k == "b"),
            "x:C(k)[c]": x * (k == "c"),
            "I(x^3)": x**3,
            "x:z": x * z,
        }
        assert set(columns) == set(names)
        eta = sum(b[i] * columns[name] for i, name in enumerate(names))
        return np.average(np.exp(eta) if family == "poisson" else 1 / (1 + np.exp(-eta)), weights=w)

    step, x, z, k = 1e-4, data["x"], data["z"], data["k"]
    wanted = {
        "x": lambda b: (mean(b, x + step, z, k) - mean(b, x - step, z, k)) / (2 * step),
        "C(k)[b]": lambda b: (
            mean(b, x, z, pd.Series("b", x.index)) - mean(b, x, z, pd.Series("a", x.index))
        ),
        "C(k)[c]": lambda b: (
            mean(b, x, z, pd.Series("c", x.index)) - mean(b, x, z, pd.Series("a", x.index))
        ),
        "z": lambda b: (mean(b, x, z + step, k) - mean(b, x, z - step, k)) / (2 * step),
    }
    effects = fit.tables["marginal_effects"].set_index("term")
    assert set(effects.index) == set(wanted)
    vcov = fit.vcov.to_numpy()
    for name, effect in wanted.items():
        assert effects.loc[name, "estimate"] == pytest.approx(effect(beta), rel=1e-6)
        slopes = np.array(
            [(effect(beta + 1e-4 * e) - effect(beta - 1e-4 * e)) / 2e-4 for e in np.eye(len(beta))]
        )
        error = float(np.sqrt(slopes @ vcov @ slopes))
        assert effects.loc[name, "std_error"] == pytest.approx(error, rel=1e-4)


def test_the_marginal_effect_of_a_lag_is_its_own():
    sim = eecx.simulate.panel(units=40, waves=5, rng=3)
    panel = sim.frame.assign(yes=(sim.frame["cx"] > 0).astype(float))
    keys = {"unit": "unit", "wave": "wave", "family": "binomial"}
    fit = eecx.regress(panel, "yes ~ ex + lag(ex)", **keys)
    before = panel.assign(old=panel.sort_values("wave").groupby("unit")["ex"].shift(1))
    other = eecx.regress(before, "yes ~ ex + old", **keys)
    assert fit.tables["marginal_effects"]["term"].tolist() == ["ex", "lag(ex)"]
    np.testing.assert_allclose(
        fit.tables["marginal_effects"]["estimate"], other.tables["marginal_effects"]["estimate"]
    )
