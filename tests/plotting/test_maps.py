"""Latent maps are shown where they are, on scales that can be read off."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from torch.testing import assert_close

from figures import LABELS, MAPS, image_of, walls_of
from phyvae import plotting
from phyvae.plotting.panels import COLOURS


class TestLatentMaps:
    @pytest.mark.parametrize(("channels", "width"), [(1, 3.4), (2, 3.4), (2, 7.0), (6, 7.0)])
    def test_has_a_titled_panel_per_channel_and_one_for_the_labels(self, channels, width):
        maps = np.random.default_rng(0).random((channels, 10, 25))
        fig, axes = plotting.plot_latent_maps(maps, np.zeros((10, 25), int), width=width)
        names = [f"$z_{k}$" for k in range(1, channels + 1)]
        assert [ax.get_title() for ax in axes] == [*names, "domains"]
        assert [ax for ax in fig.axes if ax.get_visible()] == list(axes)
        assert fig.get_figwidth() == width

    def test_shows_the_data_on_scales_of_their_own_range(self):
        _, axes = plotting.plot_latent_maps(torch.from_numpy(MAPS), LABELS)
        for ax, channel in zip(axes, MAPS, strict=False):
            assert_close(np.asarray(image_of(ax).get_array()), channel)
            bar = image_of(ax).colorbar
            assert_close((bar.vmin, bar.vmax), (channel.min(), channel.max()))
        assert (image_of(axes[-1]).get_array() == LABELS).all()

    def test_colours_labels_discretely_and_by_their_value(self):
        image = image_of(plotting.plot_latent_maps(MAPS, LABELS + 1)[1][-1])
        assert image.get_interpolation() == "nearest"
        assert list(image.colorbar.get_ticks()) == [1, 2, 3]
        found = [image.cmap(image.norm(k))[:3] for k in (1, 2, 3)]
        assert found == [to_rgb(COLOURS[k]) for k in (1, 2, 3)]

    def test_walls_are_exactly_between_unequal_labels(self):
        _, axes = plotting.plot_latent_maps(MAPS, LABELS)
        for ax in axes:
            walls = walls_of(ax)
            assert walls.shape == (2, 21, 2)  # two lines, through the corners of 20 cells
            assert set(walls[..., 1].flat) == {9.5, 19.5}
            assert (walls[..., 0].min(), walls[..., 0].max()) == (-0.5, 19.5)

    def test_puts_walls_of_columns_at_columns(self):
        labels = np.zeros((30, 20), int)
        labels[:, 4:] = 1
        walls = walls_of(plotting.plot_latent_maps(MAPS, labels)[1][0])
        assert set(walls[..., 0].flat) == {3.5}
        assert (walls[..., 1].min(), walls[..., 1].max()) == (-0.5, 29.5)

    def test_counts_in_map_pixels_without_a_grid(self):
        _, axes = plotting.plot_latent_maps(MAPS)
        assert image_of(axes[0]).get_extent() == [-0.5, 19.5, 29.5, -0.5]
        assert axes[0].get_xlabel() == "x (map px)"

    def test_counts_in_image_pixels_with_a_grid(self, grid):
        _, axes = plotting.plot_latent_maps(MAPS, np.arange(600).reshape(30, 20) // 300, grid=grid)
        assert image_of(axes[0]).get_extent() == [0, 400, 600, 0]
        assert set(walls_of(axes[0])[..., 1].flat) == {300}  # a wall at y = 300 px is at 300
        assert axes[0].get_ylabel() == "y (px)"

    def test_counts_in_the_unit_of_the_pixel_size(self, grid):
        _, axes = plotting.plot_latent_maps(MAPS, grid=grid, pixel_size=0.5, unit="nm")
        assert image_of(axes[0]).get_extent() == [0, 200, 300, 0]
        assert axes[0].get_xlabel() == "x (nm)"

    def test_leaves_white_what_is_not_finite_or_in_no_domain(self):
        maps, labels = MAPS.copy(), LABELS.copy()
        maps[0, 0, 0], maps[0, 0, 1], labels[0, 0] = np.nan, np.inf, -1
        _, axes = plotting.plot_latent_maps(maps, labels)
        assert image_of(axes[0]).get_array().mask.sum() == 2
        assert image_of(axes[0]).get_clim() == (maps[0, 1:].min(), MAPS[0].max())
        assert image_of(axes[-1]).get_array().mask.sum() == 1

    def test_draws_a_collapsed_channel_and_a_single_domain(self):
        fig, _ = plotting.plot_latent_maps(np.zeros((1, 5, 4)), np.zeros((5, 4), int))
        fig.canvas.draw()

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"maps": MAPS[0]}, r"maps has shape \(30, 20\), but must be \(channels"),
            ({"maps": MAPS * np.nan}, "maps has no finite value in channel 0"),
            ({"labels": LABELS.T}, r"labels has shape \(20, 30\)"),
            ({"labels": LABELS * 1.0}, "dtype float64, but must be integers"),
            ({"maps": MAPS[:, 1:], "labels": None}, r"grid has shape \(30, 20\)"),
            ({"pixel_size": 0.1}, "pixel_size=0.1 and unit='px' go together"),
            ({"unit": "nm"}, "pixel_size=None and unit='nm' go together"),
            ({"pixel_size": -1.0, "unit": "nm"}, "pixel_size=-1 must be > 0 and finite"),
            ({"pixel_size": 0.1, "unit": "nm", "grid": None}, "pixel_size=0.1 .* pass grid"),
        ],
    )
    def test_refuses_what_does_not_fit(self, arguments, message, grid):
        with pytest.raises(ValueError, match=message):
            plotting.plot_latent_maps(**{"maps": MAPS, "labels": LABELS, "grid": grid} | arguments)
        assert not plt.get_fignums()


class TestNames:
    def test_are_titles_in_place_of_latents(self):
        maps = np.random.default_rng(0).random((2, 5, 6))
        _, axes = plotting.plot_latent_maps(maps, names=["$z_1$", "class 0"])
        assert [ax.get_title() for ax in axes] == ["$z_1$", "class 0"]

    @pytest.mark.parametrize("names", [["one"], "ab", []])
    def test_must_be_one_for_each_map(self, names):
        with pytest.raises(ValueError, match="must be a list of 2, one for each map"):
            plotting.plot_latent_maps(np.zeros((2, 5, 6)), names=names)


class TestRefusals:
    @pytest.mark.parametrize("width", [0.0, -3.4, np.nan, np.inf])
    def test_a_width_that_is_none_is_refused(self, width):
        with pytest.raises(ValueError, match=f"width={width:g} inches"):
            plotting.plot_latent_maps(MAPS, width=width)

    def test_labels_in_the_place_of_maps_are_refused(self):
        with pytest.raises(ValueError, match=r"maps has shape \(30, 20\).*labels come after"):
            plotting.plot_latent_maps(LABELS, MAPS)

    def test_maps_with_channels_last_are_refused(self):
        with pytest.raises(ValueError, match=r"maps of shape \(30, 20, 2\) .*channels last"):
            plotting.plot_latent_maps(MAPS.transpose(1, 2, 0))


class TestSegmentation:
    def test_lays_labels_over_the_image_where_their_patches_are(self, grid):
        _, (ax,) = plotting.plot_segmentation(grid, LABELS)
        image, domains = ax.get_images()
        assert_close(np.asarray(image.get_array()), grid.image.double().numpy())
        assert image.get_extent() == [-0.5, 400.5, 600.5, -0.5]
        assert (domains.get_array() == LABELS).all()
        assert domains.get_extent() == [0, 400, 600, 0]
        assert set(walls_of(ax)[..., 1].flat) == {200, 400}
        assert ax.get_xlim() == (-0.5, 400.5)
        assert ax.get_ylim() == (600.5, -0.5)

    def test_takes_the_original_image_and_a_physical_pixel_size(self, grid):
        image = np.asarray(grid.image) * 1e3
        _, (ax,) = plotting.plot_segmentation(
            image, torch.from_numpy(LABELS), grid=grid, pixel_size=0.1, unit="nm"
        )
        assert_close(np.asarray(ax.get_images()[0].get_array()), image)
        assert_close(ax.get_images()[1].get_extent(), [0.0, 40.0, 60.0, 0.0])
        assert ax.get_ylabel() == "y (nm)"

    def test_takes_labels_of_every_image_pixel(self):
        _, (ax,) = plotting.plot_segmentation(MAPS[0], LABELS)
        assert ax.get_images()[1].get_extent() == [-0.5, 19.5, 29.5, -0.5]

    def test_takes_the_grid_of_a_spectrum_image(self, spectra):
        _, (ax,) = plotting.plot_segmentation(spectra, np.zeros((8, 12), int))
        assert_close(
            np.asarray(ax.get_images()[0].get_array()), spectra.image.double().mean(-1).numpy()
        )

    def test_refuses_an_image_that_is_none(self):
        with pytest.raises(ValueError, match=r"image has shape \(2, 30, 20\)"):
            plotting.plot_segmentation(MAPS, LABELS)

    def test_refuses_an_image_of_another_grid(self, grid):
        with pytest.raises(ValueError, match=r"image has shape \(30, 20\), but grid"):
            plotting.plot_segmentation(MAPS[0], LABELS, grid=grid)

    def test_an_opacity_above_one_is_refused(self):
        with pytest.raises(ValueError, match=r"alpha=2\.0 is an opacity and must lie in"):
            plotting.plot_segmentation(MAPS[0], LABELS, alpha=2.0)
