"""Evidence: the ladder's rows, the gates, and the results under them."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .. import plotting
from ..errors import Caution, OptionError, listing
from ..panel import Audit
from ..results import Result, escape, json_ready, printed

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Evidence"]

SCHEMA = "eecx.evidence/1"


def interval(low: float, high: float) -> str:
    """Say a 95% interval in words, or that there is none."""
    return f"95% CI {low:.3g} to {high:.3g}" if np.isfinite(low) else "no error can be told"


def _wrapped(line: str, width: int = 100) -> list[str]:
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    return textwrap.wrap(line, width, subsequent_indent=indent, break_long_words=False) or [""]


@dataclass(frozen=True, eq=False)
class Evidence:
    """What the examination of a claim found.

    Attributes
    ----------
    claim : str
    ladder : pandas.DataFrame
        ``row, question, level, estimate, std_error, df, p_value, p_adjusted, conf_low,
        conf_high, std_estimate, std_low, std_high, corrected, delta, std_delta, judged, kind,
        verdict, wording, note, n``.
        Estimates are direction-aligned: positive means better with better.
    gates : pandas.DataFrame
        ``gate, state, detail``: adequate, limited or unchecked.
    results : mapping of str to Result
        The analyses under the rows.
    points : pandas.DataFrame
        What the linkage figure draws.
    """

    claim: str
    ladder: pd.DataFrame
    gates: pd.DataFrame
    results: Mapping[str, Result]
    points: pd.DataFrame
    audit: Audit
    spec: Mapping[str, Any]
    stats: Mapping[str, Any]
    warnings: tuple[Caution, ...]
    text: str
    references: tuple[str, ...]

    def row(self, number: int) -> pd.Series[Any]:
        """Return one rung of the ladder by its number."""
        found = self.ladder[self.ladder["row"] == number]
        if found.empty:
            raise OptionError(
                f"No row {number!r}.",
                code="unknown-row",
                fix=f"There is: {listing(self.ladder['row'])}.",
            )
        return found.iloc[0]

    def verdicts(self) -> dict[int, str]:
        """Return the verdict of every row by its number."""
        return dict(zip(self.ladder["row"], self.ladder["verdict"], strict=True))

    def summary(self) -> str:
        """Return the ladder as text."""
        lines = [f"Claim: {self.claim}", "", "Gates"]
        lines += [f"  {r.gate}: {r.state} - {r.detail}" for r in self.gates.itertuples()]
        lines += ["", "Ladder (positive: better goes with better)"]
        for r in self.ladder.to_dict("records"):
            verdict = r["verdict"].upper() if r["judged"] else r["verdict"]
            lines.append(f"  {r['row']}  {r['question']}: {verdict}")
            if np.isfinite(r["estimate"]):
                lines.append(
                    f"     {r['estimate']:.3g} ({interval(r['conf_low'], r['conf_high'])})"
                )
            lines += [f"     {t}" for t in (r["wording"], r["note"]) if t]
        lines += [f"Warning ({w.code}): {w.message}" for w in self.warnings]
        return "\n".join(wrapped for line in lines for wrapped in _wrapped(line))

    def methods(self) -> str:
        """Return a paragraph for a paper."""
        return self.text

    def plot(self, figure: Figure | None = None) -> Figure:
        """Draw the ladder of evidence."""
        rows = self.ladder[
            [
                "row",
                "question",
                "estimate",
                "conf_low",
                "conf_high",
                "std_estimate",
                "std_low",
                "std_high",
                "std_delta",
                "judged",
                "verdict",
                "kind",
                "note",
            ]
        ]
        s = self.stats
        caption = (
            f"{s['units']} units, {s['waves']} waves, {s['n']} unit-waves. Estimates are in SDs of "
            "y per SD of x, aligned so that right of zero means better with better; 95% intervals "
            "clustered by unit (rows 1 to 4 CR2, row 6 bootstrap)."
        )
        return plotting.ladder(rows, gates=self.gates, caption=caption, figure=figure)

    def plot_linkage(self) -> Figure:
        """Draw y against x between units and within units over time, side by side."""
        fits = []
        for level, number in (("between", 1), ("within", 2)):
            r = self.row(number)
            if pd.isna(r["estimate"]):
                fits.append((level, None, None, None, None, r["note"] or r["verdict"]))
                continue
            fit = self.results["between_units" if number == 1 else "within_units_over_time"]
            t = fit.table.set_index("term").loc[self.spec["x"]]
            own = self.points[self.points["level"] == level]
            start = own["y"].mean() - t["estimate"] * own["x"].mean()
            note = (
                f"slope {t['estimate']:.3g} (95% CI {t['conf_low']:.3g} to {t['conf_high']:.3g}), "
                f"{fit.stats['n']} {'units' if level == 'between' else 'unit-waves'}"
            )
            fits.append((level, t["estimate"], start, t["conf_low"], t["conf_high"], note))
        table = pd.DataFrame(
            fits, columns=["level", "slope", "intercept", "conf_low", "conf_high", "note"]
        )
        bars = self.points[["x_low", "y_low"]].notna().any(axis=None)
        caption = (
            f"{'Bars: 95% sampling intervals. ' if bars else ''}"
            f"{self.stats['units']} units, {self.stats['waves']} waves. Units seen in one wave "
            "only do not appear on the right."
        )
        return plotting.linkage(
            self.points, table, x_label=self._axis("x"), y_label=self._axis("y"), caption=caption
        )

    def _axis(self, role: str) -> str:
        name = str(self.spec[role])
        return f"{name} (lower is better)" if self.spec[f"better_{role}"] == "lower" else name

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values, numbers with 12 significant digits."""
        content = {
            "schema": SCHEMA,
            "claim": self.claim,
            "ladder": self.ladder,
            "gates": self.gates,
            "stats": dict(self.stats),
            "spec": dict(self.spec),
            "warnings": [vars(w) for w in self.warnings],
            "methods": self.text,
            "references": list(self.references),
            "results": {name: r.to_dict() for name, r in self.results.items()},
        }
        return dict(json_ready(content))

    def to_json(self, indent: int | None = 2) -> str:
        """Return :meth:`to_dict` as JSON text."""
        return json.dumps(self.to_dict(), indent=indent, ensure_ascii=False, allow_nan=False)

    def _repr_html_(self) -> str:
        shown = self.ladder[
            ["row", "question", "estimate", "conf_low", "conf_high", "verdict", "wording", "note"]
        ]
        return (
            f"<p><b>{escape(self.claim)}</b></p>"
            f"{printed(self.gates).to_html(index=False, escape=True, border=0)}"
            f"{printed(shown).to_html(index=False, escape=True, border=0)}"
        )

    def __repr__(self) -> str:
        return self.summary()
