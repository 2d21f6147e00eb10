"""A training as a file holds it: settings, weights, optimiser and history."""

import inspect
import itertools
import os
from dataclasses import asdict, fields, replace
from numbers import Real
from typing import Any

import torch
from torch import Tensor

from .. import physics
from ..models.interface import described_model
from ..physics import PhysicsLoss
from ..physics.base import Sum, Weighted
from ..saving import sealed
from ..saving.contents import AnyPath, Mismatch, check_weights, part_of, versions
from ..saving.plain import differences, plain
from ..saving.sealed import CheckpointError
from .history import History
from .objective import PhysicsObjective
from .quality import Quality
from .schedules import LinearBeta
from .state import Best, TrainingState

__all__ = [
    "build_objective",
    "describe_objective",
    "described",
    "foreign_loss",
    "restore",
    "sealed_training",
]

# How Adam computes, not what: left to the trainer that loads, since it goes with the device.
_IMPLEMENTATION = {"foreach", "fused", "capturable", "differentiable"}
# A loss of phyvae's keeps its constructor's arguments as attributes of the same names; names in a
# file are looked up here and nowhere else, so that a file cannot name code to run.
_LOSSES: dict[str, type[PhysicsLoss]] = {
    value.__name__: value
    for value in [*vars(physics).values(), Sum, Weighted]
    if isinstance(value, type) and issubclass(value, PhysicsLoss) and value is not PhysicsLoss
}
# Losses, and the schedules that they take as arguments.
_KNOWN: dict[str, type] = {**_LOSSES, "LinearBeta": LinearBeta}


def described(state: TrainingState) -> dict[str, Any]:
    """Return all settings of a training, its model and its objective as JSON holds them."""
    return {
        "model": described_model(state.model),
        "objective": describe_objective(state.objective),
        "trainer": {name: plain(value) for name, value in asdict(state.options).items()},
    }


def sealed_training(state: TrainingState) -> bytes:
    """Return the bytes of a training's file."""
    optimizer, names = state.optimizer, _parameter_names(state)
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
    rows = state.rows
    history = {f.name: [row[i] for row in rows] for i, f in enumerate(fields(History))}
    record = {
        "versions": versions(),
        **described(state),
        "optimizer": groups,
        "call": state.call,
        "history": history,
        "test_losses": state.test_losses,
        "steps_done": state.steps_done,
    }
    tensors: dict[str, Tensor] = dict(state.model.state_dict())
    tensors |= {f"objective/{k}": v for k, v in state.objective.state_dict().items()}
    for parameter, moments in optimizer.state.items():
        tensors |= {f"optimizer/{names[parameter]}/{k}": v for k, v in moments.items()}
    if state.best is not None:
        best = asdict(replace(state.best, weights={}))
        record["best"] = {name: value for name, value in best.items() if name != "weights"}
        tensors |= {f"best/{k}": v for k, v in state.best.weights.items()}
    return sealed.seal(record, tensors)


def _parameter_names(state: TrainingState) -> dict[Tensor, str]:
    return {parameter: name for name, parameter in state.model.named_parameters()}


def restore(
    state: TrainingState,
    path: AnyPath,
    record: dict[str, Any],
    tensors: dict[str, Tensor],
    unlike: list[str] | None = None,
) -> None:
    """Put the training into the state of the file; all is checked before anything is changed."""
    here = described(state)
    unlike = [*(unlike or []), *differences(here, {name: record[name] for name in here})]
    if unlike:
        raise CheckpointError(
            f"{os.fspath(path)!r} belongs to another run: {'; '.join(unlike)}. Give fit the grid "
            "and the trainer the settings of the file. phyvae.load_trainer(path) has the "
            "settings; its fit(...) without resume goes on with other patches, too."
        )
    check_weights(state.model, tensors)
    check_weights(state.objective, tensors, "objective/")
    best = _best(state, record.get("best"), tensors)
    rows, steps_done = _rows(record["history"]), int(record["steps_done"])
    test_losses = list(map(float, record.get("test_losses", [])))  # older files have none
    optimizer = _optimizer_state(state, record["optimizer"], part_of(tensors, "optimizer/"))
    state.model.load_state_dict(part_of(tensors))
    state.objective.load_state_dict(part_of(tensors, "objective/"))
    state.optimizer.load_state_dict(optimizer)
    state.rows, state.call, state.best = rows, record["call"], best
    state.steps_done, state.test_losses = steps_done, test_losses


def _best(
    state: TrainingState, kept: dict[str, Any] | None, tensors: dict[str, Tensor]
) -> Best | None:
    """Return the best state of a call that had not ended, if the file has one."""
    if kept is None:
        return None
    check_weights(state.model, tensors, "best/")
    qualities = {name: Quality(**kept[name]) for name in ("quality", "start")}
    return Best(part_of(tensors, "best/"), **(kept | qualities))


