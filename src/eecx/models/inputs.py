"""What a fitted regression asks of its user's values, and how they become rows of its design.

A formula's terms are evaluated by the panel that evaluated them for the fit. Three things differ:
a lag is a value that is given (under its label, ``lag(engagement)``), a category has the levels
that the fit saw, and a within-between model asks for the parts that it has slopes for:
``engagement (between)``, the unit's usual, and ``engagement (within)``, the distance from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from .. import formula as grammar
from .. import frames
from ..errors import Caution, ColumnError, DataError, OptionError, listing, nearest
from ..moments import Moments, group_codes
from ..panel import level_label, read_columns, unlinked
from .from_moments import labels_in
from .work import BETWEEN, WITHIN, Rows

__all__ = ["Inputs", "Part", "inputs_of", "names_in", "open_values", "read_values"]

Array = npt.NDArray[np.float64]

NUMBERS = ("estimate", "std_error", "df", "conf_low", "conf_high")


@dataclass(frozen=True, eq=False)
class Part:
    """Coefficients, by name, and the term that is evaluated for them."""

    names: tuple[str, ...]
    term: grammar.Term


@dataclass(frozen=True, eq=False)
class Inputs:
    """What is asked: parts of the model, and what the fit saw of their columns.

    ``ranges`` are of numeric columns, ``levels`` of categories; ``split`` are columns whose slopes
    within and between units are apart. Moments have seen sums alone: no ranges. Ranges are not
    ``told`` where rows may be people.
    """

    parts: tuple[Part, ...]
    ranges: Mapping[str, tuple[float, float]]
    levels: Mapping[str, tuple[Any, ...]]
    split: frozenset[str] = frozenset()
    told: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that are asked, in the order of the formula."""
        return tuple(dict.fromkeys(c for part in self.parts for c in part.term.columns))

    @property
    def told_ranges(self) -> Mapping[str, tuple[float, float]]:
        """The ranges that may be shown: an end of people's answers is the answer of one."""
        return self.ranges if self.told else {}

    def moved_by(self, given: Sequence[str]) -> Inputs:
        """Keep the parts that the given columns enter: others cancel out of a difference."""
        kept = tuple(p for p in self.parts if set(p.term.columns) & set(given))
        return replace(self, parts=kept)

    def design(self, values: pd.DataFrame, names: Sequence[str]) -> Array:
        """Return the rows of the design, shape (rows, coefficients); the constant is left 0."""
        out = np.zeros((len(values), len(names)))
        if not self.parts:
            return out
        # all levels stand in front, so that each category has the columns of the fit
        most = max((len(self.levels[c]) for c in self.columns if c in self.levels), default=0)
        whole = {}
        for column in self.columns:
            known = self.levels.get(column, (0.0,))
            front = pd.Series([known[min(i, len(known) - 1)] for i in range(most)])
            own = values[column].reset_index(drop=True)
            whole[column] = pd.concat([front, own], ignore_index=True) if most else own
        frame = pd.DataFrame(whole)
        panel = unlinked(frame, "(row)", list(frame.columns), pd.DataFrame())
        x = panel.design([part.term for part in self.parts]).x[most:]
        at = [name for part in self.parts for name in part.names]
        for name, column in zip(at, x.T, strict=True):
            out[:, names.index(name)] = column
        return out

    def beyond(self, values: pd.DataFrame) -> list[Caution]:
        """Return a caution for every column with values outside those of the fit."""
        found = []
        for name in values.columns:
            if name not in self.ranges:
                continue
            low, high = self.ranges[name]
            slack = 1e-9 * max(abs(low), abs(high))
            outside = values[name][(values[name] < low - slack) | (values[name] > high + slack)]
            if len(outside):
                worst = outside.iloc[int(np.argmax(np.maximum(low - outside, outside - high)))]
                ends = f", {low:.4g} to {high:.4g}," if name in self.told_ranges else ""
                message = (
                    f"{name!r} lies outside what was observed{ends} in {len(outside)} of "
                    f"{len(values)} rows (such as {worst:.4g}): that the model holds there is an "
                    "assumption."
                )
                found.append(Caution("extrapolation", message, str(name)))
        return found


