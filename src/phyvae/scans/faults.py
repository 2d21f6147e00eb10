"""Faults of a scan and their repair, and the scan without its background."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from .intensities import as_scan

__all__ = ["Faults", "faults_of", "filled", "levelled"]

_FAR = 5.0  # times what 95 % of the lines, or 99 % of the pixels, keep to
_FLAT = 0.02  # of the usual range within a line: less is dead
_EQUAL = 0.25  # of the pixels equal the next one: more have images of few levels
_BELOW = 1.5  # times what 99 % of the pixels keep to
_SEVERAL = 5  # pixels of the lowest value


@dataclass(frozen=True, eq=False)
class Faults:
    """Lines and pixels of an image that hold no measurement, and the image without them.

    rows, columns: Indices of dead and hot lines, ascending.
    pixels: Dead and hot pixels elsewhere, (y, x), shape (n, 2).
    repaired: The image with all of these replaced by their neighbours.
    """

    rows: Int[np.ndarray, " r"]
    columns: Int[np.ndarray, " c"]
    pixels: Int[np.ndarray, "n 2"]
    repaired: Float[np.ndarray, "height width"]


def faults_of(image: Any) -> Faults:
    """Check one scan, and find its dead and hot rows, columns and pixels.

    A line is one whose median is off those of the lines around by more than five times as much as
    95 % of the lines, and by more than the contrast of the image; or one that is nearly constant.
    A pixel is one that is off the median of its 3 x 3 neighbourhood by more than five times as
    much as 99 % of the pixels; or one of at least five that share the lowest value of the image,
    if most of these are below those around by 1.5 times as much as 99 %. In an image of few
    levels constant lines and equal values are no faults.
    """
    from scipy.ndimage import median_filter

    values = as_scan(image).astype(np.float64)
    low, high = np.percentile(values, [16, 84])
    contrast = float(high - low) or float(np.ptp(values))  # most of some images is empty
    fine = bool((np.diff(values) == 0).mean() < _EQUAL)
    rows, columns = (_lines(one, contrast, fine) for one in (values, values.T))
    bad = np.zeros(values.shape, bool)
    bad[rows] = bad[:, columns] = True
    repaired = filled(values, bad)
    residual = np.abs(repaired - median_filter(repaired, 3, mode="reflect"))
    usual = np.percentile(residual, 99)
    pixels = (residual > _FAR * usual) & ~bad & (usual > 0)
    if fine:
        pixels |= _dead(repaired) & ~bad
    return Faults(rows, columns, np.argwhere(pixels), filled(repaired, pixels))


def filled(
    values: Float[np.ndarray, "height width"], missing: Bool[np.ndarray, "height width"]
) -> Float[np.ndarray, "height width"]:
    """Replace missing pixels by a mean of their neighbours, of a width that finds some."""
    from scipy.ndimage import gaussian_filter

    values, missing = values.copy(), missing.copy()
    width = 1.0
    while missing.any() and not missing.all():
        known = (~missing).astype(np.float64)
        offset = values[~missing].mean()
        weight = gaussian_filter(known, width)
        mean = gaussian_filter(np.where(missing, 0, values - offset), width)
        found = missing & (weight > 0.05)
        values[found] = mean[found] / weight[found] + offset
        missing &= ~found
        width *= 2
    return values


def _lines(values: np.ndarray, contrast: float, fine: bool) -> Int[np.ndarray, " n"]:
    """Return the rows that are constant, or of another level than the rows around."""
    from scipy.ndimage import median_filter

    spread = np.subtract(*np.percentile(values, [95, 5], axis=1))
    levels = np.median(values, axis=1)
    off = np.abs(levels - median_filter(levels, 9, mode="reflect"))
    far = off > np.maximum(_FAR * np.percentile(off, 95), contrast)
    flat = spread <= _FLAT * np.median(spread)
    rows: np.ndarray = np.flatnonzero(far | (flat & fine))
    return rows


def _dead(values: np.ndarray) -> Bool[np.ndarray, "height width"]:
    """Return which pixels have the lowest value, if several have, most far below those around."""
    from scipy.ndimage import rank_filter

    lowest = values == values.min()
    below = rank_filter(values, 2, 3) - values  # a second dead pixel may be next to it
    low = below[lowest] > _BELOW * np.percentile(below, 99)
    dead: np.ndarray = lowest & bool(len(low) >= _SEVERAL and low.mean() > 0.5)
    return dead


def levelled(repaired: Float[np.ndarray, "height width"]) -> Float[np.ndarray, "height width"]:
    """Return a repaired image clipped, smoothed by 1 px, and without its slow background.

    The background is a mean over about a sixth of the image (three box filters, which make a
    Gaussian of 1/16).

    Raises ValueError if the image is smaller than 32 px either way.
    """
    from scipy.ndimage import gaussian_filter, uniform_filter

    if min(repaired.shape) < 32:
        raise ValueError(f"image has shape {repaired.shape}, but must be at least 32 x 32 px.")
    values = repaired / np.abs(repaired).max()  # squares of any unit are finite
    values = gaussian_filter(np.clip(values, *np.percentile(values, [0.5, 99.5])), 1.0)
    background, width = values, round(values.size**0.5 / 8)
    for _ in range(3):
        background = uniform_filter(background, width)
    return np.asarray(values - background)
