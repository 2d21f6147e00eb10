"""Settings of a trainer, checked against the model they are for."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch

from .._checks import as_flag, as_integer, as_positive, as_seed, as_share, brief, check_takes
from ..compute.precision import Precision, dtype_of
from ..models import PatchModel

__all__ = ["Callback", "TrainingOptions", "as_callbacks", "checked_options"]

_RATE = 2e-3  # learning rate of batches and patches of these sizes; no batch or patch has more
_BATCH, _PIXELS = 100, 288
_SMALL = 8192  # pixels decoded in a step; with fewer, several threads gain little
Callback = Callable[[Any, int], None]
"""Called after every epoch with the trainer and the number of epochs trained so far."""


@dataclass(frozen=True)
class TrainingOptions:
    """The settings of `PhysicsTrainer`, but for model, objective and device."""

    lr: float
    warmup: int
    batch_size: int
    tile: int
    sites: int
    pixels: float
    precision: Precision
    deterministic: bool
    seed: int

    def has_small_steps(self, model: PatchModel) -> bool:
        """Return whether a step has so little to decode that it belongs on one thread."""
        pixels = self.batch_size * self.pixels * math.prod(model.patch_shape)
        return model.like.device.type == "cpu" and pixels < _SMALL

    def dtype(self, model: PatchModel) -> torch.dtype:
        """Return the type of the model's hidden layers in training."""
        if not model.has_fast_path:
            return model.like.dtype
        return dtype_of(self.precision, model.like.device)


def checked_options(model: PatchModel, **settings: Any) -> TrainingOptions:
    """Return the settings; a bad value is refused here, not after an hour."""
    pixels, lr, precision = (settings[name] for name in ("pixels", "lr", "precision"))
    if pixels is None:
        pixels = _share(math.prod(model.patch_shape)) if model.decodes_pixels else 1.0
    as_integer(settings["batch_size"], "batch_size", 1, " patch")
    if lr is None:
        lr = _rate(settings["batch_size"], math.prod(model.patch_shape))
    as_positive(lr, "lr")
    as_share(pixels, "pixels")
    if pixels < 1 and not model.decodes_pixels:
        raise ValueError(
            f"pixels={pixels}, but this model's decoder draws whole patches; leave pixels out."
        )
    as_flag(settings["deterministic"], "deterministic")
    if not model.has_fast_path and precision == "bfloat16":
        raise ValueError(
            "precision='bfloat16': only a ShiftVAE can be trained in bfloat16; leave it out."
        )
    dtype_of(precision, model.like.device)
    as_seed(settings["seed"])
    as_integer(settings["tile"], "tile", 2, " patches: physics needs neighbours")
    as_integer(settings["sites"], "sites", 1, " patch")
    as_integer(settings["warmup"], "warmup", 0)
    return TrainingOptions(**(settings | {"pixels": pixels, "lr": lr}))


def _share(pixels: int) -> float:
    """Return the share of a patch's pixels that a step decodes: a fifth, 100 to 288 of them."""
    return min(1.0, min(max(0.2 * pixels, 100), _PIXELS) / pixels)


def _rate(batch: int, pixels: int) -> float:
    """Return the learning rate that suits batches and patches of a size.

    Steps of Adam have the same length however noisy the gradient is, and raise −ELBO by the
    curvature of it, which is a sum over pixels.
    """
    return _RATE * min(1.0, batch / _BATCH) * min(1.0, _PIXELS / pixels)


def as_callbacks(callbacks: object) -> list[Callback]:
    """Return the callbacks as a list, which outlives the first epoch as an iterator does not."""
    if isinstance(callbacks, Iterable) and not callable(callbacks):
        listed = list(callbacks)
        if all(callable(callback) for callback in listed):
            for callback in listed:
                check_takes(callback, (None, 1), "callback", "(trainer, epochs_done) -> None")
            return listed
    raise TypeError(
        f"callbacks={brief(callbacks)} must be a list of callables (trainer, epochs_done) -> "
        "None: [callback]."
    )
