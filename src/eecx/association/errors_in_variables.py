"""Slopes corrected for measurement error in the predictors, beside the uncorrected ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from .. import formula as grammar
from .. import options, plotting
from ..errors import Caution, OptionError
from ..models.capabilities import Asked, Effects, Rule, Uses
from ..models.clusters import cluster_names, names_of
from ..models.inference import covariance_of, estimates, estimates_of
from ..models.joint import combined, stacked
from ..models.levels import CONTEXT
from ..models.prepare import prepare
from ..panel import Panel
from ..results import Result, interval_phrase, recorded
from ..sources import unit_waves
from .corrected_slopes import Level, corrected_level, of_people, said, varying
from .given_errors import Given, given_errors
from .sampling_errors import rows_of

__all__ = ["errors_in_variables"]

Array = npt.NDArray[np.float64]
USES = Uses(
    "errors_in_variables",
    effects=("pooled", "between", "within", "two-way", "within-between"),
    clusters=1,
    instead={
        "random": "Take effects='within-between', which keeps its two slopes apart.",
        "random-two-way": "Take effects='within-between', which keeps its two slopes apart.",
        "mixed": "Take effects='within-between'.",
        "first-difference": "Take effects='within', or effects='two-way'.",
    },
    rules=tuple(
        Rule(
            f"parts-{need}",
            "`effects='within-between'`",
            lambda a: a.effects == "within-between",
            "effects='within-between' needs the rows of units.",
            "Give a Panel, or a data frame with unit=.",
            needs=need,
        )
        for need in ("rows", "units")
    ),
)
VERSIONS = ("observed", "corrected")


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
        ``.tables["reliability"]``: the reliabilities they imply.

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
    arguments = dict(locals())
    options.conf_level(conf_level)
    source = unit_waves(data, "errors_in_variables", unit=unit, wave=wave)
    clusters = cluster_names(cluster, 1)
    own = (source.unit, source.wave)
    asked = Asked(effects, None, clusters, unit=own[0], wave=own[1], source=source.kind)
    cluster = next(iter(clusters), None)
    USES.judge(asked)
    USES.judge_data(asked, source.known)
    model = grammar.parse(formula)
    given = given_errors(reliability, error_covariance, effects)
    if source.own_units and source.sums is None:
        columns = [*model.columns, *([cluster] if cluster and cluster not in own else [])]
        source = source.made_into(source.as_panel(columns, names=names_of(model, clusters)))
    panel = source.panel
    parts: tuple[Effects, ...] = (
        ("within", "between") if effects == "within-between" else (effects,)
    )
    levels, cautions = [], []
    for part in parts:
        work = prepare(source, model, part, cluster=cluster, sums=True)
        rows = None if panel is None else rows_of(panel, model, work)
        if len(parts) > 1:
            work = varying(work)
        level, found = corrected_level(work, panel, rows, given)
        levels.append(level)
        cautions += [c for c in found if c not in cautions]
    if all(level.error is None for level in levels):
        raise OptionError(
            "No reliability is known.",
            code="no-reliability",
            fix="Give reliability={'engagement': 0.8} or error_covariance=, a Panel made of "
            "surveys, or rows of people with unit= and effects='between'.",
        )
    cautions += _cautions(levels, panel, model)
    table = _table(levels, conf_level)
    last = levels[-1]
    known = _known(levels)
    return Result(
        "errors_in_variables",
        table,
        recorded(
            errors_in_variables,
            arguments,
            data=source.fingerprint,
            reliability=known,
            error_covariance=given.covariance,
            cluster=last.work.cluster,
        ),
        {
            "n": int(levels[0].fit.n),
            "units": last.work.units or None,
            "waves": last.work.waves or None,
            "clusters": None if last.work.cluster is None else len(last.moved),
            "left_out": last.work.left_out,
        },
        f"Slopes of {formula} ({effects}; n = {levels[0].fit.n:.0f}) were corrected for "
        f"measurement error with reliabilities {said(known)}, {_source(last, panel)}: "
        f"{_slopes(table, len(levels) > 1)} ({100 * conf_level:g}% intervals, {_errors(last)}).",
        tables={
            "error_covariance": pd.concat([e.shown_errors() for e in levels], ignore_index=True),
            "reliability": pd.DataFrame(
                [
                    (term, level.words, value)
                    for level in levels
                    for term, value in level.reliability.items()
                ],
                columns=["term", "level", "reliability"],
            ),
        },
        warnings=tuple(cautions),
        figure=partial(_figure, reliabilities=said(known)),
        title=formula,
    )


def _cautions(
    levels: Sequence[Level], panel: Panel | None, model: grammar.Formula
) -> list[Caution]:
    """Return what is doubtful of all levels together, and of the panel."""
    found = []
    last = levels[-1]
    if last.work.vcov == "CR2" and (clusters := len(last.moved)) < 20:
        message = f"{clusters} clusters are few: the intervals of corrected slopes are rough."
        found.append(Caution("few-clusters", message, str(last.work.cluster)))
    if panel is None:
        return found
    if shared := panel.shared_source(model.columns, model.response.columns[0]):
        found.append(shared)
    told = {name for level in levels for name in level.reliability}
    return found + _free_of_error(panel, model, told)


def _free_of_error(panel: Panel, model: grammar.Formula, known: set[str]) -> list[Caution]:
    """Return a caution for each term of a survey's measures whose error is not corrected."""
    found = []
    for term in model.terms:
        columns = [f.column for f in term.factors]
        name = columns[0] if term == grammar.Term((grammar.Name(columns[0]),)) else term.label
        if name not in known and set(columns) & set(panel.variance.columns):
            message = (
                f"{name!r} counts as free of error: how much of it is error is not known here."
            )
            fix = "reliability= takes it."
            found.append(Caution("unknown-reliability", message, name, fix=fix))
    return found


