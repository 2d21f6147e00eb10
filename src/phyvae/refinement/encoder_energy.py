"""Energy of the latents of all patches with the encoder's means in place of the pixels."""

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from .encoder_statistics import EncoderStatistics
from .energy import LatentEnergy
from .expansion import Expansion
from .quadratic import EXACT, AdamSettings

__all__ = ["EncoderEnergy"]


@dataclass(frozen=True, eq=False)
class EncoderEnergy(LatentEnergy):
    r"""Energy in which the encoder's means μ, with their noise s, replace φ and the prior.

    .. math:: E = \frac1N \sum_{ik} \frac{(z_{ik} - \mu_{ik})^2}{2 s_k^2}
        + \lambda \Psi(\text{maps})

    It is quadratic but for Ψ: the minimum without Ψ is μ, that with Ψ is one exact step away.
    """

    statistics: EncoderStatistics = field(kw_only=True)
    adam: ClassVar[AdamSettings] = EXACT
    is_quadratic: ClassVar[bool] = True

    @property
    def prior(self) -> tuple[Float[Tensor, "n z_dim"], Float[Tensor, "n z_dim"]]:
        """Mean of the latents given their patch, and one over their variance."""
        return self.statistics.mean, self.statistics.precision

    def start(self) -> Float[Tensor, "n z_dim"]:
        """Return the encoder's means, where the descent begins."""
        return self.statistics.mean

    def expand(self, z: Float[Tensor, "n z_dim"]) -> Expansion:
        """Return the latents; there is no φ to expand."""
        zeros = torch.zeros_like(z)
        curvature = torch.diag_embed(zeros)
        return Expansion(z, zeros[:, 0], zeros, curvature, self.statistics.precision)

    def patch_variance(
        self, point: Expansion, samples: int, seed: int
    ) -> Float[Tensor, "n z_dim"]:
        """Return the variance that the image's noise gives latents of the patch alone."""
        return self.statistics.patch_variance

    def noise_gradients(
        self, point: Expansion, samples: int, seed: int
    ) -> list[Float[Tensor, "n z_dim"]]:
        """Return gradients that simulated noise adds: those of the moved means."""
        return [-self.statistics.precision * one for one in self.statistics.deviations]
