"""What an estimate is: values, and what each cluster adds to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["Estimates", "Spread"]

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Spread:
    """How clusters' contributions to c estimates vary together if errors are independent."""

    own: Array
    reach: Array

    def combined(self, combine: Array) -> Spread:
        """Return the spread of combinations (d, c) of the estimates."""
        return Spread(combine @ self.own @ combine.T, self.reach @ combine.T)


@dataclass(frozen=True, eq=False)
class Estimates:
    """Estimates with their covariance and what each cluster adds to them."""

    values: Array
    covariance: Array
    df: Array
    rule: str
    cluster: str | tuple[str, ...] | None = None
    labels: pd.Index[Any] | None = None
    influence: Array | None = None
    spread: Callable[[], Spread] | None = None
