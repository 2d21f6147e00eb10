"""Models and trainers saved, loaded and resumed, to the bit."""

import contextlib
import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from . import sealed
from ._given import as_device
from .contents import Unfit, built_model, load_weights, restore, sealed_model, sealed_trainer
from .models import PatchModel, adapt
from .objective import PhysicsObjective
from .parallel import rank
from .patches import PatchGrid
from .recipes import build_objective, differences, foreign_loss, plain
from .schedules import Beta, as_schedule
from .sealed import CheckpointError

if TYPE_CHECKING:
    from .trainer import PhysicsTrainer

__all__ = [
    "AnyPath", "CheckpointError", "begin", "described_call", "load_model", "load_trainer",
    "save_model", "save_trainer",
]  # fmt: skip

AnyPath = str | os.PathLike[str]
"""A path as users give it."""
_OTHER_PIXELS = (
    "the grid's pixels are others than in the file: another image, percentiles, mask or sites"
)


def load_model(
    path: AnyPath, *, model: nn.Module | None = None, device: torch.device | str = "cpu"
) -> PatchModel:
    """Return the model of a file that ``model.save`` or ``trainer.save`` wrote.

    Parameters
    ----------
    path
        The file.
    model
        A new model to put the weights into, made as the saved one was. Needed unless that is a
        `ShiftVAE`: code is not saved, and pyroVED's models do not keep how they were made.
    device
        Where the model is to be, whatever device it was saved from.

    Raises
    ------
    CheckpointError
        If the file is foreign, of another format version, truncated or altered, or holds another
        model than the one given. Nothing in a file is ever unpickled or executed.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import phyvae
    >>> path = Path(tempfile.mkdtemp()) / "model.phyvae"
    >>> phyvae.ShiftVAE((24, 24), latent_dim=3).save(path)
    >>> phyvae.load_model(path).latent_dim
    3
    """
    where, given = as_device(device), None if model is None else adapt(model)
    record, tensors = sealed.read(path)
    with _refusing(path):
        loaded = built_model(record["model"], tensors) if given is None else given
        load_weights(loaded, record["model"], tensors)
        loaded.to(where)
    return loaded


def load_trainer(
    path: AnyPath,
    *,
    model: nn.Module | None = None,
    objective: PhysicsObjective | None = None,
    device: torch.device | str = "cpu",
) -> "PhysicsTrainer":
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
        Where to train on, whatever device it was saved from.

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
    from .trainer import PhysicsTrainer

    where, given = as_device(device), None if model is None else adapt(model)
    if not isinstance(objective, PhysicsObjective | None):
        raise TypeError(f"objective={objective!r} must be a PhysicsObjective or None.")
    record, tensors = _read_trainer(path)
    with _refusing(path):
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
        restore(trainer, path, record, tensors)
    return trainer


def save_model(model: PatchModel, path: AnyPath) -> None:
    """Write a model; see `PatchModel.save`."""
    sealed.write(path, sealed_model(model))


def save_trainer(trainer: "PhysicsTrainer", path: AnyPath) -> None:
    """Write a trainer; see `PhysicsTrainer.save`."""
    sealed.write(path, sealed_trainer(trainer))


def begin(
    trainer: "PhysicsTrainer",
    call: dict[str, Any],
    epochs: int,
    beta: Beta,
    *,
    checkpoint: AnyPath | None,
    resume: AnyPath | None,
) -> None:
    """Check the files of a call of `fit`, which is described; resume from one."""
    schedule = as_schedule(beta)
    betas = [schedule(epoch) for epoch in range(epochs)]  # its own errors come first
    for name, path in (("checkpoint", checkpoint), ("resume", resume)):
        if path is not None:
            sealed.as_path(path, name)
    if checkpoint is not None and rank() == 0:  # which writes it
        may_exist = resume is not None or trainer.epochs_done > 0
        _check_target(trainer, checkpoint, may_exist=may_exist)
    if resume is not None and os.path.exists(resume):
        _resume(trainer, resume, call, betas)
    elif resume is not None and (
        checkpoint is None or os.path.realpath(checkpoint) != os.path.realpath(resume)
    ):
        raise FileNotFoundError(
            f"resume={os.fspath(resume)!r} does not exist. A run that may not have begun yet "
            "takes the same path as checkpoint and resume."
        )
    elif resume is not None and trainer.epochs_done > epochs:
        raise ValueError(
            f"epochs={epochs}, but the trainer has {trainer.epochs_done} already; with resume, "
            "epochs counts them, too."
        )


