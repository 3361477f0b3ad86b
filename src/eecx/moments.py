"""Sums per cell: the waist of the hourglass. Every estimator of eecx starts from these.

A cell is one combination of *keys* (unit, wave, segment, …, or the row itself). Per cell,
with case weights :math:`w_i` (1 unless given) and the terms :math:`x_i` as a p-vector,

.. math::

    n, \\quad w = \\sum w_i, \\quad w2 = \\sum w_i^2, \\quad
    \\bar x = \\frac{\\sum w_i x_i}{w}, \\quad
    M2 = \\sum w_i (x_i - \\bar x)(x_i - \\bar x)'

with M2 packed as its p(p+1)/2 upper elements. Cells merge pairwise without loss:
:math:`M2_{ab} = M2_a + M2_b + \\frac{w_a w_b}{w_a + w_b} \\delta\\delta'`, with
:math:`\\delta = \\bar x_b - \\bar x_a`, which is why months, countries and files add up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from . import formula, frames
from .errors import ColumnError, DataError, OptionError, listing, nearest

__all__ = ["ROW", "Counts", "Moments"]

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.intp]

ROW = "row"
"""The key that keeps every row as a cell of its own (HC errors, casewise tests)."""

# A cell whose mean lies this many (n * distance^2 / M2) from the shift is summed a second time,
# around its own mean: 1e4 costs four of the sixteen digits that a double holds.
_FAR = 1e4


@dataclass(frozen=True, eq=False)
class Moments:
    """Counts, means and centred cross-products of ``terms``, one cell per row of ``keys``.

    Parameters
    ----------
    terms : tuple of str
        Names of the p columns: ``"x"``, ``"x:z"``, ``"I(x^2)"``, fixed when the object is made.
    keys : pandas.DataFrame
        One row per cell, one column per key; no columns and one row when there are no keys.
    n, w, w2 : ndarray, shape (cells,)
        Rows, sum of weights, sum of squared weights.
    mean : ndarray, shape (cells, p)
    m2 : ndarray, shape (cells, p * (p + 1) / 2)
        Centred cross-products, upper triangle by rows.
    left_out : int
        Rows that had a missing term, key or weight and are in no cell.
    mean_rest : ndarray, shape (cells, p)
        What rounding took off ``mean``: at an offset of 1e9 a double holds a mean to 1e-7 only,
        which would spoil the merging of cells.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"store": ["a", "a", "b"], "x": [1.0, 3.0, 5.0]})
    >>> cells = Moments.from_frame(frame, keys=["store"], terms=["x"])
    >>> [float(m) for m in cells.mean[:, 0]], [float(s) for s in cells.m2[:, 0]]
    ([2.0, 5.0], [2.0, 0.0])
    >>> total = cells.collapse()
    >>> float(total.mean[0, 0]), float(total.m2[0, 0])
    (3.0, 8.0)
    """

    terms: tuple[str, ...]
    keys: pd.DataFrame
    n: Array
    w: Array
    w2: Array
    mean: Array
    m2: Array
    left_out: int = 0
    mean_rest: Array | None = None

    def __post_init__(self) -> None:
        cells, p = len(self.keys), len(self.terms)
        if self.mean_rest is None:
            object.__setattr__(self, "mean_rest", np.zeros_like(self.mean))
        shapes = {
            "n": (cells,),
            "w": (cells,),
            "w2": (cells,),
            "mean": (cells, p),
            "mean_rest": (cells, p),
            "m2": (cells, p * (p + 1) // 2),
        }
        for name, shape in shapes.items():
            if getattr(self, name).shape != shape:
                found = getattr(self, name).shape
                raise DataError(f"Moments.{name} has shape {found}; {cells} cells need {shape}.")
        if len(set(self.terms)) < p:
            raise DataError(f"Moments has a term twice: {listing(self.terms)}.")

    # ------------------------------------------------------------------ made from

    @classmethod
    def from_frame(
        cls,
        data: object,
        *,
        keys: Sequence[str] = (),
        terms: Sequence[str],
        weight: str | None = None,
        parse: frames.Parse | None = None,
    ) -> Moments:
        """Sum the rows of a frame of any engine, or of a file, per cell.

        Rows with a missing term, key or weight are left out and counted in ``left_out``. Rows
        of an engine are summed there by one grouped query (a second one where a cell lies far
        from the overall mean, so that ten digits survive any offset).

        Parameters
        ----------
        data : pandas, Polars, PyArrow or DuckDB frame, or a path to CSV or Parquet
        keys : sequence of str
            Columns that define the cells; ``"row"`` keeps every row as a cell.
        terms : sequence of str
            Columns, products ``"x:z"`` and powers ``"I(x^2)"``.
        weight : str, optional
            Column of positive case weights.
        parse : Parse, optional
            How text in numeric cells is to be read.

        Raises
        ------
        ColumnError
            A key, term or weight that is not in the data.
        DataError
            No complete row, infinite values, or a weight that is not positive.
        """
        parsed = _parse_terms(terms)
        used = list(dict.fromkeys(c for t in parsed for c in t.columns))
        numeric = [*used, *([weight] if weight else [])]
        table = frames.open_table(data, numeric=numeric, parse=parse)
        table.require(used, "A term")
        table.require([k for k in keys if k != ROW], "A key")
        table.require([weight] if weight else [], "weight")
        labels = tuple(t.label for t in parsed)
        if table.engine == "pandas" or ROW in keys:
            return _from_memory(table, keys, parsed, labels, weight)
        return _from_engine(table, keys, parsed, labels, weight)

    @classmethod
    def from_correlations(
        cls,
        corr: pd.DataFrame | npt.ArrayLike,
        *,
        n: int,
        sd: Mapping[str, float] | npt.ArrayLike | None = None,
        mean: Mapping[str, float] | npt.ArrayLike | None = None,
        names: Sequence[str] | None = None,
    ) -> Moments:
        """Turn a published table of correlations, SDs, means and N into one cell.

        SDs are those with divisor n - 1 (as papers print them) and default to 1; means default
        to 0. Only the lower or the upper triangle need be filled.

        Raises
        ------
        DataError
            Where the matrix is not square, has a correlation beyond 1, has unequal halves, or
            is not positive semi-definite (a table that no data can have).

        Examples
        --------
        >>> import pandas as pd
        >>> r = pd.DataFrame([[1, 0.3], [0.3, 1]], index=["x", "y"], columns=["x", "y"])
        >>> cell = Moments.from_correlations(r, sd={"x": 2, "y": 5}, n=101)
        >>> cell.cross[0].tolist()
        [[400.0, 300.0], [300.0, 2500.0]]
        """
        if isinstance(corr, pd.DataFrame):
            labels = tuple(str(c) for c in corr.columns)
            values = corr.to_numpy(float)
        else:
            values = np.array(corr, dtype=float)
            labels = tuple(names or (f"v{i + 1}" for i in range(len(values))))
        if values.ndim != 2 or values.shape[0] != values.shape[1] or len(labels) != len(values):
            raise DataError(
                f"A correlation table is square and named; this has shape {values.shape}."
            )
        lower, upper = np.tril(values, -1), np.triu(values, 1).T
        lower, upper = np.nan_to_num(lower), np.nan_to_num(upper)
        both = (lower != 0) & (upper != 0)
        if np.any(np.abs(lower - upper)[both] > 1e-8):
            i, j = np.argwhere(both & (np.abs(lower - upper) > 1e-8))[0]
            raise DataError(
                f"The correlation of {labels[i]!r} and {labels[j]!r} is {lower[i, j]:g} below the "
                f"diagonal and {upper[i, j]:g} above it."
            )
        half = np.where(lower != 0, lower, upper)
        r = half + half.T + np.eye(len(values))
        if np.any(np.abs(r) > 1):
            i, j = np.argwhere(np.abs(r) > 1)[0]
            raise DataError(
                f"The correlation of {labels[i]!r} and {labels[j]!r} is {r[i, j]:g}, beyond 1."
            )
        smallest = float(np.linalg.eigvalsh(r)[0])
        if smallest < -1e-8:
            raise DataError(
                f"These correlations cannot come from one set of cases (smallest eigenvalue {smallest:.3g}). "
                "Look for a typing error, or for pairwise deletion in the source."
            )
        if n < 2:
            raise DataError(f"n={n}: a correlation needs at least two cases.")
        s = _by_name(sd, labels, "sd", 1.0)
        if np.any(s <= 0):
            raise DataError(
                f"sd of {labels[int(np.argmin(s))]!r} is {s.min():g}; it must be positive."
            )
        m2 = (n - 1) * r * np.outer(s, s)
        one = np.array([float(n)])
        at = np.triu_indices(len(r))
        centre = _by_name(mean, labels, "mean", 0.0)[None, :]
        return cls(labels, pd.DataFrame(index=range(1)), one, one, one, centre, m2[at][None, :])

    # ------------------------------------------------------------------ operations

    @property
    def cross(self) -> Array:
        """Centred cross-products as full matrices, shape (cells, p, p)."""
        return unpack(self.m2, len(self.terms))

    def about(self, point: npt.ArrayLike) -> Array:
        """Return cross-products about a point instead of each cell's mean, shape (cells, p, p).

        :math:`\\sum w_i (x_i - c)(x_i - c)' = M2 + w (\\bar x - c)(\\bar x - c)'`.
        """
        away = self._away(np.asarray(point, dtype=float))
        return self.cross + self.w[:, None, None] * (away[:, :, None] * away[:, None, :])

    def select(self, terms: Sequence[str]) -> Moments:
        """Keep these terms, in this order."""
        for term in terms:
            if term not in self.terms:
                raise ColumnError(
                    f"These Moments have no term {term!r}.{nearest(term, self.terms)}"
                )
        at = [self.terms.index(t) for t in terms]
        m2 = pack(self.cross[:, at][:, :, at])
        return replace(
            self, terms=tuple(terms), mean=self.mean[:, at], m2=m2, mean_rest=self._rest[:, at]
        )

    def collapse(self, keys: Sequence[str] | str = ()) -> Moments:
        """Merge cells that share these keys (none: merge all into one)."""
        keys = [keys] if isinstance(keys, str) else list(keys)
        self._require_keys(keys)
        codes, kept = group_codes(self.keys, keys)
        anchor, centre, away = self._centres(codes, len(kept))
        i, j = np.triu_indices(len(self.terms))
        m2 = np.empty((len(kept), len(i)))
        for k, (a, b) in enumerate(zip(i, j, strict=True)):
            between = self.w * away[:, a] * away[:, b]
            m2[:, k] = np.bincount(codes, weights=self.m2[:, k] + between, minlength=len(kept))
        n, w, w2 = (
            np.bincount(codes, weights=v, minlength=len(kept)) for v in (self.n, self.w, self.w2)
        )
        mean, rest = _two_sum(anchor, centre)
        return Moments(self.terms, kept, n, w, w2, mean, m2, self.left_out, rest)

    def within(self, key: str) -> Moments:
        """Take out every difference between levels of ``key``: each level's mean becomes zero.

        The cells stay; what remains is the variation within levels (fixed effects). The number
        of levels taken out is the caller's to count in degrees of freedom.
        """
        self._require_keys([key])
        codes, levels = group_codes(self.keys, [key])
        _, _, away = self._centres(codes, len(levels))
        return replace(self, mean=away, mean_rest=None)

    def means(self) -> Moments:
        """Treat every cell as one observation: its mean, with weight one (between units)."""
        one = np.ones(len(self.keys))
        return replace(self, n=one, w=one, w2=one, m2=np.zeros_like(self.m2))

    def __add__(self, other: Moments) -> Moments:
        """Merge two sets of cells; cells of equal keys become one."""
        if not isinstance(other, Moments):
            return NotImplemented
        if self.terms != other.terms:
            raise DataError(
                f"Only Moments of the same terms add up: {listing(self.terms)} against {listing(other.terms)}."
            )
        if list(self.keys.columns) != list(other.keys.columns):
            raise DataError(
                f"Only Moments of the same keys add up: {listing(self.keys.columns)} against "
                f"{listing(other.keys.columns)}. Collapse both first."
            )
        if ROW in self.keys.columns:
            shifted = other.keys.assign(**{ROW: other.keys[ROW] + self.keys[ROW].max() + 1})
        else:
            shifted = other.keys
        both = Moments(
            self.terms,
            pd.concat([self.keys, shifted], ignore_index=True),
            np.concatenate([self.n, other.n]),
            np.concatenate([self.w, other.w]),
            np.concatenate([self.w2, other.w2]),
            np.concatenate([self.mean, other.mean]),
            np.concatenate([self.m2, other.m2]),
            self.left_out + other.left_out,
            np.concatenate([self._rest, other._rest]),
        )
        return both.collapse(list(self.keys.columns))

    @property
    def _rest(self) -> Array:
        return np.zeros_like(self.mean) if self.mean_rest is None else self.mean_rest

    def _away(self, point: Array) -> Array:
        """Distance of every cell's mean from a point, to full precision."""
        return (self.mean - point) + self._rest

    def _centres(self, codes: Codes, groups: int) -> tuple[Array, Array, Array]:
        """Return an anchor per group, the group's mean from there, and each cell's distance from it."""
        anchor = np.zeros((groups, len(self.terms)))
        anchor[codes[::-1]] = self.mean[::-1]
        shifted = self._away(anchor[codes])
        w = np.bincount(codes, weights=self.w, minlength=groups)
        centre = np.empty_like(anchor)
        for k in range(len(self.terms)):
            centre[:, k] = np.bincount(codes, weights=self.w * shifted[:, k], minlength=groups) / w
        return anchor, centre, shifted - centre[codes]

    def correlations(self) -> pd.DataFrame:
        """Correlations over all cells, as a labelled matrix."""
        cross = self.collapse().cross[0]
        scale = np.sqrt(np.diag(cross))
        constant = [t for t, s in zip(self.terms, scale, strict=True) if s == 0]
        if constant:
            raise DataError(f"No correlation with a constant column: {listing(constant)}.")
        return pd.DataFrame(
            cross / np.outer(scale, scale), index=list(self.terms), columns=list(self.terms)
        )

    def sd(self) -> pd.Series[float]:
        """Standard deviations over all cells (divisor n - 1), labelled."""
        total = self.collapse()
        return pd.Series(
            np.sqrt(np.diag(total.cross[0]) / (total.w[0] - 1)), index=list(self.terms)
        )

    def _require_keys(self, keys: Sequence[str]) -> None:
        for key in keys:
            if key not in self.keys.columns:
                raise ColumnError(
                    f"These Moments are not kept by {key!r} (their keys: "
                    f"{listing(self.keys.columns) or 'none'}). Make them with keys=[..., {key!r}]; "
                    "a published table has no units to tell apart."
                )

    def __repr__(self) -> str:
        keys = " × ".join(map(str, self.keys.columns)) or "no keys"
        return f"<Moments: {len(self.keys)} cells ({keys}), {len(self.terms)} terms, n = {self.n.sum():,.0f}>"


