"""Correlations with intervals, between and within units, and the table that papers print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from .. import frames, options, plotting
from ..agreement import BETWEEN, CHANGE, estimate, read_cells
from ..errors import Caution, DataError, OptionError, listing, nearest
from ..models.capabilities import Asked, Uses, judge_data
from ..models.clusters import cluster_names
from ..models.columns import Column
from ..models.design import refuse_out_of_range
from ..models.joint import of_clusters, small_sample
from ..models.least_squares import independent
from ..models.levels import level_of
from ..moments import Moments, from_rows, group_codes, names_of
from ..numerics.intervals import fisher
from ..results import Estimates, Result, coefficient, interval_phrase, recorded
from ..sources import Source, unit_waves

__all__ = [
    "LEVELS",
    "Complete",
    "Level",
    "Sums",
    "asked_of",
    "clustered_r",
    "correlations",
    "read_source",
    "robust_ends",
    "sums_at",
]

Array = npt.NDArray[np.float64]
Level = Literal["pooled", "between", "within"]

LEVELS: tuple[Level, ...] = get_args(Level)
USES = Uses("correlations", effects=LEVELS, clusters=1, called="level")

FISHER = "Fisher"
LEAST = 4
"""Rows (or units) that a correlation with an interval needs."""

# below this many clusters, 95% intervals of simulated panels cover 91 to 93%
FEW = 30


def correlations(
    data: object,
    names: Sequence[str] | str | None = None,
    *,
    unit: str | None = None,
    wave: str | None = None,
    level: Level | Sequence[Level] = "pooled",
    cluster: str | None = None,
    reliability: Mapping[str, float] | None = None,
    conf_level: float = 0.95,
) -> Result:
    r"""Correlate measures over rows, between units, or within units over time.

    With :math:`S` the cross-products of what varies at a level, about its mean,

    .. math:: r_{xy} = \frac{S_{xy}}{\sqrt{S_{xx} S_{yy}}}, \qquad z = \operatorname{artanh} r

    What varies is each row (``"pooled"``), the mean of each unit over its waves (``"between"``),
    or the deviation of each row from its unit's usual and, where there are waves, from what the
    wave did to all units (``"within"``: least squares on unit and wave dummies, so that panels
    with holes are right too).

    Parameters
    ----------
    data : Panel, data frame or Moments
        Moments may be a published table (:meth:`Moments.from_correlations`).
    names : sequence of str, optional
        Two columns or more; by default all measures of a Panel, all numbers of a frame, all terms
        of Moments.
    unit, wave : str, optional
        Key columns of a plain frame; ``unit`` also the key of units in Moments. Without ``unit``
        every row is a unit of its own, and there is the level ``"pooled"`` only.
    level : {"pooled", "between", "within"} or several of them
        Printed as "pooled", "between units", "within units over time"; where no ``wave`` is named,
        rows of a unit are its people: "within units, among people".
    cluster : str, optional
        What rows may be related within: by default the unit.
    reliability : mapping, optional
        ``{"engagement": 0.85}``, above 0 and at most 1, for the diagonal of the APA table. Of a
        Panel whose sampling variances are known it is estimated, at each level.
    conf_level : float

    Returns
    -------
    Result
        ``.table``: ``x, y, level, estimate`` (r) ``, std_error, statistic, df, p_value, conf_low,
        conf_high, n`` (rows, or units). ``.tables["apa"]``: text, as journals print it: M, SD, r
        below the diagonal with its interval in brackets underneath, reliabilities on the diagonal
        in parentheses (``–``: not known). ``.tables["variables"]``: the same M, SD and
        reliabilities as numbers. ``.tables["levels"]``: rows, units, clusters and kind of interval
        of each level. For LaTeX: ``dataclasses.replace(found,
        table=found.tables["apa"]).to_latex()``.

    Raises
    ------
    ColumnError, DataError, OptionError
        Unknown names, a constant column, fewer than four rows (or units), a reliability outside
        (0, 1].

    Notes
    -----
    *Independent rows* (no units; one row per unit; between units; a published table): Fisher's
    interval, :math:`z \pm q_{\alpha/2} / \sqrt{n - 3}`, and t = :math:`r\sqrt{(n-2)/(1-r^2)}` with
    n - 2 degrees of freedom.

    *Related rows* (pooled or within units over time, or ``cluster``): a cluster g with
    cross-products :math:`S_g` pulls r by

    .. math:: \psi_g = \frac{S_{g,xy}}{\sqrt{S_{xx} S_{yy}}}
              - \frac r2 \left(\frac{S_{g,xx}}{S_{xx}} + \frac{S_{g,yy}}{S_{yy}}\right), \qquad
              se(r) = \sqrt{\frac{G}{G-1} \sum_g \psi_g^2}

    and test and interval are those of z, with se(r)/(1 - r²) and t with G - 1 degrees of freedom
    (Cameron and Miller 2015, https://doi.org/10.3368/jhr.50.2.317). ``std_error`` is that of r, so
    ``statistic`` is not quite ``estimate / std_error`` there. In simulated panels of 40 units over
    6 waves, with errors that carry over, 95% intervals covered the truth in 94% of cases (in 92%
    with heavy tails, t with 5 degrees of freedom); Fisher's, which takes the rows as independent,
    in 86% (and 74%). With fewer than 30 clusters a warning says so.

    Rows that lack any of the columns are left out of all (listwise) and counted in
    ``.stats["left_out"]``. Nothing is adjusted for the number of correlations. What is *not*
    checked: linearity; that clusters are independent; between units, that every unit's mean counts
    alike, however many waves and respondents stand behind it.

    Examples
    --------
    >>> import eecx
    >>> from eecx import correlations
    >>> r = [[1, 0.5, 0.3], [0.5, 1, 0.4], [0.3, 0.4, 1]]
    >>> paper = eecx.Moments.from_correlations(r, n=103, names=["leading", "engagement", "nps"])
    >>> found = correlations(paper, reliability={"engagement": 0.85})
    >>> found.table[["estimate", "conf_low", "conf_high"]].round(3).to_numpy().tolist()
    [[0.5, 0.339, 0.632], [0.3, 0.113, 0.466], [0.4, 0.224, 0.551]]
    >>> print(found.tables["apa"].to_string(index=False))
         Variable    M   SD          1          2 3
       1. leading 0.00 1.00          –
    2. engagement 0.00 1.00        .50      (.85)
                            [.34, .63]
           3. nps 0.00 1.00        .30        .40 –
                            [.11, .47] [.22, .55]
    """
    asked = dict(locals())
    options.conf_level(conf_level)
    entered = unit_waves(data, "correlations", unit=unit, wave=wave)
    levels = _levels(level)
    for one in levels:
        USES.judge(asked_of(entered, one, cluster))
    if not levels or len(set(levels)) < len(levels):
        raise OptionError(
            f"level={level!r}: one or several of {listing(LEVELS)}, each once.",
            code="levels",
            fix="Name each level once.",
        )
    source = read_source(entered, names, levels, cluster=cluster)
    columns = list(source.names)
    given = _given(reliability, columns)
    found = [sums_at(source, one) for one in levels]
    cautions = _cautions(source, found)
    cautions += entered.shared_source(columns)
    table = pd.concat([_rows(columns, s, conf_level) for s in found], ignore_index=True)
    perfect = table["estimate"].abs() >= 1 - 1e-14
    for row in table[perfect].to_dict("records"):
        message = (
            f"{row['x']!r} and {row['y']!r} correlate perfectly ({row['level']}): is one made of "
            "the other?"
        )
        cautions.append(Caution("perfect-correlation", message, f"{row['x']}, {row['y']}"))
    variables = pd.concat(
        [_variables(columns, s, _reliabilities(entered, columns, s, given)) for s in found],
        ignore_index=True,
    )
    robust = any(s.groups is not None for s in found)
    return Result(
        "correlations",
        table,
        recorded(
            correlations,
            asked,
            data=entered.fingerprint,
            names=columns,
            level=levels,
            cluster=source.cluster_name if robust else None,
            reliability=given,
        ),
        {
            "n": source.n,
            "units": source.units or None,
            "waves": source.waves or None,
            **({"clusters": max(_clusters(s) for s in found)} if robust else {}),
            "left_out": source.left_out,
        },
        _methods(source, found, table, conf_level),
        tables={
            "apa": _apa(table, variables, [s.words for s in found]),
            "variables": variables,
            "levels": _level_table(source, found),
        },
        warnings=tuple(cautions),
        references=("cameron2015",) if robust else (),
        figure=_figure,
        title=", ".join(columns),
    )


# ---------------------------------------------------------------------- reading


@dataclass(frozen=True, eq=False)
class Complete:
    """Complete rows as cells of sums, and which keys say what belongs together.

    The first terms of ``cells`` are the columns; the others are wave dummies. ``unit`` and
    ``cluster`` name keys of the cells, where there are any.
    """

    cells: Moments
    names: tuple[str, ...]
    unit: str | None
    cluster: str | None
    cluster_name: str | None
    waves: int
    left_out: int

    @property
    def n(self) -> int:
        """Complete rows."""
        return int(self.cells.n.sum())

    @property
    def units(self) -> int:
        """Number of units, 0 where none are told apart."""
        return 0 if self.unit is None else len(group_codes(self.cells.keys, [self.unit])[1])


def read_source(
    entered: Source,
    names: Sequence[str] | str | None,
    levels: Sequence[Level],
    *,
    cluster: str | None,
) -> Complete:
    """Sum the rows in which all columns have a value, per unit and cluster."""
    for level in levels:
        judge_data(asked_of(entered, level, cluster), entered.known)
    cluster, unit = next(iter(cluster_names(cluster, 1)), None), entered.unit
    if entered.sums is not None:
        columns = _checked(names, entered.sums.terms)
        cells = entered.sums.select(columns)
    elif entered.own_units:
        return _of_panel(entered, names, levels, cluster=cluster)
    else:
        table = entered.table
        numbers = [c for c, kind in table.kinds.items() if kind in frames.NUMBERS and c != cluster]
        columns = _checked(names, numbers)
        table.require(columns, "names")
        table.require([cluster] if cluster else [], "cluster")
        cells = Moments.from_frame(table, keys=[cluster] if cluster else [], terms=columns)
    cluster = cluster or unit
    keys = [k for k in dict.fromkeys((unit, cluster)) if k]
    cells.require_keys(keys)
    cells = cells.collapse(keys)
    return Complete(cells, tuple(columns), unit, cluster, cluster, 0, cells.left_out)


def _of_panel(
    entered: Source,
    names: Sequence[str] | str | None,
    levels: Sequence[Level],
    *,
    cluster: str | None,
) -> Complete:
    if entered.panel is not None:
        panel = entered.panel
        columns = _checked(names, [*panel.employee, *panel.customer])
        for name in columns:
            panel.require(name, "names")
        cluster = panel.cluster if cluster is None else entered.key(cluster)
    else:
        table, unit, wave = entered.table, entered.unit, entered.wave
        keys = [k for k in (unit, wave, cluster) if k]
        table.require(keys, "unit, wave or cluster")
        numbers = [c for c, k in table.kinds.items() if k in frames.NUMBERS and c not in keys]
        columns = _checked(names, numbers)
        if stray := [c for c in columns if c in (unit, wave)]:
            raise OptionError(
                f"names holds {stray[0]!r}, which is the unit or wave.",
                code="key-as-measure",
                fix="Leave it out.",
            )
        table.require(columns, "names")
        used = [*columns, *([cluster] if cluster and cluster not in columns else [])]
        names = [cluster] if cluster and cluster not in columns else []
        panel = entered.as_panel(used, names=names)
    for name in columns:
        if not pd.api.types.is_numeric_dtype(panel.frame[name]):
            raise DataError(
                f"{name!r} holds no numbers: a correlation needs numbers.",
                code="not-numbers",
                fix="Make it numbers, or leave it out.",
            )
    x = panel.frame[columns].to_numpy(float)
    of_unit = panel.frame[panel.unit]
    if cluster in (None, panel.unit):
        of_cluster = of_unit
    elif cluster == panel.wave:
        of_cluster = panel.frame[cluster]
    else:
        panel.require(str(cluster), "cluster")
        of_cluster = panel.frame[cluster]
    # numbers tell units apart faster than names
    held = {"unit": of_unit, "cluster": of_cluster}
    keys_of = pd.DataFrame({k: pd.factorize(v, sort=True)[0] for k, v in held.items()})
    complete = ~np.isnan(x).any(axis=1) & (keys_of.to_numpy() >= 0).all(axis=1)
    if not complete.any():
        raise DataError(
            f"No unit × wave has a value for all of {listing(columns)}.",
            code="no-rows",
            fix="Leave out what is missing most.",
        )
    x, time = x[complete], panel.time[complete]
    refuse_out_of_range(columns, x)
    waves = np.unique(time)
    labels: tuple[str | Column, ...] = tuple(columns)
    if "within" in levels and panel.wave is not None:
        labels += tuple(Column(f"wave {w}", "wave") for w in waves[1:])
        x = np.column_stack([x, *[(time == w).astype(float) for w in waves[1:]]])
    cells = from_rows(x, labels, keys_of[complete].reset_index(drop=True))
    return Complete(
        cells,
        tuple(columns),
        "unit",
        "cluster",
        cluster or panel.unit,
        len(waves),
        int((~complete).sum()) + entered.unkeyed(panel),
    )


def _levels(level: Level | Sequence[Level]) -> list[Level]:
    several = isinstance(level, Sequence) and not isinstance(level, str)
    levels: list[Any] = list(level) if several else [level]
    return levels


def asked_of(entered: Source, level: Level, cluster: str | None) -> Asked:
    """Return what is asked, a level standing for effects."""
    return Asked(
        level,
        clusters=cluster_names(cluster, 1),
        unit=entered.unit,
        wave=entered.wave,
        source=entered.kind,
        called="level",
    )


def _checked(names: Sequence[str] | str | None, default: Sequence[str]) -> list[str]:
    if not isinstance(names, Sequence | None):
        raise OptionError(
            f"names={names!r:.60}: the names of two columns or more.",
            code="column-name",
            fix="Name the columns, as texts.",
        )
    columns = list(default) if names is None else names_of(names)
    if len(columns) < 2:
        what = "names" if names is not None else "the data"
        raise OptionError(
            f"A correlation needs two columns; {what} has {listing(columns) or 0}.",
            code="two-columns",
            fix="Name two columns of numbers.",
        )
    return columns


def _given(reliability: Mapping[str, float] | None, columns: Sequence[str]) -> dict[str, float]:
    given: dict[str, float] = {}
    if not isinstance(reliability, Mapping | None):
        raise OptionError(
            f"reliability={reliability!r:.60}: by name, such as {{'nps': 0.85}}.",
            code="reliability",
            fix="Give it by the name of its column.",
        )
    for name, value in (reliability or {}).items():
        if name not in columns:
            raise OptionError(
                f"reliability names {name!r}, which is not correlated.",
                code="reliability",
                fix=nearest(name, columns).strip(),
            )
        if isinstance(value, bool) or not (isinstance(value, Real) and 0 < value <= 1):
            raise OptionError(
                f"reliability of {name!r} is {value!r}: above 0 and at most 1.",
                code="reliability",
                fix="Give the share of its variance that is no error.",
            )
        given[name] = float(value)
    return given


# ---------------------------------------------------------------------- sums of a level


@dataclass(frozen=True, eq=False)
class Sums:
    """What varies at one level: cross-products over all clusters and, if rows are related, of each.

    ``words`` is what the level is called in print. ``n`` rows (or units), ``free`` of which vary
    freely; ``spread`` the standard deviations, NaN for a column that does not vary at this level.
    ``groups`` has shape (G, p, p).
    """

    level: Level
    words: str
    n: int
    units: int
    singles: int
    mean: Array
    spread: Array
    whole: Array
    groups: Array | None


def sums_at(source: Complete, level: Level) -> Sums:
    """Return the sums of one level; raise where too few rows are left."""
    p, words = len(source.names), level_of(level, source.waves)
    cells, units, singles, dummies = source.cells, source.units, 0, 0
    if level == "within":
        cells, units, singles = _several(cells, str(source.unit))
    own = cells.select(cells.terms[:p])
    size = np.abs(own.mean).max(axis=0)
    mean = own.collapse().mean[0]
    if level == "within":
        by = [str(source.cluster)]
        about = cells.within(str(source.unit)).collapse(by).about(np.zeros(len(cells.terms)))
        about, dummies = _without_waves(about, p)
        free = float(cells.n.sum()) - units - dummies
        n, weight = float(cells.n.sum()), float(cells.w.sum())
        groups: Array | None = about
        whole = about.sum(axis=0)
    else:
        if level == "between":
            own = _unit_means(own, source)
        total = own.collapse()
        n, weight, mean = float(total.n[0]), float(total.w[0]), total.mean[0]
        free, whole, groups = n - 1, total.cross[0], None
        if source.cluster is not None:
            clusters = own.collapse([source.cluster])
            # one row in each: they are independent, and Fisher's interval is the better one
            groups = clusters.about(mean) if clusters.n.max() > 1 else None
    what = "units" if level == "between" else "rows"
    if free < LEAST - 1:
        taken = f"{_taken(source)} {free:.0f}" if level == "within" else ""
        raise DataError(
            f"{n:.0f} {what} have a value for all of {listing(source.names)}{taken}: a correlation "
            f"({words}) needs at least {LEAST}.",
            code="too-few-rows",
            fix="Leave out what is missing most, or add rows.",
        )
    if groups is not None and len(groups) < 3:
        raise DataError(
            f"{len(groups)} clusters ({source.cluster_name}) {words}: an error over clusters"
            " needs at least 3.",
            code="too-few-clusters",
            fix="Name cluster=, a column of more groups.",
        )
    noise = n * (1e-14 * size) ** 2  # what rounding leaves of a column that does not vary
    square = np.diag(whole)
    spread = np.sqrt(np.where(square > noise, square / weight * n / free, np.nan))
    return Sums(level, words, round(n), units, singles, mean, spread, whole, groups)


def _unit_means(cells: Moments, source: Complete) -> Moments:
    """Return every unit as one row; a unit lies in one cluster."""
    unit, cluster = str(source.unit), str(source.cluster)
    units = cells.collapse(list(dict.fromkeys((unit, cluster)))).means()
    nested = len(units.keys) == len(group_codes(cells.keys, [unit])[1])
    asked = Asked("between", clusters=(str(source.cluster_name),), called="level")
    judge_data(asked, {"nesting": nested})
    return units


def _several(cells: Moments, unit: str) -> tuple[Moments, int, int]:
    """Keep the units that have several rows; return how many those are, and how many not."""
    codes, levels = group_codes(cells.keys, [unit])
    sizes = np.bincount(codes, weights=cells.n, minlength=len(levels))
    several = sizes[codes] > 1
    units = int((sizes > 1).sum())
    if not units:
        raise DataError(
            "No unit has more than one row: nothing varies within units.",
            code="single-wave-units",
            fix="Take level='between' or 'pooled'.",
        )
    if several.all():
        return cells, units, 0
    arrays = {k: getattr(cells, k)[several] for k in ("n", "w", "w2", "mean", "m2")}
    rest = cells.centres[1][several]
    keys = cells.keys[several].reset_index(drop=True)
    return replace(cells, keys=keys, mean_rest=rest, **arrays), units, len(sizes) - units


def _without_waves(groups: Array, p: int) -> tuple[Array, int]:
    """Take out of the first p columns what the others, wave dummies, explain of them."""
    if groups.shape[1] == p:
        return groups, 0
    whole = groups.sum(axis=0)
    kept = independent(whole[p:, p:], np.sqrt(np.diag(whole)[p:]))
    at = p + np.flatnonzero(kept)
    slopes = np.linalg.solve(whole[np.ix_(at, at)], whole[at, :p])
    move = np.zeros((groups.shape[1], p))
    move[:p] = np.eye(p)
    move[at] = -slopes
    return np.asarray(move.T @ groups @ move, dtype=float), len(at)


# ---------------------------------------------------------------------- r and its error


def pulls(whole: Array, groups: Array) -> tuple[Array, Array]:
    """Return correlations (p, p) and what each cluster pulls them by (G, p, p)."""
    square = np.diag(whole)
    scale = np.sqrt(np.outer(square, square))
    r = whole / scale
    own = np.diagonal(groups, axis1=1, axis2=2) / square
    return r, groups / scale - r / 2 * (own[:, :, None] + own[:, None, :])


def clustered_r(s: Sums, pairs: Sequence[tuple[int, int]]) -> Estimates:
    """Return the correlations of some pairs of columns, with what each cluster adds to them."""
    if s.groups is None:
        raise ValueError("These sums have no clusters.")
    i, j = np.array(pairs).T
    r, psi = pulls(s.whole, s.groups)
    return of_clusters(r[i, j], psi[:, i, j])


def robust_ends(r: Array, se: Array, df: Array, conf_level: float) -> tuple[Array, Array]:
    """Return the limits of r from its standard error, symmetric about Fisher's z."""
    z, error = np.arctanh(r), se / (1 - r**2)
    reach = -special.stdtrit(df, (1 - conf_level) / 2) * error
    return np.tanh(z - reach), np.tanh(z + reach)


def _estimates(s: Sums, conf_level: float) -> dict[str, Array]:
    """Return r of every pair of columns with test and interval."""
    i, j = np.triu_indices(len(s.whole), 1)
    untold = np.isnan(s.spread[i]) | np.isnan(s.spread[j])
    with np.errstate(divide="ignore", invalid="ignore"):
        if s.groups is None:
            square = np.diag(s.whole)
            r = np.clip((s.whole / np.sqrt(np.outer(square, square)))[i, j], -1, 1)
            df = np.full(len(i), s.n - 2.0)
            se = np.sqrt((1 - r**2) / df)
            statistic = r / se
            ends = np.array([fisher(float(v), s.n, conf_level) for v in r])
            low, high = ends.T
        else:
            full, psi = pulls(s.whole, s.groups)
            r, psi = np.clip(full[i, j], -1, 1), psi[:, i, j]
            df = np.full(len(i), len(psi) - 1.0)
            se = np.sqrt(np.sum(small_sample(psi) ** 2, axis=0))
            statistic = np.arctanh(r) * (1 - r**2) / se
            low, high = robust_ends(r, se, df, conf_level)
        p = 2 * special.stdtr(df, -np.abs(statistic))
    columns = {
        "estimate": r,
        "std_error": se,
        "statistic": statistic,
        "df": df,
        "p_value": p,
        "conf_low": low,
        "conf_high": high,
    }
    return {name: np.where(untold, np.nan, values) for name, values in columns.items()}


def _rows(names: Sequence[str], s: Sums, conf_level: float) -> pd.DataFrame:
    i, j = np.triu_indices(len(names), 1)
    return pd.DataFrame(
        {
            "x": [names[int(k)] for k in i],
            "y": [names[int(k)] for k in j],
            "level": s.words,
            **_estimates(s, conf_level),
            "n": s.n,
        }
    )


# ---------------------------------------------------------------------- reliability


def _reliabilities(
    entered: Source, names: Sequence[str], s: Sums, given: Mapping[str, float]
) -> list[tuple[float, str]]:
    """Return each column's reliability at a level, and where it is from."""
    cells = None
    if entered.panel is not None:
        known = [n for n in names if n in entered.panel.variance.columns]
        cells = read_cells(entered, names)[0].complete(names) if known else None
    out = []
    for name, spread in zip(names, s.spread, strict=True):
        if name in given:
            out.append((given[name], "given"))
            continue
        value = np.nan
        if cells is not None and np.isfinite(spread):
            if s.level == "pooled":
                value = 1 - float(cells.variance[name].mean(skipna=False)) / float(spread**2)
            else:
                kind = BETWEEN if s.level == "between" else CHANGE
                found = estimate(cells, name, kind)
                value = np.nan if found is None else found[0]
        out.append((value, "sampling variances" if np.isfinite(value) else "not known"))
    return out


def _variables(
    names: Sequence[str], s: Sums, reliabilities: Sequence[tuple[float, str]]
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "variable": list(names),
            "level": s.words,
            "mean": s.mean,
            "sd": np.nan_to_num(s.spread),
            "reliability": [value for value, _ in reliabilities],
            "reliability_from": [origin for _, origin in reliabilities],
            "n": s.n,
        }
    )


