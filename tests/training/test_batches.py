"""What a step samples instead of computing it in full: patches, sites, pixels, noise."""

import pytest
import torch
from torch.testing import assert_close

from phyvae import EdgeLoss, PhysicsObjective
from phyvae.training.batches import Tiles, batches, random_pixels
from phyvae.training.tiles import TileSampler, steps_over
from small import small_grid, small_trainer, tiny_grid, tiny_model


class TestTiles:
    def tiles(self):
        return Tiles([tiny_grid(), tiny_grid(1)], tiny_model().like)

    def test_are_the_patches_of_their_grid(self):
        index = torch.tensor([3, 0, 55])
        for number in (0, 1):
            found = self.tiles()(number, index).pixels
            assert_close(found, tiny_grid(number).patches.reshape(-1, 6, 6)[index])

    def test_the_last_one_is_kept_and_no_other(self):
        tiles, index = self.tiles(), torch.tensor([3, 0, 55])
        first = tiles(0, index)
        assert tiles(0, index.clone()) is first
        others = tiles(1, index), tiles(1, index.flip(0)), tiles(0, index)
        assert all(other is not first for other in others)
        assert_close(others[2].pixels, first.pixels)
        assert torch.equal(others[1].pixels, others[0].pixels.flip(0))


class TestRandomPixels:
    def sample(self, count, share, seed=0):
        return random_pixels(count, share, torch.Generator().manual_seed(seed))

    def test_are_so_many_distinct_ones(self):
        found = self.sample(36, 0.3)
        assert len(found.unique()) == len(found) == round(0.3 * 36)
        assert found.min() >= 0
        assert found.max() < 36

    def test_all_of_them_are_none(self):
        assert self.sample(36, 1.0) is None

    def test_are_at_least_one(self):
        assert len(self.sample(36, 1e-6)) == 1

    def test_each_is_as_likely_as_any_other(self):
        found = torch.cat([self.sample(12, 0.25, seed) for seed in range(2000)])
        shares = torch.bincount(found, minlength=12) / 2000
        assert (shares - 0.25).abs().max() < 5 * (0.25 * 0.75 / 2000) ** 0.5


class TestBatches:
    def made(self, share=0.5, seed=4):
        steps = steps_over([TileSampler((7, 8), batch_size=10, sites=20)], 1)
        tiles = Tiles([tiny_grid()], tiny_model().like)
        return list(batches(tiles, steps, share, torch.float32, seed))

    def test_are_those_of_the_steps(self):
        steps = list(steps_over([TileSampler((7, 8), batch_size=10, sites=20)], 1))
        made, grid = self.made(), tiny_grid()
        assert len(made) == len(steps)
        for batch, step in zip(made, steps, strict=True):
            assert_close(batch.tile.pixels, grid.gather(step.tile))
            assert torch.equal(batch.decoded, step.batch)
            assert torch.equal(batch.sites, step.sites)
            assert batch.layout.shape == (7, 8)

    def test_pixels_and_noise_are_other_ones_in_each_and_come_from_the_seed(self):
        one, same, other = self.made(), self.made(), self.made(seed=5)
        pixels = [batch.decoding.pixels for batch in one]
        assert all(torch.equal(a, b.decoding.pixels) for a, b in zip(pixels, same, strict=True))
        assert not torch.equal(pixels[0], pixels[1])
        assert not torch.equal(pixels[0], other[0].decoding.pixels)

    def test_the_whole_patch_is_no_choice_of_pixels(self):
        assert {batch.decoding.pixels for batch in self.made(share=1.0)} == {None}


class TestTraining:
    def test_the_objective_gets_the_sites(self, monkeypatch):
        trainer, seen = small_trainer(PhysicsObjective(EdgeLoss()), sites=40), []
        backward = trainer.objective.backward

        def watched(model, batch, beta):
            seen.append(batch.sites)
            return backward(model, batch, beta)

        monkeypatch.setattr(trainer.objective, "backward", watched)
        trainer.step(small_grid())
        assert seen
        assert all(len(sites) == 40 for sites in seen)

    def test_every_epoch_draws_other_patches_pixels_and_noise(self, monkeypatch):
        trainer, seen = small_trainer(pixels=0.5), []
        backward = trainer.objective.backward

        def watched(model, batch, beta):
            noise = batch.decoding.generator.get_state()
            seen.append((batch.tile.pixels, batch.decoding.pixels, noise))
            return backward(model, batch, beta)

        monkeypatch.setattr(trainer.objective, "backward", watched)
        for _ in range(2):
            trainer.step(small_grid(), steps_per_epoch=1)
        first, second = seen
        assert not any(torch.equal(*pair) for pair in zip(first, second, strict=True))

    def test_fewer_sites_train_another_model_to_a_similar_loss(self):
        grid, losses = small_grid(), []
        for sites in (1, 10**6):
            trainer = small_trainer(PhysicsObjective(EdgeLoss()), sites=sites)
            for _ in range(5):
                trainer.step(grid)
            losses.append(float(trainer.evaluate(grid).neg_elbo))
        assert losses[0] != losses[1]
        assert losses[0] == pytest.approx(losses[1], rel=0.02)
