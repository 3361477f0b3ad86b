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
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
from scipy import stats

from . import frames
from .errors import DataError, OptionError, listing

__all__ = [
    "NPS",
    "AcrossTouchpoints",
    "Dispersion",
    "Extreme",
    "Favorable",
    "Mean",
    "Measure",
    "Rate",
    "Scale",
    "TopBox",
]

Array = npt.NDArray[np.float64]
Better = Literal["higher", "lower"]
Composition = Literal["", "additive", "direct consensus", "referent shift"]


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
    composition : {"", "additive", "direct consensus", "referent shift"}
        In what sense the answers of people make a score of their unit (Chan, 1998): a plain mean
        whatever they agree on (``"additive"``), a mean that stands for a view they share
        (``"direct consensus"``), or one whose items ask about the unit ("we …") rather than
        oneself (``"referent shift"``). A label: it decides what :func:`eecx.aggregation` asks for.
    """

    better: Better = "higher"
    source: frozenset[str] | set[str] | str = frozenset()
    composition: Composition = ""

    def __post_init__(self) -> None:
        if self.better not in ("higher", "lower"):
            raise OptionError(f"better={self.better!r}: accepted are 'higher' and 'lower'.")
        object.__setattr__(self, "source", as_sources(self.source))
        if self.composition not in get_args(Composition):
            raise OptionError(
                f"composition={self.composition!r}: accepted are {listing(get_args(Composition))}."
            )

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

    @property
    def powers(self) -> int:
        """Up to which power u is summed."""
        return 2

    def value(self, n: Array, mean: Array, spread: Array, sums: Mapping[str, Array]) -> Array:
        """Return what is reported of u before :attr:`affine`: its mean."""
        return mean

    def precision(
        self,
        n: Array,
        mean: Array,
        spread: Array,
        pooled: float,
        level: float,
        sums: Mapping[str, Array],
    ) -> tuple[Array, Array, Array]:
        """Return variance, lower and upper limit of the value.

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
        self,
        n: Array,
        mean: Array,
        spread: Array,
        pooled: float,
        level: float,
        sums: Mapping[str, Array],
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
    column : str or Scale
        A column, or a scale: then the share of people whose score reaches it.
    at_least : float
        The lowest answer that counts as favorable.
    range : (low, high), optional
        Answers outside are an error where it is given.
    """

    column: str | Scale
    at_least: float
    range: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.column, Scale):
            object.__setattr__(self, "range", self.range or self.column.range)
        if self.range is not None:
            object.__setattr__(self, "range", _check_range(self.range))
            if not self.range[0] < self.at_least <= self.range[1]:
                raise OptionError(
                    f"at_least={self.at_least}: above the lowest answer of {self.range}, and not "
                    "above the highest."
                )

    @property
    def columns(self) -> tuple[str, ...]:
        """The column, or the items of the scale."""
        return self.column.columns if isinstance(self.column, Scale) else (self.column,)

    @property
    def bounds(self) -> tuple[float, float] | None:
        """The range, where it was given."""
        return self.range

    def row(self, table: frames.Table) -> frames.Expr:
        """Return 1 for a favorable answer."""
        if isinstance(self.column, Scale):
            start, factor = self.column.affine
            score = self.column.row(table)
            # half a step of the scaled score keeps 1/3 + 2/3 from falling short of 1
            least = (self.at_least - start) / factor
            slack = 0.5 if self.column._whole else 1e-9 * max(1.0, abs(least))
            whole = abs(least - round(least)) < 1e-6
            return frames.flag(score >= (round(least) - slack if whole else least), score)
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
        self,
        n: Array,
        mean: Array,
        spread: Array,
        pooled: float,
        level: float,
        sums: Mapping[str, Array],
    ) -> tuple[Array, Array, Array]:
        """Return the trinomial variance and the adjusted-Wald interval, kept inside -1 and 1."""
        either = (n * (spread + mean**2) + 1.5) / (n + 3)
        centre = n * mean / (n + 3)
        adjusted = (either - centre**2) / (n + 3)
        variance = np.where(spread > 0, spread / np.maximum(n, 1e-9), adjusted)
        reach = stats.norm.isf((1 - level) / 2) * np.sqrt(adjusted)
        return variance, np.maximum(centre - reach, -1.0), np.minimum(centre + reach, 1.0)


@dataclass(frozen=True)
class _Derived(Measure):
    """A measure made of another one's row values."""

    of: Measure

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the measure inside."""
        return self.of.columns

    @property
    def bounds(self) -> tuple[float, float] | None:
        """The range of the answers, where it is known."""
        return self.of.bounds

    @property
    def affine(self) -> tuple[float, float]:
        """That of the measure inside."""
        return self.of.affine

    def row(self, table: frames.Table) -> frames.Expr:
        """Return the person's u of the measure inside."""
        return self.of.row(table)


