"""Fourier magnitudes of a sliding window, unmixed into non-negative factors.

The recipe of AtomAI (``atomai.stat.SlidingFFTNMF``), which SciLink uses: windows of an eighth of
the image at a quarter of their side, a Hamming taper, the logarithm of the magnitudes, their
central half magnified twice, one factor per domain.
"""

import numpy as np
from scipy.ndimage import zoom
from scipy.spatial import cKDTree
from skimage.util import view_as_windows

from .components import factors
from .data import Data

__all__ = ["sliding_fourier", "spectra", "window_side"]

SEED = 42  # fixed by the original


def spectra(windows: np.ndarray) -> np.ndarray:
    """Return the magnified logarithms of Fourier magnitudes of windows (n, side, side)."""
    side = windows.shape[1]
    taper = np.sqrt(np.outer(np.hamming(side), np.hamming(side)))
    waves = np.fft.fftshift(np.fft.fft2(windows * taper), axes=(1, 2))
    middle = slice(side // 2 - side // 4, side // 2 + side // 4)
    return zoom(np.log1p(np.abs(waves[:, middle, middle])), (1, 2, 2), order=1)


def window_side(shape: tuple[int, ...]) -> int:
    """Return a power of two, px: an eighth of the shorter side, from 32 to 128."""
    return 2 ** int(np.log2(np.clip(min(shape) // 8, 32, 128)))


def sliding_fourier(data: Data, seed: int) -> np.ndarray:
    """Return the weights of the factors in the window nearest to each patch."""
    side = window_side(data.image.shape)
    step = side // 4
    windows = view_as_windows(data.image, (side, side), step)
    middles = [np.arange(n) * step + (side - 1) / 2 for n in windows.shape[:2]]
    found = spectra(windows.reshape(-1, side, side))
    weights = factors(found.reshape(len(found), -1), data.classes, SEED, start="random")
    places = np.stack(np.meshgrid(*middles, indexing="ij"), axis=-1).reshape(-1, 2)
    return data.maps(weights[cKDTree(places).query(data.centres)[1]])
