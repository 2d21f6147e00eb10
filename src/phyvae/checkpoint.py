"""Models and trainers saved, loaded and resumed, to the bit."""

import contextlib
import functools
import hashlib
import itertools
import json
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import fields
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from . import sealed
from .history import History
from .models import ShiftVAE, check_patches
from .objective import PhysicsObjective
from .patches import PatchGrid
from .recipes import build_objective, describe_objective, differences, foreign_loss, plain
from .schedules import Beta, as_schedule
from .sealed import CheckpointError

if TYPE_CHECKING:
    from .trainer import PhysicsTrainer

__all__ = [
    "AnyPath", "CheckpointError", "begin", "load_model", "load_trainer", "save_model",
    "save_trainer",
]  # fmt: skip

AnyPath = str | os.PathLike[str]
"""A path as users give it."""

# How Adam computes, not what: left to the trainer that loads, since it goes with the device.
_IMPLEMENTATION = {"foreach", "fused", "capturable", "differentiable"}
_DTYPES = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (torch.float32, torch.float64, torch.bfloat16, torch.float16)
}


def load_model(path: AnyPath, *, device: torch.device | str = "cpu") -> ShiftVAE:
    """Return the model of a file that ``model.save`` or ``trainer.save`` wrote.

    Parameters
    ----------
    path
        The file.
    device
        Where the model is to be, whatever device it was saved from.

    Raises
    ------
    CheckpointError
        If the file is foreign, of another format version, truncated or altered. Nothing in a
        file is ever unpickled or executed.

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
    record, tensors = sealed.read(path)
    with _refusing(path):
        model = _built_model(record["model"], tensors)
        _check_weights(model, tensors)
        model.load_state_dict(_part(tensors, ""))
        model.to(device)
    return model


def load_trainer(
    path: AnyPath,
    *,
    objective: PhysicsObjective | None = None,
    device: torch.device | str = "cpu",
) -> "PhysicsTrainer":
    """Return the trainer of a file that ``trainer.save`` or ``fit(checkpoint=...)`` wrote.

    It goes on as the saved one would have: on the CPU of the same machine, to the bit.

    Parameters
    ----------
    path
        The file.
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

    record, tensors = _read_trainer(path)
    with _refusing(path):
        own = foreign_loss(record["objective"])
        if objective is None and own is not None:
            raise CheckpointError(
                f"{os.fspath(path)!r} was trained with {own}, which is not a loss of phyvae's, "
                "and code is not saved; pass load_trainer(path, "
                f"objective=PhysicsObjective(...)) with {own} in it."
            )
        model = _built_model(record["model"], tensors)
        objective = build_objective(record["objective"]) if objective is None else objective
        trainer = PhysicsTrainer(model, objective, device=device, **record["trainer"])
        _restore(trainer, path, record, tensors)
    return trainer


def save_model(model: ShiftVAE, path: AnyPath) -> None:
    """Write a model; see `ShiftVAE.save`."""
    record = {"versions": _versions(), "model": _described_model(model)}
    sealed.write(path, sealed.seal(record, model.state_dict()))


def save_trainer(
    trainer: "PhysicsTrainer", path: AnyPath, call: dict[str, Any] | None = None
) -> None:
    """Write a trainer, and what the running call of `fit` works on; see `PhysicsTrainer.save`."""
    sealed.write(path, _sealed_trainer(trainer, call))


def begin(
    trainer: "PhysicsTrainer",
    grid: PatchGrid,
    epochs: int,
    beta: Beta,
    steps: int | None,
    *,
    checkpoint: AnyPath | None,
    resume: AnyPath | None,
) -> dict[str, Any]:
    """Check the files of a call of `fit`, resume from one; return what the call works on."""
    check_patches(trainer.model, grid)
    call = _described_call(grid, beta, steps)
    if checkpoint is not None:
        may_exist = resume is not None or trainer.epochs_done > 0
        _check_target(trainer, checkpoint, may_exist=may_exist)
    if resume is not None and os.path.exists(resume):
        _resume(trainer, resume, call, epochs, as_schedule(beta))
    elif resume is not None and (
        checkpoint is None or os.path.realpath(checkpoint) != os.path.realpath(resume)
    ):
        raise FileNotFoundError(
            f"resume={os.fspath(resume)!r} does not exist. A run that may not have begun yet "
            "takes the same path as checkpoint and resume."
        )
    return call


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
    _sealed_trainer(trainer, None)


