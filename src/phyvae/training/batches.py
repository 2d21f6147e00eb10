"""The patches of each training step, gathered."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from ..models.options import Decoding
from ..patches.grid import PatchGrid
from ..patches.known import Patches
from ..patches.layout import Layout
from .tiles import Step

__all__ = ["Batch", "Tiles", "batches", "random_pixels"]


@dataclass(frozen=True)
class Batch:
    """A tile of neighbouring patches to encode, and the batch of them to decode.

    Attributes
    ----------
    tile
        The tile's patches, row by row.
    layout
        Their places in the tile's rectangle.
    decoded
        Positions within `tile` of the patches to decode, shape (n,).
    sites
        Positions within `tile` through which Ψ trains the encoder: `decoded` first, then others,
        sampled uniformly. Ψ is that of all positions in any case, and its force on fewer is
        scaled up, so the expected gradient is the same. ``None`` is all positions.
    decoding
        Pixels to decode, arithmetic and noise.
    """

    tile: Patches
    layout: Layout
    decoded: Int[Tensor, " n"]
    sites: Int[Tensor, " sites"] | None = None
    decoding: Decoding = Decoding()


class Tiles:
    """The patches of tiles of grids, with the device and type of `like`; the last one is kept.

    So a grid of one tile is gathered once.
    """

    def __init__(self, grids: Sequence[PatchGrid], like: Tensor) -> None:
        self.grids, self.like = [grid.to(like.device) for grid in grids], like
        self._last: tuple[int, Tensor, Patches] | None = None

    def __call__(self, number: int, index: Int[Tensor, " cells"]) -> Patches:
        """Return the patches at flat indices of grid `number`."""
        if self._last is None or number != self._last[0] or not torch.equal(self._last[1], index):
            self._last = (number, index, self.grids[number].data(index, self.like))
        return self._last[2]


def batches(
    tiles: Tiles, steps: Iterable[Step], share: float, dtype: torch.dtype, seed: int
) -> Iterator[Batch]:
    """Yield the batch of each step, with a share of the patches' pixels to decode.

    `seed` is that of the pixels and of the latent noise, which come from one generator.
    """
    device, count = tiles.like.device, math.prod(tiles.grids[0].patch_shape)
    generator = torch.Generator(device).manual_seed(seed)
    for step in steps:
        decoding = Decoding(random_pixels(count, share, generator), dtype, generator)
        sites = None if step.sites is None else step.sites.to(device)
        data, layout = tiles(step.grid, step.tile), step.layout.to(device)
        yield Batch(data, layout, step.batch.to(device), sites, decoding)


def random_pixels(
    count: int, share: float, generator: torch.Generator
) -> Int[Tensor, " pixels"] | None:
    """Return the flat indices of a random share of a patch's pixels; ``None`` is all."""
    chosen = max(1, round(share * count))
    if chosen == count:
        return None
    return torch.randperm(count, generator=generator, device=generator.device)[:chosen]
