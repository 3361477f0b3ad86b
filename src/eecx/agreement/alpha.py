"""Cronbach's alpha and its kin: how well the items of a scale hang together."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from .. import frames, options, plotting
from ..errors import Caution, DataError, OptionError, listing
from ..results import Result, recorded, tidy
from ..sources import people
from .answers import Answers, Range, read_whole

__all__ = ["UNTESTED", "alpha", "consistency_figure", "covariance", "spearman_brown"]

Array = npt.NDArray[np.float64]

UNTESTED = ("statistic", "df", "p_value")
"""Agreed columns that coefficients with an interval, but no test, leave empty."""


def spearman_brown(reliability: float, length: float) -> float:
    r"""Reliability of a measure made ``length`` times as long, of parallel parts.

    .. math:: \rho_k = \frac{k \rho}{1 + (k - 1)\rho}

    Examples
    --------
    >>> spearman_brown(0.5, 2)
    0.6666666666666666
    """
    if isinstance(length, bool) or not isinstance(length, Real) or not 0 < length < np.inf:
        raise OptionError(
            f"length={length!r:.60}: a factor above 0; 2 doubles the measure.",
            code="out-of-range",
            fix="Give one, such as length=2.",
        )
    below = 1 + (length - 1) * _reliability(reliability)
    if below == 0:
        raise OptionError(
            f"reliability={reliability:g} has no counterpart {length:g} times as long.",
            code="out-of-range",
            fix="A negative reliability says that items go against each other: reverse them.",
        )
    return length * reliability / below


def _reliability(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise OptionError(
            f"reliability={value!r:.60}: a number, at most 1.",
            code="wrong-type",
            fix="Give one, such as reliability=0.7.",
        )
    return float(value)


def alpha(
    data: object,
    items: str | Sequence[str] | None = None,
    *,
    range: Range | None = None,
    reverse: Sequence[str] = (),
    conf_level: float = 0.95,
    parse: frames.Parse | None = None,
) -> Result:
    r"""Cronbach's alpha of a scale over all people, with its interval and item statistics.

    With S the covariance matrix of the k items (divisor n - 1):

    .. math:: \alpha = \frac{k}{k - 1}\left(1 - \frac{\mathrm{tr}\,S}{1'S1}\right)

    It is the reliability of a *person's* score if the items measure one thing equally well and
    their errors are unrelated; otherwise a lower bound, or, with related errors, too high. How
    reliable a *unit's* mean is, :func:`eecx.icc` and :func:`eecx.reliability` say.

    Parameters
    ----------
    data : Survey, frame, path or Moments
        Of a Survey, ``items`` names one of its scales. A published correlation table will do:
        ``eecx.Moments.from_correlations(…)``.
    items : sequence of str
        People who lack an item are left out and counted.
    range : (low, high), optional
        Answers outside are an error.
    reverse : sequence of str
        Items worded the other way.
    conf_level : float

    Returns
    -------
    Result
        ``.table``: ``alpha`` with Duhachek and Iacobucci's standard error and Feldt's interval
        (from F, as if items were parallel), ``alpha, normal interval`` from that standard error,
        ``alpha, standardized``, ``lambda 2``, ``lambda 6``, ``average correlation``.
        ``.tables["items"]``: alpha if the item is left out, correlation of the item with the
        rest. A negative one draws a warning: was the item to be reversed? ``.stats``: n (people),
        items, left_out.

    Raises
    ------
    OptionError, DataError
        Fewer than two items; items that do not vary.

    Notes
    -----
    Standard error by Duhachek and Iacobucci (2004), https://doi.org/10.1037/0021-9010.89.5.792.

    Examples
    --------
    >>> import eecx
    >>> table = eecx.Moments.from_correlations([[1, 0.5], [0.5, 1]], n=100, names=["q1", "q2"])
    >>> round(float(eecx.alpha(table)["alpha"]["estimate"]), 4)
    0.6667
    """
    asked = dict(locals())
    source = people(data, "alpha", parse=parse, grouped=False)
    options.conf_level(conf_level)
    answers = read_whole(source, items, range=range, reverse=reverse, parse=parse)
    s, n = covariance(answers)
    k = len(s)
    value, se = _alpha(s), _standard_error(s, n)
    spread = np.sqrt(np.diag(s))
    r = s / np.outer(spread, spread)
    average = float((r.sum() - k) / (k * (k - 1)))
    tail = (1 - conf_level) / 2
    df = (n - 1, (n - 1) * (k - 1))
    feldt = [1 - (1 - value) * float(special.fdtri(*df, 1 - p)) for p in (tail, 1 - tail)]
    z = -float(special.ndtri(tail))
    off = s - np.diag(np.diag(s))
    rows: list[Coefficient] = [
        ("alpha", value, se, min(feldt), max(feldt)),
        ("alpha, normal interval", value, se, value - z * se, value + z * se),
        ("alpha, standardized", _alpha(r), np.nan, np.nan, np.nan),
        (
            "lambda 2",
            1 - (np.trace(s) - np.sqrt(k / (k - 1) * (off**2).sum())) / s.sum(),
            np.nan,
            np.nan,
            np.nan,
        ),
        ("lambda 6", _lambda6(r), np.nan, np.nan, np.nan),
        ("average correlation", average, np.nan, np.nan, np.nan),
    ]
    items_table = _items(answers, s)
    worst = items_table[items_table["item_rest_r"] < 0]
    cautions = [
        Caution(
            "negative-item",
            f"{row['item']!r} goes against the other items (correlation with their sum "
            f"{row['item_rest_r']:.2f}):",
            str(row["item"]),
            fix="should it be reversed, or not?",
        )
        for row in worst.to_dict("records")
    ]
    return Result(
        "alpha",
        coefficients_table(rows),
        recorded(alpha, asked, data=source.fingerprint, **answers.settled(asked)),
        {"n": int(n), "items": k, "left_out": answers.left_out},
        f"Cronbach's alpha of {answers.name} ({k} items, {int(n)} people) was {value:.3f} "
        f"({100 * conf_level:g}% CI {min(feldt):.3f} to {max(feldt):.3f}, Feldt).",
        tables={"items": items_table},
        warnings=tuple(cautions),
        figure=consistency_figure,
        references=("duhachek2004",),
        title=answers.name,
        unused=UNTESTED,
    )


Coefficient = tuple[str, float, float, float, float]
"""A term with its estimate, standard error and interval."""


def coefficients_table(rows: Sequence[Coefficient]) -> pd.DataFrame:
    """Return the agreed table of coefficients with a standard error and an interval."""
    names = ("estimate", "std_error", "conf_low", "conf_high")
    terms, *numbers = zip(*rows, strict=True)
    return tidy({"term": terms}, dict(zip(names, numbers, strict=True)))


def consistency_figure(result: Result, ax: Any = None, **options: Any) -> Any:
    """Draw coefficients between 0 and 1 with their intervals."""
    given = {"title": f"Consistency: {result.title}", "label": "coefficient"}
    return plotting.coefficients(result.table, ax=ax, **(given | options))


def covariance(answers: Answers) -> tuple[Array, float]:
    """Return the covariance matrix of the items over all people, reversed ones mirrored, and n."""
    if len(answers.items) < 2:
        raise OptionError(
            f"{answers.name!r} has one item; how items hang together needs at least two.",
            code="too-few-items",
            fix="Name the other items too.",
        )
    if answers.whole is None:
        raise OptionError(
            "Internal consistency is about all people together:",
            code="not-accepted",
            fix="leave out unit=.",
        )
    n = float(answers.n[0])
    if n < 3:
        raise DataError(
            f"{n:.0f} people answered all items of {answers.name}: at least 3 must.",
            code="too-few-people",
            fix="Leave out items that few answered.",
        )
    s = answers.whole.cross[0] / (n - 1)
    still = [i for i, v in zip(answers.items, np.diag(s), strict=True) if v <= 0]
    if still:
        raise DataError(
            f"{listing(still)}: everybody gave the same answer.",
            code="constant-column",
            fix="Leave the item out.",
        )
    sign = np.array([-1.0 if i in answers.reverse else 1.0 for i in answers.items])
    s = s * np.outer(sign, sign)
    if s.sum() <= 0:
        raise DataError(
            f"The items of {answers.name} cancel out: their sum has no variance.",
            code="items-cancel",
            fix="Are items to be reversed (reverse=)?",
        )
    return s, n


def _alpha(s: Array) -> float:
    k = len(s)
    return float(k / (k - 1) * (1 - np.trace(s) / s.sum()))


def _standard_error(s: Array, n: float) -> float:
    """Return the large-sample standard error of alpha for normal items."""
    k, total, own = len(s), s.sum(), np.trace(s)
    square = s @ s
    q = (
        2
        * k**2
        / ((k - 1) ** 2 * total**3)
        * (total * (np.trace(square) + own**2) - 2 * own * square.sum())
    )
    return float(np.sqrt(max(q, 0.0) / n))


def _lambda6(r: Array) -> float:
    """Return Guttman's lambda 6 of a correlation matrix; NaN where it is singular."""
    values = np.linalg.eigvalsh(r)
    if values[0] < 1e-10 * values[-1]:
        return float("nan")
    unexplained = 1 / np.diag(np.linalg.inv(r))
    return float(1 - unexplained.sum() / r.sum())


def _items(answers: Answers, s: Array) -> pd.DataFrame:
    k = len(s)
    rest = s.sum(axis=1) - np.diag(s)
    others = s.sum() - 2 * s.sum(axis=1) + np.diag(s)
    with np.errstate(invalid="ignore", divide="ignore"):
        r = rest / np.sqrt(np.diag(s) * others)
    dropped = [
        _alpha(np.delete(np.delete(s, i, 0), i, 1)) if k > 2 else np.nan for i in np.arange(k)
    ]
    mean = answers.mean[0]
    return pd.DataFrame(
        {
            "item": list(answers.items),
            "reversed": [i in answers.reverse for i in answers.items],
            "mean": mean,
            "sd": np.sqrt(np.diag(s)),
            "item_rest_r": r,
            "alpha_if_deleted": dropped,
        }
    )
