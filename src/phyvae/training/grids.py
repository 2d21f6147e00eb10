"""The grids of a call: one or several, checked against the model."""

from typing import Any

from ..models import PatchModel, check_patches
from ..patches.grid import PatchGrid
from .objective import PhysicsObjective

__all__ = ["grids_to_encode", "grids_to_train"]


def grids_to_encode(model: PatchModel, grid: Any) -> list[PatchGrid]:
    """Return one grid, or a list of them, as a list, if the model can encode their patches."""
    grids = list(grid) if isinstance(grid, list | tuple) else [grid]
    if not grids:
        raise ValueError("grid is an empty list; pass at least one PatchGrid.")
    for one in grids:
        check_patches(model, one)
    return grids


def grids_to_train(model: PatchModel, objective: PhysicsObjective, grid: Any) -> list[PatchGrid]:
    """Return the grids as a list, if model and objective can be trained on them."""
    grids = grids_to_encode(model, grid)
    model.check_training(grids)
    objective.check(model)
    return grids
