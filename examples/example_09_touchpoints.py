"""
Touchpoints: the worst, and consistency
=======================================

*"One lapse loses the customer", "consistency creates confidence".* Both sayings are about the
touchpoints of a unit: its worst one, and how much they differ. Here is what sampling error does to
such scores, on simulated chains whose truth is known. The least of several rough figures lies too
low, few answers look bad, and mean, worst and consistency are hard to tell apart.
"""

# sphinx_gallery_thumbnail_number = 2

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

import eecx

# %%
# Chains with known truth
# -----------------------
#
# Stores have four touchpoints, each with a level of its own on a scale from 0 to 10. In a *steady*
# chain the levels of a store are nearly alike. In a chain *with lapses* one touchpoint in seven is
# 1.5 points lower. Customers answer about one touchpoint, spread around its level with an SD of
# 1.8.

places = ["sales floor", "checkout", "online", "complaints"]
palette = eecx.plotting.PALETTE


def chain(answers, *, lapses=0.0, stores=400, seed=1):
    """True levels, store by touchpoint, and customers' answers; ``answers`` per touchpoint."""
    rng = np.random.default_rng(seed)
    levels = 6.5 + 0.6 * rng.standard_normal((stores, 1)) + 0.3 * rng.standard_normal((stores, 4))
    levels -= 1.5 * (rng.random((stores, 4)) < lapses)
    store, place = np.divmod(np.repeat(np.arange(4 * stores), np.tile(answers, stores)), 4)
    said = levels[store, place] + 1.8 * rng.standard_normal(len(store))
    customers = pd.DataFrame(
        {
            "store": store,
            "touchpoint": np.array(places)[place],
            "satisfied": np.clip(np.rint(said), 0, 10),
        }
    )
    return levels, customers


satisfied = eecx.Mean("satisfied", range=(0, 10))


def survey_of(customers):
    return eecx.Survey(
        customers,
        unit="store",
        touchpoint="touchpoint",
        measures={
            "mean": eecx.AcrossTouchpoints(satisfied),
            "worst": eecx.AcrossTouchpoints(satisfied, how="worst"),
            "inconsistency": eecx.AcrossTouchpoints(satisfied, how="dispersion", better="lower"),
            "people": eecx.Dispersion(satisfied, better="lower"),
        },
    )


def scored(survey):
    """Scores per store, with the plain minimum and SD of the touchpoints beside them."""
    scores = survey.scores(by=()).pivot(index="store", columns="measure", values="value")
    each = survey.scores()
    each = each[each["measure"] == "mean"]
    each = each.pivot(index="store", columns="touchpoint", values="value")[places]
    return scores.assign(plain_worst=each.min(axis=1), plain_sd=each.std(axis=1)), each


def truth_of(levels):
    return pd.DataFrame(
        {
            "mean": levels.mean(axis=1),
            "worst": levels.min(axis=1),
            "inconsistency": levels.std(axis=1, ddof=1),
        }
    )


# %%
# The worst of four lies too low
# ------------------------------
#
# The touchpoint that comes out lowest is low in part because it was unlucky in who answered.
# ``AcrossTouchpoints(…, how="worst")`` estimates this bias and takes it off. How far below the
# store's mean is the worst touchpoint, on average over stores?

rows = []
for name, lapses in (("steady", 0.0), ("with lapses", 1 / 7)):
    for n in (5, 10, 20, 40, 80):
        levels, customers = chain([n] * 4, lapses=lapses, seed=n)
        scores, _ = scored(survey_of(customers))
        truth = truth_of(levels)
        rows.append(
            {
                "chain": name,
                "answers": n,
                "true": (truth["worst"] - truth["mean"]).mean(),
                "plain minimum": (scores["plain_worst"] - scores["mean"]).mean(),
                "how='worst'": (scores["worst"] - scores["mean"]).mean(),
                "SD true": truth["inconsistency"].mean(),
                "SD plain": scores["plain_sd"].mean(),
                "SD net": scores["inconsistency"].mean(),
                "net is 0": (scores["inconsistency"] == 0).mean(),
            }
        )
bias = pd.DataFrame(rows)
print(bias.round(2).to_string(index=False))

# %%

figure = Figure(figsize=(8.4, 4), layout="constrained")
for axes, (name, own) in zip(
    figure.subplots(1, 2, sharey=True), bias.groupby("chain", sort=False), strict=True
):
    looks = [("black", "", "-"), ("vermillion", "s", "--"), ("blue", "o", "-")]
    for column, (colour, marker, line) in zip(own.columns[2:5], looks, strict=True):
        axes.plot(
            own["answers"],
            own[column],
            marker=marker,
            linestyle=line,
            color=palette[colour],
            label=column,
        )
    axes.set_xscale("log")
    axes.set_xticks(own["answers"], [str(n) for n in own["answers"]])
    axes.minorticks_off()
    axes.set_title(name, loc="left", fontsize=11)
    axes.set_xlabel("answers per touchpoint")
    axes.spines[["top", "right"]].set_visible(False)
figure.axes[0].set_ylabel("worst touchpoint less the store's mean")
figure.axes[1].legend(frameon=False, loc="lower right", fontsize=9)
eecx.plotting.save(figure, "worst_touchpoint_bias.png")

# %%
# With ten answers the plain minimum of a steady chain lies more than twice as far below the mean as
# the true worst does. The corrected score removes most of the bias, not all: it must take the
# touchpoints for as different as they look, and sampling error makes them look different. Where
# they are truly alike it removes less than half. The only cure is answers.
#
# The same goes for inconsistency. The plain SD over touchpoints is far too large. Net of sampling
# error it is a little too small on average, and in a single store it is often 0, which says "no
# more than chance", not "consistent".
#
# Few answers look bad
# --------------------
#
# Touchpoints differ in how many customers answer. Here 60 speak of the sales floor and six of the
# handling of complaints, in a steady chain in which each touchpoint is the worst equally often.

