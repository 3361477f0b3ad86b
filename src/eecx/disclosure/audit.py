"""The audit: bounds on withheld cells, by linear programs, as a reader of all tables could."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from .links import Array, Codes, Links, Mask
from .system import Open, incidence, left_open, solved, stacked


def withheld_bounds(
    links: Links, long: pd.DataFrame, shown: Mask, between: tuple[float, float] | None
) -> Array:
    """Bound n and value of every withheld cell: shape (withheld cells, 4)."""
    low, high = between or (0.0, 0.0)
    n = long["n"].fillna(0.0).to_numpy(float)
    excess = n * (long["value"].fillna(low).to_numpy(float) - low) if between else 0.0 * n
    state = left_open(links, shown, np.column_stack([n, excess]))
    known_n, known_t = (
        links.per_cell(np.where(state.known, state.amounts[:, k], 0.0)) for k in (0, 1)
    )
    within = np.zeros(len(links.ids), dtype=bool)
    within[state.columns] = True
    outside = links.per_cell((~within & ~state.known).astype(float)) > 0
    hidden = np.flatnonzero(~shown)
    out = np.column_stack([known_n, known_n, known_t, known_t])[hidden]
    cell, atom = links.members(within, ~shown)
    inside = incidence(cell, atom, hidden, state.columns)
    for at in _rounds(state, inside):
        chosen = inside[at]
        for side, sign in ((0, 1.0), (1, -1.0)):
            part, reach = _n_bound(state, chosen, sign)
            out[at, side] += reach
            if between:
                whole = (known_n[hidden[at]], known_t[hidden[at]])
                out[at, 2 + side] = _value_bound(state, part, chosen, whole, high - low, sign)
    empty = np.diff(inside.indptr) == 0
    out[empty, 2:] /= np.maximum(out[empty, :1], 1e-300)
    loose = outside[hidden]
    out[loose, 0], out[loose, 1] = np.maximum(out[loose, 0], 1.0), np.inf
    out[:, 2:] += low
    out[loose, 2:] = low, high
    if not between:
        out[:, 2:] = np.nan
    return out


def _rounds(state: Open, inside: sparse.csr_array) -> Iterator[Codes]:
    """Yield withheld cells, one of every unconnected part at a time, for one program each."""
    filled = np.flatnonzero(np.diff(inside.indptr))
    part = state.part[inside.indices[inside.indptr[filled]]]
    order = np.argsort(part, kind="stable")
    filled, part = filled[order], part[order]
    first = np.searchsorted(part, part)
    turn = np.arange(len(part)) - first
    for k in range(int(turn.max()) + 1 if len(turn) else 0):
        yield filled[turn == k]


def _n_bound(state: Open, chosen: sparse.csr_array, sign: float) -> tuple[Mask, Array]:
    """Return the columns of the parts concerned, and the lowest (or highest) n of each cell."""
    cost = np.asarray(chosen.sum(axis=0), dtype=float).ravel()
    part = np.isin(state.part, state.part[cost > 0])
    rows = np.isin(state.row_part, state.part[cost > 0])
    floors = _floors(state, part)
    limits = {"A_ub": -floors, "b_ub": -np.ones(floors.shape[0])} if floors.shape[0] else {}
    found = solved(
        sign * cost[part],
        A_eq=state.equations[rows][:, part],
        b_eq=state.rest[rows, 0],
        bounds=(0, None),
        **limits,
    )
    return part, np.asarray(chosen[:, part] @ found.x)


def _floors(state: Open, part: Mask) -> sparse.csr_array:
    """Return the withheld cells of these columns that have one respondent or more."""
    floors = state.floors[:, part]
    return floors[np.diff(floors.indptr) > 0]


def _value_bound(
    state: Open,
    part: Mask,
    chosen: sparse.csr_array,
    known: tuple[Array, Array],
    width: float,
    sign: float,
) -> Array:
    """Return the lowest (or highest) mean, above the range's low end, of each cell.

    The ratio of a sum to a count, both unknown, is linear once each part of the system is
    scaled so that the count is one (Charnes and Cooper).
    """
    rows = np.isin(state.row_part, state.part[part])
    matrix = state.equations[rows][:, part]
    own = chosen[:, part]
    m = own.shape[0]
    task = state.part[chosen.indices[chosen.indptr[:-1]]]
    order = np.argsort(task)
    of_row = order[np.searchsorted(task[order], state.row_part[rows])]
    of_column = order[np.searchsorted(task[order], state.part[part])]
    size = matrix.shape[1]
    rest = state.rest[rows]
    k = len(of_row)

    def scale(values: Array, of: Codes) -> sparse.csr_array:
        return sparse.csr_array((values, (np.arange(len(of)), of)), shape=(len(of), m))

    identity = sparse.eye_array(size)
    upper: list[list[Any]] = [[-width * identity, identity, sparse.csr_array((size, m))]]
    floors = _floors(state, part)
    if floors.shape[0]:
        ones = np.ones(floors.shape[0])
        of = of_column[floors.indices[floors.indptr[:-1]]]
        upper.append([-floors, None, scale(ones, of)])
    equal: list[list[Any]] = [
        [matrix, sparse.csr_array((k, size)), scale(-rest[:, 0], of_row)],
        [None, matrix, scale(-rest[:, 1], of_row)],
        [own, None, sparse.diags_array(known[0])],
    ]
    rows_above = sum(b[0].shape[0] for b in upper)
    found = solved(
        sign * np.concatenate([np.zeros(size), np.asarray(own.sum(axis=0)).ravel(), known[1]]),
        A_ub=stacked(upper),
        b_ub=np.zeros(rows_above),
        A_eq=stacked(equal),
        b_eq=np.concatenate([np.zeros(2 * k), np.ones(m)]),
        bounds=(0, None),
    )
    return np.asarray(own @ found.x[size : 2 * size] + known[1] * found.x[2 * size :])
