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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations_with_replacement
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from .. import formula, frames
from ..errors import ColumnError, DataError, listing, nearest
from .arrays import (
    Array,
    Codes,
    is_nothing,
    nothing,
    pack,
    picked,
    products,
    summed,
    triangle,
    two_sum,
    unpack,
)
from .from_correlations import read_correlations
from .keys import group_codes, names_of, stacked

__all__ = ["Moments"]


@dataclass(frozen=True, eq=False)
class Moments:
    """Counts, means and centred cross-products of ``terms``, one cell per row of ``keys``.

    Parameters
    ----------
    terms : tuple of str
        Names of the p columns: ``"x"``, ``"x:z"``, ``"I(x^2)"``, fixed when the object is made. In
        a model that is made ready they are objects that know what each column is.
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

    terms: tuple[Any, ...]
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
            object.__setattr__(self, "mean_rest", nothing(*self.mean.shape))
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
                raise DataError(
                    f"Moments.{name} has shape {found}; {cells} cells need {shape}.",
                    code="wrong-shape",
                    fix="Make Moments with from_frame() or from_correlations().",
                )
        if len(set(self.terms)) < p:
            raise DataError(
                f"Moments has a term twice: {listing(self.terms)}.",
                code="named-twice",
                fix="Name each term once.",
            )

    @cached_property
    def fingerprint(self) -> str:
        """A hash of all cells with their keys: the same sums give the same fingerprint."""
        names = [str(t) for t in self.terms]
        columns: dict[Any, Any] = {("key", str(k)): self.keys[k] for k in self.keys.columns}
        columns |= {("n", ""): self.n, ("w", ""): self.w, ("w2", ""): self.w2}
        for part, values in (("mean", self.mean), ("rest", self.centres[1])):
            columns |= {(part, t): v for t, v in zip(names, np.transpose(values), strict=True)}
        pairs = [] if self.of_rows else combinations_with_replacement(names, 2)
        for j, pair in enumerate(pairs):
            columns["m2", *sorted(pair)] = self.m2[:, j]
        return frames.fingerprint_of_columns(columns)

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
        from .from_frame import from_frame  # which makes Moments

        return from_frame(data, keys=keys, terms=terms, weight=weight, parse=parse)

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
        to 0. Only the lower or the upper triangle need be filled. The diagonal is 1 or blank:
        covariances, and reliabilities on the diagonal, are refused.

        Raises
        ------
        DataError
            Where the matrix is not square, is named otherwise in its rows than in its columns,
            holds text, has something else than 1 on its diagonal, a correlation beyond 1 or
            unequal halves, or is not positive semi-definite (a table that no data can have).
        OptionError
            ``n`` that is no number, ``names`` that are no list.

        Examples
        --------
        >>> import pandas as pd
        >>> r = pd.DataFrame([[1, 0.3], [0.3, 1]], index=["x", "y"], columns=["x", "y"])
        >>> cell = Moments.from_correlations(r, sd={"x": 2, "y": 5}, n=101)
        >>> cell.cross[0].tolist()
        [[400.0, 300.0], [300.0, 2500.0]]
        """
        labels, centre, m2 = read_correlations(corr, n=n, sd=sd, mean=mean, names=names)
        size = np.array([float(n)])
        return cls(labels, pd.DataFrame(index=range(1)), size, size, size, centre[None], m2[None])

    @property
    def of_rows(self) -> bool:
        """Whether every cell is a single row, which has no cross-products about itself."""
        return is_nothing(self.m2)

    @property
    def cross(self) -> Array:
        """Centred cross-products as full matrices, shape (cells, p, p)."""
        return unpack(self.m2, len(self.terms))

    def about(self, point: npt.ArrayLike) -> Array:
        r"""Return cross-products about a point instead of each cell's mean, shape (cells, p, p).

        :math:`\sum w_i (x_i - c)(x_i - c)' = M2 + w (\bar x - c)(\bar x - c)'`.
        """
        away = self.away_from(np.asarray(point, dtype=float))
        return self.cross + self.w[:, None, None] * (away[:, :, None] * away[:, None, :])

    def select(self, terms: Sequence[Any]) -> Moments:
        """Keep these terms, in this order; a column may be named without its backticks."""
        place = {term: i for i, term in enumerate(self.terms)}
        at = []
        for term in names_of(terms, "terms"):
            label = term if term in place else formula.Name(term).label
            if label not in place:
                raise ColumnError(
                    f"These Moments have no term {term!r}.",
                    code="unknown-term",
                    fix=nearest(term, self.terms),
                )
            at.append(place[label])
        if at == list(range(len(self.terms))):
            return self
        return replace(
            self,
            terms=tuple(self.terms[i] for i in at),
            mean=self.mean.T[at].T,
            m2=pack(picked(self.cross, at)),
            mean_rest=nothing(len(self.n), len(at)) if is_nothing(self.rest) else self.rest[:, at],
        )

    def collapse(self, keys: Sequence[str] | str = ()) -> Moments:
        """Merge cells that share these keys (none: merge all into one)."""
        keys = names_of(keys)
        if not keys and self.keys.shape == (1, 0):
            return self
        self.require_keys(keys)
        codes, kept = group_codes(self.keys, keys)
        anchor, centre, away = self._centres(codes, len(kept))
        m2 = products(away, self.w, codes, len(kept))
        if not self.of_rows:
            for k, within in enumerate(self.m2.T):
                m2[:, k] += summed(within, codes, len(kept))
        n, w, w2 = (summed(v, codes, len(kept)) for v in (self.n, self.w, self.w2))
        mean, rest = two_sum(anchor, centre)
        return Moments(self.terms, kept, n, w, w2, mean, m2, self.left_out, rest)

    def within(self, key: str) -> Moments:
        """Take out every difference between levels of ``key``: each level's mean becomes zero.

        The cells stay; what remains is the variation within levels (fixed effects). The number
        of levels taken out is the caller's to count in degrees of freedom.
        """
        self.require_keys([key])
        codes, levels = group_codes(self.keys, [key])
        _, _, away = self._centres(codes, len(levels))
        return replace(self, mean=away, mean_rest=None)

    def means(self) -> Moments:
        """Treat every cell as one observation: its mean, with weight one (between units)."""
        one = np.ones(len(self.keys))
        return replace(self, n=one, w=one, w2=one, m2=nothing(*self.m2.shape))

    def __add__(self, other: Moments) -> Moments:
        """Merge two sets of cells; cells of equal keys become one."""
        if not isinstance(other, Moments):
            return NotImplemented
        if self.terms != other.terms:
            raise DataError(
                f"Only Moments of the same terms add up: {listing(self.terms)} against "
                f"{listing(other.terms)}.",
                code="different-terms",
                fix="Take those that both have with select(terms).",
            )
        both = Moments(
            self.terms,
            stacked(self.keys, other.keys, "Moments"),
            np.concatenate([self.n, other.n]),
            np.concatenate([self.w, other.w]),
            np.concatenate([self.w2, other.w2]),
            np.concatenate([self.mean, other.mean]),
            np.concatenate([self.m2, other.m2]),
            self.left_out + other.left_out,
            np.concatenate([self.rest, other.rest]),
        )
        return both.collapse(list(self.keys.columns))

    @property
    def centres(self) -> tuple[Array, Array]:
        """The means, rounded, and what rounding took off them."""
        return self.mean, self.rest

    @property
    def rest(self) -> Array:
        """What rounding took off the means, zeros where nothing was kept."""
        return nothing(*self.mean.shape) if self.mean_rest is None else self.mean_rest

    def away_from(self, point: Array) -> Array:
        """Distance of every cell's mean from a point, to full precision."""
        away = self.mean - point
        return away if is_nothing(self.rest) else away + self.rest

    def centred(self) -> tuple[Moments, Array]:
        """Move the mean of all cells to 0, to full precision; return it too."""
        anchor, centre, away = self._centres(np.zeros(len(self.n), dtype=np.intp), 1)
        return replace(self, mean=away, mean_rest=None), (anchor + centre)[0]

    def squares(self) -> Array:
        """Return each term's sum of squares about the mean of all cells, shape (p,)."""
        away = self.centred()[0].mean
        between = np.array([(self.w * x * x).sum() for x in away.T])
        if self.of_rows:
            return between
        i, j = triangle(len(self.terms))
        return np.asarray(between + self.m2[:, i == j].sum(axis=0))

    def _centres(self, codes: Codes, groups: int) -> tuple[Array, Array, Array]:
        """Return per group an anchor and its mean from there, and each cell's distance from it."""
        first = np.zeros(groups, dtype=np.intp)
        first[codes[::-1]] = np.arange(len(codes) - 1, -1, -1)
        anchor = self.mean[first]  # the first cell's mean, so that little is taken off
        w, even = summed(self.w, codes, groups), bool((self.w == 1).all())
        centre, away = np.empty_like(anchor), np.empty(self.mean.shape[::-1]).T
        for k, (mean, rest) in enumerate(zip(self.mean.T, self.rest.T, strict=True)):
            own = away[:, k]
            np.subtract(mean, anchor[:, k][codes], out=own)
            if not is_nothing(self.rest):
                own += rest
            centre[:, k] = summed(own if even else self.w * own, codes, groups) / w
            own -= centre[:, k][codes]
        return anchor, centre, away

    def correlations(self) -> pd.DataFrame:
        """Return correlations over all cells, as a labelled matrix."""
        cross = self.collapse().cross[0]
        scale = np.sqrt(np.diag(cross))
        constant = [t for t, s in zip(self.terms, scale, strict=True) if s == 0]
        if constant:
            raise DataError(
                f"No correlation with a constant column: {listing(constant)}.",
                code="constant-column",
                fix="Leave it out with select(terms).",
            )
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
            raise DataError(
                "A standard deviation needs at least two rows.",
                code="too-few-rows",
                fix="Sum two rows or more.",
            )
        variance = np.diag(total.cross[0]) / total.w[0] * (total.n[0] / (total.n[0] - 1))
        return pd.Series(np.sqrt(variance), index=list(self.terms))

    def require_keys(self, keys: Sequence[str]) -> None:
        """Raise :class:`ColumnError` for the first key by which these sums are not kept."""
        for key in keys:
            if key not in self.keys.columns:
                raise ColumnError(
                    f"These Moments are not kept by {key!r} (their keys: "
                    f"{listing(self.keys.columns) or 'none'}).",
                    code="needs-key",
                    fix=(
                        f"Make them with keys=[..., {key!r}]; a published table has no units to "
                        "tell apart."
                    ),
                )

    def __repr__(self) -> str:
        keys = " × ".join(map(str, self.keys.columns)) or "no keys"
        return (
            f"<Moments: {len(self.keys)} cells ({keys}), {len(self.terms)} terms, "
            f"n = {self.n.sum():,.0f}>"
        )
