"""Options of decoding a batch: which pixels, in which arithmetic, with which noise."""

from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

__all__ = ["Decoding"]


@dataclass(frozen=True)
class Decoding:
    """How a batch is decoded in a training step.

    Attributes
    ----------
    pixels
        Flat indices of the pixels to decode, shape (pixels,); their loss is scaled up to the
        whole patch. ``None`` decodes all.
    dtype
        Type of the hidden layers; ``None`` is that of the patches.
    generator
        Source of the latent noise, on the model's device; ``None`` is torch's global one.
    """

    pixels: Int[Tensor, " pixels"] | None = None
    dtype: torch.dtype | None = None
    generator: torch.Generator | None = None
