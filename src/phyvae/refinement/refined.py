"""Result of a refinement: latent maps with standard deviations, signal and energy."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from ..models import Refinable
from ..models.posterior import Posterior
from ..patches.layout import Layout

__all__ = ["Refined", "on_grid"]


@dataclass(frozen=True, eq=False, repr=False)
class Refined:
    """Refined latent maps, on the CPU.

    Attributes
    ----------
    maps
        Content that minimises the energy, laid out as `ShiftVAE.latent_maps`.
    stds
        How far the noise of the image spreads each value of `maps`: a standard deviation over
        simulated noise, same shape.
    shifts
        The refined shifts, px, laid out as `PoseModel.shifts`, shape (axes, rows, cols).
    signal
        Share of the variance of each map of `maps` that is not noise, 0 to 1, shape (channels,),
        for `phyvae.segment`. It is `PatchModel.signal` with the variance and the noise that the
        refinement has left, so that neighbours count, too.
    weight
        λ, the price of Ψ in nats per patch.
    energy
        Energy per patch before the first and after every step, nats, shape (steps + 1,). It
        never rises. It is ``reconstruction + prior + weight * psi``.
    reconstruction, prior, psi
        Its parts, same shape: φ at the latents, nats; β times −log prior, which for z is half of
        z squared, nats; Ψ. With the encoder's likelihood, φ is 0, and half of the squared
        distance from the encoder's mean, in units of s, stands for the prior.

    Examples
    --------
    >>> import numpy as np
    >>> import phyvae
    >>> grid = phyvae.PatchGrid(np.random.default_rng(0).random((24, 24)), size=8, step=8)
    >>> model = phyvae.ShiftVAE(grid.patch_shape, seed=0)
    >>> refined = phyvae.refine(model, grid, samples=2, progress=False)
    >>> refined.maps.shape == refined.stds.shape == (2, *grid.shape)
    True
    >>> bool(refined.energy[-1] <= refined.energy[0])
    True
    """

    maps: Float[Tensor, "channels rows cols"]
    stds: Float[Tensor, "channels rows cols"]
    shifts: Float[Tensor, "axes rows cols"]
    signal: Float[Tensor, " channels"]
    weight: float
    energy: Float[Tensor, " steps"]
    reconstruction: Float[Tensor, " steps"]
    prior: Float[Tensor, " steps"]
    psi: Float[Tensor, " steps"]

    def __repr__(self) -> str:
        return (
            f"Refined(maps {tuple(self.maps.shape)}, weight={self.weight:.3g}, "
            f"energy {self.energy[0]:.4g} to {self.energy[-1]:.4g} nats per patch)"
        )


def on_grid(
    model: Refinable,
    layout: Layout,
    latents: Posterior,
    signal: Float[Tensor, " z_dim"],
    weight: float,
    history: Float[Tensor, "4 steps"],
) -> Refined:
    """Return the refined latents of all patches as maps, with the energy on the way there."""
    return Refined(
        maps=layout.shown(latents.mean[:, model.content]),
        stds=layout.shown(latents.std[:, model.content]),
        shifts=layout.shown(model.displacements(latents.mean)),
        signal=signal[model.content].cpu(),
        weight=weight,
        energy=history[0],
        reconstruction=history[1],
        prior=history[2],
        psi=history[3],
    )
