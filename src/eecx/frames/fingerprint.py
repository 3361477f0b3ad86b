r"""Fingerprints: what tells one set of data from another, without holding any of it.

Columns in memory are hashed row by row: with the columns' values in canonical form (numbers as
doubles, or exact whole numbers beyond :math:`2^{53}`; texts; times; missing ones all alike) as 64
bits :math:`v_{ij}`, whose high bits are folded upon the low ones (f), and a function g that mixes
all bits of a row,

.. math:: \sum_i g\big(\textstyle\sum_j a_j f(v_{ij})\big) \mod 2^{64}

where the odd number :math:`a_j` depends on the name of the column. The order of rows and of columns
does not matter; which values stand together in a row does. A file is known by its bytes. Of rows
that an engine has yet to make one query of sums is asked, which is weaker: see :func:`of_sums`.
"""

from __future__ import annotations

import hashlib
import string
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np
import numpy.typing as npt
import pandas as pd

from .expressions import Expr, flag, real
from .failures import unopened
from .kinds import NUMBERS
from .plain import plain

if TYPE_CHECKING:
    from .tables import Table

__all__ = ["fingerprint_of_columns", "fingerprint_of_table"]

Bits = npt.NDArray[np.uint64]

DIGITS = 16
BLOCK = 1 << 13
"""Rows that are hashed at once: they stay in the cache of the processor."""
UNTOLD = ("other", "complex")
"""Lists and the like, which no analysis takes."""
EXACT = 2**53
"""Up to here a double holds every whole number."""
MIX = np.uint64(0x9E3779B97F4A7C15)
LAST = list(string.digits[::3] + string.ascii_uppercase[::5] + string.ascii_lowercase[::5])


def fingerprint_of_columns(columns: Mapping[Any, Any], *about: str) -> str:
    """Return the fingerprint of columns in memory, and of what else is said ``about`` them.

    Examples
    --------
    >>> one = fingerprint_of_columns({"x": [1.0, 2.0], "y": ["a", None]})
    >>> one == fingerprint_of_columns({"y": [None, "a"], "x": [2, 1]})
    True
    >>> one == fingerprint_of_columns({"x": [2.0, 1.0], "y": ["a", None]})
    False
    """
    made = {repr(name): _in_64_bits(values) for name, values in columns.items()}
    rows = max((len(bits) for bits, _, _ in made.values()), default=0)
    parts = [
        (bits, levels, _odd(f"{name} {kind}"))
        for name, (bits, levels, kind) in sorted(made.items())
    ]
    total = 0
    for start in range(0, rows, BLOCK):
        row: Bits = np.zeros(min(BLOCK, rows - start), np.uint64)
        for bits, levels, odd in parts:
            own = bits[start : start + BLOCK]
            row += _spread(_canonical(own) if levels is None else levels[own], odd)
        for _ in range(2):
            row = _spread(row, MIX)
        total += int((row ^ (row >> np.uint64(29))).sum(dtype=np.uint64))
    kinds = [f"{name} {kind}" for name, (_, _, kind) in sorted(made.items())]
    return _digest(*about, *kinds, str(rows), f"{total % 2**64:x}")


def fingerprint_of_table(table: Table) -> str:
    """Return the fingerprint of all the data that a table was opened on."""
    if table.path is not None:
        return of_file(table.path)
    if not table.held:
        return of_sums(table)
    known = [c for c, kind in table.kinds.items() if kind not in UNTOLD]
    if table.engine == "pandas":
        rows = table.rows.collect("pandas").to_native()
    else:  # Arrow's types know missing whole numbers
        rows = table.in_arrow(known).to_pandas(types_mapper=pd.ArrowDtype)
    columns = {c: rows[c] for c in known}
    other = sorted(c for c, kind in table.kinds.items() if kind in UNTOLD)
    return fingerprint_of_columns(columns, *map(repr, other))


def of_file(path: Path) -> str:
    """Return the hash of a file's bytes; of a folder, of its files in the order of their names."""
    digest = hashlib.sha256()
    try:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                now = file.stat()
                digest.update(_of_bytes(file.resolve(), now.st_size, now.st_mtime_ns))
    except OSError as error:
        raise unopened(path.name, error) from error
    return digest.hexdigest()[:DIGITS]


