"""What is given to a figure: arrays and coordinates that fit each other."""

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from torch import Tensor

from .._checks import as_integer, as_number, brief, refuse_channels_last
from ..patches.grid import PatchGrid

__all__ = [
    "Array",
    "Extent",
    "as_array",
    "as_labels",
    "as_maps",
    "as_picture",
    "brief",
    "checked_width",
    "chosen_channels",
    "extent_of",
    "frame_of",
    "in_unit",
    "refuse_no_grid",
]

Array: TypeAlias = Tensor | npt.NDArray[Any]
Extent: TypeAlias = tuple[float, float, float, float]  # left, right, bottom, top


def as_array(values: Any) -> npt.NDArray[Any]:
    return values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)


def as_maps(maps: Any, name: str = "maps") -> npt.NDArray[Any]:
    z = as_array(maps)
    if z.dtype.kind not in "fiub":
        raise TypeError(
            f"{name}={brief(maps)} of dtype {z.dtype} must be real latent maps, shape (channels, "
            "rows, cols): model.latent_maps(grid)."
        )
    if z.ndim != 3 or z.size == 0:
        cure = "; one map is maps[:1], and labels come after the maps" if z.ndim == 2 else ""
        raise ValueError(f"{name} has shape {z.shape}, but must be (channels, rows, cols){cure}.")
    refuse_channels_last(z.shape, name)
    for k, channel in enumerate(z):
        if not np.isfinite(channel).any():
            raise ValueError(f"{name} has no finite value in channel {k}; did training diverge?")
    return z


def as_labels(labels: Any, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    domains = as_array(labels)
    if domains.dtype.kind not in "fiub":
        raise TypeError(
            f"labels={brief(labels)} of dtype {domains.dtype} must be an array of integers, shape "
            "(rows, cols): phyvae.segment(maps)."
        )
    if domains.shape != tuple(shape) or domains.dtype.kind not in "iub":
        raise ValueError(
            f"labels has shape {domains.shape} and dtype {domains.dtype}, but must be integers of "
            f"shape {tuple(shape)}; grid.sample takes an image of labels to its patch grid."
        )
    return domains.astype(int)


def as_picture(image: Any) -> npt.NDArray[Any]:
    values = as_array(image.image if isinstance(image, PatchGrid) else image)
    if values.dtype.kind not in "fiub":
        raise TypeError(
            f"image={brief(image)} of dtype {values.dtype} must be a real image, shape (height, "
            "width), or a PatchGrid."
        )
    if not np.isfinite(values).any():
        raise ValueError("image has no finite value; is it the right channel?")
    if isinstance(image, PatchGrid) and values.ndim == 3:
        return np.asarray(values.mean(axis=2))
    if values.ndim != 2:
        raise ValueError(f"image has shape {values.shape}, but must be (height, width).")
    return values


def chosen_channels(channels: Any, count: int) -> list[int]:
    if not isinstance(channels, tuple | list) or len(channels) not in (1, 2):
        raise TypeError(f"channels={brief(channels)} must be two latents, such as (0, 1).")
    along = [as_integer(k, "channels", 0) for k in channels[:count]]
    if len({*along}) < len(along) or not all(0 <= k < count for k in along):
        raise ValueError(f"channels={channels} must be two different ones of {[*range(count)]}.")
    return along


def extent_of(shape: tuple[int, ...], grid: Any = None) -> Extent:
    """Return the extent of all cells, each one step wide around its centre, px."""
    if grid is not None:
        refuse_no_grid(grid)
    if grid is not None and grid.shape != tuple(shape):
        raise ValueError(
            f"grid has shape {grid.shape}, but maps and labels {tuple(shape)}; "
            "pass the grid they were computed on."
        )
    first, last = ((0, 0), np.subtract(shape, 1))
    if grid is not None:
        # Not the corners: where sites are the centres, these may be empty.
        first, last = np.nanmin(grid.centers, axis=(0, 1)), np.nanmax(grid.centers, axis=(0, 1))
    half = np.array((1, 1) if grid is None else grid.step) / 2
    (top, left), (bottom, right) = first - half, last + half
    return float(left), float(right), float(bottom), float(top)


def in_unit(extent: Extent, pixel_size: Any, unit: str) -> Extent:
    pixel_size = None if pixel_size is None else as_number(pixel_size, "pixel_size")
    if not isinstance(unit, str):
        raise TypeError(f"unit={brief(unit)} must be a name, such as 'nm'.")
    if (pixel_size is None) != (unit == "px") or (
        pixel_size is not None and not 0 < pixel_size < np.inf
    ):
        raise ValueError(
            f"pixel_size={pixel_size} and unit={unit!r} go together, as in pixel_size=0.02, "
            "unit='nm'; leave both out for pixels."
        )
    left, right, bottom, top = (edge * (pixel_size or 1) for edge in extent)
    return left, right, bottom, top


def frame_of(shape: tuple[int, ...], grid: Any, pixel_size: Any, unit: str) -> tuple[Extent, str]:
    """Return extent and unit of maps."""
    if grid is None and pixel_size is not None:
        raise ValueError(f"pixel_size={pixel_size} is that of an image pixel; pass grid, too.")
    extent = in_unit(extent_of(shape, grid), pixel_size, unit)
    return extent, "map px" if grid is None else unit


def refuse_no_grid(grid: object) -> None:
    if not isinstance(grid, PatchGrid):
        raise TypeError(
            f"grid={brief(grid)} must be a PatchGrid: PatchGrid(image, size=..., step=...)."
        )


def checked_width(width: Any) -> float:
    inches = as_number(width, "width", "a number of inches")
    if not 0 < inches <= 100:
        raise ValueError(
            f"width={width} inches must lie in (0, 100]; 3.4 is one column of a journal."
        )
    return inches
