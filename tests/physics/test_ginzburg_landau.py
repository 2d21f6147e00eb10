"""Wells, and walls of a given width."""

import math

import numpy as np
import pytest
import scipy.ndimage
import scipy.optimize
import scipy.special
import scipy.stats
import torch
from torch.testing import assert_close

from phyvae import DirichletEnergy, GinzburgLandau


def tanh_wall(width, shift=0.0, cells=96):
    x = torch.arange(cells, dtype=torch.float64) - (cells - 1) / 2 - shift
    return torch.tanh(x / width).expand(1, 6, cells)


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
        with pytest.raises(ValueError, match=r"width=0\.5 is 0\.5 map pixels"):
            GinzburgLandau(0.5, pixel_size=1.0)(maps)

    @pytest.mark.parametrize(
        ("settings", "named"),
        [
            ({"width": 0.5}, r"width=0\.5 is 0\.5 map pixels, but a map cannot show walls below"),
            ({"width": math.nan}, "width=nan map pixels"),
            ({"pixel_size": -1.0}, r"pixel_size=-1 must be > 0"),
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
