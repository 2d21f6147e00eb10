"""Cells on sites are where the sites are, and empty ones are blank."""

from itertools import pairwise

import numpy as np
import pytest
from matplotlib.collections import LineCollection, PolyCollection

from phyvae import PatchGrid, plotting


class TestCells:
    def test_maps_are_drawn_where_the_sites_are_and_empty_cells_are_not(self, phantom, site_grid):
        labels = site_grid.sample(phantom.domains)
        maps = np.where(labels >= 0, labels + 0.5, np.nan)[None]
        _, axes = plotting.plot_latent_maps(maps, labels, grid=site_grid)
        for ax, values in zip(axes, (maps[0], labels), strict=True):
            (cells,) = [c for c in ax.collections if isinstance(c, PolyCollection)]
            there = site_grid.mask.numpy()
            np.testing.assert_array_equal(cells.get_array(), values[there])
            middles = [path.vertices[:4].mean(0)[::-1] for path in cells.get_paths()]
            assert np.abs(middles - site_grid.sites[there]).max() < 0.5
        left, right, bottom, top = *axes[0].get_xlim(), *axes[0].get_ylim()
        assert 0 < left < right < 200 > bottom > top > 0

    def test_cells_of_a_lattice_leave_no_gap(self, phantom):
        whole = PatchGrid.at(phantom.image, phantom.sites, size=16)
        _, axes = plotting.plot_latent_maps(np.zeros((1, *whole.shape)), grid=whole)
        corners = np.array([path.vertices[:4] for path in axes[0].collections[0].get_paths()])
        corners = corners.reshape(*whole.shape, 4, 2)
        np.testing.assert_allclose(corners[:, :-1, 1], corners[:, 1:, 0])
        np.testing.assert_allclose(corners[:-1, :, 3], corners[1:, :, 0])

    @pytest.mark.parametrize("kind", ["site_grid", "scattered"])
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

    @pytest.mark.parametrize("kind", ["site_grid", "scattered"])
    def test_pixels_may_be_higher_than_wide(self, kind, phantom, request):
        grid = request.getfixturevalue(kind)
        labels = grid.sample(phantom.domains)

        def shown(pixel_size):
            _, axes = plotting.plot_segmentation(grid, labels, pixel_size=pixel_size, unit="nm")
            (cells,) = [c for c in axes[0].collections if isinstance(c, PolyCollection)]
            (walls,) = [c for c in axes[0].collections if isinstance(c, LineCollection)]
            middles = np.array([line.mean(axis=0) for line in walls.get_segments()])
            return np.array([path.vertices for path in cells.get_paths()]), middles

        for square, high in zip(shown(1.0), shown((2.0, 0.5)), strict=True):
            np.testing.assert_allclose(high, square * (0.5, 2.0))


class TestWalls:
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

    def test_walls_that_would_cover_the_panel_are_left_out(self):
        labels = np.random.default_rng(0).integers(0, 3, (300, 300))
        _, axes = plotting.plot_latent_maps(np.zeros((1, 300, 300)), labels)
        assert not axes[0].collections

    def test_walls_lie_between_the_domains(self, phantom, scattered):
        labels = (scattered.sites[..., 0] > 100).astype(int)
        _, axes = plotting.plot_segmentation(scattered, labels)
        (walls,) = [c for c in axes[0].collections if isinstance(c, LineCollection)]
        y = np.concatenate(walls.get_segments())[:, 1]
        assert np.abs(y - 100).max() < phantom.lattice

    def test_without_a_grid_empty_cells_are_blank_and_have_no_wall(self):
        there = np.random.default_rng(0).random((20, 26)) > 0.15
        _, axes = plotting.plot_latent_maps(
            np.where(there, 1.0, np.nan)[None], np.where(there, 0, -1)
        )
        assert axes[0].images[0].get_array().mask.sum() == (~there).sum()
        for ax in axes:
            assert not [line for c in ax.collections for line in c.get_segments()]
