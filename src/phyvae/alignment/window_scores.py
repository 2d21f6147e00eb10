"""Scores of windows anywhere in an image, computed when they are asked for."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ..patches.windows import Windows, clamped, crop
from .components import Corners

__all__ = ["WindowScores"]

_BATCH = 1024


@dataclass(frozen=True, eq=False)
class WindowScores:
    """Scores as of a `ScoreField` of one crop, the whole image, which takes no memory.

    Attributes
    ----------
    windows
        All windows of the image.
    layer
        Their projection, `as_layer`.
    """

    windows: Windows
    layer: nn.Linear

    def moved(self, corners: Corners, offset: Int[Tensor, "n 2"]) -> Corners:
        """Return the windows at an offset, px, or the nearest to it in the image."""
        return torch.cat([corners[:, :1], clamped(self.windows, corners[:, 1:] + offset)], 1)

    @torch.no_grad()
    def __call__(self, corners: Corners) -> Float[Tensor, "n columns"]:
        """Return the scores of windows."""
        parts = (crop(self.windows, part) for part in corners[:, 1:].split(_BATCH))
        return torch.cat([self.layer(part.to(self.layer.weight).flatten(1)) for part in parts])
