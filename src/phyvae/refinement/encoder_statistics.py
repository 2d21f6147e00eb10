"""Encoder's means of all patches, and their spread under simulated noise of the image."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from .encoded_grid import EncodedGrid
from .noise import patch_signs, resampled_images
from .window_means import window_means

__all__ = ["EncoderStatistics", "encoder_statistics"]

_LEAST = 1e-6  # variance of noise, in that of a latent over the patches; no image has less


@dataclass(frozen=True, eq=False)
class EncoderStatistics:
    """Mean and noise of the encoder's output for all patches.

    Attributes
    ----------
    mean
        The encoder's means.
    precision
        One over the variance that the noise of the image gives them.
    deviations
        Change of the means with resampled noise, one tensor per simulated noise.
    patch_variance
        Variance that the noise gives the mean of the patch alone, without windows around it.
    """

    mean: Float[Tensor, "n z_dim"]
    precision: Float[Tensor, "n z_dim"]
    deviations: list[Float[Tensor, "n z_dim"]]
    patch_variance: Float[Tensor, "n z_dim"]


@torch.no_grad()
def encoder_statistics(
    data: EncodedGrid, samples: int, seed: int, around: int
) -> EncoderStatistics:
    """Encode all patches, and again with resampled noise.

    The noise is the decoder's residual of each pixel with a random sign. The encoder's own
    standard deviations are no measure of it: they depend on β and on the likelihood of grey
    pixels. Content is averaged over windows up to `around` px away. A model that does not
    reconstruct patches has no residuals: its own standard deviations serve.
    """
    generator = torch.Generator().manual_seed(seed)
    if not data.model.draws_patches:
        return _of_posterior(data, samples, generator)
    if around:
        mean, own = window_means(data, data.grid.image, around)
        again = [
            window_means(data, image, around)
            for image in resampled_images(data, own, samples, generator)
        ]
        deviations, own_deviations = (
            [one - mean for one, _ in again],
            [one - own for _, one in again],
        )
    else:
        mean, deviations = _of_patches(data, samples, generator)
        own_deviations = deviations
    variance, own_variance = (
        _variance(one).expand_as(mean) for one in (deviations, own_deviations)
    )
    return EncoderStatistics(mean, _precision(mean, variance), deviations, own_variance)


def _of_posterior(
    data: EncodedGrid, samples: int, generator: torch.Generator
) -> EncoderStatistics:
    """Return the statistics by the encoder's own standard deviations."""
    posterior = data.posterior()
    mean, std = posterior.mean, posterior.std
    noise = torch.randn((samples, *std.shape), generator=generator).to(std)
    return EncoderStatistics(mean, _precision(mean, std.square()), list(std * noise), std.square())


def _of_patches(
    data: EncodedGrid, samples: int, generator: torch.Generator
) -> tuple[Float[Tensor, "n z_dim"], list[Float[Tensor, "n z_dim"]]]:
    """Return the encoder's means of the patches alone, and their change with resampled noise."""
    model = data.model
    signs = [patch_signs(data, generator) for _ in range(samples)]
    means: list[Tensor] = []
    deviations: list[list[Tensor]] = [[] for _ in range(samples)]
    for rows, patches in data.batches():
        mean, pixels = model.posterior(patches).mean, patches.pixels
        means.append(mean)
        clean = model.pixel_means(mean, patches).reshape(pixels.shape)
        for deviation, sign in zip(deviations, signs, strict=True):
            resampled = clean + sign(rows).to(pixels).reshape(pixels.shape) * (pixels - clean)
            deviation.append(model.posterior(patches.showing(resampled)).mean - mean)
    return torch.cat(means), [torch.cat(deviation) for deviation in deviations]


def _variance(deviations: list[Float[Tensor, "n z_dim"]]) -> Float[Tensor, " z_dim"]:
    """Return the variance of each latent, averaged over the patches: there are few samples."""
    return torch.stack(deviations).var(0).mean(0)


def _precision(
    mean: Float[Tensor, "n z_dim"], variance: Float[Tensor, "n z_dim"]
) -> Float[Tensor, "n z_dim"]:
    least = _LEAST * mean.var(0, correction=0)
    return 1 / torch.maximum(variance, torch.where(least > 0, least, 1.0))
