r"""Sums per cell: the waist of the hourglass. Every estimator of eecx starts from these.

A cell is one combination of *keys* (unit, wave, segment, …, or the row itself). Per cell,
with case weights :math:`w_i` (1 unless given) and the terms :math:`x_i` as a p-vector,

.. math::

    n, \quad w = \sum w_i, \quad w2 = \sum w_i^2, \quad
    \bar x = \frac{\sum w_i x_i}{w}, \quad
    M2 = \sum w_i (x_i - \bar x)(x_i - \bar x)'

with M2 packed as its p(p+1)/2 upper elements. Cells merge pairwise without loss:
:math:`M2_{ab} = M2_a + M2_b + \frac{w_a w_b}{w_a + w_b} \delta\delta'`, with
:math:`\delta = \bar x_b - \bar x_a`, which is why months, countries and files add up.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
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
FAR = 1e4


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
        keys = names_of(keys)
        table = frames.open_table(data, parse=parse)
        parsed = _parse_terms(terms, table.kinds)
        used = _columns(parsed, weight)
        table.require(_columns(parsed, None), "A term")
        table.require([k for k in keys if k != ROW], "A key")
        table.require([weight] if weight else [], "weight")
        if ROW in keys and ROW in table.kinds:
            raise OptionError(
                f"The key {ROW!r} keeps every row apart, but {table.name} has a column of that "
                "name. Rename the column."
            )
        table = frames.numbers_from_text(table, [c for c in used if table.kinds[c] == "text"])
        if table.engine == "pandas" or ROW in keys:
            return _from_memory(table, keys, parsed, weight)
        return from_engine(table, keys, parsed, weight)

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
            rows = [str(c) for c in corr.index]
            if sorted(rows) == sorted(labels):
                corr = corr.set_axis(rows, axis=0).reindex(list(labels))
            values = corr.to_numpy(float)
        else:
            values = np.array(corr, dtype=float)
            labels = tuple(names or (f"v{i + 1}" for i in range(len(values))))
        if values.ndim != 2 or values.shape[0] != values.shape[1] or len(labels) != len(values):
            raise DataError(
                f"A correlation table is square and named; this has shape {values.shape}."
            )
        blank = np.isnan(values) & np.isnan(values.T) & ~np.eye(len(values), dtype=bool)
        if blank.any():
            i, j = np.argwhere(blank)[0]
            raise DataError(f"The correlation of {labels[i]!r} and {labels[j]!r} is missing.")
        lower, upper = (np.nan_to_num(half) for half in (np.tril(values, -1), np.triu(values, 1).T))
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
                "These correlations cannot come from one set of cases (smallest eigenvalue "
                f"{smallest:.3g}). Look for a typing error, or for pairwise deletion in the source."
            )
        if n < 2:
            raise DataError(f"n={n}: a correlation needs at least two cases.")
        s = _by_name(sd, labels, "sd", 1.0)
        if not np.all(s > 0):
            at = int(np.argmin(s > 0))
            raise DataError(f"sd of {labels[at]!r} is {s[at]:g}; it must be positive.")
        m2 = (n - 1) * r * np.outer(s, s)
        size = np.array([float(n)])
        centre = _by_name(mean, labels, "mean", 0.0)[None, :]
        if np.isnan(centre).any():
            raise DataError(f"mean of {labels[int(np.argmax(np.isnan(centre)))]!r} is missing.")
        return cls(labels, pd.DataFrame(index=range(1)), size, size, size, centre, pack(m2)[None])

    # ------------------------------------------------------------------ operations

    @property
    def cross(self) -> Array:
        """Centred cross-products as full matrices, shape (cells, p, p)."""
        return unpack(self.m2, len(self.terms))

    def about(self, point: npt.ArrayLike) -> Array:
        r"""Return cross-products about a point instead of each cell's mean, shape (cells, p, p).

        :math:`\sum w_i (x_i - c)(x_i - c)' = M2 + w (\bar x - c)(\bar x - c)'`.
        """
        away = self._away(np.asarray(point, dtype=float))
        return self.cross + self.w[:, None, None] * (away[:, :, None] * away[:, None, :])

    def select(self, terms: Sequence[str]) -> Moments:
        """Keep these terms, in this order; a column may be named without its backticks."""
        at = []
        for term in names_of(terms):
            label = term if term in self.terms else formula.Name(term).label
            if label not in self.terms:
                raise ColumnError(
                    f"These Moments have no term {term!r}.{nearest(term, self.terms)}"
                )
            at.append(self.terms.index(label))
        if at == list(range(len(self.terms))):
            return self
        return replace(
            self,
            terms=tuple(self.terms[i] for i in at),
            mean=self.mean[:, at],
            m2=pack(self.cross[:, at][:, :, at]),
            mean_rest=self._rest[:, at],
        )

    def collapse(self, keys: Sequence[str] | str = ()) -> Moments:
        """Merge cells that share these keys (none: merge all into one)."""
        keys = names_of(keys)
        if not keys and self.keys.shape == (1, 0):
            return self
        self._require_keys(keys)
        codes, kept = group_codes(self.keys, keys)
        anchor, centre, away = self._centres(codes, len(kept))
        i, j = triangle(len(self.terms))
        m2 = np.empty((len(kept), len(i)))
        for k, (a, b) in enumerate(zip(i, j, strict=True)):
            between = self.w * away[:, a] * away[:, b]
            m2[:, k] = _summed(self.m2[:, k] + between, codes, len(kept))
        n, w, w2 = (_summed(v, codes, len(kept)) for v in (self.n, self.w, self.w2))
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
                f"Only Moments of the same terms add up: {listing(self.terms)} against "
                f"{listing(other.terms)}."
            )
        both = Moments(
            self.terms,
            _stacked(self.keys, other.keys, "Moments"),
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
    def centres(self) -> tuple[Array, Array]:
        """The means, rounded, and what rounding took off them."""
        return self.mean, self._rest

    @property
    def _rest(self) -> Array:
        return np.zeros_like(self.mean) if self.mean_rest is None else self.mean_rest

    def _away(self, point: Array) -> Array:
        """Distance of every cell's mean from a point, to full precision."""
        return (self.mean - point) + self._rest

    def _centres(self, codes: Codes, groups: int) -> tuple[Array, Array, Array]:
        """Return per group an anchor and its mean from there, and each cell's distance from it."""
        anchor = np.zeros((groups, len(self.terms)))
        anchor[codes[::-1]] = self.mean[::-1]  # the first cell's mean, so that little is taken off
        shifted = self._away(anchor[codes])
        w = _summed(self.w, codes, groups)
        centre = np.empty_like(anchor)
        for k in range(len(self.terms)):
            centre[:, k] = _summed(self.w * shifted[:, k], codes, groups) / w
        return anchor, centre, shifted - centre[codes]

    def correlations(self) -> pd.DataFrame:
        """Return correlations over all cells, as a labelled matrix."""
        cross = self.collapse().cross[0]
        scale = np.sqrt(np.diag(cross))
        constant = [t for t, s in zip(self.terms, scale, strict=True) if s == 0]
        if constant:
            raise DataError(f"No correlation with a constant column: {listing(constant)}.")
        return pd.DataFrame(
            cross / np.outer(scale, scale), index=list(self.terms), columns=list(self.terms)
        )

    def sd(self) -> pd.Series[float]:
        r"""Return standard deviations over all cells, labelled.

        :math:`\sqrt{M2/w \cdot n/(n-1)}`: divisor n - 1 without weights, and the same whatever
        the weights' scale.
        """
        total = self.collapse()
        if total.n[0] < 2:
            raise DataError("A standard deviation needs at least two rows.")
        variance = np.diag(total.cross[0]) / total.w[0] * (total.n[0] / (total.n[0] - 1))
        return pd.Series(np.sqrt(variance), index=list(self.terms))

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
        return (
            f"<Moments: {len(self.keys)} cells ({keys}), {len(self.terms)} terms, "
            f"n = {self.n.sum():,.0f}>"
        )


