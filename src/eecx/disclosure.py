r"""What may be published together: withhold cells so that none follows from the others.

A *release* is a set of tables of scores from one survey. A cell with fewer than k respondents
(``disclosure_n``) is withheld; but a total less its other parts would give it back. So further
cells are withheld until nothing published tells of fewer than k respondents.

*Atoms* are the observed combinations of all keys of the release ("not stated" is a level too).
With the counts :math:`x` of a measure's answers per atom, every published cell is an equation
:math:`r_c'x = n_c`; sums and sums of squares of answers obey the same equations. A combination
of published cells that leaves the respondents of few atoms is a vector
:math:`v = R'y \ge 0`. By duality of linear programs, the fewest respondents of any such
:math:`v` that holds atom a (:math:`v_a = 1`) is

.. math:: h_a = \max \{x_a : R x = n,\; x \ge 0\}

which is also the most respondents that a reader can think possible there. The rule of this
module, an upper protection level of k, is :math:`h_a \ge k` for every atom with fewer than k
respondents, where the reader also knows that a withheld cell has one respondent or more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import optimize, sparse
from scipy.sparse import csgraph, linalg

from . import frames
from .errors import ColumnError, DataError, OptionError, check_level, listing, nearest
from .measures import (
    NPS,
    AcrossTouchpoints,
    Dispersion,
    Extreme,
    Mean,
    Measure,
    Scale,
    summarise,
)
from .results import safe_csv
from .survey import Survey

__all__ = ["Release", "release"]

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]

NEAR = 1e-6
"""Counts closer than this are taken for equal: the tolerance of the linear programs is 1e-7."""

_CHANGED = (
    "Two queries of the data counted different respondents. Release from data that stay as they "
    "are: write them to a file first."
)

SHOWN = ("n", "value", "variance", "std_error", "conf_low", "conf_high")


@dataclass(frozen=True, eq=False)
class _Links:
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
    def of(cls, ids: Codes, table: Codes) -> _Links:
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


@dataclass(frozen=True, eq=False)
class _Open:
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
    floors: sparse.csr_array
    part: Codes
    """The unconnected part of the system that each column belongs to."""
    row_part: Codes


def _open(links: _Links, shown: Mask, amounts: Array) -> _Open:
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
    least = np.setdiff1d(np.unique(floor_cell), np.flatnonzero(loose))
    equations = _incidence(cell, atom, rows, columns)
    floors = _incidence(floor_cell, floor_atom, np.unique(floor_cell), columns)
    size = len(columns)
    part, row_part = _parts(_stacked([[equations], [floors]]), size, len(rows))
    kept_floors = floors[np.isin(np.unique(floor_cell), least)]
    into, off = np.concatenate(taken).T
    return _Open(
        known,
        by,
        value,
        rows,
        right[rows],
        (into, off),
        columns,
        least,
        equations,
        kept_floors,
        part,
        row_part,
    )


def _parts(links: sparse.csr_array, size: int, rows: int) -> tuple[Codes, Codes]:
    """Return the unconnected part of a system that each column, and each row, belongs to."""
    if not size:
        return np.zeros(0, dtype=np.intp), np.zeros(rows, dtype=np.intp)
    graph = _stacked([[None, links.T], [links, None]])
    label = csgraph.connected_components(graph, directed=False)[1].astype(np.intp)
    return label[:size], label[size : size + rows]


def _stacked(blocks: list[list[Any]]) -> sparse.csr_array:
    return sparse.csr_array(sparse.block_array(blocks))


def _incidence(cell: Codes, atom: Codes, rows: Codes, columns: Codes) -> sparse.csr_array:
    at = (np.searchsorted(rows, cell), np.searchsorted(columns, atom))
    return sparse.csr_array((np.ones(len(cell)), at), shape=(len(rows), len(columns)))


def _solved(cost: Array, **limits: Any) -> Any:
    """Solve a linear program that has a solution."""
    found = optimize.linprog(cost, method="highs", **limits)
    if found.status != 0:
        raise DataError(f"A linear program of the release was not solved: {found.message}")
    return found


# ---------------------------------------------------------------------- what is exposed


@dataclass(frozen=True, eq=False)
class _Leak:
    """Atoms of which too much follows, and the combination of published cells it follows from."""

    atoms: Codes
    cells: Codes
    weights: Array

    @classmethod
    def of(cls, links: _Links, state: _Open, atoms: Codes, rows: Codes, weights: Array) -> _Leak:
        """Trace a combination of rows back to published cells."""
        total = np.zeros(links.cells)
        total[state.rows[rows]] = weights
        into, off = state.taken
        np.subtract.at(total, off, total[into])
        used = np.flatnonzero(abs(total) > NEAR)
        return cls(atoms, used, total[used])

    @classmethod
    def known(cls, state: _Open, atom: int) -> _Leak:
        """Name the cell that gave an atom away."""
        return cls(np.array([atom]), state.by[[atom]], np.ones(1))


def _few(links: _Links, shown: Mask, n: Array, least: int, safe: Mask) -> list[_Leak]:
    """Find atoms with fewer than ``least`` respondents that must seem so to every reader.

    Atoms that need not are marked in ``safe``: to withhold more leaves them so.
    """
    sizes = links.per_cell(n)
    state = _open(links, shown, sizes[:, None])
    small = n < least
    leaks = [_Leak.known(state, int(a)) for a in np.flatnonzero(state.known & small)]
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
                leaks.append(_Leak.of(links, state, state.columns[[column]], rows, weight[rows]))
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


def _near_parts(state: _Open) -> Codes:
    """Return the part of each column once rows of very many columns are left out."""
    short = np.diff(state.equations.indptr) <= 50
    links = _stacked([[state.equations[short]], [state.floors]])
    return _parts(links, len(state.columns), 0)[0]


def _raised(
    state: _Open, at: Codes, among: Mask, true: Array, least: int, draw: np.random.Generator
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
    found = _solved(
        np.concatenate([np.zeros(len(columns)), -draw.uniform(1, 2, m)]),
        A_ub=_stacked(blocks),
        b_ub=np.concatenate([np.zeros(m), state.floors @ held - 1]),
        A_eq=sparse.hstack([matrix[rows], sparse.csr_array((len(rows), m))]),
        b_eq=(state.rest[:, 0] - state.equations @ held)[rows],
        bounds=[(0, None)] * len(columns) + [(0, least)] * m,
    )
    value, weight = held, np.zeros(len(state.rows))
    value[columns], weight[rows] = found.x[: len(columns)], found.eqlin.marginals
    return value, weight


def _unanimous(
    links: _Links, shown: Mask, n: Array, mean: Array, spread: Array, near: float, least: int
) -> list[_Leak]:
    """Find respondents whose sum follows from published cells and who all answered the same."""
    alike = spread <= near
    state = _open(links, shown, np.zeros((links.cells, 0)))
    # v = R'y, no less than 0, and 0 wherever somebody answered otherwise
    combined = state.equations.T.tocsr()
    m, size = len(state.rows), len(state.columns)
    for level in _clusters(mean[alike], near):
        same = alike & (abs(mean - level) <= 2 * near)
        if n[same].sum() < least:
            continue
        known = np.flatnonzero(state.known & same)
        if len(known):
            return [_Leak.known(state, int(a)) for a in known]
        inside = same[state.columns]
        if not inside.any():
            continue
        found = _solved(
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
            leaks.append(_Leak.of(links, state, atoms, rows, used[rows]))
        if leaks:
            return leaks
    return []


def _clusters(values: Array, near: float) -> Array:
    """Return distinct values, those that differ by rounding taken for one."""
    ordered = np.sort(values)
    return ordered[np.r_[True, np.diff(ordered) > 2 * near]] if len(ordered) else ordered


# ---------------------------------------------------------------------- what is withheld


def _withheld(
    links: _Links,
    n: Array,
    mean: Array,
    spread: Array,
    near: float,
    least: int,
    unanimous: bool,
) -> Mask:
    """Choose the cells to show."""
    sizes = links.per_cell(n)
    primary = sizes < least
    if unanimous:
        primary |= _cells_alike(links, mean, spread, near)
    shown = ~primary
    safe = np.zeros(len(n), dtype=bool)
    while True:
        _pair(links, shown, n, sizes, least)
        leaks = _few(links, shown, n, least, safe)
        if not leaks and unanimous:
            leaks = _unanimous(links, shown, n, mean, spread, near, least)
        if not leaks:
            break
        for cells in [_candidates(links, shown, leak) for leak in leaks]:
            if shown[cells].all():  # none withheld for the leak before this one
                shown[min(cells, key=lambda c: (sizes[c], c))] = False
    shown |= _implied(links, shown) & ~primary
    return shown


def _cells_alike(links: _Links, mean: Array, spread: Array, near: float) -> Mask:
    low, high = np.full(links.cells, np.inf), np.full(links.cells, -np.inf)
    for own in links.ids.T:
        held = own >= 0
        np.minimum.at(low, own[held], (mean - np.where(spread > near, np.inf, 0.0))[held])
        np.maximum.at(high, own[held], mean[held])
    return np.asarray(high - low <= 2 * near, dtype=bool)


def _pair(links: _Links, shown: Mask, n: Array, sizes: Array, least: int) -> None:
    """Within each total, withhold the smallest parts until the rest is no single part, nor few.

    The quick part of the work: most of what is exposed is a total less its published parts.
    """
    settled = False
    while not settled:
        settled = True
        for coarse, _, own in links.nested():
            above = links.ids[:, coarse]
            inside = own >= 0
            stray = (above >= 0) & ~inside
            hidden = inside & ~shown[own]
            rest = np.bincount(above[stray | hidden], n[stray | hidden], links.cells)
            parts = np.unique(own[inside])
            whole = links.within[parts, coarse]
            few = np.bincount(whole[~shown[parts]], minlength=links.cells)
            pieces = few + (np.bincount(above[stray], minlength=links.cells) > 0)
            seen, at = parts[shown[parts]], whole[shown[parts]]
            order = np.lexsort((seen, sizes[seen], at))[::-1]
            smallest = np.full(links.cells, -1, dtype=np.intp)
            smallest[at[order]] = seen[order]
            short = (rest - (pieces - 1) < least) | ((pieces == 1) & (few == 1))
            short &= shown & (rest > 0)
            # a withheld total that all its parts make up
            short |= ~shown & (rest == 0) & (smallest >= 0)
            short &= links.table == coarse
            for cell in np.flatnonzero(short):
                shown[smallest[cell] if smallest[cell] >= 0 else cell] = False
                settled = False


def _candidates(links: _Links, shown: Mask, leak: _Leak) -> Codes:
    """Return the published cells that take part in a leak: those used, and those taken off."""
    weight = np.zeros(links.cells)
    weight[leak.cells] = leak.weights
    held = links.ids >= 0
    combined = (weight[links.ids] * held).sum(axis=1)
    inside = abs(combined) > NEAR
    inside[leak.atoms] = False
    # whole cells of atoms that the combination still holds and that are known otherwise
    cells = links.per_cell(np.ones(len(links.ids)))
    off = shown & (links.per_cell(inside.astype(float)) == cells)
    off[leak.cells] = True
    return np.flatnonzero(off & shown)


def _implied(links: _Links, shown: Mask) -> Mask:
    """Return withheld cells that published ones determine: exact row-space membership.

    A random vector is projected on the null space of the published system. A cell that follows
    from published ones is orthogonal to it; for any other the product is 0 with probability 0.
    """
    state = _open(links, shown, np.zeros((links.cells, 0)))
    draw = np.random.default_rng(0)
    free = np.zeros(len(links.ids))
    free[~state.known] = draw.normal(size=int((~state.known).sum()))
    at = state.columns
    if len(state.rows):
        start = free[at]
        matrix = state.equations
        fitted = linalg.lsqr(matrix, matrix @ start, atol=1e-14, btol=1e-14)[0]
        free[at] = start - fitted
    return ~shown & (abs(links.per_cell(free)) < 1e-7)


# ---------------------------------------------------------------------- the release


@dataclass(frozen=True, eq=False)
class Release:
    """Tables that may be published together.

    Attributes
    ----------
    tables : mapping of str to pandas.DataFrame
        Per table its keys, ``measure, n, value, variance, std_error, conf_low, conf_high`` and
        ``status``: ``"scored"``, ``"withheld"`` or ``"no answer"``. A withheld cell shows its
        keys alone, and not whether it was small or protects a small one.
    withheld : pandas.DataFrame
        ``table, measure, cells, withheld``: how many cells there are, and how many are withheld.
    spec : mapping
        The arguments.
    """

    tables: Mapping[str, pd.DataFrame]
    withheld: pd.DataFrame
    spec: Mapping[str, Any]
    _links: Mapping[str, _Links] = field(repr=False)
    _ranges: Mapping[str, tuple[float, float] | None] = field(repr=False)

    def audit(self, *, values: bool = True) -> pd.DataFrame:
        r"""Bound every withheld cell by all that is published, as a reader could.

        For each withheld cell two linear programs give the lowest and the highest number of
        respondents, and two more the lowest and the highest value, that agree with every
        published n and n · value of all tables. Taken as known are: which combinations of keys
        exist, the range of the measure, and that a withheld cell has a respondent. Whole
        numbers are not asked for, so that true bounds can be a little tighter.

        Cells that no published cell connects are bounded together. One table that links all,
        such as one by role alone, makes the audit slow.

        Parameters
        ----------
        values : bool
            Whether to bound values too, which takes most of the time.

        Returns
        -------
        pandas.DataFrame
            ``table``, keys, ``measure, lowest_n, highest_n, lowest_value, highest_value,
            exposed``. Values are missing where the range of the measure is not known, and in a
            weighted survey, whose sums do not follow from n. A cell is *exposed* if its n can
            only be below ``disclosure_n``, or if one n or one value alone is possible.

        Notes
        -----
        The rule on n is a protection level of the cell suppression literature
        (Hundepool et al., 2012): the highest possible n must reach ``disclosure_n``.
        One value alone is possible where a published cell is unanimous at an end of the range:
        ``protect_unanimous=True`` withholds such cells.

        References
        ----------
        Hundepool, A., Domingo-Ferrer, J., Franconi, L., Giessing, S., Schulte Nordholt, E.,
        Spicer, K., & de Wolf, P.-P. (2012). Statistical disclosure control. Wiley.
        https://doi.org/10.1002/9781118348239
        """
        least = self.spec["disclosure_n"]
        keys = list(dict.fromkeys(k for t in self.spec["tables"].values() for k in t))
        found = []
        for measure, links in self._links.items():
            of_measure = {t: f[f["measure"] == measure] for t, f in self.tables.items()}
            long = pd.concat(
                [f.assign(table=name) for name, f in of_measure.items()], ignore_index=True
            )
            hidden = long["status"] == "withheld"
            between = None if self.spec["weight"] or not values else self._ranges[measure]
            bounds = _bounds(links, long, ~hidden.to_numpy(), between)
            rows = long.loc[hidden, ["table", *keys, "measure"]].reset_index(drop=True)
            rows[["lowest_n", "highest_n", "lowest_value", "highest_value"]] = bounds
            found.append(rows)
        out = pd.concat(found, ignore_index=True)
        spread = out["highest_n"] - out["lowest_n"], out["highest_value"] - out["lowest_value"]
        out["exposed"] = (out["highest_n"] < least - NEAR) | (spread[0] < NEAR) | (spread[1] < NEAR)
        return out

    def to_csv(self, folder: str | Path) -> list[Path]:
        """Write every table as ``<table>.csv`` to a folder, which is made if need be.

        Withheld cells are blank there too; text cannot start a spreadsheet formula.
        """
        into = Path(folder)
        into.mkdir(parents=True, exist_ok=True)
        paths = []
        for name, table in self.tables.items():
            path = into / f"{name}.csv"
            path.write_text(safe_csv(table), encoding="utf-8", newline="\n")
            paths.append(path)
        return paths

    def __repr__(self) -> str:
        cells = self.withheld.groupby("table", sort=False)[["cells", "withheld"]].sum()
        lines = [
            f"  {name}: {row.withheld} of {row.cells} scores withheld"
            for name, row in zip(cells.index, cells.itertuples(index=False), strict=True)
        ]
        head = f"<Release: at least {self.spec['disclosure_n']} respondents per cell"
        also = ", no unanimous cell" if self.spec["protect_unanimous"] else ""
        return "\n".join([head + also, *lines]) + ">"


def release(
    survey: Survey,
    tables: Mapping[str, Sequence[str]] | Sequence[Sequence[str]],
    *,
    disclosure_n: int = 5,
    protect_unanimous: bool = False,
    conf_level: float = 0.95,
) -> Release:
    r"""Score a survey in several tables and withhold what would give small cells away.

    Withheld are, per measure: cells with fewer than ``disclosure_n`` respondents; with
    ``protect_unanimous``, cells in which all answered the same; and further cells, small ones
    first, until the published cells of all tables together leave it possible that each
    withheld small cell has ``disclosure_n`` respondents or more. Then no linear combination
    of published cells is the sum over fewer than ``disclosure_n`` respondents (with
    ``protect_unanimous``: nor over respondents who all answered the same), be they a cell, a
    union of cells, or those who did not state a key.

    Parameters
    ----------
    survey : Survey
    tables : mapping of str to sequence of str, or sequence of these
        Keys of each table, any of the survey's unit, wave and segments; a table without a key is
        the grand total, of all who name their unit. Tables without a name are named for their
        keys: ``"store_quarter"``.
    disclosure_n : int
        The fewest respondents to be shown.
    protect_unanimous : bool
        Withhold cells in which all gave the same answer: their value is everybody's answer.
    conf_level : float
        Level of the intervals.

    Returns
    -------
    Release

    Raises
    ------
    ColumnError
        A key that is neither unit, wave nor a segment of the survey.
    OptionError
        No table, two tables of the same keys, ``disclosure_n`` below 1.

    Notes
    -----
    Not protected is what a reader knows or can get elsewhere: another release of the same
    answers, their own answer, the number of people in a cell. How cells are chosen is no secret
    and could be used to narrow the bounds. Choosing the fewest respondents to withhold is a hard
    problem; the choice here is greedy and always the same for the same data.

    Suppression that heeds all tables made from the same answers at once goes back to
    linear dependence of published cells (Langsrud, 2024); protection levels and their audit by
    linear programs are described by Hundepool et al. (2012).

    References
    ----------
    Hundepool, A., Domingo-Ferrer, J., Franconi, L., Giessing, S., Schulte Nordholt, E.,
    Spicer, K., & de Wolf, P.-P. (2012). Statistical disclosure control. Wiley.
    https://doi.org/10.1002/9781118348239

    Langsrud, Ø. (2024). Secondary cell suppression by Gaussian elimination: An algorithm suitable
    for handling issues with zeros and singletons. In Privacy in Statistical Databases. Springer.
    https://doi.org/10.1007/978-3-031-69651-0_6

    Examples
    --------
    Two managers of store a are few. The total of a, less its 9 and 6 others, would give them
    away; so 6 more are withheld.

    >>> import pandas as pd
    >>> from eecx import Rate, Survey
    >>> from eecx.disclosure import release
    >>> roles = ["desk"] * 9 + ["floor"] * 6 + ["manager"] * 2
    >>> answers = pd.DataFrame({"store": "a", "role": roles, "left": [0, 1] * 8 + [0]})
    >>> staff = Survey(answers, unit="store", segments=["role"], measures={"left": Rate("left")})
    >>> published = release(staff, [["store"], ["store", "role"]])
    >>> published.tables["store_role"][["store", "role", "n", "status"]]
      store     role    n    status
    0     a     desk  9.0    scored
    1     a    floor  NaN  withheld
    2     a  manager  NaN  withheld
    >>> published.audit()[["role", "lowest_n", "highest_n", "exposed"]]
          role  lowest_n  highest_n  exposed
    0    floor       1.0        7.0    False
    1  manager       1.0        7.0    False
    """
    if isinstance(disclosure_n, bool) or disclosure_n < 1 or disclosure_n != int(disclosure_n):
        raise OptionError(f"disclosure_n={disclosure_n}: a whole number of at least 1; 5 is usual.")
    check_level(conf_level)
    for name, measure in survey.measures.items():
        if isinstance(measure, Dispersion | Extreme | AcrossTouchpoints):
            raise OptionError(
                f"Measure {name!r} ({type(measure).__name__}) does not add up over cells, so what "
                "follows from other cells cannot be told. Make the Survey without it."
            )
    named = _named(survey, tables)
    scored = {name: _sums(survey, keys) for name, keys in named.items()}
    atoms, ids = _atoms(survey, named, scored)
    sizes = [len(cells) for cells, _ in scored.values()]
    table = np.repeat(np.arange(len(named)), sizes)
    shown, structure, ranges = {}, {}, {}
    for i, (name, measure) in enumerate(survey.measures.items()):
        n, first, second = (atoms[f"{c}{i}"].to_numpy(float) for c in ("n", "s", "ss"))
        some = n > 0
        held, code = np.unique(ids[some], axis=0, return_inverse=True)
        n, first, second = (
            np.bincount(code.ravel(), v[some], len(held)).astype(float) for v in (n, first, second)
        )
        mean = first / n
        spread = np.maximum(second / n - mean**2, 0.0)
        near = 1e-7 * float(max(1e-300, np.sqrt(np.max(second / n))))
        links = _Links.of(held, table)
        counted = np.concatenate([sums[f"n{i}"].to_numpy(float) for _, sums in scored.values()])
        if (links.per_cell(n) != counted).any():
            raise DataError(_CHANGED)
        spread = np.sqrt(spread)
        shown[name] = _withheld(
            links, n, mean, spread, near, int(disclosure_n), bool(protect_unanimous)
        ) | (links.per_cell(n) == 0)
        structure[name], ranges[name] = links, _value_range(measure)
    out, rows = {}, []
    start = np.concatenate([[0], np.cumsum(sizes)])
    for k, (name, keys) in enumerate(named.items()):
        own = {m: s[start[k] : start[k + 1]] for m, s in shown.items()}
        out[name] = _scored(survey, keys, scored[name], own, conf_level)
        rows += [(name, m, len(s), int((~s).sum())) for m, s in own.items()]
    spec = {
        "tables": named,
        "disclosure_n": int(disclosure_n),
        "protect_unanimous": bool(protect_unanimous),
        "conf_level": conf_level,
        "weight": survey.weight,
    }
    withheld = pd.DataFrame(rows, columns=["table", "measure", "cells", "withheld"])
    return Release(out, withheld, spec, structure, ranges)


def _named(
    survey: Survey, tables: Mapping[str, Sequence[str]] | Sequence[Sequence[str]]
) -> dict[str, list[str]]:
    if isinstance(tables, str) or not len(tables):
        raise OptionError("A release needs tables, each a list of keys: [['store'], ['role']].")
    if isinstance(tables, Mapping):
        given = [(str(name), keys) for name, keys in tables.items()]
    else:
        given = [("", keys) for keys in tables]
    named: dict[str, list[str]] = {}
    order = survey._keys
    seen: dict[frozenset[str], str] = {}
    for name, keys in given:
        wanted = [keys] if isinstance(keys, str) else list(dict.fromkeys(keys))
        for key in wanted:
            if key not in order:
                raise ColumnError(
                    f"A table names the key {key!r}, which is neither unit, wave nor a segment of "
                    f"the survey.{nearest(key, order)}"
                )
        name = name or "_".join(wanted) or "total"
        twin = seen.setdefault(frozenset(wanted), name)
        if twin != name or name in named:
            raise OptionError(
                f"Two tables have the keys {listing(wanted) or 'none'} or the name {name!r}. "
                "Give each set of keys once, and each table its own name."
            )
        if Path(name).name != name:
            raise OptionError(f"The table's name {name!r} cannot be the name of a file.")
        named[name] = wanted
    return named


def _value_range(measure: Measure) -> tuple[float, float] | None:
    """Return the lowest and the highest possible value of a cell."""
    if isinstance(measure, NPS):
        return -100.0, 100.0
    return measure.bounds if isinstance(measure, Scale | Mean) else (0.0, 1.0)


# ---------------------------------------------------------------------- grouped queries


def _sums(survey: Survey, keys: list[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the cells of a table and their sums; the grand total from those of the units."""
    if keys:
        return survey._sums(keys)
    _, units = survey._sums([survey.unit])
    first = units.iloc[0]
    total = {"rows": float(units["rows"].sum())}
    parts = ("w", "ws", "wss") if survey.weight else ("n", "s", "ss")
    for i in range(len(survey.measures)):
        size, s, ss = (units[f"{p}{i}"].to_numpy(float) for p in parts)
        away = units[f"o{i}"].to_numpy(float) - first[f"o{i}"]
        moved = (size, s + size * away, ss + 2 * away * s + size * away**2)
        total |= {f"{p}{i}": float(v.sum()) for p, v in zip(parts, moved, strict=True)}
        total |= {
            f"{p}{i}": float(units[f"{p}{i}"].sum()) for p in ("n", "w2") if f"{p}{i}" in units
        }
        total[f"o{i}"] = float(first[f"o{i}"])
    return pd.DataFrame(index=range(1)), pd.DataFrame([total])


