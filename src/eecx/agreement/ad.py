"""The average deviation index: by how many points a unit's people differ from its centre."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from .. import frames, plotting
from ..errors import OptionError, check_source, listing
from ..moments import Moments, group_codes
from ..results import Result, versions
from ..survey import Survey
from .answers import Answers, Range, by_unit, read_answers, spread

__all__ = ["ad_index", "ad_values"]

Array = npt.NDArray[np.float64]
Around = Literal["mean", "median"]


def ad_index(
    data: object,
    items: str | Sequence[str] | None = None,
    *,
    unit: str | None = None,
    wave: str | None = None,
    range: Range | None = None,
    around: Around | Sequence[Around] = ("mean", "median"),
    disclosure_n: int = 5,
    parse: frames.Parse | None = None,
) -> Result:
    r"""Average deviation of a unit's answers from its mean or median, in points of the scale.

    .. math:: AD = \frac{1}{J} \sum_j \frac{1}{n} \sum_i |x_{ij} - c_j|

    with c the unit's mean or median of item j. 0 is full agreement. Where ``range`` is given, the
    customary upper limit for agreement is A/6, A being the number of options.

    Parameters
    ----------
    data : Survey, frame or path
        Answers themselves are needed (as counts per option, from a grouped query): Moments do not
        hold medians.
    items, unit, wave, range, disclosure_n, parse
        As in :func:`eecx.rwg`.
    around : {"mean", "median"}, or both

    Returns
    -------
    Result
        ``.table``: per centre ``units, mean, median, sd, minimum, maximum, limit, share_within``;
        ``.tables["units"]``.

    Notes
    -----
    A unit with one respondent has no value: the arithmetic would give 0, which says nothing about
    agreement. Burke, Finkelstein and Dusig (1999) and, for A/6, Burke and Dunlap (2002), as
    reviewed by O'Neill (2017), https://doi.org/10.3389/fpsyg.2017.00777.

    Examples
    --------
    >>> import eecx, pandas as pd
    >>> answers = pd.DataFrame({"team": ["a"] * 5, "q": [1, 2, 3, 4, 5]})
    >>> found = eecx.ad_index(answers, "q", unit="team", range=(1, 5))
    >>> found.tables["units"][["mean", "median"]].iloc[0].tolist()
    [1.2, 1.2]
    """
    asked = [around] if isinstance(around, str) else list(around)
    if wrong := [a for a in asked if a not in get_args(Around)]:
        raise OptionError(f"around={wrong[0]!r}: accepted are 'mean' and 'median'.")
    if isinstance(data, Moments):
        raise OptionError(
            "Moments hold no absolute deviations or medians.",
            code="wrong-source",
            fix="Give the answers: a frame, a file or a Survey.",
        )
    check_source("ad_index", data, Survey, frames=True)
    answers = read_answers(data, items, unit=unit, wave=wave, range=range, parse=parse)
    n = answers.n
    found = ad_values(answers)
    values: dict[str, Array] = {a: found[a] for a in asked}
    shown = n >= disclosure_n
    units = by_unit(answers.keys, n, values, disclosure_n)
    limit = answers.options / 6 if answers.options else np.nan
    rows = []
    for a, v in values.items():
        kept = v[shown & ~np.isnan(v)]
        within = float(np.mean(kept <= limit)) if len(kept) and answers.options else np.nan
        rows.append({"around": a, **spread(v, shown), "limit": limit, "share_within": within})
    table = pd.DataFrame(rows)
    said = "; ".join(
        f"around the {r['around']} {r['mean']:.2f} points on average over units "
        f"({r['minimum']:.2f} to {r['maximum']:.2f})"
        for r in rows
    )
    return Result(
        "ad_index",
        table,
        {
            "title": answers.name,
            "items": list(answers.items),
            "range": answers.bounds,
            "around": asked,
            "disclosure_n": disclosure_n,
            "data": answers.mark,
            "versions": versions(),
        },
        answers.basis(shown),
        f"The average deviation of answers to {answers.name} within units was, {said}"
        f"{f'; the customary limit for agreement is {limit:.2f}' if answers.options else ''}.",
        tables={"units": units},
        references=("oneill2017",),
        figure=_figure,
    )


def ad_values(answers: Answers) -> dict[Around, Array]:
    """Return AD around mean and median per unit; NaN for units with one respondent."""
    table = answers.table
    if table is None:
        raise OptionError("Average deviations need the answers themselves, not Moments.")
    keys = list(answers.keys.columns)
    out: dict[Around, list[Array]] = {"mean": [], "median": []}
    expressions = [table.number(i) for i in answers.items]
    everything = frames.present(expressions) == len(expressions)
    for item in answers.items:
        answer = table.number(item)
        if len(answers.items) > 1:
            answer = frames.choose([(everything, answer)])
        found, counted = table.tally(keys, answer)
        answered = counted["value"].notna().to_numpy()
        codes, units = group_codes(found[answered].reset_index(drop=True), keys)
        if len(units) != len(answers.keys):
            raise OptionError(f"Item {item!r} does not have the units of {listing(answers.items)}.")
        value = counted.loc[answered, "value"].to_numpy(float)
        many = counted.loc[answered, "cells"].to_numpy(float)
        for around, deviation in zip(out, _deviations(codes, value, many, len(units)), strict=True):
            out[around].append(deviation)
    several = answers.n > 1
    return {a: np.where(several, np.mean(v, axis=0), np.nan) for a, v in out.items()}


def _deviations(
    codes: npt.NDArray[np.intp], value: Array, many: Array, units: int
) -> tuple[Array, Array]:
    """Return mean absolute deviations around mean and median from counts of values per unit."""
    order = np.lexsort((value, codes))
    codes, value, many = codes[order], value[order], many[order]
    n = np.bincount(codes, many, units)
    mean = np.bincount(codes, many * value, units) / n
    upto = np.cumsum(many)
    start = np.concatenate([[0.0], np.cumsum(n)[:-1]])
    # the two middle answers of each unit, which are one for odd n
    low = value[np.searchsorted(upto, start + np.floor((n - 1) / 2), side="right")]
    high = value[np.searchsorted(upto, start + np.ceil((n - 1) / 2), side="right")]
    median = (low + high) / 2
    around_mean = np.bincount(codes, many * np.abs(value - mean[codes]), units) / n
    return around_mean, np.bincount(codes, many * np.abs(value - median[codes]), units) / n


def _figure(result: Result, ax: Any = None, **options: Any) -> Any:
    units = result.tables["units"]
    rows = [
        pd.DataFrame({"group": f"around the {a}", "value": units[a]}) for a in result.spec["around"]
    ]
    limit = float(result.table["limit"].iloc[0])
    given = {
        "label": "average deviation, points",
        "title": f"Agreement within units: {result.spec['title']}",
        "marks": {} if np.isnan(limit) else {limit: "A/6"},
        "caption": f"0 is full agreement. {result.stats['withheld']} units are withheld.",
    }
    return plotting.distribution(pd.concat(rows).dropna(), ax=ax, **(given | options))
