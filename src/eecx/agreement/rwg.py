"""r_wg and r_wg(j): whether a unit's answers vary less than answers without agreement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from .. import frames, options, plotting
from ..errors import Caution
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
from .nulls import Null, read_nulls

__all__ = ["BANDS", "rwg", "rwg_values"]

Array = npt.NDArray[np.float64]

MORE = ("groups", "median", "sd", "minimum", "maximum", "null_variance", "null_origin")
# LeBreton and Senter (2008): from which value an agreement is called what
BANDS = (
    (0.91, "very strong"),
    (0.71, "strong"),
    (0.51, "moderate"),
    (0.31, "weak"),
    (-np.inf, "lack of agreement"),
)


def rwg_values(answers: Answers, null: float) -> tuple[Array, Array, npt.NDArray[np.bool_]]:
    """Return r_wg or r_wg(j) per unit, r*_wg(j), and where the variance exceeds the null's.

    A variance above the null's counts as equal to it, so that the index is 0, never negative;
    r*_wg(j) is left as it is. NaN for units with one respondent.
    """
    ratio = answers.variances.mean(axis=1) / null
    left = 1 - np.minimum(ratio, 1.0)
    j = len(answers.items)
    return j * left / (j * left + np.minimum(ratio, 1.0)), 1 - ratio, ratio > 1


def rwg(
    data: object,
    items: str | Sequence[str] | None = None,
    *,
    unit: str | None = None,
    wave: str | None = None,
    range: Range | None = None,
    null: str | float | Sequence[str | float] = ("uniform", "slight skew"),
    disclosure_n: int = 5,
    parse: frames.Parse | None = None,
) -> Result:
    r"""Within-unit agreement on one item (r_wg) or several (r_wg(j)), per unit (× wave).

    With :math:`\bar s^2` the mean variance (divisor n - 1) of the J items in a unit and
    :math:`\sigma^2_E` the variance that is expected without agreement:

    .. math:: r_{wg(J)} = \frac{J (1 - \bar s^2/\sigma^2_E)}
              {J (1 - \bar s^2/\sigma^2_E) + \bar s^2/\sigma^2_E}

    For J = 1 this is :math:`1 - s^2/\sigma^2_E`. A variance above :math:`\sigma^2_E` counts as
    equal to it (r_wg = 0), and how many units that concerns is in the table.

    Parameters
    ----------
    data : Survey, frame, path or Moments
        Of a Survey, ``items`` names one of its measures. Moments need ``unit`` among their keys.
    items : str or sequence of str
        One item or the items of a scale. A person who lacks one of several items is left out.
    unit, wave : str
        Key columns of a frame; agreement is computed within a unit in a wave.
    range : (low, high)
        Lowest and highest option; options lie one apart.
    null : str or float, or several
        ``"uniform"``, ``"slight skew"``, ``"moderate skew"``, ``"heavy skew"``, ``"triangular"``,
        ``"normal"``, or an expected variance. The variance used stands in the table.
    disclosure_n : int
        Units with fewer respondents are listed as withheld. If there are any, the table describes
        the others, so that nothing of the withheld follows from it.

    Returns
    -------
    Result
        ``.table``: per ``index`` and ``null`` the mean over units (with waves, over units ×
        waves) as ``estimate``, which describes them and has no interval, and behind it ``groups``
        (how many they are), ``median, sd, minimum, maximum, null_variance, null_origin, clipped,
        undefined``; ``r*_wg(j)`` is Lindell's form, :math:`1 - \bar s^2/\sigma^2_E`, never
        clipped. ``.tables["units"]``: ``unit``, ``wave``, n and a column of values per null;
        ``.tables["bands"]``: share of units in the bands of LeBreton and Senter. ``.stats``: n
        (respondents of the units shown), units, waves, groups, items, left_out (people who lack
        an item), withheld (groups).

    Raises
    ------
    ColumnError, DataError, OptionError
        Unknown columns, answers out of range, no unit with two respondents.

    Notes
    -----
    The bands are conventions. A low value is a finding about a unit, not a reason to drop it: to
    drop units by their agreement changes the question. With the nulls of LeBreton and Senter
    (2008), https://doi.org/10.1177/1094428106296642; index by James, Demaree and Wolf (1984),
    https://doi.org/10.1037/0021-9010.69.1.85. For numbers of options outside 5 to 11, which no
    table covers, the shape of the five-option null is stretched; ``null_origin`` says so.

    Examples
    --------
    >>> import eecx, pandas as pd
    >>> answers = pd.DataFrame({"team": ["a"] * 5 + ["b"] * 5, "q": [4, 4, 4, 4, 4, 1, 2, 3, 4, 5]})
    >>> eecx.rwg(answers, "q", unit="team", range=(1, 5), null="uniform").tables["units"]
      unit    n  uniform status
    0    a  5.0      1.0  shown
    1    b  5.0      0.0  shown
    """
    asked = dict(locals())
    source = people(data, "rwg", unit=unit, wave=wave, parse=parse)
    least = options.disclosure_n(disclosure_n)
    answers = read_answers(source, items, range=range, parse=parse)
    nulls = read_nulls(null, answers.options)
    shown = answers.n >= least
    index = "r_wg(j)" if len(answers.items) > 1 else "r_wg"
    found = {one.name: rwg_values(answers, one.variance) for one in nulls}
    rows = _rows(index, nulls, found, shown)
    values = {name: inside for name, (inside, _, _) in found.items()}
    return Result(
        "rwg",
        rows_as_table(rows, ("index", "null"), (*MORE, "clipped", "undefined")),
        recorded(rwg, asked, data=source.of_people(least, answers), **answers.settled(asked)),
        answers.basis(shown),
        _methods(answers, index, rows, shown),
        tables={
            "units": by_unit(answers.keys, answers.n, values, least),
            "bands": _bands(values[nulls[0].name][shown]),
        },
        warnings=_cautions(answers, index, rows, int(shown.sum())),
        references=("james1984", "lebreton2008"),
        figure=_figure,
        title=answers.name,
        unused=NO_INTERVAL,
    )


def _rows(
    index: str,
    nulls: Sequence[Null],
    found: Mapping[str, tuple[Array, Array, npt.NDArray[np.bool_]]],
    shown: npt.NDArray[np.bool_],
) -> list[dict[str, Any]]:
    """Return a row per index and null: the index itself, then, of several items, Lindell's."""
    rows: list[dict[str, Any]] = []
    for lindell in (False, True) if index == "r_wg(j)" else (False,):
        for one in nulls:
            inside, open_, above = found[one.name]
            values = open_ if lindell else inside
            rows.append(
                {
                    "index": "r*_wg(j)" if lindell else index,
                    "null": one.name,
                    "null_variance": one.variance,
                    "null_origin": one.origin,
                    **spread(values, shown),
                    "clipped": 0 if lindell else int((above & shown).sum()),
                    "undefined": int((np.isnan(values) & shown).sum()),
                }
            )
    return rows


