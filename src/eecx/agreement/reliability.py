"""Reliability of unit means and of their change, from the sampling variance of every cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from .. import options, plotting
from ..errors import Caution, DataError, OptionError, check_source, listing
from ..models.joint import of_clusters
from ..panel import Panel
from ..results import Result, fingerprint, recorded
from ..sources import LEAST, Source, people, unit_waves
from ..survey import Survey
from .answers import rows_as_table, title
from .arguments import distinct_names

__all__ = ["BETWEEN", "CHANGE", "ONE_WAVE", "Cells", "level_sums", "read_cells", "reliability"]

Array = npt.NDArray[np.float64]
Names = Sequence[str] | str

ONE_WAVE = "between units in one wave"
BETWEEN = "between units"
CHANGE = "change within units over time"

MORE = ("true_sd", "units", "respondents", "respondents_needed")


@dataclass(frozen=True, eq=False)
class Cells:
    """Values of one or more measures per unit × wave, with n and sampling variance.

    ``frame`` has ``unit, time``; ``value``, ``variance`` and ``n`` have a column per measure.
    """

    frame: pd.DataFrame
    value: pd.DataFrame
    variance: pd.DataFrame
    n: pd.DataFrame
    people: Array | None = None
    """How many people each cell's unit has, where that was given."""

    def complete(self, names: Sequence[str]) -> Cells:
        """Keep the cells in which all of these measures have a value."""
        kept = self.value[list(names)].notna().all(axis=1).to_numpy()
        frame, value, variance, n = (
            p[kept].reset_index(drop=True) for p in (self.frame, self.value, self.variance, self.n)
        )
        return Cells(frame, value, variance, n, None if self.people is None else self.people[kept])


def level_sums(cells: Cells, names: Sequence[str], level: str) -> tuple[Array, Array, float] | None:
    """Return per unit: squares and products of what varies, and its sampling error.

    Shapes (units, p, p) and (units, p), and how many free cells the sums are of; None where the
    level does not exist (a single wave, a single unit, no row).
    """
    if not len(cells.frame):
        return None
    unit, at = pd.factorize(cells.frame["unit"])[0], pd.factorize(cells.frame["time"])[0]
    x = cells.value[list(names)].to_numpy(float)
    v = cells.variance.reindex(columns=list(names)).to_numpy(float)
    waves = np.bincount(unit).astype(float)
    units = len(waves)

    def mean_of(values: Array, codes: npt.NDArray[np.intp]) -> Array:
        size = np.bincount(codes)[:, None]
        return np.stack([np.bincount(codes, column) for column in values.T], axis=1) / size

    if level == BETWEEN:
        means = mean_of(x, unit)
        away = means - means.mean(axis=0)
        noise = mean_of(v, unit) / waves[:, None]
        free = float(units - 1)
        owner = np.arange(units)
    elif level == ONE_WAVE:
        away = x - mean_of(x, at)[at]
        noise, free, owner = v, float(len(x) - len(np.unique(at))), unit
    else:
        several = waves[unit] > 1
        if not several.any() or len(np.unique(at[several])) < 2:
            return None
        unit, at, x, v = unit[several], at[several], x[several], v[several]
        unit = pd.factorize(unit)[0]
        at = pd.factorize(at)[0]
        waves = np.bincount(unit).astype(float)
        units = len(waves)
        away = x - mean_of(x, unit)[unit]
        away = away - mean_of(away, at)[at]
        noise, owner = v * (1 - 1 / waves[unit])[:, None], unit
        free = float(len(x) - units)
    if free < 1 or units < 3:
        return None
    products = away[:, :, None] * away[:, None, :]
    squares = np.zeros((units, x.shape[1], x.shape[1]))
    error = np.zeros((units, x.shape[1]))
    np.add.at(squares, owner, products)
    np.add.at(error, owner, noise)
    if level == BETWEEN:
        error *= free / units
    elif level == ONE_WAVE:
        error *= free / len(x)
    return squares, error, free


