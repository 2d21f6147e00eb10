"""The objective's value and its parts, per patch."""

from dataclasses import dataclass, fields

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["ObjectiveParts"]


@dataclass(frozen=True)
class ObjectiveParts:
    """The objective and its parts; scalars, per patch, in nats unless stated otherwise.

    Attributes
    ----------
    loss
        (neg_elbo - floor) * (w + psi); neg_elbo alone without physics.
    neg_elbo
        reconstruction + beta * kl.
    reconstruction
        φ, the negative log-likelihood.
    kl
        KL divergence of the posterior from the prior.
    floor
        The part of the reconstruction that no decoder could avoid; 0 where the coupling takes
        the raw −ELBO.
    psi
        Ψ, dimensionless.
    beta
        Weight of the KL divergence, dimensionless.

    Examples
    --------
    >>> import numpy as np
    >>> import phyvae
    >>> grid = phyvae.PatchGrid(np.random.default_rng(0).random((60, 80)), size=20, step=10)
    >>> trainer = phyvae.PhysicsTrainer(phyvae.ShiftVAE(grid.patch_shape, seed=0), seed=0)
    >>> parts = trainer.evaluate(grid, beta=0.5)
    >>> round(float(parts.neg_elbo - parts.reconstruction - 0.5 * parts.kl), 2) + 0.0
    0.0
    """

    loss: Float[Tensor, ""]
    neg_elbo: Float[Tensor, ""]
    reconstruction: Float[Tensor, ""]
    kl: Float[Tensor, ""]
    floor: Float[Tensor, ""]
    psi: Float[Tensor, ""]
    beta: Float[Tensor, ""]

    def detach(self) -> "ObjectiveParts":
        """Return the same numbers without gradient."""
        return ObjectiveParts(*(getattr(self, f.name).detach() for f in fields(self)))

    def stack(self) -> Float[Tensor, " parts"]:
        """Return the parts as one tensor, in the order of the fields."""
        return torch.stack([getattr(self, f.name) for f in fields(self)])
