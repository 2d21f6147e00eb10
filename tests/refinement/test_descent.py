"""Gauss-Newton descent of the energy of all latents."""

import pytest
import torch

from noisy_spectra import energy_of
from phyvae.refinement.descent import descend


def values(energy, path):
    return torch.tensor([energy.value(point) for point in path])


@pytest.mark.parametrize("far", [1.0, 30.0])
def test_every_point_has_less_energy_than_the_one_before(model, grid, far):
    """Also from latents so far away that the expansion there misleads."""
    energy = energy_of(model, grid)
    lowest = []
    start = energy.expand(far * energy.start())
    path = descend(energy, start, 12, lowest.append)
    energies = values(energy, path)
    assert len(path) > 2
    assert (energies.diff() < 0).all()
    assert min(lowest) == pytest.approx(float(energies[-1]))


def test_a_settled_energy_ends_the_descent(model, grid):
    energy = energy_of(model, grid)
    path = descend(energy, energy.expand(energy.start()), 30, lambda value: None)
    falls = -values(energy, path).diff()
    assert len(path) < 20
    assert falls[-1] < 1e-3 < falls[:-1].min()


def test_a_quadratic_energy_takes_one_step(model, grid):
    energy = energy_of(model, grid, "encoder")
    energy = energy.with_physics(energy.expand(energy.start()), 4.0)
    calls = []
    path = descend(energy, energy.expand(energy.start()), 3, calls.append)
    assert len(path) == 2
    assert len(calls) == 1
