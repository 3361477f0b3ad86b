"""Slopes corrected for measurement error in the predictors, beside the uncorrected ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from .. import formula as grammar
from .. import plotting
from ..errors import Caution, DataError, OptionError, check_level, listing, nearest
from ..moments import Moments
from ..panel import Panel
from ..panel.panel import as_panel
from ..results import Result, versions
from .inference import covariance_of, estimates, fit_work
from .levels import CONTEXT, level_of
from .linear import Fit
from .sampling_errors import (
    Rows,
    error_sums_of_panel,
    error_sums_of_people,
    known_errors,
    rows_of,
)
from .work import CONSTANT, Effects, Work, prepare

__all__ = ["errors_in_variables"]

Array = npt.NDArray[np.float64]
Given = pd.DataFrame | Mapping[str, Mapping[str, float]]
ACCEPTED: tuple[Effects, ...] = ("pooled", "between", "within", "two-way", "within-between")
VERSIONS = ("observed", "corrected")

# what is left without a cluster of a combination of coefficients that it decides alone
ALONE = 1e-10


def errors_in_variables(
    data: object,
    formula: str,
    *,
    reliability: Mapping[str, float] | None = None,
    error_covariance: Given | None = None,
    effects: Effects = "pooled",
    unit: str | None = None,
    wave: str | None = None,
    cluster: str | None = None,
    conf_level: float = 0.95,
) -> Result:
    r"""Regress with predictors that are measured with error of known or estimable size.

    With S the cross-products of the (transformed) predictors, s those with the outcome, and
    :math:`\Lambda, \lambda` their parts that are error,

    .. math:: \hat\beta = (S - \Lambda)^{-1} (s - \lambda)

    What is known of the errors decides :math:`\Lambda`:

    - ``reliability``: :math:`\Lambda_{jj} = (1 - \rho_j) S_{jj}`, errors unrelated;
    - ``error_covariance`` :math:`\Sigma`: :math:`\Lambda = d\,\Sigma`, d the rows less the means
      and effects that are taken out;
    - a Panel made of surveys: the cells' sampling variances, and the covariances of measures that
      the same people answered (:attr:`Panel.covariance`). An error covariance of outcome and
      predictor is in :math:`\lambda`;
    - rows of people (``unit=`` without ``wave=``), between units: people are a sample of those who
      could have answered for their unit, so the mean of its n people misses its true mean by
      an error of covariance :math:`\Sigma_W / n`, with :math:`\Sigma_W` that of people within
      units. The *observed* slope is that on manifest unit means, the *corrected* one that on latent
      ones (the multilevel latent covariate model).

    Parameters
    ----------
    data, formula, unit, wave, cluster
        As in :func:`eecx.regress`; errors are corrected of columns alone: products, powers, lags
        and categories count as free of error.
    reliability : mapping, optional
        ``{"engagement": 0.8}``: of the predictors as the model sees them: between units for
        ``effects="between"``, of change within units for ``"within"`` and ``"two-way"``. It
        replaces what a Panel or people tell of this predictor.
    error_covariance : DataFrame or mapping of mappings, optional
        ``{"a": {"a": 0.04, "b": 0.01}, "b": {"a": 0.01, "b": 0.05}}``: error variances and
        covariances of one value: of a row (pooled), of a unit's mean (between), of a unit × wave
        (within units, two-way). The outcome may be among them, for its covariances. It
        replaces what the data tell of these predictors; with others their errors are unrelated.
    effects : {"pooled", "between", "within", "two-way", "within-between"}
        ``"within-between"`` gives the slopes within and between units, each corrected by what the
        data tell of its own errors, and their difference, the contextual effect. Units count alike
        between units, however many rows they have.
    conf_level : float

    Returns
    -------
    Result
        ``.table``: per term and level a row ``observed`` and a row ``corrected``: the corrected
        slope never stands alone. Errors of corrected slopes are those of the jackknife by cluster
        (by row where there are no clusters), t with clusters less one. They carry the sampling of
        the errors that the data tell; what was given is taken as known.
        ``.tables["error_covariance"]``: the errors that were corrected, of one value.
        ``.stats``: the reliabilities they imply.

    Raises
    ------
    DataError
        Errors so large that nothing else is left of the predictors, or covariances that no errors
        can have.

    Notes
    -----
    Assumes that errors of measurement are unrelated to the true values and to the residuals; of
    people, that all units have one :math:`\Sigma_W` and that answers are drawn from many: where
    (nearly) all of a unit answered and only they count, manifest means are the better ones. With
    several predictors, correcting one moves the slopes of all, also away from zero or across it.
    In units of equal size the latent slope is that of restricted maximum likelihood of the
    two-level model; in others it is consistent, not the most precise. With a low reliability or few
    units a corrected slope is far from normal, and its interval too short.

    References
    ----------
    Lüdtke, O., Marsh, H. W., Robitzsch, A., Trautwein, U., Asparouhov, T., & Muthén, B. (2008).
    The multilevel latent covariate model: a new, more reliable approach to group-level effects in
    contextual studies. Psychological Methods, 13(3), 203-229. https://doi.org/10.1037/a0012869

    Examples
    --------
    >>> import eecx
    >>> table = eecx.Moments.from_correlations([[1, 0.4], [0.4, 1]], n=100, names=["cx", "ex"])
    >>> found = eecx.errors_in_variables(table, "cx ~ ex", reliability={"ex": 0.8})
    >>> found.table["estimate"].round(3).tolist()
    [0.4, 0.5]
    """
    check_level(conf_level)
    if effects not in ACCEPTED:
        raise OptionError(f"effects={effects!r}: accepted are {listing(ACCEPTED)}.")
    for option, name in (("unit", unit), ("wave", wave), ("cluster", cluster)):
        if name is not None and not isinstance(name, str):
            raise OptionError(f"{option}={name!r}: the name of one column.")
    model = grammar.parse(formula)
    given = _given(reliability, error_covariance, effects)
    source = data
    if unit is not None and not isinstance(data, Panel | Moments):
        columns = [*model.columns, *([cluster] if cluster and cluster not in (unit, wave) else [])]
        source = as_panel(data, columns, unit=unit, wave=wave)
        unit = wave = None
    panel = source if isinstance(source, Panel) else None
    if effects == "within-between" and panel is None:
        raise OptionError(
            "effects='within-between' needs the rows: a Panel, or a data frame with unit=."
        )
    parts: tuple[Effects, ...] = (
        ("within", "between") if effects == "within-between" else (effects,)
    )
    levels, cautions = [], []
    for part in parts:
        work = prepare(source, model, part, unit=unit, wave=wave, cluster=cluster, vcov=None)
        rows = None if panel is None else rows_of(panel, model, work)
        if len(parts) > 1:
            work = _varying(work)
        level, found = _level(work, panel, rows, given)
        levels.append(level)
        cautions += [c for c in found if c not in cautions]
    if all(level.error is None for level in levels):
        raise OptionError(
            "No reliability is known: give reliability={'engagement': 0.8} or error_covariance=, a "
            "Panel made of surveys, or rows of people with unit= and effects='between'."
        )
    if levels[-1].work.vcov == "CR2" and (clusters := len(levels[-1].moved)) < 20:
        message = f"{clusters} clusters are few: the intervals of corrected slopes are rough."
        cautions.append(Caution("few-clusters", message, str(levels[-1].work.cluster)))
    if panel is not None and (
        shared := panel.shared_source(model.columns, model.response.columns[0])
    ):
        cautions.append(shared)
    if panel is not None:
        told = {name for level in levels for name in level.reliability}
        cautions += _free_of_error(panel, model, told)
    table = _table(levels, conf_level)
    last = levels[-1]
    known = {
        f"{name} ({level.words})" if len(levels) > 1 else name: value
        for level in levels
        for name, value in level.reliability.items()
    }
    said = "; ".join(
        f"{one['term']}{', ' + one['level'] if len(levels) > 1 else ''}: observed "
        f"{one['estimate']:.3g}, corrected {two['estimate']:.3g}"
        for one, two in zip(
            table.iloc[::2].to_dict("records"), table.iloc[1::2].to_dict("records"), strict=True
        )
    )
    source_of = "taken as known"
    if last.told and panel is not None:
        source_of = (
            "told by the differences among people within units, so that corrected slopes between "
            "units are those on latent unit means"
            if _of_people(panel)
            else "told by the sampling variances of units' scores"
        )
    return Result(
        "errors_in_variables",
        table,
        {
            "formula": formula,
            "effects": effects,
            "reliability": known,
            "error_covariance": given.covariance.to_dict(),
            "cluster": last.work.cluster,
            "conf_level": conf_level,
            "data": last.work.fingerprint,
            "versions": versions(),
        },
        {
            "n": int(levels[0].fit.n),
            "units": last.work.units or None,
            "clusters": len(last.moved),
            **{f"reliability of {k}": v for k, v in known.items()},
        },
        f"Slopes of {formula} were corrected for measurement error with reliabilities "
        f"{_said(known)}, {source_of}: {said}.",
        tables={
            "error_covariance": pd.concat([e.shown_errors() for e in levels], ignore_index=True)
        },
        warnings=tuple(cautions),
        figure=_figure,
    )


# ---------------------------------------------------------------------- what is given


@dataclass(frozen=True)
class _Given:
    """What the user says of errors: reliabilities, and covariances with names on both sides."""

    reliability: Mapping[str, float]
    covariance: pd.DataFrame

    @property
    def names(self) -> set[str]:
        return {*self.reliability, *self.covariance.columns}

    def require(self, work: Work) -> None:
        for what, names, accepted in (
            ("reliability", self.reliability, work.terms),
            ("error_covariance", self.covariance.columns, (*work.terms, work.y)),
        ):
            for name in names:
                if name not in accepted:
                    raise OptionError(
                        f"{what} names {name!r}, which is no term.{nearest(name, work.terms)}"
                    )


def _given(
    reliability: Mapping[str, float] | None, covariance: Given | None, effects: Effects
) -> _Given:
    if not isinstance(reliability, Mapping | None):
        raise OptionError(f"reliability={reliability!r:.60}: by name, as {{'engagement': 0.8}}.")
    for name, value in (reliability or {}).items():
        if isinstance(value, bool) or not (isinstance(value, Real) and 0 < value <= 1):
            raise OptionError(f"reliability of {name!r} is {value!r}: above 0 and at most 1.")
    table = pd.DataFrame() if covariance is None else _square(covariance)
    if both := set(reliability or {}) & set(table.columns):
        raise OptionError(
            f"{listing(sorted(both))} is in reliability and in error_covariance: give one of them."
        )
    found = _Given(dict(reliability or {}), table)
    if effects == "within-between" and found.names:
        raise OptionError(
            "effects='within-between' takes the errors of each level from the data. With given "
            "reliabilities, which differ by level, take effects='within' and 'between' by turns."
        )
    return found


def _square(given: Given) -> pd.DataFrame:
    """Return given error covariances in one order; refuse what no covariances can be."""
    try:
        table = pd.DataFrame(given).astype(float)
    except (TypeError, ValueError) as error:
        raise OptionError(
            "error_covariance is a DataFrame of numbers, or a mapping such as "
            "{'a': {'a': 0.04, 'b': 0.01}, 'b': {'a': 0.01, 'b': 0.05}}."
        ) from error
    names = list(table.columns)
    if set(names) != set(table.index) or len(names) != len(table.index):
        raise OptionError(
            f"error_covariance has the columns {listing(names)} and the rows "
            f"{listing(table.index)}: the same names are needed."
        )
    table = table.loc[names]
    values = table.to_numpy()
    if not len(values) or not np.isfinite(values).all():
        raise OptionError("error_covariance lacks numbers: a variance or covariance of each pair.")
    wrong = np.abs(values - values.T) > 1e-9 * np.abs(values).max()
    if wrong.any():
        i, j = np.argwhere(wrong)[0]
        raise OptionError(
            f"error_covariance of {names[i]!r} and {names[j]!r} is {values[i, j]:g} one way and "
            f"{values[j, i]:g} the other: give the same number twice."
        )
    if (np.diag(values) < 0).any():
        raise OptionError("error_covariance holds a negative variance.")
    _refuse_covariances(values, names)
    return table


# ---------------------------------------------------------------------- one level


@dataclass(frozen=True, eq=False)
class _Level:
    """The observed and the corrected slopes of one level, with what their errors need.

    ``error`` is that of the terms and the outcome together, per value, or None if none is known.
    ``moved`` (G, k) is how far the corrected coefficients move when a cluster is left out.
    """

    work: Work
    fit: Fit
    words: str
    reliability: Mapping[str, float]
    error: Array | None
    told: bool
    corrected: Array
    moved: Array
    covariance: Array

    @property
    def shown(self) -> list[int]:
        """Places of the terms among the coefficients."""
        return [i for i, n in enumerate(self.fit.names) if n in self.work.terms]

    def shown_errors(self) -> pd.DataFrame:
        """Return the errors of one value as rows, each pair once."""
        names = [*self.fit.names, self.work.y]
        rows = []
        error = np.zeros((len(names),) * 2) if self.error is None else self.error
        for i, one in enumerate(names):
            for j in range(i, len(names)):
                if error[i, j]:
                    rows.append((one, names[j], self.words, error[i, j]))
        return pd.DataFrame(rows, columns=["term", "with_term", "level", "error_covariance"])


def _varying(work: Work) -> Work:
    """Keep the terms that vary at this level."""
    spread = np.diag(work.cells.select([work.y, *work.terms]).collapse().cross[0])[1:]
    noise = float(work.cells.n.sum()) * (1e-14 * work.size[1 : 1 + len(work.terms)]) ** 2
    kept = tuple(n for n, s, e in zip(work.terms, spread, noise, strict=True) if s > e)
    if not kept:
        raise DataError(f"No term varies {level_of(work.effects, work.waves)}.")
    return work.with_equation(work.y, kept)


def _level(
    work: Work, panel: Panel | None, rows: Rows | None, given: _Given
) -> tuple[_Level, list[Caution]]:
    fit = fit_work(work)
    names, k = list(fit.names), len(fit.names)
    whole = fit.cross.sum(axis=0)
    given.require(work)
    words = level_of(work.effects, work.waves)
    taken = [i for i, n in enumerate(names) if n in work.nuisance or n == CONSTANT]
    net = _net(whole, taken)
    weight = float(work.cells.w.sum()) / fit.n
    values = (fit.n - len(taken) - work.absorbed) * weight
    fixed = _fixed(given, [*names, work.y], net, values)
    told, cautions = _told(work, panel, rows, given, names)
    share = work.cells.w / work.cells.w.sum()
    parts = share[:, None, None] * fixed + told
    error = parts.sum(axis=0)
    reliability = {
        names[j]: 1 - float(error[j, j] / net[j])
        for j in range(k)
        if names[j] in given.names or error[j, j] > 0
    }
    _refuse(error[:k, :k], whole, names, reliability, words)
    for name, value in reliability.items():
        if value < 0.3 and name not in given.names:
            message = (
                f"The reliability of {name!r}, {words}, is {value:.2f}: the corrected slopes rest "
                "on little, and their intervals are rough."
            )
            cautions.append(Caution("low-reliability", message, name))
    observed = np.linalg.solve(fit.move, fit.beta)  # of the centred model
    left = whole - error[:k, :k]
    corrected = np.linalg.solve(left, whole @ observed - error[:k, k])
    # cluster g's part of the estimating equations: s_g - S_g b, less its part of the error in them
    pull = fit.scores + np.einsum("gij,j->gi", fit.cross, observed - corrected)
    pull = pull - parts[:, :k, k] + parts[:, :k, :k] @ corrected
    inverse = np.linalg.inv(left)
    moved = _left_out(inverse, fit.cross - parts[:, :k, :k], pull) @ fit.move.T
    covariance = moved.T @ moved
    normal = work.vcov == "classical" or len(pull) <= 2
    if np.isnan(moved).any() and not normal:
        message = (
            f"Without one of the clusters nothing but error is left of the terms, {words}: the "
            "errors of their corrected slopes cannot be told."
        )
        cautions.append(Caution("one-cluster", message, words))
    if normal:
        off = error[:k, :k] @ corrected - error[:k, k]
        gap = observed - corrected
        meat = whole * ((fit.rss + gap @ whole @ gap) / fit.n) + np.outer(off, off) / fit.n
        # of normal variables: S var(y - x b) + n cov(x, y - x b) cov(x, y - x b)'
        covariance = fit.move @ inverse @ meat @ inverse @ fit.move.T
    if not error.any():
        covariance = covariance_of(work, fit, work.vcov)[0]
    level = _Level(
        work,
        fit,
        words,
        reliability,
        error / values if error.any() or reliability else None,
        bool(told.any()),
        fit.move @ corrected,
        moved,
        covariance,
    )
    return level, cautions


def _net(whole: Array, taken: Sequence[int]) -> Array:
    """Return what varies of each column net of the intercept and wave effects."""
    own = np.diag(whole).copy()
    if taken:
        block = whole[np.ix_(taken, taken)]
        own -= np.einsum("ij,ij->j", whole[taken], np.linalg.solve(block, whole[taken]))
    return own


def _fixed(given: _Given, columns: list[str], net: Array, values: float) -> Array:
    """Return the error in the cross-products that what was given makes."""
    error = np.zeros((len(columns), len(columns)))
    for name, value in given.reliability.items():
        j = columns.index(name)
        error[j, j] = (1 - value) * net[j]
    at = [columns.index(n) for n in given.covariance.columns]
    error[np.ix_(at, at)] = values * given.covariance.to_numpy(float).reshape(len(at), len(at))
    return error


def _told(
    work: Work, panel: Panel | None, rows: Rows | None, given: _Given, names: list[str]
) -> tuple[Array, list[Caution]]:
    """Return the error in the cross-products that the data tell, cluster by cluster."""
    k = len(names)
    out = np.zeros((len(work.cells.w), k + 1, k + 1))
    if panel is None or rows is None:
        return out, []
    people = _of_people(panel)
    open_ = [n for n in work.terms if n not in given.names]
    if people and work.effects != "between":
        return out, []
    cautions: list[Caution] = []
    if people:
        # the outcome comes first among the columns of the rows, then all terms of the formula
        every = [n for n in work.cells.terms if n not in work.nuisance]
        sums = error_sums_of_people(rows, [*(every.index(n) for n in open_), 0])
    else:
        open_ = known_errors(panel, open_, rows)
        sums, cautions = error_sums_of_panel(panel, rows, open_, work.y, work.effects)
    at = [*(names.index(n) for n in open_), k]
    sums[:, -1, -1] = 0.0  # the outcome's own error biases no slope
    if work.y in given.names:
        sums[:, -1, :] = sums[:, :, -1] = 0.0
    out[:, np.array(at)[:, None], at] = sums
    return out, cautions


def _of_people(panel: Panel) -> bool:
    """Whether units have several rows that are no waves."""
    return panel.wave is None and bool(panel.frame[panel.unit].duplicated().any())


def _free_of_error(panel: Panel, model: grammar.Formula, known: set[str]) -> list[Caution]:
    """Return a caution for each term of a survey's measures whose error is not corrected."""
    found = []
    for term in model.terms:
        columns = [f.column for f in term.factors]
        name = columns[0] if term == grammar.Term((grammar.Name(columns[0]),)) else term.label
        if name not in known and set(columns) & set(panel.variance.columns):
            message = (
                f"{name!r} counts as free of error: how much of it is error is not known here. "
                "reliability= takes it."
            )
            found.append(Caution("unknown-reliability", message, name))
    return found


