"""Second-order expansion of the reconstruction loss, against autograd."""

import torch
from torch.testing import assert_close

from noisy_spectra import NOISE
from phyvae.refinement.expansion import expand_pixels


def test_value_gradient_and_curvature_are_those_of_autograd(model, grid):
    patches = grid.data(grid.indices[:5], model.like)
    z = torch.randn(5, 3)
    value, gradients, curvature = expand_pixels(model, patches, z)

    leaf = z.clone().requires_grad_()
    loss = model.reconstruction(patches.pixels, leaf)
    (gradient,) = torch.autograd.grad(loss.sum(), leaf)
    assert_close(value, loss.detach())
    assert_close(gradients.sum(-1), gradient, rtol=1e-4, atol=1e-3)

    # Of Gaussian pixels, the Gauss-Newton curvature is JᵀJ / σ².
    for i in range(5):
        jacobian = torch.autograd.functional.jacobian(
            lambda one, i=i: model.pixel_means(one, patches[torch.tensor([i])])[0], z[i : i + 1]
        )[:, 0]
        assert_close(curvature[i], jacobian.T @ jacobian / NOISE**2, rtol=1e-4, atol=1e-2)
