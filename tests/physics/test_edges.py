from functools import partial

import kornia
import numpy as np
import pytest
import skimage
import torch
from torch.testing import assert_close

from phyvae import EdgeLoss
from phyvae.physics import bilateral, edges, scharr


def maps_of(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(shape, generator=generator, dtype=torch.float64)


class TestScharr:
    @pytest.mark.parametrize("shape", [(9, 7), (16, 16), (5, 30)])
    def test_equals_scikit_image(self, shape):
        z = maps_of(*shape)
        expected = skimage.filters.scharr(z.numpy())
        assert_close(scharr(z[None])[0], torch.from_numpy(expected), atol=1e-14, rtol=0)

    def test_the_gradient_is_finite_on_a_flat_map(self):
        maps = torch.ones(1, 6, 6, requires_grad=True)
        scharr(maps).sum().backward()
        assert maps.grad.isfinite().all()


class TestBilateral:
    @pytest.mark.parametrize("masked_share", [0.0, 0.4])
    @pytest.mark.parametrize("sigma_spatial", [0.7, 1.0, 2.0])
    def test_equals_the_filters_formula_cell_by_cell(self, sigma_spatial, masked_share):
        z, sigma_color = maps_of(8, 9).numpy(), 0.4
        mask = maps_of(8, 9, seed=1) >= masked_share
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
        z = maps_of(1, 12, 10)
        expected = kornia.filters.bilateral_blur(
            z[None], (7, 7), 0.3, (1.0, 1.0), border_type="replicate"
        )[0]
        assert_close(bilateral(z, 0.3, 1.0), expected)

    def test_equals_kornia_on_a_map_that_is_filtered_offset_by_offset(self):
        z = maps_of(1, 150, 120)
        expected = kornia.filters.bilateral_blur(
            z[None], (31, 31), 0.3, (5.0, 5.0), border_type="replicate"
        )[0]
        assert_close(bilateral(z, 0.3, 5.0), expected, atol=1e-12, rtol=0)

    @pytest.mark.parametrize("most", [1, 3000, 20_000])
    def test_is_the_same_with_gradient_in_whatever_pieces_the_window_is_taken(
        self, most, monkeypatch
    ):
        mask = maps_of(12, 14, seed=2) > 0.4
        results = []
        for pieces in (edges._pieces, partial(edges._pieces, most=most)):
            monkeypatch.setattr(edges, "_pieces", pieces)
            z = maps_of(2, 12, 14).requires_grad_()
            smooth = bilateral(z, None, 1.5, mask=mask)
            smooth.square().sum().backward()
            results.append((smooth.detach(), z.grad))
        assert_close(results[0], results[1], atol=1e-12, rtol=0)

    def test_the_default_width_is_the_maps_own_deviation(self):
        z = torch.cat([maps_of(1, 9, 9), 7 * maps_of(1, 9, 9, seed=1)])
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
        z = maps_of(1, 9, 9)
        mask = torch.ones(9, 9, dtype=torch.bool)
        mask[:, 5:] = False
        alone = bilateral(z[:, :, :5], 0.4, 1.0)
        both = bilateral(z, 0.4, 1.0, mask=mask)
        # Away from the mask's edge, where the crop is replicated, the two are the same.
        assert_close(both[:, :, :2], alone[:, :, :2])


class TestEdgeLoss:
    def test_without_filter_it_is_the_mean_scharr_magnitude_of_the_standardised_map(self):
        z = maps_of(2, 9, 12).numpy()
        expected = np.mean([skimage.filters.scharr((m - m.mean()) / m.std()).mean() for m in z])
        assert EdgeLoss(sigma_spatial=0.0)(torch.from_numpy(z)).item() == pytest.approx(expected)

    def test_more_walls_cost_more(self):
        one, two = torch.zeros(1, 30, 30), torch.zeros(1, 30, 30)
        one[:, 15:] = 1
        two[:, 10:20] = 1
        assert EdgeLoss()(one) < EdgeLoss()(two)

    def test_published_is_the_papers_number_from_scikit_image(self):
        z = maps_of(2, 10, 10).numpy()
        total = 0.0
        for m in z:
            unit = (m - m.min()) / (m.max() - m.min())
            smooth = skimage.restoration.denoise_bilateral(unit, sigma_color=None, sigma_spatial=5)
            total += skimage.filters.scharr(smooth).sum()
        assert EdgeLoss().published(torch.from_numpy(z)) == pytest.approx(total / 2)

    def test_the_differentiable_form_of_the_papers_formula_is_near_its_number(self):
        maps = maps_of(2, 10, 10)
        loss = EdgeLoss(sigma_spatial=5.0, scaling="minmax", reduction="sum")
        # Not equal: scikit-image's bilateral filter departs from the filter's formula.
        assert loss(maps).item() == pytest.approx(EdgeLoss().published(maps), rel=0.25)

    def test_published_counts_a_flat_map_as_free(self):
        assert EdgeLoss().published(torch.ones(1, 5, 5)) == 0

    def test_sum_is_mean_times_cells(self):
        maps = maps_of(2, 6, 7)
        assert_close(EdgeLoss(reduction="sum")(maps), 42 * EdgeLoss()(maps))

    def test_no_scaling_leaves_the_scale_in(self):
        maps = maps_of(1, 6, 7)
        loss = EdgeLoss(scaling="none", sigma_spatial=0.0)
        assert_close(loss(5 * maps), 5 * loss(maps))

    def test_the_mask_leaves_out_edges_to_masked_cells(self):
        maps = torch.zeros(1, 20, 20)
        maps[:, :, :10] = maps_of(1, 20, 10)
        mask = torch.zeros(20, 20, dtype=torch.bool)
        mask[:, :10] = True
        inner = EdgeLoss(sigma_spatial=0.0, scaling="none", reduction="sum")
        expected = scharr(maps.double())[0, :, :9].sum()
        assert_close(inner(maps.double(), mask), expected)

    @pytest.mark.parametrize(
        ("settings", "named"),
        [
            ({"sigma_color": -1.0}, r"sigma_color=-1"),
            ({"sigma_spatial": -1.0}, r"sigma_spatial=-1"),
            ({"sigma_spatial": float("nan")}, r"sigma_spatial=nan"),
            ({"scaling": "max"}, r"scaling='max'"),
            ({"reduction": "max"}, r"reduction='max'"),
        ],
    )
    def test_bad_settings_are_refused(self, settings, named, unchecked):
        with pytest.raises(ValueError, match=named):
            unchecked(EdgeLoss, **settings)

    def test_an_unknown_keyword_is_refused(self):
        with pytest.raises(TypeError, match="sigma_colour"):
            EdgeLoss(sigma_colour=1.0)

    def test_integer_maps_are_refused(self, unchecked):
        with pytest.raises(ValueError, match=r"maps has dtype torch.int64"):
            unchecked(EdgeLoss.forward, EdgeLoss(), torch.ones(1, 5, 5, dtype=torch.int64))

    def test_a_mask_of_another_shape_is_refused(self, unchecked):
        mask = torch.ones(5, 6, dtype=torch.bool)
        with pytest.raises(ValueError, match=r"mask has shape \(5, 6\)"):
            unchecked(EdgeLoss.forward, EdgeLoss(), torch.rand(1, 5, 5), mask)
