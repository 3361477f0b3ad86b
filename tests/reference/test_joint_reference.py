"""Joint tests with few clusters against clubSandwich.

clubSandwich 0.5.8 and plm 2.6-2 (R 4.2.2), ``Wald_test`` with CR2 and identity working covariance,
of pooled and within fits to made-up clusters of unequal size; script R/07_joint_tests.R beside the
stored output.

clubSandwich's "Naive-F" has G - 1 denominator degrees of freedom; the F row here has the smallest
Satterthwaite df of the coefficients, so of it the statistic is compared, and that it gives the
stored p with the stored df.
"""

import json
from functools import cache

import pandas as pd
import pytest
from scipy import special

import eecx

IDS = [
    f"joint_g{clusters}_q{slopes}_{effects}"
    for clusters in (10, 15, 30)
    for slopes in (2, 5)
    for effects in ("pooled", "within")
]


@cache
def cases(folder):
    """Return the stored cases by name."""
    found = json.loads((folder / "joint" / "joint_wald.json").read_text())["cases"]
    return {case["id"]: case for case in found}


def test_every_stored_case_is_compared(shared):
    assert sorted(cases(shared / "reference/panel")) == sorted(IDS)


@pytest.mark.parametrize("name", IDS)
def test_joint_tests_are_those_of_clubsandwich(shared, name):
    folder = shared / "reference/panel"
    case = cases(folder)[name]
    frame = pd.read_csv(folder / case["data"])
    fit = eecx.regress(frame, case["formula"], effects=case["effects"], unit="g")
    for own in case["estimates"]:
        row = fit[own["name"]]
        assert row["estimate"] == pytest.approx(own["est"], rel=1e-9)
        assert row["std_error"] == pytest.approx(own["se"], rel=1e-9)
    for test in case["tests"]:
        wanted = {row["test"]: row for row in test["rows"]}
        found = eecx.wald(fit, test["terms"])
        assert found.table["term"].tolist() == ["HTZ", "F", "chi2"]
        exact = {"rel": 1e-8}
        htz, naive, chi2 = wanted["HTZ"], wanted["Naive-F"], wanted["chi-sq"]
        assert found["HTZ"]["statistic"] == pytest.approx(htz["Fstat"], **exact)
        assert found["HTZ"]["df"] == htz["df_num"]
        assert found["HTZ"]["df_denominator"] == pytest.approx(htz["df_denom"], **exact)
        assert found["HTZ"]["p_value"] == pytest.approx(htz["p"], **exact)
        assert found["F"]["statistic"] == pytest.approx(naive["Fstat"], **exact)
        p = special.fdtrc(naive["df_num"], naive["df_denom"], found["F"]["statistic"])
        assert p == pytest.approx(naive["p"], **exact)
        assert found["chi2"]["statistic"] / chi2["df_num"] == pytest.approx(chi2["Fstat"], **exact)
        assert found["chi2"]["p_value"] == pytest.approx(chi2["p"], **exact)
