"""One epoch: steps of the optimiser, whose learning rate rises at first, and the means of them."""

from collections.abc import Iterable
from dataclasses import dataclass, fields

import torch

from ..compute import processes
from ..models import PatchModel
from .batches import Batch
from .objective import PhysicsObjective
from .parts import ObjectiveParts

__all__ = ["Means", "Warmup", "train_epoch"]


@dataclass(frozen=True)
class Means:
    """Means over the steps of an epoch, and over the processes.

    parts: Those of `ObjectiveParts`, by name.
    negative_psi: Share of the steps with Ψ < 0.
    negative_loss: Share of the steps with a negative product.
    """

    parts: dict[str, float]
    negative_psi: float
    negative_loss: float


class Warmup:
    """Steps of Adam, the first ones with a part of the learning rate.

    Adam divides by the gradient's running second moment. Over the first steps that is hardly more
    than the gradient's own square, so every weight moves by a whole learning rate, along noise:
    enough to undo an earlier training (Ma & Yarats, "On the adequacy of untuned warmup
    for adaptive optimization", 2019, https://arxiv.org/abs/1910.04209).
    """

    def __init__(self, optimizer: torch.optim.Optimizer, steps: int) -> None:
        self.optimizer, self.steps = optimizer, steps
        states = optimizer.state.values()
        self.taken = max((int(state["step"]) for state in states), default=0)

    def zero_grad(self) -> None:
        """Drop the gradients of the last step."""
        self.optimizer.zero_grad(set_to_none=True)

    def step(self) -> None:
        """Take a step; the optimiser's own learning rate stays as it is."""
        self.taken += 1
        share = min(1.0, self.taken / max(1, self.steps))
        rates = [group["lr"] for group in self.optimizer.param_groups]
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = share * rate
        self.optimizer.step()
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = rate


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
