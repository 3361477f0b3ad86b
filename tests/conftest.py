"""Fixtures for every layer of tests."""

import os
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

os.environ["MPLBACKEND"] = "Agg"  # before anything imports Matplotlib
# before NumPy: there is one process a core, and threads of its BLAS would wait for one another
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")

import pandas as pd
import pytest
from hypothesis import settings

settings.register_profile("eecx", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("eecx")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Simulations with known truth count among the slow tests."""
    for item in items:
        if item.path.parent.name == "recovery":
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def shared() -> Path:
    """Directory of stored reference outputs and public data."""
    beside = Path(__file__).resolve().parents[2] / "shared"
    path = Path(os.environ.get("EECX_SHARED") or beside)
    if path.is_dir():
        return path
    reason = "the shared reference data are not in this checkout: set EECX_SHARED"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


ENGINES = (
    "pandas",
    "polars",
    "lazy polars",
    "pyarrow",
    "chunked pyarrow",
    "duckdb",
    "parquet file",
    "csv file",
)


OPEN: list[object] = []


def hold(frame: pd.DataFrame, engine: str, folder: Path) -> object:
    """Hand a pandas frame over to another engine, or write it to a file."""
    if engine == "pandas":
        return frame
    if engine == "csv file":
        path = folder / f"{len(list(folder.iterdir()))}.csv"
        frame.to_csv(path, index=False)
        return path
    if engine.endswith("polars"):
        polars = pytest.importorskip("polars")
        made = polars.from_pandas(frame)
        return made.lazy() if engine == "lazy polars" else made
    arrow = pytest.importorskip("pyarrow")
    table = arrow.Table.from_pandas(frame, preserve_index=False)
    if engine == "chunked pyarrow":
        ends = [0, len(frame) // 7, len(frame) // 3, len(frame)]
        pieces = [table.slice(a, b - a) for a, b in pairwise(ends)]
        return arrow.concat_tables([*pieces, table.slice(0, 0)])
    if engine == "parquet file":
        path = folder / f"{len(list(folder.iterdir()))}.parquet"
        pytest.importorskip("pyarrow.parquet").write_table(table, path)
        return path
    if engine == "duckdb":
        duckdb = pytest.importorskip("duckdb")
        connection = duckdb.connect()
        OPEN.append(connection)  # a relation lives as long as its connection
        connection.register("answers", table)
        return connection.sql("SELECT * FROM answers")
    return table


@pytest.fixture(params=ENGINES)
def held(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[pd.DataFrame], object]:
    """Hand a pandas frame over to each engine in turn."""
    return lambda frame: hold(frame, request.param, tmp_path)
