"""What changes a specimen's brightness slowly, ends it, or covers it."""

import numpy as np
from scipy.ndimage import gaussian_filter

from .field import Array, FieldOfView, SlowWaves

__all__ = ["depth_from_edge", "residue", "thickness", "thinned"]

_EDGE_ROUGHNESS = 0.02  # of the shorter side: standard deviation of the edge
_RADII = (0.05, 0.1)  # of the shorter side: radius of a patch of residue
_CLOUDS = ((0.4, 0.3), (0.1, 0.1))  # width, in its radius, and height of its unevenness


def thickness(view: FieldOfView, change: float, rng: np.random.Generator) -> Array:
    """Return a slow factor of the intensity of each pixel, within 1 ± `change` and touching it."""
    waves = SlowWaves(rng, view.extent, most=0.7)(*view.field)
    waves -= (waves.max() + waves.min()) / 2
    return np.asarray(1 + change * waves / np.abs(waves).max())


def depth_from_edge(view: FieldOfView, share: float, rng: np.random.Generator) -> Array:
    """Return how far inside a rough edge each pixel lies, px; a share of them is outside, < 0."""
    y, x = view.field
    angle = rng.uniform(0, 2 * np.pi)
    across = np.sin(angle) * y + np.cos(angle) * x
    rough = SlowWaves(rng, view.extent, most=4.0)(y, x)
    side = min(view.extent)
    across = across + _EDGE_ROUGHNESS * side * rough / rough.std()
    return np.asarray(across - np.quantile(across, share))


def thinned(depth: Array) -> Array:
    """Return the factor of the intensity at some depths from an edge, lattice constants."""
    there = 1 / (1 + np.exp(np.clip(-depth / 0.12, -50, 50)))
    return np.asarray(there * (1 - 0.5 * np.exp(-np.maximum(depth, 0) / 4)))


def residue(view: FieldOfView, count: int, rng: np.random.Generator) -> Array:
    """Return the density of patches of residue at each pixel, 0 to about 1: uneven clouds."""
    y, x = view.field
    side, density = min(view.extent), np.zeros(view.shape)
    for _ in range(count):
        centre = rng.uniform(0.1, 0.9, 2) * view.extent
        radius = rng.uniform(*_RADII) * side
        distance = np.hypot(y - centre[0], x - centre[1]) / radius
        cloud = (
            1.3
            - distance
            + sum(share * _noise(view.shape, width * radius, rng) for width, share in _CLOUDS)
        )
        density += np.clip(cloud, 0, 1) ** 1.5
    return density


def _noise(shape: tuple[int, int], width: float, rng: np.random.Generator) -> Array:
    """Return smooth noise of standard deviation 1."""
    smooth = gaussian_filter(rng.standard_normal(shape), width, mode="wrap")
    return np.asarray(smooth / smooth.std())
