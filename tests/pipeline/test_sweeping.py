"""A sweep against each of its settings trained alone."""

import threading

import numpy as np
import pytest
import torch
from torch.testing import assert_close

import phyvae
from phyvae import EdgeLoss, PhysicsObjective, PhysicsTrainer, Setting, ShiftVAE, TotalVariation
from phyvae.compute import processes
from phyvae.training.loop import run_epoch
from sites import small, with_hole
from small import assert_same_state, fit, small_grid, tiny_grid, tiny_model, tiny_trainer
from stops import Stops
from sweeps import SETTINGS, alone, model, swept

CORES = torch.get_num_threads()


def without_seconds(history):
    return {k: v for k, v in vars(history).items() if k != "seconds"}


@pytest.fixture(scope="module")
def found():
    return swept()


class TestIsAsIfAlone:
    @pytest.mark.parametrize("name", SETTINGS)
    def test_weights_and_history(self, found, name):
        trainer, one = alone(name), found.trainers[name]
        assert_close(dict(one.model.state_dict()), dict(trainer.model.state_dict()),
                     rtol=1e-3, atol=2e-5)  # fmt: skip
        for key, values in without_seconds(trainer.history).items():
            np.testing.assert_allclose(getattr(one.history, key), values, rtol=1e-4, atol=1e-6)

    def test_trainers_go_on_as_if_alone(self):
        found = swept({name: SETTINGS[name] for name in ("SL1", "SL1, w = 0")}, epochs=2)
        one = found.trainers["SL1"]
        one.fit(small_grid(), 1, beta=0.1, progress=False)
        assert one.epochs_done == 3
        assert_close(dict(one.model.state_dict()), dict(alone("SL1").model.state_dict()),
                     rtol=1e-3, atol=2e-5)  # fmt: skip
        assert one.optimizer.state[next(one.model.parameters())]["step"] == 3 * 7


class TestStarts:
    def test_a_start_is_made_once_for_each_seed(self):
        seeds = []

        def counted(seed):
            seeds.append(seed)
            return model(seed)

        found = swept(model=counted, epochs=1)
        assert sorted(seeds) == [0, 1]
        weights = [one.decoder.out.weight for one in found.models.values()]
        assert len({w.data_ptr() for w in weights}) == len(weights)

    def test_models_of_several_shapes(self):
        def shaped(seed):
            return ShiftVAE((8, 8), latent_dim=1 + seed, hidden_dim_e=(8,), hidden_dim_d=(8,))

        found = swept({str(k): Setting(PhysicsObjective(EdgeLoss()), seed=k) for k in (0, 1)},
                      model=shaped, epochs=1)  # fmt: skip
        assert [len(maps) for maps in found.maps.values()] == [1, 2]

    def test_a_loss_with_a_state_is_each_ones_own(self):
        class Counting(phyvae.PhysicsLoss):
            def __init__(self):
                super().__init__()
                self.register_buffer("calls", torch.zeros(()))

            def forward(self, maps, mask=None):
                self.calls += 1
                return maps.square().mean()

        objective = PhysicsObjective(Counting())
        found = swept({"a": objective, "b": objective}, epochs=1, steps_per_epoch=3)
        assert [t.objective.physics.calls for t in found.trainers.values()] == [3, 3]
        assert objective.physics.calls == 0


class TestThreads:
    def test_as_many_settings_at_a_time_as_cores(self, monkeypatch):
        cores, seen = torch.get_num_threads(), []
        epoch = run_epoch

        def noted(*arguments):
            seen.append((threading.get_ident(), torch.get_num_threads()))
            return epoch(*arguments)

        monkeypatch.setattr("phyvae.pipeline.sweeping.run_epoch", noted)
        torch.set_num_threads(2)
        try:
            swept({"a": None, "b": None, "c": None}, epochs=1)
            assert torch.get_num_threads() == 2
        finally:
            torch.set_num_threads(cores)
        assert len(seen) == 3
        assert {count for _, count in seen} == {1}
        assert threading.get_ident() not in {thread for thread, _ in seen}

    def test_the_bits_are_those_of_one_core(self):
        found = swept({name: SETTINGS[name] for name in ("SL1", "plain")})
        cores = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            trainer = alone("SL1")
        finally:
            torch.set_num_threads(cores)
        assert_close(dict(found.models["SL1"].state_dict()), dict(trainer.model.state_dict()),
                     rtol=0, atol=0)  # fmt: skip

    def test_an_error_of_one_ends_the_sweep(self):
        with pytest.raises(ZeroDivisionError):
            swept({"bad": PhysicsObjective(lambda maps: 1 / 0), "plain": None}, epochs=1)
        assert torch.get_num_threads() == CORES


class BreaksDown(phyvae.PhysicsLoss):
    """Becomes NaN after some steps."""

    def __init__(self, after):
        super().__init__()
        self.left = after

    def forward(self, maps, mask=None):
        self.left -= 1
        return maps.square().mean() * (1 if self.left >= 0 else float("nan"))


