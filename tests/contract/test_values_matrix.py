"""A value is missing, infinite or a number in the same way on every engine and in every file.

The right results are worked out in plain Python from the values as they are written below.
"""

import decimal
import math
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import eecx
from eecx import Counts, DataError, Mean, Moments, Panel, Survey, TopBox

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
every_holder = pytest.mark.parametrize("holder", HOLDERS)


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
            assert np.isnan(own["value"]) and np.isnan(own["std_error"])
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


@pytest.mark.parametrize("column", COLUMNS)
@every_holder
def test_what_is_missing_is_missing_everywhere(column, holder, tmp_path):
    kind, rows = COLUMNS[column]
    table = table_of(kind, rows)
    data = HOLDERS[holder](table, tmp_path)
    check_scores(data, rows)
    check_sums(data, rows)
    check_counts(data, rows)
    check_regression(data, table, rows)
