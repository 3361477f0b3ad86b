"""Aggregation evidence of a whole survey: may these people be averaged, measure by measure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from .. import options, plotting
from ..errors import Caution, DataError, OptionError, listing
from ..measures import AcrossTouchpoints, Dispersion, Extreme, Favorable, Mean, Measure, Scale
from ..results import Result, recorded
from ..sources import Source, people
from ..survey import Survey
from .ad import ad_values
from .alpha import alpha
from .answers import (
    NO_INTERVAL,
    Answers,
    counted,
    read_answers,
    read_scores,
    rows_as_table,
    title,
    unit_keys,
    withheld,
)
from .arguments import distinct_names
from .awg import awg_values
from .icc import Anova, anova, variance_components
from .nulls import Null, read_nulls
from .reliability import BETWEEN, CHANGE, ONE_WAVE, Cells, estimate, read_cells
from .rwg import rwg_values

__all__ = ["aggregation"]

Array = npt.NDArray[np.float64]
Names = Sequence[str] | str

# what the literature calls how much; conventions, each from one source
CONVENTIONS = {
    "r_wg": ".51 to .70 moderate, .71 to .90 strong (LeBreton & Senter, 2008)",
    "AD": "at most A/6 (Burke & Dunlap, 2002)",
    "ICC(1)": ".01 small, .10 medium, .25 large (LeBreton & Senter, 2008)",
    "ICC(2)": ".70 customary",
    "reliability": ".70 customary",
    "alpha": ".70 customary",
}
ASSUMED = "direct consensus (assumed)"
CONSENSUS = ("direct consensus", "referent shift", ASSUMED)
"""Composition models under which people should agree."""
COLUMNS = {"r_wg": "rwg", "AD": "ad", "a_wg": "awg"}
"""Where the units' own agreement stands: the first index of a kind."""
MORE = ("median", "minimum", "maximum", "groups", "units", "null_variance", "composition")


def aggregation(
    survey: Survey,
    measures: Names = (),
    *,
    null: str | float | Sequence[str | float] = ("uniform", "slight skew"),
    disclosure_n: int = 5,
    conf_level: float = 0.95,
) -> Result:
    r"""State, for every measure of a survey, the evidence that its people may be averaged.

    What is asked for follows from the measure's composition model (Chan, 1998):

    - ``direct consensus`` and ``referent shift``: agreement within units (r_wg(j), AD, a_wg),
      differences between units (ICC 1) and the reliability of unit means (ICC 2);
    - ``additive`` (customers' measures, shares, NPS): differences between units and reliability
      only. Nobody need agree for a mean to be a fact about a unit;
    - ``dispersion``, extremes and composites over touchpoints: the reliability of the score.

    A measure that declares no composition counts as direct consensus where it is a scale or mean
    of employees or of nobody in particular, and the table says ``(assumed)``.

    Parameters
    ----------
    survey : Survey
        Agreement is computed within a unit in a wave; the waves' means are taken out of ICC.
    measures : sequence of str, optional
        All by default.
    null : str or float, or several
        Null distributions of r_wg, as in :func:`eecx.rwg`.
    disclosure_n : int
        Unit × waves with fewer respondents are withheld from ``.tables["units"]``, and then the
        distributions describe the others. ICC is of all.
    conf_level : float

    Returns
    -------
    Result
        ``.table``: one row per ``measure, index`` and, of r_wg, ``null``, with the interval where
        there is one, and ``median, minimum, maximum, groups`` (units, or units × waves, that an
        index is of), ``units`` (that a reliability is of), ``null_variance, composition``. For
        agreement, ``estimate`` is the mean over groups. ``.tables["conventions"]``: what the
        literature calls how much of each index, with its source: context, no verdict.
        ``.tables["units"]``: ``unit, wave, measure``, n, r_wg (first null), AD, a_wg and
        reliability. ``.stats``: units, waves, groups, withheld (groups of which a measure is).

    Raises
    ------
    DataError
        Everybody alone in a unit, all answers alike.

    Notes
    -----
    High agreement does not make a mean reliable, and a reliable mean needs no agreement: the two
    are read apart. Units with low r_wg are never dropped; to drop them would choose on the very
    thing that is studied. Chan (1998), https://doi.org/10.1037/0021-9010.83.2.234.

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
    >>> found = eecx.aggregation(staff)
    >>> found.table.loc[found.table["index"] == "ICC(1)", "estimate"].round(3).tolist()
    [0.213]
    """
    asked = dict(locals())
    source = people(survey, "aggregation", rows=False, sums=False)
    options.conf_level(conf_level)
    least = options.disclosure_n(disclosure_n)
    names = distinct_names("measures", measures) or list(survey.measures)
    if stray := [m for m in names if m not in survey.measures]:
        raise OptionError(
            f"{listing(stray)} is no measure of the survey; it has {listing(survey.measures)}.",
            code="unknown-measure",
            fix="Name one of these.",
        )
    cells, _ = read_cells(source, names)
    found = [_examined(source, name, cells, null, least, conf_level) for name in names]
    rows = [row for one in found for row in one.rows]
    table = rows_as_table(rows, ("measure", "index", "null"), MORE)
    conventions = pd.DataFrame(rows)[["index", "convention"]].drop_duplicates(ignore_index=True)
    every = pd.concat([one.units for one in found], ignore_index=True)
    keys = [c for c in ("unit", "wave") if c in every]
    small = every.loc[every["status"] == "withheld", keys].drop_duplicates()
    return Result(
        "aggregation",
        table,
        recorded(
            aggregation,
            asked,
            data=source.of_people(least),
            of=survey.spec,
            measures=names,
        ),
        {**counted(every[keys].drop_duplicates()), "withheld": len(small)},
        _methods(rows, survey, conf_level),
        tables={"units": every, "conventions": conventions[conventions["convention"] != ""]},
        warnings=tuple(c for one in found for c in one.cautions),
        references=("chan1998", "lebreton2008", "james1984"),
        figure=_figure,
        title=title(names),
        unused=NO_INTERVAL[:4],
    )


