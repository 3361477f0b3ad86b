"""The bundled bibliography, as text for a dossier."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources

from ..errors import OptionError

__all__ = ["bibliography"]

_ENTRY = re.compile(r"@\w+\{(\w+),\s*(.*?)\n\}", re.DOTALL)
_FIELD = re.compile(r"(\w+)\s*=\s*\{((?:[^{}]|\{[^{}]*\})*)\}")


@cache
def _entries() -> dict[str, dict[str, str]]:
    text = resources.files("eecx").joinpath("references.bib").read_text(encoding="utf-8")
    return {key: dict(_FIELD.findall(body)) for key, body in _ENTRY.findall(text)}


def bibliography(keys: tuple[str, ...]) -> list[str]:
    """Return references as sentences, in the order of their authors.

    Examples
    --------
    >>> bibliography(("holm1979",))[0][:13]
    'Holm, S. (197'
    """
    entries = _entries()
    out = []
    for key in keys:
        if key not in entries:
            raise OptionError(
                f"No reference {key!r} in the bundled bibliography.",
                code="unknown-reference",
                fix="Name a key of references.bib.",
            )
        e = entries[key]
        names = [_initials(a) for a in e["author"].split(" and ")]
        authors = names[0] if len(names) == 1 else f"{', '.join(names[:-1])}, & {names[-1]}"
        volume = e.get("volume", "") + (f"({e['number']})" if "number" in e else "")
        pages = e.get("pages", "").replace("--", "–")
        source = ", ".join(part for part in (e.get("journal", ""), volume, pages) if part)
        doi = f" https://doi.org/{e['doi']}" if "doi" in e else ""
        out.append(_plain(f"{authors} ({e['year']}). {e['title']}. {source}.{doi}"))
    return sorted(out)


def _initials(author: str) -> str:
    last, _, first = author.partition(", ")
    return f"{last}, {' '.join(f'{n[0]}.' for n in first.split())}" if first else last


def _plain(text: str) -> str:
    return text.replace("\\&", "&").replace('{\\"e}', "ë").replace("{", "").replace("}", "")
