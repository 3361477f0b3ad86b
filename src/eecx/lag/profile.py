"""The lag profile: how x at each distance in time goes with y. Descriptive, and it says so."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .. import formula as grammar
from .. import options, plotting
from ..errors import Caution, ColumnError, DataError, OptionError
from ..models.capabilities import Asked, Rule, Uses
from ..models.clusters import cluster_names
from ..models.inference import covariance_of, estimates_table, fit_work
from ..models.prepare import prepare
from ..panel import Panel
from ..results import Result, interval_phrase, recorded
from ..sources import unit_waves

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["lag_profile"]

DESCRIPTIVE = (
    "A lag profile is descriptive: shared shocks that last longer on one side, or few waves, make "
    "it lean either way without any effect. It gets no verdict."
)
USES = Uses(
    "lag_profile",
    effects=("two-way",),
    vcov=("CR2",),
    clusters=1,
    called=None,
    rules=(
        Rule(
            "lags-waves",
            "a lag profile",
            lambda _: True,
            "A lag profile needs waves; this panel is a single cross-section.",
            "Name wave= where the panel, or its surveys, are made.",
            needs="waves",
            error=DataError,
        ),
    ),
)


def lag_profile(
    panel: Panel,
    x: str,
    y: str,
    *,
    lags: Iterable[int] | int = range(-3, 4),
    cluster: str | None = None,
    conf_level: float = 0.95,
) -> Result:
    r"""Return the slope of y on x at each lead and lag, with unit and wave effects.

    For each lag k separately,

    .. math:: y_{it} = \alpha_i + \gamma_t + \beta_k x_{i,t-k} + \varepsilon_{it}

    with cluster-robust (CR2) intervals. Positive k: x was measured k steps *before* y; negative
    k: after it. Lags count steps of time, not rows; pairs across holes do not exist.

    **Descriptive.** Shared shocks that last longer on one side make a profile lean to that side
    although neither affects the other; over few waves, taking out unit means bends it too
    (Nickell's bias). So it gets no verdict.

    Parameters
    ----------
    panel : Panel
    x, y : str
    lags : int or iterable of int
    cluster : str, optional
        Default: the unit.
    conf_level : float

    Returns
    -------
    Result
        ``.table``: ``lag, estimate, …, n, units, gap_low, gap_high``, where the gap is the time
        that really lay between the two measurements, in days (dates) or whole waves.

    Raises
    ------
    ColumnError, OptionError
        Unknown columns; x and y the same; lags that are no whole numbers.
    DataError
        A cross-section, or no lag that can be estimated.

    Examples
    --------
    >>> import eecx
    >>> sim = eecx.simulate.panel(units=60, waves=8, ex_to_cx=0.4, rng=5)
    >>> panel = eecx.Panel.from_frame(
    ...     sim.frame, unit="unit", wave="wave", employee=["ex"], customer=["cx"]
    ... )
    >>> profile = eecx.lag_profile(panel, "ex", "cx", lags=[0, 1])
    >>> profile.table["lag"].tolist(), [w.code for w in profile.warnings]
    ([0, 1], ['descriptive'])
    """
    arguments = dict(locals())
    options.conf_level(conf_level)
    source = unit_waves(panel, "lag_profile", rows=False, sums=False)
    clusters = cluster_names(cluster, 1)
    asked = Asked("two-way", "CR2", clusters)
    USES.judge(asked)
    cluster = next(iter(clusters), None)
    USES.judge_data(asked, source.known)
    for role, name in (("x", x), ("y", y)):
        panel.require(name, role)
    if x == y:
        raise OptionError(f"x and y are both {x!r};", code="same-measure", fix="name two measures.")
    steps = _steps(lags)
    rows, cautions = [], [Caution("descriptive", DESCRIPTIVE, f"{x}, {y}")]
    failed: dict[int, DataError] = {}
    for k in steps:
        factor: grammar.Factor = grammar.Lag(x, k) if k else grammar.Name(x)
        model = grammar.Formula(grammar.Term((grammar.Name(y),)), (grammar.Term((factor,)),))
        try:
            work = prepare(source, model, "two-way", cluster=cluster, vcov="CR2")
            fit = fit_work(work)
        except ColumnError:
            raise
        except DataError as error:
            failed[k] = error
            message = f"Lag {k}: {error}"
            cautions.append(Caution("lag-not-estimable", message, f"lag {k}", fix=error.fix))
            continue
        covariance, df = covariance_of(work, fit, "CR2")
        at = fit.columns.index(work.terms[0])
        se = np.sqrt(np.diag(covariance))[[at]]
        row = estimates_table([str(k)], fit.beta[[at]], se, df[[at]], conf_level)
        row = row.drop(columns="term").assign(n=int(fit.n), units=work.units)
        row.insert(0, "lag", k)
        rows.append(row.assign(**_gap(panel, x, y, k)))
    if not rows:
        nearest = min(failed, key=abs)
        raise DataError(
            f"The slope of {y!r} on {x!r} can be estimated at no lag. Lag {nearest}: "
            f"{failed[nearest]}",
            code="lag-not-estimable",
            fix=failed[nearest].fix,
        )
    table = pd.concat(rows, ignore_index=True)
    if shared := panel.shared_source([x, y]):
        cautions.append(shared)
    spec = recorded(
        lag_profile,
        arguments,
        data=source.fingerprint,
        lags=steps,
        cluster=cluster or panel.cluster or panel.unit,
        vcov="CR2",
        effects="two-way",
        step=str(panel.step),
        gap_unit="waves" if panel.step.grid == "integer" else "days",
    )
    statistics = {"units": panel.units, "waves": panel.waves}
    return Result(
        "lag_profile",
        table,
        spec,
        statistics,
        _methods(table, x, y, panel, conf_level),
        warnings=tuple(cautions),
        references=("pustejovsky2018",),
        figure=_figure,
        title=f"{y} on {x} at each lag",
    )


def _steps(lags: Iterable[int] | int) -> list[int]:
    given = list(lags) if isinstance(lags, Iterable) else [lags]
    if not given or not all(
        isinstance(k, int | np.integer) and not isinstance(k, bool) for k in given
    ):
        raise OptionError(
            f"lags={lags!r}:", code="lags", fix="give whole numbers, such as range(-3, 4)."
        )
    return sorted({int(k) for k in given})


def _gap(panel: Panel, x: str, y: str, k: int) -> dict[str, float]:
    """Return the shortest and longest time between the two measurements of a pair."""
    at = panel.lag_rows(k)
    values = panel.frame[x].to_numpy(float)
    paired = (at >= 0) & ~np.isnan(panel.frame[y].to_numpy(float))
    paired[paired] &= ~np.isnan(values[at[paired]])
    gap = panel.moment_of(y)[paired] - panel.moment_of(x)[at[paired]]
    return {"gap_low": float(gap.min()), "gap_high": float(gap.max())}


def _methods(table: pd.DataFrame, x: str, y: str, panel: Panel, conf_level: float) -> str:
    found = "; ".join(
        f"lag {r['lag']}: {r['estimate']:.3g} ({interval_phrase(r['conf_low'], r['conf_high'])})"
        for r in table.to_dict("records")
    )
    return (
        f"We regressed {y} on {x} at each lead and lag (steps of {panel.step}) with unit and wave "
        f"fixed effects and cluster-robust {100 * conf_level:g}% intervals (CR2): {found}. The "
        "profile is descriptive and was given no verdict."
    )


def _figure(result: Result, ax: Axes | None = None, **options: Any) -> Axes:
    caption = (
        f"Slopes with unit and wave effects, {100 * result.spec['conf_level']:g}% intervals (CR2); "
        f"{result.stats['units']} units, {result.stats['waves']} waves; step "
        f"{result.spec['step']}. Descriptive: no verdict."
    )
    table = result.table[["lag", "estimate", "conf_low", "conf_high", "n"]]
    given = {"x_label": result.spec["x"], "y_label": result.spec["y"], "caption": caption}
    return plotting.lag_profile(table, ax=ax, **(given | options))
