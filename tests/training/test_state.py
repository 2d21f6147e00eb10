import torch

from phyvae import EdgeLoss, PhysicsObjective
from small import assert_same_state, fit, tiny_trainer
from stops import Stops


class TestSnapshot:
    def test_going_back_undoes_all_that_epochs_change(self):
        trainer, other = (tiny_trainer(PhysicsObjective(Stops())) for _ in range(2))
        for one in (trainer, other):
            fit(one, 1)
        snapshot = trainer.state.snapshot()
        fit(trainer, 2)
        assert trainer.objective.physics.calls == 18
        trainer.state.go_back(snapshot)
        assert_same_state(trainer, other)
        for one in (trainer, other):
            fit(one, 1)
        assert_same_state(trainer, other)

    def test_of_a_fresh_training_is_fresh(self):
        trainer = tiny_trainer()
        snapshot = trainer.state.snapshot()
        fit(trainer, 1)
        trainer.state.go_back(snapshot)
        assert_same_state(trainer, tiny_trainer())

    def test_is_a_copy_which_later_steps_leave_alone(self):
        trainer = tiny_trainer()
        fit(trainer, 1)
        snapshot, weight = trainer.state.snapshot(), trainer.model.decoder.out.weight
        before = weight.detach().clone()
        fit(trainer, 1)
        assert torch.equal(snapshot[0][0]["decoder.out.weight"], before)
        assert not torch.equal(weight, before)
        assert snapshot[1] == 1


class TestHistory:
    def test_is_of_the_epochs_from_one_on(self):
        state = tiny_trainer(PhysicsObjective(EdgeLoss())).state
        assert (state.epochs_done, len(state.history())) == (0, 0)
        state.rows += [[epoch, *8 * [0.5]] for epoch in (1, 2, 3)]
        assert state.epochs_done == 3
        assert state.history().epoch.tolist() == [1, 2, 3]
        assert state.history(2).epoch.tolist() == [3]
