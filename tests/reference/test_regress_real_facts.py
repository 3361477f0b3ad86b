"""Known facts about two public panels, to the digits in which they were printed.

All variables are z-scored over all rows of the file; errors are CR1, clustered by unit.
"""

import numpy as np
import pandas as pd
import pytest

import eecx


def scored(shared, path, columns):
    frame = pd.read_csv(shared / "data" / path)
    z = frame[columns].apply(lambda values: (values - values.mean()) / values.std())
    return frame[["unit", "wave"]].join(z)


@pytest.fixture(scope="module")
def trusts(shared):
    frame = scored(shared, "nhs_trusts/nhs_trusts.csv", ["engagement_mean", "shmi"])
    # dummies in the data: a wave in the formula would be a key
    waves = {f"w{w}": (frame["wave"] == w).astype(float) for w in sorted(frame["wave"].unique())}
    return frame.assign(**waves)


@pytest.fixture(scope="module")
def schools(shared):
    columns = ["collab_teachers_pp", "supportive_env_pp"]
    return scored(shared, "nyc_hs_panel/nyc_hs_panel.csv", columns)


def two_way(frame, formula):
    return eecx.regress(
        frame, formula, effects="two-way", unit="unit", wave="wave", vcov="CR1"
    ).table.iloc[0]


def correlation(frame, x, y):
    """Correlation over the rows that have both."""
    moments = eecx.Moments.from_frame(frame, terms=[x, y])
    return moments.correlations().loc[x, y], int(moments.n[0])


def test_engagement_and_mortality_of_hospital_trusts(trusts):
    r, n = correlation(trusts, "engagement_mean", "shmi")
    assert (f"{r:.3f}", n) == ("-0.157", 1073)


def test_engagement_and_mortality_net_of_trusts_and_waves(trusts):
    row = two_way(trusts, "shmi ~ engagement_mean")
    assert (f"{row['estimate']:.4f}", f"{row['std_error']:.4f}") == ("-0.0127", "0.0404")


@pytest.mark.parametrize(
    ("y", "x", "estimate", "std_error"),
    [
        ("shmi", "engagement_mean", "-0.0281", "0.0157"),
        ("engagement_mean", "shmi", "-0.0519", "0.0190"),
    ],
)
def test_prior_engagement_and_mortality_in_both_directions(trusts, y, x, estimate, std_error):
    # the first wave has no prior, the second is the reference
    dummies = " + ".join(sorted(c for c in trusts if c.startswith("w2"))[2:])
    fit = eecx.regress(
        trusts, f"{y} ~ lag({y}) + lag({x}) + {dummies}", unit="unit", wave="wave", vcov="CR1"
    )
    row = fit[f"lag({x})"]
    assert (f"{row['estimate']:.4f}", f"{row['std_error']:.4f}") == (estimate, std_error)


def test_teachers_and_students_of_schools(schools):
    r, n = correlation(schools, "collab_teachers_pp", "supportive_env_pp")
    assert (f"{r:.3f}", n) == ("0.605", 4304)


def test_teachers_and_students_net_of_schools_and_waves(schools):
    row = two_way(schools, "supportive_env_pp ~ collab_teachers_pp")
    assert (f"{row['estimate']:.4f}", f"{row['std_error']:.4f}") == ("0.3887", "0.0176")


def test_z_scores_change_slopes_by_their_units_only(shared):
    path = shared / "data/nyc_hs_panel/nyc_hs_panel.csv"
    raw = pd.read_csv(path)
    z = scored(shared, path, ["collab_teachers_pp", "supportive_env_pp"])
    formula = "supportive_env_pp ~ collab_teachers_pp"
    ratio = raw["collab_teachers_pp"].std() / raw["supportive_env_pp"].std()
    np.testing.assert_allclose(
        two_way(z, formula)["estimate"], two_way(raw, formula)["estimate"] * ratio, rtol=1e-10
    )
