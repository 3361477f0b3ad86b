"""The tests of scores that every engine passes, with rows held by Spark."""

from pathlib import Path
from runpy import run_path

TESTS = Path(__file__).parents[1]

for file in ("identity/test_survey_scores.py", "contract/test_survey_contract.py"):
    borrowed = run_path(str(TESTS / file))
    globals().update({n: v for n, v in borrowed.items() if not n.startswith("__")})
