"""Many slopes tested at once: step-down p values that keep the share of false alarms."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from .. import options, plotting
from ..errors import Caution, DataError, OptionError, listing, nearest
from ..models.capabilities import EFFECTS, Uses
from ..models.joint import combined, romano_wolf_p, stacked
from ..resampling import Weights
from ..results import Result, p_phrase, recorded
from .compare import data_of, headings

__all__ = ["romano_wolf"]

USES = Uses(
    "romano_wolf",
    effects=tuple(e for e in EFFECTS if e != "mixed"),
    vcov=("CR2", "CR0", "CR1", "CR1-areg", "CR1-plm", "CR3"),
    called=None,
)
# clusters below which signs give few draws that differ, and Webb's six values are taken
FEW = 12

# clusters from which the joint distribution of t is told well enough
ENOUGH = 30


def romano_wolf(
    *fits: Result,
    terms: Sequence[str] | str | None = None,
    names: Sequence[str] = (),
    draws: int = 9999,
    rng: int | np.random.Generator | None = 0,
) -> Result:
    r"""Adjust p values of several slopes, of one fit or of many, for testing them all.

    If several outcomes or predictors are tried, some slope is "significant" by luck. The adjusted
    p values keep the probability of *any* false alarm among the slopes at the level, as Holm's do,
    and use how the slopes vary together, so that related outcomes cost little.

    Parameters
    ----------
    *fits : Result
        Of :func:`eecx.regress`, with clustered errors of one kind and by one column; clusters are
        matched by their names.
    terms : str or sequence of str, optional
        Which slopes; all but intercepts and contextual effects by default.
    names : sequence of str
        What fits are called; by default (1), (2), …
    draws, rng :
        Random signs of the clusters; with fewer than 12 clusters Webb's six values.

    Returns
    -------
    Result
        ``.table``: a row for each slope, ``model, term, level`` in front, with the columns of the
        fits and ``adjusted_p_value``, which is never below ``p_value``.

    Raises
    ------
    OptionError
        Results of other analyses, terms that no fit has, fits that cannot be tested together.
    DataError
        Nothing tells the error of any of the slopes.

    Notes
    -----
    A draw multiplies what each cluster adds to a slope, :math:`\psi_g`, by a random sign and takes
    the t of the mean over G clusters. The largest \|t\| of the fits is compared with the largest of
    each draw, the next with the largest among the slopes that are left, and so on (step-down):
    :math:`p = (1 + \text{hits}) / (1 + \text{draws})`. No model is fitted again. The t of slopes
    with fewer degrees of freedom than G - 1, as CR2 gives, are first taken to those of equal p.
    Assumes that clusters are independent, and that there are enough of them for the errors of
    single slopes to be trusted: in simulated samples of 10 to 30 unequal clusters with 2 to 24 CR2
    slopes, none of them true, there was a false alarm in 5 to 10% where 5 is asked, more with more
    slopes and fewer clusters (by Bonferroni's method, ``p_value`` times the number of slopes, in 3
    to 6%). A warning says so below 30 clusters.

    References
    ----------
    Romano and Wolf (2005), https://doi.org/10.1198/016214504000000539.

    Examples
    --------
    >>> import eecx
    >>> sim = eecx.simulate.panel(units=60, waves=4, same_wave=0.5, rng=1)
    >>> fits = [
    ...     eecx.regress(sim.frame, formula, unit="unit", wave="wave")
    ...     for formula in ("cx ~ ex", "cx ~ lag(ex)")
    ... ]
    >>> found = eecx.romano_wolf(*fits)
    >>> bool((found.table["adjusted_p_value"] >= found.table["p_value"]).all())
    True
    """
    asked = dict(locals())
    draws = options.draws(draws, usual=9999)
    if not fits or not all(isinstance(f, Result) and f.estimates is not None for f in fits):
        raise OptionError(
            "romano_wolf takes Results of eecx.regress.",
            code="wrong-source",
            fix="Fit models and give what eecx.regress() returns.",
        )
    heads = headings(names, len(fits))
    wanted = _wanted(fits, terms)
    rows, parts = [], []
    for head, fit, at in zip(heads, fits, wanted, strict=True):
        if len(at) and fit.estimates is not None:
            rows.append(fit.table.iloc[at].assign(model=head))
            parts.append(combined(fit.estimates, np.eye(len(fit.table))[at]))
    table = pd.concat(rows, ignore_index=True)
    together = stacked(*parts)
    clusters = 0 if together.labels is None else len(together.labels)
    kind: Weights = "webb" if clusters < FEW else "rademacher"
    p, drawn = romano_wolf_p(together, draws, kind, options.rng(rng))
    if np.isnan(p).all():
        raise DataError(
            f"Nothing tells the error of {listing(table['term'])}.",
            code="too-few-clusters",
            fix="Name other terms in terms=.",
        )
    p = np.maximum(p, table["p_value"].fillna(0.0).to_numpy(float))  # but for rounding they are
    front = ["model", "term", "level"]
    table = table[[*front, *(c for c in table.columns if c not in front)]]
    table = table.assign(adjusted_p_value=p)
    cautions = list(dict.fromkeys(w for f in fits for w in f.warnings))
    if clusters < ENOUGH:
        message = (
            f"With {clusters} clusters adjusted p values are somewhat too small: in simulations a "
            "false alarm came in up to 10% of families where 5 is asked."
        )
        way = "Take p_value times the number of slopes (Bonferroni), which kept 5%."
        cautions.append(Caution("few-clusters", message, str(together.cluster), fix=way))
    several = len(fits) > 1
    found = "; ".join(
        f"{term}{f' in {model}' if several else ''} {p_phrase(value)}"
        for term, model, value in zip(table["term"], table["model"], p, strict=True)
    )
    return Result(
        "romano_wolf",
        table,
        recorded(
            romano_wolf,
            asked,
            data=data_of(fits),
            of=[dict(f.spec) for f in fits],
            names=heads,
            weights=kind,
        ),
        {"fits": len(fits), "clusters": clusters, "draws": drawn},
        f"The p values of {len(table)} slopes were adjusted together by the step-down method of "
        f"Romano and Wolf ({drawn} draws of the signs of {clusters} clusters): {found}.",
        warnings=tuple(cautions),
        references=("romano2005",),
        figure=_figure,
        title=", ".join(dict.fromkeys(table["term"])),
    )


def _wanted(fits: Sequence[Result], terms: Sequence[str] | str | None) -> list[list[int]]:
    """Return the rows of every fit that are slopes, of the terms that are named."""
    if terms is not None and not isinstance(terms, Iterable):
        raise OptionError(
            f"terms={terms!r:.60}: terms of the fits, as texts.",
            code="wrong-type",
            fix="Name them, as in terms=['engagement'], or leave terms= out.",
        )
    asked = [terms] if isinstance(terms, str) else list(terms or ())
    known = dict.fromkeys(t for f in fits for t in f.table["term"])
    for term in asked:
        if term not in known:
            raise OptionError(
                f"No fit has a term {term!r}.", code="no-such-term", fix=nearest(term, known)
            )
    found = [
        [
            i
            for i, (term, part) in enumerate(zip(f.table["term"], f.parts, strict=True))
            if part not in ("intercept", "contextual") and (not asked or term in asked)
        ]
        for f in fits
    ]
    if not any(found):
        raise OptionError(
            "The fits have no slope to test.",
            code="no-such-term",
            fix="Fit models with a term, or leave terms= out.",
        )
    return found


def _figure(result: Result, ax: Any = None, **options: Any) -> Any:
    table = result.table.assign(
        term=result.table["term"] + ", " + result.table["level"], group=result.table["model"]
    )
    return plotting.coefficients(table, ax=ax, **({"title": "Slopes tested together"} | options))
