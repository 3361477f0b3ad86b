"""The average deviation index: by how many points a unit's people differ from its centre."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from .. import frames, options, plotting
from ..errors import DataError, OptionError, listing
from ..moments import Moments, group_codes
from ..results import Result, recorded
from ..sources import people
from .answers import (
    NO_INTERVAL,
    Answers,
    Range,
    by_unit,
    read_answers,
    rows_as_table,
    spread,
    withheld,
)
from .arguments import several_names

__all__ = ["ad_index", "ad_values"]

Array = npt.NDArray[np.float64]
Around = Literal["mean", "median"]

MORE = ("groups", "median", "sd", "minimum", "maximum", "limit", "share_within")


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
        ``.table``: per ``around`` (the centre) the mean over units as ``estimate``, then
        ``groups, median, sd, minimum, maximum, limit, share_within``; ``.tables["units"]``:
        ``unit``, ``wave``, n and each unit's deviation around ``mean`` and ``median``. ``.stats``
        as of :func:`eecx.rwg`.

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
    asked = dict(locals())
    least, centres = options.disclosure_n(disclosure_n), _centres(around)
    if isinstance(data, Moments):
        raise _no_sums()
    source = people(data, "ad_index", unit=unit, wave=wave, parse=parse, sums=False)
    answers = read_answers(source, items, range=range, parse=parse, counts=True)
    found = ad_values(answers)
    values = {a: found[a] for a in centres}
    shown = answers.n >= least
    limit = answers.options / 6 if answers.options else np.nan
    rows = [_row(a, values[a], shown, limit) for a in centres]
    said = "; ".join(
        f"around the {r['around']} {r['estimate']:.2f} points on average over {answers.groups} "
        f"({r['minimum']:.2f} to {r['maximum']:.2f})"
        for r in rows
    )
    return Result(
        "ad_index",
        rows_as_table(rows, ("around",), MORE),
        recorded(ad_index, asked, data=source.of_people(least, answers), **answers.settled(asked)),
        answers.basis(shown),
        f"The average deviation of answers to {answers.name} within units was, {said}"
        f"{f'; the customary limit for agreement is {limit:.2f}' if answers.options else ''}.",
        tables={"units": by_unit(answers.keys, answers.n, values, least)},
        references=("oneill2017",),
        figure=_figure,
        title=answers.name,
        unused=NO_INTERVAL,
    )


def _centres(around: Around | Sequence[Around]) -> tuple[str, ...]:
    centres = several_names("around", around)
    accepted = get_args(Around)
    if not centres or any(a not in accepted for a in centres) or len(set(centres)) < len(centres):
        strange = next((a for a in centres if a not in accepted), around)
        raise OptionError(
            f"around={strange!r:.60}: accepted are 'mean' and 'median'.",
            code="not-accepted",
            fix="Give one of them, or both, each once.",
        )
    return centres


def _no_sums() -> OptionError:
    return OptionError(
        "Moments hold no absolute deviations or medians.",
        code="wrong-source",
        fix="Give the answers: a frame, a file or a Survey.",
    )


def _row(around: str, values: Array, shown: npt.NDArray[np.bool_], limit: float) -> dict[str, Any]:
    kept = values[shown & ~np.isnan(values)]
    within = float(np.mean(kept <= limit)) if np.isfinite(limit) and len(kept) else np.nan
    return {"around": around, **spread(values, shown), "limit": limit, "share_within": within}


def ad_values(answers: Answers) -> dict[str, Array]:
    """Return AD around mean and median per unit; NaN for units with one respondent."""
    table = answers.table
    if table is None:
        raise _no_sums()
    out: dict[str, list[Array]] = {"mean": [], "median": []}
    for codes, value, many in _counted(answers, table):
        found = _deviations(codes, value, many, len(answers.keys))
        for around, deviation in zip(out, found, strict=True):
            out[around].append(deviation)
    several = answers.n > 1
    return {a: np.where(several, np.mean(v, axis=0), np.nan) for a, v in out.items()}


def _counted(
    answers: Answers, table: frames.Table
) -> Iterator[tuple[npt.NDArray[np.intp], Array, Array]]:
    """Give, item by item, units, values and how often, sorted by unit and value."""
    if answers.counts is not None and answers.bounds is not None:
        possible = np.ceil(answers.bounds[0]) + np.arange(answers.counts.shape[2])
        for many in answers.counts.transpose(1, 0, 2):
            unit, option = np.nonzero(many)
            yield unit, possible[option], many[unit, option]
        return
    keys = list(answers.keys.columns)
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
            raise DataError(
                f"Item {item!r} does not have the units of {listing(answers.items)}: the rows "
                "changed while they were read.",
                code="changed-data",
                fix="Read them anew.",
            )
        value = counted.loc[answered, "value"].to_numpy(float)
        many = counted.loc[answered, "cells"].to_numpy(float)
        order = np.lexsort((value, codes))
        yield codes[order], value[order], many[order]


def _deviations(
    codes: npt.NDArray[np.intp], value: Array, many: Array, units: int
) -> tuple[Array, Array]:
    """Return mean absolute deviations around mean and median from sorted counts of values."""
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
        pd.DataFrame({"group": f"around the {a}", "value": units[a]})
        for a in result.table["around"]
    ]
    limit = float(result.table["limit"].iloc[0])
    given = {
        "label": "average deviation, points",
        "title": f"Agreement within units: {result.title}",
        "marks": {} if np.isnan(limit) else {limit: "A/6"},
        "caption": f"0 is full agreement. {withheld(result)}",
    }
    return plotting.distribution(pd.concat(rows).dropna(), ax=ax, **(given | options))