@lru_cache(maxsize=64)
def _of_bytes(file: Path, size: int, written: int) -> bytes:
    """Return the hash of a file's bytes, read again when its size or time of writing changes."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").digest()


def of_sums(table: Table) -> str:
    """Return the fingerprint of rows that an engine has yet to make, from one query of sums.

    Per column: how many values there are, the lowest, the highest and the sum; and the sum of the
    products of each column with the next one by name, so that it is noticed where columns are
    paired anew. A text counts as its length and last letter there, a time as its date. Numbers are
    rounded to nine digits of what they could be at most. Changes that leave all of these as they
    are go unnoticed.
    """
    names = sorted(c for c, kind in table.kinds.items() if kind not in UNTOLD)
    plain_table = replace(table, parse=None, full=frozenset())
    rows: dict[str, Expr] = {}
    totals: dict[str, Expr] = {"rows": nw.len()}
    for i, name in enumerate(names):
        rows |= {f"v{i}": plain_table.key(name), f"x{i}": _as_number(plain_table, name)}
        totals |= {f"n{i}": nw.col(f"x{i}").count(), f"s{i}": nw.col(f"x{i}").sum()}
        totals |= {f"a{i}": nw.col(f"x{i}").min(), f"b{i}": nw.col(f"x{i}").max()}
        if table.kinds[name] == "text":
            totals |= {f"c{i}": nw.col(f"v{i}").min(), f"d{i}": nw.col(f"v{i}").max()}
    products = {}
    for i in range(len(names)):
        products[f"p{i}"] = nw.col(f"x{i}") * nw.col(f"x{(i + 1) % len(names)}")
        totals[f"q{i}"] = nw.col(f"p{i}").sum()
    found = table.asked(rows, products, totals)
    said = [str(int(found["rows"]))]
    most = [
        max(abs(_number(found[f"a{i}"])), abs(_number(found[f"b{i}"]))) for i in range(len(names))
    ]
    for i, name in enumerate(names):
        said += [repr(name), str(int(_number(found[f"n{i}"])))]
        said += [f"{_number(found[f'{end}{i}']) + 0.0:.8e}" for end in "ab"]
        said += [str(found[f"{end}{i}"]) for end in "cd" if f"{end}{i}" in totals]
        for value, reach in (("s", most[i]), ("q", most[i] * most[(i + 1) % len(names)])):
            share = _number(found[f"{value}{i}"]) / (reach * max(found["rows"], 1) or 1.0)
            said.append(f"{round(share, 9) + 0.0:.9f}")
    return _digest(*said)


def _as_number(table: Table, name: str) -> Expr:
    """Return a column as a number of its kind, to be summed in the engine."""
    kind, value = table.kinds[name], table.key(name)
    if kind in NUMBERS:
        return real(table.number(name))
    if kind == "text":
        text = value.cast(nw.String)
        last = text.str.slice(-1)
        steps = [flag(last >= letter, value) for letter in LAST]
        return real(sum(steps, text.str.len_chars() * len(LAST)))
    return real(value.dt.year() * 400 + value.dt.ordinal_day())


def _number(value: Any) -> float:
    """Return an aggregate as a number; of no values it is missing."""
    return 0.0 if value is None or pd.isna(value) else float(value)


def _in_64_bits(given: Any) -> tuple[npt.NDArray[Any], Bits | None, str]:
    """Return 64 bits per value, or codes with the bits of their levels, and what they stand for."""
    values = given if isinstance(given, pd.Series) else pd.Series(given)
    dtype = values.dtype
    if not len(values) or (pd.isna(values.iloc[0]) and values.isna().all()):
        return np.zeros(len(values), np.uint64), None, "missing"  # whose type engines differ in
    arrow = isinstance(dtype, pd.ArrowDtype) and dtype.kind not in "iufb"
    if arrow or str(dtype) == "object" or isinstance(dtype, pd.CategoricalDtype):
        values = plain(values)
        dtype = values.dtype
    if pd.api.types.is_bool_dtype(dtype) or pd.api.types.is_numeric_dtype(dtype):
        return *_numbers(values), "number"
    if dtype.kind in "mM":
        times = values.dt.tz_localize(None) if isinstance(dtype, pd.DatetimeTZDtype) else values
        fine = times.to_numpy()
        unit = "ns" if np.datetime_data(fine.dtype)[0] == "ns" else "us"
        whole = fine.astype(f"{fine.dtype.kind}8[us]")
        rest = np.zeros(0) if unit == "us" else (fine - whole.astype(fine.dtype))[~pd.isna(fine)]
        if rest.any():
            return fine.view(np.int64).view(np.uint64), None, "time, ns"
        return whole.view(np.int64).view(np.uint64), None, "time"
    codes, levels = pd.factorize(values)
    texts = np.array([*map(str, levels), ""], dtype=object)
    of_levels = pd.util.hash_array(texts, categorize=False)
    of_levels[-1] = 0  # of missing ones, whose code is -1
    return codes, of_levels, "text"


def _numbers(values: pd.Series[Any]) -> tuple[npt.NDArray[Any], None]:
    """Return numbers as doubles, or the bits of whole numbers that no double holds."""
    if values.dtype.kind in "iu" and len(values):
        gaps = values.isna().to_numpy()
        own = values.fillna(0) if gaps.any() else values
        whole = own.to_numpy(np.uint64 if values.dtype.kind == "u" else np.int64)
        if max(int(whole.max()), -int(whole.min())) > EXACT:
            bits = whole.view(np.uint64)
            return np.where(gaps, np.uint64(2**63 + 1), bits) if gaps.any() else bits, None
    if isinstance(values.dtype, np.dtype):
        return np.ascontiguousarray(values.to_numpy(), dtype=np.float64), None
    return values.to_numpy(np.float64, na_value=np.nan), None


def _canonical(values: npt.NDArray[Any]) -> Bits:
    """Return the bits of values: one zero, one NaN."""
    if values.dtype != np.float64:
        return values
    own = values + 0.0
    if np.isnan(own.sum()):  # or of opposite infinities
        own[np.isnan(own)] = np.nan
    return own.view(np.uint64)


def _spread(bits: Bits, odd: np.uint64) -> Bits:
    """Spread high bits (those of small whole numbers as doubles) over others, and multiply."""
    out = bits >> np.uint64(32)
    out ^= bits
    out *= odd
    return out


def _odd(text: str) -> np.uint64:
    return np.uint64(int(hashlib.sha256(text.encode()).hexdigest()[:16], 16) | 1)


def _digest(*said: str) -> str:
    digest = hashlib.sha256()
    for text in said:
        own = text.encode("utf-8", "surrogatepass")
        digest.update(f"{len(own)} ".encode() + own)
    return digest.hexdigest()[:DIGITS]
