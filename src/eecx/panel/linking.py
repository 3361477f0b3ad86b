"""Pair an employee survey with a customer survey, unit by unit and wave by wave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from .. import frames, options
from ..errors import DataError, OptionError, listing
from ..measures import AcrossTouchpoints
from ..survey import Survey
from .audit import LOST, STAGES, Audit, near_misses
from .panel import (
    Panel,
    Role,
    cell_status,
    constant_measures,
    drop_rows_without_key,
    measured_stages,
    read_columns,
    read_covariates,
    refuse_duplicates,
)
from .waves import (
    Step,
    Times,
    infer_step,
    named_like,
    origin_of,
    parse_step,
    place,
    read_waves,
)

__all__ = ["link"]


def link(
    employees: Survey,
    customers: Survey,
    *,
    disclosure_n: int = 5,
    customer_offset: int = 0,
    covariates: object = None,
    step: int | str | None = None,
    serves: Mapping[Any, Any] | None = None,
) -> Panel:
    """Pair two surveys of the same units into a :class:`Panel`.

    Units are joined on equal keys only; look-alikes ("1" and "001") are listed in
    ``panel.audit.near_misses``. Waves meet when they fall into the same step of time. Cells with
    fewer than ``disclosure_n`` respondents are withheld, for confidentiality; precision is no
    reason to withhold: it is carried as sampling variance in ``panel.variance``.

    Parameters
    ----------
    employees, customers : Survey
    disclosure_n : int
        Minimum respondents per unit × wave and side.
    customer_offset : int
        Steps of time by which the customers' wave lies after the employees' wave it is paired
        with: 1 pairs employees in spring with customers in summer, where the step is a quarter.
    covariates : frame or path, optional
        One row per unit, or per unit × wave if it has the employees' wave column; its unit
        column has the name of the employees' one. All other columns are taken; waves meet by
        step of time, as above.
    step : int or str, optional
        Distance between neighbouring waves, inferred if not given ("3M", "1Q", "7D", or a whole
        number for integer waves).
    serves : mapping, optional
        Which touchpoint the employees of a function serve, ``{"cashier": "checkout", "advisor":
        "sales floor"}``, where both surveys have ``touchpoint=`` (of employees: their function).
        Rows are then unit × touchpoint × wave, named "S001 · checkout"; the unit and the
        touchpoint become covariates, ``<unit>_whole`` and the customers' touchpoint column, and
        errors are clustered by the former unless something else is asked for. Functions that are
        not named serve no touchpoint and are left out.

    Raises
    ------
    DataError
        No unit or no wave in common, keys that are numbers on one side and text on the other,
        one survey with waves and one without.

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
    >>> guests = eecx.Survey(
    ...     chain.customers, unit="store", wave="quarter", measures={"nps": eecx.NPS("recommend")}
    ... )
    >>> panel = eecx.link(staff, guests)
    >>> panel.step
    Step(length=3, grid='month', inferred=True)
    """
    disclosure_n = options.disclosure_n(disclosure_n)
    _check(employees, customers, disclosure_n)
    sides = {"employee": employees, "customer": customers}
    if serves is not None:
        _check_serves(employees, customers, serves)
    one = _same_rows(employees, customers) and not customer_offset and serves is None
    both = _of_both(employees, customers) if one else None
    for survey in sides.values() if both is None else (both,):
        own = [*survey._unit_wave, *([str(survey.touchpoint)] if serves is not None else [])]
        survey._asked(own, products=True)  # scores and related errors come from the same sums
    wide = {
        side: _wide(survey, both, disclosure_n, serves, side == "employee")
        for side, survey in sides.items()
    }
    _refuse_mixed_keys(wide["employee"].keys["unit"], wide["customer"].keys["unit"])
    times, chosen = _times(wide, employees, customers, step)
    unit, wave = employees.unit, employees.wave
    origin = min((origin_of(t, chosen) for t in times.values()), default=0)
    for side, read in times.items():
        offset = customer_offset if side == "customer" else 0
        wide[side].keys["time"] = place(read, chosen, origin) - offset
        wide[side].keys["moment"] = read.value
        _refuse_same_step(wide[side].keys, side, chosen)
    if customer_offset and not times:
        raise OptionError(
            "customer_offset= needs waves on both sides.",
            code="needs-wave",
            fix="Name wave= in both surveys, or leave customer_offset= out.",
        )
    joined, lost = _join(wide)
    if not (joined["_employee"] & joined["_customer"]).any():
        raise _no_overlap(wide, chosen, bool(times))
    if times:
        joined["wave"] = _waves(joined, wide, times["customer"], chosen, customer_offset)
    values = pd.DataFrame({unit: joined["unit"]})
    if wave:
        values[wave] = joined["wave"]
    roles: dict[str, Role] = {}
    whole = _parts(values, wide, unit, str(customers.touchpoint)) if serves is not None else None
    n, variance = pd.DataFrame(index=joined.index), pd.DataFrame(index=joined.index)
    related = _related(
        sides if both is None else {"employee": both}, wide, joined, disclosure_n, serves
    )
    few = {}
    for side, survey in sides.items():
        who = "employees" if side == "employee" else "customers"
        row = joined[f"_row_{side}"].to_numpy()
        for name, measure in survey.measures.items():
            source = frozenset(measure.source) or frozenset({who})
            roles[name] = Role(side, measure.better, source)
            values[name] = _taken(wide[side].value[name], row)
            n[name] = _taken(wide[side].n[name], row)
            variance[name] = _taken(wide[side].variance[name], row)
            few[name] = _taken(wide[side].few[name], row) == 1
    if covariates is not None:
        at = (joined["time"].to_numpy(), chosen, origin) if times else None
        values, names = _with_covariates(values, covariates, employees, at, whole)
        roles |= {name: Role("covariate") for name in names}
    if whole is not None:
        roles |= {name: Role("covariate") for name in (whole, str(customers.touchpoint))}
    measures = {side: list(survey.measures) for side, survey in sides.items()}
    asked = {side: joined[f"_{side}"].to_numpy() for side in sides}
    coverage, found = cell_status(values, unit, wave, measures, few, asked)
    audit = Audit(
        stages=_stages(sides, wide, joined, values, measures, few, coverage, disclosure_n, both),
        table=pd.DataFrame([*lost, *found], columns=LOST),
        coverage=coverage,
        near_misses=near_misses([(s, list(pd.unique(wide[s].keys["unit"]))) for s in sides]),
        text_cells=pd.concat([s.table.record for s in sides.values()], ignore_index=True),
        notes=_notes(joined, chosen, times, customer_offset),
    )
    return Panel(
        values,
        unit,
        wave,
        roles,
        n,
        variance,
        time=(joined["time"] - joined["time"].min()).to_numpy(np.int64),
        step=chosen,
        audit=audit,
        moment={s: joined[f"moment_{s}"].to_numpy(float) for s in sides},
        disclosure_n=disclosure_n,
        warnings=constant_measures(values, roles),
        spec={
            "employees": employees.spec,
            "customers": customers.spec,
            "disclosure_n": disclosure_n,
            "customer_offset": customer_offset,
            "step": str(chosen),
            "covariates": [name for name, role in roles.items() if role.side == "covariate"],
            "serves": None if serves is None else {str(k): str(v) for k, v in serves.items()},
        },
        cluster=whole,
        covariance=_covariances(related, variance),
    )


# ---------------------------------------------------------------------- errors of one's answers


def _same_rows(employees: Survey, customers: Survey) -> bool:
    """Whether both surveys read the same rows: the same people then answered both sides."""
    same = ("unit", "wave", "weight", "parse")
    data = (employees.data, customers.data)
    files = all(isinstance(d, str | Path) for d in data) and len({Path(str(d)) for d in data}) == 1
    return (files or data[0] is data[1]) and all(
        getattr(employees, name) == getattr(customers, name) for name in same
    )


def _of_both(employees: Survey, customers: Survey) -> Survey:
    """Return one survey of what both measure of the same rows, for one query to serve both.

    Composites over touchpoints stay with their own survey, which knows the touchpoints.
    """
    measures = {
        name: measure
        for name, measure in (*employees.measures.items(), *customers.measures.items())
        if not isinstance(measure, AcrossTouchpoints)
    }
    return replace(employees, measures=measures, segments=(), touchpoint=None)


def _related(
    asked: Mapping[str, Survey],
    wide: Mapping[str, _Wide],
    joined: pd.DataFrame,
    minimum: int,
    serves: Mapping[Any, Any] | None,
) -> pd.DataFrame:
    """Return how errors of a survey's measures correlate, by pair of names, rows as joined."""
    parts = []
    for side, survey in asked.items():
        at = {str(survey.touchpoint): serves} if serves and side == "employee" else None
        found = survey._related(wide[side].cells, relabel=at, least=minimum)
        row = joined[f"_row_{side}"].to_numpy()
        parts.append(found.reindex(row).set_axis(joined.index))
    return pd.concat([p for p in parts if p.shape[1]] or parts[:1], axis=1)


