"""The errors that eecx raises and the cautions that its results carry.

Every error says what was given, what is accepted and what to do next. A doubtful
but usable number is not an error: it is a result with a :class:`Caution`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Real

__all__ = [
    "Caution",
    "ColumnError",
    "DataError",
    "EecxError",
    "EngineError",
    "FormulaError",
    "OptionError",
    "check_level",
    "listing",
    "nearest",
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


def check_level(conf_level: float) -> None:
    """Raise for a confidence level that is no share between 0.5 and 1."""
    if isinstance(conf_level, bool) or not (isinstance(conf_level, Real) and 0.5 <= conf_level < 1):
        raise OptionError(f"conf_level={conf_level!r}: a share such as 0.95.", code="out-of-range")


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
    lower = {text.casefold().strip(): text for text in texts}
    close = difflib.get_close_matches(str(name).casefold().strip(), list(lower), n=3, cutoff=0.6)
    if close:
        return f" Did you mean {listing([lower[c] for c in close], last=' or ')}?"
    return f" There is: {listing(texts)}." if texts else " There is none."


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
