"""The bilateral filter of latent maps."""

from functools import partial

import kornia
import numpy as np
import pytest
import torch
from torch.testing import assert_close

from phyvae.physics import bilateral, filtering
from random_maps import random_maps


class TestBilateral:
    @pytest.mark.parametrize("masked_share", [0.0, 0.4])
    @pytest.mark.parametrize("sigma_spatial", [0.7, 1.0, 2.0])
    def test_equals_the_filters_formula_cell_by_cell(self, sigma_spatial, masked_share):
        z, sigma_color = random_maps(8, 9).numpy(), 0.4
        mask = random_maps(8, 9, seed=1) >= masked_share
        radius = int(np.ceil(3 * sigma_spatial))
        padded = np.pad(z, radius, mode="edge")
        counted = np.pad(mask.numpy(), radius, mode="edge")
        expected = np.zeros_like(z)
        for i, j in np.ndindex(z.shape):
            weights = values = 0.0
            for a in range(-radius, radius + 1):
                for b in range(-radius, radius + 1):
                    other = padded[i + radius + a, j + radius + b]
                    weight = counted[i + radius + a, j + radius + b]
                    weight = weight * np.exp(-(a * a + b * b) / (2 * sigma_spatial**2))
                    weight *= np.exp(-((other - z[i, j]) ** 2) / (2 * sigma_color**2))
                    weights, values = weights + weight, values + weight * other
            expected[i, j] = values / weights
        result = bilateral(torch.from_numpy(z)[None], sigma_color, sigma_spatial, mask=mask)[0]
        assert_close(result[mask], torch.from_numpy(expected)[mask])

    def test_equals_kornia(self):
        z = random_maps(1, 12, 10)
        expected = kornia.filters.bilateral_blur(
            z[None], (7, 7), 0.3, (1.0, 1.0), border_type="replicate"
        )[0]
        assert_close(bilateral(z, 0.3, 1.0), expected)

    def test_equals_kornia_on_a_map_that_is_filtered_offset_by_offset(self, monkeypatch):
        monkeypatch.setattr(filtering, "_pieces", partial(filtering._pieces, most=1))
        z = random_maps(1, 40, 30)
        expected = kornia.filters.bilateral_blur(
            z[None], (31, 31), 0.3, (5.0, 5.0), border_type="replicate"
        )[0]
        assert_close(bilateral(z, 0.3, 5.0), expected, atol=1e-12, rtol=0)

    @pytest.mark.parametrize("most", [1, 3000, 20_000])
    def test_is_the_same_with_gradient_in_whatever_pieces_the_window_is_taken(
        self, most, monkeypatch
    ):
        mask = random_maps(12, 14, seed=2) > 0.4
        results = []
        for pieces in (filtering._pieces, partial(filtering._pieces, most=most)):
            monkeypatch.setattr(filtering, "_pieces", pieces)
            z = random_maps(2, 12, 14).requires_grad_()
            smooth = bilateral(z, None, 1.5, mask=mask)
            smooth.square().sum().backward()
            results.append((smooth.detach(), z.grad))
        assert_close(results[0], results[1], atol=1e-12, rtol=0)

    def test_the_default_width_is_the_maps_own_deviation(self):
        z = torch.cat([random_maps(1, 9, 9), 7 * random_maps(1, 9, 9, seed=1)])
        for k in range(2):
            own = float(z[k].std(correction=0))
            assert_close(bilateral(z)[k : k + 1], bilateral(z[k : k + 1], own))

    def test_noise_is_smoothed_and_a_wall_is_kept(self):
        wall = torch.zeros(1, 20, 20, dtype=torch.float64)
        wall[:, 10:] = 1
        noisy = wall + 0.05 * torch.randn(wall.shape, dtype=torch.float64)
        smooth = bilateral(noisy, 0.2, 2.0)
        assert (smooth - wall).std() < 0.4 * (noisy - wall).std()

    def test_masked_out_cells_have_no_weight(self):
        z = random_maps(1, 9, 9)
        mask = torch.ones(9, 9, dtype=torch.bool)
        mask[:, 5:] = False
        alone = bilateral(z[:, :, :5], 0.4, 1.0)
        both = bilateral(z, 0.4, 1.0, mask=mask)
        # Away from the mask's edge, where the crop is replicated, the two are the same.
        assert_close(both[:, :, :2], alone[:, :, :2])
