"""Physics losses, their sums and their multiples."""

import sys

import pytest
import torch
from torch.testing import assert_close

import phyvae
from phyvae import (
    BoundCharge,
    Curvature,
    EdgeLoss,
    FourierLoss,
    GinzburgLandau,
    Maximize,
    OnChannels,
    Scheduled,
    SiteGraph,
    Sparsity,
    TotalVariation,
)
from random_maps import random_maps
from small import small_grid, small_trainer


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


class TestChecks:
    def test_a_training_step_checks_the_maps_of_its_tile_once(self, checks):
        physics = OnChannels(EdgeLoss(), [0]) + 0.5 * Scheduled(Maximize(TotalVariation()), 1.0)
        grid = small_grid(rows=24, cols=24)  # 25 patches: one step an epoch
        for each in (physics + Sparsity(), BoundCharge(), EdgeLoss(), GinzburgLandau()):
            trainer = small_trainer(phyvae.PhysicsObjective(each))
            checks.clear()
            trainer.step(grid)
            assert checks == ["check_maps"]

    @pytest.mark.parametrize(
        "loss",
        [
            EdgeLoss(),
            TotalVariation("none"),
            Maximize(BoundCharge()),
            OnChannels(Curvature(), [1]),
            0.5 * Scheduled(Sparsity(), 2.0),
        ],
        ids=repr,
    )
    def test_a_loss_at_sites_checks_their_values_once(self, checks, loss):
        loss.on_graph(random_maps(2, 12), SiteGraph.nearest(random_maps(12, 2, seed=1)))
        assert checks == ["check_values"]

    @pytest.fixture
    def checks(self, monkeypatch):
        calls = []

        def counting(module, name):
            original = getattr(module, name)

            def check(*given):
                calls.append(name)
                original(*given)

            monkeypatch.setattr(module, name, check)

        for path, module in list(sys.modules.items()):
            for name in ("check_maps", "check_values"):
                if path.startswith("phyvae.physics.") and hasattr(module, name):
                    counting(module, name)
        return calls

    def test_hooks_of_a_loss_and_of_its_terms_run(self):
        seen, loss = [], EdgeLoss() + TotalVariation()
        for module in (loss, *loss.terms):
            module.register_forward_hook(lambda module, _, psi: seen.append((module, psi)))
        psi = loss(torch.rand(2, 9, 9))
        assert [module for module, _ in seen] == [*loss.terms, loss]
        assert_close(seen[0][1] + seen[1][1], psi)

    def test_a_loss_without_a_mask_is_one_of_whole_grids_in_sums_too(self):
        class Maskless(phyvae.PhysicsLoss):
            def forward(self, maps):
                return maps.std()

        maps, mask = torch.rand(1, 9, 9), torch.ones(9, 9, dtype=torch.bool)
        assert_close((EdgeLoss() + Maskless())(maps), EdgeLoss()(maps) + maps.std())
        with pytest.raises(TypeError, match="positional argument"):
            Maskless()(maps, mask)


def test_a_loss_without_the_constructor_of_its_base_is_named():
    class Bare(phyvae.PhysicsLoss):
        def __init__(self):
            self.weight = 2.0

        def forward(self, maps, mask=None):
            return self.weight * maps.square().mean()

    with pytest.raises(TypeError, match=r"Bare.__init__ must begin with super\(\).__init__\(\)"):
        Bare()(torch.rand(1, 6, 6))