def _covariances(related: pd.DataFrame, variance: pd.DataFrame) -> pd.DataFrame:
    """Return sampling covariances; NaN where either value is withheld."""
    own = {}
    pairs: list[Any] = related.columns.tolist()
    for one, other in pairs:
        own[(one, other)] = related[(one, other)] * np.sqrt(variance[one] * variance[other])
    return pd.DataFrame(own, index=related.index).set_axis(related.columns, axis=1)


# ---------------------------------------------------------------------- one side


class _Wide:
    """One survey's cells: keys (unit, wave, time, moment, …) and a column per measure.

    ``cells`` holds the keys under the names that the survey has for them.
    """

    def __init__(
        self,
        keys: pd.DataFrame,
        cells: pd.DataFrame,
        scores: pd.DataFrame,
        names: list[str],
        minimum: int,
    ):
        self.keys, self.cells = keys, cells
        self.n, self.value, self.variance, self.few = (
            pd.DataFrame(index=keys.index) for _ in range(4)
        )
        every = len(scores) // len(keys)
        measures = scores["measure"].iloc[:every].tolist()
        for name in names:
            own = scores.iloc[measures.index(name) :: every].reset_index(drop=True)
            few = ((own["n"] < minimum) & (own["n"] > 0)).to_numpy()
            self.few[name] = few.astype(float)
            self.n[name] = own["n"].astype(float).mask(few | (own["n"] == 0).to_numpy())
            self.value[name] = own["value"].mask(few)
            self.variance[name] = own["variance"].mask(few)


