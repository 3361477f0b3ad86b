"""A unit x wave panel of an employee measure and a customer outcome, with known truth.

Every unit has a stable level, every wave a common effect, and each unit moves around
its level by a linear process in which either side may carry over and act on the other.
What population slopes follow from the chosen paths is computed, not simulated.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TypedDict

import numpy as np
import numpy.typing as npt
import pandas as pd

from eecx import options
from eecx.errors import OptionError, listing, nearest

__all__ = ["Covariate", "Mediator", "Segment", "Simulated", "panel"]

Array = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]

# Share of the stationary variance that may still be lacking when the first wave is kept.
BURN_IN_TOLERANCE = 0.01

# Places of the states of the process: w_x, w_y, drift and, with a mediator, w_m.
_X, _Y, _DRIFT, _M = range(4)
_OBSERVED = [_X, _Y, _M]


@dataclass(frozen=True)
class Mediator:
    """A mediator m on the way from EX to CX, for :func:`panel`.

    With ``lag=1`` the path is ordered in time, one wave for each leg::

        w_m[t] = carry w_m[t-1] + a w_x[t-1] + e_m[t],    w_y[t] = ... + b w_m[t-1]

    With ``lag=0`` both legs act within the wave::

        w_m[t] = carry w_m[t-1] + a w_x[t] + e_m[t],      w_y[t] = ... + b w_m[t]

    The stable part of m is independent of the stable parts of EX and CX, and m takes no
    part in shared shocks or drift; so it carries an effect over time only.

    Parameters
    ----------
    a : float
        Path EX -> m, in units of m per unit of EX.
    b : float
        Path m -> CX, in units of CX per unit of m.
    carry : float, default 0.3
        Share of m's deviation that is still there a wave later.
    lag : {1, 0}, default 1
        Waves that each leg takes.
    stable_sd, wave_sd, error_sd : float
        Standard deviation of m's stable part, of its innovations e_m, of its sampling error.

    Examples
    --------
    >>> Mediator(a=0.5, b=0.4).lag
    1
    """

    a: float
    b: float
    carry: float = 0.3
    lag: int = 1
    stable_sd: float = 1.0
    wave_sd: float = 1.0
    error_sd: float = 0.0

    def __post_init__(self) -> None:
        for name in ("a", "b", "carry"):
            checked(f"Mediator {name}", getattr(self, name))
        for name in ("stable_sd", "wave_sd", "error_sd"):
            checked(f"Mediator {name}", getattr(self, name), low=0.0)
        if self.lag not in (0, 1):
            raise OptionError(
                f"Mediator lag={self.lag!r} is not accepted.",
                code="not-accepted",
                fix="Give 1 (each leg takes one wave) or 0 (both legs act within the wave).",
            )


@dataclass(frozen=True)
class Covariate:
    """A stable, normal trait of units that shifts their levels, for :func:`panel`.

    With ``ex`` and ``cx`` both away from zero it is a measured cause that the two sides share.

    Parameters
    ----------
    ex, cx : float, default 0.0
        Change of a unit's stable level per unit of (covariate - mean).
    mean, sd : float, default 0.0 and 1.0
        Mean and standard deviation of the covariate over units.

    Examples
    --------
    >>> Covariate(cx=-0.02, mean=25, sd=10).sd
    10
    """

    ex: float = 0.0
    cx: float = 0.0
    mean: float = 0.0
    sd: float = 1.0

    def __post_init__(self) -> None:
        for name in ("ex", "cx", "mean"):
            checked(f"Covariate {name}", getattr(self, name))
        checked("Covariate sd", self.sd, low=0.0)


@dataclass(frozen=True)
class Segment:
    """Groups, of units or of respondents, whose levels differ; drawn independently of all else.

    Only differences between groups count: the average over the population is taken off.

    Parameters
    ----------
    shares : mapping of str to float
        Groups and their shares of the population, which sum to 1.
    ex, cx : mapping of str to float, optional
        What a group adds to the level of EX or CX, compared with the groups not named.

    Examples
    --------
    >>> Segment({"till": 0.6, "office": 0.4}, ex={"office": 0.5}).groups
    ('till', 'office')
    """

    shares: Mapping[str, float]
    ex: Mapping[str, float] = field(default_factory=dict)
    cx: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.shares, Mapping) or len(self.shares) < 2:
            raise OptionError(
                f"Segment shares={self.shares!r} is not accepted.",
                code="not-accepted",
                fix="Give two groups or more, such as {'north': 0.6, 'south': 0.4}.",
            )
        for group, share in self.shares.items():
            checked(f"Segment share of {group!r}", share, low=0.0, above=True)
        total = sum(self.shares.values())
        if abs(total - 1) > 1e-9:
            raise OptionError(
                f"The shares of a Segment sum to {total:g}.",
                code="out-of-range",
                fix="They must sum to 1.",
            )
        for side in ("ex", "cx"):
            for group, shift in getattr(self, side).items():
                if group not in self.shares:
                    raise OptionError(
                        f"Segment {side} names {group!r}, which has no share.",
                        code="unknown-level",
                        fix=nearest(group, self.shares),
                    )
                checked(f"Segment {side} of {group!r}", shift)

    @property
    def groups(self) -> tuple[str, ...]:
        """Names of the groups."""
        return tuple(self.shares)

    @property
    def probabilities(self) -> Array:
        """Shares, in the order of ``groups``; they sum to 1."""
        shares = np.array(list(self.shares.values()), dtype=float)
        return np.asarray(shares / shares.sum())

    def shifts(self, side: str) -> Array:
        """Return how each group differs from the average on one side, ``"ex"`` or ``"cx"``."""
        added: Mapping[str, float] = getattr(self, side)
        shifts = np.array([added.get(group, 0.0) for group in self.groups], dtype=float)
        return np.asarray(shifts - self.probabilities @ shifts)

    def covariance(self) -> Array:
        """Covariance, shape (2, 2), of what the groups add to EX and to CX."""
        away = np.column_stack([self.shifts("ex"), self.shifts("cx")])
        return np.asarray(away.T @ (self.probabilities[:, None] * away))


@dataclass(frozen=True)
class Population:
    """Covariances of the latent values of units without end; series in the order ex, cx[, m].

    Attributes
    ----------
    stable : ndarray, shape (k, k)
        Of the units' stable levels.
    within : ndarray, shape (k, k)
        Of the deviations in one wave.
    mean : ndarray, shape (k, k)
        Of the mean of a unit's deviations over all waves.
    waves : int
        Number of waves.
    """

    stable: Array
    within: Array
    mean: Array
    waves: int

    def of_unit_means(self, error: Array) -> Array:
        """Covariance of observed unit means; ``error`` is the sampling variance of each cell."""
        return self.stable + self.mean + np.diag(error) / self.waves

    def around_unit_means(self, error: Array) -> Array:
        """Covariance, of one wave, of observed deviations from unit and wave means."""
        if self.waves == 1:  # an exact zero, since rounding would turn "undefined" into a number
            return np.zeros_like(self.within)
        return self.within - self.mean + np.diag(error) * (1 - 1 / self.waves)


@dataclass(frozen=True)
class Simulated:
    """A simulated panel: what would be observed, what lies under it, and what is true.

    Attributes
    ----------
    frame : pandas.DataFrame
        One row per unit and wave: ``unit`` (text), ``wave`` (1, 2, ...), ``ex``, ``cx`` and,
        with a mediator, ``m``; then covariates and segments. Missing cells are NaN; waves after
        a closure have no row.
    latent : pandas.DataFrame
        For the same rows, without sampling error and gaps: ``ex``, ``cx`` and their parts
        ``stable_ex``, ``stable_cx``, ``within_ex``, ``within_cx`` (the rest is the effect of
        the wave); ``drift``; with a mediator ``m``, ``stable_m``, ``within_m``.
    truth : dict of str to float
        Population values, listed under :func:`panel`.
    population : Population
        Covariances of the latent values, from which the truth follows.
    """

    frame: pd.DataFrame = field(repr=False)
    latent: pd.DataFrame = field(repr=False)
    truth: dict[str, float]
    population: Population = field(repr=False)


@dataclass(frozen=True)
class Process:
    """A linear process z[t] = same z[t] + lagged z[t-1] + loadings e[t], e standard normal.

    Parameters
    ----------
    same : ndarray, shape (k, k)
        Effects within the wave, effect in rows, cause in columns; without loops.
    lagged : ndarray, shape (k, k)
        Effects one wave later.
    loadings : ndarray, shape (k, q)
        What each of q independent sources of chance adds to each state.

    Examples
    --------
    The variance of an autoregression is 1 / (1 - carry^2):

    >>> one = Process(np.zeros((1, 1)), np.array([[0.6]]), np.ones((1, 1)))
    >>> round(float(one.covariance()[0, 0]), 4)
    1.5625
    """

    same: Array
    lagged: Array
    loadings: Array

    @property
    def step(self) -> Array:
        """Effects of z[t-1] on z[t] by all routes, (I - same)^-1 lagged."""
        return np.asarray(np.linalg.solve(np.eye(len(self.same)) - self.same, self.lagged), float)

    @property
    def impact(self) -> Array:
        """Effects of e[t] on z[t] by all routes, (I - same)^-1 loadings."""
        return np.asarray(np.linalg.solve(np.eye(len(self.same)) - self.same, self.loadings), float)

    @property
    def radius(self) -> float:
        """Largest modulus of an eigenvalue of ``step``; below 1 the process is stationary."""
        return float(np.abs(np.linalg.eigvals(self.step)).max())

    def covariance(self) -> Array:
        """Stationary covariance S, the solution of S = A S A' + Q (discrete Lyapunov)."""
        k = len(self.same)
        step, impact = self.step, self.impact
        noise = (impact @ impact.T).ravel()
        solved = np.linalg.solve(np.eye(k * k) - np.kron(step, step), noise).reshape(k, k)
        return np.asarray((solved + solved.T) / 2)

    def covariance_of_mean(self, waves: int) -> Array:
        """Covariance of a unit's mean over ``waves`` waves of the stationary process."""
        lagged = self.covariance()
        total = waves * lagged
        for distance in range(1, waves):
            lagged = self.step @ lagged
            total = total + (waves - distance) * (lagged + lagged.T)
        return np.asarray(total / waves**2)

    def lacking(self, burn_in: int) -> float:
        """Largest share of a stationary variance not yet reached after ``burn_in`` waves."""
        power = np.linalg.matrix_power(self.step, burn_in)
        final = self.covariance()
        variance = np.diag(final)
        present = variance > 0
        left = np.diag(power @ final @ power.T)
        return float((left[present] / variance[present]).max(initial=0.0))

    def run(self, rng: np.random.Generator, *, units: int, waves: int, burn_in: int) -> Array:
        """Return states, shape (units, waves, k), after ``burn_in`` waves from zero."""
        step, impact = self.step.T, self.impact.T
        state = np.zeros((units, len(self.same)))
        kept = np.empty((units, waves, len(self.same)))
        for wave in range(-burn_in, waves):
            state = state @ step + rng.standard_normal((units, len(impact))) @ impact
            if wave >= 0:
                kept[:, wave] = state
        return kept


