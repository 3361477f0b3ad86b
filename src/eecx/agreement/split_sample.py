"""Split-sample scores: x and y from different people of the same unit."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from .. import options, plotting
from ..errors import Caution, DataError, OptionError, listing
from ..moments import group_codes
from ..results import Result, recorded, tidy
from ..sources import people
from ..survey import Survey
from .answers import NO_INTERVAL, counted, refuse_not_of_persons
from .arguments import one_name

__all__ = ["split_sample"]

Array = npt.NDArray[np.float64]


def split_sample(
    survey: Survey,
    x: str,
    y: str,
    *,
    splits: int = 200,
    rng: int | np.random.Generator | None = 0,
) -> Result:
    r"""Associate two measures of one survey without any person answering both.

    Where the same people give x and y, their moods and styles of answering correlate the unit
    means. Here the respondents of every unit × wave are halved at random; x is scored from one
    half, y from the other, and the unit means are correlated, ``splits`` times.

    Parameters
    ----------
    survey : Survey
    x, y : str
        Two of its measures. People with both answers take part.
    splits, rng :
        How many random halvings, and their seed.

    Returns
    -------
    Result
        ``.table``: ``correlation`` and ``slope`` of unit × wave means (net of wave means):
        ``same people`` (everybody for both), ``same people, half of them`` (one half for both,
        for a fair comparison) and ``different people``. The latter two are means over splits:
        ``split_low, split_high`` hold 95% of the splits, and ``simulation_error`` is what more
        splits would take away. They have no standard error and no interval: units stay the same.
        ``.stats``: n (people), units, waves, groups (units × waves), left_out (people who lack
        an answer, or whose group has fewer than four) and covariance_all_splits, which infinitely
        many splits would give.

    Raises
    ------
    DataError
        Fewer than three unit × waves with four respondents.

    Notes
    -----
    What is left may still be no effect of x on y: both halves live in the same unit. Halves have
    half the respondents, so that correlations shrink also by unreliability: compare with ``same
    people, half of them``. Podsakoff et al. (2003), https://doi.org/10.1037/0021-9010.88.5.879.
    The spread over splits is no confidence interval: units stay the same.

    Examples
    --------
    >>> import eecx
    >>> chain = eecx.simulate.retail_chain()
    >>> staff = eecx.Survey(
    ...     chain.employees,
    ...     unit="store",
    ...     wave="quarter",
    ...     measures={
    ...         "engagement": eecx.Scale(["e1", "e2", "e3"], range=(1, 5)),
    ...         "leadership": eecx.Scale(["leader1", "leader2"], range=(1, 5)),
    ...     },
    ... )
    >>> found = eecx.split_sample(staff, "leadership", "engagement", splits=50)
    >>> found.table.loc[found.table["term"] == "correlation", "estimate"].round(2).tolist()
    [0.54, 0.48, 0.37]
    """
    asked = dict(locals())
    source = people(survey, "split_sample", rows=False, sums=False)
    names = _checked(survey, x, y, splits)
    keys, values = _both_answered(survey, names)
    codes, cells = group_codes(keys, survey._unit_wave)
    size = np.bincount(codes)
    enough = size[codes] >= 4
    if (size >= 4).sum() < 3:
        raise DataError(
            "Fewer than three unit × waves have four people with both answers.",
            code="too-few-units",
            fix="Group people by a larger unit, or leave wave= out of the Survey.",
        )
    codes, values = codes[enough], values[enough]
    for name, spread in zip(names, np.ptp(values, axis=0), strict=True):
        if spread <= 0:
            raise DataError(
                f"All values of {name!r} are alike: nothing varies.",
                code="constant-column",
                fix="Take another measure.",
            )
    kept = np.flatnonzero(size >= 4)
    codes = np.searchsorted(kept, codes)
    block = np.zeros(len(kept), dtype=np.intp)
    if survey.wave:
        block = pd.factorize(cells[survey.wave].iloc[kept], sort=True)[0]
    n = size[kept]
    whole, drawn = _halved(values, codes, block, n, splits, options.rng(rng))
    found = _table(whole, drawn)
    cautions = []
    if left := int((size < 4).sum()):
        message = f"{left} unit × waves with fewer than four such people are not in it."
        cautions.append(Caution("small-cells", message, survey.unit))
    r = found[found["term"] == "correlation"].set_index("version")["estimate"]
    return Result(
        "split_sample",
        found,
        recorded(split_sample, asked, data=source.fingerprint, of=survey.spec),
        {
            "n": len(codes),
            **counted(cells.iloc[kept]),
            "left_out": (survey._checked[0].count or 0) - len(codes),
            "covariance_all_splits": _all_splits(codes, values, n, block),
        },
        f"{x} and {y} come from the same respondents, whose unit means correlated "
        f"{r['same people']:.2f}. Scored from different random halves of each unit's respondents "
        f"({splits} splits), they correlated {r['different people']:.2f}, against "
        f"{r['same people, half of them']:.2f} within one half.",
        warnings=tuple(cautions),
        draws=pd.DataFrame(
            drawn,
            columns=["same correlation", "same slope", "different correlation", "different slope"],
        ),
        references=("podsakoff2003",),
        figure=_figure,
        title=f"{x}, {y}",
        unused=NO_INTERVAL,
    )


def _checked(survey: Survey, x: object, y: object, splits: object) -> tuple[str, str]:
    """Return the names of two measures that single people have a score on."""
    options.draws(splits, usual=200, least=20, name="splits")
    names = one_name("x", x), one_name("y", y)
    if x == y or any(n not in survey.measures for n in names):
        raise OptionError(
            f"x={x!r}, y={y!r}: two different measures of the survey.",
            code="named-twice" if x == y else "unknown-measure",
            fix=f"It has {listing(survey.measures)}.",
        )
    for name in names:
        refuse_not_of_persons(survey, name)
    return names


def _both_answered(survey: Survey, names: tuple[str, str]) -> tuple[pd.DataFrame, Array]:
    """Return keys and scores of the people who answered both."""
    table = survey._checked[0]
    table = table.as_doubles(c for n in names for c in survey.measures[n].columns)
    rows = {f"u{i}": survey.measures[n].row(table) for i, n in enumerate(names)}
    keys, u = table.rows_of(survey._unit_wave, rows)
    values = u.to_numpy(float, copy=True)
    for i, name in enumerate(names):
        start, factor = survey.measures[name].affine
        values[:, i] = start + factor * values[:, i]
    complete = ~np.isnan(values).any(axis=1) & keys.notna().all(axis=1).to_numpy()
    return keys[complete].reset_index(drop=True), values[complete]


def _halved(
    values: Array,
    codes: npt.NDArray[np.intp],
    block: npt.NDArray[np.intp],
    n: npt.NDArray[np.int64],
    splits: int,
    rng: np.random.Generator,
) -> tuple[tuple[float, float], Array]:
    """Return correlation and slope of everybody, and of each split the same and others' half.

    Columns of the splits: correlation and slope of one half, then those of different halves.
    """
    first = np.concatenate([[0], np.cumsum(n)[:-1]])
    half = n // 2

    def mean(v: Array, who: npt.NDArray[np.bool_]) -> Array:
        return np.bincount(codes[who], v[who], len(n)) / np.bincount(codes[who], None, len(n))

    def association(a: Array, b: Array) -> tuple[float, float]:
        for v in (a, b):
            v -= (np.bincount(block, v) / np.bincount(block))[block]
        return float(a @ b / np.sqrt((a @ a) * (b @ b))), float(a @ b / (a @ a))

    everybody = np.ones(len(codes), dtype=bool)
    whole = association(mean(values[:, 0], everybody), mean(values[:, 1], everybody))
    drawn = np.empty((splits, 4))
    for s in np.arange(splits):
        order = np.lexsort((rng.random(len(codes)), codes))
        rank = np.empty(len(codes), dtype=np.intp)
        rank[order] = np.arange(len(codes)) - first[codes[order]]
        one = rank < half[codes]
        same = association(mean(values[:, 0], one), mean(values[:, 1], one))
        other = association(mean(values[:, 0], one), mean(values[:, 1], ~one))
        drawn[s] = *same, *other
    return whole, drawn


def _table(whole: tuple[float, float], drawn: Array) -> pd.DataFrame:
    rows: list[tuple[Any, ...]] = []
    for j, term in enumerate(("correlation", "slope")):
        rows.append((term, "same people", whole[j], np.nan, np.nan, np.nan))
        for k, version in ((0, "same people, half of them"), (2, "different people")):
            own = drawn[:, k + j]
            low, high = np.quantile(own, [0.025, 0.975])
            error = float(own.std(ddof=1) / np.sqrt(len(drawn)))
            rows.append((term, version, float(own.mean()), low, high, error))
    terms, kinds, estimates, lows, highs, errors = zip(*rows, strict=True)
    more = {"split_low": lows, "split_high": highs, "simulation_error": errors}
    return tidy({"term": terms, "version": kinds}, {"estimate": estimates}, more)


def _all_splits(
    codes: npt.NDArray[np.intp],
    values: Array,
    n: npt.NDArray[np.int64],
    block: npt.NDArray[np.intp],
) -> float:
    r"""Return the covariance over cells that all possible splits give on average.

    Two different people i, j of a cell: :math:`(n^2 \bar x \bar y - \sum x_i y_i)/(n(n - 1))`.
    """
    values = values - values.mean(axis=0)
    sx, sy = (np.bincount(codes, v) for v in values.T)
    sxy = np.bincount(codes, values[:, 0] * values[:, 1])
    product = (sx * sy - sxy) / (n * (n - 1))
    mx, my, cells = sx / n, sy / n, np.bincount(block)
    # halves of different cells are drawn apart: their product is that of the cells' means
    own, apart = np.bincount(block, product), np.bincount(block, mx * my)
    crossed = np.bincount(block, mx) * np.bincount(block, my) - apart
    return float(np.sum(own * (1 - 1 / cells) - crossed / cells) / (len(n) - len(cells)))


def _figure(result: Result, ax: Any = None, **options: Any) -> Any:
    rows = result.table[result.table["term"] == "correlation"]
    table = pd.DataFrame(
        {
            "term": rows["version"],
            "estimate": rows["estimate"],
            "conf_low": rows["split_low"],
            "conf_high": rows["split_high"],
        }
    )
    caption = (
        f"Correlation of {result.spec['x']} and {result.spec['y']} over unit means; bars hold 95% "
        "of the random splits and are no confidence intervals."
    )
    given = {"title": "The same people, and different people", "label": "correlation"}
    given["caption"] = caption
    return plotting.coefficients(table, ax=ax, **(given | options))
