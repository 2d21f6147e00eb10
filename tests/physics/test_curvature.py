"""The curvature of domain walls."""

import numpy as np
import pytest
import scipy.ndimage
import scipy.optimize
import scipy.special
import scipy.stats
import torch
from torch.testing import assert_close

from phyvae import Curvature
from phyvae.physics import curvature
from waves import plane


class TestCurvature:
    def distance(self, size=64):
        y, x = np.indices((size, size)) - (size - 1) / 2
        return np.hypot(y, x)

    @pytest.mark.parametrize("radius", [6, 10, 15, 20])
    def test_a_circle_costs_one_over_its_radius(self, radius):
        disc = torch.from_numpy(self.distance() < radius).double()[None]
        soft = torch.from_numpy(np.tanh((self.distance() - radius) / 3))[None]
        assert float(Curvature()(disc)) * radius == pytest.approx(1, rel=0.08)
        assert float(Curvature(smoothing=0.0)(soft)) * radius == pytest.approx(1, rel=0.03)

    @pytest.mark.parametrize("degrees", [0, 10, 20, 45, 70, 90])
    def test_a_straight_wall_is_nearly_free_in_any_direction(self, degrees):
        ramp = plane(degrees, (64, 64))
        wall = (ramp > ramp.mean()).double()
        assert Curvature()(wall) < 0.025  # a circle of 40 map pixels
        inner = torch.tanh((ramp - ramp.mean()) / 4)
        assert Curvature(smoothing=0.0)(inner) < 0.005

    def test_is_the_divergence_of_the_normal_by_other_differences(self):
        y, x = np.indices((80, 80)) / 12.0
        z = np.sin(y) + 0.5 * np.cos(x + 0.3 * y)
        gy, gx = np.gradient(z)
        slope = np.hypot(gy, gx)
        kappa = np.gradient(gy / slope, axis=0) + np.gradient(gx / slope, axis=1)
        inner = (slice(2, -2), slice(2, -2))
        expected = (slope * abs(kappa))[inner].sum() / slope[inner].sum()
        found = Curvature(smoothing=0.0)(torch.from_numpy(z)[None])
        assert float(found) == pytest.approx(expected, rel=0.05)

    def test_the_filter_is_the_gaussian_of_scipy(self):
        z = np.random.default_rng(0).random((30, 40))
        smooth = scipy.ndimage.gaussian_filter(z, 2.0, truncate=3.0, mode="constant")
        weight = scipy.ndimage.gaussian_filter(np.ones_like(z), 2.0, truncate=3.0, mode="constant")
        expected = Curvature(smoothing=0.0)(torch.from_numpy(smooth / weight)[None])
        found = Curvature(smoothing=2.0)(torch.from_numpy(z)[None])
        assert float(found) == pytest.approx(float(expected), rel=0.01)

    def test_the_filter_takes_the_mean_of_the_cells_that_count(self):
        z, mask = np.random.default_rng(0).random((20, 24)), np.ones((20, 24), dtype=bool)
        mask[6:9, 10:14] = False
        z = (z - z[mask].mean()) / z[mask].std()
        smooth, weight = (
            scipy.ndimage.gaussian_filter(a * mask, 2.0, truncate=3.0, mode="constant")
            for a in (z, 1.0)
        )
        found = curvature._smooth(
            torch.from_numpy(z * mask)[None], torch.from_numpy(mask), (2.0, 2.0)
        )
        assert_close(found[0], torch.from_numpy(smooth / weight))

    def test_nm_are_map_pixels_times_the_pixel_size(self):
        maps = torch.rand(1, 12, 12)
        assert_close(Curvature(3.0, pixel_size=1.5)(maps), Curvature(2.0)(maps) / 1.5)

    def test_a_kinked_wall_costs_more_than_a_straight_one(self):
        straight, kinked = torch.zeros(1, 40, 40), torch.zeros(1, 40, 40)
        straight[:, 20:] = 1
        kinked[:, 20:, 20:] = 1
        assert Curvature()(straight) < 0.1 * Curvature()(kinked)

    @pytest.mark.parametrize("shape", [(1, 2, 9), (1, 9, 1)])
    def test_a_map_without_inner_cells_is_refused(self, shape):
        with pytest.raises(ValueError, match=r"a curvature needs at least 3 x 3 cells"):
            Curvature()(torch.rand(shape))

    def test_bad_settings_are_refused(self):
        with pytest.raises(ValueError, match=r"smoothing=-1"):
            Curvature(-1.0)
        with pytest.raises(ValueError, match=r"pixel_size=0"):
            Curvature(pixel_size=0.0)
