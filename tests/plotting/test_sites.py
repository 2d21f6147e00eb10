"""Dots at the sites, coloured by label or value."""

import numpy as np
import pytest

from phyvae import PatchGrid, plotting


class TestPlotSites:
    def test_labels_colour_the_sites_of_a_grid(self, phantom, site_grid):
        labels = site_grid.sample(phantom.domains)
        _, axes = plotting.plot_sites(site_grid, labels, pixel_size=2.0, unit="nm")
        dots = axes[0].collections[0]
        there = site_grid.mask.numpy()
        np.testing.assert_allclose(dots.get_offsets()[:, ::-1], 2 * site_grid.sites[there])
        np.testing.assert_array_equal(dots.get_array(), labels[there])
        assert axes[0].get_xlabel() == "x (nm)"

    def test_numbers_do_too_and_nan_is_left_out(self, site_grid):
        values = np.full(site_grid.shape, np.nan)
        values[3] = 0.5
        _, axes = plotting.plot_sites(site_grid, values)
        assert len(axes[0].collections[0].get_offsets()) == site_grid.mask[3].sum()

    def test_sites_go_with_an_image(self, phantom):
        _, axes = plotting.plot_sites(phantom.image, sites=phantom.sites)
        np.testing.assert_allclose(axes[0].collections[0].get_offsets()[:, ::-1], phantom.sites)
        assert axes[0].get_aspect() == 1

    def test_a_raster_shows_the_centres_of_its_patches(self, phantom):
        raster = PatchGrid(phantom.image, size=16, step=40)
        _, axes = plotting.plot_sites(raster)
        assert len(axes[0].collections[0].get_offsets()) == len(raster)

    @pytest.mark.parametrize(
        ("options", "named"),
        [
            ({}, "sites go with an image"),
            ({"sites": np.zeros((4, 3))}, "sites="),
            ({"sites": np.ones((4, 2)), "values": np.ones(5)}, r"values has shape \(5,\)"),
            ({"sites": np.ones((4, 2)), "values": np.full(4, -1)}, "no site to plot"),
            ({"sites": np.ones((4, 2)), "pixel_size": 2.0}, "pixel_size"),
        ],
    )
    def test_bad_arguments_are_named(self, options, named, phantom):
        with pytest.raises(ValueError, match=named):
            plotting.plot_sites(phantom.image, **options)
