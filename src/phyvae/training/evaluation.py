"""The objective over whole grids, without training."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from ..models import PatchModel, at_rest
from ..models.options import Decoding
from ..patches.grid import PatchGrid
from ..patches.layout import Layout
from .objective import PhysicsObjective
from .parts import ObjectiveParts

__all__ = ["evaluated"]


@torch.no_grad()
def evaluated(
    model: PatchModel,
    objective: PhysicsObjective,
    grids: Sequence[PatchGrid],
    beta: float,
    *,
    seed: int = 0,
    batch_size: int = 256,
) -> ObjectiveParts:
    """Return the parts of the objective, means per patch; see `PhysicsTrainer.evaluate`."""
    decoding = Decoding(generator=torch.Generator(model.like.device).manual_seed(seed))
    sums = torch.zeros(4, dtype=torch.float64)
    with at_rest(model):
        for grid in grids:
            sums += _summed(model, objective, grid, beta, decoding, batch_size)
    means = (sums / sum(grid.count for grid in grids)).to(model.like)
    reconstruction, kl, floor, psi = means
    return objective.combine(reconstruction, kl, floor, psi, beta).detach()


def _summed(
    model: PatchModel,
    objective: PhysicsObjective,
    grid: PatchGrid,
    beta: float,
    decoding: Decoding,
    batch_size: int,
) -> Float[Tensor, "4"]:
    """Return reconstruction, KL, floor and Ψ of a grid, times its patches."""
    sums, content = torch.zeros(3, dtype=torch.float64), []
    for index in grid.indices.split(batch_size):
        patches = grid.data(index, model.like)
        posterior = model.posterior(patches)
        terms = model.terms(patches, posterior, beta, decoding)
        parts = torch.stack([*terms, model.floor(patches).mean()])
        sums += len(index) * parts.double().cpu()
        content.append(posterior.mean[:, model.content])
    psi = objective.psi(torch.cat(content), Layout.of(grid).to(model.like.device))
    return torch.cat([sums, grid.count * psi.double().cpu()[None]])
