"""The tests of panels that every engine passes, with rows held by Spark."""

from pathlib import Path
from runpy import run_path

TESTS = Path(__file__).parents[1]

for file in ("contract/test_panel_contract.py", "contract/test_link_contract.py"):
    borrowed = run_path(str(TESTS / file))
    globals().update({n: v for n, v in borrowed.items() if not n.startswith("__")})