# ---------------------------------------------------------------------- arrays


@cache
def triangle(p: int) -> tuple[Codes, Codes]:
    """Return rows and columns of the upper elements of a p × p matrix, in packed order."""
    i, j = np.triu_indices(p)
    for index in (i, j):
        index.flags.writeable = False
    return i, j


def pack(full: Array) -> Array:
    """Pack symmetric matrices (…, p, p) to their upper elements (…, p(p+1)/2)."""
    i, j = triangle(full.shape[-1])
    return np.ascontiguousarray(full[..., i, j])


def unpack(packed: Array, p: int) -> Array:
    """Unpack upper elements (…, p(p+1)/2) to symmetric matrices (…, p, p)."""
    i, j = triangle(p)
    full = np.empty((*packed.shape[:-1], p, p))
    full[..., i, j] = packed
    full[..., j, i] = packed
    return full


def group_codes(keys: pd.DataFrame, by: Sequence[str]) -> tuple[Codes, pd.DataFrame]:
    """Return numbers for the combinations of ``by``, in sorted order, and the combinations."""
    if not by:
        return np.zeros(len(keys), dtype=np.intp), pd.DataFrame(index=range(1))
    if len(by) == 1:
        if (small := _small_numbers(keys[by[0]])) is not None:
            return small[0], pd.DataFrame({by[0]: small[1]})
        numbers, levels = pd.factorize(keys[by[0]], sort=True)
        return numbers.astype(np.intp, copy=False), pd.DataFrame({by[0]: levels})
    grouped = keys.groupby(list(by), sort=True, observed=True)
    codes = np.asarray(grouped.ngroup(), dtype=np.intp)
    first = np.zeros(int(codes.max()) + 1 if len(codes) else 0, dtype=np.intp)
    first[codes[::-1]] = np.arange(len(codes))[::-1]
    return codes, keys[list(by)].iloc[first].reset_index(drop=True)


