"""Maps, labels and numbers as users give them, checked and brought to NumPy."""

from numbers import Integral, Real
from typing import TypeGuard

import numpy as np
import numpy.typing as npt
from jaxtyping import Float, Int
from torch import Tensor

__all__ = ["as_array", "as_label_map", "as_labels", "as_maps", "is_integer", "is_positive"]


def as_array(values: npt.ArrayLike | Tensor) -> np.ndarray:
    """Bring a tensor of any device and precision, or anything like an array, to NumPy."""
    if isinstance(values, Tensor):
        values = values.detach().cpu()
        return (values.double() if values.is_floating_point() else values).numpy()
    return np.asarray(values)


def as_maps(maps: npt.ArrayLike | Tensor) -> Float[np.ndarray, "channels rows cols"]:
    """Check that maps are finite, with one cell at least."""
    array = as_array(maps)
    if array.dtype.kind not in "fiub":
        raise ValueError(f"maps of dtype {array.dtype} must be real numbers.")
    if array.ndim not in (2, 3) or array.size == 0:
        raise ValueError(
            f"maps of shape {array.shape} must have the axes (channels, rows, cols), or (rows, "
            "cols) for one map, and at least one cell; see ShiftVAE.latent_maps."
        )
    array = array.astype(np.float64).reshape(-1, *array.shape[-2:])
    bad = ~np.isfinite(array)
    if bad.any():
        first = tuple(int(index) for index in np.argwhere(bad)[0])
        raise ValueError(
            f"maps holds {bad.sum()} NaN or infinite values, the first at (channel, row, col) = "
            f"{first}, and every cell needs a label; crop the maps to the cells that are known."
        )
    return array


def as_labels(labels: npt.ArrayLike | Tensor, name: str = "labels") -> Int[np.ndarray, "..."]:
    """Check that labels are whole numbers, of any shape."""
    array = as_array(labels)
    if array.dtype.kind not in "fiub" or not np.array_equal(array, np.floor(array)):
        raise ValueError(
            f"{name} of dtype {array.dtype} must be whole numbers, one per domain; "
            "phyvae.segment turns maps into labels."
        )
    if array.size == 0:
        raise ValueError(f"{name} of shape {array.shape} must have at least one cell.")
    return array.astype(np.int64)


def as_label_map(
    labels: npt.ArrayLike | Tensor, name: str = "labels"
) -> Int[np.ndarray, "rows cols"]:
    """Check that labels are whole numbers on a map."""
    array = as_labels(labels, name)
    if array.ndim != 2:
        raise ValueError(f"{name} of shape {array.shape} must have the axes (rows, cols).")
    return array


def is_integer(value: object) -> TypeGuard[int]:
    """Tell a whole number from all else; True is none."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def is_positive(value: object) -> TypeGuard[float]:
    """Tell a finite number > 0 from all else; True is none."""
    number = isinstance(value, Real) and not isinstance(value, bool)
    return number and 0 < float(value) < np.inf  # type: ignore[arg-type]
