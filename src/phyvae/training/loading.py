"""Trainers read from a sealed file."""

import os

import torch
from torch import nn

from .._checks import as_device
from ..models import adapt
from ..models.loading import built_model
from ..saving.contents import AnyPath, refusing
from ..saving.sealed import CheckpointError
from .checkpoints import read_training
from .contents import build_objective, foreign_loss, restore
from .objective import PhysicsObjective
from .trainer import PhysicsTrainer

__all__ = ["load_trainer"]


def load_trainer(
    path: AnyPath,
    *,
    model: nn.Module | None = None,
    objective: PhysicsObjective | None = None,
    device: torch.device | str | None = None,
) -> PhysicsTrainer:
    """Return the trainer of a file that ``trainer.save`` or ``fit(checkpoint=...)`` wrote.

    It goes on as the saved one would have: on the CPU of the same machine, to the bit.

    Parameters
    ----------
    path
        The file.
    model
        As for `load_model`.
    objective
        Needed if the physics loss is not one of phyvae's: code is not saved. It must be the one
        of the file.
    device
        Where to train on, as for `ShiftVAE`, whatever device it was saved from.

    Raises
    ------
    CheckpointError
        If the file is foreign, of another format version, truncated or altered, holds no trainer,
        or has a physics loss that is not phyvae's, or not the one of `objective`. Nothing in a
        file is ever unpickled or executed.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import phyvae
    >>> phantom = phyvae.phantoms.bfo(seed=0)
    >>> grid = phyvae.PatchGrid(phantom.image, size=24, step=24)
    >>> trainer = phyvae.PhysicsTrainer(phyvae.ShiftVAE(grid.patch_shape))
    >>> history = trainer.fit(grid, epochs=1, progress=False)
    >>> path = Path(tempfile.mkdtemp()) / "run.phyvae"
    >>> trainer.save(path)
    >>> phyvae.load_trainer(path).epochs_done
    1
    """
    where, given = as_device(device), None if model is None else adapt(model)
    if not isinstance(objective, PhysicsObjective | None):
        raise TypeError(f"objective={objective!r} must be a PhysicsObjective or None.")
    record, tensors = read_training(path)
    with refusing(path):
        own = foreign_loss(record["objective"])
        if objective is None and own is not None:
            raise CheckpointError(
                f"{os.fspath(path)!r} was trained with {own}, which is not a loss of phyvae's, "
                "and code is not saved; pass load_trainer(path, "
                f"objective=PhysicsObjective(...)) with {own} in it."
            )
        loaded = built_model(record["model"], tensors) if given is None else given
        objective = build_objective(record["objective"]) if objective is None else objective
        trainer = PhysicsTrainer(loaded, objective, device=where, **record["trainer"])
        restore(trainer.state, path, record, tensors)
    return trainer