def _check_target(trainer: "PhysicsTrainer", path: AnyPath, *, may_exist: bool) -> None:
    """Raise an error, before hours of training, if the trainer could not be saved to `path`."""
    target = Path(os.path.realpath(path))
    shown = f"checkpoint={os.fspath(path)!r}"
    if not os.access(target.parent, os.W_OK):
        raise FileNotFoundError(f"{shown}: its folder does not exist or is not writable.")
    if target.is_dir():
        raise IsADirectoryError(f"{shown} is a folder; a checkpoint is one file in it.")
    if target.exists() and not may_exist:
        raise FileExistsError(
            f"{shown} exists, and this trainer has not begun; go on from the file with "
            f"resume={os.fspath(path)!r}, or delete it."
        )
    sealed_trainer(trainer)


def _resume(
    trainer: "PhysicsTrainer",
    path: AnyPath,
    call: dict[str, Any],
    betas: list[float],
) -> None:
    """Put the trainer into the state of the file, if that is one of the same run."""
    record, tensors = _read_trainer(path)
    with _refusing(path):
        done = record["history"]["beta"]
        if len(done) > len(betas):
            raise CheckpointError(
                f"epochs={len(betas)}, but {os.fspath(path)!r} has {len(done)} already; with "
                "resume, epochs counts those in the file, too."
            )
        before = record["call"] or call
        # A function has no repr that lasts; its values so far tell as much.
        unlike = [
            _OTHER_PIXELS if line.startswith("grid.sha256") else line
            for line in differences({**call, "beta": 0}, {**before, "beta": 0})
        ]
        for epoch, (here, there) in enumerate(zip(betas, done, strict=False)):
            if here != there:
                unlike.append(f"beta at epoch {epoch} is {here!r} here, but {there!r} in the file")
                break
        restore(trainer, path, record, tensors, unlike)


def described_call(grids: Sequence[PatchGrid], beta: Beta, steps: int | None) -> dict[str, Any]:
    """Return what a call of `fit` works on, with a fingerprint of all pixels."""
    described = [_described_grid(grid) for grid in grids]
    return {
        "grid": described[0] if len(described) == 1 else described,
        "steps_per_epoch": plain(steps),
        "beta": repr(beta),
    }


def _described_grid(grid: PatchGrid) -> dict[str, Any]:
    digest = hashlib.sha256()
    for name, value in sorted(vars(grid).items()):
        if isinstance(value, Tensor):
            digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
            digest.update(value.cpu().numpy().tobytes())
    geometry = {name: plain(getattr(grid, name)) for name in ("shape", "patch_shape", "step")}
    return geometry | {"sha256": digest.hexdigest()}


@contextlib.contextmanager
def _refusing(path: AnyPath) -> Iterator[None]:
    """Turn whatever goes wrong with the contents of a sealed file into a `CheckpointError`."""
    try:
        yield
    except CheckpointError:
        raise
    except Unfit as error:
        raise CheckpointError(f"{os.fspath(path)!r} cannot be loaded: {error}") from None
    except Exception as error:
        raise CheckpointError(
            f"{os.fspath(path)!r} does not hold what it should: {type(error).__name__}: {error}"
        ) from error


def _read_trainer(path: AnyPath) -> tuple[dict[str, Any], dict[str, Tensor]]:
    record, tensors = sealed.read(path)
    if "trainer" not in record:
        raise CheckpointError(
            f"{os.fspath(path)!r} holds a model without the state of its training; "
            "phyvae.load_model(path) loads it."
        )
    return record, tensors
