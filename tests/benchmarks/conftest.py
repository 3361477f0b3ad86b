"""Speed as a ratio to a peer in the same run.

pip install ".[test,bench]" && pytest -n 0 tests/benchmarks
"""

import time
from collections.abc import Callable

import pytest


@pytest.fixture
def ratio(benchmark) -> Callable[..., float]:
    """Time ours with pytest-benchmark and a peer beside it; return ours / peer, best of each."""

    def measure(
        ours: Callable[[], object],
        peer: Callable[[], object],
        rounds: int = 5,
        peer_rounds: int = 3,
    ):
        ours()
        best = float("inf")
        for _ in range(peer_rounds):
            start = time.perf_counter()
            peer()
            best = min(best, time.perf_counter() - start)
        benchmark.pedantic(ours, rounds=rounds, iterations=1)
        found = benchmark.stats.stats.min / best
        benchmark.extra_info |= {"peer_seconds": best, "ours_to_peer": found}
        print(
            f"\nours {benchmark.stats.stats.min:.4f} s, peer {best:.4f} s, ours / peer {found:.3f}"
        )
        return found

    return measure
