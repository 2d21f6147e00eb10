"""The benchmark's data: which phantoms, at which phase, noise and distortion."""

import functools
import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage

import phyvae

# Standard deviation of the detector's noise, and electrons per pixel, on a bright column; for
# graphene, which has no dose, the noise in units of the lattice's height.
NOISE: dict[str, dict[str, dict[str, float]]] = {
    "stem": {
        "low": {"dose": 500.0, "noise": 0.02},
        "medium": {"dose": 20.0, "noise": 0.1},
        "high": {"dose": 5.0, "noise": 0.25},
    },
    "stm": {"low": {"noise": 0.1}, "medium": {"noise": 0.3}, "high": {"noise": 0.6}},
}
DISTORTION = 4.0  # px, when it is on: up to 6 % of local strain in 444 px
SIZE, STEP = 24, 12  # px
LATTICE = {"centred": 12.0, "random": 12.6}  # px
MATERIALS = {"nio_lsmo": 2, "bfo": 3, "graphene": 4, "perovskite": 1}  # true domains
CONTROL = "perovskite"
# Period of the pattern, in lattice constants: the superlattice's is √3.
REPEAT = {"graphene": 3**0.5}


def flattened(image: np.ndarray) -> np.ndarray:
    """Subtract what is far wider than the lattice: drift, tilt, topography."""
    width = 2.5 * phyvae.lattice_spacing(image)
    return image - ndimage.gaussian_filter(image.astype(float), width)


def reach_of(grid: phyvae.PatchGrid, repeat: float) -> int:
    """Return three eighths of a patch, px, times the pattern's period in lattice constants."""
    return round(repeat * (3 * min(grid.patch_shape) // 8))


@dataclass(frozen=True)
class Data:
    """What a method may see, `grid`, and what it is judged by."""

    grid: phyvae.PatchGrid
    scan: phyvae.PatchGrid  # the whole image, of which any window may be looked at
    again: phyvae.PatchGrid  # the same specimen with other noise: patches held out
    truth: np.ndarray
    classes: int
    repeat: float  # period of the pattern, in lattice constants: what a user knows of it


@dataclass(frozen=True)
class Case:
    """One column of the table: a material, cut and recorded in one way."""

    material: str
    phase: str  # "centred": patches on lattice sites; "random": steps unlike the lattice
    noise: str
    distorted: bool

    @property
    def name(self) -> str:
        scan = "distorted" if self.distorted else "straight"
        return f"{self.material}-{self.phase}-{self.noise}-{scan}"

    @property
    def is_control(self) -> bool:
        return self.material == CONTROL

    def phantom(self, side: int, seed: int, noise_seed: int | None = None) -> Any:
        levels = NOISE["stm" if self.material == "graphene" else "stem"]
        make = getattr(phyvae.phantoms, self.material)
        return make(
            (side, side),
            LATTICE[self.phase],
            distortion=DISTORTION if self.distorted else 0.0,
            **levels[self.noise],
            seed=seed,
            noise_seed=noise_seed,
        )

    def data(self, seed: int, patches: int) -> Data:
        """Return a square grid of patches, the same grid of a second scan, and the truth."""
        return _data(self, seed, patches)

    def _record(self, seed: int, patches: int) -> Data:
        side = SIZE + STEP * (patches - 1)
        first, second = (self.phantom(side, seed, noise_seed=2 * seed + k) for k in (0, 1))
        # Both scans on one scale. Extreme pixels would take most of it, of an STM scan above all,
        # which is flattened first, as every user does.
        is_stm = self.material == "graphene"
        tails = (1.0, 99.0) if is_stm else (0.1, 99.9)
        image = first.image.astype(np.float64)
        gain = np.ptp(first.clean) / np.ptp(second.clean)
        again = (second.image - second.clean.min()) * gain + first.clean.min()
        if is_stm:
            image, again = flattened(image), flattened(again)
        low, high = np.percentile(image, tails)
        image, again = (np.clip((x - low) / (high - low), 0, 1) for x in (image, again))
        truth = first.domains
        step = STEP
        scan = phyvae.PatchGrid(image, size=SIZE, step=STEP, percentiles=None)
        if self.phase == "centred":
            corners = _corners(first.sites, side)
            truth = truth[tuple(np.moveaxis(corners, -1, 0) + SIZE // 2)]
            image, again = _mosaic(image, corners), _mosaic(again, corners)
            step = SIZE
        grid, again = (
            phyvae.PatchGrid(x, size=SIZE, step=step, percentiles=None) for x in (image, again)
        )
        if self.phase == "random":
            truth = grid.sample(truth)
        repeat = REPEAT.get(self.material, 1.0)
        return Data(grid, scan, again, truth, MATERIALS[self.material], repeat)


@functools.lru_cache(maxsize=2)  # jobs on the same data follow each other
def _data(case: Case, seed: int, patches: int) -> Data:
    return case._record(seed, patches)


def all_cases() -> dict[str, Case]:
    product = itertools.product(MATERIALS, LATTICE, NOISE["stem"], (False, True))
    return {case.name: case for case in itertools.starmap(Case, product)}


def _corners(sites: np.ndarray, side: int) -> np.ndarray:
    """Return, for each cell of a regular grid, the corner of the patch on its nearest site.

    Shape (rows, cols, 2), px. A site between two pixels takes the patch that rounding gives.
    """
    corners = np.floor(sites - (SIZE - 1) / 2 + 0.5 + 1e-6).astype(int)
    corners = corners[((corners >= 0) & (corners <= side - SIZE)).all(axis=1)]
    y = np.arange(0, side - SIZE + 1, STEP)
    cells = np.stack(np.meshgrid(y, y, indexing="ij"), axis=-1).reshape(-1, 1, 2)
    nearest = ((cells - corners) ** 2).sum(axis=-1).argmin(axis=1)
    return corners[nearest].reshape(len(y), len(y), 2)


def _mosaic(image: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Lay the patches side by side, so that a grid of step SIZE cuts out just these."""
    offsets = np.arange(SIZE)
    y = corners[:, :, 0, None, None] + offsets[:, None]
    x = corners[:, :, 1, None, None] + offsets
    patches = image[y, x]  # (rows, cols, SIZE, SIZE)
    rows, cols = corners.shape[:2]
    return patches.transpose(0, 2, 1, 3).reshape(rows * SIZE, cols * SIZE)
