"""Split-half reliability of a scale, and agreement of repeated measurements (test-retest)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import nan
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

from .. import frames, options
from ..errors import Caution, DataError, OptionError, listing
from ..numerics.intervals import fisher
from ..results import NUMBERS, Result, recorded, tidy
from ..sources import people, sums
from .alpha import consistency_figure, covariance, spearman_brown
from .answers import Range, read_whole
from .arguments import distinct_names, several_names

__all__ = ["split_half", "test_retest"]

Array = npt.NDArray[np.float64]

HALVES = ("correlation of halves", "Spearman-Brown", "Guttman's lambda 4")


def split_half(
    data: object,
    items: str | Sequence[str] | None = None,
    *,
    halves: tuple[Sequence[str], Sequence[str]] | None = None,
    range: Range | None = None,
    reverse: Sequence[str] = (),
    conf_level: float = 0.95,
    parse: frames.Parse | None = None,
) -> Result:
    r"""Correlation of the sums of two halves of a scale, stepped up to its full length.

    Parameters
    ----------
    data, items, range, reverse, conf_level, parse
        As in :func:`eecx.alpha`.
    halves : two sequences of str, optional
        The items of each half; without it the first, third, … against the second, fourth, …

    Returns
    -------
    Result
        ``.table``: ``correlation of halves`` (Fisher interval), ``Spearman-Brown`` (as if the
        halves were parallel), ``Guttman's lambda 4``. ``.stats``: n (people), items, left_out.

    Examples
    --------
    >>> import eecx
    >>> table = eecx.Moments.from_correlations([[1, 0.5], [0.5, 1]], n=100, names=["q1", "q2"])
    >>> round(float(eecx.split_half(table)["Spearman-Brown"]["estimate"]), 4)
    0.6667
    """
    asked = dict(locals())
    source = people(data, "split_half", parse=parse, grouped=False)
    options.conf_level(conf_level)
    answers = read_whole(source, items, range=range, reverse=reverse, parse=parse)
    s, n = covariance(answers)
    names = list(answers.items)
    first, second = _halves(halves, names)
    unequal: tuple[Caution, ...] = ()
    if len(first) != len(second):
        sizes = f"{len(first)} and {len(second)} items"
        message = f"The halves have {sizes}; Spearman-Brown supposes equal ones."
        unequal = (Caution("unequal-halves", message, answers.name),)
    one = np.array([i in first for i in names], dtype=float)
    a, b = one @ s @ one, (1 - one) @ s @ (1 - one)
    between = float(one @ s @ (1 - one))
    r = between / float(np.sqrt(a * b))
    low, high = fisher(r, n, conf_level)
    steps = [spearman_brown(v, 2) if v > -1 else np.nan for v in (r, low, high)]
    numbers = {
        "estimate": [r, steps[0], 4 * between / s.sum()],
        "conf_low": [low, steps[1], np.nan],
        "conf_high": [high, steps[2], np.nan],
    }
    own = answers.settled(asked) | {"halves": [first, second]}
    return Result(
        "split_half",
        tidy({"term": HALVES}, numbers),
        recorded(split_half, asked, data=source.fingerprint, **own),
        {"n": int(n), "items": len(names), "left_out": answers.left_out},
        f"The split-half reliability of {answers.name} was {steps[0]:.3f} (Spearman-Brown; "
        f"{100 * conf_level:g}% CI {steps[1]:.3f} to {steps[2]:.3f}; {int(n)} people).",
        warnings=unequal,
        figure=consistency_figure,
        title=answers.name,
        unused=("std_error", "statistic", "df", "p_value"),
    )


def _halves(halves: object, names: list[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the items of each half; as they come, one to each in turn."""
    if halves is None:
        return tuple(names[::2]), tuple(names[1::2])
    given = [several_names("halves", h) for h in several_names("halves", halves)]
    both = [i for half in given for i in half]
    if len(given) != 2 or not all(given) or len(both) != len(names) or set(both) != set(names):
        raise OptionError(
            "halves= must hold every item once, in one of two lists.",
            code="not-accepted",
            fix=f"Leave it out for {names[::2]} and {names[1::2]}.",
        )
    return given[0], given[1]


