"""The energy of domain walls by direction."""

import itertools
import math

import pytest
import torch
from torch.testing import assert_close

from phyvae import InterfaceEnergy, TotalVariation
from waves import plane


class TestInterfaceEnergy:
    @pytest.mark.parametrize("degrees", [0, 20, 45, 90, 130])
    @pytest.mark.parametrize("angle", [0.0, 30.0, 110.0])
    def test_a_wall_costs_what_the_formula_says_of_its_direction(self, degrees, angle):
        away = math.radians(degrees - angle)
        two = InterfaceEnergy(3.0, angle, scaling="none")(plane(degrees, (2000, 3)))
        four = InterfaceEnergy(1.3, angle, folds=4, scaling="none")(plane(degrees, (2000, 3)))
        # Cells at the border have no step across it, hence three columns and their own mean.
        expected = self.by_hand(plane(degrees, (2000, 3)), angle)
        assert_close(two, expected(lambda b, a: math.sqrt(b * b + 9 * a * a)))
        assert_close(
            four, expected(lambda b, a: math.sqrt(a * a + b * b + 2 * (1.69 - 1) * abs(a * b)))
        )
        inner = math.sqrt(math.cos(away) ** 2 + 9 * math.sin(away) ** 2)
        large = InterfaceEnergy(3.0, angle, scaling="none")(plane(degrees, (300, 300)))
        assert float(large) == pytest.approx(inner, rel=0.01)

    @staticmethod
    def by_hand(ramp, angle):
        z = ramp[0].numpy()
        sine, cosine = math.sin(math.radians(angle)), math.cos(math.radians(angle))

        def mean(energy):
            rows, cols = z.shape
            total = 0.0
            for i, j in itertools.product(range(rows), range(cols)):
                for di, dj in itertools.product((-1, 1), (-1, 1)):
                    y = di * (z[i + di, j] - z[i, j]) if 0 <= i + di < rows else 0.0
                    x = dj * (z[i, j + dj] - z[i, j]) if 0 <= j + dj < cols else 0.0
                    total += energy(sine * x + cosine * y, cosine * x - sine * y) / 4
            return torch.tensor(total / z.size, dtype=torch.float64)

        return mean

    def test_with_ratio_one_it_is_total_variation(self):
        maps = torch.rand(2, 9, 12, dtype=torch.float64)
        for folds in (2, 4):
            assert_close(InterfaceEnergy(1.0, 25.0, folds=folds)(maps), TotalVariation()(maps))

    def test_the_easy_direction_is_easiest(self):
        loss = InterfaceEnergy(2.0, 30.0)
        costs = {degrees: float(loss(plane(degrees, (80, 80)))) for degrees in range(0, 180, 10)}
        assert min(costs, key=costs.get) == 30
        assert max(costs, key=costs.get) == 120

    @pytest.mark.parametrize(
        ("settings", "named"),
        [
            ({"ratio": 0.5}, r"ratio=0\.5 must be >= 1.*add 90"),
            ({"ratio": math.nan}, "ratio=nan"),
            ({"angle": math.inf}, "angle=inf"),
            ({"folds": 3}, r"folds=3 must be 2.*or 4"),
            ({"scaling": "minmax"}, "scaling='minmax' must be one of 'standard', 'none'"),
        ],
    )
    def test_bad_settings_are_refused(self, settings, named, unchecked):
        with pytest.raises(ValueError, match=named):
            unchecked(InterfaceEnergy, **settings)
