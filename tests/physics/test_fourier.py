"""SL2: the Fourier intensity of latent maps off the centre."""

import numpy as np
import pytest
import scipy.fft
import torch

from phyvae import FourierLoss
from random_maps import random_maps


class TestFourierLoss:
    @pytest.mark.parametrize("shape", [(2, 9, 12), (1, 16, 16), (3, 7, 5)])
    @pytest.mark.parametrize("radius", [0.0, 1.0, 2.0])
    def test_equals_the_formula_evaluated_with_scipy(self, shape, radius):
        z = random_maps(*shape).numpy()
        outside = total = 0.0
        for m in (z - z.mean((1, 2), keepdims=True)) / z.std((1, 2), keepdims=True):
            spectrum = scipy.fft.fftshift(scipy.fft.fft2(m))
            intensity = np.log1p(np.abs(spectrum))
            for i, j in np.ndindex(m.shape):
                total += intensity[i, j]
                if np.hypot(i - m.shape[0] // 2, j - m.shape[1] // 2) > radius:
                    outside += intensity[i, j]
        result = FourierLoss(radius)(torch.from_numpy(z)).item()
        assert result == pytest.approx(outside / total, rel=1e-9)

    def test_a_wave_within_the_radius_costs_less_than_one_beyond(self):
        x = torch.arange(32) / 32 * 2 * torch.pi
        slow, fast = (torch.cos(k * x).expand(1, 32, 32) for k in (1, 5))
        assert FourierLoss(radius=2.0)(slow) < 0.1 < FourierLoss(radius=2.0)(fast)

    def test_published_is_the_papers_number(self):
        z = random_maps(2, 10, 10).numpy()
        shifted = np.fft.fftshift(np.fft.fft2(z[0])), np.fft.fftshift(np.fft.fft2(z[1]))
        intensity = [np.log(np.abs(s) + 1) for s in shifted]
        total = sum(i.sum() for i in intensity)
        centre = sum(i[4:6, 4:6].sum() for i in intensity)
        expected = (total - centre) / total
        assert FourierLoss().published(torch.from_numpy(z)) == pytest.approx(expected)

    def test_published_counts_an_empty_map_as_free(self):
        assert FourierLoss().published(torch.zeros(1, 8, 8)) == 0

    def test_without_scaling_an_offset_lowers_it(self):
        maps = random_maps(1, 9, 9)
        loss = FourierLoss(scaling="none")
        assert loss(maps + 100) < loss(maps)

    def test_without_scaling_masked_out_cells_are_empty(self):
        maps = random_maps(1, 9, 9)
        mask = torch.rand(9, 9) > 0.3
        loss = FourierLoss(scaling="none")
        assert loss(maps, mask) == loss(torch.where(mask, maps, 0.0))

    def test_a_radius_that_covers_every_frequency_is_refused(self):
        with pytest.raises(ValueError, match=r"radius=9.*covers every frequency of a 8 x 8"):
            FourierLoss(radius=9.0)(torch.rand(1, 8, 8))

    @pytest.mark.parametrize("radius", [-1.0, float("inf"), float("nan")])
    def test_a_bad_radius_is_refused(self, radius):
        with pytest.raises(ValueError, match="radius="):
            FourierLoss(radius)

    def test_a_bad_scaling_is_refused(self, unchecked):
        with pytest.raises(ValueError, match="scaling='minmax'"):
            unchecked(FourierLoss, scaling="minmax")