def _small_numbers(values: pd.Series[Any]) -> tuple[Codes, npt.NDArray[Any]] | None:
    """Return numbers and sorted levels of whole numbers from 0 that are hardly more than rows."""
    if not len(values) or not isinstance(values.dtype, np.dtype) or values.dtype.kind not in "iu":
        return None
    own = values.to_numpy()
    if own.min() < 0 or own.max() > 2 * len(own):
        return None
    seen = np.zeros(int(own.max()) + 1, dtype=bool)
    seen[own] = True
    levels = np.flatnonzero(seen).astype(own.dtype)
    if len(levels) == len(seen):
        return own.astype(np.intp, copy=False), levels
    return (np.cumsum(seen) - 1)[own].astype(np.intp, copy=False), levels


def _summed(values: Array, codes: Codes, groups: int) -> Array:
    return np.asarray(np.bincount(codes, weights=values, minlength=groups), dtype=float)


def _two_sum(a: Array, b: Array) -> tuple[Array, Array]:
    """Return the rounded sum and, exactly, what rounding took off (Knuth's two-sum)."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def names_of(given: Sequence[str] | str) -> list[str]:
    """Return names as a list, one alone too; raise where one comes twice."""
    names = [given] if isinstance(given, str) else list(given)
    if twice := {n for n in names if names.count(n) > 1}:
        raise OptionError(f"{listing(sorted(twice))} is named twice.")
    return names


def _stacked(keys: pd.DataFrame, more: pd.DataFrame, what: str) -> pd.DataFrame:
    """Put the keys of two sets of cells below each other; rows of the second are numbered on."""
    if list(keys.columns) != list(more.columns):
        raise DataError(
            f"Only {what} of the same keys add up: {listing(keys.columns) or 'none'} against "
            f"{listing(more.columns) or 'none'}. Collapse both first."
        )
    for key in keys.columns:
        kinds = [pd.api.types.infer_dtype(k[key]).split("64")[0] for k in (keys, more)]
        number = [kind in ("integer", "floating") for kind in kinds]
        if kinds[0] != kinds[1] and not all(number):
            raise DataError(
                f"The key {key!r} holds {kinds[0]} in one of the {what} and {kinds[1]} in the "
                "other. Make them alike first."
            )
    if ROW in keys.columns:
        more = more.assign(**{ROW: more[ROW] + keys[ROW].max() + 1})
    return pd.concat([keys, more], ignore_index=True)


def _parse_terms(terms: Sequence[str] | str, columns: Container[str]) -> list[formula.Term]:
    parsed: list[formula.Term] = []
    for text in [terms] if isinstance(terms, str) else terms:
        # a column may carry any name; only what is no column is grammar
        if text in columns or not any(mark in text for mark in ":(^*+`"):
            parsed.append(formula.Term((formula.Name(text),)))
        else:
            parsed.extend(formula.parse_terms(text))
    for term in parsed:
        for factor in term.factors:
            if isinstance(factor, formula.Lag | formula.Category):
                raise OptionError(
                    f"{factor.label} needs a panel: make the column first, or use "
                    "regress(panel, …)."
                )
    if not parsed:
        raise OptionError("Moments need at least one term.")
    return parsed


def _columns(parsed: Sequence[formula.Term], weight: str | None) -> list[str]:
    """Return the columns that terms are made of, then the weight."""
    used = dict.fromkeys(c for t in parsed for c in t.columns)
    return [*used, *([weight] if weight and weight not in used else [])]


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
    table: frames.Table, keys: list[str], parsed: Sequence[formula.Term], weight: str | None
) -> Moments:
    used = _columns(parsed, weight)
    held, numbers = table.collect([k for k in keys if k != ROW], used)
    columns = {c: numbers[c].to_numpy(float) for c in used}
    labels = tuple(t.label for t in parsed)
    for column, values in columns.items():
        if np.isinf(values).any():
            raise _infinite(column)
    with np.errstate(over="ignore"):  # found below
        x = np.column_stack([term_values(t, columns) for t in parsed])
    if np.isinf(x).any():
        raise _infinite(labels[int(np.argwhere(np.isinf(x))[0, 1])])
    w = columns[weight] if weight else np.ones(len(x))
    if weight and np.any(w <= 0):
        raise _bad_weight(weight, int(np.sum(w <= 0)))
    complete = ~np.isnan(x).any(axis=1) & ~np.isnan(w) & held.notna().all(axis=1).to_numpy()
    if not complete.any():
        raise _no_rows(len(x))
    kept = held.loc[complete].reset_index(drop=True)
    if ROW in keys:
        kept[ROW] = np.flatnonzero(complete)
    made = from_rows(x[complete], labels, kept[keys], w[complete], left_out=int((~complete).sum()))
    return replace(made, keys=frames.plain_keys(made.keys))


def from_rows(
    x: Array,
    terms: tuple[str, ...],
    keys: pd.DataFrame,
    w: Array | None = None,
    *,
    left_out: int = 0,
) -> Moments:
    """Sum complete rows ``x`` (rows, p) per combination of ``keys``."""
    p = x.shape[1]
    if ROW in keys.columns:
        one = np.ones(len(x))
        w = one if w is None else w
        blank = np.zeros((len(x), p * (p + 1) // 2))
        x = np.ascontiguousarray(x)
        return Moments(terms, keys.reset_index(drop=True), one, w, w * w, x, blank, left_out)
    codes, cells = group_codes(keys, list(keys.columns))
    n, total_w, w2, (mean, rest), m2 = _sum_rows(x, codes, len(cells), w)
    return Moments(terms, cells, n, total_w, w2, mean, m2, left_out, rest)


def _sum_rows(
    x: Array, codes: Codes, cells: int, w: Array | None
) -> tuple[Array, Array, Array, tuple[Array, Array], Array]:
    """Sum rows about the rounded mean of their cell, and take off what rounding missed."""
    columns = np.ascontiguousarray(x.T)
    count = np.bincount(codes, minlength=cells)
    n = count.astype(float)
    start = np.cumsum(count) - count
    in_order = bool(count.all() and (codes[1:] >= codes[:-1]).all())

    def summed(values: Array) -> Array:
        return np.add.reduceat(values, start) if in_order else _summed(values, codes, cells)

    def each_row(values: Array) -> Array:
        return np.repeat(values, count) if in_order else values[codes]

    def total(values: Array, times: Array | None = None) -> Array:
        for factor in (times, w):
            values = values if factor is None else np.multiply(values, factor, out=product)
        return summed(values)

    total_w, w2 = (n, n) if w is None else (summed(w), summed(w * w))
    away, product = np.empty_like(columns), np.empty(len(x))
    mean, rest, square = np.empty((3, len(columns), cells))
    for k, column in enumerate(columns):
        mean[k] = total(column) / total_w
        np.subtract(column, each_row(mean[k]), out=away[k])
        rest[k] = total(away[k]) / total_w
        square[k] = total(away[k], away[k])
        noise = n * np.finfo(float).eps * np.abs(mean[k])
        constant = square[k] <= total_w * noise**2
        if constant.any():
            # the error of a first mean is all that is left of a constant: a second mean has none
            better = np.where(constant, mean[k] + rest[k], mean[k])
            away[k] += each_row(mean[k] - better)
            mean[k], rest[k] = better, total(away[k]) / total_w
            square[k] = total(away[k], away[k])
    m2 = np.empty((cells, len(columns) * (len(columns) + 1) // 2))
    for j, (a, b) in enumerate(zip(*triangle(len(columns)), strict=True)):
        whole = square[a] if a == b else total(away[a], away[b])
        m2[:, j] = whole - total_w * rest[a] * rest[b]
    return n, total_w, w2, _two_sum(mean.T, rest.T), m2


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


def from_engine(
    table: frames.Table, keys: list[str], parsed: Sequence[formula.Term], weight: str | None
) -> Moments:
    """Sum the rows that an engine holds per combination of columns."""
    p = len(parsed)
    exact, shift, seen = _pilot(table, parsed, weight)
    terms = {f"t{i}": _term_expression(table, t, exact) for i, t in enumerate(parsed)}
    w = frames.real(table.number(weight)) if weight else None
    moved = {name: term - s for (name, term), s in zip(terms.items(), shift, strict=True)}
    cells, sums = _engine_sums(table, keys, moved, w)
    total = int(sums["n"].sum())
    if not total:
        raise _no_rows(seen)
    left_out = seen - total
    if exact:
        whole, mean, m2 = _unpack_integers(sums, p)
        return _cells(cells, parsed, sums, np.array(shift, dtype=float) + whole, mean, m2, left_out)
    mean, m2 = _unpack_sums(sums, p)
    spread = m2[:, np.equal(*triangle(p))]
    far = sums["w"].to_numpy(float)[:, None] * mean**2 > FAR * spread
    if not (far & (sums["n"].to_numpy() > 1)[:, None]).any():
        return _cells(cells, parsed, sums, np.array(shift), mean, m2, left_out)
    # sum again with every cell's own mean taken off first, the means joined in the engine
    centred = table.less_cell_means(keys, terms, w)
    own = {name: frames.column(name) for name in terms}
    at = {f"mean_{name}": frames.column(f"mean_{name}") for name in terms}
    held = [f"key_{i}" for i in range(len(keys))]
    _, again = _engine_sums(centred, held, own, frames.column("w") if weight else None, at)
    mean, m2 = _unpack_sums(again, p)
    return _cells(cells, parsed, again, again[list(at)].to_numpy(float), mean, m2, left_out)


def _cells(
    keys: pd.DataFrame,
    parsed: Sequence[formula.Term],
    sums: pd.DataFrame,
    centre: Array,
    mean: Array,
    m2: Array,
    left_out: int,
) -> Moments:
    """Put together cells whose means are counted from a centre."""
    n, w, w2 = (sums[c].to_numpy(float) for c in ("n", "w", "w2"))
    labels = tuple(t.label for t in parsed)
    high, low = _two_sum(np.broadcast_to(centre, mean.shape), mean)
    return Moments(labels, keys, n, w, w2, high, m2, left_out, low)


def _term_expression(table: frames.Table, term: formula.Term, exact: bool) -> frames.Expr:
    """Return a product of columns, of integers where ``exact``, else of doubles."""
    out: frames.Expr | None = None
    for factor in term.factors:
        value = table.number(factor.column)
        value = value if exact else frames.real(value)  # before multiplying: integers wrap
        for _ in range(factor.exponent if isinstance(factor, formula.Power) else 1):
            out = value if out is None else out * value
    if out is None:
        raise OptionError("A term has no factor.")
    return out


def _pilot(
    table: frames.Table, parsed: Sequence[formula.Term], weight: str | None
) -> tuple[bool, list[float], int]:
    """Look at all rows once: whether to sum integers exactly, where terms lie, how many rows."""
    columns = _columns(parsed, weight)
    rows = {f"t{i}": _term_expression(table, t, exact=False) for i, t in enumerate(parsed)}
    rows |= {f"c{i}": frames.real(table.number(c)) for i, c in enumerate(columns)}
    totals = {"rows": frames.count()}
    for name in rows:
        totals |= {f"lo_{name}": frames.lowest(name), f"hi_{name}": frames.highest(name)}
    for i in range(len(parsed)):
        totals[f"mid{i}"] = frames.column(f"t{i}").mean()
    if weight:
        w = frames.column(f"c{columns.index(weight)}")
        totals["bad"] = frames.flag(w <= 0, w).sum()
    seen = table.group([], rows, totals)[1].iloc[0].astype(float).fillna(0.0)
    labels = {f"c{i}": c for i, c in enumerate(columns)}
    labels |= {f"t{i}": t.label for i, t in enumerate(parsed)}
    for name, label in labels.items():
        if np.isinf(seen[f"lo_{name}"]) or np.isinf(seen[f"hi_{name}"]):
            raise _infinite(label)
    if weight and seen["bad"] > 0:
        raise _bad_weight(weight, int(seen["bad"]))
    ends = np.array([[seen[f"lo_t{i}"], seen[f"hi_t{i}"]] for i in range(len(parsed))])
    shift = [float(seen[f"mid{i}"]) for i in range(len(parsed))]
    whole = all(table.kinds[c] in ("integer", "boolean") for c in columns)
    room = (np.ptp(ends, axis=1) + 1) ** 2 * seen["rows"]
    exact = bool(whole and not weight and (room < 2.0**62).all() and (abs(ends) < 2.0**53).all())
    return exact, [round(s) for s in shift] if exact else shift, int(seen["rows"])


def _engine_sums(
    table: frames.Table,
    keys: list[str],
    terms: Mapping[str, frames.Expr],
    w: frames.Expr | None,
    constant: Mapping[str, frames.Expr] | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Sum terms and their products per cell; carry along what is constant in a cell."""
    names = list(terms)
    rows = {**terms, **({"w": w} if w is not None else {})}
    then = {f"s{i}": frames.column(n) for i, n in enumerate(names)}
    for a, b in zip(*triangle(len(names)), strict=True):
        then[f"p{a}_{b}"] = frames.column(names[a]) * frames.column(names[b])
    totals = {"n": frames.count(), **{name: frames.total(name) for name in then}}
    if w is not None:
        then = {name: product * frames.column("w") for name, product in then.items()}
        then["w_squared"] = frames.column("w") * frames.column("w")
        totals |= {"w": frames.total("w"), "w2": frames.total("w_squared")}
    totals |= {name: frames.lowest(name) for name in constant or {}}
    complete = frames.every_present(list(rows))
    cells, out = table.group(
        keys, {**rows, **(constant or {})}, totals, then=then, complete=complete
    )
    return cells, out if w is not None else out.assign(w=out["n"], w2=out["n"])


