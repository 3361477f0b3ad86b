r"""What a fitted regression asks of its user's values, and how they become rows of its design.

A formula's terms are evaluated by the panel that evaluated them for the fit. Three things differ:
a lag is a value that is given (under its label, ``lag(engagement)``), a category has the levels
that the fit saw, and a within-between model also asks for units' usual values. With a term's value
:math:`x` and its unit's mean :math:`\bar x`, its columns are

.. math:: x - \bar x \text{ (within)}, \qquad \bar x \text{ (between)}

A product of one column that varies within units with others that do not has the product of their
means as its mean; the mean of any other product or power is asked under its own name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from .. import formula as grammar
from .. import frames
from ..errors import Caution, ColumnError, DataError, OptionError, listing, nearest
from ..moments import Moments, group_codes
from ..panel import Panel, level_label, read_columns, unlinked
from .columns import Column
from .from_moments import labels_in
from .work import Rows, Seen

__all__ = [
    "Given",
    "Inputs",
    "as_given",
    "given_term",
    "inputs_of",
    "names_in",
    "open_values",
    "read_usual",
    "read_values",
    "with_columns",
]

Array = npt.NDArray[np.float64]

PARTS = ("between", "within")


@dataclass(frozen=True, eq=False)
class Inputs:
    """What a model asks, and what the fit saw of its columns.

    Attributes
    ----------
    slopes : tuple of Column
        What the terms of the formula have become, as they are evaluated.
    coefficients : tuple of Column
        What the fit has coefficients of: ``slopes``, or their parts, the intercept, wave dummies.
    ranges : mapping
        Of numeric columns; of ``means`` and ``distances`` of columns with parts.
    levels : mapping
        Of categories. Moments have seen sums alone: no ranges, no levels.
    told : bool
        Whether ranges may be shown: an end of people's answers is the answer of one.
    """

    slopes: tuple[Column, ...]
    coefficients: tuple[Column, ...]
    ranges: Mapping[str, tuple[float, float]]
    levels: Mapping[str, tuple[Any, ...]]
    means: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    distances: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    told: bool = False

    @property
    def terms(self) -> tuple[grammar.Term, ...]:
        """The terms, with their lags as columns: their values are given, not looked up."""
        return tuple(dict.fromkeys(given_term(c.term) for c in self.slopes if c.term is not None))

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that are asked, in the order of the formula."""
        return tuple(dict.fromkeys(c for term in self.terms for c in term.columns))

    @property
    def told_ranges(self) -> Mapping[str, tuple[float, float]]:
        """The ranges that may be shown."""
        return self.ranges if self.told else {}

    @property
    def split(self) -> tuple[Column, ...]:
        """The columns that have a slope of their own within units."""
        return tuple(c.whole for c in self.coefficients if c.part == "within")

    def carrier(self, column: Column) -> str | None:
        """Return whose unit mean gives that of a column with parts; None: it is its own.

        That is the one factor that varies within units, beside others that do not.
        """
        alone = {c.term.factors[0] for c in self.slopes if c.term and len(c.term.factors) == 1}
        vary = {
            c.term.factors[0] for c in self.split if c.term is not None and len(c.term.factors) == 1
        }
        factors = () if column.term is None else column.term.factors
        moving = [f for f in factors if f not in alone or f in vary]
        if len(moving) != 1 or not isinstance(moving[0], grammar.Name | grammar.Lag):
            return None
        return _given_name(moving[0])

    @property
    def asked_means(self) -> tuple[str, ...]:
        """What is asked of units' usual values, by name."""
        return tuple(dict.fromkeys(self.carrier(c) or c.name for c in self.split))

    def two_parts(self, given: Sequence[str]) -> list[str]:
        """Return which columns are given in two parts, ``"ex (between)"`` and ``"ex (within)"``.

        A column of the data that is called so is itself, and no part of another.
        """
        parts = [f"{n} ({p})" for n in self.asked_means for p in PARTS]
        return [n for n in given if n in parts and n not in self.columns]

    def asked(self, given: Sequence[str], *, difference: bool = False) -> list[str]:
        """Return the columns that are needed, those with parts in two where they are given so.

        In a difference a part that is not given is held equal.
        """
        if not (parts := self.two_parts(given)):
            return list(self.columns)
        clash = [n for n in self.columns for own in self.asked_means if n == f"{own} (between)"]
        if clash:
            raise OptionError(
                f"{clash[0]!r} is a column of the data, and could be a part of another.",
                code="several-rows",
                fix="Give values and unit_means= instead of two parts.",
            )
        ready = {c for c in self.split if self.carrier(c) is None}
        used = [c for c in self.slopes if c not in ready and c.term is not None]
        plain = dict.fromkeys(name for c in used for name in given_term(c.term).columns)
        out = [name for name in plain if name not in self.asked_means]
        for name in self.asked_means:
            own = [c for c in self.split if (self.carrier(c) or c.name) == name]
            both = any(c.of("between") in self.coefficients for c in own)
            needed = [f"{name} ({p})" for p in PARTS if both or p == "within"]
            out += [n for n in needed if n in parts or not difference]
        return out

    def moved_by(self, given: Sequence[str]) -> Inputs:
        """Keep the terms that the given columns enter: others cancel out of a difference."""
        named = {*given, *(n for n in self.asked_means for p in PARTS if f"{n} ({p})" in given)}
        kept = tuple(
            c
            for c in self.slopes
            if c.term is not None and ({*given_term(c.term).columns, c.name} & named)
        )
        return replace(
            self,
            slopes=kept,
            coefficients=tuple(c for c in self.coefficients if c.whole in kept),
        )

    # ------------------------------------------------------------------ rows of the design

    def evaluate(self, values: pd.DataFrame) -> Array:
        """Return the values of ``slopes``, shape (rows, columns)."""
        if not self.slopes:
            return np.zeros((len(values), 0))
        # all levels stand in front, so that each category has the columns of the fit
        most = max((len(self.levels[c]) for c in self.columns if c in self.levels), default=0)
        whole = {}
        for column in self.columns:
            known = self.levels.get(column, (0.0,))
            front = pd.Series([known[min(i, len(known) - 1)] for i in range(most)])
            own = values[column].reset_index(drop=True)
            whole[column] = pd.concat([front, own], ignore_index=True) if most else own
        key = "(row)"
        while key in whole:
            key += "_"
        panel = unlinked(pd.DataFrame(whole), key, list(whole), pd.DataFrame())
        made = panel.design(self.terms)
        at = [c for term in self.terms for c in self.slopes if given_term(c.term) == term]
        return made.x[most:][:, [at.index(c) for c in self.slopes]]

    def design(self, given: Given, coefficients: Sequence[Column]) -> Array:
        """Return the rows of the design, shape (rows, coefficients); the constant is left 0."""
        whole = self.evaluate(given.values)
        mean = self._means(given)
        for name, own in given.whole.items():
            for j, column in enumerate(self.slopes):
                if column.name == name:
                    whole[:, j] = own
        out = np.zeros((len(given.values), len(coefficients)))
        for i, column in enumerate(coefficients):
            if column.whole not in self.slopes:
                continue
            j = self.slopes.index(column.whole)
            if column.part == "within":
                out[:, i] = whole[:, j] - mean[column.whole]
            elif column.whole in mean:
                out[:, i] = mean[column.whole]
            else:
                out[:, i] = whole[:, j]
        return out

    def _means(self, given: Given) -> dict[Column, Array]:
        """Return the unit means of the columns that have parts."""
        out = {}
        for column in self.split:
            carrier = self.carrier(column)
            if carrier is None:
                out[column] = given.means[column.name].to_numpy(float)
            else:
                values = with_columns(given.values, {carrier: given.means[carrier].to_numpy(float)})
                out[column] = self.evaluate(values)[:, self.slopes.index(column)]
        return out

    def read(self, panel: Panel) -> pd.DataFrame:
        """Return the columns that are asked from a panel, row by row, lags looked up."""
        lags = {
            f.label: f
            for c in self.slopes
            if c.term is not None
            for f in c.term.factors
            if isinstance(f, grammar.Lag)
        }
        found = {
            name: panel.design([grammar.Term((lags[name],))]).x[:, 0]
            if name in lags
            else panel.frame[name].to_numpy()
            for name in self.columns
        }
        return pd.DataFrame(found, index=range(len(panel.frame)))

    def beyond(self, given: Sequence[Given]) -> list[Caution]:
        """Return a caution for every column with values outside those of the fit."""
        whole = pd.concat([g.values for g in given]).drop_duplicates()
        means = pd.concat([g.means for g in given])
        apart = {n for n in self.asked_means if any(n in g.known for g in given)}
        sets = [
            (repr(n), n, whole[n], self.ranges.get(n))
            for n in map(str, whole.columns)
            if n not in apart
        ]
        for name in (n for n in self.asked_means if n in apart):
            usual = means[name]
            if all(g.known[name] for g in given):
                sets.append((f"The unit mean of {name!r}", name, usual, self.means.get(name)))
            own = [g.distance(name) for g in given]
            if all(d is not None for d in own):
                away = pd.Series(np.concatenate([d for d in own if d is not None]))
                words = f"{name!r}, as distance from the unit mean,"
                sets.append((words, name, away, self.distances.get(name)))
        found = []
        for words, name, values, ends in sets:
            if ends is None:
                continue
            low, high = ends
            slack = 1e-9 * max(abs(low), abs(high))
            outside = values[(values < low - slack) | (values > high + slack)]
            if len(outside):
                worst = outside.iloc[int(np.argmax(np.maximum(low - outside, outside - high)))]
                told = f", {low:.4g} to {high:.4g}," if self.told else ""
                message = (
                    f"{words} lies outside what was observed{told} in "
                    f"{len(outside)} of {len(values)} rows (such as {worst:.4g}): that the model "
                    "holds there is an assumption."
                )
                found.append(Caution("extrapolation", message, name))
        return found


