"""How an index is distributed over units: one dot a unit, a bar for the middle half."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from eecx.errors import DataError

from .style import (
    INK,
    MUTED,
    SERIES,
    add_caption,
    add_heading,
    figure_of,
    join,
    label_ticks,
    new_axes,
    plain,
    styled,
)
from .tables import floats, require
from .text import clean, wrap

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["distribution"]

_LABEL = 2.2  # inches
_TALL = 0.62  # inches a row
_BINS = 60
_DOTS = 200  # more values than this are drawn as a histogram


@styled
def distribution(
    table: pd.DataFrame,
    *,
    label: str = "value",
    title: str = "",
    marks: Mapping[float, str] | None = None,
    what: str = "units",
    caption: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Show values as stacked dots, or as a histogram of many, one row a group, with quartiles.

    Parameters
    ----------
    table
        One row per unit: ``group``, ``value``.
    label, title
        Of the axis and of the figure.
    marks
        Values to mark by a line, and what they are.
    what
        What a dot is, in the plural.
    caption
        Printed below.
    ax
        Matplotlib axes to draw on; a new figure if not given.

    Raises
    ------
    ColumnError
        If a column is missing.
    DataError
        If a value is not a number or there is none.

    Examples
    --------
    >>> import pandas as pd
    >>> ax = distribution(pd.DataFrame({"group": ["a"] * 3, "value": [0.1, 0.2, 0.2]}))
    >>> len(ax.collections[0].get_offsets())
    3
    """
    table = require(table, ("group", "value"), name="table")
    values = floats(table, "value", name="table")
    groups = [clean(group) for group in table["group"]]
    kinds = list(dict.fromkeys(groups))
    if not np.isfinite(values).any():
        raise DataError("table has no value to draw;", code="no-rows", fix="give one row per unit.")
    ax, new = new_axes(ax, 7.2, _TALL * len(kinds) + 1.35)
    finite = values[np.isfinite(values)]
    width = max(float(np.ptp(finite)), 1e-9)
    for row, kind in enumerate(kinds):
        own = np.sort(
            values[
                [g == kind and bool(np.isfinite(v)) for g, v in zip(groups, values, strict=True)]
            ]
        )
        if not len(own):
            continue
        bins = np.floor((own - finite.min()) / width * (_BINS - 1)).astype(int)
        place = np.arange(len(own)) - np.searchsorted(bins, bins)
        colour = SERIES[row % len(SERIES)]
        if len(own) <= _DOTS:
            heights = row - 0.05 - 0.75 * place / max(int(place.max()) + 1, 6)
            ax.scatter(own, heights, s=13, color=colour, linewidth=0, alpha=0.75, zorder=3)
        else:
            tall = np.bincount(bins, minlength=_BINS) / np.bincount(bins).max() * 0.75
            step = width / (_BINS - 1)
            left = finite.min() + step * np.arange(_BINS)
            ax.bar(
                left,
                -tall,
                step,
                bottom=row - 0.03,
                align="edge",
                color=colour,
                alpha=0.85,
                zorder=3,
            )
        low, middle, high = np.quantile(own, [0.25, 0.5, 0.75])
        ax.hlines(row + 0.12, low, high, color=MUTED, linewidth=3.0, zorder=2)
        ax.plot([middle], [row + 0.12], "|", color=INK, markersize=9, markeredgewidth=1.8, zorder=4)
        plain(
            ax.text(
                1.01,
                row - 0.1,
                f"median {middle:.2f}",
                transform=ax.get_yaxis_transform(),
                va="center",
                fontsize=8,
                color=MUTED,
            )
        )
    ax.set_ylim(len(kinds) - 0.6, -0.95)
    for at, named in (marks or {}).items():
        ax.axvline(at, color="#8A8A8A", linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
        plain(
            ax.text(
                at,
                1.0,
                f" {clean(named)}",
                transform=ax.get_xaxis_transform(),
                fontsize=7.5,
                color=MUTED,
                va="top",
            )
        )
    ax.grid(True, axis="x")
    ax.tick_params(axis="y", length=0)
    label_ticks(
        ax,
        "y",
        [float(i) for i in range(len(kinds))],
        [wrap(k, _LABEL, 8.5, lines=3) for k in kinds],
    )
    ax.set_xlabel(label)
    if title:
        add_heading(ax, title, inches=5.0)
    bar = f"Bar: middle half of the {what}, with the median."
    add_caption(figure_of(ax) if new else ax, join(clean(caption), bar))
    return ax
