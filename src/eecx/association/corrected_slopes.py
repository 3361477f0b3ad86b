r"""The observed and the corrected slopes of one level, and what their errors rest on.

With S the cross-products of the terms, s those with the outcome, and :math:`\Lambda, \lambda` their
parts that are error, known or told by the data,

.. math:: \hat\beta = (S - \Lambda)^{-1} (s - \lambda)

Errors of :math:`\hat\beta` are those of the jackknife by cluster, the parts of :math:`\Lambda`
that the data tell left out with their clusters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..errors import Caution, DataError
from ..models.columns import Column
from ..models.inference import covariance_of, fit_work
from ..models.least_squares import Fit
from ..models.levels import level_of
from ..models.work import Work
from ..moments import Moments
from ..panel import Panel
from ..results import Estimates
from .given_errors import GivenErrors, refuse_covariances
from .sampling_errors import (
    Rows,
    error_sums_of_panel,
    error_sums_of_people,
    known_errors,
)

__all__ = ["Level", "corrected_level", "of_people", "said", "varying"]

Array = npt.NDArray[np.float64]

# what is left without a cluster of a combination of coefficients that it decides alone
ALONE = 1e-10


@dataclass(frozen=True, eq=False)
class Level:
    """The observed and the corrected slopes of one level, with what their errors need.

    ``error`` is that of the terms and the outcome together, per value, or None if none is known.
    ``moved`` (G, k) is how far the corrected coefficients move when a cluster is left out.
    """

    work: Work
    fit: Fit
    words: str
    reliability: Mapping[str, float]
    error: Array | None
    told: bool
    corrected: Array
    moved: Array
    covariance: Array

    @property
    def jackknifed(self) -> Estimates:
        """The corrected coefficients with how far leaving out each cluster moves them."""
        df = np.full(len(self.corrected), len(self.moved) - 1.0)
        spread = self.moved.T @ self.moved
        labels, cluster = self.work.clusters[1], self.work.cluster
        return Estimates(self.corrected, spread, df, "jackknife", cluster, labels, self.moved)

    @property
    def shown(self) -> list[int]:
        """Places of the terms among the coefficients."""
        return [i for i, n in enumerate(self.fit.columns) if n in self.work.terms]

    def shown_errors(self) -> pd.DataFrame:
        """Return the errors of one value as rows, each pair once."""
        names = [c.name for c in (*self.fit.columns, self.work.y)]
        rows = []
        error = np.zeros((len(names),) * 2) if self.error is None else self.error
        for i, one in enumerate(names):
            for j in range(i, len(names)):
                if error[i, j]:
                    rows.append((one, names[j], self.words, error[i, j]))
        return pd.DataFrame(rows, columns=["term", "with_term", "level", "error_covariance"])


def varying(work: Work) -> Work:
    """Keep the terms that vary at this level."""
    spread = np.diag(work.cells.select([work.y, *work.terms]).collapse().cross[0])[1:]
    noise = float(work.cells.n.sum()) * (1e-14 * work.size[1 : 1 + len(work.terms)]) ** 2
    kept = tuple(n for n, s, e in zip(work.terms, spread, noise, strict=True) if s > e)
    if not kept:
        raise DataError(
            f"No term varies {level_of(work.effects, work.waves)}.",
            code="constant-column",
            fix="Take terms that do, or other effects=.",
        )
    return work.with_equation(work.y, kept)


def corrected_level(
    work: Work, panel: Panel | None, rows: Rows | None, given: GivenErrors
) -> tuple[Level, list[Caution]]:
    """Correct the slopes of one level; return what is doubtful beside them."""
    fit = fit_work(work)
    columns, k = list(fit.columns), len(fit.columns)
    at = {c.name: j for j, c in enumerate(columns) if c.part == "whole"}
    given.require(work)
    words = level_of(work.effects, work.waves)
    taken = [i for i, c in enumerate(columns) if c.part in ("wave", "intercept")]
    net = _net(fit.cross.sum(axis=0), taken)
    values = (fit.n - len(taken) - work.absorbed) * (float(work.cells.w.sum()) / fit.n)
    fixed = _fixed(given, at | {work.y.name: k}, net, values)
    told, cautions = _told(work, panel, rows, given, columns)
    share = _share(work, rows)
    parts = share[:, None, None] * fixed + told
    error = parts.sum(axis=0)
    reliability = {
        name: 1 - float(error[j, j] / net[j])
        for name, j in at.items()
        if name in given.names or error[j, j] > 0
    }
    _refuse(error[:k, :k], fit.cross.sum(axis=0), reliability, words)
    cautions += _low(reliability, words)
    corrected, moved = _corrected(fit, parts)
    normal = work.vcov == "classical" or len(moved) <= 2
    if not error.any():
        covariance = covariance_of(work, fit, work.vcov)[0]
    elif normal:
        covariance = _covariance_if_normal(fit, error, corrected)
    else:
        covariance = moved.T @ moved
    if np.isnan(moved).any() and not normal:
        message = (
            f"Without one of the clusters nothing but error is left of the terms, {words}: the "
            "errors of their corrected slopes cannot be told."
        )
        cautions.append(Caution("one-cluster", message, words))
    known = error / values if error.any() or reliability else None
    slopes = fit.move @ corrected
    return Level(
        work, fit, words, reliability, known, bool(told.any()), slopes, moved, covariance
    ), cautions


def _share(work: Work, rows: Rows | None) -> Array:
    """Return each cluster's share of the values that means and unit effects leave."""
    left = work.cells.w.copy()
    if work.absorbed:
        if isinstance(work.source, Moments):
            cells = work.source.collapse(list(dict.fromkeys([work.unit, str(work.cluster)])))
            of = cells.keys[str(work.cluster)]
            left -= of.value_counts().reindex(work.cells.keys.iloc[:, 0]).to_numpy(float)
        elif rows is not None:
            first = np.unique(rows.unit, return_index=True)[1]
            left -= np.bincount(rows.cell[first], minlength=len(left))
    return np.asarray(left / left.sum())


