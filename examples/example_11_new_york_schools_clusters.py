"""
New York schools: which clusters, which curve, which year
=========================================================

*Where teachers would recommend their school, are students and parents more content, and do more
students come?* Schools of a district share families and a superintendent, so they may not count as
independent; shares of positive answers cannot pass 1, so a line may not fit. This example asks
what difference that makes, in 2015, where each measure has one source; then it looks at nine years.
Example 3 shows how the files are read and who answered.
"""

# sphinx_gallery_thumbnail_number = 1

import os
import sys
from pathlib import Path

import pandas as pd

import eecx

shared = Path(os.environ.get("EECX_SHARED", ""))
folder = Path(sys.argv[1]) if len(sys.argv) > 1 else shared / "data"
yearly = folder / "nyc_hs_panel" / "nyc_hs_panel.csv"
by_source = folder / "nyc_hs_2015_by_source" / "nyc_hs_2015_by_source.csv"
if not (yearly.exists() and by_source.exists()):
    print(
        "This example reads nyc_hs_2015_by_source/nyc_hs_2015_by_source.csv, one row per high "
        "school, and nyc_hs_panel/nyc_hs_panel.csv, one row per high school and school year with "
        "the columns unit, wave, collab_teachers_pp and student_attendance. Both were made from "
        "the School Quality Report workbooks of the New York City Department of Education, as kept "
        "in https://github.com/BroWang1/Data-Analysis-NYC-High-School-Quality-2014-to-2022. Name "
        "the folder that holds them as first argument."
    )
    raise SystemExit

# %%
# Schools, districts, boroughs
# ----------------------------
#
# The code of a school holds both: 01M292 is in district 01 and in Manhattan. (84 is no place: it
# is what charter schools have for a district.)

x = "t_school_commitment"
sources = {
    x: "teachers",
    "s_safety": "students",
    "s_teacher_trust": "students",
    "p_teacher_trust": "parents",
    "p_involvement": "parents",
    "student_attendance": "records",
}
frame = pd.read_csv(by_source)
frame["district"], frame["borough"] = frame["unit"].str[:2], frame["unit"].str[2]
schools = eecx.Panel.from_frame(
    frame,
    unit="unit",
    employee=[x],
    customer=list(sources)[1:],
    covariates=["economic_need", "g8_math", "district", "borough"],
    source=sources,
)
print(schools)

# %%
# Who counts as one?
# ------------------
#
# Attendance on the share of teachers who would recommend their school, with need and mathematics
# before entry held constant. With five boroughs there are only 32 patterns of signs, too few for a
# p below .05; Webb's six weights (the default below 12 clusters) give 7,776.

intake = f"{x} + economic_need + g8_math"
formula = f"student_attendance ~ {intake}"
rows = []
for cluster, vcov in (
    ("unit", "CR2"),
    ("district", "CR2"),
    ("district", "wild"),
    ("borough", "CR1"),
    ("borough", "CR2"),
    ("borough", "wild"),
):
    fit = eecx.regress(schools, formula, effects="between", cluster=cluster, vcov=vcov)
    row = fit[x][["std_error", "df", "p_value", "estimate", "conf_low", "conf_high"]]
    said = ", ".join(warning.code for warning in fit.warnings)
    rows.append({"cluster": cluster, "errors": vcov, **row, "warnings": said})
clustered = pd.DataFrame(rows)
print(clustered.round(4).to_string(index=False, na_rep=""))
for level in (0.95, 0.96):
    wild = eecx.regress(
        schools, formula, effects="between", cluster="borough", vcov="wild", conf_level=level
    )
    low, high = wild[x][["conf_low", "conf_high"]]
    print(f"borough, wild: {100 * level:.0f}% interval {low:.3f} to {high:.3f}")

# %%

figure = eecx.plotting.coefficients(
    clustered.assign(
        term=clustered["cluster"].replace("unit", "school"), group=clustered["errors"]
    ),
    title="One slope, six intervals",
    caption="Share of attendance per share of committed teachers, 2015; 95% intervals.",
).figure
eecx.plotting.save(figure, "schools_clusters.png")

# %%
# By district the interval hardly widens; with 33 clusters CR2 and the wild bootstrap agree. By
# borough the standard errors and some intervals are *smaller*. That is no gain: an error told by
# five clusters is a guess, with three degrees of freedom by CR2. The wild bootstrap shows it: its
# 95% interval is the shortest of all, and the 96% interval holds zero, since its p value stays just
# below .05 over a long stretch of slopes. Boroughs are too few; the clusters below are districts.
#
# A line or a curve?
# ------------------
#
# A fractional logit cannot leave the range from 0 to 1. Its coefficients are on the scale of log
# odds; the average marginal effect is on that of the line, so those two can be compared.

