"""The ladder of evidence: what the examination of a claim found, question by question."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from eecx.errors import DataError, OptionError

from .style import INK, MUTED, PALETTE, RULE, join, page, plain, styled
from .tables import FloatArray, choices, flags, floats, require
from .text import clean, interval, line_height, width, wrap

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["GATE_STATES", "KINDS", "ladder"]

KINDS: tuple[str, ...] = (
    "positive",
    "opposite",
    "too_small",
    "not_resolved",
    "not_judged",
    "not_testable",
)
GATE_STATES: tuple[str, ...] = ("adequate", "limited", "unchecked")

_ROWS = (
    "row",
    "question",
    "estimate",
    "conf_low",
    "conf_high",
    "judged",
    "kind",
    "verdict",
    "note",
)
_STANDARD = ("std_estimate", "std_low", "std_high")
_GATES = ("gate", "state", "detail")
_MARGIN = 0.35  # inches
_LEAST = 7.0  # inches: a figure is made at least this wide


@dataclass(frozen=True)
class _Look:
    marker: str
    colour: str
    filled: bool


_LOOKS: Mapping[str, _Look] = MappingProxyType(
    {
        "positive": _Look("^", PALETTE["blue"], True),
        "opposite": _Look("v", PALETTE["vermillion"], True),
        "too_small": _Look("s", "#007A5A", True),
        "not_resolved": _Look("o", "#555555", False),
        "not_judged": _Look("D", "#777777", False),
        "not_testable": _Look("x", "#777777", True),
    }
)
_STATE_LOOKS: Mapping[str, tuple[_Look, Literal["-", "--", ":"]]] = MappingProxyType(
    {
        "adequate": (_Look("o", "#007A5A", True), "-"),
        "limited": (_Look("^", "#A86F00", True), "--"),
        "unchecked": (_Look("o", "#777777", False), ":"),
    }
)


@dataclass(frozen=True)
class _Columns:
    """Where things stand across the page, in inches."""

    wide: float

    @property
    def question(self) -> float:
        return _MARGIN + 0.45

    @property
    def plot(self) -> float:
        return self.question + 0.27 * self.wide + 0.25

    @property
    def plot_wide(self) -> float:
        return 0.27 * self.wide

    @property
    def verdict(self) -> float:
        return self.plot + self.plot_wide + 0.5

    @property
    def question_wide(self) -> float:
        return 0.27 * self.wide

    @property
    def verdict_wide(self) -> float:
        return self.wide - _MARGIN - self.verdict


@dataclass(frozen=True)
class _Rung:
    """One row, wrapped and measured."""

    number: str
    question: str
    verdict: str
    note: str
    look: _Look
    judged: bool
    value: str
    right: float
    tall: float
    drawn: tuple[float, float, float]
    delta: float


@styled
def ladder(
    rows: pd.DataFrame,
    *,
    gates: pd.DataFrame | None = None,
    caption: str = "",
    figure: Figure | None = None,
) -> Figure:
    """Draw the ladder of evidence: each question, its estimate, and the verdict on it.

    With ``std_estimate``, ``std_low`` and ``std_high`` the intervals share one
    standardised axis (an interval far beyond the others is cut, with an arrow); without
    them each row has its own scale, and only the side of zero can be compared. The figure
    is as high as its sentences need. There is no total.

    Parameters
    ----------
    rows
        One row per rung: ``row`` (its number), ``question``, ``estimate``, ``conf_low``,
        ``conf_high`` (missing: nothing is drawn), ``judged`` (True or False), ``kind``
        ("positive", "opposite", "too_small", "not_resolved", "not_judged" or
        "not_testable"), ``verdict`` and ``note``. Optional: ``std_estimate``, ``std_low``,
        ``std_high``, and ``std_delta``, the smallest effect of interest on that scale.
    gates
        One row per gate, drawn as a strip on top: ``gate``, ``state`` ("adequate",
        "limited" or "unchecked"), ``detail``.
    caption
        Printed below, after what the figure says of itself.
    figure
        A figure to draw on; its width is kept (at least 7 inches), its height is set.

    Returns
    -------
    matplotlib.figure.Figure
        Its first axes hold the words, its second the intervals.

    Raises
    ------
    ColumnError
        If a column is missing.
    DataError
        If a value is not a number, ``kind`` or ``state`` is unknown, or there is no row.
    OptionError
        If ``figure`` is not a Matplotlib figure, or one that already holds axes.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = pd.DataFrame(
    ...     {
    ...         "row": [1],
    ...         "question": ["Do units that are higher on x have higher y?"],
    ...         "estimate": [1.2],
    ...         "conf_low": [0.3],
    ...         "conf_high": [2.1],
    ...         "judged": [True],
    ...         "kind": ["positive"],
    ...         "verdict": ["positive, size unresolved"],
    ...         "note": [""],
    ...     }
    ... )
    >>> len(ladder(rows).axes)
    2
    """
    rows = require(rows, _ROWS, name="rows")
    if rows.empty:
        raise DataError("rows is empty;", code="no-rows", fix="give one row per question.")
    figure, wide = _canvas(figure)
    place = _Columns(wide)
    standard = all(column in rows.columns for column in _STANDARD)
    rungs = _rungs(rows, place, standard)
    cards = _cards(gates, wide)

    strip = _strip_height(cards)
    head = 0.3 + 0.3 + strip
    top = head + 0.3
    bottom = top + sum(rung.tall for rung in rungs)
    limit = _limit(rungs) if standard else 1.1
    facts = _facts(rungs, standard, limit, caption)
    text = wrap(facts, wide - 2 * _MARGIN, 7.5)
    under = bottom + 0.68
    tall = under + (text.count("\n") + 1) * line_height(7.5) + 0.15

    figure.set_size_inches(wide, tall)
    paper = page(figure, wide, tall)
    _write(paper, _MARGIN, 0.2, "The ladder of evidence", 12, bold=True)
    _gates(paper, cards, 0.6)
    _write(paper, place.question, head + 0.05, "question", 8, colour=MUTED)
    _write(paper, place.plot, head + 0.05, "estimate and interval", 8, colour=MUTED)
    _write(paper, place.verdict, head + 0.05, "verdict", 8, colour=MUTED)
    scale = figure.add_axes(
        (place.plot / wide, 1 - bottom / tall, place.plot_wide / wide, (bottom - top) / tall)
    )
    scale.set_zorder(paper.get_zorder() - 1)
    _axis(scale, top, bottom, limit, standard)
    _rails(paper, rungs, top)
    y = top
    for rung in rungs:
        paper.plot([_MARGIN, wide - _MARGIN], [y, y], color=RULE, linewidth=0.7, zorder=1)
        _rung(paper, scale, place, rung, y, limit)
        y += rung.tall
    paper.plot([_MARGIN, wide - _MARGIN], [y, y], color=RULE, linewidth=0.7, zorder=1)
    _write(paper, _MARGIN, under, text, 7.5, colour=MUTED)
    return figure


def _canvas(figure: Figure | None) -> tuple[Figure, float]:
    from matplotlib.figure import Figure

    if figure is None:
        return Figure(figsize=(11.5, 8)), 11.5
    if not isinstance(figure, Figure):
        raise OptionError(
            f"figure must be a Matplotlib Figure or None; got {type(figure).__name__}.",
            code="wrong-type",
        )
    if figure.get_axes():
        raise OptionError(
            "figure already holds axes;",
            code="not-empty",
            fix="give an empty one, as ladder() fills it.",
        )
    figure.set_layout_engine("none")
    return figure, max(float(figure.get_figwidth()), _LEAST)


def _rungs(rows: pd.DataFrame, place: _Columns, standard: bool) -> list[_Rung]:
    raw = [floats(rows, column, name="rows") for column in ("estimate", "conf_low", "conf_high")]
    if standard:
        for column in _STANDARD:
            require(rows, (column,), name="rows")
        drawn = [floats(rows, column, name="rows") for column in _STANDARD]
    else:
        drawn = _own_scale(raw)
    delta = np.full(len(rows), np.nan)
    if standard and "std_delta" in rows.columns:
        delta = floats(rows, "std_delta", name="rows")
    kinds = choices(rows, "kind", KINDS, name="rows")
    judged = flags(rows, "judged", name="rows")
    order = np.argsort(floats(rows, "row", name="rows"), kind="stable")
    rungs = []
    for i in map(int, order):
        question = wrap(rows["question"].iloc[i], place.question_wide, 9.5)
        verdict = wrap(rows["verdict"].iloc[i], place.verdict_wide, 9.5, bold=True)
        below = wrap(rows["note"].iloc[i], place.verdict_wide, 8)
        right = _tall(verdict, 9.5) + (_tall(below, 8) + 0.04 if below else 0.0)
        figures = [float(part[i]) for part in raw]
        value = "" if np.isnan(raw[0][i]) else interval(*figures)
        if width(value, 8) > place.plot_wide:
            value = interval(*figures, lines=True)
        rungs.append(
            _Rung(
                number=clean(rows["row"].iloc[i]).removesuffix(".0"),
                question=question,
                verdict=verdict,
                note=below,
                look=_LOOKS[kinds[i]],
                judged=judged[i],
                value=value,
                right=right,
                tall=max(_tall(question, 9.5), right, 0.26 + _tall(value or " ", 8)) + 0.22,
                drawn=(float(drawn[0][i]), float(drawn[1][i]), float(drawn[2][i])),
                delta=float(delta[i]),
            )
        )
    return rungs


def _own_scale(raw: list[FloatArray]) -> list[FloatArray]:
    """Divide each row by the largest of its figures, so that each fills its own scale."""
    stacked = np.abs(np.vstack(raw))
    largest = np.where(np.isnan(stacked), 0.0, stacked).max(axis=0)
    return [part / np.where(largest > 0, largest, 1.0) for part in raw]


def _tall(text: str, size: float) -> float:
    return (text.count("\n") + 1) * line_height(size) if text else 0.0


def _limit(rungs: list[_Rung]) -> float:
    """Return where the common axis ends: beyond most intervals and every estimate."""
    reach = [
        max(abs(part) for part in rung.drawn if not np.isnan(part))
        for rung in rungs
        if not np.isnan(rung.drawn).all()
    ]
    estimates = [abs(rung.drawn[0]) for rung in rungs if not np.isnan(rung.drawn[0])]
    deltas = [abs(rung.delta) for rung in rungs if not np.isnan(rung.delta)]
    if not reach or max(reach) == 0:
        return 1.0
    usual = min(max(reach), 6 * float(np.median(reach)))
    return 1.12 * max([usual, *estimates, *deltas])


def _facts(rungs: list[_Rung], standard: bool, limit: float, caption: str) -> str:
    looks = [rung for rung in rungs if not np.isnan(rung.drawn[0])]
    cut = any(abs(part) > limit for rung in rungs for part in rung.drawn[1:])
    return join(
        "Figures below the intervals are on the scale of the measures" if looks else "",
        ""
        if standard or not looks
        else "Each row is drawn on its own scale: only the side "
        "of 0, not the lengths, can be compared between rows",
        "Grey boxes: smaller than the smallest effect of interest"
        if any(not np.isnan(rung.delta) for rung in rungs)
        else "",
        "Arrowhead: the interval goes on" if cut else "",
        "The rows do not add up to a score",
        clean(caption),
    )


def _axis(ax: Axes, top: float, bottom: float, limit: float, standard: bool) -> None:
    ax.set_ylim(bottom, top)
    ax.set_xlim(-limit, limit)
    ax.patch.set_alpha(0)
    ax.set_yticks([])
    for side in ("left", "right", "top"):
        ax.spines[side].set_visible(False)
    ax.axvline(0, color="#8A8A8A", linewidth=1.0, zorder=1)
    ax.tick_params(labelsize=8)
    if standard:
        ax.grid(True, axis="x")
        ax.locator_params(axis="x", nbins=5)
        plain(ax.set_xlabel("standardised estimate (0: none)", fontsize=8, color=MUTED))
    else:
        ax.set_xticks([0], ["0"])
        plain(ax.set_xlabel("each row on its own scale", fontsize=8, color=MUTED))


def _rails(paper: Axes, rungs: list[_Rung], top: float) -> None:
    """Draw the two rails that hold the rungs' numbers."""
    first = top + rungs[0].tall / 2
    last = top + sum(rung.tall for rung in rungs) - rungs[-1].tall / 2
    for x in (_MARGIN + 0.04, _MARGIN + 0.28):
        paper.plot([x, x], [first - 0.22, last + 0.22], color="#A9A9A9", linewidth=1.6, zorder=1)