# ---------------------------------------------------------------------- what is said and shown


def _clusters(s: Sums) -> int:
    return 0 if s.groups is None else len(s.groups)


def _cautions(source: Complete, found: Sequence[Sums]) -> list[Caution]:
    """Return what to doubt; raise for a column that varies at no level that was asked for."""
    cautions = []
    for s in found:
        still = [n for n, v in zip(source.names, s.spread, strict=True) if np.isnan(v)]
        if still and s.level == "pooled":
            raise DataError(
                f"{listing(still)} is constant over the {s.n} rows that are left.",
                code="constant-column",
                fix="Leave it out.",
            )
        if still and len(found) == 1:
            advice = "within" if s.level == "between" else "between"
            raise DataError(
                f"{listing(still)} does not vary {s.words}.",
                code="constant-column",
                fix=f"Leave it out, or take level={advice!r}.",
            )
        if still:
            message = f"{listing(still)} does not vary {s.words}: no correlation there."
            cautions.append(Caution("no-variation", message, ", ".join(still)))
        if 0 < _clusters(s) < FEW:
            message = (
                f"{_clusters(s)} clusters ({source.cluster_name}) {s.words}: intervals "
                "over few clusters are somewhat too narrow."
            )
            cautions.append(Caution("few-clusters", message, str(source.cluster_name)))
        if s.singles:
            message = (
                f"{s.singles} of {s.singles + s.units} units have one "
                f"{'wave' if source.waves > 1 else 'row'} only; they say nothing {s.words}."
            )
            cautions.append(Caution("single-wave-units", message, "units"))
    for name in source.names:
        column = [np.isnan(s.spread[source.names.index(name)]) for s in found]
        if all(column):
            raise DataError(
                f"{name!r} is constant at every level.",
                code="constant-column",
                fix="Leave it out.",
            )
    if not np.allclose(source.cells.w, source.cells.n):
        message = "Rows are weighted: Fisher's intervals count them as if they were not."
        if any(s.groups is None for s in found):
            cautions.append(Caution("weights", message, "weights"))
    return cautions


