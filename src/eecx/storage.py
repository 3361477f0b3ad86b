r"""Sums and scores in files, without the cells that would give answers away.

Sums are not anonymous: for five people the mean and the sum of squares of a five-point item
leave one set of answers in most cases. A file therefore holds no cell with few respondents, and
of :class:`~eecx.Moments` none with fewer than two respondents for each number it shows: with p
terms these are p means and p(p+1)/2 products, hence :math:`p(p+3)` respondents.

A file is JSON: a schema with a version, the content, and the SHA-256 checksum of the content.
Numbers are written so that they are read again bit by bit.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from . import frames, options
from .errors import DataError, EecxError, OptionError, listing
from .moments import ROW, Counts, Moments, names_of
from .results import versions

__all__ = ["Saved", "load", "save"]

Mask = npt.NDArray[np.bool_]
Sums = Moments | Counts

SCHEMAS = {"moments": "eecx.moments/1", "counts": "eecx.counts/1", "scores": "eecx.scores/1"}
"""What is written, and read, of each kind."""

ARRAYS = {
    "moments": ("n", "w", "w2", "mean", "mean_rest", "m2"),
    "counts": ("n", "missing"),
}
_NUMBERS = ("n", "value", "variance", "std_error", "conf_low", "conf_high")
_TEXTS = ("measure", "status")


@dataclass(frozen=True, eq=False)
class Saved:
    """What a file holds and what it does not.

    Attributes
    ----------
    path : Path
    cells : int
        Cells (of scores: rows) written.
    least : int
        The fewest respondents a cell needed.
    withheld : pandas.DataFrame
        Keys of the cells that were too small, without their number of respondents.
    """

    path: Path
    cells: int
    least: int
    withheld: pd.DataFrame

    def __repr__(self) -> str:
        return (
            f"<Saved: {self.cells} cells in {self.path.name!r}, {len(self.withheld)} withheld "
            f"(at least {self.least} respondents per cell)>"
        )


def save(
    obj: Moments | Counts | pd.DataFrame,
    path: str | Path,
    *,
    keys: Sequence[str] | str | None = None,
    disclosure_n: int = 5,
    protect_unanimous: bool = False,
) -> Saved:
    r"""Write sums or scores to a file, without cells that have too few respondents.

    A cell of :class:`~eecx.Moments` with p terms needs
    :math:`\max(\text{disclosure\_n},\, p(p+3))` respondents: two for every number it shows. A
    cell of :class:`~eecx.Counts` needs ``disclosure_n`` answers to every item that anybody there
    answered; a score needs ``disclosure_n`` respondents. Cells too small are not written, and
    their keys are listed in the file and in what is returned.

    Parameters
    ----------
    obj : Moments, Counts or a table of scores
        Scores are those of :meth:`eecx.Survey.scores` or of one table of a release.
    path : str or Path
    keys : sequence of str, optional
        Coarser keys to write sums by: cells are merged before they are checked. An empty list
        writes one cell.
    disclosure_n : int
        The fewest respondents of a cell.
    protect_unanimous : bool
        Withhold cells of sums in which all gave the same answer to an item or term.

    Returns
    -------
    Saved

    Raises
    ------
    OptionError
        Sums kept by respondent (the key ``"row"``); an option that does not go with the object.
    DataError
        No cell is large enough; the message names coarser keys that would do.

    Notes
    -----
    Cells of one file do not overlap, so none of them follows from others. Two files can: sums
    by unit, taken off sums by region, leave what was withheld. Write one set of keys of the same
    answers, or use :func:`eecx.release` for tables of scores.

    The checksum finds damage, not forgery: whoever changes a file can write a new one.

    Examples
    --------
    >>> import tempfile
    >>> import pandas as pd
    >>> from eecx import Moments
    >>> from eecx.storage import load, save
    >>> answers = pd.DataFrame({"store": ["a"] * 6 + ["b"] * 3, "x": [1, 2, 5, 4, 3, 3, 2, 2, 4]})
    >>> sums = Moments.from_frame(answers, keys=["store"], terms=["x"])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     done = save(sums, f"{folder}/sums.json")
    ...     again = load(done.path)
    >>> done
    <Saved: 1 cells in 'sums.json', 1 withheld (at least 5 respondents per cell)>
    >>> done.withheld["store"].tolist(), again.keys["store"].tolist()
    (['b'], ['a'])
    """
    disclosure_n = options.disclosure_n(disclosure_n)
    path = Path(path)
    if path.is_dir():
        raise DataError(
            f"{str(path)!r} is a folder.",
            code="no-file",
            fix=f"Name a file in it, such as {str(path / 'sums.json')!r}.",
        )
    if not path.resolve().parent.is_dir():
        raise DataError(
            f"There is no folder {str(path.parent)!r} to write {path.name!r} to.",
            code="no-folder",
            fix="Make the folder first.",
        )
    if isinstance(obj, pd.DataFrame):
        if keys is not None:
            raise OptionError(
                "Scores cannot be merged:",
                code="does-not-apply",
                fix="score the survey by the keys you want.",
            )
        if protect_unanimous:
            raise OptionError(
                "Scores do not tell whether all answered the same:",
                code="does-not-apply",
                fix="make the table with eecx.disclosure.release(..., protect_unanimous=True).",
            )
        least, (content, withheld, cells) = disclosure_n, _scores(obj, disclosure_n)
        kind = "scores"
    elif isinstance(obj, Moments | Counts):
        kind = "moments" if isinstance(obj, Moments) else "counts"
        sums = obj if keys is None else obj.collapse(keys)
        if ROW in sums.keys.columns:
            coarser = [k for k in sums.keys.columns if k != ROW]
            raise OptionError(
                f"These {type(obj).__name__} are kept by {ROW!r}: every respondent is a cell.",
                code="kept-by-row",
                fix=f"Merge respondents first, with keys={coarser} or coarser.",
            )
        least = _least(sums, disclosure_n)
        good = _large(sums, disclosure_n, protect_unanimous)
        if not good.any():
            raise _nothing_left(sums, disclosure_n, protect_unanimous)
        content, withheld, cells = _sums(sums, good), sums.keys[~good], int(good.sum())
    else:
        raise OptionError(
            f"save() writes Moments, Counts and tables of scores, not {type(obj).__name__}.",
            code="wrong-source",
            fix="Sum answers with eecx.Moments.from_frame(), or write Survey.scores().",
        )
    withheld = withheld.reset_index(drop=True)
    content |= {"least": least, "withheld": {"cells": len(withheld), "keys": _columns(withheld)}}
    whole = {
        "schema": SCHEMAS[kind],
        "written_by": f"eecx {versions()['eecx']}",
        "sha256": _checksum(content),
        "content": content,
    }
    text = json.dumps(whole, ensure_ascii=False, allow_nan=False, indent=1)
    path.write_text(text + "\n", encoding="utf-8", newline="\n")
    return Saved(path, cells, least, withheld)


def load(path: str | Path) -> Moments | Counts | pd.DataFrame:
    """Read what :func:`save` wrote.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    Moments, Counts or pandas.DataFrame

    Raises
    ------
    DataError
        No such file; a file that :func:`save` did not write, that is cut off or was changed
        since; a format that this version of eecx does not know.
    """
    path = Path(path)
    name = f"The file {path.name!r}"
    if not path.is_file():
        raise DataError(
            f"There is no file {str(path)!r}.",
            code="no-file",
            fix="Give its full path.",
        )
    try:
        whole = json.loads(path.read_text(encoding="utf-8"))
        content = whole.get("content") if isinstance(whole, dict) else None
        mark = _checksum(content) if isinstance(content, dict) else None
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"{name} cannot be read: it was not written by eecx.storage.save, or is cut off.",
            code="bad-file",
            fix="Get it again from where it was made.",
        ) from error
    schema = whole.get("schema") if isinstance(whole, dict) else None
    if not isinstance(schema, str) or not schema.startswith("eecx."):
        raise DataError(
            f"{name} was not written by eecx.storage.save.",
            code="bad-file",
            fix="Give a file that it wrote.",
        )
    if schema not in SCHEMAS.values():
        raise DataError(
            f"{name} has the format {schema!r}, written by {whole.get('written_by')}. This is "
            f"eecx {versions()['eecx']}, which reads {listing(SCHEMAS.values())}:",
            code="unknown-format",
            fix=f"install {whole.get('written_by')} or later.",
        )
    if not isinstance(content, dict) or whole.get("sha256") != mark:
        raise DataError(
            f"{name} was changed or damaged after it was written: its checksum does not fit.",
            code="bad-file",
            fix="Get it again from where it was made.",
        )
    kind = next(k for k, s in SCHEMAS.items() if s == schema)
    try:
        return _read(kind, content)
    except EecxError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{name} has the format {schema!r} but not its fields.",
            code="bad-file",
            fix="Get it again from where it was made.",
        ) from error


# ---------------------------------------------------------------------- what is large enough


def _least(sums: Sums, disclosure_n: int) -> int:
    if isinstance(sums, Counts):
        return disclosure_n
    p = len(sums.terms)
    return max(disclosure_n, p * (p + 3))


def _large(sums: Sums, disclosure_n: int, protect_unanimous: bool) -> Mask:
    """Return which cells may be written."""
    if isinstance(sums, Counts):
        n = sums.n.sum(axis=2)
        bad = (n > 0) & (n < disclosure_n)
        if protect_unanimous:
            bad |= (n > 0) & (sums.n.max(axis=2) == n)
        return np.asarray(~bad.any(axis=1) & (n > 0).any(axis=1))
    good = sums.n >= _least(sums, disclosure_n)
    if protect_unanimous:
        p = len(sums.terms)
        spread = sums.cross[:, range(p), range(p)]
        # rounding leaves less than this of a sum of squares that is zero
        good &= (spread > 1e-12 * sums.w[:, None] * np.maximum(sums.mean**2, 1e-300)).all(axis=1)
    return np.asarray(good, dtype=bool)


def _nothing_left(sums: Sums, disclosure_n: int, protect_unanimous: bool) -> DataError:
    """Return the error that no cell may be written, which says what coarser keys leave some."""
    keys = list(sums.keys.columns)
    least = _least(sums, disclosure_n)
    why = f"No cell by {listing(keys)} has" if keys else "The one cell has fewer than"
    why += f" the {least} respondents that it needs"
    if isinstance(sums, Moments) and least > disclosure_n:
        why += f" ({len(sums.terms)} terms: two for each number shown)"
    ways = []
    for size in range(len(keys) - 1, -1, -1):
        for coarser in combinations(keys, size):
            good = _large(sums.collapse(list(coarser)), disclosure_n, protect_unanimous)
            if good.any():
                ways.append(f"keys={list(coarser)} ({good.sum()} of {len(good)} cells)")
        if ways:
            break
    fewer = "Fewer terms need fewer respondents." if isinstance(sums, Moments) else ""
    coarse = f"Coarser keys would do: {'; '.join(ways[:4])}. " if ways else ""
    return DataError(
        f"{why}." if ways else f"{why}, and no coarser keys would do.",
        code="below-minimum",
        fix=f"{coarse}{fewer}",
    )


# ---------------------------------------------------------------------- written


def _sums(sums: Sums, good: Mask) -> dict[str, Any]:
    kept: dict[str, Any] = {"keys": _columns(sums.keys[good]), "cells": int(good.sum())}
    if isinstance(sums, Moments):
        kept |= {"terms": list(sums.terms), "left_out": int(sums.left_out)}
        arrays = ARRAYS["moments"]
    else:
        kept |= {"items": list(sums.items), "options": list(sums.options)}
        arrays = ARRAYS["counts"]
    for name in arrays:
        values = getattr(sums, name)[good]
        if not np.isfinite(values).all():
            raise DataError(
                f"{type(sums).__name__}.{name} holds values that are not finite.",
                code="infinite-values",
                fix="Make the sums from finite values.",
            )
        kept[name] = values.tolist()
    return kept


def _scores(table: pd.DataFrame, disclosure_n: int) -> tuple[dict[str, Any], pd.DataFrame, int]:
    if lacking := [c for c in ("measure", "n", "value", "status") if c not in table.columns]:
        raise DataError(
            f"A table of scores has measure, n, value and status; {listing(lacking)} is not there.",
            code="unknown-column",
            fix="Write what Survey.scores() or a release returns.",
        )
    names_of([str(c) for c in table.columns])
    out = table.reset_index(drop=True).copy()
    numbers = [c for c in _NUMBERS if c in out.columns]
    small = (out["status"] == "scored") & ~(out["n"] >= disclosure_n)
    hidden = small | (out["status"] == "withheld")
    if not (out["status"] == "scored")[~hidden].any():
        raise DataError(
            f"No score has the {disclosure_n} respondents that it needs.",
            code="below-minimum",
            fix="Score by coarser keys.",
        )
    out[numbers] = out[numbers].astype(float)
    out.loc[hidden, numbers] = np.nan
    out["status"] = out["status"].where(~hidden, "withheld")
    keys = [c for c in out.columns if c not in (*_NUMBERS, "status")]
    return {"table": _columns(out)}, out.loc[hidden, keys], int((~hidden).sum())


def _columns(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return columns with their types, values as JSON knows them."""
    out = []
    for name in table.columns:
        values = table[name]
        mixed = pd.api.types.infer_dtype(values, skipna=True).startswith("mixed")
        if not mixed and not isinstance(values.dtype, pd.PeriodDtype):
            values = frames.plain(values)
        dtype, kind = values.dtype, str(values.dtype)
        if dtype.kind in "iub":
            cells = values.tolist()
        elif dtype.kind == "f":
            cells = [None if np.isnan(v) else v for v in values.tolist()]
        elif dtype.kind == "M" or isinstance(dtype, pd.PeriodDtype):
            cells = [None if pd.isna(v) else str(v) for v in values]
        elif all(isinstance(v, str) for v in values.dropna()):
            cells = [None if pd.isna(v) else v for v in values]
            kind = "text"
        else:
            raise DataError(
                f"Column {name!r} holds {pd.api.types.infer_dtype(values)}.",
                code="wrong-type",
                fix=(
                    "A file keeps text, numbers, true and false, dates and periods: convert it "
                    "first."
                ),
            )
        out.append({"name": str(name), "type": kind, "values": cells})
    return out


