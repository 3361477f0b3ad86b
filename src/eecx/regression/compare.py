"""Several fits side by side, as a paper prints them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from .. import plotting
from ..errors import OptionError
from ..results import Result, versions

__all__ = ["compare"]


def compare(*fits: Result, names: Sequence[str] = (), digits: int = 3) -> Result:
    """Put the estimates of several results side by side.

    Parameters
    ----------
    *fits : Result
        Of :func:`eecx.regress`.
    names : sequence of str
        Headings; by default (1), (2), …
    digits : int
        Decimal places.

    Returns
    -------
    Result
        ``.table``: one row per term (and level) with the estimate, and its standard error in
        brackets, a column a fit; below, effects, errors, n, units, R². Text, for
        ``.to_latex()`` and notebooks. ``.tables["estimates"]``: the same in tidy numbers.

    Notes
    -----
    No stars: intervals are in ``.tables["estimates"]`` and in the figure. That one slope differs
    from zero and another does not, does not show that they differ.

    Examples
    --------
    >>> import eecx
    >>> sim = eecx.simulate.panel(units=60, waves=4, same_wave=0.5, rng=1)
    >>> fits = [
    ...     eecx.regress(sim.frame, "cx ~ ex", unit="unit", wave="wave", effects=e)
    ...     for e in ("between", "two-way")
    ... ]
    >>> eecx.compare(*fits, names=["between", "two-way"]).table.columns.tolist()
    ['term', 'between', 'two-way']
    """
    if len(fits) < 2 or not all(isinstance(f, Result) and "std_error" in f.table for f in fits):
        raise OptionError(
            "compare takes two or more Results of eecx.regress.",
            code="wrong-source",
            fix="Fit models and compare what eecx.regress() returns.",
        )
    if not all("term" in f.table and f.table["term"].notna().all() for f in fits):
        raise OptionError(
            "compare takes Results with one term per row, as those of eecx.regress.",
            code="wrong-source",
            fix="Fit models and compare what eecx.regress() returns.",
        )
    listed = isinstance(names, Sequence) and not isinstance(names, str)
    heads = list(names) if listed and names else [f"({i + 1})" for i in range(len(fits))]
    texts = listed and all(isinstance(h, str) and h for h in heads)
    if not texts or len(heads) != len(fits) or len(set(heads)) < len(heads):
        raise OptionError(
            f"names= needs {len(fits)} different headings, as texts; given: {names!r:.60}.",
            code="headings",
            fix="Give one text a fit.",
        )
    if isinstance(digits, bool) or not isinstance(digits, int) or not 0 <= digits <= 15:
        raise OptionError(
            f"digits={digits!r}: a whole number from 0 to 15.",
            code="digits",
            fix="Leave digits= out for three.",
        )
    long = []
    for head, fit in zip(heads, fits, strict=True):
        own = fit.table.copy()
        own.insert(0, "model", head)
        long.append(own)
    tidy = pd.concat(long, ignore_index=True)
    several = {f.spec.get("effects") for f in fits} & {"within-between"}
    keys = tidy["term"] + (", " + tidy["level"] if several and "level" in tidy else "")
    order = list(dict.fromkeys(k for k in keys if not k.startswith("(intercept)")))
    order += [k for k in dict.fromkeys(keys) if k.startswith("(intercept)")]
    rows: list[list[str]] = []
    for key in order:
        top, below = [key], [""]
        for head in heads:
            found = tidy[(keys == key) & (tidy["model"] == head)]
            top.append(f"{found['estimate'].iloc[0]:.{digits}f}" if len(found) else "")
            se = found["std_error"].iloc[0] if len(found) else np.nan
            below.append(f"({se:.{digits}f})" if np.isfinite(se) else "")
        rows += [top, below]
    families = [str(f.spec.get("family", "gaussian")) for f in fits]
    weights = [
        " ".join(k if v is None else f"{k} ({v})" for k, v in (f.spec.get("weights") or {}).items())
        for f in fits
    ]
    rows += [
        ["effects", *[str(f.spec.get("effects", "")) for f in fits]],
        *([["family", *families]] if set(families) != {"gaussian"} else []),
        ["errors", *[str(f.spec.get("vcov") or "model-based") for f in fits]],
        ["clusters", *[_clusters(f) for f in fits]],
        *([["weights", *weights]] if any(weights) else []),
        ["n", *[_whole(f.stats.get("n")) for f in fits]],
        ["units", *[_whole(f.stats.get("units")) for f in fits]],
        ["R²", *[_share(f.stats.get("r_squared")) for f in fits]],
    ]
    table = pd.DataFrame(rows, columns=["term", *heads])
    return Result(
        "compare",
        table,
        {"title": ", ".join(heads), "names": heads, "digits": digits, "versions": versions()},
        {"fits": len(fits)},
        " ".join(f"{head}: {fit.methods()}" for head, fit in zip(heads, fits, strict=True)),
        tables={"estimates": tidy},
        warnings=tuple(dict.fromkeys(w for f in fits for w in f.warnings)),
        references=tuple(dict.fromkeys(r for f in fits for r in f.references)),
        figure=_figure,
    )


def _clusters(fit: Result) -> str:
    """Return what errors were clustered by, and how many there are."""
    by = fit.spec.get("cluster")
    count = fit.stats.get("clusters")
    if by is None:
        return ""
    return f"{by if isinstance(by, str) else ' and '.join(by)} ({count})"


def _whole(value: Any) -> str:
    return "" if value is None else f"{int(value):,}"


def _share(value: Any) -> str:
    return "" if value is None or not np.isfinite(value) else f"{value:.3f}"


def _figure(result: Result, ax: Any = None, **options: Any) -> Any:
    tidy = result.tables["estimates"]
    kept = tidy[tidy["term"] != "(intercept)"]
    table = pd.DataFrame(
        {
            "term": kept["term"] + ", " + kept["level"],
            "group": kept["model"],
            **{c: kept[c] for c in ("estimate", "conf_low", "conf_high")},
        }
    )
    return plotting.coefficients(table, ax=ax, **({"title": "Models side by side"} | options))
