"""Run the Python of the pages and compare what it prints with what the pages show.

``python docs/run_pages.py`` compares and returns 1 where a page is out of date; ``--write`` puts
what is printed now into the pages. Names of pages may follow.

Blocks fenced as ``python`` run, page by page, in one namespace and a folder of its own. A ``text``
block right below shows what its Python block prints. ``{code-block} python`` is not run.
"""

import contextlib
import io
import os
import re
import sys
import tempfile
import warnings
from pathlib import Path

PAGES = sorted(Path(__file__).parent.glob("*.md"))
BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.DOTALL | re.MULTILINE)


def printed(source: str, names: dict[str, object]) -> str:
    """Return what a block prints."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(source, names)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def renewed(page: Path) -> str:
    """Return the page with the output of today."""
    names: dict[str, object] = {}

    def replaced(block: re.Match[str]) -> str:
        source, shown = block.groups()
        now = printed(source, names)
        if shown is None:
            if now.strip():
                raise SystemExit(f"{page.name}: no text block is below this block:\n{source}")
            return block[0]
        return f"```python\n{source}```\n\n```text\n{now}```\n"

    here = os.getcwd()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("error")
        os.chdir(folder)
        try:
            return BLOCK.sub(replaced, page.read_text(encoding="utf-8"))
        finally:
            os.chdir(here)


def main() -> int:
    """Compare or write all pages."""
    os.environ.setdefault("MPLBACKEND", "Agg")
    wanted = [name for name in sys.argv[1:] if not name.startswith("-")]
    stale = []
    for page in PAGES:
        if wanted and page.name not in wanted:
            continue
        text = renewed(page)
        if text != page.read_text(encoding="utf-8"):
            stale.append(page.name)
            if "--write" in sys.argv:
                page.write_text(text, encoding="utf-8")
    print("out of date: " + ", ".join(stale) if stale else "the pages show what is printed")
    return 1 if stale and "--write" not in sys.argv else 0


if __name__ == "__main__":
    raise SystemExit(main())
