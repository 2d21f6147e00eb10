"""An image made ready for the search of its lattice: no flaws, no outliers, no background."""

from typing import Any

import numpy as np
from jaxtyping import Float

from .flaws import flaws_of
from .intensities import as_scan

__all__ = ["levelled"]


def levelled(image: Any) -> Float[np.ndarray, "height width"]:
    """Return an image repaired, clipped, smoothed by 1 px, and without its slow background.

    The background is a mean over about a sixth of the image (three box filters, which make a
    Gaussian of 1/16).

    Raises
    ------
    ValueError
        If the image is smaller than 32 px either way.
    """
    from scipy.ndimage import gaussian_filter, uniform_filter

    values = as_scan(image).astype(np.float64)
    if min(values.shape) < 32:
        raise ValueError(f"image has shape {values.shape}, but must be at least 32 x 32 px.")
    values = flaws_of(values / np.abs(values).max()).repaired  # squares of any unit are finite
    values = gaussian_filter(np.clip(values, *np.percentile(values, [0.5, 99.5])), 1.0)
    background, width = values, round(values.size**0.5 / 8)
    for _ in range(3):
        background = uniform_filter(background, width)
    level: np.ndarray = values - background
    return level
