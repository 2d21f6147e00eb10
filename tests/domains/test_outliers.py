"""Cells outside all components of a mixture, and where they go."""

from functools import partial

import numpy as np
import pytest
from scipy import ndimage

from phyvae.domains.metrics import adjusted_rand_index, match_labels
from phyvae.domains.outliers import find_outliers
from phyvae.domains.segmentation import segment as segment_by

segment = partial(segment_by, method="gmm")


def noisy(domains, noise=0.1, seed=0):
    """A map that takes the value of its domain, plus noise."""
    return domains + noise * np.random.default_rng(seed).normal(size=domains.shape)


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