def read_cells(
    source: Source, names: Sequence[str], population: object = None
) -> tuple[Cells, int]:
    """Return the cells of a panel or survey, and the minimum of respondents."""
    if source.panel is not None:
        data = source.panel
        for name in names:
            data.require(name, "measure")
        columns = list(names)
        frame = pd.DataFrame({"unit": data.frame[data.unit].to_numpy(), "time": data.time})
        wave = frame["time"] if data.wave is None else data.frame[data.wave]
        parts = (data.frame[columns], data.variance, data.n)
        value, variance, n = (p.reindex(columns=columns).reset_index(drop=True) for p in parts)
        cells = Cells(frame, value.astype(float), variance.astype(float), n.astype(float))
        keys = pd.DataFrame({"unit": frame["unit"], "wave": wave.to_numpy()})
        minimum = data.disclosure_n
    else:
        survey = source.people
        long = survey._cells()
        count = len(survey.measures)
        first = long.iloc[::count].reset_index(drop=True)
        wave = first[survey.wave] if survey.wave else pd.Series("all", first.index)
        frame = pd.DataFrame({"unit": first[survey.unit], "time": pd.factorize(wave, sort=True)[0]})
        at = {m: i for i, m in enumerate(survey.measures)}
        value, variance, n = (
            pd.DataFrame({m: long[c].to_numpy(float)[at[m] :: count] for m in names})
            for c in ("value", "variance", "n")
        )
        cells = Cells(frame, value, variance, n)
        keys = pd.DataFrame({"unit": frame["unit"], "wave": wave.to_numpy()})
        minimum = LEAST
    if population is not None:
        people = _headcount(population, keys)
        share = cells.n.div(people, axis=0)
        over = (share > 1).any(axis=1)
        if over.any():
            row = keys[over].iloc[0]
            raise DataError(
                f"Unit {row['unit']!r} has more respondents than people in population= (wave "
                f"{row['wave']!r}).",
                code="out-of-range",
                fix="Is the headcount that of another time?",
            )
        variance = cells.variance * (1 - share)
        cells = Cells(cells.frame, cells.value, variance, cells.n, people)
    return cells, minimum


def _headcount(population: object, keys: pd.DataFrame) -> Array:
    """Return how many people each cell's unit has."""
    if isinstance(population, pd.DataFrame):
        if population.shape[1] not in (2, 3):
            raise OptionError(
                "population= as a frame has the columns unit, (wave,) headcount, in this order.",
                code="not-accepted",
                fix="Give these columns only.",
            )
        given = population.set_axis([*["unit", "wave"][: population.shape[1] - 1], "N"], axis=1)
        on = [c for c in ("unit", "wave") if c in given.columns]
        if given.duplicated(on).any():
            raise DataError(
                "population= has a unit (and wave) twice.",
                code="named-twice",
                fix="Keep one row of each.",
            )
        found = keys.merge(given, on=on, how="left")["N"].to_numpy(float)
    elif isinstance(population, Mapping | pd.Series):
        found = np.array([float(population.get(u, np.nan)) for u in keys["unit"]])
    else:
        raise OptionError(
            "population= is a mapping of unit to headcount, or a frame.",
            code="wrong-type",
            fix="Give one, as in population={'store 1': 40}.",
        )
    if np.isnan(found).any():
        missing = keys["unit"][np.isnan(found)].unique()
        raise DataError(
            f"population= has no headcount for {listing(missing)}.",
            code="missing-values",
            fix="Add them, or leave these units out of the data.",
        )
    if (found <= 0).any():
        raise DataError(
            "population= holds headcounts of zero or less.",
            code="out-of-range",
            fix="Give the people that each unit has.",
        )
    return found


def estimate(cells: Cells, name: str, level: str) -> tuple[float, float, float, int] | None:
    """Return reliability, standard error, true variance, units; None where it cannot be told."""
    known = cells.complete([name])
    if name not in known.variance.columns or known.variance[name].isna().any():
        return None
    found = level_sums(known, [name], level)
    if found is None:
        return None
    squares, error, free = found
    s, e = squares[:, 0, 0], error[:, 0]
    if s.sum() <= 0:
        return None
    ratio = float(e.sum() / s.sum())
    units = len(s)
    told = of_clusters(np.array([1 - ratio]), (ratio * s - e)[:, None] / s.sum())
    se = float(np.sqrt(told.covariance[0, 0]))
    return 1 - ratio, se, float((s.sum() - e.sum()) / free), units


