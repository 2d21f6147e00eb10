"""Energy of the latents of all patches: reconstruction, prior and Ψ of their maps."""

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from ..patches.layout import Layout
from ..training.objective import PhysicsObjective
from .encoded_grid import EncodedGrid
from .expansion import Expansion, expand_pixels
from .noise import patch_signs
from .quadratic import ROUGH, AdamSettings, quadratic_minimum

__all__ = ["LatentEnergy"]


@dataclass(frozen=True, eq=False)
class LatentEnergy:
    r"""Energy of the latents of all patches with the decoder's likelihood, nats per patch.

    .. math:: E = \frac1N \sum_i \Big[\varphi(x_i \mid z_i) + \frac{\beta}{2} |z_i|^2\Big]
        + \lambda \Psi(\text{maps})

    Attributes
    ----------
    data
        The patches and the model.
    layout
        Where the patches lie on the map.
    objective
        Gives Ψ.
    beta, weight
        β and λ.
    offset, unit
        Ψ sees the content minus `offset`, in units of `unit`, one value per channel.
    """

    data: EncodedGrid
    layout: Layout
    objective: PhysicsObjective
    beta: float
    weight: float = 0.0
    offset: Tensor | float = 0.0
    unit: Tensor | float = 1.0
    adam: ClassVar[AdamSettings] = ROUGH
    is_quadratic: ClassVar[bool] = False  # but for Ψ

    def start(self) -> Float[Tensor, "n z_dim"]:
        """Return the encoder's means, where the descent begins."""
        return self.data.posterior().mean

    @cached_property
    def prior(self) -> tuple[Float[Tensor, "n z_dim"], Float[Tensor, "n z_dim"]]:
        """Mean of the latents in the prior, and β over their variance."""
        prior = self.data.prior()
        return prior.mean, self.beta / prior.std.square()

    def expand(self, z: Float[Tensor, "n z_dim"]) -> Expansion:
        """Expand φ of every patch around its latents."""
        parts = []
        for rows, patches in self.data.batches():
            value, gradients, curvature = expand_pixels(self.data.model, patches, z[rows])
            parts.append((value, gradients.sum(-1), curvature, gradients.square().sum(-1)))
        return Expansion(z, *(torch.cat(part) for part in zip(*parts, strict=True)))

    def psi(self, z: Float[Tensor, "n z_dim"]) -> Float[Tensor, ""]:
        """Return Ψ of the maps in their own unit."""
        values = (z[:, self.data.model.content] - self.offset) / self.unit
        return self.objective.psi(values, self.layout)

    def with_physics(self, point: Expansion, strength: float) -> "LatentEnergy":
        """Return the same energy with Ψ, weighed against the noise at the minimum without it.

        λ makes the force of Ψ on a latent `strength` times that of the image's noise, both as
        root mean squares over patches and channels.
        """
        if self.objective.physics is None or strength == 0:
            return self
        content = self.data.model.content
        values = point.z[:, content]
        unit = values.std(0, correction=0)
        unit = torch.where(unit > 0, unit, 1.0)
        energy = replace(self, offset=values.mean(0), unit=unit)
        channels = list(self.objective.acts_on(values.shape[1]))
        noise = (point.noise[:, content] * unit.square())[:, channels].mean().sqrt()
        gradient = (energy._psi_gradient(point.z)[:, content] * unit)[:, channels]
        force = len(values) * gradient.square().mean().sqrt()
        weight = strength * noise / torch.where(force > 0, force, math.inf)
        return replace(energy, weight=float(weight))

    @torch.no_grad()
    def parts(self, point: Expansion) -> Float[Tensor, "4"]:
        """Return the energy and its parts: reconstruction, prior and Ψ; per patch, float64."""
        reconstruction = point.reconstruction.double().mean()
        prior = self._prior_loss(point).double().mean()
        psi = self.psi(point.z).double()
        energy = reconstruction + prior + self.weight * psi
        if not energy.isfinite():
            raise ValueError(
                f"the energy is not finite (reconstruction {float(reconstruction):.4g}, prior "
                f"{float(prior):.4g}, psi {float(psi):.4g}); check the model's weights and the "
                "physics loss."
            )
        return torch.stack([energy, reconstruction, prior, psi])

    def value(self, point: Expansion) -> float:
        """Return the energy per patch, nats."""
        return float(self.parts(point)[0])

    def patch_losses(self, point: Expansion) -> Float[Tensor, " n"]:
        """Return the energy of each patch without Ψ, nats."""
        return point.reconstruction + self._prior_loss(point)

    def derivatives(
        self, point: Expansion
    ) -> tuple[Float[Tensor, "n z_dim"], Float[Tensor, "n z_dim z_dim"]]:
        """Return gradient and curvature of the energy of each patch without Ψ."""
        mean, precision = self.prior
        gradient = point.gradient + precision * (point.z - mean)
        return gradient, point.curvature + torch.diag_embed(precision)

    def step(
        self,
        point: Expansion,
        damping: Float[Tensor, " n"] | None = None,
        noise_gradient: Tensor | float = 0.0,
        adam: AdamSettings | None = None,
    ) -> Float[Tensor, "n z_dim"]:
        """Return the step to the minimum of the expanded energy.

        `noise_gradient` is added to its gradient.
        """
        gradient, curvature = self.derivatives(point)
        return quadratic_minimum(
            gradient + noise_gradient,
            curvature,
            torch.zeros_like(point.reconstruction) if damping is None else damping,
            lambda step: self.psi(point.z + step),
            self.weight,
            adam or self.adam,
        )

    def patch_variance(
        self, point: Expansion, samples: int, seed: int
    ) -> Float[Tensor, "n z_dim"]:
        """Return the variance that the image's noise gives latents of the patch alone.

        `point` is the minimum without Ψ, which has no weight yet.
        """
        gradients = self.noise_gradients(point, samples, seed)
        return torch.stack([self.step(point, None, one) for one in gradients]).var(0)

    def noise_gradients(
        self, point: Expansion, samples: int, seed: int
    ) -> list[Float[Tensor, "n z_dim"]]:
        """Return gradients that simulated noise adds: those of the pixels, with random signs."""
        generator = torch.Generator().manual_seed(seed)
        gradients = [torch.empty_like(point.z) for _ in range(samples)]
        signs = [patch_signs(self.data, generator) for _ in range(samples)]
        for rows, patches in self.data.batches():
            _, of_pixels, _ = expand_pixels(self.data.model, patches, point.z[rows])
            for gradient, sign in zip(gradients, signs, strict=True):
                gradient[rows] = (of_pixels * sign(rows).to(of_pixels)[:, None]).sum(-1)
        return gradients

    def _prior_loss(self, point: Expansion) -> Float[Tensor, " n"]:
        """Return β times −log prior of each patch, up to a constant."""
        mean, precision = self.prior
        return (precision * (point.z - mean).square()).sum(1) / 2

    def _psi_gradient(self, z: Float[Tensor, "n z_dim"]) -> Float[Tensor, "n z_dim"]:
        with torch.enable_grad():
            leaf = z.clone().requires_grad_()
            psi = self.psi(leaf)
            if not psi.requires_grad:
                raise ValueError(
                    f"{self.objective!r} gives a value without gradient, so no map can descend "
                    "it; compute it from the maps with torch, and not with "
                    'coupling="published".'
                )
            return torch.autograd.grad(psi, leaf)[0]
