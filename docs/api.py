"""Make the page of public names, ``api.md``, from the package.

``docs/conf.py`` runs it before each build; ``python docs/api.py`` does so by hand. Every name of
``eecx.__all__`` stands in the group of its room; of a room that is public itself stand the names
that it exports. What returns a result is set apart.
"""

import inspect
from collections.abc import Iterable
from pathlib import Path

import eecx

PAGE = Path(__file__).with_name("api.md")
HEAD = """\
# API

Analyses return a {py:class}`~eecx.Result`, described on [its page](result.md); those of regressions
also predict, with {py:meth}`eecx.Result.predict`. Randomness is an argument `rng`: a seed or a
`numpy.random.Generator`.
"""
HEADINGS = {
    "survey": "Surveys: respondent rows, scored per unit and wave",
    "measures": "Measures: how answers become a number",
    "frames": "Text in cells of numbers",
    "panel": "The linked panel of units and waves",
    "moments": "Sums, which analyses start from",
    "agreement": "Measurement: may people be averaged into a unit?",
    "disclosure": "Confidentiality: what may be shown together",
    "storage": "Confidentiality: what may be saved",
    "results": "What every analysis returns",
    "association": "Correlations, and what measurement error does to them and to slopes",
    "regression": "Regression, and tests of what was fitted",
    "lag": "Order in time",
    "mediation": "Mediation",
    "evidence": "The claim",
    "dossier": 'The dossier: `eecx.report(evidence, "dossier/")`',
    "study": "Study files",
    "simulate": "Simulated data",
    "plotting": "Figures: axes in and out; analyses call them by `.plot()`",
    "errors": "Errors and warnings: each has a [code](codes.md) that stays, and a fix",
}
"""What stands above the names of a room, in the order of the page."""
OUTSIDE = (
    "dossier.bibliography",
    "evidence.Verdict",
    "evidence.holm",
    "evidence.judge",
    "mediation.product_normal_interval",
    "study.Study",
    "study.read_study",
)
"""Public names that are reached through their room."""


def names() -> dict[str, list[str]]:
    """Return the public names by room."""
    found: dict[str, list[str]] = {room: [] for room in HEADINGS}
    for name in eecx.__all__:
        value = getattr(eecx, name)
        if inspect.ismodule(value):
            exported = [n for n in value.__all__ if callable(getattr(value, n))]
            found.setdefault(name, []).extend(f"{name}.{n}" for n in exported)
        else:
            found.setdefault(value.__module__.split(".")[1], []).append(name)
    for name in OUTSIDE:
        found.setdefault(name.split(".")[0], []).append(name)
    return found


def returns_result(name: str) -> bool:
    """Return whether a public name is a function that returns a result."""
    value = getattr(eecx, name, None)
    if not inspect.isfunction(value):
        return False
    return inspect.signature(value).return_annotation in ("Result", eecx.Result)


def listed(found: Iterable[str]) -> str:
    """Return names as a table with their first lines."""
    lines = "".join(f"   eecx.{name}\n" for name in found)
    return f"```{{eval-rst}}\n.. autosummary::\n   :toctree: generated\n\n{lines}```\n"


def group(room: str, found: Iterable[str]) -> str:
    """Return the group of a room: what returns a result first."""
    of_results = [name for name in found if returns_result(name)]
    others = [name for name in found if name not in of_results]
    parts = [f"## {HEADINGS.get(room, room.capitalize())}\n"]
    if of_results:
        many = "Each of these returns" if len(of_results) > 1 else "This returns"
        parts += [f"{many} a {{py:class}}`~eecx.Result`.\n", listed(of_results)]
    if of_results and others:
        parts.append("Beside:\n")
    return "\n".join([*parts, *([listed(others)] if others else [])])


def page() -> str:
    """Return the page."""
    return "\n".join([HEAD, *(group(room, found) for room, found in names().items() if found)])


def write() -> None:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    write()
