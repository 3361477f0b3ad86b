"""A room imports only from itself and the rooms above it; ``import eecx`` stays light."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SRC = Path(__file__).resolve().parents[2] / "src"
FILES = sorted(path.relative_to(SRC) for path in (SRC / "eecx").rglob("*.py"))

ROOMS = (
    "errors",
    "options",
    "numerics",
    "formula",
    "frames",
    "moments",
    "measures",
    "plotting",
    "results",
    "survey",
    "disclosure",
    "storage",
    "panel",
    "sources",
    "simulate",
    "datasets",
    "resampling",
    "covariance",
    "models",
    "agreement",
    "association",
    "mixed",
    "regression",
    "sem",
    "lag",
    "mediation",
    "drivers",
    "necessity",
    "surfaces",
    "evidence",
    "synthesis",
    "planning",
    "dossier",
    "study",
    "cli",
)
OPEN = ("numerics", "models", "covariance", "resampling", "results")
"""Rooms that several families build upon: their files may be imported one by one."""
HEAVY = ("narwhals", "pandas", "matplotlib", "scipy", "statsmodels")


def imported_modules(tree: ast.AST, package: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    """Yield (line, absolute dotted name) of every import, wherever it stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = resolve(node.level, node.module or "", package)
            if base == "eecx":  # from eecx import moments
                for alias in node.names:
                    room = alias.name in ROOMS
                    yield node.lineno, f"eecx.{alias.name}" if room else "eecx"
            else:
                yield node.lineno, base
        elif isinstance(node, ast.Call) and node.args:
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            name = getattr(node.args[0], "value", None)
            if called in {"import_module", "__import__"} and isinstance(name, str):
                tail = name.lstrip(".")
                yield node.lineno, resolve(len(name) - len(tail), tail, package)


def resolve(level: int, module: str, package: tuple[str, ...]) -> str:
    base = package[: len(package) - level + 1] if level else ()
    return ".".join((*base, module) if module else base)


def violations(source: str, path: Path) -> list[str]:
    """Return what is wrong with the imports of one file, its path given from ``src``."""
    package = path.parent.parts  # of a module and of an __init__ alike
    is_root = path == Path("eecx/__init__.py")
    own = path.with_suffix("").parts[1]
    if not is_root and own not in ROOMS:
        return [f"{path}: '{own}' is not a room; add it to ROOMS, in its place in the order"]
    found = []
    for line, module in imported_modules(ast.parse(source), package):
        where = f"{path}:{line}"
        top, *rest = module.split(".")
        if top == "narwhals" and own != "frames":
            found.append(f"{where}: only the room frames may import narwhals")
        if top != "eecx":
            continue
        if not rest:
            if not is_root:
                found.append(f"{where}: a room may not import from the package root eecx")
        elif rest[0] not in ROOMS:
            found.append(f"{where}: imports {module}, but '{rest[0]}' is not a room")
        elif not is_root and ROOMS.index(rest[0]) > ROOMS.index(own):
            found.append(f"{where}: '{own}' may not import {module}, a room below it")
        elif not is_root and rest[0] != own and rest[0] not in OPEN and rest[1:]:
            found.append(f"{where}: '{own}' may not import {module}, the inside of another room")
    return found


def test_the_package_was_found() -> None:
    assert Path("eecx/__init__.py") in FILES


@pytest.mark.parametrize("path", FILES, ids=str)
def test_arrows(path: Path) -> None:
    assert violations((SRC / path).read_text(encoding="utf-8"), path) == []


@pytest.mark.parametrize(
    ("path", "source", "message"),
    [
        ("eecx/moments.py", "import eecx.panel", "may not import eecx.panel"),
        ("eecx/moments.py", "from eecx.lag.clpm import fit", "may not import eecx.lag.clpm"),
        ("eecx/moments.py", "from eecx import errors, cli", "may not import eecx.cli"),
        ("eecx/moments.py", "from . import panel", "may not import eecx.panel"),
        ("eecx/moments.py", "from .panel import link", "may not import eecx.panel"),
        ("eecx/lag/clpm.py", "from ..sem.ml import fit", "the inside of another room"),
        ("eecx/lag/clpm.py", "from eecx.panel.waves import Step", "the inside of another room"),
        ("eecx/sem/ml.py", "from ..lag import clpm", "may not import eecx.lag"),
        ("eecx/sem/__init__.py", "from ..lag import clpm", "may not import eecx.lag"),
        ("eecx/sem/fit/ml.py", "from ...lag import clpm", "may not import eecx.lag"),
        ("eecx/formula.py", "def f():\n    from eecx import moments", "formula.py:2: "),
        (
            "eecx/formula.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .panel import Panel",
            "formula.py:3: ",
        ),
        ("eecx/formula.py", "import importlib\nimportlib.import_module('eecx.cli')", "eecx.cli"),
        ("eecx/formula.py", "import_module('.cli', __package__)", "eecx.cli"),
        ("eecx/cli.py", "import eecx", "package root"),
        ("eecx/cli.py", "from eecx import examine_claim", "package root"),
        ("eecx/cli.py", "from . import examine_claim", "package root"),
        ("eecx/cli.py", "from eecx import *", "package root"),
        ("eecx/cli.py", "import eecx.attic", "'attic' is not a room"),
        ("eecx/__init__.py", "from eecx.attic import x", "'attic' is not a room"),
        ("eecx/attic.py", "", "'attic' is not a room"),
        ("eecx/attic/x.py", "", "'attic' is not a room"),
        ("eecx/survey.py", "import narwhals.stable.v2 as nw", "only the room frames"),
        ("eecx/__init__.py", "from narwhals import col", "only the room frames"),
    ],
)
def test_checker_finds(path: str, source: str, message: str) -> None:
    found = violations(source, Path(path))
    assert len(found) == 1
    assert message in found[0]


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("eecx/panel.py", "from eecx import moments\nfrom .survey import Survey"),
        ("eecx/panel.py", "import eecx.errors, numpy"),
        ("eecx/lag/clpm.py", "from . import profile\nfrom .profile import x\nfrom ..sem import y"),
        ("eecx/lag/__init__.py", "from .clpm import cross_lagged"),
        ("eecx/frames/tables.py", "import narwhals as nw"),
        ("eecx/lag/clpm.py", "from ..models.prepare import prepare"),
        ("eecx/__init__.py", "from .panel.waves import Step"),
        ("eecx/__init__.py", "from .cli import main\nfrom eecx.errors import EecxError"),
        ("eecx/cli.py", "from eecxtra import nothing"),
    ],
)
def test_checker_allows(path: str, source: str) -> None:
    assert violations(source, Path(path)) == []


def test_import_is_light() -> None:
    code = f"import sys, eecx; print(*[m for m in {HEAVY!r} if m in sys.modules])"
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(SRC)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.split() == []
