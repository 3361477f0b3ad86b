"""One score per unit and wave from those of its touchpoints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from ..errors import OptionError, listing
from .derived import Derived
from .extreme import Extreme
from .measure import Array, Measure, check_number, is_number

__all__ = ["AcrossTouchpoints"]


@dataclass(frozen=True)
class AcrossTouchpoints(Derived):
    r"""One score per unit × wave from its touchpoints (needs ``Survey(touchpoint=…)``).

    With values :math:`v_k` and sampling variances of the K touchpoints of a unit in a wave:

    - ``"mean"``: :math:`\sum w_k v_k`, each touchpoint counting alike, or by ``weights``,
      however many customers used it;
    - ``"worst"``: the least good touchpoint ("one lapse loses the customer"). The least of
      several noisy values lies too low; the bias is estimated by adding normal noise of each
      touchpoint's own variance to :math:`v_k` and taken off, which removes about half of it;
    - ``"dispersion"``: SD over touchpoints net of sampling error ("consistency creates
      confidence"), :math:`\sqrt{\max(s^2_v - \bar{\operatorname{var}}, 0)}`; its error is rough
      with few touchpoints.

    The good direction is that of the measure inside, unless it is said; it tells which is worst.

    Parameters
    ----------
    of : measure
        What is scored per touchpoint.
    how : {"mean", "worst", "dispersion"}
    weights : mapping of touchpoint to float, optional
        For ``"mean"``; touchpoints that are missing in a unit leave the others' weights to fill.
    least : int
        Touchpoints with fewer respondents in a unit × wave are left out of its score: they would
        show through the worst of few.
    """

    of: Measure
    how: Literal["mean", "worst", "dispersion"] = "mean"
    weights: Mapping[str, float] | None = None
    least: int = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.of, Measure) or isinstance(self.of, AcrossTouchpoints | Extreme):
            raise OptionError(
                "AcrossTouchpoints needs a measure, such as eecx.NPS('recommend').",
                code="wrong-type",
            )
        if self.of.better == "lower" and self.how != "dispersion":
            object.__setattr__(self, "better", "lower")
        if self.how not in ("mean", "worst", "dispersion"):
            raise OptionError(
                f"how={self.how!r}: accepted are 'mean', 'worst' and 'dispersion'.",
                code="not-accepted",
            )
        if self.weights is not None:
            if self.how != "mean":
                raise OptionError(
                    "weights= are for how='mean'.",
                    code="does-not-apply",
                    fix="Leave weights= out.",
                )
            given = self.weights.values() if isinstance(self.weights, Mapping) else ()
            if not given or not all(is_number(w) and w > 0 for w in given):
                raise OptionError(
                    "weights= holds a positive number per touchpoint.",
                    code="bad-weight",
                    fix="Give them, as in weights={'shop': 2, 'web': 1}.",
                )
        check_number("least", self.least, whole=True)
        if self.least < 2:
            raise OptionError(
                f"least={self.least}: at least 2 respondents per touchpoint.",
                code="out-of-range",
            )

    def combine(
        self,
        cell: npt.NDArray[np.intp],
        cells: int,
        touchpoint: Sequence[object],
        value: Array,
        variance: Array,
    ) -> tuple[Array, Array]:
        """Return value and variance per unit × wave from those of its touchpoints."""
        count = np.bincount(cell, minlength=cells)

        def per(amount: Array) -> Array:
            return np.asarray(np.bincount(cell, amount, cells), dtype=float)

        none = count < (2 if self.how == "dispersion" else 1)
        safe = np.maximum(count, 1)
        if self.how == "mean":
            share = np.ones(len(cell))
            if self.weights is not None:
                unknown = sorted({str(t) for t in touchpoint} - set(map(str, self.weights)))
                if unknown:
                    raise OptionError(
                        f"weights= lacks the touchpoint {listing(unknown)}.",
                        code="incomplete-mapping",
                        fix="Give every touchpoint a weight.",
                    )
                by_name = {str(k): float(v) for k, v in self.weights.items()}
                share = np.array([by_name[str(t)] for t in touchpoint])
            total = np.where(none, 1.0, per(share))
            share = share / total[cell]
            found, error = per(share * value), per(share**2 * variance)
        else:
            # the same standard normal noise for every unit: chance adds no differences
            noise = _noise(int(count.max(initial=1)))
            order = np.argsort(cell, kind="stable")
            start = np.concatenate([[0], np.cumsum(count)[:-1]])
            place = np.empty(len(cell), dtype=np.intp)
            place[order] = np.arange(len(cell)) - start[cell[order]]
            low = 1.0 if self.better == "higher" else -1.0
            drawn = np.stack(
                [self._once(cell, cells, value + z[place] * np.sqrt(variance), low) for z in noise]
            )
            if self.how == "worst":
                plain = self._once(cell, cells, value, low)
                found = 2 * plain - drawn.mean(axis=0)
                error = drawn.var(axis=0, ddof=1)
            else:
                noise_of = per(variance) / safe
                net = self._once(cell, cells, value, low) ** 2 - noise_of
                found = np.sqrt(np.maximum(net, 0.0))
                error = (drawn**2).var(axis=0, ddof=1) / (4 * np.maximum(net, noise_of))
        return np.where(none, np.nan, found), np.where(none, np.nan, error)

    def _once(self, cell: npt.NDArray[np.intp], cells: int, value: Array, low: float) -> Array:
        """Return the worst of, or the SD over, the touchpoints of each cell."""
        if self.how == "worst":
            out = np.full(cells, np.inf)
            np.minimum.at(out, cell, low * value)
            return low * np.where(np.isinf(out), np.nan, out)
        count = np.maximum(np.bincount(cell, minlength=cells), 2)
        mean = np.bincount(cell, value, cells) / np.maximum(np.bincount(cell, minlength=cells), 1)
        away = np.bincount(cell, (value - mean[cell]) ** 2, cells)
        return np.asarray(np.sqrt(away / (count - 1)), dtype=float)


# draws of noise from which the bias of a worst touchpoint is told
NOISE = 400


def _noise(touchpoints: int) -> Array:
    """Draw in pairs of opposite sign, of variance one: a single touchpoint keeps its own value."""
    half = np.random.default_rng(0).standard_normal((NOISE // 2, touchpoints))
    both = np.concatenate([half, -half])
    return np.asarray(both / both.std(axis=0, ddof=1), dtype=float)