def test_retest(
    data: object,
    columns: Sequence[str],
    *,
    conf_level: float = 0.95,
    parse: frames.Parse | None = None,
) -> Result:
    r"""Stability of repeated measurements: correlations and the six ICCs of Shrout and Fleiss.

    One row per person (or unit), one column per occasion. With mean squares of rows MSR, of
    columns MSC and of the rest MSE, over k occasions, for example

    .. math:: ICC(2,1) = \frac{MSR - MSE}{MSR + (k-1) MSE + k (MSC - MSE)/n}

    Parameters
    ----------
    data : frame, path or Moments
    columns : sequence of str
        The occasions in order; rows that lack one are left out and counted.
    conf_level : float

    Returns
    -------
    Result
        ``.table``: ``ICC(1,1)`` (occasions unordered), ``ICC(2,1)`` (absolute agreement),
        ``ICC(3,1)`` (consistency) and, for the mean of the occasions, ``ICC(1,k)``, ``ICC(2,k)``,
        ``ICC(3,k)``, with F tests of ``df`` and ``df_denominator``; then ``r`` of each pair of
        occasions with its t test and Fisher's interval. ``.stats``: n (complete rows), occasions,
        left_out.

    Notes
    -----
    Stability mixes reliability with lasting change: a low value does not tell which. Shrout and
    Fleiss (1979), https://doi.org/10.1037/0033-2909.86.2.420.

    Examples
    --------
    >>> import eecx, pandas as pd
    >>> scores = pd.DataFrame({"may": [1.0, 2, 3, 4, 5], "june": [2.0, 2, 4, 4, 6]})
    >>> found = eecx.test_retest(scores, ["may", "june"])
    >>> round(float(found["ICC(3,1)"]["estimate"]), 3)
    0.943
    """
    asked = dict(locals())
    source = sums(data, "test_retest", parse=parse)
    options.conf_level(conf_level)
    columns = distinct_names("columns", columns)
    if len(columns) < 2:
        raise OptionError(
            "columns= names at least two occasions.",
            code="too-few-columns",
            fix="Name them in order, as in columns=['may', 'june'].",
        )
    whole = source.summed(columns, parse).collapse()
    n, k = float(whole.n[0]), len(columns)
    if n < 4:
        raise DataError(
            f"{n:.0f} rows have all of {columns}: at least 4 are needed.",
            code="too-few-rows",
            fix="Leave out occasions that few rows have.",
        )
    s = whole.cross[0] / (n - 1)
    if (np.diag(s) <= 0).any():
        still = columns[int(np.argmin(np.diag(s)))]
        raise DataError(
            f"{still!r} does not vary: its stability cannot be told.",
            code="constant-column",
            fix="Leave it out.",
        )
    if np.trace(s) - s.sum() / k <= 1e-13 * np.trace(s):
        raise DataError(
            f"{listing(columns)} hold the same values, but for a constant: are they copies?",
            code="copied-column",
            fix="Leave out what is a copy.",
        )
    sizes = _six(s, whole.mean[0], n, conf_level)
    spread = np.sqrt(np.diag(s))
    rows = list(sizes)
    for i, j in combinations(range(k), 2):
        r = float(s[i, j] / (spread[i] * spread[j]))
        t = r * np.sqrt((n - 2) / max(1 - r**2, 1e-300))
        p = 2 * float(special.stdtr(n - 2, -abs(t)))
        ends = fisher(r, n, conf_level)
        rows.append((f"r: {columns[i]}, {columns[j]}", r, nan, t, n - 2, p, *ends, nan))
    labels, *numbers, denominator = zip(*rows, strict=True)
    table = tidy(
        {"term": labels},
        dict(zip(NUMBERS, numbers, strict=True)),
        {"df_denominator": denominator},
    )
    two = table.iloc[1]
    cautions: tuple[Caution, ...] = ()
    if k < 3:
        message = "Two occasions cannot tell unreliability from lasting change; three can."
        cautions = (Caution("two-occasions", message, ", ".join(columns)),)
    return Result(
        "test_retest",
        table,
        recorded(
            test_retest,
            asked,
            data=source.fingerprint,
            columns=columns,
        ),
        {"n": int(n), "occasions": k, "left_out": whole.left_out},
        f"Over {k} occasions ({int(n)} complete rows), the stability was ICC(2,1) = "
        f"{two['estimate']:.3f} ({100 * conf_level:g}% CI {two['conf_low']:.3f} to "
        f"{two['conf_high']:.3f}; absolute agreement of single measurements).",
        warnings=cautions,
        references=("shrout1979",),
        figure=consistency_figure,
        title=", ".join(columns),
        statistic="F, t",
        unused=("std_error",),
    )