def _left_out(bread: Array, cross: Array, scores: Array) -> Array:
    r"""Return how far the coefficients move when each cluster is left out, shape (G, k).

    With :math:`A_g, u_g` a cluster's part of the estimating equations' matrix and of the equations
    themselves, :math:`(A - A_g)^{-1} u_g` (as CR3). Where the cluster alone decides a combination
    of coefficients, nothing tells how it moves; NaN where no solution is left without it.
    """
    root = np.linalg.cholesky(bread)
    hat = root.T @ cross @ root
    values, vectors = np.linalg.eigh((hat + np.swapaxes(hat, 1, 2)) / 2)
    left = 1.0 - values
    score = (np.swapaxes(vectors, 1, 2) @ (scores @ root)[:, :, None])[:, :, 0]
    told = left >= ALONE
    moved = vectors @ np.where(told, score / np.where(told, left, 1.0), 0.0)[:, :, None]
    moved[(left < -ALONE).any(axis=1)] = np.nan
    return np.asarray(moved[:, :, 0] @ root.T)


def _refuse(
    error: Array, whole: Array, names: list[str], reliability: Mapping[str, float], words: str
) -> None:
    """Refuse errors that no errors can be, or beside which nothing is left."""
    for name, value in reliability.items():
        if value <= 0:
            raise DataError(
                f"{name!r} varies no more, {words}, than its error of measurement would make it: "
                "nothing is left to correct."
            )
    _refuse_covariances(error, list(reliability))
    scale = np.sqrt(np.diag(whole))
    if np.linalg.eigvalsh((whole - error) / np.outer(scale, scale))[0] <= 1e-8:
        raise DataError(
            f"With reliabilities {_said(reliability)} nothing but error is left of the terms "
            "together: their slopes cannot be corrected."
        )


