"""The paired unit × wave table: its roles, its step, and the audit of what was lost and why."""

from .audit import Audit
from .linking import link
from .panel import (
    Design,
    Panel,
    Role,
    drop_rows_without_key,
    level_label,
    panel_of_rows,
    read_columns,
    read_covariates,
    unlinked,
)
from .waves import Step, places_of

__all__ = [
    "Audit",
    "Design",
    "Panel",
    "Role",
    "Step",
    "drop_rows_without_key",
    "level_label",
    "link",
    "panel_of_rows",
    "places_of",
    "read_columns",
    "read_covariates",
    "unlinked",
]
