import pytest
import torch
from torch.testing import assert_close

import phyvae
from phyvae import EdgeLoss, FourierLoss, Maximize, standardise


class TestComposition:
    def test_a_weighted_sum_is_the_sum_of_the_weighted_losses(self):
        maps = torch.rand(2, 9, 11)
        loss = EdgeLoss() + 0.5 * FourierLoss() + FourierLoss(radius=2.0) * 2.0
        expected = EdgeLoss()(maps) + 0.5 * FourierLoss()(maps) + 2 * FourierLoss(radius=2.0)(maps)
        assert_close(loss(maps), expected)

    def test_published_numbers_compose_alike(self):
        maps = torch.rand(2, 10, 10)
        loss = EdgeLoss() + 0.5 * FourierLoss()
        expected = EdgeLoss().published(maps) + 0.5 * FourierLoss().published(maps)
        assert loss.published(maps) == pytest.approx(expected)

    def test_the_mask_reaches_every_term(self):
        maps = torch.rand(2, 9, 11)
        mask = torch.ones(9, 11, dtype=torch.bool)
        mask[:3] = False
        loss = EdgeLoss() + FourierLoss()
        assert_close(loss(maps, mask), EdgeLoss()(maps, mask) + FourierLoss()(maps, mask))
        assert loss(maps, mask) != loss(maps)

    def test_maximize_falls_as_the_loss_rises(self):
        flat, noise = torch.ones(1, 9, 9), torch.rand(1, 9, 9)
        assert Maximize(EdgeLoss())(noise) < Maximize(EdgeLoss())(flat) == 1

    def test_maximize_of_published_numbers(self):
        maps = torch.rand(2, 10, 10)
        expected = 1 / (1 + EdgeLoss().published(maps))
        assert Maximize(EdgeLoss()).published(maps) == pytest.approx(expected)

    def test_sum_of_a_list_and_a_quotient_are_what_they_say(self):
        maps = torch.rand(2, 9, 9)
        assert_close(
            sum([EdgeLoss(), FourierLoss()])(maps), EdgeLoss()(maps) + FourierLoss()(maps)
        )
        assert_close((EdgeLoss() / 4)(maps), EdgeLoss()(maps) / 4)

    def test_what_is_no_loss_cannot_be_added(self):
        with pytest.raises(TypeError):
            sum([EdgeLoss()], 1)
        with pytest.raises(TypeError):
            EdgeLoss() / "2"

    def test_a_loss_cannot_be_divided_by_zero(self):
        with pytest.raises(ZeroDivisionError):
            EdgeLoss() / 0

    def test_a_negative_weight_is_refused(self):
        with pytest.raises(ValueError, match=r"weight=-1.*Maximize"):
            -1.0 * EdgeLoss()

    def test_only_losses_and_numbers_compose(self):
        with pytest.raises(TypeError):
            EdgeLoss() + 1
        with pytest.raises(TypeError):
            EdgeLoss() * "2"

    def test_a_loss_needs_a_forward(self):
        with pytest.raises(TypeError, match="abstract"):
            type("Nothing", (phyvae.PhysicsLoss,), {})()

    def test_a_loss_that_nobody_published_is_itself(self):
        class Half(phyvae.PhysicsLoss):
            def forward(self, maps, mask=None):
                return maps.mean()

        assert Half().published(torch.full((1, 2, 2), 0.5)) == 0.5


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
