"""A Gaussian mixture of all channels, each as exact as its signal."""

import warnings
from functools import partial

import numpy as np
import pytest
import torch
from scipy import ndimage
from sklearn.exceptions import ConvergenceWarning

from phyvae.domains.counting import count_domains
from phyvae.domains.metrics import adjusted_rand_index, match_labels
from phyvae.domains.mixture import find_outliers
from phyvae.domains.segmentation import segment as segment_by
from random_maps import noisy

segment = partial(segment_by, method="gmm")
FLIPS = [np.flipud, np.fliplr, np.transpose, np.rot90]


@pytest.fixture
def thirds():
    """Three domains, told apart only by two channels together."""
    domains = np.repeat([[0, 1, 2]], 6, axis=1).repeat(15, axis=0)
    maps = np.array([[0, 0, 1], [0, 1, 1]])[:, domains]
    return domains, noisy(maps, 0.1)


class TestGaussianMixture:
    def test_uses_all_channels_together(self, thirds):
        truth, maps = thirds
        labels = segment(maps, classes=3)
        assert adjusted_rand_index(labels, truth) == 1
        # Domains 0 and 1 are alike in channel 0, and domain 2 is higher.
        assert (labels[truth == 2] == 2).all()

    @pytest.mark.parametrize("flip", FLIPS)
    def test_maps_flip_together_with_the_labels(self, thirds, flip):
        # Overlapping domains, where the restarts would find different optima.
        maps = noisy(thirds[1], 0.5, seed=1)
        flipped = np.stack([flip(channel) for channel in maps])
        np.testing.assert_array_equal(segment(flipped, 3), flip(segment(maps, 3)))

    def test_does_not_let_a_channel_of_large_units_rule(self, thirds):
        _, maps = thirds
        scaled = maps * np.array([1e4, 1e-2])[:, None, None]
        np.testing.assert_array_equal(segment(scaled, 3), segment(maps, 3))

    def test_one_outlier_does_not_hide_the_domains(self):
        truth = np.repeat([[0, 1]], 9, axis=1).repeat(15, axis=0)
        maps = noisy(truth)
        maps[3, 4], truth[3, 4] = 1000, 2
        np.testing.assert_array_equal(segment(maps, 3), truth)

    def test_drops_flat_channels_and_orders_by_the_first_other(self, thirds):
        truth, maps = thirds
        flat = np.random.default_rng(1).random((1, *truth.shape)) * 9e-4
        labels = segment(np.concatenate([flat, maps[1:], maps[:1]]), classes=3)
        assert adjusted_rand_index(labels, truth) == 1
        assert (labels[truth == 0] == 0).all()

    @pytest.mark.parametrize("classes", [2, 3, 5])
    def test_a_map_of_two_values_has_two_labels_however_many_are_asked(self, domains, classes):
        np.testing.assert_array_equal(segment(domains, classes), domains)

    def test_copies_of_a_channel_do_no_harm(self, domains):
        maps = noisy(domains)
        np.testing.assert_array_equal(segment(np.stack([maps, maps, 2 - maps])), domains)

    def test_a_large_map_is_fitted_to_a_part_of_its_cells_with_the_same_labels(
        self, monkeypatch, thirds
    ):
        truth, maps = thirds
        monkeypatch.setattr("phyvae.domains.mixture._FITTED", 60)
        assert adjusted_rand_index(segment(maps, 3), truth) == 1


