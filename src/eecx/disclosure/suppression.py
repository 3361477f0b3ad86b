"""What is withheld: small cells, and further ones until nothing exposes them."""

from __future__ import annotations

import numpy as np
from scipy.sparse import linalg

from .leaks import Answers, Leak, all_alike, few_respondents
from .links import Array, Codes, Links, Mask
from .system import NEAR, left_open


def cells_shown(links: Links, answers: Answers, least: int, unanimous: bool) -> Mask:
    """Choose the cells to show."""
    n = answers.n
    sizes = links.per_cell(n)
    primary = sizes < least
    if unanimous:
        primary |= _cells_alike(links, answers)
    shown = ~primary
    safe = np.zeros(len(n), dtype=bool)
    while True:
        _pair(links, shown, n, sizes, least)
        leaks = few_respondents(links, shown, n, least, safe)
        if not leaks and unanimous:
            leaks = all_alike(links, shown, answers, least)
        if not leaks:
            break
        for cells in [_candidates(links, shown, leak) for leak in leaks]:
            if shown[cells].all():  # none withheld for the leak before this one
                shown[min(cells, key=lambda c: (sizes[c], c))] = False
    shown |= _implied(links, shown) & ~primary
    return shown


def _cells_alike(links: Links, answers: Answers) -> Mask:
    mean, spread, near = answers.mean, answers.spread, answers.near
    low, high = np.full(links.cells, np.inf), np.full(links.cells, -np.inf)
    for own in links.ids.T:
        held = own >= 0
        np.minimum.at(low, own[held], (mean - np.where(spread > near, np.inf, 0.0))[held])
        np.maximum.at(high, own[held], mean[held])
    return np.asarray(high - low <= 2 * near, dtype=bool)


def _pair(links: Links, shown: Mask, n: Array, sizes: Array, least: int) -> None:
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


def _candidates(links: Links, shown: Mask, leak: Leak) -> Codes:
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


def _implied(links: Links, shown: Mask) -> Mask:
    """Return withheld cells that published ones determine: exact row-space membership.

    A random vector is projected on the null space of the published system. A cell that follows
    from published ones is orthogonal to it; for any other the product is 0 with probability 0.
    """
    state = left_open(links, shown, np.zeros((links.cells, 0)))
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
