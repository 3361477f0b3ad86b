"""What a formula expands to, and which formulas are the same."""

import dataclasses

import pytest

from eecx.formula import Category, Formula, Lag, Name, Power, Term, parse, parse_terms


def labels(text):
    return [term.label for term in parse_terms(text)]


def term(*columns):
    return Term(tuple(Name(column) for column in columns))


EXPANSIONS = {
    # sums and duplicates
    "x": ["x"],
    "x + z": ["x", "z"],
    "z + x": ["z", "x"],
    "x + x": ["x"],
    "((x)) + (z + (w))": ["x", "z", "w"],
    "x\n  + z\t": ["x", "z"],
    # the intercept
    "1": [],
    "1 + 1": [],
    "1 + x": ["x"],
    "x + 1 + z": ["x", "z"],
    # interactions
    "x:z": ["x:z"],
    "x:z + z:x": ["x:z"],
    "z:x + x:z": ["z:x"],
    "x:z:w + w:x:z": ["x:z:w"],
    "(a + b):c": ["a:c", "b:c"],
    "(a + b):(c + d)": ["a:c", "a:d", "b:c", "b:d"],
    "x:I(x^2)": ["x:I(x^2)"],
    # crossing
    "a*b": ["a", "b", "a:b"],
    "a*b + a": ["a", "b", "a:b"],
    "a:b + a*b": ["a:b", "a", "b"],
    "a*b*c": ["a", "b", "c", "a:b", "a:c", "b:c", "a:b:c"],
    "(a + b)*c": ["a", "b", "c", "a:c", "b:c"],
    "a*(b + c)": ["a", "b", "c", "a:b", "a:c"],
    # binding: ':' before '*' before '+'
    "a + b*c": ["a", "b", "c", "b:c"],
    "a*b:c": ["a", "b:c", "a:b:c"],
    "a:b*c": ["c", "a:b", "a:b:c"],
    # powers of a group
    "(a + b)^2": ["a", "b", "a:b"],
    "(a + b)**2": ["a", "b", "a:b"],
    "(a + b)^3": ["a", "b", "a:b"],
    "(a + a + b)^2": ["a", "b", "a:b"],
    "(a + b + c)^2": ["a", "b", "c", "a:b", "a:c", "b:c"],
    "(a + b + c)^3": ["a", "b", "c", "a:b", "a:c", "b:c", "a:b:c"],
    "(a + b:c)^2": ["a", "b:c", "a:b:c"],
    "(a + b)^2:c": ["a:c", "b:c", "a:b:c"],
    # functions
    "I(x^2)": ["I(x^2)"],
    "I( x ** 3 )": ["I(x^3)"],
    "C(region)": ["C(region)"],
    "C(region):x": ["C(region):x"],
    "C(region)*x": ["C(region)", "x", "C(region):x"],
    "x + I(x^2) + C(x)": ["x", "I(x^2)", "C(x)"],
    "lag(x)": ["lag(x)"],
    "lag(x, 1)": ["lag(x)"],
    "lag(x, 2)": ["lag(x, 2)"],
    "lag(x, -1)": ["lag(x, -1)"],
    "lag(x, 0)": ["x"],
    "lag(x, -0) + x": ["x"],
    "lags(x, 0:3)": ["x", "lag(x)", "lag(x, 2)", "lag(x, 3)"],
    "lags(x, -2:2)": ["lag(x, -2)", "lag(x, -1)", "x", "lag(x)", "lag(x, 2)"],
    "lags(x, 2:2)": ["lag(x, 2)"],
    "lags(x, 0:1):z": ["x:z", "lag(x):z"],
    "x:lag(x)": ["x:lag(x)"],
    # names
    "x.y + x_1 + _x + x.2": ["x.y", "x_1", "_x", "x.2"],
    "C + I + lag + lags": ["C", "I", "lag", "lags"],
    "`net promoter`": ["`net promoter`"],
    "`x` + x": ["x"],
    "`a + b`:`1`": ["`a + b`:`1`"],
    "`a``b`": ["`a``b`"],
    "C(`store type`) + I(`x y`^2) + lag(`x y`)": [
        "C(`store type`)",
        "I(`x y`^2)",
        "lag(`x y`)",
    ],
    "Zufriedenheit_ä + 満足度 + संतुष्टि": ["Zufriedenheit_ä", "満足度", "संतुष्टि"],
}


