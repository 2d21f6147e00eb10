"""Standard deviations of refined maps, against the spread over noise realisations."""

import math

import pytest
import torch

from noisy_spectra import energy_of, grid_of
from phyvae.refinement.descent import descend
from phyvae.refinement.encoder_energy import EncoderEnergy
from phyvae.refinement.quadratic import ROUGH
from phyvae.refinement.uncertainty import standard_deviations

STEPS = 3


def minimum(model, grid, likelihood, strength, samples=2):
    """Return the energy with Ψ, and its minimum."""
    energy = energy_of(model, grid, likelihood, samples=samples)
    path = descend(energy, energy.expand(energy.start()), STEPS, lambda value: None)
    energy = energy.with_physics(path[-1], strength)
    return energy, descend(energy, path[-1], STEPS, lambda value: None)[-1]


# With Ψ, whole regions move together, and the weight of Ψ with the noise: less is known.
@pytest.mark.parametrize(("strength", "factor"), [(0.0, 1.3), (4.0, 2.5)])
def test_the_standard_deviations_are_the_spread_over_noise(
    model, strength, factor, likelihood, monkeypatch
):
    monkeypatch.setattr(EncoderEnergy, "adam", ROUGH)  # a spread need not be as exact as maps
    noises = [grid_of(model, seed=seed) for seed in range(20, 26)]
    settings = (likelihood, strength)
    minima = [minimum(model, grid, *settings)[1].z[:, model.content] for grid in noises]
    spread = torch.stack(minima).std(0).square().mean(0).sqrt()
    energy, point = minimum(model, noises[0], *settings, samples=10)
    stated = standard_deviations(energy, point, 10, 0, lambda: None)[:, model.content]
    stated = stated.square().mean(0).sqrt()
    assert ((stated / spread).log().abs() < math.log(factor)).all(), (stated, spread)


def test_each_simulated_noise_is_counted(model, grid):
    energy, calls = energy_of(model, grid, "encoder", samples=5), []
    standard_deviations(energy, energy.expand(energy.start()), 5, 0, lambda: calls.append(1))
    assert len(calls) == 5
