"""Instability: how much a unit's scores go up and down over waves, net of sampling error."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from .. import plotting
from ..errors import Caution, DataError, OptionError
from ..panel import Panel
from ..results import Result, recorded
from ..sources import unit_waves
from .answers import NO_INTERVAL, rows_as_table, spread
from .arguments import one_name

__all__ = ["instability"]

MORE = ("units", "median", "sd", "minimum", "maximum")


def instability(panel: Panel, x: str, *, norm: float | None = None) -> Result:
    r"""How steady each unit is over its waves, and how often it is above the norm.

    With a unit's wave scores :math:`x_t` (T of them), net of what each wave has in common, and
    their sampling variances :math:`v_t`:

    .. math:: \text{instability}_i = \sqrt{\max\left(s^2_i - \bar v_i, 0\right)}

    It is a property of the unit over time; how much its people differ within a wave is
    dispersion (:class:`eecx.Dispersion`). The two need not go together.

    Parameters
    ----------
    panel : Panel
    x : str
        A measure.
    norm : float, optional
        The standard to be met; by default the mean over all cells. "Above" follows the measure's
        good direction.

    Returns
    -------
    Result
        ``.table``: rows ``instability`` and ``share above norm`` with the mean over units as
        ``estimate``, which describes them and has no interval, then ``units`` (that have a value),
        ``median, sd, minimum, maximum``; ``.tables["units"]``: ``unit``, waves, mean, ``sd``
        (observed), ``noise`` (SD that sampling alone gives), ``instability``, ``share_above``.
        Units with fewer than three waves have no instability. Where sampling variances are not
        known, ``noise`` is missing, instability is the observed SD and a warning says so.
        ``.stats``: n (cells with a value), units, waves.

    Notes
    -----
    A unit whose observed variance is below its sampling variance gets 0: it may still be unsteady.
    With few waves the figure of a single unit is rough; as a predictor it is unreliable.

    Examples
    --------
    >>> import eecx
    >>> sim = eecx.simulate.panel(units=30, waves=6, rng=1)
    >>> panel = eecx.Panel.from_frame(
    ...     sim.frame, unit="unit", wave="wave", employee=["ex"], customer=["cx"]
    ... )
    >>> found = eecx.instability(panel, "cx")
    >>> found.table["term"].tolist()
    ['instability', 'share above norm']
    """
    asked = dict(locals())
    source = unit_waves(panel, "instability", rows=False, sums=False)
    panel.require(one_name("x", x), "x")
    if panel.wave is None:
        raise DataError(
            "Instability is over waves, and this panel has none.",
            code="needs-wave",
            fix="Make the panel with wave=.",
        )
    given = _norm(norm)
    value = panel.frame[x].to_numpy(float)
    known = ~np.isnan(value)
    frame = pd.DataFrame({"unit": panel.frame[panel.unit], "time": panel.time, "value": value})[
        known
    ]
    noise = (
        panel.variance[x].to_numpy(float)[known]
        if x in panel.variance.columns
        else np.full(len(frame), np.nan)
    )
    sign = 1 if panel.roles[x].better == "higher" else -1
    limit = float(frame["value"].mean()) if given is None else given
    away = frame["value"] - frame.groupby("time")["value"].transform("mean")
    frame = frame.assign(
        away=away, noise=noise, above=(sign * (frame["value"] - limit) > 0).astype(float)
    )
    grouped = frame.groupby("unit")
    waves = grouped.size().to_numpy(float)
    sd2 = grouped["away"].var(ddof=1).to_numpy(float)
    if (waves >= 3).sum() < 2:
        raise DataError(
            f"Fewer than two units have three waves with {x!r}.",
            code="too-few-rows",
            fix="Add waves.",
        )
    error = grouped["noise"].mean().to_numpy(float)
    told = np.where(np.isnan(error), 0.0, error)
    enough = waves >= 3
    net = np.where(enough, np.sqrt(np.maximum(sd2 - told, 0.0)), np.nan)
    share = grouped["above"].mean().to_numpy(float)
    units = pd.DataFrame(
        {
            "unit": list(grouped.groups),
            "waves": waves.astype(int),
            "mean": grouped["value"].mean().to_numpy(float),
            "sd": np.where(enough, np.sqrt(sd2), np.nan),
            "noise": np.sqrt(error),
            "instability": net,
            "share_above": share,
        }
    )
    rows: list[dict[str, Any]] = [
        {"term": "instability", **spread(net, enough)},
        {"term": "share above norm", **spread(share, np.ones(len(share), dtype=bool))},
    ]
    for row in rows:
        row["units"] = row.pop("groups")
    cautions = []
    if np.isnan(error).any():
        message = "Sampling variances are not known: instability holds sampling error too."
        cautions.append(Caution("unknown-reliability", message, x))
    elif zero := int((net == 0).sum()):
        message = f"{zero} units vary no more than sampling error would make them."
        cautions.append(Caution("no-true-variance", message, x))
    return Result(
        "instability",
        rows_as_table(rows, ("term",), MORE),
        recorded(
            instability,
            asked,
            data=source.fingerprint,
            norm=limit,
            norm_given=norm is not None,
            better=panel.roles[x].better,
        ),
        {"n": len(frame), "units": len(units), "waves": panel.waves},
        f"Over waves, units' {x} varied by {rows[0]['estimate']:.3g} (SD net of wave means and, "
        f"where known, sampling error; {rows[0]['minimum']:.3g} to {rows[0]['maximum']:.3g}), and "
        f"units were on the good side of {limit:.3g} in {100 * rows[1]['estimate']:.0f}% of their "
        "waves.",
        tables={"units": units},
        warnings=tuple(cautions),
        figure=_figure,
        title=x,
        unused=NO_INTERVAL,
    )


def _norm(norm: object) -> float | None:
    if norm is None:
        return None
    if isinstance(norm, bool) or not isinstance(norm, Real) or not np.isfinite(float(norm)):
        raise OptionError(
            f"norm={norm!r:.60}: a number on the scale of the measure.",
            code="wrong-type",
            fix="Leave it out for the mean over all cells.",
        )
    return float(norm)


def _figure(result: Result, ax: Any = None, **options: Any) -> Any:
    units = result.tables["units"]
    rows = pd.DataFrame({"group": result.title, "value": units["instability"]}).dropna()
    given = {
        "label": "SD over waves, net of wave means and sampling error",
        "title": f"How steady units are over waves: {result.title}",
        "caption": f"Each dot is a unit; {result.stats['waves']} waves.",
    }
    return plotting.distribution(rows, ax=ax, **(given | options))
