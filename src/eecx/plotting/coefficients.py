"""A forest of estimates: how large each term is, and how sure its size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from eecx.errors import DataError

from .style import (
    MARKERS,
    MUTED,
    SERIES,
    add_caption,
    add_heading,
    add_legend,
    figure_of,
    join,
    label_ticks,
    new_axes,
    plain,
    styled,
)
from .tables import FloatArray, floats, require
from .text import clean, interval, line_height, wrap

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

__all__ = ["coefficients"]

_COLUMNS = ("term", "estimate", "conf_low", "conf_high")
_LABEL = 2.6  # inches


@styled
def coefficients(
    table: pd.DataFrame,
    *,
    title: str = "Estimates and their intervals",
    label: str = "estimate (0: no association)",
    caption: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Show estimates with their intervals around zero, one line each, and in figures beside.

    Parameters
    ----------
    table
        One row per estimate, drawn from the top: ``term``, ``estimate``, ``conf_low``,
        ``conf_high``; optionally ``group``, told apart by colour and marker (groups of the
        same term are drawn below each other).
    title, label
        Of the figure and of its axis.
    caption
        Printed below.
    ax
        Matplotlib axes to draw on; a new figure if not given.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ColumnError
        If a column is missing.
    DataError
        If a value is not a number or there is no row.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame(
    ...     {
    ...         "term": ["engagement", "size"],
    ...         "estimate": [1.2, -0.1],
    ...         "conf_low": [0.3, -0.4],
    ...         "conf_high": [2.1, 0.2],
    ...     }
    ... )
    >>> [text.get_text() for text in coefficients(table).get_yticklabels()]
    ['engagement', 'size']
    """
    from matplotlib.lines import Line2D

    table = require(table, _COLUMNS, name="table")
    if table.empty:
        raise DataError("table has no row;", code="no-rows", fix="give one row per term.")
    values = {column: floats(table, column, name="table") for column in _COLUMNS[1:]}
    terms = [clean(term) for term in table["term"]]
    grouped = "group" in table.columns
    if grouped:
        require(table, ("group",), name="table")
    groups = [clean(group) for group in table["group"]] if grouped else [""] * len(terms)
    kinds = list(dict.fromkeys(groups))
    distinct = list(dict.fromkeys(terms))

    labels = [wrap(term, _LABEL, 8.5, lines=4) for term in distinct]
    rows: dict[str, list[int]] = {term: [] for term in distinct}
    for i, term in enumerate(terms):
        rows[term].append(i)
    places = np.zeros(len(terms))
    ticks: list[float] = []
    y = 0.0
    for term, shown in zip(distinct, labels, strict=True):
        mine = sorted(rows[term], key=lambda i: kinds.index(groups[i]))
        tall = max((shown.count("\n") + 1) * line_height(8.5), 0.19 * len(mine)) + 0.13
        step = 0.19
        for k, i in enumerate(mine):
            places[i] = y + tall / 2 + (k - (len(mine) - 1) / 2) * step
        ticks.append(y + tall / 2)
        y += tall

    ax, new = new_axes(ax, 8.5, y + 1.05 + (0.3 if grouped else 0.0))
    ax.set_ylim(y, 0)
    ax.axvline(0, color="#8A8A8A", linewidth=0.9, zorder=1)
    ax.grid(True, axis="x")
    ax.tick_params(axis="y", length=0)
    handles: list[Artist] = []
    for k, kind in enumerate(kinds):
        marker, colour = MARKERS[k % len(MARKERS)], SERIES[k % len(SERIES)]
        here = np.array([group == kind for group in groups]) & np.isfinite(values["estimate"])
        barred = here & np.isfinite(values["conf_low"]) & np.isfinite(values["conf_high"])
        if barred.any():
            ax.hlines(
                places[barred],
                values["conf_low"][barred],
                values["conf_high"][barred],
                color=colour,
                linewidth=1.6,
                zorder=3,
            )
        ax.plot(
            values["estimate"][here],
            places[here],
            marker,
            color=colour,
            markersize=6,
            markeredgecolor="white",
            markeredgewidth=0.6,
            zorder=4,
        )
        handles.append(
            Line2D(
                [],
                [],
                marker=marker,
                color=colour,
                linewidth=1.6,
                markersize=6,
                markeredgecolor="white",
            )
        )
    endless = _endless(ax, table, places)
    for i, place in enumerate(places):
        text = interval(*(float(values[column][i]) for column in _COLUMNS[1:]))
        text += " (no end)" if endless[i] else ""
        plain(
            ax.text(
                1.02,
                place,
                text,
                transform=ax.get_yaxis_transform(),
                ha="left",
                va="center",
                fontsize=8,
                color=MUTED,
            )
        )
    label_ticks(ax, "y", ticks, labels)
    ax.set_xlabel(label)
    add_heading(ax, title, inches=4.0)
    if grouped:
        _key(ax, handles, kinds)
    add_caption(figure_of(ax) if new else ax, join(clean(caption)))
    return ax


def _endless(ax: Axes, table: pd.DataFrame, places: FloatArray) -> list[bool]:
    """Draw an arrow to the edge where an interval has no end; return which have none."""
    edges = ax.get_xlim()
    estimates, *ends = (table[c].to_numpy(float) for c in ("estimate", "conf_low", "conf_high"))
    for end, edge in zip(ends, edges, strict=True):
        for i in np.flatnonzero(np.isinf(end) & np.isfinite(estimates)):
            ax.annotate(
                "",
                xy=(edge, places[i]),
                xytext=(estimates[i], places[i]),
                arrowprops={"arrowstyle": "->", "color": MUTED, "linewidth": 1.2},
                zorder=2,
            )
    ax.set_xlim(edges)
    return [bool(np.isinf([low, high]).any()) for low, high in zip(*ends, strict=True)]


def _key(ax: Axes, handles: list[Artist], kinds: list[str]) -> None:
    """List the groups above the axes, below the title."""
    names = [wrap(kind or "(no group)", 2.2, 8.5, lines=2) for kind in kinds]
    columns = min(len(names), 3)
    down = -(-len(names) // columns)
    tall = down * max(name.count("\n") + 1 for name in names) * line_height(8.5) * 72
    title = ax.get_title(loc="left")
    plain(ax.set_title(title, loc="left", pad=tall + 18 + 5 * (down - 1)))
    add_legend(
        ax,
        handles,
        names,
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0),
        ncols=columns,
        borderaxespad=0.4,
        borderpad=0.2,
        handlelength=1.8,
    )
