"""The paired unit × wave table: its roles, its step, and the audit of what was lost and why."""

from .audit import Audit
from .linking import link
from .panel import Design, Panel, Role, as_panel, level_label, read_columns, unlinked
from .waves import Step

__all__ = [
    "Audit",
    "Design",
    "Panel",
    "Role",
    "Step",
    "as_panel",
    "level_label",
    "link",
    "read_columns",
    "unlinked",
]
