"""Labels by wall energy: walls in the middle, no third domain along them, evidence over walls."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from phyvae import SiteGraph
from phyvae.domains.metrics import adjusted_rand_index, match_labels
from phyvae.domains.segmentation import segment
from phyvae.domains.series import Series
from phyvae.domains.wall_energy import domain_means

FLIPS = [np.flipud, np.fliplr, np.transpose, np.rot90]


def noisy(domains, noise=0.1, seed=0):
    """A map that takes the value of its domain, plus noise."""
    return domains + noise * np.random.default_rng(seed).normal(size=np.shape(domains))


def halves(rows=20, cols=24, at=11):
    return np.repeat([np.arange(cols) >= at], rows, axis=0).astype(int)


class TestLaws:
    @pytest.mark.parametrize("flip", FLIPS)
    def test_maps_flip_together_with_the_labels(self, flip):
        truth = np.array([[0, 0, 1], [0, 2, 1]]).repeat(9, axis=0).repeat(8, axis=1)
        maps = noisy(np.array([[0, 0, 1], [0, 1, 1]])[:, truth], 0.5, seed=1)
        flipped = np.stack([flip(channel) for channel in maps])
        np.testing.assert_array_equal(segment(flipped, 3), flip(segment(maps, 3)))

    def test_the_unit_of_all_channels_does_not_matter(self):
        maps = noisy(np.stack([halves(), halves(at=5)]), 0.4)
        np.testing.assert_array_equal(segment(1e4 * maps - 3, 3), segment(maps, 3))

    def test_a_map_in_two_parts_is_segmented_as_one_series(self):
        truth = halves()
        maps = noisy(truth, 0.3)[None]
        found = segment([maps[:, :, :10], maps[:, :, 10:]])
        assert adjusted_rand_index(np.concatenate(found, axis=1), truth) == 1
        assert (found[0] == 0).all()

    def test_cells_without_a_patch_have_no_part(self):
        truth = halves()
        maps = noisy(truth, 0.5)[None]
        maps[:, 4:9, 3:18] = np.nan
        labels = segment(maps)
        np.testing.assert_array_equal(labels == -1, np.isnan(maps[0]))
        assert (labels == truth)[labels >= 0].mean() > 0.99


class TestNoise:
    def test_neighbours_decide_where_values_overlap(self):
        truth = halves(30, 34, 15)
        maps = noisy(truth, 0.7)
        assert adjusted_rand_index(segment(maps), truth) > 0.9
        assert adjusted_rand_index(segment(maps, method="gmm"), truth) < 0.5

    def test_four_stripes_stand_out_next_to_a_channel_of_noise(self):
        truth = np.repeat(np.arange(4), 10)[None].repeat(30, axis=0)
        for noise in (0.03, 0.3):
            maps = np.stack([noisy(truth, 0.03), noisy(0 * truth, noise, seed=1)])
            assert adjusted_rand_index(segment(maps, 4), truth) == 1

    @pytest.mark.parametrize("far", [3, 30])
    def test_domains_close_to_each_other_are_found_next_to_one_far_away(self, far):
        truth = np.repeat([0] * 12 + [1] * 12 + [2] * 16, 30).reshape(40, 30).T
        maps = np.stack(
            [noisy(np.array([0, 1, far])[truth], 0.03), noisy(0 * truth, 0.03, seed=1)]
        )
        for some in (maps, maps[:1]):
            assert adjusted_rand_index(segment(some, 3), truth) == 1

    def test_a_channel_counts_by_its_signal(self):
        truth = halves()
        maps = np.stack([noisy(truth, 0.3), noisy(2 * halves(at=18), 0.3, seed=1)])
        assert adjusted_rand_index(segment(maps, signal=[0.9, 0.02]), truth) > 0.95
        assert adjusted_rand_index(segment(maps, signal=[0.02, 0.9]), halves(at=18)) > 0.95


class TestCellsAtAWall:
    @pytest.mark.parametrize("share", [0.3, 0.7])
    def test_they_go_to_the_side_that_they_are_nearer_to(self, share):
        maps = noisy(halves(), 0.01)
        maps[:, 11] = noisy(np.full(20, share), 0.01, seed=1)
        expected = halves(at=11 if share > 0.5 else 12)
        np.testing.assert_array_equal(segment(maps), expected)

    def test_a_wall_over_several_cells_is_in_its_middle(self):
        disc = (np.hypot(*np.mgrid[-18:22, -20:26]) < 14).astype(int)
        maps = noisy(ndimage.uniform_filter(disc.astype(float), 5), 0.01)
        assert adjusted_rand_index(segment(maps), disc) > 0.97

    def test_they_never_go_to_a_third_domain(self):
        rng = np.random.default_rng(0)
        truth = np.zeros((30, 30), dtype=int)
        truth[:15, 12:], truth[15:, 12:] = 1, 2
        maps = np.array([[-1.7, 0.75], [0.9, 0.75], [0.0, -1.4]])[truth]
        maps = maps + np.array([0.03, 0.03, 0.2])[truth, None] * rng.normal(size=(30, 30, 2))
        maps[:, 12] = (maps[:, 11] + maps[:, 13]) / 2 + 0.1
        labels = match_labels(segment(maps.transpose(2, 0, 1), 3), truth)
        np.testing.assert_array_equal(np.delete(labels, 12, 1), np.delete(truth, 12, 1))
        for row in (*range(13), *range(17, 30)):
            assert labels[row, 12] in (truth[row, 11], truth[row, 13])


class TestIsolatedCells:
    @pytest.mark.parametrize("graph", [False, True])
    def test_strong_evidence_outweighs_the_walls_around_a_cell(self, graph):
        rng = np.random.default_rng(3)
        sites = rng.uniform(0, 90, (600, 2))
        regions = sites[:, 0] > 45
        truth = (regions ^ (rng.random(600) < 0.05)).astype(int)
        maps = noisy(truth, 0.1)[None]
        if graph:
            found = segment(maps[:, None], graph=SiteGraph.delaunay(sites))[0]
        else:
            truth = truth.reshape(20, 30)
            found = segment(maps.reshape(1, 20, 30))
        np.testing.assert_array_equal(found, truth)

    def test_frequent_strays_are_kept_as_well_as_without_neighbours(self):
        rng = np.random.default_rng(5)
        sites = rng.uniform(0, 90, (600, 2))
        stray = rng.random(600) < 0.05
        truth = (stray ^ (sites[:, 0] > 45)).astype(int)
        maps = noisy(truth, 0.2)[None, None]
        found = segment(maps, graph=SiteGraph.delaunay(sites))[0]
        assert (found == truth)[stray].mean() > 0.8
        assert (found != truth).sum() <= (segment(maps)[0] != truth).sum()

    def test_an_outlier_of_all_domains_goes_with_its_neighbours(self):
        maps = np.stack([noisy(halves(), 0.05), noisy(0 * halves(), 0.05, seed=1)])
        maps[:, 5, 5], maps[:, 9, 16] = [0.5, 30.0], [0.5, -30.0]
        np.testing.assert_array_equal(segment(maps), halves())

    def test_a_row_without_a_graph_has_no_neighbours(self):
        truth = np.random.default_rng(1).integers(0, 2, (1, 300))
        np.testing.assert_array_equal(segment(noisy(truth, 0.15)), truth)


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_a_map_of_two_values_has_two_labels_however_many_are_asked(classes):
    np.testing.assert_array_equal(segment(halves(), classes), halves())


def test_the_state_of_torch_is_left_alone():
    threads = torch.get_num_threads()
    segment(noisy(halves()))
    assert torch.get_num_threads() == threads


@pytest.mark.slow
def test_forty_thousand_cells_of_four_domains():
    truth = np.add.outer(2 * (np.arange(200) > 90), np.arange(200) > 110)
    maps = noisy(np.array([[0, 1, 0, 1], [0, 0, 1, 1]])[:, truth], 0.6)
    assert adjusted_rand_index(segment(maps, 4), truth) > 0.98


class TestDomainMeans:
    @staticmethod
    def listed(maps):
        return Series([maps], [np.ones(maps.shape[1:], bool)], [None])

    def means(self, maps, labels):
        series = self.listed(maps)
        return domain_means(series.values(), labels.ravel(), series.walls(), np.ones(len(maps)))

    def labels(self, means, maps):
        series = self.listed(maps)
        return means.labels(series.values(), series.walls()).reshape(maps.shape[1:])

    def test_the_values_that_made_them_keep_their_labels(self):
        truth = np.array([[0, 0, 1], [0, 2, 1]]).repeat(9, axis=0).repeat(8, axis=1)
        maps = noisy(np.array([[0, 0, 1], [0, 1, 1]])[:, truth], 0.3, seed=1)
        labels = segment(maps, 3)
        np.testing.assert_array_equal(self.labels(self.means(maps, labels), maps), labels)

    def test_a_label_is_the_same_domain_wherever_it_lies(self):
        maps = noisy(halves(at=15), 0.3)[None]
        means = self.means(maps, 4 + 3 * halves(at=15))
        other = noisy(1 - halves(at=5), 0.3, seed=1)[None]
        assert (self.labels(means, other) == 7 - 3 * halves(at=5)).mean() > 0.99

    def test_a_domain_that_is_not_there_has_no_label(self):
        means = self.means(noisy(halves(), 0.3)[None], halves())
        assert (self.labels(means, noisy(np.ones((20, 24)), 0.3, seed=1)[None]) == 1).all()

    def test_neighbours_decide_where_values_overlap(self):
        means = self.means(noisy(halves(30, 34, 15), 0.6)[None], halves(30, 34, 15))
        truth = halves(30, 34, 20)
        other = noisy(truth, 0.6, seed=1)
        assert adjusted_rand_index(self.labels(means, other[None]), truth) > 0.9
        assert adjusted_rand_index((other > 0.5).astype(int), truth) < 0.5
