"""Words and numbers as they are set in a figure: cleaned, measured, wrapped, rounded.

Labels are user data. They are shown as they are, never interpreted: no mathematics,
no markup, no control characters. Widths are measured with the font that will be
drawn, so a line that fits here fits on the page.
"""

from __future__ import annotations

import math
import re
import textwrap
import unicodedata
import warnings
from functools import cache, lru_cache

import pandas as pd

__all__ = ["clean", "fonts", "interval", "line_height", "number", "shorten", "width", "wrap"]

_SLACK = 1.03  # the drawn text is hinted and may be a little wider than its outlines
_MOST = 1000  # characters: a longer label is cut before it is measured
_FALLBACKS = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "PingFang SC",
    "Hiragino Sans",
    "Microsoft YaHei",
    "Malgun Gothic",
    "Noto Sans Arabic",
    "Noto Sans Hebrew",
    "Noto Sans Devanagari",
    "Noto Sans Thai",
)
_BREAKS = re.compile(r"[^\s_\-/:;,.|]*[_\-/:;,.|]*")


@cache
def fonts() -> tuple[str, ...]:
    """Return Matplotlib's own font, then installed fonts for the scripts it lacks."""
    from matplotlib import font_manager

    installed = set(font_manager.get_font_names())
    return ("DejaVu Sans", *(name for name in _FALLBACKS if name in installed))


def clean(label: object) -> str:
    r"""Return a label as one line of printable text.

    White space becomes one blank, control characters and lone surrogates a
    replacement mark, and what is missing an empty text.

    Examples
    --------
    >>> clean("store 7\n(north)")
    'store 7 (north)'
    """
    if label is None or label is pd.NA or label is pd.NaT:
        return ""
    if isinstance(label, float) and math.isnan(label):
        return ""
    text = " ".join(str(label)[: 4 * _MOST].split())
    if any(unicodedata.category(mark) in ("Cc", "Cs") for mark in text):
        text = "".join(
            "\ufffd" if unicodedata.category(mark) in ("Cc", "Cs") else mark for mark in text
        )
    return textwrap.shorten(text, _MOST, placeholder=" …") if len(text) > _MOST else text


@lru_cache(maxsize=8192)
def _width(text: str, bold: bool) -> float:
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextToPath

    if not text:
        return 0.0
    font = FontProperties(family=list(fonts()), weight="bold" if bold else "normal", size=100)
    with warnings.catch_warnings():  # a missing glyph is told of when it is drawn
        warnings.simplefilter("ignore", UserWarning)
        points, _, _ = TextToPath().get_text_width_height_descent(text, font, False)
    return _SLACK * points / 100 / 72


def width(text: str, size: float, *, bold: bool = False) -> float:
    """Return the width in inches of the widest line of a text set at ``size`` points."""
    return max(_width(line, bold) for line in text.split("\n")) * size


def line_height(size: float) -> float:
    """Return the height in inches that one line of text takes at ``size`` points."""
    return 1.22 * size / 72


def shorten(
    text: str, inches: float, size: float, *, bold: bool = False, inside: bool = False
) -> str:
    """Cut one line, with an ellipsis, until it is at most ``inches`` wide.

    It is cut at the end, or with ``inside`` in the middle, for names that may differ
    in their last characters only.
    """
    if width(text, size, bold=bold) <= inches:
        return text

    def cut(length: int) -> str:
        tail = length // 2 if inside else 0
        end = text[len(text) - tail :].lstrip()
        return f"{text[: length - tail].rstrip()}…{end}"

    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if width(cut(middle), size, bold=bold) <= inches:
            low = middle
        else:
            high = middle - 1
    return cut(low)


def wrap(
    label: object, inches: float, size: float, *, lines: int | None = None, bold: bool = False
) -> str:
    r"""Break a text into lines of at most ``inches`` at ``size`` points.

    Breaks fall between words, else after ``_ - / : ; , . |``, else between any two
    characters. With ``lines``, what remains after that many is cut with an ellipsis.

    Examples
    --------
    >>> wrap("employee experience of the store", 1.5, 9).split("\n")
    ['employee experience', 'of the store']
    """
    done: list[str] = []
    line = ""
    for word in clean(label).split():
        gap = " " if line else ""
        if width(line + gap + word, size, bold=bold) <= inches:
            line += gap + word
            continue
        if line:
            done.append(line)
            line = ""
        for piece in _pieces(word, inches, size, bold):
            if line and width(line + piece, size, bold=bold) > inches:
                done.append(line)
                line = ""
            line += piece
    if line:
        done.append(line)
    if lines is not None and len(done) > lines:
        rest = " ".join(done[lines - 1 :])
        done = [*done[: lines - 1], shorten(rest, inches, size, bold=bold)]
    return "\n".join(done)


def _pieces(word: str, inches: float, size: float, bold: bool) -> list[str]:
    """Split a word where it may be broken; a piece still too wide, into characters."""
    if width(word, size, bold=bold) <= inches:
        return [word]
    found = [piece for piece in _BREAKS.findall(word) if piece]
    return [
        part
        for piece in found
        for part in (piece if width(piece, size, bold=bold) > inches else [piece])
    ]


def _decimals(largest: float) -> int:
    if not math.isfinite(largest) or largest == 0:
        return 2
    if largest >= 1000:
        return 0
    if largest >= 10:
        return 1
    return min(2 if largest >= 0.1 else 1 - math.floor(math.log10(largest)), 6)


def number(value: float, decimals: int | None = None) -> str:
    """Return a number for reading, never rounded to a zero it is not.

    Examples
    --------
    >>> number(3.14159), number(0.0004, 2), number(12345.6)
    ('3.14', '0.0004', '12,346')
    """
    if not math.isfinite(value):
        return "not available"
    size = abs(value)
    if decimals is None:
        decimals = _decimals(size)
    if size >= 1e9 or 0 < size < 1e-6:
        text = f"{size:.2e}"
    else:
        text = f"{size:,.{decimals}f}"
        if size > 0 and float(text.replace(",", "")) == 0:
            text = f"{size:.{-math.floor(math.log10(size))}f}"
    shows_zero = float(text.replace(",", "")) == 0
    return f"\N{MINUS SIGN}{text}" if value < 0 and not shows_zero else text


def interval(estimate: float, low: float, high: float, *, lines: bool = False) -> str:
    """Return ``"3.20 (1.10 to 5.30)"``, or with ``lines`` the interval on a second line.

    Examples
    --------
    >>> interval(3.2, 1.1, 5.3)
    '3.20 (1.10 to 5.30)'
    """
    known = [abs(value) for value in (estimate, low, high) if math.isfinite(value)]
    decimals = _decimals(max(known, default=math.nan))
    if math.isnan(low) and math.isnan(high):
        return number(estimate, decimals)
    bounds = f"{number(low, decimals)} to {number(high, decimals)}"
    return (
        f"{number(estimate, decimals)}\n{bounds}"
        if lines
        else (f"{number(estimate, decimals)} ({bounds})")
    )
