"""A scan is an image with its calibration."""

import numpy as np
import pytest

import phyvae


def test_unit_of_lengths():
    image = np.zeros((3, 4))
    assert phyvae.Scan(image).unit == "px"
    assert phyvae.Scan(image, (0.02, 0.01)).unit == "nm"


def test_repr_has_the_calibration():
    scan = phyvae.Scan(np.zeros((3, 4)), (0.02, 0.01), name="a.dm4")
    assert repr(scan) == "Scan('a.dm4', 3 x 4 px, pixel 0.02 x 0.01 nm)"


def test_one_number_is_the_size_of_a_square_pixel():
    scan = phyvae.Scan(np.zeros((3, 4)), pixel_size=0.03)
    assert scan.pixel_size == (0.03, 0.03)
    assert repr(scan).endswith("pixel 0.03 x 0.03 nm)")


@pytest.mark.parametrize("size", [0, -0.1, (0.1, np.nan), (0.1, 0.1, 0.1)])
def test_a_pixel_has_two_positive_sides(size):
    with pytest.raises(ValueError, match="pixel_size"):
        phyvae.Scan(np.zeros((3, 4)), size)


def test_an_image_has_two_axes(unchecked):
    with pytest.raises(ValueError, match=r"image=.*two axes.*a scan of each frame"):
        unchecked(phyvae.Scan, np.zeros((3, 4, 5)))
