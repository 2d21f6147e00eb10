"""Which tile is encoded, which of its patches are decoded, in each step."""

import bisect
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from .layout import Layout

__all__ = ["Step", "TileSampler", "steps_over"]

_Tile = tuple[tuple[int, int], tuple[int, int]]  # (top, bottom), (left, right)
_Job = tuple[_Tile, int, int]  # tile, number of the batch in it, seed


@dataclass(frozen=True)
class Step:
    """One training step: a tile of neighbours to encode, a batch of it to decode.

    Attributes
    ----------
    layout
        Where in the tile's rectangle its patches lie.
    tile
        Flat grid indices of the tile's patches, row by row, shape (cells,).
    batch
        Positions within `tile` of the patches to decode, shape (n,).
    sites
        Positions within `tile` through which the encoder is trained, the batch first, then others
        drawn uniformly, shape (sites,); ``None`` for all.
    grid
        Number of the grid, where there are several.
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
    """Draw the steps of an epoch, so that every patch has the same chance to be decoded.

    A grid that fits into one tile is encoded whole in every step, and the physics sees the whole
    map. A larger grid is cut into tiles of nearly equal size; the cuts move from epoch to epoch.
    Each tile's patches are shuffled and decoded in batches of one size.

    Parameters
    ----------
    shape
        (rows, cols) of the patch grid.
    batch_size
        Patches decoded in a step. A smaller tile is decoded whole.
    tile
        Largest number of rows, and of columns, of a tile.
    sites
        Positions of a tile through which the encoder is trained; a batch of more is no fewer.
        ``None`` is all.
    mask
        Cells that hold a patch, shape (rows, cols); ``None`` if all do. A tile without any is
        never drawn.

    Examples
    --------
    >>> from phyvae.tiles import TileSampler
    >>> sampler = TileSampler((10, 10), batch_size=25, tile=64)
    >>> steps = list(sampler.epoch(seed=0))
    >>> len(steps), steps[0].layout.shape
    (4, (10, 10))
    """

    shape: tuple[int, int]
    batch_size: int = 64
    tile: int = 64
    sites: int | None = None
    mask: Bool[Tensor, "rows cols"] | None = None

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ValueError(f"batch_size={self.batch_size} must be at least 1 patch.")
        if self.tile < 2:
            raise ValueError(
                f"tile={self.tile} must be at least 2 patches wide: physics needs neighbours."
            )

    def steps_per_epoch(self) -> int:
        """Return the steps that decode as many patches as the grid has, to the nearest batch."""
        cells = math.prod(self.shape) if self.mask is None else int(self.mask.sum())
        return max(1, round(cells / self.batch_size))

    def epoch(
        self, seed: int, steps: int | None = None, *, rank: int = 0, ranks: int = 1
    ) -> Iterator[Step]:
        """Yield the steps of one epoch, drawn from `seed` alone.

        Parameters
        ----------
        seed
            Seed of this epoch.
        steps
            Number of steps, of all processes together; the default is one pass over the grid.
        rank, ranks
            Which one of how many processes. Each takes every ranks-th step, all equally many: if
            they do not share out evenly, some more are drawn.
        """
        return steps_over([self], seed, steps, rank=rank, ranks=ranks)

    def jobs(self, generator: torch.Generator) -> Iterator[_Job]:
        """Yield tile, batch number and seed of each step of one pass, in random order."""
        rows, cols = (_cuts(n, self.tile, generator) for n in self.shape)
        tiles = list(itertools.product(itertools.pairwise(rows), itertools.pairwise(cols)))
        # Job j is batch k of tile t. Of a large grid with few steps most are never asked for.
        first = [0]
        for tile in tiles:
            cells = self._cells(tile)
            first.append(first[-1] + (max(1, round(cells / self.batch_size)) if cells else 0))
        shuffle = int(torch.randint(2**62, (), generator=generator))
        for job in torch.randperm(first[-1], generator=generator).tolist():
            t = bisect.bisect_right(first, job) - 1
            yield tiles[t], job - first[t], shuffle + t

    def step(self, tile: _Tile, k: int, seed: int) -> Step:
        """Return the step that decodes the k-th batch of a tile."""
        (top, bottom), (left, right) = tile
        layout = Layout((bottom - top, right - left))
        index = torch.arange(top, bottom)[:, None] * self.shape[1] + torch.arange(left, right)
        index = index.flatten()
        if self.mask is not None and self._cells(tile) < len(index):
            (cells,) = torch.nonzero(self._part(tile).flatten(), as_tuple=True)
            layout, index = Layout(layout.shape, cells), index[cells]
        # The same permutation for all batches of a tile, so that they share no patch.
        order = torch.randperm(len(index), generator=torch.Generator().manual_seed(seed))
        size = min(self.batch_size, len(order))
        # Every batch has the same size; the last one may run past the end and start over.
        order = order.roll(-k * size)
        count = len(order) if self.sites is None else max(size, self.sites)
        sites = order[:count] if count < len(order) else None
        return Step(layout, index, order[:size], sites)

    def _part(self, tile: _Tile) -> Bool[Tensor, "rows cols"]:
        """Return the mask of a tile."""
        assert self.mask is not None
        (top, bottom), (left, right) = tile
        return self.mask[top:bottom, left:right]

    def _cells(self, tile: _Tile) -> int:
        """Return how many patches a tile holds."""
        if self.mask is not None:
            return int(self._part(tile).sum())
        (top, bottom), (left, right) = tile
        return (bottom - top) * (right - left)


def steps_over(
    samplers: Sequence[TileSampler],
    seed: int,
    steps: int | None = None,
    *,
    rank: int = 0,
    ranks: int = 1,
) -> Iterator[Step]:
    """Yield the steps of one epoch over several grids, mixed; see `TileSampler.epoch`."""
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
