"""Which tile is encoded, which of its patches are decoded, in each step."""

import bisect
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ..patches.graph import SiteGraph
from ..patches.grid import PatchGrid
from ..patches.layout import Layout
from ..patches.map_pixel import SQUARE, MapPixel

__all__ = ["SiteSampler", "Step", "TileSampler", "sampler_of", "steps_over"]

_Job = tuple[Any, int, int]  # tile, number of the batch in it, seed


@dataclass(frozen=True)
class Step:
    """One training step: a tile of neighbours to encode, a batch of it to decode.

    layout: Where in the tile's rectangle its patches lie.
    tile: Flat grid indices of the tile's patches, row by row, shape (cells,).
    batch: Positions within `tile` of the patches to decode, shape (n,).
    sites: Positions within `tile` through which the encoder is trained, the batch first, then
        others sampled uniformly, shape (sites,); ``None`` for all.
    grid: Number of the grid, where there are several.
    """

    layout: Layout
    tile: Int[Tensor, " cells"]
    batch: Int[Tensor, " n"]
    sites: Int[Tensor, " sites"] | None = None
    grid: int = 0

    def without_neighbours(self) -> "Step":
        """Return the step with no patches but the batch, for an objective that sees no map."""
        count = len(self.batch)
        alone = self.tile[self.batch]
        return Step(Layout((1, count)), alone, torch.arange(count), grid=self.grid)


@dataclass(frozen=True)
class TileSampler:
    """Sampler of the steps of an epoch; every patch has the same chance to be decoded.

    A grid that fits into one tile is encoded whole in every step, and the physics sees the whole
    map. A larger grid is cut into tiles of nearly equal size; the cuts move from epoch to epoch.
    Each tile's patches are shuffled and decoded in batches of one size.

    shape: (rows, cols) of the patch grid.
    batch_size: Patches decoded in a step. A smaller tile is decoded whole.
    tile: Largest number of rows, and of columns, of a tile.
    sites: Positions of a tile through which the encoder is trained; a batch of more is no fewer.
        ``None`` is all.
    mask: Cells that hold a patch, shape (rows, cols); ``None`` if all do. A tile without any is
        never sampled.
    pixel: How far neighbouring patches lie apart.

    Examples
    --------
    >>> from phyvae.training.tiles import TileSampler, steps_over
    >>> steps = list(steps_over([TileSampler((10, 10), batch_size=25, tile=64)], seed=0))
    >>> len(steps), steps[0].layout.shape
    (4, (10, 10))
    """

    shape: tuple[int, int]
    batch_size: int = 64
    tile: int = 64
    sites: int | None = None
    mask: Bool[Tensor, "rows cols"] | None = None
    pixel: MapPixel = SQUARE

    def steps_per_epoch(self) -> int:
        """Return the steps that decode as many patches as the grid has, to the nearest batch."""
        cells = math.prod(self.shape) if self.mask is None else int(self.mask.sum())
        return max(1, round(cells / self.batch_size))

    def jobs(self, generator: torch.Generator) -> Iterator[_Job]:
        """Yield tile, batch number and seed of each step of one pass, in random order."""
        tiles = self._tiles(generator)
        # Job j is batch k of tile t. Of a large grid with few steps most are never asked for.
        first = [0]
        for tile in tiles:
            cells = self._cells(tile)
            first.append(first[-1] + (max(1, round(cells / self.batch_size)) if cells else 0))
        shuffle = int(torch.randint(2**62, (), generator=generator))
        for job in torch.randperm(first[-1], generator=generator).tolist():
            t = bisect.bisect_right(first, job) - 1
            yield tiles[t], job - first[t], shuffle + t

    def step(self, tile: Any, k: int, seed: int) -> Step:
        """Return the step that decodes the k-th batch of a tile."""
        layout, index = self._laid_out(tile)
        # The same permutation for all batches of a tile, so that they share no patch.
        order = torch.randperm(len(index), generator=torch.Generator().manual_seed(seed))
        size = min(self.batch_size, len(order))
        # Every batch has the same size; the last one may run past the end and start over.
        order = order.roll(-k * size)
        count = len(order) if self.sites is None else max(size, self.sites)
        sites = order[:count] if count < len(order) else None
        return Step(layout, index, order[:size], sites)

    def _tiles(self, generator: torch.Generator) -> Sequence[Any]:
        """Return the tiles of one pass, each as (top, bottom), (left, right)."""
        rows, cols = (_cuts(n, self.tile, generator) for n in self.shape)
        return list(itertools.product(itertools.pairwise(rows), itertools.pairwise(cols)))

    def _cells(self, tile: Any) -> int:
        """Return how many patches a tile holds."""
        (top, bottom), (left, right) = tile
        if self.mask is not None:
            return int(self.mask[top:bottom, left:right].sum())
        return int((bottom - top) * (right - left))

    def _laid_out(self, tile: Any) -> tuple[Layout, Int[Tensor, " cells"]]:
        """Return the layout of a tile's patches, and their flat grid indices."""
        (top, bottom), (left, right) = tile
        layout = Layout((bottom - top, right - left), pixel=self.pixel)
        index = torch.arange(top, bottom)[:, None] * self.shape[1] + torch.arange(left, right)
        index = index.flatten()
        if self.mask is None or self._cells(tile) == len(index):
            return layout, index
        (cells,) = torch.nonzero(self.mask[top:bottom, left:right].flatten(), as_tuple=True)
        return replace(layout, cells=cells), index[cells]


