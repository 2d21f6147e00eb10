"""Uncertainty of refined latents: the spread of the minimum under simulated noise."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from .energy import LatentEnergy
from .expansion import Expansion
from .quadratic import ROUGH

__all__ = ["standard_deviations"]


def standard_deviations(
    energy: LatentEnergy,
    minimum: Expansion,
    samples: int,
    seed: int,
    advance: Callable[[], object],
) -> Float[Tensor, "n z_dim"]:
    """Return the standard deviation of the energy's minimum over simulated noises.

    `advance` is called after each of them.
    """
    total, squares = torch.zeros_like(minimum.z), torch.zeros_like(minimum.z)
    for gradient in energy.noise_gradients(minimum, samples, seed):
        step = energy.step(minimum, None, gradient, ROUGH)  # maps need more steps than a spread
        total, squares = total + step, squares + step.square()
        advance()
    variance = (squares - total.square() / samples) / (samples - 1)
    return variance.clamp(min=0).sqrt()
