"""Refinement of class probabilities: a mean field of classes that neighbours share."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from ..models import Refinable
from ..patches.grid import PatchGrid
from ..patches.layout import Layout
from ..training.objective import PhysicsObjective

__all__ = ["ClassField", "class_field", "steps_of"]

_RATE = 0.15  # share of the way to the mean field's fixed point taken in a step


@dataclass(frozen=True, eq=False)
class ClassField:
    r"""The energy of class probabilities p of all patches, with the other latents as encoded.

    .. math:: E = \frac1N \sum_{ik} p_{ik} \big[\varphi_{ik} + \beta \log(K p_{ik})\big]
        + \lambda \Psi(\text{maps})

    Attributes
    ----------
    losses
        :math:`\varphi_{ik}`, −ELBO of patch i if it is of class k, nats.
    noise
        Variance that the image's noise gives each of them, about their mean, nats squared.
    psi
        Ψ as a function of the class probabilities, shape (n, K).
    beta, weight
        β, times the weight of classes in it, and λ.
    """

    losses: Float[Tensor, "n classes"]
    noise: Float[Tensor, "n classes"]
    psi: Callable[[Tensor], Tensor]
    beta: float
    weight: float = 0.0

    def without_physics(self) -> Float[Tensor, "n classes"]:
        """Return the probabilities that minimise the energy without Ψ."""
        return torch.softmax(-self.losses / self.beta, dim=1)

    def with_physics(self, strength: float) -> "ClassField":
        """Return the field with Ψ, weighed against the noise at the classes without it."""
        if strength == 0:
            return self
        force = self._force(self.without_physics()).square().mean().sqrt()
        if not force > 0:
            return self
        return replace(self, weight=float(strength * self.noise.mean().sqrt() / force))

    @torch.no_grad()
    def parts(self, probabilities: Float[Tensor, "n classes"]) -> Float[Tensor, "4"]:
        """Return the energy, and its parts: reconstruction, prior and Ψ; float64."""
        p = probabilities.double()
        reconstruction = (p * self.losses).sum(1).mean()
        prior = self.beta * torch.xlogy(p, p * p.shape[1]).sum(1).mean()
        psi = self.psi(probabilities).double()
        return torch.stack(
            [reconstruction + prior + self.weight * psi, reconstruction, prior, psi]
        )

    def descend(
        self, start: Float[Tensor, "n classes"], steps: int, tell: Callable[[], object]
    ) -> Float[Tensor, "n classes"]:
        """Return the best of the probabilities on the way to the mean field's fixed point."""
        best, lowest = start, float(self.parts(start)[0])
        if self.weight == 0:
            return best
        logits = -self.losses / self.beta
        for _ in range(steps):
            probabilities = torch.softmax(logits, dim=1)
            energy = float(self.parts(probabilities)[0])
            if energy < lowest:
                best, lowest = probabilities, energy
            field = self.losses + self.weight * self._force(probabilities)
            logits = logits + _RATE * (-field / self.beta - logits)
            tell()
        return best

    def _force(self, probabilities: Float[Tensor, "n classes"]) -> Float[Tensor, "n classes"]:
        """Return N times the gradient of Ψ, the force on one patch."""
        with torch.enable_grad():
            leaf = probabilities.detach().clone().requires_grad_()
            psi = self.psi(leaf)
            if not psi.requires_grad:
                raise ValueError(
                    "Ψ has no gradient at the class probabilities, so it cannot refine them; "
                    'compute it from the maps with torch, and not with coupling="published".'
                )
            return len(leaf) * torch.autograd.grad(psi, leaf)[0]


@torch.no_grad()
def class_field(
    model: Refinable,
    grid: PatchGrid,
    objective: PhysicsObjective,
    beta: float,
    batch_size: int,
) -> tuple[ClassField, Float[Tensor, "n columns"], Float[Tensor, "n columns"]]:
    """Return the field of a model's classes on a grid, and the posterior's mean and deviation."""
    assert model.classes is not None
    rows = []
    for index in grid.indices.split(batch_size):
        data = grid.data(index, model.like)
        posterior = model.posterior(data)
        pixels, rest = model.class_losses(data, posterior)
        about = pixels - pixels.mean(1, keepdim=True)
        losses = pixels.sum(-1) + beta * rest
        rows.append((losses, about.square().sum(-1), posterior.mean, posterior.std))
    losses, noise, mean, std = (torch.cat(part) for part in zip(*rows, strict=True))
    layout, columns = Layout.of(grid).to(losses.device), model.classes

    def psi(probabilities: Tensor) -> Tensor:
        whole = torch.cat([mean[:, : columns.start], probabilities.to(mean)], dim=1)
        return objective.psi(whole[:, model.content], layout)

    return ClassField(losses, noise, psi, beta * model.class_weight), mean, std


def steps_of(iterations: int) -> int:
    """Return the steps of a mean field that stand for so many Gauss-Newton steps."""
    return math.ceil(6 / _RATE) * iterations