class PanelOptions(TypedDict, total=False):
    """The arguments of :func:`panel` that describe units and paths, not measurement."""

    units: int
    waves: int
    ex_to_cx: float
    cx_to_ex: float
    same_wave: float
    carry_ex: float
    carry_cx: float
    stable_sd_ex: float
    stable_sd_cx: float
    stable_cor: float
    wave_sd: float
    shock_sd: float
    drift_sd: float
    drift_carry: float
    wave_shock_sd: float
    mediator: Mediator | None
    covariates: Mapping[str, Covariate] | None
    segments: Mapping[str, Segment] | None
    missing: float
    missing_waves_ex: Collection[int]
    missing_waves_cx: Collection[int]
    closures: float
    burn_in: int


def panel(
    *,
    units: int = 100,
    waves: int = 6,
    ex_to_cx: float = 0.0,
    cx_to_ex: float = 0.0,
    same_wave: float = 0.0,
    carry_ex: float = 0.3,
    carry_cx: float = 0.3,
    stable_sd_ex: float = 1.0,
    stable_sd_cx: float = 1.0,
    stable_cor: float = 0.0,
    wave_sd: float = 1.0,
    shock_sd: float = 0.0,
    drift_sd: float = 0.0,
    drift_carry: float = 0.8,
    wave_shock_sd: float = 0.3,
    error_sd_ex: float = 0.0,
    error_sd_cx: float = 0.0,
    mediator: Mediator | None = None,
    covariates: Mapping[str, Covariate] | None = None,
    segments: Mapping[str, Segment] | None = None,
    missing: float = 0.0,
    missing_waves_ex: Collection[int] = (),
    missing_waves_cx: Collection[int] = (),
    closures: float = 0.0,
    burn_in: int = 50,
    rng: int | np.random.Generator | None = None,
) -> Simulated:
    r"""Simulate a panel of units in which EX and CX move by known paths.

    What is observed of unit i at wave t is the sum of four parts::

        ex[i, t] = stable_x[i] + wave_x[t] + w_x[i, t] + error_x[i, t]
        cx[i, t] = stable_y[i] + wave_y[t] + w_y[i, t] + error_y[i, t]

    and the deviations of a unit from its own level follow::

        w_x[t] = carry_ex w_x[t-1] + cx_to_ex w_y[t-1] + shock[t] + drift[t] + e_x[t]
        w_y[t] = carry_cx w_y[t-1] + ex_to_cx w_x[t-1] + same_wave w_x[t]
                 + shock[t] + drift[t] + e_y[t]
        drift[t] = drift_carry drift[t-1] + e_d[t]

    All chance is normal and independent between units. ``shock`` is new in every wave,
    ``drift`` persists: both are causes that the two sides share and nobody measured. A
    :class:`Mediator` adds a third series.

    Parameters
    ----------
    units, waves : int
        Size of the panel; at least 2 units and 1 wave.
    ex_to_cx, cx_to_ex : float
        Cross-lagged paths: change of one side per unit of the other a wave before.
    same_wave : float
        Path from EX to CX within the wave.
    carry_ex, carry_cx : float
        Autoregressive paths: share of a deviation that is still there a wave later.
    stable_sd_ex, stable_sd_cx : float
        Standard deviations of the units' stable levels.
    stable_cor : float
        Correlation of the stable levels of EX and CX, -1 to 1. With covariates or segments,
        ``stable_sd_ex``, ``stable_sd_cx`` and ``stable_cor`` are those of the rest of the levels.
    wave_sd : float
        Standard deviation of the innovations e_x and e_y.
    shock_sd : float
        Standard deviation of the shocks that both sides of a unit share in one wave.
    drift_sd : float
        Standard deviation of the drift itself (its innovations have
        drift_sd sqrt(1 - drift_carry^2)).
    drift_carry : float
        Share of the drift that is still there a wave later; above -1 and below 1.
    wave_shock_sd : float
        Standard deviation of the effects that a wave has on all units, drawn anew for
        each side.
    error_sd_ex, error_sd_cx : float
        Standard deviations of the sampling error of the observed unit scores.
    mediator : Mediator, optional
        A third series m between EX and CX.
    covariates : mapping of str to Covariate, optional
        Names and traits of units that shift the stable levels.
    segments : mapping of str to Segment, optional
        Names and groupings of units (region, format) that shift the stable levels.
    missing : float
        Probability that a cell of one side is missing, completely at random and
        independently for ex, cx and m; 0 to below 1. Such cells are NaN.
    missing_waves_ex, missing_waves_cx : collection of int
        Waves in which employees (ex, and m with it) or customers were not surveyed at all.
    closures : float
        Share of the units that end early, 0 to 1. round(closures x units) units, drawn at
        random, have their last wave anywhere from wave 1 to the one before the last.
    burn_in : int
        Waves run from zero before the first that is kept.
    rng : int or numpy.random.Generator, optional
        Seed or generator; the same seed gives the same data.

    Returns
    -------
    Simulated
        With ``.frame``, ``.latent`` and ``.truth``. The entries of ``.truth``:

        - ``between``: slope of the stable levels of CX on those of EX; with covariates or
          segments also ``between_given_covariates``, the slope with all of them held constant.
        - ``between_unit_means``: slope of the observed unit means over all waves.
        - ``within_same_wave``: slope cov(w_y, w_x) / var(w_x) of the stationary process.
        - ``within_fixed_effects``: what a regression with unit and wave effects tends to as
          units grow in number while waves stay as few as they are.
        - ``ex_to_later_cx``, ``cx_to_later_ex``: effect of one wave's deviation on the next
          wave's by all routes that take one wave: ex_to_cx + same_wave carry_ex (+ a b
          carry_ex with a mediator of ``lag=0``), and cx_to_ex. This is what a cross-lagged
          path stands for; a mediator of ``lag=1`` adds its ``indirect`` two waves later.
        - ``ex_to_later_cx_direct``: ex_to_cx as given.
        - ``ex_to_later_cx_given_past``, ``cx_to_later_ex_given_past``: population slope of
          the next wave's deviation on this wave's, the receiving side's own deviation held
          constant. Differs from the effect where drift or a mediator is left out.
        - ``same_wave``, ``carry_ex``, ``carry_cx``: as given.
        - ``within_sd_ex``, ``within_sd_cx``, ``within_cor``: stationary standard deviations
          of w_x and w_y and their correlation.
        - with a mediator ``ex_to_m`` (a), ``m_to_cx`` (b) and ``indirect`` (a b).

        A slope on something that does not vary is NaN.

    Raises
    ------
    OptionError
        If an argument is outside its range, the process is not stationary, or the burn-in
        is too short for it.

    Notes
    -----
    The stationary covariance S of z = (w_x, w_y, ...) solves S = A S A' + Q with A the
    effects of one wave on the next and Q the covariance of what is new; a solution exists
    if all eigenvalues of A lie inside the unit circle.

    In few waves a unit's mean is not its stable level: it contains the mean of its
    deviations. Fixed-effects estimates of a dynamic process are therefore biased however
    many units there are [1]_, and unit means mix the slope between units with the slope
    over time. ``within_fixed_effects`` and ``between_unit_means`` say by how much for a
    complete panel; they include the attenuation by sampling error, and hold only
    approximately with missing cells, missing waves or closures.

    References
    ----------
    .. [1] Nickell, S. (1981). Biases in dynamic models with fixed effects. *Econometrica*,
       49(6), 1417-1426. https://doi.org/10.2307/1911408

    Examples
    --------
    >>> made = panel(units=50, waves=4, ex_to_cx=0.2, stable_cor=0.5, rng=1)
    >>> made.frame.shape
    (200, 4)
    >>> made.truth["between"], made.truth["ex_to_later_cx"]
    (0.5, 0.2)

    Although EX acts on CX only a wave later, the two move together in the same wave,
    because both carry over:

    >>> round(made.truth["within_same_wave"], 4)
    0.0659
    """
    checked_count("units", units, least=2)
    checked_count("waves", waves, least=1)
    checked_count("burn_in", burn_in, least=0)
    for name, value in {
        "ex_to_cx": ex_to_cx,
        "cx_to_ex": cx_to_ex,
        "same_wave": same_wave,
        "carry_ex": carry_ex,
        "carry_cx": carry_cx,
    }.items():
        checked(name, value)
    for name, value in {
        "stable_sd_ex": stable_sd_ex,
        "stable_sd_cx": stable_sd_cx,
        "wave_sd": wave_sd,
        "shock_sd": shock_sd,
        "drift_sd": drift_sd,
        "wave_shock_sd": wave_shock_sd,
        "error_sd_ex": error_sd_ex,
        "error_sd_cx": error_sd_cx,
    }.items():
        checked(name, value, low=0.0)
    checked("stable_cor", stable_cor, low=-1.0, high=1.0)
    checked("closures", closures, low=0.0, high=1.0)
    checked("missing", missing, low=0.0, high=1.0, below=True)
    checked("drift_carry", drift_carry, low=-1.0, high=1.0, above=True, below=True)
    if mediator is not None and not isinstance(mediator, Mediator):
        raise OptionError(
            f"mediator={mediator!r} is not accepted.",
            code="not-accepted",
            fix="Give simulate.Mediator(a=..., b=...) or None.",
        )
    names = ["ex", "cx"] if mediator is None else ["ex", "cx", "m"]
    covariates, segments = covariates or {}, segments or {}
    check_columns("covariates", covariates, Covariate, taken=["unit", "wave", *names])
    check_columns("segments", segments, Segment, taken=["unit", "wave", *names, *covariates])
    skipped = {
        "ex": _checked_waves("missing_waves_ex", missing_waves_ex, waves),
        "cx": _checked_waves("missing_waves_cx", missing_waves_cx, waves),
    }
    closing = round(closures * units)
    if closing and waves < 2:
        raise OptionError(
            f"closures={closures} needs at least 2 waves, waves={waves} was given: with one wave "
            "no unit can end early.",
            code="too-few-waves",
            fix="Give more waves or closures=0.",
        )

    process = _process(
        ex_to_cx=ex_to_cx,
        cx_to_ex=cx_to_ex,
        same_wave=same_wave,
        carry_ex=carry_ex,
        carry_cx=carry_cx,
        wave_sd=wave_sd,
        shock_sd=shock_sd,
        drift_sd=drift_sd,
        drift_carry=drift_carry,
        mediator=mediator,
    )
    _check_stationary(process, burn_in)
    series = len(names)
    stable_sd = np.array([stable_sd_ex, stable_sd_cx])
    error_sd = np.array([error_sd_ex, error_sd_cx])
    if mediator is not None:
        stable_sd = np.append(stable_sd, mediator.stable_sd)
        error_sd = np.append(error_sd, mediator.error_sd)
        skipped["m"] = skipped["ex"]
    correlation = np.eye(series)
    correlation[0, 1] = correlation[1, 0] = stable_cor
    alike = np.outer(stable_sd, stable_sd) * correlation
    observed_series = np.ix_(_OBSERVED[:series], _OBSERVED[:series])
    population = Population(
        stable=alike + _added_covariance(covariates, segments, series),
        within=process.covariance()[observed_series],
        mean=process.covariance_of_mean(waves)[observed_series],
        waves=waves,
    )
    truth = _truth(process, population, error_sd**2, mediator)
    if covariates or segments:
        truth["between_given_covariates"] = ratio(alike[_Y, _X], alike[_X, _X])
    truth |= {
        "ex_to_later_cx_direct": float(ex_to_cx),
        "same_wave": float(same_wave),
        "carry_ex": float(carry_ex),
        "carry_cx": float(carry_cx),
    }

    generate = options.rng(rng)
    stable = generate.standard_normal((units, series))
    stable[:, 1] = stable_cor * stable[:, 0] + math.sqrt(1 - stable_cor**2) * stable[:, 1]
    stable *= stable_sd
    common = wave_shock_sd * generate.standard_normal((waves, series))
    states = process.run(generate, units=units, waves=waves, burn_in=burn_in)
    within = states[:, :, _OBSERVED[:series]]
    error = error_sd * generate.standard_normal((units, waves, series))
    lost = generate.random((units, waves, series)) < missing
    for column, name in enumerate(names):
        lost[:, skipped[name], column] = True
    last = np.full(units, waves)
    if closing:
        last[generate.permutation(units)[:closing]] = generate.integers(1, waves, closing)
    traits: dict[str, npt.NDArray[np.object_] | Array] = {}
    for name, covariate in covariates.items():
        away = covariate.sd * generate.standard_normal(units)
        stable[:, :2] += np.outer(away, [covariate.ex, covariate.cx])
        traits[name] = covariate.mean + away
    for name, segment in segments.items():
        member = generate.choice(len(segment.shares), units, p=segment.probabilities)
        for column, side in enumerate(("ex", "cx")):
            stable[:, column] += segment.shifts(side)[member]
        traits[name] = np.array(segment.groups, dtype=object)[member]
    true = stable[:, None, :] + common + within
    observed = true + error
    observed[lost] = np.nan

    unit = np.repeat(np.arange(units), waves)
    wave = np.tile(np.arange(1, waves + 1), units)
    keep = wave <= last[unit]
    unit, wave = unit[keep], wave[keep]

    def listed(values: Array, prefix: str = "") -> dict[str, Array]:
        """Columns of values of shape (units, waves, series), one row per unit and wave kept."""
        return {f"{prefix}{name}": values[unit, wave - 1, k] for k, name in enumerate(names)}

    keys = {"unit": labels("U", units)[unit], "wave": wave}
    levels = np.broadcast_to(stable[:, None, :], true.shape)
    under = listed(true) | listed(levels, "stable_") | listed(within, "within_")
    under["drift"] = states[unit, wave - 1, _DRIFT]
    return Simulated(
        frame=pd.DataFrame(
            keys | listed(observed) | {name: trait[unit] for name, trait in traits.items()}
        ),
        latent=pd.DataFrame(keys | under),
        truth=truth,
        population=population,
    )


