"""Latent maps with mean 0 and standard deviation 1."""

import pytest
import torch
from torch.testing import assert_close

from phyvae import SiteGraph, standardise
from phyvae.physics import standardise_values
from random_maps import random_maps


class TestStandardise:
    def test_mean_is_zero_and_deviation_one(self):
        z = standardise(torch.rand(3, 9, 7, dtype=torch.float64))
        assert_close(z.mean((1, 2)), torch.zeros(3, dtype=torch.float64), atol=1e-12, rtol=0)
        assert_close(z.std((1, 2), correction=0), torch.ones(3, dtype=torch.float64))

    def test_the_mask_decides_what_counts(self):
        maps = torch.rand(2, 9, 7, dtype=torch.float64)
        mask = torch.rand(9, 7) > 0.3
        z = standardise(torch.where(mask, maps, torch.nan), mask)
        inside = maps[:, mask]
        expected = (inside - inside.mean(1, keepdim=True)) / inside.std(1, correction=0)[:, None]
        assert_close(z[:, mask], expected)
        assert (z[:, ~mask] == 0).all()

    @pytest.mark.parametrize("value", [0.0, 0.1, -3e4])
    def test_a_flat_map_becomes_zero_with_a_finite_gradient(self, value):
        maps = torch.full((1, 9, 7), value, requires_grad=True)
        z = standardise(maps)
        z.square().sum().backward()
        assert (z == 0).all()
        assert maps.grad.isfinite().all()

    def test_a_small_map_keeps_its_structure(self):
        maps = torch.rand(1, 9, 7)
        assert_close(standardise(1e-6 * maps), standardise(maps), atol=1e-4, rtol=1e-4)

    def test_the_gradient_is_orthogonal_to_scale_and_offset(self):
        maps = torch.rand(1, 9, 7, dtype=torch.float64, requires_grad=True)
        weights = torch.rand(1, 9, 7, dtype=torch.float64)
        (standardise(maps) * weights).sum().backward()
        assert_close(maps.grad.sum(), torch.zeros((), dtype=torch.float64), atol=1e-10, rtol=0)
        along = (maps.grad * maps.detach()).sum()
        assert_close(along, torch.zeros((), dtype=torch.float64), atol=1e-10, rtol=0)


def test_values_at_sites_are_standardised_alike_or_checked_alone():
    values, graph = random_maps(2, 12), SiteGraph.nearest(random_maps(12, 2, seed=1))
    assert_close(standardise_values(values, graph)[:, None], standardise(values[:, None]))
    assert standardise_values(values, graph, "none") is values
