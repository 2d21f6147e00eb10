"""Relations between channels: correlation, overlap, formulas, divergence and curl."""

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from phyvae import BoundCharge, Decorrelation, Exclusiveness, Relation, Vorticity


def random_maps(channels=3, rows=9, cols=11):
    return torch.from_numpy(np.random.default_rng(0).random((channels, rows, cols)))


class TestDecorrelation:
    def test_equals_numpys_correlation_coefficients(self):
        maps, mask = random_maps(), torch.rand(9, 11) > 0.3
        r = np.corrcoef(maps[:, mask].numpy())
        expected = np.mean([r[0, 1] ** 2, r[0, 2] ** 2, r[1, 2] ** 2])
        assert float(Decorrelation()(maps, mask)) == pytest.approx(expected)

    def test_one_map_alone_is_refused(self):
        with pytest.raises(ValueError, match=r"maps have 1 channel\(s\), but Decorrelation"):
            Decorrelation()(torch.rand(1, 9, 9))


class TestExclusiveness:
    def test_equals_the_formula(self):
        maps = random_maps(rows=9, cols=11)
        d = (maps - maps.flatten(1).median(dim=1).values[:, None, None]).numpy() ** 2
        pairs = [
            (d[a] * d[b]).mean() / np.sqrt((d[a] ** 2).mean() * (d[b] ** 2).mean())
            for a, b in ((0, 1), (0, 2), (1, 2))
        ]
        assert float(Exclusiveness()(maps)) == pytest.approx(np.mean(pairs))

    def test_overlap_is_what_it_costs(self):
        maps = torch.zeros(2, 10, 10)
        maps[0, :3] = 1
        costs = []
        for start in range(4):
            maps[1] = 0
            maps[1, start : start + 3] = -2.0
            costs.append(float(Exclusiveness()(maps)))
        assert costs == pytest.approx([1, 2 / 3, 1 / 3, 0], abs=1e-6)

    def test_one_map_alone_is_refused(self):
        with pytest.raises(ValueError, match=r"maps have 1 channel\(s\), but Exclusiveness"):
            Exclusiveness()(torch.rand(1, 9, 9))


class TestRelation:
    def test_is_the_mean_square_of_the_function_where_cells_count(self):
        maps, mask = random_maps(2), torch.rand(9, 11) > 0.3
        loss = Relation(lambda z1, z2: z1 - z2**2, scaling="none")
        expected = (maps[0] - maps[1] ** 2)[mask].square().mean()
        assert_close(loss(torch.where(mask, maps, torch.nan), mask), expected)

    def test_a_circle_of_order_parameters_is_free_on_it(self):
        angle = torch.rand(9, 9) * 6.3
        maps = torch.stack([angle.cos(), angle.sin()])
        loss = Relation(lambda z1, z2: z1**2 + z2**2 - 1, scaling="none")
        assert loss(maps) < 1e-10 < loss(0.9 * maps)

    def test_another_number_of_channels_is_refused(self):
        def product(first, second):
            return first * second

        with pytest.raises(ValueError, match=r"maps have 3 channel\(s\), but Relation\(product"):
            Relation(product)(random_maps(3))

    def test_an_error_within_the_function_is_its_own(self):
        def broken(first):
            return first + "a"

        with pytest.raises(TypeError, match="unsupported operand"):
            Relation(broken)(random_maps(1))

    def test_what_is_no_map_is_refused(self):
        with pytest.raises(ValueError, match=r"returned \(\), but must return a map of shape"):
            Relation(lambda z: z.mean())(random_maps(1))
        with pytest.raises(ValueError, match=r"returned float, but must"):
            Relation(lambda z: 1.0)(random_maps(1))

    def test_bad_settings_are_refused(self, unchecked):
        with pytest.raises(TypeError, match=r"function=3 must be a function"):
            unchecked(Relation, 3)
        with pytest.raises(ValueError, match="scaling='minmax'"):
            unchecked(Relation, abs, scaling="minmax")


def field(of_y, of_x, size=24):
    y, x = (torch.from_numpy(a) for a in np.indices((size, size)) - (size - 1) / 2)
    return torch.stack([of_y(y, x), of_x(y, x)]).double()


class TestBoundChargeAndVorticity:
    def test_equal_the_formula_with_scikit_images_slopes(self):
        from skimage.filters import scharr_h, scharr_v

        maps = random_maps(2)
        py, px = maps.numpy()
        inner = (slice(1, -1), slice(1, -1))
        slopes = [f(p)[inner] for p in (py, px) for f in (scharr_h, scharr_v)]
        total = sum((s**2).mean() for s in slopes)
        charge = ((slopes[0] + slopes[3]) ** 2).mean() / total
        curl = ((slopes[2] - slopes[1]) ** 2).mean() / total
        assert float(BoundCharge()(maps)) == pytest.approx(charge)
        assert float(Vorticity()(maps)) == pytest.approx(curl)

    @pytest.mark.parametrize("degrees", [0, 45, 90, 135])
    def test_a_sharp_wall_is_charged_by_the_step_of_its_normal_component(self, degrees):
        turn = np.deg2rad(degrees)
        normal, tangent = (np.cos(turn), np.sin(turn)), (-np.sin(turn), np.cos(turn))

        def wall(y, x):
            return torch.sign(normal[0] * y + normal[1] * x + 1e-6)

        head_to_head, neutral = (
            field(lambda y, x, p=p: p[0] * wall(y, x), lambda y, x, p=p: p[1] * wall(y, x))
            for p in (normal, tangent)
        )
        assert float(BoundCharge()(head_to_head)) == pytest.approx(1, abs=1e-6)
        assert float(BoundCharge()(neutral)) == pytest.approx(0, abs=1e-6)
        assert float(Vorticity()(head_to_head)) == pytest.approx(0, abs=1e-6)
        assert float(Vorticity()(neutral)) == pytest.approx(1, abs=1e-6)

    def test_sources_turns_and_shears(self):
        hedgehog = field(lambda y, x: y, lambda y, x: x)
        vortex = field(lambda y, x: -x, lambda y, x: y)
        shear = field(lambda y, x: x, lambda y, x: y)
        fields, losses = (hedgehog, vortex, shear), (BoundCharge(), Vorticity())
        found = [[float(loss(each)) for loss in losses] for each in fields]
        assert np.allclose(found, [(2, 0), (0, 2), (0, 0)], atol=1e-9)

    def test_a_turned_field_costs_the_same(self):
        maps = random_maps(2, 10, 10)
        # A quarter-turn counterclockwise takes (Py, Px) to (-Px, Py), y down.
        turned = torch.stack([-maps[1].rot90(), maps[0].rot90()])
        for loss in (BoundCharge(), Vorticity()):
            assert_close(loss(turned), loss(maps))

    def test_the_scale_of_one_component_alone_matters(self):
        maps = random_maps(2)
        stretched = torch.stack([maps[0], 4 * maps[1]])
        assert abs(BoundCharge()(stretched) - BoundCharge()(maps)) > 1e-3

    @pytest.mark.parametrize("loss", [BoundCharge(), Vorticity()], ids=repr)
    def test_refusals(self, loss):
        with pytest.raises(ValueError, match=r"maps have 3 channel\(s\).* 2; .*OnChannels"):
            loss(torch.rand(3, 9, 9))
        with pytest.raises(ValueError, match="maps are 2 x 9 cells, but the slope in"):
            loss(torch.rand(2, 2, 9))