# ---------------------------------------------------------------------- arrays


def pack(full: Array) -> Array:
    """Pack symmetric matrices (…, p, p) to their upper elements (…, p(p+1)/2)."""
    i, j = np.triu_indices(full.shape[-1])
    return np.ascontiguousarray(full[..., i, j])


def unpack(packed: Array, p: int) -> Array:
    """Unpack upper elements (…, p(p+1)/2) to symmetric matrices (…, p, p)."""
    i, j = np.triu_indices(p)
    full = np.empty((*packed.shape[:-1], p, p))
    full[..., i, j] = packed
    full[..., j, i] = packed
    return full


def group_codes(keys: pd.DataFrame, by: Sequence[str]) -> tuple[Codes, pd.DataFrame]:
    """Number the distinct combinations of ``by`` in sorted order; return codes and combinations."""
    if not by:
        return np.zeros(len(keys), dtype=np.intp), pd.DataFrame(index=range(1))
    if len(by) == 1:
        codes, levels = pd.factorize(keys[by[0]], sort=True)
        return codes.astype(np.intp), pd.DataFrame({by[0]: levels})
    grouped = keys.groupby(list(by), sort=True, observed=True)
    codes = grouped.ngroup().to_numpy(np.intp)
    first = np.zeros(int(codes.max()) + 1 if len(codes) else 0, dtype=np.intp)
    first[codes[::-1]] = np.arange(len(codes))[::-1]
    return codes, keys[list(by)].iloc[first].reset_index(drop=True)


