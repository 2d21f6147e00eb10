"""The rise of the learning rate."""

import pytest
import torch
from torch.testing import assert_close

import phyvae
from phyvae.training.warmup import Warmup


def moved(steps, taken):
    """Return how far each of a row of steps of one weight goes, at a constant gradient."""
    weight = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
    adam = torch.optim.Adam([weight], lr=0.1, eps=0)
    warmup, places = Warmup(adam, steps), [0.0]
    for _ in range(taken):
        weight.grad = torch.ones_like(weight)
        warmup.step()
        places.append(weight.item())
    return -torch.tensor(places, dtype=torch.float64).diff(), adam, weight


class TestWarmup:
    def test_steps_grow_evenly_to_the_learning_rate(self):
        # At a constant gradient a step of Adam is as long as the learning rate.
        found, adam, _ = moved(4, 6)
        assert_close(found, torch.tensor([0.025, 0.05, 0.075, 0.1, 0.1, 0.1]).double())
        assert adam.param_groups[0]["lr"] == 0.1

    def test_none_is_plain_adam(self):
        assert_close(moved(0, 3)[0], torch.full((3,), 0.1).double())

    def test_goes_on_from_the_steps_that_the_optimiser_has_taken(self):
        _, adam, weight = moved(4, 2)
        before = weight.item()
        weight.grad = torch.ones_like(weight)
        Warmup(adam, 4).step()
        assert before - weight.item() == pytest.approx(0.075, rel=1e-4)


class TestTrainer:
    @pytest.mark.parametrize("warmup", [-1, True])
    def test_refuses_what_is_no_number_of_steps(self, warmup):
        with pytest.raises((ValueError, TypeError), match=f"warmup={warmup}"):
            phyvae.PhysicsTrainer(phyvae.ShiftVAE((6, 6)), warmup=warmup)

    def test_moves_less_in_its_first_epoch(self):
        grid = phyvae.PatchGrid(torch.rand(60, 60), 6, 6)

        def way(warmup):
            model = phyvae.ShiftVAE((6, 6), seed=0)
            before = torch.nn.utils.parameters_to_vector(model.parameters()).detach().clone()
            phyvae.PhysicsTrainer(model, warmup=warmup).step(grid)
            after = torch.nn.utils.parameters_to_vector(model.parameters()).detach()
            return float((after - before).norm())

        assert way(300) < 0.02 * way(0)