def inputs_of(
    data: Moments | Rows, model: grammar.Formula, names: Sequence[str], effects: str
) -> Inputs:
    """Return what a model with coefficients ``names`` asks, and what its rows have seen."""
    if isinstance(data, Moments):
        labels = labels_in(data, model.terms)
        spans = {t.label: (n,) for t, n in zip(model.terms, labels, strict=True)}
        parts, split = _parts(model, spans, names)
        return Inputs(parts, {}, {}, split)
    panel, rows = data.panel, slice(None) if data.complete.all() else data.complete
    parts, split = _parts(model, data.spans, names)
    factors = [f for t in model.terms for f in t.factors]
    categories = {f.column for f in factors if isinstance(f, grammar.Category)}
    columns = dict.fromkeys(f.column for f in factors if not isinstance(f, grammar.Lag))
    held, levels = {}, {}
    for name in columns:
        values = panel.frame[name]
        if name in categories:  # as the design takes them: in order, the first is the reference
            found = pd.unique(values[rows])
            levels[name] = tuple(sorted(found, key=lambda v: (str(type(v)), v)))
        else:
            held[name] = values.to_numpy(float)[rows]
    lags = {f.label: grammar.Term((f,)) for f in factors if isinstance(f, grammar.Lag)}
    lagged = panel.design(list(lags.values())).x[rows]
    held |= dict(zip(lags, lagged.T, strict=True))
    if effects == "between" or split:
        units = group_codes(panel.frame[[panel.unit]][rows], [panel.unit])[0]
    if effects == "between":
        held = {name: _means(values, units) for name, values in held.items()}
    if any(n.endswith((WITHIN, BETWEEN)) for n in names):
        design = panel.design(model.terms)
        for name, values in zip(design.names, design.x[rows].T, strict=True):
            mean = _means(values, units)
            held |= {f"{name}{WITHIN}": values - mean[units], f"{name}{BETWEEN}": mean}
    ranges = {name: (float(v.min()), float(v.max())) for name, v in held.items()}
    people = panel.wave is None and effects != "between"
    return Inputs(parts, ranges, levels, split, told=not people)


def _means(values: Array, units: npt.NDArray[np.intp]) -> Array:
    return np.asarray(np.bincount(units, values) / np.bincount(units))


# ---------------------------------------------------------------------- parts of a model


def _parts(
    model: grammar.Formula, spans: Mapping[str, tuple[str, ...]], names: Sequence[str]
) -> tuple[tuple[Part, ...], frozenset[str]]:
    """Return the parts of a model, and the columns that are asked in two parts."""
    if not any(n.endswith((WITHIN, BETWEEN)) for n in names):
        return tuple(Part(spans[t.label], _given(t)) for t in model.terms), frozenset()
    alone = {t.factors[0]: spans[t.label] for t in model.terms if len(t.factors) == 1}
    fixed = {f for f, own in alone.items() if not any(f"{n}{WITHIN}" in names for n in own)}
    made: list[Part] = []
    split: set[str] = set()
    for term in model.terms:
        labels = spans[term.label]
        moving = [f for f in term.factors if f not in fixed]
        if not moving:
            made.append(Part(tuple(f"{n}{BETWEEN}" for n in labels), _given(term)))
            continue
        one = moving[0]
        plain = len(moving) == 1 and isinstance(one, grammar.Name | grammar.Lag)
        for suffix in (WITHIN, BETWEEN):
            own = [f"{n}{suffix}" for n in labels]
            if plain:  # of a product with what is fixed in a unit, the part is the product's
                label = one.column if isinstance(one, grammar.Name) else one.label
                given = [grammar.Name(f"{label}{suffix}") if f is one else f for f in term.factors]
                if all(n in names for n in own):
                    made.append(Part(tuple(own), grammar.Term(tuple(given))))
                    split.add(label)
            else:
                made += [Part((n,), grammar.Term((grammar.Name(n),))) for n in own if n in names]
                split |= set(labels)
    return tuple(made), frozenset(split)


def _given(term: grammar.Term) -> grammar.Term:
    """Return the term with its lags as columns: their values are given, not looked up."""
    factors = [grammar.Name(f.label) if isinstance(f, grammar.Lag) else f for f in term.factors]
    return grammar.Term(tuple(factors))


# ---------------------------------------------------------------------- the values given


