r"""Predictions of fitted regressions, with intervals.

At values x of the predictors the expected outcome is :math:`x'\hat\beta`, with the variance
:math:`x'Vx`; its degrees of freedom are those of this combination of coefficients, not of any
single one. A new observation scatters about it, with the variance :math:`s^2` of the model's
kind of observation:

.. math:: x'\hat\beta \pm t_\nu \sqrt{x'Vx}, \qquad x'\hat\beta \pm t_\nu \sqrt{x'Vx + s^2}

For the new observation :math:`\nu` is the Satterthwaite value of the sum of the two variances.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from .. import formula as grammar
from .. import options, plotting
from ..covariance import Sums, cr2
from ..errors import Caution, ColumnError, OptionError, listing
from ..moments import Moments
from ..results import NUMBERS, Estimates, Result, interval_phrase, recorded, tidy
from .capabilities import accept
from .columns import INTERCEPT, Column
from .fitted import fitted_rows
from .inference import UNTOLD, covariance_of, is_perfect
from .inputs import (
    Given,
    Inputs,
    as_given,
    inputs_of,
    names_in,
    open_values,
    read_usual,
    read_values,
    with_columns,
)
from .least_squares import Fit
from .work import Rows, Work

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Errors", "Predictor", "predictor_of_glm", "predictor_of_least_squares"]

Array = npt.NDArray[np.float64]

BLOCK = 256  # rows whose covariances are formed together
NO_LEVEL = {
    "within": "the unit effects take it up, and a new unit has none that is known",
    "two-way": "the unit and wave effects take it up, and a new unit has none that is known",
    "first-difference": "changes do not tell it",
}
NEW = {
    "pooled": "a new row of the data",
    "between": "the mean over waves of a new unit",
    "random": "one wave of a new unit",
    "random-two-way": "a new unit in a new wave",
    "within-between": "one wave of a new unit",
    "mixed": "one wave of a new unit",
}


# ---------------------------------------------------------------------- variances


class Errors(Protocol):
    """What knows the errors of combinations of a fitted model's coefficients (rows)."""

    by_likelihood: ClassVar[bool]

    def expected(self, combine: Array) -> tuple[Array, Array]:
        """Return the variance of each combination, and its df."""

    def new(self, combine: Array) -> tuple[Array, Array]:
        """Return the variance of a new observation, and its df."""


@dataclass(frozen=True, eq=False)
class LeastSquares:
    """What errors of combinations of least-squares coefficients need.

    CR2 needs the sums of every cluster; of all else the covariance of the coefficients (of the
    centred model) is kept, in ``own``. ``residual`` is the variance of a new observation.
    """

    by_likelihood: ClassVar[bool] = False

    fit: Fit
    own: Array | None
    df: float
    residual: float
    residual_df: float

    def expected(self, combine: Array) -> tuple[Array, Array]:
        """Return the variance of each combination (rows of ``combine``), and its df."""
        blocks = [self._block(combine[i : i + BLOCK]) for i in range(0, len(combine), BLOCK)]
        variance, df = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
        return variance, df

    def _block(self, combine: Array) -> tuple[Array, Array]:
        fit, move = self.fit, combine @ self.fit.move
        if self.own is None:
            influence, df = cr2(fit.by, move)
            variance = (influence**2).sum(axis=0)
        else:
            variance = np.einsum("ij,jk,ik->i", move, self.own, move)
            df = np.full(len(move), self.df)
        # zero where the data fit exactly; negative where two kinds of clusters disagree
        least = UNTOLD * np.einsum("ij,jk,ik->i", move, fit.bread, move) * fit.rss / fit.n
        untold = (variance <= least) | is_perfect(fit)
        return np.where(untold, np.nan, variance), np.where(untold, np.nan, df)

    def new(self, combine: Array) -> tuple[Array, Array]:
        """Return the variance of a new observation, and its Satterthwaite df."""
        mean, df = self.expected(combine)
        whole = mean + self.residual
        free = whole**2 / (mean**2 / df + self.residual**2 / self.residual_df)
        # the two rest on the same residuals: no more df than those leave
        return whole, np.minimum(free, self.fit.n - len(self.fit.beta))


