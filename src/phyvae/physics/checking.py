"""Checks of latent maps, of values at sites and of lengths in map pixels."""

from typing import Any

import torch
from torch import Tensor

from .._checks import as_positive, brief, refuse_channels_last, sides_of
from ..patches.graph import SiteGraph

__all__ = ["check_channels", "check_length", "check_maps", "check_neighbours", "check_values"]


def check_maps(maps: Tensor, mask: Tensor | None) -> None:
    """Raise an error unless maps is (channels, rows, cols) and mask, if any, (rows, cols)."""
    if not isinstance(maps, Tensor):
        raise TypeError(f"maps={brief(maps)} must be a tensor: torch.as_tensor(maps).")
    if maps.ndim != 3 or 0 in maps.shape:
        raise ValueError(
            f"maps has shape {tuple(maps.shape)}, but must be (channels, rows, cols); "
            "one map alone is maps[None]."
        )
    refuse_channels_last(tuple(maps.shape))
    if not maps.is_floating_point():
        raise ValueError(f"maps has dtype {maps.dtype}, but must be floating point; use .float().")
    if mask is None:
        return
    if not isinstance(mask, Tensor) or mask.dtype != torch.bool:
        raise TypeError(f"mask={brief(mask)} must be a tensor of bools, (rows, cols): grid.mask.")
    if mask.shape != maps.shape[1:]:
        raise ValueError(
            f"mask has shape {tuple(mask.shape)}, but the maps are {tuple(maps.shape[1:])} "
            "(rows, cols)."
        )


def check_values(values: Tensor, graph: SiteGraph) -> None:
    """Raise a ValueError unless values is (channels, n), floating point, one per site."""
    if values.ndim != 2 or len(values) == 0 or values.shape[1] != len(graph):
        raise ValueError(
            f"values has shape {tuple(values.shape)}, but must be (channels, {len(graph)}): one "
            "per site of the graph."
        )
    if not values.is_floating_point():
        raise ValueError(
            f"values has dtype {values.dtype}, but must be floating point; use .float()."
        )


def check_neighbours(maps: Tensor, least: int = 1, needs: str = "a step to a neighbour") -> None:
    """Raise a ValueError if the maps have a single cell, or a side shorter than `least`."""
    rows, cols = maps.shape[1:]
    if min(rows, cols) < least or rows * cols < 2:
        needed = "2 cells" if least < 2 else f"{least} x {least} cells"
        raise ValueError(
            f"maps are {rows} x {cols} cells, but {needs} needs at least {needed}; choose a "
            "larger tile, or a smaller step of the patches."
        )


def check_channels(maps: Tensor, loss: str, least: int, most: int | None = None) -> None:
    """Raise a ValueError if the maps have too few channels for the loss, or too many."""
    if len(maps) < least or (most is not None and len(maps) > most):
        needed = f"{least}" if most == least else f"at least {least}"
        raise ValueError(
            f"maps have {len(maps)} channel(s), but {loss} relates {needed}; choose latent_dim to "
            f"match, or the channels by OnChannels({loss}(...), [...])."
        )


def check_length(value: float, name: str, pixel_size: Any) -> None:
    """Raise an error unless a length is > 0: nm with a pixel size, else map pixels."""
    sides_of(pixel_size)
    as_positive(value, name, unit=" map pixels" if pixel_size is None else " nm")
