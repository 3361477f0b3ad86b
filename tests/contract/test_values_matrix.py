"""A value is missing, infinite or a number in the same way on every engine and in every file.

The right results are worked out in plain Python from the values as they are written below.
"""

import datetime as dt
import decimal
import math
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import eecx
from eecx import NPS, Counts, DataError, Dispersion, Mean, Moments, Panel, Survey

polars = pytest.importorskip("polars")
pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")
duckdb = pytest.importorskip("duckdb")

NAN, INF = math.nan, math.inf
GROUP = 4  # rows of a row group: of the units below, one is all NaN and one all null
OPEN: list[Any] = []


def unit_rows(mixed: list[Any], filler: list[Any], nan: Any) -> tuple[list[str], list[Any]]:
    """Put five units below each other: mixed, without an answer twice, full, and nearly empty."""
    answers = {
        "mixed": mixed,
        "nan": [nan] * GROUP,
        "null": [None] * GROUP,
        "full": filler,
        "two": [filler[0], filler[1], *[nan] * 3, *[None] * 3],
    }
    units = [u for u, own in answers.items() for _ in own]
    return units, [v for own in answers.values() for v in own]


WHOLE = unit_rows([5, 1, None, 3, None, 4, 2, 5], [1, 2, 2, 4, 5, 3], None)
REAL = unit_rows([4.5, NAN, None, 1.0, 2.25, -0.0, NAN, 3.5], [0.5, 2.0, 2.0, 4.75, 5.0, 1.25], NAN)
TRUTH = unit_rows(
    [True, False, None, True, None, False, True, True], [True, True, False, True, False, True], None
)
FULL = (["a"] * 5 + ["b"] * 6, [100, 101, 127, 100, 127, 120, 120, 100, 127, 126, 126])
# type of PyArrow, units and values; None is null
COLUMNS: dict[str, tuple[Any, tuple[list[str], list[Any]]]] = {
    "float64": (pyarrow.float64(), REAL),
    "float32": (pyarrow.float32(), REAL),
    "int8": (pyarrow.int8(), WHOLE),
    "int64": (pyarrow.int64(), WHOLE),
    "uint8": (pyarrow.uint8(), WHOLE),
    "uint64": (pyarrow.uint64(), WHOLE),
    "decimal128": (pyarrow.decimal128(9, 2), WHOLE),
    "boolean": (pyarrow.bool_(), TRUTH),
    "int8 without a gap": (pyarrow.int8(), FULL),
    "uint8 without a gap": (pyarrow.uint8(), FULL),
}


def table_of(kind: Any, rows: tuple[list[str], list[Any]], **more: list[Any]) -> Any:
    """Return a PyArrow table with the columns store, q and x, and what is given besides."""
    units, values = rows
    if pyarrow.types.is_decimal(kind):
        values = [None if v is None else decimal.Decimal(v) for v in values]
    x = [float(i * i % 7) for i in range(len(units))]
    return pyarrow.table(
        {"store": units, "q": pyarrow.array(values, kind, from_pandas=False), "x": x, **more}
    )


# ---------------------------------------------------------------------- who holds the rows


def relation(table: Any) -> Any:
    connection = duckdb.connect()
    OPEN.append(connection)  # a relation lives as long as its connection
    connection.register("answers", table)
    return connection.sql("SELECT * FROM answers")


def masked(table: Any) -> pd.DataFrame:
    """Return a frame of pandas' nullable types; its floats hold NaN beside NA."""
    q = table["q"]
    names = {
        pyarrow.int8(): pd.Int8Dtype(),
        pyarrow.int64(): pd.Int64Dtype(),
        pyarrow.uint8(): pd.UInt8Dtype(),
        pyarrow.uint64(): pd.UInt64Dtype(),
        pyarrow.bool_(): pd.BooleanDtype(),
    }
    frame = table.to_pandas(types_mapper=names.get)
    if pyarrow.types.is_floating(q.type):
        values = np.array([0.0 if v is None else v for v in q.to_pylist()])
        dtype = np.float32 if q.type == pyarrow.float32() else np.float64
        frame["q"] = pd.arrays.FloatingArray(values.astype(dtype), q.is_null().to_numpy())
    return frame


