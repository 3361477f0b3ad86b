"""A small grammar for models: text becomes terms, and nothing in the text is ever evaluated.

``nps ~ engagement * size + lag(nps)`` names a response and the terms that go with it.
The intercept is always part of a model. The grammar, loosest binding first::

    formula     = name "~" sum
    sum         = product {"+" product}              1 may be added and changes nothing
    product     = interaction {"*" interaction}      a*b is a + b + a:b
    interaction = group {":" group}
    group       = atom | "(" sum ")" ["^" whole]     (a + b + c)^2: up to two-way interactions
    atom        = name | "I(" name "^" whole ")" | "C(" name ")"
                | "lag(" name ["," steps] ")" | "lags(" name "," steps ":" steps ")"

``**`` is the same as ``^``. A name is an identifier in any script, with dots inside as in R;
any other column name goes in backticks, where a backtick is doubled.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from itertools import combinations
from typing import TypeAlias

from .errors import FormulaError, listing

__all__ = [
    "Category",
    "Factor",
    "Formula",
    "Lag",
    "Level",
    "Name",
    "Power",
    "Term",
    "parse",
    "parse_terms",
]

MAX_LENGTH = 10_000
MAX_DEPTH = 20
MAX_TERMS = 500
MAX_FACTORS = 9  # of an interaction; also the largest power

ACCEPTED = (
    "Accepted: column names, `any other name` in backticks, a + b, a:b, a*b, (a + b)^2, "
    "I(a^2), C(a), lag(a), lag(a, 2), lags(a, 0:3)."
)
# what stands between the parentheses, a name as "n" and blanks left out, and how to write it
FUNCTIONS = {
    "C": (r"n", "C() holds one column name: C(x)."),
    "I": (r"n(\^|\*\*)[2-9]", "I() holds one column and a whole power from 2 to 9: I(x^2)."),
    "lag": (
        r"n(,-?\d{1,4})?",
        "lag() is written lag(x), lag(x, 2) or lag(x, -1), steps up to 9999; several at once "
        "are written lags(x, 0:3).",
    ),
    "lags": (
        r"n,-?\d{1,4}:-?\d{1,4}",
        "lags() is written lags(x, first:last), steps up to 9999, such as lags(x, 0:3).",
    ),
}
REASONS = {
    "-": "'-' is not accepted: terms are only added, and the intercept is always kept. "
    "A column with '-' in its name goes in backticks.",
    "|": "'|' is not accepted: fixed and random effects are arguments of the analysis.",
    "%in%": "'%in%' is not accepted: write an interaction as a:b.",
    "/": "'/' is not accepted: write a/b as a + a:b.",
    ".": "'.' for all other columns is not accepted: name each column.",
    "`": "This backtick is not closed, or nothing stands between two.",
    "~": "Only terms are read here: leave out the response and '~'.",
    "0": "'0' is not accepted: the intercept is always kept.",
    "1": "'1', the intercept, is always there; it may only be added, outside parentheses.",
}
SPECIAL = re.escape("`+-*/:^()[]{}~|%,;=<>!&'\"@#$?\\")
TOKEN = re.compile(rf"`((?:[^`]|``)+)`|([^\s{SPECIAL}]+)|(\*\*|%in%|\S)")


@dataclass(frozen=True)
class Name:
    """A column as it is.

    Examples
    --------
    >>> Name("net promoter").label
    '`net promoter`'
    """

    column: str

    @property
    def label(self) -> str:
        """The factor as written in a formula."""
        return self.column if _is_plain(self.column) else f"`{self.column.replace('`', '``')}`"


@dataclass(frozen=True)
class Power:
    """A whole power of a column, from 2 to 9.

    Examples
    --------
    >>> Power("engagement", 2).label
    'I(engagement^2)'
    """

    column: str
    exponent: int

    def __post_init__(self) -> None:
        if not 2 <= self.exponent <= MAX_FACTORS:
            raise FormulaError(
                f"{self.exponent} is no accepted power.",
                code="bad-formula",
                fix=FUNCTIONS["I"][1],
            )

    @property
    def label(self) -> str:
        """The factor as written in a formula."""
        return f"I({Name(self.column).label}^{self.exponent})"


@dataclass(frozen=True)
class Category:
    """The 0/1 columns of a category; its first level in sorted order is the reference.

    Examples
    --------
    >>> Category("region").label
    'C(region)'
    """

    column: str

    @property
    def label(self) -> str:
        """The factor as written in a formula."""
        return f"C({Name(self.column).label})"


@dataclass(frozen=True)
class Lag:
    """The value of a column some steps earlier in the same unit; below 0, later (a lead).

    Examples
    --------
    >>> Lag("nps", 1).label, Lag("nps", 2).label, Lag("nps", -1).label
    ('lag(nps)', 'lag(nps, 2)', 'lag(nps, -1)')
    """

    column: str
    steps: int

    def __post_init__(self) -> None:
        if self.steps == 0:
            raise FormulaError(
                "A lag of 0 steps is the column itself:",
                code="bad-formula",
                fix=f"Name({self.column!r}).",
            )

    @property
    def label(self) -> str:
        """The factor as written in a formula."""
        steps = "" if self.steps == 1 else f", {self.steps}"
        return f"lag({Name(self.column).label}{steps})"


@dataclass(frozen=True)
class Level:
    """One level of a category as a column of 0 and 1: what a category becomes where it is summed.

    Examples
    --------
    >>> Level("region", "north", ("east", "north")).label
    'C(region)[north]'
    """

    column: str
    value: object
    known: tuple[object, ...]
    """All levels; a row of none of them is missing."""

    @property
    def label(self) -> str:
        """The factor as it is printed."""
        return f"{Category(self.column).label}[{self.value}]"


Factor: TypeAlias = Name | Power | Category | Lag | Level


@dataclass(frozen=True, eq=False)
class Term:
    """A factor, or the interaction (product) of several, whose order has no meaning.

    Examples
    --------
    >>> Term((Name("x"), Name("z"))) == Term((Name("z"), Name("x")))
    True
    """

    factors: tuple[Factor, ...]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Term):
            return NotImplemented
        return frozenset(self.factors) == frozenset(other.factors)

    def __hash__(self) -> int:
        return hash(frozenset(self.factors))

    @property
    def label(self) -> str:
        """The term as written in a formula, its factors in the order first written."""
        return ":".join(factor.label for factor in self.factors)

    @property
    def columns(self) -> tuple[str, ...]:
        """The data columns that the term needs."""
        return tuple(dict.fromkeys(factor.column for factor in self.factors))


@dataclass(frozen=True)
class Formula:
    """A response and the terms of its model; the intercept is understood.

    Examples
    --------
    >>> formula = parse("nps~x*z + x + lag(nps)")
    >>> formula.text
    'nps ~ x + z + x:z + lag(nps)'
    >>> formula.columns, formula.needs_time
    (('nps', 'x', 'z'), True)
    """

    response: Term
    terms: tuple[Term, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """All data columns that the formula needs, the response first."""
        terms = (self.response, *self.terms)
        return tuple(dict.fromkeys(column for term in terms for column in term.columns))

    @property
    def categories(self) -> tuple[str, ...]:
        """The data columns that are used as categories alone."""
        factors = [f for term in (self.response, *self.terms) for f in term.factors]
        numbers = {f.column for f in factors if not isinstance(f, Category)}
        return tuple(dict.fromkeys(f.column for f in factors if f.column not in numbers))

    @property
    def text(self) -> str:
        """The formula written out; read again, it gives an equal formula."""
        return f"{self.response.label} ~ {' + '.join(term.label for term in self.terms) or '1'}"

    @property
    def needs_time(self) -> bool:
        """Whether there is a lag or a lead, so that the data must be ordered by wave."""
        return any(isinstance(factor, Lag) for term in self.terms for factor in term.factors)


def parse(text: str) -> Formula:
    """Read a formula such as ``"nps ~ engagement + size"``.

    Parameters
    ----------
    text : str
        One column name, ``~`` and terms, in the grammar of this module. Terms keep the order
        in which they are written, lower orders first inside ``a*b*c`` and ``(a + b)^2``; a
        term written twice counts once. ``"nps ~ 1"`` has the intercept alone.

    Returns
    -------
    Formula

    Raises
    ------
    FormulaError
        If the text is not in the grammar; the message points at the place. The response may
        come among the terms only as a lag of one step or more.

    Examples
    --------
    >>> [term.label for term in parse("nps ~ C(region)*x + lags(nps, 1:2)").terms]
    ['C(region)', 'x', 'C(region):x', 'lag(nps)', 'lag(nps, 2)']
    """
    tokens = _tokens(text)
    tildes = [place for place, token in enumerate(tokens) if token.symbol == "~"]
    if len(tildes) != 1:
        message = "A formula has one '~', between response and terms; here is "
        found, at = ("a second.", tildes[1]) if tildes else ("none.", -1)
        raise _error(text, message + found, tokens[at])
    left, right = tokens[: tildes[0]], tokens[tildes[0] + 1 :]
    if not left:
        raise _error(text, "The response is missing before '~'.", tokens[0])
    if len(left) > 1 or not left[0].is_name:
        message = (
            "The response is one column name, and nothing is evaluated: transform the column "
            "in the data first, then name the new column here."
        )
        raise _error(text, message, left[0], left[-1])
    response = Term((Name(left[0].value),))
    formula = Formula(response, _Parser(text, right, left[0].value).terms())
    if len(formula.text) > MAX_LENGTH:  # else the text could not be read again
        message = f"Written out, the formula has more than {MAX_LENGTH} characters."
        raise _error(text, message, right[0], right[-1])
    return formula


def parse_terms(text: str) -> tuple[Term, ...]:
    """Read terms alone, the right-hand side of a formula.

    Parameters
    ----------
    text : str
        Terms as in :func:`parse`, without response and ``~``.

    Returns
    -------
    tuple of Term
        In the order written; empty for ``"1"``.

    Raises
    ------
    FormulaError
        If the text is not in the grammar; the message points at the place.

    Examples
    --------
    >>> [term.label for term in parse_terms("(a + b + c)^2")]
    ['a', 'b', 'c', 'a:b', 'a:c', 'b:c']
    """
    return _Parser(text, _tokens(text)).terms()


@dataclass(frozen=True)
class _Token:
    kind: str  # plain (name), quoted (name), number, symbol, unknown or end
    value: str
    start: int
    end: int

    @property
    def symbol(self) -> str:
        """The operator; empty for all else, a column named ``+`` included."""
        return self.value if self.kind == "symbol" else ""

    @property
    def is_name(self) -> bool:
        return self.kind in ("plain", "quoted")


class _Parser:
    """Recursive descent: from ``sum`` to ``call``, a method reads one line of the grammar."""

    def __init__(self, text: str, tokens: list[_Token], response: str | None = None) -> None:
        self.text, self.response = text, response
        self.rest = iter(tokens)
        self.token = next(self.rest)

    def terms(self) -> tuple[Term, ...]:
        if self.token.kind == "end":
            raise self.error("There are no terms; write 1 for the intercept alone.")
        terms = self.sum(depth=0)
        if self.token.symbol == ")":
            raise self.error("This parenthesis was not opened.")
        if self.token.kind != "end":
            raise self.unexpected()
        return terms

    def sum(self, depth: int) -> tuple[Term, ...]:
        terms: dict[Term, None] = {}
        while True:
            start = self.token
            if depth == 0 and start.kind == "number" and start.value == "1":
                self.advance()
            else:
                terms.update(dict.fromkeys(self.product(depth)))
            self.limit(len(terms), start)
            if not self.accept("+"):
                return tuple(terms)

    def product(self, depth: int) -> tuple[Term, ...]:
        terms = self.interaction(depth)
        while self.accept("*"):
            start = self.token
            right = self.interaction(depth)
            crossed = [*terms, *right, *self.interact(terms, right, start)]
            terms = _unique(sorted(crossed, key=lambda term: len(term.factors)))
        return terms

    def interaction(self, depth: int) -> tuple[Term, ...]:
        terms = self.group(depth)
        while self.accept(":"):
            start = self.token
            terms = self.interact(terms, self.group(depth), start)
        return terms

    def group(self, depth: int) -> tuple[Term, ...]:
        start = self.token
        if not self.accept("("):
            return self.atom()
        if depth == MAX_DEPTH:
            raise self.error(f"Parentheses are nested more than {MAX_DEPTH} deep.", start)
        terms = self.sum(depth + 1)
        if self.token.kind == "end":
            raise self.error("This parenthesis is not closed.", start)
        if not self.accept(")"):
            raise self.unexpected()
        if not self.accept("^", "**"):
            return terms
        if self.token.kind != "number" or not re.fullmatch("[2-9]", self.token.value):
            raise self.error("The power of a group is a whole number from 2 to 9.")
        order = int(self.token.value)
        self.advance()
        if len(terms) == 1:
            raise self.error("A power of one term is no interaction: write I(x^2).", start)
        self.limit(sum(math.comb(len(terms), size) for size in range(1, order + 1)), start)
        chosen = (group for size in range(1, order + 1) for group in combinations(terms, size))
        return _unique(reduce(lambda a, b: self.multiply(a, b, start), group) for group in chosen)

    def atom(self) -> tuple[Term, ...]:
        start = self.token
        if not start.is_name:
            raise self.unexpected("a term")
        self.advance()
        if start.kind == "plain" and self.token.symbol == "(":
            return self.call(start)
        if self.token.symbol in ("^", "**"):
            label = Name(start.value).label
            raise self.error(f"The square of a column stands inside I(): write I({label}^2).")
        return (self.term(Name(start.value), start),)

    def call(self, function: _Token) -> tuple[Term, ...]:
        if function.value not in FUNCTIONS:
            raise self.error(
                f"{_quote(function.value)} is not a function here, and nothing is evaluated: "
                "transform the column in the data first. "
                f"The functions are {listing(FUNCTIONS)}.",
                function,
            )
        pattern, usage = FUNCTIONS[function.value]
        self.advance()
        inside: list[_Token] = []
        while self.token.symbol != ")" and self.token.kind != "end":
            inside.append(self.token)
            self.advance()
        spelled = (("n" if t.is_name else "?" if t.kind == "unknown" else t.value) for t in inside)
        if not re.fullmatch(pattern, shape := "".join(spelled)) or self.token.kind == "end":
            raise self.error(usage, function, self.token)
        self.advance()
        at, column = inside[0], inside[0].value
        numbers = [int(number) for number in re.findall(r"-?\d+", shape)]
        if function.value == "C":
            return (self.term(Category(column), at),)
        if function.value == "I":
            return (self.term(Power(column, numbers[0]), at),)
        first, last = numbers[0] if numbers else 1, numbers[-1] if numbers else 1
        if last < first:
            name = Name(column).label
            raise self.error(f"Lags run upwards: write lags({name}, {last}:{first}).", function)
        self.limit(last - first + 1, function)
        steps = range(first, last + 1)
        return tuple(self.term(Lag(column, k) if k else Name(column), at) for k in steps)

    def term(self, factor: Factor, at: _Token) -> Term:
        past = isinstance(factor, Lag) and factor.steps > 0
        if factor.column == self.response and not past:
            label = Lag(factor.column, 1).label
            raise self.error(f"The response may come here only as its own past: {label}.", at)
        return Term((factor,))

    def interact(
        self, left: tuple[Term, ...], right: tuple[Term, ...], at: _Token
    ) -> tuple[Term, ...]:
        self.limit(len(left) * len(right), at)
        return _unique(self.multiply(a, b, at) for a in left for b in right)

    def multiply(self, left: Term, right: Term, at: _Token) -> Term:
        for factor in right.factors:
            if factor in left.factors:
                square = isinstance(factor, Name)
                hint = f"write I({factor.label}^2)" if square else "leave one of the two out"
                raise self.error(f"{_quote(factor.label)} is multiplied by itself: {hint}.", at)
        if len(left.factors) + len(right.factors) > MAX_FACTORS:
            raise self.error(f"An interaction has at most {MAX_FACTORS} factors.", at)
        return Term(left.factors + right.factors)

    def limit(self, terms: int, at: _Token) -> None:
        if terms > MAX_TERMS:
            raise self.error(f"This makes {terms} terms; at most {MAX_TERMS} are accepted.", at)

    def advance(self) -> None:
        self.token = next(self.rest, self.token)

    def accept(self, *symbols: str) -> bool:
        found = self.token.symbol in symbols
        if found:
            self.advance()
        return found

    def error(
        self, message: str, first: _Token | None = None, last: _Token | None = None
    ) -> FormulaError:
        return _error(self.text, message, first or self.token, last)

    def unexpected(self, wanted: str = "an operator such as '+'") -> FormulaError:
        token = self.token
        if token.value == "1" and (after := next(self.rest, token)).symbol == "|":
            token = after  # (1 | unit), as lme4 has it
        if token.kind != "quoted" and token.value in REASONS:
            return self.error(REASONS[token.value], token)
        if token.kind == "unknown":
            label = Name(token.value[:40]).label
            return self.error(f"A column with a name like this goes in backticks: {label}.")
        if token.kind == "end":
            return self.error(f"The formula ends where {wanted} is expected.")
        return self.error(f"{_quote(token.value)} stands where {wanted} is expected.")


def _tokens(text: str) -> list[_Token]:
    if not isinstance(text, str):
        raise FormulaError(
            f"A formula is text, not {type(text).__name__}.",
            code="wrong-type",
            fix=ACCEPTED,
        )
    if len(text) > MAX_LENGTH:
        message = f"The formula has {len(text)} characters; at most {MAX_LENGTH} are read."
        raise _error(text, message, _Token("unknown", "", MAX_LENGTH, MAX_LENGTH))
    tokens = []
    for match in TOKEN.finditer(text):
        quoted, word, symbol = match.groups()
        if quoted:
            kind, value = "quoted", quoted.replace("``", "`")
        elif word:
            digits = word.isascii() and word.isdecimal()
            kind, value = "number" if digits else "plain" if _is_plain(word) else "unknown", word
        else:
            kind, value = "symbol", symbol
        tokens.append(_Token(kind, value, *match.span()))
    return [*tokens, _Token("end", "", len(text), len(text))]


def _is_plain(column: str) -> bool:
    first, *others = column.split(".")
    return first.isidentifier() and all(f"_{part}".isidentifier() for part in others)


def _unique(terms: Iterable[Term]) -> tuple[Term, ...]:
    return tuple(dict.fromkeys(terms))


def _quote(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:40]}...")


def _error(text: str, message: str, first: _Token, last: _Token | None = None) -> FormulaError:
    """Place the formula and a line of carets under the message, cut to fit a terminal."""
    shown = _visible(text[: MAX_LENGTH + 80])
    start, high = first.start, first.start + 60
    low, end = max(0, start - 40), min((last or first).end, high)
    before = ("..." if low else "") + shown[low:start]
    after = shown[start:high] + ("..." if len(text) > high else "")
    carets = " " * _width(before) + "^" * max(1, _width(shown[start:end]))
    return FormulaError(
        f"{_visible(message)}\n  {before}{after}\n  {carets}\n{ACCEPTED}",
        code="bad-formula",
        fix=ACCEPTED,
    )


def _visible(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)


def _width(text: str) -> int:
    """Columns of a terminal: none for combining marks, two for East Asian wide characters."""
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in text)
    return len(text) + wide - sum(unicodedata.combining(char) > 0 for char in text)