@dataclass(frozen=True)
class Dispersion(_Derived):
    r"""How much the people of a unit × wave differ: the SD of their scores (divisor n - 1).

    Chan's dispersion composition: the disagreement itself is the measure ("consistency"). It is
    not instability over waves; see :func:`eecx.instability` for that. With the fourth k-statistic
    :math:`k_4`, the sampling variance is

    .. math:: \operatorname{var}(s) = \frac{1}{4 s^2}\left[\frac{2 s^4}{n + 1}
              + \frac{(n - 1)\, k_4}{n (n + 1)}\right]

    unbiased for :math:`s^2`, and rough for s of fewer than ten people or so. A unit of one has
    none; where all answered alike the pooled SD stands in for the precision.

    Parameters
    ----------
    of : Scale or Mean

    Examples
    --------
    >>> import eecx, pandas as pd
    >>> frame = pd.DataFrame({"store": ["a"] * 5, "q": [1, 2, 3, 4, 5]})
    >>> spread = {"spread": eecx.Dispersion(eecx.Mean("q"))}
    >>> round(float(eecx.Survey(frame, unit="store", measures=spread).scores()["value"][0]), 4)
    1.5811
    """

    of: Scale | Mean

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_inner(self.of, "Dispersion")

    @property
    def affine(self) -> tuple[float, float]:
        """A spread moves with no constant."""
        return 0.0, self.of.affine[1]

    @property
    def powers(self) -> int:
        """Fourth powers: the sampling error of an SD needs them."""
        return 4

    def row(self, table: frames.Table) -> frames.Expr:
        """Return the person's score about the middle of the scale."""
        if self.of.bounds is None:
            return frames.real(self.of.row(table))
        start, factor = self.of.affine
        middle = (sum(self.of.bounds) / 2 - start) / factor
        return frames.real(self.of.row(table)) - middle

    def value(self, n: Array, mean: Array, spread: Array, sums: Mapping[str, Array]) -> Array:
        """Return the SD; NaN for one respondent."""
        return np.where(n > 1, np.sqrt(spread * n / np.maximum(n - 1, 1)), np.nan)

    def precision(
        self,
        n: Array,
        mean: Array,
        spread: Array,
        pooled: float,
        level: float,
        sums: Mapping[str, Array],
    ) -> tuple[Array, Array, Array]:
        """Return the variance of an SD and limits on the scale of its logarithm."""
        size = np.maximum(n, 2)
        s2 = spread * size / (size - 1)
        raw = [np.asarray(sums[k], dtype=float) / np.maximum(n, 1) for k in ("ss", "s3", "s4")]
        m4 = raw[2] - 4 * mean * raw[1] + 6 * mean**2 * raw[0] - 3 * mean**4
        # the fourth k-statistic; of fewer than four people that of a normal sample, zero
        many = np.maximum(size, 4)
        k4 = many**2 * ((many + 1) * m4 - 3 * (many - 1) * spread**2)
        k4 = np.where(size >= 4, k4 / ((many - 1) * (many - 2) * (many - 3)), 0.0)
        normal = 2 * s2**2 / (size + 1)
        of_s2 = np.maximum(normal + (size - 1) * k4 / (size * (size + 1)), 0.1 * normal)
        told = spread > 0
        variance = np.where(told, of_s2 / (4 * np.where(told, s2, 1.0)), pooled / (2 * (size - 1)))
        s = np.sqrt(s2)
        reach = stats.t.isf((1 - level) / 2, size - 1) * np.sqrt(variance)
        with np.errstate(over="ignore"):
            factor = np.exp(reach / np.where(told, s, 1.0))
        low, high = np.where(told, s / factor, 0.0), np.where(told, s * factor, reach)
        known = n > 1
        variance, low, high = (np.where(known, v, np.nan) for v in (variance, low, high))
        return variance, low, high


