"""Mean-field energy of class probabilities."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from torch import Tensor
from torch.testing import assert_close

from phyvae import TotalVariation
from phyvae.refinement.class_energy import ClassEnergy
from phyvae.refinement.classes import mean_field_steps

ROWS, COLS = 12, 14


def energy_of(losses: Tensor, shape: tuple[int, int], weight: float = 0.0, beta: float = 1.0):
    loss = TotalVariation("none")

    def psi(p: Tensor) -> Tensor:
        return loss(p.T.reshape(-1, *shape))

    return ClassEnergy(losses, torch.ones_like(losses), psi, beta, weight)


def smooth(maps: Tensor) -> Tensor:
    return maps.diff(dim=-1).square().sum() + maps.diff(dim=-2).square().sum()


class TestClassEnergy:
    def test_without_physics_it_is_bayes(self):
        losses = torch.rand(ROWS * COLS, 3, dtype=torch.float64)
        one = energy_of(losses, (ROWS, COLS), beta=0.5)
        likelihood = torch.exp(-losses / 0.5)
        assert_close(one.without_physics(), likelihood / likelihood.sum(1, keepdim=True))
        found = one.descend(one.without_physics(), 20, lambda: None)
        assert torch.equal(found, one.without_physics())

    def test_no_probabilities_have_less_energy_without_physics(self):
        losses = 2 * torch.rand(ROWS * COLS, 3, dtype=torch.float64)
        one = energy_of(losses, (ROWS, COLS))
        lowest = one.parts(one.without_physics())[0]
        for _ in range(20):
            other = torch.softmax(torch.randn(ROWS * COLS, 3, dtype=torch.float64), dim=1)
            assert one.parts(other)[0] > lowest

    def test_neighbours_right_what_noise_has_wronged(self):
        truth = (torch.arange(COLS) > COLS // 2).long().expand(ROWS, COLS).flatten()
        noise = torch.randn(len(truth), 2, generator=torch.Generator().manual_seed(0))
        losses = (2.0 * (1 - torch.eye(2)[truth]) + 2.0 * noise).double()
        one = energy_of(losses, (ROWS, COLS), weight=4.0)
        alone = one.without_physics()
        found = one.descend(alone, mean_field_steps(6), lambda: None)
        right = [float((p.argmax(1) == truth).double().mean()) for p in (alone, found)]
        assert right[0] < 0.85
        assert right[1] > 0.94
        assert_close(found.sum(1), torch.ones(len(truth), dtype=torch.float64))
        assert one.parts(found)[0] < one.parts(alone)[0]

    def test_it_is_the_minimum_that_scipy_finds(self):
        losses = torch.rand(12, 2, dtype=torch.float64)

        def psi(p: Tensor) -> Tensor:
            return smooth(p.T.reshape(2, 3, 4))

        one = ClassEnergy(losses, torch.ones_like(losses), psi, 0.7, 0.05)
        found = one.descend(one.without_physics(), 200, lambda: None)

        def energy(logits: np.ndarray) -> float:
            p = torch.softmax(torch.from_numpy(logits).reshape(12, 2), dim=1)
            return float(one.parts(p)[0])

        best = minimize(energy, np.zeros(24), method="BFGS").fun
        assert float(one.parts(found)[0]) == pytest.approx(best, abs=1e-6)

    def test_strength_weighs_the_force_against_the_noise(self):
        losses = torch.rand(ROWS * COLS, 3, dtype=torch.float64)
        one = energy_of(losses, (ROWS, COLS))
        weighed = one.with_physics(2.0)
        force = weighed.force(one.without_physics()) * weighed.weight
        assert float(force.square().mean().sqrt()) == pytest.approx(2.0)
        assert one.with_physics(0.0).weight == 0