@pytest.mark.parametrize(("text", "expected"), EXPANSIONS.items())
def test_expansion(text, expected):
    assert labels(text) == expected
    assert [term.label for term in parse(f"response ~ {text}").terms] == expected


@pytest.mark.parametrize("text", EXPANSIONS)
def test_written_out_and_read_again(text):
    formula = parse(f"response ~ {text}")
    again = parse(formula.text)
    assert again == formula
    assert again.text == formula.text


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("a*b", "a + b + a:b"),
        ("(a + b + c)^2", "a + b + c + a:b + a:c + b:c"),
        ("(a + b + c)^3", "a*b*c"),
        ("(a + b)^2", "(a + b)**2"),
        ("lags(x, 0:2)", "x + lag(x) + lag(x, 2)"),
        ("(a:b):c", "a:(b:c)"),
        ("(a + b):c", "a:c + b:c"),
    ],
)
def test_two_ways_to_write_the_same(short, long):
    assert parse_terms(short) == parse_terms(long)


def test_crossing_in_another_order_gives_the_same_set():
    assert set(parse_terms("a*b*c")) == set(parse_terms("c*(b*a)"))


def test_factors_of_a_formula():
    formula = parse("nps ~ x + I(x^2) + C(region):z + lag(nps) + lag(x, -1)")
    assert formula == Formula(
        term("nps"),
        (
            term("x"),
            Term((Power("x", 2),)),
            Term((Category("region"), Name("z"))),
            Term((Lag("nps", 1),)),
            Term((Lag("x", -1),)),
        ),
    )


def test_columns_come_once_with_the_response_first():
    formula = parse("nps ~ z + x:z + I(w^2) + C(region) + lag(nps) + lag(`new one`)")
    assert formula.columns == ("nps", "z", "x", "w", "region", "new one")
    assert parse("nps ~ 1").columns == ("nps",)
    assert Term((Name("x"), Power("x", 2), Category("z"))).columns == ("x", "z")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("y ~ 1", False),
        ("y ~ x + I(x^2)", False),
        ("y ~ lags(x, 0:0)", False),
        ("y ~ `lag(x)`", False),
        ("y ~ x:lag(z)", True),
        ("y ~ lag(x, -1)", True),
        ("y ~ lag(y)", True),
    ],
)
def test_needs_time(text, expected):
    assert parse(text).needs_time is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nps~x*z + z:x+lag( nps ,1 )", "nps ~ x + z + x:z + lag(nps)"),
        ("  `nps` ~ 1 + `x` ", "nps ~ x"),
        ("nps ~ 1", "nps ~ 1"),
        ("`net promoter` ~ `C(x)`", "`net promoter` ~ `C(x)`"),
        ("`~` ~ `+`", "`~` ~ `+`"),
    ],
)
def test_canonical_text(text, expected):
    assert parse(text).text == expected


def test_order_of_factors_has_no_meaning_but_order_of_terms_has():
    assert term("x", "z") == term("z", "x")
    assert hash(term("x", "z")) == hash(term("z", "x"))
    assert term("x", "z").label == "x:z"
    assert term("z", "x").label == "z:x"
    assert parse("y ~ x:z") == parse("y ~ z:x")
    assert parse("y ~ x + z") != parse("y ~ z + x")


def test_factors_of_the_same_column_differ_by_kind():
    factors = [Name("x"), Category("x"), Power("x", 2), Power("x", 3), Lag("x", 1), Lag("x", -1)]
    assert len({Term((factor,)) for factor in factors}) == len(factors)
    assert {factor.column for factor in factors} == {"x"}
    assert Term((Name("x"),)) != "x"


def test_a_formula_cannot_be_changed():
    formula = parse("y ~ x")
    with pytest.raises(dataclasses.FrozenInstanceError):
        formula.terms = ()
    with pytest.raises(dataclasses.FrozenInstanceError):
        formula.response.factors = ()


def test_limits_are_inclusive():
    assert len(parse_terms("lags(x, 1:500)")) == 500
    assert len(parse_terms("a:b:c:d:e:f:g:h:i")[0].factors) == 9
    assert labels("(" * 20 + "x" + ")" * 20) == ["x"]
    assert labels("x".ljust(10_000)) == ["x"]
