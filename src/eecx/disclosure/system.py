"""What published cells leave open: linear equations in the counts of atoms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import optimize, sparse
from scipy.sparse import csgraph

from ..errors import DataError
from .links import Array, Codes, Links, Mask

NEAR = 1e-6
"""Counts closer than this are taken for equal: the tolerance of the linear programs is 1e-7."""


@dataclass(frozen=True, eq=False)
class Open:
    """What published cells leave open, once all that follows step by step is worked out."""

    known: Mask
    """Atoms that follow from published cells one by one."""
    by: Codes
    """The published cell that gave each known atom."""
    amounts: Array
    """What is known of the atoms, shape (atoms, amounts)."""
    rows: Codes
    """Published cells that still say something."""
    rest: Array
    """What these hold beyond their known atoms and beyond published cells within them."""
    taken: tuple[Codes, Codes]
    """Which cells were taken off which."""
    columns: Codes
    """Open atoms that lie in one of these."""
    least: Codes
    """Withheld cells of which only "one respondent or more" is known, all of it open."""
    equations: sparse.csr_array
    """Which of ``rows`` holds which of ``columns``."""
    floors: sparse.csr_array
    """Which of ``least`` holds which of ``columns``."""
    part: Codes
    """The unconnected part of the system that each column belongs to."""
    row_part: Codes
    """The same of each row."""


def left_open(links: Links, shown: Mask, amounts: Array) -> Open:
    """Work out what follows from the published cells and set up what does not."""
    every = np.ones(len(links.ids), dtype=bool)
    known, by = ~every, np.full(len(every), -1, dtype=np.intp)
    value = np.zeros((len(every), amounts.shape[1]))
    rest = np.where(shown[:, None], amounts, 0.0)
    while True:
        left = links.per_cell((~known).astype(float))
        single = shown & (left == 1)
        cell, atom = links.members(~known, single)
        if not len(atom):
            break
        atom, first = np.unique(atom, return_index=True)
        known[atom], by[atom], value[atom] = True, cell[first], rest[cell[first]]
        fresh = np.zeros_like(known)
        fresh[atom] = True
        for k in range(amounts.shape[1]):
            rest[:, k] -= links.per_cell(np.where(fresh, value[:, k], 0.0))
    # take published cells off the larger ones that hold them: fewer atoms, more separate parts
    held = (links.ids >= 0) & ~known[:, None] & shown[links.ids]
    taken: list[Codes] = [np.zeros((0, 2), dtype=np.intp)]
    right = rest.copy()
    for coarse, _, own in links.nested():
        count = np.bincount(own[own >= 0], ~known[own >= 0], links.cells)
        still = np.bincount(own[own >= 0], held[own >= 0, coarse], links.cells)
        off = np.flatnonzero(shown & (count > 0) & (count == still))
        into = links.within[off, coarse]
        off, into = off[shown[into]], into[shown[into]]
        np.subtract.at(right, into, rest[off])
        held[np.isin(own, off), coarse] = False
        taken.append(np.column_stack([into, off]))
    atom, table = np.nonzero(held)
    cell = links.ids[atom, table]
    rows, columns = np.unique(cell), np.unique(atom)
    within = np.zeros_like(known)
    within[columns] = True
    # a withheld cell with an atom that is known, or in no row, has its one respondent anyway
    loose = links.per_cell((~within).astype(float)) > 0
    floor_cell, floor_atom = links.members(within, ~shown)
    hidden = np.unique(floor_cell)
    least = np.setdiff1d(hidden, np.flatnonzero(loose))
    equations = incidence(cell, atom, rows, columns)
    floors = incidence(floor_cell, floor_atom, hidden, columns)
    part, row_part = unconnected(stacked([[equations], [floors]]), len(columns), len(rows))
    into, off = np.concatenate(taken).T
    return Open(
        known=known,
        by=by,
        amounts=value,
        rows=rows,
        rest=right[rows],
        taken=(into, off),
        columns=columns,
        least=least,
        equations=equations,
        floors=floors[np.isin(hidden, least)],
        part=part,
        row_part=row_part,
    )


def unconnected(links: sparse.csr_array, size: int, rows: int) -> tuple[Codes, Codes]:
    """Return the unconnected part of a system that each column, and each row, belongs to."""
    if not size:
        return np.zeros(0, dtype=np.intp), np.zeros(rows, dtype=np.intp)
    graph = stacked([[None, links.T], [links, None]])
    label = csgraph.connected_components(graph, directed=False)[1].astype(np.intp)
    return label[:size], label[size : size + rows]


def stacked(blocks: list[list[Any]]) -> sparse.csr_array:
    """Return one matrix of blocks, None for a block of zeros."""
    return sparse.csr_array(sparse.block_array(blocks))


def incidence(cell: Codes, atom: Codes, rows: Codes, columns: Codes) -> sparse.csr_array:
    """Return which of these cells (rows) holds which of these atoms (columns)."""
    at = (np.searchsorted(rows, cell), np.searchsorted(columns, atom))
    return sparse.csr_array((np.ones(len(cell)), at), shape=(len(rows), len(columns)))


def solved(cost: Array, **limits: Any) -> Any:
    """Solve a linear program that has a solution."""
    found = optimize.linprog(cost, method="highs", **limits)
    if found.status != 0:
        raise DataError(
            f"A linear program of the release was not solved: {found.message}",
            code="not-solved",
            fix="Release fewer tables at once.",
        )
    return found
