"""The terms to be summed: which columns they are made of, and their values."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence

from .. import formula
from ..errors import OptionError, listing
from .arrays import Array

__all__ = ["columns_of", "read_terms", "term_values"]


def read_terms(terms: Sequence[str] | str, columns: Container[str]) -> list[formula.Term]:
    """Read terms; a text that is a column's name is that column."""
    parsed: list[formula.Term] = []
    given = [terms] if isinstance(terms, str) or not isinstance(terms, Iterable) else list(terms)
    if odd := [text for text in given if not isinstance(text, str)]:
        raise OptionError(
            f"terms={terms!r:.60}: {listing(odd)} is no name of a column.",
            code="wrong-type",
            fix="Name columns as text, as in terms=['x', 'y'].",
        )
    for text in given:
        # a column may carry any name; only what is no column is grammar
        if text in columns or not any(mark in text for mark in ":(^*+`"):
            parsed.append(formula.Term((formula.Name(text),)))
        else:
            parsed.extend(formula.parse_terms(text))
    for term in parsed:
        for factor in term.factors:
            if isinstance(factor, formula.Lag | formula.Category):
                raise OptionError(
                    f"{factor.label} needs a panel:",
                    code="needs-panel",
                    fix="make the column first, or use regress(panel, …).",
                )
    if not parsed:
        raise OptionError(
            "Moments need at least one term.",
            code="no-terms",
            fix="Name a column in terms=.",
        )
    return parsed


def columns_of(parsed: Sequence[formula.Term], weight: str | None) -> list[str]:
    """Return the columns of numbers that terms are made of, then the weight."""
    factors = [f for t in parsed for f in t.factors if not isinstance(f, formula.Level)]
    used = dict.fromkeys(f.column for f in factors)
    return [*used, *([weight] if weight and weight not in used else [])]


def term_values(term: formula.Term, column: Mapping[str, Array]) -> Array:
    """Evaluate a product of columns and powers."""
    out: Array | None = None
    for factor in term.factors:
        value = column[factor.column]
        if isinstance(factor, formula.Power):
            value = value**factor.exponent
        out = value if out is None else out * value
    if out is None:
        raise OptionError("A term has no factor.", code="no-terms", fix="Name a column.")
    return out
