"""The verdict rule: what an estimate and its interval allow to be said.

All estimates are direction-aligned: positive means that better employee measures go with better
customer outcomes. With a smallest effect of interest δ and level α (two-sided, after Holm):

1. 90% interval inside ±δ, observed *and* corrected for unreliability → too small to matter;
2. 95% interval above δ → positive, large enough to matter;
3. 95% interval above 0 → positive, size unresolved;
4. mirrored → opposite;
5. else not resolved, with the effect that would be found with 80% power.

Without δ nothing is "too small" and nothing "large enough".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import special

__all__ = ["Kind", "Verdict", "detectable", "holm", "judge"]

Kind = Literal["positive", "opposite", "too_small", "not_resolved", "not_judged", "not_testable"]


@dataclass(frozen=True)
class Verdict:
    """A verdict: its kind, its sentence, and why no more can be said."""

    kind: Kind
    text: str
    note: str = ""


def holm(p_values: Sequence[float]) -> list[tuple[float, float]]:
    """Return the Holm-adjusted p and the factor by which each test's α is divided.

    References
    ----------
    Holm, S. (1979). A simple sequentially rejective multiple test procedure. Scandinavian
    Journal of Statistics, 6(2), 65–70.

    Examples
    --------
    >>> holm([0.03, 0.01])
    [(0.03, 1), (0.02, 2)]
    """
    order = np.argsort(p_values, kind="stable")
    out: list[tuple[float, float]] = [(1.0, 1)] * len(p_values)
    running = 0.0
    for rank, i in enumerate(order):
        share = len(p_values) - rank
        running = max(running, min(1.0, share * float(p_values[i])))
        out[int(i)] = (running, share)
    return out


def judge(
    estimate: float,
    std_error: float,
    df: float,
    *,
    delta: float | None = None,
    reliability: float | None = None,
    alpha: float = 0.05,
    p_adjusted: float | None = None,
    share: float = 1,
    largest: Literal["matter", "direction"] = "matter",
) -> Verdict:
    """Judge one direction-aligned estimate.

    Parameters
    ----------
    estimate, std_error, df : float
    delta : float, optional
        Smallest effect of interest, positive.
    reliability : float, optional
        Reliability of the predictor at this level: the corrected estimate is
        ``estimate / reliability``. Without one above 0 nothing is called too small.
    alpha : float
        Level of the family of tests; 0.05 means 95% and 90% intervals.
    p_adjusted, share : float
        Holm-adjusted p of "zero", and what α is divided by.
    largest : {"matter", "direction"}
        ``"direction"`` caps what may be said, where a gate is limited.

    Examples
    --------
    >>> judge(0.5, 0.1, 50).text
    'positive, size unresolved'
    >>> judge(0.5, 0.1, 50, delta=0.2).text
    'positive, large enough to matter'
    >>> judge(0.01, 0.01, 50, delta=0.2, reliability=0.8).text
    'too small to matter'
    """
    if not np.isfinite(std_error):
        return Verdict("not_resolved", "not resolved", "nothing tells the error of this slope")
    level = alpha / share
    wide = -float(special.stdtrit(df, level / 2)) * std_error
    narrow = -float(special.stdtrit(df, level)) * std_error
    furthest = max(abs(estimate - narrow), abs(estimate + narrow))
    note = ""
    if delta is not None and furthest < delta:
        if reliability is None or reliability <= 0:
            what = "unknown" if reliability is None else "not above 0"
            note = f"inside ±δ as observed, not called too small: the reliability of x is {what}"
        elif furthest / min(reliability, 1.0) >= delta:
            note = "inside ±δ as observed, but not once corrected for unreliability"
        elif largest == "direction":
            note = "inside ±δ, but a limited gate allows no such verdict"
        else:
            return Verdict("too_small", "too small to matter")
    significant = p_adjusted is None or p_adjusted <= alpha
    if significant and abs(estimate) > wide:
        kind: Kind = "positive" if estimate > 0 else "opposite"
        matters = delta is not None and abs(estimate) - wide > delta
        if matters and largest == "direction":
            note = "beyond δ, but a limited gate caps this row at its direction"
        size = "large enough to matter" if matters and largest == "matter" else "size unresolved"
        return Verdict(kind, f"{kind}, {size}", note)
    found = f"80% power only from {detectable(std_error, df, level):.3g}"
    return Verdict("not_resolved", "not resolved", "; ".join(t for t in (note, found) if t))


def detectable(std_error: float, df: float, alpha: float = 0.05, power: float = 0.8) -> float:
    """Return the effect that a two-sided test at ``alpha`` finds with this power."""
    return float((special.stdtrit(df, power) - special.stdtrit(df, alpha / 2)) * std_error)
