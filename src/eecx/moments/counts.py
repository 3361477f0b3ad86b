"""How often each option was chosen, per cell: what needs more than second moments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from .. import frames
from ..errors import ColumnError, DataError, OptionError, check_source, listing, nearest
from .arrays import Array
from .keys import group_codes, names_of, stacked
from .refusals import infinite

__all__ = ["Counts", "histograms"]

BITS = 62
"""How many of a whole number's 64 bits a sum may fill, whatever the engine."""


@dataclass(frozen=True, eq=False)
class Counts:
    """How many answers each option got: cell × item × option.

    What medians, agreement indices and the variance of a share need beside second moments.

    Parameters
    ----------
    items : tuple of str
    options : tuple of number
        The answers that are possible, in order.
    keys : pandas.DataFrame
        One row per cell.
    n : ndarray, shape (cells, items, options)
    missing : ndarray, shape (cells, items)
        Rows of the cell without an answer to the item.

    Examples
    --------
    >>> import pandas as pd
    >>> answers = pd.DataFrame({"store": ["a", "a", "b"], "q1": [1, 2, 2]})
    >>> Counts.from_frame(answers, keys=["store"], items=["q1"], options=[1, 2]).n[:, 0].tolist()
    [[1.0, 1.0], [0.0, 1.0]]
    """

    items: tuple[str, ...]
    options: tuple[float, ...]
    keys: pd.DataFrame
    n: Array
    missing: Array

    @classmethod
    def from_frame(
        cls,
        data: object,
        *,
        keys: Sequence[str] = (),
        items: Sequence[str],
        options: Sequence[float],
        parse: frames.Parse | None = None,
    ) -> Counts:
        """Count the answers of a frame of any engine, one grouped query per item.

        Raises
        ------
        DataError
            For an answer that is not among the options; lists the offenders with counts.
        """
        check_source("Counts.from_frame", data, frames=True)
        keys, items = names_of(keys), names_of(items, "items")
        wanted = _numbers(options)
        if not items or not wanted.size:
            raise OptionError(
                "Counts need at least one item and one option.",
                code="needs-items",
                fix="Name them with items= and options=.",
            )
        if not np.all(np.diff(wanted) > 0):
            raise OptionError(
                "options must be distinct and in ascending order.",
                code="not-ascending",
                fix="Sort them and give each once.",
            )
        table = frames.open_table(data, numeric=items, parse=parse)
        table.require(items, "An item")
        table.require(keys, "A key")
        found = [table.tally(keys, table.number(item)) for item in items]
        every = pd.concat([f for f, _ in found], ignore_index=True)
        if every.empty and not found[0][1]["cells"].sum():
            raise DataError(
                f"No row of {table.name} has a value for every key.",
                code="no-rows",
                fix="Leave out a key that is missing throughout.",
            )
        codes_of_all, cells = group_codes(every, keys)
        start = np.cumsum([0, *(len(f) for f, _ in found)])
        n = np.zeros((len(cells), len(items), len(wanted)))
        missing = np.zeros((len(cells), len(items)))
        for k, (item, (_, counted)) in enumerate(zip(items, found, strict=True)):
            codes = codes_of_all[start[k] : start[k + 1]]
            answer = counted["value"].to_numpy(float)
            size = counted["cells"].to_numpy(float)
            if np.isinf(answer).any():
                raise infinite(item)
            blank = np.isnan(answer)
            np.add.at(missing, (codes[blank], k), size[blank])
            at = np.searchsorted(wanted, answer[~blank]).clip(0, len(wanted) - 1)
            off = wanted[at] != answer[~blank]
            if off.any():
                tally = pd.Series(size[~blank][off]).groupby(answer[~blank][off]).sum()
                shown = ", ".join(f"{v:g} ({int(c)})" for v, c in list(tally.items())[:8])
                raise DataError(
                    f"Item {item!r} has answers that are not among the options "
                    f"{listing(options)}: {shown}.",
                    code="out-of-range",
                    fix="Name codes for 'no answer' with parse=eecx.Parse(missing=[…]).",
                )
            np.add.at(n, (codes[~blank], k, at), size[~blank])
        return cls(tuple(items), tuple(wanted.tolist()), cells, n, missing)

    def select(self, items: Sequence[str]) -> Counts:
        """Keep these items, in this order."""
        items = names_of(items, "items")
        for item in items:
            if item not in self.items:
                raise ColumnError(
                    f"These Counts have no item {item!r}.",
                    code="unknown-item",
                    fix=nearest(item, self.items),
                )
        at = [self.items.index(i) for i in items]
        return Counts(tuple(items), self.options, self.keys, self.n[:, at], self.missing[:, at])

    def collapse(self, keys: Sequence[str] | str = ()) -> Counts:
        """Merge cells that share these keys (none: merge all into one)."""
        keys = names_of(keys)
        for key in keys:
            if key not in self.keys.columns:
                raise ColumnError(
                    f"These Counts are not kept by {key!r}.",
                    code="needs-key",
                    fix=nearest(key, self.keys.columns),
                )
        codes, kept = group_codes(self.keys, keys)
        n = np.zeros((len(kept), *self.n.shape[1:]))
        missing = np.zeros((len(kept), self.missing.shape[1]))
        np.add.at(n, codes, self.n)
        np.add.at(missing, codes, self.missing)
        return Counts(self.items, self.options, kept, n, missing)

    def __add__(self, other: Counts) -> Counts:
        """Merge two sets of cells; cells of equal keys become one."""
        if not isinstance(other, Counts):
            return NotImplemented
        if (self.items, self.options) != (other.items, other.options):
            raise DataError(
                "Only Counts of the same items and options add up.",
                code="different-terms",
                fix="Count both with the same items= and options=.",
            )
        both = Counts(
            self.items,
            self.options,
            stacked(self.keys, other.keys, "Counts"),
            np.concatenate([self.n, other.n]),
            np.concatenate([self.missing, other.missing]),
        )
        return both.collapse(list(self.keys.columns))

    def moments(self) -> tuple[Array, Array, Array]:
        """Return n, mean and centred sum of squares per cell and item, each (cells, items)."""
        options = np.array(self.options)
        n = self.n.sum(axis=2)
        # 0/0 marks a cell without answers: NaN is its honest mean
        with np.errstate(invalid="ignore"):
            mean = (self.n @ options) / n
        away = options - np.nan_to_num(mean)[..., None]
        return n, mean, (self.n * away**2).sum(axis=2)

    def __repr__(self) -> str:
        return (
            f"<Counts: {len(self.keys)} cells, {len(self.items)} items, "
            f"{len(self.options)} options>"
        )


