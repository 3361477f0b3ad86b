"""An employee and a customer survey of the same units: respondent rows with known truth.

Units and waves come from :func:`panel`; here people are asked. Each survey is described in
the words of its later results: respondents per unit and wave, ICC(1), alpha.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Unpack

import numpy as np
import numpy.typing as npt
import pandas as pd

from eecx import options
from eecx.errors import OptionError, nearest
from eecx.simulate.answers import Instrument, instrument, rounded
from eecx.simulate.panel import (
    PanelOptions,
    Population,
    Segment,
    check_columns,
    checked,
    checked_count,
    panel,
    ratio,
)

__all__ = ["Respondents", "Surveys", "surveys"]

Array = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]
Columns = dict[str, npt.NDArray[np.object_] | Array | pd.arrays.IntegerArray]


@cache
def _nodes() -> tuple[Array, Array]:
    """Nodes and weights of Gauss-Legendre integration from 0 to 1."""
    node, weight = np.polynomial.legendre.leggauss(80)
    return (node + 1) / 2, weight / 2


@dataclass(frozen=True)
class Respondents:
    """Who answers one of the two surveys, and what they answer, for :func:`surveys`.

    Parameters
    ----------
    mean : float
        Mean number of respondents per unit and wave.
    spread : float, default 0.4
        Coefficient of variation of the units' sizes (a gamma distribution). Around its size a
        unit's number varies from wave to wave like a count.
    fewest : int, default 1
        Smallest number of respondents; with ``fewest=mean`` every cell has exactly so many.
    response : float, optional
        Share of a unit's people who answer, on average. With it a unit has a headcount, no more
        than which can answer. Without it the people of a unit are taken as unlimited.
    icc : float, default 0.12
        ICC(1) of the scale score: share of its variance, among the respondents of one wave, that
        lies between units. Before rounding.
    alpha : float, default 0.85
        Cronbach's alpha of the scale; of a single item, the share of its variance that is not
        noise. Above ``icc``, at most 1. Before rounding.
    items : int, default 3
        Number of items; they are parallel.
    answers : (int, int), default (1, 5)
        Lowest and highest answer.
    centre, answer_sd : float, optional
        Mean and standard deviation of an item before rounding. If not given, 65% of the way
        from the lowest to the highest answer, and a quarter of that way.
    missing_items : float, default 0.0
        Probability that an answer to an item is missing, completely at random.
    segments : mapping of str to Segment, optional
        Groups of respondents (role, channel); a Segment's ``ex`` shifts employees, its ``cx``
        customers. ICC(1) and alpha stay as given: what the groups add to the variance within
        units is taken off the persons' own.

    Examples
    --------
    Uneven numbers cost precision: twelve on average tell less than twelve everywhere.

    >>> who = Respondents(12, spread=0.7)
    >>> round(1 / who.inverse, 1)
    6.6
    """

    mean: float
    spread: float = 0.4
    fewest: int = 1
    response: float | None = None
    icc: float = 0.12
    alpha: float = 0.85
    items: int = 3
    answers: tuple[int, int] = (1, 5)
    centre: float | None = None
    answer_sd: float | None = None
    missing_items: float = 0.0
    segments: Mapping[str, Segment] = field(default_factory=dict)

    def __post_init__(self) -> None:
        checked_count("Respondents fewest", self.fewest, least=1)
        checked("Respondents mean", self.mean, low=self.fewest)
        checked("Respondents spread", self.spread, low=0.0)
        if self.response is not None:
            checked("Respondents response", self.response, low=0.0, high=1.0, above=True)
        checked("Respondents icc", self.icc, low=0.0, high=1.0, above=True, below=True)
        checked("Respondents alpha", self.alpha, low=self.icc, high=1.0, above=True)
        checked_count("Respondents items", self.items, least=1)
        ends = tuple(self.answers) if isinstance(self.answers, tuple | list) else ()
        whole = all(isinstance(end, numbers.Integral) and not isinstance(end, bool) for end in ends)
        if len(ends) != 2 or not whole or ends[0] >= ends[1]:
            raise OptionError(
                f"Respondents answers={self.answers!r} is not accepted.",
                code="not-accepted",
                fix="Give the lowest and the highest answer as whole numbers, such as (1, 5).",
            )
        if self.centre is not None:
            checked("Respondents centre", self.centre)
        if self.answer_sd is not None:
            checked("Respondents answer_sd", self.answer_sd, low=0.0, above=True)
        checked("Respondents missing_items", self.missing_items, low=0.0, high=1.0, below=True)

    @property
    def inverse(self) -> float:
        """Expected 1 / (number of respondents) of a cell."""
        more = self.mean - self.fewest
        if more == 0:
            return 1 / self.fewest
        # 1/n is the integral of s^(n-1) from 0 to 1, E s^n a generating function; with
        # s = 1 - u^4 few nodes do, also for many respondents.
        u, weight = _nodes()
        if self.spread > 0:
            generating = np.exp(-np.log1p(more * self.spread**2 * u**4) / self.spread**2)
        else:
            generating = np.exp(-more * u**4)
        return float(weight @ (4 * u**3 * (1 - u**4) ** (self.fewest - 1) * generating))

    def middle(self) -> tuple[float, float]:
        """Return mean and standard deviation of an item before rounding."""
        low, high = self.answers
        centre = low + 0.65 * (high - low) if self.centre is None else float(self.centre)
        return centre, (high - low) / 4 if self.answer_sd is None else float(self.answer_sd)


@dataclass(frozen=True)
class Surveys:
    """Two simulated surveys of the same units, what lies under them, and what is true.

    Attributes
    ----------
    employees : pandas.DataFrame
        One row per answering employee: ``unit`` (text), ``wave`` (1, 2, ...), segments, the
        items ``ex1``, ``ex2``, ... and, with a mediator, ``m1``, ``m2``, ...
    customers : pandas.DataFrame
        One row per answering customer: ``unit``, ``wave``, segments, the items ``cx1``, ...
    units : pandas.DataFrame
        One row per unit: ``unit``, its covariates and segments, ``last_wave`` and, where
        ``response`` was given, ``headcount`` (employees) and ``customer_base``.
    latent : pandas.DataFrame
        One row per unit and wave until a closure: the columns of ``latent`` of
        :func:`panel`; ``n_ex``, ``n_cx``, the numbers of respondents (0 where not surveyed); where
        ``response`` was given, ``census_ex`` or ``census_cx``: the mean true value of all people
        of the unit, who answered or not.
    truth : dict of str to float
        Population values, listed under :func:`surveys`.
    """

    employees: pd.DataFrame = field(repr=False)
    customers: pd.DataFrame = field(repr=False)
    units: pd.DataFrame = field(repr=False)
    latent: pd.DataFrame = field(repr=False)
    truth: dict[str, float]


def surveys(
    *,
    employees: Respondents | float = 12,
    customers: Respondents | float = 40,
    continuous: bool = False,
    halo: float = 0.0,
    rng: int | np.random.Generator | None = None,
    **process: Unpack[PanelOptions],
) -> Surveys:
    r"""Simulate an employee and a customer survey of the same units.

    Units move as in :func:`panel`, without its sampling error. Then people are asked: person j of
    unit i at wave t gives to item q the answer ::

        centre + points(ex[i, t] + segment[j] + person[j] + noise[j, q])

    rounded and cut at the ends of the range; customers likewise from ``cx``. The variances of
    persons and noise, both normal, follow from ICC(1) and alpha. A :class:`Mediator` m is a
    second scale of the employee survey, with the same number of items, ICC(1) and alpha.

    Parameters
    ----------
    employees, customers : Respondents or float, default 12 and 40
        Who answers; a number stands for ``Respondents(number)``.
    continuous : bool, default False
        True leaves answers on the scale of the latent values, unrounded. Then all of the truth
        is exact.
    halo : float, default 0.0
        With a mediator, correlation of a person's own deviations in ex and in m, -1 to 1: what
        two scales in one questionnaire share besides the unit's level.
    rng : int or numpy.random.Generator, optional
        Seed or generator; the same seed gives the same data.
    **process
        The arguments of :func:`panel`, but for ``error_sd_ex`` and ``error_sd_cx``: sampling
        error comes from the respondents.

    Returns
    -------
    Surveys
        With ``.employees``, ``.customers``, ``.units``, ``.latent`` and ``.truth``. The
        entries of ``.truth`` are those of :func:`panel`, on the latent scale, except that

        - ``between_unit_means`` and ``within_fixed_effects`` are in points of the scale means
          and include what sampling error takes off; ``between_unit_means_error_free`` and
          ``within_fixed_effects_error_free`` leave that out.

        Further, for ``ex``, ``cx`` and with a mediator ``m``:

        - ``icc1_ex``, ``alpha_ex``: ICC(1) of the scale score in one wave and Cronbach's alpha.
        - ``icc2_ex``: reliability of a unit's mean in one wave at the mean number n of
          respondents, n ICC(1) / (1 + (n - 1) ICC(1)).
        - ``reliability_between_ex``: share of the variance of unit means over all waves that is
          not sampling error.
        - ``reliability_change_ex``: the same of deviations from unit and wave means. These two,
          of EX, are the factors by which sampling error shrinks the two slopes above.
        - ``ex_per_latent``: change of the scale mean, in points, per unit of the latent.

        A value that is not defined is NaN.

    Raises
    ------
    OptionError
        If an argument is outside its range or unknown, or segments alone vary more than ICC(1)
        and alpha leave for persons.

    Notes
    -----
    With V the latent variance between units in one wave, the scale score of k items has the
    variance T = V / ICC(1); noise of an item has k (1 - alpha) T, persons (segments included) have
    alpha T - V. The sampling variance of a cell's mean of n scores is (T - V) / n, on average
    over cells (T - V) E[1/n], which for uneven n is more than at the mean n.

    Rounding changes ICC(1) and alpha; the truth gives what is left of them (Mehler's formula for
    the covariance of functions of normal values). It also makes scale means only nearly linear
    in the latent values: slopes, ``ex_per_latent`` and reliabilities are then first-order
    approximations. Effects of waves on all units count in none of this. With missing items,
    cells or waves, or with closures, the truth holds approximately.

    Respondents are drawn anew in every wave: nobody is followed, and no one's chance to answer
    depends on what they would say.

    Examples
    --------
    >>> made = surveys(units=40, waves=6, same_wave=0.3, employees=12, rng=1)
    >>> list(made.employees.columns)
    ['unit', 'wave', 'ex1', 'ex2', 'ex3']

    A mean of twelve is a fair sign of a unit's level in one wave:

    >>> exact = surveys(employees=Respondents(12, icc=0.15), continuous=True, rng=1).truth
    >>> round(exact["icc2_ex"], 3)
    0.679
    """
    asked = {
        "ex": _respondents("employees", employees, "ex"),
        "cx": _respondents("customers", customers, "cx"),
    }
    checked("halo", halo, low=-1.0, high=1.0)
    for name in process:
        if name in ("error_sd_ex", "error_sd_cx"):
            raise OptionError(
                f"{name} is no argument of surveys(): sampling error comes from the respondents.",
                code="unknown-option",
                fix="Give simulate.Respondents(mean, icc=..., alpha=...).",
            )
        if name not in PanelOptions.__annotations__:
            raise OptionError(
                f"surveys() has no argument {name!r}.",
                code="unknown-option",
                fix=nearest(name, PanelOptions.__annotations__),
            )
    mediator = process.get("mediator")
    if mediator is not None and getattr(mediator, "error_sd", 0.0) != 0.0:
        raise OptionError(
            f"Mediator error_sd={mediator.error_sd!r} is not accepted by surveys(): sampling "
            "error comes from the respondents.",
            code="does-not-apply",
            fix="Leave it at 0.",
        )
    generate = options.rng(rng)
    made = panel(**process, rng=generate)
    latent = made.latent
    names = ["ex", "cx"] if mediator is None else ["ex", "cx", "m"]
    asked["m"] = asked["ex"]
    tools = {
        name: _instrument(name, asked[name], float(variance), continuous)
        for name, variance in zip(
            names, np.diag(made.population.stable + made.population.within), strict=True
        )
    }

    first = latent["wave"].to_numpy() == 1  # every unit has it
    unit = np.cumsum(first) - 1
    held = made.frame.loc[first].drop(columns=["wave", *names]).reset_index(drop=True)
    units = held.assign(last_wave=np.bincount(unit).astype(np.int64))
    counts, census, rows = {}, {}, {}
    for side in ("ex", "cx"):
        who = asked[side]
        surveyed = made.frame[side].notna().to_numpy()
        count, people = _numbers(generate, who, unit)
        count = np.where(surveyed, count, 0)
        counts[f"n_{side}"] = count
        cell = np.repeat(np.arange(len(unit)), count)
        own = generate.standard_normal(len(cell))
        groups, added = _groups(generate, who, side, len(cell))
        series = {side: own}
        if side == "ex" and "m" in names:
            other = generate.standard_normal(len(cell))
            series["m"] = halo * own + math.sqrt(1 - halo**2) * other
        answers: Columns = {}
        for name, deviation in series.items():
            true = latent[name].to_numpy()[cell] + tools[name].person_sd * deviation
            if name == side:
                true += added
            answers |= _answers(generate, who, tools[name], name, true, continuous)
        keys = {key: latent[key].to_numpy()[cell] for key in ("unit", "wave")}
        rows[side] = pd.DataFrame(keys | groups | answers)
        if people is not None:
            units["headcount" if side == "ex" else "customer_base"] = people
            said = tools[side].person_sd * own + added
            rest = _rest(generate, who, side, tools[side], people[unit] - count)
            total = np.bincount(cell, said, minlength=len(unit)) + rest
            census[f"census_{side}"] = latent[side].to_numpy() + total / people[unit]
    return Surveys(
        employees=rows["ex"],
        customers=rows["cx"],
        units=units,
        latent=latent.assign(**counts, **census),
        truth=made.truth | _truth(made.population, tools, asked),
    )


def _respondents(argument: str, given: Respondents | float, side: str) -> Respondents:
    """Return the description of one survey; a number stands for ``Respondents(number)``."""
    if not isinstance(given, Respondents):
        given = Respondents(checked(argument, given, low=1.0))
    items = [f"{name}{k + 1}" for name in (side, "m") for k in range(given.items)]
    check_columns(
        f"The segments of {argument}", given.segments, Segment, taken=["unit", "wave", *items]
    )
    for name, segment in given.segments.items():
        if wrong := segment.cx if side == "ex" else segment.ex:
            other = "cx" if side == "ex" else "ex"
            raise OptionError(
                f"Segment {name!r} of {argument} has {other}={dict(wrong)!r}, which they are not "
                "asked about.",
                code="does-not-apply",
                fix=f"Give {side}=.",
            )
    return given


def _instrument(name: str, who: Respondents, between: float, continuous: bool) -> Instrument:
    """Work out one scale, or say why ICC(1) and alpha cannot be had."""
    if between <= 0:
        raise OptionError(
            f"{name} does not vary between units or over time, so its ICC(1) is 0 whoever is "
            "asked.",
            code="no-variation",
            fix="Give a stable or wave standard deviation above 0.",
        )
    side = 0 if name == "ex" else 1
    segment = 0.0
    if name != "m":
        segment = sum(float(s.covariance()[side, side]) for s in who.segments.values())
    persons = between * (who.alpha / who.icc - 1)
    if segment > persons:
        raise OptionError(
            f"The segments alone vary by {segment:.3g} around the {name} of their unit, but with "
            f"icc={who.icc} and alpha={who.alpha} only {persons:.3g} is left for persons.",
            code="out-of-range",
            fix="Lower the shifts or icc.",
        )
    low, high = who.answers
    centre, answer_sd = who.middle()
    return instrument(
        between=between,
        segment=segment,
        icc=who.icc,
        alpha=who.alpha,
        items=who.items,
        thresholds=None if continuous else np.arange(low, high, dtype=float) + (0.5 - centre),
        answer_sd=answer_sd,
    )


def _numbers(
    generate: np.random.Generator, who: Respondents, unit: Whole
) -> tuple[Whole, Whole | None]:
    """Return respondents of every cell and, with ``response``, the headcount of every unit.

    Thinning a Poisson count leaves a Poisson count, so numbers vary alike with and without a
    headcount.
    """
    size = np.ones(unit[-1] + 1)
    if who.spread > 0:
        size = generate.gamma(1 / who.spread**2, who.spread**2, len(size))
    more = who.mean - who.fewest
    if who.response is None:
        return who.fewest + generate.poisson(more * size[unit]), None
    others = who.mean / who.response - who.fewest
    people = who.fewest + generate.poisson(others * size)
    chance = more / others if others > 0 else 0.0
    return who.fewest + generate.binomial((people - who.fewest)[unit], chance), people


def _groups(
    generate: np.random.Generator, who: Respondents, side: str, rows: int
) -> tuple[dict[str, npt.NDArray[np.object_]], Array]:
    """Draw the segments of respondents; return their names and what they add to the level."""
    columns, added = {}, np.zeros(rows)
    for name, segment in who.segments.items():
        member = generate.choice(len(segment.shares), rows, p=segment.probabilities)
        columns[name] = np.array(segment.groups, dtype=object)[member]
        added += segment.shifts(side)[member]
    return columns, added


def _rest(
    generate: np.random.Generator, who: Respondents, side: str, tool: Instrument, silent: Whole
) -> Array:
    """Sum, for every cell, of what its ``silent`` people would add to the level of the unit."""
    total = tool.person_sd * np.sqrt(silent) * generate.standard_normal(len(silent))
    for segment in who.segments.values():
        total += generate.multinomial(silent, segment.probabilities) @ segment.shifts(side)
    return total


def _answers(
    generate: np.random.Generator,
    who: Respondents,
    tool: Instrument,
    name: str,
    true: Array,
    continuous: bool,
) -> Columns:
    """Answers to the items of one scale by persons whose true values are given."""
    columns: Columns = {}
    centre, _ = who.middle()
    for k in range(1, who.items + 1):
        item = true + tool.item_sd * generate.standard_normal(len(true))
        missing = generate.random(len(true)) < who.missing_items
        if continuous:
            columns[f"{name}{k}"] = np.where(missing, np.nan, item)
        else:
            whole = rounded(centre + tool.points * item, *who.answers)
            columns[f"{name}{k}"] = pd.arrays.IntegerArray(whole, missing)
    return columns


def _truth(
    population: Population, tools: Mapping[str, Instrument], asked: Mapping[str, Respondents]
) -> dict[str, float]:
    """Return what is true of the scales and of slopes between their means."""
    points = np.array([tool.per_latent for tool in tools.values()])
    error = np.array([tool.within * asked[name].inverse for name, tool in tools.items()])
    scaled = Population(
        stable=population.stable * np.outer(points, points),
        within=population.within * np.outer(points, points),
        mean=population.mean * np.outer(points, points),
        waves=population.waves,
    )
    truth = {}
    found = {
        "between_unit_means": scaled.of_unit_means,
        "within_fixed_effects": scaled.around_unit_means,
    }
    free, seen = {}, {}
    for slope, covariance in found.items():
        free[slope], seen[slope] = covariance(np.zeros_like(error)), covariance(error)
        truth[slope] = ratio(seen[slope][1, 0], seen[slope][0, 0])
        truth[f"{slope}_error_free"] = ratio(free[slope][1, 0], free[slope][0, 0])
    for k, (name, tool) in enumerate(tools.items()):
        n = asked[name].mean
        truth |= {
            f"icc1_{name}": tool.icc1,
            f"icc2_{name}": n * tool.icc1 / (1 + (n - 1) * tool.icc1),
            f"alpha_{name}": tool.alpha,
            f"{name}_per_latent": tool.per_latent,
        }
        for level, slope in zip(("between", "change"), found, strict=True):
            truth[f"reliability_{level}_{name}"] = ratio(free[slope][k, k], seen[slope][k, k])
    return truth
