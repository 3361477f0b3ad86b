"""Predictions along one column, a line with its band for each combination of the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from eecx.errors import DataError

from .style import (
    MARKERS,
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
from .text import clean, number, wrap

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

__all__ = ["prediction"]

_COLUMNS = ("estimate", "conf_low", "conf_high")
_STYLES: tuple[tuple[float, tuple[float, ...]], ...] = (
    (0, ()),
    (0, (6, 2)),
    (0, (2, 2)),
    (0, (6, 2, 1, 2)),
)
_DENSE = 12  # points of a line, above which no markers are set
_BEYOND = "#F1F1F1"


@styled
def prediction(
    table: pd.DataFrame,
    *,
    columns: Sequence[str],
    y_label: str,
    title: str = "Predictions",
    note: str = "",
    observed: Mapping[str, tuple[float, float]] | None = None,
    zero: bool = False,
    caption: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Show predictions along the numeric column that takes most values.

    Every combination of the other columns that vary has a line of its own, told apart by colour,
    dashes and marker. Where no number varies, each row has a point with its interval.

    Parameters
    ----------
    table
        One row per prediction: ``columns``, ``estimate``, ``conf_low``, ``conf_high``.
    columns
        What the predictions are made from.
    y_label, title, note
        Of the axis and the figure.
    observed
        Smallest and largest value that was observed, of numeric columns: what lies beyond is
        shaded.
    zero
        Draw a line at zero: for differences.
    caption
        Printed below, after what the figure says of itself.
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
    ...         "engagement": [3.0, 4.0],
    ...         "estimate": [10.0, 20.0],
    ...         "conf_low": [6.0, 15.0],
    ...         "conf_high": [14.0, 25.0],
    ...     }
    ... )
    >>> prediction(table, columns=["engagement"], y_label="expected nps").get_xlabel()
    'engagement'
    """
    table = require(table, [*columns, *_COLUMNS], name="table")
    if table.empty:
        raise DataError("table has no row;", code="no-rows", fix="give one row per prediction.")
    values = {column: floats(table, column, name="table") for column in _COLUMNS}
    varying = [c for c in columns if table[c].nunique() > 1]
    numeric = [c for c in varying if pd.api.types.is_numeric_dtype(table[c])]
    along = max(numeric, key=lambda c: table[c].nunique(), default=None)
    others = [c for c in varying if c != along]
    held = [f"{clean(c)} = {_shown(table[c].iloc[0])}" for c in columns if c not in varying]

    ax, new = new_axes(ax, 7.2, 4.6)
    ax.grid(True, axis="y")
    if zero:
        ax.axhline(0, color="#8A8A8A", linewidth=0.9, zorder=1)
    shaded = False
    if along is None:
        _points(ax, table, values, others)
    else:
        shaded = _lines(ax, table, values, along, others, (observed or {}).get(along))
        plain(ax.set_xlabel(wrap(along, 6.0, 9, lines=2)))
    plain(ax.set_ylabel(wrap(y_label, 3.2, 9, lines=3)))
    add_heading(ax, title, note=note, inches=6.4)
    facts = join(
        f"Held at {', '.join(held)}" if held and len(held) <= 6 else "",
        "Shaded: beyond what was observed" if shaded else "",
        clean(caption),
    )
    add_caption(figure_of(ax) if new else ax, facts)
    return ax


def _lines(
    ax: Axes,
    table: pd.DataFrame,
    values: Mapping[str, FloatArray],
    along: str,
    others: Sequence[str],
    observed: tuple[float, float] | None,
) -> bool:
    """Draw a line with its band for each group; return whether anything lies beyond."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    x = floats(table, along, name="table")
    groups = _labels(table, others)
    kinds = list(dict.fromkeys(groups))
    handles: list[Artist | tuple[Artist, ...]] = []
    for k, kind in enumerate(kinds):
        here = np.flatnonzero([group == kind for group in groups])
        here = here[np.argsort(x[here], kind="stable")]
        colour, marker = SERIES[k % len(SERIES)], MARKERS[k % len(MARKERS)]
        dashes = _STYLES[k % len(_STYLES)]
        low, high = values["conf_low"][here], values["conf_high"][here]
        ax.fill_between(x[here], low, high, color=colour, alpha=0.16, linewidth=0, zorder=2)
        ax.plot(
            x[here],
            values["estimate"][here],
            color=colour,
            linestyle=dashes,
            linewidth=1.9,
            marker=marker if len(here) <= _DENSE else "",
            markersize=5.5,
            markeredgecolor="white",
            markeredgewidth=0.6,
            zorder=4,
        )
        if len(here) <= _DENSE:  # where predictions are few, their intervals are seen at each
            ax.vlines(x[here], low, high, color=colour, linewidth=1.0, alpha=0.7, zorder=3)
        line = Line2D([], [], color=colour, linestyle=dashes, linewidth=1.9, marker=marker)
        line.set(markersize=5.5, markeredgecolor="white")
        if len(here) > _DENSE:
            line.set_marker("")
        handles.append((Patch(color=colour, alpha=0.16, linewidth=0), line))
    if len(kinds) > 1:
        names = [wrap(kind, 2.4, 8.5, lines=2) for kind in kinds]
        place = {"loc": "upper left", "bbox_to_anchor": (1.01, 1.0), "borderaxespad": 0.0}
        add_legend(ax, handles, names, handlelength=2.4, **place)
    if observed is None:
        return False
    left, right = float(x.min()), float(x.max())
    margin = 0.03 * (right - left)
    ax.set_xlim(left - margin, right + margin)
    below, above = left < observed[0], right > observed[1]
    if below:
        ax.axvspan(left - margin, observed[0], color=_BEYOND, linewidth=0, zorder=0)
    if above:
        ax.axvspan(observed[1], right + margin, color=_BEYOND, linewidth=0, zorder=0)
    return below or above


def _points(
    ax: Axes, table: pd.DataFrame, values: Mapping[str, FloatArray], others: Sequence[str]
) -> None:
    """Draw a point with its interval for each row."""
    places = np.arange(len(table), dtype=float)
    ax.vlines(places, values["conf_low"], values["conf_high"], color=SERIES[0], linewidth=1.6)
    ax.plot(
        places,
        values["estimate"],
        "o",
        color=SERIES[0],
        markersize=6.5,
        markeredgecolor="white",
        markeredgewidth=0.6,
        zorder=4,
    )
    ax.set_xlim(-0.6, len(table) - 0.4)
    labels = _labels(table, others)
    wide = 6.0 / len(table) - 0.08
    label_ticks(ax, "x", places.tolist(), [wrap(t, max(wide, 0.4), 8.5, lines=4) for t in labels])
    if len(others) == 1:
        plain(ax.set_xlabel(wrap(others[0], 6.0, 9, lines=2)))


def _labels(table: pd.DataFrame, others: Sequence[str]) -> list[str]:
    """Return what tells each row's line: the value of one column, or each with its name."""
    if len(others) == 1 and not pd.api.types.is_numeric_dtype(table[others[0]]):
        return [_shown(v) for v in table[others[0]]]
    rows = table[list(others)].itertuples(index=False, name=None)
    return [
        ", ".join(f"{clean(c)} = {_shown(v)}" for c, v in zip(others, row, strict=True))
        for row in rows
    ]


def _shown(value: object) -> str:
    """Return a value as a reader writes it: no digits beyond those that it has."""
    if isinstance(value, float | np.floating):
        short = f"{value:.4g}".replace("-", "\N{MINUS SIGN}")
        return short if "e" not in short else number(float(value))
    return clean(value)
