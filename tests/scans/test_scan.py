"""A scan is an image with its calibration."""

import numpy as np

import phyvae


def test_unit_of_lengths():
    image = np.zeros((3, 4))
    assert phyvae.Scan(image).unit == "px"
    assert phyvae.Scan(image, (0.02, 0.01)).unit == "nm"


def test_repr_has_the_calibration():
    scan = phyvae.Scan(np.zeros((3, 4)), (0.02, 0.01), name="a.dm4")
    assert repr(scan) == "Scan('a.dm4', 3 x 4 px, pixel 0.02 x 0.01 nm)"
