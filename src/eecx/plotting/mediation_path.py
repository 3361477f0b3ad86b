"""The paths of a mediation model: through what x goes with y."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from eecx.errors import DataError, listing

from .style import (
    INK,
    MUTED,
    PALETTE,
    RULE,
    figure_of,
    join,
    new_axes,
    page,
    plain,
    room,
    styled,
)
from .tables import floats, require
from .text import clean, interval, line_height, width, wrap

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["mediation_path"]

_PATHS = ("source", "target", "estimate", "conf_low", "conf_high")
_EFFECTS = ("effect", "estimate", "conf_low", "conf_high")
_BOX, _GAP, _PITCH, _MARGIN = 1.8, 1.75, 1.2, 0.3  # inches
_NAME, _LABEL, _SMALL = 9.5, 8.5, 7.5  # points


@dataclass(frozen=True)
class _Rect:
    """A rectangle by its centre and half sides, in inches."""

    x: float
    y: float
    across: float
    along: float

    def overlaps(self, other: _Rect, pad: float = 0.04) -> bool:
        return (
            abs(self.x - other.x) < self.across + other.across + pad
            and abs(self.y - other.y) < self.along + other.along + pad
        )

    def side(self, sign: int) -> tuple[float, float]:
        """Return the middle of the right (1) or left (-1) side, a little outside."""
        return self.x + sign * (self.across + 0.05), self.y

    def edge(self, x: float, y: float, pad: float = 0.05) -> tuple[float, float]:
        """Return where the line from the centre towards a point leaves the rectangle."""
        dx, dy = x - self.x, y - self.y
        across, along = self.across + pad, self.along + pad
        share = min(
            across / abs(dx) if dx else math.inf,
            along / abs(dy) if dy else math.inf,
        )
        return self.x + share * dx, self.y + share * dy


@dataclass(frozen=True)
class _Path:
    source: str
    target: str
    estimate: float
    low: float
    high: float

    @property
    def sure(self) -> bool:
        """Whether the interval excludes zero."""
        return self.low > 0 or self.high < 0

    @property
    def colour(self) -> str:
        if not self.sure:
            return "#6F6F6F"
        return PALETTE["blue"] if self.low > 0 else PALETTE["vermillion"]


@styled
def mediation_path(
    table: pd.DataFrame,
    *,
    x: str,
    y: str,
    effects: pd.DataFrame | None = None,
    caption: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw the paths from x through the mediators to y, with their estimates and intervals.

    A path is solid where its interval excludes zero and dashed where it does not.
    Mediators with paths between them (a short chain) stand beside each other, parallel
    ones below each other.

    Parameters
    ----------
    table
        One row per path: ``source``, ``target``, ``estimate``, ``conf_low``, ``conf_high``.
        What is neither ``x`` nor ``y`` is a mediator.
    x, y
        Names of the predictor and the outcome as they stand in ``table``.
    effects
        Printed below the paths: ``effect`` ("indirect", "total", …), ``estimate``,
        ``conf_low``, ``conf_high``.
    caption
        Printed below, after what the figure says of itself.
    ax
        Matplotlib axes to draw on (the drawing is made as small as they are); a new
        figure if not given.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ColumnError
        If a column is missing.
    DataError
        If a value is not a number, a path occurs twice, x or y has no path, or the paths
        run in a circle.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame(
    ...     {
    ...         "source": ["lead", "mood", "lead"],
    ...         "target": ["mood", "nps", "nps"],
    ...         "estimate": [0.5, 0.4, 0.1],
    ...         "conf_low": [0.3, 0.2, -0.1],
    ...         "conf_high": [0.7, 0.6, 0.3],
    ...     }
    ... )
    >>> ax = mediation_path(table, x="lead", y="nps")
    >>> [line.get_linestyle() for line in ax.lines]
    ['-', '-', '--']
    """
    from matplotlib.patches import FancyBboxPatch

    paths = _paths(require(table, _PATHS, name="table"), x, y)
    depth = _depths(paths, x, y)
    columns: list[list[str]] = [[] for _ in range(max(depth.values(), default=0))]
    for name, level in depth.items():
        columns[level - 1].append(name)
    rows = max((len(column) for column in columns), default=0)

    n_columns = len(columns) + 2
    wide = max(n_columns * _BOX + (n_columns - 1) * _GAP + 2 * _MARGIN, 7.0)
    gap = (wide - 2 * _MARGIN - _BOX) / (n_columns - 1)
    title = wrap(f"Paths from {clean(x)} to {clean(y)}", wide - 2 * _MARGIN, 10.5, bold=True)
    top = 0.2 + (title.count("\n") + 1) * line_height(10.5) + 0.5
    boxes: dict[str, _Rect] = {}
    names: dict[str, str] = {}
    extra = 0.15 if len(columns) < 2 else 0.6
    floor = top + rows * _PITCH + (extra if rows else 0.0)
    for c, column in enumerate([[x], *columns, [y]]):
        for r, name in enumerate(column):
            names[name] = wrap(name, _BOX - 0.2, _NAME, lines=3)
            tall = (names[name].count("\n") + 1) * line_height(_NAME) + 0.24
            down = floor if name in (x, y) else top + (r + rows - len(column)) * _PITCH
            boxes[name] = _Rect(_MARGIN + _BOX / 2 + c * gap, down, _BOX / 2, tall / 2)

    listed = _effects(effects)
    below = floor + max(boxes[x].along, boxes[y].along) + 0.3
    facts = wrap(
        join(
            "Estimates with their intervals below. Solid: the interval excludes 0 (blue: "
            "positive, orange-red: negative); dashed: it does not, or there is none",
            clean(caption),
        ),
        wide - 2 * _MARGIN,
        _SMALL,
    )
    after = below + (len(listed) * 0.21 + 0.25 if listed else 0.0)
    tall = after + (facts.count("\n") + 1) * line_height(_SMALL) + 0.15

    ax, scale = _sheet(ax, wide, tall)
    plain(ax.text(_MARGIN, 0.15, title, fontsize=10.5 * scale, fontweight="bold", va="top"))
    _arrows(ax, paths, boxes, {name for c in columns if len(c) > 1 for name in c}, scale)
    for name, box in boxes.items():
        ax.add_patch(
            FancyBboxPatch(
                (box.x - box.across, box.y - box.along),
                2 * box.across,
                2 * box.along,
                boxstyle="round,pad=0,rounding_size=0.06",
                facecolor="#F3F6F9",
                edgecolor=INK,
                linewidth=1.1,
                zorder=3,
            )
        )
        plain(
            ax.text(
                box.x,
                box.y,
                names[name],
                fontsize=_NAME * scale,
                ha="center",
                va="center",
                zorder=4,
            )
        )
    if listed:
        _list(ax, listed, below, wide, scale)
    plain(ax.text(_MARGIN, after, facts, fontsize=_SMALL * scale, color=MUTED, va="top"))
    return ax