class TestStopped:
    def test_the_others_go_on(self):
        settings = {
            "bad": PhysicsObjective(BreaksDown(10)),
            "SL1": SETTINGS["SL1"],
            "product": SETTINGS["product"],
        }
        with pytest.warns(phyvae.StoppedSettingWarning, match="'bad' stopped: The loss became"):
            found = swept(settings)
        assert list(found.stopped) == ["bad"]
        assert [t.epochs_done for t in found.trainers.values()] == [1, 3, 3]
        assert "| bad (stopped) |" in found.table()
        assert_close(dict(found.models["SL1"].state_dict()), dict(alone("SL1").model.state_dict()),
                     rtol=1e-3, atol=2e-5)  # fmt: skip
        assert all(torch.isfinite(p).all() for p in found.models["bad"].parameters())

    def test_one_that_trains_alone(self):
        with pytest.warns(phyvae.StoppedSettingWarning, match="'bad' stopped"):
            found = swept({"bad": PhysicsObjective(BreaksDown(0)), "plain": None}, epochs=1)
        assert [t.epochs_done for t in found.trainers.values()] == [0, 1]

    def test_a_negative_loss_is_refused(self):
        objective = PhysicsObjective(lambda maps: maps.mean() - 10)
        with pytest.raises(ValueError, match=r"must be >= 0") as caught:
            swept({"bad": objective, "plain": None}, epochs=1)
        assert caught.value.__notes__ == ["It was setting 'bad' of the sweep."]

    def test_ctrl_c_keeps_what_was_trained(self):
        settings = {"stops": PhysicsObjective(Stops(15)), "SL1": PhysicsObjective(EdgeLoss())}
        with pytest.raises(phyvae.SweepInterrupted, match=r"'stops': 2 epochs.* is kept") as stop:
            phyvae.sweep(tiny_grid(), settings, 4, model=tiny_model,
                         batch_size=10, pixels=0.5, progress=False)  # fmt: skip
        assert isinstance(stop.value, KeyboardInterrupt)
        trainers = stop.value.sweep.trainers
        assert trainers["stops"].epochs_done == 2
        assert trainers["SL1"].epochs_done >= 2
        one = tiny_trainer(model=tiny_model(0))
        fit(one, trainers["SL1"].epochs_done, beta=1.0)
        assert_same_state(one, trainers["SL1"])
        assert stop.value.sweep.maps.keys() == settings.keys()


def test_maps_that_say_nothing_are_reported_together():
    match = r"maps of 2 of 2 settings carry no signal yet.*'a' \(\d.*'b' \(\d"
    with pytest.warns(phyvae.CollapsedMapsWarning, match=match) as caught:
        swept({"a": None, "b": PhysicsObjective(EdgeLoss())}, epochs=1)
    assert len(caught) == 1


class TestHoles:
    def test_sweep(self):
        grid = with_hole()
        settings = {"one": PhysicsObjective(TotalVariation()), "plain": None}
        found = phyvae.sweep(grid, settings, 1, model=lambda seed: small(), progress=False)
        one = PhysicsTrainer(small(), settings["one"])
        one.fit(grid, 1, progress=False)
        assert_close(found.maps["one"], one.model.latent_maps(grid), equal_nan=True)


class TestRefusals:
    @pytest.mark.parametrize(
        ("arguments", "error", "match"),
        [
            ({"settings": {}}, ValueError, "settings is empty"),
            ({"settings": {"a": Setting(seed=-1)}}, ValueError, r"seed of settings\['a'\]"),
            ({"settings": {"a": Setting(beta=-1.0)}}, ValueError, r"beta of settings\['a'\]=-1.0"),
            ({"settings": {" ": None}}, TypeError, "settings has the name ' '"),
            ({"model": ShiftVAE}, TypeError, "must be a function of a seed"),
            ({"epochs": 0}, ValueError, "epochs=0"),
            ({"steps_per_epoch": 0}, ValueError, "steps_per_epoch=0"),
            ({"model": model(0)}, TypeError, "must be a function of a seed"),
            ({"model": lambda seed: None}, TypeError, "returned an object of type NoneType"),
            ({"model": lambda seed: ShiftVAE((9, 9))}, ValueError, "the grid's patches"),
            ({"lr": 0.0}, ValueError, "lr=0 must be > 0"),
            ({"pixels": 2.0}, ValueError, "pixels=2 is a share"),
            ({"beta": lambda epoch: 1.0 - epoch}, ValueError, "beta=-1.0 at epoch 2"),
            ({"seed": 1}, TypeError, "seed belongs to Setting"),
            (
                {"learning_rate": 0.1},
                TypeError,
                "learning_rate is no keyword.*are lr, warmup, batch_size",
            ),
        ],
    )
    def test_before_any_training(self, arguments, error, match, monkeypatch):
        made, start = [], arguments.get("model", model)

        def noted(seed):
            made.append(seed)
            return start(seed)

        monkeypatch.setattr(
            "phyvae.pipeline.sweeping.run_epoch", lambda *_: pytest.fail("it trained")
        )
        own = "model" in arguments
        with pytest.raises(error, match=match):
            swept(**({} if own else {"model": noted}) | arguments)
        assert not made  # a start may take long

    def test_several_processes(self, monkeypatch):
        monkeypatch.setattr(processes, "world_size", lambda: 2)
        with pytest.raises(RuntimeError, match="one of 2; give each its own settings"):
            swept()
