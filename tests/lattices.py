"""Small images of a lattice, with one or two domains, and a model of their patches."""

import numpy as np

from phyvae import PatchGrid, ShiftVAE

SHIFT_ONLY = {"content_steps": 0, "decoder_steps": 0, "progress": False}


def square_lattice(period=8.0, shape=(96, 96), noise=0.05, seed=0, weak=0.6):
    """Atoms on the corners of a square cell, weaker ones in its middle."""
    y, x = (2 * np.pi * n / period for n in np.indices(shape))
    image = np.exp(2 * (np.cos(y) + np.cos(x))) - weak * np.exp(-2 * (np.cos(y) + np.cos(x)))
    image = image / image.max() + noise * np.random.default_rng(seed).normal(size=shape)
    return PatchGrid(image, size=16, step=4)


def two_variants(seed=0):
    """A noisy lattice with weak atoms left of the middle, and moved ones right of it."""
    y, x = (2 * np.pi * n / 8 for n in np.indices((96, 96)))
    moved = np.where(np.arange(96) < 48, -0.6, 0.6)
    image = np.exp(2 * (np.cos(y) + np.cos(x)))
    image += 0.5 * np.exp(2 * (np.cos(y + np.pi + moved) + np.cos(x + np.pi)))
    image = image / image.max() + 0.1 * np.random.default_rng(seed).normal(size=image.shape)
    return PatchGrid(image, size=16, step=4)


def small_model(grid, seed=0):
    return ShiftVAE(
        grid.patch_shape, dx_prior=0.3, hidden_dim_e=(64, 64), hidden_dim_d=(16,), seed=seed
    )


def median_steps(model, grid):
    """Return the median change of the shifts from a pixel to the next, along y and along x."""
    shifts = model.shifts(PatchGrid(grid.image, size=16, step=1))
    return float(shifts[0].diff(dim=0).median()), float(shifts[1].diff(dim=1).median())
