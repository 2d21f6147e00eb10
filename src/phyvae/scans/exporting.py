"""Maps and labels with their scale for other programs: TIFF, xarray, HyperSpy."""

import os
from io import BytesIO
from typing import Any

import numpy as np

from .._checks import as_real, sides_of
from ..saving.sealed import as_path, write
from .optional import imported

__all__ = ["save_tiff", "to_hyperspy", "to_xarray"]

Pair = tuple[float, float]
_INTEGERS = (np.uint8, np.uint16, np.int16)
_EXACT = 2**24  # float32 holds no larger integers one by one


def save_tiff(
    path: str | os.PathLike[str], array: Any, pixel_size: Pair | None = None, *, unit: str = "nm"
) -> None:
    """Write an image, or channels, to a TIFF file that ImageJ opens with its scale.

    path: The file, whose name ends in ``.tif`` or ``.tiff``; one that is there is replaced.
    array: Shape (height, width) or (channels, height, width), real. Integers stay integers where
        ImageJ knows such, from -32768 to 32767 or 0 to 65535; others become float32.
    pixel_size: Height and width of a pixel, in `unit`, > 0; ``None`` without calibration.
    unit: Unit of lengths.
    """
    import tifffile

    if not as_path(path).lower().endswith((".tif", ".tiff")):
        raise ValueError(f"path={os.fspath(path)!r} must end in .tif or .tiff: it is a TIFF file.")
    values = _as_imagej(_checked(array))
    metadata: dict[str, Any] = {"axes": "CYX"[-values.ndim :]}
    resolution = None
    if pixel_size is not None:
        height, width = sides_of(pixel_size).tolist()
        resolution = 1 / width, 1 / height  # pixels per unit, x first
        metadata["unit"] = unit
    content = BytesIO()
    tifffile.imwrite(content, values, imagej=True, resolution=resolution, metadata=metadata)
    write(path, content.getvalue())


def to_xarray(
    array: Any,
    pixel_size: Pair = (1.0, 1.0),
    offset: Pair = (0.0, 0.0),
    *,
    unit: str = "px",
    name: str = "maps",
) -> Any:
    """Return an xarray.DataArray with coordinates.

    array: Maps (channels, rows, cols), or labels or one map (rows, cols).
    pixel_size: Distance of neighbouring rows and columns, in `unit`, > 0.
    offset: Position (y, x) of row 0 and column 0, in `unit`.
    unit: Unit of lengths, an attribute of the coordinates.
    name: Name of the array.

    Returns: With the dimensions "y", "x", and before them "channel" of maps.
    """
    xarray = imported("xarray", "an xarray.DataArray", "pip install xarray")
    values, sizes = _checked(array), sides_of(pixel_size).tolist()
    coordinates = {
        axis: ((axis,), start + size * np.arange(count), {"units": unit})
        for axis, start, size, count in zip("yx", offset, sizes, values.shape[-2:], strict=True)
    }
    dims = ("channel", "y", "x")[-values.ndim :]
    return xarray.DataArray(values, coords=coordinates, dims=dims, name=name)


def to_hyperspy(
    array: Any,
    pixel_size: Pair = (1.0, 1.0),
    offset: Pair = (0.0, 0.0),
    *,
    unit: str = "px",
    name: str = "maps",
) -> Any:
    """Return a HyperSpy Signal2D: the image plane is (y, x), maps are navigated by channel.

    Parameters are those of `to_xarray`; the name is the title.
    """
    api = imported("hyperspy.api", "a HyperSpy signal", "pip install hyperspy")
    values, sizes = _checked(array), sides_of(pixel_size).tolist()
    axes = [{"name": "channel", "size": len(values), "navigate": True}] * (values.ndim - 2)
    axes += [
        {"name": axis, "size": count, "scale": size, "offset": start, "units": unit}
        for axis, start, size, count in zip("yx", offset, sizes, values.shape[-2:], strict=True)
    ]
    return api.signals.Signal2D(values, axes=axes, metadata={"General": {"title": name}})


def _checked(array: Any) -> np.ndarray:
    values = as_real(array, "array")
    if values.ndim not in (2, 3) or values.size == 0:
        raise ValueError(
            f"array has shape {values.shape}, but must be (rows, cols) or (channels, rows, cols)."
        )
    return values


def _as_imagej(values: np.ndarray) -> np.ndarray:
    """Return an array of a dtype that ImageJ reads, without loss for integers."""
    if values.dtype.kind == "f":
        return values.astype(np.float32)
    low, high = int(values.min()), int(values.max())
    for dtype in _INTEGERS:
        if np.iinfo(dtype).min <= low and high <= np.iinfo(dtype).max:
            return values.astype(dtype)
    if max(-low, high) > _EXACT:
        raise ValueError(
            f"array holds integers from {low} to {high}, which ImageJ cannot keep apart; renumber "
            "them, or pass them as floats."
        )
    return values.astype(np.float32)
