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
    totals = _Totals(model.like.device)
    for batch in batches:
        optimizer.zero_grad()
        parts = objective.backward(model, batch, beta)
        processes.average_gradients(model.parameters())
        optimizer.step()
        totals.add(parts)
    return totals.means()


class _Totals:
    """Sums over the steps of an epoch, on the model's device: reading one waits for a GPU."""

    def __init__(self, device: torch.device) -> None:
        self._sums, self._count = torch.zeros(len(fields(ObjectiveParts)) + 2, device=device), 0

    def add(self, parts: ObjectiveParts) -> None:
        """Add the parts of a step."""
        # Rounding alone takes a perfect reconstruction below its floor.
        negative = parts.loss < -1e-4 * parts.neg_elbo.abs()
        signs = torch.stack([parts.psi < 0, negative])
        self._sums += torch.cat([parts.stack(), signs.to(self._sums)])
        self._count += 1

    def means(self) -> Means:
        """Return the means over all steps of all processes."""
        *parts, psi, loss = processes.mean_over_ranks((self._sums / self._count).tolist())
        names = (field.name for field in fields(ObjectiveParts))
        return Means(dict(zip(names, parts, strict=True)), psi, loss)
