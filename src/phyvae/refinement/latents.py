"""Refinement of the latents of all patches: descent without Ψ, with Ψ, and the uncertainty."""

import torch
from jaxtyping import Float
from torch import Tensor
from tqdm.auto import tqdm

from ..compute.progress import silent
from ..compute.threads import one_thread
from ..models.posterior import Posterior
from .descent import descend
from .energy import LatentEnergy
from .expansion import Expansion
from .refined import Refined, on_grid
from .uncertainty import standard_deviations

__all__ = ["refine_latents"]

_SMALL = 100_000  # latents of all patches; with fewer, several threads gain little


def refine_latents(
    energy: LatentEnergy,
    *,
    strength: float,
    iterations: int,
    samples: int,
    seed: int,
    progress: bool,
) -> Refined:
    """Return the maps whose latents have the least energy, with their standard deviations."""
    most = 2 * iterations + samples
    start = energy.start()
    with (
        one_thread(small=start.numel() < _SMALL),
        tqdm(total=most, disable=silent(progress), unit="step", desc="refine") as bar,
    ):

        def advance(value: float) -> None:
            bar.set_postfix({"energy": f"{value:.3f}"}, refresh=False)
            bar.update()

        path = descend(energy, energy.expand(start), iterations, advance)
        patch_variance = energy.patch_variance(path[-1], samples, seed).mean(0)
        energy = energy.with_physics(path[-1], strength)
        path = [*path[:1], *path[-1:]] if len(path) > 1 else path
        # Ψ has a weight now, so the encoder's maps may have less energy.
        if energy.value(path[-1]) >= energy.value(path[0]):
            path = path[:1]
        path += descend(energy, path[-1], iterations, advance)[1:]
        bar.total = bar.n + samples  # a descent may settle early
        bar.set_description("refine, uncertainty")
        stds = standard_deviations(energy, path[-1], samples, seed, bar.update)
    return _result(energy, path, stds, patch_variance)


def _result(
    energy: LatentEnergy,
    path: list[Expansion],
    stds: Float[Tensor, "n z_dim"],
    patch_variance: Float[Tensor, " z_dim"],
) -> Refined:
    """Return the end of the path as maps.

    Signal is that of the refined maps, with the encoder's own variance reduced as the refinement
    reduces the variance under simulated noise.
    """
    z = path[-1].z
    reduced = stds.square().mean(0) / torch.where(patch_variance > 0, patch_variance, 1.0)
    noise = (energy.data.posterior().std.square().mean(0) * reduced).sqrt().expand_as(z)
    history = torch.stack([energy.parts(point) for point in path], dim=1).cpu()
    signal = Posterior(z, noise).signal()
    model, layout = energy.data.model, energy.layout
    return on_grid(model, layout, Posterior(z, stds), signal, energy.weight, history)