def as_csv(table: Any, folder: Path) -> Path:
    path = folder / "answers.csv"
    table.to_pandas().to_csv(path, index=False)
    return path


def by_pandas(table: Any, folder: Path) -> Path:
    path = folder / "pandas.parquet"
    table.to_pandas().to_parquet(path, row_group_size=GROUP)
    return path


def by_pyarrow(table: Any, folder: Path) -> Path:
    path = folder / "pyarrow.parquet"
    parquet.write_table(table, path, row_group_size=GROUP)
    return path


def by_polars(table: Any, folder: Path) -> Path:
    path = folder / "polars.parquet"
    polars.from_arrow(table).write_parquet(path, row_group_size=GROUP)
    return path


def by_duckdb(table: Any, folder: Path) -> Path:
    path = folder / "duckdb.parquet"
    relation(table).write_parquet(str(path))
    return path


def in_folders(table: Any, folder: Path) -> Path:
    parquet.write_to_dataset(table, folder / "dataset", partition_cols=["store"])
    return folder / "dataset"


def viewed(path: Path) -> Any:
    connection = duckdb.connect()
    OPEN.append(connection)
    connection.sql(f"CREATE VIEW seen AS SELECT * FROM '{path}'")
    return connection.table("seen")


HOLDERS: dict[str, Callable[[Any, Path], Any]] = {
    "pandas": lambda t, _: t.to_pandas(),
    "pandas objects": lambda t, _: t.to_pandas().astype({"q": object}),
    "pandas nullable": lambda t, _: masked(t),
    "pandas arrow": lambda t, _: t.to_pandas(types_mapper=pd.ArrowDtype),
    "polars": lambda t, _: polars.from_arrow(t),
    "polars lazy": lambda t, _: polars.from_arrow(t).lazy(),
    "pyarrow": lambda t, _: t,
    "pyarrow chunked": lambda t, _: pyarrow.concat_tables([t.slice(0, 9), t.slice(9)]),
    "duckdb": lambda t, _: relation(t),
    "csv": as_csv,
    "parquet of pandas": by_pandas,
    "parquet of pyarrow": by_pyarrow,
    "parquet of polars": by_polars,
    "parquet of duckdb": by_duckdb,
    "polars scans pyarrow": lambda t, f: polars.scan_parquet(by_pyarrow(t, f)),
    "polars scans polars": lambda t, f: polars.scan_parquet(by_polars(t, f)),
    "duckdb views pyarrow": lambda t, f: viewed(by_pyarrow(t, f)),
    "duckdb views polars": lambda t, f: viewed(by_polars(t, f)),
    "duckdb reads folders": lambda t, f: duckdb.read_parquet(
        f"{in_folders(t, f)}/*/*.parquet", hive_partitioning=True
    ),
    "polars reads folders": lambda t, f: polars.scan_parquet(
        in_folders(t, f), hive_partitioning=True
    ),
}
OFTEN = ("polars lazy", "pyarrow", "csv", "parquet of pyarrow")


def paired(columns: Iterable[str], always: str = "") -> list[Any]:
    """Return every pair of column and holder; most are slow, those of ``always`` are not."""
    found = []
    for i, column in enumerate(columns):
        for j, holder in enumerate(HOLDERS):
            often = column == always or (i + j) % 10 == 0
            found.append(pytest.param(column, holder, marks=() if often else pytest.mark.slow))
    return found


every_holder = pytest.mark.parametrize(
    "holder", [pytest.param(h, marks=() if h in OFTEN else pytest.mark.slow) for h in HOLDERS]
)


# ---------------------------------------------------------------------- what is right


def answers_of(rows: tuple[list[str], list[Any]]) -> dict[str, list[Fraction]]:
    """Return the answers of every unit, exactly: neither null nor NaN."""
    found: dict[str, list[Fraction]] = {u: [] for u in sorted(set(rows[0]))}
    for unit, value in zip(*rows, strict=True):
        if value is not None and value == value:
            found[unit].append(Fraction(value))
    return found


