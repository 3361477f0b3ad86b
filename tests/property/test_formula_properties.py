"""Formulas made at random: written out and read again, expanded by a second way, or garbage."""

from itertools import combinations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from eecx.errors import FormulaError
from eecx.formula import (
    Category,
    Formula,
    Lag,
    Name,
    Power,
    Term,
    parse,
    parse_terms,
)

columns = st.one_of(
    st.sampled_from(["x", "z", "x.1", "C", "lag", "net promoter", "満足度", "a`b", "1", "~"]),
    st.text(min_size=1, max_size=8),
)
steps = st.integers(-9999, 9999).filter(bool)
factors = st.one_of(
    columns.map(Name),
    columns.map(Category),
    st.builds(Power, columns, st.integers(2, 9)),
    st.builds(Lag, columns, steps),
)
terms = st.lists(factors, min_size=1, max_size=4, unique=True).map(lambda many: Term(tuple(many)))


@st.composite
def formulas(draw):
    response = draw(columns)

    def fits(term):
        mine = [factor for factor in term.factors if factor.column == response]
        return all(isinstance(factor, Lag) and factor.steps > 0 for factor in mine)

    chosen = draw(st.lists(terms.filter(fits), max_size=6, unique=True))
    return Formula(Term((Name(response),)), tuple(chosen))


def unite(*many):
    return frozenset().union(*many)


@st.composite
def expressions(draw, depth=3):
    """Return the text of an expression and its terms as sets of names; None where it is wrong."""
    kind = draw(st.sampled_from(["name", "+", ":", "*", "^"])) if depth else "name"
    if kind == "name":
        name = draw(st.sampled_from("abcdef"))
        return name, frozenset([frozenset([name])])
    parts = draw(st.lists(expressions(depth=depth - 1), min_size=1 + (kind != "^"), max_size=3))
    text = f" {'+' if kind == '^' else kind} ".join(f"({part})" for part, _ in parts)
    order = draw(st.integers(2, 4))
    if kind == "^":
        text = f"({text})^{order}"
    sets = [found for _, found in parts]
    if None in sets:
        return text, None
    if kind == "+":
        return text, unite(*sets)
    if kind == "^":
        return text, raised(unite(*sets), order)
    product = sets[0]
    for right in sets[1:]:
        pairs = [(a, b) for a in product for b in right]
        if any(a & b for a, b in pairs):
            return text, None
        crossed = frozenset(a | b for a, b in pairs)
        product = unite(product, right, crossed) if kind == "*" else crossed
    return text, product


def raised(found, order):
    if len(found) == 1:
        return None
    chosen = [group for size in range(1, order + 1) for group in combinations(found, size)]
    if any(a & b for group in chosen for a, b in combinations(group, 2)):
        return None
    return frozenset(unite(*group) for group in chosen)


@settings(max_examples=300)
@given(formulas())
def test_written_out_and_read_again(formula):
    again = parse(formula.text)
    assert again == formula
    assert again.text == formula.text
    assert again.columns == formula.columns
    assert again.needs_time == formula.needs_time


@settings(max_examples=300)
@given(expressions())
def test_expansion_agrees_with_algebra_of_sets(expression):
    text, expected = expression
    if expected is None:
        with pytest.raises(FormulaError, match=r"by itself|power of one term|at most 500"):
            parse_terms(text)
        return
    found = parse_terms(text)
    assert {frozenset(term.columns) for term in found} == expected
    assert len(found) == len(expected)
    formula = Formula(Term((Name("y"),)), found)
    assert parse(formula.text) == formula == parse(f"y ~ {text}")


@given(formulas(), st.randoms(use_true_random=False))
def test_order_of_terms_and_factors_changes_no_term(formula, random):
    assume(formula.terms)
    turned = [Term(term.factors[::-1]) for term in formula.terms]
    random.shuffle(turned)
    found = parse(Formula(formula.response, tuple(turned)).text)
    assert set(found.terms) == set(formula.terms)
    assert len(found.terms) == len(formula.terms)


@given(st.lists(terms, min_size=1, max_size=5))
def test_a_term_written_twice_counts_once(many):
    text = " + ".join(term.label for term in many)
    once = parse_terms(text)
    assert parse_terms(f"{text} + {text}") == once
    assert parse_terms(f"1 + ({text})") == once
    assert once == tuple(dict.fromkeys(many))


pieces = st.sampled_from(
    ["x", "y", "z", "`a b`", "~", "+", "-", ":", "*", "^", "**", "(", ")", ",", "|", "%in%", ".",
     "0", "1", "2", "3", "C(", "I(", "lag(", "lags(", "log(", "`", "``", " ", "\n", "/", "'", "x²"]
)  # fmt: skip
garbage = st.one_of(
    st.text(max_size=60),
    st.text(st.characters(codec=None), max_size=20),
    st.lists(pieces, max_size=25).map("".join),
    st.lists(pieces, max_size=15).map(lambda many: "y ~ x" + "".join(many)),
)


@settings(max_examples=1000)
@given(garbage)
def test_garbage_is_read_or_is_a_formula_error(text):
    try:
        formula = parse(text)
    except FormulaError as error:
        check_message(error)
    else:
        assert parse(formula.text) == formula


@settings(max_examples=1000)
@given(garbage)
def test_garbage_terms_are_read_or_are_a_formula_error(text):
    try:
        found = parse_terms(text)
    except FormulaError as error:
        check_message(error)
    else:
        assert parse_terms(" + ".join(term.label for term in found) or "1") == found


def check_message(error):
    """Four lines: the message, the formula, carets that stand under it, what is accepted."""
    message, shown, carets, accepted = str(error).split("\n")
    assert message
    assert (message + shown + carets).isprintable()
    assert set(carets) == {" ", "^"}
    assert 2 <= carets.index("^") <= 2 * len(shown)
    assert accepted.startswith("Accepted: ")
