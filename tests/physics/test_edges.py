"""SL1: the edges of latent maps."""

import numpy as np
import pytest
import skimage
import torch
from torch.testing import assert_close

from phyvae import EdgeLoss
from phyvae.physics import scharr
from random_maps import random_maps


class TestEdgeLoss:
    def test_without_filter_it_is_the_mean_scharr_magnitude_of_the_standardised_map(self):
        z = random_maps(2, 9, 12).numpy()
        expected = np.mean([skimage.filters.scharr((m - m.mean()) / m.std()).mean() for m in z])
        assert EdgeLoss(sigma_spatial=0.0)(torch.from_numpy(z)).item() == pytest.approx(expected)

    def test_more_walls_cost_more(self):
        one, two = torch.zeros(1, 30, 30), torch.zeros(1, 30, 30)
        one[:, 15:] = 1
        two[:, 10:20] = 1
        assert EdgeLoss()(one) < EdgeLoss()(two)

    def test_published_is_the_papers_number_from_scikit_image(self):
        z = random_maps(2, 10, 10).numpy()
        total = 0.0
        for m in z:
            unit = (m - m.min()) / (m.max() - m.min())
            smooth = skimage.restoration.denoise_bilateral(unit, sigma_color=None, sigma_spatial=5)
            total += skimage.filters.scharr(smooth).sum()
        assert EdgeLoss().published(torch.from_numpy(z)) == pytest.approx(total / 2)

    def test_the_differentiable_form_of_the_papers_formula_is_near_its_number(self):
        maps = random_maps(2, 10, 10)
        loss = EdgeLoss(sigma_spatial=5.0, scaling="minmax", reduction="sum")
        # Not equal: scikit-image's bilateral filter departs from the filter's formula.
        assert loss(maps).item() == pytest.approx(EdgeLoss().published(maps), rel=0.25)

    def test_published_counts_a_flat_map_as_free(self):
        assert EdgeLoss().published(torch.ones(1, 5, 5)) == 0

    def test_sum_is_mean_times_cells(self):
        maps = random_maps(2, 6, 7)
        assert_close(EdgeLoss(reduction="sum")(maps), 42 * EdgeLoss()(maps))

    def test_no_scaling_leaves_the_scale_in(self):
        maps = random_maps(1, 6, 7)
        loss = EdgeLoss(scaling="none", sigma_spatial=0.0)
        assert_close(loss(5 * maps), 5 * loss(maps))

    def test_the_mask_leaves_out_edges_to_masked_cells(self):
        maps = torch.zeros(1, 20, 20)
        maps[:, :, :10] = random_maps(1, 20, 10)
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

    @pytest.mark.parametrize("scaling", ["standard", "minmax"])
    def test_a_map_that_varies_by_rounding_errors_only_is_flat(self, scaling):
        maps = torch.full((1, 9, 9), 0.3)
        maps[:, 4:] += 2 * torch.finfo(torch.float32).eps
        assert EdgeLoss(scaling=scaling)(maps) < 1e-6
