"""Labels and pixel sizes are checked against their grid."""

import numpy as np
import pytest

from phyvae import PatchGrid
from phyvae.domains.on_grid import labels_of
from phyvae.patches.map_pixel import cell_vectors

IMAGE = np.random.default_rng(0).random((60, 80))


def test_cells_without_a_patch_have_no_label():
    mask = np.ones(IMAGE.shape, bool)
    mask[:30, :30] = False
    grid = PatchGrid(IMAGE, size=10, step=10, mask=mask)
    labels = labels_of(grid, np.zeros(grid.shape, int))
    np.testing.assert_array_equal(labels == -1, ~grid.mask.numpy())


def test_labels_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"labels has shape \(2, 2\), but the grid has \(6, 8\)"):
        labels_of(PatchGrid(IMAGE, size=10, step=10), np.zeros((2, 2), int))


def test_vectors_are_steps_in_px():
    assert cell_vectors(PatchGrid(IMAGE, size=10, step=(4, 8))).tolist() == [[4, 0], [0, 8]]
