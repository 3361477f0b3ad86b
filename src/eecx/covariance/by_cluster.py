r"""The columns of a fit by cluster: what errors of few clusters need beside the scores.

Let :math:`M = (X'X)^{-1} = L L'`, :math:`s_g = X_g'e_g`, and :math:`H_{gg} = X_g M X_g'` the hat
matrix of cluster g. CR2 and CR3 weight its residuals by

.. math:: u_g = (I - H_{gg})^{-a} X_g M c, \qquad a = \tfrac12 \text{ or } 1,

where :math:`u_g'e_g` is what the cluster adds to the estimate :math:`c'\hat\beta`. Three ways lead
there, by what is known of a cluster:

- its sums of squares :math:`A_g = X_g'X_g`: the eigenvalues of :math:`L'A_g L = V \Lambda V'` are
  those of :math:`H_{gg}`, and :math:`u_g'e_g = c'L V (I - \Lambda)^{-a} V'L's_g`;
- its rows, where they are fewer than columns: :math:`H_{gg}` itself is decomposed;
- its rows, where waves were taken out of them: their dummies D belong to :math:`H_{gg}` too, and
  are never written out. The powers of :math:`I - H` are sums of a series,
  :math:`(I - H)^{-1/2} = I + \tfrac12 H + \tfrac38 H^2 + \dots`, in which H is applied as gathers
  and scatters by wave.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import numpy.typing as npt

__all__ = ["Adjusted", "ByCluster", "Rows", "RowsNetOfWaves", "Sums", "Waves", "summed_rows"]

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.intp]

# eigenvalues of I - H_gg below this belong to a combination of coefficients that one cluster
# alone decides: its residuals there are zero whatever the data
DECIDED = 1e-8
# terms of a series, after which a cluster's hat matrix is decomposed instead
TERMS = 64


@dataclass(frozen=True, eq=False)
class Adjusted:
    r"""What clusters add to c estimates, and how that varies if errors are independent.

    Attributes
    ----------
    influence : ndarray, shape (G, c)
        :math:`u_g'e_g`.
    own : ndarray, shape (G, c, c)
        :math:`u_g'u_g`.
    reach : ndarray, shape (G, r, c)
        :math:`L'X_g'u_g`: :math:`u_g'(I - H)_{gh} u_h = 1_{g=h} u_g'u_g - r_g'r_h`.
    """

    influence: Array
    own: Array
    reach: Array


class ByCluster(Protocol):
    """The columns of a fit by cluster, however they are kept."""

    @property
    def bread(self) -> Array:
        """:math:`M = (X'X)^{-1}`."""

    @property
    def whole(self) -> tuple[Array, Array]:
        """Return bread and scores of all columns, those of waves that were taken out in front."""

    def times(self, vectors: Array) -> Array:
        """Return :math:`A_g` times vectors (k, c), of all columns as in ``whole``."""

    def adjusted(self, combine: Array, power: float) -> Adjusted:
        """Return the contributions to combinations (c, k) with residuals weighted (see above)."""

    def shares(self, combine: Array) -> Array:
        """Return :math:`c'M A_g M c` of combinations (c, k), shape (G, c)."""


def decided(left: Array, power: float) -> Array:
    """Return the negative power of ``left``, 0 where one cluster decides."""
    kept = left >= DECIDED
    return np.where(kept, np.where(kept, left, 1.0) ** -power, 0.0)


@dataclass(frozen=True, eq=False)
class Sums:
    """Sums of squares (G, k, k) and scores (G, k)."""

    bread: Array
    sums: Array
    scores: Array

    @property
    def whole(self) -> tuple[Array, Array]:
        """Return bread and scores of all columns."""
        return self.bread, self.scores

    @cached_property
    def _root(self) -> Array:
        return np.asarray(np.linalg.cholesky(self.bread), dtype=float)

    @cached_property
    def _decomposed(self) -> tuple[Array, Array]:
        hat = self._root.T @ self.sums @ self._root
        values, vectors = np.linalg.eigh((hat + np.swapaxes(hat, 1, 2)) / 2)
        return np.asarray(values, dtype=float), np.asarray(vectors, dtype=float)

    def times(self, vectors: Array) -> Array:
        """Return :math:`A_g` times vectors (k, c), shape (G, k, c)."""
        return np.asarray(self.sums @ vectors)

    def adjusted(self, combine: Array, power: float) -> Adjusted:
        """Return the contributions to combinations (c, k) with residuals weighted (see above)."""
        values, vectors = self._decomposed
        f = decided(1.0 - values, power)
        turned = np.swapaxes(vectors, 1, 2)
        score = f[:, :, None] * (turned @ (self.scores @ self._root)[:, :, None])
        own_root = combine @ self._root
        z = turned @ own_root.T
        reach = vectors @ ((values * f)[:, :, None] * z)
        own = np.swapaxes(z, 1, 2) @ ((values * f**2)[:, :, None] * z)
        return Adjusted((vectors @ score)[:, :, 0] @ own_root.T, own, reach)

    def shares(self, combine: Array) -> Array:
        """Return :math:`c'M A_g M c` of combinations (c, k), shape (G, c)."""
        c = combine @ self.bread
        return np.asarray(((c @ self.sums) * c).sum(axis=2))


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows (n, k), their residuals (n,) and clusters (n,), numbered from 0, every one in use.

    Without clusters each row is one.
    """

    bread: Array
    rows: Array
    residual: Array
    of: Codes | None = None

    @property
    def cluster(self) -> Codes:
        """The cluster of each row."""
        return np.arange(len(self.rows)) if self.of is None else self.of

    @property
    def whole(self) -> tuple[Array, Array]:
        """Return bread and scores of all columns."""
        return self.bread, self.scores

    @cached_property
    def count(self) -> Codes:
        """Rows of every cluster."""
        return np.bincount(self.cluster)

    @cached_property
    def scores(self) -> Array:
        """The sums of rows times residuals by cluster, shape (G, k)."""
        each = self.rows * self.residual[:, None]
        return each if self.of is None else summed_rows(each, self.of, len(self.count))

    @cached_property
    def _root(self) -> Array:
        return np.asarray(np.linalg.cholesky(self.bread), dtype=float)

    @cached_property
    def by_size(self) -> list[tuple[Codes, Codes]]:
        """Return clusters with as many rows each (m,), and which rows these are (m, r)."""
        return self.by_size_of(np.arange(len(self.count)))

    def by_size_of(self, clusters: Codes) -> list[tuple[Codes, Codes]]:
        """Return ``by_size`` of some clusters."""
        order = np.argsort(self.cluster, kind="stable")
        start, count = np.cumsum(self.count) - self.count, self.count[clusters]
        found = []
        for size in np.unique(count):
            at = clusters[count == size]
            found.append((at, order[start[at][:, None] + np.arange(size)]))
        return found

    @cached_property
    def _turned(self) -> Array:
        """:math:`X L`."""
        return self.rows @ self._root

    @cached_property
    def _decomposed(self) -> list[tuple[Array, Array]]:
        """Return the smaller of :math:`H_{gg}` and its like decomposed."""
        found = []
        for _, rows in self.by_size:
            z = self._turned[rows]
            back = np.swapaxes(z, 1, 2)
            values, vectors = np.linalg.eigh(z @ back if z.shape[1] <= z.shape[2] else back @ z)
            found.append((np.asarray(values, dtype=float), np.asarray(vectors, dtype=float)))
        return found

    def times(self, vectors: Array) -> Array:
        """Return :math:`A_g` times vectors (k, c), shape (G, k, c)."""
        along = self.rows @ vectors
        out = np.empty((len(self.count), self.rows.shape[1], vectors.shape[1]))
        for at, rows in self.by_size:
            out[at] = np.swapaxes(self.rows[rows], 1, 2) @ along[rows]
        return out

    def adjusted(self, combine: Array, power: float) -> Adjusted:
        """Return the contributions to combinations (c, k) with residuals weighted (see above)."""
        own_root = (combine @ self._root).T
        g, c, k = len(self.count), *combine.shape
        influence, own, reach = np.empty((g, c)), np.empty((g, c, c)), np.empty((g, c, k))
        plain = self._turned @ own_root
        for (at, rows), (values, vectors) in zip(self.by_size, self._decomposed, strict=True):
            f, turned = decided(1.0 - values, power)[:, :, None], np.swapaxes(vectors, 1, 2)
            z = self._turned[rows]
            if z.shape[1] <= k:
                u = vectors @ (f * (turned @ plain[rows]))
            else:
                u = z @ (vectors @ (f * (turned @ own_root)))
            back = np.swapaxes(u, 1, 2)
            influence[at] = (back @ self.residual[rows][:, :, None])[:, :, 0]
            own[at], reach[at] = back @ u, back @ z
        return Adjusted(influence, own, np.swapaxes(reach, 1, 2))

    def shares(self, combine: Array) -> Array:
        """Return :math:`c'M A_g M c` of combinations (c, k), shape (G, c)."""
        each = (self.rows @ (combine @ self.bread).T) ** 2
        return each if self.of is None else summed_rows(each, self.of, len(self.count))


