"""Every error and caution has a stable code in the source, and its fix ends what is printed."""

import ast
import pickle
import re
import runpy
from collections.abc import Iterator
from pathlib import Path

import pytest

import eecx
from eecx import formula
from eecx.study import read_study

SRC = Path(__file__).resolve().parents[2] / "src"
FILES = sorted(path.relative_to(SRC) for path in (SRC / "eecx").rglob("*.py"))

ERRORS = ("ColumnError", "DataError", "EecxError", "EngineError", "FormulaError", "OptionError")
KEBAB = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


def is_code(node: ast.expr | None) -> bool:
    """Return whether this is a code written out, one of two, or that of an error passed on."""
    if isinstance(node, ast.IfExp):
        return is_code(node.body) and is_code(node.orelse)
    if isinstance(node, ast.Attribute):
        return node.attr == "code"
    text = node.value if isinstance(node, ast.Constant) else None
    return isinstance(text, str) and KEBAB.fullmatch(text) is not None


def calls(source: str) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            yield getattr(node.func, "attr", getattr(node.func, "id", "")), node


def literals(node: ast.expr) -> list[str]:
    """Return the codes of a call."""
    if isinstance(node, ast.IfExp):
        return [*literals(node.body), *literals(node.orelse)]
    return [getattr(node, "value", "")]


def violations(source: str, path: str) -> list[str]:
    """Return the errors and cautions of one file that have no code."""
    found = []
    for name, call in calls(source):
        if name in ERRORS:
            given = next((k.value for k in call.keywords if k.arg == "code"), None)
            good = is_code(given)
        elif name == "Caution":
            given = next((k.value for k in call.keywords if k.arg == "code"), None)
            first = call.args[0] if call.args else given
            good = is_code(first) or (isinstance(first, ast.Name) and first.id.isupper())
        else:
            continue
        if not good:
            found.append(f"{path}:{call.lineno}: {name} has no code in kebab-case")
    return found


@pytest.mark.parametrize("path", FILES, ids=str)
def test_every_error_has_a_code(path: Path) -> None:
    assert violations((SRC / path).read_text(encoding="utf-8"), str(path)) == []


@pytest.mark.parametrize(
    "source",
    [
        "raise DataError('x')",
        "raise errors.DataError('x', fix='y')",
        "raise DataError('x', code='NoRows')",
        "raise DataError('x', code='no_rows')",
        "raise DataError('x', code='')",
        "raise DataError('x', code=code)",
        "raise DataError('x', code='out-of-range' if number else kind)",
        "raise OptionError('x', code=f'{a}')",
        "Caution(code, 'x')",
        "Caution('Few Units', 'x')",
    ],
)
def test_checker_finds(source: str) -> None:
    assert len(violations(source, "x.py")) == 1


@pytest.mark.parametrize(
    "source",
    [
        "raise DataError('x', code='no-rows')",
        "raise DataError('x', code='collinear', fix='y') from error",
        "raise OptionError(f'{key}: {error}', code=error.code, fix=error.fix)",
        "raise OptionError('x', code='out-of-range' if number else 'wrong-type')",
        "Caution('few-units', 'x')",
        "Caution(FEW, 'x')",
        "def f(e: DataError) -> DataError: ...",
    ],
)
def test_checker_allows(source: str) -> None:
    assert violations(source, "x.py") == []


def test_the_page_of_codes_has_them_all() -> None:
    script = runpy.run_path(str(SRC.parent / "docs" / "codes.py"))
    errors, cautions = script["rows"]()
    shown = {row[0] for row in errors | cautions}
    for path in FILES:
        for name, call in calls((SRC / path).read_text(encoding="utf-8")):
            given = next((k.value for k in call.keywords if k.arg == "code"), None)
            if name in ERRORS and not isinstance(given, ast.Attribute):
                assert set(literals(given)) <= shown
    assert all(message for *_, message, _, _ in errors | cautions)


def caught(call) -> eecx.EecxError:
    with pytest.raises(eecx.EecxError) as found:
        call()
    return found.value


@pytest.mark.parametrize(
    ("call", "code", "fix"),
    [
        (lambda: eecx.NPS("q", better="up"), "not-accepted", ""),
        (
            lambda: eecx.Moments.from_frame({}, terms=["x"]),
            "wrong-source",
            "Make a data frame of it first, with named columns: pandas.DataFrame(…).",
        ),
        (lambda: eecx.load("nowhere.json"), "no-file", "Give its full path."),
        (
            lambda: eecx.Moments.from_correlations([[1, 0.2], [0.2, 1]], n=9).select(["v3"]),
            "unknown-term",
            "There is: 'v1', 'v2'.",
        ),
        (
            lambda: eecx.Moments.from_correlations([[1, 0.2], [0.2, 1]], n=9).collapse("unit"),
            "needs-key",
            "Make them with keys=[..., 'unit']; a published table has no units to tell apart.",
        ),
    ],
)
def test_the_fix_ends_what_is_printed(call, code, fix) -> None:
    error = caught(call)
    assert (error.code, error.fix) == (code, fix)
    assert str(error).endswith(fix)
    assert "  " not in str(error)


def test_a_formula_says_once_what_is_accepted() -> None:
    error = caught(lambda: formula.parse("y ~ a - b"))
    assert error.code == "bad-formula"
    assert str(error).count(error.fix) == 1
    assert str(error).endswith(f"\n{error.fix}")


def test_an_error_passed_on_keeps_its_code(tmp_path) -> None:
    study = tmp_path / "study.toml"
    measure = {"type": "Scale", "items": ["a"], "range": [1, 5], "better": "up"}
    text = "".join(f"{key} = {value!r}\n" for key, value in measure.items())
    head = "[claim]\nx = 'a'\ny = 'b'\n"
    side = "[{0}]\nfile = 'a.csv'\nunit = 'u'\n[{0}.measures.a]\n"
    sides = "".join(side.format(name) + text for name in ("employees", "customers"))
    study.write_text(head + sides, encoding="utf-8")
    error = caught(lambda: read_study(study))
    assert str(error).startswith("customers.measures.a: better='up'")
    assert error.code == "not-accepted"


def test_a_code_survives_another_process() -> None:
    error = caught(lambda: eecx.load("nowhere.json"))
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.code, again.fix) == (str(error), error.code, error.fix)
