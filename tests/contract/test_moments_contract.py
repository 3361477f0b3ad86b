"""What Moments and Counts refuse, and what they say."""

import numpy as np
import pandas as pd
import pytest

from eecx import Counts, Moments
from eecx.errors import ColumnError, DataError, OptionError

CORRELATIONS = {
    "is missing": [[1, np.nan], [np.nan, 1]],
    "is 0.3 below the diagonal and 0.4 above": [[1, 0.4], [0.3, 1]],
    "is 1.2, beyond 1": [[1, 1.2], [1.2, 1]],
    "is square and named": [[1, 0.2, 0.3], [0.2, 1, 0.1]],
}


@pytest.mark.parametrize("says", CORRELATIONS)
def test_a_wrong_correlation_table_is_refused(says):
    with pytest.raises(DataError, match=says):
        Moments.from_correlations(CORRELATIONS[says], n=20)


def test_correlations_that_no_data_can_have_are_refused():
    impossible = [[1, 0.9, 0.9], [0.9, 1, -0.9], [0.9, -0.9, 1]]
    with pytest.raises(DataError, match="cannot come from one set of cases"):
        Moments.from_correlations(impossible, n=100)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"n": 1}, "needs at least two cases"),
        ({"n": 9, "sd": [1, 0]}, "sd of 'v2' is 0; it must be positive"),
        ({"n": 9, "sd": [np.nan, 1]}, "sd of 'v1' is nan"),
        ({"n": 9, "sd": [1]}, "sd has 1 values for 2 columns"),
        ({"n": 9, "sd": {"v1": 1}}, "sd lacks 'v2'"),
        ({"n": 9, "mean": [0, np.nan]}, "mean of 'v2' is missing"),
        ({"n": 9, "sd": [np.inf, 1]}, "sd of 'v1' is inf"),
        ({"n": 9, "sd": "wide"}, "sd holds what is no number: .*'wide'"),
        ({"n": 9, "sd": {"v1": "wide", "v2": 1}}, "sd holds what is no number: .*'wide'"),
        ({"n": 9, "sd": 3}, "sd has 1 values for 2 columns"),
        ({"n": 9, "mean": ["low", 1]}, "mean holds what is no number: .*'low'"),
    ],
)
def test_wrong_sizes_beside_a_correlation_table_are_refused(options, says):
    with pytest.raises(DataError, match=says):
        Moments.from_correlations([[1, 0.2], [0.2, 1]], **options)


@pytest.mark.parametrize("n", ["ten", None, True, [20], np.nan, np.inf])
def test_the_number_of_cases_is_a_number(n):
    with pytest.raises(OptionError, match=r"n=.*: the number of cases, a number") as caught:
        Moments.from_correlations([[1, 0.2], [0.2, 1]], n=n)
    assert (caught.value.code, caught.value.fix) == ("wrong-type", "Give it, such as n=100.")


@pytest.mark.parametrize("names", [3, "ab"])
def test_names_of_a_correlation_table_are_a_list(names):
    with pytest.raises(OptionError, match=r"names=.*: a list of texts"):
        Moments.from_correlations([[1, 0.2], [0.2, 1]], n=9, names=names)


@pytest.mark.parametrize(
    ("table", "code"),
    [
        ([[1, "strong"], ["strong", 1]], "not-numbers"),
        (pd.DataFrame([[1, "strong"], ["strong", 1]]), "not-numbers"),
        ({"a": 1}, "not-numbers"),
        ([[1], [0.2, 1]], "not-numbers"),
        (None, "not-square"),
        (3, "not-square"),
    ],
    ids=str,
)
def test_a_correlation_table_that_is_none_is_refused(table, code):
    with pytest.raises(DataError) as caught:
        Moments.from_correlations(table, n=20)
    assert caught.value.code == code