@dataclass(frozen=True, eq=False)
class _Found:
    rows: list[dict[str, Any]]
    units: pd.DataFrame
    cautions: list[Caution]


def composition_of(measure: Measure) -> str:
    """Return the composition model of a measure, and whether it is assumed."""
    if measure.composition:
        return measure.composition
    if isinstance(measure, Dispersion):
        return "dispersion"
    if isinstance(measure, Extreme):
        return measure.which
    if isinstance(measure, AcrossTouchpoints):
        return f"{measure.how} of touchpoints"
    if isinstance(measure, Favorable):
        return "share above a threshold"
    if not isinstance(measure, Scale | Mean) or "customers" in measure.source:
        return "additive"
    return ASSUMED


def _examined(
    source: Source,
    name: str,
    cells: Cells,
    null: str | float | Sequence[str | float],
    disclosure_n: int,
    conf_level: float,
) -> _Found:
    survey = source.people
    measure = survey.measures[name]
    composition = composition_of(measure)
    consensus = composition in CONSENSUS
    derived = isinstance(measure, Dispersion | Extreme | AcrossTouchpoints)
    rows: list[dict[str, Any]] = []
    cautions: list[Caution] = []
    per_unit: dict[str, Array] = {}

    def add(index: str, estimate: float, kind: str, **more: Any) -> None:
        own = {"measure": name, "composition": composition, "index": index, "estimate": estimate}
        own |= {"null": "", "kind": kind, "convention": CONVENTIONS.get(kind, "")}
        rows.append(own | more)

    if derived or survey.weight:
        keys, _ = survey._sums(survey._unit_wave)
        n = cells.n[name].to_numpy(float)
        per_unit["reliability"] = np.full(len(n), np.nan)
    else:
        scores = read_scores(source, name)
        keys, n = scores.keys, scores.n
        components = variance_components(scores, "reml")
        variance = anova(scores)
        tau2, sigma2 = components
        per_unit["reliability"] = tau2 / (tau2 + sigma2 / n) if tau2 > 0 else np.zeros(len(n))
    shown = n >= disclosure_n
    answered_all = np.zeros(len(n))
    if consensus and not survey.weight:
        answers = read_answers(source, name, counts=True)
        at = pd.MultiIndex.from_frame(answers.keys).get_indexer(pd.MultiIndex.from_frame(keys))
        nulls = read_nulls(null, answers.options) if answers.options else []
        agreed, extra = _agreement(answers, nulls, disclosure_n)
        # agreement is of people who answered every item: the minimum counts them
        answered_all = np.where(at >= 0, answers.n[at], 0.0)
        for kind, index, values, more in agreed:
            placed = np.where(at >= 0, values[at], np.nan)
            kept = placed[(answered_all >= disclosure_n) & ~np.isnan(placed)]
            if not len(kept):
                continue
            add(
                index,
                float(kept.mean()),
                kind,
                median=float(np.median(kept)),
                minimum=float(kept.min()),
                maximum=float(kept.max()),
                groups=len(kept),
                **more,
            )
            per_unit.setdefault(COLUMNS[kind], placed)
        cautions += extra
        if not answers.options:
            message = "Without range=, r_wg and a_wg of it are not defined."
            fix = f"Give {name!r} its range, as in range=(1, 5)."
            cautions.append(Caution("no-range", message, name, fix=fix))
    if not derived and not survey.weight:
        _spread_rows(variance, add, conf_level)
    _reliability_rows(survey, cells, name, add, conf_level, alone=derived or bool(survey.weight))
    if derived and not any(r["kind"] == "reliability" for r in rows):
        message = f"The reliability of {name} cannot be told: its sampling error is not known."
        cautions.append(Caution("unknown-reliability", message, name))
    if isinstance(measure, Scale) and len(measure.items) > 1 and not survey.weight:
        inner = alpha(source, name, conf_level=conf_level)
        first = inner["alpha"]
        limits = {"conf_low": first["conf_low"], "conf_high": first["conf_high"]}
        add("alpha (persons)", float(first["estimate"]), "alpha", **limits)
        cautions += inner.warnings
    few = ~shown
    none = np.full(len(n), np.nan)
    columns = {
        c: np.where(answered_all >= disclosure_n, per_unit.get(c, none), np.nan)
        for c in ("rwg", "ad", "awg")
    }
    columns["reliability"] = per_unit["reliability"]
    units = unit_keys(keys).assign(
        measure=name,
        **{c: np.where(few, np.nan, v) for c, v in {"n": n, **columns}.items()},
        status=np.where(few, "withheld", "shown"),
    )
    return _Found(rows, units, cautions)


