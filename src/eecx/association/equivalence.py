"""Is an association too small to matter? Two one-sided tests against a smallest effect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from .. import plotting
from ..errors import Caution, OptionError, listing, nearest
from ..models.levels import AMONG, LEVEL
from ..results import NUMBERS, Result, fingerprint, interval_phrase, p_phrase, recorded, tidy
from .correlations import FISHER, LEAST

__all__ = ["equivalence", "tost"]

Array = npt.NDArray[np.float64]

TOO_SMALL = "too small to matter"
NOT_RESOLVED = "not resolved"

EXAMPLES = {"bound": 0.1, "alpha": 0.05, "reliability": 0.8, "n": 100, "df": 50, "std_error": 0.1}


def equivalence(
    found: Result | float,
    term: str | Sequence[str] | None = None,
    *,
    bound: float,
    alpha: float = 0.05,
    level: str | None = None,
    std_error: float | None = None,
    df: float | None = None,
    n: float | None = None,
    reliability: float | None = None,
) -> Result:
    r"""Test whether a coefficient or a correlation is smaller than what would matter (TOST).

    Two null hypotheses, that the effect is at most -δ and that it is at least δ, are tested at
    ``alpha`` each:

    .. math:: t_{lower} = \frac{b + \delta}{se}, \qquad t_{upper} = \frac{b - \delta}{se}

    Where both are refuted (the larger p is below ``alpha``; the same as: the 1 - 2·alpha interval
    lies inside ±δ), the effect is too small to matter. A correlation is tested on Fisher's z, with
    :math:`\operatorname{artanh} \delta` in place of δ and 1/√(n - 3) (or, where rows were
    clustered, the clusters' error) as its standard error.

    Parameters
    ----------
    found : Result or float
        A result whose table has ``estimate, std_error, df`` (:func:`eecx.regress`,
        :func:`eecx.correlations`), or an estimate.
    term : str or two names, optional
        Which row of the result: ``"engagement"``; of correlations ``("engagement", "nps")``. May be
        left out where there is one.
    bound : float
        Smallest effect of interest δ, above 0, in units of the estimate. It is declared before
        looking at the data; a bound that was chosen after is no test.
    alpha : float
        Level of each test, at most 0.25; 0.05 goes with a 90% interval.
    level : str, optional
        Which level, where a result has several: ``"between"``, ``"within"``.
    std_error, df : float, optional
        Of a given estimate; without ``df`` (or infinite) the tests are normal.
    n : float, optional
        Sample size: the given estimate is a correlation of n independent rows.
    reliability : float, optional
        What unreliable measures multiply the true effect by: the reliability of x for a slope,
        √(ρx ρy) for a correlation. The estimate divided by it is tested too, and "too small to
        matter" needs both.

    Returns
    -------
    Result
        ``.table``: a row ``observed`` (and ``corrected``) with the deciding test as ``statistic``,
        ``df``, ``p_value`` (the larger p), the 1 - 2·alpha interval, the ``bound`` and the
        ``verdict`` on both rows together, in the words of :func:`eecx.examine_claim`.
        ``.tables["one_sided"]``: both tests of each row, by ``side`` (``"lower"``: of "at most
        -δ"). ``.tables["intervals"]``: the 1 - alpha interval too, which decides about direction.
        ``.stats``: detectable.

    Raises
    ------
    OptionError
        A bound that is not above 0, an unknown term, an estimate without its error.

    Notes
    -----
    The verdict is, in this order: "too small to matter"; "positive, large enough to matter" (the
    1 - alpha interval lies above δ); "positive, size unresolved" (above 0); the same with
    "negative"; else "not resolved". A claim's evidence is direction-aligned and says "opposite"
    where this, which knows no good direction, says "negative". ``.stats["detectable"]`` is the
    effect that a two-sided test at ``alpha`` finds with 80% power.

    References
    ----------
    Schuirmann, D. J. (1987). A comparison of the two one-sided tests procedure and the power
    approach. Journal of Pharmacokinetics and Biopharmaceutics, 15, 657–680.
    https://doi.org/10.1007/BF01068419

    Lakens, D. (2017). Equivalence tests: A practical primer. Social Psychological and Personality
    Science, 8, 355–362. https://doi.org/10.1177/1948550617697177

    Examples
    --------
    >>> from eecx import equivalence
    >>> found = equivalence(0.02, n=71, bound=0.24)
    >>> round(float(found.table["p_value"][0]), 4), found.table["verdict"][0]
    (0.0319, 'too small to matter')
    >>> equivalence(0.5, std_error=0.1, df=50, bound=0.2).table["verdict"][0]
    'positive, large enough to matter'
    """
    asked = dict(locals())
    bound = _number("bound", bound)
    alpha = _number("alpha", alpha)
    if alpha > 0.25:
        raise OptionError(
            f"alpha={alpha:g}: at most 0.25; 0.05 is usual.",
            code="out-of-range",
            fix="Leave it out for 0.05.",
        )
    if reliability is not None and _number("reliability", reliability) > 1:
        raise OptionError(
            f"reliability={reliability!r}: above 0 and at most 1.",
            code="out-of-range",
            fix="Leave it out to test the observed estimate only.",
        )
    target = _read(found, term, level, std_error, df, n)
    if target.fisher and bound >= 1:
        raise OptionError(
            f"bound={bound:g}: a correlation's bound lies between 0 and 1.",
            code="out-of-range",
            fix="Give the smallest correlation that would matter, such as bound=0.1.",
        )
    shares = {"observed": 1.0} | ({} if reliability is None else {"corrected": reliability})
    one_sided = _one_sided(target, shares, bound)
    rows = [_tested(target, name, share, one_sided, alpha) for name, share in shares.items()]
    verdict = _verdict(target, rows, bound, alpha)
    detectable = (_quantile(target.df, 1 - alpha / 2) + _quantile(target.df, 0.8)) * target.error
    detectable = float(np.tanh(detectable)) if target.fisher else detectable
    by = found.spec if isinstance(found, Result) else None
    own = {} if by is not None else {"found": found}
    return Result(
        "equivalence",
        tidy(
            {"term": target.label, "version": list(shares)},
            {name: [row[name] for row in rows] for name in NUMBERS},
            {"bound": bound, "verdict": verdict},
        ),
        recorded(
            equivalence,
            asked,
            data=target.mark,
            of=by,
            term=target.label,
            level=target.level,
            conf_level=1 - 2 * alpha,
            **own,
        ),
        {"detectable": detectable if np.isfinite(detectable) else None},
        _methods(target, rows, verdict, bound, alpha),
        tables={"one_sided": one_sided, "intervals": _intervals(target, shares, alpha)},
        warnings=(*target.warnings, *_cautions(target, verdict, reliability)),
        references=("lakens2017",),
        figure=_figure,
        title=f"{target.label} within ±{bound:g}",
        statistic="z" if np.isinf(target.df) else "t",
    )


def _intervals(target: Target, shares: Mapping[str, float], alpha: float) -> pd.DataFrame:
    return pd.DataFrame(
        [
            (target.label, name, conf, *(end / share for end in target.ends(conf)))
            for name, share in shares.items()
            for conf in (1 - 2 * alpha, 1 - alpha)
        ],
        columns=["term", "version", "conf_level", "conf_low", "conf_high"],
    )


def tost(
    estimate: npt.ArrayLike, std_error: npt.ArrayLike, df: npt.ArrayLike, bound: npt.ArrayLike
) -> tuple[Array, Array, Array, Array]:
    """Return both statistics and their one-sided p: of "at most -bound", "at least bound".

    Examples
    --------
    >>> [float(v.round(3)) for v in tost(0.0, 0.1, 20, 0.2)]
    [2.0, 0.03, -2.0, 0.03]
    """
    b, se, free, d = (np.asarray(v, dtype=float) for v in (estimate, std_error, df, bound))
    with np.errstate(divide="ignore", invalid="ignore"):
        lower, upper = (b + d) / se, (b - d) / se
    return lower, _below(free, -lower), upper, _below(free, upper)


def _below(df: Array, t: Array) -> Array:
    """Return the probability of a smaller t; normal where df is infinite."""
    finite = np.where(np.isinf(df), 1.0, df)
    return np.where(np.isinf(df), special.ndtr(t), special.stdtr(finite, t))


def _quantile(df: float, p: float) -> float:
    return float(special.ndtri(p) if np.isinf(df) else special.stdtrit(df, p))


# ---------------------------------------------------------------------- what is tested


@dataclass(frozen=True)
class Target:
    """One estimate with its error; of a correlation, on Fisher's z."""

    label: str
    level: str | None
    estimate: float
    error: float
    df: float
    fisher: bool
    mark: str
    warnings: tuple[Caution, ...] = ()

    @property
    def moved(self) -> float:
        """The estimate on the scale of its error."""
        return float(np.arctanh(self.estimate)) if self.fisher else self.estimate

    @property
    def std_error(self) -> float:
        """The error on the scale of the estimate."""
        return self.error * (1 - self.estimate**2) if self.fisher else self.error

    def ends(self, conf_level: float) -> tuple[float, float]:
        """Return the limits of the estimate."""
        reach = _quantile(self.df, (1 + conf_level) / 2) * self.error
        ends = np.array([self.moved - reach, self.moved + reach])
        low, high = np.tanh(ends) if self.fisher else ends
        return float(low), float(high)


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 < float(value) < np.inf:
        raise OptionError(
            f"{name}={value!r}: a number above 0.",
            code="out-of-range",
            fix=f"Give one, such as {name}={EXAMPLES[name]}.",
        )
    return float(value)


def _read(
    found: Result | float,
    term: str | Sequence[str] | None,
    level: str | None,
    std_error: float | None,
    df: float | None,
    n: float | None,
) -> Target:
    if isinstance(found, Result):
        if (std_error, df, n) != (None, None, None):
            raise OptionError(
                "std_error=, df= and n= go with a number; a Result has its own.",
                code="not-accepted",
                fix="Leave them out.",
            )
        return _of_result(found, term, level)
    if isinstance(found, bool) or not isinstance(found, Real) or not np.isfinite(found):
        raise OptionError(
            f"An eecx.Result or a number is tested, not {found!r:.60} ({type(found).__name__}).",
            code="wrong-source",
            fix="Give what eecx.regress() or eecx.correlations() returns, or a number with "
            "std_error=.",
        )
    if level is not None:
        raise OptionError("level= goes with a Result.", code="not-accepted", fix="Leave it out.")
    b = float(found)
    label = term if isinstance(term, str) else ", ".join(term or ["estimate"])
    if n is not None:
        if std_error is not None or df is not None:
            raise OptionError(
                "n= is for a correlation; a coefficient has std_error= and df=.",
                code="not-accepted",
                fix="Leave n= out, or std_error= and df=.",
            )
        if not -1 < b < 1:
            raise OptionError(
                f"n= says that {b:g} is a correlation: between -1 and 1.",
                code="out-of-range",
                fix="Of a coefficient, give std_error= and df= in place of n=.",
            )
        if _number("n", n) < LEAST:
            raise OptionError(
                f"n={n:g}: at least {LEAST} rows are needed.",
                code="too-few-rows",
                fix="Give the number of rows that the correlation is of.",
            )
        mark = fingerprint(np.array([b, n], dtype=float))
        return Target(label, None, b, 1 / float(np.sqrt(n - 3)), np.inf, True, mark)
    if std_error is None:
        raise OptionError(
            "A number needs its error: std_error= (and df=), or n= of a correlation.",
            code="needs-error",
            fix="Give one of them.",
        )
    free = np.inf if df is None or df == np.inf else _number("df", df)
    error = _number("std_error", std_error)
    mark = fingerprint(np.array([b, error, free], dtype=float))
    return Target(label, None, b, error, free, False, mark)


def _of_result(found: Result, term: str | Sequence[str] | None, level: str | None) -> Target:
    table, pairs = found.table, found.analysis == "correlations"
    needed = ("estimate", "std_error", "df")
    if lacking := [c for c in needed if c not in table.columns or c in found.unused]:
        raise OptionError(
            f"The table of {found.analysis} has no {listing(lacking)}:",
            code="wrong-source",
            fix="give the estimate with std_error= and df=.",
        )
    first = "term" if "term" in table.columns else table.columns[0]
    labels = table["x"] + ", " + table["y"] if pairs else table[first].astype(str)
    rows = table.assign(_label=labels)
    if term is None and found.parts:
        rows = rows[[part != "intercept" for part in found.parts]]
    rows = _at_level(rows, found.analysis, level)
    rows = _of_term(rows, found.analysis, term, pairs)
    if len(rows) > 1:
        raise _several(rows, found.analysis)
    row = rows.iloc[0]
    b, se, free = (float(row[c]) for c in needed)
    if np.isnan(free) and np.isfinite(se):
        raise OptionError(
            f"{row['_label']!r} has no degrees of freedom in {found.analysis}, as after a wild "
            "bootstrap:",
            code="no-degrees-of-freedom",
            fix="fit with vcov='CR2', or give the estimate with std_error= and df=.",
        )
    if pairs:
        kinds = found.tables["levels"].set_index("level")["interval"]
        independent = kinds[row["level"]] == FISHER
        error = 1 / float(np.sqrt(row["n"] - 3)) if independent else se / (1 - b**2)
        se, free = error, np.inf if independent else free
    return Target(
        str(row["_label"]),
        str(row["level"]) if "level" in rows.columns else None,
        b,
        se,
        free,
        pairs,
        str(found.spec.get("data", "")),
        found.warnings,
    )


def _at_level(rows: pd.DataFrame, analysis: str, level: str | None) -> pd.DataFrame:
    if level is None:
        return rows
    if "level" not in rows.columns:
        raise OptionError(
            f"level={level!r}: {analysis} has no levels.",
            code="not-accepted",
            fix="Leave it out.",
        )
    there = rows["level"].unique()
    meant = {level, LEVEL.get(level), AMONG if level == "within" else None}
    if not meant & set(there):
        raise OptionError(
            f"level={level!r}: there is {listing(there)}.",
            code="no-such-row",
            fix=f"Take level={there[0]!r}.",
        )
    return rows[rows["level"].isin(meant)]


def _of_term(
    rows: pd.DataFrame, analysis: str, term: str | Sequence[str] | None, pairs: bool
) -> pd.DataFrame:
    if term is None:
        if rows["_label"].nunique() > 1:
            raise OptionError(
                f"term=: one of {listing(rows['_label'].unique())}.",
                code="several-rows",
                fix=f"Take term={rows['_label'].iloc[0]!r}.",
            )
        return rows
    if not isinstance(term, Sequence) or not all(isinstance(t, str) for t in term):
        raise OptionError(
            f"term={term!r:.60}: a name, or the two of a correlation.",
            code="wrong-type",
            fix=f"Take term={rows['_label'].iloc[0]!r}.",
        )
    wanted = term if isinstance(term, str) else ", ".join(term)
    if pairs and wanted not in set(rows["_label"]):
        swapped = rows["y"] + ", " + rows["x"]
        rows = rows.assign(_label=rows["_label"].where(swapped != wanted, wanted))
    if wanted not in set(rows["_label"]):
        raise OptionError(
            f"{analysis} has no {wanted!r}.",
            code="no-such-row",
            fix=nearest(wanted, rows["_label"]).strip(),
        )
    return rows[rows["_label"] == wanted]


def _several(rows: pd.DataFrame, analysis: str) -> OptionError:
    levels = list(rows["level"].unique()) if "level" in rows.columns else []
    if len(levels) > 1:
        message = f"{len(rows)} rows fit: level= is one of {listing(levels)}."
        return OptionError(message, code="several-rows", fix=f"Take level={levels[0]!r}.")
    return OptionError(
        f"{len(rows)} rows of {analysis} fit.",
        code="several-rows",
        fix="Give the estimate of one with std_error= and df=.",
    )


# ---------------------------------------------------------------------- tests and words


def _one_sided(target: Target, shares: Mapping[str, float], bound: float) -> pd.DataFrame:
    """Test an estimate over its reliability against both bounds: it against bound · reliability."""
    df = target.df if np.isfinite(target.df) else np.nan
    rows = []
    for version, share in shares.items():
        limit = float(np.arctanh(bound * share)) if target.fisher else bound * share
        lower, p_lower, upper, p_upper = (
            float(v) for v in tost(target.moved, target.error, target.df, limit)
        )
        rows.append((target.label, version, "lower", -bound, lower, df, p_lower))
        rows.append((target.label, version, "upper", bound, upper, df, p_upper))
    columns = ["term", "version", "side", "bound", "statistic", "df", "p_value"]
    return pd.DataFrame(rows, columns=columns)


def _tested(
    target: Target, version: str, share: float, one_sided: pd.DataFrame, alpha: float
) -> dict[str, float]:
    """Return the numbers of a row: those of the test with the larger p, and the interval."""
    lower, upper = one_sided[one_sided["version"] == version].to_dict("records")
    deciding = lower if lower["p_value"] > upper["p_value"] else upper
    low, high = target.ends(1 - 2 * alpha)
    return {
        "estimate": target.estimate / share,
        "std_error": target.std_error / share,
        "statistic": deciding["statistic"],
        "df": deciding["df"],
        "p_value": deciding["p_value"],
        "conf_low": low / share,
        "conf_high": high / share,
    }


def _verdict(
    target: Target, rows: Sequence[Mapping[str, float]], bound: float, alpha: float
) -> str:
    if not np.isfinite(target.error):
        return NOT_RESOLVED
    if all(row["p_value"] < alpha for row in rows):
        return TOO_SMALL
    low, high = target.ends(1 - alpha)
    if low <= 0 <= high:
        return NOT_RESOLVED
    matters = low > bound or high < -bound
    size = "large enough to matter" if matters else "size unresolved"
    return f"{'positive' if low > 0 else 'negative'}, {size}"


def _cautions(target: Target, verdict: str, reliability: float | None) -> tuple[Caution, ...]:
    if not np.isfinite(target.error):
        message = f"Nothing tells the error of {target.label!r}."
        return (Caution("no-error", message, target.label),)
    if verdict == TOO_SMALL and reliability is None:
        message = "Too small as observed: unreliable measures shrink an association."
        fix = "reliability= asks the same of the corrected one."
        return (Caution("as-observed", message, target.label, fix=fix),)
    return ()


def _methods(
    target: Target,
    rows: Sequence[Mapping[str, float]],
    verdict: str,
    bound: float,
    alpha: float,
) -> str:
    what = "correlation" if target.fisher else "coefficient"
    scale = " on Fisher's z" if target.fisher else ""
    said = "; ".join(
        f"{version} {row['estimate']:.3g} "
        f"({interval_phrase(row['conf_low'], row['conf_high'], 1 - 2 * alpha)}), larger "
        f"{p_phrase(row['p_value'])}"
        for version, row in zip(("observed", "corrected"), rows, strict=False)
    )
    where = f" ({target.level})" if target.level else ""
    return (
        f"The {what} of {target.label}{where} was tested for equivalence against ±{bound:g} by two "
        f"one-sided tests{scale} at {alpha:g} each (Lakens 2017): {said}. Verdict: {verdict}."
    )


def _figure(result: Result, ax: Any = None, **options: Any) -> Any:
    columns = ["estimate", "conf_low", "conf_high"]
    rows = result.table
    table = pd.DataFrame({"term": rows["term"] + ", " + rows["version"], **rows[columns]})
    ax = plotting.coefficients(table, ax=ax, **({"caption": _caption(result)} | options))
    for limit in (-result.spec["bound"], result.spec["bound"]):
        ax.axvline(limit, color="#8A8A8A", linewidth=0.9, linestyle="--", zorder=1)
    return ax


def _caption(result: Result) -> str:
    level = 100 * result.spec["conf_level"]
    return (
        f"{level:g}% interval; dashed: ±{result.spec['bound']:g}. Verdict: "
        f"{result.table['verdict'].iloc[0]}."
    )
