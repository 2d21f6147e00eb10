"""An image with sites on a rectangular lattice that several tests share."""

import numpy as np

from phyvae import PatchGrid

SHAPE = (110, 90)
IMAGE = np.random.default_rng(0).random(SHAPE)


def net(noise=0.3, step=(11.0, 9.0), seed=1):
    """Sites of a rectangular lattice, rows and columns of them, shape (rows, cols, 2)."""
    lines = [np.arange(step[k] / 2, SHAPE[k], step[k]) for k in (0, 1)]
    sites = np.stack(np.meshgrid(*lines, indexing="ij"), axis=-1)
    return sites + np.random.default_rng(seed).uniform(-noise, noise, sites.shape)


def grid_of(sites=None, size=(7, 5), **options):
    sites = net() if sites is None else sites
    return PatchGrid.at(IMAGE, sites.reshape(-1, 2), size, **options)
