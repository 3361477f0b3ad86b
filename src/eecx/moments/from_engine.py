r"""Sums of rows that an engine holds, by grouped queries.

Whole numbers that have room are summed exactly. Others are summed about a shift s, the overall
mean: with :math:`d = x - s`, :math:`\bar x = s + \sum w d / w` and :math:`M2 = \sum w d d' -
\frac{1}{w} \sum w d \sum w d'`. Where a cell lies far from it, a second query sums about the
cells' own means.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from .. import formula, frames
from ..errors import OptionError
from .arrays import Array, triangle, two_sum
from .moments import Moments
from .refusals import bad_weight, extreme, infinite, is_extreme, no_rows
from .terms import columns_of

__all__ = ["FAR", "Pilot", "about_shift", "from_engine", "look"]

# A cell whose mean lies this many (n * distance^2 / M2) from the shift is summed a second time,
# around its own mean: 1e4 costs four of the sixteen digits that a double holds.
FAR = 1e4


@dataclass(frozen=True)
class Pilot:
    """What one look at all rows tells of them.

    Attributes
    ----------
    table : Table
        The rows; it knows what to take off whole numbers beyond 2^53.
    exact : bool
        Whether integers have room to be summed exactly.
    shift : list of float
        Where terms lie, about which they are summed.
    rows : int
    ends : mapping
        The smallest and largest value of each column, by name.
    """

    table: frames.Table
    exact: bool
    shift: list[float]
    rows: int
    ends: Mapping[str, tuple[float, float]]


def from_engine(
    table: frames.Table,
    keys: list[str],
    parsed: Sequence[formula.Term],
    weight: str | None,
    pilot: Pilot | None = None,
    less: Sequence[frames.Expr] = (),
) -> Moments:
    """Sum the rows that an engine holds per combination of columns.

    ``less`` is to be taken off each term first.
    """
    p = len(parsed)
    pilot = pilot or look(table, parsed, weight)
    table, shift, seen = pilot.table, pilot.shift, pilot.rows
    exact = pilot.exact and not less
    middle = np.array([_middle(table, t) for t in parsed])
    terms = {f"t{i}": _term_expression(table, t, exact) for i, t in enumerate(parsed)}
    terms = {k: t - s for (k, t), s in zip(terms.items(), less, strict=True)} if less else terms
    w = table.real(weight) if weight else None
    moved = {name: term - s for (name, term), s in zip(terms.items(), shift, strict=True)}
    cells, sums = _engine_sums(table, keys, moved, w)
    total = int(sums["n"].sum())
    if not total:
        raise no_rows(seen)
    left_out = seen - total
    if exact:
        whole, mean, m2 = _unpack_integers(sums, p)
        centre = np.array(shift, dtype=float) + whole
        return _cells(cells, parsed, sums, centre, mean, m2, left_out, middle)
    mean, m2 = _unpack_sums(sums, p)
    spread = m2[:, np.equal(*triangle(p))]
    far = sums["w"].to_numpy(float)[:, None] * mean**2 > FAR * spread
    if not (far & (sums["n"].to_numpy() > 1)[:, None]).any():
        return _cells(cells, parsed, sums, np.array(shift), mean, m2, left_out, middle)
    # sum again with every cell's own mean taken off first, the means joined in the engine
    centred = table.less_cell_means(keys, terms, w)
    own = {name: frames.column(name) for name in terms}
    at = {f"mean_{name}": frames.column(f"mean_{name}") for name in terms}
    held = [f"key_{i}" for i in range(len(keys))]
    _, again = _engine_sums(centred, held, own, frames.column("w") if weight else None, at)
    mean, m2 = _unpack_sums(again, p)
    centre = again[list(at)].to_numpy(float)
    return _cells(cells, parsed, again, centre, mean, m2, left_out, middle)


def look(table: frames.Table, parsed: Sequence[formula.Term], weight: str | None) -> Pilot:
    """Look at all rows."""
    columns = columns_of(parsed, weight)
    if not weight and (known := _known(table, parsed)):
        return known
    rows = {f"c{i}": table.untouched(c) for i, c in enumerate(columns)}
    totals = {"rows": frames.count()}
    for name in rows:
        totals |= {f"lo_{name}": frames.lowest(name), f"hi_{name}": frames.highest(name)}
        totals[f"mid_{name}"] = frames.column(name).mean()
    if weight:
        w = frames.column(f"c{columns.index(weight)}")
        totals["bad"] = frames.flag(w <= 0, w).sum()
    found = table.group([], rows, totals)[1]
    seen = int(found["rows"].iloc[0])
    extents = {}
    for i, column in enumerate(columns):
        low, high = found[f"lo_c{i}"].iloc[0], found[f"hi_c{i}"].iloc[0]
        if not pd.isna(low):
            if np.isinf(float(low)) or np.isinf(float(high)):
                raise infinite(column)
            whole = table.kinds[column] in ("integer", "wide")
            extents[column] = (int(low), int(high)) if whole else (low, high)
    if weight and found["bad"].iloc[0] > 0:
        raise bad_weight(weight, int(found["bad"].iloc[0]))
    if weight and any(is_extreme(0.0, end) for end in extents.get(weight, ())):
        raise extreme(f"Weight {weight!r}", *extents[weight])
    table = table.about_middles(extents)
    products = columns_of([t for t in parsed if not _alone(t)], None)
    table.as_doubles([*products, *([weight] if weight else [])])
    # what a column's mean and ends are is known; PyArrow's mean of whole numbers may run over
    asked = (
        not all(_alone(t) for t in parsed)
        or any(table.middle.values())
        or table.engine == "pyarrow"
    )
    names = [f"t{i}" if asked else f"c{columns.index(t.columns[0])}" for i, t in enumerate(parsed)]
    if asked:
        found = _placed(table, parsed)
    placed = found.iloc[0].astype(float).fillna(0.0)
    ends = np.array([[placed[f"lo_{name}"], placed[f"hi_{name}"]] for name in names])
    for term, (low, high) in zip(parsed, ends, strict=True):
        if np.isinf(low) or np.isinf(high):
            raise infinite(term.label)
        if is_extreme(low, high):
            raise extreme(repr(term.label), low, high)
    shift = [float(placed[f"mid_{name}"]) for name in names]
    whole = all(table.kinds[c] in ("integer", "boolean") for c in columns)
    exact = whole and not weight and _has_room(ends, seen)
    own = {c: (float(low), float(high)) for c, (low, high) in extents.items()}
    places: list[float] = [round(s) for s in shift] if exact else shift
    return Pilot(table, exact, places, seen, own)


def about_shift(pilot: Pilot, parsed: Sequence[formula.Term]) -> dict[str, frames.Expr]:
    """Return terms ``t0``, ``t1``, … as doubles, counted from where they lie."""
    return {
        f"t{i}": _term_expression(pilot.table, t, exact=False) - s
        for i, (t, s) in enumerate(zip(parsed, pilot.shift, strict=True))
    }


def _placed(table: frames.Table, parsed: Sequence[formula.Term]) -> pd.DataFrame:
    """Return the ends and the mean of every term, over all rows."""
    terms = {f"t{i}": _term_expression(table, t, exact=False) for i, t in enumerate(parsed)}
    totals: dict[str, frames.Expr] = {}
    for name in terms:
        totals |= {f"lo_{name}": frames.lowest(name), f"hi_{name}": frames.highest(name)}
        totals[f"mid_{name}"] = frames.column(name).mean()
    return table.group([], terms, totals)[1]


def _alone(term: formula.Term) -> bool:
    """Whether a term is a column, no product, power or level."""
    return len(term.factors) == 1 and isinstance(term.factors[0], formula.Name)


def _middle(table: frames.Table, term: formula.Term) -> float:
    """Return what the table takes off a term."""
    return float(table.middle.get(term.columns[0], 0)) if _alone(term) else 0.0


def _known(table: frames.Table, parsed: Sequence[formula.Term]) -> Pilot | None:
    """Return what a look at whole-number columns would tell, where it was taken before."""
    names = [c for t in parsed for c in columns_of([t], None)]
    looked = all(c in table.extents and table.kinds[c] in ("integer", "boolean") for c in names)
    if not (names and looked and table.count and all(map(_alone, parsed))):
        return None
    own = {c: table.extents[c] for c in names}
    ends = np.array([table.extents[c] for c in names])
    if not _has_room(ends, table.count):
        return None
    return Pilot(table, True, [round(middle) for middle in ends.mean(axis=1)], table.count, own)


def _has_room(ends: Array, rows: float) -> bool:
    """Whether sums of products of whole numbers between these ends fit 64 bits."""
    room = (np.ptp(ends, axis=1) + 1) ** 2 * rows
    return bool((room < 2.0**62).all() and (abs(ends) < 2.0**53).all())


def _term_expression(table: frames.Table, term: formula.Term, exact: bool) -> frames.Expr:
    """Return a product of columns, of integers where ``exact``, else of doubles."""
    out: frames.Expr | None = None
    if _alone(term):
        column = term.columns[0]
        middle = table.middle.get(column, 0)
        return table.number(column) - middle if exact else table.real(column)
    whole = replace(table, middle=dict.fromkeys(table.middle, 0))
    for factor in term.factors:
        # doubles before multiplying: integers wrap
        if isinstance(factor, formula.Level):
            value = table.level(factor.column, factor.value, factor.known)
            value = value if exact else frames.real(value)
        else:
            value = table.number(factor.column) if exact else whole.real(factor.column)
        for _ in range(factor.exponent if isinstance(factor, formula.Power) else 1):
            out = value if out is None else out * value
    if out is None:
        raise OptionError("A term has no factor.", code="no-terms", fix="Name a column.")
    return out


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


def _cells(
    keys: pd.DataFrame,
    parsed: Sequence[formula.Term],
    sums: pd.DataFrame,
    centre: Array,
    mean: Array,
    m2: Array,
    left_out: int,
    middle: Array,
) -> Moments:
    """Put together cells whose means are counted from a centre, and that from a middle."""
    n, w, w2 = (sums[c].to_numpy(float) for c in ("n", "w", "w2"))
    labels = tuple(t.label for t in parsed)
    high, low = two_sum(np.broadcast_to(centre, mean.shape), mean)
    if middle.any():
        high, rest = two_sum(np.broadcast_to(middle, mean.shape), high)
        low = low + rest
    return Moments(labels, keys, n, w, w2, high, m2, left_out, low)


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