@dataclass(frozen=True, eq=False)
class Given:
    """Values at which to predict: as they were given (``shown``), and as a model needs them.

    ``means`` holds units' usual values by name, and ``known`` those that were given: True, or False
    where the distance from them is given alone; ``whole`` columns of the design that were given
    ready, in two parts.
    """

    shown: pd.DataFrame
    values: pd.DataFrame
    means: pd.DataFrame
    whole: Mapping[str, Array] = field(default_factory=dict)
    known: Mapping[str, bool] = field(default_factory=dict)

    def distance(self, name: str) -> Array | None:
        """Return how far a column lies from its unit mean."""
        if name in self.whole:
            own = self.whole[name]
        elif name in self.values:
            own = self.values[name].to_numpy(float)
        else:
            return None
        return np.asarray(own - self.means[name].to_numpy(float))


def with_columns(frame: pd.DataFrame, columns: Mapping[str, Any]) -> pd.DataFrame:
    """Return a frame with columns replaced, whatever they are called (``assign`` takes no self)."""
    out = frame.copy()
    for name, values in columns.items():
        out[name] = values
    return out


def inputs_of(
    data: Moments | Rows | Seen, model: grammar.Formula, columns: Sequence[Column], effects: str
) -> Inputs:
    """Return what a model with coefficients ``columns`` asks, and what its rows have seen."""
    if isinstance(data, Moments):
        slopes = tuple(
            Column(label, "whole", term)
            for label, term in zip(labels_in(data, model.terms), model.terms, strict=True)
        )
        return Inputs(slopes, tuple(columns), {}, {})
    if isinstance(data, Seen):
        return _inputs_of_sums(data, columns, effects)
    panel, rows = data.panel, slice(None) if data.complete.all() else data.complete
    factors = [f for t in model.terms for f in t.factors]
    categories = {f.column for f in factors if isinstance(f, grammar.Category)}
    seen = dict.fromkeys(f.column for f in factors if not isinstance(f, grammar.Lag))
    held, levels = {}, {}
    for name in seen:
        values = panel.frame[name]
        if name in categories:  # as the design takes them: in order, the first is the reference
            found = pd.unique(values[rows])
            levels[name] = tuple(sorted(found, key=lambda v: (str(type(v)), v)))
        else:
            held[name] = values.to_numpy(float)[rows]
    lags = {f.label: grammar.Term((f,)) for f in factors if isinstance(f, grammar.Lag)}
    lagged = panel.design(list(lags.values())).x[rows]
    held |= dict(zip(lags, lagged.T, strict=True))
    made = Inputs(tuple(data.columns[1:]), tuple(columns), {}, levels)
    split = made.split
    if effects == "between" or split:
        units = group_codes(panel.frame[[panel.unit]][rows], [panel.unit])[0]
    if effects == "between":
        held = {name: _means(values, units) for name, values in held.items()}
    means, distances = {}, {}
    if split:
        # with the outcome: levels are those of rows that have one
        whole = panel.design((model.response, *model.terms)).x[rows]
        for column, values in zip(data.columns[1:], whole.T[1:], strict=True):
            name = made.carrier(column) or column.name
            if column in split and (made.carrier(column) is None or column.name == name):
                mean = _means(values, units)
                means[name], distances[name] = mean, values - mean[units]
    people = panel.wave is None and effects != "between"
    return replace(
        made,
        ranges=_ends(held),
        means=_ends(means),
        distances=_ends(distances),
        told=not people,
    )