def _wide(
    survey: Survey,
    both: Survey | None,
    minimum: int,
    serves: Mapping[Any, Any] | None = None,
    staff: bool = False,
) -> _Wide:
    """Score a survey; from the sums of ``both`` where those hold all of its measures."""
    names = list(survey.measures)
    if both is not None and both.measures.keys() >= survey.measures.keys():
        survey = both
    if serves is None:
        scores = survey._cells(least=minimum)
    else:
        at = str(survey.touchpoint)
        scores = survey._cells(by=[at], relabel={at: serves} if staff else None, least=minimum)
        scores = scores[scores[at].isin(list(serves.values()))]
    first = scores.iloc[:: len(survey.measures)].reset_index(drop=True)
    keys = pd.DataFrame({"unit": first[survey.unit]})
    keys["wave"] = first[survey.wave] if survey.wave else "all"
    if serves is not None:
        place = first[str(survey.touchpoint)]
        keys = keys.assign(whole=keys["unit"], touchpoint=place)
        joint = [f"{u} · {t}" for u, t in zip(keys["unit"], place, strict=True)]
        keys["unit"] = pd.Series(joint, dtype="str")
    cells = first[list(first.columns[: list(first.columns).index("measure")])]
    return _Wide(keys.assign(time=0, moment=0), cells, scores, names, minimum)


def _check_serves(employees: Survey, customers: Survey, serves: Mapping[Any, Any]) -> None:
    for what, survey in (("employees", employees), ("customers", customers)):
        if survey.touchpoint is None:
            raise OptionError(
                f"serves= links functions to touchpoints; the {what} have no touchpoint= column.",
                code="needs-touchpoint",
                fix="Name it in their Survey.",
            )
    if not isinstance(serves, Mapping) or not serves:
        raise OptionError(
            "serves= maps functions to touchpoints: {'cashier': 'checkout'}.",
            code="not-accepted",
        )
    for what, survey, named in (
        ("function of the employees", employees, serves.keys()),
        ("touchpoint of the customers", customers, serves.values()),
    ):
        column = str(survey.touchpoint)
        known = survey._asked([*survey._unit_wave, column], products=True).cells[column].unique()
        if stray := [v for v in dict.fromkeys(named) if v not in set(known)]:
            raise DataError(
                f"serves= names the {what} {listing(stray)}, which nobody has in {column!r}; "
                f"there is {listing(sorted(map(str, known)))}.",
                code="unknown-level",
                fix="Name one of those.",
            )


