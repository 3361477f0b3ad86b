"""A study file: two surveys (or a panel) and a claim, written down in TOML.

.. code-block:: toml

    [study]
    title = "Engagement and NPS, 2023-24"          # optional

    [employees]                                    # or [panel], see below
    file = "employees.parquet"                     # CSV or Parquet, beside the study file
    unit = "store"
    wave = "quarter"
    weight = "weight"                              # optional
    [employees.measures.engagement]
    type = "Scale"                                 # Scale, Mean, TopBox, Favorable, NPS, Rate
    items = ["e1", "e2", "e3"]
    range = [1, 5]
    better = "higher"                              # optional, as are source, reverse, ...

    [customers]
    file = "customers.parquet"
    unit = "store"
    wave = "quarter"
    [customers.measures.nps]
    type = "NPS"
    column = "recommend"

    [link]                                         # optional
    disclosure_n = 5
    customer_offset = 0
    step = "1Q"

    [covariates]                                   # optional: one row per unit, or unit and wave
    file = "stores.csv"                            # its key columns are named like the employees'

    [parse]                                        # optional: text in numeric cells
    missing = ["No Data", "."]
    percent = "fraction"
    censored = "bound"

    [claim]
    x = "engagement"
    y = "nps"
    mediators = []                                 # and smallest_effect, covariates, reliability,
    smallest_effect = 5.0                          # plan, alpha, draws, rng

Data that come by unit already take ``[panel]`` with ``file, unit, wave, employee, customer,
covariates, n, variance, better, source, step, disclosure_n`` in place of the two surveys.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from . import measures
from .errors import DataError, EecxError, OptionError, listing, nearest
from .evidence import Evidence, examine_claim
from .frames import Parse
from .panel import Panel, link
from .survey import Survey

__all__ = ["Study", "read_study"]

TYPES = {
    c.__name__: c
    for c in (
        measures.Scale,
        measures.Mean,
        measures.TopBox,
        measures.Favorable,
        measures.NPS,
        measures.Rate,
    )
}
TEXT, TEXTS, NUMBER, WHOLE = "text", "a list of texts", "a number", "a whole number"
TABLE, NAMES = "a table", "a table of texts"
SURVEY = {
    "file": TEXT,
    "unit": TEXT,
    "wave": TEXT,
    "weight": TEXT,
    "segments": TEXTS,
    "measures": TABLE,
}
PANEL = {
    "file": TEXT,
    "unit": TEXT,
    "wave": TEXT,
    "employee": TEXTS,
    "customer": TEXTS,
    "covariates": TEXTS,
    "n": "text or a table of texts",
    "variance": NAMES,
    "better": NAMES,
    "source": "a table of sources",
    "step": "text or a whole number",
    "disclosure_n": WHOLE,
}
SECTIONS: Mapping[str, Mapping[str, str]] = {
    "study": {"title": TEXT},
    "employees": SURVEY,
    "customers": SURVEY,
    "panel": PANEL,
    "link": {"disclosure_n": WHOLE, "customer_offset": WHOLE, "step": "text or a whole number"},
    "covariates": {"file": TEXT},
    "parse": {"missing": "a list of texts and numbers", "percent": TEXT, "censored": TEXT},
    "claim": {
        "x": TEXT,
        "y": TEXT,
        "mediators": TEXTS,
        "covariates": TEXTS,
        "smallest_effect": "a number or a table",
        "reliability": TABLE,
        "plan": TEXT,
        "alpha": NUMBER,
        "draws": WHOLE,
        "rng": WHOLE,
    },
}
MEASURE = {
    "column": TEXT,
    "items": "text or a list of texts",
    "reverse": "text or a list of texts",
    "range": "a list of two numbers",
    "top": WHOLE,
    "at_least": NUMBER,
    "min_items": WHOLE,
    "better": TEXT,
    "source": "text or a list of texts",
}
NEEDED = {
    "employees": ("file", "unit", "measures"),
    "customers": ("file", "unit", "measures"),
    "panel": ("file", "unit", "employee", "customer"),
    "covariates": ("file",),
    "claim": ("x", "y"),
}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(t, str) for t in value)


CHECKS: Mapping[str, Callable[[Any], bool]] = {
    "text": lambda v: isinstance(v, str),
    "a whole number": lambda v: _is_number(v) and isinstance(v, int),
    "a number": _is_number,
    "a list of texts": _is_texts,
    "a list of texts and numbers": lambda v: (
        isinstance(v, list) and all(isinstance(t, str) or _is_number(t) for t in v)
    ),
    "a list of two numbers": lambda v: (
        isinstance(v, list) and len(v) == 2 and all(_is_number(t) for t in v)
    ),
    "a table": lambda v: isinstance(v, dict),
    "a table of texts": lambda v: isinstance(v, dict) and _is_texts(list(v.values())),
    "a table of sources": lambda v: (
        isinstance(v, dict) and all(isinstance(t, str) or _is_texts(t) for t in v.values())
    ),
}


@dataclass(frozen=True)
class Study:
    """A study file that was read and checked.

    Attributes
    ----------
    path : Path
        The file; data files are looked for beside it.
    content : mapping
        Its sections.
    """

    path: Path
    content: Mapping[str, Mapping[str, Any]]

    @property
    def title(self) -> str | None:
        """The title, where one is given."""
        title = self.content.get("study", {}).get("title")
        return None if title is None else str(title)

    def panel(self) -> Panel:
        """Link the two surveys, or take the panel."""
        parse = Parse(**self.content["parse"]) if "parse" in self.content else None
        if "panel" in self.content:
            given = dict(self.content["panel"])
            return Panel.from_frame(
                self._file(given.pop("file"), "panel.file"), parse=parse, **given
            )
        sides = {side: self._survey(side, parse) for side in ("employees", "customers")}
        options = dict(self.content.get("link", {}))
        if "covariates" in self.content:
            options["covariates"] = self._file(
                self.content["covariates"]["file"], "covariates.file"
            )
        return link(sides["employees"], sides["customers"], **options)

    def examine(self, panel: Panel) -> Evidence:
        """Examine the claim on a panel."""
        given = dict(self.content["claim"])
        effect = given.get("smallest_effect")
        if isinstance(effect, dict):
            given["smallest_effect"] = {_row_number(k): v for k, v in effect.items()}
        if "reliability" in given:
            pairs = given["reliability"].items()
            given["reliability"] = {k: tuple(v) if isinstance(v, list) else v for k, v in pairs}
        return examine_claim(panel, **given)

    def _survey(self, side: str, parse: Parse | None) -> Survey:
        given = dict(self.content[side])
        path = self._file(given.pop("file"), f"{side}.file")
        made = {
            name: _measure(f"{side}.measures.{name}", m)
            for name, m in given.pop("measures").items()
        }
        return Survey(path, measures=made, parse=parse, name=f"{path.name!r}", **given)

    def _file(self, name: str, key: str) -> Path:
        path = self.path.parent / name
        if not path.is_file():
            raise DataError(
                f"{key} in {self.path.name!r}: there is no file {str(path)!r}.",
                code="no-file",
                fix="Paths start from the folder of the study file.",
            )
        return path


def read_study(path: str | Path) -> Study:
    """Read and check a study file.

    Raises
    ------
    DataError
        No such file, or not TOML.
    OptionError
        A section or key that is unknown (near matches are named), missing, or of the wrong kind.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(
            f"There is no study file {str(path)!r}.",
            code="no-file",
            fix="Give its full path.",
        )
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        deep = isinstance(error, RecursionError)
        raise DataError(
            f"{path.name!r} is not a TOML file: {'it is nested too deeply' if deep else error}.",
            code="bad-file",
            fix="Correct it, and save it as UTF-8.",
        ) from error
    for section, given in content.items():
        if section not in SECTIONS:
            raise OptionError(
                f"{path.name!r} has a section [{section}].",
                code="unknown-option",
                fix=nearest(section, SECTIONS),
            )
        if not isinstance(given, dict):
            raise OptionError(
                f"{section} in {path.name!r} is {given!r}; it should be a section, [{section}].",
                code="wrong-type",
            )
        _check(section, given, SECTIONS[section], path.name)
    if "claim" not in content:
        raise OptionError(
            f"{path.name!r} has no section [claim] with x and y.",
            code="missing-section",
            fix="Add it.",
        )
    surveys = {"employees", "customers"} & set(content)
    if ("panel" in content) == bool(surveys) or len(surveys) == 1:
        raise OptionError(
            f"{path.name!r} needs either [employees] and [customers], or [panel].",
            code="missing-section",
        )
    for section in {"link", "covariates"} & set(content) if "panel" in content else ():
        raise OptionError(
            f"[{section}] in {path.name!r} is for two surveys; [panel] has keys of its own: "
            f"{listing(PANEL, most=len(PANEL))}.",
            code="does-not-apply",
            fix="Leave the section out.",
        )
    for side in sorted(surveys):
        for name, given in content[side]["measures"].items():
            _measure(f"{side}.measures.{name}", given)
    return Study(path, content)