def mean_and_squares(values: list[Fraction]) -> tuple[Fraction, Fraction]:
    mean = sum(values, Fraction(0)) / len(values)
    return mean, sum(((v - mean) ** 2 for v in values), Fraction(0))


def slope(pairs: list[tuple[Fraction, Fraction]]) -> tuple[float, float]:
    """Return the slope of a simple regression and its HC1 standard error."""
    n = len(pairs)
    x_bar = sum((x for x, _ in pairs), Fraction(0)) / n
    y_bar = sum((y for _, y in pairs), Fraction(0)) / n
    spread = sum(((x - x_bar) ** 2 for x, _ in pairs), Fraction(0))
    b = sum(((x - x_bar) * (y - y_bar) for x, y in pairs), Fraction(0)) / spread
    meat = sum((((x - x_bar) * (y - y_bar - b * (x - x_bar))) ** 2 for x, y in pairs), Fraction(0))
    return float(b), math.sqrt(n / (n - 2) * meat) / float(spread)


def equal(found: Any, expected: Any) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def check_scores(data: Any, rows: tuple[list[str], list[Any]]) -> None:
    """Compare scores with the mean, n and sampling variance by hand; few answers are withheld."""
    measures = {"mean": Mean("q"), "high": eecx.Favorable("q", at_least=1)}
    scores = Survey(data, unit="store", measures=measures).scores(disclosure_n=3)
    scores = scores.set_index(["store", "measure"])
    known = answers_of(rows)
    told = [values for values in known.values() if len(values) > 2]
    pooled = sum(mean_and_squares(v)[1] for v in told) / sum(len(v) - 1 for v in told)
    for unit, values in known.items():
        own, high = scores.loc[(unit, "mean")], scores.loc[(unit, "high")]
        if len(values) < 3:
            status = "withheld" if values else "no answer"
            assert own["status"] == high["status"] == status
            assert np.isnan([own["value"], own["std_error"]]).all()
            assert values or own["n"] == 0
            continue
        mean, squares = mean_and_squares(values)
        variance = (squares / (len(values) - 1) if squares else pooled) / len(values)
        assert (own["status"], own["n"], high["n"]) == ("scored", len(values), len(values))
        equal([own["value"], own["std_error"]], [float(mean), math.sqrt(variance)])
        equal(high["value"], sum(v >= 1 for v in values) / len(values))


def check_sums(data: Any, rows: tuple[list[str], list[Any]]) -> None:
    """Compare sums per unit, and of a square, with those by hand."""
    cells = Moments.from_frame(data, keys=["store"], terms=["q", "I(q^2)"])
    known = {u: v for u, v in answers_of(rows).items() if v}
    assert cells.keys["store"].tolist() == list(known)
    assert cells.n.tolist() == [len(v) for v in known.values()]
    assert cells.left_out == len(rows[0]) - cells.n.sum()
    for i, values in enumerate(known.values()):
        first, second = mean_and_squares(values), mean_and_squares([v * v for v in values])
        equal(cells.mean[i], [float(first[0]), float(second[0])])
        equal(cells.m2[i][[0, 2]], [float(first[1]), float(second[1])])


def check_counts(data: Any, rows: tuple[list[str], list[Any]]) -> None:
    """Compare how often each answer was given, and none."""
    known = answers_of(rows)
    options = sorted({v for values in known.values() for v in values})
    counts = Counts.from_frame(
        data, keys=["store"], items=["q"], options=[float(o) for o in options]
    )
    assert counts.keys["store"].tolist() == list(known)
    expected = [[v.count(o) for o in options] for v in known.values()]
    assert counts.n[:, 0].tolist() == expected
    blank = [rows[0].count(u) - len(v) for u, v in known.items()]
    assert counts.missing[:, 0].tolist() == blank


def check_regression(data: Any, table: Any, rows: tuple[list[str], list[Any]]) -> None:
    """Compare a slope on complete rows with the one by hand."""
    x = table["x"].to_pylist()
    pairs = [
        (Fraction(a), Fraction(v))
        for a, v in zip(x, rows[1], strict=True)
        if v is not None and v == v
    ]
    fit = eecx.regress(data, "q ~ x", vcov="HC1")
    assert fit.stats["n"] == len(pairs)
    row = fit.row(term="x")
    equal([row["estimate"], row["std_error"]], slope(pairs))


