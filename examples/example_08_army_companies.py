"""
Army companies: may leadership be averaged?
===========================================

*Soldiers rate the leadership of their company. Is the mean of a company's ratings a fact about the
company?* Three questions hide in this one: do its people agree, do companies differ, and how
exact is the mean? The usual index answers the first with "strongly". It says so whatever the
soldiers answer.
"""

import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

import eecx

shared = Path(os.environ.get("EECX_SHARED", ""))
folder = Path(sys.argv[1]) if len(sys.argv) > 1 else shared / "data"
files = [folder / name / f"{name}.csv" for name in ("army_lq2002", "army_bh1996")]
if not all(file.exists() for file in files):
    print(
        "This example reads army_lq2002/army_lq2002.csv and army_bh1996/army_bh1996.csv, one row "
        "per soldier: unit (the company), lead01 to lead11 (1 to 5) in the first; unit, "
        "leadership, cohesion, wellbeing and work_hours in the second. They are the data sets "
        "lq2002 and bh1996 of the R package multilevel (https://cran.r-project.org/package="
        "multilevel; Bliese and Halverson, 1996; Leadership Quarterly 13, 2002). Name the folder "
        "that holds them as first argument."
    )
    raise SystemExit

soldiers, others = (pd.read_csv(file) for file in files)
items = [f"lead{i:02}" for i in range(1, 12)]
print(
    f"{len(soldiers)} soldiers in {soldiers['unit'].nunique()} companies of "
    f"{soldiers['unit'].value_counts().min()} to {soldiers['unit'].value_counts().max()}"
)

# %%
# Do they agree?
# --------------
#
# r_wg(j) compares the variance of a company's answers with the variance that answers without any
# agreement would have. Everything hangs on the latter, the *null*. The uniform one supposes that
# soldiers without a shared view use all five options alike. The skewed ones allow that people tend
# to be somewhat kind, or not quite so critical, without agreeing on anything.

agreed = eecx.rwg(
    soldiers, items, unit="unit", range=(1, 5), null=("uniform", "slight skew", "moderate skew")
)
columns = ["index", "null", "estimate", "median", "minimum", "maximum", "null_variance", "clipped"]
print(agreed.table[columns].round(2).to_string(index=False))
print(agreed.tables["bands"].to_string(index=False, float_format="{:.2f}".format))

# %%

eecx.plotting.save(agreed.plot().figure, "army_agreement.png")

# %%
# Under the uniform null all 49 companies agree strongly or very strongly. Under a slight skew the
# mean is 0.41, and in a third of the companies (16) answers vary *more* than without agreement:
# they count as 0. Under a moderate skew 44 do. Same answers, same companies. Nobody knows which
# null is right; a report of the first line alone would be a choice.
#
# One null is known: how the soldiers of all companies answer, taken together.

everybody = float(soldiers[items].var(ddof=1).mean())
own = eecx.rwg(soldiers, items, unit="unit", range=(1, 5), null=everybody)
print(own.table[columns].round(2).to_string(index=False))

# %%
# The variance of all soldiers is 1.33, next to that of the slight skew. Against it the variance of
# a company is lower by a tenth or so on average (r*_wg(j), which the number of items does not
# stretch). People of one company are nearly as unlike as people of different companies.
#
# Why r_wg(j) is high
# -------------------
#
# It also rises with the number of items, as the reliability of a sum does. Here the *same* item is
# taken one to eleven times. The soldiers agree no more on it the eleventh time.

sizes = list(range(1, 12))
rng = np.random.default_rng(1)


def means_of(chosen):
    """Mean of r_wg(j), and of Lindell's form, over companies, under the uniform null."""
    copies = pd.DataFrame({f"q{i}": soldiers[name] for i, name in enumerate(chosen)})
    found = eecx.rwg(
        copies.assign(unit=soldiers["unit"]),
        list(copies),
        unit="unit",
        range=(1, 5),
        null="uniform",
    )
    return found.table["estimate"].iloc[[0, -1]].to_numpy()


