"""Dead and hot rows and pixels."""

import numpy as np

from phyvae.phantoms.detector import with_faults
from phyvae.phantoms.flaws import Flaws


def test_faults_are_as_many_as_asked_and_change_no_other_pixel():
    image = np.random.default_rng(0).random((60, 80)) + 5.0
    flaws = Flaws(dead_rows=2, hot_rows=3, dead_pixels=7, hot_pixels=11)
    found, faulty = with_faults(image, flaws, np.random.default_rng(1))
    np.testing.assert_array_equal(found[~faulty], image[~faulty])
    rows = faulty.all(axis=1)
    assert rows.sum() == 5
    assert (found[rows] == image.min()).all(axis=1).sum() == 2
    assert (found[rows] > image.max()).all(axis=1).sum() == 3
    pixels = found[faulty & ~rows[:, None]]
    assert len(pixels) == 18
    assert (pixels == image.min()).sum() == 7
    hot = pixels[pixels > image.max() + 0.99 * np.ptp(image)]
    assert len(hot) == 11
    assert hot.max() <= image.max() + 10 * np.ptp(image)


def test_no_fault_is_no_change():
    image = np.random.default_rng(0).random((6, 8))
    found, faulty = with_faults(image, Flaws(), np.random.default_rng(1))
    np.testing.assert_array_equal(found, image)
    assert not faulty.any()
