"""What is asked of which data: the options of a model, checked and settled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .. import formula as grammar
from ..errors import FormulaError, OptionError
from ..panel import Panel, as_panel
from .weights import Weighting
from .work import ROWWISE, Effects, Vcov, clustered

__all__ = ["Plan", "plan_of", "refuse_arguments"]


def refuse_arguments(
    model: grammar.Formula,
    effects: Effects,
    vcov: Vcov | None,
    columns: dict[str, Any],
    clusters: tuple[str, ...],
) -> None:
    """Refuse options that no data can go with."""
    for name, given in columns.items():
        if given is not None and not isinstance(given, str):
            raise OptionError(f"{name}={given!r}: the name of one column.")
    if effects == "between" and vcov in ("driscoll-kraay", "newey-west"):
        raise OptionError(
            f"vcov={vcov!r} is for rows over time, and effects='between' has one row per unit. "
            "Take vcov='CR2' or 'HC3'."
        )
    if effects == "between" and len(clusters) > 1:
        raise OptionError(
            f"cluster={clusters!r}: effects='between' takes one kind of clusters, of whole units. "
            "Name one column."
        )
    if clusters and not clustered(vcov):
        raise OptionError(
            f"vcov={vcov!r} knows no clusters. Leave cluster= out, or take vcov='CR2'."
        )
    if vcov == "CR1-each" and len(clusters) < 2:
        raise OptionError(
            "vcov='CR1-each' is for two kinds of clusters, such as cluster=('unit', 'wave'). "
            "Take vcov='CR1'."
        )
    if not model.terms and effects in ("within", "two-way", "within-between"):
        raise FormulaError(
            f"{model.text!r} has the intercept alone, which unit effects take up. Add a term."
        )


@dataclass(frozen=True, eq=False)
class Plan:
    """A panel, and the options as they were given or have come to.

    ``columns`` are those that formula, clusters and weights name; ``own_units`` says whether rows
    name their units.
    """

    panel: Panel
    columns: tuple[str, ...]
    own_units: bool
    effects: Effects
    vcov: Vcov
    clusters: tuple[str, ...]
    weights: Weighting | None

    @property
    def cluster(self) -> str | tuple[str, str] | None:
        """The column of the clusters, or two."""
        if len(self.clusters) > 1:
            return self.clusters[0], self.clusters[1]
        return self.clusters[0] if self.clusters else None

    @property
    def cluster_keys(self) -> list[str]:
        """The keys of the clusters among those of the rows; without clusters, that of the units."""
        unit = self.panel.unit
        return [
            "unit" if name == unit else f"cluster{i or ''}" for i, name in enumerate(self.clusters)
        ] or ["unit"]

    @property
    def by_row(self) -> bool:
        """Whether cells are rows: for errors or weights that need each, or two kinds of clusters.

        Between units they are units, whatever the errors.
        """
        each = self.vcov in ROWWISE or len(self.clusters) > 1 or self.effects == "random-two-way"
        return each and self.effects != "between"

    @property
    def frequency(self) -> bool:
        """Whether a row stands for several that are equal."""
        return self.weights is not None and self.weights.kind == "frequency"


def plan_of(
    data: object,
    model: grammar.Formula,
    effects: Effects,
    vcov: Vcov | None,
    clusters: tuple[str, ...],
    weights: Weighting | None,
    *,
    unit: str | None,
    wave: str | None,
) -> Plan:
    """Open the data, settle clusters and errors; refuse what the data have no keys for."""
    if effects == "random-two-way" and not clusters:
        vcov = vcov or "classical"  # its weights relate units: no clusters unless asked for
    if isinstance(data, Panel):
        own_keys = {"unit": data.unit, "wave": data.wave}
        clusters = tuple(c if c in data.roles else own_keys.get(c) or c for c in clusters)
        if not clusters and data.cluster and clustered(vcov):
            clusters = (data.cluster,)
    columns = [*model.columns, *(c for c in clusters if c not in (unit, wave))]
    columns += [weights.column] if weights and weights.column else []
    panel = as_panel(data, columns, unit=unit, wave=wave)
    own_units = isinstance(data, Panel) or unit is not None
    if not own_units and effects != "pooled":
        raise OptionError(f"effects={effects!r} needs unit= to say which rows belong together.")
    if panel.wave is None and (needs := _needs_waves(effects, vcov)):
        raise OptionError(f"{needs} needs wave=.")
    clusters = clusters or ((panel.unit,) if own_units else ())
    vcov = vcov or ("CR1" if len(clusters) > 1 else "CR2" if clusters else "HC1")
    if (clustered(vcov) or vcov == "newey-west") and not clusters:
        raise OptionError(f"vcov={vcov!r} needs cluster= or unit=.")
    if len(clusters) > 1 and vcov not in ("CR0", "CR1", "CR1-each"):
        raise OptionError(
            f"Two kinds of clusters take vcov='CR1', 'CR1-each' or 'CR0', not {vcov!r}."
        )
    return Plan(panel, tuple(columns), own_units, effects, vcov, clusters, weights)


def _needs_waves(effects: Effects, vcov: Vcov | None) -> str:
    if effects in ("two-way", "random-two-way", "first-difference"):
        return f"effects={effects!r}"
    return f"vcov={vcov!r}" if vcov in ("driscoll-kraay", "newey-west") else ""
