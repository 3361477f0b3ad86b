"""
New York schools: reading files as published, and who answered
==============================================================

*Do students fare better where teachers work well together?* The city's Department of Education
publishes school surveys of teachers, students and parents every year, with numbers, percent signs
and words in the same column. The elements of the yearly reports mix the sources; one year, 2015,
is also published by who answered.
"""

# sphinx_gallery_thumbnail_number = 2

import os
import sys
from pathlib import Path

import pandas as pd

import eecx

shared = Path(os.environ.get("EECX_SHARED", ""))
folder = Path(sys.argv[1]) if len(sys.argv) > 1 else shared / "data"
yearly = folder / "nyc_hs_panel" / "nyc_hs_panel_as_published.csv"
by_source = folder / "nyc_hs_2015_by_source" / "nyc_hs_2015_by_source.csv"
if not yearly.exists():
    print(
        "This example reads nyc_hs_panel/nyc_hs_panel_as_published.csv, one row per high school "
        "and school year with the columns unit, wave, collab_teachers_pp, supportive_env_pp, "
        "student_attendance and economic_need as printed, and "
        "nyc_hs_2015_by_source/nyc_hs_2015_by_source.csv. Both were made from the School Quality "
        "Report workbooks of the New York City Department of Education, as kept in "
        "https://github.com/BroWang1/Data-Analysis-NYC-High-School-Quality-2014-to-2022. Name the "
        "folder that holds them as first argument."
    )
    raise SystemExit

# %%
# Text in numeric cells
# ---------------------
#
# Text is never turned into numbers behind your back. The error lists what it found and what would
# read it.

columns = {
    "unit": "unit",
    "wave": "wave",
    "employee": ["collab_teachers_pp"],
    "customer": ["supportive_env_pp", "student_attendance"],
    "covariates": ["economic_need"],
}
try:
    eecx.Panel.from_frame(yearly, **columns)
except eecx.DataError as error:
    print(error)

# %%
# ``Parse`` says how. What was done to how many cells stays on the record, the bounds of "> 95%"
# too: 0.95 is not the true value.
#
# The sources are declared as they are. "Collaborative Teachers" holds mostly teachers' answers and
# one measure that averages in students and parents; "Supportive Environment" is mostly students,
# with one measure of teachers. Attendance is counted.

parse = eecx.Parse(missing=["No Data", ".", "N<15"], percent="fraction", censored="bound")
panel = eecx.Panel.from_frame(
    yearly,
    **columns,
    parse=parse,
    source={
        "collab_teachers_pp": ["teachers", "students", "parents"],
        "supportive_env_pp": ["students", "teachers", "parents"],
        "student_attendance": "records",
    },
)
print(panel)
print(panel.audit.text_cells.to_string(index=False))

# %%
# The yearly elements share their sources
# ---------------------------------------

mixed = eecx.examine_claim(panel, x="collab_teachers_pp", y="supportive_env_pp")
print(mixed.summary())

# %%

eecx.plotting.save(mixed.plot(), "new_york_schools_ladder.png")

# %%
# Both rows are positive, and both are capped: some of the answers on the two sides are the same
# people's, so part of the slope may be theirs. In 2015 other questions were asked, and 2020 and
# 2021 are pandemic years; row 7 shows what leaving one wave out does. Nothing here speaks of order:
# each side goes with the other's next year about alike.
#
# One year with clean sources
# ---------------------------
#
# In the 2015 file each measure has one source. Teachers say whether they would recommend their
# school as a place to work; students and parents answer for themselves; attendance is on record. A
# single wave can answer row 1 only, and says so for the others.

clean = eecx.Panel.from_frame(
    by_source,
    unit="unit",
    employee=["t_school_commitment"],
    customer=["s_safety", "s_teacher_trust", "p_teacher_trust", "student_attendance"],
    covariates=["economic_need", "g8_math"],
    source={
        "t_school_commitment": "teachers",
        "s_safety": "students",
        "s_teacher_trust": "students",
        "p_teacher_trust": "parents",
        "student_attendance": "records",
    },
)
safety = eecx.examine_claim(clean, x="t_school_commitment", y="s_safety")
print(safety.verdicts()[1])
print(safety.verdicts()[2])

# %%
# For every outcome, with and without the two things that most plainly differ between schools: how
# poor their students are and how well they did in mathematics before they came.

rows = []
for outcome in clean.customer:
    for covariates in ("", " + economic_need + g8_math"):
        fit = eecx.regress(clean, f"{outcome} ~ t_school_commitment{covariates}", effects="between")
        row = fit["t_school_commitment"][["estimate", "conf_low", "conf_high"]]
        group = "with need and grade 8 mathematics" if covariates else "alone"
        rows.append({"term": outcome, "group": group, **row})
slopes = pd.DataFrame(rows)
print(slopes.round(3).to_string(index=False))

# %%
# Schools whose teachers would recommend them have students who feel safer, students and parents
# who trust teachers more, and better attendance. Two of the slopes shrink when intake is held
# constant, all stay above zero. These are differences between schools in one year: good schools may
# be good for both, and nothing here says which side, if any, came first.

figure = eecx.plotting.coefficients(
    slopes, caption="Share of positive answers per share of committed teachers, 2015; CR2."
).figure
eecx.plotting.save(figure, "new_york_schools_slopes.png")
