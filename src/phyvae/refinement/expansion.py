"""Second-order expansion of the reconstruction loss φ of each patch around its latents."""

import warnings
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.func import jvp, vmap

from ..models import Refinable
from ..models.likelihood import expanded
from ..patches.known import Patches

__all__ = ["Expansion", "expand_pixels"]


@dataclass(frozen=True, eq=False)
class Expansion:
    """Latents of all patches, and φ around them to second order, one row per patch.

    Attributes
    ----------
    z
        The latents.
    reconstruction, gradient, curvature
        φ at the latents, nats, its gradient, and its Gauss-Newton curvature.
    noise
        Variance of the gradient under the noise of the image.
    """

    z: Float[Tensor, "n z_dim"]
    reconstruction: Float[Tensor, " n"]
    gradient: Float[Tensor, "n z_dim"]
    curvature: Float[Tensor, "n z_dim z_dim"]
    noise: Float[Tensor, "n z_dim"]


@torch.no_grad()
def expand_pixels(
    model: Refinable, patches: Patches, z: Float[Tensor, "n z_dim"]
) -> tuple[Float[Tensor, " n"], Float[Tensor, "n z_dim pixels"], Float[Tensor, "n z_dim z_dim"]]:
    """Return φ of each patch, its gradient pixel by pixel, and its Gauss-Newton curvature."""
    directions = torch.eye(z.shape[1]).to(z)[:, None].expand(-1, len(z), -1)

    def decode(latents: Tensor) -> Tensor:
        return model.pixel_means(latents, patches)

    with warnings.catch_warnings():  # torch compiles its own rules by a deprecated function
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("ignore", DeprecationWarning)

        def derivative(direction: Tensor) -> Any:
            return jvp(decode, (z,), (direction,))

        # One output for all directions, one derivative for each.
        decoded: Any = vmap(derivative, out_dims=(None, 0))  # type: ignore[arg-type]
        mean, jacobian = decoded(directions)
    targets = model.targets(patches)
    value, slope, bend = expanded(model.sampler_name, mean, targets, model.decoder_sig)
    jacobian = jacobian.transpose(0, 1)  # (n, z_dim, pixels)
    curvature = (jacobian * bend[:, None]) @ jacobian.mT
    return value.sum(-1), jacobian * slope[:, None], curvature