levels, customers = chain([60, 60, 20, 6], stores=2000)
_, each = scored(survey_of(customers))
worst = pd.DataFrame(
    {
        "answers": [60, 60, 20, 6],
        "truly the worst": np.bincount(levels.argmin(axis=1), minlength=4) / len(levels),
        "comes out worst": np.bincount(each.to_numpy().argmin(axis=1), minlength=4) / len(levels),
        "comes out best": np.bincount(each.to_numpy().argmax(axis=1), minlength=4) / len(levels),
    },
    index=places,
)
print(worst.round(2).to_string())
right = (levels.argmin(axis=1) == each.to_numpy().argmin(axis=1)).mean()
print(f"stores whose worst touchpoint is named rightly: {right:.2f}")

# %%
# Complaints come out worst in more stores than they should, and best as well. Of the stores that
# are told "this is your weakest touchpoint", half are sent to the wrong place. Look at the scores
# per touchpoint with their intervals, ``survey.scores()``, before naming one.
#
# What drives customers' loyalty?
# -------------------------------
#
# Three worlds with lapses. In each, the share of customers who come back, taken from records, hangs
# on one thing only: on the true mean, on the true worst touchpoint, or on the true inconsistency.
# Then a regression with the mean and one of the others, as one would run it. First with the true
# scores, then with those from 20 answers per touchpoint.

levels, customers = chain([20] * 4, lapses=1 / 7, seed=2)
survey = survey_of(customers)
truth, (scores, _) = truth_of(levels), scored(survey)
slopes = {"mean": 6.0, "worst": 6.0, "inconsistency": -6.0}
chance = np.random.default_rng(3)
lines = []
for drives, slope in slopes.items():
    back = 50 + slope * (truth[drives] - truth[drives].mean())
    back += 3 * chance.standard_normal(len(back))
    for other in ("worst", "inconsistency"):
        for group, table in (("true scores", truth), ("20 answers", scores)):
            fit = eecx.regress(table.assign(back=back.to_numpy()), f"back ~ mean + {other}")
            for name in ("mean", other):
                row = fit[name]
                lines.append(
                    {
                        "world": drives,
                        "model": f"mean + {other}",
                        "term": name,
                        "group": group,
                        **row[["estimate", "conf_low", "conf_high"]],
                    }
                )
race = pd.DataFrame(lines)
shown = race.pivot(index=["world", "model", "term"], columns="group", values="estimate")
print(shown[["true scores", "20 answers"]].loc[list(slopes)].astype(float).round(1).to_string())

# %%

horse = race[race["model"] == "mean + worst"]
figure = eecx.plotting.coefficients(
    horse.assign(term=horse["world"] + " drives: " + horse["term"]),
    caption="Slopes of return rate on mean and worst touchpoint, in one regression.",
).figure
eecx.plotting.save(figure, "worst_or_mean.png")

# %%
# Where the mean drives, all is well: the worst adds nothing, and is found to add nothing. Where the
# worst drives, the true scores say so. The observed ones share the effect out between worst and
# mean, because the worst of four is measured less well than their mean: what its noise takes off
# its slope, the mean picks up. A race between two predictors is won by the more reliable one.
#
# And a world of one saying passes for a world of the other. Where the worst drives, inconsistency
# has a slope given the mean; where inconsistency drives, the worst has one. Given the mean, a store
# with a bad worst touchpoint *is* an inconsistent store. These data cannot tell the two sayings
# apart, and hardly any could.

reliable = eecx.reliability(survey).table.set_index("measure")["estimate"]
for name in slopes:
    r = np.corrcoef(scores[name], truth[name])[0, 1]
    print(f"{name:14} reliability {reliable[name]:.2f}, squared correlation with truth {r**2:.2f}")

# %%
# Reliability of the mean can be told from the data alone. Those of worst and inconsistency are
# rough, as their sampling variances are approximations: take them for an upper limit.
#
# Consistency without the mean
# ----------------------------
#
# The same three worlds, when somebody asks only whether inconsistent stores lose customers.
# ``people`` is another inconsistency: how much all customers of a store differ from one another.

rows = []
for drives, slope in slopes.items():
    back = 50 + slope * (truth[drives] - truth[drives].mean())
    back += 3 * chance.standard_normal(len(back))
    frame = scores.assign(back=back.to_numpy())
    for name in ("inconsistency", "people"):
        for formula in (f"back ~ {name}", f"back ~ {name} + mean"):
            row = eecx.regress(frame, formula)[name]
            rows.append(
                {
                    "world": drives,
                    "formula": formula,
                    f"slope of {name}": row["estimate"],
                    "low": row["conf_low"],
                    "high": row["conf_high"],
                }
            )
table = pd.DataFrame(rows)
table["slope"] = table["slope of inconsistency"].fillna(table["slope of people"])
print(table[["world", "formula", "slope", "low", "high"]].round(1).to_string(index=False))

# %%
# In the first world consistency does nothing, and inconsistent stores lose customers: a lapse makes
# a store inconsistent *and* lowers its mean. With the mean held constant this goes away. ``people``
# follows the touchpoints, since people who speak of different touchpoints differ; it says nothing
# about whether one touchpoint is steady.
#
# What can be said
# ----------------
#
# - Score the worst touchpoint with its bias taken off, say how many answers stand behind it, and do
#   not name the worst of a store whose intervals overlap.
# - Hold the mean constant before saying anything about consistency.
# - A slope of the worst beyond the mean is a sign for the saying, understated by noise. That the
#   mean has a slope too is no sign against it.
# - Worst and inconsistency given the mean are one finding, not two.
