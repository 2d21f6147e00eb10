"""Objects of other packages taken as scans, with their axes and calibration.

No package is imported for this: an object is known by the package of its class.
"""

import os
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Shaped

from .arranging import arrange, real_of
from .pictures import from_picture
from .reading import read_as
from .recording import Axis, Recording
from .scan import Scan

__all__ = ["calibrated", "cube_of", "image_of", "opened", "scan_of", "scans_of"]


def scan_of(value: Any, name: str = "image") -> Scan:
    """Return one scan of whatever holds one.

    That is a scan, the path of a file, an array, tensor or PIL image, or an object with axes:
    HyperSpy signals, xarray, sidpy, h5py and zarr arrays. Of these, the pixel size is kept, and
    spectra make a spectrum image.

    value: The object.
    name: Name of the argument, for errors; that of the scan, if the object has none.

    Raises ValueError if it is a stack, or no image; see `arrange`.
    """
    if _is_plain(value):
        return Scan(image_of(value, name), name=name)
    found = _arranged(value, name)
    if isinstance(found, list):
        raise ValueError(
            f"{name} is a stack of {len(found)} images, but must be one scan: choose a frame, or "
            "pass all of them where several are taken, as in PatchGrid.series."
        )
    return found


def scans_of(values: Any, name: str = "images") -> Scan | list[Scan]:
    """Return one scan, or several: of a list of what `scan_of` takes, or of a stack or its file.

    An array of three axes is a stack, (n, height, width).
    """
    if isinstance(values, list | tuple):
        if not values:
            raise ValueError(f"{name} is empty, but must hold one image at least.")
        return [scan_of(value, f"{name}[{k}]") for k, value in enumerate(values)]
    if not _is_plain(values):
        found = _arranged(values, name)
        axes = getattr(getattr(values, "data", values), "ndim", 2)
        is_stack = isinstance(found, Scan) and found.cube is None and axes == 3
        return [found] if is_stack else found  # type: ignore[list-item]
    array = real_of(values, name)
    if array.ndim != 3 or not len(array):
        return Scan(image_of(array, name), name=name)
    return [Scan(image, name=f"{name}[{k}]") for k, image in enumerate(array)]


def opened(value: Any, name: str = "scan") -> Scan | list[Scan]:
    """Return `scans_of` a value, but no array of three axes, which may be a stack or spectra."""
    if _is_plain(value) and getattr(value, "ndim", 2) == 3:
        raise ValueError(
            f"{name} is an array of shape {tuple(value.shape)}, a stack or a spectrum image: pass "
            f"list({name}) for images (n, height, width), or phyvae.Scan({name}.mean(-1), "
            f"cube={name}) for spectra (rows, cols, length)."
        )
    found = scans_of(value, name)
    is_one = isinstance(found, list) and len(found) == 1 and not isinstance(value, list | tuple)
    return found[0] if is_one else found  # type: ignore[index]


def calibrated(
    value: Any, name: str = "image", *, spectra: bool = False
) -> tuple[Any, tuple[float, float] | None]:
    """Return a scan, where a file or an object holds one, and its pixel size; else the value."""
    found = value if _is_plain(value) else _arranged(value, name, spectra=spectra)
    return (found, found.pixel_size) if isinstance(found, Scan) else (value, None)


def image_of(value: Any, name: str = "image") -> Shaped[np.ndarray, "height width"]:
    """Return one image, real; NaN where it is masked."""
    if not _is_plain(value):
        scan = scan_of(value, name)
        if scan.cube is not None:
            raise ValueError(
                f"{name} holds spectra, shape {scan.cube.shape}, and a patch is cut of an image: "
                "pass its mean, scan.image of scan = phyvae.read(...), or the spectra to "
                "PatchGrid.from_spectra."
            )
        return scan.image
    array = real_of(value, name)
    if array.ndim != 2:
        raise ValueError(
            f"{name} has shape {array.shape}, but must be one scan, (height, width). Take one "
            "channel of a colour image, one frame of a stack; a spectrum image (rows, cols, "
            "length) goes to PatchGrid.from_spectra."
        )
    return array


def cube_of(value: Any, name: str = "cube") -> np.ndarray:
    """Return spectra, real, the spectral axis last; an array as it is."""
    if _is_plain(value):
        return real_of(value, name)
    found = _arranged(value, name, spectra=True)
    if isinstance(found, list) or found.cube is None:
        shape = found[0].image.shape if isinstance(found, list) else found.image.shape
        raise ValueError(
            f"{name} is an image of shape {shape} and holds no spectra, (rows, cols, length); "
            "patches of an image: PatchGrid(image, size=...)."
        )
    return found.cube


