"""Looking at a model, saving it and loading it leave it, and everything global, as they were."""

import copy
import os

import matplotlib.pyplot as plt
import numpy as np
import pyro
import pyroved
import pytest
import torch

import phyvae
from phyvae.compute import determinism
from phyvae.training.collapse import signals

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


GRID = phyvae.PatchGrid(np.random.default_rng(0).random((30, 34)), 6, 4)


def small_model(seed=0):
    return phyvae.ShiftVAE((6, 6), hidden_dim_e=(8,), hidden_dim_d=(8,), seed=seed)


def small_trainer(**settings):
    return phyvae.PhysicsTrainer(
        small_model(), phyvae.PhysicsObjective(phyvae.EdgeLoss()), batch_size=10, **settings
    )


def fitted(**settings):
    trainer = small_trainer(**settings)
    trainer.fit(GRID, 2, progress=False)
    return list(trainer.model.state_dict().values())


def swept():
    settings = {
        "SL1": phyvae.PhysicsObjective(phyvae.EdgeLoss()),
        "plain": phyvae.Setting(seed=1),
    }
    found = phyvae.sweep(GRID, settings, 2, model=small_model, batch_size=10, progress=False)
    return [v for model in found.models.values() for v in model.state_dict().values()]


def refined():
    objective = phyvae.PhysicsObjective(phyvae.TotalVariation("none"))
    found = phyvae.refine(small_model(), GRID, objective, samples=3, iterations=2, progress=False)
    return [found.maps, found.stds, found.energy]


def aligned():
    model = small_model()
    few = {"steps": 5, "content_steps": 5, "decoder_steps": 5}
    found = phyvae.align(model, GRID, progress=False, **few)
    return [*model.state_dict().values(), torch.from_numpy(found.autocorrelations)]


WORK = {
    "fit": fitted,
    "fit, deterministic": lambda: fitted(deterministic=True),
    "sweep": swept,
    "refine": refined,
    "align": aligned,
    "segment": lambda: [torch.from_numpy(phyvae.segment(small_model().latent_maps(GRID), 3))],
    "evaluate": lambda: [small_trainer().evaluate(GRID).stack()],
    "phantom": lambda: [torch.from_numpy(phyvae.phantoms.bfo((160, 160), seed=3).image)],
}


@pytest.mark.parametrize("work", WORK.values(), ids=WORK)
def test_the_same_seed_gives_the_same_bits_whatever_the_global_generators(work):
    torch.manual_seed(1)
    once = work()
    torch.manual_seed(2)
    np.random.seed(3)  # noqa: NPY002 - that nothing draws from it is the point
    twice = work()
    assert all(torch.equal(a, b) for a, b in zip(once, twice, strict=True))


class Asks(phyvae.PhysicsLoss):
    """An edge loss that notes what torch is allowed to do."""

    def __init__(self, fails=False):
        super().__init__()
        self.fails, self.seen = fails, []

    def forward(self, maps, mask=None):
        self.seen.append(torch.are_deterministic_algorithms_enabled())
        if self.fails:
            raise ArithmeticError("mine")
        return phyvae.EdgeLoss()(maps, mask)


def flags():
    cudnn = torch.backends.cudnn
    return (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        cudnn.deterministic,
        cudnn.benchmark,
    )


class TestDeterministic:
    @pytest.mark.parametrize("fails", [False, True])
    @pytest.mark.parametrize("before", [(False, False), (True, True)])
    def test_torchs_setting_holds_in_an_epoch_and_is_put_back(self, fails, before):
        try:
            torch.use_deterministic_algorithms(before[0], warn_only=before[1])
            as_it_was, loss = flags(), Asks(fails)
            trainer = phyvae.PhysicsTrainer(
                small_model(), phyvae.PhysicsObjective(loss), deterministic=True
            )
            between = []
            if fails:
                with pytest.raises(ArithmeticError):
                    trainer.fit(GRID, 2, progress=False)
            else:
                look = [lambda trainer, epoch: between.append(flags())]
                trainer.fit(GRID, 2, progress=False, callbacks=look)
            assert {*loss.seen} == {True}
            assert {*between} <= {as_it_was}
            assert flags() == as_it_was
        finally:
            torch.use_deterministic_algorithms(False)

    def test_without_it_torchs_setting_is_left_alone(self):
        loss = Asks()
        phyvae.PhysicsTrainer(small_model(), phyvae.PhysicsObjective(loss)).step(GRID)
        assert {*loss.seen} == {False}

    def test_of_threads_the_last_one_puts_it_back(self):
        settings = {f"seed {s}": phyvae.Setting(seed=s) for s in range(4)}
        before, cores = flags(), torch.get_num_threads()
        try:
            torch.set_num_threads(2)
            phyvae.sweep(
                *(GRID, settings, 3), model=small_model, progress=False, deterministic=True
            )
        finally:
            torch.set_num_threads(cores)
        assert flags() == before

    def test_cublas_must_have_been_told(self, monkeypatch):
        monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
        with pytest.raises(ValueError, match=r"deterministic=True on cuda.*CONFIG=:4096:8"):
            determinism.check_deterministic(torch.device("cuda"))
        monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        determinism.check_deterministic(torch.device("cuda"))

    @pytest.mark.skipif(
        not torch.cuda.is_available() or "CUBLAS_WORKSPACE_CONFIG" not in os.environ,
        reason="needs CUDA, and CUBLAS_WORKSPACE_CONFIG=:4096:8",
    )
    @pytest.mark.parametrize("loss", [phyvae.EdgeLoss(), phyvae.FourierLoss(), phyvae.Curvature()])
    def test_cuda_repeats_its_bits(self, loss):
        ends = []
        for _ in range(2):
            trainer = phyvae.PhysicsTrainer(
                small_model(), phyvae.PhysicsObjective(loss), device="cuda", deterministic=True
            )
            trainer.fit(GRID, 3, progress=False)
            ends.append([value.cpu() for value in trainer.model.state_dict().values()])
        assert all(torch.equal(a, b) for a, b in zip(*ends, strict=True))


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
        return model, GRID.with_known(np.random.default_rng(0).random((*GRID.shape, 16)))

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


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_looking_changes_nothing(look, tmp_path):
    grid = phyvae.PatchGrid(np.random.default_rng(0).random((30, 34)), 6, 4)
    model = phyvae.ShiftVAE((6, 6), hidden_dim_e=(8,), hidden_dim_d=(8,))
    trainer = phyvae.PhysicsTrainer(model, phyvae.PhysicsObjective(phyvae.EdgeLoss()))
    trainer.fit(grid, 2, progress=False)
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
    grid = phyvae.PatchGrid(np.random.default_rng(0).random((30, 34)), 6, 4)
    looks = [look for name, look in LOOKS.items() if "plot" not in name and name != "DrawMaps"]
    weights = []
    for callbacks in ([], [lambda t, _: [look(t, grid, tmp_path) for look in looks]]):
        model = phyvae.ShiftVAE((6, 6), hidden_dim_e=(8,), hidden_dim_d=(8,))
        trainer = phyvae.PhysicsTrainer(model, phyvae.PhysicsObjective(phyvae.EdgeLoss()))
        trainer.fit(grid, 3, progress=False, callbacks=callbacks)
        weights.append(model.state_dict())
    assert all(torch.equal(weights[0][name], value) for name, value in weights[1].items())