same = np.array([means_of(["lead01"] * k) for k in sizes])
drawn = np.array(
    [
        np.mean([means_of(rng.choice(items, k, replace=False)) for _ in range(8)], axis=0)
        for k in sizes
    ]
)
table = pd.DataFrame(
    {
        "items": sizes,
        "r_wg(j), one item repeated": same[:, 0],
        "r_wg(j), different items": drawn[:, 0],
        "r*_wg(j), different items": drawn[:, 1],
    }
)
print(table.iloc[[0, 1, 2, 4, 10]].round(2).to_string(index=False))

# %%

palette = eecx.plotting.PALETTE
figure = Figure(figsize=(7.2, 4.2), layout="constrained")
axes = figure.subplots()
axes.axhline(0.7, color="#8A8A8A", linewidth=0.9, linestyle=(0, (4, 3)))
axes.text(11, 0.68, "customary .70", ha="right", va="top", fontsize=9, color="#5F5F5F")
looks = [("vermillion", "s", "--"), ("blue", "o", "-"), ("green", "^", "-")]
for name, (colour, marker, line) in zip(table.columns[1:], looks, strict=True):
    axes.plot(sizes, table[name], linestyle=line, marker=marker, color=palette[colour], label=name)
axes.set_xlabel("number of items")
axes.set_ylabel("mean over 49 companies, uniform null")
axes.set_ylim(0, 1)
axes.set_xticks(sizes)
axes.spines[["top", "right"]].set_visible(False)
axes.legend(frameon=False, loc="lower right", bbox_to_anchor=(1, 0.06), fontsize=9)
axes.set_title("Longer scales agree more, by arithmetic", loc="left", fontsize=12)
eecx.plotting.save(figure, "army_number_of_items.png")

# %%
# With eleven items, an r_wg(j) above .70 under the uniform null is hard to miss. Two indices that
# the number of items does not lift: AD, in points of the scale, and a_wg, whose yardstick is the
# most that people with this mean could disagree.

survey = eecx.Survey(
    soldiers,
    unit="unit",
    measures={"leadership": eecx.Scale(items, range=(1, 5), composition="direct consensus")},
)
found = eecx.aggregation(survey)
shown = ["index", "null", "estimate", "conf_low", "conf_high", "minimum", "maximum"]
print(found.table[shown].round(2).to_string(index=False, na_rep=""))

# %%
# A soldier is 0.84 points off the company's median on average, and the customary limit for five
# options is 5/6 = 0.83: somewhat less than half of the companies keep it. a_wg has a mean of 0.38,
# where 0 is what uniform answers give. (alpha is about persons: how well the items hang together.)
#
# Do companies differ?
# --------------------
#
# ICC(1) asks how much of the variance of single ratings lies between companies: 9%, with an
# interval from 6% to 14%. That is a usual figure for attitudes, and not nothing: had companies
# been made up by lot, their soldiers would differ more than they do.

lots = eecx.random_groups(soldiers, "lead", unit="unit", draws=999, rng=1)
print(lots.table[["estimate", "statistic", "p_value", "random_mean", "random_sd"]].to_string())
eecx.plotting.save(lots.plot().figure, "army_random_companies.png")

# %%
# So belonging to a company matters. It matters little for what one soldier says.
#
# How exact is a company's mean?
# ------------------------------
#
# A company has 42 soldiers on average. That is why ICC(2), the reliability of a mean, is 0.80
# although ICC(1) is 0.09. It depends on the number who answered: for a company of ten soldiers it
# is another matter.

within = eecx.icc(soldiers, "lead", unit="unit")
units = within.tables["units"].sort_values("mean").reset_index(drop=True)
small, large = units.loc[units["n"].idxmin()], units.loc[units["n"].idxmax()]
for row in (small, large):
    print(f"{row['n']:.0f} soldiers: reliability of the mean {row['reliability']:.2f}")
t = eecx.reliability(survey).table.iloc[0]
print(
    f"companies as they are, each counting once: {t['estimate']:.2f} "
    f"({t['conf_low']:.2f} to {t['conf_high']:.2f}); "
    f"{t['respondents_needed']:.0f} soldiers each would give .70"
)

