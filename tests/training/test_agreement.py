"""A training of two processes, which have run tests/two_processes.py."""

import pytest
import torch

import phyvae
import two_processes
from phyvae.models.options import Decoding
from phyvae.training.batches import Batch, random_pixels
from phyvae.training.loop import mixed_seed
from phyvae.training.tiles import TileSampler, steps_over
from two_processes import small_grid, small_trainer, state, without_seconds

folder, both = two_processes.folder, two_processes.both


def assert_same(one, other):
    assert one.keys() == other.keys()
    for name in one:
        assert torch.equal(one[name], other[name]), name


class TestTraining:
    @pytest.mark.parametrize("run", ["trained", "one step", "resumed", "stepped", "counting"])
    def test_ends_with_the_same_bits_in_both(self, both, run):
        assert_same(both[0][run], both[1][run])

    def test_the_epochs_share_out_what_is_decoded(self, both):
        grid = small_grid()
        for epoch in range(2):
            # 110 patches in batches of 10 are 11 steps; with a twelfth, both have 6.
            steps = [see["decoded"][6 * epoch : 6 * epoch + 6] for see in both]
            alone = list(steps_over([TileSampler((10, 11), 10, 8)], mixed_seed(1, epoch), 12))
            for i, step in enumerate(alone):
                assert torch.equal(steps[i % 2][i // 2], grid.gather(step.tile[step.batch]))

    def test_a_step_takes_the_mean_of_the_gradients_of_both(self, both):
        trainer, total = small_trainer(), []
        model, grid = trainer.model, small_grid()
        for rank, step in enumerate(
            steps_over([TileSampler((10, 11), 10, 8)], mixed_seed(1, 0), 2)
        ):
            seed = mixed_seed(1, 0, 1) if rank else mixed_seed(1, 0)
            generator = torch.Generator().manual_seed(seed)
            pixels = random_pixels(36, trainer.state.options.pixels, generator)
            decoding = Decoding(pixels, trainer.state.options.dtype(model), generator)
            tile = grid.data(step.tile, model.like)
            model.zero_grad()
            batch = Batch(tile, step.layout, step.batch, decoding=decoding)
            trainer.objective.backward(model, batch, 0.1)
            total.append([parameter.grad.clone() for parameter in model.parameters()])
        for parameter, *gradients in zip(model.parameters(), *total, strict=True):
            parameter.grad = sum(gradients) / 2
        trainer.optimizer.step()
        found = both[0]["one step"]
        assert_same({name: found[name] for name in state(trainer)}, state(trainer))

    def test_the_bits_differ_from_those_of_one_process(self, both):
        trainer = small_trainer()
        two_processes.fit(trainer)
        found = both[0]["trained"]
        assert not torch.equal(found["decoder.out.weight"], state(trainer)["decoder.out.weight"])

    def test_an_epoch_of_step_is_one_of_fit(self, both):
        one, other = (without_seconds(both[0][run]) for run in ("trained", "stepped"))
        assert_same(one, other)


class TestReports:
    def test_one_process_shows_the_bar_prints_and_warns(self, both):
        assert [see["bar"] for see in both] == [True, False]
        assert [see["printed"] for see in both] == [True, False]
        assert [see["warnings"] for see in both] == [["CollapsedMapsWarning"], []]

    def test_callbacks_are_called_in_both(self, both):
        assert [see["epochs"] for see in both] == [[1, 2], [1, 2]]


class TestFiles:
    def test_a_resumed_run_ends_as_one_that_was_not_stopped(self, both):
        one, other = (without_seconds(both[0][run]) for run in ("trained", "resumed"))
        assert_same(one, other)

    def test_the_file_loads_in_one_process_and_goes_on(self, both, folder):
        trainer = phyvae.load_trainer(folder / "both.phyvae")
        assert_same(state(trainer), both[0]["trained"])
        assert trainer.model.state_dict().keys() == small_trainer().model.state_dict().keys()
        trainer = small_trainer()
        history = two_processes.fit(trainer, 3, resume=folder / "both.phyvae")
        assert history.epoch.tolist() == [1, 2, 3]

    def test_a_file_of_one_process_is_gone_on_from(self, both):
        assert [see["from alone"] for see in both] == [[1, 2], [1, 2]]

    def test_a_save_that_fails_fails_in_both(self, both):
        assert both[0]["disk full"] == "OSError: disk full"
        assert both[1]["disk full"] == "RuntimeError: Process 0 of 2 failed. OSError: disk full"

    def test_only_the_first_process_needs_the_folder(self, both):
        assert both[0]["no folder"].startswith("FileNotFoundError: checkpoint=")
        assert both[1]["no folder"].startswith("RuntimeError: Process 0 of 2 failed. FileNotFound")

    def test_a_file_that_one_process_does_not_see_is_refused(self, both):
        assert "epochs_done is 0 here, but 2 in process 0" in both[1]["own file"]
        assert both[0]["own file"].startswith("RuntimeError: Process 1 of 2 failed. ")


class TestFailures:
    def test_a_nan_in_one_process_ends_both_with_the_last_good_weights(self, both):
        for see in both:
            assert see["nan"].startswith("NonFiniteLossError: The loss became NaN or infinite in ")
            assert see["put back"]
        assert both[0]["nan"] == both[1]["nan"]

    @pytest.mark.parametrize("name", ["trainer.lr", "grid.sha256", "beta", "epochs", "checkpoint"])
    def test_processes_that_would_train_something_else_are_refused(self, both, name):
        assert both[1]["unlike"][name].startswith("ValueError: process 1 would train something")
        assert f"{name} is " in both[1]["unlike"][name]
        assert both[0]["unlike"][name].startswith("RuntimeError: Process 1 of 2 failed. ")