def _refuse_covariances(error: Array, names: Sequence[str]) -> None:
    own = np.sqrt(np.diag(error))
    own = np.where(own > 0, own, 1.0)
    if np.linalg.eigvalsh(error / np.outer(own, own))[0] < -1e-8:
        raise DataError(
            f"The error covariances of {listing(names)} are larger than their variances allow: "
            "no errors can be related like that."
        )


# ---------------------------------------------------------------------- what is shown


def _table(levels: Sequence[_Level], conf_level: float) -> pd.DataFrame:
    """Return a row ``observed`` and a row ``corrected`` of each term at each level."""
    rows = []
    for level in levels:
        own, df = covariance_of(level.work, level.fit, level.work.vcov)
        after = _freedom(level, df)
        one = estimates(level.fit.beta, np.sqrt(np.diag(own)), df, conf_level)
        two = estimates(level.corrected, np.sqrt(np.diag(level.covariance)), after, conf_level)
        rows += [
            {"term": level.fit.names[i], "level": level.words, "version": version}
            | {k: float(c[i]) for k, c in columns.items()}
            for i in level.shown
            for version, columns in zip(VERSIONS, (one, two), strict=True)
        ]
    if len(levels) > 1:
        rows += _contextual(levels, conf_level)
    return pd.DataFrame(rows)


