"""Maxima to a fraction of a pixel."""

import numpy as np
import pytest

from phyvae.scans.summits import summits

Y, X = np.mgrid[:20, :24].astype(float)


class TestSummits:
    @pytest.mark.parametrize("offset", [(0.0, 0.0), (0.3, -0.4), (-0.45, 0.1)])
    def test_of_a_paraboloid_are_exact(self, offset):
        y, x = Y - 9 - offset[0], X - 12 - offset[1]
        places, heights = summits(5 - 2 * y**2 - x**2 + y * x, np.array([[9, 12]]), 0.5)
        np.testing.assert_allclose(places, [[9 + offset[0], 12 + offset[1]]])
        np.testing.assert_allclose(heights, [5.0])

    def test_are_no_farther_than_asked(self):
        places, _ = summits(-((Y - 9.9) ** 2) - (X - 12) ** 2, np.array([[9, 12]]), 0.5)
        np.testing.assert_allclose(places, [[9.5, 12.0]])

    def test_a_ridge_a_plateau_and_a_saddle_stay_on_their_pixels(self):
        here = np.array([[9, 12], [0, 0]])
        for values in (-(((Y - X) - 0.3) ** 2), np.ones_like(Y), Y**2 - X**2):
            places, heights = summits(values, here, 0.5)
            np.testing.assert_array_equal(places, here)
            np.testing.assert_array_equal(heights, values[tuple(here.T)])
