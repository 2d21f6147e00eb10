"""Energy with the encoder's means: quadratic, so linear systems are the oracle."""

import torch
from torch.testing import assert_close

import phyvae
from noisy_spectra import FAST, LENGTH, SHAPE, encoders_noise, energy_of, refine
from phyvae import PhysicsObjective
from phyvae.patches.known import Patches


def test_without_physics_the_minimum_is_the_encoders_mean(model, grid):
    refined = refine(model, grid, strength=0.0, likelihood="encoder")
    assert torch.equal(refined.maps, model.latent_maps(grid))
    assert torch.equal(refined.shifts, model.shifts(grid))


def test_simulated_noise_moves_the_minimum_as_it_moves_the_mean(model, grid):
    energy = energy_of(model, grid, "encoder", samples=3)
    point = energy.expand(energy.start())
    gradients = energy.noise_gradients(point, 3, 0)
    for gradient, deviation in zip(gradients, energy.statistics.deviations, strict=True):
        assert_close(energy.step(point, None, gradient), deviation)


def test_a_quadratic_loss_has_the_minimum_of_a_linear_system(model, grid):
    """The encoder's energy with Dirichlet's is quadratic: solved by NumPy."""
    loss = phyvae.DirichletEnergy("none")
    refined = refine(
        model, grid, PhysicsObjective(loss), likelihood="encoder", iterations=10, strength=1.0
    )
    mean = model.posterior(Patches(grid.patches.reshape(-1, LENGTH))).mean.detach().double()[:, 1:]
    noise = encoders_noise(model, grid, samples=FAST["samples"]).double()
    rows, cols = SHAPE
    for k in range(2):
        unit = mean[:, k].std(correction=0)

        def psi(values, k=k, unit=unit):
            maps = torch.zeros(2, *SHAPE, dtype=torch.float64)
            maps[k] = (values / unit).reshape(SHAPE)
            return loss(maps)

        bend = torch.autograd.functional.hessian(psi, torch.zeros(rows * cols).double())
        weight = refined.weight * rows * cols
        system = torch.eye(rows * cols).double() / noise[k] ** 2 + weight * bend
        # The mean of a map makes no step, so where it lies does not matter.
        expected = torch.linalg.solve(system, mean[:, k] / noise[k] ** 2).reshape(SHAPE)
        assert_close(refined.maps[k].double(), expected, atol=2e-3 * float(unit), rtol=0.0)