@dataclass(frozen=True, eq=False)
class Link:
    """Errors of a generalized linear model's linear predictor."""

    by_likelihood: ClassVar[bool] = False

    vcov: Array
    df: float
    log: bool

    def expected(self, combine: Array) -> tuple[Array, Array]:
        """Return the variance of each combination, and its df."""
        variance = np.einsum("ij,jk,ik->i", combine, self.vcov, combine)
        return variance, np.full(len(combine), self.df)

    def mean(self, eta: Array) -> Array:
        """Return the expected outcome."""
        return np.asarray(np.exp(eta) if self.log else special.expit(eta))

    def slope(self, eta: Array) -> Array:
        """Return its derivative in the linear predictor."""
        mu = self.mean(eta)
        return mu if self.log else mu * special.expit(-eta)


# ---------------------------------------------------------------------- the predictor


@dataclass(frozen=True, eq=False)
class Predictor:
    """What a fitted model keeps in order to predict: names, estimates and sums, no data."""

    kind: str
    model: grammar.Formula
    columns: tuple[Column, ...]
    beta: Array
    inputs: Inputs
    errors: LeastSquares | Link | Errors

    @property
    def outcome(self) -> str:
        """What is predicted."""
        return self.model.response.columns[0]

    def predict(
        self,
        fitted: Result,
        at: object,
        reference: object | None,
        interval: str,
        conf_level: float | None,
        unit_means: object | None,
    ) -> Result:
        """Predict; the arguments are those of :meth:`eecx.Result.predict`."""
        level = fitted.spec["conf_level"] if conf_level is None else conf_level
        options.conf_level(level)
        self._refuse(reference, interval, fitted.spec.get("weights"))
        inputs, given, base = self._read(at, reference, unit_means)
        rows = self._rows(inputs, given)
        if base is None:
            numbers = self._outcomes(rows, interval, level)
        else:
            numbers = self._differences(rows, self._rows(inputs, base), level)
        front = given.shown.rename(columns={n: f"{n} (given)" for n in NUMBERS})
        table = pd.concat([front, numbers], axis=1)
        seen = [given] if base is None else [given, base]
        cautions = [*inputs.beyond(seen), *self._doubts(fitted, numbers)]
        usual = [] if unit_means is None else list(given.means)
        return Result(
            "predict",
            table,
            recorded(
                Result.predict,
                {"interval": interval, "conf_level": level},
                data=fitted.spec["data"],
                of=dict(fitted.spec),
                at=list(given.shown)[: given.shown.shape[1] - len(usual)],
                reference=None if base is None else list(base.shown),
                unit_means=usual or None,
            ),
            {
                "predictions": len(table),
                **{k: fitted.stats.get(k) for k in ("n", "units", "waves", "clusters")},
            },
            self._text(fitted, given, base, numbers, interval, level),
            tables={} if base is None else {"reference": base.shown},
            warnings=(*fitted.warnings, *cautions),
            references=fitted.references,
            figure=partial(
                _figure,
                outcome=self.outcome,
                columns=tuple(map(str, front.columns)),
                observed=inputs.told_ranges,
                kind=self._what(fitted, interval, base is not None),
            ),
            title=str(fitted.spec["formula"]),
            unused=() if base is not None else ("statistic", "p_value"),
        )

    def fitted(self, fitted: Result, data: object) -> pd.DataFrame:
        """Return the outcome and its fitted value; the argument is that of ``Result.fitted``."""
        rows = fitted_rows(self.model, self.inputs, self.columns, self.beta, fitted, data)
        if isinstance(self.errors, Link):
            rows["fitted"] = self.errors.mean(rows["fitted"].to_numpy())
        return rows

    def _refuse(
        self, reference: object | None, interval: str, weights: Mapping[str, object] | None
    ) -> None:
        """Refuse what is not known; ``weights`` are the column by its kind."""
        accept("interval", interval, ("mean", "new"))
        if interval == "new" and isinstance(self.errors, Link):
            raise OptionError(
                f"interval='new' is not for family={self.kind!r}: a new outcome of such a model is "
                "no amount with a symmetric interval.",
                code="new-family",
                fix="Take interval='mean'.",
            )
        if interval == "new" and (reference is not None or self.kind in NO_LEVEL):
            raise OptionError(
                "interval='new' is for one new observation, and this is a difference of expected "
                "outcomes.",
                code="new-difference",
                fix="Take interval='mean'.",
            )
        unknown = isinstance(self.errors, LeastSquares) and np.isnan(self.errors.residual)
        if interval == "new" and (unknown or set(weights or ()) - {"frequency"}):
            raise OptionError(
                "interval='new' is not for weighted models: their observations differ in variance, "
                "and a new one's is not known.",
                code="new-weighted",
                fix="Take interval='mean'.",
            )
        if reference is None and self.kind in NO_LEVEL:
            raise OptionError(
                f"effects={self.kind!r} does not tell the level of {self.outcome!r}: "
                f"{NO_LEVEL[self.kind]}. It predicts differences.",
                code="no-level",
                fix="Give reference=, the values to compare with. For levels fit "
                "effects='between', 'random' or 'within-between'.",
            )

    def _read(
        self, at: object, reference: object | None, unit_means: object | None
    ) -> tuple[Inputs, Given, Given | None]:
        """Return what is asked, the values at which, and those of the reference.

        Of a difference, columns in neither are held equal, whatever they are (families need all
        columns); those that only the reference lacks are as in ``at``.
        """
        opened = open_values(at)
        if unit_means is not None and not self.inputs.split:
            raise OptionError(
                f"unit_means= is for models with slopes within and between units, not "
                f"{self.kind!r}.",
                code="not-applicable",
                fix="Leave it out.",
            )
        if reference is None:
            inputs, asked = self.inputs, self.inputs.asked(names_in(opened))
            self._require_means(inputs, names_in(opened), unit_means)
            values = read_values(opened, inputs, asked)
            usual = None if unit_means is None else read_usual(unit_means, inputs, len(values))
            return inputs, as_given(values, inputs, usual), None
        other = open_values(reference, "reference")
        given = (*names_in(opened), *names_in(other))
        # on the scale of a link nothing cancels out of a difference
        inputs = self.inputs if isinstance(self.errors, Link) else self.inputs.moved_by(given)
        asked = inputs.asked(given, difference=True)
        if not set(names_in(other)) & set(asked):
            read_values(other, inputs, (), "reference")  # names what is strange about it
            raise OptionError(
                "reference= has no column of the model:",
                code="unknown-column",
                fix="give the values that differ.",
            )
        values = read_values(opened, inputs, asked)
        named = [c for c in asked if c in names_in(other)]
        base = read_values(other, inputs, named, "reference")
        if len(base) not in (1, len(values)):
            raise OptionError(
                f"reference= has {len(base)} rows and at= has {len(values)}:",
                code="different-lengths",
                fix="give one row, or as many.",
            )
        base = base.iloc[[0] * len(values)] if len(base) == 1 else base
        before = with_columns(values, {c: base[c].to_numpy() for c in named})
        usual = None if unit_means is None else read_usual(unit_means, inputs, len(values))
        moved, old = as_given(values, inputs, usual), as_given(before, inputs, usual)
        if usual is None and not inputs.two_parts(given):
            self._require_no_means(inputs, moved, old)
        return inputs, moved, old

    def _require_means(
        self, inputs: Inputs, given: Sequence[str], unit_means: object | None
    ) -> None:
        """Refuse values of columns with parts without their units' usual values, or with two."""
        parts = inputs.two_parts(given)
        if parts and unit_means is not None:
            raise OptionError(
                f"{listing(parts)} and unit_means= say the same.",
                code="named-twice",
                fix="Give one of them.",
            )
        if inputs.split and not parts and unit_means is None:
            raise _no_means(inputs)

    def _require_no_means(self, inputs: Inputs, moved: Given, old: Given) -> None:
        """Refuse a difference that depends on what is usual in the unit, which was not given."""
        one = [replace(g, means=g.means + 1.0) for g in (moved, old)]
        here, there = (
            inputs.design(a, self.columns) - inputs.design(b, self.columns)
            for a, b in ((moved, old), (one[0], one[1]))
        )
        if inputs.split and not np.allclose(here, there):
            raise _no_means(inputs)

    def _rows(self, inputs: Inputs, given: Given) -> Array:
        rows = inputs.design(given, self.columns)
        if INTERCEPT in self.columns:
            rows[:, self.columns.index(INTERCEPT)] = 1.0
        return rows

    def _outcomes(self, rows: Array, interval: str, level: float) -> pd.DataFrame:
        estimate = rows @ self.beta
        if isinstance(self.errors, Link):
            variance, df = self.errors.expected(rows)
            se = np.sqrt(variance)
            reach = _t(df, level) * se
            low, high = self.errors.mean(estimate - reach), self.errors.mean(estimate + reach)
            own = self.errors.slope(estimate) * se
            return _numbers(self.errors.mean(estimate), own, df, low, high)
        variance, df = (self.errors.new if interval == "new" else self.errors.expected)(rows)
        return _around(estimate, np.sqrt(variance), df, level)

    def _differences(self, rows: Array, base: Array, level: float) -> pd.DataFrame:
        if isinstance(self.errors, Link):  # of expected outcomes, by the delta method
            one, other = rows @ self.beta, base @ self.beta
            slope = self.errors.slope
            moved = slope(one)[:, None] * rows - slope(other)[:, None] * base
            estimate = self.errors.mean(one) - self.errors.mean(other)
        else:
            moved = rows - base
            estimate = moved @ self.beta
        same = ~(rows != base).any(axis=1)
        variance, df = np.zeros(len(rows)), np.full(len(rows), np.nan)
        if not same.all():
            variance[~same], df[~same] = self.errors.expected(moved[~same])
        # no difference from oneself is sure
        numbers = _around(estimate, np.sqrt(variance), np.where(same, np.inf, df), level)
        numbers["df"] = df
        with np.errstate(divide="ignore", invalid="ignore"):
            numbers["statistic"] = numbers["estimate"] / numbers["std_error"]
        numbers["p_value"] = 2 * special.stdtr(df, -np.abs(numbers["statistic"].to_numpy()))
        return numbers

    def _doubts(self, fitted: Result, numbers: pd.DataFrame) -> list[Caution]:
        found = []
        if fitted.spec.get("vcov") == "wild":
            message = (
                "The wild bootstrap tests single coefficients and gives no covariance of "
                "combinations: these intervals rest on CR1 errors and t with G-1 degrees of "
                "freedom, G clusters."
            )
            found.append(Caution("wild-errors", message, "vcov"))
        df = numbers["df"].min()
        if df < 5 and (fitted.spec.get("vcov") == "CR2" or self.errors.by_likelihood):
            message = (
                f"Predictions rest on as few as {df:.1f} degrees of freedom (Satterthwaite): their "
                "intervals are rough."
            )
            found.append(Caution("few-clusters", message, "df"))
        untold = int(numbers["std_error"].isna().sum())
        if untold:
            message = (
                f"The error of {untold} of {len(numbers)} predictions cannot be told: the rows "
                "that tell them fit exactly, or two kinds of clusters give a negative variance."
            )
            found.append(Caution("untold", message, "std_error"))
        return found

    def _what(self, fitted: Result, interval: str, difference: bool) -> str:
        """Return what is predicted: "mean", "difference", or what a new observation is."""
        if difference or interval == "mean":
            return "difference" if difference else "mean"
        words = NEW[self.kind]
        if (fitted.stats.get("waves") or 1) == 1:  # rows of a unit are its people
            words = words.replace("one wave", "one row").replace(" over waves", "")
        return words

    def _text(
        self,
        fitted: Result,
        given: Given,
        base: Given | None,
        numbers: pd.DataFrame,
        interval: str,
        level: float,
    ) -> str:
        spec = fitted.spec
        kind = spec.get("family", "gaussian")
        model = spec["effects"] if kind == "gaussian" else kind
        if self.errors.by_likelihood:
            errors = "model-based errors and Satterthwaite degrees of freedom"
        else:
            by = spec.get("cluster")
            by = f" by {' and '.join(by) if isinstance(by, tuple) else by}" if by else ""
            vcov = "CR1" if spec.get("vcov") == "wild" else spec.get("vcov")
            errors = f"{vcov} errors{by}"
            errors += " and Satterthwaite degrees of freedom" if vcov == "CR2" else ""
        if base is not None:
            what = f"differences in the expected {self.outcome} from the reference values"
        elif interval == "new":
            what = f"{self.outcome} for {self._what(fitted, interval, False)}"
        else:
            what = f"the expected {self.outcome}"
        scale = ""
        if isinstance(self.errors, Link) and base is None:
            scale = ", formed on the scale of the link and transformed"
        new = " These intervals take residuals as normal." if interval == "new" else ""
        of = "units" if model == "between" else "rows"
        return (
            f"From {spec['formula']} ({model}), fitted to {fitted.stats['n']} {of}, we predicted "
            f"{what}, with {100 * level:g}% intervals from {errors}{scale}"
            f"{_said(given.shown, None if base is None else base.shown, numbers)}.{new}"
        )


