"""Make the page of codes, ``codes.md``, from the source of the package.

``docs/conf.py`` runs it before each build; ``python docs/codes.py`` does so by hand. Every call of
an error class with a literal ``code=``, and every ``Caution``, is one row; what is filled in when
the error is raised is shown as "…".
"""

import ast
import re
from collections.abc import Mapping
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src" / "eecx"
PAGE = Path(__file__).with_name("codes.md")
ERRORS = ("ColumnError", "DataError", "EngineError", "FormulaError", "OptionError")
HEAD = """\
# Codes

Every error that eecx raises, and every caution in the `.warnings` of a result, has a code that does
not change when its words do. `error.code` names what is wrong, `error.fix` says what to do next;
`str(error)` is the whole message, which ends with the fix. All errors are `eecx.EecxError`, and
`ValueError`, `KeyError` or `ImportError` besides, where that is what they are.

```{code-block} python
try:
    eecx.link(staff, guests)
except eecx.EecxError as error:
    print(error.code, error.fix)
```

Below, "…" stands for what is filled in: a name, a number, a list.

"""

Texts = Mapping[str, str]


def text_of(node: ast.expr | None, known: Texts) -> str:
    """Return a message or fix as far as the source says it."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(part, known) for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return text_of(node.left, known) + text_of(node.right, known)
    if isinstance(node, ast.FormattedValue):
        return text_of(node.value, known)
    if isinstance(node, ast.Name):
        return known.get(node.id, "…")
    if isinstance(node, ast.IfExp):
        ways = (text_of(node.body, known), text_of(node.orelse, known))
        return " / ".join(ways) if all(map(said, ways)) else "…"
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "nearest":
        return " Did you mean …?"
    return "" if node is None else "…"


def codes_of(node: ast.expr | None) -> list[str]:
    """Return the code that is written out, or the two between which a condition chooses."""
    if isinstance(node, ast.IfExp):
        return codes_of(node.body) + codes_of(node.orelse)
    return [str(node.value)] if isinstance(node, ast.Constant) else []


def constants() -> dict[str, str]:
    """Return the texts that modules of the package give names to."""
    found: dict[str, str] = {}
    for path in SOURCE.rglob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                name, text = node.targets[0].id, text_of(node.value, {})
                if name.isupper() and said(text):
                    found[name] = text
    return found


def names_in(scope: ast.FunctionDef, line: int) -> tuple[dict[str, str], dict[str, str]]:
    """Return what names of a function were last given above a line, and all that they may be."""
    last: dict[str, str] = {}
    ways: dict[str, list[str]] = {}
    given = [n for n in ast.walk(scope) if isinstance(n, ast.Assign | ast.AugAssign)]
    for node in sorted((n for n in given if n.lineno < line), key=lambda n: n.lineno):
        target = node.target if isinstance(node, ast.AugAssign) else node.targets[0]
        if not isinstance(target, ast.Name):
            continue
        text = text_of(node.value, {})
        before = last.get(target.id, "") if isinstance(node, ast.AugAssign) else ""
        last[target.id] = before + (text if not before or said(text) else "…")
        ways.setdefault(target.id, []).append(text)
    plain = {name: " / ".join(texts) for name, texts in ways.items() if all(map(said, texts))}
    return last, plain


def rows() -> tuple[set[tuple[str, ...]], set[tuple[str, ...]]]:
    """Return the errors (code, class, message, fix, room) and the cautions (without class)."""
    errors, cautions = set(), set()
    shared = constants()
    for path in sorted(SOURCE.rglob("*.py")):
        room = path.relative_to(SOURCE).with_suffix("").parts[0]
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for scope in (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)):
            for call in (n for n in ast.walk(scope) if isinstance(n, ast.Call)):
                name = getattr(call.func, "id", "")
                options = {k.arg: k.value for k in call.keywords}
                coded = codes_of(options.get("code"))
                if not (name == "Caution" or (name in ERRORS and coded)):
                    continue
                last, ways = names_in(scope, call.lineno)
                known = {**shared, **last}
                fix = tidy(text_of(options.get("fix"), {**shared, **ways}))
                if name == "Caution":
                    code, message = (text_of(a, known) for a in call.args[:2])
                    cautions.add((code, told(message, fix), fix, room))
                else:
                    message = told(text_of(call.args[0], known), fix)
                    errors |= {(code, name, message, fix, room) for code in coded}
    return errors, cautions


def said(text: str) -> bool:
    """Return whether the source says more of a text than that something is filled in."""
    return bool(text.strip("… "))


def tidy(text: str) -> str:
    """Return text on one line, one "…" for several in a row."""
    text = re.sub(r"\s+", " ", text).strip()
    return re.sub(r"…(?:\s*…)+", "…", text)


def told(message: str, fix: str) -> str:
    """Return a message without the fix at its end, and without what leads to it."""
    return tidy(message).removesuffix(fix).rstrip(" :;")


def table(head: tuple[str, ...], found: set[tuple[str, ...]]) -> str:
    """Return a Markdown table, sorted by code."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    rooms: dict[tuple[str, ...], list[str]] = {}
    for *others, room in sorted(found):
        rooms.setdefault(tuple(others), []).append(room)
    for (code, *kind, message, fix), where in rooms.items():
        shown = [literal(code), *kind, literal(message), literal(fix), ", ".join(where)]
        lines.append("| " + " | ".join(shown) + " |")
    return "\n".join(lines) + "\n"


def literal(text: str) -> str:
    """Return text as inline code, in which quotes stay straight."""
    text = text.replace("|", "\\|")
    return f"`` {text} ``" if "`" in text else f"`{text}`" if text else ""


def write() -> None:
    """Write the page."""
    errors, cautions = rows()
    parts = (
        HEAD,
        "## Errors\n\n",
        table(("code", "class", "what is wrong", "what to do next", "room"), errors),
        "\n## Warnings\n\n",
        table(("code", "what is doubtful", "what to do next", "room"), cautions),
    )
    PAGE.write_text("".join(parts), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    write()
