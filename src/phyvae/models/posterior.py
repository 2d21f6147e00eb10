"""The posterior of each patch: the Gaussian over its latents that an encoder returns."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["Posterior"]


@dataclass(frozen=True)
class Posterior:
    r"""Gaussian posteriors of a batch of patches, one row per patch.

    .. math:: q(z \mid x_i) = \mathcal N\big(\mu_i, \operatorname{diag} \sigma_i^2\big)

    `PatchModel.posterior` returns one. Class probabilities and properties are columns like any
    other, with a standard deviation of their own.

    Parameters
    ----------
    mean
        Means, shape (n, z_dim). In pyroVED's models and `ShiftVAE` the columns are angle, shift
        and scale, as far as the model has them, and then the content.
    std
        Standard deviations, same shape, >= 0, and > 0 for `kl`.

    Examples
    --------
    >>> import torch
    >>> from phyvae import Posterior
    >>> posterior = Posterior(
    ...     mean=torch.tensor([[0.0, 1.0], [0.0, -1.0]]),
    ...     std=torch.tensor([[1.0, 0.5], [1.0, 0.5]]),
    ... )
    >>> posterior.sample(torch.Generator().manual_seed(0)).shape
    torch.Size([2, 2])
    >>> posterior.kl()  # per patch
    tensor([0.8181, 0.8181])
    >>> posterior.signal()  # per latent: the first one is the prior in every patch
    tensor([0.0000, 0.8000])
    """

    mean: Float[Tensor, "n z_dim"]
    std: Float[Tensor, "n z_dim"]

    def __getitem__(self, index: Tensor) -> "Posterior":
        return Posterior(self.mean[index], self.std[index])

    def leaf(self) -> "Posterior":
        """Return a copy that collects gradient and passes none on to the encoder."""
        return Posterior(*(part.detach().requires_grad_() for part in (self.mean, self.std)))

    def sample(self, generator: torch.Generator | None = None) -> Float[Tensor, "n z_dim"]:
        """Return one reparameterised sample of z per patch.

        Parameters
        ----------
        generator
            Source of the noise, on the same device; ``None`` is torch's global one.

        Returns
        -------
        Tensor
            ``mean + std * noise``, shape (n, z_dim), with gradient to both.
        """
        noise = torch.randn(
            self.mean.shape, generator=generator, device=self.mean.device, dtype=self.mean.dtype
        )
        return self.mean + self.std * noise

    def kl(self) -> Float[Tensor, " n"]:
        """Return the KL divergence from the standard normal prior, nats per patch, shape (n,)."""
        return 0.5 * (self.mean**2 + self.std**2 - 1 - 2 * self.std.log()).sum(-1)

    def signal(self) -> Float[Tensor, " z_dim"]:
        """Return the share of each latent's variance that lies between patches.

        It is var(mean) / (var(mean) + mean of std squared) over the rows: near 0, the latent has
        collapsed onto the prior; near 1, its value is known well from each patch. It is 0 for a
        latent that never varies, such as the probability of a class that no patch belongs to.

        Returns
        -------
        Tensor
            Shape (z_dim,), 0 to 1.
        """
        between = self.mean.var(0, correction=0)
        total = between + self.std.square().mean(0)
        return between / total.clamp(min=torch.finfo(total.dtype).tiny)
