"""What an objective is made of, as JSON: enough to build it again, or to tell it from another."""

import inspect
import math
from collections.abc import Iterator
from numbers import Integral, Real
from typing import Any

import torch

from . import physics
from .objective import PhysicsObjective
from .physics import PhysicsLoss
from .physics.base import _Sum, _Weighted
from .schedules import LinearBeta

__all__ = ["build_objective", "describe_objective", "differences", "foreign_loss", "plain"]

# A loss of phyvae's keeps its constructor's arguments as attributes of the same names; names in a
# file are looked up here and nowhere else, so that a file cannot name code to run.
_LOSSES: dict[str, type[PhysicsLoss]] = {
    value.__name__: value
    for value in [*vars(physics).values(), _Sum, _Weighted]
    if isinstance(value, type) and issubclass(value, PhysicsLoss) and value is not PhysicsLoss
}
# Beside losses, what they take as arguments.
_KNOWN: dict[str, type] = {**_LOSSES, "LinearBeta": LinearBeta}


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


def differences(
    here: Any, there: Any, name: str = "", *, where: str = "in the file"
) -> Iterator[str]:
    """Yield what differs between two JSON values, in words; `where` says where the other is."""
    if isinstance(here, dict) and isinstance(there, dict):
        for key in [*here, *(key for key in there if key not in here)]:
            inner = f"{name}.{key}" if name else key
            yield from differences(here.get(key), there.get(key), inner, where=where)
    elif here != there:
        yield f"{name} is {here!r} here, but {there!r} {where}"


def plain(value: Any) -> Any:
    """Return the value as JSON gives it back.

    Raises
    ------
    TypeError
        If JSON cannot hold it.
    """
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value) if math.isfinite(value) else repr(float(value))
    if isinstance(value, list | tuple | torch.nn.ModuleList):
        return [plain(item) for item in value]
    if isinstance(value, PhysicsLoss) or callable(value):
        return _described(value)
    raise TypeError(f"{value!r} of type {type(value).__name__} does not go into JSON.")


def _described(loss: Any) -> dict[str, Any]:
    """Return what a loss is: by its arguments if it is phyvae's, else by name and numbers."""
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
    return {name: plain(getattr(module, name)) for name in names}


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
