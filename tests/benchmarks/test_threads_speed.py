"""What resampling takes of the processor where the BLAS may use two threads, and where one."""

import os
import subprocess
import sys

import pytest

MEASURED = """
import time
import numpy as np
import pandas as pd
import eecx
rng = np.random.default_rng(1)
frame = pd.DataFrame(rng.normal(size=(3000, 10)), columns=[f"z{{i}}" for i in range(10)]).assign(
    unit=np.arange(3000) % 300, wave=np.arange(3000) // 300
)
keys = {{"unit": "unit", "wave": "wave", "cluster": "unit"}}
best = float("inf")
for _ in range(5):
    start = time.process_time()
    {code}
    best = min(best, time.process_time() - start)
print(best)
"""
SLOPES = " + ".join(f"z{i}" for i in range(1, 10))
ANALYSES = {
    "mediate": 'eecx.mediate(frame, "z0", ["z1", "z2"], "z3", **keys)',
    "rows": 'eecx.mediate(frame, "z0", "z1", "z2", draws=2000)',
    "wild": f'eecx.regress(frame, "z0 ~ {SLOPES}", effects="within", vcov="wild", **keys)',
    "webb": ('eecx.regress(frame, "z0 ~ z1", effects="within", vcov="wild", wild="webb", **keys)'),
}


def processor_seconds(code, threads):
    environment = os.environ | {"OPENBLAS_NUM_THREADS": str(threads)}
    command = [sys.executable, "-W", "ignore", "-c", MEASURED.format(code=code)]
    found = subprocess.run(
        command, capture_output=True, text=True, check=True, env=environment
    ).stdout
    return float(found)


@pytest.mark.skipif(os.cpu_count() == 1, reason="one processor: there is one thread")
@pytest.mark.parametrize("name", ANALYSES)
def test_threads_take_no_more_of_the_processor_than_one(name, benchmark):
    pairs = [[processor_seconds(ANALYSES[name], threads) for threads in (2, 1)] for _ in range(3)]
    two, one = (min(pair[i] for pair in pairs) for i in (0, 1))
    benchmark.extra_info |= {"two_threads": two, "one_thread": one, "ratio": two / one}
    benchmark.pedantic(lambda: processor_seconds(ANALYSES[name], 2), rounds=1)
    print(f"\nprocessor: two threads {two:.3f} s, one {one:.3f} s, ratio {two / one:.2f}")
    assert two <= 1.1 * one
