"""Objectives as JSON: enough to build one again, or to compare it with another."""

import inspect
from numbers import Real
from typing import Any

from .. import physics
from ..physics import PhysicsLoss
from ..physics.base import Sum, Weighted
from ..saving.plain import plain
from .objective import PhysicsObjective
from .schedules import LinearBeta

__all__ = ["build_objective", "describe_objective", "foreign_loss"]

# A loss of phyvae's keeps its constructor's arguments as attributes of the same names; names in a
# file are looked up here and nowhere else, so that a file cannot name code to run.
_LOSSES: dict[str, type[PhysicsLoss]] = {
    value.__name__: value
    for value in [*vars(physics).values(), Sum, Weighted]
    if isinstance(value, type) and issubclass(value, PhysicsLoss) and value is not PhysicsLoss
}
# Losses, and the schedules that they take as arguments.
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
