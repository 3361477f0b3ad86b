"""What is summed of people per cell: each measure's values and squares, and products of two."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from .. import frames
from .extreme import Extreme
from .measure import Measure

__all__ = ["RowSums", "row_sums"]


@dataclass(frozen=True)
class RowSums:
    r"""A grouped query: expressions of a row, amounts made of these, and what is summed of both.

    The sums of measure i end in ``_i``: ``n, s, ss`` (:math:`n, \sum u, \sum u^2`), with weights
    also ``w, w2, ws, wss``. Those of people who answered both i and j end in ``_i_j``: ``n, u, uu,
    v, vv, uv``, with weights ``w, w2`` too, and all but n weighted. Sums that equal another one are
    not asked for: ``same`` names those of a measure, ``same_of_both`` those of two.
    """

    rows: dict[str, frames.Expr] = field(default_factory=dict)
    then: dict[str, frames.Expr] = field(default_factory=dict)
    totals: dict[str, frames.Expr] = field(default_factory=lambda: {"rows": frames.count()})
    same: dict[str, str] = field(default_factory=dict)
    same_of_both: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, amount: frames.Expr) -> None:
        """Sum an amount of every row."""
        self.then[name] = amount
        self.totals[name] = frames.total(name)


def row_sums(
    table: frames.Table,
    measures: Mapping[str, Measure],
    origins: Mapping[str, float],
    weight: frames.Expr | None,
    pairs: Iterable[tuple[int, int]] = (),
) -> RowSums:
    """Say what to sum of these measures, values being counted from their origins."""
    asked = RowSums()
    several = list(measures.values())
    full = [table.full.issuperset(m.columns) for m in several]
    weighted = weight is not None
    if weight is not None:
        asked.rows["w"] = weight
        w = frames.column("w")
        if any(full):
            asked.totals["w"] = frames.total("w")
            asked.add("w2", w * w)
    for i, (name, measure) in enumerate(measures.items()):
        value = measure.row(table)
        asked.rows[f"u_{i}"] = value - origins[name] if origins[name] else value
        _add_measure(asked, i, measure, full[i], weighted)
    for i, j in pairs:
        _add_pair(asked, (i, j), [several[k].powers for k in (i, j)], full, weighted)
    return asked


def _add_measure(asked: RowSums, i: int, measure: Measure, full: bool, weighted: bool) -> None:
    u = frames.column(f"u_{i}")
    if full:  # everybody in the cell answered
        asked.same[f"n_{i}"] = "rows"
    else:
        asked.totals[f"n_{i}"] = frames.answered(f"u_{i}")
    if isinstance(measure, Extreme):
        asked.totals[f"lo_{i}"] = frames.lowest(f"u_{i}")
        asked.totals[f"hi_{i}"] = frames.highest(f"u_{i}")
    if measure.powers > 2:
        asked.add(f"s3_{i}", u * u * u)
        asked.add(f"s4_{i}", u * u * u * u)
    first, second = ("ws", "wss") if weighted else ("s", "ss")
    if weighted:
        w = frames.column("w")
        if full:
            asked.same.update({f"w_{i}": "w", f"w2_{i}": "w2"})
        else:
            seen = frames.present([u]) * w
            asked.add(f"w_{i}", seen)
            asked.add(f"w2_{i}", seen * w)
        asked.add(f"ws_{i}", u * w)
    else:
        asked.totals[f"s_{i}"] = frames.total(f"u_{i}")
    if measure.powers < 2:
        asked.same[f"{second}_{i}"] = f"{first}_{i}"
    else:
        asked.add(f"{second}_{i}", u * u * frames.column("w") if weighted else u * u)


def _add_pair(
    asked: RowSums, pair: tuple[int, int], powers: list[int], full: list[bool], weighted: bool
) -> None:
    """Sum over those who answered both, save where these are all who answered one of them."""
    at = "{}_{}".format(*pair)
    u, v = (frames.column(f"u_{k}") for k in pair)
    seen = frames.present([u * v])  # the product is missing where either answer is

    def weighed(amount: frames.Expr) -> frames.Expr:
        return amount * frames.column("w") if weighted else amount

    asked.add(f"uv_{at}", weighed(u * v))
    i, j = pair
    every = j if full[i] else i if full[j] else None
    sizes = {"n": seen, "w": weighed(seen), "w2": weighed(weighed(seen))}
    for kind in sizes if weighted else ("n",):
        if every is None:
            asked.add(f"{kind}_{at}", sizes[kind])
        else:
            asked.same_of_both[f"{kind}_{at}"] = f"{kind}_{every}"
    first, second = ("ws", "wss") if weighted else ("s", "ss")
    for kind, k, other, power in zip("uv", pair, (j, i), powers, strict=True):
        value = frames.column(f"u_{k}")
        if full[other]:
            alike = {f"{kind}_{at}": f"{first}_{k}", f"{2 * kind}_{at}": f"{second}_{k}"}
            asked.same_of_both.update(alike)
            continue
        asked.add(f"{kind}_{at}", weighed(seen * value))
        if power < 2:
            asked.same_of_both[f"{2 * kind}_{at}"] = f"{kind}_{at}"
        else:
            asked.add(f"{2 * kind}_{at}", weighed(seen * value * value))