def _cautions(
    answers: Answers, index: str, rows: Sequence[dict[str, Any]], groups: int
) -> tuple[Caution, ...]:
    return tuple(
        Caution(
            "agreement-below-null",
            f"In {row['clipped']} of {groups} {answers.groups} answers vary more than under the "
            f"{row['null']} null: {index} is 0 there.",
            row["null"],
        )
        for row in rows
        if row["clipped"]
    )


def _bands(values: Array) -> pd.DataFrame:
    values = values[~np.isnan(values)]
    edges = [low for low, _ in BANDS]
    # bands run from high to low
    at = len(BANDS) - np.searchsorted(edges[::-1], np.round(values, 2), side="right")
    counts = np.bincount(at, minlength=len(BANDS))
    return pd.DataFrame(
        {
            "agreement": [name for _, name in BANDS],
            "from": [max(low, 0.0) for low in edges],
            "groups": counts,
            "share": counts / max(len(values), 1),
        }
    )


def _methods(
    answers: Answers, index: str, rows: Sequence[dict[str, Any]], shown: npt.NDArray[np.bool_]
) -> str:
    said = "; ".join(
        f"{r['null']} null (expected variance {r['null_variance']:.4g}): mean {r['estimate']:.2f}, "
        f"median {r['median']:.2f}, {r['minimum']:.2f} to {r['maximum']:.2f}"
        for r in rows
        if r["index"] == index
    )
    held = int((~shown).sum())
    what = answers.groups
    left = f" {held} more {what}, with too few respondents, are withheld." if held else ""
    return (
        f"Agreement within units on {answers.name} ({len(answers.items)} items, "
        f"{int(answers.n[shown].sum())} respondents in {shown.sum()} {what}) was described by "
        f"{index} (James et al., 1984). {said}.{left} No unit was dropped for low agreement."
    )


def _figure(result: Result, ax: Any = None, **options: Any) -> Any:
    units = result.tables["units"]
    nulls = result.table["null"].unique()
    rows = [pd.DataFrame({"group": name, "value": units[name]}) for name in nulls]
    index = result.table["index"].iloc[0]
    given = {
        "label": index,
        "title": f"Agreement within units: {result.title}",
        "marks": {0.7: "customary .70"},
        "caption": withheld(result),
    }
    return plotting.distribution(pd.concat(rows).dropna(), ax=ax, **(given | options))