@pytest.mark.parametrize(("column", "holder"), paired(COLUMNS, always="float64"))
def test_what_is_missing_is_missing_everywhere(column, holder, tmp_path):
    kind, rows = COLUMNS[column]
    table = table_of(kind, rows)
    data = HOLDERS[holder](table, tmp_path)
    check_scores(data, rows)
    check_sums(data, rows)
    check_counts(data, rows)
    check_regression(data, table, rows)


@pytest.mark.parametrize("holder", ["parquet of pyarrow", "parquet of polars"])
@pytest.mark.parametrize(
    ("answers", "n", "value", "status"),
    [
        ([9.0, 0, 0, 7, 8] + [NAN] * 5, 5, -20, "scored"),
        ([0.0, 0.0] + [NAN] * 8, NAN, NAN, "withheld"),
        ([9.0, 10, 9, 10, 9] + [NAN] * 5, 5, 100, "scored"),
    ],
)
def test_the_statistics_of_a_file_do_not_answer_for_its_rows(
    holder, answers, n, value, status, tmp_path
):
    table = pyarrow.table({"store": ["A"] * 10, "q": pyarrow.array(answers)})
    data = HOLDERS[holder](table, tmp_path)
    scores = Survey(data, unit="store", measures={"nps": NPS("q")}).scores().iloc[0]
    np.testing.assert_equal([scores["n"], scores["value"]], [n, value])
    assert scores["status"] == status


# ---------------------------------------------------------------------- infinite and extreme

ASKED: dict[str, Callable[[Any], Any]] = {
    "scores": lambda d: Survey(d, unit="store", measures={"m": Mean("q")}).scores(),
    "weights": lambda d: Survey(d, unit="store", weight="q", measures={"m": Mean("x")}).scores(),
    "sums": lambda d: Moments.from_frame(d, keys=["store"], terms=["q"]),
    "counts": lambda d: Counts.from_frame(d, items=["q"], keys=["store"], options=[1, 2]),
    "regress": lambda d: eecx.regress(d, "q ~ x"),
    "panel": lambda d: Panel.from_frame(d, unit="store", employee="q"),
    "icc": lambda d: eecx.icc(d, "q", unit="store"),
}


@every_holder
def test_what_is_infinite_is_the_same_error(holder, tmp_path):
    table = table_of(pyarrow.float64(), (list("aabb"), [1.0, INF, 2.0, 1.0]))
    data = HOLDERS[holder](table, tmp_path)
    for asked, ask in ASKED.items():
        with pytest.raises(DataError, match="infinite value") as raised:
            ask(data)
        assert raised.value.code == "infinite-values", asked


@every_holder
@pytest.mark.parametrize("size", [1e307, 1e-300])
def test_values_whose_squares_no_double_holds_are_an_error(holder, size, tmp_path):
    table = table_of(pyarrow.float64(), (list("aabb"), [1.0 * size, 2 * size, 3 * size, NAN]))
    data = HOLDERS[holder](table, tmp_path)
    for asked in ("scores", "sums", "regress", "icc"):
        with pytest.raises(DataError, match="whose squares a computer cannot add up") as raised:
            ASKED[asked](data)
        assert raised.value.code == "too-large"


@pytest.mark.parametrize("factor", [1e300, 1e-300])
@pytest.mark.parametrize("holder", ["pandas", "duckdb"])
def test_what_all_weights_are_multiplied_by_makes_no_difference(factor, holder, tmp_path):
    rows = (list("aaabbb"), [1.0, 2, 4, 2, 2, 5])
    weights = [1.0, 2, 3, 4, 5, 6]
    found = []
    for times in (1.0, factor):
        table = table_of(pyarrow.float64(), rows, w=[w * times for w in weights])
        data = HOLDERS[holder](table, tmp_path)
        survey = Survey(data, unit="store", weight="w", measures={"m": Mean("q")})
        found.append(survey.scores(disclosure_n=1))
        if times != 1:
            with pytest.raises(DataError, match="Weight 'w' has values up to"):
                Moments.from_frame(data, terms=["q"], weight="w")
    pd.testing.assert_frame_equal(*found, rtol=1e-9)


