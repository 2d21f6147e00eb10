"""The result of a simulation."""

import numpy as np

from bright_spots import SMALL
from phyvae.phantoms import Flaws, bfo


def test_marks_the_pixels_that_show_no_specimen_by_fault():
    phantom = bfo(SMALL, flaws=Flaws(dead_rows=1, hot_pixels=3), dose=None, noise=0.0)
    different = np.abs(phantom.image - phantom.clean) > 1e-6
    assert phantom.faulty.sum() == SMALL[1] + 3
    np.testing.assert_array_equal(different & ~phantom.faulty, False)


def test_is_described_by_its_size_and_its_domains():
    assert repr(bfo(SMALL)).startswith("Phantom(330 x 320 px, lattice=12.6 px, domains: substrate")
