"""Which published cells each atom belongs to, and which cells lie within which."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Links:
    """Which cells an atom belongs to. Holds no count.

    ``ids`` has one row per atom and one column per table: the number of the atom's cell, or -1
    where the atom names not all keys of the table. ``within`` has one row per cell and one column
    per table: the cell of that table that holds it whole, or -1. Of two cells of the same atoms
    the later lies within the earlier.
    """

    ids: Codes
    table: Codes
    within: Codes

    @classmethod
    def of(cls, ids: Codes, table: Codes) -> Links:
        """Find which cells lie within which."""
        tables = ids.shape[1]
        within = np.full((len(table), tables), -1, dtype=np.intp)
        size = np.zeros(len(table), dtype=np.intp)
        for own in ids.T:
            size += np.bincount(own[own >= 0], minlength=len(table))
        for fine in range(tables):
            held = ids[:, fine] >= 0
            own = ids[held, fine]
            for coarse in range(tables):
                if coarse == fine:
                    continue
                low = np.full(len(table), len(table), dtype=np.intp)
                high = np.full(len(table), -2, dtype=np.intp)
                np.minimum.at(low, own, ids[held, coarse])
                np.maximum.at(high, own, ids[held, coarse])
                at = np.flatnonzero((low == high) & (low >= 0))
                larger = (size[low[at]] > size[at]) | (
                    (size[low[at]] == size[at]) & (coarse < fine)
                )
                within[at[larger], coarse] = low[at[larger]]
        return cls(ids, table, within)

    @property
    def cells(self) -> int:
        """How many cells there are."""
        return len(self.table)

    def nested(self) -> Iterator[tuple[int, int, Codes]]:
        """Yield two tables, and per atom the finer one's cell that its cell of the other holds.

        That is -1 where there is none. Tables of large cells come first.
        """
        tables = self.ids.shape[1]
        order = np.argsort([np.sum(self.table == t) for t in range(tables)], kind="stable")
        for coarse in range(tables):
            for fine in order:
                own = self.ids[:, fine]
                inside = (own >= 0) & (self.within[own, coarse] >= 0)
                if inside.any():
                    yield coarse, int(fine), np.where(inside, own, -1)

    def per_cell(self, values: Array) -> Array:
        """Sum values of atoms per cell."""
        out = np.zeros(self.cells)
        for own in self.ids.T:
            held = own >= 0
            out += np.bincount(own[held], values[held], self.cells)
        return out

    def members(self, atoms: Mask, cells: Mask) -> tuple[Codes, Codes]:
        """Return pairs (cell, atom) of chosen cells and atoms."""
        found = [
            (own[at], at)
            for own in self.ids.T
            for at in [np.flatnonzero(atoms & (own >= 0) & cells[own])]
        ]
        cell, atom = (np.concatenate(part) for part in zip(*found, strict=True))
        return cell.astype(np.intp), atom.astype(np.intp)
