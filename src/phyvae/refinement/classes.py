"""Refinement of class probabilities, with the other latents as encoded."""

import math

import torch
from jaxtyping import Float
from torch import Tensor
from tqdm.auto import tqdm

from ..compute.progress import silent
from ..models.posterior import Posterior
from ..patches.layout import Layout
from ..training.objective import PhysicsObjective
from .class_energy import RATE, ClassEnergy
from .encoded_grid import EncodedGrid
from .refined import Refined, on_grid

__all__ = ["mean_field_steps", "refine_classes"]


def refine_classes(
    data: EncodedGrid,
    layout: Layout,
    objective: PhysicsObjective,
    *,
    strength: float,
    beta: float,
    iterations: int,
    progress: bool,
) -> Refined:
    """Return the maps of a model with classes, their probabilities moved to the least energy."""
    assert data.model.classes is not None
    energy, encoded = _class_energy(data, layout, objective, beta)
    others, classes = slice(0, data.model.classes.start), data.model.classes
    start, probabilities = energy.without_physics(), encoded.mean[:, classes]
    if objective.physics is not None:
        _check_channels(objective, encoded.mean[:, data.model.content].shape[1], start.shape[1])
        energy = energy.with_physics(strength)
    # Ψ has a weight now, so the encoder's probabilities may have less energy.
    start = min(probabilities, start, key=energy.value)
    steps = mean_field_steps(iterations)
    with tqdm(total=steps, disable=silent(progress), unit="step", desc="refine") as bar:
        found = energy.descend(start, steps, bar.update)
    history = torch.stack([energy.parts(p) for p in (probabilities, found)], dim=1).cpu()
    mean, std = encoded.mean, encoded.std
    mean = torch.cat([mean[:, others], found.to(mean)], dim=1)
    std = torch.cat([std[:, others], (found * (1 - found)).sqrt().to(std)], dim=1)
    refined = Posterior(mean, std)
    return on_grid(data.model, layout, refined, refined.signal(), energy.weight, history)


def mean_field_steps(iterations: int) -> int:
    """Return the steps of a mean field that stand for so many Gauss-Newton steps."""
    return math.ceil(6 / RATE) * iterations


@torch.no_grad()
def _class_energy(
    data: EncodedGrid, layout: Layout, objective: PhysicsObjective, beta: float
) -> tuple[ClassEnergy, Posterior]:
    """Return the energy of the classes on a grid, and the encoder's posterior."""
    model, rows = data.model, []
    for _, patches in data.batches():
        posterior = model.posterior(patches)
        pixels, rest = model.class_losses(patches, posterior)
        about = pixels - pixels.mean(1, keepdim=True)
        losses = pixels.sum(-1) + beta * rest
        rows.append((losses, about.square().sum(-1), posterior.mean, posterior.std))
    losses, noise, mean, std = (torch.cat(part) for part in zip(*rows, strict=True))
    assert model.classes is not None
    others = mean[:, : model.classes.start]

    def psi(probabilities: Float[Tensor, "n classes"]) -> Tensor:
        columns = torch.cat([others, probabilities.to(mean)], dim=1)
        return objective.psi(columns[:, model.content], layout)

    energy = ClassEnergy(losses, noise, psi, beta * model.class_weight)
    return energy, Posterior(mean, std)


def _check_channels(objective: PhysicsObjective, channels: int, classes: int) -> None:
    first = channels - classes
    if max(objective.acts_on(channels)) < first:
        raise ValueError(
            f"channels={objective.channels} are no classes, but only classes are refined in "
            f"this model; those of the classes are {first} to {channels - 1}."
        )
