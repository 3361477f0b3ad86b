"""Random group resampling: whether real units agree more than units made at random."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from .. import frames, options, plotting
from ..errors import DataError
from ..moments import group_codes
from ..results import Result, p_phrase, recorded, tidy
from ..sources import LEAST, people
from .answers import Scores, counted, read_people

__all__ = ["random_groups"]

Array = npt.NDArray[np.float64]
TERM = "mean variance within units"


def random_groups(
    data: object,
    x: str,
    *,
    unit: str | None = None,
    wave: str | None = None,
    draws: int = 1000,
    rng: int | np.random.Generator | None = 0,
    parse: frames.Parse | None = None,
) -> Result:
    r"""Compare the variance within real units with that within units made at random.

    People are dealt out anew, without replacement, to units of the same sizes (within their
    wave), ``draws`` times. If people of a unit share something, the mean variance within real
    units is smaller than within random ones:

    .. math:: z = \frac{\bar s^2_{\text{real}} - \operatorname{mean}(\bar s^2_{\text{random}})}
              {\operatorname{sd}(\bar s^2_{\text{random}})}

    Parameters
    ----------
    data : Survey, frame or path
    x : str
        A measure of the Survey, or a column with one score per person.
    unit, wave : str
        Key columns of a frame.
    draws, rng :
        How many random partitions, and their seed.

    Returns
    -------
    Result
        ``.table``: the mean variance within real units (``estimate``), ``statistic`` (z),
        ``p_value`` (share of draws at least as small, (b + 1)/(B + 1)), and of the draws
        ``random_mean, random_sd, random_low, random_high`` (95% of them lie between).
        ``.draws``: the mean variance of each draw. ``.stats``: n, units, waves, groups (units, or
        units × waves), without_variance (groups of one person) and normal_p (that of z).

    Notes
    -----
    Units with one person have no variance and are not in the means. Bliese and Halverson used it
    to tell agreement that is no property of the unit from agreement that is; a significant result
    says that units differ, not that people agree much. The counts of each answer per unit come
    from one grouped query; the dealing itself is done in memory.

    Examples
    --------
    >>> import eecx, pandas as pd
    >>> people = pd.DataFrame({"team": list("aaabbbccc"), "score": [1, 1, 2, 3, 3, 4, 5, 5, 4]})
    >>> found = eecx.random_groups(people, "score", unit="team", draws=199)
    >>> bool(found.table["statistic"].iloc[0] < -2)
    True
    """
    asked = dict(locals())
    source = people(data, "random_groups", unit=unit, wave=wave, parse=parse, sums=False)
    draws = options.draws(draws, usual=1000)
    keys, value, wave_name = read_people(source, x, parse=parse)
    codes, groups = group_codes(keys, list(keys.columns))
    n = np.bincount(codes).astype(float)
    means = np.bincount(codes, value) / n
    squares = np.bincount(codes, (value - means[codes]) ** 2).astype(float)
    cells = Scores(x, str(keys.columns[0]), wave_name, groups, n, means, squares, 0)
    several = n > 1
    if several.sum() < 2:
        raise DataError(
            "Fewer than two units have two people: nothing can be compared.",
            code="too-few-people",
            fix="Group people by a larger unit, or look whether unit= names the person.",
        )
    block = (
        pd.factorize(groups[wave_name], sort=True)[0][codes]
        if wave_name
        else np.zeros(len(codes), dtype=np.intp)
    )
    value = value - value.mean()
    order = np.lexsort((codes, block))
    codes, value, block = codes[order], value[order], block[order]
    real, sample = _dealt(value, codes, block, n, draws, options.rng(rng))
    mean, sd = float(sample.mean()), float(sample.std(ddof=1))
    if sd <= 0:
        raise DataError(
            f"All values of {x!r} are alike: nothing varies.",
            code="constant-column",
            fix="Leave it out.",
        )
    z = (real - mean) / sd
    p = float((np.sum(sample <= real * (1 + 1e-12)) + 1) / (draws + 1))
    low, high = np.quantile(sample, [0.025, 0.975])
    drawn = {"random_mean": mean, "random_sd": sd, "random_low": low, "random_high": high}
    return Result(
        "random_groups",
        tidy({"term": [TERM]}, {"estimate": real, "statistic": z, "p_value": p}, drawn),
        recorded(
            random_groups,
            asked,
            data=source.of_people(LEAST, cells),
            unit=cells.unit,
            wave=wave_name,
        ),
        {
            "n": len(value),
            **counted(groups),
            "without_variance": int((~several).sum()),
            "normal_p": float(special.ndtr(z)),
        },
        f"The variance of {x} within units ({real:.3f} on average) was compared with that within "
        f"{draws} random partitions of the same people into units of the same sizes "
        f"({mean:.3f}, SD {sd:.3f}): z = {z:.2f}, {p_phrase(p)} (one-sided).",
        draws=pd.DataFrame({TERM: sample}),
        figure=_figure,
        title=x,
        statistic="z",
        unused=("std_error", "df", "conf_low", "conf_high"),
    )


def _dealt(
    value: Array,
    codes: npt.NDArray[np.intp],
    block: npt.NDArray[np.intp],
    n: Array,
    draws: int,
    rng: np.random.Generator,
) -> tuple[float, Array]:
    """Return the mean variance within real units, and within each random partition."""
    several = n > 1

    def within(values: Array) -> float:
        total = np.bincount(codes, values)
        square = np.bincount(codes, values**2)
        spread = (square - total**2 / n)[several] / (n[several] - 1)
        return float(spread.mean())

    sample = np.empty(draws)
    ends = np.flatnonzero(np.diff(block)) + 1
    for b in np.arange(draws):
        parts = np.split(value.copy(), ends)
        for part in parts:
            rng.shuffle(part)
        sample[b] = within(np.concatenate(parts))
    return within(value), sample


def _figure(result: Result, ax: Any = None, **options: Any) -> Any:
    row = result.table.iloc[0]
    values = pd.Series(dtype=float) if result.draws is None else result.draws.iloc[:, 0]
    given = {
        "label": "mean variance within units",
        "title": f"Random groups against real ones: {result.title}",
        "marks": {float(row["estimate"]): "real units"},
        "caption": f"{result.spec['draws']} random partitions of the same people.",
        "what": "partitions",
    }
    return plotting.distribution(
        pd.DataFrame({"group": "random units", "value": values}), ax=ax, **(given | options)
    )
