"""The gradient of Ψ at the latent means, weighed against that of the reconstruction."""

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["balanced", "force_of"]


def force_of(
    psi: Float[Tensor, ""], means: Float[Tensor, "cells z_dim"], physics: object
) -> Float[Tensor, "cells z_dim"]:
    """Return the gradient of Ψ at the latent means."""
    if not psi.requires_grad:
        raise ValueError(
            f"{physics!r} returned a value without gradient, so it cannot train the "
            'encoder; compute it from the maps with torch, or use coupling="published".'
        )
    return torch.autograd.grad(psi, means)[0]


def balanced(
    force: Float[Tensor, "cells z_dim"],
    gradient: Float[Tensor, "n z_dim"],
    signal: Float[Tensor, " z_dim"],
    ratio: Float[Tensor, ""],
) -> Float[Tensor, "cells z_dim"]:
    """Return the force rescaled, so that its RMS at a site is `ratio` times the gradient's.

    −ELBO is a mean over n decoded patches and Ψ a number for N encoded ones, so the gradient
    of one site's own share is n, respectively N, times the one computed.

    The latents share the force in proportion to their signal, the variance of their means as a
    part of their whole variance. In standardised maps a latent that has hardly formed yet would
    feel the largest force of all, and never form.

    Parameters
    ----------
    force
        Gradient of Ψ at the means of all patches of the tile.
    gradient
        Gradient of the product's other term at the means of the decoded patches.
    signal
        Share of each latent's variance that lies between patches, 0 to 1.
    ratio
        Ratio of the two, >= 0.
    """
    first, second = len(gradient) * _rms(gradient), len(force) * _rms(force)
    acted_on = second > 0
    share = torch.where(acted_on, signal * first, 0.0)
    wanted = torch.where(acted_on, first, 0.0).square().sum().sqrt()
    total = share.square().sum().sqrt()
    scale = ratio * wanted / torch.where(total > 0, total, 1.0)
    return scale * share / torch.where(acted_on, second, 1.0) * force


def _rms(values: Float[Tensor, "sites z_dim"]) -> Float[Tensor, " z_dim"]:
    return values.square().mean(0).sqrt()
