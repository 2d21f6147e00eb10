"""Latent maps that are alike at a given distance."""

import itertools
import math

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from phyvae import Autocorrelation
from random_maps import random_maps
from waves import wave


class TestAutocorrelation:
    @pytest.mark.parametrize("distance", [1.0, 2.5, 4.0, (0, 3), (2, -1)])
    @pytest.mark.parametrize("alike", [True, False])
    def test_equals_the_formula_pair_by_pair(self, distance, alike):
        z, mask = random_maps(8, 9).numpy(), random_maps(8, 9, seed=1).numpy() > 0.2
        z = z - z[mask].mean()
        product = squares = 0.0
        cells = [tuple(cell) for cell in np.argwhere(mask)]
        for a, b in itertools.product(cells, cells):
            step = (b[0] - a[0], b[1] - a[1])
            if isinstance(distance, tuple):
                near = step == distance
            else:
                near = abs(math.hypot(*step) - distance) <= 0.5
            product += 2 * z[a] * z[b] * near
            squares += (z[a] ** 2 + z[b] ** 2) * near
        expected = (1 - product / squares) / 2 if alike else (1 + product / squares) / 2
        loss = Autocorrelation(distance, alike=alike)
        assert float(loss(torch.from_numpy(z)[None], torch.from_numpy(mask))) == pytest.approx(
            expected
        )

    def test_stripes_are_alike_at_their_period_and_opposite_at_half_of_it(self):
        maps = wave(0.0, 1 / 12, (24, 48))
        assert Autocorrelation((0, 12))(maps) < 1e-9
        assert Autocorrelation((0, 6))(maps) > 1 - 1e-9
        assert Autocorrelation((0, 6), alike=False)(maps) < 1e-9
        assert float(Autocorrelation(6.0)(torch.randn(1, 100, 100))) == pytest.approx(
            0.5, abs=0.02
        )

    def test_nm_are_map_pixels_times_the_pixel_size(self):
        maps = torch.rand(1, 12, 12)
        assert_close(Autocorrelation(4.5, pixel_size=1.5)(maps), Autocorrelation(3.0)(maps))
        assert_close(
            Autocorrelation((3.0, -1.5), pixel_size=1.5)(maps), Autocorrelation((2, -1))(maps)
        )

    @pytest.mark.parametrize("distance", [12.0, (0, 9), (8, 0)])
    def test_a_distance_beyond_the_map_is_refused(self, distance):
        with pytest.raises(ValueError, match=r"reaches beyond a map of 8 x 9 cells"):
            Autocorrelation(distance)(torch.rand(1, 8, 9))

    @pytest.mark.parametrize("distance", [0.5, -2.0, math.nan, math.inf, (0, 0), (1, 2, 3)])
    def test_a_bad_distance_is_refused(self, distance):
        with pytest.raises(ValueError, match="distance="):
            Autocorrelation(distance)

    def test_less_than_a_map_pixel_in_nm_is_refused(self):
        with pytest.raises(ValueError, match=r"distance=1\.0 is 0\.5 map pixels"):
            Autocorrelation(1.0, pixel_size=2.0)(torch.rand(1, 8, 9))
