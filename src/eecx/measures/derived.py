"""What measures made of another one's row values have in common."""

from __future__ import annotations

from dataclasses import dataclass

from .. import frames
from ..errors import OptionError
from .mean import Mean
from .measure import Measure
from .scale import Scale

__all__ = ["Derived", "check_inner"]


@dataclass(frozen=True)
class Derived(Measure):
    """A measure made of another one's row values."""

    of: Measure

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the measure inside."""
        return self.of.columns

    @property
    def bounds(self) -> tuple[float, float] | None:
        """The range of the answers, where it is known."""
        return self.of.bounds

    @property
    def affine(self) -> tuple[float, float]:
        """That of the measure inside."""
        return self.of.affine

    def row(self, table: frames.Table) -> frames.Expr:
        """Return the person's u of the measure inside."""
        return self.of.row(table)


def check_inner(of: object, what: str) -> None:
    """Refuse what is no mean of answers per person."""
    if not isinstance(of, Scale | Mean):
        raise OptionError(
            f"{what} needs an eecx.Scale or eecx.Mean, not a {type(of).__name__}.",
            code="wrong-type",
        )
