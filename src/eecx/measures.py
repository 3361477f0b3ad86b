r"""How answers become a number: row expression → sums → value, n, sampling variance.

Every measure maps a respondent's answers to one row value :math:`u`. Three sums of it per
unit × wave (:math:`n, \sum u, \sum u^2`; with weights, weighted ones) are all that
scoring needs, whatever the measure:

.. math:: \text{value} = c + f\,\bar u

``Scale`` and ``Mean`` take the sampling variance :math:`f^2 s^2/n`; shares take
:math:`p(1-p)/n`; the Net Promoter Score the trinomial one. Where all respondents of a cell
gave the same answer, :math:`s^2 = 0` says nothing about precision: shares and NPS then take
the variance of the adjusted-Wald interval, means the pooled within-cell variance.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import stats

from . import frames
from .errors import DataError, OptionError, listing

__all__ = ["NPS", "Favorable", "Mean", "Measure", "Rate", "Scale", "TopBox"]

Array = npt.NDArray[np.float64]
Better = Literal["higher", "lower"]


@dataclass(frozen=True, kw_only=True)
class Measure:
    """What all measures have: a direction and the sources who answered.

    Parameters
    ----------
    better : {"higher", "lower"}
        Which way is good. Complaints, stress, mortality and waiting time are ``"lower"``; every
        verdict and plot respects it.
    source : str or set of str
        Who answered: ``"employees"``, ``"customers"``, ``"records"``, … Composites mix, hence a
        set. Left empty, ``link`` fills in the side of the survey.
    """

    better: Better = "higher"
    source: frozenset[str] | set[str] | str = frozenset()

    def __post_init__(self) -> None:
        if self.better not in ("higher", "lower"):
            raise OptionError(f"better={self.better!r}: accepted are 'higher' and 'lower'.")
        object.__setattr__(self, "source", as_sources(self.source))

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of answers that the measure reads."""
        raise OptionError("Measure is a base: use Scale, Mean, TopBox, Favorable, NPS or Rate.")

    @property
    def bounds(self) -> tuple[float, float] | None:
        """Lowest and highest answer that is possible, where it is known."""
        return None

    @property
    def affine(self) -> tuple[float, float]:
        """The constants c and f in value = c + f · mean(u)."""
        return 0.0, 1.0

    def row(self, table: frames.Table) -> frames.Expr:
        """Return u, one value per respondent; null where not answered."""
        raise OptionError("Measure is a base: use Scale, Mean, TopBox, Favorable, NPS or Rate.")

    def precision(
        self, n: Array, mean: Array, spread: Array, pooled: float, level: float
    ) -> tuple[Array, Array, Array]:
        """Return variance, lower and upper limit of mean(u).

        ``spread`` is the variance of u with divisor n, ``pooled`` the within-cell s² over all
        cells, which stands in where a cell has one respondent or all answered alike.
        """
        s2 = np.where(spread > 0, spread * n / np.maximum(n - 1, 1e-9), pooled)
        variance = s2 / np.maximum(n, 1e-9)
        sizes, at = np.unique(np.maximum(n - 1, 1), return_inverse=True)
        quantile = np.asarray(stats.t.isf((1 - level) / 2, sizes))[at]
        reach = quantile * np.sqrt(variance)
        return variance, mean - reach, mean + reach


def as_sources(source: Iterable[str] | str) -> frozenset[str]:
    """Return sources as a frozen set; one name may stand alone."""
    names = [source] if isinstance(source, str) else list(source)
    if not all(isinstance(name, str) and name for name in names):
        raise OptionError(
            f"source={source!r}: name who answered, such as 'employees' or 'records'."
        )
    return frozenset(names)


def _check_range(given: Iterable[float]) -> tuple[float, float]:
    bounds = tuple(given)
    if len(bounds) != 2 or not all(np.isfinite(b) for b in bounds) or bounds[0] >= bounds[1]:
        raise OptionError(f"range={bounds!r}: give the lowest and the highest answer, as (1, 5).")
    return bounds[0], bounds[1]


