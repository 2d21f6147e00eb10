"""The same seed, the same bits; and torch's setting is put back."""

import os

import numpy as np
import pytest
import torch

import phyvae
from phyvae.compute import determinism
from small import tiny_grid, tiny_model, tiny_trainer

GRID = tiny_grid()


def fitted(**settings):
    trainer = tiny_trainer(**settings)
    trainer.fit(GRID, 2, progress=False)
    return list(trainer.model.state_dict().values())


def swept():
    settings = {
        "SL1": phyvae.PhysicsObjective(phyvae.EdgeLoss()),
        "plain": phyvae.Setting(seed=1),
    }
    found = phyvae.sweep(GRID, settings, 2, model=tiny_model, batch_size=10, progress=False)
    return [v for model in found.models.values() for v in model.state_dict().values()]


def refined():
    objective = phyvae.PhysicsObjective(phyvae.TotalVariation("none"))
    found = phyvae.refine(tiny_model(), GRID, objective, samples=2, iterations=1, progress=False)
    return [found.maps, found.stds, found.energy]


def aligned():
    model = tiny_model()
    few = {"steps": 5, "content_steps": 5, "decoder_steps": 5}
    found = phyvae.align(model, GRID, progress=False, **few)
    return [*model.state_dict().values(), torch.from_numpy(found.autocorrelations)]


WORK = {
    "fit": fitted,
    "fit, deterministic": lambda: fitted(deterministic=True),
    "sweep": swept,
    "refine": refined,
    "align": aligned,
    "segment": lambda: [torch.from_numpy(phyvae.segment(tiny_model().latent_maps(GRID), 3))],
    "evaluate": lambda: [tiny_trainer().evaluate(GRID).stack()],
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
                tiny_model(), phyvae.PhysicsObjective(loss), deterministic=True
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
        phyvae.PhysicsTrainer(tiny_model(), phyvae.PhysicsObjective(loss)).step(GRID)
        assert {*loss.seen} == {False}

    def test_of_threads_the_last_one_puts_it_back(self):
        settings = {f"seed {s}": phyvae.Setting(seed=s) for s in range(4)}
        before, cores = flags(), torch.get_num_threads()
        try:
            torch.set_num_threads(2)
            phyvae.sweep(
                *(GRID, settings, 3), model=tiny_model, progress=False, deterministic=True
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
                tiny_model(), phyvae.PhysicsObjective(loss), device="cuda", deterministic=True
            )
            trainer.fit(GRID, 3, progress=False)
            ends.append([value.cpu() for value in trainer.model.state_dict().values()])
        assert all(torch.equal(a, b) for a, b in zip(*ends, strict=True))
