"""A trainer's record, in the manner of pyroVED's trainers."""

from dataclasses import asdict

import pytest
import torch

from phyvae import EdgeLoss, LinearBeta, PhysicsObjective, load_trainer
from phyvae.saving import sealed
from small import (
    assert_identical,
    fit,
    small_grid,
    small_trainer,
    tiny_grid,
    tiny_model,
    tiny_trainer,
    weights,
)


class TestPyroVEDsHabits:
    def test_step_and_statistics(self, capsys):
        trainer, beta = small_trainer(PhysicsObjective(EdgeLoss())), LinearBeta(0.1, 1.0, 2)
        trainer.print_statistics()
        for epoch in range(2):
            trainer.step(small_grid(), scale_factor=beta(epoch))
            trainer.print_statistics()
        lines = capsys.readouterr().out.splitlines()
        assert lines[0] == "No epoch trained yet."
        assert lines[2].startswith("Epoch: 2 Training loss: ")
        assert "beta: 1" in lines[2]
        assert len(trainer.loss_history["training_loss"]) == 2
        assert trainer.epochs_done == 2

    def test_stepping_is_fitting(self):
        a, b = small_trainer(), small_trainer()
        a.fit(small_grid(), epochs=2, beta=0.5, progress=False)
        for _ in range(2):
            b.step(small_grid(), scale_factor=0.5)
        assert_identical(weights(a), weights(b))


class TestAGridHeldOut:
    def test_its_loss_is_that_of_evaluate_and_no_weight_changes(self):
        a, b, held_out = tiny_trainer(), tiny_trainer(), tiny_grid(seed=1)
        fit(a, 2, test_grid=held_out)
        fit(b, 2)
        assert_same_weights_and_losses(a, b)
        assert len(a.loss_history["test_loss"]) == 2
        assert a.loss_history["test_loss"][-1] == a.evaluate(held_out, beta=0.3).loss
        assert b.loss_history["test_loss"] == []

    def test_step_takes_it_second_as_pyroved_does(self, capsys):
        trainer, held_out = tiny_trainer(), [tiny_grid(seed=1), tiny_grid(seed=2)]
        trainer.step(tiny_grid())
        trainer.step(tiny_grid(), held_out, scale_factor=0.5)
        assert trainer.loss_history["test_loss"] == [trainer.evaluate(held_out, beta=0.5).loss]
        trainer.print_statistics()
        assert "Test loss: " in capsys.readouterr().out

    def test_files_keep_it_and_older_ones_had_none(self, tmp_path):
        trainer = tiny_trainer()
        trainer.step(tiny_grid())
        trainer.step(tiny_grid(), tiny_grid(seed=1))
        trainer.save(tmp_path / "a")
        assert load_trainer(tmp_path / "a").loss_history == trainer.loss_history
        record, tensors = sealed.read(tmp_path / "a")
        del record["test_losses"]
        sealed.write(tmp_path / "a", sealed.seal(record, tensors))
        older = load_trainer(tmp_path / "a").loss_history
        assert older == trainer.loss_history | {"test_loss": []}

    def test_an_epoch_that_fails_leaves_none_behind(self, monkeypatch):
        def interrupt(*_):
            raise KeyboardInterrupt

        trainer = tiny_trainer()
        trainer.step(tiny_grid(), tiny_grid(seed=1))
        before = trainer.loss_history
        monkeypatch.setattr("phyvae.training.loop.steps_in_epoch", interrupt)
        with pytest.raises(KeyboardInterrupt):
            trainer.step(tiny_grid(), tiny_grid(seed=1))
        assert trainer.loss_history == before

    def test_patches_of_another_shape_are_refused_before_training(self):
        trainer, other = tiny_trainer(), small_grid()
        with pytest.raises(ValueError, match="grid's patches are"):
            trainer.fit(tiny_grid(), 1, test_grid=other)
        assert trainer.epochs_done == 0


def assert_same_weights_and_losses(a, b):
    assert_identical(weights(a), weights(b))
    assert a.history.loss.tolist() == b.history.loss.tolist()


class TestRecord:
    def test_shows_the_parts_of_the_training(self):
        model = tiny_model()
        trainer = tiny_trainer(model=model)
        assert trainer.model is model is trainer.state.model
        assert trainer.objective is trainer.state.objective
        assert trainer.device == torch.device("cpu")
        assert trainer.settings == asdict(trainer.state.options)
        assert (trainer.epochs_done, len(trainer.history)) == (0, 0)

    def test_another_optimiser_may_take_its_place(self):
        trainer = tiny_trainer()
        trainer.optimizer = torch.optim.SGD(trainer.model.parameters(), lr=0.1)
        assert trainer.state.optimizer is trainer.optimizer
