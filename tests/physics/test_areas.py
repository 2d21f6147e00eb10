"""Latent maps of levels with given areas."""

import math

import numpy as np
import pytest
import torch

from phyvae import AreaFractions
from random_maps import random_maps


class TestAreaFractions:
    @pytest.mark.parametrize("fractions", [(0.3, 0.7), (0.25, 0.25, 0.5), (0.123, 0.4, 0.477)])
    @pytest.mark.parametrize("masked_share", [0.0, 0.3])
    def test_equals_the_variance_within_sorted_pieces_cut_finely(self, fractions, masked_share):
        z, mask = random_maps(2, 9, 11).numpy(), random_maps(9, 11, seed=1).numpy() >= masked_share
        expected = []
        for values in z[:, mask]:
            fine = np.repeat(np.sort(values), 1000)  # so that a cut hardly divides a piece
            costs = []
            for shares in (fractions, fractions[::-1]):
                cuts = np.round(np.cumsum(shares)[:-1] * len(fine)).astype(int)
                pieces = np.split(fine, cuts)
                costs.append(sum(len(p) * p.var() for p in pieces) / len(fine) / values.var())
            expected.append(min(costs))
        found = AreaFractions(fractions)(torch.from_numpy(z), torch.from_numpy(mask))
        assert float(found) == pytest.approx(np.mean(expected), rel=1e-3)

    def test_levels_with_these_areas_are_free_whatever_their_values_and_places(self):
        values = torch.tensor([5.0] * 20 + [-2.0] * 30 + [9.0] * 50)[torch.randperm(100)]
        maps = values.reshape(1, 10, 10).double()
        assert AreaFractions((0.3, 0.2, 0.5))(maps) < 1e-12
        assert AreaFractions((0.5, 0.2, 0.3))(maps) < 1e-12
        assert AreaFractions((0.2, 0.3, 0.5))(maps) > 0.01

    def test_descent_brings_the_areas(self):
        torch.manual_seed(1)
        maps = torch.rand(1, 20, 20, requires_grad=True)
        loss, adam = AreaFractions((0.2, 0.8)), torch.optim.Adam([maps], lr=0.05)
        for _ in range(150):
            adam.zero_grad()
            loss(maps).backward()
            adam.step()
        middle = (maps.min() + maps.max()) / 2
        share = float((maps > middle).float().mean())
        assert min(share, 1 - share) == pytest.approx(0.2, abs=0.01)

    @pytest.mark.parametrize("fractions", [(1.0,), (0.5, 0.6), (-0.2, 1.2), (math.nan, 0.5)])
    def test_bad_fractions_are_refused(self, fractions):
        with pytest.raises(ValueError, match=r"fractions=.*with the sum 1"):
            AreaFractions(fractions)

    def test_more_levels_than_cells_are_refused(self):
        with pytest.raises(ValueError, match="maps are 1 x 2 cells, fewer than the levels"):
            AreaFractions((0.2, 0.3, 0.5))(torch.rand(1, 1, 2))
