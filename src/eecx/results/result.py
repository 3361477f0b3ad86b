"""What every analysis returns: a tidy table, what it rests on, and what to doubt."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

import pandas as pd

from .. import plotting
from ..errors import Caution, OptionError, listing
from .estimates import Estimates
from .export import escape, json_ready, latex
from .numbers import printed, printed_statistic
from .tidy import identifying, labels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["SCHEMA", "Predicts", "Result", "Tables"]

SCHEMA = "eecx.result/2"
"""Version of the JSON that :meth:`Result.to_dict` writes; ``result-2.schema.json`` describes it."""


class Tables(Mapping[str, pd.DataFrame]):
    """Named tables, each made when it is first asked for: some cost more than the fit itself."""

    def __init__(self, **makers: Callable[[], pd.DataFrame]):
        self._makers = makers
        self._made: dict[str, pd.DataFrame] = {}

    def __getitem__(self, name: str) -> pd.DataFrame:
        if name not in self._made:
            self._made[name] = self._makers[name]()
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)


class Predicts(Protocol):
    """What a model keeps in order to predict, without its data."""

    def predict(
        self,
        fitted: Result,
        at: object,
        reference: object | None,
        interval: str,
        conf_level: float | None,
        unit_means: object | None,
    ) -> Result:
        """Return predictions at given values."""

    def fitted(self, fitted: Result, data: object) -> pd.DataFrame:
        """Return the outcome and its fitted value in every complete row of data given again."""


@dataclass(frozen=True, eq=False)
class Result:
    """What an analysis found.

    Attributes
    ----------
    analysis : str
        Name of the function that made it.
    table : pandas.DataFrame
        Tidy: identifying columns, then ``estimate, std_error, statistic, df, p_value,
        conf_low, conf_high`` (missing where an analysis has none), then columns of its own. The
        confidence level is ``spec["conf_level"]``.
    tables : mapping of str to pandas.DataFrame
        Further named tables; ``tables["units"]`` has a row per unit.
    vcov : pandas.DataFrame or None
        Covariance of the estimates, indexed by the identifying columns of the table.
    stats : mapping
        Numbers: n, units, waves, clusters, fit.
    spec : mapping
        Every argument, defaults included, the fingerprint of the data and the versions.
    warnings : tuple of Caution
    draws : pandas.DataFrame or None
        Bootstrap draws, one column per estimate.
    failed_draws : int
        Draws that gave no estimate; they are in no interval.
    text : str
        The paragraph :meth:`methods` returns.
    references : tuple of str
        Keys of the bundled bibliography.
    title : str
        What was analysed, for headings.
    kind : tuple of str
        How, in few words, for headings: the model, its errors, its weights.
    statistic : str
        What the test statistic is: t, F, z.
    side_by_side : pandas.DataFrame or None
        Text to print instead of the table, where estimates are read across.
    parts : tuple of str
        Of a model, what each row of the table is: whole, within, between, contextual, intercept.
    unused : tuple of str
        Agreed columns that this analysis never fills: they are not printed.
    estimates : Estimates or None
        Of a regression, the rows of the table with what each cluster adds to them: what joint
        tests, :func:`eecx.compare` and :func:`eecx.romano_wolf` rest on. Never printed or exported.
    """

    analysis: str
    table: pd.DataFrame
    spec: Mapping[str, Any]
    stats: Mapping[str, Any]
    text: str
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    vcov: pd.DataFrame | None = None
    warnings: tuple[Caution, ...] = ()
    draws: pd.DataFrame | None = None
    failed_draws: int = 0
    references: tuple[str, ...] = ()
    figure: Callable[..., Axes | Figure] | None = None
    predictor: Predicts | None = None
    title: str = ""
    kind: tuple[str, ...] = ()
    statistic: str = "t"
    side_by_side: pd.DataFrame | None = None
    parts: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    estimates: Estimates | None = None

    # ------------------------------------------------------------------ rows

    def row(self, *given: object, **labels: object) -> pd.Series[Any]:
        """Return the one row that has these labels: ``fit.row(term="engagement")``.

        Labels without a name are those of the first identifying columns.

        The level of a slope may be its words, or its part: ``level="between"``.

        Raises
        ------
        OptionError
            No row has them, or several have: the message says what tells them apart.

        Examples
        --------
        >>> import eecx
        >>> sim = eecx.simulate.panel(units=60, waves=4, same_wave=0.5, rng=1)
        >>> fit = eecx.regress(sim.frame, "cx ~ ex", unit="unit", wave="wave")
        >>> fit.row(term="ex")["level"]
        'pooled'
        """
        keys = identifying(self.table)
        if len(given) > len(keys):
            raise OptionError(
                f"{len(given)} labels; rows are identified by {listing(keys)}.",
                code="no-such-row",
                fix="Give a label for each of these, or for the first of them.",
            )
        labels = {**dict(zip(keys, given, strict=False)), **labels}
        if strange := [name for name in labels if name not in keys]:
            raise OptionError(
                f"{listing(strange)} does not identify rows; {listing(keys)} do.",
                code="unknown-column",
                fix=f"Take {self._call(dict.fromkeys(keys, '…'))}.",
            )
        rows = self.table
        for name, value in labels.items():
            own = rows[rows[name] == value]
            if own.empty and name == "level" and self.parts:
                own = rows[[self.parts[i] == value for i in rows.index]]
            if own.empty:
                there = listing(rows[name].drop_duplicates().tolist(), most=20)
                raise OptionError(
                    f"No {name} {value!r}.", code="no-such-row", fix=f"There is: {there}."
                )
            rows = own
        if len(rows) > 1:
            left = [k for k in keys if k not in labels and rows[k].nunique() > 1]
            each = "; ".join(
                self._call({**labels, **{k: row[k] for k in left}})
                for row in rows.head(8).to_dict("records")
            )
            raise OptionError(
                f"{len(rows)} rows have {_said(labels)}.",
                code="several-rows",
                fix=f"Take one of: {each}.",
            )
        return rows.iloc[0]

    def __getitem__(self, label: object) -> pd.Series[Any]:
        """Return the row of a label of the first identifying column, or of a tuple of labels."""
        return self.row(*(label if isinstance(label, tuple) else (label,)))

    @staticmethod
    def _call(labels: Mapping[str, object]) -> str:
        """Return how a row is asked for."""
        return f"fit.row({', '.join(f'{k}={v!r}' for k, v in labels.items())})"

    @property
    def params(self) -> pd.Series[Any]:
        """The estimates, by what identifies them."""
        return pd.Series(
            self.table["estimate"].to_numpy(float), labels(self.table), name="estimate"
        )

    @property
    def pvalues(self) -> pd.Series[Any]:
        """The p values, by what identifies them."""
        return pd.Series(self.table["p_value"].to_numpy(float), labels(self.table), name="p_value")

    def conf_int(self) -> pd.DataFrame:
        """Return the ends of the intervals, by what identifies them."""
        return self.table[["conf_low", "conf_high"]].set_axis(labels(self.table), axis=0)

    # ------------------------------------------------------------------ printed

    def summary(self) -> str:
        """Return the result as text: heading, table, what it rests on, warnings."""
        lines = [self._heading(), self._printed().to_string(index=False), self._basis()]
        if self.failed_draws:
            lines.append(f"{self.failed_draws} bootstrap draws failed and are in no interval.")
        lines += [f"Warning ({w.code}): {w.message}" for w in self.warnings]
        return "\n".join(lines)

    def methods(self) -> str:
        """Return a paragraph for a paper, with the numbers in it."""
        return self.text

    def plot(self, ax: Axes | None = None, **options: Any) -> Axes | Figure:
        """Draw the figure that goes with this analysis."""
        if self.figure is None:
            return plotting.coefficients(self.table, ax=ax, **options)
        return self.figure(self, ax=ax, **options)

    # ------------------------------------------------------------------ predictions

    def predict(
        self,
        at: object,
        *,
        reference: object | None = None,
        interval: Literal["mean", "new"] = "mean",
        conf_level: float | None = None,
        unit_means: object | None = None,
    ) -> Result:
        r"""Predict the outcome of a regression at given values, with intervals.

        The estimand is the expected outcome at x, with the variance :math:`x'Vx` and the degrees
        of freedom of that combination of coefficients; with a reference :math:`x_0` it is the
        difference :math:`(x - x_0)'\beta`:

        .. math:: x'\hat\beta \pm t_\nu \sqrt{x'Vx}, \qquad
                  x'\hat\beta \pm t_\nu \sqrt{x'Vx + s^2} \text{ for a new observation}

        Parameters
        ----------
        at : data frame of any engine, path, or mapping
            One row per prediction, with every column of the formula and no other;
            ``{"engagement": [3.5, 4.0], "size": 20}``. A lag is given under its label,
            ``"lag(engagement)"``.
        reference : data frame, path or mapping, optional
            What to compare with: one row, or as many as ``at``. Columns that it lacks are as in
            ``at``; columns that both lack are held equal. Models with unit effects and first
            differences know no level, and need it.
        interval : {"mean", "new"}
            ``"mean"``: the expected outcome. ``"new"``: one new observation, which is a row
            (pooled), the mean of a new unit (between), or one wave of a new unit (random,
            within-between, mixed).
        conf_level : float, optional
            That of the fit, if not given.
        unit_means : data frame, path or mapping, optional
            Of within-between models, whose slopes within and between units are apart: the unit's
            usual values, ``{"engagement": 3.2}``, of the columns that vary within units; of a
            power or a product of two such columns its own mean, ``{"I(engagement^2)": 10.5}``. In
            a difference they may be left out where they cancel. Two columns of ``at``,
            ``"engagement (between)"`` (the unit mean) and ``"engagement (within)"`` (the distance
            from it), say the same, and move the two apart.

        Returns
        -------
        Result
            ``.table`` has the columns of ``at``, then the agreed ones; a level is not tested, a
            difference is. Families predict the expected outcome itself; their intervals are formed
            on the scale of the link, so that shares stay between 0 and 1. Their differences are of
            expected outcomes, with delta-method errors.

        Raises
        ------
        ColumnError, DataError, OptionError
            Columns that are missing or not of the model, missing values, levels of a category that
            were not fitted, no reference where one is needed.

        Notes
        -----
        Assumes that the model holds at x: values beyond those observed get a warning. Intervals of
        new observations take residuals as normal and of one variance, whatever ``vcov`` is. A
        prediction for an intervened-on unit would need the slopes to be causal.

        Examples
        --------
        >>> import eecx
        >>> sim = eecx.simulate.panel(units=60, waves=4, same_wave=0.5, rng=1)
        >>> fit = eecx.regress(sim.frame, "cx ~ ex", unit="unit", wave="wave", effects="between")
        >>> found = fit.predict({"ex": [-0.5, 0.5]})
        >>> found.table[["ex", "estimate"]].round(2).to_numpy().tolist()
        [[-0.5, -0.13], [0.5, 0.09]]
        >>> change = eecx.regress(sim.frame, "cx ~ ex", unit="unit", wave="wave", effects="within")
        >>> moved = change.predict({"ex": 0.5}, reference={"ex": 0.0}).table
        >>> bool((moved["conf_low"] < moved["estimate"]).all())
        True
        >>> both = eecx.regress(
        ...     sim.frame, "cx ~ ex", unit="unit", wave="wave", effects="within-between"
        ... )
        >>> both.predict({"ex": [0.0, 0.5]}, unit_means={"ex": 0.2}).table.columns.tolist()[:3]
        ['ex', 'ex (unit mean)', 'estimate']
        """
        return self._model().predict(self, at, reference, interval, conf_level, unit_means)

    def fitted(self, data: object) -> pd.Series[Any]:
        """Return the fitted values of a model's data, which are given again.

        A result keeps no data. Give what the model was fitted to (or other rows with the same
        columns): the values are those of the complete rows, indexed by unit and wave where there
        are any, else by the rows of the frame. With unit (and wave) effects they include the
        effects that these data imply; random effects are not in them.

        Examples
        --------
        >>> import eecx
        >>> sim = eecx.simulate.panel(units=60, waves=4, same_wave=0.5, rng=1)
        >>> fit = eecx.regress(sim.frame, "cx ~ ex", unit="unit", wave="wave")
        >>> left = fit.resid(sim.frame)
        >>> bool(abs(left.mean()) < 1e-12)
        True
        """
        made = self._model().fitted(self, data)
        return made["fitted"]

    def resid(self, data: object) -> pd.Series[Any]:
        """Return outcome less fitted value, of a model's data, which are given again."""
        made = self._model().fitted(self, data)
        return (made["observed"] - made["fitted"]).rename("resid")

    def _model(self) -> Predicts:
        if self.predictor is None:
            raise OptionError(
                f"{self.analysis} gives no predictions.",
                code="no-predictions",
                fix="eecx.regress does.",
            )
        return self.predictor

    # ------------------------------------------------------------------ exported

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the draws as plain values, numbers with 12 significant digits."""
        content = {
            "schema": SCHEMA,
            "analysis": self.analysis,
            "title": self._title(),
            "table": self.table,
            "tables": dict(self.tables),
            "vcov": self.vcov,
            "stats": dict(self.stats),
            "spec": dict(self.spec),
            "warnings": [vars(w) for w in self.warnings],
            "failed_draws": self.failed_draws,
            "methods": self.methods(),
            "references": list(self.references),
        }
        return dict(json_ready(content))

    def to_json(self, indent: int | None = 2) -> str:
        """Return :meth:`to_dict` as JSON text."""
        return json.dumps(self.to_dict(), indent=indent, ensure_ascii=False, allow_nan=False)

    def to_latex(self) -> str:
        """Return the table as LaTeX (booktabs)."""
        shown = self._printed()
        text = {c for c in self.table if not pd.api.types.is_numeric_dtype(self.table[c])}
        whole = self.side_by_side is not None
        return latex(shown, [not whole and c not in text for c in shown.columns])

    def _title(self) -> str:
        return str(self.title or self.spec.get("title") or self.spec.get("formula") or "")

    def _printed(self) -> pd.DataFrame:
        if self.side_by_side is not None:
            return self.side_by_side
        return printed(self.table, self.statistic, self.unused)

    def _heading(self) -> str:
        level = self.spec.get("conf_level")
        suffix = f", {100 * level:g}% intervals" if level else ""
        what = ", ".join([t for t in (self._title(), *self.kind) if t])
        return f"{self.analysis}: {what}{suffix}" if what else f"{self.analysis}{suffix}"

    def _basis(self) -> str:
        shown = {k: v for k, v in self.stats.items() if isinstance(v, int | float | str)}
        return "; ".join(f"{k} {printed_statistic(k, v)}" for k, v in shown.items())

    def _repr_html_(self) -> str:
        with pd.option_context("display.max_colwidth", None):  # pandas would cut long names
            table = self._printed().to_html(index=False, escape=True, border=0)
        notes = "".join(f"<li>{escape(w.message)}</li>" for w in self.warnings)
        return f"<p><b>{escape(self._heading())}</b></p>{table}<p>{escape(self._basis())}</p>" + (
            f"<ul>{notes}</ul>" if notes else ""
        )

    def __repr__(self) -> str:
        return self.summary()


def _said(labels: Mapping[str, object]) -> str:
    return " and ".join(f"{k} {v!r}" for k, v in labels.items()) or "no label"
