"""
Hospital trusts: one question, many regressions
===============================================

*How does staff engagement go with mortality in English hospital trusts?* Papers answer such a
question with a pooled, a random-effects, a fixed-effects or a multilevel regression, and get
different answers. Here they stand side by side, on eight yearly waves (2012 to 2019) of the NHS
Staff Survey and of the Summary Hospital-level Mortality Indicator (SHMI), with what each compares.
Example 2 examines the same claim as a whole.
"""

# sphinx_gallery_thumbnail_number = 1

import os
import sys
from pathlib import Path

import pandas as pd

import eecx

shared = Path(os.environ.get("EECX_SHARED", ""))
folder = Path(sys.argv[1]) if len(sys.argv) > 1 else shared / "data"
file = folder / "nhs_trusts" / "nhs_trusts.csv"
if not file.exists():
    print(
        "This example reads nhs_trusts/nhs_trusts.csv, one row per trust and year with the columns "
        "unit, wave, region, responses, engagement_mean, work_stress_pct and shmi. It was made "
        "from data.NHS.2012_2019.csv of https://github.com/ebmgt/NHS-wellbeing (NHS Staff Survey, "
        "www.nhsstaffsurveys.com; SHMI, NHS Digital). Name the folder that holds it as first "
        "argument."
    )
    raise SystemExit

# %%
# What goes with what
# -------------------
#
# The customers' side are deaths, counted in records: observed over expected, so that 1.05 means
# five in a hundred more than expected. Higher is worse. Reliabilities would stand on the diagonal;
# without sampling variances nobody knows them.

panel = eecx.Panel.from_frame(
    file,
    unit="unit",
    wave="wave",
    employee=["engagement_mean", "work_stress_pct"],
    customer=["shmi"],
    covariates=["region"],
    n="responses",
    better={"shmi": "lower", "work_stress_pct": "lower"},
    source={"engagement_mean": "employees", "work_stress_pct": "employees", "shmi": "records"},
)
measures = ["engagement_mean", "work_stress_pct", "shmi"]
related = eecx.correlations(panel, measures, level=["between", "within"])
print(related.tables["apa"].to_string(index=False))

# %%
# Engagement and stress, from one form, go together at both levels. Engagement and mortality do so
# between trusts only. And trusts with *more* stress have *fewer* deaths: whoever reads a cause into
# the one should read one into the other.
#
# Two slopes, not one
# -------------------
#
# The within-between model estimates both slopes at once. Their difference is the contextual effect.

formula = "shmi ~ engagement_mean"
both = eecx.regress(panel, formula, effects="within-between")
print(both.summary())
print(eecx.hausman(panel, formula).table.round(4).to_string(index=False))

# %%
# A trust whose engagement is higher by 0.1 (of five points) in all years has 0.036 less SHMI; in a
# year when its own engagement is up by 0.1 its SHMI is what it always was. All forms of the Hausman
# test say that the two slopes differ. So any model with a single slope mixes two answers.

names = ["between", "pooled", "random", "within", "two-way", "first-difference"]
fits = [eecx.regress(panel, formula, effects=name) for name in names]
side = eecx.compare(*fits, names=names)
print(side.side_by_side.to_string(index=False))

# %%

caption = (
    "SHMI per point of engagement; 95% intervals, CR2 by trust. "
    "Pooled and random: mixtures of the slope between trusts and that within them over time."
)
estimates = side.table.query("term != '(intercept)'")
forest = estimates.assign(term=estimates["model"])
axes = eecx.plotting.coefficients(
    forest, title="The model decides which question is answered", caption=caption
)
eecx.plotting.save(axes.figure, "hospital_models.png")

# %%
# The pooled slope, -0.18, belongs to nobody: half the one, half the other. The random-effects slope
# is close to zero only because trusts differ so steadily that it weighs years within trusts most.
#
# Do trusts differ in how the two move together? A random slope lets them.

mixed = eecx.regress(
    panel, formula, effects="within-between", method="reml", random="1 + engagement_mean"
)
shown = mixed.tables["random_effects"].fillna({"with_term": ""})
print(mixed.table.iloc[:, :4].round(3).to_string(index=False))
print(shown[shown["quantity"] != "variance"].round(3).to_string(index=False))

