"""Grids that are no full raster: sites with holes or without a lattice, several images."""

import functools

import numpy as np

import phyvae
from phyvae import PatchGrid, PhysicsObjective, PhysicsTrainer, ShiftVAE, TotalVariation

SIZE = 8
PHANTOM = phyvae.phantoms.bfo((120, 110), 9.0, seed=1)


def on_sites(keep: slice = slice(None), **settings: object) -> PatchGrid:
    """A grid of sites of a square lattice."""
    y, x = np.meshgrid(np.arange(12.0, 110, 9), np.arange(12.0, 100, 9), indexing="ij")
    sites = np.stack([y, x], axis=-1).reshape(-1, 2)[keep]
    return PatchGrid.at(PHANTOM.image, sites, SIZE, **settings)


@functools.cache
def with_hole() -> PatchGrid:
    """The same, three sites of which are missing."""
    grid = on_sites()
    there = np.delete(np.arange(len(grid)), [13, 14, 40])
    return PatchGrid.at(PHANTOM.image, grid.centers.reshape(-1, 2)[there], SIZE)


@functools.cache
def without_lattice() -> PatchGrid:
    """Sites anywhere."""
    rng = np.random.default_rng(0)
    return PatchGrid.at(PHANTOM.image, rng.uniform(10, 98, (90, 2)), SIZE, lattice=False)


@functools.cache
def series() -> list[PatchGrid]:
    """Three images, one of them smaller."""
    frames = [phyvae.phantoms.bfo((110, 110), 9.0, seed=seed).image for seed in (0, 1, 2)]
    return PatchGrid.series([frames[0], frames[1][:80], frames[2]], SIZE, 9)


def small() -> ShiftVAE:
    """A model for the patches of all of these."""
    return ShiftVAE((SIZE, SIZE), hidden_dim_e=(6, 5), hidden_dim_d=(6, 5))


def trained(
    grid: PatchGrid | list[PatchGrid], objective: PhysicsObjective | None = None, **settings
) -> PhysicsTrainer:
    """A trainer after two epochs."""
    trainer = PhysicsTrainer(
        small(), objective or PhysicsObjective(TotalVariation()), batch_size=20, **settings
    )
    trainer.fit(grid, 2, progress=False)
    return trainer