def _checked_waves(name: str, given: Collection[int], waves: int) -> list[int]:
    """Return places (from 0) of waves that are missing; some wave must be left."""
    places = sorted({checked_count(name, wave, least=1) - 1 for wave in given})
    if places and (places[-1] >= waves or len(places) == waves):
        raise OptionError(
            f"{name}={tuple(given)} is not accepted.",
            code="out-of-range",
            fix=f"Give waves from 1 to {waves} and leave one.",
        )
    return places


def _added_covariance(
    covariates: Mapping[str, Covariate], segments: Mapping[str, Segment], series: int
) -> Array:
    """Covariance of what covariates and segments add to the stable levels."""
    added = np.zeros((series, series))
    for covariate in covariates.values():
        effect = covariate.sd * np.array([covariate.ex, covariate.cx])
        added[:2, :2] += np.outer(effect, effect)
    for segment in segments.values():
        added[:2, :2] += segment.covariance()
    return added


def _process(
    *,
    ex_to_cx: float,
    cx_to_ex: float,
    same_wave: float,
    carry_ex: float,
    carry_cx: float,
    wave_sd: float,
    shock_sd: float,
    drift_sd: float,
    drift_carry: float,
    mediator: Mediator | None,
) -> Process:
    """Write the paths as matrices; sources of chance are e_x, e_y, e_d, [e_m,] shock."""
    k = 3 if mediator is None else 4
    same, lagged, loadings = np.zeros((k, k)), np.zeros((k, k)), np.zeros((k, k + 1))
    same[_Y, _X] = same_wave
    same[_X, _DRIFT] = same[_Y, _DRIFT] = 1.0
    lagged[_X, _X], lagged[_X, _Y] = carry_ex, cx_to_ex
    lagged[_Y, _Y], lagged[_Y, _X] = carry_cx, ex_to_cx
    lagged[_DRIFT, _DRIFT] = drift_carry
    loadings[_X, _X] = loadings[_Y, _Y] = wave_sd
    loadings[_X, -1] = loadings[_Y, -1] = shock_sd
    loadings[_DRIFT, _DRIFT] = drift_sd * math.sqrt(1 - drift_carry**2)
    if mediator is not None:
        legs = lagged if mediator.lag == 1 else same
        legs[_M, _X], legs[_Y, _M] = mediator.a, mediator.b
        lagged[_M, _M] = mediator.carry
        loadings[_M, _M] = mediator.wave_sd
    return Process(same, lagged, loadings)


