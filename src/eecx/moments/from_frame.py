"""Sums of the rows of a frame or file: in memory, or in the engine that holds them."""

from __future__ import annotations

from collections.abc import Sequence

from .. import frames
from ..errors import OptionError, check_source
from .from_engine import from_engine
from .from_memory import from_memory
from .keys import ROW, names_of
from .moments import Moments
from .terms import columns_of, read_terms

__all__ = ["from_frame"]


def from_frame(
    data: object,
    *,
    keys: Sequence[str],
    terms: Sequence[str],
    weight: str | None,
    parse: frames.Parse | None,
) -> Moments:
    """Sum the rows of a frame of any engine, or of a file: see :meth:`Moments.from_frame`."""
    check_source("Moments.from_frame", data, frames=True)
    keys = names_of(keys)
    table = frames.open_table(data, parse=parse)
    parsed = read_terms(terms, table.kinds)
    used = columns_of(parsed, weight)
    table.require(columns_of(parsed, None), "A term")
    table.require([k for k in keys if k != ROW], "A key")
    table.require([weight] if weight else [], "weight")
    if ROW in keys and ROW in table.kinds:
        raise OptionError(
            f"The key {ROW!r} keeps every row apart, but {table.name} has a column of that name.",
            code="name-taken",
            fix="Rename the column.",
        )
    table = frames.numbers_from_text(table, [c for c in used if table.kinds[c] == "text"])
    if table.engine == "pandas" or ROW in keys:
        return from_memory(table, keys, parsed, weight)
    return from_engine(table, keys, parsed, weight)
