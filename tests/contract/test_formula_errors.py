"""Every formula that cannot be read is a FormulaError that shows the place and what to do."""

import ast
import inspect
import re

import pytest

from eecx import formula
from eecx.errors import EecxError, FormulaError
from eecx.formula import Lag, Power, parse, parse_terms

ACCEPTED = "Accepted: column names, `any other name` in backticks"


def failure(text, read=parse):
    with pytest.raises(FormulaError, match="Accepted: column names") as caught:
        read(text)
    return str(caught.value)


def marked(message):
    """Return the part of the shown formula that stands above the carets."""
    _, shown, carets, _ = message.splitlines()
    start = carets.index("^")
    return shown[start : len(carets)]


# formula, what the message says, what the carets mark
ERRORS = [
    # nothing is evaluated
    ("y ~ log(x)", "'log' is not a function here, and nothing is evaluated", "log"),
    ("y ~ x + log(x)", "transform the column in the data first", "log"),
    ("y ~ poly(x, 2)", "The functions are 'C', 'I', 'lag', 'lags'", "poly"),
    ("y ~ exp(log(x))", "'exp' is not a function", "exp"),
    ("y ~ __import__('os')", "'__import__' is not a function here", "__import__"),
    ("y ~ x + eval(`x`)", "nothing is evaluated", "eval"),
    ("y ~ c(x)", "'c' is not a function", "c"),
    ("y ~ np.log(x)", "'np.log' is not a function", "np.log"),
    ("y ~ `lag`(x)", "'(' stands where an operator", "("),
    # the intercept and what would remove a term
    ("y ~ x + 0", "the intercept is always kept", "0"),
    ("y ~ 0 + x", "'0' is not accepted", "0"),
    ("y ~ x - 1", "terms are only added, and the intercept is always kept", "-"),
    ("y ~ -1 + x", "'-' is not accepted", "-"),
    ("y ~ a*b - a:b", "'-' is not accepted", "-"),
    ("y ~ net-promoter", "A column with '-' in its name goes in backticks", "-"),
    ("y ~ (1 + x):z", "may only be added, outside parentheses", "1"),
    ("y ~ 1:x", "':' stands where an operator", ":"),
    ("y ~ x:1", "'1', the intercept, is always there", "1"),
    ("y ~ 2*x", "'2' stands where a term is expected", "2"),
    # powers
    ("y ~ x^2", "write I(x^2)", "^"),
    ("y ~ x**2", "write I(x^2)", "**"),
    ("y ~ `x y`^2", "write I(`x y`^2)", "^"),
    ("y ~ (x)^2", "A power of one term is no interaction: write I(x^2)", "("),
    ("y ~ (a + b)^1", "a whole number from 2 to 9", "1"),
    ("y ~ (a + b)^10", "a whole number from 2 to 9", "10"),
    ("y ~ (a + b)^x", "a whole number from 2 to 9", "x"),
    ("y ~ (a + b)^`2`", "a whole number from 2 to 9", "`2`"),
    ("y ~ (a + b)^2^2", "'^' stands where an operator", "^"),
    ("y ~ a:a", "'a' is multiplied by itself: write I(a^2)", "a"),
    ("y ~ a*a", "'a' is multiplied by itself: write I(a^2)", "a"),
    ("y ~ a:b:a", "write I(a^2)", "a"),
    ("y ~ (a*b)^2", "write I(a^2)", "("),
    ("y ~ C(r):C(r)", "'C(r)' is multiplied by itself: leave one of the two out", "C"),
    # the response
    ("nps ~ nps", "only as its own past: lag(nps)", "nps"),
    ("nps ~ x + x:nps", "only as its own past", "nps"),
    ("nps ~ I(nps^2)", "only as its own past", "nps"),
    ("nps ~ C(nps)", "only as its own past", "nps"),
    ("nps ~ lags(nps, 0:2)", "only as its own past", "nps"),
    ("nps ~ lag(nps, -1)", "only as its own past", "nps"),
    ("a + b ~ x", "The response is one column name", "a + b"),
    ("log(nps) ~ x", "transform the column in the data first", "log(nps)"),
    ("I(nps^2) ~ x", "transform the column in the data first", "I(nps^2)"),
    ("lag(nps) ~ x", "transform the column in the data first", "lag(nps)"),
    ("1 ~ x", "The response is one column name", "1"),
    # sides
    ("nps + x", "has one '~', between response and terms; here is none", ""),
    ("", "here is none", ""),
    (" \n", "here is none", ""),
    ("y ~ x ~ z", "here is a second", "~"),
    ("~ x", "The response is missing before '~'", "~"),
    ("y ~", "There are no terms; write 1 for the intercept alone", ""),
    ("y ~   ", "There are no terms", ""),
    # parentheses and operators
    ("y ~ (a + b", "This parenthesis is not closed", "("),
    ("y ~ a + b)", "This parenthesis was not opened", ")"),
    ("y ~ ()", "')' stands where a term is expected", ")"),
    ("y ~ (a + )", "')' stands where a term is expected", ")"),
    ("y ~ (a b)", "'b' stands where an operator such as '+' is expected", "b"),
    ("y ~ x +", "The formula ends where a term is expected", ""),
    ("y ~ + x", "'+' stands where a term is expected", "+"),
    ("y ~ a ++ b", "'+' stands where a term is expected", "+"),
    ("y ~ net promoter", "'promoter' stands where an operator", "promoter"),
    # functions written otherwise than they should be
    ("y ~ C()", "C() holds one column name", "C()"),
    ("y ~ C(a + b)", "C() holds one column name", "C(a + b)"),
    ("y ~ C(a", "C() holds one column name", "C(a"),
    ("y ~ C(2)", "C() holds one column name", "C(2)"),
    ("y ~ I(x)", "I() holds one column and a whole power from 2 to 9", "I(x)"),
    ("y ~ I(x*z)", "I() holds one column", "I(x*z)"),
    ("y ~ I(x^1)", "a whole power from 2 to 9", "I(x^1)"),
    ("y ~ I(x^10)", "a whole power from 2 to 9", "I(x^10)"),
    ("y ~ I(x^-1)", "a whole power from 2 to 9", "I(x^-1)"),
    ("y ~ I(x^0.5)", "a whole power from 2 to 9", "I(x^0.5)"),
    ("y ~ lag()", "lag() is written lag(x), lag(x, 2)", "lag()"),
    ("y ~ lag(x, z)", "lag() is written", "lag(x, z)"),
    ("y ~ lag(x, 1.5)", "lag() is written", "lag(x, 1.5)"),
    ("y ~ lag(x, 0:3)", "several at once are written lags(x, 0:3)", "lag(x, 0:3)"),
    ("y ~ lag(x, 10000)", "steps up to 9999", "lag(x, 10000)"),
    ("y ~ lag(x, 1", "lag() is written", "lag(x, 1"),
    ("y ~ lag(lag(x))", "lag() is written", "lag(lag(x)"),
    ("y ~ lags(x)", "lags() is written lags(x, first:last)", "lags(x)"),
    ("y ~ lags(x, 3)", "lags() is written", "lags(x, 3)"),
    ("y ~ lags(x, 3:0)", "Lags run upwards: write lags(x, 0:3)", "lags"),
    ("y ~ lags(`x y`, 1:-1)", "write lags(`x y`, -1:1)", "lags"),
    # what other grammars have
    ("y ~ x | unit", "fixed and random effects are arguments of the analysis", "|"),
    ("y ~ x + (1 | unit)", "fixed and random effects", "|"),
    ("y ~ x + (x | unit)", "fixed and random effects", "|"),
    ("y ~ a %in% b", "write an interaction as a:b", "%in%"),
    ("y ~ a/b", "write a/b as a + a:b", "/"),
    ("y ~ .", "'.' for all other columns is not accepted: name each column", "."),
    ("y ~ x = 2", "'=' stands where an operator", "="),
    ("y ~ 'x'", '"\'" stands where a term is expected', "'"),
    ("y ~ x[0]", "'[' stands where an operator", "["),
    # names
    ("y ~ 2x", "goes in backticks: `2x`", "2x"),
    ("y ~ .x", "goes in backticks: `.x`", ".x"),
    ("y ~ x²", "goes in backticks: `x²`", "x²"),
    ("y ~ x\u200b", "goes in backticks", "x "),
    ("y ~ `x", "This backtick is not closed", "`"),
    ("y ~ ``", "nothing stands between two", "`"),
]


