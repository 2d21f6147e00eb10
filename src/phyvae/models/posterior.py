"""What the encoder says of each patch: a Gaussian over its latents."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["Posterior"]


@dataclass(frozen=True)
class Posterior:
    """The encoder's Gaussians q(z | patch), one row per patch.

    Columns are shifts first, content after, as in pyroVED.
    """

    mean: Float[Tensor, "n z_dim"]
    std: Float[Tensor, "n z_dim"]

    def __getitem__(self, index: Tensor) -> "Posterior":
        return Posterior(self.mean[index], self.std[index])

    def leaf(self) -> "Posterior":
        """Return a copy that collects gradient and passes none on."""
        return Posterior(*(part.detach().requires_grad_() for part in (self.mean, self.std)))

    def draw(self, generator: torch.Generator | None = None) -> Float[Tensor, "n z_dim"]:
        """Return one sample of z per patch; `generator` is on the same device."""
        noise = torch.randn(
            self.mean.shape, generator=generator, device=self.mean.device, dtype=self.mean.dtype
        )
        return self.mean + self.std * noise

    def kl(self) -> Float[Tensor, " n"]:
        """Return the KL divergence from the standard normal prior, nats per patch."""
        return 0.5 * (self.mean**2 + self.std**2 - 1 - 2 * self.std.log()).sum(-1)

    def signal(self) -> Float[Tensor, " z_dim"]:
        """Return the share of each latent's variance that tells patches apart, 0 to 1.

        It is var(mean) / (var(mean) + mean of std squared): near 0, the latent has collapsed onto
        the prior; near 1, it is known well from each patch. It is 0 for one that never varies,
        as the probability of a class that no patch belongs to.
        """
        between = self.mean.var(0, correction=0)
        total = between + self.std.square().mean(0)
        return between / total.clamp(min=torch.finfo(total.dtype).tiny)
