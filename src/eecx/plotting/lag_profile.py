"""A profile over lags: at which distance in time two measures go together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from eecx.errors import DataError

from .style import (
    MUTED,
    PALETTE,
    add_caption,
    figure_of,
    join,
    new_axes,
    plain,
    room,
    styled,
)
from .tables import FloatArray, floats, require
from .text import clean, line_height, shorten, width, wrap

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["lag_profile"]

_COLUMNS = ("lag", "estimate", "conf_low", "conf_high", "n")
# after, same wave, before: told apart by marker as well as colour
_SIDES = ((-1, "s", PALETTE["vermillion"]), (0, "D", "#444444"), (1, "o", PALETTE["blue"]))


@styled
def lag_profile(
    table: pd.DataFrame,
    *,
    x_label: str,
    y_label: str,
    step_label: str = "step",
    caption: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Show the association of x and y for each distance in time between them.

    A positive lag means that x was measured before y, a negative one that x was
    measured after y. The profile is descriptive: a peak on one side is not evidence
    that this side comes first.

    Parameters
    ----------
    table
        One row per lag: ``lag``, ``estimate``, ``conf_low``, ``conf_high``, and ``n``,
        the number of pairs, which is printed at the foot below each point.
    x_label, y_label
        Names of the measures.
    step_label
        What the distance between neighbouring waves is called ("quarter", "month").
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
        If a value is not a number, a lag is missing or there is no row.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame(
    ...     {
    ...         "lag": [-1, 0, 1],
    ...         "estimate": [0.1, 0.4, 0.3],
    ...         "conf_low": [-0.1, 0.2, 0.1],
    ...         "conf_high": [0.3, 0.6, 0.5],
    ...         "n": [80, 100, 80],
    ...     }
    ... )
    >>> lag_profile(table, x_label="engagement", y_label="NPS").get_xlabel()
    'lag in steps (0: same wave)'
    """
    table = require(table, _COLUMNS, name="table")
    values = {column: floats(table, column, name="table") for column in _COLUMNS}
    if not len(table) or np.isnan(values["lag"]).any():
        raise DataError(
            "table: every row needs a lag, and there must be at least one row.",
            code="missing-values",
        )
    order = np.argsort(values["lag"], kind="stable")
    values = {column: array[order] for column, array in values.items()}
    lags = values["lag"]

    ax, new = new_axes(ax, 8.5, 4.6)
    inside = room(ax) + 0.6 if new else 0.8 * room(ax)
    ax.grid(True, axis="y")
    ax.axhline(0, color="#8A8A8A", linewidth=0.9, zorder=1)
    ax.axvline(0, color="#C9C9C9", linewidth=0.9, linestyle=(0, (2, 2)), zorder=1)
    for side, marker, colour in _SIDES:
        here = (np.sign(lags) == side) & np.isfinite(values["estimate"])
        barred = here & np.isfinite(values["conf_low"]) & np.isfinite(values["conf_high"])
        if barred.any():
            ax.vlines(
                lags[barred],
                values["conf_low"][barred],
                values["conf_high"][barred],
                color=colour,
                linewidth=1.6,
                zorder=3,
            )
        if here.any():
            ax.plot(
                lags[here],
                values["estimate"][here],
                marker,
                color=colour,
                markersize=5.5,
                markeredgecolor="white",
                markeredgewidth=0.6,
                zorder=4,
            )

    span = max(float(np.ptp(lags)), 1.0)
    edge = max(0.04 * span, 0.4)
    ax.set_xlim(float(lags.min()) - edge, float(lags.max()) + edge)
    slot = inside * _gap(lags) / (span + 2 * edge)
    upright = _counts(ax, lags, values["n"], slot)
    _lift(ax, values, 0.13 if upright else 0.08)
    _ticks(ax, lags, slot / _gap(lags))
    steps = clean(step_label)
    plain(ax.set_xlabel(wrap(f"lag in {_plural(steps)} (0: same wave)", inside, 9, lines=2)))
    x_name, y_name = clean(x_label), clean(y_label)
    y_words = f"association of {shorten(x_name, 4, 9)} with {shorten(y_name, 4, 9)}"
    plain(ax.set_ylabel(wrap(y_words, 3.2, 9, lines=4)))
    _words(ax, lags, x_name, y_name, inside, beside=new)
    facts = join(
        "Bars: intervals of the estimates; along the foot: number of pairs (n) at each lag",
        "A peak on one side does not show what comes first",
        clean(caption),
    )
    add_caption(figure_of(ax) if new else ax, facts)
    return ax


