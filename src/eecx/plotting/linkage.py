"""Two panels for one link: do x and y move together between units, and over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from eecx.errors import DataError, OptionError

from .style import (
    INK,
    MUTED,
    PALETTE,
    add_caption,
    add_heading,
    dress,
    figure_of,
    join,
    plain,
    room,
    styled,
)
from .tables import FloatArray, choices, floats, require
from .text import clean, wrap

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["linkage"]

_LEVELS = ("between", "within")
_TITLES = {"between": "Between units", "within": "Within units over time"}
_COLOURS = {"between": PALETTE["blue"], "within": PALETTE["green"]}
_SHAPES = {"between": "o", "within": "s"}
_POINTS = ("level", "x", "y", "x_low", "x_high", "y_low", "y_high")
_FITS = ("level", "slope", "intercept", "conf_low", "conf_high", "note")
_MANY = 300  # points: beyond, they are drawn small and see-through
_HUGE = 5000  # points: beyond, an SVG holds them as an image


@styled
def linkage(
    points: pd.DataFrame,
    fits: pd.DataFrame,
    *,
    x_label: str,
    y_label: str,
    caption: str = "",
    axes: Sequence[Axes] | None = None,
) -> Figure:
    """Show whether two measures of the same units move together, at both levels.

    The left panel asks whether units that are higher on x are higher on y; the right
    one whether a unit is higher on y in the waves when it is higher on x than usual.
    The band around a line shows the interval of its slope alone: the line turned about
    the mean of the points.

    Parameters
    ----------
    points
        One row per point: ``level`` ("between" or "within"), ``x``, ``y``, and their
        sampling intervals ``x_low``, ``x_high``, ``y_low``, ``y_high`` (missing: no bar).
        Points of level "within" are differences from the unit's usual value.
    fits
        At most one row per level: ``level``, ``slope``, ``intercept``, ``conf_low`` and
        ``conf_high`` of the slope, and ``note``, a sentence that is printed above the
        panel or, in a panel without points, says why there are none.
    x_label, y_label
        Names of the measures, with their units of measurement.
    caption
        Printed below, after what the figure says of itself.
    axes
        Two Matplotlib axes to draw on, for between and within; a new figure if not given.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ColumnError
        If a column is missing.
    DataError
        If a value is not a number, a level is unknown or has two fits.
    OptionError
        If ``axes`` are not two.

    Examples
    --------
    >>> import pandas as pd
    >>> points = pd.DataFrame(
    ...     {
    ...         "level": ["between"] * 3,
    ...         "x": [3.1, 3.5, 4.0],
    ...         "y": [20.0, 24.0, 31.0],
    ...         "x_low": None,
    ...         "x_high": None,
    ...         "y_low": None,
    ...         "y_high": None,
    ...     }
    ... )
    >>> fits = pd.DataFrame(
    ...     {
    ...         "level": ["between"],
    ...         "slope": [12.2],
    ...         "intercept": [-18.0],
    ...         "conf_low": [2.0],
    ...         "conf_high": [22.4],
    ...         "note": ["slope 12.2, 3 units"],
    ...     }
    ... )
    >>> figure = linkage(points, fits, x_label="engagement (1 to 5)", y_label="NPS")
    >>> len(figure.axes)
    2
    """
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    points = require(points, _POINTS, name="points")
    fits = require(fits, _FITS, name="fits")
    levels = np.array(choices(points, "level", _LEVELS, name="points"), dtype=object)
    values = {column: floats(points, column, name="points") for column in _POINTS[1:]}
    lines = _lines(fits)

    if axes is None:
        figure = Figure(figsize=(10, 4.7), layout="constrained")
        panels = [figure.add_subplot(1, 2, 1), figure.add_subplot(1, 2, 2)]
    else:
        panels = list(axes)
        if len(panels) != 2 or not all(isinstance(panel, Axes) for panel in panels):
            raise OptionError(
                f"axes must be two Matplotlib axes, for between and within; got {len(panels)}.",
                code="wrong-type",
            )
        figure = figure_of(panels[0])
        for panel in panels:
            dress(panel)

    wide = 4.2 if axes is None else min(room(panel) for panel in panels)
    deep = max((wrap(line.note, wide, 8.5).count("\n") + 1 for line in lines.values()), default=0)
    drawn: dict[str, int] = {}
    bars = bands = False
    for level, ax in zip(_LEVELS, panels, strict=True):
        here = (levels == level) & np.isfinite(values["x"]) & np.isfinite(values["y"])
        drawn[level] = int(here.sum())
        line = lines.get(level)
        if not drawn[level]:
            _reason(ax, level, line, deep)
            continue
        add_heading(ax, _TITLES[level], note=line.note if line else "", inches=wide, lines=deep)
        _words(ax, level, clean(x_label), clean(y_label))
        bars |= _points(ax, level, {column: array[here] for column, array in values.items()})
        bands |= line is not None and _fit(ax, values["x"][here], line)

    dropped = len(points) - sum(drawn.values())
    facts = join(
        f"Points: {drawn['between']:,} between units, {drawn['within']:,} within units over time",
        f"{dropped:,} without a value for x or y are not drawn" if dropped else "",
        "Thin bars: sampling intervals" if bars else "",
        "Grey band: interval of the slope" if bands else "",
        "Each panel has its own axes" if all(drawn.values()) else "",
        clean(caption),
    )
    add_caption(figure if axes is None else panels[0], facts)
    return figure


@dataclass(frozen=True)
class _Line:
    slope: float
    intercept: float
    low: float
    high: float
    note: str


def _lines(fits: pd.DataFrame) -> dict[str, _Line]:
    levels = choices(fits, "level", _LEVELS, name="fits")
    numbers = [floats(fits, column, name="fits") for column in _FITS[1:5]]
    lines: dict[str, _Line] = {}
    for i, level in enumerate(levels):
        if level in lines:
            raise DataError(
                f"fits has more than one row for the level {level!r};",
                code="duplicate-rows",
                fix="keep one.",
            )
        slope, intercept, low, high = (float(column[i]) for column in numbers)
        lines[level] = _Line(slope, intercept, low, high, clean(fits["note"].iloc[i]))
    return lines


def _reason(ax: Axes, level: str, line: _Line | None, deep: int) -> None:
    """Say in an empty panel why it is empty."""
    add_heading(ax, _TITLES[level], lines=deep)
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set_visible(True)
        spine.set_color("#DDDDDD")
    words = wrap((line.note if line else "") or "not available", 3.2, 9.5)
    plain(
        ax.text(
            0.5,
            0.5,
            words,
            transform=ax.transAxes,
            ha="center",
            va="center",
            color=MUTED,
            fontsize=9.5,
        )
    )


def _words(ax: Axes, level: str, x_label: str, y_label: str) -> None:
    usual = (
        "unit's mean over the waves" if level == "between" else "above or below the unit's usual"
    )
    plain(ax.set_xlabel(wrap(f"{x_label}, {usual}", 3.9, 9, lines=3)))
    plain(ax.set_ylabel(wrap(f"{y_label}, {usual}", 3.6, 9, lines=3)))


def _points(ax: Axes, level: str, values: dict[str, FloatArray]) -> bool:
    """Draw the points of one panel; return whether any sampling interval was drawn."""
    x, y = values["x"], values["y"]
    colour = _COLOURS[level]
    many, flat = len(x) > _MANY, len(x) > _HUGE
    bar_colour, thin, faint = ("#8A8A8A", 0.4, 0.16) if many else (colour, 0.9, 0.4)
    ax.grid(True)
    if level == "within":
        ax.axhline(0, color="#5F5F5F", linewidth=0.9, zorder=1)
        ax.axvline(0, color="#5F5F5F", linewidth=0.9, zorder=1)
    across = np.isfinite(values["x_low"]) & np.isfinite(values["x_high"])
    along = np.isfinite(values["y_low"]) & np.isfinite(values["y_high"])
    if across.any():
        ax.hlines(
            y[across],
            values["x_low"][across],
            values["x_high"][across],
            color=bar_colour,
            linewidth=thin,
            alpha=faint,
            zorder=2,
            rasterized=flat,
        )
    if along.any():
        ax.vlines(
            x[along],
            values["y_low"][along],
            values["y_high"][along],
            color=bar_colour,
            linewidth=thin,
            alpha=faint,
            zorder=2,
            rasterized=flat,
        )
    ax.scatter(
        x,
        y,
        s=10 if many else 24,
        marker=_SHAPES[level],
        color=colour,
        zorder=3,
        alpha=0.5 if many else 0.85,
        linewidths=0 if many else 0.5,
        edgecolors="none" if many else "white",
        rasterized=flat,
    )
    return bool(across.any() or along.any())


def _fit(ax: Axes, x: FloatArray, line: _Line) -> bool:
    """Draw the line over the range of the points, and the fan of its slope's interval.

    Return whether the fan was drawn.
    """
    if np.isnan(line.slope) or np.isnan(line.intercept):
        return False
    ends = np.linspace(float(x.min()), float(x.max()), 61)
    outer = ends[[0, -1]]
    ax.plot(outer, line.intercept + line.slope * outer, color=INK, linewidth=1.8, zorder=5)
    if np.isnan(line.low) or np.isnan(line.high):
        return False
    centre = float(x.mean())
    middle = line.intercept + line.slope * centre
    one, other = middle + line.low * (ends - centre), middle + line.high * (ends - centre)
    ax.fill_between(
        ends,
        np.minimum(one, other),
        np.maximum(one, other),
        color="#777777",
        alpha=0.35,
        linewidth=0,
        zorder=4,
    )
    return True