@dataclass(frozen=True)
class Extreme(_Derived):
    """The lowest or highest score among a unit's people: the weakest link, or the star.

    It has no sampling variance here, and it depends on how many answered: of more people the
    lowest is lower, without anything being worse. Compare units of similar n only. It is the
    answer of one person, if not of a known one.

    Parameters
    ----------
    of : Scale or Mean
    which : {"minimum", "maximum"}
    """

    of: Scale | Mean
    which: Literal["minimum", "maximum"] = "minimum"

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_inner(self.of, "Extreme")
        if self.which not in ("minimum", "maximum"):
            raise OptionError(f"which={self.which!r}: accepted are 'minimum' and 'maximum'.")

    def value(self, n: Array, mean: Array, spread: Array, sums: Mapping[str, Array]) -> Array:
        """Return the lowest or highest u."""
        return np.asarray(sums[self.which], dtype=float)

    def precision(
        self,
        n: Array,
        mean: Array,
        spread: Array,
        pooled: float,
        level: float,
        sums: Mapping[str, Array],
    ) -> tuple[Array, Array, Array]:
        """Return NaN: the sampling error of an extreme is not known."""
        unknown = np.full(len(n), np.nan)
        return unknown, unknown, unknown


@dataclass(frozen=True)
class AcrossTouchpoints(_Derived):
    r"""One score per unit × wave from its touchpoints (needs ``Survey(touchpoint=…)``).

    With values :math:`v_k` and sampling variances of the K touchpoints of a unit in a wave:

    - ``"mean"``: :math:`\sum w_k v_k`, each touchpoint counting alike, or by ``weights``,
      however many customers used it;
    - ``"worst"``: the least good touchpoint ("one lapse loses the customer"). The least of
      several noisy values lies too low; the bias is estimated by adding normal noise of each
      touchpoint's own variance to :math:`v_k` and taken off, which removes about half of it;
    - ``"dispersion"``: SD over touchpoints net of sampling error ("consistency creates
      confidence"), :math:`\sqrt{\max(s^2_v - \bar{\operatorname{var}}, 0)}`; its error is rough
      with few touchpoints.

    The good direction is that of the measure inside, unless it is said; it tells which is worst.

    Parameters
    ----------
    of : measure
        What is scored per touchpoint.
    how : {"mean", "worst", "dispersion"}
    weights : mapping of touchpoint to float, optional
        For ``"mean"``; touchpoints that are missing in a unit leave the others' weights to fill.
    least : int
        Touchpoints with fewer respondents in a unit × wave are left out of its score: they would
        show through the worst of few.
    """

    of: Measure
    how: Literal["mean", "worst", "dispersion"] = "mean"
    weights: Mapping[str, float] | None = None
    least: int = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.of, Measure) or isinstance(self.of, AcrossTouchpoints | Extreme):
            raise OptionError("AcrossTouchpoints needs a measure, such as eecx.NPS('recommend').")
        if self.of.better == "lower" and self.how != "dispersion":
            object.__setattr__(self, "better", "lower")
        if self.how not in ("mean", "worst", "dispersion"):
            raise OptionError(f"how={self.how!r}: accepted are 'mean', 'worst' and 'dispersion'.")
        if self.weights is not None:
            if self.how != "mean":
                raise OptionError("weights= are for how='mean'.")
            if not self.weights or min(self.weights.values()) <= 0:
                raise OptionError("weights= holds a positive number per touchpoint.")
        if self.least < 2:
            raise OptionError(f"least={self.least}: at least 2 respondents per touchpoint.")

    def combine(
        self,
        cell: npt.NDArray[np.intp],
        cells: int,
        touchpoint: Sequence[object],
        value: Array,
        variance: Array,
    ) -> tuple[Array, Array]:
        """Return value and variance per unit × wave from those of its touchpoints."""
        count = np.bincount(cell, minlength=cells)

        def per(amount: Array) -> Array:
            return np.asarray(np.bincount(cell, amount, cells), dtype=float)

        none = count < (2 if self.how == "dispersion" else 1)
        safe = np.maximum(count, 1)
        if self.how == "mean":
            share = np.ones(len(cell))
            if self.weights is not None:
                unknown = sorted({str(t) for t in touchpoint} - set(map(str, self.weights)))
                if unknown:
                    raise OptionError(f"weights= lacks the touchpoint {listing(unknown)}.")
                by_name = {str(k): float(v) for k, v in self.weights.items()}
                share = np.array([by_name[str(t)] for t in touchpoint])
            total = np.where(none, 1.0, per(share))
            share = share / total[cell]
            found, error = per(share * value), per(share**2 * variance)
        else:
            # the same standard normal noise for every unit: chance adds no differences
            noise = _noise(int(count.max(initial=1)))
            order = np.argsort(cell, kind="stable")
            start = np.concatenate([[0], np.cumsum(count)[:-1]])
            place = np.empty(len(cell), dtype=np.intp)
            place[order] = np.arange(len(cell)) - start[cell[order]]
            low = 1.0 if self.better == "higher" else -1.0
            drawn = np.stack(
                [self._once(cell, cells, value + z[place] * np.sqrt(variance), low) for z in noise]
            )
            if self.how == "worst":
                plain = self._once(cell, cells, value, low)
                found = 2 * plain - drawn.mean(axis=0)
                error = drawn.var(axis=0, ddof=1)
            else:
                noise_of = per(variance) / safe
                net = self._once(cell, cells, value, low) ** 2 - noise_of
                found = np.sqrt(np.maximum(net, 0.0))
                error = (drawn**2).var(axis=0, ddof=1) / (4 * np.maximum(net, noise_of))
        return np.where(none, np.nan, found), np.where(none, np.nan, error)

    def _once(self, cell: npt.NDArray[np.intp], cells: int, value: Array, low: float) -> Array:
        """Return the worst of, or the SD over, the touchpoints of each cell."""
        if self.how == "worst":
            out = np.full(cells, np.inf)
            np.minimum.at(out, cell, low * value)
            return low * np.where(np.isinf(out), np.nan, out)
        count = np.maximum(np.bincount(cell, minlength=cells), 2)
        mean = np.bincount(cell, value, cells) / np.maximum(np.bincount(cell, minlength=cells), 1)
        away = np.bincount(cell, (value - mean[cell]) ** 2, cells)
        return np.asarray(np.sqrt(away / (count - 1)), dtype=float)


