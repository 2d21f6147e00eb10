"""How steep maps are at a wall, and around it."""

import numpy as np
import pytest
from skimage.filters import scharr

from phyvae.domains.wall_profiles import edge_magnitude, edge_ratio, profiles

HALVES = np.repeat([1, 2], 18) + np.zeros((30, 1), dtype=int)
ALL = np.ones(HALVES.shape, dtype=bool)
X = np.arange(36) - 17.5


class TestProfiles:
    def test_of_a_step_has_no_ramp_and_of_an_even_slope_it_is_one(self):
        step = np.clip(X / 2, -1, 1) + np.zeros((1, 30, 1))
        (found,) = profiles(step, HALVES, 2, ALL)
        assert found.pieces == (1, 2)
        assert found.ramp == pytest.approx(0, abs=0.02)
        assert found.contrast > 50
        (found,) = profiles(X + np.zeros((1, 30, 1)), HALVES, 2, ALL)
        assert found.ramp == pytest.approx(1, abs=0.02)
        assert found.contrast == pytest.approx(1, abs=0.02)

    def test_follows_flips_scale_and_transposes(self):
        maps = np.tanh(X / 3) + np.random.default_rng(0).normal(0, 0.01, (2, 30, 36))
        (one,) = profiles(maps, HALVES, 2, ALL)
        (two,) = profiles(-3 * maps.transpose(0, 2, 1)[:, ::-1], HALVES.T[::-1], 2, ALL.T)
        assert (one.contrast, one.ramp) == pytest.approx((two.contrast, two.ramp))

    def test_of_a_domain_less_than_one_and_a_half_patches_deep_fails(self):
        strip = np.repeat([1, 2], [33, 3]) + np.zeros((30, 1), dtype=int)
        (found,) = profiles(strip[None].astype(float), strip, 2, ALL)
        assert (found.contrast, found.ramp) == (0.0, 1.0)

    @pytest.mark.parametrize("unknown", [np.s_[:20, 16:20], np.s_[:, :15]])
    def test_of_a_wall_or_a_domain_without_patches_fails(self, unknown):
        known = ALL.copy()
        known[unknown] = False
        (found,) = profiles(HALVES[None].astype(float), HALVES, 2, known)
        assert (found.contrast, found.ramp) == (0.0, 1.0)

    def test_of_a_domain_with_two_patches_that_count_fails(self):
        known = ALL.copy()
        known[:, :15] = False
        known[:2, 14] = True
        (found,) = profiles(HALVES[None].astype(float), HALVES, 2, known)
        assert (found.contrast, found.ramp) == (0.0, 1.0)

    def test_of_pieces_that_meet_at_a_corner_is_unknown(self):
        pieces = np.repeat([1, 2], 8) + np.repeat([0, 2], 8)[:, None]
        pieces[7:9, 7:9] = 1
        found = profiles(pieces[None].astype(float), pieces, 2, np.ones((16, 16), dtype=bool))
        corner = [one for one in found if one.pieces == (1, 4)]
        assert len(corner) == 1
        assert np.isnan(corner[0].contrast)


def test_edge_magnitude_is_that_of_scharr():
    maps = np.random.default_rng(0).normal(size=(2, 9, 11))
    wanted = np.sqrt(sum(scharr(one) ** 2 for one in maps) / 2)
    assert np.allclose(edge_magnitude(maps)[1:-1, 1:-1], wanted[1:-1, 1:-1])


def test_edge_ratio_is_one_without_walls_or_room():
    edges = np.ones((6, 6))
    assert edge_ratio(edges, np.zeros((6, 6), bool), 2, edges > 0) == 1.0
    assert edge_ratio(edges, np.ones((6, 6), bool), 2, edges > 0) == 1.0
