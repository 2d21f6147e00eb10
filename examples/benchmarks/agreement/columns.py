"""Descriptors of the image around each atomic column, given to the patches near it."""

import numpy as np
from scipy.spatial import cKDTree
from scipy.special import factorial

import phyvae

from .components import principal
from .data import Data

__all__ = ["at_columns", "moments", "patches_at_columns", "zernike", "zernike_at_columns"]

ORDER = 10


def columns(data: Data) -> np.ndarray:
    """Return the brightest columns, one per unit cell, (y, x) px."""
    spacing = data.cell / data.period
    return phyvae.find_sites(data.image, spacing, threshold=0.1, min_distance=0.75 * spacing)


def windows(image: np.ndarray, places: np.ndarray, half: int) -> np.ndarray:
    """Return square windows around places (n, 2); beyond its border the image is mirrored."""
    padded = np.pad(image, half, mode="reflect")
    y, x = np.rint(places).astype(int).T[:, :, None, None]
    offsets = np.arange(2 * half + 1)
    return padded[y + offsets[:, None], x + offsets]


def zernike(side: int, order: int) -> np.ndarray:
    """Return real Zernike polynomials up to a radial order on a square, (n, side, side).

    They are orthonormal on the unit disc, and 0 outside it.
    """
    y, x = np.meshgrid(*[np.linspace(-1, 1, side)] * 2, indexing="ij")
    radius, angle = np.hypot(y, x), np.arctan2(y, x)
    found = []
    for n in range(order + 1):
        for m in range(-n, n + 1, 2):
            radial = np.zeros_like(radius)
            for k in range((n - abs(m)) // 2 + 1):
                below = factorial(k) * factorial((n + abs(m)) / 2 - k)
                share = (-1) ** k * factorial(n - k) / below / factorial((n - abs(m)) / 2 - k)
                radial += share * radius ** (n - 2 * k)
            wave = np.sin(-m * angle) if m < 0 else np.cos(m * angle)
            scale = np.sqrt((n + 1) * (1 if m == 0 else 2))
            found.append(np.where(radius <= 1, scale * radial * wave, 0))
    return np.stack(found)


def moments(patches: np.ndarray, order: int = ORDER) -> np.ndarray:
    """Return the Zernike moments of square patches (n, side, side)."""
    side = patches.shape[1]
    base = zernike(side, order).reshape(-1, side**2)
    return patches.reshape(-1, side**2) @ base.T / (np.pi * side**2 / 4)


def at_columns(data: Data, places: np.ndarray, features: np.ndarray) -> np.ndarray:
    """Return maps: each patch has the features of the column nearest to its centre."""
    nearest = cKDTree(places).query(data.centres)[1]
    return data.maps(features[nearest])


def zernike_at_columns(data: Data, seed: int) -> np.ndarray:
    """Return principal components of the Zernike moments of a window around each column."""
    places = columns(data)
    found = moments(windows(data.image, places, data.grid.patch_shape[0] // 2))
    return at_columns(data, places, principal(found, 4, seed))


def patches_at_columns(data: Data, seed: int) -> np.ndarray:
    """Return principal components of a window around each column."""
    places = columns(data)
    found = windows(data.image, places, data.grid.patch_shape[0] // 2)
    return at_columns(data, places, principal(found.reshape(len(found), -1), 4, seed))
