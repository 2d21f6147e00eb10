"""The quality of maps without labels: the same patches and noise each time."""

import numpy as np
import pytest
import torch
from scipy.stats import ortho_group

from phyvae import PatchGrid
from phyvae.training.quality import distant_pairs, mutual_information, quality_of, sample_of
from sites import with_hole, without_lattice
from small import assert_identical, small_grid, small_trainer, weights


def correlated(rho, n=20000, seed=0):
    """Pairs of latents, each of its own correlation."""
    rho, rng = np.array(rho), np.random.default_rng(seed)
    common, *own = rng.normal(size=(3, n, len(rho)))
    return [rho**0.5 * common + (1 - rho) ** 0.5 * noise for noise in own]


class TestMutualInformation:
    @pytest.mark.parametrize("alike", [0.5, 0.7, 0.95, 1.0])
    def test_is_that_of_pairs_of_two_values(self, alike):
        rng = np.random.default_rng(0)
        one, same = rng.random(20000) < 0.5, rng.random(20000) < alike
        two = np.where(same, one, ~one)
        table = np.histogram2d(one, two, 2)[0] / len(one)
        chance = np.outer(table.sum(1), table.sum(0))
        expected = (table * np.log(np.maximum(table, 1e-12) / chance)).sum()
        found = mutual_information(*(each[:, None].astype(float) for each in (one, two)))
        assert found == pytest.approx(expected, abs=1e-3)

    def test_is_the_sum_over_maps(self):
        both = mutual_information(*correlated([0.5, 0.8]))
        each = [mutual_information(*correlated([rho])) for rho in (0.5, 0.8)]
        assert both == pytest.approx(sum(each), abs=0.02)

    def test_a_slow_change_has_hardly_more_than_domains(self):
        wall, slope = np.arange(400) > 200, np.arange(400) / 100
        of_walls, of_slope = (
            mutual_information(each[:-10, None], each[10:, None])
            for each in (wall.astype(float), slope)
        )
        assert of_walls < of_slope < min(1.2 * of_walls, np.log(2))

    def test_any_mixture_of_the_maps_has_the_same(self):
        one, two = correlated([0.2, 0.5, 0.9])
        mixture = ortho_group.rvs(3, random_state=0) @ np.diag([1.0, 5.0, 0.1])
        mixed = mutual_information(one @ mixture + 3, two @ mixture + 3)
        assert mixed == pytest.approx(mutual_information(one, two), rel=1e-2)

    def test_of_flat_maps_and_of_too_few_pairs_is_zero(self):
        assert mutual_information(np.ones((50, 2)), np.ones((50, 2))) == 0
        assert mutual_information(np.ones((1, 2)), np.zeros((1, 2))) == 0

    def test_a_constant_map_and_classes_that_add_up_to_one_are_no_obstacle(self):
        one, two = correlated([0.6])
        expected = mutual_information(one, two)
        for other in (lambda z: 0 * z, lambda z: 1 - z):
            both = (np.concatenate([z, other(z)], 1) for z in (one, two))
            assert mutual_information(*both) == pytest.approx(expected, rel=1e-4)


def every_pair(grid):
    return distant_pairs(grid, np.arange(grid.count))


class TestDistantPairs:
    @pytest.mark.parametrize(("size", "step"), [(8, 4), (7, 3), (8, 8), (6, 10), (9, 1)])
    def test_are_next_to_each_other_and_share_no_pixel(self, size, step):
        grid = PatchGrid(np.random.default_rng(0).random((50, 60)), size, step)
        pairs = every_pair(grid)
        y, x = np.abs(np.diff(np.stack(np.divmod(pairs, grid.shape[1])), axis=2))[..., 0]
        cells = -(-size // step)
        assert {*zip(y, x, strict=True)} == {(0, cells), (cells, 0)}
        rows, cols = grid.shape
        assert len(pairs) == (rows - cells) * cols + rows * (cols - cells)

    @pytest.mark.parametrize("grid", [with_hole(), without_lattice()], ids=["hole", "graph"])
    def test_of_sites_share_no_pixel_either(self, grid):
        centers = grid.centers.reshape(-1, 2)
        centers = centers[np.isfinite(centers).all(1)]
        pairs = every_pair(grid)
        apart = np.abs(centers[pairs[:, 0]] - centers[pairs[:, 1]]).max(1)
        assert len(pairs) > grid.count / 3
        assert grid.patch_shape[0] - 1e-6 <= apart.min()
        assert apart.max() < grid.patch_shape[0] + 2 * max(grid.step)

    def test_of_spectra_are_those_of_neighbouring_pixels(self):
        grid = PatchGrid.from_spectra(np.random.default_rng(0).random((8, 9, 20)))
        assert len(every_pair(grid)) > 50

    def test_of_a_grid_smaller_than_two_patches_there_are_none(self):
        grid = PatchGrid(np.random.default_rng(0).random((12, 12)), 8, 2)
        assert len(every_pair(grid)) == 0
        (sample,) = sample_of([grid])
        assert len(sample.index) == 9
        found = quality_of(small_trainer().model, [sample], 1.0)
        assert found.information == 0
        assert np.isfinite(found.neg_elbo(1.0)).all()


class TestQuality:
    def test_is_the_same_each_time_and_changes_nothing(self):
        trainer, grid = small_trainer(), small_grid()
        before, random = weights(trainer), torch.get_rng_state()
        one, other = (quality_of(trainer.model, sample_of([grid]), 0.5) for _ in range(2))
        assert one == other
        assert_identical(weights(trainer), before)
        assert torch.equal(torch.get_rng_state(), random)

    def test_neg_elbo_is_that_of_the_whole_grid_on_average(self):
        trainer, grid = small_trainer(), small_grid()
        found = quality_of(trainer.model, sample_of([grid]), 1.0).neg_elbo(0.3).mean()
        assert found == pytest.approx(float(trainer.evaluate(grid, beta=0.3).neg_elbo), rel=0.02)

    def test_of_several_grids_takes_patches_of_all(self):
        grids = [small_grid(seed) for seed in range(3)]
        samples = sample_of(grids)
        assert all(len(sample.pairs) > 100 for sample in samples)
        assert len(quality_of(small_trainer().model, samples, 1.0).kl) == 15
