"""Make the page *What works with what* from the rules that refuse, and from what analyses use.

``python docs/capabilities.py`` writes ``capabilities.md``; ``--check`` compares and returns 1 where
the page is out of date.
"""

import re
import sys
from pathlib import Path

import eecx
from eecx.models.capabilities import (
    EFFECTS,
    METHODS,
    NEEDS,
    RULES,
    WEIGHTED,
    Rule,
    Uses,
)

PAGE = Path(__file__).with_name("capabilities.md")
HEAD = """\
# What works with what

Effects, errors, clusters, weights and families do not all go together. What does not is refused
before anything is estimated, with the reason and with what to take instead: an error's `.code` is
the code of the rule below, its `.fix` the last column. Rules are judged in this order, and the
first that is broken is the answer. This page is made from the rules themselves
(`src/eecx/models/capabilities.py`) by `docs/capabilities.py`.

A value that no analysis has is refused with the code `not-accepted`, one that others have and this
one does not with `not-used`, data of a kind that a function does not take with `wrong-source`.
Which keys sums need is in [architecture](architecture.md#which-estimator-needs-which-keys).
"""


def analyses() -> list[Uses]:
    """Return what every public analysis says that it uses, in the order of their names."""
    public = [getattr(eecx, name) for name in eecx.__all__]
    modules = {sys.modules[one.__module__] for one in public if callable(one)}
    found = [
        value
        for module in modules
        for name, value in vars(module).items()
        if name.endswith("USES") and isinstance(value, Uses)
    ]
    return sorted(found, key=lambda uses: uses.function)


def rules() -> list[tuple[Rule, str]]:
    """Return all rules, with the analysis that a rule is of alone."""
    own = [(rule, uses.function) for uses in analyses() for rule in uses.rules]
    return [*own, *((rule, "") for rule in RULES)]


def plain(template: str) -> str:
    """Return a template as it reads, an ellipsis for what it is filled with."""
    text = template.replace("{called}", "effects").replace("{robust!r}", "'CR2'")
    text = re.sub(r"(?<!\{)\{[^{}]+\}(?!\})", "…", text)
    return text.replace("{{", "{").replace("}}", "}")


def values(used: tuple[str, ...], every: tuple[str, ...] = ()) -> str:
    """Return values as code, ``all`` where they are all that there are."""
    if used and used == every:
        return "all"
    return ", ".join(f"`{value}`" for value in used) or "–"


def table(heads: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def page() -> str:
    """Return the page."""
    heads = ["analysis", "effects", "errors", "kinds of clusters", "weights", "families"]
    vcovs = next(uses for uses in analyses() if uses.function == "regress").vcov
    used = [
        [
            f"{{py:func}}`~eecx.{uses.function}`",
            {"effects": "", "level": "`level=`: ", None: "by itself: "}[uses.called]
            + values(uses.effects, EFFECTS),
            values(uses.vcov, vcovs),
            str(uses.clusters) if uses.clusters else "–",
            values(uses.weights, tuple(WEIGHTED)),
            values(uses.families),
        ]
        for uses in analyses()
    ]
    alone, needing = [], []
    for rule, of in rules():
        asked = f"{rule.asked} (`{of}`)" if of else rule.asked
        row = [f"`{rule.code}`", asked, plain(rule.reason), plain(rule.instead)]
        if rule.needs:
            needing.append([*row[:2], NEEDS[rule.needs], *row[2:]])
        else:
            alone.append(row)
    effects = [
        [
            f"`{one}`",
            values(METHODS.get(one, ("ols",))),
            values(tuple(kind for kind, of in WEIGHTED.items() if one in of)),
        ]
        for one in EFFECTS
    ]
    return "\n".join(
        [
            HEAD,
            "## What each analysis uses\n",
            table(heads, used),
            "Defaults are in the [API](api.md).\n",
            "## Effects: methods and weights\n",
            table(["effects", "`method=`, the default first", "kinds of `weights=`"], effects),
            "## What does not work, whatever the data are\n",
            "Judged from the options alone, before data are read.\n",
            table(["code", "asked", "why not", "instead"], alone),
            "## What needs something of the data\n",
            table(["code", "asked", "needs", "without it", "instead"], needing),
        ]
    )


def main() -> int:
    """Write the page, or compare it."""
    if "--check" in sys.argv:
        return int(PAGE.read_text(encoding="utf-8") != page())
    PAGE.write_text(page(), encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
