"""Schedules of β, the weight of the KL divergence: epoch -> β."""

import math
from collections.abc import Callable
from dataclasses import dataclass

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
        Length of the ramp, epochs, >= 1.

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
            if not 0 <= value < math.inf:
                raise ValueError(f"{name}={value} must be a finite β >= 0.")
        if self.epochs < 1:
            raise ValueError(f"epochs={self.epochs} of the ramp must be >= 1.")

    def __call__(self, epoch: int) -> float:
        """Return β at the epoch, counted from 0."""
        progress = min(epoch / (self.epochs - 1), 1.0) if self.epochs > 1 else 1.0
        return self.start + (self.stop - self.start) * progress


def as_schedule(beta: Beta) -> Callable[[int], float]:
    """Return the schedule, which checks each β before it is used."""

    def checked(epoch: int) -> float:
        value = beta(epoch) if callable(beta) else beta
        if not 0 <= value < math.inf:
            raise ValueError(
                f"beta={value} at epoch {epoch} must be finite and >= 0: a negative β rewards a "
                "posterior far from the prior."
            )
        return float(value)

    return checked