def reliability(
    data: object,
    measures: Names = (),
    *,
    population: object = None,
    target: float = 0.70,
    conf_level: float = 0.95,
) -> Result:
    r"""How much of what varies between units, and over time, is not sampling error.

    Every cell (unit × wave) has a value and, from its own respondents, a sampling variance v. At
    each level the reliability is

    .. math:: \rho = 1 - \frac{\sum v}{\sum (\text{observed deviations})^2}

    with the deviations of cells from their wave's mean (``between units in one wave``), of unit
    means over all waves (``between units``), and of cells from unit and wave means (``change
    within units over time``). The last is as a rule much the lowest, and it is the one that
    studies over time live on.

    Parameters
    ----------
    data : Survey or Panel
    measures : sequence of str, optional
        All by default (of a Panel: those whose sampling variance is known).
    population : mapping or frame, optional
        Headcount per unit ``{"store 1": 40}``, or a frame with the columns unit, (wave,)
        headcount. A unit in which nearly all answered has hardly any sampling error: v is
        multiplied by 1 - n/N. Right for statements about the people there were; not for those who
        might have been.
    target : float
        A reliability for which the respondents needed per unit and wave are told.
    conf_level : float

    Returns
    -------
    Result
        ``.table``: per ``measure`` and ``level`` the reliability as ``estimate``, and
        ``true_sd, units, respondents, respondents_needed``; the interval is that of the ratio over
        units (delta method, t with units - 1 degrees of freedom). ``.tables["units"]``: ``unit,
        measure``, waves and the reliability of the unit's mean over them. ``.stats``: units, waves,
        groups (units × waves).

    Notes
    -----
    An estimate below 0 says that units differ less than sampling alone would make them. What
    counts as error here is only the choice of respondents: unclear items, or moods that all share
    on the day, are not in it. Compare :func:`eecx.icc` (ICC 2 of people in units of equal size).

    Examples
    --------
    >>> import eecx
    >>> chain = eecx.simulate.retail_chain()
    >>> staff = eecx.Survey(
    ...     chain.employees,
    ...     unit="store",
    ...     wave="quarter",
    ...     measures={"engagement": eecx.Scale(["e1", "e2", "e3"], range=(1, 5))},
    ... )
    >>> found = eecx.reliability(staff)
    >>> found.table["estimate"].round(2).tolist()
    [0.74, 0.95, 0.27]
    """
    asked = dict(locals())
    options.conf_level(conf_level)
    check_source("reliability", data, Survey, Panel)
    by_waves = isinstance(data, Panel)
    source = unit_waves(data, "reliability") if by_waves else people(data, "reliability")
    if isinstance(target, bool) or not (isinstance(target, Real) and 0 < target < 1):
        raise OptionError(
            f"target={target!r:.60}: a reliability between 0 and 1, such as 0.7.",
            code="out-of-range",
            fix="Leave it out for 0.7.",
        )
    names = distinct_names("measures", measures) or _all(source)
    if source.survey is not None and (stray := [m for m in names if m not in source.columns]):
        raise OptionError(
            f"{listing(stray)} is no measure of the survey.",
            code="unknown-measure",
            fix=f"It has {listing(source.columns)}.",
        )
    cells, minimum = read_cells(source, names, population)
    rows: list[dict[str, Any]] = []
    warned: list[Caution] = []
    for name in names:
        own = _rows(cells, name, target, conf_level)
        rows += own
        warned += _cautions(own, name, target)
    if not rows:
        raise DataError(
            "No sampling variances are known, so no reliability can be told.",
            code="unknown-reliability",
            fix="A Survey has them; Panel.from_frame takes them as variance=.",
        )
    said = "; ".join(
        f"{r['measure']}, {r['level']}: {r['estimate']:.2f} ({r['conf_low']:.2f} to "
        f"{r['conf_high']:.2f})"
        for r in rows
    )
    return Result(
        "reliability",
        rows_as_table(rows, ("measure", "level"), MORE),
        recorded(
            reliability,
            asked,
            data=source.fingerprint,
            measures=names,
            population=None if cells.people is None else fingerprint(cells.people),
        ),
        {
            "units": int(cells.frame["unit"].nunique()),
            "waves": int(cells.frame["time"].nunique()) if source.wave else None,
            "groups": len(cells.frame),
        },
        f"Reliability of the units' scores, that is the share of their variance that is not "
        f"sampling error ({100 * conf_level:g}% intervals), was: {said}.",
        tables={"units": _units(cells, names, minimum)},
        warnings=tuple(warned),
        figure=_figure,
        title=title(names),
        unused=("statistic", "p_value"),
    )


