"""Total variation of latent maps."""

import itertools
import math

import pytest
import torch
from torch.testing import assert_close

from phyvae import EdgeLoss, TotalVariation
from random_maps import random_maps


class TestTotalVariation:
    def test_equals_the_formula_cell_by_cell(self):
        z, mask = random_maps(9, 11).numpy(), random_maps(9, 11, seed=1).numpy() > 0.2
        z = (z - z[mask].mean()) / z[mask].std()

        def step(here, there):
            inside = all(0 <= k < n for k, n in zip(there, z.shape, strict=True))
            return z[there] - z[here] if inside and mask[here] and mask[there] else 0.0

        total = 0.0
        for i, j in itertools.product(range(9), range(11)):
            for di, dj in itertools.product((-1, 1), (-1, 1)):
                total += math.hypot(step((i, j), (i + di, j)), step((i, j), (i, j + dj))) / 4
        found = TotalVariation()(torch.from_numpy(z)[None], torch.from_numpy(mask))
        assert float(found) == pytest.approx(total / mask.sum())

    def test_a_map_that_alternates_costs_more_than_its_edges(self):
        board = torch.ones(1, 8, 8)
        board[:, ::2, ::2] = board[:, 1::2, 1::2] = -1
        assert EdgeLoss()(board) < 1 < TotalVariation()(board)

    def test_without_scaling_the_scale_stays(self):
        maps = random_maps(2, 6, 7)
        assert_close(TotalVariation("none")(5 * maps - 2), 5 * TotalVariation("none")(maps))

    def test_a_bad_scaling_is_refused(self, unchecked):
        with pytest.raises(ValueError, match="scaling='minmax' must be one of 'standard', 'none'"):
            unchecked(TotalVariation, "minmax")
