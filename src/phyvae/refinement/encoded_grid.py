"""A grid of patches with the model that encodes it, read in batches."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from ..models import Refinable
from ..models.posterior import Posterior
from ..patches.grid import PatchGrid
from ..patches.known import Patches

__all__ = ["EncodedGrid"]


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
