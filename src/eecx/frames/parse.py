"""How text in numeric cells becomes numbers, and the record of what was done."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

import numpy as np
import pandas as pd

from ..errors import DataError, OptionError, listing
from .plain import blank, too_long

__all__ = [
    "LEADING_ZERO",
    "NUMBER",
    "RECORD",
    "WHOLE",
    "Parse",
    "looks_numeric",
    "read_numbers",
    "same_as_written",
]

NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
PERCENT = re.compile(rf"({NUMBER.pattern})\s*%", re.ASCII)
CENSORED = re.compile(rf"(<=|>=|<|>|≤|≥)\s*(({NUMBER.pattern})\s*%?)", re.ASCII)
USUAL = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?", re.ASCII)
NOT_A_NUMBER = re.compile(r"[+-]?nan", re.ASCII | re.IGNORECASE)
INFINITE = re.compile(r"[+-]?inf(inity)?", re.ASCII | re.IGNORECASE)
WHOLE = re.compile(r"[+-]?\d+", re.ASCII)
LEADING_ZERO = re.compile(r"[+-]?0\d+", re.ASCII)
RECORD = ("column", "text", "as", "cells")


@dataclass(frozen=True)
class Parse:
    """How text in numeric cells is to be read; what was done is kept on the record.

    Without it such text is an error that lists the offenders. Blank cells are always missing.

    Parameters
    ----------
    missing : str, number or sequence of these
        Words (``"No Data"``, ``"."``, ``"N<15"``) and number codes (``99``) that stand for
        "no answer". Words are compared after stripping blanks, without regard to case; a word
        that is a number (``"99"``) is a code too.
    percent : {"fraction", "points"}, optional
        ``"82%"`` becomes 0.82 (``"fraction"``) or 82 (``"points"``). ``"points"`` is refused in a
        column that also holds plain numbers between 0 and 1, where it would mix two scales.
    censored : {"bound", "missing"}, optional
        ``"> 95%"`` becomes its bound (0.95) or missing. Neither is the true value: the
        record counts them.

    Examples
    --------
    >>> rules = Parse(missing=["No Data"], percent="fraction", censored="bound")
    >>> values, record = read_numbers(["82%", "0.8", "No Data", "> 95%"], "share", rules)
    >>> [float(v) for v in values]
    [0.82, 0.8, nan, 0.95]
    >>> record["as"].tolist()
    ['0.82', '0.95', 'missing']
    """

    missing: Sequence[str | float] | str | float = ()
    percent: Literal["fraction", "points"] | None = None
    censored: Literal["bound", "missing"] | None = None

    def __post_init__(self) -> None:
        alone = isinstance(self.missing, str) or not isinstance(self.missing, Iterable)
        missing = (self.missing,) if alone else tuple(self.missing)  # type: ignore[arg-type]
        known = str | int | float | np.number
        if odd := [m for m in missing if isinstance(m, bool) or not isinstance(m, known)]:
            raise OptionError(
                f"Parse(missing=): {listing(odd)} is neither a word nor a number.",
                code="wrong-type",
                fix="Give words such as 'No Data' and numbers such as 99.",
            )
        object.__setattr__(self, "missing", missing)
        for name, accepted in (
            ("percent", ("fraction", "points")),
            ("censored", ("bound", "missing")),
        ):
            value = getattr(self, name)
            if value is not None and value not in accepted:
                raise OptionError(
                    f"Parse({name}={value!r}): accepted are {listing(accepted)} or None.",
                    code="not-accepted",
                )

    @property
    def _given(self) -> tuple[str | float, ...]:
        return self.missing  # type: ignore[return-value]

    @property
    def words(self) -> frozenset[str]:
        """The words for "no answer", without blanks and case."""
        return frozenset(m.strip().casefold() for m in self._given if isinstance(m, str))

    @property
    def codes(self) -> tuple[float, ...]:
        """The numbers that stand for "no answer"."""
        return tuple(
            float(m) for m in self._given if not isinstance(m, str) or NUMBER.fullmatch(m.strip())
        )


def read_numbers(
    cells: Iterable[object], column: str, parse: Parse | None = None
) -> tuple[np.ndarray, pd.DataFrame]:
    """Read text cells as numbers and return them with a record of every cell not a plain number.

    Raises
    ------
    DataError
        Where a cell cannot be read under ``parse``; lists the distinct offenders with counts.
    """
    rules = parse or Parse()
    texts = pd.Series([None if blank(c) else str(c).strip() for c in cells], dtype=object)
    counts = texts.value_counts()
    meaning = {t: _read_text(t, rules) for t in counts.index}
    if offenders := [t for t, read in meaning.items() if read is None]:
        raise _offence(column, offenders, counts)
    read = {t: m for t, m in meaning.items() if m is not None}
    if long := [t for t, (value, _) in read.items() if not np.isnan(value) and _too_long(t)]:
        raise too_long(column, int(long[0]))
    if rules.percent == "points" and any("%" in t for t in read):
        fractions = [t for t, (v, how) in read.items() if not how and 0 < v < 1]
        if fractions:
            raise DataError(
                f"Column {column!r} mixes percent cells with plain fractions "
                f"({listing(sorted(fractions)[:3])}): Parse(percent='points') would put them on "
                "two scales.",
                code="mixed-scales",
                fix="Use percent='fraction'.",
            )
    values = texts.map({t: v for t, (v, _) in read.items()}).to_numpy(float)
    rows = [(column, t, how, int(counts[t])) for t, (_, how) in read.items() if how]
    record = pd.DataFrame(rows, columns=list(RECORD))
    return values, record.sort_values(["as", "text"], ignore_index=True)


def _read_text(text: str, rules: Parse) -> tuple[float, str] | None:
    """Return the value and how it was read (nothing for a plain number), None if it cannot be."""
    if text.casefold() in rules.words:
        return np.nan, "missing"
    if NOT_A_NUMBER.fullmatch(text):  # as programs write it
        return np.nan, "missing"
    if INFINITE.fullmatch(text):
        return float(text), ""  # is refused where it is used, as in any other data
    if NUMBER.fullmatch(text):
        return (np.nan, "missing") if float(text) in rules.codes else (float(text), "")
    if match := PERCENT.fullmatch(text):
        return _percent(match.group(1), rules)
    if (match := CENSORED.fullmatch(text)) and rules.censored is not None:
        if rules.censored == "missing":
            return np.nan, "missing (censored)"
        bound = match.group(2)
        return _percent(match.group(3), rules) if bound.endswith("%") else (float(bound), bound)
    return None


def _percent(number: str, rules: Parse) -> tuple[float, str] | None:
    if rules.percent is None:
        return None
    # a decimal shift keeps 82% equal to the 0.82 of another year's file
    value = float(Decimal(number).scaleb(-2) if rules.percent == "fraction" else number)
    return value, f"{value:g}"


def _offence(column: str, offenders: Sequence[str], counts: pd.Series[int]) -> DataError:
    ranked = sorted(offenders, key=lambda t: (-int(counts[t]), t))
    shown = ", ".join(f"{t[:30]!r} ({int(counts[t])})" for t in ranked[:10])
    more = f" and {len(ranked) - 10} more distinct texts" if len(ranked) > 10 else ""
    hints = []
    if any(PERCENT.fullmatch(t) for t in offenders):
        hints.append("percent='fraction' reads '82%' as 0.82")
    if any(CENSORED.fullmatch(t) for t in offenders):
        hints.append("censored='bound' or 'missing' decides on cells such as '> 95%'")
    if any(not PERCENT.fullmatch(t) and not CENSORED.fullmatch(t) for t in offenders):
        words = [t for t in ranked if not PERCENT.fullmatch(t) and not CENSORED.fullmatch(t)]
        hints.append(
            f"missing=[{', '.join(repr(w[:30]) for w in words[:4])}] reads these as no answer"
        )
    cells = sum(int(counts[t]) for t in offenders)
    return DataError(
        f"Column {column!r} should hold numbers, but {cells} cells hold text: {shown}{more}.",
        code="unread-text",
        fix=f"Say how to read them with parse=eecx.Parse(...): {'; '.join(hints)}.",
    )


def looks_numeric(cells: Iterable[object]) -> bool:
    """Return whether any text cell is a number, a percentage or a bound such as "> 95%"."""
    texts = {str(c).strip() for c in cells if not blank(c)}
    if any(LEADING_ZERO.fullmatch(t) or _too_long(t) for t in texts):
        return False  # "01" and "02" are names, and so are numbers that doubles would merge
    return any(p.fullmatch(t) for t in texts for p in (NUMBER, PERCENT, CENSORED))


def _too_long(text: str) -> bool:
    """Whether a text is a whole number of which a double would lose digits."""
    return len(text) > 15 and bool(WHOLE.fullmatch(text)) and int(text) != int(float(text))


def same_as_written(cells: Iterable[object]) -> bool:
    """Return whether texts are numbers, or true and false, that tell apart what the texts do.

    Each is written as usual: "7" and "7.5", not "007", "+7", "7.50" or "7E0". A whole number may
    end in ".0", as in a column that once had gaps, if it is not written without it as well.
    """
    texts = {str(c) for c in cells if not blank(c)}
    bare = {t.strip() for t in texts}
    if len({t.casefold() for t in bare} - {"true", "false"}) == 0:
        return len(texts) == len({t.casefold() for t in bare})
    if not all(USUAL.fullmatch(t) and t != "-0" for t in bare):
        return False
    usual = all("." not in t or repr(float(t)) == t for t in bare)
    return usual and len(texts) == len({Decimal(t) for t in bare})
