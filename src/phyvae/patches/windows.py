"""Windows of an image: crops of the patch size at any pixel, not only at the grid's steps."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

__all__ = ["Corners", "Windows", "clamped", "crop", "random_corners", "windows_of"]

Windows = Float[Tensor, "ys xs height width"]
"""A view of all windows of an image, `PatchGrid.windows`."""
Corners = Int[Tensor, "n 2"]
"""Top left pixels (y, x) of some windows."""


def windows_of(image: Float[Tensor, "rows cols"], shape: tuple[int, ...]) -> Windows:
    """Return the windows of a shape at every pixel where one fits, as a view of the image."""
    return image.unfold(0, shape[0], 1).unfold(1, shape[1], 1)


def random_corners(
    windows: Windows,
    count: int,
    generator: torch.Generator,
    shown: Bool[Tensor, "ys xs"] | None = None,
) -> Corners:
    """Sample windows uniformly, with replacement, of a mask only those in it."""
    if shown is not None:
        places = shown.nonzero()
        chosen = torch.randint(len(places), (count,), generator=generator, device=generator.device)
        return places.to(generator.device)[chosen]
    shape = torch.tensor(windows.shape[:2], device=generator.device)
    random = torch.rand(count, 2, generator=generator, device=generator.device)
    return clamped(windows, (random * shape).long())


def clamped(windows: Windows, corners: Corners) -> Corners:
    """Return the nearest corners whose windows lie in the image."""
    limit = torch.tensor(windows.shape[:2], device=corners.device) - 1
    return corners.clamp(min=0).minimum(limit)


def crop(windows: Windows, corners: Corners) -> Float[Tensor, "n height width"]:
    """Return copies of the windows at some corners."""
    return windows[tuple(corners.T)]
