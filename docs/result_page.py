"""Make the page on what every analysis returns, ``result.md``, from the published schema.

``docs/conf.py`` runs it before each build; ``python docs/result_page.py`` does so by hand.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SCHEMA = Path(__file__).parents[1] / "src" / "eecx" / "results" / "result-2.schema.json"
PAGE = Path(__file__).with_name("result.md")
HEAD = """\
# What every analysis returns

Every analysis returns a {py:class}`~eecx.Result`, and all of them keep one contract, `{version}`:
the same columns under the same names, numbers under fixed names, and a record of what was asked.
`.to_json()` writes it; the
[JSON Schema](https://json-schema.org/draft/2020-12) of what is written is in the package.

```{code-block} python
import json
from importlib import resources

import jsonschema

schema = json.loads(resources.files("eecx.results").joinpath("{file}").read_text("utf-8"))
jsonschema.validate(result.to_dict(), schema)
```

A result is frozen, is the same after pickling, and holds no data: names, estimates, sums per unit
or cluster, and a fingerprint. Two equal calls give the same bytes.

"""
TABLE = """\
## The table

`.table` has the columns that say what a row is, then seven numbers, always all of them and in this
order, then columns that an analysis adds. Numbers are missing (NaN; null in JSON) where an analysis
has none, and `.unused` names those it never fills, which are not printed. The confidence level is
in `.spec`, never in a column's name.

"""
KEYS = """\
`.row(term="engagement", level="between units")` finds a row by them, and `result["engagement"]` by
the first; both refuse where several rows fit. `.params`, `.pvalues` and `.conf_int()` are indexed
by them, as are both sides of `.vcov`.

"""
STATS = """\
## Numbers

`.stats` has these names and no others; each is a number, or None where there is none.

"""
TABLES = """\
## Further tables

`.tables` holds further tables by name, among them what other intervals there are, one row each.
`.tables["units"]` has a row per unit (and wave, or measure): its first column is `unit`, whatever
the data call it. `.draws` holds bootstrap draws; they are not exported, the number of those that
failed is.

"""
SPEC = """\
## The record

`.spec` has every argument of the function by its name, defaults included and as they were settled,
and nothing of the data but a fingerprint. `eecx.Result.predict` records the names of the columns
that it was given.

"""
WARNINGS = """\
## Warnings

`.warnings` are {py:class}`~eecx.Caution`; their [codes](codes.md) stay when the words change.

"""
WHOLE = """\
## In JSON

"""


def kind(of: Mapping[str, Any], defs: Mapping[str, Any]) -> str:
    """Return the type of a property in words."""
    if "const" in of:
        return f'`"{of["const"]}"`'
    words = {
        "number": "number",
        "integer": "whole number",
        "string": "text",
        "array": "list",
        "object": "object",
        "null": "null",
    }
    if "anyOf" in of:
        return " or ".join(kind(one, defs) for one in of["anyOf"])
    given = of.get("type") or defs[of["$ref"].split("/")[-1]].get("type", "object")
    return " or ".join(words[name] for name in ([given] if isinstance(given, str) else given))


def rows(properties: Mapping[str, Any], defs: Mapping[str, Any], head: str) -> str:
    """Return properties as a Markdown table."""
    lines = [f"| {head} | type | meaning |", "|---|---|---|"]
    for name, own in properties.items():
        told = own.get("description") or defs[own["$ref"].split("/")[-1]]["description"]
        lines.append(f"| `{name}` | {kind(own, defs)} | {told} |")
    return "\n".join(lines) + "\n\n"


def page() -> str:
    """Return the page."""
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    defs = schema["$defs"]
    head = HEAD.replace("{version}", schema["properties"]["schema"]["const"])

    def of(name: str, head: str) -> str:
        return rows(defs[name]["properties"], defs, head)

    parts = (
        head.replace("{file}", SCHEMA.name),
        TABLE,
        of("row", "column"),
        f"{defs['keys']['description']}.\n\n",
        of("keys", "column"),
        KEYS,
        STATS,
        of("stats", "name"),
        TABLES,
        SPEC,
        of("spec", "name"),
        WARNINGS,
        of("caution", "name"),
        WHOLE,
        f"{schema['description']}\n\n",
        rows(schema["properties"], defs, "name"),
    )
    return "".join(parts).rstrip("\n") + "\n"


def write() -> None:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    write()
