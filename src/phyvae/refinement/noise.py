"""Simulated noise of an image: the decoder's residuals with random signs (a wild bootstrap)."""

from collections.abc import Callable, Iterator, Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..patches.grid import PatchGrid
from ..patches.known import Patches
from .encoded_grid import EncodedGrid

__all__ = ["patch_signs", "random_signs", "resampled_images"]


def random_signs(shape: Sequence[int], generator: torch.Generator) -> Tensor:
    """Return random signs, on the CPU."""
    signs = torch.randint(0, 2, tuple(shape), generator=generator, dtype=torch.int8)
    return signs.mul_(2).sub_(1).half()


def patch_signs(
    data: EncodedGrid, generator: torch.Generator
) -> Callable[[slice], Float[Tensor, "n pixels"]]:
    """Return random signs of the decoder's targets, for given rows of patches.

    A pixel of the image has one sign in all patches that share it. Where the decoder does not
    reconstruct patches, each of its target values has a sign of its own.
    """
    grid = data.grid
    signs = random_signs(grid.image.shape, generator)
    if data.model.draws_patches:
        signed = grid.of(signs)
        return lambda rows: signed.gather(grid.indices[rows]).flatten(1)
    assert grid.known is not None
    values = random_signs((grid.count, grid.known.shape[1]), generator)
    return lambda rows: values[rows]


@torch.no_grad()
def resampled_images(
    data: EncodedGrid,
    latents: Float[Tensor, "n z_dim"],
    samples: int,
    generator: torch.Generator,
) -> Iterator[Float[Tensor, "height width"]]:
    """Yield the image with resampled noise: reconstruction plus residual of random sign.

    The reconstruction of a pixel is the mean over decoded patches that share it: over as few as
    cover the image. Pixels outside all patches keep their value.
    """
    grid, image = data.grid, data.grid.image
    number = torch.arange(image.numel(), device=image.device, dtype=torch.float64)
    numbered = grid.of(number.reshape(image.shape))
    total, count = torch.zeros_like(image.flatten()), torch.zeros_like(image.flatten())

    def decoded(rows: Tensor, patches: Patches) -> tuple[Tensor, Tensor]:
        pixels = numbered.gather(grid.indices[rows]).flatten().long()
        return pixels, data.model.pixel_means(latents[rows], patches).flatten().to(total)

    for apart in (True, False):
        chosen = _apart(grid) if apart else _uncovered(grid, count.reshape(image.shape))
        rows = torch.nonzero(chosen).flatten()
        for pixels, means in data.over_batches(decoded, rows):
            total.index_add_(0, pixels, means)
            count.index_add_(0, pixels, torch.ones_like(means))
    clean = (total / count.clamp(min=1)).reshape(image.shape)
    clean = torch.where(count.reshape(image.shape) > 0, clean, image)
    for _ in range(samples):
        yield clean + random_signs(image.shape, generator).to(image) * (image - clean)


def _apart(grid: PatchGrid) -> Bool[Tensor, " n"]:
    """Return which patches of a raster lie side by side, hardly overlapping; of sites, all."""
    if not grid.is_raster or len(grid.patch_shape) == 1:
        return torch.ones(grid.count, dtype=torch.bool)
    rows, cols = (
        torch.arange(n) % max(1, size // step) == 0
        for n, size, step in zip(grid.shape, grid.patch_shape, grid.step, strict=True)
    )
    return (rows[:, None] & cols).flatten()[grid.indices.cpu()]


def _uncovered(grid: PatchGrid, count: Float[Tensor, "height width"]) -> Bool[Tensor, " n"]:
    """Return which patches of a raster have pixels that are in none of those decoded so far."""
    if not grid.is_raster or len(grid.patch_shape) == 1:
        return torch.zeros(grid.count, dtype=torch.bool)
    missing = (count == 0).float()[None, None]
    found = torch.nn.functional.max_pool2d(missing, grid.patch_shape, grid.step)[0, 0] > 0
    return found.flatten().cpu()[grid.indices.cpu()]
