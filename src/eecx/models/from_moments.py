"""A model made ready from sums that were kept: their terms, their keys, what they cannot give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from .. import formula as grammar
from ..errors import FormulaError
from ..moments import ROW, Moments
from ..sources import Source
from .capabilities import ROWWISE, Effects, Vcov, clustered
from .clusters import is_nested
from .columns import Column
from .transform import transformed
from .work import Work, has_intercept

__all__ = ["from_moments", "labels_in"]


def from_moments(
    source: Source,
    model: grammar.Formula,
    effects: Effects,
    vcov: Vcov | None,
    clusters: Sequence[str],
    *,
    gls: bool,
) -> Work:
    """Take the terms of a formula from Moments; units and clusters are among their keys."""
    data, unit = source.moments, source.unit
    labels = labels_in(data, (model.response, *model.terms))
    columns = tuple(
        Column(label, "whole", term)
        for label, term in zip(labels, (model.response, *model.terms), strict=True)
    )
    cells = replace(data.select(labels), terms=columns)
    cluster = clusters[0] if clusters else unit
    vcov = vcov or ("CR2" if cluster else "HC1" if ROW in data.keys.columns else "classical")
    _require_keys(cells, effects, unit, cluster, vcov)
    sizes = cells.collapse([unit]).n if unit else np.array([])
    nested = unit is None or is_nested(cells.keys, unit, cluster or unit)
    work = Work(
        cells,
        columns[0],
        columns[1:],
        (),
        data,
        effects,
        vcov,
        cluster,
        units=len(sizes),
        waves=0,
        singletons=int((sizes == 1).sum()),
        left_out=data.left_out,
        fingerprint=source.fingerprint,
        absorbed=len(sizes) if effects == "within" else 0,
        size=np.abs(cells.mean).max(axis=0),
        nested=frozenset({"unit"} if nested else ()),
        intercept=has_intercept(effects, gls),
        unit=unit or "",
        by=(cluster or "",),
        rows_read=False,
    )
    return transformed(work, cluster or "", gls)


def _require_keys(
    cells: Moments, effects: Effects, unit: str | None, cluster: str | None, vcov: Vcov
) -> None:
    """Refuse Moments that are not kept by what effects and errors are summed over."""
    keys = (unit, cluster if clustered(vcov) else None)
    cells.require_keys([k for k in dict.fromkeys(keys) if k])
    if vcov in ROWWISE and effects != "between":
        cells.require_keys([ROW])


def labels_in(data: Moments, terms: Sequence[grammar.Term]) -> list[str]:
    """Return the terms as these Moments spell them: ``z:x`` is ``x:z``, backticks may lack."""
    known: dict[grammar.Term, str] = {}
    for label in data.terms:
        try:
            found = grammar.parse_terms(label)
        except FormulaError:
            found = ()
        plain = grammar.Term((grammar.Name(label),))
        if len(found) == 1:
            known.setdefault(found[0], label)
        known[plain] = label  # "(intercept)" reads as a formula too
    return [known.get(term, term.label) for term in terms]