@dataclass(frozen=True)
class Scale(Measure):
    """Mean of several items per respondent, then of respondents per unit × wave.

    A respondent's score is the mean of the items answered, if at least ``min_items`` of them
    were (default: half, rounded up); otherwise the respondent has no score and is counted as
    missing. Items in ``reverse`` are mirrored within the range first.

    Parameters
    ----------
    items : sequence of str
        Columns of answers on one common range.
    range : (low, high)
        The lowest and highest possible answer; answers outside are an error.
    reverse : sequence of str
        Items worded the other way.
    min_items : int, optional
        How many items a respondent must have answered.

    Examples
    --------
    >>> Scale(["e1", "e2", "e3"], range=(1, 5)).min_items
    2
    """

    items: Sequence[str]
    range: tuple[float, float]
    reverse: Sequence[str] = ()
    min_items: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("items", "reverse"):
            value = getattr(self, name)
            object.__setattr__(self, name, (value,) if isinstance(value, str) else tuple(value))
        object.__setattr__(self, "range", _check_range(self.range))
        if not self.items or len(set(self.items)) < len(self.items):
            raise OptionError(f"Scale needs distinct items; given were {listing(self.items)}.")
        if stray := set(self.reverse) - set(self.items):
            raise OptionError(
                f"reverse names {listing(sorted(stray))}, which is not among the items."
            )
        if not self.min_items:
            object.__setattr__(self, "min_items", math.ceil(len(self.items) / 2))
        if not 1 <= self.min_items <= len(self.items):
            raise OptionError(f"min_items={self.min_items}: between 1 and {len(self.items)} items.")

    @property
    def columns(self) -> tuple[str, ...]:
        """The items."""
        return tuple(self.items)

    @property
    def bounds(self) -> tuple[float, float]:
        """The range of the items."""
        return self.range

    @property
    def _common(self) -> int:
        """Least common multiple of the possible item counts: keeps u whole, so sums are exact."""
        return math.lcm(*range_(self.min_items, len(self.items)))

    @property
    def _whole(self) -> bool:
        low, high = self.range
        exact = float(low).is_integer() and float(high).is_integer()
        return exact and self._common * (high - low) < 2**20

    @property
    def affine(self) -> tuple[float, float]:
        """The range's low end, and one over the common multiple that keeps u whole."""
        return self.range[0], 1 / self._common if self._whole else 1.0

    def row(self, table: frames.Table) -> frames.Expr:
        """Return the sum of items above the low end, scaled by how many were answered."""
        low, high = (int(b) if self._whole else b for b in self.range)
        above = []
        for item in self.items:
            answer = table.number(item)
            above.append(high - answer if item in self.reverse else answer - low)
        scale = self._common if self._whole else 1.0
        every = len(self.items)
        complete: frames.Expr = sum(above[1:], above[0])
        if self.min_items == every or table.full.issuperset(self.items):
            return complete * (scale // every if self._whole else scale / every)
        known = frames.present(above)
        partial: frames.Expr = sum(
            (frames.zero_if_missing(a) for a in above[1:]), frames.zero_if_missing(above[0])
        )
        return frames.choose(
            [
                (known == k, partial * (scale // k if self._whole else scale / k))
                for k in range_(every, self.min_items, -1)
            ]
        )


def range_(first: int, last: int, step: int = 1) -> list[int]:
    """Return whole numbers from first to last, both included."""
    return list(range(first, last + (1 if step > 0 else -1), step))


@dataclass(frozen=True)
class Mean(Measure):
    """Mean of one numeric column per unit × wave.

    Parameters
    ----------
    column : str
    range : (low, high), optional
        Answers outside are an error where it is given.
    """

    column: str
    range: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.range is not None:
            object.__setattr__(self, "range", _check_range(self.range))

    @property
    def columns(self) -> tuple[str, ...]:
        """The column."""
        return (self.column,)

    @property
    def bounds(self) -> tuple[float, float] | None:
        """The range, where it was given."""
        return self.range

    def row(self, table: frames.Table) -> frames.Expr:
        """Return the answer itself."""
        return frames.real(table.number(self.column))  # squares of whole numbers could run over


@dataclass(frozen=True)
class _Share(Measure):
    """A share of respondents: u is 1 or 0."""

    def precision(
        self, n: Array, mean: Array, spread: Array, pooled: float, level: float
    ) -> tuple[Array, Array, Array]:
        """Return p(1-p)/n and the Wilson interval; a unanimous cell counts four answers more."""
        z = stats.norm.isf((1 - level) / 2)
        size = np.maximum(n, 1e-9)
        mean = np.clip(mean, 0.0, 1.0)  # weighted sums are rounded
        more = (n * mean + 2) / (n + 4)
        variance = np.where(spread > 0, mean * (1 - mean) / size, more * (1 - more) / (n + 4))
        centre = (mean + z**2 / (2 * size)) / (1 + z**2 / size)
        reach = z * np.sqrt(mean * (1 - mean) / size + z**2 / (4 * size**2)) / (1 + z**2 / size)
        return variance, np.maximum(centre - reach, 0.0), np.minimum(centre + reach, 1.0)


@dataclass(frozen=True)
class TopBox(_Share):
    """Share of respondents who chose one of the highest ``top`` options (CSAT "top two box").

    Parameters
    ----------
    column : str
    top : int
        How many options count as satisfied.
    range : (low, high)
        The lowest and highest option, one apart from each other.
    """

    column: str
    top: int = 2
    range: tuple[float, float] = (1, 5)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "range", _check_range(self.range))
        if not 1 <= self.top <= self.range[1] - self.range[0]:
            raise OptionError(
                f"top={self.top}: at least 1 and fewer than the options of {self.range}."
            )

    @property
    def columns(self) -> tuple[str, ...]:
        """The column."""
        return (self.column,)

    @property
    def bounds(self) -> tuple[float, float]:
        """The options' range."""
        return self.range

    def row(self, table: frames.Table) -> frames.Expr:
        """Return 1 for a top option."""
        return table.flag(self.column, lambda answer: answer > self.range[1] - self.top)


@dataclass(frozen=True)
class Favorable(_Share):
    """Share of respondents who answered ``at_least`` this or higher ("percent favorable").

    Parameters
    ----------
    column : str
    at_least : float
        The lowest answer that counts as favorable.
    range : (low, high), optional
        Answers outside are an error where it is given.
    """

    column: str
    at_least: float
    range: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.range is not None:
            object.__setattr__(self, "range", _check_range(self.range))
            if not self.range[0] < self.at_least <= self.range[1]:
                raise OptionError(
                    f"at_least={self.at_least}: above the lowest answer of {self.range}, and not "
                    "above the highest."
                )

    @property
    def columns(self) -> tuple[str, ...]:
        """The column."""
        return (self.column,)

    @property
    def bounds(self) -> tuple[float, float] | None:
        """The range, where it was given."""
        return self.range

    def row(self, table: frames.Table) -> frames.Expr:
        """Return 1 for a favorable answer."""
        return table.flag(self.column, lambda answer: answer >= self.at_least)


@dataclass(frozen=True)
class Rate(_Share):
    """Share of rows in which a 0/1 column is 1 (turnover, complaint, repurchase).

    Parameters
    ----------
    column : str
        0/1 or boolean.
    """

    column: str

    @property
    def columns(self) -> tuple[str, ...]:
        """The column."""
        return (self.column,)

    @property
    def bounds(self) -> tuple[float, float]:
        """0 and 1; anything between is an error too."""
        return (0, 1)

    def row(self, table: frames.Table) -> frames.Expr:
        """Return the 0/1 value itself."""
        return table.number(self.column)


@dataclass(frozen=True)
class NPS(Measure):
    """Net Promoter Score: percent promoters (9–10) minus percent detractors (0–6), −100 to 100.

    With p promoters and d detractors as shares, the sampling variance is the trinomial
    :math:`100^2 (p + d - (p - d)^2)/n`. The interval is the adjusted-Wald one, which adds three
    respondents (3/4 promoter, 3/2 passive, 3/4 detractor); a unanimous cell takes its variance
    from there, so that ten promoters out of ten are not taken for certainty.

    Parameters
    ----------
    column : str
        "How likely are you to recommend us?", 0 to 10.

    References
    ----------
    Rocks, B. (2016). Interval estimation for the "Net Promoter Score". The American Statistician,
    365–372. https://arxiv.org/abs/1601.07235
    """

    column: str

    @property
    def columns(self) -> tuple[str, ...]:
        """The column."""
        return (self.column,)

    @property
    def bounds(self) -> tuple[float, float]:
        """0 to 10."""
        return (0, 10)

    @property
    def affine(self) -> tuple[float, float]:
        """NPS is 100 times the mean of -1, 0 and 1."""
        return 0.0, 100.0

    def row(self, table: frames.Table) -> frames.Expr:
        """Return 1 for a promoter, -1 for a detractor, 0 between."""
        promoter = table.flag(self.column, lambda answer: answer >= 9)
        return promoter - table.flag(self.column, lambda answer: answer <= 6)

    def precision(
        self, n: Array, mean: Array, spread: Array, pooled: float, level: float
    ) -> tuple[Array, Array, Array]:
        """Return the trinomial variance and the adjusted-Wald interval, kept inside -1 and 1."""
        either = (n * (spread + mean**2) + 1.5) / (n + 3)
        centre = n * mean / (n + 3)
        adjusted = (either - centre**2) / (n + 3)
        variance = np.where(spread > 0, spread / np.maximum(n, 1e-9), adjusted)
        reach = stats.norm.isf((1 - level) / 2) * np.sqrt(adjusted)
        return variance, np.maximum(centre - reach, -1.0), np.minimum(centre + reach, 1.0)


def summarise(
    measure: Measure,
    sums: Mapping[str, Array],
    *,
    origin: float | Array = 0.0,
    conf_level: float = 0.95,
) -> dict[str, Array]:
    r"""Turn the sums of u into n, value, variance, std_error and an interval per cell.

    ``sums`` holds ``n, s, ss`` (:math:`n, \sum u, \sum u^2`) or, with weights, also
    ``w, w2, ws, wss`` (:math:`\sum w, \sum w^2, \sum wu, \sum wu^2`). Weighted cells use
    Kish's effective number of respondents, :math:`(\sum w)^2/\sum w^2`, in place of n.
    ``origin`` is what was taken off every u before summing, everywhere or cell by cell.
    """
    weighted = "w" in sums
    n = np.asarray(sums["n"], dtype=float)
    size = np.asarray(sums["w"] if weighted else n, dtype=float)
    first = np.asarray(sums["ws"] if weighted else sums["s"], dtype=float)
    second = np.asarray(sums["wss"] if weighted else sums["ss"], dtype=float)
    some = n > 0
    safe = np.where(some, size, 1.0)
    mean = first / safe
    spread = np.maximum(second - safe * mean**2, 0.0) / safe
    spread[spread < 1e-14 * np.maximum(second / safe, 1e-300)] = 0.0
    effective = np.where(some, safe**2 / np.where(some, sums["w2"], 1.0), 0.0) if weighted else n
    freedom = np.maximum(effective - 1, 0.0)
    pooled = float(np.sum(spread * effective) / freedom.sum()) if freedom.sum() > 0 else np.nan
    variance, low, high = measure.precision(effective, mean, spread, pooled, conf_level)
    start, factor = measure.affine
    shift = start + factor * np.asarray(origin)
    out: dict[str, Array] = {
        "value": shift + factor * mean,
        "variance": factor**2 * variance,
        "std_error": factor * np.sqrt(variance),
        "conf_low": shift + factor * low,
        "conf_high": shift + factor * high,
    }
    for values in out.values():
        values[~some] = np.nan
    return {"n": n.astype(np.int64), **out}


def check_answers(
    table: frames.Table, measures: Mapping[str, Measure]
) -> tuple[frames.Table, dict[str, float]]:
    """Refuse answers that are infinite or outside a measure's range.

    Returns the table, which then knows its columns without a gap, and an origin per measure: where
    an unbounded mean is to be summed around, so that no digits are lost.
    """
    columns = list(dict.fromkeys(c for m in measures.values() for c in m.columns))
    rows = {f"c{i}": table.untouched(c) for i, c in enumerate(columns)}
    totals: dict[str, frames.Expr] = {"rows": frames.count()}
    for name in rows:
        totals |= {f"lo_{name}": frames.lowest(name), f"hi_{name}": frames.highest(name)}
        totals[f"n_{name}"] = frames.answered(name)
    seen = table.group([], rows, totals)[1].iloc[0]
    if not seen["rows"]:
        raise DataError(f"{table.subject} has no rows.")
    origins = {}
    for name, measure in measures.items():
        for column in measure.columns:
            at = f"c{columns.index(column)}"
            what = f"Measure {name!r}: column {column!r} of {table.name}"
            if not seen[f"n_{at}"]:
                raise DataError(f"{what} has no answer at all.")
            low, high = float(seen[f"lo_{at}"]), float(seen[f"hi_{at}"])
            if np.isinf(low) or np.isinf(high):
                raise DataError(f"{what} holds infinite values.")
            limits = measure.bounds
            binary = isinstance(measure, Rate)
            between = binary and table.kinds[column] not in ("integer", "boolean")
            if limits is not None and (low < limits[0] or high > limits[1] or between):
                _raise_if_outside(table, column, name, limits, binary)
            if isinstance(measure, Mean):
                origins[name] = float(round((low + high) / 2))
    full = frozenset(
        c for c, at in zip(columns, rows, strict=True) if seen[f"n_{at}"] == seen["rows"]
    )
    return replace(table, full=full), {name: origins.get(name, 0.0) for name in measures}


def _raise_if_outside(
    table: frames.Table, column: str, name: str, limits: tuple[float, float], binary: bool
) -> None:
    _, answers = table.tally([], table.number(column))
    values, cells = answers["value"].to_numpy(float), answers["cells"].to_numpy(int)
    good = (values >= limits[0]) & (values <= limits[1])
    good = np.isin(values, (0.0, 1.0)) if binary else good
    bad = ~good & ~np.isnan(values)
    if not bad.any():
        return
    values, cells = values[bad], cells[bad]
    often = np.argsort(-cells, kind="stable")[:8]
    shown = ", ".join(f"{v:g} ({c})" for v, c in zip(values[often], cells[often], strict=True))
    allowed = "0 or 1" if binary else f"between {limits[0]:g} and {limits[1]:g}"
    raise DataError(
        f"Measure {name!r}: {cells.sum()} answers in column {column!r} are not {allowed}: {shown}. "
        "If a code stands for 'no answer', name it: "
        f"parse=eecx.Parse(missing=[{values[often[0]]:g}]); else correct the measure's range."
    )