# %%
# Around a mean of zero the slopes of trusts scatter with an SD of 0.3. Some of that may be real.
# But trends of single trusts give the same picture: where both measures drift for reasons of their
# own, eight years line up by chance, and this model takes the years as independent.
#
# How many trusts are there, really?
# ----------------------------------
#
# 144, if they are independent. Trusts of one region share patients' age and illness, and a labour
# market. There are 13 regions; nine trusts have none in the file and drop out.

rows = []
for cluster, vcov in (
    ("unit", "CR2"),
    ("region", "CR1"),
    ("region", "CR2"),
    ("region", "CR3"),
    ("region", "wild"),
):
    fit = eecx.regress(panel, formula, effects="between", cluster=cluster, vcov=vcov)
    row = fit["engagement_mean"][["estimate", "conf_low", "conf_high", "df", "p_value"]]
    rows.append({"cluster": cluster, "errors": vcov, **row, "trusts": fit.stats["n"]})
print(pd.DataFrame(rows).round(3).to_string(index=False, na_rep=""))

# %%
# By trust the slope between trusts is clear. By region it has eight degrees of freedom: p is .050
# by CR1, which is too bold with few clusters, and .06 to .07 by CR2, the jackknife (CR3) and the
# wild bootstrap (all 8,192 sign patterns). The slope hardly changed; our certainty should.
#
# Too small to matter?
# --------------------
#
# Say that one death in a hundred expected, 0.01 SHMI, is worth a reaction where engagement moves by
# 0.1, about twice its usual swing within a trust. That makes the bound 0.1. (It is set here for
# illustration; in a study it is declared before anybody looks.) How reliable yearly changes of
# engagement are is not known either. So a range of guesses.

two_way = fits[names.index("two-way")]
rows = []
for guess in (1.0, 0.9, 0.7, 0.5):
    test = eecx.equivalence(two_way, "engagement_mean", bound=0.1, reliability=guess)
    corrected = test.table.iloc[-1][["estimate", "conf_low", "conf_high", "verdict"]]
    rows.append({"term": f"reliability {guess:.1f}", **corrected})
guesses = pd.DataFrame(rows)
print(guesses.round(3).to_string(index=False))

# %%

axes = eecx.plotting.coefficients(
    guesses,
    title="Too small to matter, if changes are measured without error",
    caption="Slope within trusts, net of waves; 90% intervals, corrected; dashed: ±0.1.",
)
for limit in (-0.1, 0.1):
    axes.axvline(limit, color="#8A8A8A", linewidth=0.9, linestyle="--", zorder=1)
eecx.plotting.save(axes.figure, "hospital_equivalence.png")

# %%
# As observed, the slope is too small to matter. A reliability of .9 is enough to leave it
# unresolved, and changes are as a rule less reliable than that. "No effect" would be wrong.
#
# A year later, both ways
# -----------------------
#
# In standard deviations, net of trusts and waves. Last year's value of the outcome itself is left
# out, since unit effects bias its slope in short panels; so what merely swings back is in here too.

frame = pd.read_csv(file)
z = frame[["unit", "wave"]].join((frame[measures] - frame[measures].mean()) / frame[measures].std())
for y, x in (("shmi", "engagement_mean"), ("engagement_mean", "shmi")):
    later = eecx.regress(z, f"{y} ~ lag({x})", effects="two-way", unit="unit", wave="wave")
    b, low, high = later.table.loc[0, ["estimate", "conf_low", "conf_high"]]
    print(f"{y} on last year's {x}: {b:.3f} ({low:.3f} to {high:.3f})")

# %%
# What can be said
# ----------------
#
# - *Between trusts* more engagement goes with lower mortality. Whatever differs steadily between
#   trusts (region, patients, coding of deaths, management) may stand behind it; with regions as
#   clusters even its sign is not beyond doubt. It is a fact about trusts, not about employees.
# - *Within trusts over time* the slope is not resolved, in the same year or a year later, in either
#   direction. Intervals exclude large slopes only as far as yearly changes are reliable, and those
#   of a few hundred answers (2012 to 2014) are less so than those of a census (2019).
# - *Not checked*: who did not answer, trusts that merged and left, and the step of engagement from
#   2014 to 2015 in all trusts, which the wave effects take out and the plain "within" model does
#   not.
