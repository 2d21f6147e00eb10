"""A cell without a patch is NaN in maps and -1 in labels, and counts nowhere."""

from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.collections import LineCollection, PolyCollection

import phyvae
from phyvae import (
    PatchGrid,
    adjusted_rand_index,
    boundaries,
    boundary_length,
    grains,
    match_labels,
    mean_iou,
    phantoms,
    plotting,
    segment,
    wall_length_ratio,
)

RNG = np.random.default_rng(0)
Y, X = np.mgrid[:20, :26]
DOMAINS = (np.hypot(Y - 8, X - 10) < 6).astype(int)
MAPS = np.stack([DOMAINS, -DOMAINS]) + RNG.normal(0, 0.1, (2, 20, 26))
MASK = RNG.random((20, 26)) > 0.15
HOLES = np.where(MASK, MAPS, np.nan)
LABELS = np.where(MASK, DOMAINS, -1)


class TestSegment:
    @pytest.mark.parametrize("method", ["gmm", "otsu"])
    @pytest.mark.parametrize("denoise", [None, 0.5, "std"])
    def test_empty_cells_are_minus_one_and_the_others_are_right(self, method, denoise):
        maps = HOLES if method == "gmm" else HOLES[0]
        labels = segment(maps, method=method, denoise=denoise)
        np.testing.assert_array_equal(labels == -1, ~MASK)
        assert (labels == LABELS).mean() > (0.99 if denoise is None else 0.95)

    @pytest.mark.parametrize("method", ["gmm", "otsu"])
    @pytest.mark.parametrize("denoise", [None, 0.3])
    def test_what_lies_in_them_does_not_matter(self, method, denoise):
        maps = HOLES if method == "gmm" else HOLES[0]
        expected = segment(maps, method=method, denoise=denoise)
        for filler in (-99.0, 0.5, np.inf):
            filled = np.where(MASK, maps, filler)
            found = segment(filled, method=method, denoise=denoise, mask=torch.from_numpy(MASK))
            np.testing.assert_array_equal(found, expected)

    def test_a_filter_does_not_take_them_for_low_values(self):
        few = np.where(RNG.random(MASK.shape) > 0.7, MAPS[0], np.nan)
        low, high = (segment(z, method="otsu", denoise=3.0) for z in (few, -few))
        there = low >= 0
        assert (high[there] == 1 - low[there]).mean() > 0.98

    def test_whole_rows_of_empty_cells_change_nothing_else(self):
        padded = np.pad(MAPS, ((0, 0), (2, 0), (0, 3)), constant_values=np.nan)
        np.testing.assert_array_equal(segment(padded)[2:, :-3], segment(MAPS))

    def test_a_mask_of_everything_is_no_mask(self):
        np.testing.assert_array_equal(segment(MAPS, mask=np.ones_like(MASK)), segment(MAPS))

    def test_flat_maps_are_one_domain_but_for_empty_cells(self):
        flat = np.where(MASK, 0.3, np.nan)
        np.testing.assert_array_equal(segment(flat), np.where(MASK, 0, -1))
        np.testing.assert_array_equal(segment(HOLES, classes=1), np.where(MASK, 0, -1))

    def test_chan_vese_needs_every_cell(self):
        with pytest.raises(ValueError, match=r"chan_vese.*hold no patch; use method='otsu'"):
            segment(HOLES[0], method="chan_vese")

    def test_half_a_nan_is_still_refused(self):
        maps = MAPS.copy()
        maps[1, 2, 3] = np.nan
        with pytest.raises(ValueError, match=r"maps holds 1 NaN.*\(1, 2, 3\)"):
            segment(maps)

    def test_so_is_nan_where_the_mask_has_a_patch(self):
        with pytest.raises(ValueError, match="NaN or infinite"):
            segment(HOLES, mask=np.ones_like(MASK))

    def test_so_are_maps_without_any_patch(self):
        with pytest.raises(ValueError, match="no patch is left"):
            segment(HOLES * np.nan)

    @pytest.mark.parametrize("mask", [MASK[1:], MASK.astype(int), MASK[None]])
    def test_so_is_another_mask(self, mask):
        with pytest.raises(ValueError, match="mask of shape"):
            segment(MAPS, mask=mask)

    def test_classes_are_at_most_the_patches(self):
        maps = np.full((4, 4), np.nan)
        maps[0] = range(4)
        with pytest.raises(ValueError, match="classes=5 exceeds the 4 cells"):
            segment(maps, classes=5)


