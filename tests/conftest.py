"""Fixtures for every layer of tests."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

os.environ["MPLBACKEND"] = "Agg"  # before anything imports Matplotlib

settings.register_profile("eecx", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("eecx")


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
