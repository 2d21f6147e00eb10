"""Checks of arguments: numbers, choices, seeds, devices, and what arrays hold."""

import inspect
from collections.abc import Callable, Sequence
from numbers import Integral, Real
from typing import Any, TypeGuard

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from .arrays import as_array, as_real, brief

__all__ = [
    "as_choice",
    "as_device",
    "as_flag",
    "as_integer",
    "as_label_map",
    "as_labels",
    "as_maps",
    "as_mask",
    "as_nonnegative",
    "as_number",
    "as_pair",
    "as_points",
    "as_positive",
    "as_seed",
    "as_share",
    "as_vectors",
    "check_takes",
    "is_integer",
    "refuse_channels_last",
    "sides_of",
]


def as_points(points: Any, name: str = "sites") -> Float[np.ndarray, "n 2"]:
    """Check that positions are finite pairs (y, x), at least 4 of them."""
    array = as_array(points, name)
    if array.dtype.kind not in "fiu":
        raise TypeError(f"{name}={brief(points)} must be real numbers, shape (n, 2): (y, x), px.")
    if array.ndim != 2 or array.shape[1] != 2:
        raise ValueError(
            f"{name} has shape {array.shape}, but must be (n, 2): (y, x) of each, px."
        )
    if len(array) < 4:
        raise ValueError(
            f"{name} has {len(array)} site(s), but a lattice or a graph takes at least 4."
        )
    array = array.astype(np.float64)
    finite = np.isfinite(array).all(axis=1)
    if not finite.all():
        first = int(finite.argmin())
        raise ValueError(
            f"{name}[{first}] = {array[first].tolist()} is not finite; drop such sites: "
            f"{name}[np.isfinite({name}).all(1)]."
        )
    return array


def as_vectors(vectors: Any, name: str) -> Float[np.ndarray, "2 2"]:
    """Check that two vectors (y, x) span the plane, by more than 3 degrees."""
    array = as_real(vectors, name).astype(np.float64)
    if array.shape != (2, 2) or not np.isfinite(array).all():
        raise ValueError(
            f"{name}={brief(vectors)} must be two finite vectors (y, x), px, such as ((12, 0), "
            "(0, 12))."
        )
    if not abs(np.linalg.det(array)) > 0.05 * np.prod(np.hypot(*array.T)):
        raise ValueError(
            f"{name}={array.round(2).tolist()} px (y, x) are parallel; a lattice takes two."
        )
    return array


def as_maps(
    maps: Any, mask: Any = None
) -> tuple[Float[np.ndarray, "channels rows cols"], Bool[np.ndarray, "rows cols"]]:
    """Check that maps are finite where there is a patch; return them, and where that is.

    A cell without a patch is NaN or masked in every channel, or False in `mask`.
    """
    array = as_array(maps, "maps", np.nan)
    if array.dtype.kind in "OUS":
        raise TypeError(
            f"maps={brief(maps)} must be an array of latent maps: model.latent_maps(grid)."
        )
    if array.dtype.kind not in "fiub":
        raise ValueError(f"maps of dtype {array.dtype} must be real numbers.")
    if array.ndim not in (2, 3) or array.size == 0:
        raise ValueError(
            f"maps of shape {array.shape} must have the axes (channels, rows, cols), or (rows, "
            "cols) for one map, and at least one cell; see ShiftVAE.latent_maps."
        )
    refuse_channels_last(array.shape)
    array = array.astype(np.float64).reshape(-1, *array.shape[-2:])
    given = ~np.isnan(array).all(axis=0) if mask is None else mask
    patches = as_mask(given, array.shape[1:])
    bad = ~np.isfinite(array) & patches
    if bad.any():
        first = tuple(int(index) for index in np.argwhere(bad)[0])
        raise ValueError(
            f"maps holds {bad.sum()} NaN or infinite values, the first at (channel, row, col) = "
            f"{first}, and every cell with a patch needs a label; crop the maps to the cells that "
            "are known, or set all channels of the others to NaN."
        )
    if not patches.any():
        raise ValueError(
            "maps are NaN in every cell, or mask is False: no patch is left to label; did "
            "training diverge?"
        )
    return array, patches