def _check(section: str, given: Mapping[str, Any], allowed: Mapping[str, str], file: str) -> None:
    for key, value in given.items():
        if key not in allowed:
            raise OptionError(
                f"{section}.{key} in {file!r} is unknown.",
                code="unknown-option",
                fix=nearest(key, allowed),
            )
        _check_kind(f"{section}.{key} in {file!r}", value, allowed[key])
    for key in NEEDED.get(section, ()):
        if key not in given:
            raise OptionError(
                f"{section}.{key} is missing in {file!r}.",
                code="missing-option",
                fix="Add it.",
            )


def _check_kind(key: str, value: object, kinds: str) -> None:
    if not any(CHECKS[kind](value) for kind in kinds.split(" or ")):
        raise OptionError(f"{key} is {value!r}; it should be {kinds}.", code="wrong-type")


def _measure(key: str, given: Any) -> measures.Measure:
    if not isinstance(given, dict) or "type" not in given:
        raise OptionError(f"{key}.type is missing: one of {listing(TYPES)}.", code="missing-option")
    kind = given["type"]
    if not isinstance(kind, str) or kind not in TYPES:
        raise OptionError(f"{key}.type is {kind!r}.", code="not-accepted", fix=nearest(kind, TYPES))
    allowed = [f.name for f in fields(TYPES[kind])]
    options = {}
    for name, value in given.items():
        if name == "type":
            continue
        if name not in allowed:
            raise OptionError(
                f"{key}.{name} is unknown for {kind}.",
                code="unknown-option",
                fix=nearest(name, allowed),
            )
        _check_kind(f"{key}.{name}", value, MEASURE[name])
        options[name] = tuple(value) if name == "range" else value
    needed = {"Scale": ("items", "range"), "Favorable": ("column", "at_least")}
    for name in needed.get(kind, ("column",)):
        if name not in options:
            raise OptionError(
                f"{key}.{name} is missing: {kind} needs it.",
                code="missing-option",
                fix="Add it.",
            )
    make: Callable[..., measures.Measure] = TYPES[kind]
    try:
        return make(**options)
    except EecxError as error:
        raise OptionError(f"{key}: {error}", code=error.code, fix=error.fix) from error


def _row_number(text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise OptionError(
            f"claim.smallest_effect.{text}: rows are named by number, such as 1 or 2.",
            code="not-accepted",
        )
    return int(text)