@dataclass(frozen=True, eq=False)
class Waves:
    """Effects of waves that were taken out of rows, after those of units where these were too.

    ``wave`` and ``unit`` (n,) number them; ``weight`` (n,) is what rows weigh, whose root rows and
    residuals are multiplied by; ``root`` (w, r) times its transpose is the inverse of the sums of
    squares of the waves' dummies, as far as these are independent.
    """

    wave: Codes
    unit: Codes | None
    weight: Array
    root: Array

    @cached_property
    def shares(self) -> Array:
        """What part of each unit's weight lies in each wave, shape (units, w)."""
        unit = np.zeros_like(self.wave) if self.unit is None else self.unit
        shape = int(unit.max()) + 1, len(self.root)
        place = unit * shape[1] + self.wave
        seen = np.bincount(place, self.weight, shape[0] * shape[1]).reshape(shape)
        return np.asarray(seen / seen.sum(axis=1)[:, None], dtype=float)

    @property
    def leverage(self) -> Array:
        """The leverages of rows in the regression on the dummies, units taken out."""
        own = (self.root**2).sum(axis=1)[self.wave]
        if self.unit is not None:
            means = self.shares @ self.root
            own += (means**2).sum(axis=1)[self.unit]
            own -= 2 * (means @ self.root.T)[self.unit, self.wave]
        return np.asarray(self.weight * own)

    def dummies(self, rows: Codes) -> Array:
        """Return the dummies of some rows, units taken out, times ``root``."""
        out = self.root[self.wave[rows]]
        if self.unit is not None:
            out = out - (self.shares @ self.root)[self.unit[rows]]
        return np.asarray(out * np.sqrt(self.weight[rows])[..., None])