def _atoms(
    survey: Survey,
    named: Mapping[str, list[str]],
    scored: Mapping[str, tuple[pd.DataFrame, pd.DataFrame]],
) -> tuple[pd.DataFrame, Codes]:
    """Return unweighted sums per atom, and per table the number of the cell it belongs to.

    Rows that lack a key are found by taking off those that do not: a query for every set of keys
    that some row states alone.
    """
    needs = {name: keys or [survey.unit] for name, keys in named.items()}
    every = [k for k in survey._keys if any(k in keys for keys in needs.values())]
    gaps = [k for k in every if int(_plain_sums(survey, [k])[1]["rows"].sum()) < survey._rows]
    patterns = [
        [k for k in every if k not in absent]
        for size in range(len(gaps) + 1)
        for absent in combinations(gaps, size)
    ]
    start = np.cumsum([0, *(len(cells) for cells, _ in scored.values())])
    found: list[tuple[pd.DataFrame, pd.DataFrame]] = []
    ids = []
    for pattern in patterns:
        if not any(set(keys) <= set(pattern) for keys in needs.values()):
            continue
        cells, sums = _plain_sums(survey, pattern)
        if not len(cells):
            continue
        for finer, more in found:
            if set(pattern) < set(finer.columns):
                at = _positions(cells, finer[pattern])
                taken = more.groupby(at).sum()
                sums.loc[taken.index] -= taken
        left = (sums["rows"] > 0).to_numpy()
        cells, sums = cells[left].reset_index(drop=True), sums[left].reset_index(drop=True)
        own = np.full((len(cells), len(named)), -1, dtype=np.intp)
        for k, (name, keys) in enumerate(needs.items()):
            if set(keys) <= set(pattern):
                table = scored[name][0]
                own[:, k] = start[k]
                if named[name]:
                    own[:, k] += _positions(table, cells[named[name]])
        found.append((cells, sums))
        ids.append(own)
    return pd.concat([s for _, s in found], ignore_index=True), np.concatenate(ids)


