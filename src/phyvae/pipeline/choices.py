"""Choices of a run: a value, and why it is that one."""

from typing import Any, NamedTuple

__all__ = ["GIVEN", "Choice", "chosen"]

GIVEN = "given"


class Choice(NamedTuple):
    """A value that `phyvae.find_domains` has chosen, or was given, and why it is that one."""

    value: Any
    reason: str

    def __str__(self) -> str:
        return f"{self.value} ({self.reason})"


def chosen(value: Any, default: Any, reason: str) -> Choice:
    """Return a choice: by default, or given where it is another value."""
    return Choice(value, reason if value == default else GIVEN)
