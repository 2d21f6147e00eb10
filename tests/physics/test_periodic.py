"""Latent maps with given wavevectors."""

import itertools
import math

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from phyvae import PeriodicOrder
from random_maps import random_maps
from waves import wave


class TestPeriodicOrder:
    @pytest.mark.parametrize("tolerance", [None, 0.08])
    def test_equals_the_formula_wavevector_by_wavevector(self, tolerance):
        z, vectors = random_maps(9, 12).numpy(), [(0.2, 0.1), (0.45, 0.2)]
        power = abs(np.fft.fft2(z - z.mean())) ** 2
        outside = 0.0
        for i, j in np.ndindex(z.shape):
            ky, kx = np.fft.fftfreq(9)[i], np.fft.fftfreq(12)[j]
            window = 0.0
            for (qy, qx), sign in itertools.product(vectors, (1, -1)):
                for over in itertools.product((-1, 0, 1), (-1, 0, 1)):
                    y, x = ky - sign * qy + over[0], kx - sign * qx + over[1]
                    t = (1 / 9, 1 / 12) if tolerance is None else (tolerance, tolerance)
                    window = max(window, math.exp(-((y / t[0]) ** 2 + (x / t[1]) ** 2) / 2))
            outside += (1 - window) * power[i, j]
        loss = PeriodicOrder(vectors, tolerance=tolerance)
        at = PeriodicOrder(vectors, tolerance=tolerance, punish="at")
        maps = torch.from_numpy(z)[None]
        assert float(loss(maps)) == pytest.approx(outside / power.sum())
        assert_close(at(maps), 1 - loss(maps))

    def test_the_ring_equals_its_formula(self):
        z = random_maps(10, 10).numpy()
        power = abs(np.fft.fft2(z - z.mean())) ** 2
        k = np.hypot(*np.meshgrid(np.fft.fftfreq(10), np.fft.fftfreq(10)))
        expected = (power * np.exp(-(((k - 0.3) / 0.05) ** 2) / 2)).sum() / power.sum()
        loss = PeriodicOrder(ring=0.3, tolerance=0.05, punish="at")
        assert float(loss(torch.from_numpy(z)[None])) == pytest.approx(expected)

    @pytest.mark.parametrize("q", [(0.0, 0.25), (0.25, 0.15), (0.25, -0.15)])
    def test_a_wave_is_free_at_its_own_wavevector_and_its_opposite_only(self, q):
        opposite = (-q[0], -q[1])
        assert PeriodicOrder([q])(wave(*q)) < 1e-6
        assert PeriodicOrder([opposite])(wave(*q)) < 1e-6
        assert PeriodicOrder([(0.4, 0.4)])(wave(*q)) > 0.99
        assert PeriodicOrder(ring=math.hypot(*q), tolerance=0.02)(wave(*q)) < 1e-3
        if q[0] * q[1]:
            assert PeriodicOrder([(q[0], -q[1])])(wave(*q)) > 0.99

    def test_periods_per_nm_are_periods_per_map_pixel_over_the_pixel_size(self):
        maps = torch.rand(1, 12, 12)
        for settings in ({"wavevectors": [(0.1, 0.2)]}, {"ring": 0.2}):
            factor = 2.0  # a map pixel is half a nm
            nm = {
                "wavevectors": [(0.2, 0.4)] if "wavevectors" in settings else None,
                "ring": 0.4 if "ring" in settings else None,
            }
            loss = PeriodicOrder(**nm, tolerance=0.1 * factor, pixel_size=1 / factor)
            assert_close(loss(maps), PeriodicOrder(**settings, tolerance=0.1)(maps))

    def test_a_wavevector_between_the_samples_is_refused(self):
        loss = PeriodicOrder([(0.0, 0.05)], tolerance=0.01)
        with pytest.raises(ValueError, match=r"lies between the samples .* 8 x 8 cells"):
            loss(torch.rand(1, 8, 8))

    def test_a_period_below_two_map_pixels_is_refused(self):
        with pytest.raises(ValueError, match=r"ring: 0\.3 periods per nm .* beyond 0\.25"):
            PeriodicOrder(ring=0.3, pixel_size=2.0)(torch.rand(1, 8, 8))

    @pytest.mark.parametrize(
        ("settings", "named"),
        [
            ({}, "give one of the two"),
            ({"wavevectors": [(0.1, 0.1)], "ring": 0.2}, "give one of the two"),
            ({"wavevectors": []}, "must be pairs"),
            ({"wavevectors": [(0.1,)]}, "must be pairs"),
            ({"wavevectors": [(0.0, 0.0)]}, r"\(0\.0, 0\.0\) periods per map pixel must not be 0"),
            ({"wavevectors": [(0.6, 0.0)]}, r"nor beyond 0\.5"),
            ({"wavevectors": [(math.nan, 0.1)]}, "nan"),
            ({"ring": 0.0}, "ring=0"),
            ({"ring": 0.3, "tolerance": 0.0}, "tolerance=0"),
            ({"ring": 0.3, "punish": "inside"}, "punish='inside'"),
            ({"ring": 0.3, "pixel_size": 0.0}, "pixel_size=0"),
        ],
    )
    def test_bad_settings_are_refused(self, settings, named, unchecked):
        with pytest.raises(ValueError, match=named):
            unchecked(PeriodicOrder, **settings)
