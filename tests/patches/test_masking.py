"""Masks of pixels: windows that show the specimen by half, and grids of them."""

import numpy as np
import pytest
import torch

import phyvae
from lattices import SHIFT_ONLY, small_model
from phyvae import PatchGrid
from phyvae.alignment.components import principal_components, score_field
from phyvae.patches.masking import mostly

RNG = np.random.default_rng(0)
IMAGE = RNG.random((60, 72))
MASK = np.ones(IMAGE.shape, bool)
MASK[:, 50:] = False
MASK[10:14, 5:9] = False


class TestMostly:
    @pytest.mark.parametrize("shape", [(1, 1), (5, 8), (60, 72)])
    def test_it_counts_the_pixels_of_each_window(self, shape):
        mask = RNG.random(IMAGE.shape) < 0.5
        windows = np.lib.stride_tricks.sliding_window_view(mask, shape)
        np.testing.assert_array_equal(mostly(mask, shape), windows.mean((2, 3)) >= 0.5)


class TestMaskedGrid:
    def test_nan_that_the_mask_hides_does_not_matter(self):
        gaps = np.where(MASK, IMAGE, np.nan)
        torch.testing.assert_close(
            PatchGrid(gaps, 12, 6, mask=MASK).image, PatchGrid(IMAGE, 12, 6, mask=MASK).image
        )
        cube = np.repeat(gaps[..., None], 6, axis=2)
        assert PatchGrid.from_spectra(cube, mask=MASK).image.isfinite().all()
        shown = gaps.copy()
        shown[0, 0] = np.nan
        with pytest.raises(ValueError, match="image holds 1 NaN"):
            PatchGrid(shown, 12, 6, mask=MASK)

    def test_cells_with_less_than_half_are_empty(self):
        grid = PatchGrid(IMAGE, 12, 6, mask=MASK)
        shares = PatchGrid(MASK.astype(float), 12, 6, percentiles=None).patches.mean((2, 3))
        assert torch.equal(grid.mask, shares >= 0.5)
        assert grid.count == len(grid.indices) == int(grid.mask.sum())
        assert f"{grid.count} patches" in repr(grid)
        assert grid.to("cpu").mask is not None

    def test_what_lies_outside_does_not_matter(self):
        grid = PatchGrid(IMAGE, 12, 6, mask=MASK)
        other = PatchGrid(np.where(MASK, IMAGE, 1e6), 12, 6, mask=MASK)
        assert torch.equal(grid.image, other.image)
        assert grid.limits == other.limits

    def test_a_mask_of_everything_is_no_mask(self):
        whole = PatchGrid(IMAGE, 12, 6, mask=np.ones_like(MASK))
        assert whole.mask is None
        assert torch.equal(whole.image, PatchGrid(IMAGE, 12, 6).image)

    def test_small_holes_leave_every_cell(self):
        holes = np.ones_like(MASK)
        holes[20:24, 30:34] = False
        assert PatchGrid(IMAGE, 12, 6, mask=holes).mask is None

    def test_sampled_values_are_empty_there(self):
        grid = PatchGrid(IMAGE, 12, 6, mask=MASK)
        labels = grid.sample(np.ones(IMAGE.shape, int))
        np.testing.assert_array_equal(labels, np.where(grid.mask, 1, -1))

    def test_spectra(self):
        cube = RNG.random((60, 72, 9))
        grid = PatchGrid.from_spectra(np.where(MASK[..., None], cube, 1e6), 2, mask=MASK)
        np.testing.assert_array_equal(grid.mask, MASK[::2, ::2])
        assert grid.limits[1] < 2

    @pytest.mark.parametrize(
        ("mask", "message"),
        [
            (MASK[1:], "True where a pixel shows the specimen"),
            (MASK.astype(int), "must be bools"),
            (np.zeros_like(MASK), "is it inverted"),
            (np.arange(60 * 72).reshape(60, 72) < 20, "mask leaves no patch"),
        ],
    )
    def test_other_masks_are_refused(self, mask, message):
        with pytest.raises(ValueError, match=message):
            PatchGrid(IMAGE, 12, 6, mask=mask)

    def test_images_of_a_series_have_their_own(self):
        other = IMAGE[:50, :60] + 1
        mask = np.ones(other.shape, bool)
        mask[:20] = False
        bright = np.where(mask, other, 1e6)
        first, second, third = PatchGrid.series(
            [IMAGE, bright, IMAGE], 12, 6, mask=[MASK, mask, None]
        )
        assert first.limits == second.limits == third.limits
        assert first.limits[1] < 3
        assert torch.equal(first.mask, PatchGrid(IMAGE, 12, 6, mask=MASK).mask)
        assert torch.equal(second.mask, PatchGrid(other, 12, 6, mask=mask).mask)
        assert torch.equal(second.specimen, torch.from_numpy(mask))
        assert third.mask is None
        whole = PatchGrid.series(IMAGE[None], 12, 6, mask=MASK[None])[0]
        assert torch.equal(whole.image, PatchGrid(IMAGE, 12, 6, mask=MASK).image)

    @pytest.mark.parametrize(
        ("mask", "message"),
        [
            (MASK, "mask=<ndarray of shape .* must be a list of 1, for each image a mask or None"),
            (3, "mask=3 must be a list of 1"),
            ([MASK[1:]], r"mask\[0\] of shape"),
            ([~np.ones_like(MASK)], r"mask\[0\] is False at every pixel"),
        ],
    )
    def test_other_masks_of_a_series_are_refused(self, mask, message):
        with pytest.raises(ValueError, match=message):
            PatchGrid.series([IMAGE], 12, 6, mask=mask)

    @pytest.mark.parametrize("subpixel", [False, True])
    def test_sites_whose_patch_shows_less_than_half_are_left_out(self, subpixel):
        sites = np.stack(np.meshgrid(np.arange(8, 54, 6), np.arange(8, 66, 6), indexing="ij"), -1)
        sites = sites.reshape(-1, 2) + 0.0
        bright = np.where(MASK, IMAGE, 1e6)
        whole = PatchGrid.at(IMAGE, sites, 13, subpixel=subpixel)
        for lattice in (True, False):
            grid = PatchGrid.at(bright, sites, 13, mask=MASK, subpixel=subpixel, lattice=lattice)
            left_out = ~mostly(MASK, (13, 13)).numpy()[tuple((sites.T - 6).astype(int))]
            there = grid.cells >= 0
            np.testing.assert_array_equal(there, (whole.cells >= 0) & ~left_out)
            assert grid.near_border == whole.near_border
            assert grid.limits[1] < 2
            assert grid.count == there.sum() < whole.count
            assert torch.equal(grid.specimen, torch.from_numpy(MASK))

    def test_sites_all_of_which_the_mask_leaves_out_are_refused(self):
        sites = np.array([[10.0, 60.0], [20, 60], [10, 65], [20, 65], [30, 65]])
        with pytest.raises(ValueError, match=r"only 0 of them .* show the specimen by half"):
            PatchGrid.at(IMAGE, sites, 8, mask=MASK)


