"""Cells of latent maps that count."""

import numpy as np
import scipy.ndimage
import scipy.optimize
import scipy.special
import scipy.stats
import torch
from torch.testing import assert_close

from phyvae.physics.masking import eroded, masked, mean_over, sorted_cells
from random_maps import random_maps


def test_the_erosion_is_scipys():
    mask = torch.rand(9, 12) > 0.1
    expected = scipy.ndimage.binary_erosion(mask.numpy(), np.ones((3, 3)))[1:-1, 1:-1]
    assert (eroded(mask).numpy() == expected).all()


def test_cells_that_do_not_count_have_no_influence():
    maps, mask = random_maps(2, 9, 11), random_maps(9, 11, seed=1) > 0.3
    holes, counts = masked(torch.where(mask, maps, torch.nan), mask)
    assert (holes[:, ~mask] == 0).all()
    assert torch.equal(counts, mask)
    assert_close(mean_over(holes, counts), maps[:, mask].mean(1))
    ordered = sorted_cells(maps, mask)
    assert torch.equal(ordered[:, : int(mask.sum())], maps[:, mask].sort(dim=1).values)
    assert ordered[:, int(mask.sum()) :].isinf().all()


def test_the_mean_over_no_cell_is_zero():
    assert (mean_over(torch.rand(2, 5, 6), torch.zeros(5, 6, dtype=torch.bool)) == 0).all()
