"""What is said of errors of measurement: reliabilities, and error covariances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..errors import DataError, OptionError, listing, nearest
from ..models.work import Effects, Work

__all__ = ["Given", "GivenErrors", "given_errors", "refuse_covariances"]

Array = npt.NDArray[np.float64]
Given = pd.DataFrame | Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class GivenErrors:
    """What the user says of errors: reliabilities, and covariances with names on both sides."""

    reliability: Mapping[str, float]
    covariance: pd.DataFrame

    @property
    def names(self) -> set[str]:
        """The columns whose errors are given."""
        return {*self.reliability, *self.covariance.columns}

    def require(self, work: Work) -> None:
        """Refuse names that are not in the model."""
        terms = [c.name for c in work.terms]
        for what, names, accepted in (
            ("reliability", self.reliability, terms),
            ("error_covariance", self.covariance.columns, [*terms, work.y.name]),
        ):
            for name in names:
                if name not in accepted:
                    raise OptionError(
                        f"{what} names {name!r}, which is no term.",
                        code="no-such-term",
                        fix=nearest(name, terms),
                    )


def given_errors(
    reliability: Mapping[str, float] | None, covariance: Given | None, effects: Effects
) -> GivenErrors:
    """Read ``reliability=`` and ``error_covariance=``; refuse what no errors can be."""
    if not isinstance(reliability, Mapping | None):
        raise OptionError(
            f"reliability={reliability!r:.60}: by name, as {{'engagement': 0.8}}.",
            code="wrong-type",
            fix="Give it by the name of its column.",
        )
    for name, value in (reliability or {}).items():
        if isinstance(value, bool) or not (isinstance(value, Real) and 0 < value <= 1):
            raise OptionError(
                f"reliability of {name!r} is {value!r}: above 0 and at most 1.",
                code="out-of-range",
                fix="Leave it out for a measure without error.",
            )
    table = pd.DataFrame() if covariance is None else _square(covariance)
    if both := set(reliability or {}) & set(table.columns):
        raise OptionError(
            f"{listing(sorted(both))} is in reliability and in error_covariance:",
            code="named-twice",
            fix="give one of them.",
        )
    found = GivenErrors(dict(reliability or {}), table)
    if effects == "within-between" and found.names:
        raise OptionError(
            "effects='within-between' takes the errors of each level from the data.",
            code="does-not-apply",
            fix="With given reliabilities, which differ by level, take effects='within' and "
            "'between' by turns.",
        )
    return found


def _square(given: Given) -> pd.DataFrame:
    """Return given error covariances in one order; refuse what no covariances can be."""
    try:
        table = pd.DataFrame(given).astype(float)
    except (TypeError, ValueError) as error:
        raise OptionError(
            "error_covariance is a DataFrame of numbers, or a mapping such as "
            "{'a': {'a': 0.04, 'b': 0.01}, 'b': {'a': 0.01, 'b': 0.05}}.",
            code="wrong-type",
            fix="Give one of these.",
        ) from error
    names = list(table.columns)
    if set(names) != set(table.index) or len(names) != len(table.index):
        raise OptionError(
            f"error_covariance has the columns {listing(names)} and the rows "
            f"{listing(table.index)}: the same names are needed.",
            code="not-square",
            fix="Name rows and columns alike.",
        )
    table = table.loc[names]
    values = table.to_numpy()
    if not len(values) or not np.isfinite(values).all():
        raise OptionError(
            "error_covariance lacks numbers: a variance or covariance of each pair.",
            code="missing-values",
            fix="Give all of them, 0 where errors are unrelated.",
        )
    wrong = np.abs(values - values.T) > 1e-9 * np.abs(values).max()
    if wrong.any():
        i, j = np.argwhere(wrong)[0]
        raise OptionError(
            f"error_covariance of {names[i]!r} and {names[j]!r} is {values[i, j]:g} one way and "
            f"{values[j, i]:g} the other:",
            code="asymmetric",
            fix="give the same number twice.",
        )
    if (np.diag(values) < 0).any():
        raise OptionError(
            "error_covariance holds a negative variance.",
            code="out-of-range",
            fix="Correct it; 0 is that of a measure without error.",
        )
    refuse_covariances(values, names)
    return table


def refuse_covariances(error: Array, names: Sequence[str]) -> None:
    """Refuse covariances that exceed what the variances beside them allow."""
    own = np.sqrt(np.diag(error))
    own = np.where(own > 0, own, 1.0)
    if np.linalg.eigvalsh(error / np.outer(own, own))[0] < -1e-8:
        raise DataError(
            f"The error covariances of {listing(names)} are larger than their variances allow: "
            "no errors can be related like that.",
            code="impossible-correlations",
            fix="Give smaller covariances in error_covariance=.",
        )
