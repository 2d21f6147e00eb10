"""Local correlation maps: how alike an image's neighbourhood and its translations are.

After Wang, Freysoldt, Zhang, Liebscher & Neugebauer, Microsc. Microanal. 27, 1454 (2021),
https://doi.org/10.1017/S1431927621012770.
"""

import numpy as np
from scipy.ndimage import uniform_filter

from .components import principal
from .data import Data

__all__ = ["correlations", "local_correlation"]

POINTS, COMPONENTS = 100, 5  # at most; both as published


def correlations(
    image: np.ndarray, places: np.ndarray, half: int, reach: int, points: int = POINTS
) -> np.ndarray:
    """Return Pearson's correlation of the patch at each place with patches moved from it.

    Parameters
    ----------
    image
        Shape (height, width).
    places
        Centres of patches, whole (y, x), px, shape (n, 2). One from which a patch would leave
        the image has the values of the nearest place from which none does.
    half
        Half the patch's side, px: it has 2 half + 1 pixels.
    reach
        Largest translation along each axis, px.
    points
        Most translations: their step is the smallest that has no more.

    Returns
    -------
    ndarray
        Shape (n, translations).
    """
    step = next(s for s in range(1, 2 * reach + 2) if (2 * reach // s + 1) ** 2 <= points)
    moves = np.arange(-reach, reach + 1, step)
    border = half + reach
    y, x = places.clip(border, np.array(image.shape) - 1 - border).T
    side = 2 * half + 1

    def mean(values: np.ndarray) -> np.ndarray:
        return uniform_filter(values, side, mode="constant")

    level = mean(image)
    spread = np.sqrt(np.maximum(mean(image**2) - level**2, 1e-12))
    found = []
    for down in moves:
        for right in moves:
            there = y + down, x + right
            moved = np.roll(image, (-down, -right), (0, 1))
            together = mean(image * moved)[y, x] - level[y, x] * level[there]
            found.append(together / (spread[y, x] * spread[there]))
    return np.stack(found, axis=1)


def local_correlation(data: Data, seed: int) -> np.ndarray:
    """Return principal components of the correlations; half a patch and the reach are one cell."""
    cell = round(data.cell / data.period)
    places = np.floor(data.centres).astype(int)
    return data.maps(principal(correlations(data.image, places, cell, cell), COMPONENTS, seed))