def _freedom(level: _Level, observed: Array) -> Array:
    if level.error is None or not level.error.any():
        return observed
    g, k = level.moved.shape
    return np.full(k, g - 1.0 if g > 2 else level.fit.n - k)


def _contextual(levels: Sequence[_Level], conf_level: float) -> list[dict[str, Any]]:
    """Return slopes between less slopes within units: leaving out a cluster moves both."""
    within, between = levels
    before = [
        _left_out(e.fit.bread, e.fit.cross, e.fit.scores) @ e.fit.move.T for e in (within, between)
    ]
    rows = []
    for j in between.shown:
        name = between.fit.names[j]
        if name not in within.fit.names:
            continue
        i = within.fit.names.index(name)
        for version, one, other, moved in (
            ("observed", within.fit.beta, between.fit.beta, before),
            ("corrected", within.corrected, between.corrected, [within.moved, between.moved]),
        ):
            gap = moved[1][:, j] - moved[0][:, i]
            se, df = np.sqrt(np.array([gap @ gap])), np.array([len(gap) - 1.0])
            columns = estimates(np.array([other[j] - one[i]]), se, df, conf_level)
            rows.append(
                {"term": name, "level": CONTEXT, "version": version}
                | {k: float(c[0]) for k, c in columns.items()}
            )
    return rows


def _said(known: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.2f}" for name, value in known.items())


def _figure(result: Result, ax: Any = None, **options: Any) -> Any:
    rows = result.table
    several = rows["level"].nunique() > 1
    table = pd.DataFrame(
        {
            "term": rows["term"] + (", " + rows["level"] if several else ""),
            "group": rows["version"],
            **{c: rows[c] for c in ("estimate", "conf_low", "conf_high")},
        }
    ).dropna()
    given = {
        "title": f"Slopes, observed and corrected: {result.spec['formula']}",
        "caption": f"Reliabilities: {_said(result.spec['reliability'])}.",
    }
    return plotting.coefficients(table, ax=ax, **(given | options))
