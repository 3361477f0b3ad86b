"""
Hospital trusts: staff engagement and mortality
===============================================

*Do English hospital trusts with more engaged staff have lower mortality, and does mortality fall
when engagement rises?* Eight yearly waves of the NHS Staff Survey (2012 to 2019) are paired with
the Summary Hospital-level Mortality Indicator (SHMI) of the same trust and year. The two sides
come from different sources: staff answer a survey, deaths are counted in records.
"""

import os
import sys
from pathlib import Path

import eecx

shared = Path(os.environ.get("EECX_SHARED", ""))
folder = Path(sys.argv[1]) if len(sys.argv) > 1 else shared / "data"
file = folder / "nhs_trusts" / "nhs_trusts.csv"
if not file.exists():
    print(
        "This example reads nhs_trusts/nhs_trusts.csv, one row per trust and year with the columns "
        "unit, wave, region, responses, engagement_mean, work_stress_pct, recommend_care_mean and "
        "shmi. It was made from data.NHS.2012_2019.csv of https://github.com/ebmgt/NHS-wellbeing "
        "(NHS Staff Survey, www.nhsstaffsurveys.com; SHMI, NHS Digital). Name the folder that "
        "holds it as first argument."
    )
    raise SystemExit

# %%
# The panel
# ---------
#
# The data come by unit already, so there is nothing to score. Two measures run against the grain:
# mortality and work stress are better when lower. And it matters who answered. Whether staff would
# be happy with the standard of care for a friend sounds like the customers' side, but employees
# say it, on the same form.

panel = eecx.Panel.from_frame(
    file,
    unit="unit",
    wave="wave",
    employee=["engagement_mean", "work_stress_pct"],
    customer=["shmi", "recommend_care_mean"],
    covariates=["region"],
    n="responses",
    better={"shmi": "lower", "work_stress_pct": "lower"},
    source={
        "engagement_mean": "employees",
        "work_stress_pct": "employees",
        "recommend_care_mean": "employees",
        "shmi": "records",
    },
)
print(panel)

# %%
# Engagement and mortality
# ------------------------
#
# Estimates are direction-aligned: positive means better with better, that is, more engagement with
# *fewer* deaths. The sentence below an estimate speaks in the units of the data.

evidence = eecx.examine_claim(panel, x="engagement_mean", y="shmi")
print(evidence.summary())

# %%

eecx.plotting.save(evidence.plot_linkage(), "hospital_trusts_linkage.png")

# %%
# Between trusts the association is there, in the expected direction. Within trusts over time it is
# not resolved: in years when a trust's staff were more engaged than usual, its mortality was about
# what it always was, and these data would probably have shown a slope of 0.13, a third of the one
# between trusts. Which comes first is not resolved either; rows 3 to 5 are described, not judged.
#
# Does region explain it?
# -----------------------
#
# Anything that differs between trusts could stand behind the first row. Region is one such thing
# that the data hold.

for formula in ("shmi ~ engagement_mean", "shmi ~ engagement_mean + C(region)"):
    fit = eecx.regress(panel, formula, effects="between")
    row = fit["engagement_mean"]
    print(
        f"{formula}: {row['estimate']:.2f} (95% CI {row['conf_low']:.2f} to "
        f"{row['conf_high']:.2f}), {fit.stats['n']} trusts"
    )

# %%
# With region held constant the slope is less than half as steep and its interval includes zero.
# Regions differ in both measures, and what differs between regions (how ill and how old their
# people are, how deaths are coded) is not staff engagement.
#
# A second employee measure
# -------------------------
#
# One measure that fits is weak evidence if another does not. Work stress is closer to well-being
# than engagement is.

stress = eecx.examine_claim(panel, x="work_stress_pct", y="shmi")
print(stress.ladder.loc[:1, ["row", "estimate", "conf_low", "conf_high", "verdict"]].to_string())

# %%
# Between trusts the slope has the *other* sign: trusts with more stress have fewer deaths. After
# adjustment for two tests it is not resolved, and it would be as wrong to make something of it as
# to leave it out.
#
# The same people on both sides
# -----------------------------
#
# For comparison, an "outcome" that the same staff answered.

same = eecx.examine_claim(panel, x="engagement_mean", y="recommend_care_mean")
print(same.gates.loc[3, "detail"])
print(same.ladder.loc[:1, ["row", "estimate", "conf_low", "conf_high", "verdict"]].to_string())

# %%
# These slopes are large and steady, and they are what one questionnaire does with itself: a
# cheerful or a gloomy year colours all its answers. The sources are declared, so every row says so.
#
# What can be said
# ----------------
#
# Trusts with more engaged staff have somewhat lower mortality; region accounts for a good part of
# that. Whether mortality moves with engagement in the same trust, these data do not tell, and they
# tell nothing of order. Not checked: who answered (a few hundred staff per trust at first, a census
# later), and how reliable the yearly means are, since the published file has no sampling variances.

eecx.plotting.save(evidence.plot(), "hospital_trusts_ladder.png")