def test_weights_too_far_apart_are_an_error():
    frame = pd.DataFrame({"u": list("aabb"), "q": [1.0, 2, 3, 4], "w": [1e-300, 2e-300, 1, 2]})
    with pytest.raises(DataError, match="Weight 'w' of the data frame has values up to 2"):
        Survey(frame, unit="u", weight="w", measures={"m": Mean("q")}).scores()


@every_holder
def test_subnormal_values_and_minus_zero_are_numbers(holder, tmp_path):
    rows = (["a"] * 6, [5e-324, -0.0, 0.0, 1.0, 2.0, NAN])
    data = HOLDERS[holder](table_of(pyarrow.float64(), rows), tmp_path)
    check_scores(data, rows)
    check_sums(data, rows)


# ---------------------------------------------------------------------- whole numbers beyond 2^53

LONG = [0, 2, 2, 0, 2, 2, 1, 3, 3, 1, 3, 1]


@pytest.mark.parametrize("kind", [pyarrow.int64(), pyarrow.uint64()], ids=str)
@every_holder
def test_whole_numbers_near_2_to_the_62_keep_their_digits(kind, holder, tmp_path):
    rows = (["a"] * 6 + ["b"] * 6, [2**62 + v for v in LONG])
    data = HOLDERS[holder](table_of(kind, rows), tmp_path)
    check_scores(data, rows)
    cells = Moments.from_frame(data, keys=["store"], terms=["q"])
    for i, values in enumerate(answers_of(rows).values()):
        mean, squares = mean_and_squares(values)
        equal(
            float(Fraction(cells.mean[i, 0]) + Fraction(cells.mean_rest[i, 0]) - 2**62),
            float(mean - 2**62),
        )
        equal(cells.m2[i, 0], float(squares))
    spread = Survey(data, unit="store", measures={"m": Dispersion(Mean("q"))}).scores()
    equal(spread["value"], [np.std(LONG[:6], ddof=1), np.std(LONG[6:], ddof=1)])
    with pytest.raises(DataError, match="'q' holds whole numbers beyond 2\\^53") as raised:
        eecx.regress(data, "q ~ x")
    assert raised.value.code == "too-many-digits"


@every_holder
def test_units_too_far_apart_for_a_double_are_summed_as_they_are_or_refused(holder, tmp_path):
    far = [-(2**62) + 2**20 * k for k in range(6)] + [2**62 + 2**20 * k for k in range(6)]
    rows = (["a"] * 6 + ["b"] * 6, far)
    check_scores(HOLDERS[holder](table_of(pyarrow.int64(), rows), tmp_path), rows)
    odd = table_of(pyarrow.int64(), (rows[0], [v + 1 for v in far]))
    folder = tmp_path / "odd"
    folder.mkdir()
    for asked in ("scores", "sums"):
        with pytest.raises(DataError, match="beyond 2\\^53") as raised:
            ASKED[asked](HOLDERS[holder](odd, folder))
        assert raised.value.code == "too-many-digits"


# ---------------------------------------------------------------------- names of things

MOMENT = dt.datetime(2024, 4, 1, 12)
NAMES: dict[str, tuple[Any, list[Any], list[Any]]] = {
    "float": (pyarrow.float64(), [1.0, NAN, 2.5, None], [1.0, 2.5]),
    "float32": (pyarrow.float32(), [1.0, NAN, 2.0, None], [1, 2]),
    "zeros": (pyarrow.float64(), [0.5, -0.0, 0.0, 0.5], [0.0, 0.5]),
    "long": (pyarrow.int64(), [2**53, 2**53 + 1] * 2, [2**53, 2**53 + 1]),
    "unsigned": (pyarrow.uint64(), [2**63 + 5, 2**63 + 6] * 2, [2**63 + 5, 2**63 + 6]),
    "decimal": (pyarrow.decimal128(30, 0), [2**60, 2**60 + 1, None, None], [2**60, 2**60 + 1]),
    "boolean": (pyarrow.bool_(), [True, None, False, False], [False, True]),
    "text": (pyarrow.string(), ["007", "7", "", None], ["007", "7"]),
    "exponents": (pyarrow.string(), ["1E3", "1000", " ", None], ["1000", "1E3"]),
    "categories": (
        pyarrow.dictionary(pyarrow.int8(), pyarrow.string()),
        ["u", None, "v", "v"],
        ["u", "v"],
    ),
    "zoned": (pyarrow.timestamp("us", "UTC"), [MOMENT, None, MOMENT, None], [MOMENT]),
}