def _rows(cells: Cells, name: str, target: float, conf_level: float) -> list[dict[str, Any]]:
    """Return the reliability of a measure at every level that exists."""
    known = cells.complete([name])
    levels = [BETWEEN] if known.frame["time"].nunique() < 2 else [ONE_WAVE, BETWEEN, CHANGE]
    size = known.n[name]
    waves = len(known.frame) / known.frame["unit"].nunique()
    scatter, few = _scatter(known, name)
    rows = []
    for level in levels:
        found = estimate(cells, name, level)
        if found is None:
            continue
        value, se, true, units = found
        reach = -float(special.stdtrit(units - 1, (1 - conf_level) / 2)) * se
        allowed = true * (1 - target) / target * (waves if level == BETWEEN else 1.0)
        needed = 1 / (allowed / scatter + few) if true > 0 and scatter > 0 else np.nan
        rows.append(
            {
                "measure": name,
                "level": level,
                "estimate": value,
                "std_error": se,
                "df": units - 1,
                "conf_low": value - reach,
                "conf_high": min(value + reach, 1.0),
                "true_sd": np.sqrt(true) if true > 0 else 0.0,
                "units": units,
                "respondents": float(size.mean()),
                "respondents_needed": float(np.ceil(needed)) if np.isfinite(needed) else np.nan,
            }
        )
    return rows


def _cautions(rows: Sequence[Mapping[str, Any]], name: str, target: float) -> list[Caution]:
    if not rows:
        message = f"The sampling variances of {name} are not known: it has no reliability here."
        fix = "A Survey has them; Panel.from_frame takes them as variance=."
        return [Caution("unknown-reliability", message, name, fix=fix)]
    return [
        Caution(
            "low-reliability",
            f"The reliability of {name}, {r['level']}, is {r['estimate']:.2f}, below {target:g}.",
            name,
        )
        for r in rows
        if r["estimate"] < target
    ]


def _scatter(cells: Cells, name: str) -> tuple[float, float]:
    """Return the variance among a cell's people, and one over how many there are."""
    v, n = cells.variance[name], cells.n[name]
    if cells.people is None:
        return float((v * n).mean()), 0.0
    left = 1 - n / cells.people
    asked = left > 0  # where all answered, the variance among them is no longer told
    return float((v * n / left)[asked].mean()), float((1 / cells.people).mean())


def _all(source: Source) -> list[str]:
    if source.panel is None:
        return list(source.columns)
    measures = (*source.panel.employee, *source.panel.customer)
    return [m for m in measures if m in source.panel.variance.columns]


def _units(cells: Cells, names: Sequence[str], minimum: int) -> pd.DataFrame:
    """Reliability of each unit's own mean over its waves."""
    parts = [pd.DataFrame(columns=["unit", "measure", "waves", "reliability", "status"])]
    for name in names:
        found = estimate(cells, name, BETWEEN)
        if found is None:
            continue
        true = max(found[2], 0.0)
        known = cells.complete([name])
        known_v = known.variance[name].groupby(known.frame["unit"])
        noise = known_v.sum() / known_v.size() ** 2
        smallest = known.n[name].groupby(known.frame["unit"]).min()
        own = (true / (true + noise)).where(smallest >= minimum)
        status = np.where(smallest >= minimum, "shown", "withheld")
        parts.append(
            pd.DataFrame(
                {
                    "unit": noise.index,
                    "measure": name,
                    "waves": known_v.size().to_numpy(),
                    "reliability": own.to_numpy(),
                    "status": status,
                }
            )
        )
    return pd.concat(parts[1:] or parts, ignore_index=True)


def _figure(result: Result, ax: Any = None, **options: Any) -> Any:
    rows = result.table
    table = pd.DataFrame(
        {
            "term": rows["level"],
            "group": rows["measure"],
            **{c: rows[c] for c in ("estimate", "conf_low", "conf_high")},
        }
    )
    given = {
        "title": "Reliability of units' scores",
        "label": "reliability",
        "caption": "Reliability: 1 is no sampling error, 0 nothing but sampling error.",
    }
    return plotting.coefficients(table, ax=ax, **(given | options))
