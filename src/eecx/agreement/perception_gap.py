"""The perception gap: what staff and customers say about the same thing, side by side."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from .. import options, plotting
from ..errors import Caution, DataError, OptionError
from ..models.joint import of_clusters
from ..panel import Panel
from ..results import Result, recorded
from ..sources import unit_waves
from .answers import rows_as_table
from .arguments import one_name

__all__ = ["perception_gap"]

Array = npt.NDArray[np.float64]


def perception_gap(panel: Panel, staff: str, customers: str, *, conf_level: float = 0.95) -> Result:
    r"""Compare the staff's and the customers' view of the same thing, on the same scale.

    Parameters
    ----------
    panel : Panel
    staff, customers : str
        Two measures on one scale: an employee measure and a customer outcome ("our service is
        friendly" / "the service is friendly").
    conf_level : float

    Returns
    -------
    Result
        ``.table``: ``staff mean``, ``customers' mean`` and ``gap`` (staff less customers), over
        unit means, each unit counting once, with t intervals over units, and a test of the gap;
        ``correlation`` of the two views over units (delta method). ``.stats``: n (cells that have
        both), units, waves; gap_sd and gap_sd_net, the SD of the gap over units, observed and net
        of sampling error. ``.tables["units"]``: ``unit``, and its ``staff`` and ``customers``
        means and ``gap``.

    Notes
    -----
    The gap describes. As a predictor it mixes two causes with a fixed weight: a regression keeps
    the two views as two measures (``nps ~ staff + customers``), of which a difference score is the
    special case of equal and opposite slopes; test that case rather than assume it. The same goes
    for expectation and perception. Edwards (1994), https://doi.org/10.1006/obhd.1994.1029.

    Examples
    --------
    >>> import eecx, pandas as pd
    >>> frame = pd.DataFrame(
    ...     {"store": list("abcde"), "own": [4.0, 4, 5, 5, 4], "theirs": [3.0, 4, 4, 5, 3]}
    ... )
    >>> panel = eecx.Panel.from_frame(frame, unit="store", employee=["own"], customer=["theirs"])
    >>> round(float(eecx.perception_gap(panel, "own", "theirs")["gap"]["estimate"]), 2)
    0.6
    """
    asked = dict(locals())
    options.conf_level(conf_level)
    source = unit_waves(panel, "perception_gap", rows=False, sums=False)
    names = [staff, customers]
    for role, name in zip(("staff", "customers"), names, strict=True):
        panel.require(one_name(role, name), role)
    if staff == customers:
        raise OptionError(
            "staff= and customers= name the same measure.",
            code="named-twice",
            fix="Name the one that employees answered, and the one that customers did.",
        )
    both = panel.frame[names].notna().all(axis=1).to_numpy()
    unit = panel.frame[panel.unit][both]
    means = panel.frame.loc[both, names].astype(float).groupby(unit).mean()
    g = len(means)
    if g < 3:
        raise DataError(
            f"{g} units have both {staff!r} and {customers!r}: at least 3 are needed.",
            code="too-few-units",
            fix="Add units; panel.audit says which were lost and why.",
        )
    a, b = (means[n].to_numpy(float) for n in names)
    gap = a - b
    t = -float(special.stdtrit(g - 1, (1 - conf_level) / 2))
    rows: list[dict[str, Any]] = []
    for term, values in (("staff mean", a), ("customers' mean", b), ("gap", gap)):
        value, se = float(values.mean()), float(values.std(ddof=1) / np.sqrt(g))
        rows.append({"term": term, **_line(value, se, g - 1, t, tested=term == "gap")})
    r, se_r = _correlation(a, b)
    rows.append({"term": "correlation", **_line(r, se_r, g - 1, t, tested=False)})
    table = rows_as_table(rows, ("term",))
    observed, net = float(gap.std(ddof=1)), None
    cautions = []
    known = [n for n in names if n in panel.variance.columns]
    if len(known) == 2:
        v = panel.variance.loc[both, names].sum(axis=1)
        error = (v.groupby(unit).sum() / v.groupby(unit).size() ** 2).to_numpy(float)
        net = float(np.sqrt(max(observed**2 - float(error.mean()), 0.0)))
    if panel.roles[staff].better != panel.roles[customers].better:
        message = "The two measures have opposite good directions:"
        fix = "are they the same thing?"
        cautions.append(Caution("direction", message, f"{staff}, {customers}", fix=fix))
    if a.min() > b.max() or b.min() > a.max():
        message = f"No unit's {staff} reaches any unit's {customers}:"
        fix = "are they on one scale?"
        cautions.append(Caution("scales", message, f"{staff}, {customers}", fix=fix))
    if shared := panel.shared_source(names):
        cautions.append(shared)
    row = table.set_index("term").loc["gap"]
    return Result(
        "perception_gap",
        table,
        recorded(perception_gap, asked, data=source.fingerprint),
        {
            "n": int(both.sum()),
            "units": g,
            "waves": len(np.unique(panel.time[both])) if panel.wave else None,
            "gap_sd": observed,
            "gap_sd_net": net,
        },
        f"Over {g} units, the staff's view ({staff}) and the customers' ({customers}) differed by "
        f"{row['estimate']:.3g} ({100 * conf_level:g}% CI {row['conf_low']:.3g} to "
        f"{row['conf_high']:.3g}) and correlated {r:.2f}.",
        tables={
            "units": pd.DataFrame(
                {"unit": list(means.index), "staff": a, "customers": b, "gap": gap}
            )
        },
        warnings=tuple(cautions),
        references=("edwards1994",),
        figure=_figure,
        title=f"{staff} less {customers}",
    )


def _line(value: float, se: float, df: float, t: float, *, tested: bool) -> dict[str, float]:
    z = value / se if tested and se > 0 else np.nan
    return {
        "estimate": value,
        "std_error": se,
        "statistic": z,
        "df": df,
        "p_value": 2 * float(special.stdtr(df, -abs(z))) if tested and se > 0 else np.nan,
        "conf_low": value - t * se,
        "conf_high": value + t * se,
    }


def _correlation(a: Array, b: Array) -> tuple[float, float]:
    """Return the correlation and its delta-method error, without assuming normal values."""
    if a.std() <= 0 or b.std() <= 0:
        return np.nan, np.nan
    za, zb = (a - a.mean()) / a.std(), (b - b.mean()) / b.std()
    r = float(np.mean(za * zb))
    each = (za * zb - r * (za**2 + zb**2) / 2) / len(a)
    found = of_clusters(np.array([r]), each[:, None])
    return r, float(np.sqrt(found.covariance[0, 0]))


def _figure(result: Result, ax: Any = None, **options: Any) -> Any:
    rows = pd.DataFrame({"group": result.title, "value": result.tables["units"]["gap"]})
    given = {
        "label": "staff's view less customers' view",
        "title": "The gap between staff's and customers' view",
        "marks": {0.0: "same view"},
        "caption": f"Each dot is a unit ({result.stats['units']}).",
    }
    return plotting.distribution(rows, ax=ax, **(given | options))
