"""Tests on Spark: one session for all, and the fixture that hands pandas frames over to it.

The modules beside this one borrow the tests that run on every engine; ``held`` below stands in for
the fixture of that name. Run with ``pytest -m spark -n 0``.
"""

import importlib.util
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

SETTINGS = {
    "spark.ui.enabled": "false",
    "spark.sql.shuffle.partitions": "2",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.log.level": "ERROR",
    # neither UTC nor the machine's: a key must keep the clock of the session
    "spark.sql.session.timeZone": "America/St_Johns",
}


MARKS = (
    pytest.mark.spark,
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning"),
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),  # PySpark 4.0's
)


@pytest.hookimpl(tryfirst=True)  # before -m looks at the marks
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the tests of this folder; of the borrowed ones keep those that use an engine."""
    own = [i for i in items if Path(__file__).parent in i.path.parents]
    idle = {i for i in own if "spark" not in getattr(i, "fixturenames", ())}
    for item in own:
        for mark in MARKS:
            item.add_marker(mark)
    items[:] = [i for i in items if i not in idle]
    config.hook.pytest_deselected(items=list(idle))


def lacking() -> str:
    """Name what Spark needs and is not there."""
    java = os.environ.get("JAVA_HOME") or shutil.which("java")
    if not java:
        return "Spark needs Java: put java on the PATH or set JAVA_HOME"
    if not all(importlib.util.find_spec(name) for name in ("pyspark", "pyarrow")):
        return "Spark tests need pip install 'eecx[test,spark]'"
    return ""


@pytest.fixture(scope="session")
def spark() -> Iterator[Any]:
    """Start Spark in local mode; without Java or PySpark skip, in CI fail."""
    if reason := lacking():
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[2]").appName("eecx")
    for name, value in SETTINGS.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    yield session
    session.stop()


@pytest.fixture
def held(spark: Any) -> Callable[[pd.DataFrame], object]:
    """Hand a pandas frame over to Spark, its rows dealt out to three partitions."""
    import pyarrow

    def hold(frame: pd.DataFrame) -> object:
        unsigned = {c: "int64" for c, d in frame.dtypes.items() if d.kind == "u"}
        table = pyarrow.Table.from_pandas(frame.astype(unsigned), preserve_index=False)
        return spark.createDataFrame(table).repartition(3)

    return hold
