"""What all measures have: rows to sum, a direction, and who answered."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any, Literal, TypeGuard, get_args

import numpy as np
import numpy.typing as npt
from scipy import special

from .. import frames
from ..errors import OptionError, listing

__all__ = [
    "Array",
    "Better",
    "Composition",
    "Measure",
    "as_sources",
    "check_number",
    "check_range",
    "is_number",
]

Array = npt.NDArray[np.float64]
Better = Literal["higher", "lower"]
Composition = Literal["", "additive", "direct consensus", "referent shift"]


@dataclass(frozen=True, kw_only=True)
class Measure:
    """What all measures have: a direction and the sources who answered.

    Parameters
    ----------
    better : {"higher", "lower"}
        Which way is good. Complaints, stress, mortality and waiting time are ``"lower"``; every
        verdict and plot respects it.
    source : str or set of str
        Who answered: ``"employees"``, ``"customers"``, ``"records"``, … Composites mix, hence a
        set. Left empty, ``link`` fills in the side of the survey.
    composition : {"", "additive", "direct consensus", "referent shift"}
        In what sense the answers of people make a score of their unit (Chan, 1998): a plain mean
        whatever they agree on (``"additive"``), a mean that stands for a view they share
        (``"direct consensus"``), or one whose items ask about the unit ("we …") rather than
        oneself (``"referent shift"``). A label: it decides what :func:`eecx.aggregation` asks for.
    """

    better: Better = "higher"
    source: frozenset[str] | set[str] | str = frozenset()
    composition: Composition = ""

    def __post_init__(self) -> None:
        if self.better not in ("higher", "lower"):
            raise OptionError(
                f"better={self.better!r}: accepted are 'higher' and 'lower'.",
                code="not-accepted",
            )
        object.__setattr__(self, "source", as_sources(self.source))
        if self.composition not in get_args(Composition):
            raise OptionError(
                f"composition={self.composition!r}: accepted are {listing(get_args(Composition))}.",
                code="not-accepted",
            )

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of answers that the measure reads."""
        raise OptionError(
            "Measure is a base:",
            code="wrong-type",
            fix="use Scale, Mean, TopBox, Favorable, NPS or Rate.",
        )

    @property
    def bounds(self) -> tuple[float, float] | None:
        """Lowest and highest answer that is possible, where it is known."""
        return None

    @property
    def affine(self) -> tuple[float, float]:
        """The constants c and f in value = c + f · mean(u)."""
        return 0.0, 1.0

    def row(self, table: frames.Table) -> frames.Expr:
        """Return u, one value per respondent; null where not answered."""
        raise OptionError(
            "Measure is a base:",
            code="wrong-type",
            fix="use Scale, Mean, TopBox, Favorable, NPS or Rate.",
        )

    @property
    def powers(self) -> int:
        """Up to which power u is summed: 1 where it is its own square."""
        return 2

    def value(self, n: Array, mean: Array, spread: Array, sums: Mapping[str, Array]) -> Array:
        """Return what is reported of u before :attr:`affine`: its mean."""
        return mean

    def precision(
        self,
        n: Array,
        mean: Array,
        spread: Array,
        pooled: float,
        level: float,
        sums: Mapping[str, Array],
    ) -> tuple[Array, Array, Array]:
        """Return variance, lower and upper limit of the value.

        ``spread`` is the variance of u with divisor n, ``pooled`` the within-cell s² over all
        cells, which stands in where a cell has one respondent or all answered alike.
        """
        s2 = np.where(spread > 0, spread * n / np.maximum(n - 1, 1e-9), pooled)
        variance = s2 / np.maximum(n, 1e-9)
        sizes, at = np.unique(np.maximum(n - 1, 1), return_inverse=True)
        quantile = -special.stdtrit(sizes, (1 - level) / 2)[at]
        reach = quantile * np.sqrt(variance)
        return variance, mean - reach, mean + reach


def as_sources(source: Iterable[str] | str) -> frozenset[str]:
    """Return sources as a frozen set; one name may stand alone."""
    alone = isinstance(source, str) or not isinstance(source, Iterable)
    names = [source] if alone else list(source)
    if not all(isinstance(name, str) and name for name in names):
        raise OptionError(
            f"source={source!r}:",
            code="not-accepted",
            fix="name who answered, such as 'employees' or 'records'.",
        )
    return frozenset(map(str, names))


def check_range(given: Iterable[float]) -> tuple[float, float]:
    """Return the lowest and the highest answer, or refuse what is no range."""
    bounds: Any = tuple(given) if isinstance(given, Iterable) else given
    two = isinstance(bounds, tuple) and len(bounds) == 2 and all(map(is_number, bounds))
    if not two or bounds[0] >= bounds[1]:
        raise OptionError(
            f"range={bounds!r:.60}:",
            code="not-accepted",
            fix="give the lowest and the highest answer, as (1, 5).",
        )
    return bounds[0], bounds[1]


def check_number(name: str, given: object, *, whole: bool = False) -> None:
    """Refuse what is no number, or no whole one."""
    if not is_number(given) or (whole and given % 1 != 0):
        raise OptionError(
            f"{name}={given!r:.60}: a {'whole ' * whole}number.",
            code="wrong-type",
            fix=f"Give one, such as {name}=2.",
        )


def is_number(given: object) -> TypeGuard[float]:
    """Whether this is a finite number."""
    real = isinstance(given, Real) and not isinstance(given, bool)
    return real and -math.inf < given < math.inf  # type: ignore[operator]
