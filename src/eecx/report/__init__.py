"""A dossier from evidence: ``eecx.report(evidence, "dossier/")``."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING

from .dossier import report
from .references import bibliography

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ..evidence import Evidence

__all__ = ["bibliography", "report"]


class _Room(ModuleType):
    """The room under the verb's name: importing ``eecx.report`` must not hide the function."""

    def __call__(
        self,
        evidence: Evidence,
        path: str | Path,
        *,
        title: str | None = None,
        made_by: Mapping[str, object] | None = None,
    ) -> Path:
        return report(evidence, path, title=title, made_by=made_by)


sys.modules[__name__].__class__ = _Room
