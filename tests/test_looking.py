"""Looking at a model, saving it and loading it leave it, and everything global, as they were."""

import copy

import matplotlib.pyplot as plt
import numpy as np
import pyro
import pyroved
import pytest
import torch

import phyvae
from phyvae.training.collapse import signals
from small import assert_identical, fit, tiny_grid, tiny_trainer

LABELS = np.repeat([0, 1], [3, 4])[:, None] * np.ones((1, 8), int)
LOOKS = {
    "evaluate": lambda t, g, p: t.evaluate(g),
    "encode": lambda t, g, p: t.model.encode(g.patches.reshape(-1, 6, 6)),
    "decode": lambda t, g, p: t.model.decode(torch.zeros(3, 2)),
    "manifold2d": lambda t, g, p: t.model.manifold2d(3),
    "latent_maps": lambda t, g, p: t.model.latent_maps(g),
    "latent_stds": lambda t, g, p: t.model.latent_stds(g),
    "shifts": lambda t, g, p: t.model.shifts(g),
    "history": lambda t, g, p: (t.history, t.loss_history, t.settings, t.model.settings),
    "plot_patches": lambda t, g, p: phyvae.plot_patches(g),
    "plot_latent_maps": lambda t, g, p: phyvae.plot_latent_maps(t.model.latent_maps(g), LABELS),
    "plot_segmentation": lambda t, g, p: phyvae.plot_segmentation(g, LABELS),
    "plot_distribution": lambda t, g, p: phyvae.plot_distribution(t.model.latent_maps(g), LABELS),
    "plot_manifold": lambda t, g, p: phyvae.plot_manifold(t.model),
    "plot_history": lambda t, g, p: phyvae.plot_history(t.history),
    "DrawMaps": lambda t, g, p: phyvae.DrawMaps(g, p, every=1, classes=2)(t, 1),
    "segment": lambda t, g, p: phyvae.segment(t.model.latent_maps(g), classes=2),
    "save": lambda t, g, p: t.save(p / "run"),
    "save and load": lambda t, g, p: (t.save(p / "run"), phyvae.load_trainer(p / "run")),
    "save and load the model": lambda t, g, p: (
        t.model.save(p / "model"),
        phyvae.load_model(p / "model"),
    ),
    "build another": lambda t, g, p: phyvae.PhysicsTrainer(phyvae.ShiftVAE((6, 6), seed=7)),
}


@pytest.fixture(scope="module")
def trainer():
    trainer = tiny_trainer()
    fit(trainer, 2)
    return trainer


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_looking_changes_nothing(look, trainer, tmp_path):
    grid, model = tiny_grid(), trainer.model
    with pyro.get_param_store().scope():
        mine = pyro.param("mine", torch.ones(2))
        before = copy.deepcopy((model.state_dict(), trainer.optimizer.state_dict()))
        gradients = [parameter.grad.clone() for parameter in model.parameters()]
        # Not Python's own generator: beartype, in the tests, draws from it.
        generators = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
        cudnn = torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark
        pixels = grid.image.clone()

        look(trainer, grid, tmp_path)
        plt.close("all")

        assert list(pyro.get_param_store().keys()) == ["mine"]
        assert pyro.param("mine") is mine or torch.equal(pyro.param("mine"), mine)
    after = model.state_dict(), trainer.optimizer.state_dict()
    assert all(torch.equal(before[0][name], value) for name, value in after[0].items())
    for index, state in before[1]["state"].items():
        assert all(torch.equal(state[name], after[1]["state"][index][name]) for name in state)
    assert before[1]["param_groups"] == after[1]["param_groups"]
    assert all(torch.equal(p.grad, g) for p, g in zip(model.parameters(), gradients, strict=True))
    assert model.training
    assert torch.equal(torch.get_rng_state(), generators[0])
    np.testing.assert_array_equal(np.random.get_state()[1], generators[1])  # noqa: NPY002
    assert (torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark) == cudnn
    assert torch.equal(grid.image, pixels)


def test_looking_between_epochs_leaves_no_trace_in_the_training(tmp_path):
    grid = tiny_grid()
    looks = [look for name, look in LOOKS.items() if "plot" not in name and name != "DrawMaps"]
    weights = []
    for callbacks in ([], [lambda t, _: [look(t, grid, tmp_path) for look in looks]]):
        trainer = tiny_trainer()
        fit(trainer, 2, callbacks=callbacks)
        weights.append(trainer.model.state_dict())
    assert_identical(*weights)


class TestBatchNormalisation:
    """Networks that behave otherwise in training are looked at as after it."""

    def looked_at(self):
        torch.manual_seed(0)
        layers = [(4,), (4, 4), (4, 4)]
        ved = pyroved.models.VED(
            *((6, 6), (16,)), latent_dim=2, hidden_dim_e=layers, hidden_dim_d=layers[::-1],
            batchnorm=True, device="cpu",
        )  # fmt: skip
        model = phyvae.adapt(ved, patch_shape=(6, 6))
        grid = tiny_grid()
        return model, grid.with_known(np.random.default_rng(0).random((*grid.shape, 16)))

    @pytest.mark.filterwarnings("ignore:'bilinear' mode is not supported")
    def test_looks_teach_them_nothing_and_no_batch_size_matters(self):
        model, grid = self.looked_at()
        trainer = phyvae.PhysicsTrainer(model, batch_size=20)
        trainer.step(grid)
        before = copy.deepcopy(model.state_dict())
        assert any("running_mean" in name for name in before)
        objective = phyvae.PhysicsObjective(phyvae.TotalVariation("none"))
        trainer.evaluate(grid)
        signals(trainer.model, [grid])
        model.decode(torch.zeros(3, 2))
        phyvae.refine(model, grid, objective, iterations=1, samples=2, progress=False)
        torch.testing.assert_close(
            model.latent_maps(grid, batch_size=7), model.latent_maps(grid, batch_size=56)
        )
        after = model.state_dict()
        assert all(torch.equal(before[name], value) for name, value in after.items())
        assert all(module.training for module in model.modules())