# %%

few = units["n"] < 20
middle = np.average(units["mean"], weights=units["n"])
print(f"{few.sum()} companies below 20, {(units.loc[few, 'mean'] > middle).sum()} above the mean")
figure = Figure(figsize=(7.2, 4.6), layout="constrained")
axes = figure.subplots()
scatter = np.sqrt(within.stats["sigma2"] / units["n"])
axes.axhline(middle, color="#8A8A8A", linewidth=0.9)
for chosen, colour, marker, label in (
    (few, "vermillion", "s", "fewer than 20 soldiers"),
    (~few, "blue", "o", "20 soldiers or more"),
):
    axes.errorbar(
        units.index[chosen],
        units.loc[chosen, "mean"],
        yerr=1.96 * scatter[chosen],
        fmt=marker,
        markersize=4.5,
        linewidth=1.1,
        color=palette[colour],
        label=label,
    )
axes.set_xlabel("companies, by their mean")
axes.set_ylabel("leadership, mean and 95% sampling interval")
axes.set_xticks([])
axes.spines[["top", "right"]].set_visible(False)
axes.legend(frameon=False, loc="upper left", fontsize=9)
axes.set_title("A mean is as exact as its soldiers are many", loc="left", fontsize=12)
eecx.plotting.save(figure, "army_company_means.png")

# %%
# The ends of the ranking can be told apart, neighbours cannot. Three of the best five are companies
# with few soldiers, whose means are the least exact. And small companies lie above the line more
# often than below: size goes with the ratings themselves, for reasons that are not in these data.
# (Not sampling error: that would put them on both sides alike.)
#
# A second army
# -------------
#
# Ninety-nine companies, 7,382 soldiers, scale scores only. ICC(1) by analysis of variance takes
# the unequal sizes into account by k0; R's multilevel package prints it with the average size. A
# mixed model gives small companies more weight, and finds more variance between companies for
# leadership: the small ones differ more from one another than the large ones.

measures = ["work_hours", "leadership", "cohesion", "wellbeing"]
rows = []
for name in measures:
    icc = eecx.icc(others, name, unit="unit")
    one = icc["ICC(1)"]
    rows.append(
        {
            "measure": name,
            "ICC(1)": one["estimate"],
            "low": one["conf_low"],
            "high": one["conf_high"],
            "as in R": icc["ICC(1), average size"]["estimate"],
            "mixed": icc["ICC(1), REML"]["estimate"],
            "ICC(2)": icc["ICC(2)"]["estimate"],
        }
    )
print(pd.DataFrame(rows).round(3).to_string(index=False))

# %%
# The means of companies are reliable throughout. Are they also free of what one questionnaire does
# with itself? Leadership and well-being were answered by the same soldiers. Below, each is taken
# from another random half of a company.

both = eecx.Survey(others, unit="unit", measures={name: eecx.Mean(name) for name in measures})
halves = eecx.split_sample(both, "leadership", "wellbeing", splits=100, rng=1)
print(halves.table.loc[:2, ["term", "version", "estimate"]].round(2).to_string(index=False))

# %%
# With half of the soldiers the correlation of company means is 0.57 if the same ones answer both,
# and 0.46 if nobody does. The difference is what persons carry from one answer to the next. What
# is left is no effect of leadership: both halves live in the same company.
#
# What can be said
# ----------------
#
# - *As a view that a company shares* (direct consensus), leadership is not well founded. Whether an
#   index says "strong" or "none" is decided by the choice of a null, and against the answers of all
#   soldiers little agreement is left. To drop the companies with low values would not help: it
#   would select on the very thing that is studied.
# - *As the average of what soldiers say* (additive), the mean is a fair measure of most companies
#   and a rough one of the small. It needs no agreement. What a single soldier thinks does not
#   follow from it.
# - *Over time* nothing can be said: there is one wave. The reliability of change is as a rule much
#   lower than that of means.
