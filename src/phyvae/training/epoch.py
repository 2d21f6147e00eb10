"""One epoch of training, whose learning rate rises at first, and the evaluation of grids."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import torch
from jaxtyping import Float
from torch import Tensor

from ..compute import processes
from ..models import PatchModel, at_rest
from ..models.options import Decoding
from ..patches.grid import PatchGrid
from ..patches.layout import Layout
from .batches import Batch
from .objective import PhysicsObjective
from .parts import ObjectiveParts

__all__ = ["Means", "Warmup", "evaluated", "train_epoch"]


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
