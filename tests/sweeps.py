"""A sweep of small models, and each of its settings trained alone."""

import phyvae
from phyvae import EdgeLoss, FourierLoss, LinearBeta, PhysicsObjective, Setting, ShiftVAE, sweep
from small import small_grid

SETTINGS = {
    "plain": None,
    "plain, seed 1": Setting(seed=1),
    "SL1": PhysicsObjective(EdgeLoss(), w=0.1),
    "SL1, w = 0": PhysicsObjective(EdgeLoss(), w=0.0),
    "SL2 on one": PhysicsObjective(FourierLoss(), channels=[1], strength=1.0),
    "product": PhysicsObjective(EdgeLoss(), coupling="product"),
    "SL1, seed 1": Setting(PhysicsObjective(EdgeLoss()), seed=1),
    "SL1, own beta": Setting(PhysicsObjective(EdgeLoss()), beta=LinearBeta(0.0, 1.0, 3)),
    "published": PhysicsObjective(EdgeLoss(), coupling="published"),
}
COMMON = {"batch_size": 25, "pixels": 0.5, "sites": 60, "precision": "float32"}


def model(seed):
    return ShiftVAE((8, 8), hidden_dim_e=(32,), hidden_dim_d=(32, 16), seed=seed)


def swept(settings=SETTINGS, grid=None, epochs=3, model=model, **options):
    common = {"batch_size": 25, "pixels": 0.5, "sites": 60, "precision": "float32"}
    grid = small_grid() if grid is None else grid
    keywords = {"beta": 0.1, "progress": False} | common | options
    return sweep(grid, settings, epochs, model=model, **keywords)


def alone(name, grid=None, epochs=3, **options):
    """Train a setting by itself, as `swept` does."""
    setting = SETTINGS[name]
    setting = setting if isinstance(setting, Setting) else Setting(setting)
    common = {"batch_size": 25, "pixels": 0.5, "sites": 60, "precision": "float32"}
    trainer = phyvae.PhysicsTrainer(
        model(setting.seed), setting.objective, seed=setting.seed, **(common | options)
    )
    beta = 0.1 if setting.beta is None else setting.beta
    trainer.fit(small_grid() if grid is None else grid, epochs, beta=beta, progress=False)
    return trainer
