"""The analyses against their peers."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pingouin
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf

import eecx

pytestmark = pytest.mark.filterwarnings("ignore")


def test_mediation_bootstrap_against_pingouin(ratio):
    rng = np.random.default_rng(1)
    x = rng.normal(size=1000)
    m = 0.5 * x + rng.normal(size=1000)
    frame = pd.DataFrame({"x": x, "m": m, "y": 0.3 * x + 0.4 * m + rng.normal(size=1000)})
    found = ratio(
        lambda: eecx.mediate(frame, "x", "m", "y", draws=5000, rng=1),
        lambda: pingouin.mediation_analysis(frame, x="x", m="m", y="y", n_boot=5000, seed=1),
        rounds=10,
    )
    assert found <= 1 / 30


@pytest.fixture(scope="module")
def panel():
    sim = eecx.simulate.panel(units=300, waves=8, same_wave=0.3, rng=1)
    return eecx.Panel.from_frame(
        sim.frame, unit="unit", wave="wave", employee=["ex"], customer=["cx"]
    )


def test_two_way_slope_against_dummy_regression(panel, ratio):
    def dummies():
        model = smf.ols("cx ~ ex + C(unit) + C(wave)", panel.frame)
        return model.fit(
            cov_type="cluster", cov_kwds={"groups": pd.factorize(panel.frame["unit"])[0]}
        )

    assert ratio(lambda: eecx.regress(panel, "cx ~ ex", effects="two-way"), dummies) <= 1 / 8


def test_lag_profile_against_demeaned_regressions(panel, ratio):
    frame = panel.frame

    def by_hand():
        for k in range(-3, 4):
            own = frame.assign(z=frame.groupby("unit")["ex"].shift(k)).dropna()
            columns = pd.concat(
                [own[["cx", "z"]], pd.get_dummies(own["wave"], dtype=float).iloc[:, 1:]], axis=1
            )
            away = columns - columns.groupby(own["unit"]).transform("mean")
            groups = pd.factorize(own["unit"])[0]
            sm.OLS(away["cx"], away.drop(columns="cx")).fit(
                cov_type="cluster", cov_kwds={"groups": groups}
            )

    assert ratio(lambda: eecx.lag_profile(panel, "ex", "cx"), by_hand) <= 3


def test_claim_in_about_the_time_of_two_dummy_regressions(panel, ratio):
    def dummies():
        for y, x in (("cx", "ex"), ("ex", "cx")):
            smf.ols(f"{y} ~ {x} + C(unit) + C(wave)", panel.frame).fit()

    assert ratio(lambda: eecx.examine_claim(panel, x="ex", y="cx"), dummies) <= 1.5


def seconds(code):
    wrapped = f"import time; t = time.perf_counter(); {code}; print(time.perf_counter() - t)"
    command = [sys.executable, "-c", wrapped]
    return min(
        float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        for _ in range(5)
    )


def test_import_is_lighter_than_pandas():
    assert seconds("import eecx") <= 0.7 * seconds("import pandas")


def test_demo_within_twenty_seconds(tmp_path, benchmark):
    command = [sys.executable, "-m", "eecx.cli", "demo", "--out", str(tmp_path / "dossier")]
    benchmark.pedantic(lambda: subprocess.run(command, check=True, capture_output=True), rounds=1)
    assert benchmark.stats.stats.min < 20