@dataclass(frozen=True)
class SiteSampler(TileSampler):
    """The same for sites without a raster: a tile is the sites in a box, of tile² at most.

    graph: The sites and their neighbours.
    """

    graph: SiteGraph | None = None

    def _tiles(self, generator: torch.Generator) -> Sequence[Any]:
        """Return the tiles of one pass, each as the numbers of its sites."""
        assert self.graph is not None
        return _boxes(self.graph.sites.cpu(), torch.arange(len(self.graph)), self.tile, generator)

    def _cells(self, tile: Any) -> int:
        return len(tile)

    def _laid_out(self, tile: Any) -> tuple[Layout, Int[Tensor, " cells"]]:
        assert self.graph is not None
        graph = self.graph if len(tile) == len(self.graph) else self.graph.subgraph(tile)
        return Layout((1, len(tile)), graph=graph), tile


def sampler_of(grid: PatchGrid, batch_size: int, tile: int, sites: int | None) -> TileSampler:
    """Return the sampler of steps on a grid."""
    if grid.graph is not None:
        graph = grid.graph.to("cpu")
        return SiteSampler(grid.shape, batch_size, tile, sites, graph=graph)
    mask = None if grid.mask is None else grid.mask.cpu()
    return TileSampler(grid.shape, batch_size, tile, sites, mask, MapPixel.of(grid))


def steps_over(
    samplers: Sequence[TileSampler],
    seed: int,
    steps: int | None = None,
    *,
    rank: int = 0,
    ranks: int = 1,
) -> Iterator[Step]:
    """Yield the steps of one epoch over grids, mixed, random by `seed` alone.

    samplers: Of each grid.
    seed: Seed of this epoch.
    steps: Number of steps, of all processes together; the default is one pass over the grids.
    rank, ranks: Which one of how many processes. Each takes every ranks-th step, all equally many:
        if they do not share out evenly, some more are added.
    """
    generator = torch.Generator().manual_seed(seed)
    each = [sampler.steps_per_epoch() for sampler in samplers]
    own = math.ceil((sum(each) if steps is None else steps) / ranks)
    jobs = _mixed_jobs(samplers, each, generator)
    for i, job in itertools.islice(jobs, rank, own * ranks, ranks):
        yield replace(samplers[i].step(*job), grid=i)


def _mixed_jobs(
    samplers: Sequence[TileSampler], each: Sequence[int], generator: torch.Generator
) -> Iterator[tuple[int, _Job]]:
    """Yield jobs without end, with the number of their sampler, in proportion to its steps."""

    def passes(sampler: TileSampler) -> Iterator[_Job]:
        return (job for _ in itertools.count() for job in sampler.jobs(generator))

    if len(samplers) == 1:
        yield from ((0, job) for job in passes(samplers[0]))
    jobs = [passes(sampler) for sampler in samplers]
    turns = torch.repeat_interleave(torch.arange(len(samplers)), torch.tensor(each))
    while True:
        for i in turns[torch.randperm(len(turns), generator=generator)].tolist():
            yield i, next(jobs[i])


def _cuts(n: int, tile: int, generator: torch.Generator) -> list[int]:
    """Return where to cut n rows into nearly equal pieces of at most `tile`, offset at random."""
    if n <= tile:
        return [0, n]
    # Inner cuts move by up to a quarter of a piece, so that no wall sits on one for ever.
    pieces = math.ceil(1.25 * n / tile)
    length = n / pieces
    jitter = (float(torch.rand((), generator=generator)) - 0.5) * length / 2
    inner = [round(i * length + jitter) for i in range(1, pieces)]
    return [0, *inner, n]


def _boxes(
    sites: Float[Tensor, "n 2"], index: Int[Tensor, " k"], tile: int, generator: torch.Generator
) -> list[Int[Tensor, " cells"]]:
    """Return sites in boxes of tile² at most: halved across the longer side, off the middle."""
    if len(index) <= tile**2:
        return [index]
    inside = sites[index]
    along = int((inside.amax(0) - inside.amin(0)).argmax())
    order = index[inside[:, along].argsort()]
    share = 0.375 + 0.25 * float(torch.rand((), generator=generator))
    halves = order.split([round(share * len(order)), len(order) - round(share * len(order))])
    return [box for half in halves for box in _boxes(sites, half, tile, generator)]