class TestWallsAndGrains:
    def test_the_rim_of_empty_cells_is_no_wall(self):
        assert not boundaries([[0, 0, -1], [0, -1, 1], [-1, 1, 1]]).any()
        np.testing.assert_array_equal(
            boundaries([[0, 1, -1], [0, -1, 1]]), [[True, True, False], [False] * 3]
        )

    def test_walls_between_the_other_cells_stay(self):
        whole, holes = boundaries(DOMAINS), boundaries(LABELS)
        assert not holes[~MASK].any()
        assert (holes <= whole).all()
        near = np.pad(~MASK, 1)
        touched = near[:-2, 1:-1] | near[2:, 1:-1] | near[1:-1, :-2] | near[1:-1, 2:]
        np.testing.assert_array_equal(holes[MASK & ~touched], whole[MASK & ~touched])

    def test_empty_cells_are_no_grain(self):
        np.testing.assert_array_equal(
            grains([[-1, 0, 0, 1], [0, 0, 0, -1]], max_size=1), [[0, 0, 0, 1], [0, 0, 0, 0]]
        )
        assert grains(np.full((3, 3), -1), max_size=9).max() == 0


class TestMetrics:
    def test_only_cells_with_both_labels_count(self):
        found, other = DOMAINS.copy(), RNG.integers(3, size=DOMAINS.shape)
        found[:3] = 2
        for metric in (adjusted_rand_index, mean_iou):
            expected = metric(found[MASK][None], other[MASK][None])
            for a, b in ((MASK, MASK), (MASK, True), (True, MASK)):
                holes = np.where(a, found, -1), np.where(b, other, -1)
                assert metric(*holes) == pytest.approx(expected)

    def test_matching_leaves_empty_cells_empty(self):
        matched = match_labels([[0, 0, 1, -1, 2]], [[5, 5, 3, 3, -1]])
        np.testing.assert_array_equal(matched, [[5, 5, 3, -1, 6]])
        np.testing.assert_array_equal(
            match_labels(LABELS, DOMAINS + 3), np.where(MASK, DOMAINS + 3, -1)
        )

    def test_walls_to_empty_cells_have_no_length(self):
        assert boundary_length(np.where(MASK, 4, -1)) == 0
        assert 0 < boundary_length(LABELS) < boundary_length(DOMAINS)

    def test_rows_of_empty_cells_at_the_rim_change_few_cells(self):
        padded = np.pad(DOMAINS, 2, constant_values=-1)
        assert boundary_length(padded) == pytest.approx(boundary_length(DOMAINS))

    def test_the_ratio_compares_cells_that_both_have(self):
        assert wall_length_ratio(LABELS, DOMAINS) == 1
        assert wall_length_ratio(DOMAINS, LABELS) == 1

    def test_nothing_in_common_is_refused(self):
        with pytest.raises(ValueError, match="no cell with a label in both"):
            adjusted_rand_index([[0, -1]], [[-1, 0]])


@pytest.fixture(scope="module")
def phantom():
    return phantoms.bfo(shape=(200, 200), seed=0)


@pytest.fixture(scope="module")
def grid(phantom):
    there = np.random.default_rng(0).random(len(phantom.sites)) > 0.1
    return PatchGrid.at(phantom.image, phantom.sites[there], size=16)


@pytest.fixture(scope="module")
def scattered(phantom):
    return PatchGrid.at(phantom.image, phantom.sites, size=16, lattice=False)


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


