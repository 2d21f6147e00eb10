"""Initial weights of the encoder: whitened components in, content near the prior's mean out."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..models import ShiftVAE

__all__ = ["reset_posterior", "whiten_first_layer"]


@torch.no_grad()
def whiten_first_layer(
    model: ShiftVAE, patches: Float[Tensor, "n pixels"], generator: torch.Generator
) -> None:
    """Set the encoder's first layer to random mixtures of whitened principal components.

    Components weaker than a quarter of the strongest fade out: the rest is mostly noise.
    """
    layer = model.encoder_z.fc_layers[0]
    assert isinstance(layer, nn.Linear)
    mean = patches.mean(0)
    _, spread, components = torch.linalg.svd(patches - mean, full_matrices=False)
    gain = spread / (spread**2 + (spread[0] / 4) ** 2) * len(patches) ** 0.5
    signal = gain * spread / len(patches) ** 0.5  # standard deviation that each one keeps
    mixture, bias = (
        torch.randn(shape, generator=generator, device=patches.device, dtype=patches.dtype)
        for shape in ((len(layer.weight), len(gain)), (len(layer.weight),))
    )
    weight = 1.5 / torch.linalg.vector_norm(signal) * mixture @ (gain[:, None] * components)
    layer.weight.copy_(weight)
    layer.bias.copy_(0.5 * bias - weight @ mean)


@torch.no_grad()
def reset_posterior(model: ShiftVAE) -> None:
    """Start the content near the prior's mean, and the shifts with a standard deviation of 0.2.

    At the mean itself the maps would be flat: Psi is then 0 with no gradient, and so is a product
    with w = 0.
    """
    mean, std = model.encoder_z.fc11, model.encoder_z.fc12
    mean.weight[model.content] *= 0.01
    mean.bias[model.content] = 0
    std.weight[: model.coord] = 0
    std.bias[: model.coord] = float(torch.tensor(0.2).expm1().log())  # softplus gives 0.2
