"""A map of units and waves: who was surveyed when, by whom, and what is missing."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from eecx.errors import DataError

from .style import (
    PALETTE,
    add_caption,
    add_heading,
    add_legend,
    figure_of,
    join,
    label_ticks,
    new_axes,
    plain,
    room,
    styled,
)
from .tables import choices, require
from .text import clean, line_height, shorten, width, wrap

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

__all__ = ["STATUSES", "coverage"]

STATUSES: tuple[str, ...] = (
    "paired",
    "employees only",
    "customers only",
    "withheld",
    "missing value",
    "absent",
)
_COLOURS = (
    PALETTE["blue"],
    PALETTE["green"],
    PALETTE["orange"],
    "#2B2B2B",
    PALETTE["yellow"],
    "#F4F4F4",
)
# marks drawn on the cells of a small map, so that print needs no colour: marker, colour
_MARKS: dict[str, tuple[str, str]] = {
    "employees only": ("^", "white"),
    "customers only": ("v", "black"),
    "withheld": ("s", "white"),
    "missing value": ("x", "black"),
}
_NAMED = 60  # units: beyond, they are counted instead of named
_HUGE = 5000  # cells: beyond, an SVG holds the map as an image


@styled
def coverage(
    cells: pd.DataFrame,
    *,
    unit_label: str = "unit",
    wave_label: str = "wave",
    caption: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Map what there is for every unit in every wave.

    Units are sorted by the first wave in which they appear, then by how many of their
    cells are paired. Waves are in their own order if they are numbers, dates or an
    ordered categorical; texts are sorted with the numbers in them as numbers.

    Parameters
    ----------
    cells
        One row per unit and wave: ``unit``, ``wave``, ``status`` ("paired", "employees
        only", "customers only", "withheld", "missing value" or "absent"). A unit and
        wave without a row is absent.
    unit_label, wave_label
        What a unit and a wave are called.
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
        If a status is unknown, a unit and wave occurs twice, or there is no row.

    Examples
    --------
    >>> import pandas as pd
    >>> cells = pd.DataFrame(
    ...     {
    ...         "unit": ["a", "a", "b"],
    ...         "wave": [1, 2, 2],
    ...         "status": ["paired", "paired", "customers only"],
    ...     }
    ... )
    >>> coverage(cells, unit_label="store").get_ylabel()
    'store'
    """
    from matplotlib.axes import Axes
    from matplotlib.colors import ListedColormap

    cells = require(cells, ("unit", "wave", "status"), name="cells")
    status = choices(cells, "status", STATUSES, name="cells")
    _once(cells)
    waves = _ordered(cells["wave"])
    units, codes = _map(cells, status, waves)
    n_units, n_waves = codes.shape
    named = n_units <= _NAMED
    names = [shorten(_name(unit), 2.0, 7.5, inside=True) for unit in units] if named else []
    left = max((width(name, 7.5) for name in names), default=0.0)
    across = min(max(0.5 * n_waves + 4.2, 6.5), 11.0)
    wide = room(ax) if isinstance(ax, Axes) else across - 2.6 - left
    every, rotation, dates = _wave_labels([_name(wave) for wave in waves], wide)
    body = max(0.17 * n_units, 1.6) if named else 5.4
    below = 1.5 if rotation else 0.45

    ax, new = new_axes(ax, across, body + below + 1.0)
    ax.pcolormesh(
        np.arange(n_waves + 1) - 0.5,
        np.arange(n_units + 1) - 0.5,
        codes,
        cmap=ListedColormap(list(_COLOURS)),
        vmin=-0.5,
        vmax=len(STATUSES) - 0.5,
        edgecolors="white" if named and n_waves <= 40 else "none",
        linewidth=0.6 if named and n_waves <= 40 else 0,
        rasterized=codes.size > _HUGE,
    )
    ax.set_ylim(n_units - 0.5, -0.5)
    ax.set_xlim(-0.5, n_waves - 0.5)
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)
    marked = named and n_waves <= 30
    if marked:
        _marks(ax, codes)

    unit, wave = (shorten(clean(label), 1.5, 8.5) for label in (unit_label, wave_label))
    units_called = f"{n_units:,} units" + ("" if unit in ("unit", "") else f" ({unit})")
    waves_called = f"{n_waves:,} waves" + ("" if wave in ("wave", "") else f" ({wave})")
    note = f"{units_called}, {waves_called}"
    add_heading(ax, "Which units were surveyed when", note=note, inches=wide)
    label_ticks(
        ax, "x", [float(i) for i in range(0, n_waves, every)], dates[::every], rotation=rotation
    )
    label_ticks(ax, "y", [float(i) for i in range(len(names))], names, size=7.5)
    y_label = clean(unit_label) if named else f"{units_called}, sorted by first {wave}"
    plain(ax.set_xlabel(wrap(wave_label, wide, 9, lines=2)))
    plain(ax.set_ylabel(wrap(y_label, min(body, 4.0), 9, lines=2)))
    _key(ax, codes, marked)
    facts = join(
        f"{int((codes == 0).sum()):,} of {codes.size:,} cells (one per {unit or 'unit'} and "
        f"{wave or 'wave'}) are paired",
        clean(caption),
    )
    add_caption(figure_of(ax) if new else ax, facts)
    return ax


