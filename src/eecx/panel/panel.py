"""The paired unit × wave table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from .. import formula, frames, moments, options
from ..errors import Caution, ColumnError, DataError, OptionError, check_source, listing, nearest
from ..measures import Better, as_sources
from ..moments import codes_of
from .audit import LOST, STAGES, Audit, near_misses
from .waves import Step, Times, infer_step, origin_of, parse_step, place, read_waves

__all__ = ["Design", "Panel", "Role"]

Array = npt.NDArray[np.float64]
Names = Sequence[str] | str
UnitCodes: TypeAlias = "tuple[npt.NDArray[np.intp], pd.Index[Any]]"

EMPTY_NEAR = near_misses([])
EMPTY_TEXT = pd.DataFrame(columns=["column", "text", "as", "cells"])
NOTHING_LOST = Audit(
    pd.DataFrame(columns=STAGES),
    pd.DataFrame(columns=LOST),
    pd.DataFrame(columns=["unit", "wave", "status"]),
    EMPTY_NEAR,
    EMPTY_TEXT,
)


@dataclass(frozen=True)
class Role:
    """What a column is: its side, its good direction, who answered, and whether that was said."""

    side: str
    better: Better = "higher"
    source: frozenset[str] = frozenset()
    source_declared: bool = True


@dataclass(frozen=True, eq=False)
class Design:
    """Numeric columns of a model, row by row; NaN where a value or a lag is missing."""

    names: tuple[str, ...]
    x: Array
    spans: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, eq=False)
class Panel:
    """Employee measures and customer outcomes of the same units, wave by wave.

    Made by :func:`eecx.link` from two surveys, or by :meth:`from_frame` from data that come by
    unit already. Rows are units × waves in order of time; ``time`` counts steps, so holes stay
    holes.

    Attributes
    ----------
    frame : pandas.DataFrame
        ``unit``, ``wave`` (if any), measures and covariates, under the names given.
    roles : mapping of str to Role
    n, variance : pandas.DataFrame
        Respondents and sampling variance per measure, where known; rows as in ``frame``.
    time : ndarray of int
        Step of each row.
    step : Step
    audit : Audit
    """

    frame: pd.DataFrame
    unit: str
    wave: str | None
    roles: Mapping[str, Role]
    n: pd.DataFrame
    variance: pd.DataFrame
    time: npt.NDArray[np.int64]
    step: Step
    audit: Audit
    moment: Mapping[str, Array]
    """When each side of a row was measured, in days or whole waves; NaN where it was not."""
    disclosure_n: int = 5
    warnings: tuple[Caution, ...] = field(default=())
    spec: Mapping[str, Any] = field(default_factory=dict)
    """How it was made: surveys, measures and options, for the record of an analysis."""
    cluster: str | None = None
    """The covariate within which errors are related by default; None: the unit."""
    covariance: pd.DataFrame = field(default_factory=pd.DataFrame)
    """Sampling covariance of two measures that the same people answered, rows as in ``frame``.

    A column per pair of names, of measures that are means of people. Like ``variance`` it serves
    the analyses and is not for publication: NaN in withheld cells, and where fewer people than
    ``disclosure_n``, if any, answered both.
    """

    # ------------------------------------------------------------------ made from a frame

    @classmethod
    def from_frame(
        cls,
        data: object,
        *,
        unit: str,
        wave: str | None = None,
        employee: Names = (),
        customer: Names = (),
        covariates: Names = (),
        n: Mapping[str, str] | str | None = None,
        variance: Mapping[str, str] | None = None,
        better: Mapping[str, Better] | None = None,
        source: Mapping[str, Iterable[str] | str] | None = None,
        step: int | str | None = None,
        parse: frames.Parse | None = None,
        disclosure_n: int = 5,
    ) -> Panel:
        """Take a table that already has one row per unit × wave.

        Parameters
        ----------
        data : frame of any engine, or a path to CSV or Parquet
        unit, wave : str
            Key columns; no wave for a single cross-section.
        employee, customer : sequence of str
            Columns of employee measures and of customer outcomes.
        covariates : sequence of str
            Further columns: numbers, or text as categories.
        n : mapping or str, optional
            Column of respondent counts per measure, ``{"engagement": "responses"}``; a single
            name counts for all employee measures. Cells below ``disclosure_n`` are withheld.
        variance : mapping, optional
            Column of sampling variances per measure.
        better : mapping, optional
            ``{"mortality": "lower"}``; higher is better unless said.
        source : mapping, optional
            Who answered, ``{"recommend_care": "employees"}``. Unsaid, employee measures are taken
            to come from employees and customer outcomes from customers, and results say that
            this was not declared.
        step : int or str, optional
            Distance between neighbouring waves; inferred if not given (integers: 1).
        parse : Parse, optional
            How text in numeric cells is to be read.
        disclosure_n : int
            Minimum number of respondents of a cell that is shown.

        Raises
        ------
        ColumnError, DataError
            Missing columns, text in numeric cells, a unit × wave twice, a measure without any
            value, infinite values.

        Examples
        --------
        >>> import eecx, pandas as pd
        >>> frame = pd.DataFrame(
        ...     {
        ...         "store": ["a", "a", "b", "b"],
        ...         "year": [1, 2, 1, 2],
        ...         "engagement": [3.1, 3.3, 3.9, 4.0],
        ...         "nps": [10, 14, 30, 28],
        ...     }
        ... )
        >>> panel = eecx.Panel.from_frame(
        ...     frame, unit="store", wave="year", employee=["engagement"], customer=["nps"]
        ... )
        >>> panel
        <Panel: 2 units × 2 waves, 4 cells, 4 paired; step 1 (integer waves); engagement | nps>
        """
        employee, customer, covariates = (_names(c) for c in (employee, customer, covariates))
        measures = [*employee, *customer]
        everything = [*measures, *covariates]
        if twice := {c for c in everything if everything.count(c) > 1}:
            raise OptionError(
                f"{listing(sorted(twice))} is named in more than one role.",
                code="named-twice",
                fix="Name it once.",
            )
        refuse_equal_keys(unit, wave)
        disclosure_n = options.disclosure_n(disclosure_n)
        counts = dict.fromkeys(employee, n) if isinstance(n, str) else dict(n or {})
        variances = dict(variance or {})
        for what, given in (
            ("n", counts),
            ("variance", variances),
            ("better", better or {}),
            ("source", source or {}),
        ):
            for name in given:
                if name not in everything:
                    raise OptionError(
                        f"{what} names {name!r}, which is no measure.",
                        code="unknown-measure",
                        fix=nearest(name, everything),
                    )
        extra = list(dict.fromkeys([*counts.values(), *variances.values()]))
        if stray := {unit, wave} & {*everything, *extra}:
            raise OptionError(
                f"{listing(sorted(map(str, stray)))} is a key and cannot be a measure too.",
                code="named-twice",
                fix="Name it as a key only.",
            )
        check_source("Panel.from_frame", data, frames=True)
        table = frames.open_table(data, numeric=[*measures, *extra], parse=parse)
        keys = [unit, *([wave] if wave else [])]
        table.require(keys, "unit or wave")
        table.require(everything, "employee, customer or covariates")
        table.require(extra, "n or variance")
        table = read_covariates(table, covariates)
        read = read_columns(table, keys, [*everything, *extra], numeric=[*measures, *extra])
        refuse_empty(read, table.subject)
        cells, lost = drop_rows_without_key(read, keys)
        units = codes_of(cells[unit])
        refuse_duplicates(cells, keys, table.subject, units)
        for name in extra:
            if (cells[name] < 0).any():
                raise DataError(
                    f"Column {name!r} (n or variance) holds negative numbers.",
                    code="out-of-range",
                    fix="Make them missing or remove the rows.",
                )
        values = cells[[*keys, *everything]]
        values = values.copy() if counts else values  # small cells are withheld in place
        sizes = pd.DataFrame({m: cells[c] for m, c in counts.items()}, values.index)
        spread = pd.DataFrame({m: cells[c] for m, c in variances.items()}, values.index)
        for name in measures:
            if values[name].isna().all():
                raise DataError(
                    f"Measure {name!r} has no value in any row of {table.name}.",
                    code="no-answers",
                    fix="Leave it out.",
                )
        roles = _roles(employee, customer, covariates, better or {}, source or {})
        few = {m: (sizes[m] < disclosure_n).to_numpy() for m in sizes.columns}
        for name, hide in few.items():
            for part in (values, sizes, spread):
                for column in {name, counts[name]} & set(part.columns):
                    part.loc[hide, column] = np.nan
        times = read_waves(values[wave], wave) if wave else None
        chosen = _step(times, step)
        made = _assemble(
            values,
            unit,
            wave,
            roles,
            sizes,
            spread,
            times,
            chosen,
            units,
            few=few,
            lost=lost,
            text_cells=table.record,
            disclosure_n=disclosure_n,
        )
        spec = {
            "unit": unit,
            "wave": wave,
            "employee": employee,
            "customer": customer,
            "covariates": covariates,
            "n": counts,
            "variance": variances,
            "better": {name: role.better for name, role in roles.items()},
            "source": {name: sorted(role.source) for name, role in roles.items()},
            "step": str(chosen),
            "parse": None if parse is None else vars(parse),
            "disclosure_n": disclosure_n,
        }
        return replace(made, spec=spec)

    # ------------------------------------------------------------------ reading

    @property
    def employee(self) -> tuple[str, ...]:
        """Names of the employee measures."""
        return tuple(n for n, r in self.roles.items() if r.side == "employee")

    @property
    def customer(self) -> tuple[str, ...]:
        """Names of the customer outcomes."""
        return tuple(n for n, r in self.roles.items() if r.side == "customer")

    @property
    def covariates(self) -> tuple[str, ...]:
        """Names of the covariates."""
        return tuple(n for n, r in self.roles.items() if r.side == "covariate")

    @cached_property
    def unit_codes(self) -> UnitCodes:
        """Numbers of the units, row by row, in sorted order, and the units."""
        return codes_of(self.frame[self.unit])

    @property
    def units(self) -> int:
        """Number of units."""
        return len(self.unit_codes[1])

    @property
    def waves(self) -> int:
        """Number of waves."""
        return len(np.unique(self.time))

    def require(self, column: str, role: str) -> None:
        """Raise :class:`ColumnError` where the panel has no such measure or covariate."""
        if column not in self.roles:
            raise ColumnError(
                f"{role} names {column!r}, which is not in the panel.",
                code="unknown-column",
                fix=nearest(column, self.roles),
            )

    def shared_source(self, names: Iterable[str], outcome: str | None = None) -> Caution | None:
        """Return a caution where two of these columns come from the same people.

        With an ``outcome`` only those count that share a source with it.
        """
        of = {name: self.roles[name].source for name in names if name in self.roles}
        pairs = [(n, o) for n in of for o in of if n != o and of[n] & of[o]]
        if outcome is not None:
            pairs = [pair for pair in pairs if outcome in pair]
        if not pairs:
            return None
        sharing = sorted({name for pair in pairs for name in pair})
        message = (
            f"{listing(sharing)} share a source: part of their association may come from the same "
            "people's answers."
        )
        return Caution("common-source", message, ", ".join(sharing))

    def design(self, terms: Sequence[formula.Term]) -> Design:
        """Evaluate terms row by row; lags look up the unit's row that many steps earlier.

        Categories have the levels that occur in complete rows; the first is the reference.
        """
        categories = [f for t in terms for f in t.factors if isinstance(f, formula.Category)]
        if not categories:
            return self._design(terms, None)
        plain = [f for t in terms for f in t.factors if not isinstance(f, formula.Category)]
        numbers = self._design([formula.Term((f,)) for f in plain], None).x
        known = self.frame[[f.column for f in categories]].notna().all(axis=1).to_numpy()
        return self._design(terms, known & ~np.isnan(numbers).any(axis=1))

    def _design(self, terms: Sequence[formula.Term], rows: npt.NDArray[np.bool_] | None) -> Design:
        names: list[str] = []
        columns: list[Array] = []
        spans: dict[str, tuple[str, ...]] = {}
        for term in terms:
            made = self._factor(term.factors[0], rows)
            for factor in term.factors[1:]:
                made = [(f"{a}:{b}", u * v) for a, u in made for b, v in self._factor(factor, rows)]
            spans[term.label] = tuple(label for label, _ in made)
            names += spans[term.label]
            columns += [values for _, values in made]
        # column after column, as sums are taken of them
        x = np.stack(columns).T if columns else np.empty((len(self.frame), 0))
        return Design(tuple(names), x, spans)

    def _factor(
        self, factor: formula.Factor, rows: npt.NDArray[np.bool_] | None
    ) -> list[tuple[str, Array]]:
        if factor.column not in (self.unit, self.wave):
            self.require(factor.column, "The formula")
        values = self.frame[factor.column]
        numeric = pd.api.types.is_numeric_dtype(values)
        if isinstance(factor, formula.Category):
            frames.refuse_rounded(values)
            seen = values if rows is None else values[rows]
            levels = sorted(pd.unique(seen.dropna()), key=lambda v: (str(type(v)), v))
            if len(levels) < 2:
                raise DataError(
                    f"{factor.label}: {factor.column!r} has a single level, so it explains "
                    "nothing.",
                    code="constant-column",
                    fix="Leave it out.",
                )
            missing = values.isna().to_numpy()
            return [
                (
                    f"{factor.label}[{level_label(level)}]",
                    np.where(missing, np.nan, (values == level).to_numpy(float, na_value=np.nan)),
                )
                for level in levels[1:]
            ]
        if not numeric:
            what = "dates" if pd.api.types.is_datetime64_any_dtype(values) else "text"
            raise DataError(
                f"{factor.column!r} holds {what}, not numbers.",
                code="not-numbers",
                fix=f"On the right-hand side C({factor.column}) uses it as a category.",
            )
        number = frames.doubles(values, factor.column)
        if isinstance(factor, formula.Power):
            return [(factor.label, number**factor.exponent)]
        if isinstance(factor, formula.Lag):
            return [(factor.label, self.lagged(number, factor.steps))]
        return [(factor.column, number)]

    def lagged(self, values: Array, steps: int) -> Array:
        """Return each unit's value that many steps earlier (negative: later), else NaN."""
        at = self.lag_rows(steps)
        return np.where(at >= 0, values[at], np.nan)

    def lag_rows(self, steps: int) -> npt.NDArray[np.intp]:
        """Return for each row the position of the same unit's row ``steps`` earlier, or -1."""
        if steps and self.wave is None:
            raise DataError(
                "A lag needs waves; this panel is a single cross-section.",
                code="needs-wave",
                fix="Name wave=.",
            )
        times, rank = np.unique(self.time, return_inverse=True)
        first_of = self.unit_codes[0] * len(times)
        place_of = first_of + rank
        earlier = np.searchsorted(times, self.time - steps).clip(0, len(times) - 1)
        wanted = np.where(times[earlier] == self.time - steps, first_of + earlier, -1)
        order = np.argsort(place_of)
        at = np.searchsorted(place_of[order], wanted).clip(0, len(order) - 1)
        hit = place_of[order][at] == wanted
        return np.where(hit, order[at], -1)

    def moment_of(self, name: str) -> Array:
        """Return when a measure was taken, row by row; covariates count with the employees."""
        side = self.roles[name].side
        return self.moment["customer" if side == "customer" else "employee"]

    def moments(self, terms: Sequence[str], keys: Sequence[str] = ()) -> moments.Moments:
        """Sum the complete rows of terms per cell; keys are unit, wave, a covariate, or "row"."""
        names = moments.names_of(keys)
        for key in names:
            if key not in (moments.ROW, self.unit, self.wave):
                self.require(key, "A key")
        design = self.design([t for text in _names(terms) for t in formula.parse_terms(text)])
        if moments.ROW in names and moments.ROW in self.frame:
            raise OptionError(
                f"The key {moments.ROW!r} keeps every row apart, but the panel has a column of "
                "that name.",
                code="named-twice",
                fix="Rename the column.",
            )
        held = self.frame.assign(**{moments.ROW: np.arange(len(self.frame))})[names]
        complete = ~np.isnan(design.x).any(axis=1) & held.notna().all(axis=1).to_numpy()
        if not complete.any():
            raise DataError(
                f"No unit × wave has a value for all of {listing(design.names)}.",
                code="no-rows",
                fix="Leave out what is missing most.",
            )
        return moments.from_rows(
            design.x[complete],
            design.names,
            held.loc[complete].reset_index(drop=True),
            left_out=int((~complete).sum()),
        )

    @cached_property
    def fingerprint(self) -> str:
        """A hash of keys and values: the same data give the same fingerprint.

        Of respondents and sampling variances too, where they are known. What is withheld is
        missing in all of them.
        """
        columns = {("value", str(c)): self.frame[c] for c in self.frame.columns}
        columns |= {("n", str(c)): self.n[c] for c in self.n.columns}
        columns |= {("variance", str(c)): self.variance[c] for c in self.variance.columns}
        return frames.fingerprint_of_columns(columns, self.unit, str(self.wave))

    def __repr__(self) -> str:
        paired = int((self.audit.coverage["status"] == "paired").sum())
        sides = " | ".join(
            ", ".join(s) for s in (self.employee, self.customer, self.covariates) if s
        )
        return (
            f"<Panel: {self.units} units × {self.waves} waves, {len(self.frame)} cells, "
            f"{paired} paired; step {self.step}; {sides}>"
        )


