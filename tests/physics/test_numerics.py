"""Finite differences of latent maps."""

import numpy as np
import pytest
import scipy.ndimage
import scipy.optimize
import scipy.special
import scipy.stats
import skimage
import torch
from torch.testing import assert_close

from phyvae.physics import scharr
from phyvae.physics.numerics import (
    eroded,
    length,
    masked,
    mean_over,
    ratio,
    root,
    scharr_gradient,
    sorted_cells,
)
from random_maps import random_maps


class TestScharr:
    @pytest.mark.parametrize("shape", [(9, 7), (16, 16), (5, 30)])
    def test_equals_scikit_image(self, shape):
        z = random_maps(*shape)
        expected = skimage.filters.scharr(z.numpy())
        assert_close(scharr(z[None])[0], torch.from_numpy(expected), atol=1e-14, rtol=0)

    def test_the_gradient_is_finite_on_a_flat_map(self):
        maps = torch.ones(1, 6, 6, requires_grad=True)
        scharr(maps).sum().backward()
        assert maps.grad.isfinite().all()


def test_the_inner_slopes_are_scikit_images():
    z = torch.rand(1, 9, 12, dtype=torch.float64)
    y, x = scharr_gradient(z)
    assert_close(2 * y[0], torch.from_numpy(skimage.filters.scharr_h(z[0].numpy())[1:-1, 1:-1]))
    assert_close(2 * x[0], torch.from_numpy(skimage.filters.scharr_v(z[0].numpy())[1:-1, 1:-1]))


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


def test_value_and_gradient_are_finite_at_zero_and_exact_elsewhere():
    x = torch.tensor([0.0, 4.0], dtype=torch.float64, requires_grad=True)
    for found, values, slopes in (
        (root(x), [0.0, 2.0], [0.0, 0.25]),
        (length(torch.stack([x, x]), dim=0), [0.0, 32**0.5], [0.0, 2**0.5]),
        (ratio(8 * x, x.square()), [0.0, 2.0], [8.0, -0.5]),
    ):
        (gradient,) = torch.autograd.grad(found.sum(), x)
        assert found.tolist() == pytest.approx(values)
        assert gradient.tolist() == pytest.approx(slopes)


def test_what_is_no_number_stays_so():
    nan = torch.tensor(torch.nan)
    assert root(nan).isnan()
    assert ratio(nan, nan).isnan()
