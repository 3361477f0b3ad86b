"""What is doubtful about a least-squares fit and its errors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..covariance import partial_leverage
from ..errors import Caution, listing
from ..models.columns import INTERCEPT, Column
from ..models.inference import covariance_of, estimates, is_perfect, two_keys
from ..models.least_squares import Fit
from ..models.levels import in_words
from ..models.swamy_arora import Components
from ..models.work import ROWWISE, Work, clustered

__all__ = ["cautions"]

Array = npt.NDArray[np.float64]

# a share of one cluster in what tells a coefficient, above which its error is doubtful
CONCENTRATED = 2 / 3
# clusters for each effective one, from which they are very unequal
UNEQUAL = 5
# covariances that are too small on average with few clusters
SMALL = ("CR0", "CR1", "CR1-areg", "CR1-plm", "CR1-each")
# clusters below which the wild bootstrap has few draws that differ
FEW = 10


def cautions(
    work: Work,
    fit: Fit,
    columns: Sequence[Column],
    table: pd.DataFrame,
    combine: Array,
    conf_level: float,
) -> tuple[Caution, ...]:
    """Return what a reader should doubt about a fit and its errors."""
    found = []
    names = in_words(columns, work.effects, work.waves)
    df = np.nan_to_num(table["df"].to_numpy(float), nan=np.inf)
    share = None
    if work.vcov != "classical" and not isinstance(work.cluster, tuple):
        share = partial_leverage(fit.by, combine @ fit.move)
    fewest, effective = _fewest(work, fit), np.full(len(combine), np.inf)
    if share is not None and clustered(work.vcov):
        # how many equal clusters each slope rests on: one over the sum of squared shares
        effective = np.asarray(1 / (share**2).sum(axis=0), dtype=float)
    if work.vcov in SMALL and fewest < 40:
        found.append(
            Caution(
                "few-clusters",
                f"{work.vcov} with {fewest} clusters"
                + (f" (as if of {effective.min():.1f} equal ones)" if effective.min() < 1e9 else "")
                + " is too small on average"
                + ("." if isinstance(work.cluster, tuple) else ";"),
                str(work.cluster),
                fix="" if isinstance(work.cluster, tuple) else "CR2 is safer.",
            )
        )
    if work.vcov == "CR2" and df.min() < 5:
        at = names[int(df.argmin())]
        found.append(
            Caution(
                "few-clusters",
                f"{at!r} rests on {df.min():.1f} effective clusters "
                "(Satterthwaite df): its interval is rough.",
                at,
            )
        )
    if effective.min() < fewest / UNEQUAL:
        at = names[int(effective.argmin())]
        found.append(
            Caution(
                "unequal-clusters",
                f"The {fewest} clusters ({work.cluster}) tell {at!r} as {effective.min():.1f} "
                "equal ones would: any cluster-robust interval may be too short.",
                at,
                fix="See what is left of the slope without the largest.",
            )
        )
    if work.vcov == "wild" and fewest < FEW:
        found.append(
            Caution(
                "few-clusters",
                f"A wild bootstrap of {fewest} clusters moves in steps: the ends of its intervals "
                "are rough, and may jump with conf_level.",
                str(work.cluster),
            )
        )
    if work.vcov in ("driscoll-kraay", "newey-west") and work.waves < 20:
        found.append(
            Caution(
                "few-waves",
                f"{work.vcov} errors rest on many waves; {work.waves} are few, and they are too "
                "small then.",
                "vcov",
            )
        )
    if isinstance(work.cluster, tuple) and table["std_error"].isna().any():
        found.append(
            Caution(
                "negative-variance",
                "Two-way clustering gives a negative variance here, as it can with few clusters: "
                "that error cannot be told this way.",
                listing(work.cluster),
            )
        )
    if work.components is not None:
        found += _boundary(work.components)
    if work.tau2 == 0:
        found.append(
            Caution(
                "no-variance-left",
                "Sampling error explains all that the terms leave: its variance beyond that is "
                "estimated at zero, and weights are 1/v.",
                str(work.y),
            )
        )
    if work.vcov == "CR2":
        found += _doubted(work, fit, columns, table, combine, conf_level)
    if is_perfect(fit):
        found.append(
            Caution(
                "perfect-fit",
                f"The terms reproduce {work.y!r} exactly: is it computed from them? "
                "No error can be told.",
                str(work.y),
            )
        )
    elif share is not None:
        found += _concentrated(work, share, names, table)
    if work.absorbed and work.singletons:
        found.append(
            Caution(
                "single-wave-units",
                f"{work.singletons} of {work.units} units have one wave only; "
                "with unit effects they contribute nothing.",
                "units",
            )
        )
    if fit.condition > 1e6:
        found.append(
            Caution(
                "ill-conditioned",
                f"The columns are nearly collinear (condition number "
                f"{fit.condition:.1g}): single slopes are unstable.",
                "formula",
            )
        )
    return tuple(found)


def _boundary(components: Components) -> list[Caution]:
    """Caution where a variance of random effects is estimated at zero, and say what is left."""
    zero = {"units": components.between == 0, "waves": components.waves == 0}
    rest = "this is pooled least squares"
    if components.waves is not None and not all(zero.values()):
        rest = f"the rows are weighted by effects of {'units' if zero['waves'] else 'waves'} alone"
    return [
        Caution("boundary", f"The variance between {name} is estimated at zero: {rest}.", name)
        for name, is_zero in zero.items()
        if is_zero
    ]


def _doubted(
    work: Work,
    fit: Fit,
    columns: Sequence[Column],
    table: pd.DataFrame,
    combine: Array,
    conf_level: float,
) -> list[Caution]:
    """Caution where CR2 says that a slope is not zero and the jackknife does not, or vice versa."""
    covariance, df = covariance_of(work, fit, "CR3", combine)
    se = np.sqrt(np.diag(covariance))
    other = estimates(combine @ fit.beta, se, df, conf_level)["p_value"]
    found = []
    names = in_words(columns, work.effects, work.waves)
    named = zip(names, columns, table["p_value"], other, strict=True)
    for name, column, own, their in named:
        if column != INTERCEPT and (own < 1 - conf_level) != (their < 1 - conf_level):
            message = (
                f"For {name!r}, CR2 (p = {own:.3f}) and the jackknife CR3 (p = {their:.3f}) "
                "disagree: few clusters decide."
            )
            found.append(Caution("errors-disagree", message, str(name), fix="See vcov='wild'."))
    return found


def _fewest(work: Work, fit: Fit) -> int:
    if isinstance(work.cluster, tuple):
        return min(int(work.cells.keys[c].nunique()) for c in two_keys(work))
    return len(fit.scores)


def _concentrated(
    work: Work, share: Array, names: Sequence[str], table: pd.DataFrame
) -> list[Caution]:
    """Caution against errors of what varies in one cluster (or row) alone, or mostly there."""
    kind = "row" if work.vcov in ROWWISE else f"cluster ({work.cluster})"
    found = []
    for name, df, own in zip(names, table["df"], share.T, strict=True):
        at = int(own.argmax())
        if np.isnan(df):
            message = f"Nothing tells the error of {name!r}: it fits each {kind} exactly."
        elif own[at] > CONCENTRATED:
            which = "" if work.vcov in ROWWISE else f", {listing([work.clusters[1][at]])}"
            message = (
                f"{100 * own[at]:.0f}% of what tells {name!r} lies in one {kind}{which}: its "
                "error, told by the rest, may be far too small."
            )
        else:
            continue
        found.append(Caution("one-cluster", message, str(name)))
    return found
