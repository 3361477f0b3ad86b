"""Write a dossier: one page that opens offline, figures, tables, and what made them."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

import pandas as pd

from .. import plotting
from ..errors import DataError, check_source
from ..evidence import Evidence
from ..plotting import figure_of
from ..results import Result, escape, json_ready, printed, safe_csv
from .references import bibliography

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["report"]

PAGE = Template("""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title><style>
body{font:16px/1.5 system-ui,sans-serif;color:#222;max-width:62rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.6rem;margin-bottom:.2rem}
h2{font-size:1.15rem;margin-top:2.2rem;border-bottom:1px solid #ccc}
table{border-collapse:collapse;font-size:.85rem;margin:.6rem 0}
th,td{text-align:left;padding:.2rem .6rem;border-bottom:1px solid #e5e5e5;vertical-align:top}
img{max-width:100%;height:auto}.wide{overflow-x:auto}
figure{margin:1rem 0}figcaption,.small{font-size:.85rem;color:#555}
.limited{color:#9a5b00;font-weight:600}.adequate{color:#00664b}li{margin:.3rem 0}
pre{font-size:.78rem;background:#f6f6f6;padding:.8rem;overflow-x:auto}
</style></head><body>
<h1>$title</h1><p>$claim</p>
<h2>What was found</h2><ul>$findings</ul>$warnings
$body
</body></html>
""")


def report(
    evidence: Evidence,
    path: str | Path,
    *,
    title: str | None = None,
    made_by: Mapping[str, object] | None = None,
) -> Path:
    """Write a dossier of the evidence into a folder and return the path of its page.

    The folder holds ``index.html`` (self-contained: opens offline), ``figures/`` as PNG and SVG,
    ``tables/`` as CSV (no cell can start a spreadsheet formula), ``results.json`` with every
    number to 12 significant digits, and ``specification.json``: every argument, the seed, the
    versions and the fingerprint of the data. The same evidence gives the same bytes.

    Parameters
    ----------
    evidence : Evidence
    path : str or Path
        A folder; made if it is not there. Files of the same name are replaced.
    title : str, optional
    made_by : mapping, optional
        What else made the evidence and belongs on the record: the seed of a simulation, the files.

    Raises
    ------
    OptionError
        ``evidence`` is not an :class:`eecx.Evidence`.
    DataError
        ``path`` is a file, or a folder that cannot be made.
    """
    check_source("report", evidence, Evidence)
    folder = Path(path)
    if folder.exists() and not folder.is_dir():
        raise DataError(
            f"{str(folder)!r} is a file;",
            code="no-folder",
            fix="name a folder for the dossier.",
        )
    try:
        for part in (folder, folder / "figures", folder / "tables"):
            part.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(
            f"The folder {str(folder)!r} cannot be made: {error.strerror}.",
            code="no-folder",
            fix="Name another one.",
        ) from error
    pictures = _write_figures(evidence, folder / "figures")
    _write_tables(evidence, folder / "tables")
    _write(folder / "results.json", evidence.to_json() + "\n")
    _write(folder / "specification.json", _specification(evidence, made_by))
    title = title or f"{evidence.spec['x']} and {evidence.spec['y']}"
    page = folder / "index.html"
    _write(page, _page(evidence, pictures, title, _specification(evidence, made_by)))
    return page


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


def _specification(evidence: Evidence, made_by: Mapping[str, object] | None) -> str:
    content = {"claim": evidence.claim, **dict(evidence.spec), "made_by": made_by}
    return json.dumps(json_ready(content), indent=2, ensure_ascii=False) + "\n"


# ---------------------------------------------------------------------- figures and tables


def _figures(evidence: Evidence) -> dict[str, tuple[str, Figure]]:
    audit = evidence.audit
    found = {
        "ladder": ("The ladder of evidence", evidence.plot()),
        "linkage": ("Between units and within units over time", evidence.plot_linkage()),
        "coverage": ("Which units were surveyed when", _figure_of(audit.plot_coverage())),
        "losses": ("What was kept and lost", _figure_of(audit.plot())),
    }
    for name, heading in (
        ("lag_profile", "Lag profile (descriptive)"),
        ("mediation", "Mediation (same wave)"),
    ):
        if name in evidence.results:
            found[name] = (heading, _figure_of(evidence.results[name].plot()))
    return found


def _figure_of(drawn: Axes | Figure) -> Figure:
    from matplotlib.figure import Figure

    return drawn if isinstance(drawn, Figure) else figure_of(drawn)


def _write_figures(evidence: Evidence, folder: Path) -> dict[str, tuple[str, bytes]]:
    out = {}
    for name, (heading, figure) in _figures(evidence).items():
        image = plotting.render(figure, "png")
        (folder / f"{name}.png").write_bytes(image)
        (folder / f"{name}.svg").write_bytes(plotting.render(figure, "svg"))
        out[name] = (heading, image)
    return out


def _tables(evidence: Evidence) -> dict[str, pd.DataFrame]:
    tables = {
        "ladder": evidence.ladder,
        "gates": evidence.gates,
        "stages": evidence.audit.stages,
        "losses": evidence.audit.table,
        "near_misses": evidence.audit.near_misses,
        "text_cells": evidence.audit.text_cells,
    }
    for name, result in evidence.results.items():
        tables[name] = result.table
        tables |= {f"{name}_{part}": table for part, table in result.tables.items()}
    return {name: table for name, table in tables.items() if len(table)}


def _write_tables(evidence: Evidence, folder: Path) -> None:
    for name, table in _tables(evidence).items():
        _write(folder / f"{name}.csv", safe_csv(table))


# ---------------------------------------------------------------------- the page


def _page(
    evidence: Evidence, pictures: Mapping[str, tuple[str, bytes]], title: str, specification: str
) -> str:
    said = ["row", "question", "verdict", "wording", "note"]
    findings = "".join(
        f"<li><b>{row}. {question}</b> {verdict}. {wording} <span class=small>{note}</span></li>"
        for row, question, verdict, wording, note in _escaped(evidence.ladder, said)
    )
    warnings = "".join(f"<li class=limited>{escape(w.message)}</li>" for w in evidence.warnings)
    gates = "".join(
        f"<tr><td>{gate}</td><td class={state}>{state}</td><td>{detail}</td></tr>"
        for gate, state, detail in _escaped(evidence.gates, ["gate", "state", "detail"])
    )
    audit = evidence.audit
    near = ""
    if len(audit.near_misses):
        near = f"<p>Keys that look alike and were not joined:</p>{_html(audit.near_misses)}"
    text = f"<p>Text read as numbers:</p>{_html(audit.text_cells)}" if len(audit.text_cells) else ""
    notes = "".join(f"<li>{escape(n)}</li>" for n in audit.notes)
    sections = [
        ("Ladder", _picture(pictures, "ladder")),
        ("Gates", f"<table><tr><th>gate</th><th>state</th><th>detail</th></tr>{gates}</table>"),
        ("Linkage", _picture(pictures, "linkage")),
        (
            "Who was paired, who was lost, and why",
            f"{_html(audit.stages)}<ul>{notes}</ul>{near}{text}"
            f"{_picture(pictures, 'coverage')}{_picture(pictures, 'losses')}",
        ),
        *(
            (heading, _picture(pictures, name))
            for name, (heading, _) in pictures.items()
            if name in ("lag_profile", "mediation")
        ),
        ("Analyses", "".join(_analysis(name, r) for name, r in evidence.results.items())),
        ("Methods, for a paper", f"<p>{escape(evidence.methods())}</p>"),
        (
            "References",
            "<ul>"
            + "".join(f"<li>{escape(b)}</li>" for b in bibliography(evidence.references))
            + "</ul>",
        ),
        ("Specification", f"<pre>{escape(specification)}</pre>"),
    ]
    body = "".join(f"<h2>{escape(heading)}</h2>{content}" for heading, content in sections)
    return PAGE.substitute(
        title=escape(title),
        claim=escape(evidence.claim),
        findings=findings,
        warnings=f"<ul>{warnings}</ul>" if warnings else "",
        body=body,
    )


def _escaped(table: pd.DataFrame, columns: list[str]) -> list[list[str]]:
    return [[escape(str(v)) for v in row] for row in table[columns].to_numpy()]


def _picture(pictures: Mapping[str, tuple[str, bytes]], name: str) -> str:
    heading, image = pictures[name]
    data = base64.b64encode(image).decode("ascii")
    return f'<figure><img alt="{escape(heading)}" src="data:image/png;base64,{data}"></figure>'


def _analysis(name: str, result: Result) -> str:
    notes = "".join(f"<li>{escape(w.message)}</li>" for w in result.warnings)
    return (
        f"<h3>{escape(name.replace('_', ' '))}</h3>{_html(result.table)}"
        f"<p class=small>{escape(result.methods())}</p>"
        + (f"<ul class=small>{notes}</ul>" if notes else "")
    )


def _html(table: pd.DataFrame) -> str:
    shown = printed(table).to_html(index=False, escape=True, border=0, na_rep="")
    return f"<div class=wide>{shown}</div>"
