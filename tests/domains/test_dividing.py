"""Divisions into each number of domains."""

import numpy as np
import pytest

from phyvae import adjusted_rand_index
from phyvae.domains.dividing import CONTRAST, RAMP, divide

RNG = np.random.default_rng(0)
ALL = np.ones((30, 36), dtype=bool)
TRUTH = np.repeat([0, 1], 18) + np.zeros((30, 1), dtype=int)
TRUTH[:14, :16] = 2


class TestDivide:
    def test_walls_that_hold_are_left_and_the_true_number_scores_best(self):
        maps = np.stack([6.0 * (TRUTH == 1), 6.0 * (TRUTH == 2)]) + RNG.normal(size=(2, 30, 36))
        found = divide(maps, 4, 2.0, 0, ALL)
        assert sorted(found) == [2, 3, 4]
        assert found[3].number == 3
        assert adjusted_rand_index(found[3].labels, TRUTH) > 0.9
        known = [one for one in found[3].walls if not np.isnan(one.contrast)]
        assert all(one.contrast >= CONTRAST and one.ramp <= RAMP for one in known)
        assert found[3].score > 3

    @pytest.mark.parametrize("slope", [0.0, 0.5])
    def test_slow_changes_and_noise_have_no_wall_that_holds(self, slope):
        maps = slope * np.arange(36) + RNG.normal(size=(1, 30, 36))
        found = divide(maps, 3, 2.0, 0, ALL)
        for number, one in found.items():
            weakest = min((wall.contrast for wall in one.walls), default=0.0)
            assert one.number < number or weakest < CONTRAST
