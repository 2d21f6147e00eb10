"""Walls are lines between cells of unequal labels."""

from itertools import pairwise

import numpy as np
import pytest
from matplotlib.collections import LineCollection

from phyvae import plotting


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