def _checksum(content: dict[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


# ---------------------------------------------------------------------- read


def _read(kind: str, content: dict[str, Any]) -> Moments | Counts | pd.DataFrame:
    if kind == "scores":
        return _table(content["table"], None)
    cells = int(content["cells"])
    keys = _table(content["keys"], cells)
    shapes: dict[str, tuple[int, ...]]
    if kind == "counts":
        items, options = len(content["items"]), len(content["options"])
        shapes = {"n": (cells, items, options), "missing": (cells, items)}
    else:
        p = len(content["terms"])
        wide = {"mean": p, "mean_rest": p, "m2": p * (p + 1) // 2}
        shapes = {a: (cells, wide[a]) if a in wide else (cells,) for a in ARRAYS["moments"]}
    arrays = {a: np.array(content[a], dtype=float).reshape(s) for a, s in shapes.items()}
    if kind == "counts":
        options_read = tuple(float(o) for o in content["options"])
        return Counts(tuple(content["items"]), options_read, keys, **arrays)
    return Moments(tuple(content["terms"]), keys, left_out=int(content["left_out"]), **arrays)


def _table(columns: list[dict[str, Any]], rows: int | None) -> pd.DataFrame:
    made = {c["name"]: _column(c["type"], c["values"]) for c in columns}
    return pd.DataFrame(made, index=None if made else range(rows or 0))


def _column(dtype: str, values: list[Any]) -> pd.Series[Any]:
    if dtype == "text":
        # pandas 3 has a type for text, pandas 2 holds objects
        return pd.Series(values, dtype=pd.Series(["a"]).dtype)
    if dtype.startswith("period"):
        return pd.Series(pd.PeriodIndex(values, dtype=dtype))
    if dtype.startswith("datetime64"):
        values = [None if v is None else pd.Timestamp(v) for v in values]
    made: pd.Series[Any] = pd.Series(values, dtype=dtype)
    return made
