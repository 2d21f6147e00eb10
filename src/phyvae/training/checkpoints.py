"""Checkpoints of a training: begun, resumed, and written as it goes."""

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from ..compute import processes
from ..patches.grid import PatchGrid
from ..saving import sealed
from ..saving.contents import AnyPath, refusing
from ..saving.plain import differences, plain
from ..saving.sealed import CheckpointError
from .contents import restore, sealed_training
from .schedules import Beta, as_schedule
from .state import TrainingState

__all__ = [
    "begin", "described_call", "kept_after_interrupt", "read_training", "save_alone",
    "save_training",
]  # fmt: skip

_OTHER_PIXELS = (
    "the grid's pixels are others than in the file: another image, percentiles, mask or sites"
)


def save_training(state: TrainingState, path: AnyPath) -> None:
    """Write a training; see `PhysicsTrainer.save`."""
    sealed.write(path, sealed_training(state))


def save_alone(state: TrainingState, path: AnyPath) -> None:
    """Let the first process write a training while the others wait."""
    with processes.together():
        if processes.rank() == 0:
            save_training(state, path)


def kept_after_interrupt(state: TrainingState, begun: int, path: AnyPath | None) -> str:
    """Save the epochs since `begun` after Ctrl-C; return a sentence on the epochs kept."""
    kept = (
        f"Training ended after {state.epochs_done} epochs: the model has the weights of the "
        "last, trainer.history has all of them, and a further call of fit goes on."
    )
    # Of several processes each is somewhere else, and none may wait for another.
    if path is None or state.epochs_done == begun or processes.world_size() > 1:
        return kept
    save_training(state, path)
    return f"{kept} The checkpoint has them, too."


def begin(
    state: TrainingState,
    call: dict[str, Any],
    plan: Callable[..., list[int]],
    beta: Beta,
    *,
    checkpoint: AnyPath | None,
    resume: AnyPath | None,
) -> None:
    """Check the files of a call of `fit`, which is described; resume from one.

    `plan` is `planned_epochs` of the call, after an earlier training.
    """
    schedule = as_schedule(beta)
    for epoch in range(len(plan())):  # errors of its own come first
        schedule(epoch)
    checkpoint = None if checkpoint is None else sealed.as_path(checkpoint, "checkpoint")
    resume = None if resume is None else sealed.as_path(resume, "resume")
    if checkpoint is not None and processes.rank() == 0:  # which writes it
        may_exist = resume is not None or state.epochs_done > 0
        _check_target(state, checkpoint, may_exist=may_exist)
    if resume is not None and os.path.exists(resume):
        _resume(state, resume, call, plan, schedule)
    elif resume is not None and (
        checkpoint is None or os.path.realpath(checkpoint) != os.path.realpath(resume)
    ):
        raise FileNotFoundError(
            f"resume={os.fspath(resume)!r} does not exist. A run that may not have begun yet "
            "takes the same path as checkpoint and resume."
        )
    elif resume is not None:
        plan(epochs_done=state.epochs_done, steps_done=state.steps_done)


def _check_target(state: TrainingState, path: AnyPath, *, may_exist: bool) -> None:
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
    sealed_training(state)


def _resume(
    state: TrainingState,
    path: AnyPath,
    call: dict[str, Any],
    plan: Callable[..., list[int]],
    schedule: Callable[[int], float],
) -> None:
    """Put the trainer into the state of the file, if that is one of the same run."""
    record, tensors = read_training(path)
    with refusing(path):
        done, name = record["history"]["beta"], repr(os.fspath(path))
        plan(epochs_done=len(done), steps_done=record["steps_done"], where=name)
        before = record["call"] or call
        # A function has no repr that lasts; its values so far stand for it.
        unlike = [
            _OTHER_PIXELS if line.startswith("grid.sha256") else line
            for line in differences({**call, "beta": 0}, {**before, "beta": 0})
        ]
        for epoch, there in enumerate(done):
            here = schedule(epoch)
            if here != there:
                unlike.append(f"beta at epoch {epoch} is {here!r} here, but {there!r} in the file")
                break
        restore(state, path, record, tensors, unlike)


def described_call(grids: Sequence[PatchGrid], beta: Beta, steps: int | None) -> dict[str, Any]:
    """Return the arguments of a call of `fit` as JSON, with a fingerprint of all pixels."""
    described = [_described_grid(grid) for grid in grids]
    return {
        "grid": described[0] if len(described) == 1 else described,
        "steps_per_epoch": plain(steps),
        "beta": repr(beta),
    }


def _described_grid(grid: PatchGrid) -> dict[str, Any]:
    digest = hashlib.sha256()
    for name, value in sorted(grid.tensors().items()):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.cpu().numpy().tobytes())
    geometry = {name: plain(getattr(grid, name)) for name in ("shape", "patch_shape", "step")}
    return geometry | {"sha256": digest.hexdigest()}


def read_training(path: AnyPath) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return record and tensors of a training's file."""
    record, tensors = sealed.read(path)
    if "trainer" not in record:
        raise CheckpointError(
            f"{os.fspath(path)!r} holds a model without the state of its training; "
            "phyvae.load_model(path) loads it."
        )
    versions = record.get("versions")
    if isinstance(versions, dict) and str(versions.get("phyvae")).startswith("0.1."):
        raise CheckpointError(
            f"{os.fspath(path)!r} was written by phyvae 0.1.0, whose objective gave w no effect, "
            "so its training cannot go on here; phyvae.load_model(path) loads its model."
        )
    return record, tensors