def _two_sum(a: Array, b: Array) -> tuple[Array, Array]:
    """Return the rounded sum and, exactly, what rounding took off (Knuth's two-sum)."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def _parse_terms(terms: Sequence[str]) -> list[formula.Term]:
    parsed: list[formula.Term] = []
    for text in [terms] if isinstance(terms, str) else terms:
        # a column may carry any name; only what is no plain name is grammar
        one = formula.parse_terms(text if _is_grammar(text) else f"`{text}`")
        parsed.extend(one)
    for term in parsed:
        for factor in term.factors:
            if isinstance(factor, formula.Lag | formula.Category):
                raise OptionError(
                    f"{factor.label} needs a panel: make the column first, or use regress(panel, …)."
                )
    if not parsed:
        raise OptionError("Moments need at least one term.")
    return parsed


def _is_grammar(text: str) -> bool:
    return any(mark in text for mark in ":(^*+`")


def _by_name(given: Any, labels: Sequence[str], what: str, default: float) -> Array:
    if given is None:
        return np.full(len(labels), default)
    if isinstance(given, Mapping | pd.Series):
        missing = [label for label in labels if label not in given]
        if missing:
            raise DataError(f"{what} lacks {listing(missing)}.")
        return np.array([float(given[label]) for label in labels])
    values = np.asarray(given, dtype=float)
    if values.shape != (len(labels),):
        raise DataError(f"{what} has {values.size} values for {len(labels)} columns.")
    return values


# ---------------------------------------------------------------------- from rows in memory


def term_values(term: formula.Term, column: Mapping[str, Array]) -> Array:
    """Evaluate a product of columns and powers."""
    out: Array | None = None
    for factor in term.factors:
        value = column[factor.column]
        if isinstance(factor, formula.Power):
            value = value**factor.exponent
        out = value if out is None else out * value
    if out is None:
        raise OptionError("A term has no factor.")
    return out


def _from_memory(
    table: frames.Table,
    keys: Sequence[str],
    parsed: Sequence[formula.Term],
    labels: tuple[str, ...],
    weight: str | None,
) -> Moments:
    used = list(dict.fromkeys(c for t in parsed for c in t.columns))
    real_keys = [k for k in keys if k != ROW]
    wanted = list(dict.fromkeys([*used, *real_keys, *([weight] if weight else [])]))
    rows = table.collect(wanted)
    columns = {c: _numbers(rows[c], c, table) for c in [*used, *([weight] if weight else [])]}
    x = np.column_stack([term_values(t, columns) for t in parsed])
    if np.isinf(x).any():
        raise _infinite(labels[int(np.argwhere(np.isinf(x))[0, 1])])
    w = columns[weight] if weight else np.ones(len(x))
    complete = (
        ~np.isnan(x).any(axis=1) & ~np.isnan(w) & rows[real_keys].notna().all(axis=1).to_numpy()
    )
    if weight and np.any(w[complete] <= 0):
        raise _bad_weight(weight, int(np.sum(w[complete] <= 0)))
    if not complete.any():
        raise _no_rows(len(x))
    kept = rows.loc[complete, real_keys].reset_index(drop=True)
    if ROW in keys:
        kept[ROW] = np.flatnonzero(complete)
        kept = kept[list(keys)]
    return from_rows(x[complete], labels, kept, w[complete], left_out=int((~complete).sum()))


def from_rows(
    x: Array,
    terms: tuple[str, ...],
    keys: pd.DataFrame,
    w: Array | None = None,
    *,
    left_out: int = 0,
) -> Moments:
    """Sum complete rows ``x`` (rows, p) per combination of ``keys``."""
    w = np.ones(len(x)) if w is None else w
    one = np.ones(len(x))
    p = x.shape[1]
    if ROW in keys.columns:
        blank = np.zeros((len(x), p * (p + 1) // 2))
        return Moments(terms, keys.reset_index(drop=True), one, w, w * w, x, blank, left_out)
    codes, cells = group_codes(keys, list(keys.columns))
    n, total_w, w2, (mean, rest), m2 = _sum_rows(x, codes, len(cells), w)
    return Moments(terms, cells, n, total_w, w2, mean, m2, left_out, rest)


def _sum_rows(
    x: Array, codes: Codes, cells: int, w: Array
) -> tuple[Array, Array, Array, tuple[Array, Array], Array]:
    columns = np.ascontiguousarray(x.T)
    anchor = np.zeros((len(columns), cells))
    anchor[:, codes[::-1]] = columns[:, ::-1]
    total_w = np.bincount(codes, weights=w, minlength=cells)
    away = columns - anchor[:, codes]
    mean = np.stack([np.bincount(codes, weights=w * d, minlength=cells) for d in away]) / total_w
    away -= mean[:, codes]
    m2 = np.stack(
        [
            np.bincount(codes, weights=w * away[a] * away[b], minlength=cells)
            for a, b in zip(*np.triu_indices(len(columns)), strict=True)
        ],
        axis=1,
    )
    n = np.bincount(codes, minlength=cells).astype(float)
    w2 = np.bincount(codes, weights=w * w, minlength=cells)
    return n, total_w, w2, _two_sum(anchor.T, mean.T), m2


def _numbers(values: pd.Series[Any], name: str, table: frames.Table) -> Array:
    if table.kinds[name] not in ("integer", "float", "boolean"):
        raise DataError(f"Column {name!r} of {table.name} holds {table.kinds[name]}, not numbers.")
    out = pd.to_numeric(values).to_numpy(dtype=float, na_value=np.nan)
    for code in table.parse.codes if table.parse else ():
        out = np.where(out == code, np.nan, out)
    return np.asarray(out, dtype=float)


def _infinite(name: str) -> DataError:
    return DataError(
        f"Column {name!r} holds infinite values. Make them missing or remove the rows."
    )


def _bad_weight(weight: str, rows: int) -> DataError:
    return DataError(
        f"Weight {weight!r} is zero or negative in {rows} rows. Weights must be positive."
    )


def _no_rows(rows: int) -> DataError:
    return DataError(f"None of the {rows} rows has a value for every term, key and weight.")


# ---------------------------------------------------------------------- from rows in an engine


def _from_engine(
    table: frames.Table,
    keys: Sequence[str],
    parsed: Sequence[formula.Term],
    labels: tuple[str, ...],
    weight: str | None,
) -> Moments:
    p = len(labels)
    names = [f"t{i}" for i in range(p)]
    exact, shift, seen = _pilot(table, parsed, labels, weight, keys)
    terms = [_term_expression(table, t, exact) for t in parsed]
    moved = {n: t - s for n, t, s in zip(names, terms, shift, strict=True)}
    w = frames.real(table.number(weight)) if weight else None
    cells, sums = _engine_sums(table, list(keys), moved, w)
    total = float(sums["n"].sum())
    if not total:
        raise _no_rows(seen)
    mean, m2 = _unpack_sums(sums, p)
    far = sums["w"].to_numpy(float)[:, None] * mean**2 > _FAR * _diagonal(m2, p)
    rest = np.zeros_like(mean)
    if (far & (sums["n"].to_numpy() > 1)[:, None]).any() and not all(exact):
        _, again = _recentred_sums(table, list(keys), moved, w, names)
        rest, m2 = _unpack_sums(again, p)
    high, low = _two_sum(np.broadcast_to(np.array(shift, dtype=float), mean.shape), mean)
    return Moments(
        labels,
        cells,
        sums["n"].to_numpy(float),
        sums["w"].to_numpy(float),
        sums["w2"].to_numpy(float),
        high,
        m2,
        seen - int(total),
        low + rest,
    )


def _term_expression(
    table: frames.Table, term: formula.Term, exact: bool | Sequence[bool]
) -> frames.Expr:
    out: frames.Expr | None = None
    for factor in term.factors:
        value = table.number(factor.column)
        for _ in range(factor.exponent if isinstance(factor, formula.Power) else 1):
            out = value if out is None else out * value
    if out is None:
        raise OptionError("A term has no factor.")
    return (
        out if exact is True or (not isinstance(exact, bool) and all(exact)) else frames.real(out)
    )


def _pilot(
    table: frames.Table,
    parsed: Sequence[formula.Term],
    labels: Sequence[str],
    weight: str | None,
    keys: Sequence[str],
) -> tuple[list[bool], list[float], int]:
    """Look at all rows once: how many, where each term lies, whether integers can be summed exactly."""
    p = len(labels)
    rows = {f"t{i}": frames.real(_term_expression(table, t, False)) for i, t in enumerate(parsed)}
    totals: dict[str, frames.Expr] = {"rows": frames.count()}
    for i in range(p):
        totals |= {f"lo{i}": frames.lowest(f"t{i}"), f"hi{i}": frames.highest(f"t{i}")}
        totals[f"mid{i}"] = frames.column(f"t{i}").mean()
    if weight:
        rows["w"] = frames.real(table.number(weight))
        totals["bad"] = frames.flag(rows["w"] <= 0, rows["w"]).sum()
    seen = table.group([], rows, totals)[1].iloc[0]
    if weight and seen["bad"] > 0:
        raise _bad_weight(weight, int(seen["bad"]))
    count = int(seen["rows"])
    exact, shift = [], []
    for i, term in enumerate(parsed):
        lo, hi = float(seen[f"lo{i}"]), float(seen[f"hi{i}"])
        if np.isinf(lo) or np.isinf(hi):
            raise _infinite(labels[i])
        whole = all(table.kinds[c] in ("integer", "boolean") for c in term.columns)
        middle = float(seen[f"mid{i}"])
        middle = 0.0 if np.isnan(middle) else middle
        exact.append(
            bool(whole and (hi - lo + 1) ** 2 * count < 2**62 and max(abs(lo), abs(hi)) < 2**53)
        )
        shift.append(float(round(middle)) if exact[-1] else middle)
    if weight or not all(exact):
        exact = [False] * p
    return exact, [int(s) if all(exact) else s for s in shift], count


def _engine_sums(
    table: frames.Table, keys: list[str], moved: Mapping[str, frames.Expr], w: frames.Expr | None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    names = list(moved)
    rows = dict(moved)
    if w is not None:
        rows["w"] = w
    complete = frames.every_present([*names, *(["w"] if w is not None else [])])
    products = {}
    for a, b in zip(*np.triu_indices(len(names)), strict=True):
        product = frames.column(names[a]) * frames.column(names[b])
        products[f"p{a}_{b}"] = product * frames.column("w") if w is not None else product
    firsts = {
        f"s{i}": frames.column(n) * frames.column("w") if w is not None else frames.column(n)
        for i, n in enumerate(names)
    }
    totals: dict[str, frames.Expr] = {"n": frames.count()}
    extra: dict[str, frames.Expr] = {}
    if w is not None:
        extra["w_squared"] = frames.column("w") * frames.column("w")
        totals |= {"w": frames.total("w"), "w2": frames.total("w_squared")}
    second = {**firsts, **products, **extra}
    totals |= {name: frames.total(name) for name in [*firsts, *products]}
    cells, out = table.group(keys, rows, totals, then=second, complete=complete)
    if w is None:
        out["w"] = out["w2"] = out["n"]
    return cells, out


def _unpack_sums(sums: pd.DataFrame, p: int) -> tuple[Array, Array]:
    """Turn shifted sums into means (about the shift) and centred cross-products."""
    w = sums["w"].to_numpy(float)
    first = np.column_stack([sums[f"s{i}"].to_numpy(float) for i in range(p)])
    mean = first / w[:, None]
    i, j = np.triu_indices(p)
    raw = np.column_stack([sums[f"p{a}_{b}"].to_numpy(float) for a, b in zip(i, j, strict=True)])
    m2 = raw - w[:, None] * mean[:, i] * mean[:, j]
    on_diagonal = i == j
    m2[:, on_diagonal] = np.maximum(m2[:, on_diagonal], 0.0)
    return mean, m2


def _diagonal(m2: Array, p: int) -> Array:
    i, j = np.triu_indices(p)
    return m2[:, i == j]


def _recentred_sums(
    table: frames.Table,
    keys: list[str],
    moved: Mapping[str, frames.Expr],
    w: frames.Expr | None,
    names: Sequence[str],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Sum again with every cell's own mean taken off first, the means joined in the engine."""
    centred = table.less_cell_means(keys, {n: frames.real(e) for n, e in moved.items()}, w)
    again = {n: frames.column(n) for n in names}
    weight = frames.column("w") if w is not None else None
    return _engine_sums(centred, [f"key_{i}" for i in range(len(keys))], again, weight)


