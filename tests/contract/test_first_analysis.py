"""What the first analysis of a process loads: nothing that it does not need."""

import subprocess
import sys

import pytest

BEFORE = """
import sys
import numpy as np
import pandas as pd
import eecx
rng = np.random.default_rng(1)
frame = pd.DataFrame(rng.normal(size=(160, 3)), columns=["x", "m", "y"]).assign(
    unit=np.repeat(np.arange(20), 8), wave=np.tile(np.arange(8), 20),
    a=rng.integers(1, 6, 160), b=rng.integers(1, 6, 160),
)
people = frame.sample(frac=5, replace=True, random_state=1)
keys = {"unit": "unit", "wave": "wave"}
panel = eecx.Panel.from_frame(frame, **keys, employee=["x", "m"], customer=["y"])
staff = eecx.Survey(people, **keys, measures={"a": eecx.Mean("a", range=(1, 5))})
guests = eecx.Survey(people, **keys, measures={"b": eecx.Dispersion(eecx.Mean("b", range=(1, 5)))})
"""
AFTER = """
heavy = {"scipy.stats", "scipy.optimize", "matplotlib", "statsmodels"}
print(*(heavy & set(sys.modules)))
"""


def loaded(code):
    command = [sys.executable, "-W", "ignore", "-c", f"{BEFORE}{code}{AFTER}"]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(found.stdout.split())


def test_no_analysis_loads_what_it_does_not_need():
    analyses = """
staff.scores()
eecx.link(staff, guests)
eecx.aggregation(staff)
eecx.icc(frame, "a", unit="unit")
eecx.rwg(frame, ["a", "b"], unit="unit", range=(1, 5))
eecx.ad_index(frame, ["a", "b"], unit="unit")
eecx.alpha(frame, ["a", "b"])
eecx.split_half(frame, ["a", "b"])
eecx.correlations(frame, ["x", "m", "y"])
eecx.regress(frame, "y ~ x")
eecx.regress(frame, "y ~ x", effects="within", **keys).summary()
eecx.wald(eecx.regress(panel, "y ~ x + m", effects="two-way", vcov="CR2"), ["x", "m"])
eecx.regress(frame, "y ~ x", effects="mixed", random="1", unit="unit")
eecx.errors_in_variables(frame, "y ~ x", reliability={"x": 0.9})
eecx.mediate(frame, "x", "m", "y", draws=100)
eecx.lag_profile(panel, "x", "y")
eecx.examine_claim(panel, x="x", y="y").summary()
"""
    assert loaded(analyses) == set()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "needed"),
    [
        ("eecx.regress(panel, 'y ~ x').plot()", "matplotlib"),
        ("eecx.regress(frame.assign(y=frame.y > 0), 'y ~ x', family='binomial')", "statsmodels"),
    ],
)
def test_what_is_needed_is_loaded(code, needed):
    assert needed in loaded(code)
