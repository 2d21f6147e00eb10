"""Small grids, models and trainers that several tests share."""

import numpy as np
import torch

from phyvae import EdgeLoss, PatchGrid, PhysicsObjective, PhysicsTrainer, ShiftVAE


def small_grid(seed=0, noise=0.1, rows=60, cols=56):
    """Two regions, stripes along x and stripes along y."""
    y, x = np.indices((rows, cols))
    image = np.where(x < cols // 2, y % 4 < 2, x % 4 < 2)
    return PatchGrid(image + noise * np.random.default_rng(seed).normal(size=image.shape), 8, 4)


def small_trainer(objective=None, *, seed=0, **settings):
    """A trainer of a small model for `small_grid`."""
    model = ShiftVAE((8, 8), hidden_dim_e=(32,), hidden_dim_d=(32,), seed=seed)
    return PhysicsTrainer(model, objective, seed=seed, **({"batch_size": 25} | settings))


def tiny_grid(seed=0):
    """Noise, 7 x 8 patches of 6 x 6 pixels, for tests to which the maps do not matter."""
    return PatchGrid(np.random.default_rng(seed).random((30, 34)), 6, 4)


def tiny_model(seed=3, **settings):
    """A model for `tiny_grid`."""
    sizes = {"hidden_dim_e": (8,), "hidden_dim_d": (9,), "dx_prior": 0.3}
    return ShiftVAE((6, 6), seed=seed, **(sizes | settings))


def tiny_trainer(objective=None, *, model=None, **settings):
    """A trainer for `tiny_grid`, of six steps an epoch."""
    model = tiny_model() if model is None else model
    objective = PhysicsObjective(EdgeLoss()) if objective is None else objective
    return PhysicsTrainer(model, objective, **({"batch_size": 10, "pixels": 0.5} | settings))


def fit(trainer, epochs, grid=None, **settings):
    """Train on `tiny_grid`, or another one."""
    grid = tiny_grid() if grid is None else grid
    return trainer.fit(grid, epochs, **({"beta": 0.3, "progress": False} | settings))


def state(trainer):
    """Everything that decides how a trainer goes on."""
    tensors = {**trainer.model.state_dict(), **trainer.objective.state_dict()}
    optimizer = trainer.optimizer.state_dict()
    for index, values in optimizer["state"].items():
        tensors |= {f"{index} {name}": value for name, value in values.items()}
    groups = [{k: v for k, v in g.items() if k != "params"} for g in optimizer["param_groups"]]
    rows = [row[:-1] for row in trainer.state.rows]  # the seconds differ
    return tensors, groups, rows, trainer.settings, trainer.epochs_done


def assert_same_state(one, other):
    """Fail unless two trainers go on alike, to the bit."""
    (tensors, *rest), (tensors_, *rest_) = state(one), state(other)
    assert_identical(tensors, tensors_)
    assert rest == rest_


def weights(trainer):
    """A copy of the model's weights."""
    return {k: v.clone() for k, v in trainer.model.state_dict().items()}


def assert_identical(one, other):
    """Fail unless two dictionaries of tensors are alike, to the bit."""
    assert one.keys() == other.keys()
    for name in one:
        assert one[name].dtype == other[name].dtype
        assert torch.equal(one[name], other[name]), name