def _resume(
    trainer: "PhysicsTrainer",
    path: AnyPath,
    call: dict[str, Any],
    epochs: int,
    schedule: Callable[[int], float],
) -> None:
    """Put the trainer into the state of the file, if that is one of the same run."""
    record, tensors = _read_trainer(path)
    with _refusing(path):
        done = record["history"]["beta"]
        if len(done) > epochs:
            raise CheckpointError(
                f"epochs={epochs}, but {os.fspath(path)!r} has {len(done)} already; with resume, "
                "epochs counts those in the file, too."
            )
        before = record["call"] or call
        # A function has no repr that lasts; its values so far tell as much.
        unlike = list(differences({**call, "beta": 0}, {**before, "beta": 0}))
        for epoch, beta in enumerate(done):
            if beta != schedule(epoch):
                unlike.append(
                    f"beta at epoch {epoch} is {schedule(epoch)!r} here, but {beta!r} in the file"
                )
                break
        _restore(trainer, path, record, tensors, unlike)


# -- What is in a file -------------------------------------------------------------------------


@functools.cache
def _versions() -> dict[str, str]:
    return {name: version(name) for name in ("phyvae", "torch", "pyro-ppl", "pyroved")}


def _described_call(grid: PatchGrid, beta: Beta, steps: int | None) -> dict[str, Any]:
    """Return what a call of `fit` works on, with a fingerprint of all pixels."""
    digest = hashlib.sha256()
    for name, value in sorted(vars(grid).items()):
        if isinstance(value, Tensor):
            digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
            digest.update(value.cpu().numpy().tobytes())
    geometry = {name: plain(getattr(grid, name)) for name in ("shape", "patch_shape", "step")}
    return {
        "grid": geometry | {"sha256": digest.hexdigest()},
        "steps_per_epoch": plain(steps),
        "beta": repr(beta),
    }


def _described_model(model: ShiftVAE) -> dict[str, Any]:
    dtype = str(model.grid.dtype).removeprefix("torch.")
    return {
        "class": type(model).__qualname__,
        "dtype": dtype,
        "settings": {name: plain(value) for name, value in model.settings.items()},
    }


def _described_trainer(trainer: "PhysicsTrainer") -> dict[str, Any]:
    return {
        "model": _described_model(trainer.model),
        "objective": describe_objective(trainer.objective),
        "trainer": {name: plain(value) for name, value in trainer.settings.items()},
    }


def _sealed_trainer(trainer: "PhysicsTrainer", call: dict[str, Any] | None) -> bytes:
    optimizer, names = trainer.optimizer, _parameter_names(trainer)
    if type(optimizer) is not torch.optim.Adam:
        raise TypeError(
            f"trainer.optimizer is {type(optimizer).__name__}, but a checkpoint holds Adam's "
            "state; save the model alone with trainer.model.save(path)."
        )
    groups = [
        {name: plain(value) for name, value in group.items() if name != "params"}
        | {"params": [names[parameter] for parameter in group["params"]]}
        for group in optimizer.param_groups
    ]
    rows = trainer._rows
    history = {f.name: [row[i] for row in rows] for i, f in enumerate(fields(History))}
    record = {
        "versions": _versions(),
        **_described_trainer(trainer),
        "optimizer": groups,
        "call": call,
        "history": history,
    }
    tensors: dict[str, Tensor] = dict(trainer.model.state_dict())
    tensors |= {f"objective/{k}": v for k, v in trainer.objective.state_dict().items()}
    for parameter, state in optimizer.state.items():
        tensors |= {f"optimizer/{names[parameter]}/{k}": v for k, v in state.items()}
    return sealed.seal(record, tensors)


def _parameter_names(trainer: "PhysicsTrainer") -> dict[Tensor, str]:
    return {parameter: name for name, parameter in trainer.model.named_parameters()}


# -- From a file to a trainer ------------------------------------------------------------------


class _Unfit(ValueError):
    """What is wrong with the contents of a file, to be told with the file's name."""


@contextlib.contextmanager
def _refusing(path: AnyPath) -> Iterator[None]:
    """Turn whatever goes wrong with the contents of a sealed file into a `CheckpointError`."""
    try:
        yield
    except CheckpointError:
        raise
    except _Unfit as error:
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


def _built_model(recipe: dict[str, Any], tensors: dict[str, Tensor]) -> ShiftVAE:
    """Return an untrained model of the file's sizes."""
    if recipe["class"] != ShiftVAE.__qualname__:
        raise _Unfit(
            f"it holds a {recipe['class']}, and code is not saved; build it and go on with "
            "fit(..., resume=path), or take its weights with safetensors.torch.load_file."
        )
    settings = recipe["settings"]
    # A file must not ask for more memory than its own weights take.
    encoder = [math.prod(settings["patch_shape"]), *settings["hidden_dim_e"]]
    decoder = [settings["latent_dim"], *settings["hidden_dim_d"]]
    layers = [*itertools.pairwise([*encoder, 1]), *itertools.pairwise([*decoder, 1])]
    least = sum(inputs * outputs for inputs, outputs in layers)
    if min(*encoder, *decoder) < 1 or least > sum(tensor.numel() for tensor in tensors.values()):
        raise _Unfit(f"its weights are not those of {json.dumps(settings)}.")
    model = ShiftVAE(**settings)
    model.to(_DTYPES[recipe["dtype"]])
    return model


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors whose name has this prefix, without it; without a prefix, the weights."""
    if not prefix:
        return {name: tensor for name, tensor in tensors.items() if "/" not in name}
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _check_weights(module: torch.nn.Module, tensors: dict[str, Tensor], prefix: str = "") -> None:
    """Raise an error unless the tensors have the names, shapes and types of the module's."""
    here, there = (
        {name: (tuple(tensor.shape), str(tensor.dtype)) for name, tensor in tensors.items()}
        for tensors in (module.state_dict(), _part(tensors, prefix))
    )
    unlike = list(differences(here, there))
    if unlike:
        raise _Unfit(f"its {prefix or 'weights'} are other ones: {'; '.join(unlike)}.")


