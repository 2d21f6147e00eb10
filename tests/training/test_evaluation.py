import copy

import pytest
import torch
from torch.testing import assert_close

from phyvae import EdgeLoss, PhysicsObjective, PhysicsTrainer, TotalVariation
from phyvae.patches.known import Patches
from sites import series, small, trained, with_hole
from small import assert_identical, small_grid, small_trainer, weights


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
