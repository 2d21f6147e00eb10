"""The laws that every physics loss obeys; a new loss is added to the list and is tested."""

import copy
import re

import pytest
import torch

import phyvae
from phyvae.testing import LAWS


class Smoothness(phyvae.PhysicsLoss):
    def forward(self, maps, mask=None):
        z = phyvae.standardise(maps, mask)
        return z.diff(dim=-1).square().mean() + z.diff(dim=-2).square().mean()


class OnSquare(phyvae.PhysicsLoss):
    """A loss of the upper left square of the map."""

    def __init__(self, loss):
        super().__init__()
        self.loss = loss

    def forward(self, maps, mask=None):
        side = min(maps.shape[1:])
        corner = (slice(side), slice(side))
        return self.loss(maps[:, *corner], None if mask is None else mask[corner])

    def __repr__(self):
        return f"OnSquare({self.loss!r})"


def difference(first, *others):
    """A function of any number of maps."""
    return sum(others, first) ** 2 - 1


# Laws that losses break on purpose, those of this file among them.
FLAT, NOISE, SCALE, MIRROR = (
    "a flat map is free",
    "noise costs more than one wall",
    "scale and offset of the latent do not matter",
    "a mirrored map costs the same",
)
TRANSPOSE, ORDER = "a transposed map costs the same", "the order of channels does not matter"
TRIANGLE = [(1, 0), (-0.5, 0.87), (-0.5, -0.87)]