@pytest.mark.parametrize(("text", "says", "marks"), ERRORS)
def test_message_and_place(text, says, marks):
    with pytest.raises(FormulaError, match=re.escape(says)) as caught:
        parse(text)
    message = str(caught.value)
    assert ACCEPTED in message
    assert marked(message) == marks


@pytest.mark.parametrize(
    ("text", "says", "marks"),
    [
        ("y ~ x", "leave out the response and '~'", "~"),
        ("~ x", "leave out the response and '~'", "~"),
        ("", "There are no terms", ""),
        ("x + log(z)", "'log' is not a function", "log"),
    ],
)
def test_terms_alone(text, says, marks):
    with pytest.raises(FormulaError, match=re.escape(says)) as caught:
        parse_terms(text)
    assert marked(str(caught.value)) == marks


def test_response_is_no_concern_of_terms_alone():
    assert [term.label for term in parse_terms("nps + lag(nps, -1)")] == ["nps", "lag(nps, -1)"]


def test_whole_message():
    assert failure("nps ~ engagement + log(size)") == (
        "'log' is not a function here, and nothing is evaluated: transform the column in the "
        "data first. The functions are 'C', 'I', 'lag', 'lags'.\n"
        "  nps ~ engagement + log(size)\n"
        "                     ^^^\n"
        "Accepted: column names, `any other name` in backticks, a + b, a:b, a*b, (a + b)^2, "
        "I(a^2), C(a), lag(a), lag(a, 2), lags(a, 0:3)."
    )


