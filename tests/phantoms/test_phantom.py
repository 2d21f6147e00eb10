"""The result of a simulation."""

import numpy as np
import pytest

from bright_spots import SMALL
from phyvae.phantoms import Flaws, bfo, graphene, nio_lsmo, perovskite


def test_marks_the_pixels_that_show_no_specimen_by_fault():
    phantom = bfo(SMALL, flaws=Flaws(dead_rows=1, hot_pixels=3), dose=None, noise=0.0)
    different = np.abs(phantom.image - phantom.clean) > 1e-6
    assert phantom.faulty.sum() == SMALL[1] + 3
    np.testing.assert_array_equal(different & ~phantom.faulty, False)


def test_is_described_by_its_size_and_its_domains():
    assert repr(bfo(SMALL)).startswith("Phantom(330 x 320 px, lattice=12.6 px, domains: substrate")


def test_its_scan_has_the_lattice_constant_of_the_material():
    for make, constant in ((bfo, 0.396), (nio_lsmo, 0.387), (perovskite, 0.3905)):
        phantom = make(SMALL, lattice=13.0)
        assert phantom.scan.pixel_size == pytest.approx((constant / 13,) * 2)
        assert phantom.scan.image is phantom.image
    tall = bfo(SMALL, flaws=Flaws(pixel_aspect=1.25))
    assert tall.scan.pixel_size == pytest.approx((1.25 * 0.396 / 12.6, 0.396 / 12.6))
    assert graphene((330, 330)).pixel_size == pytest.approx((0.246 / 12.6,) * 2)