def _inputs_of_sums(data: Seen, columns: Sequence[Column], effects: str) -> Inputs:
    """Return what is asked where an engine has summed the rows: distances were not seen."""
    made = Inputs(tuple(data.columns[1:]), tuple(columns), data.ranges, data.levels)
    means = {n: ends for n, ends in data.means.items() if n in made.asked_means}
    if effects == "between":
        made = replace(made, ranges={n: data.means.get(n, e) for n, e in data.ranges.items()})
    return replace(made, means=means, told=data.told)


def _ends(held: Mapping[str, Array]) -> dict[str, tuple[float, float]]:
    return {name: (float(v.min()), float(v.max())) for name, v in held.items()}


def _means(values: Array, units: npt.NDArray[np.intp]) -> Array:
    return np.asarray(np.bincount(units, values) / np.bincount(units))


def _given_name(factor: grammar.Factor) -> str:
    return factor.label if isinstance(factor, grammar.Lag) else factor.column


def given_term(term: grammar.Term | None) -> grammar.Term:
    """Return the term with its lags as columns: their values are given, not looked up."""
    factors = () if term is None else term.factors
    return grammar.Term(
        tuple(grammar.Name(f.label) if isinstance(f, grammar.Lag) else f for f in factors)
    )


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
    opened: frames.Table | pd.DataFrame, inputs: Inputs, columns: Sequence[str], what: str = "at"
) -> pd.DataFrame:
    """Read the values given: all ``columns`` are needed, none other is, none may be missing."""
    _refuse_columns(names_in(opened), columns, what)
    if isinstance(opened, pd.DataFrame):  # of a model that has an intercept alone
        return pd.DataFrame(index=range(max(len(opened), 1)))
    for name in columns:
        if name not in inputs.levels and opened.kinds[name] not in frames.NUMBERS:
            raise DataError(
                f"{what}=: {name!r} holds {opened.kinds[name]}; numbers are needed.",
                code="not-numbers",
                fix="Give numbers.",
            )
    values = read_columns(opened.naming(inputs.levels), [], columns)
    if not len(values):
        raise DataError(
            f"{what}= has no rows.", code="no-rows", fix="Give a row for each prediction."
        )
    for name in columns:
        missing = np.flatnonzero(values[name].isna())
        if len(missing):
            more = f" and in {len(missing) - 1} more" if len(missing) > 1 else ""
            raise DataError(
                f"{what}=: {name!r} is missing in row {missing[0] + 1}{more}.",
                code="missing-values",
                fix="Give a value, or leave the row out.",
            )
        if name in inputs.levels:
            values[name] = _known_levels(values[name], inputs.levels[name], name, what)
    return values[[c for c in names_in(opened) if c in columns]].reset_index(drop=True)


