r"""Intraclass correlations of people in units: ICC(1) and ICC(2), by ANOVA and by a mixed model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from .. import frames, options, plotting
from ..errors import Caution, DataError, listing
from ..numerics.roots import root
from ..results import Result, p_phrase, recorded, tidy
from ..sources import people
from .answers import Scores, by_unit, counted, read_scores, withheld

__all__ = ["Anova", "anova", "icc", "variance_components"]

Array = npt.NDArray[np.float64]
Whole = npt.NDArray[np.intp]


def icc(
    data: object,
    x: str,
    *,
    unit: str | None = None,
    wave: str | None = None,
    disclosure_n: int = 5,
    conf_level: float = 0.95,
    parse: frames.Parse | None = None,
) -> Result:
    r"""Share of variance between units, ICC(1), and reliability of a unit's mean, ICC(2).

    With mean squares between and within units and the unequal-size
    :math:`k_0 = (N - \sum n_i^2/N)/(G - 1)`:

    .. math:: ICC(1) = \frac{MSB - MSW}{MSB + (k_0 - 1) MSW}, \qquad ICC(2) = 1 - \frac{MSW}{MSB}

    Parameters
    ----------
    data : Survey, frame, path or Moments
    x : str
        A measure of the Survey, or a column with one score per person.
    unit, wave : str
        Key columns of a frame. With waves, groups are units in a wave and the waves' means are
        taken out: the figures speak of differences between units in the same wave.
    disclosure_n : int
        Units with fewer respondents are withheld from ``.tables["units"]``; they are part of the
        sums over all. So that no small unit follows from those sums, the next larger ones are
        withheld too until this many respondents are.
    conf_level : float

    Returns
    -------
    Result
        ``.table``: rows ``ICC(1)``, ``ICC(2)``, ``ICC(1), average size`` (N/G in place of
        :math:`k_0`, as R's multilevel prints it), ``ICC(1), REML`` and ``ICC(1), ML``
        (:math:`\tau^2/(\tau^2 + \sigma^2)` of the random-intercept model), ``ICC(2), REML``
        (stepped up with N/G) and ``eta squared``. Intervals invert the F test; they are exact for
        units of one size and normal scores. The F test, of ``df`` and ``df_denominator``, stands
        with ``ICC(1)``. ``.tables["units"]``: ``unit``, ``wave``, n, mean, SD and the reliability
        of each unit's own mean, :math:`\tau^2/(\tau^2 + \sigma^2/n_i)`. ``.stats``: n, units,
        waves, groups (units, or units × waves), k0, k_mean (N/G), msb, msw, tau2, sigma2,
        left_out, withheld (groups).

    Raises
    ------
    DataError
        Fewer than two units, no unit with two people, or all scores alike.

    Notes
    -----
    ICC(1) by ANOVA can be negative: people of a unit then differ more than people at large. Shrout
    and Fleiss (1979), https://doi.org/10.1037/0033-2909.86.2.420; LeBreton and Senter (2008),
    https://doi.org/10.1177/1094428106296642.

    Examples
    --------
    >>> import eecx, pandas as pd
    >>> people = pd.DataFrame({"team": list("aabbcc"), "score": [1.0, 2, 3, 5, 4, 4]})
    >>> found = eecx.icc(people, "score", unit="team")
    >>> round(float(found["ICC(1)"]["estimate"]), 3)
    0.667
    """
    asked = dict(locals())
    source = people(data, "icc", unit=unit, wave=wave, parse=parse)
    options.conf_level(conf_level)
    least = options.disclosure_n(disclosure_n)
    scores = read_scores(source, x, parse=parse)
    found = anova(scores)
    tau2, sigma2 = variance_components(scores, "reml")
    table = _table(found, scores, (tau2, sigma2), conf_level)
    units = _units(scores, tau2, sigma2, least)
    return Result(
        "icc",
        table,
        recorded(
            icc, asked, data=source.of_people(least, scores), unit=scores.unit, wave=scores.wave
        ),
        {
            "n": int(found.n),
            **counted(scores.keys),
            "k0": found.k0,
            "k_mean": found.k_mean,
            "msb": found.msb,
            "msw": found.msw,
            "tau2": tau2,
            "sigma2": sigma2,
            "left_out": scores.left_out,
            "withheld": int((units["status"] == "withheld").sum()),
        },
        _methods(found, scores, table, conf_level),
        tables={"units": units},
        warnings=_cautions(found, x),
        references=("shrout1979", "lebreton2008"),
        figure=_figure,
        title=x,
        statistic="F",
        unused=("std_error",),
    )


@dataclass(frozen=True)
class Anova:
    """One-way analysis of variance, of units within waves where there are waves."""

    n: float
    groups: int
    blocks: int
    ssb: float
    ssw: float
    k0: float

    @property
    def dfb(self) -> float:
        """Degrees of freedom between units."""
        return self.groups - self.blocks

    @property
    def dfw(self) -> float:
        """Degrees of freedom within units."""
        return self.n - self.groups

    @property
    def k_mean(self) -> float:
        """Respondents per unit."""
        return self.n / self.groups

    @property
    def msb(self) -> float:
        """Mean square between units."""
        return self.ssb / self.dfb

    @property
    def msw(self) -> float:
        """Mean square within units."""
        return self.ssw / self.dfw

    @property
    def f(self) -> float:
        """The F statistic."""
        return self.msb / self.msw if self.msw > 0 else np.inf

    @property
    def p(self) -> float:
        """Its p value."""
        return float(special.fdtrc(self.dfb, self.dfw, self.f)) if np.isfinite(self.f) else 0.0

    def icc1(self, k: float, f: float | None = None) -> float:
        """Return ICC(1) for groups of k, at another F if one is given."""
        f = self.f if f is None else f
        return 1.0 if np.isinf(f) else (f - 1) / (f + k - 1)

    def limits(self, conf_level: float) -> tuple[float, float]:
        """Return the F values that bound the interval of F's population value."""
        tail = (1 - conf_level) / 2
        low = self.f / float(special.fdtri(self.dfb, self.dfw, 1 - tail))
        return low, self.f * float(special.fdtri(self.dfw, self.dfb, 1 - tail))


def anova(scores: Scores) -> Anova:
    """Analyse the variance of scores between and within units."""
    n, block = scores.n, scores.block
    total = np.bincount(block, n)
    if len(n) - len(total) < 1:
        raise DataError(
            f"{listing(scores.keys.columns)} have {len(n)} cells with {scores.name!r}: differences "
            "between units need at least two units in a wave.",
            code="too-few-units",
            fix="Add units, or group people by a smaller unit.",
        )
    if n.sum() <= len(n):
        raise DataError(
            f"Every unit has one respondent with {scores.name!r}: differences within units cannot "
            "be told.",
            code="too-few-people",
            fix="Is unit= the column of the person? Name the column of the units.",
        )
    centre = np.bincount(block, n * scores.mean) / total
    away = scores.mean - centre[block]
    ssb, ssw = float(n @ away**2), float(scores.m2.sum())
    if ssb <= 0 and ssw <= 0:
        raise DataError(
            f"All values of {scores.name!r} are alike: nothing varies.",
            code="constant-column",
            fix="Leave it out.",
        )
    k0 = (n.sum() - float(np.sum(np.bincount(block, n**2) / total))) / (len(n) - len(total))
    return Anova(float(n.sum()), len(n), len(total), ssb, ssw, float(k0))


def variance_components(scores: Scores, method: Literal["reml", "ml"]) -> tuple[float, float]:
    r"""Return :math:`\tau^2` and :math:`\sigma^2` of the random-intercept model.

    With :math:`\theta = \tau^2/\sigma^2` and :math:`w_i = n_i/(1 + n_i\theta)`, the likelihood
    needs of the data n, mean and squares of each unit only; its derivative in :math:`\theta` is
    followed to zero. Waves, where there are any, have their own means.
    """
    n, block, mean = scores.n, scores.block, scores.mean
    ssw, total = float(scores.m2.sum()), float(n.sum())
    waves = int(block.max()) + 1
    free = total - (waves if method == "reml" else 0)

    def parts(theta: float) -> tuple[Array, Array, Array, float]:
        w = n / (1 + n * theta)
        sums = np.asarray(np.bincount(block, w), dtype=float)
        away = mean - (np.bincount(block, w * mean) / sums)[block]
        return w, sums, away, (ssw + float(w @ away**2)) / free

    def slope(theta: float) -> float:
        w, sums, away, sigma2 = parts(theta)
        change = float(w.sum()) - float(w**2 @ away**2) / sigma2
        if method == "reml":
            change -= float(np.sum(np.bincount(block, w**2) / sums))
        return change

    if ssw <= 0:
        return float(np.var(mean, ddof=1)), 0.0
    high = 1.0
    if slope(0.0) >= 0:
        return 0.0, parts(0.0)[3]
    while slope(high) < 0:
        high *= 4
        if high > 1e12:
            return float(np.var(mean, ddof=1)), ssw / (total - len(n))
    theta = root(slope, 0.0, high, within=1e-15)
    sigma2 = parts(theta)[3]
    return theta * sigma2, sigma2


def _table(
    found: Anova, scores: Scores, reml: tuple[float, float], conf_level: float
) -> pd.DataFrame:
    low, high = found.limits(conf_level)
    ml = variance_components(scores, "ml")
    shares = [t / (t + s) if t + s > 0 else np.nan for t, s in (reml, ml)]
    k = found.k_mean
    two = (1 - 1 / found.f, 1 - 1 / low, 1 - 1 / high) if found.f > 0 else (-np.inf,) * 3
    none = (np.nan, np.nan)
    rows: list[tuple[Any, ...]] = [
        ("ICC(1)", found.icc1(found.k0), found.icc1(found.k0, low), found.icc1(found.k0, high)),
        ("ICC(2)", *two),
        ("ICC(1), average size", found.icc1(k), found.icc1(k, low), found.icc1(k, high)),
        ("ICC(1), REML", shares[0], *none),
        ("ICC(1), ML", shares[1], *none),
        ("ICC(2), REML", k * shares[0] / (1 + (k - 1) * shares[0]), *none),
        ("eta squared", found.ssb / (found.ssb + found.ssw), *none),
    ]
    terms, estimates, lows, highs = zip(*rows, strict=True)

    def of_first(value: float) -> list[float]:
        return [value] + [np.nan] * (len(rows) - 1)

    numbers: dict[str, Sequence[float]] = {
        "estimate": estimates,
        "statistic": of_first(found.f),
        "df": of_first(found.dfb),
        "p_value": of_first(found.p),
        "conf_low": lows,
        "conf_high": highs,
    }
    return tidy({"term": terms}, numbers, {"df_denominator": of_first(found.dfw)})


def _units(scores: Scores, tau2: float, sigma2: float, least: int) -> pd.DataFrame:
    with np.errstate(divide="ignore", invalid="ignore"):
        sd = np.sqrt(np.where(scores.n > 1, scores.m2 / (scores.n - 1), np.nan))
        own = tau2 / (tau2 + sigma2 / scores.n) if tau2 > 0 else np.zeros(len(scores.n))
    values = {"mean": scores.mean, "sd": sd, "reliability": own}
    return by_unit(scores.keys, scores.n, values, least, with_sums=True)


def _methods(found: Anova, scores: Scores, table: pd.DataFrame, conf_level: float) -> str:
    one, two = table.iloc[0], table.iloc[1]
    f = f"{found.f:.2f}" if np.isfinite(found.f) else "∞"
    return (
        f"Of the variance of {scores.name} among {int(found.n)} respondents, "
        f"{100 * max(one['estimate'], 0):.1f}% lay between {len(scores.n)} "
        f"{'units' if scores.wave is None else 'units × waves, within waves'} (ICC(1) = "
        f"{one['estimate']:.3f}, {100 * conf_level:g}% CI {one['conf_low']:.3f} to "
        f"{one['conf_high']:.3f}; F({found.dfb:.0f}, {found.dfw:.0f}) = "
        f"{f}, {p_phrase(found.p)}). The mean of a unit of average size had a reliability of "
        f"ICC(2) = {two['estimate']:.3f} ({two['conf_low']:.3f} to {two['conf_high']:.3f})."
    )


def _cautions(found: Anova, x: str) -> tuple[Caution, ...]:
    out = []
    if found.msb < found.msw:
        message = "ICC(1) is negative: people of a unit differ more than people of different units."
        out.append(Caution("negative-icc", message, x))
    if found.dfb < 9:
        message = f"{found.groups} groups say little about differences between units."
        out.append(Caution("few-units", message, x))
    return tuple(out)


def _figure(result: Result, ax: Any = None, **options: Any) -> Any:
    units = result.tables["units"]
    rows = pd.DataFrame({"group": result.title, "value": units["reliability"]}).dropna()
    given = {
        "label": "reliability of the unit's mean",
        "title": f"How reliable are unit means of {result.title}?",
        "marks": {0.7: "customary .70"},
        "caption": withheld(result),
    }
    return plotting.distribution(rows, ax=ax, **(given | options))
