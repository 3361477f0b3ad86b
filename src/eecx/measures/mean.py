"""The mean of one numeric column."""

from __future__ import annotations

from dataclasses import dataclass

from .. import frames
from .measure import Measure, check_range

__all__ = ["Mean"]


@dataclass(frozen=True)
class Mean(Measure):
    """Mean of one numeric column per unit × wave.

    Parameters
    ----------
    column : str
    range : (low, high), optional
        Answers outside are an error where it is given.
    """

    column: str
    range: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.range is not None:
            object.__setattr__(self, "range", check_range(self.range))

    @property
    def columns(self) -> tuple[str, ...]:
        """The column."""
        return (self.column,)

    @property
    def bounds(self) -> tuple[float, float] | None:
        """The range, where it was given."""
        return self.range

    def row(self, table: frames.Table) -> frames.Expr:
        """Return the answer itself, less the middle that the table takes off, if any."""
        return table.real(self.column)  # squares of whole numbers could run over