def _plural(word: str) -> str:
    return word if word.endswith("s") or not word else f"{word}s"


def _gap(lags: FloatArray) -> float:
    gaps = np.diff(np.unique(lags))
    return float(gaps.min()) if len(gaps) else 1.0


def _counts(ax: Axes, lags: FloatArray, n: FloatArray, slot: float) -> bool:
    """Print n at the foot below each point; return whether the figures stand upright."""
    texts = [f"{value:,.0f}" if np.isfinite(value) else "" for value in n]
    widest = max(width(text, 7.5) for text in texts)
    named = max(width(f"n={text}", 7.5) for text in texts) + 0.08 <= slot
    upright = widest + 0.06 > slot
    for lag, text in zip(lags, texts, strict=True):
        plain(
            ax.text(
                float(lag),
                0.015,
                f"n={text}" if named and text else text,
                transform=ax.get_xaxis_transform(),
                ha="center",
                va="bottom",
                fontsize=7.5 if not upright else min(7.5, max(4.5, slot * 72 / 1.25)),
                color=MUTED,
                rotation=90 if upright else 0,
                zorder=2,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},
            )
        )
    return upright


def _lift(ax: Axes, values: dict[str, FloatArray], share: float) -> None:
    """Leave the lowest ``share`` of the axes, and a margin above, free of points."""
    known = np.concatenate([values[c] for c in ("estimate", "conf_low", "conf_high")] + [[0.0]])
    low, high = float(np.nanmin(known)), float(np.nanmax(known))
    height = (high - low) or 1.0
    ax.set_ylim(low - height * (share + 0.05) / (0.95 - share), high + 0.05 * height)


def _ticks(ax: Axes, lags: FloatArray, inch: float) -> None:
    """Mark whole lags, every one of them or as many as there is room for."""
    every = max(1, int(np.ceil(0.32 / inch)))
    first = int(np.ceil(lags.min() / every)) * every
    places = list(range(first, int(np.floor(lags.max())) + 1, every))
    if places:
        ax.set_xticks(places, [f"{place}".replace("-", "\N{MINUS SIGN}") for place in places])


def _words(ax: Axes, lags: FloatArray, x: str, y: str, inches: float, *, beside: bool) -> None:
    """Say above the axes what the two directions mean, and head the figure.

    The two stand beside each other, or above each other where the width is not ours.
    """
    left, right = bool((lags < 0).any()), bool((lags > 0).any())
    wide = inches * (0.46 if left and right and beside else 0.95)
    x, y = shorten(x, 1.2 * wide, 8.5), shorten(y, 1.2 * wide, 8.5)
    texts: list[tuple[float, Literal["left", "right"], str, str]] = []
    if left:
        words = wrap(f"← {x} lags: measured AFTER {y}", wide, 8.5)
        texts.append((0.0, "left", words, _SIDES[0][2]))
    if right:
        words = wrap(f"{x} leads: measured BEFORE {y} →", wide, 8.5)
        texts.append((1.0, "right", words, _SIDES[2][2]))
    up = most = 0
    for place, side, words, colour in texts:
        plain(
            ax.annotate(
                words,
                xy=(place, 1),
                xycoords="axes fraction",
                xytext=(0, 5 + up * 72 * line_height(8.5)),
                textcoords="offset points",
                ha=side,
                va="bottom",
                fontsize=8.5,
                color=colour,
                multialignment=side,
                annotation_clip=False,
            )
        )
        lines = words.count("\n") + 1
        most = max(most, up + lines)
        up += 0 if beside else lines
    above = 10 + most * 72 * line_height(8.5) if most else 6  # points
    title = wrap("Association by lag (descriptive)", inches, 10.5, bold=True)
    plain(ax.set_title(title, loc="left", pad=above))
