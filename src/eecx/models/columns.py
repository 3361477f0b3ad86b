"""The columns of a model: what each is. They become text only when they are printed.

A column of the design is a term of the formula (or one level of its category) as it is, its part
within or between units, a contextual effect (the difference of these two slopes), the intercept or
the dummy of a wave. Which of these it is stands in ``part``, never in its name: a user's column may
be called anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from .. import formula as grammar
from ..panel import Design

__all__ = [
    "INTERCEPT",
    "NOTHING_TO_EXPLAIN",
    "Column",
    "Part",
    "called",
    "column_of",
    "columns_of_design",
]

Part = Literal["whole", "within", "between", "contextual", "intercept", "wave"]

NOTHING_TO_EXPLAIN = "There is nothing to explain: take another outcome."
WORDS = {"within": "within units", "between": "between units", "contextual": "contextual effect"}


@dataclass(frozen=True, repr=False)
class Column:
    """One column of a model: its printed name, which part of the term it is, and the term.

    Examples
    --------
    >>> engagement = Column("engagement", term=grammar.parse_terms("engagement")[0])
    >>> engagement.of("within")
    'engagement' (within units)
    """

    name: str
    part: Part = "whole"
    term: grammar.Term | None = None

    def of(self, part: Part) -> Column:
        """Return a part of the same column."""
        return replace(self, part=part)

    @property
    def whole(self) -> Column:
        """The column that this one is a part of."""
        return self.of("whole")

    def __str__(self) -> str:
        words = WORDS.get(self.part)
        return f"{self.name} ({words})" if words else self.name

    def __repr__(self) -> str:  # as messages print it
        words = WORDS.get(self.part)
        return f"{self.name!r} ({words})" if words else repr(self.name)


INTERCEPT = Column("(intercept)", "intercept")


def column_of(given: Column | str) -> Column:
    """Return a column; a name alone is that of a column as it is."""
    return given if isinstance(given, Column) else Column(given)


def columns_of_design(made: Design, terms: Iterable[grammar.Term]) -> tuple[Column, ...]:
    """Return what the columns of a design are, in their order."""
    return tuple(Column(name, "whole", term) for term in terms for name in made.spans[term.label])


def called(columns: Sequence[Column]) -> list[str]:
    """Return what columns are called where they are printed together.

    That is their name, but for two cases: the constant steps aside for a column of its name, and a
    column ``a:b`` beside the product of a and b goes in backticks, as in a formula.
    """
    taken = {c.name for c in columns if c.part != "intercept"}
    free = ("(intercept)", "(constant)", *(f"(constant {i})" for i in range(2, len(taken) + 3)))
    constant = next(name for name in free if name not in taken)
    whole = {c.whole for c in columns if c.part != "intercept"}
    names: dict[str, int] = {}
    for column in whole:
        names[column.name] = names.get(column.name, 0) + 1
    out = []
    for column in columns:
        name = column.name
        if column.part == "intercept":
            name = constant
        elif names[column.name] > 1 and column.term is not None:
            factors = column.term.factors
            if len(factors) == 1 and isinstance(factors[0], grammar.Name):
                name = factors[0].label
        out.append(name)
    return out
