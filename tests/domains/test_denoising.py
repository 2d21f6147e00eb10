"""The bilateral filter of maps, on a raster and on sites."""

import kornia
import numpy as np
import pytest
import torch

from phyvae import SiteGraph
from phyvae.domains import denoising
from phyvae.domains.metrics import adjusted_rand_index
from phyvae.domains.segmentation import segment


def noisy(domains, noise=0.1, seed=0):
    """A map that takes the value of its domain, plus noise."""
    return domains + noise * np.random.default_rng(seed).normal(size=domains.shape)


@pytest.fixture
def domains():
    """Two domains: a disc, off centre, in a matrix."""
    y, x = np.mgrid[:20, :26]
    return (np.hypot(y - 8, x - 10) < 6).astype(int)


class TestDenoising:
    @pytest.mark.parametrize("sigma_color", [0.1, 0.3])
    def test_is_the_bilateral_filter_of_kornia(self, domains, sigma_color):
        z = noisy(domains, 0.4)
        z = (z - z.min()) / np.ptp(z)
        smooth = kornia.filters.bilateral_blur(
            torch.tensor(z)[None, None], 31, sigma_color, (5.0, 5.0), border_type="replicate"
        )[0, 0]
        found = segment(z, denoise=sigma_color)
        np.testing.assert_array_equal(found, segment(smooth))
        assert (found != segment(z)).any()

    def test_is_in_units_of_the_range_of_the_map(self, domains):
        maps = noisy(domains, 0.3)
        std = float(maps.std() / np.ptp(maps))
        np.testing.assert_array_equal(
            segment(7 * maps + 3, denoise=std, method="otsu"),
            segment(maps, denoise="std", method="otsu"),
        )


class TestOnSites:
    def sites(self):
        return SiteGraph.delaunay(np.random.default_rng(0).uniform(0, 60, (400, 2)))

    def test_denoising_is_the_bilateral_filter_over_the_sites_nearby(self, monkeypatch):
        graph = self.sites()
        values = noisy((graph.sites[:, 0] > 30).numpy().astype(float), 0.4)
        away = graph.sites.numpy()[:, None] - graph.sites.numpy()[None]
        distance = np.hypot(*away.transpose(2, 0, 1)) / graph.spacing
        scaled = (values - values.min()) / np.ptp(values)
        step = (scaled[None] - scaled[:, None]) / 0.3
        weights = np.exp(-((distance / 5) ** 2) / 2 - step**2 / 2) * (distance <= 15)
        filtered = (weights * scaled).sum(1) / weights.sum(1)
        expected = segment(filtered[None], method="otsu")
        monkeypatch.setattr(denoising, "_SITES", 150)  # several parts
        found = segment(values[None], method="otsu", denoise=0.3, graph=graph)
        np.testing.assert_array_equal(found, expected)
        smooth = denoising.BilateralFilter(0.3).on_graph(torch.from_numpy(scaled)[None], graph)
        np.testing.assert_allclose(smooth[0], filtered, atol=1e-12)

    def test_denoising_mends_labels_of_noisy_sites(self):
        graph = self.sites()
        true = (graph.sites[:, 0] > 30).int().numpy()[None]
        maps = noisy(true, 0.5)[None]
        found = segment(maps, method="gmm", denoise="std", graph=graph)
        assert adjusted_rand_index(found, true) > 0.8
        assert adjusted_rand_index(segment(maps, method="gmm", graph=graph), true) < 0.6
