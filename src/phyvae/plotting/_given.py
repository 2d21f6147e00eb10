"""What is given to a figure: arrays and coordinates that fit each other."""

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from torch import Tensor

from ..patches import PatchGrid

__all__ = [
    "Array",
    "Extent",
    "as_array",
    "as_labels",
    "as_maps",
    "as_picture",
    "chosen_channels",
    "extent_of",
    "frame_of",
    "in_unit",
]

Array: TypeAlias = Tensor | npt.NDArray[Any]
Extent: TypeAlias = tuple[float, float, float, float]  # left, right, bottom, top


def as_array(values: Array) -> npt.NDArray[Any]:
    return values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)


def as_maps(maps: Array, name: str = "maps") -> npt.NDArray[Any]:
    z = as_array(maps)
    if z.ndim != 3 or z.size == 0:
        raise ValueError(f"{name} has shape {z.shape}, but must be (channels, rows, cols).")
    for k, channel in enumerate(z):
        if not np.isfinite(channel).any():
            raise ValueError(f"{name} has no finite value in channel {k}; did training diverge?")
    return z


def as_labels(labels: Array, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    domains = as_array(labels)
    if domains.shape != tuple(shape) or domains.dtype.kind not in "iub":
        raise ValueError(
            f"labels has shape {domains.shape} and dtype {domains.dtype}, but must be integers of "
            f"shape {tuple(shape)}; grid.sample takes an image of labels to its patch grid."
        )
    return domains.astype(int)


def as_picture(image: Array | PatchGrid) -> npt.NDArray[Any]:
    values = as_array(image.image if isinstance(image, PatchGrid) else image)
    if isinstance(image, PatchGrid) and values.ndim == 3:
        return np.asarray(values.mean(axis=2))
    if values.ndim != 2:
        raise ValueError(f"image has shape {values.shape}, but must be (height, width).")
    return values


def chosen_channels(channels: tuple[int, int], count: int) -> list[int]:
    along = list(channels[:count])
    if len({*along}) < len(along) or not all(0 <= k < count for k in along):
        raise ValueError(f"channels={channels} must be two different ones of {[*range(count)]}.")
    return along


def extent_of(shape: tuple[int, ...], grid: PatchGrid | None = None) -> Extent:
    """Return the extent of all cells, each one step wide around its centre, px."""
    if grid is not None and grid.shape != tuple(shape):
        raise ValueError(
            f"grid has shape {grid.shape}, but maps and labels {tuple(shape)}; "
            "pass the grid they were computed on."
        )
    first, last = ((0, 0), np.subtract(shape, 1))
    if grid is not None:
        first, last = grid.centers[0, 0], grid.centers[-1, -1]
    half = np.array((1, 1) if grid is None else grid.step) / 2
    (top, left), (bottom, right) = first - half, last + half
    return float(left), float(right), float(bottom), float(top)


def in_unit(extent: Extent, pixel_size: float | None, unit: str) -> Extent:
    if (pixel_size is None) != (unit == "px") or (pixel_size is not None and pixel_size <= 0):
        raise ValueError(
            f"pixel_size={pixel_size} and unit={unit!r} go together, as in pixel_size=0.02, "
            "unit='nm'; leave both out for pixels."
        )
    left, right, bottom, top = (edge * (pixel_size or 1) for edge in extent)
    return left, right, bottom, top


def frame_of(
    shape: tuple[int, ...], grid: PatchGrid | None, pixel_size: float | None, unit: str
) -> tuple[Extent, str]:
    """Return extent and unit of maps."""
    if grid is None and pixel_size is not None:
        raise ValueError(f"pixel_size={pixel_size} is that of an image pixel; pass grid, too.")
    extent = in_unit(extent_of(shape, grid), pixel_size, unit)
    return extent, "map px" if grid is None else unit
