"""A grid of patches with the model that encodes it, read in batches."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import torch
from jaxtyping import Int
from torch import Tensor

from ..compute.threads import in_threads
from ..models import Refinable
from ..models.posterior import Posterior
from ..patches.grid import PatchGrid
from ..patches.known import Patches

__all__ = ["EncodedGrid"]

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class EncodedGrid:
    """A grid, its model, and the number of patches that are encoded or decoded at a time."""

    model: Refinable
    grid: PatchGrid
    batch_size: int

    def batches(self) -> Iterator[tuple[slice, Patches]]:
        """Yield the patches in batches, each with its rows among all patches."""
        first = 0
        for index in self.grid.indices.split(self.batch_size):
            yield slice(first, first + len(index)), self.grid.data(index, self.model.like)
            first += len(index)

    def over_batches(
        self,
        work: Callable[[Int[Tensor, " n"], Patches], T],
        rows: Int[Tensor, " m"] | None = None,
    ) -> list[T]:
        """Return the results of some work on batches of patches, without gradients.

        The work gets the rows of a batch among all patches, and the patches. On a CPU, batches are
        shared out over threads of one core each, which do not wait for each other where another
        process is busy.
        """
        rows = torch.arange(self.grid.count) if rows is None else rows
        parts = [part for part in rows.split(self.batch_size) if len(part)]
        found: dict[int, T] = {}

        @torch.no_grad()
        def one(k: int) -> None:
            patches = self.grid.data(self.grid.indices[parts[k]], self.model.like)
            found[k] = work(parts[k], patches)

        if self.model.trains_in_threads and self.model.like.device.type == "cpu":
            in_threads(one, range(len(parts)))
        else:
            for k in range(len(parts)):
                one(k)
        return [found[k] for k in range(len(parts))]

    @torch.no_grad()
    def posterior(self) -> Posterior:
        """Return the encoder's posterior of all patches."""
        return _joined(self.model.posterior(patches) for _, patches in self.batches())

    @torch.no_grad()
    def prior(self) -> Posterior:
        """Return the prior of the latents of all patches."""
        return _joined(
            self.model.prior(patches, self.model.posterior(patches))
            for _, patches in self.batches()
        )


def _joined(parts: Iterator[Posterior]) -> Posterior:
    means, stds = zip(*((part.mean, part.std) for part in parts), strict=True)
    return Posterior(torch.cat(means), torch.cat(stds))