def _net(whole: Array, taken: Sequence[int]) -> Array:
    """Return what varies of each column net of the intercept and wave effects."""
    own = np.diag(whole).copy()
    if taken:
        block = whole[np.ix_(taken, taken)]
        own -= np.einsum("ij,ij->j", whole[taken], np.linalg.solve(block, whole[taken]))
    return own


def _fixed(given: GivenErrors, place: Mapping[str, int], net: Array, values: float) -> Array:
    """Return the error in the cross-products that what was given makes; the outcome is last."""
    error = np.zeros((len(net) + 1,) * 2)
    for name, value in given.reliability.items():
        j = place[name]
        error[j, j] = (1 - value) * net[j]
    at = [place[n] for n in given.covariance.columns]
    error[np.ix_(at, at)] = values * given.covariance.to_numpy(float).reshape(len(at), len(at))
    return error


def _told(
    work: Work, panel: Panel | None, rows: Rows | None, given: GivenErrors, columns: list[Column]
) -> tuple[Array, list[Caution]]:
    """Return the error in the cross-products that the data tell, cluster by cluster."""
    k = len(columns)
    out = np.zeros((len(work.cells.w), k + 1, k + 1))
    if panel is None or rows is None:
        return out, []
    people = of_people(panel)
    open_ = [c for c in work.terms if c.name not in given.names]
    if people and work.effects != "between":
        return out, []
    cautions: list[Caution] = []
    if people:
        # the outcome comes first among the columns of the rows, then all terms of the formula
        every = [n for n in work.cells.terms if n not in work.nuisance]
        sums = error_sums_of_people(rows, [*(every.index(n) for n in open_), 0])
    else:
        known = known_errors(panel, [c.name for c in open_], rows)
        open_ = [c for c in open_ if c.name in known]
        sums, cautions = error_sums_of_panel(panel, rows, known, work.y.name, work.effects)
    at = [*(columns.index(c) for c in open_), k]
    sums[:, -1, -1] = 0.0  # the outcome's own error biases no slope
    if work.y.name in given.names:
        sums[:, -1, :] = sums[:, :, -1] = 0.0
    out[:, np.array(at)[:, None], at] = sums
    return out, cautions


def of_people(panel: Panel) -> bool:
    """Whether units have several rows that are no waves."""
    return panel.wave is None and bool(panel.frame[panel.unit].duplicated().any())