def _no_means(inputs: Inputs) -> ColumnError:
    example = ", ".join(f"{n!r}: …" for n in inputs.asked_means)
    return ColumnError(
        f"at=: the slopes of {listing(inputs.asked_means)} within and between units are apart.",
        code="needs-unit-means",
        fix=f"Give unit_means={{{example}}} too, the unit's usual value.",
    )


def _said(values: pd.DataFrame, base: pd.DataFrame | None, numbers: pd.DataFrame) -> str:
    """Return the first predictions in words, what is the same for all of them first."""
    same = [c for c in values.columns if len(values) > 1 and values[c].nunique() == 1]
    if base is not None:
        same = [c for c in same if values[c].equals(base[c])]
    held = ", ".join(f"{c} = {_shown(values[c].iloc[0])}" for c in same)
    said = []
    found = numbers[["estimate", "conf_low", "conf_high"]].to_numpy(float)
    for i, (b, low, high) in enumerate(found[:6]):
        here = {c: _shown(values[c].iloc[i]) for c in values.columns if c not in same}
        if base is not None:
            old = {c: _shown(base[c].iloc[i]) for c in here}
            here = {c: v if v == old[c] else f"{v} against {old[c]}" for c, v in here.items()}
        place = ", ".join(f"{c} = {v}" for c, v in here.items())
        said.append(f"{f'at {place}, ' if place else ''}{b:.3g} ({interval_phrase(low, high)})")
    more = f"; and {len(numbers) - 6} more" if len(numbers) > 6 else ""
    return f"{f' (at {held} throughout)' if held else ''}: {'; '.join(said)}{more}"