# ---------------------------------------------------------------------- assembling


@dataclass(frozen=True, eq=False)
class Placed:
    """Rows in the order of units and time: which (None: as they are), when, and whose."""

    order: npt.NDArray[np.intp] | None
    time: npt.NDArray[np.int64]
    moment: Array
    step: Step
    units: UnitCodes | None

    def of(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return rows in this order."""
        return rows if self.order is None else rows.iloc[self.order].reset_index(drop=True)


def _at_once(rows: int) -> tuple[npt.NDArray[np.int64], Array, Step]:
    """Return time, moment and step of rows that are no waves."""
    return np.zeros(rows, dtype=np.int64), np.zeros(rows), Step(1, "integer")


def in_order(
    values: pd.DataFrame,
    unit: str,
    wave: str | None,
    times: Times | None,
    step: Step,
    units: UnitCodes,
) -> Placed:
    """Place rows by unit and time; raise where a unit has two in one step."""
    zero = np.zeros(len(values), dtype=np.int64)
    time = place(times, step, origin_of(times, step)) if times else zero
    time = time - time.min()
    moment = (times.value if times else zero).astype(float)
    codes, levels = units
    cell, order = codes * (time.max() + 1) + time, None
    if (cell[1:] < cell[:-1]).any():
        order = np.argsort(cell, kind="stable")
        time, moment, cell, codes = time[order], moment[order], cell[order], codes[order]
    if wave and (same := cell[1:] == cell[:-1]).any():
        at = int(np.argmax(same))
        first = values.iloc[at if order is None else order[at]]
        raise DataError(
            f"With a step of {step}, unit {first[unit]!r} has two waves in one step (one of them "
            f"{first[wave]}).",
            code="waves-in-one-step",
            fix="Set a smaller step=.",
        )
    return Placed(order, time, moment, step, (codes, levels))


def _assemble(
    values: pd.DataFrame,
    unit: str,
    wave: str | None,
    roles: Mapping[str, Role],
    n: pd.DataFrame,
    variance: pd.DataFrame,
    times: Times | None,
    step: Step,
    units: UnitCodes,
    *,
    few: Mapping[str, npt.NDArray[np.bool_]],
    lost: list[tuple[Any, ...]],
    text_cells: pd.DataFrame,
    disclosure_n: int,
) -> Panel:
    placed = in_order(values, unit, wave, times, step, units)
    values, n, variance = (placed.of(f) for f in (values, n, variance))
    if placed.order is not None:
        few = {m: hide[placed.order] for m, hide in few.items()}
    measures = [m for m, r in roles.items() if r.side != "covariate"]
    sides = {s: [m for m in measures if roles[m].side == s] for s in ("employee", "customer")}
    coverage, found = cell_status(values, unit, wave, sides, few)
    table = pd.DataFrame([*lost, *found], columns=LOST)
    read = len(values) + sum(1 for r in lost if r[0] == "keys")
    stages = pd.DataFrame(
        [
            ("read", "both", read, 0, ""),
            ("keys", "both", len(values), read - len(values), "no unit or wave"),
            *measured_stages(values, sides, few, coverage, disclosure_n),
        ],
        columns=STAGES,
    )
    # whole numbers that look alike are equal
    whole = pd.api.types.is_integer_dtype(values[unit])
    near = EMPTY_NEAR if whole else near_misses([("panel", list(pd.unique(values[unit])))])
    notes = [f"Step between waves: {step}." if wave else "A single cross-section: no waves."]
    warnings = constant_measures(values, roles)
    audit = Audit(stages, table, coverage, near, text_cells, tuple(notes))
    return Panel(
        values,
        unit,
        wave,
        roles,
        n,
        variance,
        placed.time,
        step,
        audit,
        {"employee": placed.moment, "customer": placed.moment},
        disclosure_n,
        warnings,
    )


def constant_measures(values: pd.DataFrame, roles: Mapping[str, Role]) -> tuple[Caution, ...]:
    """Return a caution for each measure that never varies."""
    measures = [m for m, r in roles.items() if r.side != "covariate"]
    return tuple(
        Caution("constant-measure", f"{m!r} has the same value in every cell.", m)
        for m in measures
        if values[m].nunique(dropna=True) == 1
    )


def measured_stages(
    values: pd.DataFrame,
    sides: Mapping[str, Sequence[str]],
    few: Mapping[str, npt.NDArray[np.bool_]],
    coverage: pd.DataFrame,
    disclosure_n: int,
    both: npt.NDArray[np.bool_] | None = None,
) -> list[tuple[str, str, int, int, str]]:
    """Count, one after the other, the cells lost to withholding and to missing values.

    ``both`` says which cells came so far; all of them if not given.
    """
    rows: list[tuple[str, str, int, int, str]] = []
    usable = np.ones(len(values), dtype=bool) if both is None else both
    for side, names in sides.items():
        if not names:
            continue
        hidden = np.zeros(len(values), dtype=bool)
        for name in names:
            hidden |= few.get(name, np.zeros(len(values), dtype=bool))
        for stage, where, reason in (
            ("disclosure", hidden, f"fewer than {disclosure_n} respondents"),
            ("values", values[names].isna().any(axis=1).to_numpy(), "missing value"),
        ):
            gone = int((usable & where).sum())
            usable = usable & ~where
            if gone or stage == "disclosure":
                rows.append((stage, side, int(usable.sum()), gone, reason))
    rows.append(("paired", "both", int((coverage["status"] == "paired").sum()), 0, ""))
    return rows


def cell_status(
    values: pd.DataFrame,
    unit: str,
    wave: str | None,
    sides: Mapping[str, Sequence[str]],
    few: Mapping[str, npt.NDArray[np.bool_]],
    asked: Mapping[str, npt.NDArray[np.bool_]] | None = None,
) -> tuple[pd.DataFrame, list[tuple[Any, ...]]]:
    """Return the status of every cell, and a row for every measure that is missing or withheld.

    ``asked`` says which cells a side surveyed at all; what was not asked is not missing.
    """
    none = np.zeros(len(values), dtype=bool)
    waves = values[wave] if wave else pd.Series("all", index=values.index)
    lost: list[tuple[Any, ...]] = []
    any_of, all_of, hidden = {}, {}, none.copy()
    for side, names in sides.items():
        known = values[list(names)].notna().to_numpy()
        any_of[side] = known.any(axis=1) if names else none
        all_of[side] = known.all(axis=1) if names else ~none
        for name in names:
            hide = few.get(name, none)
            hidden |= hide
            blank = values[name].isna().to_numpy()
            for where, stage, reason in (
                (hide, "disclosure", "too few respondents"),
                (blank & ~hide & (asked[side] if asked else True), "values", "missing value"),
            ):
                if not where.any():
                    continue
                found = zip(values[unit][where], waves[where], strict=True)
                lost += [(stage, side, u, w, name, reason) for u, w in found]
    both = all_of["employee"] & all_of["customer"]
    which = [
        both,
        hidden,
        any_of["employee"] & ~any_of["customer"],
        any_of["customer"] & ~any_of["employee"],
    ]
    kinds = ["paired", "withheld", "employees only", "customers only", "missing value"]
    status = pd.array(kinds, dtype="str").take(np.select(which, range(4), 4))
    return pd.DataFrame({"unit": values[unit], "wave": waves, "status": status}), lost


# ---------------------------------------------------------------------- small steps


def level_label(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return f"{value:.0f}"
    if isinstance(value, pd.Timestamp | np.datetime64):
        return str(pd.Timestamp(value)).removesuffix(" 00:00:00")
    return str(value)


def _names(given: Names) -> list[str]:
    return [given] if isinstance(given, str) else list(given)


def _step(times: Times | None, step: int | str | None) -> Step:
    if times is None:
        if step is not None:
            raise OptionError(
                "step= needs a wave column.",
                code="needs-wave",
                fix="Name wave=, or leave step= out.",
            )
        return Step(1, "integer")
    return infer_step(times) if step is None else parse_step(step, times)


def _roles(
    employee: Sequence[str],
    customer: Sequence[str],
    covariates: Sequence[str],
    better: Mapping[str, Better],
    source: Mapping[str, Iterable[str] | str],
) -> dict[str, Role]:
    roles: dict[str, Role] = {}
    assumed = {"employee": "employees", "customer": "customers", "covariate": ""}
    for side, names in (("employee", employee), ("customer", customer), ("covariate", covariates)):
        for name in names:
            good = better.get(name, "higher")
            if good not in ("higher", "lower"):
                raise OptionError(
                    f"better={{{name!r}: {good!r}}}: accepted are 'higher' and 'lower'.",
                    code="not-accepted",
                )
            default = frozenset({assumed[side]} - {""})
            who = as_sources(source[name]) if name in source else default
            roles[name] = Role(side, good, who, name in source)
    return roles


def read_covariates(table: frames.Table, covariates: Sequence[str]) -> frames.Table:
    """Read covariates that hold numbers as text; leave those without any number as categories."""
    texts = [c for c in covariates if table.kinds[c] == "text"]
    if not texts:
        return table
    held = table.in_memory(texts)
    return frames.numbers_from_text(
        table, [c for c in texts if frames.looks_numeric(pd.unique(held[c]))]
    )


def read_columns(
    table: frames.Table, keys: Sequence[str], names: Sequence[str], numeric: Sequence[str] = ()
) -> pd.DataFrame:
    """Bring keys and columns into memory; what is a number, or must be one, as a double.

    Whole numbers that a double would round stay whole: they may be names.
    """
    columns = list(dict.fromkeys(names))
    numbers = [c for c in columns if c in numeric or table.kinds[c] in frames.NUMBERS]
    others = [c for c in columns if c not in numbers]
    held, read = table.collect([*keys, *others], numbers, whole=True)
    for name in numbers:
        if read[name].dtype != np.float64:
            if name in numeric:
                read[name] = frames.doubles(read[name], name)
            continue
        infinite = np.isinf(read[name].to_numpy(float))
        if infinite.any():
            first = int(np.argmax(infinite))
            where = f"unit {held[keys[0]].iloc[first]!r}" if keys else f"row {first + 1}"
            raise DataError(
                f"Column {name!r} holds an infinite value (first in {where}).",
                code="infinite-values",
                fix="Make it missing or remove the row.",
            )
    if len(numbers) == len(columns) and not keys:
        return read
    own = {c: read[c] if c in read else held[c] for c in [*keys, *columns]}
    return pd.DataFrame(own, held.index, copy=False)


def drop_rows_without_key(
    rows: pd.DataFrame, keys: Sequence[str]
) -> tuple[pd.DataFrame, list[tuple[Any, ...]]]:
    """Return the rows that name all keys, and a loss for each of the others."""
    blank = np.logical_or.reduce([rows[k].isna().to_numpy() for k in keys])
    if blank.all():
        raise DataError(
            f"No row names all of {listing(keys)}.",
            code="no-rows",
            fix="Leave out a key that is missing throughout.",
        )
    lost = []
    if blank.any():
        lost = [
            ("keys", "both", row[0], row[1] if len(keys) > 1 else None, None, "no unit or wave")
            for row in rows.loc[blank, list(keys)].itertuples(index=False)
        ]
        rows = rows.loc[~blank].reset_index(drop=True)
    own = {c: rows[c] for c in rows.columns}
    whole = {k: frames.whole(own[k]) for k in keys}
    for values in whole.values():
        frames.refuse_rounded(values)
    if any(whole[k] is not own[k] for k in keys):
        rows = pd.DataFrame(own | whole, rows.index, copy=False)
    return rows, lost


def refuse_empty(rows: pd.DataFrame, name: str) -> None:
    """Raise where a table has no rows."""
    if not len(rows):
        raise DataError(
            f"{name} has no rows.", code="no-rows", fix="Give data with at least one row."
        )


def refuse_equal_keys(unit: str, wave: str | None) -> None:
    """Raise where one column is named as the unit and as the wave."""
    if unit == wave:
        raise OptionError(
            f"unit and wave both name {unit!r}.",
            code="named-twice",
            fix="Name another column as one of them.",
        )


def refuse_duplicates(
    cells: pd.DataFrame, keys: Sequence[str], name: str, first: UnitCodes | None = None
) -> None:
    """Raise where a combination of keys occurs more than once; ``first`` numbers the first."""
    place = np.zeros(len(cells), dtype=np.int64)
    for key in keys:
        codes, levels = first if first and key == keys[0] else codes_of(cells[key])
        place = place * len(levels) + codes
    small = place.max() < 4 * len(place)
    if (np.bincount(place).max() if small else len(place) - len(pd.unique(place)) + 1) < 2:
        return
    twice = cells.duplicated(list(keys), keep=False)
    pairs = cells.loc[twice, list(keys)].drop_duplicates()
    shown = "; ".join(" × ".join(map(str, row)) for row in pairs.head(5).itertuples(index=False))
    more = f" and {len(pairs) - 5} more" if len(pairs) > 5 else ""
    hint = (
        "Keep one row of each, or name the column that tells them apart."
        if len(keys) > 1
        else "If these are several waves, name the wave column with wave=."
    )
    raise DataError(
        f"{name} has {' × '.join(keys)} more than once: {shown}{more}.",
        code="duplicate-rows",
        fix=hint,
    )


def panel_of_rows(
    table: frames.Table, columns: Sequence[str], unit: str | None, wave: str | None
) -> Panel:
    """Return the rows of a table as a panel, whose columns become covariates.

    Without ``unit`` every row is a unit of its own; without ``wave`` a unit may have several rows,
    such as its people. Nothing is linked, so that the audit has the rows without a key and no more.
    """
    names = list(dict.fromkeys(columns))
    table.require(names, "The formula")
    if unit is None:
        read = read_columns(read_covariates(table, names), [], names)
        refuse_empty(read, table.subject)
        own = "row"
        while own in names:
            own += "_"
        return unlinked(read.assign(**{own: np.arange(len(read))}), own, names, table.record)
    refuse_equal_keys(unit, wave)
    keys = [unit] if wave is None else [unit, wave]
    table.require(keys, "unit" if wave is None else "unit or wave")
    names = [c for c in names if c not in keys]
    table = read_covariates(table, names)
    read = read_columns(table, keys, names)
    refuse_empty(read, table.subject)
    cells, lost = drop_rows_without_key(read, keys)
    units = codes_of(cells[unit])
    if wave is not None:
        refuse_duplicates(cells, keys, table.subject, units)
    elif len(units[1]) < len(cells):
        placed = Placed(None, *_at_once(len(cells)), units)
        return unlinked(cells, unit, names, table.record, lost, None, placed)
    times = None if wave is None else read_waves(cells[wave], wave)
    placed = in_order(cells, unit, wave, times, _step(times, None), units)
    return unlinked(placed.of(cells), unit, names, table.record, lost, wave, placed)


def unlinked(
    values: pd.DataFrame,
    unit: str,
    names: Sequence[str],
    record: pd.DataFrame,
    lost: Sequence[tuple[Any, ...]] = (),
    wave: str | None = None,
    placed: Placed | None = None,
) -> Panel:
    """Return a panel of rows as they are, in the order of units and waves if they are placed."""
    empty = pd.DataFrame(index=values.index)
    table = pd.DataFrame(list(lost), columns=LOST) if lost else NOTHING_LOST.table
    audit = replace(NOTHING_LOST, table=table, text_cells=record)
    roles = _roles((), (), names, {}, {})
    placed = placed or Placed(None, *_at_once(len(values)), None)
    moment = {"employee": placed.moment, "customer": placed.moment}
    panel = Panel(values, unit, wave, roles, empty, empty, placed.time, placed.step, audit, moment)
    if placed.units is not None:
        vars(panel)["unit_codes"] = placed.units  # known already
    return panel
