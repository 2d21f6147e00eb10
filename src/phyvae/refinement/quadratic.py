"""Minimum of a quadratic energy, a block per patch, plus Ψ of the whole map."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["EXACT", "ROUGH", "AdamSettings", "quadratic_minimum"]


@dataclass(frozen=True)
class AdamSettings:
    """Number of steps of Adam, and the rate of the first one."""

    steps: int
    rate: float


ROUGH = AdamSettings(120, 0.2)  # the expansion is wrong by more
EXACT = AdamSettings(500, 0.1)  # maps to 0.001


def quadratic_minimum(
    gradient: Float[Tensor, "n z_dim"],
    curvature: Float[Tensor, "n z_dim z_dim"],
    damping: Float[Tensor, " n"],
    psi: Callable[[Tensor], Tensor],
    weight: float,
    adam: AdamSettings,
) -> Float[Tensor, "n z_dim"]:
    """Return the step s to the minimum of g·s + s·C·s / 2 of each patch plus n · weight · Ψ(s).

    The diagonal of each curvature C is raised by `damping` times itself. Without Ψ the step is
    exact. With Ψ Adam takes it, in coordinates v in which the quadratic part is |v|² / 2, where
    one step size suits all patches.
    """
    diagonal = torch.diag_embed(curvature.diagonal(dim1=1, dim2=2))
    root = torch.linalg.cholesky(curvature + damping[:, None, None] * diagonal)
    eye = torch.eye(len(root[0])).to(root).expand_as(root)
    whiten = torch.linalg.solve_triangular(root, eye, upper=False)

    def latents(v: Tensor) -> Tensor:
        return torch.einsum("nzy,nz->ny", whiten, v)

    slope = torch.einsum("nzy,ny->nz", whiten, gradient)
    if weight == 0:
        return latents(-slope)
    v = torch.zeros_like(slope, requires_grad=True)
    optimizer = torch.optim.Adam([v], lr=adam.rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, adam.steps)
    for _ in range(adam.steps):
        with torch.enable_grad():
            (force,) = torch.autograd.grad(weight * len(slope) * psi(latents(v)), v)
        v.grad = v.detach() + slope + force
        optimizer.step()
        schedule.step()
    return latents(v.detach())
