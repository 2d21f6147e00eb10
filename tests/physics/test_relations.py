"""Relations between channels: correlation, overlap, formulas."""

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from phyvae import Decorrelation, Exclusiveness, Relation
from random_maps import random_maps


class TestDecorrelation:
    def test_equals_numpys_correlation_coefficients(self):
        maps, mask = random_maps(3, 9, 11), torch.rand(9, 11) > 0.3
        r = np.corrcoef(maps[:, mask].numpy())
        expected = np.mean([r[0, 1] ** 2, r[0, 2] ** 2, r[1, 2] ** 2])
        assert float(Decorrelation()(maps, mask)) == pytest.approx(expected)

    def test_one_map_alone_is_refused(self):
        with pytest.raises(ValueError, match=r"maps have 1 channel\(s\), but Decorrelation"):
            Decorrelation()(torch.rand(1, 9, 9))


class TestExclusiveness:
    def test_equals_the_formula(self):
        maps = random_maps(3, 9, 11)
        d = (maps - maps.flatten(1).median(dim=1).values[:, None, None]).numpy() ** 2
        pairs = [
            (d[a] * d[b]).mean() / np.sqrt((d[a] ** 2).mean() * (d[b] ** 2).mean())
            for a, b in ((0, 1), (0, 2), (1, 2))
        ]
        assert float(Exclusiveness()(maps)) == pytest.approx(np.mean(pairs))

    def test_overlap_is_what_it_costs(self):
        maps = torch.zeros(2, 10, 10)
        maps[0, :3] = 1
        costs = []
        for start in range(4):
            maps[1] = 0
            maps[1, start : start + 3] = -2.0
            costs.append(float(Exclusiveness()(maps)))
        assert costs == pytest.approx([1, 2 / 3, 1 / 3, 0], abs=1e-6)

    def test_one_map_alone_is_refused(self):
        with pytest.raises(ValueError, match=r"maps have 1 channel\(s\), but Exclusiveness"):
            Exclusiveness()(torch.rand(1, 9, 9))


class TestRelation:
    def test_is_the_mean_square_of_the_function_where_cells_count(self):
        maps, mask = random_maps(2, 9, 11), torch.rand(9, 11) > 0.3
        loss = Relation(lambda z1, z2: z1 - z2**2, scaling="none")
        expected = (maps[0] - maps[1] ** 2)[mask].square().mean()
        assert_close(loss(torch.where(mask, maps, torch.nan), mask), expected)

    def test_a_circle_of_order_parameters_is_free_on_it(self):
        angle = torch.rand(9, 9) * 6.3
        maps = torch.stack([angle.cos(), angle.sin()])
        loss = Relation(lambda z1, z2: z1**2 + z2**2 - 1, scaling="none")
        assert loss(maps) < 1e-10 < loss(0.9 * maps)

    def test_another_number_of_channels_is_refused(self):
        def product(first, second):
            return first * second

        with pytest.raises(ValueError, match=r"maps have 3 channel\(s\), but Relation\(product"):
            Relation(product)(random_maps(3, 9, 11))

    def test_an_error_within_the_function_is_its_own(self):
        def broken(first):
            return first + "a"

        with pytest.raises(TypeError, match="unsupported operand"):
            Relation(broken)(random_maps(1, 9, 11))

    def test_what_is_no_map_is_refused(self):
        with pytest.raises(ValueError, match=r"returned \(\), but must return a map of shape"):
            Relation(lambda z: z.mean())(random_maps(1, 9, 11))
        with pytest.raises(ValueError, match=r"returned float, but must"):
            Relation(lambda z: 1.0)(random_maps(1, 9, 11))

    def test_bad_settings_are_refused(self, unchecked):
        with pytest.raises(TypeError, match=r"function=3 must be a function"):
            unchecked(Relation, 3)
        with pytest.raises(ValueError, match="scaling='minmax'"):
            unchecked(Relation, abs, scaling="minmax")