class TestAModelOfIt:
    def grid(self, step=4, filler=0.0):
        y, x = (2 * np.pi * n / 8 for n in np.indices((96, 96)))
        image = np.exp(2 * (np.cos(y) + np.cos(x)))
        image = image / image.max() + 0.05 * np.random.default_rng(0).normal(size=image.shape)
        mask = np.ones(image.shape, bool)
        mask[:, 60:] = False
        return PatchGrid(np.where(mask, image, filler), 16, step, mask=mask)

    @pytest.mark.parametrize("step", [1, 4])
    def test_maps_are_nan_in_empty_cells_alone(self, step):
        grid = self.grid(step)
        maps = small_model(grid).latent_maps(grid)
        assert torch.equal(torch.isnan(maps[0]), ~grid.mask)

    def test_alignment_sees_the_specimen_alone(self):
        found = []
        for filler in (0.0, 1e3):
            grid = self.grid(filler=filler)
            model = small_model(grid)
            found.append(phyvae.align(model, grid, reach=6, steps=150, **SHIFT_ONLY).share)
        assert found[0] == found[1]
        assert found[0] > 0.2
        generator = torch.Generator().manual_seed(0)
        field = score_field(grid, principal_components(grid, torch.zeros(1), generator), generator)
        corners = field.random(500, generator)
        assert field.shown[tuple(corners.T)].all()
        assert (corners[:, 2] <= 52).all()
        near = field.neighbours(corners, generator)
        assert (near[:, 2] <= 52).float().mean() > 0.9

    def test_training_and_labels_leave_them_out(self):
        grid = self.grid()
        model = small_model(grid)
        objective = phyvae.PhysicsObjective(phyvae.EdgeLoss())
        phyvae.PhysicsTrainer(model, objective).fit(grid, epochs=1, progress=False)
        maps = model.latent_maps(grid)
        assert torch.equal(torch.isnan(maps[0]), ~grid.mask)
        labels = phyvae.segment(maps, 2)
        np.testing.assert_array_equal(labels == -1, ~grid.mask.numpy())
