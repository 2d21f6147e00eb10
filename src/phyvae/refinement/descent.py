"""Gauss-Newton descent of the energy of all latents, damped patch by patch."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from .energy import LatentEnergy
from .expansion import Expansion

__all__ = ["descend"]

_SETTLED = 1e-3  # nats per patch; a smaller fall of the energy ends the descent
_TOLERATED = 0.05  # nats; a patch whose loss exceeds the prediction by less is not damped


def descend(
    energy: LatentEnergy, start: Expansion, iterations: int, advance: Callable[[float], object]
) -> list[Expansion]:
    """Return the points of a descent, each of less energy than the one before.

    `advance` is called with the lowest energy after every step.
    """
    path, lowest = [start], energy.value(start)
    damping = torch.zeros_like(start.reconstruction)
    for _ in range(iterations):
        point = path[-1]
        step = energy.step(point, damping)
        trial = energy.expand(point.z + step)
        missed = _missed(energy, point, step, trial)
        value = energy.value(trial)
        advance(min(value, lowest))
        if value < lowest:
            damping = torch.where(missed, (4 * damping).clamp(min=1.0), damping / 4)
            fall, lowest = lowest - value, value
            path.append(trial)
            if fall < _SETTLED or energy.is_quadratic:
                break
        else:
            damping = torch.where(missed, (16 * damping).clamp(min=4.0), 2 * damping + 0.5)
    return path


def _missed(
    energy: LatentEnergy, point: Expansion, step: Float[Tensor, "n z_dim"], trial: Expansion
) -> Tensor:
    """Return the patches whose loss has risen well above the prediction of its expansion."""
    gradient, curvature = energy.derivatives(point)
    expected = (step * gradient).sum(1)
    expected = expected + 0.5 * torch.einsum("nz,nzy,ny->n", step, curvature, step)
    risen = energy.patch_losses(trial) - energy.patch_losses(point)
    return risen > expected + 0.25 * expected.abs() + _TOLERATED
