"""What every grid can do, on a raster or on sites."""

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from on_sites import IMAGE, SHAPE, grid_of, net
from phyvae import PatchGrid
from phyvae.models import sliding


class TestAnyGrid:
    def test_coverage_is_the_share_of_pixels_in_a_patch(self):
        grid = grid_of(np.delete(net().reshape(-1, 2), 34, axis=0), size=(12, 5))
        seen = np.zeros(SHAPE, bool)
        for top, left in (grid.centers[grid.mask.numpy()] - (5.5, 2)).astype(int):
            seen[top : top + 12, left : left + 5] = True
        assert grid.coverage == pytest.approx(seen.mean())

    def test_moving_keeps_everything_but_the_device(self):
        grid = grid_of(subpixel=True)
        moved = grid.to("cpu")
        assert_close(moved.patches, grid.patches)
        assert_close(moved.mask, grid.mask)
        assert isinstance(moved, PatchGrid)

    def test_windows_are_those_of_the_image(self):
        assert grid_of(size=(7, 5)).windows.shape == (104, 86, 7, 5)

    def test_its_name_says_what_was_left_out(self):
        assert repr(grid_of(size=15)) == (
            "PatchGrid.at(64 sites, shape=(8, 8), patch_shape=(15, 15), near_border=36, "
            "off_lattice=0)"
        )

    def test_no_fast_path_of_a_raster_is_taken(self):
        assert sliding.pays(PatchGrid(IMAGE, size=30, step=1))
        for lattice in (True, False):
            grid = grid_of(size=30, lattice=lattice)
            grid.shape = (61, 81)  # as many as at step 1
            grid.step = (1, 1)
            assert not sliding.pays(grid)

    def test_a_raster_has_no_mask_and_no_graph(self):
        grid = PatchGrid(IMAGE, size=8)
        assert grid.mask is None
        assert grid.graph is None
        assert_close(grid.indices, torch.arange(len(grid)))

    def test_its_tensors_change_with_image_mask_known_values_and_sites(self):
        grid, cells = grid_of(), np.zeros((10, 10), int)
        assert set(PatchGrid(IMAGE, 8).tensors()) == {"image"}
        assert set(grid.tensors()) == {"image", "mask", "corners"}
        assert set(grid.with_known(cells).tensors()) == {"image", "mask", "corners", "known"}
        other = grid_of(net(seed=2), subpixel=True).tensors()
        assert_close(other["image"], grid.tensors()["image"])
        assert not torch.equal(other["corners"], grid.tensors()["corners"])

    def test_patches_come_with_what_is_known_of_them_in_the_models_precision(self):
        known = np.arange(100.0).reshape(10, 10)
        index = torch.tensor([7, 3])
        grid = grid_of()
        data = grid.with_known(known).data(index, torch.zeros(1, dtype=torch.float64))
        assert data.pixels.dtype == data.known.dtype == torch.float64
        assert_close(data.pixels, grid.gather(index).double())
        assert data.known.tolist() == [[7.0], [3.0]]
        assert grid.data(index, torch.zeros(1)).known is None

    def test_spectra_have_no_windows(self):
        cube = np.random.default_rng(0).random((6, 7, 20))
        with pytest.raises(ValueError, match="no windows"):
            PatchGrid.from_spectra(cube).windows  # noqa: B018


class TestSamples:
    def test_whole_numbers_are_minus_one_where_there_is_no_patch(self):
        labels = np.arange(110 * 90).reshape(SHAPE).astype(np.uint16)
        grid = grid_of(np.delete(net().reshape(-1, 2), 34, axis=0))
        sampled = grid.sample(labels)
        y, x = np.round(grid.centers[0, 0]).astype(int)
        assert sampled[0, 0] == labels[y, x]
        assert sampled[3, 4] == -1
        assert sampled.min() == -1

    @pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64])
    def test_numbers_with_a_point_are_nan_there(self, dtype):
        sampled = grid_of(np.delete(net().reshape(-1, 2), 34, axis=0)).sample(IMAGE.astype(dtype))
        assert sampled.dtype == dtype
        assert np.isnan(sampled[3, 4])
        assert np.isnan(sampled).sum() == 1

    def test_a_tensor_is_sampled_alike(self):
        assert_close(grid_of().sample(torch.from_numpy(IMAGE)), grid_of().sample(IMAGE))

    def test_truth_values_have_no_filler(self):
        with pytest.raises(TypeError, match=r"labels has dtype bool.*astype\(int\)"):
            grid_of().sample(IMAGE > 0.5)

    def test_labels_of_another_shape_are_refused(self):
        with pytest.raises(ValueError, match=r"labels has shape \(5, 5\)"):
            grid_of().sample(np.ones((5, 5)))

    @pytest.mark.parametrize("dtype", [torch.float32, torch.int32, torch.bool])
    def test_a_raster_keeps_the_dtype_of_a_tensor(self, dtype):
        labels = torch.from_numpy(IMAGE > 0.5).to(dtype)
        assert PatchGrid(IMAGE, 8).sample(labels).dtype == labels.numpy().dtype
