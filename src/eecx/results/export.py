"""A result as JSON, LaTeX, HTML and CSV."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["escape", "json_ready", "latex", "safe_csv"]


def json_ready(value: Any) -> Any:
    """Return plain JSON values: floats with 12 significant digits, missing numbers as null."""
    if isinstance(value, pd.DataFrame):
        return _table(value)
    if isinstance(value, Mapping):
        return {str(k): json_ready(v) for k, v in value.items()}
    if isinstance(value, np.ndarray | pd.Series | pd.Index):
        return json_ready(value.tolist())
    if isinstance(value, list | tuple):
        return [json_ready(v) for v in value]
    if isinstance(value, set | frozenset):
        return sorted((json_ready(v) for v in value), key=str)
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return float(f"{value:.12g}") if np.isfinite(value) else None
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    return str(value)


def _table(table: pd.DataFrame) -> dict[str, Any]:
    """Return columns and rows; of an index that names rows, its names and values in front."""
    rows = [[json_ready(v) for v in row] for row in table.itertuples(index=False, name=None)]
    if isinstance(table.index, pd.RangeIndex):
        return {"columns": [str(c) for c in table.columns], "rows": rows}
    index = table.index
    own = [list(v) if isinstance(v, tuple) else [v] for v in index]
    out = {"names": ["" if n is None else str(n) for n in index.names], "index": json_ready(own)}
    if not table.columns.equals(index):  # the sides of a covariance are named alike
        out["columns"] = [str(c) for c in table.columns]
    return out | {"rows": rows}


def latex(shown: pd.DataFrame, numeric: Iterable[bool]) -> str:
    """Return a printed table as LaTeX (booktabs), numbers to the right."""
    rows = [_latex_row(row) for row in shown.astype(str).to_numpy()]
    head = _latex_row([str(c) for c in shown.columns])
    columns = "".join("r" if number else "l" for number in numeric)
    body = "\n".join([r"\toprule", head, r"\midrule", *rows, r"\bottomrule"])
    return f"\\begin{{tabular}}{{{columns}}}\n{body}\n\\end{{tabular}}\n"


def _latex_row(cells: Iterable[str]) -> str:
    row = " & ".join(_latex(cell) for cell in cells)
    # after the line break before it, "[" or "*" would be read as its argument
    return ("{}" if row[:1] in ("[", "*") else "") + row + r" \\"


def _latex(text: str) -> str:
    special = {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"$<$",
        ">": r"$>$",
        "–": "--",
        "−": "$-$",
        "∞": r"$\infty$",
    }
    special |= {c: f"\\{c}" for c in "&%$#_{}"}
    return "".join(special.get(c, c) for c in text)


def escape(text: str) -> str:
    """Escape text for HTML."""
    import html

    return html.escape(text, quote=True)


def safe_csv(table: pd.DataFrame) -> str:
    """Return a table as CSV text in which no cell can start a spreadsheet formula.

    Text that begins with ``= + - @``, a tab or a carriage return gets an apostrophe in front.
    """
    out = table.copy()
    out.columns = pd.Index([_harmless(str(c)) for c in out.columns])
    for i in range(table.shape[1]):
        values = table.iloc[:, i]
        if pd.api.types.is_float_dtype(values):
            out.isetitem(i, ["" if pd.isna(v) else f"{v:.12g}" for v in values])
        elif not pd.api.types.is_numeric_dtype(values):
            out.isetitem(i, ["" if pd.isna(v) else _harmless(str(v)) for v in values])
    return str(out.to_csv(index=False, lineterminator="\n"))


def _harmless(text: str) -> str:
    # a bare carriage return would not be quoted, and ends a row for many readers
    one = text.replace("\r\n", "\n").replace("\r", "\n")
    return f"'{one}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else one