rows = []
for outcome in schools.customer:
    terms = {"line": intake, "line, with mathematics squared": f"{intake} + I(g8_math^2)"}
    fits = {
        name: eecx.regress(schools, f"{outcome} ~ {right}", effects="between", cluster="district")
        for name, right in terms.items()
    }
    curve = eecx.regress(schools, f"{outcome} ~ {intake}", family="fractional", cluster="district")
    found = {name: fit[x] for name, fit in fits.items()}
    found["fractional, average marginal"] = curve.tables["marginal_effects"].iloc[0]
    for group, row in found.items():
        rows.append({"term": outcome, "group": group, **row[["estimate", "conf_low", "conf_high"]]})
    if outcome == "student_attendance":
        intercept, *slopes = fits["line"].table["estimate"]
        best = intercept + float((frame[[x, "economic_need", "g8_math"]] @ slopes).max())
        print(f"highest attendance that the line expects: {best:.2f}\n")
shapes = pd.DataFrame(rows)
print(shapes.round(3).to_string(index=False))

# %%

figure = eecx.plotting.coefficients(
    shapes,
    title="Line and curve",
    caption="Share per share of committed teachers, 2015; 95% intervals, clusters: districts.",
).figure
eecx.plotting.save(figure, "schools_line_and_curve.png")

# %%
# For the four survey shares line and curve nearly agree. For attendance they do not: 0.078 against
# 0.055. The line expects more than all students to come where pupils were best at mathematics;
# attendance levels off there, and teachers' commitment is credited with some of the bend. The
# square of mathematics gives the line the same 0.055. So what differed was the shape of a
# *covariate*. And for parents' involvement there is no slope to be seen, in any form.
#
# Nine years
# ----------
#
# The yearly reports have an element for teachers' collaboration (mostly teachers' answers, with
# some of students and parents) and attendance, counted.

panel = eecx.Panel.from_frame(
    yearly,
    unit="unit",
    wave="wave",
    employee=["collab_teachers_pp"],
    customer=["student_attendance"],
    source={
        "collab_teachers_pp": ["teachers", "students", "parents"],
        "student_attendance": "records",
    },
)
same_year = "student_attendance ~ collab_teachers_pp"
names = ["pooled", "between", "within", "two-way", "first-difference"]
fits = [eecx.regress(panel, same_year, effects=name) for name in names]
print(eecx.compare(*fits, names=names).side_by_side.to_string(index=False))

# %%
# The yearly slopes are smaller than those between schools, and positive. A year later, both ways,
# by models that compare a school with itself; errors are clustered by school.

years = pd.read_csv(yearly).assign(year=lambda table: "y" + table["wave"].astype(str))
models = {
    "two-way": ("", {"effects": "two-way"}),
    "first differences": ("", {"effects": "first-difference"}),
    "first differences, net of years": (
        " + C(year)",
        {"effects": "first-difference", "drift": False},
    ),
}
for y, past in (
    ("student_attendance", "collab_teachers_pp"),
    ("collab_teachers_pp", "student_attendance"),
):
    print(f"{y} on last year's {past}")
    for name, (right, how) in models.items():
        formula = f"{y} ~ lag({past}){right}"
        row = eecx.regress(years, formula, unit="unit", wave="wave", **how)[f"lag({past})"]
        ends = f"({row['conf_low']:.3f} to {row['conf_high']:.3f})"
        print(f"  {name}: {row['estimate']:.3f} {ends}")

# %%
# Anybody could find what they look for. Attendance goes with last year's collaboration, positively,
# negatively or not, and collaboration with last year's attendance not or negatively. The negative
# sign of plain first differences is made by the pandemic: answers rose everywhere, attendance fell
# everywhere a year later, and both came back; net of years it is gone. The other models differ in
# what they take as a school's usual, and a good year that is followed by a usual one (mean
# reversion) enters each in its own way.
#
# What can be said
# ----------------
#
# - *Between schools in 2015*, where teachers would recommend their school, students feel safer and
#   trust teachers more, parents trust teachers more, and more students come, also at the same need
#   and mathematics before entry. Parents' involvement is not seen to differ. A good principal, a
#   school's name or the families who choose it may stand behind all of these.
# - *The choice of clusters* matters little here as long as there are enough of them. With five, a
#   small standard error is no evidence.
# - *Over time* collaboration and attendance move together a little in the same year. Part of that
#   element is students' and parents' answers. Nothing supports an order in time.
# - *Not checked*: who answered. A third of parents did, and some schools have hardly any; how many
#   answers a share rests on is not published, so all schools count alike. These are facts about
#   schools, not about teachers or pupils.
