"""The tests of Moments that every engine passes, with rows held by Spark."""

from pathlib import Path
from runpy import run_path

TESTS = Path(__file__).parents[1]

for file in ("identity/test_moments_engines.py", "contract/test_moments_contract.py"):
    borrowed = run_path(str(TESTS / file))
    globals().update({n: v for n, v in borrowed.items() if not n.startswith("__")})
