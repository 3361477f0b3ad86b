"""A bar for each stage of the data: how much was kept, how much was lost, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from eecx.errors import DataError

from .style import (
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
from .tables import floats, require
from .text import clean, line_height, wrap

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["audit_flow"]

_COLUMNS = ("stage", "side", "cells", "lost", "reason")
_TEXT = 3.2  # inches for what stands beside a bar
_BAR = 0.2  # inches


@styled
def audit_flow(stages: pd.DataFrame, *, caption: str = "", ax: Axes | None = None) -> Axes:
    """Show, stage by stage, the cells that went on and the cells that were lost.

    Parameters
    ----------
    stages
        One row per stage and side, drawn from the top: ``stage``, ``side`` ("employees",
        "customers", …), ``cells`` that are left after the stage, ``lost`` at the stage
        (missing: none), and ``reason``. The length of a bar is what entered the stage.
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
        If a count is not a number or is negative, ``cells`` is missing, or there is no row.

    Examples
    --------
    >>> import pandas as pd
    >>> stages = pd.DataFrame(
    ...     {
    ...         "stage": ["scored", "linked"],
    ...         "side": ["employees"] * 2,
    ...         "cells": [90, 80],
    ...         "lost": [10, 10],
    ...         "reason": ["fewer than 5 answers", "no partner"],
    ...     }
    ... )
    >>> len(audit_flow(stages).get_yticklabels())
    2
    """
    from matplotlib.patches import Patch

    stages = require(stages, _COLUMNS, name="stages")
    if stages.empty:
        raise DataError(
            "stages has no row;",
            code="no-rows",
            fix="give one row per stage and side.",
        )
    kept = floats(stages, "cells", name="stages")
    lost = np.nan_to_num(floats(stages, "lost", name="stages"))
    if np.isnan(kept).any() or (kept < 0).any() or (lost < 0).any():
        raise DataError(
            "stages: 'cells' must be given, and neither 'cells' nor 'lost' negative.",
            code="out-of-range",
        )
    names = [clean(name) for name in stages["stage"]]
    sides = [clean(side) for side in stages["side"]]
    kinds = list(dict.fromkeys(sides))
    texts = [
        _beside(float(k), float(m), clean(reason))
        for k, m, reason in zip(kept, lost, stages["reason"], strict=True)
    ]

    places: list[float] = []
    heads: list[tuple[float, str]] = []
    y = 0.0
    for i, name in enumerate(names):
        if i == 0 or name != names[i - 1]:
            head = wrap(name, 5.0, 9, lines=2, bold=True)
            y += 0.1 if i else 0.0
            heads.append((y, head))
            y += (head.count("\n") + 1) * line_height(9) + 0.06
        tall = max(_BAR, (texts[i].count("\n") + 1) * line_height(8)) + 0.08
        places.append(y + tall / 2)
        y += tall

    ax, new = new_axes(ax, 9.0, y + 1.35)
    ax.set_ylim(y, -0.1)
    ax.spines["left"].set_visible(False)
    ax.set_xlim(0, float((kept + lost).max()) * 1.02 or 1.0)
    ax.tick_params(axis="y", length=0)
    ax.grid(True, axis="x")
    for k, kind in enumerate(kinds):
        here = np.array([side == kind for side in sides])
        at = np.array(places)[here]
        colour = SERIES[k % len(SERIES)]
        ax.barh(at, kept[here], height=_BAR, color=colour, zorder=3)
        ax.barh(
            at,
            lost[here],
            left=kept[here],
            height=_BAR,
            color="white",
            edgecolor=colour,
            hatch="/////",
            linewidth=0.8,
            zorder=3,
        )
    for place, text in zip(places, texts, strict=True):
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
    for place, head in heads:
        plain(
            ax.text(
                0.0,
                place,
                head,
                transform=ax.get_yaxis_transform(),
                ha="left",
                va="top",
                fontsize=9,
                fontweight="bold",
                zorder=5,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0},
            )
        )
    label_ticks(ax, "y", places, [wrap(side, 1.4, 8.5, lines=1) for side in sides])
    ax.set_xlabel("cells (one per unit and wave)")
    title = add_heading(ax, "What was kept and what was lost", inches=4.5)
    plain(ax.set_title(title.get_text(), loc="left", pad=24))
    add_legend(
        ax,
        [Patch(facecolor="#8A8A8A"), Patch(facecolor="white", edgecolor="#8A8A8A", hatch="/////")],
        ["kept", "lost at this stage"],
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0),
        ncols=2,
        borderaxespad=0.3,
        borderpad=0.2,
        handlelength=1.6,
    )
    facts = join("The length of a bar is what entered the stage", clean(caption))
    add_caption(figure_of(ax) if new else ax, facts)
    return ax


def _beside(kept: float, lost: float, reason: str) -> str:
    loss = f", {lost:,.0f} lost" if lost else ", none lost"
    because = f": {reason}" if reason and lost else ""
    return wrap(f"{kept:,.0f} kept{loss}{because}", _TEXT, 8, lines=4)
