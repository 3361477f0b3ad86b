"""Split-sample scores: x and y from different people of the same unit."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from .. import plotting
from ..errors import Caution, DataError, OptionError, check_source
from ..moments import group_codes
from ..resampling import generator
from ..results import Result, fingerprint, versions
from ..survey import Survey
from .answers import refuse_not_of_persons

__all__ = ["split_sample"]

Array = npt.NDArray[np.float64]
COLUMNS = ["term", "version", "estimate", "std_error", "split_low", "split_high"]


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
        for a fair comparison) and ``different people`` (the mean over splits; ``split_low``,
        ``split_high`` hold 95% of the splits). ``.stats["covariance_all_splits"]`` is the
        covariance that infinitely many splits would give, by formula.

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
    check_source("split_sample", survey, Survey)
    if not isinstance(splits, int) or splits < 20:
        raise OptionError(f"splits={splits!r}: a whole number, at least 20; 200 are usual.")
    names = [x, y]
    if x == y or any(n not in survey.measures for n in names):
        raise OptionError(f"x={x!r}, y={y!r}: two different measures of the survey.")
    for name in names:
        refuse_not_of_persons(survey, name)
    table, _ = survey._checked
    rows = {f"u{i}": survey.measures[n].row(table) for i, n in enumerate(names)}
    keys, u = table.rows_of(survey._unit_wave, rows)
    values = u.to_numpy(float, copy=True)
    for i, name in enumerate(names):
        start, factor = survey.measures[name].affine
        values[:, i] = start + factor * values[:, i]
    complete = ~np.isnan(values).any(axis=1) & keys.notna().all(axis=1).to_numpy()
    keys, values = keys[complete].reset_index(drop=True), values[complete]
    codes, cells = group_codes(keys, survey._unit_wave)
    size = np.bincount(codes)
    enough = size[codes] >= 4
    if (size >= 4).sum() < 3:
        raise DataError("Fewer than three unit × waves have four people with both answers.")
    codes, values = codes[enough], values[enough]
    for name, spread in zip(names, np.ptp(values, axis=0), strict=True):
        if spread <= 0:
            raise DataError(f"All values of {name!r} are alike: nothing varies.")
    kept = np.flatnonzero(size >= 4)
    codes = np.searchsorted(kept, codes)
    block = np.zeros(len(kept), dtype=np.intp)
    if survey.wave:
        block = pd.factorize(cells[survey.wave].iloc[kept], sort=True)[0]
    n = size[kept]
    first = np.concatenate([[0], np.cumsum(n)[:-1]])
    half = n // 2
    chance = generator(rng)

    def mean(v: Array, who: npt.NDArray[np.bool_]) -> Array:
        return np.bincount(codes[who], v[who], len(kept)) / np.bincount(codes[who], None, len(kept))

    def association(a: Array, b: Array) -> tuple[float, float]:
        for v in (a, b):
            v -= (np.bincount(block, v) / np.bincount(block))[block]
        return float(a @ b / np.sqrt((a @ a) * (b @ b))), float(a @ b / (a @ a))

    everybody = np.ones(len(codes), dtype=bool)
    whole = association(mean(values[:, 0], everybody), mean(values[:, 1], everybody))
    drawn = np.empty((splits, 4))
    for s in np.arange(splits):
        order = np.lexsort((chance.random(len(codes)), codes))
        rank = np.empty(len(codes), dtype=np.intp)
        rank[order] = np.arange(len(codes)) - first[codes[order]]
        one = rank < half[codes]
        same = association(mean(values[:, 0], one), mean(values[:, 1], one))
        other = association(mean(values[:, 0], one), mean(values[:, 1], ~one))
        drawn[s] = *same, *other
    lines: list[tuple[Any, ...]] = []
    for j, term in enumerate(("correlation", "slope")):
        lines.append((term, "same people", whole[j], np.nan, np.nan, np.nan))
        for k, version in ((0, "same people, half of them"), (2, "different people")):
            own = drawn[:, k + j]
            low, high = np.quantile(own, [0.025, 0.975])
            error = float(own.std(ddof=1) / np.sqrt(splits))
            lines.append((term, version, float(own.mean()), error, low, high))
    found = pd.DataFrame(lines, columns=COLUMNS)
    cautions = []
    if left := int((size < 4).sum()):
        message = f"{left} unit × waves with fewer than four such people are not in it."
        cautions.append(Caution("small-cells", message, survey.unit))
    r = found[found["term"] == "correlation"].set_index("version")["estimate"]
    return Result(
        "split_sample",
        found,
        {
            "title": f"{x}, {y}",
            "x": x,
            "y": y,
            "splits": splits,
            "rng": rng if rng is None or isinstance(rng, int) else str(rng),
            "data": fingerprint(values, codes),
            "versions": versions(),
        },
        {
            "n": len(codes),
            "cells": len(kept),
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
    )


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