def read_usual(given: object, inputs: Inputs, rows: int) -> pd.DataFrame:
    """Read units' usual values, ``unit_means=``, for so many rows."""
    opened = open_values(given, "unit_means")
    own = read_values(opened, replace(inputs, levels={}), inputs.asked_means, "unit_means")
    if len(own) not in (1, rows):
        raise OptionError(
            f"unit_means= has {len(own)} rows and at= has {rows}.",
            code="different-lengths",
            fix="Give one row, or as many.",
        )
    return own.iloc[[0] * rows].reset_index(drop=True) if len(own) == 1 else own


def as_given(shown: pd.DataFrame, inputs: Inputs, usual: pd.DataFrame | None) -> Given:
    """Return values as the model needs them.

    Without ``usual`` the unit means are those given as parts, ``"ex (between)"``, else 0.
    """
    values, means, whole = shown.copy(), pd.DataFrame(index=shown.index), {}
    parts = inputs.two_parts(list(shown.columns))
    nothing = pd.Series(0.0, shown.index)
    known = {}
    for name in inputs.asked_means:
        if usual is not None:
            means[name] = usual[name].to_numpy(float)
            known[name] = True
            continue
        means[name] = shown[f"{name} (between)"] if f"{name} (between)" in parts else nothing
        if f"{name} (within)" in parts or f"{name} (between)" in parts:
            known[name] = f"{name} (between)" in parts
            away = shown[f"{name} (within)"] if f"{name} (within)" in parts else nothing
            values[name] = means[name] + away
            if name not in inputs.columns:
                whole[name] = values[name].to_numpy(float)
    for name in inputs.columns:
        if name not in values:  # of a product that was given ready, in two parts
            values[name] = inputs.levels.get(name, (0.0,))[0]
    if usual is not None and inputs.asked_means:
        told = means.rename(columns={n: f"{n} (unit mean)" for n in means})
        shown = pd.concat([shown, told], axis=1)
    return Given(shown, values, means, whole, known)


