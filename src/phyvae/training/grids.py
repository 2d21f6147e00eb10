"""The grids of a call: one or several, checked against the model."""

from typing import Any

import torch

from .._checks import brief, check_takes
from ..models import PatchModel, Posterior, at_rest, check_patches
from ..models.options import Decoding
from ..patches.grid import PatchGrid
from ..patches.layout import Layout
from .objective import PhysicsObjective

__all__ = ["grids_to_encode", "grids_to_train"]


def grids_to_encode(model: PatchModel, grid: Any, name: str = "grid") -> list[PatchGrid]:
    """Return one grid, or a list of them, as a list, if the model can encode their patches."""
    grids = list(grid) if isinstance(grid, list | tuple) else [grid]
    if not grids:
        raise ValueError(f"{name} is an empty list; pass at least one PatchGrid.")
    for one in grids:
        check_patches(model, one, name)
    return grids


def grids_to_train(
    model: PatchModel, objective: PhysicsObjective, grid: Any, test_grid: Any = None
) -> tuple[list[PatchGrid], list[PatchGrid]]:
    """Return the grids, if model and objective can be trained on them, and those held out."""
    grids = grids_to_encode(model, grid)
    _check_members(model, grids[0])
    model.check_training(grids)
    objective.check(model)
    held_out = [] if test_grid is None else grids_to_encode(model, test_grid, "test_grid")
    if objective.needs_map:
        for one in [*grids, *held_out]:
            Layout.of(one).check_places(objective.physics)
    return grids, held_out


@torch.no_grad()
def _check_members(model: PatchModel, grid: PatchGrid) -> None:
    """Raise a TypeError, before the first step, if a model's members are not what they should."""
    name = type(model).__name__
    arguments = "(patches, posterior, beta, decoding) -> (reconstruction, KL)"
    check_takes(model.terms, (None, None, 1.0, Decoding()), f"{name}.terms", arguments)
    with at_rest(model):
        posterior = model.posterior(grid.data(grid.indices[:2], model.like))
    if not isinstance(posterior, Posterior) or posterior.mean.shape != posterior.std.shape:
        raise TypeError(
            f"{name}.posterior returned {brief(posterior)}, but must return a phyvae.Posterior "
            "with mean and std of one shape, (n, z_dim)."
        )
