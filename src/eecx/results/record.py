"""What an analysis records: every argument, the data's fingerprint, and the versions."""

from __future__ import annotations

import hashlib
import inspect
import platform
from collections.abc import Callable, Mapping
from functools import cache
from importlib import metadata
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["fingerprint", "recorded", "versions"]

HOLDS_DATA = frozenset(
    {
        "data",
        "panel",
        "survey",
        "answers",
        "population",
        "result",
        "found",
        "fits",
        "fit",
        "other",
        "self",
    }
)
"""Arguments that are data or results: their fingerprint, or what they record, is kept instead."""


def recorded(
    function: Callable[..., Any],
    given: Mapping[str, Any],
    *,
    data: str | None = None,
    of: Mapping[str, Any] | list[Mapping[str, Any]] | None = None,
    **settled: Any,
) -> dict[str, Any]:
    """Return the ``.spec`` of an analysis.

    Parameters
    ----------
    function : callable
        The public function.
    given : mapping
        Its arguments by name, defaults included: ``locals()`` at its first line.
    data : str, optional
        The fingerprint of the data.
    of : mapping, optional
        What the results that were given record.
    settled
        What an argument came to (a default that depends on others), and what else was decided.

    Examples
    --------
    >>> def mean(data, *, trim=0.0):
    ...     return recorded(mean, locals(), data="0123")
    >>> list(mean([1.0]))
    ['trim', 'data', 'versions']
    """
    names = _arguments(function)
    spec = {name: settled.pop(name) if name in settled else given[name] for name in names}
    spec |= settled
    out = {name: plain(value) for name, value in spec.items()}
    if of is not None:
        out["of"] = plain(of)
    if data is not None:
        out["data"] = data
    return out | {"versions": versions()}


@cache
def _arguments(function: Callable[..., Any]) -> tuple[str, ...]:
    return tuple(n for n in inspect.signature(function).parameters if n not in HOLDS_DATA)


def plain(value: Any) -> Any:
    """Return an argument as values that can be written down and hold no data."""
    if isinstance(value, np.random.Generator):
        return str(value)
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, pd.DataFrame):
        return {str(k): plain(v.to_dict()) for k, v in value.items()}
    if isinstance(value, tuple):
        return tuple(plain(v) for v in value)
    if isinstance(value, list | range | set | frozenset | np.ndarray | pd.Series | pd.Index):
        return [plain(v) for v in value]
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, str | bool | int | float):
        return value
    return repr(value)


def fingerprint(*arrays: npt.NDArray[Any] | str) -> str:
    """Return a short hash of arrays and names: the same data give the same fingerprint."""
    digest = hashlib.sha256()
    for item in arrays:
        own = np.frombuffer(item.encode(), np.uint8) if isinstance(item, str) else item
        content = np.ravel(own, "F").view(np.uint8).data  # a table column by column
        # without its shape, where an item ends would be left open
        digest.update(f"{len(content)} {np.shape(item)} ".encode())
        digest.update(content)
    return digest.hexdigest()[:16]


def versions() -> dict[str, str]:
    """Return the versions of Python, eecx and what it computes with."""
    return dict(_installed())


@cache
def _installed() -> dict[str, str]:
    names = ("eecx", "numpy", "scipy", "pandas", "statsmodels", "matplotlib", "narwhals")
    found = {"python": platform.python_version()}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed as a package"
    return found
