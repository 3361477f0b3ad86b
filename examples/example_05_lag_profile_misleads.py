"""
A lag profile can lean without any effect
=========================================

*Engagement goes with NPS a quarter later, but NPS does not go with engagement a quarter later. Does
engagement come first?* Not necessarily. Here are four simulated panels whose truth is known. In
three of them neither side affects the other.
"""

import pandas as pd
from matplotlib.figure import Figure

import eecx

# %%
# Four worlds
# -----------
#
# In every panel 200 units are followed over 8 waves. Shared shocks are causes that hit both sides
# of a unit in the same wave and that nobody measured: a new manager, a refurbishment, a bad winter.
# The two sides may forget them at different speed; what stays of a deviation a wave later is its
# *carry*.

worlds = {
    "nothing": {},
    "shared shocks, CX forgets slowly": {"shock_sd": 1.0, "carry_ex": 0.2, "carry_cx": 0.7},
    "shared shocks, EX forgets slowly": {"shock_sd": 1.0, "carry_ex": 0.7, "carry_cx": 0.2},
    "EX acts on CX a wave later": {"ex_to_cx": 0.4},
}


def panel_of(simulated):
    return eecx.Panel.from_frame(
        simulated.frame, unit="unit", wave="wave", employee="ex", customer="cx"
    )


profiles, truth = {}, {}
for name, options in worlds.items():
    simulated = eecx.simulate.panel(units=200, waves=8, rng=1, **options)
    truth[name] = simulated.truth["ex_to_later_cx"]
    profiles[name] = eecx.lag_profile(panel_of(simulated), "ex", "cx", lags=range(-3, 4))

table = pd.DataFrame({name: p.table.set_index("lag")["estimate"] for name, p in profiles.items()})
table.loc["true effect on later CX"] = truth
print(table.T.round(2).to_string())

# %%

figure = Figure(figsize=(10, 7), layout="constrained")
panels = figure.subplots(2, 2, sharey=True).flat
for axes, (name, profile) in zip(panels, profiles.items(), strict=True):
    row = profile.table
    axes.axhline(0, color="#8A8A8A", linewidth=0.9)
    axes.errorbar(
        row["lag"],
        row["estimate"],
        yerr=[row["estimate"] - row["conf_low"], row["conf_high"] - row["estimate"]],
        fmt="o",
        color=eecx.plotting.PALETTE["blue"],
    )
    axes.set_title(f"{name} (true effect {truth[name]:g})", loc="left", fontsize=10)
    axes.set_xlabel("lag: waves by which EX was measured before CX")
    axes.set_ylabel("slope of CX on EX")
    axes.spines[["top", "right"]].set_visible(False)
figure.suptitle("Slope of CX on EX at each lag, with unit and wave effects", fontsize=12)
eecx.plotting.save(figure, "lag_profiles_of_four_worlds.png")

# %%
# The second and the fourth panel both lean to the right: EX goes with later CX. In the fourth there
# is an effect, in the second there is none; CX merely remembers the common shock for longer. Swap
# the memories, and the profile leans to the left. A user of real data sees one such picture and
# cannot tell which world made it. This is why a lag profile gets no verdict.
#
# Mind the negative slopes at the edges too. In few waves a unit's own mean contains the very
# deviations one looks at, so an association in one wave pushes its neighbours below zero.
#
# Stable differences
# ------------------
#
# Unit effects take stable differences between units out of a lag profile. The older recipe, "CX on
# the EX of the wave before, given CX of the wave before", does not: rows 3 to 5 of the ladder. Here
# EX and CX are correlated between units, and nothing acts on anything. Sampling error is larger on
# the side of CX.

simulated = eecx.simulate.panel(units=200, waves=8, stable_cor=0.8, error_sd_cx=1.0, rng=1)
print(f"true effects: {simulated.truth['ex_to_later_cx']}, {simulated.truth['cx_to_later_ex']}")
evidence = eecx.examine_claim(panel_of(simulated), x="ex", y="cx")
print(evidence.ladder.loc[2:4, ["question", "std_estimate", "std_low", "std_high"]].to_string())

# %%
# Both cross slopes are far from zero, and even their difference is: it says that one side leads,
# which is false. Therefore these rows are described and get no verdict. What could tell is a model
# that separates stable differences from change, or a programme with a start date.
#
# The profile as eecx draws it, for the panel in which there is an effect:

drawn = profiles["EX acts on CX a wave later"].plot()
eecx.plotting.save(drawn.figure, "lag_profile_of_an_effect.png")
