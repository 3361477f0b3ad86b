"""Linear models of a panel, families of outcomes, and tests of what was fitted."""

from __future__ import annotations

from .compare import compare
from .regress import regress
from .romano_wolf import romano_wolf
from .wald import hausman, wald

__all__ = ["compare", "hausman", "regress", "romano_wolf", "wald"]
