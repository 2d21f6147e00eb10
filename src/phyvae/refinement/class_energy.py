"""Mean-field energy of class probabilities that neighbours share."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["RATE", "ClassEnergy"]

RATE = 0.15  # share of the way to the mean field's fixed point taken in a step


@dataclass(frozen=True, eq=False)
class ClassEnergy:
    r"""Energy of the class probabilities p of all patches, with the other latents as encoded.

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

    def with_physics(self, strength: float) -> "ClassEnergy":
        """Return the energy with Ψ, weighed against the noise at the classes without it."""
        if strength == 0:
            return self
        force = self.force(self.without_physics()).square().mean().sqrt()
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

    def value(self, probabilities: Float[Tensor, "n classes"]) -> float:
        """Return the energy per patch, nats."""
        return float(self.parts(probabilities)[0])

    def descend(
        self, start: Float[Tensor, "n classes"], steps: int, advance: Callable[[], object]
    ) -> Float[Tensor, "n classes"]:
        """Return the probabilities of least energy on the way to the mean field's fixed point.

        `advance` is called after every step.
        """
        best, lowest = start, self.value(start)
        if self.weight == 0:
            return best
        logits = -self.losses / self.beta
        for _ in range(steps):
            probabilities = torch.softmax(logits, dim=1)
            value = self.value(probabilities)
            if value < lowest:
                best, lowest = probabilities, value
            field = self.losses + self.weight * self.force(probabilities)
            logits = logits + RATE * (-field / self.beta - logits)
            advance()
        return best

    def force(self, probabilities: Float[Tensor, "n classes"]) -> Float[Tensor, "n classes"]:
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