def _parts(values: pd.DataFrame, wide: dict[str, _Wide], unit: str, touchpoint: str) -> str:
    """Add the whole unit and the touchpoint of every row; return the name of the former."""
    keys = pd.concat([w.keys[["unit", "whole", "touchpoint"]] for w in wide.values()])
    known = keys.drop_duplicates("unit").set_index("unit")
    whole = f"{unit}_whole"
    if clash := {whole, touchpoint} & set(values.columns):
        raise OptionError(
            f"serves= needs the column names {listing(sorted(clash))} for itself.",
            code="name-taken",
            fix="Rename those of the surveys.",
        )
    values[whole] = known["whole"].reindex(values[unit]).to_numpy()
    values[touchpoint] = known["touchpoint"].reindex(values[unit]).to_numpy()
    return whole


def _check(employees: Survey, customers: Survey, disclosure_n: int) -> None:
    for what, survey in (("employees", employees), ("customers", customers)):
        if not isinstance(survey, Survey):
            raise OptionError(
                f"{what} is a {type(survey).__name__}; link() pairs two eecx.Survey.",
                code="wrong-source",
                fix="Make one from the answers of people: eecx.Survey(answers, unit=…, "
                "measures={…}). For data that come by unit already use eecx.Panel.from_frame().",
            )
    for survey in (employees, customers):
        survey._refuse_small_touchpoints(disclosure_n)
    if both := sorted(set(employees.measures) & set(customers.measures)):
        raise OptionError(
            f"Both surveys have a measure named {listing(both)}.",
            code="named-twice",
            fix="Rename one side's.",
        )
    if taken := sorted(set(customers.measures) & {employees.unit, employees.wave}):
        raise OptionError(
            f"The customers' measure {listing(taken)} has the name of the employees' unit or wave "
            "column.",
            code="name-taken",
            fix="Rename it.",
        )
    if bool(employees.wave) != bool(customers.wave):
        with_wave, without = (
            ("employees", "customers") if employees.wave else ("customers", "employees")
        )
        raise OptionError(
            f"The {with_wave} have waves and the {without} have none.",
            code="needs-wave",
            fix="Name wave= on both or on neither.",
        )


def _refuse_mixed_keys(
    one: pd.Series[Any], other: pd.Series[Any], sides: tuple[str, str] = ("employees", "customers")
) -> None:
    number = [pd.api.types.is_numeric_dtype(k) for k in (one, other)]
    if number[0] != number[1]:
        said = [
            f"{'a number' if is_number else 'text'} for the {side} ({listing(keys.unique()[:3])})"
            for keys, side, is_number in zip((one, other), sides, number, strict=True)
        ]
        raise DataError(
            f"The unit key is {' and '.join(said)}.",
            code="different-types",
            fix="Make both text, for instance frame['unit'].astype(str), and mind leading zeros.",
        )


def _times(
    wide: dict[str, _Wide], employees: Survey, customers: Survey, step: int | str | None
) -> tuple[dict[str, Times], Step]:
    if not employees.wave:
        if step is not None:
            raise OptionError(
                "step= needs waves.",
                code="needs-wave",
                fix="Name wave= in both surveys, or leave step= out.",
            )
        return {}, Step(1, "integer")
    times = {
        side: read_waves(wide[side].keys["wave"], str(survey.wave))
        for side, survey in (("employee", employees), ("customer", customers))
    }
    if times["employee"].integer != times["customer"].integer:
        raise DataError(
            "The waves are whole numbers on one side and dates on the other.",
            code="different-types",
            fix="Use one kind on both.",
        )
    both = Times(
        times["employee"].integer,
        np.concatenate([t.value for t in times.values()]),
        np.concatenate([t.month for t in times.values()]),
    )
    if step is not None:
        return times, parse_step(step, both)
    own = [infer_step(t) for t in times.values()]
    return times, own[0] if own[0] == own[1] else infer_step(both)


