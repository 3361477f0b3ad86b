"""Pair an employee survey with a customer survey, unit by unit and wave by wave."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..errors import ColumnError, DataError, OptionError, listing
from ..survey import Survey
from .audit import LOST, STAGES, Audit, near_misses
from .panel import Panel, Role, cell_status, constant_measures, measured_stages
from .waves import Step, Times, infer_step, origin_of, parse_step, place, read_waves

__all__ = ["link"]


def link(
    employees: Survey,
    customers: Survey,
    *,
    disclosure_n: int = 5,
    customer_offset: int = 0,
    covariates: pd.DataFrame | None = None,
    step: int | str | None = None,
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
    covariates : pandas.DataFrame, optional
        One row per unit, or per unit × wave if it has the employees' wave column; its unit
        column has the name of the employees' one. All other columns are taken.
    step : int or str, optional
        Distance between neighbouring waves, inferred if not given ("3M", "1Q", "7D", or a whole
        number for integer waves).

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
    _check(employees, customers, disclosure_n)
    sides = {"employee": employees, "customer": customers}
    wide = {side: _wide(survey, disclosure_n) for side, survey in sides.items()}
    _refuse_mixed_keys(wide["employee"].keys["unit"], wide["customer"].keys["unit"])
    times, chosen = _times(wide, employees, customers, step)
    unit, wave = employees.unit, employees.wave
    if times:
        origin = min(origin_of(t, chosen) for t in times.values())
        for side, offset in (("employee", 0), ("customer", customer_offset)):
            at = place(times[side], chosen, origin) - offset
            wide[side].keys["time"] = at
            wide[side].keys["moment"] = times[side].value
            _refuse_same_step(wide[side].keys, side, chosen)
    elif customer_offset:
        raise OptionError("customer_offset= needs waves on both sides.")
    joined, lost = _join(wide)
    if not (joined["_employee"] & joined["_customer"]).any():
        raise DataError(_no_overlap(wide, chosen, bool(times)))
    values = pd.DataFrame({unit: joined["unit"]})
    if wave:
        values[wave] = joined["wave"]
    roles: dict[str, Role] = {}
    n, variance = pd.DataFrame(index=joined.index), pd.DataFrame(index=joined.index)
    few = {}
    for side, survey in sides.items():
        who = "employees" if side == "employee" else "customers"
        at = joined[f"_row_{side}"].to_numpy()
        for name, measure in survey.measures.items():
            source = frozenset(measure.source) or frozenset({who})
            roles[name] = Role(side, measure.better, source)
            values[name] = _taken(wide[side].value[name], at)
            n[name] = _taken(wide[side].n[name], at)
            variance[name] = _taken(wide[side].variance[name], at)
            few[name] = _taken(wide[side].few[name], at) == 1
    if covariates is not None:
        values, names = _with_covariates(values, covariates, unit, wave)
        roles |= {name: Role("covariate") for name in names}
    measures = {side: list(survey.measures) for side, survey in sides.items()}
    asked = {side: joined[f"_{side}"].to_numpy() for side in sides}
    coverage, found = cell_status(values, unit, wave, measures, few, asked)
    audit = Audit(
        stages=_stages(sides, wide, joined, values, measures, few, coverage, disclosure_n),
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
    )


# ---------------------------------------------------------------------- one side


class _Wide:
    """One survey's cells, side by side: keys (unit, wave, time, moment) and a column per measure."""

    def __init__(self, keys: pd.DataFrame, scores: pd.DataFrame, names: list[str], minimum: int):
        self.keys = keys
        self.n, self.value, self.variance, self.few = (
            pd.DataFrame(index=keys.index) for _ in range(4)
        )
        for i, name in enumerate(names):
            own = scores.iloc[i :: len(names)].reset_index(drop=True)
            few = ((own["n"] < minimum) & (own["n"] > 0)).to_numpy()
            self.few[name] = few.astype(float)
            self.n[name] = own["n"].astype(float).mask(few | (own["n"] == 0).to_numpy())
            self.value[name] = own["value"].mask(few)
            self.variance[name] = own["variance"].mask(few)

    @property
    def withheld(self) -> int:
        return int((self.few > 0).any(axis=1).sum())


def _wide(survey: Survey, minimum: int) -> _Wide:
    scores = survey.cells()
    names = list(survey.measures)
    first = scores.iloc[:: len(names)].reset_index(drop=True)
    keys = pd.DataFrame({"unit": first[survey.unit]})
    keys["wave"] = first[survey.wave] if survey.wave else "all"
    return _Wide(keys.assign(time=0, moment=0), scores, names, minimum)


def _check(employees: Survey, customers: Survey, disclosure_n: int) -> None:
    for what, survey in (("employees", employees), ("customers", customers)):
        if not isinstance(survey, Survey):
            raise OptionError(
                f"{what} is a {type(survey).__name__}; link() pairs two eecx.Survey. For data that come "
                "by unit already use eecx.Panel.from_frame()."
            )
    if disclosure_n < 1:
        raise OptionError(f"disclosure_n={disclosure_n}: at least 1; 5 is usual.")
    if both := sorted(set(employees.measures) & set(customers.measures)):
        raise OptionError(f"Both surveys have a measure named {listing(both)}. Rename one side's.")
    if bool(employees.wave) != bool(customers.wave):
        with_wave, without = (
            ("employees", "customers") if employees.wave else ("customers", "employees")
        )
        raise OptionError(
            f"The {with_wave} have waves and the {without} have none. Name wave= on both or on neither."
        )