def as_mask(
    mask: Any,
    shape: tuple[int, ...],
    what: str = "True where a cell holds a patch: grid.mask",
    name: str = "mask",
) -> Bool[np.ndarray, "rows cols"]:
    """Check that a mask has a bool for each cell, or for each pixel; it is False if masked."""
    array = as_array(mask, name, 0)
    if array.dtype != bool or array.shape != tuple(shape):
        raise ValueError(
            f"{name} of shape {array.shape} and dtype {array.dtype} must be bools of shape "
            f"{tuple(shape)}, {what}."
        )
    return np.array(array)  # torch takes neither negative strides nor memory that is read-only


def as_labels(labels: npt.ArrayLike | Tensor, name: str = "labels") -> Int[np.ndarray, "..."]:
    """Check that labels are whole numbers, of any shape; masked ones become -1, no patch."""
    array = as_array(labels, name, -1)
    if array.dtype.kind not in "fiub" or not np.array_equal(array, np.floor(array)):
        raise ValueError(
            f"{name} of dtype {array.dtype} must be whole numbers, one per domain; "
            "phyvae.segment turns maps into labels."
        )
    if array.size == 0:
        raise ValueError(f"{name} of shape {array.shape} must have at least one cell.")
    largest = float(np.abs(array.astype(np.float64)).max())
    if largest >= 2**53:
        raise ValueError(f"{name} go up to {largest:.3g}, too far to count domains by; renumber.")
    return array.astype(np.int64)


def as_label_map(
    labels: npt.ArrayLike | Tensor, name: str = "labels"
) -> Int[np.ndarray, "rows cols"]:
    """Check that labels are whole numbers on a map."""
    array = as_labels(labels, name)
    if array.ndim != 2:
        raise ValueError(f"{name} of shape {array.shape} must have the axes (rows, cols).")
    return array


def refuse_channels_last(shape: tuple[int, ...], name: str = "maps") -> None:
    """Raise an error if maps have their channels at the end.

    More than 8 latents on a map of at most 4 columns are taken for channels last; the error
    names the cure for the rare map that has them.
    """
    if len(shape) == 3 and shape[2] <= 4 and min(shape[:2]) > 8:
        rows, cols, last = shape
        raise ValueError(
            f"{name} of shape {shape} have their channels last, but must be (channels, rows, "
            "cols); turn them with np.moveaxis(np.asarray(maps), -1, 0). If these are "
            f"{rows} channels of {cols} x {last} cells, swap rows and columns: "
            "np.swapaxes(np.asarray(maps), 1, 2)."
        )


def as_integer(value: object, name: str, minimum: int, what: str = "") -> int:
    """Check that a setting is a whole number, and large enough."""
    if not is_integer(value):
        raise TypeError(f"{name}={brief(value)} must be an integer >= {minimum}{what}.")
    if value < minimum:
        raise ValueError(f"{name}={value} must be at least {minimum}{what}.")
    return int(value)


def as_pair(value: Any, name: str, minimum: int = 1) -> tuple[int, int]:
    """Check that a setting is a length along y and one along x, px; one number counts for both."""
    pair = tuple(value) if isinstance(value, tuple | list) else (value, value)
    if len(pair) != 2 or not all(map(is_integer, pair)):
        raise ValueError(f"{name}={brief(value)} must be an integer or a pair of integers, px.")
    if min(pair) < minimum:
        raise ValueError(f"{name}={value!r} must be at least {minimum} px.")
    return int(pair[0]), int(pair[1])


def sides_of(pixel_size: Any, name: str = "pixel_size") -> Float[np.ndarray, "2"]:
    """Return height and width of a pixel; one number counts for both, and None is 1 px."""
    if pixel_size is None:
        return np.ones(2)
    pair = pixel_size if np.ndim(pixel_size) else (pixel_size, pixel_size)
    if np.shape(pair) != (2,):
        raise ValueError(
            f"{name}={brief(pixel_size)} must be one number, or height and width of a pixel."
        )
    return np.array([as_positive(side, name) for side in pair])