def _level_table(source: Complete, found: Sequence[Sums]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "level": [s.words for s in found],
            "n": [s.n for s in found],
            "units": [s.units or s.n for s in found],
            "clusters": [_clusters(s) or s.n for s in found],
            "interval": [FISHER if s.groups is None else "cluster-robust" for s in found],
        }
    )


def _basis(source: Complete, s: Sums, conf_level: float) -> str:
    """Say over what a level's correlations are, and how their intervals are made."""
    robust = (
        f"cluster-robust by {source.cluster_name}: delta method on Fisher's z, t with "
        f"{_clusters(s) - 1} degrees of freedom"
    )
    how = robust if s.groups is not None else "by Fisher's z"
    how = f"{100 * conf_level:g}% intervals {how}"
    if s.level == "between":
        return f"between units ({s.n} unit means; {how})"
    what = "people" if source.waves == 1 and s.n > s.units else "rows"
    what = "unit-waves" if source.waves > 1 else what
    rows = f"{s.n} {what}{f' of {s.units} units' if s.units else ''}"
    taken = _taken(source) if s.level == "within" else ""
    return f"{s.words} ({rows}{taken}; {how})"


def _taken(source: Complete) -> str:
    return f", unit {'and wave ' if source.waves > 1 else ''}means taken out"


