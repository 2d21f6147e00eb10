"""One epoch of a model: what is drawn in each step, and what the steps come to."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields

import torch
from jaxtyping import Int
from torch import Tensor

from .known import Data
from .layout import Layout
from .objective import ObjectiveParts
from .patches import PatchGrid
from .tiles import Step

__all__ = ["Drawn", "Tiles", "Totals", "drawn_pixels", "draws"]


@dataclass(frozen=True)
class Drawn:
    """What a step of a model is made of; see `PhysicsObjective.backward`."""

    tile: Data
    layout: Layout
    batch: Int[Tensor, " n"]
    sites: Int[Tensor, " sites"] | None
    pixels: Int[Tensor, " pixels"] | None
    generator: torch.Generator


class Tiles:
    """The patches of tiles of grids, with the device and type of `like`; the last one is kept.

    So a grid of one tile is gathered once, and models that look at the same tile share it.
    """

    def __init__(self, grids: Sequence[PatchGrid], like: Tensor) -> None:
        self.grids, self.like = [grid.to(like.device) for grid in grids], like
        self._which, self._index = -1, torch.empty(0)
        self._data: Data = torch.empty(0)

    def __call__(self, which: int, index: Int[Tensor, " cells"]) -> Data:
        """Return the patches of these flat indices of a grid, with what is known of them."""
        if which != self._which or not torch.equal(self._index, index):
            self._which, self._index = which, index
            self._data = self.grids[which].data(index, self.like)
        return self._data


def draws(tiles: Tiles, steps: Iterable[Step], share: float, seed: int) -> Iterator[Drawn]:
    """Yield each step with its patches, and a share of their pixels.

    `seed` is that of the pixels, and of the noise that is drawn later from the same generator.
    """
    device, count = tiles.like.device, math.prod(tiles.grids[0].patch_shape)
    generator = torch.Generator(device).manual_seed(seed)
    for step in steps:
        pixels = drawn_pixels(count, share, generator)
        sites = None if step.sites is None else step.sites.to(device)
        data, layout = tiles(step.grid, step.tile), step.layout.to(device)
        yield Drawn(data, layout, step.batch.to(device), sites, pixels, generator)


def drawn_pixels(
    count: int, share: float, generator: torch.Generator
) -> Int[Tensor, " pixels"] | None:
    """Return the flat indices of a share of a patch's pixels, at random; ``None`` is all."""
    chosen = max(1, round(share * count))
    if chosen == count:
        return None
    return torch.randperm(count, generator=generator, device=generator.device)[:chosen]


class Totals:
    """Sums of the objective's parts over the steps of an epoch, where the model is."""

    def __init__(self, device: torch.device) -> None:
        self._sums, self._count = torch.zeros(len(fields(ObjectiveParts)) + 2, device=device), 0

    def add(self, parts: ObjectiveParts) -> None:
        """Add those of a step."""
        # Rounding alone takes a perfect reconstruction below its floor.
        rewarded = parts.loss < -1e-4 * parts.neg_elbo.abs()
        signs = torch.stack([parts.psi < 0, rewarded])
        self._sums += torch.cat([parts.stack(), signs.to(self._sums)])
        self._count += 1

    def means(self) -> list[float]:
        """Return the means, in the order of the fields: the one look at them in an epoch.

        Then come the shares of the steps with a negative Ψ, and with a negative loss. Each look
        waits for the GPU.
        """
        means: list[float] = (self._sums / self._count).tolist()
        return means
