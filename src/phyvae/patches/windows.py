"""Windows of an image, at any pixel."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

__all__ = ["Corners", "Windows", "at", "beside", "drawn", "inside"]

Windows = Float[Tensor, "ys xs height width"]
Corners = Int[Tensor, "n 2"]  # (y, x) of windows


def drawn(windows: Windows, count: int, generator: torch.Generator) -> Corners:
    """Return some windows, each as likely as any other."""
    shape = torch.tensor(windows.shape[:2], device=generator.device)
    random = torch.rand(count, 2, generator=generator, device=generator.device)
    return inside(windows, (random * shape).long())


def inside(windows: Windows, corners: Corners) -> Corners:
    """Return the nearest windows that lie in the image."""
    limit = torch.tensor(windows.shape[:2], device=corners.device) - 1
    return corners.clamp(min=0).minimum(limit)


def at(windows: Windows, corners: Corners) -> Float[Tensor, "n height width"]:
    """Return the pixels of windows."""
    return windows[tuple(corners.T)]


def beside(windows: Windows, corners: Corners, generator: torch.Generator) -> Corners:
    """Return windows at a distance of 1 to 1.3 patches, in any direction: without a pixel shared.

    In an image of less than two patches they overlap.
    """
    random = torch.rand(2, len(corners), generator=generator, device=corners.device)
    angle, size = 2 * math.pi * random[0], corners.new_tensor(windows.shape[2:])
    way = torch.stack([angle.sin(), angle.cos()], 1) * (1 + 0.3 * random[1])[:, None]
    offset = (way * size).round().long()
    there = corners + offset
    outside = there != inside(windows, there)
    return inside(windows, torch.where(outside, corners - offset, there))
