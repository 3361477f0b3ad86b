"""What an engine or a file could not do, said with the name of the data."""

from __future__ import annotations

__all__ = ["failure", "opening", "reason"]


def opening(name: str) -> str:
    """Return the name where a sentence starts with it."""
    return name[:1].upper() + name[1:]


def failure(name: str, engine: str, error: Exception) -> str:
    """Say what could not be read, by what, and why."""
    return f"{opening(name)} cannot be read by {engine}: {reason(error)}"


def reason(error: Exception) -> str:
    """Return the first line of what an engine says, shortened."""
    said = (line.strip() for line in str(error).splitlines() if line.strip())
    return next(said, "no reason")[:300]
