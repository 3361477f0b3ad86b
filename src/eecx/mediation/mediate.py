"""Simple and parallel mediation: what part of a slope runs through which mediator."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import linalg, special

from .. import formula as grammar
from .. import options, plotting
from ..errors import Caution, DataError, OptionError, listing
from ..models.capabilities import Asked, Effects, Uses, Vcov
from ..models.clusters import cluster_names
from ..models.columns import Column
from ..models.inference import covariance_of, estimates, fit_work
from ..models.joint import combined, function
from ..models.least_squares import COLLINEAR
from ..models.levels import level_of
from ..models.prepare import prepare
from ..models.work import Work
from ..moments import triangle
from ..resampling import bootstrap_p, percentile_interval, resampled_sums
from ..results import Estimates, Result, interval_phrase, labels, recorded
from ..sources import Source, unit_waves
from .product_normal import product_normal_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["mediate"]

Array = npt.NDArray[np.float64]
Names = Sequence[str] | str

ONE_BY_ONE = "Take effects='between' and effects='within', one after the other."
WEIGHED = f"Random effects weigh slopes between and within units together. {ONE_BY_ONE}"
USES = Uses(
    "mediate",
    effects=("pooled", "between", "within", "two-way"),
    vcov=("classical", "HC1", "CR1", "CR2"),
    clusters=1,
    instead={
        "random": WEIGHED,
        "random-two-way": WEIGHED,
        "within-between": ONE_BY_ONE,
        "mixed": ONE_BY_ONE,
        "first-difference": "Take effects='within', or effects='two-way'.",
        "clusters": "Name the one whose rows are related; effects='two-way' takes out what all "
        "units share in a wave.",
    },
)


def mediate(
    data: object,
    x: str,
    m: Names,
    y: str,
    *,
    covariates: Names = (),
    effects: Effects = "pooled",
    unit: str | None = None,
    wave: str | None = None,
    cluster: str | None = None,
    vcov: Vcov | None = None,
    draws: int = 5000,
    conf_level: float = 0.95,
    rng: int | np.random.Generator | None = 0,
) -> Result:
    r"""Split the slope of y on x into a direct part and parts through mediators.

    For mediators :math:`m_1 … m_J` side by side (parallel) and covariates c,

    .. math::

        m_j &= i_j + a_j x + c'd_j + e_j \\
        y &= i_y + c' x + \sum_j b_j m_j + c'd_y + e_y

    the indirect effect through :math:`m_j` is :math:`a_j b_j`, the direct effect :math:`c'`, and
    the total effect :math:`c = c' + \sum_j a_j b_j`, exactly. Indirect effects get percentile
    intervals of a bootstrap that resamples clusters: weights times per-cluster sums, no refits.

    These are associations. They are effects only if nothing unmeasured lies behind x and m, x
    and y, m and y, and if the causes come first. **A mediation within one wave is no evidence for
    a mechanism**; the result says so.

    Parameters
    ----------
    data : Panel, data frame or Moments
        Without ``unit`` every row of a frame is its own cluster. Moments need the cluster among
        their keys.
    x, y : str
    m : str or sequence of str
        One or several parallel mediators. All may be terms, such as ``"lag(engagement)"``.
    covariates : sequence of str
        Terms that go into every equation.
    effects : {"pooled", "between", "within", "two-way"}
        As in :func:`eecx.regress`.
    unit, wave, cluster :
        As in :func:`eecx.regress`, clusters of one kind: the bootstrap resamples them.
    vcov : {"CR2", "CR1", "HC1", "classical"}, optional
        Errors of the paths: CR2 by default; classical without clusters.
    draws : int
        Bootstrap draws, at least as many as the limits need (39 at 95%).
    conf_level : float
    rng : int, numpy.random.Generator or None
        Seed of the draws; None draws anew each time.

    Returns
    -------
    Result
        ``.table``: ``effect, mediator, level, estimate, …, interval``. Paths and the direct and
        total effect have t intervals, indirect effects bootstrap intervals and p = 2(b+1)/(B+1).
        ``.tables["normal_theory"]``: Sobel, Aroian and Goodman errors, the product-of-normals
        interval and the joint-significance p per mediator; ``.tables["size"]``: partially and
        completely standardised indirect effects, and the proportion mediated.

    Raises
    ------
    ColumnError, DataError, OptionError
        As in :func:`eecx.regress`; a name in two roles; fewer than 3 clusters.

    References
    ----------
    MacKinnon, D. P., Lockwood, C. M., & Williams, J. (2004). Confidence limits for the indirect
    effect. Multivariate Behavioral Research, 39(1), 99–128.
    https://doi.org/10.1207/s15327906mbr3901_4

    Examples
    --------
    >>> import eecx
    >>> sim = eecx.simulate.panel(units=80, waves=5, rng=3,
    ...                           mediator=eecx.simulate.Mediator(a=0.5, b=0.6, lag=0))
    >>> panel = eecx.Panel.from_frame(sim.frame, unit="unit", wave="wave",
    ...                               employee=["ex", "m"], customer=["cx"])
    >>> found = eecx.mediate(panel, "ex", "m", "cx", effects="within", draws=500, rng=1)
    >>> found.table["effect"].tolist()
    ['a', 'b', 'direct', 'indirect', 'total']
    """
    arguments = dict(locals())
    source = unit_waves(data, "mediate", unit=unit, wave=wave)
    mediators, extra = _texts(m, "m"), _texts(covariates, "covariates")
    options.conf_level(conf_level)
    options.draws(draws, usual=5000, conf_level=conf_level)
    USES.accept(Asked(effects, vcov, cluster_names(cluster, 1)))
    if not mediators:
        raise OptionError(
            "mediate needs at least one mediator.",
            code="no-mediator",
            fix="Name it: m='engagement'.",
        )
    # any name of a column needs no backticks; terms of sums are written as formulas
    known = source.columns if source.sums is None else ()
    path = [_term(x, "x", known), *(_term(k, "m", known) for k in mediators), _term(y, "y", known)]
    others = [t for text in extra for t in _terms(text, known)]
    every = [*path, *others]
    if len(set(every)) < len(every):
        raise OptionError(
            "x, m, y and covariates must be distinct; given were "
            f"{listing([t.label for t in every])}.",
            code="same-measure",
            fix="Name every column in one role.",
        )
    clustered = source.own_units or cluster is not None
    vcov = vcov or ("CR2" if clustered else "classical")
    # the rows of the covariance's cells are what is resampled: keep them apart even if classical
    single = vcov in ("HC1", "classical") and not clustered
    keep: Vcov = "HC1" if single else "CR1" if vcov != "CR2" else "CR2"
    # y may itself be a lag, which a written formula does not allow on the left
    equation = grammar.Formula(path[-1], (*path[:-1], *others))
    work = prepare(source, equation, effects, cluster=cluster, vcov=keep, sums=True)
    j = 1 + len(mediators)
    model = _Model(work, work.terms[0], work.terms[1:j], work.y, work.terms[j:])
    return _analyse(model, source, arguments, vcov, path, others)


def _texts(given: Names, role: str) -> list[str]:
    if not isinstance(given, Iterable):
        raise OptionError(
            f"{role}={given!r}: the name of a column, or several names.",
            code="column-name",
            fix="Name the columns, as texts.",
        )
    return [given] if isinstance(given, str) else list(given)


@dataclass(frozen=True, eq=False)
class _Model:
    """The columns of a mediation in their roles."""

    work: Work
    x: Column
    m: tuple[Column, ...]
    y: Column
    covariates: tuple[Column, ...]

    @property
    def names(self) -> list[str]:
        """What the mediators are called."""
        return [c.name for c in self.m]

    def equation(self, response: Column, x: Sequence[Column]) -> Work:
        return self.work.with_equation(response, tuple(x))


def _terms(text: str, known: Container[str]) -> tuple[grammar.Term, ...]:
    """Read terms; a column may carry any name, and only what is no column is grammar."""
    if text in known or (isinstance(text, str) and not any(mark in text for mark in "`(:^*+")):
        return (grammar.Term((grammar.Name(text),)),)
    return grammar.parse_terms(text)


def _term(text: str, role: str, known: Container[str]) -> grammar.Term:
    """Read one column or lag."""
    found = _terms(text, known)
    single = len(found) == 1 and len(found[0].factors) == 1
    if not single or isinstance(found[0].factors[0], grammar.Category):
        raise OptionError(
            f"{role}={text!r}: one numeric column or lag, such as 'engagement' or "
            "'lag(engagement)'.",
            code="one-term",
            fix="Put what is more than that among the covariates.",
        )
    return found[0]


def _analyse(
    model: _Model,
    source: Source,
    arguments: Mapping[str, Any],
    vcov: Vcov,
    path: Sequence[grammar.Term],
    others: Sequence[grammar.Term],
) -> Result:
    work, draws, conf_level = model.work, int(arguments["draws"]), float(arguments["conf_level"])
    clusters = len(work.cells.keys)
    if clusters < 3:
        raise DataError(
            f"{clusters} clusters: a bootstrap needs at least 3, and 20 or more to be trusted.",
            code="too-few-clusters",
            fix="Name cluster=, a column of more groups.",
        )
    whole = replace(model, work=replace(work, cells=work.cells.collapse()))
    # classical errors know no clusters, so one cell will do
    parts = _paths(whole if vcov == "classical" else model, vcov, conf_level)
    sample, failed = _bootstrap(model, draws, options.rng(arguments["rng"]))
    if len(sample) < draws / 2:
        raise DataError(
            f"{failed} of {draws} bootstrap draws had no solution: {model.x!r} or a mediator "
            "hardly varies over clusters.",
            code="failed-draws",
            fix="Name columns that vary in more clusters.",
        )
    level = level_of(str(arguments["effects"]), work.waves)
    table = _table(model, parts, sample, conf_level, level)
    names = labels(table)
    cautions = [
        *_order(path),
        *source.shared_source([name for t in [*path, *others] for name in t.columns]),
        *_doubts(parts, clusters, failed, draws),
    ]
    statistics = {
        "n": int(work.cells.n.sum()),
        "units": work.units or None,
        "waves": work.waves or None,
        "clusters": clusters,
        "draws": draws,
        "left_out": work.left_out,
    }
    spec = recorded(
        mediate,
        arguments,
        data=work.fingerprint,
        x=model.x.name,
        m=model.names,
        y=model.y.name,
        covariates=[c.name for c in model.covariates],
        cluster=work.cluster,
        vcov=vcov,
    )
    return Result(
        "mediate",
        table,
        spec,
        statistics,
        _methods(model, table, statistics, conf_level),
        tables={
            "normal_theory": _normal_theory(model, parts, conf_level),
            "size": _size(whole, parts),
        },
        vcov=pd.DataFrame(np.cov(sample.T), index=names, columns=names),
        warnings=tuple(cautions),
        draws=pd.DataFrame(sample, columns=names),
        failed_draws=failed,
        references=("mackinnon2004",),
        figure=_figure,
        title=f"{model.x} → {', '.join(model.names)} → {model.y}",
    )


# ---------------------------------------------------------------------- paths


@dataclass(frozen=True, eq=False)
class _Paths:
    """Least-squares estimates: the rows a and b of each mediator, then direct, then total.

    ``a`` and ``b`` hold estimate, error and p per mediator, shape (mediators, 3).
    """

    effects: list[str]
    table: dict[str, Array]
    a: Array
    b: Array
    cov_a: Array | None
    cov_b: Array


def _paths(model: _Model, vcov: Vcov, conf_level: float) -> _Paths:
    found: list[tuple[Array, Array, Array]] = []

    def add(response: Column, x: Sequence[Column], keep: Sequence[Column]) -> Array:
        work = model.equation(response, x)
        fit = fit_work(work)
        covariance, df = covariance_of(work, fit, vcov)
        at = [fit.columns.index(k) for k in keep]
        own: Array = covariance[np.ix_(at, at)]
        found.append((fit.beta[at], np.sqrt(np.diag(own)), df[at]))
        return own

    base, j = [model.x, *model.covariates], len(model.m)
    for name in model.m:
        add(name, base, [model.x])
    cov = add(model.y, [model.x, *model.m, *model.covariates], [*model.m, model.x])
    add(model.y, base, [model.x])
    effects = [*["a"] * j, *["b"] * j, "direct", "total"]
    beta, se, df = (np.concatenate(column) for column in zip(*found, strict=True))
    table = estimates(beta, se, df, conf_level)
    cov_a = _classical_cov_a(model, base) if vcov == "classical" and j > 1 else None
    numbers = np.column_stack([table[c] for c in ("estimate", "std_error", "p_value")])
    return _Paths(effects, table, numbers[:j], numbers[j : 2 * j], cov_a, cov[:j, :j])


def _classical_cov_a(model: _Model, base: Sequence[Column]) -> Array:
    """Return the covariance of the a paths: residual covariance of mediators × bread of x."""
    fits = [fit_work(model.equation(name, base)) for name in model.m]
    at = fits[0].columns.index(model.x)
    wide = model.work.cells.select(
        [*[n for n in fits[0].columns if n in model.work.cells.terms], *model.m]
    )
    total = wide.collapse()
    cross = total.cross[0]
    k = len(wide.terms) - len(model.m)
    weights = np.zeros((len(model.m), len(wide.terms)))
    for j, fit in enumerate(fits):
        weights[j, :k] = [-fit.beta[fit.columns.index(n)] for n in wide.terms[:k]]
        weights[j, k + j] = 1.0
    residual = weights @ cross @ weights.T
    df = fits[0].n - len(fits[0].beta) - model.work.absorbed
    return np.asarray(residual / df * fits[0].bread[at, at], dtype=float)


# ---------------------------------------------------------------------- bootstrap


def _bootstrap(model: _Model, draws: int, rng: np.random.Generator) -> tuple[Array, int]:
    """Return draws of a, b, direct, indirect (each, total, contrasts) and total; how many failed.

    Wave effects that add nothing in a draw are left out of it, as they are of a fit.
    """
    work = model.work
    fitted = fit_work(work).columns if work.nuisance else ()
    dummies = [c for c in fitted if c.part == "wave"]
    base = [*dummies, model.x, *model.covariates]
    cells = work.cells.select([*base, *model.m, model.y])
    p, k, j, at = len(cells.terms), len(base), len(model.m), len(dummies)
    centre = cells.collapse().mean[0] if work.intercept else np.zeros(p)
    about = cells.about(centre)
    scale = np.sqrt(np.einsum("gii->i", about))
    i, h = triangle(p)
    parts = [about[:, i, h] / (scale[i] * scale[h])]
    if work.intercept:
        parts += [cells.w[:, None] * cells.away_from(centre) / scale, cells.w[:, None]]
    sums = resampled_sums(np.column_stack(parts), draws, rng).T
    cross = np.empty((p, p, draws))
    cross[i, h] = cross[h, i] = sums[: len(i)]
    if work.intercept:
        s = sums[len(i) : -1]
        cross -= s[:, None] * s / sums[-1]
    _eliminate(cross, range(at))
    # elimination of x and covariates leaves a and c; of the mediators too, b and c'
    usable = _eliminate(cross, range(at, k))
    total, a = cross[at, p - 1].copy(), cross[at, k : k + j].copy()
    usable &= _eliminate(cross, range(k, k + j))
    unit = scale[k:] / scale[at]
    total, direct = total[usable] * unit[j], cross[at, p - 1, usable] * unit[j]
    a = (a[:, usable] * unit[:j, None]).T
    b = (cross[k : k + j, p - 1][:, usable] * (scale[p - 1] / scale[k : k + j])[:, None]).T
    indirect = a * b
    columns = [a, b, direct[:, None], indirect]
    if j > 1:
        columns += [indirect.sum(axis=1, keepdims=True), _contrasts(indirect)]
    sample = np.column_stack([*columns, total])
    return sample, int(draws - usable.sum())


def _eliminate(cross: Array, pivots: Iterable[int]) -> npt.NDArray[np.bool_]:
    """Sweep cross-products (p, p, draws) of unit-size columns in place, one after another.

    Row j of the swept matrix then holds the slopes on predictor j. A predictor that is constant or
    determined by those before it is passed over; returns in which draws there was none.
    """
    usable = np.ones(cross.shape[-1], dtype=bool)
    for j in pivots:
        fine = cross[j, j] > COLLINEAR
        usable &= fine
        row = cross[j] / np.where(fine, cross[j, j], np.inf)
        column = cross[:, j].copy()
        column[j] = 0.0
        cross -= column[:, None] * row
        cross[j] = row
    return usable


def _contrasts(indirect: Array) -> Array:
    pairs = combinations(range(indirect.shape[1]), 2)
    return np.column_stack([indirect[:, g] - indirect[:, h] for g, h in pairs])


# ---------------------------------------------------------------------- tables


def _table(
    model: _Model, parts: _Paths, sample: Array, conf_level: float, level: str
) -> pd.DataFrame:
    j = len(model.m)
    through = parts.a[:, 0] * parts.b[:, 0]
    labels = [("indirect", name) for name in model.names]
    values = list(through)
    if j > 1:
        labels.append(("total indirect", ""))
        values.append(float(through.sum()))
        for g, h in combinations(range(j), 2):
            labels.append(("contrast", f"{model.names[g]} - {model.names[h]}"))
            values.append(float(through[g] - through[h]))
    drawn = sample[:, 2 * j + 1 : -1]
    low, high = percentile_interval(drawn, conf_level)
    unknown = np.full(len(labels), np.nan)
    indirect: dict[str, Sequence[object] | Array] = {
        "effect": [e for e, _ in labels],
        "mediator": [n for _, n in labels],
        "level": [level] * len(labels),
        "estimate": values,
        "std_error": drawn.std(axis=0, ddof=1),
        "statistic": unknown,
        "df": unknown,
        "p_value": bootstrap_p(drawn),
        "conf_low": low,
        "conf_high": high,
        "interval": ["bootstrap"] * len(labels),
    }
    paths: dict[str, Sequence[object] | Array] = {
        "effect": parts.effects,
        "mediator": [*model.names, *model.names, "", ""],
        "level": [level] * (2 * j + 2),
        **parts.table,
        "interval": ["t"] * (2 * j + 2),
    }
    # the total effect stands last
    return pd.DataFrame({c: [*paths[c][:-1], *indirect[c], paths[c][-1]] for c in indirect})


def _normal_theory(model: _Model, parts: _Paths, conf_level: float) -> pd.DataFrame:
    rows = []
    z = -special.ndtri((1 - conf_level) / 2)
    for name, of_a, of_b in zip(model.names, parts.a.tolist(), parts.b.tolist(), strict=True):
        a, se_a, p_a = of_a
        b, se_b, p_b = of_b
        sobel, extra = a**2 * se_b**2 + b**2 * se_a**2, se_a**2 * se_b**2
        low, high = product_normal_interval(a, se_a, b, se_b, conf_level)
        se = float(np.sqrt(sobel))
        rows.append(
            {
                "effect": "indirect",
                "mediator": name,
                "estimate": a * b,
                "sobel_se": se,
                "aroian_se": float(np.sqrt(sobel + extra)),
                "goodman_se": float(np.sqrt(sobel - extra)) if sobel > extra else np.nan,
                "sobel_z": a * b / se,
                "sobel_p": 2 * special.ndtr(-abs(a * b / se)),
                "sobel_low": a * b - z * se,
                "sobel_high": a * b + z * se,
                "product_normal_low": low,
                "product_normal_high": high,
                "joint_p": max(p_a, p_b),
            }
        )
    if len(model.m) > 1 and parts.cov_a is not None:
        slopes, effects = parts.a[:, 0], parts.b[:, 0]
        # by classical errors paths to mediators and from them are unrelated
        joint = linalg.block_diag(parts.cov_a, parts.cov_b)
        paths = np.concatenate([slopes, effects])
        whole = Estimates(paths, joint, np.full(2 * len(slopes), np.nan), "classical")
        through = function(whole, _products, _gradient_of_products)
        each = np.eye(len(model.m))
        signs = [("total indirect", "", each.sum(axis=0))]
        for g, h in combinations(range(len(model.m)), 2):
            signs.append(("contrast", f"{model.names[g]} - {model.names[h]}", each[g] - each[h]))
        for effect, name, sign in signs:
            found = combined(through, sign)
            value, se = float(found.values[0]), float(np.sqrt(found.covariance[0, 0]))
            rows.append(
                {
                    "effect": effect,
                    "mediator": name,
                    "estimate": value,
                    "sobel_se": se,
                    "sobel_z": value / se,
                    "sobel_p": 2 * special.ndtr(-abs(value / se)),
                    "sobel_low": value - z * se,
                    "sobel_high": value + z * se,
                }
            )
    return pd.DataFrame(rows)


def _products(paths: Array) -> Array:
    """Return a b of each mediator from all a, then all b."""
    a, b = np.split(paths, 2)
    return np.asarray(a * b)


def _gradient_of_products(paths: Array) -> Array:
    a, b = np.split(paths, 2)
    return np.hstack([np.diag(b), np.diag(a)])


def _size(model: _Model, parts: _Paths) -> pd.DataFrame:
    (whole,) = model.work.cells.n
    square = dict(zip(model.work.cells.terms, np.diag(model.work.cells.cross[0]), strict=True))
    # SDs with divisor n - 1, of what the model sees: unit means, or deviations within units
    sd_x, sd_y = (np.sqrt(square[name] / (whole - 1)) for name in (model.x, model.y))
    through = parts.a[:, 0] * parts.b[:, 0]
    total = float(parts.table["estimate"][-1])
    return pd.DataFrame(
        {
            "mediator": model.names,
            "indirect": through,
            "partially_standardized": through / sd_y,
            "completely_standardized": through * sd_x / sd_y,
            "proportion_mediated": through / (total or np.nan),
        }
    )


def _order(path: Sequence[grammar.Term]) -> list[Caution]:
    """Caution unless x lies before every mediator, and those before y."""
    steps = [f.steps if isinstance(f, grammar.Lag) else 0 for t in path for f in t.factors]
    x, *through, y = steps
    if all(x > k > y for k in through):
        return []
    how = "at the same time" if len(set(steps)) == 1 else "not one after the other"
    message = (
        f"Cause, mediator and outcome are measured {how}: this split of an association is no "
        "evidence for a mechanism or its order."
    )
    return [Caution("same-wave", message, "time order")]


def _doubts(parts: _Paths, clusters: int, failed: int, draws: int) -> list[Caution]:
    found = []
    if np.isnan(parts.table["std_error"]).any():
        message = "The terms of a path reproduce its outcome exactly: no error can be told."
        found.append(Caution("perfect-fit", message, "paths"))
    if clusters < 20:
        message = f"A bootstrap of {clusters} clusters is rough."
        found.append(Caution("few-clusters", message, "bootstrap"))
    if failed:
        message = f"{failed} of {draws} bootstrap draws had no solution and are in no interval."
        found.append(Caution("failed-draws", message, "bootstrap"))
    return found


def _methods(
    model: _Model, table: pd.DataFrame, statistics: Mapping[str, object], conf_level: float
) -> str:
    columns = ("effect", "mediator", "estimate", "conf_low", "conf_high")
    found = "; ".join(
        f"{effect}{f' through {m}' if m else ''} {estimate:.3g} "
        f"({interval_phrase(low, high, conf_level)})"
        for effect, m, estimate, low, high in zip(
            *(table[c].tolist() for c in columns), strict=True
        )
        if effect not in ("a", "b", "contrast")
    )
    return (
        f"We split the association of {model.x} with {model.y} by way of {', '.join(model.names)} "
        f"({table['level'].iloc[0]}; n = {statistics['n']}), with percentile intervals of "
        f"{statistics['draws']} bootstrap samples of {statistics['clusters']} clusters for "
        f"indirect effects: {found}. The split is descriptive: it assumes the causal order and "
        "that nothing unmeasured lies behind it."
    )


def _figure(result: Result, ax: Axes | None = None, **options: Any) -> Axes:
    x, y = result.spec["x"], result.spec["y"]
    rows, shown = [], []
    for r in result.table.to_dict("records"):
        effect, m = r["effect"], r["mediator"]
        found = r["estimate"], r["conf_low"], r["conf_high"]
        if effect in ("a", "b", "direct"):
            rows.append((*{"a": (x, m), "b": (m, y), "direct": (x, y)}[effect], *found))
        elif effect != "contrast":
            shown.append((f"{effect} through {m}" if m else effect, *found))
    columns = ["estimate", "conf_low", "conf_high"]
    level = str(result.table["level"].iloc[0])
    caption = (
        f"{level[0].upper()}{level[1:]}, n = {result.stats['n']}, "
        f"{result.stats['clusters']} clusters."
    )
    if any(w.code == "same-wave" for w in result.warnings):
        caption += " Same-wave: no evidence for a mechanism."
    return plotting.mediation_path(
        pd.DataFrame(rows, columns=["source", "target", *columns]),
        ax=ax,
        **(
            {
                "x": x,
                "y": y,
                "effects": pd.DataFrame(shown, columns=["effect", *columns]),
                "caption": caption,
            }
            | options
        ),
    )
