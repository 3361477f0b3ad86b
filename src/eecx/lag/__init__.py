"""What moves first: analyses over time."""

from .profile import lag_profile

__all__ = ["lag_profile"]
