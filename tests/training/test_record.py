"""A trainer's record, in the manner of pyroVED's trainers."""

import torch

from phyvae import EdgeLoss, LinearBeta, PhysicsObjective
from small import assert_identical, small_grid, small_trainer, tiny_model, tiny_trainer, weights


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


class TestRecord:
    def test_shows_the_parts_of_the_training(self):
        model = tiny_model()
        trainer = tiny_trainer(model=model)
        assert trainer.model is model is trainer.state.model
        assert trainer.objective is trainer.state.objective
        assert trainer.device == torch.device("cpu")
        assert trainer.settings == trainer.state.options.described()
        assert (trainer.epochs_done, len(trainer.history)) == (0, 0)

    def test_another_optimiser_may_take_its_place(self):
        trainer = tiny_trainer()
        trainer.optimizer = torch.optim.SGD(trainer.model.parameters(), lr=0.1)
        assert trainer.state.optimizer is trainer.optimizer
