"""Latent maps that leave their background in few cells."""

import math

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from phyvae import Sparsity
from random_maps import random_maps


class TestSparsity:
    @pytest.mark.parametrize("cells", [1, 8, 40])
    def test_equals_numpys_norms_about_the_median(self, cells):
        z, mask = random_maps(2, 9, 11).numpy(), random_maps(9, 11, seed=1).numpy() > 0.3
        mask.ravel()[-cells:] = False  # an even and an odd number of cells
        z = (z - z[:, mask].mean(1)[:, None, None]) / z[:, mask].std(1)[:, None, None]
        d = z[:, mask] - np.sort(z[:, mask], axis=1)[:, (mask.sum() - 1) // 2][:, None]
        each = abs(d).mean(1) / np.sqrt((d**2).mean(1))
        lengths = np.linalg.norm(d, axis=0)
        maps, counts = torch.from_numpy(z), torch.from_numpy(mask)
        assert float(Sparsity()(maps, counts)) == pytest.approx(each.mean())
        expected = lengths.mean() / np.sqrt((lengths**2).mean())
        assert float(Sparsity("group")(maps, counts)) == pytest.approx(expected)

    @pytest.mark.parametrize("cells", [1, 4, 16, 49])
    def test_a_share_of_equal_cells_costs_its_root(self, cells):
        maps = torch.zeros(1, 10, 10)
        maps.view(-1)[:cells] = -3
        assert float(Sparsity()(maps)) == pytest.approx(math.sqrt(cells / 100), rel=1e-5)

    def test_gaussian_noise_costs_the_known_ratio(self):
        noise = float(Sparsity()(torch.randn(1, 200, 200)))
        assert noise == pytest.approx(math.sqrt(2 / math.pi), rel=0.01)

    def test_groups_ask_for_the_same_cells_in_all_channels(self):
        same, apart = torch.zeros(2, 10, 10), torch.zeros(2, 10, 10)
        same[:, 0] = apart[0, 0] = apart[1, 9] = 1
        assert_close(Sparsity()(same), Sparsity()(apart))
        assert Sparsity("group")(same) < Sparsity("group")(apart)

    def test_refusals(self, unchecked):
        with pytest.raises(ValueError, match="kind='l2' must be one of 'l1', 'group'"):
            unchecked(Sparsity, "l2")
        with pytest.raises(ValueError, match=r"maps have 1 channel\(s\).*at least 2"):
            Sparsity("group")(torch.rand(1, 9, 9))
