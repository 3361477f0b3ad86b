"""The errors that eecx raises and the cautions that its results carry.

Every error says what was given, what is accepted and what to do next. A doubtful
but usable number is not an error: it is a result with a :class:`Caution`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

__all__ = [
    "Caution",
    "ColumnError",
    "DataError",
    "EecxError",
    "EngineError",
    "FormulaError",
    "OptionError",
    "check_source",
    "into_a_frame",
    "listing",
    "meant",
    "nearest",
    "wrong_source",
]


class EecxError(Exception):
    """Root of all errors of eecx.

    Attributes
    ----------
    code : str
        A stable name of what is wrong, for programs; the page *Codes* lists them.
    fix : str
        What to do next; it is the end of the message too.

    Examples
    --------
    >>> error = OptionError("draws=0: a whole number.", code="draws", fix="Leave it out.")
    >>> str(error), error.code, error.fix
    ('draws=0: a whole number. Leave it out.', 'draws', 'Leave it out.')
    """

    code = "error"
    fix = ""

    def __init__(self, message: str = "", *, code: str = "", fix: str = "") -> None:
        fix = fix.strip()
        parts = (message,) if message.endswith(fix) else (message, fix)
        super().__init__(" ".join(text for text in parts if text))
        self.code, self.fix = code or type(self).code, fix


class DataError(EecxError, ValueError):
    """The data do not allow what was asked; the message names column, unit or wave."""

    code = "data"


class ColumnError(DataError, KeyError):
    """A named column is not in the data; the message lists near matches."""

    code = "column"

    def __str__(self) -> str:  # KeyError would print the repr of the message
        return str(self.args[0]) if self.args else ""


class OptionError(EecxError, ValueError):
    """An argument has a value that is not accepted; the message lists those that are."""

    code = "option"


class FormulaError(EecxError, ValueError):
    """A formula cannot be read; the message points at the place."""

    code = "formula"


class EngineError(EecxError, ImportError):
    """A file or frame needs a package that is not installed; the message names the extra."""

    code = "engine"


HOLDS = {
    "Survey": "answers of people",
    "Panel": "scores of units, no answers of people",
    "Moments": "sums",
    "Counts": "counts of answers",
    "Result": "what an analysis found",
    "Evidence": "what the examination of a claim found",
    "Release": "tables to be published",
}
MADE = {
    "Survey": "Make one from the answers of people: eecx.Survey(answers, unit=…, measures={…}).",
    "Panel": "Make one from two surveys with eecx.link(), or from scores of units with "
    "eecx.Panel.from_frame().",
    "Result": "eecx.regress() and the other analyses return one.",
    "Evidence": "eecx.examine_claim() returns it.",
    "data frame": "Give the rows: a frame of pandas, Polars, PyArrow or Spark, or a path.",
}


def check_source(function: str, given: object, *takes: type, frames: bool = False) -> None:
    """Refuse data of a kind that a function does not take; say which it takes, and how to make it.

    ``takes`` are classes of eecx, the usual one first. With ``frames`` a path passes too, and what
    has columns and is none of these classes: opening it tells whether it is a data frame.

    Examples
    --------
    >>> class Panel: ...
    >>> check_source("lag_profile", 3, Panel)
    Traceback (most recent call last):
    eecx.errors.OptionError: lag_profile takes an eecx.Panel, not an int. Make one from two
    surveys with eecx.link(), or from scores of units with eecx.Panel.from_frame().
    """
    if not (isinstance(given, takes) or (frames and _has_rows(given))):
        raise wrong_source(function, given, *takes, frames=frames)


def wrong_source(function: str, given: object, *takes: type, frames: bool = False) -> OptionError:
    """Return the error of data that a function does not take."""
    names = [one.__name__ for one in takes]
    words = [f"eecx.{n}" if n.endswith("s") else f"an eecx.{n}" for n in names]
    words += ["a data frame"] * frames
    taken = " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
    kind = type(given).__name__
    held = f" ({HOLDS[kind]})" if _made_here(given) else ""
    what = "None" if given is None else f"{'an' if kind[0] in 'AEIOUaeiou' else 'a'} {kind}{held}"
    fix = MADE.get(names[0] if names else "", MADE["data frame"])
    return OptionError(
        f"{function} takes {taken}, not {what}.",
        code="wrong-source",
        fix=into_a_frame(given) if frames and not _made_here(given) else fix,
    )


def into_a_frame(given: object) -> str:
    """Return how what is no data frame becomes one."""
    if callable(getattr(given, "to_frame", None)):
        return "Make a data frame of it first, with its to_frame()."
    if isinstance(given, Iterable) and not isinstance(given, str | bytes):
        return "Make a data frame of it first, with named columns: pandas.DataFrame(…)."
    return MADE["data frame"]


def _made_here(given: object) -> bool:
    """Whether this is something that eecx makes of data."""
    kind = type(given)
    return kind.__name__ in HOLDS and kind.__module__.partition(".")[0] == "eecx"


def _has_rows(given: object) -> bool:
    """Whether this may be a data frame of some engine, or the path of a file."""
    # asked of the class: a lazy frame would have to look for its columns
    rows = isinstance(given, str | Path) or hasattr(type(given), "columns")
    return rows and not _made_here(given)


@dataclass(frozen=True)
class Caution:
    """A warning carried by a result: a stable code, a sentence, and what it concerns.

    ``fix``, what to do next, is the end of the message too.
    """

    code: str
    message: str
    concerns: str = ""
    fix: str = ""

    def __post_init__(self) -> None:
        if self.fix and not self.message.endswith(self.fix):
            object.__setattr__(self, "message", f"{self.message} {self.fix}")


def nearest(name: object, options: Iterable[object]) -> str:
    """Return ``" Did you mean 'x'?"`` for close names, else a short list of what there is.

    Examples
    --------
    >>> nearest("engagment", ["engagement", "nps"])
    " Did you mean 'engagement'?"
    >>> nearest("zzz", ["engagement", "nps"])
    " There is: 'engagement', 'nps'."
    """
    texts = [str(option) for option in options]
    if close := meant(name, texts):
        return f" {close}"
    return f" There is: {listing(texts)}." if texts else " There is none."


def meant(name: object, options: Iterable[object]) -> str:
    """Return ``"Did you mean 'x'?"`` for close names, nothing where none is close.

    Examples
    --------
    >>> meant("withn", ["between", "within"]), meant("zzz", ["between", "within"])
    ("Did you mean 'within'?", '')
    """
    lower = {str(option).casefold().strip(): str(option) for option in options}
    close = difflib.get_close_matches(str(name).casefold().strip(), list(lower), n=3, cutoff=0.6)
    return f"Did you mean {listing([lower[c] for c in close], last=' or ')}?" if close else ""


def listing(items: Iterable[object], *, most: int = 8, last: str = ", ") -> str:
    """Return items quoted and separated by commas, at most ``most`` of them.

    Examples
    --------
    >>> listing(["a", 2, "c"], most=2)
    "'a', 2 and 1 more"
    """
    shown = [repr(item) if isinstance(item, str) else str(item) for item in items]
    extra = len(shown) - most
    if extra > 0:
        return f"{', '.join(shown[:most])} and {extra} more"
    if len(shown) < 2:
        return "".join(shown)
    return f"{', '.join(shown[:-1])}{last}{shown[-1]}"