@pytest.mark.slow
@pytest.mark.parametrize(("column", "holder"), paired(NAMES))
def test_names_that_differ_stay_apart_everywhere(column, holder, tmp_path):
    kind, cells, levels = NAMES[column]
    if holder == "csv" and column in ("zoned", "zeros"):
        pytest.skip("names in a CSV file are as they are written")
    if pyarrow.types.is_decimal(kind):
        cells = [None if v is None else decimal.Decimal(v) for v in cells]
    key = pyarrow.array(cells * 4, kind, from_pandas=False)
    table = table_of(pyarrow.float64(), (["s"] * 16, [float(v) for v in range(16)]), key=key)
    data = HOLDERS[holder](table, tmp_path)
    expected = [str(v) for v in levels]
    sums = Moments.from_frame(data, keys=["key"], terms=["q"])
    assert list(map(str, sums.keys["key"])) == expected
    scores = Survey(data, unit="key", measures={"m": Mean("q")}).scores(disclosure_n=1)
    assert list(map(str, scores["key"])) == expected
    assert scores["n"].tolist() == sums.n.tolist()
    if len(levels) > 1:
        fit = eecx.regress(data, "q ~ x", cluster="key")
        assert (fit.stats["n"], fit.stats["clusters"]) == (sums.n.sum(), len(levels))
        dummies = eecx.regress(data, "q ~ x + C(key)").table["term"]
        assert len(dummies) == 1 + len(levels)


def written(folder: Path, keys: list[str]) -> Path:
    path = folder / "keys.csv"
    lines = [f"{k},{i % 3},{i * i % 7}" for k in keys for i in range(6)]
    path.write_text("\n".join(["store,q,x", *lines]), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("keys", "levels"),
    [
        (["1E3", "1000"], ["1000", "1E3"]),
        (["007", "7"], ["007", "7"]),
        (["7", "7.0"], ["7", "7.0"]),
        (["+7", "8"], ["+7", "8"]),
        (["1.10", "1.1"], ["1.1", "1.10"]),
        (["true", "TRUE"], ["TRUE", "true"]),
        (["9007199254740993", "9007199254740992"], [2**53, 2**53 + 1]),
        (["18446744073709551617", "18446744073709551618"],) * 2,
        (["10", "9"], [9, 10]),
        (["10.0", "9.0"], [9, 10]),
        (["9.5", "10"], [9.5, 10]),
    ],
)
def test_keys_of_a_csv_file_stay_as_they_are_written(keys, levels, tmp_path):
    path = written(tmp_path, keys)
    measures = {"m": Mean("q")}
    assert Survey(path, unit="store", measures=measures).scores()["store"].tolist() == levels
    assert Moments.from_frame(path, keys=["store"], terms=["q"]).keys["store"].tolist() == levels
    counts = Counts.from_frame(path, keys=["store"], items=["q"], options=[0, 1, 2])
    assert counts.keys["store"].tolist() == levels
    segments = Survey(path.with_name("keys.csv"), unit="q", segments=["store"], measures=measures)
    assert set(segments.scores(by=["store"], disclosure_n=1)["store"]) == set(levels)
    assert eecx.regress(path, "q ~ x", cluster="store").stats["clusters"] == 2
    assert eecx.regress(path, "q ~ x", unit="store").stats["clusters"] == 2
    assert len(eecx.regress(path, "q ~ x + C(store)").table) == 3


