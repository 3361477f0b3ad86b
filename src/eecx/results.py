"""What every analysis returns: a tidy table, what it rests on, and what to doubt."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from . import plotting
from .errors import Caution, OptionError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Result", "Tables", "fingerprint", "json_ready", "safe_csv", "versions"]

SCHEMA = "eecx.result/1"
"""Version of the JSON that :meth:`Result.to_dict` writes."""

PRINTED = {
    "std_error": "SE",
    "statistic": "t",
    "df": "df",
    "p_value": "p",
}


class Tables(Mapping[str, pd.DataFrame]):
    """Named tables, each made when it is first asked for: some cost more than the fit itself."""

    def __init__(self, **makers: Callable[[], pd.DataFrame]):
        self._makers = makers
        self._made: dict[str, pd.DataFrame] = {}

    def __getitem__(self, name: str) -> pd.DataFrame:
        if name not in self._made:
            self._made[name] = self._makers[name]()
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)


@dataclass(frozen=True, eq=False)
class Result:
    """What an analysis found.

    Attributes
    ----------
    analysis : str
        Name of the function that made it.
    table : pandas.DataFrame
        Tidy: identifying columns, then ``estimate, std_error, statistic, df, p_value,
        conf_low, conf_high``. The confidence level is ``spec["conf_level"]``.
    tables : mapping of str to pandas.DataFrame
        Further named tables.
    vcov : pandas.DataFrame or None
        Covariance of the estimates, labelled by the table's first columns.
    stats : mapping
        n, units, waves, degrees of freedom, fit.
    spec : mapping
        Every argument, the fingerprint of the data and the versions.
    warnings : tuple of Caution
    draws : pandas.DataFrame or None
        Bootstrap draws, one column per estimate.
    failed_draws : int
        Draws that gave no estimate; they are in no interval.
    text : str
        The paragraph :meth:`methods` returns.
    references : tuple of str
        Keys of the bundled bibliography.
    """

    analysis: str
    table: pd.DataFrame
    spec: Mapping[str, Any]
    stats: Mapping[str, Any]
    text: str
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    vcov: pd.DataFrame | None = None
    warnings: tuple[Caution, ...] = ()
    draws: pd.DataFrame | None = None
    failed_draws: int = 0
    references: tuple[str, ...] = ()
    figure: Callable[..., Axes | Figure] | None = None
    predictor: Callable[..., Result] | None = None
    """What :meth:`predict` calls, where the analysis is a model that predicts."""

    def __getitem__(self, term: str) -> pd.Series[Any]:
        """Return the row of one term (or effect), by its label."""
        key = self.table.columns[0]
        found = self.table[self.table[key] == term]
        if found.empty:
            raise OptionError(
                f"No {key} {term!r}. There is: {', '.join(map(str, self.table[key]))}."
            )
        return found.iloc[0]

    def summary(self) -> str:
        """Return the result as text: heading, table, what it rests on, warnings."""
        lines = [self._heading(), self._printed().to_string(index=False), self._basis()]
        if self.failed_draws:
            lines.append(f"{self.failed_draws} bootstrap draws failed and are in no interval.")
        lines += [f"Warning ({w.code}): {w.message}" for w in self.warnings]
        return "\n".join(lines)

    def methods(self) -> str:
        """Return a paragraph for a paper, with the numbers in it."""
        return self.text

    def plot(self, ax: Axes | None = None, **options: Any) -> Axes | Figure:
        """Draw the figure that goes with this analysis."""
        if self.figure is None:
            return plotting.coefficients(self.table, ax=ax, **options)
        return self.figure(self, ax=ax, **options)

    def predict(
        self,
        at: object,
        *,
        reference: object | None = None,
        interval: Literal["mean", "new"] = "mean",
        conf_level: float | None = None,
    ) -> Result:
        r"""Predict the outcome of a regression at given values, with intervals.

        The estimand is the expected outcome at x, with the variance :math:`x'Vx` and the degrees
        of freedom of that combination of coefficients; with a reference :math:`x_0` it is the
        difference :math:`(x - x_0)'\beta`:

        .. math:: x'\hat\beta \pm t_\nu \sqrt{x'Vx}, \qquad
                  x'\hat\beta \pm t_\nu \sqrt{x'Vx + s^2} \text{ for a new observation}

        Parameters
        ----------
        at : data frame of any engine, path, or mapping
            One row per prediction, with every column of the formula and no other;
            ``{"engagement": [3.5, 4.0], "size": 20}``. A lag is given under its label,
            ``"lag(engagement)"``. A within-between model takes ``"engagement (between)"``, the
            unit's usual value, and ``"engagement (within)"``, the wave's distance from it; columns
            that do not change within units keep their names.
        reference : data frame, path or mapping, optional
            What to compare with: one row, or as many as ``at``. Columns that it lacks are as in
            ``at``; columns that both lack are held equal. Models with unit effects and first
            differences know no level, and need it.
        interval : {"mean", "new"}
            ``"mean"``: the expected outcome. ``"new"``: one new observation, which is a row
            (pooled), the mean of a new unit (between), or one wave of a new unit (random,
            within-between, mixed).
        conf_level : float, optional
            That of the fit, if not given.

        Returns
        -------
        Result
            ``.table`` has the columns of ``at``, then ``estimate, std_error, df, conf_low,
            conf_high``. Families predict the expected outcome itself; their intervals are formed on
            the scale of the link, so that shares stay between 0 and 1. Their differences are of
            expected outcomes, with delta-method errors.

        Raises
        ------
        ColumnError, DataError, OptionError
            Columns that are missing or not of the model, missing values, levels of a category that
            were not fitted, no reference where one is needed.

        Notes
        -----
        Assumes that the model holds at x: values beyond those observed get a warning. Intervals of
        new observations take residuals as normal and of one variance, whatever ``vcov`` is. A
        prediction for an intervened-on unit would need the slopes to be causal.

        Examples
        --------
        >>> import eecx
        >>> sim = eecx.simulate.panel(units=60, waves=4, same_wave=0.5, rng=1)
        >>> fit = eecx.regress(sim.frame, "cx ~ ex", unit="unit", wave="wave", effects="between")
        >>> fit.predict({"ex": [-0.5, 0.5]}).table.columns.tolist()
        ['ex', 'estimate', 'std_error', 'df', 'conf_low', 'conf_high']
        >>> change = eecx.regress(sim.frame, "cx ~ ex", unit="unit", wave="wave", effects="within")
        >>> moved = change.predict({"ex": 0.5}, reference={"ex": 0.0}).table
        >>> bool((moved["conf_low"] < moved["estimate"]).all())
        True
        """
        if self.predictor is None:
            raise OptionError(f"{self.analysis} gives no predictions; eecx.regress does.")
        return self.predictor(self, at, reference, interval, conf_level)

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the draws as plain values, numbers with 12 significant digits."""
        content = {
            "schema": SCHEMA,
            "analysis": self.analysis,
            "table": self.table,
            "tables": dict(self.tables),
            "vcov": self.vcov,
            "stats": dict(self.stats),
            "spec": dict(self.spec),
            "warnings": [vars(w) for w in self.warnings],
            "failed_draws": self.failed_draws,
            "methods": self.methods(),
            "references": list(self.references),
        }
        return dict(json_ready(content))

    def to_json(self, indent: int | None = 2) -> str:
        """Return :meth:`to_dict` as JSON text."""
        return json.dumps(self.to_dict(), indent=indent, ensure_ascii=False, allow_nan=False)

    def to_latex(self) -> str:
        """Return the table as LaTeX (booktabs)."""
        shown = self._printed()
        rows = [_latex_row(row) for row in shown.astype(str).to_numpy()]
        head = _latex_row([str(c) for c in shown.columns])
        numeric = [pd.api.types.is_numeric_dtype(dtype) for dtype in self.table.dtypes]
        columns = "".join("r" if number else "l" for number in numeric)
        body = "\n".join([r"\toprule", head, r"\midrule", *rows, r"\bottomrule"])
        return f"\\begin{{tabular}}{{{columns}}}\n{body}\n\\end{{tabular}}\n"

    def _printed(self) -> pd.DataFrame:
        shown = printed(self.table)
        return shown.rename(columns={"t": self.spec.get("statistic", "t")})

    def _heading(self) -> str:
        level = self.spec.get("conf_level")
        suffix = f", {100 * level:g}% intervals" if level else ""
        what = ", ".join([self.spec.get("formula") or self.spec.get("title") or "", *self._kind()])
        return f"{self.analysis}: {what}{suffix}" if what else f"{self.analysis}{suffix}"

    def _kind(self) -> list[str]:
        """Return which model, errors and weights a regression has, in few words."""
        if self.analysis != "regress" or "effects" not in self.spec:
            return []
        link, cluster = self.spec.get("link"), self.spec.get("cluster")
        by = cluster if isinstance(cluster, str) else " and ".join(cluster or ())
        errors = self.spec.get("vcov")
        weights = self.spec.get("weights") or {}
        return [
            f"{self.spec.get('family')} ({link} link)" if link else str(self.spec["effects"]),
            *([f"{errors} by {by}" if by else str(errors)] if errors else []),
            *[f"{kind} weights" for kind in weights],
        ]

    def _basis(self) -> str:
        shown = {k: v for k, v in self.stats.items() if isinstance(v, int | float | str)}
        return "; ".join(f"{k} {_short(v)}" for k, v in shown.items())

    def _repr_html_(self) -> str:
        with pd.option_context("display.max_colwidth", None):  # pandas would cut long names
            table = self._printed().to_html(index=False, escape=True, border=0)
        notes = "".join(f"<li>{escape(w.message)}</li>" for w in self.warnings)
        return f"<p><b>{escape(self._heading())}</b></p>{table}<p>{escape(self._basis())}</p>" + (
            f"<ul>{notes}</ul>" if notes else ""
        )

    def __repr__(self) -> str:
        return self.summary()