test_retest.__test__ = False  # type: ignore[attr-defined]  # pytest would take it for a test


def _six(s: Array, mean: Array, n: float, conf_level: float) -> list[tuple[Any, ...]]:
    """Return the six forms from the covariances and means of k occasions.

    Each: name, the seven agreed numbers, the denominator's degrees of freedom.
    """
    k = len(s)
    tail = (1 - conf_level) / 2
    msr = float(s.sum() / k)
    mse = float((np.trace(s) - msr) / (k - 1))
    msc = float(n * ((mean - mean.mean()) ** 2).sum() / (k - 1))
    msw = (mse * (n - 1) + msc) / n  # (SSE + SSC) / (n (k - 1))
    one, three = msr / msw, msr / mse
    dfr, dfe, dfw = n - 1, (n - 1) * (k - 1), n * (k - 1)

    def limits(f: float, df2: float) -> tuple[float, float]:
        low = f / float(special.fdtri(dfr, df2, 1 - tail))
        return low, f * float(special.fdtri(df2, dfr, 1 - tail))

    def single(f: float) -> float:
        return (f - 1) / (f + k - 1)

    def mean_of(f: float) -> float:
        return 1 - 1 / f

    two = (msr - mse) / (msr + (k - 1) * mse + k * (msc - mse) / n)
    two_k = (msr - mse) / (msr + (msc - mse) / n)
    # Satterthwaite's degrees of freedom for absolute agreement
    a = k * two / (n * (1 - two))
    b = 1 + k * two * (n - 1) / (n * (1 - two))
    v = (a * msc + b * mse) ** 2 / ((a * msc) ** 2 / (k - 1) + (b * mse) ** 2 / dfe)
    f_low, f_high = float(special.fdtri(dfr, v, 1 - tail)), float(special.fdtri(v, dfr, 1 - tail))
    low2 = n * (msr - f_low * mse) / (f_low * (k * msc + (k * n - k - n) * mse) + n * msr)
    high2 = n * (f_high * msr - mse) / (k * msc + (k * n - k - n) * mse + n * f_high * msr)
    ends1, ends3 = limits(one, dfw), limits(three, dfe)
    p1 = float(special.fdtrc(dfr, dfw, one))
    p3 = float(special.fdtrc(dfr, dfe, three))
    first, others = (one, dfr, p1), (three, dfr, p3)
    two_ends = [spearman_brown(e, k) for e in (low2, high2)]
    return [
        ("ICC(1,1)", single(one), nan, *first, *(single(e) for e in ends1), dfw),
        ("ICC(2,1)", two, nan, *others, low2, high2, dfe),
        ("ICC(3,1)", single(three), nan, *others, *(single(e) for e in ends3), dfe),
        ("ICC(1,k)", mean_of(one), nan, *first, *(mean_of(e) for e in ends1), dfw),
        ("ICC(2,k)", two_k, nan, *others, *two_ends, dfe),
        ("ICC(3,k)", mean_of(three), nan, *others, *(mean_of(e) for e in ends3), dfe),
    ]
