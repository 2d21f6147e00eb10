"""Decoder trained to reconstruct windows of the image, with the encoder as it is."""

import math
from collections.abc import Callable

import torch

from ..compute.precision import dtype_of
from ..models import ShiftVAE
from ..models.options import Decoding
from ..patches.known import Patches
from ..patches.windows import Windows, crop, random_corners
from .adam_steps import adam_steps

__all__ = ["train_decoder"]

# As good after 300 steps as twice the windows, or a fifth of the pixels whatever the patch.
_WINDOWS, _PIXELS = 25, 128


def train_decoder(
    model: ShiftVAE,
    windows: Windows,
    steps: int,
    lr: float,
    generator: torch.Generator,
    advance: Callable[[], object],
) -> None:
    """Train the decoder alone, on random pixels of random windows in a step."""
    count, dtype = math.prod(model.patch_shape), dtype_of("auto", model.device)
    for descend in adam_steps(model.decoder, steps, lr, advance):
        patches = crop(windows, random_corners(windows, _WINDOWS, generator))
        with torch.no_grad():
            latents = model.posterior(Patches(patches)).sample(generator)
        pixels = torch.randperm(count, generator=generator, device=model.device)
        decoding = Decoding(pixels[:_PIXELS], dtype)
        descend(model.mean_reconstruction(patches, latents, decoding))
