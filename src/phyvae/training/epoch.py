"""One epoch of training: a step of the optimiser for every batch."""

from collections.abc import Iterable
from dataclasses import dataclass, fields

import torch

from ..compute import processes
from ..models import PatchModel
from .batches import Batch
from .objective import PhysicsObjective
from .parts import ObjectiveParts
from .warmup import Warmup

__all__ = ["Means", "train_epoch"]


@dataclass(frozen=True)
class Means:
    """Means over the steps of an epoch, and over the processes.

    Attributes
    ----------
    parts
        Those of `ObjectiveParts`, by name.
    negative_psi
        Share of the steps with Ψ < 0.
    negative_loss
        Share of the steps with a negative product.
    """

    parts: dict[str, float]
    negative_psi: float
    negative_loss: float


def train_epoch(
    model: PatchModel,
    objective: PhysicsObjective,
    optimizer: Warmup,
    batches: Iterable[Batch],
    beta: float,
) -> Means:
    """Take a step for each batch; return the means of the objective's parts."""
    names = [field.name for field in fields(ObjectiveParts)]
    # On the model's device: reading a number waits for a GPU.
    sums, count = torch.zeros(len(names) + 2, device=model.like.device), 0
    for batch in batches:
        optimizer.zero_grad()
        parts = objective.backward(model, batch, beta)
        processes.average_gradients(model.parameters())
        optimizer.step()
        # Rounding alone takes a perfect reconstruction below its floor.
        negative = parts.loss < -1e-4 * parts.neg_elbo.abs()
        sums += torch.cat([parts.stack(), torch.stack([parts.psi < 0, negative]).to(sums)])
        count += 1
    *means, psi, loss = processes.mean_over_ranks((sums / count).tolist())
    return Means(dict(zip(names, means, strict=True)), psi, loss)
