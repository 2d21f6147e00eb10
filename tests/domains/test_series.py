"""Maps of several images are segmented as one."""

import kornia
import numpy as np
import pytest
import torch

from phyvae import SiteGraph
from phyvae.domains import series as room
from phyvae.domains.metrics import adjusted_rand_index
from phyvae.domains.segmentation import segment
from phyvae.domains.series import Series
from random_maps import noisy


class TestSeriesOfMaps:
    def frames(self):
        """The second has another share of the domains, and another shape."""
        truth = [np.repeat([[0, 1, 2]], n, axis=1).repeat(12, axis=0) for n in (6, 4)]
        truth[1] = truth[1][:, 3:]
        values = np.array([[0, 0, 1], [0, 1, 1]])
        return truth, [noisy(values[:, one], 0.1, seed=k) for k, one in enumerate(truth)]

    @pytest.mark.parametrize("kind", [np.asarray, torch.from_numpy])
    def test_a_label_is_the_same_domain_in_all(self, kind):
        truth, maps = self.frames()
        labels = segment([kind(z) for z in maps], 3)
        assert [one.shape for one in labels] == [(12, 18), (12, 9)]
        for found, true in zip(labels, truth, strict=True):
            np.testing.assert_array_equal(found, labels[0][0, [0, 6, 12]][true])

    def test_they_are_segmented_as_one_map(self):
        _, maps = self.frames()
        whole = segment(np.concatenate(maps, axis=2), 3)
        np.testing.assert_array_equal(np.concatenate(segment(maps, 3), axis=1), whole)
        first = [z[:1] for z in maps]
        whole = segment(np.concatenate(first, axis=2), method="otsu")
        np.testing.assert_array_equal(np.concatenate(segment(first, method="otsu"), axis=1), whole)

    def test_one_map_in_a_list_is_the_map(self):
        _, (maps, _) = self.frames()
        (labels,) = segment([maps], 3, denoise=0.3)
        np.testing.assert_array_equal(labels, segment(maps, 3, denoise=0.3))

    def test_each_has_empty_cells_of_its_own(self):
        _, maps = self.frames()
        mask = np.ones(maps[1].shape[1:], dtype=bool)
        mask[2:5, 3] = False
        first, second = segment(maps, 3, mask=[None, mask])
        np.testing.assert_array_equal(second < 0, ~mask)
        assert (first >= 0).all()

    def test_denoising_stays_within_a_map(self):
        truth, maps = self.frames()
        labels = segment([z + noisy(0 * z, 0.2) for z in maps], 3, denoise=0.5)
        assert adjusted_rand_index(labels[1], truth[1]) > 0.9

    def test_refusals(self):
        _, maps = self.frames()
        with pytest.raises(ValueError, match=r"maps have \[2, 1\] channels"):
            segment([maps[0], maps[1][:1]])
        with pytest.raises(ValueError, match=r"mask=.* must be a list of 2, one for each"):
            segment(maps, mask=np.ones((12, 18), dtype=bool))
        with pytest.raises(
            ValueError,
            match="'chan_vese' runs its contour through one image, but maps is a list of 2",
        ):
            segment([z[:1] for z in maps], method="chan_vese")


class TestListsOfCells:
    @pytest.fixture
    def series(self):
        rng = np.random.default_rng(0)
        maps = [rng.normal(2, 3, (2, 4, 5)), rng.normal(2, 3, (2, 3, 2))]
        patches = [rng.random((4, 5)) > 0.3, rng.random((3, 2)) > 0.3]
        return Series(maps, patches, [None, None])

    def test_hold_the_cells_of_all_images(self, series):
        values = series.values()
        assert values.shape == (series.channels, series.cells) == (2, values.shape[1])
        first = series.patches[0].sum()
        np.testing.assert_array_equal(values[:, :first], series.maps[0][:, series.patches[0]])
        np.testing.assert_array_equal(values[:, first:], series.maps[1][:, series.patches[1]])

    def test_are_laid_out_where_they_come_from(self, series):
        laid = series.laid_out(series.values()[1], -9)
        for found, maps, patches in zip(laid, series.maps, series.patches, strict=True):
            np.testing.assert_array_equal(found, np.where(patches, maps[1], -9))

    def test_are_normalised_to_their_common_range(self, series):
        normalised = series.normalised(np.array([False, True]))
        values = series.values()[1:]
        expected = (values - values.min()) / np.ptp(values)
        np.testing.assert_allclose(normalised.values(), expected)
        assert all(
            (maps[:, ~patches] == 0).all()
            for maps, patches in zip(normalised.maps, series.patches, strict=True)
        )


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
        monkeypatch.setattr(room, "_SITES", 150)  # several parts
        found = segment(values[None], method="otsu", denoise=0.3, graph=graph)
        np.testing.assert_array_equal(found, expected)
        sites = graph.sites.numpy() / graph.spacing
        smooth = room.bilateral_over(scaled[None], sites, 0.3)
        np.testing.assert_allclose(smooth[0], filtered, atol=1e-12)

    def test_denoising_mends_labels_of_noisy_sites(self):
        graph = self.sites()
        true = (graph.sites[:, 0] > 30).int().numpy()[None]
        maps = noisy(true, 0.5)[None]
        found = segment(maps, method="gmm", denoise="std", graph=graph)
        assert adjusted_rand_index(found, true) > 0.8
        assert adjusted_rand_index(segment(maps, method="gmm", graph=graph), true) < 0.6