def test_covariances_are_no_correlations():
    covariances = pd.DataFrame([[4, 0.2], [0.2, 9]], index=["x", "y"], columns=["x", "y"])
    with pytest.raises(
        DataError, match=r"has 4 for 'x', .* divide each by the SDs .*sd="
    ) as caught:
        Moments.from_correlations(covariances, n=20)
    assert caught.value.code == "bad-diagonal"
    sd = np.sqrt(np.diag(covariances))  # the advice, followed
    cell = Moments.from_correlations(covariances / np.outer(sd, sd), n=20, sd=sd)
    np.testing.assert_allclose(cell.cross[0], 19 * covariances, rtol=1e-12)
    with pytest.raises(DataError, match=r"has 1\.2 for 'v2'"):
        Moments.from_correlations([[1 + 1e-9, 0.2], [0.2, 1.2]], n=20)


def test_rows_and_columns_of_other_names_are_refused():
    table = pd.DataFrame([[1, 0.2], [0.2, 1]], index=["x", "z"], columns=["x", "y"])
    with pytest.raises(DataError, match=r"rows are named 'x', 'z' and the columns 'x', 'y'"):
        Moments.from_correlations(table, n=20)
    twice = table.set_axis(["x", "x"]).set_axis(["x", "x"], axis=1)
    with pytest.raises(DataError, match="has a term twice"):
        Moments.from_correlations(twice, n=20)
    unnamed = table.reset_index(drop=True)
    assert Moments.from_correlations(unnamed, n=20).terms == ("x", "y")


# ---------------------------------------------------------------------- what is refused


@pytest.fixture(scope="module")
def cells():
    frame = pd.DataFrame({"store": list("aabb"), "wave": [1, 2, 1, 2], "x": [1.0, 2, 4, 8]})
    return Moments.from_frame(frame.assign(y=1.0), keys=["store", "wave"], terms=["x", "y"])


def test_only_like_moments_add_up(cells):
    with pytest.raises(DataError, match="Only Moments of the same terms add up"):
        cells + cells.select(["y", "x"])
    with pytest.raises(DataError, match=r"Only Moments of the same keys add up: .* against 'wave'"):
        cells + cells.collapse("wave")


def test_keys_of_two_kinds_do_not_add_up():
    frame = pd.DataFrame({"store": [1, 2], "x": [1.0, 2.0]})
    one = Moments.from_frame(frame, keys=["store"], terms=["x"])
    other = Moments.from_frame(frame.astype({"store": str}), keys=["store"], terms=["x"])
    with pytest.raises(DataError, match=r"'store' holds integer in one of the Moments and string"):
        one + other


def test_a_key_that_was_not_kept_is_named(cells):
    for method in (cells.collapse, cells.within):
        with pytest.raises(ColumnError, match=r"not kept by 'stores' .*Make them with keys="):
            method("stores")


def test_an_unknown_term_names_the_nearest(cells):
    with pytest.raises(ColumnError, match=r"no term 'X'. Did you mean 'x'"):
        cells.select(["X"])


def test_no_correlation_with_a_constant_column():
    frame = pd.DataFrame({"x": [1.0, 2, 3], "c": [4.0, 4, 4]})
    with pytest.raises(DataError, match="No correlation with a constant column: 'c'"):
        Moments.from_frame(frame, terms=["x", "c"]).correlations()


def test_no_standard_deviation_of_one_row():
    with pytest.raises(DataError, match="at least two rows"):
        Moments.from_frame(pd.DataFrame({"x": [1.0]}), terms=["x"]).sd()