def _paths(table: pd.DataFrame, x: str, y: str) -> list[_Path]:
    numbers = [floats(table, column, name="table") for column in _PATHS[2:]]
    for column in _PATHS[:2]:
        if table[column].isna().any():
            raise DataError(
                f"table: the column {column!r} has a missing value;",
                code="missing-values",
                fix="name every path.",
            )
    sources, targets = (table[column].astype(str).tolist() for column in _PATHS[:2])
    paths = [
        _Path(source, target, float(estimate), float(low), float(high))
        for source, target, estimate, low, high in zip(sources, targets, *numbers, strict=True)
    ]
    seen: set[tuple[str, str]] = set()
    for path in paths:
        if (path.source, path.target) in seen:
            raise DataError(
                f"table has the path from {path.source!r} to {path.target!r} more than once.",
                code="duplicate-rows",
                fix="Keep one of them.",
            )
        seen.add((path.source, path.target))
    for role, name, known in (("x", x, sources), ("y", y, targets)):
        if name not in known:
            raise DataError(
                f"table has no path {'from' if role == 'x' else 'to'} {role} = {name!r}; its "
                f"paths are {listing([f'{p.source} -> {p.target}' for p in paths])}.",
                code="missing-path",
            )
    return paths


def _depths(paths: list[_Path], x: str, y: str) -> dict[str, int]:
    """Return for each mediator the length of the longest way to it, from one."""
    names = dict.fromkeys(name for path in paths for name in (path.source, path.target))
    depth = {name: 1 for name in names if name not in (x, y)}
    between = [(p.source, p.target) for p in paths if p.source in depth and p.target in depth]
    circle = x == y or any(path.source == y or path.target == x for path in paths)
    for _ in range(len(depth) + 1):
        moved = [(s, t) for s, t in between if depth[t] <= depth[s]]
        for source, target in moved:
            depth[target] = depth[source] + 1
        if not moved:
            break
    else:
        circle = True
    if circle:
        raise DataError(
            f"The paths must run from x = {x!r} to y = {y!r} without a circle; got "
            f"{listing([f'{p.source} -> {p.target}' for p in paths])}.",
            code="circular-paths",
        )
    return depth


def _effects(effects: pd.DataFrame | None) -> list[tuple[str, str]]:
    if effects is None:
        return []
    effects = require(effects, _EFFECTS, name="effects")
    numbers = [floats(effects, column, name="effects") for column in _EFFECTS[1:]]
    return [
        (clean(name), interval(float(estimate), float(low), float(high)))
        for name, estimate, low, high in zip(effects["effect"], *numbers, strict=True)
    ]


def _sheet(ax: Axes | None, wide: float, tall: float) -> tuple[Axes, float]:
    """Return axes measured in inches, and the scale at which the drawing fits in them."""
    from matplotlib.figure import Figure

    if ax is None:
        return page(Figure(figsize=(wide, tall)), wide, tall), 1.0
    ax, _ = new_axes(ax, wide, tall)
    high = float(ax.bbox.height / figure_of(ax).dpi)
    ax.set_axis_off()
    ax.set_xlim(0, wide)
    ax.set_ylim(tall, 0)
    ax.set_aspect("equal")
    return ax, min(room(ax) / wide, high / tall, 1.0)