# draws of noise from which the bias of a worst touchpoint is told
NOISE = 400


def _noise(touchpoints: int) -> Array:
    """Draw in pairs of opposite sign, of variance one: a single touchpoint keeps its own value."""
    half = np.random.default_rng(0).standard_normal((NOISE // 2, touchpoints))
    both = np.concatenate([half, -half])
    return np.asarray(both / both.std(axis=0, ddof=1), dtype=float)


def _check_inner(of: object, what: str) -> None:
    if not isinstance(of, Scale | Mean):
        raise OptionError(f"{what} needs an eecx.Scale or eecx.Mean, not a {type(of).__name__}.")


def summarise(
    measure: Measure,
    sums: Mapping[str, Array],
    *,
    origin: float | Array = 0.0,
    conf_level: float = 0.95,
    least: int = 1,
) -> dict[str, Array]:
    r"""Turn the sums of u into n, value, variance, std_error and an interval per cell.

    ``sums`` holds ``n, s, ss`` (:math:`n, \sum u, \sum u^2`) or, with weights, also
    ``w, w2, ws, wss`` (:math:`\sum w, \sum w^2, \sum wu, \sum wu^2`). Weighted cells use
    Kish's effective number of respondents, :math:`(\sum w)^2/\sum w^2`, in place of n.
    ``origin`` is what was taken off every u before summing, everywhere or cell by cell. Cells with
    fewer than ``least`` respondents have no part in the variance that stands in for unanimous ones:
    it would tell of them.
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
    freedom = np.where(n >= least, np.maximum(effective - 1, 0.0), 0.0)
    own = float(np.sum((spread * effective)[n >= least]))
    pooled = own / float(freedom.sum()) if freedom.sum() > 0 else np.nan
    value = measure.value(effective, mean, spread, sums)
    variance, low, high = measure.precision(effective, mean, spread, pooled, conf_level, sums)
    start, factor = measure.affine
    shift = start + factor * np.asarray(origin) * (measure.powers == 2)
    out: dict[str, Array] = {
        "value": shift + factor * value,
        "variance": factor**2 * variance,
        "std_error": factor * np.sqrt(variance),
        "conf_low": shift + factor * low,
        "conf_high": shift + factor * high,
    }
    for values in out.values():
        values[~some] = np.nan
    return {"n": n.astype(np.int64), **out}


def related_errors(sums: Mapping[str, Array], alone: tuple[Array, Array]) -> Array:
    r"""Return the correlation of the sampling errors of two measures, cell by cell.

    With :math:`r` the correlation of u and v among the cell's people who answered both, whose
    weights are :math:`w` (1 without weights),

    .. math:: r_{\bar u \bar v} = r \sum_{both} w^2 \Big/ \sqrt{\sum_u w^2 \sum_v w^2}

    which is r where all answered both, and 0 where nobody did or where either did not vary.
    ``sums`` holds ``w, w2, u, v, uu, vv, uv`` over those who answered both (:math:`\sum w, \sum
    w^2, \sum wu, \ldots`), ``alone`` :math:`\sum w^2` over those who answered each.
    """
    size = np.where(sums["w"] > 0, sums["w"], 1.0)
    u, v = sums["u"] / size, sums["v"] / size
    raw = [sums["uu"] / size, sums["vv"] / size]
    spread = [np.maximum(r - m * m, 0.0) for r, m in zip(raw, (u, v), strict=True)]
    varies = (spread[0] > 1e-14 * raw[0]) & (spread[1] > 1e-14 * raw[1])
    scale = np.where(varies, np.sqrt(spread[0] * spread[1]), 1.0)
    r = np.where(varies, np.clip((sums["uv"] / size - u * v) / scale, -1.0, 1.0), 0.0)
    most = np.sqrt(alone[0] * alone[1])
    return np.asarray(r * sums["w2"] / np.where(most > 0, most, 1.0))


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
            if isinstance(getattr(measure, "of", measure), Mean):
                origins[name] = float(round((low + high) / 2))
    full = frozenset(
        c for c, at in zip(columns, rows, strict=True) if seen[f"n_{at}"] == seen["rows"]
    )
    table = replace(table, full=full, count=int(seen["rows"]))
    return table, {name: origins.get(name, 0.0) for name in measures}


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
