"""The encoder on principal components: its initial weights, and its way back to pixels."""

import copy
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.utils import skip_init

from ..models import ShiftVAE
from ..models.decoding import after_first
from .components import Components

__all__ = ["ScoreEncoder", "score_encoder"]


@dataclass(frozen=True, eq=False)
class ScoreEncoder:
    """An encoder of a model's shape whose first layer takes scores instead of pixels."""

    model: ShiftVAE
    network: Any  # pyroVED's fully connected encoder
    components: Components

    def means(self, scores: Float[Tensor, "n columns"]) -> Float[Tensor, "n z_dim"]:
        """Return the posterior's means, shifts first."""
        layers = self.network.fc_layers
        first = layers[0](scores[:, : len(self.components.directions)])
        means: Tensor = self.network.fc11(after_first(layers, first))
        return means

    @torch.no_grad()
    def shifts(self, scores: Float[Tensor, "n columns"]) -> Int[Tensor, "n 2"]:
        """Return the shifts to the nearest pixel, down and to the right."""
        shift = self.means(scores)[:, : self.model.coord]
        pixels: Tensor = (shift * self.model.shift_scale).round().long()
        return pixels

    @torch.no_grad()
    def reset_posterior(self) -> None:
        """Start the content near the prior's mean, and the shifts with a std of 0.2.

        At the mean itself the maps would be flat: Psi is then 0 with no gradient, and so is a
        product with w = 0.
        """
        mean, std = self.network.fc11, self.network.fc12
        mean.weight[self.model.content] *= 0.01
        mean.bias[self.model.content] = 0
        std.weight[: self.model.coord] = 0
        std.bias[: self.model.coord] = float(torch.tensor(0.2).expm1().log())  # softplus: 0.2

    @torch.no_grad()
    def to_pixels(self) -> None:
        """Give the model an encoder of pixels that is equal to this one of scores."""
        encoder, first = self.model.encoder_z, self.network.fc_layers[0]
        weight = first.weight @ self.components.directions
        own = encoder.fc_layers[0]
        own.weight.copy_(weight)
        own.bias.copy_(first.bias - weight @ self.components.mean)
        others = {k: v for k, v in self.network.state_dict().items() if k not in _FIRST}
        encoder.load_state_dict(others, strict=False)


_FIRST = ("fc_layers.0.weight", "fc_layers.0.bias")


@torch.no_grad()
def score_encoder(
    model: ShiftVAE, components: Components, generator: torch.Generator
) -> ScoreEncoder:
    """Return an encoder whose first layer holds random mixtures of whitened components.

    Components weaker than a quarter of the strongest fade out: the rest is mostly noise.
    """
    network: Any = copy.deepcopy(model.encoder_z)
    spread = components.spread
    gain = spread / (spread**2 + (spread[0] / 4) ** 2)
    signal = gain * spread  # standard deviation that each one keeps
    units = network.fc_layers[0].out_features
    first = skip_init(nn.Linear, len(spread), units).to(spread)
    mixture, bias = (
        torch.randn(shape, generator=generator, device=spread.device, dtype=spread.dtype)
        for shape in (first.weight.shape, first.bias.shape)
    )
    first.weight.copy_(1.5 / torch.linalg.vector_norm(signal) * mixture * gain)
    first.bias.copy_(0.5 * bias)
    network.fc_layers[0] = first
    return ScoreEncoder(model, network, components)