ITS_OWN = [
    (phyvae.EdgeLoss(), set()),
    (phyvae.EdgeLoss(sigma_spatial=1.0), set()),
    (phyvae.EdgeLoss(sigma_color=0.5, sigma_spatial=1.0), set()),
    (phyvae.EdgeLoss(scaling="minmax"), set()),
    (phyvae.EdgeLoss(sigma_spatial=5.0, scaling="minmax", reduction="sum"), set()),
    (phyvae.FourierLoss(), set()),
    (phyvae.TotalVariation(), set()),
    (phyvae.FourierLoss(radius=3.0), set()),
    (phyvae.EdgeLoss() + 0.5 * phyvae.FourierLoss(), set()),
    (Smoothness(), set()),
    (phyvae.TotalVariation("none"), {SCALE}),
    (phyvae.InterfaceEnergy(ratio=2.0), {TRANSPOSE}),
    (phyvae.InterfaceEnergy(1.3, 30.0, folds=4), {MIRROR, TRANSPOSE}),
    (phyvae.InterfaceEnergy(1.3, 45.0, folds=4), set()),
    (phyvae.InterfaceEnergy(ratio=2.0, scaling="none"), {SCALE, TRANSPOSE}),
    (phyvae.DirichletEnergy(), set()),
    (phyvae.DirichletEnergy("none"), {SCALE}),
    (phyvae.GinzburgLandau(), set()),
    (phyvae.GinzburgLandau(6.0, pixel_size=2.0), set()),
    (phyvae.GinzburgLandau(3.0, (0, 1, 2)), set()),
    (phyvae.GinzburgLandau(3.0, TRIANGLE), {ORDER, TRANSPOSE}),
    (phyvae.GinzburgLandau(3.0, (0, 1), scaling="none"), {SCALE, FLAT}),
    (phyvae.Curvature(), set()),
    (phyvae.Curvature(smoothing=0.0), set()),
    (phyvae.Curvature(smoothing=3.0, pixel_size=1.5), set()),
    (phyvae.PeriodicOrder([(0, 0.25), (0.25, 0)]), {NOISE}),
    (phyvae.PeriodicOrder([(0.1, 0.25)], tolerance=0.1), {NOISE, MIRROR, TRANSPOSE}),
    (phyvae.PeriodicOrder(ring=0.3, punish="at"), set()),
    (phyvae.PeriodicOrder(ring=0.15, tolerance=0.05, pixel_size=2.0), {NOISE}),
    (phyvae.Sparsity(), set()),
    (phyvae.Sparsity("group"), set()),
    (phyvae.ClassOccupancy(), {FLAT, NOISE}),
    (phyvae.ClassOccupancy("cells"), {FLAT, NOISE}),
    (phyvae.ClassOccupancy("cells", scaling="none"), {FLAT, NOISE, SCALE}),
    (phyvae.ClassOccupancy(scaling="probabilities"), {FLAT, NOISE, SCALE}),
    (phyvae.AreaFractions((0.5, 0.5)), set()),
    (phyvae.AreaFractions((0.2, 0.3, 0.5)), set()),
    (phyvae.Decorrelation(), {NOISE}),
    (phyvae.Exclusiveness(), {NOISE}),
    (phyvae.Relation(difference), {FLAT, NOISE}),
    (phyvae.BoundCharge(), {NOISE, MIRROR, ORDER}),
    (phyvae.Vorticity(), {NOISE, MIRROR, ORDER}),
    (phyvae.Autocorrelation(2.0), set()),
    (phyvae.Autocorrelation((0, 2)), {TRANSPOSE}),
    (phyvae.Autocorrelation((1, 2)), {MIRROR, TRANSPOSE}),
    (phyvae.Autocorrelation(6.0, alike=False, pixel_size=2.0), {NOISE}),
    (phyvae.MapSymmetry("left-right"), {TRANSPOSE}),
    (phyvae.MapSymmetry("up-down"), {NOISE, TRANSPOSE}),
    (phyvae.MapSymmetry("half-turn"), {NOISE}),
    # The corner is another one in a mirrored map.
    (OnSquare(phyvae.MapSymmetry("quarter-turn")), {NOISE, MIRROR}),
    (phyvae.OnChannels(phyvae.EdgeLoss(), [0]), {ORDER, TRANSPOSE}),
    (phyvae.Scheduled(phyvae.Curvature(), phyvae.LinearBeta(0.5, 1.0, epochs=3)), set()),
    (
        phyvae.OnChannels(phyvae.EdgeLoss(), [1, 0])
        + 0.3 * phyvae.Scheduled(phyvae.Maximize(phyvae.BoundCharge()) * 2.0, 0.5),
        {FLAT, MIRROR, ORDER},
    ),
]
LOSSES = [loss for loss, _ in ITS_OWN]
EXCEPTIONS = dict(ITS_OWN)


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
class TestEveryPhysicsLoss:
    def test_obeys_every_law_but_its_exceptions(self, loss):
        complaints = {law: LAWS[law](loss) for law in LAWS}
        broken = {law: complaint for law, complaint in complaints.items() if complaint}
        assert broken.keys() == EXCEPTIONS[loss] & LAWS.keys(), broken

    def test_any_size_and_aspect_is_accepted(self, loss):
        for shape in ((2, 12, 12), (2, 8, 13), (2, 17, 9)):
            self.accepts(loss, shape)

    def test_other_channels_and_strips_are_accepted_or_refused_in_words(self, loss):
        words = r"maps (are|have)|reaches beyond|lies between|covers every"
        for shape in ((1, 12, 12), (3, 17, 9), (2, 1, 9), (2, 9, 1), (1, 1, 1)):
            if shape[1:].count(1) and isinstance(loss, Smoothness):
                continue  # it takes a mean over steps, and a strip has none across
            try:
                self.accepts(loss, shape)
            except ValueError as refusal:
                assert re.search(words, str(refusal))  # noqa: PT017

    def accepts(self, loss, shape):
        maps = torch.rand(shape, requires_grad=True)
        psi = loss(maps)
        psi.backward()
        assert psi >= 0
        assert maps.grad.isfinite().all()

    def test_transposes_do_not_matter(self, loss):
        maps = torch.rand(2, 10, 10, dtype=torch.float64)
        # The components of a vector change places with the axes.
        other = maps.mT if ORDER not in EXCEPTIONS[loss] else maps.mT.flip(0)
        same = torch.allclose(loss(other), loss(maps), rtol=1e-6)
        assert same != (TRANSPOSE in EXCEPTIONS[loss])

    def test_order_of_the_channels_does_not_matter(self, loss):
        maps = torch.rand(2, 10, 12, dtype=torch.float64)
        same = torch.allclose(loss(maps.flip(0)), loss(maps), rtol=1e-6)
        assert same != (ORDER in EXCEPTIONS[loss])

    def test_one_flat_channel_among_others_leaves_the_gradient_finite(self, loss):
        maps = torch.rand(2, 9, 9)
        maps[1] = 0.7
        maps.requires_grad_()
        loss(maps).backward()
        assert maps.grad.isfinite().all()

    def test_a_flat_map_of_single_precision_is_flat(self, loss):
        maps = torch.full((2, 9, 9), 0.1, requires_grad=True)
        psi = loss(maps)
        psi.backward()
        assert maps.grad.isfinite().all()
        if FLAT not in EXCEPTIONS[loss]:
            assert psi == 0

    def test_it_looks_at_no_number_of_the_map_on_the_way(self, loss):
        # On this device there are no numbers to look at; on a GPU, each look waits for it.
        maps = torch.rand(2, 9, 9, device="meta", requires_grad=True)
        mask = torch.ones(9, 9, dtype=torch.bool, device="meta")
        for given in ((maps,), (maps, mask)):
            psi = copy.deepcopy(loss).to("meta")(*given)
            assert psi.shape == ()
            assert psi.device.type == "meta"

    def test_several_maps_at_once_are_the_maps_one_by_one(self, loss):
        if getattr(loss, "sigma_spatial", 0) > 0:
            pytest.skip("the bilateral filter looks at one stack of maps at a time")
        maps = torch.rand(3, 2, 9, 9, dtype=torch.float64)
        mask = torch.rand(9, 9) > 0.2
        each = torch.stack([loss(one, mask) for one in maps])
        torch.testing.assert_close(torch.vmap(lambda one: loss(one, mask))(maps), each)
        gradients = torch.vmap(torch.func.grad(loss))(maps)
        assert gradients.isfinite().all()

    def test_a_mask_of_nothing_costs_a_finite_number(self, loss):
        maps = torch.rand(2, 9, 9, requires_grad=True)
        psi = loss(maps, torch.zeros(9, 9, dtype=torch.bool))
        if psi.requires_grad:
            psi.backward()
            assert maps.grad.isfinite().all()
        assert psi.isfinite()
