"""Faults of recording: scan lines and pixels that show no specimen."""

import numpy as np
from jaxtyping import Bool

from .field import Array
from .flaws import Flaws

__all__ = ["with_faults"]

_HOT_ROW = 0.5  # of the image's range, above its highest value
_HOT_PIXEL = (1.0, 10.0)  # the same, from and to


def with_faults(
    image: Array, flaws: Flaws, rng: np.random.Generator
) -> tuple[Array, Bool[np.ndarray, "height width"]]:
    """Return an image with dead and hot rows and pixels, and where they are."""
    low, high = image.min(), image.max()
    image, faulty = image.copy(), np.zeros(image.shape, dtype=bool)
    lines = rng.permutation(image.shape[0])[: flaws.dead_rows + flaws.hot_rows]
    image[lines] = high + _HOT_ROW * (high - low)
    image[lines[: flaws.dead_rows]] = low
    faulty[lines] = True
    free = rng.permutation(np.flatnonzero(~faulty))[: flaws.dead_pixels + flaws.hot_pixels]
    dead, hot = free[: flaws.dead_pixels], free[flaws.dead_pixels :]
    image.flat[dead] = low
    image.flat[hot] = high + rng.uniform(*_HOT_PIXEL, len(hot)) * (high - low)
    faulty.flat[free] = True
    return image, faulty
