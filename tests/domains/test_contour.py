"""The Chan-Vese contour of one map."""

import numpy as np
import pytest
from skimage.segmentation import chan_vese

from phyvae.domains.contour import chan_vese_labels


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