def _methods(
    source: Complete, found: Sequence[Sums], table: pd.DataFrame, conf_level: float
) -> str:
    parts = []
    for s in found:
        own = table[table["level"] == s.words]
        said = "; ".join(
            f"{row['x']} and {row['y']} r = {row['estimate']:z.2f} "
            f"({interval_phrase(row['conf_low'], row['conf_high'], conf_level, 'z.2f')})"
            for row in own.to_dict("records")
        )
        basis = _basis(source, s, conf_level)
        parts.append(f"{basis}: {said if len(own) <= 6 else 'see the table'}")
    gone = f" {source.left_out} rows that lack one of them were left out of all."
    return (
        f"We correlated {', '.join(source.names[:-1])} and {source.names[-1]}, "
        f"{'; '.join(parts)}.{gone if source.left_out else ''}"
    )


def _apa(table: pd.DataFrame, variables: pd.DataFrame, levels: Sequence[str]) -> pd.DataFrame:
    """Return the table of M, SD, r with intervals below, and reliabilities on the diagonal."""
    out = []
    for level in levels:
        rows = table[table["level"] == level]
        pair = {(row["x"], row["y"]): row for row in rows.to_dict("records")}
        own = variables[variables["level"] == level].to_dict("records")
        names = [row["variable"] for row in own]
        for i, row in enumerate(own):
            blank = {"Level": level, "Variable": "", "M": "", "SD": ""}
            blank |= {str(k + 1): "" for k in range(len(names))}
            first, second = dict(blank), dict(blank)
            first["Variable"] = f"{i + 1}. {row['variable']}"
            first["M"], first["SD"] = f"{row['mean']:.2f}", f"{row['sd']:.2f}"
            for j in range(i):
                of = pair[names[j], names[i]]
                first[str(j + 1)] = coefficient(of["estimate"])
                low, high = coefficient(of["conf_low"]), coefficient(of["conf_high"])
                second[str(j + 1)] = f"[{low}, {high}]" if np.isfinite(of["conf_low"]) else ""
            known = np.isfinite(row["reliability"])
            first[str(i + 1)] = f"({coefficient(row['reliability'])})" if known else "–"
            out += [first, second] if i else [first]
    made = pd.DataFrame(out)
    return made if len(levels) > 1 else made.drop(columns="Level")


def _figure(result: Result, ax: Any = None, **options: Any) -> Any:
    rows = result.table.dropna(subset=["estimate"])
    table = pd.DataFrame(
        {
            "term": rows["x"] + ", " + rows["y"],
            "group": rows["level"],
            **{c: rows[c] for c in ("estimate", "conf_low", "conf_high")},
        }
    )
    if table["group"].nunique() == 1:
        table = table.drop(columns="group")
    level = f"{100 * result.spec['conf_level']:g}%"
    given = {
        "title": "Correlations",
        "label": "correlation",
        "caption": f"Correlations with {level} intervals.",
    }
    return plotting.coefficients(table, ax=ax, **(given | options))