def _known(levels: Sequence[Level]) -> dict[str, float]:
    """Return the reliabilities of all levels by name."""
    return {
        f"{name} ({level.words})" if len(levels) > 1 else name: value
        for level in levels
        for name, value in level.reliability.items()
    }


def _source(level: Level, panel: Panel | None) -> str:
    """Return in words where the reliabilities come from."""
    if panel is None or not level.told:
        return "taken as known"
    if of_people(panel):
        return (
            "told by the differences among people within units, so that corrected slopes between "
            "units are those on latent unit means"
        )
    return "told by the sampling variances of units' scores"


def _slopes(table: pd.DataFrame, several: bool) -> str:
    """Return observed and corrected slopes in words; levels are named where there are several."""
    observed, corrected = (table.iloc[i::2].to_dict("records") for i in (0, 1))

    def told(row: Mapping[Any, Any]) -> str:
        return f"{row['estimate']:.3g} ({interval_phrase(row['conf_low'], row['conf_high'])})"

    return "; ".join(
        f"{one['term']}{', ' + one['level'] if several else ''}: observed {told(one)}, corrected "
        f"{told(two)}"
        for one, two in zip(observed, corrected, strict=True)
    )


def _errors(level: Level) -> str:
    """Return in words what the intervals rest on."""
    work = level.work
    if work.vcov == "classical":
        return "classical errors"
    by = "" if work.cluster is None else f" by {work.cluster}"
    return f"{work.vcov} errors{by}, of corrected slopes the jackknife"


def _table(levels: Sequence[Level], conf_level: float) -> pd.DataFrame:
    """Return a row ``observed`` and a row ``corrected`` of each term at each level."""
    rows = []
    for level in levels:
        own, df = covariance_of(level.work, level.fit, level.work.vcov)
        after = _freedom(level, df)
        one = estimates(level.fit.beta, np.sqrt(np.diag(own)), df, conf_level)
        two = estimates(level.corrected, np.sqrt(np.diag(level.covariance)), after, conf_level)
        rows += [
            {"term": level.fit.columns[i].name, "level": level.words, "version": version}
            | {k: float(c[i]) for k, c in columns.items()}
            for i in level.shown
            for version, columns in zip(VERSIONS, (one, two), strict=True)
        ]
    if len(levels) > 1:
        rows += _contextual(levels, conf_level)
    return pd.DataFrame(rows)


def _freedom(level: Level, observed: Array) -> Array:
    if level.error is None or not level.error.any():
        return observed
    k = level.moved.shape[1]
    # a cluster that moves nothing, such as a unit of one wave within units, tells nothing
    g = int((level.moved != 0).any(axis=1).sum())
    return np.full(k, g - 1.0 if g > 2 else level.fit.n - k)


def _contextual(levels: Sequence[Level], conf_level: float) -> list[dict[str, Any]]:
    """Return slopes between less slopes within units: leaving out a cluster moves both."""
    within, between = levels
    observed = [estimates_of(e.work, e.fit, "CR3") for e in levels]
    corrected = [e.jackknifed for e in levels]
    rows = []
    for j in between.shown:
        column = between.fit.columns[j]
        if column not in within.fit.columns:
            continue
        i = within.fit.columns.index(column)
        for version, both in zip(VERSIONS, (observed, corrected), strict=True):
            less = np.zeros((1, sum(len(e.values) for e in both)))
            less[0, i], less[0, len(both[0].values) + j] = -1.0, 1.0
            gap = combined(stacked(*both), less)
            columns = estimates(gap.values, np.sqrt(gap.covariance[0]), gap.df, conf_level)
            rows.append(
                {"term": column.name, "level": CONTEXT, "version": version}
                | {k: float(c[0]) for k, c in columns.items()}
            )
    return rows


def _figure(result: Result, ax: Any = None, *, reliabilities: str, **options: Any) -> Any:
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
        "caption": f"Reliabilities: {reliabilities}.",
    }
    return plotting.coefficients(table, ax=ax, **(given | options))
