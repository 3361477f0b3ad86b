"""What is asked of which data: the options of a model, settled."""

from __future__ import annotations

from dataclasses import dataclass

from .. import formula as grammar
from ..errors import FormulaError
from ..panel import Panel
from ..sources import Source
from .capabilities import ROWWISE, Effects, Vcov, clustered
from .clusters import names_of
from .weights import Weighting

__all__ = ["Plan", "plan_of", "refuse_arguments"]


def refuse_arguments(model: grammar.Formula, effects: Effects) -> None:
    """Refuse a formula of which these effects leave nothing."""
    if not model.terms and effects in ("within", "two-way", "within-between"):
        raise FormulaError(
            f"{model.text!r} has the intercept alone, which unit effects take up.",
            code="no-term",
            fix="Add a term.",
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
    source: Source,
    model: grammar.Formula,
    effects: Effects,
    vcov: Vcov | None,
    clusters: tuple[str, ...],
    weights: Weighting | None,
) -> Plan:
    """Open the data; settle clusters and errors."""
    if effects == "random-two-way" and not clusters:
        vcov = vcov or "classical"  # its weights relate units: no clusters unless asked for
    clusters = tuple(source.key(c) for c in clusters)
    if source.panel is not None and source.panel.cluster and not clusters and clustered(vcov):
        clusters = (source.panel.cluster,)
    columns = [*model.columns, *(c for c in clusters if c not in (source.unit, source.wave))]
    columns += [weights.column] if weights and weights.column else []
    panel = source.as_panel(columns, names=names_of(model, clusters))
    clusters = clusters or ((panel.unit,) if source.own_units else ())
    vcov = vcov or ("CR1" if len(clusters) > 1 else "CR2" if clusters else "HC1")
    return Plan(panel, tuple(columns), source.own_units, effects, vcov, clusters, weights)