def _check_stationary(process: Process, burn_in: int) -> None:
    """Raise if deviations would grow without end or have not settled after the burn-in."""
    radius = process.radius
    if radius >= 1 - 1e-9:
        raise OptionError(
            "These paths give a process that is not stationary: its largest eigenvalue is "
            f"{radius:.3f} in absolute value and must be below 1.",
            code="not-stationary",
            fix=(
                "Lower carry_ex, carry_cx, ex_to_cx, cx_to_ex, same_wave or the mediator's paths."
            ),
        )
    lacking = process.lacking(burn_in)
    if lacking > BURN_IN_TOLERANCE:
        enough = max(burn_in, 1)
        while process.lacking(enough) > BURN_IN_TOLERANCE:
            enough *= 2
        raise OptionError(
            f"burn_in={burn_in} is too short for these paths: the first wave would lack "
            f"{lacking:.0%} of its variance, at most {BURN_IN_TOLERANCE:.0%} is accepted.",
            code="out-of-range",
            fix=f"burn_in={enough} is enough.",
        )


def _truth(
    process: Process, population: Population, error: Array, mediator: Mediator | None
) -> dict[str, float]:
    """Return the population slopes that follow from the process; see the list under ``panel``."""
    both = np.ix_([_X, _Y], [_X, _Y])
    step = process.step
    stable, current = population.stable, population.within[both]
    means, deviations = population.of_unit_means(error), population.around_unit_means(error)
    if np.linalg.matrix_rank(current) == 2:
        past = np.linalg.solve(current, (step @ process.covariance())[both].T).T
    else:
        past = np.full((2, 2), np.nan)
    sd_ex, sd_cx = np.sqrt(np.diag(current))
    truth = {
        "between": ratio(stable[_Y, _X], stable[_X, _X]),
        "between_unit_means": ratio(means[_Y, _X], means[_X, _X]),
        "within_same_wave": ratio(current[_Y, _X], current[_X, _X]),
        "within_fixed_effects": ratio(deviations[_Y, _X], deviations[_X, _X]),
        "ex_to_later_cx": float(step[_Y, _X]),
        "cx_to_later_ex": float(step[_X, _Y]),
        "ex_to_later_cx_given_past": float(past[_Y, _X]),
        "cx_to_later_ex_given_past": float(past[_X, _Y]),
        "within_sd_ex": float(sd_ex),
        "within_sd_cx": float(sd_cx),
        "within_cor": ratio(current[_Y, _X], sd_ex * sd_cx),
    }
    if mediator is not None:
        truth["ex_to_m"] = float(mediator.a)
        truth["m_to_cx"] = float(mediator.b)
        truth["indirect"] = float(mediator.a * mediator.b)
    return truth


