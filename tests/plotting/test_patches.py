"""Some patches of an image, and where they are in it."""

import numpy as np
import pytest
from torch.testing import assert_close

from figures import image_of
from phyvae import PatchGrid, plotting
from phyvae.scans.scan import Scan


class TestPatches:
    def test_shows_patches_where_their_outlines_are(self, grid):
        _, axes = plotting.plot_patches(grid, n=4)
        assert len(axes) == 5
        for ax, outline in zip(axes[1:], axes[0].lines, strict=True):
            x, y = (np.unique(values) for values in outline.get_data())
            rows, cols = (slice(*np.ceil(edges).astype(int)) for edges in (y, x))
            assert_close(
                np.asarray(image_of(ax).get_array()), grid.image[rows, cols].double().numpy()
            )
            assert image_of(ax).get_clim() == image_of(axes[0]).get_clim()
            assert ax.get_title() == f"y {y.mean():.0f}, x {x.mean():.0f}"

    def test_shows_spectra_of_the_marked_points(self, spectra):
        _, axes = plotting.plot_patches(spectra, n=3)
        assert [ax.get_title() for ax in axes] == ["mean intensity", "spectra"]
        for point, curve in zip(axes[0].lines, axes[1].lines, strict=True):
            (x,), (y,) = point.get_data()
            assert_close(curve.get_ydata(), spectra.image[int(y), int(x)].double().numpy())

    def test_picks_others_with_another_seed(self, grid):
        titles = [
            [ax.get_title() for ax in plotting.plot_patches(grid, seed=seed)[1]]
            for seed in (0, 0, 1)
        ]
        assert titles[0] == titles[1] != titles[2]

    @pytest.mark.parametrize("seed", range(5))
    def test_patches_are_spread_over_the_image(self, grid, seed):
        _, axes = plotting.plot_patches(grid, n=8, seed=seed)
        middle = np.array([line.get_xydata()[:-1].mean(axis=0) for line in axes[0].lines])
        upper, left = (
            middle[:, 1] < grid.image.shape[0] / 2,
            middle[:, 0] < grid.image.shape[1] / 2,
        )
        assert {*zip(upper.tolist(), left.tolist(), strict=True)} == {
            (a, b) for a in (True, False) for b in (True, False)
        }

    @pytest.mark.parametrize("n", [0, 97])
    def test_refuses_more_patches_than_there_are(self, n, spectra):
        with pytest.raises(ValueError, match=f"n={n} must be between 1 and .* 96"):
            plotting.plot_patches(spectra, n)

    def test_patches_are_those_of_cells_that_hold_one(self, site_grid):
        _, axes = plotting.plot_patches(site_grid, n=20)
        assert all(np.ptp(ax.images[0].get_array()) > 0 for ax in axes)
        with pytest.raises(ValueError, match=f"number of patches, {len(site_grid.indices)}"):
            plotting.plot_patches(site_grid, n=len(site_grid.indices) + 1)

    def test_of_a_calibrated_scan_axes_are_in_nm_and_outlines_where_the_patches_are(self, grid):
        scan = Scan(grid.image.numpy(), pixel_size=(0.5, 0.25))
        _, axes = plotting.plot_patches(PatchGrid(scan, 40, 40), n=3)
        _, plain = plotting.plot_patches(PatchGrid(scan.image, 40, 40), n=3)
        assert (axes[0].get_xlabel(), axes[0].get_ylabel()) == ("x (nm)", "y (nm)")
        for ours, px in zip(axes[0].lines, plain[0].lines, strict=True):
            np.testing.assert_allclose(ours.get_xydata(), px.get_xydata() * (0.25, 0.5))


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
