"""A dossier from evidence: ``eecx.report(evidence, "dossier/")``."""

from __future__ import annotations

from .dossier import report
from .references import bibliography

__all__ = ["bibliography", "report"]
