"""Finite differences of latent maps."""

import pytest
import skimage
import torch
from torch.testing import assert_close

from phyvae.physics import scharr
from phyvae.physics.gradients import scharr_gradient
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
