"""Intensities of an image: checked, and scaled to [0, 1]."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Shaped
from torch import Tensor

from .._checks import as_array, as_number, as_real, brief

__all__ = ["as_intensities", "as_scan", "limits_of", "scaled"]


def as_intensities(values: Any, name: str) -> np.ndarray:
    """Bring an image, or a stack or cube of them, to a real, finite, non-constant array."""
    array = as_array(values, name)
    if array.dtype.kind in "US":
        raise TypeError(f"{name}={values!r} is text; read the file first (skimage.io.imread).")
    array = as_real(
        array, name, "; pass the magnitude, the phase or the real part of complex data"
    )
    if array.size == 0:
        raise ValueError(f"{name} is empty, shape {array.shape}.")
    if not np.isfinite(array).all():
        count = int((~np.isfinite(array)).sum())
        raise ValueError(
            f"{name} holds {count} NaN or Inf value(s); fill or crop them first "
            "(for example skimage.restoration.inpaint_biharmonic)."
        )
    if array.min() == array.max():
        raise ValueError(
            f"{name} is constant ({array.flat[0]}): there is nothing to learn; check the channel."
        )
    return array


def as_scan(image: Any, name: str = "image") -> Shaped[np.ndarray, "height width"]:
    """Bring one image to a real, finite, non-constant array of two axes."""
    array = as_intensities(image, name)
    if array.ndim != 2:
        raise ValueError(
            f"{name} has shape {array.shape}, but must be one scan, (height, width). Take one "
            "channel of a colour image, one frame of a stack; a spectrum image (rows, cols, "
            "length) goes to PatchGrid.from_spectra."
        )
    return array


def limits_of(values: np.ndarray, percentiles: tuple[float, float] | None) -> tuple[float, float]:
    """Return the intensities that become 0 and 1: two percentiles of the values."""
    if percentiles is None:
        return 0.0, 1.0
    try:
        if isinstance(percentiles, set):
            raise TypeError
        low, high = (as_number(value, "percentiles") for value in percentiles)
    except (TypeError, ValueError):
        raise TypeError(
            f"percentiles={brief(percentiles)} must be two numbers, such as (0.5, 99.5), or None."
        ) from None
    if not 0 <= low < high <= 100:
        raise ValueError(
            f"percentiles={percentiles} must satisfy 0 <= low < high <= 100, or be None."
        )
    if high <= 1:
        raise ValueError(
            f"percentiles={percentiles} are in per cent, so nearly all of the image would become "
            f"1; did you mean ({100 * low:g}, {100 * high:g})?"
        )
    # Halves are exact, and no difference of two of them overflows.
    bottom, top = (2 * float(v) for v in np.percentile(values.astype(np.float64) / 2, [low, high]))
    if bottom == top:
        raise ValueError(
            f"percentiles={percentiles} of the image are both {bottom}; choose wider ones, "
            "such as (0, 100)."
        )
    return bottom, top


def scaled(
    array: np.ndarray, percentiles: tuple[float, float] | None, limits: tuple[float, float]
) -> Tensor:
    """Scale so that the limits become 0 and 1; float64 inside, so that huge offsets survive."""
    values = array.astype(np.float64)
    if percentiles is not None:
        bottom, top = limits[0] / 2, limits[1] / 2
        values = np.clip((values / 2 - bottom) / (top - bottom), 0.0, 1.0)
    with np.errstate(over="ignore"):
        single = values.astype(np.float32)
    lost = percentiles is None and single.min() == single.max()
    if lost or not np.isfinite(single).all():
        raise ValueError(
            f"image spans {values.min():.8g} to {values.max():.8g}, which float32 cannot hold "
            "apart, and percentiles=None leaves it so; let it be scaled: percentiles=(0, 100)."
        )
    return torch.from_numpy(single)
