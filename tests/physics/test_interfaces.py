"""Walls: their energy by direction, their steepness, their profile, their curvature."""

import itertools
import math

import numpy as np
import pytest
import scipy.ndimage
import scipy.optimize
import scipy.stats
import skimage
import torch
from torch.testing import assert_close

from phyvae import Curvature, DirichletEnergy, GinzburgLandau, InterfaceEnergy, TotalVariation
from phyvae.physics import curvature


def plane(degrees, shape=(40, 40)):
    """A ramp whose level lines run in this direction, counterclockwise as drawn; slope 1."""
    y, x = np.indices(shape, dtype=float)
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    return torch.from_numpy(cosine * y + sine * x)[None]


def tanh_wall(width, shift=0.0, cells=96):
    x = torch.arange(cells, dtype=torch.float64) - (cells - 1) / 2 - shift
    return torch.tanh(x / width).expand(1, 6, cells)


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
            ({"scaling": "minmax"}, "scaling='minmax' must be 'standard' or 'none'"),
        ],
    )
    def test_bad_settings_are_refused(self, settings, named, unchecked):
        with pytest.raises(ValueError, match=named):
            unchecked(InterfaceEnergy, **settings)


class TestDirichletEnergy:
    def test_is_half_the_mean_squared_step_of_the_standardised_map(self):
        z = np.random.default_rng(0).random((2, 9, 12))
        expected = np.mean(
            [
                (np.diff(m, axis=0) ** 2).mean() + (np.diff(m, axis=1) ** 2).mean()
                for m in (z - z.mean((1, 2), keepdims=True)) / z.std((1, 2), keepdims=True)
            ]
        )
        assert float(DirichletEnergy()(torch.from_numpy(z))) == pytest.approx(expected / 2)

    def test_white_noise_costs_two(self):
        assert float(DirichletEnergy()(torch.randn(1, 200, 200))) == pytest.approx(2, rel=0.03)

    def test_with_a_mask_only_steps_between_two_cells_that_count_do(self):
        maps = torch.rand(1, 6, 8, dtype=torch.float64)
        mask = torch.zeros(6, 8, dtype=torch.bool)
        mask[1:5, 2:6] = True
        loss = DirichletEnergy("none")
        assert_close(loss(maps, mask), loss(maps[:, 1:5, 2:6]))

    def test_a_single_cell_is_refused(self):
        with pytest.raises(ValueError, match="maps are 1 x 1 cells, but a step to a neighbour"):
            DirichletEnergy()(torch.rand(1, 1, 1))