class TestFigures:
    def test_maps_are_drawn_where_the_sites_are_and_empty_cells_are_not(self, phantom, grid):
        labels = grid.sample(phantom.domains)
        maps = np.where(labels >= 0, labels + 0.5, np.nan)[None]
        _, axes = plotting.plot_latent_maps(maps, labels, grid=grid)
        for ax, values in zip(axes, (maps[0], labels), strict=True):
            (cells,) = [c for c in ax.collections if isinstance(c, PolyCollection)]
            there = grid.mask.numpy()
            np.testing.assert_array_equal(cells.get_array(), values[there])
            middles = [path.vertices[:4].mean(0)[::-1] for path in cells.get_paths()]
            assert np.abs(middles - grid.sites[there]).max() < 0.5
        left, right, bottom, top = *axes[0].get_xlim(), *axes[0].get_ylim()
        assert 0 < left < right < 200 > bottom > top > 0

    def test_cells_of_a_lattice_leave_no_gap(self, phantom):
        whole = PatchGrid.at(phantom.image, phantom.sites, size=16)
        _, axes = plotting.plot_latent_maps(np.zeros((1, *whole.shape)), grid=whole)
        corners = np.array([path.vertices[:4] for path in axes[0].collections[0].get_paths()])
        corners = corners.reshape(*whole.shape, 4, 2)
        np.testing.assert_allclose(corners[:, :-1, 1], corners[:, 1:, 0])
        np.testing.assert_allclose(corners[:-1, :, 3], corners[1:, :, 0])

    @pytest.mark.parametrize("kind", ["grid", "scattered"])
    def test_domains_lie_over_the_image(self, kind, phantom, request):
        grid = request.getfixturevalue(kind)
        labels = grid.sample(phantom.domains)
        _, axes = plotting.plot_segmentation(grid, labels, pixel_size=0.5, unit="nm")
        (cells,) = [c for c in axes[0].collections if isinstance(c, PolyCollection)]
        (walls,) = [c for c in axes[0].collections if isinstance(c, LineCollection)]
        assert len(cells.get_paths()) == (labels >= 0).sum()
        assert len(walls.get_segments()) > 10
        assert np.concatenate(walls.get_segments()).max() < 100
        assert axes[0].get_xlim() == (-0.25, 99.75)

    def test_walls_are_drawn_once_and_go_straight_on(self):
        """A line for each side of a cell would show as dots where their ends overlap."""
        labels = np.random.default_rng(0).integers(-1, 2, (12, 9))
        _, axes = plotting.plot_latent_maps(np.zeros((1, 12, 9)), labels)
        (walls,) = axes[0].collections
        lines = [line - line[0] for line in walls.get_segments()]
        assert all((line == 0).all(axis=0).any() for line in lines)
        sides = [(a, b) for rows in (labels, labels.T) for a, b in pairwise(rows)]
        unequal = sum(int(((a != b) & (a >= 0) & (b >= 0)).sum()) for a, b in sides)
        assert sum(np.abs(line[-1]).sum() for line in lines) == pytest.approx(unequal)
        assert len(lines) < unequal
        _, axes = plotting.plot_latent_maps(np.zeros((1, 4, 6)), np.arange(24).reshape(4, 6) % 2)
        assert len(axes[0].collections[0].get_segments()) == 5

    def test_walls_lie_between_the_domains(self, phantom, scattered):
        labels = (scattered.sites[..., 0] > 100).astype(int)
        _, axes = plotting.plot_segmentation(scattered, labels)
        (walls,) = [c for c in axes[0].collections if isinstance(c, LineCollection)]
        y = np.concatenate(walls.get_segments())[:, 1]
        assert np.abs(y - 100).max() < phantom.lattice

    def test_without_a_grid_empty_cells_are_blank_and_have_no_wall(self):
        _, axes = plotting.plot_latent_maps(HOLES, np.where(MASK, 0, -1))
        assert axes[0].images[0].get_array().mask.sum() == (~MASK).sum()
        for ax in axes:
            assert not [line for c in ax.collections for line in c.get_segments()]

    def test_patches_are_drawn_of_cells_that_hold_one(self, grid):
        _, axes = plotting.plot_patches(grid, n=20)
        assert all(np.ptp(ax.images[0].get_array()) > 0 for ax in axes)
        with pytest.raises(ValueError, match=f"number of patches, {len(grid.indices)}"):
            plotting.plot_patches(grid, n=len(grid.indices) + 1)

    def test_a_callback_refuses_what_cannot_segment_empty_cells(self, grid, tmp_path):
        with pytest.raises(ValueError, match="chan_vese"):
            plotting.DrawMaps(grid, tmp_path, method="chan_vese")
        plotting.DrawMaps(grid, tmp_path, method="otsu")


class TestPlotSites:
    def test_labels_colour_the_sites_of_a_grid(self, phantom, grid):
        labels = grid.sample(phantom.domains)
        _, axes = plotting.plot_sites(grid, labels, pixel_size=2.0, unit="nm")
        dots = axes[0].collections[0]
        there = grid.mask.numpy()
        np.testing.assert_allclose(dots.get_offsets()[:, ::-1], 2 * grid.sites[there])
        np.testing.assert_array_equal(dots.get_array(), labels[there])
        assert axes[0].get_xlabel() == "x (nm)"

    def test_numbers_do_too_and_nan_is_left_out(self, grid):
        values = np.full(grid.shape, np.nan)
        values[3] = 0.5
        _, axes = plotting.plot_sites(grid, values)
        assert len(axes[0].collections[0].get_offsets()) == grid.mask[3].sum()

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
            ({"sites": np.ones((4, 2)), "values": np.full(4, -1)}, "no site to draw"),
            ({"sites": np.ones((4, 2)), "pixel_size": 2.0}, "pixel_size"),
        ],
    )
    def test_bad_arguments_are_named(self, options, named, phantom):
        with pytest.raises(ValueError, match=named):
            phyvae.plot_sites(phantom.image, **options)
