"""The autocorrelation, against sums over pixels."""

import numpy as np
import pytest

from lattices_of_atoms import atoms, waves
from phyvae.scans.autocorrelation import Autocorrelation


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
