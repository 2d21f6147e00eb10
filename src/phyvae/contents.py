"""What a file holds of a model and of a trainer, and how it goes back into them."""

import functools
import itertools
import json
import math
import os
from dataclasses import fields
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from . import sealed
from .history import History
from .models import PatchModel, ShiftVAE
from .recipes import describe_objective, differences, plain
from .sealed import CheckpointError

if TYPE_CHECKING:
    from .checkpoint import AnyPath
    from .trainer import PhysicsTrainer

__all__ = [
    "Unfit", "built_model", "described_trainer", "load_weights", "restore", "sealed_model",
    "sealed_trainer",
]  # fmt: skip

# How Adam computes, not what: left to the trainer that loads, since it goes with the device.
_IMPLEMENTATION = {"foreach", "fused", "capturable", "differentiable"}
_DTYPES = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (torch.float32, torch.float64, torch.bfloat16, torch.float16)
}


class Unfit(ValueError):
    """What is wrong with the contents of a file, to be told with the file's name."""


def sealed_model(model: PatchModel) -> bytes:
    """Return the bytes of a model's file."""
    record = {"versions": _versions(), "model": _described_model(model)}
    return sealed.seal(record, model.state_dict())


@functools.cache
def _versions() -> dict[str, str]:
    return {name: version(name) for name in ("phyvae", "torch", "pyro-ppl", "pyroved")}


def _described_model(model: PatchModel) -> dict[str, Any]:
    dtype = str(model.like.dtype).removeprefix("torch.")
    settings = getattr(model, "settings", {})
    return {
        "class": type(getattr(model, "vae", model)).__qualname__,
        "dtype": dtype,
        "settings": {name: plain(value) for name, value in settings.items()},
    }


def described_trainer(trainer: "PhysicsTrainer") -> dict[str, Any]:
    """Return all settings of a trainer, its model and its objective as JSON holds them."""
    return {
        "model": _described_model(trainer.model),
        "objective": describe_objective(trainer.objective),
        "trainer": {name: plain(value) for name, value in trainer.settings.items()},
    }


def sealed_trainer(trainer: "PhysicsTrainer") -> bytes:
    """Return the bytes of a trainer's file."""
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
        **described_trainer(trainer),
        "optimizer": groups,
        "call": trainer._call,
        "history": history,
    }
    tensors: dict[str, Tensor] = dict(trainer.model.state_dict())
    tensors |= {f"objective/{k}": v for k, v in trainer.objective.state_dict().items()}
    for parameter, state in optimizer.state.items():
        tensors |= {f"optimizer/{names[parameter]}/{k}": v for k, v in state.items()}
    return sealed.seal(record, tensors)


def _parameter_names(trainer: "PhysicsTrainer") -> dict[Tensor, str]:
    return {parameter: name for name, parameter in trainer.model.named_parameters()}


def built_model(recipe: dict[str, Any], tensors: dict[str, Tensor]) -> ShiftVAE:
    """Return an untrained model of the file's sizes."""
    if recipe["class"] != ShiftVAE.__qualname__:
        raise Unfit(
            f"it holds a {recipe['class']}, and code is not saved; make a new one as that was "
            "made, and pass it: model=..."
        )
    settings = recipe["settings"]
    # A file must not ask for more memory than its own weights take.
    encoder = [math.prod(settings["patch_shape"]), *settings["hidden_dim_e"]]
    decoder = [settings["latent_dim"], *settings["hidden_dim_d"]]
    layers = [*itertools.pairwise([*encoder, 1]), *itertools.pairwise([*decoder, 1])]
    least = sum(inputs * outputs for inputs, outputs in layers)
    if min(*encoder, *decoder) < 1 or least > sum(tensor.numel() for tensor in tensors.values()):
        raise Unfit(f"its weights are not those of {json.dumps(settings)}.")
    model = ShiftVAE(**settings)
    model.to(_DTYPES[recipe["dtype"]])
    return model


def load_weights(model: PatchModel, recipe: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    """Put the weights of a file into the model, if it is such a one."""
    unlike = list(differences(_described_model(model), recipe, "model"))
    if unlike:
        raise Unfit(f"it holds another model: {'; '.join(unlike)}.")
    _check_weights(model, tensors)
    model.load_state_dict(_part(tensors, ""))


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
        raise Unfit(f"its {prefix or 'weights'} are other ones: {'; '.join(unlike)}.")


def restore(
    trainer: "PhysicsTrainer",
    path: "AnyPath",
    record: dict[str, Any],
    tensors: dict[str, Tensor],
    unlike: list[str] | None = None,
) -> None:
    """Put the trainer into the state of the file; all is checked before anything is changed."""
    here = described_trainer(trainer)
    unlike = [*(unlike or []), *differences(here, {name: record[name] for name in here})]
    if unlike:
        raise CheckpointError(
            f"{os.fspath(path)!r} belongs to another run: {'; '.join(unlike)}. Give fit the grid "
            "and the trainer the settings of the file. phyvae.load_trainer(path) has the "
            "settings; its fit(...) without resume goes on with other patches, too."
        )
    _check_weights(trainer.model, tensors)
    _check_weights(trainer.objective, tensors, "objective/")
    rows = _rows(record["history"])
    optimizer = _optimizer_state(trainer, record["optimizer"], _part(tensors, "optimizer/"))
    trainer.model.load_state_dict(_part(tensors, ""))
    trainer.objective.load_state_dict(_part(tensors, "objective/"))
    trainer.optimizer.load_state_dict(optimizer)
    trainer._rows, trainer.epochs_done = rows, len(rows)
    trainer._call = record["call"]


def _rows(columns: dict[str, list[Any]]) -> list[list[Any]]:
    """Return the history epoch by epoch."""
    names = [f.name for f in fields(History)]
    if sorted(columns) != sorted(names):
        raise Unfit(f"its history has the columns {list(columns)}, not {names}.")
    rows = [list(row) for row in zip(*(columns[name] for name in names), strict=True)]
    if [row[0] for row in rows] != list(range(1, len(rows) + 1)) or not all(
        type(value) in (int, float) for row in rows for value in row
    ):
        raise Unfit("its history is not one of epochs counted from 1.")
    return rows


def _optimizer_state(
    trainer: "PhysicsTrainer", groups: list[dict[str, Any]], tensors: dict[str, Tensor]
) -> dict[str, Any]:
    """Return the state dictionary of the trainer's optimiser with the numbers of the file."""
    names, parameters = _parameter_names(trainer), dict(trainer.model.named_parameters())
    own = trainer.optimizer.state_dict()["param_groups"]
    params = [[names[p] for p in group["params"]] for group in trainer.optimizer.param_groups]
    if [group["params"] for group in groups] != params:
        raise Unfit("its optimiser has other parameters.")
    for here, there in zip(own, groups, strict=True):
        for key, value in there.items():
            if key in _IMPLEMENTATION or key == "params":
                continue
            if key not in here and value:
                raise Unfit(f"its optimiser has {key}={value!r}, unknown to this torch.")
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
            raise Unfit(f"its optimiser's {name} has shape {tuple(tensor.shape)}.")
        state.setdefault(index, {})[key] = tensor
    if not all(set(values) == wanted for values in state.values()):
        raise Unfit(f"its optimiser must hold {sorted(wanted)} of each parameter.")
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
        raise Unfit(f"its optimiser has {name}={value!r}.")
    return value