# a CSV file spells infinity, which is text
INFINITE = "'endless' (holds infinite values|should hold numbers, but 2 cells hold text: '-inf')"


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"terms": ["salse"]}, ColumnError, "A term names the column 'salse'.*mean 'sales'"),
        ({"terms": ["sales"], "keys": ["stor"]}, ColumnError, "A key names .*mean 'store'"),
        ({"terms": ["sales"], "weight": "W"}, ColumnError, "weight names .*mean 'w'"),
        ({"terms": []}, OptionError, "at least one term"),
        ({"terms": None}, OptionError, "terms=None: None is no name of a column. Name columns as"),
        ({"terms": [1]}, OptionError, r"terms=\[1\]: 1 is no name of a column"),
        ({"terms": ["sales"], "keys": None}, OptionError, "keys=None: the names of columns. Give"),
        ({"terms": ["sales"], "keys": [1]}, ColumnError, "A key names the column 1"),
        ({"terms": ["store"]}, DataError, "'store' should hold numbers, but 4 cells hold text"),
        ({"terms": ["sales", "sales"]}, DataError, "has a term twice"),
        ({"terms": ["sales"], "keys": ["store", "store"]}, OptionError, "'store' is named twice"),
        ({"terms": ["lag(sales)"]}, OptionError, "lag\\(sales\\) needs a panel"),
        ({"terms": ["C(store)"]}, OptionError, "C\\(store\\) needs a panel"),
        ({"terms": ["blank"]}, DataError, "None of the 4 rows has a value for every term"),
        ({"terms": ["endless"]}, DataError, INFINITE),
        ({"terms": ["endless:zero"]}, DataError, INFINITE),
        ({"terms": ["sales"], "weight": "zero"}, DataError, "'zero' is zero or negative in 4 rows"),
        ({"terms": ["blank"], "weight": "zero"}, DataError, "'zero' is zero or negative in 4 rows"),
        ({"terms": ["sales"], "weight": "endless"}, DataError, INFINITE),
        ({"terms": ["sales"], "keys": ["row"]}, OptionError, "has a column of that name"),
        ({"terms": ["I(huge^9)"]}, DataError, "holds infinite values"),
    ],
)
def test_bad_columns_and_values_are_named(held, options, error, says):
    frame = pd.DataFrame({"store": list("aabb"), "sales": [1.0, 2, 3, 4], "w": [1.0, 1, 2, 2]})
    frame["blank"], frame["zero"], frame["row"] = np.nan, 0.0, 1
    frame["endless"], frame["huge"] = [np.inf, 1, 2, -np.inf], 1e60
    with pytest.raises(error, match=says):
        Moments.from_frame(held(frame), **options)


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"items": ["Q"]}, ColumnError, "An item names the column 'Q'.*Did you mean 'q'"),
        ({"keys": ["stores"]}, ColumnError, "A key names .*Did you mean 'store'"),
        ({"items": []}, OptionError, "at least one item"),
        ({"items": ["q", "q"]}, OptionError, "'q' is named twice"),
        ({"options": []}, OptionError, "at least one item and one option"),
        ({"options": ["yes", "no"]}, OptionError, r"options=\['yes', 'no'\]: .*, as numbers. Give"),
        ({"options": 5}, OptionError, "options=5: the answers that are possible, as numbers"),
        ({"options": None}, OptionError, "options=None: the answers that are possible"),
        ({"items": None}, OptionError, "items=None: the names of columns"),
        ({"options": [2, 1]}, OptionError, "distinct and in ascending order"),
        ({"options": [1, 1]}, OptionError, "distinct and in ascending order"),
        ({"options": [1, 2]}, DataError, r"'q' has answers .* 1, 2: 3 \(2\), 9 \(1\).*missing="),
        ({"items": ["store"]}, DataError, "'store' should hold numbers"),
        ({"keys": ["nobody"]}, DataError, "No row of .* has a value for every key"),
    ],
)
def test_bad_counts_are_refused(held, options, error, says):
    frame = pd.DataFrame({"store": list("aabb"), "q": [1, 3, 3, 9], "nobody": [None] * 4})
    frame = frame.astype({"nobody": float})
    asked = {"keys": ["store"], "items": ["q"], "options": [1, 2, 3], **options}
    with pytest.raises(error, match=says):
        Counts.from_frame(held(frame), **asked)


def test_only_like_counts_add_up():
    frame = pd.DataFrame({"store": list("aab"), "wave": [1, 2, 1], "q1": 1, "q 2": 2})
    keys, items = ["store", "wave"], ["q1", "q 2"]
    counts = Counts.from_frame(frame, keys=keys, items=items, options=[1, 2])
    with pytest.raises(DataError, match="same items and options"):
        counts + counts.select(["q1"])
    with pytest.raises(DataError, match=r"Only Counts of the same keys add up: 'store', 'wave'"):
        counts + counts.collapse("store")
    with pytest.raises(ColumnError, match=r"not kept by 'stores'. Did you mean 'store'"):
        counts.collapse("stores")
    with pytest.raises(ColumnError, match=r"no item 'q2'. Did you mean"):
        counts.select(["q2"])
