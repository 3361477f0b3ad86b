"""A process that does one analysis, against one that imports pandas."""

import subprocess
import sys

import pytest

DATA = """
import numpy as np
import eecx
rng = np.random.default_rng(1)
frame = pd.DataFrame(rng.normal(size=(400, 3)), columns=["x", "m", "y"]).assign(
    unit=np.repeat(np.arange(50), 8), wave=np.tile(np.arange(8), 50), a=rng.integers(0, 11, 400)
)
keys = {"unit": "unit", "wave": "wave"}
roles = {"employee": ["x", "m"], "customer": ["y"]}
"""
MEASURED = """
import time
start = time.perf_counter()
import pandas as pd
{code}
seconds = time.perf_counter() - start
lines = open("/proc/self/status").read().splitlines()
print(seconds, next(line for line in lines if line.startswith("VmHWM")).split()[1])
"""
ANALYSES = {
    "regress": 'eecx.regress(frame, "y ~ x", effects="within", **keys)',
    "claim": 'eecx.examine_claim(eecx.Panel.from_frame(frame, **keys, **roles), x="x", y="y")',
    "scores": 'eecx.Survey(frame, **keys, measures={"nps": eecx.NPS("a")}).scores()',
    "mediate": 'eecx.mediate(frame, "x", "m", "y", draws=1000)',
    "icc": 'eecx.icc(frame, "a", unit="unit")',
    "mixed": 'eecx.regress(frame, "y ~ x", effects="mixed", random="1", unit="unit")',
}


def process(code):
    """Return seconds and memory (MB) of a process, without the start of Python."""
    command = [sys.executable, "-W", "ignore", "-c", MEASURED.format(code=code)]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return float(found[0]), int(found[1]) / 1024


@pytest.mark.parametrize("name", ANALYSES)
def test_first_analysis_takes_at_most_twice_the_import_of_pandas(name, benchmark):
    pairs = [(process(DATA + ANALYSES[name]), process("")) for _ in range(7)]
    (ours, our_mb), (peer, peer_mb) = (
        tuple(min(pair[i][j] for pair in pairs) for j in (0, 1)) for i in (0, 1)
    )
    benchmark.extra_info |= {"ours_to_peer": ours / peer, "megabytes": our_mb, "peer": peer_mb}
    benchmark.pedantic(lambda: process(DATA + ANALYSES[name]), rounds=1)
    print(f"\nours {ours:.3f} s {our_mb:.0f} MB, pandas {peer:.3f} s {peer_mb:.0f} MB")
    assert ours <= 2 * peer
    assert our_mb <= 1.5 * peer_mb
