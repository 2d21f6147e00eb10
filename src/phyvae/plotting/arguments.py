"""Arguments of figures: arrays, coordinates and sizes, checked and made to fit each other."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from .._checks import (
    as_array,
    as_integer,
    as_number,
    as_positive,
    brief,
    refuse_channels_last,
    sides_of,
)
from ..patches.grid import PatchGrid, check_grid
from ..scans.objects import image_of
from ..scans.scan import Scan

__all__ = [
    "Array",
    "Extent",
    "as_channels",
    "as_domains",
    "as_image",
    "as_latents",
    "as_width",
    "check_labels",
    "check_names",
    "extent_of",
    "frame_of",
    "in_unit",
    "scale_of",
    "sides_of",
]

Array: TypeAlias = Any  # whatever holds numbers: arrays, tensors, lists, xarray, HDF5, ...
Extent: TypeAlias = tuple[float, float, float, float]  # left, right, bottom, top
_COLOURED = 10_000  # labels: a colour bar of more takes seconds


def as_channels(maps: Any, name: str = "maps") -> npt.NDArray[Any]:
    """Check latent maps, shape (channels, rows, cols), in which cells may be empty."""
    z = as_array(maps, name, np.nan)
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


def as_domains(labels: Any, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """Check labels of the cells of a map of some shape."""
    domains = as_array(labels, "labels", -1)
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
    check_labels(domains, "labels")
    return domains.astype(int)


def as_image(image: Any) -> npt.NDArray[Any]:
    """Check an image, or return that of a scan or grid; of spectra, the mean intensity."""
    if isinstance(image, PatchGrid):
        values = as_array(image.image.double())
        return values if values.ndim == 2 else np.asarray(values.mean(axis=2))
    values = image.image if isinstance(image, Scan) else image_of(image)
    if not np.isfinite(values).any():
        raise ValueError("image has no finite value; is it the right channel?")
    return values


def as_latents(channels: Any, count: int) -> list[int]:
    """Check the two latents to plot, or the one if there is no other."""
    if not isinstance(channels, tuple | list) or len(channels) not in (1, 2):
        raise TypeError(f"channels={brief(channels)} must be two latents, such as (0, 1).")
    along = [as_integer(k, "channels", 0) for k in channels[:count]]
    if len({*along}) < len(along) or not all(k < count for k in along):
        raise ValueError(f"channels={channels} must be two different ones of {[*range(count)]}.")
    return along


def as_width(width: Any) -> float:
    """Check the width of a figure, inches."""
    inches = as_positive(as_number(width, "width", "a number of inches"), "width", unit=" inches")
    if inches > 100:
        raise ValueError(f"width={inches:g} inches must be <= 100; 3.4 is one journal column.")
    return inches


def check_labels(labels: npt.NDArray[Any], name: str) -> None:
    """Raise an error if no label is >= 0, or one is too large for a colour of its own."""
    largest = labels.max()
    if largest < 0:
        raise ValueError(f"{name} are negative in every cell, so there is no domain to plot.")
    if largest >= _COLOURED:
        raise ValueError(
            f"{name} go up to {largest}, but each number below has a colour, at most {_COLOURED}; "
            f"renumber them: np.unique({name}, return_inverse=True)."
        )


def check_names(names: object, count: int) -> None:
    """Raise an error unless there is a name for each map."""
    listed = isinstance(names, Sequence) and not isinstance(names, str)
    if names is not None and (not listed or len(names) != count):  # type: ignore[arg-type]
        raise ValueError(f"names={brief(names)} must be a list of {count}, one for each map.")


def extent_of(shape: tuple[int, ...], grid: Any = None) -> Extent:
    """Return the extent of all cells, each one step wide around its centre, px."""
    if grid is None:
        first, last = np.zeros(2), np.subtract(shape, 1)
        half = np.full(2, 0.5)
    else:
        check_grid(grid)
        if grid.shape != tuple(shape):
            raise ValueError(
                f"grid has shape {grid.shape}, but maps and labels {tuple(shape)}; "
                "pass the grid they were computed on."
            )
        # Not the corners: where sites are the centres, these may be empty.
        first, last = np.nanmin(grid.centers, axis=(0, 1)), np.nanmax(grid.centers, axis=(0, 1))
        half = np.array(grid.step) / 2
    (top, left), (bottom, right) = first - half, last + half
    return float(left), float(right), float(bottom), float(top)


def in_unit(extent: Extent, pixel_size: Any, unit: str) -> Extent:
    """Return an extent in the unit of the pixel size; in px without."""
    down, across = sides_of(pixel_size)
    if not isinstance(unit, str):
        raise TypeError(f"unit={brief(unit)} must be a name, such as 'nm'.")
    if (pixel_size is None) != (unit == "px"):
        raise ValueError(
            f"pixel_size={pixel_size} and unit={unit!r} go together, as in pixel_size=0.02, "
            "unit='nm'; leave both out for pixels."
        )
    left, right, bottom, top = extent
    return left * across, right * across, bottom * down, top * down


def scale_of(scan: Any, pixel_size: Any, unit: str) -> tuple[Any, str]:
    """Return the size of a pixel and its unit: those given, or those of a grid or scan, in nm."""
    known = getattr(scan, "pixel_size", None)
    if pixel_size is None and isinstance(unit, str) and unit == "px" and known is not None:
        return known, "nm"
    return pixel_size, unit


def frame_of(shape: tuple[int, ...], grid: Any, pixel_size: Any, unit: str) -> tuple[Extent, str]:
    """Return extent and unit of maps."""
    if grid is None and pixel_size is not None:
        raise ValueError(f"pixel_size={pixel_size} is that of an image pixel; pass grid, too.")
    extent = in_unit(extent_of(shape, grid), pixel_size, unit)
    return extent, "map px" if grid is None else unit
