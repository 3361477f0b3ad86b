"""What is exposed: few respondents, or respondents who all answered the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from .links import Array, Codes, Links, Mask
from .system import NEAR, Open, left_open, solved, stacked, unconnected


@dataclass(frozen=True, eq=False)
class Answers:
    """What the respondents of each atom answered.

    Means, and standard deviations, that differ by less than ``near`` are taken for equal.
    """

    n: Array
    mean: Array
    spread: Array
    near: float

    @classmethod
    def of(cls, n: Array, first: Array, second: Array) -> Answers:
        """Take counts, sums and sums of squares."""
        mean, square = first / n, second / n
        near = 1e-7 * float(max(1e-300, np.sqrt(np.max(square))))
        return cls(n, mean, np.sqrt(np.maximum(square - mean**2, 0.0)), near)


@dataclass(frozen=True, eq=False)
class Leak:
    """Atoms of which too much follows, and the combination of published cells it follows from."""

    atoms: Codes
    cells: Codes
    weights: Array

    @classmethod
    def of(cls, links: Links, state: Open, atoms: Codes, rows: Codes, weights: Array) -> Leak:
        """Trace a combination of rows back to published cells."""
        total = np.zeros(links.cells)
        total[state.rows[rows]] = weights
        into, off = state.taken
        np.subtract.at(total, off, total[into])
        used = np.flatnonzero(abs(total) > NEAR)
        return cls(atoms, used, total[used])

    @classmethod
    def known(cls, state: Open, atom: int) -> Leak:
        """Name the cell that gave an atom away."""
        return cls(np.array([atom]), state.by[[atom]], np.ones(1))


def few_respondents(links: Links, shown: Mask, n: Array, least: int, safe: Mask) -> list[Leak]:
    """Find atoms with fewer than ``least`` respondents that must seem so to every reader.

    Atoms that need not are marked in ``safe``: to withhold more leaves them so.
    """
    sizes = links.per_cell(n)
    state = left_open(links, shown, sizes[:, None])
    small = n < least
    leaks = [Leak.known(state, int(a)) for a in np.flatnonzero(state.known & small)]
    if leaks:
        return leaks
    pending = (small & ~safe)[state.columns]
    true, every = n[state.columns], np.ones(len(state.columns), dtype=bool)
    near = _near_parts(state)
    draw = np.random.default_rng(0)
    tries = np.zeros(len(true), dtype=int)
    stage, rounds = "near" if len(true) and near.max() > state.part.max() else "all", 0
    while pending.any():
        at, among = np.flatnonzero(pending), every
        if stage == "near":  # what reaches far with all else held as it is, does so anyway
            at = at[np.argsort(tries[at], kind="stable")][:400]
            tries[at] += 1
            others = draw.choice(near.max() + 1, 200)
            among = np.isin(near, np.concatenate([near[at], others]))
        elif stage == "singly":  # one atom of every part: what is not reached is out of reach
            at = at[np.unique(state.part[at], return_index=True)[1]]
        value, weight = _raised(state, at, among, true, least, draw)
        reached = pending & (value >= least - NEAR)
        if stage == "singly":
            for column in at[~reached[at]]:
                own = (state.row_part == state.part[column]) & (abs(weight) > NEAR)
                rows = np.flatnonzero(own)
                leaks.append(Leak.of(links, state, state.columns[[column]], rows, weight[rows]))
                pending[column] = False
            rounds += 1
            if leaks and rounds >= 10:
                break
        elif stage == "near" and tries[at].min() > 8:
            stage = "all"
        elif stage == "all" and reached.sum() < 0.05 * len(at):
            stage = "singly"
        safe[state.columns[reached]] = True
        pending &= ~reached
    return leaks


def _near_parts(state: Open) -> Codes:
    """Return the part of each column once rows of very many columns are left out."""
    short = np.diff(state.equations.indptr) <= 50
    links = stacked([[state.equations[short]], [state.floors]])
    return unconnected(links, len(state.columns), 0)[0]


def _raised(
    state: Open, at: Codes, among: Mask, true: Array, least: int, draw: np.random.Generator
) -> tuple[Array, Array]:
    """Raise as many of the columns ``at`` to ``least`` as go, columns not ``among`` held.

    Returns the columns' values, and what each equation contributes to the limit.
    """
    columns, m = np.flatnonzero(among), len(at)
    held = np.where(among, 0.0, true)
    matrix, floors = state.equations[:, columns], state.floors[:, columns]
    rows = np.flatnonzero(np.diff(matrix.indptr))
    of = (np.arange(m), np.searchsorted(columns, at))
    cap = sparse.csr_array((np.ones(m), of), shape=(m, len(columns)))
    blocks: list[list[Any]] = [[-cap, sparse.eye_array(m)]]
    if len(state.least):
        blocks.append([-floors, None])
    found = solved(
        np.concatenate([np.zeros(len(columns)), -draw.uniform(1, 2, m)]),
        A_ub=stacked(blocks),
        b_ub=np.concatenate([np.zeros(m), state.floors @ held - 1]),
        A_eq=sparse.hstack([matrix[rows], sparse.csr_array((len(rows), m))]),
        b_eq=(state.rest[:, 0] - state.equations @ held)[rows],
        bounds=[(0, None)] * len(columns) + [(0, least)] * m,
    )
    value, weight = held, np.zeros(len(state.rows))
    value[columns], weight[rows] = found.x[: len(columns)], found.eqlin.marginals
    return value, weight


def all_alike(links: Links, shown: Mask, answers: Answers, least: int) -> list[Leak]:
    """Find respondents whose sum follows from published cells and who all answered the same."""
    n, mean, near = answers.n, answers.mean, answers.near
    alike = answers.spread <= near
    state = left_open(links, shown, np.zeros((links.cells, 0)))
    # v = R'y, no less than 0, and 0 wherever somebody answered otherwise
    combined = state.equations.T.tocsr()
    m, size = len(state.rows), len(state.columns)
    for level in _clusters(mean[alike], near):
        same = alike & (abs(mean - level) <= 2 * near)
        if n[same].sum() < least:
            continue
        known = np.flatnonzero(state.known & same)
        if len(known):
            return [Leak.known(state, int(a)) for a in known]
        inside = same[state.columns]
        if not inside.any():
            continue
        found = solved(
            np.concatenate([np.zeros(m), -inside.astype(float)]),
            A_eq=sparse.hstack([combined, -sparse.eye_array(size)]),
            b_eq=np.zeros(size),
            bounds=[(None, None)] * m + [(0, 1 if i else 0) for i in inside],
        )
        used, held = found.x[:m], found.x[m:] > NEAR
        leaks = []
        for part in np.unique(state.part[held]):
            rows = np.flatnonzero((state.row_part == part) & (abs(used) > NEAR))
            atoms = state.columns[held & (state.part == part)]
            leaks.append(Leak.of(links, state, atoms, rows, used[rows]))
        if leaks:
            return leaks
    return []


def _clusters(values: Array, near: float) -> Array:
    """Return distinct values, those that differ by rounding taken for one."""
    ordered = np.sort(values)
    return ordered[np.r_[True, np.diff(ordered) > 2 * near]] if len(ordered) else ordered
