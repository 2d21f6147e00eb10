"""What holds for grids of any shape, type, mask and order."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

import phyvae
from phyvae import PatchGrid, ShiftVAE
from phyvae.patches.layout import Layout
from phyvae.training.tiles import TileSampler, sampler_of, steps_over

quick = settings(max_examples=15, deadline=None, derandomize=True, database=None)
seeds = st.integers(0, 2**31)
sides = st.integers(2, 12)
steps = st.integers(1, 7)
sizes = st.integers(2, 9)


@st.composite
def rasters(draw):
    """A grid on noise of any size, type and step."""
    size, step = (draw(sizes), draw(sizes)), (draw(steps), draw(steps))
    shape = [s + draw(st.integers(0, 15)) for s in size]
    rng = np.random.default_rng(draw(seeds))
    dtype = draw(st.sampled_from([np.uint8, np.int16, np.float16, np.float32, np.float64]))
    image = (100 * rng.random(shape)).astype(dtype)
    image.flat[0], image.flat[-1] = 0, 101  # never constant
    return PatchGrid(image, size, step)


@st.composite
def masked_maps(draw):
    """Maps of any shape with a mask that leaves some cells."""
    rng = np.random.default_rng(draw(seeds))
    shape = draw(sides), draw(sides)
    mask = rng.random(shape) < draw(st.floats(0.3, 1.0))
    mask[0, 0] = mask[-1, -1] = True
    maps = torch.from_numpy(rng.normal(size=(draw(st.integers(1, 3)), *shape)))
    return maps, torch.from_numpy(mask)


def model_of(grid):
    return ShiftVAE(grid.patch_shape, hidden_dim_e=(5,), hidden_dim_d=(5,))


class TestGrids:
    @quick
    @given(rasters(), st.integers(1, 80), st.integers(1, 80))
    def test_the_batch_size_changes_no_map(self, grid, one, other):
        model = model_of(grid)
        for maps in (model.latent_maps, model.latent_stds, model.shifts):
            assert_close(
                maps(grid, batch_size=one), maps(grid, batch_size=other), rtol=1e-6, atol=1e-6
            )
        patches = grid.patches.reshape(-1, *grid.patch_shape)
        for a, b in zip(*(model.encode(patches, batch_size=n) for n in (one, other)), strict=True):
            assert_close(a, b, rtol=1e-6, atol=1e-6)

    @quick
    @given(rasters())
    def test_a_map_holds_what_encode_says_where_the_patch_lies(self, grid):
        model = model_of(grid)
        means, _ = model.encode(grid.patches.reshape(-1, *grid.patch_shape))
        laid_out = means[:, model.content].T.reshape(-1, *grid.shape)
        assert_close(model.latent_maps(grid), laid_out, rtol=1e-5, atol=1e-6)

    def test_patches_of_any_strides_are_encoded(self):
        grid = PatchGrid(np.random.default_rng(0).random((2, 3)), 2, 1)
        patches = grid.patches.reshape(-1, 2, 2)
        assert not patches.is_contiguous()
        model = model_of(grid)
        assert_close(model.encode(patches), model.encode(patches.clone().contiguous()))

    @quick
    @given(rasters(), seeds)
    def test_gathering_in_any_order_and_back_is_exact(self, grid, seed):
        order = torch.randperm(len(grid), generator=torch.Generator().manual_seed(seed))
        back = torch.empty(len(grid), *grid.patch_shape)
        back[order] = grid.gather(order)
        assert torch.equal(back.reshape(*grid.shape, *grid.patch_shape), grid.patches)

    @quick
    @given(rasters(), st.sampled_from([(0,), (1,), (0, 1)]))
    def test_a_flipped_image_has_the_flipped_grid_where_it_is_covered(self, grid, axes):
        image = _covered(grid)
        one = PatchGrid(image, grid.patch_shape, grid.step, percentiles=None)
        other = PatchGrid(np.flip(image, axes), grid.patch_shape, grid.step, percentiles=None)
        inner = [2 + axis for axis in axes]
        assert torch.equal(other.patches, one.patches.flip([*axes, *inner]))

    @quick
    @given(rasters())
    def test_a_transposed_image_has_the_transposed_grid(self, grid):
        other = PatchGrid(grid.image.T, grid.patch_shape[::-1], grid.step[::-1], percentiles=None)
        assert torch.equal(other.patches, grid.patches.permute(1, 0, 3, 2))

    @quick
    @given(rasters())
    def test_the_scale_and_offset_of_the_image_change_no_patch(self, grid):
        image = grid.image.double().numpy()
        other = PatchGrid(40 * image - 7, grid.patch_shape, grid.step)
        assert_close(other.image, grid.image, rtol=0, atol=1e-6)


def _covered(grid):
    """Return the part of the image that lies in a patch: flips start at its far end."""
    sides = zip(grid.shape, grid.step, grid.patch_shape, strict=True)
    ends = [(n - 1) * step + size for n, step, size in sides]
    image = grid.image[: ends[0], : ends[1]].numpy().copy()
    image.flat[0], image.flat[-1] = 0, 1
    return image


class TestTiles:
    @quick
    @given(masked_maps(), st.integers(1, 30), st.integers(2, 8), seeds)
    def test_an_epoch_decodes_patches_alone_and_each_tile_lays_them_out_where_they_lie(
        self, maps_and_mask, batch_size, tile, seed
    ):
        maps, mask = maps_and_mask
        sampler = TileSampler(mask.shape, batch_size, tile, sites=5, mask=mask)
        cells = set(torch.nonzero(mask.flatten()).flatten().tolist())
        for step in steps_over([sampler], seed):
            assert set(step.tile.tolist()) <= cells
            assert len(set(step.batch.tolist())) == len(step.batch) <= batch_size
            laid_out = step.layout.maps(maps.flatten(1)[:, step.tile].T)
            inside = maps[:, mask] if step.layout.mask is None else None
            assert laid_out.shape[1:] == step.layout.shape
            held = laid_out if step.layout.mask is None else laid_out[:, step.layout.mask]
            assert torch.equal(held.flatten(1), maps.flatten(1)[:, step.tile])
            assert inside is None or inside.shape[1] >= held[0].numel()

    @quick
    @given(rasters(), st.integers(1, 30), st.integers(2, 8), seeds)
    def test_one_seed_draws_one_epoch(self, grid, batch_size, tile, seed):
        sampler = sampler_of(grid, batch_size, tile, 10)
        for one, other in zip(*(steps_over([sampler], seed) for _ in range(2)), strict=True):
            assert torch.equal(one.tile, other.tile)
            assert torch.equal(one.batch, other.batch)

    @quick
    @given(masked_maps())
    def test_values_laid_out_and_taken_back_are_the_same(self, maps_and_mask):
        maps, mask = maps_and_mask
        (cells,) = torch.nonzero(mask.flatten(), as_tuple=True)
        values = maps.flatten(1)[:, cells].T
        laid_out = Layout(tuple(mask.shape), cells).maps(values)
        assert torch.equal(laid_out.flatten(1)[:, cells].T, values)


SYMMETRIC = [
    phyvae.EdgeLoss(), phyvae.EdgeLoss(sigma_spatial=1.0), phyvae.TotalVariation(),
    phyvae.Sparsity(), phyvae.AreaFractions((0.4, 0.6)),
]  # fmt: skip


class TestMaps:
    @quick
    @given(masked_maps(), st.sampled_from(SYMMETRIC), st.sampled_from(["flip", "turn", "T"]))
    def test_flips_and_transposes_cost_the_same(self, maps_and_mask, loss, how):
        maps, mask = maps_and_mask
        move = {
            "flip": lambda z: z.flip(-1),
            "turn": lambda z: z.flip(-1, -2),
            "T": lambda z: z.transpose(-1, -2),
        }[how]
        assert_close(loss(move(maps), move(mask)), loss(maps, mask), rtol=1e-9, atol=1e-9)

    @quick
    @given(masked_maps(), st.sampled_from(SYMMETRIC), st.floats(0.01, 100), st.floats(-9, 9))
    def test_so_do_other_scales_and_offsets_and_values_of_empty_cells(
        self, maps_and_mask, loss, scale, offset
    ):
        maps, mask = maps_and_mask
        other = torch.where(mask, scale * maps + offset, torch.nan)
        assert_close(loss(other, mask), loss(maps, mask), rtol=1e-6, atol=1e-6)

    @quick
    @given(masked_maps(), st.sampled_from(["flip", "turn", "T"]))
    def test_labels_move_with_the_maps_and_no_metric_sees_it(self, maps_and_mask, how):
        maps, mask = maps_and_mask
        maps, mask = maps.numpy(), mask.numpy()
        move = {
            "flip": lambda z: np.flip(z, -1),
            "turn": lambda z: np.flip(z, (-1, -2)),
            "T": lambda z: np.swapaxes(z, -1, -2),
        }[how]
        labels = phyvae.segment(maps[:1], classes=2, method="otsu", mask=mask)
        moved = phyvae.segment(move(maps[:1]), classes=2, method="otsu", mask=move(mask))
        np.testing.assert_array_equal(moved, move(labels))
        truth = np.indices(labels.shape).sum(0) % 2
        for metric in (phyvae.adjusted_rand_index, phyvae.mean_iou):
            assert metric(moved, move(truth)) == pytest.approx(metric(labels, truth))
        assert phyvae.boundary_length(moved) == pytest.approx(phyvae.boundary_length(labels))
