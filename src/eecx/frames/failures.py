"""What an engine or a file could not do, said with the name of the data."""

from __future__ import annotations

from ..errors import DataError

__all__ = ["opening", "reason", "unopened", "unreadable"]


def unopened(file: str, error: OSError) -> DataError:
    """Return the error of a file that the system does not hand over."""
    return DataError(
        f"The file {file!r} cannot be read: {error.strerror}.",
        code="bad-file",
        fix="Give a file that can be read.",
    )


def opening(name: str) -> str:
    """Return the name where a sentence starts with it."""
    return name[:1].upper() + name[1:]


def unreadable(name: str, engine: str, error: Exception) -> DataError:
    """Return the error that says what could not be read, by what, and why."""
    return DataError(
        f"{opening(name)} cannot be read by {engine}: {reason(error)}.",
        code="engine-failed",
        fix="Turn it into a pandas data frame and pass that.",
    )


def reason(error: Exception) -> str:
    """Return the first line of what an engine says, shortened, without a full stop."""
    said = (line.strip() for line in str(error).splitlines() if line.strip())
    return next(said, "no reason")[:300].rstrip(".")