def printed(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table as people read it: rounded, short headings, the interval in one place."""
    out = table.copy()
    for column in out.columns:
        if column == "p_value":
            out[column] = [_p(v) for v in out[column]]
        elif pd.api.types.is_float_dtype(out[column]):
            out[column] = [_short(v) for v in out[column]]
    return out.rename(columns=PRINTED)


def _p(value: float) -> str:
    if not np.isfinite(value):
        return "–"
    return "< .001" if value < 0.001 else f"{value:.3f}".lstrip("0") if value < 1 else "1.000"


def _short(value: Any) -> str:
    if isinstance(value, str | int | np.integer) or value is None:
        return str(value)
    if np.isinf(value):
        return "∞" if value > 0 else "−∞"
    if np.isnan(value):
        return "–"
    if float(value).is_integer() and abs(value) < 1e9:
        return f"{int(value)}"
    return f"{value:.4g}" if abs(value) >= 1e-4 else f"{value:.2e}"


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
    }
    special |= {c: f"\\{c}" for c in "&%$#_{}"}
    return "".join(special.get(c, c) for c in text)


def escape(text: str) -> str:
    """Escape text for HTML."""
    import html

    return html.escape(text, quote=True)


def json_ready(value: Any) -> Any:
    """Return plain JSON values: floats with 12 significant digits, missing numbers as null."""
    if isinstance(value, pd.DataFrame):
        index = value.index if not isinstance(value.index, pd.RangeIndex) else None
        rows = [[json_ready(v) for v in row] for row in value.itertuples(index=False, name=None)]
        out = {"columns": [str(c) for c in value.columns], "rows": rows}
        return out if index is None else {"index": [str(i) for i in index], **out}
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