def _rung(paper: Axes, scale: Axes, place: _Columns, rung: _Rung, y: float, limit: float) -> None:
    from matplotlib.patches import Rectangle

    middle = y + rung.tall / 2
    paper.plot(
        [_MARGIN + 0.04, _MARGIN + 0.28], [middle, middle], color="#A9A9A9", linewidth=1.6, zorder=1
    )
    plain(
        paper.text(
            _MARGIN + 0.16,
            middle,
            rung.number,
            fontsize=9,
            fontweight="bold",
            ha="center",
            va="center",
            zorder=3,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0},
        )
    )
    colour = INK if rung.judged else MUTED
    _write(paper, place.question, middle, rung.question, 9.5, anchor="center", colour=colour)
    look = rung.look if rung.judged else _Look(rung.look.marker, "#777777", False)
    start = middle - rung.right / 2
    _mark(paper, place.verdict - 0.2, start + line_height(9.5) / 2 - 0.01, look, 6.5)
    _write(
        paper,
        place.verdict,
        start,
        rung.verdict,
        9.5,
        bold=True,
        colour=look.colour if look.filled else "#4A4A4A",
    )
    if rung.note:
        below = start + _tall(rung.verdict, 9.5) + 0.04
        _write(paper, place.verdict, below, rung.note, 8, colour=MUTED)

    centre = place.plot + place.plot_wide / 2
    estimate, low, high = rung.drawn
    if np.isnan(estimate):
        words = rung.value or "no estimate"
        plain(
            paper.text(
                centre,
                middle,
                words,
                fontsize=8,
                color=MUTED,
                ha="center",
                va="center",
                zorder=4,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 2.0},
            )
        )
        return
    at = middle - 0.02 - _tall(rung.value, 8) / 2
    if not np.isnan(rung.delta):
        scale.add_patch(
            Rectangle(
                (-abs(rung.delta), at - 0.1),
                2 * abs(rung.delta),
                0.2,
                facecolor="#DCDCDC",
                edgecolor="#B5B5B5",
                linewidth=0.5,
                zorder=2,
            )
        )
    if not (np.isnan(low) or np.isnan(high)):
        scale.plot(
            [max(low, -limit), min(high, limit)],
            [at, at],
            color=look.colour,
            linewidth=1.8,
            zorder=3,
            solid_capstyle="butt",
        )
        for bound, edge, marker in ((low, -limit, "<"), (high, limit, ">")):
            if abs(bound) > limit:
                scale.plot(
                    [edge], [at], marker, color=look.colour, markersize=5, zorder=3, clip_on=False
                )
    _mark(scale, estimate, at, look, 7)
    plain(
        paper.text(
            centre,
            at + 0.15,
            rung.value,
            fontsize=8,
            color=MUTED,
            ha="center",
            va="top",
            zorder=4,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
        )
    )


