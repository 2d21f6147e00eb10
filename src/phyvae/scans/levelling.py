"""An image made ready for the search of its lattice: no outliers, no background."""

import numpy as np
from jaxtyping import Float

__all__ = ["levelled"]


def levelled(repaired: Float[np.ndarray, "height width"]) -> Float[np.ndarray, "height width"]:
    """Return a repaired image clipped, smoothed by 1 px, and without its slow background.

    The background is a mean over about a sixth of the image (three box filters, which make a
    Gaussian of 1/16).

    Raises
    ------
    ValueError
        If the image is smaller than 32 px either way.
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
