"""How every figure looks, carries its caption, and is written to a file.

Colours are those of Okabe and Ito, told apart by people with any common colour vision;
no figure depends on them: markers, line styles, hatches or lightness say the same in
black and white. Figures are built without pyplot, so nothing is opened or leaked.

References
----------
Okabe, M., & Ito, K. (2008). Color universal design: how to make figures and
presentations that are friendly to colorblind people. https://jfly.uni-koeln.de/color/
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar

from eecx.errors import OptionError

from .text import fonts, line_height, wrap

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Text

__all__ = [
    "INK",
    "MARKERS",
    "MUTED",
    "PALETTE",
    "RULE",
    "SERIES",
    "add_caption",
    "add_heading",
    "add_legend",
    "dress",
    "figure_context",
    "figure_of",
    "join",
    "label_ticks",
    "new_axes",
    "page",
    "plain",
    "render",
    "room",
    "save",
    "styled",
]

PALETTE: Mapping[str, str] = MappingProxyType(
    {
        "blue": "#0072B2",
        "vermillion": "#D55E00",
        "green": "#009E73",
        "orange": "#E69F00",
        "sky": "#56B4E9",
        "purple": "#CC79A7",
        "yellow": "#F0E442",
        "black": "#000000",
    }
)
"""The Okabe-Ito colours by name."""

INK = "#222222"
MUTED = "#5F5F5F"
RULE = "#C9C9C9"
_EDGE, _GRID = "#7A7A7A", "#E6E6E6"
MARKERS: tuple[str, ...] = ("o", "s", "^", "D", "v", "P", "X", "<")
SERIES: tuple[str, ...] = (
    PALETTE["blue"],
    PALETTE["vermillion"],
    PALETTE["green"],
    PALETTE["orange"],
    PALETTE["purple"],
    PALETTE["sky"],
    INK,
    "#8A8A8A",
)

P = ParamSpec("P")
R = TypeVar("R")

_CAPTION = 7.5  # points
_PAD = 0.12  # inches between the edge of a figure and its caption

_SETTINGS: Mapping[str, Any] = MappingProxyType(
    {
        "font.size": 9.0,
        "text.color": INK,
        "text.parse_math": False,
        "text.usetex": False,
        "axes.edgecolor": _EDGE,
        "axes.labelcolor": INK,
        "axes.labelsize": 9.0,
        "axes.linewidth": 0.8,
        "axes.titlesize": 10.5,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "axes.formatter.useoffset": False,
        "axes.formatter.use_mathtext": False,
        "xtick.color": _EDGE,
        "ytick.color": _EDGE,
        "xtick.labelcolor": INK,
        "ytick.labelcolor": INK,
        "xtick.labelsize": 8.5,
        "ytick.labelsize": 8.5,
        "grid.color": _GRID,
        "grid.linewidth": 0.7,
        "hatch.linewidth": 0.8,
        "legend.frameon": False,
        "legend.fontsize": 8.5,
        "figure.dpi": 100.0,
        "figure.constrained_layout.h_pad": 0.08,
        "figure.constrained_layout.w_pad": 0.08,
        "figure.facecolor": "white",
        "savefig.facecolor": "white",
        "savefig.dpi": 150.0,
        "svg.fonttype": "path",
        "svg.hashsalt": "eecx",
    }
)


@contextmanager
def figure_context() -> Iterator[None]:
    """Draw with the settings of eecx, whatever the user's own are; restore them afterwards.

    Mathematics in text is off: a unit called ``$x^2$`` is shown as these five characters.

    Examples
    --------
    >>> import matplotlib
    >>> with figure_context():
    ...     matplotlib.rcParams["svg.hashsalt"]
    'eecx'
    """
    import matplotlib.style

    with matplotlib.style.context(["default", {**_SETTINGS, "font.family": list(fonts())}]):
        yield


def styled(function: Callable[P, R]) -> Callable[P, R]:
    """Run a drawing function inside :func:`figure_context`."""

    @wraps(function)
    def inside(*args: P.args, **kwargs: P.kwargs) -> R:
        with figure_context():
            return function(*args, **kwargs)

    return inside


def render(figure: Figure, kind: Literal["png", "svg"]) -> bytes:
    """Return the figure as the bytes of a PNG (150 dpi) or SVG file.

    The same figure gives the same bytes: no date, no program version, fixed
    identifiers, and a layout that starts afresh instead of from the last drawing.

    Raises
    ------
    OptionError
        If ``kind`` is neither ``"png"`` nor ``"svg"``.
    """
    if kind not in ("png", "svg"):
        raise OptionError(
            f"A figure is written as 'png' or 'svg'; got {kind!r}.",
            code="not-accepted",
        )
    buffer = io.BytesIO()
    with figure_context():
        if figure.get_layout_engine() is not None:
            for axes in figure.get_axes():
                place = axes.get_subplotspec()
                if place is not None:
                    axes.set_subplotspec(place)
        metadata = {"Software": None} if kind == "png" else {"Date": None, "Creator": None}
        figure.savefig(buffer, format=kind, dpi=150, metadata=metadata)
    return buffer.getvalue()


def save(figure: Figure, path: str | Path) -> Path:
    """Write the figure to ``path``, a ``.png`` (150 dpi) or ``.svg`` file, and return the path.

    Saving again gives the same bytes; see :func:`render`.

    Raises
    ------
    OptionError
        If ``path`` ends in neither ``.png`` nor ``.svg``.
    """
    target = Path(path)
    ending = target.suffix.lower()
    if ending == ".png":
        content = render(figure, "png")
    elif ending == ".svg":
        content = render(figure, "svg")
    else:
        raise OptionError(
            f"A figure is saved as .png or .svg; got {target.name!r}.",
            code="not-accepted",
            fix="Change the ending.",
        )
    target.write_bytes(content)
    return target


def new_axes(ax: Axes | None, width: float, height: float) -> tuple[Axes, bool]:
    """Return ``ax``, or the axes of a new figure of this size in inches; and whether new.

    Raises
    ------
    OptionError
        If ``ax`` is given and is not Matplotlib Axes.
    """
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    if ax is None:
        figure = Figure(figsize=(width, height), layout="constrained")
        return figure.add_subplot(), True
    if not isinstance(ax, Axes):
        raise OptionError(
            f"ax must be Matplotlib Axes or None; got {type(ax).__name__}.",
            code="wrong-type",
        )
    dress(ax)
    return ax, False


def dress(ax: Axes) -> None:
    """Give axes that were made elsewhere the spines, ticks and grid of these figures."""
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        ax.spines[side].set_color(_EDGE)
    ax.set_axisbelow(True)
    ax.tick_params(labelsize=8.5, color=_EDGE, labelcolor=INK, grid_color=_GRID, grid_linewidth=0.7)


def figure_of(ax: Axes) -> Figure:
    """Return the whole figure that the axes are part of.

    Raises
    ------
    OptionError
        If the axes are in no figure.
    """
    figure = None if ax.figure is None else ax.figure.canvas.figure
    if figure is None:
        raise OptionError(
            "The axes are in no figure;",
            code="no-figure",
            fix="draw on axes that belong to one.",
        )
    return figure


def page(figure: Figure, width: float, height: float) -> Axes:
    """Return bare axes over the whole figure, measured in inches from the top left."""
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_axis_off()
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    return axes


def room(ax: Axes) -> float:
    """Return the width in inches that the axes have before any layout."""
    return float(ax.bbox.width / figure_of(ax).dpi)


def plain(text: Text) -> Text:
    """Make a text show its characters as they are, also when it is drawn elsewhere."""
    text.set_parse_math(False)
    text.set_usetex(False)
    return text


def add_heading(
    ax: Axes, title: str, *, note: str = "", inches: float | None = None, lines: int = 0
) -> Text:
    """Put a bold title, and below it a note in grey, above the axes at the left; return the title.

    The title is the axes' title when there is no note; otherwise the note is,
    and the title hangs above it, so that the layout makes room for both. The note
    takes at least ``lines`` lines, so that the titles of neighbouring panels align.
    """
    wide = room(ax) if inches is None else inches
    bold = wrap(title, wide, 10.5, bold=True)
    if not note and not lines:
        return plain(ax.set_title(bold, loc="left"))
    small = wrap(note, wide, 8.5) or " "
    small += "\n " * (lines - 1 - small.count("\n"))
    below = plain(ax.set_title(small, loc="left", fontsize=8.5, fontweight="normal", color=MUTED))
    return plain(
        ax.annotate(
            bold,
            xy=(0, 1),
            xycoords=("axes fraction", below),
            xytext=(0, 4),
            textcoords="offset points",
            fontsize=10.5,
            fontweight="bold",
            va="bottom",
            annotation_clip=False,
        )
    )


def add_caption(target: Figure | Axes, caption: str) -> Text | None:
    """Put a small grey text below a whole figure, or below axes inside someone's figure.

    A figure grows by the height of the text, for which its constrained layout makes room.
    """
    from matplotlib.figure import Figure

    if not caption:
        return None
    if isinstance(target, Figure):
        text = wrap(caption, target.get_figwidth() - 2 * _PAD, _CAPTION)
        more = (text.count("\n") + 1) * line_height(_CAPTION) + 0.1
        target.set_figheight(target.get_figheight() + more)
        return plain(
            target.supxlabel(
                text,
                x=_PAD / target.get_figwidth(),
                ha="left",
                fontsize=_CAPTION,
                color=MUTED,
                multialignment="left",
            )
        )
    return plain(
        target.annotate(
            wrap(caption, room(target), _CAPTION),
            xy=(0, 0),
            xycoords=("axes fraction", target.xaxis.label),
            xytext=(0, -5),
            textcoords="offset points",
            fontsize=_CAPTION,
            color=MUTED,
            va="top",
            annotation_clip=False,
        )
    )


def join(*sentences: str) -> str:
    """Join the sentences of a caption, each closed with a full stop, leaving out empty ones.

    Examples
    --------
    >>> join("120 units", "", "Bars: 95% intervals.")
    '120 units. Bars: 95% intervals.'
    """
    kept = [sentence.strip() for sentence in sentences if sentence and sentence.strip()]
    return " ".join(text if text[-1] in ".!?" else f"{text}." for text in kept)


def label_ticks(
    ax: Axes,
    which: Literal["x", "y"],
    places: list[float],
    labels: list[str],
    *,
    rotation: float = 0.0,
    size: float = 8.5,
) -> None:
    """Set tick labels that are user data: shown as they are."""
    axis = ax.xaxis if which == "x" else ax.yaxis
    axis.set_ticks(places)
    for text in axis.set_ticklabels(labels, rotation=rotation, fontsize=size):
        plain(text)


def add_legend(
    ax: Axes,
    handles: Sequence[Artist | tuple[Artist, ...]],
    labels: Sequence[str],
    **options: Any,
) -> None:
    """Add a legend whose labels are user data, also those that begin with an underscore."""
    legend = ax.legend(handles, [f"entry {i}" for i in range(len(labels))], **options)
    for text, label in zip(legend.get_texts(), labels, strict=True):
        plain(text).set_text(label)
