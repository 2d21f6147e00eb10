"""Domains lie over the image where their patches are."""

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from figures import LABELS, MAPS, walls_of
from phyvae import plotting


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
