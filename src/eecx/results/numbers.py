"""How numbers are printed: one rule for tables, sentences and figures.

Estimates get four significant digits; p values three decimals and never a zero; AIC, BIC, deviance
and log-likelihood, whose differences are what is read, two decimals whatever their size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

__all__ = [
    "coefficient",
    "interval_phrase",
    "number",
    "p_phrase",
    "p_value",
    "printed",
    "printed_statistic",
]

HEADINGS = {
    "std_error": "SE",
    "statistic": "t",
    "df": "df",
    "p_value": "p",
    "adjusted_p_value": "p, adjusted",
}
"""What stands above the agreed columns where they are printed."""

TWO_DECIMALS = frozenset(
    {"aic", "bic", "aicc", "deviance", "null_deviance", "loglik", "reml_criterion", "chi2", "F"}
)
MINUS = "−"


def number(value: Any) -> str:
    """Return a number with four significant digits; text as it is; – where there is none.

    Examples
    --------
    >>> number(0.123456), number(12.0), number(float("nan")), number(3e-7)
    ('0.1235', '12', '–', '3.00e-07')
    """
    if value is None or value is pd.NA:
        return "–"
    if isinstance(value, str | int | np.integer):
        return str(value)
    if np.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    if np.isnan(value):
        return "–"
    if float(value).is_integer() and abs(value) < 1e9:
        return f"{int(value)}"
    return f"{value:.4g}" if abs(value) >= 1e-4 else f"{value:.2e}"


def p_value(value: float) -> str:
    """Return a p value for a table: no zero in front, and none of 0.

    Examples
    --------
    >>> p_value(0.0312), p_value(1e-40), p_value(1.0)
    ('.031', '< .001', '1.000')
    """
    if not np.isfinite(value):
        return "–"
    return "< .001" if value < 0.001 else f"{value:.3f}".lstrip("0") if value < 1 else "1.000"


def p_phrase(value: float) -> str:
    """Return a p value for a sentence: "p = .031", "p < .001".

    Examples
    --------
    >>> p_phrase(0.0312), p_phrase(0.0)
    ('p = .031', 'p < .001')
    """
    text = p_value(value)
    return f"p {text}" if text.startswith("<") else f"p = {text}"


def interval_phrase(
    low: float, high: float, conf_level: float | None = None, form: str = ".3g"
) -> str:
    """Return an interval for a sentence, with its level where that is not said elsewhere.

    Examples
    --------
    >>> interval_phrase(0.1234, 2.0, 0.95), interval_phrase(-0.5, float("inf"))
    ('95% CI 0.123 to 2', '-0.5 to ∞')
    >>> interval_phrase(float("nan"), float("nan"), 0.95)
    'its error cannot be told'
    """
    if np.isnan(low) or np.isnan(high):
        return "its error cannot be told"
    first, last = (format(v, form) if np.isfinite(v) else number(v) for v in (low, high))
    level = "" if conf_level is None else f"{100 * conf_level:g}% CI "
    return f"{level}{first} to {last}"


def coefficient(value: float) -> str:
    """Return a correlation or reliability with two digits and, as journals print it, no zero.

    Examples
    --------
    >>> coefficient(0.345), coefficient(-0.2), coefficient(1.0)
    ('.34', '-.20', '1.00')
    """
    if not np.isfinite(value):
        return "–"
    text = f"{value:z.2f}"
    return text.replace("0.", ".", 1) if abs(float(text)) < 1 else text


def printed_statistic(name: str, value: Any) -> str:
    """Return a number of ``.stats`` as it is printed.

    Examples
    --------
    >>> printed_statistic("aic", 123456.789), printed_statistic("r_squared", 0.123456)
    ('123456.79', '0.1235')
    >>> printed_statistic("chi2_p", 0.0)
    '< .001'
    """
    if name.endswith("_p") and isinstance(value, float):
        return p_value(value)
    if name in TWO_DECIMALS and isinstance(value, float) and np.isfinite(value):
        return f"{value:.2f}"
    return number(value)


def printed(table: pd.DataFrame, statistic: str = "t", unused: Sequence[str] = ()) -> pd.DataFrame:
    """Return a table as people read it: rounded, short headings, no ``unused`` columns."""
    out = table.drop(columns=list(unused))
    for column in out.columns:
        if str(column).endswith("p_value"):
            out[column] = [p_value(v) for v in table[column]]
        elif pd.api.types.is_float_dtype(out[column]):
            out[column] = [printed_statistic(str(column), v) for v in table[column]]
    return out.rename(columns=HEADINGS | {"statistic": statistic})
