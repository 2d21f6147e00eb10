"""The record of a model in a file: its class, settings and weights."""

from typing import Any

from torch import nn

from ..saving import sealed
from ..saving.contents import AnyPath, versions
from ..saving.plain import plain

__all__ = ["described_model", "save_model"]


def described_model(model: nn.Module) -> dict[str, Any]:
    """Return class, type of number and settings of a `PatchModel` as JSON holds them."""
    settings = getattr(model, "settings", {})
    return {
        "class": type(getattr(model, "vae", model)).__qualname__,
        "dtype": str(model.like.dtype).removeprefix("torch."),
        "settings": {name: plain(value) for name, value in settings.items()},
    }


def save_model(model: nn.Module, path: AnyPath) -> None:
    """Write a model; see `PatchModel.save`."""
    record = {"versions": versions(), "model": described_model(model)}
    sealed.write(path, sealed.seal(record, model.state_dict()))
