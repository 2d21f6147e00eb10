"""Schedules of β, the weight of the KL divergence: epoch -> β."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from .._checks import as_integer, as_number, check_takes

__all__ = ["Beta", "LinearBeta", "as_schedule"]

Beta = float | Callable[[int], float]
"""A number, or any callable that takes the epoch (from 0) and returns β."""


@dataclass(frozen=True)
class LinearBeta:
    """β rises linearly from `start` at epoch 0 to `stop` at epoch ``epochs - 1``, then stays.

    Parameters
    ----------
    start, stop
        β at the first epoch and from the last epoch of the ramp on, >= 0.
    epochs
        Length of the ramp, epochs, >= 1. With ``fit(grid, steps=...)``, pass `steps_per_epoch`,
        too: by default an epoch has more steps the larger the grid.

    Raises
    ------
    TypeError
        If β is no number, or `epochs` no whole number.
    ValueError
        If one is out of its range.

    Examples
    --------
    >>> import phyvae
    >>> beta = phyvae.LinearBeta(0.1, 1.0, epochs=10)
    >>> [round(beta(epoch), 2) for epoch in (0, 1, 9, 50)]
    [0.1, 0.2, 1.0, 1.0]
    """

    start: float
    stop: float
    epochs: int

    def __post_init__(self) -> None:
        for name, value in (("start", self.start), ("stop", self.stop)):
            if not 0 <= as_number(value, name, "a number, a β >= 0") < math.inf:
                raise ValueError(f"{name}={value} must be a finite β >= 0.")
        as_integer(self.epochs, "epochs", 1, ", the length of the ramp")

    def __call__(self, epoch: int) -> float:
        """Return β at the epoch, counted from 0."""
        progress = min(epoch / (self.epochs - 1), 1.0) if self.epochs > 1 else 1.0
        return self.start + (self.stop - self.start) * progress


def as_schedule(beta: object, name: str = "beta") -> Callable[[int], float]:
    """Return the schedule, which checks each β before it is used; `name` is the user's for it."""
    kinds = "a number, a LinearBeta, or a function epoch -> β"
    if isinstance(beta, type):
        raise TypeError(f"{name}={beta.__name__} is a class; pass {beta.__name__}(...).")
    if not callable(beta):
        as_number(beta, name, kinds)
    elif not isinstance(beta, LinearBeta):
        check_takes(beta, (0,), name, kinds)

    def checked(epoch: int) -> float:
        at = f"{name} at epoch {epoch}"
        value = as_number(beta(epoch) if callable(beta) else beta, at, kinds)
        if not 0 <= value < math.inf:
            raise ValueError(
                f"{name}={value} at epoch {epoch} must be finite and >= 0; a negative β would "
                "reward a posterior far from the prior."
            )
        return value

    return checked