def _arrows(
    ax: Axes,
    paths: list[_Path],
    boxes: dict[str, _Rect],
    stacked: set[str],
    scale: float,
) -> None:
    """Draw the paths, and put each label where it is on no box, label or other path.

    Paths meet mediators that are stacked at the side, so as not to cross their neighbours.
    """
    ends = []
    for path in paths:
        source, target = boxes[path.source], boxes[path.target]
        start = source.side(1) if path.source in stacked else source.edge(target.x, target.y)
        stop = target.side(-1) if path.target in stacked else target.edge(source.x, source.y)
        if path.source not in stacked:
            start = source.edge(*stop)
        if path.target not in stacked:
            stop = target.edge(*start)
        ends.append((start, stop))
        _arrow(ax, start, stop, path)
    placed = list(boxes.values())
    for i, path in enumerate(paths):
        text = interval(path.estimate, path.low, path.high, lines=True)
        across = width(text, _LABEL) / 2 + 0.04
        along = (text.count("\n") + 1) * line_height(_LABEL) / 2 + 0.02
        # where paths fan out they lie furthest apart near the stacked mediators
        best = 0.5 + 0.2 * ((path.target in stacked) - (path.source in stacked))
        others = [end for k, end in enumerate(ends) if k != i]
        spot = min(_spots(*ends[i], across, along, best), key=lambda s: _cost(s, placed, others))
        placed.append(spot)
        plain(
            ax.text(
                spot.x,
                spot.y,
                text,
                fontsize=_LABEL * scale,
                ha="center",
                va="center",
                color=path.colour if path.sure else INK,
                zorder=5,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0},
            )
        )


def _arrow(ax: Axes, start: tuple[float, float], stop: tuple[float, float], path: _Path) -> None:
    from matplotlib.patches import Polygon

    dx, dy = stop[0] - start[0], stop[1] - start[1]
    length = math.hypot(dx, dy) or 1.0
    ux, uy = dx / length, dy / length
    neck = (stop[0] - 0.13 * ux, stop[1] - 0.13 * uy)
    ax.plot(
        [start[0], neck[0]],
        [start[1], neck[1]],
        linestyle="-" if path.sure else "--",
        color=path.colour,
        linewidth=1.8 if path.sure else 1.2,
        zorder=2,
    )
    wing = 0.05
    head = [
        stop,
        (neck[0] - wing * uy, neck[1] + wing * ux),
        (neck[0] + wing * uy, neck[1] - wing * ux),
    ]
    ax.add_patch(Polygon(head, closed=True, color=path.colour, linewidth=0, zorder=2))


def _spots(
    start: tuple[float, float],
    stop: tuple[float, float],
    across: float,
    along: float,
    best: float,
) -> list[_Rect]:
    """Return places for a label along a path, those near the share ``best`` of it first."""
    shares = sorted(np.linspace(0.15, 0.85, 29), key=lambda share: abs(share - best))
    return [
        _Rect(
            start[0] + share * (stop[0] - start[0]),
            start[1] + share * (stop[1] - start[1]),
            across,
            along,
        )
        for share in map(float, shares)
    ]


def _cost(
    spot: _Rect,
    placed: list[_Rect],
    others: list[tuple[tuple[float, float], tuple[float, float]]],
) -> int:
    """Count what a label would lie on: boxes and labels weigh more than lines."""
    on = sum(spot.overlaps(rect) for rect in placed)
    return 100 * on + sum(_crosses(spot, start, stop) for start, stop in others)


def _crosses(spot: _Rect, start: tuple[float, float], stop: tuple[float, float]) -> bool:
    share = np.linspace(0, 1, 60)
    x = start[0] + share * (stop[0] - start[0])
    y = start[1] + share * (stop[1] - start[1])
    inside = (np.abs(x - spot.x) < spot.across) & (np.abs(y - spot.y) < spot.along)
    return bool(inside.any())


def _list(ax: Axes, listed: list[tuple[str, str]], top: float, wide: float, scale: float) -> None:
    right = max(width(text, _LABEL) for _, text in listed)
    space = wide - 2 * _MARGIN - right - 0.4
    names = [wrap(name, space, _LABEL, lines=1) for name, _ in listed]
    left = max(width(name, _LABEL) for name in names)
    start = (wide - left - right - 0.4) / 2
    ax.plot([start, start + left + right + 0.4], [top, top], color=RULE, linewidth=0.8)
    for i, (name, (_, text)) in enumerate(zip(names, listed, strict=True)):
        at = top + 0.08 + 0.21 * i
        plain(ax.text(start, at, name, fontsize=_LABEL * scale, va="top"))
        plain(ax.text(start + left + 0.4, at, text, fontsize=_LABEL * scale, va="top"))
