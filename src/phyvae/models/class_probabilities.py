"""Class probabilities as latents: their names, posterior, and the loss of pixels given a class."""

import torch
from jaxtyping import Float
from torch import Tensor

from ..patches.known import Patches
from .adapted import Adapted
from .posterior import Posterior

__all__ = ["class_names", "class_posterior", "pixel_losses", "unit_vector"]


def class_names(count: int) -> list[str]:
    """Return titles of the maps of class probabilities."""
    return [f"P(class {k})" for k in range(count)]


def class_posterior(probabilities: Float[Tensor, "n classes"]) -> Posterior:
    """Return class probabilities p with the standard deviation of the class, √(p (1 − p)).

    Then `Posterior.signal` is the share of that variance between patches, as for Gaussians.
    """
    variance = (probabilities * (1 - probabilities)).detach().clamp(min=0)
    return Posterior(probabilities, variance.sqrt())


def unit_vector(
    k: int, count: int, latents: Float[Tensor, "n columns"]
) -> Float[Tensor, "n classes"]:
    """Return class k as the decoder's condition, once per row of `latents`."""
    return torch.eye(count).to(latents)[k].expand(len(latents), -1)


def pixel_losses(
    model: Adapted,
    patches: Patches,
    latents: Float[Tensor, "n z_dim"],
    condition: Float[Tensor, "n classes"],
) -> Float[Tensor, "n pixels"]:
    """Return each pixel's negative log-likelihood given latents and class."""
    mean = model.decoded(latents, condition)
    by_pixel: Tensor = -model.vae.sampler_d(mean).log_prob(model.targets(patches))
    return by_pixel
