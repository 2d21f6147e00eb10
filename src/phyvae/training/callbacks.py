"""Functions called after every epoch."""

from collections.abc import Callable, Iterable
from typing import Any

from .._checks import brief, check_takes

__all__ = ["Callback", "as_callbacks"]

Callback = Callable[[Any, int], None]
"""Called after every epoch with the trainer and the number of epochs trained so far."""


def as_callbacks(callbacks: object) -> list[Callback]:
    """Return the callbacks as a list, which outlives the first epoch as an iterator does not."""
    if isinstance(callbacks, Iterable) and not callable(callbacks):
        listed = list(callbacks)
        if all(callable(callback) for callback in listed):
            for callback in listed:
                check_takes(callback, (None, 1), "callback", "(trainer, epochs_done) -> None")
            return listed
    raise TypeError(
        f"callbacks={brief(callbacks)} must be a list of callables (trainer, epochs_done) -> "
        "None: [callback]."
    )