def test_that_the_mixture_did_not_converge_is_warned_of_with_a_cure_that_works(monkeypatch):
    monkeypatch.setattr("phyvae.domains.mixture._ITERATIONS", 3)
    maps = np.random.default_rng(0).normal(size=(3, 30, 30))
    with pytest.warns(ConvergenceWarning, match=r"4 classes did not converge.*method='walls'"):
        segment(maps, 4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert segment_by(maps, 4, method="walls").shape == (30, 30)
        assert segment(maps, count_domains(maps)).max() == 0


def test_the_outliers_of_a_very_flat_domain_stay_in_it():
    # The flat domain's own Gaussian is so narrow that cells at its wall fit the broad one.
    rng = np.random.default_rng(0)
    truth = np.zeros((40, 40), dtype=int)
    truth[:, 20:] = 1
    maps = np.where(truth == 1, rng.normal(4, 1.0, (40, 40)), rng.normal(0, 0.01, (40, 40)))
    maps[:, 19] = rng.normal(0.8, 0.1, 40)
    second = np.where(truth == 1, rng.normal(0, 1.0, (40, 40)), rng.normal(0, 0.01, (40, 40)))
    labels = segment(np.stack([maps, second]), classes=2)
    assert (labels == truth).mean() > 0.98


class TestSignal:
    def maps(self, noise=0.1, seed=0):
        """The first map shows each cell's class, the second, nearly flat, its region."""
        rng = np.random.default_rng(seed)
        regions = np.repeat([[0, 1]], 15, axis=1).repeat(30, axis=0)
        truth = np.where(rng.random(regions.shape) < 0.1, 1 - regions, regions)
        flat = 0.02 * regions + 1e-4 * rng.normal(size=truth.shape)
        return truth, np.stack([truth + noise * rng.normal(size=truth.shape), flat])

    def test_a_map_without_signal_has_no_weight(self):
        truth, maps = self.maps()
        assert adjusted_rand_index(segment(maps), truth) < 0.9
        labels = segment(maps, signal=[0.96, 0.05])
        np.testing.assert_array_equal(labels, segment(maps[0]))
        assert adjusted_rand_index(labels, truth) == 1
        np.testing.assert_array_equal(segment(maps, signal=torch.tensor([0.96, 0.0])), labels)

    @pytest.mark.parametrize("seed", [0, 1])
    def test_a_map_counts_by_its_signal(self, seed):
        truth, maps = self.maps(noise=0.25, seed=seed)
        alone, both = segment(maps[0]), segment(maps, signal=[0.96, 0.3])
        assert adjusted_rand_index(segment(maps), truth) < 0.7
        assert adjusted_rand_index(both, truth) > adjusted_rand_index(alone, truth)

    def test_signals_nearly_alike_change_nothing(self, thirds):
        truth, maps = thirds
        for signal in ([0.976, 0.974], [0.95, 0.97]):
            assert adjusted_rand_index(segment(maps, 3, signal=signal), truth) == 1

    def test_maps_of_all_signal_are_segmented_as_without_it(self, thirds):
        _, maps = thirds
        np.testing.assert_array_equal(segment(maps, 3, signal=[1, 1]), segment(maps, 3))

    @pytest.mark.parametrize("share", [0.9, 0.5, 0.1])
    def test_noise_that_all_channels_have_changes_nothing(self, share):
        _, maps = self.maps()
        np.testing.assert_array_equal(segment(maps, 3, signal=[share] * 2), segment(maps, 3))
        np.testing.assert_array_equal(segment(maps[0], signal=[share]), segment(maps[0]))

    def test_noise_is_that_of_the_maps_own_unit(self):
        _, maps = self.maps()
        larger = np.array([100.0, 0.01])[:, None, None] * maps + 3
        signal = [0.9, 0.4]
        np.testing.assert_array_equal(segment(larger, signal=signal), segment(maps, signal=signal))

    def test_maps_without_signal_are_one_domain(self, domains):
        assert not segment(domains, signal=[0.0]).any()

    @pytest.mark.parametrize(
        ("signal", "method"),
        [([0.5], "gmm"), ([0.5, 1.5], "gmm"), ([0.5, np.nan], "gmm"), ([-0.1, 1], "gmm")],
    )
    def test_other_numbers_are_refused(self, signal, method):
        with pytest.raises(ValueError, match="must be 2 numbers from 0 to 1, a share for each"):
            segment(self.maps()[1], method=method, signal=signal)

    def test_a_threshold_makes_no_use_of_it(self, domains):
        with pytest.raises(ValueError, match="goes with method='walls' or 'gmm'"):
            segment(domains, method="otsu", signal=[0.5])


class TestCellsAtAWall:
    """Patches that a wall crosses show two domains, and no component holds them."""

    def three(self):
        """Domain 0 left, 1 and 2, the broadest, right; cells astride the walls; the truth."""
        rng = np.random.default_rng(0)
        truth = np.zeros((30, 30), dtype=int)
        truth[:15, 12:], truth[15:, 12:] = 1, 2
        centres = np.array([[-1.7, 0.75], [0.9, 0.75], [0.0, -1.4]])
        maps = centres[truth] + np.array([0.03, 0.03, 0.2])[truth, None] * rng.normal(
            size=(30, 30, 2)
        )
        crossed = np.zeros(truth.shape, dtype=bool)
        crossed[:, 12] = True
        # Of the column, as much of one domain as of the other; 0.3 from the straight line.
        maps[:, 12] = (maps[:, 11] + maps[:, 13]) / 2 + 0.3
        return maps.transpose(2, 0, 1), truth, crossed

    def test_they_never_go_to_a_third_domain(self):
        maps, truth, crossed = self.three()
        labels = match_labels(segment(maps, 3), truth)
        np.testing.assert_array_equal(labels[~crossed], truth[~crossed])
        for row in (*range(14), *range(17, 30)):
            assert labels[row, 12] in (truth[row, 11], truth[row, 13])

    @pytest.mark.parametrize(("power", "least"), [(1, 0.99), (2, 0.88)])  # else 0.98 and 0.85
    def test_a_curved_wall_is_where_it_is(self, power, least):
        y, x = np.mgrid[:40, :46]
        disc = (np.hypot(y - 18, x - 20) < 14).astype(int)
        share = ndimage.uniform_filter(disc.astype(float), 3)  # of the disc, in a patch
        labels = segment(noisy(share**power, 0.01, seed=1))  # latents need not be proportional
        assert adjusted_rand_index(labels, disc) > least


class TestFindOutliers:
    def clusters(self, seed=0):
        rng = np.random.default_rng(seed)
        labels = np.repeat([0, 1], 500)
        centres = np.array([[0.0, 0.0], [4.0, 1.0]])
        return centres[labels] + rng.normal(0, [0.1, 0.3], (1000, 2)), labels

    def test_cells_of_the_components_are_none(self):
        features, labels = self.clusters()
        assert not find_outliers(features, labels, np.zeros(2)).any()

    def test_cells_between_the_components_are(self):
        features, labels = self.clusters()
        features[::20] = (2.0, 0.5)
        expected = np.arange(1000) % 20 == 0
        np.testing.assert_array_equal(find_outliers(features, labels, np.zeros(2)), expected)

    def test_noise_widens_every_component(self):
        features, labels = self.clusters()
        features[::20] = (2.0, 0.5)
        assert not find_outliers(features, labels, np.ones(2)).any()

    def test_a_single_component_has_none(self):
        features, labels = self.clusters()
        assert not find_outliers(features, 0 * labels, np.zeros(2)).any()