def open_values(given: object, what: str = "at") -> frames.Table | pd.DataFrame:
    """Open the values given: a frame of any engine, a file, or a mapping of columns."""
    if isinstance(given, Mapping):
        given = _frame(given, what)
    if isinstance(given, pd.DataFrame) and not given.shape[1]:
        return given
    return frames.open_table(given, name=f"{what}=")


def names_in(opened: frames.Table | pd.DataFrame) -> tuple[str, ...]:
    """Return the columns of what :func:`open_values` returned."""
    return tuple(opened.kinds) if isinstance(opened, frames.Table) else ()


def read_values(
    opened: frames.Table | pd.DataFrame,
    inputs: Inputs,
    columns: Sequence[str],
    what: str = "at",
) -> pd.DataFrame:
    """Read ``columns`` of the values given: all are needed, none other is, none may be missing."""
    _refuse_columns(names_in(opened), inputs, columns, what)
    if isinstance(opened, pd.DataFrame):  # of a model that has an intercept alone
        return pd.DataFrame(index=range(max(len(opened), 1)))
    for name in columns:
        if name not in inputs.levels and opened.kinds[name] not in frames.NUMBERS:
            raise DataError(f"{what}=: {name!r} holds {opened.kinds[name]}; numbers are needed.")
    values = read_columns(opened, [], columns)
    if not len(values):
        raise DataError(f"{what}= has no rows.")
    for name in columns:
        missing = np.flatnonzero(values[name].isna())
        if len(missing):
            more = f" and in {len(missing) - 1} more" if len(missing) > 1 else ""
            raise DataError(
                f"{what}=: {name!r} is missing in row {missing[0] + 1}{more}. "
                "Give a value, or leave the row out."
            )
        if name in inputs.levels:
            values[name] = _known_levels(values[name], inputs.levels[name], name, what)
    return values[[c for c in names_in(opened) if c in columns]]


def _frame(given: Mapping[Any, Any], what: str) -> pd.DataFrame:
    """Return a mapping of columns as a frame; single values count for all rows."""
    held = {
        str(k): [v] if np.ndim(v) == 0 or isinstance(v, str) else list(v) for k, v in given.items()
    }
    sizes = {len(v) for v in held.values()} - {1}
    if len(sizes) > 1:
        lengths = ", ".join(f"{k!r}: {len(v)}" for k, v in held.items())
        raise OptionError(f"{what}=: columns have different lengths ({lengths}).")
    rows = next(iter(sizes), 1)
    return pd.DataFrame({k: v * rows if len(v) == 1 else v for k, v in held.items()})


def _refuse_columns(
    given: Sequence[str], inputs: Inputs, columns: Sequence[str], what: str
) -> None:
    whole = [c for c in given if c in inputs.split and c not in columns]
    if whole:
        one = whole[0]
        asked = [f"{one}{s}" for s in (BETWEEN, WITHIN)]
        words = {
            BETWEEN: "the unit's usual value",
            WITHIN: "the distance from it (0: as usual)",
        }
        told = ", and ".join(f"{n!r}, {words[n[n.rindex(' (') :]]}" for n in asked)
        raise ColumnError(
            f"{what}=: the slopes of {one!r} within and between units are apart. Give {told}."
        )
    for name in columns:
        if name not in given:
            raise ColumnError(
                f"{what}= lacks the column {name!r}, which the model needs."
                f"{nearest(name, [g for g in given if g not in columns])} "
                f"It needs {listing(columns, most=20)}."
            )
    if strange := [c for c in given if c not in columns]:
        needs = f"needs {listing(columns, most=20)}" if columns else "has an intercept alone"
        raise ColumnError(
            f"{what}= has {listing(strange)}, which the model does not use: it {needs}. "
            "Leave other columns out."
        )
    if taken := [c for c in columns if c in NUMBERS]:
        raise OptionError(
            f"{listing(taken)} names a column of the table of predictions too. Rename it in the "
            "data before fitting."
        )


def _known_levels(
    values: pd.Series[Any], levels: tuple[Any, ...], name: str, what: str
) -> list[Any]:
    known = {level_label(level): level for level in levels}
    said = [level_label(value) for value in values]
    if strange := [s for s in dict.fromkeys(said) if s not in known]:
        raise DataError(
            f"{what}=: {name!r} has {listing(strange)}, which was not among the rows that were "
            f"fitted. Its levels there: {listing(known, most=20)}."
        )
    return [known[s] for s in said]
