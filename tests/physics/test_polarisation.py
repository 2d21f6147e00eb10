"""Divergence and curl of two channels."""

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from phyvae import BoundCharge, Vorticity
from random_maps import random_maps


def field(of_y, of_x, size=24):
    y, x = (torch.from_numpy(a) for a in np.indices((size, size)) - (size - 1) / 2)
    return torch.stack([of_y(y, x), of_x(y, x)]).double()


class TestBoundChargeAndVorticity:
    def test_equal_the_formula_with_scikit_images_slopes(self):
        from skimage.filters import scharr_h, scharr_v

        maps = random_maps(2, 9, 11)
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
        maps = random_maps(2, 9, 11)
        stretched = torch.stack([maps[0], 4 * maps[1]])
        assert abs(BoundCharge()(stretched) - BoundCharge()(maps)) > 1e-3

    @pytest.mark.parametrize("loss", [BoundCharge(), Vorticity()], ids=repr)
    def test_refusals(self, loss):
        with pytest.raises(ValueError, match=r"maps have 3 channel\(s\).* 2; .*OnChannels"):
            loss(torch.rand(3, 9, 9))
        with pytest.raises(ValueError, match="maps are 2 x 9 cells, but the slope in"):
            loss(torch.rand(2, 2, 9))
