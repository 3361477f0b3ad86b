"""Do two correlations differ? Of two samples, or of one sample's two pairs of measures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from .. import options, plotting
from ..errors import Caution, DataError, OptionError, listing
from ..models.capabilities import Uses
from ..models.joint import combined
from ..numerics.intervals import fisher
from ..results import NUMBERS, Result, fingerprint, p_phrase, recorded, tidy
from ..sources import Source, unit_waves
from .correlations import (
    LEAST,
    LEVELS,
    Complete,
    Level,
    Sums,
    asked_of,
    clustered_r,
    read_source,
    robust_ends,
    sums_at,
)

__all__ = ["compare_correlations", "shared_part"]

Array = npt.NDArray[np.float64]
Row = dict[str, Any]

USES = Uses("compare_correlations", effects=LEVELS, clusters=1, called="level")

FORMS = {
    "independent": ("r1", "n1", "r2", "n2"),
    "overlapping": ("r_jk", "r_jh", "r_kh", "n"),
    "non-overlapping": ("r_jk", "r_hm", "r_jh", "r_jm", "r_kh", "r_km", "n"),
}


def compare_correlations(
    data: object = None,
    first: Sequence[str] | None = None,
    second: Sequence[str] | None = None,
    *,
    other: object = None,
    unit: str | None = None,
    wave: str | None = None,
    level: Level = "pooled",
    cluster: str | None = None,
    r1: float | None = None,
    n1: float | None = None,
    r2: float | None = None,
    n2: float | None = None,
    r_jk: float | None = None,
    r_jh: float | None = None,
    r_kh: float | None = None,
    r_hm: float | None = None,
    r_jm: float | None = None,
    r_km: float | None = None,
    n: float | None = None,
    conf_level: float = 0.95,
) -> Result:
    r"""Compare two correlations by all tests in use: independent, overlapping or not.

    *Independent*: the same pair in two samples. *Overlapping*: of one sample, r_jk against r_jh,
    which share j ("does nps go more with engagement than with pay?"). *Non-overlapping*: r_jk
    against r_hm of four measures. Two correlations of one sample vary together; with

    .. math:: c = \tfrac12 r_{jk} r_{hm} (r_{jh}^2 + r_{jm}^2 + r_{kh}^2 + r_{km}^2)
              + r_{jh} r_{km} + r_{jm} r_{kh}
              - (r_{jk} r_{jh} r_{jm} + r_{jk} r_{kh} r_{km} + r_{jh} r_{kh} r_{hm}
              + r_{jm} r_{km} r_{hm})

    (overlapping: m = j), n times the covariance of the two r, and
    :math:`\bar c = c / ((1 - r_{jk}^2)(1 - r_{hm}^2))` that of their z, the common form of test is

    .. math:: \frac{(z_{jk} - z_{hm}) \sqrt{n - 3}}{\sqrt{2 - 2 \bar c}}

    Parameters
    ----------
    data : Panel, data frame or Moments, optional
        With ``first`` and ``second``, the names of two columns each; both pairs alike where
        ``other`` holds a second, independent sample.
    first, second : two names each
        ``("nps", "engagement")`` and ``("nps", "pay")``. ``second`` is ``first`` with ``other``
        unless given.
    other : data frame, Panel or Moments, optional
        A second sample, of other units.
    unit, wave, level, cluster
        As in :func:`eecx.correlations`. Where rows are related, the tests of the literature do not
        hold, and the only row is ``"clustered"``: the difference of the clusters' pulls, t with
        G - 1 degrees of freedom.
    r1, n1, r2, n2 : float
        Two independent correlations and their sample sizes, in place of data.
    r_jk, r_jh, r_kh, n : float
        Overlapping correlations: r_jk is compared with r_jh.
    r_jk, r_hm, r_jh, r_jm, r_kh, r_km, n : float
        Non-overlapping: r_jk is compared with r_hm.
    conf_level : float

    Returns
    -------
    Result
        ``.table``: one row per ``test`` and its ``scale`` (difference of r or of z), ``estimate,
        …``; tests of z have no df. An interval stands where the test's authors gave one:
        ``fisher1925`` and ``meng1992`` of the difference of z, ``zou2007`` (an interval only) of
        the difference of r, which is the one to read. ``.tables["correlations"]``: the
        correlations. ``.stats``: n (n1 and n2 of two samples), left_out, clusters.

    Raises
    ------
    ColumnError, DataError, OptionError
        Unknown names, fewer than four rows, correlations beyond 1 or that no sample can have.

    Notes
    -----
    Tests, by the names of R's cocor (Diedenhofen and Musch 2015,
    https://doi.org/10.1371/journal.pone.0121945): ``pearson1898``, ``hotelling1940``,
    ``williams1959``, ``olkin1967`` (the same as Pearson and Filon's), ``dunn1969``,
    ``hendrickson1970``, ``steiger1980``, ``meng1992``, ``raghunathan1996``, ``hittner2003``,
    ``silver2004``, ``zou2007``, ``fisher1925``. They ask one question: choose before looking. A
    usual choice is Steiger's z with Zou's interval. Hotelling's t supposes the observed values of
    all but the shared measure as fixed, and errs otherwise.

    All suppose normal, independent rows. Unequal reliability makes correlations differ, too.

    References
    ----------
    Steiger, J. H. (1980). Tests for comparing elements of a correlation matrix. Psychological
    Bulletin, 87, 245–251. https://doi.org/10.1037/0033-2909.87.2.245

    Meng, X.-L., Rosenthal, R., & Rubin, D. B. (1992). Comparing correlated correlation
    coefficients. Psychological Bulletin, 111, 172–175. https://doi.org/10.1037/0033-2909.111.1.172

    Zou, G. Y. (2007). Toward using confidence intervals to compare correlations. Psychological
    Methods, 12, 399–413. https://doi.org/10.1037/1082-989X.12.4.399

    Examples
    --------
    >>> from eecx import compare_correlations
    >>> found = compare_correlations(r_jk=0.5, r_jh=0.3, r_kh=0.4, n=103)
    >>> round(float(found["steiger1980"]["p_value"]), 3)
    0.039
    >>> found["zou2007"][["conf_low", "conf_high"]].astype(float).round(3).tolist()
    [0.011, 0.39]
    """
    asked = dict(locals())
    options.conf_level(conf_level)
    numbers = {
        "r1": r1, "n1": n1, "r2": r2, "n2": n2, "r_jk": r_jk, "r_jh": r_jh, "r_kh": r_kh,
        "r_hm": r_hm, "r_jm": r_jm, "r_km": r_km, "n": n,
    }  # fmt: skip
    given = {name: value for name, value in numbers.items() if value is not None}
    if data is None:
        if strange := [
            k
            for k, v in {"first": first, "second": second, "other": other}.items()
            if v is not None
        ]:
            raise OptionError(
                f"{strange[0]}= needs data=.", code="needs-data", fix="Give data= first."
            )
        case = _of_numbers(given)
    else:
        if given:
            raise OptionError(
                f"Give data= or {next(iter(given))}=, not both.",
                code="not-accepted",
                fix="Leave one of them out.",
            )
        case = _of_data(data, first, second, other, unit, wave, level, cluster)
    rows = case.tests(conf_level)
    table = tidy(
        {name: [row[name] for row in rows] for name in ("test", "scale")},
        {name: [row[name] for row in rows] for name in NUMBERS},
    )
    return Result(
        "compare_correlations",
        table,
        recorded(
            compare_correlations,
            asked,
            data=case.mark,
            cluster=None if case.robust is None else case.robust.by,
            other=other is not None,
            kind=case.kind,
        ),
        case.stats,
        _methods(case, table, conf_level),
        tables={"correlations": case.correlations(conf_level)},
        warnings=case.warnings,
        figure=_figure,
        title=f"{case.labels[0]} against {case.labels[1]} ({case.kind})",
        statistic=case.statistic,
    )


# ---------------------------------------------------------------------- what is compared


@dataclass(frozen=True, eq=False)
class Robust:
    """Errors of two correlations, and of their difference, that clusters show."""

    se: tuple[float, float]
    df: tuple[float, float]
    se_difference: float
    df_difference: float
    by: str


@dataclass(frozen=True, eq=False)
class Case:
    """Two correlations, and what their tests need."""

    kind: str
    labels: tuple[str, str]
    r: tuple[float, float]
    n: tuple[float, float]
    stats: dict[str, Any]
    mark: str
    between: tuple[float, float, float, float] | None = None  # r_jh, r_jm, r_kh, r_km
    robust: Robust | None = None
    warnings: tuple[Caution, ...] = ()

    @property
    def statistic(self) -> str:
        """What the statistics are: z, t of clusters, or both kinds."""
        if self.robust is not None:
            return "t"
        return "z, t" if self.kind == "overlapping" else "z"

    def tests(self, conf_level: float) -> list[Row]:
        """Return one row per test."""
        if self.robust is not None:
            return [_clustered(self.r, self.robust, conf_level)]
        if self.between is None:
            return _independent(self.r, self.n, conf_level)
        if self.kind == "overlapping":
            return _overlapping(*self.r, self.between[2], self.n[0], conf_level)
        return _apart(*self.r, self.between, self.n[0], conf_level)

    def correlations(self, conf_level: float) -> pd.DataFrame:
        """Return the two correlations with intervals, Fisher's where rows are independent."""
        ends = [fisher(r, n, conf_level) for r, n in zip(self.r, self.n, strict=True)]
        if self.robust is not None:
            r, se, df = (np.array(v) for v in (self.r, self.robust.se, self.robust.df))
            low, high = robust_ends(r, se, df, conf_level)
            ends = list(zip(low.tolist(), high.tolist(), strict=True))
        rows = zip(self.labels, self.r, *zip(*ends, strict=True), self.n, strict=True)
        return pd.DataFrame(rows, columns=["pair", "estimate", "conf_low", "conf_high", "n"])


def _of_numbers(given: dict[str, float]) -> Case:
    kind = next((k for k, names in FORMS.items() if set(names) == set(given)), None)
    if kind is None:
        forms = "; ".join(f"{k}: {', '.join(names)}" for k, names in FORMS.items())
        raise OptionError(
            f"{', '.join(given) or 'Nothing'} given.",
            code="not-accepted",
            fix=f"Accepted are data= with first= and second=, or all of one of these — {forms}.",
        )
    for name, value in given.items():
        number = isinstance(value, Real) and not isinstance(value, bool)
        size = name in ("n", "n1", "n2")
        if not size and not (number and -1 < value < 1):
            raise OptionError(
                f"{name}={value!r:.60}: a correlation between -1 and 1, both excluded.",
                code="out-of-range" if number else "wrong-type",
                fix=f"Give one, such as {name}=0.3.",
            )
        if size and not (number and np.isfinite(value) and value >= LEAST):
            raise OptionError(
                f"{name}={value!r:.60}: at least {LEAST} cases are needed.",
                code="too-few-rows" if number else "wrong-type",
                fix=f"Give the number of cases, such as {name}=100.",
            )
    mark = fingerprint("|".join(given), np.array(list(given.values()), dtype=float))
    g = {name: float(value) for name, value in given.items()}
    if kind == "independent":
        stats = {"n1": g["n1"], "n2": g["n2"]}
        return Case(kind, ("r1", "r2"), (g["r1"], g["r2"]), (g["n1"], g["n2"]), stats, mark)
    if kind == "overlapping":
        r, labels = (g["r_jk"], g["r_jh"]), ("r_jk", "r_jh")
        between = (g["r_jh"], 1.0, g["r_kh"], g["r_jk"])
        matrix = _matrix(3, {(0, 1): g["r_jk"], (0, 2): g["r_jh"], (1, 2): g["r_kh"]})
    else:
        r, labels = (g["r_jk"], g["r_hm"]), ("r_jk", "r_hm")
        between = (g["r_jh"], g["r_jm"], g["r_kh"], g["r_km"])
        places = {(0, 1): "r_jk", (0, 2): "r_jh", (0, 3): "r_jm", (1, 2): "r_kh", (1, 3): "r_km"}
        matrix = _matrix(4, {at: g[name] for at, name in (places | {(2, 3): "r_hm"}).items()})
    smallest = float(np.linalg.eigvalsh(matrix)[0])
    if smallest < -1e-8:
        raise DataError(
            "These correlations cannot come from one set of cases (smallest eigenvalue "
            f"{smallest:.3g}).",
            code="impossible-correlations",
            fix="Look for a typing error, or for pairwise deletion in the source.",
        )
    return Case(kind, labels, r, (g["n"], g["n"]), {"n": g["n"]}, mark, between)


def _matrix(p: int, values: dict[tuple[int, int], float]) -> Array:
    r = np.eye(p)
    for (i, j), value in values.items():
        r[i, j] = r[j, i] = value
    return r


def _of_data(
    data: object,
    first: Sequence[str] | None,
    second: Sequence[str] | None,
    other: object,
    unit: str | None,
    wave: str | None,
    level: Level,
    cluster: str | None,
) -> Case:
    one = _pair(first, "first")
    two = one if second is None and other is not None else _pair(second, "second")
    samples = [
        unit_waves(sample, "compare_correlations", unit=unit, wave=wave)
        for sample in (data, *([] if other is None else [other]))
    ]
    for sample in samples:
        USES.judge(asked_of(sample, level, cluster))
    if other is None:
        if set(one) == set(two):
            raise OptionError(
                f"first and second are the same pair: {listing(one)}.",
                code="named-twice",
                fix="Name another pair, or give a second sample as other=.",
            )
        source, sums = _read(samples[0], list(dict.fromkeys((*one, *two))), level, cluster)
        return _one_sample(source, sums, one, two, samples[0].fingerprint)
    read = [_read(s, p, level, cluster) for s, p in zip(samples, (one, two), strict=True)]
    return _two_samples(read, fingerprint(*(s.fingerprint for s in samples)))


def _pair(given: Sequence[str] | None, role: str) -> tuple[str, str]:
    names = tuple(given) if isinstance(given, Iterable) and not isinstance(given, str) else ()
    if len(names) != 2 or names[0] == names[1] or not all(isinstance(n, str) for n in names):
        raise OptionError(
            f"{role}={given!r:.60}: two different names, such as ('engagement', 'nps').",
            code="wrong-type" if len(names) != 2 else "not-accepted",
            fix="Name two columns.",
        )
    return names[0], names[1]


def _read(
    entered: Source, names: Sequence[str], level: Level, cluster: str | None
) -> tuple[Complete, Sums]:
    source = read_source(entered, names, [level], cluster=cluster)
    sums = sums_at(source, level)
    if np.isnan(sums.spread).any():
        still = source.names[int(np.argmax(np.isnan(sums.spread)))]
        raise DataError(
            f"{still!r} does not vary ({sums.words}): it has no correlation.",
            code="constant-column",
            fix="Take another column, or another level=.",
        )
    return source, sums


def _r(s: Sums) -> Array:
    square = np.diag(s.whole)
    return s.whole / np.sqrt(np.outer(square, square))


def _refuse_perfect(r: Array) -> None:
    if np.abs(r - np.eye(len(r))).max() >= 1 - 1e-12:
        raise DataError(
            "A correlation is perfect: its error cannot be told.",
            code="perfect-correlation",
            fix="Is one made of both? Leave it out.",
        )


def _one_sample(
    source: Complete, s: Sums, one: tuple[str, str], two: tuple[str, str], mark: str
) -> Case:
    kind, order = "non-overlapping", (*one, *two)
    if shared := set(one) & set(two):
        j = next(iter(shared))
        k, h = (next(n for n in p if n != j) for p in (one, two))
        kind, order = "overlapping", (j, k, h, j)
    whole = _r(s)
    _refuse_perfect(whole)
    j_at, k_at, h_at, m_at = (source.names.index(name) for name in order)
    r = (float(whole[j_at, k_at]), float(whole[h_at, m_at]))
    stats: dict[str, Any] = {"n": s.n, "left_out": source.left_out}
    robust = None
    if s.groups is not None:
        both = clustered_r(s, [(j_at, k_at), (h_at, m_at)])
        gap = combined(both, [[1.0, -1.0]])
        variances = (*np.diag(both.covariance), gap.covariance[0, 0])
        first, second, differ = (float(np.sqrt(v)) for v in variances)
        df = len(s.groups) - 1.0
        by = str(source.cluster_name)
        robust = Robust((first, second), (df, df), differ, df, by)
        stats["clusters"] = len(s.groups)
    return Case(
        kind,
        (", ".join(one), ", ".join(two)),
        r,
        (float(s.n), float(s.n)),
        stats,
        mark,
        (
            float(whole[j_at, h_at]),
            float(whole[j_at, m_at]),
            float(whole[k_at, h_at]),
            float(whole[k_at, m_at]),
        ),
        robust,
    )


def _two_samples(samples: Sequence[tuple[Complete, Sums]], mark: str) -> Case:
    """Return the comparison of one pair of columns in two samples."""
    r, se, df = [], [], []
    for _, s in samples:
        whole = _r(s)
        _refuse_perfect(whole)
        r.append(float(whole[0, 1]))
        if s.groups is None:
            se.append((1 - r[-1] ** 2) / float(np.sqrt(s.n - 3)))
            df.append(s.n - 3.0)
        else:
            se.append(float(np.sqrt(clustered_r(s, [(0, 1)]).covariance[0, 0])))
            df.append(len(s.groups) - 1.0)
    (one, s1), (two, s2) = samples
    robust = None
    if s1.groups is not None or s2.groups is not None:
        v1, v2 = se[0] ** 2, se[1] ** 2
        welch = (v1 + v2) ** 2 / (v1**2 / df[0] + v2**2 / df[1])
        by = str(one.cluster_name or two.cluster_name)
        robust = Robust((se[0], se[1]), (df[0], df[1]), float(np.sqrt(v1 + v2)), welch, by)
    return Case(
        "independent",
        (f"{', '.join(one.names)} (data)", f"{', '.join(two.names)} (other)"),
        (r[0], r[1]),
        (float(s1.n), float(s2.n)),
        {"n1": s1.n, "n2": s2.n, "left_out": one.left_out + two.left_out},
        mark,
        robust=robust,
    )


# ---------------------------------------------------------------------- the tests


def shared_part(
    r_jk: float, r_hm: float, r_jh: float, r_jm: float, r_kh: float, r_km: float
) -> float:
    """Return n times the covariance of r_jk and r_hm, of one normal sample (large n).

    Overlapping correlations are the case m = j: ``r_hm = r_jh, r_jm = 1, r_km = r_jk``.

    Examples
    --------
    >>> shared_part(0.5, 0.5, 0.0, 0.0, 0.0, 0.0)
    0.0
    >>> round(shared_part(0.5, 0.5, 0.5, 1.0, 1.0, 0.5), 12) == round((1 - 0.25) ** 2, 12)
    True
    """
    return (
        0.5 * r_jk * r_hm * (r_jh**2 + r_jm**2 + r_kh**2 + r_km**2)
        + r_jh * r_km
        + r_jm * r_kh
        - r_jk * (r_jh * r_jm + r_kh * r_km)
        - r_hm * (r_jh * r_kh + r_jm * r_km)
    )


def _z_row(test: str, scale: str, difference: float, variance: float) -> Row:
    """Return a test whose statistic is normal; NaN where its variance is not above 0."""
    se = float(np.sqrt(variance)) if variance > 0 else np.nan
    z = difference / se
    p = 2 * float(special.ndtr(-abs(z)))
    return _row(test, scale, difference, se, z, np.nan, p)


def _t_row(test: str, difference: float, t: float, df: float) -> Row:
    p = 2 * float(special.stdtr(df, -abs(t)))
    return _row(test, "r", difference, difference / t if t else np.nan, t, df, p)


def _row(test: str, scale: str, *numbers: float) -> Row:
    return dict.fromkeys(NUMBERS, np.nan) | {
        "test": test,
        "scale": scale,
        **dict(zip(NUMBERS, numbers, strict=False)),
    }


def _with_interval(row: Row, conf_level: float) -> Row:
    reach = -float(special.ndtri((1 - conf_level) / 2)) * row["std_error"]
    return row | {"conf_low": row["estimate"] - reach, "conf_high": row["estimate"] + reach}


def _independent(r: tuple[float, float], n: tuple[float, float], conf_level: float) -> list[Row]:
    difference = float(np.arctanh(r[0]) - np.arctanh(r[1]))
    test = _z_row("fisher1925", "z", difference, 1 / (n[0] - 3) + 1 / (n[1] - 3))
    return [_with_interval(test, conf_level), _zou(r, n, 0.0, conf_level)]


def _zou(r: tuple[float, float], n: tuple[float, float], c: float, conf_level: float) -> Row:
    """Return the interval of a difference of r, put together from the intervals of both."""
    (low1, high1), (low2, high2) = (fisher(v, m, conf_level) for v, m in zip(r, n, strict=True))
    difference = r[0] - r[1]

    def reach(a: float, b: float) -> float:
        return float(np.sqrt(max(a**2 + b**2 - 2 * c * a * b, 0.0)))

    low = difference - reach(r[0] - low1, high2 - r[1])
    high = difference + reach(high1 - r[0], r[1] - low2)
    return _row("zou2007", "r", difference) | {"conf_low": low, "conf_high": high}


def _common(
    r: tuple[float, float], n: float, pulled: Callable[[float, float], float]
) -> dict[str, Row]:
    """Return the z tests that all comparisons of dependent correlations share.

    ``pulled(a, b)`` is the covariance of the two r (times n) with a and b in their places.
    """
    a, b = r
    difference = float(np.arctanh(a) - np.arctanh(b))
    mean, mean_z = (a + b) / 2, float(np.tanh((np.arctanh(a) + np.arctanh(b)) / 2))

    def test(name: str, x: float, y: float) -> Row:
        c = pulled(x, y) / ((1 - x**2) * (1 - y**2))
        return _z_row(name, "z", difference, (2 - 2 * c) / (n - 3))

    plain = ((1 - a**2) ** 2 + (1 - b**2) ** 2 - 2 * pulled(a, b)) / n
    return {
        "plain": _z_row("pearson1898", "r", a - b, plain),
        "own": test("dunn1969", a, b),
        "averaged r": test("steiger1980", mean, mean),
        "averaged z": test("hittner2003", mean_z, mean_z),
    }


def _overlapping(a: float, b: float, c: float, n: float, conf_level: float) -> list[Row]:
    """Return the tests of r_jk = a against r_jh = b, with r_kh = c."""

    def pulled(x: float, y: float) -> float:
        return shared_part(x, y, y, 1.0, c, x)

    rows = _common((a, b), n, pulled)
    det = max(1 + 2 * a * b * c - a**2 - b**2 - c**2, 0.0)
    d, mean, df = a - b, (a + b) / 2, n - 3
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = d * np.sqrt(1 + c)
        hotelling = float(scale * np.sqrt(df) / np.sqrt(2 * det))
        williams = float(
            scale * np.sqrt((n - 1) / (2 * (n - 1) / df * det + mean**2 * (1 - c) ** 3))
        )
        more = d**2 * (1 - c) ** 3 / (4 * (n - 1))
        hendrickson = float(scale * np.sqrt(df) / np.sqrt(2 * det + more))
    square = (a**2 + b**2) / 2
    f = min((1 - c) / (2 * (1 - square)), 1.0)
    h = (1 - f * square) / (1 - square)
    difference = float(np.arctanh(a) - np.arctanh(b))
    meng = _z_row("meng1992", "z", difference, 2 * (1 - c) * h / (n - 3))
    share = pulled(a, b) / ((1 - a**2) * (1 - b**2))
    return [
        rows["plain"],
        _t_row("hotelling1940", d, hotelling, df),
        _t_row("williams1959", d, williams, df),
        rows["plain"] | {"test": "olkin1967"},
        rows["own"],
        _t_row("hendrickson1970", d, hendrickson, df),
        rows["averaged r"],
        _with_interval(meng, conf_level),
        rows["averaged z"],
        _zou((a, b), (n, n), share, conf_level),
    ]


def _apart(
    a: float, b: float, between: tuple[float, float, float, float], n: float, conf_level: float
) -> list[Row]:
    """Return the tests of r_jk = a against r_hm = b."""

    def pulled(x: float, y: float) -> float:
        return shared_part(x, y, *between)

    rows = _common((a, b), n, pulled)
    share = pulled(a, b) / ((1 - a**2) * (1 - b**2))
    return [
        rows["plain"],
        rows["own"],
        rows["averaged r"],
        rows["own"] | {"test": "raghunathan1996"},
        rows["averaged z"] | {"test": "silver2004"},
        _zou((a, b), (n, n), share, conf_level),
    ]


def _clustered(r: tuple[float, float], errors: Robust, conf_level: float) -> Row:
    """Return the difference of r with the error that clusters show."""
    d, se, df = r[0] - r[1], errors.se_difference, errors.df_difference
    t = d / se if se > 0 else np.nan
    reach = -float(special.stdtrit(df, (1 - conf_level) / 2)) * se
    p = 2 * float(special.stdtr(df, -abs(t)))
    return _row("clustered", "r", d, se, t, df, p, d - reach, d + reach)


# ---------------------------------------------------------------------- what is said and shown


def _methods(case: Case, table: pd.DataFrame, conf_level: float) -> str:
    rows = {row["test"]: row for row in table.to_dict("records")}
    if case.robust is not None:
        chosen = ends = rows["clustered"]
        how, by = f"t({chosen['df']:.0f})", f"cluster-robust by {case.robust.by}"
    else:
        name = "fisher1925" if case.kind == "independent" else "steiger1980"
        chosen, ends = rows[name], rows["zou2007"]
        how, by = "Fisher's z" if name == "fisher1925" else "Steiger's (1980) z", "Zou 2007"
    sizes = " and ".join(dict.fromkeys(f"{n:.0f}" for n in case.n))
    return (
        f"The correlations of {case.labels[0]} (r = {case.r[0]:.2f}) and {case.labels[1]} "
        f"(r = {case.r[1]:.2f}; {case.kind}, n = {sizes}) differed by {case.r[0] - case.r[1]:z.2f} "
        f"({100 * conf_level:g}% CI {ends['conf_low']:.2f} to {ends['conf_high']:.2f}, {by}; "
        f"{how} = {chosen['statistic']:.2f}, {p_phrase(chosen['p_value'])})."
    )


def _figure(result: Result, ax: Any = None, **options: Any) -> Any:
    of = result.tables["correlations"].rename(columns={"pair": "term"})
    last = result.table.iloc[-1]  # the interval of the difference of r
    columns = ["term", "estimate", "conf_low", "conf_high"]
    difference = {"term": "difference", **{c: last[c] for c in columns[1:]}}
    table = pd.concat([of[columns], pd.DataFrame([difference])], ignore_index=True)
    level = 100 * result.spec["conf_level"]
    given = {"caption": f"Two correlations and their difference, {level:g}% intervals."}
    return plotting.coefficients(table, ax=ax, **(given | options))