def _positions(cells: pd.DataFrame, wanted: pd.DataFrame) -> Codes:
    keys = list(cells.columns)
    index = pd.MultiIndex.from_frame(cells)
    at = np.asarray(index.get_indexer(pd.MultiIndex.from_frame(wanted[keys])), dtype=np.intp)
    if (at < 0).any():
        raise DataError(_CHANGED)
    return at


def _plain_sums(survey: Survey, keys: list[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return n, Σu and Σu² of every measure per cell, without weights."""
    table, origins = survey._checked
    rows: dict[str, frames.Expr] = {}
    squares: dict[str, frames.Expr] = {}
    totals = {"rows": frames.count()}
    for i, (name, measure) in enumerate(survey.measures.items()):
        value = measure.row(table)
        rows[f"u{i}"] = value - origins[name] if origins[name] else value
        squares[f"q{i}"] = frames.column(f"u{i}") * frames.column(f"u{i}")
        totals[f"n{i}"] = frames.answered(f"u{i}")
        totals |= {f"s{i}": frames.total(f"u{i}"), f"ss{i}": frames.total(f"q{i}")}
    cells, sums = table.group(keys, rows, totals, then=squares)
    return cells, sums.astype(float).fillna(0.0)


def _scored(
    survey: Survey,
    keys: list[str],
    made: tuple[pd.DataFrame, pd.DataFrame],
    shown: Mapping[str, Mask],
    conf_level: float,
) -> pd.DataFrame:
    """Score the cells that may be shown, from their own sums alone."""
    cells, sums = made
    kinds = ("n", "w", "w2", "ws", "wss") if survey.weight else ("n", "s", "ss")
    parts = []
    for i, (name, measure) in enumerate(survey.measures.items()):
        seen = shown[name]
        # variances lean on the pooled one, which must not hold what is withheld
        own = {k: np.where(seen, sums[f"{k}{i}"].to_numpy(float), 0.0) for k in kinds}
        origin = sums[f"o{i}"].to_numpy(float)
        scores = summarise(measure, own, origin=origin, conf_level=conf_level)
        status = np.where(seen, np.where(own["n"] > 0, "scored", "no answer"), "withheld")
        part = cells.assign(measure=name, **scores, status=status)
        part["n"] = part["n"].astype(float).where(seen)
        parts.append(part)
    long = pd.concat(parts).sort_index(kind="stable").reset_index(drop=True)
    long[["measure", "status"]] = long[["measure", "status"]].astype("str")
    return long[[*keys, "measure", *SHOWN, "status"]]


# ---------------------------------------------------------------------- the audit


def _bounds(
    links: _Links, long: pd.DataFrame, shown: Mask, between: tuple[float, float] | None
) -> Array:
    """Bound n and value of every withheld cell: shape (withheld cells, 4)."""
    low, high = between or (0.0, 0.0)
    n = long["n"].fillna(0.0).to_numpy(float)
    excess = n * (long["value"].fillna(low).to_numpy(float) - low) if between else 0.0 * n
    state = _open(links, shown, np.column_stack([n, excess]))
    known_n, known_t = (
        links.per_cell(np.where(state.known, state.amounts[:, k], 0.0)) for k in (0, 1)
    )
    within = np.zeros(len(links.ids), dtype=bool)
    within[state.columns] = True
    outside = links.per_cell((~within & ~state.known).astype(float)) > 0
    hidden = np.flatnonzero(~shown)
    out = np.column_stack([known_n, known_n, known_t, known_t])[hidden]
    cell, atom = links.members(within, ~shown)
    inside = _incidence(cell, atom, hidden, state.columns)
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


def _rounds(state: _Open, inside: sparse.csr_array) -> Iterator[Codes]:
    """Yield withheld cells, one of every unconnected part at a time, for one program each."""
    filled = np.flatnonzero(np.diff(inside.indptr))
    part = state.part[inside.indices[inside.indptr[filled]]]
    order = np.argsort(part, kind="stable")
    filled, part = filled[order], part[order]
    first = np.searchsorted(part, part)
    turn = np.arange(len(part)) - first
    for k in range(int(turn.max()) + 1 if len(turn) else 0):
        yield filled[turn == k]


def _n_bound(state: _Open, chosen: sparse.csr_array, sign: float) -> tuple[Mask, Array]:
    """Return the columns of the parts concerned, and the lowest (or highest) n of each cell."""
    cost = np.asarray(chosen.sum(axis=0), dtype=float).ravel()
    part = np.isin(state.part, state.part[cost > 0])
    rows = np.isin(state.row_part, state.part[cost > 0])
    floors = state.floors[:, part]
    floors = floors[np.diff(floors.indptr) > 0]
    limits = {"A_ub": -floors, "b_ub": -np.ones(floors.shape[0])} if floors.shape[0] else {}
    found = _solved(
        sign * cost[part],
        A_eq=state.equations[rows][:, part],
        b_eq=state.rest[rows, 0],
        bounds=(0, None),
        **limits,
    )
    return part, np.asarray(chosen[:, part] @ found.x)


def _value_bound(
    state: _Open,
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
    floors = state.floors[:, part]
    floors = floors[np.diff(floors.indptr) > 0]
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
    found = _solved(
        sign * np.concatenate([np.zeros(size), np.asarray(own.sum(axis=0)).ravel(), known[1]]),
        A_ub=_stacked(upper),
        b_ub=np.zeros(rows_above),
        A_eq=_stacked(equal),
        b_eq=np.concatenate([np.zeros(2 * k), np.ones(m)]),
        bounds=(0, None),
    )
    return np.asarray(own @ found.x[size : 2 * size] + known[1] * found.x[2 * size :])