def _refuse_same_step(keys: pd.DataFrame, side: str, step: Step) -> None:
    twice = keys.duplicated(["unit", "time"], keep=False)
    if twice.any():
        rows = keys.loc[twice].head(2)
        raise DataError(
            f"With a step of {step}, the {side} survey has two waves of unit "
            f"{rows['unit'].iloc[0]!r} in one step: {listing([str(w) for w in rows['wave']])}.",
            code="waves-in-one-step",
            fix="Set a smaller step=.",
        )


# ---------------------------------------------------------------------- both sides


def _join(wide: dict[str, _Wide]) -> tuple[pd.DataFrame, list[tuple[Any, ...]]]:
    """Join on unit and time; units of one side only go to the list of losses."""
    lost: list[tuple[Any, ...]] = []
    units = {side: set(pd.unique(w.keys["unit"])) for side, w in wide.items()}
    common = units["employee"] & units["customer"]
    for side, w in wide.items():
        alone = w.keys[~w.keys["unit"].isin(common)]
        reason = f"unit only in the {side} survey"
        lost += [
            ("linked", side, u, t, None, reason)
            for u, t in zip(alone["unit"], alone["wave"], strict=True)
        ]
    parts = []
    for side, w in wide.items():
        kept = w.keys[w.keys["unit"].isin(common)]
        parts.append(
            pd.DataFrame(
                {
                    "unit": kept["unit"],
                    "time": kept["time"],
                    f"wave_{side}": kept["wave"],
                    f"moment_{side}": kept["moment"],
                    f"_row_{side}": kept.index,
                }
            )
        )
    joined = parts[0].merge(parts[1], on=["unit", "time"], how="outer", sort=True)
    joined["wave"] = "all"
    for side in wide:
        joined[f"_{side}"] = joined[f"_row_{side}"].notna()
        joined[f"_row_{side}"] = joined[f"_row_{side}"].fillna(-1).astype(np.intp)
    for side, other in (("employee", "customer"), ("customer", "employee")):
        alone = joined[joined[f"_{side}"] & ~joined[f"_{other}"]]
        reason = f"wave only in the {side} survey"
        own = wide[side].keys.loc[alone[f"_row_{side}"], "wave"]
        lost += [
            ("linked", side, u, t, None, reason) for u, t in zip(alone["unit"], own, strict=True)
        ]
    return joined, lost


def _waves(
    joined: pd.DataFrame, wide: dict[str, _Wide], customer: Times, step: Step, offset: int
) -> pd.Series[Any]:
    """Name each row by the employees' wave: where they were not asked, by the wave of others.

    A step in which no employee was asked is named as if: a customers' wave less the offset.
    """
    names = wide["employee"].keys["wave"]
    alone = ~joined["_employee"].to_numpy()
    if not alone.any():
        return joined["wave_employee"].astype(names.dtype)
    known = dict(zip(wide["employee"].keys["time"], names, strict=True))
    rows = joined.loc[alone, "_row_customer"].to_numpy()
    made = named_like(customer.take(rows), step, offset, names)
    waves = joined["wave_employee"].to_list()
    for i, time, name in zip(np.flatnonzero(alone), joined["time"][alone], made, strict=True):
        waves[i] = known.get(time, name)
    return pd.Series(waves, joined.index, dtype=names.dtype)


def _no_overlap(wide: dict[str, _Wide], step: Step, waved: bool) -> DataError:
    shown = {
        side: listing(
            [
                f"{u} × {t}" if waved else str(u)
                for u, t in zip(w.keys["unit"], w.keys["wave"], strict=True)
            ][:3]
        )
        for side, w in wide.items()
    }
    units = {side: list(pd.unique(w.keys["unit"])) for side, w in wide.items()}
    near = near_misses(list(units.items()))
    hint = "Name units alike in both surveys first."
    if len(near):
        hint = (
            f"Some keys look alike: {near['key'].iloc[0]!r} and {near['looks_like'].iloc[0]!r}; "
            "make them equal first."
        )
    elif waved and set(units["employee"]) & set(units["customer"]):
        hint = (
            f"Units are shared but no wave is (step {step}): set step= (such as '1Q') or "
            "customer_offset=."
        )
    return DataError(
        f"The two surveys have no unit × wave in common. Employees have {shown['employee']}; "
        f"customers have {shown['customer']}.",
        code="no-overlap",
        fix=hint,
    )


