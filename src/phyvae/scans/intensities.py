"""Intensities of an image: checked, and scaled to [0, 1]."""

import warnings
from typing import Any

import numpy as np
import torch
from jaxtyping import Shaped
from torch import Tensor

from .._checks import as_choice, as_number, as_real, brief
from .arranging import CURE
from .objects import image_of

__all__ = [
    "IntensityRangeWarning",
    "Percentiles",
    "as_intensities",
    "as_scan",
    "as_spectra",
    "limits_of",
    "robust_limits",
    "scaled",
]

Percentiles = tuple[float, float] | str | None
"""Two percentiles, ``"robust"``, or ``None`` for intensities as they are."""
_HELD = 4  # times the range of 98 % of the values


class IntensityRangeWarning(UserWarning):
    """A percent or two of the pixels hold most of the range of intensities.

    Examples
    --------
    >>> import warnings
    >>> import phyvae
    >>> image = phyvae.phantoms.bfo((160, 160), seed=0).image.copy()
    >>> image[0, 0] = 100  # a hot pixel
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", phyvae.IntensityRangeWarning)
    ...     try:
    ...         phyvae.PatchGrid(image, size=24)
    ...     except phyvae.IntensityRangeWarning as warning:
    ...         print(warning)
    98 % of the intensities, 0.0499 to 0.822, take only 0.77 % of the range, 0 to 100: ...
    """


def as_intensities(values: Any, name: str) -> np.ndarray:
    """Bring an image, or a stack or cube of them, to a real, finite, non-constant array."""
    array = as_real(values, name, CURE)
    if array.size == 0:
        raise ValueError(f"{name} is empty, shape {array.shape}.")
    if not np.isfinite(array).all():
        count = int((~np.isfinite(array)).sum())
        if count == array.size:
            raise ValueError(f"{name} holds {count} NaN or Inf values and no others.")
        raise ValueError(
            f"{name} holds {count} NaN or Inf value(s); fill or crop them first "
            "(for example skimage.restoration.inpaint_biharmonic), or leave them out of a "
            "PatchGrid: mask=np.isfinite(image)."
        )
    if array.min() == array.max():
        raise ValueError(
            f"{name} is constant ({array.flat[0]}): there is nothing to learn; check the channel."
        )
    return array


def as_scan(image: Any, name: str = "image") -> Shaped[np.ndarray, "height width"]:
    """Bring one image, its file, or an object that holds one to a finite, non-constant array."""
    return as_intensities(image_of(image, name), name)


def as_spectra(values: Any) -> Shaped[np.ndarray, "rows cols length"]:
    """Bring a spectrum image to a finite, non-constant array, the spectral axis last."""
    array = as_intensities(values, "cube")
    if array.ndim != 3:
        raise ValueError(
            f"cube has shape {array.shape}, but a spectrum image is (rows, cols, length)."
        )
    if array.shape[2] < 5:
        raise ValueError(
            f"cube has shape {array.shape}, but spectra of {array.shape[2]} point(s) have no "
            "shape to learn. Of a colour image, take one channel or the mean to "
            "PatchGrid(image[..., 0], size=...); else move the spectral axis to the end: "
            "np.moveaxis(cube, axis, -1)."
        )
    return array


def limits_of(values: np.ndarray, percentiles: Percentiles) -> tuple[float, float]:
    """Return the intensities that become 0 and 1.

    They are two percentiles of the values, or robust: the extremes, but at most as far beyond
    percentiles 1 and 99 as these are apart.

    Warns IntensityRangeWarning if 2 % of the values hold three quarters of the full range, or of
    that between the two percentiles.
    """
    if percentiles is None:
        return 0.0, 1.0
    # Eighths are exact, and no difference of two of them overflows.
    eighths = values.astype(np.float64) / 8
    bottom, low, high, top = np.percentile(eighths, [0, 1, 99, 100])
    range_of_most = high - low
    full = bottom, top
    if isinstance(percentiles, str):
        as_choice(percentiles, "percentiles", ("robust",))
        bottom, top = _within_reach(bottom, low, high, top)
    else:
        bottom, top = np.percentile(eighths, _checked(percentiles))
        full = bottom, top
    if bottom == top:
        raise ValueError(
            f"percentiles={percentiles} of the image are both {8 * bottom}; choose wider ones, "
            "such as (0, 100)."
        )
    if 0 < range_of_most < (full[1] - full[0]) / _HELD:
        share = 100 * range_of_most / (full[1] - full[0])
        done = (
            f"These are clipped to {8 * bottom:.4g} and {8 * top:.4g}. "
            if isinstance(percentiles, str)
            else 'Leave percentiles out, and they are clipped: "robust". '
        )
        warnings.warn(
            f"98 % of the intensities, {8 * low:.4g} to {8 * high:.4g}, take only {share:.2g} % "
            f"of the range, {8 * full[0]:.4g} to {8 * full[1]:.4g}: hot pixels, dead rows or a "
            f"very bright object. {done}To leave out pixels that are no specimen: found = "
            "phyvae.survey(image); PatchGrid(found.repaired, size, mask=found.mask).",
            IntensityRangeWarning,
            stacklevel=3,
        )
    return 8 * float(bottom), 8 * float(top)


def robust_limits(values: np.ndarray, rare: float = 1.0) -> tuple[float, float]:
    """Return the extremes of finite values, as far as they are in reach of most of them.

    `rare` is the percentage of the values that set no limit, at either end.
    """
    return _within_reach(*np.percentile(values, [0, rare, 100 - rare, 100]).tolist())


def _within_reach(bottom: float, low: float, high: float, top: float) -> tuple[float, float]:
    """Return extremes at most as far beyond low and high as these are apart."""
    reach = high - low
    return (max(bottom, low - reach), min(top, high + reach)) if reach > 0 else (bottom, top)


def _checked(percentiles: Any) -> tuple[float, float]:
    """Check two percentiles."""
    try:
        if isinstance(percentiles, set):
            raise TypeError
        low, high = (as_number(value, "percentiles") for value in percentiles)
    except (TypeError, ValueError):
        raise TypeError(
            f"percentiles={brief(percentiles)} must be two numbers, such as (0.5, 99.5), "
            '"robust" or None.'
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
    return low, high


def scaled(array: np.ndarray, percentiles: Percentiles, limits: tuple[float, float]) -> Tensor:
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