def _frame(given: Mapping[Any, Any], what: str) -> pd.DataFrame:
    """Return a mapping of columns as a frame; single values count for all rows."""
    held = {
        str(k): [v] if np.ndim(v) == 0 or isinstance(v, str) else list(v) for k, v in given.items()
    }
    sizes = {len(v) for v in held.values()} - {1}
    if len(sizes) > 1:
        lengths = ", ".join(f"{k!r}: {len(v)}" for k, v in held.items())
        raise OptionError(
            f"{what}=: columns have different lengths ({lengths}).",
            code="different-lengths",
            fix="Give as many values of each, or one.",
        )
    rows = next(iter(sizes), 1)
    return pd.DataFrame({k: v * rows if len(v) == 1 else v for k, v in held.items()})


def _refuse_columns(given: Sequence[str], columns: Sequence[str], what: str) -> None:
    for name in columns:
        if name not in given:
            raise ColumnError(
                f"{what}= lacks the column {name!r}, which the model needs.",
                code="unknown-column",
                fix=f"{nearest(name, [g for g in given if g not in columns])} "
                f"It needs {listing(columns, most=20)}.",
            )
    if strange := [c for c in given if c not in columns]:
        needs = f"needs {listing(columns, most=20)}" if columns else "has an intercept alone"
        raise ColumnError(
            f"{what}= has {listing(strange)}, which the model does not use: it {needs}.",
            code="unknown-column",
            fix="Leave other columns out.",
        )


def _known_levels(
    values: pd.Series[Any], levels: tuple[Any, ...], name: str, what: str
) -> list[Any]:
    known = {level_label(level): level for level in levels}
    said = [level_label(value) for value in values]
    if strange := [s for s in dict.fromkeys(said) if s not in known]:
        raise DataError(
            f"{what}=: {name!r} has {listing(strange)}, which was not among the rows that were "
            "fitted.",
            code="unknown-level",
            fix=f"Its levels there: {listing(known, most=20)}.",
        )
    return [known[s] for s in said]
