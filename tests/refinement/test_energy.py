"""Energy of the latents with the decoder's likelihood."""

import copy

import pytest
import torch
from torch.testing import assert_close

from noisy_spectra import energy_of, grid_of, refine
from phyvae import PatchGrid, PhysicsObjective, ShiftVAE, TotalVariation
from phyvae.patches.known import Patches


def test_derivatives_are_those_of_the_loss_of_a_patch(model, grid):
    energy = energy_of(model, grid, beta=0.7)
    z = 1.3 * energy.start()
    gradient, _ = energy.derivatives(energy.expand(z))
    leaf = z.clone().requires_grad_()
    patches = grid.gather(grid.indices)
    loss = model.reconstruction(patches, leaf) + 0.35 * leaf.square().sum(1)
    assert_close(energy.patch_losses(energy.expand(z)), loss.detach(), rtol=1e-4, atol=1e-3)
    (expected,) = torch.autograd.grad(loss.sum(), leaf)
    assert_close(gradient, expected, rtol=1e-3, atol=1e-2)


def test_the_weight_makes_physics_as_strong_as_the_noise(model, grid):
    energy = energy_of(model, grid)
    point = energy.expand(energy.start())
    one, two = (energy.with_physics(point, s) for s in (1.0, 2.5))
    assert two.weight == pytest.approx(2.5 * one.weight, rel=1e-5)
    leaf = point.z.clone().requires_grad_()
    (force,) = torch.autograd.grad(one.weight * len(leaf) * one.psi(leaf), leaf)
    content = slice(1, 3)
    unit = point.z[:, content].std(0, correction=0)
    ratio = (force[:, content] * unit).square().mean() / (
        point.noise[:, content] * unit.square()
    ).mean()
    assert_close(ratio, torch.tensor(1.0), rtol=1e-4, atol=0)
    assert energy.with_physics(point, 0.0) is energy


@pytest.mark.parametrize(
    "settings",
    [
        {"sampler_d": "bernoulli"},
        {"sampler_d": "gaussian"},
        {"sampler_d": "gaussian", "sigmoid_d": False},
    ],
    ids=str,
)
def test_without_physics_it_is_least_at_the_most_probable_latent_of_each_patch(settings):
    model = ShiftVAE((6, 7), 2, seed=1, hidden_dim_d=(16, 16), **settings).double()
    image = torch.rand(24, 28, generator=torch.Generator().manual_seed(0))
    grid = PatchGrid(image, size=(6, 7))
    refined = refine(model, grid, strength=0.0, beta=0.7, iterations=30)
    patches = grid.patches.reshape(-1, 6, 7).double()
    z = model.posterior(Patches(patches)).mean.detach().requires_grad_()
    optimizer = torch.optim.LBFGS([z], max_iter=500, tolerance_grad=1e-9)

    def energy():
        optimizer.zero_grad()
        value = (model.reconstruction(patches, z) + 0.35 * z.square().sum(1)).sum()
        value.backward(inputs=[z])
        return value

    optimizer.step(energy)
    expected = energy().detach() / len(grid)
    assert_close(refined.energy[-1], expected, atol=2e-3, rtol=0.0)
    maps = z.detach()[:, 2:].T.reshape(-1, *grid.shape)
    assert_close(refined.maps, maps, atol=0.1, rtol=0.0)


class TestRefusals:
    def test_a_loss_without_gradient(self, model, grid):
        energy = energy_of(
            model, grid, objective=PhysicsObjective(TotalVariation(), coupling="published")
        )
        with pytest.raises(ValueError, match="without gradient"):
            energy.with_physics(energy.expand(energy.start()), 1.0)

    def test_a_model_with_broken_weights(self, model):
        broken = copy.deepcopy(model)
        with torch.no_grad():
            broken.decoder.out.bias.fill_(torch.nan)
        with pytest.raises(ValueError, match=r"energy is not finite \(reconstruction nan"):
            refine(broken, grid_of(model), iterations=1, samples=2)
