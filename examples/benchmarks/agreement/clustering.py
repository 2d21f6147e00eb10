"""What published methods make of their features: k-means, a mixture, or the largest weight."""

import numpy as np
from sklearn.cluster import KMeans
from sklearn.mixture import GaussianMixture

__all__ = ["k_means", "largest", "mixture"]


def k_means(maps: np.ndarray, classes: int, seed: int) -> np.ndarray:
    """Return labels by k-means, ten starts, of maps (n, rows, cols), shape (rows, cols)."""
    found = KMeans(classes, n_init=10, random_state=seed).fit_predict(_rows(maps))
    return found.reshape(maps.shape[1:])


def mixture(maps: np.ndarray, classes: int, seed: int) -> np.ndarray:
    """Return labels by a Gaussian mixture, three starts."""
    found = GaussianMixture(classes, n_init=3, random_state=seed).fit_predict(_rows(maps))
    return found.reshape(maps.shape[1:])


def largest(maps: np.ndarray, classes: int, seed: int) -> np.ndarray:
    """Return which factor has the largest weight."""
    return maps.argmax(0)


def _rows(maps: np.ndarray) -> np.ndarray:
    return maps.reshape(len(maps), -1).T