def as_number(value: object, name: str, what: str = "a number") -> float:
    """Check that a setting is one real number; an array or tensor of no axes is one, too."""
    if isinstance(value, Tensor | np.ndarray) and value.ndim == 0:
        value = value.item()
    if not isinstance(value, Real) or isinstance(value, bool | np.bool_):
        raise TypeError(f"{name}={brief(value)} must be {what}.")
    try:
        return float(value)
    except OverflowError:
        raise ValueError(f"{name} is too large for a float.") from None


def as_positive(value: object, name: str, why: str = "", *, unit: str = "") -> float:
    """Check that a setting is a finite number > 0; `why` ends the sentence of the error."""
    number = as_number(value, name)
    if not 0 < number < np.inf:
        raise ValueError(f"{name}={number:g}{unit} must be > 0 and finite{why}.")
    return number


def as_nonnegative(value: object, name: str, why: str = "", *, unit: str = "") -> float:
    """Check that a setting is a finite number >= 0; `why` ends the sentence of the error."""
    number = as_number(value, name)
    if not 0 <= number < np.inf:
        raise ValueError(f"{name}={number:g}{unit} must be >= 0 and finite{why}.")
    return number


def as_share(value: object, name: str, why: str = "") -> float:
    """Check that a setting is a share, in (0, 1]."""
    number = as_number(value, name)
    if not 0 < number <= 1:
        raise ValueError(f"{name}={number:g} is a share and must lie in (0, 1]{why}.")
    return number


def as_choice(value: object, name: str, options: Sequence[str]) -> str:
    """Check that a setting is one of some words."""
    if not isinstance(value, str) or value not in options:
        listed = ", ".join(map(repr, options))
        raise ValueError(f"{name}={brief(value)} must be one of {listed}.")
    return value


def as_flag(value: object, name: str) -> bool:
    """Check that a setting is True or False."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name}={brief(value)} must be True or False.")
    return bool(value)


def as_seed(seed: object, name: str = "seed", below: int = 2**63) -> int:
    """Check that a seed is a whole number that generators take."""
    number = as_integer(seed, name, 0)
    if number >= below:
        raise ValueError(f"{name}={number} must be less than {below}, the largest seed.")
    return number


def as_device(device: object, name: str = "device") -> torch.device:
    """Check that tensors can be put on a device; ``None`` is the usual one."""
    device = usual_device() if device is None else device
    try:
        if not isinstance(device, str | torch.device):
            raise TypeError
        found = torch.device(device)
        torch.empty(0, device=found)
    except (RuntimeError, TypeError, AssertionError, NotImplementedError):
        raise _unusable(device, name) from None
    if found.type == "meta":
        raise _unusable(device, name)
    return found


def usual_device() -> str:
    """Return CUDA if torch finds any, else the CPU, as pyroVED does."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def _unusable(device: object, name: str) -> ValueError:
    count = torch.cuda.device_count()
    there = f"cpu and cuda:0 to cuda:{count - 1}" if count else "cpu; torch finds no CUDA"
    return ValueError(
        f"{name}={brief(device)} must be the name of a device of this machine, such as 'cpu' or "
        f"'cuda'. Here there are {there}."
    )


def check_takes(
    function: Callable[..., Any], arguments: tuple[Any, ...], name: str, what: str
) -> None:
    """Raise a TypeError, before hours of work, if a function does not take these arguments."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some of those written in C
        return
    try:
        signature.bind(*arguments)
    except TypeError as error:
        raise TypeError(f"{name}={brief(function)} must be {what}: {error}.") from None


def is_integer(value: object) -> TypeGuard[int]:
    """Return whether a value is a whole number; True is none."""
    return isinstance(value, Integral) and not isinstance(value, bool)
