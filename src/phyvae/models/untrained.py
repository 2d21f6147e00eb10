"""Maps without training: principal components of descriptors that ignore the lattice's phase."""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float
from scipy.fft import irfft2, next_fast_len, rfft2
from sklearn.decomposition import PCA
from torch import Tensor

from .._checks import as_choice, as_integer
from ..patches.grid import PatchGrid, check_grid
from ..patches.layout import Layout
from ..patches.registration import registered_patches

__all__ = ["KINDS", "quick_maps"]

KINDS = ("autocorrelation", "fourier", "registered", "pca")
_WINDOW = 0.42  # of the patch: standard deviation of the autocorrelation's Gaussian window
_AT_ONCE = 2**22  # values per block of windows


def quick_maps(
    grid: PatchGrid, kind: str = "autocorrelation", channels: int = 2
) -> Float[Tensor, "channels rows cols"]:
    """Return maps that need no training: principal components of a descriptor of each patch.

    They take seconds: a first look, a fallback, and a second opinion on the domains of a model
    (`second_opinion`).

    Parameters
    ----------
    grid
        The patches; of spectra only for ``kind="pca"``.
    kind
        The descriptor of a patch:

        - ``"autocorrelation"``: the autocorrelation around the patch's centre, for shifts up to
          the size of a patch, in a Gaussian window as wide as a patch (full width at half
          maximum), divided by the local standard deviation. A shift of the lattice does not
          change it.
        - ``"fourier"``: magnitudes of the patch's Fourier transform (Hann window), mean of nine
          patches, a sixth of their size apart. A shift changes them little.
        - ``"registered"``: the patch, cut anew at the nearest site of the lattice, by the local
          phases of two of its waves. The others do not separate a pattern from its inversion,
          such as two opposite polarisations; this one does. It needs one lattice.
        - ``"pca"``: the patch, or the spectrum, as it is; for patches that lie on sites.
    channels
        Number of principal components, the strongest first, >= 1; two separate three domains.

    Returns
    -------
    Tensor
        float32, shape (channels, rows, cols), in the units of the descriptor; NaN where the grid
        holds no patch.

    Raises
    ------
    ValueError
        If `kind` is unknown, or not for spectra; if there are fewer patches, or values per patch,
        than `channels`; if "registered" finds no lattice.

    Examples
    --------
    >>> import phyvae
    >>> phantom = phyvae.phantoms.nio_lsmo((300, 300), seed=0)
    >>> grid = phyvae.PatchGrid(phantom.image, size=24, step=12)
    >>> maps = phyvae.quick_maps(grid)
    >>> labels = phyvae.segment(maps, classes=2)
    >>> phyvae.adjusted_rand_index(labels, grid.sample(phantom.domains)) > 0.9
    True
    """
    check_grid(grid)
    as_choice(kind, "kind", KINDS)
    number = as_integer(channels, "channels", 1, ", principal components")
    if (len(grid.patch_shape) == 1 or grid.is_stack) and kind != "pca":
        raise ValueError(f"kind={kind!r} is for images; of spectra or a stack, take kind='pca'.")
    features = _features(grid, kind)
    if number > min(features.shape):
        raise ValueError(
            f"channels={number} exceeds what {features.shape[0]} patches of "
            f"{features.shape[1]} values have; reduce it."
        )
    components = PCA(number, random_state=0).fit_transform(features)
    return Layout.of(grid.to("cpu")).shown(torch.from_numpy(components.astype(np.float32)))


def _features(grid: PatchGrid, kind: str) -> Float[np.ndarray, "n features"]:
    """Return the descriptor of each patch, flat."""
    if kind == "pca":
        found = grid.gather(grid.indices).cpu().numpy()
    else:
        image, shape = grid.image.cpu().numpy(), grid.patch_shape
        centres = grid.centers.reshape(-1, 2)[grid.indices.cpu().numpy()]
        describe = {
            "autocorrelation": _autocorrelations,
            "fourier": _magnitudes,
            "registered": registered_patches,
        }[kind]
        found = describe(image, centres, shape)
    return found.reshape(len(found), -1)


def _autocorrelations(
    image: Float[np.ndarray, "height width"],
    centres: Float[np.ndarray, "n 2"],
    shape: tuple[int, ...],
) -> Float[np.ndarray, "n shifts"]:
    """Return the autocorrelation around each centre, at half of all shifts; it is symmetric."""
    sides = [2 * round(2.5 * _WINDOW * side) + 1 for side in shape]
    offsets = [np.arange(side) - side // 2 for side in sides]
    taper = np.outer(
        *(np.exp(-((d / (_WINDOW * n)) ** 2) / 2) for d, n in zip(offsets, shape, strict=True))
    ).astype(np.float32)
    padded = [next_fast_len(side + n, real=True) for side, n in zip(sides, shape, strict=True)]
    y, x = np.mgrid[: shape[0] + 1, -shape[1] : shape[1] + 1]
    near = (np.hypot(y / shape[0], x / shape[1]) <= 1) & ((y > 0) | (x > 0))
    y, x = y[near], x[near]
    found = []
    for weighted in _windows(image, centres, taper):
        energy = (weighted**2).sum((1, 2)) / (taper**2).sum()
        waves = np.abs(rfft2(weighted, padded)) ** 2
        scale = np.sqrt(np.maximum(energy, np.finfo(np.float32).tiny))
        found.append(irfft2(waves, padded)[:, y, x] / scale[:, None])
    return np.concatenate(found)


def _magnitudes(
    image: Float[np.ndarray, "height width"],
    centres: Float[np.ndarray, "n 2"],
    shape: tuple[int, ...],
) -> Float[np.ndarray, "n down waves"]:
    """Return the mean magnitude of Fourier coefficients of patches around each centre."""
    taper = np.outer(*map(np.hanning, shape)).astype(np.float32)
    offsets = [round(side / 6) * np.array([-1, 0, 1]) for side in shape]
    shifts = np.stack(np.meshgrid(*offsets), axis=-1).reshape(-1, 2)
    each = [
        np.concatenate([np.abs(rfft2(block)) for block in _windows(image, at, taper)])
        for at in centres + shifts[:, None]
    ]
    return np.asarray(np.mean(each, axis=0))


def _windows(
    image: Float[np.ndarray, "height width"],
    centres: Float[np.ndarray, "n 2"],
    taper: Float[np.ndarray, "down across"],
) -> Iterator[Float[np.ndarray, "block down across"]]:
    """Yield windows around centres, (y, x) px, without their mean, tapered, block by block.

    Beyond its border the image is mirrored.
    """
    shape = taper.shape
    margin = [(side, side) for side in shape]
    mirrored = np.pad(image, margin, mode="symmetric")
    # Of an even side, a centre lies between two pixels.
    corners = np.floor(centres - (np.array(shape) - 1) / 2 + 0.5).astype(int) + shape
    down, right = (np.arange(side) for side in shape)
    for block in np.array_split(corners, -(-len(corners) * shape[0] * shape[1] // _AT_ONCE)):
        y, x = block.T[:, :, None, None]
        windows = mirrored[y + down[:, None], x + right]
        yield (windows - (windows * taper).sum((1, 2), keepdims=True) / taper.sum()) * taper
