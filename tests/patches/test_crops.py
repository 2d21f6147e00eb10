"""Patches on sites are interpolated as SciPy does, and cut at whole pixels on request."""

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates
from torch.testing import assert_close

from on_sites import IMAGE, grid_of, net
from phyvae import PatchGrid
from phyvae.patches.crops import RasterCrops


class TestSubpixel:
    @pytest.mark.parametrize("size", [(7, 5), 6])
    def test_patches_are_scipys_spline_at_the_sites(self, size):
        grid = grid_of(size=size, subpixel=True, percentiles=None)
        image = IMAGE.astype(np.float32).astype(float)
        offset = [np.arange(n) - (n - 1) / 2 for n in grid.patch_shape]
        for k in (0, 37, 99):
            y, x = net().reshape(-1, 2)[k]
            at = np.meshgrid(y + offset[0], x + offset[1], indexing="ij")
            expected = map_coordinates(image, at, order=3, mode="mirror")
            expected = torch.from_numpy(expected).float().clamp(image.min(), image.max())
            assert_close(grid.gather(torch.tensor([k]))[0], expected, atol=1e-5, rtol=0)
        np.testing.assert_allclose(grid.centers, net(), atol=1e-12)

    def test_at_whole_pixels_nothing_is_interpolated(self):
        sites = np.round(net())
        assert_close(
            grid_of(sites, subpixel=True).patches, grid_of(sites).patches, atol=1e-5, rtol=0
        )

    def test_values_stay_within_those_of_the_image(self):
        patches = grid_of(subpixel=True).patches
        assert patches.min() >= 0
        assert patches.max() <= 1

    def test_a_patch_lies_in_the_image_whole(self):
        sites = np.stack(np.meshgrid([2, 10, 17.9], [2, 10, 18.1], indexing="ij"), -1)
        grid = PatchGrid.at(IMAGE[:21, :21], sites.reshape(-1, 2), size=5, subpixel=True)
        assert grid.shape == (3, 2)
        assert grid.near_border == 3

    def test_another_image_is_interpolated_anew(self):
        grid = grid_of(subpixel=True)
        before = grid.patches
        grid.image = grid.image.flip(0)
        assert not torch.equal(grid.patches, before)

    def test_of_another_image_patches_are_cut_at_the_nearest_pixel(self):
        numbers = torch.arange(float(IMAGE.size)).reshape(IMAGE.shape)
        grid = grid_of(subpixel=True)
        assert_close(grid.of(numbers).patches, grid_of(percentiles=None).of(numbers).patches)
        assert_close(grid.of(numbers).patches, grid.of(numbers).patches.round())

    def test_one_grid_on_two_devices_keeps_two_splines(self):
        grid = grid_of(subpixel=True)
        moved = grid.to("cpu")
        assert_close(moved.patches, grid.patches)
        assert_close(moved.gather(torch.tensor([3])), grid.gather(torch.tensor([3])))


class TestARaster:
    @pytest.mark.parametrize(
        ("size", "step", "shape", "steps"),
        [(8, None, (9, 6), (4, 4)), ((8, 5), 3, (11, 9), (3, 3)), (8, (40, 1), (1, 23), (40, 1))],
    )
    def test_as_many_patches_as_fit_are_cut(self, size, step, shape, steps):
        crops = RasterCrops.over((40, 30), size, step)
        assert (crops.shape, crops.step) == (shape, steps)
        last = np.array(crops.centers[-1, -1]) + (np.array(crops.patch_shape) - 1) / 2
        assert (last <= (39, 29)).all()
        assert (last + steps > (39, 29)).all()

    def test_spectra_are_pixels_at_steps(self):
        crops = RasterCrops.of_spectra((6, 7, 20), (2, 3))
        assert (crops.shape, crops.patch_shape, crops.area) == ((3, 3), (20,), (1, 1))
        np.testing.assert_array_equal(crops.centers[2, 1], (4, 3))

    def test_it_lies_at_whole_pixels(self):
        crops = RasterCrops.over((40, 30), 8, 3)
        assert crops.at_whole_pixels() is crops
