"""The benchmark's data: images with their true domains, and the patches that all methods share."""

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter

import phyvae
from phyvae.phantoms import Flaws

__all__ = ["CASES", "LATTICE", "PERIOD", "SIZE", "STEM", "STEP", "Case", "Data", "patches_of"]

SIZE, STEP, PATCHES, LATTICE = 24, 12, 36, 12.6  # px, px, per side, px
SIDE = SIZE + STEP * (PATCHES - 1)
DOMAINS = {"bfo": 3, "nio_lsmo": 2, "graphene": 4}
PERIOD = {"bfo": 1.0, "nio_lsmo": 1.0, "graphene": 3**0.5}  # of the pattern, lattice constants
FILM, TILT = "oxide_film_substrate_interface_stem", "fe_bcc_tilt_boundary_stem"

# Electrons per pixel and standard deviation of the detector's noise, on a bright column; of
# graphene, which has no dose, the noise in units of the lattice's height.
STEM = {
    "low": {"dose": 500.0, "noise": 0.02},
    "medium": {"dose": 20.0, "noise": 0.1},
    "high": {"dose": 5.0, "noise": 0.25},
}
STM = {"low": {"noise": 0.1}, "medium": {"noise": 0.3}, "high": {"noise": 0.6}}
REALISTIC = Flaws(
    rotation=14.0, strain=0.02, thickness=0.25, residue=1, dead_rows=1, hot_rows=1,
    dead_pixels=20, hot_pixels=5,
)  # fmt: skip
REALISTIC_STM = Flaws(rotation=14.0, strain=0.02, residue=1, hot_rows=1, hot_pixels=5)


@dataclass(frozen=True, eq=False)
class Data:
    """An image, its patches and what is known of its domains.

    Attributes
    ----------
    recorded
        The image as recorded, shape (height, width): what `phyvae.find_domains` is given.
    grid
        The patches, of the image after flattening (STM) and scaling to [0, 1].
    domains
        Domain of each pixel, shape (height, width).
    classes
        Number of domains.
    period
        Of the pattern, in lattice constants; a user knows it.
    """

    recorded: np.ndarray
    grid: phyvae.PatchGrid
    domains: np.ndarray
    classes: int
    period: float = 1.0

    @functools.cached_property
    def truth(self) -> np.ndarray:
        """Domain of each patch, shape (rows, cols)."""
        return self.grid.sample(self.domains)

    @functools.cached_property
    def image(self) -> np.ndarray:
        return self.grid.image.double().numpy()

    @functools.cached_property
    def centres(self) -> np.ndarray:
        """Centres (y, x) of the patches in reading order, px, shape (patches, 2)."""
        return self.grid.centers.reshape(-1, 2)

    @functools.cached_property
    def cell(self) -> float:
        """Length of the longer vector of the unit cell measured in the image, px."""
        vectors = phyvae.unit_cell(self.image).vectors
        return float(np.linalg.norm(vectors, axis=1).max())

    def maps(self, features: np.ndarray) -> np.ndarray:
        """Arrange features (patches, n) as maps (n, rows, cols)."""
        return np.asarray(features).T.reshape(-1, *self.grid.shape)


@dataclass(frozen=True)
class Case:
    """A column of the benchmark: its name, what its data is made by, its domains and seeds."""

    name: str
    make: Callable[[int], Data] = field(repr=False)
    classes: int
    seeds: int = 5

    def exists(self) -> bool:
        """Return whether its image is at hand."""
        return self.seeds > 1 or real_folder() is not None


def real_folder() -> Path | None:
    """Return the folder of real images, from the environment variable PHYVAE_REAL_DATA."""
    folder = os.environ.get("PHYVAE_REAL_DATA")
    return Path(folder) if folder else None


def patches_of(image: np.ndarray, material: str) -> phyvae.PatchGrid:
    """Return the patches of a recorded image, which is flattened first if it is an STM scan."""
    is_stm = material == "graphene"
    if is_stm:  # as users do: drift, tilt and topography are far wider than the lattice
        image = image.astype(np.float64)
        image -= gaussian_filter(image, 2.5 * phyvae.lattice_spacing(image))
    tails = (1.0, 99.0) if is_stm else (0.1, 99.9)
    return phyvae.PatchGrid(image, size=SIZE, step=STEP, percentiles=tails)


@functools.lru_cache(maxsize=2)
def phantom(
    material: str, noise: str, seed: int, distortion: float = 0.0, flaws: Flaws | None = None
) -> Data:
    """Return a phantom; patches fall on its lattice at any phase."""
    levels = STM if material == "graphene" else STEM
    made = getattr(phyvae.phantoms, material)(
        (SIDE, SIDE), LATTICE, **levels[noise], distortion=distortion,
        seed=seed, noise_seed=2 * seed, flaws=flaws,
    )  # fmt: skip
    grid = patches_of(made.image, material)
    return Data(made.image, grid, made.domains, len(made.names), PERIOD[material])


@functools.lru_cache(maxsize=1)
def real(name: str, row: int) -> Data:
    """Return a real image with a level wall at a row, px; patches are those of `suggest`."""
    folder = real_folder()
    assert folder is not None
    with np.load(folder / f"{name}.npz") as file:
        image = file["image"].astype(np.float64)
    grid = phyvae.suggest(image, flatten=False).grid()
    domains = np.broadcast_to(np.arange(len(image))[:, None] > row, image.shape).astype(int)
    return Data(image, grid, domains, 2)


def _cases() -> dict[str, Case]:
    found = []
    for material in DOMAINS:
        for noise in STEM:
            make = functools.partial(phantom, material, noise)
            found.append(Case(f"{material} {noise}", make, DOMAINS[material]))
    for material in DOMAINS:
        flaws = REALISTIC_STM if material == "graphene" else REALISTIC
        make = functools.partial(phantom, material, "medium", flaws=flaws)
        found.append(Case(f"{material} realistic", make, DOMAINS[material]))
    for material in ("bfo", "nio_lsmo"):
        make = functools.partial(phantom, material, "medium", distortion=4.0)
        found.append(Case(f"{material} distorted", make, DOMAINS[material]))
    for name, file, row in (("film", FILM, 680), ("tilt", TILT, 248)):
        found.append(Case(name, lambda seed, f=file, r=row: real(f, r), 2, seeds=1))
    return {case.name: case for case in found}


CASES = _cases()
