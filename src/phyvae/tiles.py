"""Which tile is encoded, which of its patches are decoded, in each step."""

import bisect
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

__all__ = ["Step", "TileSampler"]

_Tile = tuple[tuple[int, int], tuple[int, int]]  # (top, bottom), (left, right)


@dataclass(frozen=True)
class Step:
    """One training step: a tile of neighbours to encode, a batch of it to decode.

    Attributes
    ----------
    shape
        (rows, cols) of the tile.
    tile
        Flat grid indices of the tile's patches, row by row, shape (rows * cols,).
    batch
        Positions within `tile` of the patches to decode, shape (n,).
    sites
        Positions within `tile` through which the encoder is trained, the batch first, then others
        drawn uniformly, shape (sites,); ``None`` for all.
    """

    shape: tuple[int, int]
    tile: Int[Tensor, " cells"]
    batch: Int[Tensor, " n"]
    sites: Int[Tensor, " sites"] | None = None

    def without_neighbours(self) -> "Step":
        """Return the step with no patches but the batch, for an objective that sees no map."""
        count = len(self.batch)
        return Step((1, count), self.tile[self.batch], torch.arange(count))


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

    Examples
    --------
    >>> from phyvae.tiles import TileSampler
    >>> sampler = TileSampler((10, 10), batch_size=25, tile=64)
    >>> steps = list(sampler.epoch(seed=0))
    >>> len(steps), steps[0].shape
    (4, (10, 10))
    """

    shape: tuple[int, int]
    batch_size: int = 64
    tile: int = 64
    sites: int | None = None

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ValueError(f"batch_size={self.batch_size} must be at least 1 patch.")
        if self.tile < 2:
            raise ValueError(
                f"tile={self.tile} must be at least 2 patches wide: physics needs neighbours."
            )

    def steps_per_epoch(self) -> int:
        """Return the steps that decode as many patches as the grid has, to the nearest batch."""
        return max(1, round(math.prod(self.shape) / self.batch_size))

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
        generator = torch.Generator().manual_seed(seed)
        jobs = (job for _ in itertools.count() for job in self._pass(generator))
        own = math.ceil((self.steps_per_epoch() if steps is None else steps) / ranks)
        return itertools.starmap(self._step, itertools.islice(jobs, rank, own * ranks, ranks))

    def _pass(self, generator: torch.Generator) -> Iterator[tuple[_Tile, int, int]]:
        """Yield tile, batch number and seed of each step over all tiles, in random order."""
        rows, cols = (_cuts(n, self.tile, generator) for n in self.shape)
        tiles = list(itertools.product(itertools.pairwise(rows), itertools.pairwise(cols)))
        # Job j is batch k of tile t. Of a large grid with few steps most are never asked for.
        first = [0]
        for (top, bottom), (left, right) in tiles:
            batches = max(1, round((bottom - top) * (right - left) / self.batch_size))
            first.append(first[-1] + batches)
        shuffle = int(torch.randint(2**62, (), generator=generator))
        for job in torch.randperm(first[-1], generator=generator).tolist():
            t = bisect.bisect_right(first, job) - 1
            yield tiles[t], job - first[t], shuffle + t

    def _step(self, tile: _Tile, k: int, seed: int) -> Step:
        """Return the step that decodes the k-th batch of a tile."""
        (top, bottom), (left, right) = tile
        shape = (bottom - top, right - left)
        index = torch.arange(top, bottom)[:, None] * self.shape[1] + torch.arange(left, right)
        # The same permutation for all batches of a tile, so that they share no patch.
        order = torch.randperm(math.prod(shape), generator=torch.Generator().manual_seed(seed))
        size = min(self.batch_size, len(order))
        # Every batch has the same size; the last one may run past the end and start over.
        order = order.roll(-k * size)
        count = len(order) if self.sites is None else max(size, self.sites)
        sites = order[:count] if count < len(order) else None
        return Step(shape, index.flatten(), order[:size], sites)


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
