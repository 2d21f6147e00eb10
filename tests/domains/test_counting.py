"""The number of domains."""

import numpy as np
import pytest

import phyvae
from phyvae import count_domains

RNG = np.random.default_rng(0)
NOISE = RNG.normal(0, 0.2, (1, 22, 24))
HALVES = np.repeat([0.0, 1.0], 12) + np.zeros((22, 1))
CORNER = HALVES.copy()
CORNER[:9, :10] = 2.0


class TestCountDomains:
    @pytest.mark.parametrize(("truth", "number"), [(0 * HALVES, 1), (HALVES, 2), (CORNER, 3)])
    def test_is_that_of_the_regions(self, truth, number):
        assert count_domains(truth + NOISE) == number

    def test_does_not_depend_on_scale_offset_flips_and_transposes(self):
        maps = CORNER + NOISE
        for same in (5 * maps[:, ::-1] - 3, maps.transpose(0, 2, 1)):
            assert count_domains(same) == 3

    def test_of_a_slow_change_is_one(self):
        y, x = np.mgrid[:22, :24]
        slope = x / 24 + NOISE[0] / 4
        bumps = np.sin(y / 4) * np.sin(x / 5) + NOISE[0] / 4
        assert count_domains(slope) == count_domains(bumps) == 1

    def test_of_slow_changes_is_one_whatever_the_patch(self):
        slope = np.arange(24) / 24 + NOISE / 4
        assert count_domains(slope, wall=2) == count_domains(slope, wall=4) == 1

    def test_is_that_of_regions_with_walls_as_wide_as_a_patch(self):
        ramp = np.clip((np.arange(36) - 15) / 5, 0, 1) + RNG.normal(0, 0.05, (1, 30, 36))
        assert count_domains(ramp, wall=4) == 2

    def test_of_one_cluster_is_one_even_where_it_is_skewed(self):
        assert count_domains(RNG.gamma(4.0, size=(2, 22, 24))) == 1

    def test_of_a_flat_map_is_one(self):
        assert count_domains(np.zeros((2, 9, 9))) == 1

    def test_of_scattered_values_is_one_however_far_apart(self):
        assert count_domains(RNG.choice([0.0, 1.0], (22, 24)) + NOISE / 10) == 1

    def test_is_at_most_what_is_looked_for(self):
        assert count_domains(CORNER + NOISE, most=2) == 2
        assert count_domains(CORNER + NOISE, most=1) == 1

    def test_cells_without_a_patch_have_no_part_in_it(self):
        maps, mask = CORNER + NOISE, np.ones(CORNER.shape, bool)
        mask[15:, 19:] = False
        maps[:, ~mask] = np.nan
        assert count_domains(maps) == 3
        maps[:, ~mask] = 50.0
        assert count_domains(maps, mask=mask) == 3

    @pytest.mark.parametrize(
        ("maps", "most", "match"),
        [
            (HALVES, 0, "most=0 must be at least 1"),
            (np.zeros((2, 2)), 6, "most=6 exceeds the 4 cells"),
            (np.zeros((2, 2)), 2, "wall=2 must be less than the 2 cells"),
            (np.full((4, 4), np.inf), 2, "finite"),
        ],
    )
    def test_refusals(self, maps, most, match):
        with pytest.raises(ValueError, match=match):
            count_domains(maps, most)

    def test_a_wall_must_fit_into_the_map(self):
        with pytest.raises(ValueError, match="wall=0 must be > 0"):
            count_domains(HALVES, wall=0)
        with pytest.raises(ValueError, match="wall=24 must be less than the 24 cells"):
            count_domains(HALVES, wall=24)

    def test_is_public(self):
        assert phyvae.count_domains is count_domains
