"""The paired unit × wave table: its roles, its step, and the audit of what was lost and why."""

from .audit import Audit
from .linking import link
from .panel import Panel, Role
from .waves import Step

__all__ = ["Audit", "Panel", "Role", "Step", "link"]