def _taken(values: pd.Series[Any], at: np.ndarray) -> np.ndarray:
    return np.where(at >= 0, values.to_numpy(float)[at], np.nan)


def _with_covariates(
    values: pd.DataFrame,
    covariates: object,
    employees: Survey,
    at: tuple[npt.NDArray[np.int64], Step, int] | None,
    whole: str | None = None,
) -> tuple[pd.DataFrame, list[str]]:
    """Join covariates on (whole) unit and, where they have the employees' wave column, on time."""
    unit, wave = employees.unit, employees.wave
    table = frames.open_table(covariates, name="the covariates", parse=employees.parse)
    table.require([unit], "The join on units")
    keys = [unit, *([wave] if wave and wave in table.kinds else [])]
    names = [c for c in table.kinds if c not in keys]
    if clash := sorted(set(names) & set(values.columns)):
        raise OptionError(
            f"Covariates and measures share the names {listing(clash)}.",
            code="named-twice",
            fix="Rename one of them.",
        )
    read = read_columns(read_covariates(table, names), keys, names)
    cells, _ = drop_rows_without_key(read, keys)
    refuse_duplicates(cells, keys, table.subject)
    own = values[whole or unit]
    _refuse_mixed_keys(own, cells[unit], ("employees", "covariates"))
    left, right = pd.DataFrame({"unit": own}), pd.DataFrame({"unit": cells[unit]})
    if len(keys) > 1 and at is not None:
        left["time"], step, origin = at
        times = read_waves(cells[keys[1]], keys[1])
        if times.integer != (step.grid == "integer"):
            raise DataError(
                "The waves of the covariates are whole numbers where those of the surveys are "
                "dates, or the other way round.",
                code="different-types",
                fix="Use one kind.",
            )
        right["time"] = place(times, step, origin)
        _refuse_same_step(right.assign(wave=cells[keys[1]]), "covariates", step)
    right["row"] = np.arange(len(right))
    row = left.merge(right, how="left")["row"].fillna(-1).to_numpy(np.intp)
    taken = {c: cells[c].reindex(row).set_axis(values.index) for c in names}
    return values.assign(**taken), names


def _stages(
    sides: dict[str, Survey],
    wide: dict[str, _Wide],
    joined: pd.DataFrame,
    values: pd.DataFrame,
    measures: dict[str, list[str]],
    few: dict[str, npt.NDArray[np.bool_]],
    coverage: pd.DataFrame,
    disclosure_n: int,
    of_both: Survey | None,
) -> pd.DataFrame:
    rows: list[tuple[str, str, int, int, str]] = []
    for side, survey in sides.items():
        other = "customer" if side == "employee" else "employee"
        cells, here = len(wide[side].keys), joined[f"_{side}"].to_numpy()
        rows.append(("read", side, cells, 0, ""))
        if nowhere := (of_both or survey).rows_without_key:
            reason = (
                f"{nowhere} respondents named no {survey.unit}"
                f"{f' or no {survey.wave}' if survey.wave else ''}"
            )
            rows.append(("keys", side, cells, 0, reason))
        shared = int(here.sum())
        rows.append(("units", side, shared, cells - shared, f"unit not in the {other} survey"))
        met = int((here & joined[f"_{other}"]).sum())
        rows.append(("waves", side, met, shared - met, f"wave not in the {other} survey"))
    both = (joined["_employee"] & joined["_customer"]).to_numpy()
    rows += measured_stages(values, measures, few, coverage, disclosure_n, both)
    return pd.DataFrame(rows, columns=STAGES)


def _notes(
    joined: pd.DataFrame, step: Step, times: dict[str, Times], offset: int
) -> tuple[str, ...]:
    if not times:
        return ("A single cross-section: no waves.",)
    notes = [f"Step between waves: {step}."]
    gap = (joined["moment_customer"] - joined["moment_employee"]).dropna()
    if offset or (gap != 0).any():
        low, high = int(gap.min()), int(gap.max())
        span = f"{low}" if low == high else f"{low} to {high}"
        name = times["employee"].unit_name.removesuffix("s" if span in ("1", "-1") else "")
        notes.append(
            f"Customers were surveyed {span} {name} after the employees they are paired with."
        )
    return tuple(notes)
