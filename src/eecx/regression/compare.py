"""Several fits side by side, as a paper prints them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from .. import plotting
from ..errors import Caution, OptionError
from ..models.inference import estimates
from ..models.joint import combined, f_test, hotelling_test, stacked
from ..models.levels import slopes_of
from ..results import NUMBERS, Result, fingerprint, identifying, recorded

__all__ = ["compare", "data_of", "headings"]

Array = npt.NDArray[np.float64]


def compare(*fits: Result, names: Sequence[str] = (), digits: int = 3) -> Result:
    """Put the estimates of several results side by side.

    Parameters
    ----------
    *fits : Result
        Of :func:`eecx.regress`.
    names : sequence of str
        Headings; by default (1), (2), …
    digits : int
        Decimal places; numbers that round to nothing keep two significant digits.

    Returns
    -------
    Result
        ``.table``: the estimates with their identifying columns ``model, term, level``. What is
        printed, in notebooks and by ``.to_latex()``, is ``.tables["side_by_side"]``: one row per
        term (and level) with the estimate, its standard error in brackets below, a column a fit;
        then effects, errors, n, units, R².
        ``.tables["equality"]``: for every term and level that several fits have, the test that
        these slopes are equal (``models``: of which fits): with CR2 errors the approximate
        Hotelling test (``test`` is ``HTZ``, as in :func:`eecx.wald`), else F, on ``df`` and
        ``df_denominator``. Of two fits it has the difference, first less second, with error and
        interval (at the level of the first fit) too. It is empty where no term is in several fits,
        or where fits cannot be tested together: a warning says why.

    Raises
    ------
    OptionError
        Fewer than two results, results of other analyses, headings that are not distinct.

    Notes
    -----
    No stars: intervals are in ``.table`` and in the figure. That one slope differs from zero and
    another does not, does not show that they differ: ``.tables["equality"]`` does. It takes fits
    with the same kind of clustered errors, by the same column; clusters are matched by their
    names, and one that a fit lacks adds nothing to its slopes. Slopes of different outcomes are
    in units of each.

    Examples
    --------
    >>> import eecx
    >>> sim = eecx.simulate.panel(units=60, waves=4, same_wave=0.5, rng=1)
    >>> fits = [
    ...     eecx.regress(sim.frame, "cx ~ ex", unit="unit", wave="wave", effects=e)
    ...     for e in ("between", "two-way")
    ... ]
    >>> found = eecx.compare(*fits, names=["between", "two-way"])
    >>> found.tables["side_by_side"].columns.tolist()
    ['term', 'between', 'two-way']
    >>> fits = [
    ...     eecx.regress(sim.frame, formula, unit="unit", wave="wave")
    ...     for formula in ("cx ~ ex", "cx ~ ex + lag(ex)")
    ... ]
    >>> eecx.compare(*fits).tables["equality"][["term", "models", "test"]].values.tolist()
    [['ex', '(1), (2)', 'HTZ']]
    """
    asked = dict(locals())
    models = [
        isinstance(f, Result) and identifying(f.table) == ["term", "level"] and f.estimates
        for f in fits
    ]
    if len(fits) < 2 or not all(models):
        raise OptionError(
            "compare takes two or more Results of eecx.regress.",
            code="wrong-source",
            fix="Fit models and compare what eecx.regress() returns.",
        )
    heads = headings(names, len(fits))
    if isinstance(digits, bool) or not isinstance(digits, int) or not 0 <= digits <= 15:
        raise OptionError(
            f"digits={digits!r}: a whole number from 0 to 15.",
            code="not-accepted",
            fix="Leave it out for 3.",
        )
    columns = ["term", "level", *NUMBERS]
    long = [f.table[columns].assign(model=head) for head, f in zip(heads, fits, strict=True)]
    whole = pd.concat(long, ignore_index=True)[["model", *columns]]
    several = any(part == "contextual" for f in fits for part in f.parts)
    keys = whole["term"] + ", " + whole["level"] if several else whole["term"]
    constant = np.array([part == "intercept" for f in fits for part in f.parts])
    rows: list[list[str]] = []
    for key in dict.fromkeys([*keys[~constant], *keys[constant]]):
        top, below = [key], [""]
        for head in heads:
            own = whole[(keys == key) & (whole["model"] == head)]
            top.append(_rounded(own["estimate"].iloc[0], digits) if len(own) else "")
            se = own["std_error"].iloc[0] if len(own) else np.nan
            below.append(f"({_rounded(se, digits)})" if np.isfinite(se) else "")
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
    shown = pd.DataFrame(rows, columns=["term", *heads])
    equality, doubts = _equality(fits, heads)
    return Result(
        "compare",
        whole,
        recorded(compare, asked, data=data_of(fits), of=[dict(f.spec) for f in fits], names=heads),
        {"fits": len(fits)},
        " ".join(f"{head}: {fit.methods()}" for head, fit in zip(heads, fits, strict=True)),
        tables={"side_by_side": shown, "equality": equality},
        warnings=tuple(dict.fromkeys([*(w for f in fits for w in f.warnings), *doubts])),
        references=tuple(dict.fromkeys(r for f in fits for r in f.references)),
        figure=_figure,
        title=", ".join(heads),
        side_by_side=shown,
        parts=tuple(part for f in fits for part in f.parts),
    )


def headings(names: Sequence[str], fits: int) -> list[str]:
    """Return what fits are called: as given, or by their numbers."""
    listed = isinstance(names, Sequence) and not isinstance(names, str)
    heads = list(names) if listed and names else [f"({i + 1})" for i in range(fits)]
    texts = listed and all(isinstance(h, str) and h for h in heads)
    if not texts or len(heads) != fits or len(set(heads)) < len(heads):
        raise OptionError(
            f"names= needs {fits} different headings, as texts; given: {names!r:.60}.",
            code="not-accepted",
            fix="Give a text for each fit, or leave names= out.",
        )
    return heads


def _equality(fits: Sequence[Result], heads: Sequence[str]) -> tuple[pd.DataFrame, list[Caution]]:
    """Test whether slopes of one term and level are equal in the fits that have it."""
    places: dict[tuple[str, ...], list[tuple[int, int]]] = {}
    for i, fit in enumerate(fits):
        family = str(fit.spec.get("family", "gaussian"))
        named = zip(fit.table["term"], fit.table["level"], fit.parts, strict=True)
        for row, (term, level, part) in enumerate(named):
            if part != "intercept":
                places.setdefault((term, level, family), []).append((i, row))
    shared = {key: found for key, found in places.items() if len(found) > 1}
    conf_level = float(fits[0].spec.get("conf_level") or 0.95)
    of = {i: f.estimates for i, f in enumerate(fits) if f.estimates}
    rows, cautions = [], []
    for (term, level, _), found in shared.items():
        try:
            together = stacked(*(combined(of[i], _unit(fits[i], row)) for i, row in found))
        except OptionError as error:
            message = f"No test of equal slopes: {error}"
            cautions.append(Caution("no-joint-test", message, "equality", fix=error.fix))
            continue
        q = len(found) - 1
        differ = combined(together, np.column_stack([np.ones(q), -np.eye(q)]))
        test = f_test(differ) if differ.spread is None else hotelling_test(differ)
        if np.isnan(test.p_value):
            message = "Nothing tells whether these slopes differ, or too few clusters do."
            cautions.append(Caution("too-few-clusters", message, f"{term}, {level}"))
        one = estimates(differ.values, np.sqrt(np.diag(differ.covariance)), differ.df, conf_level)
        row_of: dict[str, Any] = {"term": term, "level": level}
        row_of["models"] = ", ".join(heads[i] for i, _ in found)
        row_of |= {c: one[c][0] if q == 1 else np.nan for c in NUMBERS}
        row_of |= {"statistic": test.statistic, "df": test.df, "p_value": test.p_value}
        row_of |= {"df_denominator": test.df_denominator, "test": test.name}
        rows.append(row_of)
    columns = ["term", "level", "models", *NUMBERS, "df_denominator", "test"]
    return pd.DataFrame(rows, columns=columns), list(dict.fromkeys(cautions))


def _unit(fit: Result, row: int) -> Array:
    out = np.zeros((1, len(fit.table)))
    out[0, row] = 1.0
    return out


def data_of(fits: Sequence[Result]) -> str:
    """Return the fingerprint of the fits' data, or of their fingerprints where they differ."""
    marks = list(dict.fromkeys(str(f.spec["data"]) for f in fits))
    return marks[0] if len(marks) == 1 else fingerprint(*marks)


def _rounded(value: float, digits: int) -> str:
    """Return so many decimals; of what they would leave nothing of, two significant digits."""
    return f"{value:.{digits}f}" if value == 0 or abs(value) >= 10.0**-digits else f"{value:.2g}"


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
    kept = slopes_of(result)
    table = pd.DataFrame(
        {
            "term": kept["term"] + ", " + kept["level"],
            "group": kept["model"],
            **{c: kept[c] for c in ("estimate", "conf_low", "conf_high")},
        }
    )
    return plotting.coefficients(table, ax=ax, **({"title": "Models side by side"} | options))