def _restore(
    trainer: "PhysicsTrainer",
    path: AnyPath,
    record: dict[str, Any],
    tensors: dict[str, Tensor],
    unlike: list[str] | None = None,
) -> None:
    """Put the trainer into the state of the file; all is checked before anything is changed."""
    here = _described_trainer(trainer)
    unlike = [*(unlike or []), *differences(here, {name: record[name] for name in here})]
    if unlike:
        raise CheckpointError(
            f"{os.fspath(path)!r} belongs to another run: {'; '.join(unlike)}. Give the trainer "
            "the settings of the file, or take phyvae.load_trainer(path), which has them."
        )
    _check_weights(trainer.model, tensors)
    _check_weights(trainer.objective, tensors, "objective/")
    rows = _rows(record["history"])
    optimizer = _optimizer_state(trainer, record["optimizer"], _part(tensors, "optimizer/"))
    trainer.model.load_state_dict(_part(tensors, ""))
    trainer.objective.load_state_dict(_part(tensors, "objective/"))
    trainer.optimizer.load_state_dict(optimizer)
    trainer._rows, trainer.epochs_done = rows, len(rows)


def _rows(columns: dict[str, list[Any]]) -> list[list[Any]]:
    """Return the history epoch by epoch."""
    names = [f.name for f in fields(History)]
    if sorted(columns) != sorted(names):
        raise _Unfit(f"its history has the columns {list(columns)}, not {names}.")
    rows = [list(row) for row in zip(*(columns[name] for name in names), strict=True)]
    if [row[0] for row in rows] != list(range(1, len(rows) + 1)) or not all(
        type(value) in (int, float) for row in rows for value in row
    ):
        raise _Unfit("its history is not one of epochs counted from 1.")
    return rows


def _optimizer_state(
    trainer: "PhysicsTrainer", groups: list[dict[str, Any]], tensors: dict[str, Tensor]
) -> dict[str, Any]:
    """Return the state dictionary of the trainer's optimiser with the numbers of the file."""
    names, parameters = _parameter_names(trainer), dict(trainer.model.named_parameters())
    own = trainer.optimizer.state_dict()["param_groups"]
    params = [[names[p] for p in group["params"]] for group in trainer.optimizer.param_groups]
    if [group["params"] for group in groups] != params:
        raise _Unfit("its optimiser has other parameters.")
    for here, there in zip(own, groups, strict=True):
        for key, value in there.items():
            if key in _IMPLEMENTATION or key == "params":
                continue
            if key not in here and value:
                raise _Unfit(f"its optimiser has {key}={value!r}, unknown to this torch.")
            if key in here:
                here[key] = _as_in(here[key], value, key)
    wanted = {"step", "exp_avg", "exp_avg_sq"} | (
        {"max_exp_avg_sq"} if any(group["amsgrad"] for group in groups) else set()
    )
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        parameter, _, key = name.rpartition("/")
        index = list(itertools.chain(*params)).index(parameter)
        shape = torch.Size(()) if key == "step" else parameters[parameter].shape
        if tensor.shape != shape or not tensor.is_floating_point():
            raise _Unfit(f"its optimiser's {name} has shape {tuple(tensor.shape)}.")
        state.setdefault(index, {})[key] = tensor
    if not all(set(values) == wanted for values in state.values()):
        raise _Unfit(f"its optimiser must hold {sorted(wanted)} of each parameter.")
    return {"state": state, "param_groups": own}


def _as_in(own: Any, value: Any, name: str) -> Any:
    """Return an option of the optimiser, which must be of the kind that it is in this torch."""
    if isinstance(own, tuple):
        value = tuple(map(float, value))
        fits = len(value) == len(own)
    elif isinstance(own, bool):
        fits = isinstance(value, bool)
    else:
        fits = isinstance(value, int | float) and not isinstance(value, bool)
    if not fits:
        raise _Unfit(f"its optimiser has {name}={value!r}.")
    return value
