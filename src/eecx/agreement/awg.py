"""a_wg: agreement against the most that people with this mean could disagree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from .. import frames, options, plotting
from ..errors import Caution, OptionError
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

__all__ = ["awg", "awg_values"]

Array = npt.NDArray[np.float64]

MORE = ("groups", "median", "sd", "minimum", "maximum", "undefined")


def awg(
    data: object,
    items: str | Sequence[str] | None = None,
    *,
    unit: str | None = None,
    wave: str | None = None,
    range: Range | None = None,
    disclosure_n: int = 5,
    parse: frames.Parse | None = None,
) -> Result:
    r"""Within-unit agreement that does not depend on a null distribution (Brown & Hauenstein).

    With mean M and variance :math:`s^2` (divisor n - 1) of a unit's n answers on a scale from L
    to H:

    .. math:: a_{wg} = 1 - \frac{2 s^2}{[(H + L) M - M^2 - HL]\, n/(n-1)}

    -1 is the most disagreement that a mean of M allows, 0 what a uniform distribution gives, 1
    full agreement. Several items: the mean of the items' values.

    Parameters
    ----------
    data, items, unit, wave, range, disclosure_n, parse
        As in :func:`eecx.rwg`; ``range`` is needed.

    Returns
    -------
    Result
        ``.table``: the mean over units as ``estimate``, then ``groups, median, sd, minimum,
        maximum, undefined``; ``.tables["units"]``: ``unit``, ``wave``, n, ``awg``. ``.stats`` as
        of :func:`eecx.rwg`.

    Notes
    -----
    Undefined where the mean lies so near an end that n people cannot disagree as the formula
    supposes: outside :math:`[(L(n-1) + H)/n, (H(n-1) + L)/n]`, unless all chose the end itself
    (then 1). Brown and Hauenstein (2005), as reviewed by O'Neill (2017),
    https://doi.org/10.3389/fpsyg.2017.00777.

    Examples
    --------
    >>> import eecx, pandas as pd
    >>> answers = pd.DataFrame({"team": ["a"] * 5, "q": [3, 3, 3, 4, 4]})
    >>> found = eecx.awg(answers, "q", unit="team", range=(1, 5))
    >>> round(float(found["a_wg"]["estimate"]), 3)
    0.875
    """
    asked = dict(locals())
    source = people(data, "awg", unit=unit, wave=wave, parse=parse)
    least = options.disclosure_n(disclosure_n)
    answers = read_answers(source, items, range=range, parse=parse)
    n, values = answers.n, awg_values(answers)
    shown = n >= least
    undefined = int((np.isnan(values) & shown).sum())
    r = {"index": "a_wg", **spread(values, shown), "undefined": undefined}
    cautions: tuple[Caution, ...] = ()
    if undefined:
        where = f"{undefined} of {int(shown.sum())} {answers.groups}"
        message = f"a_wg is not defined in {where}: their means lie at an end of the scale."
        cautions = (Caution("undefined", message, answers.name),)
    return Result(
        "awg",
        rows_as_table([r], ("index",), MORE),
        recorded(awg, asked, data=source.of_people(least, answers), **answers.settled(asked)),
        answers.basis(shown),
        f"Agreement within units on {answers.name} by a_wg was {r['estimate']:.2f} on average over "
        f"{r['groups']} {answers.groups} ({r['minimum']:.2f} to {r['maximum']:.2f}).",
        tables={"units": by_unit(answers.keys, n, {"awg": values}, least)},
        warnings=cautions,
        references=("oneill2017",),
        figure=_figure,
        title=answers.name,
        unused=NO_INTERVAL,
    )


def awg_values(answers: Answers) -> Array:
    """Return a_wg per unit, the mean over items where it is defined; NaN where it is not at all."""
    if answers.bounds is None:
        raise OptionError(
            "a_wg needs range=(lowest, highest), the ends of the scale.",
            code="needs-range",
            fix="Give them, as in range=(1, 5).",
        )
    low, high = answers.bounds
    n, mean = answers.n[:, None], answers.mean
    with np.errstate(divide="ignore", invalid="ignore"):
        most = ((high + low) * mean - mean**2 - high * low) * n / (n - 1)
        value = 1 - 2 * answers.variances / most
        slack = 1e-12 * (high - low)
        inside = (mean >= (low * (n - 1) + high) / n - slack) & (
            mean <= (high * (n - 1) + low) / n + slack
        )
    value = np.where(inside, value, np.nan)
    value = np.where((mean == low) | (mean == high), 1.0, value)
    value[answers.n < 2] = np.nan
    known = ~np.isnan(value)
    return np.where(
        known.any(axis=1), np.nansum(value, axis=1) / np.maximum(known.sum(axis=1), 1), np.nan
    )


def _figure(result: Result, ax: Any = None, **options: Any) -> Any:
    units = result.tables["units"]
    rows = pd.DataFrame({"group": result.title, "value": units["awg"]}).dropna()
    given = {
        "label": "a_wg",
        "title": f"Agreement within units: {result.title}",
        "marks": {0.7: "customary .70"},
        "caption": withheld(result),
    }
    return plotting.distribution(rows, ax=ax, **(given | options))