def _refuse_mixed_keys(employee: pd.Series[Any], customer: pd.Series[Any]) -> None:
    number = [pd.api.types.is_numeric_dtype(k) for k in (employee, customer)]
    if number[0] != number[1]:
        sides = ("employees", "customers") if number[0] else ("customers", "employees")
        samples = (employee, customer) if number[0] else (customer, employee)
        raise DataError(
            f"The unit key is a number for the {sides[0]} ({listing(samples[0].unique()[:3])}) and text for the "
            f"{sides[1]} ({listing(samples[1].unique()[:3])}). Make both text, for instance "
            "frame['unit'].astype(str), and mind leading zeros."
        )


def _times(
    wide: dict[str, _Wide], employees: Survey, customers: Survey, step: int | str | None
) -> tuple[dict[str, Times], Step]:
    if not employees.wave:
        if step is not None:
            raise OptionError("step= needs waves.")
        return {}, Step(1, "integer")
    times = {
        side: read_waves(wide[side].keys["wave"], str(survey.wave))
        for side, survey in (("employee", employees), ("customer", customers))
    }
    if times["employee"].integer != times["customer"].integer:
        raise DataError(
            "The waves are whole numbers on one side and dates on the other. Use one kind on both."
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
            f"With a step of {step}, the {side} survey has two waves of unit {rows['unit'].iloc[0]!r} in one step: "
            f"{listing([str(w) for w in rows['wave']])}. Set a smaller step=."
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
    joined["wave"] = joined["wave_employee"].where(
        joined["wave_employee"].notna(), joined["wave_customer"]
    )
    for side in wide:
        joined[f"_{side}"] = joined[f"_row_{side}"].notna()
        joined[f"_row_{side}"] = joined[f"_row_{side}"].fillna(-1).astype(np.intp)
    for side, other in (("employee", "customer"), ("customer", "employee")):
        alone = joined[joined[f"_{side}"] & ~joined[f"_{other}"]]
        reason = f"wave only in the {side} survey"
        lost += [
            ("linked", side, u, t, None, reason)
            for u, t in zip(alone["unit"], alone["wave"], strict=True)
        ]
    return joined, lost


def _no_overlap(wide: dict[str, _Wide], step: Step, waved: bool) -> str:
    shown = {
        side: listing(
            [
                f"{u} × {t}" if waved else str(u)
                for u, t in zip(w.keys["unit"], w.keys["wave"], strict=True)
            ][:3]
        )
        for side, w in wide.items()
    }
    units = {side: pd.unique(w.keys["unit"]) for side, w in wide.items()}
    near = near_misses(list(units.items()))
    hint = ""
    if len(near):
        hint = f" Some keys look alike: {near['key'].iloc[0]!r} and {near['looks_like'].iloc[0]!r}; make them equal first."
    elif waved and set(units["employee"]) & set(units["customer"]):
        hint = f" Units are shared but no wave is (step {step}): set step= (such as '1Q') or customer_offset=."
    return (
        f"The two surveys have no unit × wave in common. Employees have {shown['employee']}; "
        f"customers have {shown['customer']}.{hint}"
    )


def _taken(values: pd.Series[Any], at: np.ndarray) -> np.ndarray:
    return np.where(at >= 0, values.to_numpy(float)[at], np.nan)


def _with_covariates(
    values: pd.DataFrame, covariates: pd.DataFrame, unit: str, wave: str | None
) -> tuple[pd.DataFrame, list[str]]:
    if unit not in covariates.columns:
        raise ColumnError(f"The covariates have no column {unit!r} to join on.")
    keys = [unit, *([wave] if wave and wave in covariates.columns else [])]
    names = [c for c in covariates.columns if c not in keys]
    if clash := sorted(set(names) & set(values.columns)):
        raise OptionError(
            f"Covariates and measures share the names {listing(clash)}. Rename one of them."
        )
    if covariates.duplicated(keys).any():
        row = covariates.loc[covariates.duplicated(keys), keys].iloc[0]
        raise DataError(f"The covariates have {' × '.join(map(str, row))} more than once.")
    _refuse_mixed_keys(values[unit], covariates[unit])
    return values.merge(covariates, on=keys, how="left", sort=False), names


def _stages(
    sides: dict[str, Survey],
    wide: dict[str, _Wide],
    joined: pd.DataFrame,
    values: pd.DataFrame,
    measures: dict[str, list[str]],
    few: dict[str, npt.NDArray[np.bool_]],
    coverage: pd.DataFrame,
    disclosure_n: int,
) -> pd.DataFrame:
    rows: list[tuple[str, str, int, int, str]] = []
    for side, survey in sides.items():
        other = "customer" if side == "employee" else "employee"
        cells, here = len(wide[side].keys), joined[f"_{side}"].to_numpy()
        rows.append(("read", side, cells, 0, ""))
        if survey.rows_without_key:
            reason = (
                f"{survey.rows_without_key} respondents named no {survey.unit} or {survey.wave}"
            )
            rows.append(("keys", side, cells, 0, reason))
        shared = int(here.sum())
        rows.append(("units", side, shared, cells - shared, f"unit not in the {other} survey"))
        met = int((here & joined[f"_{other}"]).sum())
        rows.append(("waves", side, met, shared - met, f"wave not in the {other} survey"))
    rows += measured_stages(values, measures, few, coverage, disclosure_n)
    return pd.DataFrame(rows, columns=STAGES)


def _notes(
    joined: pd.DataFrame, step: Step, times: dict[str, Times], offset: int
) -> tuple[str, ...]:
    if not times:
        return ("A single cross-section: no waves.",)
    notes = [f"Step between waves: {step}."]
    gap = (joined["moment_customer"] - joined["moment_employee"]).dropna()
    if offset or (gap != 0).any():
        name = times["employee"].unit_name
        low, high = int(gap.min()), int(gap.max())
        span = f"{low}" if low == high else f"{low} to {high}"
        notes.append(
            f"Customers were surveyed {span} {name} after the employees they are paired with."
        )
    return tuple(notes)
