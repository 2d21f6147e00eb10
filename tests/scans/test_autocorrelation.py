"""The autocorrelation, against sums over pixels."""

import numpy as np
import pytest

from lattices_of_atoms import atoms, waves
from phyvae.scans.autocorrelation import Autocorrelation, summits

Y, X = np.mgrid[:20, :24].astype(float)


class TestAutocorrelation:
    def test_heights_are_means_of_products_over_the_pixels_that_overlap(self):
        image = atoms((60, 90), [(12.0, 0.0), (0.0, 15.0)], noise=0.1)
        image -= image.mean()
        found = Autocorrelation.of(image)
        for displacement in ((12, 0), (0, 15), (12, -15), (-24, 30)):
            dy, dx = displacement
            first = image[max(0, dy) : 60 + min(0, dy), max(0, dx) : 90 + min(0, dx)]
            second = image[max(0, -dy) : 60 - max(0, dy), max(0, -dx) : 90 - max(0, dx)]
            index = found.nearest(np.array(displacement), 1.0)
            assert found.heights[index] == pytest.approx((first * second).mean(), rel=0.03)
        assert found.variance == pytest.approx(image.var())

    def test_peaks_lie_between_pixels(self):
        found = Autocorrelation.of(waves((150, 150), (1 / 12.4, 0), (0, 1 / 17.7)))
        index = found.nearest(np.array([12.4, 17.7]), 1.0)
        np.testing.assert_allclose(found.peaks[index], (12.4, 17.7), atol=0.1)

    def test_every_peak_has_its_opposite_and_zero_is_none(self):
        found = Autocorrelation.of(waves((80, 90), (0.1, 0.02), (0, 0.08), noise=0.3))
        assert np.hypot(*found.peaks.T).min() > 2
        for peak in found.peaks:
            assert found.nearest(-peak, 1e-6) is not None

    def test_displacements_end_where_little_overlaps(self):
        found = Autocorrelation.of(waves((40, 100), (0.1, 0), (0, 0.1)))
        assert found.holds(np.array([20, -50]))
        assert not found.holds(np.array([30, 0]))
        assert found.nearest(np.array([5.0, 5.0]), 1.0) is None

    def test_its_noise_is_as_foretold(self):
        from scipy.ndimage import gaussian_filter

        rng, values = np.random.default_rng(0), []
        for _ in range(60):
            noise = gaussian_filter(rng.normal(size=(80, 80)), 1.0)
            noise -= noise.mean()
            found = Autocorrelation.of(noise)
            values.append((noise[:60, 10:] * noise[20:, :70]).mean())
        expected = found.deviation(np.array([20, -10]), 0.0)
        assert np.std(values) == pytest.approx(expected, rel=0.3)


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
