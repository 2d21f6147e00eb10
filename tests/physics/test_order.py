"""Order beyond neighbours: wavevectors, distances, symmetry of the whole map."""

import itertools
import math

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from phyvae import Autocorrelation, MapSymmetry, PeriodicOrder


def random_map(rows=9, cols=12, seed=0):
    return np.random.default_rng(seed).random((rows, cols))


def wave(ky, kx, shape=(48, 60)):
    y, x = np.indices(shape)
    return torch.from_numpy(np.cos(2 * np.pi * (ky * y + kx * x) + 0.4))[None]


class TestPeriodicOrder:
    @pytest.mark.parametrize("tolerance", [None, 0.08])
    def test_equals_the_formula_wavevector_by_wavevector(self, tolerance):
        z, vectors = random_map(), [(0.2, 0.1), (0.45, 0.2)]
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
        z = random_map(10, 10)
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
            ({"ring": 0.3, "pixel_size": 2.0}, r"ring: 0\.3 periods per nm .* beyond 0\.25"),
            ({"ring": 0.0}, "ring: 0"),
            ({"ring": 0.3, "tolerance": 0.0}, "tolerance=0"),
            ({"ring": 0.3, "punish": "inside"}, "punish='inside'"),
            ({"ring": 0.3, "pixel_size": 0.0}, "pixel_size=0"),
        ],
    )
    def test_bad_settings_are_refused(self, settings, named, unchecked):
        with pytest.raises(ValueError, match=named):
            unchecked(PeriodicOrder, **settings)


class TestAutocorrelation:
    @pytest.mark.parametrize("distance", [1.0, 2.5, 4.0, (0, 3), (2, -1)])
    @pytest.mark.parametrize("alike", [True, False])
    def test_equals_the_formula_pair_by_pair(self, distance, alike):
        z, mask = random_map(8, 9), random_map(8, 9, seed=1) > 0.2
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
            Autocorrelation(1.0, pixel_size=2.0)


class TestMapSymmetry:
    @pytest.mark.parametrize(
        ("operation", "image"),
        [
            ("left-right", np.fliplr),
            ("up-down", np.flipud),
            ("half-turn", lambda z: np.rot90(z, 2)),
            ("quarter-turn", np.rot90),
        ],
    )
    def test_equals_the_formula(self, operation, image):
        z, mask = random_map(9, 9), random_map(9, 9, seed=1) > 0.2
        z = z - z[mask].mean()
        both = mask & image(mask)
        expected = ((z - image(z))[both] ** 2).sum()
        expected /= 2 * (z[both] ** 2 + image(z)[both] ** 2).sum()
        maps = torch.from_numpy(z.copy())[None]
        assert float(MapSymmetry(operation)(maps, torch.from_numpy(mask))) == pytest.approx(
            expected
        )
        symmetric = torch.from_numpy(z + image(z) + image(image(z)) + image(image(image(z))))[None]
        assert MapSymmetry(operation)(symmetric) < 1e-20

    def test_a_quarter_turn_does_not_see_a_mirror(self):
        maps = torch.rand(2, 8, 8, dtype=torch.float64)
        loss = MapSymmetry("quarter-turn")
        for other in (maps.flip(-1), maps.flip(-2), maps.mT):
            assert_close(loss(other), loss(maps))

    def test_a_map_that_is_not_square_has_no_quarter_turn(self):
        with pytest.raises(ValueError, match=r"maps are 8 x 9 cells, but a quarter-turn"):
            MapSymmetry("quarter-turn")(torch.rand(1, 8, 9))

    @pytest.mark.parametrize(
        ("operation", "shape"), [("up-down", (1, 1, 9)), ("half-turn", (1, 1, 1))]
    )
    def test_a_strip_that_cannot_fail_is_refused(self, operation, shape):
        with pytest.raises(ValueError, match=f"operation='{operation}' leaves each where it is"):
            MapSymmetry(operation)(torch.rand(shape))

    def test_an_unknown_operation_is_refused(self, unchecked):
        with pytest.raises(ValueError, match=r"operation='mirror' must be one of \('left-right'"):
            unchecked(MapSymmetry, "mirror")