def histograms(
    table: frames.Table,
    keys: Sequence[str],
    items: Sequence[str],
    options: Sequence[int],
    most: int,
) -> tuple[pd.DataFrame, Array]:
    """Count, by one grouped query, the answers of those who answered every item.

    An answer is turned into a whole number with a one in the digits of its option, so that one sum
    counts several options at once. A cell has at most ``most`` rows, which says how many binary
    digits an option needs. Answers that are no option are not counted.

    Returns
    -------
    The cells' keys, and the counts, shape (cells, items, options).
    """
    digits = int(most).bit_length()
    room = BITS // digits
    words = [options[at : at + room] for at in range(0, len(options), room)]
    rows = {f"x{j}": table.number(item) for j, item in enumerate(items)}
    ones = {
        f"s{j}_{k}": frames.one_of(x, {o: 1 << digits * i for i, o in enumerate(word)})
        for j, x in enumerate(rows)
        for k, word in enumerate(words)
    }
    every = None if table.full.issuperset(items) else frames.every_present(list(rows))
    totals = {name: frames.total(name) for name in ones}
    cells, sums = table.group(keys, rows, totals, then=ones, complete=every)
    shape = (len(cells), len(items), len(words))
    packed = sums[list(ones)].to_numpy(np.int64).reshape(shape)
    place = np.arange(room) * digits
    counts = (packed[..., None] >> place) & ((1 << digits) - 1)
    return cells, counts.reshape(*shape[:2], -1)[..., : len(options)].astype(float)


def _numbers(options: object) -> Array:
    """Return the answers that are possible, as numbers."""
    try:
        found = np.array(options, dtype=float)
    except (TypeError, ValueError):
        found = np.full(1, np.nan)
    if found.ndim != 1 or not np.isfinite(found).all():
        raise OptionError(
            f"options={options!r:.60}: the answers that are possible, as numbers.",
            code="wrong-type",
            fix="Give them in order, as in options=[1, 2, 3, 4, 5].",
        )
    return found