class TestGinzburgLandau:
    @pytest.mark.parametrize("shift", [0.0, 12.0, -20.0])
    @pytest.mark.parametrize("width", [2.0, 3.0, 5.0])
    @pytest.mark.parametrize("wells", [None, (-1.0, 1.0)])
    def test_a_wall_is_cheapest_at_its_stated_width(self, width, wells, shift):
        if wells is not None and shift:
            pytest.skip("given wells ask for equal shares")
        loss = GinzburgLandau(width, wells)
        found = scipy.optimize.minimize_scalar(
            lambda t: float(loss(tanh_wall(t, shift))), bounds=(0.3, 30), method="bounded"
        ).x
        assert found == pytest.approx(width, rel=0.08)
        assert loss(tanh_wall(width, shift)) < 0.8 * loss(tanh_wall(3 * width, shift))
        assert loss(tanh_wall(width, shift)) < 0.8 * loss(tanh_wall(width / 4, shift))

    def test_the_equilibrium_wall_is_a_stationary_point_in_itself(self):
        # With wells at the ends of the map, where the profile is 1 - 1e-7: all of the map's cells.
        z = tanh_wall(6.0, cells=96).clone().requires_grad_()
        loss = GinzburgLandau(6.0, (-1.0, 1.0), scaling="none")
        (force,) = torch.autograd.grad(loss(z), z)
        wide = tanh_wall(9.0).clone().requires_grad_()
        (other,) = torch.autograd.grad(loss(wide), wide)
        assert force.abs().max() < 0.1 * other.abs().max()

    def test_a_wall_has_the_energy_of_the_analytic_one(self):
        # The integral of 2 (1 - u²)² over tanh(x / w) is 8 w / 3.
        loss = GinzburgLandau(6.0, (-1.0, 1.0), scaling="none")
        assert float(loss(tanh_wall(6.0)) * 96) == pytest.approx(8 * 6 / 3, rel=0.02)

    @pytest.mark.parametrize("share", [0.5, 0.25, 0.05])
    def test_two_values_in_any_shares_leave_the_gradient_alone(self, share):
        cells = torch.zeros(1, 10, 40, dtype=torch.float64)
        cells[:, :, : int(40 * share)] = 7.0
        z = (cells - cells.mean()) / cells.std(correction=0)
        half = (z.max() - z.min()) / 2
        gradient = z.diff(dim=-1).square().mean()
        assert_close(GinzburgLandau(2.0)(cells), 4 * gradient / half**2)

    def test_wells_of_the_maps_own_are_pearsons_inequality(self):
        z = np.random.default_rng(1).gamma(2.0, size=(1, 30, 30))
        skewness, kurtosis = scipy.stats.skew(z.ravel()), scipy.stats.kurtosis(z.ravel()) + 3
        depth = 1 + skewness**2 / 4
        gradient = 2 * float(DirichletEnergy()(torch.from_numpy(z)))
        expected = (kurtosis - skewness**2 - 1) / depth**2 + 9 * gradient / depth
        assert float(GinzburgLandau(3.0)(torch.from_numpy(z))) == pytest.approx(expected)

    def test_three_variants_at_their_points_cost_their_walls_only(self):
        wells = [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0)]
        maps = torch.zeros(2, 9, 30, dtype=torch.float64)
        maps[0, :, 10:20] = 1
        maps[1, :, 20:] = 1
        z = torch.stack([(m - m.mean()) / m.std(correction=0) for m in maps])
        levels = z[:, 0, [0, 15, 25]].T
        closest = torch.pdist(levels).min()
        gradient = z.diff(dim=-1).square().mean((1, 2)).sum()
        for units in (1.0, 50.0):
            given = [tuple(units * a for a in well) for well in wells]
            assert_close(GinzburgLandau(2.0, given)(maps), 4 * gradient / (closest / 2) ** 2)
        mixed = maps.clone()
        mixed[:, :, 5] = 0.4
        assert GinzburgLandau(2.0, wells)(mixed) > GinzburgLandau(2.0, wells)(maps)

    def test_the_product_over_wells_is_relative_to_the_lowest_barrier(self):
        wells = np.array([0.0, 1.0, 3.0])
        z = np.random.default_rng(0).random((1, 8, 9)) * 3
        product = np.prod((z[..., None] - wells) ** 2, axis=-1).mean()
        product /= np.prod((0.5 - wells) ** 2)
        gradient = (np.diff(z, axis=1) ** 2).mean() + (np.diff(z, axis=2) ** 2).mean()
        loss = GinzburgLandau(2.0, (0.0, 1.0, 3.0), scaling="none")
        assert float(loss(torch.from_numpy(z))) == pytest.approx(product + 4 * gradient / 0.25)

    def test_nm_are_map_pixels_times_the_pixel_size(self):
        maps = torch.rand(1, 9, 9)
        assert_close(GinzburgLandau(1.5, pixel_size=0.5)(maps), GinzburgLandau(3.0)(maps))

    @pytest.mark.parametrize(
        ("settings", "named"),
        [
            ({"width": 0.5}, r"width=0\.5 is 0\.5 map pixels, but a map cannot show walls below"),
            ({"width": 0.5, "pixel_size": 1.0}, r"width=0\.5 is 0\.5 map pixels"),
            ({"width": math.nan}, "width=nan map pixels"),
            ({"pixel_size": -1.0}, r"pixel_size=-1\.0 nm must be > 0"),
            ({"wells": (1.0,)}, r"wells=\(1\.0,\) must be at least two"),
            ({"wells": (1.0, 1.0)}, "wells=.*must be at least two different"),
            ({"wells": [(0.0, 1.0), (1.0,)]}, "wells=.*one coordinate for each channel"),
            ({"wells": [(0.0, 1.0), (1.0, 1.0)]}, "wells=.*all are the same"),
            ({"scaling": "none"}, r'scaling="none" needs wells'),
            ({"scaling": "minmax", "wells": (0.0, 1.0)}, "scaling='minmax'"),
        ],
    )
    def test_bad_settings_are_refused(self, settings, named, unchecked):
        with pytest.raises(ValueError, match=named):
            unchecked(GinzburgLandau, **settings)

    def test_points_for_other_channels_are_refused(self):
        loss = GinzburgLandau(2.0, [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0)])
        with pytest.raises(ValueError, match=r"maps have 3 channel\(s\), but GinzburgLandau .* 2"):
            loss(torch.rand(3, 9, 9))


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
        found = curvature._smooth(torch.from_numpy(z * mask)[None], torch.from_numpy(mask), 2.0)
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


def test_the_inner_slopes_are_scikit_images():
    from phyvae.physics.gradients import scharr_gradient

    z = torch.rand(1, 9, 12, dtype=torch.float64)
    mask = torch.rand(9, 12) > 0.1
    y, x, whole = scharr_gradient(z, mask)
    assert_close(2 * y[0], torch.from_numpy(skimage.filters.scharr_h(z[0].numpy())[1:-1, 1:-1]))
    assert_close(2 * x[0], torch.from_numpy(skimage.filters.scharr_v(z[0].numpy())[1:-1, 1:-1]))
    expected = scipy.ndimage.binary_erosion(mask.numpy(), np.ones((3, 3)))[1:-1, 1:-1]
    assert (whole.numpy() == expected).all()