def ratio(numerator: float, denominator: float) -> float:
    """Return the quotient, NaN where the denominator is not above zero."""
    return float(numerator / denominator) if denominator > 0 else math.nan


def labels(letter: str, count: int) -> npt.NDArray[np.object_]:
    """Return names that sort as they count.

    Examples
    --------
    >>> labels("S", 2).tolist()
    ['S001', 'S002']
    """
    width = max(3, len(str(count)))
    return np.array([f"{letter}{k:0{width}d}" for k in range(1, count + 1)], dtype=object)


def checked(
    name: str,
    value: object,
    *,
    low: float = -math.inf,
    high: float = math.inf,
    above: bool = False,
    below: bool = False,
) -> float:
    """Return a finite number between ``low`` and ``high``, or raise an OptionError.

    Examples
    --------
    >>> checked("missing", 1.5, low=0.0, high=1.0, below=True)
    Traceback (most recent call last):
    ...
    eecx.errors.OptionError: missing=1.5 is not accepted. Give a number at least 0 and below 1.
    """
    if not isinstance(value, bool) and isinstance(value, numbers.Real):
        number = float(value)
        over = number > low if above else number >= low
        under = number < high if below else number <= high
        if math.isfinite(number) and over and under:
            return number
    bounds = []
    if low > -math.inf:
        bounds.append(f"{'above' if above else 'at least'} {low:g}")
    if high < math.inf:
        bounds.append(f"{'below' if below else 'at most'} {high:g}")
    accepted = f"number {' and '.join(bounds)}" if bounds else "finite number"
    raise OptionError(
        f"{name}={value!r} is not accepted.",
        code="out-of-range",
        fix=f"Give a {accepted}.",
    )


def checked_count(name: str, value: object, *, least: int) -> int:
    """Return a whole number of at least ``least``, or raise an OptionError."""
    if not isinstance(value, bool) and isinstance(value, numbers.Integral):
        count = int(value)
        if count >= least:
            return count
    raise OptionError(
        f"{name}={value!r} is not accepted.",
        code="out-of-range",
        fix=f"Give a whole number, {least} or more.",
    )


def check_columns(argument: str, given: object, kind: type, *, taken: Collection[str]) -> None:
    """Raise unless ``given`` maps names of columns that are not taken to instances of ``kind``."""
    if not isinstance(given, Mapping):
        raise OptionError(
            f"{argument}={given!r} is not accepted.",
            code="wrong-type",
            fix=f"Give a mapping of names to simulate.{kind.__name__}(...).",
        )
    for name, value in given.items():
        if not isinstance(name, str) or name in taken:
            raise OptionError(
                f"{argument} names {name!r}.",
                code="name-taken",
                fix=f"Give text other than {listing(taken)}, which are columns already.",
            )
        if not isinstance(value, kind):
            raise OptionError(
                f"{argument}[{name!r}]={value!r} is not accepted.",
                code="wrong-type",
                fix=f"Give a simulate.{kind.__name__}(...).",
            )
