"""Long runs: interrupted, failed or collapsed, nothing is lost; and memory does not grow."""

import json
import signal
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

import phyvae
from phyvae import (
    CollapsedMapsWarning,
    EdgeLoss,
    PatchGrid,
    PhysicsObjective,
    PhysicsTrainer,
    ShiftVAE,
    load_trainer,
)
from phyvae.training import collapse


@pytest.fixture
def ctrl_c():
    """Python's own handler: a shell that starts the tests in the background has none."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def small_grid():
    return PatchGrid(np.random.default_rng(0).random((30, 34)), 6, 4)


def small_model(seed=0, **settings):
    return ShiftVAE((6, 6), hidden_dim_e=(8,), hidden_dim_d=(8,), seed=seed, **settings)


def small_trainer(objective=None, **settings):
    objective = PhysicsObjective(EdgeLoss()) if objective is None else objective
    return PhysicsTrainer(small_model(), objective, batch_size=10, **settings)


def fit(trainer, epochs, **arguments):
    return trainer.fit(small_grid(), epochs, progress=False, **arguments)


def assert_same(one, other):
    """Everything that decides how training goes on is alike, to the bit."""
    adam, adams = (trainer.optimizer.state_dict()["state"] for trainer in (one, other))
    assert adam.keys() == adams.keys()
    for mine, yours in (
        (one.model.state_dict(), other.model.state_dict()),
        (one.objective.state_dict(), other.objective.state_dict()),
        *((adam[key], adams[key]) for key in adam),
    ):
        assert mine.keys() == yours.keys()
        assert all(torch.equal(mine[name], yours[name]) for name in mine)
    assert [row[:-1] for row in one.state.rows] == [row[:-1] for row in other.state.rows]
    assert one.epochs_done == other.epochs_done


class Stops(phyvae.PhysicsLoss):
    """Raise an error in some call; count the calls in a buffer."""

    def __init__(self, at=None, error=KeyboardInterrupt):
        super().__init__()
        self.at, self.error = at, error
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, maps, mask=None):
        if torch.is_grad_enabled():
            self.calls += 1
            if self.calls == self.at:
                self.at = None
                raise self.error("stopped")
        return EdgeLoss()(maps, mask)


class TestAnEpochIsWholeOrNotAtAll:
    @pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, MemoryError])
    @pytest.mark.parametrize("at", [1, 3, 15, 18])  # of 6 steps an epoch
    def test_after_ctrl_c_or_an_error_all_is_as_before_it_and_goes_on_to_the_same_bits(
        self, at, error
    ):
        whole, stopped = (small_trainer(PhysicsObjective(Stops(n, error))) for n in (None, at))
        with pytest.raises(error):
            fit(stopped, 4)
        done = (at - 1) // 6
        assert stopped.epochs_done == len(stopped.history) == done
        if done:
            fit(whole, done)
            assert_same(whole, stopped)
        for trainer in (whole, stopped):
            fit(trainer, 4 - done)
        assert_same(whole, stopped)

    def test_the_interrupt_says_what_is_kept(self):
        trainer = small_trainer(PhysicsObjective(Stops(15)))
        with pytest.raises(KeyboardInterrupt) as stop:
            fit(trainer, 4)
        assert "Training ended after 2 epochs" in stop.value.__notes__[0]
        assert trainer.model.latent_maps(small_grid()).isfinite().all()

    def test_a_signal_in_the_middle_of_training_is_ctrl_c(self, ctrl_c):
        trainer = small_trainer()
        started = threading.Event()

        def interrupt():
            started.wait()
            time.sleep(0.2)
            signal.raise_signal(signal.SIGINT)

        killer = threading.Thread(target=interrupt)
        killer.start()
        with pytest.raises(KeyboardInterrupt):
            fit(trainer, 3000, callbacks=[lambda trainer, epoch: started.set()])
        killer.join()
        again = small_trainer()
        fit(again, trainer.epochs_done)
        assert_same(again, trainer)

    def test_ctrl_c_saves_what_every_had_not_yet(self, tmp_path):
        path, trainer = tmp_path / "run", small_trainer(PhysicsObjective(Stops(15)))
        with pytest.raises(KeyboardInterrupt) as stop:
            fit(trainer, 4, checkpoint=path, every=4)
        assert "The checkpoint has them, too." in stop.value.__notes__[0]
        loaded = load_trainer(path, objective=PhysicsObjective(Stops()))
        assert_same(loaded, trainer)

    def test_ctrl_c_in_the_first_epoch_saves_nothing(self, tmp_path):
        with pytest.raises(KeyboardInterrupt):
            fit(small_trainer(PhysicsObjective(Stops(2))), 4, checkpoint=tmp_path / "run")
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
    def test_a_callback_that_raises_leaves_the_epoch_before_it(self, error):
        def fail(trainer, epoch):
            if epoch == 2:
                raise error

        whole, stopped = small_trainer(), small_trainer()
        with pytest.raises(error):
            fit(stopped, 4, callbacks=[fail])
        fit(whole, 2)
        assert_same(whole, stopped)
        for trainer in (whole, stopped):
            fit(trainer, 2)
        assert_same(whole, stopped)

    def test_a_callback_of_another_form_is_refused_before_work(self, unchecked):
        trainer = small_trainer()
        with pytest.raises(TypeError, match=r"callback=.* must be \(trainer, epochs_done\)"):
            unchecked(
                PhysicsTrainer.fit, trainer, small_grid(), 1, callbacks=[lambda trainer: None]
            )
        assert trainer.epochs_done == 0


class TestSweep:
    def test_ctrl_c_keeps_what_was_trained(self):
        settings = {"stops": PhysicsObjective(Stops(15)), "SL1": PhysicsObjective(EdgeLoss())}
        with pytest.raises(phyvae.SweepInterrupted, match=r"'stops': 2 epochs.* is kept") as stop:
            phyvae.sweep(
                small_grid(), settings, 4, model=small_model, batch_size=10, progress=False
            )
        assert isinstance(stop.value, KeyboardInterrupt)
        trainers = stop.value.sweep.trainers
        assert trainers["stops"].epochs_done == 2
        assert trainers["SL1"].epochs_done >= 2
        alone = small_trainer()
        fit(alone, trainers["SL1"].epochs_done)
        assert_same(alone, trainers["SL1"])
        assert stop.value.sweep.maps.keys() == settings.keys()


class TestCollapse:
    """A model whose encoder is set by hand before each look."""

    def run(self, monkeypatch, signals, kl=None, epochs=10, steps=600):
        """Train with maps that say so much after each epoch; return the warnings by epoch."""
        trainer, seen = small_trainer(lr=1e-12), []
        shares = lambda model, grids: [0.0, signals[trainer.epochs_done - 1]]  # noqa: E731
        monkeypatch.setattr(collapse, "signals", shares)
        epoch = lambda *_: self.epoch(trainer, kl)  # noqa: E731
        monkeypatch.setattr("phyvae.training.trainer.run_epoch", epoch)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            fit(trainer, epochs, steps_per_epoch=steps,
                callbacks=[lambda trainer, epoch: seen.append(len(caught))])  # fmt: skip
        return [w.message for w in caught], seen

    def epoch(self, trainer, kl):
        row = [
            trainer.epochs_done + 1,
            1.0,
            1.0,
            1.0,
            5.0 if kl is None else kl,
            0.0,
            0.1,
            1.0,
            0.1,
        ]
        trainer.state.rows.append(row)
        return {"neg_elbo": 1.0, "psi": 0.1, "beta": 1.0}

    def test_maps_that_say_nothing_are_reported_at_half_time_and_once(self, monkeypatch):
        (warning,), seen = self.run(monkeypatch, [0.1] * 10)
        assert seen == [0] * 5 + [1] * 5
        assert isinstance(warning, CollapsedMapsWarning)
        assert "carry no signal yet: 0.0%, 10.0% of their variance" in str(warning)
        assert "start from a smaller beta" in str(warning)

    def test_a_short_run_has_until_its_end(self, monkeypatch):
        _, seen = self.run(monkeypatch, [0.1] * 10, steps=5)
        assert seen == [0] * 10
        (_,), _ = self.run(monkeypatch, [0.1] * 10, steps=5)

    def test_maps_that_no_longer_say_what_they_did_are_reported_at_once(self, monkeypatch):
        (warning,), seen = self.run(
            monkeypatch, [0.1, 0.7, 0.8, 0.4, 0.1, 0.1, 0.9, 0.1, 0.1, 0.1]
        )
        assert seen == [0] * 5 + [1] * 5
        assert "have collapsed" in str(warning)
        assert "after 5 epochs, and at least half of one map's did after 3" in str(warning)
        assert "Lower strength" in str(warning)

    def test_a_collapsed_posterior_is_called_so(self, monkeypatch):
        (warning,), _ = self.run(monkeypatch, [0.1] * 10, kl=0.02)
        assert "posterior has collapsed onto the prior (KL 0.02 nats per patch)" in str(warning)
        assert "decoder_sig" in str(warning)

    def test_maps_that_form_late_or_waver_are_not_reported(self, monkeypatch):
        wavering = [0.1, 0.2, 0.3, 0.4, 0.6, 0.4, 0.3, 0.3, 0.6, 0.9]
        assert self.run(monkeypatch, wavering) == ([], [0] * 10)

    def test_the_look_changes_nothing(self):
        one, other = small_trainer(), small_trainer()
        other._watch = lambda *_: None
        for trainer in (one, other):
            fit(trainer, 12)
        assert_same(one, other)


@pytest.mark.slow
def test_memory_does_not_grow():
    script = Path(__file__).parents[1] / "memory_of_runs.py"
    run = subprocess.run(
        [sys.executable, script, "20"], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    seen = json.loads(run.stdout)
    assert len({*seen["tensors_alive"].values()}) == 1, seen
    assert seen["grown_MiB"] < 40, seen  # the allocator has not settled in so few epochs
