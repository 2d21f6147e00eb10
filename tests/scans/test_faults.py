"""Dead and hot rows, columns and pixels are found, and nothing else is."""

import numpy as np
import pytest

from lattices_of_atoms import atoms, waves
from phyvae import phantoms
from phyvae.scans.faults import faults_of, filled, levelled

IMAGE = atoms((160, 200), [(14.0, 0.0), (0.0, 18.0)], noise=0.1)
WAVES = waves((150, 180), (0.1, 0.02), (0.01, 0.08))
INSIDE = (slice(30, -30), slice(30, -30))


class TestFaults:
    @pytest.mark.parametrize("model", ["bfo", "graphene", "nio_lsmo", "perovskite"])
    def test_a_clean_image_has_none_and_stays_as_it_is(self, model):
        image = getattr(phantoms, model)(shape=(310, 310), seed=0).image.astype(float)
        found = faults_of(image)
        assert len(found.rows) == len(found.columns) == len(found.pixels) == 0
        np.testing.assert_array_equal(found.repaired, image)

    @pytest.mark.parametrize("level", [-32768.0, 0.0, 20.0])
    def test_rows_and_columns(self, level):
        image = IMAGE.copy()
        image[40:42] = image[:, 77] = level
        found = faults_of(image)
        np.testing.assert_array_equal(found.rows, [40, 41])
        np.testing.assert_array_equal(found.columns, [77])
        assert len(found.pixels) == 0
        assert np.abs(found.repaired - IMAGE).max() < 1.5

    def test_gaps_between_atoms_at_the_black_level_are_none(self):
        image = phantoms.bfo(shape=(200, 200), seed=0).image.astype(float)
        found = faults_of(np.clip(image, np.median(image), None))
        assert len(found.rows) == len(found.columns) == 0

    def test_a_noisy_row_of_another_level(self):
        image = IMAGE.copy()
        image[90] += 5
        np.testing.assert_array_equal(faults_of(image).rows, [90])

    @pytest.mark.parametrize("value", [50.0, -50.0])
    def test_pixels_alone_and_in_pairs(self, value):
        image = IMAGE.copy()
        places = [(0, 0), (30, 40), (30, 41), (159, 100)]
        image[tuple(np.transpose(places))] = value
        np.testing.assert_array_equal(faults_of(image).pixels, places)

    def test_bright_atoms_of_a_pixel_or_two_are_none(self):
        image = atoms((160, 200), [(9.0, 0.0), (0.0, 9.0)], sigma=0.8, noise=0.02)
        assert len(faults_of(image).pixels) == 0

    @pytest.mark.parametrize("model", ["bfo", "graphene", "nio_lsmo", "perovskite"])
    @pytest.mark.parametrize("levels", [None, 255])
    def test_dead_pixels_that_are_as_dark_as_gaps(self, model, levels):
        dead = phantoms.Flaws(dead_pixels=200)
        phantom = getattr(phantoms, model)(shape=(310, 310), seed=3, flaws=dead)
        image = phantom.image.astype(float)
        found = np.zeros(image.shape, bool)
        found[tuple(faults_of(np.round(levels * image) if levels else image).pixels.T)] = True
        assert (found & phantom.faulty).sum() == 200
        assert (found & ~phantom.faulty).sum() <= 3

    @pytest.mark.parametrize("model", ["bfo", "graphene", "nio_lsmo", "perovskite"])
    @pytest.mark.parametrize("share", [5, 20, 50, 80, 95])
    def test_binary_images_have_none(self, model, share):
        image = getattr(phantoms, model)(shape=(310, 310), seed=0).image
        found = faults_of((image > np.percentile(image, share)).astype(float))
        assert len(found.rows) == len(found.columns) == len(found.pixels) == 0

    def test_lines_of_an_image_that_is_empty_but_for_them_are_none(self):
        image = np.zeros((90, 90))
        image[::30] = 1
        assert len(faults_of(image).rows) == 0


class TestFilled:
    def test_only_missing_pixels_change_and_lie_between_their_neighbours(self):
        missing = np.zeros(IMAGE.shape, bool)
        missing[20:60, 30:90] = missing[100] = True
        found = filled(IMAGE, missing)
        np.testing.assert_array_equal(found[~missing], IMAGE[~missing])
        assert IMAGE.min() <= found[missing].min() <= found[missing].max() <= IMAGE.max()

    def test_what_lay_there_does_not_matter(self):
        missing = np.random.default_rng(0).random(IMAGE.shape) < 0.3
        other = np.where(missing, 1e6, IMAGE)
        np.testing.assert_array_equal(filled(other, missing), filled(IMAGE, missing))


class TestLevelled:
    def test_the_lattice_stays_and_the_background_goes(self):
        y, x = np.indices(WAVES.shape) / 150
        found = levelled(WAVES + 3 * y + 2 * x**2)[INSIDE]
        assert np.corrcoef(found.ravel(), WAVES[INSIDE].ravel())[0, 1] > 0.98

    def test_units_do_not_matter(self):
        np.testing.assert_allclose(levelled(1e200 * WAVES), levelled(WAVES), atol=1e-9)

    def test_outliers_are_clipped(self):
        hot = WAVES.copy()
        hot[80, 80:86] = 1e4
        reference = levelled(WAVES)
        ratio = levelled(hot).std() / reference.std() * 1e4 / np.abs(WAVES).max()
        assert ratio == pytest.approx(1, rel=0.05)

    def test_small_images_are_refused(self):
        with pytest.raises(ValueError, match="at least 32 x 32"):
            levelled(WAVES[:31])