@dataclass(frozen=True, eq=False)
class RowsNetOfWaves:
    """Rows from which waves were taken out; units, if these were too, lie in one cluster each."""

    rows: Rows
    waves: Waves

    @property
    def bread(self) -> Array:
        """:math:`(X'X)^{-1}` of the columns that are left."""
        return self.rows.bread

    @property
    def whole(self) -> tuple[Array, Array]:
        """Return bread and scores of all columns, those of the waves in front."""
        w, k = len(self.waves.root), len(self.bread)
        bread = np.zeros((w + k, w + k))
        bread[:w, :w] = self.waves.root @ self.waves.root.T
        bread[w:, w:] = self.bread
        of_waves = self._by_wave(self.rows.residual[:, None])[:, :, 0]
        return bread, np.column_stack([of_waves, self.rows.scores])

    def times(self, vectors: Array) -> Array:
        """Return :math:`A_g` times vectors (k, c), of all columns as in ``whole``."""
        along = self._by_wave(self.rows.rows @ vectors)
        return np.concatenate([along, self.rows.times(vectors)], axis=1)

    def shares(self, combine: Array) -> Array:
        """Return :math:`c'M A_g M c` of combinations (c, k), shape (G, c)."""
        return self.rows.shares(combine)

    def adjusted(self, combine: Array, power: float) -> Adjusted:
        """Return the contributions to combinations (c, k) with residuals weighted (see above)."""
        rows, own_root = self.rows, (combine @ self._root).T
        cluster, g = rows.cluster, len(rows.count)
        z = rows.rows @ self._root
        u = term = z @ own_root
        size = summed_rows(u**2, cluster, g)
        for j in range(TERMS):
            term = (power + j) / (j + 1) * self._hat(z, term)
            u = u + term
            growing = (summed_rows(term**2, cluster, g) > 1e-34 * size).any(axis=1)
            if not growing.any():
                break
        reach = [self.waves.root.T @ self._by_wave(u), self._along(z, u)]
        own = np.stack([summed_rows(u * v[:, None], cluster, g) for v in u.T], axis=2)
        influence = summed_rows(u * rows.residual[:, None], cluster, g)
        made = Adjusted(influence, own, np.concatenate(reach, axis=1))
        if growing.any():
            self._decompose(np.flatnonzero(growing), own_root, power, made)
        return made

    @cached_property
    def _root(self) -> Array:
        return np.asarray(np.linalg.cholesky(self.bread), dtype=float)

    def _hat(self, z: Array, v: Array) -> Array:
        """Return every cluster's hat matrix times rows (n, c)."""
        cluster, waves = self.rows.cluster, self.waves
        of_waves = waves.root @ (waves.root.T @ self._by_wave(v))
        out = of_waves[cluster, waves.wave]
        if waves.unit is not None:
            of_unit = np.zeros(len(waves.shares), dtype=np.intp)
            of_unit[waves.unit] = cluster
            out -= np.einsum("ut,utc->uc", waves.shares, of_waves[of_unit])[waves.unit]
        out *= np.sqrt(waves.weight)[:, None]
        return np.asarray(out + np.einsum("nk,nkc->nc", z, self._along(z, v)[cluster]))

    def _by_wave(self, v: Array) -> Array:
        """Return the dummies' products with rows (n, c) by cluster, shape (G, w, c).

        The rows are net of units, where these were taken out: what that takes off dummies is lost.
        """
        g, w = len(self.rows.count), len(self.waves.root)
        place = self.rows.cluster * w + self.waves.wave
        sums = summed_rows(v * np.sqrt(self.waves.weight)[:, None], place, g * w)
        return sums.reshape(g, w, v.shape[1])

    def _along(self, z: Array, v: Array) -> Array:
        """Return the products of two sets of rows by cluster, shape (G, k, c)."""
        g = len(self.rows.count)
        return np.stack([summed_rows(z * a[:, None], self.rows.cluster, g) for a in v.T], axis=2)

    def _decompose(self, clusters: Codes, own_root: Array, power: float, made: Adjusted) -> None:
        """Put in what clusters add whose hat matrix is near one."""
        for at, rows in self.rows.by_size_of(clusters):
            z = self.rows.rows[rows] @ self._root
            wide = np.concatenate([self.waves.dummies(rows), z], axis=2)
            values, vectors = np.linalg.eigh(wide @ np.swapaxes(wide, 1, 2))
            f = decided(1.0 - values, power)[:, :, None]
            u = vectors @ (f * (np.swapaxes(vectors, 1, 2) @ (z @ own_root)))
            back = np.swapaxes(u, 1, 2)
            made.influence[at] = (back @ self.rows.residual[rows][:, :, None])[:, :, 0]
            made.own[at], made.reach[at] = back @ u, np.swapaxes(wide, 1, 2) @ u


def summed_rows(values: Array, codes: Codes, groups: int) -> Array:
    """Return the sums of rows (n, c) by group."""
    return np.stack([np.bincount(codes, v, groups) for v in values.T], axis=1)
