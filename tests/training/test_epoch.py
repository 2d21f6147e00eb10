"""One epoch, with an objective whose parts are set by hand."""

import copy
import dataclasses
import math

import pytest
import torch
from torch.testing import assert_close

import phyvae
from phyvae import EdgeLoss, PhysicsObjective, PhysicsTrainer, TotalVariation
from phyvae.patches.known import Patches
from phyvae.training.epoch import Warmup, train_epoch
from phyvae.training.parts import ObjectiveParts
from sites import series, small, trained, with_hole
from small import assert_identical, small_grid, small_trainer, tiny_model, weights

FIELDS = [field.name for field in dataclasses.fields(ObjectiveParts)]


class Scripted:
    """Stands for an objective; each batch is the parts of its step, by name."""

    def backward(self, model, batch, beta):
        gradient = batch.get("gradient", 1.0)
        for parameter in model.parameters():
            parameter.grad = torch.full_like(parameter, gradient) + (
                0 if parameter.grad is None else parameter.grad
            )
        usual = dict.fromkeys(FIELDS, 0.0) | {"beta": beta}
        return ObjectiveParts(*(torch.tensor((usual | batch)[name]) for name in FIELDS))


@pytest.fixture
def train(unchecked):
    def call(batches, model=None, lr=0.1):
        model = tiny_model() if model is None else model
        optimizer = Warmup(torch.optim.SGD(model.parameters(), lr=lr), 0)
        return unchecked(train_epoch, model, Scripted(), optimizer, iter(batches), 0.25)

    return call


class TestMeans:
    def test_are_those_of_the_steps_part_by_part(self, train):
        steps = [{"loss": 1.0, "psi": 0.5}, {"loss": 4.0, "kl": 3.0}, {"loss": 1.0}]
        found = train(steps).parts
        assert list(found) == FIELDS
        expected = dict.fromkeys(FIELDS, 0.0) | {
            "loss": 2.0,
            "psi": 0.5 / 3,
            "kl": 1.0,
            "beta": 0.25,
        }
        assert found == pytest.approx(expected)

    def test_one_that_is_nan_makes_the_mean_nan(self, train):
        found = train([{"loss": 1.0}, {"loss": math.nan}]).parts
        assert math.isnan(found["loss"])
        assert found["psi"] == 0

    def test_of_the_steps_with_a_negative_psi_the_share_is_found(self, train):
        found = train([{"psi": -0.1}, {"psi": 0.3}, {"psi": 0.0}, {"psi": 0.2}])
        assert (found.negative_psi, found.negative_loss) == (0.25, 0.0)

    def test_of_those_with_a_negative_loss_too_but_for_rounding(self, train):
        steps = [{"loss": -1.0}, {"loss": 1.0}, {"loss": -0.99e-2}, {"loss": -1.01e-2}]
        found = train([step | {"neg_elbo": 100.0} for step in steps])
        assert (found.negative_psi, found.negative_loss) == (0.0, 0.5)


class TestSteps:
    def test_each_batch_is_a_step_from_a_gradient_of_its_own(self, train):
        model = tiny_model()
        before = [parameter.detach().clone() for parameter in model.parameters()]
        train([{"gradient": 1.0}, {"gradient": 2.0}], model)
        for parameter, old in zip(model.parameters(), before, strict=True):
            assert_close(parameter.detach(), old - 0.1 * (1.0 + 2.0))


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


class TestEvaluate:
    def test_it_changes_nothing(self):
        grid, trainer = small_grid(), small_trainer(PhysicsObjective(EdgeLoss()))
        trainer.fit(grid, epochs=1, progress=False)
        before = weights(trainer), copy.deepcopy(trainer.optimizer.state_dict())
        one, two = trainer.evaluate(grid), trainer.evaluate(grid)
        assert_identical(before[0], weights(trainer))
        after = trainer.optimizer.state_dict()
        for key, state in before[1]["state"].items():
            assert all(torch.equal(state[k], after["state"][key][k]) for k in state)
        assert torch.equal(one.stack(), two.stack())
        assert all(p.grad is None or p.grad.isfinite().all() for p in trainer.model.parameters())

    def test_the_batch_size_does_not_matter_to_what_is_exact(self):
        grid, trainer = small_grid(), small_trainer(PhysicsObjective(EdgeLoss()))
        one, two = (trainer.evaluate(grid, batch_size=b) for b in (7, 1000))
        for part in ("kl", "floor", "psi"):
            assert_close(getattr(one, part), getattr(two, part))

    def test_psi_is_that_of_the_whole_map(self):
        grid, trainer = small_grid(), small_trainer(PhysicsObjective(EdgeLoss()), tile=4)
        assert_close(trainer.evaluate(grid).psi, EdgeLoss()(trainer.model.latent_maps(grid)))

    def test_the_negative_elbo_is_the_models(self):
        grid, trainer = small_grid(), small_trainer()
        patches = grid.patches.reshape(-1, 8, 8)
        many = [trainer.evaluate(grid, seed=s).neg_elbo for s in range(40)]
        with torch.no_grad():
            direct = [trainer.model.neg_elbo(patches) for _ in range(40)]
        assert_close(torch.stack(many).mean(), torch.stack(direct).mean(), rtol=1e-3, atol=0)


class TestHoles:
    def test_psi_is_that_of_the_masked_map(self):
        grid, objective = with_hole(), PhysicsObjective(TotalVariation())
        trainer = PhysicsTrainer(small(), objective)
        maps = trainer.model.latent_maps(grid)
        expected = objective.physics(maps, grid.mask)
        assert_close(trainer.evaluate(grid).psi, expected, rtol=1e-4, atol=1e-5)
        unmasked = objective.physics(maps.nan_to_num())
        assert abs(float(unmasked - expected)) > 1e-3

    def test_the_elbo_is_that_of_the_patches(self):
        grid = with_hole()
        trainer = PhysicsTrainer(small())
        found = trainer.evaluate(grid)
        patches = grid.gather(grid.indices)
        assert_close(found.kl, trainer.model.posterior(Patches(patches)).kl().mean().detach())
        assert_close(found.reconstruction, found.neg_elbo - found.kl)


class TestSeries:
    def test_evaluate_is_the_mean_over_all_patches_and_their_maps(self):
        grids = series()
        trainer = trained(grids)
        whole, parts = trainer.evaluate(grids), [trainer.evaluate(grid) for grid in grids]
        counts = torch.tensor([float(grid.count) for grid in grids])
        for name in ("kl", "psi", "floor"):
            each = torch.stack([getattr(one, name) for one in parts])
            assert_close(getattr(whole, name), (counts * each).sum() / counts.sum())
        assert_close(vars(trainer.evaluate(grids[:1])), vars(parts[0]))
        with pytest.raises(ValueError, match="empty list"):
            trainer.evaluate([])


def test_step_and_evaluate_name_their_own_argument(unchecked):
    trainer, grid = small_trainer(), small_grid()
    with pytest.raises(TypeError, match="scale_factor='1' must be a number"):
        unchecked(PhysicsTrainer.step, trainer, grid, scale_factor="1")
    with pytest.raises(TypeError, match="beta='1' must be a number"):
        unchecked(PhysicsTrainer.evaluate, trainer, grid, beta="1")
    with pytest.raises(ValueError, match="batch_size=0 must be at least 1"):
        trainer.evaluate(grid, batch_size=0)