def test_covariates_of_a_csv_file_are_joined_on_keys_as_they_are_written(tmp_path):
    frame = pd.DataFrame({"store": ["1E3"] * 6 + ["1000"] * 6, "q": [1.0, 2, 3, 4, 5, 6] * 2})
    sides = [Survey(frame, unit="store", measures={m: Mean("q")}) for m in ("ex", "cx")]
    (tmp_path / "stores.csv").write_text("store,size\n1E3,5\n1000,7\n", encoding="utf-8")
    panel = eecx.link(*sides, covariates=tmp_path / "stores.csv")
    assert dict(zip(panel.frame["store"], panel.frame["size"], strict=True)) == {
        "1E3": 5,
        "1000": 7,
    }


def test_one_and_its_text_are_an_error_with_a_way_out():
    frame = pd.DataFrame({"store": [1] * 6 + ["1"] * 6, "q": [1.0, 2, 3] * 4, "x": range(12)})
    asked = {
        "unit": lambda d: Survey(d, unit="store", measures={"m": Mean("q")}).scores(),
        "key": lambda d: Moments.from_frame(d, keys=["store"], terms=["q"]),
        "cluster": lambda d: eecx.regress(d, "q ~ x", cluster="store"),
        "category": lambda d: eecx.regress(d, "q ~ x + C(store)"),
        "panel": lambda d: Panel.from_frame(d, unit="store", employee="q"),
    }
    for data in (frame, frame.astype({"store": "category"})):
        for ask in asked.values():
            with pytest.raises(DataError, match="holds the int 1 and the str '1'") as raised:
                ask(data)
            assert raised.value.code == "mixed-types"
    fix = raised.value.fix
    one, two = (part.strip(" .") for part in fix.removeprefix("If one: ").split("If two: "))
    for code, units in ((one, 1), (two, 2)):
        space = {"frame": frame.copy()}
        exec(code, space)  # the way out, to the letter
        assert len(asked["unit"](space["frame"])) == units
    Survey(frame, unit="x", measures={"m": Mean("q")}).scores()  # where it names nothing, no harm


def test_keys_that_have_become_floats_beyond_their_digits_are_refused():
    frame = pd.DataFrame({"store": [2.0**53, 2.0**53, np.nan] * 4, "q": range(12), "x": [1, 2] * 6})
    for ask in (
        lambda: Survey(frame, unit="store", measures={"m": Mean("q")}).scores(),
        lambda: Moments.from_frame(frame, keys=["store"], terms=["q"]),
        lambda: eecx.regress(frame, "q ~ x", cluster="store"),
        lambda: eecx.regress(frame, "q ~ C(store)"),
    ):
        with pytest.raises(DataError, match="'store' names things by numbers beyond") as raised:
            ask()
        assert raised.value.code == "too-many-digits"


# ---------------------------------------------------------------------- complex numbers, text


def test_complex_numbers_are_refused():
    frame = pd.DataFrame({"store": list("aabb"), "q": [1 + 2j, 2, 3, 4], "x": [1.0, 2, 4, 3]})
    others = [
        lambda d: eecx.regress(d, "x ~ q"),
        lambda d: eecx.regress(d, "x ~ C(q)"),
        lambda d: eecx.regress(d, "x ~ store", cluster="q"),
        lambda d: Survey(d, unit="q", measures={"m": Mean("x")}).scores(),
        lambda d: eecx.correlations(d, ["x", "q"]),
    ]
    for ask in (*ASKED.values(), *others):
        with pytest.raises(DataError, match="'q' of the data frame holds complex numbers"):
            ask(frame)
    real = frame.assign(q=frame["q"].map(lambda z: z.real))
    assert eecx.regress(real, "x ~ q").stats["n"] == 4
    assert Moments.from_frame(frame, terms=["x"]).n.tolist() == [4.0]


def test_nan_written_in_a_csv_file_is_missing_and_on_record(tmp_path):
    table = table_of(*COLUMNS["float64"])
    path = tmp_path / "polars.csv"
    polars.from_arrow(table).write_csv(path)
    assert "NaN" in path.read_text(encoding="utf-8")
    check_scores(path, REAL)
    check_sums(path, REAL)
    check_regression(path, table, REAL)
    record = Survey(path, unit="store", measures={"m": Mean("q")}).table.record
    assert record[["text", "as"]].to_numpy().tolist() == [["NaN", "missing"]]