def _packages(value: Any) -> set[str]:
    """Return the packages of a value's class and the classes it is made from."""
    return {kind.__module__.partition(".")[0] for kind in type(value).__mro__}


def _is_plain(value: Any) -> bool:
    """Return whether a value is numbers without names of axes."""
    known = {"hyperspy", "xarray", "sidpy", "h5py", "zarr", "PIL"}
    return not (isinstance(value, Scan | str | os.PathLike) or known & _packages(value))


def _arranged(value: Any, name: str, *, spectra: bool = False) -> Scan | list[Scan]:
    if isinstance(value, Scan):
        return value
    if isinstance(value, str | os.PathLike):
        return read_as(value, spectra=spectra, name=name)
    recording, title = _recorded(value, name)
    found = arrange(recording, name, spectra=spectra)
    if not title:
        return found
    if isinstance(found, Scan):
        return replace(found, name=title)
    return [replace(scan, name=f"{title}[{k}]") for k, scan in enumerate(found)]


def _recorded(value: Any, name: str) -> tuple[Recording, str]:
    """Return the recording of an object, and its title."""
    packages = _packages(value)
    if "hyperspy" in packages:
        axes = value.axes_manager.navigation_axes + value.axes_manager.signal_axes
        axes = sorted(axes, key=lambda axis: axis.index_in_array)
        title = value.metadata.get_item("General.title", "")
        named = tuple(_of_hyperspy(axis) for axis in axes)
        metadata = value.original_metadata.as_dictionary()
        return Recording(value.data, named, "", metadata), str(title)
    if "sidpy" in packages:
        named = tuple(_of_sidpy(getattr(value, f"dim_{k}")) for k in range(value.ndim))
        return Recording(np.asarray(value), named, "", dict(value.metadata)), str(value.title)
    if "PIL" in packages:
        return from_picture(value), ""
    if not hasattr(value, "dtype"):
        real_of(value, name)  # a file or group of several arrays: refused
    if "xarray" in packages:
        named = tuple(_of_xarray(value, dim) for dim in value.dims)
        return Recording(value.to_numpy(), named, "", dict(value.attrs)), str(value.name or "")
    if "h5py" in packages:
        named = tuple(_of_h5py(dim) for dim in value.dims)
        return Recording(value[()], named, "", dict(value.attrs)), value.name.rpartition("/")[2]
    names = getattr(getattr(value, "metadata", None), "dimension_names", None)  # of zarr 3
    names = names or value.attrs.get("_ARRAY_DIMENSIONS") or [""] * value.ndim
    axes = tuple(Axis(axis or "") for axis in names)
    return Recording(value[...], axes, "", dict(value.attrs)), value.basename or ""


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _of_hyperspy(axis: Any) -> Axis:
    uneven = None if axis.is_uniform else axis.axis
    scale, offset = (axis.scale, axis.offset) if axis.is_uniform else (None, 0.0)
    is_signal = not axis.navigate
    return Axis(_text(axis.name), _text(axis.units), scale, offset, uneven, is_signal)


def _of_sidpy(axis: Any) -> Axis:
    is_signal = axis.dimension_type.name in ("SPECTRAL", "CHANNEL")
    unit = "" if axis.units == "generic" else _text(axis.units)
    return Axis(_text(axis.name), unit, values=np.asarray(axis.values), is_signal=is_signal)


def _of_xarray(array: Any, dim: Any) -> Axis:
    name = "" if str(dim).startswith("dim_") else str(dim)
    if dim not in array.coords or array.coords[dim].dtype.kind not in "iuf":
        return Axis(name)
    coordinate = array.coords[dim]
    unit = coordinate.attrs.get("units", coordinate.attrs.get("unit", ""))
    return Axis(name, _text(unit), values=coordinate.to_numpy())


def _of_h5py(dimension: Any) -> Axis:
    if not len(dimension):
        return Axis(dimension.label)
    scale = dimension[0]
    unit = scale.attrs.get("units", scale.attrs.get("unit", ""))
    unit = unit.decode() if isinstance(unit, bytes) else unit
    name = dimension.label or scale.name.rpartition("/")[2]
    return Axis(name, _text(unit), values=scale[()])
