"""Registration: patches moved onto the lattice by the local phases of two of its waves."""

import numpy as np
from jaxtyping import Float
from scipy.ndimage import gaussian_filter, map_coordinates

from ..scans.planes import standing_out

__all__ = [
    "NoLatticeError",
    "lattice_waves",
    "registered_patches",
    "sites_near",
    "strongest_waves",
]

Image = Float[np.ndarray, "height width"]
Points = Float[np.ndarray, "n 2"]
Waves = Float[np.ndarray, "2 2"]  # wavevectors (y, x) of two waves, cycles per px

_ALIKE = 0.15  # waves of a lattice whose lengths differ by less are of one kind


class NoLatticeError(ValueError):
    """Raised where an image has no two waves that cross."""


def strongest_waves(image: Image) -> Waves:
    """Return an image's strongest wave, and the strongest of like length that crosses it.

    Raises NoLatticeError if no two stand out from the other waves of their lengths.
    """
    waves, magnitudes = _spectrum(image)
    length = np.linalg.norm(waves, axis=-1)
    shown = np.where((length < 8 / min(image.shape)) | (length > 1 / 3), 0, magnitudes)
    first = waves[np.unravel_index(shown.argmax(), shown.shape)]
    size = max(float(np.linalg.norm(first)), 1e-9)
    along = np.abs(waves @ first) / np.maximum(size * length, 1e-9)
    crossing = np.where((along < 0.7) & (np.abs(length / size - 1) < _ALIKE), shown, 0)
    found = np.stack([first, waves[np.unravel_index(crossing.argmax(), shown.shape)]])
    if not standing_out(image - image.mean(), found).all():
        raise NoLatticeError(
            "image shows no lattice: no two crossing waves stand out, with periods from 3 to "
            f"{min(image.shape) / 8:.0f} px; take kind='autocorrelation'."
        )
    return found


def lattice_waves(image: Image) -> Waves:
    """Return two waves of an image that both have their crests at one site of each unit cell.

    They are the two strongest, but where these belong to the diagonals of a cell with a second
    atom in its middle: then half their sum and half their difference stand out as well.
    """
    first, second = strongest = strongest_waves(image)
    halves = np.stack([first + second, first - second]) / 2
    return halves if standing_out(image - image.mean(), halves).all() else strongest


def registered_patches(
    image: Image, centres: Points, shape: tuple[int, ...], waves: Waves | None = None
) -> Float[np.ndarray, "n down across"]:
    """Return patches cut anew, each at the lattice site nearest to its centre, interpolated.

    Sites are where both waves, by default `lattice_waves`, have a crest. Beyond its border the
    image is mirrored.
    """
    waves = lattice_waves(image) if waves is None else waves
    sites = sites_near(image, centres, waves, tuple(side / 3 for side in shape))
    down, right = (np.arange(side) - (side - 1) / 2 for side in shape)
    y = sites[:, 0, None, None] + down[:, None]
    x = sites[:, 1, None, None] + right
    places = np.stack(np.broadcast_arrays(y, x))
    return np.asarray(map_coordinates(image - image.mean(), places, order=1, mode="reflect"))


def sites_near(image: Image, centres: Points, waves: Waves, width: tuple[float, ...]) -> Points:
    """Return the lattice sites nearest to some places, (y, x) px.

    Phases are measured in a Gaussian window of standard deviation `width` (y, x), px.
    """
    image = image - image.mean()
    pixels = np.moveaxis(np.indices(image.shape), 0, -1)
    rows, cols = np.round(centres).astype(int).T
    turns = []
    for wave in waves:
        # Without the wave itself its phase changes slowly, and can be averaged.
        slow = gaussian_filter(image * np.exp(-2j * np.pi * (pixels @ wave)), width)
        turns.append(np.angle(slow[rows, cols]) / (2 * np.pi) + centres @ wave)
    off = np.round(turns) - np.array(turns)
    return np.asarray(centres + np.linalg.solve(waves, off).T)


def _spectrum(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return wavevectors (height, width, 2), cycles per px, and magnitudes of a tapered image."""
    taper = np.outer(*map(np.hanning, image.shape))
    magnitudes = np.abs(np.fft.fft2((image - image.mean()) * taper))
    waves = np.stack(np.meshgrid(*map(np.fft.fftfreq, image.shape), indexing="ij"), axis=-1)
    return waves, magnitudes
