"""Maps, values and lengths are checked, and refused in our own words."""

import numpy as np
import pytest
import torch

from phyvae import EdgeLoss, SiteGraph
from phyvae.physics import checking
from random_maps import random_maps


class TestCheckMaps:
    def test_maps_with_other_axes_are_refused(self):
        with pytest.raises(ValueError, match=r"maps has shape \(5, 5\).*maps\[None\]"):
            EdgeLoss()(torch.rand(5, 5))
        with pytest.raises(ValueError, match="channels last"):
            EdgeLoss()(torch.rand(12, 12, 2))

    def test_integer_maps_are_refused(self):
        with pytest.raises(ValueError, match=r"maps has dtype torch.int64"):
            EdgeLoss()(torch.ones(1, 5, 5, dtype=torch.int64))

    def test_a_mask_of_another_shape_or_kind_is_refused(self):
        with pytest.raises(ValueError, match=r"mask has shape \(5, 6\)"):
            EdgeLoss()(torch.rand(1, 5, 5), torch.ones(5, 6, dtype=torch.bool))
        with pytest.raises(TypeError, match=r"mask=.*must be a tensor of bools"):
            EdgeLoss()(torch.rand(1, 5, 5), torch.ones(5, 5))

    def test_what_is_no_tensor_is_refused(self, unchecked):
        with pytest.raises(TypeError, match=r"maps=<ndarray .*torch.as_tensor"):
            unchecked(checking.check_maps, np.ones((1, 5, 5)), None)


def test_values_are_one_per_site():
    graph = SiteGraph.nearest(random_maps(12, 2))
    for values in (torch.rand(12), torch.rand(2, 11), torch.rand(0, 12)):
        with pytest.raises(ValueError, match=r"values has shape .*\(channels, 12\)"):
            checking.check_values(values, graph)
    with pytest.raises(ValueError, match=r"values has dtype torch.int64"):
        checking.check_values(torch.ones(2, 12, dtype=torch.int64), graph)


def test_maps_too_small_or_with_other_channels_are_refused():
    with pytest.raises(ValueError, match="maps are 1 x 1 cells, but a wave needs at least 2"):
        checking.check_neighbours(torch.rand(1, 1, 1), needs="a wave")
    with pytest.raises(ValueError, match=r"maps are 2 x 9 cells, .* at least 3 x 3 cells"):
        checking.check_neighbours(torch.rand(1, 2, 9), 3)
    with pytest.raises(ValueError, match=r"maps have 3 channel\(s\), but One relates 2"):
        checking.check_channels(torch.rand(3, 9, 9), "One", 2, 2)


def test_a_length_is_positive_in_nm_or_in_map_pixels():
    checking.check_length(3.0, "width", None)
    checking.check_length(3.0, "width", (1.5, 2.0))
    with pytest.raises(ValueError, match=r"pixel_size=0 must be > 0"):
        checking.check_length(3.0, "width", 0.0)
    with pytest.raises(ValueError, match=r"width=-3 nm must be > 0"):
        checking.check_length(-3.0, "width", 1.0)
    with pytest.raises(ValueError, match=r"width=-3 map pixels must be > 0"):
        checking.check_length(-3.0, "width", None)
