"""The slow background of a scan."""

import numpy as np
import pytest

from lattices_of_atoms import atoms
from phyvae.scans.background import local_means

SHAPE = (240, 300)
SIZE = (24, 30)
Y, X = np.meshgrid(*(np.linspace(-1, 1, side) for side in SHAPE), indexing="ij")
EVERYWHERE = np.ones(SHAPE, bool)
LATTICE = [(12.0, 0.0), (0.0, 15.0)]


def quartic() -> np.ndarray:
    values = 0.7 * Y - X + 0.5 * X**2 - Y * X**2 + 0.3 * Y**3 * X + 0.4 * X**4
    return np.asarray(values - values.mean())


class TestLocalMeans:
    def test_a_polynomial_is_found_under_a_lattice(self):
        image = atoms(SHAPE, LATTICE, noise=0.1)
        found = local_means(image + quartic(), EVERYWHERE, SIZE).background()
        found -= image.mean()
        np.testing.assert_allclose(found, quartic(), atol=0.09)  # windows at the rim are mirrored

    def test_without_a_background_it_is_the_mean_and_has_no_lattice(self):
        image = atoms(SHAPE, LATTICE, noise=0.1) + 5.0
        found = local_means(image, EVERYWHERE, SIZE).background()
        assert found.mean() == pytest.approx(image.mean(), abs=1e-3)
        assert found.std() < 0.05 * image.std()

    def test_a_part_of_a_flattened_scan_has_the_same_intensities_flattened_alone(self):
        image = atoms(SHAPE, LATTICE, noise=0.1)
        whole = image + quartic()
        for specimen in (X < 0.1, Y > -0.2):
            alone = whole - local_means(whole, specimen, SIZE).background()
            assert alone[specimen].mean() == pytest.approx(0, abs=1e-2)
            np.testing.assert_allclose(
                alone[specimen], image[specimen] - image.mean(), atol=0.2
            )  # a fit is worst at the rim

    def test_it_is_the_fit_of_least_squares_to_the_pixels(self):
        image = atoms(SHAPE, LATTICE, noise=0.1) + quartic() + 0.3 * np.sin(9 * Y)
        terms = np.stack([(Y**i * X**j).ravel() for i in range(7) for j in range(7 - i)], -1)
        fit = terms @ np.linalg.lstsq(terms, image.ravel(), rcond=None)[0]
        found = local_means(image, EVERYWHERE, SIZE)
        inner = np.s_[12:-12, 15:-15]
        np.testing.assert_allclose(found.background()[inner], fit.reshape(SHAPE)[inner], atol=0.09)

    def test_what_is_no_specimen_has_no_influence(self):
        image, specimen = atoms(SHAPE, LATTICE, noise=0.1) + quartic(), EVERYWHERE.copy()
        specimen[60:130, 40:120] = False
        bright = np.where(specimen, image, 50.0)
        one, two = (local_means(each, specimen, SIZE) for each in (image, bright))
        np.testing.assert_allclose(one.coefficients, two.coefficients)
        assert not two.known[6:10, 5:7].any()
        assert one.contrast == pytest.approx(two.contrast)

    def test_means_and_polynomial_are_at_the_same_places(self):
        found = local_means(quartic(), EVERYWHERE, SIZE)
        assert found.level.shape == found.smooth.shape == found.known.shape == (20, 20)
        np.testing.assert_allclose(found.smooth, found.background()[6::12, 7::15], atol=1e-12)
        np.testing.assert_allclose(found.level[2:-2, 2:-2], found.smooth[2:-2, 2:-2], atol=0.03)

    def test_few_windows_have_their_mean_alone(self):
        found = local_means(quartic() + 3, EVERYWHERE, (100, 120))
        assert found.known.sum() < 56
        np.testing.assert_allclose(found.background(), found.level.mean())

    def test_no_known_window_has_none(self):
        few = np.zeros(SHAPE, bool)
        few[::3, ::3] = True
        found = local_means(quartic(), few, SIZE)
        assert not found.known.any()
        assert not found.background().any()
