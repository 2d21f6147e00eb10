"""Thresholds of one map by the variance between classes."""

import numpy as np
import pytest
from skimage.segmentation import chan_vese

from phyvae.domains.one_map import chan_vese_labels
from phyvae.domains.segmentation import segment
from random_maps import noisy


class TestOtsu:
    def test_splits_where_the_variance_between_the_classes_is_largest(self):
        values = noisy(np.repeat([0, 1], [70, 30]), 0.4)
        levels = np.round(255 * (values - values.min()) / np.ptp(values))
        between = [
            np.mean(levels <= t)
            * np.mean(levels > t)
            * (levels[levels <= t].mean() - levels[levels > t].mean()) ** 2
            for t in range(255)
        ]
        expected = levels > np.argmax(between)
        labels = segment(values.reshape(10, 10), method="otsu")
        np.testing.assert_array_equal(labels.ravel(), expected)

    @pytest.mark.parametrize("classes", [2, 3, 4])
    def test_many_classes_are_told_apart_in_order_of_value(self, classes):
        truth = np.repeat(np.arange(classes), 8)[None].repeat(6, axis=0)
        np.testing.assert_array_equal(segment(noisy(truth), classes, method="otsu"), truth)

    def test_no_level_of_the_map_is_cut_in_two(self):
        # Otsu's threshold is the centre of a histogram bin; 0.3 is just above one.
        maps = np.repeat([[0.0, 0.3, 1.0]], 10, axis=0)
        np.testing.assert_array_equal(segment(maps, method="otsu")[0], [0, 0, 1])

    @pytest.mark.parametrize("classes", [3, 5])
    def test_a_map_of_fewer_values_than_classes_has_fewer_labels(self, domains, classes):
        np.testing.assert_array_equal(segment(domains, classes, method="otsu"), domains)


@pytest.fixture
def disc():
    y, x = np.mgrid[:20, :26]
    return (np.hypot(y - 8, x - 10) < 6).astype(float)


def test_finds_the_domain_of_the_higher_values(disc):
    noisy = np.clip(disc + np.random.default_rng(0).normal(0, 0.1, disc.shape), 0, 1)
    labels = chan_vese_labels(noisy)
    assert labels.dtype == np.int64
    np.testing.assert_array_equal(labels, disc)


def test_leaves_no_trace_of_a_checkerboard(disc):
    noisy = disc + np.random.default_rng(0).normal(0, 0.4, disc.shape)
    differing = [(found != disc).sum() for found in (chan_vese_labels(noisy), chan_vese(noisy))]
    assert differing[0] <= differing[1]
