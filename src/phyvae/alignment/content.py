"""Content latents trained on maximum autocorrelation factors of aligned patches."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..models import ShiftVAE
from ..patches.known import Patches
from ..patches.windows import Corners, Windows, clamped, crop, random_corners, random_neighbours
from .adam_steps import adam_steps
from .factors import Factors, features, maximum_autocorrelation
from .shift_loss import ShiftLoss

__all__ = ["AlignedFeatures", "content_factors", "train_content"]


@dataclass(frozen=True, eq=False)
class AlignedFeatures:
    """Features of windows after the model's shifts have moved them onto the lattice."""

    model: ShiftVAE
    windows: Windows

    @torch.no_grad()
    def __call__(self, corners: Corners) -> tuple[Tensor, Tensor]:
        """Return both blocks of `factors.features`."""
        patches = crop(self.windows, corners)
        shift = self.model.posterior(Patches(patches)).mean[:, : self.model.coord]
        sites = corners + (shift * self.model.shift_scale).round().long()
        return features(crop(self.windows, clamped(self.windows, sites)), patches)


def content_factors(
    aligned: AlignedFeatures, generator: torch.Generator, count: int = 4096
) -> Factors:
    """Return the maximum autocorrelation factors of random pairs of neighbouring windows."""
    first = random_corners(aligned.windows, count, generator)
    second = random_neighbours(aligned.windows, first, generator)
    # A thousand windows at a time bound the memory.
    one, two = (
        tuple(map(torch.cat, zip(*map(aligned, corners.split(1024)), strict=True)))
        for corners in (first, second)
    )
    return maximum_autocorrelation(one, two)


def train_content(
    shift_loss: ShiftLoss,
    aligned: AlignedFeatures,
    factors: Factors,
    steps: int,
    lr: float,
    advance: Callable[[], object],
) -> float:
    """Train shift and content; return the share of pairs whose shifts agree in the end.

    The target of a content latent is a factor's value in a neighbouring window, times the root of
    the factor's autocorrelation.
    """
    model = shift_loss.model
    kept = min(model.latent_dim, len(factors.autocorrelations))
    scale = torch.from_numpy(factors.autocorrelations[:kept]).clamp(min=0).sqrt().to(model.grid)
    for descend in adam_steps(model.encoder_z, steps, lr, advance):
        loss, corners, means = shift_loss()
        neighbours = random_neighbours(shift_loss.windows, corners, shift_loss.generator)
        target = factors(torch.cat(aligned(neighbours), 1))[:, :kept] * scale
        content = means[:, model.content][:, :kept]
        descend(loss + (content - target).square().mean())
    return shift_loss.share(steps)
