"""The mean squared gradient of latent maps."""

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from phyvae import DirichletEnergy


class TestDirichletEnergy:
    def test_is_half_the_mean_squared_step_of_the_standardised_map(self):
        z = np.random.default_rng(0).random((2, 9, 12))
        expected = np.mean(
            [
                (np.diff(m, axis=0) ** 2).mean() + (np.diff(m, axis=1) ** 2).mean()
                for m in (z - z.mean((1, 2), keepdims=True)) / z.std((1, 2), keepdims=True)
            ]
        )
        assert float(DirichletEnergy()(torch.from_numpy(z))) == pytest.approx(expected / 2)

    def test_white_noise_costs_two(self):
        assert float(DirichletEnergy()(torch.randn(1, 200, 200))) == pytest.approx(2, rel=0.03)

    def test_with_a_mask_only_steps_between_two_cells_that_count_do(self):
        maps = torch.rand(1, 6, 8, dtype=torch.float64)
        mask = torch.zeros(6, 8, dtype=torch.bool)
        mask[1:5, 2:6] = True
        loss = DirichletEnergy("none")
        assert_close(loss(maps, mask), loss(maps[:, 1:5, 2:6]))

    def test_a_single_cell_is_refused(self):
        with pytest.raises(ValueError, match="maps are 1 x 1 cells, but a step to a neighbour"):
            DirichletEnergy()(torch.rand(1, 1, 1))
