"""
A retail chain: from two surveys to an examined claim
=====================================================

*Does engagement drive NPS in a chain of 120 stores?* Employees and customers were asked every
quarter for two years. The data are simulated, so that we know what the answer should be; this is
``eecx demo`` as a script.
"""

# sphinx_gallery_thumbnail_number = 2

import tempfile
from pathlib import Path

import eecx

chain = eecx.simulate.retail_chain()
print(chain.employees.head(3).to_string(index=False))
print(chain.customers.head(3).to_string(index=False))

# %%
# Two surveys
# -----------
#
# One row per respondent. A survey says which column names the unit, which the wave, and which
# columns make which measure. ``e4_reversed`` is worded the other way; waiting is better when it
# is short.

staff = eecx.Survey(
    chain.employees,
    unit="store",
    wave="quarter",
    measures={
        "engagement": eecx.Scale(
            ["e1", "e2", "e3", "e4_reversed"], range=(1, 5), reverse=["e4_reversed"]
        ),
        "leadership": eecx.Scale(["leader1", "leader2"], range=(1, 5)),
    },
)
guests = eecx.Survey(
    chain.customers,
    unit="store",
    wave="quarter",
    measures={
        "nps": eecx.NPS("recommend"),
        "csat": eecx.TopBox("csat", top=2, range=(1, 5)),
        "wait": eecx.Mean("wait_minutes", better="lower"),
    },
)

# %%
# A score is never without its precision. ``variance`` is the sampling variance of the value, and
# cells with fewer than five respondents are withheld.

columns = ["store", "quarter", "measure", "n", "value", "std_error", "conf_low", "conf_high"]
print(guests.scores()[columns].head(3).to_string(index=False, float_format="{:.2f}".format))

# %%
# One panel
# ---------
#
# Linking pairs stores and quarters and keeps an account of every loss.

panel = eecx.link(staff, guests, covariates=chain.stores[["store", "size"]])
print(panel)
print(panel.audit.summary())

# %%

eecx.plotting.save(panel.audit.plot_coverage().figure, "retail_chain_coverage.png")

# %%
# The claim
# ---------
#
# What would be large enough to matter is said before the slopes are looked at: 5 NPS points per
# point of engagement between stores, 2 points within stores over time.

evidence = eecx.examine_claim(
    panel,
    x="engagement",
    y="nps",
    mediators=["csat"],
    smallest_effect={1: 5.0, 2: 2.0},
)
print(evidence.summary())

# %%

eecx.plotting.save(evidence.plot(), "retail_chain_ladder.png")

# %%

eecx.plotting.save(evidence.plot_linkage(), "retail_chain_linkage.png")

# %%
# What the truth is
# -----------------
#
# The simulation knows the slopes that measures without sampling error would show.

for key in ("nps_per_engagement_between", "nps_per_engagement_fixed_effects"):
    print(f"{key}: {chain.truth[key]:.1f}")

# %%
# Between stores the truth lies in the interval. Within stores over time there *is* an association,
# and these data do not resolve it: with some 13 employees per store and quarter the reliability of
# change is about 0.3, which flattens the slope to a third. "Not resolved" means just that. It is
# not "no effect", and the note says from which slope on it would probably have been seen.
#
# A dossier
# ---------
#
# Everything goes into a folder: one page that opens offline, figures, tables, and what made them.

page = eecx.report(evidence, Path(tempfile.mkdtemp()) / "dossier", title="Engagement and NPS")
print("\n".join(sorted(path.name for path in page.parent.iterdir())))
