"""A row for each method, all on one patch grid."""

import itertools

import numpy as np
import pytest
import torch

from figures import LABELS, MAPS, image_of
from phyvae import plotting
from phyvae.patches.grid import PatchGrid
from phyvae.scans.scan import Scan


class TestComparison:
    def test_has_a_named_row_per_method(self, grid):
        rows = {"sh-VAE": (MAPS, LABELS), "PCA": (torch.from_numpy(MAPS[:1]), LABELS[::-1])}
        _, axes = plotting.plot_comparison(rows, grid=grid)
        assert axes.shape == (3, 3)
        axes = axes[1:]
        assert [ax.get_ylabel() for ax in axes[:, 0]] == ["sh-VAE\ny (px)", "PCA\ny (px)"]
        assert [ax.get_title() for ax in axes[0]] == ["$z_1$", "$z_2$", "domains"]
        assert not axes[1, 1].get_visible()
        assert (image_of(axes[1, 2]).get_array() == LABELS[::-1]).all()
        extents = [image_of(ax).get_extent() for ax in axes.flat if ax.get_visible()]
        assert extents == [[0, 400, 600, 0]] * 5

    def test_the_maps_of_a_column_have_one_colour_scale_which_an_outlier_does_not_stretch(self):
        wide = MAPS.copy()
        wide[0, 0, 0] = 1e6
        _, axes = plotting.plot_comparison(
            {"a": (MAPS, None), "b": (3 * MAPS, None), "c": (wide, None)}
        )
        for column, z in zip(axes.T, MAPS, strict=True):
            ((low, high),) = {image_of(ax).get_clim() for ax in column}
            assert low <= z.min() < z.max() <= high < 9 * np.abs(z).max()

    def test_the_magnified_part_is_the_middle_of_the_image_and_framed_there(self, grid):
        _, axes = plotting.plot_comparison({"a": (MAPS, LABELS)}, grid=grid)
        (left, right), (bottom, top) = axes[0, 1].get_xlim(), axes[0, 1].get_ylim()
        height, width = grid.image.shape
        np.testing.assert_allclose([left + right, top + bottom], [width - 1, height - 1])
        np.testing.assert_allclose((right - left) / width, (bottom - top) / height)
        assert min(right - left, bottom - top) >= 5 * min(grid.patch_shape) - 1e-9
        x, y = axes[0, 0].lines[-1].get_data()
        assert (x.min(), x.max(), y.min(), y.max()) == (left, right, top, bottom)

    def test_without_room_nothing_is_magnified(self, grid):
        _, axes = plotting.plot_comparison({"a": (MAPS[:1], LABELS)}, truth=LABELS, grid=grid)
        assert [ax.get_title() for ax in axes[0]] == ["image", "true domains"]

    @pytest.mark.parametrize("count", [5, 9])
    def test_long_names_do_not_overlap(self, count):
        rows = {f"balanced, SL1 maximised, {k}": (MAPS[:1], None) for k in range(count)}
        fig, axes = plotting.plot_comparison(rows)
        fig.draw_without_rendering()
        boxes = [ax.yaxis.label.get_window_extent() for ax in axes[:, 0]]
        for above, below in itertools.pairwise(boxes):
            assert above.y0 > below.y1

    def test_starts_with_the_image_and_the_true_domains(self, grid):
        truth = np.roll(LABELS, 3)
        _, axes = plotting.plot_comparison({"a": (MAPS, LABELS)}, truth=truth, grid=grid)
        assert [ax.get_title() for ax in axes[0]] == ["image", "magnified", "true domains"]
        np.testing.assert_array_equal(image_of(axes[0, 0]).get_array(), grid.image)
        np.testing.assert_array_equal(image_of(axes[0, 2]).get_array(), truth)
        assert (axes[0, 0].get_xlim(), axes[0, 0].get_ylim()) == ((0, 400), (600, 0))

    def test_labels_have_names(self, grid):
        rows, names = {"a": (MAPS, LABELS)}, ["film", "substrate"]
        _, axes = plotting.plot_comparison(rows, truth=LABELS, grid=grid, label_names=names)
        for ax in axes[:, 2]:
            (bar,) = ax.child_axes
            shown = [text.get_text() for text in bar.get_yticklabels()]
            numbers = [f"{k}" for k in range(2, LABELS.max() + 1)]
            assert shown == [*names, *numbers][: LABELS.max() + 1]

    def test_pixels_have_height_and_width(self, grid):
        _, axes = plotting.plot_comparison(
            {"a": (MAPS, LABELS)}, truth=LABELS, grid=grid, pixel_size=(0.5, 0.25), unit="nm"
        )
        assert image_of(axes[0, 0]).get_extent() == [-0.125, 100.125, 300.25, -0.25]
        assert (axes[0, 0].get_xlim(), axes[0, 0].get_ylim()) == ((0, 100), (300, 0))

    def test_pixels_are_those_of_the_scan_that_the_grid_was_cut_from(self, grid):
        scan = Scan(grid.image.numpy(), pixel_size=(0.5, 0.25))
        known = PatchGrid(scan, grid.patch_shape, tuple(grid.step))
        for figure in (
            plotting.plot_comparison({"a": (MAPS, LABELS)}, grid=known),
            plotting.plot_latent_maps(MAPS, LABELS, grid=known),
            plotting.plot_segmentation(known, LABELS),
        ):
            shown = figure[1].ravel()[0]
            assert shown.get_ylabel().endswith("y (nm)")
            assert shown.get_xlim()[1] <= 0.25 * grid.image.shape[1]

    def test_of_spectra_starts_with_their_mean_intensity(self):
        cube = np.random.default_rng(0).random((6, 5, 9))
        spectra = PatchGrid.from_spectra(cube)
        _, axes = plotting.plot_comparison({"a": (cube[..., 0][None], None)}, grid=spectra)
        assert axes[0, 0].get_title() == "mean intensity"
        np.testing.assert_allclose(
            image_of(axes[0, 0]).get_array(), spectra.image.mean(2), rtol=1e-5
        )

    def test_refuses_a_truth_without_its_image(self):
        with pytest.raises(ValueError, match="pass grid"):
            plotting.plot_comparison({"a": (MAPS, LABELS)}, truth=LABELS)

    def test_has_no_column_for_labels_nobody_gives(self):
        assert plotting.plot_comparison({"a": (MAPS, None)})[1].shape == (1, 2)

    def test_names_the_method_whose_maps_do_not_fit(self):
        with pytest.raises(ValueError, match="maps of 'b' has shape"):
            plotting.plot_comparison({"a": (MAPS, None), "b": (MAPS[0], None)})

    def test_refuses_maps_of_different_grids(self):
        with pytest.raises(
            ValueError, match=r"unequal \(rows, cols\): 'a' \(30, 20\), 'b' \(9, 20"
        ):
            plotting.plot_comparison({"a": (MAPS, None), "b": (MAPS[:, :9], None)})

    def test_refuses_an_empty_mapping(self):
        with pytest.raises(ValueError, match="rows is empty"):
            plotting.plot_comparison({})

    def test_are_those_of_every_row_of_a_comparison(self):
        rows = {"a": (MAPS, LABELS), "b": (MAPS, None)}
        names = [f"map {k}" for k in range(len(MAPS))]
        _, axes = plotting.plot_comparison(rows, names=names)
        assert [ax.get_title() for ax in axes[0]] == [*names, "domains"]
        with pytest.raises(ValueError, match=rf"names=.* must be a list of {len(MAPS)}"):
            plotting.plot_comparison(rows, names=["one"])
