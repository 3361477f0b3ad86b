"""
Mediation: the level and the wave decide
========================================

*Through what does employee experience reach customers?* A mediation splits a slope into a part that
runs through a mediator and a part that does not. The same data can give opposite splits between
units and within units over time, and a split inside one wave cannot see a path that takes time. The
data are simulated: the paths are known.
"""

# sphinx_gallery_thumbnail_number = 2

import pandas as pd

import eecx
from eecx.simulate import Mediator


def panel_of(simulated):
    return eecx.Panel.from_frame(
        simulated.frame, unit="unit", wave="wave", employee=["ex", "m"], customer=["cx"]
    )


def show(result):
    columns = ["effect", "estimate", "conf_low", "conf_high"]
    print(result.table[columns].round(2).to_string(index=False))


# %%
# A mediator that works inside the wave
# -------------------------------------
#
# Over time EX moves m (path a = 0.5) and m moves CX (path b = 0.4), in the same wave; so the
# indirect effect is 0.2 and there is no other. Between units EX and CX are correlated for reasons
# of their own, and m has no part in it.

simulated = eecx.simulate.panel(
    units=150,
    waves=6,
    stable_cor=0.6,
    stable_sd_ex=2.0,
    stable_sd_cx=2.0,
    carry_ex=0.0,
    carry_cx=0.0,
    mediator=Mediator(a=0.5, b=0.4, lag=0, carry=0.0),
    rng=6,
)
panel = panel_of(simulated)
over_time = eecx.mediate(panel, "ex", "m", "cx", effects="two-way", draws=2000, rng=1)
show(over_time)

# %%

eecx.plotting.save(over_time.plot().figure, "mediation_over_time.png")

# %%
# Within units over time the indirect effect is found, and the interval of the direct effect
# includes zero. Between units the picture is reversed: a large direct slope and hardly anything
# through m.

between = eecx.mediate(panel, "ex", "m", "cx", effects="between", draws=2000, rng=1)
show(between)

# %%
# A pooled analysis mixes the two into numbers that are true of neither.

pooled = eecx.mediate(panel, "ex", "m", "cx", effects="pooled", draws=2000, rng=1)
levels = {"between units": between, "within units over time": over_time, "pooled": pooled}
rows = [
    {"term": effect, "group": level, **found[effect][["estimate", "conf_low", "conf_high"]]}
    for effect in ("indirect", "direct", "total")
    for level, found in levels.items()
]
figure = eecx.plotting.coefficients(
    pd.DataFrame(rows), caption="True over time: indirect 0.2, direct 0."
).figure
eecx.plotting.save(figure, "mediation_by_level.png")

# %%
# A mediator that takes time
# --------------------------
#
# Now each leg takes a wave: EX moves the next wave's m, and m the next wave's CX. The indirect
# effect is again 0.2. A split inside the wave finds next to nothing; its paths lie a little below
# zero, because in few waves a unit's mean contains the deviations that come later. It says what it
# cannot say.

slow = panel_of(
    eecx.simulate.panel(
        units=150,
        waves=8,
        carry_ex=0.0,
        carry_cx=0.0,
        mediator=Mediator(a=0.5, b=0.4, lag=1, carry=0.0),
        rng=6,
    )
)
same_wave = eecx.mediate(slow, "ex", "m", "cx", effects="two-way", draws=2000, rng=1)
show(same_wave)
print(same_wave.warnings[0].message)

# %%
# With lags as terms the path is found: EX two waves before, m one wave before.

ordered = eecx.mediate(slow, "lag(ex, 2)", "lag(m)", "cx", effects="two-way", draws=2000, rng=1)
show(ordered)

# %%
# That it is found here owes to a simulation in which nothing else goes on. With shared shocks the
# lagged split leans as a lag profile does (see the example on lag profiles), and neither the
# mediator's nor the outcome's own past is held constant. It is an ordered description, and
# ``examine_claim`` gives it no verdict.

eecx.plotting.save(ordered.plot().figure, "mediation_in_order.png")