def _agreement(
    answers: Answers, nulls: Sequence[Null], disclosure_n: int
) -> tuple[list[tuple[str, str, Array, dict[str, Any]]], list[Caution]]:
    """Return every index of agreement, its kind and name, with its values per cell."""
    out: list[tuple[str, str, Array, dict[str, Any]]] = []
    cautions = []
    shown = answers.n >= disclosure_n
    for one in nulls:
        inside, _, above = rwg_values(answers, one.variance)
        name = "r_wg(j)" if len(answers.items) > 1 else "r_wg"
        out.append(("r_wg", name, inside, {"null": one.name, "null_variance": one.variance}))
        if clipped := int((above & shown).sum()):
            message = (
                f"In {clipped} of {int(shown.sum())} {answers.groups} answers vary more than under "
                f"the {one.name} null: {name} is 0 there."
            )
            cautions.append(Caution("agreement-below-null", message, answers.name))
    deviations = ad_values(answers)
    out.append(("AD", "AD around the median", deviations["median"], {}))
    out.append(("AD", "AD around the mean", deviations["mean"], {}))
    if answers.bounds is not None:
        out.append(("a_wg", "a_wg", awg_values(answers), {}))
    return out, cautions


def _spread_rows(found: Anova, add: Any, conf_level: float) -> None:
    low, high = found.limits(conf_level)
    own = {"groups": found.groups}
    ends = {"conf_low": found.icc1(found.k0, low), "conf_high": found.icc1(found.k0, high)}
    add("ICC(1)", found.icc1(found.k0), "ICC(1)", **ends, **own)
    two = [1 - 1 / f if f > 0 else -np.inf for f in (found.f, low, high)]
    ends = {"conf_low": two[1], "conf_high": two[2]}
    add("ICC(2)", two[0], "ICC(2)", **ends, **own)


def _reliability_rows(
    survey: Survey, cells: Cells, name: str, add: Any, conf_level: float, *, alone: bool
) -> None:
    """Add reliabilities over waves, and, where no ICC tells it, that between units of one wave."""
    for level in (ONE_WAVE, BETWEEN, CHANGE) if survey.wave else (BETWEEN,):
        found = estimate(cells, name, level) if survey.wave or alone else None
        if found is None:
            continue
        value, se, _, units = found
        reach = -float(special.stdtrit(units - 1, (1 - conf_level) / 2)) * se
        ends = {"conf_low": value - reach, "conf_high": min(value + reach, 1.0), "units": units}
        add(f"reliability, {level}", value, "reliability", **ends)


def _methods(rows: Sequence[dict[str, Any]], survey: Survey, conf_level: float) -> str:
    parts = []
    for name in dict.fromkeys(r["measure"] for r in rows):
        own = [r for r in rows if r["measure"] == name]
        said = []
        for r in own:
            if r["kind"] == "r_wg":
                said.append(
                    f"mean {r['index']} {r['estimate']:.2f} ({r['null']} null, expected variance "
                    f"{r['null_variance']:.3g}; median {r['median']:.2f})"
                )
            elif r["kind"] in ("ICC(1)", "ICC(2)"):
                said.append(
                    f"{r['index']} {r['estimate']:.2f} ({r['conf_low']:.2f} to "
                    f"{r['conf_high']:.2f})"
                )
            elif r["kind"] == "reliability":
                said.append(f"{r['index']} {r['estimate']:.2f}")
        model = own[0]["composition"]
        parts.append(f"{name} (composition: {model}): {', '.join(said)}")
    what = f"units{' in a wave' if survey.wave else ''}"
    return (
        f"Aggregation of respondents to {what}, {100 * conf_level:g}% intervals. "
        f"{'. '.join(parts)}. No unit was dropped for low agreement."
    )


def _figure(result: Result, ax: Any = None, **options: Any) -> Any:
    units = result.tables["units"]
    rows = []
    for name, own in units.groupby("measure", sort=False):
        for column, label in (("rwg", "r_wg"), ("reliability", "reliability")):
            values = own[column].dropna()
            if len(values):
                rows.append(pd.DataFrame({"group": f"{name}: {label}", "value": values}))
    if not rows:
        raise DataError(
            "No unit has an agreement or a reliability of its own to draw.",
            code="nothing-to-draw",
            fix="The table says what there is: .summary().",
        )
    given = {
        "label": "1 is full agreement, or no sampling error",
        "title": "Agreement within units, and reliability of their means",
        "marks": {0.7: "customary .70"},
        "caption": f"{withheld(result)} The line is a convention, not a verdict.",
    }
    return plotting.distribution(pd.concat(rows), ax=ax, **(given | options))