def _mark(ax: Axes, x: float, y: float, look: _Look, size: float) -> None:
    ax.plot(
        [x],
        [y],
        look.marker,
        markersize=size,
        color=look.colour,
        zorder=4,
        markerfacecolor=look.colour if look.filled else "white",
        markeredgecolor=look.colour,
        markeredgewidth=1.4 if look.marker == "x" or not look.filled else 0.6,
    )


def _write(
    paper: Axes,
    x: float,
    y: float,
    text: str,
    size: float,
    *,
    bold: bool = False,
    colour: str = INK,
    anchor: Literal["top", "center"] = "top",
) -> None:
    plain(
        paper.text(
            x,
            y,
            text,
            fontsize=size,
            fontweight="bold" if bold else "normal",
            color=colour,
            va=anchor,
            ha="left",
            zorder=3,
        )
    )


@dataclass(frozen=True)
class _Card:
    gate: str
    state: str
    detail: str
    tall: float


def _cards(gates: pd.DataFrame | None, wide: float) -> list[list[_Card]]:
    """Return the gates as lines of at most four cards."""
    if gates is None:
        return []
    gates = require(gates, _GATES, name="gates")
    states = choices(gates, "state", GATE_STATES, name="gates")
    across = min(4, len(states)) or 1
    inside = _card_wide(wide, across) - 0.24
    cards = []
    for gate, state, detail in zip(gates["gate"], states, gates["detail"], strict=True):
        name = wrap(gate, inside, 9, bold=True)
        words = wrap(detail, inside, 8)
        tall = _tall(name, 9) + line_height(8.5) + _tall(words, 8) + 0.3
        cards.append(_Card(name, state, words, tall))
    return [cards[i : i + across] for i in range(0, len(cards), across)]