def _once(cells: pd.DataFrame) -> None:
    if cells.empty:
        raise DataError("cells has no row;", code="no-rows", fix="give one row per unit and wave.")
    for column in ("unit", "wave"):
        if cells[column].isna().any():
            raise DataError(
                f"cells: the column {column!r} has a missing value;",
                code="missing-values",
                fix=f"name every {column}.",
            )
    twice = cells.duplicated(["unit", "wave"])
    if twice.any():
        first = cells[twice].iloc[0]
        raise DataError(
            f"cells has unit '{clean(first['unit'])}' in wave '{clean(first['wave'])}' more than "
            "once;",
            code="duplicate-rows",
            fix="keep one row per unit and wave.",
        )


def _natural(value: object) -> tuple[tuple[int, float, str], ...]:
    parts = re.split(r"(\d+)", str(value))
    return tuple((0, float(p), "") if p.isdecimal() else (1, 0.0, p) for p in parts if p)


def _ordered(values: pd.Series) -> list[object]:
    """Return the distinct values in their own order."""
    distinct: list[object] = list(values.drop_duplicates())
    if isinstance(values.dtype, pd.CategoricalDtype) and values.cat.ordered:
        present = set(distinct)
        return [value for value in values.cat.categories if value in present]
    if pd.api.types.is_numeric_dtype(values) or pd.api.types.is_datetime64_any_dtype(values):
        return list(values.drop_duplicates().sort_values())
    if isinstance(values.dtype, pd.PeriodDtype):
        return list(values.drop_duplicates().sort_values())
    return sorted(distinct, key=_natural)


def _map(
    cells: pd.DataFrame, status: list[str], waves: list[object]
) -> tuple[list[object], npt.NDArray[np.int64]]:
    """Return the units in drawing order and the code of each cell's status."""
    units = _ordered(cells["unit"])
    row = {unit: i for i, unit in enumerate(units)}
    column = {wave: i for i, wave in enumerate(waves)}
    codes = np.full((len(units), len(waves)), len(STATUSES) - 1, dtype=np.int64)
    code = {name: i for i, name in enumerate(STATUSES)}
    for unit, wave, name in zip(cells["unit"], cells["wave"], status, strict=True):
        codes[row[unit], column[wave]] = code[name]
    present = codes != code["absent"]
    first = np.where(present.any(axis=1), present.argmax(axis=1), len(waves))
    order = np.lexsort((np.arange(len(units)), -(codes == 0).sum(axis=1), first))
    return [units[i] for i in order], codes[order]


def _name(value: object) -> str:
    if isinstance(value, (pd.Timestamp, datetime)) and value.time() == datetime.min.time():
        return value.date().isoformat()
    return value.isoformat() if isinstance(value, date) else clean(value)


def _marks(ax: Axes, codes: npt.NDArray[np.int64]) -> None:
    for name, (marker, colour) in _MARKS.items():
        rows, columns = np.nonzero(codes == STATUSES.index(name))
        if len(rows):
            ax.scatter(columns, rows, marker=marker, s=14, color=colour, linewidths=1)


def _wave_labels(names: list[str], inches: float) -> tuple[int, float, list[str]]:
    """Return how the waves are labelled: every so many, at which angle, and the labels.

    They lie level if they fit, else stand upright, else only every few of them do.
    """
    slot = max(inches, 1.0) / len(names)
    if max(width(name, 8.5) for name in names) * 1.12 + 0.05 <= slot:
        return 1, 0.0, names
    every = max(1, int(np.ceil(1.15 * line_height(8.5) / slot)))
    return every, 90.0, [shorten(name, 1.3, 8.5, inside=True) for name in names]


def _key(ax: Axes, codes: npt.NDArray[np.int64], marked: bool) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Artist | tuple[Artist, ...]] = []
    labels: list[str] = []
    for i, name in enumerate(STATUSES):
        count = int((codes == i).sum())
        if not count:
            continue
        patch = Patch(facecolor=_COLOURS[i], edgecolor="#9A9A9A", linewidth=0.6)
        if marked and name in _MARKS:
            marker, colour = _MARKS[name]
            dot = Line2D([], [], marker=marker, markersize=4, color=colour, linestyle="none")
            handles.append((patch, dot))
        else:
            handles.append(patch)
        labels.append(f"{name}: {count:,}")
    add_legend(
        ax,
        handles,
        labels,
        loc="upper left",
        bbox_to_anchor=(1.01, 1.0),
        title="cells",
        alignment="left",
        handlelength=1.4,
        handleheight=1.2,
    )
