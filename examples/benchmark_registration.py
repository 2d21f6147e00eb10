"""Patches moved onto the lattice by the phases of its waves: what needs no training."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates
from sklearn.decomposition import PCA

import phyvae

WIDTH = 8.0  # px, standard deviation of the Gaussian in which a phase is measured
ALIKE = 0.15  # waves of a lattice whose lengths differ by less are of one kind


@dataclass(frozen=True)
class Registered:
    """PCA of patches that are cut anew, each at the lattice site nearest to its centre.

    Sites are where two waves of the lattice, as they are around the patch, have their crests: the
    two strongest ones, or half the sum and half the difference of these, where the strongest are
    those of the cell's diagonals.
    """

    count: int
    diagonals: bool

    @property
    def name(self) -> str:
        return f"registered({self.count}{', diagonals' if self.diagonals else ''})"

    def maps(self, grid: phyvae.PatchGrid, seed: int) -> np.ndarray:
        image = grid.image.double().numpy()
        image = image - image.mean()
        first, second = strongest_waves(image)
        if self.diagonals:
            first, second = (first + second) / 2, (first - second) / 2
        sites = sites_near(image, grid.centers.reshape(-1, 2), np.stack([first, second]))
        pixels = np.indices(grid.patch_shape).reshape(2, -1)
        pixels = pixels - (np.array(grid.patch_shape)[:, None] - 1) / 2
        patches = np.stack(
            [
                map_coordinates(image, site[:, None] + pixels, order=1, mode="reflect")
                for site in sites
            ]
        )
        values = PCA(self.count, random_state=seed).fit_transform(patches)
        return values.T.reshape(-1, *grid.shape)


def strongest_waves(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the wavevectors, cycles per px, of an image's two strongest waves of one kind."""
    taper = np.outer(*map(np.hanning, image.shape))
    power = np.abs(np.fft.fft2(image * taper))
    waves = np.stack(np.meshgrid(*map(np.fft.fftfreq, image.shape), indexing="ij"), axis=-1)
    length = np.linalg.norm(waves, axis=-1)
    power[(length < 8 / min(image.shape)) | (length > 1 / 3)] = 0  # background; too fine
    first = waves[np.unravel_index(power.argmax(), power.shape)]
    size = np.linalg.norm(first)
    along = np.abs(waves @ first) / (size * np.maximum(length, 1e-9))
    other = (along < 0.7) & (np.abs(length / size - 1) < ALIKE)
    return first, waves[np.unravel_index(np.where(other, power, 0).argmax(), power.shape)]


def sites_near(image: np.ndarray, centres: np.ndarray, waves: np.ndarray) -> np.ndarray:
    """Return the lattice sites nearest to some places, (n, 2) px; `waves` is (2, 2)."""
    pixels = np.moveaxis(np.indices(image.shape), 0, -1)
    rows, cols = np.round(centres).astype(int).T
    turns = []
    for wave in waves:
        # Without the wave itself its phase changes slowly, and can be averaged.
        slow = gaussian_filter(image * np.exp(-2j * np.pi * (pixels @ wave)), WIDTH)
        turns.append(np.angle(slow[rows, cols]) / (2 * np.pi) + centres @ wave)
    off = np.round(turns) - np.array(turns)
    sites: np.ndarray = centres + np.linalg.solve(waves, off).T
    return sites