def _unpack_sums(sums: pd.DataFrame, p: int) -> tuple[Array, Array]:
    """Turn shifted sums into means (about the shift) and centred cross-products."""
    w = sums["w"].to_numpy(float)
    mean = sums[[f"s{i}" for i in range(p)]].to_numpy(float) / w[:, None]
    i, j = triangle(p)
    raw = sums[[f"p{a}_{b}" for a, b in zip(i, j, strict=True)]].to_numpy(float)
    m2 = raw - w[:, None] * mean[:, i] * mean[:, j]
    m2[:, i == j] = np.maximum(m2[:, i == j], 0.0)
    return mean, m2


def _unpack_integers(sums: pd.DataFrame, p: int) -> tuple[Array, Array, Array]:
    """Turn exact sums into whole parts and rests of means, and exact cross-products.

    Centred on the whole part q of the mean, everything fits 64 bits in the end; what runs over
    on the way runs back, for integers wrap.
    """
    n = sums["n"].to_numpy(np.int64)[:, None]
    first = sums[[f"s{i}" for i in range(p)]].to_numpy(np.int64)
    i, j = triangle(p)
    raw = sums[[f"p{a}_{b}" for a, b in zip(i, j, strict=True)]].to_numpy(np.int64)
    q, r = np.divmod(first, n)
    about = raw - q[:, i] * first[:, j] - q[:, j] * first[:, i] + n * q[:, i] * q[:, j]
    whole, part = np.divmod(r[:, i] * r[:, j], n)
    return q.astype(float), r / n, (about - whole) - part / n


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
        keys, items = names_of(keys), names_of(items)
        wanted = np.array(options, dtype=float)
        if not items or not wanted.size:
            raise OptionError("Counts need at least one item and one option.")
        if not np.all(np.diff(wanted) > 0):
            raise OptionError("options must be distinct and in ascending order.")
        table = frames.open_table(data, numeric=items, parse=parse)
        table.require(items, "An item")
        table.require(keys, "A key")
        found = [table.tally(keys, table.number(item)) for item in items]
        every = pd.concat([f for f, _ in found], ignore_index=True)
        if every.empty and not found[0][1]["cells"].sum():
            raise DataError(f"No row of {table.name} has a value for every key.")
        codes_of_all, cells = group_codes(every, keys)
        start = np.cumsum([0, *(len(f) for f, _ in found)])
        n = np.zeros((len(cells), len(items), len(options)))
        missing = np.zeros((len(cells), len(items)))
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
                    f"Item {item!r} has answers that are not among the options {listing(options)}: "
                    f"{shown}. Name codes for 'no answer' with parse=eecx.Parse(missing=[…])."
                )
            np.add.at(n, (codes[~blank], k, at), size[~blank])
        return cls(tuple(items), tuple(float(o) for o in options), cells, n, missing)

    def select(self, items: Sequence[str]) -> Counts:
        """Keep these items, in this order."""
        items = names_of(items)
        for item in items:
            if item not in self.items:
                raise ColumnError(f"These Counts have no item {item!r}.{nearest(item, self.items)}")
        at = [self.items.index(i) for i in items]
        return Counts(tuple(items), self.options, self.keys, self.n[:, at], self.missing[:, at])

    def collapse(self, keys: Sequence[str] | str = ()) -> Counts:
        """Merge cells that share these keys (none: merge all into one)."""
        keys = names_of(keys)
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
        both = Counts(
            self.items,
            self.options,
            _stacked(self.keys, other.keys, "Counts"),
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
        return (
            f"<Counts: {len(self.keys)} cells, {len(self.items)} items, "
            f"{len(self.options)} options>"
        )