def test_carets_stand_under_wide_and_combining_characters():
    assert failure("満足度 ~ x - z").splitlines()[2] == " " * 2 + " " * 11 + "^"
    assert failure("e\u0301 ~ x - z").splitlines()[2] == " " * 2 + " " * 6 + "^"


def test_line_breaks_and_control_characters_are_shown_as_blanks():
    assert failure("y ~ a\n + b\t- c\x1b").splitlines()[1] == "  y ~ a  + b - c "
    assert "write I(`a b`^2)" in failure("y ~ `a\nb`^2")


def test_long_formulas_are_cut_around_the_place():
    long = " + ".join(f"column_{i}" for i in range(100))
    message = failure(f"y ~ {long} + log(x) + {long}")
    _, shown, _, _ = message.splitlines()
    assert marked(message) == "log"
    assert shown.startswith("  ...")
    assert shown.endswith("...")
    assert len(shown) < 120
    assert len(failure(f"y ~ {'f' * 5000}(x)")) < 600


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("y ~ " + "x" * 10_000, "The formula has 10004 characters; at most 10000 are read"),
        ("y ~ " + "(" * 21 + "x" + ")" * 21, "nested more than 20 deep"),
        ("y ~ " + "(" * 9_000, "nested more than 20 deep"),
        ("y ~ " + "*".join("abcdefghi"), "This makes 511 terms; at most 500"),
        ("y ~ lags(x, 0:500)", "This makes 501 terms"),
        ("y ~ lags(x, -9999:9999)", "This makes 19999 terms"),
        ("y ~ lags(x, 1:300) + lags(z, 1:300)", "This makes 600 terms"),
        ("y ~ lags(x, 1:30):lags(z, 1:30)", "This makes 900 terms"),
        ("y ~ (lags(x, 1:400))^9", r"This makes \d+ terms"),
        ("y ~ " + ":".join("abcdefghij"), "An interaction has at most 9 factors"),
        ("y ~ lag(x, " + "9" * 9_000 + ")", "steps up to 9999"),
        ("y ~ (lags(" + "x" * 500 + ", 1:30))^2", "Written out, the formula has more than 10000"),
    ],
)
def test_limits(text, says):
    with pytest.raises(FormulaError, match=says):
        parse(text)


@pytest.mark.parametrize("given", [None, 3, ["y ~ x"], b"y ~ x"])
@pytest.mark.parametrize("read", [parse, parse_terms])
def test_not_a_text(given, read):
    with pytest.raises(FormulaError, match=f"A formula is text, not {type(given).__name__}"):
        read(given)


def test_factors_made_by_hand():
    with pytest.raises(FormulaError, match="1 is no accepted power"):
        Power("x", 1)
    with pytest.raises(FormulaError, match="10 is no accepted power"):
        Power("x", 10)
    with pytest.raises(FormulaError, match=re.escape("is the column itself: Name('x')")):
        Lag("x", 0)


def test_the_error_is_one_of_ours_and_a_value_error():
    assert issubclass(FormulaError, EecxError)
    assert issubclass(FormulaError, ValueError)


def test_the_module_cannot_evaluate():
    tree = ast.parse(inspect.getsource(formula))
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert not names & {"eval", "exec", "compile", "__import__", "getattr", "globals"}
    imported = {
        name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names
    }
    assert imported == {"math", "re", "unicodedata"}
