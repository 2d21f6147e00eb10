"""Small grids and trainers that several tests share."""

import numpy as np

from phyvae import PatchGrid, PhysicsTrainer, ShiftVAE


def small_grid(seed=0, noise=0.1, rows=60, cols=56):
    """Two regions, stripes along x and stripes along y."""
    y, x = np.indices((rows, cols))
    image = np.where(x < cols // 2, y % 4 < 2, x % 4 < 2)
    return PatchGrid(image + noise * np.random.default_rng(seed).normal(size=image.shape), 8, 4)


def small_trainer(objective=None, *, seed=0, **settings):
    """A trainer of a small model for `small_grid`."""
    model = ShiftVAE((8, 8), hidden_dim_e=(32,), hidden_dim_d=(32,), seed=seed)
    return PhysicsTrainer(model, objective, seed=seed, **({"batch_size": 25} | settings))
