"""Decompositions of the patches as they are, of their spectra, and of registered patches."""

import warnings

import numpy as np
from sklearn.decomposition import NMF, PCA
from sklearn.exceptions import ConvergenceWarning

from phyvae.patches.registration import registered_patches

from .data import Data

__all__ = ["factors", "fourier", "nmf", "pca", "principal", "registered"]


def principal(features: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Return the first principal components of features (n, m), shape (n, count)."""
    return PCA(min(count, *features.shape), random_state=seed).fit_transform(features)


def factors(features: np.ndarray, count: int, seed: int, start: str = "nndsvda") -> np.ndarray:
    """Return the weights of non-negative factors of features (n, m), shape (n, count)."""
    solver = NMF(count, init=start, max_iter=300, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # last digits change no cluster
        return solver.fit_transform(features)


def flat(data: Data) -> np.ndarray:
    """Return the patches, shape (patches, pixels)."""
    return data.grid.patches.double().numpy().reshape(len(data.centres), -1)


def pca(data: Data, seed: int) -> np.ndarray:
    """Return principal components of the patches."""
    return data.maps(principal(flat(data), 4, seed))


def nmf(data: Data, seed: int) -> np.ndarray:
    """Return non-negative factors of the patches, one per domain."""
    return data.maps(factors(flat(data), data.classes, seed))


def fourier(data: Data, seed: int) -> np.ndarray:
    """Return principal components of the patches' Fourier magnitudes (Hann window)."""
    taper = np.outer(*map(np.hanning, data.grid.patch_shape))
    patches = flat(data).reshape(-1, *taper.shape)
    waves = np.abs(np.fft.rfft2((patches - patches.mean((1, 2), keepdims=True)) * taper))
    return data.maps(principal(waves.reshape(len(waves), -1), 4, seed))


def registered(data: Data, seed: int) -> np.ndarray:
    """Return principal components of patches cut anew at the nearest lattice site."""
    patches = registered_patches(data.image, data.centres, data.grid.patch_shape)
    return data.maps(principal(patches.reshape(len(patches), -1), 3, seed))