def _corrected(fit: Fit, parts: Array) -> tuple[Array, Array]:
    """Return the coefficients of the centred model, and how far leaving out a cluster moves them.

    ``parts`` (G, k + 1, k + 1) is the error in each cluster's cross-products, the outcome last; the
    moves are those of the coefficients as they are shown.
    """
    k = len(fit.columns)
    whole, error = fit.cross.sum(axis=0), parts.sum(axis=0)
    observed = np.linalg.solve(fit.move, fit.beta)
    left = whole - error[:k, :k]
    corrected = np.linalg.solve(left, whole @ observed - error[:k, k])
    # cluster g's part of the estimating equations: s_g - S_g b, less its part of the error in them
    pull = fit.scores + np.einsum("gij,j->gi", fit.cross, observed - corrected)
    pull = pull - parts[:, :k, k] + parts[:, :k, :k] @ corrected
    moved = _left_out_moves(np.linalg.inv(left), fit.cross - parts[:, :k, :k], pull)
    return corrected, moved @ fit.move.T


def _covariance_if_normal(fit: Fit, error: Array, corrected: Array) -> Array:
    """Return the covariance where there are no clusters to leave out and variables are normal.

    The equations vary by S var(y - x b) + n cov(x, y - x b) cov(x, y - x b)'.
    """
    k = len(fit.columns)
    whole = fit.cross.sum(axis=0)
    inverse = np.linalg.inv(whole - error[:k, :k])
    off = error[:k, :k] @ corrected - error[:k, k]
    gap = np.linalg.solve(fit.move, fit.beta) - corrected
    meat = whole * ((fit.rss + gap @ whole @ gap) / fit.n) + np.outer(off, off) / fit.n
    return np.asarray(fit.move @ inverse @ meat @ inverse @ fit.move.T)


def _left_out_moves(bread: Array, cross: Array, scores: Array) -> Array:
    r"""Return how far the coefficients move when each cluster is left out, shape (G, k).

    With :math:`A_g, u_g` a cluster's part of the estimating equations' matrix and of the equations
    themselves, :math:`(A - A_g)^{-1} u_g` (as CR3). Where the cluster alone decides a combination
    of coefficients, nothing tells how it moves; NaN where no solution is left without it.
    """
    root = np.linalg.cholesky(bread)
    hat = root.T @ cross @ root
    values, vectors = np.linalg.eigh((hat + np.swapaxes(hat, 1, 2)) / 2)
    left = 1.0 - values
    score = (np.swapaxes(vectors, 1, 2) @ (scores @ root)[:, :, None])[:, :, 0]
    told = left >= ALONE
    moved = vectors @ np.where(told, score / np.where(told, left, 1.0), 0.0)[:, :, None]
    moved[(left < -ALONE).any(axis=1)] = np.nan
    return np.asarray(moved[:, :, 0] @ root.T)


def _low(reliability: Mapping[str, float], words: str) -> list[Caution]:
    """Return a caution for each low reliability, given or told by the data."""
    found = []
    for name, value in reliability.items():
        if value < 0.3:
            message = (
                f"The reliability of {name!r}, {words}, is {value:.2f}: the corrected slopes rest "
                "on little, and their intervals are rough."
            )
            found.append(Caution("low-reliability", message, name))
    return found


def _refuse(error: Array, whole: Array, reliability: Mapping[str, float], words: str) -> None:
    """Refuse errors that no errors can be, or beside which nothing is left."""
    for name, value in reliability.items():
        if value <= 0:
            raise DataError(
                f"{name!r} varies no more, {words}, than its error of measurement would make it: "
                "nothing is left to correct.",
                code="no-true-variance",
                fix="Leave it out.",
            )
    refuse_covariances(error, list(reliability))
    scale = np.sqrt(np.diag(whole))
    if np.linalg.eigvalsh((whole - error) / np.outer(scale, scale))[0] <= 1e-8:
        raise DataError(
            f"With reliabilities {said(reliability)} nothing but error is left of the terms "
            "together: their slopes cannot be corrected.",
            code="no-true-variance",
            fix="Leave out the least reliable.",
        )


def said(known: Mapping[str, float]) -> str:
    """Return reliabilities in words."""
    return ", ".join(f"{name} {value:.2f}" for name, value in known.items())