def _rows(columns: dict[str, list[Any]]) -> list[list[Any]]:
    """Return the history epoch by epoch."""
    names = [f.name for f in fields(History)]
    if sorted(columns) != sorted(names):
        raise Mismatch(f"its history has the columns {list(columns)}, not {names}.")
    rows = [list(row) for row in zip(*(columns[name] for name in names), strict=True)]
    if [row[0] for row in rows] != list(range(1, len(rows) + 1)) or not all(
        type(value) in (int, float) for row in rows for value in row
    ):
        raise Mismatch("its history is not one of epochs counted from 1.")
    return rows


def _optimizer_state(
    state: TrainingState, groups: list[dict[str, Any]], tensors: dict[str, Tensor]
) -> dict[str, Any]:
    """Return the state dictionary of the trainer's optimiser with the numbers of the file."""
    names, parameters = _parameter_names(state), dict(state.model.named_parameters())
    own = state.optimizer.state_dict()["param_groups"]
    params = [[names[p] for p in group["params"]] for group in state.optimizer.param_groups]
    if [group["params"] for group in groups] != params:
        raise Mismatch("its optimiser has other parameters.")
    for here, there in zip(own, groups, strict=True):
        for key, value in there.items():
            if key in _IMPLEMENTATION or key == "params":
                continue
            if key not in here and value:
                raise Mismatch(f"its optimiser has {key}={value!r}, unknown to this torch.")
            if key in here:
                here[key] = _as_in(here[key], value, key)
    wanted = {"step", "exp_avg", "exp_avg_sq"} | (
        {"max_exp_avg_sq"} if any(group["amsgrad"] for group in groups) else set()
    )
    moments: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        parameter, _, key = name.rpartition("/")
        index = list(itertools.chain(*params)).index(parameter)
        shape = torch.Size(()) if key == "step" else parameters[parameter].shape
        if tensor.shape != shape or not tensor.is_floating_point():
            raise Mismatch(f"its optimiser's {name} has shape {tuple(tensor.shape)}.")
        moments.setdefault(index, {})[key] = tensor
    if not all(set(values) == wanted for values in moments.values()):
        raise Mismatch(f"its optimiser must hold {sorted(wanted)} of each parameter.")
    return {"state": moments, "param_groups": own}


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
        raise Mismatch(f"its optimiser has {name}={value!r}.")
    return value


def describe_objective(objective: PhysicsObjective) -> dict[str, Any]:
    """Return the objective's settings as JSON holds them."""
    return _arguments(objective)


def build_objective(recipe: dict[str, Any]) -> PhysicsObjective:
    """Return the objective that `describe_objective` described."""
    settings: dict[str, Any] = {name: _built(value) for name, value in recipe.items()}
    return PhysicsObjective(**settings)


def foreign_loss(recipe: Any) -> str | None:
    """Return the name of a loss in it that is not phyvae's, so that it cannot be built again."""
    if isinstance(recipe, dict):
        if "own" in recipe:
            return str(recipe["own"])
        recipe = list(recipe.values())
    if isinstance(recipe, list):
        return next(filter(None, map(foreign_loss, recipe)), None)
    return None


def _described(loss: Any) -> dict[str, Any]:
    """Return a loss as JSON: its arguments if it is phyvae's, else its name and numbers."""
    if type(loss) in _KNOWN.values():
        return {"loss": type(loss).__name__, "settings": _arguments(loss)}
    simple = {
        name: plain(value)
        for name, value in getattr(loss, "__dict__", {}).items()
        if not name.startswith("_")
        and name != "training"
        and (value is None or isinstance(value, str | Real))
    }
    name = getattr(loss, "__qualname__", type(loss).__qualname__)
    return {"own": name, "settings": simple}


def _arguments(module: object) -> dict[str, Any]:
    names = inspect.signature(type(module)).parameters
    return {name: plain(getattr(module, name), _described) for name in names}


def _built(value: Any) -> Any:
    """Return the setting that `plain` made JSON of; a list comes back as a tuple."""
    if isinstance(value, list):
        return tuple(map(_built, value))
    if not isinstance(value, dict):
        return value
    loss = _KNOWN[value["loss"]]
    settings = {name: _built(setting) for name, setting in value["settings"].items()}
    terms = [
        settings.pop(name)
        for name, parameter in inspect.signature(loss).parameters.items()
        if parameter.kind is parameter.VAR_POSITIONAL
    ]
    return loss(*(terms[0] if terms else ()), **settings)
