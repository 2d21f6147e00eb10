"""Symmetry of the latent map as a whole."""

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from phyvae import MapSymmetry
from random_maps import random_maps


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
        z, mask = random_maps(9, 9).numpy(), random_maps(9, 9, seed=1).numpy() > 0.2
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
        with pytest.raises(ValueError, match=r"operation='mirror' must be one of 'left-right'"):
            unchecked(MapSymmetry, "mirror")
