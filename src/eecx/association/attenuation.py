"""What unreliable measures do to a correlation and a slope, observed beside corrected."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import partial
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from .. import options, plotting
from ..agreement import BETWEEN, CHANGE, level_sums, read_cells
from ..errors import Caution, DataError, OptionError, listing
from ..models.joint import function, of_clusters
from ..numerics.intervals import fisher
from ..resampling import percentile_interval, resampled_sums
from ..results import NUMBERS, Result, interval_phrase, recorded, tidy
from ..sources import Source, unit_waves

__all__ = ["attenuation"]

Array = npt.NDArray[np.float64]
Row = dict[str, Any]

KEYS = ("level", "version", "term")


def attenuation(
    data: object,
    x: str,
    y: str,
    *,
    reliability: Mapping[str, float] | None = None,
    draws: int = 2000,
    rng: int | np.random.Generator | None = 0,
    conf_level: float = 0.95,
) -> Result:
    r"""Observed and corrected correlation and slope, and the largest correlation observable.

    With reliabilities :math:`\rho_x, \rho_y`, a true correlation r* shows as

    .. math:: r = r^* \sqrt{\rho_x \rho_y} \le \sqrt{\rho_x \rho_y}, \qquad
              b = \rho_x b^*

    Parameters
    ----------
    data : Panel, frame or Moments
        Of a Panel, the reliabilities are those of the cells' sampling variances, separately
        between units and for change within units over time; a frame (one row a unit) or Moments
        need ``reliability``.
    x, y : str
        Predictor and outcome.
    reliability : mapping, optional
        ``{"engagement": 0.8, "nps": 0.9}``: taken as known without error; a measure that is not
        named counts as without error. Of a Panel, it replaces the estimates at both levels.
    draws, rng :
        Bootstrap of units, for a Panel. 0 draws leave it out.
    conf_level : float

    Returns
    -------
    Result
        ``.table``: per ``level``, ``version`` and ``term`` (correlation, slope) a row ``observed``
        and a row ``corrected``, and the ``largest observable`` correlation. Of a Panel,
        delta-method errors over units and t intervals with units - 1 degrees of freedom; from
        frames and Moments Fisher's interval and the classical slope error (n - 2), divided alike.
        The corrected figure never stands alone. ``.tables["intervals"]``: a row per figure and
        kind of ``interval``, those of the table beside those of the bootstrap, in which the
        reliabilities are estimated anew, with the draws that failed. ``.stats``: n (rows, or cells
        of the Panel), units, left_out.

    Notes
    -----
    Assumes that sampling errors of x and y are unrelated: wrong where both come from the same
    people (a warning says so). A corrected interval may leave [-1, 1]: then the data do not tell
    the true correlation. Correction adds assumptions, not information.

    Examples
    --------
    >>> import eecx
    >>> table = eecx.Moments.from_correlations([[1, 0.4], [0.4, 1]], n=100, names=["ex", "cx"])
    >>> found = eecx.attenuation(table, "ex", "cx", reliability={"ex": 0.64, "cx": 1.0})
    >>> found.table["estimate"].round(3).tolist()
    [0.8, 0.4, 0.5, 0.4, 0.625]
    """
    asked = dict(locals())
    options.conf_level(conf_level)
    source = unit_waves(data, "attenuation")
    options.draws(draws, usual=2000, conf_level=conf_level, none=True)
    given = _checked(x, y, reliability)
    if source.panel is not None:
        return _of_panel(source, given, asked)
    if not given:
        raise OptionError(
            "reliability= is needed: {x: 0.8, y: 0.9}. Only a Panel with sampling variances tells "
            "it by itself.",
            code="needs-reliability",
            fix=f"Give it, as in reliability={{{x!r}: 0.8}}.",
        )
    cell = source.summed([x, y]).collapse()
    n = float(cell.n[0])
    s = cell.cross[0] / (n - 1)
    if n < 4 or min(np.diag(s)) <= 0:
        raise DataError(
            f"{n:.0f} rows with {x!r} and {y!r}: at least 4 that vary are needed.",
            code="too-few-rows" if n < 4 else "constant-column",
            fix="Add rows." if n < 4 else "Take columns that vary.",
        )
    basis = {"n": int(n), "units": None, "left_out": cell.left_out}
    return _result(_of_rows(s, n, x, y, given, conf_level), asked, given, basis, source.fingerprint)


def _checked(x: object, y: object, reliability: object) -> dict[str, float]:
    """Return the reliabilities that are given, all arguments checked."""
    for role, name in (("x", x), ("y", y)):
        if not isinstance(name, str):
            raise OptionError(
                f"{role}={name!r:.60}: the name of one column or measure.",
                code="wrong-type",
                fix=f"Give one name, as in {role}='engagement', and call once for each.",
            )
    if x == y:
        raise OptionError(
            f"x= and y= both name {x!r}.", code="named-twice", fix="Name two columns."
        )
    if not isinstance(reliability, Mapping | None):
        raise OptionError(
            f"reliability={reliability!r:.60}: reliabilities by name.",
            code="wrong-type",
            fix=f"Give them, as in reliability={{{x!r}: 0.8}}.",
        )
    given = dict(reliability or {})
    for name, value in given.items():
        if name not in (x, y):
            raise OptionError(
                f"reliability names {name!r}, which is neither x nor y.",
                code="unknown-column",
                fix=f"They are {x!r} and {y!r}.",
            )
        if isinstance(value, bool) or not (isinstance(value, Real) and 0 < float(value) <= 1):
            raise OptionError(
                f"reliability of {name!r} is {value!r}: above 0 and at most 1.",
                code="out-of-range",
                fix="Leave it out for a measure without error.",
            )
    return given


def _of_rows(
    s: Array, n: float, x: str, y: str, given: Mapping[str, float], conf_level: float
) -> list[Row]:
    """Return the figures of independent rows, from their covariances."""
    rho_x, rho_y = given.get(x, 1.0), given.get(y, 1.0)
    most = float(np.sqrt(rho_x * rho_y))
    r = float(s[0, 1] / np.sqrt(s[0, 0] * s[1, 1]))
    b = float(s[0, 1] / s[0, 0])
    se_b = float(np.sqrt((s[1, 1] / s[0, 0]) * (1 - r**2) / (n - 2)))
    t = -float(special.stdtrit(n - 2, (1 - conf_level) / 2))
    low, high = fisher(r, n, conf_level)
    pooled = {"level": "pooled"}
    first = {"version": "largest observable", "term": "correlation", "estimate": most}
    rows: list[Row] = [pooled | first]
    for kind, by in (("observed", 1.0), ("corrected", most)):
        own = {"version": kind, "term": "correlation", "interval": "Fisher", "estimate": r / by}
        rows.append(pooled | own | {"conf_low": low / by, "conf_high": high / by})
    for kind, by in (("observed", 1.0), ("corrected", rho_x)):
        own = {"version": kind, "term": "slope", "interval": "t", "estimate": b / by}
        ends = {"conf_low": (b - t * se_b) / by, "conf_high": (b + t * se_b) / by}
        rows.append(pooled | own | {"std_error": se_b / by, "df": n - 2} | ends)
    return rows


def _of_panel(source: Source, given: Mapping[str, float], asked: Mapping[str, Any]) -> Result:
    x, y = asked["x"], asked["y"]
    cells, _ = read_cells(source, [x, y])
    read, cells = len(cells.frame), cells.complete([x, y])
    unknown = [n for n in (x, y) if n not in given and cells.variance[n].isna().any()]
    if len(unknown) == 2:
        raise DataError(
            f"The sampling variances of {x!r} and {y!r} are not known:",
            code="unknown-reliability",
            fix="give reliability=, or make the Panel from surveys.",
        )
    chance = options.rng(asked["rng"])
    rows: list[Row] = []
    samples = {}
    for level in (BETWEEN, CHANGE):
        found = level_sums(cells, [x, y], level)
        if found is None:
            continue
        squares, error, _ = found
        sums = np.column_stack([squares[:, 0, 0], squares[:, 0, 1], squares[:, 1, 1], error])
        for at, name in ((3, x), (4, y)):
            if name in given:  # known without error: noise is a fixed share of what varies
                sums[:, at] = (1 - given[name]) * sums[:, 0 if name == x else 2]
            elif name in unknown:
                sums[:, at] = 0.0
        own, drawn = _level(sums, asked["draws"], chance, asked["conf_level"])
        rows += [{"level": level, "units": len(sums)} | row for row in own]
        if drawn is not None:
            samples[level] = drawn
    if not rows:
        raise DataError(
            "Fewer than three units have both measures: nothing can be told.",
            code="too-few-units",
            fix="Add units; panel.audit says which were lost and why.",
        )
    cautions = []
    if unknown:
        message = f"The reliability of {unknown[0]!r} is not known and counted as 1."
        fix = f"Where it is known, give it: reliability={{{unknown[0]!r}: 0.8}}."
        cautions.append(Caution("unknown-reliability", message, unknown[0], fix=fix))
    cautions += source.shared_source([x, y])
    drawn = None
    if samples:
        drawn = pd.concat(samples, axis=1)
        drawn.columns = pd.Index([", ".join(map(str, c)) for c in drawn.columns])
    basis = {
        "n": len(cells.frame),
        "units": int(cells.frame["unit"].nunique()),
        "left_out": read - len(cells.frame),
    }
    return _result(rows, asked, given, basis, source.fingerprint, cautions, drawn)


def _forms() -> dict[tuple[str, str], Callable[[Array], Array]]:
    """Return every figure as a function of sums Sxx, Sxy, Syy, Nx, Ny (…, 5)."""

    def root(v: Array) -> Array:
        return np.sqrt(np.where(v > 0, v, np.nan))

    def true(s: Array, i: int) -> Array:
        left = s[..., 0 if i == 0 else 2] - s[..., 3 + i]
        return np.where(left > 0, left, np.nan)

    return {
        ("largest observable", "correlation"): lambda s: root(
            true(s, 0) / s[..., 0] * true(s, 1) / s[..., 2]
        ),
        ("observed", "correlation"): lambda s: s[..., 1] / root(s[..., 0] * s[..., 2]),
        ("corrected", "correlation"): lambda s: s[..., 1] / root(true(s, 0) * true(s, 1)),
        ("observed", "slope"): lambda s: s[..., 1] / s[..., 0],
        ("corrected", "slope"): lambda s: s[..., 1] / true(s, 0),
    }


def _level(
    sums: Array, draws: int, rng: np.random.Generator, conf_level: float
) -> tuple[list[Row], pd.DataFrame | None]:
    """Return the figures of one level with delta and bootstrap intervals over units."""
    units = len(sums)
    total = sums.sum(axis=0)
    # all figures are of degree zero in the sums, so that these need not be centred
    whole = of_clusters(total, sums)
    t = -float(special.stdtrit(units - 1, (1 - conf_level) / 2))
    sample = resampled_sums(sums, draws, rng) if draws else None
    rows: list[Row] = []
    drawn = {}
    for (kind, term), form in _forms().items():
        value = float(form(total))
        found = function(whole, form, partial(_gradient, form))
        se = float(np.sqrt(found.covariance[0, 0]))
        row: Row = {"version": kind, "term": term, "estimate": value, "std_error": se}
        row |= {"conf_low": value - t * se, "conf_high": value + t * se}
        row |= {"df": units - 1 if np.isfinite(se) else np.nan, "interval": "delta method"}
        if sample is not None:
            with np.errstate(invalid="ignore"):
                values = form(sample)
            own = values[np.isfinite(values)]
            ends = percentile_interval(own[:, None], conf_level) if len(own) > draws / 2 else None
            row |= {
                "boot_low": float(ends[0][0]) if ends else np.nan,
                "boot_high": float(ends[1][0]) if ends else np.nan,
                "failed_draws": draws - len(own),
            }
            drawn[f"{kind} {term}"] = values
        rows.append(row)
    return rows, pd.DataFrame(drawn) if sample is not None else None


def _gradient(form: Callable[[Array], Array], total: Array) -> Array:
    """Return the slopes of a figure along the sums, shape (1, 5)."""
    step = 1e-6 * np.maximum(np.abs(total), 1e-300)
    ways = zip(np.diag(step), step, strict=True)
    return np.array([[float(form(total + d) - form(total - d)) / (2 * h) for d, h in ways]])


def _table(rows: Sequence[Row]) -> pd.DataFrame:
    def column(name: str) -> list[Any]:
        return [row.get(name, np.nan) for row in rows]

    more = {"units": column("units")} if any("units" in row for row in rows) else {}
    return tidy({k: column(k) for k in KEYS}, {c: column(c) for c in NUMBERS}, more)


def _intervals(rows: Sequence[Row]) -> pd.DataFrame:
    """Return every interval of every figure, kinds one below the other."""
    lines = []
    for row in rows:
        if "interval" not in row:
            continue
        own = [row[k] for k in KEYS]
        lines.append((*own, row["interval"], row["conf_low"], row["conf_high"], 0))
        if "boot_low" in row:
            ends = row["boot_low"], row["boot_high"]
            lines.append((*own, "bootstrap", *ends, row["failed_draws"]))
    columns = [*KEYS, "interval", "conf_low", "conf_high", "failed_draws"]
    return pd.DataFrame(lines, columns=columns)


def _result(
    rows: Sequence[Row],
    asked: Mapping[str, Any],
    given: Mapping[str, float],
    basis: Mapping[str, Any],
    mark: str,
    cautions: Sequence[Caution] = (),
    draws: pd.DataFrame | None = None,
) -> Result:
    x, y, cautions = asked["x"], asked["y"], list(cautions)
    table = _table(rows)
    untold = table.loc[table["estimate"].isna(), "level"].unique()
    if len(untold):
        message = (
            f"At {listing(untold)}, units differ no more than sampling error would make them: "
            "nothing is left to correct."
        )
        cautions.append(Caution("no-true-variance", message, listing(untold)))
    beyond = table[(table["version"] == "corrected") & (table["term"] == "correlation")]
    if (beyond["estimate"].abs() > 1).any():
        message = "A corrected correlation is beyond 1: the reliabilities are too low or too rough."
        cautions.append(Caution("beyond-one", message, f"{x}, {y}"))
    said = "; ".join(
        f"{level}: {_said(part.set_index('version').to_dict('index'), asked['conf_level'])}"
        for level, part in table[table["term"] == "correlation"].groupby("level", sort=False)
    )
    return Result(
        "attenuation",
        table,
        recorded(attenuation, asked, data=mark, reliability=given),
        basis,
        f"Unreliability of {x} and {y} weakens what can be observed. {said}. Corrected figures "
        "assume that sampling errors are unrelated.",
        tables={"intervals": _intervals(rows)},
        warnings=tuple(cautions),
        draws=draws,
        failed_draws=max(row.get("failed_draws", 0) for row in rows),
        figure=_figure,
        title=f"{x}, {y}",
        unused=("statistic", "p_value"),
    )


def _said(rows: Mapping[Hashable, Mapping[Hashable, Any]], conf_level: float) -> str:
    """Return the correlations of one level in words."""
    observed, corrected = rows["observed"], rows["corrected"]
    ends = interval_phrase(observed["conf_low"], observed["conf_high"], conf_level, ".2f")
    first = f"observed r = {observed['estimate']:.2f} ({ends})"
    if not np.isfinite(corrected["estimate"]):
        return f"{first}, with no variance beyond sampling error to correct"
    ends = interval_phrase(corrected["conf_low"], corrected["conf_high"], None, ".2f")
    most = rows["largest observable"]["estimate"]
    return f"{first}, corrected {corrected['estimate']:.2f} ({ends}), at most {most:.2f} observable"


def _figure(result: Result, ax: Any = None, **options: Any) -> Any:
    rows = result.table[result.table["term"] == "correlation"]
    kept = rows[rows["version"] != "largest observable"]
    most = rows[rows["version"] == "largest observable"]
    limit = "; ".join(
        f"{r['level']} {r['estimate']:.2f}" for r in most.to_dict("records") if r["estimate"] > 0
    )
    table = pd.DataFrame(
        {
            "term": kept["level"],
            "group": kept["version"],
            **{c: kept[c] for c in ("estimate", "conf_low", "conf_high")},
        }
    ).dropna()
    caption = f"Correlation of {result.spec['x']} and {result.spec['y']}. Largest observable"
    given = {
        "title": "Observed and corrected correlation",
        "label": "correlation",
        "caption": f"{caption}: {limit}.",
    }
    return plotting.coefficients(table, ax=ax, **(given | options))
