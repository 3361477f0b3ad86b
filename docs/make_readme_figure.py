"""Draw the figure of the README: the ladder of the demo.

``python docs/make_readme_figure.py`` writes docs/_static/readme.png, under 200 KB.
"""

import io
from pathlib import Path

from PIL import Image

import eecx

chain = eecx.simulate.retail_chain()
engagement = eecx.Scale(["e1", "e2", "e3", "e4_reversed"], range=(1, 5), reverse=["e4_reversed"])
staff = eecx.Survey(
    chain.employees, unit="store", wave="quarter", measures={"engagement": engagement}
)
guests = eecx.Survey(
    chain.customers,
    unit="store",
    wave="quarter",
    measures={"nps": eecx.NPS("recommend"), "csat": eecx.TopBox("csat")},
)
evidence = eecx.examine_claim(
    eecx.link(staff, guests),
    x="engagement",
    y="nps",
    mediators=["csat"],
    smallest_effect={1: 5.0, 2: 2.0},
)
picture = Image.open(io.BytesIO(eecx.plotting.render(evidence.plot(), "png"))).convert("RGB")
few_colours = picture.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
target = Path(__file__).parent / "_static" / "readme.png"
few_colours.save(target, optimize=True)
print(f"{target.name}: {target.stat().st_size / 1024:.0f} KB")