def _card_wide(wide: float, across: int) -> float:
    return (wide - 2 * _MARGIN - 0.15 * (across - 1)) / across


def _strip_height(cards: list[list[_Card]]) -> float:
    return sum(max(card.tall for card in line) + 0.12 for line in cards) + (0.1 if cards else 0)


def _gates(paper: Axes, cards: list[list[_Card]], top: float) -> None:
    from matplotlib.patches import FancyBboxPatch

    for line in cards:
        tall = max(card.tall for card in line)
        wide = _card_wide(float(paper.get_xlim()[1]), len(cards[0]))
        for k, card in enumerate(line):
            look, border = _STATE_LOOKS[card.state]
            x = _MARGIN + k * (wide + 0.15)
            paper.add_patch(
                FancyBboxPatch(
                    (x, top),
                    wide,
                    tall,
                    boxstyle="round,pad=0,rounding_size=0.06",
                    facecolor="#FAFAFA",
                    edgecolor=look.colour,
                    linestyle=border,
                    linewidth=1.2,
                    zorder=2,
                )
            )
            y = top + 0.1
            _write(paper, x + 0.12, y, card.gate, 9, bold=True)
            y += _tall(card.gate, 9) + 0.05
            _mark(paper, x + 0.18, y + line_height(8.5) / 2 - 0.01, look, 6)
            _write(paper, x + 0.32, y, card.state, 8.5, colour=look.colour)
            y += line_height(8.5) + 0.04
            if card.detail:
                _write(paper, x + 0.12, y, card.detail, 8, colour=MUTED)
        top += tall + 0.12
