"""Settings of a sweep, by name, and the models that they start from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypedDict

import torch
from torch import nn

from .._checks import as_seed, brief, check_takes
from ..compute.precision import Precision
from ..models import PatchModel, adapt, check_patches
from ..patches.grid import PatchGrid
from ..training.objective import PhysicsObjective
from ..training.schedules import Beta

__all__ = ["Setting", "TrainerOptions", "named_settings", "starting_model"]


class TrainerOptions(TypedDict, total=False):
    """Keywords of `PhysicsTrainer` that all settings of a sweep have in common."""

    lr: float | None
    warmup: int
    batch_size: int
    tile: int
    sites: int
    pixels: float | None
    precision: Precision
    deterministic: bool
    device: torch.device | str | None


@dataclass(frozen=True)
class Setting:
    """What one training of a sweep has of its own.

    Attributes
    ----------
    objective : PhysicsObjective or None
        ``None`` is the plain shift-invariant VAE.
    beta : float, callable or None
        Weight of the KL divergence; ``None`` is that of the sweep.
    seed : int
        Seed of weights, tiles, batches and noise.

    Examples
    --------
    >>> import phyvae
    >>> objective = phyvae.PhysicsObjective(phyvae.EdgeLoss(), strength=3.0)
    >>> phyvae.Setting(objective, seed=1).seed
    1
    """

    objective: PhysicsObjective | None = None
    beta: Beta | None = None
    seed: int = 0


def named_settings(settings: object) -> dict[str, Setting]:
    """Return the settings by name, with objectives alone made settings."""
    if not isinstance(settings, Mapping):
        raise TypeError(
            f"settings={brief(settings)} must map names to settings: "
            '{"w = 0.1": PhysicsObjective(EdgeLoss(), w=0.1)}.'
        )
    if not settings:
        raise ValueError("settings is empty; pass at least one, by name.")
    named = {}
    for name, value in settings.items():
        if not isinstance(name, str) or not name.strip():
            raise TypeError(f"settings has the name {name!r}; it must be a non-empty string.")
        objective = value.objective if isinstance(value, Setting) else value
        if not isinstance(objective, PhysicsObjective | None):
            raise TypeError(
                f"settings[{name!r}]={brief(value)} must be a PhysicsObjective, None, or a "
                "Setting with one of them: PhysicsObjective(loss, w=0.1)."
            )
        setting = value if isinstance(value, Setting) else Setting(objective)
        as_seed(setting.seed, f"seed of settings[{name!r}]")
        named[name] = setting
    return named


def starting_model(model: Callable[[int], nn.Module], seed: int, grid: PatchGrid) -> PatchModel:
    """Return the model of a seed, checked against the patches."""
    if not callable(model) or isinstance(model, nn.Module | type):
        raise TypeError(
            f"model={brief(model)} must be a function of a seed that returns a new model: "
            "lambda seed: ShiftVAE(grid.patch_shape, seed=seed)."
        )
    check_takes(model, (seed,), "model", "a function of a seed that returns a new model")
    made = model(seed)
    if not isinstance(made, nn.Module):
        raise TypeError(
            f"model({seed}) returned an object of type {type(made).__name__}, but must return "
            "a model."
        )
    start = adapt(made)
    check_patches(start, grid)
    return start