def _t(df: Array, level: float) -> Array:
    return np.asarray(-special.stdtrit(df, (1 - level) / 2))


def _around(estimate: Array, se: Array, df: Array, level: float) -> pd.DataFrame:
    reach = _t(df, level) * se
    return _numbers(estimate, se, df, estimate - reach, estimate + reach)


def _numbers(estimate: Array, se: Array, df: Array, low: Array, high: Array) -> pd.DataFrame:
    found = {"std_error": se, "df": df, "conf_low": low, "conf_high": high}
    return tidy({}, {"estimate": estimate, **found})


def _shown(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _figure(
    result: Result,
    ax: Axes | None = None,
    *,
    outcome: str,
    columns: tuple[str, ...],
    observed: Mapping[str, tuple[float, float]],
    kind: str,
    **options: Any,
) -> Axes:
    """Draw predictions along the numeric column with most values, others as lines of their own."""
    label = {"mean": f"expected {outcome}", "difference": f"difference in {outcome}"}
    given: dict[str, Any] = {
        "y_label": label.get(kind, outcome),
        "title": f"Predictions: {result.title}",
        "note": (
            f"{100 * result.spec['conf_level']:g}% intervals of "
            + {"mean": "the expected outcome", "difference": "the difference"}.get(kind, kind)
        ),
        "observed": observed,
        "zero": kind == "difference",
    }
    return plotting.prediction(result.table, columns=columns, ax=ax, **(given | options))


# ---------------------------------------------------------------------- made from a fit


def predictor_of_least_squares(
    model: grammar.Formula, work: Work, fit: Fit, known: Estimates
) -> Predictor:
    """Return the predictor of a least-squares fit; ``known`` starts with its coefficients."""
    inputs = inputs_of(work.source, model, fit.columns, work.effects)
    residual, free = _observed_variance(work, fit)
    if isinstance(work.source, Moments) and not np.array_equal(work.source.w, work.source.n):
        residual = np.nan  # weights: observations differ in variance
    own, df, kept = None, np.nan, fit
    if work.vcov != "CR2":
        # of the centred model; where nothing tells a coefficient its variance is zero
        away = np.asarray(np.linalg.inv(fit.move), dtype=float)
        k = len(fit.beta)
        own, df = away @ known.covariance[:k, :k] @ away.T, float(known.df[0])
        if np.isnan(own).any():
            own, dfs = covariance_of(work, fit, work.vcov, away)
            own, df = np.nan_to_num(own), float(np.nanmax(dfs, initial=0.0))
        none = fit.scores[:0]
        kept = replace(fit, scores=none, by=Sums(fit.bread, np.zeros((0, *fit.bread.shape)), none))
    errors = LeastSquares(kept, own, df, residual, free)
    return Predictor(work.effects, model, fit.columns, fit.beta, inputs, errors)


def _observed_variance(work: Work, fit: Fit) -> tuple[float, float]:
    """Return the variance of a new observation about its expectation, and its df.

    With variance components it is their sum; its df are those of the two mean squares that they
    rest on, with the mean number of waves.
    """
    k = len(fit.beta)
    free = max(fit.n - k - work.taken_out, 1.0)
    if work.components is None:
        return fit.rss / free, free
    waves, within = fit.n / work.units, work.components.within
    other = work.components.between + (work.components.waves or 0.0)
    level, rest = within / waves + other, within * (1 - 1 / waves)
    across = sum(c.part == "between" for c in fit.columns) + 1
    across = k if across == 1 else across
    square = level**2 / max(work.units - across, 1) + rest**2 / max(fit.n - work.units - k, 1)
    return level + rest, (level + rest) ** 2 / square


def predictor_of_glm(
    rows: Rows, model: grammar.Formula, family: str, beta: Array, vcov: Array, df: float
) -> Predictor:
    """Return the predictor of a generalized linear model."""
    columns = (INTERCEPT, *rows.columns[1:])
    inputs = inputs_of(rows, model, columns, "pooled")
    errors = Link(vcov, df, family == "poisson")
    return Predictor(family, model, columns, beta, inputs, errors)