# ---------------------------------------------------------------------- Counts


@dataclass(frozen=True, eq=False)
class Counts:
    """How many answers each option got: cell × item × option.

    What medians, agreement indices and the variance of a share need beside second moments.

    Parameters
    ----------
    items : tuple of str
    options : tuple of number
        The answers that are possible, in order.
    keys : pandas.DataFrame
        One row per cell.
    n : ndarray, shape (cells, items, options)
    missing : ndarray, shape (cells, items)
        Rows of the cell without an answer to the item.

    Examples
    --------
    >>> import pandas as pd
    >>> answers = pd.DataFrame({"store": ["a", "a", "b"], "q1": [1, 2, 2]})
    >>> Counts.from_frame(answers, keys=["store"], items=["q1"], options=[1, 2]).n[:, 0].tolist()
    [[1.0, 1.0], [0.0, 1.0]]
    """

    items: tuple[str, ...]
    options: tuple[float, ...]
    keys: pd.DataFrame
    n: Array
    missing: Array

    @classmethod
    def from_frame(
        cls,
        data: object,
        *,
        keys: Sequence[str] = (),
        items: Sequence[str],
        options: Sequence[float],
        parse: frames.Parse | None = None,
    ) -> Counts:
        """Count the answers of a frame of any engine, one grouped query per item.

        Raises
        ------
        DataError
            For an answer that is not among the options; lists the offenders with counts.
        """
        table = frames.open_table(data, numeric=items, parse=parse)
        table.require(items, "An item")
        table.require(keys, "A key")
        found = []
        for item in items:
            rows = {"answer": frames.real(table.number(item))}
            found.append(table.group_with_nulls(list(keys), rows, "answer"))
        every = pd.concat([f for f, _ in found], ignore_index=True)
        codes_of_all, cells = group_codes(every, list(keys))
        start = np.cumsum([0, *(len(f) for f, _ in found)])
        n = np.zeros((len(cells), len(items), len(options)))
        missing = np.zeros((len(cells), len(items)))
        wanted = np.array(options, dtype=float)
        if np.any(np.diff(wanted) <= 0):
            raise OptionError("options must be distinct and in ascending order.")
        for k, (item, (_, counted)) in enumerate(zip(items, found, strict=True)):
            codes = codes_of_all[start[k] : start[k + 1]]
            answer = counted["value"].to_numpy(float)
            size = counted["cells"].to_numpy(float)
            blank = np.isnan(answer)
            np.add.at(missing, (codes[blank], k), size[blank])
            at = np.searchsorted(wanted, answer[~blank]).clip(0, len(wanted) - 1)
            off = wanted[at] != answer[~blank]
            if off.any():
                tally = pd.Series(size[~blank][off]).groupby(answer[~blank][off]).sum()
                shown = ", ".join(f"{v:g} ({int(c)})" for v, c in list(tally.items())[:8])
                raise DataError(
                    f"Item {item!r} has answers that are not among the options {listing(options)}: {shown}. "
                    "Name codes for 'no answer' with parse=eecx.Parse(missing=[…])."
                )
            np.add.at(n, (codes[~blank], k, at), size[~blank])
        return cls(tuple(items), tuple(float(o) for o in options), cells, n, missing)

    def select(self, items: Sequence[str]) -> Counts:
        """Keep these items, in this order."""
        for item in items:
            if item not in self.items:
                raise ColumnError(f"These Counts have no item {item!r}.{nearest(item, self.items)}")
        at = [self.items.index(i) for i in items]
        return Counts(tuple(items), self.options, self.keys, self.n[:, at], self.missing[:, at])

    def collapse(self, keys: Sequence[str] | str = ()) -> Counts:
        """Merge cells that share these keys (none: merge all into one)."""
        keys = [keys] if isinstance(keys, str) else list(keys)
        for key in keys:
            if key not in self.keys.columns:
                raise ColumnError(
                    f"These Counts are not kept by {key!r}.{nearest(key, self.keys.columns)}"
                )
        codes, kept = group_codes(self.keys, keys)
        n = np.zeros((len(kept), *self.n.shape[1:]))
        missing = np.zeros((len(kept), self.missing.shape[1]))
        np.add.at(n, codes, self.n)
        np.add.at(missing, codes, self.missing)
        return Counts(self.items, self.options, kept, n, missing)

    def __add__(self, other: Counts) -> Counts:
        """Merge two sets of cells; cells of equal keys become one."""
        if not isinstance(other, Counts):
            return NotImplemented
        if (self.items, self.options) != (other.items, other.options):
            raise DataError("Only Counts of the same items and options add up.")
        if list(self.keys.columns) != list(other.keys.columns):
            raise DataError("Only Counts of the same keys add up. Collapse both first.")
        both = Counts(
            self.items,
            self.options,
            pd.concat([self.keys, other.keys], ignore_index=True),
            np.concatenate([self.n, other.n]),
            np.concatenate([self.missing, other.missing]),
        )
        return both.collapse(list(self.keys.columns))

    def moments(self) -> tuple[Array, Array, Array]:
        """Return n, mean and centred sum of squares per cell and item, each (cells, items)."""
        options = np.array(self.options)
        n = self.n.sum(axis=2)
        # 0/0 marks a cell without answers: NaN is its honest mean
        with np.errstate(invalid="ignore"):
            mean = (self.n @ options) / n
        away = options - np.nan_to_num(mean)[..., None]
        return n, mean, (self.n * away**2).sum(axis=2)

    def __repr__(self) -> str:
        return f"<Counts: {len(self.keys)} cells, {len(self.items)} items, {len(self.options)} options>"
