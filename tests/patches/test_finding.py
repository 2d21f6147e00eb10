"""Sites are found where the phantom has them."""

import numpy as np
import pytest
import torch
from scipy.spatial import cKDTree

from phyvae import PatchGrid, find_sites, phantoms


def inner(sites, shape, margin=8):
    return sites[((sites > margin) & (sites < np.array(shape) - 1 - margin)).all(1)]


def blobs(centres, shape=(60, 70), sigma=2.0, heights=None):
    y, x = np.indices(shape)
    heights = np.ones(len(centres)) if heights is None else heights
    return sum(
        h * np.exp(-((y - v) ** 2 + (x - w) ** 2) / 2 / sigma**2)
        for h, (v, w) in zip(heights, centres, strict=True)
    )


CENTRES = np.array([[10.3, 12.7], [11.2, 40.0], [30.5, 20.4], [45.75, 55.1]])


class TestFindSites:
    def test_noise_free_columns_are_found_to_a_hundredth_of_a_pixel(self):
        phantom = phantoms.perovskite(background=0.0, dose=None, noise=0.0, seed=0)
        true = inner(phantom.sites, phantom.image.shape)
        distance, _ = cKDTree(find_sites(phantom.image)).query(true)
        assert np.sqrt((distance**2).mean()) < 0.015

    @pytest.mark.parametrize("name", ["perovskite", "bfo"])
    @pytest.mark.parametrize("method", ["log", "dog"])
    def test_noisy_ones_to_a_tenth(self, name, method):
        phantom = getattr(phantoms, name)(seed=0)
        true = inner(phantom.sites, phantom.image.shape)
        sites = find_sites(phantom.image, method=method)
        distance, _ = cKDTree(sites).query(true)
        assert distance.max() < 0.6
        assert np.sqrt((distance**2).mean()) < 0.12
        assert len(sites) == pytest.approx(2 * len(phantom.sites), rel=0.06)  # both sublattices

    def test_the_brighter_sublattice_is_chosen_by_its_spacing_and_strength(self):
        phantom = phantoms.perovskite(seed=0)
        sites = find_sites(phantom.image, spacing=12.6, threshold=0.6)
        distance, _ = cKDTree(phantom.sites).query(inner(sites, phantom.image.shape))
        assert distance.max() < 0.6
        assert PatchGrid.at(phantom.image, sites, size=24).shape == (46, 46)

    def test_places_are_y_x_and_come_in_reading_order(self):
        sites = find_sites(blobs(CENTRES), spacing=10.0)
        np.testing.assert_allclose(sites, CENTRES, atol=0.02)

    def test_dark_blobs_are_bright_ones_of_the_negative(self):
        image = blobs(CENTRES)
        np.testing.assert_allclose(
            find_sites(-image, spacing=10.0, dark=True), find_sites(image, spacing=10.0), atol=1e-9
        )

    def test_scale_offset_and_kind_of_the_image_do_not_matter(self):
        image = blobs(CENTRES)
        sites = find_sites(image, spacing=10.0)
        np.testing.assert_allclose(find_sites(300 * image - 7, spacing=10.0), sites, atol=1e-9)
        np.testing.assert_array_equal(find_sites(torch.from_numpy(image), spacing=10.0), sites)

    def test_a_transposed_image_has_transposed_sites(self):
        sites = find_sites(blobs(CENTRES).T, spacing=10.0)[:, ::-1]
        np.testing.assert_allclose(sites[np.argsort(sites[:, 0])], CENTRES, atol=0.02)

    def test_weak_blobs_are_left_out_by_the_threshold(self):
        image = blobs(CENTRES, heights=[1, 1, 0.4, 1])
        assert len(find_sites(image, spacing=10.0)) == 4
        np.testing.assert_allclose(
            find_sites(image, spacing=10.0, threshold=0.6), CENTRES[[0, 1, 3]], atol=0.02
        )

    def test_of_two_close_blobs_the_stronger_one_stays(self):
        centres = np.array([[20.0, 20.0], [20.0, 28.0], [40.0, 40.0]])
        image = blobs(centres, heights=[1.0, 0.8, 1.0])
        assert len(find_sites(image, spacing=10.0)) == 3
        kept = find_sites(image, spacing=10.0, min_distance=9.0)
        np.testing.assert_allclose(kept, centres[[0, 2]], atol=0.2)


class TestRefusals:
    @pytest.mark.parametrize(
        ("options", "error", "named"),
        [
            ({"spacing": 0.0}, ValueError, "spacing=0 px must be > 0"),
            ({"spacing": 61.0}, ValueError, "spacing=61 px must not exceed .* side, 60 px"),
            ({"spacing": "wide"}, TypeError, "spacing='wide'"),
            ({"spacing": 10.0, "sigma": -1}, ValueError, "sigma=-1 px"),
            ({"spacing": 10.0, "threshold": 1.0}, ValueError, "threshold=1.0"),
            ({"spacing": 10.0, "min_distance": -1}, ValueError, "min_distance=-1 px"),
            ({"spacing": 10.0, "method": "canny"}, ValueError, "'canny' must be one of 'log', 'd"),
            ({"spacing": 10.0, "dark": 1}, TypeError, "dark=1 must be True or False"),
        ],
    )
    def test_bad_settings_are_named(self, options, error, named, unchecked):
        with pytest.raises(error, match=named):
            unchecked(find_sites, blobs(CENTRES), **options)

    def test_other_shapes_are_refused(self):
        with pytest.raises(ValueError, match=r"image has shape \(3, 60, 70\)"):
            find_sites(np.random.default_rng(0).random((3, 60, 70)), spacing=10.0)

    def test_an_image_without_a_lattice_needs_a_spacing(self):
        with pytest.raises(ValueError, match="spacing=None: the image shows no period"):
            find_sites(np.random.default_rng(0).normal(size=(80, 80)))

    def test_an_image_without_blobs_says_so(self, monkeypatch):
        monkeypatch.setattr("skimage.feature.blob_log", lambda *_, **__: np.empty((0, 3)))
        with pytest.raises(ValueError, match=r"shows no dark blob of sigma=2 px"):
            find_sites(blobs(CENTRES), spacing=10.0, dark=True)
